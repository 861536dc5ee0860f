# -*- test-case-name: tests.policy.test_refreshing -*-
"""
What is used often is validated before it expires, through whole fronts.
"""

from __future__ import annotations

import gc
from itertools import count
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from intermediary.exchange import Exchange
from intermediary.policy.ahead import Ahead, Candidate
from intermediary.policy.cache import RouteCache
from intermediary.policy.filling import Nobody
from intermediary.policy.purging import FIRST_SECONDS, UNTIMED, Purge
from intermediary.policy.refreshing import (
    CANDIDATES,
    LONGEST_QUIET_SECONDS,
    PER_SECOND,
    QUIET_SECONDS,
    Quiet,
    Refreshing,
)
from intermediary.policy.revalidation import BACKGROUND
from intermediary.program import PARKED, Program
from intermediary.settings import RouteCacheSettings, RouteSettings
from intermediary.wire.cachekey import KeyMaker
from intermediary.wire.fields import EMPTY
from intermediary.wire.message import RequestHead, ResponseHead
from intermediary.wire.rules import CacheRules
from intermediary.wire.target import Target

from ..scenario import Scenario
from .stored import entryOf
from .test_cache import WEB, CacheTestCase

AGAIN = RouteCacheSettings(refreshUses=2)
HUNDRED = b"Cache-Control: max-age=100"
A = b'ETag: "a"'


class RefreshTestCase(CacheTestCase):
    """A front whose route refreshes what is used twice."""

    trustedProxies: tuple[str, ...] = ()

    def setUp(self) -> None:
        routes = (RouteSettings(upstream=WEB, cache=AGAIN),)
        self.scenario = Scenario(self).caching()
        self.scenario.reverse(routes=routes, trustedProxies=self.trustedProxies)
        self.client = self.scenario.client()
        self.origin = None
        self.cache: Any = self.scenario.cache

    def asks(self, *lines: bytes, target: bytes = b"/", method: bytes = b"GET") -> None:
        """The client asks, on a new connection if the old one was idle for too long."""
        if self.client.transport.ending:
            self.client = self.scenario.client()
        super().asks(*lines, target=target, method=method)

    def uses(self, *lines: bytes, times: int = 2, body: bytes = b"hello") -> None:
        """The client asks, and is answered from the store."""
        for _ in range(times):
            self.asks(*lines)
            self.gets(hit=True, body=body)

    @property
    def candidates(self) -> int:
        """How many there are."""
        assert self.cache.refreshing is not None
        return len(self.cache.refreshing)


