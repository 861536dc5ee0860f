# -*- test-case-name: tests.test_benchmarks -*-
"""
C{python -m benchmarks hitratios}: what share of requests finds its object stored.

Made-up traces go through the eviction of the store
(L{intermediary.policy.eviction}) and through others that are well known, each
with room for a share of all octets there are.  The sizes of objects are
log-normal.  Nothing is measured but counts, so the figures are the same anywhere.
"""

from __future__ import annotations

import itertools
import random
from bisect import bisect_left
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from intermediary.policy.eviction import HOTTEST, S3FIFO, Queued

from .report import grid

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

HELP = "hit ratios of S3-FIFO and others on made-up traces"

#: A request: the object and its size.
Request = tuple[int, int]


def addArguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    parser.add_argument("--objects", type=int, default=20_000, help="default 20000")
    parser.add_argument("--requests", type=int, default=300_000, help="default 300000")
    parser.add_argument(
        "--room", default="0.01,0.1", help="shares of all octets (default 0.01,0.1)"
    )
    parser.add_argument("--seed", type=int, default=1)


# Traces


def sizes(count: int, source: random.Random) -> list[int]:
    """Draw sizes with a median of 8 KiB and a long tail, overhead included."""
    return [1200 + min(int(source.lognormvariate(9.0, 1.5)), 4 << 20) for _ in range(count)]


def zipf(count: int, alpha: float, source: random.Random) -> Iterator[int]:
    """Draw objects by Zipf's law; which one is popular has nothing to do with its number."""
    sums = list(itertools.accumulate(1 / rank**alpha for rank in range(1, count + 1)))
    order = list(range(count))
    source.shuffle(order)
    while True:
        yield order[min(bisect_left(sums, source.random() * sums[-1]), count - 1)]


