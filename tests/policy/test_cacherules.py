# -*- test-case-name: tests.policy.test_cacherules -*-
"""
What a route decides about lifetimes, in transcripts.
"""

from __future__ import annotations

from intermediary.settings import ForceSettings, RouteCacheSettings

from .test_cache import CacheTestCase

FAILURE = b"503 Service Unavailable"


class LifetimesTests(CacheTestCase):
    """Lifetimes by status, where the origin states none."""

    caching = RouteCacheSettings(
        graceSeconds=20, lifetimes=(("404", 10.0), ("5xx", 2.0), ("200", 30.0), ("410", 0.0))
    )

    def test_forThatLong(self) -> None:
        """What says nothing is stored, whatever its status."""
        for path, status, seconds in (
            (b"/a", b"200 OK", 30),
            (b"/b", b"404 Not Found", 10),
            (b"/c", b"500 Oops", 2),
        ):
            number = int(status[:3])
            self.asks(target=path)
            self.isAsked()
            self.answers(status=status)
            stored = self.gets(number)[b"cache-status"]
            self.assertIn(b"ttl=%d; stored" % seconds, stored)
            self.scenario.passes(seconds - 1)
            self.asks(target=path)
            self.gets(number, hit=True)

    def test_theOriginsWordCounts(self) -> None:
        """Whether it says more or less, or that nothing is to be stored."""
        for number, (line, ttl) in enumerate(
            (
                (b"Cache-Control: max-age=5", b"; ttl=5;"),
                (b"Cache-Control: max-age=500", b"; ttl=500;"),
                (b"Expires: " + self.now(7), b"; ttl=7;"),
                (b"Cache-Control: no-store", None),
                (b"Cache-Control: private", None),
                (b"Set-Cookie: a=b", None),
                (b"Vary: *", None),
            )
        ):
            self.asks(target=b"/%d" % number)
            self.isAsked()
            self.answers(line)
            status = self.gets()[b"cache-status"]
            self.assertEqual(b"; stored" in status, ttl is not None, line)
            self.assertIn(ttl or b"fwd=uri-miss", status)

    def test_notForWhoeverIsAuthorized(self) -> None:
        """That takes a word of the origin (RFC 9111 §3.5)."""
        self.asks(b"Authorization: x")
        self.isAsked()
        self.answers()
        self.assertNotIn(b"stored", self.gets()[b"cache-status"])

    def test_zeroIsNoGuess(self) -> None:
        """A lifetime of nothing: validated each time, or not stored."""
        self.asks(target=b"/gone")
        self.isAsked()
        self.answers(b"Last-Modified: " + self.now(-100_000), status=b"410 Gone")
        self.assertIn(b"; ttl=0; stored", self.gets(410)[b"cache-status"])
        self.asks(target=b"/went")
        self.isAsked()
        self.answers(status=b"410 Gone")
        self.assertNotIn(b"stored", self.gets(410)[b"cache-status"])

    def test_anErrorForWhoWaitsAndWhoComesThen(self) -> None:
        """One request for all of them; after its time, the next one asks."""
        clients = [self.scenario.client() for _ in range(20)]
        for self.client in clients:
            self.asks()
        self.isAsked()
        self.answers(status=FAILURE, body=b"sorry")
        for self.client in clients:
            self.gets(503, body=b"sorry")
        self.asks()
        self.gets(503, body=b"sorry", hit=True)
        # Errors have no grace.
        self.scenario.passes(2)
        self.asks()
        self.isAsked()
        self.answers()
        self.gets()

    def test_itDoesNotReplaceWhatMayStandIn(self) -> None:
        """Not for whoever gets what is stale, and not for whoever does not want to."""
        self.stores(b"Cache-Control: max-age=1")
        self.scenario.passes(30)
        self.asks()
        self.isAsked()
        self.answers(status=FAILURE, body=b"sorry")
        self.assertIn(b"fwd-status=503", self.gets()[b"cache-status"])
        self.asks(b"Cache-Control: no-cache")
        self.isAsked()
        self.answers(status=FAILURE, body=b"sorry")
        self.assertNotIn(b"stored", self.gets(503, body=b"sorry")[b"cache-status"])
        self.asks()
        self.isAsked()
        self.answers(status=FAILURE, body=b"sorry")
        self.gets()

    def test_itDoesNotHideWhatMayStandIn(self) -> None:
        """An error without C{Vary} would be the answer to all variants."""
        self.asks(b"Accept-Language: en")
        self.isAsked()
        self.answers(b"Cache-Control: max-age=60", b"Vary: Accept-Language")
        self.gets()
        self.asks(b"Accept-Language: de")
        self.isAsked()
        self.answers(status=FAILURE, body=b"sorry")
        self.assertNotIn(b"stored", self.gets(503, body=b"sorry")[b"cache-status"])
        self.asks(b"Accept-Language: en")
        self.gets(hit=True)

    def test_itReplacesWhatMayNot(self) -> None:
        """Beyond all grace it is of no use to anybody."""
        self.stores(b"Cache-Control: max-age=1, must-revalidate")
        self.scenario.passes(2)
        for hit in (False, True):
            self.asks()
            if not hit:
                self.isAsked()
                self.answers(status=FAILURE, body=b"sorry")
            self.gets(503, body=b"sorry", hit=hit)


