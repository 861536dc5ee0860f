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
from typing import TYPE_CHECKING, Any, NamedTuple

from OpenSSL import SSL
from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorThreads
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from zope.interface import implementer

from ..interfaces import ITLSPolicy
from .authorityfiles import AuthorityFiles
from .certificatefiles import CertificateFiles, Trouble, TroubleError
from .certificates import ByName, Certificate, equip
from .clientauthorities import AskedConnection
from .connector import Connector
from .introduction import now
from .pem import CertificateError
from .resolver import Resolver
from .stapling import Stapling
from .tickets import Generations
from .tlscontext import ACME_PROTOCOL, agree, makeContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twisted.internet.interfaces import IDelayedCall
    from twisted.python.failure import Failure

    from ..interfaces import IConnector
    from ..settings import TLSSettings
    from .automatic import Automatic
    from .clientauthorities import ClientAuthorities

#: What is spoken above TLS, the best first (RFC 7301).
PROTOCOLS = (b"http/1.1",)
#: All that an authority offers that looks whether a name leads here.
_ACME = [ACME_PROTOCOL]
#: Between two looks at the files.
WATCH_SECONDS = 10.0


class _Found(NamedTuple):
    """
    What a look at the files has brought.

    @ivar selection: the contexts from now on; None for those that there were.
    @ivar authorities: those that they were made with.
    """

    selection: ByName | None
    authorities: ClientAuthorities | None
    troubles: list[Trouble]


