# -*- test-case-name: tests.policy.test_leftovers -*-
"""
What left the store while it was read.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.body import PIECE_OCTETS, Body
from intermediary.policy.leftovers import Leftovers
from intermediary.policy.stores import MemoryStore
from intermediary.settings import CacheSettings, RouteCacheSettings, RouteSettings

from ..scenario import Scenario, Side
from .stored import entryOf
from .test_cache import WEB, CacheTestCase

#: How many pieces a body of these tests has.
PIECES = 20
OCTETS = PIECES * PIECE_OCTETS


class Slow:
    """A reader that got so far."""

    def __init__(self, body: Body, position: int = 0) -> None:
        self.body = body
        self.position = position
        self.isCutOff = False
        body.enter(self)

    def cutOff(self) -> None:
        """See L{Reader<intermediary.policy.body.Reader>}."""
        self.isCutOff = True
        self.leaves()

    def leaves(self) -> None:
        """It has all of it, or its client is gone."""
        self.body.leave(self)
        self.body.passed()


def complete() -> Body:
    """A complete body of many pieces."""
    body = Body()
    for _ in range(PIECES):
        body.take(b"x" * PIECE_OCTETS)
    body.end()
    assert len(body.pieces) == PIECES
    return body


class LeftoversTests(SynchronousTestCase):
    """They have a limit."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.leftovers = Leftovers(self.clock, 2 * OCTETS)

    def leaves(self, *positions: int) -> list[Slow]:
        """A body leaves its store that is read by so many."""
        body = complete()
        readers = [Slow(body, position) for position in positions]
        self.leftovers.take(body)
        return readers

    def test_theyAreCountedUntilNobodyReads(self) -> None:
        """Each body once, whoever reads it."""
        first, second = self.leaves(0, 5)
        self.leaves(OCTETS)
        self.assertEqual(repr(self.leftovers), f"<Leftovers bodies=2 octets={2 * OCTETS} cut=0>")
        first.leaves()
        self.assertEqual(len(self.leftovers), 2)
        second.leaves()
        self.assertEqual((len(self.leftovers), self.leftovers.octets), (1, OCTETS))
        self.assertIsNone(second.body.source)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_whatAllHaveHadIsLetGo(self) -> None:
        """Once there is too much, and in a turn of its own."""
        [fast] = self.leaves(OCTETS - PIECE_OCTETS)
        half, ahead = self.leaves(OCTETS // 2, OCTETS)
        self.clock.advance(0)
        self.assertEqual(fast.body.start, 0)
        [slow] = self.leaves(0)
        self.assertEqual(fast.body.start, 0)
        self.clock.advance(0)
        self.assertEqual(fast.body.start, OCTETS - PIECE_OCTETS)
        self.assertEqual(half.body.start, OCTETS // 2)
        self.assertEqual(slow.body.start, 0)
        self.assertEqual(self.leftovers.octets, PIECE_OCTETS + OCTETS // 2 + OCTETS)
        self.assertFalse(any(each.isCutOff for each in (fast, half, ahead, slow)))
        for each in (fast, half, ahead, slow):
            each.leaves()
        self.assertEqual(repr(self.leftovers), "<Leftovers bodies=0 octets=0 cut=0>")

    def test_theSlowestAreCutOff(self) -> None:
        """If that is not enough; where it frees most, and no more than it takes."""
        slow, fast = self.leaves(0, OCTETS - PIECE_OCTETS)
        others = [*self.leaves(0), *self.leaves(0)]
        self.clock.advance(0)
        self.assertTrue(slow.isCutOff)
        self.assertTrue(others[0].isCutOff)
        self.assertFalse(fast.isCutOff)
        self.assertFalse(others[1].isCutOff)
        self.assertEqual(
            repr(self.leftovers), f"<Leftovers bodies=2 octets={OCTETS + PIECE_OCTETS} cut=2>"
        )
        fast.leaves()
        others[1].leaves()
        self.assertEqual(self.leftovers.octets, 0)

    def test_whoLeavesInTimeSavesTheOthers(self) -> None:
        """The turn is not used then."""
        readers = [self.leaves(0)[0] for _ in range(3)]
        readers[1].leaves()
        self.clock.advance(0)
        self.assertEqual(self.leftovers.cut, 0)
        self.assertEqual(readers[0].body.start, 0)

    def test_whatIsStoredAgainIsNoneOfThem(self) -> None:
        """Nor is what never was."""
        [reader] = self.leaves(0)
        self.leftovers.drop(reader.body)
        self.leftovers.drop(reader.body)
        self.assertEqual(len(self.leftovers), 0)
        reader.leaves()


class StoreTests(SynchronousTestCase):
    """A store knows what it has let go."""

    def setUp(self) -> None:
        self.store = MemoryStore(Clock(), 10 * OCTETS, 2 * OCTETS)

    def test_whateverTakesIt(self) -> None:
        """A removal, or what replaced it."""
        first, second = entryOf(b"a", complete()), entryOf(b"a", complete())
        readers = [Slow(each.body) for each in (first, second)]
        self.store.add(first)
        self.assertEqual(self.store.leftovers.octets, 0)
        self.store.add(second)
        self.assertEqual(self.store.leftovers.octets, OCTETS)
        self.store.remove(second)
        self.assertEqual(self.store.leftovers.octets, 2 * OCTETS)
        for reader in readers:
            reader.leaves()
        self.assertEqual(self.store.leftovers.octets, 0)

    def test_notWhatNobodyReads(self) -> None:
        """It is free."""
        entry = entryOf(b"a", complete())
        self.store.add(entry)
        self.store.remove(entry)
        self.assertEqual(len(self.store.leftovers), 0)

    def test_notWhatAnotherEntryHas(self) -> None:
        """As after a validation, or for another variant."""
        body = complete()
        reader = Slow(body)
        first = entryOf(b"a", body, variant=b"1")
        second, third = entryOf(b"a", body, variant=b"2"), entryOf(b"a", body, variant=b"2")
        for entry in (first, second, third):
            self.store.add(entry)
        self.store.remove(first)
        self.assertEqual(len(self.store.leftovers), 0)
        self.store.remove(third)
        self.assertEqual(len(self.store.leftovers), 1)
        self.store.add(entryOf(b"a", body))
        self.assertEqual(len(self.store.leftovers), 0)
        reader.leaves()


class SlowClientTests(CacheTestCase):
    """Clients that read slowly what many ask for, in transcripts."""

    def setUp(self) -> None:
        self.scenario = Scenario(self).caching(
            CacheSettings(memoryOctets=2_500_000, maxObjectOctets=1_000_000)
        )
        self.scenario.reverse(routes=(RouteSettings(upstream=WEB, cache=RouteCacheSettings()),))
        self.client = self.scenario.client()
        self.origin: Side | None = None

    def begins(self, number: int) -> Side:
        """Something long is stored, and then read by a client that stops."""
        target = b"/%d" % number
        content = b"%d" % number * 1_000_000
        self.asks(target=target)
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(
            b"HTTP/1.1 200 OK",
            b"Date: " + self.now(),
            b"Cache-Control: max-age=60",
            b"Content-Length: 1000000",
            b"",
            b"",
        )
        for start in range(0, len(content), 50_000):
            self.origin.sends(content[start : start + 50_000])
        self.gets(body=content)
        slow = self.scenario.client()
        slow.stalls()
        slow.sends(b"GET " + target + b" HTTP/1.1", b"Host: a", b"", b"")
        return slow

    def test_memoryIsBounded(self) -> None:
        """By as much again as the store has; all but those that are cut off get all of it."""
        slow = [self.begins(number) for number in range(8)]
        store = self.scenario.cache.store
        self.assertGreater(store.evicted, 0)
        self.assertGreater(store.leftovers.cut, 0)
        self.assertLessEqual(store.leftovers.octets, 2_500_000)
        for number, client in enumerate(slow):
            client.reads()
            body = client.takes().partition(b"\r\n\r\n")[2]
            if client.transport.connected:
                self.assertEqual(body, b"%d" % number * 1_000_000)
            else:
                self.assertLess(len(body), 1_000_000)
        cut = [client for client in slow if not client.transport.connected]
        self.assertEqual(len(cut), store.leftovers.cut)
        self.assertEqual(len(store.leftovers), 0)
