# -*- test-case-name: tests.policy.test_diskdebts -*-
"""
What a process owed to the disk when it ended.
"""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Any

from twisted.logger import LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.diskcalls import RETRY_SECONDS
from intermediary.policy.diskdebts import OWING, Debts
from intermediary.policy.purging import Purge

from .stored import entryOf
from .test_diskstore import DiskTests

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from intermediary.policy.diskstore import DiskStore

A = b"http://example.org/a"
B = b"http://example.org/b"


class MarkTests(SynchronousTestCase):
    """The files."""

    def setUp(self) -> None:
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.debts = Debts(self.folder)
        self.addCleanup(self.owes, False)

    def owes(self, owing: bool) -> None:
        """Something is owed, or nothing."""
        self.debts.owing = owing
        self.debts.mark()

    def dies(self) -> None:
        """The process is gone, and with it all that it had open."""
        os.close(self.debts._descriptor)
        self.debts = Debts(self.folder)

    def test_aslongAsSomethingIsOwed(self) -> None:
        """There is one file, however often it is said."""
        for owing in (True, True, False, False, True):
            self.owes(owing)
            names = os.listdir(self.folder)
            self.assertEqual([name.startswith(OWING) for name in names], [True] * owing)

    def test_whoLivesHasLeftNothing(self) -> None:
        """Whoever asks."""
        self.owes(True)
        for debts in (self.debts, Debts(self.folder)):
            self.assertEqual(debts.left(), [])

    def test_whoHasGone(self) -> None:
        """Until that is forgiven; who owes something meanwhile is no matter."""
        self.owes(True)
        self.dies()
        self.owes(True)
        (path,) = self.debts.left()
        self.assertEqual(self.debts.left(), [path])
        self.debts.forgive([path])
        self.debts.forgive([path])
        self.assertEqual(self.debts.left(), [])
        self.assertEqual(len(os.listdir(self.folder)), 1)

    def test_aFileThatGoesMeanwhile(self) -> None:
        """It was settled."""
        other = Debts(self.folder)
        other.owing = True
        other.mark()
        os.close(other._descriptor)
        unlinked = os.unlink
        opened = os.open

        def opening(path: Any, *arguments: Any) -> int:
            descriptor = opened(path, *arguments)
            unlinked(path)
            return descriptor

        self.patch(os, "open", opening)
        self.assertEqual(self.debts.left(), [])

    def test_noFolder(self) -> None:
        """Nothing can be noted then, and nothing was."""
        debts = Debts(self.folder + "x")
        debts.owing = True
        self.assertRaises(OSError, debts.mark)
        self.assertEqual(debts.left(), [])
        debts.owing = False
        debts.mark()


