# -*- test-case-name: tests.net.test_renewals -*-
"""
L{intermediary.net.renewals}: which certificate is ordered when.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from cryptography import x509
from twisted.internet.interfaces import IReactorThreads
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from intermediary.net.acmeproblems import Abandoned, AcmeError
from intermediary.net.certificates import Certificate
from intermediary.net.due import ASK_SECONDS, FIRST_SECONDS, MOST_SECONDS, PATIENCE_SECONDS
from intermediary.net.renewals import BUSY_SECONDS, LOOK_SECONDS, Renewals

from .certifying import keyOf, signed

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = 86400.0
#: A multiple of a day, long enough after the epoch for certificates.
NOW = 20000 * DAY


class Chance:
    """Draws what a test says: a part of the way from the lowest to the highest."""

    part = 0.5

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * self.part


class Orders:
    """Is asked for certificates, and does what a test says."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        #: What happens next, the same for ever once nothing else is left.
        self.outcomes: list[Any] = []
        self.asked: list[tuple[float, str]] = []
        self.kind = "EC"
        self.abandoned = False
        #: For which certificates the authority was asked, and what it says next.
        self.questions: list[tuple[float, Certificate]] = []
        self.wishes: list[Any] = []
        self.isFresh: Any = None

    def obtain(self, name: str, isFresh: Callable[[Certificate], bool]) -> Certificate | None:
        self.asked.append((self.clock.seconds() - NOW, name))
        self.isFresh = isFresh
        outcome = self.outcomes.pop(0) if self.outcomes else 90
        if isinstance(outcome, Exception):
            raise outcome
        if isinstance(outcome, int):
            return lasting(name, self.clock.seconds(), outcome)
        return outcome  # type: ignore[no-any-return]

    def renewal(self, certificate: Certificate) -> tuple[float | None, float]:
        now = self.clock.seconds()
        self.questions.append((now - NOW, certificate))
        wish = self.wishes.pop(0) if self.wishes else (None, 0.0)
        if isinstance(wish, Exception):
            raise wish
        due, asks = wish
        return None if due is None else now + due, now + asks if asks else 0.0

    def fits(self, found: Certificate, name: str) -> bool:
        return found.kind == self.kind

    def abandon(self) -> None:
        self.abandoned = True

    def resume(self) -> None:
        self.abandoned = False


def lasting(name: str, begins: float, days: float, kind: str = "EC") -> Certificate:
    """Make a certificate that begins at some time."""
    key = keyOf(kind)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    real = dt.datetime.now(dt.UTC).timestamp()
    begin = (begins - real) / DAY
    return Certificate(
        signed(subject, subject, key, key, (begin, begin + days), [name]), (), key, name
    )


class RenewalsCase(SynchronousTestCase):
    """Has some, without threads."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.orders = Orders(self.clock)
        self.chance = Chance()
        self.got = 0
        self.renewals = Renewals(self.clock, "site", self.orders, self.obtained, self.chance)

    def obtained(self) -> None:
        self.got += 1

    def tearDown(self) -> None:
        self.renewals.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertTrue(self.orders.abandoned)

    def starts(self, *names: str, **stored: Certificate) -> None:
        """Begin, with what is there."""
        self.renewals.use({each.names[0]: each for each in stored.values()}, names)
        self.renewals.start()

    def passes(self, seconds: float) -> None:
        """Let time pass, in steps as a reactor's timers make."""
        end = self.clock.seconds() + seconds
        for _ in range(10000):
            times = [call.getTime() for call in self.clock.getDelayedCalls()]
            first = min(times, default=end)
            if first >= end:
                break
            self.clock.advance(max(0.0, first - self.clock.seconds()))
        else:
            self.fail("it goes round and round")
        self.clock.advance(max(0.0, end - self.clock.seconds()))

    def asked(self) -> list[str]:
        """For what it was asked since the last time."""
        asked, self.orders.asked[:] = [name for _, name in self.orders.asked], []
        return asked

    def said(self, events: Any, level: Any) -> list[str]:
        """What was said at a level."""
        return [str(formatEvent(each)) for each in events if each["log_level"] is level]


