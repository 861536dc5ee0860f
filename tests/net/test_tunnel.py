# -*- test-case-name: tests.net.test_tunnel -*-
# mypy: disallow-untyped-calls=False
"""Tunnels: what goes in comes out, both ends are carried, and it ends once."""

from __future__ import annotations

import gc
import os
import socket
import struct
import weakref
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, INegotiated, IPushProducer
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides, implementer
from zope.interface.verify import verifyObject

from intermediary.net import tunnel as module
from intermediary.net.splice import AVAILABLE, PipePool
from intermediary.net.tunnel import Tunnel, TunnelEnd
from tests.net.loopback import LoopbackTestCase, openDescriptors


class Plain(StringTransport):
    """A transport in memory that notes how it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def loseConnection(self) -> None:
        """Note it."""
        self.told.append("lose")

    def abortConnection(self) -> None:
        """Note it."""
        self.told.append("abort")


class HalfCloseable(Plain):
    """One that can end its writing alone."""

    def loseWriteConnection(self) -> None:
        """Note it."""
        self.told.append("lose write")


class MemoryTests(SynchronousTestCase):
    """A tunnel between any two transports."""

    kind: type[Plain] = HalfCloseable

    def setUp(self) -> None:
        """Make a tunnel that has begun."""
        self.clock = Clock()
        self.client, self.origin = self.kind(), self.kind()
        self.reasons: list[Failure] = []
        self.tunnel = Tunnel(self.clock, self.client, self.origin, self.reasons.append, PipePool())
        for transport, end in (
            (self.client, self.tunnel.downstream),
            (self.origin, self.tunnel.upstream),
        ):
            transport.registerProducer(end, True)
        self.up, self.down = self.tunnel.downstream, self.tunnel.upstream

    def test_theEndsAreProducers(self) -> None:
        """An end is what its transport expects of a producer."""
        verifyObject(IPushProducer, self.up)

    def test_octetsPass(self) -> None:
        """Each side gets what the other sends, and it is counted."""
        self.tunnel.begin()
        self.up.dataReceived(b"question")
        self.down.dataReceived(b"the answer")
        self.assertEqual(b"question", self.origin.value())
        self.assertEqual(b"the answer", self.client.value())
        self.assertEqual(8, self.tunnel.octetsUp)
        self.assertEqual(10, self.tunnel.octetsDown)
        self.assertEqual("<Tunnel 8 octets up, 10 down>", repr(self.tunnel))

    def test_earlyDataGoesFirst(self) -> None:
        """What followed the CONNECT, or its response, is sent and counted (RFC 9110 §9.3.6)."""
        self.tunnel.begin(b"early", b"bird")
        self.up.dataReceived(b" worm")
        self.assertEqual(b"early worm", self.origin.value())
        self.assertEqual(b"bird", self.client.value())
        self.assertEqual(10, self.tunnel.octetsUp)

    def test_pausedTransportsAreReadFromTheBeginning(self) -> None:
        """Whatever paused them before, both are read."""
        self.client.pauseProducing()
        self.origin.pauseProducing()
        self.tunnel.begin()
        self.assertEqual("producing", self.client.producerState)
        self.assertEqual("producing", self.origin.producerState)

    def test_activity(self) -> None:
        """C{lastActivity} is the time of the last octets of either way."""
        self.clock.advance(5)
        self.assertEqual(0, self.tunnel.lastActivity)
        self.tunnel.begin()
        self.up.dataReceived(b"x")
        self.assertEqual(5, self.tunnel.lastActivity)
        self.clock.advance(3)
        self.down.dataReceived(b"x")
        self.assertEqual(8, self.tunnel.lastActivity)

    def test_aFullTransportPausesTheOther(self) -> None:
        """And one that has room again resumes it."""
        self.tunnel.begin()
        self.up.pauseProducing()
        self.assertEqual("paused", self.origin.producerState)
        self.assertEqual("producing", self.client.producerState)
        self.up.resumeProducing()
        self.assertEqual("producing", self.origin.producerState)

    def test_aSideThatHasEndedIsNotReadAgain(self) -> None:
        """Room in the one transport resumes nothing that is over."""
        self.tunnel.begin()
        self.down.pauseProducing()
        self.up.readConnectionLost()
        self.down.resumeProducing()
        self.down.pauseProducing()
        self.assertEqual("paused", self.client.producerState)

    def test_anEndIsPassedOnAndTheOtherWayGoesOn(self) -> None:
        """A half-close of one side is one of the other; the second ends both."""
        self.tunnel.begin()
        self.up.readConnectionLost()
        self.assertEqual(["lose write"], self.origin.told)
        self.assertEqual([], self.client.told)
        self.down.writeConnectionLost()
        self.down.dataReceived(b"late answer")
        self.assertEqual(b"late answer", self.client.value())
        self.down.readConnectionLost()
        self.assertEqual(["lose write", "lose"], self.origin.told)
        self.assertEqual(["lose"], self.client.told)
        # Nobody waits for producers any more.
        self.assertIsNone(self.client.producer)
        self.assertIsNone(self.origin.producer)

    def test_anEndComesOnce(self) -> None:
        """A second report of the same end changes nothing."""
        self.tunnel.begin()
        self.up.readConnectionLost()
        self.up.readConnectionLost()
        self.assertEqual(["lose write"], self.origin.told)

    def test_aResetOfOneSideAbortsTheOther(self) -> None:
        """What is queued for the other is dropped, and the reason is the first."""
        self.tunnel.begin()
        lost = Failure(ConnectionLost())
        self.down.connectionLost(lost)
        self.assertEqual(["abort"], self.client.told)
        self.assertEqual([], self.reasons)
        self.up.connectionLost(Failure(ConnectionDone()))
        self.assertEqual([lost], self.reasons)

    def test_anOrderlyEndOfOneSideClosesTheOther(self) -> None:
        """After a side that can't half-close has gone, the other gets the rest and closes."""
        self.tunnel.begin()
        self.up.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(["lose"], self.origin.told)
        self.assertIsNone(self.origin.producer)
        self.down.readConnectionLost()
        self.down.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(1, len(self.reasons))
        self.assertIsNotNone(self.reasons[0].check(ConnectionDone))

    def test_itFinishesOnce(self) -> None:
        """Whatever is reported how often."""
        self.tunnel.begin()
        for _ in range(2):
            self.up.connectionLost(Failure(ConnectionDone()))
            self.down.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(1, len(self.reasons))

    def test_whatHasFinishedIsFreedAtOnce(self) -> None:
        """Nothing of a tunnel has to be found by the garbage collector."""
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        tunnel = Tunnel(self.clock, self.kind(), self.kind(), self.reasons.append)
        up, down = tunnel.downstream, tunnel.upstream
        for end in (up, down):
            end.transport.registerProducer(end, True)
        tunnel.begin(b"up", b"down")
        # As a transport does that is lost.
        up.transport.unregisterProducer()
        up.connectionLost(Failure(ConnectionDone()))
        down.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((2, 4), (tunnel.octetsUp, tunnel.octetsDown))
        # Late calls of transports find nothing to do.
        up.abort()
        for end in (up, down):
            end.dataReceived(b"late")
            end.readConnectionLost()
            end.pauseProducing()
            end.resumeProducing()
            end.connectionLost(Failure(ConnectionDone()))
        tunnel.close()
        tunnel.abort()
        del tunnel, up, down, end
        self.assertEqual(0, gc.collect())

    def test_aCloseThatIsReportedAtOnce(self) -> None:
        """A transport whose loseConnection reports the loss from inside is no trouble."""
        self.tunnel.begin()

        def loseConnection() -> None:
            self.down.connectionLost(Failure(ConnectionDone()))

        self.patch(self.origin, "loseConnection", loseConnection)
        self.up.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(1, len(self.reasons))

    def test_close(self) -> None:
        """C{close} closes both, and finishes when they are closed."""
        self.tunnel.begin()
        self.tunnel.close()
        self.assertEqual(["lose"], self.client.told)
        self.assertEqual(["lose"], self.origin.told)
        self.assertEqual([], self.reasons)

    def test_abort(self) -> None:
        """C{abort} aborts both; a side that is gone is left alone."""
        self.tunnel.begin()
        self.down.connectionLost(Failure(ConnectionDone()))
        self.tunnel.abort()
        self.assertEqual(["lose", "abort"], self.client.told)
        self.assertEqual([], self.origin.told)

    def test_muchPassesWithoutPipes(self) -> None:
        """Transports that can't be spliced go on as they began."""
        self.tunnel.begin()
        for _ in range(5):
            self.up.dataReceived(b"x" * module.SPLICE_AFTER)
        self.assertEqual(5 * module.SPLICE_AFTER, len(self.origin.value()))


