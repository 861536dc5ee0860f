# -*- test-case-name: tests.policy.test_poisoning -*-
"""
Clients that want others to get a wrong answer, and origins that lie.

What is tested here is promised in C{docs/caching.md}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from intermediary.policy.purging import Purge
from intermediary.settings import CacheSettings, RouteCacheSettings, RouteSettings

from ..scenario import Scenario
from .test_cache import WEB, CacheTestCase

if TYPE_CHECKING:
    from intermediary.exchange import Exchange

LONG = b"Cache-Control: max-age=60"


class KeyTests(CacheTestCase):
    """What an origin is told without its being part of the key."""

    def test_forwardingFieldsOfClients(self) -> None:
        """A client's own word is replaced by what is true, and by the host of the key."""
        self.asks(
            b"X-Forwarded-Host: evil.example",
            b"X-Forwarded-Proto: https",
            b"Forwarded: host=evil.example;proto=https",
        )
        lines = self.isAsked(b"Host: a", b"X-Forwarded-Host: a", b"X-Forwarded-Proto: http")
        self.assertNotIn(b"evil.example", b"\n".join(lines))
        self.answers(LONG)
        self.gets()

    def test_aTargetInAbsoluteForm(self) -> None:
        """Its authority is the host, for the key as for the origin (RFC 9112 §3.2.2)."""
        self.asks(target=b"http://b.example/")
        lines = self.isAsked(b"Host: b.example", b"X-Forwarded-Host: b.example")
        self.assertNotIn(b"Host: a", lines)
        self.answers(LONG, body=b"of b")
        self.gets(body=b"of b")
        self.asks()
        self.isAsked(b"Host: a")
        self.answers(LONG, body=b"of a")
        self.gets(body=b"of a", hit=False)
        self.client.sends(b"GET / HTTP/1.1", b"Host: b.example", b"", b"")
        self.gets(body=b"of b", hit=True)

    def test_aSchemeThatTheConnectionHasNot(self) -> None:
        """What the origin says to those who come without TLS is not for those who do."""
        self.asks(target=b"https://a/")
        self.isAsked(b"Host: a", b"X-Forwarded-Proto: http")
        self.answers(LONG, body=b"go to https")
        self.gets(body=b"go to https")
        [key] = self.scenario.cache.store._byKey
        self.assertEqual(key, b"site http://a/")
        self.asks()
        self.gets(body=b"go to https", hit=True)
        self.asks(target=b"https://a:443/")
        self.isAsked(b"Host: a:443", b"X-Forwarded-Proto: http")
        self.answers()
        self.gets(hit=False)

    def test_encodedOctets(self) -> None:
        """What has one key goes to the origin in one form; a slash is never decoded."""
        self.asks(target=b"/%61/%2e%2E/b%2fc")
        lines = self.isAsked()
        self.assertTrue(lines[0].startswith(b"GET /b%2Fc "), lines)
        self.answers(LONG, body=b"encoded")
        self.gets(body=b"encoded")
        self.asks(target=b"/b/c")
        self.isAsked()
        self.answers(LONG, body=b"plain")
        self.gets(body=b"plain", hit=False)
        self.asks(target=b"/b%2Fc")
        self.gets(body=b"encoded", hit=True)

    def test_aMalformedEscape(self) -> None:
        """Is left alone, in the key and on the way."""
        self.asks(target=b"/%zz/%61")
        lines = self.isAsked()
        self.assertTrue(lines[0].startswith(b"GET /%zz/%61 "), lines)
        self.answers(LONG)
        self.gets()

    def test_aFieldThatSelectsAndIsNotSentOn(self) -> None:
        """What C{Connection} names was not there, for C{Vary} either (RFC 9110 §7.6.1)."""
        self.asks(b"Connection: X-Device", b"X-Device: tv")
        asked = self.isAsked()
        self.assertFalse([line for line in asked if line.startswith(b"X-Device")])
        self.answers(LONG, b"Vary: Accept, X-Device", body=b"for none")
        self.gets(body=b"for none")
        self.asks(b"X-Device: tv")
        self.isAsked(b"X-Device: tv")
        self.answers(LONG, b"Vary: Accept, X-Device", body=b"for tv")
        self.gets(body=b"for tv", hit=False)
        self.asks()
        self.gets(body=b"for none", hit=True)

    def test_aForwardingFieldThatSelects(self) -> None:
        """What a client writes itself is not what the origin chose by."""
        self.scenario = Scenario(self).caching().reverse(trustedProxies=("198.51.100.0/24",))
        vary = (LONG, b"Vary: X-Forwarded-Proto")
        self.client = self.scenario.client()
        self.asks(b"X-Forwarded-Proto: https")
        self.isAsked(b"X-Forwarded-Proto: http")
        self.answers(*vary, body=b"redirect")
        self.assertNotIn(b"stored", self.gets(body=b"redirect")[b"cache-status"])
        self.client = self.scenario.client(host="198.51.100.1")
        self.asks(b"X-Forwarded-Proto: https")
        self.isAsked(b"X-Forwarded-Proto: https")
        self.answers(*vary, body=b"page")
        self.gets(body=b"page", hit=False)
        self.asks(b"X-Forwarded-Proto: https")
        self.gets(body=b"page", hit=True)
        self.client = self.scenario.client()
        self.asks()
        self.isAsked(b"X-Forwarded-Proto: http")
        self.answers(*vary, body=b"redirect")
        self.assertIn(b"; stored", self.gets(body=b"redirect")[b"cache-status"])

    def test_aFieldThatSelectsInAnotherSpelling(self) -> None:
        """Is the same to an origin that makes variables of fields, so its answer is not stored."""
        choice = LONG, b"Vary: X-Device, Accept", b'ETag: "tv"'
        self.asks(b"X_Device: tv")
        self.isAsked()
        self.answers(*choice, body=b"tv")
        self.assertNotIn(b"stored", self.gets(body=b"tv")[b"cache-status"])
        self.asks(b"Y_Device: tv")
        self.isAsked()
        self.answers(*choice)
        self.assertIn(b"; stored", self.gets()[b"cache-status"])
        # Nor is what it says is the same as something that is stored.
        self.scenario.cache.purge(Purge.ofPrefix(b""))
        self.asks(b"X-Device: tv")
        self.isAsked()
        self.answers(*choice, body=b"tv")
        self.gets(body=b"tv")
        self.asks(b"X_Device: tv")
        self.isAsked(b'If-None-Match: "tv"')
        self.answers(*choice, status=b"304 Not Modified", body=b"")
        self.gets(body=b"tv")
        self.asks()
        self.isAsked()
        self.answers(*choice)
        self.gets(hit=False)

    def test_aSelectingFieldWithAnUnderscore(self) -> None:
        """It is the origin that spells it otherwise then, and the same holds."""
        choice = LONG, b"Vary: X_Device"
        self.asks(b"X-Device: tv")
        self.isAsked()
        self.answers(*choice, body=b"tv")
        self.assertNotIn(b"stored", self.gets(body=b"tv")[b"cache-status"])
        self.asks()
        self.isAsked()
        self.answers(*choice)
        self.assertIn(b"; stored", self.gets()[b"cache-status"])

    def test_aGetWithContent(self) -> None:
        """Is sent on, answered from nowhere and stored nowhere: no key has the content."""
        self.stores(LONG)
        self.client.sends(b"GET / HTTP/1.1", b"Host: a", b"Content-Length: 3", b"", b"x=y")
        self.isAsked()
        self.answers(LONG, body=b"of y")
        self.assertIn(b"fwd=bypass", self.gets(body=b"of y")[b"cache-status"])
        self.asks()
        self.gets(hit=True)

    def test_frontsDoNotShare(self) -> None:
        """Though they share the cache, and the target URI is the same."""
        self.stores(LONG)
        cache = self.scenario.cache
        other = Scenario(self)
        other.cache = cache
        other.forward()
        client = other.client()
        client.sends(b"GET http://a/ HTTP/1.1", b"Host: a", b"", b"")
        origin = other.accepts("http://a:80")
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 5", b"", b"other")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"other")

    def test_reflectedFields(self) -> None:
        """Where the origin names them in C{Vary}, who sends them harms nobody else."""
        for name in (b"X-Original-URL", b"X-HTTP-Method-Override", b"User-Agent", b"Origin"):
            target = b"/" + name
            vary = b"Vary: " + name
            self.asks(name + b": evil", target=target)
            self.isAsked(name + b": evil")
            self.answers(LONG, vary, body=b"evil")
            self.gets(body=b"evil", hit=False)
            self.asks(target=target)
            self.isAsked()
            self.answers(LONG, vary, body=b"good")
            self.gets(body=b"good", hit=False)
            for lines, body in (((), b"good"), ((name + b": evil",), b"evil")):
                self.asks(*lines, target=target)
                self.gets(body=body, hit=True)

    def test_aComponentRemovesWhatIsReflected(self) -> None:
        """Then it reaches no origin, and there is nothing to name."""

        class Removing:
            def onFetch(self, exchange: Exchange) -> None:
                forward = exchange.forward
                assert forward is not None
                forward.fields = forward.fields.without({b"x-original-url"})

        scenario = self.scenario = Scenario(self).caching().reverse(components=[Removing()])
        self.client = scenario.client()
        self.asks(b"X-Original-URL: /evil")
        lines = self.isAsked()
        self.assertNotIn(b"evil", b"\n".join(lines))
        self.answers(LONG)
        self.gets()

    def test_frontsThatShare(self) -> None:
        """By the name that they give, which is not that of a front."""
        share = RouteCacheSettings(share="site")
        self.scenario = Scenario(self).caching()
        self.scenario.reverse(routes=(RouteSettings(upstream=WEB, cache=share),))
        self.client = self.scenario.client()
        self.stores(LONG)
        for name, hit in (("site", True), ("egress", False), (None, False)):
            other = Scenario(self)
            other.cache = self.scenario.cache
            other.forward(cache=RouteCacheSettings(share=name))
            client = other.client()
            client.sends(b"GET http://a/ HTTP/1.1", b"Host: a", b"", b"")
            if not hit:
                origin = other.accepts("http://a:80")
                origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
                origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 5", b"", b"hello")
            self.assertEqual(b"; hit" in client.takes(), hit)

    def test_theNameOfAFrontIsNoShare(self) -> None:
        """Who shares C{site} gets nothing of the front with that name."""
        self.stores(LONG)
        other = Scenario(self)
        other.cache = self.scenario.cache
        share = RouteCacheSettings(share="site")
        other.reverse(routes=(RouteSettings(upstream=WEB, cache=share),))
        self.client, self.origin = other.client(), None
        self.asks()
        self.origin = other.accepts()
        self.isAsked()
        self.answers(LONG)
        self.gets(hit=False)


