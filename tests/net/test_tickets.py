# -*- test-case-name: tests.net.test_tickets -*-
"""
L{intermediary.net.tickets}: when keys change.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from intermediary.interfaces import ITicketKeys
from intermediary.net.tickets import Generations


class GenerationTests(SynchronousTestCase):
    """Contexts, one after another."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.made = 0
        self.keys = Generations(self.make, self.clock.seconds, 100)

    def make(self) -> int:
        """Number them."""
        self.made += 1
        return self.made

    def test_oneHasItsTime(self) -> None:
        """All connections of that time have the same one."""
        verifyObject(ITicketKeys, self.keys)
        self.assertEqual([self.keys.newest(), self.keys.newest()], [1, 1])
        self.clock.advance(99)
        self.assertEqual(self.keys.newest(), 1)
        self.clock.advance(1)
        self.assertEqual([self.keys.newest(), self.keys.newest()], [2, 2])

    def test_oneIsRetired(self) -> None:
        """Before its time."""
        self.keys.newest()
        self.keys.retire()
        self.assertEqual(self.keys.newest(), 2)

    def test_oldKeysAreNotKept(self) -> None:
        """Nor does a new one come before somebody needs it."""
        self.keys.newest()
        self.clock.advance(50)
        self.keys.expire()
        self.assertEqual(self.keys.newest(), 1)
        self.clock.advance(100)
        self.keys.expire()
        self.assertEqual(self.made, 1)
        self.assertEqual(self.keys.newest(), 2)

    def test_withoutTicketsThereIsNoEnd(self) -> None:
        """A context that gives none has nothing to hide."""
        keys = Generations(self.make, self.clock.seconds, 0)
        keys.newest()
        self.clock.advance(1e9)
        self.assertEqual(keys.newest(), 1)
