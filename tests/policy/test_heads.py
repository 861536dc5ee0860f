# -*- test-case-name: tests.policy.test_heads -*-
"""
Parsed fields of entries in use.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.heads import HEADS_OCTETS, Heads
from intermediary.wire.fields import Fields

from .stored import entryOf


class HeadsTests(SynchronousTestCase):
    """L{Heads}."""

    def test_fieldsAreParsedOnce(self) -> None:
        """Also for another entry with the same ones, as after a validation."""
        fields = Fields.fromPairs([(b"ETag", b'"1"'), (b"Via", b"1.1 a"), (b"Via", b"1.1 b")])
        heads = Heads()
        entry = entryOf(b"a", fields=fields)
        found = heads.fieldsOf(entry)
        self.assertEqual(found, fields)
        self.assertIs(heads.fieldsOf(entry), found)
        self.assertIs(heads.fieldsOf(entryOf(b"b", fields=found)), found)

    def test_itIsBounded(self) -> None:
        """A full one begins anew."""
        heads = Heads(limit=3)
        for number in range(10):
            heads.fieldsOf(entryOf(b"a", fields=Fields.fromPairs([(b"N", b"%d" % number)])))
            self.assertLessEqual(len(heads), 3)
        self.assertEqual(len(heads), 1)

    def test_soAreItsOctets(self) -> None:
        """What origins send as heads is not kept beside the store's own limit."""
        heads = Heads()
        octets = 60_000
        for number in range(200):
            fields = Fields.fromPairs([(b"N", b"%d" % number), (b"X", b"x" * octets)])
            for _ in range(2):
                heads.fieldsOf(entryOf(b"a", fields=fields))
            self.assertLessEqual(len(heads) * octets, HEADS_OCTETS)
        self.assertGreater(len(heads), 1)
