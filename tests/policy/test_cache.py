# -*- test-case-name: tests.policy.test_cache -*-
"""
The cache through whole fronts, in transcripts (RFC 9111).
"""

from __future__ import annotations

from contextlib import contextmanager
from email.utils import formatdate
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.purging import Purge
from intermediary.settings import CacheSettings, RouteCacheSettings, RouteSettings, UpstreamSettings

from ..scenario import VIA, Scenario, Side

if TYPE_CHECKING:
    from collections.abc import Iterator

    from intermediary.exchange import Exchange

WEB = UpstreamSettings(name="web", servers=("http://127.0.0.1:9000",))


class CacheTestCase(SynchronousTestCase):
    """
    A reverse front with a cache, a client and an origin.

    @cvar caching: how its route is cached.
    """

    caching = RouteCacheSettings()

    def setUp(self) -> None:
        self.scenario = Scenario(self).caching(CacheSettings(maxObjectOctets=100_000))
        self.scenario.reverse(routes=(RouteSettings(upstream=WEB, cache=self.caching),))
        self.client = self.scenario.client()
        self.origin: Side | None = None

    def now(self, seconds: float = 0) -> bytes:
        """A date, by the clock of the scenario."""
        return formatdate(self.scenario.clock.seconds() + seconds, usegmt=True).encode()

    @contextmanager
    def anotherClient(self) -> Iterator[None]:
        """Be another client for a while, with a connection to the origin of its own."""
        first, self.client = (self.origin, self.client), self.scenario.client()
        self.origin = None
        yield
        self.origin, self.client = first

    def isOvertaken(self) -> None:
        """While the origin is asked, another client changes what it is about."""
        with self.anotherClient():
            self.asks(b"Content-Length: 0", method=b"POST")
            self.isAsked(method=b"POST")
            self.answers(body=b"done")
            self.gets(body=b"done")

    def asks(self, *lines: bytes, target: bytes = b"/", method: bytes = b"GET") -> None:
        """The client asks."""
        self.client.sends(method + b" " + target + b" HTTP/1.1", b"Host: a", *lines, b"", b"")

    def isAsked(self, *expected: bytes, method: bytes = b"GET") -> list[bytes]:
        """The origin is asked, with these lines among others; return all of them."""
        if self.origin is None or not self.origin.transport.connected:
            self.origin = self.scenario.accepts()
        asked = self.origin.takes().split(b"\r\n")
        self.assertTrue(asked[0].startswith(method + b" "), asked)
        for line in expected:
            self.assertIn(line, asked)
        return asked

    def isNotAsked(self) -> None:
        """The origin hears nothing."""
        if self.origin is not None:
            self.origin.getsNothing()
        self.scenario.connectsNowhere()

    def answers(self, *lines: bytes, body: bytes = b"hello", status: bytes = b"200 OK") -> None:
        """The origin answers."""
        assert self.origin is not None
        self.origin.sends(
            b"HTTP/1.1 " + status,
            b"Date: " + self.now(),
            b"Content-Length: %d" % len(body),
            *lines,
            b"",
            body,
        )

    def gets(
        self, status: int = 200, body: bytes | None = b"hello", *, hit: bool | None = None
    ) -> dict[bytes, bytes]:
        """The client gets an answer; return its fields."""
        heard = self.client.takes()
        head, end, content = heard.partition(b"\r\n\r\n")
        self.assertTrue(end, heard)
        lines = head.split(b"\r\n")
        self.assertTrue(lines[0].startswith(b"HTTP/1.1 %d " % status), lines)
        if body is not None:
            self.assertEqual(content, body)
        pairs = [line.partition(b": ")[::2] for line in lines[1:]]
        fields = {name.lower(): value for name, value in pairs}
        self.assertEqual(len(fields), len(pairs), lines)
        if hit is not None:
            self.assertEqual(b"; hit" in fields[b"cache-status"], hit, fields)
        return fields

    def stores(self, *lines: bytes, **more: bytes) -> dict[bytes, bytes]:
        """One exchange whose answer is stored."""
        self.asks()
        self.isAsked()
        self.answers(*lines, **more)
        fields = self.gets(body=more.get("body", b"hello"))
        self.assertIn(b"; stored", fields[b"cache-status"])
        return fields


