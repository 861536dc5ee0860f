# -*- test-case-name: tests.net.test_minting -*-
"""
Certificates made on the spot, by an authority of the operator's own.

Whoever trusts that authority takes what it signs for the real thing, so the key behind
this is worth as much as all that its clients do on the web.  What is made here lasts for
days, is for one name each, and is never on a disk.

All certificates of a process have the same key: it costs as much to make one as to sign,
and who could steal one from memory could steal them all.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import OrderedDict
from hashlib import sha256
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL

from .pem import CertificateError, publicOctets, readCertificates, readKey
from .servertls import PROTOCOLS
from .tlscontext import agree, makeContext

if TYPE_CHECKING:
    from collections.abc import Callable

#: How long a certificate lasts.
LIFETIME: Final = dt.timedelta(days=7)
#: How long before it is made it begins: clocks of clients are not all right.
BACKDATED: Final = dt.timedelta(days=1)
#: Names whose contexts are kept.
REMEMBERED: Final = 1024
#: How long one is used, and clients may come back without a whole handshake: its keys of
#: tickets go with it.
CONTEXT_SECONDS: Final = 12 * 3600.0
#: Characters of a common name (RFC 5280 appendix A.1, ub-common-name).
_COMMON_NAME: Final = 64

_SERVER_AUTH: Final = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
_SIGNING: Final = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


class Authority:
    """
    Signs certificates.

    @ivar certificate: its own.
    @ivar chain: what vouches for it, and it itself, as clients are sent it; empty where
        it vouches for itself, as then they have it or nothing helps.
    """

    def __init__(self, certificate: x509.Certificate, key: Any, chain: Any = ()) -> None:
        """
        @param key: its private key.
        @param chain: what was behind it in its file.
        @raise CertificateError: it is none, or the key is not its own.
        """
        if publicOctets(certificate.public_key()) != publicOctets(key.public_key()):
            raise CertificateError(
                "is not for this key", "name the key that it was made with, or make a new pair"
            )
        if isinstance(key, dsa.DSAPrivateKey) or not isinstance(
            key,
            ec.EllipticCurvePrivateKey
            | rsa.RSAPrivateKey
            | ed25519.Ed25519PrivateKey
            | ed448.Ed448PrivateKey,
        ):
            raise CertificateError("has a key that can't sign here", "make one of EC P-256")
        _checkAuthority(certificate)
        self.certificate = certificate
        self._key = key
        own = certificate.subject == certificate.issuer
        self.chain: tuple[x509.Certificate, ...] = () if own else (certificate, *chain)
        # Edwards curves have theirs built in.
        edwards = isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
        self._hash = None if edwards else hashes.SHA256()
        self._identifier = _identifierOf(certificate)
        self._limits = _limitsOf(certificate)

    @classmethod
    def read(cls, octets: bytes, keyOctets: bytes) -> Authority:
        """
        Make one of PEM.

        @raise CertificateError: that is not possible.
        """
        certificate, *chain = readCertificates(octets)
        return cls(certificate, readKey(keyOctets), chain)

    def vouchesFor(self, host: str) -> bool:
        """
        Tell whether it may sign for a name or an address (RFC 5280 §4.2.1.10).

        Clients do not believe it beyond what it was limited to when it was made.
        """
        limits = self._limits
        if limits is None:
            return True
        name = _nameOf(host)
        if any(_isWithin(name, each) for each in limits.excluded_subtrees or ()):
            return False
        alike = [each for each in limits.permitted_subtrees or () if type(each) is type(name)]
        return not alike or any(_isWithin(name, each) for each in alike)

    def sign(self, host: str, key: Any, now: dt.datetime) -> x509.Certificate:
        """
        Make a certificate for a name or an address.

        @param key: its public key.
        @param now: with a timezone.
        """
        name = _nameOf(host)
        host = str(name.value)
        # RFC 5280 §4.1.2.6: the name that counts is critical where there is no other.
        named = len(host) <= _COMMON_NAME
        common = [x509.NameAttribute(x509.NameOID.COMMON_NAME, host)] if named else []
        now = now.replace(microsecond=0)
        issuer = self.certificate
        until = min(now + LIFETIME, issuer.not_valid_after_utc)
        # That of one that has expired has as well, so that clients can say why not.
        since = min(max(now - BACKDATED, issuer.not_valid_before_utc), until)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name(common))
            .issuer_name(issuer.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(since)
            .not_valid_after(until)
            .add_extension(x509.SubjectAlternativeName([name]), critical=not named)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_SIGNING, critical=True)
            .add_extension(_SERVER_AUTH, critical=False)
            .add_extension(self._identifier, critical=False)
            .sign(self._key, self._hash)
        )

    def oddity(self, now: dt.datetime) -> tuple[str, str] | None:
        """Say what keeps clients from accepting what it signs, and the remedy."""
        certificate = self.certificate
        if now >= certificate.not_valid_after_utc:
            return (
                f"expired on {certificate.not_valid_after_utc:%Y-%m-%d}",
                "make another, and have it trusted: clients refuse all that this one signs",
            )
        if now < certificate.not_valid_before_utc:
            return (
                f"is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
                "look at this machine's clock",
            )
        return None

    def __repr__(self) -> str:
        return f"<Authority {self.certificate.subject.rfc4514_string()}>"


class Mint:
    """
    What TLS is spoken with in the place of other servers: a context for each name.

    Bounded in names; a context is made when it is asked for.

    @ivar minted: how many were made.
    """

    def __init__(
        self,
        authority: Authority,
        seconds: Callable[[], float] = time.time,
        remembered: int = REMEMBERED,
    ) -> None:
        """
        @param seconds: tells the time since the epoch.
        @param remembered: how many names are kept.
        """
        self.authority = authority
        self.minted = 0
        self._seconds = seconds
        self._remembered = remembered
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._session = sha256(b"intermediary intercepts").digest()
        #: With the time until which each is used, the last used one last.
        self._contexts: OrderedDict[str, tuple[SSL.Context, float]] = OrderedDict()

    def contextFor(self, host: str) -> SSL.Context:
        """
        Give the context for a host.

        @param host: a name or an address, in lower case.
        @raise ValueError: no certificate can be for that.
        """
        now = self._seconds()
        known = self._contexts.get(host)
        if known is not None and now < known[1]:
            self._contexts.move_to_end(host)
            return known[0]
        context = self._make(host, now)
        self._contexts[host] = (context, now + CONTEXT_SECONDS)
        self._contexts.move_to_end(host)
        if len(self._contexts) > self._remembered:
            self._contexts.popitem(last=False)
        return context

    def _make(self, host: str, now: float) -> SSL.Context:
        authority = self.authority
        when = dt.datetime.fromtimestamp(now, dt.UTC)
        certificate = authority.sign(host, self._key.public_key(), when)
        context = makeContext()
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_session_id(self._session)
        context.set_timeout(int(CONTEXT_SECONDS))
        context.set_alpn_select_callback(lambda _, offered: agree(PROTOCOLS, offered))
        context.use_certificate(certificate)
        context.use_privatekey(self._key)
        for each in authority.chain:
            context.add_extra_chain_cert(each)
        self.minted += 1
        return context

    def __repr__(self) -> str:
        return f"<Mint names={len(self._contexts)} minted={self.minted}>"


def _checkAuthority(certificate: x509.Certificate) -> None:
    """
    Check that a certificate may vouch for others.

    @raise CertificateError: it may not.
    """
    remedy = "make an authority: intermediary-make-ca FOLDER"
    try:
        extensions = certificate.extensions
        basic = extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, ValueError):
        basic = None
    if basic is None or not basic.ca:
        raise CertificateError("is no authority: clients believe nothing that it signs", remedy)
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not usage.key_cert_sign:
        raise CertificateError("is an authority that may not sign certificates", remedy)


def _limitsOf(certificate: x509.Certificate) -> x509.NameConstraints | None:
    """Find out for which names an authority may vouch."""
    try:
        return certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return None


def _nameOf(host: str) -> x509.DNSName | x509.IPAddress:
    """Write a host as certificates do."""
    try:
        return x509.IPAddress(ip_address(host.partition("%")[0]))
    except ValueError:
        return x509.DNSName(host.removesuffix("."))


def _isWithin(name: x509.DNSName | x509.IPAddress, limit: x509.GeneralName) -> bool:
    """Tell whether a name is one that a constraint is about."""
    if isinstance(name, x509.IPAddress):
        return isinstance(limit, x509.IPAddress) and name.value in limit.value  # type: ignore[operator]
    if not isinstance(limit, x509.DNSName):
        return False
    above = limit.value.lower().removeprefix(".")
    return not above or name.value == above or name.value.endswith(f".{above}")


def _identifierOf(certificate: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Say which key signs (RFC 5280 §4.2.1.1)."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        public: Any = certificate.public_key()
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(public)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(found.value)


__all__ = ["BACKDATED", "CONTEXT_SECONDS", "LIFETIME", "REMEMBERED", "Authority", "Mint"]
