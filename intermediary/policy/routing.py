# -*- test-case-name: tests.policy.test_routing -*-
"""
Which program serves a request of a reverse front: by host, then by path.

The most specific host comes first: an exact name, then the longest wildcard,
then routes for any host; among routes of the same host the longest path.  A
request that no path of its host fits falls through to the next host pattern.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Final

from ..errors import MethodNotAllowed, Misdirected, RequestInvalid
from ..wire.target import DEFAULT_PORTS, Target, hostToASCII, parseAuthority, readAbsolute

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..exchange import Exchange
    from ..program import Program

_SLASH: Final = 0x2F
_BACKSLASH: Final = 0x5C
_QUESTION_MARK: Final = 0x3F
_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")
#: The beginning of a path that is spelt in the only way: nothing encoded, no backslash,
#: and no segment but the last that is empty or begins with a dot.
_USUAL: Final = re.compile(rb"(?:/[^./?%\\][^/?%\\]*+)*+/?")

#: How many spellings of C{Host} a table remembers the routes of, and how many targets
#: the paths of, of at most so many octets.
REMEMBERED: Final = 1024
REMEMBERED_OCTETS: Final = 256


def normalPath(target: bytes) -> bytes:
    """
    Spell the path of an origin-form target as its server will understand it.

    Percent-encoding is undone, empty and dot segments are removed, so that no
    spelling of a path is matched as another path than it is served as.  What is
    sent to the server is the client's own spelling.

    Servers differ about backslashes, which some take for slashes, and about
    C{..;x}, which some take for C{..}: the one is refused, as no URI has it (RFC
    3986 §2), the other is read as the more dangerous of the two.

    @raise RequestInvalid: it climbs over the root, hides a NUL or a control, or
        has a backslash.
    """
    # Each time, and as a rule all there is to do.
    usual = _USUAL.match(target)
    assert usual is not None
    end = usual.end()
    if end == len(target):
        return target
    if target[end] == _QUESTION_MARK:
        return target[:end]
    path = _ESCAPED.sub(lambda match: bytes((int(match[1], 16),)), target.partition(b"?")[0])
    if any(octet < 0x20 or octet == 0x7F for octet in path):
        raise RequestInvalid("the path hides control characters")
    if _BACKSLASH in path:
        raise RequestInvalid("a backslash in the path")
    kept: list[bytes] = []
    segments = path.split(b"/")
    for segment in segments[1:]:
        dots = segment.partition(b";")[0]
        if dots == b"..":
            if not kept:
                raise RequestInvalid("the path climbs over the root")
            kept.pop()
        elif dots != b"." and segment:
            kept.append(segment)
    last = segments[-1]
    directory = (not last or last.partition(b";")[0] in (b".", b"..")) and kept
    return b"/" + b"/".join(kept) + (b"/" if directory else b"")


def _normalHost(host: str) -> str:
    """Spell a valid host in the one way in which it is looked up."""
    if ":" in host:
        return IPv6Address(host).compressed
    return host.removesuffix(".")


class Route:
    """
    A matcher and the program for what it matches.

    @ivar hosts: names, C{*.suffix}, or addresses; none for any.
    @ivar path: a prefix of whole segments: C{/api} matches C{/api} and
        C{/api/x} but not C{/apix}; C{/api/} matches only what is below.
    """

    __slots__ = ("hosts", "path", "program", "servesAll")

    def __init__(self, hosts: Sequence[str], path: str, program: Program) -> None:
        """
        @param path: as it is spelled in a request.
        @raise ValueError: it is no path, or one of the hosts is none.
        """
        spelled = []
        for host in hosts:
            star = "*." if host.startswith("*.") else ""
            spelled.append(star + _normalHost(hostToASCII(host.removeprefix(star))))
        self.hosts = tuple(spelled)
        if not path.startswith("/"):
            raise ValueError(f"the path of a route begins with a slash: {path!r}")
        try:
            self.path = normalPath(path.encode("ascii"))
        except RequestInvalid as error:
            raise ValueError(f"not a path for a route: {path!r}: {error.detail}") from error
        self.servesAll = self.path == b"/"
        self.program = program

    def serves(self, path: bytes) -> bool:
        """Whether a normal path is at or below this route's."""
        prefix = self.path
        if not path.startswith(prefix):
            return False
        return prefix.endswith(b"/") or len(path) == len(prefix) or path[len(prefix)] == _SLASH

    def __repr__(self) -> str:
        path = self.path.decode("utf-8", "replace")
        return f"<Route {'|'.join(self.hosts) or '*'}{path} {self.program.name}>"


