# -*- test-case-name: tests.policy.test_tiers -*-
"""
Memory and disk as one cache: conversations with a disk whose threads wait to be told.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.answers import Record
from intermediary.policy.cachestate import Cache
from intermediary.policy.diskstore import DiskStore
from intermediary.policy.purging import Purge, total
from intermediary.policy.readahead import PATIENCE_SECONDS, READS
from intermediary.policy.refreshing import Refreshing
from intermediary.policy.stores import MemoryStore
from intermediary.policy.tiers import Tiers
from intermediary.settings import RouteCacheSettings, RouteSettings, UpstreamSettings
from intermediary.wire.freshness import Freshness
from tests.scenario import Scenario, Side

from .stored import entryOf
from .test_cache import WEB
from .test_diskstore import Pool
from .test_partials import expected, partsOf

if TYPE_CHECKING:
    from collections.abc import Callable


MEMORY = 400_000
SMALL = 50_000
LARGEST = 4 << 20

KEY = b"http://example.org/a"


def ask(path: bytes = b"/a", *lines: bytes, method: bytes = b"GET") -> tuple[bytes, ...]:
    """A request."""
    return (b"%b %b HTTP/1.1" % (method, path), b"Host: example.org", *lines, b"", b"")


def answer(content: bytes, *lines: bytes, control: bytes = b"max-age=60") -> bytes:
    """A response that is stored."""
    head = b"\r\n".join(
        (b"HTTP/1.1 200 OK", b"Cache-Control: %b" % control, *lines, b"Content-Length: %d")
    )
    return head % len(content) + b"\r\n\r\n" + content


class TiersTestCase(SynchronousTestCase):
    """
    A reverse front with a cache in memory and on a disk.

    @cvar caching: how its route is cached.
    """

    caching = RouteCacheSettings()

    def setUp(self) -> None:
        self.folder = self.mktemp()
        self.pool = Pool()
        self.lines: list[str] = []
        observer: Any = self.observe
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.begin()

    def observe(self, event: Any) -> None:
        """Note what is logged in earnest."""
        if event.get("log_level") in (LogLevel.error, LogLevel.warn):
            self.lines.append(event["log_format"])

    def begin(self) -> None:
        """Begin a process."""
        scenario = self.scenario = Scenario(self)
        clock: Any = scenario.clock
        clock.callFromThread = lambda function, *arguments: function(*arguments)
        self.memory = MemoryStore(clock, MEMORY, SMALL)
        self.disk = DiskStore(
            clock, self.pool, self.folder, 1 << 30, LARGEST, Record.encode, Record.decode
        )
        self.disk.begin()
        self.tiers = Tiers(clock, self.memory, self.disk, LARGEST)
        cache = Cache(self.tiers, LARGEST)
        cache.refreshing = Refreshing(clock, cache)
        scenario.cachingIn(cache).reverse(
            routes=(RouteSettings(upstream=WEB, preserveHost=True, cache=self.caching),)
        )
        self.addCleanup(self.disk.close)
        self._origin: Side | None = None

    def again(self) -> None:
        """Let another process begin in the same folder."""
        self.works()
        self.disk.close()
        self.scenario.finish()
        self.begin()

    def works(self) -> None:
        """Let the disk do all it has to."""
        while self.pool.waiting:
            self.pool.step()

    def client(self, *lines: bytes) -> Side:
        """A client that asks."""
        client = self.scenario.client()
        client.sends(*(lines or ask()))
        return client

    def origin(self) -> Side:
        """The connection to the origin, where a request came."""
        if self._origin is None:
            self._origin = self.scenario.accepts()
        return self._origin

    def fetches(self, content: bytes = b"content", *lines: bytes, path: bytes = b"/a") -> None:
        """Have something stored."""
        client = self.client(*ask(path))
        self.answers(answer(content, *lines))
        self.gets(client, content, b"; stored")

    def answers(self, octets: bytes) -> bytes:
        """The origin answers the request that came; give that."""
        origin = self.origin()
        request = origin.takes()
        self.assertTrue(request)
        origin.sends(octets)
        return request

    def gets(self, client: Side, content: bytes, member: bytes = b"; hit") -> bytes:
        """A client gets it."""
        heard = client.takes()
        head, _, body = heard.partition(b"\r\n\r\n")
        self.assertIn(member, head)
        self.assertTrue(body == content, (len(body), len(content), body[:50]))
        return head

    def exact(self) -> None:
        """What the memory counts is what it has."""
        entries = [each for shelf in self.memory._byKey.values() for each in shelf.entries]
        for entry in entries:
            self.assertEqual(entry.size, entry.ownOctets() + sum(map(len, entry.body.pieces)))
        self.assertEqual(self.memory.size, sum(entry.size for entry in entries))

    def opened(self) -> int:
        """How many files of bodies are open."""
        count = 0
        for name in os.listdir("/proc/self/fd"):
            try:
                target = os.readlink(f"/proc/self/fd/{name}")
            except OSError:
                continue
            inside = os.path.abspath(self.folder) in target
            count += inside and "index" not in target
        return count


class ValidatingTests(TiersTestCase):
    """What is stale."""

    def test_a304RenewsTheRow(self) -> None:
        """And writes no content; small and large."""
        for size in (10, SMALL * 3):
            path = b"/%d" % size
            content = b"x" * size
            self.fetches(content, b'ETag: "1"', path=path)
            self.again()
            self.scenario.passes(61)
            files = self.disk.files
            begun: list[Any] = []
            begin = files.begin
            self.patch(files, "begin", lambda begin=begin, begun=begun: begun.append(1) or begin())
            client = self.client(*ask(path))
            asked = self.answers(
                b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nCache-Control: max-age=99\r\n\r\n'
            )
            self.assertIn(b'If-None-Match: "1"', asked)
            self.gets(client, content, b"fwd=stale; fwd-status=304")
            self.assertEqual(begun, [])
            self.again()
            self.assertIn(b"max-age=99", self.gets(self.client(*ask(path)), content))
            self.assertEqual(self.opened(), 0)

    def test_whatIsUsedStaleIsValidated(self) -> None:
        """In the background, large content, too."""
        content = b"x" * (SMALL * 3)
        client = self.client()
        self.answers(
            answer(content, b'ETag: "1"', control=b"max-age=60, stale-while-revalidate=60")
        )
        self.gets(client, content, b"; stored")
        self.again()
        self.scenario.passes(61)
        self.gets(self.client(), content)
        self.answers(b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nCache-Control: max-age=99\r\n\r\n')
        self.assertIn(b"max-age=99", self.gets(self.client(), content))
        self.assertEqual(self.opened(), 0)

    def test_whatIsUsedStaleWithoutItsContent(self) -> None:
        """For a HEAD or a precondition: nobody has its file open, and a 304 renews it all the same."""
        content = b"x" * (SMALL * 3)
        control = b"max-age=60, stale-while-revalidate=60"
        requests = ask(b"/1", method=b"HEAD"), ask(b"/2", b'If-None-Match: "1"')
        for path in (b"/1", b"/2"):
            client = self.client(*ask(path))
            self.answers(answer(content, b'ETag: "1"', control=control))
            self.gets(client, content, b"; stored")
        self.again()
        self.scenario.passes(61)
        for request, path in zip(requests, (b"/1", b"/2"), strict=True):
            self.gets(self.client(*request), b"")
            sent = self.answers(
                b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nCache-Control: max-age=99\r\n\r\n'
            )
            self.assertIn(b'If-None-Match: "1"', sent)
            self.assertIn(b"max-age=99", self.gets(self.client(*ask(path)), content))
            self.assertEqual(self.opened(), 0)

    def test_anErrorInTheBackground(self) -> None:
        """It is not stored in the place of what may stand in, whose file nobody has open."""
        content = b"x" * (SMALL * 3)
        client = self.client()
        control = b"max-age=60, stale-while-revalidate=60"
        self.answers(answer(content, b'ETag: "1"', control=control))
        self.gets(client, content, b"; stored")
        self.again()
        self.scenario.passes(61)
        self.gets(self.client(*ask(method=b"HEAD")), b"")
        self.answers(answer(b"sorry").replace(b"200 OK", b"503 Service Unavailable"))
        self.gets(self.client(), content)
        self._origin = None
        self.answers(answer(content))
        self.assertEqual(self.opened(), 0)

    def test_whatIsRefreshedBeforeItExpires(self) -> None:
        """Large content, too: nobody has its file open just then."""
        cache = Cache(self.tiers, LARGEST)
        cache.refreshing = Refreshing(self.scenario.clock, cache)
        route = RouteSettings(
            upstream=UpstreamSettings(name="web", servers=("http://127.0.0.1:9000",)),
            cache=RouteCacheSettings(refreshUses=2),
        )
        self.scenario.cachingIn(cache).reverse(routes=(route,))
        content = b"x" * (SMALL * 3)
        client = self.client()
        self.answers(answer(content, b'ETag: "1"', control=b"max-age=100"))
        self.gets(client, content, b"; stored")
        for _ in range(2):
            self.gets(self.client(), content)
        self.scenario.passes(91)
        self._origin = None
        self.answers(b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nCache-Control: max-age=99\r\n\r\n')
        self.assertIn(b"max-age=99", self.gets(self.client(), content))
        self.assertEqual((self.opened(), cache.background), (0, 0))


class GoingTests(TiersTestCase):
    """What is to be found nowhere any more."""

    def test_unsafeMethods(self) -> None:
        """Reach the disk, whether memory has it or not."""
        for inMemory in (True, False):
            path = b"/%d" % inMemory
            self.fetches(path=path)
            if not inMemory:
                self.again()
            client = self.client(*ask(path, method=b"DELETE"))
            self.answers(b"HTTP/1.1 204 No Content\r\n\r\n")
            client.takes()
            self.again()
            client = self.client(*ask(path))
            self.answers(answer(b"new"))
            self.gets(client, b"new", b"fwd=uri-miss")

    def test_purges(self) -> None:
        """Of all kinds; what is in both counts once."""
        for what in (
            Purge.ofTag(b"t"),
            Purge.ofHost(b"example.org"),
            Purge.ofPrefix(b"http://example.org/"),
        ):
            self.fetches(b"one", b"Cache-Tag: t", path=b"/1")
            self.again()
            self.fetches(b"two", b"Cache-Tag: t", path=b"/2")
            for soft in (True, False):
                self.assertEqual(self.count(self.tiers.purge(what, soft)), 2, (what, soft))
            self.assertEqual(self.count(self.tiers.purge(what)), 0)

    def test_whoeverPurgedMayStopWaiting(self) -> None:
        """What was told to the disk is done, and it is no defect."""
        self.fetches(b"one", path=b"/1")
        self.pool.holding = True
        answer: Any = self.tiers.purge(Purge.ofPrefix(b"http://"))
        answer.cancel()
        self.failureResultOf(answer)
        self.works()
        self.pool.holding = False
        self.assertIsNone(self.successResultOf(self.disk.find(b"site http://example.org/1")))
        self.assertEqual(self.lines, [])

    def test_neitherPartIsForgotten(self) -> None:
        """Where the one is given up or fails, what becomes of the other is nobody's error."""
        for fails in (False, True):
            here: Deferred[int] = Deferred()
            behind: Deferred[int] = Deferred()
            both: Any = total(here, behind)
            if fails:
                here.errback(ZeroDivisionError())
                self.failureResultOf(both, ZeroDivisionError)
            else:
                both.cancel()
                self.failureResultOf(both, CancelledError)
            self.assertTrue(behind.called)

    def count(self, answer: Any) -> int:
        """How many were purged."""
        if not isinstance(answer, Deferred):
            return int(answer)
        self.scenario.clock.advance(0)
        return int(self.successResultOf(answer))

    def test_softlyPurgedIsValidated(self) -> None:
        """Also where it was only on the disk."""
        for again in (False, True):
            self.fetches(b"content", b'ETag: "1"')
            if again:
                self.again()
            self.count(self.tiers.purge(Purge.ofPrefix(b""), soft=True))
            client = self.client()
            asked = self.answers(answer(b"new"))
            self.assertIn(b'If-None-Match: "1"', asked)
            self.gets(client, b"new", b"fwd=stale")
            self.again()
            self.count(self.tiers.purge(Purge.ofPrefix(b"")))

    def test_aLookUpFromBefore(self) -> None:
        """Brings nothing back; whatever changed meanwhile, and whenever it is through."""
        for change in (
            lambda: self.tiers.purge(Purge.ofHost(b"example.org")),
            lambda: self.tiers.forget(self.key),
            lambda: self.tiers.remove(entryOf(self.key)),
        ):
            for first in (True, False):
                self.fetches()
                (self.key,) = list(self.memory._byKey)
                self.again()
                self.interleave(change, first)
                shelf = self.memory.find(self.key)
                self.assertTrue(shelf is None or not shelf.entries)
                self.again()

    key = b""

    def interleave(self, change: Callable[[], Any], first: bool) -> None:
        """Change something while somebody looks; the thread that looks is faster."""
        self.pool.holding = True
        if first:
            change()
        client = self.client()
        if not first:
            change()
        self.pool.waiting.sort(key=lambda work: "find" not in str(work.__closure__))
        looking = self.pool.waiting.pop(1 if first else 0)
        looking()
        self.works()
        self.pool.holding = False
        self.answers(answer(b"new", control=b"no-store"))
        self.gets(client, b"new", b"fwd=uri-miss")

    def test_aSoftPurgeReachesWhatIsBeingLookedUp(self) -> None:
        """It is stale when it is found."""
        self.fetches(b"content", b'ETag: "1"')
        self.again()
        self.pool.holding = True
        client = self.client()
        self.tiers.purge(Purge.ofHost(b"example.org"), soft=True)
        self.works()
        self.pool.holding = False
        self.assertIn(b'If-None-Match: "1"', self.answers(answer(b"new")))
        self.gets(client, b"new", b"fwd=stale")

    def test_anEntryThatIsNotCurrentDropsNothing(self) -> None:
        """The newer one stays, on the disk as well."""
        old, new = entryOf(b"a", b"old"), entryOf(b"a", b"new")
        for entry in (old, new):
            entry.expires = 2e9
            entry.verdict = Record(Freshness(0, 0, 0, 2e9, 2e9, 2e9, False), None, 0.0)
            self.tiers.add(entry)
        self.tiers.remove(old)
        self.assertIsNotNone(self.successResultOf(self.disk.find(b"a")))
        self.tiers.remove(new)
        self.assertIsNone(self.successResultOf(self.disk.find(b"a")))