class TimeTests(RefreshTestCase):
    """When it is done, and when not."""

    def test_beforeItExpires(self) -> None:
        """In the last tenth of its lifetime, though nobody asks just then."""
        self.stores(HUNDRED, A)
        self.uses()
        self.scenario.passes(89)
        self.isNotAsked()
        self.scenario.passes(2)
        self.isAsked(b'If-None-Match: "a"')
        self.answers(HUNDRED, A, status=b"304 Not Modified", body=b"")
        self.scenario.passes(50)
        self.asks()
        self.assertEqual(self.gets(hit=True)[b"age"], b"51")
        self.isNotAsked()
        self.assertEqual((self.cache.refreshes, self.cache.background), (1, 0))
        self.assertEqual((self.cache.hits, self.cache.misses), (3, 1))

    def test_aMinuteBeforeAtMost(self) -> None:
        """A tenth of a day would be too soon."""
        self.stores(b"Cache-Control: max-age=86400", A)
        self.uses()
        self.scenario.passes(86400 - 61)
        self.isNotAsked()
        self.scenario.passes(2)
        self.origin = None
        self.isAsked(b'If-None-Match: "a"')
        self.answers(status=b"304 Not Modified", body=b"")

    def test_atOnceIfItIsLate(self) -> None:
        """When it becomes a candidate in that tenth."""
        self.stores(HUNDRED, A)
        self.scenario.passes(95)
        self.uses()
        self.isAsked(b'If-None-Match: "a"')
        self.answers(status=b"304 Not Modified", body=b"")

    def test_notIfItIsUsedSeldom(self) -> None:
        """Once is less than twice."""
        self.stores(HUNDRED, A)
        self.uses(times=1)
        self.assertEqual(self.candidates, 0)
        self.scenario.passes(99)
        self.isNotAsked()

    def test_whatNobodyWantsAnyMoreIsLeftAlone(self) -> None:
        """A refresh is no use: it is counted anew, after a 304 as after a 200."""
        for status, body in ((b"304 Not Modified", b""), (b"200 OK", b"hello")):
            self.stores(HUNDRED, A)
            self.uses()
            self.scenario.passes(91)
            self.origin = None
            self.isAsked()
            self.answers(HUNDRED, A, status=status, body=body)
            self.assertEqual(self.candidates, 0)
            self.scenario.passes(95)
            self.isNotAsked()
            self.uses(times=1)
            self.assertEqual(self.candidates, 0)
            self.scenario.passes(9)
            self.isNotAsked()
            self.cache.store.purge(Purge.ofPrefix(b""))
        self.assertEqual(self.cache.refreshes, 2)

    def test_whatIsStillWantedIsRefreshedAgain(self) -> None:
        """Once in each lifetime."""
        self.stores(HUNDRED, A)
        for _ in range(3):
            self.uses(times=5)
            self.assertEqual(self.candidates, 1)
            self.scenario.passes(91)
            self.origin = None
            self.isAsked(b'If-None-Match: "a"')
            self.answers(HUNDRED, A, status=b"304 Not Modified", body=b"")
        self.assertEqual(self.cache.refreshes, 3)

    def test_whatCantBeACandidate(self) -> None:
        """Short lives, what won't change, parts, and what is somebody's own."""
        self.asks(b"Range: bytes=0-1")
        self.isAsked()
        self.answers(
            HUNDRED, A, b"Content-Range: bytes 0-1/9", status=b"206 Partial Content", body=b"he"
        )
        self.gets(206, b"he")
        for _ in range(3):
            self.asks(b"Range: bytes=0-1")
            self.gets(206, b"he", hit=True)
        self.assertEqual(self.candidates, 0)
        for lines in (
            (b"Cache-Control: max-age=9", A),
            (b"Cache-Control: max-age=100, immutable", A),
            (HUNDRED, A, b"Vary: Cookie"),
            (HUNDRED, A, b"Vary: Accept, Authorization"),
        ):
            self.cache.store.purge(Purge.ofPrefix(b""))
            self.stores(*lines)
            self.uses(times=3)
            self.assertEqual(self.candidates, 0, lines)

    def test_notWhatIsStillOnItsWay(self) -> None:
        """Where it goes to a disk, it has a file by then, but not all of it."""
        self.asks()
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(
            b"HTTP/1.1 200 OK", b"Cache-Control: max-age=20", b"Content-Length: 5", b"", b"he"
        )
        first = self.client
        [entry] = self.cache.store.find(b"site http://a/").entries
        for file in (None, object()):
            entry.body.file = file
            self.client = self.scenario.client()
            self.asks()
            self.gets(body=b"he", hit=True)
        self.assertEqual(self.candidates, 1)
        self.scenario.passes(19)
        self.assertEqual(self.candidates, 0)
        self.isNotAsked()
        entry.body.file = None
        self.origin.sends(b"llo")
        first.takes()
        for side in self.scenario.sides:
            side.takes()

    def test_headCountsAsUse(self) -> None:
        """But what is asked is a GET."""
        self.stores(HUNDRED, A)
        for _ in range(2):
            self.asks(method=b"HEAD")
            self.gets(body=b"", hit=True)
        self.scenario.passes(91)
        self.isAsked(method=b"GET")
        self.answers(status=b"304 Not Modified", body=b"")

    def test_aRouteWithout(self) -> None:
        """By default nothing is refreshed, and there is no timer."""
        scenario = Scenario(self).caching().reverse()
        self.scenario, self.client, self.origin = scenario, scenario.client(), None
        self.stores(HUNDRED, A)
        self.uses(times=5)
        self.assertEqual(len(scenario.cache.refreshing), 0)


