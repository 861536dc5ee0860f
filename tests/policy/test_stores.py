# -*- test-case-name: tests.policy.test_stores -*-
"""
The store in memory.
"""

from __future__ import annotations

import gc
import tracemalloc

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.body import Body
from intermediary.policy.entries import Entry
from intermediary.policy.purging import UNTIMED, Purge
from intermediary.policy.stores import VARIANTS, MemoryStore
from intermediary.wire.fields import Fields

from .stored import Busy, Turns, entryOf

A, B = b"GET http://a.example/", b"GET http://b.example/"


class StoreTests(SynchronousTestCase):
    """L{MemoryStore}."""

    limitOctets = 100_000
    maxObjectOctets = 50_000

    def setUp(self) -> None:
        self.clock = Turns()
        self.store = MemoryStore(self.clock, self.limitOctets, self.maxObjectOctets)

    def add(self, *entries: Entry) -> None:
        """Store some entries that fit."""
        for entry in entries:
            self.assertTrue(self.store.add(entry))

    def entries(self, key: bytes) -> tuple[Entry, ...]:
        """What is found under a key."""
        shelf = self.store.find(key)
        return () if shelf is None else shelf.entries


class AddingTests(StoreTests):
    """What comes in."""

    def test_whatWasAddedIsFound(self) -> None:
        """With its size and its number."""
        entry = entryOf(A, b"content")
        self.assertIsNone(self.store.find(A))
        self.add(entry)
        self.assertEqual(self.entries(A), (entry,))
        self.assertEqual((self.store.size, self.store.count), (entry.size, 1))
        self.assertEqual(entry.serial, 1)

    def test_aShelfThatWasAskedForGetsIt(self) -> None:
        """It is the same object that whoever fetched it has marked."""
        shelf = self.store.shelf(A)
        shelf.fetch = self
        self.add(entryOf(A))
        self.assertIs(self.store.find(A), shelf)

    def test_theSameVariantIsReplaced(self) -> None:
        """The others are not, and the newest is the first."""
        old, other = entryOf(A, b"old"), entryOf(A, variant=b"br")
        new = entryOf(A, b"newer", tags=(b"t",))
        self.add(old, other, new)
        self.assertEqual(self.entries(A), (new, other))
        self.assertEqual(self.store.size, new.size + other.size)
        self.assertEqual((self.store.count, self.store.replaced), (2, 1))
        self.assertEqual(old.body.whole, b"old", "who reads it goes on")
        self.store.remove(old)
        self.assertEqual(self.store.count, 2)

    def test_sizeIsTakenAnew(self) -> None:
        """The body may have grown since the entry was made."""
        body = Body()
        entry = entryOf(A, body)
        body.append(b"abc")
        self.add(entry)
        self.assertEqual(self.store.size, entry.ownOctets() + 3)

    def test_whatIsTooBigIsRefused(self) -> None:
        """What it would have replaced is out of date, too."""
        self.add(entryOf(A, b"x" * 50_000))
        self.assertFalse(self.store.add(entryOf(A, b"x" * 50_001)))
        self.assertIsNone(self.store.find(A))
        self.assertFalse(self.store.add(entryOf(B, tags=(b"x" * 100_000,))))
        self.assertEqual((self.store.count, self.store.size, self.store.refused), (0, 0, 2))
        self.assertIsNone(self.store.find(B))

    def test_variantsOfOneKeyAreLimited(self) -> None:
        """A key with a variant for each client would be searched for ever longer."""
        store = self.store = MemoryStore(self.clock, 1 << 24, 1 << 20)
        for number in range(VARIANTS + 5):
            self.add(entryOf(A, variant=b"%d" % number))
        self.assertEqual(store.count, VARIANTS)
        self.assertEqual(self.entries(A)[-1].variant, b"5")
        self.assertEqual(store.evicted, 5)

    def test_hitsAreCounted(self) -> None:
        """All of them; the eviction's counter stops early."""
        entry = entryOf(A)
        self.add(entry)
        for _ in range(10):
            self.store.used(entry)
        self.assertEqual((entry.uses, entry.heat), (10, 3))

    def test_repr(self) -> None:
        """What it holds, of how much."""
        self.add(entryOf(A, b"content", tags=(b"t",)))
        self.store.shelf(B).misses = 1
        self.assertEqual(
            repr(self.store),
            f"<MemoryStore entries=1 octets={self.store.size}/100000 blank=1 tags=1 evicted=0"
            " left=0>",
        )


