# -*- test-case-name: tests.policy.test_diskrows -*-
"""
Rows of stored responses.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.diskrows import BLOCK_OCTETS, ROW_OCTETS, DiskRows
from intermediary.policy.entries import Entry
from intermediary.wire.fields import EMPTY, Fields

from .stored import entryOf
from .test_diskindex import A, rowOf


def decode(octets: bytes) -> str:
    """Make a verdict, unless it is of another version."""
    if octets == b"old":
        raise ValueError("another version")
    return octets.decode()


class RowsTests(SynchronousTestCase):
    """L{DiskRows}."""

    rows = DiskRows(str.encode, decode)
    #: Files open nothing until somebody wants them.
    store: Any = None

    def test_whatWasMadeOfAnEntryGivesIt(self) -> None:
        """With all that is known of it, but for its content."""
        fields = Fields.fromPairs([(b"ETag", b'"1"'), (b"Via", b"1.1 a")])
        trailers = Fields.fromPairs([(b"Digest", b"x")])
        body = entryOf(A, b"content").body
        entry = Entry(
            A, 404, b"Gone?", fields, body, 5.0, 65.0, "v", b"br", (b"accept",), (b"a b", b"c")
        )
        row = self.rows.rowOf(entry, "name", 7, trailers)
        self.assertEqual((row.id, row.name, row.octets), (0, "name", 7))
        found = self.rows.entryOf(row, self.store)
        assert found is not None
        for name in ("key", "status", "reason", "head", "stored", "expires", "verdict"):
            self.assertEqual(getattr(found, name), getattr(entry, name), name)
        for name in ("variant", "vary", "tags"):
            self.assertEqual(getattr(found, name), getattr(entry, name), name)
        self.assertEqual((found.body.start, found.body.octets, found.body.complete), (7, 7, True))
        self.assertEqual(found.body.file.name, "name")
        self.assertEqual(found.body.trailers, trailers)
        self.assertEqual(self.rows.rowOf(found, "name", 7, trailers), row)

    def test_withoutTrailers(self) -> None:
        """As most are."""
        found = self.rows.entryOf(rowOf(A, "1"), self.store)
        assert found is not None
        self.assertEqual(found.body.trailers, EMPTY)

    def test_aVerdictOfAnotherVersion(self) -> None:
        """Makes nothing."""
        self.assertIsNone(self.rows.entryOf(rowOf(A, "1")._replace(verdict=b"old"), self.store))

    def test_filesTakeBlocks(self) -> None:
        """And rows take room as well."""
        own = ROW_OCTETS + len(A) + len(b"ETag: 1\r\n")
        for octets, blocks in ((0, 0), (1, 1), (BLOCK_OCTETS, 1), (BLOCK_OCTETS + 1, 2)):
            self.assertEqual(rowOf(A, "1", octets).size, own + blocks * BLOCK_OCTETS)
