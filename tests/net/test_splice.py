# -*- test-case-name: tests.net.test_splice -*-
# mypy: disallow-untyped-calls=False
"""Octets through pipes: none lost, none too many, and no pipe left open."""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING, Any
from unittest import skipUnless

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from intermediary.net import splice
from intermediary.net.splice import Flow, PipePool, isSpliceable
from tests.net.loopback import LoopbackTestCase, Recorder, openDescriptors

if TYPE_CHECKING:
    from intermediary.net.transport import EagerServer

onLinux = skipUnless(splice.AVAILABLE, "needs splice(2)")


@onLinux
class PipePoolTests(SynchronousTestCase):
    """L{PipePool}."""

    def test_anEmptyPipeIsUsedAgain(self) -> None:
        """What is given back empty is what the next one takes."""
        pool = PipePool()
        self.addCleanup(pool.close)
        pipe = pool.take()
        assert pipe is not None
        pool.give(pipe, empty=True)
        self.assertIs(pipe, pool.take())
        pool.give(pipe, empty=True)
        self.assertEqual(1, pool.opened)

    def test_aPipeWithOctetsInItIsClosed(self) -> None:
        """Nobody may get what another connection left."""
        before = openDescriptors()
        pool = PipePool()
        pipe = pool.take()
        assert pipe is not None
        os.write(pipe.writer, b"secret")
        pool.give(pipe, empty=False)
        self.assertEqual(0, pool.opened)
        self.assertEqual(before, openDescriptors())

    def test_thereIsAMost(self) -> None:
        """Beyond it there is none to be had, until one comes back."""
        before = openDescriptors()
        pool = PipePool(most=2, kept=1)
        one, two = pool.take(), pool.take()
        assert one is not None
        assert two is not None
        self.assertIsNone(pool.take())
        pool.give(one, empty=True)
        pool.give(two, empty=True)
        self.assertEqual(1, pool.opened)
        self.assertEqual("<PipePool 1 of 2 open, 1 idle>", repr(pool))
        pool.close()
        self.assertEqual(0, pool.opened)
        self.assertEqual(before, openDescriptors())

    def test_theFirstAreLarge(self) -> None:
        """And the others, which are not kept, of the usual size."""
        pool = PipePool(most=3, large=1, kept=3)
        self.addCleanup(pool.close)
        taken = [pool.take() for _ in range(3)]
        sizes = [pipe.capacity for pipe in taken if pipe is not None]
        self.assertLess(sizes[1], sizes[0])
        self.assertEqual(sizes[1], sizes[2])
        for pipe in taken:
            assert pipe is not None
            pool.give(pipe, empty=True)
        self.assertEqual(1, pool.opened)
        again = pool.take()
        assert again is not None
        self.assertEqual(sizes[0], again.capacity)
        pool.give(again, empty=True)

    def test_noDescriptorsNoPipe(self) -> None:
        """Where the system has none left, that is no error."""

        def refuse(flags: int) -> tuple[int, int]:
            raise OSError(24, "Too many open files")

        self.patch(os, "pipe2", refuse)
        pool = PipePool()
        self.assertIsNone(pool.take())
        self.assertEqual(0, pool.opened)

    def test_itTakesTheCapacityThatItGets(self) -> None:
        """A system that grants less has smaller pipes."""
        pool = PipePool(capacity=1 << 40)
        self.addCleanup(pool.close)
        pipe = pool.take()
        assert pipe is not None
        self.assertGreaterEqual(pipe.capacity, 4096)
        self.assertLess(pipe.capacity, 1 << 40)
        pool.give(pipe, empty=True)