def _asReceived(target: Target, secure: bool) -> Target:
    """
    Give a target the scheme of the connection that it came on.

    The origin hears of that, and what it says must not be stored as the answer to those
    who ask by the other.
    """
    scheme = "https" if secure else "http"
    if target.scheme == scheme:
        return target
    port = parseAuthority(target.authority)[1] or DEFAULT_PORTS[scheme]
    return Target(scheme, target.host, port, target.path, target.authority)


class RouteTable:
    """The routes of one front; called, it chooses the program of an exchange."""

    def __init__(self, routes: Iterable[Route]) -> None:
        exact: dict[str, list[Route]] = {}
        wild: dict[str, list[Route]] = {}
        self._any: list[Route] = []
        for route in routes:
            if not route.hosts:
                self._any.append(route)
            for host in route.hosts:
                if host.startswith("*."):
                    wild.setdefault(host[1:], []).append(route)
                else:
                    exact.setdefault(host, []).append(route)
        for group in (*exact.values(), *wild.values(), self._any):
            # Stable: of equal paths the one that is written first.
            group.sort(key=lambda route: -len(route.path))
        self._exact = exact
        self._wild = sorted(wild.items(), key=lambda item: -len(item[0]))
        self._remembered: dict[bytes | None, tuple[Route, ...]] = {}
        #: The recent targets, and their paths as L{normalPath} gives them.
        self._paths: dict[bytes, bytes] = {}

    def candidates(self, host: bytes | None) -> tuple[Route, ...]:
        """
        List the routes for a C{Host} value, the most specific first.

        @raise WireError: it is no valid host.
        """
        found = self._remembered.get(host)
        if found is None:
            name = "" if host is None else _normalHost(parseAuthority(host)[0])
            routes = list(self._exact.get(name, ()))
            for suffix, group in self._wild:
                if name.endswith(suffix) and len(name) > len(suffix):
                    routes.extend(group)
            routes.extend(self._any)
            if len(self._remembered) >= REMEMBERED:
                self._remembered.clear()
            found = self._remembered[host] = tuple(routes)
        return found

    def __call__(self, exchange: Exchange) -> Program:
        """
        Choose the program.

        @raise Misdirected: no route serves the host and path.
        @raise WireError: the target is an absolute one that is not valid.
        @raise MethodNotAllowed: the method is for proxies (CONNECT), or shows
            clients what they should not see (TRACE).
        """
        request = exchange.request
        assert request is not None
        method = request.method
        if method == b"CONNECT" or method == b"TRACE":
            raise MethodNotAllowed(f"{method.decode()} is not for a gateway")
        target = request.target
        host = request.host
        if target[0] != _SLASH and target != b"*":
            # RFC 9112 §3.2.2: a server accepts it, and its authority wins.
            absolute = _asReceived(readAbsolute(target, method), exchange.secure)
            exchange.target = absolute
            target = absolute.path
            host = absolute.authority
        routes = self._remembered.get(host) or self.candidates(host)
        path = self._paths.get(target)
        if path is None:
            path = self._pathOf(target)
        for route in routes:
            if route.servesAll or route.serves(path):
                return route.program
        raise Misdirected(f"no route for {host!r} {path!r}")

    def _pathOf(self, target: bytes) -> bytes:
        """Find the path of a target that was not asked for lately."""
        path = b"/" if target == b"*" else normalPath(target)
        if len(target) <= REMEMBERED_OCTETS:
            if len(self._paths) >= REMEMBERED:
                self._paths.clear()
            self._paths[target] = path
        return path
