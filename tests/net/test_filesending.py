# -*- test-case-name: tests.net.test_filesending -*-
# mypy: disallow-untyped-calls=False
"""
Content that the kernel takes from a file: on real sockets, turned by hand.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from intermediary.exchange import Reply
from intermediary.interfaces import IFilePart, IFileSource
from intermediary.net import filesending
from intermediary.net.filesending import PORTION_OCTETS, FileSending, isSendable
from intermediary.ops.endpoints import ReverseProxyFactory, makePool
from intermediary.program import DELIVER
from intermediary.settings import ReverseSettings, RouteSettings, Timeouts, UpstreamSettings
from intermediary.wire.message import CHUNKED, UNTIL_CLOSE

from ..scenario import GET, Scenario
from .loopback import LoopbackTestCase, openDescriptors

if TYPE_CHECKING:
    from collections.abc import Callable

    from intermediary.exchange import Exchange
    from intermediary.net.transport import EagerServer

LENGTH = 3 * PORTION_OCTETS + 17
CONTENT = bytes(range(251)) * (LENGTH // 251) + b"x" * (LENGTH % 251)


class FileTestCase(LoopbackTestCase):
    """Tests with a file, and a peer that reads when it is told to."""

    def setUp(self) -> None:
        """Make the file."""
        super().setUp()
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(CONTENT)
        self.path = path
        self.descriptor = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, self.descriptor)
        self.heard = b""
        self.ended = False

    def read(self, most: int = 1 << 24) -> bytes:
        """Let the peer read what there is; gives all that it ever read."""
        try:
            while most > 0 and (data := self.peer.recv(min(most, 1 << 20))):
                self.heard += data
                most -= len(data)
            self.ended = most > 0
        except BlockingIOError:
            pass
        except ConnectionResetError:
            self.ended = True
        return self.heard

    def reset(self) -> None:
        """Let the peer go away at once."""
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.peer.close()

    peer: socket.socket


class FileSendingTestCase(FileTestCase):
    """Tests of a L{FileSending} and its transport."""

    def setUp(self) -> None:
        """Make a connection with small buffers, and note what is said."""
        super().setUp()
        self.use(*self.connect(buffer=8192))
        self.moved = 0
        self.done: list[str] = []

    def use(self, sink: EagerServer, protocol: Any, peer: socket.socket) -> None:
        """Send by this connection."""
        self.sink, self.protocol, self.peer = sink, protocol, peer
        peer.settimeout(0)

    def move(self, octets: int) -> None:
        """Count octets."""
        self.assertGreater(octets, 0)
        self.moved += octets

    def sending(self, start: int = 0, stop: int = LENGTH) -> FileSending:
        """Begin one."""
        self.assertTrue(isSendable(self.sink))
        sending = FileSending(self.sink, self.descriptor, start, stop, self.move, self.done.append)
        sending.begin()
        return sending

    def fails(self, code: int) -> None:
        """Have the system refuse to send."""

        def sendfile(*arguments: int) -> int:
            raise OSError(code, os.strerror(code))

        self.patch(os, "sendfile", sendfile)


class FileSendingTests(FileSendingTestCase):
    """What is in memory."""

    def test_everything(self) -> None:
        """Octet by octet and counted; the transport is then as before."""
        sending = self.sending()
        self.assertIs(self.sink.inflow, sending)
        self.assertEqual(sending.held + self.moved, LENGTH)
        self.until(lambda: self.read() and self.done)
        self.until(lambda: len(self.read()) == LENGTH)
        self.assertTrue(self.heard == CONTENT)
        self.assertEqual((self.moved, self.done), (LENGTH, [""]))
        self.assertIsNone(self.sink.inflow)
        self.assertNotIn(self.sink, self.reactor.getWriters())
        self.sink.write(b"more")
        self.until(lambda: self.read().endswith(b"more"))

    def test_aPart(self) -> None:
        """From one octet to before another."""
        self.sending(5, 1000)
        self.until(lambda: self.done)
        self.until(lambda: len(self.read()) >= 995)
        self.assertEqual(self.heard, CONTENT[5:1000])

    def test_nothing(self) -> None:
        """It is done with the next turn, too."""
        self.sending(7, 7)
        self.assertEqual(self.done, [])
        self.until(lambda: self.done)
        self.assertEqual((self.moved, self.done, self.read()), (0, [""], b""))

    def test_itIsSentAtOnceAndToldLater(self) -> None:
        """Whoever begins it is not called back before it has returned."""
        self.sending(0, 100)
        self.assertEqual((self.moved, self.done), (100, []))
        self.turn()
        self.assertEqual(self.done, [""])

    def test_aTurnSendsAPortion(self) -> None:
        """A client that takes all at once does not keep the others waiting."""
        sizes: list[int] = []

        def sendfile(out: int, descriptor: int, offset: int, count: int) -> int:
            sizes.append(count)
            return count

        self.patch(os, "sendfile", sendfile)
        self.sending()
        self.turn(3)
        self.assertEqual(sizes, [PORTION_OCTETS] * 3 + [17])
        self.assertEqual(self.done, [""])

    def test_whatWasQueuedBeforeGoesFirst(self) -> None:
        """In order, as written."""
        before = b"y" * 2_000_000
        self.sink.write(before)
        self.assertTrue(self.sink.queuedOctets())
        self.sending()
        self.assertEqual(self.moved, 0)
        self.until(lambda: len(self.read()) == len(before) + LENGTH)
        self.assertTrue(self.heard == before + CONTENT)

    def test_oneAfterTheOther(self) -> None:
        """Another may begin as soon as one is done, and so may writes."""
        told: list[int] = []

        def done(error: str) -> None:
            self.assertEqual(error, "")
            told.append(len(told))
            if len(told) == 1:
                FileSending(self.sink, self.descriptor, 10, LENGTH, self.move, done).begin()
            else:
                self.sink.write(b"end")

        FileSending(self.sink, self.descriptor, 0, LENGTH, self.move, done).begin()
        self.until(lambda: len(self.read()) == 2 * LENGTH - 10 + 3)
        self.assertTrue(self.heard == CONTENT + CONTENT[10:] + b"end")
        self.assertEqual(told, [0, 1])

    def test_aWriteMeanwhileIsRefused(self) -> None:
        """It would fall into the middle."""
        self.sending()
        self.assertRaises(RuntimeError, self.sink.write, b"x")

    def test_whatIsLeftCountsAsUnsent(self) -> None:
        """A peer that takes something is seen to, whatever the kernel holds of it."""
        self.sending()
        before = self.sink.unsentOctets()
        self.assertGreater(before, self.sink.queuedOctets())
        while self.sink.unsentOctets() == before:
            self.read(4096)
            self.turn()
        self.assertLess(self.sink.unsentOctets(), before)

    def test_aPeerThatResets(self) -> None:
        """The protocol is told, nothing else."""
        self.sending()
        self.reset()
        self.until(lambda: self.protocol.reason)
        self.assertIsNotNone(self.protocol.reason.check(ConnectionLost))
        self.assertEqual(self.done, [])
        self.assertIsNone(self.sink.inflow)
        self.sink.write(b"nothing happens")

    def test_aPeerThatResetBefore(self) -> None:
        """The error of the first octets is told by the reactor, too."""
        for code in (errno.EPIPE, errno.ETIMEDOUT, errno.EHOSTUNREACH):
            self.use(*self.connect())
            self.fails(code)
            self.sending()
            self.assertEqual(self.protocol.told, [])
            self.until(lambda: self.protocol.reason)
            self.assertIsNotNone(self.protocol.reason.check(ConnectionLost))
        self.assertEqual(self.done, [])

    def test_aFileThatCannotBeRead(self) -> None:
        """It is the file's fault then, and the connection is as before."""
        self.sending()
        self.fails(errno.EIO)
        self.until(lambda: self.read() and self.done)
        self.assertEqual(self.done, ["the file can't be read: Input/output error"])
        self.assertTrue(self.sink.ready)
        self.done.clear()
        self.sending()
        self.assertEqual(self.done, [])
        self.until(lambda: self.done)

    def test_aFileSystemThatCannotSendFiles(self) -> None:
        """The octets are copied, then; also when something was queued before."""
        for code in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            for before in (b"", b"y" * 2_000_000):
                self.use(*self.connect(buffer=8192))
                self.fails(code)
                self.moved, self.heard = 0, b""
                self.done.clear()
                self.sink.write(before)
                self.sending(3)
                self.until(lambda: self.read() and self.done)
                while len(self.read()) < len(before) + LENGTH - 3:
                    self.turn()
                self.assertTrue(self.heard == before + CONTENT[3:])
                self.assertEqual((self.moved, self.done), (LENGTH - 3, [""]))

    def test_aFileThatIsCopiedAndBecameShorter(self) -> None:
        """The same as if it were not."""
        self.fails(errno.EINVAL)
        self.sending()
        os.truncate(self.path, LENGTH - 9)
        self.until(lambda: self.read() and self.done)
        self.assertEqual(self.done, ["the file ends 9 octets too early"])

    def test_aPeerThatResetsWhatIsCopied(self) -> None:
        """It is not the file's fault."""
        self.fails(errno.EINVAL)
        self.sending()
        self.reset()
        self.until(lambda: self.protocol.reason)
        self.assertEqual(self.done, [])

    def test_aFileThatBecameShorter(self) -> None:
        """What is missing is told, and what is there was sent."""
        self.sending()
        os.truncate(self.path, LENGTH - 9)
        self.until(lambda: self.read() and self.done)
        self.assertEqual(self.done, ["the file ends 9 octets too early"])
        self.until(lambda: len(self.read()) == LENGTH - 9)

    def test_stop(self) -> None:
        """It sends and says no more, and the transport is as before."""
        sending = self.sending()
        sending.stop()
        moved = self.moved
        self.assertTrue(self.sink.ready)
        self.until(lambda: len(self.read()) == moved)
        self.turn(3)
        self.assertEqual((self.moved, self.done), (moved, []))
        self.assertTrue(sending.drain())

    def test_anAbort(self) -> None:
        """The file is let go at once, and what is written afterwards is nothing."""
        self.sending()
        self.sink.abortConnection()
        self.assertIsNone(self.sink.inflow)
        self.assertFalse(self.sink.ready)
        moved = self.moved
        self.until(lambda: self.protocol.reason)
        self.assertEqual((self.moved, self.done), (moved, []))

    def test_theConnectionClosesAfterIt(self) -> None:
        """As after what was written."""
        self.sending()
        self.sink.loseConnection()
        self.until(lambda: self.read() and self.ended)
        self.assertTrue(self.heard == CONTENT)
        self.assertEqual(self.done, [""])

    def test_whereItCanBe(self) -> None:
        """To plain eager transports that take writes, one at a time."""
        self.assertTrue(isSendable(self.sink))
        self.assertFalse(isSendable(None))
        sending = self.sending()
        self.assertFalse(isSendable(self.sink))
        self.assertIn(f"at {self.moved}, {LENGTH - self.moved} held", repr(sending))
        sending.stop()
        self.patch(filesending, "AVAILABLE", False)
        self.assertFalse(isSendable(self.sink))
        self.patch(filesending, "AVAILABLE", True)
        self.sink.TLS = True
        self.assertFalse(isSendable(self.sink))
        self.sink.TLS = False
        self.sink.abortConnection()
        self.assertFalse(isSendable(self.sink))


