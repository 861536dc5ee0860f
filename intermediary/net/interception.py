# -*- test-case-name: tests.net.test_interception -*-
"""
Interception: TLS of a client with somebody else, spoken by us in the other's name.

A step of C{CONNECT}.  For what is to be intercepted the client is told at once that
its connection stands.  If it then speaks TLS, that is answered with a certificate for
the host of the C{CONNECT}, whatever other name it asks for by SNI, and what is inside is
served as the requests of any client are, by a connection of its own.  Anything else is
what it always was: dialled and tunnelled.  So is what goes to an address and asks for a
name that is never to be intercepted.

Nothing is dialled before there is a request.  So it is by an answer to that that the client
hears of a server that can't be reached, or that did not prove to be the right one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from OpenSSL import SSL
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from zope.interface import implementer

from ..errors import ClientGone
from ..interfaces import ITLSPolicy
from ..program import PARKED
from ..wire.clienthello import HANDSHAKE, HelloError, HelloReader
from .dialling import ESTABLISHED
from .downstream import DownstreamConnection
from .handshakes import Handshakes, speakTLS
from .introduction import Introduced
from .listener import Listener
from .prelude import Prelude
from .tlsproblems import reasonsOf

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.python.failure import Failure

    from ..exchange import Exchange
    from ..front import Front
    from .minting import Mint
    from .sweep import Sweeper

#: Between two lines of the log about clients that do not let one host be intercepted.
QUIET_SECONDS: Final = 600.0
#: Hosts of which it is known when they were in the log.
SAID: Final = 1024

#: Of what OpenSSL says when a client refuses a certificate, and what to do then.
_TRUST: Final = "have it trust our authority, or put the name into except if it knows its own"
_REMEDIES: Final = {
    "unknown ca": _TRUST,
    "bad certificate": _TRUST,
    "certificate unknown": _TRUST,
    "certificate expired": "compare the clocks of both, and how long our authority is valid",
    "no application protocol": "it speaks something other than HTTP/1.1: put the name into except",
}


class Interception:
    """
    What one front intercepts.

    @ivar handshakes: those with its clients inside of their C{CONNECT}.
    """

    log = Logger()

    def __init__(
        self,
        front: str,
        takes: Callable[[str, int], bool],
        mint: Mint,
        inside: Callable[[Exchange], Front],
        excepts: Callable[[str], bool],
        seconds: float,
        limit: int,
        sweeper: Sweeper,
        reactor: Any,
    ) -> None:
        """
        @param front: its name, for the log.
        @param takes: tells by host and port what is to be intercepted.
        @param inside: makes the front of what is in the connection of an exchange.
        @param excepts: tells of a name whether it is never to be intercepted.
        @param seconds: how long a client may take to its first octet, and from there
            through the handshake.
        @param limit: how many handshakes at once.
        """
        self._front = front
        self._takes = takes
        self.mint = mint
        self.inside = inside
        self.excepts = excepts
        self.sweeper = sweeper
        self.handshakes = _Handshakes(front, None, seconds, limit, reactor)
        self.wrapping: Any = WrappingFactory(Factory())
        self.draining = False
        self._standing: set[Intercepted] = set()
        self._seconds = reactor.seconds
        #: When something may be said again of a host.
        self._quiet: dict[str, float] = {}
        self._unsaid = 0

    def intercept(self, exchange: Exchange) -> Any:
        """
        Tell the client of a C{CONNECT} that it is connected, if it is to be intercepted.

        Parks until the connection is over, or turns out to be none of TLS.
        """
        origin = exchange.origin
        assert origin is not None
        if not self._takes(origin.host, origin.port):
            return None
        intercepted = Intercepted(self, exchange, origin.host)
        self._standing.add(intercepted)
        intercepted.answer()
        return PARKED

    def forget(self, intercepted: Intercepted) -> None:
        """One is over, or was none."""
        self._standing.discard(intercepted)

    def drain(self) -> None:
        """End what is idle, and the others after the exchange under way."""
        self.draining = True
        for each in list(self._standing):
            each.drain()

    def complain(self, host: str, peer: str, why: str) -> None:
        """Say that a client does not let itself be intercepted, once in a while for a host."""
        now = self._seconds()
        if now < self._quiet.get(host, 0.0):
            self._unsaid += 1
            return
        if len(self._quiet) >= SAID:
            self._quiet.clear()
        self._quiet[host] = now + QUIET_SECONDS
        more, self._unsaid = self._unsaid, 0
        remedy = next((what for words, what in _REMEDIES.items() if words in why), "")
        self.log.info(
            "{front}: {peer} can't be intercepted on its way to {host}: {why}{remedy}{more}",
            front=self._front,
            peer=peer,
            host=host,
            why=why,
            remedy=f"; {remedy}" if remedy else "",
            more=f" (and {more} others before)" if more else "",
        )

    def __repr__(self) -> str:
        return f"<Interception {self._front} {len(self._standing)} {self.mint!r}>"


class _Beneath(ProtocolWrapper):
    """
    The transport of a connection inside, before there is TLS, and then of that.

    @ivar policy: how it is spoken.
    """

    policy: Any = None


class _Handshakes(Handshakes):
    """Those inside, each by a policy of its own."""

    def _start(self, connection: DownstreamConnection) -> None:
        self._under.add(connection)
        transport: Any = connection.transport
        try:
            connection.transport = speakTLS(transport, transport.policy, connection, self._clock)
        except Exception:  # noqa: BLE001 - it ends this one only
            self._log.failure("{front}: no TLS with a client", front=self._front)
            connection.abort()


@implementer(ITLSPolicy, IOpenSSLServerConnectionCreator)
class Intercepted:
    """
    One connection of a client, from the answer to its C{CONNECT} on.

    It is how TLS is spoken on it, and for the connection inside what
    L{Listener.handshakes} are for others.
    """

    def __init__(self, owner: Interception, exchange: Exchange, host: str) -> None:
        """
        @param exchange: the C{CONNECT}, which lasts as long as the connection.
        """
        self._owner = owner
        self._exchange: Exchange | None = exchange
        self._host = host
        #: Reads the name that is asked for where the host is none.
        self._reader: HelloReader | None = None
        if isIPAddress(host) or isIPv6Address(host):
            self._reader = HelloReader()
        #: How much of what came early it has read.
        self._read = 0
        self._prelude: Prelude | None = None
        self._wrapper: Any = None
        self._inner: DownstreamConnection | None = None
        self.seconds = owner.handshakes.seconds

    def answer(self) -> None:
        """Answer the client, and wait for what it says."""
        exchange = self._exchange
        assert exchange is not None
        downstream: Any = exchange.downstream
        exchange.headSent = True
        exchange.status = 200
        transport = downstream.transport
        self._prelude = prelude = Prelude(transport, self._owner.sweeper, self._heard, self._gone)
        transport.write(ESTABLISHED)
        sentAhead = downstream.enterTunnel(prelude)
        prelude.wait(self.seconds)
        if sentAhead:
            prelude.dataReceived(sentAhead)

    def _heard(self) -> bool:
        """
        The client says something.

        @return: whether it is enough to know what it wants.
        """
        prelude = self._prelude
        assert prelude is not None
        early = prelude.early
        if early[0] != HANDSHAKE:
            self._tunnel()
            return True
        name = ""
        if self._reader is not None:
            fresh, self._read = early[self._read :], len(early)
            found = _nameIn(self._reader, fresh)
            if found is None:
                return False
            self._reader = None
            name = found
        if self._owner.excepts(name):
            self._tunnel()
        else:
            self._serve(prelude)
        return True

    def _tunnel(self) -> None:
        """Have nothing to do with it."""
        self._prelude = None
        self._owner.forget(self)
        exchange = self._exchange
        assert exchange is not None
        exchange.downstream.pauseRequest("no tunnel yet")
        exchange.front.engine.proceed(exchange)

    def _serve(self, prelude: Prelude) -> None:
        """Speak for the server."""
        exchange = self._exchange
        assert exchange is not None
        owner = self._owner
        listener = Listener(owner.inside(exchange), owner.sweeper)
        listener.draining = owner.draining
        listener.handshakes = self  # type: ignore[assignment]
        listener.closing = self._ended
        self._inner = inner = DownstreamConnection(listener)
        inner.peerHost = exchange.peerHost
        certificate = exchange.clientCertificate
        if certificate is not None:
            inner.introduction = Introduced(certificate)
        # The connection inside is one, from here on.
        prelude.unregister()
        self._wrapper = wrapper = _Beneath(owner.wrapping, inner)
        wrapper.policy = self
        wrapper.makeConnection(prelude.transport)  # type: ignore[no-untyped-call]

    def drain(self) -> None:
        """End it as soon as there is nothing under way."""
        if self._inner is not None:
            self._inner.drain()
        elif self._prelude is not None:
            self._prelude.shut()

    def _gone(self, reason: Failure) -> None:
        """The client is."""
        prelude, self._prelude = self._prelude, None
        wrapper, self._wrapper = self._wrapper, None
        if wrapper is not None:
            wrapper.connectionLost(reason)
            return
        self._owner.forget(self)
        exchange, self._exchange = self._exchange, None
        assert exchange is not None
        if prelude is not None and prelude.expired:
            why = "it took too long"
            if not prelude.early:
                why = "it waits for the server to speak first; put the name into except"
            self._owner.complain(self._host, exchange.peerHost, why)
        exchange.front.engine.fail(exchange, ClientGone(str(reason.value)))

    def _ended(self) -> None:
        """The connection inside is closed, and its last exchange is over."""
        self._owner.forget(self)
        inner, self._inner = self._inner, None
        assert inner is not None
        # The layer of TLS has it as its producer for ever, and all would wait for the
        # garbage collector.
        inner.transport = None
        exchange, self._exchange = self._exchange, None
        assert exchange is not None
        exchange.front.engine.finish(exchange)

    # The context factory

    def serverConnectionForTLS(self, protocol: Any) -> Any:
        """See L{IOpenSSLServerConnectionCreator}."""
        return self.connectionOn(None)

    def connectionOn(self, socket: Any) -> Any:
        """
        See L{ITLSPolicy.connectionOn}.

        It has read what came before there was TLS, so it is never on a socket.
        """
        connection = SSL.Connection(self._owner.mint.contextFor(self._host), socket)
        connection.set_accept_state()
        prelude = self._prelude
        assert prelude is not None
        prelude.above = self._wrapper
        connection.bio_write(prelude.take())
        return connection

    # As Handshakes, for the connection inside

    def begin(self, connection: DownstreamConnection) -> None:
        """See L{Handshakes.begin}."""
        self._owner.handshakes.begin(connection)

    def ended(self, connection: DownstreamConnection) -> None:
        """See L{Handshakes.ended}."""
        self._owner.handshakes.ended(connection)

    def failed(self, connection: DownstreamConnection, reason: Failure, why: str) -> None:
        """See L{Handshakes.failed}."""
        self._owner.handshakes.ended(connection)
        if not why:
            error = reason.value
            why = ", ".join(reasonsOf(error)) if isinstance(error, SSL.Error) else ""
            why = why or "it hung up in the handshake"
        exchange = self._exchange
        assert exchange is not None
        exchange.error = ClientGone(f"no TLS with it: {why}")
        exchange.outcome = ClientGone.token
        self._owner.complain(self._host, exchange.peerHost, why)

    def __repr__(self) -> str:
        return f"<Intercepted {self._host} {self._inner!r}>"


def _nameIn(reader: HelloReader, fresh: bytes) -> str | None:
    """
    Read on what a client says first.

    @return: the name that it asks for, empty if it asks for none or says nothing that
        could be read; None if there is more to come.
    """
    try:
        hello = reader.feed(fresh)
    except HelloError:
        # OpenSSL says what is wrong.
        return ""
    return None if hello is None else hello.name


__all__ = ["QUIET_SECONDS", "Intercepted", "Interception"]
