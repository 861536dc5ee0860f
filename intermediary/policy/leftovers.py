# -*- test-case-name: tests.policy.test_leftovers -*-
"""
Bodies that are in no store any more, and that somebody still reads.

They take memory as long as the slowest of their readers likes, so all of them together
have a limit.  Beyond it, what all readers of a body have had is let go, and if
that is not enough, the slowest are cut off, first where that frees most.

None of that happens inside of a store: it is done in a turn of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IReactorTime

    from .body import Body
    from .entries import Entry


class Leftover:
    """
    One of them: the source of a body that gets no more.

    @ivar octets: what of it is still here.
    """

    __slots__ = ("_all", "_body", "octets")

    def __init__(self, leftovers: Leftovers, body: Body) -> None:
        self._all = leftovers
        self._body = body
        self.octets = body.octets - body.start

    def balance(self) -> None:
        """Some reader is further, or is gone; if all are, nothing is left."""
        if not self._body.readers:
            self._all.drop(self._body)

    def follow(self, entry: Entry) -> None:
        """An entry with this body may be stored again; its store says so itself."""

    def shed(self) -> int:
        """Let go what all readers have had; tell how many octets that is."""
        body = self._body
        readers = body.readers
        if readers:
            body.shed(min([reader.position for reader in readers]))
        before = self.octets
        self.octets = body.octets - body.start
        return before - self.octets

    def cutOff(self) -> None:
        """Let the slowest reader go without the rest."""
        body = self._body
        slowest = min(body.readers, key=lambda reader: reader.position)
        slowest.cutOff()
        body.leave(slowest)
        self.balance()


class Leftovers:
    """
    All of them, of one store.

    @ivar octets: what they take.
    @ivar cut: how many readers were cut off.
    """

    __slots__ = ("_call", "_later", "_places", "cut", "limitOctets", "octets")

    def __init__(self, reactor: IReactorTime, limitOctets: int) -> None:
        self._later: Callable[..., Any] = reactor.callLater
        self._places: dict[Body, Leftover] = {}
        self._call: Any = None
        self.limitOctets = limitOctets
        self.octets = 0
        self.cut = 0

    def take(self, body: Body) -> None:
        """A complete body, which somebody reads, has left its store."""
        place = self._places[body] = body.source = Leftover(self, body)
        self.octets += place.octets
        if self.octets > self.limitOctets and self._call is None:
            self._call = self._later(0, self._relieve)

    def drop(self, body: Body) -> None:
        """Nobody reads it any more, or it is in its store again; it need not be one of them."""
        place = self._places.pop(body, None)
        if place is not None:
            body.source = None
            self.octets -= place.octets

    def _relieve(self) -> None:
        self._call = None
        if self.octets <= self.limitOctets:
            return
        for place in list(self._places.values()):
            self.octets -= place.shed()
        while self.octets > self.limitOctets:
            # Of two with as much, the one that left first.
            largest = max(self._places.values(), key=lambda place: place.octets)
            self.cut += 1
            largest.cutOff()
            self.octets -= largest.shed()

    def __len__(self) -> int:
        return len(self._places)

    def __repr__(self) -> str:
        return f"<Leftovers bodies={len(self)} octets={self.octets} cut={self.cut}>"
