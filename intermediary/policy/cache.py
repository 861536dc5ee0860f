# -*- test-case-name: tests.policy.test_cache -*-
"""
The cache, as steps of a program (RFC 9111).

A request is looked up (L{Lookup}); if nothing stored answers it, it is sent on, and
asks about what is stored (L{Validation}); whoever asks for the same meanwhile waits for
its answer.  What comes back is stored if it may be, validates what was stored, or is
passed on (L{Arrival}), and the client is told which (L{Delivery}).  The rules are pure
functions in L{intermediary.wire}; stores are
L{ICacheStore<intermediary.interfaces.ICacheStore>}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.cachestatus import CacheStatus
from .admission import Admission
from .ahead import Ahead
from .answers import Answers
from .arrival import Arrival
from .cachestate import Cache
from .collapsing import Collapsing
from .delivery import Delivery
from .filling import Nobody
from .joining import Joining
from .lookup import Lookup
from .passing import Passing
from .purgerequests import PurgeRequests
from .revalidation import Revalidation
from .spelling import Spelling
from .targets import Targets
from .validation import Validation

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..engine import Engine
    from ..exchange import Exchange
    from ..program import Program
    from ..wire.cachekey import KeyMaker
    from ..wire.rules import CacheRules
    from .visit import Visit


class RouteCache:
    """
    The steps of one route, in the order in which exchanges come to them.

    @ivar lookup: answers requests, or says why they are sent on.
    @ivar spelling: has them sent on in the form that their keys have.
    @ivar validation: has them ask about what is stored.
    @ivar arrival: takes what comes back.
    @ivar delivery: says what became of them.
    @ivar passing: sends those on whose answers are not stored, past most of the others.
    """

    __slots__ = (
        "_cache",
        "_collapsing",
        "_revalidation",
        "_targets",
        "arrival",
        "delivery",
        "lookup",
        "passing",
        "spelling",
        "validation",
    )

    def __init__(
        self,
        cache: Cache,
        engine: Engine,
        keys: KeyMaker,
        rules: CacheRules,
        hooked: bool,
        partitions: list[bytes] | None = None,
        byTarget: bool = False,
        prompt: bool = False,
    ) -> None:
        """
        @param hooked: whether components look at replies.
        @param partitions: those of the routes of its front before it; its own is added.
        @param byTarget: see L{Spelling}.
        @param prompt: nothing that comes before the look-up may have to wait.
        """
        if partitions is None:
            partitions = []
        if keys.partition not in partitions:
            partitions.append(keys.partition)
        if keys.several:
            cache.siblings.exist = True
        seconds: Callable[[], float] = engine.seconds
        targets = Targets(keys)
        answers = Answers(engine, cache.heads, cache.pages, hooked)
        status = CacheStatus(engine.pseudonym)
        collapsing = Collapsing(cache, engine)
        revalidation = Revalidation(cache, engine)
        joining = Joining(answers, cache.heads, seconds)
        admission = Admission(cache.store, cache.heads, rules, answers, joining)
        purging = None
        if cache.purgers is not None:
            purging = PurgeRequests(cache, targets, keys.partition, partitions, cache.purgers)
        self._cache = cache
        self._targets = targets
        self._collapsing = collapsing
        self._revalidation = revalidation
        self.spelling = Spelling(targets, byTarget)
        self.validation = Validation(answers, admission, cache.purges, seconds)
        self.delivery = Delivery(answers, status, collapsing, cache.purges, seconds)
        self.arrival = Arrival(
            cache,
            engine,
            rules,
            targets,
            answers,
            admission,
            joining,
            self.validation,
            collapsing,
            self.delivery,
        )
        self.passing = Passing(rules, targets, self.arrival, self.delivery, cache.purges)
        self.lookup = Lookup(
            cache,
            targets,
            answers,
            status,
            collapsing,
            revalidation,
            self.passing,
            purging,
            rules.ignoreClient,
            seconds,
            prompt,
        )

    def useInBackground(self, program: Program) -> None:
        """Say what validates in the background; whoever makes the programs does."""
        self._revalidation.program = program

    def refreshAhead(self, uses: int, trusts: Callable[[str], bool] | None = None) -> None:
        """
        Have what is used so often in its lifetime validated before it expires.

        @param trusts: see L{Ahead}.
        """
        if self._cache.refreshing is not None:
            self.lookup.ahead = Ahead(
                self._cache.refreshing, self._revalidation, self._targets, trusts
            )
            self.lookup.refreshUses = uses

    def retire(self) -> None:
        """No more is done for those who come later: the front will not serve them."""
        self.lookup.refreshUses = 0
        if self.lookup.ahead is not None:
            self.lookup.ahead.retire()

    def settle(self, exchange: Exchange) -> None:
        """An exchange has ended; if it leads a fetch, before there was an answer."""
        visit: Visit | None = exchange.visit
        if isinstance(exchange.downstream, Nobody):
            self._cache.leaveBackground(exchange)
            ahead = self.lookup.ahead
            if ahead is not None and visit is not None and visit.ahead is not None:
                ahead.ended(exchange)
        if visit is not None:
            if visit.kept is not None:
                visit.letGo()
            if visit.fetch is not None:
                self._collapsing.abandon(exchange, visit)


__all__ = ["Cache", "RouteCache"]
