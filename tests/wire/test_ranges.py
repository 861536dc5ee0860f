# -*- test-case-name: tests.wire.test_ranges -*-
"""
L{intermediary.wire.ranges}: ranges of octets.
"""

from __future__ import annotations

from email import message_from_bytes

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from intermediary.wire.conditional import Validators
from intermediary.wire.fields import Fields
from intermediary.wire.ranges import (
    RANGES_LIMIT,
    ContentRange,
    Multipart,
    Span,
    coalesce,
    formatContentRange,
    formatUnsatisfied,
    ifRangeHolds,
    parseContentRange,
    parseRange,
    partialFields,
    rangesFor,
)

from .caching import NOW, dated, fieldsOf
from .strategies import octets

_SPANS = st.tuples(st.integers(0, 400), st.integers(1, 100)).map(
    lambda pair: (pair[0], pair[0] + pair[1])
)


class ParseTests(SynchronousTestCase):
    """L{parseRange}: RFC 9110 §14.1, §14.2."""

    def resolved(self, value: bytes, length: int = 10) -> list[Span] | None:
        """Read the ranges of a request and cut them."""
        wanted = parseRange(value)
        return None if wanted is None else wanted.resolve(length)

    def test_satisfiable(self) -> None:
        """First to last, open, suffix, several; cut to what there is."""
        for value, spans in (
            (b"bytes=0-1", [(0, 2)]),
            (b"bytes=1-", [(1, 10)]),
            (b"bytes=-1", [(9, 10)]),
            (b"bytes=-99", [(0, 10)]),
            (b"bytes=9-99", [(9, 10)]),
            (b"bytes=0-0,-1", [(0, 1), (9, 10)]),
            (b"Bytes= ,, 5-6 ,\t0-1,", [(5, 7), (0, 2)]),
            (b"bytes=10-, 0-1", [(0, 2)]),
            (b"bytes=0-999999999999999999", [(0, 10)]),
        ):
            self.assertEqual(self.resolved(value), spans, value)

    def test_unsatisfiable(self) -> None:
        """Nothing of it is there: 416."""
        for value, length in (
            (b"bytes=10-", 10),
            (b"bytes=-0", 10),
            (b"bytes=0-", 0),
            (b"bytes=-5", 0),
        ):
            self.assertEqual(self.resolved(value, length), [], value)

    def test_ignored(self) -> None:
        """Other units and all that is malformed or absurd."""
        for value in (
            b"",
            b"bytes",
            b"bytes=",
            b"bytes=,",
            b"bytes=-",
            b"bytes=a-b",
            b"bytes=1",
            b"bytes=2-1",
            b"bytes=0-1, 2-1",
            b"bytes=0-1-2",
            b"bytes=1 -2",
            b"bytes =0-1",
            b" bytes=0-1",
            b"bytes=--1",
            b"bytes=+1-2",
            b"bytes=0-1;2-3",
            b"items=0-1",
            b"bytes=" + b"9" * 19 + b"-",
            b"bytes=-" + b"9" * 5000,
            b"bytes=" + b",".join([b"0-1"] * (RANGES_LIMIT + 1)),
        ):
            self.assertIsNone(parseRange(value), value[:40])

    def test_single(self) -> None:
        """One range, or several."""
        for value, single in (
            (b"bytes=1-2", (1, 2)),
            (b"bytes=-2", (-1, 2)),
            (b"bytes=1-,2-", None),
        ):
            wanted = parseRange(value)
            assert wanted is not None
            self.assertEqual(wanted.single, single)

    @given(
        octets(b"bytes=0123456789-, \t", 0, 30).map(lambda rest: b"bytes=" + rest),
        st.integers(0, 99),
    )
    def test_anyOctets(self, value: bytes, length: int) -> None:
        """Nothing raises, and all that is found is there."""
        for first, end in self.resolved(value, length) or []:
            self.assertTrue(0 <= first < end <= length)


