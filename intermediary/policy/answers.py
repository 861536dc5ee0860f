# -*- test-case-name: tests.policy.test_cache -*-
"""
Replies from stored responses: whole, not modified, or in part (RFC 9111 §4).
"""

from __future__ import annotations

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
from ..wire.fields import EMPTY
from ..wire.freshness import Freshness
from ..wire.message import CHUNKED
from ..wire.ranges import parseContentRange, rangesFor
from ..wire.reuse import isPlain
from .pages import LEAST_OCTETS, MOST_OCTETS, WORTH_USES
from .partials import WHOLE_OCTETS, Partials
from .reading import Reading

if TYPE_CHECKING:
    from ..engine import Engine
    from ..exchange import Exchange
    from ..wire.conditional import Validators
    from ..wire.fields import Fields
    from ..wire.message import RequestHead
    from .body import Body
    from .entries import Entry
    from .heads import Heads
    from .pages import PageFile

PARTIAL_CONTENT: Final = 206

#: Of a L{Record} on disk.
RECORD_VERSION: Final = 1
_RECORD: Final = Struct("<BBq7d")


class Record:
    """
    What is known of a stored response beside its fields: an entry's C{verdict}.

    @ivar length: of its content, where it was announced; None otherwise.
    @ivar received: when its head was received, or validated last.
    @ivar requested: when that was asked for, or earlier.
    """

    __slots__ = ("freshness", "length", "received", "requested")

    def __init__(
        self,
        freshness: Freshness,
        length: int | None,
        received: float,
        requested: float | None = None,
    ) -> None:
        """
        @param requested: None where that is not known.
        """
        self.freshness = freshness
        self.length = length
        self.received = received
        # Its age is no less than the time that it was under way (RFC 9111 §4.2.3).
        self.requested: float = freshness.bornAt if requested is None else requested

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


def requestedAt(entry: Entry) -> float:
    """Tell when an entry was asked for, or validated last, or earlier; 0 if that is not known."""
    record = entry.verdict
    return record.requested if isinstance(record, Record) else 0.0


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

    __slots__ = ("_engine", "_heads", "_pages", "_partials", "hooked")

    def __init__(self, engine: Engine, heads: Heads, pages: PageFile, hooked: bool) -> None:
        self._engine = engine
        self._heads = heads
        self._pages = pages
        self._partials = Partials(engine, heads)
        self.hooked = hooked

    def validators(self, entry: Entry) -> Validators:
        """Read the validators of an entry."""
        record: Record = entry.verdict
        return readValidators(self._heads.fieldsOf(entry), record.received)

    def give(
        self, exchange: Exchange, entry: Entry, now: float, member: bytes, aged: bool = True
    ) -> None:
        """
        Answer an exchange with an entry.

        @param member: for C{Cache-Status}.
        @param aged: to say in C{Age} how old it is, and so that no origin was asked.
        """
        request = exchange.request
        assert request is not None
        fields = request.fields
        body = entry.body
        record: Record = entry.verdict
        if aged:
            more = b"Age: %d\r\nCache-Status: %b\r\n" % (record.freshness.age(now), member)
        else:
            more = b"Cache-Status: %b\r\n" % member
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
            reply = exchange.reply = Reply(304, notModifiedFields(fields))
            reply.more = more
            return True
        if request.method != b"GET":
            return False
        if entry.status == PARTIAL_CONTENT:
            return self._partials.ofPart(exchange, entry, fields, now, more)
        length = self.lengthOf(entry)
        if entry.status != 200 or length is None:
            return False
        wanted = rangesFor(request.fields, validators, now)
        if wanted is None:
            return False
        return self._partials.ofWhole(exchange, entry.body, fields, wanted, length, more)

    def fits(self, entry: Entry, request: RequestHead, now: float) -> bool:
        """Tell whether an entry answers a request still; what is no part does so always."""
        return (
            entry.status != PARTIAL_CONTENT
            or isNotModified(request.fields, entry.status, self.validators(entry), now)
            or self.holds(entry, request, now)
        )

    def holds(self, entry: Entry, request: RequestHead, now: float) -> bool:
        """Tell whether a stored 206 has all that a request asks for (RFC 9111 §3.3)."""
        return bool(self._partials.held(entry, request, now))

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
