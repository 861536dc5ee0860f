# -*- test-case-name: tests.net.test_closing -*-
"""
The end of a client's connection, from its last reply on.

What was written has its time to leave.  Where the client may still be sending,
only our side is closed then and the connection is read on for a while: a close
with octets unread is a reset, which may cost the client the reply
(RFC 9112 §9.6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .sweep import NEVER

if TYPE_CHECKING:
    from .sweep import Sweeper

#: How long a closing connection is read on, so that the peer can take the last
#: reply before it is reset: in all, and without an octet of it.
LINGER_SECONDS = 30.0
LINGER_SILENCE_SECONDS = 5.0

#: How much of it: the content of a request that was answered before its end, which
#: an honest client goes on sending, and anything else.
LINGER_CONTENT_OCTETS = 256 << 20
LINGER_OCTETS = 1 << 20


class Closing:
    """
    What a connection has become that is not for requests any more.

    It has the last word on the transport; the connection hands on what it hears
    of it.

    @ivar deadline: when to call L{expire}; each of the methods may move it.
    """

    __slots__ = ("_end", "_octets", "_queued", "_seconds", "_sweeper", "_transport", "deadline")

    def __init__(
        self, transport: Any, sweeper: Sweeper, takeSeconds: float, limitOctets: int
    ) -> None:
        """
        Let the transport go on without a producer.

        @param takeSeconds: how long the peer may take nothing of what was
            written.
        @param limitOctets: how much is read on.
        """
        self._transport = transport
        self._sweeper = sweeper
        self._seconds = takeSeconds
        self._octets = limitOctets
        #: When the connection is not read on any more; 0 before our side is closed.
        self._end = 0.0
        self._queued = queuedIn(transport)
        self.deadline = sweeper.horizon + takeSeconds
        transport.unregisterProducer()

    def shut(self) -> None:
        """Close it both ways when all has left."""
        self._transport.loseConnection()

    def linger(self) -> None:
        """Close our side when all has left, and read on."""
        self._transport.loseWriteConnection()

    def writeConnectionLost(self) -> None:
        """All has left, and our side is closed."""
        self._end = self._sweeper.horizon + LINGER_SECONDS
        self.deadline = self._sweeper.horizon + LINGER_SILENCE_SECONDS

    def received(self, octets: int) -> None:
        """The client goes on sending: that is dropped."""
        self._octets -= octets
        if self._octets < 0:
            self._transport.abortConnection()
        elif self._end:
            silence = self._sweeper.horizon + LINGER_SILENCE_SECONDS
            self.deadline = min(silence, self._end)

    def expire(self) -> None:
        """Wait on for a client that takes something, and drop one that doesn't."""
        queued, before = queuedIn(self._transport), self._queued
        self._queued = queued
        if queued > 0 and queued != before:
            self.deadline = self._sweeper.horizon + self._seconds
        else:
            self.deadline = NEVER
            self._transport.abortConnection()


def queuedIn(transport: Any) -> int:
    """Count the octets that the client has not taken; 0 where the transport can't tell."""
    unsent = getattr(transport, "unsentOctets", None)
    return 0 if unsent is None else int(unsent())


__all__ = ["LINGER_CONTENT_OCTETS", "LINGER_OCTETS", "Closing", "queuedIn"]
