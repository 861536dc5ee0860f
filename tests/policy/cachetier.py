# -*- test-case-name: tests.policy.test_cachesequences -*-
"""
A memory with a disk behind it, for random sequences: what leaves the one comes back
from the other, also in the next process.
"""

from __future__ import annotations

import shutil
import tempfile
from typing import TYPE_CHECKING, Any

from intermediary.policy.answers import Record
from intermediary.policy.cachestate import Cache
from intermediary.policy.diskstore import DiskStore
from intermediary.policy.refreshing import Refreshing
from intermediary.policy.stores import MemoryStore
from intermediary.policy.tiers import Tiers

if TYPE_CHECKING:
    from collections.abc import Callable

#: The room of either: more than any sequence needs.
OCTETS = 1 << 24


def evictAll(memory: Any) -> None:
    """Let there be no room for anything, and then as much as before."""
    octets, memory.limitOctets = memory.limitOctets, 0
    memory._makeRoom(None)
    memory.limitOctets = octets


class Later:
    """A thread pool that works when somebody waits for what happens."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def callInThreadWithCallback(
        self, done: Any, function: Callable[..., Any], *arguments: Any, **keywords: Any
    ) -> None:
        """See C{ThreadPool}; what is raised is an error of the test."""
        self.waiting.append(lambda: done(True, function(*arguments, **keywords)))

    def work(self) -> bool:
        """Do what was asked for; whether there was anything."""
        if not self.waiting:
            return False
        self.waiting.pop(0)()
        return True


class Tier:
    """
    Both, in a folder of their own.

    @ivar cache: the one of the process that runs now.
    """

    def __init__(self, clock: Any, maxObjectOctets: int, targeted: tuple[str, ...]) -> None:
        """
        @param clock: gets a C{callFromThread}.
        """
        self._clock = clock
        clock.callFromThread = lambda function, *arguments: function(*arguments)
        self._largest = maxObjectOctets
        self._targeted = tuple(each.lower().encode() for each in targeted)
        self._folder = tempfile.mkdtemp()
        self._pool = Later()
        self.cache = self._begin()

    def _begin(self) -> Cache:
        clock, largest = self._clock, self._largest
        self._memory = MemoryStore(clock, OCTETS, largest)
        self._disk = DiskStore(
            clock, self._pool, self._folder, OCTETS, largest, Record.encode, Record.decode
        )
        self._disk.begin()
        self._tiers = Tiers(clock, self._memory, self._disk, largest)
        cache = Cache(self._tiers, largest, self._targeted)
        cache.refreshing = Refreshing(clock, cache)
        return cache

    def work(self) -> bool:
        """Let the disk do something; whether it had to."""
        return self._pool.work()

    def evict(self) -> None:
        """Memory is needed for something else, all of it."""
        evictAll(self._memory)

    def again(self) -> Cache:
        """Another process begins."""
        self._stop()
        self.cache = self._begin()
        return self.cache

    def _stop(self) -> None:
        self._tiers.end()
        self._disk.end()
        while self.work():
            pass
        self._disk.close()
        while self.work():
            pass

    def close(self) -> None:
        """There is none any more."""
        try:
            self._stop()
        finally:
            shutil.rmtree(self._folder)