class DeceptionTests(CacheTestCase):
    """A victim is lured to a page of its own under a name that looks public."""

    def test_whatALooseOriginTakesForTheAccount(self) -> None:
        """Goes to it as it is, is stored only if it says so, and then under its own name alone."""
        targets = (
            *(b"/account/x.css", b"/account%2Fx.css", b"/account;x.css", b"/account%3Fx.css"),
            *(b"/account%23x.css", b"/account/..%2Fx.css", b"/account%20x.css"),
        )
        for target in targets:
            for _ in range(2):
                self.asks(b"Cookie: session=1", target=target)
                lines = self.isAsked()
                self.assertEqual(lines[0], b"GET " + target + b" HTTP/1.1")
                self.answers(b"Content-Type: text/html", body=b"secret")
                self.assertNotIn(b"stored", self.gets(body=b"secret")[b"cache-status"])
        for target in targets:
            self.asks(target=target)
            self.isAsked()
            self.answers(LONG, body=target)
            self.gets(body=target, hit=False)
        for target in targets:
            self.asks(target=target)
            self.gets(body=target, hit=True)
        self.asks(target=b"/account")
        self.isAsked()
        self.answers()
        self.gets(hit=False)
        for target in (b"/account%00x.css", b"/account%0Ax.css", b"/account%7F.css"):
            self.asks(target=target)
            self.gets(400, None)
            self.client = self.scenario.client()

    def test_aPathWithoutACache(self) -> None:
        """Has none either where its slash is encoded, and a browser goes to it for that."""
        routes = (
            RouteSettings(upstream=WEB, path="/account/", cache=None),
            RouteSettings(upstream=WEB),
        )
        scenario = self.scenario = Scenario(self).caching().reverse(routes=routes)
        self.client = scenario.client()
        for target in (b"/account/x.css", b"/account%2Fx.css", b"/a/..%2Faccount/x.css"):
            for _ in range(2):
                self.asks(target=target)
                self.isAsked()
                self.answers(LONG)
                self.assertNotIn(b"cache-status", self.gets())

    def test_theNameOfATargetMeansNothing(self) -> None:
        """Only what the response says of itself makes it stored."""
        for lines in ((), (b"Cache-Control: private, max-age=60",), (b"Cache-Control: no-store",)):
            for _ in range(2):
                self.asks(b"Cookie: session=1", target=b"/account/x.css")
                self.isAsked(b"Cookie: session=1")
                self.answers(b"Content-Type: text/css", *lines)
                self.assertNotIn(b"stored", self.gets()[b"cache-status"])

    def test_anAnswerToCredentials(self) -> None:
        """A lifetime alone does not share it (RFC 9111 §3.5)."""
        for _ in range(2):
            self.asks(b"Authorization: Basic eDp5")
            self.isAsked(b"Authorization: Basic eDp5")
            self.answers(LONG)
            self.assertNotIn(b"stored", self.gets()[b"cache-status"])
        self.asks(b"Authorization: Basic eDp5")
        self.isAsked()
        self.answers(LONG + b", public")
        self.gets()
        self.asks()
        self.gets(hit=True)

    def test_anAnswerThatSetsACookie(self) -> None:
        """Is not stored, but without its cookie where it says so."""
        modified = b"Last-Modified: " + self.now(-864000)
        for line in (modified, LONG, LONG + b", public", b"Cache-Control: s-maxage=60"):
            for _ in range(2):
                self.asks(target=b"/account")
                self.isAsked()
                self.answers(line, b"Set-Cookie: session=victim")
                fields = self.gets()
                self.assertEqual(fields[b"set-cookie"], b"session=victim")
                self.assertNotIn(b"stored", fields[b"cache-status"])
        self.asks(target=b"/named")
        self.isAsked()
        self.answers(LONG + b', no-cache="Set-Cookie"', b"Set-Cookie: a=b")
        self.gets()
        self.asks(target=b"/named")
        self.assertNotIn(b"set-cookie", self.gets(hit=True))

    def test_aCookieThatComesWithAValidation(self) -> None:
        """Is for who asked; what it validates stays, without it (RFC 9111 §3.2)."""
        self.stores(LONG, b'ETag: "a"')
        for _ in range(2):
            self.scenario.passes(61)
            self.asks()
            self.isAsked(b'If-None-Match: "a"')
            assert self.origin is not None
            self.origin.sends(
                b"HTTP/1.1 304 Not Modified",
                b'ETag: "a"',
                LONG,
                b"Set-Cookie: session=victim",
                b"",
                b"",
            )
            fields = self.gets()
            self.assertEqual(fields[b"set-cookie"], b"session=victim")
            self.assertIn(b"; stored", fields[b"cache-status"])
            self.asks()
            self.assertNotIn(b"set-cookie", self.gets(hit=True))

    def test_aRouteThatStoresCookies(self) -> None:
        """What says how long it is fresh, or is public (RFC 9111 §7.3); others get the cookie."""
        caching = RouteCacheSettings(storeCookies=True)
        scenario = self.scenario = Scenario(self).caching()
        scenario.reverse(routes=(RouteSettings(upstream=WEB, cache=caching),))
        self.client = scenario.client()
        self.asks(target=b"/guess")
        self.isAsked()
        self.answers(b"Last-Modified: " + self.now(-864000), b"Set-Cookie: a=b")
        self.assertNotIn(b"stored", self.gets()[b"cache-status"])
        self.stores(LONG, b"Set-Cookie: a=b", b'ETag: "a"')
        self.asks()
        self.assertEqual(self.gets(hit=True)[b"set-cookie"], b"a=b")
        scenario.passes(61)
        self.asks()
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(
            b"HTTP/1.1 304 Not Modified", b'ETag: "a"', LONG, b"Set-Cookie: a=c", b"", b""
        )
        self.assertEqual(self.gets()[b"set-cookie"], b"a=c")
        self.asks()
        self.assertEqual(self.gets(hit=True)[b"set-cookie"], b"a=c")


