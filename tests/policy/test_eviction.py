# -*- test-case-name: tests.policy.test_eviction -*-
"""
Who leaves a full store.
"""

from __future__ import annotations

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.entries import Entry
from intermediary.policy.eviction import LONGEST_WALK, S3FIFO, Ghosts, Queue, Queued

from .stored import entryOf


def keysOf(queue: Queue) -> list[bytes]:
    """List a queue, the newest first, by its links in both directions."""
    down: list[Queued] = []
    item = queue.newest
    while item is not None:
        assert item.queue is queue
        down.append(item)
        item = item.older
    up: list[Queued] = []
    item = queue.oldest
    while item is not None:
        up.append(item)
        item = item.newer
    assert up == down[::-1]
    assert queue.count == len(down)
    assert queue.octets == sum(each.size for each in down)
    return [each.key for each in down if isinstance(each, Entry)]


def item(key: bytes, size: int = 10) -> Entry:
    """Make an item of a size that is easy to add up."""
    entry = entryOf(key)
    entry.size = size
    return entry


class QueueTests(SynchronousTestCase):
    """L{Queue}."""

    @given(strategies.lists(strategies.integers(0, 5)))
    def test_anyItemCanLeave(self, picks: list[int]) -> None:
        """The others keep their order."""
        queue = Queue()
        model: list[Entry] = []
        for number, pick in enumerate(picks):
            if pick < len(model):
                gone = model.pop(pick)
                queue.take(gone)
                self.assertIsNone(gone.queue)
                self.assertIsNone(gone.newer)
                self.assertIsNone(gone.older)
            else:
                new = item(b"%d" % number, number)
                queue.push(new)
                model.insert(0, new)
            self.assertEqual(keysOf(queue), [each.key for each in model])

    def test_itemsMayGrow(self) -> None:
        """The octets of the queue with them."""
        queue = Queue()
        one = item(b"a", 10)
        queue.push(one)
        queue.push(item(b"b", 5))
        queue.resize(one, 25)
        self.assertEqual((one.size, queue.octets), (25, 30))
        self.assertEqual(repr(queue), "<Queue count=2 octets=30>")


class GhostTests(SynchronousTestCase):
    """L{Ghosts}."""

    def test_theOldestAreForgotten(self) -> None:
        """There are never more than the limit."""
        ghosts = Ghosts()
        for number in range(10):
            ghosts.add(number, 4)
        self.assertEqual(len(ghosts), 4)
        self.assertFalse(ghosts.take(5))
        self.assertTrue(ghosts.take(6))
        self.assertFalse(ghosts.take(6))
        self.assertEqual(len(ghosts), 3)


