# -*- test-case-name: tests.net.test_certificatestatus -*-
"""
What an authority says of a certificate that it has issued (OCSP, RFC 6960).

Questions to ask it, and answers to judge; nothing here opens a connection.  What we
staple is judged by clients once more, so this is about not stapling what they would
refuse: an answer for another certificate, one that is old, one of anybody else.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from ..errors import WireError
from ..wire.target import parseAbsolute

if TYPE_CHECKING:
    from .certificates import Certificate

#: How far clocks may be apart.
SKEW_SECONDS: Final = 300.0
#: How long an answer is used that does not say for how long it holds.
UNSAID_SECONDS: Final = 3600.0
#: Certificates in an answer that are looked at.
_DELEGATES: Final = 8
#: What C{cryptography} raises of what it can't read: much of it only when it is asked.
_UNREADABLE: Final = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


class StatusError(Exception):
    """An answer that is not to be stapled; in words, to follow a colon."""


class Revoked(StatusError):
    """The authority has taken the certificate back."""


class Status(NamedTuple):
    """
    What may be stapled.

    @ivar octets: the answer as it came.
    @ivar until: to when it holds, in seconds since the epoch.
    """

    octets: bytes
    until: float


class Question(NamedTuple):
    """
    How to ask for the status of a certificate.

    @ivar url: whom: an C{http} URL.
    @ivar octets: what.
    """

    url: str
    octets: bytes
    leaf: x509.Certificate
    issuer: x509.Certificate


def questionOf(certificate: Certificate) -> Question | None:
    """
    Find out how to ask.

    @return: None where that is not possible: the certificate names no responder of
        C{http}, or who has issued it is not among those behind it.
    """
    url = _responder(certificate.leaf)
    issuer = _issuer(certificate)
    if not url or issuer is None:
        return None
    leaf = certificate.leaf
    request = _request(leaf, issuer, hashes.SHA1())  # noqa: S303 - names it, protects nothing
    return Question(url, request.public_bytes(Encoding.DER), leaf, issuer)


def hindrance(certificate: Certificate, wanted: bool) -> tuple[str, str] | None:
    """
    Say why nothing is stapled to a certificate that would need it, and the remedy.

    @param wanted: whether anything is to be stapled at all.
    """
    must = mustStaple(certificate.leaf)
    if not wanted:
        if must:
            return "is refused by clients without an OCSP response", "remove stapling = false"
        return None
    if questionOf(certificate) is not None:
        return None
    if _named(certificate.leaf) and _issuer(certificate) is None:
        return (
            "names an OCSP responder, and is not followed by who issued it: nothing is stapled",
            "put the issuer's certificate there, or write stapling = false",
        )
    if must:
        return (
            "is refused by clients without an OCSP response, and names nobody to ask for one",
            "get one without must-staple",
        )
    return None


def mustStaple(leaf: x509.Certificate) -> bool:
    """Whether clients are to refuse a certificate without a response (RFC 7633)."""
    try:
        features = leaf.extensions.get_extension_for_class(x509.TLSFeature).value
    except (x509.ExtensionNotFound, *_UNREADABLE):
        return False
    return x509.TLSFeatureType.status_request in features


def judge(octets: bytes, question: Question, now: float) -> Status:
    """
    Judge an answer.

    @param now: seconds since the epoch.
    @raise StatusError: it is not to be stapled.
    @raise Revoked: because the certificate was revoked.
    """
    try:
        return _judge(octets, question, now)
    except _UNREADABLE as error:
        raise StatusError("what came is no OCSP response that can be read") from error


def _judge(octets: bytes, question: Question, now: float) -> Status:
    response = ocsp.load_der_ocsp_response(octets)
    outcome = response.response_status
    if outcome is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise StatusError(f"the responder says {outcome.name.lower().replace('_', ' ')}")
    moment = dt.datetime.fromtimestamp(now, dt.UTC)
    skew = dt.timedelta(seconds=SKEW_SECONDS)
    _checkSignature(response, question.issuer, moment, skew)
    single = _about(response, question)
    if single is None:
        raise StatusError("the response is about another certificate")
    if single.this_update_utc > moment + skew:
        raise StatusError("the response is from the future: look at this machine's clock")
    until = single.next_update_utc
    if until is not None and until <= moment:
        raise StatusError(f"the response was good until {until:%Y-%m-%d %H:%M} UTC")
    if single.certificate_status is ocsp.OCSPCertStatus.REVOKED:
        raise Revoked(f"it was revoked on {single.revocation_time_utc:%Y-%m-%d %H:%M} UTC")
    if single.certificate_status is not ocsp.OCSPCertStatus.GOOD:
        raise StatusError("the responder does not know it")
    return Status(octets, now + UNSAID_SECONDS if until is None else until.timestamp())


def _about(response: ocsp.OCSPResponse, question: Question) -> Any:
    """Find what a response says of a certificate (RFC 6960 §4.1.1)."""
    for single in response.responses:
        if single.serial_number != question.leaf.serial_number:
            continue
        wanted = _request(question.leaf, question.issuer, single.hash_algorithm)
        if (
            single.issuer_key_hash == wanted.issuer_key_hash
            and single.issuer_name_hash == wanted.issuer_name_hash
        ):
            return single
    return None


def _checkSignature(
    response: ocsp.OCSPResponse,
    issuer: x509.Certificate,
    moment: dt.datetime,
    skew: dt.timedelta,
) -> None:
    """
    Check who has signed a response (RFC 6960 §4.2.2.2): the issuer, or its delegate.

    @raise StatusError: somebody else, or nobody.
    """
    for signer in (issuer, *response.certificates[:_DELEGATES]):
        if not _isNamed(response, signer):
            continue
        if signer is not issuer and signer != issuer:
            if not _isDelegate(signer, issuer):
                raise StatusError("the response is signed by somebody who may not")
            if (
                not signer.not_valid_before_utc - skew
                <= moment
                <= signer.not_valid_after_utc + skew
            ):
                raise StatusError("the certificate of who signed the response is not valid now")
        try:
            _verify(signer.public_key(), response)
        except InvalidSignature as error:
            raise StatusError("the signature of the response is wrong") from error
        return
    raise StatusError("the response is not signed by the certificate's authority")


def _isNamed(response: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    """Whether it is this one that a response says has signed it."""
    if response.responder_name is not None:
        return response.responder_name == signer.subject
    key = x509.SubjectKeyIdentifier.from_public_key(signer.public_key())
    return response.responder_key_hash == key.digest


def _isDelegate(signer: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether an issuer has others sign for it."""
    try:
        signer.verify_directly_issued_by(issuer)
        usage = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (InvalidSignature, x509.ExtensionNotFound, *_UNREADABLE):
        return False
    return ExtendedKeyUsageOID.OCSP_SIGNING in usage