class LimitTests(StoreTests):
    """What has to leave."""

    def test_theLimitHolds(self) -> None:
        """Those that nobody uses leave, the oldest first."""
        for number in range(100):
            self.add(entryOf(b"%d" % number, b"x" * 4000))
            self.assertLessEqual(self.store.size, self.limitOctets)
        self.assertEqual(self.store.count + self.store.evicted, 100)
        self.assertGreater(self.store.count, 15)
        self.assertIsNone(self.store.find(b"0"))
        self.assertIsNotNone(self.store.find(b"99"))

    def test_whatIsUsedSurvivesAScan(self) -> None:
        """However long it is."""
        for number in range(10):
            entry = entryOf(b"hot%d" % number, b"x" * 4000)
            self.add(entry)
            self.store.used(entry)
            self.store.used(entry)
        for number in range(1000):
            self.add(entryOf(b"%d" % number, b"x" * 4000))
        self.assertTrue(all(self.entries(b"hot%d" % number) for number in range(10)))

    def test_whatIsAddedStays(self) -> None:
        """However big it is, if it fits at all."""
        for number in range(20):
            self.add(entryOf(b"%d" % number, b"x" * 4000))
        self.store = MemoryStore(self.clock, 100_000, 100_000)
        big = entryOf(A, b"x" * 95_000)
        self.add(entryOf(B, b"x" * 4000), big)
        self.assertEqual(self.entries(A), (big,))
        self.assertEqual(self.store.count, 1)

    def test_aGrowingEntryTakesRoomAsItGrows(self) -> None:
        """Others leave for it."""
        for number in range(19):
            self.add(entryOf(b"%d" % number, b"x" * 4000))
        body = Body()
        entry = entryOf(A, body)
        self.add(entry)
        for _ in range(10):
            body.append(b"x" * 5000)
            self.assertTrue(self.store.grew(entry, 5000))
            self.assertLessEqual(self.store.size, self.limitOctets)
        self.assertEqual(entry.size, entry.ownOctets() + 50_000)
        self.assertEqual(self.entries(A), (entry,))
        self.assertGreater(self.store.evicted, 5)

    def test_whatGrowsTooBigLeaves(self) -> None:
        """Who fills it is told; who reads it has its body still."""
        body = Body()
        entry = entryOf(A, body)
        self.add(entry)
        body.append(b"x" * 50_000)
        self.assertTrue(self.store.grew(entry, 50_000))
        body.append(b"x")
        self.assertFalse(self.store.grew(entry, 1))
        self.assertIsNone(self.store.find(A))
        self.assertEqual((self.store.size, self.store.refused), (0, 1))
        self.assertEqual(body.octets, 50_001)

    def test_whatHasLeftDoesNotGrow(self) -> None:
        """It counts no more, and who fills it is told."""
        entry = entryOf(A, Body())
        self.add(entry)
        self.store.remove(entry)
        self.assertFalse(self.store.grew(entry, 1000))
        self.assertEqual(self.store.size, 0)

    def test_oneThatIsBeingFilledMayLeave(self) -> None:
        """Nobody is safe but the one that room is made for."""
        entry = entryOf(A, Body())
        self.add(entry)
        for number in range(100):
            self.add(entryOf(b"%d" % number, b"x" * 4000))
        self.assertIsNone(self.store.find(A))
        self.assertFalse(self.store.grew(entry, 1))

    def test_removingIsForgetting(self) -> None:
        """Entry, shelf and tags; again is harmless."""
        entry = entryOf(A, b"x", tags=(b"t",))
        self.add(entry)
        self.store.remove(entry)
        self.store.remove(entry)
        self.assertIsNone(self.store.find(A))
        self.assertEqual(self.store.purge(Purge.ofTag(b"t")), 0)
        self.assertEqual((self.store.size, self.store.count), (0, 0))

    def test_marksSurviveTheLastEntry(self) -> None:
        """Until they are taken back."""
        entry = entryOf(A)
        self.add(entry)
        shelf = self.store.shelf(A)
        shelf.fetch = self
        self.store.remove(entry)
        self.assertIs(self.store.find(A), shelf)
        shelf.fetch = None
        self.store.tidy(shelf)
        self.assertIsNone(self.store.find(A))


