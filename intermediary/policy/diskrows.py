# -*- test-case-name: tests.policy.test_diskrows -*-
"""
Rows of the index of the disk, and the stored responses that they are of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..wire.fields import EMPTY, Fields, parseFields
from .body import Body
from .entries import Entry
from .storedfile import StoredFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from .diskstore import DiskStore

#: What is counted for a row and a file beside their octets, which take whole blocks.
ROW_OCTETS: Final = 1024
BLOCK_OCTETS: Final = 4096


class Row(NamedTuple):
    """What is known of one stored response."""

    #: 0 as long as it is in no index.
    id: int
    key: bytes
    variant: bytes
    #: Of the file with its content.
    name: str
    octets: int
    status: int
    reason: bytes
    #: Lines of fields.
    head: bytes
    trailers: bytes
    vary: tuple[bytes, ...]
    tags: tuple[bytes, ...]
    verdict: bytes
    stored: float
    expires: float

    @property
    def size(self) -> int:
        """What it takes on the disk."""
        blocks = -(-self.octets // BLOCK_OCTETS) * BLOCK_OCTETS
        return ROW_OCTETS + blocks + len(self.key) + len(self.head) + sum(map(len, self.tags))


class DiskRows:
    """Makes rows of entries, and entries of rows."""

    def __init__(self, encode: Callable[[Any], bytes], decode: Callable[[bytes], Any]) -> None:
        """
        @param encode: makes octets of a verdict.
        @param decode: makes a verdict of octets; raises C{ValueError} for those of
            another version.
        """
        self._encode = encode
        self._decode = decode

    def rowOf(self, entry: Entry, name: str, octets: int, trailers: Fields) -> Row:
        """
        Make the row of an entry.

        @param name: of the file with its content.
        @param octets: how many are in that.
        """
        return Row(
            0,
            entry.key,
            entry.variant,
            name,
            octets,
            entry.status,
            entry.reason,
            entry.head,
            trailers.encoded,
            entry.vary,
            entry.tags,
            self._encode(entry.verdict),
            entry.stored,
            entry.expires,
        )

    def entryOf(self, row: Row, store: DiskStore) -> Entry | None:
        """
        Make the entry of a row, whose content is in the file that it names.

        @return: None if its verdict is of another version.
        """
        try:
            verdict = self._decode(row.verdict)
        except ValueError:
            return None
        body = Body.within(StoredFile(store, row.name, row.octets, _parsed(row.trailers)))
        return Entry(
            row.key,
            row.status,
            row.reason,
            _parsed(row.head),
            body,
            row.stored,
            row.expires,
            verdict,
            row.variant,
            row.vary,
            row.tags,
        )


def joined(parts: tuple[bytes, ...]) -> bytes:
    """Make one value of several, none of which has a line end in it."""
    return b"\n".join(parts)


def parted(text: bytes) -> tuple[bytes, ...]:
    """Make the several again."""
    return tuple(text.split(b"\n")) if text else ()


def _parsed(lines: bytes) -> Fields:
    found = parseFields(lines + b"\r\n") if lines else None
    return EMPTY if found is None else found[0]
