# -*- test-case-name: tests.policy.test_readahead -*-
"""
Reading files: for their being in memory, and for who wants to have it.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.readahead import (
    PATIENCE_SECONDS,
    PIECE_OCTETS,
    READS,
    ReadAhead,
    bring,
)
from intermediary.policy.storedfile import StoredFile
from intermediary.wire.fields import EMPTY

if TYPE_CHECKING:
    from collections.abc import Callable

CONTENT = os.urandom(3 * PIECE_OCTETS + 5)


class Disk:
    """The store of a file, and its threads, which work when they are told to."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.clock = Clock()
        self.readAhead = ReadAhead(self.inThread, self.clock)
        self.calls: list[tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]]] = []
        self.closed: list[int] = []

    def inThread(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """Have something called later."""
        done: Deferred[Any] = Deferred()
        self.calls.append((done, function, arguments))
        return done

    def step(self) -> None:
        """A thread does what comes first."""
        done, function, arguments = self.calls.pop(0)
        maybeDeferred(function, *arguments).chainDeferred(done)

    def closing(self, descriptor: int) -> None:
        """Close it."""
        os.close(descriptor)


class ReadAheadTestCase(SynchronousTestCase):
    """A file that is open."""

    def setUp(self) -> None:
        """Have a file open, as somebody sends it."""
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(CONTENT)
        self.disk = Disk(path)
        self.reads = self.disk.readAhead
        disk: Any = self.disk
        descriptor = os.open(path, os.O_RDONLY)
        self.file = StoredFile(disk, "f", len(CONTENT), EMPTY, descriptor)
        self.told: list[int] = []
        self.number = 0

    def brings(self, start: int = 0, stop: int = len(CONTENT)) -> Any:
        """Have some of it brought, and noted by its number."""
        number = self.number
        self.number += 1
        return self.file.bring(start, stop, lambda: self.told.append(number))

    def works(self) -> None:
        """Threads do all that they have to."""
        while self.disk.calls:
            self.disk.step()


class ReadAheadTests(ReadAheadTestCase):
    """L{ReadAhead.bring}."""

    def test_whoWaitsIsTold(self) -> None:
        """When it was read, and not before."""
        self.brings()
        self.assertEqual((self.told, self.file.users), ([], 2))
        self.disk.step()
        self.assertEqual((self.told, self.file.users), ([0], 1))
        self.assertEqual(repr(self.reads), "<ReadAhead reading=0 waiting=0>")

    def test_aFewAtATime(self) -> None:
        """The others in the order in which they came."""
        for _ in range(READS + 3):
            self.brings()
        self.assertEqual(repr(self.reads), f"<ReadAhead reading={READS} waiting=3>")
        for number in range(READS + 3):
            self.assertLessEqual(len(self.disk.calls), READS)
            self.disk.step()
            self.assertEqual(self.told, list(range(number + 1)))
        self.assertEqual((self.disk.calls, self.file.users), ([], 1))

    def test_whoDoesNotWaitAnyMore(self) -> None:
        """Is not told; what has not begun is not done, and the next one is."""
        brought = [self.brings() for _ in range(READS + 3)]
        brought[READS].cancel()
        brought[READS].cancel()
        brought[0].cancel()
        self.assertEqual(self.file.users, 1 + READS + 2)
        while self.disk.calls:
            self.disk.step()
        self.assertEqual(self.told, [1, READS + 1, READS + 2])
        self.assertEqual(self.file.users, 1)
        brought[1].cancel()
        self.assertEqual(self.file.users, 1)

    def test_theFileStaysOpen(self) -> None:
        """Until the thread is done, or its number could be that of another one."""
        descriptor = self.file.descriptor
        waits = [self.brings() for _ in range(READS + 1)]
        self.file.drop()
        for each in waits:
            each.cancel()
        for _ in range(READS):
            os.fstat(descriptor)
            self.disk.step()
        self.assertRaises(OSError, os.fstat, descriptor)
        self.assertEqual((self.told, self.disk.calls), ([], []))

    def test_whoIsToldMayWantMore(self) -> None:
        """And waits behind those who do already."""
        order: list[str] = []

        def more() -> None:
            order.append("first")
            self.file.bring(5, 10, lambda: order.append("more"))

        self.file.bring(0, 5, more)
        for _ in range(READS):
            self.file.bring(0, 5, lambda: order.append("others"))
        while self.disk.calls:
            self.disk.step()
        self.assertEqual(order, ["first", *["others"] * READS, "more"])

    def test_whatCannotBeRead(self) -> None:
        """Who waits finds out; it is told, and the next one is read."""

        def preadv(*arguments: Any) -> int:
            raise OSError(errno.EIO, "broken")

        self.patch(os, "preadv", preadv)
        for _ in range(READS + 1):
            self.brings()
        while self.disk.calls:
            self.disk.step()
        self.assertEqual((self.told, self.file.users), ([0, 1, 2], 1))

    def test_aDefect(self) -> None:
        """Is logged, and keeps nobody waiting."""

        def preadv(*arguments: Any) -> int:
            raise ValueError("a defect")

        self.patch(os, "preadv", preadv)
        self.brings()
        self.disk.step()
        self.assertEqual(self.told, [0])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)


