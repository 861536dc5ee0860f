# -*- test-case-name: tests.net.test_opening -*-
"""
L{intermediary.net.opening}: what is known of a client before anything is read of it.
"""

from __future__ import annotations

import gc
import socket
import weakref
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.protocols.policies import WrappingFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from intermediary.net.opening import Opening
from intermediary.net.transport import EagerServer
from intermediary.wire.clienthello import LIMIT_OCTETS

from ..scenario import MemoryTransport
from ..wire.hellos import message, real, records, recut
from .loopback import LoopbackTestCase, Recorder, socketPair

HELLO = real("b.example", ["h2"])
HTTP = b"GET / HTTP/1.1\r\n\r\n"


class Recording:
    """In the place of the handshakes of a front: notes what it is told."""

    def __init__(self, holding: bool = False) -> None:
        self.told: list[Any] = []
        self.left: bytes | None = None
        self.holding = holding

    def _note(self, opening: Opening, *what: Any) -> None:
        self.told.append(what)
        if self.holding:
            opening.hold()
        else:
            self.left = opening.leave()

    def plain(self, opening: Opening) -> None:
        self._note(opening, "plain")

    def secure(self, opening: Opening) -> None:
        self._note(opening, "secure")

    def choose(self, opening: Opening, hello: Any) -> None:
        self._note(opening, "choose", hello.name, *hello.protocols)

    def refuse(self, opening: Opening, error: Any) -> None:
        self._note(opening, "refuse", error.alert)


class CountingOpening(Opening):
    """Counts how often the reactor has it look."""

    looks = 0

    def look(self) -> Any:
        self.looks += 1
        return super().look()


class Deaf:
    """A socket of a system that does not wait for more than an octet."""

    def __init__(self, socket: Any, takes: bool) -> None:
        """
        @param takes: whether it says that it will.
        """
        self._socket = socket
        self._takes = takes

    def setsockopt(self, *arguments: Any) -> None:
        if not self._takes:
            raise OSError(92, "Protocol not available")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


CHOSEN = ("choose", "b.example", b"h2")


