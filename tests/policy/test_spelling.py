# -*- test-case-name: tests.policy.test_spelling -*-
"""
Requests in several spellings that are one to the cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.trial.unittest import SynchronousTestCase

from intermediary.interfaces import Origin
from intermediary.policy.spelling import HOSTS, Spelling
from intermediary.policy.targets import Targets
from intermediary.policy.visit import Visit
from intermediary.settings import BypassSettings, RouteCacheSettings, RouteSettings
from intermediary.wire.cachekey import KeyMaker
from intermediary.wire.cachestatus import URI_MISS

from ..scenario import Scenario
from .exchanges import derived, forwardOf
from .test_cache import WEB, CacheTestCase

if TYPE_CHECKING:
    from intermediary.exchange import Exchange
    from intermediary.wire.fields import Fields

LONG = b"Cache-Control: max-age=60"
#: What has the same key as C{a}.
SPELLINGS = (b"A", b"a.", b"A.", b"a:", b"a:80", b"a:00080", b"a.:80")


class HostTests(CacheTestCase):
    """What an origin hears of the host is what the key says (RFC 3986 §6.2.2, §6.2.3)."""

    def asksAs(self, host: bytes, target: bytes = b"/", method: bytes = b"GET") -> None:
        """A client spells the host as it likes."""
        self.client.sends(method + b" " + target + b" HTTP/1.1", b"Host: " + host, b"", b"")

    def test_oneSpelling(self) -> None:
        """In C{Host}, C{Forwarded} and C{X-Forwarded-Host}, so that there is nothing to reflect."""
        for number, host in enumerate((b"a", *SPELLINGS)):
            target = b"/%d" % number
            self.asksAs(host, target)
            self.isAsked(
                b"Host: a",
                b"X-Forwarded-Host: a",
                b"Forwarded: for=192.0.2.7;host=a;proto=http",
            )
            self.answers(LONG)
            self.gets(hit=False)
            self.asksAs(b"a", target)
            self.gets(hit=True)

    def test_whatDiffersStays(self) -> None:
        """A port that is not the usual one, an address."""
        for host, spelled in (
            (b"A.:8080", b"a:8080"),
            (b"[2001:DB8::1]:80", b"[2001:db8::1]"),
            (b"[2001:DB8::1]:81", b"[2001:db8::1]:81"),
            (b"192.0.2.1:80", b"192.0.2.1"),
            (b"a:443", b"a:443"),
        ):
            self.asksAs(host)
            self.isAsked(b"Host: " + spelled)
            self.answers(LONG)
            self.gets(hit=False)
            self.asksAs(spelled)
            self.gets(hit=True)

    def test_aTargetInAbsoluteForm(self) -> None:
        """Its authority as well."""
        self.asks(target=b"http://B.:80/")
        self.isAsked(b"Host: b", b"X-Forwarded-Host: b")
        self.answers(LONG)
        self.gets(hit=False)
        self.asksAs(b"b")
        self.gets(hit=True)

    def test_aClientWithoutHost(self) -> None:
        """Has none in its key either (HTTP/1.0), so the origin gets its own."""
        self.client.sends(b"GET / HTTP/1.0", b"", b"")
        self.isAsked(b"Host: 127.0.0.1:9000")
        self.answers(LONG)
        self.client.gets(b"HTTP/1.1 200 OK", ..., b"", b"hello")

    def test_aHostThatIsNotPreserved(self) -> None:
        """Is told in the forwarding fields alone."""
        self.scenario = Scenario(self).caching()
        route = RouteSettings(upstream=WEB, preserveHost=False, cache=RouteCacheSettings())
        self.scenario.reverse(routes=(route,))
        self.client = self.scenario.client()
        self.asksAs(b"A.:80")
        self.isAsked(b"Host: 127.0.0.1:9000", b"X-Forwarded-Host: a")
        self.answers(LONG)
        self.gets()

    def test_aTrustedProxy(self) -> None:
        """What it says of others is passed on, and its own C{Host} is as anybody's."""
        self.scenario = Scenario(self).caching()
        self.scenario.reverse(
            trustedProxies=("192.0.2.7",),
            routes=(RouteSettings(upstream=WEB, cache=RouteCacheSettings()),),
        )
        self.client = self.scenario.client()
        self.client.sends(
            b"GET / HTTP/1.1", b"Host: A.", b"X-Forwarded-Host: B.", b"Forwarded: host=B.", b"", b""
        )
        self.isAsked(
            b"Host: a",
            b"X-Forwarded-Host: B.",
            b"Forwarded: host=B., for=192.0.2.7;host=a;proto=http",
        )
        self.answers(LONG)
        self.gets()

    def test_whatIsPassedOn(self) -> None:
        """As nothing of it may be stored, and what is may come next."""
        self.asksAs(b"a", b"/a")
        self.isAsked(b"Host: a")
        self.answers(b"Cache-Control: no-store")
        self.gets(hit=False)
        for host, target in ((b"A.", b"/%61"), (b"a", b"/a"), (b"A.", b"/a"), (b"a", b"/x/../a")):
            for _ in range(2):
                self.asksAs(host, target)
                lines = self.isAsked(b"Host: a")
                self.assertEqual(lines[0], b"GET /a HTTP/1.1")
                self.answers(b"Cache-Control: no-store")
                self.gets(hit=False)
        self.assertEqual(self.scenario.cache.store.count, 0)

    def test_anotherAttempt(self) -> None:
        """Is spelt as the first one."""
        self.stores(LONG)
        first, self.origin = self.origin, None
        assert first is not None
        self.asksAs(b"A.", b"/other")
        self.assertIn(b"\r\nHost: a\r\n", first.takes())
        first.closes()
        self.isAsked(b"Host: a")
        self.answers(LONG)
        self.gets()

    def test_whatIsFetchedForNobody(self) -> None:
        """Is spelt so, too, whoever brought it about (RFC 5861 §3)."""
        self.stores(LONG + b", stale-while-revalidate=60")
        self.scenario.passes(61)
        self.asksAs(b"A.")
        self.gets(hit=True)
        self.isAsked(b"Host: a")
        self.answers(LONG)

    def test_whatIsNotLookedUp(self) -> None:
        """Goes on as it came."""
        route = RouteCacheSettings(bypass=(BypassSettings(path="/past/*"),))
        for settings, method, target in (
            (None, b"GET", b"/%61"),
            (route, b"GET", b"/past/%61"),
            (route, b"DELETE", b"/%61"),
        ):
            self.scenario = Scenario(self).caching()
            self.scenario.reverse(routes=(RouteSettings(upstream=WEB, cache=settings),))
            self.client, self.origin = self.scenario.client(), None
            self.asksAs(b"A.:80", target, method)
            lines = self.isAsked(b"Host: A.:80", b"X-Forwarded-Host: A.:80", method=method)
            self.assertEqual(lines[0], method + b" " + target + b" HTTP/1.1")
            self.answers()
            self.gets()


