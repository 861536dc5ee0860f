# -*- test-case-name: tests.net.test_acmekeys -*-
"""
What is made here on the way to a certificate: keys, requests, and two kinds of
certificates that nobody vouches for.
"""

from __future__ import annotations

import datetime as dt
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

if TYPE_CHECKING:
    from collections.abc import Iterable

#: C{acmeIdentifier} (RFC 8737 §6.1).
ACME_IDENTIFIER: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
#: How a placeholder can be told from what was meant.
PLACEHOLDER: Final = "intermediary: placeholder until there is a certificate"
#: For as long as a challenge may take, and for clocks that are wrong.
_CHALLENGE_DAYS: Final = 7
_PLACEHOLDER_DAYS: Final = 365


def makeKey(kind: str) -> Any:
    """
    Make a private key.

    @param kind: C{"EC"} or C{"RSA"}.
    """
    if kind == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def keyPEM(key: Any) -> bytes:
    """Write a private key."""
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def requestFor(name: str, key: Any) -> bytes:
    """Make the request for a certificate (a CSR), in PEM."""
    builder = x509.CertificateSigningRequestBuilder(x509.Name([])).add_extension(
        x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def placeholder(names: Iterable[str], key: Any, now: dt.datetime) -> x509.Certificate:
    """Make what clients get who come before there is a certificate."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, PLACEHOLDER)])
    return _selfSigned(subject, names, key, now, _PLACEHOLDER_DAYS).sign(key, hashes.SHA256())


def challengeCertificate(
    name: str, keyAuthorization: str, key: Any, now: dt.datetime
) -> x509.Certificate:
    """Make the answer to a tls-alpn-01 challenge (RFC 8737 §3)."""
    digest = sha256(keyAuthorization.encode("ascii")).digest()
    # An OCTET STRING in DER.
    identifier = x509.UnrecognizedExtension(ACME_IDENTIFIER, b"\x04\x20" + digest)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ACME challenge")])
    builder = _selfSigned(subject, [name], key, now, _CHALLENGE_DAYS)
    return builder.add_extension(identifier, critical=True).sign(key, hashes.SHA256())


def _selfSigned(
    subject: x509.Name, names: Iterable[str], key: Any, now: dt.datetime, days: int
) -> x509.CertificateBuilder:
    """Begin a certificate that vouches for itself."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False
        )
    )


__all__ = [
    "ACME_IDENTIFIER",
    "PLACEHOLDER",
    "challengeCertificate",
    "keyPEM",
    "makeKey",
    "placeholder",
    "requestFor",
]
