# -*- test-case-name: tests.policy.test_heads -*-
"""
The fields of the entries that were used lately.

Parsed, the fields of an entry take several times the room of its head, so
entries do not keep them.  This keeps as many as are worth it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ..wire.fields import Fields
    from .entries import Entry


#: The heads whose fields are remembered have so many octets at most, all together:
#: those are of nobody's account, and a head may have 64 KiB.
HEADS_OCTETS: Final = 2 << 20


class Heads:
    """
    Remembers the parsed fields of some entries; a full memory begins anew.

    By what they were parsed from: so no entry is kept alive, and entries with
    equal fields share them.
    """

    __slots__ = ("_known", "_octets", "limit")

    def __init__(self, limit: int = 1024) -> None:
        """
        @param limit: how many to remember, each about 2 KiB.
        """
        self.limit = limit
        self._known: dict[bytes, Fields] = {}
        self._octets = 0

    def fieldsOf(self, entry: Entry) -> Fields:
        """Get the fields of an entry."""
        known = self._known
        fields = known.get(entry.head)
        if fields is None:
            self._octets += len(entry.head)
            if len(known) >= self.limit or self._octets > HEADS_OCTETS:
                known.clear()
                self._octets = len(entry.head)
            fields = known[entry.head] = entry.fields
        return fields

    def __len__(self) -> int:
        return len(self._known)
