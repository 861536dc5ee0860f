# -*- test-case-name: tests.net.test_minting -*-
"""
L{intermediary.net.minting}: certificates made on the spot, as OpenSSL sees them.
"""

from __future__ import annotations

import datetime as dt
import time
from ipaddress import ip_address, ip_network
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from intermediary.net.minting import BACKDATED, CONTEXT_SECONDS, LIFETIME, Authority, Mint
from intermediary.net.pem import CertificateError
from intermediary.ops.makeca import makeAuthority

from .certifying import Made, authority, keyOf, made
from .tlspeers import MemoryClient, meet, trusting

NOW = dt.datetime(2026, 12, 1, 12, tzinfo=dt.UTC)


def authorityOf(one: Made) -> Authority:
    """Make one of what a test has made."""
    return Authority(one.certificate, one.privateKey)


def reused(server: Any) -> bool:
    """Whether a connection went on with a session."""
    return bool(SSL._lib.SSL_session_reused(server._ssl))  # type: ignore[attr-defined]


class SigningTests(SynchronousTestCase):
    """What an authority signs."""

    def setUp(self) -> None:
        self.root = authority("minting.example")
        self.authority = authorityOf(self.root)

    def signs(self, host: str, now: dt.datetime | None = None) -> x509.Certificate:
        """Have it sign."""
        now = now or dt.datetime.now(dt.UTC)
        return self.authority.sign(host, keyOf("EC", 7).public_key(), now)

    def value(self, certificate: x509.Certificate, kind: Any) -> Any:
        """Find an extension."""
        return certificate.extensions.get_extension_for_class(kind).value

    def test_whatIsInIt(self) -> None:
        """It is for a server of that name, for a short time, and for nothing else."""
        now = dt.datetime.now(dt.UTC)
        certificate = self.signs("a.example", now)
        self.assertEqual(certificate.subject.rfc4514_string(), "CN=a.example")
        self.assertEqual(certificate.issuer, self.root.certificate.subject)
        names = self.value(certificate, x509.SubjectAlternativeName)
        self.assertEqual([each.value for each in names], ["a.example"])
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        self.assertTrue(basic.critical)
        self.assertFalse(basic.value.ca)
        usage = self.value(certificate, x509.KeyUsage)
        self.assertTrue(usage.digital_signature)
        self.assertFalse(usage.key_cert_sign)
        self.assertEqual(
            list(self.value(certificate, x509.ExtendedKeyUsage)), [ExtendedKeyUsageOID.SERVER_AUTH]
        )
        whole = now.replace(microsecond=0)
        self.assertEqual(certificate.not_valid_before_utc, whole - BACKDATED)
        self.assertEqual(certificate.not_valid_after_utc, whole + LIFETIME)
        self.assertNotEqual(certificate.serial_number, self.signs("a.example").serial_number)
        certificate.verify_directly_issued_by(self.root.certificate)

    def test_addresses(self) -> None:
        """They are addresses, and no names that look like some; zones are not in it."""
        for host, address in (
            ("192.0.2.7", "192.0.2.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("fe80::1%eth0", "fe80::1"),
        ):
            (name,) = self.value(self.signs(host), x509.SubjectAlternativeName)
            self.assertEqual(name, x509.IPAddress(ip_address(address)))

    def test_namesThatAreLong(self) -> None:
        """RFC 5280 §4.1.2.6: without a subject, the other name is critical."""
        host = ".".join(["a" * 60] * 4)
        certificate = self.signs(host)
        self.assertEqual(list(certificate.subject), [])
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        self.assertTrue(names.critical)
        self.assertEqual([each.value for each in names.value], [host])

    def test_aDotAtTheEnd(self) -> None:
        """No certificate has it."""
        (name,) = self.value(self.signs("a.example."), x509.SubjectAlternativeName)
        self.assertEqual(name.value, "a.example")

    def test_notBeyondTheAuthority(self) -> None:
        """Nothing lasts longer than what vouches for it."""
        root = self.root.certificate
        late = self.signs("a.example", root.not_valid_after_utc - dt.timedelta(hours=1))
        self.assertEqual(late.not_valid_after_utc, root.not_valid_after_utc)
        early = self.signs("a.example", root.not_valid_before_utc + dt.timedelta(hours=1))
        self.assertEqual(early.not_valid_before_utc, root.not_valid_before_utc)

    def test_anAuthorityThatHasExpired(self) -> None:
        """It goes on, and clients say why they believe it no more."""
        root = self.root.certificate
        late = root.not_valid_after_utc + dt.timedelta(days=30)
        certificate = self.signs("a.example", late)
        self.assertEqual(certificate.not_valid_after_utc, root.not_valid_after_utc)
        self.assertLessEqual(certificate.not_valid_before_utc, root.not_valid_after_utc)

    def test_keysOfAllKinds(self) -> None:
        """Of an authority that somebody has already."""
        for one in (
            made("rsa.example", kind="RSA", authority=True),
            made("ec.example", authority=True),
        ):
            certificate = authorityOf(one).sign("a.example", keyOf("EC").public_key(), NOW)
            certificate.verify_directly_issued_by(one.certificate)
        key = ed25519.Ed25519PrivateKey.generate()
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "edwards.example")])
        builder = x509.CertificateBuilder(
            name, name, key.public_key(), 1, NOW, NOW + LIFETIME
        ).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        root = builder.sign(key, None)
        certificate = Authority(root, key).sign("a.example", keyOf("EC").public_key(), NOW)
        certificate.verify_directly_issued_by(root)

    def test_strictVerifiersAcceptIt(self) -> None:
        """Those that hold certificates to what browsers ask of public ones."""
        for within in ([], ["corp.example"]):
            root, key = makeAuthority("x", 9, within)
            verifiers = PolicyBuilder().store(Store([root]))
            for host in ("www.corp.example", ".".join([*["a" * 60] * 3, "corp.example"])):
                leaf = Authority(root, key).sign(
                    host, keyOf("EC").public_key(), dt.datetime.now(dt.UTC)
                )
                chain = verifiers.build_server_verifier(x509.DNSName(host)).verify(leaf, [])
                self.assertEqual(chain, [leaf, root])

    def test_whatIsNoAuthority(self) -> None:
        """A certificate of a server; one for another key; one that may not sign."""
        leaf = made("a.example")
        other = made("b.example", number=3, authority=True)
        for certificate, key, words in (
            (leaf.certificate, leaf.privateKey, "is no authority"),
            (other.certificate, leaf.privateKey, "is not for this key"),
            (leaf.certificate, dsa.generate_private_key(1024), "is not for this key"),
        ):
            error = self.assertRaises(CertificateError, Authority, certificate, key)
            self.assertIn(words, str(error))
        self.assertRaises(CertificateError, Authority.read, leaf.pem, b"hello")
        self.assertRaises(CertificateError, Authority.read, b"hello", leaf.key)

    def test_anAuthorityBelowAnother(self) -> None:
        """Clients know the other: they are sent what is between."""
        below = made("below.example", issuer=self.root, authority=True, number=9)
        found = Authority.read(below.pem, below.key)
        self.assertEqual(found.chain, (below.certificate,))
        self.assertEqual(self.authority.chain, ())
        mint = Mint(found)
        client = MemoryClient(b"a.example", context=trusting(self.root))
        connection = SSL.Connection(mint.contextFor("a.example"), None)
        connection.set_accept_state()
        self.assertIsNone(meet(client, connection))
        self.assertIsNone(client.error)

    def test_oddities(self) -> None:
        """What clients will not accept."""
        root = self.root.certificate
        self.assertIsNone(self.authority.oddity(dt.datetime.now(dt.UTC)))
        for now, words in (
            (root.not_valid_after_utc, "expired on"),
            (root.not_valid_before_utc - LIFETIME, "is not valid before"),
        ):
            found = self.authority.oddity(now)
            assert found is not None
            self.assertIn(words, found[0])


