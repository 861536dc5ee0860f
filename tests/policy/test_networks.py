# -*- test-case-name: tests.policy.test_networks -*-
"""
Peers and networks.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.networks import REMEMBERED, Networks


class NetworksTests(SynchronousTestCase):
    """L{Networks}."""

    def test_whoIsInOne(self) -> None:
        """By address, of both families, also as a socket for both of them shows it."""
        networks = Networks(["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"])
        for peer in ("127.0.0.1", "10.255.0.1", "2001:DB8::7", "::ffff:10.1.2.3"):
            for _ in range(2):
                self.assertTrue(networks.has(peer), peer)
        for peer in ("127.0.0.2", "11.0.0.1", "::1", "2001:db9::", "::ffff:11.0.0.1"):
            for _ in range(2):
                self.assertFalse(networks.has(peer), peer)

    def test_whatIsNoAddressIsInNone(self) -> None:
        """As the peer of a UNIX socket; not even in all there are."""
        networks = Networks(["0.0.0.0/0", "::/0"])
        for peer in ("", "localhost", "10.0.0.1:80", "/run/x", "10.0.0.1 "):
            self.assertFalse(networks.has(peer), peer)

    def test_noNetworkHasNobody(self) -> None:
        """An empty list."""
        self.assertFalse(Networks().has("127.0.0.1"))

    def test_whatIsNoNetworkIsRefused(self) -> None:
        """C{ValueError} when it is made."""
        for bad in ("", "proxy.example", "198.51.100.0/33", "1.2.3", "*"):
            self.assertRaises(ValueError, Networks, [bad])

    def test_whatIsRememberedIsBounded(self) -> None:
        """However many peers come."""
        networks = Networks(["10.0.0.0/8"])
        for number in range(2 * REMEMBERED + 9):
            self.assertTrue(networks.has(f"10.0.{number // 256}.{number % 256}"))
            self.assertLessEqual(len(networks._remembered), REMEMBERED)
        self.assertFalse(networks.has("192.0.2.1"))
        self.assertFalse(networks.has("192.0.2.1"))
