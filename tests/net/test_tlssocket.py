# -*- test-case-name: tests.net.test_tlssocket -*-
# mypy: disallow-untyped-calls=False
"""
L{intermediary.net.tlssocket} and L{intermediary.net.secured}: TLS on the socket.

What a protocol hears and what its peer gets is the same with Twisted's layer above the
transport, so those tests run with that as well.
"""

from __future__ import annotations

import gc
import socket
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IHandshakeListener,
    INegotiated,
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
    ISSLTransport,
    ITCPTransport,
    ITLSTransport,
)
from twisted.internet.task import Clock
from twisted.protocols import tls
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from intermediary.interfaces import ITLSPolicy
from intermediary.net.records import RECORD_OCTETS
from intermediary.net.servertls import ServerTLS
from intermediary.net.tlssending import FLIGHT_OCTETS, PAUSE_SECONDS, SEGMENT_OCTETS
from intermediary.net.tlssocket import CLOSE_SECONDS
from intermediary.net.transport import EagerServer, SecuredDialled, SecuredServer
from intermediary.settings import TLSSettings

from .certifying import made
from .loopback import Recorder
from .tlskeys import ALERT, APPLICATION, Speaker
from .tlspeers import MemoryClient
from .tlssockets import AcceptedWire, DialledWire

if TYPE_CHECKING:
    from collections.abc import Callable


@implementer(IHandshakeListener)
class Listening(Recorder):
    """Notes that a handshake is over, too."""

    def handshakeCompleted(self) -> None:
        self.told.append("shaken")


@implementer(IOpenSSLServerConnectionCreator, IOpenSSLClientConnectionCreator)
class Plain:
    """A context factory as Twisted's are."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self.make = make

    def serverConnectionForTLS(self, protocol: Any) -> Any:
        return self.made(self.make(None), protocol)

    clientConnectionForTLS = serverConnectionForTLS

    def made(self, connection: Any, protocol: Any) -> Any:
        connection.set_app_data(protocol)
        return connection


@implementer(ITLSPolicy)
class OnSocket(Plain):
    """One of ours."""

    def connectionOn(self, socket: Any) -> Any:
        return self.make(socket)


class Opaque:
    """A connection of which nothing but the public methods is to be seen."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.connection, name)


@implementer(ITLSPolicy)
class OnOpaque(Plain):
    """One of a pyOpenSSL that we don't know."""

    def connectionOn(self, socket: Any) -> Any:
        return Opaque(self.make(socket))


class Talk:
    """
    A server's connection and the client at its other end.

    @ivar client: the client, in memory.
    @ivar wire: what is between them.
    @ivar protocol: the server's.
    """

    def __init__(self, case: TLSTestCase, client: MemoryClient, protocol: Any = None) -> None:
        self.case = case
        self.client = client
        self.protocol: Any = protocol or Listening()
        self.wire = AcceptedWire(self.protocol, case.clock, "192.0.2.7")
        case.addCleanup(self.wire.close)
        self.transport = self.wire.eager
        self.protocol.makeConnection(self.transport)
        #: What the server has sent, as it was.
        self.raw = b""
        self.heard = b""

    def goesOn(self) -> Talk:
        """Carry octets both ways until there are none."""
        for _ in range(50):
            self.case.clock.advance(0)
            octets, self.wire.written = self.wire.written, b""
            self.raw += octets
            self.client.hears(octets)
            said = self.client.speaks()
            if self.client.done and self.client.error is None:
                self.heard += self.client.reads()
                said += self.client.speaks()
            if said and self.wire.connected:
                self.wire.arrive(said)
            elif not octets:
                break
        self.case.clock.advance(0)
        return self

    def says(self, octets: bytes) -> None:
        """Have the client say something."""
        while octets:
            octets = octets[self.client.connection.send(octets[:RECORD_OCTETS]) :]
        self.wire.arrive(self.client.speaks())

    def closes(self) -> None:
        """Have it say that this was all."""
        self.client.connection.shutdown()
        self.wire.arrive(self.client.speaks())
        self.case.clock.advance(0)

    def records(self) -> list[int]:
        """Give the sizes of the records of content that came since it was asked last."""
        self.raw = b""
        self.goesOn()
        return [size for kind, size in cut(self.raw) if kind == APPLICATION]

    @property
    def isToldTheEnd(self) -> bool:
        """Whether the client was sent a C{close_notify}."""
        self.goesOn()
        return bool(self.client.connection.get_shutdown() & SSL.RECEIVED_SHUTDOWN)

    @property
    def reason(self) -> Any:
        """What the protocol was told in the end: the class."""
        reason = self.protocol.reason
        return None if reason is None else type(reason.value)


