# -*- test-case-name: tests.net.test_sni -*-
"""
L{intermediary.net.sni}: what clients ask for.
"""

from __future__ import annotations

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from intermediary.net.sni import isWhole, nameIn

from .tlspeers import MemoryClient


class NameTests(SynchronousTestCase):
    """Reading greetings."""

    def test_theName(self) -> None:
        """Of clients of all versions, whatever they offer."""
        for highest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            octets = MemoryClient(b"A.Example", (b"h2",), highest=highest).speaks()
            self.assertTrue(isWhole(octets))
            self.assertEqual(nameIn(octets), "a.example")

    def test_noName(self) -> None:
        """Clients that ask for none, or whose greeting is not all there."""
        octets = MemoryClient().speaks()
        self.assertEqual(nameIn(octets), "")
        octets = MemoryClient(b"a.example").speaks()
        for count in (1, 4, 5, len(octets) - 1):
            self.assertFalse(isWhole(octets[:count]), count)
            self.assertEqual(nameIn(octets[:count]), "")
        self.assertEqual(nameIn(octets + b"more"), "a.example")

    def test_garbage(self) -> None:
        """It asks for nothing, and is no greeting."""
        for octets in (
            b"\x16" + bytes(300),
            b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
            b"x" * 99,
        ):
            self.assertEqual(nameIn(octets), "")
        self.assertTrue(isWhole(b"\x16\x03\x01\x00\x00"))