def _verify(key: Any, response: ocsp.OCSPResponse) -> None:
    """
    Check a signature.

    @raise InvalidSignature: it is of another, or over something else.
    @raise StatusError: it is of a kind that proves nothing, or that is not known.
    """
    signature, signed = response.signature, response.tbs_response_bytes
    if isinstance(key, Ed25519PublicKey | Ed448PublicKey):
        key.verify(signature, signed)
        return
    algorithm = response.signature_hash_algorithm
    if algorithm is None or algorithm.name in ("sha1", "md5"):
        raise StatusError("the signature of the response is of a kind that clients refuse")
    if isinstance(key, RSAPublicKey):
        key.verify(signature, signed, PKCS1v15(), algorithm)
    elif isinstance(key, EllipticCurvePublicKey):
        key.verify(signature, signed, ECDSA(algorithm))
    else:
        raise StatusError("the signature of the response is of a kind that is not known")


def _request(
    leaf: x509.Certificate, issuer: x509.Certificate, algorithm: hashes.HashAlgorithm
) -> ocsp.OCSPRequest:
    """Write a request, which also has what an answer is to have in it."""
    return ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, algorithm).build()


def _named(leaf: x509.Certificate) -> list[str]:
    """Find the responders that a certificate names (RFC 5280 §4.2.2.1)."""
    try:
        places = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, *_UNREADABLE):
        return []
    return [
        each.access_location.value
        for each in places
        if each.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(each.access_location, x509.UniformResourceIdentifier)
    ]


def _responder(leaf: x509.Certificate) -> str:
    """Find the first of them that can be asked; empty if there is none."""
    for url in _named(leaf):
        try:
            if parseAbsolute(url.encode("ascii"), b"POST").scheme == "http":
                return url
        except (WireError, UnicodeEncodeError):
            continue
    return ""


def _issuer(certificate: Certificate) -> x509.Certificate | None:
    """Find who has issued a certificate, among those behind it."""
    for each in certificate.chain:
        if each.subject == certificate.leaf.issuer:
            try:
                certificate.leaf.verify_directly_issued_by(each)
            except (InvalidSignature, *_UNREADABLE):
                continue
            return each
    return None


__all__ = [
    "SKEW_SECONDS",
    "UNSAID_SECONDS",
    "Question",
    "Revoked",
    "Status",
    "StatusError",
    "hindrance",
    "judge",
    "mustStaple",
    "questionOf",
]
