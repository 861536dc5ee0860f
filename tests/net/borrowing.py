# -*- test-case-name: tests.net.test_pool -*-
"""
Borrowers of connections, for the tests of the pool.

A L{Borrower} is an exchange, and the engine that drives it, as far as a
connection and the pool see them.  The connections are real, on transports in
memory; the connector does what the test says.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from zope.interface import implementer

from intermediary.errors import ConnectionRefused, IntermediaryError
from intermediary.interfaces import IConnector, Origin
from intermediary.net.pool import Pool
from intermediary.net.sweep import Sweeper
from intermediary.settings import Limits, PoolSettings, Timeouts

from ..scenario import MemoryTransport


def origin(name: str) -> Origin:
    """Make an origin of a name."""
    return Origin("http", f"{name}.example", 80)


class Borrower:
    """
    An exchange as the pool sees it, which notes what becomes of it.

    @ivar lease: the connection it has.
    @ivar errors: what it was told has failed.
    """

    requestEnded = True
    requestTaken = False
    response: Any = None

    def __init__(self, bank: Bank, name: str = "a", attempts: int = 1) -> None:
        self.bank = bank
        self.origin = origin(name)
        self.attempts = attempts
        self.waiting: Any = None
        self.lease: Any = None
        self.errors: list[IntermediaryError] = []
        # One object is everything that a connection talks to.
        self.front: Any = self
        self.engine: Any = self
        self.sink: Any = self
        self.downstream: Any = self
        self.timeouts = Timeouts()

    def acquire(self) -> Borrower:
        """Borrow, now or later."""
        lease = self.bank.pool.acquire(
            self,  # type: ignore[arg-type]
            self.ready,  # type: ignore[arg-type]
            self.failed,  # type: ignore[arg-type]
        )
        if lease is not None:
            assert self.waiting is None
            self.lease = lease
        return self

    def ready(self, exchange: Borrower, lease: Any) -> None:
        """The pool has one."""
        assert exchange is self
        assert self.waiting is None, "still waiting"
        assert self.lease is None, "two connections"
        self.lease = lease
        self.bank.served.append(self)

    def failed(self, exchange: Borrower, error: IntermediaryError) -> None:
        """The pool gives up."""
        assert exchange is self
        assert self.waiting is None, "still waiting"
        assert self.lease is None, "it has a connection"
        self.errors.append(error)
        self.bank.served.append(self)

    def cancel(self) -> None:
        """Wait no more."""
        waiting, self.waiting = self.waiting, None
        waiting.cancel()

    def complete(self) -> None:
        """Have an exchange on the connection and give it back."""
        lease = self.lease
        lease.send(b"GET / HTTP/1.1\r\n\r\n", b"GET", True)
        lease.transport.arrive(b"HTTP/1.1 204 No Content\r\n\r\n")
        lease.openBody()
        self.giveUp()

    def giveUp(self) -> None:
        """Release the connection as it is."""
        lease, self.lease = self.lease, None
        lease.release()

    # What a connection calls

    def interim(self, exchange: Any, head: Any) -> None: ...

    def responded(self, exchange: Any, head: Any) -> None:
        self.response = head

    def fail(self, exchange: Any, error: IntermediaryError) -> None:
        self.errors.append(error)

    def write(self, piece: bytes) -> None: ...

    def flush(self) -> None: ...

    def end(self, trailers: Any) -> None:
        self.response = None


@implementer(IConnector)
class Dealer:
    """
    A connector that does what it is told.

    @ivar mode: "later" to wait for the test, or what is to happen at once:
        "connect", "dead", "refuse", or "raise".  "stubborn" is "later", and
        heeds no cancellation.
    @ivar attempts: those that wait for the test.
    @ivar connections: all that were ever made.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.mode = "later"
        self.attempts: list[Attempt] = []
        self.connections: list[Any] = []
        self.calls: list[tuple[Origin, float]] = []

    def connect(self, origin: Origin, factory: Any, timeoutSeconds: float) -> Deferred[Any]:
        self.calls.append((origin, timeoutSeconds))
        if self.mode == "raise":
            raise ValueError("a connector with a defect")
        if self.mode == "refuse":
            return fail(ConnectionRefused("at once"))
        if self.mode in ("connect", "dead"):
            protocol = self.build(factory)
            if self.mode == "dead":
                protocol.transport.lost(ConnectionDone())
            return succeed(protocol)
        return Attempt(self, origin, factory).deferred

    def build(self, factory: Any) -> Any:
        protocol = factory.buildProtocol(None)
        protocol.makeConnection(MemoryTransport(protocol, self.clock))
        self.connections.append(protocol)
        return protocol


