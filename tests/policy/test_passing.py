# -*- test-case-name: tests.policy.test_passing -*-
"""
Requests whose answers are not expected to be stored, through whole fronts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from intermediary.errors import RequestDenied
from intermediary.policy.purging import Purge
from intermediary.settings import RouteCacheSettings, RouteSettings

from ..scenario import Scenario
from .test_cache import WEB, CacheTestCase

if TYPE_CHECKING:
    from intermediary.exchange import Exchange
    from tests.scenario import Side

UNSTORED = b"Cache-Control: no-store"
LONG = b"Cache-Control: max-age=60"
PASSED = b"test; fwd=uri-miss"


class Seeing:
    """
    A component that notes by which programs requests are sent on.

    @ivar refusing: when it is to refuse a request: with its answer, or its reply.
    """

    def __init__(self) -> None:
        self.programs: list[str] = []
        self.refusing = ""

    def onFetch(self, exchange: Exchange) -> None:
        """Note it."""
        self.programs.append(exchange.program.name)

    def onFetched(self, exchange: Exchange) -> None:
        """There is a response."""
        if self.refusing == "answer":
            raise RequestDenied("no")

    def onDeliver(self, exchange: Exchange) -> None:
        """There is a reply."""
        if self.refusing == "reply":
            self.refusing = ""
            raise RequestDenied("no")


class PassingTestCase(CacheTestCase):
    """A route that knows of something that its answers are not to be stored."""

    def setUp(self) -> None:
        self.serves(self.caching)

    def serves(self, caching: RouteCacheSettings) -> None:
        """Begin with a route."""
        self.seeing = Seeing()
        self.scenario = Scenario(self).caching()
        self.scenario.reverse(
            components=(self.seeing,), routes=(RouteSettings(upstream=WEB, cache=caching),)
        )
        self.client = self.scenario.client()
        self.origin: Side | None = None
        self.asks()
        self.isAsked()
        self.answers(UNSTORED)
        self.gets()

    def isPassed(self, expected: bool = True) -> None:
        """Whether the last request was sent on by the shorter program."""
        self.assertEqual(self.seeing.programs[-1].endswith(" (passing)"), expected)

    def counts(self) -> tuple[int, int, int]:
        """Hits, misses and what was stored."""
        cache = self.scenario.cache
        return cache.hits, cache.misses, cache.stored


class PassingTests(PassingTestCase):
    """The requests that follow."""

    def test_theNextOne(self) -> None:
        """Passes, and is told so; the first one did not know of it."""
        self.isPassed(False)
        for number in range(2, 4):
            self.asks()
            self.isAsked(b"Host: a", b"X-Forwarded-Host: a")
            self.isPassed()
            self.answers(UNSTORED)
            self.assertEqual(self.gets()[b"cache-status"], PASSED)
            self.assertEqual(self.counts(), (0, number, 0))

    def test_twoAtOnce(self) -> None:
        """Do not wait for each other."""
        self.asks()
        self.isAsked()
        with self.anotherClient():
            self.asks()
            self.isAsked()
            self.answers(UNSTORED)
            self.gets()
        self.answers(UNSTORED)
        self.gets()
        self.isPassed()

    def test_whoKnowsWhatItHas(self) -> None:
        """A client's own precondition goes on, and a 304 comes back."""
        self.asks(b'If-None-Match: "a"')
        self.isAsked(b'If-None-Match: "a"')
        self.isPassed()
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 304 Not Modified", b'ETag: "a"', b"", b"")
        self.assertEqual(self.gets(304, b"")[b"cache-status"], PASSED)

    def test_a304ThatNobodyAskedFor(self) -> None:
        """Is as wrong as ever."""
        self.asks()
        self.isAsked()
        self.isPassed()
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 304 Not Modified", b'ETag: "a"', b"", b"")
        status = self.gets(502, None)[b"cache-status"]
        self.assertEqual(status, b"test; fwd=uri-miss; fwd-status=304")
        self.assertEqual(self.scenario.outcomes()[-1], (502, "http_protocol_error"))

    def test_itIsStoredAfterAll(self) -> None:
        """By what the answer says, and from then on nothing passes."""
        self.asks()
        self.isAsked()
        self.isPassed()
        self.answers(LONG)
        fields = self.gets()
        self.assertEqual(
            fields[b"cache-status"], b"test; fwd=uri-miss; fwd-status=200; ttl=60; stored"
        )
        self.assertEqual(self.counts(), (0, 2, 1))
        self.scenario.passes(7)
        self.asks()
        self.assertEqual(self.gets(hit=True)[b"age"], b"7")
        self.scenario.passes(54)
        self.asks()
        self.isAsked()
        self.isPassed(False)

    def test_contentThatIsStillComing(self) -> None:
        """Is in the store for others, while it does."""
        self.asks()
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 200 OK", LONG, b"Content-Length: 5", b"", b"he")
        self.client.gets(b"HTTP/1.1 200 OK", ..., b"", b"he")
        with self.anotherClient():
            self.asks()
            self.gets(body=b"he", hit=True)
            second = self.client
        self.origin.sends(b"llo")
        self.assertEqual((self.client.takes(), second.takes()), (b"llo", b"llo"))

    def test_forSoLong(self) -> None:
        """After two minutes one of them is waited for again."""
        self.scenario.passes(119)
        self.client = self.scenario.client()
        self.asks()
        self.isAsked()
        self.isPassed()
        self.answers(UNSTORED)
        self.gets()
        self.scenario.passes(1)
        self.asks()
        self.isAsked()
        self.isPassed(False)

    def test_whatWasPurgedMeanwhile(self) -> None:
        """Is not stored: it was asked for before."""
        for purge in (Purge.ofHost(b"a"), None):
            self.serves(self.caching)
            self.asks()
            self.isAsked()
            self.isPassed()
            if purge is None:
                self.isOvertaken()
            else:
                self.scenario.cache.purge(purge)
            self.answers(LONG)
            self.assertEqual(self.gets()[b"cache-status"], PASSED)
            self.assertEqual(self.scenario.cache.store.count, 0)

    def test_anotherAttempt(self) -> None:
        """Passes, too; what it brings may have been on its way since the first one."""
        self.asks()
        self.isAsked()
        first, self.origin = self.origin, None
        assert first is not None
        self.scenario.passes(3)
        first.closes()
        self.isAsked(b"Host: a")
        self.isPassed()
        self.answers(LONG)
        self.assertIn(b"; ttl=57; stored", self.gets()[b"cache-status"])
        self.assertEqual(len(self.seeing.programs), 3)


