# -*- test-case-name: tests.policy.test_tierlooks -*-
"""
What is looked up, and brought, from the tier behind the memory, and who waits for it.

Whatever was changed since it was asked is passed over in what it finds.  If it takes too
long, requests go on without it, and it is left alone for a while.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger

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

# By name: what is compiled has no frame for the logger to find it in.
_log: Final = Logger("intermediary.policy.tierlooks")


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


class TierLooks:
    """
    Has the memory know what the tier behind it has.

    @ivar found: requests for which that had something.
    @ivar late: how often it took too long.
    """

    __slots__ = (
        "_behind",
        "_changing",
        "_isOutdated",
        "_loading",
        "_looking",
        "_memory",
        "_reactor",
        "_restUntil",
        "found",
        "late",
    )

    def __init__(
        self,
        reactor: Any,
        memory: MemoryStore,
        behind: ICacheTier,
        isOutdated: Callable[[Entry], bool],
    ) -> None:
        """
        @param isOutdated: tells of an entry that was found whether what memory has, or had,
            is newer.
        """
        self._reactor = reactor
        self._memory = memory
        self._behind = behind
        self._isOutdated = isOutdated
        self.found = 0
        self.late = 0
        self._looking: dict[bytes, Waiting] = {}
        self._loading: dict[Any, Waiting] = {}
        self._restUntil = 0.0
        # What is being changed behind: what a look-up finds of it is of before.
        self._changing: dict[Callable[[Entry], bool], None] = {}

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
            answer = self._behind.find(key)
            if not isinstance(answer, Deferred):
                return False
            waiting = self._looking[key] = Waiting(
                self._reactor.callLater(LOOK_SECONDS, self._tooLate, key), list(self._changing)
            )
            answer.addErrback(broke)
            answer.addCallback(self._looked, key, waiting)
            answer.addErrback(broke)
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
                tier=self._behind,
                seconds=LOOK_SECONDS,
                rest=REST_SECONDS,
            )
        self._restUntil = now + REST_SECONDS

    def _looked(self, shelf: Shelf | None, key: bytes, waiting: Waiting) -> None:
        if self._looking.get(key) is not waiting:
            return
        del self._looking[key]
        try:
            if shelf is not None:
                self.took(shelf, waiting.changes)
        finally:
            waiting.end()

    def took(self, shelf: Shelf, changes: list[Callable[[Entry], bool]]) -> None:
        """Put into memory what was found, and is not newer there."""
        here = self._memory.find(shelf.key)
        known = {entry.variant for entry in here.entries} if here is not None else set()
        # The newest comes last, and is the first on its shelf.
        for entry in reversed(shelf.entries):
            if (
                entry.variant not in known
                and not self._isOutdated(entry)
                and not any(change(entry) for change in changes)
                and entry.queue is None
            ):
                self.found += 1
                self._memory.add(entry)

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
                self._memory.remove(entry)
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
            shelf = self._memory.find(entry.key)
            # It may have been validated meanwhile.
            for each in () if shelf is None else shelf.entries:
                if each.body is body:
                    self._memory.grew(each, each.ownOctets() + body.octets - each.size)
        self._broughtTo(file, waiting, first)

    def _isSmall(self, entry: Entry) -> bool:
        """Whether its content belongs into memory."""
        return entry.body.octets <= self._memory.maxObjectOctets

    def _lacks(self, failure: Failure, entry: Entry, waiting: Waiting, first: Exchange) -> None:
        file = entry.body.file
        if not failure.check(OSError):
            broke(failure)
        if not self._isSmall(entry):
            file.drop()
        self._memory.remove(entry)
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
        self._memory.remove(entry)
        self._loading.pop(entry.body.file).end()

    # Changes

    def change(self, covers: Callable[[Entry], bool], done: Any) -> Any:
        """What is found from before a change is not to come back after it."""
        for waiting in self._looking.values():
            waiting.changes.append(covers)
        if isinstance(done, Deferred):
            keepUntil(self._changing, covers, done)
        return done

    def end(self) -> None:
        """Nobody waits any more."""
        for waits in (self._looking, self._loading):
            while waits:
                waits.popitem()[1].end()


def keepUntil(
    changes: dict[Callable[[Entry], bool], None],
    covers: Callable[[Entry], bool],
    done: Deferred[Any],
) -> None:
    """Keep a change among others until it is done, whatever comes of it."""
    changes[covers] = None

    def changed(result: Any) -> Any:
        del changes[covers]
        return result

    done.addBoth(changed)


def broke(failure: Failure) -> None:
    """Log what no disk is to blame for."""
    _log.failure("a defect in a tier of the cache", failure=failure)