class Attempt:
    """
    One attempt that waits for the test.

    @ivar cancelled: whether the pool has no use for it any more.
    """

    def __init__(self, dealer: Dealer, origin: Origin, factory: Any) -> None:
        self.dealer = dealer
        self.origin = origin
        self.factory = factory
        self.cancelled = False
        self.outcome: Deferred[Any] = Deferred(self._cancelled)
        self.deferred = self.outcome
        dealer.attempts.append(self)
        if dealer.mode == "stubborn":
            # Cancelled, it still takes the time that the test takes.
            self.outcome = Deferred()
            self.outcome.cancel = lambda: None  # type: ignore[method-assign]
            waiting: Deferred[Any] = Deferred()
            waiting.addErrback(lambda failure: self.outcome)
            self.deferred = succeed(None)
            self.deferred.addCallback(lambda _: waiting)

    def _cancelled(self, deferred: Deferred[Any]) -> None:
        self.cancelled = True
        self.dealer.attempts.remove(self)

    def succeeds(self, dead: bool = False) -> Any:
        """The connection stands, and maybe falls in the same moment."""
        self.dealer.attempts.remove(self)
        protocol = self.dealer.build(self.factory)
        if dead:
            protocol.transport.lost(ConnectionDone())
        self.outcome.callback(protocol)
        return protocol

    def fails(self, error: BaseException | None = None) -> None:
        """There will be no connection."""
        self.dealer.attempts.remove(self)
        self.outcome.errback(error or ConnectionRefused("refused"))


class Bank:
    """
    A pool with everything around it.

    @ivar served: who was told of a connection or of a failure, in order.
    """

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.dealer = Dealer(self.clock)
        self.sweeper = Sweeper(self.clock)
        self.pool = Pool(self.clock, PoolSettings(**settings), self.dealer, self.sweeper, Limits())
        self.served: list[Borrower] = []

    def borrower(self, name: str = "a", attempts: int = 1) -> Borrower:
        """Make one who borrows."""
        return Borrower(self, name, attempts).acquire()

    def leased(self, name: str = "a") -> Borrower:
        """Make one who has borrowed, on a new connection if there must be one."""
        borrower = self.borrower(name)
        if borrower.lease is None:
            self.dealer.attempts[-1].succeeds()
        return borrower

    def idle(self, name: str = "a", count: int = 1) -> list[Any]:
        """Leave connections idle, the first of these the longest."""
        borrowers = [self.leased(name) for _ in range(count)]
        connections = [borrower.lease for borrower in borrowers]
        for borrower in borrowers:
            borrower.complete()
        return connections

    def passes(self, seconds: float) -> None:
        """Let time go by, second by second."""
        while seconds > 0:
            self.clock.advance(min(1.0, seconds))
            seconds -= 1.0

    def settle(self) -> None:
        """Let what waits for the next turn of the reactor happen."""
        for _ in range(5):
            self.clock.advance(0)

    def counts(self, name: str = "a") -> tuple[int, int, int, int]:
        """How many are idle, leased, connecting and waiting, for one origin."""
        bucket = self.pool.buckets.get(origin(name))
        if bucket is None:
            return (0, 0, 0, 0)
        words = repr(bucket).rstrip(">").split(" ")[1:]
        return tuple(int(word.partition("=")[2]) for word in words)  # type: ignore[return-value]