class WithoutHalfCloseTests(SynchronousTestCase):
    """Transports of which one way can't end alone, as with TLS."""

    def finish(self, client: Plain, origin: Plain) -> None:
        """End the client's side."""
        self.tunnel = Tunnel(Clock(), client, origin, lambda reason: None)
        client.registerProducer(self.tunnel.downstream, True)
        origin.registerProducer(self.tunnel.upstream, True)
        self.tunnel.begin()
        self.tunnel.downstream.readConnectionLost()

    def test_theEndIsTheTunnels(self) -> None:
        """Without C{loseWriteConnection} the other side is closed."""
        client, origin = HalfCloseable(), Plain()
        self.finish(client, origin)
        self.assertEqual(["lose"], origin.told)

    def test_aTransportWithTLSAboveIt(self) -> None:
        """Its C{loseWriteConnection} would cut the TLS connection in the middle."""
        client, origin = HalfCloseable(), HalfCloseable()
        directlyProvides(origin, INegotiated)
        self.finish(client, origin)
        self.assertEqual(["lose"], origin.told)


@implementer(IHalfCloseableProtocol, IPushProducer)
class Delegating(Protocol):
    """What the HTTP connections are to a tunnel."""

    end: TunnelEnd

    def connectionMade(self) -> None:
        """Be the producer of the own transport, for good."""
        transport: Any = self.transport
        transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        """Delegate."""
        self.end.dataReceived(data)

    def readConnectionLost(self) -> None:
        """Delegate."""
        self.end.readConnectionLost()

    def writeConnectionLost(self) -> None:
        """Delegate."""
        self.end.writeConnectionLost()

    def connectionLost(self, reason: Any = None) -> None:
        """Delegate."""
        self.end.connectionLost(reason)

    def pauseProducing(self) -> None:
        """Delegate."""
        self.end.pauseProducing()

    def resumeProducing(self) -> None:
        """Delegate."""
        self.end.resumeProducing()

    def stopProducing(self) -> None:
        """Delegate."""
        self.end.stopProducing()


