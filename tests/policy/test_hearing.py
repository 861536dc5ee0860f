# -*- test-case-name: tests.policy.test_hearing -*-
"""
What a cache makes of what others purge that share its disk: conversations.
"""

from __future__ import annotations

import shutil
from itertools import count
from typing import Any

from intermediary.policy import diskjournal
from intermediary.policy.answers import Record
from intermediary.policy.diskjournal import MOST, Notice
from intermediary.policy.diskstore import DiskStore
from intermediary.policy.hearing import HEAR_SECONDS, Hearing
from intermediary.policy.purging import Purge
from intermediary.policy.siblings import Siblings
from intermediary.settings import RouteCacheSettings

from .test_diskstore import Pool
from .test_tiers import LARGEST, TiersTestCase, answer, ask

#: That of what is asked for.
KEY = b"site http://example.org/a"
TAGGED = b"Cache-Tag: one"


class HearingTestCase(TiersTestCase):
    """One process with a front, and another one, of which there is the disk alone."""

    def begin(self) -> None:
        """Begin both."""
        super().begin()
        clock: Any = self.scenario.clock
        self.other = DiskStore(
            clock, Pool(), self.folder, 1 << 30, LARGEST, Record.encode, Record.decode
        )
        self.assertTrue(self.successResultOf(self.other.open()))
        self.addCleanup(self.other.close)
        self.hearing = Hearing(clock, self.disk, self.tiers, self.scenario.cache)
        self.hearing.begin()
        self.addCleanup(self.hearing.end)

    def again(self) -> None:
        """Let another process begin in the same folder."""
        self.hearing.end()
        super().again()

    def hears(self) -> None:
        """Time passes until it was asked what others have purged."""
        self.scenario.passes(HEAR_SECONDS)

    def isHit(self, *lines: bytes) -> None:
        """What is stored is used."""
        self.gets(self.client(*lines), b"content")

    def isFetched(self, content: bytes = b"new", *lines: bytes, path: bytes = b"/a") -> bytes:
        """Nothing is stored; give the request that the origin gets."""
        client = self.client(*ask(path))
        asked = self.answers(answer(content, *lines))
        self.gets(client, content, b"; stored")
        return asked


