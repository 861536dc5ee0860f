# -*- test-case-name: tests.wire.test_updating -*-
"""
L{intermediary.wire.updating}: stored fields and newer ones.
"""

from __future__ import annotations

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from intermediary.wire.fields import Fields, Pair
from intermediary.wire.updating import updated

from .caching import NOW, dated
from .strategies import sections

_DATE = (b"Date", dated(0).encode())


def section(*pairs: Pair) -> Fields:
    """Fields with a date."""
    return Fields.fromPairs([_DATE, *pairs])


class UpdateTests(SynchronousTestCase):
    """L{updated}: RFC 9111 §3.2."""

    def test_replaced(self) -> None:
        """All lines of a name, where the first one stood; new names are added."""
        stored = section((b"A", b"1"), (b"B", b"1"), (b"a", b"2"), (b"C", b"1"))
        new = section((b"a", b"8"), (b"D", b"9"), (b"A", b"9"))
        self.assertEqual(
            updated(stored, new, NOW).pairs,
            [_DATE, (b"a", b"8"), (b"A", b"9"), (b"B", b"1"), (b"C", b"1"), (b"D", b"9")],
        )

    def test_contentFields(self) -> None:
        """C{Content-} is no sign of an exception; length and range are ones."""
        for name in (b"Content-Type", b"Content-Encoding", b"Content-Foo", b"ETag", b"Expires"):
            merged = updated(section((name, b"1")), section((name, b"2")), NOW)
            self.assertEqual(merged.get(name.lower()), b"2", name)
        for name in (b"Content-Length", b"Content-Range"):
            merged = updated(section((name, b"1")), section((name, b"2")), NOW)
            self.assertEqual(merged.get(name.lower()), b"1", name)
            self.assertNotIn(name.lower(), updated(section(), section((name, b"2")), NOW))

    def test_digests(self) -> None:
        """Those of content are of that of a message, of which a 304 or a HEAD has none."""
        for name in (b"Content-Digest", b"Content-MD5"):
            merged = updated(section((name, b"1")), section((name, b"2")), NOW)
            self.assertEqual(merged.get(name.lower()), b"1", name)
            self.assertNotIn(name.lower(), updated(section(), section((name, b"2")), NOW))
        merged = updated(section((b"Repr-Digest", b"1")), section((b"Repr-Digest", b"2")), NOW)
        self.assertEqual(merged.get(b"repr-digest"), b"2")

    def test_hopByHop(self) -> None:
        """What concerns the connection is not stored."""
        new = section((b"Connection", b"x"), (b"X", b"1"), (b"Proxy-Authenticate", b"2"))
        self.assertEqual(updated(section((b"X", b"0")), new, NOW), section((b"X", b"0")))

    def test_namedByDirectives(self) -> None:
        """What C{private} or C{no-cache} name goes, wherever it came from."""
        merged = updated(section((b"A", b"1")), section((b"B", b"2")), NOW, {b"a", b"b"})
        self.assertEqual(merged, section())

    def test_ages(self) -> None:
        """The age is that of the validation."""
        stored = section((b"Age", b"100"))
        self.assertEqual(updated(stored, section(), NOW), section())
        self.assertEqual(updated(stored, section((b"Age", b"3")), NOW).get(b"age"), b"3")

    def test_dates(self) -> None:
        """Without a date, a response is from when it was received (RFC 9110 §6.6.1)."""
        merged = updated(section(), Fields.fromPairs([(b"A", b"1")]), NOW + 5)
        self.assertEqual(merged.get(b"date"), dated(5).encode())

    def test_nothingChanges(self) -> None:
        """Then it is the same object."""
        stored = section((b"A", b"1"))
        self.assertIs(updated(stored, section((b"A", b"1")), NOW), stored)

    @given(sections, sections)
    def test_twiceIsOnce(self, stored: Fields, new: Fields) -> None:
        """And each value is one of the two."""
        once = updated(stored, new, NOW)
        self.assertEqual(updated(once, new, NOW).index, once.index)
        for name, value in once.index.items():
            if name != b"date":
                self.assertIn(value, (stored.get(name), new.get(name)))