class RequestTests(RefreshTestCase):
    """What is asked, and of whom it tells."""

    def test_nobodysRequest(self) -> None:
        """What negotiates stays; what tells of the client does not, nor its address."""
        self.asks(b"Accept-Encoding: gzip")
        self.isAsked()
        self.answers(HUNDRED, A, b"Vary: X-Shop")
        self.gets()
        self.uses(
            b"Accept-Encoding: gzip",
            b"Accept: text/html",
            b"User-Agent: x",
            b"Cookie: a=b",
            b"Authorization: Basic x",
            b"X-Api-Key: secret",
            b"Referer: http://a/",
            b'If-None-Match: "z", "y"',
            b"X-Forwarded-For: 10.0.0.1",
        )
        self.scenario.passes(91)
        self.assertEqual(
            self.isAsked(),
            [
                b"GET / HTTP/1.1",
                b"Host: a",
                b"Accept-Encoding: gzip",
                b"Accept: text/html",
                b"User-Agent: x",
                b"Via: 1.1 test",
                b"Forwarded: for=unknown;host=a;proto=http",
                b"X-Forwarded-For: unknown",
                b"X-Forwarded-Proto: http",
                b"X-Forwarded-Host: a",
                b'If-None-Match: "a"',
                b"",
                b"",
            ],
        )
        self.answers(status=b"304 Not Modified", body=b"")

    def test_theSameVariant(self) -> None:
        """With the fields that selected it, and the tag of no other."""
        for shop, tag in ((b"1", b'"one"'), (b"2", b'"two"')):
            self.asks(b"X-Shop: " + shop)
            self.isAsked()
            self.answers(HUNDRED, b"ETag: " + tag, b"Vary: X-Shop", body=shop)
            self.gets(body=shop)
        self.uses(b"X-Shop: 1", body=b"1")
        self.scenario.passes(91)
        self.isAsked(b"X-Shop: 1", b'If-None-Match: "one"')
        self.answers(HUNDRED, b'ETag: "three"', b"Vary: X-Shop", body=b"3")
        self.uses(b"X-Shop: 1", body=b"3", times=1)
        self.uses(b"X-Shop: 2", body=b"2", times=1)

    def test_notTheVariantOfAnotherLanguage(self) -> None:
        """Where the preferred one chose it, the request does not say which it is."""
        self.asks(b"Accept-Language: de, en;q=0.5")
        self.isAsked()
        self.answers(HUNDRED, A, b"Vary: Accept-Language", b"Content-Language: de")
        self.gets()
        self.uses(b"Accept-Language: de, fr;q=0.1")
        self.assertEqual(self.candidates, 0)

    def test_whatTheKeyHas(self) -> None:
        """It is asked with the fields that are part of it; where a cookie is, not at all."""
        scenario = self.scenario
        [cache] = scenario.front._caches
        engine = scenario.front.engine
        for keys, candidates in (
            (KeyMaker(fields=[b"X-Shop"]), 1),
            (KeyMaker(fields=[b"Authorization"]), 0),
            (KeyMaker(cookies=[b"a"]), 0),
            (KeyMaker(cookies=[b"b"]), 1),
        ):
            other = RouteCache(self.cache, engine, keys, CacheRules(), False)
            other.refreshAhead(2)
            self.patch(cache.lookup, "_targets", other.lookup._targets)
            self.patch(cache.lookup, "ahead", other.lookup.ahead)
            self.cache.store.purge(Purge.ofPrefix(b""))
            lines = (b"X-Shop: 1", b"Authorization: x", b"Cookie: a=b")
            self.asks(*lines)
            self.isAsked()
            self.answers(HUNDRED + b", public", A)
            self.gets()
            self.uses(*lines)
            self.assertEqual(self.candidates, candidates)
            other.retire()

    def test_notWhatIsTooLong(self) -> None:
        """Requests are kept for a while, so there is not much of each."""
        self.stores(HUNDRED, A)
        self.uses(b"User-Agent: " + 2048 * b"x")
        self.assertEqual(self.candidates, 0)

    def test_aForwardFrontRefreshesToo(self) -> None:
        """From the target's own authority."""
        scenario = Scenario(self).caching().forward(cache=AGAIN)
        client = scenario.client()
        lines = (b"GET http://a.example/x HTTP/1.1", b"Host: a.example", b"Cookie: c", b"", b"")
        client.sends(*lines)
        origin = scenario.accepts("http://a.example:80")
        origin.takes()
        origin.sends(b"HTTP/1.1 200 OK", HUNDRED, A, b"Content-Length: 1", b"", b"x")
        for _ in range(3):
            client.takes()
            client.sends(*lines)
        client.takes()
        client.closes()
        scenario.passes(91)
        again = scenario.accepts("http://a.example:80")
        again.gets(
            b"GET /x HTTP/1.1",
            b"Host: a.example",
            b"Via: 1.1 test",
            b'If-None-Match: "a"',
            b"",
            b"",
        )
        again.sends(b"HTTP/1.1 304 Not Modified", HUNDRED, A, b"", b"")
        self.assertEqual(scenario.cache.refreshes, 1)


