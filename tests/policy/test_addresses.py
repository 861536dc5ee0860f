# -*- test-case-name: tests.policy.test_addresses -*-
# mypy: disallow-untyped-calls=False
"""
Tests for L{intermediary.policy.addresses}: what an address is.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy import addresses as remembering
from intermediary.policy.addresses import METADATA, classify, isLoopback

CLASSES = {
    "loopback": ["127.0.0.1", "127.0.0.2", "127.255.255.255", "::1", "0:0:0:0:0:0:0:1"],
    "unspecified": ["0.0.0.0", "::"],
    "link-local": ["169.254.0.1", "169.254.255.255", "fe80::1", "febf::1", "fe80::1%eth0"],
    "private": [
        "10.0.0.0",
        "10.255.255.255",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "192.168.255.255",
    ],
    "shared": ["100.64.0.0", "100.127.255.255"],
    "unique-local": ["fc00::1", "fd12:3456::1"],
    "site-local": ["fec0::1", "feff::1"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1"],
    "broadcast": ["255.255.255.255"],
    "reserved": [
        "0.0.0.1",
        "192.0.0.1",
        "192.88.99.1",
        "240.0.0.1",
        "255.255.255.254",
        "2001:1::1",
        "2001:1ff::1",
        "1::1",
        "4000::1",
        "e000::1",
    ],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff:fff::1"],
    "benchmark": ["198.18.0.1", "198.19.255.255", "2001:2::1"],
    "discard": ["100::1"],
    "nat64": ["64:ff9b:1::1", "64:ff9b:1:ffff::8.8.8.8"],
    METADATA: [
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd20:ce::254",
        "::ffff:169.254.169.254",
    ],
    "v4-mapped": ["::ffff:8.8.8.8", "::ffff:808:808"],
    "v4-compatible": ["::8.8.8.8"],
    "v4-translated": ["::ffff:0:8.8.8.8"],
    "unknown": [
        "",
        "localhost",
        "127.1",
        "0x7f.0.0.1",
        "2130706433",
        "::g",
        "1.2.3.4.5",
        "127.0.0.01",
    ],
}

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2606:4700::1111",
    "2a00:1450::1",
]

#: Forms that carry an IPv4 address, as functions of its number.
CARRIERS = {
    "v4-mapped": lambda v4: 0xFFFF << 32 | v4,
    "v4-compatible": lambda v4: v4,
    "v4-translated": lambda v4: 0xFFFF_0000 << 32 | v4,
    "NAT64": lambda v4: 0x64_FF9B << 96 | v4,
    "6to4": lambda v4: 0x2002 << 112 | v4 << 80 | 1,
    "Teredo client": lambda v4: (
        0x2001_0000 << 96 | 0x0808_0808 << 64 | 0x8000 << 48 | (v4 ^ 0xFFFF_FFFF)
    ),
    "Teredo server": lambda v4: 0x2001_0000 << 96 | v4 << 64 | 0xF7F7_F7F7,
    "ISATAP": lambda v4: 0x2606_4700 << 96 | 0x0000_5EFE << 32 | v4,
    "ISATAP, universal": lambda v4: 0x2606_4700 << 96 | 0x0200_5EFE << 32 | v4,
}


class ClassificationTests(SynchronousTestCase):
    """Tests for L{classify}."""

    def test_everySpecialRangeHasItsName(self) -> None:
        """The ranges of the special-purpose registries (RFC 6890), first and last."""
        for name, addresses in CLASSES.items():
            for address in addresses:
                self.assertEqual((address, classify(address)), (address, name))

    def test_publicAddressesHaveNone(self) -> None:
        """Neighbours of special ranges, and well-known public servers."""
        for address in PUBLIC:
            self.assertEqual((address, classify(address)), (address, None))

    def test_embeddedAddressDecides(self) -> None:
        """An IPv6 address that carries an inner IPv4 address leads there."""
        for form, carrier in CARRIERS.items():
            for inner, name in [("127.0.0.1", "loopback"), ("10.1.2.3", "private")]:
                address = str(IPv6Address(carrier(int(IPv4Address(inner)))))
                # ::127.0.0.1 and the like are read by the same rule.
                self.assertEqual((form, classify(address)), (form, name))

    def test_publicAddressBehindTranslatorIsPublic(self) -> None:
        """RFC 6052 §2.1: hosts with IPv6 alone reach the IPv4 internet by NAT64."""
        for form in ["NAT64", "6to4", "Teredo client", "ISATAP"]:
            address = str(IPv6Address(CARRIERS[form](0x0808_0808)))
            self.assertEqual((form, classify(address)), (form, None))

    @given(st.integers(0, 2**32 - 1))
    def test_agreesWithTheStandardLibraryOnIPv4(self, number: int) -> None:
        """Nothing that Python's registry calls not global passes."""
        address = IPv4Address(number)
        if not address.is_global or address.is_multicast:
            self.assertIsNotNone(classify(str(address)))

    @given(st.integers(0, 2**128 - 1) | st.integers(0b001 << 125, (0b010 << 125) - 1))
    def test_agreesWithTheStandardLibraryOnIPv6(self, number: int) -> None:
        """Likewise; what it calls global and translates is looked into besides."""
        address = IPv6Address(number)
        # RFC 7723, RFC 7954 and others: parts of 2001::/23 that we refuse whole.
        if not address.is_global or address.is_multicast or address.is_site_local:
            self.assertIsNotNone(classify(str(address)))

    def test_loopbackIsExact(self) -> None:
        """What a translator elsewhere would make of 127.0.0.1 is not this host."""
        for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]:
            self.assertTrue(isLoopback(address), address)
        for address in ["128.0.0.1", "::2", "64:ff9b::127.0.0.1", "::127.0.0.1", "localhost", ""]:
            self.assertFalse(isLoopback(address), address)


class MemoryTests(SynchronousTestCase):
    """Tests for what is remembered of addresses."""

    def test_anAddressMeansTheSameAgain(self) -> None:
        """What was read before is judged as if it were new; what is none is read anew."""
        for _ in range(3):
            self.assertEqual("loopback", classify("127.0.0.1"))
            self.assertEqual("unknown", classify("127.1"))
            self.assertTrue(isLoopback("::1"))
            self.assertFalse(isLoopback("::1::"))
        self.assertNotIn("127.1", remembering._parsed)

    def test_memoryIsBounded(self) -> None:
        """However many different ones are asked for."""
        for number in range(2 * remembering.PARSED_LIMIT):
            classify(f"10.0.{number >> 8}.{number & 255}")
            self.assertLessEqual(len(remembering._parsed), remembering.PARSED_LIMIT)
        self.assertEqual("private", classify("10.0.0.0"))
