# -*- test-case-name: tests.policy.test_purgerequests -*-
"""
C{PURGE}, through whole fronts.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from intermediary.ops.endpoints import ReverseProxyFactory, makeCache
from intermediary.policy.purgerequests import PURGES
from intermediary.policy.purging import Purge
from intermediary.policy.tags import MOST_STORED_TAGS, MOST_TAGS
from intermediary.settings import (
    CacheSettings,
    ReverseSettings,
    RouteCacheSettings,
    RouteSettings,
    UpstreamSettings,
)

from ..scenario import Scenario
from .test_cache import CacheTestCase

if TYPE_CHECKING:
    from ..scenario import Side

LONG = b"Cache-Control: max-age=60"
WEB = UpstreamSettings(name="web", servers=("http://127.0.0.1:9000",))
ALLOWED = CacheSettings(purgeFrom=("192.0.2.0/25", "2001:db8::/64"))


class PurgeTestCase(CacheTestCase):
    """A front with a cache that may be purged from where the client is."""

    #: How the routes of the front are cached.
    caching = RouteCacheSettings()

    def setUp(self) -> None:
        self.scenario = Scenario(self).caching(ALLOWED)
        routes = (
            RouteSettings(upstream=WEB, cache=self.caching),
            RouteSettings(upstream=WEB, path="/private", cache=None),
        )
        self.scenario.reverse(routes=routes)
        self.client = self.scenario.client()
        self.origin: Side | None = None
        self.events = EventLoggingObserver()
        globalLogPublisher.addObserver(self.events)
        self.addCleanup(globalLogPublisher.removeObserver, self.events)

    def has(self, target: bytes = b"/", *lines: bytes, host: bytes = b"a") -> None:
        """Something is stored."""
        self.client.sends(b"GET %b HTTP/1.1" % target, b"Host: %b" % host, *lines, b"", b"")
        self.isAsked()
        self.answers(LONG, b"Vary: Accept", *lines)
        self.assertIn(b"; stored", self.gets()[b"cache-status"])

    def stored(self) -> set[bytes]:
        """The URLs of what is stored and fresh."""
        now = self.scenario.clock.seconds()
        shelves = self.scenario.cache.store._byKey
        return {
            key.partition(b" ")[2]
            for key, shelf in shelves.items()
            if any(entry.expires > now for entry in shelf.entries)
        }

    def purges(
        self, *lines: bytes, target: bytes = b"/", host: bytes = b"a", status: int = 200
    ) -> Any:
        """The client asks to purge, and no origin hears of it; return what it is told."""
        self.client.sends(b"PURGE %b HTTP/1.1" % target, b"Host: %b" % host, *lines, b"", b"")
        heard = self.client.takes()
        head, _, content = heard.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 %d " % status), heard)
        self.assertIn(b"Content-Type: application/json\r\n", head)
        self.assertIn(b"Cache-Control: no-store\r\n", head)
        self.isNotAsked()
        return json.loads(content)


class UrlTests(PurgeTestCase):
    """All variants of a URL."""

    def test_allVariants(self) -> None:
        """And nothing else; the next request is a miss."""
        self.has(b"/x", b"Accept: a")
        self.has(b"/x", b"Accept: b")
        self.has(b"/y")
        self.assertEqual(self.purges(target=b"/x"), {"purged": 2})
        self.assertEqual(self.stored(), {b"http://a/y"})
        self.asks(b"Accept: a", target=b"/x")
        self.isAsked()
        self.answers(LONG)
        self.assertIn(b"fwd=uri-miss", self.gets()[b"cache-status"])

    def test_nothingIsNoMistake(self) -> None:
        """It is not there, as was wanted."""
        self.assertEqual(self.purges(), {"purged": 0})
        self.assertEqual(self.scenario.outcomes(), [(200, "")])

    def test_theTargetIsReadAsThatOfAGET(self) -> None:
        """In any equivalent spelling, and in absolute form, whose host counts."""
        for target in (b"/%78/", b"/y/../x/", b"/./x/", b"http://a/x/", b"http://A:80/x/"):
            self.has(b"/x/")
            host = b"b" if target.startswith(b"http") else b"a"
            self.assertEqual(self.purges(target=target, host=host), {"purged": 1}, target)

    def test_hostsArePartOfIt(self) -> None:
        """Another host, port or query is another URL."""
        self.has(b"/?q")
        for target, host in ((b"/?q", b"b"), (b"/?q", b"a:81"), (b"/", b"a"), (b"/?", b"a")):
            self.assertEqual(self.purges(target=target, host=host), {"purged": 0})
        self.assertEqual(self.purges(target=b"/?q", host=b"a:80"), {"purged": 1})

    def test_softly(self) -> None:
        """It is validated at its next use; either name of the field does."""
        for line in (b"Soft-Purge: 1", b"soft-purge: ?1", b"Fastly-Soft-Purge: 1"):
            self.has()
            self.assertEqual(self.purges(line), {"purged": 1})
            self.assertEqual((self.stored(), self.scenario.cache.store.count), (set(), 1))
            self.asks()
            self.isAsked()
            self.answers(LONG, b"Vary: Accept")
            self.assertIn(b"fwd=stale", self.gets()[b"cache-status"])
            self.assertEqual(self.purges(b"Soft-Purge: 0"), {"purged": 1})
            self.assertEqual(self.scenario.cache.store.count, 0)


class KeyTests(PurgeTestCase):
    """What a route does with a key."""

    caching = RouteCacheSettings(ignoreQuery=("utm_*",), sortQuery=True)

    def test_theKeyIsThatOfAGET(self) -> None:
        """Ignored parameters and their order make no difference."""
        self.has(b"/x?b=1&a=2&utm_x=3")
        self.assertEqual(self.purges(target=b"/x?utm_y=1&a=2&b=1"), {"purged": 1})


class WideTests(PurgeTestCase):
    """More than one URL."""

    def setUp(self) -> None:
        super().setUp()
        self.has(b"/news/1", b"Surrogate-Key: n1 all")
        self.has(b"/news/2?x", b"Surrogate-Key: n2 all")
        self.has(b"/newspaper")
        self.has(b"/news/1", host=b"a:81")
        self.has(b"/news/1", b"Cache-Tag: n1, other", host=b"b")

    def test_prefixes(self) -> None:
        """On that host and port, octet by octet."""
        self.assertEqual(self.purges(b"Purge-Scope: prefix", target=b"/x/../news/"), {"purged": 2})
        self.assertEqual(
            self.stored(), {b"http://a/newspaper", b"http://a:81/news/1", b"http://b/news/1"}
        )
        self.assertEqual(self.purges(b"purge-scope: PREFIX", target=b"/new"), {"purged": 1})

    def test_hosts(self) -> None:
        """On any port, whatever the path."""
        self.assertEqual(self.purges(b"Purge-Scope: host", target=b"/any"), {"purged": 4})
        self.assertEqual(self.stored(), {b"http://b/news/1"})

    def test_addresses(self) -> None:
        """Those of IPv6 are hosts as well."""
        self.has(host=b"[2001:DB8::1]:81")
        for host, count in ((b"[2001:db8::2]", 0), (b"[2001:db8::1]", 1)):
            self.assertEqual(self.purges(b"Purge-Scope: host", host=host), {"purged": count})

    def test_tags(self) -> None:
        """Of any host; several at once, each response counts once."""
        self.assertEqual(
            self.purges(b"Surrogate-Key: n1 n2", b"Cache-Tag: n1,all", host=b"c"), {"purged": 3}
        )
        self.assertEqual(self.stored(), {b"http://a/newspaper", b"http://a:81/news/1"})

    def test_tagsOfAValidation(self) -> None:
        """A response has those that a 304 names, and if that names none, those that it had."""
        for lines, tag, count in (
            ([], b"old", 1),
            ([b"Surrogate-Key: new"], b"old", 0),
            ([b"Surrogate-Key: new"], b"new", 1),
            ([b"Cache-Tag: new"], b"old", 1),
        ):
            self.asks(target=b"/tagged")
            self.isAsked()
            self.answers(LONG, b'ETag: "1"', b"Surrogate-Key: old")
            self.gets()
            self.scenario.passes(30)
            self.scenario.passes(31)
            self.asks(target=b"/tagged")
            self.isAsked(b'If-None-Match: "1"')
            assert self.origin is not None
            self.origin.sends(b"HTTP/1.1 304 Not Modified", LONG, b'ETag: "1"', *lines, b"", b"")
            self.assertIn(b"; stored", self.gets()[b"cache-status"])
            self.assertEqual(self.purges(b"Surrogate-Key: " + tag), {"purged": count}, lines)
            self.purges(target=b"/tagged")

    def test_softly(self) -> None:
        """They stay, in each way."""
        for line, count in ((b"Surrogate-Key: n1 all", 3), (b"Purge-Scope: host", 4)):
            self.assertEqual(self.purges(line, b"Soft-Purge: 1"), {"purged": count})
        self.assertEqual(self.scenario.cache.store.count, 5)
        self.assertEqual(self.stored(), set())


class ManyTagsTests(PurgeTestCase):
    """What is stored can be purged by each of its tags."""

    def tags(self, count: int) -> bytes:
        """A field with so many."""
        return b"Surrogate-Key: " + b" ".join(b"t%d" % n for n in range(count))

    def test_eachOfHundredsPurges(self) -> None:
        """A page of a content management system has them, and often in both fields."""
        self.asks()
        self.isAsked()
        self.answers(LONG, self.tags(500), b"Cache-Tag: t0,t1,last")
        self.assertIn(b"; stored", self.gets()[b"cache-status"])
        self.assertEqual(self.purges(b"Surrogate-Key: t499", b"Soft-Purge: 1"), {"purged": 1})
        self.assertEqual(self.purges(b"Cache-Tag: last"), {"purged": 1})

    def test_whatHasMoreThanAreKeptIsNotStored(self) -> None:
        """Rather than be there still after a purge of one of the others."""
        for count, stored in ((MOST_STORED_TAGS, True), (MOST_STORED_TAGS + 1, False)):
            self.asks(target=b"/%d" % count)
            self.isAsked()
            self.answers(LONG, self.tags(count))
            self.assertEqual(b"; stored" in self.gets()[b"cache-status"], stored)

    def test_aValidationMayBringTooMany(self) -> None:
        """It answers the one request, and is stored no more."""
        self.asks()
        self.isAsked()
        self.answers(b"Cache-Control: max-age=1", b'ETag: "1"')
        self.gets()
        self.scenario.clock.advance(2)
        self.asks()
        self.isAsked()
        self.answers(LONG, b'ETag: "1"', self.tags(MOST_STORED_TAGS + 1), status=b"304 x", body=b"")
        self.assertNotIn(b"; stored", self.gets()[b"cache-status"])
        self.assertEqual(self.stored(), set())


class UnclearTests(PurgeTestCase):
    """What can't be told is not done."""

    def test_whatIsWrongIsSaid(self) -> None:
        """400, and nothing is purged."""
        self.has()
        for lines, target, words in (
            ((b"Purge-Scope: all",), b"/", "url, prefix, host"),
            ((b"Purge-Scope: ",), b"/", "url, prefix, host"),
            ((b"Purge-Scope: url, host",), b"/", "url, prefix, host"),
            ((b"Purge-Scope: prefix",), b"/?x", "query"),
            ((b"Purge-Scope: host", b"Surrogate-Key: x"), b"/", "without tags"),
            ((b"Surrogate-Key: ",), b"/", "names none"),
            ((b"Cache-Tag: , ,",), b"/", "names none"),
            ((b"Cache-Tag: " + b",".join(b"%d" % n for n in range(65)),), b"/", str(MOST_TAGS)),
            ((b"Soft-Purge: yes",), b"/", "Soft-Purge is neither 1 nor 0"),
            ((b"Fastly-Soft-Purge: 1", b"Soft-Purge: 2"), b"/", "Soft-Purge"),
        ):
            self.assertIn(words, self.purges(*lines, target=target, status=400)["error"])
        self.assertEqual(self.stored(), {b"http://a/"})
        self.assertNotIn("purged", str(list(self.events)))

    def test_content(self) -> None:
        """There is nothing that it could mean."""
        answer = self.purges(b"Content-Length: 1", b"", b"x", status=400)
        self.assertEqual(answer, {"error": "a PURGE has no content"})

    @settings(max_examples=60, deadline=None)
    @given(
        target=st.binary(max_size=30),
        name=st.sampled_from([b"Purge-Scope", b"Surrogate-Key", b"Soft-Purge", b"Host", b"X"]),
        value=st.one_of(
            st.binary(max_size=30), st.sampled_from([b"prefix", b"host", b"url", b"1", b"a b"])
        ),
    )
    def test_anyOctets(self, target: bytes, name: bytes, value: bytes) -> None:
        """Are answered with a count or with what is wrong; no origin hears of them."""
        client = self.scenario.client()
        client.sends(b"PURGE /%b HTTP/1.1" % target, b"Host: a", name + b": " + value, b"", b"")
        heard = client.takes()
        if heard:
            self.assertIn(heard[:13], (b"HTTP/1.1 200 ", b"HTTP/1.1 400 ", b"HTTP/1.1 405 "))
        client.closes()
        self.scenario.connectsNowhere()
        self.flushLoggedErrors()


