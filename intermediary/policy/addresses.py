# -*- test-case-name: tests.policy.test_addresses -*-
"""
What an IP address is for: public, or one of the many kinds that are not.

By the IANA registries of special-purpose addresses (RFC 6890), what is known of
the clouds' metadata services, and the forms in which IPv6 carries an IPv4 address
to somewhere else.  Pure functions; nothing is looked up.
"""

from __future__ import annotations

import socket
from ipaddress import ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What addresses are called at which a cloud tells a machine its credentials.
METADATA = "metadata"

# Addresses at which clouds tell a machine its credentials.  Most are link-local
# or private as well; the name makes a log line worth reading.
_METADATA = (
    "169.254.169.254/32",  # nearly all of them
    "169.254.169.253/32",  # AWS: resolver
    "169.254.170.2/32",  # AWS: ECS task credentials
    "169.254.170.23/32",  # AWS: EKS pod identity
    "169.254.42.42/32",  # Scaleway
    "100.100.100.200/32",  # Alibaba Cloud: within the shared range
    "168.63.129.16/32",  # Azure: a public address that only machines there reach
    "192.0.0.192/32",  # Oracle Cloud
    "fd00:ec2::254/128",  # AWS
    "fd00:ec2::23/128",  # AWS: EKS pod identity
    "fd00:42::42/128",  # Scaleway
    "fd20:ce::254/128",  # Google Cloud
)

_IPV4 = (
    ("unspecified", "0.0.0.0/32"),  # reaches this host, on most systems
    ("reserved", "0.0.0.0/8"),
    ("private", "10.0.0.0/8"),  # RFC 1918
    ("shared", "100.64.0.0/10"),  # RFC 6598
    ("loopback", "127.0.0.0/8"),
    ("link-local", "169.254.0.0/16"),  # RFC 3927
    ("private", "172.16.0.0/12"),
    ("reserved", "192.0.0.0/24"),  # RFC 6890
    ("documentation", "192.0.2.0/24"),  # RFC 5737
    ("reserved", "192.88.99.0/24"),  # RFC 7526
    ("private", "192.168.0.0/16"),
    ("benchmark", "198.18.0.0/15"),  # RFC 2544
    ("documentation", "198.51.100.0/24"),
    ("documentation", "203.0.113.0/24"),
    ("multicast", "224.0.0.0/4"),
    ("broadcast", "255.255.255.255/32"),
    ("reserved", "240.0.0.0/4"),
)

# RFC 4291 §2.4: what is not in here or in 2000::/3 is not assigned, and reserved.
_IPV6 = (
    ("unspecified", "::/128"),
    ("loopback", "::1/128"),
    ("discard", "100::/64"),  # RFC 6666
    ("nat64", "64:ff9b:1::/48"),  # RFC 8215: where the IPv4 address is, is local knowledge
    ("benchmark", "2001:2::/48"),  # RFC 5180
    ("documentation", "2001:db8::/32"),  # RFC 3849
    ("documentation", "3fff::/20"),  # RFC 9637
    ("unique-local", "fc00::/7"),  # RFC 4193
    ("link-local", "fe80::/10"),
    ("site-local", "fec0::/10"),  # RFC 3879
    ("multicast", "ff00::/8"),
)

_GLOBAL_UNICAST = 0b001

_Rule = tuple[int, int, str]


def _rules(bits: int, table: Iterable[tuple[str, str]]) -> list[_Rule]:
    """Compile networks to C{(shift, prefix, name)}, the narrowest first."""
    rules = []
    for name, spelled in table:
        network = ip_network(spelled)
        if network.max_prefixlen == bits:
            shift = bits - network.prefixlen
            rules.append((shift, int(network.network_address) >> shift, name))
    return sorted(rules)


_METADATA_TABLE = [(METADATA, spelled) for spelled in _METADATA]
_RULES6 = _rules(128, [*_METADATA_TABLE, *_IPV6])


