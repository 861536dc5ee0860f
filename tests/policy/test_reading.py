# -*- test-case-name: tests.policy.test_reading -*-
"""
Content out of a body, without connections: at whose pace, and to what end.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings, strategies
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from intermediary.engine import Engine
from intermediary.errors import ClientGone, ContentGone, IntermediaryError, ResponseIncomplete
from intermediary.exchange import Exchange
from intermediary.front import Front
from intermediary.interfaces import IFileSource
from intermediary.policy.body import PIECE_OCTETS, Body
from intermediary.policy.filling import restProgram
from intermediary.policy.readahead import ReadAhead
from intermediary.policy.reading import FILE_OCTETS, SENT_OCTETS, Reading
from intermediary.policy.storedfile import StoredFile
from intermediary.program import Program
from intermediary.settings import Limits, Timeouts
from intermediary.wire.fields import EMPTY, Fields

from .exchanges import head

if TYPE_CHECKING:
    from collections.abc import Callable

    from intermediary.wire.ranges import Section


TRAILERS = Fields.fromPairs([(b"X-Sum", b"7")])


class Client:
    """Where content ends up; it takes C{room} octets before it pauses its source."""

    connected = True
    draining = False

    def __init__(self, room: int = 1 << 30) -> None:
        self.room = room
        self.taken = b""
        self.flushed = 0
        self.trailers: Fields | None = None
        self.error: IntermediaryError | None = None
        self.source: Any = None
        self.onWrite: Callable[[], None] = lambda: None

    def write(self, piece: bytes) -> None:
        """Take a piece, as a corked connection."""
        self.taken += piece
        self.room -= len(piece)
        if self.room <= 0:
            self.source.pauseBody("full")
        self.onWrite()

    def flush(self) -> None:
        """Send what is there."""
        self.flushed = len(self.taken)

    def end(self, trailers: Fields) -> None:
        """All of it is there."""
        assert self.trailers is None, "it ended twice"
        assert self.error is None
        self.flush()
        self.trailers = trailers

    def fail(self, error: IntermediaryError) -> None:
        """It is cut off."""
        self.error = error

    def holdRequest(self) -> None:
        """There is none."""

    def exchangeEnded(self, exchange: Exchange) -> None:
        """Nothing follows."""

    def drains(self, octets: int = 1 << 30) -> None:
        """It has sent what it had, and takes so much more."""
        self.room = octets
        self.source.resumeBody("full")


class FillingTestCase(SynchronousTestCase):
    """One body, and what is needed to run exchanges."""

    def setUp(self) -> None:
        self.clock = Clock()
        unasked: Any = None
        self.engine = Engine(unasked, self.clock.seconds, b"test")
        self.rest = restProgram(self.engine)
        self.front = Front(
            "site", Limits(), Timeouts(), self.engine, unasked, unasked, Program("refusal", {})
        )
        self.body = Body()

    def exchange(self, downstream: Any) -> Exchange:
        """An exchange whose reply has a head already and waits for its content."""
        exchange = Exchange(
            self.front, downstream, head(b"GET / HTTP/1.1", b"Host: a"), "192.0.2.7", 0.0
        )
        exchange.program = self.rest
        exchange.index = self.rest.finish
        exchange.headSent = True
        return exchange

    def reads(
        self, room: int = 1 << 30, start: int = 0, stop: int = -1, *, opened: bool = True
    ) -> Client:
        """A client reads the body."""
        client = Client(room)
        exchange = self.exchange(client)
        source: Any = Reading(self.engine, exchange, self.body, start, stop)
        client.source = exchange.lease = source
        if opened:
            source.openBody()
        return client

    def readsSections(
        self, sections: list[Section], client: Client | None = None, *, opened: bool = True
    ) -> Any:
        """A client reads sections of the body."""
        found = client or Client()
        exchange = self.exchange(found)
        start = sections[0][1]
        source: Any = Reading(self.engine, exchange, self.body, start, start, sections)
        found.source = exchange.lease = source
        if opened:
            source.openBody()
        return found


class ReadingTests(FillingTestCase):
    """One reader, or several."""

    def test_isASource(self) -> None:
        """What the engine takes for the source of a reply's content."""
        client = self.reads()
        verifyObject(IFileSource, client.source)
        self.assertEqual(
            repr(client.source),
            "<Reading at 0 of <Body 0 octets, growing, watchers=1> open>",
        )

    def test_whatIsThereAndThenWhatComes(self) -> None:
        """Each piece is flushed, as nobody knows when there will be more."""
        self.body.append(b"abc")
        client = self.reads()
        self.assertEqual((client.taken, client.flushed), (b"abc", 3))
        self.body.append(b"de")
        self.assertEqual((client.taken, client.flushed), (b"abcde", 5))
        self.assertIsNone(client.trailers)
        self.body.end(TRAILERS)
        self.assertIs(client.trailers, TRAILERS)
        self.assertEqual(self.body.watchers, 0)

    def test_nothingBeforeItIsOpened(self) -> None:
        """The head is first."""
        self.body.append(b"abc")
        client = self.reads(opened=False)
        self.body.append(b"de")
        self.assertEqual(client.taken, b"")
        client.source.openBody()
        self.assertEqual(client.taken, b"abcde")

    def test_aWholeBodyLeavesWithItsEnd(self) -> None:
        """One write for the last piece and the end."""
        self.body = Body.of(b"abc")
        client = self.reads(opened=False)
        flushes: list[int] = []
        client.onWrite = lambda: flushes.append(client.flushed)
        client.source.openBody()
        self.assertEqual((client.taken, flushes), (b"abc", [0]))
        self.assertIs(client.trailers, EMPTY)

    def test_anEmptyOne(self) -> None:
        """Ends at once."""
        self.body.end()
        self.assertIs(self.reads().trailers, EMPTY)

    def test_aClientThatIsFullIsLeftAlone(self) -> None:
        """Until it has taken that; the body goes on to grow."""
        client = self.reads(room=3)
        self.body.append(b"abc")
        self.body.append(b"de")
        self.assertEqual(client.taken, b"abc")
        self.assertIn("full", repr(client.source))
        self.body.end()
        self.assertIsNone(client.trailers)
        client.drains()
        self.assertEqual((client.taken, client.trailers), (b"abcde", EMPTY))

    def test_everyReasonHasToGo(self) -> None:
        """A reason counts once, however often it is given."""
        client = self.reads()
        for reason in ("a", "b", "a"):
            client.source.pauseBody(reason)
        self.body.append(b"abc")
        client.source.resumeBody("a")
        client.source.resumeBody("never")
        self.assertEqual(client.taken, b"")
        client.source.resumeBody("b")
        self.assertEqual(client.taken, b"abc")

    def test_aRange(self) -> None:
        """From an octet to another, and no further; it ends without trailers."""
        self.body.append(b"0123456789")
        client = self.reads(start=2, stop=5)
        self.assertEqual((client.taken, client.trailers), (b"234", EMPTY))
        self.assertEqual(self.body.watchers, 0)

    def test_aRangeThatIsStillComing(self) -> None:
        """It waits for what is before it, and for the rest."""
        self.body.append(b"01")
        client = self.reads(start=3, stop=6)
        self.assertEqual(client.taken, b"")
        self.body.append(b"234")
        self.assertEqual((client.taken, client.trailers), (b"34", None))
        self.body.append(b"56")
        self.assertEqual((client.taken, client.trailers), (b"345", EMPTY))

    def test_aFailureCutsTheReplyOff(self) -> None:
        """After what was there before it."""
        self.body.append(b"abc")
        slow = self.reads(room=1)
        self.body.append(b"de")
        error = ResponseIncomplete("gone")
        self.body.fail(error)
        self.assertIsNone(slow.error)
        slow.drains()
        self.assertEqual((slow.taken, slow.error), (b"abcde", error))
        self.assertEqual(slow.source._exchange.outcome, error.token)

    def test_eachAtItsOwnPace(self) -> None:
        """None waits for another."""
        fast, slow = self.reads(), self.reads(room=1)
        for number in range(5):
            self.body.append(bytes([number]) * PIECE_OCTETS)
        late = self.reads()
        self.assertEqual(
            [len(each.taken) // PIECE_OCTETS for each in (fast, slow, late)], [5, 1, 5]
        )
        for number in range(2, 6):
            slow.drains(1)
            self.assertEqual(len(slow.taken) // PIECE_OCTETS, number)
        self.body.end()
        self.assertIsNone(slow.trailers)
        slow.drains()
        self.assertEqual(slow.taken, fast.taken)
        self.assertEqual(late.taken, fast.taken)
        self.assertIs(slow.trailers, EMPTY)

    def test_whoLeavesWhileItIsToldIsToldNoMore(self) -> None:
        """Nor are others disturbed that it sends away."""
        first, second = self.reads(), self.reads()

        def leave() -> None:
            first.source.release()
            second.source.release()

        first.onWrite = leave
        self.body.append(b"abc")
        self.assertEqual((first.taken, second.taken), (b"abc", b""))
        self.assertEqual(self.body.watchers, 0)
        self.body.end()
        self.assertEqual((first.trailers, second.trailers), (None, None))

    def test_aWriteMayBringMore(self) -> None:
        """What it takes is handed on in order, and not from inside the write."""
        client = self.reads()
        more = [b"de", b"f"]

        def write() -> None:
            if more:
                self.body.append(more.pop(0))

        client.onWrite = write
        self.body.append(b"abc")
        self.assertEqual(client.taken, b"abcdef")

    def test_whoIsTooSlowIsCutOff(self) -> None:
        """It lets the body go, and its client can tell."""
        client = self.reads(room=1)
        reading = client.source
        self.body.append(b"abc")
        self.body.append(b"def")
        self.assertEqual(self.body.readers, [reading])
        reading.cutOff()
        self.assertIsInstance(client.error, ContentGone)
        self.assertEqual((self.body.readers, self.body.watchers), ([], 0))
        reading.cutOff()
        self.body.append(b"ghi")
        self.assertEqual(client.taken, b"abc")

    def test_shorterThanTheClientWasTold(self) -> None:
        """A range that is not all there does not end as if it were."""
        self.body.append(b"0123")
        client = self.reads(start=2, stop=5)
        self.body.end(TRAILERS)
        self.assertEqual((client.taken, client.trailers), (b"23", None))
        self.assertIsInstance(client.error, ResponseIncomplete)
        self.assertEqual(self.body.readers, [])

    def test_releasedTwice(self) -> None:
        """As everybody who is done may say so."""
        client = self.reads()
        client.source.release()
        client.source.release()
        self.assertEqual(self.body.watchers, 0)

    @settings(max_examples=200, deadline=None)
    @given(
        sizes=strategies.lists(strategies.integers(0, 40000), max_size=12),
        spans=strategies.lists(
            strategies.tuples(
                strategies.integers(0, 12),
                strategies.integers(1, 60000),
                strategies.integers(0, 100000),
                strategies.integers(1, 100000),
            ),
            min_size=1,
            max_size=4,
        ),
    )
    def test_anyReaderGetsWhatItAskedFor(
        self, sizes: list[int], spans: list[tuple[int, int, int, int]]
    ) -> None:
        """Whenever it comes, whatever it takes at once, whichever octets it wants."""
        self.body = Body()
        content = b"".join(bytes([number]) * size for number, size in enumerate(sizes))
        readers: list[tuple[Client, bytes]] = []

        def come(when: int) -> None:
            for moment, room, start, length in spans:
                if moment == when or (when == len(sizes) and moment > when):
                    stop = min(start + length, len(content))
                    if start < stop:
                        readers.append((self.reads(room, start, stop), content[start:stop]))
                    readers.append((self.reads(room), content))

        for number, size in enumerate(sizes):
            come(number)
            self.body.append(bytes([number]) * size)
        self.body.end()
        come(len(sizes))
        for client, expected in readers:
            for _ in range(1 + len(expected)):
                if client.trailers is not None:
                    break
                client.drains(30000)
            self.assertEqual(client.taken, expected)
            self.assertIs(client.trailers, EMPTY)


class SectionsTests(FillingTestCase):
    """Several of a body, with something else between them."""

    def test_all(self) -> None:
        """In their order, whichever that is; then the end, without trailers."""
        self.body.append(b"0123456789")
        self.body.end(TRAILERS)
        client = self.readsSections([(b"<", 7, 9), (b"|", 0, 3), (b"|", 4, 5), (b">", 5, 5)])
        self.assertEqual(client.taken, b"<78|012|4>")
        self.assertIs(client.trailers, EMPTY)
        self.assertEqual(self.body.readers, [])

    def test_nothingBeforeItIsOpened(self) -> None:
        """Nor what stands before the first of them."""
        self.body = Body.of(b"0123456789")
        client = self.readsSections([(b"<", 7, 9), (b">", 9, 9)], opened=False)
        self.assertEqual(client.taken, b"")
        client.source.openBody()
        self.assertEqual(client.taken, b"<78>")

    def test_whatItWantsStill(self) -> None:
        """Is not only what is next: nobody may let go what a later one has."""
        self.body = Body.of(b"0123456789")
        client = self.readsSections(
            [(b"<", 7, 9), (b"|", 2, 3), (b"|", 4, 5), (b">", 5, 5)], Client(room=1), opened=False
        )
        found = [client.source.position]
        client.source.openBody()
        while client.trailers is None:
            found.append(client.source.position)
            client.drains(1)
        self.assertEqual(client.taken, b"<78|2|4>")
        self.assertEqual(found, [2, 2, 2, 2, 3, 4, 5, 5])

    def test_aClientThatIsFull(self) -> None:
        """Between two of them, too."""
        self.body = Body.of(b"0123456789")
        client = self.readsSections([(b"<", 0, 1), (b"|", 8, 9), (b">", 9, 9)], Client(room=2))
        self.assertEqual((client.taken, client.trailers), (b"<0", None))
        client.drains(1)
        self.assertEqual(client.taken, b"<0|")
        client.drains()
        self.assertEqual((client.taken, client.trailers), (b"<0|8>", EMPTY))

    def test_whatIsStillComing(self) -> None:
        """It waits; what it waits for does not wait for what it leaves out."""

        class Origin:
            """Notes who is how far."""

            def __init__(self, body: Body) -> None:
                self.body = body
                self.slowest: list[int] = []

            def balance(self) -> None:
                """See L{Filling.balance}."""
                self.slowest.append(self.body.slowest())

        origin = self.body.source = Origin(self.body)
        client = self.readsSections([(b"<", 1, 2), (b"|", 6, 8), (b">", 8, 8)])
        self.assertEqual((client.taken, client.flushed), (b"<", 1))
        self.body.append(b"0123")
        self.assertEqual((client.taken, client.flushed), (b"<1|", 3))
        self.assertEqual(origin.slowest[-1], 6)
        self.body.append(b"4567")
        self.assertEqual((client.taken, client.trailers), (b"<1|67>", EMPTY))

    def test_aFailure(self) -> None:
        """In the middle, and it is not whole."""
        self.body.append(b"0123")
        client = self.readsSections([(b"<", 1, 2), (b"|", 3, 8), (b">", 8, 8)])
        error = ResponseIncomplete("gone")
        self.body.fail(error)
        self.assertEqual((client.taken, client.trailers, client.error), (b"<1|3", None, error))
        self.assertEqual(self.body.readers, [])

    def test_whoLeavesBetweenTwo(self) -> None:
        """Gets no more."""
        self.body = Body.of(b"0123456789")
        client = self.readsSections([(b"<", 0, 1), (b"|", 8, 9), (b">", 9, 9)], opened=False)

        def leave() -> None:
            if client.taken.endswith(b"|"):
                client.source.release()

        client.onWrite = leave
        client.source.openBody()
        self.assertEqual((client.taken, client.trailers), (b"<0|", None))
        self.assertEqual(self.body.readers, [])


class Socket(Client):
    """
    A client whose connection sends files, when it is told to.

    @ivar sends: whether it can.
    @ivar asked: what it was asked for.
    """

    def __init__(self, room: int = 1 << 30) -> None:
        super().__init__(room)
        self.sends = True
        self.asked: list[tuple[int, int]] = []
        self.under: tuple[int, int, int] | None = None
        self.bring: Any = None

    def write(self, piece: bytes) -> None:
        """Not into the middle of a file."""
        assert self.under is None
        super().write(piece)

    def sendFile(self, descriptor: int, start: int, stop: int, bring: Any = None) -> bool:
        """See L{IDownstream.sendFile}."""
        assert self.under is None
        self.asked.append((start, stop))
        self.bring = bring
        if self.sends:
            self.flush()
            self.under = descriptor, start, stop
        return self.sends

    def fail(self, error: IntermediaryError) -> None:
        """No more of the file is sent."""
        self.under = None
        super().fail(error)

    def sent(self) -> None:
        """The kernel has it."""
        assert self.under is not None
        descriptor, start, stop = self.under
        self.under = None
        self.taken += os.pread(descriptor, stop - start, start)
        self.source.fileSent()


class Disk:
    """What a file asks of its store."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.reads = 0
        self.readAhead = ReadAhead(self.inThread, Clock())

    def opened(self, file: StoredFile) -> Deferred[int]:
        """Open it."""
        return succeed(os.open(self.path, os.O_RDONLY))

    def inThread(self, function: Any, *arguments: Any) -> Deferred[Any]:
        """Call it."""
        self.reads += 1
        return maybeDeferred(function, *arguments)

    def closing(self, descriptor: int) -> None:
        """Close it."""
        os.close(descriptor)


class SendingTests(FillingTestCase):
    """Content that is in a file alone, and much of it."""

    content = os.urandom(5 * SENT_OCTETS + 9)

    def setUp(self) -> None:
        super().setUp()
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(self.content)
        self.disk = Disk(path)
        disk: Any = self.disk
        self.file = StoredFile(disk, "f", len(self.content), TRAILERS)
        self.body = Body.within(self.file)
        # As a visit has it.
        self.successResultOf(self.file.open())

    def reads(
        self, room: int = 1 << 30, start: int = 0, stop: int = -1, *, opened: bool = True
    ) -> Any:
        """A client whose connection sends files reads the body."""
        client = Socket(room)
        exchange = self.exchange(client)
        source: Any = Reading(self.engine, exchange, self.body, start, stop)
        client.source = exchange.lease = source
        if opened:
            source.openBody()
            self.file.drop()
        return client

    def test_allOfIt(self) -> None:
        """The kernel sends it, and the file is open as long as it does."""
        client = self.reads()
        self.assertEqual(client.asked, [(0, len(self.content))])
        self.assertIsNone(client.trailers)
        self.assertTrue(self.file.isOpen)
        client.sent()
        self.assertTrue(client.taken == self.content)
        self.assertIs(client.trailers, TRAILERS)
        self.assertFalse(self.file.isOpen)
        self.assertEqual(self.disk.reads, 0)

    def test_whatIsNotInMemory(self) -> None:
        """A thread reads it for the connection, from the same file."""
        client = self.reads()
        told: list[bool] = []
        client.bring(0, 1000, lambda: told.append(self.file.isOpen))
        self.assertEqual((told, self.disk.reads), ([True], 1))
        client.sent()
        self.assertFalse(self.file.isOpen)

    def test_ranges(self) -> None:
        """Of them, too; what is short is written."""
        size = len(self.content)
        for start, stop in ((0, SENT_OCTETS), (7, size - 3), (size - SENT_OCTETS, size)):
            client = self.reads(start=start, stop=stop)
            self.assertEqual(client.asked, [(start, stop)])
            client.sent()
            self.assertTrue(client.taken == self.content[start:stop])
            self.assertIs(client.trailers, EMPTY)
            self.successResultOf(self.file.open())
        client = self.reads(start=5, stop=4 + SENT_OCTETS)
        self.assertEqual(client.asked, [])
        self.assertTrue(client.taken == self.content[5 : 4 + SENT_OCTETS])
        self.assertFalse(self.file.isOpen)

    def test_aConnectionThatCannot(self) -> None:
        """It is written, piece by piece."""
        client = self.reads(opened=False)
        client.sends = False
        client.source.openBody()
        self.file.drop()
        self.assertTrue(client.taken == self.content)
        self.assertIs(client.trailers, TRAILERS)
        self.assertFalse(self.file.isOpen)

    def test_aFilterWantsToSeeIt(self) -> None:
        """What changes content gets it."""
        client = self.reads(opened=False)
        behind = Client()
        exchange = client.source._exchange
        sink: Any = behind
        exchange.sink = sink
        client.source.openBody()
        self.file.drop()
        self.assertEqual(client.asked, [])
        self.assertTrue(behind.taken == self.content)

    def test_notWhileItIsBeingWritten(self) -> None:
        """What comes is in memory, and a file that is short of it might end too early."""
        self.file.complete = False
        client = self.reads()
        self.assertEqual(client.asked, [])
        self.assertTrue(client.taken == self.content)

    def test_nothingElseMeanwhile(self) -> None:
        """Neither by a pause that is over, nor as the body says something."""
        client = self.reads()
        client.source.pauseBody("x")
        client.source.resumeBody("x")
        client.source.grown()
        client.source.openBody()
        self.assertEqual((client.taken, len(client.asked)), (b"", 1))
        client.sent()
        self.assertTrue(client.taken == self.content)

    def test_aClientThatIsFullAfterIt(self) -> None:
        """The end waits until it is not."""
        client = self.reads()
        client.source.pauseBody("full")
        client.sent()
        self.assertIsNone(client.trailers)
        client.drains()
        self.assertIs(client.trailers, TRAILERS)

    def test_whatIsInMemoryBehindIt(self) -> None:
        """Is written when the file has left."""
        self.body = Body()
        self.body.file = self.file
        self.body.append(self.content)
        self.body.shed(len(self.content))
        self.body.append(b"more")
        self.body.end()
        client = self.reads()
        self.assertEqual(client.asked, [(0, len(self.content))])
        client.sent()
        self.assertTrue(client.taken == self.content + b"more")

    def test_sections(self) -> None:
        """Long ones are sent and short ones written, each behind what stands before it."""
        size = len(self.content)
        client = self.readsSections(
            [
                (b"<", size - SENT_OCTETS, size),
                (b"|", 3, 9),
                (b"|", 100, 100 + SENT_OCTETS),
                (b">", 0, 0),
            ],
            Socket(),
        )
        self.file.drop()
        self.assertEqual((client.taken, client.flushed), (b"<", 1))
        self.assertEqual(client.asked, [(size - SENT_OCTETS, size)])
        client.sent()
        # Up to the second one that is long, which has begun.
        before = b"<" + self.content[-SENT_OCTETS:] + b"|" + self.content[3:9] + b"|"
        self.assertTrue(client.taken == before)
        self.assertEqual(client.asked[1:], [(100, 100 + SENT_OCTETS)])
        self.assertTrue(self.file.isOpen)
        client.sent()
        self.assertTrue(client.taken == before + self.content[100 : 100 + SENT_OCTETS] + b">")
        self.assertIs(client.trailers, EMPTY)
        self.assertEqual((self.disk.reads, self.file.isOpen), (1, False))

    def test_sectionsOverAConnectionThatCannot(self) -> None:
        """All of them are read, a piece at a time, as the client takes them."""
        size = len(self.content)
        client = Socket(room=1)
        client.sends = False
        self.readsSections([(b"<", 9, size), (b"|", 0, 7), (b">", 7, 7)], client)
        self.file.drop()
        pieces = []
        while client.trailers is None:
            before = len(client.taken)
            client.drains(1)
            pieces.append(len(client.taken) - before)
        self.assertTrue(client.taken == b"<" + self.content[9:] + b"|" + self.content[:7] + b">")
        self.assertLessEqual(max(pieces), FILE_OCTETS)
        self.assertFalse(self.file.isOpen)

    def test_aFileThatBecameShorter(self) -> None:
        """Between two sections: what is sent is not whole, and the client can tell."""
        size = len(self.content)
        client = Socket(room=1)
        self.readsSections([(b"<", 0, 5), (b"|", size - 5, size), (b">", size, size)], client)
        self.file.drop()
        os.truncate(self.disk.path, size - 5)
        client.drains()
        self.assertEqual((client.taken, client.trailers), (b"<" + self.content[:5] + b"|", None))
        self.assertIsInstance(client.error, ResponseIncomplete)
        self.assertFalse(self.file.isOpen)

    def test_theEndInTheMiddle(self) -> None:
        """Whoever ends it: the file is closed, and the connection is told at once."""
        client = self.reads()
        self.engine.fail(client.source._exchange, ResponseIncomplete("x"))
        self.assertIsNotNone(client.error)
        self.assertFalse(self.file.isOpen)
        self.successResultOf(self.file.open())
        client = self.reads()
        client.source.cutOff()
        self.assertIsInstance(client.error, ContentGone)
        self.assertFalse(self.file.isOpen)

    def test_eachHasItOpen(self) -> None:
        """One that leaves does not close it for another."""
        first = self.reads()
        self.file.take()
        second = self.reads()
        first.connected = False
        self.engine.fail(first.source._exchange, ClientGone("x"))
        self.assertTrue(self.file.isOpen)
        second.sent()
        self.assertTrue(second.taken == self.content)
        self.assertFalse(self.file.isOpen)