class TrustedTests(RefreshTestCase):
    """Behind proxies that are trusted."""

    trustedProxies = ("192.0.2.0/24",)

    def test_howItWasAskedIsTold(self) -> None:
        """Origins make links of it; for whom it was asked is not."""
        self.stores(HUNDRED, A)
        self.uses(
            b"X-Forwarded-For: 10.0.0.1",
            b"X-Real-IP: 10.0.0.1",
            b"X-Forwarded-Proto: https",
            b"X-Forwarded-Host: shop",
            b"X-Forwarded-Port: 443",
        )
        self.scenario.passes(91)
        asked = self.isAsked(
            b"X-Forwarded-For: 192.0.2.7",
            b"X-Forwarded-Proto: https",
            b"X-Forwarded-Host: shop",
            b"X-Forwarded-Port: 443",
        )
        self.assertNotIn(b"10.0.0.1", b"".join(asked))
        self.answers(status=b"304 Not Modified", body=b"")

    def test_notWhereBothAreOneField(self) -> None:
        """C{Forwarded} tells how and for whom."""
        self.stores(HUNDRED, A)
        self.uses(b"Forwarded: for=10.0.0.1;proto=https")
        self.assertEqual(self.candidates, 0)


class DroppedTests(RefreshTestCase):
    """What happens to candidates meanwhile."""

    def setUp(self) -> None:
        super().setUp()
        self.stores(HUNDRED, A)
        self.uses()
        self.assertEqual(self.candidates, 1)

    def tearDown(self) -> None:
        self.assertEqual(self.candidates, 0)

    def isDropped(self) -> None:
        """Nothing is asked, and no timer is left."""
        self.scenario.passes(91)
        self.isNotAsked()
        self.assertEqual(self.cache.refreshes, 0)

    def test_purged(self) -> None:
        """Softly or not."""
        self.cache.store.purge(Purge.ofPrefix(b""))
        self.isDropped()

    def test_purgedSoftly(self) -> None:
        """It is stale: who asks next validates it."""
        self.cache.store.purge(Purge.ofPrefix(b""), soft=True)
        self.isDropped()

    def test_replaced(self) -> None:
        """By what a client wanted newer: that is counted anew."""
        self.scenario.passes(1)
        self.asks(b"Cache-Control: no-cache")
        self.isAsked()
        self.answers(HUNDRED, A)
        self.gets()
        self.isDropped()

    def test_invalidated(self) -> None:
        """By a POST (RFC 9111 §4.4)."""
        self.asks(method=b"POST")
        self.isAsked(method=b"POST")
        self.answers()
        self.gets()
        self.isDropped()

    def test_fetchedByAClient(self) -> None:
        """One request is enough."""
        self.scenario.passes(89)
        self.asks(b"Cache-Control: max-age=1")
        self.origin = None
        self.isAsked()
        self.scenario.passes(3)
        self.isNotAsked()
        self.answers(HUNDRED, A)
        self.gets()
        self.assertEqual(self.cache.refreshes, 0)

    def test_whenTheFrontDrains(self) -> None:
        """Nobody will ask it; and what is used until the end makes no candidate."""
        self.scenario.front.drain()
        self.assertEqual(self.candidates, 0)
        self.isDropped()

    def test_whenTheCacheIsClosed(self) -> None:
        """The timer ends, and none begins again."""
        self.cache.close()
        # The origin's connection has its own.
        self.scenario.pool.close()
        self.cache.close()
        self.isDropped()

    def test_noneAfterTheEnd(self) -> None:
        """What is used then is used, and that is all."""
        self.cache.close()
        self.scenario.passes(200)
        self.origin = None
        self.stores(HUNDRED, A)
        self.uses()
        self.isDropped()

    def test_nothingOfTheEntryIsKeptAlive(self) -> None:
        """Content that the store lets go is free, though there is a candidate."""
        assert self.cache.refreshing is not None
        [(_, _, candidate)] = self.cache.refreshing._line
        # Compiled classes have no slots, but tell the collector what they refer to.
        held = [type(each).__name__ for each in gc.get_referents(candidate)]
        self.assertIn("RequestHead", held)
        self.assertNotIn("Entry", held)
        self.assertNotIn("Shelf", held)
        self.assertNotIn("Exchange", held)
        self.cache.close()