class ForceTests(CacheTestCase):
    """An operator who knows better than the origin."""

    caching = RouteCacheSettings(
        force=ForceSettings(
            lifetimeSeconds=60, ignore=("Cache-Control", "Expires", "Set-Cookie", "Vary")
        )
    )

    def test_whateverTheOriginSays(self) -> None:
        """It is stored, for that long."""
        for number, lines in enumerate(
            (
                (b"Cache-Control: no-store",),
                (b"Cache-Control: private, max-age=0", b"Expires: 0"),
                (b"Cache-Control: max-age=3600, must-revalidate",),
                (b"Vary: *",),
                (b"Age: 1000",),
            )
        ):
            target = b"/%d" % number
            self.asks(target=target)
            self.isAsked()
            self.answers(*lines)
            self.assertIn(b"ttl=60; stored", self.gets()[b"cache-status"])
            self.asks(target=target)
            # Clients hear what the origin has said.
            fields = self.gets(hit=True)
            for line in lines[:1]:
                name, _, value = line.partition(b": ")
                self.assertEqual(fields[name.lower()], value)

    def test_aCookieIsForWhoGotIt(self) -> None:
        """It is in nothing that is stored, nor for those who wait."""
        other = self.scenario.client()
        self.asks()
        other.sends(b"GET / HTTP/1.1", b"Host: a", b"", b"")
        self.isAsked()
        self.answers(b"Set-Cookie: id=1", b"X: y")
        self.assertEqual(self.gets()[b"set-cookie"], b"id=1")
        self.client = other
        for hit in (False, True):
            fields = self.gets(hit=hit)
            self.assertNotIn(b"set-cookie", fields)
            self.assertEqual(fields[b"x"], b"y")
            self.asks()
        self.gets(hit=True)

    def test_aCookieOfAValidationIsNotStoredEither(self) -> None:
        """Who validates gets it, and nobody after."""
        self.stores(b'ETag: "a"')
        self.scenario.passes(61)
        self.asks()
        self.isAsked(b'If-None-Match: "a"')
        assert self.origin is not None
        self.origin.sends(
            b"HTTP/1.1 304 Not Modified", b'ETag: "a"', b"Set-Cookie: id=2", b"Vary: *", b"", b""
        )
        self.assertEqual(self.gets()[b"set-cookie"], b"id=2")
        self.asks()
        self.assertNotIn(b"set-cookie", self.gets(hit=True))

    def test_oneVariantForAll(self) -> None:
        """What the origin says it varies by makes no difference."""
        self.asks(b"Accept-Language: de")
        self.isAsked()
        self.answers(b"Vary: Accept-Language")
        self.assertEqual(self.gets()[b"vary"], b"Accept-Language")
        self.asks(b"Accept-Language: en")
        self.gets(hit=True)

    def test_notForErrors(self) -> None:
        """Nobody wants to have them for as long."""
        for status in (b"404 Not Found", b"503 Service Unavailable"):
            self.asks(target=b"/" + status[:3])
            self.isAsked()
            self.answers(status=status)
            self.assertNotIn(b"; ttl=60", self.gets(int(status[:3]))[b"cache-status"])

    def test_whoeverIsAuthorizedGoesPast(self) -> None:
        """Neither stored for others, nor answered with what others got."""
        for _ in range(2):
            self.asks(b"Authorization: x")
            self.isAsked()
            self.answers(b"Cache-Control: public, max-age=60", body=b"mine")
            self.assertEqual(self.gets(body=b"mine")[b"cache-status"], b"test; fwd=bypass")
        self.stores()
        self.asks(b"Authorization: x")
        self.isAsked()
        self.answers(body=b"mine")
        self.gets(body=b"mine", hit=False)

    def test_aRequestMayStillForbidIt(self) -> None:
        """C{no-store} of a client is not the origin's."""
        self.asks(b"Cache-Control: no-store")
        self.isAsked()
        self.answers()
        self.assertNotIn(b"stored", self.gets()[b"cache-status"])


