# -*- test-case-name: tests.net.test_pool -*-
"""
Connections that are lent, kept, capped, queued for, and forgotten.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionDone
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from intermediary.errors import (
    ConnectionLimitReached,
    ConnectionRefused,
    ConnectionTerminated,
    ConnectTimeout,
)
from intermediary.interfaces import IPool

from .borrowing import Bank, Borrower, origin


class PoolTestCase(SynchronousTestCase):
    """Every test ends by emptying its pools, and nothing is left behind."""

    def setUp(self) -> None:
        self.banks: list[Bank] = []
        self.addCleanup(self.liquidate)

    def bank(self, **settings: Any) -> Bank:
        """Make a pool and what is around it."""
        bank = Bank(**settings)
        self.banks.append(bank)
        return bank

    def liquidate(self) -> None:
        """Fail what connects, drop what is open, and look for what is left."""
        for bank in self.banks:
            bank.dealer.mode = "refuse"
            while bank.dealer.attempts:
                bank.dealer.attempts[0].fails()
            for connection in bank.dealer.connections:
                connection.transport.lost(ConnectionDone())
            bank.passes(30)
            self.assertEqual(repr(bank.pool), "<Pool size=0>")
            self.assertEqual(bank.pool.buckets, {})
            bank.pool.close()
            self.assertEqual(bank.clock.getDelayedCalls(), [], "timers are left")

    def assertServed(self, bank: Bank, *borrowers: Borrower) -> None:
        """These were served since the last look, in this order."""
        self.assertEqual(bank.served, list(borrowers))
        bank.served.clear()


class LendingTests(PoolTestCase):
    """The ways of a connection without any want."""

    def test_itProvidesItsInterface(self) -> None:
        """L{IPool}."""
        verifyObject(IPool, self.bank().pool)

    def test_aConnectionIsOpenedAndLent(self) -> None:
        """With the time that the front gives it, once."""
        bank = self.bank()
        borrower = bank.borrower()
        self.assertIsNone(borrower.lease)
        self.assertIsNotNone(borrower.waiting)
        self.assertEqual(bank.counts(), (0, 0, 1, 1))
        self.assertEqual(bank.dealer.calls, [(origin("a"), 10.0)])
        connection = bank.dealer.attempts[0].succeeds()
        self.assertIs(borrower.lease, connection)
        self.assertIsNone(borrower.waiting)
        self.assertIs(connection.exchange, borrower)
        self.assertFalse(connection.reused)
        self.assertEqual(bank.counts(), (0, 1, 0, 0))
        self.assertEqual((bank.pool.opened, bank.pool.reusedCount), (1, 0))

    def test_aConnectionThatStandsAtOnceIsLentAtOnce(self) -> None:
        """A connector may be done before it returns; the borrower is called all the same."""
        bank = self.bank()
        bank.dealer.mode = "connect"
        borrower = bank.borrower()
        self.assertServed(bank, borrower)
        self.assertIsNotNone(borrower.lease)
        self.assertEqual(bank.counts(), (0, 1, 0, 0))

    def test_aReturnedConnectionIsLentAgain(self) -> None:
        """Without a wait, and said to have served before."""
        bank = self.bank()
        [connection] = bank.idle()
        self.assertEqual(bank.counts(), (1, 0, 0, 0))
        borrower = bank.borrower()
        self.assertIs(borrower.lease, connection)
        self.assertIsNone(borrower.waiting)
        self.assertTrue(connection.reused)
        self.assertEqual((bank.pool.opened, bank.pool.reusedCount), (1, 1))

    def test_theFreshestIsLentFirst(self) -> None:
        """Last in, first out: those that are not needed grow old."""
        bank = self.bank()
        one, two, three = bank.idle(count=3)
        self.assertIs(bank.borrower().lease, three)
        self.assertIs(bank.borrower().lease, two)
        self.assertIs(bank.borrower().lease, one)

    def test_originsShareNothing(self) -> None:
        """One that differs in anything at all gets a connection of its own."""
        bank = self.bank()
        bank.idle("a")
        others = [
            origin("b"),
            origin("a")._replace(port=81),
            origin("a")._replace(scheme="tunnel"),
            origin("a")._replace(tls=object()),
            origin("a")._replace(via="http://parent"),
            origin("a")._replace(guard=object()),
        ]
        for other in others:
            borrower = Borrower(bank)
            borrower.origin = other
            self.assertIsNone(borrower.acquire().lease)
        self.assertEqual([each[0] for each in bank.dealer.calls[1:]], others)

    def test_aSecondAttemptGetsANewConnection(self) -> None:
        """The first found an idle one dead: the others may be too (RFC 9112 §9.3.1)."""
        bank = self.bank()
        [idle] = bank.idle()
        borrower = bank.borrower(attempts=2)
        self.assertIsNone(borrower.lease)
        connection = bank.dealer.attempts[0].succeeds()
        self.assertIs(borrower.lease, connection)
        self.assertIsNot(connection, idle)
        self.assertEqual(bank.counts(), (1, 1, 0, 0))

    def test_aConnectionInTheMiddleOfAnExchangeIsDropped(self) -> None:
        """Nobody can use it after that."""
        bank = self.bank()
        borrower = bank.leased()
        connection = borrower.lease
        borrower.lease.send(b"GET / HTTP/1.1\r\n\r\n", b"GET", True)
        borrower.giveUp()
        self.assertEqual(connection.transport.ending, "aborted")
        self.assertEqual(repr(bank.pool), "<Pool size=0>")

    def test_reprIsExact(self) -> None:
        """It is log line, row and oracle: every state of every origin shows."""
        bank = self.bank(perOrigin=2)
        bank.idle("a")
        bank.leased("b")
        bank.borrower("b")
        bank.borrower("b")
        self.assertEqual(
            repr(bank.pool),
            "<Pool size=3"
            " <http://a.example:80 idle=1 leased=0 connecting=0 waiting=0>"
            " <http://b.example:80 idle=0 leased=1 connecting=1 waiting=2>>",
        )

    def test_aFailureReachesWhoWaits(self) -> None:
        """With the very error, and the origin is forgotten."""
        bank = self.bank()
        borrower = bank.borrower()
        error = ConnectTimeout("late")
        bank.dealer.attempts[0].fails(error)
        self.assertEqual(borrower.errors, [error])
        self.assertIsNone(borrower.waiting)
        self.assertEqual(repr(bank.pool), "<Pool size=0>")
        self.assertEqual((bank.pool.opened, bank.pool.failedCount), (0, 1))

    def test_aFailureAtOnceReachesWhoWaits(self) -> None:
        """Before the connector has returned."""
        bank = self.bank()
        bank.dealer.mode = "refuse"
        borrower = bank.borrower()
        self.assertIsInstance(borrower.errors[0], ConnectionRefused)
        self.assertEqual(repr(bank.pool), "<Pool size=0>")

    def test_aConnectorThatRaisesIsAFailure(self) -> None:
        """It costs the exchange, not a place in the pool."""
        bank = self.bank(total=1)
        bank.dealer.mode = "raise"
        borrower = bank.borrower()
        self.assertIsInstance(borrower.errors[0], ValueError)
        self.assertIsNone(borrower.waiting)
        self.assertEqual(repr(bank.pool), "<Pool size=0>")
        bank.dealer.mode = "connect"
        self.assertIsNotNone(bank.borrower().lease)

    def test_aConnectorThatRaisesKeepsNobodyElseWaiting(self) -> None:
        """Even when it is called for a queue."""
        bank = self.bank(perOrigin=1)
        holder = bank.leased()
        queue = [bank.borrower() for _ in range(3)]
        bank.dealer.mode = "raise"
        holder.giveUp()
        self.assertServed(bank, holder, *queue)
        self.assertEqual(repr(bank.pool), "<Pool size=0>")

    def test_aConnectorThatCancelsItselfLeavesNobodyWaiting(self) -> None:
        """Nobody here cancelled it: it is a failure like others."""
        bank = self.bank()
        borrower = bank.borrower()
        bank.dealer.attempts[0].fails(CancelledError())
        self.assertEqual(len(borrower.errors), 1)
        self.assertEqual(repr(bank.pool), "<Pool size=0>")

    def test_aConnectionThatIsGoneAtOnceIsAFailure(self) -> None:
        """An origin that accepts and closes is not tried for ever."""
        for mode in ("later", "dead"):
            bank = self.bank()
            bank.dealer.mode = mode
            borrower = bank.borrower()
            if mode == "later":
                bank.dealer.attempts[0].succeeds(dead=True)
            self.assertIsInstance(borrower.errors[0], ConnectionTerminated)
            self.assertEqual(len(bank.dealer.calls), 1)
            self.assertEqual(repr(bank.pool), "<Pool size=0>")

    def test_aFailedExchangeMayBorrowAgainAtOnce(self) -> None:
        """From the very call that tells it; its origin is then not forgotten."""
        bank = self.bank()
        first, second = Borrower(bank), Borrower(bank)

        def again(exchange: Any, error: Any) -> None:
            first.errors.append(error)
            second.acquire()

        first.failed = again  # type: ignore[method-assign]
        first.acquire()
        bank.dealer.attempts[0].fails()
        self.assertEqual(bank.counts(), (0, 0, 1, 1))
        bank.dealer.attempts[0].succeeds()
        second.complete()
        self.assertEqual(bank.counts(), (1, 0, 0, 0))
        self.assertIsNotNone(bank.borrower().lease)


class LosingTests(PoolTestCase):
    """Connections that end, wherever they are."""

    def test_anIdleConnectionThatClosesIsForgotten(self) -> None:
        """And its origin with it."""
        bank = self.bank()
        one, two = bank.idle(count=2)
        one.transport.lost(ConnectionDone())
        self.assertEqual(bank.counts(), (1, 0, 0, 0))
        two.transport.lost(ConnectionDone())
        self.assertEqual(repr(bank.pool), "<Pool size=0>")

    def test_anIdleConnectionThatSpeaksIsDropped(self) -> None:
        """Nothing was asked, so it answers nothing (RFC 9112 §9.3.1)."""
        bank = self.bank()
        [connection] = bank.idle()
        connection.transport.arrive(b"HTTP/1.1 200 OK\r\n\r\n")
        self.assertEqual(connection.transport.ending, "aborted")
        self.assertEqual(repr(bank.pool), "<Pool size=0>")
        self.assertIsNone(bank.borrower().lease)

    def test_aLeasedConnectionThatClosesCountsNoMore(self) -> None:
        """Before and after it is released, and only once."""
        bank = self.bank()
        borrower = bank.leased()
        bank.leased()
        borrower.lease.transport.lost(ConnectionDone())
        self.assertEqual(bank.counts(), (0, 1, 0, 0))
        borrower.giveUp()
        self.assertEqual(bank.counts(), (0, 1, 0, 0))

    def test_aConnectionThatClosesAsItIsLentFailsItsExchange(self) -> None:
        """As C{IF_REUSED} the engine may then repeat it; the pool is clean."""
        bank = self.bank()
        [connection] = bank.idle()
        borrower = bank.borrower()
        borrower.lease.send(b"GET / HTTP/1.1\r\n\r\n", b"GET", True)
        connection.transport.lost(ConnectionDone())
        self.assertIsInstance(borrower.errors[0], ConnectionTerminated)
        borrower.giveUp()
        self.assertEqual(repr(bank.pool), "<Pool size=0>")

    def test_aLossMakesPlaceForTheQueue(self) -> None:
        """One place, one attempt."""
        bank = self.bank(perOrigin=1)
        holder = bank.leased()
        bank.borrower()
        bank.borrower()
        self.assertEqual(bank.counts(), (0, 1, 0, 2))
        holder.lease.transport.lost(ConnectionDone())
        self.assertEqual(bank.counts(), (0, 0, 1, 2))


class CapTests(PoolTestCase):
    """As many connections as allowed, for each origin and in all."""

    def test_anOriginHasItsCap(self) -> None:
        """Attempts, leased and idle ones count alike."""
        bank = self.bank(perOrigin=2)
        one = bank.leased()
        bank.borrower()
        waits = bank.borrower()
        self.assertEqual(bank.counts(), (0, 1, 1, 2))
        self.assertIsNone(bank.borrower("b").lease)
        self.assertEqual(bank.counts("b"), (0, 0, 1, 1))
        one.complete()
        bank.dealer.attempts[0].succeeds()
        self.assertIsNotNone(waits.lease)

    def test_thePoolHasItsCap(self) -> None:
        """Another origin waits for a place."""
        bank = self.bank(total=1)
        holder = bank.leased("a")
        waits = bank.borrower("b")
        self.assertEqual(bank.counts("b"), (0, 0, 0, 1))
        holder.giveUp()
        self.assertEqual(bank.counts("b"), (0, 0, 1, 1))
        bank.dealer.attempts[0].succeeds()
        self.assertIsNotNone(waits.lease)

    def test_anIdleConnectionMakesPlaceForAnotherOrigin(self) -> None:
        """The one that was idle the longest, of all origins."""
        bank = self.bank(total=3)
        [a], [b], [c] = bank.idle("a"), bank.idle("b"), bank.idle("c")
        bank.borrower("d")
        self.assertFalse(a.counted)
        self.assertNotEqual(a.transport.ending, "")
        self.assertTrue(b.counted)
        self.assertTrue(c.counted)
        self.assertEqual(bank.counts("a"), (0, 0, 0, 0))
        self.assertNotIn(origin("a"), bank.pool.buckets)

    def test_aConnectionThatBecomesIdleMakesPlaceForWhoWaits(self) -> None:
        """At the cap in all, nobody waits for a place that an idle one takes."""
        bank = self.bank(total=1)
        holder = bank.leased("a")
        waits = bank.borrower("b")
        holder.complete()
        self.assertEqual(bank.counts("a"), (0, 0, 0, 0))
        self.assertEqual(bank.counts("b"), (0, 0, 1, 1))
        bank.dealer.attempts[0].succeeds()
        self.assertIsNotNone(waits.lease)

    def test_anAttemptNobodyWaitsForMakesPlaceWhenItStands(self) -> None:
        """Its connection is of no use to who waits for a place."""
        bank = self.bank(total=2)
        holder = bank.leased("a")
        second = bank.borrower("a")
        holder.complete()  # ... which serves the second; the attempt goes on
        self.assertIsNotNone(second.lease)
        self.assertEqual(bank.counts("a"), (0, 1, 1, 0))
        bank.borrower("b")
        self.assertEqual(bank.counts("b"), (0, 0, 0, 1))
        bank.dealer.attempts[0].succeeds()
        self.assertEqual(bank.counts("a"), (0, 1, 0, 0))
        self.assertEqual(bank.counts("b"), (0, 0, 1, 1))

    def test_anAttemptNobodyWaitsForMakesPlaceWhenItFails(self) -> None:
        """Nobody is told of it."""
        bank = self.bank(total=2)
        holder = bank.leased("a")
        bank.borrower("a")
        holder.complete()
        bank.served.clear()
        bank.borrower("b")
        bank.dealer.attempts[0].fails()
        self.assertServed(bank)
        self.assertEqual(bank.counts("b"), (0, 0, 1, 1))

    def test_aSecondAttemptEvictsAtTheCapOfItsOrigin(self) -> None:
        """As it can't use the idle one, that makes place: the one idle the longest."""
        bank = self.bank(perOrigin=2)
        one, two = bank.idle(count=2)
        bank.borrower(attempts=2)
        self.assertFalse(one.counted)
        self.assertTrue(two.counted)
        self.assertEqual(bank.counts(), (1, 0, 1, 1))

    def test_whoCantBeServedDoesNotBlockTheOthers(self) -> None:
        """
        A place in the pool goes to the first origin that may have it.

        One that waited for a place, and has reached its own cap meanwhile, is
        passed over.
        """
        bank = self.bank(perOrigin=1, total=2)
        one, two = bank.leased("x"), bank.leased("y")
        bank.borrower("b")
        waits = bank.borrower("b")
        other = bank.borrower("c")
        one.giveUp()
        self.assertEqual(bank.counts("b"), (0, 0, 1, 2))
        two.giveUp()
        self.assertEqual(bank.counts("c"), (0, 0, 1, 1))
        for attempt in list(bank.dealer.attempts):
            attempt.succeeds()
        self.assertIsNotNone(other.lease)
        self.assertIsNone(waits.lease)

    def test_originsTakeTurns(self) -> None:
        """One with a long queue gets no more places than one with a short one."""
        bank = self.bank(total=2)
        holders = [bank.leased("x"), bank.leased("x")]
        for _ in range(5):
            bank.borrower("a")
        bank.borrower("b")
        for holder in holders:
            holder.giveUp()
        self.assertEqual([str(each.origin.host[0]) for each in bank.dealer.attempts], ["a", "b"])

    def test_aBusyOriginDoesNotStarveTheOthers(self) -> None:
        """
        Its connections come back to its own queue, but not for ever.

        Who has waited half of the time for a place is next.
        """
        bank = self.bank(total=1, waitSeconds=10.0)
        holder = bank.leased("a")
        waits = bank.borrower("b")
        for _ in range(60):
            queued = bank.borrower("a")
            holder.complete()
            if queued.lease is None:
                break
            holder = queued
            bank.clock.advance(0.25)
        self.assertEqual(bank.counts("b"), (0, 0, 1, 1))
        self.assertEqual(bank.clock.seconds(), 1_000_000 + 5.25)
        bank.dealer.attempts[0].succeeds()
        self.assertIsNotNone(waits.lease)
        waits.complete()
        self.assertEqual(bank.counts("a"), (0, 0, 1, 1))

    def test_atTheCapAConnectionComesBackToItsOwnQueue(self) -> None:
        """As long as no other origin has waited for long, and at no cost."""
        bank = self.bank(total=2, waitSeconds=10.0)
        one, two = bank.leased("a"), bank.leased("a")
        first, second = bank.borrower("a"), bank.borrower("a")
        bank.passes(6)
        one.complete()
        self.assertIsNotNone(first.lease)
        bank.borrower("b")
        two.complete()
        self.assertIsNotNone(second.lease)
        self.assertEqual(len(bank.dealer.calls), 2)

    def test_aCapOfOneServesEverybodyInTheEnd(self) -> None:
        """Many origins, one connection: each is served, in turn."""
        bank = self.bank(total=1)
        bank.dealer.mode = "connect"
        names = [f"n{index}" for index in range(20)]
        first = bank.leased("x")
        borrowers = [bank.borrower(name) for name in names]
        first.complete()
        for borrower in borrowers:
            self.assertIsNotNone(borrower.lease)
            borrower.complete()
        self.assertEqual(bank.pool.opened, 21)
        self.assertEqual(len(bank.pool.buckets), 1)