class FailureTests(RefreshTestCase):
    """A refresh never makes it worse."""

    def setUp(self) -> None:
        super().setUp()
        self.stores(HUNDRED, A)
        self.uses()
        self.scenario.passes(91)
        self.isAsked(b'If-None-Match: "a"')

    def isStillThere(self) -> None:
        """The entry is as it was, until it expires; and nothing is tried before that."""
        self.assertEqual(self.cache.background, 0)
        self.scenario.passes(7)
        self.isNotAsked()
        self.asks()
        self.gets(hit=True)
        self.isNotAsked()
        self.scenario.passes(3)
        self.asks()
        self.origin = None
        self.isAsked(b'If-None-Match: "a"')
        self.answers(HUNDRED, A)
        self.gets(hit=False)

    def test_anError(self) -> None:
        """That is nothing that clients need to see."""
        self.answers(b"Cache-Control: max-age=50", status=b"503 Service Unavailable", body=b"no")
        self.isStillThere()

    def test_aBrokenConnection(self) -> None:
        """The origin is left alone then."""
        assert self.origin is not None
        self.origin.closes()
        assert self.cache.refreshing is not None
        self.assertEqual(len(self.cache.refreshing.quiet), 1)
        self.isStillThere()

    def test_aRefusal(self) -> None:
        """As the request lacks what the clients say of themselves."""
        for status in (b"401 Unauthorized", b"403 Forbidden", b"302 Found", b"404 Not Found"):
            self.answers(b"Cache-Control: max-age=50", status=status, body=b"no")
            self.isStillThere()
            self.uses()
            self.scenario.passes(91)
            self.origin = None
            self.isAsked()
        self.answers(HUNDRED, A, status=b"304 Not Modified", body=b"")

    def test_whatMayNotBeStored(self) -> None:
        """It may be for those that nobody knows."""
        self.answers(b"Cache-Control: private", body=b"other")
        self.isStillThere()

    def test_aBreakInTheMiddle(self) -> None:
        """What had been replaced is back."""
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 200 OK", HUNDRED, A, b"Content-Length: 9", b"", b"123")
        self.assertEqual(self.cache.store.count, 1)
        self.origin.closes()
        self.isStillThere()

    def test_aBreakWhenSomeOfItIsGone(self) -> None:
        """What had been replaced does not come back without its beginning."""
        assert self.origin is not None
        [shelf] = self.cache.store._byKey.values()
        body = shelf.entries[0].body
        self.origin.sends(b"HTTP/1.1 200 OK", HUNDRED, A, b"Content-Length: 9", b"", b"123")
        # As for a slow reader when there is no room for what has left the store.
        self.assertEqual(body.shed(body.octets), 5)
        self.origin.closes()
        self.assertEqual(self.cache.store.count, 0)
        self.asks()
        self.origin = None
        self.isAsked()
        self.answers(HUNDRED, A)
        self.gets(hit=False)

    def test_aBreakAfterAPurge(self) -> None:
        """What was purged does not come back."""
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 200 OK", HUNDRED, A, b"Content-Length: 9", b"", b"123")
        self.cache.store.purge(Purge.ofPrefix(b""))
        self.origin.closes()
        self.assertEqual(self.cache.store.count, 0)

    def test_aBreakAfterASoftPurge(self) -> None:
        """What had been replaced is back, and as stale as what was purged."""
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 200 OK", HUNDRED, A, b"Content-Length: 9", b"", b"123")
        self.cache.purge(Purge.ofPrefix(b""), soft=True)
        self.origin.closes()
        self.asks()
        self.origin = None
        self.isAsked(b'If-None-Match: "a"')
        self.answers(HUNDRED, A)
        self.assertIn(b"fwd=stale", self.gets(hit=False)[b"cache-status"])

    def test_aBreakAfterAChange(self) -> None:
        """What was replaced may have been changed, though its successor is stored still."""
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 200 OK", HUNDRED, A, b"Content-Length: 9", b"", b"123")
        self.cache.purges.changes.note(b"site http://a/")
        self.origin.closes()
        self.assertEqual(self.cache.store.count, 0)

    def test_aBreakOfWhatMustBeValidated(self) -> None:
        """Then so must what is back."""
        assert self.origin is not None
        control = b"Cache-Control: no-cache"
        self.origin.sends(b"HTTP/1.1 200 OK", control, A, b"Content-Length: 9", b"", b"123")
        self.origin.closes()
        self.asks()
        self.origin = None
        self.isAsked(b'If-None-Match: "a"')
        self.answers(status=b"304 Not Modified", body=b"")
        self.assertIn(b"fwd=stale", self.gets()[b"cache-status"])

    def test_whatWasPurgedMeanwhileStaysAway(self) -> None:
        """The answer may be from before the purge."""
        self.cache.store.purge(Purge.ofPrefix(b""))
        self.answers(HUNDRED, A, status=b"304 Not Modified", body=b"")
        self.assertEqual(self.cache.store.count, 0)
        self.assertEqual(self.cache.background, 0)

    def test_whoAsksMeanwhileWaitsForIt(self) -> None:
        """When it has expired before the answer is there."""
        self.scenario.passes(10)
        self.asks()
        self.isNotAsked()
        self.answers(HUNDRED, A, status=b"304 Not Modified", body=b"")
        self.assertIn(b"collapsed", self.gets()[b"cache-status"])

    def test_whoWaitedForWhatDoesNotCountAsksForAll(self) -> None:
        """Of those for whom it has expired meanwhile, one asks and the others wait again."""
        for status, line in (
            (b"302 Found", b"Cache-Control: max-age=50"),
            (b"200 OK", b"Cache-Control: private"),
        ):
            self.scenario.passes(10)
            clients = [self.scenario.client() for _ in range(3)]
            for client in clients:
                client.sends(b"GET / HTTP/1.1", b"Host: a", b"", b"")
            self.isNotAsked()
            self.answers(line, status=status, body=b"other")
            self.isAsked(b'If-None-Match: "a"')
            self.isNotAsked()
            self.answers(HUNDRED, A, status=b"304 Not Modified", body=b"")
            for self.client in clients:
                self.gets()
            self.uses()
            self.scenario.passes(91)
            self.origin = None
            self.isAsked(b'If-None-Match: "a"')
        self.answers(HUNDRED, A, status=b"304 Not Modified", body=b"")

    def test_aLeaderThatFailsLeavesWhatIsStale(self) -> None:
        """Those who waited get it, if it may stand in for an error."""
        self.scenario.passes(10)
        self.asks()
        self.answers(status=b"503 Service Unavailable", body=b"no")
        self.gets()
        self.isNotAsked()

    def test_theEndInTheMiddle(self) -> None:
        """A stop ends it with the connection."""
        self.scenario.front.drain()
        self.cache.close()
        assert self.origin is not None
        self.origin.closes()
        self.assertEqual(self.cache.background, 0)


