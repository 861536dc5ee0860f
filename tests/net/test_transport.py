# -*- test-case-name: tests.net.test_transport -*-
# mypy: disallow-untyped-calls=False
"""
Eager transports: that they send at once, and are Twisted's in all else.

Twisted's own tests of connections run with them here.
"""

from __future__ import annotations

import errno
import gc
import os
import socket
import struct
import tracemalloc
from typing import TYPE_CHECKING, Any

from OpenSSL import SSL
from twisted.internet import tcp, unix
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
    ITCPTransport,
    ITLSTransport,
)
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.protocol import ClientFactory, Factory, ServerFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest
from zope.interface import implementer
from zope.interface.verify import verifyObject

from intermediary.interfaces import ITLSPolicy
from intermediary.net import transport as transport_module
from intermediary.net.transport import (
    READ_OCTETS,
    EagerClient,
    EagerPort,
    EagerServer,
    eagerPort,
)
from tests.net.loopback import LoopbackTestCase, Recorder

try:
    # These two need PyHamcrest.
    from twisted.internet.test import test_tcp, test_tls
except ImportError:
    test_tcp = test_tls = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.test.reactormixins import ReactorBuilder
    from twisted.trial.unittest import SynchronousTestCase

    class Builder(ReactorBuilder, SynchronousTestCase):
        """What the classes made from a builder are."""

else:
    Builder = object


class EagerSetUp(Builder):
    """Makes every TCP connection of a test an eager one."""

    def setUp(self) -> None:
        """Put the eager transports in the place of Twisted's."""
        super().setUp()
        self.patch(tcp, "Port", EagerPort)
        self.patch(
            tcp.Connector,
            "_makeTransport",
            lambda self: EagerClient(self.host, self.port, self.bindAddress, self, self.reactor),
        )


def notEager(self: Any) -> None:
    """Counts on a write being queued although the socket would take it."""
    raise SkipTest("an eager transport has nothing queued here")


LEAN = "intermediary.net.reactor.LeanReactor"
STOCK = "twisted.internet.epollreactor.EPollReactor"
ASYNCIO = "twisted.internet.test.reactormixins.AsyncioSelectorReactor"


def runEagerly(builder: Any, *reactors: str, **overrides: Any) -> dict[str, Any]:
    """Make test cases of a reactor builder of Twisted's with eager transports."""
    made: Any = type(
        builder.__name__,
        (EagerSetUp, builder),
        {"_reactors": reactors, **overrides},
    )
    made.__module__ = __name__
    return dict(made.makeTestCaseClasses())


if test_tcp is not None:
    for _builder in (
        test_tcp.TCP4ClientTestsBuilder,
        test_tcp.TCP6ClientTestsBuilder,
        test_tcp.TCPPortTestsBuilder,
        test_tcp.TCPConnectionTestsBuilder,
        test_tcp.AbortConnectionTests,
        test_tls.StartTLSClientTestsMixin,
    ):
        globals().update(runEagerly(_builder, LEAN, STOCK, ASYNCIO))
    # Under asyncio these count on the answer to a close being queued when the
    # reset comes; here it is sent before, and the end is an orderly one.
    globals().update(runEagerly(test_tls.AbortSSLConnectionTests, LEAN, STOCK))
    globals().update(
        runEagerly(
            test_tcp.TCPTransportTestsBuilder,
            LEAN,
            STOCK,
            ASYNCIO,
            test_streamingProducer=notEager,
        )
    )
    del _builder

    @implementer(ITLSPolicy, IOpenSSLServerConnectionCreator, IOpenSSLClientConnectionCreator)
    class OnSocket:
        """A context factory of Twisted's tests, for TLS on the socket."""

        def __init__(self, factory: Any, client: bool) -> None:
            self._context = factory.getContext()
            self._client = client

        def connectionOn(self, socket: Any) -> SSL.Connection:
            connection = SSL.Connection(self._context, socket)
            (connection.set_connect_state if self._client else connection.set_accept_state)()
            return connection

        def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
            return self.connectionOn(None)

        clientConnectionForTLS = serverConnectionForTLS

    class Starting(ServerFactory):
        """Begins with TLS, whatever the protocol, as an endpoint with TLS does."""

        def __init__(self, factory: Any, policy: OnSocket) -> None:
            self._factory = factory
            self._policy = policy

        def buildProtocol(self, addr: Any) -> Any:
            protocol = self._factory.buildProtocol(addr)

            def connectionMade(made: Callable[[], None] = protocol.connectionMade) -> None:
                protocol.transport.startTLS(self._policy)
                made()

            protocol.connectionMade = connectionMade
            return protocol

    class StartingServer(TCP4ServerEndpoint):
        """Listens for TLS on sockets."""

        policy: OnSocket

        def listen(self, protocolFactory: Any) -> Any:
            return super().listen(Starting(protocolFactory, self.policy))

    class SocketTLSCreator(test_tls.StartTLSClientCreator):
        """Endpoints for TLS on sockets, on both sides."""

        def server(self, reactor: Any) -> Any:
            endpoint = StartingServer(reactor, 0)
            endpoint.policy = OnSocket(self.getServerContext(), client=False)
            return endpoint

        def client(self, reactor: Any, serverAddress: Any) -> Any:
            return test_tls.StartTLSClientEndpoint(
                TCP4ClientEndpoint(reactor, "127.0.0.1", serverAddress.port),
                OnSocket(self.getClientContext(), client=True),
            )

    class SocketTLSTests(test_tls.StartTLSClientTestsMixin):
        """Connections with TLS on sockets."""

        endpoints = SocketTLSCreator()

    class AbortSocketTLSTests(test_tls.AbortSSLConnectionTests):
        """Aborts of them."""

        endpoints: Any = SocketTLSCreator()

    globals().update(runEagerly(SocketTLSTests, LEAN, STOCK, ASYNCIO))
    globals().update(runEagerly(AbortSocketTLSTests, LEAN, STOCK, ASYNCIO))
    del SocketTLSTests, AbortSocketTLSTests
