# -*- test-case-name: tests.policy.test_cachesequences -*-
"""
Parts of representations, for the slow cache of L{tests.policy.referencemodel}.

That is RFC 9111 §3.3 and §3.4, RFC 9110 §14 and §15.3.7.  One part is stored of each
response; what can't be joined with it takes its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .referencefields import Pairs, Validators, combined, rangeOf, spansOf
from .referencestored import Content

if TYPE_CHECKING:
    from .referencestored import Response, Stored


#: RFC 9530 §2: of the octets of one message, so of no other part of the same.
DIGESTS = ("content-digest", "content-md5")


class Part(NamedTuple):
    """
    Which octets of a representation there are.

    @ivar end: the octet after the last one.
    @ivar length: of all of it.
    """

    first: int
    end: int
    length: int

    @property
    def isWhole(self) -> bool:
        """That is all."""
        return self.first == 0 and self.end == self.length

    @property
    def value(self) -> str:
        """RFC 9110 §14.4."""
        return f"bytes {self.first}-{self.end - 1}/{self.length}"


class Joined(Content):
    """The content of a response with what was stored before around it."""

    def __init__(self, before: bytes, source: Content, after: bytes) -> None:
        self._source = source
        self._before = before
        self._after = after

    @property
    def source(self) -> Content:
        """The one that arrives."""
        return self._source

    @property
    def octets(self) -> bytes:  # type: ignore[override]
        """What is there so far."""
        return self._before + self._source.octets + (self._after if self.complete else b"")

    @property
    def complete(self) -> bool:  # type: ignore[override]
        """All has come that was to come."""
        return self._source.complete

    @property
    def broken(self) -> bool:  # type: ignore[override]
        """It ended too early."""
        return self._source.broken

    @property
    def isRead(self) -> bool:
        """Who reads what is around it reads that, too."""
        return self._source.isRead

    @isRead.setter
    def isRead(self, value: bool) -> None:
        self._source.isRead = value

    @property
    def announced(self) -> int | None:  # type: ignore[override]
        """All together."""
        assert self._source.announced is not None
        return len(self._before) + self._source.announced + len(self._after)

    def isOf(self, content: Content) -> bool:
        """Whether it grows with another one."""
        return self is content or self._source.isOf(content)


def partOf(fields: Pairs) -> Part | None:
    """RFC 9110 §14.4: what C{Content-Range} says; None if that is of no use."""
    unit, _, rest = (combined(fields, "content-range") or "").partition(" ")
    span, _, length = rest.partition("/")
    first, _, last = span.partition("-")
    if unit.lower() != "bytes" or not (first.isdigit() and last.isdigit() and length.isdigit()):
        return None
    found = Part(int(first), int(last) + 1, int(length))
    return found if found.first < found.end <= found.length else None


def received(response: Response) -> Part | None:
    """RFC 9111 §3.3: of a 206 that is to be stored; its content has to be as long as it says."""
    found = partOf(response.fields)
    if found is None or found.end - found.first != response.content.announced:
        return None
    return found


def held(stored: Stored, method: str, request: Pairs) -> list[Part]:
    """RFC 9111 §3.3: what of a stored 206 answers a request, wholly; nothing if it does not."""
    known = partOf(stored.fields)
    wanted = rangeOf(request, stored.validators) if method == "GET" else None
    if known is None or wanted is None:
        return []
    found = [Part(*each, known.length) for each in spansOf(wanted, known.length)]
    if any(each.first < known.first or known.end < each.end for each in found):
        return []
    return found if inOrder(stored.content, found) else []


def inOrder(content: Content, parts: list[Part]) -> bool:
    """Whether parts can be read one after the other: nothing goes back in what is on its way."""
    return content.complete or parts == sorted(parts)


def lacking(stored: Stored) -> tuple[str, str] | None:
    """RFC 9111 §3.3: the range that completes a stored 206, and for what; None if that can't be."""
    known = partOf(stored.fields)
    tag = stored.validators.strongTag
    if known is None or tag is None or not stored.content.complete:
        return None
    if known.first == 0:
        return f"bytes={known.end}-", tag
    if known.end == known.length:
        return f"bytes=0-{known.first - 1}", tag
    return None


def mayCombine(old: Validators, new: Validators) -> bool:
    """RFC 9110 §15.3.7.3: both have the same strong validator."""
    if old.tag is not None or new.tag is not None:
        return old.strongTag is not None and old.tag == new.tag
    return (
        old.modified is not None
        and old.modified == new.modified
        and min(old.date, new.date) - old.modified >= 1
    )


def together(old: Stored | None, response: Response, now: float) -> Part | None:
    """RFC 9111 §3.4: what a stored 206 and one that arrives make; None if they don't."""
    new = received(response)
    if old is None or new is None or not old.content.complete:
        return None
    known = partOf(old.fields)
    if known is None or known.length != new.length:
        return None
    if known.end < new.first or new.end < known.first:
        return None
    if not mayCombine(old.validators, Validators.of(response.fields, now)):
        return None
    return Part(min(known.first, new.first), max(known.end, new.end), new.length)


def around(old: Stored, response: Response) -> Content:
    """Put what is stored around what arrives: the newer octets count."""
    known, new = partOf(old.fields), received(response)
    assert known is not None
    assert new is not None
    octets = old.content.octets
    return Joined(
        octets[: max(0, new.first - known.first)],
        response.content,
        octets[new.end - known.first :] if new.end < known.end else b"",
    )
