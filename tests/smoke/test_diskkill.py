# -*- test-case-name: tests.smoke.test_diskkill -*-
"""
The store on disk and processes that die at any moment.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.diskfiles import Files
from intermediary.policy.diskindex import DiskIndex

from .diskwriter import KEYS, LIMIT_OCTETS, tagOf

ROOT = Path(__file__).parent.parent.parent


class KillTests(SynchronousTestCase):
    """C{kill -9}."""

    TIMES = 6

    def writer(self, folder: str) -> subprocess.Popen[bytes]:
        """Begin to write."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.smoke.diskwriter", folder],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def check(self, folder: str) -> int:
        """Compare all that is found with what it was; how much there was."""
        files, index = Files(folder), DiskIndex(os.path.join(folder, "index.sqlite"), LIMIT_OCTETS)
        index.open()
        count = 0
        size = 0
        for number in range(KEYS):
            for row in index.find(b"GET http://a.example/%d" % number):
                descriptor = files.read(row.name, row.octets)
                try:
                    content = os.read(descriptor, row.octets + 1)
                finally:
                    os.close(descriptor)
                self.assertEqual(row.head, b"ETag: %b\r\n" % tagOf(content))
                count += 1
                size += row.size
        self.assertEqual(index.room(), (size, count))
        self.assertLessEqual(size, LIMIT_OCTETS)
        index.close()
        return count

    def test_nothingIsTruncatedOrMixed(self) -> None:
        """
        Whenever two processes with one folder are killed.

        Every row that is found has its content, and the sum of the sizes is
        right.
        """
        folder = os.path.abspath(self.mktemp())
        found = 0
        for _ in range(self.TIMES):
            writers = [self.writer(folder), self.writer(folder)]
            for writer in writers:
                assert writer.stdout is not None
                self.assertTrue(writer.stdout.readline(), "it wrote nothing")
            time.sleep(random.uniform(0.0, 0.2))
            for writer in writers:
                writer.kill()
                writer.wait()
            found += self.check(folder)
        self.assertGreater(found, self.TIMES * 5)
