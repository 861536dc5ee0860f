# -*- test-case-name: tests.policy.test_clientrules -*-
"""
Which clients are let in, by the certificates that they have shown.

That a certificate is valid is decided before (L{intermediary.net.clientauthorities}); here it
is whose it is.  A pattern of a subject is taken apart as subjects are: a C{*} in a value stands
for anything in that value, and never for what is behind a comma that somebody got into their
name.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final

from zope.interface import classImplements

from ..errors import RequestDenied
from ..interfaces import IOnRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..clientcertificate import ClientCertificate, RelativeName
    from ..exchange import Exchange

#: The types that subjects are told by (RFC 4514 §3, and what OpenSSL calls two others), in
#: lower case.
TYPES: Final = {
    each.lower(): each
    for each in (
        "CN", "L", "ST", "O", "OU", "C", "STREET", "DC", "UID", "emailAddress", "serialNumber",
    )
}  # fmt: skip
#: How many certificates are remembered as fitting or not.
REMEMBERED: Final = 1024
#: The kinds of alternative names.
KINDS: Final = ("dns", "email", "uri", "ip")

_OID = re.compile(r"[0-2](?:\.[0-9]+)+")
_ESCAPES = re.compile(r"(?:\\[0-9A-Fa-f]{2})+|\\.", re.DOTALL)
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class Wording(ValueError):
    """
    A pattern that can't be used.

    @ivar message: why, to follow it in a sentence.
    @ivar remedy: what to write.
    """

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}; {remedy}")
        self.message = message
        self.remedy = remedy


class SubjectPattern:
    """
    A subject as RFC 4514 spells it, with C{*} in values, and for parts that may be there.

    C{CN=alice,*} is any C{alice}; C{*,O=Example} whoever is of C{Example}; C{*} anybody.
    """

    __slots__ = ("_parts",)

    def __init__(self, text: str) -> None:
        """
        @raise Wording: it is no pattern.
        """
        #: None for any number of parts.
        self._parts: list[list[tuple[str, re.Pattern[str]]] | None] = []
        if not text.strip():
            raise Wording("is empty", 'write it as in "CN=alice,O=Example" or "CN=alice,*"')
        for part in _split(text, ","):
            if part.strip() == "*":
                self._parts.append(None)
            else:
                self._parts.append([_attribute(each) for each in _split(part, "+")])

    def fits(self, names: tuple[RelativeName, ...]) -> bool:
        """Tell whether a subject, in its parts, fits."""
        # Which of the names may come next; there are few of either.
        places = {0}
        for part in self._parts:
            if part is None:
                places = set(range(min(places), len(names) + 1))
            else:
                places = {
                    place + 1
                    for place in places
                    if place < len(names) and _fitsPart(part, names[place])
                }
            if not places:
                return False
        return len(names) in places


def _fitsPart(part: list[tuple[str, re.Pattern[str]]], name: RelativeName) -> bool:
    if sorted(kind for kind, _ in part) != sorted(found.lower() for found, _ in name):
        return False
    return all(
        any(kind == found.lower() and value.fullmatch(text) is not None for found, text in name)
        for kind, value in part
    )


def _split(text: str, separator: str) -> list[str]:
    """Split at a separator that no backslash is before."""
    found = [""]
    escaped = False
    for character in text:
        if character == separator and not escaped:
            found.append("")
        else:
            found[-1] += character
        escaped = character == "\\" and not escaped
    return found


def _attribute(text: str) -> tuple[str, re.Pattern[str]]:
    """Read C{TYPE=VALUE}."""
    kind, equals, value = text.partition("=")
    kind = kind.strip().lower()
    if not equals:
        raise Wording(
            f'has a part that is no TYPE=VALUE: "{text}"',
            "write a comma inside of a value as \\, and * alone for any other parts",
        )
    if kind not in TYPES and _OID.fullmatch(kind) is None:
        raise Wording(
            f'has a part of an unknown type: "{text}"',
            f"it is one of {', '.join(TYPES.values())}, or a number as 2.5.4.4",
        )
    return kind, _pattern(value.strip())


def _pattern(text: str) -> re.Pattern[str]:
    """Make a pattern of a value in which C{*} stands for anything; escapes are undone."""
    fragments = [""]
    end = 0
    for match in _ESCAPES.finditer(text):
        _extend(fragments, text[end : match.start()])
        fragments[-1] += _unescaped(match[0])
        end = match.end()
    _extend(fragments, text[end:])
    return _glob(fragments)


def _extend(fragments: list[str], text: str) -> None:
    """Append text without escapes to what is between the stars."""
    first, *others = text.split("*")
    fragments[-1] += first
    fragments += others


def _glob(fragments: list[str]) -> re.Pattern[str]:
    """Make a pattern of what is between stars, with which no value takes long."""
    first, *others = map(re.escape, fragments)
    if not others:
        return re.compile(first)
    between = "".join(f"(?>.*?{each})" for each in others[:-1])
    return re.compile(f"{first}{between}.*{others[-1]}", re.DOTALL)


def _unescaped(text: str) -> str:
    """Undo RFC 4514 §2.4: pairs of hexadecimal digits are octets of UTF-8."""
    if len(text) == 2:
        return text[1]
    return bytes.fromhex(text.replace("\\", "")).decode("utf-8", "replace")


class AlternativePattern:
    """An alternative name, as C{dns:*.example}, with C{*} for anything; an C{ip} or a network."""

    __slots__ = ("_kind", "_network", "_value")

    def __init__(self, text: str) -> None:
        """
        @raise Wording: it is no pattern.
        """
        kind, _, value = text.partition(":")
        self._kind = kind.strip().lower()
        value = value.strip()
        if self._kind not in KINDS or not value:
            raise Wording(
                "is no alternative name",
                'write its kind, dns, email, uri or ip, and it: "dns:*.ops.example"',
            )
        self._network = None
        if self._kind == "ip":
            try:
                self._network = ip_network(value)
            except ValueError as error:
                raise Wording(
                    "has neither an address nor a network",
                    'write it as in "ip:192.0.2.7" or "ip:192.0.2.0/24"',
                ) from error
        self._value = _glob((value.lower() if self._kind == "dns" else value).split("*"))

    def fits(self, alternatives: tuple[tuple[str, str], ...]) -> bool:
        """Tell whether one of a certificate's fits."""
        for kind, value in alternatives:
            if kind != self._kind:
                continue
            if self._network is not None:
                if ip_address(value) in self._network:
                    return True
            elif self._value.fullmatch(value) is not None:
                return True
        return False


