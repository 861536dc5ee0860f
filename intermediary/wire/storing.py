# -*- test-case-name: tests.wire.test_storing -*-
"""
May a shared cache store a response, and which of its fields (RFC 9111 §3).

Nothing here looks at the content; how long the response is fresh is in
L{intermediary.wire.freshness}.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .dates import formatDate
from .directives import fieldNames, parseDirectives
from .forwarding import stripHopByHop
from .reuse import forbidsStoring
from .targeted import CacheControl, chooseControl
from .variants import parseVary

if TYPE_CHECKING:
    from .directives import Directives
    from .fields import Fields
    from .rules import CacheRules

#: What may be fresh without saying so (RFC 9110 §15.1, RFC 7725 §3).
HEURISTICALLY_CACHEABLE: Final = frozenset(
    {200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 451, 501}
)

#: What never answers another request, whatever it says of itself:
#: RFC 9111 §3 (304), RFC 6585 (428, 429, 431, 511), RFC 8470 §5.2 (425), and what
#: depends on parts of the request that no key has: credentials for a proxy (407),
#: preconditions (412), ranges (416), expectations (417).
NEVER_STORED: Final = frozenset({304, 407, 412, 416, 417, 425, 428, 429, 431, 511})

_STATUS: Final = re.compile(r"[2-5](?:xx|[0-9]{2})")

#: The final statuses whose caching requirements are known here, for
#: C{must-understand} (RFC 9111 §5.2.2.3): those of RFC 9110 §15, and 451.
UNDERSTOOD: Final = frozenset(
    {200, 201, 202, 203, 204, 205, 206, 300, 301, 302, 303, 305, 307, 308}
    | {400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411, 413, 414, 415, 421, 422, 426, 451}
    | {500, 501, 502, 503, 504, 505}
)

_MEMO_ENTRIES: Final = 512
_MEMO_OCTETS: Final = 256

# Not state: what it forgets is computed again.
_forbidding: Final[dict[bytes, bool]] = {}

_PARTIAL: Final = 206
_COOKIES: Final = frozenset({b"set-cookie"})


def storableStatuses(name: str) -> tuple[int, ...]:
    """
    List what the name of a status or of a class stands for, C{"404"} or C{"5xx"}.

    @return: those that may be stored at all; none if it is no such name.
    """
    if _STATUS.fullmatch(name) is None:
        return ()
    first = int(name.replace("x", "0"))
    statuses = range(first, first + (100 if name.endswith("xx") else 1))
    return tuple([status for status in statuses if status not in NEVER_STORED])


def readControl(fields: Fields, rules: CacheRules) -> CacheControl:
    """
    Read what a response says about its caching, as far as the operator lets it.

    @param fields: of the response.
    """
    ignored = rules.ignoredFields
    control = chooseControl(fields.without(ignored) if ignored else fields, rules.targeted)
    if rules.ignored:
        directives = control.directives
        if not rules.ignored.isdisjoint(directives):
            control.directives = {
                name: argument for name, argument in directives.items() if name not in rules.ignored
            }
    if ignored and b"set-cookie" in ignored and b"set-cookie" in fields.index:
        control.directives = _withoutCookies(control.directives)
    return control


def _withoutCookies(directives: Directives) -> Directives:
    """Say as an origin would that all may have a response but its cookies."""
    names = directives.get(b"private")
    if names is None:
        names = b"" if b"private" not in directives else None
    elif not fieldNames(names):
        names = None
    if names is None:
        # All of it is private.
        return directives
    return {**directives, b"private": names + b", set-cookie" if names else b"set-cookie"}


def plainlyForbids(response: Fields, rules: CacheRules) -> bool:
    """
    Tell whether C{Cache-Control} forbids storing, whatever else a response says.

    That is why most are not stored, and with this it is found out for little.  Origins
    repeat their fields: that it is so is noted on them, by the rules that say it.

    @return: whether it is so for sure: if not, it has to be looked at.
    """
    if response.noted is rules:
        return True
    index = response.index
    value = index.get(b"cache-control")
    if value is None or rules.ignored or rules.ignoredFields:
        return False
    forbids = _forbidding.get(value)
    if forbids is None:
        directives = parseDirectives(value)
        forbids = b"must-understand" not in directives and (
            b"no-store" in directives or _isPrivate(directives)
        )
        if len(value) <= _MEMO_OCTETS:
            if len(_forbidding) >= _MEMO_ENTRIES:
                _forbidding.clear()
            _forbidding[value] = forbids
    if forbids:
        for name in rules.targeted:
            if name in index:
                return False
        response.noted = rules
    return forbids


def readVary(fields: Fields, rules: CacheRules) -> tuple[bytes, ...] | None:
    """
    Read by which fields of requests a response varies, as far as the operator lets it.

    @return: as L{parseVary<intermediary.wire.variants.parseVary>}.
    """
    return () if b"vary" in rules.ignoredFields else parseVary(fields.get(b"vary"))


def statesLifetime(control: CacheControl) -> bool:
    """Tell whether a response says how long it is fresh, readable or not (RFC 9111 §4.2.1)."""
    directives = control.directives
    return b"s-maxage" in directives or b"max-age" in directives or control.expires is not None


def isExplicit(control: CacheControl) -> bool:
    """Tell whether a response asks to be stored: a lifetime or C{public} (RFC 9111 §3)."""
    return b"public" in control.directives or statesLifetime(control)


def whyNotStored(
    method: bytes,
    request: Fields,
    status: int,
    response: Fields,
    control: CacheControl,
    rules: CacheRules,
    ownLocation: bool = False,
) -> str | None:
    """
    Decide whether a response may be stored by a shared cache (RFC 9111 §3).

    @param request: the fields of the request.
    @param response: the fields of the response, C{Connection} and all.
    @param control: of the response.
    @param ownLocation: the C{Content-Location} is the target; without that an
        answer to a POST is none to a GET (RFC 9110 §9.3.3).
    @return: None if it may; otherwise the reason in a word or two, for the
        log and C{Cache-Status}.
    """
    directives = control.directives
    if not _methodStores(method, ownLocation, control):
        return "method"
    # Compared first, as that costs less; there is none below.
    if status < 200 or (status >= 304 and status in NEVER_STORED):
        return "status"
    if status == _PARTIAL and not (rules.partial and method == b"GET"):
        return "partial"
    reason = _forbidden(status, request, directives)
    if reason is not None:
        return reason
    if readVary(response, rules) is None:
        # It would match no request, ever (RFC 9111 §4.1).
        return "vary"
    if b"authorization" in request and not (rules.authorized or _sharesCredentials(directives)):
        return "authorization"
    if not (
        isExplicit(control)
        or status in HEURISTICALLY_CACHEABLE
        or status in rules.lifetimes
        or (rules.forcedSeconds is not None and status < 400)
    ):
        return "no lifetime"
    if b"set-cookie" in response and not _sharesCookies(control, rules):
        return "set-cookie"
    return None


def _methodStores(method: bytes, ownLocation: bool, control: CacheControl) -> bool:
    if method == b"GET" or method == b"HEAD":
        return True
    return method == b"POST" and ownLocation and statesLifetime(control)


def _forbidden(status: int, request: Fields, directives: Directives) -> str | None:
    if b"must-understand" in directives:
        # RFC 9111 §5.2.2.3: who understands the status ignores no-store.
        if status not in UNDERSTOOD:
            return "must-understand"
    elif b"no-store" in directives:
        return "no-store"
    if _isPrivate(directives):
        return "private"
    return "no-store asked" if forbidsStoring(request) else None


def _isPrivate(directives: Directives) -> bool:
    """Tell whether all of a response is for one user alone."""
    if b"private" not in directives:
        return False
    names = directives[b"private"]
    return names is None or not fieldNames(names)


def _sharesCredentials(directives: Directives) -> bool:
    """RFC 9111 §3.5."""
    return b"public" in directives or b"s-maxage" in directives or b"must-revalidate" in directives


def _sharesCookies(control: CacheControl, rules: CacheRules) -> bool:
    if b"set-cookie" in unstoredNames(control.directives):
        return True
    return rules.storeCookies and isExplicit(control)


def unstoredNames(directives: Directives) -> frozenset[bytes]:
    """
    Give the fields that C{private} and C{no-cache} keep from being stored.

    C{no-cache} with field names would let us send them after a validation
    (RFC 9111 §5.2.2.4); to leave them out is simpler and allowed.
    """
    names: frozenset[bytes] = frozenset()
    for directive in (b"private", b"no-cache"):
        argument = directives.get(directive)
        if argument is not None:
            names |= fieldNames(argument)
    return names


def unmergedNames(directives: Directives, rules: CacheRules) -> frozenset[bytes]:
    """
    Give the fields of a 304 that do not update what is stored (RFC 9111 §3.2).

    A cookie, where none is stored, is for the client that asked, and makes what
    it validates no less current.
    """
    names = unstoredNames(directives)
    return names if rules.storeCookies else names | _COOKIES


def storedFields(response: Fields, control: CacheControl, responseTime: float) -> Fields:
    """
    Make the fields to store (RFC 9111 §3.1).

    Without what concerns the connection or the proxy it came through, without
    framing, and without what C{private} and C{no-cache} name.  A missing C{Date} is
    added, as what is cached must have one (RFC 9110 §6.6.1).

    @param responseTime: when the response was received.
    """
    fields = stripHopByHop(response)
    names = unstoredNames(control.directives)
    if names:
        fields = fields.without(names)
    if b"date" not in fields.index:
        fields = fields.extended(((b"Date", formatDate(responseTime)),))
    return fields
