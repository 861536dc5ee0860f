# -*- test-case-name: tests.wire.test_storing -*-
"""
What the operator decides about caching: the settings of the pure rules.

Everything has a default that RFC 9111 allows.  Stores, keys and limits of size
are settings of other parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class CacheRules:
    """
    The settings of one route.

    @ivar targeted: names of fields, in lower case, that replace
        C{Cache-Control} where they are there and valid, the first one first
        (RFC 9213 §2.2).
    @ivar heuristicFraction: of the time since C{Last-Modified}, for which a
        response that does not say so is taken for fresh (RFC 9111 §4.2.2).
    @ivar heuristicLimitSeconds: never for longer than this.
    @ivar lifetimes: status to seconds from its arrival, for responses that do
        not state a lifetime; it makes their status cacheable.
    @ivar forcedSeconds: the lifetime from its arrival of each response that may
        be stored and is no error (of a status below 400), whatever lifetime it
        states; C{no-store}, C{private}, C{no-cache}, C{Vary: *}, credentials and
        cookies still count.  None for no such rule.
    @ivar ignored: names of response directives, in lower case, that count for
        nothing here.  An operator who lists C{private} answers for the result.
    @ivar ignoredFields: names of response fields, in lower case, that count for
        nothing here: C{cache-control}, C{expires}, C{vary}, C{set-cookie}.  The last
        is not stored then.
    @ivar authorized: answers to requests with C{Authorization} are for all, whatever
        they say (against RFC 9111 §3.5).
    @ivar ignoreClient: requests get what is fresh, however much fresher they ask for.
    @ivar staleWhileRevalidateSeconds: for how long after it became stale any
        response may be used while it is validated, unless it forbids that
        (RFC 9111 §4.2.4); what a response says of itself counts if it is more.
    @ivar staleIfErrorSeconds: for how long it may be used when the origin can't
        be reached or fails, in the same way.
    @ivar storeCookies: responses with C{Set-Cookie} are stored with it, where they
        state how long they are fresh or are C{public}; what is fresh only by a
        heuristic or by our own rules is not.  RFC 9111 §7.3 allows that for all,
        but whoever gets somebody else's cookie is somebody else, so the default
        is to store only what says C{no-cache="Set-Cookie"} or
        C{private="Set-Cookie"}, without its cookie.
    @ivar partial: 206 responses may be stored.
    """

    __slots__ = (
        "authorized",
        "forcedSeconds",
        "heuristicFraction",
        "heuristicLimitSeconds",
        "ignoreClient",
        "ignored",
        "ignoredFields",
        "lifetimes",
        "partial",
        "staleIfErrorSeconds",
        "staleWhileRevalidateSeconds",
        "storeCookies",
        "targeted",
    )

    def __init__(
        self,
        *,
        targeted: Sequence[bytes] = (b"cdn-cache-control",),
        heuristicFraction: float = 0.1,
        heuristicLimitSeconds: float = 86400.0,
        lifetimes: Mapping[int, float] | None = None,
        forcedSeconds: float | None = None,
        ignored: frozenset[bytes] = frozenset(),
        ignoredFields: frozenset[bytes] = frozenset(),
        authorized: bool = False,
        ignoreClient: bool = False,
        staleWhileRevalidateSeconds: float = 0.0,
        staleIfErrorSeconds: float = 3600.0,
        storeCookies: bool = False,
        partial: bool = True,
    ) -> None:
        self.targeted = tuple(targeted)
        self.heuristicFraction = heuristicFraction
        self.heuristicLimitSeconds = heuristicLimitSeconds
        self.lifetimes = dict(lifetimes or {})
        self.forcedSeconds = forcedSeconds
        self.ignored = ignored
        self.ignoredFields = ignoredFields
        self.authorized = authorized
        self.ignoreClient = ignoreClient
        self.staleWhileRevalidateSeconds = staleWhileRevalidateSeconds
        self.staleIfErrorSeconds = staleIfErrorSeconds
        self.storeCookies = storeCookies
        self.partial = partial
