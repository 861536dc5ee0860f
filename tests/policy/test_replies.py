# -*- test-case-name: tests.policy.test_replies -*-
"""
How errors are worded for clients.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from twisted.trial.unittest import SynchronousTestCase

from intermediary import errors
from intermediary.errors import (
    ConnectionRefused,
    ConnectTimeout,
    ContentTooLarge,
    DestinationUnavailable,
    IntermediaryError,
    MethodNotAllowed,
    Misdirected,
    RequestInvalid,
    RequestTimeout,
    ResponseInvalid,
    ShuttingDown,
    TLSAlertReceived,
    WireError,
)
from intermediary.policy.replies import ErrorReplies
from intermediary.wire.encoding import REASONS

from ..test_errors import CLASSES, make
from .exchanges import PSEUDONYM, asked, exchangeOf

if TYPE_CHECKING:
    from intermediary.exchange import Reply

#: What is in the detail of an error and never in a reply.
SECRET = "10.1.2.3:9000 backend.internal /secret/path"


class RepliesTestCase(SynchronousTestCase):
    """Words replies."""

    def setUp(self) -> None:
        self.replies = ErrorReplies(PSEUDONYM)

    def reply(self, error: IntermediaryError, accept: bytes | None = None) -> Reply:
        """The reply to an error."""
        lines = [] if accept is None else [b"Accept: " + accept]
        return self.replies(asked(b"GET / HTTP/1.1", b"Host: a.example", *lines), error)

    def body(self, error: IntermediaryError, accept: bytes | None = None) -> str:
        """Its content."""
        body = self.reply(error, accept).body
        assert body is not None
        return body.decode("utf-8")


class WordsTests(RepliesTestCase):
    """What a reply says."""

    def test_aPageSaysWhatHappened(self) -> None:
        """Status, sentence and token, as HTML."""
        reply = self.reply(ConnectTimeout(SECRET))
        self.assertEqual(reply.status, 504)
        self.assertEqual(
            reply.body,
            b'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            b"<title>504 Gateway Timeout</title></head>\n"
            b"<body><h1>504 Gateway Timeout</h1>"
            b"<p>The connection was not established in time.</p>"
            b"<hr><p>intermediary: connection_timeout</p></body></html>\n",
        )
        self.assertEqual(
            list(reply.fields),
            [
                (b"Content-Type", b"text/html; charset=utf-8"),
                (b"Cache-Control", b"no-store"),
                (b"Proxy-Status", b"test; error=connection_timeout"),
            ],
        )
        self.assertEqual(reply.framing, len(reply.body or b""))

    def test_JSONSaysTheSame(self) -> None:
        """For programs."""
        reply = self.reply(ConnectionRefused(SECRET), b"application/json")
        assert reply.body is not None
        self.assertEqual(
            json.loads(reply.body),
            {
                "status": 502,
                "error": "connection_refused",
                "message": "The destination refused the connection.",
            },
        )
        self.assertEqual(reply.fields.get(b"content-type"), b"application/json")
        self.assertEqual(reply.fields.get(b"proxy-status"), b"test; error=connection_refused")

    def test_whatGoesWithTheToken(self) -> None:
        """Parameters of C{Proxy-Status} (RFC 9209 §2.3.15), and each its own."""
        for alert, words in ((42, "bad certificate"), (48, "unknown ca")):
            reply = self.reply(TLSAlertReceived(SECRET, alert, words))
            self.assertEqual(reply.status, 502)
            self.assertEqual(
                reply.fields.get(b"proxy-status"),
                b'test; error=tls_alert_received; alert-id=%d; alert-message="%b"'
                % (alert, words.encode("ascii")),
            )
        reply = self.reply(TLSAlertReceived(SECRET))
        self.assertEqual(reply.fields.get(b"proxy-status"), b"test; error=tls_alert_received")

    def test_noDetailIsEverShown(self) -> None:
        """It may name addresses of servers: in no class, no form and no field."""
        for kind in CLASSES:
            for accept in (None, b"application/json"):
                reply = self.reply(make(kind, SECRET), accept)
                assert reply.body is not None
                shown = reply.body + reply.fields.encoded
                for word in SECRET.split():
                    self.assertNotIn(word.encode(), shown, kind)

    def test_noRequestIsEchoed(self) -> None:
        """Nothing of the client's comes back in a page: no script does either."""
        exchange = asked(
            b"GET /%3Cscript%3E<script>alert(1)</script> HTTP/1.1",
            b"Host: a.example",
            b"Accept: text/html<script>",
            b"X: <script>",
        )
        for kind in CLASSES:
            reply = self.replies(exchange, make(kind, "<script>"))
            assert reply.body is not None
            self.assertNotIn(b"script", reply.body)

    def test_everyReplyIsWhole(self) -> None:
        """Length, type and status of each class, in both forms."""
        for kind in CLASSES:
            error = make(kind)
            for accept in (None, b"application/json"):
                reply = self.reply(error, accept)
                assert reply.body is not None
                self.assertEqual(reply.status, error.status)
                self.assertEqual(reply.framing, len(reply.body))
                self.assertIsNone(reply.reason)
                self.assertIn(error.token.encode(), reply.body)
                self.assertIn(str(error.status).encode(), reply.body)

    def test_everyStatusHasItsPhrase(self) -> None:
        """None is answered as plain "Error"; 499 is answered to nobody."""
        statuses = {make(kind).status for kind in CLASSES} | {408, 413, 414, 417, 431, 501, 505}
        self.assertEqual(statuses - set(REASONS), {errors.ClientGone.status})

    def test_twoErrorsOfOneTokenKeepTheirWords(self) -> None:
        """In whichever order they come."""
        pairs: list[tuple[IntermediaryError, IntermediaryError]] = [
            (RequestInvalid(), WireError("x")),
            (ContentTooLarge(), WireError("x", 413)),
            (RequestTimeout(), WireError("x", 408)),
            (DestinationUnavailable(), ShuttingDown()),
        ]
        for one, two in pairs:
            self.assertEqual((one.status, one.token), (two.status, two.token))
            self.replies = ErrorReplies(PSEUDONYM)
            first, second = self.body(one), self.body(two)
            self.assertNotEqual(first, second)
            self.replies = ErrorReplies(PSEUDONYM)
            self.assertEqual(self.body(two), second)
            self.assertEqual(self.body(one), first)

    def test_anErrorWithItsOwnTokenIsToldByIt(self) -> None:
        """A response's error has a narrower word than its class (RFC 9209 §2.3)."""
        error = ResponseInvalid(SECRET)
        error.token = "http_response_transfer_coding"
        self.assertEqual(
            self.reply(error).fields.get(b"proxy-status"),
            b"test; error=http_response_transfer_coding",
        )
        self.assertEqual(
            self.reply(ResponseInvalid()).fields.get(b"proxy-status"),
            b"test; error=http_protocol_error",
        )

    def test_aRefusedMethodTellsWhichAreAllowed(self) -> None:
        """RFC 9110 §15.5.6: a 405 must; no other does."""
        allow = self.reply(MethodNotAllowed()).fields.get(b"allow")
        assert allow is not None
        methods = allow.split(b", ")
        self.assertIn(b"GET", methods)
        self.assertNotIn(b"CONNECT", methods)
        self.assertNotIn(b"TRACE", methods)
        for kind in CLASSES:
            if make(kind).status != 405:
                self.assertNotIn(b"allow", self.reply(make(kind)).fields)

    def test_noReplyIsStored(self) -> None:
        """A 404 or 405 could be kept by a cache otherwise (RFC 9110 §15.1)."""
        for kind in CLASSES:
            self.assertEqual(self.reply(make(kind)).fields.get(b"cache-control"), b"no-store")

    def test_octetsThatAreNoRequestGetAPage(self) -> None:
        """There is no Accept to look at."""
        reply = self.replies(exchangeOf(None), WireError("x", 431))
        self.assertEqual(reply.status, 431)
        self.assertEqual(reply.fields.get(b"content-type"), b"text/html; charset=utf-8")

    def test_aDefectOfOursTellsNothing(self) -> None:
        """The engine wraps it; its words stay in the log."""
        reply = self.reply(IntermediaryError(repr(ValueError(SECRET))))
        self.assertEqual(reply.status, 500)
        self.assertEqual(reply.fields.get(b"proxy-status"), b"test; error=proxy_internal_error")
        self.assertNotIn(b"ValueError", reply.body or b"")


