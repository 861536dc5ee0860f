# -*- test-case-name: tests.policy.test_uses -*-
"""
What few ask for is not stored: there are more such things than there is room.

The step is behind the look-up, in programs of routes that want that, and in no
other.  Who asks too early is sent on as if there were no cache, and nobody waits
for its answer, as nobody else could get it.  The counts are marks on shelves, of
which a store keeps as many as it has room for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.cachestatus import URI_MISS

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..exchange import Exchange
    from ..interfaces import ICacheStore
    from .collapsing import Collapsing
    from .visit import Visit


class Uses:
    """Counts what is asked for, for one route."""

    __slots__ = ("_collapsing", "_least", "_seconds", "_store", "_withinSeconds")

    def __init__(
        self,
        store: ICacheStore,
        collapsing: Collapsing,
        seconds: Callable[[], float],
        least: int,
        withinSeconds: float,
    ) -> None:
        """
        @param least: which request for something is the first whose answer may be
            stored.
        @param withinSeconds: after the first of them; then counting begins anew.
        """
        self._store = store
        self._collapsing = collapsing
        self._seconds = seconds
        self._least = least
        self._withinSeconds = withinSeconds

    def count(self, exchange: Exchange) -> None:
        """Count a request that found nothing; if it is too early, the cache forgets it."""
        visit: Visit | None = exchange.visit
        request = exchange.request
        assert request is not None
        if visit is None or visit.reason != URI_MISS or request.method != b"GET":
            return
        if visit.demand.noStore:
            # Nobody is to remember it.
            return
        shelf = visit.shelf
        if shelf is None:
            shelf = self._store.shelf(visit.key)
        now = self._seconds()
        if not shelf.misses or shelf.missesUntil <= now:
            shelf.misses = 0
            shelf.missesUntil = now + self._withinSeconds
        if shelf.misses < self._least:
            shelf.misses += 1
        if shelf.misses < self._least:
            self._collapsing.resolve(visit)
            visit.key = b""
