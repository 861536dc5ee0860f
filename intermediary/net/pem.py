# -*- test-case-name: tests.net.test_pem -*-
"""
Certificates and keys in PEM: read, with the same words for the same mistakes.

Who a certificate is for, and what it is used for, is none of this.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from .tlsproblems import reasonsOf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from OpenSSL.SSL import Error

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
#: What a file may have beside certificates and keys, and is for nobody.
_CERTIFICATES: Final = (b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE")
#: More than any certificate, chain and key have.
LARGEST_OCTETS: Final = 1 << 20


class CertificateError(ValueError):
    """
    A file that does not have what it should.

    @ivar message: what is wrong with it.
    @ivar remedy: what to do about it.
    """

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}; {remedy}")
        self.message = message
        self.remedy = remedy


def readFile(path: str, largestOctets: int = LARGEST_OCTETS) -> bytes:
    """
    Read a file whole.

    @param largestOctets: what it may have: whole MiB.

    @raise OSError: it can't be read.
    @raise CertificateError: it is too long to be what it should.
    """
    with open(path, "rb") as file:
        octets = file.read(largestOctets + 1)
    if len(octets) > largestOctets:
        raise CertificateError(
            f"is larger than {largestOctets >> 20} MiB", "name a file with what it should have"
        )
    return octets


def readCertificates(octets: bytes) -> list[x509.Certificate]:
    """
    Read all certificates of a file.

    @raise CertificateError: there is none, or one is broken.
    """
    found = []
    for match in _BLOCK.finditer(octets):
        if match[1] in _CERTIFICATES:
            try:
                found.append(x509.load_pem_x509_certificate(match[0]))
            except ValueError as error:
                raise CertificateError(
                    f"has a certificate that can't be read ({_first(error)})",
                    "get it from its issuer again",
                ) from error
    if not found:
        raise CertificateError(
            "has no certificate in it", "name a file in PEM: -----BEGIN CERTIFICATE-----"
        )
    return found


def readLists(octets: bytes) -> list[x509.CertificateRevocationList]:
    """
    Read all lists of what was revoked (RFC 5280 §5) of a file.

    @raise CertificateError: there is none, or one is broken.
    """
    found = []
    for match in _BLOCK.finditer(octets):
        if match[1] == b"X509 CRL":
            try:
                found.append(x509.load_pem_x509_crl(match[0]))
            except ValueError as error:
                raise CertificateError(
                    f"has a list that can't be read ({_first(error)})",
                    "get it from its issuer again",
                ) from error
    if not found:
        raise CertificateError(
            "has no list of what was revoked in it",
            "name a file in PEM: -----BEGIN X509 CRL-----, or make one of it: "
            "openssl crl -inform DER -in FILE -out crl.pem",
        )
    return found


def hasKey(octets: bytes) -> bool:
    """Tell whether there is a private key in a file."""
    return any(match[1].endswith(b"PRIVATE KEY") for match in _BLOCK.finditer(octets))


def readKey(octets: bytes) -> Any:
    """
    Read the private key of a file.

    @raise CertificateError: there is none, or it can't be used.
    """
    keys = [match for match in _BLOCK.finditer(octets) if match[1].endswith(b"PRIVATE KEY")]
    if not keys:
        raise CertificateError(
            "has no private key in it", "name a file in PEM: -----BEGIN PRIVATE KEY-----"
        )
    if len(keys) > 1:
        raise CertificateError("has more than one private key in it", "leave one of them")
    block = keys[0][0]
    if keys[0][1] == b"ENCRYPTED PRIVATE KEY" or b"Proc-Type: 4,ENCRYPTED" in block:
        raise CertificateError(
            "has a key under a password, which nobody is there to type",
            "decrypt it: openssl pkey -in FILE -out PLAIN, readable by the proxy's user alone",
        )
    try:
        return load_pem_private_key(block, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateError(
            f"has a key that can't be read ({_first(error)})",
            "make a new one, and a certificate for it",
        ) from error


def checkPair(certificates: Sequence[x509.Certificate], key: Any) -> None:
    """
    See that a key is that of the first certificate, whose chain the others are.

    @raise CertificateError: it is not.
    """
    leaf, *chain = certificates
    wanted = publicOctets(key.public_key())
    if publicOctets(leaf.public_key()) == wanted:
        return
    if any(publicOctets(each.public_key()) == wanted for each in chain):
        raise CertificateError(
            "does not have its own certificate first",
            "put it before those that vouch for it",
        )
    raise CertificateError(
        "is not for this key",
        "name the key that the certificate was requested with, or get a new certificate",
    )


def refusedBy(error: Error) -> CertificateError:
    """Word what OpenSSL has against a certificate or its key."""
    reasons = ", ".join(reasonsOf(error)) or "no reason given"
    return CertificateError(
        f"is refused by OpenSSL ({reasons})", "make a key of EC P-256 or RSA 2048"
    )


def publicOctets(key: Any) -> bytes:
    """Write a public key so that it can be compared."""
    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _first(error: Exception) -> str:
    """The first sentence of what a library says."""
    return " ".join(str(error).split()).partition(". ")[0].rstrip(".") or type(error).__name__


__all__ = [
    "LARGEST_OCTETS",
    "CertificateError",
    "checkPair",
    "hasKey",
    "publicOctets",
    "readCertificates",
    "readFile",
    "readKey",
    "readLists",
    "refusedBy",
]
