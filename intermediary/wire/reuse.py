# -*- test-case-name: tests.wire.test_reuse -*-
"""
May a stored response be used for a request now (RFC 9111 §4, §5.2.1).

The response has been evaluated when it was stored
(L{intermediary.wire.freshness}); what a request asks for is read here.  Nearly
all requests ask for nothing, and share L{ORDINARY}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .conditional import PRECONDITIONS
from .directives import parseDirectives, parseSeconds

if TYPE_CHECKING:
    from .directives import Directives
    from .fields import Fields
    from .freshness import Freshness

#: Use it: it is fresh.
FRESH: Final = 0
#: Use it: it is stale, and the request takes that (C{max-stale}).
STALE_ACCEPTED: Final = 1
#: Use it: it is stale, and has to be validated in the background (RFC 5861 §3).
STALE_WHILE: Final = 2
#: Don't use it before it was validated: it is stale.
STALE: Final = 3
#: Don't use it before it was validated: it is fresh, but the request wants better.
REFUSED: Final = 4

_INFINITE: Final = float("inf")


class Demand:
    """
    The directives of a request (RFC 9111 §5.2.1), evaluated.

    @ivar ordinary: there is none that matters for reuse.
    @ivar noCache: the response has to be validated; also C{Pragma: no-cache}
        where there is no C{Cache-Control} (RFC 9111 §5.4).
    @ivar noStore: the answer must not be stored.  It says nothing about what is
        stored already.
    @ivar onlyIfCached: answer from the cache, or with 504 (RFC 9111 §5.2.1.7).
    @ivar maxAge: seconds; infinite without, 0 if it can't be read.
    @ivar maxStale: seconds; infinite if there is no limit, negative without the
        directive.
    @ivar minFresh: seconds; infinite if it can't be read.
    @ivar staleIfError: seconds (RFC 5861 §4); negative without.
    """

    __slots__ = (
        "maxAge",
        "maxStale",
        "minFresh",
        "noCache",
        "noStore",
        "onlyIfCached",
        "ordinary",
        "staleIfError",
    )

    def __init__(self, directives: Directives) -> None:
        self.noCache = b"no-cache" in directives
        self.noStore = b"no-store" in directives
        self.onlyIfCached = b"only-if-cached" in directives
        self.maxAge = _INFINITE
        if b"max-age" in directives:
            self.maxAge = float(parseSeconds(directives[b"max-age"]) or 0)
        self.maxStale = -1.0
        if b"max-stale" in directives:
            argument = directives[b"max-stale"]
            self.maxStale = _INFINITE if argument is None else _seconds(argument, -1.0)
        self.minFresh = 0.0
        if b"min-fresh" in directives:
            self.minFresh = _seconds(directives[b"min-fresh"], _INFINITE)
        self.staleIfError = -1.0
        if b"stale-if-error" in directives:
            self.staleIfError = _seconds(directives[b"stale-if-error"], -1.0)
        self.ordinary = (
            not self.noCache
            and self.maxAge == _INFINITE
            and self.maxStale < 0.0
            and self.minFresh == 0.0
        )

    def __repr__(self) -> str:
        return (
            f"Demand(noCache={self.noCache}, noStore={self.noStore},"
            f" onlyIfCached={self.onlyIfCached}, maxAge={self.maxAge!r},"
            f" maxStale={self.maxStale!r}, minFresh={self.minFresh!r})"
        )


def _seconds(argument: bytes | None, otherwise: float) -> float:
    seconds = parseSeconds(argument)
    return otherwise if seconds is None else float(seconds)


#: A request without directives.
ORDINARY: Final = Demand({})
_PRAGMA: Final = Demand({b"no-cache": None})
# Of a request with more directives than anybody needs: it gets what the origin
# says, and leaves nothing behind.
_ABSURD: Final = Demand({b"no-cache": None, b"no-store": None})
#: Its answer must not be stored, and that is all.
UNSTORED: Final = Demand({b"no-store": None})
# What asks for something fresher than what is fresh.
_FRESHER: Final = frozenset({b"no-cache", b"max-age", b"min-fresh"})
#: A longer C{Cache-Control} of a request is not read.
_CONTROL_OCTETS: Final = 4096

_MEMO_ENTRIES: Final = 512
_MEMO_OCTETS: Final = 256

# By the value of the field.  Not state: what it forgets is computed again.
_memo: Final[dict[bytes, Demand]] = {}

#: What a request says of caches, of what the client has, and of what it wants of it.
_ABOUT: Final = PRECONDITIONS | {b"cache-control", b"pragma", b"range"}


def forbidsStoring(request: Fields) -> bool:
    """Tell whether the answer must not be stored: C{noStore} of what L{readDemand} gives."""
    index = request.index
    if b"cache-control" not in index:
        return False
    control = index[b"cache-control"]
    return len(control) > _CONTROL_OCTETS or b"no-store" in parseDirectives(control)


def isPlain(request: Fields) -> bool:
    """
    Tell whether there is nothing in a request about caches, preconditions or ranges.

    Clients repeat their fields, and readers then give the same object again: the answer
    is kept on it.
    """
    if request.plain < 0:
        request.plain = 1 if _ABOUT.isdisjoint(request.index) else 0
    return request.plain == 1


def readDemand(request: Fields) -> Demand:
    """
    Read what a request asks of a cache.

    @return: shared between requests, not to be changed.
    """
    index = request.index
    control = index.get(b"cache-control")
    if control is not None:
        if len(control) > _CONTROL_OCTETS:
            return _ABSURD
        demand = _memo.get(control)
        if demand is None:
            directives = parseDirectives(control)
            demand = Demand(directives) if directives else ORDINARY
            if len(control) <= _MEMO_OCTETS:
                if len(_memo) >= _MEMO_ENTRIES:
                    _memo.clear()
                _memo[control] = demand
        return demand
    pragma = index.get(b"pragma")
    if pragma is not None and b"no-cache" in parseDirectives(pragma[:_CONTROL_OCTETS]):
        return _PRAGMA
    return ORDINARY


def readModestDemand(request: Fields) -> Demand:
    """
    Read what a request asks of a cache that gives nothing fresher than it has.

    That it is not to be stored counts, and so does that it may be stale.
    """
    control = request.index.get(b"cache-control")
    if control is None:
        return ORDINARY
    if len(control) > _CONTROL_OCTETS:
        return UNSTORED
    directives = {
        name: argument
        for name, argument in parseDirectives(control).items()
        if name not in _FRESHER
    }
    return Demand(directives) if directives else ORDINARY


def judge(freshness: Freshness, demand: Demand, now: float) -> int:
    """
    Decide whether a stored response may be used (RFC 9111 §4).

    That it was stored for the same key and that its variant fits is taken for
    granted.  For an L{ORDINARY} request and a fresh response this is a
    comparison of two floats, which a caller may do itself.

    @return: L{FRESH}, L{STALE_ACCEPTED}, L{STALE_WHILE}, L{STALE} or L{REFUSED}.
    """
    fresh = now < freshness.freshUntil
    if demand.ordinary:
        if fresh:
            return FRESH
        return STALE_WHILE if now < freshness.staleWhileUntil else STALE
    if demand.noCache or now - freshness.bornAt > demand.maxAge:
        return REFUSED if fresh else STALE
    if fresh:
        # RFC 9111 §5.2.1.3: still fresh for at least that long.
        return FRESH if now + demand.minFresh <= freshness.freshUntil else REFUSED
    if demand.minFresh > 0.0:
        return STALE
    if not freshness.staleForbidden and now - freshness.freshUntil <= demand.maxStale:
        return STALE_ACCEPTED
    if demand.maxAge == _INFINITE and now < freshness.staleWhileUntil:
        # Whoever states a max-age wants nothing stale (RFC 9111 §5.2.1.1).
        return STALE_WHILE
    return STALE


def mayReplaceError(freshness: Freshness, demand: Demand, now: float) -> bool:
    """
    Decide whether a stored response may be used because its origin fails.

    That is, it can't be reached, does not answer in time, or answers with 500,
    502, 503 or 504 (RFC 5861 §4, RFC 9111 §4.2.4 and §4.3.3).
    """
    if demand.noCache:
        return False
    if now < freshness.staleErrorUntil:
        return True
    if freshness.staleForbidden:
        return False
    return now - freshness.freshUntil <= max(demand.staleIfError, demand.maxStale)


#: The statuses that are as if an origin had not answered (RFC 5861 §4).
ERRORS: Final = frozenset({500, 502, 503, 504})
