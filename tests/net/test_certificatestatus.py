# -*- test-case-name: tests.net.test_certificatestatus -*-
"""
L{intermediary.net.certificatestatus}: what is asked, and what is believed.
"""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from intermediary.net.certificatestatus import (
    SKEW_SECONDS,
    UNSAID_SECONDS,
    Question,
    Revoked,
    Status,
    StatusError,
    hindrance,
    judge,
    mustStaple,
    questionOf,
)

from .certifying import authority, made
from .responding import (
    DAY_SECONDS,
    NOW,
    STRANGER,
    URL,
    answer,
    certificateOf,
    delegate,
    edwards,
    stapled,
)

SECONDS = NOW.timestamp()
#: Has the authority's name, and another key.
IMPOSTOR = made("authority.example", authority=True, number=77)


def question() -> Question:
    """What is asked of the certificate that all is about."""
    found = questionOf(certificateOf(stapled()))
    assert found is not None
    return found


class QuestionTests(SynchronousTestCase):
    """Whom to ask, and what."""

    def url(self, *urls: str) -> str | None:
        """Who is asked about a certificate with these."""
        found = questionOf(certificateOf(stapled(urls=urls)))
        return None if found is None else found.url

    def test_aResponderIsAsked(self) -> None:
        """By the names that it knows the certificate by."""
        asked = question()
        self.assertEqual(asked.url, URL)
        request = ocsp.load_der_ocsp_request(asked.octets)
        self.assertEqual(request.serial_number, stapled().certificate.serial_number)
        self.assertEqual(asked.issuer, authority().certificate)

    def test_theFirstThatCanBe(self) -> None:
        """By plain HTTP, without a name and a password, in ASCII."""
        self.assertEqual(self.url("ldap://a.example/x", "https://b.example/", URL), URL)
        for url in ("https://b.example/", "http://u:p@c.example/", "http://", "http://a b/"):
            self.assertIsNone(self.url(url), url)
        self.assertIsNone(self.url())

    def test_theIssuerHasToBeKnown(self) -> None:
        """And it has to be that one: the name alone is anybody's."""
        self.assertIsNone(questionOf(certificateOf(stapled(), STRANGER)))
        self.assertEqual(IMPOSTOR.certificate.subject, authority().certificate.subject)
        self.assertIsNone(questionOf(certificateOf(stapled(), IMPOSTOR)))
        self.assertIsNotNone(questionOf(certificateOf(stapled(), IMPOSTOR, authority())))

    def test_mostNameNobody(self) -> None:
        """They are not asked about."""
        self.assertIsNone(questionOf(certificateOf(made("a.example", issuer=authority()))))

    def test_whatHinders(self) -> None:
        """It is told of at the start, where something is missing."""
        must = certificateOf(stapled(must=True))
        self.assertTrue(mustStaple(must.leaf))
        self.assertFalse(mustStaple(stapled().certificate))
        for certificate, wanted, words in (
            (certificateOf(stapled()), True, ""),
            (certificateOf(stapled()), False, ""),
            (certificateOf(made("a.example")), True, ""),
            (must, True, ""),
            (must, False, "refused by clients without"),
            (certificateOf(stapled(), STRANGER), True, "not followed by who issued it"),
            (certificateOf(stapled(), STRANGER), False, ""),
            (certificateOf(stapled(must=True, urls=())), True, "names nobody"),
        ):
            found = hindrance(certificate, wanted)
            self.assertEqual(found is None, not words, found)
            if found is not None:
                self.assertIn(words, found[0])


