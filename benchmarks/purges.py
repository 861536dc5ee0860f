# -*- test-case-name: tests.test_benchmarks -*-
"""
C{python -m benchmarks purges}: for how long a purge keeps the reactor from others.

A store in memory is filled with small entries that have one tag each.  Then
entries are purged by tag, by host and by prefix, each time some more of them, and
each turn of the reactor that this takes is timed: by the processor, as what else
runs on the machine is not to count.  The store is the one of the sources, unless
it is run from where they can't be seen.
"""

from __future__ import annotations

import gc
import os
import time
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from intermediary.policy import stores
from intermediary.policy.body import Body
from intermediary.policy.entries import Entry
from intermediary.policy.purging import Purge
from intermediary.policy.stores import MemoryStore
from intermediary.wire.fields import Fields

from .machine import residentOctets
from .report import grid

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

HELP = "how long purges of a big store block the reactor"

#: What a turn may take, in seconds.
LIMIT_SECONDS = 0.05


def addArguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    parser.add_argument("--entries", type=int, default=1_000_000, help="default 1000000")
    parser.add_argument("--tagged", type=int, default=10_000, help="with one tag; default 10000")


class Turns(Clock):
    """A reactor that has nothing else to do, and takes the time of each turn."""

    def seconds(self) -> float:
        """Give the time of the processor."""
        return time.process_time()

    def turn(self) -> float:
        """Do what is due; how many seconds it took."""
        due, self.calls = self.calls, []
        began = time.process_time()
        for call in due:
            call.called = 1
            call.func(*call.args, **call.kw)
        return time.process_time() - began


def fill(store: MemoryStore, count: int, tagged: int) -> None:
    """Store so many entries; each tag has so many, and each of ten hosts a tenth."""
    fields = Fields.fromPairs([(b"Content-Type", b"text/html"), (b"ETag", b'"1"')])
    # Those of one tag are not beside each other.
    tags = [b"tag-%d" % number for number in range(max(1, count // tagged))]
    for number in range(count):
        key = b"GET https://host%d.example/path/%d" % (number % 10, number)
        tag = tags[number * 7919 % len(tags)]
        body = Body.of(b"%d" % number)
        store.add(Entry(key, 200, b"OK", fields, body, 0.0, 60.0, None, b"", (), (tag,)))


def purged(store: MemoryStore, clock: Turns, what: Purge, soft: bool) -> tuple[int, list[float]]:
    """
    Purge.

    @return: how many went, and the seconds of each turn, of the first one as
        well.
    """
    began = time.process_time()
    answer = store.purge(what, soft)
    turns = [time.process_time() - began]
    if not isinstance(answer, Deferred):
        return answer, turns
    counts: list[int] = []
    answer.addCallback(counts.append)
    while not counts:
        turns.append(clock.turn())
    return counts[0], turns


def run(options: argparse.Namespace, say: Callable[[str], None]) -> int:
    """
    Fill a store and purge it.

    @return: 0, or 2 when a turn took too long.
    """
    clock = Turns()
    store = MemoryStore(clock, 1 << 42, 1 << 30)
    pid = [os.getpid()]
    before = residentOctets(pid)
    began = time.process_time()
    fill(store, options.entries, options.tagged)
    seconds = time.process_time() - began
    say(f"{stores.__file__}: {store!r}")
    say(
        f"filled in {seconds:.1f} s, {1e6 * seconds / options.entries:.1f} µs for each entry;"
        f" {(residentOctets(pid) - before) / options.entries:.0f} octets of memory each"
    )
    # A collection is not what is measured, but what it takes is worth knowing.
    began = time.process_time()
    gc.collect()
    say(f"a collection of garbage takes {1000 * (time.process_time() - began):.0f} ms")
    gc.disable()
    rows = [["purge", "", "entries", "turns", "longest ms", "total ms"]]
    longest = 0.0
    for what, soft in (
        (Purge.ofTag(b"tag-3"), True),
        (Purge.ofTag(b"tag-3"), False),
        (Purge.ofTag(b"tag-5"), False),
        (Purge.ofHost(b"nowhere.example"), False),
        (Purge.ofHost(b"host3.example"), True),
        (Purge.ofHost(b"host3.example"), False),
        (Purge.ofPrefix(b"https://host4.example/path/1"), False),
        (Purge.ofPrefix(b""), False),
    ):
        count, turns = purged(store, clock, what, soft)
        longest = max(longest, *turns)
        rows.append(
            [
                f"{what.kind} {what.value.decode()}",
                "soft" if soft else "hard",
                str(count),
                str(len(turns)),
                f"{1000 * max(turns):.1f}",
                f"{1000 * sum(turns):.0f}",
            ]
        )
    say(grid(rows))
    met = longest <= LIMIT_SECONDS
    say(f"longest turn {1000 * longest:.1f} ms: {'met' if met else 'MISSED'}")
    return 0 if met else 2
