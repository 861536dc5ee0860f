# -*- test-case-name: tests.policy.test_storemodel -*-
"""
The store in memory under any sequence of events, held against a simple model.

The model is a dictionary of what could be there, by key and variant.  Which of
it was evicted is for the store to say; all the rest is compared, and what holds
for the parts of the store is said by invariants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.body import Body
from intermediary.policy.purging import HOST, KEY, PREFIX, TAG, Purge, urlOf
from intermediary.policy.stores import MemoryStore

from .stored import Turns, entryOf

if TYPE_CHECKING:
    from intermediary.policy.entries import Entry

KEYS = tuple(
    b"GET http://%b.example/%b" % (host, path)
    for host in (b"a", b"b")
    for path in (b"", b"x", b"xy")
)
VARIANTS = (b"", b"br", b"gzip")
TAGS = (b"one", b"two", b"three")

keys = strategies.sampled_from(KEYS)
variants = strategies.sampled_from(VARIANTS)
picks = strategies.integers(0, 50)
octets = strategies.sampled_from((0, 1, 100, 1000, 1500, 3000))
purges = strategies.sampled_from(
    [
        *[Purge.ofKey(key) for key in KEYS],
        *[Purge.ofTag(tag) for tag in (*TAGS, b"four")],
        Purge.ofHost(b"a.example"),
        Purge.ofHost(b"example"),
        Purge.ofPrefix(b"http://b.example/x"),
        Purge.ofPrefix(b""),
        Purge.ofTag(b"two", b"four", b"one"),
        Purge.ofTag(b"two", b"three").within(b"GET"),
        Purge.ofHost(b"b.example").within(b"GET"),
        Purge.ofTag(b"one").within(b"PUT", b"GET"),
        Purge.ofPrefix(b"http://").within(b"GET", b"x", b"PUT"),
        Purge.ofPrefix(b"").within(b"PUT"),
    ]
)


def covers(purge: Purge, entry: Entry) -> bool:
    """What a purge means, without any index."""
    front, _, url = entry.key.partition(b" ")
    assert url == urlOf(entry.key)
    if purge.partitions and front not in purge.partitions:
        return False
    return {
        KEY: entry.key == purge.value,
        TAG: not set(purge.tags).isdisjoint(entry.tags),
        PREFIX: url.startswith(purge.value),
        HOST: url.split(b"/")[2] == purge.value,
    }[purge.kind]


class StoreMachine(RuleBasedStateMachine):
    """Events in any order."""

    store: Any = None

    @initialize(
        limit=strategies.sampled_from((3000, 8000, 20_000, 1 << 20)),
        largest=strategies.sampled_from((1000, 4000, 1 << 20)),
    )
    def open(self, limit: int, largest: int) -> None:
        """Stores with little room, or with enough."""
        self.clock = Turns()
        self.store = MemoryStore(self.clock, limit, largest)
        self.largest = largest
        #: What would be there without a limit.
        self.model: dict[tuple[bytes, bytes], Entry] = {}
        #: Entries whose bodies grow, stored or not.
        self.growing: list[Entry] = []
        self.evictedBefore = 0

    def present(self) -> list[Entry]:
        """What the store has, by its shelves."""
        return [entry for shelf in self.store._byKey.values() for entry in shelf.entries]

    def evictions(self, keeping: Entry | None = None) -> None:
        """Let the model forget what the store has evicted, and count it."""
        present = set(self.present())
        gone = [name for name, entry in self.model.items() if entry not in present]
        assert len(gone) == self.store.evicted - self.evictedBefore
        assert keeping is None or keeping in present
        self.evictedBefore = self.store.evicted
        for name in gone:
            del self.model[name]

    @rule(
        key=keys,
        variant=variants,
        content=octets,
        tags=strategies.lists(strategies.sampled_from(TAGS), max_size=3),
        grows=strategies.booleans(),
    )
    def add(self, key: bytes, variant: bytes, content: int, tags: list[bytes], grows: bool) -> None:
        """A response is stored, whole or not."""
        body = Body()
        body.append(b"x" * content)
        if not grows:
            body.end()
        entry = entryOf(key, body, variant=variant, tags=tuple(tags), expires=1e6)
        if grows:
            self.growing.append(entry)
        old = self.model.pop((key, variant), None)
        fits = content <= self.largest and entry.size <= self.store.limitOctets
        assert self.store.add(entry) is fits
        assert old is None or old.queue is None
        if fits:
            self.model[key, variant] = entry
            self.evictions(keeping=entry)

    @precondition(lambda self: self.growing)
    @rule(pick=picks, more=octets, ends=strategies.booleans())
    def grow(self, pick: int, more: int, ends: bool) -> None:
        """More of a body comes, whether its entry is stored still or not."""
        entry = self.growing[pick % len(self.growing)]
        stored = self.model.get((entry.key, entry.variant)) is entry
        entry.body.append(b"x" * more)
        fits = (
            entry.body.octets <= self.largest
            and entry.ownOctets() + entry.body.octets <= self.store.limitOctets
        )
        assert self.store.grew(entry, more) is (stored and fits)
        if stored and not fits:
            del self.model[entry.key, entry.variant]
        self.evictions(keeping=entry if stored and fits else None)
        if ends:
            entry.body.end()
            self.growing.remove(entry)

    @precondition(lambda self: self.model)
    @rule(pick=picks, times=strategies.integers(1, 5))
    def use(self, pick: int, times: int) -> None:
        """Hits."""
        entry = list(self.model.values())[pick % len(self.model)]
        before = entry.uses
        for _ in range(times):
            self.store.used(entry)
        assert entry.uses == before + times

    @precondition(lambda self: self.model)
    @rule(pick=picks)
    def remove(self, pick: int) -> None:
        """An entry is invalidated, twice."""
        name = list(self.model)[pick % len(self.model)]
        entry = self.model.pop(name)
        self.store.remove(entry)
        self.store.remove(entry)

    @rule(what=purges, soft=strategies.booleans())
    def purge(self, what: Purge, soft: bool) -> None:
        """What is covered goes or becomes stale, and is counted."""
        self.clock.advance(1)
        covered = {name: entry for name, entry in self.model.items() if covers(what, entry)}
        answer = self.store.purge(what, soft)
        assert not isinstance(answer, Deferred)
        assert answer == len(covered)
        for name, entry in covered.items():
            if soft:
                assert entry.expires <= self.clock.seconds()
            else:
                assert entry.queue is None
                del self.model[name]

    @rule(key=keys, mark=strategies.sampled_from(("fetch", "misses", "passUntil")))
    def mark(self, key: bytes, mark: str) -> None:
        """Somebody notes something about a key."""
        shelf = self.store.shelf(key)
        setattr(shelf, mark, {"fetch": self, "misses": 1, "passUntil": 1e9}[mark])
        self.store.tidy(shelf)
        assert self.store.find(key) is shelf

    @rule(key=keys)
    def unmark(self, key: bytes) -> None:
        """And takes all of it back."""
        shelf = self.store.shelf(key)
        shelf.fetch, shelf.misses, shelf.passUntil = None, 0, 0.0
        self.store.tidy(shelf)
        assert (self.store.find(key) is None) == (not shelf.entries)

    # What always holds

    @invariant()
    def whatIsThereIsWhatShouldBe(self) -> None:
        """Each entry is under its key, once."""
        if self.store is None:
            return
        present = self.present()
        assert {(entry.key, entry.variant): entry for entry in present} == self.model
        assert len(present) == len(self.model) == self.store.count
        for key, variant in self.model:
            shelf = self.store.find(key)
            assert shelf.key == key
            assert shelf.entryOf(variant) is self.model[key, variant]
            serials = [entry.serial for entry in shelf.entries]
            assert serials == sorted(serials, reverse=True)

    @invariant()
    def sizesAreExact(self) -> None:
        """And never over the limit."""
        if self.store is None:
            return
        for entry in self.model.values():
            assert entry.size == entry.ownOctets() + entry.body.octets
        assert self.store.size == sum(entry.size for entry in self.model.values())
        assert self.store.size <= self.store.limitOctets

    @invariant()
    def everyEntryIsInAQueue(self) -> None:
        """So that it can leave one day; and nothing else is."""
        if self.store is None:
            return
        eviction = self.store._eviction
        queued = []
        for queue in (eviction.small, eviction.main):
            item = queue.oldest
            found = []
            while item is not None:
                assert item.queue is queue
                found.append(item)
                item = item.newer
            assert queue.count == len(found)
            assert queue.octets == sum(each.size for each in found)
            queued += found
        assert len(queued) == len(self.model)
        assert set(queued) == set(self.model.values())
        assert len(eviction.ghosts) <= self.store.evicted

    @invariant()
    def tagsAreExact(self) -> None:
        """Each has the entries that are there, and there are no others."""
        if self.store is None:
            return
        index = self.store._tags
        for tag in TAGS:
            expected = {entry for entry in self.model.values() if tag in entry.tags}
            assert set(index.entriesOf(tag)) == expected
        assert len(index) == len({tag for entry in self.model.values() for tag in entry.tags})

    @invariant()
    def shelvesAreForgotten(self) -> None:
        """Those that are left have an entry, or a mark and a place in the line."""
        if self.store is None:
            return
        shelves = self.store._shelves
        now = self.clock.seconds()
        for key, shelf in shelves.byKey.items():
            assert shelf.key == key
            assert not shelf.isBlank(now)
            assert (shelf in shelves._blank) == (not shelf.entries)
        assert shelves._line.count == len(shelves._blank)
        assert set(shelves._blank) <= set(shelves.byKey.values())

    def teardown(self) -> None:
        """All is purged: nothing is left."""
        if self.store is None:
            return
        self.store.purge(Purge.ofPrefix(b""))
        for key in KEYS:
            shelf = self.store.shelf(key)
            shelf.fetch, shelf.misses, shelf.passUntil = None, 0, 0.0
            self.store.tidy(shelf)
        assert (self.store.size, self.store.count, len(self.store._shelves)) == (0, 0, 0)
        assert len(self.store._tags) == 0
        assert self.clock.getDelayedCalls() == []


class StoreModelTests(SynchronousTestCase):
    """L{MemoryStore} does nothing that the model does not know."""

    def test_anySequenceOfEventsLeavesTheStoreSound(self) -> None:
        """Sizes, limits, tags, shelves and queues are exact after every event."""
        run_state_machine_as_test(
            StoreMachine,
            settings=settings(
                max_examples=100,
                stateful_step_count=40,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                database=None,
            ),
        )