class PurgeTests(StoreTests):
    """What is purged."""

    limitOctets = 1 << 26

    def counted(self, answer: Deferred[int] | int) -> int:
        """The count that a purge answers with, in one turn or many."""
        while isinstance(answer, Deferred) and not answer.called:
            self.clock.turn()
        return self.successResultOf(answer) if isinstance(answer, Deferred) else answer

    def test_byKey(self) -> None:
        """All variants, and that there was nothing to store."""
        self.add(entryOf(A), entryOf(A, variant=b"br"), entryOf(B))
        self.store.shelf(A).passUntil = 100.0
        self.assertEqual(self.store.purge(Purge.ofKey(A)), 2)
        self.assertIsNone(self.store.find(A))
        self.assertEqual(self.store.purge(Purge.ofKey(A)), 0)
        self.assertEqual((self.store.count, self.store.purged), (1, 2))

    def test_byPrefix(self) -> None:
        """Of the URL in the key."""
        self.add(*[entryOf(A + path) for path in (b"", b"x", b"x/1", b"y")], entryOf(B + b"x"))
        self.assertEqual(self.store.purge(Purge.ofPrefix(b"http://a.example/x")), 2)
        self.assertEqual(self.store.count, 3)

    def test_byHost(self) -> None:
        """All of it, and nothing of another."""
        self.add(entryOf(A), entryOf(A + b"x"), entryOf(B), entryOf(b"GET http://x.a.example/"))
        self.assertEqual(self.store.purge(Purge.ofHost(b"a.example")), 2)
        self.assertEqual(self.store.count, 2)

    def test_byTag(self) -> None:
        """Whatever the key is."""
        self.add(
            entryOf(A, tags=(b"one",)),
            entryOf(B, tags=(b"one", b"two")),
            entryOf(B + b"x", tags=(b"two",)),
        )
        self.assertEqual(self.store.purge(Purge.ofTag(b"one")), 2)
        self.assertEqual(self.store.purge(Purge.ofTag(b"two")), 1)
        self.assertEqual(self.store.purge(Purge.ofTag(b"three")), 0)
        self.assertEqual(self.store.count, 0)

    def test_bySeveralTags(self) -> None:
        """What has more than one of them counts once, also softly."""
        self.add(entryOf(A, tags=(b"one", b"two")), entryOf(B, tags=(b"two",)), entryOf(B + b"x"))
        for soft in (True, False):
            self.assertEqual(self.store.purge(Purge.ofTag(b"one", b"two", b"x"), soft), 2)
        self.assertEqual(self.store.count, 1)

    def test_whatGetsATagMeanwhile(self) -> None:
        """It was stored after the purge began, which looks at one tag after the other."""
        self.busy()
        for number in range(4 * UNTIMED):
            self.add(entryOf(b"%d" % number, tags=(b"one",)))
        answer = self.store.purge(Purge.ofTag(b"one", b"two"))
        self.assertIsInstance(answer, Deferred)
        self.add(entryOf(B, tags=(b"one", b"two")))
        self.assertEqual(self.counted(answer), 4 * UNTIMED)
        self.assertEqual(self.store.count, 1)

    def test_ofOnePartition(self) -> None:
        """The others keep the same."""
        for what in (Purge.ofPrefix(b""), Purge.ofHost(b"a.example"), Purge.ofTag(b"t")):
            for front in (b"one ", b"two ", b""):
                self.add(entryOf(front + A, tags=(b"t",)))
            self.assertEqual(self.store.purge(what.within(b"one")), 1)
            self.assertIsNone(self.store.find(b"one " + A))
            self.assertEqual(self.store.purge(what), 2)

    def test_ofSeveralPartitions(self) -> None:
        """The count is that of all of them."""
        for what in (Purge.ofPrefix(b""), Purge.ofHost(b"a.example"), Purge.ofTag(b"t")):
            for front in (b"one ", b"two ", b"three "):
                self.add(entryOf(front + A, tags=(b"t",)))
            self.assertEqual(self.store.purge(what.within(b"one", b"three")), 2)
            self.assertIsNotNone(self.store.find(b"two " + A))
            self.assertEqual(self.store.purge(what), 1)

    def test_softly(self) -> None:
        """They stay and have expired; what had expired before does not get younger."""
        fresh = entryOf(A, tags=(b"t",), expires=1000.0)
        stale = entryOf(A, variant=b"br", tags=(b"t",), expires=10.0)
        self.add(fresh, stale)
        self.clock.advance(50)
        for what in (
            Purge.ofKey(A),
            Purge.ofTag(b"t"),
            Purge.ofHost(b"a.example"),
            Purge.ofPrefix(b""),
        ):
            fresh.expires = 1000.0
            self.assertEqual(self.store.purge(what, soft=True), 2)
            self.assertEqual((fresh.expires, stale.expires), (50.0, 10.0))
        self.assertEqual(self.store.count, 2)

    def busy(self) -> None:
        """Have a store on a machine that gets through three times C{UNTIMED} steps at first."""
        self.clock = Busy()
        self.store = MemoryStore(self.clock, self.limitOctets, self.maxObjectOctets)

    def test_manyOfATagGoAtOnce(self) -> None:
        """The answer is a number if there was the time."""
        for number in range(10 * UNTIMED):
            self.add(entryOf(b"%d" % number, tags=(b"t",)))
        self.assertEqual(self.store.purge(Purge.ofTag(b"t")), 10 * UNTIMED)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_moreOfATagTakeTurns(self) -> None:
        """The reactor goes on meanwhile."""
        self.busy()
        for number in range(4 * UNTIMED + 1):
            self.add(entryOf(b"%d" % number, tags=(b"t",)))
        answer = self.store.purge(Purge.ofTag(b"t"))
        self.assertEqual(self.store.count, UNTIMED + 1)
        self.clock.turn()
        self.assertEqual(self.store.count, 1)
        self.assertEqual(self.counted(answer), 4 * UNTIMED + 1)

    def test_whatComesMeanwhileStays(self) -> None:
        """It was stored after the purge; what left for another reason is not counted."""
        self.busy()
        count = 6 * UNTIMED
        for number in range(count):
            self.add(entryOf(b"GET http://a.example/%d" % number))
        answer = self.store.purge(Purge.ofHost(b"a.example"))
        self.assertEqual(self.store.count, count // 2)
        late = b"GET http://a.example/%d" % (count - 1)
        self.add(entryOf(late, b"newer"), entryOf(A))
        self.store.remove(self.entries(b"GET http://a.example/%d" % (count - 2))[0])
        self.assertEqual(self.counted(answer), count - 2)
        self.assertEqual(self.store.count, 2)
        self.assertEqual(self.entries(late)[0].body.whole, b"newer")

    def test_aPurgeCanBeCancelled(self) -> None:
        """What it has not reached stays."""
        self.busy()
        for number in range(6 * UNTIMED):
            self.add(entryOf(b"%d" % number))
        answer = self.store.purge(Purge.ofPrefix(b""))
        assert isinstance(answer, Deferred)
        answer.cancel()
        self.failureResultOf(answer)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.store.count, 3 * UNTIMED)

    def test_whereTheURLStandsCanBeSaid(self) -> None:
        """For keys that are made in another way."""
        self.store = MemoryStore(self.clock, 1 << 20, 1 << 20, lambda key: key[::-1])
        self.add(entryOf(A[::-1]), entryOf(B))
        self.assertEqual(self.store.purge(Purge.ofPrefix(b"GET")), 1)


