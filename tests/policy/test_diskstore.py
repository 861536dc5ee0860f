# -*- test-case-name: tests.policy.test_diskstore -*-
"""
The store on disk.

The thread pool of these tests does everything when it is told to, so that each
moment between two calls of a thread can be looked at.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from twisted.internet.task import Clock
from twisted.logger import LogLevel, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from intermediary.errors import ResponseIncomplete
from intermediary.interfaces import ICacheTier
from intermediary.policy.body import Body
from intermediary.policy.diskstore import (
    TOUCH_SECONDS,
    DiskStore,
)
from intermediary.policy.entries import Entry, Shelf
from intermediary.policy.purging import Purge
from intermediary.policy.storedfile import CHUNK_OCTETS
from intermediary.wire.fields import Fields

from .stored import entryOf

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred

A, B = b"GET http://a.example/", b"GET http://b.example/"


class Reactor(Clock):
    """Its time, and its thread, which is the only one."""

    def callFromThread(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call it."""
        function(*arguments)


class Pool:
    """Threads that work at once, or when they are told to."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []
        self.holding = False

    def callInThreadWithCallback(
        self, done: Any, function: Callable[..., Any], *arguments: Any, **keywords: Any
    ) -> None:
        """See C{ThreadPool}."""

        def work() -> None:
            try:
                result = function(*arguments, **keywords)
            except BaseException:
                done(False, Failure())
            else:
                done(True, result)

        if self.holding:
            self.waiting.append(work)
        else:
            work()

    def step(self) -> None:
        """Do what was asked for first."""
        self.waiting.pop(0)()


def encode(verdict: Any) -> bytes:
    """Make octets of what the tests take for a verdict."""
    return repr(verdict).encode()


def decode(octets: bytes) -> Any:
    """And the other way round."""
    if octets == b"'old'":
        raise ValueError("another version")
    return octets.decode().strip("'")


class DiskTests(SynchronousTestCase):
    """L{DiskStore}."""

    def setUp(self) -> None:
        self.folder = self.mktemp()
        self.reactor = Reactor()
        self.pool = Pool()
        self.store = self.opened()
        self.lines: list[str] = []
        observer: Any = self.observe
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def observe(self, event: Any) -> None:
        """Note what is logged in earnest."""
        if event.get("log_level") is LogLevel.error:
            self.lines.append(event["log_format"])

    def opened(self, limitOctets: int = 1 << 20, maxObjectOctets: int = 1 << 22) -> DiskStore:
        """Open the folder, as one more process or after a restart."""
        store = DiskStore(
            self.reactor, self.pool, self.folder, limitOctets, maxObjectOctets, encode, decode
        )
        self.assertTrue(self.successResultOf(store.open()))
        self.addCleanup(store.close)
        return store

    def add(self, *entries: Entry) -> None:
        """Store complete entries."""
        for entry in entries:
            self.assertTrue(self.successResultOf(self.store.add(entry)))

    def entries(self, key: bytes, store: DiskStore | None = None) -> tuple[Entry, ...]:
        """What is found under a key."""
        shelf = self.successResultOf((store or self.store).find(key))
        return () if shelf is None else shelf.entries

    def content(self, entry: Entry) -> bytes:
        """What is on disk of an entry."""
        if entry.body.start:
            self.successResultOf(entry.body.file.load(entry.body))
        return entry.body.whole

    def contents(self, key: bytes, store: DiskStore | None = None) -> list[bytes]:
        """What is on disk under a key."""
        return [self.content(entry) for entry in self.entries(key, store)]

    def filesThere(self) -> list[str]:
        """All files of bodies, complete or not."""
        return [
            name
            for _, _, names in os.walk(self.folder)
            for name in names
            if not name.startswith("index")
        ]


class KeepingTests(DiskTests):
    """What was stored comes back."""

    def test_itIsAStore(self) -> None:
        """With the methods of one."""
        verifyObject(ICacheTier, self.store)
        self.assertEqual(repr(self.store), f"<DiskStore {self.folder} in use, writing=0>")

    def test_everythingOfAnEntryComesBack(self) -> None:
        """Also after a restart, and in another process."""
        fields = Fields.fromPairs([(b"ETag", b'"1"'), (b"Via", b"1.1 a")])
        body = Body()
        body.append(b"content")
        body.end(Fields.fromPairs([(b"Digest", b"x")]))
        entry = Entry(
            A, 404, b"Gone?", fields, body, 5.0, 65.0, "v", b"br", (b"accept",), (b"a b", b"c")
        )
        self.add(entry)
        for store in (self.store, self.opened()):
            (found,) = self.entries(A, store)
            for name in (
                "key",
                "status",
                "reason",
                "head",
                "stored",
                "expires",
                "verdict",
                "variant",
                "vary",
                "tags",
            ):
                self.assertEqual(getattr(found, name), getattr(entry, name), name)
            self.assertEqual((found.body.start, found.body.complete), (7, True))
            self.assertEqual(found.body.heldOctets, 0)
            self.assertEqual(found.body.file.octets, 7)
            self.assertEqual(self.content(found), b"content")
            self.assertEqual(found.body.trailers, body.trailers)
            self.assertEqual(found.body.file.octets, 7)

    def test_aVerdictOfAnotherVersionIsNotFound(self) -> None:
        """What belongs to it is fetched again."""
        entry = entryOf(A, b"x")
        entry.verdict = "old"
        self.add(entry)
        self.assertEqual(self.entries(A), ())

    def test_shelvesAreMadeAnew(self) -> None:
        """One without entries, too, and there is nothing to tidy."""
        shelf = self.successResultOf(self.store.shelf(A))
        self.assertIsInstance(shelf, Shelf)
        self.store.tidy(shelf)
        self.add(entryOf(A, b"x"))
        self.assertEqual(len(self.successResultOf(self.store.shelf(A)).entries), 1)

    def test_theSameVariantIsReplaced(self) -> None:
        """And its file goes; who has it open reads on."""
        self.add(entryOf(A, b"old"), entryOf(A, b"other", variant=b"br"))
        file = self.entries(A)[1].body.file
        self.successResultOf(file.open())
        self.addCleanup(file.drop)
        self.add(entryOf(A, b"newer"))
        self.assertEqual(self.contents(A), [b"newer", b"other"])
        self.assertEqual(len(self.filesThere()), 2)
        self.assertEqual(self.successResultOf(file.read(0, 100)), b"old")

    def renewed(self, entry: Entry) -> Entry:
        """Make an entry as it is after a validation: the same body under another head."""
        fields = Fields.fromPairs([(b"ETag", b'"2"')])
        return Entry(entry.key, 200, b"OK", fields, entry.body, 9.0, 90.0, "v")

    def test_whatWasValidatedIsNotWrittenAgain(self) -> None:
        """Neither if it was just stored, nor if it was only found, nor if it was loaded."""
        stored = entryOf(A, b"content")
        self.add(stored)
        files = self.filesThere()
        self.add(self.renewed(stored))
        self.add(self.renewed(self.entries(A)[0]))
        (found,) = self.entries(A)
        self.content(found)
        self.add(self.renewed(found))
        self.assertEqual(self.filesThere(), files)
        (found,) = self.entries(A)
        self.assertEqual((found.head, found.expires), (b'ETag: "2"\r\n', 90.0))
        self.assertEqual(self.content(found), b"content")

    def test_whatWasValidatedAndHasLeftIsWrittenAgain(self) -> None:
        """If its content is in memory; else it is not there any more."""
        stored = entryOf(A, b"content")
        self.add(stored)
        (found,) = self.entries(A)
        self.successResultOf(self.store.purge(Purge.ofKey(A)))
        self.assertFalse(self.successResultOf(self.store.add(self.renewed(found))))
        self.assertEqual(self.entries(A), ())
        self.add(self.renewed(stored))
        self.assertEqual(self.contents(A), [b"content"])

    def test_bigContentComesInChunks(self) -> None:
        """So no thread is kept for long."""
        content = os.urandom(CHUNK_OCTETS * 2 + 10)
        self.store = self.opened(1 << 30, 1 << 30)
        self.add(entryOf(A, content))
        self.assertEqual(self.contents(A), [content])

    def test_itIsLoadedOnce(self) -> None:
        """However many ask for it."""
        self.add(entryOf(A, b"content"))
        (entry,) = self.entries(A)
        file = entry.body.file
        self.pool.holding = True
        file.load(entry.body)
        file.load(entry.body)
        while self.pool.waiting:
            self.pool.step()
        self.assertEqual(entry.body.whole, b"content")
        self.assertIn("7 octets, complete, users=0>", repr(file))

    def test_theLimitHolds(self) -> None:
        """What was not used for longest leaves with its file."""
        self.store = self.opened(6 * 5200)
        for number in range(5):
            self.reactor.advance(1)
            self.add(entryOf(A + b"%d" % number, b"x" * 4000))
        (first,) = self.entries(A + b"0")
        self.reactor.advance(TOUCH_SECONDS)
        self.store.used(first)
        self.entries(B)
        for number in range(5, 9):
            self.reactor.advance(1)
            self.add(entryOf(A + b"%d" % number, b"x" * 4000))
        self.assertEqual(len(self.entries(A + b"0")), 1)
        self.assertEqual(self.entries(A + b"1"), ())
        self.assertEqual(len(self.filesThere()), self.store.index.room()[1])

    def test_closingNotesWhatWasUsed(self) -> None:
        """Or it would look as if nobody had wanted it."""
        self.add(entryOf(A, b"x"))
        (entry,) = self.entries(A)
        self.reactor.advance(5)
        self.store.used(entry)
        self.successResultOf(self.store.close())
        used = self.opened().index.connections.mine().execute("SELECT used FROM entries").fetchone()
        self.assertEqual(used, (5.0,))


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
        self.assertEqual(self.store.written(entry), 7)
        entry.body.shed(7)
        entry.body.end()
        self.assertTrue(self.successResultOf(done))
        self.assertIsNone(self.store.written(entry))
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
        # The file is made and written.
        self.pool.step()
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


class PurgeTests(DiskTests):
    """What is purged."""

    def test_purges(self) -> None:
        """Counted, with their files."""
        self.add(
            entryOf(A, b"x", tags=(b"t",)),
            entryOf(A, b"y", variant=b"br"),
            entryOf(B, b"z", tags=(b"t",)),
        )
        self.assertEqual(self.successResultOf(self.store.purge(Purge.ofHost(b"c.example"))), 0)
        self.assertEqual(self.successResultOf(self.store.purge(Purge.ofTag(b"t"), soft=True)), 2)
        self.assertEqual([each.expires for each in self.entries(A)], [1000.0, 0.0])
        self.assertEqual(self.successResultOf(self.store.purge(Purge.ofTag(b"t"))), 2)
        self.assertEqual(self.contents(A), [b"y"])
        self.assertEqual(self.successResultOf(self.store.purge(Purge.ofKey(A))), 1)
        self.assertEqual(self.filesThere(), [])

    def test_nobodyWaitsForFiles(self) -> None:
        """A purge is over when nothing is found any more; to delete files takes long."""
        self.add(entryOf(A, b"x"))
        self.pool.holding = True
        done = self.store.purge(Purge.ofKey(A))
        self.pool.step()
        self.assertEqual(self.successResultOf(done), 1)
        self.assertEqual(len(self.filesThere()), 1)
        self.pool.step()
        self.assertEqual(self.filesThere(), [])
        self.pool.holding = False

    def test_removingSeveral(self) -> None:
        """At once, by their names."""
        self.add(entryOf(A, b"x"), entryOf(A, b"y", variant=b"br"), entryOf(B, b"z"))
        self.successResultOf(self.store.removeAll([(A, b"br"), (B, b""), (B, b"br")]))
        self.assertEqual(self.contents(A), [b"x"])
        self.assertEqual(len(self.filesThere()), 1)
        self.assertEqual(self.successResultOf(self.store.forget(A)), 1)
        self.store.shed(entryOf(A), 0)

    def test_removing(self) -> None:
        """One variant."""
        self.add(entryOf(A, b"x"), entryOf(A, b"y", variant=b"br"))
        self.store.remove(self.entries(A)[0])
        self.assertEqual(self.contents(A), [b"x"])


class FileTests(DiskTests):
    """Files that are not what they should be."""

    def test_aFileThatIsGoneIsAMiss(self) -> None:
        """Its row goes, too, and the store stays in use."""
        self.add(entryOf(A, b"content"))
        (entry,) = self.entries(A)
        os.unlink(self.store.files.pathOf(entry.body.file.name))
        self.failureResultOf(entry.body.file.load(entry.body), FileNotFoundError)
        self.assertEqual(self.entries(A), ())
        self.assertTrue(self.store.inUse)

    def test_aFileThatIsShorterIsNotServed(self) -> None:
        """Not a part of it."""
        self.add(entryOf(A, b"content"))
        (entry,) = self.entries(A)
        os.truncate(self.store.files.pathOf(entry.body.file.name), 3)
        file = entry.body.file
        self.failureResultOf(file.load(entry.body), FileNotFoundError)
        self.assertFalse(entry.body.isWhole)
        self.failureResultOf(file.open(), FileNotFoundError)
        file.drop()
        self.assertFalse(file.isOpen)

    def test_aFileThatGetsShorterIsNotTakenForWhole(self) -> None:
        """Whoever loads it is told; whoever reads it gets what there is."""
        self.add(entryOf(A, b"content"))
        (entry,) = self.entries(A)
        file = entry.body.file
        self.successResultOf(file.open())
        os.truncate(self.store.files.pathOf(file.name), 3)
        self.assertEqual(self.successResultOf(file.read(0, 7)), b"con")
        self.assertEqual(self.successResultOf(file.read(3, 4)), b"")
        file.drop()
        path = self.store.files.pathOf(file.name)
        self.patch(self.store.files, "read", lambda name, octets: os.open(path, os.O_RDONLY))
        self.failureResultOf(file.load(entry.body), FileNotFoundError)

    def test_leftOversAreSwept(self) -> None:
        """When they are old enough."""
        self.add(entryOf(A, b"x"))
        file = self.store.files.begin()
        file.commit()
        path = self.store.files.pathOf(file.name)
        os.utime(path, (0, 0))
        os.utime(self.store.files.pathOf(self.entries(A)[0].body.file.name), (0, 0))
        self.assertEqual(self.successResultOf(self.store.sweep()), 1)
        self.assertEqual(self.contents(A), [b"x"])
