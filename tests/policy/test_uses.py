# -*- test-case-name: tests.policy.test_uses -*-
"""
What few ask for, in transcripts.
"""

from __future__ import annotations

from intermediary.settings import RouteCacheSettings

from .test_cache import CacheTestCase


class UsesTests(CacheTestCase):
    """A route that stores what was asked for thrice within a minute."""

    caching = RouteCacheSettings(minUses=3, minUsesWithinSeconds=60)

    def passesOn(self, *lines: bytes, target: bytes = b"/", storing: bool = False) -> None:
        """The origin is asked for what could be stored."""
        self.asks(*lines, target=target)
        self.isAsked()
        self.answers(b"Cache-Control: max-age=600")
        status = self.gets()[b"cache-status"]
        self.assertIn(b"fwd=uri-miss", status)
        self.assertEqual(b"stored" in status, storing)

    def test_theThirdIsStored(self) -> None:
        """Whatever else is asked for meanwhile."""
        self.passesOn()
        self.passesOn()
        self.passesOn(target=b"/other")
        self.passesOn(storing=True)
        self.asks()
        self.gets(hit=True)

    def test_countingBeginsAnew(self) -> None:
        """After the time, counted from the first."""
        self.passesOn()
        self.scenario.passes(59)
        self.passesOn()
        self.scenario.passes(1)
        self.passesOn()
        self.passesOn()
        self.passesOn(storing=True)

    def test_whatWasStoredIsStoredAgain(self) -> None:
        """Within the time it is known to be asked for."""
        self.passesOn()
        self.passesOn()
        self.passesOn(storing=True)
        self.asks(b"Content-Length: 0", method=b"POST")
        self.isAsked(method=b"POST")
        self.answers()
        self.gets()
        self.passesOn(storing=True)

    def test_nobodyWaitsForWhatIsNotStored(self) -> None:
        """Two go on at once; the third fetches, for all that come then."""
        clients = [self.scenario.client() for _ in range(5)]
        for self.client in clients:
            self.asks()
        origins = [self.scenario.accepts() for _ in range(3)]
        self.scenario.connectsNowhere()
        for client, origin, storing in zip(clients, origins, (False, False, True), strict=False):
            self.client, self.origin = client, origin
            self.isAsked()
            self.answers(b"Cache-Control: max-age=600")
            self.assertEqual(b"stored" in self.gets()[b"cache-status"], storing)
        for self.client in clients[3:]:
            self.assertIn(b"collapsed", self.gets()[b"cache-status"])

    def test_whoWantsItsOwnCounts(self) -> None:
        """It has asked; but not who leaves nothing behind, or wants no content."""
        self.passesOn(b"Cache-Control: no-cache")
        self.passesOn(b"Cache-Control: no-store")
        self.asks(method=b"HEAD")
        self.isAsked(method=b"HEAD")
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 200 OK", b"Cache-Control: max-age=600", b"", b"")
        self.gets(body=b"")
        self.passesOn()
        self.passesOn(storing=True)

    def test_otherVariantsAreKnownToBeAskedFor(self) -> None:
        """What has entries is not counted any more."""
        for storing in (False, False, True, True):
            self.asks(b"Accept-Language: %d" % len(self.scenario.records))
            self.isAsked()
            self.answers(b"Cache-Control: max-age=600", b"Vary: Accept-Language")
            self.assertEqual(b"stored" in self.gets()[b"cache-status"], storing)

    def test_theCountsAreForgotten(self) -> None:
        """When their time is over, and others come."""
        for number in range(10):
            self.passesOn(target=b"/%d" % number)
        store = self.scenario.cache.store
        self.assertIn("blank=10 ", repr(store))
        self.scenario.passes(60)
        for number in range(10, 20):
            self.passesOn(target=b"/%d" % number)
        self.assertIn("blank=10 ", repr(store))