class CoalesceTests(SynchronousTestCase):
    """L{coalesce}: RFC 9110 §14.2."""

    def test_joined(self) -> None:
        """What overlaps or nearly touches; the rest stays in its order."""
        for spans, gap, expected in (
            ([(0, 5), (5, 9)], 0, [(0, 9)]),
            ([(0, 5), (6, 9)], 0, [(0, 5), (6, 9)]),
            ([(6, 9), (0, 5)], 0, [(6, 9), (0, 5)]),
            ([(6, 9), (0, 5)], 1, [(0, 9)]),
            ([(500, 600), (0, 9), (510, 520)], 80, [(500, 600), (0, 9)]),
            ([(0, 9), (500, 600), (5, 15), (590, 700)], 80, [(0, 15), (500, 700)]),
            ([], 80, []),
        ):
            self.assertEqual(coalesce(spans, gap), expected, spans)

    @given(st.lists(_SPANS, max_size=10))
    def test_octets(self, spans: list[Span]) -> None:
        """No octet is lost, none is sent twice, and none without need."""
        wanted = {octet for first, end in spans for octet in range(first, end)}
        joined = coalesce(spans, 0)
        sent = [octet for first, end in joined for octet in range(first, end)]
        self.assertEqual(sorted(sent), sorted(wanted))
        self.assertTrue(
            wanted.issubset({octet for span in coalesce(spans) for octet in range(*span)})
        )


class IfRangeTests(SynchronousTestCase):
    """L{ifRangeHolds} and L{rangesFor}: RFC 9110 §13.1.5."""

    def test_tags(self) -> None:
        """Strong ones alone."""
        for value, tag, expected in (
            (b'"a"', b'"a"', True),
            (b'"a"', b'"b"', False),
            (b'W/"a"', b'W/"a"', False),
            (b'W/"a"', b'"a"', False),
            (b'"a"', None, False),
            (b"a", b"a", False),
        ):
            self.assertEqual(ifRangeHolds(value, Validators(tag), NOW), expected, value)

    def test_dates(self) -> None:
        """The same date, and one that is a strong validator."""
        modified = dated(-100).encode()
        for value, date, expected in (
            (modified, NOW, True),
            (dated(-99).encode(), NOW, False),
            (dated(-101).encode(), NOW, False),
            (modified, NOW - 100, False),
            (b"foo", NOW, False),
        ):
            stored = Validators(b'"a"', int(NOW) - 100, modified, date)
            self.assertEqual(ifRangeHolds(value, stored, NOW), expected, value)

    def test_ranges(self) -> None:
        """Without the condition, with it, and where it fails."""
        stored = Validators(b'"a"')
        for request, expected in (
            ({}, False),
            ({"range": "bytes=0-1"}, True),
            ({"range": "foo=0-1"}, False),
            ({"range": "bytes=0-1", "if-range": '"a"'}, True),
            ({"range": "bytes=0-1", "if-range": '"b"'}, False),
        ):
            found = rangesFor(fieldsOf(request), stored, NOW)
            self.assertEqual(found is not None, expected, request)


class ContentRangeTests(SynchronousTestCase):
    """C{Content-Range}: RFC 9110 §14.4."""

    def test_read(self) -> None:
        """With or without the length of the whole."""
        for value, expected in (
            (b"bytes 4-9/10", ContentRange(4, 10, 10)),
            (b"BYTES 0-0/*", ContentRange(0, 1, None)),
            (b"bytes */10", None),
            (b"bytes 4-3/10", None),
            (b"bytes 4-10/10", None),
            (b"bytes 4-9", None),
            (b"bytes  4-9/10", None),
            (b"bytes 4-9/10, bytes 4-9/10", None),
            (b"bytes=4-9/10", None),
            (b"items 4-9/10", None),
            (b"bytes 0-9999999999999999999/*", None),
            (b"", None),
        ):
            self.assertEqual(parseContentRange(value), expected, value)

    def test_facts(self) -> None:
        """They are values."""
        self.assertNotEqual(ContentRange(0, 1, None), (0, 1, None))
        self.assertEqual(repr(ContentRange(0, 1, None)), "ContentRange(0, 1, None)")

    @given(_SPANS)
    def test_whatIsWrittenIsRead(self, span: Span) -> None:
        """As it is."""
        self.assertEqual(
            parseContentRange(formatContentRange(span, 1000)), ContentRange(*span, 1000)
        )

    def test_unsatisfied(self) -> None:
        """RFC 9110 §15.5.17."""
        self.assertEqual(formatUnsatisfied(10), b"bytes */10")


