# -*- test-case-name: tests.net.test_certificates -*-
"""
L{intermediary.net.certificates}: what is read, what is refused, what is found.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from intermediary.net.certificates import ByName, Certificate, equip, readCertificate
from intermediary.net.pem import CertificateError
from intermediary.net.tlscontext import makeContext

from .certifying import Made, authority, made
from .tlspeers import MemoryClient, meet


def read(one: Made, chain: bytes = b"", source: str = "site.pem") -> Certificate:
    """Read what was made."""
    return readCertificate(one.pem + chain, one.key, source)


class ReadingTests(SynchronousTestCase):
    """PEM to certificates."""

    def refused(self, message: str, *arguments: Any) -> str:
        """
        Be refused with this message.

        @return: the remedy.
        """
        with self.assertRaises(CertificateError) as caught:
            readCertificate(*arguments)
        self.assertIn(message, caught.exception.message)
        self.assertTrue(caught.exception.remedy)
        return str(caught.exception.remedy)

    def test_certificateAndKey(self) -> None:
        """Names are those that clients may ask for, in lower case."""
        one = made("A.example", "*.B.example")
        found = read(one)
        self.assertEqual(found.names, ("a.example", "*.b.example"))
        self.assertEqual(found.kind, "EC")
        self.assertEqual(found.leaf, one.certificate)
        self.assertEqual(found.chain, ())
        self.assertEqual(repr(found), "<Certificate EC a.example *.b.example of site.pem>")

    def test_oneFileHasBoth(self) -> None:
        """In any order, with text around them."""
        one = made("a.example", kind="RSA")
        for octets in (one.both, b"Bag Attributes\n" + one.key + b"\n# mine\n" + one.pem):
            found = readCertificate(octets, octets, "x")
            self.assertEqual(found.kind, "RSA")

    def test_chain(self) -> None:
        """What stands behind the first certificate vouches for it."""
        root = authority()
        found = read(made("a.example", issuer=root), root.pem)
        self.assertEqual(found.chain, (root.certificate,))

    def test_aCommonNameCountsAlone(self) -> None:
        """Of certificates that have no alternative names."""
        self.assertEqual(read(made("old.example", unnamed=True)).names, ("old.example",))

    def test_whatIsNoCertificate(self) -> None:
        """What L{intermediary.net.pem} says of it."""
        one, other = made("a.example"), made("a.example", number=1)
        key = one.key
        self.refused("no certificate in it", b"hello", key, "x")
        self.refused("no private key in it", one.pem, one.pem, "x")
        self.refused("is not for this key", one.pem, other.key, "x")

    def test_whatOpenSSLRefuses(self) -> None:
        """A key that is too short is known when it is read."""
        short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        one = made("a.example")
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes

        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(one.certificate.subject)
            .issuer_name(one.certificate.subject)
            .public_key(short.public_key())
            .serial_number(7)
            .not_valid_before(now)
            .not_valid_after(now + dt.timedelta(days=1))
            .sign(short, hashes.SHA256())
        )
        weak = Made(certificate, short)
        self.refused("refused by OpenSSL (ee key too small)", weak.pem, weak.key, "x")

    def test_oddities(self) -> None:
        """What is used all the same is said."""
        now = dt.datetime.now(dt.UTC)
        self.assertIsNone(read(made("a.example")).oddity(now))
        expired = read(made("a.example", days=-3)).oddity(now)
        assert expired is not None
        self.assertIn("expired on", expired[0])
        early = read(made("a.example")).oddity(now - dt.timedelta(days=90))
        assert early is not None
        self.assertIn("is not valid before", early[0])


class ByNameTests(SynchronousTestCase):
    """Which certificates a client's name stands for."""

    def found(self, *certificates: Made, default: str = "") -> ByName:
        """Index them; what is found is a list."""
        return ByName([read(each) for each in certificates], list, default)

    def leaf(self, found: ByName, name: bytes | None) -> Any:
        """The only certificate that is found."""
        (one,) = found.get(name)
        return one.leaf

    def test_exactBeforeWildcardBeforeDefault(self) -> None:
        """And a wildcard is for one label only."""
        exact, wild, first = made("a.example"), made("*.example"), made("first.test")
        found = self.found(first, wild, exact)
        self.assertEqual(len(found), 3)
        for name, which in (
            (b"a.example", exact),
            (b"A.Example", exact),
            (b"b.example", wild),
            (b"B.EXAMPLE", wild),
            (b"a.b.example", first),
            (b"example", first),
            (b"", first),
            (None, first),
            (b"\xff.nonsense", first),
        ):
            self.assertEqual(self.leaf(found, name), which.certificate, name)

    def test_theDefaultMayBeNamed(self) -> None:
        """Also by a name that a wildcard is for."""
        first, wild = made("first.test"), made("*.example")
        found = self.found(first, wild, default="X.example")
        self.assertEqual(self.leaf(found, None), wild.certificate)
        with self.assertRaises(CertificateError) as caught:
            self.found(first, default="other.test")
        self.assertIn("is the name of no certificate", str(caught.exception))

    def test_kindsStandTogether(self) -> None:
        """EC and RSA for one name are one answer, made once."""
        both = [made("a.example", "b.example"), made("a.example", "b.example", kind="RSA")]
        found = self.found(*both)
        self.assertEqual([each.kind for each in found.get(b"a.example")], ["EC", "RSA"])
        self.assertIs(found.get(b"a.example"), found.get(b"b.example"))

    def test_theOneThatLastsLongerCounts(self) -> None:
        """Of two for the same name and kind, whichever comes first."""
        old, new = made("a.example", days=3), made("a.example", days=80)
        for order in ((old, new), (new, old)):
            self.assertEqual(self.leaf(self.found(*order), b"a.example"), new.certificate)

    def test_thereHasToBeOne(self) -> None:
        """Nothing can be said to clients without."""
        self.assertRaises(CertificateError, self.found)


