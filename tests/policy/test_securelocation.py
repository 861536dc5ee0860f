# -*- test-case-name: tests.policy.test_securelocation -*-
"""
L{intermediary.policy.securelocation}: the same place, with TLS, and no other.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import MethodNotAllowed, Misdirected, WireError
from intermediary.policy.securelocation import SecureLocation
from intermediary.wire.fields import VCHAR
from intermediary.wire.message import RequestHead

from .exchanges import asked, exchangeOf, head

OURS = ("a.example", "192.0.2.1", "2001:db8::1")

#: What a request's target may be made of.
TARGET_OCTETS = "".join(map(chr, (*range(0x21, 0x23), *range(0x24, 0x7F))))


class SecureLocationTests(SynchronousTestCase):
    """L{SecureLocation}."""

    def redirected(
        self,
        target: bytes = b"/",
        host: bytes = b"a.example",
        method: bytes = b"GET",
        port: int = 443,
    ) -> bytes:
        """Where a request is sent."""
        exchange = asked(b"%b %b HTTP/1.1" % (method, target), b"Host: " + host)
        reply = SecureLocation(OURS.__contains__, port, 308).redirect(exchange)
        self.assertEqual((reply.status, reply.body), (308, b""))
        [(name, location)] = reply.fields
        self.assertEqual(name, b"Location")
        return location

    def test_theSameHostAndTarget(self) -> None:
        """As the client wrote the target, whatever the method."""
        for method in (b"GET", b"HEAD", b"POST", b"OPTIONS", b"BREW"):
            self.assertEqual(
                self.redirected(b"/a%2Fb/../c?d=e&f", method=method),
                b"https://a.example/a%2Fb/../c?d=e&f",
            )

    def test_theStatusIsTheSettings(self) -> None:
        """It need not be 308."""
        location = SecureLocation(OURS.__contains__, 443, 301)
        self.assertEqual(
            location.redirect(asked(b"GET / HTTP/1.0", b"Host: a.example")).status, 301
        )

    def test_whatIsPermanentHasItsTime(self) -> None:
        """As what clients are told of TLS; others are not kept, unless somebody said so."""
        for status, seconds, fields in (
            (308, 300, [(b"Cache-Control", b"max-age=300")]),
            (301, 300, [(b"Cache-Control", b"max-age=300")]),
            (302, 300, []),
            (307, 300, []),
            (308, 0, []),
        ):
            location = SecureLocation(OURS.__contains__, 443, status, seconds)
            reply = location.redirect(asked(b"GET / HTTP/1.1", b"Host: a.example"))
            self.assertEqual(list(reply.fields)[1:], fields)

    def test_thePortIsThatOfTheFront(self) -> None:
        """That of the request is where there is no TLS; that of https need not be said."""
        for host in (b"a.example", b"a.example:80", b"a.example:8080", b"a.example:"):
            self.assertEqual(self.redirected(host=host), b"https://a.example/")
            self.assertEqual(self.redirected(host=host, port=8443), b"https://a.example:8443/")

    def test_aHostIsSpelledInOneWay(self) -> None:
        """Lower case, no root, addresses as RFC 5952 has them."""
        for spelled, host in (
            (b"A.Example", b"a.example"),
            (b"a.example.:80", b"a.example"),
            (b"192.0.2.1", b"192.0.2.1"),
            (b"[2001:DB8:0:0::1]", b"[2001:db8::1]"),
            (b"[2001:db8::1]:8080", b"[2001:db8::1]"),
        ):
            self.assertEqual(self.redirected(host=spelled), b"https://%b/" % host)
            self.assertEqual(self.redirected(host=spelled, port=8443), b"https://%b:8443/" % host)

    def test_othersHostsAreNotRedirectedTo(self) -> None:
        """Whoever forges C{Host} sends nobody anywhere."""
        for host in (
            b"evil.example",
            b"a.example.evil.example",
            b"xa.example",
            b"192.0.2.10",
            b"[2001:db8::2]",
        ):
            self.assertRaises(Misdirected, self.redirected, host=host)
            self.assertRaises(Misdirected, self.redirected, b"http://%b/" % host)

    def test_aPathIsAPath(self) -> None:
        """What would be an authority or a scheme at the beginning is none behind them."""
        for target in (
            b"//evil.example/x",
            b"///evil.example",
            b"/\\evil.example",
            b"/@evil.example",
        ):
            location = self.redirected(target)
            self.assertEqual(location, b"https://a.example" + target)
            parts = urlsplit(location.decode("ascii"))
            self.assertEqual((parts.scheme, parts.netloc), ("https", "a.example"))

    def test_anAbsoluteTargetCounts(self) -> None:
        """RFC 9112 §3.2.2: more than C{Host}, and whatever its scheme."""
        for target in (b"http://a.example:8080/x?y", b"https://A.example/x?y"):
            self.assertEqual(
                self.redirected(target, host=b"evil.example"), b"https://a.example/x?y"
            )
        self.assertEqual(self.redirected(b"http://a.example?y"), b"https://a.example/?y")
        for target in (b"ftp://a.example/", b"http://u@a.example/", b"javascript:alert(1)"):
            self.assertRaises(WireError, self.redirected, target)

    def test_aServerAsAWhole(self) -> None:
        """RFC 9112 §3.2.4: C{OPTIONS *} is about the URI without a path, in both forms."""
        self.assertEqual(self.redirected(b"*", method=b"OPTIONS"), b"https://a.example")
        self.assertEqual(
            self.redirected(b"http://a.example", method=b"OPTIONS"), b"https://a.example"
        )

    def test_tunnelsAndTracesAreRefused(self) -> None:
        """As the front itself does."""
        self.assertRaises(MethodNotAllowed, self.redirected, b"a.example:443", method=b"CONNECT")
        self.assertRaises(MethodNotAllowed, self.redirected, method=b"TRACE")

    def test_withoutAHostThereIsNoPlace(self) -> None:
        """Which HTTP/1.0 has requests do."""
        location = SecureLocation(lambda host: True, 443, 308)
        self.assertRaises(Misdirected, location.redirect, asked(b"GET / HTTP/1.0"))

    @given(st.text(TARGET_OCTETS, max_size=30))
    def test_anyTargetStaysOnTheHost(self, rest: str) -> None:
        """Whatever the reader lets through: one line, one host."""
        location = self.redirected(b"/" + rest.encode("ascii"))
        self.assertTrue(location.startswith(b"https://a.example/"))
        self.assertNotIn(b"\r", location)
        self.assertNotIn(b"\n", location)
        self.assertEqual(urlsplit(location.decode("ascii")).hostname, "a.example")

    def test_whatNoReaderLetsThroughIsNoFieldEither(self) -> None:
        """A target with the end of a line in it, had there been one, would be refused."""
        self.assertNotIn(b"\r", VCHAR)
        request = head(b"GET / HTTP/1.1", b"Host: a.example")
        forged = RequestHead(
            request.method,
            b"/\r\nSet-Cookie: a=b",
            11,
            request.fields,
            host=request.host,
        )
        location = SecureLocation(OURS.__contains__, 443, 308)
        self.assertRaises(ValueError, location.redirect, exchangeOf(forged))
