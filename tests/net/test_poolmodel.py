# -*- test-case-name: tests.net.test_poolmodel -*-
"""
The pool under any sequence of events, held against a simple model.

The model is the queue of each origin and the connections that each exchange
holds; everything else is said by invariants that hold after every event.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import ConnectionLimitReached, IntermediaryError

from .borrowing import Bank, Borrower, origin

NAMES = ("a", "b", "c")
WAIT = 4.0
IDLE = 6.0
AGE = 15.0

names = strategies.sampled_from(NAMES)
picks = strategies.integers(min_value=0, max_value=50)
#: Attempts wait for the test most of the time.
modes = strategies.sampled_from(("later", "connect", "refuse", "raise", "dead"))
outcomes = strategies.sampled_from(("stands", "stands", "stands", "fails", "dies"))


class Customer(Borrower):
    """A borrower who tells the model what happens to it, and may come again."""

    bank: Bank
    model: PoolMachine
    name = ""
    #: How often it borrows again at once when it has failed.
    patience = 0

    def ready(self, exchange: Any, lease: Any) -> None:
        """It is the first in its line."""
        super().ready(exchange, lease)
        self.model.served(self)
        self.model.lent(self)

    def failed(self, exchange: Any, error: IntermediaryError) -> None:
        """It has waited in vain."""
        super().failed(exchange, error)
        self.model.served(self, late=isinstance(error, ConnectionLimitReached))
        if self.patience:
            self.patience -= 1
            self.model.borrow(self)


class PoolMachine(RuleBasedStateMachine):
    """Events in any order."""

    bank: Bank

    @initialize(
        perOrigin=strategies.integers(1, 4),
        total=strategies.integers(1, 8),
        waiters=strategies.integers(0, 8),
    )
    def open(self, perOrigin: int, total: int, waiters: int) -> None:
        """Pools with hardly any room."""
        self.perOrigin, self.total, self.waiters = perOrigin, total, waiters
        self.bank = Bank(
            perOrigin=perOrigin,
            total=total,
            waiters=waiters,
            waitSeconds=WAIT,
            idleSeconds=IDLE,
            ageSeconds=AGE,
        )
        #: Who waits for each origin, in order.
        self.lines: dict[str, list[Customer]] = {name: [] for name in NAMES}
        self.holders: list[Customer] = []

    # The model

    def borrow(self, customer: Customer) -> None:
        """Come to the counter."""
        line = self.lines[customer.name]
        line.append(customer)
        try:
            customer.acquire()
        except ConnectionLimitReached:
            line.remove(customer)
            assert customer.waiting is None
            queued = len(self.bank.pool.buckets[origin(customer.name)].queued) if line else 0
            assert queued >= self.waiters, "refused though there was room to wait"
            return
        if customer in line and customer.waiting is None:
            # It got an idle connection at once, the freshest.
            assert customer.attempts == 1
            line.remove(customer)
            self.lent(customer)

    def served(self, customer: Customer, late: bool = False) -> None:
        """It waits no more."""
        line = self.lines[customer.name]
        if not late:
            assert line[0] is customer, "someone was passed over"
        line.remove(customer)

    def lent(self, customer: Customer) -> None:
        """It has a connection of its origin that nobody else has."""
        lease = customer.lease
        assert lease.connected
        assert lease.bucket.origin == customer.origin
        assert all(other.lease is not lease for other in self.holders)
        self.holders.append(customer)

    # Events

    @rule(
        crowd=strategies.lists(strategies.tuples(names, picks), min_size=1, max_size=4),
        again=strategies.booleans(),
    )
    def come(self, crowd: list[tuple[str, int]], again: bool) -> None:
        """Some exchanges begin, some of them for the second time."""
        for name, pick in crowd:
            customer = Customer(self.bank, name, 2 if pick % 3 == 2 else 1)
            customer.name = name
            customer.model = self
            customer.patience = int(again)
            self.borrow(customer)

    @rule(mode=modes, name=names)
    def comeAtOnce(self, mode: str, name: str) -> None:
        """One begins while attempts end as soon as they are made."""
        self.bank.dealer.mode = mode
        self.come([(name, 0)], True)
        self.bank.dealer.mode = "later"

    @precondition(lambda self: self.bank.dealer.attempts)
    @rule(ends=strategies.lists(strategies.tuples(picks, outcomes), min_size=1, max_size=4))
    def attemptsEnd(self, ends: list[tuple[int, str]]) -> None:
        """Some of the attempts are through."""
        for pick, outcome in ends:
            attempts = self.bank.dealer.attempts
            if attempts:
                attempt = attempts[pick % len(attempts)]
                if outcome == "fails":
                    attempt.fails()
                else:
                    attempt.succeeds(dead=outcome == "dies")

    @precondition(lambda self: any(self.lines.values()))
    @rule(pick=picks)
    def leaves(self, pick: int) -> None:
        """A client goes away while its exchange waits."""
        waiting = [each for line in self.lines.values() for each in line]
        customer = waiting[pick % len(waiting)]
        self.lines[customer.name].remove(customer)
        customer.cancel()

    def finish(self, pick: int, complete: bool) -> None:
        """An exchange ends, well or not."""
        customer = self.holders.pop(pick % len(self.holders))
        if complete and customer.lease.connected:
            customer.complete()
        else:
            customer.giveUp()

    @precondition(lambda self: self.holders)
    @rule(pick=picks, complete=strategies.booleans(), mode=modes)
    def finishes(self, pick: int, complete: bool, mode: str) -> None:
        """What one exchange makes place for may be through at once."""
        self.bank.dealer.mode = mode
        self.finish(pick, complete)
        self.bank.dealer.mode = "later"

    @precondition(lambda self: self.holders)
    @rule(some=strategies.lists(picks, min_size=1, max_size=4))
    def someFinish(self, some: list[int]) -> None:
        """Well, and their connections are kept or lent again."""
        for pick in some:
            if self.holders:
                self.finish(pick, True)

    @precondition(lambda self: self.holders)
    @rule(pick=picks, name=names)
    def oneComesAndOneFinishes(self, pick: int, name: str) -> None:
        """A connection comes back while another is being opened."""
        self.come([(name, 0)], False)
        self.finish(pick, True)

    @precondition(lambda self: self.bank.dealer.connections)
    @rule(pick=picks, reset=strategies.booleans())
    def originCloses(self, pick: int, reset: bool) -> None:
        """A connection is lost, in whatever state."""
        connections = self.bank.dealer.connections
        connection = connections[pick % len(connections)]
        connection.transport.lost(ConnectionLost() if reset else ConnectionDone())

    @precondition(lambda self: self.bank.dealer.connections)
    @rule(pick=picks)
    def originSpeaksUnasked(self, pick: int) -> None:
        """An idle connection says something."""
        connections = self.bank.dealer.connections
        connection = connections[pick % len(connections)]
        if connection.exchange is None and connection.connected:
            connection.transport.arrive(b"HTTP/1.1 408 Request Timeout\r\n\r\n")

    @rule(seconds=strategies.sampled_from((0.5, 1.0, 1.0, 3.0, 8.0)))
    def timePasses(self, seconds: float) -> None:
        """Deadlines come."""
        self.bank.passes(seconds)
        now = self.bank.clock.seconds()
        for connection in self.bank.pool._idle:
            assert now - connection.released < IDLE + 1
            assert now - connection.opened < AGE + 1

    # What always holds

    @invariant()
    def placesAreCounted(self) -> None:
        """The sum is the sum, below every cap, and the caps hold for what is really open."""
        pool = self.bank.pool
        assert pool._size == sum(bucket.size for bucket in pool.buckets.values())
        assert pool._size <= self.total
        assert len(pool._idle) == sum(len(bucket.idle) for bucket in pool.buckets.values())
        for key, bucket in pool.buckets.items():
            assert bucket.origin == key
            assert bucket.size + bucket.waiting > 0, "an empty bucket was not forgotten"
            assert bucket.size <= self.perOrigin
            assert bucket.leased >= 0
            assert all(each in pool._idle for each in bucket.idle)
            assert all(each.connected and each.exchange is None for each in bucket.idle)
        counted = [each for each in self.bank.dealer.connections if each.counted]
        assert all(each.connected for each in counted)
        assert all(pool.buckets.get(each.bucket.origin) is each.bucket for each in counted)
        assert len(counted) + len(self.bank.dealer.attempts) == pool._size
        for each in self.bank.dealer.connections:
            assert each.counted or not each.connected or each.transport.ending

    @invariant()
    def everybodyIsSomewhere(self) -> None:
        """Who waits is in the pool's lines, in order; who has a connection counts."""
        pool = self.bank.pool
        for name, line in self.lines.items():
            bucket = pool.buckets.get(origin(name))
            assert (bucket.waiting if bucket else 0) == len(line)
            if bucket is not None:
                known: list[Any] = [each.exchange for each in (*bucket.connecting, *bucket.queued)]
                assert known == line, "out of order"
                held = [each for each in self.holders if each.lease.bucket is bucket]
                assert bucket.leased == sum(each.lease.counted for each in held)
            assert all(each.waiting is not None and each.lease is None for each in line)

    @invariant()
    def nobodyWaitsForNothing(self) -> None:
        """Each who waits has an attempt or no place, and a deadline or an attempt."""
        pool = self.bank.pool
        attempts = self.bank.dealer.attempts
        now = self.bank.clock.seconds()
        for bucket in pool.buckets.values():
            mine = [each for each in attempts if each.origin == bucket.origin]
            assert len(mine) == len(bucket.attempts) >= len(bucket.connecting)
            if bucket.queued:
                assert len(mine) == len(bucket.connecting), "an attempt that nobody waits for"
                full = bucket.size >= self.perOrigin and not bucket.idle
                assert full or (pool._size >= self.total and not pool._idle), "there is a place"
            for waiter in bucket.queued:
                assert now < waiter.deadline + 1 <= now + WAIT + 2

    @invariant()
    def noticesAreKept(self) -> None:
        """Only who may get a place is remembered for one."""
        pool = self.bank.pool
        assert not pool._assigning
        for bucket in pool._wanting:
            assert pool.buckets.get(bucket.origin) is bucket

    def teardown(self) -> None:
        """Everybody goes: nothing is left."""
        if not hasattr(self, "lines"):
            return
        bank = self.bank
        bank.dealer.mode = "refuse"
        while self.holders:
            self.holders.pop().giveUp()
        while bank.dealer.attempts:
            bank.dealer.attempts[0].fails()
        bank.passes(30)
        assert repr(bank.pool) == "<Pool size=0>"
        assert not any(self.lines.values())
        assert not bank.pool._wanting
        bank.pool.close()
        assert bank.clock.getDelayedCalls() == []


class PoolModelTests(SynchronousTestCase):
    """L{Pool<intermediary.net.pool.Pool>} does nothing that the model does not know."""

    def test_anySequenceOfEventsLeavesThePoolSound(self) -> None:
        """Counts, caps, order and deadlines hold after every event."""
        run_state_machine_as_test(
            PoolMachine,
            settings=settings(
                max_examples=100,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                database=None,
            ),
        )