class HitTests(CacheTestCase):
    """What is fresh is used (RFC 9111 §4)."""

    def test_theSecondRequestIsAHit(self) -> None:
        """With C{Age} and C{Cache-Status}, and otherwise as it was."""
        first = self.stores(b"Cache-Control: max-age=60", b"X: y", b'ETag: "a"')
        self.assertEqual(
            first[b"cache-status"], b"test; fwd=uri-miss; fwd-status=200; ttl=60; stored"
        )
        self.scenario.passes(7)
        self.asks()
        second = self.gets(hit=True)
        self.isNotAsked()
        self.assertEqual(second.pop(b"age"), b"7")
        self.assertEqual(second.pop(b"cache-status"), b"test; hit; ttl=53")
        del first[b"cache-status"]
        first.pop(b"age", None)
        self.assertEqual(second, first)
        self.assertEqual(self.scenario.outcomes(), [(200, ""), (200, "")])

    def test_notBeyondItsTime(self) -> None:
        """Then it is validated, and the origin's word counts (RFC 9111 §4.3)."""
        self.stores(b"Cache-Control: max-age=60", b'ETag: "a"')
        self.scenario.passes(61)
        self.asks()
        self.isAsked(b'If-None-Match: "a"')
        self.answers(b"Cache-Control: max-age=60", b'ETag: "b"', body=b"new")
        self.assertIn(b"fwd=stale", self.gets(body=b"new")[b"cache-status"])
        self.asks()
        self.gets(body=b"new", hit=True)

    def test_aValidationMakesItFresh(self) -> None:
        """A 304 updates its fields and is no answer to the client (RFC 9111 §4.3.4)."""
        self.stores(b"Cache-Control: max-age=60", b'ETag: "a"', b"X: old")
        self.scenario.passes(61)
        self.asks()
        self.isAsked(b'If-None-Match: "a"')
        assert self.origin is not None
        self.origin.sends(
            b"HTTP/1.1 304 Not Modified",
            b"Date: " + self.now(),
            b'ETag: "a"',
            b"Cache-Control: max-age=60",
            b"X: new",
            b"",
            b"",
        )
        fields = self.gets()
        self.assertEqual(fields[b"x"], b"new")
        self.assertEqual(
            fields[b"cache-status"], b"test; fwd=stale; fwd-status=304; ttl=60; stored"
        )
        self.scenario.passes(30)
        self.asks()
        self.assertEqual(self.gets(hit=True)[b"age"], b"30")

    def test_headIsAnsweredFromAGet(self) -> None:
        """With the length and no content (RFC 9110 §9.3.2)."""
        self.stores(b"Cache-Control: max-age=60")
        self.asks(method=b"HEAD")
        self.assertEqual(self.gets(body=b"", hit=True)[b"content-length"], b"5")

    def test_whatIsNotToBeStoredIsNot(self) -> None:
        """And says why it was sent on."""
        for lines in (
            (b"Cache-Control: no-store",),
            (b"Cache-Control: private",),
            (b"Cache-Control: max-age=60", b"Vary: *"),
            (),
        ):
            for _ in range(2):
                self.asks(target=b"/" + b"".join(lines).replace(b" ", b""))
                self.isAsked()
                self.answers(*lines)
                self.assertNotIn(b"stored", self.gets()[b"cache-status"])

    def test_aRefusalOfOneClientLeavesWhatIsStored(self) -> None:
        """
        It says nothing of what others get: whoever may ask for something fresher could
        otherwise have anything forgotten, and the origin that has enough gets more.
        """
        self.stores(b"Cache-Control: max-age=60")
        for status in (b"429 Too Many Requests", b"431 Request Header Fields Too Large"):
            for lines in ((), (b"Cache-Control: no-store",), (b"Cache-Control: max-age=9",)):
                self.asks(b"Cache-Control: no-cache")
                self.isAsked()
                self.answers(*lines, status=status, body=b"no")
                self.gets(int(status[:3]), b"no", hit=False)
                self.asks()
                self.gets(hit=True)
        self.scenario.clock.advance(61)
        self.asks()
        self.isAsked()
        self.answers(status=b"429 Too Many Requests", body=b"no")
        self.gets(429, b"no", hit=False)
        self.asks()
        self.isAsked()
        self.answers(status=b"503 x", body=b"no")
        self.assertIn(b"fwd=stale; fwd-status=503", self.gets()[b"cache-status"])

    def test_aRefusalOfAllIsTheCurrentAnswer(self) -> None:
        """What it takes the place of is not used any more."""
        self.stores(b"Cache-Control: max-age=60")
        self.asks(b"Cache-Control: no-cache")
        self.isAsked()
        self.answers(status=b"403 Forbidden", body=b"no")
        self.gets(403, b"no", hit=False)
        self.asks()
        self.isAsked()
        self.answers()
        self.gets(hit=False)

    def test_otherMethodsGoOn(self) -> None:
        """And invalidate what they may have changed (RFC 9111 §4.4)."""
        self.stores(b"Cache-Control: max-age=60")
        self.asks(b"Content-Length: 0", method=b"POST")
        self.isAsked(method=b"POST")
        self.answers(b"Cache-Control: max-age=60", body=b"done")
        self.assertIn(b"fwd=method", self.gets(body=b"done")[b"cache-status"])
        self.asks()
        self.isAsked()
        self.answers()
        self.gets(hit=False)

    def test_variants(self) -> None:
        """Each has its own answer (RFC 9111 §4.1)."""
        for language in (b"en", b"de"):
            self.asks(b"Accept-Language: " + language)
            self.isAsked()
            self.answers(b"Cache-Control: max-age=60", b"Vary: Accept-Language", body=language)
            self.gets(body=language, hit=False)
        for language in (b"en", b"de", b"DE"):
            self.asks(b"Accept-Language: " + language)
            self.gets(body=language.lower(), hit=True)
        self.asks()
        self.isAsked()
        self.answers(b"Cache-Control: max-age=60", b"Vary: Accept-Language", body=b"any")
        self.assertIn(b"fwd=vary-miss", self.gets(body=b"any")[b"cache-status"])

    def test_onlyIfCached(self) -> None:
        """Or a 504 (RFC 9111 §5.2.1.7)."""
        self.asks(b"Cache-Control: only-if-cached")
        self.assertEqual(self.gets(504, b"")[b"cache-status"], b"test; detail=only-if-cached")
        self.isNotAsked()
        self.stores(b"Cache-Control: max-age=60")
        self.asks(b"Cache-Control: only-if-cached")
        self.gets(hit=True)

    def test_aComponentSeesTheFields(self) -> None:
        """Of a hit as of any reply, and may change them."""

        class Marking:
            def onDeliver(self, exchange: Exchange) -> None:
                reply = exchange.reply
                assert reply is not None
                assert b"x" in reply.fields.index
                reply.fields = reply.fields.setting(b"X-Mark", b"1")

        self.scenario = Scenario(self).caching().reverse(components=[Marking()])
        self.client = self.scenario.client()
        self.stores(b"Cache-Control: max-age=60", b"X: y")
        self.asks()
        fields = self.gets(hit=True)
        self.assertEqual((fields[b"x"], fields[b"x-mark"], fields[b"age"]), (b"y", b"1", b"0"))


