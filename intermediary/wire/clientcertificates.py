# -*- test-case-name: tests.wire.test_clientcertificates -*-
"""
Fields that tell a server of a client's certificate (RFC 9440), and of those a client sends.

C{Client-Cert} and C{Client-Cert-Chain} carry certificates as they are; other names carry what
is in them, as one legible line.  Whoever receives them believes them, so a client must not
get one through, in no spelling.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..clientcertificate import ClientCertificate
    from .fields import Fields

#: What fields may tell, in the order in which they are sent.
CONTENTS: Final = (
    "certificate", "chain", "verified", "subject", "issuer", "sans", "serial", "fingerprint",
)  # fmt: skip

#: Those of RFC 9440, which are nobody's to send but ours.
STANDARD: Final = frozenset((b"client-cert", b"client-cert-chain"))

#: What nearly all names of fields are made of, and the comma, which is in none.
_PLAIN: Final = b"abcdefghijklmnopqrstuvwxyz0123456789-,"
#: The rest of what may be in them (RFC 9110 §5.6.2), to what it may be taken for.
_HYPHENS: Final = bytes.maketrans(b"!#$%&'*+.^_`|~", b"-" * 14)

#: What C{verified} says, as nginx does.
SUCCESS: Final = b"SUCCESS"
NONE: Final = b"NONE"


def withheld(fields: Fields, names: frozenset[bytes]) -> Fields:
    """
    Leave out fields of these names, also with something else where they have hyphens.

    CGI, and WSGI with it, knows C{Client_Cert} and C{Client-Cert} by the same name, and some
    servers C{Client.Cert}, too.

    @param names: in lower case, with hyphens.
    @return: the fields themselves where there are none.
    """
    index = fields.index
    if b",".join(index).translate(None, _PLAIN):
        found = {name for name in index if name.translate(_HYPHENS) in names}
        return fields.without(found) if found else fields
    # Asked this way round, as there are few of these names.
    return fields if index.keys().isdisjoint(names) else fields.without(names)


def byteSequence(octets: bytes) -> bytes:
    """Write octets as a structured field does (RFC 8941 §3.3.5)."""
    return b":%b:" % b64encode(octets)


def contentOf(what: str, certificate: ClientCertificate) -> bytes:
    """
    Write what a field tells of a certificate.

    @param what: one of L{CONTENTS}.
    @return: a valid field value; empty if there is nothing to tell.
    """
    if what == "certificate":
        return byteSequence(certificate.encoded)
    if what == "chain":
        return b", ".join(map(byteSequence, certificate.chain))
    if what == "verified":
        return SUCCESS
    if what == "sans":
        return b", ".join(
            [
                b"%b:%b" % (kind.encode("ascii"), _line(value).replace(b",", b"\\2C"))
                for kind, value in certificate.alternatives
            ]
        )
    if what == "subject":
        return _line(certificate.subject)
    if what == "issuer":
        return _line(certificate.issuer)
    if what == "serial":
        return certificate.serial.encode("ascii")
    if what == "fingerprint":
        return certificate.fingerprint.encode("ascii")
    raise ValueError(f"nothing of a certificate is called {what!r}")


def _line(text: str) -> bytes:
    r"""Spell text in visible ASCII: each other octet as C{\XX} (RFC 4514 §2.4)."""
    if text.isascii() and text.isprintable():
        return text.strip(" ").encode("ascii")
    octets = text.encode("utf-8", "surrogatepass")
    return b"".join([_SPELLED[octet] for octet in octets]).strip(b" ")


_SPELLED: Final = [
    bytes((octet,)) if 0x20 <= octet < 0x7F else b"\\%02X" % octet for octet in range(256)
]


def headersOf(
    certificate: ClientCertificate | None, headers: Iterable[tuple[str, bytes]]
) -> list[tuple[bytes, bytes]]:
    """
    Write the fields that tell of a certificate.

    @param certificate: None for a client that has shown none.
    @param headers: what to tell, and in which field.
    @return: lines, of what there is to tell.
    """
    if certificate is None:
        return [(name, NONE) for what, name in headers if what == "verified"]
    pairs = [(name, contentOf(what, certificate)) for what, name in headers]
    return [pair for pair in pairs if pair[1]]


__all__ = [
    "CONTENTS",
    "NONE",
    "STANDARD",
    "SUCCESS",
    "byteSequence",
    "contentOf",
    "headersOf",
    "withheld",
]
