# -*- test-case-name: tests.policy.test_diskfiles -*-
"""
Files of bodies.
"""

from __future__ import annotations

import os
import shutil
import stat

from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.diskfiles import GROWING, LEFT_OVER_SECONDS, Files


class FilesTests(SynchronousTestCase):
    """L{Files}."""

    def setUp(self) -> None:
        self.folder = self.mktemp()
        self.files = Files(self.folder)
        self.files.open()
        self.growing = os.path.join(self.folder, GROWING)

    def written(self, content: bytes) -> str:
        """Write a file."""
        file = self.files.begin()
        file.write([content[:3], b"", content[3:]])
        file.commit()
        return file.name

    def test_nobodyElseMayEnter(self) -> None:
        """It and what it holds are for this user alone, whatever the umask; what is above is not ours."""
        before = os.umask(0o022)
        self.addCleanup(os.umask, before)
        above = self.mktemp()
        folder = os.path.join(above, "cache")
        files = Files(folder)
        files.open()
        self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode), 0o700)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(folder, GROWING)).st_mode), 0o700)
        self.assertEqual(stat.S_IMODE(os.stat(above).st_mode), 0o755)

    def test_whatWasCommittedIsRead(self) -> None:
        """From its shard, and nothing else is left."""
        name = self.written(b"content")
        descriptor = self.files.read(name, 7)
        self.addCleanup(os.close, descriptor)
        self.assertEqual(os.read(descriptor, 100), b"content")
        self.assertEqual(
            self.files.pathOf(name), os.path.join(self.folder, name[:2], name[2:4], name)
        )
        self.assertEqual(os.listdir(self.growing), [])

    def test_whatIsNotCommittedIsNotThere(self) -> None:
        """Nor is it any more when it was discarded; that may be done twice."""
        file = self.files.begin()
        file.write([b"content"])
        self.assertRaises(FileNotFoundError, self.files.read, file.name, 7)
        self.assertEqual(os.listdir(self.growing), [file.name])
        file.discard()
        file.discard()
        self.assertEqual(os.listdir(self.growing), [])

    def test_anotherLengthIsAnotherFile(self) -> None:
        """It was cut, or is not what it was."""
        name = self.written(b"content")
        os.truncate(self.files.pathOf(name), 6)
        self.assertRaises(FileNotFoundError, self.files.read, name, 7)

    def test_whoHasItOpenKeepsIt(self) -> None:
        """Deleted again, it is no error."""
        name = self.written(b"content")
        descriptor = self.files.read(name, 7)
        self.addCleanup(os.close, descriptor)
        self.files.remove([name, name])
        self.assertEqual(os.read(descriptor, 100), b"content")
        self.assertRaises(FileNotFoundError, self.files.read, name, 7)

    def test_onlyOldFilesThatNobodyKnowsAreLeftOver(self) -> None:
        """Another process may be about to commit a new one."""
        known, unknown, new = (self.written(b"content") for _ in range(3))
        begun, died = self.files.begin(), self.files.begin()
        self.addCleanup(begun.discard)
        self.addCleanup(died.discard)
        for path in (
            self.files.pathOf(known),
            self.files.pathOf(unknown),
            os.path.join(self.growing, died.name),
        ):
            changed = os.stat(path).st_mtime - LEFT_OVER_SECONDS - 10
            os.utime(path, (changed, changed))
        self.assertEqual(self.files.leftOver(lambda names: {known} & set(names)), 2)
        for name in (known, new):
            self.assertTrue(os.path.exists(self.files.pathOf(name)))
        self.assertFalse(os.path.exists(self.files.pathOf(unknown)))
        self.assertEqual(os.listdir(self.growing), [begun.name])

    def test_withoutTheFolderNothingIsLeftOver(self) -> None:
        """And nothing begins."""
        shutil.rmtree(self.folder)
        self.assertEqual(self.files.leftOver(set), 0)
        self.assertRaises(FileNotFoundError, self.files.begin)
