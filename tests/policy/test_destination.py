# -*- test-case-name: tests.policy.test_destination -*-
"""
Where requests of a forward front go.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import IntermediaryError, RequestInvalid, WireError
from intermediary.interfaces import Origin
from intermediary.policy.access import ConnectPorts, DestinationGuard
from intermediary.policy.destination import REMEMBERED, Destinations, statusPage
from intermediary.program import Program

from .exchanges import asked


class DestinationTestCase(SynchronousTestCase):
    """Asks where to."""

    def setUp(self) -> None:
        self.guard = DestinationGuard()
        self.fetch, self.tunnel, self.itself = (
            Program(name, {}) for name in ("fetch", "tunnel", "itself")
        )
        self.destinations = Destinations(
            self.fetch,
            self.tunnel,
            self.itself,
            self.guard,
            ConnectPorts((443, 80), self.guard),
        )

    def origin(self, *lines: bytes) -> Origin:
        """Where an absolute-form request goes."""
        exchange = asked(*lines)
        self.assertIs(self.destinations(exchange), self.fetch)
        assert exchange.origin is not None
        return exchange.origin

    def to(self, target: bytes) -> Origin:
        """Where a GET of a target goes."""
        return self.origin(b"GET %b HTTP/1.1" % target, b"Host: ignored.example")

    def refused(self, *lines: bytes) -> IntermediaryError:
        """What a request is refused with, by the reader or here; it must get no origin."""
        try:
            exchange = asked(*lines)
        except WireError as error:
            return error
        refusal = self.assertRaises(IntermediaryError, self.destinations, exchange)
        assert isinstance(refusal, IntermediaryError)
        self.assertIsNone(exchange.origin)
        return refusal


class AbsoluteFormTests(DestinationTestCase):
    """Requests for the proxy to forward (RFC 9112 §3.2.2)."""

    def test_theTargetSaysWhere(self) -> None:
        """Host and port; the field is ignored."""
        for target, host, port in (
            (b"http://a.example/", "a.example", 80),
            (b"http://a.example", "a.example", 80),
            (b"http://A.Example:8080/x?y", "a.example", 8080),
            (b"HTTP://a.example:/x", "a.example", 80),
            (b"http://192.0.2.1/", "192.0.2.1", 80),
            (b"http://[2001:DB8::1]/", "2001:db8::1", 80),
            (b"http://[2001:db8::1]:8080/", "2001:db8::1", 8080),
            (b"http://xn--bcher-kva.example/", "xn--bcher-kva.example", 80),
        ):
            origin = self.to(target)
            self.assertEqual((origin.scheme, origin.host, origin.port), ("http", host, port))

    def test_theTargetIsKept(self) -> None:
        """The engine forwards its path and its authority."""
        exchange = asked(b"GET http://a.example:81/x?y HTTP/1.1", b"Host: b.example")
        self.destinations(exchange)
        assert exchange.target is not None
        self.assertEqual(exchange.target.path, b"/x?y")
        self.assertEqual(exchange.target.authority, b"a.example:81")

    def test_optionsWithoutAPathIsForTheServer(self) -> None:
        """It is forwarded as C{*} (RFC 9112 §3.2.4)."""
        exchange = asked(b"OPTIONS http://a.example HTTP/1.1", b"Host: a.example")
        self.assertIs(self.destinations(exchange), self.fetch)
        assert exchange.target is not None
        self.assertEqual(exchange.target.path, b"*")

    def test_theGuardIsPartOfTheOrigin(self) -> None:
        """No connection that another guard let pass is a way round this one."""
        self.assertIs(self.to(b"http://a.example/").guard, self.guard)
        free = Destinations(self.fetch, self.tunnel, self.itself, None, ConnectPorts((443,)))
        exchange = asked(b"GET http://a.example/ HTTP/1.1", b"Host: a")
        free(exchange)
        assert exchange.origin is not None
        self.assertIsNone(exchange.origin.guard)
        self.assertNotEqual(exchange.origin, self.to(b"http://a.example/"))

    def test_theSameAuthorityIsTheSameOrigin(self) -> None:
        """Looked up, not made again."""
        self.assertIs(self.to(b"http://a.example/x"), self.to(b"http://a.example/y"))
        self.assertEqual(self.to(b"http://A.example/"), self.to(b"http://a.example:80/"))

    def test_httpsHasAnOriginOfItsOwn(self) -> None:
        """With TLS and the guard, and remembered apart from that of http."""
        tls: Any = object()
        ports = ConnectPorts((443,))
        both = Destinations(self.fetch, self.tunnel, self.itself, self.guard, ports, tls)
        origins = []
        for target in (
            b"https://a.example/x",
            b"https://a.example/y",
            b"http://a.example/",
            b"HTTPS://a.example:8443/",
        ):
            exchange = asked(b"GET %b HTTP/1.1" % target, b"Host: a.example")
            self.assertIs(both(exchange), self.fetch)
            assert exchange.target is not None
            origins.append(exchange.origin)
        self.assertEqual(origins[0], Origin("https", "a.example", 443, tls, guard=self.guard))
        self.assertIs(origins[1], origins[0])
        self.assertEqual(origins[2], Origin("http", "a.example", 80, guard=self.guard))
        self.assertEqual(origins[3], Origin("https", "a.example", 8443, tls, guard=self.guard))

    def test_httpsIsForConnect(self) -> None:
        """Where there is no TLS."""
        for target in (b"https://a.example/", b"HTTPS://a.example:443/"):
            error = self.refused(b"GET %b HTTP/1.1" % target, b"Host: a.example")
            self.assertIsInstance(error, RequestInvalid)
            self.assertEqual(error.status, 400)

    def test_aRefusedSchemeLeavesNothingBehind(self) -> None:
        """An origin that is remembered is of http alone, with the port of http."""
        self.refused(b"GET https://a.example/ HTTP/1.1", b"Host: a.example")
        self.assertEqual(self.to(b"http://a.example/").port, 80)
        self.assertEqual(self.to(b"http://a.example/").scheme, "http")

    def test_otherSchemesAreRefused(self) -> None:
        """400."""
        for target in (b"ftp://a.example/", b"file:///x", b"gopher://a/", b"ws://a/", b"http:x"):
            self.assertEqual(self.refused(b"GET %b HTTP/1.1" % target, b"Host: a").status, 400)

    def test_targetsWithTwoReadingsAreRefused(self) -> None:
        """User information, fragments, encoded hosts, bad ports and literals."""
        for target in (
            b"http://user@a.example/",
            b"http://user:pass@a.example/",
            b"http://a.example@evil.example/",
            b"http://a.example#@evil.example/",
            b"http://a.example/#x",
            b"http://a%2eexample/",
            b"http://a.example:0/",
            b"http://a.example:65536/",
            b"http://a.example:80x/",
            b"http://a.example:-1/",
            b"http:///x",
            b"http://:80/",
            b"http://[::1/",
            b"http://[::g]/",
            b"http://[fe80::1%25eth0]/",
            b"http://a\\.example/",
        ):
            self.assertEqual(
                self.refused(b"GET %b HTTP/1.1" % target, b"Host: a").status, 400, target
            )

    def test_whatIsRememberedIsBounded(self) -> None:
        """However many authorities there are."""
        for number in range(2 * REMEMBERED + 9):
            self.to(b"http://n%d.example/" % number)
            self.assertLessEqual(len(self.destinations._origins), REMEMBERED)


class ConnectTests(DestinationTestCase):
    """Requests for a tunnel (RFC 9110 §9.3.6)."""

    def tunnelTo(self, target: bytes) -> Origin:
        """Where a tunnel goes."""
        exchange = asked(b"CONNECT %b HTTP/1.1" % target, b"Host: %b" % target)
        self.assertIs(self.destinations(exchange), self.tunnel)
        assert exchange.origin is not None
        return exchange.origin

    def test_theTargetSaysWhere(self) -> None:
        """Host and port."""
        for target, host, port in (
            (b"a.example:443", "a.example", 443),
            (b"A.EXAMPLE:443", "a.example", 443),
            (b"192.0.2.1:80", "192.0.2.1", 80),
            (b"[2001:db8::1]:443", "2001:db8::1", 443),
        ):
            origin = self.tunnelTo(target)
            self.assertEqual((origin.scheme, origin.host, origin.port), ("tunnel", host, port))

    def test_aTunnelIsNoConnectionForRequests(self) -> None:
        """Its origin is never equal to one of http."""
        self.assertNotEqual(self.tunnelTo(b"a.example:80"), self.to(b"http://a.example/"))

    def test_theGuardDependsOnThePort(self) -> None:
        """The front's for ports that are allowed, a stricter one for the others."""
        self.assertIs(self.tunnelTo(b"a.example:443").guard, self.guard)
        self.assertIs(self.tunnelTo(b"a.example:80").guard, self.guard)
        strict = self.tunnelTo(b"a.example:25").guard
        self.assertIsNotNone(strict.prohibits("a.example", "8.8.8.8"))
        # This front is guarded: loopback is for nobody.
        self.assertIsNotNone(strict.prohibits("a.example", "127.0.0.1"))

    def test_withoutAGuardOtherPortsAreForLoopback(self) -> None:
        """Allowed ports go anywhere, the others nowhere else."""
        free = Destinations(self.fetch, self.tunnel, self.itself, None, ConnectPorts((443,)))
        exchange = asked(b"CONNECT a.example:443 HTTP/1.1", b"Host: a")
        free(exchange)
        assert exchange.origin is not None
        self.assertIsNone(exchange.origin.guard)
        exchange = asked(b"CONNECT a.example:25 HTTP/1.1", b"Host: a")
        free(exchange)
        assert exchange.origin is not None
        self.assertIsNone(exchange.origin.guard.prohibits("a.example", "127.0.0.1"))
        self.assertIsNotNone(exchange.origin.guard.prohibits("a.example", "192.0.2.1"))

    def test_aTunnelNeedsAHostAndAPort(self) -> None:
        """400 for all that is not authority-form (RFC 9112 §3.2.3)."""
        for target in (
            b"a.example",
            b"a.example:",
            b"a.example:0",
            b"a.example:65536",
            b"a.example:https",
            b":443",
            b"user@a.example:443",
            b"a.example:443/",
            b"a.example:443?x",
            b"a%2eexample:443",
            b"2001:db8::1:443",
            b"[2001:db8::1]",
            b"[2001:db8::1]443",
            b"a.example:443:443",
            b"a.example,b.example:443",
        ):
            error = self.refused(b"CONNECT %b HTTP/1.1" % target, b"Host: a.example")
            self.assertEqual(error.status, 400, target)

    def test_theSameTargetIsTheSameOrigin(self) -> None:
        """Remembered, up to a number, and apart from those of http."""
        self.assertIs(self.tunnelTo(b"a.example:80"), self.tunnelTo(b"a.example:80"))
        self.assertEqual(self.to(b"http://a.example:80/").scheme, "http")
        self.assertEqual(self.tunnelTo(b"a.example:80").scheme, "tunnel")
        for number in range(2 * REMEMBERED + 9):
            self.tunnelTo(b"n%d.example:443" % number)
            self.assertLessEqual(len(self.destinations._tunnels), REMEMBERED)

    def test_aTargetThatIsRefusedIsNotRemembered(self) -> None:
        """It is refused again."""
        for _ in range(2):
            self.assertEqual(self.refused(b"CONNECT a.example: HTTP/1.1", b"Host: a").status, 400)
        self.assertEqual(self.destinations._tunnels, {})


