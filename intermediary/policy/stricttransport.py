# -*- test-case-name: tests.policy.test_stricttransport -*-
"""
What clients are told to remember: this host is reached by TLS alone (RFC 6797).

The field is the front's own.  What an origin says of it is left out, for two of them
are one too many (RFC 6797 §7.1), and of two it is the first that counts (§8.1): it goes
in front of what comes from a store, where one may have been put before this was asked
for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from zope.interface import classImplements

from ..interfaces import IOnDeliver

if TYPE_CHECKING:
    from ..exchange import Exchange

_NAME: Final = b"strict-transport-security"
_NAMES: Final = frozenset((_NAME,))


class StrictTransport:
    """Sends C{Strict-Transport-Security} with all that one front answers by TLS."""

    __slots__ = ("_line",)

    def __init__(self, maxAgeSeconds: int, subdomains: bool = False, preload: bool = False) -> None:
        """
        @param maxAgeSeconds: for how long clients remember it.
        @param subdomains: whether it is about all names below the host's, too.
        @param preload: whether those who make browsers may build it in.
        """
        value = b"max-age=%d" % maxAgeSeconds
        if subdomains:
            value += b"; includeSubDomains"
        if preload:
            value += b"; preload"
        self._line = b"Strict-Transport-Security: %b\r\n" % value

    def drop(self, exchange: Exchange) -> None:
        """Leave out what an origin says, ahead of what stores it."""
        reply = exchange.reply
        assert reply is not None
        fields = reply.fields
        if _NAME in fields.index:
            reply.fields = fields.without(_NAMES)

    def onDeliver(self, exchange: Exchange) -> None:
        """
        Say it, as the last that is said.

        Not to who came without TLS (RFC 6797 §7.2).  What a store says of itself has to
        stay the end of C{more}: see L{intermediary.policy.cachefield}.
        """
        reply = exchange.reply
        if reply is None or not exchange.secure:
            return
        if _NAME in reply.fields.index:
            reply.fields = reply.fields.without(_NAMES)
        reply.more = self._line + reply.more


# Not as a decorator, which would keep the class from being compiled well.
classImplements(StrictTransport, IOnDeliver)

__all__ = ["StrictTransport"]
