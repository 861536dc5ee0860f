# -*- test-case-name: tests.wire.test_cachekey -*-
"""
The primary key: what of a request identifies a stored response (RFC 9111 §2).

Scheme, host, port and target, in a form that is the same for all URIs that
RFC 3986 §6.2.2 calls equivalent, and what a route adds or leaves out.  The method
is no part of it: GET and HEAD share what is stored, and no other method is
answered from a store.

Who sends a target on in another form than the key has lets a client choose the
answer that others get, where an origin tells the two apart.  So a route that
caches forwards what L{normaliseTarget} gives, and the host as it is in the key.
"""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING, Final

from .fields import TCHAR
from .forwarding import HOP_BY_HOP, nominated
from .target import DEFAULT_PORTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .fields import Fields

_ENCODED: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_MALFORMED: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)
# For "in": with one octet of bytes instead of a number, CPython raises and drops an
# exception inside, which takes ten times as long.
_DOT: Final = 0x2E
_PERCENT: Final = 0x25
_QUESTION_MARK: Final = 0x3F
_NAME: Final = re.compile(TCHAR + rb"++")

# RFC 6265 §4.2.1, but for spaces: any number of them, or none.  Whatever else a
# server takes for a cookie, servers do not agree about.
_COOKIE: Final = rb"(%b++)=(\"[!#-+\--:<-\[\]-~]*+\"|[!#-+\--:<-\[\]-~]*+)" % TCHAR
_COOKIES: Final = re.compile(rb"%b(?:; *+%b)*+" % ((_COOKIE.replace(b"(", b"(?:"),) * 2))
_EACH_COOKIE: Final = re.compile(_COOKIE)

#: Fields that an origin gets otherwise than they came, or that select nothing but
#: a part of an answer, or say what is wanted of caches; those in L{HOP_BY_HOP} it does
#: not get at all.
_NOT_AS_SENT: Final = frozenset(
    {
        b"cache-control",
        b"client-cert",
        b"client-cert-chain",
        b"cookie",
        b"expect",
        b"forwarded",
        b"host",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-range",
        b"if-unmodified-since",
        b"max-forwards",
        b"pragma",
        b"range",
        b"via",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
    }
)
#: Hosts whose part of a key is remembered.
_MEMO_ENTRIES: Final = 1024


def normaliseTarget(target: bytes) -> bytes:
    """
    Bring a target into the one form of all equivalent ones (RFC 3986 §6.2.2).

    Percent-encoded octets that need no encoding are decoded, the digits of the
    others are in upper case, and dot segments are removed.  Nothing else is
    the same to every origin: C{%2F} is no slash, C{//} is not C{/}, and an empty
    query is a query.

    @param target: a path, with or without a query.
    @return: the object itself when it is in that form.
    """
    if _PERCENT in target and _MALFORMED.search(target) is None:
        # Where a percent sign encodes nothing, decoding could make it do so.
        target = _ENCODED.sub(_decoded, target)
    if _DOT in target and target.partition(b"/.")[1]:
        path, mark, query = target.partition(b"?")
        if path.find(b"/.") >= 0:
            target = b"%b%b%b" % (_withoutDots(path), mark, query)
    return target


def _decoded(match: re.Match[bytes]) -> bytes:
    octet = int(match.group(1), 16)
    return bytes((octet,)) if octet in _UNRESERVED else match.group().upper()


def _withoutDots(path: bytes) -> bytes:
    """RFC 3986 §5.2.4, for a path that begins with a slash."""
    segments = path.split(b"/")
    kept: list[bytes] = []
    for segment in segments[1:]:
        if segment == b"..":
            if kept:
                kept.pop()
        elif segment != b".":
            kept.append(segment)
    if segments[-1] in (b".", b".."):
        kept.append(b"")
    return b"/" + b"/".join(kept)


def mayBeKeyed(name: bytes) -> bool:
    """
    Tell whether a field may be part of a key.

    Not if the origin gets another value than the client sent, or none: then
    whoever sends it chooses whose answers get replaced.

    @param name: in lower case.
    """
    spelled = name.replace(b"_", b"-")
    return not (spelled in HOP_BY_HOP or spelled in _NOT_AS_SENT or spelled.startswith(b"proxy-"))


