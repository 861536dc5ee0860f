# -*- test-case-name: tests.policy.test_outdating -*-
"""
All keys of a target, in transcripts (RFC 9111 §4.4).
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.marks import MARKS
from intermediary.policy.outdating import Outdating
from intermediary.policy.recentchanges import RecentChanges
from intermediary.policy.siblings import Siblings
from intermediary.policy.stores import MemoryStore
from intermediary.policy.targets import Targets
from intermediary.settings import CacheSettings, RouteCacheSettings, RouteSettings
from intermediary.wire.cachekey import KeyMaker
from intermediary.wire.fields import EMPTY, Fields
from intermediary.wire.target import Target

from ..scenario import Scenario
from .exchanges import head
from .stored import entryOf
from .test_cache import WEB, CacheTestCase

LONG = b"Cache-Control: max-age=60"


class KeyedTestCase(CacheTestCase):
    """A front whose answers are stored by device and language."""

    def setUp(self) -> None:
        self.scenario = Scenario(self).caching(CacheSettings(purgeFrom=("192.0.2.7",)))
        keyed = RouteCacheSettings(
            keyFields=("X-Device",), keyCookies=("lang",), ignoreQuery=("u",), graceSeconds=30
        )
        self.scenario.reverse(
            routes=(
                RouteSettings(upstream=WEB, cache=keyed),
                RouteSettings(upstream=WEB, path="/plain"),
            )
        )
        self.client = self.scenario.client()
        self.origin = None

    def fills(self, *lines: bytes, target: bytes = b"/") -> bytes:
        """One exchange whose answer is stored, and returned."""
        self.asks(*lines, target=target)
        self.isAsked(*lines)
        body = b", ".join((target, *lines))
        self.answers(LONG, b'ETag: "a"', body=body)
        self.assertIn(b"; stored", self.gets(body=body, hit=False)[b"cache-status"])
        return body

    def changes(self, target: bytes = b"/", *lines: bytes) -> None:
        """Something is changed."""
        self.asks(b"Content-Length: 0", target=target, method=b"POST")
        self.isAsked(method=b"POST")
        self.answers(*lines, body=b"done")
        self.gets(body=b"done")


class KeyTests(KeyedTestCase):
    """What is under one key answers no request with another."""

    def test_fieldsAndCookies(self) -> None:
        """Each value has its own answer; absent is not empty, and other cookies mean nothing."""
        requests: list[tuple[bytes, ...]] = [
            (),
            (b"X-Device: tv",),
            (b"X-Device: ",),
            (b"X-Device: tv, big",),
            (b"Cookie: lang=de",),
            (b"Cookie: lang=",),
            (b"X-Device: tv", b"Cookie: lang=de"),
        ]
        found: list[bytes] = []
        for lines in requests:
            self.asks(*lines)
            self.isAsked()
            body = b"%d" % len(found)
            self.answers(LONG, body=body)
            self.gets(body=body, hit=False)
            found.append(body)
        for lines, body in zip(requests, found, strict=True):
            self.asks(*lines)
            self.gets(body=body, hit=True)
        self.asks(b"Cookie: session=1; lang=de; x=y")
        self.gets(body=found[4], hit=True)
        self.asks(b"X-Device: tv", b"X-Device: big")
        self.gets(body=found[3], hit=True)

    def test_cookiesThatMayMeanTwoThings(self) -> None:
        """Nothing stored answers them, and their answers are not stored."""
        self.fills(b"Cookie: lang=de")
        for line in (b"Cookie: lang=en; lang=de", b'Cookie: a="; lang=de', b"Cookie: lang"):
            self.asks(line)
            self.isAsked(line)
            self.answers(LONG, body=b"?")
            self.assertEqual(self.gets(body=b"?")[b"cache-status"], b"test; fwd=bypass")
        self.asks(b"Cookie: lang=de")
        self.gets(body=None, hit=True)

    def test_aFieldThatTheOriginDoesNotGet(self) -> None:
        """Is not there (RFC 9110 §7.6.1): nobody puts one device's answer in another's place."""
        self.asks(b"Connection: close, X-Device", b"X-Device: tv")
        self.isAsked()
        self.answers(LONG, body=b"for none")
        self.gets(body=b"for none")
        self.client = self.scenario.client()
        self.fills(b"X-Device: tv")
        self.asks()
        self.gets(body=b"for none", hit=True)


class InvalidationTests(KeyedTestCase):
    """An unsafe request invalidates all keys of its target, and no others."""

    def test_allKeysOfTheTarget(self) -> None:
        """Whatever the request itself has in these fields."""
        variants: list[tuple[bytes, ...]] = [(), (b"X-Device: tv",), (b"Cookie: lang=de",)]
        for lines in variants:
            self.fills(*lines)
            self.fills(*lines, target=b"/b")
        self.changes()
        for lines in variants:
            self.asks(*lines, target=b"/b")
            self.gets(body=None, hit=True)
            self.fills(*lines)

    def test_ofOtherTargetsToo(self) -> None:
        """Those that C{Location} names, whichever route they are of."""
        self.fills(b"X-Device: tv")
        self.fills(target=b"/plain")
        self.changes(b"/plain", b"Location: /")
        self.fills(b"X-Device: tv")
        self.fills(target=b"/plain")
        self.changes(b"/", b"Content-Location: /plain")
        self.fills(target=b"/plain")

    def test_aChangeOvertakesAFetch(self) -> None:
        """Under whatever key it is (RFC 9111 §4.4); and nothing of it is left."""
        self.asks(b"X-Device: tv")
        self.isAsked()
        with self.anotherClient():
            self.changes()
        self.answers(LONG, body=b"old")
        self.assertNotIn(b"stored", self.gets(body=b"old")[b"cache-status"])
        self.fills(b"X-Device: tv")
        self.assertEqual(len(self.scenario.cache.siblings), 0)

    def test_aChangeOvertakesAValidationInTheBackground(self) -> None:
        """It has the same mark."""
        self.fills(b"X-Device: tv")
        self.scenario.passes(61)
        self.asks(b"X-Device: tv")
        self.gets(body=None, hit=True)
        self.isAsked(b'If-None-Match: "a"')
        self.assertEqual(len(self.scenario.cache.siblings), 1)
        first = self.origin
        self.origin = None
        self.changes()
        self.origin, other = first, self.origin
        self.answers(LONG, body=b"old")
        self.assertEqual(len(self.scenario.cache.siblings), 0)
        self.origin = other
        self.fills(b"X-Device: tv")

    def test_nothingIsLeftOfWhoLeaves(self) -> None:
        """Neither of a client that is gone nor of an origin that fails."""
        self.asks(b"X-Device: tv")
        self.isAsked()
        self.client.closes()
        assert self.origin is not None
        self.origin.sees("aborted")
        self.client = self.scenario.client()
        self.asks(b"X-Device: tv")
        self.origin = self.scenario.accepts()
        self.origin.takes()
        self.origin.closes()
        self.gets(502, None)
        self.assertEqual(len(self.scenario.cache.siblings), 0)


class AloneTests(KeyedTestCase):
    """Nobody waits for its answer, but a change overtakes it all the same (RFC 9111 §4.4)."""

    def overtakes(
        self, *lines: bytes, target: bytes = b"/", change: bytes = b"/", status: bytes = b"200 OK"
    ) -> dict[bytes, bytes]:
        """Something is changed while the origin is asked; the answer is from before that."""
        self.asks(*lines, target=target)
        self.isAsked(*lines)
        with self.anotherClient():
            self.changes(change)
        self.answers(LONG, body=b"old", status=status)
        return self.gets(int(status[:3]), body=b"old")

    def isNotStored(self, *lines: bytes, **more: Any) -> None:
        """The answer is for who asked."""
        self.assertNotIn(b"stored", self.overtakes(*lines, **more)[b"cache-status"])

    def test_whoWantsItFresh(self) -> None:
        """Where nothing is stored."""
        self.isNotStored(b"Cache-Control: no-cache")
        self.fills()

    def test_underWhateverKey(self) -> None:
        """Where something is, which is gone, too."""
        self.fills(b"X-Device: tv")
        self.isNotStored(b"X-Device: tv", b"Cache-Control: no-cache")
        self.fills(b"X-Device: tv")

    def test_whereATargetHasOneKey(self) -> None:
        """It is that."""
        self.isNotStored(b"Cache-Control: no-cache", target=b"/plain", change=b"/plain")
        self.fills(target=b"/plain")

    def test_whileNobodyWaits(self) -> None:
        """After an answer that could not be stored, each asks for itself."""
        self.asks()
        self.isAsked()
        self.answers(b"Cache-Control: private")
        self.gets()
        self.isNotStored()
        self.fills()

    def test_aPart(self) -> None:
        """What is stored of it would answer others, too."""
        self.asks(b"Range: bytes=0-2")
        self.isAsked()
        with self.anotherClient():
            self.changes()
        self.answers(LONG, b"Content-Range: bytes 0-2/9", body=b"old", status=b"206 Part")
        self.assertNotIn(b"stored", self.gets(206, b"old")[b"cache-status"])

    def test_anotherTarget(self) -> None:
        """What was changed is not this."""
        lines = (b"Cache-Control: no-cache",)
        self.assertIn(b"; stored", self.overtakes(*lines, change=b"/b")[b"cache-status"])

    def test_whatAPostBringsItself(self) -> None:
        """Is from after its own change, but maybe from before another (RFC 9110 §9.3.3)."""
        own = (LONG, b"Content-Location: /")
        self.changes(b"/", *own)
        self.asks()
        self.gets(body=b"done", hit=True)
        self.asks(b"Content-Length: 0", method=b"POST")
        self.isAsked(method=b"POST")
        with self.anotherClient():
            self.changes()
        self.answers(*own, body=b"?")
        self.gets(body=b"?")
        self.fills()

    def test_moreChangesThanAreRemembered(self) -> None:
        """Each of those forgotten may have been of this; what was purged is not forgotten."""
        cache = self.scenario.cache
        self.asks(b"Cache-Control: no-cache")
        self.isAsked()
        before = cache.purges.serial
        outdating = Outdating(
            cache.store, Targets(KeyMaker(partition=b"site")), Siblings(), cache.purges.changes
        )
        post = head(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 0")
        for number in range(MARKS + 1):
            path = b"/other/%d" % number
            outdating.invalidate(post, Target("http", "a", 80, path, b"a"), 200, EMPTY)
        self.assertEqual(cache.purges.serial, before)
        self.answers(LONG)
        self.assertNotIn(b"stored", self.gets()[b"cache-status"])
        self.fills()


class PurgeTests(KeyedTestCase):
    """A C{PURGE} of a URL is about all of its keys."""

    def test_allKeysOfTheTarget(self) -> None:
        """Whatever the request itself has in these fields, and whatever it is softly."""
        variants: list[tuple[bytes, ...]] = [(), (b"X-Device: tv",), (b"Cookie: lang=de",)]
        for lines in variants:
            self.fills(*lines)
        self.fills(target=b"/b")
        # One of them is validated, and has got another tag.
        self.asks(b"Cache-Control: no-cache")
        self.isAsked(b'If-None-Match: "a"')
        self.answers(LONG, b'ETag: "a"', b"Cache-Tag: x", status=b"304 Not Modified", body=b"")
        self.gets(body=None)
        for lines in (b"Soft-Purge: 1",), (b"Cookie: lang=de; lang=en", b"X-Device: radio"):
            self.asks(*lines, method=b"PURGE")
            self.gets(body=b'{"purged": 3}\n')
        self.asks(target=b"/b")
        self.gets(body=None, hit=True)
        for lines in variants:
            self.fills(*lines)

    def test_whatIsOnItsWay(self) -> None:
        """Is not stored, under whatever key it is."""
        self.asks(b"X-Device: tv")
        self.isAsked()
        first, self.client = self.client, self.scenario.client()
        self.asks(method=b"PURGE")
        self.gets(body=b'{"purged": 0}\n')
        self.client = first
        self.answers(LONG, body=b"old")
        self.assertNotIn(b"stored", self.gets(body=b"old")[b"cache-status"])
        self.fills(b"X-Device: tv")


class ForgettingTests(SynchronousTestCase):
    """L{Outdating.forget}: for whoever purges a target."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store: Any = MemoryStore(self.clock, 10_000_000, 1_000_000)
        self.siblings = Siblings()
        self.keys = KeyMaker(fields=[b"x"])
        self.outdating = Outdating(self.store, Targets(self.keys), self.siblings, RecentChanges())
        self.target = Target("http", "a", 80, b"/", b"a")

    def entry(self, value: bytes, path: bytes = b"/") -> Any:
        """Store something under a key with a value."""
        key = self.keys.make("http", "a", 80, path, Fields.fromPairs([(b"X", value)]))
        tag = self.siblings.tagOf(self.keys.common("http", "a", 80, path))
        entry = entryOf(key, b"x", tags=(tag,))
        self.store.add(entry)
        return entry

    def test_itCountsEach(self) -> None:
        """Once, whichever key it is under."""
        self.siblings.exist = True
        self.store.add(entryOf(b"http://a/", b"x"))
        for value in (b"1", b"2"):
            self.entry(value)
            self.entry(value, b"/b")
        self.assertEqual(self.outdating.forget(self.target), 3)
        self.assertEqual(self.outdating.forget(self.target), 0)
        self.assertEqual(self.store.count, 2)

    def test_whereNoTargetHasSeveral(self) -> None:
        """Nobody looks for more."""
        self.entry(b"1")
        self.assertEqual(self.outdating.forget(self.target), 0)

    def test_moreThanTheReactorCanWaitFor(self) -> None:
        """The sum comes when all are gone."""
        self.siblings.exist = True
        kinds: list[list[Any]] = [[2, Deferred()], [Deferred(), 2], [Deferred(), Deferred()]]
        for answers in kinds:
            pending = [each for each in answers if not isinstance(each, int)]
            gone = self.over(answers).forget(self.target)
            assert isinstance(gone, Deferred)
            for each in pending:
                self.assertNoResult(gone)
                each.callback(3)
            self.assertEqual(self.successResultOf(gone), 5 if len(pending) == 1 else 6)

    def test_aFailureIsLogged(self) -> None:
        """Where nobody waits."""
        pending: Deferred[int] = Deferred()
        request = head(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 0")
        self.over([pending]).invalidate(request, self.target, 200, EMPTY)
        pending.errback(OSError("no disk"))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def over(self, answers: list[Any]) -> Outdating:
        """Over a store that answers purges so, in turn."""
        store: Any = SimpleNamespace(
            forget=lambda key: answers.pop(0),
            purge=lambda what: answers.pop(0),
        )
        return Outdating(store, Targets(self.keys), self.siblings, RecentChanges())