class PeekingTests(LoopbackTestCase):
    """Eager transports."""

    transport: Any

    def opens(
        self, reads: bool = True, holding: bool = False
    ) -> tuple[Any, Any, Any, socket.socket]:
        """
        Connect a client.

        @return: what stands for it, what that tells, its protocol, and its socket.
        """
        self.transport, protocol, peer = self.connect()
        recording: Any = Recording(holding)
        opening = CountingOpening(protocol, recording, reads)
        opening.begin()
        return opening, recording, protocol, peer

    def lost(self, protocol: Any) -> None:
        """Wait for the end."""
        self.until(lambda: protocol.reason)

    def looked(self, opening: Any) -> None:
        """Wait for a look."""
        self.until(lambda: opening.looks)

    def heard(self, recording: Any) -> None:
        """Wait for what it is."""
        self.until(lambda: recording.told)

    def read(self, protocol: Any) -> None:
        """Wait for what is read."""
        self.until(lambda: protocol.received)

    def test_nothingIsRead(self) -> None:
        """Whoever the connection is for reads it from its first octet on."""
        opening, recording, protocol, peer = self.opens()
        self.assertIsNone(opening.look())
        peer.sendall(HELLO)
        self.read(protocol)
        self.assertEqual(recording.told, [CHOSEN])
        self.assertEqual(recording.left, b"")
        self.assertEqual(protocol.received, HELLO)
        self.assertEqual(self.lowWater(), 1)

    def lowWater(self) -> int:
        """How many octets the kernel waits for."""
        return int(self.transport.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT))

    def test_oneGlanceIsEnough(self) -> None:
        """Where it does not matter what a client of TLS says."""
        _, recording, protocol, peer = self.opens(reads=False)
        peer.sendall(HELLO[:1])
        self.read(protocol)
        self.assertEqual(recording.told, [("secure",)])
        self.assertEqual(protocol.received, HELLO[:1])

    def test_plainHTTP(self) -> None:
        """Is known by its first octets, and read by who has it then."""
        for reads in (False, True):
            _, recording, protocol, peer = self.opens(reads)
            peer.sendall(HTTP)
            self.read(protocol)
            self.assertEqual(recording.told, [("plain",)])
            self.assertEqual(protocol.received, HTTP)

    def test_incompleteOnesDoNotSpin(self) -> None:
        """
        The kernel is asked for what is missing, and is silent until it is there.

        A reactor asks as long as there is something to read.
        """
        opening, recording, protocol, peer = self.opens()
        peer.sendall(HELLO[:100])
        self.looked(opening)
        self.turn(50)
        self.assertEqual(opening.looks, 1)
        self.assertEqual(self.lowWater(), len(HELLO))
        for octet in HELLO[100:-1]:
            peer.sendall(bytes((octet,)))
            self.turn()
        self.assertLess(opening.looks, 3)
        self.assertEqual(recording.told, [])
        peer.sendall(HELLO[-1:])
        self.read(protocol)
        self.assertEqual(recording.told, [CHOSEN])
        self.assertEqual(recording.left, b"")
        self.assertEqual(protocol.received, HELLO)
        self.assertEqual(self.lowWater(), 1)

    def test_manyRecords(self) -> None:
        """One look for each part of a record that is missing."""
        opening, recording, protocol, peer = self.opens()
        cut = recut(HELLO, 60)
        peer.sendall(cut[:66])
        self.looked(opening)
        peer.sendall(cut[66:])
        self.read(protocol)
        self.assertEqual(recording.told, [CHOSEN])
        self.assertEqual(protocol.received, cut)
        self.assertLess(opening.looks, 4)

    def test_aKernelThatDoesNotWait(self) -> None:
        """There, what has come is taken, and handed on as it was."""
        for works in (True, False):
            opening, recording, protocol, peer = self.opens()
            self.transport.socket = Deaf(self.transport.socket, works)
            for index in range(0, len(HELLO), 50):
                peer.sendall(HELLO[index : index + 50])
                self.turn(10)
            self.heard(recording)
            self.assertEqual(recording.told, [CHOSEN])
            self.assertEqual(recording.left, HELLO)
            self.assertEqual(protocol.received, b"")
            self.assertLess(opening.looks, 3)
            self.assertIs(self.transport.protocol, protocol)

    def test_anEndBeforeItIsComplete(self) -> None:
        """In order or by a reset, with something said before or not: it is the end."""
        for octets in (b"", HELLO[:1], HELLO[:-1]):
            for resets in (False, True):
                opening, recording, protocol, peer = self.opens()
                if octets:
                    peer.sendall(octets)
                    self.looked(opening)
                if resets:
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                peer.close()
                self.lost(protocol)
                kind = ConnectionLost if resets else ConnectionDone
                self.assertIsInstance(protocol.reason.value, kind)
                self.assertEqual(protocol.told, ["lost"])
                self.assertEqual(recording.told, [])
                self.assertLess(opening.looks, 4)
                self.assertIsNone(opening.connection)

    def test_whatIsTooLongIsRefused(self) -> None:
        """As soon as that is known, and what there may be is bounded."""
        for octets in (
            b"\x16\x03\x01\x40\x00\x01\x00\x40\x00",
            records(message(bytes(LIMIT_OCTETS - 100)), 50),
        ):
            opening, recording, _, peer = self.opens()
            peer.sendall(octets)
            self.heard(recording)
            self.assertEqual(recording.told, [("refuse", 47)])
            self.assertLess(opening.looks, 100)

    def test_justBelowTheLimit(self) -> None:
        """All that is looked at and still no message: the next octet is too much."""
        opening, recording, _, peer = self.opens()
        octets = records(message(bytes(LIMIT_OCTETS - 100)), 500)
        peer.sendall(octets[: LIMIT_OCTETS - 1])
        self.turn(50)
        self.assertLess(opening.looks, 10)
        self.assertEqual(recording.told, [])
        peer.sendall(octets[LIMIT_OCTETS - 1 :] + bytes(10))
        self.heard(recording)
        self.assertEqual(recording.told, [("refuse", 47)])

    def test_garbage(self) -> None:
        """At its first octet."""
        _, recording, _, peer = self.opens()
        peer.sendall(b"\x00")
        self.heard(recording)
        self.assertEqual(recording.told, [("refuse", 10)])

    def test_held(self) -> None:
        """Nothing is read until somebody has it; then all of it is."""
        opening, recording, protocol, peer = self.opens(holding=True)
        peer.sendall(HELLO + b"early data")
        self.heard(recording)
        self.turn(20)
        self.assertEqual(opening.looks, 1)
        self.assertEqual(protocol.received, b"")
        self.assertEqual(opening.leave(), b"")
        self.read(protocol)
        self.assertEqual(protocol.received, HELLO + b"early data")

    def test_aborted(self) -> None:
        """From our side, before anything came and in the middle."""
        for octets in (b"", HELLO[:100]):
            opening, _, protocol, peer = self.opens()
            if octets:
                peer.sendall(octets)
                self.looked(opening)
            self.transport.abortConnection()
            self.lost(protocol)
            self.assertEqual(protocol.told, ["lost"])

    def test_noCycles(self) -> None:
        """It goes when it is over."""
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        for octets in (HELLO, HELLO[:100]):
            opening, _, protocol, peer = self.opens()
            peer.sendall(octets)
            self.looked(opening)
            self.transport.loseConnection()
            self.lost(protocol)
            transport = weakref.ref(self.transport)
            del self.transport, protocol.transport, opening, protocol
            self.assertIsNone(transport())

    def test_oneThatIsAboutToEnd(self) -> None:
        """Is left to its end."""
        peer, ours = socketPair()
        self.addCleanup(peer.close)
        port: Any = None
        protocol: Any = Recorder()
        transport = EagerServer(ours, protocol, ("127.0.0.1", 1), port, 0, self.reactor)
        protocol.makeConnection(transport)
        transport.abortConnection()
        recording = Recording()
        made: Any = Opening
        made(protocol, recording, True).begin()
        peer.sendall(HELLO)
        self.lost(protocol)
        self.assertEqual(recording.told, [])