class AccessTests(PurgeTestCase):
    """Who may, and where."""

    def test_others(self) -> None:
        """403, in the access log like any request; their own word counts for nothing."""
        self.has()
        for peer in ("192.0.2.129", "2001:db8:0:1::1", "203.0.113.1", ""):
            client = self.scenario.client(peer)
            client.sends(
                b"PURGE / HTTP/1.1",
                b"Host: a",
                b"X-Forwarded-For: 192.0.2.7",
                b"Forwarded: for=192.0.2.7",
                b"Purge-Scope: nonsense",
                b"",
                b"",
            )
            client.getsError(403, "http_request_denied")
            self.assertEqual(self.scenario.outcomes()[-1], (403, "http_request_denied"))
        self.isNotAsked()
        self.assertEqual(self.stored(), {b"http://a/"})

    def test_bothFamilies(self) -> None:
        """As the socket shows the address."""
        self.has()
        self.client = self.scenario.client("2001:db8::7")
        self.assertEqual(self.purges(), {"purged": 1})
        self.has()
        self.client = self.scenario.client("::ffff:192.0.2.9")
        self.assertEqual(self.purges(), {"purged": 1})

    def test_aRouteThatStoresNothing(self) -> None:
        """405, and its server does not hear of it."""
        self.client.sends(b"PURGE /private/x HTTP/1.1", b"Host: a", b"", b"")
        self.client.getsError(405, "http_request_denied")
        self.isNotAsked()

    def test_otherMethodsGoOn(self) -> None:
        """Also one that only looks like it, and those of routes that store nothing."""
        for method in (b"POST", b"purge", b"PURGEX", b"BAN"):
            for target in (b"/", b"/private"):
                self.client.sends(method + b" " + target + b" HTTP/1.1", b"Host: a", b"", b"")
                self.isAsked(method=method)
                self.answers()
                self.gets()

    def test_itIsLogged(self) -> None:
        """What, by whom, how many; in one line, whatever is in it."""
        self.has()
        self.has(b"/n", b"Surrogate-Key: t'\xe9")
        self.purges(b"Soft-Purge: 1")
        self.purges(b"Surrogate-Key: t'\xe9")
        lines = [
            each["log_format"].format(**each)
            for each in self.events
            if "purgerequests" in each["log_namespace"]
        ]
        self.assertEqual(
            lines,
            [
                "192.0.2.7 made stale 1 of site: key 'site http://a/'",
                '192.0.2.7 purged 1 of site: tag "t\'\\xe9"',
            ],
        )

    def test_otherFrontsKeepWhatIsTheirs(self) -> None:
        """The same URL, host and tag, in the same cache."""
        self.has(b"/", b"Surrogate-Key: t")
        mine = self.scenario.front
        other = ReverseProxyFactory(
            self.scenario.clock,
            ReverseSettings(name="site2", via="test", routes=(RouteSettings(upstream=WEB),)),
            pool=self.scenario.pool,
            cache=self.scenario.cache,
        )
        self.scenario.front = other
        self.client = self.scenario.client()
        self.has(b"/", b"Surrogate-Key: t")
        self.scenario.front = mine
        self.client = self.scenario.client()
        for lines in ((), (b"Purge-Scope: host",), (b"Purge-Scope: prefix",), (b"Cache-Tag: t",)):
            self.purges(*lines)
        keys = [key for key, shelf in self.scenario.cache.store._byKey.items() if shelf.entries]
        self.assertEqual(keys, [b"site2 http://a/"])