class OrderTests(RenewalsCase):
    """What is ordered."""

    def test_whatIsNotThere(self) -> None:
        """At once, one after the other; once there is something to order and it began."""
        self.renewals.use({}, ["a.example", "b.example"])
        self.assertEqual(self.asked(), [])
        self.renewals.start()
        self.assertEqual(self.asked(), ["a.example", "b.example"])
        self.assertEqual(self.got, 2)
        self.assertEqual(repr(self.renewals), "<Renewals site waiting names=2>")
        self.renewals.start()
        self.assertEqual(self.asked(), [])

    def test_whatIsThereIsLeftAlone(self) -> None:
        """Nobody is asked at a start."""
        self.starts("a.example", a=lasting("a.example", NOW - 10 * DAY, 90))
        self.passes(DAY)
        self.assertEqual(self.asked(), [])

    def test_aThirdIsLeft(self) -> None:
        """A little sooner, by chance."""
        for part, seconds in ((0.0, 60 * DAY), (1.0, 57 * DAY)):
            self.setUp()
            self.chance.part = part
            self.starts("a.example", a=lasting("a.example", NOW, 90))
            self.passes(seconds - LOOK_SECONDS)
            self.assertEqual(self.asked(), [])
            self.passes(2 * LOOK_SECONDS)
            self.assertEqual(self.asked(), ["a.example"])
            self.renewals.stop()

    def test_againAndAgain(self) -> None:
        """What was ordered is renewed as what was found."""
        self.starts("a.example")
        self.passes(300 * DAY)
        # 60 days less half of 3.
        times = [seconds / DAY for seconds, _ in self.orders.asked]
        self.assertEqual(
            [round(each, 1) for each in times], [0.0, 58.5, 117.0, 175.5, 234.0, 292.5]
        )

    def test_whatWasUsedWhenItWasLate(self) -> None:
        """After a long sleep; also one that has ended."""
        self.starts(
            "a.example",
            "b.example",
            "c.example",
            a=lasting("a.example", NOW - 80 * DAY, 90),
            b=lasting("b.example", NOW - 100 * DAY, 90),
            c=lasting("c.example", NOW, 90),
        )
        self.assertEqual(set(self.asked()), {"a.example", "b.example"})

    def test_anotherKindOfKey(self) -> None:
        """What is not as it is wanted now is ordered anew."""
        self.orders.kind = "RSA"
        self.starts("a.example", a=lasting("a.example", NOW, 90))
        self.assertEqual(self.asked(), ["a.example"])

    def test_anotherProcessHasRenewed(self) -> None:
        """We are told of another file, and order nothing."""
        self.starts("a.example", a=lasting("a.example", NOW, 90))
        self.passes(50 * DAY)
        self.renewals.use({"a.example": lasting("a.example", NOW + 50 * DAY, 90)}, ["a.example"])
        self.passes(50 * DAY)
        self.assertEqual(self.asked(), [])

    def test_theSameAgainChangesNothing(self) -> None:
        """The chance is drawn once for each certificate."""
        one = lasting("a.example", NOW, 90)
        self.starts("a.example", a=one)
        self.chance.part = 0.0
        self.renewals.use({"a.example": one}, ["a.example"])
        self.passes(59 * DAY)
        self.assertEqual(self.asked(), ["a.example"])

    def test_namesComeAndGo(self) -> None:
        """With those for which files have something."""
        self.starts("a.example")
        self.renewals.use({}, ["b.example"])
        self.renewals.use({}, [])
        self.passes(100 * DAY)
        self.assertEqual(self.asked(), ["a.example", "b.example"])

    def test_whatIsFresh(self) -> None:
        """What another process stored meanwhile, and not what there was."""
        before = lasting("a.example", NOW - 60 * DAY, 90)
        self.starts("a.example", a=before)
        isFresh = self.orders.isFresh
        self.assertTrue(isFresh(lasting("a.example", NOW, 90)))
        self.assertFalse(isFresh(before))

    def test_aClockThatIsWrong(self) -> None:
        """What has just come is due already: that does not go round and round."""
        for days, seconds in ((5.0, 2.5 * DAY), (-5.0, MOST_SECONDS)):
            self.setUp()
            self.orders.outcomes = [lasting("a.example", NOW - 90 * DAY + days * DAY, 90)] * 2
            self.starts("a.example")
            self.assertEqual(self.asked(), ["a.example"])
            # It is read again from its file.
            found = lasting("a.example", NOW - 90 * DAY + days * DAY, 90)
            self.renewals.use({"a.example": found}, ["a.example"])
            self.passes(seconds - 1)
            self.assertEqual(self.asked(), [])
            self.passes(2)
            self.assertEqual(self.asked(), ["a.example"])
            self.renewals.stop()

    def test_stopped(self) -> None:
        """Nothing is ordered any more, until it is started again."""
        self.starts("a.example")
        self.renewals.stop()
        self.renewals.stop()
        self.renewals.use({}, ["b.example"])
        self.passes(100 * DAY)
        self.assertEqual(self.asked(), ["a.example"])
        self.renewals.start()
        self.assertFalse(self.orders.abandoned)
        self.assertEqual(self.asked(), ["b.example"])