class TakingTests(SynchronousTestCase):
    """All other transports, which leave nothing behind."""

    def opens(self, reads: bool = True, holding: bool = False, wrapped: bool = False) -> None:
        """Connect a client."""
        self.protocol: Any = Recorder()
        outermost: Any = self.protocol
        self.wrapper: Any = None
        if wrapped:
            factory: Any = WrappingFactory(Serving(self.protocol))
            outermost = self.wrapper = factory.buildProtocol(None)
        self.transport = MemoryTransport(outermost, Clock())
        outermost.makeConnection(self.transport)
        self.recording: Any = Recording(holding)
        made: Any = Opening
        self.opening: Opening = made(self.protocol, self.recording, reads)
        self.opening.begin()

    def test_itIsHandedOn(self) -> None:
        """All that was taken, when it is known what it is."""
        for size in (1, 100, len(HELLO)):
            self.opens()
            for index in range(0, len(HELLO), size):
                self.transport.arrive(HELLO[index : index + size])
            self.assertEqual(self.recording.told, [CHOSEN])
            self.assertEqual(self.recording.left, HELLO)
            self.transport.arrive(b"more")
            self.assertEqual(self.protocol.received, b"more")

    def test_aWrapper(self) -> None:
        """Such as the one that hears from a balancer who the client is."""
        self.opens(wrapped=True)
        self.transport.arrive(HELLO + b"more")
        self.assertEqual(self.recording.left, HELLO + b"more")
        self.assertIs(self.wrapper.wrappedProtocol, self.protocol)
        self.transport.lost(ConnectionDone())
        self.assertEqual(self.protocol.told, ["lost"])

    def test_oneGlanceIsEnough(self) -> None:
        """Where it does not matter what a client of TLS says."""
        self.opens(reads=False)
        self.transport.arrive(HELLO[:1])
        self.assertEqual(self.recording.told, [("secure",)])
        self.assertEqual(self.recording.left, HELLO[:1])

    def test_held(self) -> None:
        """What comes nevertheless waits with the rest."""
        self.opens(holding=True)
        self.transport.arrive(HELLO)
        self.assertTrue(self.transport.readPaused)
        self.opening.dataReceived(b"early data")
        self.assertEqual(self.opening.leave(), HELLO + b"early data")
        self.assertFalse(self.transport.readPaused)
        self.assertEqual(self.recording.told, [CHOSEN])

    def test_anEnd(self) -> None:
        """Is the connection's, whenever it comes."""
        for holding, octets in ((False, b""), (False, HELLO[:9]), (True, HELLO)):
            self.opens(holding=holding)
            self.transport.arrive(octets or HELLO[:1])
            self.transport.lost(ConnectionLost())
            self.assertEqual(self.protocol.told, ["lost"])
            self.assertIn("None", repr(self.opening))
            self.opening.connectionLost(Failure(ConnectionLost()))
            self.opening.hold()
            self.assertEqual(self.protocol.told, ["lost"])


class Serving:
    """A factory for one protocol."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol

    def buildProtocol(self, address: Any) -> Any:
        return self._protocol

    def doStart(self) -> None: ...

    def doStop(self) -> None: ...
