# -*- test-case-name: tests.policy.test_cache -*-
"""
What comes back for a request that was sent on: stored if it may be, taken for what it
validates, or passed on (RFC 9111 §3, §4.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ResponseInvalid
from ..program import REFETCH
from ..wire.cachestatus import METHOD
from ..wire.conditional import isConditional, isNotModified, readValidators
from ..wire.invalidation import isOwnLocation
from ..wire.reuse import ERRORS
from ..wire.storing import (
    NEVER_STORED,
    plainlyForbids,
    readControl,
    unmergedNames,
    unstoredNames,
    whyNotStored,
)
from .answers import PARTIAL_CONTENT
from .filling import Filling, Nobody, continueWith, restProgram, takeLease
from .outdating import Outdating

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..engine import Engine
    from ..exchange import Exchange
    from ..wire.rules import CacheRules
    from ..wire.targeted import CacheControl
    from .admission import Admission
    from .answers import Answers
    from .cachestate import Cache
    from .collapsing import Collapsing
    from .delivery import Delivery
    from .entries import Entry
    from .joining import Joining
    from .targets import Targets
    from .validation import Validation
    from .visit import Visit


class Arrival:
    """Takes the responses of one route."""

    __slots__ = (
        "_admission",
        "_answers",
        "_cache",
        "_changes",
        "_collapsing",
        "_delivery",
        "_joining",
        "_outdating",
        "_purges",
        "_rest",
        "_restForNobody",
        "_rules",
        "_seconds",
        "_store",
        "_targets",
        "_validation",
    )

    def __init__(
        self,
        cache: Cache,
        engine: Engine,
        rules: CacheRules,
        targets: Targets,
        answers: Answers,
        admission: Admission,
        joining: Joining,
        validation: Validation,
        collapsing: Collapsing,
        delivery: Delivery,
    ) -> None:
        self._cache = cache
        self._store = cache.store
        self._purges = cache.purges
        self._rules = rules
        self._targets = targets
        self._answers = answers
        self._admission = admission
        self._joining = joining
        self._validation = validation
        self._collapsing = collapsing
        self._delivery = delivery
        self._changes = cache.purges.changes
        self._outdating = Outdating(cache.store, targets, cache.siblings, self._changes)
        self._seconds: Callable[[], float] = engine.seconds
        self._rest = restProgram(engine)
        self._restForNobody = restProgram(engine, cache.leaveBackground)

    def admit(self, exchange: Exchange) -> Any:
        """Store the response, update what is stored by it, or let it pass."""
        visit: Visit | None = exchange.visit
        if visit is None:
            return None
        response = exchange.response
        request = exchange.request
        assert response is not None
        assert request is not None
        if visit.passes and response.status != 304 and plainlyForbids(response.fields, self._rules):
            # As those before it.
            return None
        own = visit.reason == METHOD and self._changed(exchange, visit)
        if not visit.key:
            return None
        status = response.status
        if visit.ahead is not None and self._dismisses(visit, visit.ahead, status):
            return None
        outdated = self._purges.overtook(visit, response.fields)
        if outdated and (visit.completing or (visit.validating and status == 304)):
            return self._afresh(visit)
        if visit.validating and status == 304:
            return self._validated(exchange, visit, self._seconds())
        if visit.completing and not self._joining.completes(visit, response):
            # The whole then, as if there had been no part.
            return self._afresh(visit)
        if (
            status >= 500
            and visit.entries
            and status in ERRORS
            and self._delivery.standIn(exchange, visit, self._seconds(), status)
        ):
            return None
        forward = exchange.forward
        assert forward is not None
        if status == 304 and not isConditional(forward.fields):
            # What the client asked may have been left out for the sake of others.
            raise ResponseInvalid("a 304 to a request without preconditions")
        if (
            request.method != b"HEAD"
            and not visit.completing
            and plainlyForbids(response.fields, self._rules)
        ):
            self._passed(visit, status, outdated)
            return None
        control = readControl(response.fields, self._rules)
        if request.method == b"HEAD":
            if not outdated:
                self._admission.heard(exchange, visit, self._seconds())
            self._collapsing.resolve(visit)
            return None
        # What comes from before a change may be of before it, too (RFC 9111 §4.4).
        new: Entry | None = None
        if not outdated and self._mayBeStored(exchange, visit, control, own):
            now = self._seconds()
            new = self._admission.put(exchange, visit, control, now)
            if new is not None:
                self._cache.stored += 1
                self._stored(exchange, visit, new, unstoredNames(control.directives), now)
        if new is not None:
            if visit.fetch is not None:
                self._collapsing.resolve(visit)
            return None
        if visit.completing and status == PARTIAL_CONTENT:
            # Without what is before it, it answers nobody.
            return self._afresh(visit)
        self._passed(visit, status, outdated)
        return None

    def _passed(self, visit: Visit, status: int, outdated: bool) -> None:
        """It is not stored; others may have waited for it."""
        if not outdated:
            self._unstored(visit, status)
        if visit.fetch is not None:
            # What nobody asked for says nothing of what the others would get.
            self._collapsing.resolve(visit, outdated or visit.ahead is not None)

    def _mayBeStored(
        self, exchange: Exchange, visit: Visit, control: CacheControl, own: bool
    ) -> bool:
        """
        Tell whether a response may be stored, as far as its head tells.

        @param own: see L{_changed}.
        """
        request, response = exchange.request, exchange.response
        assert request is not None
        assert response is not None
        status = response.status
        return (
            whyNotStored(
                request.method, request.fields, status, response.fields, control, self._rules, own
            )
            is None
            and response.framing <= self._cache.maxObjectOctets
            and (
                status != PARTIAL_CONTENT
                or self._admission.takesPart(exchange, visit, self._seconds())
            )
        )

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
        own = (
            request.method == b"POST"
            and not visit.demand.noStore
            and exchange.requestEnded
            and isOwnLocation(target, response.status, response.fields)
        )
        overtaken = False
        if own:
            visit.key = self._targets.keyOf(target, request.fields)
            visit.common = self._targets.commonFor(exchange)
            overtaken = self._changes.overtook(visit)
        self._outdating.invalidate(request, target, response.status, response.fields)
        if not overtaken:
            # Its own change is one that it knows.
            visit.changes = self._changes.serial
        return own

    def _dismisses(self, visit: Visit, ahead: Entry, status: int) -> bool:
        """
        Do without what a refresh brought, where it must not take the place of what is stored.

        The request was nobody's, so an error, a redirection to a login or a refusal
        says little; and what was purged meanwhile must not come back.

        @param ahead: what is refreshed.
        @return: whether it was so.
        """
        assert visit.shelf is not None
        if status in (304, ahead.status) and visit.shelf.entryOf(ahead.variant) is ahead:
            return False
        if status in ERRORS:
            self._collapsing.failed(visit)
        else:
            self._collapsing.resolve(visit, True)
        return True

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
            # The next one may be waited for again; for parts nobody waits.  It may be
            # another shelf now than when this was sent on.
            shelf = self._store.find(visit.key)
            if shelf is not None:
                shelf.passUntil = 0.0
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
            self._delivery.give(exchange, visit, entry, now)
            if unstored:
                self._answers.keep(exchange, reply.fields, unstored)
        filling = Filling(self._store, entry, visit, self._purges)
        continueWith(filling, exchange, lease, rest)

    def _unstored(self, visit: Visit, status: int) -> None:
        """Nothing is stored: those who wait go on at once, and others don't wait."""
        if status >= 500 and status in ERRORS:
            # Who waits would only find out the same, all at once.
            self._collapsing.failed(visit)
            return
        if visit.ahead is not None:
            return
        if visit.fetch is not None:
            self._collapsing.separate(visit, self._seconds())
        # It was the current response, and is not any more (RFC 9111 §4).  What is about
        # this request alone says nothing of that: a 304 is about what the client has, a
        # 429 or a 431 about the client, who could have anything forgotten by it.
        if visit.entries and status != PARTIAL_CONTENT and status not in NEVER_STORED:
            self._store.remove(visit.entries[0])

    def _validated(self, exchange: Exchange, visit: Visit, now: float) -> Any:
        """A 304: update what it is about, and answer with that (RFC 9111 §4.3.4)."""
        request, reply = exchange.request, exchange.reply
        assert request is not None
        assert reply is not None
        forNobody = isinstance(exchange.downstream, Nobody)
        entry = self._validation.current(visit, request.fields, reply.fields, now, forNobody)
        if entry is None:
            if not isNotModified(request.fields, 200, readValidators(reply.fields, now), now):
                return self._afresh(visit)
            # It is about what the client has, which has not been asked about alone.
            self._collapsing.resolve(visit)
            return None
        if not forNobody and not self._answers.fits(entry, request, now):
            # A part, whose validator is not the one that the client has any more.
            return self._afresh(visit)
        self._cache.validated += 1
        # What the 304 itself brings is nothing, but its connection is good.
        continueWith(Nobody(), exchange, takeLease(exchange), self._rest)
        self._collapsing.resolve(visit)
        if not forNobody:
            self._delivery.give(exchange, visit, entry, now)
            directives = readControl(reply.fields, self._rules).directives
            unmerged = unmergedNames(directives, self._rules)
            updated = self._cache.heads.fieldsOf(entry)
            unmerged |= unstoredNames(readControl(updated, self._rules).directives)
            if unmerged:
                self._answers.keep(exchange, reply.fields, unmerged)
        return None

    @staticmethod
    def _afresh(visit: Visit) -> Any:
        """Ask again, without regard to what is stored."""
        visit.forget()
        return REFETCH
