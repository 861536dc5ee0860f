# -*- test-case-name: tests.policy.test_diskindex -*-
"""
The index of what is on disk.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, given, settings, strategies
from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.diskindex import DiskIndex
from intermediary.policy.diskrows import Row
from intermediary.policy.purging import Purge, hostOf

A, B = b"GET http://a.example/", b"GET http://b.example/"


def rowOf(
    key: bytes, name: str, octets: int = 100, *, variant: bytes = b"", tags: tuple[bytes, ...] = ()
) -> Row:
    """Make a row."""
    head = b"ETag: 1\r\n"
    vary = (b"accept", b"cookie") if variant else ()
    return Row(0, key, variant, name, octets, 200, b"OK", head, b"", vary, tags, b"v", 1.0, 60.0)


class IndexTests(SynchronousTestCase):
    """L{DiskIndex}."""

    def setUp(self) -> None:
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.path = os.path.join(self.folder, "index")
        self.index = self.opened()

    def opened(self, limitOctets: int = 1 << 20) -> DiskIndex:
        """Open the file as one more process does."""
        index = DiskIndex(self.path, limitOctets)
        index.open()
        self.addCleanup(index.close)
        return index

    def put(self, row: Row, now: float = 0.0) -> list[str]:
        """Put a row in."""
        url = row.key[4:]
        gone = self.index.put(row, url, hostOf(url), now)
        assert gone is not None
        return gone

    def names(self) -> set[str]:
        """All that is there."""
        return self.index.known([str(number) for number in range(100)])

    def test_rowsComeBackAsTheyWere(self) -> None:
        """Also in another process, and after the first one has gone."""
        row = rowOf(A, "1", variant=b"br", tags=(b"one", b"two three"))
        self.assertEqual(self.put(row), [])
        other = self.opened()
        self.index.close()
        self.assertEqual([each._replace(id=0) for each in other.find(A)], [row])
        self.assertEqual(other.find(B), [])
        self.assertEqual(other.room(), (row.size, 1))

    def test_theNewestIsFirst(self) -> None:
        """And the same variant is replaced, whose file is named."""
        self.put(rowOf(A, "1"))
        self.put(rowOf(A, "2", variant=b"br"))
        self.assertEqual(self.put(rowOf(A, "3")), ["1"])
        self.assertEqual([row.name for row in self.index.find(A)], ["3", "2"])

    def test_whatIsNotWantedIsNotPut(self) -> None:
        """That is asked when nobody else can put or delete anything."""
        self.put(rowOf(A, "1"))
        answers = [True, False]

        def isWanted() -> bool:
            self.assertTrue(self.index.connections.mine().in_transaction)
            return answers.pop()

        row = rowOf(A, "2")
        self.assertIsNone(self.index.put(row, A, b"a.example", 0.0, isWanted))
        self.assertEqual(self.names(), {"1"})
        self.assertEqual(self.index.put(row, A, b"a.example", 0.0, isWanted), ["1"])

    def test_aRowOfTheSameFile(self) -> None:
        """Is replaced by its successor, and nothing else is."""
        self.put(rowOf(A, "1"))
        for key, name, gone in ((A, "1", ["1"]), (A, "2", None), (B, "1", None)):
            row = rowOf(key, name)
            self.assertEqual(self.index.put(row, key, b"", 0.0, renewing=True), gone)
        self.assertEqual(self.names(), {"1"})

    def test_whatWasUsedLongestAgoLeaves(self) -> None:
        """As many as are needed, and never what room is made for."""
        self.index = self.opened(5 * rowOf(A + b"0", "0").size)
        for number in range(5):
            self.assertEqual(self.put(rowOf(A + b"%d" % number, str(number)), number), [])
        self.index.touch({"0": 10.0, "gone": 10.0})
        self.index.touch({"0": 5.0})
        self.assertEqual(self.put(rowOf(A + b"5", "5"), 6.0), ["1"])
        self.assertEqual(self.put(rowOf(A + b"6", "6"), 0.0), ["2"])
        self.assertEqual(self.names(), {"0", "3", "4", "5", "6"})
        self.assertEqual(set(self.put(rowOf(A, "7", 1 << 20), 0.0)), {"0", "3", "4", "5", "6"})

    def test_dropping(self) -> None:
        """By key and variant, or by the name of a file that is not there."""
        self.put(rowOf(A, "1"))
        self.put(rowOf(A, "2", variant=b"br"))
        self.assertEqual(self.index.dropAll([(A, b""), (B, b"")]), ["1"])
        self.assertEqual(self.index.dropAll([(A, b"")]), [])
        self.index.forget("2")
        self.assertEqual(self.index.room(), (0, 0))

    def test_purges(self) -> None:
        """By everything that a purge may go by; tags go with their rows."""
        rows = [
            (A, (b"one",)),
            (A + b"x", (b"one", b"two")),
            (A + b"x/1", ()),
            (B + b"x", (b"two",)),
            (B + b"\xff", ()),
            (B + b"\xff\xff", ()),
        ]
        for what, gone in (
            (Purge.ofKey(A), {"0"}),
            (Purge.ofTag(b"one"), {"0", "1"}),
            (Purge.ofTag(b"three"), set()),
            (Purge.ofHost(b"a.example"), {"0", "1", "2"}),
            (Purge.ofHost(b"example"), set()),
            (Purge.ofPrefix(b"http://a.example/x"), {"1", "2"}),
            (Purge.ofPrefix(b"http://b.example/\xff"), {"4", "5"}),
            (Purge.ofPrefix(b"\xff"), set()),
            (Purge.ofPrefix(b""), {"0", "1", "2", "3", "4", "5"}),
        ):
            for number, (key, tags) in enumerate(rows):
                self.put(rowOf(key, str(number), tags=tags))
            self.assertEqual(self.index.expire(what, 5.0), len(gone), what)
            self.assertEqual(
                {row.name for key, _ in rows for row in self.index.find(key) if row.expires == 5.0},
                gone,
            )
            count, names = self.index.purge(what)
            self.assertEqual((count, set(names)), (len(gone), gone), what)
            self.assertEqual(self.names(), {"0", "1", "2", "3", "4", "5"} - gone)
            self.index.wipe()
            (left,) = self.index.connections.mine().execute("SELECT count(*) FROM tags").fetchone()
            self.assertEqual(left, 0)

    def test_purgesOfOnePartition(self) -> None:
        """By several tags, too; the others keep the same."""
        for what in (
            Purge.ofPrefix(b""),
            Purge.ofHost(b"a.example"),
            Purge.ofTag(b"t"),
            Purge.ofTag(b"x", b"t"),
        ):
            for number, front in enumerate((b"one ", b"two ", b"ones", b"GET ")):
                self.put(rowOf(front + A[4:], str(number), tags=(b"t",)))
            self.assertEqual(self.index.expire(what.within(b"one"), 5.0), 1)
            self.assertEqual(self.index.purge(what.within(b"one")), (1, ["0"]))
            self.assertEqual(self.index.purge(what)[0], 3)

    def test_purgesOfSeveralPartitions(self) -> None:
        """However many there are, each counts once."""
        most = [b"x%d" % number for number in range(1100)]
        for front in (b"one ", b"two ", b"three "):
            self.put(rowOf(front + A, front.decode(), tags=(b"t",)))
        what = Purge.ofTag(b"t").within(b"two", *most, b"one", b"two")
        self.assertEqual(self.index.expire(what, 5.0), 2)
        count, names = self.index.purge(what)
        self.assertEqual((count, set(names)), (2, {"one ", "two "}))

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        strategies.lists(
            strategies.tuples(
                strategies.integers(0, 5), strategies.integers(0, 20_000), strategies.booleans()
            ),
            max_size=20,
        )
    )
    def test_theRoomIsExact(self, events: list[tuple[int, int, bool]]) -> None:
        """And below the limit, whatever comes and goes."""
        self.index.wipe()
        self.index.limitOctets = 30_000
        for number, (which, octets, drops) in enumerate(events):
            key = A + b"%d" % which
            if drops:
                self.index.dropAll([(key, b"")])
            else:
                self.put(rowOf(key, str(number), octets), number)
            rows = [row for each in range(6) for row in self.index.find(A + b"%d" % each)]
            self.assertEqual(self.index.room(), (sum(row.size for row in rows), len(rows)))
            self.assertLessEqual(self.index.room()[0], 30_000)