class OwingTests(DiskTests):
    """A store that could not do what it had to."""

    warned = 0

    def observe(self, event: Any) -> None:
        """Count warnings, too."""
        self.warned += event.get("log_level") is LogLevel.warn
        super().observe(event)

    def marks(self) -> int:
        """How many files say that something is owed."""
        return len([name for name in os.listdir(self.folder) if name.startswith(OWING)])

    def breaks(self, store: DiskStore | None = None) -> None:
        """The disk does not work for a while."""
        (store or self.store).calls.failed(Failure(sqlite3.OperationalError("locked")))

    def dies(self) -> None:
        """The process is gone."""
        os.close(self.store.calls._debts._descriptor)
        self.store.calls._debts = Debts(self.folder)
        self.store.calls._owed = []

    def test_whatWasPurgedDoesNotComeBack(self) -> None:
        """With it all goes, as nobody knows what it was; it is said."""
        self.add(entryOf(A, b"content"), entryOf(B, b"content"))
        self.breaks()
        self.assertEqual(self.successResultOf(self.store.purge(Purge.ofKey(A))), 0)
        self.assertEqual((self.marks(), self.warned), (1, 0))
        self.dies()
        store = self.opened()
        self.assertEqual((self.entries(A, store), self.entries(B, store)), ((), ()))
        self.assertEqual((self.marks(), self.warned), (0, 1))
        self.store = store
        self.add(entryOf(A, b"content"))
        self.assertEqual(len(self.entries(A, self.opened())), 1)

    def test_whatNobodyWantedToBeGone(self) -> None:
        """That something newer could not be written is no reason to drop all the rest."""
        self.add(entryOf(A, b"content"), entryOf(B, b"content"))
        self.breaks()
        self.assertFalse(self.successResultOf(self.store.add(entryOf(A, b"newer"))))
        self.store.remove(entryOf(A, b"content"))
        self.assertEqual(self.marks(), 0)
        self.assertEqual(len(self.entries(B, self.opened())), 1)

    def test_aChange(self) -> None:
        """What an unsafe request makes invalid is as what is purged."""
        self.add(entryOf(A, b"content"))
        self.breaks()
        self.assertEqual(self.successResultOf(self.store.forget(A)), 0)
        self.assertEqual(self.marks(), 1)
        # Whatever is owed besides.
        self.store.remove(entryOf(B, b"content"))
        self.assertEqual(self.marks(), 1)
        self.dies()
        self.assertEqual(self.entries(A, self.opened()), ())

    def test_whatIsDoneLater(self) -> None:
        """Is owed no more."""
        self.add(entryOf(A, b"content"), entryOf(B, b"content"))
        self.breaks()
        self.store.purge(Purge.ofKey(A))
        self.reactor.advance(RETRY_SECONDS)
        self.assertEqual((self.entries(A), len(self.entries(B))), ((), 1))
        self.assertEqual(self.marks(), 0)

    def test_whileItIsDone(self) -> None:
        """It is owed still, whatever else is told meanwhile that is no matter."""
        self.add(entryOf(A, b"content"), entryOf(B, b"content"))
        self.breaks()
        self.store.purge(Purge.ofKey(A))
        self.reactor.advance(RETRY_SECONDS)
        self.pool.holding = True
        self.store.find(B)
        self.store.remove(entryOf(B, b"content"))
        self.assertEqual((len(self.pool.waiting), self.marks()), (1, 1))
        while self.pool.waiting:
            self.pool.step()
        self.assertEqual(self.marks(), 0)
        self.pool.holding = False

    def test_whoEndsInOrder(self) -> None:
        """Does what it owes, if the disk works by then."""
        self.add(entryOf(A, b"content"), entryOf(B, b"content"))
        self.breaks()
        self.store.purge(Purge.ofKey(A))
        self.successResultOf(self.store.close())
        self.assertEqual(self.marks(), 0)
        store = self.opened()
        self.assertEqual((self.entries(A, store), len(self.entries(B, store))), ((), 1))

    def test_whoEndsWhileItStillDoesNotWork(self) -> None:
        """Leaves the debt behind."""
        self.add(entryOf(A, b"content"))
        self.breaks()
        self.store.purge(Purge.ofKey(A))

        def locked() -> None:
            raise sqlite3.OperationalError("locked")

        patched = self.patch(self.store.index, "open", locked)
        self.successResultOf(self.store.close())
        patched.restore()
        self.assertEqual(self.marks(), 1)
        self.dies()
        self.assertEqual(self.entries(A, self.opened()), ())

    def test_whoLivesIsNotJudged(self) -> None:
        """Another process that begins meanwhile finds what there is."""
        self.add(entryOf(B, b"content"))
        self.breaks()
        self.store.purge(Purge.ofKey(A))
        self.assertEqual(len(self.entries(B, self.opened())), 1)
        self.assertEqual(self.marks(), 1)

    def test_thePurgeIsAnsweredWhenItIsNoted(self) -> None:
        """Or who has the answer could kill the process too soon."""
        self.breaks()
        self.pool.holding = True
        answer: Deferred[int] = self.store.purge(Purge.ofKey(A))
        self.assertNoResult(answer)
        self.pool.step()
        self.assertEqual((self.successResultOf(answer), self.marks()), (0, 1))
        self.pool.holding = False

    def test_whatCanNotBeNoted(self) -> None:
        """Is answered all the same."""
        self.breaks()
        os.rename(self.folder, self.folder + "x")
        self.assertEqual(self.successResultOf(self.store.purge(Purge.ofKey(A))), 0)
        os.rename(self.folder + "x", self.folder)
        self.reactor.advance(RETRY_SECONDS)
        self.assertEqual((self.entries(A), self.marks()), ((), 0))
