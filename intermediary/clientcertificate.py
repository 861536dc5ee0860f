# -*- test-case-name: tests.net.test_introduction -*-
"""
What a client has proved to be, by a certificate.
"""

from __future__ import annotations

from dataclasses import dataclass

#: One relative distinguished name (RFC 5280 §4.1.2.4): types and values, mostly one pair.
RelativeName = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientCertificate:
    r"""
    A certificate that was verified: who showed it has its key.

    @ivar subject: in the form of RFC 4514, in one line: what is not printable is
        written as C{\XX}.
    @ivar issuer: the same of who signed it.
    @ivar names: the subject in parts, in the order of C{subject}, the most specific first.
    @ivar alternatives: its other names (RFC 5280 §4.2.1.6), as kind and value:
        C{("dns", "a.example")}, C{("email", ...)}, C{("uri", ...)}, C{("ip", ...)}.
    @ivar serial: its number with the issuer, in hexadecimal.
    @ivar fingerprint: SHA-256 of all of it, in hexadecimal.
    @ivar expires: when it ends, in seconds since the epoch.
    @ivar encoded: all of it, in DER.
    @ivar chain: those that vouch for it, in DER, from who signed it to who is trusted;
        empty unless the front is to tell of them.
    """

    subject: str
    issuer: str
    names: tuple[RelativeName, ...]
    alternatives: tuple[tuple[str, str], ...]
    serial: str
    fingerprint: str
    expires: float
    encoded: bytes
    chain: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        return f"<ClientCertificate {self.subject or self.fingerprint}>"


__all__ = ["ClientCertificate", "RelativeName"]
