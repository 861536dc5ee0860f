# -*- test-case-name: tests.policy.test_decryption -*-
"""
L{intermediary.policy.decryption}: requests from inside of an intercepted connection, and
what is said in the place of servers.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import (
    AuthorityMismatch,
    DNSError,
    IntermediaryError,
    MethodNotAllowed,
    TLSCertificateError,
    TLSProtocolError,
    WireError,
)
from intermediary.interfaces import Origin
from intermediary.policy.decryption import Decrypted, DecryptedReplies
from intermediary.policy.replies import ErrorReplies
from intermediary.program import Program

from .exchanges import PSEUDONYM, asked

if TYPE_CHECKING:
    from intermediary.exchange import Exchange

FETCH = Program("fetch", {})


class DecryptedTests(SynchronousTestCase):
    """Where requests go."""

    def route(self, *lines: bytes, host: str = "a.example", port: int = 443) -> Exchange:
        """Send a request through."""
        exchange = asked(*lines)
        seen: list[Exchange] = []

        def route(exchange: Exchange) -> Program:
            seen.append(exchange)
            return FETCH

        decrypted = Decrypted(route, Origin("tunnel", host, port), "alice")
        self.assertIs(decrypted(exchange), FETCH)
        self.assertEqual(seen, [exchange])
        self.assertEqual(exchange.user, "alice")
        return exchange

    def target(self, target: bytes, host: bytes = b"a.example", method: bytes = b"GET") -> bytes:
        """What the target becomes."""
        request = self.route(method + b" " + target + b" HTTP/1.1", b"Host: " + host).request
        assert request is not None
        return request.target

    def test_theTarget(self) -> None:
        """It becomes that of a request to a proxy."""
        self.assertEqual(self.target(b"/x?y"), b"https://a.example/x?y")
        self.assertEqual(self.target(b"//x"), b"https://a.example//x")
        self.assertEqual(self.target(b"/", b"A.Example:443"), b"https://a.example/")
        self.assertEqual(self.target(b"*", method=b"OPTIONS"), b"https://a.example")
        self.assertEqual(self.target(b"https://A.example:443/z"), b"https://a.example/z")
        self.assertEqual(self.target(b"https://a.example?q"), b"https://a.example/?q")
        self.assertEqual(self.target(b"https://a.example", method=b"OPTIONS"), b"https://a.example")

    def test_otherPortsAndAddresses(self) -> None:
        """As they stand in a URL."""
        for host, port, field, wanted in (
            ("a.example", 8443, b"a.example:8443", b"https://a.example:8443/"),
            ("192.0.2.1", 443, b"192.0.2.1", b"https://192.0.2.1/"),
            ("2001:db8::1", 8443, b"[2001:db8::1]:8443", b"https://[2001:db8::1]:8443/"),
        ):
            exchange = self.route(b"GET / HTTP/1.1", b"Host: " + field, host=host, port=port)
            assert exchange.request is not None
            self.assertEqual(exchange.request.target, wanted)

    def test_allElseStays(self) -> None:
        """The fields are the same object, from which what was derived can be had again."""
        exchange = asked(
            b"POST / HTTP/1.1", b"Host: a.example", b"Content-Length: 3", b"Expect: 100-continue"
        )
        before = exchange.request
        assert before is not None
        Decrypted(lambda exchange: FETCH, Origin("tunnel", "a.example", 443), None)(exchange)
        after = exchange.request
        assert after is not None
        self.assertEqual(before.target, b"/")
        self.assertIs(after.fields, before.fields)
        for name in ("method", "version", "framing", "keepAlive", "expectsContinue", "host"):
            self.assertEqual(getattr(after, name), getattr(before, name), name)

    def test_withoutHost(self) -> None:
        """A client of HTTP/1.0 need not name it."""
        exchange = self.route(b"GET /x HTTP/1.0")
        assert exchange.request is not None
        self.assertEqual(exchange.request.target, b"https://a.example/x")

    def test_anotherAuthority(self) -> None:
        """RFC 9110 §15.5.20: it is not for who is spoken with."""
        for line, host in (
            (b"GET / HTTP/1.1", b"b.example"),
            (b"GET / HTTP/1.1", b"a.example:80"),
            (b"GET / HTTP/1.1", b"www.a.example"),
            (b"GET https://b.example/ HTTP/1.1", b"a.example"),
            (b"GET https://a.example:444/ HTTP/1.1", b"a.example"),
            (b"GET http://a.example/ HTTP/1.1", b"a.example"),
            (b"GET http://a.example:443/ HTTP/1.1", b"a.example"),
        ):
            error = self.assertRaises(AuthorityMismatch, self.route, line, b"Host: " + host)
            self.assertEqual(error.status, 421)

    def test_whatIsForAProxy(self) -> None:
        """There is none inside."""
        self.assertRaises(
            MethodNotAllowed, self.route, b"CONNECT b.example:443 HTTP/1.1", b"Host: b.example:443"
        )
        self.assertRaises(WireError, self.route, b"GET ftp://a.example/ HTTP/1.1", b"Host: a")


class RepliesTests(SynchronousTestCase):
    """How errors are worded."""

    def setUp(self) -> None:
        self.plain = ErrorReplies(PSEUDONYM)
        self.replies = DecryptedReplies(self.plain)

    def reply(self, error: IntermediaryError, *lines: bytes) -> tuple[bytes | None, str]:
        """The field and the content of a reply."""
        exchange = asked(b"GET / HTTP/1.1", b"Host: a.example", *lines)
        reply = self.replies(exchange, error)
        assert reply.body is not None
        self.assertEqual(reply.status, error.status)
        self.assertEqual(reply.framing, len(reply.body))
        if isinstance(error, TLSCertificateError):
            policy = reply.fields.get(b"content-security-policy")
            self.assertEqual(policy, b"default-src 'none'")
        return reply.fields.get(b"proxy-status"), reply.body.decode("utf-8")

    def test_whatIsWrongIsShown(self) -> None:
        """On the page and in the field."""
        field, page = self.reply(TLSCertificateError("https://a.example:443: it expired"))
        self.assertEqual(
            field, b'test; error=tls_certificate_error; details="https://a.example:443: it expired"'
        )
        self.assertIn("<p>https://a.example:443: it expired</p>", page)
        self.assertIn("The server did not prove to be the one that is meant.", page)

    def test_asJSON(self) -> None:
        """For who asks for that."""
        _, text = self.reply(TLSProtocolError("it is no TLS"), b"Accept: application/json")
        self.assertEqual(json.loads(text)["detail"], "it is no TLS")

    def test_nothingGetsOutOfItsPlace(self) -> None:
        """A certificate may have any text in it."""
        nasty = '<b>"x"\\ &amp; \u00e9\r\nSet-Cookie: a=b'
        field, page = self.reply(TLSCertificateError(nasty))
        self.assertEqual(
            field,
            b'test; error=tls_certificate_error; details="<b>\\"x\\"\\\\ &amp; ???Set-Cookie: a=b"',
        )
        self.assertIn("&lt;b&gt;&quot;x&quot;\\ &amp;amp; \u00e9", page)
        self.assertNotIn("<b>", page)

    def test_othersAreTheFronts(self) -> None:
        """What may name addresses is not shown."""
        exchange = asked(b"GET / HTTP/1.1", b"Host: a.example")
        error = DNSError("192.0.2.53 says no")
        self.assertEqual(self.replies(exchange, error).body, self.plain(exchange, error).body)
        self.assertNotIn("192.0.2.53", self.reply(error)[1])
