# -*- test-case-name: tests.wire.test_section -*-
"""
L{intermediary.wire.section}: sections in pieces, and what is wrong with them.
"""

from __future__ import annotations

from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import WireError
from intermediary.wire import section as sectionModule
from intermediary.wire.refusal import REQUEST, Offence
from intermediary.wire.section import Section
from intermediary.wire.startline import checkRequestLine

from .feeding import each


def head(limitOctets: int = 1000, limitFields: int = 10, limitTarget: int = 100) -> Section:
    """Make a section for a request head."""
    return Section(
        REQUEST,
        Offence.HEAD_SIZE,
        limitOctets,
        limitFields,
        lambda text: checkRequestLine(text, limitTarget),
        limitTarget,
    )


def trailers(limitOctets: int = 100, limitFields: int = 10) -> Section:
    """Make a section for trailers."""
    return Section(REQUEST, Offence.TRAILER_SIZE, limitOctets, limitFields, None)


def feed(section: Section, octets: bytes) -> tuple[bytes, bytes] | None:
    """Add octets one by one, until the section is complete."""
    for octet in each(octets):
        complete = section.add(octet)
        if complete is not None:
            return complete
    return None


class CompletionTests(SynchronousTestCase):
    """A section is complete with its empty line."""

    octets = b"GET / HTTP/1.1\r\nA: b\r\nC: d\r\n\r\n"

    def test_whole(self) -> None:
        """What comes after it is handed back."""
        self.assertEqual(head().add(self.octets + b"rest"), (self.octets, b"rest"))

    def test_inPieces(self) -> None:
        """The end is found wherever the cut is."""
        for cut in range(1, len(self.octets)):
            section = head()
            self.assertIsNone(section.add(self.octets[:cut]))
            self.assertEqual(section.size, cut)
            self.assertEqual(section.add(self.octets[cut:] + b"rest"), (self.octets, b"rest"))

    def test_octetByOctet(self) -> None:
        """It is complete with its last octet, not one before or after."""
        self.assertEqual(feed(head(), self.octets), (self.octets, b""))
        self.assertIsNone(feed(head(), self.octets[:-1]))

    def test_withoutFields(self) -> None:
        """A start line and an empty line are a section."""
        self.assertEqual(feed(head(), b"GET / HTTP/1.0\r\n\r\n"), (b"GET / HTTP/1.0\r\n\r\n", b""))

    def test_trailers(self) -> None:
        """Trailers have no start line, and may be none."""
        self.assertEqual(trailers().add(b"\r\nrest"), (b"\r\n", b"rest"))
        self.assertEqual(feed(trailers(), b"\r\n"), (b"\r\n", b""))
        self.assertEqual(feed(trailers(), b"A: b\r\n\r\n"), (b"A: b\r\n\r\n", b""))


class LimitTests(SynchronousTestCase):
    """Limits are exact."""

    def test_octets(self) -> None:
        """A section of just the limit passes, one octet more does not."""
        octets = b"GET / HTTP/1.1\r\nA: " + b"b" * 50 + b"\r\n\r\n"
        size = len(octets)
        self.assertIsNotNone(head(size).add(octets))
        self.assertIsNotNone(feed(head(size), octets))
        for refuse in (lambda: head(size - 1).add(octets), lambda: feed(head(size - 1), octets)):
            self.assertEqual(self.assertRaises(WireError, refuse).status, 431)

    def test_trailerOctets(self) -> None:
        """The limit of a trailer section does not count the last chunk's line."""
        octets = b"A: " + b"b" * 50 + b"\r\n\r\n"
        size = len(octets)
        self.assertIsNotNone(trailers(size).add(octets))
        self.assertIsNotNone(feed(trailers(size), octets))
        self.assertRaises(WireError, trailers(size - 1).add, octets)
        self.assertRaises(WireError, feed, trailers(size - 1), octets)

    def test_fields(self) -> None:
        """So many lines pass, one more does not."""
        line = b"GET / HTTP/1.1\r\n"
        self.assertIsNotNone(head(limitFields=3).add(line + b"A: b\r\n" * 3 + b"\r\n"))
        self.assertIsNotNone(feed(head(limitFields=3), line + b"A: b\r\n" * 3 + b"\r\n"))
        for add in (head(limitFields=3).add, lambda octets: feed(head(limitFields=3), octets)):
            error = self.assertRaises(WireError, add, line + b"A: b\r\n" * 3 + b"A")
            self.assertEqual(error.status, 431)

    def test_target(self) -> None:
        """An endless target is refused with the octet that is too much."""
        for size in (100, 1000, 5000):
            section = head(100000, limitTarget=size)
            self.assertIsNone(section.add(b"GET "))
            for _ in range(size):
                self.assertIsNone(section.add(b"/"))
            self.assertEqual(self.assertRaises(WireError, section.add, b"/").status, 414)

    def test_theFirstOffenceCounts(self) -> None:
        """What is wrong within the limit wins over the limit, and not the other way."""
        start = b"GET / HTTP/1.1\r\nA: b\r\n"
        inside = start + b"C d\r\n" + b"b" * 100
        beyond = start + b"C: " + b"d" * 100 + b"\r\nC d\r\n"
        for octets, status in [(inside, 400), (beyond, 431)]:
            self.assertEqual(self.assertRaises(WireError, head(60).add, octets).status, status)
            self.assertEqual(self.assertRaises(WireError, feed, head(60), octets).status, status)


@skipUnless(sectionModule.__file__.endswith(".py"), "a compiled method can't be replaced")
class CostTests(SynchronousTestCase):
    """What arrives in small pieces is not looked at again and again."""

    def cost(self, octets: bytes, limitTarget: int = 100) -> float:
        """
        Add octets one by one.

        @return: how many octets were checked for each that was added.
        """
        checked = 0

        class Counted(Section):
            __slots__ = ()

            def _check(self, stop: int) -> None:
                nonlocal checked
                checked += stop - self._checked
                super()._check(stop)

        section = Counted(
            REQUEST,
            Offence.HEAD_SIZE,
            10**6,
            10**6,
            lambda text: checkRequestLine(text, limitTarget),
            limitTarget,
        )
        for octet in each(octets):
            self.assertIsNone(section.add(octet))
        return checked / len(octets)

    def test_longValue(self) -> None:
        """One long line costs a constant for each of its octets."""
        self.assertTrue(self.cost(b"GET / HTTP/1.1\r\nA: " + b"b" * 60000) < 4)

    def test_manyLines(self) -> None:
        """So do many lines, short ones and longer ones."""
        self.assertTrue(self.cost(b"GET / HTTP/1.1\r\n" + b"A: bcdefgh\r\n" * 5000) < 16)
        line = b"A: " + b"b" * 500 + b"\r\n"
        self.assertTrue(self.cost(b"GET / HTTP/1.1\r\n" + line * 100) < 20)

    def test_longTarget(self) -> None:
        """An endless target costs no more, for it ends at its limit."""
        self.assertTrue(self.cost(b"GET /" + b"a" * 16380, 16384) < 8)
