# -*- test-case-name: tests.policy.test_cache -*-
"""
Replies from stored responses: whole, not modified, or in part (RFC 9111 §4).
"""

from __future__ import annotations

import os
from struct import Struct
from typing import TYPE_CHECKING, Final

from ..exchange import Reply
from ..wire.combining import Parts, completingRange
from ..wire.conditional import (
    isConditional,
    isNotModified,
    isStrong,
    notModifiedFields,
    readValidators,
)
from ..wire.fields import EMPTY, Fields
from ..wire.freshness import Freshness
from ..wire.message import CHUNKED
from ..wire.ranges import (
    Multipart,
    coalesce,
    formatUnsatisfied,
    parseContentRange,
    partialFields,
    rangesFor,
)
from ..wire.reuse import isPlain
from .pages import LEAST_OCTETS, MOST_OCTETS, WORTH_USES
from .reading import Reading

if TYPE_CHECKING:
    from ..engine import Engine
    from ..exchange import Exchange
    from ..wire.conditional import Validators
    from ..wire.message import RequestHead
    from ..wire.ranges import Span
    from .body import Body
    from .entries import Entry
    from .heads import Heads
    from .pages import PageFile

PARTIAL_CONTENT: Final = 206
#: A body up to this is handed over whole.
WHOLE_OCTETS: Final = 262144
#: Answers of several ranges are put together in memory, up to this.
PARTS_OCTETS: Final = 1 << 20


#: Of a L{Record} on disk.
RECORD_VERSION: Final = 1
_RECORD: Final = Struct("<BBq7d")


class Record:
    """
    What is known of a stored response beside its fields: an entry's C{verdict}.

    @ivar length: of its content, where it was announced; None otherwise.
    @ivar received: when its head was received, or validated last.
    """

    __slots__ = ("freshness", "length", "received")

    def __init__(self, freshness: Freshness, length: int | None, received: float) -> None:
        self.freshness = freshness
        self.length = length
        self.received = received

    def encode(self) -> bytes:
        """Make octets of it, for a store on disk."""
        freshness = self.freshness
        flags = (
            (1 if freshness.staleForbidden else 0)
            | (2 if freshness.heuristic else 0)
            | (4 if freshness.immutable else 0)
        )
        return _RECORD.pack(
            RECORD_VERSION,
            flags,
            -1 if self.length is None else self.length,
            self.received,
            freshness.bornAt,
            freshness.date,
            freshness.lifetime,
            freshness.freshUntil,
            freshness.staleWhileUntil,
            freshness.staleErrorUntil,
        )

    @classmethod
    def decode(cls, octets: bytes) -> Record:
        """
        Make it of octets.

        @raise ValueError: they are of another version.
        """
        if len(octets) != _RECORD.size or octets[0] != RECORD_VERSION:
            raise ValueError("a record of another version")
        _, flags, length, received, born, date, lifetime, until, staleWhile, staleError = (
            _RECORD.unpack(octets)
        )
        freshness = Freshness(
            born,
            date,
            lifetime,
            until,
            staleWhile,
            staleError,
            bool(flags & 1),
            bool(flags & 2),
            bool(flags & 4),
        )
        return cls(freshness, None if length < 0 else length, received)


def freshnessOf(entry: Entry) -> Freshness:
    """Tell how fresh an entry is, which a soft purge may have changed since it was stored."""
    record: Record = entry.verdict
    freshness = record.freshness
    if entry.expires < freshness.freshUntil:
        freshness.expire(entry.expires)
    return freshness


