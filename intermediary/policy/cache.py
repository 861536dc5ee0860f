# -*- test-case-name: tests.policy.test_cache -*-
"""
The cache, as steps of a program (RFC 9111).

A request is looked up; if nothing stored answers it, it is sent on, and whoever
asks for the same meanwhile waits for its answer.  What comes back is stored if it
may be, validates what was stored, or is passed on.  The rules are pure functions
in L{intermediary.wire}; stores are L{ICacheStore<intermediary.interfaces.ICacheStore>}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ResponseInvalid
from ..exchange import Exchange, Reply
from ..program import DELIVER, PARKED, REFETCH
from ..wire.cachekey import normaliseTarget
from ..wire.cachestatus import (
    BYPASS,
    METHOD,
    PARTIAL,
    REQUEST,
    STALE,
    URI_MISS,
    VARY_MISS,
    CacheStatus,
)
from ..wire.conditional import (
    isConditional,
    isNotModified,
    readValidators,
)
from ..wire.fields import EMPTY, Fields
from ..wire.invalidation import isOwnLocation
from ..wire.message import NO_BODY
from ..wire.reuse import (
    ERRORS,
    FRESH,
    ORDINARY,
    REFUSED,
    STALE_WHILE,
    judge,
    mayReplaceError,
    readDemand,
    readModestDemand,
)
from ..wire.reuse import STALE as TOO_STALE
from ..wire.storing import readControl, unmergedNames, unstoredNames, whyNotStored
from .admission import Admission
from .ahead import Ahead
from .answers import PARTIAL_CONTENT, Answers, Record
from .cachestate import Cache
from .collapsing import Collapsing
from .filling import Filling, Nobody, continueWith, restProgram, takeLease
from .outdating import Outdating
from .purgerequests import PURGE, PurgeRequests
from .revalidation import Revalidation
from .selection import candidates, select, tagged
from .siblings import Siblings
from .tags import readTags
from .targets import Targets
from .validation import Validation
from .visit import Visit

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..engine import Engine
    from ..program import Program
    from ..wire.cachekey import KeyMaker
    from ..wire.message import RequestHead
    from ..wire.reuse import Demand
    from ..wire.rules import CacheRules
    from .entries import Entry, Shelf


class RouteCache:
    """The steps of one route."""

    __slots__ = (
        "_admission",
        "_ahead",
        "_answers",
        "_cache",
        "_collapsing",
        "_demandOf",
        "_outdating",
        "_purging",
        "_refreshUses",
        "_rest",
        "_restForNobody",
        "_revalidation",
        "_rules",
        "_seconds",
        "_status",
        "_store",
        "_targets",
        "_tiers",
        "_validation",
    )

    def __init__(
        self,
        cache: Cache,
        engine: Engine,
        keys: KeyMaker,
        rules: CacheRules,
        hooked: bool,
    ) -> None:
        """
        @param hooked: whether components look at replies.
        """
        self._cache = cache
        self._targets = Targets(keys)
        self._rules = rules
        self._demandOf: Callable[[Fields], Demand] = (
            readModestDemand if rules.ignoreClient else readDemand
        )
        self._store = cache.store
        self._tiers = cache.tiers
        self._seconds: Callable[[], float] = engine.seconds
        self._answers = Answers(engine, cache.heads, hooked)
        self._status = CacheStatus(engine.pseudonym)
        self._admission = Admission(cache.store, cache.heads, rules, self._answers, engine.seconds)
        self._outdating = Outdating(cache.store, self._targets, cache.siblings)
        if keys.several:
            cache.siblings.exist = True
        self._collapsing = Collapsing(cache, engine)
        self._revalidation = Revalidation(cache, engine)
        self._validation = Validation(self._answers, self._admission)
        self._rest = restProgram(engine)
        purgers = cache.purgers
        self._purging = (
            None
            if purgers is None
            else PurgeRequests(cache, self._targets, keys.partition, purgers)
        )
        self._restForNobody = restProgram(engine, self.leaveBackground)
        # No entry was used 0 times when it has just been used.
        self._refreshUses = 0
        self._ahead: Ahead | None = None

    def useInBackground(self, program: Program) -> None:
        """Say what validates in the background; whoever makes the programs does."""
        self._revalidation.program = program

    def refreshAhead(self, uses: int, trusts: Callable[[str], bool] | None = None) -> None:
        """
        Have what is used so often in its lifetime validated before it expires.

        @param trusts: see L{Ahead}.
        """
        if self._cache.refreshing is not None:
            self._ahead = Ahead(self._cache.refreshing, self._revalidation, self._targets, trusts)
            self._refreshUses = uses

    def retire(self) -> None:
        """No more is done for those who come later: the front will not serve them."""
        self._refreshUses = 0
        if self._ahead is not None:
            self._ahead.retire()

    # request -> hit

    def lookup(self, exchange: Exchange) -> Any:
        """
        Answer from the store, wait for who fetches the same, or send the request on.

        Parks an exchange that waits.
        """
        request = exchange.request
        assert request is not None
        now = self._seconds()
        fields = request.fields
        index = fields.index
        method = request.method
        if method != b"GET" and method != b"HEAD":
            if method == PURGE and self._purging is not None:
                return self._purging.answer(exchange)
            self._visit(exchange, METHOD, now)
            return None
        key = self._keyFor(exchange, request)
        if not key:
            self._visit(exchange, BYPASS, now)
            return None
        demand = ORDINARY
        if b"cache-control" in index or b"pragma" in index:
            demand = self._demandOf(fields)
        shelf: Shelf | None = self._store.find(key)
        entries = () if shelf is None else shelf.entries
        entry: Entry | None = None
        part: Entry | None = None
        others: list[Entry] = []
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
                record: Record = entry.verdict
                if entry.expires < record.freshness.freshUntil:
                    # Purged softly.
                    record.freshness.expire(entry.expires)
                verdict = judge(record.freshness, demand, now)
                before: Visit | None = exchange.visit
                if (
                    before is not None
                    and before.failures
                    and mayReplaceError(record.freshness, demand, now)
                ):
                    verdict = FRESH
                if verdict < TOO_STALE:
                    self._hit(exchange, entry, record, now)
                    if verdict == STALE_WHILE:
                        self._revalidation.begin(
                            exchange,
                            key,
                            self._commonOf(exchange),
                            candidates(entries, entry, fields, self._cache.heads),
                        )
                    elif entry.uses == self._refreshUses and self._ahead is not None:
                        self._ahead.offer(exchange, entry, now)
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
        visit.common = self._commonOf(exchange)
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

    def _keyFor(self, exchange: Exchange, request: RequestHead) -> bytes:
        """Make the key of a GET or HEAD; empty where it is not answered from a store."""
        index = request.fields.index
        if request.framing != NO_BODY or b"if-match" in index or b"if-unmodified-since" in index:
            return b""
        return self._targets.keyFor(exchange)

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
        return self.lookup(exchange)

    def _bring(self, exchange: Exchange, entry: Entry, now: float) -> Any:
        """Get the content of what fits; parks while that is done."""
        visit = exchange.visit or self._visit(exchange, URI_MISS, now)
        assert self._tiers is not None
        if self._tiers.bring(exchange, visit, entry):
            return PARKED
        return self.lookup(exchange)

    def _commonOf(self, exchange: Exchange) -> bytes:
        """See L{Visit}."""
        targets = self._targets
        return targets.commonOf(targets.targetOf(exchange)) if targets.several else b""

    def _hit(self, exchange: Exchange, entry: Entry, record: Record, now: float) -> None:
        self._cache.hits += 1
        self._store.used(entry)
        member = self._status.hit(record.freshness.ttl(now))
        visit: Visit | None = exchange.visit
        if visit is not None:
            exchange.visit = None
            if visit.collapsed:
                member = self._status.forwarded(
                    visit.reason,
                    ttl=record.freshness.ttl(now),
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

    # miss -> fetch

    def condition(self, exchange: Exchange) -> None:
        """
        Make the request one whose answer can be stored, or that validates.

        The target goes on in the form that the key has.
        """
        visit: Visit | None = exchange.visit
        forward = exchange.forward
        if visit is None or forward is None:
            return
        serial = self._cache.purges.serial
        if visit.epoch >= 0 and self._isOutdated(visit, EMPTY):
            # A 304 must not bring back what was purged since it was looked up.
            self._afresh(visit)
        visit.epoch = serial
        if not visit.key:
            return
        forward.target = normaliseTarget(forward.target)
        visit.requested = self._seconds()
        self._validation.ask(forward, visit)

    # response -> store

    def admit(self, exchange: Exchange) -> Any:
        """Store the response, update what is stored by it, or let it pass."""
        visit: Visit | None = exchange.visit
        if visit is None:
            return None
        response = exchange.response
        request = exchange.request
        assert response is not None
        assert request is not None
        now = self._seconds()
        own = visit.reason is METHOD and self._changed(exchange, visit)
        if not visit.key:
            return None
        status = response.status
        if self._dismisses(visit, status):
            return None
        outdated = self._isOutdated(visit, response.fields)
        if outdated and (visit.completing or (visit.validating and status == 304)):
            return self._afresh(visit)
        if visit.validating and status == 304:
            return self._validated(exchange, visit, now)
        if visit.completing and not self._admission.completes(visit, response):
            # The whole then, as if there had been no part.
            return self._afresh(visit)
        if status in ERRORS and visit.entries:
            entry = visit.entries[0]
            if self._mayStandIn(visit, entry, now):
                self._giveStale(exchange, visit, entry, now, status)
                return None
        forward = exchange.forward
        assert forward is not None
        if status == 304 and not isConditional(forward.fields):
            # What the client asked may have been left out for the sake of others.
            raise ResponseInvalid("a 304 to a request without preconditions")
        control = readControl(response.fields, self._rules)
        if request.method == b"HEAD":
            if not outdated:
                self._admission.heard(visit, request.fields, response, now)
            self._collapsing.resolve(visit)
            return None
        reason = whyNotStored(
            request.method, request.fields, status, response.fields, control, self._rules, own
        )
        if outdated:
            # It may be from before the change (RFC 9111 §4.4).
            reason = "outdated"
        if reason is None and status == PARTIAL_CONTENT:
            if not self._admission.takesPart(exchange, visit, now):
                reason = "partial"
        length = response.framing if response.framing >= 0 else None
        if reason is None and (length or 0) > self._cache.maxObjectOctets:
            reason = "too large"
        new: Entry | None = None
        if reason is None:
            new = self._admission.put(exchange, visit, control, length, now)
        if new is not None:
            self._cache.stored += 1
            self._stored(exchange, visit, new, unstoredNames(control.directives), now)
        elif visit.completing and status == PARTIAL_CONTENT:
            # Without what is before it, it answers nobody.
            return self._afresh(visit)
        elif not outdated:
            self._unstored(visit, status, now)
        self._collapsing.resolve(visit, outdated)
        return None

    def _changed(self, exchange: Exchange, visit: Visit) -> bool:
        """
        Forget what a method that is not safe may have changed.

        @return: whether the response is what a GET of the target would have given
            (RFC 9110 §9.3.3).
        """
        request, response = exchange.request, exchange.response
        assert request is not None
        assert response is not None
        target = self._targets.targetOf(exchange)
        self._outdating.invalidate(request, target, response.status, response.fields)
        if (
            request.method != b"POST"
            or not exchange.requestEnded
            or not isOwnLocation(target, response.fields)
        ):
            return False
        visit.key = self._targets.keyOf(target, request.fields)
        visit.common = self._commonOf(exchange)
        return True

    def _isOutdated(self, visit: Visit, fields: Fields) -> bool:
        """
        Tell whether what was asked for was changed or purged since.

        @param fields: of the response, which may have tags.
        """
        if visit.fetch is not None and visit.fetch.outdated:
            return True
        purges = self._cache.purges
        if visit.epoch == purges.serial:
            return False
        tags = readTags(fields)
        for entry in (*visit.entries, *visit.others):
            tags += entry.tags
        if visit.part is not None:
            tags += visit.part.tags
        if visit.common:
            tags.append(Siblings.tagOf(visit.common))
        return purges.covered(visit.key, tags, visit.epoch)

    def _dismisses(self, visit: Visit, status: int) -> bool:
        """
        Do without what a refresh brought, where it must not take the place of what is stored.

        The request was nobody's, so an error, a redirection to a login or a refusal
        says little; and what was purged meanwhile must not come back.

        @return: whether it was so.
        """
        ahead = visit.ahead
        if ahead is None:
            return False
        assert visit.shelf is not None
        if status in (304, ahead.status) and visit.shelf.entryOf(ahead.variant) is ahead:
            return False
        if status in ERRORS:
            self._collapsing.failed(visit)
        else:
            self._collapsing.resolve(visit)
        return True

    @staticmethod
    def _afresh(visit: Visit) -> Any:
        """Ask again, without regard to what is stored."""
        visit.entries = []
        visit.others = []
        visit.part = None
        visit.skipped = 0
        visit.tail = []
        return REFETCH

    def _stored(
        self,
        exchange: Exchange,
        visit: Visit,
        entry: Entry,
        unstored: frozenset[bytes],
        now: float,
    ) -> None:
        """From here on the client reads the response from the store."""
        visit.stored = True
        if visit.shelf is not None and entry.status != PARTIAL_CONTENT:
            # The next one may be waited for again; for parts nobody waits.
            visit.shelf.passUntil = 0.0
        if entry.body.complete:
            return
        response, reply = exchange.response, exchange.reply
        assert response is not None
        assert reply is not None
        lease = takeLease(exchange)
        rest = self._rest
        if isinstance(exchange.downstream, Nobody):
            # It stays among those that are under way in the background.
            self._cache.background += 1
            rest = self._restForNobody
        elif response.status == PARTIAL_CONTENT and not visit.completing:
            self._answers.passOn(exchange, entry.body, visit.skipped, response.framing)
        else:
            self._give(exchange, visit, entry, now, response.status)
            if unstored:
                self._answers.keep(exchange, reply.fields, unstored)
        filling = Filling(self._store, entry, visit.tail, visit.ahead)
        continueWith(filling, exchange, lease, rest)

    def _give(
        self, exchange: Exchange, visit: Visit, entry: Entry, now: float, status: int | None
    ) -> None:
        """Answer a request that was sent on with what is stored now."""
        self._answers.give(exchange, entry, now, self._member(visit, status, entry))
        visit.answered = True

    def _member(self, visit: Visit, status: int | None, entry: Entry | None) -> bytes:
        """Write what became of a request that was sent on."""
        ttl = None
        if entry is not None:
            record: Record = entry.verdict
            ttl = record.freshness.ttl(self._seconds())
        collapsed: bool | None = None
        if visit.collapsed:
            # If it was sent on as well, it has waited in vain.
            collapsed = visit.epoch < 0
        return self._status.forwarded(
            visit.reason, status, ttl=ttl, stored=visit.stored, collapsed=collapsed
        )

    def _unstored(self, visit: Visit, status: int, now: float) -> None:
        """Nothing is stored: those who wait go on at once, and others don't wait."""
        if status in ERRORS:
            # Who waits would only find out the same, all at once.
            self._collapsing.failed(visit)
            return
        if visit.ahead is not None:
            return
        self._collapsing.separate(visit, now)
        # It was the current response, and is not any more (RFC 9111 §4).
        for entry in visit.entries[:1]:
            # A 304 is about what the client has, and says nothing of this.
            if status != PARTIAL_CONTENT and status != 304:
                self._store.remove(entry)

    def _validated(self, exchange: Exchange, visit: Visit, now: float) -> Any:
        """A 304: update what it is about, and answer with that (RFC 9111 §4.3.4)."""
        request, reply = exchange.request, exchange.reply
        assert request is not None
        assert reply is not None
        entry = self._validation.current(visit, request.fields, reply.fields, now)
        if entry is None:
            if not isNotModified(request.fields, 200, readValidators(reply.fields, now), now):
                return self._afresh(visit)
            # It is about what the client has, which has not been asked about alone.
            self._collapsing.resolve(visit)
            return None
        self._cache.validated += 1
        # What the 304 itself brings is nothing, but its connection is good.
        continueWith(Nobody(), exchange, takeLease(exchange), self._rest)
        self._collapsing.resolve(visit)
        if not isinstance(exchange.downstream, Nobody):
            self._give(exchange, visit, entry, now, 304)
            directives = readControl(reply.fields, self._rules).directives
            unmerged = unmergedNames(directives, self._rules)
            updated = self._cache.heads.fieldsOf(entry)
            unmerged |= unstoredNames(readControl(updated, self._rules).directives)
            if unmerged:
                self._answers.keep(exchange, reply.fields, unmerged)
        return None

    # stale

    def _mayStandIn(self, visit: Visit, entry: Entry, now: float) -> bool:
        """Whether an entry may be used as its origin fails (RFC 5861 §4)."""
        if visit.fetch is not None and visit.fetch.outdated:
            # What has been changed since is no better than none.
            return False
        record: Record = entry.verdict
        if entry.expires < record.freshness.freshUntil:
            # Purged softly since it was looked up.
            record.freshness.expire(entry.expires)
        if not entry.body.isWhole or not mayReplaceError(record.freshness, visit.demand, now):
            return False
        # Not what was purged meanwhile, unless softly: then it is stored still.
        return entry.queue is not None or not self._isOutdated(visit, EMPTY)

    def _giveStale(
        self, exchange: Exchange, visit: Visit, entry: Entry, now: float, status: int | None
    ) -> None:
        if exchange.lease is not None:
            # The content of an error that nobody will see.
            takeLease(exchange).release()
        self._collapsing.failed(visit)
        if not isinstance(exchange.downstream, Nobody):
            self._give(exchange, visit, entry, now, status)

    def annotate(self, exchange: Exchange) -> None:
        """
        Say in C{Cache-Status} what became of the request (RFC 9211).

        Where the origin failed, a stale response may stand in for the error.
        """
        visit: Visit | None = exchange.visit
        reply = exchange.reply
        if visit is None or visit.answered or reply is None:
            return
        if exchange.response is None and visit.entries and exchange.error is not None:
            now = self._seconds()
            entry = visit.entries[0]
            if self._mayStandIn(visit, entry, now):
                self._giveStale(exchange, visit, entry, now, None)
                return
        status = None if exchange.response is None else exchange.response.status
        reply.more = b"Cache-Status: %b\r\n" % self._member(
            visit, None if status == reply.status else status, None
        )

    # end

    def settle(self, exchange: Exchange) -> None:
        """An exchange has ended; if it leads a fetch, before there was an answer."""
        visit: Visit | None = exchange.visit
        if isinstance(exchange.downstream, Nobody):
            self.leaveBackground(exchange)
            if self._ahead is not None and visit is not None and visit.ahead is not None:
                self._ahead.ended(exchange)
        if visit is not None:
            visit.letGo()
            if visit.fetch is not None:
                self._collapsing.abandon(exchange, visit)

    def leaveBackground(self, exchange: Exchange) -> None:
        """What was under way for nobody in particular has ended."""
        self._cache.background -= 1


__all__ = ["Cache", "RouteCache"]
