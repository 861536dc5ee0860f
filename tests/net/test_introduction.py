# -*- test-case-name: tests.net.test_introduction -*-
"""
L{intermediary.net.introduction}: what is known of a client, and when it is looked at.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from intermediary.interfaces import ITLSPolicy
from intermediary.net import introduction
from intermediary.net.introduction import Introduction, describe

from .clients import ALICE, CAROL, MALLORY, MIDDLE, OTHER, ROOT, ClientCase, client, shows
from .tlspeers import MemoryClient, meet


def named(*names: list[tuple[x509.ObjectIdentifier, str]], extension: Any = None) -> Any:
    """Make a certificate with these parts of a subject."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.RelativeDistinguishedName([x509.NameAttribute(*each) for each in name])
            for name in names
        ]
    )
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(ROOT.certificate.subject)
        .public_key(key.public_key())
        .serial_number(0xABCDEF)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
    )
    if extension is not None:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256())


CN, O, OU = (  # noqa: E741 - as they are called
    x509.NameOID.COMMON_NAME,
    x509.NameOID.ORGANIZATION_NAME,
    x509.NameOID.ORGANIZATIONAL_UNIT_NAME,
)


class DescriptionTests(SynchronousTestCase):
    """What the rest of the program wants to know of a certificate."""

    def test_everything(self) -> None:
        """As OpenSSL prints it, where it does."""
        certificate = named([(O, "Tests, Inc.")], [(OU, "Ops"), (CN, "alice")])
        found = describe(certificate)
        self.assertEqual(found.subject, "OU=Ops+CN=alice,O=Tests\\, Inc.")
        self.assertEqual(found.issuer, "O=Tests\\, Inc.,CN=clients.example")
        self.assertEqual(found.names, ((("OU", "Ops"), ("CN", "alice")), (("O", "Tests, Inc."),)))
        self.assertEqual(found.serial, "ABCDEF")
        encoded = certificate.public_bytes(Encoding.DER)
        self.assertEqual(found.encoded, encoded)
        self.assertEqual(found.fingerprint, hashlib.sha256(encoded).hexdigest())
        self.assertEqual(found.expires, dt.datetime(2026, 1, 2, tzinfo=dt.UTC).timestamp())
        self.assertEqual((found.alternatives, found.chain), ((), ()))
        self.assertEqual(repr(found), "<ClientCertificate OU=Ops+CN=alice,O=Tests\\, Inc.>")

    def test_namesOfTypes(self) -> None:
        """Those of RFC 4514, two more, and numbers for the rest."""
        found = describe(
            named(
                [(CN, "a")],
                [(x509.NameOID.EMAIL_ADDRESS, "a@b.example")],
                [(x509.NameOID.SERIAL_NUMBER, "7")],
                [(x509.NameOID.GIVEN_NAME, "A")],
            )
        )
        self.assertEqual(found.subject, "2.5.4.42=A,serialNumber=7,emailAddress=a@b.example,CN=a")
        self.assertEqual(found.names[0], (("2.5.4.42", "A"),))

    def test_oneLine(self) -> None:
        """Whatever an authority has let into a name."""
        found = describe(named([(CN, "a\r\nX: b\u202e\x1b[31m \u00e9")]))
        self.assertEqual(found.subject, "CN=a\\0D\\0AX: b\\E2\\80\\AE\\1B[31m \u00e9")
        self.assertTrue(found.subject.isprintable())
        self.assertEqual(found.names, ((("CN", "a\r\nX: b\u202e\x1b[31m \u00e9"),),))

    def test_noSubject(self) -> None:
        """Names may all be alternatives; a certificate has its fingerprint in any case."""
        found = describe(named())
        self.assertEqual((found.subject, found.names), ("", ()))
        self.assertEqual(repr(found), f"<ClientCertificate {found.fingerprint}>")

    def test_alternativeNames(self) -> None:
        """Of four kinds; others are nobody's."""
        found = describe(
            named(
                [(CN, "a")],
                extension=x509.SubjectAlternativeName(
                    [
                        x509.DNSName("A.Example"),
                        x509.RFC822Name("Alice@b.example"),
                        x509.UniformResourceIdentifier("spiffe://example/A"),
                        x509.IPAddress(ip_address("192.0.2.7")),
                        x509.IPAddress(ip_address("2001:db8::7")),
                        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
                    ]
                ),
            )
        )
        self.assertEqual(
            found.alternatives,
            (
                ("dns", "a.example"),
                ("email", "Alice@b.example"),
                ("uri", "spiffe://example/A"),
                ("ip", "192.0.2.7"),
                ("ip", "2001:db8::7"),
            ),
        )