class AnswerTests(SynchronousTestCase):
    """206: RFC 9110 §15.3.7."""

    stored = Fields.fromPairs([(b"ETag", b'"a"'), (b"Content-Type", b"text/plain"), (b"X", b"1")])

    def test_one(self) -> None:
        """All fields of the response, and which range it is."""
        self.assertEqual(
            partialFields(self.stored, (4, 10), 10).pairs,
            [*self.stored.pairs, (b"Content-Range", b"bytes 4-9/10")],
        )

    def test_digests(self) -> None:
        """A digest of the whole content is none of a part of it (RFC 9530 §2)."""
        pairs = [(b"Content-Digest", b"1"), (b"Content-MD5", b"1"), (b"Repr-Digest", b"2")]
        stored = self.stored.extended(pairs)
        kept = [*self.stored.pairs, pairs[2]]
        self.assertEqual(
            partialFields(stored, (4, 10), 10).pairs,
            [*kept, (b"Content-Range", b"bytes 4-9/10")],
        )
        parts = Multipart(stored, [(0, 1), (5, 7)], 10, b"xyz")
        self.assertNotIn(b"content-digest", parts.fields)
        self.assertNotIn(b"content-md5", parts.fields)
        self.assertIn(b"repr-digest", parts.fields)

    def test_several(self) -> None:
        """Each part tells its type and its range."""
        parts = Multipart(self.stored, [(0, 1), (5, 7)], 10, b"xyz")
        self.assertEqual(
            parts.fields.pairs,
            [
                (b"ETag", b'"a"'),
                (b"Content-Type", b"multipart/byteranges; boundary=xyz"),
                (b"X", b"1"),
            ],
        )
        self.assertEqual(
            parts.heads,
            [
                b"--xyz\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-0/10\r\n\r\n",
                b"\r\n--xyz\r\nContent-Type: text/plain\r\nContent-Range: bytes 5-6/10\r\n\r\n",
            ],
        )
        self.assertEqual(parts.trailer, b"\r\n--xyz--\r\n")
        self.assertEqual(
            parts.sections(),
            [(parts.heads[0], 0, 1), (parts.heads[1], 5, 7), (parts.trailer, 7, 7)],
        )

    def test_severalOfAPart(self) -> None:
        """Where the first octets are not there, the others have other places."""
        parts = Multipart(self.stored, [(8, 9), (5, 7)], 10, b"xyz")
        self.assertEqual(
            parts.sections(5),
            [(parts.heads[0], 3, 4), (parts.heads[1], 0, 2), (parts.trailer, 2, 2)],
        )

    @given(st.lists(_SPANS, min_size=2, max_size=5), st.booleans())
    def test_othersCanReadIt(self, spans: list[Span], typed: bool) -> None:
        """The standard library's parser finds the parts, and the length is right."""
        content = bytes(range(256)) * 2
        stored = self.stored if typed else self.stored.without({b"content-type"})
        parts = Multipart(stored, spans, len(content), b"a-boundary-of-no-content")
        body = b"".join(lead + content[first:end] for lead, first, end in parts.sections())
        self.assertEqual(parts.length, len(body))
        contentType = parts.fields.get(b"content-type")
        assert contentType is not None
        message = message_from_bytes(
            b"Content-Type: %b\r\nContent-Transfer-Encoding: binary\r\n\r\n%b" % (contentType, body)
        )
        ranges = [part["Content-Range"] for part in message.get_payload()]  # type: ignore[index]
        self.assertEqual(
            ranges, [formatContentRange(span, len(content)).decode() for span in spans]
        )
