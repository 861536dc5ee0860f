# -*- test-case-name: tests.net.test_origintls -*-
"""
Certificates for tests, made once for each process.

An L{Authority} issues what is asked of it, good or bad; keys are all of P-256.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .certifying import signed

if TYPE_CHECKING:
    from pathlib import Path

#: Days from now on.
DEFAULT_DAYS = (-1, 1)


class Credentials:
    """A certificate and its key, as PEM."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.x509 = certificate
        self.certificate = certificate.public_bytes(serialization.Encoding.PEM)
        self.key = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    @property
    def both(self) -> bytes:
        """The content of one file with both."""
        return self.certificate + self.key

    def writeTo(self, path: Path) -> str:
        """Write both to a file; give its path."""
        path.write_bytes(self.both)
        return str(path)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])


class Authority:
    """Issues certificates."""

    def __init__(self, name: str = "Test Authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self.root = self._sign(self._name, self._key, DEFAULT_DAYS, (), authority=True)

    @property
    def certificate(self) -> bytes:
        """Its own, as PEM."""
        return self.root.public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        *names: str,
        days: tuple[int, int] = DEFAULT_DAYS,
        selfSigned: bool = False,
    ) -> Credentials:
        """
        Make a certificate.

        @param names: and addresses that it is for.
        @param days: from when to when it is valid.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(names[0] if names else "nobody")
        return Credentials(self._sign(subject, key, days, names, selfSigned=selfSigned), key)

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        days: tuple[int, int],
        names: tuple[str, ...],
        authority: bool = False,
        selfSigned: bool = False,
    ) -> x509.Certificate:
        issuer = subject if selfSigned else self._name
        return signed(
            subject, issuer, key, key if selfSigned else self._key, days, names, authority
        )


_authorities: dict[str, Authority] = {}
_issued: dict[object, Credentials] = {}


def authority(name: str = "Test Authority") -> Authority:
    """Give the authority of a name."""
    known = _authorities.get(name)
    if known is None:
        known = _authorities[name] = Authority(name)
    return known


def credentials(
    *names: str,
    by: str = "Test Authority",
    days: tuple[int, int] = DEFAULT_DAYS,
    selfSigned: bool = False,
) -> Credentials:
    """Give a certificate and its key, always the same for the same arguments."""
    key = (names, by, days, selfSigned)
    known = _issued.get(key)
    if known is None:
        made = authority(by).issue(*names, days=days, selfSigned=selfSigned)
        known = _issued[key] = made
    return known
