# -*- test-case-name: tests.policy.test_routing -*-
"""
Which route serves a request.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import IntermediaryError, MethodNotAllowed, Misdirected, RequestInvalid
from intermediary.policy.routing import REMEMBERED, REMEMBERED_OCTETS, Route, RouteTable, normalPath
from intermediary.program import Program

from .exchanges import asked

if TYPE_CHECKING:
    from intermediary.exchange import Exchange


def route(name: str, *hosts: str, path: str = "/") -> Route:
    """A route to a program of a name."""
    return Route(hosts, path, Program(name, {}))


class RoutingTestCase(SynchronousTestCase):
    """Asks a table."""

    def served(self, table: RouteTable, host: bytes | None, target: bytes = b"/") -> str:
        """The name of the program that serves GET of a target."""
        lines = [b"GET %b HTTP/1.%d" % (target, 0 if host is None else 1)]
        if host is not None:
            lines.append(b"Host: " + host)
        return table(asked(*lines)).name

    def refused(self, table: RouteTable, *lines: bytes) -> IntermediaryError:
        """What a request is refused with."""
        return self.failed(table, asked(*lines))

    def failed(self, table: RouteTable, exchange: Exchange) -> IntermediaryError:
        """What an exchange is refused with."""
        error = self.assertRaises(IntermediaryError, table, exchange)
        assert isinstance(error, IntermediaryError)
        return error


class HostTests(RoutingTestCase):
    """Routes by host: the most specific first."""

    def setUp(self) -> None:
        # The order in which they are written must not matter.
        self.table = RouteTable(
            [
                route("any"),
                route("wide", "*.example.org"),
                route("exact", "www.example.org", "other.example"),
                route("narrow", "*.eu.example.org"),
                route("six", "2001:db8::1"),
                route("four", "192.0.2.1"),
            ]
        )

    def test_anExactNameComesFirst(self) -> None:
        """Before the wildcard that it fits as well."""
        self.assertEqual(self.served(self.table, b"www.example.org"), "exact")
        self.assertEqual(self.served(self.table, b"other.example"), "exact")

    def test_theLongestWildcardComesNext(self) -> None:
        """Whatever the number of labels it stands for."""
        self.assertEqual(self.served(self.table, b"a.example.org"), "wide")
        self.assertEqual(self.served(self.table, b"a.b.c.example.org"), "wide")
        self.assertEqual(self.served(self.table, b"a.eu.example.org"), "narrow")
        self.assertEqual(self.served(self.table, b"a.b.eu.example.org"), "narrow")
        self.assertEqual(self.served(self.table, b"eu.example.org"), "wide")

    def test_aWildcardIsForWhatIsBelow(self) -> None:
        """Not for the suffix itself, nor for what only ends in its letters."""
        for host in (
            b"example.org",
            b"badexample.org",
            b"example.org.evil.example",
            b"-example.org",
        ):
            self.assertEqual(self.served(self.table, host), "any", host)

    def test_thePortDoesNotMatter(self) -> None:
        """RFC 9110 §7.2: Host may carry one."""
        for port in (b":80", b":8000", b":"):
            self.assertEqual(self.served(self.table, b"www.example.org" + port), "exact")
            self.assertEqual(self.served(self.table, b"a.example.org" + port), "wide")

    def test_caseDoesNotMatter(self) -> None:
        """RFC 9110 §4.2.3: neither in the request nor in the configuration."""
        self.assertEqual(self.served(self.table, b"WWW.Example.ORG"), "exact")
        self.assertEqual(self.served(self.table, b"A.EU.EXAMPLE.org:1"), "narrow")
        table = RouteTable([route("any"), route("loud", "LOUD.Example", "*.VERY.example")])
        self.assertEqual(self.served(table, b"loud.example"), "loud")
        self.assertEqual(self.served(table, b"so.very.example"), "loud")

    def test_theDotAtTheEndDoesNotMatter(self) -> None:
        """The root of the DNS may be spelled or not, in requests and configurations."""
        self.assertEqual(self.served(self.table, b"www.example.org."), "exact")
        self.assertEqual(self.served(self.table, b"www.example.org.:80"), "exact")
        self.assertEqual(self.served(self.table, b"a.eu.example.org."), "narrow")
        table = RouteTable([route("any"), route("dot", "dot.example.", "*.dotted.example.")])
        self.assertEqual(self.served(table, b"dot.example"), "dot")
        self.assertEqual(self.served(table, b"dot.example."), "dot")
        self.assertEqual(self.served(table, b"a.dotted.example"), "dot")

    def test_addressesAreHosts(self) -> None:
        """In brackets if of IPv6 (RFC 3986 §3.2.2), with and without a port."""
        self.assertEqual(self.served(self.table, b"192.0.2.1:8000"), "four")
        self.assertEqual(self.served(self.table, b"[2001:db8::1]"), "six")
        self.assertEqual(self.served(self.table, b"[2001:DB8::1]:8000"), "six")
        self.assertEqual(self.served(self.table, b"[2001:db8::2]"), "any")

    def test_anAddressHasManySpellings(self) -> None:
        """RFC 5952 §2: all of them are one."""
        for spelled in (b"[2001:db8:0:0:0:0:0:1]", b"[2001:0db8::0001]", b"[2001:db8::0.0.0.1]"):
            self.assertEqual(self.served(self.table, spelled), "six", spelled)
        for configured in ("2001:DB8:0::1", "[2001:db8::1]"):
            table = RouteTable([route("any"), route("six", configured)])
            self.assertEqual(self.served(table, b"[2001:db8::1]"), "six", configured)

    def test_internationalNamesAreKnownByTheirForm(self) -> None:
        """IDNA: on the wire they are ASCII."""
        table = RouteTable([route("any"), route("books", "bücher.example", "*.straße.example")])
        self.assertEqual(self.served(table, b"xn--bcher-kva.example"), "books")
        self.assertEqual(self.served(table, b"a.xn--strae-oqa.example"), "books")

    def test_withoutAHostThereIsAnyHost(self) -> None:
        """HTTP/1.0 has no need of the field."""
        self.assertEqual(self.served(self.table, None), "any")

    def test_withoutARouteItIsMisdirected(self) -> None:
        """404, and the words for the log name what was asked for."""
        table = RouteTable([route("one", "one.example", path="/x/")])
        for lines in (
            (b"GET /x/ HTTP/1.1", b"Host: two.example"),
            (b"GET /y HTTP/1.1", b"Host: one.example"),
            (b"GET / HTTP/1.0",),
        ):
            error = self.refused(table, *lines)
            self.assertIsInstance(error, Misdirected)
            self.assertEqual((error.status, error.token), (404, "destination_not_found"))

    def test_aTableWithoutRoutesServesNothing(self) -> None:
        """It is empty, not broken."""
        self.assertIsInstance(
            self.refused(RouteTable([]), b"GET / HTTP/1.1", b"Host: a.example"), Misdirected
        )


class MemoryTests(RoutingTestCase):
    """What a table remembers of hosts."""

    def test_theTableIsBounded(self) -> None:
        """However many spellings of Host there are."""
        table = RouteTable([route("wide", "*.example.org"), route("any")])
        for number in range(3 * REMEMBERED + 7):
            name = self.served(table, b"n%d.example.org" % number)
            self.assertEqual(name, "wide")
            self.assertLessEqual(len(table._remembered), REMEMBERED)

    def test_whatIsRememberedIsTheSame(self) -> None:
        """The second answer is the first."""
        table = RouteTable([route("wide", "*.example.org"), route("any", path="/x")])
        for _ in range(2):
            self.assertEqual(self.served(table, b"a.example.org"), "wide")
            self.assertEqual(self.served(table, b"b.example", b"/x"), "any")
            self.assertIsInstance(
                self.refused(table, b"GET /y HTTP/1.1", b"Host: b.example"), Misdirected
            )

    def test_hostsWithoutRoutesAreRememberedToo(self) -> None:
        """It is no longer way for them each time."""
        table = RouteTable([route("one", "one.example")])
        first = table.candidates(b"two.example")
        self.assertEqual(first, ())
        self.assertIs(table.candidates(b"two.example"), first)

    def test_pathsAreBounded(self) -> None:
        """However many targets there are, and however long; each is served as the first."""
        table = RouteTable([route("x", path="/x"), route("any")])
        for number in range(2 * REMEMBERED + 7):
            target = b"/%c/%d" % (b"xy"[number % 2], number) + b"z" * (number % 400)
            for _ in range(2):
                self.assertEqual(self.served(table, b"a.example", target), ("x", "any")[number % 2])
            self.assertLessEqual(len(table._paths), REMEMBERED)
        self.assertLessEqual(max(map(len, table._paths)), REMEMBERED_OCTETS)

    def test_whatIsRefusedIsNotRemembered(self) -> None:
        """It is refused again."""
        table = RouteTable([route("any")])
        for _ in range(2):
            error = self.refused(table, b"GET /../a HTTP/1.1", b"Host: a")
            self.assertIsInstance(error, RequestInvalid)


class PathTests(RoutingTestCase):
    """Routes by path: whole segments, the longest first."""

    def setUp(self) -> None:
        self.table = RouteTable(
            [
                route("root"),
                route("api", path="/api"),
                route("below", path="/api/v1/"),
                route("static", path="/static/"),
            ]
        )

    def test_theLongestPrefixComesFirst(self) -> None:
        """In whatever order they are written."""
        for target, name in (
            (b"/", "root"),
            (b"/api", "api"),
            (b"/api/", "api"),
            (b"/api/v1", "api"),
            (b"/api/v1/", "below"),
            (b"/api/v1/x", "below"),
            (b"/other", "root"),
        ):
            self.assertEqual(self.served(self.table, b"a.example", target), name, target)

    def test_aPrefixEndsWithASegment(self) -> None:
        """C{/apix} is not below C{/api}."""
        for target in (b"/apix", b"/api.html", b"/api-2/x", b"/ap", b"/API"):
            self.assertEqual(self.served(self.table, b"a.example", target), "root", target)

    def test_aSlashAtTheEndAsksForMore(self) -> None:
        """C{/static/} is for what is below, not for C{/static}."""
        self.assertEqual(self.served(self.table, b"a.example", b"/static"), "root")
        self.assertEqual(self.served(self.table, b"a.example", b"/static/x.css"), "static")

    def test_theQueryDoesNotMatter(self) -> None:
        """Neither what is in it nor that it is there."""
        for target, name in (
            (b"/api?x=/static/", "api"),
            (b"/?/api/", "root"),
            (b"/static?/x", "root"),
            (b"/api/v1/?../../static/", "below"),
            (b"/api?a=%2e%2e%2f..%00", "api"),
            (b"/apix?", "root"),
            (b"/api?", "api"),
        ):
            self.assertEqual(self.served(self.table, b"a.example", target), name, target)

    def test_noSpellingOfAPathIsAnotherPath(self) -> None:
        """What the server will understand is what is routed (RFC 3986 §6.2.2)."""
        for target, name in (
            (b"/%61pi", "api"),
            (b"/%61%70%69/v1/x", "below"),
            (b"/x/../api", "api"),
            (b"/x/%2e%2e/api", "api"),
            (b"/x/.%2E/api", "api"),
            (b"/x/%2e./api", "api"),
            (b"/./api", "api"),
            (b"/%2e/api", "api"),
            (b"//api", "api"),
            (b"///api///v1///x", "below"),
            (b"/api/../static/x", "static"),
            (b"/api/v1/../../static/x", "static"),
            (b"/api/v1/..", "api"),
            (b"/api/..", "root"),
            (b"/api/.", "api"),
            (b"/static/.", "static"),
            (b"/static/x/..", "static"),
            (b"/static/x/../..", "root"),
            (b"/static%2fx", "static"),
            (b"/static%2F..%2Fapi", "api"),
            (b"/x%2f..%2fapi%2fv1%2f", "below"),
        ):
            self.assertEqual(self.served(self.table, b"a.example", target), name, target)

    def test_decodingIsDoneOnce(self) -> None:
        """C{%252e} is C{%2e} to the server, and no dot."""
        for target in (b"/x/%252e%252e/api", b"/%2561pi", b"/static/%252e%252e/api"):
            name = self.served(self.table, b"a.example", target)
            self.assertEqual(name, "static" if target.startswith(b"/static/") else "root", target)

    def test_aPercentThatEncodesNothingStays(self) -> None:
        """The server will make of it what it makes of it."""
        for target in (b"/api/%", b"/api/%zz", b"/api/%2", b"/api/100%"):
            self.assertEqual(self.served(self.table, b"a.example", target), "api", target)

    def test_dotsWithinASegmentAreLetters(self) -> None:
        """Only C{.} and C{..} mean something."""
        for target in (b"/api/...", b"/api/.x", b"/api/x..", b"/api/..x/y", b"/api/.well-known"):
            self.assertEqual(self.served(self.table, b"a.example", target), "api", target)

    def test_climbingOverTheRootIsRefused(self) -> None:
        """400, in every spelling."""
        for target in (
            b"/..",
            b"/../api",
            b"/api/../..",
            b"/%2e%2e/api",
            b"/x/..%2f..%2fapi",
            b"//../api",
            b"/./../api",
        ):
            error = self.refused(self.table, b"GET %b HTTP/1.1" % target, b"Host: a.example")
            self.assertIsInstance(error, RequestInvalid, target)
            self.assertEqual(error.status, 400)

    def test_hiddenControlsAreRefused(self) -> None:
        """A NUL ends the path for some servers, a line feed for others."""
        for escape in (b"%00", b"%0a", b"%0D", b"%1f", b"%7F"):
            error = self.refused(self.table, b"GET /api/x%b HTTP/1.1" % escape, b"Host: a.example")
            self.assertIsInstance(error, RequestInvalid, escape)

    def test_aConfiguredPathIsSpelledAsInARequest(self) -> None:
        """Whatever is encoded in either of them."""
        for configured, target in (
            ("/caf%C3%A9/", b"/caf%c3%a9/x"),
            ("/%7euser", b"/~user/x"),
            ("/~user", b"/%7Euser/x"),
            ("/a%20b/", b"/a%20b/x"),
            ("/a//b", b"/a/b"),
            ("/a/./b", b"/a/b/c"),
        ):
            table = RouteTable([route("any"), route("it", path=configured)])
            self.assertEqual(self.served(table, b"a.example", target), "it", configured)

    def test_aConfiguredPathThatIsNoneIsRefused(self) -> None:
        """A C{ValueError}, when the route is made."""
        for configured in ("", "api", "/../x", "/caf\xe9", "/x%00"):
            self.assertRaises(ValueError, route, "it", path=configured)

    def test_ofEqualPathsTheFirstIsTaken(self) -> None:
        """The one that is written first."""
        table = RouteTable([route("one", path="/a"), route("two", path="/a")])
        self.assertEqual(self.served(table, b"a.example", b"/a"), "one")


class FallThroughTests(RoutingTestCase):
    """A host whose paths do not fit leaves the request to the next."""

    def setUp(self) -> None:
        self.table = RouteTable(
            [
                route("exact api", "www.example.org", path="/api/"),
                route("wide static", "*.example.org", path="/static/"),
                route("any root"),
                route("any api", path="/api/v1/"),
            ]
        )

    def test_theHostComesBeforeThePath(self) -> None:
        """A short path of the better host is better than a long one of a worse."""
        self.assertEqual(self.served(self.table, b"www.example.org", b"/api/v1/x"), "exact api")

    def test_theNextHostIsAsked(self) -> None:
        """First the wildcard, then any."""
        self.assertEqual(self.served(self.table, b"www.example.org", b"/static/x"), "wide static")
        self.assertEqual(self.served(self.table, b"www.example.org", b"/x"), "any root")
        self.assertEqual(self.served(self.table, b"b.example.org", b"/api/v1/x"), "any api")

    def test_oneRouteMayHaveManyHosts(self) -> None:
        """Exact ones and wildcards together."""
        table = RouteTable([route("it", "example.org", "*.example.org"), route("any")])
        self.assertEqual(self.served(table, b"example.org"), "it")
        self.assertEqual(self.served(table, b"a.example.org"), "it")
        self.assertEqual(self.served(table, b"example.net"), "any")


class FormTests(RoutingTestCase):
    """Forms of the target other than the origin's (RFC 9112 §3.2)."""

    def setUp(self) -> None:
        self.table = RouteTable([route("one", "one.example", path="/x"), route("any")])

    def test_theAuthorityOfAnAbsoluteTargetWins(self) -> None:
        """Over Host, which a server must ignore then (RFC 9112 §3.2.2)."""
        exchange = asked(b"GET http://one.example/x?y HTTP/1.1", b"Host: two.example")
        self.assertEqual(self.table(exchange).name, "one")
        assert exchange.target is not None
        self.assertEqual(exchange.target.path, b"/x?y")
        self.assertEqual(exchange.target.authority, b"one.example")

    def test_anAbsoluteTargetIsNormalisedAsWell(self) -> None:
        """Its host and its path."""
        for target in (b"HTTP://ONE.example:8000/y/../x", b"https://one.example./%78"):
            exchange = asked(b"GET %b HTTP/1.1" % target, b"Host: a")
            self.assertEqual(self.table(exchange).name, "one", target)
        error = self.refused(self.table, b"GET http://one.example/../x HTTP/1.1", b"Host: a")
        self.assertEqual(error.status, 400)

    def test_anAbsoluteTargetWithoutAPathIsTheRoot(self) -> None:
        """RFC 9112 §3.2.1."""
        exchange = asked(b"GET http://two.example?x HTTP/1.1", b"Host: a")
        self.assertEqual(self.table(exchange).name, "any")
        assert exchange.target is not None
        self.assertEqual(exchange.target.path, b"/?x")

    def test_anOriginFormHasNoTarget(self) -> None:
        """Nothing was parsed, nothing is set."""
        exchange = asked(b"GET / HTTP/1.1", b"Host: a")
        self.table(exchange)
        self.assertIsNone(exchange.target)

    def test_otherSchemesAreRefused(self) -> None:
        """400."""
        for target in (b"ftp://one.example/", b"file:///etc/passwd", b"javascript:alert(1)"):
            error = self.refused(self.table, b"GET %b HTTP/1.1" % target, b"Host: a")
            self.assertEqual(error.status, 400, target)

    def test_theWholeServerIsAsked(self) -> None:
        """C{OPTIONS *} goes where the root goes (RFC 9110 §9.3.7)."""
        exchange = asked(b"OPTIONS * HTTP/1.1", b"Host: one.example")
        self.assertEqual(self.table(exchange).name, "any")
        table = RouteTable([route("x", path="/x")])
        self.assertIsInstance(
            self.refused(table, b"OPTIONS * HTTP/1.1", b"Host: one.example"), Misdirected
        )

    def test_theWholeServerIsAskedInAbsoluteForm(self) -> None:
        """An OPTIONS without a path is forwarded as C{*} (RFC 9112 §3.2.4)."""
        exchange = asked(b"OPTIONS http://one.example HTTP/1.1", b"Host: a")
        self.assertEqual(self.table(exchange).name, "any")
        assert exchange.target is not None
        self.assertEqual(exchange.target.path, b"*")

    def test_methodsForProxiesAreRefused(self) -> None:
        """405 for CONNECT and TRACE, whatever their target."""
        for lines in (
            (b"CONNECT one.example:443 HTTP/1.1", b"Host: one.example"),
            (b"TRACE / HTTP/1.1", b"Host: one.example"),
            (b"TRACE http://one.example/x HTTP/1.1", b"Host: one.example", b"Max-Forwards: 0"),
        ):
            error = self.refused(self.table, *lines)
            self.assertIsInstance(error, MethodNotAllowed, lines)
            self.assertEqual((error.status, error.token), (405, "http_request_denied"))

    def test_methodsAreCaseSensitive(self) -> None:
        """RFC 9110 §9.1: C{trace} is another method."""
        exchange = asked(b"trace / HTTP/1.1", b"Host: one.example")
        self.assertEqual(self.table(exchange).name, "any")


