# -*- test-case-name: tests.ops.test_accesslog -*-
"""Tests of L{intermediary.ops.accesslog}."""

from __future__ import annotations

import os
import stat
import sys
import time
from pathlib import Path
from typing import Any, cast

from twisted.internet.task import Clock
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from intermediary.interfaces import IAccessLog
from intermediary.ops.accesslog import AccessLog, timesOf
from intermediary.ops.logformat import compileFormat
from intermediary.ops.logline import Line

from .exchanges import ended


class AccessLogTests(SynchronousTestCase):
    """Lines reach the file, late but not too late."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.path = Path(self.mktemp())
        self.events: list[Any] = []
        observer = cast("ILogObserver", self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def log(self, path: str | None = None, line: Line | None = None) -> AccessLog:
        """An open log of targets."""
        log = AccessLog(
            self.clock,
            line or compileFormat("$target"),
            path or str(self.path),
            wallSeconds=self.clock.seconds,
        )
        log.open()
        self.addCleanup(log.close)
        return log

    def said(self) -> list[str]:
        """What was logged about the log."""
        return [
            event["log_format"]
            for event in self.events
            if event["log_namespace"] == "intermediary.ops.accesslog.AccessLog"
        ]

    def test_providesIAccessLog(self) -> None:
        """As the programs expect."""
        verifyObject(IAccessLog, self.log())

    def test_linesWaitForASecondAtMost(self) -> None:
        """Counted from the first that waits; one timer for all."""
        log = self.log()
        log.record(ended(target=b"/1"))
        self.clock.advance(0.9)
        log.record(ended(target=b"/2"))
        self.assertEqual(self.path.read_text(), "")
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(0.1)
        self.assertEqual(self.path.read_text(), "/1\n/2\n")

    def test_anIdleLogHasNoTimer(self) -> None:
        """Nor does it write."""
        log = self.log()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        log.record(ended())
        self.clock.advance(1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_manyLinesDoNotWait(self) -> None:
        """Memory is bounded, and still there is one timer."""
        log = self.log()
        for number in range(3 * log.FLUSH_LINES):
            log.record(ended(target=b"/%d" % number))
        self.assertEqual(len(self.path.read_text().splitlines()), 3 * log.FLUSH_LINES)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_closingWritesWhatWaits(self) -> None:
        """And leaves no timer behind."""
        log = self.log()
        log.record(ended(target=b"/last"))
        log.close()
        self.assertEqual(self.path.read_text(), "/last\n")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        log.close()

    def test_appends(self) -> None:
        """What an earlier process wrote stays."""
        self.path.write_text("before\n")
        self.log().record(ended(target=b"/1"))
        self.clock.advance(1)
        self.assertEqual(self.path.read_text(), "before\n/1\n")

    def test_isNotForEverybody(self) -> None:
        """It holds addresses of clients."""
        self.log()
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode) & 0o007, 0)

    def test_openingRaisesWhatTheSystemSays(self) -> None:
        """The service words it."""
        log = AccessLog(self.clock, compileFormat("$target"), "/nonexistent/access.log")
        self.assertRaises(FileNotFoundError, log.open)

    def test_theTimeIsThatOfTheEnd(self) -> None:
        """The stamp follows the clock."""
        log = self.log(line=compileFormat("$epoch"))
        for _ in range(3):
            log.record(ended())
            self.clock.advance(0.7)
        log.flush()
        self.assertEqual(self.path.read_text(), "0\n0\n1\n")

    def test_aRenamedFileIsFollowed(self) -> None:
        """Rotation is a rename: the next lines are in a new file."""
        log = self.log()
        log.record(ended(target=b"/1"))
        self.clock.advance(1)
        old = self.path.with_suffix(".1")
        self.path.rename(old)
        log.record(ended(target=b"/2"))
        self.clock.advance(1)
        self.assertEqual((old.read_text(), self.path.read_text()), ("/1\n", "/2\n"))

    def test_aReplacedFileIsFollowed(self) -> None:
        """Also when somebody made the new one."""
        log = self.log()
        self.path.rename(self.path.with_suffix(".1"))
        self.path.write_text("made by logrotate\n")
        log.record(ended(target=b"/1"))
        self.clock.advance(1)
        self.assertEqual(self.path.read_text(), "made by logrotate\n/1\n")

    def test_aFileThatCannotBeOpenedAgainIsKept(self) -> None:
        """The lines go to the old one; it is said once."""
        folder = Path(self.mktemp())
        folder.mkdir()
        log = self.log(str(folder / "access.log"))
        moved = folder.rename(folder.with_suffix(".moved"))
        for target in (b"/1", b"/2"):
            log.record(ended(target=target))
            self.clock.advance(1)
        self.assertEqual((moved / "access.log").read_text(), "/1\n/2\n")
        self.assertEqual(len(self.said()), 1)
        self.assertIn("can't be opened again", self.said()[0])

    def test_reopeningCanBeAskedFor(self) -> None:
        """It leaks no descriptor."""
        log = self.log()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            log.reopen()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_aFullDiskCostsLinesNotExchanges(self) -> None:
        """It is said once, lines are counted, and again when it works."""
        log = self.log("/dev/full")
        for _ in range(3):
            log.record(ended())
            self.clock.advance(1)
        self.assertEqual(log.dropped, 3)
        self.assertEqual(len(self.said()), 1)
        self.assertIn("takes no more", self.said()[0])
        self.patch(os, "write", lambda fd, octets: len(octets))
        log.record(ended())
        self.clock.advance(1)
        self.assertEqual(log.dropped, 3)
        self.assertIn("works again", self.said()[1])

    def test_aTornLineIsEnded(self) -> None:
        """What follows a write that stopped in the middle begins a line."""
        log = self.log()
        write = os.write
        room = [5]

        def short(fd: int, octets: bytes) -> int:
            if not room[0]:
                raise OSError(28, "No space left on device")
            written = write(fd, octets[: room[0]])
            room[0] -= written
            return written

        self.patch(os, "write", short)
        log.record(ended(target=b"/1"))
        log.record(ended(target=b"/22222"))
        self.clock.advance(1)
        self.assertEqual((self.path.read_text(), log.dropped), ("/1\n/2", 1))
        room[0] = 1000
        log.record(ended(target=b"/3"))
        self.clock.advance(1)
        self.assertEqual(self.path.read_text(), "/1\n/2\n/3\n")

    def test_partialWritesAreContinued(self) -> None:
        """A pipe may take a part."""
        log = self.log()
        write = os.write
        self.patch(os, "write", lambda fd, octets: write(fd, octets[:2]))
        log.record(ended(target=b"/12345"))
        self.clock.advance(1)
        self.assertEqual(self.path.read_text(), "/12345\n")

    def test_aBrokenFormatNeverReachesTheExchange(self) -> None:
        """Recording must not raise."""

        def broken(*_: object) -> str:
            raise ZeroDivisionError

        log = self.log(line=Line(broken))
        log.record(ended())
        self.assertEqual(log.dropped, 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_aDirectoryIsNoLog(self) -> None:
        """Known when it is opened, which is at the start."""
        self.path.mkdir()
        self.assertRaises(IsADirectoryError, self.log)

    def test_standardOutput(self) -> None:
        """The process's own, whatever became of C{sys.stdout}; it stays open."""
        with self.path.open("wb") as stdout:
            self.patch(sys, "__stdout__", stdout)
            log = self.log("-")
            log.record(ended(target=b"/1"))
            self.clock.advance(1)
            log.reopen()
            log.close()
            self.assertFalse(stdout.closed)
            os.fstat(stdout.fileno())
        self.assertEqual(self.path.read_text(), "/1\n")

    def test_withoutStandardOutput(self) -> None:
        """A process may have none."""
        self.patch(sys, "__stdout__", None)
        log = self.log("-")
        log.record(ended())
        self.clock.advance(1)
        self.assertEqual(log.dropped, 0)


class TimesTests(SynchronousTestCase):
    """A second in its forms."""

    def setZone(self, zone: str) -> None:
        """Have another local time for one test."""
        before = os.environ.get("TZ")

        def restore() -> None:
            if before is None:
                os.environ.pop("TZ", None)
            else:
                os.environ["TZ"] = before
            time.tzset()

        self.addCleanup(restore)
        os.environ["TZ"] = zone
        time.tzset()

    def test_universalTime(self) -> None:
        """Offset zero."""
        self.setZone("UTC0")
        times = timesOf(1795420000)
        self.assertEqual(times.common, "23/Nov/2026:07:46:40 +0000")
        self.assertEqual(times.iso, "2026-11-23T07:46:40+00:00")

    def test_westOfIt(self) -> None:
        """Half hours, and a sign."""
        self.setZone("NST+3:30")
        times = timesOf(1795420000)
        self.assertEqual(times.common, "23/Nov/2026:04:16:40 -0330")
        self.assertEqual(times.iso, "2026-11-23T04:16:40-03:30")