class LieTests(CacheTestCase):
    """An origin that is not to be believed."""

    def test_moreContentThanAnnounced(self) -> None:
        """What was announced is stored; what follows is nobody's answer."""
        self.asks()
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 200 OK", LONG, b"Content-Length: 5", b"", b"hello, victim")
        self.gets()
        self.origin.sees("closed")
        self.asks()
        self.gets(hit=True)

    def test_lessContentThanAnnounced(self) -> None:
        """Is an error to who reads it, and is stored for nobody (RFC 9111 §3.3)."""
        self.asks()
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 200 OK", LONG, b"Content-Length: 50", b"", b"hello")
        self.origin.ends()
        self.client.takes()
        self.client.sees("closed")
        self.client = self.scenario.client()
        self.asks()
        self.isAsked()
        self.answers(LONG, body=b"whole")
        self.gets(body=b"whole", hit=False)

    def test_chunksThatEndEarly(self) -> None:
        """Are an error to who reads them, and are stored for nobody (RFC 9111 §3.3)."""
        for end in (b"", b"5\r\nhel", b"5\r\nhello\r\n", b"xyz\r\n", b"5\r\nhello!!"):
            self.asks()
            self.isAsked()
            assert self.origin is not None
            self.origin.sends(
                b"HTTP/1.1 200 OK", LONG, b"Transfer-Encoding: chunked", b"", b"5", b"hello", end
            )
            if self.origin.transport.connected and not self.origin.transport.ending:
                self.origin.ends()
            # Where the head came with what is no chunk, it was not passed on yet.
            if not self.client.takes().startswith(b"HTTP/1.1 502 "):
                self.assertTrue(self.client.transport.ending, end)
            self.client = self.scenario.client()
            self.origin = None
        self.asks()
        self.isAsked()
        self.answers(LONG, body=b"whole")
        self.gets(body=b"whole", hit=False)

    def test_aNotModifiedThatNobodyAskedFor(self) -> None:
        """Is an error, and changes nothing."""
        self.asks()
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 304 Not Modified", b'ETag: "a"', b"", b"")
        self.gets(502, None)
        self.asks()
        self.isAsked()
        self.answers(LONG)
        self.gets(hit=False)

    def test_absurdNumbers(self) -> None:
        """Overflow is a long time, what is no number is none (RFC 9111 §1.2.2, §4.2.1)."""
        for line, stored in (
            (b"Cache-Control: max-age=99999999999999999999", True),
            (b"Cache-Control: max-age=-1", False),
            (b"Cache-Control: max-age=1e9", False),
            (b"Cache-Control: max-age=60\r\nAge: 99999999999999999999", False),
        ):
            target = b"/" + line.partition(b"=")[2].replace(b" ", b"").replace(b"\r\n", b"")
            self.asks(target=target)
            self.isAsked()
            self.answers(line)
            self.assertEqual(b"; stored" in self.gets()[b"cache-status"], stored, line)

    def test_tooMuchToBeStored(self) -> None:
        """Announced or not, it passes through."""
        scenario = self.scenario = Scenario(self).caching(CacheSettings(maxObjectOctets=10))
        scenario.reverse()
        self.client = scenario.client()
        for _ in range(2):
            self.asks()
            self.isAsked()
            self.answers(LONG, body=b"x" * 11)
            self.assertNotIn(b"stored", self.gets(body=b"x" * 11)[b"cache-status"])