@implementer(ITLSPolicy, IOpenSSLServerConnectionCreator)
class ServerTLS:
    """
    TLS for the clients of one front.

    It has a timer from L{start} to L{stop}, by which it reads certificates that changed.

    @ivar automatic: what it gets by itself; None for nothing.
    @ivar authorities: who vouches for clients; None where they are not asked.
    @ivar renewed: called when that has changed: who is connected was let in under what
        there was before.
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
        self._clients = None if settings.clients is None else AuthorityFiles(settings.clients)
        #: Those that the contexts of names are made of.
        self._used: tuple[Certificate, ...] = ()
        self.authorities: ClientAuthorities | None = None
        self.renewed: Callable[[], Any] | None = None
        self.automatic: Automatic | None = None
        if settings.acme is not None:
            # Only who has no certificates needs what makes some.
            from .automatic import Automatic

            self.automatic = Automatic(reactor, settings.acme, name)
        self._timer: IDelayedCall | None = None
        self._looking: Deferred[Any] | None = None
        found = self._look()
        if found.troubles or found.selection is None:
            raise TroubleError(found.troubles)
        self._selection: ByName = found.selection
        self.authorities = found.authorities
        self._staple()
        self._keys = Generations(self._begin, reactor.seconds, settings.resumptionSeconds)
        if self.automatic is not None:
            self.automatic.use()

    # Contexts

    def _begin(self) -> Any:
        """Make a context for connections to begin with."""
        settings = self.settings
        context = self._plain()
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        clients = settings.clients
        # A ticket has the client's certificate in it, but none of those behind that.
        if settings.resumptionSeconds and (clients is None or not clients.tellsChain):
            context.set_timeout(int(settings.resumptionSeconds))
        else:
            context.set_options(SSL.OP_NO_TICKET)
        context.set_tlsext_servername_callback(self._named)
        if self.authorities is not None:
            self.authorities.ask(context)
        return context

    def _plain(self) -> Any:
        """Make a context with what is the same for all."""
        context = makeContext(self.settings.profile)
        context.set_session_id(self._session)
        # OpenSSL asks the one that took the place of the first.
        context.set_alpn_select_callback(self._agree)
        return context

    def _byName(
        self, certificates: Iterable[Certificate], authorities: ClientAuthorities | None
    ) -> ByName:
        """
        Make the contexts of certificates.

        @raise CertificateError: there is none for the default.
        """

        def make(chosen: list[Certificate]) -> Any:
            context = self._plain()
            equip(context, chosen)
            if self._stapling is not None:
                self._stapling.equip(context, chosen)
            if authorities is not None:
                authorities.trust(context)
            return context

        return ByName(certificates, make, self.settings.default)

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
        automatic = self.automatic
        if automatic is not None and offered == _ACME and automatic.answers(connection):
            return ACME_PROTOCOL
        return agree(self._protocols, offered)

    # ITLSPolicy

    def serverConnectionForTLS(self, protocol: Any) -> Any:
        """See L{IOpenSSLServerConnectionCreator}."""
        return self.connectionOn(None)

    def connectionOn(self, socket: Any) -> Any:
        """See L{ITLSPolicy.connectionOn}."""
        context = self._keys.newest()
        if self.authorities is None:
            connection: Any = SSL.Connection(context, socket)
        else:
            connection = AskedConnection(context, socket)
            connection.asked = self.authorities
        # OpenSSL may call back to this one after another took its place, and when its
        # generation has gone; pyOpenSSL keeps what it calls no longer than the context.
        connection.beganWith = context
        connection.set_accept_state()
        return connection

    # Files

    def _look(self) -> _Found:
        """Read what has changed; may block."""
        changed, troubles = self._files.look()
        authorities = self.authorities
        if self._clients is not None:
            troubles = [*troubles, *self._clients.look()]
            authorities = self._clients.authorities
        certificates = self._files.certificates
        if self.automatic is not None:
            changed = self.automatic.look(certificates) or changed
            certificates += self.automatic.certificates
        if changed:
            try:
                selection = self._byName(certificates, authorities)
            except CertificateError as error:
                settings = self.settings
                found = Trouble("default", settings.default, error.message, error.remedy)
                troubles = [*troubles, found]
            else:
                self._used = certificates
                return _Found(selection, authorities, troubles)
        if authorities is not self.authorities and self._used:
            # Who is not trusted any more is not, whatever else is wrong.
            return _Found(self._byName(self._used, authorities), authorities, troubles)
        return _Found(None, None, troubles)

    def start(self) -> None:
        """Look for changes from now on, and ask for what is stapled."""
        if self._timer is None:
            self._timer = self._reactor.callLater(WATCH_SECONDS, self._due)
            if self._stapling is not None:
                self._stapling.start()
            if self.automatic is not None:
                self.automatic.start(self.reload)

    def stop(self) -> None:
        """Look no more."""
        if self._stapling is not None:
            self._stapling.stop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            if self.automatic is not None:
                self.automatic.stop()

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
            if self._clients is not None:
                self._lapse(self._clients)
            self.reload()

    def _lapse(self, clients: AuthorityFiles) -> None:
        """Tell of lists that have expired: from then on they keep clients out."""
        for trouble in clients.lapses(now()):
            self._log.warn("{front}: {trouble}", front=self.name, trouble=str(trouble))
            # Also those who have a session.
            self._keys.retire()

    def _inThread(self, look: Callable[[], Any]) -> Deferred[Any]:
        if IReactorThreads.providedBy(self._reactor) and self._timer is not None:
            return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), look)
        return execute(look)

    def _use(self, found: _Found) -> None:
        for trouble in found.troubles:
            self._log.warn(
                "{front}: {trouble} (what there was before is used)",
                front=self.name,
                trouble=str(trouble),
            )
        if found.selection is None:
            return
        self._selection = found.selection
        self._staple()
        self._log.info(
            "{front}: certificates were read again, for {count} names",
            front=self.name,
            count=len(found.selection),
        )
        if self.automatic is not None:
            self.automatic.use()
        if found.authorities is not self.authorities:
            self.authorities = found.authorities
            # A session that is resumed would not be judged anew.
            self._keys.retire()
            self._log.info("{front}: who vouches for clients was read again", front=self.name)
            if self.renewed is not None:
                self.renewed()

    def _failed(self, failure: Failure) -> None:
        self._log.failure("{front}: certificates can't be read", failure, front=self.name)

    def _looked(self, _: Any) -> None:
        self._looking = None

    def __repr__(self) -> str:
        return f"<ServerTLS {self.name} {self.settings.profile} names={len(self._selection)}>"


__all__ = ["PROTOCOLS", "WATCH_SECONDS", "ServerTLS"]
