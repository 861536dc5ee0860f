# -*- test-case-name: tests.net.test_tlsproblems -*-
"""
Tests of L{intermediary.net.tlsproblems}.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import TLSAlertReceived, TLSProtocolError
from intermediary.net.tlsproblems import (
    ALERTS,
    chainProblem,
    clientProblem,
    handshakeError,
    mismatch,
    tlsError,
)

from .authority import authority, credentials

CODES = SSL.X509VerificationCodes


def error(words: str) -> SSL.Error:
    """What pyOpenSSL raises."""
    return SSL.Error([("SSL routines", "", words)])


class ErrorTests(SynchronousTestCase):
    """What a handshake failed with."""

    def test_alertsHaveTheirNumber(self) -> None:
        """RFC 8446 §6, whatever OpenSSL puts before their names."""
        for words, alert in (
            ("ssl/tls alert handshake failure", 40),
            ("sslv3 alert handshake failure", 40),
            ("tls alert handshake failure", 40),
            ("ssl/tls alert bad certificate", 42),
            ("tlsv1 alert unknown ca", 48),
            ("tlsv1 alert protocol version", 70),
            ("tlsv1 unrecognized name", 112),
            ("tlsv1 alert no application protocol", 120),
            ("tlsv13 alert certificate required", 116),
        ):
            found = tlsError(error(words), "a: ")
            assert isinstance(found, TLSAlertReceived), words
            self.assertEqual(found.alert, alert)
            self.assertTrue(found.detail.startswith('a: it sent the TLS alert "'))

    def test_everyAlertIsFitForAField(self) -> None:
        """C{alert-id} is an integer, C{alert-message} a string (RFC 9209 §2.3.15)."""
        for name, number in ALERTS.items():
            found = tlsError(error(f"tlsv1 alert {name.replace('_', ' ')}"))
            self.assertRegex(
                found.parameters, rb'\A; alert-id=%d; alert-message="[a-z ]+"\Z' % number
            )

    def test_anAlertThatNobodyKnows(self) -> None:
        """It is one all the same."""
        found = tlsError(error("tlsv1 alert of next year"))
        assert isinstance(found, TLSAlertReceived)
        self.assertIsNone(found.alert)
        self.assertEqual(found.parameters, b"")

    def test_whatIsNoTLS(self) -> None:
        """In words that say what it may be."""
        for words, meant in (
            ("wrong version number", "is it an http server?"),
            ("unsupported protocol", "it speaks no TLS 1.2 or 1.3"),
            ("bad signature", "bad signature"),
        ):
            found = tlsError(error(words))
            self.assertIs(type(found), TLSProtocolError)
            self.assertIn(meant, found.detail)

    def test_theLastWordCounts(self) -> None:
        """OpenSSL tells from the inside out."""
        found = tlsError(SSL.Error([("a", "", "inner"), ("b", "", "outer")]))
        self.assertEqual(found.detail, "outer")

    def test_errorsWithoutWords(self) -> None:
        """Nothing that pyOpenSSL may raise is too odd to be told of."""
        odd: tuple[Any, ...] = (SSL.Error(), SSL.Error([]), SSL.SysCallError(-1, "Unexpected EOF"))
        for each in odd:
            self.assertNotEqual(tlsError(each).detail, "")

    def test_endsInTheMiddle(self) -> None:
        """In order or not: TLS never stood."""
        ends: tuple[Any, ...] = (ConnectionDone(), ConnectionLost(), SSL.ZeroReturnError())
        for reason in (*ends, SSL.SysCallError(-1, "Unexpected EOF")):
            self.assertIn("it closed the connection", handshakeError("a", reason).detail)
        for reason in (*ends, OSError("x"), None):
            found = handshakeError("https://a", reason)
            self.assertIs(type(found), TLSProtocolError)
            self.assertTrue(found.detail.startswith("https://a: "))
        self.assertIsInstance(
            handshakeError("a", error("tlsv1 alert unknown ca")), TLSAlertReceived
        )


class CertificateTests(SynchronousTestCase):
    """What a certificate is not good for."""

    def test_namesAndAddresses(self) -> None:
        """RFC 9525: names, also below a wildcard, and addresses, never one for the other."""
        certificate = credentials("a.example", "*.b.example", "192.0.2.1", "2001:db8::1").x509
        for name, literal in (
            ("a.example", False),
            ("A.Example", False),
            ("x.b.example", False),
            ("192.0.2.1", True),
            ("2001:db8:0::1", True),
        ):
            self.assertEqual(mismatch(certificate, name, literal), "", name)
        for name, literal in (
            ("c.example", False),
            ("x.a.example", False),
            ("b.example", False),
            ("x.y.b.example", False),
            ("192.0.2.2", True),
        ):
            problem = mismatch(certificate, name, literal)
            self.assertEqual(
                problem,
                f"the certificate is for a.example, *.b.example, 192.0.2.1, 1 more, not {name}",
            )

    def test_namesThatNobodyHas(self) -> None:
        """They are refused, and nothing is raised."""
        for name in ("", "1234", "a b", "ä.example"):
            self.assertNotEqual(mismatch(credentials("a.example").x509, name, False), "")

    def test_certificatesWithoutNames(self) -> None:
        """The common name counts for nothing."""
        problem = mismatch(credentials().x509, "nobody", False)
        self.assertIn("names no host", problem)

    def test_whenAndByWhom(self) -> None:
        """What a person can act on."""
        certificate = credentials("a.example").x509
        end, begin = certificate.not_valid_after_utc, certificate.not_valid_before_utc
        root = authority().root
        for about, code, depth, words in (
            (certificate, CODES.ERR_CERT_HAS_EXPIRED, 0, f"expired on {end:%Y-%m-%d %H:%M} UTC"),
            (certificate, CODES.ERR_CERT_NOT_YET_VALID, 0, f"not valid before {begin:%Y-%m-%d}"),
            (root, CODES.ERR_CERT_HAS_EXPIRED, 1, "of its authority CN=Test Authority expired"),
            (certificate, CODES.ERR_DEPTH_ZERO_SELF_SIGNED_CERT, 0, "signed by itself"),
            (root, CODES.ERR_SELF_SIGNED_CERT_IN_CHAIN, 1, "unknown authority: CN=Test Authority"),
            (
                certificate,
                CODES.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
                0,
                "issued by an unknown authority: CN=Test Authority",
            ),
            (certificate, CODES.ERR_INVALID_PURPOSE, 0, "is not for this use (extendedKeyUsage)"),
            (certificate, CODES.ERR_CERT_REVOKED, 0, "the certificate is revoked"),
            (
                certificate,
                CODES.ERR_UNABLE_TO_GET_CRL,
                0,
                "may be revoked: there is no list of CN=Test Authority in crl",
            ),
            (
                root,
                CODES.ERR_CRL_HAS_EXPIRED,
                1,
                "may be revoked: the list of CN=Test Authority in crl has expired",
            ),
            (certificate, CODES.ERR_CERT_UNTRUSTED, 0, "not accepted: cert untrusted"),
            (certificate, 99999, 0, "not accepted: error 99999"),
        ):
            self.assertIn(words, chainProblem(about, code, depth))

    def test_clientsHaveToBeNamed(self) -> None:
        """Nothing else tells who it was; an authority is named by itself."""
        certificate, root = credentials("a.example").x509, authority().root
        self.assertEqual(
            clientProblem(certificate, CODES.ERR_CERT_REVOKED, 0),
            "the certificate of CN=a.example is revoked",
        )
        self.assertEqual(
            clientProblem(certificate, CODES.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 0),
            "the certificate of CN=a.example is issued by an unknown authority: CN=Test Authority",
        )
        self.assertEqual(
            clientProblem(root, CODES.ERR_SELF_SIGNED_CERT_IN_CHAIN, 1),
            "issued by an unknown authority: CN=Test Authority",
        )

    def test_namesFitOneLineOfALog(self) -> None:
        """Whatever a server puts into its certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a\nb\x1b[31m" + 50 * "x")])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(
                x509.Name([*name, x509.NameAttribute(x509.NameOID.LOCALITY_NAME, 99 * "y")])
            )
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now)
            .not_valid_after(now + dt.timedelta(days=1))
            .sign(key, hashes.SHA256())
        )
        problem = chainProblem(certificate, CODES.ERR_UNABLE_TO_GET_ISSUER_CERT, 0)
        self.assertTrue(problem.isprintable())
        self.assertLess(len(problem), 200)
