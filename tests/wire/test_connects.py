# -*- test-case-name: tests.wire.test_connects -*-
"""
L{intermediary.wire.connects}: what is remembered of one connection for others.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import WireError
from intermediary.settings import Limits
from intermediary.wire.connects import GLIMPSED, HEAD_OCTETS, LIMIT_OCTETS, ConnectHeads
from intermediary.wire.http1 import RequestReader
from intermediary.wire.message import END

FIELDS = b"Host: a.example:443\r\nUser-Agent: test\r\n\r\n"
LINE = b"CONNECT a.example:443 HTTP/1.1"
HEAD = LINE + b"\r\n" + FIELDS


class ConnectHeadsTests(SynchronousTestCase):
    """L{ConnectHeads}, through the readers of many connections."""

    def setUp(self) -> None:
        """Make a memory."""
        self.connects = ConnectHeads()

    def read(self, octets: bytes) -> Any:
        """Give what the first octets of a connection mean: a head, or a status."""
        try:
            return RequestReader(Limits(), self.connects).receive(octets)[0]
        except WireError as error:
            return error.status

    def test_whatCameTwiceIsKnown(self) -> None:
        """The same head then, which equals the one that was parsed."""
        first = self.read(HEAD)
        self.assertIsNone(self.connects.find(HEAD))
        second = self.read(HEAD)
        self.assertIsNot(first, second)
        self.assertIs(self.connects.find(HEAD), second)
        self.assertEqual(first, second)
        # Octets that only equal those.
        reader = RequestReader(Limits(), self.connects)
        self.assertEqual(reader.receive(bytes(bytearray(HEAD))), [second, END])
        self.assertEqual(reader.detach(), b"")
        self.assertEqual(self.connects.octets, len(HEAD))

    def test_onlyTheSameIsTheSame(self) -> None:
        """Whatever differs by an octet is judged as if it were the first."""
        for _ in range(4):
            self.read(HEAD)
            self.assertEqual(self.read(HEAD.replace(b"a.", b"b.")).target, b"b.example:443")
            self.assertEqual(self.read(HEAD.replace(b"/1.1", b"/1.0")).version, 10)
            self.assertEqual(self.read(HEAD.replace(b":443 ", b" ")), 400)
            self.assertEqual(self.read(LINE + b"\r\n\r\n" + FIELDS), 400)
            self.assertEqual(self.read(LINE + b"\r\nHost:a b\r\n\r\n"), 400)
            self.assertEqual(self.read(b"\r\n" + HEAD).target, b"a.example:443")
            self.assertEqual(self.read(b"GET / HTTP/1.1\r\n" + FIELDS).method, b"GET")

    def test_whatFollowsIsTheTunnels(self) -> None:
        """It is neither part of what is remembered nor lost."""
        for _ in range(3):
            reader = RequestReader(Limits(), self.connects)
            head: Any = reader.receive(HEAD + b"hello")[0]
            self.assertEqual(head.target, b"a.example:443")
            self.assertEqual(reader.detach(), b"hello")
        self.assertEqual(self.connects.octets, 0)

    def test_aHeadInPieces(self) -> None:
        """It is the same for the memory, as soon as it is one."""
        for _ in range(2):
            reader = RequestReader(Limits(), self.connects)
            reader.receive(HEAD[:20])
            [head, _] = reader.receive(HEAD[20:])
        self.assertIs(self.connects.find(HEAD), head)

    def test_otherMethodsAreNotKept(self) -> None:
        """They repeat on their own connections."""
        for method in (b"GET", b"CONNECTED", b"connect"):
            octets = HEAD.replace(b"CONNECT a.example:443", method + b" /")
            for _ in range(3):
                self.read(octets)
            self.assertIsNone(self.connects.find(octets))

    def test_credentialsAreNotKept(self) -> None:
        """They are nobody's business when their connection has gone."""
        octets = LINE + b"\r\nProxy-AuthorizatioN: Basic eDp5\r\n" + FIELDS
        for _ in range(3):
            self.assertEqual(self.read(octets).method, b"CONNECT")
        self.assertIsNone(self.connects.find(octets))
        self.assertEqual(self.connects.octets, 0)

    def test_itIsBounded(self) -> None:
        """However many different ones come, and however long they are."""
        for size in (1, 1000, 2000):
            for number in range(1000):
                octets = LINE + b"\r\nX: %d%s\r\n" % (number // 2, b"x" * size) + FIELDS
                self.assertEqual(self.read(octets).method, b"CONNECT")
                known = self.connects.find(octets)
                self.assertEqual(known is not None, size <= 1000 and number % 2 == 1)
                self.assertLessEqual(self.connects.octets, LIMIT_OCTETS)
        heads = self.connects._heads
        self.assertEqual(sum(len(each) for each in heads), self.connects.octets)
        self.assertLessEqual(max(len(each) for each in heads), HEAD_OCTETS)
        self.assertLessEqual(len(self.connects._glimpsed), GLIMPSED)

    def test_theLimitsOfTheFrontCount(self) -> None:
        """What is over one is refused each time, and so is never kept."""
        for limits, status in (
            (Limits(headerFields=1), 431),
            (Limits(headerOctets=50), 431),
            (Limits(targetOctets=5), 414),
        ):
            for _ in range(4):
                reader = RequestReader(limits, self.connects)
                error = self.assertRaises(WireError, reader.receive, HEAD)
                self.assertEqual(error.status, status)
        self.assertEqual(self.connects.octets, 0)

    def test_nobodyHasToHaveOne(self) -> None:
        """A reader by itself remembers for itself."""
        for _ in range(3):
            self.assertEqual(RequestReader(Limits()).receive(HEAD)[0], self.read(HEAD))
