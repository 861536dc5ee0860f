# -*- test-case-name: tests.policy.test_stricttransport -*-
"""
L{intermediary.policy.stricttransport}: one field, ours, and by TLS alone.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from intermediary.exchange import Exchange, Reply
from intermediary.policy.cachefield import handling
from intermediary.policy.stricttransport import StrictTransport
from intermediary.wire.fields import EMPTY, Fields

from .exchanges import asked, exchangeOf

THEIRS = (b"strict-transport-security", b"max-age=1")
KEPT = (b"A", b"b")


class StrictTransportTests(SynchronousTestCase):
    """L{StrictTransport}."""

    def exchange(self, *pairs: tuple[bytes, bytes], more: bytes = b"") -> Exchange:
        """An exchange by TLS with a reply."""
        exchange = asked(b"GET / HTTP/1.1", b"Host: a.example")
        exchange.secure = True
        exchange.reply = Reply(200, Fields.fromPairs(pairs))
        exchange.reply.more = more
        return exchange

    def delivered(self, strict: StrictTransport, exchange: Exchange) -> bytes:
        """All of the head's lines, in their order."""
        strict.onDeliver(exchange)
        assert exchange.reply is not None
        return exchange.reply.fields.encoded + exchange.reply.more

    def test_whatItSays(self) -> None:
        """RFC 6797 §6.1."""
        for strict, value in (
            (StrictTransport(300), b"max-age=300"),
            (StrictTransport(300, True), b"max-age=300; includeSubDomains"),
            (StrictTransport(300, True, True), b"max-age=300; includeSubDomains; preload"),
        ):
            self.assertEqual(
                self.delivered(strict, self.exchange()),
                b"Strict-Transport-Security: %b\r\n" % value,
            )

    def test_notWithoutTLS(self) -> None:
        """RFC 6797 §7.2, where TLS is the endpoint's and one of several is without."""
        exchange = self.exchange()
        exchange.secure = False
        self.assertEqual(self.delivered(StrictTransport(300), exchange), b"")

    def test_errorsHaveItToo(self) -> None:
        """Also what is said to whoever sent no request."""
        exchange = exchangeOf(None)
        exchange.secure = True
        exchange.reply = Reply(400)
        self.assertIn(b"max-age=300\r\n", self.delivered(StrictTransport(300), exchange))

    def test_noReplyNoField(self) -> None:
        """Whatever comes by without one goes by."""
        exchange = asked(b"GET / HTTP/1.1", b"Host: a.example")
        exchange.secure = True
        StrictTransport(300).onDeliver(exchange)
        self.assertIsNone(exchange.reply)

    def test_thereIsOne(self) -> None:
        """RFC 6797 §7.1: that of whoever else has had one is left out, and nothing else."""
        self.assertEqual(
            self.delivered(StrictTransport(300), self.exchange(THEIRS, KEPT, THEIRS)),
            b"A: b\r\nStrict-Transport-Security: max-age=300\r\n",
        )

    def test_itIsTheFirst(self) -> None:
        """RFC 6797 §8.1: of two, as of what was stored before, ours counts."""
        stored = self.exchange(more=b"Strict-Transport-Security: max-age=1\r\nAge: 2\r\n")
        self.assertTrue(
            self.delivered(StrictTransport(300), stored).startswith(
                b"Strict-Transport-Security: max-age=300\r\n"
            )
        )

    def test_theLogReadsWhatTheCacheSaid(self) -> None:
        """It stays at the end."""
        exchange = self.exchange(more=b"Age: 2\r\nCache-Status: test; hit; ttl=9\r\n")
        StrictTransport(300).onDeliver(exchange)
        self.assertEqual(handling(exchange), "hit; ttl=9")

    def test_whatIsStoredHasNone(self) -> None:
        """An origin's is left out before; other fields are not made anew for it."""
        exchange = self.exchange(THEIRS, KEPT)
        StrictTransport(300).drop(exchange)
        assert exchange.reply is not None
        self.assertEqual(list(exchange.reply.fields), [KEPT])
        before = exchange.reply.fields
        StrictTransport(300).drop(exchange)
        self.assertIs(exchange.reply.fields, before)
        exchange.reply.fields = EMPTY
        StrictTransport(300).drop(exchange)
        self.assertIs(exchange.reply.fields, EMPTY)