class LimitTests(SynchronousTestCase):
    """Authorities that may vouch for some names alone (RFC 5280 §4.2.1.10)."""

    def test_unlimited(self) -> None:
        """The usual one."""
        found = authorityOf(authority())
        for host in ("a.example", "192.0.2.7", "::1"):
            self.assertTrue(found.vouchesFor(host))

    def test_names(self) -> None:
        """A name and all below; then no address."""
        found = Authority(*makeAuthority("x", 9, ["corp.example", "b.example"]))
        for host, fits in (
            ("corp.example", True),
            ("a.b.corp.example", True),
            ("corp.example.", True),
            ("b.example", True),
            ("notcorp.example", False),
            ("corp.example.evil.example", False),
            ("192.0.2.7", False),
            ("2001:db8::1", False),
        ):
            self.assertEqual(found.vouchesFor(host), fits, host)

    def test_OpenSSLAgrees(self) -> None:
        """What it is said to vouch for is believed, and nothing else is."""
        certificate, key = makeAuthority("x", 9, ["corp.example"])
        mint = Mint(Authority(certificate, key))
        for host in ("www.corp.example", "corp.example", "evil.example", "192.0.2.7"):
            client = MemoryClient(context=trusting(Made(certificate, key)))
            connection = SSL.Connection(mint.contextFor(host), None)
            connection.set_accept_state()
            meet(client, connection)
            self.assertEqual(client.done, mint.authority.vouchesFor(host), host)

    def test_excludedAndPermittedAddresses(self) -> None:
        """Of somebody else's making."""
        key = keyOf("EC", 11)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "limited.example")])
        limits = x509.NameConstraints(
            [x509.IPAddress(ip_network("192.0.2.0/24"))], [x509.DNSName(".bad.example")]
        )
        root = (
            x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(limits, critical=True)
            .sign(key, hashes.SHA256())
        )
        found = Authority(root, key)
        for host, fits in (
            ("192.0.2.7", True),
            ("198.51.100.7", False),
            ("good.example", True),
            ("very.bad.example", False),
        ):
            self.assertEqual(found.vouchesFor(host), fits, host)


