# -*- test-case-name: tests.wire.test_freshness -*-
"""
How long a response is fresh, and how old it is (RFC 9111 §4.2, RFC 5861).

All that a response says is evaluated once, when it is stored or validated.  What
is kept are moments: until when it is fresh, until when it may be used stale, and
when its age was nought.  A hit then is a comparison with the time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .dates import parseDate
from .directives import DELTA_LIMIT, fieldNames, parseSeconds
from .reuse import ERRORS
from .storing import HEURISTICALLY_CACHEABLE, statesLifetime

if TYPE_CHECKING:
    from .directives import Directives
    from .fields import Fields
    from .rules import CacheRules
    from .targeted import CacheControl

_NEVER: Final = float("-inf")
_LIMIT: Final = float(DELTA_LIMIT)
_AGE: Final = re.compile(rb"[ \t]*+([0-9]++)[ \t]*+(?:,|\Z)")


class Freshness:
    """
    What there is to know about the freshness of a stored response.

    All moments are in seconds since the epoch, of our clock.

    @ivar bornAt: when its age was nought: its C{Date} or earlier.
    @ivar date: its C{Date}, or when it was received without one; of several
        responses that fit a request the one with the latest is used.
    @ivar lifetime: the freshness lifetime in seconds.
    @ivar freshUntil: before this moment an ordinary request may have it; minus
        infinity with C{no-cache}.
    @ivar staleWhileUntil: before this one it may have it if somebody validates it
        in the meantime; not after C{freshUntil} if that is forbidden.
    @ivar staleErrorUntil: before this one it may stand in for an origin that fails.
    @ivar staleForbidden: C{no-cache}, C{must-revalidate}, C{proxy-revalidate} or
        C{s-maxage} forbid any use once it is stale (RFC 9111 §4.2.4).
    @ivar heuristic: the lifetime is a guess.
    @ivar immutable: it won't change while it is fresh (RFC 8246): nobody needs to
        validate it ahead of time.
    """

    __slots__ = (
        "bornAt",
        "date",
        "freshUntil",
        "heuristic",
        "immutable",
        "lifetime",
        "staleErrorUntil",
        "staleForbidden",
        "staleWhileUntil",
    )

    def __init__(
        self,
        bornAt: float,
        date: float,
        lifetime: float,
        freshUntil: float,
        staleWhileUntil: float,
        staleErrorUntil: float,
        staleForbidden: bool,
        heuristic: bool = False,
        immutable: bool = False,
    ) -> None:
        self.bornAt = bornAt
        self.date = date
        self.lifetime = lifetime
        self.freshUntil = freshUntil
        self.staleWhileUntil = staleWhileUntil
        self.staleErrorUntil = staleErrorUntil
        self.staleForbidden = staleForbidden
        self.heuristic = heuristic
        self.immutable = immutable

    def age(self, now: float) -> int:
        """Give the value of C{Age}: whole seconds, from 0 to 2**31 (RFC 9111 §5.1)."""
        return int(min(max(now - self.bornAt, 0.0), _LIMIT))

    def ttl(self, now: float) -> int:
        """
        Give the seconds it is still fresh, rounded down: negative when it is stale.

        See RFC 9211 §2.4.
        """
        return int((self.bornAt + self.lifetime - now) // 1.0)

    def expire(self, now: float) -> None:
        """
        Make it stale: a soft purge, or a C{HEAD} that tells of a change (RFC 9111 §4.3.5).

        For how long it may be used stale is counted from now.
        """
        if self.freshUntil > now:
            earlier = self.freshUntil - now
            self.lifetime -= earlier
            self.freshUntil = now
            self.staleWhileUntil -= earlier
            self.staleErrorUntil -= earlier

    def copy(self) -> Freshness:
        """Give one that is as this is now, and is made stale by itself."""
        return Freshness(
            self.bornAt,
            self.date,
            self.lifetime,
            self.freshUntil,
            self.staleWhileUntil,
            self.staleErrorUntil,
            self.staleForbidden,
            self.heuristic,
            self.immutable,
        )

    def __repr__(self) -> str:
        return (
            f"Freshness(bornAt={self.bornAt!r}, lifetime={self.lifetime!r},"
            f" freshUntil={self.freshUntil!r}, staleWhileUntil={self.staleWhileUntil!r},"
            f" staleErrorUntil={self.staleErrorUntil!r})"
        )


def evaluate(
    status: int,
    fields: Fields,
    control: CacheControl,
    rules: CacheRules,
    requestTime: float,
    responseTime: float,
) -> Freshness:
    """
    Evaluate what a response says.

    @param fields: of the response, or of the stored one after its update.
    @param control: read from the response before any field was left out.
    @param requestTime: when the request for it was sent.
    @param responseTime: when its head was received.
    """
    index = fields.index
    dateValue = index.get(b"date")
    stated = parseDate(dateValue, responseTime) if dateValue is not None else None
    # RFC 9110 §6.6.1: without a date it is as old as its arrival.
    date = float(stated) if stated is not None else responseTime
    initialAge = correctedAge(index.get(b"age"), date, requestTime, responseTime)
    bornAt = responseTime - initialAge
    directives = control.directives

    heuristic = False
    passing = False
    if rules.forcedSeconds is not None and status < 400:
        # An operator counts from now, whatever the origin says about its age.
        lifetime = rules.forcedSeconds + initialAge
    elif statesLifetime(control):
        lifetime = _statedLifetime(control, date, responseTime)
    elif status in rules.lifetimes:
        lifetime = rules.lifetimes[status] + initialAge
        # Nobody wants to have an error for longer than that.
        passing = status in ERRORS
    else:
        heuristic = True
        lifetime = 0.0
        if status in HEURISTICALLY_CACHEABLE or b"public" in directives:
            lifetime = _guessedLifetime(index.get(b"last-modified"), date, responseTime, rules)

    freshUntil = bornAt + lifetime
    noCache = _forbidsReuse(directives)
    staleForbidden = (
        noCache
        or b"must-revalidate" in directives
        or b"proxy-revalidate" in directives
        or b"s-maxage" in directives
    )
    if noCache:
        freshUntil = staleWhileUntil = staleErrorUntil = _NEVER
    elif staleForbidden or passing:
        staleWhileUntil = staleErrorUntil = freshUntil
    else:
        staleWhileUntil = freshUntil + _grace(
            directives, b"stale-while-revalidate", rules.staleWhileRevalidateSeconds
        )
        staleErrorUntil = freshUntil + _grace(
            directives, b"stale-if-error", rules.staleIfErrorSeconds
        )
    return Freshness(
        bornAt,
        date,
        lifetime,
        freshUntil,
        staleWhileUntil,
        staleErrorUntil,
        staleForbidden,
        heuristic,
        b"immutable" in directives,
    )


def correctedAge(
    value: bytes | None, date: float, requestTime: float, responseTime: float
) -> float:
    """
    Calculate the corrected initial age (RFC 9111 §4.2.3), in seconds.

    @param value: of C{Age}: the first member of a list counts, and what is no
        number is ignored (RFC 9111 §5.1).
    @param date: of the response, in any relation to our clock.
    """
    apparent = max(0.0, responseTime - date)
    delay = max(0.0, responseTime - requestTime)
    return min(max(apparent, _ageValue(value) + delay), _LIMIT)


def _ageValue(value: bytes | None) -> float:
    if value is None:
        return 0.0
    match = _AGE.match(value)
    if match is None:
        return 0.0
    return float(parseSeconds(match.group(1)) or 0)


def _statedLifetime(control: CacheControl, date: float, responseTime: float) -> float:
    """RFC 9111 §4.2.1; what can't be read has expired."""
    directives = control.directives
    for name in (b"s-maxage", b"max-age"):
        if name in directives:
            return float(parseSeconds(directives[name]) or 0)
    assert control.expires is not None
    # Two lines are no date, either.
    expires = parseDate(control.expires, responseTime)
    if expires is None:
        return 0.0
    return min(max(0.0, expires - date), _LIMIT)


def _guessedLifetime(
    lastModified: bytes | None, date: float, responseTime: float, rules: CacheRules
) -> float:
    """RFC 9111 §4.2.2: never without a validator that says when it changed."""
    if lastModified is None:
        return 0.0
    modified = parseDate(lastModified, responseTime)
    if modified is None:
        return 0.0
    # A date ahead of our clock would make it more unchanged than it is.
    unchanged = max(0.0, min(date, responseTime) - modified)
    return min(unchanged * rules.heuristicFraction, rules.heuristicLimitSeconds)


def _forbidsReuse(directives: Directives) -> bool:
    """Tell whether there is a C{no-cache} for all of the response."""
    if b"no-cache" not in directives:
        return False
    argument = directives[b"no-cache"]
    return argument is None or not fieldNames(argument)


def _grace(directives: Directives, name: bytes, operator: float) -> float:
    """Give the longer of what the response allows and what the operator does."""
    if name not in directives:
        return operator
    return max(float(parseSeconds(directives[name]) or 0), operator)
