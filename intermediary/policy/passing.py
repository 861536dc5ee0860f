# -*- test-case-name: tests.policy.test_passing -*-
"""
What passes: requests for something whose answers are not stored (hit-for-pass).

That an answer could not be stored is marked on its shelf, and the next requests for the
like are sent on by a program of their own.  It has none of the steps about what is
stored, as nothing is: what the cache has to do is done when such a request is looked up,
and when its answer is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..program import FETCH
from ..wire.cachestatus import URI_MISS
from ..wire.storing import plainlyForbids
from .visit import Asked, Visit

if TYPE_CHECKING:
    from ..exchange import Exchange
    from ..program import Program
    from ..wire.reuse import Demand
    from ..wire.rules import CacheRules
    from .arrival import Arrival
    from .delivery import Delivery
    from .entries import Shelf
    from .recentpurges import RecentPurges
    from .targets import Targets


class Passing:
    """
    Sends the requests of one route on whose answers are not expected to be stored.

    @ivar program: what sends them; None where all go through the whole one.
    """

    __slots__ = ("_arrival", "_delivery", "_purges", "_rules", "_targets", "program")

    def __init__(
        self,
        rules: CacheRules,
        targets: Targets,
        arrival: Arrival,
        delivery: Delivery,
        purges: RecentPurges,
    ) -> None:
        self._rules = rules
        self._targets = targets
        self._arrival = arrival
        self._delivery = delivery
        self._purges = purges
        self.program: Program | None = None

    def takes(self, exchange: Exchange, demand: Demand) -> bool:
        """
        Tell whether a GET that was looked up may be sent on by the shorter program.

        Its target is spelled as in its key.  C{Host} may not be, it may have been looked up
        before, or want nothing that is not stored.
        """
        return (
            self.program is not None
            and exchange.visit is None
            and not demand.onlyIfCached
            and self._targets.isSpelled(exchange)
        )

    def sendOn(self, exchange: Exchange, shelf: Shelf, demand: Demand, now: float) -> Any:
        """
        Send a request on that it takes.

        Where it is sent once more, its answer is taken for as old as by the first time.

        @param shelf: what is known under its key: nothing stored, and that it passes.
        """
        program = self.program
        assert program is not None
        purges = self._purges
        exchange.visit = Asked(now, shelf.key, shelf, demand, purges.serial, purges.changes.serial)
        exchange.program = program
        return FETCH

    def take(self, exchange: Exchange) -> None:
        """
        Say what became of a request, and store the answer if that may be, after all.

        A reply that was made here has no connection any more.
        """
        response = exchange.response
        reply = exchange.reply
        fetched = exchange.lease is not None
        if fetched and response is not None and reply is not None:
            status = response.status
            if (
                status != 304
                and status == reply.status
                and plainlyForbids(response.fields, self._rules)
            ):
                # As those before it.
                reply.more = self._delivery.missed
                return
        asked: Asked = exchange.visit
        if not isinstance(asked, Visit):
            visit = exchange.visit = Visit(URI_MISS, asked.requested)
            visit.key = asked.key
            visit.shelf = asked.shelf
            visit.demand = asked.demand
            visit.epoch = asked.epoch
            visit.changes = asked.changes
            visit.passes = True
        if fetched:
            # As nothing is stored, there is nothing that it could ask for again.
            self._arrival.admit(exchange)
        self._delivery.annotate(exchange)
