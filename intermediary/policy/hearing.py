# -*- test-case-name: tests.policy.test_hearing -*-
"""
Hearing of what the other processes have purged that share a disk.

It is asked for in short intervals, as there is nobody who could tell: then what is in
memory goes as well, and what is on its way there is not stored.  What was asked for after
a purge elsewhere stays if it is there by then; what is on its way costs a fetch.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from .answers import requestedAt
from .diskjournal import Notice
from .purging import TURN_SECONDS, Purge
from .siblings import Siblings

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure

    from .cachestate import Cache
    from .diskjournal import News
    from .diskstore import DiskStore
    from .entries import Entry
    from .tiers import Tiers

#: How often is asked.
HEAR_SECONDS: Final = 0.5


class Hearing:
    """
    Has the memory of a process know what others have purged.

    @ivar notices: how many were heeded.
    """

    _log = Logger()

    def __init__(self, reactor: IReactorTime, store: DiskStore, tiers: Tiers, cache: Cache) -> None:
        """
        @param store: where it is noted.
        @param tiers: what forgets.
        @param cache: knows what was purged of late.
        """
        self._reactor = reactor
        self._seconds: Callable[[], float] = time.perf_counter
        self._store = store
        self._tiers = tiers
        self._cache = cache
        self._timer: Any = None
        #: Stands for all that is done until the end.
        self._course: object = None
        # What others purged was not heeded, for a defect: all in memory has to go.
        self._doubtful = False
        self.notices = 0

    def begin(self) -> None:
        """Ask again and again, until L{end}."""
        self._course = object()
        self._store.listen()
        self._next()

    def _next(self) -> None:
        self._timer = self._reactor.callLater(HEAR_SECONDS, self._ask)

    def end(self) -> None:
        """Ask no more, and heed no more of what was asked for."""
        self._course = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ask(self) -> None:
        self._timer = None
        course = self._course
        hearing = Deferred.fromCoroutine(self._hear(course))
        hearing.addErrback(self._broke)
        hearing.addCallback(self._through, course)

    def _broke(self, failure: Failure) -> None:
        self._log.failure("a defect in the cache", failure=failure)
        # It would meet that again.
        self._doubtful = True

    def _through(self, more: bool | None, course: object) -> None:
        if self._course is not course:
            return
        if more:
            self._ask()
        else:
            self._next()

    async def _hear(self, course: object) -> bool:
        """
        Heed what there is, one after the other, as each may have to look at all entries.

        @return: whether there is more.
        """
        news: News | None = await self._store.news()
        if news is None or self._course is not course:
            return False
        notices = news.notices
        if news.missed:
            self._log.warn(
                "too much was purged by others that share {folder} since it was asked for: all"
                " that is in memory goes",
                folder=self._store.folder,
            )
            notices = [Notice(Purge.ofPrefix(b"")), *notices]
        if self._doubtful:
            notices = [Notice(Purge.ofPrefix(b""))]
        # At once, as what has begun before this is not to be stored.
        for notice in notices:
            self._note(notice)
        until = self._seconds() + TURN_SECONDS
        for notice in notices:
            gone = self._heed(notice)
            if isinstance(gone, Deferred):
                await gone
            self.notices += 1
            if self._seconds() >= until:
                await deferLater(self._reactor, 0.0)
                until = self._seconds() + TURN_SECONDS
            if self._course is not course:
                return False
        self._doubtful = False
        self._store.heard(news.last)
        return news.more

    def _note(self, notice: Notice) -> None:
        what = notice.what
        # Of a URL with several keys, also where nobody has changed it but purged it.
        targets = [what.value] if notice.change else Siblings.commonsOf(what.tags)
        for common in targets:
            self._cache.purges.changes.note(common)
            self._cache.siblings.outdate(common)
            shelf = self._tiers.find(common)
            if shelf is not None and shelf.fetch is not None:
                shelf.fetch.outdated = True
        if not notice.change and (not targets or len(targets) < len(what.tags)):
            self._cache.purges.note(what, notice.soft)

    def _heed(self, notice: Notice) -> Deferred[int] | int:
        now = self._reactor.seconds()

        def isMeant(entry: Entry) -> bool:
            return notice.isAbout(requestedAt(entry), now)

        return self._tiers.purgeHere(notice.what, notice.soft, isMeant)

    def __repr__(self) -> str:
        return f"<Hearing {self.notices} notices>"