class ItselfTests(DestinationTestCase):
    """Requests to the proxy itself."""

    def test_originFormIsForUs(self) -> None:
        """And C{OPTIONS *}."""
        for lines in (
            (b"GET / HTTP/1.1", b"Host: a.example"),
            (b"GET /x HTTP/1.1", b"Host: a.example"),
            (b"POST / HTTP/1.0",),
            (b"OPTIONS * HTTP/1.1", b"Host: a.example"),
        ):
            exchange = asked(*lines)
            self.assertIs(self.destinations(exchange), self.itself)
            self.assertIsNone(exchange.origin)
            self.assertIsNone(exchange.target)

    def test_theRootIsAStatusPage(self) -> None:
        """For GET and HEAD."""
        for method in (b"GET", b"HEAD"):
            reply = statusPage(asked(b"%b / HTTP/1.1" % method, b"Host: a.example"))
            self.assertEqual(reply.status, 200)
            self.assertEqual(reply.fields.get(b"content-type"), b"text/html; charset=utf-8")
            self.assertEqual(reply.fields.get(b"cache-control"), b"no-store")
            assert reply.body is not None
            self.assertEqual(reply.framing, len(reply.body))
            self.assertIn(b"forward proxy", reply.body)

    def test_thePageIsTheSameForEverybody(self) -> None:
        """It tells nothing of us, and echoes nothing of the client."""
        one = statusPage(asked(b"GET / HTTP/1.1", b"Host: a.example"))
        two = statusPage(asked(b"GET / HTTP/1.1", b"Host: b.example", b"X-Y: z"))
        self.assertEqual(one.body, two.body)
        self.assertEqual(one.fields, two.fields)

    def test_anythingElseIsA400(self) -> None:
        """Most likely a client that takes a proxy for a web server."""
        for lines in (
            (b"GET /x HTTP/1.1", b"Host: a.example"),
            (b"GET /?x HTTP/1.1", b"Host: a.example"),
            (b"GET //a.example/ HTTP/1.1", b"Host: a.example"),
            (b"POST / HTTP/1.1", b"Host: a.example"),
            (b"TRACE / HTTP/1.1", b"Host: a.example"),
            (b"OPTIONS * HTTP/1.1", b"Host: a.example"),
        ):
            error = self.assertRaises(RequestInvalid, statusPage, asked(*lines))
            assert isinstance(error, RequestInvalid)
            self.assertNotIsInstance(error, WireError)
            self.assertEqual(error.status, 400)
