# -*- test-case-name: tests.policy.test_diskcoming -*-
"""
What is on its way to the disk, at each moment of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from intermediary.errors import ResponseIncomplete
from intermediary.policy.body import Body
from intermediary.policy.entries import Entry
from intermediary.policy.purging import Purge
from intermediary.wire.fields import Fields

from .stored import entryOf
from .test_diskstore import A, B, DiskTests

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred

    from intermediary.policy.diskstore import DiskStore


class GrowingTests(DiskTests):
    """Bodies that are written while they grow."""

    def growing(self) -> tuple[Entry, Deferred[bool]]:
        """Begin to store one."""
        entry = entryOf(A, Body())
        return entry, self.store.add(entry)

    def test_itIsThereWhenItIsComplete(self) -> None:
        """And no earlier for other processes; this one has it, as far as it is."""
        entry, done = self.growing()
        entry.body.append(b"con")
        self.assertTrue(self.store.grew(entry, 3))
        self.assertEqual(self.entries(A), (entry,))
        self.assertEqual(self.entries(A, self.opened()), ())
        entry.body.append(b"tent")
        self.assertNoResult(done)
        writing = self.store.writingOf(entry)
        assert writing is not None
        self.assertEqual(writing.position, 7)
        entry.body.shed(7)
        entry.body.end()
        self.assertTrue(self.successResultOf(done))
        self.assertIsNone(self.store.writingOf(entry))
        self.assertEqual(self.contents(A), [b"content"])
        self.assertFalse(self.store.grew(entry, 0))

    def test_whatFailsLeavesNothing(self) -> None:
        """Not even what it would have replaced."""
        self.add(entryOf(A, b"old"))
        entry, done = self.growing()
        entry.body.append(b"con")
        entry.body.fail(ResponseIncomplete())
        self.assertFalse(self.successResultOf(done))
        self.assertEqual((self.entries(A), self.filesThere()), ((), []))

    def test_whatIsTooBigLeavesNothing(self) -> None:
        """At once, or when it has grown."""
        self.store = self.opened(1 << 20, 10)
        self.assertFalse(self.successResultOf(self.store.add(entryOf(A, b"x" * 11))))
        entry, done = self.growing()
        entry.body.append(b"x" * 11)
        self.assertFalse(self.store.grew(entry, 11))
        self.assertFalse(self.successResultOf(done))
        self.assertEqual((self.entries(A), self.filesThere()), ((), []))

    def test_whatIsPurgedMeanwhileLeavesNothing(self) -> None:
        """By whatever it goes; it had been stored before."""
        for what in (Purge.ofKey(A), Purge.ofHost(b"a.example"), Purge.ofPrefix(b"")):
            for soft in (False, True):
                entry, done = self.growing()
                entry.body.append(b"con")
                self.successResultOf(self.store.purge(what, soft))
                self.assertFalse(self.successResultOf(done))
                self.assertFalse(self.store.grew(entry, 0))
        self.assertEqual((self.entries(A), self.filesThere()), ((), []))

    def test_whatIsRemovedMeanwhileLeavesNothing(self) -> None:
        """At any moment, also while it is being committed."""
        for steps in range(5):
            self.pool.holding = True
            entry, done = self.growing()
            entry.body.append(b"content")
            entry.body.end()
            for _ in range(steps):
                if self.pool.waiting:
                    self.pool.step()
            self.store.remove(entry)
            while self.pool.waiting:
                self.pool.step()
            self.pool.holding = False
            self.successResultOf(done)
            self.assertEqual((self.entries(A), self.filesThere()), ((), []), steps)

    def test_whatIsOnItsWayCanBeRead(self) -> None:
        """As far as it is written; by who has it open, also when it is given up."""
        entry, done = self.growing()
        entry.body.append(b"content")
        writing = self.store.writingOf(entry)
        assert writing is not None
        self.assertEqual((writing.written, writing.owed), (7, 0))
        file = entry.body.file
        self.assertFalse(file.complete)
        file.take()
        self.assertEqual(self.successResultOf(file.read(3, 4)), b"tent")
        self.store.remove(entry)
        self.assertFalse(self.successResultOf(done))
        self.assertIsNone(self.store.writingOf(entry))
        self.assertTrue(writing.failed)
        self.assertIsNone(entry.body.file)
        self.assertEqual(self.successResultOf(file.read(0, 3)), b"con")
        self.assertEqual(self.filesThere(), [])
        file.drop()
        self.assertFalse(file.isOpen)
        self.assertIn("failed", repr(file))

    def test_whatIsValidatedOnItsWay(self) -> None:
        """Gets the newer head, and is written once."""
        entry, done = self.growing()
        entry.body.append(b"con")
        newer = Entry(A, 200, b"OK", Fields([(b"ETag", b"2")]), entry.body, 9.0, 90.0, "v")
        also = self.store.add(newer)
        entry.body.append(b"tent")
        entry.body.end()
        self.assertEqual([self.successResultOf(each) for each in (done, also)], [True, True])
        (found,) = self.entries(A)
        self.assertEqual(found.head, b"ETag: 2\r\n")
        self.assertEqual(len(self.filesThere()), 1)

    def test_theEnd(self) -> None:
        """What is complete is written, the rest given up."""
        self.pool.holding = True
        _, growing = self.growing()
        whole = self.store.add(entryOf(B, b"content"))
        ended = self.store.end()
        self.assertNoResult(ended)
        while self.pool.waiting:
            self.pool.step()
        self.successResultOf(ended)
        self.assertEqual([self.successResultOf(each) for each in (growing, whole)], [False, True])

    def test_theNewerOfTwoStays(self) -> None:
        """Whichever is complete first."""
        old, oldDone = self.growing()
        new, newDone = self.growing()
        new.body.append(b"new")
        new.body.end()
        self.assertTrue(self.successResultOf(newDone))
        old.body.append(b"old")
        old.body.end()
        self.assertFalse(self.successResultOf(oldDone))
        self.assertEqual(self.contents(A), [b"new"])
        self.assertEqual(len(self.filesThere()), 1)

    def test_aSlowDiskHoldsNobodyUp(self) -> None:
        """What came meanwhile is written together."""
        self.pool.holding = True
        entry, done = self.growing()
        for _ in range(100):
            entry.body.append(b"x" * 1000)
        self.assertEqual(len(self.pool.waiting), 1)
        self.pool.step()
        self.assertEqual(len(self.pool.waiting), 1)
        entry.body.end()
        while self.pool.waiting:
            self.pool.step()
        self.assertTrue(self.successResultOf(done))
        self.pool.holding = False
        self.assertEqual(self.contents(A), [b"x" * 100_000])


class MeanwhileTests(DiskTests):
    """What goes while a thread is about to store it: nobody finds it, not even in between."""

    #: Ways for it to go.
    ways: tuple[Callable[[DiskStore, Entry], object], ...] = (
        lambda store, entry: store.purge(Purge.ofKey(A)),
        lambda store, entry: store.purge(Purge.ofPrefix(b"").within(b"GET")),
        lambda store, entry: store.purge(Purge.ofHost(b"a.example"), soft=True),
        lambda store, entry: store.forget(A),
        lambda store, entry: store.remove(entry),
    )

    def committing(self, content: bytes = b"content") -> tuple[Entry, Deferred[bool]]:
        """Have a thread about to commit an entry."""
        self.pool.holding = True
        entry = entryOf(A, content, fields=Fields([(b"ETag", b"1")]))
        done = self.store.add(entry)
        # The file is made; it is written and committed in one go.
        self.pool.step()
        (self.last,) = self.pool.waiting
        self.pool.waiting.clear()
        return entry, done

    def works(self) -> None:
        """The other threads do what they have to."""
        while self.pool.waiting:
            self.pool.step()

    def isNowhere(self) -> None:
        """Nothing of it is found, here or by another process; and nothing is left."""
        self.assertEqual(self.store.index.find(A), [])
        self.works()
        self.pool.holding = False
        self.assertEqual((self.entries(A), self.filesThere()), ((), []))

    def test_aCommit(self) -> None:
        """What was told before is done before."""
        for way in self.ways:
            entry, done = self.committing()
            way(self.store, entry)
            self.works()
            self.last()
            self.isNowhere()
            self.assertFalse(self.successResultOf(done))

    def test_aCommitOfWhatWasReplaced(self) -> None:
        """Though what replaced it is given up before."""
        _, done = self.committing()
        body = Body()
        newer = self.store.add(entryOf(A, body))
        body.fail(ResponseIncomplete())
        self.works()
        self.assertFalse(self.successResultOf(newer))
        self.last()
        self.isNowhere()
        self.assertFalse(self.successResultOf(done))

    def validated(self) -> tuple[Entry, Deferred[bool]]:
        """Have a thread about to give what is stored, and in memory, another head."""
        self.pool.holding = False
        self.add(entryOf(A, b"content"))
        (found,) = self.entries(A)
        self.assertEqual(self.content(found), b"content")
        self.pool.holding = True
        newer = Entry(A, 200, b"OK", Fields([(b"ETag", b"2")]), found.body, 9.0, 90.0, "v")
        done = self.store.add(newer)
        (self.last,) = self.pool.waiting
        self.pool.waiting.clear()
        return newer, done

    def test_aValidation(self) -> None:
        """It is not written anew for that."""
        for way in self.ways:
            entry, done = self.validated()
            way(self.store, entry)
            self.works()
            self.last()
            self.works()
            rows = self.store.index.find(A)
            # Softly, it is there still as it was, and stale.
            self.assertEqual([(row.head, row.expires) for row in rows], [(b"", 0.0)][: len(rows)])
            self.pool.holding = False
            self.successResultOf(self.store.forget(A))
            self.isNowhere()
            self.assertFalse(self.successResultOf(done))

    def test_inTheMiddleOfAValidation(self) -> None:
        """Between the looks at the row and at the file."""
        _, done = self.validated()
        read = self.store.files.read

        def reading(name: str, octets: int) -> int:
            self.store.purge(Purge.ofKey(A))
            self.pool.step()
            return read(name, octets)

        self.patch(self.store.files, "read", reading)
        self.last()
        self.isNowhere()
        self.assertFalse(self.successResultOf(done))

    def test_aValidationOfWhatWasReplaced(self) -> None:
        """The newer one stays."""
        _, done = self.validated()
        newer = self.store.add(entryOf(A, b"newer"))
        self.works()
        self.last()
        self.works()
        self.pool.holding = False
        self.assertEqual([self.successResultOf(each) for each in (newer, done)], [True, False])
        self.assertEqual(self.contents(A), [b"newer"])
        self.assertEqual(len(self.filesThere()), 1)

    def test_validatedWhileItIsCommitted(self) -> None:
        """It has the newer head then."""
        entry, done = self.committing()
        newer = Entry(A, 200, b"OK", Fields([(b"ETag", b"2")]), entry.body, 9.0, 90.0, "v")
        also = self.store.add(newer)
        self.last()
        self.works()
        self.pool.holding = False
        self.assertEqual([self.successResultOf(each) for each in (done, also)], [True, True])
        (found,) = self.entries(A)
        self.assertEqual((found.head, found.expires), (b"ETag: 2\r\n", 90.0))
        self.assertEqual(len(self.filesThere()), 1)
