# -*- test-case-name: tests.net.test_pool -*-
"""
The connections to origins, and who may use them.

One L{Bucket<intermediary.net.bucket.Bucket>} for each origin, forgotten when it
is empty.  The connection that was used last is used next, so that those that are
not needed grow old and go.  Nothing in here waits without a limit: connections
are capped for each origin and in all, exchanges queue up to a number and up to
a time.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, ClassVar, cast

from twisted.internet.defer import CancelledError, fail
from twisted.internet.interfaces import IProtocolFactory
from twisted.python.failure import Failure
from zope.interface import classImplements

from ..errors import ConnectionLimitReached, ConnectionTerminated
from ..interfaces import IPool
from .bucket import Bucket, Waiter
from .splice import PipePool
from .sweep import NEVER
from .upstream import UpstreamConnection

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IReactorTime

    from ..errors import IntermediaryError
    from ..exchange import Exchange
    from ..interfaces import IConnector, ILease, Origin
    from ..settings import Limits, PoolSettings
    from .sweep import Sweeper


class _Building:
    """The factory of one attempt: makes the connection that the pool lends."""

    __slots__ = ("_bucket", "_pool")

    #: See L{IConnector.connect<intermediary.interfaces.IConnector.connect>}.
    ignoresAddress: ClassVar[bool] = True

    def __init__(self, pool: Pool, bucket: Bucket) -> None:
        self._pool = pool
        self._bucket = bucket

    def buildProtocol(self, address: object) -> UpstreamConnection:
        """Make the connection."""
        return UpstreamConnection(self._pool, self._bucket, self._pool.limits)

    def doStart(self) -> None:
        """A connector begins."""

    def doStop(self) -> None:
        """A connector is through."""


# Not as a decorator, which would keep the class from being compiled well.
classImplements(_Building, IProtocolFactory)


class Pool:
    """
    Lends connections; any number of fronts and engines may share it.

    @ivar opened: connections ever opened.
    @ivar reusedCount: leases that needed no new connection.
    @ivar failedCount: attempts that came to nothing.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        settings: PoolSettings,
        connector: IConnector,
        sweeper: Sweeper,
        limits: Limits,
    ) -> None:
        self.seconds = reactor.seconds
        self.settings = settings
        self.connector = connector
        self.sweeper = sweeper
        self.limits = limits
        #: For octets that need not come into this process.
        self.pipes = PipePool()
        self.buckets: dict[Origin, Bucket] = {}
        #: All idle connections, the longest idle first.
        self._idle: dict[UpstreamConnection, None] = {}
        #: Whose queue waits for a place in the whole pool; they take turns.
        self._wanting: OrderedDict[Bucket, None] = OrderedDict()
        self._assigning = False
        self._size = 0
        self.closed = False
        #: When the first of the idle connections is to go.
        self.deadline = NEVER
        self.opened = 0
        self.reusedCount = 0
        self.failedCount = 0

    # Borrowing

    def acquire(
        self,
        exchange: Exchange,
        ready: Callable[[Exchange, ILease], None],
        failed: Callable[[Exchange, IntermediaryError], None],
    ) -> ILease | None:
        """
        See L{IPool.acquire}.

        A second attempt gets no connection from the idle ones: the first found
        one of them dead, and the others may be too.  One that comes back while
        it waits has just served, and is as good as new.
        """
        origin = exchange.origin
        assert origin is not None
        bucket = self.buckets.get(origin)
        if bucket is None:
            bucket = self.buckets[origin] = Bucket(origin)
        elif bucket.idle and exchange.attempts < 2:
            connection = bucket.idle.pop()
            del self._idle[connection]
            bucket.leased += 1
            self.reusedCount += 1
            connection.lend(exchange)
            return connection
        settings = self.settings
        queue = len(bucket.queued)
        if queue >= settings.waiters and not bucket.hasSpare and not self._hasRoom(bucket):
            self._tidy(bucket)
            raise ConnectionLimitReached(f"{queue} already wait for {origin}")
        waiter = Waiter(
            self, bucket, exchange, ready, failed, self.seconds() + settings.waitSeconds
        )
        exchange.waiting = waiter
        bucket.queued[waiter] = None
        self.sweeper.watch(waiter)
        bucket.pair()
        self._assign(bucket)
        return None

    def leave(self, waiter: Waiter) -> None:
        """Take out who waits no more; an attempt goes on only if another can use it."""
        bucket = waiter.bucket
        self.sweeper.forget(waiter)
        if waiter in bucket.connecting:
            del bucket.connecting[waiter]
            bucket.pair()
            if bucket.hasSpare:
                next(reversed(bucket.attempts)).cancel()
        else:
            bucket.queued.pop(waiter, None)
        self._tidy(bucket)

    def _hasRoom(self, bucket: Bucket) -> bool:
        """Whether the limits allow another connection, in place of an idle one maybe."""
        if bucket.size >= self.settings.perOrigin:
            return bool(bucket.idle)
        return self._size < self.settings.total or bool(self._idle)

    def _assign(self, bucket: Bucket) -> None:
        """
        Open connections for those who queue, as far as the limits allow.

        Origins take turns.  A connection that stands or fails at once leads
        here again; all is done by the outermost call, so that the stack does
        not grow with the queue.
        """
        wanting = self._wanting
        if bucket.queued:
            wanting[bucket] = None
        if self._assigning:
            return
        self._assigning = True
        try:
            while wanting:
                bucket = next(iter(wanting))
                if not bucket.queued:
                    del wanting[bucket]
                elif self._hasRoom(bucket):
                    wanting.move_to_end(bucket)
                    if bucket.size >= self.settings.perOrigin:
                        self._evict(bucket.idle[0])
                    elif self._size >= self.settings.total:
                        self._evict(next(iter(self._idle)))
                    self._open(bucket)
                elif bucket.size >= self.settings.perOrigin:
                    # It comes back here when one of its own is gone.
                    del wanting[bucket]
                else:
                    break
        finally:
            self._assigning = False

    def _open(self, bucket: Bucket) -> None:
        """Begin an attempt for the first who queues."""
        waiter = next(iter(bucket.queued))
        self._size += 1
        try:
            attempt = self.connector.connect(
                bucket.origin,
                _Building(self, bucket),
                waiter.exchange.front.timeouts.connectSeconds,
            )
        except Exception:  # noqa: BLE001 - an application's connector
            attempt = fail(Failure())
        bucket.attempts[attempt] = None
        bucket.pair()
        attempt.addCallbacks(
            self._connected,
            self._refused,
            callbackArgs=(bucket, attempt),
            errbackArgs=(bucket, attempt),
        )

    def _connected(
        self, connection: UpstreamConnection, bucket: Bucket, attempt: Deferred[Any]
    ) -> None:
        if not connection.connected:
            # Not for the next who waits to try again: it may be so each time.
            gone = ConnectionTerminated("the connection was closed as soon as it stood")
            self._refused(Failure(gone), bucket, attempt)
            return
        del bucket.attempts[attempt]
        bucket.leased += 1
        connection.counted = True
        self.opened += 1
        self._offer(connection)

    def _refused(self, failure: Failure, bucket: Bucket, attempt: Deferred[Any]) -> None:
        del bucket.attempts[attempt]
        self._size -= 1
        if not failure.check(CancelledError):
            self.failedCount += 1
        if len(bucket.connecting) > len(bucket.attempts):
            waiter = bucket.dequeue()
            self.sweeper.forget(waiter)
            waiter.exchange.waiting = None
            waiter.failed(waiter.exchange, cast("IntermediaryError", failure.value))
        self._freed(bucket)

    # Returning

    def returned(self, connection: UpstreamConnection) -> None:
        """A connection is free again, and fit for use."""
        if (
            self.closed
            or self.sweeper.horizon - connection.opened > self.settings.ageSeconds
            or (self._wanting and self._yields(connection.bucket))
        ):
            connection.close()
        else:
            self._offer(connection)

    def _yields(self, bucket: Bucket) -> bool:
        """
        Whether a connection that comes back makes place for another origin.

        Who waits for the same origin goes first, as that costs no connection,
        but not once another has waited half of its time for a place.
        """
        first = next(iter(self._wanting))
        if first is bucket or not first.queued:
            return False
        left = next(iter(first.queued)).deadline - self.seconds()
        return left < self.settings.waitSeconds / 2

    def _offer(self, connection: UpstreamConnection) -> None:
        """Give a leased but unused connection to who waits longest, or keep it."""
        bucket = connection.bucket
        if bucket.connecting or bucket.queued:
            waiter = bucket.dequeue()
            self.sweeper.forget(waiter)
            waiter.exchange.waiting = None
            if connection.reused:
                self.reusedCount += 1
            connection.lend(waiter.exchange)
            waiter.ready(waiter.exchange, connection)
            return
        if self.closed:
            connection.close()
            return
        bucket.leased -= 1
        connection.released = self.sweeper.horizon
        bucket.idle.append(connection)
        self._idle[connection] = None
        # As a rule there is an earlier one, so that it need not be worked out.
        if (
            self.deadline > connection.released + self.settings.idleSeconds
            or self.deadline > connection.opened + self.settings.ageSeconds
        ):
            if self.deadline == NEVER:
                self.sweeper.watch(self)
            self.deadline = self._endOf(connection)
        if self._wanting:
            self._assign(bucket)

    def lost(self, connection: UpstreamConnection) -> None:
        """A connection is gone or going: it counts no more.  Again is harmless."""
        if connection.counted:
            self._discount(connection)
            self._freed(connection.bucket)

    def _discount(self, connection: UpstreamConnection) -> None:
        bucket = connection.bucket
        connection.counted = False
        if connection in self._idle:
            del self._idle[connection]
            bucket.idle.remove(connection)
        else:
            bucket.leased -= 1
        self._size -= 1

    def _evict(self, connection: UpstreamConnection) -> None:
        """Close an idle connection in favour of who is served next."""
        self._discount(connection)
        connection.close()
        self._tidy(connection.bucket)

    def _freed(self, bucket: Bucket) -> None:
        """A place is free: it is for whose turn it is."""
        self._assign(bucket)
        self._tidy(bucket)

    def _tidy(self, bucket: Bucket) -> None:
        if not bucket.queued:
            self._wanting.pop(bucket, None)
            # An exchange that failed may have made another bucket meanwhile.
            if not bucket.size and not bucket.connecting:
                if self.buckets.get(bucket.origin) is bucket:
                    del self.buckets[bucket.origin]

    # Time and ends

    def _endOf(self, connection: UpstreamConnection) -> float:
        """When an idle connection is to go."""
        settings = self.settings
        return min(
            connection.released + settings.idleSeconds, connection.opened + settings.ageSeconds
        )

    def expire(self, now: float) -> None:
        """Close what was idle for too long, or is too old."""
        for connection in list(self._idle):
            if self._endOf(connection) <= now:
                connection.close()
        self.deadline = min(map(self._endOf, self._idle), default=NEVER)
        if self.deadline == NEVER:
            self.sweeper.forget(self)

    def close(self) -> None:
        """Drop every idle connection; those in use go when they are released."""
        self.closed = True
        for bucket in list(self.buckets.values()):
            for attempt in list(bucket.attempts)[len(bucket.connecting) :]:
                attempt.cancel()
        while self._idle:
            # From the end, where a dict finds one at once.
            next(reversed(self._idle)).close()
        self.deadline = NEVER
        self.sweeper.forget(self)
        self.pipes.close()

    def __repr__(self) -> str:
        inner = "".join(f" {bucket!r}" for bucket in self.buckets.values())
        return f"<Pool size={self._size}{inner}>"


classImplements(Pool, IPool)