class AbsurdityTests(CacheTestCase):
    """Heads that nobody needs: each is within the limits and bounded in what it costs, or a 502."""

    def isRefused(self, *lines: bytes) -> None:
        """What the origin sends is an error, and leaves nothing behind."""
        self.asks()
        self.isAsked()
        self.answers(LONG, *lines)
        self.gets(502, None)
        assert self.origin is not None
        self.origin.sees("aborted")
        self.origin = None
        self.asks()
        self.isAsked()
        self.answers()
        self.gets(hit=False)

    def test_tenThousandFields(self) -> None:
        """Are more than C{header-fields}."""
        self.isRefused(*(b"X-%d: y" % number for number in range(10_000)))

    def test_aMebibyteOfVary(self) -> None:
        """Is more than C{header-octets}."""
        self.isRefused(b"Vary: " + b", ".join(b"x%d" % number for number in range(130_000)))

    def test_anETagOf64KiB(self) -> None:
        """Is, too."""
        self.isRefused(b'ETag: "' + b"x" * 65536 + b'"')

    def test_aLongETag(self) -> None:
        """That is not: it validates like any other."""
        tag = b'"' + b"x" * 60_000 + b'"'
        self.stores(LONG, b"ETag: " + tag)
        self.scenario.passes(61)
        self.asks()
        self.isAsked(b"If-None-Match: " + tag)
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 304 Not Modified", b"ETag: " + tag, LONG, b"", b"")
        self.gets()
        self.asks()
        self.gets(hit=True)

    def test_aVaryOfThousands(self) -> None:
        """Is as good as C{*}: every request would have to be compared in all of them."""
        for _ in range(2):
            self.asks()
            self.isAsked()
            self.answers(LONG, b"Vary: " + b",".join(b"x%d" % number for number in range(8000)))
            self.assertNotIn(b"stored", self.gets()[b"cache-status"])

    def test_fiveThousandDirectives(self) -> None:
        """All are read: the last one may be the one that forbids."""
        many = b"Cache-Control: " + b", ".join(b"e%d" % number for number in range(5000))
        self.stores(many + b", max-age=60")
        self.asks()
        self.gets(hit=True)
        for last in (b"private", b"no-store", b"max-age=0"):
            self.asks(target=b"/" + last)
            self.isAsked()
            self.answers(many + b", max-age=60, " + last)
            self.assertNotIn(b"stored", self.gets()[b"cache-status"])

    def test_aRequestOfThousands(self) -> None:
        """Its directives are not read, its tags and languages sort nothing; it is answered."""
        self.stores(LONG, b'ETag: "a"', b"Vary: Accept-Language")
        for line, status in (
            (b"If-None-Match: " + b", ".join(b'"%d"' % number for number in range(6000)), 200),
            (b'If-None-Match: "a"' + b', "b"' * 6000, 304),
            (b"Range: bytes=" + b",".join(b"%d-%d" % (n, n) for n in range(5000)), 200),
        ):
            self.asks(line)
            self.gets(status, None, hit=True)
        for line in (
            b"Cache-Control: " + b", ".join(b"e%d" % number for number in range(5000)),
            b"Accept-Language: " + b", ".join(b"l%d" % number for number in range(5000)),
        ):
            self.asks(line)
            self.isAsked()
            self.answers(b"Cache-Control: no-store", body=b"own")
            self.gets(body=b"own", hit=False)
