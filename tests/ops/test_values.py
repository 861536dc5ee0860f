# -*- test-case-name: tests.ops.test_values -*-
"""Tests of L{intermediary.ops.values}."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.trial.unittest import SynchronousTestCase

from intermediary.ops import tlsvalues, values
from intermediary.ops.values import Unfit
from intermediary.policy.routing import Route, normalPath
from intermediary.program import Program

if TYPE_CHECKING:
    from collections.abc import Callable


class Case(SynchronousTestCase):
    """Assertions on checks."""

    def assertUnfit(self, check: Callable[[Any], object], value: object, words: str) -> Unfit:
        """The value is refused with words that contain these, and nothing else is raised."""
        error = self.assertRaises(Unfit, check, value)
        assert isinstance(error, Unfit)
        self.assertIn(words, error.message)
        self.assertNotIn("\n", error.message + error.remedy)
        return error


class SizeTests(Case):
    """Sizes in octets."""

    def test_integersAndUnits(self) -> None:
        """Binary and decimal units, with or without a space."""
        for written, meant in (
            (65536, 65536),
            ("65536", 65536),
            ("64KiB", 65536),
            ("64 KiB", 65536),
            ("10MB", 10_000_000),
            ("10MiB", 10 << 20),
            ("1GiB", 1 << 30),
            ("1TB", 10**12),
            ("5B", 5),
        ):
            self.assertEqual(values.octets(written), meant, written)

    def test_whatIsNoSizeIsRefused(self) -> None:
        """Wrong units, signs, fractions, types; nothing below one octet."""
        bad: list[object] = ["", "KiB", "1.5MB", "-1", "10 XB", "10mb", 1.5, True, None, []]
        for written in bad:
            self.assertUnfit(values.octets, written, "is not a size")
        for written in (0, -5, "0"):
            self.assertUnfit(values.octets, written, "at least 1")

    def test_unlimitedIsNone(self) -> None:
        """Only where it makes sense, and the remedy says so."""
        self.assertIsNone(values.octetsOrUnlimited("unlimited"))
        self.assertEqual(values.octetsOrUnlimited("1KiB"), 1024)
        error = self.assertUnfit(values.octetsOrUnlimited, "unlimitd", "is not a size")
        self.assertIn('"unlimited"', error.remedy)


class DurationTests(Case):
    """Times in whole seconds."""

    def test_integersAndUnits(self) -> None:
        """Nothing is a time, too."""
        for written, meant in (
            (0, 0),
            (300, 300),
            ("90s", 90),
            ("5m", 300),
            ("12h", 43200),
            ("180d", 15552000),
            ("2 w", 1209600),
            ("1y", 31536000),
            ("10y", 315360000),
        ):
            self.assertEqual(values.duration(written), meant, written)

    def test_whatIsNoTimeIsRefused(self) -> None:
        """Other units, signs, fractions, types; nor what outlives the machine."""
        bad: list[object] = ["", "1", "m", "1.5h", "-1s", "1 month", 1.5, -1, True, None, []]
        for written in bad:
            self.assertUnfit(values.duration, written, "is not a time")
        for written in ("11y", 315360001):
            self.assertUnfit(values.duration, written, "more than ten years")


class NameTests(Case):
    """Names and pseudonyms."""

    def test_namesAreSafeInLogsAndFields(self) -> None:
        """Letters, digits and a little punctuation."""
        self.assertEqual(values.name("egress-1.a_b"), "egress-1.a_b")
        for bad in ("", "a b", 'a"', "-a", "a\n", "é", "a" * 65):
            self.assertUnfit(values.name, bad, "is not a name")

    def test_fieldsOfAKeyReachTheOrigin(self) -> None:
        """As the client wrote them."""
        for good in ("X-Device", "Accept-Language"):
            self.assertEqual(values.keyField(good), good)
        for bad in ("Host", "TE", "Proxy-Foo", "X-FORWARDED-Host", "Range"):
            self.assertUnfit(values.keyField, bad, "does not reach the origin")
        self.assertUnfit(values.keyField, "Cookie", "is never the same")
        self.assertUnfit(values.keyField, "AUTHORIZATION", "is a secret")
        self.assertUnfit(values.keyField, "a:", "is not the name of a field")
        self.assertUnfit(values.fieldName, "X-*", "is a pattern")

    def test_namesOfCookies(self) -> None:
        """RFC 6265 §4.1.1: tokens."""
        self.assertEqual(values.cookieName("__Host-lang"), "__Host-lang")
        for bad in ("", "a=b", "a;", "a b", "é"):
            self.assertUnfit(values.cookieName, bad, "is not the name of a cookie")
        self.assertUnfit(values.cookieName, "lang*", "is a pattern")

    def test_namesOfQueryParametersAreAsInAURL(self) -> None:
        """Also patterns of them."""
        for good in ("utm_*", "a", "*", "a[0]", "[ab]?", "%C3%A9"):
            self.assertEqual(values.parameterPattern(good), good)
        for bad in ("", "a b", "a&b", "a=b", "é", "a#", "a\n"):
            self.assertUnfit(values.parameterPattern, bad, "is not the name of a query parameter")

    def test_statusesAndClasses(self) -> None:
        """Of those whose responses may be stored."""
        for good in ("200", "404", "599", "2xx", "5xx"):
            self.assertEqual(values.status(good), good)
        for bad in ("", "1xx", "6xx", "100", "999", "5XX", "x", "40", "200 "):
            self.assertUnfit(values.status, bad, "is neither a status nor a class")
        for bad in ("304", "429"):
            self.assertUnfit(values.status, bad, "is never stored")

    def test_namesOfCookiesAreTokens(self) -> None:
        """RFC 6265 §4.1.1; also patterns of them."""
        for good in ("session*", "__Host-a", "*"):
            self.assertEqual(values.cookiePattern(good), good)
        for bad in ("", "a b", "a=b", "a;b", "é", "a\n"):
            self.assertUnfit(values.cookiePattern, bad, "is not the name of a cookie")

    def test_pathsAreInTheFormThatTheyAreComparedIn(self) -> None:
        """A pattern in another would never fit."""
        for good in ("/", "/admin/*", "*.php", "/a/[bc]", "/a%2Fb", "/.*"):
            self.assertEqual(values.pathPattern(good), good)
        for bad in ("", "a", "/a?b", "/a b", "/é", "/a\n", "http://a/"):
            self.assertUnfit(values.pathPattern, bad, "is not a path")
        for bad, meant in (("/%61", "/a"), ("/a/../b", "/b"), ("/a%2fb", "/a%2Fb")):
            error = self.assertUnfit(values.pathPattern, bad, "is not in normal form")
            self.assertIn(f'"{meant}"', error.remedy)

    def test_pseudonymsAreTokens(self) -> None:
        """RFC 9110 §7.6.3: C{received-by} may be a token."""
        self.assertEqual(values.pseudonym("proxy-1.example"), "proxy-1.example")
        for bad in ("", "a b", "a,b", "(a)", "ü", "a\r\n"):
            self.assertUnfit(values.pseudonym, bad, "is not a token")


class ServerURLTests(Case):
    """URLs of an upstream's servers."""

    def test_comeBackInASCIILowerCase(self) -> None:
        """IDNA, IPv6 brackets and a port as given."""
        for written, meant in (
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("HTTP://Example.ORG", "http://example.org"),
            ("http://bücher.example:81", "http://xn--bcher-kva.example:81"),
            ("http://[::1]:9000", "http://[::1]:9000"),
        ):
            self.assertEqual(values.serverURL(written), meant)

    def test_TLS(self) -> None:
        """By their scheme."""
        for written, meant in (
            ("https://127.0.0.1:8443", "https://127.0.0.1:8443"),
            ("HTTPS://Example.ORG", "https://example.org"),
            ("https://[::1]", "https://[::1]"),
        ):
            self.assertEqual(values.serverURL(written), meant)
        error = self.assertUnfit(values.serverURL, "https://h/", "must have no path")
        self.assertIn('"https://h"', error.remedy)

    def test_anythingBesidesHostAndPortIsRefused(self) -> None:
        """The remedy shows the URL without it."""
        for bad in ("http://h/", "http://h/x", "http://h?q", "http://h#f", "http://h?"):
            error = self.assertUnfit(values.serverURL, bad, "must have no path")
            self.assertIn('"http://h"', error.remedy)
        self.assertUnfit(values.serverURL, "http://u:p@h", "user name")

    def test_whatIsNoURLIsRefused(self) -> None:
        """With its own reason each."""
        self.assertUnfit(values.serverURL, "127.0.0.1:80", "is not an http:// or https:// URL")
        self.assertUnfit(values.serverURL, "http://", "names no host")
        self.assertUnfit(values.serverURL, "http://h:99999", "Port out of range")
        self.assertUnfit(values.serverURL, "http://h:0", "no valid port")
        self.assertUnfit(values.serverURL, "http://[::1", "is not a valid URL")
        self.assertUnfit(values.serverURL, "http://a b", "is not a valid host name")

    def test_hostsThatNobodyLooksUp(self) -> None:
        """They look like addresses, or have labels that no name has."""
        for host in ("127.1", "256.1.1.1", "0x7f.1", "2130706433", "1.2.3.4.", "a~b"):
            self.assertUnfit(values.serverURL, f"http://{host}:80", f'"{host}" is n')
        for host in ("a_b.example", "127.0.0.1.example", "example.org."):
            self.assertEqual(values.serverURL(f"http://{host}"), f"http://{host}")


