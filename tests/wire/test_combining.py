# -*- test-case-name: tests.wire.test_combining -*-
"""
L{intermediary.wire.combining}: parts of representations.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from intermediary.wire.combining import Parts, completingRange, mayCombine
from intermediary.wire.conditional import Validators
from intermediary.wire.ranges import RangeSet, Span, parseRange

_SPANS = st.tuples(st.integers(0, 20), st.integers(0, 20)).map(lambda pair: (min(pair), max(pair)))


def partsOf(length: int | None, *spans: Span) -> Parts:
    """Parts of a representation."""
    parts = Parts(length)
    for span in spans:
        parts.add(span)
    return parts


def ranges(value: bytes) -> RangeSet:
    """What a request asks for."""
    wanted = parseRange(value)
    assert wanted is not None
    return wanted


class ValidatorTests(SynchronousTestCase):
    """L{mayCombine}: RFC 9111 §3.4."""

    def test_combined(self) -> None:
        """Only with the same strong validator."""
        for stored, new, expected in (
            (Validators(b'"a"'), Validators(b'"a"'), True),
            (Validators(b'"a"'), Validators(b'"b"'), False),
            (Validators(b'W/"a"'), Validators(b'W/"a"'), False),
            (Validators(b'"a"', 5, b"", 10), Validators(None, 5, b"", 10), False),
            (Validators(None, 5, b"", 10), Validators(None, 5, b"", 10), True),
            (Validators(None, 5, b"", 10), Validators(None, 6, b"", 10), False),
            (Validators(None, 5, b"", 10), Validators(None, 5, b"", 5), False),
            (Validators(), Validators(), False),
        ):
            self.assertEqual(mayCombine(stored, new), expected, (stored, new))


class PartsTests(SynchronousTestCase):
    """L{Parts}: RFC 9111 §3.3."""

    def test_add(self) -> None:
        """What touches is joined."""
        parts = partsOf(10, (4, 6), (0, 2), (8, 8))
        self.assertEqual(parts.spans, [(0, 2), (4, 6)])
        parts.add((2, 4))
        self.assertEqual(parts.spans, [(0, 6)])
        self.assertFalse(parts.complete)
        parts.add((3, 10))
        self.assertTrue(parts.complete)
        self.assertTrue(partsOf(0).complete)
        self.assertFalse(partsOf(None, (0, 5)).complete)

    def test_answers(self) -> None:
        """What lies wholly within what is there."""
        parts = partsOf(10, (4, 10))
        for value, expected in (
            (b"bytes=-5", [(5, 10)]),
            (b"bytes=6-8", [(6, 9)]),
            (b"bytes=6-", [(6, 10)]),
            (b"bytes=-1", [(9, 10)]),
            (b"bytes=8-99", [(8, 10)]),
            (b"bytes=3-5", None),
            (b"bytes=4-5, 0-1", None),
            (b"bytes=10-", []),
            (b"bytes=4-5, 10-", [(4, 6)]),
        ):
            self.assertEqual(parts.answer(ranges(value)), expected, value)

    def test_unknownLength(self) -> None:
        """No end is known then."""
        parts = partsOf(None, (4, 10))
        for value, expected in (
            (b"bytes=6-8", [(6, 9)]),
            (b"bytes=6-", None),
            (b"bytes=-1", None),
            (b"bytes=9-10", None),
        ):
            self.assertEqual(parts.answer(ranges(value)), expected, value)

    def test_completion(self) -> None:
        """One range, or nothing."""
        for parts, expected in (
            (partsOf(10, (0, 5)), b"bytes=5-"),
            (partsOf(10, (5, 10)), b"bytes=0-4"),
            (partsOf(10, (0, 3), (5, 10)), b"bytes=3-4"),
            (partsOf(None, (0, 5)), b"bytes=5-"),
            (partsOf(10, (2, 3)), None),
            (partsOf(10, (0, 10)), None),
        ):
            self.assertEqual(completingRange(parts), expected, parts.spans)

    @given(st.lists(_SPANS, max_size=6), st.integers(20, 25) | st.none())
    def test_octets(self, spans: list[Span], length: int | None) -> None:
        """What is there and what is missing are all there is."""
        parts = partsOf(length, *spans)
        present = {octet for first, end in spans for octet in range(first, end)}
        self.assertEqual({octet for span in parts.spans for octet in range(*span)}, present)
        missing = {
            octet
            for first, end in parts.missing()
            for octet in range(first, 25 if end < 0 else end)
        }
        self.assertEqual(missing, set(range(length or 25)) - present)
        for one, other in zip(parts.spans, parts.spans[1:], strict=False):
            self.assertLess(one[1], other[0])
