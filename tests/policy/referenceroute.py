# -*- test-case-name: tests.policy.test_cachesequences -*-
"""
What an operator says about a route, for the slow cache of L{tests.policy.referencemodel}.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

from .referencefields import Pairs, combined, isToken, normal
from .referenceselecting import hidden, isMisspelt

#: What a cookie may have in it (RFC 6265 §4.1.1), of what is used here.
COOKIE_OCTETS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=")


class Route(NamedTuple):
    """
    The keys of C{[…route.cache]}.

    @ivar use: C{grace}, in seconds.
    @ivar error: C{grace-error}.
    @ivar lifetimes: seconds by status or class.
    @ivar forces: there is a C{force}.
    @ivar forced: its lifetime; None for none.
    @ivar ignored: the fields that it ignores, in lower case.
    @ivar authorization: it is for requests with C{Authorization}, too.
    @ivar bypass: of each that goes past the cache, all that has to fit.
    @ivar targeted: is said of the whole cache; the first that is valid counts.
    """

    use: float = 0.0
    error: float = 3600.0
    lifetimes: tuple[tuple[str, int], ...] = ()
    forces: bool = False
    forced: int | None = None
    ignored: tuple[str, ...] = ()
    authorization: bool = False
    ignoreClient: bool = False
    bypass: tuple[tuple[tuple[str, str], ...], ...] = ()
    minUses: int = 1
    within: int = 3600
    keyFields: tuple[str, ...] = ()
    keyCookies: tuple[str, ...] = ()
    storeCookies: bool = False
    refreshUses: int = 0
    rangeMiss: str = "pass"
    cacheStatus: str = "on"
    share: str = ""
    ignoreQuery: tuple[str, ...] = ()
    sortQuery: bool = False
    targeted: tuple[str, ...] = ("CDN-Cache-Control",)

    @property
    def several(self) -> bool:
        """One target has several keys."""
        return bool(self.keyFields or self.keyCookies)

    def lifetimeOf(self, status: int) -> int | None:
        """For how long what does not say so is fresh; None where that is not said here."""
        found = dict(self.lifetimes)
        return found.get(str(status), found.get(f"{status // 100}xx"))

    def forcedFor(self, status: int) -> int | None:
        """For how long it is fresh whatever it says; None where that counts."""
        return self.forced if status < 400 else None

    def keyed(self, target: str) -> str:
        """The target as it is in the key."""
        path, mark, query = normal(target).partition("?")
        if not mark:
            return path
        parameters = [each.partition("=")[::2] for each in query.split("&")]
        left = [
            number
            for number, (name, _) in enumerate(parameters)
            if not any(fnmatchcase(name, pattern) for pattern in self.ignoreQuery)
        ]
        if not left and self.ignoreQuery:
            return path
        if self.sortQuery:
            left.sort(key=lambda number: (parameters[number][0], number))
        return path + "?" + "&".join(query.split("&")[number] for number in left)

    def goesPast(self, target: str, fields: Pairs) -> bool:
        """Whether a GET, HEAD or POST has nothing to do with the cache."""
        if self.forces and not self.authorization:
            if combined(fields, "authorization") is not None:
                return True
        return any(
            all(_fits(kind, value, target, fields) for kind, value in each) for each in self.bypass
        )

    def added(self, fields: Pairs) -> tuple[str, ...] | None:
        """What the key has beside the target, a line each; None if that is not clear."""
        names = tuple(sorted(each.lower() for each in self.keyFields))
        if isMisspelt(names, fields):
            return None
        unsent = hidden(fields)
        lines = []
        for name in names:
            value = None if name in unsent else combined(fields, name)
            lines.append(name if value is None else f"{name}: {value}")
        if not self.keyCookies:
            return tuple(lines)
        cookies = _cookies(fields)
        if cookies is None:
            return None
        for name in sorted(self.keyCookies):
            values = [value for each, value in cookies if each == name]
            if len(values) > 1:
                return None
            lines.append(f"{name}={values[0]}" if values else f"={name}")
        return tuple(lines)


def _fits(kind: str, value: str, target: str, fields: Pairs) -> bool:
    path, _, query = normal(target).partition("?")
    if kind == "path":
        return fnmatchcase(path, value)
    if kind == "field":
        return combined(fields, value.lower()) is not None
    pairs = query.split("&") if query else []
    if kind == "cookie":
        lines = [each for name, each in fields if name.lower() == "cookie"]
        pairs = [each for line in lines if line for each in line.split(";")]
    return any(fnmatchcase(each.partition("=")[0].strip(" "), value) for each in pairs)


def _cookies(fields: Pairs) -> list[tuple[str, str]] | None:
    """RFC 6265 §4.2.1, strictly; None if it is not that."""
    lines = [each for name, each in fields if name.lower() == "cookie"]
    if not lines or lines == [""]:
        return []
    if len(lines) > 1:
        return None
    found = []
    for each in lines[0].split(";"):
        name, equals, value = each.strip(" ").partition("=")
        if not (equals and isToken(name) and set(value) <= COOKIE_OCTETS) or each.endswith(" "):
            return None
        found.append((name, value))
    return found
