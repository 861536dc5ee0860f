# -*- test-case-name: tests.test_exchange -*-
"""
The record of one request and its response.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from intermediary.exchange import Exchange, ForwardHead, Reply
from intermediary.interfaces import Origin
from intermediary.program import Program
from intermediary.wire.fields import EMPTY, Fields
from intermediary.wire.message import CHUNKED, NO_BODY, UNTIL_CLOSE

from .policy.exchanges import asked, exchangeOf


def step(exchange: Any) -> None:
    """A step."""


class ReplyTests(SynchronousTestCase):
    """Heads of replies, and content that is ours."""

    def test_ourContentIsFramedByItsLength(self) -> None:
        """An empty one too."""
        self.assertEqual(Reply(200, EMPTY, b"hello").framing, 5)
        self.assertEqual(Reply(204).framing, NO_BODY)
        self.assertEqual(Reply(200, EMPTY, b"").framing, NO_BODY)

    def test_contentFromUpstreamIsFramedAsSaid(self) -> None:
        """Its length, or that it is not known."""
        for framing in (0, 5, CHUNKED, UNTIL_CLOSE):
            reply = Reply(200, EMPTY, None, framing)
            self.assertEqual(reply.framing, framing)
            self.assertIsNone(reply.body)
        self.assertEqual(Reply(200, EMPTY, None).framing, NO_BODY)

    def test_repliesShareNothing(self) -> None:
        """What a hook does to one is its own."""
        one, two = Reply(200), Reply(200)
        one.fields = Fields.fromPairs([(b"X", b"1")])
        self.assertEqual(len(two.fields), 0)

    def test_noOtherAttributesAreTaken(self) -> None:
        """A misspelt one is an error at once."""
        for record in (
            Reply(200),
            ForwardHead(b"GET", b"/", EMPTY, None),
            asked(b"GET / HTTP/1.0"),
        ):
            self.assertRaises(AttributeError, setattr, record, "stauts", 1)


class ExchangeTests(SynchronousTestCase):
    """What an exchange is at its beginning."""

    def test_itBeginsUnderTheRefusal(self) -> None:
        """The program for what fails before there is another."""
        exchange = asked(b"GET / HTTP/1.1", b"Host: a.example")
        self.assertIs(exchange.program, exchange.front.refusal)
        self.assertEqual((exchange.index, exchange.attempts, exchange.status), (0, 0, 0))
        self.assertFalse(exchange.finishing)
        self.assertFalse(exchange.headSent)

    def test_contentGoesToTheClient(self) -> None:
        """Until a filter comes in between."""
        exchange = asked(b"GET / HTTP/1.1", b"Host: a.example")
        self.assertIs(exchange.sink, exchange.downstream)

    def test_everySlotHasAValue(self) -> None:
        """No step meets an attribute that is not there."""
        exchange = asked(b"GET / HTTP/1.1", b"Host: a.example")
        # A compiled class has its slots elsewhere.
        names = vars(Exchange).get("__slots__") or vars(Exchange)["__mypyc_attrs__"]
        for name in names:
            getattr(exchange, name)

    def test_exchangesShareNothing(self) -> None:
        """Memory is made by who needs it, for one."""
        self.assertIsNone(asked(b"GET / HTTP/1.0").memory)

    def test_thePeerIsNamedForTheLog(self) -> None:
        """Empty before there is one."""
        exchange = asked(b"GET / HTTP/1.0")
        self.assertEqual(exchange.peerName, "")
        exchange.origin = Origin("http", "2001:db8::1", 80)
        self.assertEqual(exchange.peerName, "http://[2001:db8::1]:80")

    def test_reprTellsWhereItIs(self) -> None:
        """Who asks for what, and the step that is next to it."""
        exchange = asked(b"GET /x?y HTTP/1.1", b"Host: a.example")
        self.assertEqual(repr(exchange), "<Exchange site 192.0.2.7 'GET /x?y' at start>")
        exchange.program = Program("it", {"fetch": [step, step]})
        exchange.index = 1
        self.assertEqual(
            repr(exchange), "<Exchange site 192.0.2.7 'GET /x?y' at test_exchange.step>"
        )
        exchange.index = 3
        self.assertEqual(repr(exchange), "<Exchange site 192.0.2.7 'GET /x?y' at end>")

    def test_reprOfNoRequest(self) -> None:
        """Octets that were refused before they became one."""
        self.assertEqual(repr(exchangeOf(None)), "<Exchange site 192.0.2.7 '-' at start>")


class OriginTests(SynchronousTestCase):
    """The key of the pool."""

    def test_itIsAValue(self) -> None:
        """Equal if and only if a connection may be shared."""
        self.assertEqual(Origin("http", "a", 80), Origin("http", "a", 80))
        self.assertEqual(len({Origin("http", "a", 80), Origin("http", "a", 80)}), 1)
        guard = object()
        for other in (
            Origin("https", "a", 80),
            Origin("http", "b", 80),
            Origin("http", "a", 81),
            Origin("http", "a", 80, tls=object()),
            Origin("http", "a", 80, via="p"),
            Origin("http", "a", 80, guard=guard),
        ):
            self.assertNotEqual(Origin("http", "a", 80), other)

    def test_theAuthorityNamesAnUnusualPort(self) -> None:
        """RFC 9110 §4.2.1, §4.2.2: the usual one depends on the scheme."""
        for origin, authority in (
            (Origin("http", "a.example", 80), b"a.example"),
            (Origin("http", "a.example", 443), b"a.example:443"),
            (Origin("https", "a.example", 443), b"a.example"),
            (Origin("https", "a.example", 80), b"a.example:80"),
            (Origin("http", "::1", 80), b"[::1]"),
            (Origin("http", "::1", 8080), b"[::1]:8080"),
        ):
            self.assertEqual(origin.authority, authority)

    def test_asTextItIsAURL(self) -> None:
        """With the port, always."""
        self.assertEqual(str(Origin("http", "a.example", 80)), "http://a.example:80")
        self.assertEqual(str(Origin("tunnel", "::1", 443)), "tunnel://[::1]:443")
