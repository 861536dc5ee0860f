# -*- test-case-name: tests.ops.test_garbage -*-
"""Tests of L{intermediary.ops.garbage}."""

from __future__ import annotations

import gc
from collections import deque
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from intermediary.ops import garbage as garbageModule
from intermediary.ops.endpoints import makeCache
from intermediary.ops.garbage import BLOCKS, STEP, STEPS, Garbage
from intermediary.settings import CacheSettings, DiskSettings


class FakeCollector:
    """Python's, without doing anything; and its count of blocks."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.blocks = 1_000_000

    def collect(self) -> None:
        """Note it."""
        self.calls.append("collect")

    def freeze(self) -> None:
        """Note it."""
        self.calls.append("freeze")

    def unfreeze(self) -> None:
        """Note it."""
        self.calls.append("unfreeze")

    def getallocatedblocks(self) -> int:
        """Tell what there is."""
        return self.blocks


class GarbageCase(SynchronousTestCase):
    """A cache, and who sees to its collections."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.cache: Any = makeCache(self.clock)
        self.garbage = Garbage(self.clock, self.cache)


class StepTests(GarbageCase):
    """When what is done."""

    def setUp(self) -> None:
        super().setUp()
        self.collector = FakeCollector()
        self.patch(garbageModule, "gc", self.collector)
        self.patch(garbageModule, "sys", self.collector)

    def told(self) -> list[str]:
        """What was done since the last call."""
        calls, self.collector.calls = self.collector.calls, []
        return calls

    def test_nothingBeforeTheStart(self) -> None:
        """Whoever imports it or makes one keeps Python's own way."""
        self.assertEqual(self.told(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(repr(self.garbage), "<Garbage off steps=0 full=0>")
        self.garbage.stop()
        self.assertEqual(self.told(), [])

    def test_whatItTookToStartIsSetAside(self) -> None:
        """Once, as it is no garbage; what is garbage already goes before."""
        self.garbage.start()
        self.garbage.start()
        self.assertEqual(self.told(), ["collect", "freeze"])
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.assertEqual(repr(self.garbage), "<Garbage on steps=0 full=1>")

    def test_entriesAreSetAsideAsTheyCome(self) -> None:
        """Those that were validated are new ones, too."""
        self.garbage.start()
        self.told()
        self.cache.stored += STEP - 1
        self.clock.pump([1] * 10)
        self.assertEqual(self.told(), [])
        self.cache.validated += 1
        self.clock.advance(1)
        self.assertEqual(self.told(), ["collect", "freeze"])
        self.clock.pump([1] * 10)
        self.assertEqual(self.told(), [])
        self.assertEqual(self.garbage.steps, 1)

    def test_afterManyOfThemEverythingIsLookedAt(self) -> None:
        """Though there is no sign of garbage."""
        self.garbage.start()
        for _ in range(STEPS):
            self.cache.stored += STEP
            self.clock.advance(1)
        self.assertNotIn("unfreeze", self.told())
        self.cache.stored += STEP
        self.clock.advance(1)
        self.assertEqual(self.told(), ["unfreeze", "collect", "freeze"])
        self.assertEqual((self.garbage.steps, self.garbage.full), (0, 2))

    def test_whatNothingExplainsIsLookedFor(self) -> None:
        """More in memory than there was and what is stored since."""
        self.garbage.start()
        self.told()
        self.cache.stored += STEP
        self.collector.blocks = 1_250_000
        self.clock.advance(1)
        self.assertEqual(self.told(), ["collect", "freeze"])
        self.cache.stored += STEP
        self.collector.blocks += 1
        self.clock.advance(1)
        self.assertEqual(self.told(), ["unfreeze", "collect", "freeze"])
        # That is the measure from now on.
        self.cache.stored += STEP
        self.clock.advance(1)
        self.assertEqual(self.told(), ["collect", "freeze"])

    def test_whatIsStoredExplainsALot(self) -> None:
        """A dozen blocks for each entry."""
        self.garbage.start()
        self.told()
        self.cache.store.count = 1_000_000
        self.cache.stored += STEP
        self.collector.blocks += BLOCKS * 1_000_000
        self.clock.advance(1)
        self.assertEqual(self.told(), ["collect", "freeze"])

    def test_whatComesFromADisk(self) -> None:
        """Is set aside as what is stored is, and explains as much."""
        settings = CacheSettings(disk=DiskSettings(path=self.mktemp(), sizeOctets=1 << 30))
        cache: Any = makeCache(self.clock, settings)
        self.garbage = Garbage(self.clock, cache)
        self.garbage.start()
        self.told()
        cache.tiers.looks.found += STEP
        cache.tiers.memory.count = 1_000_000
        self.collector.blocks += BLOCKS * 1_000_000
        self.clock.advance(1)
        self.assertEqual(self.told(), ["collect", "freeze"])

    def test_aStoreThatCantCount(self) -> None:
        """Then memory that grows by a quarter is looked at, as Python would."""
        self.cache.store = object()
        self.garbage.start()
        self.told()
        self.cache.stored += STEP
        self.collector.blocks += 300_000
        self.clock.advance(1)
        self.assertEqual(self.told(), ["unfreeze", "collect", "freeze"])

    def test_theEnd(self) -> None:
        """Collections have everything again, and no timer is left."""
        self.garbage.start()
        self.told()
        self.garbage.stop()
        self.garbage.stop()
        self.assertEqual(self.told(), ["unfreeze"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_whereThereIsNoSuchThing(self) -> None:
        """Other Pythons have collectors of their own."""
        self.patch(garbageModule, "gc", object())
        self.garbage.start()
        self.garbage.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Loop:
    """Garbage that only a collection finds, with some memory."""

    alive = 0

    def __init__(self) -> None:
        Loop.alive += 1
        self.memory = [object() for _ in range(500)]
        self.failure: Any = None
        self.deferred: Any = None

    def __del__(self) -> None:
        Loop.alive -= 1


def failed() -> Loop:
    """What a failed exchange leaves: its exception has the frame that has the exchange."""
    loop = Loop()
    try:
        raise ValueError(loop)
    except ValueError as error:
        loop.failure = error
    return loop


def waiting() -> Loop:
    """A Deferred that knows who waits for it, and a Failure with a traceback."""
    loop = Loop()
    deferred: Deferred[None] = Deferred()
    deferred.addBoth(lambda _: loop)
    loop.deferred = deferred
    try:
        raise KeyError(loop)
    except KeyError:
        loop.failure = Failure()
    return loop


class HourTests(GarbageCase):
    """What becomes of real garbage."""

    def test_anHourLeavesNoGarbage(self) -> None:
        """
        Neither what dies young nor what was set aside alive and dies later.

        Each second three thousand entries come, and exchanges that leave cycles: some
        at once, and some that took half a minute.
        """
        gc.collect()
        self.assertEqual(Loop.alive, 0)
        self.addCleanup(self.garbage.stop)
        self.garbage.start()
        slow: deque[Loop] = deque()
        made = most = 0
        for _ in range(3600):
            self.cache.stored += 3000
            for make in (failed, waiting):
                slow.append(make())
                for _ in range(2):
                    make()
                made += 3
            while len(slow) > 60:
                slow.popleft()
            self.clock.advance(1)
            most = max(most, Loop.alive)
        self.assertEqual(made, 21600)
        # All of those that were slow would be 7200.
        self.assertLess(most, 5000)
        self.assertGreater(self.garbage.full, 1)
        self.assertLess(self.garbage.full, 100)
        self.garbage.stop()
        slow.clear()
        gc.collect()
        self.assertEqual(Loop.alive, 0)

    def test_theYoungAreStillCollectedBetweenTheSteps(self) -> None:
        """By Python itself, as always."""
        self.assertTrue(gc.isenabled())
        thresholds = gc.get_threshold()
        self.addCleanup(self.garbage.stop)
        self.garbage.start()
        self.assertEqual(gc.get_threshold(), thresholds)
        for _ in range(10_000):
            failed()
        self.assertLess(Loop.alive, 10_000)
        self.garbage.stop()
        gc.collect()
        self.assertEqual(Loop.alive, 0)
