# -*- test-case-name: tests.policy -*-
"""
Exchanges without connections, for the tests of steps.

Heads are read by the real reader, so no test sees a request that none could be.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from intermediary.engine import Engine
from intermediary.exchange import Exchange, ForwardHead
from intermediary.front import Front
from intermediary.program import Program
from intermediary.settings import Limits, Timeouts
from intermediary.wire.http1 import RequestReader
from intermediary.wire.message import RequestHead

#: How the fronts of these tests call themselves.
PSEUDONYM = b"test"

DEFAULT_PEER = "192.0.2.7"

ENGINE = Engine(None, lambda: 1_000_000_000.0, PSEUDONYM)  # type: ignore[arg-type]


def head(*lines: bytes) -> RequestHead:
    """Read a request head; the empty line at its end is added."""
    [request, *_] = RequestReader(Limits()).receive(b"\r\n".join((*lines, b"", b"")))
    assert isinstance(request, RequestHead)
    return request


def exchangeOf(request: RequestHead | None, peerHost: str = DEFAULT_PEER) -> Exchange:
    """Make an exchange of a request."""
    # Nothing in these tests asks it for a program or an answer.
    unasked: Any = None
    refusal = Program("refusal", {})
    front = Front("site", Limits(), Timeouts(), ENGINE, unasked, unasked, refusal)
    downstream: Any = SimpleNamespace(connected=True, draining=False)
    return Exchange(front, downstream, request, peerHost, 0.0)


def asked(*lines: bytes, peerHost: str = DEFAULT_PEER) -> Exchange:
    """Make an exchange of the lines of a request head."""
    return exchangeOf(head(*lines), peerHost)


def derived(*lines: bytes, peerHost: str = DEFAULT_PEER) -> Exchange:
    """Make an exchange whose head to forward is derived already."""
    exchange = asked(*lines, peerHost=peerHost)
    ENGINE.derive(exchange)
    return exchange


def forwardOf(exchange: Exchange) -> ForwardHead:
    """The head to forward."""
    assert exchange.forward is not None
    return exchange.forward
