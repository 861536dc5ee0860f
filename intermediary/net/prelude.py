# -*- test-case-name: tests.net.test_interception -*-
"""
The client's side of a C{CONNECT} that was answered before anything was dialled.

What the client says first decides what becomes of it: a tunnel after all, or a
connection that is spoken with here, by whatever is put L{above<Prelude.above>} it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .sweep import NEVER
from .tunnel import TunnelEnd

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.python.failure import Failure

    from .sweep import Sweeper


class Prelude(TunnelEnd):
    """
    To it the client's connection delegates, as to the end of a tunnel.

    It has a deadline for what the client says first, from L{wait} on.

    @ivar early: what came and nobody has taken.
    @ivar above: what has C{dataReceived} for all that comes; None as long as there is
        none, and octets are early.
    @ivar heard: whether enough has come to decide.
    @ivar expired: whether it has not come in time.
    @ivar deadline: when to call L{expire}.
    """

    __slots__ = ("_gone", "_sweeper", "_tell", "above", "deadline", "early", "expired", "heard")

    def __init__(
        self,
        transport: Any,
        sweeper: Sweeper,
        tell: Callable[[], bool],
        gone: Callable[[Failure], None],
    ) -> None:
        """
        @param transport: the client's.
        @param tell: called when there is more in C{early}; returns whether it is enough.
        @param gone: called when the transport is lost, unless that is somebody else's
            matter by then: see L{leave}.
        """
        super().__init__(None, transport)
        self._sweeper = sweeper
        self._tell: Callable[[], bool] | None = tell
        self._gone: Callable[[Failure], None] | None = gone
        self.early = b""
        self.above: Any = None
        self.heard = False
        self.expired = False
        self.deadline = NEVER

    def wait(self, seconds: float) -> None:
        """Wait for the client to speak."""
        self._sweeper.watch(self)
        self.deadline = self._sweeper.horizon + seconds

    def expire(self, now: float) -> None:
        """Not enough has come: nobody knows what the client wants."""
        self._settle()
        self.expired = True
        self.transport.abortConnection()

    def _settle(self) -> None:
        self.deadline = NEVER
        self._sweeper.forget(self)

    def take(self) -> bytes:
        """Give what came early, to who will be given the rest."""
        early, self.early = self.early, b""
        return early

    def leave(self) -> bytes:
        """
        Have nothing to do with the connection any more: a tunnel takes it.

        @return: what came early.
        """
        self._tell = self._gone = None
        return self.take()

    def shut(self) -> None:
        """Close, if the client has not said enough yet."""
        if not self.heard and not self.lost:
            self._settle()
            self.unregister()
            self.transport.loseConnection()

    # For the connection

    def dataReceived(self, data: bytes) -> None:
        """Octets of the client."""
        if self.above is not None:
            self.above.dataReceived(data)
            return
        # Nothing more is read meanwhile but what was on its way already.
        self.early += data
        if not self.heard and self._tell is not None and self._tell():
            self.heard = True
            self._tell = None
            self._settle()

    def readConnectionLost(self) -> None:
        """The client sends no more: whatever is spoken here, it is gone."""
        if not self.lost and not self.transport.disconnecting:
            self.transport.abortConnection()

    def writeConnectionLost(self) -> None:
        """Our side is closed."""

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone."""
        if self.lost:
            return
        self.lost = True
        self._settle()
        # They know each other.
        self.transport = self.above = None
        gone, self._gone = self._gone, None
        self._tell = None
        if gone is not None:
            gone(reason)

    def pauseProducing(self) -> None:
        """The client does not take what was written; nobody writes yet."""

    def resumeProducing(self) -> None:
        """It has."""

    def abort(self) -> None:
        """End the connection now."""
        if not self.lost:
            self.transport.abortConnection()


__all__ = ["Prelude"]
