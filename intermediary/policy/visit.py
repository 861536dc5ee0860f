# -*- test-case-name: tests.policy.test_cache -*-
"""
What the cache remembers about one exchange.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..compiling import mypyc_attr
from ..wire.reuse import ORDINARY

if TYPE_CHECKING:
    from ..wire.reuse import Demand
    from .collapsing import Fetch
    from .entries import Entry, Shelf


# Those who pass are many, and this is all that is needed for most of them.
@mypyc_attr(acyclic=True)
class Asked:
    """
    What the cache remembers about any request that it has sent on.

    @ivar requested: when it was looked up, or sent again.
    @ivar epoch: how many purges there had been when it was sent on, the last time it
        was; -1 before that.
    @ivar changes: how many changes there had been then.
    """

    __slots__ = ("changes", "demand", "epoch", "key", "requested", "shelf")

    def __init__(
        self,
        requested: float,
        key: bytes = b"",
        shelf: Shelf | None = None,
        demand: Demand = ORDINARY,
        epoch: int = -1,
        changes: int = -1,
    ) -> None:
        self.requested = requested
        self.key = key
        self.shelf = shelf
        self.demand = demand
        self.epoch = epoch
        self.changes = changes


# One that is gone is used again, as to make one takes longer than to set it.  The cycles
# that it is part of are ended by who leads a fetch (Collapsing), whatever happens.
@mypyc_attr(free_list_len=1, acyclic=True)
class Visit(Asked):
    """
    What the cache remembers about an exchange that it could not answer at once.

    @ivar ahead: the entry that it refreshes before it expires, and which stays as it is
        unless something of its kind comes; None otherwise.
    @ivar reason: why it was sent on (RFC 9211 §2.2).
    @ivar common: what all keys of its target begin with, where these are several;
        empty otherwise.
    @ivar fetch: the fetch that it leads, or None.
    @ivar entries: what it validates, the one that would answer it first.
    @ivar others: responses to other requests for the same target, whose entity-tags
        may be those of what it would get; where C{entries} are none.
    @ivar part: a stored 206 that lacks some of what is asked for, or None.
    @ivar completing: what the part lacks is asked for, and not the whole.
    @ivar tail: what of the part comes behind the content of the response; None for nothing.
    @ivar skipped: how many octets of the part are before it.
    @ivar answered: its reply was made here, and says in C{Cache-Status} how.
    @ivar failures: how many fetches that it waited for have failed.
    @ivar excused: the last of them has, and it may wait for another.
    @ivar pardoned: what it waited for came too late, and it may wait once more.
    @ivar looked: it was looked up behind the memory, too.
    @ivar normal: its target, if that is known to have the form of its key; else empty.
    @ivar passes: nothing is stored for it, and nobody waits for it: the answers to its
        like are not stored.
    @ivar kept: the file with the content of what it validates, which stays open; None
        if that is in memory.
    """

    __slots__ = (
        "ahead",
        "answered",
        "collapsed",
        "common",
        "completing",
        "entries",
        "excused",
        "failures",
        "fetch",
        "kept",
        "looked",
        "normal",
        "others",
        "pardoned",
        "part",
        "passes",
        "reason",
        "skipped",
        "stored",
        "tail",
        "validating",
    )

    def __init__(self, reason: bytes, requested: float) -> None:
        super().__init__(requested)
        self.reason = reason
        self.common = b""
        self.fetch: Fetch | None = None
        # Tuples, as an empty one costs nothing: most visits have none.
        self.entries: tuple[Entry, ...] = ()
        self.others: tuple[Entry, ...] = ()
        self.part: Entry | None = None
        self.ahead: Entry | None = None
        self.completing = False
        self.skipped = 0
        self.tail: list[bytes] | None = None
        self.validating = False
        self.collapsed = False
        self.stored = False
        self.answered = False
        self.failures = 0
        self.excused = False
        self.pardoned = False
        self.looked = False
        self.normal = b""
        self.passes = False
        self.kept: Any = None

    def forget(self) -> None:
        """Have it asked for as if nothing of it were stored."""
        self.entries = ()
        self.others = ()
        self.part = None
        self.skipped = 0
        self.tail = None
        self.stored = False

    def forgetGone(self) -> None:
        """Have nothing asked about that is not in the store any more."""
        entries = tuple([entry for entry in self.entries if entry.queue is not None])
        if entries and entries[0] is not self.entries[0]:
            # The others are not what would answer it.
            entries = ()
        self.entries = entries
        self.others = tuple([entry for entry in self.others if entry.queue is not None])
        if self.part is not None and self.part.queue is None:
            self.part = None

    def keep(self, file: Any) -> None:
        """Keep a file open, until L{letGo}; it is open."""
        if self.kept is not file:
            self.letGo()
            file.take()
            self.kept = file

    def letGo(self) -> None:
        """The file is not needed, or others need it."""
        kept, self.kept = self.kept, None
        if kept is not None:
            kept.drop()
