# -*- test-case-name: tests.policy.test_recentpurges -*-
"""
What is on its way from an origin while something is purged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import ConnectionRefused
from intermediary.policy.marks import MARKS
from intermediary.policy.purging import Purge
from intermediary.policy.recentpurges import WIDE, RecentPurges

from .test_cache import CacheTestCase

if TYPE_CHECKING:
    from ..scenario import Side

LONG = b"Cache-Control: max-age=60"
KEY = b"site http://a/news/1"

#: Ways to say what a test has at C{/}.
KINDS = (
    Purge.ofKey(b"site http://a/"),
    Purge.ofPrefix(b"http://a/").within(b"site"),
    Purge.ofHost(b"a"),
    Purge.ofTag(b"x", b"t").within(b"site"),
    Purge.ofTag(b"t"),
    Purge.ofPrefix(b""),
)
#: And what is not.
OTHERS = (
    Purge.ofKey(b"http://a/"),
    Purge.ofPrefix(b"http://a/").within(b"sit"),
    Purge.ofPrefix(b"http://a/x"),
    Purge.ofHost(b"b"),
    Purge.ofTag(b"x"),
    Purge.ofTag(b"t").within(b"sit"),
)


class RecentPurgesTests(SynchronousTestCase):
    """L{RecentPurges}."""

    def setUp(self) -> None:
        self.purges = RecentPurges()

    def covered(self, since: int, key: bytes = KEY, tags: tuple[bytes, ...] = ()) -> bool:
        """Whether something was purged."""
        return self.purges.covered(key, tags, since)

    def test_whatIsCovered(self) -> None:
        """By its key, URL, host or tags, in the partition that the purge is about."""
        for what, expected in (
            (Purge.ofKey(KEY), True),
            (Purge.ofKey(b"http://a/news/1"), False),
            (Purge.ofPrefix(b"http://a/news"), True),
            (Purge.ofPrefix(b"http://a/news").within(b"site"), True),
            (Purge.ofPrefix(b"http://a/news").within(b"si"), False),
            (Purge.ofPrefix(b"http://a/news/2"), False),
            (Purge.ofHost(b"a").within(b"site"), True),
            (Purge.ofHost(b"b").within(b"site"), False),
            (Purge.ofTag(b"one"), True),
            (Purge.ofTag(b"one").within(b"site"), True),
            (Purge.ofTag(b"one").within(b"other"), False),
            (Purge.ofTag(b"one").within(b"other", b"site"), True),
            (Purge.ofHost(b"a").within(b"other", b"site"), True),
            (Purge.ofTag(b"three", b"two"), True),
            (Purge.ofTag(b"three"), False),
        ):
            since = self.purges.serial
            self.purges.note(what)
            self.assertIs(self.covered(since, tags=(b"one", b"two")), expected, what)
            self.assertFalse(self.covered(self.purges.serial, tags=(b"one", b"two")), what)

    def test_aKeyWithoutAPartition(self) -> None:
        """Is in none, whatever else is in it."""
        key = b"http://a/b\ncookie: x http://c/"
        self.purges.note(Purge.ofTag(b"t").within(b"http"))
        self.assertFalse(self.covered(0, key, (b"t",)))
        self.purges.note(Purge.ofTag(b"t"))
        self.assertTrue(self.covered(0, key, (b"t",)))

    def test_whatIsForgottenCounts(self) -> None:
        """As if it had been about everything; what was asked for later is not concerned."""
        for make, most in (
            (lambda n: Purge.ofKey(b"%d" % n), MARKS),
            (lambda n: Purge.ofPrefix(b"%d" % n), WIDE),
        ):
            self.purges = RecentPurges()
            for number in range(most):
                self.purges.note(make(number))
            self.assertFalse(self.covered(0))
            self.purges.note(make(-1))
            self.assertTrue(self.covered(0))
            self.assertFalse(self.covered(1))

    def test_theSameAgainTakesNoRoom(self) -> None:
        """And counts by its last time."""
        for _ in range(2 * MARKS):
            self.purges.note(Purge.ofKey(KEY))
        self.assertFalse(self.covered(0, b"another"))
        self.assertTrue(self.covered(2 * MARKS - 1))
        self.assertIn("known", repr(self.purges))


class OnItsWayTests(CacheTestCase):
    """A response to a request from before the purge is not stored."""

    def test_aMiss(self) -> None:
        """Who asked gets it, and the next one asks anew."""
        for soft in (False, True):
            for what in KINDS:
                self.asks()
                self.isAsked()
                self.scenario.cache.purge(what, soft)
                self.answers(LONG, b"Surrogate-Key: t", body=b"old")
                self.assertNotIn(b"stored", self.gets(body=b"old")[b"cache-status"])
                self.asks()
                self.isAsked()
                self.answers(LONG, b"Surrogate-Key: t", body=b"new")
                self.gets(body=b"new", hit=False)
                self.asks()
                self.gets(body=b"new", hit=True)
                self.scenario.cache.purge(Purge.ofPrefix(b""))

    def test_whatThePurgeIsNotAbout(self) -> None:
        """Is stored."""
        for what in OTHERS:
            self.asks()
            self.isAsked()
            self.scenario.cache.purge(what)
            self.answers(LONG, b"Surrogate-Key: t")
            self.assertIn(b"stored", self.gets()[b"cache-status"], what)
            self.scenario.cache.purge(Purge.ofPrefix(b""))

    def test_aRequestThatNobodyWaitsFor(self) -> None:
        """One of those that go on their own, as its client wants it so."""
        self.asks(b"Cache-Control: no-cache")
        self.isAsked()
        self.scenario.cache.purge(KINDS[0])
        self.answers(LONG)
        self.assertNotIn(b"stored", self.gets()[b"cache-status"])

    def test_aValidation(self) -> None:
        """A 304 does not bring back what was purged: the whole is asked for."""
        for what in KINDS:
            self.stores(LONG, b"Surrogate-Key: t", b'ETag: "1"')
            self.scenario.passes(61)
            self.asks()
            self.isAsked(b'If-None-Match: "1"')
            self.scenario.cache.purge(what)
            assert self.origin is not None
            self.origin.sends(b"HTTP/1.1 304 Not Modified", b'ETag: "1"', LONG, b"", b"")
            lines = self.isAsked()
            self.assertNotIn(b'If-None-Match: "1"', lines)
            self.answers(LONG, body=b"new")
            self.gets(body=b"new", hit=False)
            self.asks()
            self.gets(body=b"new", hit=True)
            self.scenario.cache.purge(Purge.ofPrefix(b""))

    def test_aHead(self) -> None:
        """What it tells of a response that was purged brings that not back."""
        self.stores(LONG, b'ETag: "1"')
        self.scenario.passes(61)
        self.asks(method=b"HEAD")
        self.isAsked(method=b"HEAD")
        self.scenario.cache.purge(KINDS[0])
        self.answers(LONG, b'ETag: "1"', body=b"")
        self.gets(body=b"")
        self.assertEqual(self.scenario.cache.store.count, 0)

    def test_aFailingOrigin(self) -> None:
        """What was purged does not stand in; what was softly does."""
        for soft, status in ((False, 502), (True, 200)):
            self.stores(LONG, b'ETag: "1"')
            assert self.origin is not None
            self.origin.closes()
            self.scenario.passes(61)
            self.asks()
            self.scenario.cache.purge(KINDS[0], soft)
            self.scenario.refuses(ConnectionRefused())
            self.gets(status, body=None)
            self.scenario.cache.purge(Purge.ofPrefix(b""))

    def test_theRestOfAPart(self) -> None:
        """It belongs to what is gone; the whole is asked for."""
        self.asks(b"Range: bytes=0-2")
        self.isAsked()
        self.answers(
            LONG,
            b'ETag: "1"',
            b"Content-Range: bytes 0-2/5",
            body=b"hel",
            status=b"206 Partial Content",
        )
        self.gets(206, body=b"hel")
        self.asks()
        self.isAsked(b"Range: bytes=3-")
        self.scenario.cache.purge(KINDS[0])
        self.answers(
            LONG,
            b'ETag: "1"',
            b"Content-Range: bytes 3-4/5",
            body=b"lo",
            status=b"206 Partial Content",
        )
        self.isAsked()
        self.answers(LONG, body=b"other")
        self.gets(body=b"other", hit=False)

    def test_whatIsSentAgain(self) -> None:
        """After a purge, on another connection, it asks about nothing that is gone."""
        self.stores(b"Cache-Control: max-age=10", b'ETag: "1"')
        self.scenario.passes(11)
        self.asks()
        self.isAsked(b'If-None-Match: "1"')
        self.scenario.cache.purge(KINDS[0])
        assert self.origin is not None
        self.origin.closes()
        self.assertNotIn(b'If-None-Match: "1"', self.isAsked())
        self.answers(LONG, body=b"new")
        self.assertIn(b"stored", self.gets(body=b"new")[b"cache-status"])

    def test_whatIsSentAgainAfterASoftPurge(self) -> None:
        """That asks about what is stored still, and if it fails, too, that stands in."""
        for works in (True, False):
            self.stores(b"Cache-Control: max-age=10", b'ETag: "1"')
            self.scenario.passes(11)
            self.asks()
            self.isAsked(b'If-None-Match: "1"')
            self.scenario.cache.purge(KINDS[0], soft=True)
            assert self.origin is not None
            self.origin.closes()
            self.isAsked(b'If-None-Match: "1"')
            if works:
                self.origin.sends(b"HTTP/1.1 304 Not Modified", b'ETag: "1"', LONG, b"", b"")
                self.assertIn(b"stored", self.gets()[b"cache-status"])
            else:
                self.origin.closes()
                self.assertIn(b"fwd=stale", self.gets()[b"cache-status"])
            self.scenario.cache.purge(Purge.ofPrefix(b""))

    def test_whatIsSentAgainBesideWhatIsGone(self) -> None:
        """Of several that it asks about, another may have been validated meanwhile."""
        short = b"Cache-Control: max-age=10"
        self.stores(short, b'ETag: "1"', b"Vary: X")
        self.asks(b"X: b")
        self.isAsked()
        self.answers(short, b'ETag: "2"', b"Vary: X")
        self.gets()
        self.scenario.passes(11)
        self.asks()
        self.isAsked(b'If-None-Match: "1", "2"')
        with self.anotherClient():
            self.asks(b"X: b", b"Cache-Control: no-cache")
            self.isAsked()
            self.answers(LONG, b'ETag: "2"', status=b"304 Not Modified", body=b"")
            self.gets()
        self.scenario.cache.purge(KINDS[0], soft=True)
        assert self.origin is not None
        self.origin.closes()
        self.isAsked(b'If-None-Match: "1"')
        self.origin.closes()
        self.assertIn(b"fwd=stale; ttl=-1", self.gets()[b"cache-status"])

    def test_whoWaits(self) -> None:
        """One asks anew, and the others wait for that."""
        clients = [self.scenario.client() for _ in range(20)]
        for client in clients:
            client.sends(b"GET / HTTP/1.1", b"Host: a", b"", b"")
        self.isAsked()
        self.scenario.cache.purge(KINDS[0])
        self.answers(LONG, body=b"old")
        self.client = clients[0]
        self.gets(body=b"old")
        self.isAsked()
        # For the one; the connection that came back was there before.
        self.scenario.accepts()
        self.isNotAsked()
        self.answers(LONG, body=b"new")
        for self.client in clients[1:]:
            self.gets(body=b"new")

    def test_changesKeepNobodyWaiting(self) -> None:
        """Who waited twice asks on its own."""
        clients = [self.scenario.client() for _ in range(4)]
        for client in clients:
            client.sends(b"GET / HTTP/1.1", b"Host: a", b"", b"")
        spare: list[Side] = []
        for number in range(2):
            self.isAsked()
            self.scenario.cache.purge(KINDS[0])
            self.answers(LONG, body=b"%d" % number)
            self.client = clients[number]
            self.gets(body=b"%d" % number)
            spare.append(self.scenario.accepts())
        assert self.origin is not None
        asked = [each for each in (self.origin, *spare) if each.takes()]
        self.assertEqual(len(asked), 2)
        for each in asked:
            each.sends(b"HTTP/1.1 200 OK", b"Content-Length: 1", b"", b"x")
        for self.client in clients[2:]:
            self.gets(body=b"x")
        self.scenario.connectsNowhere()

    def test_whatFills(self) -> None:
        """Goes to those who read it, and to nobody else."""
        self.asks()
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 200 OK", LONG, b"Content-Length: 6", b"", b"old")
        self.assertEqual(self.scenario.cache.purge(KINDS[0]), 1)
        self.origin.sends(b"old")
        self.gets(body=b"oldold")
        self.asks()
        self.isAsked()
        self.answers(LONG, body=b"new")
        self.gets(body=b"new", hit=False)
