# -*- test-case-name: tests.net.test_certificates -*-
"""
Certificates with their keys: tried, and found by name.

Nothing here opens a file; see L{intermediary.net.certificatefiles}.
"""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from .pem import CertificateError, checkPair, readCertificates, readKey, refusedBy

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable


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


def readCertificate(octets: bytes, keyOctets: bytes, source: str) -> Certificate:
    """
    Read a certificate with its chain, and its key.

    It is tried as well: what OpenSSL will not use is known now.

    @param keyOctets: what has the key; may be the same.
    @raise CertificateError: they can't be used.
    """
    leaf, *chain = readCertificates(octets)
    key = readKey(keyOctets)
    checkPair([leaf, *chain], key)
    found = Certificate(leaf, tuple(chain), key, source)
    if not found.names:
        raise CertificateError("is for no name", "get one with subjectAltName")
    try:
        equip(SSL.Context(SSL.TLS_METHOD), [found])
    except SSL.Error as error:
        raise refusedBy(error) from error
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

    def __contains__(self, name: bytes) -> bool:
        """Whether there is something for a name in lower case, beside what is for all."""
        return self._find(name) is not None

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


__all__ = [
    "ByName",
    "Certificate",
    "equip",
    "readCertificate",
]
