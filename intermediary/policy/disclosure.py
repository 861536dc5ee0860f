# -*- test-case-name: tests.policy.test_disclosure -*-
"""
What a reverse front tells its servers about the client.

C{Forwarded} (RFC 7239) and the customary C{X-Forwarded-*} state the peer that
is really there.  What a client says of itself is dropped, unless the client is
a proxy that the operator trusts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import classImplements

from ..interfaces import IOnFetch
from ..wire.clientcertificates import STANDARD, withheld
from ..wire.forwarding import appendForwarded
from .networks import Networks, parsePeer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..exchange import Exchange


class Disclosure:
    """
    Sets C{Forwarded}, C{X-Forwarded-For}, C{-Proto} and C{-Host}.

    What may only be said by whoever has seen the client's certificate is dropped, also if a
    trusted proxy says it: it may well pass on what clients say.
    """

    def __init__(
        self, trustedProxies: Iterable[str] = (), withheld: frozenset[bytes] = STANDARD
    ) -> None:
        """
        @param trustedProxies: networks (CIDR) or addresses.
        @param withheld: fields that tell of certificates, in lower case and with hyphens.
        @raise ValueError: one of the networks is none.
        """
        self._trusted = Networks(trustedProxies)
        self._withheld = withheld

    def trusts(self, peer: str) -> bool:
        """Whether a peer's own word is believed."""
        return self._trusted.has(peer)

    def onFetch(self, exchange: Exchange) -> None:
        """Tell of the client; kept on the fields that it was derived from."""
        forward = exchange.forward
        assert forward is not None
        fields = forward.fields
        peer = exchange.peerHost
        memo = fields.derived
        if memo is not None and memo[0] is self and memo[1] is peer:
            forward.fields = memo[2]
            return
        address = parsePeer(peer)
        spelled = "" if address is None else str(address)
        scheme = b"https" if exchange.secure else b"http"
        kept = withheld(fields, self._withheld)
        disclosed = appendForwarded(kept, spelled, fields.get(b"host"), scheme, self.trusts(peer))
        fields.derived = (self, peer, disclosed)
        forward.fields = disclosed


# Not as a decorator, which would keep the class from being compiled well.
classImplements(Disclosure, IOnFetch)