class OverheadTests(SynchronousTestCase):
    """What an entry costs beside its head and its content."""

    #: What the product promises.
    LIMIT_OCTETS = 1536

    def measured(self, count: int, limitOctets: int, tagged: bool) -> tuple[float, float]:
        """
        Fill a store with other octets in each entry.

        @return: octets for each entry, as they were allocated and as the store
            counts them; without what head and content must have.
        """
        clock = Clock()
        content = b"x" * 100
        gc.collect()
        tracemalloc.start(1)
        try:
            before = tracemalloc.get_traced_memory()[0]
            store = MemoryStore(clock, limitOctets, 1 << 20)
            payload = 0
            for number in range(count):
                fields = Fields.fromPairs([(b"ETag", b'"%09d"' % number)])
                body = Body()
                body.append(content[:-9] + b"%09d" % number)
                body.end()
                tag = b"product-%09d" % (number if tagged else number % 100)
                key = b"GET https://www.example.org/shop/product/%09d" % number
                entry = Entry(
                    key, 200, b"OK", fields, body, number * 1.0, number + 0.5, None, b"", (), (tag,)
                )
                payload = len(entry.head) + body.octets
                store.add(entry)
            del entry, body, fields, key, tag
            gc.collect()
            used = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        return used / store.count - payload, store.size / store.count - payload

    def test_anEntryTakesLittleMoreThanItsOctets(self) -> None:
        """
        At most 1.5 KiB, with a tag of its own or a common one, and not more than is counted.

        Key and tag are counted here, the verdict is not.  Also in a store that is
        full, and remembers as many that have left.
        """
        for count, limitOctets, tagged in (
            (100_000, 1 << 40, True),
            (20_000, 1 << 40, False),
            (40_000, 20_000_000, True),
        ):
            used, counted = self.measured(count, limitOctets, tagged)
            self.assertLess(used, self.LIMIT_OCTETS)
            self.assertLess(counted, self.LIMIT_OCTETS)
            self.assertLess(used, counted)