@onLinux
class FlowTests(LoopbackTestCase):
    """L{Flow}, through one pool."""

    most = 4

    def setUp(self) -> None:
        """Make a source and a sink, the sink's buffers small."""
        super().setUp()
        self.pipes = PipePool(most=self.most, kept=1)
        self.addCleanup(self.pipes.close)
        self.source, self.sourceProtocol, self.sender = self.connect()
        self.sink, self.sinkProtocol, self.receiver = self.connect(buffer=8192)
        self.before = openDescriptors()
        self.counted = 0
        self.finished: list[Any] = []

    def flow(self, remaining: int | None = None) -> Flow:
        """Begin a flow."""
        made = Flow(
            self.source,
            self.sink,
            self.pipes,
            remaining,
            self.count,
            lambda: self.finished.append(self.received),
        )
        made.begin()
        return made

    def count(self, octets: int) -> None:
        """Note what moved."""
        self.counted += octets

    received = b""

    def pump(self, octets: bytes, condition: Any) -> None:
        """Send octets to the source and receive from the sink until something holds."""
        self.sender.setblocking(False)
        self.receiver.setblocking(False)
        for _ in range(20000):
            if octets:
                try:
                    octets = octets[self.sender.send(octets) :]
                except BlockingIOError:
                    pass
            self.turn()
            try:
                self.received += self.receiver.recv(100000)
            except BlockingIOError:
                pass
            if not octets and condition():
                return
        self.fail(f"It never happened: {len(self.received)} received, {self.sink.inflow}")

    def assertNoPipes(self) -> None:
        """No more pipes are open than are kept."""
        self.pipes.close()
        self.assertEqual(0, self.pipes.opened)

    def test_everythingUntilTheEnd(self) -> None:
        """Without a limit a flow lasts until the source ends."""
        self.flow()
        octets = os.urandom(3000000)
        self.pump(octets, lambda: len(self.received) == len(octets))
        self.assertEqual(octets, self.received)
        self.assertEqual(len(octets), self.counted)
        self.sender.setblocking(True)
        self.sender.shutdown(socket.SHUT_WR)
        self.until(lambda: "read lost" in self.sourceProtocol.told)
        self.assertIsNone(self.source.outflow)
        self.assertIsNone(self.sink.inflow)
        self.assertEqual(b"", self.sourceProtocol.received)
        self.assertEqual([], self.finished)
        self.assertNoPipes()

    def test_exactlySoMany(self) -> None:
        """With a limit the octets after it are the protocol's, and none is missing."""
        for size in (1, 999, 65536, 1000000):
            self.received = b""
            self.counted = 0
            octets = os.urandom(size)
            self.flow(size)
            self.pump(octets + b"next", lambda: self.sourceProtocol.received == b"next")
            self.pump(b"", lambda size=size: len(self.received) == size)
            self.assertEqual(octets, self.received)
            self.assertEqual(size, self.counted)
            self.until(lambda: self.finished)
            self.assertEqual(1, len(self.finished))
            self.assertIsNone(self.source.outflow)
            self.assertIsNone(self.sink.inflow)
            self.sourceProtocol.received = b""
            self.finished = []
        # Both are as before.
        self.sink.write(b"directly")
        self.receiver.setblocking(True)
        self.assertEqual(b"directly", self.receiver.recv(100))
        self.assertNoPipes()

    def test_whatWasQueuedBeforeGoesFirst(self) -> None:
        """A head that the sink has not sent yet stays before the content."""
        head = os.urandom(400000)
        self.sink.write(head)
        self.assertTrue(self.sink.queuedOctets())
        content = os.urandom(400000)
        self.flow(len(content))
        self.pump(content, lambda: len(self.received) == 800000)
        self.assertEqual(head + content, self.received)
        self.assertNoPipes()

    def test_theEndOfAFlowMayWrite(self) -> None:
        """What follows the content, written from C{done}, is sent after it, and all of it."""
        after = os.urandom(300000)
        flow = Flow(
            self.source,
            self.sink,
            self.pipes,
            500000,
            done=lambda: self.sink.write(after),
        )
        flow.begin()
        content = os.urandom(500000)
        self.pump(content, lambda: len(self.received) == 800000)
        self.assertEqual(content + after, self.received)

    def test_oneFlowAfterTheOther(self) -> None:
        """The end of one may begin the next, from another source."""
        other, _, sender = self.connect()
        other.pauseProducing()
        sender.sendall(b"the other's")

        def follow() -> None:
            other.resumeProducing()
            Flow(other, self.sink, self.pipes, 11).begin()

        Flow(self.source, self.sink, self.pipes, 300000, done=follow).begin()
        octets = os.urandom(300000)
        self.pump(octets, lambda: len(self.received) == 300011)
        self.assertEqual(octets + b"the other's", self.received)
        self.assertNoPipes()

    def test_theSourceIsFreeBeforeTheSinkIsDone(self) -> None:
        """
        With the last octet read, the source delivers to its protocol, although
        the sink is stalled: its connection may be used again.
        """
        flow = self.flow(60000)
        self.sender.sendall(b"x" * 60000 + b"next")
        self.until(lambda: self.sourceProtocol.received)
        self.assertEqual(b"next", self.sourceProtocol.received)
        self.assertTrue(flow.held)
        self.assertEqual([], self.finished)
        self.pump(b"", lambda: self.finished)

    def test_aStalledSinkStopsTheReading(self) -> None:
        """No more is taken from the source than the pipe holds, and one pipe is enough."""
        flow = self.flow()
        self.sender.setblocking(False)
        sent = 0
        for _ in range(200):
            try:
                sent += self.sender.send(b"x" * 65536)
            except BlockingIOError:
                pass
            self.turn()
        self.assertTrue(flow.held)
        self.assertNotIn(self.source, self.reactor.getReaders())
        self.assertIn(self.sink, self.reactor.getWriters())
        self.assertEqual(1, self.pipes.opened)
        self.assertIn("held", repr(flow))
        # And it goes on when the sink does.
        self.pump(b"", lambda: len(self.received) == sent)
        self.assertIn(self.source, self.reactor.getReaders())
        self.assertNotIn(self.sink, self.reactor.getWriters())
        self.assertEqual(0, flow.held)
        self.assertNoPipes()

    def test_anIdleFlowHoldsNoPipe(self) -> None:
        """Pipes are open as long as octets are in them."""
        self.flow()
        self.pump(b"x" * 1000, lambda: len(self.received) == 1000)
        self.assertEqual(1, len(self.pipes._idle))
        self.assertEqual(1, self.pipes.opened)

    def test_aWriteIntoAFlowIsRefused(self) -> None:
        """It would fall into the middle of what passes."""
        self.flow()
        self.assertRaises(RuntimeError, self.sink.write, b"x")
        self.assertRaises(RuntimeError, self.sink.writeSequence, [b"x", b"y"])

    def test_aSourceThatEndsTooEarly(self) -> None:
        """Its protocol is told as ever, and C{remaining} is what is missing."""
        flow = self.flow(1000)
        self.pump(b"x" * 400, lambda: len(self.received) == 400)
        self.sender.close()
        self.until(lambda: "read lost" in self.sourceProtocol.told)
        self.assertEqual(600, flow.remaining)
        self.assertEqual([], self.finished)
        self.sink.write(b"y")
        self.assertNoPipes()

    def test_aSourceThatIsReset(self) -> None:
        """Its protocol is told of a lost connection."""
        self.flow(1000)
        self.pump(b"x" * 400, lambda: len(self.received) == 400)
        self.sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sender.close()
        self.until(lambda: self.sourceProtocol.reason)
        self.assertIsNotNone(self.sourceProtocol.reason.check(ConnectionLost))
        self.assertEqual([], self.finished)
        self.assertIsNone(self.sink.inflow)
        self.assertNoPipes()

    def stall(self, flow: Flow) -> None:
        """Send until something is held."""
        self.sender.setblocking(False)
        while not flow.held:
            try:
                self.sender.send(b"x" * 65536)
            except BlockingIOError:
                pass
            self.turn()

    def test_aSinkThatIsReset(self) -> None:
        """Its protocol is told, what is held is dropped, and the source waits."""
        flow = self.flow()
        self.stall(flow)
        self.receiver.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.receiver.close()
        self.until(lambda: self.sinkProtocol.reason)
        self.assertIsNotNone(self.sinkProtocol.reason.check(ConnectionLost))
        self.assertIsNone(self.source.outflow)
        self.assertNotIn(self.source, self.reactor.getReaders())
        self.assertEqual([], self.sourceProtocol.told)
        self.assertNoPipes()
        self.assertEqual(self.before - 2, openDescriptors())

    def test_anAbortOfEitherSide(self) -> None:
        """It ends the flow at once and closes the pipe."""
        for aborted in ("source", "sink"):
            flow = self.flow()
            self.stall(flow)
            side: EagerServer = getattr(self, aborted)
            side.abortConnection()
            self.assertIsNone(self.source.outflow)
            if aborted == "sink":
                self.assertIsNone(self.sink.inflow)
            self.until(lambda side=side: not side.connected)  # type: ignore[misc]
            if aborted == "source":
                # What it sent before is still on its way.
                self.assertIs(flow, self.sink.inflow)
                self.receiver.setblocking(False)
                self.pump(b"", lambda: self.sink.inflow is None)
            self.assertNoPipes()
            self.source, self.sourceProtocol, self.sender = self.connect()
            self.sink, self.sinkProtocol, self.receiver = self.connect(buffer=8192)
            self.pipes.kept = 1

    def test_theSinkClosesAfterWhatIsHeld(self) -> None:
        """C{loseConnection} and C{loseWriteConnection} come after the last octet."""
        for method in ("loseConnection", "loseWriteConnection"):
            self.received = b""
            octets = os.urandom(600000)
            flow = self.flow(len(octets))
            self.sender.setblocking(True)
            sending = octets
            self.sender.setblocking(False)
            while self.sink.inflow is not None and flow.remaining:
                if sending:
                    try:
                        sending = sending[self.sender.send(sending) :]
                    except BlockingIOError:
                        pass
                self.turn()
                if self.sink.inflow is not None and flow.remaining:
                    self.receiver.setblocking(False)
                    try:
                        self.received += self.receiver.recv(1000)
                    except BlockingIOError:
                        pass
            self.assertIsNotNone(self.sink.inflow)
            getattr(self.sink, method)()
            self.receiver.setblocking(False)
            ended = False
            while not ended:
                self.turn()
                try:
                    data = self.receiver.recv(65536)
                except BlockingIOError:
                    continue
                self.received += data
                ended = not data
            self.assertEqual(octets, self.received)
            self.assertEqual(1, len(self.finished))
            self.finished = []
            self.assertNoPipes()
            self.pipes.kept = 1
            self.source, self.sourceProtocol, self.sender = self.connect()
            self.sink, self.sinkProtocol, self.receiver = self.connect(buffer=8192)

    def test_bothWaysAtOnce(self) -> None:
        """Two flows between the same transports do not disturb each other."""
        self.flow()
        Flow(self.sink, self.source, self.pipes).begin()
        up, down = os.urandom(700000), os.urandom(900000)
        gotUp, gotDown, sentUp, sentDown = b"", b"", 0, 0
        self.sender.setblocking(False)
        self.receiver.setblocking(False)
        for _ in range(20000):
            try:
                sentUp += self.sender.send(up[sentUp : sentUp + 65536])
            except BlockingIOError:
                pass
            try:
                sentDown += self.receiver.send(down[sentDown : sentDown + 65536])
            except BlockingIOError:
                pass
            self.turn()
            try:
                gotUp += self.receiver.recv(50000)
            except BlockingIOError:
                pass
            try:
                gotDown += self.sender.recv(50000)
            except BlockingIOError:
                pass
            if len(gotUp) == len(up) and len(gotDown) == len(down):
                break
        self.assertEqual(up, gotUp)
        self.assertEqual(down, gotDown)
        self.assertNoPipes()

    def test_stop(self) -> None:
        """A flow that is stopped leaves the sink as it was and the source unread."""
        flow = self.flow()
        self.stall(flow)
        flow.stop()
        self.assertIsNone(self.source.outflow)
        self.assertIsNone(self.sink.inflow)
        self.assertNotIn(self.source, self.reactor.getReaders())
        self.assertNoPipes()
        flow.stop()
        self.assertIsNone(flow.fill())

    def test_whatCanBeSpliced(self) -> None:
        """Plain eager transports that are connected and not taken."""
        self.assertTrue(isSpliceable(self.source, self.sink))
        self.assertFalse(isSpliceable(self.source, StringTransport()))
        self.assertFalse(isSpliceable(StringTransport(), self.sink))
        self.flow()
        self.assertFalse(isSpliceable(self.source, self.sink))
        self.assertTrue(isSpliceable(self.sink, self.source))
        self.source.TLS = True
        self.assertFalse(isSpliceable(self.sink, self.source))
        self.source.TLS = False
        other, protocol, peer = self.connect(Recorder())
        self.assertTrue(isSpliceable(self.sink, other))
        peer.close()
        other.loseConnection()
        self.until(lambda: protocol.reason)
        self.assertIsNotNone(protocol.reason.check(ConnectionDone))
        self.assertFalse(isSpliceable(self.sink, other))
        self.patch(splice, "AVAILABLE", False)
        self.assertFalse(isSpliceable(self.sink, self.source))


@onLinux
class CarriedFlowTests(FlowTests):
    """A L{Flow} for which there is no pipe does all the same."""

    most = 0

    def test_aStalledSinkStopsTheReading(self) -> None:
        """No more is taken from the source than one piece."""
        flow = self.flow()
        self.stall(flow)
        self.turn(10)
        self.assertLessEqual(flow.held, splice.CARRIED_OCTETS)
        self.assertNotIn(self.source, self.reactor.getReaders())

    def test_anIdleFlowHoldsNoPipe(self) -> None:
        """None is opened at all."""
        self.flow()
        self.pump(b"x" * 1000, lambda: len(self.received) == 1000)
        self.assertEqual(0, self.pipes.opened)
