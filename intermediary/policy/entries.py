# -*- test-case-name: tests.policy.test_entries -*-
"""
Stored responses, and all that is known under one key (RFC 9111 §2, §4.1).

Whether a response may be stored or used again is not decided here.

An entry is kept small, as there may be a million of them: its fields are one
piece of octets, which is what a hit needs, and are parsed for those who ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..wire.fields import EMPTY, Fields, parseFields
from .eviction import Queued

if TYPE_CHECKING:
    from .body import Body

#: What an entry takes beside its octets, its tags aside: the entry, its body and
#: shelf, and their places in the tables of the store, in CPython of 64 bits.  The
#: tests measure it.
OVERHEAD_OCTETS: Final = 1000
#: What each tag takes beside its octets, where no other entry has it.
TAG_OCTETS: Final = 160


_FOREVER: Final = float("inf")


class Entry(Queued):
    """
    One stored response: one variant of what is under a key.

    It does not change, except for C{expires}, C{uses} and C{verdict}: what was
    validated is another entry with the same body.

    @ivar key: the primary key.
    @ivar variant: the secondary key; empty without C{Vary}.
    @ivar vary: the lower-case names of the request fields that select it.
    @ivar head: the lines of its fields, as they will be sent: without framing,
        hop-by-hop fields, C{Age} and C{Cache-Status}.
    @ivar body: its content, which may still be growing.
    @ivar verdict: what was found out about it when it was stored.
    @ivar stored: when that was, in seconds of the reactor.
    @ivar expires: when it stops being fresh.
    @ivar tags: the names by which it can be purged.
    @ivar uses: how often it was used since it was stored or validated.
    @ivar serial: which one it was of all that its store took; 0 before that.
    """

    __slots__ = (
        "body",
        "expires",
        "head",
        "key",
        "reason",
        "serial",
        "status",
        "stored",
        "tags",
        "uses",
        "variant",
        "vary",
        "verdict",
    )

    def __init__(
        self,
        key: bytes,
        status: int,
        reason: bytes,
        fields: Fields,
        body: Body,
        stored: float,
        expires: float,
        verdict: Any = None,
        variant: bytes = b"",
        vary: tuple[bytes, ...] = (),
        tags: tuple[bytes, ...] = (),
    ) -> None:
        super().__init__(0)
        self.key = key
        self.variant = variant
        self.vary = vary
        self.status = status
        self.reason = reason
        self.head = fields.encoded
        self.body = body
        self.verdict = verdict
        self.stored = stored
        self.expires = expires
        self.tags = tags
        self.uses = 0
        self.serial = 0
        self.size = self.ownOctets() + body.octets

    @property
    def fields(self) -> Fields:
        """Its fields, parsed anew each time: see L{Heads<intermediary.policy.heads.Heads>}."""
        if not self.head:
            return EMPTY
        parsed = parseFields(self.head + b"\r\n")
        assert parsed is not None, "these came out of Fields"
        return parsed[0]

    def ownOctets(self) -> int:
        """Count what it takes beside its content."""
        octets = OVERHEAD_OCTETS + len(self.key) + len(self.head) + len(self.variant)
        for tag in self.tags:
            octets += TAG_OCTETS + len(tag)
        return octets

    def identity(self) -> int:
        """See L{Queued.identity}."""
        return hash((self.key, self.variant))

    def __repr__(self) -> str:
        key = self.key.decode("latin-1")
        body = "whole" if self.body.complete else "growing"
        return f"<Entry {self.status} {key!r} {self.body.octets} octets, {body}, uses={self.uses}>"


class Shelf:
    """
    All that is known under one primary key.

    C{fetch}, C{passUntil} and C{misses} are marks that whoever collapses requests
    or counts them may set.  Whoever takes back the last one tells the store:
    L{ICacheStore.tidy<intermediary.interfaces.ICacheStore.tidy>}.

    @ivar entries: the newest first; a new tuple for each change.
    @ivar fetch: who is fetching it; None if nobody is.
    @ivar passUntil: until then, requests are passed on without waiting for each
        other, as answers were not to be stored.
    @ivar misses: how many requests found nothing stored.
    @ivar missesUntil: until then their number means something.
    """

    __slots__ = ("entries", "fetch", "key", "misses", "missesUntil", "passUntil")

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.entries: tuple[Entry, ...] = ()
        self.fetch: Any = None
        self.passUntil = 0.0
        self.misses = 0
        self.missesUntil = _FOREVER

    @property
    def vary(self) -> tuple[bytes, ...]:
        """The selecting fields of the newest response (RFC 9111 §4.1)."""
        entries = self.entries
        return entries[0].vary if entries else ()

    def entryOf(self, variant: bytes) -> Entry | None:
        """Find the entry with a secondary key."""
        for entry in self.entries:
            if entry.variant == variant:
                return entry
        return None

    def isBlank(self, now: float) -> bool:
        """Whether there is nothing on it, neither entry nor mark."""
        return (
            not self.entries
            and self.fetch is None
            and (not self.misses or self.missesUntil <= now)
            and self.passUntil <= now
        )

    def put(self, entry: Entry) -> None:
        """Put an entry first; for stores alone."""
        self.entries = (entry, *self.entries)

    def take(self, entry: Entry) -> None:
        """Take an entry off; for stores alone."""
        entries = self.entries
        if len(entries) == 1:
            self.entries = ()
        else:
            self.entries = tuple([each for each in entries if each is not entry])

    def __repr__(self) -> str:
        marks = ""
        if self.fetch is not None:
            marks += " fetching"
        if self.passUntil:
            marks += f" passUntil={self.passUntil}"
        if self.misses:
            marks += f" misses={self.misses}"
        return f"<Shelf {self.key.decode('latin-1')!r} entries={len(self.entries)}{marks}>"
