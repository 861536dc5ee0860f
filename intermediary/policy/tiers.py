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

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import classImplements

from ..interfaces import ICacheStore
from ..wire.ranges import parseContentRange
from .answers import PARTIAL_CONTENT
from .purging import Purge, total, urlOf

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.python.failure import Failure

    from ..exchange import Exchange
    from ..interfaces import ICacheTier
    from .entries import Entry, Shelf
    from .stores import MemoryStore
    from .visit import Visit

#: How long a request waits for the tier.
LOOK_SECONDS: Final = 2.0
#: For how long nobody asks a tier that took longer.
REST_SECONDS: Final = 10.0
#: How many look-ups may be under way.
LOOKS: Final = 1000
#: How many entries are written at a time.
WRITINGS: Final = 64
#: How many of them may be on their way however much is: those that don't fit memory.
BIG_WRITINGS: Final = 256
#: How many whose content is on the disk get another head at a time: until that is
#: there, they are in memory whatever their content takes.
RENEWALS: Final = 1000
#: How far the disk may be behind with content that is in memory for its sake alone,
#: before its origin has to wait; and as a share of the memory, which is to hold it.
SPILL_OCTETS: Final = 1 << 20
SPILL_PART: Final = 4
#: What is fresh for less than this, and can't be validated then, is not worth it.
SHORT_SECONDS: Final = 10.0
#: How many that are not written are noted before what they replace is dropped.
OUTDATED: Final = 256

# By name: what is compiled has no frame for the logger to find it in.
_log: Final = Logger("intermediary.policy.tiers")


class Waiting:
    """
    Requests that wait for the same thing from the tier.

    @ivar exchanges: who waits, in the order in which they came.
    @ivar changes: what was changed since the tier was asked.
    """

    __slots__ = ("_timer", "changes", "exchanges")

    def __init__(self, timer: Any, changes: list[Callable[[Entry], bool]]) -> None:
        """
        @param timer: ends the wait.
        @param changes: what was being changed when the tier was asked.
        """
        self.exchanges: dict[Exchange, Visit] = {}
        self.changes = changes
        self._timer = timer

    def join(self, exchange: Exchange, visit: Visit) -> None:
        """One more waits."""
        self.exchanges[exchange] = visit
        exchange.waiting = Stay(self, exchange)

    def end(self) -> None:
        """Let them all look again."""
        if self._timer.active():
            self._timer.cancel()
        exchanges, self.exchanges = self.exchanges, {}
        for exchange in exchanges:
            exchange.front.engine.again(exchange)


class Stay:
    """That an exchange waits for the tier."""

    __slots__ = ("_exchange", "_waiting")

    def __init__(self, waiting: Waiting, exchange: Exchange) -> None:
        self._waiting = waiting
        self._exchange = exchange

    def cancel(self) -> None:
        """It waits no more; the others do."""
        self._waiting.exchanges.pop(self._exchange, None)


