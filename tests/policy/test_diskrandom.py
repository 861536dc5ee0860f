# -*- test-case-name: tests.policy.test_diskrandom -*-
"""
A disk that fails, hangs and comes back whenever it likes: what was to go from it is
never found afterwards.
"""

from __future__ import annotations

import os
from random import Random
from typing import TYPE_CHECKING, Any

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy import diskcalls
from intermediary.policy.body import Body
from intermediary.policy.diskstore import DiskStore
from intermediary.policy.purging import Purge
from intermediary.wire.fields import Fields

from .stored import entryOf
from .test_diskstore import Reactor, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred

    from intermediary.policy.entries import Entry, Shelf

RUNS = 40
EVENTS = 150
KEYS = 4
#: Threads that overtake each other.
THREADS = 4
#: Of these, so that there are enough of all events.
CALLS, OWED = 12, 6


class Threads:
    """A pool whose threads end their calls in any order, and in errors."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.waiting: list[Callable[[bool], None]] = []

    def callInThreadWithCallback(
        self, done: Any, function: Callable[..., Any], *arguments: Any, **keywords: Any
    ) -> None:
        """See C{ThreadPool}."""

        def work(fails: bool) -> None:
            try:
                if fails:
                    raise OSError("trouble")
                result = function(*arguments, **keywords)
            except OSError:
                done(False, Failure())
            else:
                done(True, result)

        self.waiting.append(work)

    def step(self, probability: float = 0.0) -> None:
        """One of the threads is done."""
        number = self.random.randrange(min(THREADS, len(self.waiting)))
        self.waiting.pop(number)(self.random.random() < probability)

    def works(self) -> None:
        """All is done, and well."""
        while self.waiting:
            self.step()


class RandomTests(SynchronousTestCase):
    """Entries that come and go; each tells by its tag which one it is."""

    def setUp(self) -> None:
        self.patch(diskcalls, "CALLS", CALLS)
        self.patch(diskcalls, "OWED", OWED)
        # No power fails here.
        self.patch(os, "fdatasync", lambda descriptor: None)

    def begin(self, seed: int) -> None:
        """Begin with nothing."""
        self.random = Random(seed)
        self.reactor = Reactor()
        self.reactor.advance(1_000_000)
        self.pool = Threads(self.random)
        self.folder = self.mktemp()
        self.store = self.opens()
        self.number = 0
        #: By key: what came first that may still be found.
        self.first = dict.fromkeys(map(self.key, range(KEYS)), 0)
        self.growing: list[Body] = []
        self.found = 0
        self.left = 0

    def opens(self) -> DiskStore:
        """A process begins."""
        store = DiskStore(self.reactor, self.pool, self.folder, 1 << 20, 1 << 20, encode, decode)
        store.begin()
        return store

    @staticmethod
    def key(number: int) -> bytes:
        """Make one of the keys."""
        return b"GET http://%d.example/" % number

    def adds(self, key: bytes) -> None:
        """Something is stored, sooner or later."""
        self.number += 1
        body = Body()
        body.append(b"content")
        tag = Fields.fromPairs([(b"ETag", b"%d" % self.number)])
        self.store.add(entryOf(key, body, fields=tag))
        self.growing.append(body)

    def ends(self) -> None:
        """Some content is complete."""
        if self.growing:
            self.growing.pop(self.random.randrange(len(self.growing))).end()

    def goes(self, key: bytes) -> None:
        """What is there is to go; when that is answered, it has."""
        host = key.partition(b"//")[2].rstrip(b"/")
        ways: tuple[Callable[[], Deferred[Any]], ...] = (
            lambda: self.store.forget(key),
            lambda: self.store.purge(Purge.ofHost(host)),
            lambda: self.store.removeAll([(key, b"")]),
        )
        before = self.number
        self.random.choice(ways)().addCallback(self.gone, key, before)

    def gone(self, _: object, key: bytes, before: int) -> None:
        """It was answered."""
        self.first[key] = max(self.first[key], before + 1)

    def finds(self, key: bytes) -> None:
        """It is looked for."""
        self.store.find(key).addCallback(self.check, self.first[key])

    def check(self, shelf: Shelf | None, first: int) -> None:
        """Nothing is found that had gone when it was asked."""
        entries: tuple[Entry, ...] = () if shelf is None else shelf.entries
        for entry in entries:
            self.found += 1
            number = int(entry.fields.get(b"etag") or b"0")
            self.assertGreaterEqual(number, first)

    def restarts(self) -> None:
        """The process ends as it should, with a disk that works, and another one begins."""
        while self.growing:
            self.ends()
        self.store.end()
        self.pool.works()
        closed = self.store.close()
        self.pool.works()
        self.successResultOf(closed)
        self.store = self.opens()

    def happens(self) -> None:
        """One thing or another."""
        random = self.random
        key = self.key(random.randrange(KEYS))
        event = random.randrange(100)
        if event < 12:
            self.adds(key)
        elif event < 28:
            self.ends()
        elif event < 40:
            self.goes(key)
        elif event < 60:
            self.finds(key)
        elif event < 61:
            self.restarts()
        elif event < 63 or not self.store.inUse:
            self.reactor.advance(random.choice((1, diskcalls.RETRY_SECONDS)))
        if self.pool.waiting and event >= 50:
            used = self.store.inUse
            self.pool.step(0.05)
            self.left += used and not self.store.inUse

    def test_whatHasGoneIsNotFound(self) -> None:
        """Neither at any moment, nor when all is well again, nor by the next process."""
        found = left = 0
        for seed in range(RUNS):
            self.begin(seed)
            for _ in range(EVENTS):
                self.happens()
            self.pool.works()
            for _ in range(2):
                self.reactor.advance(diskcalls.RETRY_SECONDS)
                for key in self.first:
                    self.finds(key)
                self.pool.works()
            self.assertTrue(self.store.inUse)
            self.restarts()
            for key in self.first:
                self.finds(key)
            self.pool.works()
            self.store.close()
            self.pool.works()
            found += self.found
            left += self.left
        self.assertGreater(found, RUNS * 5)
        self.assertGreater(left, RUNS)
