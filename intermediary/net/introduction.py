# -*- test-case-name: tests.net.test_introduction -*-
"""
How one client of a front introduces itself: by a certificate, or not at all.

It is the context factory of one connection, so that it knows the TLS connection
whatever transport speaks it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

from ..clientcertificate import ClientCertificate
from ..interfaces import ITLSPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What C{openssl x509 -nameopt RFC2253} calls these, beside what RFC 4514 §3 has.
TYPES: Final = {
    x509.NameOID.EMAIL_ADDRESS: "emailAddress",
    x509.NameOID.SERIAL_NUMBER: "serialNumber",
}
#: Why somebody is refused who has to show a certificate.
NOTHING_SHOWN: Final = "it showed no certificate, and here clients have to"


def now() -> dt.datetime:
    """Tell the time, by which certificates are valid or not."""
    return dt.datetime.now(dt.UTC)


@implementer(ITLSPolicy, IOpenSSLServerConnectionCreator)
class Introduction:
    """The introduction of one client."""

    __slots__ = ("_connection", "_known", "_leaf", "_policy", "problem")

    def __init__(self, policy: Any) -> None:
        """
        @param policy: a L{ServerTLS<intermediary.net.servertls.ServerTLS>} that asks
            clients for certificates.
        """
        self._policy = policy
        self._connection: Any = None
        #: That of a session that was resumed, not yet read.
        self._leaf: x509.Certificate | None = None
        self._known: ClientCertificate | None = None
        #: What is wrong with the certificate; empty if nothing is.
        self.problem = ""

    # The context factory

    def serverConnectionForTLS(self, protocol: Any) -> Any:
        """See L{IOpenSSLServerConnectionCreator}."""
        self._connection = self._policy.serverConnectionForTLS(protocol)
        return self._connection

    def connectionOn(self, socket: Any) -> Any:
        """See L{ITLSPolicy.connectionOn}."""
        self._connection = self._policy.connectionOn(socket)
        return self._connection

    # The end of the handshake

    def completed(self) -> bool:
        """
        The handshake succeeded: note what was shown in it.

        A session that is resumed brings its certificate along, and OpenSSL does not
        look at that again.

        @return: whether the client is to be served; if not, C{problem} says why.
        """
        connection, self._connection = self._connection, None
        if connection.asked is not self._policy.authorities:
            self.problem = "who vouches for clients has changed meanwhile"
            return False
        known: ClientCertificate | None = connection.presented
        if known is None:
            leaf = self._leaf = connection.get_peer_certificate(as_cryptography=True)
            if leaf is None:
                # OpenSSL resumes also one of somebody who was not asked: of an authority
                # that looks whether a name leads here, or of who pretended to be that.
                if connection.get_verify_mode() & SSL.VERIFY_FAIL_IF_NO_PEER_CERT:
                    self.problem = NOTHING_SHOWN
                    return False
            elif leaf.not_valid_after_utc <= now():
                self.problem = f"the certificate of {spelled(leaf.subject)} has expired since"
                return False
        elif self._policy.settings.clients.tellsChain:
            chain = connection.get_verified_chain(as_cryptography=True) or ()
            octets = tuple(each.public_bytes(Encoding.DER) for each in chain[1:])
            known = replace(known, chain=octets)
        self._known = known
        return True

    def ended(self) -> None:
        """The handshake is over: note what was wrong with the certificate, if it failed."""
        connection, self._connection = self._connection, None
        if connection is not None and not self.problem:
            self.problem = connection.problem

    @property
    def certificate(self) -> ClientCertificate | None:
        """What the client has proved to be; None if it has shown nothing."""
        leaf, self._leaf = self._leaf, None
        if leaf is not None:
            self._known = describe(leaf)
        return self._known


class Introduced:
    """
    Who was introduced before: the connection is inside one that knows its client.

    @ivar certificate: see L{Introduction}.
    """

    __slots__ = ("certificate",)

    #: There is nothing left to find out.
    problem = ""

    def __init__(self, certificate: ClientCertificate) -> None:
        self.certificate = certificate

    def completed(self) -> bool:
        """See L{Introduction.completed}."""
        return True

    def ended(self) -> None:
        """See L{Introduction.ended}."""


def describe(leaf: x509.Certificate) -> ClientCertificate:
    """
    Read what the rest of the program wants to know of a certificate.

    @raise ValueError: there are names in it that can't be read.
    """
    return ClientCertificate(
        subject=spelled(leaf.subject),
        issuer=spelled(leaf.issuer),
        names=tuple(
            tuple((typeOf(each), _text(each.value)) for each in name)
            for name in reversed(leaf.subject.rdns)
        ),
        alternatives=tuple(_alternatives(leaf)),
        serial=f"{leaf.serial_number:X}",
        fingerprint=leaf.fingerprint(SHA256()).hex(),
        expires=leaf.not_valid_after_utc.timestamp(),
        encoded=leaf.public_bytes(Encoding.DER),
    )


def spelled(name: x509.Name) -> str:
    """Spell a name as RFC 4514 has it; what is not printable is escaped as well."""
    text = name.rfc4514_string(TYPES)
    if text.isprintable():
        return text
    return "".join(
        each
        if each.isprintable()
        else "".join(f"\\{octet:02X}" for octet in each.encode("utf-8", "surrogatepass"))
        for each in text
    )


def typeOf(attribute: x509.NameAttribute[Any]) -> str:
    """Give the type of a part of a name, as it is spelled."""
    return TYPES.get(attribute.oid) or attribute.rfc4514_attribute_name


def _text(value: str | bytes) -> str:
    """Give the value of a part of a name; of one that is not text, as RFC 4514 §2.4 has it."""
    return value if isinstance(value, str) else f"#{value.hex().upper()}"


def _alternatives(leaf: x509.Certificate) -> Iterable[tuple[str, str]]:
    """Read the alternative names of the kinds that somebody may want to know."""
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    for each in found:
        if isinstance(each, x509.DNSName):
            yield "dns", each.value.lower()
        elif isinstance(each, x509.RFC822Name):
            yield "email", each.value
        elif isinstance(each, x509.UniformResourceIdentifier):
            yield "uri", each.value
        elif isinstance(each, x509.IPAddress) and not hasattr(each.value, "prefixlen"):
            yield "ip", str(each.value)


__all__ = ["NOTHING_SHOWN", "TYPES", "Introduction", "describe", "now", "spelled", "typeOf"]
