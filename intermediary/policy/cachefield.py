# -*- test-case-name: tests.policy.test_cachefield -*-
"""
What clients see of C{Cache-Status}, where that is not just what the cache says.

The cache writes its member of the field as the last of a reply's
L{more<intermediary.exchange.Reply>} lines.  These steps come after it, in the
programs of routes that want them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..wire.cachestatus import withKey

if TYPE_CHECKING:
    from ..exchange import Exchange, Reply
    from .targets import Targets
    from .visit import Asked

_LINE: Final = b"Cache-Status: "
#: Under what an exchange remembers what its client did not see.
_HIDDEN: Final = "intermediary.policy.cachefield"


class CacheField:
    """The steps of one route."""

    __slots__ = ("_targets",)

    def __init__(self, targets: Targets) -> None:
        self._targets = targets

    def showKey(self, exchange: Exchange) -> None:
        """Add the key under which the request was looked up (RFC 9211 §2.7)."""
        reply, request = exchange.reply, exchange.request
        if reply is None or request is None or not _memberOf(reply):
            return
        asked: Asked | None = exchange.visit
        if asked is None:
            key = self._targets.keyOf(self._targets.targetOf(exchange), request.fields)
        else:
            key = asked.key
        if key:
            reply.more = withKey(reply.more[:-2], key) + b"\r\n"

    def hide(self, exchange: Exchange) -> None:
        """Keep it for the access log alone."""
        reply = exchange.reply
        if reply is None:
            return
        member = _memberOf(reply)
        if member:
            reply.more = reply.more[: -len(_LINE) - len(member) - 2]
            if exchange.memory is None:
                exchange.memory = {}
            exchange.memory[_HIDDEN] = member


def _memberOf(reply: Reply) -> bytes:
    """Find what the cache wrote; empty if it wrote nothing."""
    more = reply.more
    start = more.rfind(b"\n", 0, -2) + 1
    return more[start + len(_LINE) : -2] if more.startswith(_LINE, start) else b""


def handling(exchange: Exchange) -> str:
    """
    Tell how the cache handled a request, as the parameters of its member.

    @return: C{hit; ttl=9}, C{fwd=uri-miss; stored}; empty where no cache was asked,
        or where the reply is none of its.
    """
    reply = exchange.reply
    member = b"" if reply is None else _memberOf(reply)
    if not member and exchange.memory is not None:
        member = exchange.memory.get(_HIDDEN, b"")
    return member.partition(b"; ")[2].decode("ascii")


def outcome(exchange: Exchange) -> str:
    """
    Tell in one word how the cache handled a request.

    @return: C{hit}, why it was sent on (RFC 9211 §2.2), or what the cache answered
        itself (C{only-if-cached}); empty as for L{handling}.
    """
    first = handling(exchange).partition(";")[0]
    return first.partition("=")[2] or first
