# -*- test-case-name: tests.net.test_certificates -*-
"""
Certificates with their keys: read from PEM, checked, and found by name.

Nothing here opens a file; see L{intermediary.net.certificatefiles}.
"""

from __future__ import annotations

import re
import tempfile
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from OpenSSL import SSL

from .tlsproblems import reasonsOf

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
#: What a file may have beside certificates and keys, and is for nobody.
_CERTIFICATES: Final = (b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE")


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


class Certificate:
    """
    A certificate, those that vouch for it, and its key.

    @ivar names: in lower case: what it is for, also with C{*.} in front.
    @ivar kind: of its key: C{"EC"}, C{"RSA"} or another.
    @ivar source: where it was read from.
    """

    __slots__ = ("chain", "key", "kind", "leaf", "names", "source")

    def __init__(
        self, leaf: x509.Certificate, chain: tuple[x509.Certificate, ...], key: Any, source: str
    ) -> None:
        self.leaf = leaf
        self.chain = chain
        self.key = key
        self.source = source
        self.names = _names(leaf)
        if isinstance(key, RSAPrivateKey):
            self.kind = "RSA"
        elif isinstance(key, EllipticCurvePrivateKey):
            self.kind = "EC"
        else:
            self.kind = type(key).__name__.removesuffix("PrivateKey").strip("_")

    @property
    def expires(self) -> dt.datetime:
        """When it ends."""
        return self.leaf.not_valid_after_utc

    def oddity(self, now: dt.datetime) -> tuple[str, str] | None:
        """Say what keeps clients from accepting it, and the remedy."""
        if now >= self.expires:
            return f"expired on {self.expires:%Y-%m-%d}", "renew it: clients refuse it"
        if now < self.leaf.not_valid_before_utc:
            return (
                f"is not valid before {self.leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
                "look at this machine's clock",
            )
        return None

    def __repr__(self) -> str:
        return f"<Certificate {self.kind} {' '.join(self.names)} of {self.source}>"


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


def readCertificate(octets: bytes, keyOctets: bytes, source: str) -> Certificate:
    """
    Read a certificate with its chain, and its key.

    It is tried as well: what OpenSSL will not use is known now.

    @param keyOctets: what has the key; may be the same.
    @raise CertificateError: they can't be used.
    """
    leaf, *chain = readCertificates(octets)
    key = readKey(keyOctets)
    wanted = _publicOctets(key.public_key())
    if _publicOctets(leaf.public_key()) != wanted:
        if any(_publicOctets(each.public_key()) == wanted for each in chain):
            raise CertificateError(
                "does not have the server's own certificate first",
                "put it before those that vouch for it",
            )
        raise CertificateError(
            "is not for this key",
            "name the key that the certificate was requested with, or get a new certificate",
        )
    found = Certificate(leaf, tuple(chain), key, source)
    if not found.names:
        raise CertificateError("is for no name", "get one with subjectAltName")
    try:
        equip(SSL.Context(SSL.TLS_METHOD), [found])
    except SSL.Error as error:
        reasons = ", ".join(reasonsOf(error)) or "no reason given"
        raise CertificateError(
            f"is refused by OpenSSL ({reasons})", "make a key of EC P-256 or RSA 2048"
        ) from error
    return found


def equip(context: Any, certificates: Iterable[Certificate]) -> None:
    """
    Give certificates of different kinds of keys to a context.

    @param context: an C{OpenSSL.SSL.Context}.
    @raise OpenSSL.SSL.Error: one of them can't be used.
    """
    certificates = list(certificates)
    shared = len({tuple(each.chain) for each in certificates}) == 1
    for each in certificates:
        if shared:
            context.use_certificate(each.leaf)
        else:
            # The only way to give each its own chain is through a file; there is
            # nothing secret in it.
            with tempfile.NamedTemporaryFile(suffix=".pem") as file:
                for one in (each.leaf, *each.chain):
                    file.write(one.public_bytes(Encoding.PEM))
                file.flush()
                context.use_certificate_chain_file(file.name)
        context.use_privatekey(each.key)
    if shared:
        for one in certificates[0].chain:
            context.add_extra_chain_cert(one)


class ByName:
    """
    What there is for each name: exact ones before wildcards.

    A wildcard stands for one label (RFC 9525 §6.3).
    """

    def __init__(
        self,
        certificates: Iterable[Certificate],
        make: Callable[[list[Certificate]], Any],
        default: str = "",
    ) -> None:
        """
        @param make: makes what is found, of certificates with different kinds of
            keys; called once for each set of them.
        @param default: a name whose certificate is for clients that ask for none, or for
            one that there is none for; empty for the first certificate.
        @raise CertificateError: there is none, or none for the default.
        """
        found: dict[str, dict[str, Certificate]] = {}
        first = None
        for each in certificates:
            first = first or each
            for name in each.names:
                kinds = found.setdefault(name, {})
                # What was renewed may lie beside what it is for.
                if each.kind not in kinds or kinds[each.kind].expires < each.expires:
                    kinds[each.kind] = each
        if first is None:
            raise CertificateError("has no certificates in it", "put NAME.pem there")
        made: dict[frozenset[int], Any] = {}
        self._byName: dict[bytes, Any] = {}
        for name, kinds in found.items():
            chosen = list(kinds.values())
            key = frozenset(map(id, chosen))
            if key not in made:
                made[key] = make(chosen)
            self._byName[name.encode("ascii")] = made[key]
        wanted = default.lower().encode("ascii") if default else first.names[0].encode("ascii")
        standing = self._find(wanted)
        if standing is None:
            raise CertificateError("is the name of no certificate", "name one that there is")
        #: For all others.
        self.default = standing

    def _find(self, name: bytes) -> Any:
        found = self._byName.get(name)
        if found is None:
            found = self._byName.get(b"*." + name.partition(b".")[2])
        return found

    def get(self, name: bytes | None) -> Any:
        """
        Find what there is for a name.

        @param name: as a client asks for it; None where it does not.
        """
        if not name:
            return self.default
        found = self._byName.get(name)
        if found is None:
            found = self._find(name.lower())
        return self.default if found is None else found

    def __len__(self) -> int:
        return len(self._byName)


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    """Find what a certificate is for; the common name counts only if nothing else is said."""
    try:
        alternatives = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = list(alternatives.get_values_for_type(x509.DNSName))
        # Nobody asks by SNI for an address, but this way it may be a default.
        names += [str(each) for each in alternatives.get_values_for_type(x509.IPAddress)]
    except (x509.ExtensionNotFound, ValueError):
        common = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        names = [str(each.value) for each in common]
    lowered = (each.lower().removesuffix(".") for each in names if each.isascii())
    return tuple(dict.fromkeys(each for each in lowered if each))


def _publicOctets(key: Any) -> bytes:
    """Write a public key so that it can be compared."""
    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _first(error: Exception) -> str:
    """The first sentence of what a library says."""
    return " ".join(str(error).split()).partition(". ")[0].rstrip(".") or type(error).__name__


__all__ = [
    "ByName",
    "Certificate",
    "CertificateError",
    "equip",
    "hasKey",
    "readCertificate",
    "readCertificates",
    "readKey",
]
