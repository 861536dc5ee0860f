# -*- test-case-name: tests.net.test_due -*-
"""
L{intermediary.net.due}: the arithmetic; what becomes of it is in C{test_renewals}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from intermediary.net.due import MOST_SECONDS, Due, asksNext, isFresh, lifeOf, spoken

from .test_renewals import DAY, NOW, Chance, lasting


class DueTests(SynchronousTestCase):
    """When to renew, and when to try again."""

    def setUp(self) -> None:
        self.due = Due(Chance(), 5.0)

    def isAbout(self, time: float, wanted: float) -> None:
        """Certificates have no fractions of seconds."""
        self.assertLess(abs(time - wanted), 5)

    def test_atFirst(self) -> None:
        """At once."""
        self.assertEqual((self.due.time, self.due.asks), (0.0, 5.0))

    def test_lives(self) -> None:
        """A third of whatever there is; what has just come is left alone for a while."""
        for days in (1, 6, 90):
            one = lasting("a.example", NOW, days)
            begins, ends = lifeOf(one)
            self.isAbout(begins, NOW)
            self.isAbout(ends, NOW + days * DAY)
            self.due.got(one, NOW)
            self.isAbout(self.due.time, NOW + days * DAY * (2 / 3 - 1 / 60))
        self.due.got(one, NOW + 80 * DAY)
        self.isAbout(self.due.time, NOW + 85 * DAY)
        self.due.got(one, NOW + 100 * DAY)
        self.assertEqual(self.due.time, NOW + 100 * DAY + MOST_SECONDS)

    def test_failures(self) -> None:
        """However many there are."""
        for _ in range(2000):
            seconds = self.due.failed(NOW, 0.0)
        self.assertEqual(seconds, MOST_SECONDS)
        self.assertFalse(self.due.told(NOW, 0.0, NOW))
        self.due.hurried()
        self.assertEqual(self.due.time, 0.0)
        self.due.succeeded()
        self.assertEqual(self.due.time, 0.0)
        self.assertEqual(self.due.failed(NOW, 0.0), 60.0)
        self.due.postponed(NOW + 3)
        self.assertEqual(self.due.time, NOW + 3)

    def test_whatIsNotFailingIsNotHurried(self) -> None:
        """There is nothing to mend."""
        self.due.postponed(NOW + 3)
        self.due.hurried()
        self.assertEqual(self.due.time, NOW + 3)

    def test_questions(self) -> None:
        """Within bounds, whatever an authority wants."""
        for wanted, hours in ((0.0, 6), (NOW - 5, 1), (NOW + 7200, 2), (NOW + 1e9, 24)):
            self.assertAlmostEqual(asksNext(Chance(), NOW, wanted), NOW + hours * 3600 * 1.1)


class FreshTests(SynchronousTestCase):
    """Whether there is still need for another one."""

    def test_fresh(self) -> None:
        """What would not be renewed yet, however the chance is, and is another."""
        one = lasting("a.example", NOW, 90)
        self.assertTrue(isFresh(one, None, NOW + 56 * DAY))
        self.assertFalse(isFresh(one, None, NOW + 58 * DAY))
        self.assertFalse(isFresh(one, one, NOW))
        self.assertTrue(isFresh(one, lasting("a.example", NOW, 90), NOW))


class SpokenTests(SynchronousTestCase):
    """Durations as people say them."""

    def test_units(self) -> None:
        """Two of a unit before it is used."""
        for seconds, said in (
            (30.0, "30 seconds"),
            (119.0, "119 seconds"),
            (600.0, "10 minutes"),
            (7200.0, "2 hours"),
            (26 * 86400.0, "26 days"),
        ):
            self.assertEqual(spoken(seconds), said)
