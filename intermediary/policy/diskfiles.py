# -*- test-case-name: tests.policy.test_diskfiles -*-
"""
Files with the content of stored responses, in sharded folders.

A file is written beside its place and renamed into it when it is complete and on
the disk, so what has the name of a body is one, whatever happens meanwhile.  A
name is used once; who has a file open keeps its content when it is deleted.

All of it blocks, and is for threads.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: Where files are written; the shards have two hexadecimal digits each.
GROWING: Final = "growing"
#: In which pieces a file is read.
PIECE_OCTETS: Final = 1 << 20
#: What has not changed for so long, and has no row, is left over from a process
#: that died, and not on its way in another one.
LEFT_OVER_SECONDS: Final = 3600.0


class Files:
    """A folder of bodies."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def open(self) -> None:
        """Make the folder."""
        # One by one: of a path, the mode is only that of its last folder.
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        os.makedirs(os.path.join(self.folder, GROWING), mode=0o700, exist_ok=True)

    def pathOf(self, name: str) -> str:
        """Say where a complete file is."""
        return os.path.join(self.folder, name[:2], name[2:4], name)

    def begin(self) -> Growing:
        """Begin a new file."""
        name = uuid.uuid4().hex
        path = os.path.join(self.folder, GROWING, name)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        return Growing(self, name, path, os.open(path, flags, 0o600))

    def read(self, name: str, octets: int) -> int:
        """
        Open a complete file.

        @param octets: how many it must have.
        @return: a file descriptor, the caller's.
        @raise FileNotFoundError: it is gone.
        @raise OSError: it is not what it was.
        """
        descriptor = os.open(self.pathOf(name), os.O_RDONLY | os.O_CLOEXEC)
        found = os.fstat(descriptor).st_size
        if found != octets:
            os.close(descriptor)
            raise FileNotFoundError(f"{name} has {found} octets instead of {octets}")
        return descriptor

    def content(self, name: str, octets: int) -> list[bytes]:
        """
        Read a complete file, in pieces.

        @raise FileNotFoundError: it is gone, or has another length.
        """
        descriptor = self.read(name, octets)
        pieces: list[bytes] = []
        try:
            while octets:
                piece = os.read(descriptor, min(octets, PIECE_OCTETS))
                if not piece:
                    raise FileNotFoundError(f"{name} became shorter")
                pieces.append(piece)
                octets -= len(piece)
        finally:
            os.close(descriptor)
        return pieces

    def remove(self, names: Iterable[str]) -> None:
        """Delete files; some may be gone already."""
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.pathOf(name))

    def leftOver(self, known: Callable[[Iterable[str]], set[str]]) -> int:
        """
        Delete what nobody knows any more, and is not on its way; how many there were.

        @param known: tells which of some names are known.
        """
        before = time.time() - LEFT_OVER_SECONDS
        count = 0
        for folder in self._folders():
            old = [entry.name for entry in _scan(folder) if _changed(entry) < before]
            if old:
                spared = known(old)
                for name in old:
                    if name not in spared:
                        with contextlib.suppress(FileNotFoundError):
                            os.unlink(os.path.join(folder, name))
                            count += 1
        return count

    def _folders(self) -> Iterator[str]:
        yield os.path.join(self.folder, GROWING)
        for first in _scan(self.folder):
            if len(first.name) == 2 and first.is_dir():
                for second in _scan(first.path):
                    if second.is_dir():
                        yield second.path


def _scan(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except FileNotFoundError:
        return []


def _changed(entry: os.DirEntry[str]) -> float:
    try:
        return entry.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


class Growing:
    """
    A file that is being written.

    @ivar name: its name for ever.
    """

    def __init__(self, files: Files, name: str, path: str, descriptor: int) -> None:
        self._files = files
        self.name = name
        self._path = path
        self._descriptor = descriptor

    def write(self, pieces: list[bytes]) -> None:
        """Append."""
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def share(self) -> int:
        """Get another descriptor for it, the caller's."""
        return os.dup(self._descriptor)

    def commit(self) -> None:
        """Put it into its place; it is complete."""
        # A row that outlives a loss of power must not lead to less than was written.
        os.fdatasync(self._descriptor)
        self._close()
        path = self._files.pathOf(self.name)
        try:
            os.rename(self._path, path)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            os.rename(self._path, path)

    def discard(self) -> None:
        """It will not be complete; also after a commit that failed."""
        self._close()
        with contextlib.suppress(OSError):
            os.unlink(self._path)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
