# -*- test-case-name: tests.policy.test_cacherules -*-
"""
What a route decides about lifetimes, in transcripts.
"""

from __future__ import annotations

from intermediary.settings import RouteCacheSettings

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
