# -*- test-case-name: tests.test_benchmarks -*-
"""
C{python -m benchmarks garbage}: for how long collections of garbage stop the process.

A store in memory is filled with entries as the cache makes them, and then as many again
are stored, once or more, while the oldest leave.  Every collection is timed: by the processor, as what
else runs on the machine is not to count.  Once as Python does it by itself, and once
with what C{twistd intermediary} does about it, which looks whenever a second's worth of
entries has come.
"""

from __future__ import annotations

import gc
import time
from itertools import chain
from typing import TYPE_CHECKING

from twisted.internet.task import Clock

from intermediary.ops.garbage import Garbage
from intermediary.policy import stores
from intermediary.policy.answers import Record
from intermediary.policy.body import Body
from intermediary.policy.cachestate import Cache
from intermediary.policy.entries import Entry
from intermediary.policy.stores import MemoryStore
from intermediary.wire.fields import Fields
from intermediary.wire.freshness import Freshness

from .report import grid

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

HELP = "how long collections of garbage stop a process with a big store"

#: How many entries come in a second.
RATE = 4000
#: What a collection of what has come lately may take, in seconds.
LIMIT_SECONDS = 0.1


def addArguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    parser.add_argument("--entries", type=int, default=1_000_000, help="default 1000000")
    parser.add_argument(
        "--rounds", type=int, default=2, help="how often as many are stored; default 2"
    )


class Pauses:
    """
    Times the collections while it is entered.

    @ivar seconds: of each, by generation.
    """

    def __init__(self) -> None:
        self.seconds: dict[int, list[float]] = {0: [], 1: [], 2: []}
        self._began = 0.0

    def __enter__(self) -> Pauses:
        gc.callbacks.append(self._told)
        return self

    def __exit__(self, *_: object) -> None:
        gc.callbacks.remove(self._told)

    def _told(self, phase: str, info: dict[str, int]) -> None:
        now = time.process_time()
        if phase == "start":
            self._began = now
        else:
            self.seconds[info["generation"]].append(now - self._began)

    @property
    def all(self) -> list[float]:
        """Of all of them, the longest first."""
        return sorted(chain(*self.seconds.values()), reverse=True)


def fill(cache: Cache, first: int, count: int, clock: Clock) -> None:
    """Store so many entries, and let the time go by that they take."""
    fields = Fields.fromPairs([(b"Content-Type", b"text/html"), (b"ETag", b'"1"')])
    for number in range(first, first + count):
        freshness = Freshness(0.0, 0.0, 60.0, 60.0, 60.0, 3660.0, False)
        record = Record(freshness, 7, 0.0)
        key = b"https://host%d.example/path/%d" % (number % 10, number)
        body = Body.of(b"%07d" % number)
        cache.store.add(Entry(key, 200, b"OK", fields, body, 0.0, 60.0, record))
        cache.stored += 1
        if number % RATE == 0:
            clock.advance(1)


def row(name: str, pauses: Pauses, seconds: float) -> list[str]:
    """Word what one part took."""
    longest = [*pauses.all[:2], 0.0, 0.0]
    return [
        name,
        *(str(len(pauses.seconds[generation])) for generation in (0, 1, 2)),
        f"{1000 * longest[0]:.1f}",
        f"{1000 * longest[1]:.1f}",
        f"{1000 * sum(pauses.all):.0f}",
        f"{1000 * seconds:.0f}",
    ]


def run(options: argparse.Namespace, say: Callable[[str], None]) -> int:
    """
    Fill a store, twice over.

    @return: 0, or 2 when collections took too long.
    """
    say(stores.__file__)
    rows = [["", "young", "middle", "old", "longest ms", "second", "all ms", "total ms"]]
    met = True
    count = options.entries
    for name, asService in (("Python", False), ("twistd intermediary", True)):
        gc.collect()
        clock = Clock()
        # Room for as many as there are in the end.
        store = MemoryStore(clock, 1100 * count, 1 << 20)
        cache = Cache(store, 1 << 20)
        garbage = Garbage(clock, cache)
        if asService:
            garbage.start()
        for turn in range(options.rounds):
            with Pauses() as pauses:
                began = time.process_time()
                fill(cache, turn * count, count, clock)
                seconds = time.process_time() - began
            part = "replaced" if turn else "filled"
            rows.append(row(f"{name}, {part}", pauses, seconds))
            met = met and (not asService or max(pauses.all, default=0.0) <= LIMIT_SECONDS)
        say(f"{store!r} {garbage!r}")
        garbage.stop()
        del store, cache, garbage
    say(grid(rows))
    say(f"longest at most {1000 * LIMIT_SECONDS:.0f} ms: {'met' if met else 'MISSED'}")
    return 0 if met else 2