class EquipTests(SynchronousTestCase):
    """What clients are shown."""

    def shown(self, certificates: list[Certificate], ciphers: bytes) -> tuple[str, list[Any]]:
        """The kind of key, and the chain."""
        context = makeContext()
        equip(context, certificates)
        server = SSL.Connection(context, None)
        server.set_accept_state()
        client = MemoryClient(ciphers=ciphers, highest=SSL.TLS1_2_VERSION)
        self.assertIsNone(meet(client, server))
        chain: Any = client.connection.get_peer_cert_chain(as_cryptography=True)
        return client.kind, chain[1:]

    def test_eachKindHasItsChain(self) -> None:
        """Clients get the certificates that vouch for the one that they are shown."""
        roots = authority("one.example"), authority("two.example")
        certificates = [
            read(made("a.example", issuer=roots[0]), roots[0].pem),
            read(made("a.example", kind="RSA", issuer=roots[1]), roots[1].pem),
        ]
        self.assertEqual(
            self.shown(certificates, b"ECDHE-ECDSA-AES128-GCM-SHA256"),
            ("EC", [roots[0].certificate]),
        )
        self.assertEqual(
            self.shown(certificates, b"ECDHE-RSA-AES128-GCM-SHA256"),
            ("RSA", [roots[1].certificate]),
        )

    def test_aSharedChain(self) -> None:
        """The usual case needs no file."""
        root = authority("one.example")
        certificates = [
            read(made("a.example", issuer=root), root.pem),
            read(made("a.example", kind="RSA", issuer=root), root.pem),
        ]
        for ciphers, kind in (
            (b"ECDHE-ECDSA-AES128-GCM-SHA256", "EC"),
            (b"ECDHE-RSA-AES128-GCM-SHA256", "RSA"),
        ):
            self.assertEqual(self.shown(certificates, ciphers), (kind, [root.certificate]))