class UpstreamURLTests(Case):
    """URLs of servers of either kind."""

    def test_TCP(self) -> None:
        """A host and a port, and nothing else."""
        for written, meant in (
            ("tcp://10.0.0.5:5432", "tcp://10.0.0.5:5432"),
            ("TCP://DB.example:1", "tcp://db.example:1"),
            ("tcp://[::1]:22", "tcp://[::1]:22"),
            ("https://h", "https://h"),
        ):
            self.assertEqual(values.upstreamURL(written), meant)
        for bad, words in (
            ("tcp://h", "has no port"),
            ("tcp:h:1", "names no host"),
            ("tcp://h:1/x", "must have no path"),
            ("tcp://h:0", "no valid port"),
            ("tcp://u@h:1", "user name"),
        ):
            self.assertIn("tcp://", self.assertUnfit(values.upstreamURL, bad, words).remedy)
        self.assertUnfit(values.upstreamURL, "ftp://h", "is not an http:// or https:// URL")


class ProtocolTests(Case):
    """Names of protocols."""

    def test_whatTheyMayBe(self) -> None:
        """Visible ASCII, and short enough for one octet of length."""
        for good in ("h2", "acme-tls/1", "x" * 255):
            self.assertEqual(tlsvalues.protocol(good), good)
        for bad in ("", "a b", "\u00e4", "x" * 256, "h2\n"):
            self.assertUnfit(tlsvalues.protocol, bad, "is not the name of a protocol")


