# -*- test-case-name: tests.policy.test_collapsing -*-
"""
Request collapsing: one fetch for all who ask for the same at the same time.

What comes of it is looked up by those who waited; nothing is handed from one
exchange to another here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..errors import ClientGone, DestinationUnavailable, IntermediaryError
from ..program import PARKED

if TYPE_CHECKING:
    from ..engine import Engine
    from ..exchange import Exchange
    from .cachestate import Cache
    from .entries import Shelf
    from .visit import Visit

#: How long requests for what could not be stored are not made to wait for each other.
PASS_SECONDS: Final = 120.0
#: After so many fetches that failed, whoever waited for all of them waits no more.
MOST_FAILURES: Final = 2

_FAILING: Final = "the origin failed those who asked before"


class Fetch:
    """
    A request on its way to the origin, and who waits for its answer.

    @ivar leader: whose request it is.
    @ivar followers: parked exchanges, in the order in which they came.
    @ivar outdated: what it is about was changed since it was sent, as far as is
        known: its answer is for who asked, and for nobody who asks later.
    """

    __slots__ = ("followers", "leader", "outdated")

    def __init__(self, leader: Exchange) -> None:
        self.leader = leader
        self.followers: dict[Exchange, None] = {}
        self.outdated = False


class Following:
    """That an exchange waits for the answer to another one's request."""

    __slots__ = ("_exchange", "_fetch")

    def __init__(self, fetch: Fetch, exchange: Exchange) -> None:
        self._fetch = fetch
        self._exchange = exchange

    def cancel(self) -> None:
        """It waits no more."""
        self._fetch.followers.pop(self._exchange, None)


class Collapsing:
    """Decides who fetches and who waits."""

    __slots__ = ("_cache", "_engine", "_store")

    def __init__(self, cache: Cache, engine: Engine) -> None:
        self._cache = cache
        self._engine = engine
        self._store = cache.store

    def join(self, exchange: Exchange, visit: Visit, shelf: Shelf | None, now: float) -> Any:
        """
        Fetch, or wait for who does.

        @param shelf: what is known under the key of the visit; None for nothing.
        @return: None to go on, or C{PARKED}.
        @raise DestinationUnavailable: it has waited, and all that it waited for failed.
        """
        demand = visit.demand
        request = exchange.request
        assert request is not None
        if shelf is not None and shelf.passUntil > now:
            visit.shelf = shelf
            visit.passes = not shelf.entries and request.method == b"GET"
            return None
        if demand.noCache or demand.noStore or b"range" in request.fields.index:
            # It wants its own answer, or does not bring one that others can use.
            return None
        failures = visit.failures
        if failures >= MOST_FAILURES:
            raise DestinationUnavailable(_FAILING)
        if shelf is None:
            shelf = self._store.shelf(visit.key)
        visit.shelf = shelf
        fetch: Fetch | None = shelf.fetch
        if fetch is None:
            if request.method == b"HEAD":
                # Nobody can use its answer, so nobody should wait for it.
                if failures:
                    raise DestinationUnavailable(_FAILING)
                return None
            visit.fetch = shelf.fetch = Fetch(exchange)
            if visit.common:
                self._cache.siblings.begin(visit.common, visit.fetch)
            return None
        if visit.collapsed and not visit.excused:
            # It has waited once, in vain.
            return None
        visit.collapsed = True
        visit.excused = False
        self._cache.collapsed += 1
        fetch.followers[exchange] = None
        exchange.waiting = Following(fetch, exchange)
        return PARKED

    def separate(self, visit: Visit, now: float) -> None:
        """What it fetched can't be stored: for a while nobody waits for the like of it."""
        if visit.shelf is not None and visit.fetch is not None:
            visit.shelf.passUntil = now + PASS_SECONDS

    def failed(self, visit: Visit) -> None:
        """
        The origin failed, and its answer is not stored.

        Whoever waits takes what is stale.  Where nothing is, one of them asks, and
        the others wait once more: it may have been the leader's request that the
        origin can't do.  So one of another client is the first.
        """
        shelf = visit.shelf
        fetch = visit.fetch
        if fetch is None or shelf is None:
            return
        followers = self._release(visit, shelf)
        failing = fetch.leader.peerHost
        followers.sort(key=lambda each: (not _canLead(each), each.peerHost == failing))
        for follower in followers:
            waiting: Visit = follower.visit
            waiting.failures += 1
            waiting.excused = True
            self._engine.again(follower)
        self._store.tidy(shelf)

    def resolve(self, visit: Visit, outdated: bool = False) -> None:
        """
        The answer is known: whoever waits for it looks again.

        @param outdated: it is from before a change, or was asked for nobody, and so
            no use to them.  One of them fetches for the others, who wait once more;
            no more often, or changes could keep them waiting for ever.
        """
        shelf = visit.shelf
        if visit.fetch is None or shelf is None:
            return
        for follower in self._release(visit, shelf):
            if outdated:
                waiting: Visit = follower.visit
                waiting.collapsed = waiting.pardoned
                waiting.pardoned = True
            self._engine.again(follower)
        self._store.tidy(shelf)

    def abandon(self, exchange: Exchange, visit: Visit) -> None:
        """An exchange has ended; if it led a fetch, without an answer."""
        shelf = visit.shelf
        if visit.fetch is None or shelf is None:
            return
        error = exchange.error
        followers = self._release(visit, shelf)
        if (
            error is None
            or isinstance(error, ClientGone)
            or not isinstance(error, IntermediaryError)
        ):
            # Not the origin's fault: the first of them fetches, for the others.
            for follower in followers:
                waiting: Visit = follower.visit
                waiting.collapsed = False
                self._engine.again(follower)
        else:
            for follower in followers:
                self._engine.fail(follower, error)
        self._store.tidy(shelf)

    def _release(self, visit: Visit, shelf: Shelf) -> list[Exchange]:
        """End a fetch; give who waited for it."""
        fetch, visit.fetch = visit.fetch, None
        assert fetch is not None
        shelf.fetch = None
        if visit.common:
            self._cache.siblings.end(visit.common, fetch)
        followers = list(fetch.followers)
        fetch.followers.clear()
        return followers


def _canLead(exchange: Exchange) -> bool:
    request = exchange.request
    return request is not None and request.method == b"GET"
