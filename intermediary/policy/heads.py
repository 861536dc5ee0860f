# -*- test-case-name: tests.policy.test_heads -*-
"""
The fields of the entries that were used lately.

Parsed, the fields of an entry take several times the room of its head, so
entries do not keep them.  This keeps as many as are worth it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..wire.fields import Fields
    from .entries import Entry


class Heads:
    """
    Remembers the parsed fields of some entries; a full memory begins anew.

    By what they were parsed from: so no entry is kept alive, and entries with
    equal fields share them.
    """

    __slots__ = ("_known", "limit")

    def __init__(self, limit: int = 1024) -> None:
        """
        @param limit: how many to remember, each about 2 KiB.
        """
        self.limit = limit
        self._known: dict[bytes, Fields] = {}

    def fieldsOf(self, entry: Entry) -> Fields:
        """Get the fields of an entry."""
        known = self._known
        fields = known.get(entry.head)
        if fields is None:
            if len(known) >= self.limit:
                known.clear()
            fields = known[entry.head] = entry.fields
        return fields

    def __len__(self) -> int:
        return len(self._known)