class PurgedTests(RefreshTestCase):
    """What a refresh replaced is purged before it breaks off."""

    def begins(self, *lines: bytes) -> None:
        """A refresh has replaced what is stored, and brought some of it."""
        self.stores(HUNDRED, A, *lines)
        self.uses()
        self.scenario.passes(91)
        self.isAsked(b'If-None-Match: "a"')
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 200 OK", HUNDRED, A, b"Content-Length: 9", b"", b"123")

    def breaks(self, soft: bool) -> None:
        """It breaks off: what had been replaced is gone, or stale."""
        assert self.origin is not None
        self.origin.closes()
        while self.cache.purging:
            self.scenario.clock.advance(0.1)
        self.asks()
        self.origin = None
        self.isAsked(*[b'If-None-Match: "a"'] if soft else [])
        self.answers(HUNDRED, A)
        expected = b"fwd=stale" if soft else b"fwd=uri-miss"
        self.assertIn(expected, self.gets(hit=False)[b"cache-status"])
        self.cache.purge(Purge.ofPrefix(b""))

    def test_byWhatItsSuccessorHasNot(self) -> None:
        """A tag, which the response does not name any more."""
        for soft in (False, True):
            self.begins(b"Cache-Tag: t")
            self.cache.purge(Purge.ofTag(b"t"), soft)
            self.breaks(soft)

    def test_inTurns(self) -> None:
        """It does not come back behind a purge of very many."""
        for soft in (False, True):
            for number in range(4 * UNTIMED):
                self.cache.store.add(entryOf(b"site http://b/%d" % number))
            self.begins()
            times = count(self.scenario.clock.seconds(), FIRST_SECONDS)
            patched = self.patch(self.scenario.clock, "seconds", lambda times=times: next(times))
            answer = self.cache.purge(Purge.ofPrefix(b"http://"), soft)
            patched.restore()
            self.assertNoResult(answer)
            self.breaks(soft)


