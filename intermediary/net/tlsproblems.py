# -*- test-case-name: tests.net.test_tlsproblems -*-
"""
What is wrong with TLS, in words that somebody can act on.

OpenSSL's own are for those who know its source.  What comes of a handshake is told
by the classes of RFC 9209; what is wrong with a certificate, by whom it is for, by
whom it is from, and when.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost

from ..errors import TLSAlertReceived, TLSProtocolError

if TYPE_CHECKING:
    from ..errors import IntermediaryError

#: RFC 8446 §6, and what older versions had.
ALERTS: Final = {
    "close_notify": 0,
    "unexpected_message": 10,
    "bad_record_mac": 20,
    "decryption_failed": 21,
    "record_overflow": 22,
    "decompression_failure": 30,
    "handshake_failure": 40,
    "no_certificate": 41,
    "bad_certificate": 42,
    "unsupported_certificate": 43,
    "certificate_revoked": 44,
    "certificate_expired": 45,
    "certificate_unknown": 46,
    "illegal_parameter": 47,
    "unknown_ca": 48,
    "access_denied": 49,
    "decode_error": 50,
    "decrypt_error": 51,
    "export_restriction": 60,
    "protocol_version": 70,
    "insufficient_security": 71,
    "internal_error": 80,
    "inappropriate_fallback": 86,
    "user_cancelled": 90,
    "no_renegotiation": 100,
    "missing_extension": 109,
    "unsupported_extension": 110,
    "certificate_unobtainable": 111,
    "unrecognized_name": 112,
    "bad_certificate_status_response": 113,
    "bad_certificate_hash_value": 114,
    "unknown_psk_identity": 115,
    "certificate_required": 116,
    "no_application_protocol": 120,
}

#: What a server may mean by an alert, where its name says it to nobody else.
_MEANT: Final = {
    "handshake_failure": "it may want other ciphers, or a client certificate",
    "protocol_version": "it may speak no TLS 1.2 or 1.3",
    "certificate_required": "it wants a client certificate: set certificate and key",
    "bad_certificate": "it does not like our client certificate, or misses one",
    "unknown_ca": "it does not know the authority of our client certificate",
    "certificate_expired": "our client certificate has expired",
    "certificate_revoked": "our client certificate is revoked",
    "access_denied": "our client certificate is not for this",
    "unrecognized_name": "it does not know the name that it was asked for",
}

#: OpenSSL's words for an alert that was received.  What it calls the protocol changes
#: with its versions, and some have no "alert" in them.
_RECEIVED: Final = re.compile(
    r"(?:ssl|tls)\S* (?:alert (.+)"
    r"|(bad certificate hash value|bad certificate status response"
    r"|certificate unobtainable|unrecognized name|unsupported extension))"
)

#: OpenSSL's words for octets that are no TLS.
_NOT_TLS: Final = frozenset(
    ("wrong version number", "packet length too long", "http request", "unexpected message")
)
_OLD: Final = frozenset(("unsupported protocol", "version too low", "unknown protocol"))

#: The connection ended, and nothing was wrong with what came before.
_ENDS: Final = (ConnectionDone, ConnectionLost, SSL.ZeroReturnError, SSL.SysCallError)

#: How much of a name out of a certificate is told, and how many names.
_NAME_CHARACTERS: Final = 100
_NAMES: Final = 3

_CODES: Final = SSL.X509VerificationCodes
_WORDS: Final = {
    code: name.removeprefix("ERR_").replace("_", " ").lower()
    for name, code in vars(_CODES).items()
    if name.startswith("ERR_")
}


def handshakeError(origin: str, reason: BaseException | None) -> IntermediaryError:
    """
    Make the error of a handshake that came to nothing, but for certificates.

    @param origin: who it was with, as text.
    @param reason: what C{connectionLost} told.
    """
    if isinstance(reason, _ENDS):
        return TLSProtocolError(
            f"{origin}: it closed the connection in the middle of the TLS handshake"
        )
    if isinstance(reason, SSL.Error):
        return tlsError(reason, f"{origin}: ")
    return TLSProtocolError(f"{origin}: {reason}")


def tlsError(reason: SSL.Error, before: str = "") -> IntermediaryError:
    """
    Make the error that OpenSSL's stands for.

    @param before: what the detail begins with.
    """
    words = _wordsOf(reason)
    name = _alertIn(words)
    if name:
        spelled = name.replace("_", " ")
        meant = _MEANT.get(name)
        detail = f'{before}it sent the TLS alert "{spelled}"' + (f": {meant}" if meant else "")
        return TLSAlertReceived(detail, ALERTS.get(name), spelled)
    if words in _NOT_TLS:
        words = f"what it sends is not TLS ({words}): is it an http server?"
    elif words in _OLD:
        words = f"it speaks no TLS 1.2 or 1.3 ({words})"
    return TLSProtocolError(f"{before}{words or 'TLS failed'}")


def reasonsOf(error: SSL.Error) -> list[str]:
    """Give OpenSSL's own words: of each entry of its list of triples, if it has one."""
    entries = error.args[0] if error.args else ()
    if not isinstance(entries, list | tuple):
        return []
    return [str(each[-1] if isinstance(each, tuple) and each else each) for each in entries]


