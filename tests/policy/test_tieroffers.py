# -*- test-case-name: tests.policy.test_tieroffers -*-
"""
What is written behind the memory.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from intermediary.policy.answers import Record
from intermediary.policy.body import Body
from intermediary.policy.purging import FIRST_SECONDS, UNTIMED, Purge
from intermediary.policy.tieroffers import BIG_WRITINGS, OUTDATED, RENEWALS, WRITINGS
from intermediary.wire.fields import Fields
from intermediary.wire.freshness import Freshness

from .cachetier import evictAll
from .stored import entryOf
from .test_tiers import LARGEST, SMALL, TiersTestCase, answer, ask

if TYPE_CHECKING:
    from intermediary.policy.entries import Entry


class OffersTestCase(TiersTestCase):
    """Makes entries that no request has brought."""

    def entry(self, key: bytes, content: bytes | Body = b"x", **more: Any) -> Entry:
        """Make an entry with a record."""
        entry = entryOf(key, content, **more)
        entry.expires = entry.expires + self.scenario.clock.seconds()
        until = entry.expires
        entry.verdict = Record(Freshness(0, 0, 0, until, until, until, False), None, 0.0)
        return entry

    def stored(self, key: bytes) -> bool:
        """Whether the disk has something."""
        return self.successResultOf(self.disk.find(key)) is not None


class WritingTests(OffersTestCase):
    """What is written."""

    def test_whatIsNotWorthIt(self) -> None:
        """Short and without a validator; what it replaces goes."""
        self.tiers.add(self.entry(b"a"))
        self.tiers.add(self.entry(b"a", expires=5.0))
        self.tiers.add(self.entry(b"b", expires=5.0, fields=Fields([(b"Last-Modified", b"x")])))
        self.tiers.add(self.entry(b"c", expires=5.0, fields=Fields([(b"ETag", b'"1"')])))
        self.tiers.end()
        self.assertEqual([self.stored(key) for key in (b"a", b"b", b"c")], [False, True, True])

    def test_whatIsNotCurrentIsNotFound(self) -> None:
        """Also before it is dropped, which is done for many at once."""
        self.tiers.add(self.entry(b"a"))
        for number in range(OUTDATED):
            short = self.entry(b"a" if not number else b"%d" % number, expires=5.0)
            self.tiers.add(short)
            self.memory.remove(short)
            if number == 1:
                self.assertTrue(self.stored(b"a"))
                shelf = self.successResultOf(self.disk.find(b"a"))
                assert shelf is not None
                self.tiers.looks.took(shelf, [])
                self.assertIsNone(self.memory.find(b"a"))
        self.assertFalse(self.stored(b"a"))

    def test_thereIsALimit(self) -> None:
        """What was skipped is offered again when it is used, or has to go."""
        self.pool.holding = True
        for number in range(WRITINGS - 2):
            self.tiers.add(self.entry(b"first %d" % number))
        entries = [self.entry(b"%d" % number) for number in range(5)]
        for entry in entries:
            self.tiers.add(entry)
        self.works()
        self.pool.holding = False
        self.assertEqual([self.stored(each.key) for each in entries], [True, True, *[False] * 3])
        for _ in range(2):
            self.tiers.used(entries[2])
        self.tiers.add(self.entry(b"x", b"x" * SMALL))
        for number in range(10):
            self.tiers.add(self.entry(b"y%d" % number, b"x" * SMALL))
        self.assertIsNone(self.memory.find(b"3"))
        self.assertEqual([self.stored(each.key) for each in entries], [True] * 5)

    def test_validationsHaveALimit(self) -> None:
        """Beyond it, what is on the disk is not current."""
        entries = [self.entry(b"%d" % number) for number in range(RENEWALS + 1)]
        for entry in entries:
            self.tiers.add(entry)
        self.pool.holding = True
        for entry in entries:
            newer = self.entry(entry.key, entry.body)
            self.tiers.add(newer)
        self.assertEqual(len(self.pool.waiting), RENEWALS)
        self.works()
        self.pool.holding = False
        stored = [self.stored(entry.key) for entry in entries]
        self.assertEqual(stored, [True] * RENEWALS + [False])

    def test_whereTooMuchIsWritten(self) -> None:
        """What memory has no room for is not stored then, and what it would replace is not used."""
        self.tiers.add(self.entry(b"last"))
        self.pool.holding = True
        for number in range(BIG_WRITINGS + 1):
            entry = self.entry(b"%d" % number if number < BIG_WRITINGS else b"last", Body())
            entry.verdict.length = SMALL + 1
            self.assertIs(self.tiers.add(entry), number < BIG_WRITINGS)
        self.assertIsNone(self.memory.find(b"last"))
        self.assertEqual(self.memory.count, BIG_WRITINGS)
        # Of what announces no length nobody knows.
        self.assertTrue(self.tiers.add(self.entry(b"last", Body())))
        self.works()
        self.pool.holding = False

    def test_whatIsOwedToTheDiskIsBounded(self) -> None:
        """In octets, too."""
        self.tiers.offers.roomOctets = SMALL
        self.pool.holding = True
        entries = [self.entry(b"%d" % number, b"x" * (SMALL - 10)) for number in range(4)]
        for entry in entries:
            self.tiers.add(entry)
        self.works()
        self.pool.holding = False
        self.assertEqual([self.stored(each.key) for each in entries], [True, True, False, False])

    def test_whatLeavesMemoryIsOnTheDisk(self) -> None:
        """And comes back."""
        self.fetches(b"content")
        for number in range(12):
            self.fetches(b"y" * (SMALL - 1000), path=b"/%d" % number)
        self.assertGreater(self.memory.evicted, 0)
        self.gets(self.client(), b"content")
        self.assertEqual(self.tiers.looks.found, 1)
        self.exact()

    def test_whatLeavesMemoryOnItsWay(self) -> None:
        """Goes on to the disk, and who reads it gets all of it."""
        client = self.client()
        octets = answer(b"x" * 30_000)
        self.answers(octets[:10_000])
        for number in range(12):
            self.tiers.add(self.entry(b"%d" % number, b"y" * (SMALL - 10)))
        self.assertEqual(
            len(self.memory._byKey[b"0"].entries) if b"0" in self.memory._byKey else 0, 0
        )
        self.origin().sends(octets[10_000:])
        self.assertEqual(client.takes().partition(b"\r\n\r\n")[2], b"x" * 30_000)
        self.exact()
        self.gets(self.client(), b"x" * 30_000)
        self.again()
        self.gets(self.client(), b"x" * 30_000)

    def test_exactWhenValidatedOnItsWay(self) -> None:
        """An entry that grows for another one."""
        body = Body()
        entry = self.entry(b"a", body)
        self.tiers.add(entry)
        self.assertTrue(self.tiers.grew(entry, 3))
        body.append(b"abc")
        newer = self.entry(b"a", body)
        self.tiers.add(newer)
        self.assertTrue(self.tiers.grew(newer, 3))
        body.append(b"def")
        body.end()
        self.exact()
        self.assertTrue(self.stored(b"a"))

    def test_whatWasNotWrittenInPlaceOfOthers(self) -> None:
        """They are not found, whatever is slow: neither if it was given up, nor if it is too big."""
        for tooBig in (False, True):
            self.pool.holding = False
            path = b"/%d" % tooBig
            self.fetches(b"old", path=path)
            *_, key = self.memory._byKey
            self.again()
            self.pool.holding = True
            body = Body()
            entry = self.entry(key, body)
            if tooBig:
                body.append(b"x" * (LARGEST + 1))
            self.tiers.offers.offer(entry)
            if not tooBig:
                writing: Any = self.disk.writingOf(entry)
                writing.cutOff()
                self.pool.step()
                self.pool.step()
            self.assertEqual(len(self.pool.waiting), 1)
            client = self.client(*ask(path))
            # The thread that looks for it overtakes the one that drops the row.
            self.pool.waiting.pop()()
            self.answers(answer(b"new"))
            self.gets(client, b"new", b"fwd=uri-miss")
            self.works()


class PurgingTests(OffersTestCase):
    """A purge of so many that what is behind has gone some turns before all in memory has."""

    def purges(self, last: Entry, soft: bool = False, here: bool = False) -> Any:
        """
        Begin with one of all.

        @param last: an entry that it does not come to in its first turn.
        @param here: another process has dropped the rows.
        """
        self.memory.limitOctets = 1 << 24
        for number in range(4 * UNTIMED):
            self.memory.add(self.entry(b"http://b/%d" % number))
        self.memory.add(last)
        times = count(self.scenario.clock.seconds(), FIRST_SECONDS)
        patched = self.patch(self.scenario.clock, "seconds", lambda: next(times))
        purge = self.tiers.purgeHere if here else self.tiers.purge
        answer = purge(Purge.ofPrefix(b"http://"), soft)
        patched.restore()
        self.assertNoResult(answer)
        return answer

    def ends(self, answer: Any) -> None:
        """The rest of its turns."""
        for _ in range(4):
            self.scenario.clock.advance(FIRST_SECONDS)
        self.assertGreaterEqual(self.successResultOf(answer), UNTIMED)

    def test_whatLeavesMemoryMeanwhile(self) -> None:
        """It is not written behind the purge; what has been stored since then is."""
        for here in (False, True):
            old = self.entry(b"http://b/old")
            answer = self.purges(old, here=here)
            self.memory.add(self.entry(b"http://b/new%d" % here))
            self.tiers.used(old)
            evictAll(self.memory)
            self.assertFalse(self.stored(b"http://b/old"))
            self.assertTrue(self.stored(b"http://b/new%d" % here))
            self.ends(answer)

    def test_whatIsUsedMeanwhile(self) -> None:
        """Its second use is no reason to write it either."""
        old = self.entry(b"http://b/old")
        answer = self.purges(old)
        for _ in range(2):
            self.tiers.used(old)
        self.assertFalse(self.stored(b"http://b/old"))
        self.ends(answer)
        self.assertFalse(self.stored(b"http://b/old"))

    def test_softly(self) -> None:
        """What is written then has expired, as all that was behind has."""
        old = self.entry(b"http://b/old", fields=Fields([(b"ETag", b'"1"')]))
        answer = self.purges(old, soft=True)
        now = self.scenario.clock.seconds()
        self.assertGreater(old.expires, now)
        evictAll(self.memory)
        shelf = self.successResultOf(self.disk.find(b"http://b/old"))
        assert shelf is not None
        self.assertEqual([entry.expires for entry in shelf.entries], [now])
        self.ends(answer)

    def test_whatIsCancelled(self) -> None:
        """What it has not come to in memory by then is as before it."""
        old = self.entry(b"http://b/old")
        answer = self.purges(old)
        answer.cancel()
        self.failureResultOf(answer)
        evictAll(self.memory)
        self.assertTrue(self.stored(b"http://b/old"))