class JudgeTests(SynchronousTestCase):
    """L{judge}."""

    def refused(self, octets: bytes, words: str, now: float = SECONDS) -> None:
        """It is not stapled, with these words."""
        error = self.assertRaises(StatusError, judge, octets, question(), now)
        self.assertIn(words, str(error))

    def test_goodOnesAreStapled(self) -> None:
        """As they came, for as long as they hold."""
        for octets in (
            answer(),
            answer(byName=True),
            answer(algorithm=hashes.SHA256()),
            answer(signer=delegate()),
            answer(signer=delegate(), byName=True),
        ):
            self.assertEqual(
                judge(octets, question(), SECONDS), Status(octets, SECONDS + 4 * DAY_SECONDS)
            )

    def test_withoutAnEndTheyHoldForAnHour(self) -> None:
        """RFC 6960 §4.2.2.1: then there is newer information at any time."""
        status = judge(answer(until=None), question(), SECONDS)
        self.assertEqual(status.until, SECONDS + UNSAID_SECONDS)

    def test_revoked(self) -> None:
        """That is an error of its own, from nobody but the authority."""
        revoked = ocsp.OCSPCertStatus.REVOKED
        self.assertRaises(Revoked, judge, answer(status=revoked), question(), SECONDS)
        forged = answer(status=revoked, signer=STRANGER)
        error = self.assertRaises(StatusError, judge, forged, question(), SECONDS)
        self.assertNotIsInstance(error, Revoked)
        self.refused(answer(status=ocsp.OCSPCertStatus.UNKNOWN), "does not know it")

    def test_others(self) -> None:
        """What is said of another certificate, or of another authority's."""
        self.refused(answer(stapled(number=5)), "another certificate")
        self.refused(answer(issuer=authority("other.example")), "another certificate")
        self.refused(answer(made("b.example", issuer=authority(), number=4)), "another certificate")

    def test_time(self) -> None:
        """Neither old nor of tomorrow; clocks may be a little apart."""
        later = SECONDS + 4 * DAY_SECONDS
        judge(answer(), question(), later - 1)
        self.refused(answer(), "was good until", later)
        judge(answer(since=SKEW_SECONDS - 1), question(), SECONDS)
        self.refused(answer(since=SKEW_SECONDS + 1), "clock")

    def test_signatures(self) -> None:
        """Of the issuer, or of whom it has do that, and over just that."""
        for octets, words in (
            (answer(signer=STRANGER), "somebody who may not"),
            (answer(signer=STRANGER, sent=False), "not signed by the certificate's authority"),
            (answer(signer=delegate(may=False)), "somebody who may not"),
            (answer(signer=delegate(by="other.example")), "somebody who may not"),
            (answer(signer=delegate(days=(-9, -1))), "not valid now"),
            (answer(signer=IMPOSTOR, byName=True), "signature of the response is wrong"),
        ):
            self.refused(octets, words)

    def test_whatWasChanged(self) -> None:
        """A signature is over what is said."""
        octets = answer()
        self.refused(octets[:-1] + bytes((octets[-1] ^ 1,)), "signature of the response is wrong")

    def test_aKeyOfAnotherKind(self) -> None:
        """That signs without a hash."""
        one = stapled(number=6, issuer=edwards())
        asked = questionOf(certificateOf(one, edwards()))
        assert asked is not None
        octets = answer(one, signer=edwards(), issuer=edwards())
        self.assertEqual(judge(octets, asked, SECONDS).octets, octets)
        wrong = octets.replace(octets[-300:-290], bytes(10))
        self.assertRaises(StatusError, judge, wrong, asked, SECONDS)

    def test_weakSignatures(self) -> None:
        """Clients of today refuse them, so there is no use in it."""
        octets = answer(signer=delegate())
        # As no library makes one any more: the name alone, of SHA-256 with RSA.
        named = bytes.fromhex("06092a864886f70d01010b")
        self.assertIn(named, octets)
        weak = octets.replace(named, named[:-1] + b"\x05", 1)
        self.refused(weak, "clients refuse")

    def test_noAnswer(self) -> None:
        """The responder says why."""
        for status, words in (
            (ocsp.OCSPResponseStatus.TRY_LATER, "try later"),
            (ocsp.OCSPResponseStatus.UNAUTHORIZED, "unauthorized"),
        ):
            built = ocsp.OCSPResponseBuilder.build_unsuccessful(status)
            self.refused(built.public_bytes(Encoding.DER), f"the responder says {words}")

    def test_whatIsNone(self) -> None:
        """A page about an error, say."""
        for octets in (b"", b"<html>", b"0\x80", answer()[:-1], answer() + b"x"):
            self.refused(octets, "no OCSP response that can be read")

    @settings(max_examples=200, deadline=None)
    @given(st.data())
    def test_anyOctetsAreJudged(self, data: st.DataObject) -> None:
        """Whatever is changed in a good one, it is no good one any more, and nothing else fails."""
        octets = bytearray(answer(signer=delegate()))
        index = data.draw(st.integers(0, len(octets) - 1))
        octets[index] ^= data.draw(st.integers(1, 255))
        try:
            status = judge(bytes(octets), question(), SECONDS)
        except StatusError:
            return
        # What is not signed may be spelled in several ways.
        self.assertEqual(status.until, SECONDS + 4 * DAY_SECONDS)
