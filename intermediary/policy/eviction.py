# -*- test-case-name: tests.policy.test_eviction -*-
"""
Who leaves a full store: S3-FIFO, by octets.

What is new goes into the I{small} queue, a tenth of the room.  What was used
there more than once by the time it is the oldest moves to the I{main} queue; the
rest leaves, and only the hash of its name is remembered, as a I{ghost}.  What
comes back while its ghost is there goes to the main queue at once.  In the main
queue the oldest goes round again as long as it was used since.  So a scan, whose
items are used once, passes through a tenth of the room and leaves the rest alone.

See J. Yang and others, I{FIFO queues are all you need for cache eviction}, SOSP
2023; C{docs/notes/cache-eviction.md} has what it does against others.  Ours
differs in two points.  A walk is bounded, as a long one would block the reactor.
An item that is being made room for is never the one that leaves.
"""

from __future__ import annotations

from collections import deque
from typing import Final

#: The share of the small queue: one part in so many.
SMALL_PART: Final = 10
#: The counter of uses stops here.
HOTTEST: Final = 3
#: From this many uses on, an item moves from the small queue to the main one.
PROMOTED_FROM: Final = 2
#: How many items that were used one eviction passes over.
LONGEST_WALK: Final = 64


class Queued:
    """
    An item in a queue.

    @ivar size: how many octets of room it takes; the queue changes it
        (L{Queue.resize}) while it is in one.
    @ivar heat: uses since it was last looked at, up to L{HOTTEST}.
    @ivar queue: where it is; None if in none.
    """

    __slots__ = ("heat", "newer", "older", "queue", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.heat = 0
        self.queue: Queue | None = None
        self.newer: Queued | None = None
        self.older: Queued | None = None

    def identity(self) -> int:
        """Give the hash by which it is known again when it comes back."""
        return hash(self)


class Queue:
    """Items in the order in which they came; any of them can leave."""

    __slots__ = ("count", "newest", "octets", "oldest")

    def __init__(self) -> None:
        self.count = 0
        self.octets = 0
        self.newest: Queued | None = None
        self.oldest: Queued | None = None

    def push(self, item: Queued) -> None:
        """Put an item that is in no queue behind all others."""
        last = self.newest
        item.queue = self
        item.older = last
        if last is None:
            self.oldest = item
        else:
            last.newer = item
        self.newest = item
        self.count += 1
        self.octets += item.size

    def take(self, item: Queued) -> None:
        """Take out an item of this queue."""
        newer, older = item.newer, item.older
        if newer is None:
            self.newest = older
        else:
            newer.older = older
        if older is None:
            self.oldest = newer
        else:
            older.newer = newer
        # What is left of a chain of references would keep its neighbours alive.
        item.newer = item.older = None
        item.queue = None
        self.count -= 1
        self.octets -= item.size

    def resize(self, item: Queued, size: int) -> None:
        """Note that an item of this queue takes another amount of room."""
        self.octets += size - item.size
        item.size = size

    def __repr__(self) -> str:
        return f"<Queue count={self.count} octets={self.octets}>"


class Ghosts:
    """
    The hashes of what has left, as many as there are items.

    It does not matter if one is forgotten a bit too early, so one that was taken
    stays in the line.
    """

    __slots__ = ("_known", "_line")

    def __init__(self) -> None:
        self._line: deque[int] = deque()
        self._known: set[int] = set()

    def add(self, identity: int, limit: int) -> None:
        """Remember one, and at most so many."""
        line = self._line
        line.append(identity)
        self._known.add(identity)
        while len(line) > limit:
            self._known.discard(line.popleft())

    def take(self, identity: int) -> bool:
        """Forget one; whether it was there."""
        known = self._known
        if identity in known:
            known.discard(identity)
            return True
        return False

    def __len__(self) -> int:
        return len(self._known)


class S3FIFO:
    """
    Puts items into queues and says which one is to leave.

    It has no limit of its own: whoever owns it evicts until there is room.
    """

    __slots__ = ("ghosts", "main", "small", "smallOctets")

    def __init__(self, limitOctets: int) -> None:
        """
        @param limitOctets: the room for all items together.
        """
        self.smallOctets = limitOctets // SMALL_PART
        self.small = Queue()
        self.main = Queue()
        self.ghosts = Ghosts()

    def add(self, item: Queued) -> None:
        """Take in an item that is in no queue."""
        item.heat = 0
        if self.ghosts.take(item.identity()):
            self.main.push(item)
        else:
            self.small.push(item)

    def replace(self, old: Queued, new: Queued) -> None:
        """Let an item have the queue and the heat of another, which leaves."""
        queue = old.queue
        assert queue is not None
        new.heat = old.heat
        queue.take(old)
        queue.push(new)

    def evict(self, keeping: Queued | None = None) -> Queued | None:
        """
        Take out the item that is worth least.

        @param keeping: what room is made for.
        @return: the item; None if there is no other than C{keeping}.
        """
        small, main = self.small, self.main
        walk = LONGEST_WALK
        while True:
            queue, other = small, main
            if small.octets <= self.smallOctets and main.oldest is not None:
                queue, other = main, small
            item = queue.oldest
            if item is keeping:
                if item is not None and item.newer is not None:
                    queue.take(item)
                    queue.push(item)
                    continue
                queue, item = other, other.oldest
            if item is None:
                return None
            queue.take(item)
            if queue is small:
                if item.heat < PROMOTED_FROM or not walk:
                    self.ghosts.add(item.identity(), small.count + main.count + 1)
                    return item
                item.heat = 0
            elif item.heat and walk:
                item.heat -= 1
            else:
                return item
            main.push(item)
            walk -= 1

    def __repr__(self) -> str:
        return f"<S3FIFO small={self.small!r} main={self.main!r} ghosts={len(self.ghosts)}>"