def cut(octets: bytes) -> list[tuple[int, int]]:
    """Cut what TLS is sent in into records: of each the kind, and the octets inside."""
    found = []
    while octets:
        size = int.from_bytes(octets[3:5], "big")
        # A tag, and the kind of record (RFC 8446 §5.2).
        found.append((octets[0], size - 17))
        octets = octets[5 + size :]
    return found


class TLSTestCase(SynchronousTestCase):
    """Connections to a server that has a certificate."""

    #: How TLS is to be spoken.
    Policy: type[Plain] = OnSocket

    def setUp(self) -> None:
        self.clock = Clock()
        self.patch(tls, "_get_default_clock", lambda: self.clock)
        path = Path(self.mktemp())
        path.write_bytes(made("a.example").both)
        settings = TLSSettings(certificate=str(path))
        self.server = ServerTLS(self.clock, settings)
        self.policy: Any = self.Policy(self.server.connectionOn)

    def connect(self, **settings: Any) -> Talk:
        """Connect a client, which has said nothing yet, and begin."""
        talk = Talk(self, MemoryClient(b"a.example", (b"http/1.1",), **settings))
        talk.transport.startTLS(self.policy)
        return talk

    def shake(self, **settings: Any) -> Talk:
        """Connect one and shake hands."""
        talk = self.connect(**settings).goesOn()
        self.assertTrue(talk.client.done)
        return talk


