# -*- test-case-name: tests.net.test_certificatestatus -*-
"""
An authority that says of its certificates whether they are good, for tests.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from intermediary.net.certificates import Certificate

from .certifying import Made, authority, keyOf, made

URL = "http://ocsp.example/status"
#: When all of this happens, in seconds since the epoch; certificates are made today.
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
DAY_SECONDS = 86400.0


def moment(seconds: float) -> dt.datetime:
    """Give the time so many seconds after L{NOW}."""
    return NOW + dt.timedelta(seconds=seconds)


@cache
def stapled(
    name: str = "a.example",
    urls: tuple[str, ...] = (URL,),
    must: bool = False,
    kind: str = "EC",
    number: int = 0,
    issuer: Made | None = None,
    more: tuple[str, ...] = (),
) -> Made:
    """
    Make a certificate that names responders.

    @param more: names that it is for beside the first.
    @param must: clients are to refuse it without a response.
    @param issuer: who signs it, if not the authority.
    """
    issuer = issuer or authority()
    key = keyOf(kind, number)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment(-DAY_SECONDS))
        .not_valid_after(moment(90 * DAY_SECONDS))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(each) for each in (name, *more)]),
            critical=False,
        )
    )
    places = [
        x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS,
            x509.UniformResourceIdentifier("http://issuers.example/"),
        )
    ]
    places += [
        x509.AccessDescription(
            AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(each)
        )
        for each in urls
    ]
    builder = builder.add_extension(x509.AuthorityInformationAccess(places), critical=False)
    if must:
        features = x509.TLSFeature([x509.TLSFeatureType.status_request])
        builder = builder.add_extension(features, critical=False)
    return Made(builder.sign(issuer.privateKey, _digestFor(issuer)), key)


def _digestFor(signer: Made) -> Any:
    """Give what a key signs the hash of; some do not."""
    isEdwards = isinstance(signer.privateKey, ed25519.Ed25519PrivateKey)
    return None if isEdwards else hashes.SHA256()


@cache
def edwards() -> Made:
    """Make an authority with a key of Ed25519."""
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "edwards.example")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment(-DAY_SECONDS))
        .not_valid_after(moment(30 * DAY_SECONDS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    return Made(builder.sign(key, None), key)


def certificateOf(one: Made, *chain: Made) -> Certificate:
    """Give it as it is read from a file, with its authority behind it unless others are."""
    behind = [each.certificate for each in chain or (authority(),)]
    return Certificate(one.certificate, tuple(behind), one.privateKey, "site.pem")


@cache
def delegate(
    may: bool = True, by: str = "authority.example", days: tuple[float, float] = (-1, 10)
) -> Made:
    """
    Make a certificate of somebody who answers for the authority.

    @param may: whether it says that they do.
    """
    issuer = authority(by)
    key = keyOf("RSA", 9)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "responder")]))
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment(days[0] * DAY_SECONDS))
        .not_valid_after(moment(days[1] * DAY_SECONDS))
    )
    usage = ExtendedKeyUsageOID.OCSP_SIGNING if may else ExtendedKeyUsageOID.SERVER_AUTH
    builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return Made(builder.sign(issuer.privateKey, hashes.SHA256()), key)


def answer(
    one: Made | None = None,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    since: float = -60.0,
    until: float | None = 4 * DAY_SECONDS,
    signer: Made | None = None,
    issuer: Made | None = None,
    algorithm: Any = None,
    byName: bool = False,
    sent: bool = True,
) -> bytes:
    """
    Answer as a responder does.

    @param since: C{thisUpdate}, in seconds after L{NOW}.
    @param until: C{nextUpdate} likewise; None for none.
    @param signer: who signs, if not the authority.
    @param issuer: whose certificate it says that it is about.
    @param algorithm: by which that is hashed.
    @param byName: whether that is how it says who has signed it, and not by their key.
    @param sent: whether the certificate of a signer is with it.
    """
    by = signer or authority()
    revoked = status is ocsp.OCSPCertStatus.REVOKED
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            (one or stapled()).certificate,
            (issuer or authority()).certificate,
            algorithm or hashes.SHA1(),
            status,
            moment(since),
            None if until is None else moment(until),
            moment(-3600) if revoked else None,
            None,
        )
        .responder_id(
            ocsp.OCSPResponderEncoding.NAME if byName else ocsp.OCSPResponderEncoding.HASH,
            by.certificate,
        )
    )
    if signer is not None and sent:
        builder = builder.certificates([signer.certificate])
    signed = builder.sign(by.privateKey, _digestFor(by))
    return bytes(signed.public_bytes(Encoding.DER))


#: Somebody of whom nobody has heard.
STRANGER: Made = made("stranger.example", number=3)
