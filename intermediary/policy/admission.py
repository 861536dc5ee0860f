# -*- test-case-name: tests.policy.test_cacheparts -*-
"""
What responses do to the store: new entries, newer fields, and what is dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..wire.combining import mayCombine, readPart
from ..wire.conditional import headMatches, readValidators
from ..wire.fields import Fields
from ..wire.forwarding import DISCLOSING
from ..wire.freshness import evaluate
from ..wire.message import NO_BODY
from ..wire.ranges import parseContentRange, partialFields
from ..wire.reuse import ERRORS, ORDINARY, mayReplaceError
from ..wire.storing import (
    readControl,
    readVary,
    statesLifetime,
    storedFields,
    unmergedNames,
    unstoredNames,
    whyNotStored,
)
from ..wire.updating import updated
from ..wire.variants import secondaryKey
from .answers import PARTIAL_CONTENT, Record, freshnessOf
from .body import Body
from .entries import Entry
from .selection import select
from .siblings import Siblings
from .tags import MOST_TAGS, TAG_FIELDS, readTags

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..exchange import Exchange
    from ..interfaces import ICacheStore
    from ..wire.message import ResponseHead
    from ..wire.ranges import ContentRange, Span
    from ..wire.rules import CacheRules
    from ..wire.targeted import CacheControl
    from .answers import Answers
    from .heads import Heads
    from .visit import Visit

_AGE: Final = frozenset({b"age"})
_CONTENT_RANGE: Final = frozenset({b"content-range"})
_OUTLIVING: Final = frozenset({b"stale-if-error", b"stale-while-revalidate"})
_NO_FIELDS: Final = Fields([])


class Admission:
    """The way into the store, for one route."""

    __slots__ = ("_answers", "_heads", "_rules", "_seconds", "_store")

    def __init__(
        self,
        store: ICacheStore,
        heads: Heads,
        rules: CacheRules,
        answers: Answers,
        seconds: Callable[[], float],
    ) -> None:
        self._store = store
        self._heads = heads
        self._rules = rules
        self._answers = answers
        self._seconds = seconds

    def put(
        self,
        exchange: Exchange,
        visit: Visit,
        control: CacheControl,
        now: float,
    ) -> Entry | None:
        """
        Store a response that may be, without its content.

        @param control: of the response.
        @return: what it is in the store; None if it is not worth it, or too big.
        """
        response = exchange.response
        reply = exchange.reply
        request = exchange.request
        assert response is not None
        assert reply is not None
        assert request is not None
        fields = storedFields(reply.fields, control, now)
        freshness = evaluate(
            response.status, response.fields, control, self._rules, visit.requested, now
        )
        if (
            freshness.freshUntil <= now
            and _OUTLIVING.isdisjoint(control.directives)
            and not readValidators(fields, now).exist
        ):
            # Nobody could ever use it: it must not make others wait.
            return None
        if (
            response.status in ERRORS
            and not statesLifetime(control)
            and self._standsIn(visit.key, now)
        ):
            # That does more for whoever asks than to know that the origin fails.
            return None
        fields = fields.without(_AGE)
        vary = readVary(response.fields, self._rules) or ()
        if vary and _isMisspelt(request.fields, vary):
            return None
        if not DISCLOSING.isdisjoint(vary) and self._isMisled(exchange, vary):
            return None
        body = Body() if response.framing != NO_BODY else Body.of(b"")
        length = response.framing if response.framing >= 0 else None
        status, reason = response.status, response.reason
        if status == PARTIAL_CONTENT:
            part = readPart(response.fields, length)
            if part is None:
                return None
            span = self._around(visit, fields, part, body, now)
            assert part.length is not None
            length = part.length
            if span == (0, length):
                status, reason = 200, b"OK"
                fields = fields.without(_CONTENT_RANGE)
            else:
                fields = partialFields(fields, span, length)
        tags = _tagsOf(response.fields)
        if visit.common:
            tags = (*tags, Siblings.tagOf(visit.common))
        entry = Entry(
            visit.key,
            status,
            reason,
            fields,
            body,
            now,
            freshness.freshUntil,
            Record(freshness, length, now),
            secondaryKey(vary, request.fields),
            vary,
            tags,
        )
        return entry if self._store.add(entry) else None

    def _standsIn(self, key: bytes, now: float) -> bool:
        """Tell whether there is something under a key that may stand in for an error."""
        shelf = self._store.find(key)
        if shelf is not None:
            for entry in shelf.entries:
                freshness = freshnessOf(entry)
                if entry.status not in ERRORS and mayReplaceError(freshness, ORDINARY, now):
                    return True
        return False

    @staticmethod
    def _isMisled(exchange: Exchange, vary: tuple[bytes, ...]) -> bool:
        """
        Whether the origin chose by something else than the client wrote.

        C{Forwarded} and its like are written anew unless the peer is trusted.  Stored
        by what it wrote, the answer would be that to a trusted one as well.
        """
        request, forward = exchange.request, exchange.forward
        assert request is not None
        assert forward is not None
        wrote, sent = request.fields.index, forward.fields.index
        return any(
            name in DISCLOSING and name in wrote and wrote[name] != sent.get(name) for name in vary
        )

    def completes(self, visit: Visit, response: ResponseHead) -> bool:
        """
        Tell whether the answer to a request for the rest of a part brings the whole.

        It is that itself unless it is a 206, or the 416 of an origin where the
        part does not fit any more.
        """
        if response.status != PARTIAL_CONTENT:
            return response.status != 416
        part = readPart(response.fields, response.framing)
        if part is None:
            return False
        known = self._joined(visit, response.fields, part, self._seconds())
        return (
            known is not None
            and min(known.first, part.first) == 0
            and max(known.end, part.end) == part.length
        )

    def takesPart(self, exchange: Exchange, visit: Visit, now: float) -> bool:
        """
        Tell whether a 206 is to be stored: not beside the whole.

        Where that is stored and not known to be another, it gets the newer
        fields (RFC 9111 §3.4).
        """
        request, response, forward = exchange.request, exchange.response, exchange.forward
        assert request is not None
        assert response is not None
        assert forward is not None
        if b"range" not in forward.fields.index:
            return False
        if not visit.entries:
            # Somebody may have brought the whole since it was looked up.
            shelf = self._store.find(visit.key)
            if shelf is None or not shelf.entries:
                return True
            since = select(shelf.entries, request.fields, self._heads)
            return since is None or since.status == PARTIAL_CONTENT
        whole = visit.entries[0]
        if whole.status == PARTIAL_CONTENT:
            return True
        old, new = self._answers.validators(whole), readValidators(response.fields, now)
        if mayCombine(old, new):
            self.freshen(whole, request.fields, response.fields, visit.requested, now)
            return False
        return old.exist and new.exist

    def _joined(
        self, visit: Visit, fields: Fields, part: ContentRange, now: float
    ) -> ContentRange | None:
        """Find which octets are stored that can be joined with a new part (RFC 9111 §3.4)."""
        old = visit.part
        if old is None or not old.body.complete or old.body.start:
            return None
        known = parseContentRange(self._heads.fieldsOf(old).get(b"content-range") or b"")
        if (
            known is None
            or known.length != part.length
            or known.end < part.first
            or part.end < known.first
            or not mayCombine(self._answers.validators(old), readValidators(fields, now))
        ):
            return None
        return known

    def _around(
        self, visit: Visit, fields: Fields, part: ContentRange, body: Body, now: float
    ) -> Span:
        """
        Put what is stored of the same representation around a new part.

        @param body: takes what comes before it.
        @return: which octets they are together.
        """
        old = visit.part
        known = self._joined(visit, fields, part, now)
        if old is None or known is None:
            return part.first, part.end
        if known.first < part.first:
            visit.skipped = part.first - known.first
            for piece in old.body.cut(0, visit.skipped):
                body.take(piece)
        if part.end < known.end:
            visit.tail = old.body.cut(part.end - known.first, known.end - known.first)
        return min(known.first, part.first), max(known.end, part.end)

    def freshen(
        self, entry: Entry, request: Fields, new: Fields, requested: float, now: float
    ) -> tuple[Entry, bool]:
        """
        Merge newer fields into an entry (RFC 9111 §3.2).

        @param request: the fields of the request that brought them: what may not be
            stored of its answer may not be stored of an update, either.
        @return: the updated entry, and whether it has taken the place of the other.
            If not, it may answer this request, and no other.
        """
        control = readControl(new, self._rules)
        unmerged = unmergedNames(control.directives, self._rules)
        fields = updated(self._heads.fieldsOf(entry), new, now, unmerged)
        control = readControl(fields, self._rules)
        # What the stored one says still holds where the newer one says nothing.
        fields = fields.without(unstoredNames(control.directives))
        freshness = evaluate(entry.status, fields, control, self._rules, requested, now)
        record: Record = entry.verdict
        variant = entry.variant
        vary = readVary(fields, self._rules) or ()
        if vary != entry.vary:
            variant = secondaryKey(vary, request)
        fresh = Entry(
            entry.key,
            entry.status,
            entry.reason,
            fields.without(_AGE),
            entry.body,
            now,
            freshness.freshUntil,
            Record(freshness, record.length, now),
            variant,
            vary,
            _retagged(entry, new, fields),
        )
        reason = whyNotStored(b"GET", _NO_FIELDS, entry.status, fields, control, self._rules)
        if reason is not None:
            self._store.remove(entry)
            return fresh, False
        shelf = self._store.find(entry.key)
        if (
            shelf is None
            # It was purged, or something newer is there.
            or entry not in shelf.entries
            or whyNotStored(b"GET", request, entry.status, fields, control, self._rules) is not None
            or (variant != entry.variant and _isMisspelt(request, vary))
        ):
            return fresh, False
        source = entry.body.source
        if source is not None:
            # Still on its way: it grows for the new one.
            source.follow(fresh)
        kept = self._store.add(fresh)
        if variant != entry.variant:
            self._store.remove(entry)
        return fresh, kept

    def share(self, entry: Entry, request: Fields) -> Entry:
        """
        Let a stored response answer requests like another one as well (RFC 9111 §4.1).

        @param entry: what the origin would answer.
        @param request: the fields of the request that selected it.
        @return: the entry for these, with the same content; or the one that was
            there, if it fits.
        """
        variant = secondaryKey(entry.vary, request)
        if variant == entry.variant or not entry.body.complete or _isMisspelt(request, entry.vary):
            return entry
        shared = Entry(
            entry.key,
            entry.status,
            entry.reason,
            self._heads.fieldsOf(entry),
            entry.body,
            entry.stored,
            entry.expires,
            entry.verdict,
            variant,
            entry.vary,
            entry.tags,
        )
        return shared if self._store.add(shared) else entry

    def heard(self, visit: Visit, request: Fields, response: ResponseHead, now: float) -> None:
        """
        A HEAD tells what a GET would have got (RFC 9111 §4.3.5).

        @param request: the fields of the request.
        """
        fields = response.fields
        if response.status != 200 or not visit.entries:
            return
        entry = visit.entries[0]
        if entry.status != 200:
            return
        new = readValidators(fields, now)
        stored = self._answers.validators(entry)
        if headMatches(stored, self._answers.lengthOf(entry), new, response.length):
            self.freshen(entry, request, fields, visit.requested, now)
        else:
            self._expire(entry, now)

    def _expire(self, entry: Entry, now: float) -> None:
        """Make an entry stale, also where it is behind the memory."""
        record: Record = entry.verdict
        record.freshness.expire(now)
        entry.expires = min(entry.expires, now)
        shelf = self._store.find(entry.key)
        if shelf is None or shelf.entryOf(entry.variant) is None:
            # Memory needed the room meanwhile.
            self._store.remove(entry)
        elif entry in shelf.entries:
            expired = Entry(
                entry.key,
                entry.status,
                entry.reason,
                self._heads.fieldsOf(entry),
                entry.body,
                entry.stored,
                entry.expires,
                record,
                entry.variant,
                entry.vary,
                entry.tags,
            )
            source = entry.body.source
            if source is not None:
                source.follow(expired)
            self._store.add(expired)


def _isMisspelt(request: Fields, vary: tuple[bytes, ...]) -> bool:
    """
    Tell whether the origin may have chosen by a field that C{Vary} does not name just so.

    CGI, and WSGI with it, knows C{X_Device} and C{X-Device} by the same name.
    """
    if request.encoded.find(b"_") < 0:
        return False
    spelt = {name.replace(b"_", b"-") for name in vary}
    return any(name.replace(b"_", b"-") in spelt and name not in vary for name in request.index)


def _retagged(entry: Entry, new: Fields, merged: Fields) -> tuple[bytes, ...]:
    """Give the tags of an entry after an update, which may name others."""
    if not any(name in new.index for name in TAG_FIELDS):
        return entry.tags
    return (*_tagsOf(merged), *[tag for tag in entry.tags if Siblings.isOurs(tag)])


def _tagsOf(fields: Fields) -> tuple[bytes, ...]:
    """Read by which names a response can be purged."""
    return tuple(dict.fromkeys(readTags(fields)[:MOST_TAGS]))