class SameTests(TLSTestCase):
    """What is the same wherever TLS is: on the socket."""

    #: How protocols hear that it was us who broke off.
    aborted: tuple[Any, ...] = (ConnectionAborted,)

    def test_octetsGoBothWays(self) -> None:
        """After a handshake, of which the protocol hears."""
        for highest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            talk = self.shake(highest=highest)
            self.assertEqual(talk.protocol.told, ["shaken"])
            talk.says(b"hello")
            self.assertEqual(talk.protocol.received, b"hello")
            talk.transport.write(b"and ")
            talk.transport.writeSequence([b"he", b"llo"])
            talk.transport.write(b"")
            self.assertEqual(talk.goesOn().heard, b"and hello")

    def test_manyOctets(self) -> None:
        """Both ways at once, in order."""
        octets = bytes(range(256)) * 8000
        talk = self.shake()
        talk.transport.write(octets)
        talk.transport.writeSequence([octets[:100], octets[100:50000], octets[50000:]])
        for start in range(0, len(octets), 30000):
            talk.says(octets[start : start + 30000])
            talk.goesOn()
        talk.goesOn()
        self.assertEqual(len(talk.heard), 2 * len(octets))
        self.assertTrue(talk.heard == octets + octets)
        self.assertTrue(talk.protocol.received == octets)

    def test_whatIsKnownOfThePeer(self) -> None:
        """As much as of Twisted's."""
        talk = self.shake(certificate=None)
        transport = talk.transport
        self.assertTrue(ISSLTransport.providedBy(transport))
        self.assertTrue(transport.TLS)
        self.assertFalse(transport.ready)
        self.assertIsNone(transport.getPeerCertificate())
        self.assertEqual(transport.getHandle().get_servername(), b"a.example")
        self.assertEqual(transport.getHandle().get_alpn_proto_negotiated(), b"http/1.1")

    def test_aWriteBeforeTheHandshake(self) -> None:
        """It is sent after it."""
        talk = self.connect()
        talk.transport.write(b"he")
        talk.transport.writeSequence([b"l", b"lo"])
        self.assertEqual(talk.goesOn().heard, b"hello")

    def test_aPeerThatEnds(self) -> None:
        """What it said before is delivered, and the end is answered (RFC 8446 §6.1)."""
        talk = self.shake()
        talk.client.connection.send(b"last")
        talk.closes()
        self.assertEqual(talk.protocol.received, b"last")
        self.assertIs(talk.reason, ConnectionDone)
        self.assertEqual(talk.protocol.told, ["shaken", "lost"])
        self.assertTrue(talk.isToldTheEnd)

    def test_aPeerThatIsCutOff(self) -> None:
        """An end that was not said is none (RFC 8446 §6.1)."""
        talk = self.shake()
        talk.says(b"not all")
        talk.wire.lost(ConnectionDone())
        self.assertEqual(talk.protocol.received, b"not all")
        self.assertIs(talk.reason, ConnectionLost)

    def test_aPeerThatResets(self) -> None:
        """That is none either."""
        talk = self.shake()
        talk.wire.lost(ConnectionLost())
        self.assertIs(talk.reason, ConnectionLost)

    def test_anEndInTheHandshake(self) -> None:
        """Wherever that is."""
        hello = MemoryClient(b"a.example").speaks()
        for octets in (b"", hello[:3], hello[:-1], hello):
            talk = self.connect()
            talk.wire.arrive(octets)
            talk.wire.lost(ConnectionDone())
            self.assertIs(talk.reason, ConnectionLost)
            self.assertNotIn("shaken", talk.protocol.told)

    def test_aBrokenRecord(self) -> None:
        """The protocol hears what OpenSSL has found, and the client an alert."""
        talk = self.shake()
        talk.wire.arrive(b"\x17\x03\x03\x00\x20" + bytes(32))
        self.clock.advance(0)
        self.assertIs(talk.reason, SSL.Error)
        talk.goesOn()
        self.assertIn("bad record mac", str(talk.client.error))

    def test_whatIsNoTLS(self) -> None:
        """So in the handshake."""
        talk = self.connect()
        talk.wire.arrive(b"GET / HTTP/1.1\r\n\r\n")
        self.clock.advance(0)
        self.assertIs(talk.reason, SSL.Error)
        self.assertIn("http request", str(talk.protocol.reason.value))

    def test_anAlert(self) -> None:
        """The protocol hears which."""
        talk = self.connect()
        talk.wire.arrive(talk.client.speaks())
        talk.wire.arrive(b"\x15\x03\x03\x00\x02\x02\x30")
        self.clock.advance(0)
        self.assertIs(talk.reason, SSL.Error)
        self.assertIn("unknown ca", str(talk.protocol.reason.value))

    def test_loseConnection(self) -> None:
        """What was written before has left; then the peer ends, too."""
        talk = self.shake()
        talk.transport.write(b"last")
        talk.transport.loseConnection()
        self.assertIs(talk.reason, None)
        self.assertTrue(talk.isToldTheEnd)
        self.assertEqual(talk.heard, b"last")
        talk.says(b"this was on its way")
        self.assertEqual(talk.protocol.received, b"this was on its way")
        talk.closes()
        self.assertIs(talk.reason, ConnectionDone)

    def test_loseConnectionTwice(self) -> None:
        """Once is enough, and after the end, too."""
        talk = self.shake()
        talk.transport.loseConnection()
        talk.transport.loseConnection()
        talk.goesOn().closes()
        talk.transport.loseConnection()
        talk.transport.abortConnection()
        self.clock.advance(0)
        self.assertEqual(talk.protocol.told, ["shaken", "lost"])

    def test_loseConnectionWithMuchToSend(self) -> None:
        """All of it leaves before the end is said."""
        octets = bytes(1000) * 2000
        talk = self.shake()
        talk.transport.write(octets)
        talk.transport.loseConnection()
        talk.transport.write(b"this is too late")
        self.assertTrue(talk.isToldTheEnd)
        self.assertEqual(len(talk.heard), len(octets))
        talk.closes()
        self.assertIs(talk.reason, ConnectionDone)

    def test_loseConnectionWithAProducer(self) -> None:
        """It writes until it is unregistered."""
        talk = self.shake()
        talk.transport.registerProducer(talk.protocol, True)
        talk.transport.loseConnection()
        talk.transport.write(b"more")
        self.assertFalse(talk.isToldTheEnd)
        talk.transport.unregisterProducer()
        talk.transport.write(b"too late")
        self.assertTrue(talk.isToldTheEnd)
        self.assertEqual(talk.heard, b"more")
        talk.closes()
        self.assertIs(talk.reason, ConnectionDone)

    def test_loseConnectionBeforeTheHandshake(self) -> None:
        """There is nothing that it could be said by."""
        talk = self.connect()
        talk.transport.loseConnection()
        self.clock.advance(0)
        self.assertIn(talk.reason, self.aborted)

    def test_abortConnection(self) -> None:
        """The protocol hears of it afterwards, and gets nothing more."""
        talk = self.shake()
        talk.transport.abortConnection()
        talk.transport.write(b"nothing")
        self.assertIsNone(talk.reason)
        self.clock.advance(0)
        self.assertIn(talk.reason, self.aborted)

    def test_aVerificationThatFails(self) -> None:
        """By a callback that finds the transport as its connection's app data."""
        failure = Failure(ValueError("we don't like it"))

        def called(connection: Any, where: int, _: int) -> None:
            if where & SSL.SSL_CB_HANDSHAKE_DONE:
                connection.get_app_data().failVerification(failure)

        context = SSL.Context(SSL.TLS_METHOD)
        context.use_certificate(made("a.example").certificate)
        context.use_privatekey(made("a.example").privateKey)
        context.set_info_callback(called)

        def make(socket: Any) -> Any:
            connection = SSL.Connection(context, socket)
            connection.set_accept_state()
            return connection

        self.policy = self.Policy(make)
        talk = self.connect()
        talk.goesOn()
        self.assertIs(talk.protocol.reason, failure)
        self.assertEqual(talk.protocol.received, b"")
        self.assertTrue(talk.transport._aborting)

    def test_theProducerIsPausedAndResumed(self) -> None:
        """At the fill of any transport of Twisted's."""
        talk = self.shake()
        protocol, transport = talk.protocol, talk.transport
        transport.registerProducer(protocol, True)
        written = 0
        while "pause" not in protocol.told:
            transport.write(bytes(30000))
            self.clock.advance(0)
            written += 30000
            self.assertLess(written, 1 << 24)
        self.assertNotIn("resume", protocol.told)
        talk.goesOn()
        self.assertEqual(protocol.told, ["shaken", "pause", "resume"])
        self.assertEqual(len(talk.heard), written)
        talk.wire.lost(ConnectionDone())
        self.assertEqual(protocol.told[3:], ["stop", "lost"])

    def test_aPausedTransportIsNotRead(self) -> None:
        """All that has come is delivered later."""
        talk = self.shake()
        talk.transport.pauseProducing()
        talk.says(b"x" * 40000)
        self.assertEqual(talk.protocol.received, b"")
        talk.transport.resumeProducing()
        talk.wire.reactor.rest()
        self.assertEqual(len(talk.protocol.received), 40000)

    def test_aPausedHandshake(self) -> None:
        """It goes on later, too."""
        talk = self.connect()
        talk.transport.pauseProducing()
        talk.goesOn()
        self.assertFalse(talk.client.done)
        talk.transport.resumeProducing()
        self.assertTrue(talk.goesOn().client.done)

    def test_noRenegotiation(self) -> None:
        """A client that asks for another handshake gets none."""
        talk = self.shake(highest=SSL.TLS1_2_VERSION)
        talk.client.connection.renegotiate()
        talk.client.done = False
        talk.goesOn()
        self.assertIn("no renegotiation", str(talk.client.error))
        self.assertEqual(talk.protocol.told[:1], ["shaken"])
        self.assertNotEqual(talk.protocol.told[1:], ["shaken"])

    def test_writesAfterTheEnd(self) -> None:
        """They are nobody's."""
        talk = self.shake()
        talk.wire.lost(ConnectionDone())
        talk.transport.write(b"x")
        talk.transport.writeSequence([b"x", bytes(100000)])
        self.assertEqual(talk.protocol.told, ["shaken", "lost"])