class IntroductionTests(ClientCase):
    """One connection."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()

    def introduced(self, policy: Any, one: MemoryClient) -> Introduction:
        """Have a client shake hands."""
        found = Introduction(policy)
        self.failed = meet(one, found.serverConnectionForTLS(None))
        return found

    def test_itIsWhatTransportsTake(self) -> None:
        """Ours, and all others of Twisted."""
        found = Introduction(self.policy())
        verifyObject(ITLSPolicy, found)
        verifyObject(IOpenSSLServerConnectionCreator, found)
        self.assertIsInstance(found.connectionOn(None), SSL.Connection)

    def test_whoHasShownSomething(self) -> None:
        """It is known from the handshake on, always as the same object."""
        found = self.introduced(self.policy(), shows(ALICE))
        self.assertTrue(found.completed())
        certificate = found.certificate
        self.assertEqual(certificate, describe(ALICE.certificate))
        self.assertIs(found.certificate, certificate)
        found.ended()
        self.assertEqual(found.problem, "")

    def test_whoHasNot(self) -> None:
        """It is nobody."""
        found = self.introduced(self.policy(required=False), shows(None))
        self.assertTrue(found.completed())
        self.assertIsNone(found.certificate)

    def test_whoWasRefused(self) -> None:
        """What is wrong outlives the connection; who hung up has nothing wrong."""
        found = self.introduced(self.policy(), shows(MALLORY))
        self.assertIsInstance(self.failed, SSL.Error)
        found.ended()
        self.assertIn("mallory is issued by an unknown authority", found.problem)
        self.assertIsNone(found.certificate)
        other = Introduction(self.policy())
        other.ended()
        self.assertEqual(other.problem, "")

    def test_theChain(self) -> None:
        """As it was verified, up to who is trusted, where somebody is to hear of it."""
        for headers, chain in (
            ((), ()),
            (
                (("chain", "Client-Cert-Chain"),),
                tuple(each.certificate.public_bytes(Encoding.DER) for each in (MIDDLE, ROOT)),
            ),
        ):
            policy = self.policy(headers=headers)
            # What it sends beside that is not told.
            found = self.introduced(policy, shows(CAROL, chain=(OTHER, MIDDLE)))
            self.assertTrue(found.completed())
            assert found.certificate is not None
            self.assertEqual(found.certificate.chain, chain)

    def again(self, policy: Any, one: MemoryClient) -> Introduction:
        """Have a client come back with its session."""
        later = MemoryClient(b"a.example", context=one.context, session=one.session())
        return self.introduced(policy, later)

    def test_aSessionBringsItAlong(self) -> None:
        """It is read when somebody asks."""
        read: list[Any] = []

        def reading(leaf: Any) -> Any:
            read.append(leaf)
            return describe(leaf)

        for highest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            policy = self.policy()
            one = shows(ALICE, highest=highest)
            self.introduced(policy, one)
            found = self.again(policy, one)
            self.assertIsNone(self.failed)
            self.patch(introduction, "describe", reading)
            self.assertTrue(found.completed())
            self.assertEqual(read, [])
            self.assertEqual(found.certificate, describe(ALICE.certificate))
            self.assertIs(found.certificate, found.certificate)
            self.assertEqual(read.pop(), ALICE.certificate)
            self.assertEqual(read, [])
            self.patch(introduction, "describe", describe)

    def test_aSessionOutlivesNoCertificate(self) -> None:
        """OpenSSL would resume it until its ticket ends."""
        for highest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            policy = self.policy()
            one = shows(client("short", days=1, number=75), highest=highest)
            self.introduced(policy, one)
            found = self.again(policy, one)
            self.assertIsNone(self.failed)
            later = dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
            self.patch(introduction, "now", lambda later=later: later)
            self.assertFalse(found.completed())
            self.assertIn("CN=short has expired since", found.problem)
            self.patch(introduction, "now", lambda: dt.datetime.now(dt.UTC))

    def test_whatChangesMeanwhile(self) -> None:
        """Who began before it is not let in by what there was then."""
        policy = self.policy()
        found = Introduction(policy)
        server = found.serverConnectionForTLS(None)
        self.put("ca.pem", OTHER.pem)
        self.successResultOf(policy.reload())
        meet(shows(MALLORY), server)
        self.assertFalse(found.completed())
        self.assertEqual(found.problem, "who vouches for clients has changed meanwhile")