def _wordsOf(reason: SSL.Error) -> str:
    """Find what OpenSSL says: the last of its reasons."""
    reasons = reasonsOf(reason)
    return reasons[-1] if reasons else " ".join(map(str, reason.args))


def _alertIn(words: str) -> str:
    """Find the name of the alert that OpenSSL's words tell of; empty if they do not."""
    match = _RECEIVED.fullmatch(words)
    return "" if match is None else (match[1] or match[2]).replace(" ", "_")


def mismatch(certificate: Any, name: str, literal: bool) -> str:
    """
    Check that a certificate is for a name, by RFC 9525.

    @param certificate: an C{x509.Certificate}.
    @param literal: whether the name is an IP address.
    @return: why not; empty if it is.
    """
    # For those who have certificates to judge.
    from service_identity import CertificateError, VerificationError
    from service_identity.cryptography import (
        verify_certificate_hostname,
        verify_certificate_ip_address,
    )

    try:
        if literal:
            verify_certificate_ip_address(certificate, name)
        else:
            verify_certificate_hostname(certificate, name)
    except VerificationError:
        return f"the certificate is for {_namesIn(certificate)}, not {name}"
    except CertificateError:
        found = _namesIn(certificate)
        if found:
            return f"the certificate is for {found}, which is not valid"
        return f"the certificate names no host (subjectAltName), so it is not for {name}"
    except ValueError:
        # Of names that no certificate can have, or certificates that can't be read.
        return f"no certificate can be for {name}, or this one is not valid"
    return ""


def chainProblem(certificate: Any, code: int, depth: int, whose: str = "") -> str:
    """
    Say what OpenSSL found wrong with a chain of certificates.

    @param certificate: the C{x509.Certificate} that it is about.
    @param code: one of C{SSL.X509VerificationCodes}.
    @param depth: its place in the chain, 0 for the peer's own.
    @param whose: who that is, if it has to be told.
    """
    which = f"the certificate of {whose}" if whose else "the certificate"
    if depth:
        which += f" of its authority {_distinguished(certificate.subject)}"
    by = f"{which} is issued by" if whose else "issued by"
    if code == _CODES.ERR_CERT_HAS_EXPIRED:
        return f"{which} expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    if code == _CODES.ERR_CERT_NOT_YET_VALID:
        since = f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        return f"{which} is not valid before {since}: is the clock right?"
    if code == _CODES.ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return f"{which} is signed by itself; to trust it, name its file in ca"
    if code == _CODES.ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return f"{by} an unknown authority: {_distinguished(certificate.subject)}"
    if code in (
        _CODES.ERR_UNABLE_TO_GET_ISSUER_CERT,
        _CODES.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
        _CODES.ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
    ):
        return f"{by} an unknown authority: {_distinguished(certificate.issuer)}"
    if code == _CODES.ERR_CERT_REVOKED:
        return f"{which} is revoked"
    if code in (_CODES.ERR_UNABLE_TO_GET_CRL, _CODES.ERR_UNABLE_TO_GET_CRL_ISSUER):
        issuer = _distinguished(certificate.issuer)
        return f"{which} may be revoked: there is no list of {issuer} in crl"
    if code == _CODES.ERR_CRL_HAS_EXPIRED:
        issuer = _distinguished(certificate.issuer)
        return f"{which} may be revoked: the list of {issuer} in crl has expired"
    if code == _CODES.ERR_INVALID_PURPOSE:
        return f"{which} is not for this use (extendedKeyUsage)"
    return f"{which} is not accepted: {_WORDS.get(code, f'error {code}')}"


def clientProblem(certificate: Any, code: int, depth: int) -> str:
    """As L{chainProblem}, of a client, whom nobody knows otherwise."""
    if depth:
        return chainProblem(certificate, code, depth)
    return chainProblem(certificate, code, depth, _distinguished(certificate.subject))


def _distinguished(name: x509.Name) -> str:
    """Spell a distinguished name for one line of a log."""
    return _plain(name.rfc4514_string()) or "without a name"


def _namesIn(certificate: Any) -> str:
    """Spell the first of the names and addresses that a certificate is for."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return ""
    found = [_plain(each) for each in extension.value.get_values_for_type(x509.DNSName)]
    found += [str(each) for each in extension.value.get_values_for_type(x509.IPAddress)]
    if len(found) > _NAMES:
        found = [*found[:_NAMES], f"{len(found) - _NAMES} more"]
    return ", ".join(found) or "no host"


def _plain(text: str) -> str:
    """Leave out of a text what has no place in a log, and cut it."""
    text = "".join(each if each.isprintable() else "?" for each in text)
    return text if len(text) <= _NAME_CHARACTERS else text[: _NAME_CHARACTERS - 3] + "..."


__all__ = [
    "ALERTS",
    "chainProblem",
    "clientProblem",
    "handshakeError",
    "mismatch",
    "reasonsOf",
    "tlsError",
]
