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
from .visit import Visit

if TYPE_CHECKING:
    from ..exchange import Exchange
    from ..program import Program
    from ..wire.reuse import Demand
    from .arrival import Arrival
    from .delivery import Delivery
    from .entries import Shelf
    from .recentpurges import RecentPurges


class Passing:
    """
    Sends the requests of one route on whose answers are not expected to be stored.

    @ivar program: what sends them; None where all go through the whole one.
    """

    __slots__ = ("_arrival", "_delivery", "_purges", "program")

    def __init__(self, arrival: Arrival, delivery: Delivery, purges: RecentPurges) -> None:
        self._arrival = arrival
        self._delivery = delivery
        self._purges = purges
        self.program: Program | None = None

    def sendOn(
        self, exchange: Exchange, program: Program, shelf: Shelf, demand: Demand, now: float
    ) -> Any:
        """
        Send a request on that was looked up: a GET, spelled as its key.

        @param program: of this.
        @param shelf: what is known under its key: nothing stored, and that it passes.
        """
        visit = exchange.visit = Visit(URI_MISS, now)
        visit.key = shelf.key
        visit.shelf = shelf
        visit.demand = demand
        visit.passes = True
        # Where it is sent again, its answer is taken for as old as by the first time.
        purges = self._purges
        visit.epoch = purges.serial
        visit.changes = purges.changes.serial
        exchange.program = program
        return FETCH

    def take(self, exchange: Exchange) -> None:
        """
        Say what became of a request, and store the answer if that may be, after all.

        A reply that was made here has no connection any more.
        """
        if exchange.lease is not None:
            # As nothing is stored, there is nothing that it could ask for again.
            self._arrival.admit(exchange)
        self._delivery.annotate(exchange)
