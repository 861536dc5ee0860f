# -*- test-case-name: tests.policy.test_diskdebts -*-
"""
That something on the disk should have been changed, and was not, for who comes after.

What is owed to a disk is in the memory of the process that owes it.  If that ends before
the disk works again, what was purged is there still.  So as long as a process owes
something, it has a file with a lock on it in the folder: one without a lock is of a
process that has gone, and then nothing that is there can be trusted.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import uuid
from threading import Lock
from typing import Final

#: What the names of these files begin with.
OWING: Final = "owing-"


class Debts:
    """
    What the processes of a folder owe to it.

    @ivar owing: whether this one does; L{mark} has the folder say so.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.owing = False
        # For calls from several threads: the last one sees what is so by then.
        self._lock = Lock()
        self._path = ""
        self._descriptor = -1

    def mark(self) -> None:
        """
        Have the folder say whether something is owed; in a thread.

        @raise OSError: it takes no file.
        """
        with self._lock:
            if self.owing and self._descriptor < 0:
                self._begin()
            elif not self.owing and self._descriptor >= 0:
                self._end()

    def _begin(self) -> None:
        path = os.path.join(self._folder, OWING + uuid.uuid4().hex)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        self._path, self._descriptor = path, descriptor

    def _end(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        # The name first: a file without a lock is a debt.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        os.close(descriptor)

    def left(self) -> list[str]:
        """Find the files of processes that have gone; in a thread."""
        with contextlib.suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            marks = [each.path for each in entries if each.name.startswith(OWING)]
            return [path for path in marks if not _isLocked(path)]
        return []

    def forgive(self, paths: list[str]) -> None:
        """All in the folder has been dropped; in a thread."""
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def _isLocked(path: str) -> bool:
    """Tell whether a process holds a file; one that has just gone is nobody's debt."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    # Its owner may have settled it between these two lines.
    return not os.path.exists(path)