def scanned(count: int, alpha: float, source: random.Random) -> Iterator[int]:
    """Mix Zipf with a crawler: a tenth of the objects once, each time others."""
    popular = zipf(count, alpha, source)
    unseen = itertools.count(count)
    while True:
        yield from itertools.islice(popular, count)
        yield from itertools.islice(unseen, count // 10)


def oneTimers(count: int, alpha: float, source: random.Random) -> Iterator[int]:
    """Mix Zipf with as many requests for what nobody asks for again."""
    unseen = itertools.count(count)
    for item in zipf(count, alpha, source):
        yield item
        yield next(unseen)


def twoTimers(count: int, alpha: float, source: random.Random) -> Iterator[int]:
    """Mix Zipf with what is asked for twice within a short time and never again."""
    unseen = itertools.count(count)
    last = [next(unseen)] * 50
    for number, item in enumerate(zipf(count, alpha, source)):
        yield item
        if number % 2:
            yield last[number // 2 % 50]
        else:
            last[number // 2 % 50] = new = next(unseen)
            yield new


def loops(count: int, source: random.Random) -> Iterator[int]:
    """Go round through a fifth of the objects, with some Zipf in between."""
    popular = zipf(count, 0.9, source)
    for number in itertools.cycle(range(count // 5)):
        yield number
        if source.random() < 0.3:
            yield next(popular)


def shifting(count: int, alpha: float, source: random.Random) -> Iterator[int]:
    """Let what is popular change: each part of the trace has its own favourites."""
    while True:
        yield from itertools.islice(zipf(count, alpha, source), count)


TRACES: dict[str, Callable[[int, random.Random], Iterator[int]]] = {
    "zipf 0.7": lambda count, source: zipf(count, 0.7, source),
    "zipf 0.9": lambda count, source: zipf(count, 0.9, source),
    "zipf 1.1": lambda count, source: zipf(count, 1.1, source),
    "zipf 0.9, scans": lambda count, source: scanned(count, 0.9, source),
    "zipf 0.9, half once": lambda count, source: oneTimers(count, 0.9, source),
    "zipf 0.9, half twice": lambda count, source: twoTimers(count, 0.9, source),
    "loop": loops,
    "shifting 0.9": lambda count, source: shifting(count, 0.9, source),
}


def trace(name: str, objects: int, requests: int, seed: int) -> list[Request]:
    """Make a trace; the same each time."""
    source = random.Random(seed)
    table = sizes(objects, source)
    later = sizes(4096, source)
    drawn = itertools.islice(TRACES[name](objects, source), requests)
    return [(item, table[item] if item < objects else later[item % 4096]) for item in drawn]


# Evictions


class Lru:
    """The one that was used longest ago leaves."""

    moves = True

    def __init__(self, room: int) -> None:
        self.room = room
        self.octets = 0
        self.items: OrderedDict[int, int] = OrderedDict()

    def request(self, item: int, size: int) -> bool:
        """Look it up, and take it in; whether it was there."""
        items = self.items
        if item in items:
            if self.moves:
                items.move_to_end(item)
            return True
        if size <= self.room:
            items[item] = size
            self.octets += size
            while self.octets > self.room:
                self.octets -= items.popitem(last=False)[1]
        return False


class Fifo(Lru):
    """The one that came first leaves."""

    moves = False


class Sieve:
    """A hand goes from old to new and takes what was not used since it came by."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.octets = 0
        self.items: dict[int, Queued] = {}
        self.names: dict[Queued, int] = {}
        self.newest: Queued | None = None
        self.oldest: Queued | None = None
        self.hand: Queued | None = None

    def request(self, item: int, size: int) -> bool:
        """See L{Lru.request}."""
        known = self.items.get(item)
        if known is not None:
            known.heat = 1
            return True
        if size > self.room:
            return False
        while self.octets + size > self.room:
            self._evict()
        new = Queued(size)
        self.items[item] = new
        self.names[new] = item
        new.older = self.newest
        if self.newest is not None:
            self.newest.newer = new
        self.newest = new
        self.oldest = self.oldest or new
        self.octets += size
        return False

    def _evict(self) -> None:
        hand = self.hand or self.oldest
        assert hand is not None
        while hand.heat:
            hand.heat = 0
            hand = hand.newer or self.oldest
            assert hand is not None
        self.hand = hand.newer
        if hand.newer is None:
            self.newest = hand.older
        else:
            hand.newer.older = hand.older
        if hand.older is None:
            self.oldest = hand.newer
        else:
            hand.older.newer = hand.newer
        self.octets -= hand.size
        del self.items[self.names.pop(hand)]


class TinyLfu:
    """
    W-TinyLFU: a small LRU window before a segmented LRU, which takes only what was
    asked for more often than what would have to leave.

    The counts are exact and halved now and then; a real one estimates them.
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self.limits = {"window": room // 100, "trial": room, "safe": room * 99 * 8 // 1000}
        self.parts: dict[str, OrderedDict[int, int]] = {
            name: OrderedDict() for name in ("window", "trial", "safe")
        }
        self.octets = dict.fromkeys(self.parts, 0)
        self.counts: Counter[int] = Counter()
        self.asked = 0

    def _put(self, part: str, item: int, size: int) -> None:
        self.parts[part][item] = size
        self.octets[part] += size

    def _pop(self, part: str) -> Request:
        item, size = self.parts[part].popitem(last=False)
        self.octets[part] -= size
        return item, size

    def request(self, item: int, size: int) -> bool:
        """See L{Lru.request}."""
        counts = self.counts
        counts[item] = min(15, counts[item] + 1)
        self.asked += 1
        if self.asked > 10 * max(1000, sum(map(len, self.parts.values()))):
            self.asked = 0
            self.counts = Counter({name: n // 2 for name, n in counts.items() if n > 1})
        for part, items in self.parts.items():
            if item in items:
                if part == "trial":
                    self.octets[part] -= items.pop(item)
                    self._put("safe", item, size)
                    while self.octets["safe"] > self.limits["safe"]:
                        self._put("trial", *self._pop("safe"))
                else:
                    items.move_to_end(item)
                return True
        if size > self.room:
            return False
        self._put("window", item, size)
        while self.parts["window"] and self.octets["window"] > self.limits["window"]:
            self._admit(*self._pop("window"))
        return False

    def _admit(self, item: int, size: int) -> None:
        room = self.room - self.limits["window"]
        if size > room:
            return
        while self.octets["trial"] + self.octets["safe"] + size > room:
            part = "trial" if self.parts["trial"] else "safe"
            victim = next(iter(self.parts[part]))
            if self.counts[victim] >= self.counts[item]:
                return
            self._pop(part)
        self._put("trial", item, size)


class _Item(Queued):
    """An object of a trace."""

    __slots__ = ("name",)

    def __init__(self, name: int, size: int) -> None:
        super().__init__(size)
        self.name = name

    def identity(self) -> int:
        """See L{Queued.identity}."""
        return self.name


class Ours:
    """What the store does, with its own code."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.octets = 0
        self.eviction = S3FIFO(room)
        self.items: dict[int, _Item] = {}

    def request(self, item: int, size: int) -> bool:
        """See L{Lru.request}."""
        known = self.items.get(item)
        if known is not None:
            known.heat = min(HOTTEST, known.heat + 1)
            return True
        if size <= self.room:
            new = self.items[item] = _Item(item, size)
            self.eviction.add(new)
            self.octets += size
            while self.octets > self.room:
                victim = self.eviction.evict(new)
                assert isinstance(victim, _Item)
                self.octets -= victim.size
                del self.items[victim.name]
        return False


EVICTIONS: dict[str, Callable[[int], Any]] = {
    "S3-FIFO, ours": Ours,
    "LRU": Lru,
    "FIFO": Fifo,
    "SIEVE": Sieve,
    "W-TinyLFU": TinyLfu,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Ratio:
    """Shares that were hits."""

    requests: float
    octets: float


def ratioOf(eviction: Any, requests: list[Request]) -> Ratio:
    """Let a trace go through an eviction."""
    hits = hitOctets = octets = 0
    request = eviction.request
    for item, size in requests:
        octets += size
        if request(item, size):
            hits += 1
            hitOctets += size
    return Ratio(requests=hits / len(requests), octets=hitOctets / octets)


def run(options: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Simulate all, and print a table."""
    shares = [float(share) for share in options.room.split(",")]
    total = sum(sizes(options.objects, random.Random(options.seed)))
    rows = [["trace", "room", *EVICTIONS]]
    for name in TRACES:
        requests = trace(name, options.objects, options.requests, options.seed)
        for share in shares:
            room = int(total * share)
            ratios = [ratioOf(make(room), requests) for make in EVICTIONS.values()]
            cells = [f"{100 * each.requests:.1f} / {100 * each.octets:.1f}" for each in ratios]
            rows.append([name, f"{100 * share:g} %", *cells])
            say(f"{name}, {share:g}: " + ", ".join(cells))
    say("")
    say(
        f"hits in % of requests / of octets; {options.requests} requests, {options.objects} objects"
    )
    say(grid(rows))
    return 0