class LayerTests(SameTests):
    """With Twisted's layer above the transport."""

    Policy = Plain
    aborted = (ConnectionLost,)

    def test_theLayerIsTwisteds(self) -> None:
        """It is the transport's protocol."""
        talk = self.shake()
        self.assertIsInstance(talk.transport.protocol, tls.TLSMemoryBIOProtocol)
        self.assertIs(type(talk.transport), EagerServer)


class PublicTests(SameTests):
    """On the socket, by the public methods of pyOpenSSL."""

    Policy = OnOpaque


class SocketTests(TLSTestCase):
    """What there is on the socket alone."""

    def test_interfaces(self) -> None:
        """Those of the transport that it was, and those of TLS."""
        talk = self.shake()
        self.assertIs(type(talk.transport), SecuredServer)
        for interface in (ITCPTransport, ITLSTransport, ISSLTransport, INegotiated):
            verifyObject(interface, talk.transport)
        self.assertEqual(talk.transport.negotiatedProtocol, b"http/1.1")
        self.assertIs(talk.transport.protocol, talk.protocol)
        self.assertEqual(talk.transport.getPeer().host, "192.0.2.7")
        without = Talk(self, MemoryClient(b"a.example"))
        without.transport.startTLS(self.policy)
        without.goesOn()
        self.assertIsNone(without.transport.negotiatedProtocol)

    def test_onceIsEnough(self) -> None:
        """TLS inside TLS is another transport's."""
        talk = self.shake()
        self.assertRaises(RuntimeError, talk.transport.startTLS, self.policy)

    def test_whatIsUnderWayIsWaitedFor(self) -> None:
        """What was written before it leaves as it is: by Twisted's layer, which can wait."""
        talk = Talk(self, MemoryClient(b"a.example"))
        written = 0
        while not talk.transport.dataBuffer:
            talk.transport.write(bytes(65536))
            written += 65536
        talk.transport.startTLS(self.policy)
        self.assertIs(type(talk.transport), EagerServer)
        self.assertEqual(len(talk.wire.written), written)

    def test_aPolicyThatFails(self) -> None:
        """The transport is what it was."""
        talk = Talk(self, MemoryClient(b"a.example"))
        self.policy = self.Policy(lambda socket: 1 / 0)
        self.assertRaises(ZeroDivisionError, talk.transport.startTLS, self.policy)
        self.assertFalse(talk.transport.TLS)
        talk.transport.write(b"as ever")
        self.assertEqual(talk.wire.written, b"as ever")

    def test_aPullProducer(self) -> None:
        """It is asked as long as it has something."""
        talk = self.shake()
        left = [b"a", b"b" * 100000, b"c"]

        class Pulled:
            def resumeProducing(self) -> None:
                if left:
                    talk.transport.write(left.pop(0))
                else:
                    talk.transport.unregisterProducer()

            def stopProducing(self) -> None:
                raise AssertionError

        talk.transport.registerProducer(Pulled(), False)
        for _ in range(20):
            talk.goesOn()
            if not left:
                break
        talk.goesOn()
        self.assertEqual(len(talk.heard), 100002)
        self.assertIsNone(talk.transport.producer)

    def test_anAbortInTheMiddle(self) -> None:
        """Of what is received, in the protocol itself."""
        talk = self.shake()
        talk.protocol.dataReceived = lambda data: talk.transport.abortConnection()
        talk.client.connection.send(b"x")
        talk.client.connection.shutdown()
        talk.wire.arrive(talk.client.speaks())
        self.assertIsNone(talk.reason)
        self.clock.advance(0)
        self.assertIs(talk.reason, ConnectionAborted)

    def test_anAbortLooksLikeNoEnd(self) -> None:
        """What the peer has is not all, so it is not told that it is."""
        talk = self.shake()
        talk.transport.write(b"the beginning")
        talk.transport.registerProducer(talk.protocol, True)
        talk.transport.loseConnection()
        talk.transport.abortConnection()
        talk.transport.unregisterProducer()
        talk.transport.loseConnection()
        self.clock.advance(0)
        self.assertFalse(talk.isToldTheEnd)
        self.assertEqual(talk.heard, b"the beginning")

    def test_noMethodOfTheProtocolFromInsideAWrite(self) -> None:
        """The reactor tells what it was that went wrong."""
        talk = self.shake()
        # More than one side takes, so that the other's octets meet nobody.
        talk.wire.peer.close()
        talk.transport.write(b"x")
        talk.transport.write(b"y")
        talk.transport.writeSequence([b"z" * 10000, b"z" * 10000])
        self.assertEqual(talk.protocol.told, ["shaken"])
        talk.wire.reactor.rest()
        self.assertEqual(talk.protocol.told, ["shaken", "lost"])
        self.assertIs(talk.reason, ConnectionLost)

    def test_whatFailedBehindWhatIsDelivered(self) -> None:
        """A write meanwhile does not change what it was."""
        talk = self.shake()
        talk.protocol.dataReceived = talk.transport.write
        talk.client.connection.send(bytes(2000))
        talk.wire.arrive(talk.client.speaks() + b"\x17\x03\x03\x00\x20" + bytes(32))
        self.assertIs(talk.reason, SSL.Error)
        self.assertIn("bad record mac", str(talk.protocol.reason.value))

    def test_anAnswerToWhoEnds(self) -> None:
        """It leaves, if it is there at once."""
        talk = self.shake()
        talk.protocol.dataReceived = lambda data: talk.transport.write(b"answer")
        talk.client.connection.send(bytes(2000))
        talk.client.connection.shutdown()
        talk.wire.arrive(talk.client.speaks())
        self.assertIs(talk.reason, ConnectionDone)
        self.assertTrue(talk.isToldTheEnd)
        self.assertEqual(talk.heard, b"answer")

    def test_aFailedWriteFromTheQueue(self) -> None:
        """Is told like any other."""
        talk = self.shake()
        while not talk.transport.dataBuffer:
            talk.transport.write(bytes(60000))
        talk.wire.peer.close()
        talk.wire.reactor.rest()
        self.assertIs(talk.reason, ConnectionLost)

    def test_thePeerHasItsTimeToClose(self) -> None:
        """Not for ever."""
        talk = self.shake()
        talk.transport.pauseProducing()
        talk.transport.loseConnection()
        self.assertTrue(talk.isToldTheEnd)
        self.clock.advance(CLOSE_SECONDS - 1)
        self.assertTrue(talk.wire.connected)
        self.clock.advance(1)
        self.assertIs(talk.reason, ConnectionDone)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_noTimerIsLeft(self) -> None:
        """Of a connection that ended."""
        talk = self.shake()
        talk.transport.loseConnection()
        talk.goesOn().wire.lost(ConnectionDone())
        self.assertIs(talk.reason, ConnectionLost)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_thereIsNoHalfClose(self) -> None:
        """Both ways are closed."""
        talk = self.shake()
        talk.transport.loseWriteConnection()
        self.assertTrue(talk.isToldTheEnd)
        talk.closes()
        self.assertEqual(talk.protocol.told, ["shaken", "lost"])
        self.assertIs(talk.reason, ConnectionDone)

    def test_anEndWithOctetsQueued(self) -> None:
        """They leave, although the peer says no more."""
        talk = self.shake()
        written = 0
        while not talk.transport.dataBuffer:
            talk.transport.write(bytes(60000))
            written += 60000
        talk.client.connection.send(b"bye")
        talk.client.connection.shutdown()
        talk.wire.peer.send(talk.client.speaks())
        talk.wire.reactor.turn()
        talk.wire.reactor.turn()
        self.assertIsNone(talk.reason)
        talk.transport.write(b"dropped")
        self.assertTrue(talk.isToldTheEnd)
        self.assertEqual(len(talk.heard), written)
        self.assertEqual(talk.protocol.received, b"bye")
        self.assertIs(talk.reason, ConnectionDone)

    def test_anAnswerToWhoDoesNotWaitForIt(self) -> None:
        """OpenSSL may say of a write that fails that the peer has ended."""
        speaker = Speaker()
        talk = self.shake(context=speaker.context)
        talk.protocol.dataReceived = lambda data: talk.transport.write(b"answer")
        said = speaker.newKeys(True) + speaker.record(APPLICATION, bytes(2000))
        talk.wire.peer.send(said + speaker.record(ALERT, b"\x01\x00"))
        talk.wire.peer.shutdown(socket.SHUT_RD)
        talk.wire.reactor.rest()
        self.assertIs(talk.reason, ConnectionLost)

    def test_writesBehindAnEndThatIsHalfSaid(self) -> None:
        """They mean nothing, also those of a producer that comes too late."""
        talk = self.shake()
        self.assertEqual(talk.wire.written, b"")
        size = 0
        try:
            while True:
                size += talk.transport.socket.send(bytes(1000))
        except BlockingIOError:
            talk.transport.loseConnection()
        talk.transport.registerProducer(talk.protocol, True)
        talk.transport.write(b"dropped")
        # The rest is what TLS has said.
        while size:
            size -= len(talk.wire.peer.recv(size))
        self.assertTrue(talk.isToldTheEnd)
        self.assertEqual(talk.heard, b"")
        self.assertIsNone(talk.reason)

    def test_aSmallWriteBehindAnswers(self) -> None:
        """It waits for them."""
        talk, _, _ = self.wantingKeys()
        talk.transport.write(b"y")
        self.assertTrue(talk.transport.dataBuffer)
        talk.goesOn()
        self.assertEqual(talk.heard, b"y")
        self.assertIsNone(talk.reason)

    def test_anEndInTheHandshakeWithOctetsQueued(self) -> None:
        """They never leave, so nothing waits for them."""
        talk = self.connect()
        talk.transport.write(b"early")
        talk.wire.arrive(talk.client.speaks())
        talk.wire.arrive(b"\x15\x03\x03\x00\x02\x01\x00")
        self.assertFalse(talk.wire.connected)
        self.assertIs(talk.reason, ConnectionDone)

    def wantingKeys(self) -> tuple[Talk, Speaker, bytes]:
        """
        Have a client ask for new keys, and read none of the answers.

        @return: with who speaks in its place from now on, and what that has to say first.
        """
        speaker = Speaker()
        talk = self.shake(context=speaker.context)
        for _ in range(3000):
            said = speaker.newKeys(True)
            try:
                self.assertEqual(talk.wire.peer.send(said), len(said))
            except BlockingIOError:
                return talk, speaker, said
            talk.wire.reactor.turn()
            talk.wire.reactor.turn()
        raise AssertionError("there is room for all the answers")

    def test_answersThatNobodyReads(self) -> None:
        """What the peer says has to wait for them, and the reactor has rest meanwhile."""
        talk, speaker, said = self.wantingKeys()
        talk.wire.reactor.rest()
        self.assertTrue(talk.wire.connected)
        talk.transport.pauseProducing()
        talk.transport.resumeProducing()
        talk.wire.reactor.rest()
        # As soon as it reads, it goes on.
        talk.goesOn()
        talk.wire.arrive(said + speaker.record(APPLICATION, b"x"))
        talk.transport.write(b"y")
        talk.goesOn()
        self.assertEqual((talk.protocol.received, talk.heard), (b"x", b"y"))

    def test_anEndBehindThem(self) -> None:
        """It is said when they have left, also by one that is paused."""
        for paused in (False, True):
            talk, _, _ = self.wantingKeys()
            if paused:
                talk.transport.pauseProducing()
            talk.transport.loseConnection()
            talk.wire.reactor.rest()
            self.assertTrue(talk.wire.connected)
            self.assertTrue(talk.isToldTheEnd)
            talk.wire.peer.close()
            talk.wire.reactor.rest()
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothingWaitsForTheGarbageCollector(self) -> None:
        """Neither after an end nor after a failure."""
        gc.disable()
        self.addCleanup(gc.enable)
        for octets in (b"", b"\x17\x03\x03\x00\x20" + bytes(32)):
            talk = self.shake()
            if octets:
                talk.wire.arrive(octets)
            else:
                talk.closes()
            self.assertFalse(talk.wire.connected)
            gone = weakref.ref(talk.transport)
            connection = weakref.ref(talk.transport.getHandle())
            talk.protocol.reason = None
            del talk.transport, talk.wire.eager, talk.protocol.transport
            self.assertIsNone(gone())
            self.assertIsNone(connection())


