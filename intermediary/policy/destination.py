# -*- test-case-name: tests.policy.test_destination -*-
"""
Where a request of a forward front goes: its target says so (RFC 9112 §3.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import NotAProxyRequest, RequestInvalid, SchemeNotServed
from ..exchange import Reply
from ..interfaces import Origin
from ..wire.fields import Fields
from ..wire.target import parseAuthority, readAbsolute

if TYPE_CHECKING:
    from ..exchange import Exchange
    from ..interfaces import IDestinationGuard, IOriginTLS
    from ..program import Program
    from ..wire.target import Target
    from .access import ConnectPorts

#: How many authorities' origins are remembered.
REMEMBERED = 4096

_PAGE = b"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>intermediary</title></head>
<body><h1>intermediary</h1><p>This is a forward proxy, and it works. Set it as the
HTTP proxy of your client to use it.</p></body></html>
"""

STATUS_PAGE_FIELDS = Fields.fromPairs(
    [(b"Content-Type", b"text/html; charset=utf-8"), (b"Cache-Control", b"no-store")]
)


def statusPage(exchange: Exchange) -> Reply:
    """
    Answer a request to the proxy itself.

    @raise NotAProxyRequest: it asks for anything but the page: most likely a
        client that takes a proxy for a web server.
    """
    request = exchange.request
    assert request is not None
    if request.target == b"/" and request.method in (b"GET", b"HEAD"):
        return Reply(200, STATUS_PAGE_FIELDS, _PAGE)
    raise NotAProxyRequest("a request without the absolute-form that a proxy needs")


class Destinations:
    """
    Chooses the program of a forward front, and the origin with it.

    C{CONNECT} gets the one, absolute-form the other, and what is addressed to
    the proxy itself the third.
    """

    def __init__(
        self,
        fetch: Program,
        tunnel: Program,
        itself: Program,
        guard: IDestinationGuard | None,
        ports: ConnectPorts,
        tls: IOriginTLS | None = None,
    ) -> None:
        """
        @param guard: what destinations are dialled under, None for no guard.
        @param ports: that for C{CONNECT}, by port.
        @param tls: what those of C{https} are reached by; None to leave them to
            C{CONNECT}.
        """
        self._fetch = fetch
        self._tunnel = tunnel
        self._itself = itself
        self._guard = guard
        self._ports = ports
        self._tls = tls
        #: By authority, and by the target of a C{CONNECT}.
        self._origins: dict[bytes, Origin] = {}
        self._secureOrigins: dict[bytes, Origin] = {}
        self._tunnels: dict[bytes, Origin] = {}

    def __call__(self, exchange: Exchange) -> Program:
        """
        Choose.

        @raise WireError: the target is neither form.
        @raise SchemeNotServed: it is of a scheme that is not served.
        """
        request = exchange.request
        assert request is not None
        if request.method == b"CONNECT":
            exchange.origin = self._tunnelTo(request.target)
            return self._tunnel
        if request.target.startswith(b"/") or request.target == b"*":
            return self._itself
        target = exchange.target = readAbsolute(request.target, request.method)
        if target.scheme != "http":
            exchange.origin = self._secure(target)
            return self._fetch
        origin = self._origins.get(target.authority)
        if origin is None:
            origin = Origin("http", target.host, target.port, guard=self._guard)
            _remember(self._origins, target.authority, origin)
        exchange.origin = origin
        return self._fetch

    def _secure(self, target: Target) -> Origin:
        """Find the origin of a target of C{https}."""
        if target.scheme != "https" or self._tls is None:
            raise SchemeNotServed(f"the scheme {target.scheme} is served by CONNECT alone")
        origin = self._secureOrigins.get(target.authority)
        if origin is None:
            origin = Origin("https", target.host, target.port, self._tls, guard=self._guard)
            _remember(self._secureOrigins, target.authority, origin)
        return origin

    def _tunnelTo(self, target: bytes) -> Origin:
        origin = self._tunnels.get(target)
        if origin is None:
            host, port = parseAuthority(target)
            if port is None:
                raise RequestInvalid("CONNECT needs HOST:PORT")
            origin = Origin("tunnel", host, port, guard=self._ports.guard(port))
            _remember(self._tunnels, target, origin)
        return origin


def _remember(known: dict[bytes, Origin], key: bytes, origin: Origin) -> None:
    """Keep an origin; all are forgotten when there are too many."""
    if len(known) >= REMEMBERED:
        known.clear()
    known[key] = origin
