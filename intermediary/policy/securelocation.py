# -*- test-case-name: tests.policy.test_securelocation -*-
"""
Requests that came without TLS are sent to the same place with it.

Where that is says C{Host}, which anybody may write: so it has to be a host that the
front serves, and what is written down is not the client's spelling of it.  The target
goes behind a scheme and an authority, where whatever it begins with is a path.
"""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from ..errors import MethodNotAllowed, Misdirected
from ..exchange import Reply
from ..wire.fields import Fields
from ..wire.target import DEFAULT_PORTS, parseAuthority, readAbsolute

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..exchange import Exchange
    from ..wire.fields import Pair

#: The statuses of redirects that caches may keep without being told (RFC 9110 §15.1).
_PERMANENT = (301, 308)


class SecureLocation:
    """Redirects to one front that speaks TLS."""

    __slots__ = ("_more", "_port", "_serves", "_status")

    def __init__(
        self, serves: Callable[[str], bool], port: int, status: int, maxAgeSeconds: int = 0
    ) -> None:
        """
        @param serves: tells whether a host is one of the front's; it is asked for names
            in lower case without a dot at their end, and for addresses without brackets.
        @param port: at which clients reach the front.
        @param status: 308, which keeps methods as they are (RFC 9110 §15.4.9), or another
            of the kind.
        @param maxAgeSeconds: for how long one is remembered that is permanent; 0 for as
            long as clients like, which may be for ever.
        """
        self._serves = serves
        self._port = b"" if port == DEFAULT_PORTS["https"] else b":%d" % port
        self._status = status
        self._more: tuple[Pair, ...] = ()
        if maxAgeSeconds and status in _PERMANENT:
            self._more = ((b"Cache-Control", b"max-age=%d" % maxAgeSeconds),)

    def redirect(self, exchange: Exchange) -> Reply:
        """
        Say where it is.

        @raise WireError: the target is an absolute one that is not valid.
        @raise Misdirected: no host is asked for, or none of ours.
        @raise MethodNotAllowed: it is C{CONNECT}, which asks for no resource, or
            C{TRACE}, which is about the way to here.
        """
        request = exchange.request
        assert request is not None
        method = request.method
        if method == b"CONNECT" or method == b"TRACE":
            raise MethodNotAllowed(f"{method.decode()} is not redirected")
        target, authority = request.target, request.host
        if not target.startswith(b"/") and target != b"*":
            # RFC 9112 §3.2.2: its authority wins.
            absolute = exchange.target = readAbsolute(target, method)
            target, authority = absolute.path, absolute.authority
        if authority is None:
            raise Misdirected("a request for no host can't be redirected")
        host = parseAuthority(authority)[0].removesuffix(".")
        if ":" in host:
            host = IPv6Address(host).compressed
        if not self._serves(host):
            raise Misdirected(f"no route and no certificate for {host!r}")
        spelled = f"[{host}]" if ":" in host else host
        # RFC 9112 §3.2.4: the URI of an asterisk has no path.
        path = b"" if target == b"*" else target
        location = b"https://%b%b%b" % (spelled.encode("ascii"), self._port, path)
        return Reply(self._status, Fields.fromPairs([(b"Location", location), *self._more]))


__all__ = ["SecureLocation"]