class Pages:
    """
    What of a file is in memory, as the test says.

    @ivar cold: octets that are not.
    @ivar looked: which ones were asked about.
    @ivar brought: what was to be brought, until it is.
    @ivar cancelled: how often nobody wanted it any more.
    """

    def __init__(self) -> None:
        self.cold: set[int] = set()
        self.looked: list[int] = []
        self.brought: list[tuple[int, int, Callable[[], None]]] = []
        self.cancelled = 0
        self.refusal: OSError | None = None

    def preadv(self, descriptor: int, buffers: list[bytearray], offset: int, flags: int) -> int:
        """Stand in for C{preadv(2)}."""
        self.looked.append(offset)
        if self.refusal is not None:
            raise self.refusal
        if offset in self.cold:
            raise BlockingIOError(errno.EAGAIN, "not here")
        return 1 if offset < os.fstat(descriptor).st_size else 0

    def bring(self, start: int, stop: int, told: Callable[[], None]) -> Pages:
        """Be asked for some."""
        self.brought.append((start, stop, told))
        return self

    def cancel(self) -> None:
        """Be told that it is not wanted any more."""
        self.cancelled += 1
        self.brought.clear()

    def arrive(self) -> None:
        """They are here."""
        [(start, stop, told)] = self.brought
        self.cold = {each for each in self.cold if not start <= each < stop}
        self.brought.clear()
        told()


