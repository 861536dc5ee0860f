# -*- test-case-name: tests.net.test_handshakes -*-
"""
The TLS handshakes of a front's clients: so many at once, and each in its time.

A client that has not shaken hands costs as much memory as one that is served, and more
time.  Who is over the number waits, without TLS and unread, for one of them to end; the
time is counted from the beginning for all.  Connections that are through it are not
touched by any of this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from OpenSSL.SSL import Error
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory

from .tlsproblems import reasonsOf

if TYPE_CHECKING:
    from twisted.python.failure import Failure

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
    ) -> None:
        """
        @param front: its name, for the log.
        @param policy: an L{ITLSPolicy<intermediary.interfaces.ITLSPolicy>} for servers.
        @param limit: how many at once.
        @param clock: an C{IReactorTime}.
        """
        self._front = front
        self.policy = policy
        self.seconds = seconds
        self._limit = limit
        self._clock = clock
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
        try:
            connection.transport = speakTLS(
                connection.transport, self.policy, connection, self._clock
            )
        except Exception:  # noqa: BLE001 - it ends this one only
            self._log.failure("{front}: no TLS with a client", front=self._front)
            connection.abort()

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

    def failed(self, connection: DownstreamConnection, reason: Failure, why: str) -> None:
        """
        A connection ended before its handshake did.

        @param why: why it was us who ended it; empty if it was not.
        """
        self.ended(connection)
        if not why:
            error = reason.value
            if not isinstance(error, Error):
                # It only looked whether somebody listens, or changed its mind.
                return
            why = _worded(error)
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


def speakTLS(transport: Any, policy: Any, protocol: Any, clock: Any) -> Any:
    """
    Put TLS between a transport and its protocol, as the server.

    @return: what the protocol's transport is from now on.
    @raise Exception: that is not possible; the transport is what it was.
    """
    if not isinstance(transport, ProtocolWrapper):
        try:
            transport.startTLS(policy, True)
        except BaseException:
            # Twisted's would go on with a layer that is not complete.
            transport.protocol = protocol
            transport.TLS = False
            raise
        return transport
    # A wrapper, such as the one that takes a balancer's word for who the client is:
    # what it hands on is TLS, so that goes above it and not below.
    factory: Any = TLSMemoryBIOFactory(policy, False, None, clock)  # type: ignore[arg-type]
    above = BufferingTLSTransport(factory, protocol, False)
    above.makeConnection(transport)
    transport.wrappedProtocol = above
    return above


def _worded(error: Error) -> str:
    """Say what OpenSSL did not like."""
    reasons = reasonsOf(error)
    if "http request" in reasons:
        return "it speaks HTTP without TLS"
    return ", ".join(reasons) or "it hung up"


__all__ = ["QUIET_SECONDS", "Handshakes", "speakTLS"]
