# -*- test-case-name: tests.policy.test_spelling -*-
"""
Requests that have one key go to the origin in one spelling (RFC 3986 §6.2).

An origin that tells C{/%61} from C{/a}, or writes the C{Host} that it got into what it
answers, would let a client choose by its spelling what is stored for all the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..interfaces import Origin
from ..wire.cachekey import normaliseTarget

if TYPE_CHECKING:
    from ..exchange import Exchange, ForwardHead
    from .targets import Targets
    from .visit import Visit

#: How many hosts are remembered that are in the form of their keys.
HOSTS: Final = 1024


class Spelling:
    """Spells the requests of one route as their keys do."""

    __slots__ = ("_byTarget", "_normal", "_normalSecure", "_targets")

    def __init__(self, targets: Targets, byTarget: bool) -> None:
        """
        @param byTarget: the origin is the host of the target, and no server that the
            operator has named.
        """
        self._targets = targets
        self._byTarget = byTarget
        #: Values of C{Host} that are in the form of their keys, by the scheme.
        self._normal: set[bytes] = set()
        self._normalSecure: set[bytes] = set()

    def normalise(self, exchange: Exchange) -> None:
        """
        Bring the target and the host of a request that was looked up into the form of its key.

        Ahead of what tells the origin of the host in other fields.  What has no key
        goes on as it came.
        """
        visit: Visit | None = exchange.visit
        forward = exchange.forward
        if visit is None or forward is None or not visit.key:
            return
        if forward.target is not visit.normal:
            forward.target = normaliseTarget(forward.target)
        target = exchange.target
        secure = exchange.secure if target is None else target.scheme == "https"
        normal = self._normalSecure if secure else self._normal
        fields = forward.fields
        # Clients repeat themselves; as in Engine.derive.
        if fields.noted is not normal:
            host = fields.index.get(b"host")
            if host is not None and host not in normal:
                self._spellHost(exchange, forward, host, normal)
            else:
                fields.noted = normal
        origin = exchange.origin
        if self._byTarget and origin is not None and origin.host.endswith("."):
            # Where there are search domains, a name without the dot may be another.
            exchange.origin = Origin(
                origin.scheme,
                origin.host.removesuffix("."),
                origin.port,
                origin.tls,
                origin.via,
                origin.guard,
            )

    def _spellHost(
        self, exchange: Exchange, forward: ForwardHead, before: bytes, normal: set[bytes]
    ) -> None:
        """
        Bring a host into the form of the key.

        @param normal: takes it, if it is.
        """
        host = self._targets.hostFor(exchange)
        if before == host:
            if len(normal) >= HOSTS:
                normal.clear()
            normal.add(host)
        elif host:
            fields = forward.fields
            memo = fields.derived
            if memo is None or memo[0] is not self or memo[1] != host:
                memo = fields.derived = (self, host, fields.setting(b"Host", host))
            forward.fields = memo[2]
