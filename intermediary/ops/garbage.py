# -*- test-case-name: tests.ops.test_garbage -*-
"""
Collections of garbage that stay short, however much is stored.

CPython looks for cycles of references among all objects that have lived for a while,
and nothing else happens meanwhile: with a million entries, which are seven objects
each, that takes more than a second.  Entries are no such garbage: they go when the
store lets them go.  So they are set aside, I{frozen}, as they come, and a collection
looks at what has come since.

What else was alive just then is set aside with them, and if it becomes garbage later,
collections miss it.  So they look at everything again when there is more in memory than
what is stored explains, and once in a great while in any case.  See
C{docs/notes/cache-garbage.md}.

All of this is about the process as a whole, so it is for who owns that: the service.
"""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from ..policy.cachestate import Cache

#: How often to look how many entries have come.
LOOK_SECONDS: Final = 1.0
#: After how many of them they are set aside: a collection of these takes about 15 ms.
STEP: Final = 8192
#: After how many steps everything is looked at: ten million entries.
STEPS: Final = 1280
#: How many blocks of memory an entry takes, at most, as a rule.
BLOCKS: Final = 12
#: How much more there may be than was expected, as a factor.
CROWDED: Final = 1.25


class Garbage:
    """
    Sets aside what is stored, as it comes.

    @ivar steps: how often that was done since everything was looked at.
    @ivar full: how often everything was looked at.
    """

    def __init__(self, reactor: IReactorTime, cache: Cache) -> None:
        """Nothing is done yet."""
        self._reactor = reactor
        self._cache = cache
        self._seen = 0
        self._call: Any = None
        # What was in memory, and how many entries, when everything had been looked at.
        self._blocks = 0
        self._count = 0
        self.steps = 0
        self.full = 0

    def start(self) -> None:
        """Set aside what there is, which is what it took to start, and begin to look."""
        # Only CPython has it.
        if self._call is None and hasattr(gc, "freeze"):
            self._collect()
            self._call = self._reactor.callLater(LOOK_SECONDS, self._look)

    def stop(self) -> None:
        """Look no more, and let collections have everything again."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
            gc.unfreeze()

    def _look(self) -> None:
        self._call = self._reactor.callLater(LOOK_SECONDS, self._look)
        if self._made() - self._seen < STEP:
            return
        if self.steps >= STEPS or self._isCrowded():
            gc.unfreeze()
            self._collect()
        else:
            self._setAside()

    def _collect(self) -> None:
        """Look at everything, which takes as long as it takes."""
        self._setAside()
        self.steps = 0
        self.full += 1
        self._blocks = sys.getallocatedblocks()
        self._count = self._held()

    def _setAside(self) -> None:
        self._seen = self._made()
        # What is garbage already must not be among it.
        gc.collect()
        gc.freeze()
        self.steps += 1

    def _isCrowded(self) -> bool:
        """Whether there is more in memory than what is stored explains."""
        more = max(0, self._held() - self._count)
        return sys.getallocatedblocks() > CROWDED * (self._blocks + BLOCKS * more)

    def _made(self) -> int:
        """Count the entries that there ever were, those from the disk included."""
        cache = self._cache
        found = 0 if cache.tiers is None else cache.tiers.looks.found
        return cache.stored + cache.validated + found

    def _held(self) -> int:
        """Count those that there are in memory; of a store that can't tell, none."""
        tiers = self._cache.tiers
        count: int = getattr(self._cache.store if tiers is None else tiers.memory, "count", 0)
        return count

    def __repr__(self) -> str:
        state = "on" if self._call is not None else "off"
        return f"<Garbage {state} steps={self.steps} full={self.full}>"
