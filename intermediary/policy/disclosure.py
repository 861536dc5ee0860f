# -*- test-case-name: tests.policy.test_disclosure -*-
"""
What a reverse front tells its servers about the client.

C{Forwarded} (RFC 7239) and the customary C{X-Forwarded-*} state the peer that
is really there.  What a client says of itself is dropped, unless the client is
a proxy that the operator trusts.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from zope.interface import classImplements

from ..interfaces import IOnFetch
from ..wire.forwarding import appendForwarded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..exchange import Exchange

#: How many peers' addresses are remembered as trusted or not.
REMEMBERED = 4096


def _parse(peer: str) -> IPv4Address | IPv6Address | None:
    """
    Read an address; None for what is none, as the peer of a UNIX socket.

    One that a socket for both families shows as C{::ffff:192.0.2.7} is of IPv4.
    """
    try:
        address = ip_address(peer)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


class Disclosure:
    """Sets C{Forwarded}, C{X-Forwarded-For}, C{-Proto} and C{-Host}."""

    def __init__(self, trustedProxies: Iterable[str] = ()) -> None:
        """
        @param trustedProxies: networks (CIDR) or addresses.
        @raise ValueError: one of them is neither.
        """
        self._networks = [ip_network(each, strict=False) for each in trustedProxies]
        self._remembered: dict[str, bool] = {}

    def trusts(self, peer: str) -> bool:
        """Whether a peer's own word is believed."""
        if not self._networks:
            return False
        known = self._remembered.get(peer)
        if known is None:
            address = _parse(peer)
            known = address is not None and any(address in each for each in self._networks)
            if len(self._remembered) >= REMEMBERED:
                self._remembered.clear()
            self._remembered[peer] = known
        return known

    def onFetch(self, exchange: Exchange) -> None:
        """Tell of the client; kept on the fields that it was derived from."""
        forward = exchange.forward
        assert forward is not None
        fields = forward.fields
        peer = exchange.peerHost
        memo = fields.derived
        if memo is not None and memo[0] is self and memo[1] is peer:
            forward.fields = memo[2]
            return
        address = _parse(peer)
        spelled = "" if address is None else str(address)
        scheme = b"https" if exchange.secure else b"http"
        disclosed = appendForwarded(fields, spelled, fields.get(b"host"), scheme, self.trusts(peer))
        fields.derived = (self, peer, disclosed)
        forward.fields = disclosed


# Not as a decorator, which would keep the class from being compiled well.
classImplements(Disclosure, IOnFetch)
