# -*- test-case-name: tests.wire.test_reuse -*-
"""
A slow reading of RFC 9111 §3 and §4: the oracle of what L{intermediary.wire} decides.

It follows the text, section by section, and shares no code with what it judges.
It knows well-formed fields only, one line each, and no setting of an operator
but the one for errors.  In one thing it is stricter than the text, as the rules
are: what sets a cookie is not stored.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import NamedTuple

#: RFC 9110 §15.1, RFC 7725 §3.
HEURISTICALLY = (200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 451, 501)
#: RFC 9110 §15 describes these, and RFC 7725 the last.
UNDERSTOOD = (
    *range(200, 207),
    *range(300, 309),
    *range(400, 418),
    421,
    422,
    426,
    *range(500, 506),
    451,
)


class Exchange(NamedTuple):
    """
    A request with its response.

    @ivar requested: when the request was sent.
    @ivar received: when the response came.
    """

    method: str
    request: dict[str, str]
    status: int
    response: dict[str, str]
    requested: float
    received: float


def directives(fields: dict[str, str], name: str = "cache-control") -> dict[str, str | None]:
    """§5.2, for a field without duplicates and without commas in quotes."""
    found: dict[str, str | None] = {}
    for element in fields.get(name, "").split(","):
        text, equals, argument = element.strip().partition("=")
        if text:
            found[text.lower()] = argument.strip('"') if equals else None
    return found


def delta(argument: str | None) -> float | None:
    """§1.2.2."""
    return min(float(argument), 2.0**31) if argument and argument.isdecimal() else None


def moment(fields: dict[str, str], name: str) -> float | None:
    """An IMF-fixdate, as the standard library reads it."""
    try:
        return parsedate_to_datetime(fields[name]).timestamp()
    except (KeyError, ValueError):
        return None


def mayStore(exchange: Exchange) -> bool:
    """§3, in its order."""
    response = directives(exchange.response)
    if exchange.method not in ("GET", "HEAD"):
        return False
    if not 200 <= exchange.status <= 999:
        return False
    understood = exchange.status in UNDERSTOOD
    if exchange.status == 304 or ("must-understand" in response and not understood):
        return False
    if "no-store" in response and "must-understand" not in response:
        return False
    if "no-store" in directives(exchange.request):
        return False
    if "private" in response:
        return False
    if "set-cookie" in exchange.response:
        # §7.3 would leave it to the origin to forbid that.
        return False
    if "authorization" in exchange.request:
        if not {"must-revalidate", "public", "s-maxage"} & set(response):
            return False
    return (
        bool({"public", "max-age", "s-maxage"} & set(response))
        or "expires" in exchange.response
        or exchange.status in HEURISTICALLY
    )


def lifetime(exchange: Exchange) -> float:
    """§4.2.1 and §4.2.2."""
    response = directives(exchange.response)
    if "s-maxage" in response:
        return delta(response["s-maxage"]) or 0.0
    if "max-age" in response:
        return delta(response["max-age"]) or 0.0
    date = moment(exchange.response, "date")
    if date is None:
        date = exchange.received
    if "expires" in exchange.response:
        expires = moment(exchange.response, "expires")
        return 0.0 if expires is None else max(0.0, expires - date)
    modified = moment(exchange.response, "last-modified")
    if modified is None:
        return 0.0
    if exchange.status not in HEURISTICALLY and "public" not in response:
        return 0.0
    return min(86400.0, max(0.0, min(date, exchange.received) - modified) * 0.1)


def age(exchange: Exchange, now: float) -> float:
    """§4.2.3, with its names."""
    age_value = delta(exchange.response.get("age")) or 0.0
    date_value = moment(exchange.response, "date")
    if date_value is None:
        date_value = exchange.received
    apparent_age = max(0.0, exchange.received - date_value)
    response_delay = exchange.received - exchange.requested
    corrected_age_value = age_value + response_delay
    corrected_initial_age = max(apparent_age, corrected_age_value)
    resident_time = now - exchange.received
    return corrected_initial_age + resident_time


def staleIsProhibited(exchange: Exchange) -> bool:
    """§4.2.4."""
    return bool(
        {"no-cache", "must-revalidate", "proxy-revalidate", "s-maxage"}
        & set(directives(exchange.response))
    )


def demands(request: dict[str, str]) -> dict[str, str | None]:
    """§5.2.1 and §5.4."""
    if "cache-control" in request:
        return directives(request)
    return directives(request, "pragma")


def mayReuse(exchange: Exchange, request: dict[str, str], now: float) -> bool:
    """§4: fresh, or stale and allowed; but not what is validated on the way."""
    response = directives(exchange.response)
    wanted = demands(request)
    if "no-cache" in response or "no-cache" in wanted:
        return False
    current = age(exchange, now)
    fresh = lifetime(exchange) > current
    staleness = current - lifetime(exchange)
    if "max-age" in wanted and current > (delta(wanted["max-age"]) or 0.0):
        return False
    if "min-fresh" in wanted:
        least = delta(wanted["min-fresh"])
        return fresh and least is not None and lifetime(exchange) >= current + least
    if fresh:
        return True
    if staleIsProhibited(exchange):
        return False
    if "max-stale" in wanted:
        most = delta(wanted["max-stale"])
        if wanted["max-stale"] is None or (most is not None and staleness <= most):
            return True
    if "max-age" in wanted:
        return False
    window = delta(response.get("stale-while-revalidate"))
    return window is not None and staleness < window


def mayReplaceError(exchange: Exchange, request: dict[str, str], now: float, grace: float) -> bool:
    """§4.2.4, §4.3.3 and RFC 5861 §4."""
    response = directives(exchange.response)
    wanted = demands(request)
    if "no-cache" in response or "no-cache" in wanted:
        return False
    staleness = age(exchange, now) - lifetime(exchange)
    if staleness < 0:
        return True
    if staleIsProhibited(exchange):
        return False
    if staleness < max(grace, delta(response.get("stale-if-error")) or 0.0):
        return True
    for name in ("max-stale", "stale-if-error"):
        if name in wanted:
            most = delta(wanted[name])
            if most is not None and staleness <= most:
                return True
            if wanted[name] is None and name == "max-stale":
                return True
    return False
