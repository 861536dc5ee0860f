# -*- test-case-name: tests.policy.test_tieroffers -*-
"""
What memory offers to the tier behind it.

That takes so much at a time.  What it does not take is not current there any more, and
is passed over until it is dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred

from ..wire.ranges import parseContentRange
from .answers import PARTIAL_CONTENT
from .tierlooks import broke, keepUntil

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..interfaces import ICacheTier
    from .entries import Entry
    from .stores import MemoryStore
    from .tierlooks import TierLooks

#: How many entries are written at a time.
WRITINGS: Final = 64
#: How many of them may be on their way however much is: those that don't fit memory.
BIG_WRITINGS: Final = 256
#: How many whose content is on the disk get another head at a time: until that is
#: there, they are in memory whatever their content takes.
RENEWALS: Final = 1000
#: What is fresh for less than this, and can't be validated then, is not worth it.
SHORT_SECONDS: Final = 10.0
#: How many that are not written are noted before what they replace is dropped.
OUTDATED: Final = 256


class TierOffers:
    """What is written behind the memory, or is worth it."""

    __slots__ = (
        "_behind",
        "_looks",
        "_memory",
        "_outdated",
        "_pending",
        "_purging",
        "_reactor",
        "roomOctets",
    )

    def __init__(
        self, reactor: Any, memory: MemoryStore, behind: ICacheTier, looks: TierLooks
    ) -> None:
        """
        @param looks: is told what changes behind.
        """
        self._reactor = reactor
        self._memory = memory
        self._behind = behind
        self._looks = looks
        # What is newer in memory than behind.
        self._outdated: dict[tuple[bytes, bytes], None] = {}
        # What is being written.
        self._pending: dict[Entry, None] = {}
        # What is about entries that are in memory still, though not behind.
        self._purging: dict[Callable[[Entry], bool], None] = {}
        self.roomOctets = max(1 << 24, memory.limitOctets // 8)

    @property
    def count(self) -> int:
        """How many are being written."""
        return len(self._pending)

    def isBig(self, entry: Entry) -> bool:
        """Whether its content, as it was announced, is more than memory takes."""
        length = None if entry.verdict is None else entry.verdict.length
        most = self._memory.maxObjectOctets
        if length is None or length <= most:
            return False
        if entry.status == PARTIAL_CONTENT:
            # That is the length of the whole.
            part = parseContentRange(entry.fields.get(b"content-range") or b"")
            return part is None or part.end - part.first > most
        return True

    def offer(self, entry: Entry) -> None:
        """Have an entry written, if it is worth it and there is not too much to do."""
        if entry in self._pending or (self._purging and self._isPurged(entry)):
            return
        file = entry.body.file
        if file is not None and file.complete:
            offered = len(self._pending) < RENEWALS
        else:
            offered = self._isWorthIt(entry) and (
                self._behind.writingOf(entry) is not None or self._hasRoom(entry)
            )
        if not offered:
            self.skip(entry)
            return
        self._outdated.pop((entry.key, entry.variant), None)
        answer = self._behind.add(entry)
        if isinstance(answer, Deferred):
            self._pending[entry] = None
            writing = self._behind.writingOf(entry)
            if writing is None and entry.body.file is None:
                # It is not taken, and what it would have replaced goes.
                self._drops(entry, answer)
            answer.addErrback(broke)
            answer.addCallback(self._written, entry, writing)

    def withhold(self, covers: Callable[[Entry], bool], purged: Deferred[int] | int) -> None:
        """
        Have nothing come back behind the memory that was purged there and will be here.

        @param covers: whether it is so for an entry; has expire what only that is to.
        @param purged: when there is none of them here any more.
        """
        if isinstance(purged, Deferred):
            keepUntil(self._purging, covers, purged)

    def _isPurged(self, entry: Entry) -> bool:
        return any(covers(entry) for covers in self._purging)

    def _drops(self, entry: Entry, dropped: Deferred[Any]) -> None:
        """What is behind under the name of an entry is on its way out."""
        key, variant = entry.key, entry.variant
        self._looks.change(lambda each: each.key == key and each.variant == variant, dropped)

    def _isWorthIt(self, entry: Entry) -> bool:
        if entry.expires - self._reactor.seconds() >= SHORT_SECONDS:
            return True
        head = b"\n" + entry.head.lower()
        return b"\netag:" in head or b"\nlast-modified:" in head

    def _hasRoom(self, entry: Entry) -> bool:
        count = len(self._pending)
        if self.isBig(entry):
            return count < BIG_WRITINGS
        if count >= WRITINGS:
            return False
        owed = 0
        for each in self._pending:
            writing = self._behind.writingOf(each)
            if writing is not None:
                owed += writing.owed
        return owed < self.roomOctets

    def skip(self, entry: Entry) -> None:
        """What is behind under its name is not the current response any more."""
        self._outdated[entry.key, entry.variant] = None
        if len(self._outdated) >= OUTDATED:
            self.tidyUp()

    def tidyUp(self) -> None:
        """Drop behind what is not current any more, all at once."""
        outdated, self._outdated = self._outdated, {}
        if outdated:
            self._looks.change(
                lambda entry: (entry.key, entry.variant) in outdated,
                self._behind.removeAll(list(outdated)),
            )

    def _written(self, stored: bool | None, entry: Entry, writing: Any) -> None:
        """The tier has an entry, or will not have it."""
        self._pending.pop(entry, None)
        current = entry if writing is None else writing.entry
        body = current.body
        if not stored and writing is not None and writing.dropped is not None:
            self._drops(current, writing.dropped)
        if stored:
            if body.spilling is not None:
                self._memory.shed(current, body.shed(body.octets))
        elif body.start:
            # What was let go is nowhere now, but with those who have it open.
            self._memory.remove(current)
        self.tidyUp()

    def isOutdated(self, entry: Entry) -> bool:
        """Whether one that was found behind is not current any more."""
        return (entry.key, entry.variant) in self._outdated
