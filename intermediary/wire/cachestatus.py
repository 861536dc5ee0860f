# -*- test-case-name: tests.wire.test_cachestatus -*-
"""
C{Cache-Status}: how a cache handled a request (RFC 9211).
"""

from __future__ import annotations

import re
from typing import Final

#: Why a request was sent on (RFC 9211 §2.2): the cache is off for it.
BYPASS: Final = b"bypass"
#: The method is not one that is answered from a store.
METHOD: Final = b"method"
#: Nothing is stored for the target.
URI_MISS: Final = b"uri-miss"
#: What is stored does not fit the request.
VARY_MISS: Final = b"vary-miss"
#: One of the two, and nobody knows which.
MISS: Final = b"miss"
#: What is stored is fresh, but the request wants it validated.
REQUEST: Final = b"request"
#: What is stored is stale.
STALE: Final = b"stale"
#: What is stored lacks some of what is asked for.
PARTIAL: Final = b"partial"

#: All of these.
REASONS: Final = (BYPASS, METHOD, URI_MISS, VARY_MISS, MISS, REQUEST, STALE, PARTIAL)

_TOKEN: Final = re.compile(rb"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*+")
_UNPRINTABLE: Final = re.compile(rb"[^ -~]")
_ESCAPED: Final = re.compile(rb'(["\\])')


class CacheStatus:
    """
    Writes the members of one cache.

    @ivar name: of the cache, as it appears.
    """

    __slots__ = ("_forward", "_hitTtl", "name")

    def __init__(self, name: bytes) -> None:
        """
        Begin all members.

        @param name: a host name, a product; a String if it is no token.
        """
        self.name = name if _TOKEN.fullmatch(name) is not None else string(name)
        self._hitTtl = self.name + b"; hit; ttl="
        self._forward = self.name + b"; fwd="

    def hit(self, ttl: int) -> bytes:
        """
        Write that a stored response was used.

        @param ttl: how long it is still fresh, in seconds, negative if it is stale.
        """
        return b"%b%d" % (self._hitTtl, ttl)

    def forwarded(
        self,
        reason: bytes,
        status: int | None = None,
        *,
        ttl: int | None = None,
        stored: bool = False,
        collapsed: bool | None = None,
    ) -> bytes:
        """
        Write that a request went on to the origin.

        @param reason: one of the above.
        @param status: of the origin's answer (RFC 9211 §2.3); None if there was
            none, or if the client gets the same.
        @param ttl: of what was stored or validated.
        @param stored: the answer was stored.
        @param collapsed: whether the answer is that to another request, for which
            this one waited; False if it waited in vain, None if it did not.
        """
        member = self._forward + reason
        if status is not None:
            member = b"%b; fwd-status=%d" % (member, status)
        if ttl is not None:
            member = b"%b; ttl=%d" % (member, ttl)
        if stored:
            member += b"; stored"
        if collapsed is not None:
            # RFC 9211 §2.6.
            member += b"; collapsed" if collapsed else b"; collapsed=?0"
        return member

    def unanswered(self, detail: bytes) -> bytes:
        """
        Write that the cache answered with an error of its own, and asked nobody.

        @param detail: why, for people; a String if it is no token.
        """
        value = detail if _TOKEN.fullmatch(detail) is not None else string(detail)
        return b"%b; detail=%b" % (self.name, value)


def withKey(member: bytes, key: bytes) -> bytes:
    """Add the key under which the request was looked up (RFC 9211 §2.7)."""
    return b"%b; key=%b" % (member, string(key))


def string(value: bytes) -> bytes:
    """
    Write a String (RFC 9651 §4.1.6).

    Octets that it can't have are percent-encoded, as in a URI.
    """
    value = _UNPRINTABLE.sub(_encoded, value)
    return b'"%b"' % _ESCAPED.sub(rb"\\\1", value)


def _encoded(match: re.Match[bytes]) -> bytes:
    return b"%%%02X" % match.group()[0]
