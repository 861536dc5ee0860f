# -*- test-case-name: tests.wire.test_combining -*-
"""
Incomplete responses: which parts of a representation are stored (RFC 9111 §3.3, §3.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .conditional import isStrong
from .ranges import parseContentRange

if TYPE_CHECKING:
    from .conditional import Validators
    from .fields import Fields
    from .ranges import ContentRange, RangeSet, Span


def mayCombine(stored: Validators, new: Validators) -> bool:
    """
    Tell whether two parts are of the same representation (RFC 9111 §3.4).

    They are if both have the same strong validator: an entity-tag, or without
    any a date by the strong rule.
    """
    if stored.tag is not None or new.tag is not None:
        return stored.tag is not None and stored.tag == new.tag and isStrong(stored.tag)
    return stored.strongDate and new.strongDate and stored.modified == new.modified


def readPart(partial: Fields, octets: int | None) -> ContentRange | None:
    """
    Find out which octets of a representation a 206 has.

    @param octets: how many there are in its content; None if it did not say.
    @return: None if that can't be told, so that the 206 is not to be stored:
        several ranges, the length of the whole unknown, or a content that is not
        as long as its range.
    """
    value = partial.get(b"content-range")
    part = None if value is None else parseContentRange(value)
    if part is None or part.length is None or part.end - part.first != octets:
        return None
    return part


class Parts:
    """
    The octets of a representation that are there.

    @ivar spans: disjoint ranges in order of position, with gaps between them.
    @ivar length: of the whole; None while nobody told.
    """

    __slots__ = ("length", "spans")

    def __init__(self, length: int | None = None) -> None:
        self.length = length
        self.spans: list[Span] = []

    def add(self, span: Span) -> None:
        """Add a range; it may overlap with others."""
        first, end = span
        if first >= end:
            return
        kept: list[Span] = []
        for one in self.spans:
            if one[1] < first or end < one[0]:
                kept.append(one)
            else:
                first = min(first, one[0])
                end = max(end, one[1])
        kept.append((first, end))
        kept.sort()
        self.spans = kept

    @property
    def complete(self) -> bool:
        """All of it is there."""
        if self.length == 0:
            return True
        return self.length is not None and self.spans == [(0, self.length)]

    def holds(self, span: Span) -> bool:
        """Tell whether all octets of a range are there."""
        return any(one[0] <= span[0] and span[1] <= one[1] for one in self.spans)

    def answer(self, wanted: RangeSet) -> list[Span] | None:
        """
        Find the ranges that can be sent in answer to a request.

        An incomplete response answers only what lies wholly within it
        (RFC 9111 §3.3).

        @return: None if not all of them are there; empty if none of them can
            be satisfied, which is a 416.
        """
        length = self.length
        if length is None:
            # No open range and no suffix is known to end then.
            spans = []
            for first, last in wanted.specs:
                if first < 0 or last < 0 or not self.holds((first, last + 1)):
                    return None
                spans.append((first, last + 1))
            return spans
        spans = wanted.resolve(length)
        return spans if all(self.holds(span) for span in spans) else None

    def missing(self) -> list[Span]:
        """
        List what has yet to be fetched.

        @return: ranges in order; the last one ends with -1 while the length is
            not known.
        """
        found = []
        position = 0
        for first, end in self.spans:
            if position < first:
                found.append((position, first))
            position = end
        if self.length is None:
            found.append((position, -1))
        elif position < self.length:
            found.append((position, self.length))
        return found


def completingRange(parts: Parts) -> bytes | None:
    """
    Write the C{Range} of the request that completes an incomplete response.

    @return: None if nothing is missing, or if that would take several ranges,
        whose answer costs more than the whole.
    """
    missing = parts.missing()
    if len(missing) != 1:
        return None
    first, end = missing[0]
    if end < 0 or end == parts.length:
        return b"bytes=%d-" % first
    return b"bytes=%d-%d" % (first, end - 1)
