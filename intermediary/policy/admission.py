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
from ..wire.ranges import CONTENT_DIGESTS, formatContentRange
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
from .joining import together
from .selection import select
from .siblings import Siblings
from .tags import MOST_STORED_TAGS, TAG_FIELDS, readTags

if TYPE_CHECKING:
    from ..exchange import Exchange
    from ..interfaces import ICacheStore
    from ..wire.ranges import ContentRange
    from ..wire.rules import CacheRules
    from ..wire.targeted import CacheControl
    from .answers import Answers
    from .heads import Heads
    from .joining import Joining
    from .visit import Visit

_AGE: Final = frozenset({b"age"})
_CONTENT_RANGE: Final = frozenset({b"content-range"})
_OUTLIVING: Final = frozenset({b"stale-if-error", b"stale-while-revalidate"})
_NO_FIELDS: Final = Fields([])


class Admission:
    """The way into the store, for one route."""

    __slots__ = ("_answers", "_heads", "_joining", "_rules", "_store")

    def __init__(
        self,
        store: ICacheStore,
        heads: Heads,
        rules: CacheRules,
        answers: Answers,
        joining: Joining,
    ) -> None:
        self._store = store
        self._heads = heads
        self._rules = rules
        self._answers = answers
        self._joining = joining

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
        said = response.fields
        length = response.framing if response.framing >= 0 else None
        status, reason = response.status, response.reason
        tags: tuple[bytes, ...] | None = None
        part: ContentRange | None = None
        known: ContentRange | None = None
        if status == PARTIAL_CONTENT:
            part = readPart(said, length)
            if part is None:
                return None
            assert part.length is not None
            length = part.length
            span = part.first, part.end
            known = self._joining.known(visit, said, part, now)
            if known is not None:
                assert visit.part is not None
                span = together(known, part)
                fields, control = self._merge(visit.part, reply.fields, now)
                # Of what is joined nobody made any.
                fields = fields.without(CONTENT_DIGESTS)
                said = fields
                if self._forbids(request.fields, status, fields, control) is not None:
                    return None
                tags = _retagged(visit.part, response.fields, fields)
            if span == (0, length):
                status, reason = 200, b"OK"
                fields = fields.without(_CONTENT_RANGE)
            else:
                fields = fields.setting(b"Content-Range", formatContentRange(span, length))
        freshness = evaluate(status, said, control, self._rules, visit.requested, now)
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
        vary = readVary(said, self._rules) or ()
        if vary and _isMisspelt(request.fields, vary):
            return None
        if not DISCLOSING.isdisjoint(vary) and self._isMisled(exchange, vary):
            return None
        body = Body() if response.framing != NO_BODY else Body.of(b"")
        if part is not None and known is not None:
            self._joining.surround(visit, known, part, body)
        if tags is None:
            tags = tuple(readTags(response.fields))
            if visit.common:
                tags = (*tags, Siblings.tagOf(visit.common))
        if _areTooMany(tags):
            return None
        entry = Entry(
            visit.key,
            status,
            reason,
            fields,
            body,
            now,
            freshness.freshUntil,
            Record(freshness, length, now, visit.requested),
            secondaryKey(vary, request.fields),
            vary,
            tags,
        )
        return entry if self._store.add(entry) else None

    def _forbids(
        self, request: Fields, status: int, merged: Fields, control: CacheControl
    ) -> str | None:
        """Tell why what was merged may not be stored as an answer to a request; None if it may."""
        return whyNotStored(b"GET", request, status, merged, control, self._rules)

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

    def takesPart(self, exchange: Exchange, visit: Visit, now: float) -> bool:
        """
        Tell whether a 206 is to be stored: not beside the whole.

        Where that is stored and not known to be another, it gets the newer
        fields (RFC 9111 §3.4).
        """
        request, response, forward = exchange.request, exchange.response, exchange.forward
        reply = exchange.reply
        assert request is not None
        assert response is not None
        assert forward is not None
        assert reply is not None
        # Of several parts, what is said is about all of them together.
        part = readPart(response.fields, response.framing)
        if part is None or b"range" not in forward.fields.index:
            return False
        if not visit.entries:
            # Somebody may have brought the whole since it was looked up.
            shelf = self._store.find(visit.key)
            if shelf is None or not shelf.entries:
                return True
            since = select(shelf.entries, request.fields, self._heads)
            return since is None or since.status == PARTIAL_CONTENT
        whole = visit.entries[0]
        if whole.status != 200:
            return True
        old, new = self._answers.validators(whole), readValidators(response.fields, now)
        if mayCombine(old, new):
            if self._answers.lengthOf(whole) not in (None, part.length):
                # Whatever it says of itself.
                return True
            self.freshen(whole, request.fields, reply.fields, visit.requested, now)
            return False
        return old.exist and new.exist

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
        fields, control = self._merge(entry, new, now)
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
            Record(freshness, record.length, now, requested),
            variant,
            vary,
            _retagged(entry, new, fields),
        )
        if self._forbids(_NO_FIELDS, entry.status, fields, control) is not None or _areTooMany(
            fresh.tags
        ):
            self._store.remove(entry)
            return fresh, False
        shelf = self._store.find(entry.key)
        if (
            shelf is None
            # It was purged, or something newer is there.
            or entry not in shelf.entries
            or self._forbids(request, entry.status, fields, control) is not None
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

    def _merge(self, entry: Entry, new: Fields, now: float) -> tuple[Fields, CacheControl]:
        """
        Give the fields of an entry with newer ones (RFC 9111 §3.2), and what they say.

        @param new: as clients would get them.
        """
        control = readControl(new, self._rules)
        unmerged = unmergedNames(control.directives, self._rules)
        fields = updated(self._heads.fieldsOf(entry), new, now, unmerged)
        control = readControl(fields, self._rules)
        # What the stored one says still holds where the newer one says nothing.
        return fields.without(unstoredNames(control.directives)), control

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
        record: Record = entry.verdict
        shared = Entry(
            entry.key,
            entry.status,
            entry.reason,
            self._heads.fieldsOf(entry),
            entry.body,
            entry.stored,
            entry.expires,
            # Either may be made stale without the other.
            Record(record.freshness.copy(), record.length, record.received, record.requested),
            variant,
            entry.vary,
            entry.tags,
        )
        return shared if self._store.add(shared) else entry

    def heard(self, exchange: Exchange, visit: Visit, now: float) -> None:
        """A HEAD tells what a GET would have got (RFC 9111 §4.3.5)."""
        request, response, reply = exchange.request, exchange.response, exchange.reply
        assert request is not None
        assert response is not None
        assert reply is not None
        if response.status != 200 or not visit.entries:
            return
        entry = visit.entries[0]
        if entry.status != 200:
            return
        new = readValidators(response.fields, now)
        stored = self._answers.validators(entry)
        if headMatches(stored, self._answers.lengthOf(entry), new, response.length):
            self.freshen(entry, request.fields, reply.fields, visit.requested, now)
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
    if request.encoded.find(b"_") < 0 and all(name.find(b"_") < 0 for name in vary):
        return False
    spelt = {name.replace(b"_", b"-") for name in vary}
    return any(name.replace(b"_", b"-") in spelt and name not in vary for name in request.index)


def _retagged(entry: Entry, new: Fields, merged: Fields) -> tuple[bytes, ...]:
    """Give the tags of an entry after an update, which may name others."""
    if not any(name in new.index for name in TAG_FIELDS):
        return entry.tags
    return (*readTags(merged), *[tag for tag in entry.tags if Siblings.isOurs(tag)])


def _areTooMany(tags: tuple[bytes, ...]) -> bool:
    """Tell whether a response has more tags than it could be purged by."""
    most = MOST_STORED_TAGS
    return len(tags) > most and len([tag for tag in tags if not Siblings.isOurs(tag)]) > most
