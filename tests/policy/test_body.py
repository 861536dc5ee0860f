# -*- test-case-name: tests.policy.test_body -*-
"""
Content that grows while others read it.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from intermediary.errors import ResponseIncomplete
from intermediary.interfaces import IFilePart
from intermediary.policy.body import ONE_PIECE_OCTETS, PIECE_OCTETS, Body
from intermediary.wire.fields import EMPTY, Fields


class Reader:
    """Takes what there is whenever it is told."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.position = 0
        self.taken = b""
        self.told = 0

    def cutOff(self) -> None:
        """It was too slow."""

    def grown(self) -> None:
        """Take all that is new."""
        self.told += 1
        while piece := self.body.read(len(self.taken)):
            self.taken += piece
            self.position = len(self.taken)


class WritingTests(SynchronousTestCase):
    """What the writer does."""

    def test_itGrowsUntilItsEnd(self) -> None:
        """Octets are counted as they come, trailers come with the end."""
        body = Body()
        self.assertEqual((body.octets, body.complete, body.ended), (0, False, False))
        body.append(b"abc")
        body.append(b"")
        body.append(b"de")
        self.assertEqual((body.octets, body.complete), (5, False))
        trailers = Fields.fromPairs([(b"X", b"y")])
        body.end(trailers)
        self.assertEqual((body.whole, body.complete, body.ended), (b"abcde", True, True))
        self.assertIs(body.trailers, trailers)

    def test_itMayFail(self) -> None:
        """What has come can be read; it is not whole and will not be."""
        body = Body()
        body.append(b"abc")
        error = ResponseIncomplete("closed")
        body.fail(error)
        self.assertIs(body.error, error)
        self.assertEqual((body.complete, body.ended, body.read(0)), (False, True, b"abc"))

    def test_emptyContentIsComplete(self) -> None:
        """No piece at all."""
        for body in (Body(), Body.of(b"")):
            if not body.complete:
                body.end()
            self.assertEqual((body.pieces, body.whole, body.octets), ([], b"", 0))
            self.assertIs(body.trailers, EMPTY)

    def test_singleOctetsDoNotCostAnObjectEach(self) -> None:
        """They are joined up to a limit, so that an origin can't fill the memory with them."""
        body = Body()
        for _ in range(PIECE_OCTETS + 10):
            body.append(b"x")
        self.assertEqual([len(piece) for piece in body.pieces], [PIECE_OCTETS, 10])

    def test_smallContentIsOnePieceInTheEnd(self) -> None:
        """So a hit is one write."""
        body = Body()
        for _ in range(4):
            body.append(b"x" * PIECE_OCTETS)
        body.end()
        self.assertEqual(len(body.pieces), 1)
        self.assertIs(body.whole, body.pieces[0])

    def test_bigContentStaysInPieces(self) -> None:
        """Until somebody wants it whole; then it is joined once."""
        body = Body()
        while body.octets <= ONE_PIECE_OCTETS:
            body.append(b"x" * PIECE_OCTETS)
        body.end()
        self.assertGreater(len(body.pieces), 1)
        self.assertEqual(len(body.whole), body.octets)
        self.assertEqual(len(body.pieces), 1)
        self.assertIs(body.whole, body.pieces[0])

    def test_aBodyThatEndedDoesNotGrow(self) -> None:
        """Neither after its end nor after its failure."""
        failed = Body()
        failed.fail(ResponseIncomplete())
        for body in (Body.of(b"abc"), failed):
            self.assertRaises(AssertionError, body.append, b"d")
            self.assertRaises(AssertionError, body.end)
            self.assertRaises(AssertionError, body.fail, ResponseIncomplete())

    def test_whatIsNotCompleteIsNotWhole(self) -> None:
        """It must not be served for it."""
        body = Body()
        body.append(b"abc")
        self.assertRaises(AssertionError, getattr, body, "whole")

    def test_repr(self) -> None:
        """How much, in which state, for whom."""
        body = Body()
        body.append(b"abc")
        body.watch(Reader(body))
        self.assertEqual(repr(body), "<Body 3 octets, growing, watchers=1>")
        body.end()
        self.assertEqual(repr(body), "<Body 3 octets, complete, watchers=0>")
        body = Body()
        body.fail(ResponseIncomplete())
        self.assertEqual(repr(body), "<Body 0 octets, failed, watchers=0>")


