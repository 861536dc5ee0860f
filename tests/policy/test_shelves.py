# -*- test-case-name: tests.policy.test_shelves -*-
"""
What is known under keys, and for how long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.shelves import SHELF_OCTETS, Shelves

from .stored import entryOf

if TYPE_CHECKING:
    from intermediary.policy.entries import Shelf


class ShelvesTests(SynchronousTestCase):
    """L{Shelves}."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.shelves = Shelves(10 * (SHELF_OCTETS + 2), self.clock.seconds)

    def missed(self, key: bytes) -> Shelf:
        """Make a shelf with a mark that keeps it."""
        shelf = self.shelves.make(key)
        shelf.misses = 1
        return shelf

    def test_oneForEachKey(self) -> None:
        """Made once, as long as it is known."""
        shelf = self.shelves.make(b"a")
        self.assertIs(self.shelves.make(b"a"), shelf)
        self.assertIs(self.shelves.byKey[b"a"], shelf)
        self.assertEqual((len(self.shelves), self.shelves.blank), (1, 1))

    def test_oneWithoutAnythingIsForgotten(self) -> None:
        """When its user is through, or with the next ones that are made."""
        shelf = self.shelves.make(b"a")
        self.shelves.tidy(shelf)
        self.assertEqual(len(self.shelves), 0)
        self.shelves.tidy(shelf)
        for number in range(20):
            self.shelves.make(b"%d" % number)
        self.assertEqual(list(self.shelves.byKey), [b"19"])

    def test_marksKeepIt(self) -> None:
        """Until the last one is taken back, or its time is over."""
        shelf = self.shelves.make(b"a")
        shelf.fetch = object()
        shelf.passUntil = 5.0
        self.shelves.tidy(shelf)
        shelf.fetch = None
        self.shelves.tidy(shelf)
        self.assertEqual(len(self.shelves), 1)
        self.clock.advance(5)
        self.missed(b"b")
        self.assertEqual(list(self.shelves.byKey), [b"b"])

    def test_thereAreNotTooMany(self) -> None:
        """The oldest marks are forgotten beyond the limit: clients make them for nothing."""
        for number in range(30):
            self.missed(b"%02d" % number)
            self.assertLessEqual(self.shelves.blank, 10)
        self.assertEqual(list(self.shelves.byKey), [b"%02d" % number for number in range(20, 30)])

    def test_longKeysCountForMore(self) -> None:
        """The limit is one of octets."""
        for number in range(30):
            self.missed(b"%02d" % number * SHELF_OCTETS)
        self.assertEqual(self.shelves.blank, 3)

    def test_oneThatIsBeingFetchedStays(self) -> None:
        """Or there would be a second fetch of the same."""
        fetched = [self.missed(b"f%d" % number) for number in range(30)]
        for shelf in fetched:
            self.shelves.make(shelf.key).fetch = shelf
        fetched = [self.shelves.make(b"f%d" % number) for number in range(30)]
        for number, shelf in enumerate(fetched):
            shelf.fetch = number
        for number in range(100):
            self.missed(b"%02d" % number)
        for shelf in fetched[-20:]:
            self.assertIs(self.shelves.byKey.get(shelf.key), shelf)

    def test_entriesKeepIt(self) -> None:
        """Without a limit here: the store has one."""
        for number in range(30):
            shelf = self.shelves.make(b"%d" % number)
            shelf.put(entryOf(shelf.key))
            self.shelves.filled(shelf)
        self.assertEqual((len(self.shelves), self.shelves.blank), (30, 0))
        for shelf in list(self.shelves.byKey.values()):
            self.shelves.tidy(shelf)
        self.assertEqual(len(self.shelves), 30)

    def test_whenTheLastEntryLeavesMarksStillCount(self) -> None:
        """It stands in line again."""
        shelf = self.missed(b"a")
        entry = entryOf(b"a")
        shelf.put(entry)
        self.shelves.filled(shelf)
        self.assertEqual(self.shelves.blank, 0)
        shelf.take(entry)
        self.shelves.emptied(shelf)
        self.assertEqual((len(self.shelves), self.shelves.blank), (1, 1))
        shelf.misses = 0
        self.shelves.tidy(shelf)
        self.assertEqual((len(self.shelves), self.shelves.blank), (0, 0))

    def test_whenTheLastEntryLeavesItIsForgotten(self) -> None:
        """If there are no marks, or only such as have no meaning any more."""
        for passUntil in (0.0, 5.0):
            shelf = self.shelves.make(b"a")
            shelf.passUntil = passUntil
            self.shelves.filled(shelf)
            self.clock.advance(5)
            self.shelves.emptied(shelf)
            self.assertEqual((len(self.shelves), self.shelves.blank), (0, 0))

    def test_oneThatWasForgottenIsNobodys(self) -> None:
        """Tidying it does not touch the one that came after it."""
        old = self.shelves.make(b"a")
        self.shelves.tidy(old)
        new = self.missed(b"a")
        self.shelves.tidy(old)
        self.assertIs(self.shelves.byKey[b"a"], new)
