# -*- test-case-name: tests.policy.test_diskjournal -*-
"""
What processes that share an index tell each other.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy import diskjournal
from intermediary.policy.diskindex import DiskIndex
from intermediary.policy.diskjournal import MOST, NOTICE_OCTETS, Journal, Notice
from intermediary.policy.purging import Purge, hostOf

from .test_diskindex import A, B, rowOf


def said(notices: list[Notice]) -> list[Any]:
    """Notices as what can be compared."""
    return [
        (each.what.kind, each.what.value, each.what.tags, each.what.partitions, each[1:3])
        for each in notices
    ]


class JournalTests(SynchronousTestCase):
    """L{Journal}, of two processes and more."""

    def setUp(self) -> None:
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.now = 1000.0
        self.index = self.opened()
        self.other = self.opened()

    def opened(self, name: str = "index") -> DiskIndex:
        """Open the file as one more process does."""
        index = DiskIndex(os.path.join(self.folder, name), 1 << 20)
        index.journal = Journal(index.connections, lambda: self.now)
        index.journal.heeded = True
        index.open()
        self.addCleanup(index.close)
        return index

    def put(self, index: DiskIndex, key: bytes, name: str, *tags: bytes) -> bool:
        """Put a row in; whether that was done."""
        url = key[4:]
        return index.put(rowOf(key, name, tags=tags), url, hostOf(url), 0.0) is not None

    def heard(self, index: DiskIndex) -> list[Notice]:
        """What there is to be heard, which is then heeded."""
        news = index.journal.news()
        self.assertFalse(news.missed)
        index.journal.heard(news.last)
        return news.notices

    def test_othersHear(self) -> None:
        """Each of them, once; and nobody of what is its own."""
        third = self.opened()
        self.index.purge(Purge.ofKey(A))
        for index in (self.other, third):
            self.assertEqual([each.what.value for each in self.heard(index)], [A])
            self.assertEqual(self.heard(index), [])
        self.assertEqual(self.heard(self.index), [])
        self.other.purge(Purge.ofKey(B))
        self.assertEqual([each.what.value for each in self.heard(self.index)], [B])
        self.assertEqual([each.what.value for each in self.heard(third)], [B])

    def test_allKinds(self) -> None:
        """They come as they were, and in order."""
        purges = [
            Purge.ofKey(A),
            Purge.ofPrefix(b"http://a.example/x"),
            Purge.ofPrefix(b"").within(b"site", b"+common"),
            Purge.ofHost(b"a.example").within(b"site"),
            Purge.ofTag(b"one", b"two"),
            Purge.ofTag(b"all of http://a.example/"),
        ]
        for what in purges:
            self.index.purge(what)
            self.index.expire(what, 5.0)
        self.index.forgetAll((A, B))
        self.index.wipe()
        expected = [Notice(what, soft=soft) for what in purges for soft in (False, True)]
        expected += [Notice(Purge.ofKey(key), change=True) for key in (A, B)]
        expected.append(Notice(Purge.ofPrefix(b"")))
        self.assertEqual(said(self.heard(self.other)), said(expected))

    def test_whatComesLater(self) -> None:
        """A process has nothing to hear from before it."""
        self.index.purge(Purge.ofKey(A))
        self.now += 1
        third = self.opened()
        self.assertEqual(self.heard(third), [])
        self.index.purge(Purge.ofKey(B))
        self.assertEqual([each.what.value for each in self.heard(third)], [B])

    def test_beforeItWasOpened(self) -> None:
        """But from since it began, as it may have stored something by then."""
        self.index.purge(Purge.ofKey(A))
        self.now += 1
        late = DiskIndex(self.index.connections.path, 1 << 20)
        late.journal = Journal(late.connections, lambda: self.now)
        self.now += 1
        self.index.purge(Purge.ofKey(B))
        self.now += 1
        late.open()
        self.addCleanup(late.close)
        self.assertEqual([each.what.value for each in self.heard(late)], [B])

    def test_openedAgain(self) -> None:
        """What was not heard until then is heard after it."""
        self.assertEqual(self.heard(self.other), [])
        self.other.close()
        self.index.purge(Purge.ofKey(A))
        self.now += 100
        self.other.open()
        self.assertEqual([each.what.value for each in self.heard(self.other)], [A])

    def test_nothingIsPutThatIsGoneElsewhere(self) -> None:
        """It may be of before, as long as nobody has looked."""
        self.index.purge(Purge.ofKey(A))
        self.index.expire(Purge.ofTag(b"t"), 5.0)
        for _ in range(2):
            self.assertFalse(self.put(self.other, A, "1"))
            self.assertFalse(self.put(self.other, B, "2", b"s", b"t"))
            self.assertTrue(self.put(self.other, B, "3", b"s"))
            # It is not another one's here.
            self.assertTrue(self.put(self.index, A, "4"))
            # To have been told is not enough.
            news = self.other.journal.news()
        self.other.journal.heard(news.last)
        self.assertTrue(self.put(self.other, A, "5"))
        self.assertTrue(self.put(self.other, B, "6", b"t"))

    def test_whatIsHeardOfBetweenTwoLooks(self) -> None:
        """Who puts a row looks at what was heard before it asks whether the row is wanted."""
        self.index.purge(Purge.ofKey(A))
        news = self.other.journal.news()

        def isWanted() -> bool:
            # It is, and just then another thread heeds the news.
            self.other.journal.heard(news.last)
            return True

        url = A[4:]
        row = rowOf(A, "1")
        self.assertIsNone(self.other.put(row, url, hostOf(url), 0.0, isWanted))

    def test_itIsBounded(self) -> None:
        """Who has missed some is told so, once; but none that was its own."""
        self.boundedTo(10)
        for number in range(11):
            self.index.forgetAll((A, b"%021d" % number))
        (count,) = self.index.connections.mine().execute("SELECT count(*) FROM notices").fetchone()
        self.assertEqual(count, 10)
        self.assertFalse(self.put(self.other, B, "1"))
        news = self.other.journal.news()
        self.assertTrue(news.missed)
        self.assertEqual(len(news.notices), 10)
        self.other.journal.heard(news.last)
        self.assertEqual(self.heard(self.other), [])
        self.assertTrue(self.put(self.other, B, "1"))
        self.assertEqual(self.heard(self.index), [])

    def boundedTo(self, notices: int) -> None:
        """Have the journal take so many that are about a key of the length of A or B."""
        self.assertEqual(len(A), 21)
        self.patch(diskjournal, "JOURNAL_OCTETS", notices * (NOTICE_OCTETS + 21))

    def test_longOnesCountForMore(self) -> None:
        """Who sends requests decides about them."""
        self.boundedTo(10)
        self.index.forgetAll((A, A, b"k" * 7 * (NOTICE_OCTETS + 21)))
        self.assertEqual(len(self.heard(self.other)), 3)
        self.index.forgetAll((A, b"k" * 99 * (NOTICE_OCTETS + 21)))
        news = self.other.journal.news()
        self.assertEqual((len(news.notices), news.missed), (1, True))

    def test_manyAreHeardOfOneAfterTheOther(self) -> None:
        """And meanwhile it is not known what may be put."""
        self.index.forgetAll([b"%d" % number for number in range(2 * MOST + 9)])
        for count, more in ((MOST, True), (MOST, True), (9, False)):
            self.assertIs(self.put(self.other, A, "1"), not more)
            news = self.other.journal.news()
            self.assertEqual((len(news.notices), news.missed, news.more), (count, False, more))
            self.other.journal.heard(news.last)
        self.assertEqual(self.heard(self.other), [])

    def test_whoWritesMuch(self) -> None:
        """Misses another's that was among its own."""
        self.boundedTo(10)
        self.index.forgetAll((A, B))
        self.other.purge(Purge.ofKey(A))
        for _ in range(9):
            self.index.forgetAll((B,))
        news = self.index.journal.news()
        self.assertEqual((len(news.notices), news.missed), (1, False))
        self.index.forgetAll((B,))
        news = self.index.journal.news()
        self.assertEqual((len(news.notices), news.missed), (0, True))
        self.index.journal.heard(news.last)
        self.index.forgetAll([B] * 30)
        self.assertEqual(self.heard(self.index), [])

    def test_whatWasAskedForLater(self) -> None:
        """Is not what it is about, unless that was before the clock was set back."""
        self.index.purge(Purge.ofKey(A))
        self.now = 1010.0
        for requested, put in ((999.0, False), (1000.0, False), (1000.5, True), (1011.0, False)):
            gone = self.other.put(rowOf(A, "1"), A[4:], b"", 0.0, requested=requested)
            self.assertIs(gone is not None, put, requested)

    def test_whoNeverListens(self) -> None:
        """Puts what it is told to."""
        self.other.journal.heeded = False
        self.index.purge(Purge.ofKey(A))
        self.assertTrue(self.put(self.other, A, "1"))

    def test_anIndexWithoutAJournal(self) -> None:
        """It is from before; what is in it stays."""
        self.assertTrue(self.put(self.index, A, "1"))
        connection = self.index.connections.mine()
        for table in ("notices", "journal"):
            connection.execute("DROP TABLE " + table)
        index = self.opened()
        self.assertEqual([row.name for row in index.find(A)], ["1"])
        self.assertEqual(self.heard(index), [])

    def test_whatIsNotCommitted(self) -> None:
        """Is nobody's."""

        def fails(*_: Any) -> Any:
            raise OSError("no")

        self.patch(diskjournal.Journal, "wrote", lambda journal, run: self.fail("not written"))
        self.patch(self.index, "_delete", fails)
        self.assertRaises(OSError, self.index.purge, Purge.ofKey(A))
        self.assertRaises(OSError, self.index.forgetAll, (A,))
        self.assertEqual(self.heard(self.other), [])

    def test_anotherFile(self) -> None:
        """One that took the place of the first is heard of from its beginning."""
        for _ in range(3):
            self.index.purge(Purge.ofKey(A))
        self.heard(self.other)
        for index in (self.index, self.other):
            index.close()
        for suffix in ("", "-wal", "-shm"):
            path = self.index.connections.path + suffix
            if os.path.exists(path):
                os.unlink(path)
        self.index.open()
        self.other.open()
        for _ in range(2):
            self.index.purge(Purge.ofKey(B))
        self.assertFalse(self.put(self.other, B, "1"))
        self.assertEqual([each.what.value for each in self.heard(self.other)], [B, B])
        self.assertTrue(self.put(self.other, B, "2"))
