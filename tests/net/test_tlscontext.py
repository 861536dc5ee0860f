# -*- test-case-name: tests.net.test_tlscontext -*-
"""
L{intermediary.net.tlscontext}: which versions and ciphers a profile speaks.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from intermediary.net.tlscontext import PROFILES, agree, makeContext

from .certifying import made
from .tlspeers import MemoryClient, meet, reasons

SITE = made("a.example")


def serving(profile: str, site: Any = SITE) -> Any:
    """A server's connection of a profile."""
    context = makeContext(profile)
    context.use_certificate(site.certificate)
    context.use_privatekey(site.privateKey)
    connection = SSL.Connection(context, None)
    connection.set_accept_state()
    return connection


class ProfileTests(SynchronousTestCase):
    """What is agreed on, and with whom nothing is."""

    def test_theNewestVersionIsSpoken(self) -> None:
        """Whatever the profile."""
        for profile in PROFILES:
            server = serving(profile)
            self.assertIsNone(meet(MemoryClient(), server))
            self.assertEqual(server.get_protocol_version_name(), "TLSv1.3")

    def test_intermediateSpeaksTheOneBefore(self) -> None:
        """TLS 1.2 with ephemeral keys and authenticated encryption."""
        server = serving("intermediate")
        self.assertIsNone(meet(MemoryClient(highest=SSL.TLS1_2_VERSION), server))
        self.assertEqual(server.get_protocol_version_name(), "TLSv1.2")
        self.assertIn("GCM", server.get_cipher_name())
        self.assertIn("ECDHE", server.get_cipher_name())

    def test_modernDoesNot(self) -> None:
        """Clients of TLS 1.2 are refused."""
        failed = meet(MemoryClient(highest=SSL.TLS1_2_VERSION), serving("modern"))
        self.assertIn("unsupported protocol", reasons(failed))

    def test_nothingWeakIsAgreedOn(self) -> None:
        """No CBC, no static RSA, no DHE (Mozilla's intermediate has no CBC either)."""
        site = made("a.example", kind="RSA")
        for ciphers in (b"ECDHE-RSA-AES128-SHA", b"AES128-GCM-SHA256", b"AES256-SHA"):
            client = MemoryClient(highest=SSL.TLS1_2_VERSION, ciphers=ciphers + b":@SECLEVEL=0")
            failed = meet(client, serving("intermediate", site))
            self.assertIn("no shared cipher", reasons(failed), ciphers)

    def test_compatibleSpeaksOldOnes(self) -> None:
        """TLS 1.0 and 1.1 where OpenSSL can, and the ciphers that these have."""
        for highest in (SSL.TLS1_VERSION, SSL.TLS1_1_VERSION):
            client = MemoryClient(
                highest=highest, lowest=SSL.TLS1_VERSION, ciphers=b"ALL:@SECLEVEL=0"
            )
            server = serving("compatible", made("a.example", kind="RSA"))
            self.assertIsNone(meet(client, server))
            self.assertIn(server.get_protocol_version_name(), ("TLSv1", "TLSv1.1"))
            refusing = serving("intermediate", made("a.example", kind="RSA"))
            again = MemoryClient(
                highest=highest, lowest=SSL.TLS1_VERSION, ciphers=b"ALL:@SECLEVEL=0"
            )
            self.assertIsNotNone(meet(again, refusing))

    def test_ourOrderCounts(self) -> None:
        """RFC 7301 §3.2: of protocols it is the server that chooses, and none is none."""
        spoken = (b"h2", b"http/1.1")
        self.assertEqual(agree(spoken, [b"http/1.1", b"smtp", b"h2"]), b"h2")
        self.assertEqual(agree(spoken, [b"smtp", b"http/1.1"]), b"http/1.1")
        error = self.assertRaises(SSL.Error, agree, spoken, [b"smtp"])
        self.assertIn("no application protocol in common", reasons(error))

    def test_thereAreNoOthers(self) -> None:
        """A name that is none is a mistake."""
        self.assertRaises(KeyError, makeContext, "old")
