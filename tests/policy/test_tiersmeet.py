# -*- test-case-name: tests.policy.test_tiersmeet -*-
"""
What else a cache does, where content is on disk only: conversations, as in L{test_tiers}.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from intermediary.policy.purging import Purge
from intermediary.settings import RouteCacheSettings

from .cachetier import evictAll
from .test_tiers import LARGEST, SMALL, TiersTestCase, answer, ask

if TYPE_CHECKING:
    from ..scenario import Side

BIG = os.urandom(SMALL * 4)
A = b'ETag: "a"'
CURRENT = b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nCache-Control: max-age=99\r\n\r\n'
FAILED = b"HTTP/1.1 500 Error\r\nContent-Length: 0\r\n\r\n"
WHILE = b"max-age=60, stale-while-revalidate=60"


class MeetingTestCase(TiersTestCase):
    """Some more words for them."""

    def stores(self, content: bytes = BIG, *lines: bytes, control: bytes = b"max-age=60") -> None:
        """Have something stored."""
        client = self.client()
        self.answers(answer(content, *lines, control=control))
        self.gets(client, content, b"; stored")

    def slow(self) -> Side:
        """A client that asks, and reads nothing for now."""
        client = self.scenario.client()
        client.stalls()
        client.sends(*ask())
        return client

    def rest(self, client: Side) -> bytes:
        """All that a client is sent from now on."""
        heard = b""
        while more := client.takes():
            heard += more
        return heard

    def isNotAsked(self) -> None:
        """The origin has nothing to answer."""
        self.scenario.passes(0)
        self.scenario.connectsNowhere()
        if self._origin is not None:
            self._origin.getsNothing()


class BackgroundTests(MeetingTestCase):
    """Validation that nobody waits for."""

    caching = RouteCacheSettings(refreshUses=2)

    def test_heads(self) -> None:
        """A HEAD of what is stale reads no content, and the file need not be open."""
        self.stores(BIG, A, control=WHILE)
        self.again()
        self.scenario.passes(61)
        client = self.client(*ask(method=b"HEAD"))
        self.assertIn(b"; hit", client.takes())
        self.assertEqual(self.opened(), 0)
        self.assertIn(b'If-None-Match: "a"', self.answers(CURRENT))
        self.assertIn(b"max-age=99", self.gets(self.client(), BIG))
        self.isNotAsked()
        self.again()
        self.assertIn(b"max-age=99", self.gets(self.client(), BIG))
        self.assertEqual(self.opened(), 0)

    def test_notModified(self) -> None:
        """Nor does a client that has it."""
        self.stores(BIG, A, control=WHILE)
        self.again()
        self.scenario.passes(61)
        client = self.client(*ask(b"/a", b'If-None-Match: "a"'))
        self.assertTrue(client.takes().startswith(b"HTTP/1.1 304 "))
        self.assertIn(b'If-None-Match: "a"', self.answers(CURRENT))
        self.assertIn(b"max-age=99", self.gets(self.client(), BIG))

    def test_whatIsNewGoesToTheDisk(self) -> None:
        """In place of the old, which is read meanwhile."""
        self.stores(BIG, A, control=WHILE)
        self.again()
        self.scenario.passes(61)
        slow = self.slow()
        new = os.urandom(SMALL * 3)
        self.answers(answer(new, b'ETag: "b"'))
        self.gets(self.client(), new)
        slow.reads()
        self.assertTrue(self.rest(slow).endswith(BIG))
        self.again()
        self.gets(self.client(), new)
        self.assertEqual(self.opened(), 0)

    def uses(self) -> None:
        """Make it a candidate."""
        for _ in range(2):
            self.gets(self.client(), BIG)
        self.assertEqual(self.opened(), 0)

    def test_refreshedAhead(self) -> None:
        """Though nobody has the file open."""
        self.stores(BIG, A)
        self.again()
        self.uses()
        self.scenario.passes(55)
        self.assertIn(b'If-None-Match: "a"', self.answers(CURRENT))
        self.assertEqual(self.scenario.cache.refreshes, 1)
        self.isNotAsked()
        self.scenario.passes(30)
        self.assertIn(b"max-age=99", self.gets(self.client(), BIG))
        self.again()
        self.assertIn(b"max-age=99", self.gets(self.client(), BIG))
        self.assertEqual(self.opened(), 0)

    def test_aRefreshThatBreaksOff(self) -> None:
        """Leaves what there was, on the disk as well."""
        self.stores(BIG, A)
        self.again()
        self.uses()
        self.scenario.passes(55)
        octets = answer(os.urandom(SMALL * 4), b'ETag: "b"')
        self.answers(octets[: SMALL * 2])
        self.origin().closes()
        self._origin = None
        for _ in range(2):
            self.gets(self.client(), BIG)
            self.again()
        self.assertEqual(self.opened(), 0)

    def test_whatIsBrokenOffAndReadMeanwhile(self) -> None:
        """Whoever reads the old goes on, and whoever reads the new is cut off."""
        self.stores(BIG, A)
        self.again()
        self.uses()
        old = self.slow()
        self.scenario.passes(55)
        octets = answer(os.urandom(SMALL * 4), b'ETag: "b"')
        self.answers(octets[: SMALL * 2])
        new = self.client()
        self.origin().closes()
        self._origin = None
        old.reads()
        self.assertTrue(self.rest(old).endswith(BIG))
        new.takes()
        new.sees("closed")
        self.gets(self.client(), BIG)
        self.exact()

    def test_aFileThatIsGone(self) -> None:
        """What was validated by its head alone is a miss then."""
        self.stores(BIG, A)
        self.again()
        self.uses()
        for folder, _, names in os.walk(self.folder):
            for name in names:
                if not name.startswith("index"):
                    os.unlink(os.path.join(folder, name))
        self.scenario.passes(55)
        self.answers(CURRENT)
        client = self.client()
        self.answers(answer(b"new"))
        self.gets(client, b"new", b"fwd=uri-miss")


class LeftoverTests(MeetingTestCase):
    """What left memory while it was read, or written."""

    content = os.urandom(SMALL - 100)

    def crowd(self) -> None:
        """Let others take its place."""
        for number in range(12):
            self.fetches(b"y" * (SMALL - 1000), path=b"/%d" % number)

    def test_whatIsWrittenStillIsNotLetGo(self) -> None:
        """As if the disk had it; where that is too much, it is not written."""
        content = os.urandom(360_000)
        self.memory.maxObjectOctets = len(content)
        self.memory.leftovers.limitOctets = len(content) - 1
        client = self.client()
        octets = answer(content)
        self.pool.holding = True
        self.answers(octets[:10_000])
        for start in range(10_000, 200_000, 10_000):
            self.origin().sends(octets[start : start + 10_000])
        heard = client.takes()
        client.stalls()
        self.origin().sends(octets[200_000:])
        (shelf,) = [each for each in self.memory._byKey.values() if each.entries]
        (entry,) = shelf.entries
        self.assertTrue(entry.body.complete)
        self.memory.remove(entry)
        self.scenario.passes(1)
        self.pool.holding = False
        self.works()
        client.reads()
        heard += self.rest(client)
        self.assertEqual(len(self.memory.leftovers), 0)
        self.assertTrue(heard.endswith(content))
        self.assertEqual(self.opened(), 0)
        client = self.client()
        self.answers(answer(b"new"))
        self.gets(client, b"new", b"fwd=uri-miss")

    def test_itIsReadFromTheDiskAgain(self) -> None:
        """While somebody reads what was in memory."""
        client = self.client()
        octets = answer(self.content)
        self.answers(octets[:1000])
        client.stalls()
        self.origin().sends(octets[1000:])
        self.crowd()
        self.assertGreater(self.memory.evicted, 0)
        self.gets(self.client(), self.content)
        self.exact()
        client.reads()
        self.assertTrue(self.rest(client).endswith(self.content))
        self.assertEqual(len(self.memory.leftovers), 0)

    def test_aDiskThatFailsBeforeItHasAnything(self) -> None:
        """What is too big for memory is not found with a hole in it."""
        client = self.client()
        octets = answer(BIG)
        self.pool.holding = True
        self.answers(octets[:1000])

        def begin() -> Any:
            raise OSError(28, "no space left on device")

        self.patch(self.disk.files, "begin", begin)
        self.origin().sends(octets[1000 : SMALL * 2])
        heard = client.takes()
        self.works()
        self.pool.holding = False
        first = self.origin()
        self._origin = None
        late = self.client()
        self.answers(answer(b"new"))
        self.gets(late, b"new", b"fwd=uri-miss")
        first.sends(octets[SMALL * 2 :])
        heard += client.takes()
        self.assertTrue(heard.endswith(BIG))
        self.exact()

    def test_softlyPurgedOnItsWay(self) -> None:
        """The same: it is not in memory any more when something of it is let go."""
        client = self.client()
        octets = answer(BIG, A)
        self.answers(octets[: SMALL * 2])
        self.pool.holding = True
        self.origin().sends(octets[SMALL * 2 : SMALL * 3])
        self.tiers.purge(Purge.ofPrefix(b""), soft=True)
        heard = client.takes()
        first = self.origin()
        first.sends(octets[SMALL * 3 : SMALL * 3 + 10])
        heard += client.takes()
        self.assertEqual(self.memory.count, 0)
        self.works()
        self.pool.holding = False
        first.sends(octets[SMALL * 3 + 10 :])
        heard += client.takes()
        self.assertTrue(heard.endswith(BIG))
        self.exact()

    def test_whatIsReplacedAndBreaksOff(self) -> None:
        """Takes nothing along that is newer, though that is on the disk alone by then."""
        for written in (True, False):
            path = b"/%d" % written
            old = self.client(*ask(path))
            self.answers(answer(b"old content", A)[:-3])
            self.assertTrue(old.takes().endswith(b"cont"))
            first, self._origin = self.origin(), None
            new = self.client(*ask(path, b"Cache-Control: no-cache"))
            self.pool.holding = not written
            self.answers(answer(b"new content", b'ETag: "b"'))
            self.gets(new, b"new content", b"; stored")
            old.closes()
            evictAll(self.memory)
            self.assertEqual(self.memory.count, 0)
            first.sends(b"ent")
            first.closes()
            self.pool.holding = False
            self.works()
            self.gets(self.client(*ask(path)), b"new content")
            self.isNotAsked()

    def test_softlyPurgedOnItsWayItIsWrittenLater(self) -> None:
        """When it is used for the second time: as it is now, and asked about as ever."""
        for uses in (1, 2):
            client = self.client()
            octets = answer(b"content", A, control=WHILE)
            self.answers(octets[:-3])
            self.tiers.purge(Purge.ofPrefix(b""), soft=True)
            self.origin().sends(octets[-3:])
            self.gets(client, b"content", b"; stored")
            for _ in range(uses):
                self.gets(self.client(), b"content")
            self.assertIn(b'If-None-Match: "a"', self.answers(FAILED))
            self.again()
            late = self.client()
            asked = self.answers(FAILED)
            if uses == 1:
                self.assertNotIn(b"If-None-Match", asked)
                self.gets(late, b"", b"fwd=uri-miss")
            else:
                self.assertIn(b'If-None-Match: "a"', asked)
                self.gets(late, b"content", b"; hit; ttl=0")


class RangeMissTests(MeetingTestCase):
    """A range of what is not stored."""

    caching = RouteCacheSettings(rangeMiss="whole")

    def test_theWholeGoesToTheDisk(self) -> None:
        """However large, and nobody reads it."""
        content = os.urandom(LARGEST - 1000)
        client = self.client(*ask(b"/a", b"Range: bytes=5-9"))
        first = self.origin()
        first.takes()
        first.sends(
            b"HTTP/1.1 206 Partial Content",
            b"Cache-Control: max-age=60",
            A,
            b"Content-Range: bytes 5-9/%d" % len(content),
            b"Content-Length: 5",
            b"",
            content[5:10],
        )
        self.gets(client, content[5:10], b"fwd=uri-miss")
        asked = self.takesAnywhere(first)
        self.assertNotIn(b"Range", asked)
        octets = answer(content, A)
        for start in range(0, len(octets), 100_000):
            self.origin().sends(octets[start : start + 100_000])
            self.exact()
        self.assertLess(self.memory.size, SMALL)
        line = b"Range: bytes=1000-%d" % (LARGEST - 2000)
        self.gets(self.client(*ask(b"/a", line)), content[1000 : LARGEST - 1999])
        self.again()
        self.gets(self.client(*ask(b"/a", line)), content[1000 : LARGEST - 1999])
        self.gets(self.client(), content)
        self.assertEqual(self.opened(), 0)

    def takesAnywhere(self, first: Side) -> bytes:
        """A request comes, by the first connection or a new one."""
        origins = [first]
        while self.scenario.connector.waiting:
            origins.append(self.scenario.accepts())
        heard = [(each, each.takes()) for each in origins]
        [(self._origin, asked)] = [(each, octets) for each, octets in heard if octets]
        return asked


class PartTests(MeetingTestCase):
    """Stored parts."""

    def test_aPartOnDiskIsNotCompleted(self) -> None:
        """As it can't be joined in memory: the whole is asked for, once."""
        whole = os.urandom(SMALL * 6)
        client = self.client(*ask(b"/a", b"Range: bytes=0-%d" % (len(BIG) - 1)))
        head = b"\r\n".join(
            (
                b"HTTP/1.1 206 Partial Content",
                b"Cache-Control: max-age=60",
                A,
                b"Content-Range: bytes 0-%d/%d" % (len(BIG) - 1, len(whole)),
                b"Content-Length: %d" % len(BIG),
            )
        )
        self.answers(head + b"\r\n\r\n" + whole[: len(BIG)])
        self.gets(client, whole[: len(BIG)], b"; stored")
        self.again()
        client = self.client(*ask(b"/a", b"Range: bytes=10-%d" % (len(BIG) - 10)))
        self.gets(client, whole[10 : len(BIG) - 9])
        client = self.client()
        self.assertNotIn(b"Range", self.answers(answer(whole, A)))
        self.gets(client, whole, b"; stored")
        self.again()
        self.gets(self.client(), whole)


