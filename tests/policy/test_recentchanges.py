# -*- test-case-name: tests.policy.test_recentchanges -*-
"""
What is remembered of changes, and for how long.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.marks import MARKS
from intermediary.policy.recentchanges import RecentChanges
from intermediary.policy.visit import Visit


class RecentChangesTests(SynchronousTestCase):
    """L{RecentChanges}."""

    def setUp(self) -> None:
        self.changes = RecentChanges()

    def visit(self, key: bytes = b"http://a/", common: bytes = b"") -> Visit:
        """What is sent on now."""
        visit = Visit(b"uri-miss", 0.0)
        visit.key = key
        visit.common = common
        visit.changes = self.changes.serial
        return visit

    def test_itsTargetAndNoOther(self) -> None:
        """Under whatever key, and only what changed since."""
        self.changes.note(b"http://a/")
        one, other = self.visit(), self.visit(b"http://a/b")
        several = self.visit(b"http://a/\nx: 1", b"http://a/")
        self.assertFalse(self.changes.overtook(one))
        self.changes.note(b"http://a/")
        self.assertTrue(self.changes.overtook(one))
        self.assertTrue(self.changes.overtook(several))
        self.assertFalse(self.changes.overtook(other))
        self.assertFalse(self.changes.overtook(self.visit()))

    def test_whatWasNeverSentOn(self) -> None:
        """Nobody knows when it was asked for."""
        visit = self.visit()
        visit.changes = -1
        self.assertTrue(self.changes.overtook(visit))

    def test_whatIsForgottenCounts(self) -> None:
        """Each of the oldest may have been this one; there is room for so many and no more."""
        old = self.visit()
        for number in range(MARKS):
            self.changes.note(b"%d" % number)
        self.assertFalse(self.changes.overtook(old))
        self.changes.note(b"more")
        self.assertTrue(self.changes.overtook(old))
        self.assertEqual(repr(self.changes), f"<RecentChanges {MARKS + 1}, the last {MARKS} known>")

    def test_theSameAgainTakesNoRoom(self) -> None:
        """However often somebody changes it."""
        old = self.visit()
        for _ in range(2 * MARKS):
            self.changes.note(b"again")
        self.assertFalse(self.changes.overtook(old))
        known = 2 * MARKS
        self.assertEqual(repr(self.changes), f"<RecentChanges {known}, the last {known} known>")