class BigTests(TiersTestCase):
    """What memory has no room for."""

    content = os.urandom(SMALL * 30)

    def test_itGoesToTheDisk(self) -> None:
        """Memory has a window of it, and its size is exact all the time."""
        client = self.client()
        octets = answer(self.content)
        self.answers(octets[:1000])
        heard = client.takes()
        most = 0
        for start in range(1000, len(octets), 20_000):
            self.origin().sends(octets[start : start + 20_000])
            heard += client.takes()
            self.exact()
            most = max(most, self.memory.size)
        self.assertLess(most, SMALL + 25_000)
        self.assertEqual(heard.partition(b"\r\n\r\n")[2], self.content)
        self.gets(self.client(), self.content)
        self.exact()
        self.assertEqual(self.opened(), 0)
        self.again()
        self.gets(self.client(), self.content)
        self.assertEqual(self.opened(), 0)
        self.exact()

    def test_whoComesLateReadsTheFile(self) -> None:
        """While it grows; and who stalls does not keep the origin waiting."""
        slow = self.client()
        slow.stalls()
        octets = answer(self.content)
        half = len(octets) // 2
        self.answers(octets[:half])
        late = self.client()
        self.assertTrue(self.origin().isRead)
        heard = late.takes()
        self.assertIn(b"; hit", heard)
        self.origin().sends(octets[half:])
        heard += late.takes()
        self.assertEqual(heard.partition(b"\r\n\r\n")[2], self.content)
        slow.reads()
        heard = b""
        while more := slow.takes():
            heard += more
        self.assertEqual(heard.partition(b"\r\n\r\n")[2], self.content)
        self.assertEqual(self.opened(), 0)

    def test_theOriginWaitsForTheDisk(self) -> None:
        """And for nobody else."""
        client = self.client()
        octets = answer(b"x" * (3 << 20))
        self.pool.holding = True
        self.answers(octets[: 2 << 20])
        self.assertFalse(self.origin().isRead)
        self.pool.holding = False
        self.works()
        self.assertTrue(self.origin().isRead)
        self.origin().sends(octets[2 << 20 :])
        self.assertEqual(client.takes().partition(b"\r\n\r\n")[2], b"x" * (3 << 20))
        self.exact()

    def test_aSlowDiskKeepsItInMemory(self) -> None:
        """The origin waits before what the disk has not taken is more than memory may have."""
        client = self.client()
        octets = answer(self.content)
        self.pool.holding = True
        self.answers(octets[:1000])
        sent = 1000
        while self.origin().isRead:
            self.origin().sends(octets[sent : sent + 20_000])
            sent += 20_000
        self.assertEqual(self.memory.count, 1)
        self.assertLess(self.memory.size, MEMORY // 2)
        heard = client.takes()
        late = self.client()
        self.assertIn(b"; hit", late.takes())
        self.pool.holding = False
        self.works()
        self.origin().sends(octets[sent:])
        heard += client.takes()
        self.assertEqual(heard.partition(b"\r\n\r\n")[2], self.content)
        late.takes()
        self.exact()

    def test_onItsWayWithoutPlaceInMemory(self) -> None:
        """Who comes late finds it, and does not have it fetched and written once more."""
        slow = self.client()
        slow.stalls()
        octets = answer(self.content)
        self.answers(octets[:100_000])
        self.pool.holding = True
        self.origin().sends(octets[100_000:190_000])
        (entry,) = next(iter(self.memory._byKey.values())).entries
        self.assertGreater(entry.body.heldOctets, SMALL)
        self.memory.remove(entry)
        late = self.client()
        self.pool.holding = False
        self.works()
        self.assertIn(b"; hit", late.takes(100_000))
        late.takes()
        self.exact()
        self.origin().sends(octets[190_000:])
        late.takes()
        slow.reads()
        heard = b""
        while more := slow.takes():
            heard += more
        self.assertEqual(heard.partition(b"\r\n\r\n")[2], self.content)
        self.gets(self.client(), self.content)
        self.exact()
        self.assertEqual(self.opened(), 0)

    def test_ifTheDiskFails(self) -> None:
        """Who reads gets all of it, also who had not read what is in the file alone."""
        slow = self.client()
        slow.stalls()
        client = self.client()
        octets = answer(self.content)
        half = len(octets) // 2
        self.answers(octets[:half])
        heard = client.takes()

        def write(descriptor: int, data: bytes) -> int:
            raise OSError(28, "no space left on device")

        self.patch(os, "write", write)
        for start in range(half, len(octets), 50_000):
            self.origin().sends(octets[start : start + 50_000])
            heard += client.takes()
        slow.reads()
        self.scenario.passes(1)
        for side in (slow, client):
            part = heard if side is client else b""
            for _ in range(50):
                part += side.takes()
                self.origin().settle()
            self.assertEqual(part.partition(b"\r\n\r\n")[2], self.content)
        self.assertEqual(len(self.lines), 1, self.lines)
        self.assertEqual(self.opened(), 0)
        self.exact()

    def test_whereItIsNotWritten(self) -> None:
        """It is not stored, and nobody is told so; what it replaces is not used again."""
        self.fetches(b"old", path=b"/b")
        shutil.rmtree(self.folder)
        self.fetches(path=b"/1")
        for path, lines in (
            (b"/a", ()),
            (b"/b", (b"Cache-Control: no-cache",)),
            (b"/c", (b"Range: bytes=0-9",)),
        ):
            for _ in range(2):
                client = self.client(*ask(path, *lines))
                self.answers(answer(self.content))
                self.assertNotIn(b"stored", self.gets(client, self.content, b"; fwd="))
            self.exact()
        self.assertEqual((self.memory.count, len(self.lines)), (1, 1))

    def test_aSmallPartOfIt(self) -> None:
        """Is stored in memory alone, where it is not written."""
        shutil.rmtree(self.folder)
        self.fetches(path=b"/1")
        line = b"Range: bytes=0-9"
        client = self.client(*ask(b"/a", line))
        self.answers(
            b"HTTP/1.1 206 Partial Content\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n"
            b"Content-Range: bytes 0-9/%d\r\n\r\n" % len(self.content) + self.content[:10]
        )
        self.gets(client, self.content[:10], b"; stored")
        self.gets(self.client(*ask(b"/a", line)), self.content[:10])

    def test_ifItIsPurgedOnItsWay(self) -> None:
        """The same, and nobody new finds it."""
        client = self.client()
        octets = answer(self.content)
        half = len(octets) // 2
        self.answers(octets[:half])
        heard = client.takes()
        self.tiers.purge(Purge.ofPrefix(b""))
        self.origin().sends(octets[half:])
        heard += client.takes()
        self.assertEqual(heard.partition(b"\r\n\r\n")[2], self.content)
        self.assertEqual(self.memory.count, 0)
        self.again()
        client = self.client()
        self.answers(answer(b"new"))
        self.gets(client, b"new", b"fwd=uri-miss")

    def test_whatOutgrowsTheDiskToo(self) -> None:
        """Passes, and leaves nothing."""
        content = os.urandom(LARGEST + 100)
        client = self.client()
        self.answers(
            b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        heard = 0
        client.takes()
        for start in range(0, len(content), 100_000):
            piece = content[start : start + 100_000]
            self.origin().sends(b"%x\r\n" % len(piece) + piece + b"\r\n")
            heard += len(client.takes())
            self.exact()
        self.origin().sends(b"0\r\n\r\n")
        heard += len(client.takes())
        self.assertGreaterEqual(heard, len(content))
        self.assertEqual((self.memory.count, self.opened()), (0, 0))

    def test_ranges(self) -> None:
        """Of what is on the disk alone, one or several."""
        self.fetches(self.content)
        self.again()
        size = len(self.content)
        for start, stop in ((0, 1), (size - 1, size), (1000, size - 1000)):
            line = b"Range: bytes=%d-%d" % (start, stop - 1)
            self.gets(self.client(*ask(b"/a", line)), self.content[start:stop])
        spans = (900_000, 1_100_000), (5, 9), (size - 1, size), (200, 80_000)
        value = b",".join([b"%d-%d" % (start, stop - 1) for start, stop in spans])
        heard = self.client(*ask(b"/a", b"Range: bytes=" + value)).takes()
        self.assertIn(b"; hit", heard.partition(b"\r\n\r\n")[0])
        self.assertTrue(partsOf(heard) == expected(self.content, *spans))
        client = self.client(*ask(method=b"HEAD"))
        self.assertIn(b"Content-Length: %d" % size, client.takes())
        self.assertEqual(self.opened(), 0)

    def test_whoLeavesClosesTheFile(self) -> None:
        """At any moment."""
        self.fetches(self.content)
        self.again()
        self.pool.holding = True
        for steps in range(6):
            client = self.client()
            client.stalls()
            for _ in range(steps):
                if self.pool.waiting:
                    self.pool.step()
            client.takes()
            client.closes()
            self.works()
            self.assertEqual((self.opened(), self.disk.inUse), (0, True), steps)
        self.pool.holding = False

    def test_whoLeavesWhileTheFileIsOpened(self) -> None:
        """It is closed, once: the disk is as good as before."""
        self.fetches(self.content)
        self.again()
        self.gets(self.client(*ask(method=b"HEAD")), b"")
        self.pool.holding = True
        client = self.client()
        self.assertEqual(len(self.pool.waiting), 1)
        client.closes()
        self.works()
        self.pool.holding = False
        self.assertEqual((self.opened(), self.disk.inUse, self.lines), (0, True, []))
        self.gets(self.client(), self.content)

    def several(self) -> Side:
        """A client that asks for two ranges of what is on the disk alone, and gets the first."""
        self.fetches(self.content)
        self.again()
        client = self.client(*ask(method=b"HEAD"))
        client.takes()
        self.pool.holding = True
        client.sends(*ask(b"/a", b"Range: bytes=0-9,900000-900009"))
        # It is opened, and then read.
        self.pool.step()
        self.pool.step()
        heard = client.takes()
        self.assertTrue(heard.startswith(b"HTTP/1.1 206 "))
        self.assertIn(b"\r\n\r\n" + self.content[:10] + b"\r\n--", heard)
        self.assertIn(b"bytes 900000-900009/%d" % len(self.content), heard)
        self.assertEqual(len(self.pool.waiting), 1)
        return client

    def test_whoLeavesBetweenTwoRanges(self) -> None:
        """Nothing more is read, and the file is closed."""
        client = self.several()
        client.closes()
        self.works()
        self.assertEqual((self.opened(), self.disk.inUse), (0, True))
        self.pool.holding = False

    def test_aFileThatIsShorterBetweenTwoRanges(self) -> None:
        """The client can tell: it is cut off before all is there."""
        client = self.several()
        (path,) = [
            os.path.join(folder, name)
            for folder, _, names in os.walk(self.folder)
            for name in names
            if os.path.getsize(os.path.join(folder, name)) == len(self.content)
        ]
        os.truncate(path, 1000)
        self.works()
        self.pool.holding = False
        self.assertEqual(client.takes(), b"")
        client.sees("closed")
        self.assertEqual(self.opened(), 0)

    def test_aPartOnTheDisk(self) -> None:
        """Answers one range of it, and several; what goes beyond is asked for."""
        first, size = 1000, len(self.content)
        client = self.client(*ask(b"/a", b"Range: bytes=%d-" % first))
        head = (
            b"HTTP/1.1 206 Partial Content",
            b"Cache-Control: max-age=60",
            b"Content-Range: bytes %d-%d/%d" % (first, size - 1, size),
            b"Content-Length: %d" % (size - first),
        )
        self.answers(b"\r\n".join((*head, b"", self.content[first:])))
        self.gets(client, self.content[first:], b"; stored")
        self.again()
        line = b"Range: bytes=900000-1100000"
        self.gets(self.client(*ask(b"/a", line)), self.content[900_000:1_100_001])
        spans = (size - 100_000, size), (1000, 1010), (5000, 90_000)
        value = b",".join([b"%d-%d" % (start, stop - 1) for start, stop in spans])
        heard = self.client(*ask(b"/a", b"Range: bytes=" + value)).takes()
        self.assertIn(b"; hit", heard.partition(b"\r\n\r\n")[0])
        self.assertTrue(partsOf(heard) == expected(self.content, *spans))
        client = self.client(*ask(b"/a", b"Range: bytes=2000-2001,0-9"))
        self.assertIn(
            b"Range: bytes=2000-2001,0-9", self.answers(answer(b"all", control=b"no-store"))
        )
        self.gets(client, b"all", b"fwd=partial")
        self.assertEqual(self.opened(), 0)

    def test_whoLeavesIsReadForNoMore(self) -> None:
        """Only what threads have begun is done."""
        self.fetches(self.content)
        self.again()
        self.pool.holding = True
        clients = [self.client() for _ in range(READS + 3)]
        # They look it up, and open it.
        self.pool.step()
        self.pool.step()
        self.assertEqual(len(self.pool.waiting), READS)
        for client in clients:
            client.takes()
            client.closes()
        steps = 0
        while self.pool.waiting:
            self.pool.step()
            steps += 1
        # And one closes the file.
        self.assertEqual((steps, self.opened()), (READS + 1, 0))
        self.pool.holding = False

    def test_aDiskThatHangsKeepsNoReader(self) -> None:
        """They are cut off, and can tell."""
        self.fetches(self.content)
        self.again()
        self.pool.holding = True
        clients = [self.client() for _ in range(READS + 1)]
        self.pool.step()
        self.pool.step()
        self.scenario.passes(PATIENCE_SECONDS)
        for client in clients:
            self.assertIn(b"200 OK", client.takes())
            client.sees("closed")
        self.works()
        self.assertEqual(self.opened(), 0)
        self.pool.holding = False

    def test_aFileThatBecomesShorterCutsOff(self) -> None:
        """Who reads it can tell."""
        self.fetches(self.content)
        self.again()
        client = self.scenario.client()
        client.stalls()
        client.sends(*ask())
        client.takes()
        for folder, _, names in os.walk(self.folder):
            for name in names:
                if not name.startswith("index"):
                    os.truncate(os.path.join(folder, name), 10)
        client.reads()
        client.takes()
        client.sees("closed")
        self.assertEqual(self.opened(), 0)


class RecordTests(SynchronousTestCase):
    """What is known of an entry, on disk."""

    def test_itComesBack(self) -> None:
        """With everything."""
        never = float("-inf")
        for length in (None, 0, 1 << 40):
            for flags in ((True, False, True), (False, True, False)):
                record = Record(Freshness(1.5, 2.5, 3.5, never, never, 1e300, *flags), length, 7.25)
                other = Record.decode(record.encode())
                self.assertEqual((other.length, other.received), (length, 7.25))
                # By name, as a compiled class has no slots to be asked.
                for name in (
                    "bornAt",
                    "date",
                    "lifetime",
                    "freshUntil",
                    "staleWhileUntil",
                    "staleErrorUntil",
                    "staleForbidden",
                    "heuristic",
                    "immutable",
                ):
                    self.assertEqual(
                        getattr(other.freshness, name), getattr(record.freshness, name), name
                    )

    def test_anotherVersion(self) -> None:
        """Is none."""
        good = Record(Freshness(1, 2, 3, 4, 5, 6, False), None, 7).encode()
        for octets in (b"", good[:-1], good + b"x", bytes([good[0] + 1]) + good[1:]):
            self.assertRaises(ValueError, Record.decode, octets)