class ReadTests(ReadAheadTestCase):
    """L{ReadAhead.read}."""

    def test_whatThereIs(self) -> None:
        """Of a file, also behind its end; it stays open for that long."""
        size = len(CONTENT)
        read = [self.file.read(*part) for part in ((3, 5), (size - 2, 9), (size, 9))]
        self.assertEqual(self.file.users, 4)
        self.works()
        found = [self.successResultOf(each) for each in read]
        self.assertEqual(found, [CONTENT[3:8], CONTENT[-2:], b""])
        self.assertEqual((self.file.users, self.disk.clock.getDelayedCalls()), (1, []))

    def test_aFewAtATime(self) -> None:
        """In one order with what is brought for the kernel."""
        order: list[str] = []
        for _ in range(READS + 1):
            self.file.bring(0, 5, lambda: order.append("brought"))
            self.file.read(0, 5).addCallback(lambda _: order.append("read"))
        while self.disk.calls:
            self.assertLessEqual(len(self.disk.calls), READS)
            self.disk.step()
        self.assertEqual(order, ["brought", "read"] * (READS + 1))

    def test_whoDoesNotWaitAnyMore(self) -> None:
        """What has not begun is not done, and what has keeps the file open."""
        read = [self.file.read(0, 5) for _ in range(READS + 3)]
        for each in (read[0], read[READS]):
            each.cancel()
            self.failureResultOf(each, CancelledError)
        self.assertEqual(self.file.users, 1 + READS + 2)
        self.works()
        self.assertEqual([each.called for each in read], [True] * len(read))
        self.assertEqual((self.file.users, self.disk.clock.getDelayedCalls()), (1, []))

    def test_aDiskThatHangs(self) -> None:
        """Nobody waits for ever."""
        read = [self.file.read(0, 5) for _ in range(READS + 1)]
        self.disk.clock.advance(PATIENCE_SECONDS)
        for each in read:
            self.failureResultOf(each, OSError)
        self.assertEqual(repr(self.reads), f"<ReadAhead reading={READS} waiting=0>")
        self.works()
        self.assertEqual(self.file.users, 1)

    def test_whatCannotBeRead(self) -> None:
        """Is said to who wants it, and logged if it is a defect."""

        def pread(*_: int) -> bytes:
            raise errors.pop()

        errors = [ValueError("a defect"), OSError(errno.EIO, "broken")]
        self.patch(os, "pread", pread)
        read = [self.file.read(0, 5) for _ in (1, 2)]
        self.works()
        for each, error in zip(read, (OSError, ValueError), strict=True):
            self.failureResultOf(each, error)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual((self.file.users, self.disk.clock.getDelayedCalls()), (1, []))


class BringTests(SynchronousTestCase):
    """L{bring}, which is for threads."""

    def setUp(self) -> None:
        """Note how a file is read."""
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(CONTENT)
        self.descriptor = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, self.descriptor)
        self.parts: list[tuple[int, int]] = []
        preadv = os.preadv

        def noted(descriptor: int, buffers: Any, offset: int) -> int:
            count = preadv(descriptor, buffers, offset)
            self.parts.append((offset, count))
            return count

        self.patch(os, "preadv", noted)

    def test_allOfIt(self) -> None:
        """Piece by piece, and nothing else."""
        bring(self.descriptor, 3, 2 * PIECE_OCTETS)
        rest = PIECE_OCTETS - 3
        self.assertEqual(self.parts, [(3, PIECE_OCTETS), (3 + PIECE_OCTETS, rest)])

    def test_aFileThatBecameShorter(self) -> None:
        """To its end."""
        bring(self.descriptor, 3 * PIECE_OCTETS, 5 * PIECE_OCTETS)
        self.assertEqual(self.parts, [(3 * PIECE_OCTETS, 5), (3 * PIECE_OCTETS + 5, 0)])

    def test_adviceThatIsNotTaken(self) -> None:
        """It is read all the same."""

        def refuse(*arguments: int) -> None:
            raise OSError(errno.EINVAL, "no")

        self.patch(os, "posix_fadvise", refuse)
        bring(self.descriptor, 0, 5)
        self.assertEqual(self.parts, [(0, 5)])