class ConditionTests(CacheTestCase):
    """Preconditions and ranges are answered from the store."""

    def test_notModified(self) -> None:
        """RFC 9111 §4.3.2."""
        self.stores(b"Cache-Control: max-age=60", b'ETag: "a"', b"Content-Type: text/plain")
        self.asks(b'If-None-Match: "b", W/"a"')
        fields = self.gets(304, b"", hit=True)
        self.assertEqual(fields[b"etag"], b'"a"')
        self.assertNotIn(b"content-type", fields)
        self.asks(b'If-None-Match: "b"')
        self.gets(hit=True)

    def test_aMissIsFetchedWhole(self) -> None:
        """A 304 to what one client has is of no use to others; the client still gets it."""
        self.asks(b'If-None-Match: "a"')
        asked = self.isAsked()
        self.assertFalse([line for line in asked if line.startswith(b"If-")])
        self.answers(b"Cache-Control: max-age=60", b'ETag: "a"')
        self.gets(304, b"")
        self.asks()
        self.gets(hit=True)

    def test_ranges(self) -> None:
        """One, several, none that there are (RFC 9110 §14)."""
        self.stores(b"Cache-Control: max-age=60", body=b"0123456789" * 100)
        for value, body, span in (
            (b"bytes=0-3", b"0123", b"bytes 0-3/1000"),
            (b"bytes=-2", b"89", b"bytes 998-999/1000"),
            (b"bytes=995-", b"56789", b"bytes 995-999/1000"),
        ):
            self.asks(b"Range: " + value)
            fields = self.gets(206, body, hit=True)
            self.assertEqual(fields[b"content-range"], span)
            self.assertEqual(fields[b"content-length"], b"%d" % len(body))
        self.asks(b"Range: bytes=2000-")
        self.assertEqual(self.gets(416, b"")[b"content-range"], b"bytes */1000")
        self.asks(b"Range: bytes=0-0,900-901")
        fields = self.gets(206, None)
        self.assertTrue(fields[b"content-type"].startswith(b"multipart/byteranges; boundary="))

    def test_aRangeThatIsNotThereIsPassedOn(self) -> None:
        """As it is."""
        self.asks(b"Range: bytes=0-1")
        self.isAsked(b"Range: bytes=0-1")
        self.answers(b"Content-Range: bytes 0-1/5", body=b"he", status=b"206 Partial Content")
        self.gets(206, b"he", hit=False)


