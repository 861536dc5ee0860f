# -*- test-case-name: tests.policy.test_cache -*-
"""
What those get whose requests were sent on, where it comes from the store: what is
stored or validated now, or what stands in for an error (RFC 5861 §4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.cachestatus import REASONS, URI_MISS
from ..wire.fields import EMPTY
from ..wire.reuse import mayReplaceError
from .answers import freshnessOf
from .filling import Nobody, takeLease

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..exchange import Exchange
    from ..wire.cachestatus import CacheStatus
    from .answers import Answers, Record
    from .collapsing import Collapsing
    from .entries import Entry
    from .recentpurges import RecentPurges
    from .visit import Visit


class Delivery:
    """
    Answers the requests of one route that were sent on.

    @ivar missed: the line that says that nothing was found.
    """

    __slots__ = (
        "_answers",
        "_collapsing",
        "_lines",
        "_purges",
        "_seconds",
        "_status",
        "missed",
    )

    def __init__(
        self,
        answers: Answers,
        status: CacheStatus,
        collapsing: Collapsing,
        purges: RecentPurges,
        seconds: Callable[[], float],
    ) -> None:
        self._answers = answers
        self._status = status
        self._collapsing = collapsing
        self._purges = purges
        self._seconds = seconds
        #: What is said of most requests, by why they were sent on.
        self._lines = {reason: _line(status.forwarded(reason)) for reason in REASONS}
        self.missed = self._lines[URI_MISS]

    def give(self, exchange: Exchange, visit: Visit, entry: Entry, now: float) -> None:
        """
        Answer with what is stored now, as the origin has said.

        C{Age} says that it was not asked (RFC 9111 §5.1), unless it is another cache.
        """
        response = exchange.response
        assert response is not None
        aged = b"age" in response.fields.index
        self._give(exchange, visit, entry, now, response.status, aged)

    def _give(
        self,
        exchange: Exchange,
        visit: Visit,
        entry: Entry,
        now: float,
        status: int | None,
        aged: bool,
    ) -> None:
        self._answers.give(exchange, entry, now, self._member(visit, status, entry), aged)
        visit.answered = True

    def standIn(self, exchange: Exchange, visit: Visit, now: float, status: int | None) -> bool:
        """
        Answer with what is stale as the origin fails, if that may be.

        @param visit: one with entries.
        @param status: what the origin answered; None if it did not.
        @return: whether it was done.
        """
        entry = visit.entries[0]
        if not self._mayStandIn(exchange, visit, entry, now):
            return False
        if exchange.lease is not None:
            # The content of an error that nobody will see.
            takeLease(exchange).release()
        self._collapsing.failed(visit)
        if not isinstance(exchange.downstream, Nobody):
            self._give(exchange, visit, entry, now, status, True)
        return True

    def annotate(self, exchange: Exchange) -> None:
        """
        Say in C{Cache-Status} what became of the request (RFC 9211).

        Where the origin failed, a stale response may stand in for the error.
        """
        visit: Visit | None = exchange.visit
        reply = exchange.reply
        if visit is None or visit.answered or reply is None:
            return
        response = exchange.response
        if response is None:
            if (
                visit.entries
                and exchange.error is not None
                and self.standIn(exchange, visit, self._seconds(), None)
            ):
                return
        elif response.status != reply.status:
            reply.more = _line(self._member(visit, response.status, None))
            return
        if visit.stored or visit.collapsed:
            reply.more = _line(self._member(visit, None, None))
        else:
            reply.more = self._lines[visit.reason]

    def _mayStandIn(self, exchange: Exchange, visit: Visit, entry: Entry, now: float) -> bool:
        """Whether an entry may be used as its origin fails (RFC 5861 §4)."""
        if visit.fetch is not None and visit.fetch.outdated:
            # What has been changed since is no better than none.
            return False
        # It may have been purged softly since it was looked up.
        freshness = freshnessOf(entry)
        body = entry.body
        there = body.isWhole or (isinstance(exchange.downstream, Nobody) and body.isKept)
        if not there or not mayReplaceError(freshness, visit.demand, now):
            return False
        # Not what was purged meanwhile, unless softly: then it is stored still.
        return entry.queue is not None or not self._purges.overtook(visit, EMPTY)

    def _member(self, visit: Visit, status: int | None, entry: Entry | None) -> bytes:
        """Write what became of a request that was sent on."""
        ttl = None
        if entry is not None:
            record: Record = entry.verdict
            ttl = record.freshness.ttl(self._seconds())
        collapsed: bool | None = None
        if visit.collapsed:
            # If it was sent on as well, it has waited in vain.
            collapsed = visit.epoch < 0
        return self._status.forwarded(
            visit.reason, status, ttl=ttl, stored=visit.stored, collapsed=collapsed
        )


def _line(member: bytes) -> bytes:
    return b"Cache-Status: %b\r\n" % member
