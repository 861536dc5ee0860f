# -*- test-case-name: tests.policy.test_cacheparts -*-
"""
Parts of one representation, joined (RFC 9111 §3.3, §3.4).

A part that arrives and one that is stored make one if a strong validator says that
they are of the same and there is no gap between them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.combining import mayCombine, readPart
from ..wire.conditional import readValidators
from ..wire.ranges import parseContentRange
from .answers import PARTIAL_CONTENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..wire.fields import Fields
    from ..wire.message import ResponseHead
    from ..wire.ranges import ContentRange, Span
    from .answers import Answers
    from .body import Body
    from .heads import Heads
    from .visit import Visit


class Joining:
    """The parts of one route."""

    __slots__ = ("_answers", "_heads", "_seconds")

    def __init__(self, answers: Answers, heads: Heads, seconds: Callable[[], float]) -> None:
        self._answers = answers
        self._heads = heads
        self._seconds = seconds

    def completes(self, visit: Visit, response: ResponseHead) -> bool:
        """
        Tell whether the answer to a request for the rest of a part brings the whole.

        It is that itself unless it is a 206, or the 416 of an origin where the
        part does not fit any more.
        """
        if response.status != PARTIAL_CONTENT:
            return response.status != 416
        part = readPart(response.fields, response.framing)
        if part is None:
            return False
        known = self.known(visit, response.fields, part, self._seconds())
        return known is not None and together(known, part) == (0, part.length)

    def known(
        self, visit: Visit, fields: Fields, part: ContentRange, now: float
    ) -> ContentRange | None:
        """
        Find which octets are stored that can be joined with a part that arrives.

        @param fields: those that it came with.
        @return: None if there are none.
        """
        old = visit.part
        if old is None or not old.body.complete or old.body.start:
            return None
        known = parseContentRange(self._heads.fieldsOf(old).get(b"content-range") or b"")
        if (
            known is None
            or known.length != part.length
            or known.end < part.first
            or part.end < known.first
            or not mayCombine(self._answers.validators(old), readValidators(fields, now))
        ):
            return None
        return known

    @staticmethod
    def surround(visit: Visit, known: ContentRange, part: ContentRange, body: Body) -> None:
        """
        Put what is stored around a part that arrives; where both have some, that is newer.

        @param known: of L{known}.
        @param body: takes what comes before the part.
        """
        old = visit.part
        assert old is not None
        if known.first < part.first:
            visit.skipped = part.first - known.first
            for piece in old.body.cut(0, visit.skipped):
                body.take(piece)
        if part.end < known.end:
            visit.tail = old.body.cut(part.end - known.first, known.end - known.first)


def together(known: ContentRange, part: ContentRange) -> Span:
    """Tell which octets two parts without a gap between them are."""
    return min(known.first, part.first), max(known.end, part.end)