class FillingTests(CacheTestCase):
    """Content on its way (RFC 9111 §3.3)."""

    def test_othersReadWhatComes(self) -> None:
        """Whoever asks meanwhile gets what is there, and then what comes."""
        self.asks()
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(
            b"HTTP/1.1 200 OK", b"Cache-Control: max-age=60", b"Content-Length: 10", b"", b"01234"
        )
        self.client.gets(b"HTTP/1.1 200 OK", ..., b"Content-Length: 10", b"", b"01234")
        other = self.scenario.client()
        other.sends(b"GET / HTTP/1.1", b"Host: a", b"", b"")
        other.gets(b"HTTP/1.1 200 OK", ..., b"Content-Length: 10", b"", b"01234")
        self.origin.sends(b"56789")
        self.client.gets(b"56789")
        other.gets(b"56789")
        self.asks()
        self.gets(body=b"0123456789", hit=True)
        self.isNotAsked()

    def test_theFirstMayLeave(self) -> None:
        """What it began is completed."""
        self.asks()
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(
            b"HTTP/1.1 200 OK", b"Cache-Control: max-age=60", b"Content-Length: 10", b"", b"01234"
        )
        self.client.takes()
        self.client.resets()
        self.origin.sees("")
        self.origin.sends(b"56789")
        self.client = self.scenario.client()
        self.asks()
        self.gets(body=b"0123456789", hit=True)

    def test_whatBreaksOffIsNotStored(self) -> None:
        """And nobody takes it for whole."""
        self.asks()
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(
            b"HTTP/1.1 200 OK", b"Cache-Control: max-age=60", b"Content-Length: 10", b"", b"01234"
        )
        self.client.takes()
        self.origin.closes()
        self.client.sees("closed")
        self.client = self.scenario.client()
        self.asks()
        self.isAsked()
        self.answers()
        self.gets(hit=False)

    def test_chunkedContentHasALengthWhenItIsStored(self) -> None:
        """It comes in chunks to the first, and with its length afterwards."""
        self.asks()
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(
            b"HTTP/1.1 200 OK",
            b"Cache-Control: max-age=60",
            b"Transfer-Encoding: chunked",
            b"",
            b"3",
            b"abc",
            b"2",
            b"de",
            b"0",
            b"",
            b"",
        )
        fields = self.gets(body=b"5\r\nabcde\r\n0\r\n\r\n")
        self.assertEqual(fields[b"transfer-encoding"], b"chunked")
        self.asks()
        self.assertEqual(self.gets(body=b"abcde", hit=True)[b"content-length"], b"5")

    def test_whatGrowsTooLargePassesThrough(self) -> None:
        """In bounded memory: what all readers have had is let go."""
        self.asks()
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(
            b"HTTP/1.1 200 OK", b"Cache-Control: max-age=60", b"Connection: close", b"", b""
        )
        self.client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")
        total = 0
        for _ in range(40):
            self.origin.sends(b"x" * 10_000)
            total += self.client.takes().count(b"x")
        self.assertEqual(total, 400_000)
        self.client.stalls()
        for _ in range(200):
            if not self.origin.isRead:
                break
            self.origin.sends(b"x" * 10_000)
        self.assertFalse(self.origin.isRead)
        self.client.reads()
        self.origin.closes()
        self.client.takes()
        self.assertEqual(self.scenario.cache.store.count, 0)

    def test_whatOutgrewTheStoreBeforeItWasReadIsWhole(self) -> None:
        """Also where all of it was here before a component let its head go on."""
        gates: list[Deferred[None]] = []

        class Waiting:
            def onFetched(self, exchange: Exchange) -> Deferred[None]:
                gates.append(Deferred())
                return gates[-1]

        caching = Scenario(self).caching(CacheSettings(maxObjectOctets=10))
        self.scenario = caching.reverse(components=[Waiting()])
        self.client = self.scenario.client()
        self.asks()
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(
            b"HTTP/1.1 200 OK",
            b"Cache-Control: max-age=60",
            b"Transfer-Encoding: chunked",
            b"",
            b"b",
            b"hello world",
            b"0",
            b"",
            b"",
        )
        gates[0].callback(None)
        self.gets(body=b"b\r\nhello world\r\n0\r\n\r\n")
        self.assertEqual(self.scenario.cache.store.count, 0)

    def test_whatWasLetGoAnswersNobody(self) -> None:
        """A 304 about content that is not here any more makes us ask for it anew."""
        self.asks()
        self.isAsked()
        first = self.origin
        assert first is not None
        first.sends(
            b"HTTP/1.1 200 OK",
            b"Cache-Control: max-age=0",
            b'ETag: "a"',
            b"Transfer-Encoding: chunked",
            b"",
            b"5",
            b"hello",
            b"",
        )
        self.client.takes()
        other = self.scenario.client()
        other.sends(b"GET / HTTP/1.1", b"Host: a", b"", b"")
        self.origin = self.scenario.accepts()
        self.isAsked(b'If-None-Match: "a"')
        for _ in range(20):
            first.sends(b"2000", b"x" * 8192, b"")
            self.client.takes()
        self.origin.sends(b"HTTP/1.1 304 Not Modified", b'ETag: "a"', b"", b"")
        asked = self.isAsked()
        self.assertFalse([line for line in asked if line.startswith(b"If-")])
        self.answers(body=b"anew")
        self.client = other
        self.gets(body=b"anew", hit=False)
        first.closes()

    def test_theConnectionIsUsedAgain(self) -> None:
        """After a response that was stored, and after a validation."""
        self.stores(b"Cache-Control: max-age=1", b'ETag: "a"')
        self.scenario.passes(2)
        self.asks()
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 304 Not Modified", b'ETag: "a"', b"", b"")
        self.gets()
        self.asks(target=b"/x")
        self.isAsked()
        self.answers()
        self.gets(hit=False)