class PartsTests(PurgeTestCase):
    """A front whose routes store into several parts of the store."""

    def setUp(self) -> None:
        super().setUp()
        shared = RouteCacheSettings(share="news")
        routes = (
            RouteSettings(upstream=WEB),
            RouteSettings(upstream=WEB, path="/news/", cache=shared),
            RouteSettings(upstream=WEB, path="/old/", cache=shared),
            RouteSettings(upstream=WEB, path="/pages/", cache=RouteCacheSettings(share="pages")),
        )
        self.scenario.reverse(routes=routes)
        other = RouteSettings(upstream=WEB, cache=RouteCacheSettings(share="other"))
        self.others = ReverseProxyFactory(
            self.scenario.clock,
            ReverseSettings(name="site2", via="test", routes=(other,)),
            pool=self.scenario.pool,
            cache=self.scenario.cache,
        )
        self.client = self.scenario.client()

    def test_allOfThem(self) -> None:
        """By prefix, host and tag, wherever the target is; counts are summed up."""
        for lines, target in (
            ((b"Purge-Scope: prefix",), b"/"),
            ((b"Purge-Scope: host",), b"/pages/x"),
            ((b"Cache-Tag: t",), b"/news/x"),
        ):
            for path in (b"/", b"/news/1", b"/old/1", b"/pages/1"):
                self.has(path, b"Surrogate-Key: t")
            self.assertEqual(self.purges(*lines, target=target), {"purged": 4})
            self.assertEqual(self.stored(), set())

    def test_oneURLIsInOne(self) -> None:
        """That of its route."""
        self.has(b"/news/1")
        self.assertEqual(self.purges(target=b"/old/1"), {"purged": 0})
        self.assertEqual(self.purges(target=b"/news/1"), {"purged": 1})

    def test_noOthers(self) -> None:
        """What no route of the front stores into stays as it is."""
        mine, self.scenario.front = self.scenario.front, self.others
        self.client = self.scenario.client()
        self.has(b"/", b"Surrogate-Key: t")
        self.scenario.front = mine
        self.client = self.scenario.client()
        for lines in ((b"Purge-Scope: host",), (b"Purge-Scope: prefix",), (b"Cache-Tag: t",)):
            self.assertEqual(self.purges(*lines), {"purged": 0})
        self.assertEqual(self.stored(), {b"http://a/"})

    def test_whatIsOnItsWay(self) -> None:
        """Is not stored, whichever part it would be in."""
        self.asks(target=b"/pages/1")
        self.isAsked()
        self.client, first = self.scenario.client(), self.client
        self.purges(b"Surrogate-Key: t")
        self.client = first
        self.answers(LONG, b"Surrogate-Key: t")
        self.assertNotIn(b"stored", self.gets()[b"cache-status"])

    def test_theLogNamesThem(self) -> None:
        """Each once."""
        self.purges(b"Purge-Scope: host")
        self.purges(target=b"/news/1")
        self.assertEqual(
            [formatEvent(each) for each in self.events if "purgerequests" in each["log_namespace"]],
            [
                "192.0.2.7 purged 0 of site, +news, +pages: host 'a'",
                "192.0.2.7 purged 0 of +news: key '+news http://a/news/1'",
            ],
        )


