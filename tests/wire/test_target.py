# -*- test-case-name: tests.wire.test_target -*-
"""
L{intermediary.wire.target}: request targets and authorities.
"""

from __future__ import annotations

import contextlib

from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import WireError
from intermediary.wire import target as module
from intermediary.wire.target import (
    Target,
    checkForm,
    hostToASCII,
    parseAbsolute,
    parseAuthority,
    readAbsolute,
)


class AuthorityTests(SynchronousTestCase):
    """L{parseAuthority}: RFC 9110 §7.2, RFC 3986 §3.2."""

    def test_taken(self) -> None:
        """Hosts become lower case and lose brackets; a port is optional."""
        for octets, expected in [
            (b"Example.ORG", ("example.org", None)),
            (b"example.org:8080", ("example.org", 8080)),
            (b"example.org.", ("example.org.", None)),
            (b"example.org:", ("example.org", None)),
            (b"a_b-c.d~", ("a_b-c.d~", None)),
            (b"192.0.2.1:1", ("192.0.2.1", 1)),
            (b"[2001:DB8::1]", ("2001:db8::1", None)),
            (b"[::1]:65535", ("::1", 65535)),
            (b"[::ffff:192.0.2.1]:80", ("::ffff:192.0.2.1", 80)),
            (b"a" * 63, ("a" * 63, None)),
            (b"a:00080", ("a", 80)),
        ]:
            self.assertEqual(parseAuthority(octets), expected)

    def test_refused(self) -> None:
        """What has two readings, or none, is refused with a 400."""
        for octets in [
            b"",
            b":80",
            b".",
            b".a",
            b"a..b",
            b"a" * 64,
            b"a." * 127 + b"a",
            b"u@a",
            b"u:p@a:80",
            b"a:0",
            b"a:65536",
            b"a:123456",
            b"a:+80",
            b"a:8 0",
            b"a:80:80",
            b"a b",
            b"a,b",
            b"a/b",
            b"a?b",
            b"a#b",
            b"a\\b",
            b"%61",
            b"a%00b",
            b"\xe4",
            b"xn--\xff",
            b"a\x00",
            b"a\r\n",
            b"[::1",
            b"::1",
            b"[]",
            b"[:::]",
            b"[1::2::3]",
            b"[::1%25eth0]",
            b"[::1%eth0]",
            b"[v1.a]",
            b"[192.0.2.1]",
            b"[::1]a",
            b"a[::1]",
            b"[::1]80",
        ]:
            error = self.assertRaises(WireError, parseAuthority, octets)
            self.assertEqual(error.status, 400, octets)

    def test_portMayBeRequired(self) -> None:
        """C{CONNECT} has no default port (RFC 9110 §9.3.6)."""
        self.assertEqual(parseAuthority(b"a:443", portRequired=True), ("a", 443))
        for octets in (b"a", b"a:", b"[::1]"):
            self.assertRaises(WireError, parseAuthority, octets, portRequired=True)

    def test_detailsTellWhatIsWrong(self) -> None:
        """The usual mistakes are told apart."""
        for octets, detail in [
            (b"", "empty host"),
            (b"u@a", "user information in an authority"),
            (b"%61", "percent-encoding in a host"),
            (b"\xe4", "non-ASCII octets in a host"),
            (b"a b", "invalid authority"),
            (b"[1::2::3]", "invalid IPv6 literal"),
            (b"a:0", "port out of range"),
        ]:
            self.assertEqual(self.assertRaises(WireError, parseAuthority, octets).detail, detail)