class QueueTests(PoolTestCase):
    """Who waits, for how long, and what for."""

    def test_whoWaitsLongestIsServedFirst(self) -> None:
        """Whosever connection it is that comes."""
        bank = self.bank()
        one, two = bank.borrower(), bank.borrower()
        bank.dealer.attempts[1].succeeds()
        self.assertServed(bank, one)
        bank.dealer.attempts[0].succeeds()
        self.assertServed(bank, two)

    def test_whoWaitsLongestHearsOfAFailureFirst(self) -> None:
        """One failure for one exchange."""
        bank = self.bank()
        one, two = bank.borrower(), bank.borrower()
        bank.dealer.attempts[1].fails()
        self.assertServed(bank, one)
        self.assertEqual(bank.counts(), (0, 0, 1, 1))
        bank.dealer.attempts[0].succeeds()
        self.assertServed(bank, two)

    def test_aReturnedConnectionServesWhoWaitsForAnAttempt(self) -> None:
        """The attempt goes on, and is kept for the next."""
        bank = self.bank()
        holder = bank.leased()
        waits = bank.borrower()
        connection = holder.lease
        bank.served.clear()
        holder.complete()
        self.assertServed(bank, waits)
        self.assertIs(waits.lease, connection)
        self.assertEqual(bank.pool.reusedCount, 1)
        self.assertEqual(bank.counts(), (0, 1, 1, 0))
        bank.dealer.attempts[0].succeeds()
        self.assertEqual(bank.counts(), (1, 1, 0, 0))

    def test_whoComesNextWaitsForTheAttemptThatNobodyWaitsFor(self) -> None:
        """Instead of one more, and whatever the limits."""
        bank = self.bank(perOrigin=2, waiters=0)
        holder = bank.leased()
        bank.borrower()
        holder.complete()
        third = bank.borrower()
        self.assertEqual(bank.counts(), (0, 1, 1, 1))
        bank.passes(20)  # it waits as long as the connector, not as the queue
        bank.dealer.attempts[0].succeeds()
        self.assertIsNotNone(third.lease)

    def test_whoQueuesTakesOverTheAttemptOfWhoWasServed(self) -> None:
        """At the cap there will be no other for it."""
        bank = self.bank(perOrigin=2)
        holder = bank.leased()
        one, two = bank.borrower(), bank.borrower()
        holder.complete()
        self.assertIsNotNone(one.lease)
        bank.passes(20)
        self.assertEqual(two.errors, [])
        error = ConnectTimeout("late")
        bank.dealer.attempts[0].fails(error)
        self.assertEqual(two.errors, [error])

    def test_anExchangeQueuesOnlySoLong(self) -> None:
        """C{waitSeconds}, noticed within a second."""
        bank = self.bank(perOrigin=1, waitSeconds=3.0)
        bank.leased()
        waits = bank.borrower()
        bank.passes(2)
        self.assertEqual(waits.errors, [])
        bank.passes(1)
        self.assertIsInstance(waits.errors[0], ConnectionLimitReached)
        self.assertIsNone(waits.waiting)
        self.assertEqual(bank.counts(), (0, 1, 0, 0))

    def test_othersComingAndGoingDoNotProlongTheWait(self) -> None:
        """The time counts from the first moment."""
        bank = self.bank(perOrigin=1, total=1, waitSeconds=3.0)
        bank.leased("a")
        waits = bank.borrower("b")
        for _ in range(3):
            bank.borrower("c").cancel()
            bank.borrower("b").cancel()
            bank.passes(1)
        self.assertEqual(len(waits.errors), 1)
        self.assertNotIn(origin("b"), bank.pool.buckets)

    def test_anAttemptHasTheConnectorsTime(self) -> None:
        """Who waits for one is not told that there are too few connections."""
        bank = self.bank(waitSeconds=3.0)
        borrower = bank.borrower()
        bank.passes(30)
        self.assertEqual(borrower.errors, [])
        bank.dealer.attempts[0].succeeds()
        self.assertIsNotNone(borrower.lease)

    def test_onlySoManyQueue(self) -> None:
        """The next is refused at once, and may come again later."""
        bank = self.bank(perOrigin=1, waiters=2)
        holder = bank.leased()
        bank.borrower()
        bank.borrower()
        refused = Borrower(bank)
        self.assertRaises(ConnectionLimitReached, refused.acquire)
        self.assertIsNone(refused.waiting)
        self.assertEqual(bank.counts(), (0, 1, 0, 2))
        holder.complete()
        self.assertIsNotNone(refused.acquire().waiting)

    def test_whoseConnectionIsOpenedDoesNotQueue(self) -> None:
        """Without a queue (C{waiters = 0}) connections are opened all the same."""
        bank = self.bank(perOrigin=3, waiters=0)
        borrowers = [bank.borrower() for _ in range(3)]
        self.assertRaises(ConnectionLimitReached, Borrower(bank).acquire)
        for _ in borrowers:
            bank.dealer.attempts[0].succeeds()
        self.assertEqual(bank.counts(), (0, 3, 0, 0))

    def test_whoIsRefusedLeavesNothingBehind(self) -> None:
        """No bucket for an origin without connections."""
        bank = self.bank(total=1, waiters=0)
        bank.leased("a")
        self.assertRaises(ConnectionLimitReached, Borrower(bank, "b").acquire)
        self.assertEqual(list(bank.pool.buckets), [origin("a")])

    def test_aLongQueueForADeadOriginNeedsNoStack(self) -> None:
        """Failures at once, one after the other, are not inside each other."""
        count = sys.getrecursionlimit() * 2
        bank = self.bank(perOrigin=1, waiters=count)
        holder = bank.leased()
        queue = [bank.borrower() for _ in range(count)]
        bank.dealer.mode = "refuse"
        bank.served.clear()
        holder.giveUp()
        self.assertServed(bank, *queue)

    def test_anOriginThatClosesAtOnceServesNoLongQueueByTheStack(self) -> None:
        """Nor do connections at once that are lost at once."""
        count = sys.getrecursionlimit() * 2
        bank = self.bank(perOrigin=1, waiters=count)
        holder = bank.leased()
        queue = [bank.borrower() for _ in range(count)]
        bank.dealer.mode = "dead"
        bank.served.clear()
        holder.giveUp()
        self.assertServed(bank, *queue)

    def test_aQueueThatIsServedAtOnceNeedsNoStack(self) -> None:
        """Each gives its connection up as soon as it has it."""
        count = sys.getrecursionlimit() * 2
        bank = self.bank(perOrigin=1, waiters=count)
        holder = bank.leased()
        queue = [bank.borrower() for _ in range(count)]

        for borrower in queue:

            def giveUp(exchange: Any, lease: Any, borrower: Borrower = borrower) -> None:
                Borrower.ready(borrower, exchange, lease)
                borrower.giveUp()

            borrower.ready = giveUp  # type: ignore[method-assign]
            borrower.waiting.ready = giveUp
        bank.dealer.mode = "connect"
        bank.served.clear()
        holder.giveUp()
        self.assertServed(bank, *queue)

    def test_whoIsServedInTheSweepInWhichItsTimeIsUpIsServed(self) -> None:
        """The failure of another makes place for it, in the last moment."""
        bank = self.bank(perOrigin=1, waitSeconds=3.0)
        bank.dealer.mode = "connect"
        holder = bank.leased()
        waits = [bank.borrower() for _ in range(2)]
        for borrower in waits:
            told = borrower.waiting.failed

            def giveUp(exchange: Any, error: Any, told: Any = told) -> None:
                told(exchange, error)
                holder.giveUp()

            borrower.waiting.failed = giveUp
        bank.passes(4)
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(sorted(len(each.errors) for each in waits), [0, 1])
        self.assertEqual(len([each for each in waits if each.lease is not None]), 1)