class ClientTests(TLSTestCase):
    """The other side: a client's connection on a socket."""

    def dial(self) -> None:
        """Connect to a server in memory."""
        self.wire = DialledWire(self.clock)
        self.addCleanup(self.wire.close)
        self.protocol = Listening()
        self.wire.eager.attach(self.protocol)

        def make(socket: Any) -> Any:
            connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD), socket)
            connection.set_connect_state()
            return connection

        self.transport = self.wire.eager
        self.transport.startTLS(OnSocket(make))
        self.peer = self.server.connectionOn(None)
        self.heard = b""

    def goesOn(self) -> None:
        """Carry octets both ways."""
        for _ in range(6):
            octets, self.wire.written = self.wire.written, b""
            if octets:
                self.peer.bio_write(octets)
            try:
                self.heard += self.peer.recv(100)
            except SSL.WantReadError:
                pass
            said = self.said()
            if said:
                self.wire.arrive(said)

    def said(self) -> bytes:
        """What the server sends."""
        try:
            return bytes(self.peer.bio_read(1 << 16))
        except SSL.WantReadError:
            return b""

    def test_aClientSpeaksFirst(self) -> None:
        """Then all is the same."""
        self.dial()
        self.assertIs(type(self.transport), SecuredDialled)
        self.transport.write(b"hello")
        self.goesOn()
        self.assertEqual(self.protocol.told, ["shaken"])
        self.assertEqual(self.heard, b"hello")

    def answerAndReset(self) -> None:
        """Have the server answer in two records, and close with octets of ours unread."""
        self.dial()
        self.goesOn()
        self.transport.write(b"the beginning of an upload")
        for octets in (b"the ", b"answer"):
            self.peer.send(octets)
        self.wire.peer.send(self.said())
        self.wire.peer.close()

    def test_theAnswerToAnUploadThatIsBrokenOff(self) -> None:
        """It is delivered before the end is told, however much was sent meanwhile."""
        for size in (20, 1000, 100000):
            self.answerAndReset()
            self.transport.write(bytes(size))
            self.transport.write(bytes(size))
            self.assertEqual(self.protocol.received, b"")
            self.assertEqual(self.protocol.told, ["shaken"])
            self.wire.reactor.rest()
            self.assertEqual(self.protocol.received, b"the answer")
            self.assertEqual(self.protocol.told, ["shaken", "lost"])
            reason: Any = self.protocol.reason
            self.assertIs(type(reason.value), ConnectionLost)

    def test_whatIsSaidToTheEndOfTheHandshakeAlone(self) -> None:
        """As a server does that does not like our certificate, and reads no request."""
        self.dial()
        hello, self.wire.written = self.wire.written, b""
        self.peer.bio_write(hello)
        self.assertRaises(SSL.WantReadError, self.peer.recv, 1)
        self.wire.arrive(self.said())
        self.assertEqual(self.protocol.told, ["shaken"])
        # It is left unread, so that a close is a reset.
        self.peer.bio_write(self.wire.peer.recv(1 << 16, socket.MSG_PEEK))
        self.assertRaises(SSL.WantReadError, self.peer.recv, 1)
        self.peer.send(b"no")
        self.wire.peer.send(self.said())
        self.wire.peer.close()
        self.transport.write(b"a request")
        self.wire.reactor.rest()
        self.assertEqual(self.protocol.received, b"no")
        self.assertEqual(self.protocol.told, ["shaken", "lost"])

    def test_theEndOfOneThatDoesNotRead(self) -> None:
        """It is told at once; and so to one that closes."""
        for end in (self.pause, self.lose):
            self.answerAndReset()
            end()
            self.transport.write(b"more")
            self.transport.loseConnection()
            self.wire.reactor.turn()
            self.wire.reactor.turn()
            reason: Any = self.protocol.reason
            self.assertIs(type(reason.value), ConnectionLost)

    def pause(self) -> None:
        """Read no more."""
        self.transport.pauseProducing()

    def lose(self) -> None:
        """Have a producer hold up an end."""
        self.transport.registerProducer(self.protocol, True)
        self.transport.loseConnection()
        self.transport.write(b"x")
        self.transport.unregisterProducer()

    def test_aResetThatFallsIntoTheQueue(self) -> None:
        """Nothing of it is tried any more."""
        self.dial()
        self.goesOn()
        self.transport.registerProducer(self.protocol, True)
        while "pause" not in self.protocol.told:
            self.transport.write(bytes(60000))
        self.peer.send(b"enough")
        self.wire.peer.send(self.said())
        self.wire.peer.close()
        self.wire.reactor.rest()
        self.assertEqual(self.protocol.received, b"enough")
        self.assertEqual(self.protocol.told, ["shaken", "pause", "stop", "lost"])


