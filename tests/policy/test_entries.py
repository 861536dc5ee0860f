# -*- test-case-name: tests.policy.test_entries -*-
"""
Stored responses and their shelves.
"""

from __future__ import annotations

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.body import Body
from intermediary.policy.entries import OVERHEAD_OCTETS, TAG_OCTETS, Entry, Shelf
from intermediary.wire.fields import EMPTY, Fields

from .stored import entryOf

KEY = b"GET http://a.example/"

names = strategies.text("abcXYZ-1", min_size=1).map(str.encode)
values = strategies.text('ab,=" \t;é', max_size=20).map(lambda text: text.strip().encode("latin-1"))


class EntryTests(SynchronousTestCase):
    """L{Entry}."""

    @given(pairs=strategies.lists(strategies.tuples(names, values)))
    def test_fieldsComeBackAsTheyWere(self, pairs: list[tuple[bytes, bytes]]) -> None:
        """In order, with their case, duplicates and empty values."""
        fields = Fields.fromPairs(pairs)
        entry = entryOf(KEY, fields=fields)
        self.assertEqual(entry.head, fields.encoded)
        self.assertEqual(entry.fields, fields)
        self.assertEqual(entry.fields.index, fields.index)

    def test_itsSizeIsWhatItTakes(self) -> None:
        """Key, head, variant, tags and content, and what Python needs."""
        fields = Fields.fromPairs([(b"ETag", b'"1"')])
        entry = entryOf(KEY, b"content", variant=b"br", tags=(b"one", b"three"), fields=fields)
        own = OVERHEAD_OCTETS + len(KEY) + len(b'ETag: "1"\r\n') + 2 + 2 * TAG_OCTETS + 8
        self.assertEqual(entry.ownOctets(), own)
        self.assertEqual(entry.size, own + len(b"content"))

    def test_variantsAreKnownAgainEachByItself(self) -> None:
        """By key and variant, and by nothing else."""
        identity = entryOf(KEY, variant=b"br").identity()
        self.assertEqual(entryOf(KEY, b"other", variant=b"br").identity(), identity)
        self.assertNotEqual(entryOf(KEY).identity(), identity)

    def test_repr(self) -> None:
        """What it is and how far it is."""
        self.assertEqual(
            repr(entryOf(KEY, b"abc")),
            "<Entry 200 'GET http://a.example/' 3 octets, whole, uses=0>",
        )
        entry = Entry(KEY, 404, b"", EMPTY, Body(), 0.0, 0.0)
        self.assertEqual(
            repr(entry), "<Entry 404 'GET http://a.example/' 0 octets, growing, uses=0>"
        )


class ShelfTests(SynchronousTestCase):
    """L{Shelf}."""

    def test_theNewestIsFirst(self) -> None:
        """And says by which fields responses are selected (RFC 9111 §4.1)."""
        shelf = Shelf(KEY)
        self.assertEqual(shelf.vary, ())
        old, new = entryOf(KEY), entryOf(KEY, variant=b"br")
        shelf.put(old)
        entries = shelf.entries
        shelf.put(new)
        self.assertEqual(shelf.entries, (new, old))
        self.assertEqual(shelf.vary, (b"accept",))
        self.assertEqual(entries, (old,), "who looks through entries is not disturbed")

    def test_entriesByVariant(self) -> None:
        """None if there is no such entry."""
        shelf = Shelf(KEY)
        entries = [entryOf(KEY, variant=variant) for variant in (b"", b"br", b"gzip")]
        for entry in entries:
            shelf.put(entry)
        for entry in entries:
            self.assertIs(shelf.entryOf(entry.variant), entry)
        self.assertIsNone(shelf.entryOf(b"zstd"))
        shelf.take(entries[1])
        self.assertIsNone(shelf.entryOf(b"br"))
        self.assertEqual(shelf.entries, (entries[2], entries[0]))

    def test_marksKeepItFromBeingBlank(self) -> None:
        """A fetch, a count, a time that has not come."""
        shelf = Shelf(KEY)
        self.assertTrue(shelf.isBlank(0.0))
        shelf.fetch = object()
        self.assertFalse(shelf.isBlank(0.0))
        shelf.fetch = None
        shelf.misses = 1
        self.assertFalse(shelf.isBlank(0.0))
        shelf.missesUntil = 7.0
        self.assertTrue(shelf.isBlank(7.0))
        self.assertFalse(shelf.isBlank(6.0))
        shelf.misses = 0
        shelf.passUntil = 5.0
        self.assertFalse(shelf.isBlank(4.9))
        self.assertTrue(shelf.isBlank(5.0))
        shelf.put(entryOf(KEY))
        self.assertFalse(shelf.isBlank(5.0))

    def test_repr(self) -> None:
        """Marks that are set."""
        shelf = Shelf(b"a")
        self.assertEqual(repr(shelf), "<Shelf 'a' entries=0>")
        shelf.fetch, shelf.passUntil, shelf.misses = object(), 1.5, 2
        self.assertEqual(repr(shelf), "<Shelf 'a' entries=0 fetching passUntil=1.5 misses=2>")