class CancellationTests(PoolTestCase):
    """An exchange that waits no more, at every stage."""

    def test_theAttemptOfWhoLeavesIsCancelled(self) -> None:
        """If nobody else can use it, and the origin is forgotten."""
        bank = self.bank()
        borrower = bank.borrower()
        borrower.cancel()
        self.assertEqual(bank.dealer.attempts, [])
        self.assertServed(bank)
        self.assertEqual(repr(bank.pool), "<Pool size=0>")
        self.assertEqual(bank.pool.failedCount, 0)

    def test_oneAttemptIsCancelledForOneWhoLeaves(self) -> None:
        """Those of the others go on."""
        bank = self.bank()
        borrowers = [bank.borrower() for _ in range(3)]
        borrowers[0].cancel()
        self.assertEqual(bank.counts(), (0, 0, 2, 2))
        for attempt in list(bank.dealer.attempts):
            attempt.succeeds()
        self.assertServed(bank, *borrowers[1:])

    def test_theAttemptOfWhoLeavesGoesToWhoQueues(self) -> None:
        """Instead of being cancelled."""
        bank = self.bank(perOrigin=1)
        first, second = bank.borrower(), bank.borrower()
        first.cancel()
        self.assertEqual(bank.counts(), (0, 0, 1, 1))
        self.assertEqual(len(bank.dealer.calls), 1)
        bank.passes(30)
        bank.dealer.attempts[0].succeeds()
        self.assertServed(bank, second)

    def test_whoLeavesTheQueueIsForgotten(self) -> None:
        """And no connection is opened or closed for that."""
        bank = self.bank(perOrigin=1)
        holder = bank.leased()
        first, second = bank.borrower(), bank.borrower()
        first.cancel()
        bank.served.clear()
        holder.complete()
        self.assertServed(bank, second)
        self.assertEqual(len(bank.dealer.calls), 1)

    def test_aCancelledAttemptMakesPlaceForAnotherOrigin(self) -> None:
        """At once."""
        bank = self.bank(total=1)
        borrower = bank.borrower("a")
        bank.borrower("b")
        borrower.cancel()
        self.assertEqual(bank.counts("b"), (0, 0, 1, 1))

    def test_whoWaitsForAPlaceMayLeave(self) -> None:
        """The place is then for the next."""
        bank = self.bank(total=1)
        holder = bank.leased("a")
        bank.borrower("b").cancel()
        bank.borrower("c")
        self.assertNotIn(origin("b"), bank.pool.buckets)
        holder.giveUp()
        self.assertEqual(bank.counts("c"), (0, 0, 1, 1))
        self.assertEqual([each.origin for each in bank.dealer.attempts], [origin("c")])

    def test_leavingAgainIsHarmless(self) -> None:
        """Also after having been served."""
        bank = self.bank()
        borrower = bank.borrower()
        waiter = borrower.waiting
        bank.dealer.attempts[0].succeeds()
        waiter.cancel()
        waiter.cancel()
        self.assertEqual(bank.counts(), (0, 1, 0, 0))

    def test_anAttemptThatTakesItsTimeToCancelStillCounts(self) -> None:
        """Until it is through."""
        bank = self.bank(perOrigin=1)
        bank.dealer.mode = "stubborn"
        bank.borrower().cancel()
        self.assertEqual(bank.counts(), (0, 0, 1, 0))
        bank.dealer.attempts[0].fails(CancelledError())
        self.assertEqual(repr(bank.pool), "<Pool size=0>")
        self.assertEqual(bank.pool.failedCount, 0)

    def test_aConnectionThatCouldNotBeCancelledIsKept(self) -> None:
        """It is as good as any."""
        bank = self.bank()
        bank.dealer.mode = "stubborn"
        bank.borrower().cancel()
        connection = bank.dealer.attempts[0].succeeds()
        self.assertEqual(bank.counts(), (1, 0, 0, 0))
        self.assertIs(bank.borrower().lease, connection)

    def test_everybodyLeaves(self) -> None:
        """In any order; every attempt is cancelled."""
        for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]):
            bank = self.bank(perOrigin=2)
            borrowers = [bank.borrower() for _ in range(4)]
            for index in order:
                borrowers[index].cancel()
            self.assertEqual(bank.dealer.attempts, [])
            self.assertEqual(repr(bank.pool), "<Pool size=0>")