class WishTests(RenewalsCase):
    """What the authority says of when to renew (RFC 9773)."""

    def setUp(self) -> None:
        super().setUp()
        self.chance.part = 0.0

    def begins(self) -> Certificate:
        """Begin with a certificate that lasts."""
        found = lasting("a.example", NOW, 90)
        self.starts("a.example", "b.example", a=found, b=lasting("b.example", NOW, 90))
        return found

    def times(self) -> list[int]:
        """When it was asked for the one, in hours."""
        return [
            round(seconds / 3600)
            for seconds, found in self.orders.questions
            if found.names == ("a.example",)
        ]

    def test_itIsAskedFromTimeToTime(self) -> None:
        """Not at the start; for each certificate; and when it wants to be, within bounds."""
        found = self.begins()
        self.orders.wishes = [(None, 0.0)] * 2 + [(None, 1.0)] * 2 + [(None, 1e9)] * 2
        self.passes(38 * 3600)
        self.assertEqual(self.times(), [6, 12, 13, 37])
        self.assertEqual(len(self.orders.questions), 8)
        self.assertIn(found, [asked for _, asked in self.orders.questions])
        self.assertEqual(ASK_SECONDS, (3600.0, 21600.0, 86400.0))
        self.assertEqual(self.asked(), [])

    def test_sooner(self) -> None:
        """It has revoked them, say; what was got for it is left alone then."""
        before = self.begins()
        self.orders.wishes = [(3600.0, 0.0)]
        with capturedLogs() as events:
            self.passes(6 * 3600)
        self.assertEqual(
            self.said(events, LogLevel.info),
            ["site: the authority wants the certificate for a.example renewed sooner"],
        )
        self.passes(3599)
        self.assertEqual(self.asked(), [])
        self.passes(1)
        self.assertEqual(self.asked(), ["a.example"])
        self.assertFalse(self.orders.isFresh(before))
        self.assertTrue(self.orders.isFresh(lasting("a.example", NOW - DAY, 90)))
        self.passes(20 * DAY)
        self.assertEqual(self.asked(), [])

    def test_later(self) -> None:
        """Is no reason to wait."""
        self.begins()
        self.orders.wishes = [(80 * DAY, 0.0)] * 1000
        self.passes(61 * DAY)
        self.assertEqual(set(self.asked()), {"a.example", "b.example"})

    def test_whatFailsIsNotHurried(self) -> None:
        """Patience is for those who are over their limits as well."""
        self.starts("a.example", a=lasting("a.example", NOW, 90))
        self.orders.wishes = [(0.0, 0.0)] * 1000
        self.orders.outcomes = [AcmeError("too many", "wait", retryAfterSeconds=5 * DAY)]
        self.passes(6 * 3600)
        self.assertEqual(self.asked(), ["a.example"])
        self.passes(4.9 * DAY)
        self.assertEqual(self.asked(), [])
        self.passes(0.2 * DAY)
        self.assertIn("a.example", self.asked())

    def test_itCantBeAsked(self) -> None:
        """Nothing comes of it, and nothing is said unless it is our fault."""
        self.begins()
        self.orders.wishes = [AcmeError("it rains", "wait"), Abandoned(), KeyError("oops")]
        with capturedLogs() as events:
            self.passes(20 * 3600)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.assertEqual(len(events), 1)
        self.assertEqual(self.times(), [6, 12, 18])
        self.assertEqual(self.asked(), [])


