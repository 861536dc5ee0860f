# -*- test-case-name: tests.policy.test_refreshing -*-
"""
Candidates for a refresh: which entries can be one, and what is asked for them.

Nobody's request is sent: of the one that made a candidate, only what selects the
response is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..exchange import Exchange
from ..wire.conditional import PRECONDITIONS
from ..wire.fields import Fields
from ..wire.message import RequestHead
from ..wire.reuse import ERRORS
from ..wire.variants import secondaryKey
from .answers import PARTIAL_CONTENT
from .filling import Nobody

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..front import Front
    from ..interfaces import Origin
    from ..wire.target import Target
    from .answers import Record
    from .entries import Entry, Shelf
    from .refreshing import Refreshing
    from .revalidation import Revalidation
    from .targets import Targets

#: The part of its lifetime that is left when an entry is refreshed.
LAST_PART: Final = 0.1
#: But not sooner than so long before its end.
SOONEST_SECONDS: Final = 60.0
#: What lives shorter than this is not refreshed: it would never be at rest.
SHORTEST_SECONDS: Final = 10.0
#: What is kept of a request, at most.
REQUEST_OCTETS: Final = 2048

#: What negotiates, and nothing that tells who asks.
_KEPT: Final = frozenset(
    {b"host", b"accept", b"accept-charset", b"accept-encoding", b"accept-language", b"user-agent"}
)
#: What a proxy in front of us says of how it was asked, not by whom.
_FORWARDED: Final = frozenset(
    {b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-prefix"}
)
#: What is selected by these is not refreshed: they are somebody's own.
_OWN: Final = (
    frozenset(
        {
            b"authorization",
            b"cookie",
            b"forwarded",
            b"from",
            b"proxy-authorization",
            b"range",
            b"x-forwarded-for",
            b"x-real-ip",
        }
    )
    | PRECONDITIONS
)


class Candidate:
    """
    An entry that is to be refreshed, by its names: what the store lets go is not kept alive.

    @ivar ahead: of whose route it is.
    @ivar key: the primary key.
    @ivar variant: the secondary one.
    @ivar stored: when the entry was stored.
    @ivar expires: when it expires.
    @ivar target: the target URI.
    @ivar head: of the request that is sent.
    @ivar absolute: C{exchange.target} of the one that it is made from, as are the rest.
    """

    __slots__ = (
        "absolute",
        "ahead",
        "expires",
        "front",
        "head",
        "key",
        "origin",
        "peerHost",
        "secure",
        "stored",
        "target",
        "variant",
    )

    def __init__(
        self,
        ahead: Ahead,
        exchange: Exchange,
        entry: Entry,
        target: Target,
        head: RequestHead,
        peerHost: str,
    ) -> None:
        self.ahead = ahead
        self.key = entry.key
        self.variant = entry.variant
        self.stored = entry.stored
        self.expires = entry.expires
        self.target = target
        self.head = head
        self.front: Front = exchange.front
        self.absolute: Target | None = exchange.target
        self.secure = exchange.secure
        self.origin: Origin | None = exchange.origin
        self.peerHost = peerHost

    @property
    def whose(self) -> tuple[str, str, int]:
        """Tell which origin it is of."""
        return whose(self.target)


def whose(target: Target) -> tuple[str, str, int]:
    """Tell which origin a target is of: their failures are their own."""
    return target.scheme, target.host, target.port


class Ahead:
    """
    One route's part in it: which entries are candidates, and what is asked for them.

    The request has the method GET, the target, what negotiates (C{Accept} and its
    like, C{User-Agent}) and the fields that C{Vary} names or the key has; nothing else of
    the client whose use made the entry a candidate, and neither address nor name of that.
    """

    __slots__ = ("_kept", "_refreshing", "_revalidation", "_targets", "_trusts")

    def __init__(
        self,
        refreshing: Refreshing,
        revalidation: Revalidation,
        targets: Targets,
        trusts: Callable[[str], bool] | None,
    ) -> None:
        """
        @param trusts: whether a peer is a proxy whose C{X-Forwarded-Proto} and so on
            are passed on; None if nobody's are.
        """
        self._refreshing = refreshing
        self._revalidation = revalidation
        self._targets = targets
        self._kept = _KEPT.union(targets.fields) - _OWN
        self._trusts = trusts

    def offer(self, exchange: Exchange, entry: Entry, now: float) -> None:
        """
        Make an entry a candidate, if it can be one.

        @param exchange: whose request was answered with it.
        """
        record: Record = entry.verdict
        lifetime = entry.expires - record.received
        if (
            lifetime < SHORTEST_SECONDS
            or now >= entry.expires
            # RFC 8246 §2: not as long as it is fresh.
            or record.freshness.immutable
            or entry.status == PARTIAL_CONTENT
            or not _OWN.isdisjoint(entry.vary)
        ):
            return
        request = exchange.request
        assert request is not None
        names = self._kept.union(entry.vary)
        peerHost = ""
        if self._trusts is not None and self._trusts(exchange.peerHost):
            if b"forwarded" in request.fields.index:
                # It tells of the client in the same field.
                return
            peerHost = exchange.peerHost
            names |= _FORWARDED
        pairs = [pair for pair in request.fields if pair[0].lower() in names]
        octets = len(request.target)
        for name, value in pairs:
            octets += len(name) + len(value)
        if octets > REQUEST_OCTETS:
            return
        fields = Fields(pairs)
        target = self._targets.targetOf(exchange)
        if (
            # Chosen by the language that the client prefers.
            secondaryKey(entry.vary, fields) != entry.variant
            # Chosen by a cookie.
            or self._targets.keyOf(target, fields) != entry.key
        ):
            return
        head = RequestHead(b"GET", request.target, 11, fields, host=request.host)
        candidate = Candidate(self, exchange, entry, target, head, peerHost)
        self._refreshing.add(candidate, entry.expires - min(LAST_PART * lifetime, SOONEST_SECONDS))

    def begin(self, candidate: Candidate, shelf: Shelf | None, entry: Entry, now: float) -> bool:
        """
        Ask for an entry of a candidate.

        @return: whether that was done: not if it is being fetched already.
        """
        assert shelf is not None
        later = Exchange(candidate.front, Nobody(), candidate.head, candidate.peerHost, now)
        later.target = candidate.absolute
        later.secure = candidate.secure
        later.origin = candidate.origin
        common = self._targets.commonFor(later)
        return self._revalidation.run(later, shelf, common, (entry,), entry)

    def ended(self, exchange: Exchange) -> None:
        """A refresh has brought something, or nothing."""
        origin = whose(self._targets.targetOf(exchange))
        quiet = self._refreshing.quiet
        response = exchange.response
        if response is None or response.status in ERRORS:
            quiet.failed(origin, exchange.started, exchange.ended)
        else:
            quiet.answered(origin)

    def retire(self) -> None:
        """Nobody is served by the route any more."""
        self._refreshing.forget(self)