class ColdTests(FileSendingTestCase):
    """What is not in memory is brought there before it is sent."""

    def setUp(self) -> None:
        """Look at pages that the test has."""
        super().setUp()
        self.pages = Pages()
        self.patch(os, "preadv", self.pages.preadv)

    def sending(self, start: int = 0, stop: int = LENGTH) -> FileSending:
        """Begin one."""
        sending = FileSending(
            self.sink,
            self.descriptor,
            start,
            stop,
            self.move,
            self.done.append,
            self.pages.bring,
        )
        sending.begin()
        return sending

    def test_whatIsInMemoryIsSentAtOnce(self) -> None:
        """That costs one look for each portion."""
        self.sending()
        self.assertGreater(self.moved, 0)
        self.until(lambda: self.read() and self.done)
        self.assertTrue(self.heard.endswith(CONTENT[-17:]))
        looked = [PORTION_OCTETS - 1, 2 * PORTION_OCTETS - 1, 3 * PORTION_OCTETS - 1, LENGTH - 1]
        self.assertEqual(self.pages.looked, looked)
        self.assertEqual(self.pages.brought, [])

    def test_whatIsNotWaits(self) -> None:
        """Everybody else does not: the reactor is not even asked to write."""
        first, second, third = (number * PORTION_OCTETS for number in (1, 2, 3))
        self.pages.cold = {first - 1, second - 1, LENGTH - 1}
        sending = self.sending()
        for start, stop in ((0, first), (first, second), (third, LENGTH)):
            self.until(lambda: self.pages.brought or self.read() is None)
            self.assertEqual(self.moved, start)
            self.assertEqual(self.pages.brought[0][:2], (start, stop))
            self.assertTrue(sending.waits)
            self.assertNotIn(self.sink, self.reactor.getWriters())
            self.turn(3)
            self.assertEqual(self.moved, start)
            self.pages.arrive()
            self.assertFalse(sending.waits)
        self.until(lambda: self.read() and self.done)
        self.until(lambda: len(self.read()) == LENGTH)
        self.assertTrue(self.heard == CONTENT)
        self.assertEqual((self.moved, self.done, self.pages.cancelled), (LENGTH, [""], 0))

    def test_whatWasBroughtIsNotLookedAtAgain(self) -> None:
        """Or an evil page that never stays would keep it from going on."""
        self.pages.cold = {99}
        self.sending(0, 100)
        [(_, _, told)] = self.pages.brought
        told()
        self.until(lambda: self.done)
        self.assertEqual((self.moved, self.pages.looked), (100, [99]))

    def test_whatWasQueuedBefore(self) -> None:
        """Leaves meanwhile."""
        before = b"y" * 2_000_000
        self.sink.write(before)
        self.pages.cold = {99}
        self.sending(0, 100)
        self.assertEqual(self.pages.looked, [])
        self.until(lambda: self.read() and self.pages.brought)
        self.until(lambda: len(self.read()) == len(before))
        self.assertNotIn(self.sink, self.reactor.getWriters())
        self.pages.arrive()
        self.until(lambda: self.done)
        self.until(lambda: self.read() == before + CONTENT[:100])

    def test_oneAfterTheOther(self) -> None:
        """The second one may have to wait as well as the first."""
        self.pages.cold = {199}

        def done(error: str) -> None:
            FileSending(
                self.sink, self.descriptor, 100, 200, self.move, self.done.append, self.pages.bring
            ).begin()

        FileSending(self.sink, self.descriptor, 0, 100, self.move, done, self.pages.bring).begin()
        self.until(lambda: self.pages.brought)
        self.turn(3)
        self.assertNotIn(self.sink, self.reactor.getWriters())
        self.pages.arrive()
        self.until(lambda: self.done)
        self.until(lambda: self.read() == CONTENT[:200])

    def test_whereItCannotBeTold(self) -> None:
        """It is asked once, and all goes on as where nobody could bring it."""
        for code in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.EIO):
            self.use(*self.connect())
            self.pages.refusal = OSError(code, os.strerror(code))
            self.pages.looked.clear()
            self.heard, self.moved = b"", 0
            self.done.clear()
            self.sending()
            self.until(lambda: self.read() and self.done)
            self.assertEqual(self.done, [""])
            self.assertEqual(self.pages.looked, [PORTION_OCTETS - 1])
            self.assertEqual(self.pages.brought, [])

    def test_whereNobodyCanBringIt(self) -> None:
        """Nobody looks."""
        super().sending()
        self.until(lambda: self.read() and self.done)
        self.assertEqual(self.pages.looked, [])

    def test_whatIsCopied(self) -> None:
        """Is looked at as well (file systems without C{sendfile})."""
        self.fails(errno.EINVAL)
        self.pages.cold = {99}
        self.sending(0, 100)
        self.turn(2)
        self.assertEqual(self.moved, 0)
        self.pages.arrive()
        self.until(lambda: self.read() == CONTENT[:100] and self.done)

    def test_aFileThatBecameShorter(self) -> None:
        """What is not there can't be brought."""
        os.truncate(self.path, 50)
        self.sending(0, 100)
        self.until(lambda: self.read() and self.done)
        self.assertEqual(self.pages.brought, [])
        self.assertEqual(self.done, ["the file ends 50 octets too early"])

    def test_aPeerThatResets(self) -> None:
        """Nobody wants it any more; the end of the reading comes too late for anything."""
        self.pages.cold = {99}
        self.sending(0, 100)
        [(_, _, told)] = self.pages.brought
        self.reset()
        self.until(lambda: self.protocol.reason)
        self.assertEqual(self.pages.cancelled, 1)
        told()
        self.turn(2)
        self.assertEqual((self.moved, self.done), (0, []))

    def test_stop(self) -> None:
        """It is not wanted any more, and the transport is as before."""
        self.pages.cold = {99}
        sending = self.sending(0, 100)
        sending.stop()
        self.assertEqual(self.pages.cancelled, 1)
        self.assertTrue(self.sink.ready)
        self.turn(2)
        self.assertNotIn(self.sink, self.reactor.getWriters())
        self.sink.write(b"more")
        self.until(lambda: self.read() == b"more")
        self.assertEqual((self.moved, self.done), (0, []))

    def test_anAbort(self) -> None:
        """At once."""
        self.pages.cold = {99}
        self.sending(0, 100)
        self.sink.abortConnection()
        self.assertEqual(self.pages.cancelled, 1)
        self.until(lambda: self.protocol.reason)
        self.assertEqual((self.moved, self.done), (0, []))

    def test_theConnectionClosesAfterIt(self) -> None:
        """It waits for what is brought, without turning round and round."""
        self.pages.cold = {99}
        self.sending(0, 100)
        self.sink.loseConnection()
        self.turn(3)
        self.assertNotIn(self.sink, self.reactor.getWriters())
        self.assertIsNone(self.protocol.reason)
        self.pages.arrive()
        self.until(lambda: self.read() and self.ended)
        self.assertEqual((self.heard, self.done), (CONTENT[:100], [""]))

    def test_theConnectionClosesAfterAStop(self) -> None:
        """Whoever had put that off has it done."""
        self.pages.cold = {99}
        sending = self.sending(0, 100)
        self.sink.loseConnection()
        self.turn(2)
        sending.stop()
        self.until(lambda: self.protocol.reason)
        self.assertEqual(self.pages.cancelled, 1)