class FailureTests(RenewalsCase):
    """What happens after a failure."""

    def times(self) -> list[int]:
        """When it was asked, in seconds."""
        return [round(seconds) for seconds, _ in self.orders.asked]

    def test_moreAndMorePatience(self) -> None:
        """From a minute to half a day; one that succeeds begins anew."""
        self.orders.outcomes = [AcmeError("it rains", "wait")] * 13
        self.starts("a.example")
        self.passes(3 * DAY)
        minutes = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 720, 720, 720]
        self.assertEqual(self.times(), [60 * sum(minutes[:count]) for count in range(14)])
        self.orders.asked.clear()
        self.orders.outcomes = [AcmeError("it rains", "wait")]
        self.passes(60 * DAY)
        first, second, *_ = self.orders.asked
        self.assertEqual(second[0] - first[0], FIRST_SECONDS)

    def test_aLittleOther(self) -> None:
        """By chance, so that not all come at once."""
        for part, seconds in ((0.0, 48.0), (1.0, 72.0)):
            self.setUp()
            self.chance.part = part
            self.orders.outcomes = [AcmeError("it rains", "wait")]
            self.starts("a.example")
            self.passes(seconds - 1)
            self.assertEqual(len(self.orders.asked), 1)
            self.passes(1.5)
            self.assertEqual(len(self.orders.asked), 2)
            self.renewals.stop()

    def test_theAuthoritysWishes(self) -> None:
        """Are obeyed if they are longer, but not for ever."""
        for wanted, seconds in (
            (1.0, FIRST_SECONDS),
            (7200.0, 7200.0),
            (1e9, PATIENCE_SECONDS),
        ):
            self.setUp()
            self.orders.outcomes = [AcmeError("too many", "wait", retryAfterSeconds=wanted)]
            self.starts("a.example")
            self.passes(seconds + 1)
            self.assertEqual(self.times(), [0, round(seconds)])
            self.renewals.stop()

    def test_othersAreNotHeldUp(self) -> None:
        """By a name that fails for itself."""
        self.orders.outcomes = [AcmeError("no such name", "leave it out")]
        self.starts("a.example", "b.example")
        self.assertEqual(self.asked(), ["a.example", "b.example"])
        self.passes(FIRST_SECONDS)
        self.assertEqual(self.asked(), ["a.example"])

    def test_whatIsTheSameForAll(self) -> None:
        """Is tried with one, and not with each."""
        self.orders.outcomes = [AcmeError("nobody there", "look", common=True)] * 2
        self.starts("a.example", "b.example")
        self.passes(FIRST_SECONDS - 1)
        self.assertEqual(self.times(), [0])
        self.passes(2 * FIRST_SECONDS + 2)
        self.assertEqual(self.times(), [0, 60, 180, 180])
        # It has succeeded since.
        self.orders.outcomes = [AcmeError("nobody there", "look", common=True)]
        self.renewals.use({}, ["c.example"])
        self.orders.asked.clear()
        self.passes(FIRST_SECONDS)
        self.assertEqual(self.asked(), ["c.example"])

    def test_whatSeemsToBeTheSameForAll(self) -> None:
        """The others have their turn, whose turn would never come else."""
        self.orders.outcomes = [AcmeError("oops", "wait", common=True), 90]
        self.starts("a.example", "b.example")
        self.passes(FIRST_SECONDS)
        self.assertEqual(self.asked(), ["a.example", "b.example", "a.example"])

    def test_whatIsSaid(self) -> None:
        """A line with the reason, what to do, and when it goes on."""
        self.orders.outcomes = [AcmeError("it rains", "take an umbrella")]
        with capturedLogs() as events:
            self.starts("a.example")
        self.assertEqual(
            self.said(events, LogLevel.warn),
            [
                (
                    "site: no certificate for a.example: it rains. To do: take an umbrella. "
                    "The next attempt is in 60 seconds"
                )
            ],
        )

    def test_somebodyHasMendedIt(self) -> None:
        """It is tried at once, for a name and for all; what is well is left alone."""
        for common in (False, True):
            self.setUp()
            self.orders.outcomes = [AcmeError("it rains", "wait", common=common)] * 5
            self.starts("a.example", "b.example", b=lasting("b.example", NOW, 90))
            self.renewals.hurry()
            self.assertEqual(self.asked(), ["a.example", "a.example"])
            self.passes(2 * FIRST_SECONDS - 1)
            self.assertEqual(self.asked(), [])
            self.renewals.stop()
            self.renewals.hurry()
            self.assertEqual(self.asked(), [])

    def test_whatNobodyForesaw(self) -> None:
        """Is told with its traceback, and tried again."""
        self.orders.outcomes = [KeyError("oops")]
        self.starts("a.example")
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.passes(FIRST_SECONDS)
        self.assertEqual(self.asked(), ["a.example", "a.example"])

    def test_anotherProcessOrders(self) -> None:
        """It is looked at again soon, without any patience being lost."""
        self.orders.outcomes = [None, None]
        self.starts("a.example")
        self.passes(3 * BUSY_SECONDS)
        self.assertEqual(self.times(), [0, round(BUSY_SECONDS), round(2 * BUSY_SECONDS)])

    def test_theEndIsNear(self) -> None:
        """With less than a tenth of its life it is said loudly, and when it has ended."""
        self.orders.outcomes = [AcmeError("it rains", "wait")] * 1000
        with capturedLogs() as events:
            self.starts("a.example", a=lasting("a.example", NOW - 80 * DAY, 90))
            self.passes(0.9 * DAY)
            self.assertEqual(self.said(events, LogLevel.error), [])
            self.passes(DAY)
            loud = self.said(events, LogLevel.error)
            self.assertEqual(
                loud[0],
                "site: the certificate for a.example ends in 9 days, and could not be renewed yet",
            )
            self.passes(9 * DAY)
        self.assertIn("has expired", self.said(events, LogLevel.error)[-1])

    def test_theEndIsNearAndAnotherProcessOrders(self) -> None:
        """It may hang."""
        self.orders.outcomes = [None]
        with capturedLogs() as events:
            self.starts("a.example", a=lasting("a.example", NOW - 89 * DAY, 90))
        self.assertIn("ends in 24 hours", self.said(events, LogLevel.error)[0])

    def test_theLongestIsBounded(self) -> None:
        """However often it fails."""
        self.orders.outcomes = [AcmeError("it rains", "wait")] * 100
        self.starts("a.example")
        self.passes(40 * DAY)
        times = self.times()
        self.assertEqual(times[-1] - times[-2], MOST_SECONDS)


