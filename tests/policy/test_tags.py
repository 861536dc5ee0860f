# -*- test-case-name: tests.policy.test_tags -*-
"""
Entries by their tags.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.tags import TagIndex

from .stored import entryOf

if TYPE_CHECKING:
    from intermediary.policy.entries import Entry

TAGS = (b"a", b"b", b"c")


class TagIndexTests(SynchronousTestCase):
    """L{TagIndex}."""

    def test_aTagOfOne(self) -> None:
        """Also where it names it twice."""
        index = TagIndex()
        entry = entryOf(b"k", tags=(b"a", b"a"))
        index.add(entry)
        self.assertEqual(index.entriesOf(b"a"), [entry])
        self.assertEqual(index.entriesOf(b"b"), [])
        index.remove(entry)
        self.assertEqual(len(index), 0)

    @given(
        strategies.lists(
            strategies.one_of(
                strategies.lists(strategies.sampled_from(TAGS), max_size=4),
                strategies.integers(0, 9),
            )
        )
    )
    def test_itIsExact(self, events: list[list[bytes] | int]) -> None:
        """After anything was added and removed, each tag has its entries and no more."""
        index = TagIndex()
        entries: list[Entry] = []
        for event in events:
            if isinstance(event, list):
                entries.append(entryOf(b"k", tags=tuple(event)))
                index.add(entries[-1])
            elif event < len(entries):
                index.remove(entries.pop(event))
            for tag in TAGS:
                found = index.entriesOf(tag)
                self.assertEqual(len(found), len(set(found)))
                self.assertEqual(set(found), {each for each in entries if tag in each.tags})
            self.assertEqual(len(index), len({tag for each in entries for tag in each.tags}))
