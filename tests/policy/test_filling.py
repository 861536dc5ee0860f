# -*- test-case-name: tests.policy.test_filling -*-
"""
Content into a body, without connections: at whose pace, and to what end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface.verify import verifyObject

from intermediary.errors import ClientGone, ResponseIncomplete
from intermediary.interfaces import IDownstream
from intermediary.policy.body import ONE_PIECE_OCTETS, PIECE_OCTETS, Body
from intermediary.policy.filling import (
    WINDOW_OCTETS,
    Filling,
    Nobody,
    continueWith,
    takeLease,
)
from intermediary.policy.recentpurges import RecentPurges
from intermediary.policy.stores import MemoryStore
from intermediary.policy.visit import Visit
from intermediary.program import PARKED
from intermediary.wire.fields import EMPTY, Fields

from .stored import entryOf
from .test_reading import Client, FillingTestCase

if TYPE_CHECKING:
    from intermediary.exchange import Exchange
    from intermediary.policy.entries import Entry

TRAILERS = Fields.fromPairs([(b"X-Sum", b"7")])


class Origin:
    """A lease."""

    reused = False

    def __init__(self) -> None:
        self.exchange: Exchange | None = None
        self.paused: set[str] = set()
        self.opened = False
        self.released = 0

    def transfer(self, exchange: Exchange) -> None:
        """Serve another exchange."""
        self.exchange = exchange

    def openBody(self) -> None:
        """Let it flow."""
        self.opened = True

    def pauseBody(self, reason: str) -> None:
        """Stop."""
        self.paused.add(reason)

    def resumeBody(self, reason: str) -> None:
        """Go on."""
        self.paused.discard(reason)

    def release(self) -> None:
        """It is done."""
        self.released += 1


class NobodyTests(FillingTestCase):
    """The client of an exchange that has none."""

    def test_isADownstream(self) -> None:
        """It takes everything and says nothing."""
        nobody = Nobody()
        verifyObject(IDownstream, nobody)
        nobody.exchange = exchange = self.exchange(nobody)
        nobody.sendInterim(b"")
        nobody.sendHead(b"", 0, None)
        self.assertIsNone(nobody.spliceInto())
        nobody.feedRequest(None)
        nobody.holdRequest()
        nobody.pauseRequest("x")
        nobody.resumeRequest("x")
        nobody.write(b"x")
        nobody.flush()
        nobody.fail(ClientGone("x"))
        nobody.abort()
        self.assertFalse(exchange.over)
        nobody.end(EMPTY)
        self.assertTrue(exchange.over)
        self.assertIsNone(nobody.exchange)


class FillingCase(FillingTestCase):
    """A response that is being stored."""

    #: Room in the store, in octets.
    room = 1 << 20
    most = 1 << 20

    def setUp(self) -> None:
        super().setUp()
        self.store = MemoryStore(self.clock, self.room, self.most)
        self.entry = entryOf(b"k", self.body)
        self.assertTrue(self.store.add(self.entry))
        self.origin = Origin()
        first = self.exchange(Client())
        lease: Any = self.origin
        first.lease = lease
        self.first = first
        self.filling = Filling(self.store, self.entry, Visit(b"uri-miss", 0.0), RecentPurges())
        continueWith(self.filling, first, takeLease(first), self.rest)
        assert self.filling.exchange is not None
        self.fetch = self.filling.exchange

    def brings(self, piece: bytes) -> None:
        """The origin sends a piece."""
        self.filling.write(piece)
        self.filling.flush()


class StoredTests(FillingCase):
    """The store keeps it."""

    def test_theConnectionIsAnotherExchanges(self) -> None:
        """Whose client has nothing to do with it any more, and it flows at once."""
        self.assertIsNone(self.first.lease)
        self.assertIs(self.origin.exchange, self.fetch)
        self.assertTrue(self.origin.opened)
        self.assertFalse(self.fetch.over)
        self.assertEqual(
            (self.fetch.headSent, self.fetch.requestEnded, self.fetch.requestTaken),
            (True, True, True),
        )
        self.assertIn("stored", repr(self.filling))

    def test_itGrowsAtItsOwnPace(self) -> None:
        """Whether anybody reads it or not."""
        slow = self.reads(room=1)
        for _ in range(8):
            self.brings(b"x" * 65536)
        self.assertEqual(self.origin.paused, set())
        self.assertEqual(self.entry.body.octets, 8 * 65536)
        self.assertEqual(len(slow.taken), 65536)
        slow.source.release()
        self.filling.end(TRAILERS)
        self.assertTrue(self.body.complete)
        self.assertIs(self.body.trailers, TRAILERS)
        self.assertTrue(self.fetch.over)
        self.assertEqual(self.origin.released, 1)
        self.assertIsNone(self.body.source)

    def test_aPieceIsToldOnceItIsFlushed(self) -> None:
        """Pieces of one turn are one write for each reader."""
        client = self.reads()
        self.filling.write(b"abc")
        self.filling.write(b"de")
        self.assertEqual(client.taken, b"")
        self.filling.flush()
        self.assertEqual(client.taken, b"abcde")

    def breaksOff(self, entry: Entry, before: Entry) -> None:
        """What refreshes another ends too early, and nothing was purged meanwhile."""
        purges = RecentPurges()
        visit = Visit(b"stale", 0.0)
        visit.epoch, visit.changes = purges.serial, purges.changes.serial
        visit.ahead = before
        Filling(self.store, entry, visit, purges).fail(ResponseIncomplete("gone"))

    def test_whatIsNotAllThereDoesNotComeBack(self) -> None:
        """What it had replaced, and what let go of that while it was read."""
        for octets in (0, PIECE_OCTETS):
            body, old = Body(), Body()
            old.append(b"x" * PIECE_OCTETS)
            old.append(b"y" * ONE_PIECE_OCTETS)
            old.end()
            old.shed(octets)
            entry, before = entryOf(b"b", body), entryOf(b"b", old)
            self.store.add(entry)
            self.breaksOff(entry, before)
            shelf = self.store.find(b"b")
            self.assertEqual(
                [] if shelf is None else list(shelf.entries), [] if octets else [before]
            )

    def test_whatBreaksOffAsAnotherVariantBringsNothingBack(self) -> None:
        """It has replaced nothing, and nothing of it stays."""
        body = Body()
        body.append(b"abc")
        entry = entryOf(b"b", body, variant=b"one")
        before = entryOf(b"b", b"whole", variant=b"other")
        self.store.add(entry)
        self.breaksOff(entry, before)
        self.assertIsNone(self.store.find(b"b"))

    def test_aFailureTakesTheEntryAway(self) -> None:
        """RFC 9111 §3.3: what is incomplete is not used as whole."""
        client = self.reads()
        self.brings(b"abc")
        error = ResponseIncomplete("gone")
        self.engine.fail(self.fetch, error)
        self.assertIs(self.body.error, error)
        self.assertEqual(self.store.count, 0)
        self.assertEqual((client.taken, client.error), (b"abc", error))
        self.assertTrue(self.fetch.over)
        self.assertEqual(self.origin.released, 1)

    def test_anotherEntryMayTakeItsPlace(self) -> None:
        """One that was validated while it came: it grows on, and is counted."""
        newer = entryOf(b"k", self.body, expires=2000.0)
        self.filling.follow(newer)
        self.assertTrue(self.store.add(newer))
        self.brings(b"x" * 1000)
        self.filling.end(EMPTY)
        shelf = self.store.find(b"k")
        assert shelf is not None
        self.assertEqual(shelf.entries, (newer,))
        self.assertEqual(self.store.size, newer.ownOctets() + 1000)


class PassingTests(FillingCase):
    """It outgrew the store: it goes to those who read it, and no further."""

    most = 100_000

    def setUp(self) -> None:
        super().setUp()
        self.piece = b"x" * PIECE_OCTETS
        self.slow, self.fast = self.reads(room=1), self.reads()

    def outgrows(self) -> int:
        """The origin sends until it is paused; return how many pieces."""
        for number in range(1000):
            if self.origin.paused:
                return number
            self.brings(self.piece)
        raise AssertionError("it is never paused")

    def test_theSlowestPausesTheOrigin(self) -> None:
        """By a reason, and lets it go on."""
        sent = self.outgrows()
        self.assertEqual(self.store.count, 0)
        self.assertIn("passing", repr(self.filling))
        self.assertEqual(self.origin.paused, {"readers do not keep up"})
        self.assertLessEqual((sent - 2) * PIECE_OCTETS, WINDOW_OCTETS)
        self.slow.drains(1)
        self.slow.drains(1)
        self.assertEqual(self.origin.paused, set())

    def test_memoryIsBounded(self) -> None:
        """By the window and a piece, whatever comes through."""
        most = 0
        sent = 0
        while sent < 20 * WINDOW_OCTETS:
            sent += self.outgrows() * PIECE_OCTETS
            most = max(most, sum(map(len, self.body.pieces)))
            while self.origin.paused:
                self.slow.drains(1)
        self.assertLessEqual(most, WINDOW_OCTETS + 2 * PIECE_OCTETS)
        self.filling.end(EMPTY)
        self.slow.drains()
        self.assertEqual(self.slow.taken, self.fast.taken)
        self.assertEqual(len(self.slow.taken), sent)
        self.assertIs(self.slow.trailers, EMPTY)

    def test_whoeverIsSlowMayLeave(self) -> None:
        """Then the next slowest counts."""
        self.outgrows()
        self.slow.source.release()
        self.assertEqual(self.origin.paused, set())
        self.assertLessEqual(sum(map(len, self.body.pieces)), PIECE_OCTETS)

    def test_nobodyIsLeft(self) -> None:
        """The origin need not send what nobody will ever read."""
        self.outgrows()
        self.slow.source.release()
        self.fast.source.release()
        self.assertTrue(self.fetch.over)
        self.assertEqual(self.origin.released, 1)
        self.assertIsInstance(self.body.error, ClientGone)

    def test_nobodyWasThere(self) -> None:
        """When it outgrew the store."""
        self.slow.source.release()
        self.fast.source.release()
        self.assertFalse(self.fetch.over)
        self.assertRaises(AssertionError, self.outgrows)
        self.assertTrue(self.fetch.over)

    def test_aFailureReachesThem(self) -> None:
        """After what there was."""
        self.outgrows()
        error = ResponseIncomplete("gone")
        self.engine.fail(self.fetch, error)
        self.assertIs(self.fast.error, error)
        self.slow.drains()
        self.assertIs(self.slow.error, error)
        self.assertEqual(self.slow.taken, self.fast.taken)


class ProgramTests(FillingTestCase):
    """The program of what goes on without a client."""

    def test_itOnlyHasTheContent(self) -> None:
        """Opened, released, ended."""
        self.assertEqual(
            [self.rest.nameOf(index) for index in range(len(self.rest.steps))],
            ["filling._open", "engine.release", "engine.end"],
        )
        nobody = Nobody()
        exchange = self.exchange(nobody)
        lease: Any = Origin()
        exchange.lease = lease
        self.assertIs(self.rest.steps[0](exchange), PARKED)
        self.assertTrue(lease.opened)
