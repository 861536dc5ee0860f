# -*- test-case-name: tests.policy.test_rangemiss -*-
"""
The whole of what somebody asked for a range of.

The range itself is passed on, as always; meanwhile the whole is fetched for those
who come later, by the rules for what is done in the background.  The step is
behind the one that stores, in programs of routes that want that, and in no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.cachestatus import PARTIAL
from ..wire.ranges import parseContentRange
from .answers import PARTIAL_CONTENT
from .revalidation import Revalidation
from .selection import select

if TYPE_CHECKING:
    from ..engine import Engine
    from ..exchange import Exchange
    from ..program import Program
    from .cachestate import Cache
    from .visit import Visit


class RangeMiss:
    """Fetches the wholes of one route."""

    __slots__ = ("_background", "_cache", "_engine")

    def __init__(self, cache: Cache, engine: Engine) -> None:
        self._cache = cache
        self._engine = engine
        self._background = Revalidation(cache, engine)

    def useInBackground(self, program: Program) -> None:
        """Say what fetches in the background; whoever makes the programs does."""
        self._background.program = program

    def fetchWhole(self, exchange: Exchange) -> None:
        """
        Fetch the whole of what a part was stored of.

        Only if it is known to be short enough to be stored: nothing would remember
        that it was not.
        """
        visit: Visit | None = exchange.visit
        response = exchange.response
        request = exchange.request
        if (
            visit is None
            or not visit.stored
            or response is None
            or response.status != PARTIAL_CONTENT
        ):
            return
        assert request is not None
        part = parseContentRange(response.fields.get(b"content-range") or b"")
        if part is None or part.length is None or part.length > self._cache.maxObjectOctets:
            return
        shelf = self._cache.store.find(visit.key)
        if shelf is None or not shelf.entries or shelf.passUntil > self._engine.seconds():
            return
        stored = select(shelf.entries, request.fields, self._cache.heads)
        if stored is not None and stored.status == PARTIAL_CONTENT:
            # With what was there already it might have been the whole.
            self._background.begin(exchange, visit.key, visit.common, (), PARTIAL)