class AbsoluteTests(SynchronousTestCase):
    """L{parseAbsolute}: RFC 9112 §3.2.2."""

    def test_parts(self) -> None:
        """Scheme and host in lower case, the rest as it came."""
        self.assertEqual(
            parseAbsolute(b"HTTP://Example.org:8080/A?b=C"),
            Target("http", "example.org", 8080, b"/A?b=C", b"Example.org:8080"),
        )

    def test_defaultPorts(self) -> None:
        """Those of the two schemes (RFC 9110 §4.2)."""
        self.assertEqual(parseAbsolute(b"http://a/").port, 80)
        self.assertEqual(parseAbsolute(b"https://a/").port, 443)
        self.assertEqual(parseAbsolute(b"http://a:/").port, 80)

    def test_emptyPathIsASlash(self) -> None:
        """RFC 9112 §3.2.1; a query stays."""
        self.assertEqual(parseAbsolute(b"http://a").path, b"/")
        self.assertEqual(parseAbsolute(b"http://a?b").path, b"/?b")

    def test_emptyPathOfOptionsIsAnAsterisk(self) -> None:
        """RFC 9112 §3.2.4."""
        self.assertEqual(parseAbsolute(b"http://a", b"OPTIONS").path, b"*")
        self.assertEqual(parseAbsolute(b"http://a/", b"OPTIONS").path, b"/")
        self.assertEqual(parseAbsolute(b"http://a?b", b"OPTIONS").path, b"/?b")

    def test_pathsAreNotTouched(self) -> None:
        """Only the origin knows what dots, escapes and odd characters mean."""
        for path in [b"/../a", b"//a", b"/%2e%2E/%00", b"/a;b=c", b"/\"<>\\^`{|}'", b"/?"]:
            self.assertEqual(parseAbsolute(b"http://a" + path).path, path)

    def test_knownAuthorities(self) -> None:
        """A request's target is read the same the second time, and so is what is like it."""
        for target in [
            b"http://a/",
            b"http://a",
            b"http://a?b/c",
            b"http://a//b?c/d",
            b"http://A/b",
            b"http://a:81/b",
            b"http://[::1]/b",
            b"https://a/b",
            b"HTTP://a/b",
        ]:
            for _ in range(2):
                self.assertEqual(readAbsolute(target, b"GET"), parseAbsolute(target), target)
        self.assertEqual(readAbsolute(b"http://a", b"OPTIONS").path, b"*")
        for target in [b"http:///b", b"http://b@a/", b"http://a?/", b"ftp://a/", b"http://a:0/"]:
            for _ in range(2):
                with contextlib.suppress(WireError):
                    expected = parseAbsolute(target)
                    self.assertEqual(readAbsolute(target, b"GET"), expected)
                    continue
                self.assertRaises(WireError, readAbsolute, target, b"GET")

    def test_knownAuthoritiesAreBounded(self) -> None:
        """However many hosts clients think of."""
        for number in range(3000):
            readAbsolute(b"http://a%d.example/" % number, b"GET")
        self.assertLessEqual(len(module._authorities), 1024)

    def test_literals(self) -> None:
        """IPv6 addresses stand in brackets."""
        self.assertEqual(
            parseAbsolute(b"http://[::1]:81/"), Target("http", "::1", 81, b"/", b"[::1]:81")
        )

    def test_refused(self) -> None:
        """Everything else is a 400."""
        for target in [
            b"",
            b"/",
            b"*",
            b"a.example",
            b"a.example:80",
            b"//a/",
            b"http:/a/",
            b"http:a",
            b"http://",
            b"http:///a",
            b"http://:80/",
            b"http://u@a/",
            b"http://u:p@a/",
            b"http://a@b@c/",
            b"http://a\\@b/",
            b"http://a#b",
            b"http://a/#b",
            b"http://a/ b",
            b"http://a/\x00",
            b"http://a/\xe4",
            b"http://\xe4/",
            b"http://a%2eb/",
            b"http://a:b/",
            b"http://a:99999/",
            b"http://[::1/",
            b"ftp://a/",
            b"ws://a/",
            b"file:///etc",
            b"1http://a/",
            b" http://a/",
        ]:
            error = self.assertRaises(WireError, parseAbsolute, target)
            self.assertEqual(error.status, 400, target)


class FormTests(SynchronousTestCase):
    """L{checkForm}: the four forms of RFC 9112 §3.2."""

    def test_taken(self) -> None:
        """Each form with a method that may have it."""
        for method, target in [
            (b"GET", b"/"),
            (b"GET", b"http://a/"),
            (b"OPTIONS", b"*"),
            (b"OPTIONS", b"/"),
            (b"CONNECT", b"a:443"),
            (b"CONNECT", b"[::1]:443"),
        ]:
            checkForm(method, target)

    def test_refused(self) -> None:
        """Forms that a method may not have, and what is none of them."""
        for method, target in [
            (b"GET", b"*"),
            (b"GET", b"a"),
            (b"GET", b"?a"),
            (b"OPTIONS", b"**"),
            (b"CONNECT", b"/"),
            (b"CONNECT", b"*"),
            (b"CONNECT", b"a"),
            (b"CONNECT", b"http://a:80"),
            (b"CONNECT", b"a:443/"),
        ]:
            self.assertEqual(self.assertRaises(WireError, checkForm, method, target).status, 400)

    def test_whatIsRememberedIsJudgedAlike(self) -> None:
        """A destination of C{CONNECT} is valid or not, however often and however many come."""
        for _ in range(3):
            for number in range(1, 2000):
                checkForm(b"CONNECT", b"host:%d" % number)
            for target in (b"host", b"host:0", b"host:65536"):
                self.assertRaises(WireError, checkForm, b"CONNECT", target)
                self.assertRaises(WireError, checkForm, b"GET", target.replace(b":", b"/"))


class ConfiguredNameTests(SynchronousTestCase):
    """L{hostToASCII}."""

    def test_ascii(self) -> None:
        """Plain names become lower case."""
        self.assertEqual(hostToASCII("Example.ORG"), "example.org")
        self.assertEqual(hostToASCII("my_host"), "my_host")
        self.assertEqual(hostToASCII("192.0.2.1"), "192.0.2.1")

    def test_international(self) -> None:
        """UTS 46, IDNA 2008: as browsers put it on the wire."""
        self.assertEqual(hostToASCII("Bücher.example"), "xn--bcher-kva.example")
        self.assertEqual(hostToASCII("faß.de"), "xn--fa-hia.de")
        self.assertEqual(hostToASCII("例え。jp"), "xn--r8jz45g.jp")

    def test_literals(self) -> None:
        """With brackets or without."""
        self.assertEqual(hostToASCII("::1"), "::1")
        self.assertEqual(hostToASCII("[2001:DB8::1]"), "2001:db8::1")

    def test_refused(self) -> None:
        """What no host is called, and ports."""
        for name in ["", "a b", "a..b", "a:80", "a:", "ü" * 70, "\u2024", "a/b", "u@a", "[::g]"]:
            self.assertRaises(ValueError, hostToASCII, name)
