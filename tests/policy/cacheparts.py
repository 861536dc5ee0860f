# -*- test-case-name: tests.policy.test_cachesequences -*-
"""
How origins of random sequences answer requests for ranges (RFC 9110 §14, §15.3.7).

Some do it well and some do not; what caches make of it is for
L{tests.policy.referenceparts}.
"""

from __future__ import annotations

from .referencefields import Pairs, Validators, combined, rangeOf, without

#: What RFC 9110 §15.3.7 wants in a 206 to who has the rest already.
REQUIRED = (
    "cache-control",
    "cdn-cache-control",
    "content-location",
    "date",
    "etag",
    "expires",
    "vary",
)
LETTERS = b"abcdefghijklmnopqrstuvwxyz"
OCTETS = 300


def representation(version: int) -> bytes:
    """Make content of which each octet tells its place and its version, as far as may be."""
    start = version * 7 % len(LETTERS)
    return b"%d:" % version + ((LETTERS * 13)[start:])[:OCTETS]


def parted(ranged: str, request: Pairs, fields: Pairs, octets: bytes) -> tuple[int, Pairs, bytes]:
    """
    Answer a GET with what it wants of a representation, or with something else.

    @param ranged: see L{Recipe<tests.policy.cachesteps.Recipe>}.
    @param fields: those that a 200 would have.
    @param octets: all of them.
    @return: status, fields and content.
    """
    if ranged == "unasked":
        span = (0, len(octets) // 2)
        return _part(fields, octets, span) if octets else (200, fields, octets)
    asked = without(request, "if-range") if ranged == "careless" else request
    wanted = rangeOf(asked, Validators.of(fields, 0.0))
    if wanted is None or ranged == "whole":
        return 200, fields, octets
    length = len(octets)
    spans = []
    for first, last in wanted:
        if first is None:
            assert last is not None
            spans.append((max(0, length - last), length))
        else:
            spans.append((first, length if last is None else min(last + 1, length)))
    spans = [each for each in spans if each[0] < each[1]]
    if not spans or ranged == "unsatisfied":
        return 416, [*fields, ("Content-Range", f"bytes */{length}")], b""
    if len(spans) > 1 or ranged == "several":
        kind = ("Content-Type", "multipart/byteranges; boundary=x")
        return 206, [*without(fields, "content-type"), kind], octets
    first, end = spans[0]
    if ranged == "less":
        first = min(first + 1, end - 1)
    elif ranged == "more":
        end = min(end + 1, length)
    if ranged == "few" and combined(request, "if-range") is not None:
        fields = [pair for pair in fields if pair[0].lower() in REQUIRED]
    status, fields, octets = _part(fields, octets, (first, end))
    if ranged == "short":
        octets = octets[:-1]
    elif ranged == "unknown":
        value = str(combined(fields, "content-range")).partition("/")[0]
        fields = [*without(fields, "content-range"), ("Content-Range", f"{value}/*")]
    return status, fields, octets


def _part(fields: Pairs, octets: bytes, span: tuple[int, int]) -> tuple[int, Pairs, bytes]:
    first, end = span
    value = f"bytes {first}-{end - 1}/{len(octets)}"
    return 206, [*fields, ("Content-Range", value)], octets[first:end]
