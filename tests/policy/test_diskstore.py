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

    def test_whatArrivesWhileAThreadLooks(self) -> None:
        """It is found, also by a look that came too early for its row."""
        self.pool.holding = True
        adding = self.store.add(entryOf(b"a", b"content"))
        finding = self.store.find(b"a")
        slow = self.pool.waiting.pop()
        look = self.store.index.find
        looks: list[bytes] = []

        def late(key: bytes) -> Any:
            looks.append(key)
            return look(key) if len(looks) > 1 else []

        self.patch(self.store.index, "find", late)
        while self.pool.waiting:
            self.pool.step()
        self.assertTrue(self.successResultOf(adding))
        self.pool.holding = False
        slow()
        shelf = self.successResultOf(finding)
        assert shelf is not None
        self.assertEqual([self.content(each) for each in shelf.entries], [b"content"])
        self.assertEqual(looks, [b"a", b"a"])

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