class KeyMaker:
    """
    Makes keys, as one route wants them.

    A key is legible, C{https://a.example/b?c}, with a line more for each field and
    cookie that is part of it.  No two different requests have the same.

    @ivar partition: what is stored for one partition is unknown to all others.
    @ivar several: one target may have several keys.
    """

    __slots__ = (
        "_cookies",
        "_dropped",
        "_fields",
        "_origins",
        "_queries",
        "_sorted",
        "_spelt",
        "partition",
        "several",
    )

    def __init__(
        self,
        *,
        partition: bytes = b"",
        dropParameters: Sequence[bytes] = (),
        sortParameters: bool = False,
        fields: Iterable[bytes] = (),
        cookies: Iterable[bytes] = (),
    ) -> None:
        """
        Compile the rules of a route.

        @param partition: a token, or empty for the common one.
        @param dropParameters: patterns as of L{fnmatch}, C{utm_*}, of the names of
            query parameters that do not matter; C{*} drops the query.
        @param sortParameters: the order of query parameters with different
            names does not matter.
        @param fields: names of request fields that matter.
        @param cookies: names of cookies that matter.
        @raise ValueError: a name is not a token, or not one for a key.
        """
        self._fields = tuple(sorted({_token(name).lower() for name in fields}))
        for name in self._fields:
            if not mayBeKeyed(name):
                raise ValueError(f"not for a key: {name!r}")
        self._spelt = frozenset([name.replace(b"_", b"-") for name in self._fields])
        self._cookies = tuple(sorted({_token(name) for name in cookies}))
        self.partition = _token(partition) if partition else b""
        self._sorted = sortParameters
        self._dropped: re.Pattern[bytes] | None = None
        if dropParameters:
            patterns = [translate(pattern.decode("latin-1")) for pattern in dropParameters]
            self._dropped = re.compile("|".join(patterns).encode("latin-1"))
        self._queries = sortParameters or self._dropped is not None
        self.several = bool(self._fields or self._cookies)
        self._origins: dict[tuple[str, str, int], bytes] = {}

    @property
    def fields(self) -> tuple[bytes, ...]:
        """The names, in lower case, of the request fields that matter."""
        return self._fields

    def make(self, scheme: str, host: str, port: int, target: bytes, request: Fields) -> bytes:
        """
        Make the key of a request.

        @param scheme: C{"http"} or C{"https"}.
        @param host: a name or address without brackets.
        @param target: the origin-form of the target, as received.
        @return: empty where the request has none, as it is not clear which value
            a field or a cookie has.
        """
        return self.under(self.origin(scheme, host, port), target, request)

    def origin(self, scheme: str, host: str, port: int) -> bytes:
        """Make what the keys of all requests to one origin begin with."""
        known = self._origins.get((scheme, host, port))
        return self._origin(scheme, host, port) if known is None else known

    def under(self, origin: bytes, target: bytes, request: Fields) -> bytes:
        """
        Make the key of a request, as L{make}.

        @param origin: of L{origin}.
        """
        # Several checks in line, as nearly all targets pass them all.
        if _PERCENT in target or (_DOT in target and target.partition(b"/.")[1]):
            target = normaliseTarget(target)
        if self._queries and _QUESTION_MARK in target:
            target = self._query(target)
        if self.several:
            added = self._added(request)
            return b"%b%b%b" % (origin, target, added) if added else b""
        return origin + target

    def common(self, scheme: str, host: str, port: int, target: bytes) -> bytes:
        """
        Make what all keys of a target begin with: its key, where it has but one.

        The parameters are those of L{make}.
        """
        target = normaliseTarget(target)
        if self._queries and _QUESTION_MARK in target:
            target = self._query(target)
        return self.origin(scheme, host, port) + target

    def _origin(self, scheme: str, host: str, port: int) -> bytes:
        name = host.lower()
        if len(name) > 1 and name.endswith("."):
            name = name[:-1]
        if ":" in name:
            name = f"[{name}]"
        if port != DEFAULT_PORTS.get(scheme):
            name = f"{name}:{port}"
        made = f"{scheme}://{name}".encode("latin-1")
        if self.partition:
            # A token, so the space ends it.
            made = b"%b %b" % (self.partition, made)
        if len(self._origins) >= _MEMO_ENTRIES:
            self._origins.clear()
        self._origins[scheme, host, port] = made
        return made

    def _query(self, target: bytes) -> bytes:
        path, _, query = target.partition(b"?")
        parameters = query.split(b"&")
        dropped = self._dropped
        if dropped is not None:
            match = dropped.match
            parameters = [
                parameter for parameter in parameters if match(parameter.partition(b"=")[0]) is None
            ]
            if not parameters:
                return path
        if self._sorted:
            # Stable: those of one name stay in their order, which may matter.
            parameters.sort(key=_parameterName)
        return b"%b?%b" % (path, b"&".join(parameters))

    def _added(self, request: Fields) -> bytes:
        """Make the lines of what is added; empty if it is not clear what that is."""
        index = request.index
        if self._fields and self._isMisspelt(index):
            return b""
        hidden = nominated(request)
        lines = []
        for name in self._fields:
            value = None if name in hidden else index.get(name)
            lines.append(b"\n" + name if value is None else b"\n%b: %b" % (name, value))
        if self._cookies:
            cookies = _parseCookies(request, self._cookies)
            if cookies is None:
                return b""
            for name in self._cookies:
                value = cookies.get(name)
                # An equals sign, which no field name has, tells it from a field.
                lines.append(b"\n=" + name if value is None else b"\n%b=%b" % (name, value))
        return b"".join(lines)

    def _isMisspelt(self, index: dict[bytes, bytes]) -> bool:
        """
        Tell whether a field of a request may be taken for one that is in the key.

        CGI, and WSGI with it, knows C{X_Device} and C{X-Device} by the same name.
        """
        return any(
            name.replace(b"_", b"-") in self._spelt and name not in self._fields for name in index
        )


def _token(name: bytes) -> bytes:
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"not a token: {name!r}")
    return name


def _parameterName(parameter: bytes) -> bytes:
    return parameter.partition(b"=")[0]


def _parseCookies(request: Fields, wanted: tuple[bytes, ...]) -> dict[bytes, bytes] | None:
    """
    Read some of the cookies of a request (RFC 6265 §4.2.1).

    @return: None where servers may disagree about their values: one of them is
        there twice, there are several C{Cookie} fields, or one that is not
        exactly as it should be.
    """
    lines = request.getAll(b"cookie")
    found: dict[bytes, bytes] = {}
    if not lines or lines == [b""]:
        return found
    if len(lines) > 1 or _COOKIES.fullmatch(lines[0]) is None:
        return None
    for name, value in _EACH_COOKIE.findall(lines[0]):
        if name in wanted:
            if name in found:
                return None
            found[name] = value
    return found
