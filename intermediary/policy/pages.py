# -*- test-case-name: tests.policy.test_pages -*-
"""
Content in memory that the kernel can send without a copy into a socket.

What is in memory as octets of Python is copied whenever it is sent.  What is in the
pages of a file in memory (C{memfd_create(2)}) is not: C{sendfile(2)} has the socket
refer to them.  For a big answer that is most of what a hit costs.

Pages that were sent may still be on their way when nobody here needs them any more,
so they are never written again: each content gets new ones, at offsets that were
never used before, and when it goes its pages are cut out of the file.  Whoever
refers to them in the kernel has them until it is through.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, Final

from zope.interface import implementer

from ..interfaces import IFilePart

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Content from which on it pays: for less, another system call costs what the copy does.
LEAST_OCTETS: Final = 32768
#: Content up to which it is done: everybody waits while it is copied this once.
MOST_OCTETS: Final = 1 << 20
#: Uses of a response after which it is done: by then, its copies have cost as much as
#: to get pages and to give them back.
WORTH_USES: Final = 5
#: Where the file ends; there are no more offsets by far.
_END: Final = 1 << 62
#: Pieces for one call; the kernel takes no more than 1024.
_GATHERED: Final = 512

#: Whether the system can do it.
AVAILABLE: Final = (
    hasattr(os, "memfd_create") and hasattr(os, "sendfile") and hasattr(mmap, "MADV_REMOVE")
)


class PageFile:
    """
    A file in memory, of which each L{Pages} has a part.

    It is made when it is first needed, and closed when it is not used any more and none
    of its parts is.  Where the system does not let us have it, there is none.
    """

    def __init__(self) -> None:
        self._descriptor = -1
        self._end = 0
        self._broken = not AVAILABLE

    def keep(self, pieces: Sequence[bytes], octets: int) -> Pages | None:
        """
        Put content into it.

        @param octets: how many there are in the pieces.
        @return: None if that can't be done: there is no memory for it, above all.
        """
        if self._broken:
            return None
        if self._descriptor < 0:
            try:
                self._descriptor = os.memfd_create("intermediary")
                # Without memory for what is not written.
                os.ftruncate(self._descriptor, _END)
            except OSError:
                self._broken = True
                return None
        position = start = self._end
        end = _rounded(start + octets)
        if end > _END:
            self._broken = True
            return None
        # Whatever comes of it, these offsets are used.
        self._end = end
        pages = Pages(self, self._descriptor, start, octets)
        try:
            for first in range(0, len(pieces), _GATHERED):
                position += os.pwritev(
                    self._descriptor, pieces[first : first + _GATHERED], position
                )
        except OSError:
            return None
        return pages if position == start + octets else None

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def __repr__(self) -> str:
        state = "none" if self._broken else f"descriptor={self._descriptor}"
        return f"<PageFile {state} end={self._end}>"


@implementer(IFilePart)
class Pages:
    """
    The content of one response in a L{PageFile}; its memory is free when it is gone.

    @ivar descriptor: the file's.
    @ivar start: its first octet there.
    @ivar octets: how many there are.
    """

    __slots__ = ("_file", "descriptor", "octets", "start")

    def __init__(self, file: PageFile, descriptor: int, start: int, octets: int) -> None:
        self._file = file
        self.descriptor = descriptor
        self.start = start
        self.octets = octets

    def read(self, start: int, stop: int) -> bytes:
        """See L{IFilePart.read}."""
        stop = min(stop, self.octets)
        return os.pread(self.descriptor, stop - start, self.start + start) if start < stop else b""

    def __del__(self) -> None:
        length = _rounded(self.octets)
        with mmap.mmap(self.descriptor, length, offset=self.start) as mapped:
            mapped.madvise(mmap.MADV_REMOVE)

    def __repr__(self) -> str:
        return f"<Pages {self.octets} octets at {self.start} of {self._file!r}>"


def _rounded(octets: int) -> int:
    """Round up to whole pages."""
    return -(-octets // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY


__all__ = ["AVAILABLE", "LEAST_OCTETS", "MOST_OCTETS", "WORTH_USES", "PageFile", "Pages"]
