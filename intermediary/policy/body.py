# -*- test-case-name: tests.policy.test_body -*-
"""
Content in memory that may still be growing, and who reads it meanwhile.

One writes, any number read, each at its own pace: a reader asks for what comes
after the octets it has.  Nothing is taken away from a reader: whoever holds a body
has all of it, also when no store does any more; unless its owner lets it go
(L{Body.shed}), piece by piece behind the slowest.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, Protocol

from ..wire.fields import EMPTY, Fields

if TYPE_CHECKING:
    from ..errors import IntermediaryError
    from ..interfaces import IFilePart

#: Pieces are joined up to this, so that an origin that sends single octets does
#: not make us keep an object for each.
PIECE_OCTETS: Final = 16384
#: A body up to this is one piece once it is complete.
ONE_PIECE_OCTETS: Final = 262144


class Watcher(Protocol):
    """Who wants to know of every change of a body."""

    @property
    def position(self) -> int:
        """The first octet that it has yet to get."""

    def grown(self) -> None:
        """There is more, or the end, or the error; must not raise."""


class Reader(Protocol):
    """Who is on the way through a body, whether that still grows or not."""

    @property
    def position(self) -> int:
        """The first octet that it has yet to get."""

    def cutOff(self) -> None:
        """It can't have the rest."""


