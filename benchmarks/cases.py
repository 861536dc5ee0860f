# -*- test-case-name: tests.test_benchmarks -*-
"""
What is measured: one record for each case, with what it must show.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from .content import SIZES

if TYPE_CHECKING:
    from collections.abc import Mapping


class Load(Enum):
    """Who makes the load, and how."""

    #: wrk, connections kept, for a number of seconds.
    REQUESTS = "requests"
    #: Tunnels that are opened, used once and closed.
    SETUP = "setup"
    #: A few tunnels that carry big files.
    BULK = "bulk"
    #: Connections that are kept after one request.
    IDLE = "idle"
    #: TLS connections that are opened, used once and closed.
    HANDSHAKES = "handshakes"


class Unit(Enum):
    """What a figure says; the value is how it is printed."""

    MICROSECONDS_PER_REQUEST = "µs/request"
    SECONDS_PER_GIGABYTE = "s/GB"
    OCTETS_PER_CONNECTION = "octets/connection"


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One thing that is measured, of every peer that can do it."""

    name: str
    title: str
    path: str
    front: str = "reverse"
    load: Load = Load.REQUESTS
    unit: Unit = Unit.MICROSECONDS_PER_REQUEST
    connections: int = 64
    #: The mean pause between two requests on a connection, in milliseconds.
    pauseMilliseconds: int = 0
    #: The answers come out of a cache: the origin sees no more than the first.
    cached: bool = False
    #: We have a cache that is of no use: what the origin answers may not be stored.
    bypassed: bool = False
    #: Clients speak TLS with the front.
    secure: bool = False
    #: They resume sessions; without that each makes a full handshake.
    resumed: bool = False
    #: Peers that take part beside the usual ones.
    also: tuple[str, ...] = ()
    #: By peer: our figure at most this many times the peer's.
    ratios: Mapping[str, float] = field(default_factory=dict)
    #: Our figure at most this.
    limit: float | None = None

    @property
    def contentOctets(self) -> int:
        """The size of one answer's content."""
        return SIZES[self.path]


CASES = (
    Case(
        name="reverse-1k",
        title="reverse, 1 KiB, 64 kept connections",
        path="/1k",
        ratios={"nginx": 2.0},
    ),
    Case(
        name="reverse-1k-paced",
        title="reverse, 1 KiB, 64 kept connections, the same rate for everybody",
        path="/1k",
        pauseMilliseconds=15,
    ),
    Case(
        name="reverse-64k",
        title="reverse, 64 KiB, 64 kept connections",
        path="/64k",
        ratios={"nginx": 1.0},
    ),
    Case(
        name="reverse-10m",
        title="reverse, 10 MiB, 16 kept connections",
        path="/10m",
        connections=16,
        ratios={"nginx": 0.6},
    ),
    Case(
        name="forward-1k",
        title="forward, absolute-form, 1 KiB, 64 kept connections",
        front="forward",
        path="/1k",
        ratios={"squid": 0.7},
    ),
    Case(
        name="pass-1k",
        title="reverse, 1 KiB that may not be stored, with a cache and without one",
        path="/1k",
        bypassed=True,
        also=("intermediary-uncached",),
        ratios={"intermediary-uncached": 1.05},
    ),
    Case(
        name="hit-1k",
        title="reverse, cache hit, 1 KiB, 64 kept connections",
        path="/kept-1k",
        cached=True,
        ratios={"nginx": 1.0},
    ),
    Case(
        name="hit-64k",
        title="reverse, cache hit, 64 KiB, 64 kept connections",
        path="/kept-64k",
        cached=True,
        ratios={"nginx": 1.0},
    ),
    Case(
        name="forward-hit-1k",
        title="forward, cache hit, absolute-form, 1 KiB, 64 kept connections",
        front="forward",
        path="/kept-1k",
        cached=True,
        ratios={"squid": 0.5},
    ),
    Case(
        name="connect-setup",
        title="CONNECT + small GET + close, 32 at once",
        front="forward",
        load=Load.SETUP,
        path="/1k",
        connections=32,
        ratios={"squid": 0.6},
    ),
    Case(
        name="connect-bulk",
        title="CONNECT, 64 MiB downloads through 4 tunnels",
        front="forward",
        load=Load.BULK,
        unit=Unit.SECONDS_PER_GIGABYTE,
        path="/64m",
        connections=4,
        ratios={"squid": 0.35},
    ),
    Case(
        name="idle",
        title="memory of a kept connection after one request",
        load=Load.IDLE,
        unit=Unit.OCTETS_PER_CONNECTION,
        path="/1k",
        connections=2000,
        limit=8192,
    ),
    Case(
        name="tls-hit-1k",
        title="reverse by TLS, cache hit, 1 KiB, 64 kept connections",
        path="/kept-1k",
        cached=True,
        secure=True,
        ratios={"nginx": 1.3},
    ),
    Case(
        name="tls-1k",
        title="reverse by TLS, 1 KiB, 64 kept connections",
        path="/1k",
        secure=True,
        ratios={"nginx": 2.2},
    ),
    Case(
        name="tls-64k",
        title="reverse by TLS, 64 KiB, 64 kept connections",
        path="/64k",
        secure=True,
        ratios={"nginx": 1.3},
    ),
    Case(
        name="tls-handshake",
        title="full TLS handshake, one cache hit of 1 KiB, close",
        load=Load.HANDSHAKES,
        path="/kept-1k",
        connections=1,
        cached=True,
        secure=True,
        ratios={"nginx": 1.3},
    ),
    Case(
        name="tls-resumed",
        title="resumed TLS handshake, one cache hit of 1 KiB, close",
        load=Load.HANDSHAKES,
        path="/kept-1k",
        connections=1,
        cached=True,
        secure=True,
        resumed=True,
        ratios={"nginx": 1.6},
    ),
    Case(
        name="tls-idle",
        title="memory of a kept TLS connection after one request",
        load=Load.IDLE,
        unit=Unit.OCTETS_PER_CONNECTION,
        path="/1k",
        connections=1000,
        secure=True,
        limit=40960,
    ),
)