class UnconfiguredTests(CacheTestCase):
    """Without C{purge-from}."""

    def test_itIsPassedOn(self) -> None:
        """Like any method that is not known here, which may change something (RFC 9111 §4.4)."""
        self.stores(LONG)
        self.asks(method=b"PURGE")
        self.isAsked(method=b"PURGE")
        self.answers(status=b"404 Not Found")
        self.assertIn(b"fwd=method", self.gets(404)[b"cache-status"])
        self.asks()
        self.gets(hit=True)
        self.assertIsNone(self.scenario.cache.purgers)

    def test_aFrontWithoutANameCanNotBePurged(self) -> None:
        """Its purges would be those of all fronts."""
        cache = makeCache(self.scenario.clock, ALLOWED)
        settings = ReverseSettings(name="", routes=(RouteSettings(upstream=WEB),))
        self.assertRaises(
            ValueError,
            ReverseProxyFactory,
            self.scenario.clock,
            settings,
            pool=self.scenario.pool,
            cache=cache,
        )

    def test_whoMayHasToBeAnAddress(self) -> None:
        """C{ValueError} when the cache is made."""
        settings = CacheSettings(purgeFrom=("localhost",))
        self.assertRaises(ValueError, makeCache, self.scenario.clock, settings)


class ForwardTests(PurgeTestCase):
    """Through a forward front."""

    def setUp(self) -> None:
        super().setUp()
        self.scenario.forward()
        self.client = self.scenario.client()

    def test_absoluteForm(self) -> None:
        """What was fetched by the same target; the destination is not connected to."""
        url = b"http://127.0.0.1:9000/x"
        self.client.sends(b"GET " + url + b" HTTP/1.1", b"Host: 127.0.0.1:9000", b"", b"")
        self.isAsked()
        self.answers(LONG)
        self.gets()
        self.assertEqual(self.purges(target=url), {"purged": 1})
        self.assertEqual(self.purges(b"Surrogate-Key: x", target=url), {"purged": 0})

    def test_toItself(self) -> None:
        """It is no URL of anything."""
        self.client.sends(b"PURGE / HTTP/1.1", b"Host: a", b"", b"")
        self.client.getsError(400, "http_request_error")