del notEager


class WriteTests(LoopbackTestCase):
    """L{EagerConnection.write} and C{writeSequence}."""

    def fill(self, transport: EagerServer, piece: bytes = b"x" * 65536) -> int:
        """Write until something is queued; give the number of octets written."""
        written = 0
        while not transport.queuedOctets():
            transport.write(piece)
            written += len(piece)
        return written

    def test_providesWhatTwistedsDo(self) -> None:
        """Both keep the interfaces of Twisted's own."""
        transport, _, _ = self.connect()
        verifyObject(ITCPTransport, transport)
        verifyObject(ITLSTransport, transport)
        self.assertIsInstance(transport, tcp.Server)
        self.assertTrue(issubclass(EagerClient, tcp.Client))

    def test_aWriteIsSentAtOnce(self) -> None:
        """With nothing queued, a write is sent before it returns."""
        transport, _, peer = self.connect()
        transport.write(b"octets")
        self.assertEqual(b"octets", peer.recv(100))
        self.assertEqual(0, transport.queuedOctets())
        self.assertEqual([], self.reactor.getWriters())

    def test_whatThePeerHasNotTakenIsCounted(self) -> None:
        """
        Also what waits in the kernel, so that a slow peer can be told from a dead
        one: it gets less with every read.
        """
        transport, _, peer = self.connect(buffer=8192)
        self.fill(transport)
        before = transport.unsentOctets()
        self.assertGreaterEqual(before, transport.queuedOctets())
        if transport_module.UNSENT_IN_KERNEL is None:
            return
        self.assertGreater(before, transport.queuedOctets())
        # Without a turn of the reactor: nothing leaves the queue.
        queued = transport.queuedOctets()
        taken = 0
        while transport.unsentOctets() == before and taken < 1 << 20:
            taken += len(peer.recv(4096))
        self.assertLess(transport.unsentOctets(), before)
        self.assertEqual(transport.queuedOctets(), queued)

    def test_piecesAreSentAtOnceAndInOrder(self) -> None:
        """A sequence is one send."""
        transport, _, peer = self.connect()
        transport.writeSequence([b"one ", b"", b"two ", b"three"])
        self.assertEqual(b"one two three", peer.recv(100))

    def test_manySmallPieces(self) -> None:
        """A sequence longer than the kernel gathers is sent all the same."""
        transport, _, peer = self.connect()
        transport.writeSequence(b"%d " % each for each in range(3000))
        self.assertEqual(
            b"".join(b"%d " % each for each in range(3000)),
            self.receive(peer, len(b"".join(b"%d " % each for each in range(3000)))),
        )

    def receive(self, peer: socket.socket, octets: int) -> bytes:
        """Read exactly so much, turning the reactor meanwhile."""
        received = b""
        while len(received) < octets:
            self.turn()
            received += peer.recv(octets - len(received))
        return received

    def test_nothingIsLostWhenThePeerIsSlow(self) -> None:
        """What the socket does not take is queued, in order, and sent later."""
        transport, _, peer = self.connect(buffer=8192)
        pieces = [os.urandom(each * 1000) for each in range(1, 100)]
        for piece in pieces[:50]:
            transport.write(piece)
        transport.writeSequence(pieces[50:])
        self.assertTrue(transport.queuedOctets())
        self.assertEqual([transport], self.reactor.getWriters())
        whole = b"".join(pieces)
        self.assertEqual(whole, self.receive(peer, len(whole)))
        self.turn(3)
        self.assertEqual(0, transport.queuedOctets())
        self.assertEqual([], self.reactor.getWriters())
        # And at once again.
        transport.write(b"more")
        self.assertEqual(b"more", peer.recv(100))

    def test_aSequenceThatIsCutAnywhereIsContinuedThere(self) -> None:
        """A partial send of several pieces queues the rest of them."""
        transport, _, peer = self.connect(buffer=8192)
        whole = b""
        for size in (1, 1000, 60000, 3, 200000, 17, 0, 65536):
            pieces = [os.urandom(size), b"-", os.urandom(size // 2)]
            transport.writeSequence(pieces)
            whole += b"".join(pieces)
        self.assertEqual(whole, self.receive(peer, len(whole)))

    def test_onlyBytes(self) -> None:
        """Anything but C{bytes} is a mistake, also where the kernel would take it."""
        transport, _, _ = self.connect()
        for wrong in ("text", bytearray(b"x"), memoryview(b"x"), None):
            self.assertRaises(TypeError, transport.write, wrong)
            self.assertRaises(TypeError, transport.writeSequence, [b"x", wrong])

    def test_theProducerIsPausedAndResumed(self) -> None:
        """More than C{bufferSize} in the queue pauses, an empty one resumes."""
        transport, protocol, peer = self.connect(buffer=8192)
        transport.registerProducer(protocol, True)
        written = self.fill(transport, b"x" * 1000)
        self.assertEqual([], protocol.told)
        transport.write(b"x" * transport.bufferSize)
        self.assertEqual(["pause"], protocol.told)
        self.receive(peer, written + transport.bufferSize)
        self.turn(3)
        self.assertEqual(["pause", "resume"], protocol.told)

    def test_whatIsSentDoesNotCountAsQueued(self) -> None:
        """Of a piece that was sent in part only the rest fills the buffer."""
        transport, protocol, _ = self.connect(buffer=8192)
        transport.registerProducer(protocol, True)
        transport.bufferSize = 300000
        transport.write(b"x" * 300001)
        self.assertTrue(transport.queuedOctets())
        self.assertEqual([], protocol.told)

    def test_aPullProducerIsAskedByTheReactor(self) -> None:
        """It is never asked from inside its own write, however fast the peer is."""
        transport, _, peer = self.connect()

        class Puller:
            depth = pulls = 0

            def resumeProducing(self) -> None:
                """Write one more piece."""
                self.depth += 1
                assert self.depth == 1
                self.pulls += 1
                transport.write(b"x")
                if self.pulls == 5:
                    transport.unregisterProducer()
                self.depth -= 1

            def stopProducing(self) -> None:
                """Not expected."""

        puller: Any = Puller()
        transport.registerProducer(puller, False)
        self.until(lambda: puller.pulls == 5)
        self.turn(3)
        self.assertEqual(b"xxxxx", self.receive(peer, 5))

    def test_aPullProducerOfASentWriteIsAskedToo(self) -> None:
        """What went before it may be on its way already: it is asked again."""
        transport, protocol, _ = self.connect()
        transport.write(b"before")
        transport.registerProducer(protocol, False)
        self.assertEqual(["resume"], protocol.told)
        self.turn()
        self.assertEqual(["resume", "resume"], protocol.told)

    def test_aFailedSendIsReportedByTheReactor(self) -> None:
        """No method of the protocol is called from inside C{write}."""
        transport, protocol, peer = self.connect()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        transport.write(b"x")
        transport.write(b"y")
        self.assertEqual([], protocol.told)
        self.until(lambda: protocol.reason)
        self.assertIsNotNone(protocol.reason.check(ConnectionLost))
        self.assertNotIn("read lost", protocol.told)

    def test_aResetIsNoOrderlyEndAlthoughTheSendWasToldOfIt(self) -> None:
        """
        The kernel tells an error once; the read after it sees an orderly end,
        which would make a cut-off response a complete one (RFC 9112 §8).
        """
        transport, _, peer = self.connect()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        transport.write(b"x")
        self.assertIs(CONNECTION_LOST, transport.doRead())

    def test_whatArrivedBeforeAFailedSendIsDelivered(self) -> None:
        """A final response that precedes the reset is not lost with it."""
        transport, protocol, peer = self.connect()
        transport.write(b"unread by the peer")
        peer.sendall(b"final response")
        # With unread data, this is a reset.
        peer.close()
        transport.write(b"x")
        transport.write(b"y")
        self.until(lambda: protocol.reason)
        self.assertEqual(b"final response", protocol.received)
        self.assertIsNotNone(protocol.reason.check(ConnectionLost))


class EndTests(LoopbackTestCase):
    """C{loseConnection}, C{loseWriteConnection} and C{abortConnection}."""

    def test_loseConnectionSendsWhatIsQueued(self) -> None:
        """It closes when everything written before it is sent."""
        transport, protocol, peer = self.connect(buffer=8192)
        transport.write(b"x" * 500000)
        transport.loseConnection()
        received = 0
        while data := peer.recv(65536):
            received += len(data)
            self.turn()
        self.assertEqual(500000, received)
        self.assertIsNotNone(protocol.reason.check(ConnectionDone))

    def test_loseConnectionIsNotReentrant(self) -> None:
        """The protocol hears of it from the reactor, even with nothing queued."""
        transport, protocol, _ = self.connect()
        transport.write(b"x")
        transport.loseConnection()
        self.assertEqual([], protocol.told)
        self.until(lambda: protocol.reason)

    def test_aCloseWithNothingQueuedWaitsForNoEvent(self) -> None:
        """The lean reactor closes in its next turn, without watching the socket."""
        transport, protocol, peer = self.connect()
        transport.loseConnection()
        transport.loseConnection()
        self.assertEqual([], self.reactor.getWriters())
        self.turn()
        self.assertEqual(["lost"], protocol.told)
        self.assertIsNotNone(protocol.reason.check(ConnectionDone))
        self.assertEqual(b"", peer.recv(100))

    def test_aWriteAfterLoseConnectionIsSentBefore(self) -> None:
        """As with any transport of Twisted's, also if it has to be queued."""
        transport, protocol, peer = self.connect(buffer=8192)
        transport.loseConnection()
        transport.write(b"x" * 500000)
        received = 0
        self.turn(3)
        self.assertEqual([], protocol.told)
        while data := peer.recv(65536):
            received += len(data)
            self.turn()
        self.assertEqual(500000, received)

    def test_anAbortAfterLoseConnectionAborts(self) -> None:
        """The close that was to come does not."""
        transport, protocol, peer = self.connect()
        transport.loseConnection()
        transport.abortConnection()
        self.until(lambda: protocol.reason)
        self.turn(2)
        self.assertEqual(["lost"], protocol.told)
        self.assertIsNotNone(protocol.reason.check(ConnectionAborted))
        self.assertRaises(ConnectionResetError, peer.recv, 100)

    def test_aReactorThatStopsDisconnectsWhatIsClosing(self) -> None:
        """What is about to be closed is among the reactor's selectables."""
        transport, _, _ = self.connect()
        transport.loseConnection()
        removed = self.reactor.removeAll()
        self.assertEqual(1, removed.count(transport))
        self.assertEqual([], self.reactor.removeAll())
        transport.connectionLost(Failure(ConnectionDone()))

    def test_whatAnEndSchedulesIsNotLate(self) -> None:
        """The turn that closes does not wait for events after that."""
        transport, protocol, _ = self.connect()
        called: list[int] = []
        protocol.connectionLost = lambda reason: self.reactor.callLater(0, called.append, 1)
        transport.loseConnection()
        self.reactor.doIteration(5)
        self.reactor.runUntilCurrent()
        self.assertEqual([1], called)

    def test_anEndThatRaisesKeepsNobodyWaiting(self) -> None:
        """It is logged, and the next one is closed."""
        one, failing, _ = self.connect()
        two, protocol, _ = self.connect()

        def connectionLost(reason: object) -> None:
            raise ZeroDivisionError

        failing.connectionLost = connectionLost
        one.loseConnection()
        two.loseConnection()
        self.turn()
        self.assertEqual(["lost"], protocol.told)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_loseWriteConnectionSendsWhatIsQueued(self) -> None:
        """The end of writing follows the last octet; reading goes on."""
        transport, protocol, peer = self.connect(buffer=8192)
        transport.write(b"x" * 500000)
        transport.loseWriteConnection()
        received = 0
        while data := peer.recv(65536):
            received += len(data)
            self.turn()
        self.assertEqual(500000, received)
        self.assertEqual(["write lost"], protocol.told)
        transport.write(b"ignored")
        transport.writeSequence([b"ignored", b"too"])
        peer.sendall(b"still")
        self.until(lambda: protocol.received)
        self.assertEqual(b"still", protocol.received)

    def test_aHalfCloseWithNothingQueuedWaitsForNoEvent(self) -> None:
        """The lean reactor ends writing in its next turn, and the protocol hears of it there."""
        transport, protocol, peer = self.connect()
        transport.loseWriteConnection()
        self.assertEqual([], self.reactor.getWriters())
        self.assertEqual([], protocol.told)
        self.turn()
        self.assertEqual(["write lost"], protocol.told)
        self.assertEqual(b"", peer.recv(100))
        peer.sendall(b"still")
        self.until(lambda: protocol.received)
        transport.loseConnection()
        self.assertEqual(["write lost", "lost"], protocol.told)
        self.assertIsNotNone(protocol.reason.check(ConnectionDone))

    def test_aWriteAfterLoseWriteConnectionIsSentBefore(self) -> None:
        """As with any transport of Twisted's, also if it has to be queued."""
        transport, protocol, peer = self.connect(buffer=8192)
        transport.loseWriteConnection()
        transport.write(b"x" * 500000)
        received = 0
        self.turn(3)
        self.assertEqual([], protocol.told)
        while data := peer.recv(65536):
            received += len(data)
            self.turn()
        self.assertEqual(500000, received)
        self.assertEqual(["write lost"], protocol.told)

    def test_bothEndsAtOnce(self) -> None:
        """C{loseConnection} after C{loseWriteConnection} is the end, told once."""
        transport, protocol, peer = self.connect()
        transport.loseWriteConnection()
        transport.loseConnection()
        self.assertEqual([], protocol.told)
        self.turn(2)
        self.assertEqual(["lost"], protocol.told)
        self.assertEqual(b"", peer.recv(100))

    def test_aHalfCloseThatRaisesEndsTheConnection(self) -> None:
        """Hearing of either end, a protocol may fail: that is logged, and is its end."""
        for method in ("readConnectionLost", "writeConnectionLost"):
            transport, protocol, peer = self.connect()

            def fail() -> None:
                raise ZeroDivisionError

            setattr(protocol, method, fail)
            peer.shutdown(socket.SHUT_WR)
            transport.loseWriteConnection()
            self.until(lambda protocol=protocol: protocol.reason)  # type: ignore[misc]
            self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
            self.assertIsNotNone(protocol.reason.check(ZeroDivisionError))

    def test_aCloseAtOnce(self) -> None:
        """With nothing to wait for, the end is there before the call returns."""
        transport, protocol, peer = self.connect()
        transport.write(b"last")
        self.assertTrue(transport.closeAtOnce())
        self.assertEqual(["lost"], protocol.told)
        self.assertIsNotNone(protocol.reason.check(ConnectionDone))
        self.assertEqual(b"last", peer.recv(100))
        self.assertEqual(b"", peer.recv(100))
        self.assertFalse(transport.closeAtOnce())
        self.turn(2)
        self.assertEqual(["lost"], protocol.told)

    def test_aCloseAtOnceAfterAHalfClose(self) -> None:
        """Nothing can be queued any more."""
        transport, protocol, _ = self.connect()
        self.assertTrue(transport.halfCloseAtOnce())
        self.assertTrue(transport.closeAtOnce())
        self.assertEqual(["lost"], protocol.told)

    def test_aHalfCloseAtOnce(self) -> None:
        """The peer reads to the end; the protocol is not told, and reading goes on."""
        transport, protocol, peer = self.connect()
        self.assertTrue(transport.halfCloseAtOnce())
        self.assertEqual(b"", peer.recv(100))
        self.assertFalse(transport.halfCloseAtOnce())
        transport.write(b"ignored")
        self.turn(2)
        self.assertEqual([], protocol.told)
        peer.sendall(b"still")
        self.until(lambda: protocol.received)

    def test_noEndAtOnceOfWhatIsQueued(self) -> None:
        """Nor of what is closing, aborts or has gone: nothing happens then."""
        full, _, _ = self.connect(buffer=8192)
        full.write(b"x" * 500000)
        closing, _, _ = self.connect()
        closing.loseConnection()
        aborting, _, _ = self.connect()
        aborting.abortConnection()
        gone, _, _ = self.connect()
        gone.connectionLost(Failure(ConnectionDone()))
        for transport in (full, closing, aborting, gone):
            self.assertFalse(transport.halfCloseAtOnce())
            self.assertFalse(transport.closeAtOnce())
        for transport in (full, closing, aborting):
            self.assertTrue(transport.connected)

    def test_aHalfCloseAtOnceOfWhatWasReset(self) -> None:
        """The reactor tells of the reset."""
        transport, protocol, peer = self.connect()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        transport.halfCloseAtOnce()
        self.until(lambda: protocol.reason)
        self.assertIsNotNone(protocol.reason.check(ConnectionLost))

    def test_aCloseWithUnreadOctetsEndsInOrder(self) -> None:
        """The peer reads what was written, and the end, although a close alone is a reset."""
        transport, protocol, peer = self.connect()
        peer.sendall(b"never read")
        transport.write(b"answer")
        transport.loseConnection()
        self.turn()
        self.assertEqual(["lost"], protocol.told)
        self.assertEqual(b"answer", peer.recv(100))
        self.assertEqual(b"", peer.recv(100))

    def test_anEndMakesNoDictionary(self) -> None:
        """The attributes of an end are in the layout of all connections from the first."""
        transports = [self.connect()[0] for _ in range(40)]
        for transport in transports:
            transport.peerEnded = True
            transport.halfCloseAtOnce()
            transport.closeAtOnce()
            self.assertNotIn(dict, [type(each) for each in gc.get_referents(transport)])

    def test_theProducerHearsOfTheEndFirst(self) -> None:
        """C{stopProducing} precedes C{connectionLost}; nothing is watched any more."""
        transport, protocol, _ = self.connect()
        transport.registerProducer(protocol, True)
        transport.startWriting()
        transport.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(["stop", "lost"], protocol.told)
        self.assertNotIn(transport, self.reactor.getReaders())
        self.assertNotIn(transport, self.reactor.getWriters())
        transport.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(["stop", "lost"], protocol.told)

    def test_thePeersHalfCloseLeavesWriting(self) -> None:
        """After the peer's FIN, writes are sent at once as before."""
        transport, protocol, peer = self.connect()
        peer.shutdown(socket.SHUT_WR)
        self.until(lambda: protocol.told)
        self.assertEqual(["read lost"], protocol.told)
        transport.write(b"answer")
        self.assertEqual(b"answer", peer.recv(100))

    def test_abortConnectionSendsNothingMore(self) -> None:
        """What is queued, and what is written afterwards, is dropped; the peer sees a reset."""
        transport, protocol, peer = self.connect()
        transport.abortConnection()
        transport.write(b"too late")
        transport.writeSequence([b"too", b"late"])
        self.assertEqual([], protocol.told)
        self.until(lambda: protocol.reason)
        self.assertIsNotNone(protocol.reason.check(ConnectionAborted))
        self.assertRaises(ConnectionResetError, peer.recv, 100)

    def test_aLostConnectionTakesNoWrites(self) -> None:
        """Writes after the end do nothing."""
        transport, protocol, peer = self.connect()
        peer.close()
        transport.loseConnection()
        self.until(lambda: protocol.reason)
        transport.write(b"x")
        transport.writeSequence([b"x", b"y"])
        transport.loseConnection()
        transport.abortConnection()
        self.turn(2)
        self.assertEqual(1, protocol.told.count("lost"))


class ReadTests(LoopbackTestCase):
    """L{EagerConnection.doRead}."""

    def test_aPieceHasItsBounds(self) -> None:
        """However much has arrived."""
        _, protocol, peer = self.connect()
        pieces: list[int] = []
        protocol.dataReceived = lambda data: pieces.append(len(data))
        peer.setblocking(False)
        sent = peer.send(b"x" * 1000000)
        self.until(lambda: sum(pieces) == sent)
        self.assertEqual(READ_OCTETS, max(pieces))

    def test_aSpuriousEventIsNothing(self) -> None:
        """Nothing to read is no end."""
        transport, protocol, _ = self.connect()
        self.assertIsNone(transport.doRead())
        self.assertEqual([], protocol.told)


class ServerTests(LoopbackTestCase):
    """What L{EagerServer} leaves out."""

    def test_itDescribesItselfAsTwistedsDoes(self) -> None:
        """The log prefix, the C{repr} and the addresses are those of L{tcp.Server}."""
        described = []
        for kind in (tcp.Server, EagerServer):
            factory = Factory.forProtocol(Recorder)
            port = self.reactor.listenTCP(0, factory, interface="127.0.0.1")
            self.patch(port, "transport", kind)
            made: list[Any] = [Recorder()]
            self.patch(factory, "buildProtocol", lambda addr, made=made: made[0])
            peer = socket.create_connection(("127.0.0.1", port.getHost().port))
            self.addCleanup(peer.close)
            self.until(lambda made=made: made[0].transport)  # type: ignore[misc]
            transport = made[0].transport
            self.assertIs(kind, type(transport))
            described.append(
                (
                    transport.logPrefix(),
                    repr(transport).replace(str(port.getHost().port), "PORT"),
                    transport.getPeer().host,
                    transport.getPeer().port == peer.getsockname()[1],
                    transport.getHost() == port.getHost(),
                    transport.hostname,
                    transport.getTcpNoDelay(),
                )
            )
            port.stopListening()
        self.assertEqual(described[0], described[1])

    def test_itDescribesItselfAfterItsEnd(self) -> None:
        """A log line that comes late does not fail."""
        transport, protocol, peer = self.connect()
        peer.close()
        transport.loseConnection()
        self.until(lambda: protocol.reason)
        self.assertIsInstance(transport.logPrefix(), str)
        self.assertIsInstance(repr(transport), str)

    def test_aPortMadeEager(self) -> None:
        """Its connections are eager and wait for nothing (TCP_NODELAY)."""
        protocol = Recorder()
        factory = Factory()
        self.patch(factory, "buildProtocol", lambda addr: protocol)
        port = self.reactor.listenTCP(0, factory, interface="127.0.0.1")
        eagerPort(port)
        peer = socket.create_connection(("127.0.0.1", port.getHost().port))
        self.addCleanup(peer.close)
        self.until(lambda: protocol.transport)
        transport: Any = protocol.transport
        self.assertIs(EagerServer, type(transport))
        self.assertTrue(transport.getTcpNoDelay())
        port.stopListening()

    def accept(self, buildProtocol: Any, interface: str = "127.0.0.1") -> Any:
        """Listen with an eager port that makes protocols like this."""
        factory = Factory()
        factory.noisy = False
        self.patch(factory, "buildProtocol", buildProtocol)
        port = self.reactor.listenTCP(0, factory, interface=interface)
        self.addCleanup(self.turn)
        self.addCleanup(port.stopListening)
        eagerPort(port)
        return port

    def knock(self, port: Any) -> socket.socket:
        """Connect to a port."""
        peer = socket.create_connection((port.getHost().host, port.getHost().port))
        peer.settimeout(10)
        self.addCleanup(peer.close)
        return peer

    def test_anEagerPortTellsAddresses(self) -> None:
        """The factory and the transport know the peer, by either family."""
        for interface, kind in (("127.0.0.1", IPv4Address), ("::1", IPv6Address)):
            protocol = Recorder()
            told: list[Any] = []

            def build(address: Any, told: list[Any] = told, made: Any = protocol) -> Any:
                told.append(address)
                return made

            peer = self.knock(self.accept(build, interface))
            self.until(lambda made=protocol: made.transport)  # type: ignore[misc]
            transport: Any = protocol.transport
            self.assertEqual([kind("TCP", *peer.getsockname())], told)
            self.assertEqual(told[0], transport.getPeer())

    def test_aFactoryMayIgnoreAddresses(self) -> None:
        """None is made for it then; the transport knows it all the same."""
        protocol = Recorder()
        told: list[Any] = []

        def build(address: Any) -> Any:
            told.append(address)
            return protocol

        port = self.accept(build)
        port.factory.ignoresAddress = True
        peer = self.knock(port)
        self.until(lambda: protocol.transport)
        transport: Any = protocol.transport
        self.assertEqual([None], told)
        self.assertEqual(IPv4Address("TCP", *peer.getsockname()), transport.getPeer())

    def test_theHandleIsASocketOfPythons(self) -> None:
        """Accepted sockets are plainer, until somebody asks for one; nothing is lost by it."""
        protocol = Recorder()
        peer = self.knock(self.accept(lambda address: protocol))
        self.until(lambda: protocol.transport)
        transport: Any = protocol.transport
        peer.sendall(b"before")
        self.until(lambda: protocol.received)
        handle = transport.getHandle()
        self.assertIsInstance(handle, socket.socket)
        self.assertIs(handle, transport.getHandle())
        self.assertEqual(socket.AF_INET, handle.family)
        self.assertEqual(0, handle.gettimeout())
        self.assertEqual(handle.fileno(), transport.fileno())
        peer.sendall(b" and after")
        self.until(lambda: protocol.received == b"before and after")
        transport.write(b"answer")
        self.assertEqual(b"answer", peer.recv(100))
        transport.loseConnection()
        self.until(lambda: protocol.reason)
        self.assertEqual(b"", peer.recv(100))

    def test_anEagerPortTurnsAway(self) -> None:
        """A client for whom there is no protocol is closed at once, the next one is served."""
        answers = [None, Recorder()]
        port = self.accept(lambda address: answers.pop(0))
        peers = [self.knock(port), self.knock(port)]
        self.until(lambda: not answers)
        self.assertEqual(b"", peers[0].recv(100))
        self.assertEqual([port], [each for each in self.reactor.getReaders() if each is port])

    def test_anEagerPortSurvivesItsFactory(self) -> None:
        """A factory that raises is logged, and the port goes on."""
        made: list[Any] = [None, Recorder()]

        def build(address: Any) -> Any:
            one = made.pop(0)
            if one is None:
                raise ZeroDivisionError
            return one

        port = self.accept(build)
        peers = [self.knock(port), self.knock(port)]
        self.until(lambda: not made)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
        self.assertEqual(b"", peers[0].recv(100))

    def test_anEagerPortAcceptsWhoIsWaiting(self) -> None:
        """However many come at once, all are served; how many, is asked for next time."""
        made: list[Recorder] = []

        def build(address: Any) -> Any:
            made.append(Recorder())
            return made[-1]

        port = self.accept(build)
        peers = [self.knock(port) for _ in range(7)]
        self.turn()
        self.assertEqual(7, len(made))
        self.assertEqual(7, port.numberAccepts)
        self.assertEqual(7, len(peers))

    def test_errorsOfAcceptAreTwistedsToHandle(self) -> None:
        """Without descriptors, Twisted's port gives up the one in reserve to close clients."""
        port = self.accept(lambda address: Recorder())
        asked: list[Any] = []

        def doRead(port: Any) -> None:
            asked.append(port)

        self.patch(tcp.Port, "doRead", doRead)

        class Failing(socket.socket):
            def _accept(self) -> None:
                raise OSError(errno.EMFILE, "Too many open files")

        self.knock(port)
        failing = Failing(fileno=port.socket.detach())
        port.socket, port.fileno = failing, failing.fileno
        self.turn()
        self.assertEqual([port], asked)

    def test_otherPortsAreLeftAlone(self) -> None:
        """A UNIX port has transports of its own, and so has anything else."""
        port = self.reactor.listenUNIX(self.mktemp(), Factory())
        eagerPort(port)
        self.assertIs(unix.Server, port.transport)
        port.stopListening()
        eagerPort(object())  # type: ignore[arg-type]

    def test_itIsSmall(self) -> None:
        """
        An idle connection costs its transport little.

        The socket object and the reactor's entries are included; with
        C{tcp.Server} it is half as much again.
        """
        self.connect()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before = tracemalloc.get_traced_memory()[0]
        protocol = Recorder()
        keep = [self.connect(protocol) for _ in range(20)]
        size = (tracemalloc.get_traced_memory()[0] - before) / len(keep)
        # The peer's socket and a cleanup are counted in.
        self.assertLess(size, 1500)


class ClientTests(LoopbackTestCase):
    """L{EagerClient}."""

    def test_itWritesFromTheFirstOctet(self) -> None:
        """A protocol may write in connectionMade, and that is sent at once."""
        self.patch(
            tcp.Connector,
            "_makeTransport",
            lambda self: EagerClient(self.host, self.port, self.bindAddress, self, self.reactor),
        )
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        protocol = Recorder()
        protocol.connectionMade = lambda: protocol.transport.write(b"hello")  # type: ignore[method-assign, union-attr]
        factory = ClientFactory()
        factory.noisy = False
        factory.buildProtocol = lambda addr: protocol  # type: ignore[method-assign]
        self.reactor.connectTCP("127.0.0.1", listening.getsockname()[1], factory)
        self.until(lambda: protocol.transport)
        listening.settimeout(10)
        accepted, _ = listening.accept()
        self.addCleanup(accepted.close)
        accepted.settimeout(10)
        self.assertEqual(b"hello", accepted.recv(100))
        self.assertEqual("Recorder,client", protocol.transport.logPrefix())  # type: ignore[union-attr]
