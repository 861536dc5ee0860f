# -*- test-case-name: tests.ops -*-
"""Exchanges as the access log sees them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from intermediary.engine import Engine
from intermediary.exchange import Exchange
from intermediary.front import Front
from intermediary.program import Program
from intermediary.settings import Limits, Timeouts
from intermediary.wire.fields import Fields
from intermediary.wire.message import RequestHead

if TYPE_CHECKING:
    from intermediary.clientcertificate import ClientCertificate
    from intermediary.errors import IntermediaryError


def front(name: str = "egress") -> Front:
    """A front that the log asks for its name, and nobody for anything else."""
    unasked: Any = None
    engine = Engine(unasked, lambda: 0.0, b"test")
    return Front(name, Limits(), Timeouts(), engine, unasked, unasked, Program("refusal", {}))


def ended(
    method: bytes = b"GET",
    target: bytes = b"http://example.org/",
    fields: dict[bytes, bytes] | None = None,
    request: bool = True,
    certificate: ClientCertificate | None = None,
    **attributes: Any,
) -> Exchange:
    """
    An exchange that took 12.3 ms.

    @param request: whether it had a request at all.
    @param certificate: what the client has shown.
    @param attributes: of the exchange, to set.
    """
    head = None
    if request:
        pairs = [(b"Host", b"example.org"), *(fields or {}).items()]
        head = RequestHead(
            method, target, 11, Fields.fromPairs(pairs), 0, True, False, b"example.org"
        )
    downstream = SimpleNamespace(clientCertificate=certificate)
    exchange = Exchange(front(), cast("Any", downstream), head, "192.0.2.7", 100.0)
    exchange.ended = 100.0123
    exchange.status = 200
    exchange.octetsOut = 1024
    for name, value in attributes.items():
        setattr(exchange, name, value)
    return exchange


def failed(error: IntermediaryError) -> Exchange:
    """An exchange that ended with an error."""
    return ended(status=error.status, outcome=error.token, error=error)
