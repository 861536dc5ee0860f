# -*- test-case-name: tests.policy.test_stores -*-
"""
Stored responses in the memory of this process, bounded in octets.

The bound counts what an entry takes in all: its head, its content, its key, and
what Python needs to know of it (L{OVERHEAD_OCTETS
<intermediary.policy.entries.OVERHEAD_OCTETS>}).  Who leaves when it is reached
is for L{intermediary.policy.eviction}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from zope.interface import classImplements

from ..interfaces import ICacheStore
from .entries import Entry
from .eviction import HOTTEST, S3FIFO
from .leftovers import Leftovers
from .purging import KEY, TAG, Slices, urlOf
from .shelves import Shelves
from .tags import TagIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IReactorTime

    from .entries import Shelf
    from .purging import Purge

#: How many variants of one key are kept; beyond them the oldest goes.
VARIANTS: Final = 128
#: The share of the room that shelves without entries may have, on top of it.
BLANK_PART: Final = 16


class MemoryStore:
    """
    Keeps entries until there is no room for them.

    @ivar size: the room that its entries take, in octets.
    @ivar count: how many there are.
    @ivar added: how many there ever were.
    @ivar evicted: how many left for want of room.
    @ivar replaced: how many left for a newer one of the same variant.
    @ivar purged: how many were purged, softly or not.
    @ivar refused: how many were too big, at once or when they had grown.
    @ivar leftovers: what of it is still read, and takes as much again at most.
    @ivar leaving: is told of each entry that leaves for want of room; None if nobody
        wants to know.
    """

    __slots__ = (
        "_byKey",
        "_eviction",
        "_reactor",
        "_seconds",
        "_shelves",
        "_tags",
        "_urlOf",
        "added",
        "count",
        "evicted",
        "leftovers",
        "leaving",
        "limitOctets",
        "maxObjectOctets",
        "purged",
        "refused",
        "replaced",
        "size",
    )

    def __init__(
        self,
        reactor: IReactorTime,
        limitOctets: int,
        maxObjectOctets: int,
        urlOf: Callable[[bytes], bytes] = urlOf,
    ) -> None:
        """
        @param limitOctets: the room for all entries.
        @param maxObjectOctets: the content of one entry.
        @param urlOf: gives the URL that is in a key.
        """
        self._reactor = reactor
        self._seconds: Callable[[], float] = reactor.seconds
        self._urlOf = urlOf
        self.limitOctets = limitOctets
        self.maxObjectOctets = maxObjectOctets
        self._shelves = Shelves(limitOctets // BLANK_PART, self._seconds)
        self._byKey = self._shelves.byKey
        self._eviction = S3FIFO(limitOctets)
        self._tags = TagIndex()
        self.leftovers = Leftovers(reactor, limitOctets)
        self.leaving: Callable[[Entry], None] | None = None
        self.size = 0
        self.count = 0
        self.added = 0
        self.evicted = 0
        self.replaced = 0
        self.purged = 0
        self.refused = 0

    # Shelves

    def find(self, key: bytes) -> Shelf | None:
        """See L{IShelves.find<intermediary.interfaces.IShelves.find>}."""
        return self._byKey.get(key)

    def shelf(self, key: bytes) -> Shelf:
        """See L{IShelves.shelf<intermediary.interfaces.IShelves.shelf>}."""
        return self._shelves.make(key)

    def tidy(self, shelf: Shelf) -> None:
        """See L{IShelves.tidy<intermediary.interfaces.IShelves.tidy>}."""
        self._shelves.tidy(shelf)

    # Entries

    def used(self, entry: Entry) -> None:
        """See L{ICacheStore.used}."""
        entry.uses += 1
        if entry.heat < HOTTEST:
            entry.heat += 1

    def add(self, entry: Entry) -> bool:
        """See L{ICacheStore.add}."""
        assert entry.queue is None
        own = entry.ownOctets()
        content = entry.body.heldOctets
        shelf = self._shelves.make(entry.key)
        old = shelf.entryOf(entry.variant)
        entry.size = own + content
        if entry.size > self.limitOctets or (
            content > self.maxObjectOctets and not self._isSpilling(entry)
        ):
            self.refused += 1
            # What it would have replaced is not the current response any more.
            if old is not None:
                self._remove(old)
            self._shelves.tidy(shelf)
            return False
        if old is None:
            self._eviction.add(entry)
            if len(shelf.entries) >= VARIANTS:
                self._remove(shelf.entries[-1])
                self.evicted += 1
        else:
            self._eviction.replace(old, entry)
            self._tags.remove(old)
            shelf.take(old)
            self.size -= old.size
            self.count -= 1
            self.replaced += 1
        shelf.put(entry)
        self._shelves.filled(shelf)
        self._tags.add(entry)
        self.added += 1
        entry.serial = self.added
        self.size += entry.size
        self.count += 1
        if len(self.leftovers):
            self.leftovers.drop(entry.body)
        if old is not None:
            self._left(old, shelf)
        if self.size > self.limitOctets:
            self._makeRoom(entry)
        return True

    def grew(self, entry: Entry, octets: int) -> bool:
        """See L{ICacheStore.grew}."""
        queue = entry.queue
        if queue is None:
            return False
        size = entry.size + octets
        if size - entry.ownOctets() > self.maxObjectOctets or size > self.limitOctets:
            self.refused += 1
            self._remove(entry)
            return False
        self._resize(entry, octets)
        return True

    @staticmethod
    def _isSpilling(entry: Entry) -> bool:
        """Whether it is on its way to a disk: then it has no more here than its window."""
        spilling = entry.body.spilling
        return spilling is not None and not spilling.failed

    def takes(self, entry: Entry, octets: int) -> bool:
        """Tell whether an entry may grow by so many octets."""
        content = entry.body.heldOctets + octets
        return content <= self.maxObjectOctets and entry.size + octets <= self.limitOctets

    def swell(self, entry: Entry, octets: int) -> None:
        """Note that a body holds so many octets more, which will soon be shed."""
        if entry.queue is None:
            return
        if entry.size + octets > self.limitOctets:
            self._remove(entry)
        else:
            self._resize(entry, octets)

    def shed(self, entry: Entry, octets: int) -> None:
        """See L{ICacheStore.shed}."""
        if entry.queue is not None:
            self._resize(entry, -octets)

    def _resize(self, entry: Entry, octets: int) -> None:
        queue = entry.queue
        assert queue is not None
        queue.resize(entry, entry.size + octets)
        self.size += octets
        if self.size > self.limitOctets:
            self._makeRoom(entry)

    def forget(self, key: bytes) -> Deferred[int] | int:
        """See L{ICacheStore.forget}."""
        shelf = self._byKey.get(key)
        if shelf is None:
            return 0
        if shelf.fetch is not None:
            shelf.fetch.outdated = True
        entries = shelf.entries
        for entry in entries:
            self._remove(entry)
        return len(entries)

    def remove(self, entry: Entry) -> None:
        """See L{ICacheStore.remove}."""
        if entry.queue is not None:
            self._remove(entry)

    def _makeRoom(self, keeping: Entry | None) -> None:
        eviction = self._eviction
        while self.size > self.limitOctets:
            victim = eviction.evict(keeping)
            assert isinstance(victim, Entry), "what is kept fits alone"
            self.evicted += 1
            self._gone(victim)
            if self.leaving is not None:
                self.leaving(victim)

    def _remove(self, entry: Entry) -> None:
        queue = entry.queue
        assert queue is not None
        queue.take(entry)
        self._gone(entry)

    def _gone(self, entry: Entry) -> None:
        """Forget an entry that is in no queue any more."""
        self.size -= entry.size
        self.count -= 1
        if entry.tags:
            self._tags.remove(entry)
        shelf = self._byKey[entry.key]
        shelf.take(entry)
        self._left(entry, shelf)
        if not shelf.entries:
            self._shelves.emptied(shelf)

    def _left(self, entry: Entry, shelf: Shelf) -> None:
        """See to the body of an entry that is gone: others may have it, or read it."""
        body = entry.body
        if body.complete and body.readers:
            for other in shelf.entries:
                if other.body is body:
                    return
            self.leftovers.take(body)

    # Purging

    def purge(
        self, what: Purge, soft: bool = False, isMeant: Callable[[Entry], bool] | None = None
    ) -> Deferred[int] | int:
        """
        See L{IPurgeable.purge<intermediary.interfaces.IPurgeable.purge>}.

        What is on disk as well is not counted here.

        @param isMeant: tells of what it covers whether it is about that; None if it is
            about all of it.
        """
        if what.kind == TAG:
            return Slices(self._reactor, self._tagged(what, soft, isMeant)).begin()
        if what.kind == KEY:
            shelf = self._byKey.get(what.value)
            return 0 if shelf is None else self._clear(shelf, soft, self.added, isMeant)
        return Slices(self._reactor, self._search(what, soft, isMeant)).begin()

    def _tagged(
        self, what: Purge, soft: bool, isMeant: Callable[[Entry], bool] | None
    ) -> Iterator[int]:
        """Purge what has any of its tags, one entry in each step."""
        last = self.added
        # What is not removed could be met again, under another tag.
        met: set[Entry] | None = set() if soft and len(what.tags) > 1 else None
        for tag in what.tags:
            entries = self._tags.entriesOf(tag)
            # Taken out one by one: to free them all at the end would take long.
            while entries:
                entry = entries.pop()
                count = 0
                if (
                    entry.serial <= last
                    and what.reaches(entry.key)
                    and (isMeant is None or isMeant(entry))
                ):
                    if met is None:
                        count = self._purge(entry, soft)
                    elif entry not in met:
                        met.add(entry)
                        count = self._purge(entry, soft)
                yield count

    def _search(
        self, what: Purge, soft: bool, isMeant: Callable[[Entry], bool] | None
    ) -> Iterator[int]:
        """Purge what a look at all keys finds, one key in each step."""
        last = self.added
        urlOf = self._urlOf
        keys = list(self._byKey)
        keys.reverse()
        while keys:
            key = keys.pop()
            count = 0
            if what.reaches(key) and what.covers(urlOf(key)):
                shelf = self._byKey.get(key)
                if shelf is not None:
                    count = self._clear(shelf, soft, last, isMeant)
            yield count

    def _clear(
        self, shelf: Shelf, soft: bool, last: int, isMeant: Callable[[Entry], bool] | None
    ) -> int:
        """Purge what is on a shelf and was there when the store had so many."""
        count = 0
        for entry in shelf.entries:
            if entry.serial <= last and (isMeant is None or isMeant(entry)):
                count += self._purge(entry, soft)
        shelf.passUntil = 0.0
        self._shelves.tidy(shelf)
        return count

    def _purge(self, entry: Entry, soft: bool) -> int:
        if entry.queue is None:
            return 0
        self.purged += 1
        if soft:
            entry.expires = min(entry.expires, self._seconds())
        else:
            self._remove(entry)
        file = entry.body.file
        return 0 if file is not None and file.complete else 1

    def __repr__(self) -> str:
        return (
            f"<MemoryStore entries={self.count} octets={self.size}/{self.limitOctets}"
            f" blank={self._shelves.blank} tags={len(self._tags)} evicted={self.evicted}"
            f" left={self.leftovers.octets}>"
        )


# Not as a decorator, which would keep the class from being compiled well.
classImplements(MemoryStore, ICacheStore)
