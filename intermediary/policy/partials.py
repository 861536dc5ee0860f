# -*- test-case-name: tests.policy.test_partials -*-
"""
Replies that have ranges of what is stored, and those that say that there are none (RFC 9110 §14).

Wherever the content is, a reply is made of sections of it, in the order of the request:
one, or several with lines between them (C{multipart/byteranges}).  What is short and in
memory is put together at once; the rest is read as it leaves.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from ..exchange import Reply
from ..wire.combining import Parts
from ..wire.conditional import readValidators
from ..wire.fields import Fields
from ..wire.ranges import (
    Multipart,
    coalesce,
    formatUnsatisfied,
    parseContentRange,
    partialFields,
    rangesFor,
)
from .reading import Reading

if TYPE_CHECKING:
    from ..engine import Engine
    from ..exchange import Exchange
    from ..wire.message import RequestHead
    from ..wire.ranges import RangeSet, Section, Span
    from .answers import Record
    from .body import Body
    from .entries import Entry
    from .heads import Heads

#: What is handed over whole.
WHOLE_OCTETS: Final = 262144


class Partials:
    """Makes these replies for one route."""

    __slots__ = ("_engine", "_heads")

    def __init__(self, engine: Engine, heads: Heads) -> None:
        self._engine = engine
        self._heads = heads

    def ofWhole(
        self,
        exchange: Exchange,
        body: Body,
        fields: Fields,
        wanted: RangeSet,
        length: int,
        more: bytes,
    ) -> bool:
        """
        Answer with ranges of a 200.

        @param length: of its content.
        @param more: lines for the reply.
        @return: whether that is possible; otherwise the whole answers.
        """
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
        if not _canBeRead(body, spans):
            return False
        self._give(exchange, body, fields, spans, None, length, more)
        return True

    def ofPart(
        self, exchange: Exchange, entry: Entry, fields: Fields, now: float, more: bytes
    ) -> bool:
        """
        Answer with ranges of a 206.

        @return: whether it has all of them.
        """
        request = exchange.request
        assert request is not None
        spans = self.held(entry, request, now)
        known = parseContentRange(fields.get(b"content-range") or b"")
        if not spans or known is None or known.length is None:
            return False
        own = known.first, known.end
        self._give(exchange, entry.body, fields, spans, own, known.length, more)
        return True

    def held(self, entry: Entry, request: RequestHead, now: float) -> list[Span]:
        """
        Find what of a stored 206 answers a request (RFC 9111 §3.3).

        @return: which octets of the representation; none if it does not have all that is
            asked for.
        """
        fields = self._heads.fieldsOf(entry)
        value = fields.get(b"content-range")
        known = None if value is None else parseContentRange(value)
        if known is None or request.method != b"GET":
            return []
        record: Record = entry.verdict
        wanted = rangesFor(request.fields, readValidators(fields, record.received), now)
        if wanted is None:
            return []
        parts = Parts(known.length)
        parts.add((known.first, known.end))
        spans = coalesce(parts.answer(wanted) or ())
        return spans if _canBeRead(entry.body, spans) else []

    def _give(
        self,
        exchange: Exchange,
        body: Body,
        fields: Fields,
        spans: list[Span],
        own: Span | None,
        length: int,
        more: bytes,
    ) -> None:
        """
        Answer with one range or several.

        @param own: which octets of the representation are in the body, and told of by the
            fields; None if they are all and the fields are of the whole.
        @param length: of the representation.
        """
        first = 0 if own is None else own[0]
        if len(spans) > 1:
            parts = Multipart(fields, spans, length, os.urandom(15).hex().encode("ascii"))
            self._several(exchange, body, parts, first, more)
            return
        start, stop = spans[0][0] - first, spans[0][1] - first
        partial = fields if spans[0] == own else partialFields(fields, spans[0], length)
        if body.complete and stop - start <= WHOLE_OCTETS and start >= body.start:
            reply = Reply(206, partial, b"".join(body.cut(start, stop)))
        else:
            reply = Reply(206, partial, None, stop - start)
            self._read(exchange, Reading(self._engine, exchange, body, start, stop))
        self._reply(exchange, reply, more)

    def _several(
        self, exchange: Exchange, body: Body, parts: Multipart, first: int, more: bytes
    ) -> None:
        sections = parts.sections(first)
        start = min([each[1] for each in sections])
        if body.complete and parts.length <= WHOLE_OCTETS and start >= body.start:
            reply = Reply(206, parts.fields, _together(body, sections))
        else:
            reply = Reply(206, parts.fields, None, parts.length)
            # It begins where it ends, before the first of them.
            start = sections[0][1]
            self._read(exchange, Reading(self._engine, exchange, body, start, start, sections))
        self._reply(exchange, reply, more)

    @staticmethod
    def _read(exchange: Exchange, reading: Reading) -> None:
        exchange.lease = reading  # type: ignore[assignment]

    @staticmethod
    def _reply(exchange: Exchange, reply: Reply, more: bytes) -> None:
        reply.more = more
        exchange.reply = reply


def _canBeRead(body: Body, spans: list[Span]) -> bool:
    """
    Tell whether ranges can be read in their order.

    Of what is arriving still only forwards: whoever waited for what comes later would
    keep the origin from bringing it, with what it wants of before.
    """
    return body.complete or spans == sorted(spans)


def _together(body: Body, sections: list[Section]) -> bytes:
    """Put sections together that are in memory."""
    pieces = []
    for lead, start, stop in sections:
        pieces.append(lead)
        pieces += body.cut(start, stop)
    return b"".join(pieces)
