# -*- test-case-name: tests.ops.test_keeper -*-
"""Tests of L{intermediary.ops.keeper}, with real threads."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from intermediary.interfaces import IKeeper
from intermediary.ops import keeper as keeperModule
from intermediary.ops.endpoints import makeCache
from intermediary.ops.keeper import (
    FIRST_SWEEP_SECONDS,
    STOP_SECONDS,
    SWEEP_SECONDS,
    DiskKeeper,
    whyUnusable,
)
from intermediary.policy.answers import Record
from intermediary.policy.stores import MemoryStore
from intermediary.policy.tiers import Tiers
from intermediary.settings import CacheSettings, DiskSettings
from intermediary.wire.freshness import Freshness
from tests.policy.stored import entryOf


class KeepingTests(TestCase):
    """A cache with a disk, for an application."""

    timeout = 10

    def test_startedStoppedAndStartedAgain(self) -> Any:
        """What was stored before it stopped is there afterwards."""
        return ensureDeferred(self.startedStoppedAndStartedAgain())

    async def startedStoppedAndStartedAgain(self) -> None:
        """As above."""
        folder = self.mktemp()
        settings = CacheSettings(disk=DiskSettings(path=folder, sizeOctets=1 << 20))
        cache = makeCache(reactor, settings)
        self.assertTrue(verifyObject(IKeeper, cache.keeper))
        cache.start()
        entry = entryOf(b"a", b"content", expires=2e9)
        entry.verdict = Record(Freshness(0, 0, 0, 2e9, 2e9, 2e9, False), None, 0.0)
        assert cache.tiers is not None
        # Who asks before it is open waits for that.
        self.assertIsNone(await cache.tiers.behind.find(b"a"))
        self.assertTrue(cache.store.add(entry))
        # It is the same for as long as it is being written.
        (found,) = (await cache.tiers.behind.find(b"a")).entries
        await self.isThere(found)
        await cache.stop()
        self.assertIsNone(await cache.tiers.behind.find(b"a"))
        cache.start()
        (again,) = (await cache.tiers.behind.find(b"a")).entries
        self.assertIsNot(again, entry)
        await self.isThere(again)
        await cache.stop()

    async def isThere(self, entry: Any) -> None:
        """It has its content, in memory or on the disk."""
        if entry.body.start:
            await entry.body.file.load(entry.body)
        self.assertEqual(entry.body.whole, b"content")


class SettingsTests(SynchronousTestCase):
    """What comes of settings."""

    def test_withoutADisk(self) -> None:
        """There is nothing to start or to stop."""
        cache = makeCache(Clock())
        cache.start()
        self.successResultOf(cache.stop())
        self.assertIsNone(cache.tiers)
        self.assertIsInstance(cache.store, MemoryStore)

    def test_howMuchOfOneResponseIsInMemory(self) -> None:
        """An eighth of it, but no more than there is."""
        disk = DiskSettings(path=self.mktemp(), sizeOctets=1 << 30)
        for memory, largest, said, limit in (
            (800, 1000, None, 100),
            (8000, 900, None, 900),
            (800, 1000, 50, 50),
            (800, 1000, 2000, 1000),
        ):
            settings = CacheSettings(
                memoryOctets=memory,
                maxObjectOctets=largest,
                disk=disk,
                maxMemoryObjectOctets=said,
            )
            cache = makeCache(Clock(), settings)
            assert isinstance(cache.store, Tiers)
            self.assertEqual(cache.store.memory.maxObjectOctets, limit)
            self.assertEqual(cache.store.maxObjectOctets, largest)
            self.assertEqual(cache.maxObjectOctets, largest)

    def test_moreThanTheDiskHasRoomFor(self) -> None:
        """Is not stored, unless memory has."""
        for size, memory, largest in ((1000, 800, 1000), (1000, 80_000, 5000), (9000, 800, 5000)):
            settings = CacheSettings(
                memoryOctets=memory,
                maxObjectOctets=5000,
                disk=DiskSettings(path=self.mktemp(), sizeOctets=size),
            )
            cache = makeCache(Clock(), settings)
            assert isinstance(cache.store, Tiers)
            behind: Any = cache.store.behind
            self.assertEqual(behind.maxObjectOctets, min(size, largest))
            self.assertEqual(cache.store.maxObjectOctets, largest)
            self.assertEqual(cache.maxObjectOctets, largest)


class Threads:
    """A pool that never does anything, and says how it ended."""

    stopped = False

    def __init__(self, *arguments: Any) -> None:
        """Take what C{ThreadPool} takes."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End."""
        self.stopped = True

    def callInThreadWithCallback(self, *arguments: Any) -> None:
        """Hang."""


