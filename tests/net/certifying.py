# -*- test-case-name: tests.net.test_certificates -*-
"""
Certificates for tests, made when they are first asked for.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


class Made(NamedTuple):
    """A certificate and its key."""

    certificate: x509.Certificate
    privateKey: Any

    @property
    def pem(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key(self) -> bytes:
        """The key alone."""
        return bytes(
            self.privateKey.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )

    @property
    def encryptedKey(self) -> bytes:
        """The key, under a password."""
        return bytes(
            self.privateKey.private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
            )
        )

    @property
    def both(self) -> bytes:
        """Both in one file."""
        return self.pem + self.key


@cache
def keyOf(kind: str, number: int = 0) -> Any:
    """
    Make a key.

    @param kind: C{"EC"} or C{"RSA"}.
    @param number: tells several of a kind apart.
    """
    if kind == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def signed(
    subject: x509.Name,
    issuer: x509.Name,
    key: Any,
    signer: Any,
    days: tuple[float, float],
    names: Iterable[str] = (),
    authority: bool = False,
    purpose: x509.ObjectIdentifier | None = None,
) -> x509.Certificate:
    """
    Sign a certificate.

    @param key: the subject's.
    @param signer: the issuer's key.
    @param days: from when to when it is valid, counted from now.
    @param names: and addresses that it is for; it has no alternative names without.
    @param authority: whether it may sign others.
    @param purpose: what alone it is for; anything without.
    """
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=days[0]))
        .not_valid_after(now + dt.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    alternatives = [_alternative(each) for each in names]
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    if purpose is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _alternative(text: str) -> x509.GeneralName:
    kind, _, value = text.partition(":")
    if kind == "email":
        return x509.RFC822Name(value)
    if kind == "uri":
        return x509.UniformResourceIdentifier(value)
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


@cache
def made(
    *names: str,
    kind: str = "EC",
    days: float = 30,
    issuer: Made | None = None,
    authority: bool = False,
    number: int = 0,
    unnamed: bool = False,
    purpose: x509.ObjectIdentifier | None = None,
) -> Made:
    """
    Make a certificate.

    @param names: the first is also that of the subject.
    @param days: from now to its end.
    @param issuer: who signs it; itself if nobody does.
    @param authority: whether it may sign others.
    @param number: tells several of a name apart.
    @param unnamed: it has no alternative names.
    @param purpose: what alone it is for.
    """
    key = keyOf(kind, number)
    subject = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0]),
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Tests, Inc."),
        ]
    )
    certificate = signed(
        subject,
        subject if issuer is None else issuer.certificate.subject,
        key,
        key if issuer is None else issuer.privateKey,
        (-60, days),
        () if unnamed else names,
        authority,
        purpose,
    )
    return Made(certificate, key)


@cache
def authority(name: str = "authority.example") -> Made:
    """Make one that signs others."""
    return made(name, authority=True, days=300, number=hash(name))


def revoked(
    issuer: Made, *others: Made, days: float = 30, signer: Made | None = None
) -> x509.CertificateRevocationList:
    """
    Make the list of what somebody has revoked.

    @param others: what that is.
    @param days: from now to when the next one is due.
    @param signer: who signs it instead.
    """
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(now + dt.timedelta(days=-60))
        .next_update(now + dt.timedelta(days=days))
    )
    for each in others:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(each.certificate.serial_number)
            .revocation_date(now + dt.timedelta(days=-1))
            .build()
        )
    return builder.sign((signer or issuer).privateKey, hashes.SHA256())


def listPEM(*lists: x509.CertificateRevocationList) -> bytes:
    """Write lists to one file."""
    return b"".join(each.public_bytes(Encoding.PEM) for each in lists)
