# -*- test-case-name: tests.policy.test_balancing -*-
"""
Which server of an upstream an attempt goes to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from zope.interface import classImplements

from ..errors import DestinationUnavailable, Retry
from ..interfaces import IBalancer, IOnFetch, Origin
from ..wire.target import DEFAULT_PORTS, hostToASCII

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..exchange import Exchange


class Peer:
    """One server of an upstream."""

    __slots__ = ("origin",)

    def __init__(self, origin: Origin) -> None:
        self.origin = origin

    @classmethod
    def fromURL(cls, url: str, tls: Any = None) -> Peer:
        """
        Make a peer from C{http://HOST[:PORT]}, C{https://HOST[:PORT]} or C{tcp://HOST:PORT}.

        @param tls: the L{IOriginTLS} for C{https}.
        @raise ValueError: it is anything else.
        """
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
        extras = parts.path.removeprefix("/") or "?" in url or "#" in url or "@" in url
        if scheme == "tcp":
            if not host or not port or extras:
                raise ValueError(f"not tcp://HOST:PORT: {url!r}")
            return cls(Origin(scheme, hostToASCII(host), port))
        if scheme not in DEFAULT_PORTS or not host or extras:
            raise ValueError(f"not http://HOST[:PORT] or https://HOST[:PORT]: {url!r}")
        if scheme == "http":
            tls = None
        elif tls is None:
            raise ValueError(f"no TLS to reach it: {url!r}")
        if port is None:
            port = DEFAULT_PORTS[scheme]
        return cls(Origin(scheme, hostToASCII(host), port, tls))

    def __repr__(self) -> str:
        return f"<Peer {self.origin}>"


class RoundRobin:
    """Each exchange begins with the peer after the one before it began with."""

    def __init__(self, peers: Sequence[Peer]) -> None:
        if not peers:
            raise ValueError("an upstream needs at least one server")
        self.peers = tuple(peers)
        self._next = 0

    def candidates(self, exchange: Exchange) -> Iterator[Peer]:
        """See L{IBalancer.candidates}."""
        peers = self.peers
        start = self._next
        self._next = (start + 1) % len(peers)
        return iter(peers) if not start else iter(peers[start:] + peers[:start])


# Not as a decorator, which would keep the class from being compiled well.
classImplements(RoundRobin, IBalancer)


class Upstream:
    """
    A named group of peers under one balancer.

    Fronts that use the same upstream share the object.
    """

    def __init__(self, name: str, balancer: Any) -> None:
        self.name = name
        self.balancer = balancer

    def onFetch(self, exchange: Exchange) -> None:
        """
        Point the attempt at a peer: at another one each time, if there is one.

        @raise IntermediaryError: what the last attempt failed with, where
            another attempt on the same peer would be no better.
        """
        candidates = exchange.candidates
        if candidates is None:
            exchange.upstreamName = self.name
            candidates = exchange.candidates = self.balancer.candidates(exchange)
        peer = next(candidates, None)
        if peer is not None:
            exchange.origin = peer.origin
            return
        exchange.candidates = None
        error = exchange.error
        if error is None:
            raise DestinationUnavailable(f"no server of {self.name} is available")
        if getattr(error, "retry", Retry.NEVER) is not Retry.IF_REUSED:
            raise error

    def __repr__(self) -> str:
        return f"<Upstream {self.name} {self.balancer!r}>"


classImplements(Upstream, IOnFetch)


class HostField:
    """
    What C{Host} the server sees.

    Behind L{Upstream}: where the client's is not preserved, or it sent none
    (HTTP/1.0), it is the authority of the peer.
    """

    def __init__(self, preserve: bool) -> None:
        self.preserve = preserve

    def onFetch(self, exchange: Exchange) -> None:
        """Set the field where that is called for."""
        forward = exchange.forward
        origin = exchange.origin
        assert forward is not None
        assert origin is not None
        fields = forward.fields
        if self.preserve and b"host" in fields.index:
            return
        memo = fields.derived
        if memo is None or memo[0] is not self or memo[1] is not origin:
            memo = (self, origin, fields.setting(b"Host", origin.authority))
            fields.derived = memo
        forward.fields = memo[2]


classImplements(HostField, IOnFetch)
