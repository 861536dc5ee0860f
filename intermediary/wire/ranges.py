# -*- test-case-name: tests.wire.test_ranges -*-
"""
Ranges of octets (RFC 9110 §14), for an answer from what is stored.

A range here is a pair of integers, the first octet and the one after the last.
C{Range} may be ignored at any time, and so is all of it that is malformed, of
another unit, or absurd: then the answer is the whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .conditional import isEntityTag, stronglyEqual
from .dates import parseDate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .conditional import Validators
    from .fields import Fields

#: The first octet and the one after the last.
Span = tuple[int, int]
#: What is sent before some octets, and which octets these are, as a L{Span}.
Section = tuple[bytes, int, int]

#: Ranges in one request; who asks for more gets the whole (RFC 9110 §14.2).
RANGES_LIMIT: Final = 64
#: Two ranges with less than this between them are sent as one: the lines
#: between two parts are about that long (RFC 9110 §15.3.7.2).
GAP_OCTETS: Final = 80
#: How many digits a position may have: more than any content has octets.
_DIGITS_LIMIT: Final = 18

_UNIT: Final = re.compile(rb"bytes=", re.IGNORECASE)
_SPEC: Final = re.compile(rb"([0-9]*+)-([0-9]*+)")
_CONTENT_RANGE: Final = re.compile(
    rb"bytes (?:([0-9]{1,18})-([0-9]{1,18})/(?:([0-9]{1,18})|\*)|\*/([0-9]{1,18}))", re.IGNORECASE
)

#: Digests of the content of one message: that of a part has another (RFC 9530 §2).
#: C{Repr-Digest} is of the representation, so it holds for all parts of it.
CONTENT_DIGESTS: Final = frozenset({b"content-digest", b"content-md5"})
_NOT_OF_SEVERAL: Final = CONTENT_DIGESTS | {b"content-range"}

#: There is no limit to the last position of C{5-}.
_OPEN: Final = -1


class RangeSet:
    """
    The ranges of a request, before the length is known.

    @ivar specs: first and last position of each, the last -1 if it is open; for a
        suffix -1 and its length.
    """

    __slots__ = ("specs",)

    def __init__(self, specs: list[tuple[int, int]]) -> None:
        self.specs = specs

    def resolve(self, length: int) -> list[Span]:
        """
        Cut the ranges to what there is (RFC 9110 §14.1.2).

        @param length: of the representation.
        @return: those that can be satisfied, in the order of the request.  Empty
            for none: the answer is a 416.
        """
        spans = []
        for first, last in self.specs:
            if first < 0:
                # The suffix of nothing is nothing that can be sent.
                if last > 0 and length > 0:
                    spans.append((max(0, length - last), length))
            elif first < length:
                spans.append((first, length if last == _OPEN else min(last + 1, length)))
        return spans

    @property
    def single(self) -> Span | None:
        """The first and the last position of the one range; None if there are several."""
        return self.specs[0] if len(self.specs) == 1 else None


def parseRange(value: bytes) -> RangeSet | None:
    """
    Read C{Range}.

    @return: None to ignore it: another unit, anything malformed, a last position
        before the first, or more ranges than anybody needs.
    """
    match = _UNIT.match(value)
    if match is None:
        return None
    specs: list[tuple[int, int]] = []
    for element in value[match.end() :].split(b","):
        text = element.strip(b" \t")
        if not text:
            continue
        spec = _SPEC.fullmatch(text)
        if spec is None or len(specs) >= RANGES_LIMIT:
            return None
        first, last = spec.groups()
        if len(first) > _DIGITS_LIMIT or len(last) > _DIGITS_LIMIT:
            return None
        if not first:
            if not last:
                return None
            specs.append((-1, int(last)))
        elif not last:
            specs.append((int(first), _OPEN))
        else:
            if int(last) < int(first):
                return None
            specs.append((int(first), int(last)))
    return RangeSet(specs) if specs else None


def coalesce(spans: Sequence[Span], gap: int = GAP_OCTETS) -> list[Span]:
    """
    Join ranges that overlap or nearly touch (RFC 9110 §14.2, §15.3.7.2).

    Ranges that are far from each other keep the order of the request.

    @param gap: octets between two ranges that are not worth another part.
    """
    # In order of position, each with where in the request it came first.
    ordered = sorted((first, end, place) for place, (first, end) in enumerate(spans))
    joined: list[tuple[int, int, int]] = []
    for first, end, place in ordered:
        if joined and first <= joined[-1][1] + gap:
            before = joined[-1]
            joined[-1] = (before[0], max(before[1], end), min(before[2], place))
        else:
            joined.append((first, end, place))
    joined.sort(key=_placeOf)
    return [(first, end) for first, end, _ in joined]


def _placeOf(span: tuple[int, int, int]) -> int:
    return span[2]


def rangesFor(request: Fields, stored: Validators, now: float) -> RangeSet | None:
    """
    Find the ranges a GET asks for, as far as its C{If-Range} allows (RFC 9110 §13.2.2).

    @param stored: the validators of the response that would answer.
    @return: None for the whole.
    """
    index = request.index
    value = index.get(b"range")
    if value is None:
        return None
    condition = index.get(b"if-range")
    if condition is not None and not ifRangeHolds(condition, stored, now):
        return None
    return parseRange(value)


def ifRangeHolds(value: bytes, stored: Validators, now: float) -> bool:
    """
    Evaluate C{If-Range} (RFC 9110 §13.1.5).

    A tag has to be strong, and a date to be exactly that of a C{Last-Modified}
    that is a strong validator.
    """
    if isEntityTag(value):
        return stored.tag is not None and stronglyEqual(value, stored.tag)
    date = parseDate(value, now)
    return date is not None and date == stored.modified and stored.strongDate


class ContentRange:
    """
    A C{Content-Range} of octets (RFC 9110 §14.4).

    @ivar first: the first octet.
    @ivar end: the one after the last.
    @ivar length: of the whole; None if the sender does not know it.
    """

    __slots__ = ("end", "first", "length")

    def __init__(self, first: int, end: int, length: int | None) -> None:
        self.first = first
        self.end = end
        self.length = length

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ContentRange):
            return (self.first, self.end, self.length) == (other.first, other.end, other.length)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"ContentRange({self.first}, {self.end}, {self.length})"


def parseContentRange(value: bytes) -> ContentRange | None:
    """
    Read the C{Content-Range} of a 206.

    @return: None for another unit, an unsatisfied range, or what can't be; what
        is in such a response is not known.
    """
    match = _CONTENT_RANGE.fullmatch(value)
    if match is None or match.group(1) is None:
        return None
    first = int(match.group(1))
    end = int(match.group(2)) + 1
    digits = match.group(3)
    length = None if digits is None else int(digits)
    if end <= first or (length is not None and end > length):
        return None
    return ContentRange(first, end, length)


def formatContentRange(span: Span, length: int) -> bytes:
    """Write the C{Content-Range} of a range that is sent."""
    return b"bytes %d-%d/%d" % (span[0], span[1] - 1, length)


def formatUnsatisfied(length: int) -> bytes:
    """Write the C{Content-Range} of a 416 (RFC 9110 §15.5.17)."""
    return b"bytes */%d" % length


def partialFields(stored: Fields, span: Span, length: int) -> Fields:
    """
    Make the fields of a 206 with one range (RFC 9110 §15.3.7.1).

    All of the stored response's but digests of its content: that we were asked
    with C{If-Range} is no reason to send less, as a client may combine by them.
    """
    if not CONTENT_DIGESTS.isdisjoint(stored.index):
        stored = stored.without(CONTENT_DIGESTS)
    return stored.setting(b"Content-Range", formatContentRange(span, length))


class Multipart:
    """
    An answer of several ranges, C{multipart/byteranges} (RFC 9110 §14.6).

    @ivar heads: what stands before the octets of each range.
    @ivar trailer: what stands after those of the last.
    @ivar length: of all together.
    @ivar fields: of the 206.
    """

    __slots__ = ("_spans", "fields", "heads", "length", "trailer")

    def __init__(self, stored: Fields, spans: Sequence[Span], length: int, boundary: bytes) -> None:
        """
        Lay out the parts.

        @param stored: the fields of the stored response.
        @param spans: which octets, two ranges or more.
        @param length: of the representation.
        @param boundary: a token that the content does not have, as something
            random of 20 octets or more.
        """
        contentType = stored.get(b"content-type")
        line = b"" if contentType is None else b"Content-Type: %b\r\n" % contentType
        self.heads = [
            b"%b--%b\r\n%bContent-Range: %b\r\n\r\n"
            % (b"\r\n" if place else b"", boundary, line, formatContentRange(span, length))
            for place, span in enumerate(spans)
        ]
        self.trailer = b"\r\n--%b--\r\n" % boundary
        self.length = (
            sum(map(len, self.heads))
            + sum([end - first for first, end in spans])
            + len(self.trailer)
        )
        self._spans = spans
        # RFC 9110 §15.3.7.2: Content-Range would be that of a single range.
        self.fields = stored.without(_NOT_OF_SEVERAL).setting(
            b"Content-Type", b"multipart/byteranges; boundary=" + boundary
        )

    def sections(self, first: int = 0) -> list[Section]:
        """
        List what is to be sent, in order; the last one is the trailer, and no octets.

        @param first: which octet of the representation is the first one that there is.
        """
        found = [
            (head, start - first, end - first)
            for head, (start, end) in zip(self.heads, self._spans, strict=True)
        ]
        last = found[-1][2]
        return [*found, (self.trailer, last, last)]
