# -*- test-case-name: tests.policy.test_tags -*-
"""
Which entries have a tag: what C{Surrogate-Key} and C{Cache-Tag} named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ..wire.fields import Fields
    from .entries import Entry

#: The fields that have tags in them, between spaces or commas.
TAG_FIELDS: Final = (b"surrogate-key", b"cache-tag")
#: Tags that one request may name.
MOST_TAGS: Final = 64
#: Tags that what is stored may have.  By those beyond it could not be purged.
MOST_STORED_TAGS: Final = 1024


def readTags(fields: Fields) -> list[bytes]:
    """
    Read the tags that a message names, each once.

    @return: L{MOST_STORED_TAGS}, and one more where there are too many.
    """
    index = fields.index
    tags: list[bytes] = []
    for name in TAG_FIELDS:
        value = index.get(name)
        if value is not None:
            tags += value.replace(b",", b" ").split()
    return list(dict.fromkeys(tags))[: MOST_STORED_TAGS + 1] if tags else tags


class TagIndex:
    """
    Finds entries by their tags.

    A tag that only one entry has, as many do, costs no set.
    """

    __slots__ = ("_many", "_one")

    def __init__(self) -> None:
        # A tag is in one of them.
        self._one: dict[bytes, Entry] = {}
        self._many: dict[bytes, set[Entry]] = {}

    def add(self, entry: Entry) -> None:
        """Note the tags of an entry."""
        for tag in entry.tags:
            found = self._many.get(tag)
            if found is not None:
                found.add(entry)
                continue
            first = self._one.get(tag)
            if first is None:
                self._one[tag] = entry
            elif first is not entry:
                del self._one[tag]
                self._many[tag] = {first, entry}

    def remove(self, entry: Entry) -> None:
        """Forget the tags of an entry that was added."""
        for tag in entry.tags:
            found = self._many.get(tag)
            if found is None:
                # Twice the same tag is possible, and is noted once.
                self._one.pop(tag, None)
                continue
            found.discard(entry)
            if not found:
                del self._many[tag]

    def entriesOf(self, tag: bytes) -> list[Entry]:
        """List the entries that have a tag now."""
        found = self._many.get(tag)
        if found is not None:
            return list(found)
        entry = self._one.get(tag)
        return [] if entry is None else [entry]

    def __len__(self) -> int:
        """How many tags there are."""
        return len(self._one) + len(self._many)