class StaleTests(CacheTestCase):
    """Stale responses, where they are better than none (RFC 5861)."""

    def test_whileItIsValidated(self) -> None:
        """The client does not wait, and the next one gets what came."""
        self.stores(b"Cache-Control: max-age=10, stale-while-revalidate=60", b'ETag: "a"')
        self.scenario.passes(20)
        self.asks()
        self.assertEqual(self.gets(hit=True)[b"cache-status"], b"test; hit; ttl=-10")
        self.isAsked(b'If-None-Match: "a"')
        self.asks()
        self.gets(hit=True)
        self.isNotAsked()
        self.answers(b"Cache-Control: max-age=10", b'ETag: "b"', body=b"new")
        self.asks()
        self.gets(body=b"new", hit=True)
        self.assertEqual(self.scenario.cache.background, 0)

    def test_contentForNobodyIsUnderWayToo(self) -> None:
        """The budget of the background counts it until all of it is there, or breaks off."""
        for ending in ("whole", "broken"):
            self.stores(b"Cache-Control: max-age=10, stale-while-revalidate=60")
            self.scenario.passes(20)
            self.asks()
            self.gets(hit=True)
            self.isAsked()
            assert self.origin is not None
            self.assertEqual(self.scenario.cache.background, 1)
            head = b"HTTP/1.1 200 OK", b"Cache-Control: max-age=10", b"Content-Length: 9"
            self.origin.sends(*head, b"", b"1234")
            self.assertEqual(self.scenario.cache.background, 1)
            if ending == "whole":
                self.origin.sends(b"56789")
                self.scenario.cache.store.purge(Purge.ofPrefix(b""))
            else:
                self.origin.closes()
            self.assertEqual(self.scenario.cache.background, 0)

    def test_whenTheOriginFails(self) -> None:
        """By its own word, or by none."""
        self.stores(b"Cache-Control: max-age=10, stale-if-error=60")
        self.scenario.passes(20)
        self.asks()
        self.isAsked()
        self.answers(status=b"503 Service Unavailable", body=b"no")
        self.assertIn(b"fwd-status=503", self.gets()[b"cache-status"])
        self.asks()
        self.origin = None
        self.isAsked()
        self.origin.closes()  # type: ignore[attr-defined]
        self.gets()

    def test_notIfThatIsForbidden(self) -> None:
        """RFC 9111 §5.2.2.2."""
        self.stores(b"Cache-Control: max-age=10, must-revalidate")
        self.scenario.passes(20)
        self.asks()
        self.isAsked()
        self.answers(status=b"503 Service Unavailable", body=b"no")
        self.gets(503, b"no")


