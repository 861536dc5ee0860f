# -*- test-case-name: tests.wire -*-
"""
Feeding readers octets in pieces, and what came out, in a form to compare.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from intermediary.errors import WireError
from intermediary.settings import Limits
from intermediary.wire.http1 import RequestReader, ResponseReader
from intermediary.wire.message import End, RequestHead, ResponseHead

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Event = RequestHead | ResponseHead | bytes | End

LIMITS = Limits()


class Outcome(NamedTuple):
    """
    What a reader made of some octets.

    @ivar events: adjacent pieces of content joined.
    @ivar error: status, token and detail, if it raised.
    @ivar held: octets that it held at last.
    @ivar mostHeld: the most octets that it ever held.
    """

    events: list[Event]
    error: tuple[int, str, str] | None
    held: int
    mostHeld: int

    @property
    def status(self) -> int | None:
        """The status of the error."""
        return self.error[0] if self.error else None


def join(events: Iterable[Event]) -> list[Event]:
    """Join adjacent pieces of content, which no reader may make empty."""
    joined: list[Event] = []
    for event in events:
        if isinstance(event, bytes):
            assert event, "an empty piece of content"
            if joined and isinstance(joined[-1], bytes):
                joined[-1] += event
                continue
        joined.append(event)
    return joined


def pieces(octets: bytes, cuts: Iterable[int]) -> list[bytes]:
    """Cut octets at some places; cuts outside are ignored."""
    places = [0, *sorted({cut for cut in cuts if 0 < cut < len(octets)}), len(octets)]
    return [octets[start:end] for start, end in pairwise(places)]


def each(octets: bytes) -> list[bytes]:
    """Cut octets everywhere."""
    return [octets[at : at + 1] for at in range(len(octets))]


def feedRequests(data: Sequence[bytes], limits: Limits = LIMITS) -> Outcome:
    """Read requests, going on after each, except into a tunnel."""
    reader = RequestReader(limits)
    events: list[Event] = []
    mostHeld = 0
    try:
        for piece in data:
            fresh = reader.receive(piece)
            mostHeld = max(mostHeld, reader.held)
            while True:
                events += fresh
                if not fresh or not isinstance(fresh[-1], End) or _tunnels(events):
                    break
                fresh = reader.resume()
                mostHeld = max(mostHeld, reader.held)
    except WireError as error:
        events += reader.undelivered
        return Outcome(join(events), (error.status, error.token, error.detail), 0, mostHeld)
    return Outcome(join(events), None, reader.held, mostHeld)


def _tunnels(events: list[Event]) -> bool:
    head = events[-2]
    return isinstance(head, RequestHead) and head.method == b"CONNECT"


def feedResponses(
    data: Sequence[bytes],
    methods: Sequence[bytes] = (b"GET",),
    eof: bool = True,
    limits: Limits = LIMITS,
) -> Outcome:
    """
    Read one response to each of some methods; anything after them is held.

    @param eof: the connection ends after the octets.
    """
    reader = ResponseReader(limits)
    waiting = list(methods)
    events: list[Event] = []
    mostHeld = 0
    try:
        reader.expect(waiting.pop(0))
        for piece in data:
            events += reader.receive(piece)
            mostHeld = max(mostHeld, reader.held)
            # As a pool does: what came unasked makes a connection useless.
            if events and isinstance(events[-1], End) and waiting and not reader.held:
                reader.expect(waiting.pop(0))
        if eof:
            events += reader.eof()
    except WireError as error:
        events += reader.undelivered
        return Outcome(join(events), (error.status, error.token, error.detail), 0, mostHeld)
    return Outcome(join(events), None, reader.held, mostHeld)