class DestinationTests(SynchronousTestCase):
    """The same on a forward front, where the host is also who is asked."""

    def serves(self, cache: RouteCacheSettings | None) -> None:
        """Begin with a front."""
        self.scenario = Scenario(self).caching().forward(cache=cache)
        self.client = self.scenario.client()

    def fetches(self, host: bytes, url: str, spelled: bytes) -> None:
        """A request is sent on."""
        self.client.sends(b"GET http://%b/ HTTP/1.1" % host, b"Host: whatever", b"", b"")
        origin = self.scenario.accepts(url)
        origin.gets(b"GET / HTTP/1.1", b"Host: " + spelled, ...)
        origin.sends(b"HTTP/1.1 200 OK", LONG, b"Content-Length: 5", b"", b"hello")
        self.client.gets(b"HTTP/1.1 200 OK", ..., b"", b"hello")
        origin.closes()

    def test_whoIsAsked(self) -> None:
        """A resolver can give a name without the dot at its end another address."""
        for host in SPELLINGS:
            self.serves(RouteCacheSettings())
            self.fetches(host, "http://a:80", b"a")
            self.client.sends(b"GET http://a/ HTTP/1.1", b"Host: a", b"", b"")
            self.assertIn(b"; hit", self.client.takes())

    def test_TLSStaysAsItIs(self) -> None:
        """Whatever the name's spelling, its server is reached by the same policy."""
        self.serves(RouteCacheSettings())
        policies = []
        for host in (b"a", b"a."):
            self.client.sends(b"GET https://%b/ HTTP/1.1" % host, b"Host: whatever", b"", b"")
            policies.append(self.scenario.connector.waiting[0][0].tls)
            origin = self.scenario.accepts("https://a:443")
            origin.gets(b"GET / HTTP/1.1", b"Host: a", ...)
            origin.sends(b"HTTP/1.1 200 OK", b"Connection: close", b"Content-Length: 0", b"", b"")
            self.client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")
        self.assertIsNotNone(policies[0])
        self.assertIs(policies[1], policies[0])

    def test_withoutACache(self) -> None:
        """Nothing is changed."""
        self.serves(None)
        self.fetches(b"A.:80", "http://a.:80", b"A.:80")


