# -*- test-case-name: tests.net.test_sweep -*-
"""
Deadlines that one timer watches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from intermediary.net.sweep import NEVER, Sweeper

if TYPE_CHECKING:
    from collections.abc import Callable


class Candle:
    """Something with a deadline that notes when it expired."""

    def __init__(self, deadline: float, then: Callable[[Candle], None] | None = None) -> None:
        self.deadline = deadline
        self.expired: list[float] = []
        self.then = then

    def expire(self, now: float) -> None:
        """Note it, and burn no more."""
        self.expired.append(now)
        self.deadline = NEVER
        if self.then is not None:
            self.then(self)

    def __repr__(self) -> str:
        return "<Candle>"


class SweeperTests(SynchronousTestCase):
    """L{Sweeper} notices deadlines within a second and leaves nothing behind."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.sweeper = Sweeper(self.clock)

    def timers(self) -> int:
        """How many timers run."""
        return len(self.clock.getDelayedCalls())

    def test_aDeadlineIsNoticedWithinASecond(self) -> None:
        """Not before it has passed, and at the next look after."""
        candle = Candle(2.5)
        self.sweeper.watch(candle)
        self.clock.pump([1.0, 1.0])
        self.assertEqual(candle.expired, [])
        self.clock.advance(1.0)
        self.assertEqual(candle.expired, [3.0])

    def test_aDeadlineThatIsExactlyNowHasPassed(self) -> None:
        """It is not left for another second."""
        candle = Candle(1.0)
        self.sweeper.watch(candle)
        self.clock.advance(1.0)
        self.assertEqual(candle.expired, [1.0])

    def test_aDeadlineMayBeMovedWithoutTelling(self) -> None:
        """Only an assignment is needed, in both directions."""
        candle = Candle(1.0)
        self.sweeper.watch(candle)
        candle.deadline = 3.0
        self.clock.pump([1.0, 1.0])
        self.assertEqual(candle.expired, [])
        candle.deadline = 2.5
        self.clock.advance(1.0)
        self.assertEqual(candle.expired, [3.0])

    def test_whatExpiredIsWatchedOn(self) -> None:
        """It may set another deadline, until it is forgotten."""

        def again(candle: Candle) -> None:
            candle.deadline = self.clock.seconds() + 2

        candle = Candle(1.0, again)
        self.sweeper.watch(candle)
        self.clock.pump([1.0] * 6)
        self.assertEqual(candle.expired, [1.0, 3.0, 5.0])

    def test_whatIsForgottenDoesNotExpire(self) -> None:
        """Nor does forgetting it again do any harm."""
        candle = Candle(1.0)
        self.sweeper.watch(candle)
        self.sweeper.forget(candle)
        self.sweeper.forget(candle)
        self.clock.pump([1.0] * 3)
        self.assertEqual(candle.expired, [])

    def test_nothingWatchedIsNoTimer(self) -> None:
        """From the first moment, and at once when the last one is forgotten."""
        self.assertEqual(self.timers(), 0)
        one, two = Candle(NEVER), Candle(NEVER)
        self.sweeper.watch(one)
        self.sweeper.watch(two)
        self.assertEqual(self.timers(), 1)
        self.sweeper.forget(one)
        self.assertEqual(self.timers(), 1)
        self.sweeper.forget(two)
        self.assertEqual(self.timers(), 0)

    def test_itBeginsAgain(self) -> None:
        """After it had nothing to watch."""
        self.sweeper.watch(one := Candle(NEVER))
        self.clock.advance(1.0)
        self.sweeper.forget(one)
        self.clock.advance(10.0)
        two = Candle(self.clock.seconds() + 1)
        self.sweeper.watch(two)
        self.clock.advance(1.0)
        self.assertEqual(two.expired, [12.0])

    def test_watchingTwiceIsWatchingOnce(self) -> None:
        """One look, one timer, and one word to be forgotten."""
        candle = Candle(1.0)
        self.sweeper.watch(candle)
        self.sweeper.watch(candle)
        self.assertEqual(self.timers(), 1)
        self.clock.advance(1.0)
        self.assertEqual(candle.expired, [1.0])
        self.sweeper.forget(candle)
        self.assertEqual(self.timers(), 0)

    def test_whoIsForgottenInTheSameSweepIsSpared(self) -> None:
        """One that expires may settle the case of another, whose time has passed too."""
        candles: list[Candle] = []

        def forgetOthers(candle: Candle) -> None:
            for other in candles:
                if other is not candle:
                    self.sweeper.forget(other)

        candles += [Candle(1.0, forgetOthers) for _ in range(3)]
        for candle in candles:
            self.sweeper.watch(candle)
        self.clock.advance(1.0)
        self.assertEqual(sum(len(candle.expired) for candle in candles), 1)

    def test_whoGetsMoreTimeInTheSameSweepIsSpared(self) -> None:
        """One that expires may give time to another, whose time has passed too."""
        candles: list[Candle] = []

        def giveTime(candle: Candle) -> None:
            for other in candles:
                if other is not candle:
                    other.deadline = 5.0

        candles += [Candle(1.0, giveTime) for _ in range(3)]
        for candle in candles:
            self.sweeper.watch(candle)
        self.clock.advance(1.0)
        self.assertEqual(sum(len(candle.expired) for candle in candles), 1)

    def test_whatIsWatchedDuringASweepNeedsNoSecondTimer(self) -> None:
        """Not even if there was nothing left to watch in between."""

        def replace(candle: Candle) -> None:
            self.sweeper.forget(candle)
            self.sweeper.watch(Candle(NEVER))

        self.sweeper.watch(Candle(1.0, replace))
        self.clock.advance(1.0)
        self.assertEqual(self.timers(), 1)
        self.clock.pump([1.0] * 3)
        self.assertEqual(self.timers(), 1)

    def test_theLastOneMayForgetItselfAsItExpires(self) -> None:
        """Then no timer is left."""
        self.sweeper.watch(Candle(1.0, self.sweeper.forget))
        self.clock.advance(1.0)
        self.assertEqual(self.timers(), 0)

    def test_oneThatFailsIsLoggedAndKeepsNobodyAlive(self) -> None:
        """Neither the others of this sweep nor the next sweep are lost."""

        def fails(candle: Candle) -> None:
            raise ValueError("not this one")

        bad = [Candle(1.0, fails) for _ in range(3)]
        good = [Candle(1.0) for _ in range(3)]
        late = Candle(2.0)
        for candle in (*bad, *good, late):
            self.sweeper.watch(candle)
        self.clock.advance(1.0)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 3)
        self.assertEqual([candle.expired for candle in good], [[1.0]] * 3)
        self.clock.advance(1.0)
        self.assertEqual(late.expired, [2.0])

    def test_itsReprTellsHowManyItWatches(self) -> None:
        """It is a line for a log."""
        self.sweeper.watch(Candle(NEVER))
        self.assertEqual(repr(self.sweeper), "<Sweeper of 1>")
