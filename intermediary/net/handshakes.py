# -*- test-case-name: tests.net.test_handshakes -*-
"""
The TLS handshakes of a front's clients: so many at once, and each in its time.

A client that has not shaken hands costs as much memory as one that is served, and more
time.  Who is over the number waits, without TLS and unread, for one of them to end; the
time is counted from the beginning for all.  Connections that are through it are not
touched by any of this.

Each begins with an L{Opening}: TLS is set up for clients that speak it, and where some
are passed through, for those that are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from OpenSSL.SSL import Error
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory

from ..errors import PlainRequest
from ..wire.clienthello import HelloError, encodeAlert
from .introduction import NOTHING_SHOWN, Introduction
from .opening import Opening
from .passing import passThrough
from .tlsproblems import reasonsOf

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.python.failure import Failure

    from ..program import Program
    from ..wire.clienthello import ClientHello
    from .downstream import DownstreamConnection

#: Between two lines of the log about handshakes that failed.
QUIET_SECONDS = 1.0


class Handshakes:
    """
    Those of one front.

    @ivar policy: how TLS is spoken.
    @ivar seconds: how long one may take.
    """

    _log = Logger()

    def __init__(
        self,
        front: str,
        policy: Any,
        seconds: float,
        limit: int,
        clock: Any,
        passages: Callable[[ClientHello], Program | None] | None = None,
        introduces: bool = False,
    ) -> None:
        """
        @param front: its name, for the log.
        @param policy: an L{ITLSPolicy<intermediary.interfaces.ITLSPolicy>} for servers;
            None where all clients are passed through.
        @param limit: how many at once.
        @param clock: an C{IReactorTime}.
        @param passages: chooses the program of a client that is passed through, None for
            one that is not; raises L{HelloError} to refuse it.  None to pass nobody
            through.
        @param introduces: clients are asked for certificates: see L{Introduction}.
        """
        self._front = front
        self.policy = policy
        self.seconds = seconds
        self._limit = limit
        self._clock = clock
        self._passages = passages
        self._introduces = introduces
        self._under: set[DownstreamConnection] = set()
        #: In the order in which they came.
        self._waiting: dict[DownstreamConnection, None] = {}
        self._quietUntil = 0.0
        self._unsaid = 0

    def begin(self, connection: DownstreamConnection) -> None:
        """
        A client is connected: shake hands with it, or have it wait.

        Its C{handshakeCompleted} is called at the end of a handshake that succeeds; it
        calls L{ended} or L{failed} in any case.
        """
        if len(self._under) >= self._limit:
            self._waiting[connection] = None
            connection.transport.pauseProducing()
        else:
            self._start(connection)

    def _start(self, connection: DownstreamConnection) -> None:
        self._under.add(connection)
        Opening(connection, self, self._passages is not None).begin()

    # What an opening turns out to be

    def secure(self, opening: Opening) -> None:
        """It is TLS with us."""
        connection = opening.connection
        assert connection is not None
        octets = opening.leave()
        try:
            policy = self.policy
            if self._introduces:
                policy = connection.introduction = Introduction(policy)
            connection.transport = speakTLS(
                connection.transport, policy, connection, self._clock, bool(octets)
            )
            if octets:
                connection.transport.dataReceived(octets)
        except Exception:  # noqa: BLE001 - it ends this one only
            self._log.failure("{front}: no TLS with a client", front=self._front)
            connection.abort()

    def choose(self, opening: Opening, hello: ClientHello) -> None:
        """It is TLS with us or with somebody else, by what it says."""
        assert self._passages is not None
        try:
            program = self._passages(hello)
        except HelloError as error:
            self.refuse(opening, error)
        else:
            if program is None:
                self.secure(opening)
            else:
                passThrough(opening, hello.name, program)

    def plain(self, opening: Opening) -> None:
        """It is a request without TLS, and is answered so."""
        connection = opening.connection
        assert connection is not None
        opening.leave()
        exchange = connection.beginUnsecured()
        self._say(connection, "it speaks HTTP without TLS")
        exchange.front.engine.fail(exchange, PlainRequest("it came without TLS"))

    def refuse(self, opening: Opening, error: HelloError) -> None:
        """It is nothing that could be TLS, or TLS that is for nobody."""
        connection = opening.connection
        assert connection is not None
        opening.leave()
        connection.turnAway(encodeAlert(error.alert))
        self._say(connection, str(error))

    def ended(self, connection: DownstreamConnection) -> None:
        """A handshake is over, or the connection is; may be said again."""
        if connection in self._under:
            self._under.discard(connection)
            while self._waiting and len(self._under) < self._limit:
                following = next(iter(self._waiting))
                del self._waiting[following]
                self._start(following)
                following.transport.resumeProducing()
        else:
            self._waiting.pop(connection, None)
        if connection.introduction is not None:
            connection.introduction.ended()

    def failed(self, connection: DownstreamConnection, reason: Failure | None, why: str) -> None:
        """
        A connection ended before its handshake did.

        @param why: why it was us who ended it; empty if it was not, which needs a reason.
        """
        self.ended(connection)
        if not why and connection.introduction is not None:
            why = connection.introduction.problem
        if not why:
            error = None if reason is None else reason.value
            if not isinstance(error, Error):
                # It only looked whether somebody listens, or changed its mind.
                return
            why = _worded(error)
        self._say(connection, why)

    def _say(self, connection: DownstreamConnection, why: str) -> None:
        """Write why there was no handshake, if not too much was written just before."""
        now = self._clock.seconds()
        if now < self._quietUntil:
            self._unsaid += 1
            return
        more, self._unsaid = self._unsaid, 0
        self._quietUntil = now + QUIET_SECONDS
        self._log.info(
            "{front}: no TLS handshake with {peer}: {why}{more}",
            front=self._front,
            peer=connection.peerHost,
            why=why,
            more=f" (and {more} others before)" if more else "",
        )

    def __repr__(self) -> str:
        return f"<Handshakes {self._front} {len(self._under)} waiting={len(self._waiting)}>"


def speakTLS(transport: Any, policy: Any, protocol: Any, clock: Any, above: bool = False) -> Any:
    """
    Put TLS between a transport and its protocol, as the server.

    @param above: whether it is to be a layer above the transport, which can be handed
        octets that were read already.
    @return: what the protocol's transport is from now on.
    @raise Exception: that is not possible; the transport is what it was.
    """
    wrapped = isinstance(transport, ProtocolWrapper)
    if not wrapped and not above:
        try:
            transport.startTLS(policy, True)
        except BaseException:
            # Twisted's would go on with a layer that is not complete.
            transport.protocol = protocol
            transport.TLS = False
            raise
        return transport
    # With a wrapper, such as the one that takes a balancer's word for who the client is,
    # it can't be below: what that hands on is TLS.
    factory: Any = TLSMemoryBIOFactory(policy, False, None, clock)  # type: ignore[arg-type]
    layer = BufferingTLSTransport(factory, protocol, False)
    layer.makeConnection(transport)
    if wrapped:
        transport.wrappedProtocol = layer
    else:
        transport.protocol = layer
    return layer


def _worded(error: Error) -> str:
    """Say what OpenSSL did not like."""
    reasons = reasonsOf(error)
    if "peer did not return a certificate" in reasons:
        return NOTHING_SHOWN
    return ", ".join(reasons) or "it hung up"


__all__ = ["QUIET_SECONDS", "Handshakes", "speakTLS"]