class TimeTests(PoolTestCase):
    """Connections that grow old."""

    def test_anIdleConnectionIsClosedInTime(self) -> None:
        """C{idleSeconds} after it was given back, noticed within a second."""
        bank = self.bank(idleSeconds=5.0)
        [connection] = bank.idle()
        bank.passes(4)
        self.assertEqual(connection.transport.ending, "")
        bank.passes(2)
        self.assertEqual(connection.transport.ending, "closed")
        self.assertEqual(repr(bank.pool), "<Pool size=0>")

    def test_eachHasItsOwnTime(self) -> None:
        """Use begins it anew."""
        bank = self.bank(idleSeconds=5.0)
        old, young = bank.idle(count=2)
        bank.passes(3)
        borrower = bank.borrower()
        self.assertIs(borrower.lease, young)
        borrower.complete()
        bank.passes(3)
        self.assertEqual((old.transport.ending, young.transport.ending), ("closed", ""))
        bank.passes(3)
        self.assertEqual(young.transport.ending, "closed")

    def test_aConnectionInUseHasAllTheTime(self) -> None:
        """Neither limit ends an exchange."""
        bank = self.bank(idleSeconds=5.0, ageSeconds=10.0)
        borrower = bank.leased()
        bank.passes(30)
        self.assertTrue(borrower.lease.connected)

    def test_anOldConnectionIsNotKept(self) -> None:
        """One that comes back after C{ageSeconds} is closed, in order."""
        bank = self.bank(ageSeconds=10.0)
        borrower = bank.leased()
        connection = borrower.lease
        bank.passes(11)
        borrower.complete()
        self.assertEqual(connection.transport.ending, "closed")
        self.assertEqual(repr(bank.pool), "<Pool size=0>")

    def test_anIdleConnectionThatGrowsTooOldIsClosed(self) -> None:
        """Though it was used a moment ago."""
        bank = self.bank(ageSeconds=10.0, idleSeconds=60.0)
        [connection] = bank.idle()
        bank.passes(8)
        bank.borrower().complete()
        self.assertEqual(connection.transport.ending, "")
        bank.passes(2)
        self.assertEqual(connection.transport.ending, "closed")
        self.assertEqual(repr(bank.pool), "<Pool size=0>")

    def test_anOldConnectionDoesNotServeTheQueue(self) -> None:
        """Who waits gets a new one."""
        bank = self.bank(perOrigin=1, ageSeconds=10.0)
        holder = bank.leased()
        bank.passes(11)
        waits = bank.borrower()
        holder.complete()
        self.assertIsNone(waits.lease)
        self.assertEqual(bank.counts(), (0, 0, 1, 1))

    def test_nothingIdleIsNothingWatched(self) -> None:
        """The pool's own deadline goes with its last idle connection."""
        bank = self.bank(idleSeconds=5.0)
        bank.idle(count=3)
        bank.passes(6)
        self.assertEqual(repr(bank.sweeper), "<Sweeper of 0>")
        bank.settle()
        self.assertEqual(bank.clock.getDelayedCalls(), [])

    def test_aConnectionThatNeverServedExpiresToo(self) -> None:
        """One whose borrower was served by another's."""
        bank = self.bank(idleSeconds=5.0)
        holder = bank.leased()
        borrower = bank.borrower()
        holder.complete()
        connection = bank.dealer.attempts[0].succeeds()
        bank.passes(6)
        self.assertFalse(connection.connected)
        borrower.complete()


