# -*- test-case-name: tests.policy.test_hops -*-
"""
Loops, and requests that go no further.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import IntermediaryError, LoopDetected, WireError
from intermediary.policy.hops import Hops

from .exchanges import ENGINE, PSEUDONYM, asked, derived, forwardOf

if TYPE_CHECKING:
    from intermediary.exchange import Reply


class HopsTestCase(SynchronousTestCase):
    """Asks the step."""

    def setUp(self) -> None:
        self.hops = Hops(PSEUDONYM)

    def answer(self, *lines: bytes) -> Reply | None:
        """What a request is answered with; None when it goes on."""
        return self.hops.onRequest(asked(*lines))

    def reply(self, *lines: bytes) -> Reply:
        """What a request is answered with."""
        reply = self.answer(*lines)
        assert reply is not None
        return reply


class LoopTests(HopsTestCase):
    """Requests that came through here before (RFC 9110 §7.6.3)."""

    def via(self, *values: bytes) -> Reply | None:
        """Ask with lines of Via."""
        lines = [b"Via: " + value for value in values]
        return self.answer(b"GET / HTTP/1.1", b"Host: a.example", *lines)

    def test_ourOwnPseudonymIsALoop(self) -> None:
        """508, wherever it is in the list."""
        for values in (
            (b"1.1 test",),
            (b"1.0 fred, 1.1 test",),
            (b"1.1 test, 1.1 fred",),
            (b"1.1 fred", b"1.1 test"),
            (b"HTTP/1.1 test (a comment)",),
            (b"1.1 TEST",),
            (b"1.1   test",),
            (b"1.1 fred (x, 1.1 y),1.1 test",),
        ):
            error = self.assertRaises(LoopDetected, self.via, *values)
            assert isinstance(error, IntermediaryError)
            self.assertEqual((error.status, error.token), (508, "proxy_loop_detected"))

    def test_othersAreNoLoop(self) -> None:
        """Whole names count, not parts of them, and no comments."""
        for values in (
            (b"1.1 fred",),
            (b"1.1 test2",),
            (b"1.1 atest",),
            (b"1.1 test:80",),
            (b"1.1 fred (1.1 test)",),
            (b"test fred",),
            (b"1.1 te, st",),
            (b"",),
        ):
            self.assertIsNone(self.via(*values))

    def test_withoutViaThereIsNone(self) -> None:
        """Nor in fields that only mention it."""
        self.assertIsNone(
            self.answer(b"GET / HTTP/1.1", b"Host: a", b"X-Via: 1.1 test", b"Connection: via")
        )

    def test_aLoopIsFoundBeforeAHopIsCounted(self) -> None:
        """An answer to the last hop would hide it."""
        self.assertRaises(
            LoopDetected,
            self.answer,
            b"OPTIONS / HTTP/1.1",
            b"Host: a",
            b"Max-Forwards: 0",
            b"Via: 1.1 test",
        )


class LastHopTests(HopsTestCase):
    """C{Max-Forwards: 0} (RFC 9110 §7.6.2)."""

    def test_optionsAreOurs(self) -> None:
        """200 with what is allowed, without content."""
        reply = self.reply(b"OPTIONS * HTTP/1.1", b"Host: a.example", b"Max-Forwards: 0")
        self.assertEqual((reply.status, reply.framing), (200, 0))
        allowed = reply.fields.get(b"allow")
        assert allowed is not None
        self.assertIn(b"GET", allowed.split(b", "))

    def test_traceShowsWhatWasReceived(self) -> None:
        """The head itself, as C{message/http} (RFC 9110 §9.3.8)."""
        reply = self.reply(
            b"TRACE http://a.example/x HTTP/1.1",
            b"Host: a.example",
            b"Max-Forwards: 0",
            b"X-Test:  spaced ",
        )
        self.assertEqual(reply.status, 200)
        self.assertEqual(reply.fields.get(b"content-type"), b"message/http")
        self.assertEqual(
            reply.body,
            b"TRACE http://a.example/x HTTP/1.1\r\n"
            b"Host: a.example\r\nMax-Forwards: 0\r\nX-Test: spaced\r\n\r\n",
        )
        self.assertEqual(reply.framing, len(reply.body or b""))

    def test_traceOfAnOldClientSaysSo(self) -> None:
        """The version is the one that was received."""
        reply = self.reply(b"TRACE http://a.example/ HTTP/1.0", b"Max-Forwards: 0")
        self.assertEqual(reply.body, b"TRACE http://a.example/ HTTP/1.0\r\nMax-Forwards: 0\r\n\r\n")

    def test_traceHidesWhatIsSensitive(self) -> None:
        """RFC 9110 §9.3.8: credentials and cookies, in any case of letters."""
        reply = self.reply(
            b"TRACE http://a.example/ HTTP/1.1",
            b"Host: a.example",
            b"Max-Forwards: 0",
            b"Authorization: Basic c2VjcmV0",
            b"COOKIE: session=secret",
            b"cookie: other=secret",
            b"Proxy-Authorization: Basic c2VjcmV0",
        )
        assert reply.body is not None
        for hidden in (b"secret", b"c2VjcmV0", b"ookie", b"COOKIE", b"uthorization"):
            self.assertNotIn(hidden, reply.body)

    def test_otherMethodsDoNotCount(self) -> None:
        """RFC 9110 §7.6.2: it is ignored for them, whatever it says."""
        for method in (b"GET", b"POST", b"options", b"trace"):
            for value in (b"0", b"x", b"-1"):
                self.assertIsNone(
                    self.answer(
                        b"%b http://a.example/ HTTP/1.1" % method,
                        b"Host: a.example",
                        b"Max-Forwards: " + value,
                    )
                )

    def test_zeroHasManySpellings(self) -> None:
        """It is a decimal number."""
        for value in (b"0", b"00", b"0000000000"):
            self.assertIsNotNone(
                self.answer(b"OPTIONS / HTTP/1.1", b"Host: a", b"Max-Forwards: " + value)
            )

    def test_whatIsNoNumberIsRefused(self) -> None:
        """400; two different ones are none either."""
        for lines in (
            (b"Max-Forwards: x",),
            (b"Max-Forwards:",),
            (b"Max-Forwards: -1",),
            (b"Max-Forwards: +1",),
            (b"Max-Forwards: 1.0",),
            (b"Max-Forwards: 0x1",),
            (b"Max-Forwards: 1", b"Max-Forwards: 0"),
            ("Max-Forwards: \N{ARABIC-INDIC DIGIT ZERO}".encode(),),
        ):
            error = self.assertRaises(
                WireError, self.answer, b"OPTIONS / HTTP/1.1", b"Host: a", *lines
            )
            assert isinstance(error, WireError)
            self.assertEqual(error.status, 400)

    def test_moreThanZeroGoesOn(self) -> None:
        """And so does no number at all."""
        for lines in ((b"Max-Forwards: 1",), (b"Max-Forwards: 10",), ()):
            for method in (b"TRACE", b"OPTIONS"):
                self.assertIsNone(
                    self.answer(b"%b http://a/ HTTP/1.1" % method, b"Host: a", *lines)
                )


class CountTests(HopsTestCase):
    """One less for the next hop."""

    def sent(self, *lines: bytes) -> list[bytes]:
        """The lines of Max-Forwards that are sent."""
        exchange = derived(*lines)
        self.hops.onFetch(exchange)
        return forwardOf(exchange).fields.getAll(b"max-forwards")

    def test_itIsCountedDown(self) -> None:
        """For TRACE and OPTIONS (RFC 9110 §7.6.2)."""
        for method in (b"TRACE", b"OPTIONS"):
            for received, sent in ((b"1", b"0"), (b"10", b"9"), (b"007", b"6")):
                self.assertEqual(
                    self.sent(b"%b / HTTP/1.1" % method, b"Host: a", b"max-forwards: " + received),
                    [sent],
                )

    def test_otherMethodsAreLeftAlone(self) -> None:
        """As it came."""
        self.assertEqual(self.sent(b"GET / HTTP/1.1", b"Host: a", b"Max-Forwards: 10"), [b"10"])

    def test_noneIsAdded(self) -> None:
        """Where the client sent none."""
        self.assertEqual(self.sent(b"OPTIONS / HTTP/1.1", b"Host: a"), [])

    def test_aSecondAttemptCountsTheSame(self) -> None:
        """Each is derived anew from what was received, also from remembered fields."""
        exchange = derived(b"OPTIONS / HTTP/1.1", b"Host: a", b"Max-Forwards: 5")
        for _ in range(3):
            ENGINE.derive(exchange)
            self.hops.onFetch(exchange)
            self.assertEqual(forwardOf(exchange).fields.get(b"max-forwards"), b"4")