class WatchingTests(SynchronousTestCase):
    """What readers are told."""

    def test_eachChangeIsTold(self) -> None:
        """But nothing from inside C{watch}."""
        body = Body()
        body.append(b"abc")
        reader = Reader(body)
        body.watch(reader)
        self.assertEqual(reader.told, 0)
        body.append(b"de")
        self.assertEqual((reader.told, reader.taken), (1, b"abcde"))
        body.end()
        self.assertEqual((reader.told, body.watchers), (2, 0))

    def test_aFailureIsTold(self) -> None:
        """For the last time."""
        body = Body()
        reader = Reader(body)
        body.watch(reader)
        body.fail(ResponseIncomplete())
        self.assertEqual((reader.told, body.watchers), (1, 0))

    def test_whoWatchesNoMoreIsNotTold(self) -> None:
        """Twice is harmless, and so is for one who never did."""
        body = Body()
        reader = Reader(body)
        body.unwatch(reader)
        body.watch(reader)
        body.unwatch(reader)
        body.unwatch(reader)
        body.append(b"abc")
        self.assertEqual(reader.told, 0)

    def test_oneMaySendAnotherAway(self) -> None:
        """Who was sent away in the same turn is not told."""
        body = Body()
        second = Reader(body)

        class First(Reader):
            def grown(self) -> None:
                super().grown()
                body.unwatch(second)
                body.unwatch(self)

        first = First(body)
        body.watch(first)
        body.watch(second)
        body.append(b"abc")
        self.assertEqual((first.told, second.told, body.watchers), (1, 0, 0))

    def test_whoReadsIsKnownUntilItLeaves(self) -> None:
        """Whether it grows or not; to leave twice is harmless."""
        body = Body()
        reader, other = Reader(body), Reader(body)
        body.leave(reader)
        body.enter(reader)
        body.append(b"abc")
        body.end()
        body.enter(other)
        self.assertEqual(body.readers, [reader, other])
        body.leave(reader)
        body.leave(reader)
        self.assertEqual(body.readers, [other])

    def test_whatHasEndedIsNotWatched(self) -> None:
        """There is nothing to tell any more."""
        body = Body.of(b"abc")
        body.watch(Reader(body))
        self.assertEqual(body.watchers, 0)


class ReadingTests(SynchronousTestCase):
    """Any reader gets exactly what was written."""

    @given(
        pieces=strategies.lists(
            strategies.tuples(
                strategies.sampled_from((0, 1, 7, 4096, 16000, PIECE_OCTETS, 70000)),
                strategies.booleans(),
            ),
            max_size=12,
        ),
        cuts=strategies.lists(strategies.tuples(*[strategies.integers(0, 200000)] * 2), max_size=4),
    )
    def test_anyPiecesAreReadAsOne(
        self, pieces: list[tuple[int, bool]], cuts: list[tuple[int, int]]
    ) -> None:
        """By who watches all the time, who comes later, who comes at the end, and in ranges."""
        body = Body()
        written = b""
        readers = [Reader(body)]
        body.watch(readers[0])
        for number, (octets, another) in enumerate(pieces):
            piece = bytes([number]) * octets
            written += piece
            body.append(piece)
            self.assertEqual(body.octets, len(written))
            if another:
                readers.append(Reader(body))
                body.watch(readers[-1])
        for start, stop in cuts:
            self.assertEqual(b"".join(body.cut(start, stop)), written[start:stop])
            piece = body.read(start, stop) if start < stop else b""
            self.assertTrue(piece or start >= min(stop, len(written)))
            self.assertEqual(piece, written[start : start + len(piece)])
            self.assertLessEqual(len(piece), max(0, stop - start))
        body.end()
        for start, stop in cuts:
            self.assertEqual(b"".join(body.cut(start, stop)), written[start:stop])
        late = Reader(body)
        late.grown()
        for reader in (*readers, late):
            self.assertEqual(reader.taken, written)
        self.assertEqual(b"".join(body.pieces), written)
        self.assertEqual(body.whole, written)
        self.assertEqual(body.cut(0, body.octets), [written] if written else [])