class SpellingTests(SynchronousTestCase):
    """L{Spelling.normalise}, alone."""

    def visited(self, host: bytes, target: bytes = b"/") -> tuple[Exchange, Fields]:
        """An exchange that was looked up, and the fields that were derived for it."""
        exchange = derived(b"GET " + target + b" HTTP/1.1", b"Host: " + host)
        visit = exchange.visit = Visit(URI_MISS, 0.0)
        visit.key = b"key"
        return exchange, forwardOf(exchange).fields

    def test_whatIsNormalCostsNothing(self) -> None:
        """The target and the fields are the same objects as before."""
        exchange, fields = self.visited(b"a", b"/b")
        Spelling(Targets(KeyMaker()), True).normalise(exchange)
        self.assertIs(forwardOf(exchange).fields, fields)
        self.assertEqual(forwardOf(exchange).target, b"/b")

    def test_whatIsNormalDependsOnTheScheme(self) -> None:
        """A port that one of them implies is none of the other's."""
        spelling = Spelling(Targets(KeyMaker()), False)
        for host, secure, spelled in (
            (b"a:443", False, b"a:443"),
            (b"a:443", True, b"a"),
            (b"a:80", True, b"a:80"),
            (b"a:80", False, b"a"),
        ):
            for _ in range(2):
                exchange, _ = self.visited(host)
                exchange.secure = secure
                spelling.normalise(exchange)
                self.assertEqual(forwardOf(exchange).fields.get(b"host"), spelled)

    def test_manyHosts(self) -> None:
        """Do not fill the memory; any of them is asked as before."""
        targets = Targets(KeyMaker())
        spelling = Spelling(targets, False)
        for number in range(HOSTS + 2):
            spelling.normalise(self.visited(b"%d.example" % number)[0])
        self.assertEqual(len(spelling._normal), 2)
        exchange, fields = self.visited(b"1.example")
        spelling.normalise(exchange)
        self.assertIs(forwardOf(exchange).fields, fields)

    def test_whatIsMadeIsRemembered(self) -> None:
        """On the fields that it was made of, for who asks in the same way again."""
        exchange, fields = self.visited(b"A", b"/%62")
        spelling = Spelling(Targets(KeyMaker()), False)
        spelling.normalise(exchange)
        forward = forwardOf(exchange)
        self.assertEqual(forward.target, b"/b")
        made = forward.fields
        self.assertEqual(made.pairs, [(b"Host", b"a"), (b"Via", b"1.1 test")])
        forward.fields = fields
        spelling.normalise(exchange)
        self.assertIs(forward.fields, made)
        Spelling(Targets(KeyMaker()), False).normalise(exchange)
        self.assertEqual(forward.fields, made)

    def test_theServersOfAnUpstream(self) -> None:
        """Are spelt as the operator did it."""
        for byTarget, expected in ((False, "peer."), (True, "peer")):
            exchange, _ = self.visited(b"a")
            guard = object()
            exchange.origin = Origin("http", "peer.", 80, guard=guard)
            Spelling(Targets(KeyMaker()), byTarget).normalise(exchange)
            self.assertEqual(exchange.origin, Origin("http", expected, 80, guard=guard))