class ClosingTests(PoolTestCase):
    """The end of a pool."""

    def test_idleConnectionsGoAtOnce(self) -> None:
        """And nothing is watched any more."""
        bank = self.bank()
        connections = [*bank.idle("a", 2), *bank.idle("b")]
        bank.pool.close()
        self.assertEqual({each.transport.ending for each in connections}, {"closed"})
        self.assertEqual(repr(bank.pool), "<Pool size=0>")
        bank.settle()
        self.assertEqual(bank.clock.getDelayedCalls(), [])

    def test_leasedConnectionsGoWhenTheyComeBack(self) -> None:
        """They serve their exchange to its end."""
        bank = self.bank()
        borrower = bank.leased()
        connection = borrower.lease
        bank.pool.close()
        self.assertEqual(connection.transport.ending, "")
        borrower.complete()
        self.assertEqual(connection.transport.ending, "closed")
        self.assertEqual(repr(bank.pool), "<Pool size=0>")

    def test_attemptsThatNobodyWaitsForAreCancelled(self) -> None:
        """The others go on, as their exchanges do."""
        bank = self.bank()
        holder = bank.leased()
        bank.borrower()
        holder.complete()
        waits = bank.borrower("b")
        bank.pool.close()
        self.assertEqual([each.origin for each in bank.dealer.attempts], [origin("b")])
        bank.dealer.attempts[0].succeeds()
        self.assertIsNotNone(waits.lease)

    def test_aConnectionThatComesTooLateIsDropped(self) -> None:
        """Even from a connector that is slow to heed a cancellation."""
        bank = self.bank()
        bank.dealer.mode = "stubborn"
        bank.borrower().cancel()
        bank.pool.close()
        connection = bank.dealer.attempts[0].succeeds()
        self.assertEqual(connection.transport.ending, "aborted")
        self.assertEqual(repr(bank.pool), "<Pool size=0>")

    def test_whoWaitsIsStillServed(self) -> None:
        """An exchange that is under way may end well; nothing is kept."""
        bank = self.bank(perOrigin=1)
        holder = bank.leased()
        waits = bank.borrower()
        bank.pool.close()
        holder.complete()
        bank.dealer.attempts[0].succeeds()
        self.assertIsNotNone(waits.lease)
        waits.complete()
        self.assertEqual(repr(bank.pool), "<Pool size=0>")

    def test_closingTwiceIsHarmless(self) -> None:
        """It is closed."""
        bank = self.bank()
        bank.idle()
        bank.pool.close()
        bank.pool.close()
        self.assertEqual(repr(bank.pool), "<Pool size=0>")