class PurgeTests(HearingTestCase):
    """What is in memory goes as well."""

    def test_whateverItIsAbout(self) -> None:
        """Until it is heard of, it is used."""
        for what in (
            Purge.ofKey(KEY),
            Purge.ofPrefix(b"http://example.org/"),
            Purge.ofHost(b"example.org"),
            Purge.ofTag(b"none", b"one"),
        ):
            self.fetches(b"content", TAGGED)
            self.other.purge(what)
            self.isHit()
            self.hears()
            asked = self.isFetched(b"new", TAGGED)
            self.assertNotIn(b"If-None-Match", asked)
            self.disk.purge(Purge.ofPrefix(b""))
            self.memory.purge(Purge.ofPrefix(b""))

    def test_otherThings(self) -> None:
        """Stay."""
        self.fetches(b"content", TAGGED)
        for what in (
            Purge.ofKey(b"site http://example.org/b"),
            Purge.ofPrefix(b"http://example.org/b"),
            Purge.ofHost(b"example.com"),
            Purge.ofTag(b"two"),
            Purge.ofPrefix(b"").within(b"another"),
        ):
            self.other.purge(what)
        self.other.forget(b"site http://example.org/b")
        self.hears()
        self.assertEqual(self.hearing.notices, 6)
        self.isHit()

    def test_softly(self) -> None:
        """It is asked about then."""
        self.fetches(b"content", b'ETag: "a"')
        self.other.purge(Purge.ofKey(KEY), soft=True)
        self.hears()
        client = self.client()
        asked = self.answers(b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n')
        self.assertIn(b'If-None-Match: "a"', asked)
        self.assertTrue(client.takes().endswith(b"content"))

    def test_ownPurges(self) -> None:
        """Are not heard of."""
        self.scenario.cache.purge(Purge.ofKey(KEY))
        self.fetches()
        self.hears()
        self.hears()
        self.assertEqual(self.hearing.notices, 0)
        self.isHit()

    def test_onceOnly(self) -> None:
        """What is stored after that stays."""
        self.other.purge(Purge.ofKey(KEY))
        self.hears()
        self.fetches()
        self.hears()
        self.isHit()
        self.assertEqual(self.hearing.notices, 1)

    def test_whatWasAskedForAfterIt(self) -> None:
        """Stays, in memory and on the disk, though the purge is heard of later."""
        for what in (
            Purge.ofKey(KEY),
            Purge.ofPrefix(b""),
            Purge.ofHost(b"example.org"),
            Purge.ofTag(b"one"),
            None,
        ):
            for soft in (False, True):
                if what is None:
                    self.other.forget(KEY)
                else:
                    self.other.purge(what, soft)
                self.scenario.passes(0.1)
                self.fetches(b"content", TAGGED)
                self.hears()
                self.isHit()
                self.assertIsNotNone(self.successResultOf(self.other.find(KEY)))
                self.scenario.cache.purge(Purge.ofPrefix(b""))
        self.assertEqual(self.hearing.notices, 10)

    def test_whatWasAskedForAfterItIsWritten(self) -> None:
        """Though it is on its way when the purge is heard of."""
        self.other.purge(Purge.ofKey(KEY))
        self.scenario.passes(0.1)
        client = self.client()
        self.pool.holding = True
        self.answers(answer(b"content"))
        self.gets(client, b"content", b"; stored")
        self.hears()
        # Between two steps of the writing.
        self.works()
        self.pool.holding = False
        self.assertEqual(self.hearing.notices, 1)
        self.assertIsNotNone(self.successResultOf(self.other.find(KEY)))

    def test_whatItIsNotAboutIsFound(self) -> None:
        """A look-up is under way."""
        self.fetches()
        self.again()
        self.pool.holding = True
        client = self.client()
        for meant in (lambda _: False, None):
            self.tiers.purgeHere(Purge.ofKey(KEY + b"b"), False, None)
            self.tiers.purgeHere(Purge.ofKey(KEY), False, meant)
            self.works()
            if meant is not None:
                self.gets(client, b"content")
                self.memory.purge(Purge.ofKey(KEY))
                client = self.client()
        self.pool.holding = False
        self.answers(answer(b"new"))
        self.gets(client, b"new", b"; stored")

    def test_whatCameFromTheDisk(self) -> None:
        """It is not known when that was asked for, but not that it was later."""
        self.fetches(b"content", TAGGED)
        self.again()
        self.isHit()
        self.scenario.passes(1)
        self.other.purge(Purge.ofTag(b"one"))
        self.hears()
        self.isFetched()

    def test_whatIsArriving(self) -> None:
        """Is for who asked."""
        client = self.client()
        self.other.purge(Purge.ofPrefix(b"http://example.org/"))
        self.hears()
        self.answers(answer(b"content"))
        self.gets(client, b"content", b"; fwd=uri-miss")
        self.isFetched()

    def test_whatHasArrivedBefore(self) -> None:
        """Though it was purged by then: it goes when that is heard, and is not on the disk."""
        client = self.client()
        self.other.purge(Purge.ofKey(KEY))
        self.answers(answer(b"content"))
        self.gets(client, b"content", b"; stored")
        self.assertIsNone(self.successResultOf(self.other.find(KEY)))
        self.hears()
        self.isFetched()
        shelf = self.successResultOf(self.other.find(KEY))
        assert shelf is not None
        self.assertEqual(len(shelf.entries), 1)

    def test_whatIsBeingWritten(self) -> None:
        """Is given up."""
        client = self.client()
        self.pool.holding = True
        self.answers(answer(b"content"))
        self.gets(client, b"content", b"; stored")
        self.other.purge(Purge.ofKey(KEY))
        self.hears()
        self.works()
        self.assertIsNone(self.successResultOf(self.other.find(KEY)))
        self.pool.holding = False
        self.isFetched()

    def test_whatIsBeingLookedFor(self) -> None:
        """A thread has found it before the purge, and its answer comes after."""
        self.fetches()
        self.again()
        self.pool.holding = True
        client = self.client()
        # The look-up, whose answer does not come yet.
        found: list[Any] = []
        clock: Any = self.scenario.clock
        clock.callFromThread = lambda function, *arguments: found.append((function, arguments))
        self.pool.step()
        self.assertEqual(len(found), 1)
        clock.callFromThread = lambda function, *arguments: function(*arguments)
        self.other.purge(Purge.ofKey(KEY))
        self.pool.holding = False
        self.hears()
        self.assertEqual(self.hearing.notices, 1)
        function, arguments = found.pop()
        function(*arguments)
        self.answers(answer(b"new"))
        self.gets(client, b"new", b"; stored")


class ChangeTests(HearingTestCase):
    """What an unsafe method has changed, by another process."""

    def test_whatIsStored(self) -> None:
        """Goes, with all variants."""
        self.fetches()
        self.successResultOf(self.other.forget(KEY))
        self.hears()
        self.isFetched()

    def test_whatIsFetchedForOthers(self) -> None:
        """Is for who asked first; one of those who wait fetches for the others."""
        clients = [self.client() for _ in range(3)]
        self.successResultOf(self.other.forget(KEY))
        self.hears()
        self.answers(answer(b"content"))
        self.gets(clients.pop(0), b"content", b"; fwd=uri-miss")
        self.answers(answer(b"new"))
        for client in clients:
            self.gets(client, b"new", b"; stored")
        # That was opened before the first one came back.
        self.scenario.accepts()

    def test_whoAsksAlone(self) -> None:
        """Has its answer not stored."""
        client = self.client(*ask(b"/a", b"Cache-Control: no-cache"))
        self.successResultOf(self.other.forget(KEY))
        self.hears()
        self.answers(answer(b"content"))
        self.assertNotIn(b"; stored", client.takes())
        self.isFetched()


class SeveralKeysTests(HearingTestCase):
    """Targets with several keys."""

    caching = RouteCacheSettings(keyFields=("X-Kind",))

    def test_allOfThem(self) -> None:
        """Go, and what is fetched for them is not stored."""
        client = self.client(*ask(b"/a", b"X-Kind: 1"))
        self.answers(answer(b"content"))
        self.gets(client, b"content", b"; stored")
        waiting = self.client(*ask(b"/a", b"X-Kind: 2"))
        before = self.scenario.cache.purges.serial
        self.successResultOf(self.other.forget(KEY))
        self.successResultOf(self.other.purge(Purge.ofTag(Siblings.tagOf(KEY))))
        self.hears()
        self.answers(answer(b"content"))
        self.assertNotIn(b"; stored", waiting.takes())
        # Of changes there may be many, so they are not noted as purges are.
        self.assertEqual(self.scenario.cache.purges.serial, before)
        for kind in (b"1", b"2"):
            client = self.client(*ask(b"/a", b"X-Kind: " + kind))
            self.answers(answer(b"new"))
            self.gets(client, b"new", b"; stored")

    def test_aPurgeOfTheURL(self) -> None:
        """It is of the tag alone: what is fetched, together or by who asks alone, is not stored."""
        for lines in ((), (b"Cache-Control: no-cache",)):
            client = self.client(*ask(b"/a", b"X-Kind: 1", *lines))
            self.successResultOf(self.other.purge(Purge.ofTag(Siblings.tagOf(KEY))))
            self.hears()
            self.answers(answer(b"content"))
            self.assertNotIn(b"; stored", client.takes())
        client = self.client(*ask(b"/a", b"X-Kind: 1"))
        self.answers(answer(b"new"))
        self.gets(client, b"new", b"; stored")


class TroubleTests(HearingTestCase):
    """What was missed, and what ends."""

    def test_tooMuch(self) -> None:
        """All that is in memory goes, once."""
        self.patch(diskjournal, "JOURNAL_OCTETS", 300)
        self.fetches()
        for number in range(5):
            self.other.forget(b"site http://example.org/%d" % number)
        self.isHit()
        self.hears()
        self.assertEqual(self.memory.count, 0)
        self.assertEqual(len(self.lines), 1, self.lines)
        self.assertIn("all that is in memory goes", self.lines.pop())
        # It is on the disk still.
        self.isHit()
        self.hears()
        self.assertEqual(self.memory.count, 1)

    def test_aDiskThatDoesNotWork(self) -> None:
        """Tells nothing for a while, and then what there was."""
        self.fetches()
        self.assertEqual(len(self.disk.calls._owed), 0)
        self.disk.index.connections.close()
        moved = self.folder + "-moved"
        shutil.move(self.folder, moved)
        self.hears()
        self.assertFalse(self.disk.inUse)
        self.assertEqual(len(self.lines), 1, self.lines)
        shutil.move(moved, self.folder)
        self.other.purge(Purge.ofKey(KEY))
        self.hears()
        self.isHit()
        for _ in range(int(61 / HEAR_SECONDS)):
            self.hears()
        self.assertTrue(self.disk.inUse)
        self.assertEqual(self.memory.count, 0)

    def test_manyAreHeededInTurns(self) -> None:
        """So that others are served between them."""
        ticks = count()
        self.hearing._seconds = lambda: next(ticks) * 0.004
        clock = self.scenario.clock
        callLater = clock.callLater
        heeded: list[int] = []

        def noted(delay: float, *call: Any) -> Any:
            if not delay:
                heeded.append(self.hearing.notices)
            return callLater(delay, *call)

        self.patch(clock, "callLater", noted)
        for number in range(20):
            self.other.forget(b"site http://example.org/%d" % number)
        self.hears()
        self.assertEqual(heeded, [3, 6, 9, 12, 15, 18])
        self.assertEqual(self.hearing.notices, 20)
        # None of them once more.
        self.hears()
        self.assertEqual(self.hearing.notices, 20)

    def test_moreThanIsHeardOfAtATime(self) -> None:
        """The rest follows at once."""
        keys = [b"site http://example.org/%d" % number for number in range(2 * MOST)]
        self.fetches()
        self.other.index.forgetAll([*keys, KEY])
        self.hears()
        self.assertEqual(self.hearing.notices, len(keys) + 1)
        self.assertEqual(self.memory.count, 0)
        self.assertEqual(self.lines, [])

    def test_theEndAmongMany(self) -> None:
        """The rest is not heeded, and counts as not heard."""
        ticks = count()
        self.hearing._seconds = lambda: next(ticks) * 0.004
        for number in range(20):
            self.other.forget(b"site http://example.org/%d" % number)
        clock: Any = self.scenario.clock
        clock.rightNow += HEAR_SECONDS
        (call,) = clock.calls
        clock.calls.remove(call)
        call.called = 1
        call.func(*call.args, **call.kw)
        self.assertEqual(self.hearing.notices, 3)
        self.hearing.end()
        self.scenario.passes(0)
        self.assertEqual(self.hearing.notices, 3)
        news = self.disk.index.journal.news()
        self.assertEqual(len(news.notices), 20)

    def test_theEnd(self) -> None:
        """Nothing is asked any more, whatever is under way."""
        self.pool.holding = True
        self.hears()
        self.assertEqual(len(self.pool.waiting), 1)
        self.hearing.end()
        self.hearing.end()
        self.pool.step()
        self.other.purge(Purge.ofKey(KEY))
        for _ in range(3):
            self.hears()
        self.assertEqual(self.pool.waiting, [])
        self.assertEqual(self.flushLoggedErrors(), [])
        self.hearing.begin()
        self.pool.holding = False
        self.hears()
        self.assertEqual(self.hearing.notices, 1)

    def test_aDefect(self) -> None:
        """Is logged once; as it is not known what it left, all goes."""
        self.fetches()
        heed = self.hearing._heed

        def fails(notice: Notice) -> Any:
            if notice.what.kind == "key":
                raise ZeroDivisionError
            return heed(notice)

        self.patch(self.hearing, "_heed", fails)
        self.other.purge(Purge.ofKey(KEY + b"other"))
        for _ in range(3):
            self.hears()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.memory.count, 0)
        self.isHit()
        self.hears()
        self.isHit()

    def test_whoHearsSlowly(self) -> None:
        """Is not asked a second time meanwhile."""
        self.pool.holding = True
        for _ in range(5):
            self.hears()
        self.assertEqual(len(self.pool.waiting), 1)
        self.assertEqual(repr(self.hearing), "<Hearing 0 notices>")