class RecordTests(TLSTestCase):
    """What is sent in which records."""

    def test_aSmallAnswerIsOne(self) -> None:
        """However it is written."""
        talk = self.shake()
        talk.records()
        talk.transport.write(bytes(1300))
        self.assertEqual(talk.records(), [1300])
        talk.transport.writeSequence([bytes(300), bytes(1000)])
        self.assertEqual(talk.records(), [1300])
        talk.transport.write(bytes(FLIGHT_OCTETS))
        self.assertEqual(talk.records(), [FLIGHT_OCTETS])

    def test_aLargeAnswerBeginsWithSmallOnes(self) -> None:
        """As much as the first flight, each in its segment; then as large as can be."""
        talk = self.shake()
        talk.records()
        talk.transport.write(bytes(100000))
        sizes = talk.records()
        small = -(-FLIGHT_OCTETS // SEGMENT_OCTETS)
        self.assertEqual(sizes[:small], [SEGMENT_OCTETS] * small)
        self.assertEqual(set(sizes[small:-1]), {RECORD_OCTETS})
        self.assertEqual(sum(sizes), 100000)

    def test_theNextDoesNot(self) -> None:
        """Unless there was a pause."""
        talk = self.shake()
        talk.transport.write(bytes(100000))
        talk.records()
        self.clock.advance(PAUSE_SECONDS / 2)
        talk.transport.write(bytes(32768))
        self.assertEqual(talk.records(), [RECORD_OCTETS] * 2)
        self.clock.advance(PAUSE_SECONDS)
        talk.transport.write(bytes(32768))
        self.assertEqual(talk.records()[0], SEGMENT_OCTETS)

    def test_piecesAreCutAnew(self) -> None:
        """No record is small because a piece was, but the last one."""
        talk = self.shake()
        talk.transport.write(bytes(FLIGHT_OCTETS + 1))
        talk.records()
        for pieces in (
            [300, 65536],
            [65536, 300],
            [16384, 16384, 1],
            [10, 20, 30, 40000, 5, 0, 6, 16385],
            [16383, 1, 16384],
            [0, 16385, 0],
            [1] * 20000,
        ):
            octets = [bytes([index % 251]) * size for index, size in enumerate(pieces)]
            talk.heard = b""
            talk.transport.writeSequence(octets)
            sizes = talk.records()
            self.assertEqual(set(sizes[:-1]), {RECORD_OCTETS}, pieces)
            self.assertTrue(talk.heard == b"".join(octets), pieces)


class FullTests(TLSTestCase):
    """A socket that takes no more."""

    def test_piecesAreOctets(self) -> None:
        """As everywhere: nothing is sent of others, nor of what comes before them."""
        talk = self.shake()
        odd: Any
        for odd in (bytearray(9000), memoryview(bytes(9000)), "x"):
            for first in (b"x", bytes(20000)):
                with self.assertRaises(TypeError):
                    talk.transport.writeSequence([first, odd])
        self.assertEqual(talk.goesOn().heard, b"")

    def test_nothingIsLost(self) -> None:
        """Whatever is written while the client reads as it likes."""
        talk = self.shake()
        talk.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)
        written = b""
        for index in range(400):
            octets = bytes([index % 251]) * (index * 37 % 5000 + index % 7 * 20000)
            written += octets
            if index % 3:
                talk.transport.write(octets)
            else:
                talk.transport.writeSequence([octets[:100], octets[100:20000], octets[20000:]])
            if index % 50 == 0:
                talk.goesOn()
            else:
                talk.wire.reactor.turn()
                talk.client.hears(talk.wire.peer.recv(3000))
        while len(talk.heard) < len(written):
            before = len(talk.heard)
            talk.goesOn()
            self.assertGreater(len(talk.heard), before)
        self.assertTrue(talk.heard == written)
        self.assertEqual(talk.transport.queuedOctets(), 0)

    def test_theEndWaits(self) -> None:
        """Until there is room for it."""
        talk = self.shake()
        talk.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)
        written = 0
        while not talk.transport.dataBuffer:
            talk.transport.write(bytes(500))
            written += 500
        talk.transport.loseConnection()
        self.assertTrue(talk.isToldTheEnd)
        self.assertEqual(len(talk.heard), written)
        talk.closes()
        self.assertIs(talk.reason, ConnectionDone)