class TimeTests(SynchronousTestCase):
    """What it does by itself, and what it does not wait for."""

    def setUp(self) -> None:
        self.patch(keeperModule, "_Threads", Threads)
        self.clock = Clock()
        settings = DiskSettings(path=self.mktemp(), sizeOctets=1 << 30)
        self.keeper = DiskKeeper(self.clock, settings, 1000)
        self.keeper.start()
        self.swept = 0

    def sweep(self) -> Deferred[int]:
        """Count."""
        self.swept += 1
        done: Deferred[int] = Deferred()
        done.callback(self.swept)
        return done

    def test_itSweepsDaily(self) -> None:
        """First some time after the start, and no more when it has stopped."""
        self.patch(self.keeper.store, "sweep", self.sweep)
        self.clock.advance(FIRST_SWEEP_SECONDS - 1)
        self.assertEqual(self.swept, 0)
        self.clock.advance(FIRST_SWEEP_SECONDS + 1)
        self.assertEqual(self.swept, 1)
        self.clock.advance(SWEEP_SECONDS)
        self.assertEqual(self.swept, 2)
        self.keeper.stop()
        self.clock.advance(STOP_SECONDS)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_itHearsOfOthers(self) -> None:
        """From the start to the stop, and again."""
        disk = DiskSettings(path=self.mktemp(), sizeOctets=1 << 30)
        clock = Clock()
        cache = makeCache(clock, CacheSettings(disk=disk))
        for _ in range(2):
            cache.start()
            calls: Any = clock.getDelayedCalls()
            asked = [str(call.func) for call in calls]
            self.assertEqual(len([each for each in asked if "Hearing._ask" in each]), 1, asked)
            cache.stop()
            clock.advance(STOP_SECONDS)
            clock.advance(STOP_SECONDS)
            self.assertEqual(clock.getDelayedCalls(), [])

    def test_aDiskThatHangsIsNotWaitedFor(self) -> None:
        """The process ends, and leaves its threads."""
        stopped = self.keeper.stop()
        self.assertNoResult(stopped)
        self.clock.advance(STOP_SECONDS)
        self.successResultOf(stopped)
        self.assertFalse(self.keeper.store.calls.pool.stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class UnusableTests(SynchronousTestCase):
    """What is wrong with a folder; nothing is made."""

    def test_whatIsFit(self) -> None:
        """A folder, or one that can be made."""
        folder = self.mktemp()
        self.assertIsNone(whyUnusable(os.path.join(folder, "a", "b")))
        self.assertFalse(os.path.exists(folder))
        os.makedirs(folder)
        self.assertIsNone(whyUnusable(folder))

    def test_whatEverybodyMayWrite(self) -> None:
        """Who writes there decides what clients get: F</tmp> itself is none to name."""
        folder = self.mktemp()
        os.makedirs(folder)
        os.chmod(folder, 0o1777)
        message, remedy = whyUnusable(folder) or ("", "")
        self.assertIn("everybody may write", message)
        self.assertIn("chmod 700", remedy)
        # What is made in it is this user's alone.
        self.assertIsNone(whyUnusable(os.path.join(folder, "a")))

    def test_whatIsNoFolder(self) -> None:
        """It, or what it would be in."""
        path = self.mktemp()
        with open(path, "wb"):
            pass
        self.assertEqual((whyUnusable(path) or ("",))[0], "is not a folder")
        self.assertIn("is not a folder", (whyUnusable(os.path.join(path, "b")) or ("",))[0])

    def test_whatMayNotBeWritten(self) -> None:
        """By this user."""
        folder = self.mktemp()
        os.makedirs(folder)
        # The tests may be run by root, whom nothing is forbidden.
        self.patch(os, "access", lambda path, mode: False)
        for path in (folder, os.path.join(folder, "a")):
            message, remedy = whyUnusable(path) or ("", "")
            self.assertIn("may not write", message)
            self.assertIn("user that runs the proxy", remedy)