class OthersTests(PassingTestCase):
    """What goes through the whole program."""

    def isWhole(self, *lines: bytes, target: bytes = b"/", method: bytes = b"GET") -> None:
        """A request is sent on by that."""
        self.asks(*lines, target=target, method=method)
        self.isAsked(method=method)
        self.isPassed(False)
        self.answers(UNSTORED, body=b"" if method == b"HEAD" else b"hello")
        self.gets(body=None)

    def test_otherRequests(self) -> None:
        """Of other methods, with other keys, with content."""
        self.isWhole(target=b"/other")
        self.isWhole(b"Content-Length: 0", method=b"POST")
        self.asks(b"Content-Length: 1", b"", b"x")
        self.isAsked()
        self.isPassed(False)

    def test_otherSpellings(self) -> None:
        """Of the target or of the host: somebody has to change them."""
        self.isWhole(target=b"/x/..")
        for host in (b"A", b"a.", b"a:80"):
            for _ in range(2):
                self.client.sends(b"GET / HTTP/1.1", b"Host: " + host, b"", b"")
                self.isAsked(b"Host: a")
                self.isPassed(False)
                self.answers(UNSTORED)
                self.gets()

    def test_whoTakesNothingElse(self) -> None:
        """C{only-if-cached} is not sent on at all (RFC 9111 §5.2.1.7)."""
        self.asks(b"Cache-Control: only-if-cached")
        self.gets(504, None)
        self.isNotAsked()

    def test_routesThatCount(self) -> None:
        """Each of the requests counts there."""
        self.serves(RouteCacheSettings(minUses=2))
        for _ in range(3):
            self.isWhole()

    def test_forwardFronts(self) -> None:
        """There the host of the key may be another name for who is asked."""
        seeing = self.seeing = Seeing()
        scenario = Scenario(self).caching().forward(components=(seeing,))
        client = scenario.client()
        origin = None
        for _ in range(3):
            client.sends(b"GET http://a.example/ HTTP/1.1", b"Host: a.example", b"", b"")
            origin = origin or scenario.accepts("http://a.example:80")
            origin.gets(b"GET / HTTP/1.1", ...)
            origin.sends(b"HTTP/1.1 200 OK", UNSTORED, b"Content-Length: 0", b"", b"")
            client.gets(b"HTTP/1.1 200 OK", ...)
        self.assertEqual(len(seeing.programs), 3)
        self.isPassed(False)


class RefusedTests(PassingTestCase):
    """Whose answers somebody refuses."""

    def test_anAnswerThatIsRefused(self) -> None:
        """Before or after it was looked at: the client is told how it was sent on."""
        for self.seeing.refusing in ("answer", "reply"):
            self.asks()
            self.isAsked()
            self.isPassed()
            self.answers(UNSTORED)
            fields = self.gets(403, None)
            self.assertEqual(fields[b"cache-status"], b"test; fwd=uri-miss; fwd-status=200")
            self.origin = None

    def test_whatIsRefusedBeforeIsNotStored(self) -> None:
        """Though it could be."""
        self.seeing.refusing = "answer"
        self.asks()
        self.isAsked()
        self.answers(LONG)
        self.gets(403, None)
        self.assertEqual(self.scenario.cache.store.count, 0)

    def test_noAnswer(self) -> None:
        """The error says how it was sent on as well."""
        self.asks()
        self.isAsked()
        first, self.origin = self.origin, None
        assert first is not None
        first.closes()
        self.isAsked()
        assert self.origin is not None
        self.origin.closes()
        self.assertEqual(self.gets(502, None)[b"cache-status"], PASSED)


class ToldTests(PassingTestCase):
    """Routes that say more or less in C{Cache-Status}."""

    def test_theKey(self) -> None:
        """As for others."""
        self.serves(RouteCacheSettings(cacheStatus="key"))
        self.asks()
        self.isAsked()
        self.isPassed()
        self.answers(UNSTORED)
        self.assertEqual(self.gets()[b"cache-status"], b'test; fwd=uri-miss; key="site http://a/"')

    def test_nothing(self) -> None:
        """To clients."""
        self.serves(RouteCacheSettings(cacheStatus="off"))
        self.asks()
        self.isAsked()
        self.isPassed()
        self.answers(UNSTORED)
        self.assertNotIn(b"cache-status", self.gets())
