# -*- test-case-name: tests.policy.test_cache -*-
"""
Looking up a request: from it to a hit, or to why it is sent on (RFC 9111 §4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..exchange import Exchange, Reply
from ..program import DELIVER, PARKED
from ..wire.cachestatus import (
    BYPASS,
    METHOD,
    PARTIAL,
    REQUEST,
    STALE,
    URI_MISS,
    VARY_MISS,
)
from ..wire.message import NO_BODY
from ..wire.reuse import (
    FRESH,
    ORDINARY,
    REFUSED,
    STALE_WHILE,
    isPlain,
    judge,
    mayReplaceError,
    readDemand,
    readModestDemand,
)
from ..wire.reuse import STALE as TOO_STALE
from .answers import PARTIAL_CONTENT, freshnessOf
from .purgerequests import PURGE
from .selection import candidates, select, tagged
from .visit import Visit

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..wire.cachestatus import CacheStatus
    from ..wire.fields import Fields
    from ..wire.freshness import Freshness
    from ..wire.reuse import Demand
    from .ahead import Ahead
    from .answers import Answers
    from .cachestate import Cache
    from .collapsing import Collapsing
    from .entries import Entry, Shelf
    from .passing import Passing
    from .purgerequests import PurgeRequests
    from .revalidation import Revalidation
    from .targets import Targets


class Lookup:
    """
    Looks up the requests of one route.

    @ivar ahead: has what is used often validated before it expires; None if nothing does.
    @ivar refreshUses: how many uses are often; 0 where none are.
    """

    __slots__ = (
        "_alone",
        "_answers",
        "_cache",
        "_collapsing",
        "_demandOf",
        "_memory",
        "_passing",
        "_prompt",
        "_purging",
        "_revalidation",
        "_seconds",
        "_status",
        "_store",
        "_targets",
        "_tiers",
        "ahead",
        "refreshUses",
    )

    def __init__(
        self,
        cache: Cache,
        targets: Targets,
        answers: Answers,
        status: CacheStatus,
        collapsing: Collapsing,
        revalidation: Revalidation,
        passing: Passing,
        purging: PurgeRequests | None,
        ignoreClient: bool,
        seconds: Callable[[], float],
        prompt: bool,
    ) -> None:
        """
        @param purging: answers C{PURGE}; None where that is a method as any.
        @param ignoreClient: see L{CacheRules<intermediary.wire.rules.CacheRules>}.
        @param prompt: requests are looked up as soon as they are there.
        """
        self._cache = cache
        self._store = cache.store
        self._tiers = cache.tiers
        self._memory = cache.memory
        #: The memory, where nothing is behind it.
        self._alone = None if cache.tiers is not None else cache.memory
        self._targets = targets
        self._answers = answers
        self._status = status
        self._collapsing = collapsing
        self._revalidation = revalidation
        self._passing = passing
        self._purging = purging
        self._demandOf: Callable[[Fields], Demand] = (
            readModestDemand if ignoreClient else readDemand
        )
        self._seconds = seconds
        self._prompt = prompt
        self.ahead: Ahead | None = None
        # No entry was used 0 times when it has just been used.
        self.refreshUses = 0

    def onLookup(self, exchange: Exchange) -> Any:
        """
        Answer from the store, wait for who fetches the same, or send the request on.

        Parks an exchange that waits.
        """
        request = exchange.request
        assert request is not None
        # Who was looked up before has waited since.
        prompt = self._prompt and exchange.visit is None
        now = exchange.started if prompt else self._seconds()
        fields = request.fields
        method = request.method
        get = method == b"GET"
        if not get and method != b"HEAD":
            if method == PURGE and self._purging is not None:
                return self._purging.answer(exchange)
            self._visit(exchange, METHOD, now)
            return None
        plain = isPlain(fields)
        if request.framing != NO_BODY or (not plain and _isForTheOrigin(fields)):
            self._visit(exchange, BYPASS, now)
            return None
        demand = ORDINARY if plain else self._demandOf(fields)
        key, shelf, normal = self._find(exchange)
        if not key:
            self._visit(exchange, BYPASS, now)
            return None
        entries = () if shelf is None else shelf.entries
        if (
            not entries
            and shelf is not None
            and shelf.passUntil > now
            and normal
            and get
            and self._passing.takes(exchange, demand)
        ):
            self._cache.misses += 1
            return self._passing.sendOn(exchange, shelf, demand, now)
        entry: Entry | None = None
        part: Entry | None = None
        others: tuple[Entry, ...] = ()
        if entries:
            entry = select(entries, fields, self._cache.heads)
            if entry is None:
                reason = VARY_MISS
                others = tagged(entries, fields, self._cache.heads)
            elif entry.body.start and not entry.body.file.isOpen:
                return self._bring(exchange, entry, now)
            elif entry.status == PARTIAL_CONTENT and not self._answers.holds(entry, request, now):
                reason = PARTIAL
                part, entry = entry, None
            else:
                freshness = freshnessOf(entry)
                verdict = judge(freshness, demand, now)
                before: Visit | None = exchange.visit
                if (
                    before is not None
                    and before.failures
                    and mayReplaceError(freshness, demand, now)
                ):
                    verdict = FRESH
                if verdict < TOO_STALE:
                    self._hit(exchange, entry, freshness, now)
                    if verdict == STALE_WHILE:
                        self._revalidation.begin(
                            exchange,
                            key,
                            self._targets.commonFor(exchange),
                            candidates(entries, entry, fields, self._cache.heads),
                        )
                    elif entry.uses == self.refreshUses and self.ahead is not None:
                        self.ahead.offer(exchange, entry, now)
                    return DELIVER
                if verdict == REFUSED:
                    reason = REQUEST
                else:
                    reason = STALE
        else:
            reason = URI_MISS
        if entry is None and part is None and self._mayBeBehind(exchange, shelf, now):
            return self._lookBehind(exchange, key, reason, now)
        if demand.onlyIfCached:
            return self._unavailable(exchange)
        visit = self._visit(exchange, reason, now)
        visit.key = key
        visit.normal = normal
        visit.common = self._targets.commonFor(exchange)
        visit.demand = demand
        visit.part = part
        visit.others = others
        if entry is not None:
            visit.entries = candidates(entries, entry, fields, self._cache.heads)
            if entry.body.start:
                visit.keep(entry.body.file)
        outcome = self._collapsing.join(exchange, visit, shelf, now)
        if outcome is None:
            # Who waits is looked up again, and counted then.
            self._cache.misses += 1
        return outcome

    def _find(self, exchange: Exchange) -> tuple[bytes, Shelf | None, bytes]:
        """
        Find what is known of a request.

        @return: its key, empty if it has none; what is known under that; and its target,
            if that is known to have the form of the key as it came, or else nothing.
        """
        memory = self._memory
        if memory is None:
            key = self._targets.keyFor(exchange)
            shelf: Shelf | None = self._store.find(key) if key else None
            return key, shelf, b""
        # Not by the interface where that can be: this is for each request.
        known = self._targets.shelfFor(exchange, memory)
        if known is not None:
            request = exchange.request
            assert request is not None
            return known.key, known, request.target
        key = self._targets.keyFor(exchange)
        return key, memory.find(key), b""

    def _visit(self, exchange: Exchange, reason: bytes, now: float) -> Visit:
        visit = Visit(reason, now)
        before: Visit | None = exchange.visit
        if before is not None:
            visit.collapsed = before.collapsed
            visit.pardoned = before.pardoned
            visit.failures = before.failures
            visit.excused = before.excused
            visit.looked = before.looked
            visit.kept, before.kept = before.kept, None
        exchange.visit = visit
        return visit

    def _mayBeBehind(self, exchange: Exchange, shelf: Shelf | None, now: float) -> bool:
        """Whether to look for what memory does not have."""
        if self._tiers is None or (shelf is not None and shelf.passUntil > now):
            return False
        before: Visit | None = exchange.visit
        return before is None or not before.looked

    def _lookBehind(self, exchange: Exchange, key: bytes, reason: bytes, now: float) -> Any:
        """Look up what memory does not have; parks while that is done."""
        visit = exchange.visit or self._visit(exchange, reason, now)
        assert self._tiers is not None
        if self._tiers.look(exchange, visit, key):
            return PARKED
        return self.onLookup(exchange)

    def _bring(self, exchange: Exchange, entry: Entry, now: float) -> Any:
        """Get the content of what fits; parks while that is done."""
        visit = exchange.visit or self._visit(exchange, URI_MISS, now)
        assert self._tiers is not None
        if self._tiers.bring(exchange, visit, entry):
            return PARKED
        return self.onLookup(exchange)

    def _hit(self, exchange: Exchange, entry: Entry, freshness: Freshness, now: float) -> None:
        self._cache.hits += 1
        if self._alone is None:
            self._store.used(entry)
        else:
            self._alone.used(entry)
        member = self._status.hit(freshness.ttl(now))
        visit: Visit | None = exchange.visit
        if visit is not None:
            exchange.visit = None
            if visit.collapsed:
                member = self._status.forwarded(
                    visit.reason,
                    ttl=freshness.ttl(now),
                    stored=entry.stored >= visit.requested,
                    collapsed=True,
                )
        self._answers.give(exchange, entry, now, member)
        if visit is not None:
            visit.letGo()

    def _unavailable(self, exchange: Exchange) -> Reply:
        """Answer C{only-if-cached} (RFC 9111 §5.2.1.7)."""
        visit: Visit | None = exchange.visit
        if visit is not None:
            exchange.visit = None
            visit.letGo()
        member = self._status.unanswered(b"only-if-cached")
        reply = Reply(504)
        reply.more = b"Cache-Status: %b\r\n" % member
        return reply


def _isForTheOrigin(fields: Fields) -> bool:
    """Tell whether a GET or HEAD has a precondition that no cache evaluates (RFC 9111 §4.3.2)."""
    index = fields.index
    return b"if-match" in index or b"if-unmodified-since" in index
