# -*- test-case-name: tests.policy.test_diskcalls -*-
"""
A disk that does not do what it should, as the store on it sees that.
"""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING, Any

from twisted.python.failure import Failure

from intermediary.policy.diskcalls import CALLS, OWED, RETRY_SECONDS
from intermediary.policy.diskfiles import GROWING
from intermediary.policy.diskstore import DiskStore
from intermediary.policy.purging import Purge

from .stored import entryOf
from .test_diskstore import A, B, DiskTests, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable


class TroubleTests(DiskTests):
    """When the disk does not do what it should."""

    def test_aDeletedFolderIsSaidOnce(self) -> None:
        """Nothing is found or stored, until it is made anew after some time."""
        self.add(entryOf(A, b"content"))
        shutil.rmtree(self.folder)
        self.assertEqual(self.entries(A), ())
        self.assertFalse(self.successResultOf(self.store.add(entryOf(A, b"content"))))
        self.assertEqual(self.successResultOf(self.store.purge(Purge.ofKey(A))), 0)
        self.assertEqual(len(self.lines), 1, self.lines)
        self.assertFalse(self.store.inUse)
        self.reactor.advance(RETRY_SECONDS)
        self.assertEqual(self.entries(A), ())
        self.assertTrue(self.store.inUse)
        self.add(entryOf(A, b"content"))
        self.assertEqual(self.contents(A), [b"content"])
        self.assertEqual(len(self.lines), 1)

    def test_aDeletedFolderIsNoticedByWhoStores(self) -> None:
        """As well."""
        shutil.rmtree(self.folder)
        self.assertFalse(self.successResultOf(self.store.add(entryOf(A, b"content"))))
        self.assertEqual(len(self.lines), 1, self.lines)

    def test_aFullDiskIsSaidOnce(self) -> None:
        """What was begun is taken away, and what was stored is there when it is in use again."""
        self.add(entryOf(B, b"content"), entryOf(A, b"old"))

        def write(descriptor: int, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "no space left on device")

        patch = self.patch(os, "write", write)
        for _ in range(3):
            self.assertFalse(self.successResultOf(self.store.add(entryOf(A, b"content"))))
        patch.restore()
        self.assertEqual(len(self.lines), 1, self.lines)
        self.assertEqual(os.listdir(os.path.join(self.folder, GROWING)), [])
        self.reactor.advance(RETRY_SECONDS)
        self.assertEqual((self.contents(A), self.contents(B)), ([], [b"content"]))

    def test_whatCouldNotBePurgedDoesNotComeBack(self) -> None:
        """It is purged when the disk works again, as is what was replaced or removed."""
        keys = [A + b"%d" % number for number in range(4)]
        self.add(*[entryOf(key, b"content") for key in keys])
        (removed,) = self.entries(keys[2])
        self.store.calls.failed(Failure(OSError("trouble")))
        self.assertEqual(self.successResultOf(self.store.purge(Purge.ofKey(keys[0]))), 0)
        self.assertFalse(self.successResultOf(self.store.add(entryOf(keys[1], b"newer"))))
        self.store.remove(removed)
        self.reactor.advance(RETRY_SECONDS)
        self.assertEqual([len(self.entries(key)) for key in keys], [0, 0, 0, 1])
        self.assertEqual(len(self.filesThere()), 1)

    def test_whatIsOwedKeepsNoContent(self) -> None:
        """A disk that is out of use costs no memory."""
        self.store.calls.failed(Failure(OSError("trouble")))
        for number in range(3):
            self.successResultOf(self.store.add(entryOf(A + b"%d" % number, b"content")))
        owed: Any = self.store.calls._owed
        for number, change in enumerate(owed):
            self.assertEqual(change.args, ([(A + b"%d" % number, b"")],))
        self.assertEqual(len(owed), 3)

    def test_ifTooMuchCouldNotBeDoneAllGoes(self) -> None:
        """Nobody can tell any more what is good."""
        self.add(entryOf(A, b"content"))
        self.store.calls.failed(Failure(OSError("trouble")))
        for _ in range(OWED + 1):
            self.successResultOf(self.store.purge(Purge.ofKey(B)))
        self.reactor.advance(RETRY_SECONDS)
        self.assertEqual((self.entries(A), self.filesThere()), ((), []))
        self.add(entryOf(A, b"content"))

    def test_whatIsOwedIsOwedUntilItIsDone(self) -> None:
        """Also if the disk still does not work when it is tried."""
        self.add(entryOf(A, b"content"))
        self.store.calls.failed(Failure(OSError("trouble")))
        self.successResultOf(self.store.purge(Purge.ofKey(A)))
        os.rename(self.folder, self.folder + "x")
        with open(self.folder, "wb"):
            pass
        self.reactor.advance(RETRY_SECONDS)
        self.assertEqual(self.entries(A), ())
        self.assertFalse(self.store.inUse)
        os.unlink(self.folder)
        os.rename(self.folder + "x", self.folder)
        self.reactor.advance(RETRY_SECONDS)
        self.assertEqual(self.entries(A), ())
        self.assertTrue(self.store.inUse)
        self.assertEqual(len(self.lines), 1)

    def test_aDiskThatNeverWorkedIsSaidOnce(self) -> None:
        """A file is where the folder should be."""
        with open(self.folder + "x", "wb"):
            pass
        store = DiskStore(self.reactor, self.pool, self.folder + "x", 1, 1, encode, decode)
        for _ in range(3):
            self.assertFalse(self.successResultOf(store.open()))
            self.assertIsNone(self.successResultOf(store.find(A)))
        self.assertEqual(len(self.lines), 1, self.lines)

    def test_whoAsksAtTheStartWaits(self) -> None:
        """So what was stored is found by the first request after a restart."""
        self.add(entryOf(A, b"content"))
        store = DiskStore(self.reactor, self.pool, self.folder, 1 << 20, 99, encode, decode)
        self.pool.holding = True
        begun = store.begin()
        found = store.find(A)
        self.assertNoResult(found)
        while self.pool.waiting:
            self.pool.step()
        self.assertTrue(self.successResultOf(begun))
        shelf = self.successResultOf(found)
        assert shelf is not None
        self.assertEqual(len(shelf.entries), 1)
        store.close()
        self.pool.step()
        self.pool.holding = False

    def test_ourDefectsAreNotTheDisks(self) -> None:
        """They are logged with their traceback, and it stays in use."""
        entry = entryOf(A, b"x")
        self.patch(self.store.index, "put", lambda *_, **__: 1 / 0)
        self.assertFalse(self.successResultOf(self.store.add(entry)))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(self.store.inUse)
        self.assertEqual(self.filesThere(), [])

    def test_whatIsToldWhileItOpens(self) -> None:
        """Is done before anything is found, however it was told."""
        keys = [A + b"%d" % number for number in range(3)]
        ways: tuple[Callable[[DiskStore], object], ...] = (
            lambda store: store.purge(Purge.ofKey(keys[0])),
            lambda store: store.remove(entryOf(keys[0])),
            lambda store: store.add(entryOf(keys[0], b"newer")),
        )
        for way in ways:
            self.add(*[entryOf(key, b"content") for key in keys])
            self.store.calls.failed(Failure(OSError("trouble")))
            self.successResultOf(self.store.purge(Purge.ofKey(keys[1])))
            self.reactor.advance(RETRY_SECONDS)
            self.pool.holding = True
            found = self.store.find(keys[2])
            self.assertEqual(len(self.pool.waiting), 1)
            way(self.store)
            self.pool.step()
            self.pool.holding = False
            # It is in use, and a thread has still to do it.
            self.assertEqual([self.entries(key) for key in keys], [(), (), ()])
            while self.pool.waiting:
                self.pool.step()
            self.assertIsNone(self.successResultOf(found))
            self.assertEqual([len(self.entries(key)) for key in keys], [0, 0, 1])

    def test_whatIsToldWhileItOpensInVain(self) -> None:
        """Is done when it works."""
        self.add(entryOf(A, b"content"), entryOf(B, b"content"))

        def breaks(*_: object) -> None:
            raise OSError("trouble")

        for trouble in ("open", "index.dropAll"):
            self.store.calls.failed(Failure(OSError("trouble")))
            self.reactor.advance(RETRY_SECONDS)
            self.pool.holding = True
            self.store.find(B)
            self.store.remove(entryOf(A))
            of: Any = self.store.files if trouble == "open" else self.store.index
            patch = self.patch(of, trouble.rpartition(".")[2], breaks)
            while self.pool.waiting:
                self.pool.step()
            self.pool.holding = False
            patch.restore()
            self.assertFalse(self.store.inUse, trouble)
            self.assertEqual(self.entries(A), ())
        self.reactor.advance(RETRY_SECONDS)
        self.assertEqual((self.entries(A), len(self.entries(B))), ((), 1))

    def test_oneOpeningAtATime(self) -> None:
        """However long it takes; who asks meanwhile finds nothing."""
        self.add(entryOf(A, b"content"))
        self.store.calls.failed(Failure(OSError("trouble")))
        self.pool.holding = True
        for _ in range(3):
            self.reactor.advance(RETRY_SECONDS)
            self.store.find(A)
        self.assertEqual(len(self.pool.waiting), 1)
        self.assertEqual(self.entries(A), ())
        self.pool.step()
        self.pool.holding = False
        self.assertEqual(self.contents(A), [b"content"])

    def test_aChangeThatMeetsADefect(self) -> None:
        """Leaves nobody knowing what is good: all goes, and nothing was found before."""
        self.add(entryOf(A, b"content"), entryOf(B, b"content"))
        patch = self.patch(self.store.index, "purge", lambda what: 1 / 0)
        self.assertEqual(self.successResultOf(self.store.purge(Purge.ofKey(A))), 0)
        self.assertEqual((self.entries(A), self.store.inUse), ((), False))
        patch.restore()
        self.reactor.advance(RETRY_SECONDS)
        self.assertEqual((self.entries(A), self.entries(B), self.filesThere()), ((), (), []))
        self.assertTrue(self.store.inUse)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)


