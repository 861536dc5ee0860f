# -*- test-case-name: tests.ops.test_values -*-
"""
What one value of a configuration may be where it is about TLS: see
L{intermediary.ops.values}.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from ..policy.clientrules import AlternativePattern, SubjectPattern, Wording, fingerprint
from ..wire.clientcertificates import STANDARD
from ..wire.forwarding import END_TO_END, HOP_BY_HOP
from .values import Unfit, fieldName, hostName, isAddress, oneLine

#: Authorities with a name of their own.
_AUTHORITIES = {
    "letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
    "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
}
_EMAIL = re.compile(r"[^\s@,:<>?&\"]+@[^\s@,:<>?&\"]+\.[^\s@,:<>?&\".]+")


def certificateName(text: str) -> str:
    """Check a name that a certificate may be for: no pattern."""
    if "*" in text:
        raise Unfit("is a pattern", 'name one that it is for, as in "www.example.org"')
    return hostName(text, 'write it as in "example.org"')


def automaticName(text: str) -> str:
    """
    Check a name to get a certificate for.

    @return: it in ASCII lower case.
    """
    if "*" in text:
        raise Unfit(
            "is a wildcard, which is proved by dns-01 alone, and that is not done here",
            "name each host, or get it elsewhere and put it into certificates = FOLDER",
        )
    remedy = 'write it as in "www.example.org"'
    if isAddress(text):
        raise Unfit("is an address, and certificates are got for names", remedy)
    found = hostName(text, remedy).removesuffix(".")
    if re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", found) is None:
        raise Unfit("is no host name", remedy)
    return found


def isAutomatic(host: str) -> bool:
    """Tell whether there can be a certificate, got by itself, for a host of a route."""
    try:
        automaticName(host)
    except Unfit:
        return False
    return True


def directory(text: str) -> str:
    """
    Check who is asked for certificates.

    @return: the URL of an ACME server's directory.
    """
    if text in _AUTHORITIES:
        return _AUTHORITIES[text]
    remedy = (
        f'write "letsencrypt", "letsencrypt-staging", or a URL as "{_AUTHORITIES["letsencrypt"]}"'
    )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise Unfit(f"is not a valid URL ({oneLine(error)})", remedy) from error
    if parts.scheme != "https" or not parts.hostname or port == 0 or parts.username is not None:
        raise Unfit("is not an https:// URL", remedy)
    return text


def email(text: str) -> str:
    """Check an address to write to."""
    if not text.isascii() or _EMAIL.fullmatch(text) is None:
        raise Unfit("is not an address", 'write it as in "hostmaster@example.org"')
    return text


def pemFile(text: str) -> str:
    """Check the path of a file of certificates or keys; it is opened at the start."""
    if not text.strip() or "\0" in text or text.endswith("/"):
        raise Unfit("is not the path of a file", 'name one, such as "/etc/ssl/backend.pem"')
    return text


def serverName(text: str) -> str:
    """
    Check the name or address that a server proves to be.

    @return: it in ASCII lower case.
    """
    remedy = 'write it as it is in the certificate, as in "backend.example.org"'
    if "*" in text:
        raise Unfit("is a pattern, and a server has one name", remedy)
    return hostName(text, remedy)


def certificateField(text: str) -> str:
    """Check the name of a field that tells servers of certificates, and that clients can't send."""
    fieldName(text)
    spelled = text.lower().replace("_", "-").encode("ascii")
    if "_" in text:
        raise Unfit("has an underscore, which many servers drop", "write hyphens")
    if spelled in STANDARD:
        raise Unfit("has a meaning of its own (RFC 9440)", 'write headers = "rfc9440" to send it')
    if spelled in END_TO_END or spelled in HOP_BY_HOP or spelled.startswith(b"proxy-"):
        raise Unfit("has a meaning in HTTP", 'name one of your own, such as "X-Client-Subject"')
    return text


def subjectPattern(text: str) -> str:
    """Check a pattern of subjects of certificates."""
    try:
        SubjectPattern(text)
    except Wording as error:
        raise Unfit(error.message, error.remedy) from error
    return text


def alternativePattern(text: str) -> str:
    """Check a pattern of alternative names of certificates."""
    try:
        AlternativePattern(text)
    except Wording as error:
        raise Unfit(error.message, error.remedy) from error
    return text


def certificateFingerprint(text: str) -> str:
    """
    Check the fingerprint of a certificate.

    @return: it without colons, in lower case.
    """
    try:
        return fingerprint(text)
    except Wording as error:
        raise Unfit(error.message, error.remedy) from error


def protocol(text: str) -> str:
    """Check the name of a protocol for ALPN (RFC 7301 §3.1)."""
    if re.fullmatch(r"[!-~]{1,255}", text) is None:
        raise Unfit("is not the name of a protocol", 'write it as in "h2" or "acme-tls/1"')
    return text


__all__ = [
    "alternativePattern",
    "automaticName",
    "certificateField",
    "certificateFingerprint",
    "certificateName",
    "directory",
    "email",
    "isAutomatic",
    "pemFile",
    "protocol",
    "serverName",
    "subjectPattern",
]