class NormalPathTests(SynchronousTestCase):
    """L{normalPath} by itself."""

    def test_aPlainPathIsItself(self) -> None:
        """Without what follows the question mark."""
        self.assertEqual(normalPath(b"/a/b.c"), b"/a/b.c")
        self.assertEqual(normalPath(b"/a/?x"), b"/a/")
        self.assertEqual(normalPath(b"/"), b"/")

    @given(
        strategies.lists(strategies.sampled_from(b"/.%\\?a;2e"), max_size=12).map(
            lambda octets: b"/" + bytes(octets)
        )
    )
    def test_whatIsUsual(self, target: bytes) -> None:
        """It is what has nothing in it that there is another spelling of."""
        path = target.partition(b"?")[0]
        if not any(sign in path for sign in (b"%", b"\\", b"/.", b"//")):
            self.assertEqual(normalPath(target), path)
        else:
            with contextlib.suppress(RequestInvalid):
                spelled = normalPath(target)
                self.assertFalse(any(sign in spelled for sign in (b"//", b"/./", b"/../")))

    def test_anEmptyPathIsTheRoot(self) -> None:
        """And so is one of nothing but slashes and dots."""
        for target in (b"//", b"/.", b"/./", b"/a/..", b"/a/../", b"/%2f", b"/%2e/"):
            self.assertEqual(normalPath(target), b"/", target)

    def test_theSlashAtTheEndStays(self) -> None:
        """It is part of what is asked for; dot segments leave one (RFC 3986 §5.2.4)."""
        for target, path in (
            (b"/a/", b"/a/"),
            (b"/a//", b"/a/"),
            (b"/a/./", b"/a/"),
            (b"/a/.", b"/a/"),
            (b"/a/b/..", b"/a/"),
            (b"/a%2f", b"/a/"),
            (b"//a", b"/a"),
        ):
            self.assertEqual(normalPath(target), path, target)

    @given(
        strategies.lists(
            strategies.sampled_from(
                (b"a", b".", b"..", b"", b"%2e", b"%2F", b"%41", b"b.c", b"%25")
            ),
            max_size=8,
        )
    )
    def test_whatIsNormalStaysNormal(self, segments: list[bytes]) -> None:
        """No dot segment and no empty one is left, and it is as an oracle says."""
        target = b"/" + b"/".join(segments)
        decoded = unquote_to_bytes(target)
        expected: list[bytes] = []
        climbs = False
        for segment in decoded.split(b"/")[1:]:
            if segment == b"..":
                climbs = climbs or not expected
                del expected[-1:]
            elif segment not in (b"", b"."):
                expected.append(segment)
        if climbs:
            self.assertRaises(RequestInvalid, normalPath, target)
            return
        path = normalPath(target)
        self.assertEqual(path.strip(b"/").split(b"/"), expected or [b""])
        self.assertTrue(path.startswith(b"/"))
        self.assertNotIn(b"//", path)
        if b"%" not in path:
            self.assertEqual(normalPath(path), path)


class RouteTests(SynchronousTestCase):
    """L{Route} by itself."""

    def test_reprSaysWhatItServes(self) -> None:
        """Hosts, path, and the program."""
        self.assertEqual(
            repr(route("web", "a.example", "*.b.example", path="/x/")),
            "<Route a.example|*.b.example/x/ web>",
        )
        self.assertEqual(repr(route("web")), "<Route */ web>")
        self.assertEqual(
            repr(route("web", path="/%e9/")), "<Route */\N{REPLACEMENT CHARACTER}/ web>"
        )
