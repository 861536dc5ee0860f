# -*- test-case-name: tests.policy.test_hops -*-
"""
Requests that went round, or should not go further (RFC 9110 §7.6.2, §7.6.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import classImplements

from ..errors import LoopDetected
from ..exchange import Reply
from ..interfaces import IOnFetch, IOnRequest
from ..wire.fields import Fields
from ..wire.forwarding import maxForwards, viaContains

if TYPE_CHECKING:
    from ..exchange import Exchange

#: What a TRACE that ends here does not show: RFC 9110 §9.3.8 asks to leave out
#: what is sensitive.
_SENSITIVE = frozenset((b"authorization", b"cookie", b"proxy-authorization"))

#: What a gateway passes on: any method that is not only for proxies.
GATEWAY_METHODS = b"GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"
PROXY_METHODS = GATEWAY_METHODS + b", CONNECT, TRACE"


class Hops:
    """Stops loops, and counts C{Max-Forwards} down."""

    def __init__(self, pseudonym: bytes, methods: bytes = PROXY_METHODS) -> None:
        """
        @param pseudonym: how this front calls itself in C{Via}.
        @param methods: what it allows, to be told as C{Allow}.
        """
        self.pseudonym = pseudonym
        self.methods = methods

    def onRequest(self, exchange: Exchange) -> Reply | None:
        """
        Refuse a request that was here before; be the recipient of the last hop.

        @raise LoopDetected: C{Via} has our own pseudonym.
        """
        request = exchange.request
        assert request is not None
        fields = request.fields
        if b"via" in fields.index and viaContains(fields, self.pseudonym):
            raise LoopDetected("our own pseudonym is in Via")
        if request.method in (b"TRACE", b"OPTIONS") and maxForwards(fields) == 0:
            if request.method == b"OPTIONS":
                return Reply(200, Fields.fromPairs([(b"Allow", self.methods)]))
            shown = fields.without(_SENSITIVE).encoded
            line = b"%b %b HTTP/1.%d\r\n" % (
                request.method,
                request.target,
                request.version - 10,
            )
            return Reply(
                200,
                Fields.fromPairs([(b"Content-Type", b"message/http")]),
                line + shown + b"\r\n",
            )
        return None

    def onFetch(self, exchange: Exchange) -> None:
        """Take one off what is left of C{Max-Forwards}."""
        forward = exchange.forward
        assert forward is not None
        if forward.method in (b"TRACE", b"OPTIONS"):
            left = maxForwards(forward.fields)
            if left is not None:
                forward.fields = forward.fields.setting(b"Max-Forwards", b"%d" % (left - 1))


# Not as a decorator, which would keep the class from being compiled well.
classImplements(Hops, IOnRequest, IOnFetch)
