# -*- test-case-name: tests.net.test_pool -*-
"""
The connections to one origin, and who waits for one.

The pool (L{intermediary.net.pool}) decides what is opened and what is closed;
here is whose turn it is.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from ..errors import ConnectionLimitReached, IntermediaryError
from .sweep import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred

    from ..exchange import Exchange
    from ..interfaces import ILease, Origin
    from .pool import Pool
    from .upstream import UpstreamConnection


class Waiter:
    """An exchange that waits for a connection; cancelled, it waits no more."""

    __slots__ = ("bucket", "deadline", "exchange", "failed", "pool", "ready")

    def __init__(
        self,
        pool: Pool,
        bucket: Bucket,
        exchange: Exchange,
        ready: Callable[[Exchange, ILease], None],
        failed: Callable[[Exchange, IntermediaryError], None],
        deadline: float,
    ) -> None:
        self.pool = pool
        self.bucket = bucket
        self.exchange = exchange
        self.ready = ready
        self.failed = failed
        self.deadline = deadline

    def cancel(self) -> None:
        """Leave the queue; an attempt goes on only if another can use it."""
        self.pool.leave(self)

    def expire(self, now: float) -> None:
        """The wait is over without a connection."""
        self.pool.leave(self)
        self.exchange.waiting = None
        self.failed(self.exchange, ConnectionLimitReached("no connection became free in time"))


class Bucket:
    """
    The connections to one origin, and who waits for one.

    An attempt to connect belongs to nobody: who waits longest gets the first
    connection, or hears of the first failure.

    @ivar idle: those nobody uses, the freshest last.
    @ivar leased: the number of those in use.
    @ivar attempts: those that are being opened, the latest last.
    @ivar connecting: who waits for the attempts: at most as many as there are.
    @ivar queued: who waits behind them, for a connection that comes back or may
        be opened: nobody, as long as there are attempts that nobody waits for.
    """

    __slots__ = ("attempts", "connecting", "idle", "leased", "origin", "queued")

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.idle: list[UpstreamConnection] = []
        self.leased = 0
        self.attempts: dict[Deferred[Any], None] = {}
        self.connecting: OrderedDict[Waiter, None] = OrderedDict()
        self.queued: OrderedDict[Waiter, None] = OrderedDict()

    @property
    def size(self) -> int:
        """How many connections count against the limits."""
        return len(self.idle) + self.leased + len(self.attempts)

    @property
    def waiting(self) -> int:
        """How many exchanges wait."""
        return len(self.connecting) + len(self.queued)

    @property
    def hasSpare(self) -> bool:
        """Whether there is an attempt that nobody waits for."""
        return len(self.attempts) > len(self.connecting)

    def pair(self) -> None:
        """Let those who queue wait for attempts that nobody waits for."""
        while self.queued and self.hasSpare:
            waiter, _ = self.queued.popitem(last=False)
            # The connector has a deadline of its own.
            waiter.deadline = NEVER
            self.connecting[waiter] = None

    def dequeue(self) -> Waiter:
        """Take out who waits longest; somebody must."""
        line = self.connecting or self.queued
        waiter, _ = line.popitem(last=False)
        self.pair()
        return waiter

    def __repr__(self) -> str:
        return (
            f"<{self.origin} idle={len(self.idle)} leased={self.leased}"
            f" connecting={len(self.attempts)} waiting={self.waiting}>"
        )