class MintTests(SynchronousTestCase):
    """Contexts that are made when they are asked for."""

    def setUp(self) -> None:
        self.now = time.time()
        self.root = authority("minting.example")
        self.mint = Mint(authorityOf(self.root), lambda: self.now, remembered=3)

    def meets(
        self, host: str, highest: int | None = None, session: Any = None, **options: Any
    ) -> tuple[MemoryClient, Any, Any]:
        """Have a client that trusts the authority shake hands for a host."""
        context = trusting(self.root)
        if highest is not None:
            context.set_max_proto_version(highest)
        client = MemoryClient(context=options.get("context") or context, session=session)
        connection = SSL.Connection(self.mint.contextFor(host), None)
        connection.set_accept_state()
        return client, connection, meet(client, connection)

    def test_aClientAcceptsIt(self) -> None:
        """By TLS 1.2 and 1.3."""
        for highest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            client, _, failed = self.meets("a.example", highest)
            self.assertTrue(client.done)
            self.assertIsNone(failed)
            self.assertEqual(client.subject, "a.example")
        self.assertEqual(self.mint.minted, 1)

    def test_oldVersionsAreNotSpoken(self) -> None:
        """A client that had better not be intercepted."""
        client, _, failed = self.meets("a.example", SSL.TLS1_1_VERSION)
        self.assertFalse(client.done)
        self.assertIsNotNone(failed)

    def test_theyAreBoundedInNumber(self) -> None:
        """Who was not asked for longest goes."""
        contexts = {name: self.mint.contextFor(name) for name in "abc"}
        self.assertIs(self.mint.contextFor("a"), contexts["a"])
        self.mint.contextFor("d")
        self.assertIs(self.mint.contextFor("a"), contexts["a"])
        self.assertIs(self.mint.contextFor("c"), contexts["c"])
        self.assertIsNot(self.mint.contextFor("b"), contexts["b"])
        self.assertEqual(repr(self.mint), "<Mint names=3 minted=5>")

    def test_theyAreBoundedInTime(self) -> None:
        """The keys of their tickets are, so."""
        context = self.mint.contextFor("a")
        self.now += CONTEXT_SECONDS - 1
        self.assertIs(self.mint.contextFor("a"), context)
        self.now += 1
        self.assertIsNot(self.mint.contextFor("a"), context)
        self.assertLess(CONTEXT_SECONDS, LIFETIME.total_seconds() / 2)

    def test_sessionsAreResumedForOneHostOnly(self) -> None:
        """A ticket for one is none for another."""
        context = trusting(self.root)
        client, _, _ = self.meets("a.example", context=context)
        session = client.session()
        again, server, _ = self.meets("a.example", context=context, session=session)
        self.assertTrue(again.done)
        self.assertTrue(reused(server))
        other, server, _ = self.meets("b.example", context=context, session=session)
        self.assertTrue(other.done)
        self.assertFalse(reused(server))

    def test_noProtocolInCommon(self) -> None:
        """RFC 7301 §3.2."""
        client, _, failed = self.meets("a.example", context=trusting(self.root, (b"h2",)))
        self.assertFalse(client.done)
        self.assertIn("no application protocol", str(failed))
        client, _, _ = self.meets("a.example", context=trusting(self.root, ()))
        self.assertTrue(client.done)