class CounterTests(CacheTestCase):
    """What an operator may read from the cache."""

    def counts(self) -> tuple[int, ...]:
        """What it counts: hits, misses, who waited, what was stored, what was validated."""
        cache = self.scenario.cache
        return cache.hits, cache.misses, cache.collapsed, cache.stored, cache.validated

    def test_eachRequestOnce(self) -> None:
        """As a hit or as a miss; what is for no cache is neither."""
        self.stores(b"Cache-Control: max-age=10", b'ETag: "a"')
        self.assertEqual(self.counts(), (0, 1, 0, 1, 0))
        self.asks()
        self.asks(method=b"HEAD")
        self.client.takes()
        self.assertEqual(self.counts(), (2, 1, 0, 1, 0))
        self.asks(method=b"OPTIONS")
        self.isAsked(method=b"OPTIONS")
        self.answers()
        self.asks(b"Cache-Control: only-if-cached", target=b"/other")
        self.client.takes()
        self.assertEqual(self.counts(), (2, 1, 0, 1, 0))
        self.scenario.passes(20)
        self.asks()
        self.isAsked()
        self.answers(b"Cache-Control: max-age=10", status=b"304 Not Modified", body=b"")
        self.gets()
        self.assertEqual(self.counts(), (2, 2, 0, 1, 1))
        self.assertIn(
            "<Cache hits=2 misses=2 collapsed=0 stored=1 validated=1 refreshes=0 background=0 <",
            repr(self.scenario.cache),
        )

    def test_whoWaitsIsCountedByWhatItGot(self) -> None:
        """Once it is looked up again: a hit, if the answer was for all."""
        for control, counts in ((b"max-age=10", (1, 1, 1, 1, 0)), (b"no-store", (1, 3, 2, 1, 0))):
            other = self.scenario.client()
            self.asks(target=b"/" + control)
            other.sends(b"GET /" + control + b" HTTP/1.1", b"Host: a", b"", b"")
            self.isAsked()
            self.answers(b"Cache-Control: " + control)
            self.gets()
            if control == b"no-store":
                self.isAsked()
                self.answers(b"Cache-Control: " + control)
            other.takes()
            self.assertEqual(self.counts(), counts)
        # It was opened before the other one was free again.
        self.scenario.accepts()

    def test_whoGetsTheErrorOfAnotherIsNeither(self) -> None:
        """It was neither answered from the store nor sent on."""
        other = self.scenario.client()
        self.asks()
        other.sends(b"GET / HTTP/1.1", b"Host: a", b"", b"")
        self.isAsked()
        assert self.origin is not None
        self.origin.closes()
        self.client.takes()
        other.takes()
        self.assertEqual(self.counts(), (0, 1, 1, 0, 0))