class TLSTests(Case):
    """What TLS with servers is set up with."""

    def test_files(self) -> None:
        """They need not be there yet."""
        for good in ("ca.pem", "/etc/ssl/a b.pem", "../x"):
            self.assertEqual(tlsvalues.pemFile(good), good)
        for bad in ("", " ", "a\0b", "certs/"):
            self.assertUnfit(tlsvalues.pemFile, bad, "is not the path of a file")

    def test_namesOfServers(self) -> None:
        """A name or an address, as certificates have them."""
        for written, meant in (
            ("Backend.Example", "backend.example"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("2001:DB8::1", "2001:db8::1"),
            ("192.0.2.1", "192.0.2.1"),
        ):
            self.assertEqual(tlsvalues.serverName(written), meant)
        self.assertUnfit(tlsvalues.serverName, "*.example", "is a pattern")
        for bad in ("", "a b", "a:443", "https://a"):
            self.assertUnfit(tlsvalues.serverName, bad, "is not a valid host name")


class AutomaticTests(Case):
    """What certificates are got for, and from whom."""

    def test_names(self) -> None:
        """In ASCII lower case; no wildcards, which need DNS, and no addresses."""
        for text, name in (
            ("A.Example.", "a.example"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("localhost", "localhost"),
        ):
            self.assertEqual(tlsvalues.automaticName(text), name)
            self.assertTrue(tlsvalues.isAutomatic(text))
        for text, message in (
            ("*.example.org", "is a wildcard, which is proved by dns-01 alone"),
            ("192.0.2.1", "is an address"),
            ("::1", "is an address"),
            ("a/b", "is not a valid host name"),
            ("a~b", "is no host name"),
            ("", "is not a valid host name"),
        ):
            self.assertUnfit(tlsvalues.automaticName, text, message)
            self.assertFalse(tlsvalues.isAutomatic(text))

    def test_directories(self) -> None:
        """Two by name, all others by URL, and only by one that nobody reads along."""
        for text, url in (
            ("letsencrypt", "https://acme-v02.api.letsencrypt.org/directory"),
            ("letsencrypt-staging", "https://acme-staging-v02.api.letsencrypt.org/directory"),
            ("https://ca.example:14000/dir", "https://ca.example:14000/dir"),
        ):
            self.assertEqual(tlsvalues.directory(text), url)
        for text in ("lets-encrypt", "http://ca.example/", "https://", "https://u:p@ca.example/"):
            self.assertUnfit(tlsvalues.directory, text, "is not an https:// URL")
        self.assertUnfit(tlsvalues.directory, "https://[", "is not a valid URL")

    def test_addressesToWriteTo(self) -> None:
        """One, that may stand behind C{mailto:}."""
        self.assertEqual(tlsvalues.email("a.b+c@example.org"), "a.b+c@example.org")
        for text in ("a", "a@b", "mailto:a@b.example", "a@b.example,c@d.example", "a@b.example?x"):
            self.assertUnfit(tlsvalues.email, text, "is not an address")


class HostPatternTests(Case):
    """Which hosts a route serves."""

    def test_namesWildcardsAndAddresses(self) -> None:
        """In ASCII lower case, without brackets."""
        for written, meant in (
            ("Example.org", "example.org"),
            ("*.Example.org", "*.example.org"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("192.0.2.1", "192.0.2.1"),
            ("[2001:DB8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
        ):
            self.assertEqual(values.hostPattern(written), meant)

    def test_portsPathsAndOtherWildcardsAreRefused(self) -> None:
        """They would never match."""
        self.assertUnfit(values.hostPattern, "example.org:80", "more than a host")
        self.assertUnfit(values.hostPattern, "http://example.org", "more than a host")
        self.assertUnfit(values.hostPattern, "example.org/x", "more than a host")
        self.assertUnfit(values.hostPattern, "*", "is not a host")
        self.assertUnfit(values.hostPattern, "a.*.org", "wildcard")
        self.assertUnfit(values.hostPattern, "*example.org", "wildcard")
        self.assertUnfit(values.hostPattern, "*.192.0.2.1", "wildcard of an address")
        self.assertUnfit(values.hostPattern, "a b", "is not a valid host name")
        self.assertUnfit(values.hostPattern, "", "is not a valid host name")


class PathTests(Case):
    """Prefixes of routes."""

    def test_asItStandsInARequest(self) -> None:
        """A slash first; no query, no fragment, ASCII."""
        self.assertEqual(values.pathPrefix("/api/"), "/api/")
        self.assertIn('"/api"', self.assertUnfit(values.pathPrefix, "api", "slash").remedy)
        self.assertUnfit(values.pathPrefix, "/a?b", "query")
        self.assertUnfit(values.pathPrefix, "/a#b", "fragment")
        self.assertUnfit(values.pathPrefix, "/ü", "beyond printable ASCII")
        self.assertUnfit(values.pathPrefix, "/a\n", "beyond printable ASCII")

    def test_asRoutingComparesIt(self) -> None:
        """Routing decodes paths and takes dot segments out, so others never match."""
        for text in ("/a b", "/.well-known/", "/a."):
            self.assertEqual(values.pathPrefix(text), text)
        for written, meant in (("/a%20b", "/a b"), ("/a//b", "/a/b"), ("/a/./b/", "/a/b/")):
            error = self.assertUnfit(values.pathPrefix, written, "is never met")
            self.assertIn(f'"{meant}"', error.remedy)
        for written in ("/%C3%BC", "/%ff"):
            self.assertUnfit(values.pathPrefix, written, "beyond printable ASCII")
        self.assertUnfit(values.pathPrefix, "/../a", "is the path of no request")
        self.assertUnfit(values.pathPrefix, "/a%00", "is the path of no request")

    def test_percentSigns(self) -> None:
        """As in a request, encoded; what is no encoding is a mistake."""
        for written, meant in (("/%zz", "/%25zz"), ("/%", "/%25"), ("/a%2", "/a%252")):
            error = self.assertUnfit(values.pathPrefix, written, "broken percent-encoding")
            self.assertIn(f'"{meant}"', error.remedy)
            self.assertEqual(values.pathPrefix(meant), meant)
            route = Route((), meant, Program("web", {}))
            self.assertTrue(route.serves(normalPath(meant.encode())))
        self.assertIn('"/a %25"', self.assertUnfit(values.pathPrefix, "/a%20%25", "never").remedy)


class AccessLogTests(Case):
    """Where the access log goes."""

    def test_filesAndStandardOutput(self) -> None:
        """Whether they can be written is known when they are opened."""
        for text in ("access.log", "/nonexistent/a.log", "-", " "):
            self.assertEqual(values.accessLog(text), text)

    def test_whatIsNoFile(self) -> None:
        """By its name alone."""
        self.assertIn('"-"', self.assertUnfit(values.accessLog, "", "names no file").remedy)
        self.assertUnfit(values.accessLog, "/var/log/", "names a directory")
        self.assertUnfit(values.accessLog, "a\0b", "the name of no file")


class NetworkTests(Case):
    """Networks and exceptions from the guard."""

    def test_addressesAndNetworks(self) -> None:
        """In canonical form."""
        self.assertEqual(values.network("10.0.0.0/8"), "10.0.0.0/8")
        self.assertEqual(values.network("FD00::/8"), "fd00::/8")
        self.assertEqual(values.network("192.0.2.7"), "192.0.2.7")

    def test_bitsBeyondThePrefixAreRefused(self) -> None:
        """The remedy shows the network that was probably meant."""
        error = self.assertUnfit(values.network, "10.1.2.3/8", "bits set")
        self.assertIn('"10.0.0.0/8"', error.remedy)

    def test_namesAreNoNetworks(self) -> None:
        """Nor are half addresses."""
        for bad in ("example.org", "10.0.0", "10.0.0.0/99", ""):
            self.assertUnfit(values.network, bad, "neither an address nor a network")

    def test_destinationsMayBeNamesToo(self) -> None:
        """Networks, addresses, hosts and wildcards."""
        for text in ("10.0.0.0/8", "::1", "build.example.org", "*.example.org"):
            self.assertEqual(values.destination(text), text)
        self.assertUnfit(values.destination, "10.0.0.1/8", "bits set")
        self.assertUnfit(values.destination, "example.org:80", "more than a host")
        for text in ("10.1", "0x7f.1", "1.2.3.4.", "~x.org"):
            self.assertRaises(values.Unfit, values.destination, text)

    def test_whoIsIntercepted(self) -> None:
        """The same, in other words."""
        for text in ("10.0.0.0/8", "::1", "bank.example", "*.bank.example"):
            self.assertEqual(values.intercepted(text), text)
        self.assertUnfit(values.intercepted, "a.example:443", "more than a host")
        self.assertUnfit(values.intercepted, "10.1", "is the name of no destination")
