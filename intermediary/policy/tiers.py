# -*- test-case-name: tests.policy.test_tiers -*-
"""
A store behind the one in memory: what is not here is looked up there.

To the steps of a route both are one store.  Memory has the last word, and answers at
once; the tier behind it is told of all that happens, and asked where memory has
nothing.  It is a help and no more: if it is slow, out of order or has too much to
do, requests go to their origins as if it were not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from zope.interface import classImplements

from ..interfaces import ICacheStore
from .purging import Purge, total, urlOf
from .tierlooks import TierLooks
from .tieroffers import TierOffers

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred

    from ..exchange import Exchange
    from ..interfaces import ICacheTier
    from .entries import Entry, Shelf
    from .stores import MemoryStore
    from .visit import Visit

#: How far the disk may be behind with content that is in memory for its sake alone,
#: before its origin has to wait; and as a share of the memory, which is to hold it.
SPILL_OCTETS: Final = 1 << 20
SPILL_PART: Final = 4


class Tiers:
    """
    The store in memory and the one behind it.

    @ivar memory: the first.
    @ivar behind: the second.
    @ivar looks: has the first know what the second has.
    @ivar offers: has the second know what the first has.
    @ivar spillOctets: how far the second may be behind with what is too big for the
        first.
    """

    __slots__ = (
        "_reactor",
        "_urlOf",
        "behind",
        "looks",
        "maxObjectOctets",
        "memory",
        "offers",
        "spillOctets",
    )

    def __init__(
        self,
        reactor: Any,
        memory: MemoryStore,
        behind: ICacheTier,
        maxObjectOctets: int,
        urlOf: Callable[[bytes], bytes] = urlOf,
    ) -> None:
        """
        @param memory: takes the content of an entry up to its own limit.
        @param maxObjectOctets: what the tier behind it takes of one entry.
        """
        self._reactor = reactor
        self._urlOf = urlOf
        self.memory = memory
        self.behind = behind
        self.maxObjectOctets = maxObjectOctets
        memory.leaving = self._leaves
        self.looks = TierLooks(reactor, memory, behind, self._isOutdated)
        self.offers = TierOffers(reactor, memory, behind, self.looks)
        self.spillOctets = min(SPILL_OCTETS, memory.limitOctets // SPILL_PART)

    @property
    def count(self) -> int:
        """How many entries are in memory."""
        return self.memory.count

    # Shelves

    def find(self, key: bytes) -> Shelf | None:
        """See L{IShelves.find<intermediary.interfaces.IShelves.find>}: what memory has."""
        return self.memory.find(key)

    def shelf(self, key: bytes) -> Shelf:
        """See L{IShelves.shelf<intermediary.interfaces.IShelves.shelf>}: that of the memory."""
        return self.memory.shelf(key)

    def tidy(self, shelf: Shelf) -> None:
        """See L{IShelves.tidy<intermediary.interfaces.IShelves.tidy>}."""
        self.memory.tidy(shelf)

    # Looking up

    def look(self, exchange: Exchange, visit: Visit, key: bytes) -> bool:
        """See L{TierLooks.look}."""
        return self.looks.look(exchange, visit, key)

    def bring(self, exchange: Exchange, visit: Visit, entry: Entry) -> bool:
        """See L{TierLooks.bring}."""
        return self.looks.bring(exchange, visit, entry)

    def _isOutdated(self, entry: Entry) -> bool:
        return self.offers.isOutdated(entry)

    # Storing

    def used(self, entry: Entry) -> None:
        """See L{ICacheStore.used}."""
        self.memory.used(entry)
        if entry.body.file is not None:
            self.behind.used(entry)
        elif entry.uses == 2:
            self.offers.offer(entry)

    def add(self, entry: Entry) -> bool:
        """
        See L{ICacheStore.add}.

        What memory has no room for is stored if the tier behind it takes it.
        """
        if not self.memory.add(entry):
            self.offers.skip(entry)
            return False
        self.offers.offer(entry)
        body = entry.body
        if (
            self.offers.isBig(entry)
            and (body.file is None or not body.file.complete)
            and self.behind.writingOf(entry) is None
        ):
            self.memory.remove(entry)
        return entry.queue is not None

    def _leaves(self, entry: Entry) -> None:
        """An entry leaves memory."""
        if entry.body.file is None and entry.body.complete:
            self.offers.offer(entry)

    def grew(self, entry: Entry, octets: int) -> bool:
        """
        See L{ICacheStore.grew}.

        Of what is too big for memory, or has left it, what is written behind is let go.
        """
        memory = self.memory
        body = entry.body
        if body.spilling is None:
            if entry.queue is not None and memory.takes(entry, octets):
                return memory.grew(entry, octets)
            body.spilling = self.behind.writingOf(entry)
            if body.spilling is None:
                return memory.grew(entry, octets)
        if body.spilling.failed or body.octets + octets > self.maxObjectOctets:
            memory.remove(entry)
            return False
        memory.swell(entry, octets)
        return True

    def shed(self, entry: Entry, octets: int) -> None:
        """See L{ICacheStore.shed}."""
        self.memory.shed(entry, octets)

    # What goes

    def remove(self, entry: Entry) -> None:
        """See L{ICacheStore.remove}."""
        shelf = self.memory.find(entry.key)
        current = None if shelf is None else shelf.entryOf(entry.variant)
        self.memory.remove(entry)
        if current is None and not entry.body.complete and self.behind.writingOf(entry) is None:
            # It is not behind, either: what is there under its name is newer.
            return
        if current is None or current is entry:
            self.looks.change(
                lambda each: each.key == entry.key and each.variant == entry.variant,
                self.behind.removeAll([(entry.key, entry.variant)]),
            )

    def forget(self, key: bytes) -> Deferred[int] | int:
        """See L{ICacheStore.forget}."""
        behind = self.looks.change(lambda each: each.key == key, self.behind.forget(key))
        return total(self.memory.forget(key), behind)

    def purge(self, what: Purge, soft: bool = False) -> Deferred[int] | int:
        """
        See L{IPurgeable.purge<intermediary.interfaces.IPurgeable.purge>}.

        What is here and behind counts once.
        """
        change = self._change(what, soft, None)
        behind = self.looks.change(change, self.behind.purge(what, soft))
        return total(self._purgeMemory(what, soft, None, change), behind)

    def _purgeMemory(
        self,
        what: Purge,
        soft: bool,
        isMeant: Callable[[Entry], bool] | None,
        change: Callable[[Entry], bool],
    ) -> Deferred[int] | int:
        """Purge what is here, which may take some turns, and have none of it written meanwhile."""
        last = self.memory.added
        purged = self.memory.purge(what, soft, isMeant)
        self.offers.withhold(lambda entry: entry.serial <= last and change(entry), purged)
        return purged

    def _change(
        self, what: Purge, soft: bool, isMeant: Callable[[Entry], bool] | None
    ) -> Callable[[Entry], bool]:
        """Make what is done to an entry that was looked for before a purge, and found after it."""
        now = self._reactor.seconds()

        def change(entry: Entry) -> bool:
            if not what.coversEntry(entry, self._urlOf(entry.key)):
                return False
            if isMeant is not None and not isMeant(entry):
                return False
            if soft:
                entry.expires = min(entry.expires, now)
                return False
            return True

        return change

    # What has gone from behind the memory by another process

    def purgeHere(
        self, what: Purge, soft: bool = False, isMeant: Callable[[Entry], bool] | None = None
    ) -> Deferred[int] | int:
        """
        As L{purge}, of what is here.

        @param isMeant: as in L{MemoryStore.purge<intermediary.policy.stores.MemoryStore.purge>}.
        """
        self.behind.giveUp(what, isMeant)
        change = self._change(what, soft, isMeant)
        gone: Deferred[int] | int = self.looks.change(
            change, self._purgeMemory(what, soft, isMeant, change)
        )
        return gone

    def end(self) -> None:
        """Nobody waits any more."""
        self.looks.end()
        self.offers.tidyUp()

    def __repr__(self) -> str:
        return f"<Tiers {self.memory!r} {self.behind!r} writing={self.offers.count}>"


classImplements(Tiers, ICacheStore)