def _byFirstOctet(rules: list[_Rule]) -> list[tuple[_Rule, ...]]:
    """Most first octets have no rule at all: a public address costs one look."""
    return [
        tuple(
            rule
            for rule in rules
            # A rule wider than the octet names a range of octets.
            if (rule[1] << rule[0]) >> 24 <= octet <= (((rule[1] + 1) << rule[0]) - 1) >> 24
        )
        for octet in range(256)
    ]


_RULES4 = _byFirstOctet(_rules(32, [*_METADATA_TABLE, *_IPV4]))


def _classify4(number: int) -> str | None:
    for shift, prefix, name in _RULES4[number >> 24]:
        if number >> shift == prefix:
            return name
    return None


def _classify6(number: int) -> str | None:
    for shift, prefix, name in _RULES6:
        if number >> shift == prefix:
            return name
    low = number & 0xFFFF_FFFF
    high = number >> 32
    if number >> 125 == _GLOBAL_UNICAST:
        if number >> 112 == 0x2002:  # 6to4, RFC 3056
            return _classify4(number >> 80 & 0xFFFF_FFFF)
        if number >> 96 == 0x2001_0000:  # Teredo, RFC 4380 §4: the server, and the client inverted
            return _classify4(number >> 64 & 0xFFFF_FFFF) or _classify4(low ^ 0xFFFF_FFFF)
        if number >> 105 == 0x2001_0000 >> 9:  # RFC 2928: protocol assignments
            return "reserved"
        if high & 0xFDFF_FFFF == 0x0000_5EFE:  # ISATAP, RFC 5214 §6.1
            return _classify4(low)
        return None
    if high == 0x0064_FF9B << 64:  # NAT64, RFC 6052 §2.1
        return _classify4(low)
    # In all of these the IPv4 address says where it leads, but nobody has
    # reason to spell a public one like this.
    if high == 0xFFFF:
        return _classify4(low) or "v4-mapped"
    if high == 0xFFFF_0000:
        return _classify4(low) or "v4-translated"
    if high == 0:
        return _classify4(low) or "v4-compatible"
    return "reserved"


#: What L{parse} found lately: the guard is asked of each connection, and most
#: connections go to few places.
_parsed: dict[str, tuple[int, int]] = {}
PARSED_LIMIT = 1024


def parse(address: str) -> tuple[int, int]:
    """
    Read an address.

    @return: its version and its number; a zone (C{%eth0}) is left out.
    @raise OSError: if it is none.
    @raise ValueError: likewise.
    """
    known = _parsed.get(address)
    if known is not None:
        return known
    if ":" in address:
        octets = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
        known = (6, int.from_bytes(octets, "big"))
    else:
        known = (4, int.from_bytes(socket.inet_pton(socket.AF_INET, address), "big"))
    if len(_parsed) >= PARSED_LIMIT:
        _parsed.clear()
    _parsed[address] = known
    return known


def classify(address: str) -> str | None:
    """
    Say what an address is, if it is not simply a public one.

    @param address: IPv4 or IPv6, as C{inet_pton} reads it; a zone is ignored.
    @return: C{"loopback"}, C{"private"}, C{"link-local"}, C{"metadata"}, ... ;
        C{"unknown"} for what is no address; None for a public one.
    """
    try:
        version, number = parse(address)
    except (OSError, ValueError):
        return "unknown"
    return _classify4(number) if version == 4 else _classify6(number)


def isLoopback(address: str) -> bool:
    """
    Tell whether an address leads to this machine itself.

    Stricter than L{classify}, which also calls addresses "loopback" that carry
    such an IPv4 address to a translator or relay somewhere else.
    """
    try:
        version, number = parse(address)
    except (OSError, ValueError):
        return False
    if version == 6:
        if number >> 32 != 0xFFFF:
            return number == 1
        number &= 0xFFFF_FFFF
    return number >> 24 == 127