class RenewingTests(MeetingTestCase):
    """A 304 for what somebody reads."""

    def test_theReaderGoesOn(self) -> None:
        """And the file stays, with another row."""
        self.stores(BIG, A, control=b"max-age=20")
        self.again()
        slow = self.slow()
        self.scenario.passes(21)
        client = self.client()
        self.answers(CURRENT)
        self.gets(client, BIG, b"fwd-status=304")
        self.assertEqual(self.opened(), 1)
        slow.reads()
        self.assertTrue(self.rest(slow).endswith(BIG))
        self.assertEqual(self.opened(), 0)
        self.again()
        self.assertIn(b"max-age=99", self.gets(self.client(), BIG))


class KeyTests(MeetingTestCase):
    """Several keys for a target."""

    caching = RouteCacheSettings(keyFields=("X-Kind",))

    def kinds(self, again: bool = True) -> None:
        """Two of them are stored; after a restart in neither memory."""
        for kind in (b"one", b"two"):
            client = self.client(*ask(b"/a", b"X-Kind: " + kind))
            self.answers(answer(kind * 20_000, A))
            self.gets(client, kind * 20_000, b"; stored")
        if again:
            self.again()

    def test_aChangeReachesAll(self) -> None:
        """Of what is on disk only, of what was brought back, and of what memory has too."""
        for again, brought in ((True, False), (True, True), (False, False)):
            self.kinds(again)
            if brought:
                self.gets(self.client(*ask(b"/a", b"X-Kind: one")), b"one" * 20_000)
            client = self.client(*ask(b"/a", b"X-Kind: one", method=b"DELETE"))
            self.answers(b"HTTP/1.1 204 No Content\r\n\r\n")
            client.takes()
            self.again()
            for kind in (b"one", b"two"):
                client = self.client(*ask(b"/a", b"X-Kind: " + kind))
                self.answers(answer(b"new", control=b"no-store"))
                self.gets(client, b"new", b"fwd=uri-miss")

    def test_aSoftPurgeReachesAll(self) -> None:
        """By the tag that they have in common: they are validated, one by one."""
        self.kinds(again=False)
        tags = [each.tags for shelf in self.memory._byKey.values() for each in shelf.entries]
        self.assertEqual(len(set(tags)), 1)
        self.again()
        self.tiers.purge(Purge.ofTag(*tags[0]), soft=True)
        for kind in (b"one", b"two"):
            client = self.client(*ask(b"/a", b"X-Kind: " + kind))
            self.assertIn(b'If-None-Match: "a"', self.answers(CURRENT))
            self.gets(client, kind * 20_000, b"fwd=stale; fwd-status=304")

    def test_aChangeDuringALookUp(self) -> None:
        """What is found then is from before."""
        self.kinds()
        self.pool.holding = True
        client = self.client(*ask(b"/a", b"X-Kind: two"))
        looking = self.pool.waiting.pop()
        other = self.client(*ask(b"/a", b"X-Kind: one", method=b"DELETE"))
        self.answers(b"HTTP/1.1 204 No Content\r\n\r\n")
        other.takes()
        looking()
        self.works()
        self.pool.holding = False
        self.answers(answer(b"new", control=b"no-store"))
        self.gets(client, b"new", b"fwd=uri-miss")


class CountTests(MeetingTestCase):
    """What others want to know."""

    def test_entries(self) -> None:
        """Those in memory, for whoever watches how much that is."""
        self.assertEqual(self.tiers.count, 0)
        self.stores()
        self.fetches(b"x", path=b"/b")
        self.assertEqual(self.tiers.count, 2)
        self.again()
        self.assertEqual(self.tiers.count, 0)


__all__ = [
    "BackgroundTests",
    "CountTests",
    "KeyTests",
    "LeftoverTests",
    "PartTests",
    "RangeMissTests",
    "RenewingTests",
]