class Body:
    """
    The content of one response.

    @ivar pieces: what is there, in order; not to be changed.  A reader does not
        count pieces, as they are joined: it counts octets, see L{read}.
    @ivar start: how many octets at the beginning are not here any more; who wants
        them has to read the C{file}, if there is one.
    @ivar octets: how many there are, those included.
    @ivar complete: no more will come, and nothing is missing.
    @ivar error: why it will never be complete; None if it may be.
    @ivar trailers: the fields after it, once it is complete.
    @ivar file: where it can be had from if it is not here, or as well; None if it
        is nowhere else.  See L{StoredFile<intermediary.policy.diskstore.StoredFile>}.
    @ivar pages: where all of it is in place of C{pieces}, for the kernel to send it; None
        if it is not.  See L{Pages<intermediary.policy.pages.Pages>}.
    @ivar spilling: who writes it to its file, where it is too big to be here: what is
        written is let go.  None for all else.
    @ivar source: who brings it, and wants to know how far its readers are; None
        if nobody does.
    """

    __slots__ = (
        "_ends",
        "_readers",
        "_watchers",
        "complete",
        "error",
        "file",
        "octets",
        "pages",
        "pieces",
        "source",
        "spilling",
        "start",
        "trailers",
    )

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.start = 0
        self.octets = 0
        self.complete = False
        self.error: IntermediaryError | None = None
        self.trailers: Fields = EMPTY
        self.file: Any = None
        self.pages: IFilePart | None = None
        self.source: Any = None
        self.spilling: Any = None
        # Where each piece ends; None as long as there was never more than one.
        self._ends: list[int] | None = None
        self._watchers: dict[Any, None] | None = None
        self._readers: dict[Any, None] | None = None

    @classmethod
    def of(cls, content: bytes) -> Body:
        """Make a complete body."""
        body = cls()
        if content:
            body.pieces = [content]
            body.octets = len(content)
        body.complete = True
        return body

    @classmethod
    def within(cls, file: Any) -> Body:
        """Make a complete body whose content is all in a file."""
        body = cls()
        body.file = file
        body.start = body.octets = file.octets
        body.trailers = file.trailers
        body.complete = True
        return body

    @property
    def ended(self) -> bool:
        """Whether it will not change any more."""
        return self.complete or self.error is not None

    @property
    def isWhole(self) -> bool:
        """Whether who begins to read it now can have all of it, now or later."""
        if self.start:
            return self.error is None and self.file is not None and self.file.isOpen
        return self.error is None

    @property
    def isKept(self) -> bool:
        """Whether all of it is here or in a complete file, though that may have to be opened."""
        return self.complete and (not self.start or (self.file is not None and self.file.complete))

    @property
    def heldOctets(self) -> int:
        """How many octets are here."""
        return self.octets - self.start

    # Writing

    def append(self, piece: bytes) -> None:
        """Take the next piece, and tell the watchers."""
        self.take(piece)
        self.tell()

    def take(self, piece: bytes) -> None:
        """Take the next piece; the watchers hear of it by L{tell}, or by the end."""
        assert not self.ended
        if not piece:
            return
        pieces = self.pieces
        self.octets += len(piece)
        if pieces and len(pieces[-1]) + len(piece) <= PIECE_OCTETS:
            pieces[-1] += piece
            if self._ends is not None:
                self._ends[-1] = self.octets
        else:
            pieces.append(piece)
            if self._ends is not None:
                self._ends.append(self.octets)
            elif len(pieces) == 2:
                self._ends = [self.octets - len(piece), self.octets]

    def tell(self) -> None:
        """Tell the watchers of what was appended."""
        if self._watchers is not None:
            self._tell(self._watchers)

    def end(self, trailers: Fields = EMPTY) -> None:
        """It is complete: tell the watchers for the last time."""
        assert not self.ended
        self.complete = True
        self.trailers = trailers
        if len(self.pieces) > 1 and self.octets <= ONE_PIECE_OCTETS and not self.start:
            self._join()
        elif self.pieces:
            # Without the room to grow.
            self.pieces = list(self.pieces)
        self._last()

    def fail(self, error: IntermediaryError) -> None:
        """It will never be complete: tell the watchers for the last time."""
        assert not self.ended
        self.error = error
        self._last()

    def shed(self, offset: int) -> int:
        """
        Let go what all who read it have had, for content that is too big to be kept.

        Memory is bounded then, if the writer waits for the slowest reader.

        @param offset: how many octets the slowest reader has, a store included; or
            how many are in the file.
        @return: how many octets went.
        """
        before = self.start
        ends = self._ends
        if ends is None:
            ends = self._ends = [self.octets] if self.pieces else []
        number = bisect_right(ends, offset)
        if number:
            self.start = ends[number - 1]
            del self.pieces[:number]
            del ends[:number]
        return self.start - before

    def restore(self, pieces: list[bytes]) -> None:
        """Take all of the content, of which some is only in the file."""
        assert self.complete
        self.start = 0
        self.pieces = pieces
        self._ends = list(accumulate(map(len, pieces))) if len(pieces) > 1 else None
        if len(pieces) > 1 and self.octets <= ONE_PIECE_OCTETS:
            self._join()

    def move(self, pages: IFilePart) -> None:
        """Take all of the content, which is here and complete, from there from now on."""
        assert self.complete
        assert not self.start
        self.pages = pages
        self.pieces = []
        self._ends = None

    def _join(self) -> None:
        self.pieces = [b"".join(self.pieces)]
        self._ends = None

    # Reading

    def read(self, offset: int, stop: int = -1) -> bytes:
        """
        Get the next piece.

        @param offset: how many octets the reader has.
        @param stop: the octet after the last one that it wants; -1 for all.
        @return: some of what follows; empty if there is no more yet, or ever.
        """
        if offset >= self.octets:
            return b""
        assert offset >= self.start, "that has been shed"
        if self.pages is not None:
            end = min(self.octets, offset + ONE_PIECE_OCTETS)
            return self.pages.read(offset, min(end, stop) if stop >= 0 else end)
        ends = self._ends
        if ends is None:
            piece = self.pieces[0]
            start = 0
        else:
            number = bisect_right(ends, offset)
            piece = self.pieces[number]
            start = ends[number] - len(piece)
        if 0 <= stop < start + len(piece):
            return piece[offset - start : stop - start]
        return piece if start == offset else piece[offset - start :]

    def cut(self, start: int, stop: int) -> list[bytes]:
        """
        Get a range in pieces.

        @param stop: the octet after the last one, as in a slice.
        """
        if self.pages is not None:
            return [self.pages.read(start, stop)]
        found = []
        while start < stop:
            piece = self.read(start, stop)
            if not piece:
                break
            found.append(piece)
            start += len(piece)
        return found

    @property
    def whole(self) -> bytes:
        """All of it in one piece; it has to be complete."""
        assert self.complete
        assert not self.start
        if self.pages is not None:
            return self.pages.read(0, self.octets)
        if len(self.pieces) > 1:
            self._join()
        return self.pieces[0] if self.pieces else b""

    # Watching

    def watch(self, watcher: Watcher) -> None:
        """Tell it of every change from now on; a body that has ended has none."""
        if self.ended:
            return
        if self._watchers is None:
            self._watchers = {}
        self._watchers[watcher] = None

    def unwatch(self, watcher: Watcher) -> None:
        """Tell it no more; it need not have watched."""
        watchers = self._watchers
        if watchers is not None:
            watchers.pop(watcher, None)
            if not watchers:
                self._watchers = None

    def slowest(self) -> int:
        """Find out which octet the slowest watcher wants next."""
        watchers = self._watchers
        if watchers is None:
            return self.octets
        positions: list[int] = [watcher.position for watcher in watchers]
        return min(positions)

    def enter(self, reader: Reader) -> None:
        """Somebody begins to read it."""
        if self._readers is None:
            self._readers = {}
        self._readers[reader] = None

    def leave(self, reader: Reader) -> None:
        """Somebody does not read it any more; need not have entered."""
        readers = self._readers
        if readers is not None:
            readers.pop(reader, None)
            if not readers:
                self._readers = None

    @property
    def readers(self) -> list[Any]:
        """Who reads it: each is a L{Reader}."""
        return list(self._readers) if self._readers is not None else []

    def passed(self) -> None:
        """A watcher is further, or is gone."""
        if self.source is not None:
            self.source.balance()

    @property
    def watchers(self) -> int:
        """How many watch it."""
        return len(self._watchers) if self._watchers is not None else 0

    def _tell(self, watchers: dict[Any, None]) -> None:
        # One may send another one away.
        for watcher in list(watchers):
            if watcher in watchers:
                watcher.grown()

    def _last(self) -> None:
        watchers = self._watchers
        if watchers is not None:
            self._tell(watchers)
            self._watchers = None

    def __repr__(self) -> str:
        state = "complete" if self.complete else "failed" if self.error is not None else "growing"
        return f"<Body {self.octets} octets, {state}, watchers={self.watchers}>"