def fingerprint(text: str) -> str:
    """
    Read a SHA-256 fingerprint, in either case, with colons or without.

    @raise Wording: it is none.
    """
    plain = text.replace(":", "").strip().lower()
    if _FINGERPRINT.fullmatch(plain) is None:
        raise Wording(
            "is no SHA-256 fingerprint",
            "write its 64 hexadecimal digits: openssl x509 -noout -fingerprint -sha256 -in FILE",
        )
    return plain


class ClientRule:
    """Lets clients in whose certificate fits one of its patterns."""

    def __init__(
        self,
        subjects: Iterable[str] = (),
        alternatives: Iterable[str] = (),
        fingerprints: Iterable[str] = (),
    ) -> None:
        """
        Without any patterns, each certificate fits.

        @raise ValueError: for one that can't be used.
        """
        self._subjects = [SubjectPattern(each) for each in subjects]
        self._alternatives = [AlternativePattern(each) for each in alternatives]
        self._fingerprints = frozenset(map(fingerprint, fingerprints))
        self._any = not (self._subjects or self._alternatives or self._fingerprints)
        #: By fingerprint: connections make many requests.
        self._known: dict[str, bool] = {}

    def fits(self, certificate: ClientCertificate) -> bool:
        """Tell whether a certificate is one of those."""
        if self._any:
            return True
        key = certificate.fingerprint
        known = self._known.get(key)
        if known is None:
            known = (
                key in self._fingerprints
                or any(each.fits(certificate.names) for each in self._subjects)
                or any(each.fits(certificate.alternatives) for each in self._alternatives)
            )
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[key] = known
        return known

    def onRequest(self, exchange: Exchange) -> None:
        """
        Let a client in, or not.

        @raise RequestDenied: its certificate does not fit, or it has shown none.
        """
        certificate = exchange.clientCertificate
        if certificate is None:
            raise RequestDenied("this needs a client certificate")
        if not self.fits(certificate):
            raise RequestDenied(f"this is not for the client {certificate.subject}")


# Not as a decorator, which would keep the class from being compiled well.
classImplements(ClientRule, IOnRequest)

__all__ = [
    "KINDS",
    "TYPES",
    "AlternativePattern",
    "ClientRule",
    "SubjectPattern",
    "Wording",
    "fingerprint",
]