class QuietTests(SynchronousTestCase):
    """Origins that fail are left alone."""

    def test_twiceAsLongEachTime(self) -> None:
        """Up to a limit, and not at all when it answers."""
        quiet = Quiet()
        self.assertEqual(quiet.until("a"), 0.0)
        now, seconds = 0.0, QUIET_SECONDS
        for _ in range(9):
            quiet.failed("a", now, now + 1)
            self.assertEqual(quiet.until("a"), now + 1 + min(seconds, LONGEST_QUIET_SECONDS))
            seconds *= 2
            now += 1000
        self.assertEqual(quiet.until("b"), 0.0)
        quiet.answered("a")
        quiet.answered("b")
        self.assertEqual((quiet.until("a"), len(quiet)), (0.0, 0))

    def test_whatFailsAtOnceIsOneFailure(self) -> None:
        """All that was under way when it was noted."""
        quiet = Quiet()
        for moment in (10.0, 10.0, 11.0, 12.0):
            quiet.failed("a", 9.0, moment)
        self.assertEqual(quiet.until("a"), 10.0 + QUIET_SECONDS)

    def test_theirNumberIsBounded(self) -> None:
        """The one that is known longest is forgotten."""
        quiet = Quiet()
        for number in range(2000):
            quiet.failed(number, 0.0, 1.0)
        self.assertEqual(len(quiet), 1024)
        self.assertEqual(quiet.until(0), 0.0)


