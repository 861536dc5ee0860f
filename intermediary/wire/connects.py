# -*- test-case-name: tests.wire.test_connects -*-
"""
What clients say again and again with C{CONNECT}.

It is the only request of its connection, and a client that opens many tunnels to
one place says the same each time, octet by octet.  So a head that came twice is
not parsed a third time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .message import RequestHead

#: How long a head may be that is kept.
HEAD_OCTETS = 1536
#: Octets of all heads that are kept; what was made of them takes about as much again.
LIMIT_OCTETS = 96 * 1024
#: Heads that came, maybe once, of which a hash is known.
GLIMPSED = 512

#: What has it is not kept for longer than its connection.
_CREDENTIALS = b"proxy-authorization"


class ConnectHeads:
    """
    The memory of all connections of one front.

    A head counts by itself alone, with nothing in front of it or behind, and under
    the limits of that front.  Like any head it is never changed, so all exchanges
    that it begins may have the same one.

    @ivar octets: of the heads that are kept.
    """

    __slots__ = ("_glimpsed", "_heads", "octets")

    def __init__(self) -> None:
        self._heads: dict[bytes, RequestHead] = {}
        self._glimpsed: set[int] = set()
        self.octets = 0

    def find(self, data: bytes) -> RequestHead | None:
        """Tell what these octets meant before."""
        return self._heads.get(data) if len(data) <= HEAD_OCTETS else None

    def note(self, data: bytes, head: RequestHead) -> None:
        """
        Take note of a head that L{find} did not know.

        @param data: all of its octets, and no others.
        @param head: a C{CONNECT}.
        """
        size = len(data)
        if size > HEAD_OCTETS or _CREDENTIALS in head.fields.index:
            return
        seen = hash(data)
        if seen not in self._glimpsed:
            if len(self._glimpsed) >= GLIMPSED:
                self._glimpsed.clear()
            self._glimpsed.add(seen)
            return
        if self.octets + size > LIMIT_OCTETS:
            self._heads.clear()
            self.octets = 0
        # A hash may be that of another.
        self._heads[bytes(data)] = head
        self.octets += size


__all__ = ["ConnectHeads"]
