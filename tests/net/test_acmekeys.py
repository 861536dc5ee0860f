# -*- test-case-name: tests.net.test_acmekeys -*-
"""
L{intermediary.net.acmekeys}: keys, requests, and certificates that nobody vouches for.
"""

from __future__ import annotations

import datetime as dt
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.trial.unittest import SynchronousTestCase

from intermediary.net.acmekeys import (
    PLACEHOLDER,
    challengeCertificate,
    keyPEM,
    makeKey,
    placeholder,
    requestFor,
)
from intermediary.net.certificates import readCertificate
from intermediary.net.pem import readKey

NOW = dt.datetime(2026, 12, 1, 12, tzinfo=dt.UTC)


class KeyTests(SynchronousTestCase):
    """The two kinds."""

    def test_kinds(self) -> None:
        """P-256, and RSA of 2048 bits; written so that we can read them."""
        curve = makeKey("EC")
        self.assertIsInstance(curve.curve, ec.SECP256R1)
        long = makeKey("RSA")
        self.assertIsInstance(long, rsa.RSAPrivateKey)
        self.assertEqual(long.key_size, 2048)
        for key in (curve, long):
            self.assertEqual(readKey(keyPEM(key)).private_numbers(), key.private_numbers())

    def test_eachIsAnother(self) -> None:
        """No key is used twice."""
        self.assertNotEqual(keyPEM(makeKey("EC")), keyPEM(makeKey("EC")))


class CertificateTests(SynchronousTestCase):
    """What is made with them."""

    def setUp(self) -> None:
        self.key = makeKey("EC")

    def test_request(self) -> None:
        """For the name, and signed."""
        request = x509.load_pem_x509_csr(requestFor("a.example", self.key))
        self.assertTrue(request.is_signature_valid)
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertEqual(names.get_values_for_type(x509.DNSName), ["a.example"])
        self.assertEqual(list(request.subject), [])

    def test_placeholder(self) -> None:
        """For all the names, and known for what it is."""
        made = placeholder(["a.example", "b.example"], self.key, NOW)
        octets = made.public_bytes(Encoding.PEM) + keyPEM(self.key)
        found = readCertificate(octets, octets, "")
        self.assertEqual(found.names, ("a.example", "b.example"))
        self.assertEqual(str(next(iter(made.subject)).value), PLACEHOLDER)
        self.assertIsNone(found.oddity(NOW))

    def test_challenge(self) -> None:
        """RFC 8737 §3: one name, and the hash of the key authorization, critical."""
        made = challengeCertificate("a.example", "token.thumbprint", self.key, NOW)
        names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertEqual(names.get_values_for_type(x509.DNSName), ["a.example"])
        oid = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
        extension = made.extensions.get_extension_for_oid(oid)
        self.assertTrue(extension.critical)
        assert isinstance(extension.value, x509.UnrecognizedExtension)
        self.assertEqual(extension.value.value, b"\x04\x20" + sha256(b"token.thumbprint").digest())
        made.verify_directly_issued_by(made)