class AuthorizedTests(CacheTestCase):
    """An operator who says that answers to authorized requests are for all."""

    caching = RouteCacheSettings(force=ForceSettings(lifetimeSeconds=60, authorization=True))

    def test_theyAreAsAllOthers(self) -> None:
        """Stored, and used for anybody."""
        self.asks(b"Authorization: x")
        self.isAsked()
        self.answers()
        self.assertIn(b"stored", self.gets()[b"cache-status"])
        self.asks()
        self.gets(hit=True)

    def test_whatIsNotIgnoredStillCounts(self) -> None:
        """A lifetime alone forces nothing else."""
        for number, line in enumerate(
            (b"Cache-Control: no-store", b"Cache-Control: private", b"Set-Cookie: a=b", b"Vary: *")
        ):
            self.asks(target=b"/%d" % number)
            self.isAsked()
            self.answers(line)
            self.assertNotIn(b"stored", self.gets()[b"cache-status"])


class IgnoreClientTests(CacheTestCase):
    """Clients that would like something fresher."""

    caching = RouteCacheSettings(ignoreClient=True)

    def test_theyGetWhatIsFresh(self) -> None:
        """A reload does not reach the origin."""
        self.stores(b"Cache-Control: max-age=60")
        for line in (
            b"Cache-Control: no-cache",
            b"Cache-Control: max-age=0",
            b"Cache-Control: min-fresh=100",
            b"Pragma: no-cache",
            b"Cache-Control: no-store, no-cache",
            b"Cache-Control: " + b"x" * 5000,
        ):
            self.asks(line)
            self.gets(hit=True)

    def test_nothingElseIsIgnored(self) -> None:
        """What is stale is validated, and what is not to be stored is not."""
        self.stores(b"Cache-Control: max-age=1")
        self.scenario.passes(2)
        self.asks(b"Cache-Control: max-stale=60")
        self.gets(hit=True)
        self.asks(b"Cache-Control: no-cache, no-store")
        self.isAsked()
        self.answers(b"Cache-Control: max-age=60")
        self.assertNotIn(b"stored", self.gets()[b"cache-status"])

    def test_theyWaitLikeAllOthers(self) -> None:
        """A crowd that reloads is one request."""
        clients = [self.scenario.client() for _ in range(5)]
        for self.client in clients:
            self.asks(b"Cache-Control: no-cache", b"Pragma: no-cache")
        self.isAsked()
        self.isNotAsked()
        self.answers(b"Cache-Control: max-age=60")
        for self.client in clients:
            self.gets()