class HangingTests(DiskTests):
    """A disk whose calls do not end."""

    def setUp(self) -> None:
        """Have something stored; then it hangs."""
        super().setUp()
        self.add(entryOf(A, b"content"), entryOf(B, b"content"))
        (self.found,) = self.entries(B)
        self.pool.holding = True

    def hangs(self) -> None:
        """As many wait for it as may."""
        for number in range(CALLS):
            self.store.purge(Purge.ofKey(b"%d" % number))
        self.assertEqual((len(self.pool.waiting), self.store.inUse), (CALLS, True))

    def works(self) -> None:
        """It goes on, and does all it was told."""
        while self.pool.waiting:
            self.pool.step()
        self.pool.holding = False

    def test_noMoreWaitForIt(self) -> None:
        """It is out of use then, which is said once; and nothing waits for nothing."""
        self.hangs()
        self.assertEqual(self.successResultOf(self.store.purge(Purge.ofKey(A))), 0)
        for _ in range(3):
            self.assertEqual(self.entries(B), ())
            self.assertFalse(self.successResultOf(self.store.add(entryOf(B, b"newer"))))
            self.reactor.advance(RETRY_SECONDS)
        self.assertEqual(len(self.pool.waiting), CALLS)
        self.assertEqual(len(self.lines), 1, self.lines)

    def test_whatWasToldThenIsDoneLater(self) -> None:
        """Before anything is found again."""
        self.hangs()
        self.store.purge(Purge.ofKey(A))
        self.reactor.advance(RETRY_SECONDS)
        self.works()
        self.assertEqual((self.entries(A), self.contents(B)), ((), [b"content"]))
        self.assertTrue(self.store.inUse)

    def test_filesOfAreGivenUp(self) -> None:
        """What only it has can't be had."""
        self.hangs()
        file = self.found.body.file
        self.failureResultOf(file.load(self.found.body), OSError)
        self.failureResultOf(file.open(), OSError)
        file.drop()
        self.assertEqual(len(self.pool.waiting), CALLS)
        self.works()
        self.successResultOf(file.load(self.found.body))

    def test_fromTheBeginning(self) -> None:
        """As many may wait for it to be opened, and no more."""
        store = DiskStore(self.reactor, self.pool, self.folder, 1 << 20, 99, encode, decode)
        store.begin()
        asked = [store.purge(Purge.ofKey(b"%d" % number)) for number in range(CALLS)]
        asked += [store.purge(Purge.ofKey(A)), store.purge(Purge.ofKey(b"c"))]
        self.assertEqual(len(self.pool.waiting), 1)
        self.assertEqual([each.called for each in asked[-4:]], [False, True, True, True])
        self.works()
        for each in asked:
            self.successResultOf(each)
        self.assertEqual((self.entries(A, store), len(self.entries(B, store))), ((), 1))
        store.close()

    def test_theEndComesWhenNothingIsUnderWay(self) -> None:
        """Or somebody would lose the connection that it works with."""
        self.store.purge(Purge.ofKey(A))
        closed = self.store.close()
        self.assertEqual(len(self.pool.waiting), 1)
        self.pool.step()
        self.assertNoResult(closed)
        self.works()
        self.successResultOf(closed)
        self.assertEqual([self.contents(key, self.opened()) for key in (A, B)], [[], [b"content"]])

    def test_whatIsOwedAtTheEnd(self) -> None:
        """Is tried once more, as nobody remembers it afterwards."""
        self.pool.holding = False
        self.store.calls.failed(Failure(OSError("trouble")))
        self.store.remove(self.found)
        self.successResultOf(self.store.close())
        self.assertFalse(self.store.inUse)
        another = self.opened()
        self.assertEqual((len(self.entries(A, another)), self.entries(B, another)), (1, ()))

    def test_whatIsOwedAtTheEndAndCanNotBeDone(self) -> None:
        """Does not keep it from ending."""
        self.pool.holding = False
        self.store.calls.failed(Failure(OSError("trouble")))
        self.store.remove(self.found)
        shutil.rmtree(self.folder)
        with open(self.folder, "wb"):
            pass
        self.successResultOf(self.store.close())
        self.assertEqual((self.store.inUse, len(self.lines)), (False, 1))

    def test_itIsClosedWhileItOpens(self) -> None:
        """And stays closed."""
        self.store.calls.failed(Failure(OSError("trouble")))
        self.reactor.advance(RETRY_SECONDS)
        self.store.find(A)
        closed = self.store.close()
        self.works()
        self.successResultOf(closed)
        self.assertFalse(self.store.inUse)
