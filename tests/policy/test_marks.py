# -*- test-case-name: tests.policy.test_marks -*-
"""
L{intermediary.policy.marks}: what happened last to what.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.marks import MARKS, Marks


class MarksTests(SynchronousTestCase):
    """L{Marks}."""

    def setUp(self) -> None:
        self.marks = Marks()

    def test_theLastTimeCounts(self) -> None:
        """Of each."""
        self.marks.put(1, 10)
        self.marks.put(2, 11)
        self.marks.put(1, 12)
        self.assertTrue(self.marks.after(1, 11))
        self.assertFalse(self.marks.after(1, 12))
        self.assertTrue(self.marks.after(2, 10))
        self.assertFalse(self.marks.after(2, 11))
        self.assertFalse(self.marks.after(3, 0))

    def test_theOldestIsForgotten(self) -> None:
        """Of those to which nothing has happened since."""
        for serial in range(1, MARKS + 1):
            self.marks.put(serial, serial)
        self.marks.put(1, MARKS + 1)
        self.assertEqual((len(self.marks), self.marks.forgotten), (MARKS, 0))
        self.marks.put(-1, MARKS + 2)
        self.assertEqual((len(self.marks), self.marks.forgotten), (MARKS, 2))
        self.assertFalse(self.marks.after(2, 0))
        self.assertTrue(self.marks.after(1, MARKS))

    def test_whatIsForgottenStaysSo(self) -> None:
        """Whatever is forgotten after it."""
        self.marks.forget(5)
        self.marks.forget(3)
        self.assertEqual(self.marks.forgotten, 5)