class S3FIFOTests(SynchronousTestCase):
    """L{S3FIFO}."""

    def setUp(self) -> None:
        self.eviction = S3FIFO(100)

    def add(self, *keys: bytes, heat: int = 0) -> list[Entry]:
        """Add some items."""
        items = [item(key) for key in keys]
        for each in items:
            self.eviction.add(each)
            each.heat = heat
        return items

    def evict(self, keeping: Entry | None = None) -> bytes | None:
        """Name the item that leaves."""
        victim = self.eviction.evict(keeping)
        if victim is None:
            return None
        assert isinstance(victim, Entry)
        self.assertIsNone(victim.queue)
        return victim.key

    def test_theFirstToComeLeavesFirst(self) -> None:
        """As long as none is used."""
        self.add(b"a", b"b", b"c")
        self.assertEqual([self.evict() for _ in range(4)], [b"a", b"b", b"c", None])

    def test_whatIsUsedMoreThanOnceMoves(self) -> None:
        """To the main queue, where its count begins anew."""
        (used,) = self.add(b"a", heat=2)
        self.add(b"b", b"c", heat=1)
        self.assertEqual(self.evict(), b"b")
        self.assertIs(used.queue, self.eviction.main)
        self.assertEqual(used.heat, 0)

    def test_whatComesBackMoves(self) -> None:
        """A ghost knows it."""
        self.add(b"a", b"b", b"c")
        self.evict()
        (back,) = self.add(b"a")
        self.assertIs(back.queue, self.eviction.main)
        self.assertEqual(len(self.eviction.ghosts), 0)

    def test_aScanLeavesTheMainQueueAlone(self) -> None:
        """It passes through the small queue."""
        self.add(*[b"m%d" % number for number in range(9)], heat=2)
        self.add(b"s0", b"s1")
        self.assertEqual(self.evict(), b"s0")
        self.assertEqual(self.eviction.main.count, 9)
        for number in range(100):
            self.add(b"s%d" % (number + 2))
            self.assertEqual(self.evict(), b"s%d" % (number + 1))
        self.assertEqual(self.eviction.main.count, 9)

    def test_theMainQueueGoesRound(self) -> None:
        """What was used since is passed over, once for each use."""
        self.add(*[b"m%d" % number for number in range(9)], heat=2)
        self.add(b"s0", b"s1")
        self.evict()
        oldest = self.eviction.main.oldest
        assert oldest is not None
        oldest.heat = 1
        self.assertEqual(self.evict(), b"m1")
        self.assertEqual(keysOf(self.eviction.main)[:1], [b"m0"])
        self.assertEqual(oldest.heat, 0)

    def test_aWalkIsBounded(self) -> None:
        """If all are used, one leaves all the same: the reactor does not wait."""
        eviction = self.eviction = S3FIFO(LONGEST_WALK * 100)
        for number in range(LONGEST_WALK * 10):
            each = item(b"%d" % number)
            eviction.main.push(each)
            each.heat = 3
        self.assertEqual(self.evict(), b"%d" % LONGEST_WALK)

    def test_whatIsKeptDoesNotLeave(self) -> None:
        """Wherever it is, and however old; if it is alone, nobody leaves."""
        (kept,) = self.add(b"a")
        self.assertIsNone(self.evict(kept))
        self.add(b"b", b"c")
        self.assertEqual([self.evict(kept) for _ in range(3)], [b"b", b"c", None])
        self.eviction.main.push(item(b"m"))
        self.assertEqual([self.evict(kept) for _ in range(2)], [b"m", None])
        keysOf(self.eviction.small)
        self.eviction.small.take(kept)
        self.eviction.main.push(kept)
        self.add(b"d")
        self.assertEqual([self.evict(kept) for _ in range(2)], [b"d", None])

    def test_aSuccessorTakesThePlace(self) -> None:
        """A popular item does not begin anew because it was validated."""
        (old,) = self.add(b"a", heat=3)
        self.eviction.small.take(old)
        self.eviction.main.push(old)
        new = item(b"a", 20)
        self.eviction.replace(old, new)
        self.assertIsNone(old.queue)
        self.assertIs(new.queue, self.eviction.main)
        self.assertEqual((new.heat, self.eviction.main.octets), (3, 20))

    def test_repr(self) -> None:
        """Both queues and the ghosts."""
        self.add(b"a", b"b")
        self.evict()
        self.assertEqual(
            repr(self.eviction),
            "<S3FIFO small=<Queue count=1 octets=10> main=<Queue count=0 octets=0> ghosts=1>",
        )

    @given(
        strategies.lists(
            strategies.tuples(
                strategies.sampled_from(("add", "use", "evict", "keep", "remove", "grow")),
                strategies.integers(0, 30),
            )
        )
    )
    def test_nobodyIsLost(self, events: list[tuple[str, int]]) -> None:
        """After any events each item is in exactly one queue or has left."""
        eviction = self.eviction = S3FIFO(100)
        present: dict[bytes, Entry] = {}
        for what, pick in events:
            key = b"%d" % pick
            chosen = present.get(key)
            if what == "add":
                if chosen is None:
                    (present[key],) = self.add(key)
            elif what == "evict" or (what == "keep" and chosen is not None):
                gone = self.evict(chosen if what == "keep" else None)
                if gone is None:
                    self.assertLessEqual(len(present), 1)
                else:
                    self.assertIsNot(present.pop(gone), chosen if what == "keep" else None)
            elif chosen is not None:
                assert chosen.queue is not None
                if what == "use":
                    chosen.heat = min(3, chosen.heat + 1)
                elif what == "grow":
                    chosen.queue.resize(chosen, chosen.size + pick)
                else:
                    chosen.queue.take(present.pop(key))
            found = keysOf(eviction.small) + keysOf(eviction.main)
            self.assertEqual(sorted(found), sorted(present))
