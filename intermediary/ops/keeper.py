# -*- test-case-name: tests.ops.test_keeper -*-
"""
Whose the cache's disk is: its threads, its folder, and its timer.
"""

from __future__ import annotations

import os
import random
import stat
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from ..interfaces import IKeeper
from ..policy.answers import Record
from ..policy.diskstore import DiskStore
from ..policy.hearing import Hearing

if TYPE_CHECKING:
    from ..policy.cachestate import Cache
    from ..policy.tiers import Tiers
    from ..settings import DiskSettings

#: What may wait for the disk at a time.
THREADS: Final = 4
#: When what dead processes left is swept first, and how often after that.
FIRST_SWEEP_SECONDS: Final = 300.0
SWEEP_SECONDS: Final = 86400.0
#: How long is waited at the stop for what is being written.
STOP_SECONDS: Final = 5.0


class _Threads(ThreadPool):
    """Threads that a disk that hangs can't use to keep the process from ending."""

    @staticmethod
    def threadFactory(*arguments: Any, **keywords: Any) -> Thread:  # type: ignore[override]
        """Make a thread that is not waited for."""
        return Thread(*arguments, daemon=True, **keywords)


@implementer(IKeeper)
class DiskKeeper:
    """
    Opens and closes the disk of a cache.

    @ivar store: what it opens.
    @ivar tiers: what uses it; set by who makes them.
    """

    _log = Logger()

    def __init__(self, reactor: Any, settings: DiskSettings, maxObjectOctets: int) -> None:
        """
        Nothing is touched yet.

        @param reactor: its time must be that of the epoch.
        """
        self._reactor = reactor
        self.store = DiskStore(
            reactor,
            None,
            settings.path,
            settings.sizeOctets,
            maxObjectOctets,
            Record.encode,
            Record.decode,
        )
        self.tiers: Tiers | None = None
        self._hearing: Hearing | None = None
        self._sweeping: Any = None

    def listenFor(self, cache: Cache) -> None:
        """Have a cache hear of what others purge that share the disk, while this is started."""
        assert self.tiers is not None
        self._hearing = Hearing(self._reactor, self.store, self.tiers, cache)

    def start(self) -> None:
        """See L{IKeeper.start}; it may be started again when it has stopped."""
        pool = self.store.calls.pool = _Threads(0, THREADS, "cache disk")
        pool.start()
        self.store.begin()
        if self._hearing is not None:
            self._hearing.begin()
        # Processes that share a folder need not do it together.
        self._sweepIn(FIRST_SWEEP_SECONDS * (1.0 + random.random()))  # noqa: S311 - nobody guesses it

    def _sweepIn(self, seconds: float) -> None:
        self._sweeping = self._reactor.callLater(seconds, self._sweep)

    def _sweep(self) -> None:
        self._sweepIn(SWEEP_SECONDS)
        self.store.sweep().addCallback(self._swept)

    def _swept(self, count: int) -> None:
        if count:
            self._log.info(
                "{count} files in {folder} were left over", count=count, folder=self.store.folder
            )

    def stop(self) -> Deferred[None]:
        """
        See L{IKeeper.stop}.

        What is complete is written before, if that does not take too long.
        """
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        """As L{stop} says."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        if self._hearing is not None:
            self._hearing.end()
        if self.tiers is not None:
            self.tiers.end()
        if not await self._within(self.store.end()) or not await self._within(self.store.close()):
            # To join its threads could take for ever; they end with the process.
            self._log.error(
                "the disk cache in {folder} does not end: it is left as it is",
                folder=self.store.folder,
            )
            return
        self.store.calls.pool.stop()

    async def _within(self, done: Deferred[Any]) -> bool:
        """Wait, though not for ever; whether it is done."""
        waited: Deferred[bool] = Deferred()

        def end(which: bool) -> None:
            if timer.active():
                timer.cancel()
            if not waited.called:
                waited.callback(which)

        timer = self._reactor.callLater(STOP_SECONDS, end, False)
        done.addBoth(lambda _: end(True))
        return await waited


def whyUnusable(path: str) -> tuple[str, str] | None:
    """
    Say why a folder can't be used for the cache, without making it.

    @return: what is wrong and the remedy; None if nothing is.
    """
    if os.path.isdir(path):
        if os.stat(path).st_mode & stat.S_IWOTH:
            return (
                "is a folder that everybody may write, and so decide what clients get",
                "name a folder in it, which is made, or have it for this user alone (chmod 700)",
            )
        if os.access(path, os.R_OK | os.W_OK | os.X_OK):
            return None
        return (
            f"is a folder that this user ({os.geteuid()}) may not write",
            "give it to the user that runs the proxy, or name another one",
        )
    if os.path.lexists(path):
        return "is not a folder", "name a folder of its own, which is made if need be"
    above = os.path.abspath(path)
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    if not os.path.isdir(above):
        return f"can't be made: {above} is not a folder", "name another one"
    if not os.access(above, os.W_OK | os.X_OK):
        return (
            f"can't be made: this user ({os.geteuid()}) may not write in {above}",
            "make it, and give it to the user that runs the proxy",
        )
    return None
