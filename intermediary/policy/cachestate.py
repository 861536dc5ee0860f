# -*- test-case-name: tests.policy.test_cache -*-
"""
What all routes of a process share of a cache, and its counters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed

from .heads import Heads
from .pages import PageFile
from .recentpurges import RecentPurges
from .siblings import Siblings
from .stores import MemoryStore
from .tiers import Tiers

if TYPE_CHECKING:
    from ..exchange import Exchange
    from ..interfaces import ICacheStore, IKeeper
    from .networks import Networks
    from .purging import Purge
    from .refreshing import Refreshing


class Cache:
    """
    What all routes of a process share.

    @ivar hits: requests that were answered without asking.
    @ivar misses: requests that were sent on although their answers might have been
        stored.
    @ivar collapsed: requests that waited for another one's answer.  They are hits or
        misses afterwards, unless they got its error.
    @ivar stored: responses that were stored.
    @ivar validated: 304s that were about what is stored.
    @ivar tiers: both stores, where there is one behind the memory; None otherwise.
    @ivar memory: what finds what is in memory; None if that is a store of another kind.
    @ivar keeper: starts and stops what the tiers need; None if nothing is needed.
    @ivar background: exchanges under way for nobody in particular.
    @ivar pages: where big content that is used often is moved to.
    @ivar purgers: who may purge by requests; None where nobody may.
    @ivar purges: those of late.
    @ivar purging: how many are under way.
    @ivar refreshes: requests that were sent ahead of the time by which they are needed.
    @ivar refreshing: sends them; None where nothing does.
    """

    __slots__ = (
        "background",
        "collapsed",
        "heads",
        "hits",
        "keeper",
        "maxObjectOctets",
        "memory",
        "misses",
        "pages",
        "purgers",
        "purges",
        "purging",
        "refreshes",
        "refreshing",
        "siblings",
        "store",
        "stored",
        "targeted",
        "tiers",
        "validated",
    )

    def __init__(
        self,
        store: ICacheStore,
        maxObjectOctets: int,
        targeted: tuple[bytes, ...] = (),
        purgers: Networks | None = None,
    ) -> None:
        """
        @param targeted: see L{CacheRules<intermediary.wire.rules.CacheRules>}.
        """
        self.store = store
        self.tiers = store if isinstance(store, Tiers) else None
        memory = store if self.tiers is None else self.tiers.memory
        self.memory = memory if isinstance(memory, MemoryStore) else None
        self.keeper: IKeeper | None = None
        self.maxObjectOctets = maxObjectOctets
        self.targeted = targeted
        self.heads = Heads()
        self.pages = PageFile()
        self.siblings = Siblings()
        self.hits = 0
        self.misses = 0
        self.collapsed = 0
        self.background = 0
        self.purgers = purgers
        self.purges = RecentPurges()
        self.purging = 0
        self.refreshes = 0
        self.stored = 0
        self.validated = 0
        self.refreshing: Refreshing | None = None

    def purge(self, what: Purge, soft: bool = False) -> Deferred[int] | int:
        """
        Purge what is stored, and see to it that what is on its way is not.

        @param soft: what is stored stays, and has expired.  What was asked for
            before the purge is not stored in either case.
        @return: how many responses were stored, or a L{Deferred} of that, as in
            L{IPurgeable.purge<intermediary.interfaces.IPurgeable.purge>}.
            Cancelling it leaves the rest as it is.
        """
        self.purges.note(what, soft)
        count = self.store.purge(what, soft)
        if isinstance(count, Deferred):
            self.purging += 1
            count.addBoth(self._purged)
        return count

    def _purged(self, result: Any) -> Any:
        self.purging -= 1
        return result

    def leaveBackground(self, exchange: Exchange) -> None:
        """What was under way for nobody in particular has ended; a step."""
        self.background -= 1

    def close(self) -> None:
        """Stop the timer of the refreshes; what is stored stays, and can be used."""
        if self.refreshing is not None:
            self.refreshing.close()

    def start(self) -> None:
        """Begin to use the disk, if there is one; in a process that does not fork any more."""
        if self.keeper is not None:
            self.keeper.start()

    def stop(self) -> Deferred[None]:
        """
        Leave the disk in order, when no exchange is under way any more.

        @return: fires when nothing is being written and all is closed, after some
            seconds at most.
        """
        return succeed(None) if self.keeper is None else self.keeper.stop()

    def __repr__(self) -> str:
        return (
            f"<Cache hits={self.hits} misses={self.misses} collapsed={self.collapsed}"
            f" stored={self.stored} validated={self.validated}"
            f" refreshes={self.refreshes} background={self.background} {self.store!r}>"
        )