class BudgetTests(SynchronousTestCase):
    """How many, and how many at once."""

    def setUp(self) -> None:
        self.scenario = Scenario(self).caching().reverse()
        self.clock = self.scenario.clock
        self.cache: Any = self.scenario.cache
        self.refreshing: Refreshing = self.cache.refreshing
        self.begun: list[bytes] = []
        #: Where what is begun stays under way.
        self.busy = False
        self.under: list[Exchange] = []
        self.ahead = self.route()

    def route(self) -> Ahead:
        """A route that asks for nothing, but notes that it would."""
        engine = self.scenario.front.engine
        route = RouteCache(self.cache, engine, KeyMaker(), CacheRules(), False)
        steps: dict[str, Any] = {"fetch": (self.begin,), "finish": (route.settle, engine.end)}
        route.useInBackground(Program("test", steps))
        route.refreshAhead(2)
        assert route.lookup.ahead is not None
        return route.lookup.ahead

    def begin(self, exchange: Exchange) -> Any:
        """Be the origin."""
        assert exchange.request is not None
        self.begun.append(exchange.request.target[1:])
        if self.busy:
            self.under.append(exchange)
            return PARKED
        exchange.response = ResponseHead(304, b"", 11, EMPTY, 0, True)
        return None

    def want(self, name: bytes, due: float, host: str = "a") -> None:
        """Make an entry that is due in so many seconds."""
        entry = entryOf(name, expires=self.clock.seconds() + 1000)
        self.cache.store.add(entry)
        head = RequestHead(b"GET", b"/" + name, 11, EMPTY, host=host.encode())
        exchange = Exchange(self.scenario.front.front, Nobody(), head, "", 0.0)
        target = Target("http", host, 80, b"/" + name, b"")
        candidate = Candidate(self.ahead, exchange, entry, target, head, "")
        self.refreshing.add(candidate, self.clock.seconds() + due)

    def test_inTheOrderInWhichTheyAreDue(self) -> None:
        """With one timer for all of them."""
        for name, due in ((b"1", 30.0), (b"2", 10.0), (b"3", 20.0), (b"4", 10.0)):
            self.want(name, due)
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(10)
        self.assertEqual(self.begun, [b"2", b"4"])
        self.clock.advance(10)
        self.clock.advance(10)
        self.assertEqual(self.begun, [b"2", b"4", b"3", b"1"])
        self.assertEqual((self.cache.refreshes, self.cache.background), (4, 0))
        self.assertIn("refreshes=4", repr(self.cache))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_soManyInASecond(self) -> None:
        """The rest comes later; what can't be refreshed any more is not counted."""
        for number in range(200):
            self.want(b"%d" % number, 10.0)
        for number in range(0, 200, 2):
            self.cache.store.purge(Purge.ofKey(b"%d" % number))
        self.clock.advance(10)
        self.assertEqual(len(self.begun), PER_SECOND)
        self.clock.pump([0.1] * 10)
        self.assertLessEqual(abs(len(self.begun) - 2 * PER_SECOND), 4)
        self.clock.pump([0.1] * 30)
        self.assertEqual(len(self.begun), 100)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_notBesideTooManyOthers(self) -> None:
        """There is one budget for all that is done in the background."""
        self.cache.background = BACKGROUND - 1
        self.busy = True
        for name in (b"1", b"2", b"3"):
            self.want(name, 10.0)
        self.clock.pump([10, 1, 1, 1])
        self.assertEqual(self.begun, [b"1"])
        [exchange] = self.under
        self.scenario.front.engine.proceed(exchange)
        self.clock.pump([1, 1])
        self.assertEqual(self.begun, [b"1", b"2"])
        self.cache.close()
        self.assertEqual(len(self.refreshing), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_theirNumberIsBounded(self) -> None:
        """Those that are due last leave: they have time to come again."""
        for number in range(CANDIDATES + 10):
            self.want(b"%d" % number, 9999.0 - number)
        self.assertEqual(len(self.refreshing), CANDIDATES)
        self.assertEqual(self.refreshing._line[0][2].key, b"10")

    def test_whoseOriginIsQuietWaits(self) -> None:
        """As long as that, if there is time; others do not."""
        origin = ("http", "a", 80)
        now = self.clock.seconds()
        self.refreshing.quiet.failed(origin, 0.0, now + 8.0)
        self.want(b"1", 10.0)
        self.want(b"2", 10.0, "b")
        self.assertEqual(repr(self.refreshing), "<Refreshing candidates=2 quiet=1>")
        self.clock.advance(10)
        self.assertEqual(self.begun, [b"2"])
        self.clock.advance(3)
        self.assertEqual(self.begun, [b"2", b"1"])
        self.assertEqual(len(self.refreshing.quiet), 0)
        self.want(b"3", 999.0)
        self.refreshing.quiet.failed(origin, now + 20, now + 1011)
        self.clock.advance(999)
        self.assertEqual(self.begun, [b"2", b"1"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_theTimerGoesWithTheLast(self) -> None:
        """When a route is no more."""
        self.want(b"1", 10.0)
        self.refreshing.forget(self.route())
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.refreshing.forget(self.ahead)
        self.refreshing.forget(self.ahead)
        self.assertEqual(self.clock.getDelayedCalls(), [])