class Tiers:
    """
    The store in memory and the one behind it.

    @ivar memory: the first.
    @ivar behind: the second.
    @ivar found: requests for which the second had something.
    @ivar late: how often it took too long.
    @ivar spillOctets: how far the second may be behind with what is too big for the
        first.
    """

    __slots__ = (
        "_changing",
        "_loading",
        "_looking",
        "_outdated",
        "_pending",
        "_reactor",
        "_restUntil",
        "_roomOctets",
        "_urlOf",
        "behind",
        "found",
        "late",
        "maxObjectOctets",
        "memory",
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
        self.found = 0
        self.late = 0
        memory.leaving = self._leaves
        self._looking: dict[bytes, Waiting] = {}
        self._loading: dict[Any, Waiting] = {}
        self._restUntil = 0.0
        # What is being changed behind: what a look-up finds of it is of before.
        self._changing: dict[Callable[[Entry], bool], None] = {}
        # What is newer in memory than behind.
        self._outdated: dict[tuple[bytes, bytes], None] = {}
        # What is being written.
        self._pending: dict[Entry, None] = {}
        self.spillOctets = min(SPILL_OCTETS, memory.limitOctets // SPILL_PART)
        self._roomOctets = max(1 << 24, memory.limitOctets // 8)

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
        """
        Look for what memory does not have, and let an exchange wait for that.

        @return: whether it waits; if not, what there was to be found is in memory.
        """
        visit.looked = True
        waiting = self._looking.get(key)
        if waiting is None:
            if self._reactor.seconds() < self._restUntil or len(self._looking) >= LOOKS:
                return False
            answer = self.behind.find(key)
            if not isinstance(answer, Deferred):
                return False
            waiting = self._looking[key] = Waiting(
                self._reactor.callLater(LOOK_SECONDS, self._tooLate, key), list(self._changing)
            )
            answer.addErrback(self._broke)
            answer.addCallback(self._looked, key, waiting)
            answer.addErrback(self._broke)
            if self._looking.get(key) is not waiting:
                return False
        waiting.join(exchange, visit)
        return True

    def _tooLate(self, key: bytes) -> None:
        self._rest()
        waiting = self._looking.pop(key)
        waiting.end()
        # What comes of it is not used, however long that takes.
        waiting.changes.clear()

    def _rest(self) -> None:
        """Leave it alone for a while."""
        now = self._reactor.seconds()
        if now >= self._restUntil:
            self.late += 1
            _log.warn(
                "{tier!r} took more than {seconds} s: requests do without it for {rest} s",
                tier=self.behind,
                seconds=LOOK_SECONDS,
                rest=REST_SECONDS,
            )
        self._restUntil = now + REST_SECONDS

    def _broke(self, failure: Failure) -> None:
        _log.failure("a defect in a tier of the cache", failure=failure)

    def _looked(self, shelf: Shelf | None, key: bytes, waiting: Waiting) -> None:
        if self._looking.get(key) is not waiting:
            return
        del self._looking[key]
        try:
            if shelf is not None:
                self._took(shelf, waiting.changes)
        finally:
            waiting.end()

    def _took(self, shelf: Shelf, changes: list[Callable[[Entry], bool]]) -> None:
        """Put into memory what was found, and is not newer there."""
        here = self.memory.find(shelf.key)
        known = {entry.variant for entry in here.entries} if here is not None else set()
        # The newest comes last, and is the first on its shelf.
        for entry in reversed(shelf.entries):
            if (
                entry.variant not in known
                and (entry.key, entry.variant) not in self._outdated
                and not any(change(entry) for change in changes)
                and entry.queue is None
            ):
                self.found += 1
                self.memory.add(entry)

    # Content

    def bring(self, exchange: Exchange, visit: Visit, entry: Entry) -> bool:
        """
        Make the content of an entry one that can be read, and let an exchange wait for that.

        What is small enough is loaded into memory, and of what is not the file is kept
        open for the visit.  An entry whose content is lost has left memory.

        @return: whether it waits.
        """
        file = entry.body.file
        waiting = self._loading.get(file)
        if waiting is None:
            if self._reactor.seconds() < self._restUntil:
                self.memory.remove(entry)
                return False
            waiting = self._loading[file] = Waiting(
                self._reactor.callLater(LOOK_SECONDS, self._lost, entry), []
            )
            waiting.exchanges[exchange] = visit
            (file.load(entry.body) if self._isSmall(entry) else file.open()).addCallbacks(
                self._brought,
                self._lacks,
                callbackArgs=(entry, waiting, exchange),
                errbackArgs=(entry, waiting, exchange),
            )
            if self._loading.get(file) is not waiting:
                return False
        waiting.join(exchange, visit)
        return True

    def _brought(self, _: object, entry: Entry, waiting: Waiting, first: Exchange) -> None:
        body = entry.body
        file = body.file
        if body.start:
            for visit in waiting.exchanges.values():
                visit.keep(file)
            file.drop()
        else:
            shelf = self.memory.find(entry.key)
            # It may have been validated meanwhile.
            for each in () if shelf is None else shelf.entries:
                if each.body is body:
                    self.memory.grew(each, each.ownOctets() + body.octets - each.size)
        self._broughtTo(file, waiting, first)

    def _isSmall(self, entry: Entry) -> bool:
        """Whether its content belongs into memory."""
        return entry.body.octets <= self.memory.maxObjectOctets

    def _lacks(self, failure: Failure, entry: Entry, waiting: Waiting, first: Exchange) -> None:
        file = entry.body.file
        if not failure.check(OSError):
            self._broke(failure)
        if not self._isSmall(entry):
            file.drop()
        self.memory.remove(entry)
        self._broughtTo(file, waiting, first)

    def _broughtTo(self, file: Any, waiting: Waiting, first: Exchange) -> None:
        if self._loading.get(file) is waiting:
            del self._loading[file]
            if first.waiting is None:
                # It was there at once: the first is not to be woken, as it did not sleep.
                waiting.exchanges.pop(first, None)
            waiting.end()

    def _lost(self, entry: Entry) -> None:
        self._rest()
        self.memory.remove(entry)
        self._loading.pop(entry.body.file).end()

    # Storing

    def used(self, entry: Entry) -> None:
        """See L{ICacheStore.used}."""
        self.memory.used(entry)
        if entry.body.file is not None:
            self.behind.used(entry)
        elif entry.uses == 2:
            self._offer(entry)

    def add(self, entry: Entry) -> bool:
        """
        See L{ICacheStore.add}.

        What memory has no room for is stored if the tier behind it takes it.
        """
        if not self.memory.add(entry):
            self._skip(entry)
            return False
        self._offer(entry)
        body = entry.body
        if (
            self._isBig(entry)
            and (body.file is None or not body.file.complete)
            and self.behind.writingOf(entry) is None
        ):
            self.memory.remove(entry)
        return entry.queue is not None

    def _isBig(self, entry: Entry) -> bool:
        """Whether its content, as it was announced, is more than memory takes."""
        length = None if entry.verdict is None else entry.verdict.length
        most = self.memory.maxObjectOctets
        if length is None or length <= most:
            return False
        if entry.status == PARTIAL_CONTENT:
            # That is the length of the whole.
            part = parseContentRange(entry.fields.get(b"content-range") or b"")
            return part is None or part.end - part.first > most
        return True

    def _leaves(self, entry: Entry) -> None:
        """An entry leaves memory."""
        if entry.body.file is None and entry.body.complete:
            self._offer(entry)

    def _offer(self, entry: Entry) -> None:
        """Have an entry written, if it is worth it and there is not too much to do."""
        if entry in self._pending:
            return
        file = entry.body.file
        if file is not None and file.complete:
            offered = len(self._pending) < RENEWALS
        else:
            offered = self._isWorthIt(entry) and (
                self.behind.writingOf(entry) is not None or self._hasRoom(entry)
            )
        if not offered:
            self._skip(entry)
            return
        self._outdated.pop((entry.key, entry.variant), None)
        answer = self.behind.add(entry)
        if isinstance(answer, Deferred):
            self._pending[entry] = None
            writing = self.behind.writingOf(entry)
            answer.addErrback(self._broke)
            answer.addCallback(self._written, entry, writing)

    def _isWorthIt(self, entry: Entry) -> bool:
        if entry.expires - self._reactor.seconds() >= SHORT_SECONDS:
            return True
        head = b"\n" + entry.head.lower()
        return b"\netag:" in head or b"\nlast-modified:" in head

    def _hasRoom(self, entry: Entry) -> bool:
        count = len(self._pending)
        if self._isBig(entry):
            return count < BIG_WRITINGS
        if count >= WRITINGS:
            return False
        owed = 0
        for each in self._pending:
            writing = self.behind.writingOf(each)
            if writing is not None:
                owed += writing.owed
        return owed < self._roomOctets

    def _skip(self, entry: Entry) -> None:
        """What is behind under its name is not the current response any more."""
        self._outdated[entry.key, entry.variant] = None
        if len(self._outdated) >= OUTDATED:
            self._tidyUp()

    def _tidyUp(self) -> None:
        """Drop behind what is not current any more, all at once."""
        outdated, self._outdated = self._outdated, {}
        if outdated:
            self._change(
                lambda entry: (entry.key, entry.variant) in outdated,
                self.behind.removeAll(list(outdated)),
            )

    def _written(self, stored: bool | None, entry: Entry, writing: Any) -> None:
        """The tier has an entry, or will not have it."""
        self._pending.pop(entry, None)
        current = entry if writing is None else writing.entry
        body = current.body
        if stored:
            if body.spilling is not None:
                self.memory.shed(current, body.shed(body.octets))
        elif body.start:
            # What was let go is nowhere now, but with those who have it open.
            self.memory.remove(current)
        self._tidyUp()

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
        if current is None or current is entry:
            self._change(
                lambda each: each.key == entry.key and each.variant == entry.variant,
                self.behind.removeAll([(entry.key, entry.variant)]),
            )

    def forget(self, key: bytes) -> Deferred[int] | int:
        """See L{ICacheStore.forget}."""
        behind = self._change(lambda each: each.key == key, self.behind.forget(key))
        return total(self.memory.forget(key), behind)

    def purge(self, what: Purge, soft: bool = False) -> Deferred[int] | int:
        """
        See L{IPurgeable.purge<intermediary.interfaces.IPurgeable.purge>}.

        What is here and behind counts once.
        """
        now = self._reactor.seconds()

        def change(entry: Entry) -> bool:
            if not what.coversEntry(entry, self._urlOf(entry.key)):
                return False
            if soft:
                entry.expires = min(entry.expires, now)
                return False
            return True

        behind = self._change(change, self.behind.purge(what, soft))
        return total(self.memory.purge(what, soft), behind)

    def _change(self, covers: Callable[[Entry], bool], done: Any) -> Any:
        """What is found from before a change is not to come back after it."""
        for waiting in self._looking.values():
            waiting.changes.append(covers)
        if not isinstance(done, Deferred):
            return done
        self._changing[covers] = None

        def changed(result: Any) -> Any:
            del self._changing[covers]
            return result

        return done.addBoth(changed)

    def end(self) -> None:
        """Nobody waits any more."""
        for waits in (self._looking, self._loading):
            while waits:
                waits.popitem()[1].end()
        self._tidyUp()

    def __repr__(self) -> str:
        return f"<Tiers {self.memory!r} {self.behind!r} writing={len(self._pending)}>"


classImplements(Tiers, ICacheStore)