class LoopbackTests(LoopbackTestCase):
    """Tunnels between eager transports, that splice."""

    pipes: PipePool | None

    def setUp(self) -> None:
        """Make a tunnel that has begun."""
        super().setUp()
        self.pipes = self.makePipes()
        first, one, self.client = self.connect(Delegating(), buffer=16384)
        second, other, self.origin = self.connect(Delegating(), buffer=16384)
        self.reasons: list[Failure] = []
        self.tunnel = Tunnel(self.reactor, first, second, self.reasons.append, self.pipes)
        one.end, other.end = self.tunnel.downstream, self.tunnel.upstream
        self.tunnel.begin()
        self.transports = first, second

    def makePipes(self) -> PipePool | None:
        """Make the pool, with nothing kept, so that what is open is in use."""
        return PipePool(kept=0)

    def carry(
        self, sender: socket.socket, receiver: socket.socket, octets: bytes, end: bool = True
    ) -> bytes:
        """Send octets and an end by the one, and give what comes out at the other."""
        sender.setblocking(False)
        receiver.setblocking(False)
        received = b""
        rest = memoryview(octets)
        for _ in range(30000):
            if rest:
                try:
                    rest = rest[sender.send(rest[:200000]) :]
                except BlockingIOError:
                    pass
                if not rest and end:
                    sender.shutdown(socket.SHUT_WR)
            self.turn()
            try:
                data = receiver.recv(100000)
            except BlockingIOError:
                continue
            if not data:
                break
            received += data
            if not end and len(received) == len(octets):
                break
        return received

    def assertOver(self, *reasons: type[Exception]) -> None:
        """The tunnel has finished, once, and nothing is left of it."""
        self.until(lambda: self.reasons)
        self.turn(3)
        self.assertEqual(1, len(self.reasons))
        self.assertIsNotNone(self.reasons[0].check(*reasons), self.reasons)
        if self.pipes is not None:
            self.assertEqual(0, self.pipes.opened)
        for transport in self.transports:
            self.assertFalse(transport.connected)

    def test_littlePassesBeneathTheProtocols(self) -> None:
        """An end reads for its transport; the protocol hears of the loss alone."""
        heard: list[str] = []
        for name in ("dataReceived", "readConnectionLost", "writeConnectionLost"):
            self.patch(Delegating, name, lambda *_, name=name: heard.append(name))
        self.assertEqual(b"question", self.carry(self.client, self.origin, b"question", end=False))
        self.assertEqual(b"answer", self.carry(self.origin, self.client, b"answer", end=False))
        self.assertEqual(b"last", self.carry(self.client, self.origin, b"last"))
        self.assertEqual(b"answer", self.carry(self.origin, self.client, b"answer"))
        self.assertOver(ConnectionDone)
        self.assertEqual([], heard)
        self.assertEqual((12, 12), (self.tunnel.octetsUp, self.tunnel.octetsDown))

    def test_anEndIsPassedOnInTheSameTurn(self) -> None:
        """Neither a half-close nor the end of all needs an event or a second look."""
        self.client.shutdown(socket.SHUT_WR)
        self.turn()
        self.assertEqual(b"", self.origin.recv(100))
        self.assertNotIn(self.transports[0], self.reactor.getReaders())
        self.assertTrue(self.transports[0].connected)
        self.origin.shutdown(socket.SHUT_WR)
        self.turn()
        self.assertEqual(1, len(self.reasons))
        self.assertEqual(b"", self.client.recv(100))

    def test_anEndWaitsForWhatIsQueued(self) -> None:
        """Octets that a slow side has not taken leave before it is told of the end."""
        self.origin.settimeout(10)
        self.transports[1].write(b"x" * 500000)
        self.client.shutdown(socket.SHUT_WR)
        self.turn(3)
        self.assertTrue(self.transports[1].connected)
        received = 0
        while data := self.origin.recv(65536):
            received += len(data)
            self.turn()
        self.assertEqual(500000, received)

    def test_aResetOfALittle(self) -> None:
        """A side that is reset before it has sent much aborts the other."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()
        self.assertOver(ConnectionLost)
        self.assertRaises(ConnectionResetError, self.origin.recv, 100)

    def test_aResetThatASendWasToldOf(self) -> None:
        """The read after it sees an orderly end, which it was not."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()
        self.transports[0].write(b"x")
        self.assertIs(CONNECTION_LOST, self.transports[0].doRead())
        self.assertOver(ConnectionLost)

    def test_aReadWithoutOctetsIsNothing(self) -> None:
        """The reactor may be mistaken."""
        self.assertIsNone(self.transports[0].doRead())
        self.assertEqual(b"x", self.carry(self.client, self.origin, b"x", end=False))

    def test_itsTransportsAreFreedAtOnce(self) -> None:
        """What reads for a transport does not keep it, nor itself, alive."""
        freed = [weakref.ref(transport) for transport in self.transports]
        gc.disable()
        self.addCleanup(gc.enable)
        self.assertEqual(b"question", self.carry(self.client, self.origin, b"question"))
        self.assertEqual(b"answer", self.carry(self.origin, self.client, b"answer"))
        self.assertOver(ConnectionDone)
        del self.transports, self.tunnel
        self.assertEqual([None, None], [each() for each in freed])

    def test_bulkOneWayThenTheOther(self) -> None:
        """Both ways, each to its end, with not an octet changed."""
        up, down = os.urandom(2000000), os.urandom(3000000)
        self.assertEqual(up, self.carry(self.client, self.origin, up))
        self.assertEqual([], self.reasons)
        self.assertEqual(down, self.carry(self.origin, self.client, down))
        self.assertEqual(len(up), self.tunnel.octetsUp)
        self.assertEqual(len(down), self.tunnel.octetsDown)
        self.assertOver(ConnectionDone)

    def test_littleThenMuchThenLittle(self) -> None:
        """The change from one way of carrying to the other is seamless."""
        whole = b""
        for size in (1, 100, 65535, 1, 7, 1000000, 3):
            octets = os.urandom(size)
            self.assertEqual(octets, self.carry(self.client, self.origin, octets, end=False))
            whole += octets
            answer = os.urandom(size // 2 + 1)
            self.assertEqual(answer, self.carry(self.origin, self.client, answer, end=False))
        self.assertEqual(len(whole), self.tunnel.octetsUp)

    def test_anEndAfterBulkLeavesTheOtherWay(self) -> None:
        """After the FIN of a spliced direction the other one still answers."""
        octets = os.urandom(500000)
        self.assertEqual(octets, self.carry(self.client, self.origin, octets))
        self.assertEqual(b"thanks", self.carry(self.origin, self.client, b"thanks"))
        self.assertOver(ConnectionDone)

    def fillUp(self) -> None:
        """Send from the client until nothing moves, the origin not reading."""
        self.client.setblocking(False)
        stuck = 0
        while stuck < 20:
            try:
                self.client.send(b"x" * 100000)
                stuck = 0
            except BlockingIOError:
                stuck += 1
            self.turn()

    def test_aStalledSideIsBounded(self) -> None:
        """Little is held for a side that does not read, and nothing turns in vain."""
        self.fillUp()
        queued = sum(each.queuedOctets() for each in self.transports)
        self.assertLess(queued, 200000)
        self.assertNotIn(self.transports[0], self.reactor.getReaders())

    def test_aResetOfAStalledSide(self) -> None:
        """The other is aborted, although it is not read at that time."""
        self.fillUp()
        self.origin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.origin.close()
        self.assertOver(ConnectionLost)
        self.assertRaises(ConnectionResetError, self.client.recv, 100)

    def test_aResetOfTheSenderWhileStalled(self) -> None:
        """The receiver is aborted with octets on their way to it."""
        self.fillUp()
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()
        # Nobody reads from the client now; that it has gone shows when the
        # origin sends something or the stalled way goes on.
        self.origin.sendall(b"x")
        self.assertOver(ConnectionLost)

    def test_anAbortWhileStalled(self) -> None:
        """C{abort} leaves nothing open."""
        self.fillUp()
        self.tunnel.abort()
        self.until(lambda: self.reasons)
        self.turn(3)
        self.assertEqual(1, len(self.reasons))
        if self.pipes is not None:
            self.assertEqual(0, self.pipes.opened)

    def test_aCloseAfterBulkSendsTheRest(self) -> None:
        """C{close} sends what has come in before it closes."""
        self.fillUp()
        self.tunnel.close()
        self.turn(3)
        self.origin.setblocking(False)
        received = 0
        for _ in range(30000):
            self.turn()
            try:
                data = self.origin.recv(65536)
            except BlockingIOError:
                continue
            if not data:
                break
            received += len(data)
        self.assertEqual(self.tunnel.octetsUp, received)
        self.assertOver(ConnectionDone, ConnectionLost)

    def test_descriptors(self) -> None:
        """After a tunnel as many descriptors are open as before it."""
        before = openDescriptors() - 2
        octets = os.urandom(300000)
        self.assertEqual(octets, self.carry(self.client, self.origin, octets))
        self.assertEqual(octets, self.carry(self.origin, self.client, octets))
        self.assertOver(ConnectionDone)
        self.assertEqual(before, openDescriptors())


class CarriedTests(LoopbackTests):
    """The same without any pipe."""

    def makePipes(self) -> None:
        """Make none."""


class ExhaustedTests(LoopbackTests):
    """The same with a pool that has none to give."""

    def makePipes(self) -> PipePool:
        """Make an empty one."""
        return PipePool(most=0)


if not AVAILABLE:
    LoopbackTests.skip = ExhaustedTests.skip = "needs splice(2)"