@implementer(IFileSource)
class Source:
    """Where the content of one reply comes from."""

    reused = False

    def __init__(self, exchange: Exchange, descriptor: int, parts: list[Any]) -> None:
        self.exchange = exchange
        self.descriptor = descriptor
        self.parts = parts
        self.told: list[str] = []
        self.bring: Any = None

    def openBody(self) -> None:
        """Send the first part."""
        self.next()

    def pauseBody(self, reason: str) -> None:
        """Note it."""
        self.told.append("pause")

    def resumeBody(self, reason: str) -> None:
        """Note it."""
        self.told.append("resume")

    def next(self) -> None:
        """Send what is next."""
        downstream = self.exchange.downstream
        while self.parts:
            part = self.parts.pop(0)
            if isinstance(part, bytes):
                downstream.write(part)
            elif downstream.sendFile(self.descriptor, part[0], part[1], self.bring):
                self.told.append("yes")
                return
            else:
                self.told.append("no")
                downstream.write(CONTENT[slice(*part)])
        downstream.end(None)

    def fileSent(self) -> None:
        """Go on."""
        self.told.append("sent")
        self.next()

    def release(self) -> None:
        """Note it."""
        self.told.append("released")


class Disk:
    """Answers requests by parts of a file."""

    framing = LENGTH

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.sources: list[Source] = []
        self.bring: Any = None
        self.parts: list[Any] = [(0, LENGTH)]

    def onRequest(self, exchange: Exchange) -> Any:
        """Answer."""
        source: Any = Source(exchange, self.descriptor, self.parts.copy())
        source.bring = self.bring
        self.sources.append(source)
        exchange.reply = Reply(200, body=None, framing=self.framing)
        exchange.lease = source
        return DELIVER