class Slow:
    """A store that purges when the test says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[Purge, Deferred[int]]] = []

    def purge(self, what: Purge, soft: bool = False) -> Deferred[int]:
        """Take long."""
        done: Deferred[int] = Deferred()
        self.asked.append((what, done))
        return done


class LongTests(PurgeTestCase):
    """Purges that take more than a turn of the reactor."""

    def setUp(self) -> None:
        super().setUp()
        self.slow = self.scenario.cache.store = Slow()

    def begins(self, client: Side) -> Deferred[int]:
        """A client asks, and nothing is said yet."""
        client.sends(b"PURGE / HTTP/1.1", b"Host: a", b"", b"")
        client.getsNothing()
        return self.slow.asked[-1][1]

    def test_itIsAnsweredAtItsEnd(self) -> None:
        """With the number of all that went."""
        done = self.begins(self.client)
        self.assertEqual(self.scenario.cache.purging, 1)
        done.callback(1_000_000)
        self.assertIn(b'{"purged": 1000000}', self.client.takes())
        self.assertEqual(self.scenario.cache.purging, 0)

    def test_itGoesOnWithoutItsClient(self) -> None:
        """Half of a purge would be no use to anybody."""
        done = self.begins(self.client)
        self.client.resets()
        self.assertFalse(done.called)
        self.assertEqual(self.scenario.outcomes(), [(0, "client_gone")])
        done.callback(7)
        self.assertEqual(self.scenario.cache.purging, 0)
        self.assertEqual([each["count"] for each in self.events if "count" in each], [7])

    def test_soManyAtOnce(self) -> None:
        """Then 503, until one of them has ended."""
        clients = [self.scenario.client() for _ in range(PURGES)]
        first, *others = [self.begins(client) for client in clients]
        self.client.sends(b"PURGE / HTTP/1.1", b"Host: a", b"", b"")
        heard = self.client.takes()
        self.assertTrue(heard.startswith(b"HTTP/1.1 503 "), heard)
        self.assertIn(b"Retry-After: 1\r\n", heard)
        first.callback(1)
        self.begins(self.client).callback(2)
        self.assertIn(b'{"purged": 2}', self.client.takes())
        for done in others:
            done.callback(0)
        for client in clients:
            client.takes()
        self.assertEqual(self.scenario.cache.purging, 0)

    def test_aPurgeThatFails(self) -> None:
        """500, and the log says why, also where nobody waits any more."""
        for waits in (True, False):
            done = self.begins(self.client)
            if not waits:
                self.client.resets()
            done.errback(ZeroDivisionError())
            if waits:
                self.assertTrue(self.client.takes().startswith(b"HTTP/1.1 500 "))
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
            self.assertEqual(self.scenario.cache.purging, 0)


class PythonTests(SynchronousTestCase):
    """L{Cache.purge<intermediary.policy.cachestate.Cache.purge>}."""

    def test_purgesAreNoted(self) -> None:
        """For what is on its way; the count is the store's."""
        cache = makeCache(Clock(), CacheSettings())
        self.assertEqual(cache.purge(Purge.ofKey(b"x")), 0)
        self.assertEqual((cache.purges.serial, cache.purging), (1, 0))
