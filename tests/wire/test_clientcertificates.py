# -*- test-case-name: tests.wire.test_clientcertificates -*-
"""
L{intermediary.wire.clientcertificates}: what servers hear, and what clients can't say.
"""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from intermediary.wire.clientcertificates import (
    CONTENTS,
    STANDARD,
    byteSequence,
    contentOf,
    headersOf,
    withheld,
)
from intermediary.wire.fields import EMPTY, Fields

from ..policy.certificates import shown


class WithheldTests(SynchronousTestCase):
    """Fields that no client gets through."""

    def kept(self, *names: bytes) -> list[bytes]:
        """Which of some fields are left."""
        fields = Fields.fromPairs([(name, b"x") for name in names])
        return [name for name, _ in withheld(fields, STANDARD | {b"x-client-subject"})]

    def test_inEachSpelling(self) -> None:
        """Case, underscores and whatever else may be one to a server, several of them."""
        self.assertEqual(
            self.kept(
                b"Accept",
                b"Client-Cert",
                b"CLIENT_CERT",
                b"client-cert",
                b"Client_Cert-Chain",
                b"X-Client_Subject",
                b"X-Client-Subjects",
                b"Client",
                b"client_certs",
                *(b"Client%cCert" % each for each in b"!#$%&'*+.^_`|~"),
                b"Client.Cert~Chain",
                b"Client.Certs",
            ),
            [b"Accept", b"X-Client-Subjects", b"Client", b"client_certs", b"Client.Certs"],
        )

    def test_nothingIsMadeOfNothing(self) -> None:
        """The same object goes on."""
        fields = Fields.fromPairs([(b"Accept", b"x"), (b"X_Y", b"y")])
        self.assertIs(withheld(fields, STANDARD), fields)
        self.assertIs(withheld(EMPTY, STANDARD), EMPTY)
        plain = Fields.fromPairs([(b"Accept", b"x")])
        self.assertIs(withheld(plain, frozenset()), plain)


class ContentTests(SynchronousTestCase):
    """What is told."""

    def test_byteSequences(self) -> None:
        """RFC 9440 §2: what structured fields read as octets."""
        octets = bytes(range(256))
        self.assertEqual(byteSequence(b"\xfb\xff"), b":+/8=:")
        certificate = shown(("CN", "a"), encoded=octets, chain=(b"one", b"two"))
        self.assertEqual(contentOf("certificate", certificate), b":%b:" % base64.b64encode(octets))
        self.assertEqual(contentOf("chain", certificate), b":b25l:, :dHdv:")

    def test_lines(self) -> None:
        """As much as one line can say."""
        certificate = shown(
            ("CN", "M\u00fcller"),
            alternatives=(("dns", "a.example"), ("uri", "x:y,dns:b.example"), ("email", "a\r\nb")),
        )
        for what, told in (
            ("verified", b"SUCCESS"),
            ("subject", b"CN=M\\C3\\BCller"),
            ("issuer", b"CN=authority"),
            ("serial", b"1F"),
            ("fingerprint", certificate.fingerprint.encode()),
            ("sans", b"dns:a.example, uri:x:y\\2Cdns:b.example, email:a\\0D\\0Ab"),
        ):
            self.assertEqual(contentOf(what, certificate), told)
        self.assertRaises(ValueError, contentOf, "colour", certificate)

    @given(st.text(), st.text())
    def test_nobodyForgesAField(self, subject: str, alternative: str) -> None:
        """Whatever an authority has let into a certificate is one valid value."""
        certificate = shown(("CN", subject), alternatives=(("uri", alternative),))
        headers = [(what, b"X-A") for what in CONTENTS]
        Fields.fromPairs(headersOf(certificate, headers))
        told = contentOf("sans", certificate)
        self.assertNotIn(b",", told)

    def test_whatThereIsNot(self) -> None:
        """Nothing is told of nothing, but that it is nothing."""
        headers = [(what, f"X-{what}".encode()) for what in CONTENTS]
        self.assertEqual(headersOf(None, headers), [(b"X-verified", b"NONE")])
        names = [name for name, _ in headersOf(shown(("CN", "a")), headers)]
        self.assertEqual(
            names,
            [
                b"X-certificate",
                b"X-verified",
                b"X-subject",
                b"X-issuer",
                b"X-serial",
                b"X-fingerprint",
            ],
        )
