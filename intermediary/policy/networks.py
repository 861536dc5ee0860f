# -*- test-case-name: tests.policy.test_networks -*-
"""
Which peers are in a list of networks.

A peer is whoever is at the other end of the connection; what a message says of
anybody's address is no peer.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: How many peers are remembered as in or not.
REMEMBERED = 4096


def parsePeer(peer: str) -> IPv4Address | IPv6Address | None:
    """
    Read an address; None for what is none, as the peer of a UNIX socket.

    One that a socket for both families shows as C{::ffff:192.0.2.7} is of IPv4.
    """
    try:
        address = ip_address(peer)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


class Networks:
    """A list of networks."""

    __slots__ = ("_networks", "_remembered")

    def __init__(self, spelled: Iterable[str] = ()) -> None:
        """
        @param spelled: networks (CIDR) or addresses.
        @raise ValueError: one of them is neither.
        """
        self._networks = [ip_network(each, strict=False) for each in spelled]
        self._remembered: dict[str, bool] = {}

    def has(self, peer: str) -> bool:
        """Whether a peer's address is in one of them."""
        if not self._networks:
            return False
        known = self._remembered.get(peer)
        if known is None:
            address = parsePeer(peer)
            known = address is not None and any(address in each for each in self._networks)
            if len(self._remembered) >= REMEMBERED:
                self._remembered.clear()
            self._remembered[peer] = known
        return known
