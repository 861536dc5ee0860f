# -*- test-case-name: tests.net.test_servertls -*-
"""
How a front speaks TLS with its clients: the context factory.

Each connection begins with a context that has no certificates, but the keys of tickets
and what is asked of clients.  When the client has said which name it wants, the context
of that name takes its place; for sessions it is the first that counts.  So certificates
come and go, and sessions stay.

It is a context factory for any Twisted application, see C{docs/embedding.md}.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorThreads
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from zope.interface import implementer

from ..interfaces import ITLSPolicy
from .certificatefiles import CertificateFiles, Trouble, TroubleError
from .certificates import ByName, Certificate, equip
from .connector import Connector
from .pem import CertificateError
from .resolver import Resolver
from .stapling import Stapling
from .tickets import Generations
from .tlscontext import makeContext

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IDelayedCall
    from twisted.python.failure import Failure

    from ..interfaces import IConnector
    from ..settings import TLSSettings

#: What is spoken above TLS, the best first (RFC 7301).
PROTOCOLS = (b"http/1.1",)
#: Between two looks at the files.
WATCH_SECONDS = 10.0


@implementer(ITLSPolicy, IOpenSSLServerConnectionCreator)
class ServerTLS:
    """
    TLS for the clients of one front.

    It has a timer from L{start} to L{stop}, by which it reads certificates that changed.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: TLSSettings,
        name: str = "",
        protocols: tuple[bytes, ...] = PROTOCOLS,
        connector: IConnector | None = None,
    ) -> None:
        """
        Read the certificates.

        @param reactor: provides C{IReactorTime}; if it has threads, they are used
            when files are read later on.
        @param name: the front's, for the log; sessions of another are not resumed.
        @param protocols: what is spoken above, the best first.
        @param connector: what the responders are reached by that certificates name; None
            for one of its own.
        @raise TroubleError: a certificate can't be used.
        """
        self.name = name
        self.settings = settings
        self._reactor = reactor
        self._protocols = protocols
        self._session = sha256(f"intermediary {name}".encode()).digest()
        self._connector = connector
        self._stapling = Stapling(reactor, name, self._connect) if settings.stapling else None
        self._files = CertificateFiles(settings)
        self._timer: IDelayedCall | None = None
        self._looking: Deferred[Any] | None = None
        selection, troubles = self._look()
        if troubles or selection is None:
            raise TroubleError(troubles)
        self._selection: ByName = selection
        self._staple()
        self._keys = Generations(self._begin, reactor.seconds, settings.resumptionSeconds)

    # Contexts

    def _begin(self) -> Any:
        """Make a context for connections to begin with."""
        settings = self.settings
        context = self._plain()
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        if settings.resumptionSeconds:
            context.set_timeout(int(settings.resumptionSeconds))
        else:
            context.set_options(SSL.OP_NO_TICKET)
        context.set_tlsext_servername_callback(self._named)
        return context

    def _plain(self) -> Any:
        """Make a context with what is the same for all."""
        context = makeContext(self.settings.profile)
        context.set_session_id(self._session)
        # OpenSSL asks the one that took the place of the first.
        context.set_alpn_select_callback(self._agree)
        return context

    def _equipped(self, certificates: list[Certificate]) -> Any:
        """Make the context of certificates."""
        context = self._plain()
        equip(context, certificates)
        if self._stapling is not None:
            self._stapling.equip(context, certificates)
        return context

    def _connect(self) -> IConnector:
        """Give what responders are reached by; most certificates name none."""
        if self._connector is None:
            self._connector = Connector(self._reactor, Resolver(self._reactor))
        return self._connector

    def _staple(self) -> None:
        """Get staples for the certificates that there are now."""
        if self._stapling is not None:
            self._stapling.follow(self._files.certificates)

    def _named(self, connection: Any) -> None:
        """Called by OpenSSL: the client has said what it wants, or nothing."""
        connection.set_context(self._selection.get(connection.get_servername()))

    def isFor(self, host: str) -> bool:
        """Whether there is a certificate for a name or address, in lower case."""
        return host.encode("ascii") in self._selection

    def _agree(self, connection: Any, offered: list[bytes]) -> bytes:
        """Called by OpenSSL: choose what is spoken above."""
        for protocol in self._protocols:
            if protocol in offered:
                return protocol
        # RFC 7301 §3.2; a client that means another server must not be answered.
        raise SSL.Error([("", "", "no application protocol in common")])

    # ITLSPolicy

    def serverConnectionForTLS(self, protocol: Any) -> Any:
        """See L{IOpenSSLServerConnectionCreator}."""
        return self.connectionOn(None)

    def connectionOn(self, socket: Any) -> Any:
        """See L{ITLSPolicy.connectionOn}."""
        connection = SSL.Connection(self._keys.newest(), socket)
        connection.set_accept_state()
        return connection

    # Files

    def _look(self) -> tuple[ByName | None, list[Trouble]]:
        """
        Read what has changed; may block.

        @return: what is to be used from now on, None for what there was.
        """
        changed, troubles = self._files.look()
        if not changed:
            return None, troubles
        settings = self.settings
        try:
            return ByName(self._files.certificates, self._equipped, settings.default), troubles
        except CertificateError as error:
            found = Trouble("default", settings.default, error.message, error.remedy)
            return None, [*troubles, found]

    def start(self) -> None:
        """Look for changes from now on, and ask for what is stapled."""
        if self._timer is None:
            self._timer = self._reactor.callLater(WATCH_SECONDS, self._due)
            if self._stapling is not None:
                self._stapling.start()

    def stop(self) -> None:
        """Look no more."""
        if self._stapling is not None:
            self._stapling.stop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def reload(self) -> Deferred[Any]:
        """
        Look for changes now.

        @return: fires when what was found is used.  Who cancels it waits no
            longer, and that is all.
        """
        waiting: Deferred[Any] = Deferred()
        looking = self._looking
        if looking is None:
            looking = self._inThread(self._look)
            self._looking = looking
            looking.addCallbacks(self._use, self._failed)
            looking.addBoth(self._looked)

        def tell(_: Any) -> None:
            if not waiting.called:
                waiting.callback(None)

        looking.addBoth(tell)
        return waiting

    def _due(self) -> None:
        self._timer = self._reactor.callLater(WATCH_SECONDS, self._due)
        self._keys.expire()
        if self._looking is None:
            self.reload()

    def _inThread(self, look: Callable[[], Any]) -> Deferred[Any]:
        if IReactorThreads.providedBy(self._reactor) and self._timer is not None:
            return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), look)
        return execute(look)

    def _use(self, found: tuple[ByName | None, list[Trouble]]) -> None:
        selection, troubles = found
        for trouble in troubles:
            self._log.warn(
                "{front}: {trouble} (what there was before is used)",
                front=self.name,
                trouble=str(trouble),
            )
        if selection is not None:
            self._selection = selection
            self._staple()
            self._log.info(
                "{front}: certificates were read again, for {count} names",
                front=self.name,
                count=len(selection),
            )

    def _failed(self, failure: Failure) -> None:
        self._log.failure("{front}: certificates can't be read", failure, front=self.name)

    def _looked(self, _: Any) -> None:
        self._looking = None

    def __repr__(self) -> str:
        return f"<ServerTLS {self.name} {self.settings.profile} names={len(self._selection)}>"


__all__ = ["PROTOCOLS", "WATCH_SECONDS", "ServerTLS"]
