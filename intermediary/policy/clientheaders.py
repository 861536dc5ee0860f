# -*- test-case-name: tests.policy.test_clientheaders -*-
"""
What the servers of a route hear of a client's certificate.

What is answered to one client by its certificate is not for another: requests with one go
past the cache, and leave nothing in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface import classImplements

from ..interfaces import IOnFetch
from ..program import FETCH
from ..wire.cachestatus import BYPASS, METHOD
from ..wire.clientcertificates import headersOf
from ..wire.reuse import UNSTORED
from .visit import Visit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..exchange import Exchange


class ClientHeaders:
    """Adds the fields that tell of it; what the client sent of them is gone by then."""

    def __init__(self, headers: Iterable[tuple[str, str]], seconds: Callable[[], float]) -> None:
        """
        @param headers: see L{ClientTLSSettings.headers
            <intermediary.settings.ClientTLSSettings>}.
        @param seconds: the clock.
        """
        self._headers = [(what, name.encode("ascii")) for what, name in headers]
        self._seconds = seconds

    def onLookup(self, exchange: Exchange) -> Any:
        """
        Send a request with a certificate past the cache.

        For other methods see L{Bypass.onLookup<intermediary.policy.bypass.Bypass.onLookup>}.
        """
        if exchange.clientCertificate is None:
            return None
        request = exchange.request
        assert request is not None
        method = request.method
        if method != b"GET" and method != b"HEAD" and method != b"POST":
            return None
        visit = exchange.visit = Visit(METHOD if method == b"POST" else BYPASS, self._seconds())
        visit.demand = UNSTORED
        return FETCH

    def onFetch(self, exchange: Exchange) -> None:
        """Tell of the client."""
        forward = exchange.forward
        assert forward is not None
        pairs = headersOf(exchange.clientCertificate, self._headers)
        if pairs:
            forward.fields = forward.fields.extended(pairs)


# Not as a decorator, which would keep the class from being compiled well.
classImplements(ClientHeaders, IOnFetch)