class MemoTests(RepliesTestCase):
    """Replies are made once."""

    def test_theSameErrorIsWordedOnce(self) -> None:
        """The very same octets and fields again."""
        one, two = self.reply(Misdirected("a")), self.reply(Misdirected("b"))
        self.assertIs(one.body, two.body)
        self.assertIs(one.fields, two.fields)

    def test_aReplyIsNobodyElses(self) -> None:
        """What a hook changes in one is not in the next."""
        one = self.reply(Misdirected())
        one.fields = one.fields.adding((b"X", b"1"))
        one.status = 200
        two = self.reply(Misdirected())
        self.assertEqual(two.status, 404)
        self.assertNotIn(b"x", two.fields)

    def test_whatIsKeptIsBounded(self) -> None:
        """By classes and forms, whatever clients send and errors say."""
        for number in range(3):
            for kind in CLASSES:
                self.reply(make(kind, str(number)), b"application/json;x=%d" % number)
                self.reply(make(kind, str(number)), b"text/html;x=%d" % number)
        self.assertEqual(len(self.replies._made), 2 * len(CLASSES))


class AcceptTests(RepliesTestCase):
    """Which form the client gets (RFC 9110 §12.5.1)."""

    def isJSON(self, accept: bytes | None) -> bool:
        """Whether it is JSON."""
        kind = self.reply(Misdirected(), accept).fields.get(b"content-type")
        self.assertIn(kind, (b"application/json", b"text/html; charset=utf-8"))
        return kind == b"application/json"

    def test_whoAsksForJSONGetsIt(self) -> None:
        """By its name, its kind or its weight."""
        for accept in (
            b"application/json",
            b"APPLICATION/JSON",
            b"application/json; charset=utf-8",
            b"application/json, text/html",
            b"application/json, */*;q=0.5",
            b"application/json, */*",
            b"application/*",
            b"text/html;q=0.5, application/json",
            b"text/html;q=0.5, application/json;q=0.6",
            b"text/html; q=0.999, application/json",
            b"text/html;q=0, application/json;q=0.1",
            b"text/html;q=0, */*",
            b"text/*;q=0.1, */*",
            b"*/*, text/html;q=0.1",
            b"application/vnd.api+json",
            b"application/problem+json, */*;q=0.1",
            b"text/plain, application/json",
            b",,application/json",
            b"text/html;q=0.000,application/json;q=0.001",
        ):
            self.assertTrue(self.isJSON(accept), accept)

    def test_everybodyElseGetsAPage(self) -> None:
        """Also who says nothing, nothing sensible, or does not care."""
        for accept in (
            None,
            b"",
            b"*/*",
            b"text/html",
            b"text/html, application/json",
            b"text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8",
            b"application/json;q=0.5, text/html",
            b"application/json;q=0.5, text/*",
            b"application/json;q=0.5, */*",
            b"application/json;q=0, */*",
            b"application/json;q=0",
            b"application/json;Q=0.1, text/html;q=0.2",
            b"application/*;q=0.1, text/html",
            b"application/jsonx",
            b"application/xjson",
            b"text/json",
            b"json",
            b"image/png",
            b"text/plain;format=json",
            b";q=1, /",
        ):
            self.assertFalse(self.isJSON(accept), accept)

    def test_aBadWeightIsNone(self) -> None:
        """It counts as 1, as if it were not there."""
        for accept in (
            b"application/json;q=x, text/html;q=0.9",
            b"application/json;q=1.5,text/*;q=0.9",
        ):
            self.assertTrue(self.isJSON(accept), accept)

    def test_severalLinesAreOneList(self) -> None:
        """RFC 9110 §5.3."""
        exchange = asked(
            b"GET / HTTP/1.1",
            b"Host: a",
            b"Accept: text/html;q=0.5",
            b"Accept: application/json",
        )
        reply = self.replies(exchange, Misdirected())
        self.assertEqual(reply.fields.get(b"content-type"), b"application/json")

    def test_aLongListCostsLittle(self) -> None:
        """No more than its first part is read."""
        accept = b"a/b," * 10000 + b"application/json"
        self.assertFalse(self.isJSON(accept))


class PseudonymTests(SynchronousTestCase):
    """How the front is called in C{Proxy-Status} (RFC 9209 §2)."""

    def called(self, pseudonym: bytes) -> bytes:
        """The field's first member."""
        reply = ErrorReplies(pseudonym)(exchangeOf(None), Misdirected())
        value = reply.fields.get(b"proxy-status")
        assert value is not None
        match = re.fullmatch(rb"(.+); error=destination_not_found", value)
        assert match is not None
        return match[1]

    def test_aTokenStaysOne(self) -> None:
        """As RFC 8941 §3.3.4 has them."""
        for token in (b"test", b"proxy-1.example", b"*x", b"a_b:80", b"Intermediary-0a1b"):
            self.assertEqual(self.called(token), token)

    def test_whatIsNoneBecomesAString(self) -> None:
        """A token of HTTP may begin with a digit, one of RFC 8941 may not."""
        for other in (b"1proxy", b"192.0.2.1:3128", b"-x", b"_x", b"[::1]:3128"):
            self.assertEqual(self.called(other), b'"%b"' % other)