@implementer(IReactorThreads)
class Threaded(Clock):
    """A reactor whose threads a test runs."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[Any] = []

    def getThreadPool(self) -> Any:
        return self

    def callInThreadWithCallback(self, done: Any, job: Any, *arguments: Any) -> None:
        self.jobs.append((done, job, arguments))

    def callFromThread(self, call: Any, *arguments: Any) -> None:  # type: ignore[override]
        call(*arguments)

    def callInThread(self, call: Any, *arguments: Any) -> None:  # type: ignore[override]
        raise NotImplementedError

    def suggestThreadPoolSize(self, size: int) -> None:
        raise NotImplementedError

    def runs(self) -> None:
        """Run the only job."""
        ((done, job, arguments),) = self.jobs
        self.jobs.clear()
        try:
            result = job(*arguments)
        except BaseException:
            done(False, Failure())
        else:
            done(True, result)


class ThreadTests(RenewalsCase):
    """Orders that take their time."""

    def setUp(self) -> None:
        super().setUp()
        self.clock: Any = Threaded()
        self.clock.advance(NOW)
        self.orders = Orders(self.clock)
        self.renewals = Renewals(self.clock, "site", self.orders, self.obtained, self.chance)

    def test_oneAtATime(self) -> None:
        """The next one begins when that one has ended."""
        self.starts("a.example", "b.example")
        self.assertEqual(repr(self.renewals), "<Renewals site working names=2>")
        self.renewals.use({}, ["a.example", "b.example"])
        self.passes(DAY)
        self.assertEqual(len(self.clock.jobs), 1)
        self.clock.runs()
        self.assertEqual(len(self.clock.jobs), 1)
        self.clock.runs()
        self.assertEqual(self.clock.jobs, [])
        self.assertEqual(self.asked(), ["a.example", "b.example"])

    def test_whatIsAbandonedSaysNothing(self) -> None:
        """The process stops meanwhile."""
        for outcome in (Abandoned(), AcmeError("it rains", "wait")):
            self.setUp()
            self.orders.outcomes = [outcome]
            self.starts("a.example")
            self.renewals.stop()
            self.assertTrue(self.orders.abandoned)
            with capturedLogs() as events:
                self.clock.runs()
            self.assertEqual(events, [])
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_aNameThatIsNotWantedAnyMore(self) -> None:
        """Whatever came of it."""
        for outcome in (90, AcmeError("it rains", "wait")):
            self.orders.outcomes = [outcome]
            self.starts("a.example")
            self.renewals.use({}, [])
            self.clock.runs()
            self.assertEqual(self.got, 0)
            self.renewals.stop()