class RouteTests(SynchronousTestCase):
    """What a route says."""

    def test_aRouteMayBeWithout(self) -> None:
        """Then there is no step of the cache in its program."""
        routes = (
            RouteSettings(upstream=WEB, cache=None),
            RouteSettings(upstream=WEB, path="/cached/", cache=RouteCacheSettings()),
        )
        scenario = Scenario(self).caching().reverse(routes=routes)
        without, cached = scenario.front.programs
        self.assertNotIn("cache.", without.listing())
        self.assertIn("lookup.Lookup.onLookup", cached.listing())

    def test_aForwardFrontCachesToo(self) -> None:
        """By the target's own authority."""
        scenario = Scenario(self).caching().forward()
        client = scenario.client()
        for hit in (False, True):
            client.sends(b"GET http://a.example/x HTTP/1.1", b"Host: a.example", b"", b"")
            if not hit:
                origin = scenario.accepts("http://a.example:80")
                origin.gets(b"GET /x HTTP/1.1", b"Host: a.example", VIA, b"", b"")
                origin.sends(
                    b"HTTP/1.1 200 OK", b"Cache-Control: max-age=9", b"Content-Length: 1", b"", b"x"
                )
            self.assertEqual(b"; hit" in client.takes(), hit)


class Slow:
    """A component that has each request wait."""

    def onRequest(self, exchange: Exchange) -> Deferred[None]:
        """Wait."""
        self.waiting: Deferred[None] = Deferred()
        return self.waiting

    def done(self) -> None:
        """That is enough."""
        self.waiting.callback(None)


class SlowTests(CacheTestCase):
    """Components that make requests wait before they are looked up."""

    def setUp(self) -> None:
        self.slow = Slow()
        self.scenario = Scenario(self).caching()
        self.scenario.reverse(
            components=(self.slow,),
            routes=(RouteSettings(upstream=WEB, cache=self.caching),),
        )
        self.client = self.scenario.client()
        self.origin: Side | None = None

    def test_theTimeAfterThatCounts(self) -> None:
        """What expired meanwhile is not fresh, and what is stored is not older than it is."""
        self.asks()
        self.scenario.passes(5)
        self.slow.done()
        self.isAsked()
        self.answers(b"Cache-Control: max-age=60")
        self.assertNotIn(b"age", self.gets(hit=False))
        self.asks()
        self.scenario.passes(30)
        self.slow.done()
        self.assertEqual(self.gets(hit=True)[b"age"], b"30")
        self.asks()
        self.scenario.passes(31)
        self.slow.done()
        self.isAsked()
        self.answers(b"Cache-Control: max-age=60")
        self.gets(hit=False)
