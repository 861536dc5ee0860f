# -*- test-case-name: tests.policy.test_bypass -*-
"""
Requests that have nothing to do with the cache, by the operator's word.

They are neither answered from it nor leave anything in it.  The step is before
the look-up, in programs of routes that have such rules, and in no other.
"""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING, Any, Final

from ..program import FETCH
from ..wire.cachekey import normaliseTarget
from ..wire.cachestatus import BYPASS, METHOD
from ..wire.reuse import UNSTORED
from .visit import Visit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..exchange import Exchange

#: A request with more cookies or parameters than anybody needs fits any rule about
#: them: to find out would take long.
MOST_NAMES: Final = 1024


class Condition:
    """
    What a request has to be like: all that is given.

    Names of parameters and cookies, and the path, are patterns as of L{fnmatch}; a
    C{*} stands for slashes, too.  They are compared with what is in the key: the
    normal form of the target.
    """

    __slots__ = ("_cookie", "_field", "_path", "_query")

    def __init__(
        self, *, path: bytes = b"", query: bytes = b"", cookie: bytes = b"", field: bytes = b""
    ) -> None:
        """
        @param path: of the target.
        @param query: the name of one of its parameters.
        @param cookie: the name of a cookie.
        @param field: the name of a field; in any case of letters.
        """
        self._path = _pattern(path)
        self._query = _pattern(query)
        self._cookie = _pattern(cookie)
        self._field = field.lower()

    def fits(self, exchange: Exchange) -> bool:
        """Whether a request is like that."""
        request = exchange.request
        assert request is not None
        fields = request.fields
        if self._field and self._field not in fields.index:
            return False
        if self._path is not None or self._query is not None:
            absolute = exchange.target
            target = normaliseTarget(request.target if absolute is None else absolute.path)
            path, _, query = target.partition(b"?")
            if self._path is not None and self._path.match(path) is None:
                return False
            if self._query is not None and not _names(self._query, query, b"&"):
                return False
        if self._cookie is not None:
            return any(_names(self._cookie, value, b";") for value in fields.getAll(b"cookie"))
        return True


def _pattern(pattern: bytes) -> re.Pattern[bytes] | None:
    if not pattern:
        return None
    return re.compile(translate(pattern.decode("latin-1")).encode("latin-1"))


def _names(pattern: re.Pattern[bytes], pairs: bytes, separator: bytes) -> bool:
    """Tell whether one of some pairs has a name that fits."""
    if not pairs:
        return False
    parts = pairs.split(separator, MOST_NAMES)
    if len(parts) > MOST_NAMES:
        return True
    return any(pattern.match(part.partition(b"=")[0].strip(b" \t")) is not None for part in parts)


class Bypass:
    """The step of one route."""

    __slots__ = ("_conditions", "_seconds")

    def __init__(self, conditions: Iterable[Condition], seconds: Callable[[], float]) -> None:
        """
        @param conditions: a request for which any of them fits goes past the cache.
        """
        self._conditions = tuple(conditions)
        self._seconds = seconds

    def onLookup(self, exchange: Exchange) -> Any:
        """
        Send a request on that the cache is not for.

        Other methods than GET and HEAD are never answered from it, but what they
        change must not stay in it (RFC 9111 §4.4).  The answer to a POST could be
        stored (RFC 9110 §9.3.3).
        """
        request = exchange.request
        assert request is not None
        method = request.method
        if method != b"GET" and method != b"HEAD" and method != b"POST":
            return None
        for condition in self._conditions:
            if condition.fits(exchange):
                visit = exchange.visit = Visit(
                    METHOD if method == b"POST" else BYPASS, self._seconds()
                )
                visit.demand = UNSTORED
                return FETCH
        return None