class Answers:
    """
    Makes the replies of one route's hits.

    @ivar hooked: whether somebody looks at the fields of replies; otherwise they
        go out as they were stored, unparsed.
    """

    __slots__ = ("_engine", "_heads", "_pages", "hooked")

    def __init__(self, engine: Engine, heads: Heads, pages: PageFile, hooked: bool) -> None:
        self._engine = engine
        self._heads = heads
        self._pages = pages
        self.hooked = hooked

    def validators(self, entry: Entry) -> Validators:
        """Read the validators of an entry."""
        record: Record = entry.verdict
        return readValidators(self._heads.fieldsOf(entry), record.received)

    def give(self, exchange: Exchange, entry: Entry, now: float, member: bytes) -> None:
        """
        Answer an exchange with an entry.

        @param member: for C{Cache-Status}.
        """
        request = exchange.request
        assert request is not None
        fields = request.fields
        body = entry.body
        record: Record = entry.verdict
        more = b"Age: %d\r\nCache-Status: %b\r\n" % (record.freshness.age(now), member)
        if not isPlain(fields) and (b"range" in fields or isConditional(fields)):
            # The answer to a POST may be stored, but that is no reason to take it
            # for a GET.
            if request.method != b"POST" and self._conditional(exchange, entry, now, more):
                return
        if (
            body.octets >= LEAST_OCTETS
            and exchange.downstream.takesParts
            and not self.hooked
            and (body.pages is not None or self._move(entry))
        ):
            reply = Reply(entry.status, EMPTY, None, body.octets, entry.reason)
            reply.part = body.pages
        elif body.complete and body.octets <= WHOLE_OCTETS and not body.start:
            reply = Reply(entry.status, EMPTY, body.whole, None, entry.reason)
        else:
            reply = Reply(entry.status, EMPTY, None, self._framing(entry), entry.reason)
            if request.method != b"HEAD":
                self._read(exchange, body)
        if self.hooked:
            reply.fields = self._heads.fieldsOf(entry)
            reply.more = more
        else:
            reply.more = entry.head + more
        exchange.reply = reply

    def _move(self, entry: Entry) -> bool:
        """
        Have the content of an entry where the kernel can send it, if it is worth that.

        @return: whether it is there.
        """
        body = entry.body
        if (
            entry.uses < WORTH_USES
            or not body.complete
            or body.octets > MOST_OCTETS
            or body.start
            or entry.queue is None
        ):
            return False
        pages = self._pages.keep(body.pieces, body.octets)
        if pages is not None:
            body.move(pages)
        return pages is not None

    def _framing(self, entry: Entry) -> int:
        """Tell how the content is framed: by its length, if that is known."""
        length = self.lengthOf(entry)
        return CHUNKED if length is None else length

    @staticmethod
    def lengthOf(entry: Entry) -> int | None:
        """Find the length of an entry's content; None if it is not known yet."""
        body = entry.body
        if body.complete:
            return body.octets
        record: Record = entry.verdict
        return record.length

    def _read(self, exchange: Exchange, body: Body, start: int = 0, stop: int = -1) -> None:
        """Have an exchange's content come from a body."""
        exchange.lease = Reading(self._engine, exchange, body, start, stop)  # type: ignore[assignment]

    def _conditional(self, exchange: Exchange, entry: Entry, now: float, more: bytes) -> bool:
        """
        Answer by preconditions and ranges.

        @return: whether that was called for; otherwise the whole answers.
        """
        request = exchange.request
        assert request is not None
        fields = self._heads.fieldsOf(entry)
        validators = self.validators(entry)
        if isNotModified(request.fields, entry.status, validators, now):
            self._reply(exchange, Reply(304, notModifiedFields(fields)), more)
            return True
        if request.method != b"GET":
            return False
        if entry.status == PARTIAL_CONTENT:
            return self._part(exchange, entry, fields, now, more)
        length = self.lengthOf(entry)
        if entry.status != 200 or length is None:
            return False
        wanted = rangesFor(request.fields, validators, now)
        if wanted is None:
            return False
        spans = wanted.resolve(length)
        if not spans:
            # RFC 9110 §15.5.17: and nothing of what is stored about the content.
            unsatisfied = Fields.fromPairs([(b"Content-Range", formatUnsatisfied(length))])
            date = fields.get(b"date")
            if date is not None:
                unsatisfied = unsatisfied.adding((b"Date", date))
            self._reply(exchange, Reply(416, unsatisfied), more)
            return True
        spans = coalesce(spans)
        if len(spans) > 1:
            return self._several(exchange, entry, fields, spans, length, more)
        self._single(exchange, entry.body, spans[0], partialFields(fields, spans[0], length), more)
        return True

    def _single(
        self, exchange: Exchange, body: Body, span: Span, partial: Fields, more: bytes
    ) -> None:
        """Answer with one range of a body."""
        start, stop = span
        if body.complete and stop - start <= WHOLE_OCTETS and start >= body.start:
            reply = Reply(206, partial, b"".join(body.cut(start, stop)))
        else:
            reply = Reply(206, partial, None, stop - start)
            self._read(exchange, body, start, stop)
        self._reply(exchange, reply, more)

    def fits(self, entry: Entry, request: RequestHead, now: float) -> bool:
        """Tell whether an entry answers a request still; what is no part does so always."""
        return (
            entry.status != PARTIAL_CONTENT
            or isNotModified(request.fields, entry.status, self.validators(entry), now)
            or self.holds(entry, request, now) is not None
        )

    def holds(self, entry: Entry, request: RequestHead, now: float) -> Span | None:
        """
        Find what of a stored 206 answers a request (RFC 9111 §3.3).

        @return: which octets of the representation; None if it does not have all
            that is asked for, or if that is several ranges.
        """
        fields = self._heads.fieldsOf(entry)
        value = fields.get(b"content-range")
        known = None if value is None else parseContentRange(value)
        if known is None or request.method != b"GET":
            return None
        wanted = rangesFor(request.fields, self.validators(entry), now)
        if wanted is None:
            return None
        parts = Parts(known.length)
        parts.add((known.first, known.end))
        spans = parts.answer(wanted)
        return spans[0] if spans and len(spans) == 1 else None

    def _part(
        self, exchange: Exchange, entry: Entry, fields: Fields, now: float, more: bytes
    ) -> bool:
        """Answer with a range of a stored 206."""
        request = exchange.request
        assert request is not None
        span = self.holds(entry, request, now)
        known = parseContentRange(fields.get(b"content-range") or b"")
        if span is None or known is None or known.length is None:
            return False
        start, stop = span[0] - known.first, span[1] - known.first
        partial = fields
        if span != (known.first, known.end):
            partial = partialFields(fields, span, known.length)
        self._single(exchange, entry.body, (start, stop), partial, more)
        return True

    def keep(self, exchange: Exchange, received: Fields, names: frozenset[bytes]) -> None:
        """
        Add what is not stored to the answer of the request that brought it.

        C{private} and C{no-cache} with field names are about later requests
        (RFC 9111 §5.2.2.4, §5.2.2.7).

        @param received: the fields that it would have got without us.
        @param names: of those that are not stored.
        """
        reply = exchange.reply
        assert reply is not None
        own = [pair for pair in received if pair[0].lower() in names]
        if own:
            reply.fields = reply.fields.extended(own)

    def completion(self, entry: Entry) -> tuple[tuple[bytes, bytes], ...] | None:
        """
        Make the fields that ask for what a stored 206 lacks (RFC 9111 §3.3).

        @return: None if that is not possible: what has no strong validator can't
            be combined (RFC 9111 §3.4), nor what is still growing, or not in memory.
        """
        fields = self._heads.fieldsOf(entry)
        validators = self.validators(entry)
        known = parseContentRange(fields.get(b"content-range") or b"")
        tag = validators.tag
        body = entry.body
        if known is None or not body.complete or body.start or tag is None or not isStrong(tag):
            return None
        parts = Parts(known.length)
        parts.add((known.first, known.end))
        value = completingRange(parts)
        return None if value is None else ((b"Range", value), (b"If-Range", tag))

    def passOn(self, exchange: Exchange, body: Body, start: int, length: int) -> None:
        """
        Let the content of a reply, which stays as it is, come from a body.

        @param start: its first octet in the body.
        """
        self._read(exchange, body, start, start + length)

    def _several(
        self,
        exchange: Exchange,
        entry: Entry,
        fields: Fields,
        spans: list[tuple[int, int]],
        length: int,
        more: bytes,
    ) -> bool:
        """Answer with several ranges, if all of it is here and small enough."""
        body = entry.body
        parts = Multipart(fields, spans, length, os.urandom(15).hex().encode("ascii"))
        if not body.complete or body.start or parts.length > PARTS_OCTETS:
            return False
        pieces = []
        for head, (start, stop) in zip(parts.heads, spans, strict=True):
            pieces.append(head)
            pieces += body.cut(start, stop)
        pieces.append(parts.trailer)
        self._reply(exchange, Reply(206, parts.fields, b"".join(pieces)), more)
        return True

    def _reply(self, exchange: Exchange, reply: Reply, more: bytes) -> None:
        reply.more = more
        exchange.reply = reply