class SheddingTests(SynchronousTestCase):
    """Content that is too big to be kept."""

    def test_whatAllHaveHadIsLetGo(self) -> None:
        """By whole pieces; what is left reads as before."""
        body = Body()
        body.shed(0)
        for number in range(4):
            body.append(bytes([number]) * PIECE_OCTETS)
        body.shed(2 * PIECE_OCTETS - 1)
        self.assertEqual((body.start, len(body.pieces)), (PIECE_OCTETS, 3))
        self.assertEqual(body.read(2 * PIECE_OCTETS - 1), b"\x01")
        self.assertRaises(AssertionError, body.read, 5)
        body.shed(body.octets)
        self.assertEqual((body.start, body.pieces), (4 * PIECE_OCTETS, []))
        body.append(b"abc")
        body.append(b"de")
        body.end()
        self.assertEqual(body.read(4 * PIECE_OCTETS), b"abcde")
        self.assertEqual(body.octets, 4 * PIECE_OCTETS + 5)
        self.assertRaises(AssertionError, getattr, body, "whole")

    def test_theOnlyPieceIsLetGo(self) -> None:
        """As well; nothing of it can be taken for the whole."""
        body = Body()
        body.append(b"abc")
        body.shed(3)
        self.assertEqual((body.pieces, body.read(3)), ([], b""))
        body.append(b"de")
        self.assertEqual((body.read(3), body.read(4)), (b"de", b"e"))
        body.end()
        self.assertRaises(AssertionError, getattr, body, "whole")

    @given(strategies.lists(strategies.integers(0, 40_000), max_size=10))
    def test_aReaderThatKeepsUpMissesNothing(self, lengths: list[int]) -> None:
        """And memory holds a piece or two."""
        body = Body()
        reader = Reader(body)
        body.watch(reader)
        written = b""
        for number, octets in enumerate(lengths):
            piece = bytes([number]) * octets
            written += piece
            body.append(piece)
            body.shed(len(reader.taken))
            self.assertEqual(body.pieces, [])
        body.end()
        self.assertEqual(reader.taken, written)

    def test_whatIsKept(self) -> None:
        """What is complete, and has no hole that can't be filled from a file."""
        body = Body()
        body.append(b"x" * PIECE_OCTETS * 2)
        body.append(b"y")
        self.assertFalse(body.isKept)
        body.end()
        self.assertTrue(body.isKept)
        file: Any = SimpleNamespace(complete=False, isOpen=False)
        body = Body()
        for piece in (b"x" * PIECE_OCTETS, b"y" * ONE_PIECE_OCTETS):
            body.append(piece)
        body.end()
        body.shed(PIECE_OCTETS)
        self.assertFalse(body.isKept)
        body.file = file
        self.assertFalse(body.isKept)
        file.complete = True
        self.assertTrue(body.isKept)
        self.assertFalse(body.isWhole)

    def test_whatHasAHoleIsRestored(self) -> None:
        """From the file, all of it, as if nothing had been there."""
        body = Body()
        pieces = [b"x" * PIECE_OCTETS, b"y" * ONE_PIECE_OCTETS]
        for piece in pieces:
            body.append(piece)
        body.end()
        body.shed(PIECE_OCTETS)
        body.restore(list(pieces))
        self.assertEqual(body.heldOctets, body.octets)
        self.assertEqual(body.whole, b"".join(pieces))

    def test_movedContentIsTheSame(self) -> None:
        """Whoever reads it, in whatever way, wherever they are."""
        content = bytes(range(250)) * 2000
        body = Body()
        for start in range(0, len(content), 30_000):
            body.append(content[start : start + 30_000])
        reader = Reader(body)
        body.watch(reader)
        body.end()
        pages = Held(content)
        body.move(pages)
        self.assertEqual(body.pieces, [])
        self.assertEqual((body.octets, body.heldOctets, body.start), (500_000, 500_000, 0))
        self.assertEqual(body.whole, content)
        self.assertEqual(b"".join(body.cut(7, 400_000)), content[7:400_000])
        self.assertEqual(body.read(500_000), b"")
        self.assertEqual(body.read(7, 400), content[7:400])
        position = 11
        while piece := body.read(position):
            self.assertEqual(piece, content[position : position + len(piece)])
            position += len(piece)
        self.assertEqual(position, 500_000)
        self.assertTrue(body.isWhole and body.isKept)

    def test_whatIsGrowingIsNotMoved(self) -> None:
        """More would come."""
        body = Body()
        body.append(b"x")
        self.assertRaises(AssertionError, body.move, Held(b"x"))


@implementer(IFilePart)
class Held:
    """Octets that count as a part of a file."""

    descriptor = -1
    start = 0

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.octets = len(content)

    def read(self, start: int, stop: int) -> bytes:
        """Give some."""
        return self.content[start:stop]
