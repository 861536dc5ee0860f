# -*- test-case-name: tests.net.test_pem -*-
"""
L{intermediary.net.pem}: what files of certificates and keys hold.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from intermediary.net.pem import (
    LARGEST_OCTETS,
    CertificateError,
    checkPair,
    hasKey,
    readCertificates,
    readFile,
    readKey,
    refusedBy,
)

from .certifying import authority, made

if TYPE_CHECKING:
    from collections.abc import Callable


class PEMTests(SynchronousTestCase):
    """Each mistake has its words, and a remedy."""

    def refused(self, message: str, read: Callable[..., Any], *arguments: Any) -> str:
        """
        Be refused with this message.

        @return: the remedy.
        """
        with self.assertRaises(CertificateError) as caught:
            read(*arguments)
        self.assertIn(message, caught.exception.message)
        self.assertTrue(caught.exception.remedy)
        self.assertIn(caught.exception.remedy, str(caught.exception))
        return str(caught.exception.remedy)

    def test_certificates(self) -> None:
        """All of a file, with whatever is around them."""
        one = made("a.example")
        octets = b"# mine\n" + authority().pem + one.key + one.pem
        self.assertEqual(
            readCertificates(octets), [authority().certificate, made("a.example").certificate]
        )
        self.refused("no certificate in it", readCertificates, b"hello")
        self.refused("no certificate in it", readCertificates, one.key)
        broken = one.pem.replace(b"MII", b"AAA", 1)
        self.refused("certificate that can't be read", readCertificates, authority().pem + broken)

    def test_keys(self) -> None:
        """One, which nobody has to type a password for."""
        one, other = made("a.example"), made("a.example", number=1)
        self.assertTrue(hasKey(one.both))
        self.assertFalse(hasKey(one.pem))
        checkPair([one.certificate], readKey(one.both))
        self.refused("no private key in it", readKey, one.pem)
        self.refused("more than one private key", readKey, one.key + other.key)
        self.refused("key that can't be read", readKey, one.key.replace(b"MI", b"AA", 1))
        remedy = self.refused("under a password", readKey, one.encryptedKey)
        self.assertIn("openssl pkey", remedy)
        old = (
            b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
            b"DEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"
        )
        self.refused("under a password", readKey, old)

    def test_keysOfOtherKinds(self) -> None:
        """What OpenSSL makes of them is seen when they are used."""
        key = ed25519.Ed25519PrivateKey.generate()
        octets = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.assertIsInstance(readKey(octets), ed25519.Ed25519PrivateKey)

    def test_pairs(self) -> None:
        """The key is that of the first certificate."""
        one, other = made("a.example"), made("a.example", number=1)
        chain = [authority().certificate, one.certificate]
        self.refused("own certificate first", checkPair, chain, one.privateKey)
        self.refused("is not for this key", checkPair, chain, other.privateKey)

    def test_files(self) -> None:
        """They have an end."""
        path = Path(self.mktemp())
        path.write_bytes(b"x" * LARGEST_OCTETS)
        self.assertEqual(len(readFile(str(path))), LARGEST_OCTETS)
        path.write_bytes(b"x" * (LARGEST_OCTETS + 1))
        self.refused("is larger than 1 MiB", readFile, str(path))
        path.unlink()
        self.assertRaises(OSError, readFile, str(path))

    def test_whatOpenSSLSays(self) -> None:
        """Its reasons are told."""
        error = refusedBy(SSL.Error([("SSL routines", "", "ee key too small")]))
        self.assertEqual(error.message, "is refused by OpenSSL (ee key too small)")
        self.assertIn("no reason given", refusedBy(SSL.Error()).message)
