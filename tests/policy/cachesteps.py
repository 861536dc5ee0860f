# -*- test-case-name: tests.policy.test_cachesequences -*-
"""
What clients, origins, the clock and an application do to a cache.

A step says what is done in terms that have a meaning whatever was done before: an
answer is a L{Recipe}, from which one is made when it is known what was asked.  So any
selection of the steps of a sequence is a sequence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .referencefields import Pairs, written

if TYPE_CHECKING:
    from collections.abc import Sequence

REASONS = {200: "OK", 304: "Not Modified"}


class Recipe(NamedTuple):
    """
    How an origin answers.

    @ivar confirms: how it answers a conditional request with a 304: with the C{first}
        or C{last} entity-tag, the C{weak} form, another one, the C{modified} date, or none;
        empty for no 304.
    @ivar lies: it does so unasked.
    @ivar fields: a number for a value is seconds from now.
    @ivar chunked: it does not say how long its content is.
    @ivar half: for now it sends the half of its content.
    @ivar ranged: how it answers a request for a range: as it should, with the C{part}; with
        C{few} fields beside it; with the C{whole}; with C{less} or C{more} than was asked for;
        C{careless} of C{If-Range}; as if it were C{unsatisfied}; with content that is too
        C{short}; with an C{unknown} length; with parts of it in C{several}; or C{unasked}.
    """

    status: int
    confirms: str
    lies: bool
    fields: Sequence[tuple[str, str | int]]
    octets: int
    chunked: bool
    half: bool
    ranged: str = "whole"


class Asking(NamedTuple):
    """
    A client asks.

    @ivar fields: a number for a value is seconds from now.
    @ivar content: there is some, also with a method that has none as a rule.
    @ivar host: empty for the usual one.
    """

    method: str
    target: str
    fields: Sequence[tuple[str, str | int]]
    content: bool = False
    host: str = ""


class Answering(NamedTuple):
    """An origin answers one of the requests that it has."""

    which: int
    recipe: Recipe


class Ending(NamedTuple):
    """What has come in half is completed; or it breaks off, or what was asked does."""

    which: int
    breaks: bool


class Leaving(NamedTuple):
    """A client that waits goes away."""

    which: int


class Passing(NamedTuple):
    """Time goes by."""

    seconds: int


class Purging(NamedTuple):
    """An application purges something."""

    kind: str
    value: str
    soft: bool


class Evicting(NamedTuple):
    """
    Memory is needed for something else.

    @ivar again: the process ends, and another one begins; where there is a disk.
    """

    again: bool


Step = Any


def rendered(fields: Sequence[tuple[str, str | int]], now: float, host: str) -> Pairs:
    """Write moments as dates, and names as this sequence has them."""
    return [
        (
            name,
            written(now + value)
            if isinstance(value, int)
            else value.replace("HERE", f"http://{host}").replace("HOST", host),
        )
        for name, value in fields
    ]