class FrontTestCase(FileTestCase):
    """
    A client of a front.

    @ivar records: the exchanges that have ended.
    """

    front: ReverseProxyFactory
    downstream: Any
    transport: Any

    def serve(self, component: Any) -> None:
        """Make a front that a component answers for."""
        self.records: list[Any] = []
        pool = makePool(self.reactor)
        self.addCleanup(pool.close)
        web = UpstreamSettings(name="web", servers=("http://127.0.0.1:1",))
        self.front = ReverseProxyFactory(
            self.reactor,
            ReverseSettings(
                name="site",
                routes=(RouteSettings(upstream=web),),
                timeouts=Timeouts(betweenBytesSeconds=0.2, idleSeconds=60),
            ),
            pool=pool,
            accessLog=self,  # type: ignore[arg-type]
            components=[component],
        )

    def dial(self, buffer: int = 0) -> None:
        """Connect a client."""
        self.downstream = self.front.buildProtocol(IPv4Address("TCP", "127.0.0.1", 2))
        self.transport, _, self.peer = self.connect(self.downstream, buffer=buffer)
        self.peer.settimeout(0)

    def record(self, exchange: Any) -> None:
        """Be the access log."""
        self.records.append(exchange)


class ReplyTests(FrontTestCase):
    """A client that is sent files."""

    def setUp(self) -> None:
        """Make a front, and a client."""
        super().setUp()
        self.disk = Disk(self.descriptor)
        self.serve(self.disk)
        self.dial(8192)

    def ask(self, times: int = 1) -> None:
        """Send requests, all at once."""
        self.peer.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * times)
        self.until(lambda: self.disk.sources)

    def test_theSourceIsOne(self) -> None:
        """It keeps to the contract."""
        self.ask()
        verifyObject(IFileSource, self.disk.sources[0])

    def test_repliesFollowEachOther(self) -> None:
        """Pipelined requests wait, and the connection goes on."""
        self.ask(2)
        self.turn(3)
        self.assertEqual(len(self.disk.sources), 1)
        self.until(lambda: self.read().count(CONTENT) == 2)
        self.until(lambda: len(self.records) == 2)
        self.ask()
        self.until(lambda: self.read().count(CONTENT) == 3)
        self.assertEqual(self.heard.count(b"HTTP/1.1 200 OK\r\n"), 3)
        self.assertEqual(self.heard.count(b"Content-Length: %d\r\n" % LENGTH), 3)
        self.until(lambda: len(self.records) == 3)
        self.assertEqual([each.octetsOut for each in self.records], [LENGTH] * 3)
        self.assertEqual([each.outcome for each in self.records], [""] * 3)
        for source in self.disk.sources:
            self.assertEqual(source.told, ["yes", "sent", "released"])
        self.assertTrue(self.transport.ready)

    def test_smallFiles(self) -> None:
        """Many of them, each with the kernel at once."""
        self.disk.framing = 100
        self.disk.parts = [(0, 100)]
        self.ask(50)
        self.until(lambda: self.read().count(CONTENT[:100]) == 50)
        self.until(lambda: len(self.records) == 50)
        self.assertEqual({each.octetsOut for each in self.records}, {100})

    def test_partsBetweenWrites(self) -> None:
        """What is written before leaves before, without a flush."""
        self.disk.framing = 3 + LENGTH + 3 + 10
        self.disk.parts = [b"abc", (0, LENGTH), b"def", (5, 15)]
        self.ask()
        wanted = b"\r\n\r\nabc" + CONTENT + b"def" + CONTENT[5:15]
        self.until(lambda: self.read().endswith(wanted))
        self.until(lambda: self.records)
        self.assertEqual(self.records[0].octetsOut, self.disk.framing)

    def test_afterAQueue(self) -> None:
        """A client that was slow already gets what was queued before; nobody is paused for good."""
        before = b"y" * 300_000
        self.disk.framing = len(before) + LENGTH
        self.disk.parts = [before, (0, LENGTH)]
        self.ask(2)
        self.turn(3)
        self.until(lambda: self.read().count(CONTENT) == 2)
        self.until(lambda: len(self.records) == 2)
        self.assertEqual(self.disk.sources[0].told, ["pause", "yes", "sent", "released"])
        self.assertEqual([each.outcome for each in self.records], ["", ""])

    def test_chunkedContentIsWritten(self) -> None:
        """Something has to be put between its octets."""
        self.disk.framing = CHUNKED
        self.ask()
        self.until(lambda: self.read().endswith(b"\r\n0\r\n\r\n"))
        self.assertEqual(self.disk.sources[0].told[0], "no")

    def test_contentUntilTheEnd(self) -> None:
        """An old client gets it without chunks, and then the end."""
        self.disk.framing = UNTIL_CLOSE
        self.peer.sendall(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        self.until(lambda: self.read() and self.ended)
        self.assertTrue(self.heard.endswith(b"\r\n\r\n" + CONTENT))
        self.assertEqual(self.disk.sources[0].told, ["yes", "sent", "released"])

    def test_aClientThatGoesAway(self) -> None:
        """The exchange fails, and the file is nobody's business any more."""
        before = openDescriptors()
        self.ask()
        self.until(lambda: self.read(10_000))
        self.reset()
        self.until(lambda: self.records)
        self.assertEqual(self.records[0].outcome, "client_gone")
        self.assertLess(self.records[0].octetsOut, LENGTH)
        self.assertEqual(self.disk.sources[0].told, ["yes", "released"])
        self.assertEqual(self.front.connections, 0)
        self.assertEqual(openDescriptors(), before - 2)

    def test_aClientThatTakesNothing(self) -> None:
        """It is dropped after C{between-bytes} seconds."""
        self.ask()
        self.until(lambda: self.records)
        self.assertEqual(self.records[0].outcome, "client_gone")
        self.assertEqual(self.records[0].error.detail, "it took nothing for too long")
        self.assertEqual(self.disk.sources[0].told, ["yes", "released"])

    def test_aClientThatIsSlow(self) -> None:
        """It is not, as long as it takes something."""
        self.disk.framing = 200_000
        self.disk.parts = [(0, 200_000)]
        begun = self.reactor.seconds()
        self.ask()
        while self.reactor.seconds() < begun + 2.5:
            self.read(500)
            self.reactor.iterate(0.02)
        self.assertEqual(self.records, [])
        self.assertFalse(self.ended)
        self.until(lambda: self.read() and self.records)
        self.assertEqual(self.records[0].outcome, "")
        self.assertEqual(self.records[0].octetsOut, 200_000)

    def test_nobodyIsHurriedWhileTheSourceIsSlow(self) -> None:
        """What the client has taken it can't be blamed for."""
        self.disk.framing = 10 + 3
        self.disk.parts = [(0, 10)]
        self.ask()
        source = self.disk.sources[0]
        self.patch(source, "fileSent", lambda: source.told.append("sent"))
        self.until(lambda: source.told == ["yes", "sent"])
        begun = self.reactor.seconds()
        while self.reactor.seconds() < begun + 1.5:
            self.reactor.iterate(0.05)
        self.assertEqual(self.records, [])
        source.parts = [b"end"]
        source.next()
        self.until(lambda: self.read().endswith(CONTENT[:10] + b"end"))

    def test_aDiskThatTakesTooLong(self) -> None:
        """It is not the client who took nothing: it is told that there will be no more."""
        pages = Pages()
        self.patch(os, "preadv", pages.preadv)
        self.disk.bring = pages.bring
        pages.cold = {2 * PORTION_OCTETS - 1}
        self.ask()
        self.until(lambda: self.read() and pages.brought)
        self.assertEqual(self.records, [])
        self.until(lambda: self.read() and self.ended)
        self.assertTrue(self.heard.endswith(b"\r\n\r\n" + CONTENT[:PORTION_OCTETS]))
        self.assertEqual(self.records[0].outcome, "http_response_incomplete")
        self.assertEqual(self.records[0].error.detail, "the disk took too long")
        self.assertEqual(self.disk.sources[0].told, ["yes", "released"])
        self.assertEqual(pages.cancelled, 1)

    def test_aDiskThatIsSlow(self) -> None:
        """Everything comes, and in the end as if it were not."""
        pages = Pages()
        self.patch(os, "preadv", pages.preadv)
        self.disk.bring = pages.bring
        pages.cold = {PORTION_OCTETS - 1, LENGTH - 1}
        self.ask(2)
        for _ in range(2):
            self.until(lambda: self.read() is None or pages.brought)
            pages.arrive()
        self.until(lambda: self.read().count(CONTENT) == 2)
        self.until(lambda: len(self.records) == 2)
        self.assertEqual([each.outcome for each in self.records], ["", ""])
        self.assertTrue(self.transport.ready)

    def test_drain(self) -> None:
        """A reply that is under way is finished, and the connection with it."""
        self.ask(2)
        drained: list[Any] = []
        self.front.drain().addCallback(drained.append)
        self.until(lambda: self.read() and self.ended)
        self.assertTrue(self.heard.endswith(b"\r\n\r\n" + CONTENT))
        self.peer.close()
        self.until(lambda: drained)
        self.assertEqual([each.octetsOut for each in self.records], [LENGTH])

    def test_abort(self) -> None:
        """The front drops it at once."""
        self.ask()
        self.front.abort()
        self.assertIsNone(self.transport.inflow)
        self.until(lambda: self.records)
        self.assertEqual(self.disk.sources[0].told, ["yes", "released"])
        self.assertEqual(self.front.connections, 0)

    def test_anExchangeThatFails(self) -> None:
        """Nothing of the file leaves after that, and the connection ends."""
        self.ask()
        exchange = self.disk.sources[0].exchange
        moved = exchange.octetsOut
        self.front.front.engine.fail(exchange, ValueError("of somebody else"))
        self.flushLoggedErrors(ValueError)
        self.assertIsNone(self.transport.inflow)
        self.until(lambda: self.read() and self.ended)
        self.assertEqual(len(self.heard.partition(b"\r\n\r\n")[2]), moved)
        self.assertEqual(self.records[0].octetsOut, moved)

    def test_aFileThatBecameShorter(self) -> None:
        """The exchange fails, and the connection ends before the length that was told."""
        self.ask(2)
        os.truncate(self.path, LENGTH - 9)
        self.until(lambda: self.read() and self.ended)
        self.assertTrue(self.heard.endswith(b"\r\n\r\n" + CONTENT[:-9]))
        self.assertEqual(
            [(each.outcome, each.octetsOut) for each in self.records],
            [("http_response_incomplete", LENGTH - 9)],
        )
        self.assertEqual(self.disk.sources[0].told, ["yes", "released"])
        self.peer.close()
        self.until(lambda: not self.front.connections)

    def test_aFileThatBecameShorterUntilTheEnd(self) -> None:
        """Where the end would look like one, it is a reset."""
        self.disk.framing = UNTIL_CLOSE
        self.peer.sendall(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        self.until(lambda: self.disk.sources)
        os.truncate(self.path, LENGTH - 9)
        received = 0

        def isReset() -> bool:
            nonlocal received
            try:
                while data := self.peer.recv(1 << 20):
                    received += len(data)
            except BlockingIOError:
                return False
            except ConnectionResetError:
                return True
            raise AssertionError("an orderly end")

        self.until(isReset)
        self.assertEqual(self.records[0].outcome, "http_response_incomplete")


@implementer(IFilePart)
class Part:
    """Some of the file."""

    def __init__(self, descriptor: int, start: int, octets: int) -> None:
        self.descriptor = descriptor
        self.start = start
        self.octets = octets

    def read(self, start: int, stop: int) -> bytes:
        """Give it as octets."""
        return CONTENT[self.start :][start:stop]


class Shelf:
    """Answers requests with a part of a file."""

    def __init__(self, part: Part) -> None:
        self.part = part

    def onRequest(self, exchange: Exchange) -> Any:
        """Answer."""
        reply = Reply(200, body=None, framing=self.part.octets)
        if exchange.downstream.takesParts:
            reply.part = self.part
        else:
            reply.body = self.part.read(0, self.part.octets)
        exchange.reply = reply
        return DELIVER


class PartTests(FrontTestCase):
    """A client that is sent answers made here, which are in a file."""

    def setUp(self) -> None:
        """Make a front, and a client."""
        super().setUp()
        self.part = Part(self.descriptor, 7, 40_000)
        self.serve(Shelf(self.part))
        self.dial()

    def ask(self, times: int = 1, method: bytes = b"GET") -> None:
        """Send requests, all at once."""
        self.peer.sendall((method + b" / HTTP/1.1\r\nHost: a\r\n\r\n") * times)
        self.turn(2)

    @property
    def content(self) -> bytes:
        """What is sent."""
        return CONTENT[self.part.start : self.part.start + self.part.octets]

    def test_atOnce(self) -> None:
        """What the kernel takes leaves before the turn ends, without a mode of the transport."""
        self.ask()
        self.assertEqual([each.octetsOut for each in self.records], [40_000])
        self.assertIsNone(self.transport.inflow)
        self.assertTrue(self.transport.ready)
        self.until(lambda: self.read().endswith(b"\r\n\r\n" + self.content))

    def test_manyInOneLine(self) -> None:
        """Pipelined, more than a socket takes: in order, each whole, each counted once."""
        self.ask(60)
        self.until(lambda: self.read().count(self.content) == 60)
        self.until(lambda: len(self.records) == 60)
        self.assertEqual({each.octetsOut for each in self.records}, {40_000})
        self.assertEqual({each.outcome for each in self.records}, {""})
        self.assertEqual(self.heard.count(b"HTTP/1.1 200 OK\r\n"), 60)

    def test_moreThanASocketTakes(self) -> None:
        """The rest follows as there is room."""
        self.part.octets = LENGTH - 7
        self.ask(2)
        self.assertIsNotNone(self.transport.inflow)
        self.assertEqual(self.records, [])
        self.until(lambda: self.read().count(self.content) == 2)
        self.until(lambda: len(self.records) == 2)
        self.assertEqual([each.octetsOut for each in self.records], [LENGTH - 7] * 2)

    def test_aHeadAlone(self) -> None:
        """HEAD gets the length, and nothing of the file."""
        self.ask(method=b"HEAD")
        self.until(lambda: self.read().endswith(b"\r\n\r\n"))
        self.assertIn(b"Content-Length: 40000\r\n", self.heard)
        self.assertEqual([each.octetsOut for each in self.records], [0])

    def test_aClientThatGoesAway(self) -> None:
        """The exchange fails, and the transport forgets the file."""
        self.part.octets = LENGTH - 7
        self.ask()
        self.reset()
        self.until(lambda: self.records)
        self.assertEqual(self.records[0].outcome, "client_gone")
        self.assertEqual(self.front.connections, 0)

    def test_aClientThatIsGoneAlready(self) -> None:
        """It is found out by the sending itself."""
        self.peer.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 9)
        self.reset()
        self.until(lambda: not self.front.connections)
        self.assertLess(len(self.records), 10)

    def test_aClientThatTakesNothing(self) -> None:
        """It is dropped after C{between-bytes} seconds."""
        self.dial(8192)
        self.part.octets = LENGTH - 7
        self.ask()
        self.until(lambda: self.records)
        self.assertEqual(self.records[0].error.detail, "it took nothing for too long")

    def test_aFileThatIsShorter(self) -> None:
        """The exchange fails, and the connection ends before the length that was told."""
        os.truncate(self.path, 20_007)
        self.ask()
        self.until(lambda: self.read() and self.ended)
        self.assertTrue(self.heard.endswith(b"\r\n\r\n" + CONTENT[7:20_007]))
        self.assertEqual(self.records[0].outcome, "http_response_incomplete")

    def test_whereTheKernelCannot(self) -> None:
        """The octets are read and written here."""

        def refuse(*args: Any) -> int:
            raise OSError(errno.EINVAL, "not of this file system")

        self.patch(os, "sendfile", refuse)
        self.ask()
        self.until(lambda: self.read().endswith(b"\r\n\r\n" + self.content))
        self.until(lambda: self.records)
        self.assertEqual([each.octetsOut for each in self.records], [40_000])


class MemoryTests(SynchronousTestCase):
    """Transports that are no sockets."""

    def test_theContentIsWritten(self) -> None:
        """As where there is TLS: the caller is told, and has the octets."""
        disk = Disk(-1)
        disk.framing = 10
        disk.parts = [(0, 10)]
        scenario = Scenario(self).reverse(components=[disk])
        client = scenario.client()
        client.sends(*GET)
        self.assertTrue(client.takes().endswith(b"\r\n\r\n" + CONTENT[:10]))
        self.assertEqual(disk.sources[0].told, ["no", "released"])

    def test_partsAreNotFor(self) -> None:
        """Who makes an answer is told in time to have it as octets."""
        scenario = Scenario(self).reverse(components=[Shelf(Part(-1, 0, 10))])
        client = scenario.client()
        client.sends(*GET)
        self.assertTrue(client.takes().endswith(b"\r\n\r\n" + CONTENT[:10]))
