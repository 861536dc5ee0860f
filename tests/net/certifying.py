# -*- test-case-name: tests.net.test_certificates -*-
"""
Certificates for tests, made when they are first asked for.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)


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


@cache
def made(
    *names: str,
    kind: str = "EC",
    days: float = 30,
    issuer: Made | None = None,
    authority: bool = False,
    number: int = 0,
    unnamed: bool = False,
    emails: tuple[str, ...] = (),
) -> Made:
    """
    Make a certificate.

    @param names: the first is also that of the subject.
    @param days: from now to its end.
    @param issuer: who signs it; itself if nobody does.
    @param authority: whether it may sign others.
    @param number: tells several of a name apart.
    @param unnamed: it has no alternative names.
    @param emails: more alternative names.
    """
    key = keyOf(kind, number)
    subject = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0]),
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Tests, Inc."),
        ]
    )
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=60))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not unnamed:
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        alternatives += [x509.RFC822Name(each) for each in emails]
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    signer = key if issuer is None else issuer.privateKey
    return Made(builder.sign(signer, hashes.SHA256()), key)


@cache
def authority(name: str = "authority.example") -> Made:
    """Make one that signs others."""
    return made(name, authority=True, days=300, number=hash(name))


def revoking(issuer: Made, *revoked: Made, days: float = 10) -> bytes:
    """Make the list of certificates that an authority has taken back."""
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(now - dt.timedelta(days=20))
        .next_update(now + dt.timedelta(days=days))
    )
    for each in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(each.certificate.serial_number)
            .revocation_date(now - dt.timedelta(days=1))
            .build()
        )
    return builder.sign(issuer.privateKey, hashes.SHA256()).public_bytes(Encoding.PEM)
