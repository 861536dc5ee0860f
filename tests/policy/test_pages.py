# -*- test-case-name: tests.policy.test_pages -*-
"""
Content in pages that the kernel sends.
"""

from __future__ import annotations

import gc
import os
import socket
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase
from zope.interface.verify import verifyObject

from intermediary.interfaces import IFilePart
from intermediary.policy.pages import AVAILABLE, LEAST_OCTETS, PageFile, Pages

CONTENT = bytes(range(251)) * 300


class PagesTestCase(SynchronousTestCase):
    """Tests with a file in memory."""

    def setUp(self) -> None:
        """Make the file."""
        if not AVAILABLE:
            raise SkipTest("this system has no files in memory")
        self.file = PageFile()

    def kept(self, content: bytes = CONTENT) -> Pages:
        """Keep some content."""
        kept = self.file.keep([content], len(content))
        assert kept is not None
        return kept

    def used(self, part: Pages) -> int:
        """Tell how much memory the file has, in octets."""
        return os.fstat(part.descriptor).st_blocks * 512


class PagesTests(PagesTestCase):
    """What is kept, and for how long."""

    def test_contract(self) -> None:
        """They are what a connection sends."""
        verifyObject(IFilePart, self.kept())

    def test_itIsThereToBeRead(self) -> None:
        """All of it, or a part, of each of several."""
        several = [self.kept(CONTENT[: LEAST_OCTETS + each]) for each in range(4)]
        for number, part in enumerate(several):
            self.assertEqual(part.octets, LEAST_OCTETS + number)
            self.assertEqual(part.read(0, 1 << 30), CONTENT[: LEAST_OCTETS + number])
            self.assertEqual(part.read(5, 9), CONTENT[5:9])
            self.assertEqual(part.read(part.octets, part.octets + 9), b"")

    def test_manyPieces(self) -> None:
        """More than one call of the system takes."""
        pieces = [bytes([each % 256]) * 40 for each in range(1500)]
        part = self.file.keep(pieces, 60_000)
        assert part is not None
        self.assertEqual(part.read(0, 60_000), b"".join(pieces))

    def test_memoryIsFreeAtOnce(self) -> None:
        """As soon as the last who refers to it has gone, and not that of others."""
        gc.disable()
        self.addCleanup(gc.enable)
        one, other = self.kept(), self.kept()
        self.assertGreaterEqual(self.used(one), 2 * len(CONTENT))
        del one
        self.assertLess(self.used(other), len(CONTENT) + 8192)
        self.assertEqual(other.read(0, 1 << 30), CONTENT)

    def test_whatIsOnItsWayStays(self) -> None:
        """What a socket refers to is not written over by what is kept next."""
        ours, theirs = socket.socketpair()
        self.addCleanup(theirs.close)
        with ours:
            part = self.kept(CONTENT)
            sent = os.sendfile(ours.fileno(), part.descriptor, part.start, 16384)
            del part
            later = self.kept(b"x" * len(CONTENT))
            self.assertEqual(later.read(0, 10), b"x" * 10)
        heard = b""
        while data := theirs.recv(65536):
            heard += data
        self.assertGreater(sent, 0)
        self.assertEqual(heard, CONTENT[:sent])

    def test_theFileIsClosed(self) -> None:
        """When neither it nor a part of it is in use."""
        part = self.kept()
        descriptor = part.descriptor
        self.file = PageFile()
        self.assertEqual(part.read(0, 3), CONTENT[:3])
        del part
        self.assertRaises(OSError, os.fstat, descriptor)


class WithoutTests(PagesTestCase):
    """Systems that do not let us, or not any more."""

    def fails(self, name: str) -> Any:
        """Let a system call fail; gives what ends that."""

        def fail(*args: Any) -> Any:
            raise OSError(28, "no")

        return self.patch(os, name, fail)

    def test_noFile(self) -> None:
        """It is not tried again."""
        failing = self.fails("memfd_create")
        self.assertIsNone(self.file.keep([CONTENT], len(CONTENT)))
        failing.restore()
        self.assertIsNone(self.file.keep([CONTENT], len(CONTENT)))
        self.assertIn("none", repr(self.file))

    def test_noMemory(self) -> None:
        """What was written of it is free again, and the next may succeed."""
        part = self.kept()
        before = self.used(part)
        failing = self.fails("pwritev")
        self.assertIsNone(self.file.keep([CONTENT], len(CONTENT)))
        failing.restore()
        self.assertEqual(self.used(part), before)
        self.assertEqual(self.kept().read(0, 1 << 30), CONTENT)

    def test_lessIsWrittenThanThereIs(self) -> None:
        """Then it is not kept."""
        self.assertIsNone(self.file.keep([CONTENT], len(CONTENT) + 1))
