# -*- test-case-name: tests.net.test_handshakes -*-
"""
L{intermediary.net.handshakes}: clients of a front with TLS, from their first octet.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.protocols.policies import WrappingFactory
from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import ConnectionRefused
from intermediary.net.handshakes import QUIET_SECONDS, speakTLS
from intermediary.net.servertls import ServerTLS
from intermediary.ops.endpoints import ReverseProxyFactory
from intermediary.settings import ReverseSettings, Timeouts, TLSSettings

from ..scenario import DATE, VIA, MemoryTransport, Scenario, Side
from .certifying import made
from .loopback import LoopbackTestCase
from .tlspeers import MemoryClient
from .tlssockets import AcceptedWire

#: What fronts say of handshakes when there are none.
SILENCE = "<Handshakes site 0 waiting=0>"


class TLSTransport(MemoryTransport):
    """A transport that its layers may tell to close when it has a producer."""

    def loseConnection(self) -> None:
        # It is streaming and not paused, and then Twisted's does not wait for it.
        producer, self.producer = self.producer, None
        super().loseConnection()
        self.producer = producer

    def lost(self, reason: BaseException) -> None:
        if self.connected:
            producer, self.producer = self.producer, None
            if producer is not None:
                producer.stopProducing()
            super().lost(reason)


class TLSSide(Side):
    """
    A client that speaks TLS, or does not.

    The front may meet it above a wrapper, as above that of C{haproxy:}.
    """

    tls: Any = None

    def __init__(self, case: SynchronousTestCase, clock: Any, protocol: Any, host: str) -> None:
        self.case = case
        self.clock = clock
        self.transport = TLSTransport(protocol, clock, host)
        protocol.makeConnection(self.transport)

    def begins(self, client: MemoryClient | None = None) -> TLSSide:
        """Say the first octets of a handshake."""
        self.tls = client or MemoryClient(b"a.example", (b"http/1.1",))
        self.transport.arrive(self.tls.speaks())
        self.settle()
        return self

    def shakes(self, client: MemoryClient | None = None) -> TLSSide:
        """Shake hands."""
        self.begins(client)
        self.goesOn()
        self.case.assertTrue(self.tls.done)
        return self

    def goesOn(self, times: int = 4) -> None:
        """Exchange octets until there are no more, or so often."""
        for _ in range(times):
            self.settle()
            self.tls.hears(super().takes())
            octets = self.tls.speaks()
            if octets:
                self.transport.arrive(octets)

    def says(self, *lines: bytes) -> None:
        """Say something above TLS."""
        self.tls.connection.send(b"\r\n".join(lines))
        self.transport.arrive(self.tls.connection.bio_read(1 << 20))
        self.settle()

    def takes(self, octets: int | None = None) -> bytes:
        """Look at all that was said above TLS."""
        heard = super().takes(octets)
        if self.tls is None:
            return heard
        self.tls.hears(heard)
        return bytes(self.tls.reads())

    @property
    def isToldTheEnd(self) -> bool:
        """Whether it was sent the alert that closes (RFC 8446 §6.1)."""
        self.takes()
        return bool(self.tls.connection.get_shutdown() & SSL.RECEIVED_SHUTDOWN)


class TLSScenario(Scenario):
    """A front with TLS."""

    def settings(self, **settings: Any) -> TLSSettings:
        """Make a certificate and name it."""
        path = Path(self.case.mktemp())
        path.write_bytes(made("a.example").both)
        return TLSSettings(certificate=str(path), **settings)

    def connects(self, wrapped: bool = True) -> TLSSide:
        """
        Connect a client.

        @param wrapped: whether the front meets it above a wrapper.
        """
        address = IPv4Address("TCP", "192.0.2.7", 4321)
        factory: Any = WrappingFactory(self.front) if wrapped else self.front
        protocol = factory.buildProtocol(address)
        side = TLSSide(self.case, self.clock, protocol, "192.0.2.7")
        self.sides.append(side)
        return side


class SocketSide(TLSSide):
    """A client of an eager transport, which speaks TLS on its socket."""

    def __init__(self, case: SynchronousTestCase, clock: Any, protocol: Any, host: str) -> None:
        self.case = case
        self.clock = clock
        self.transport: Any = AcceptedWire(protocol, clock, host)
        protocol.makeConnection(self.transport.eager)

    def settle(self) -> None:
        """Let what waits for the next turn happen."""
        super().settle()
        self.transport.reactor.rest()
        super().settle()

    def closes(self) -> None:
        """Close the connection from this side, both ways at once."""
        self.transport.lost(ConnectionDone())
        self.settle()


class SocketScenario(TLSScenario):
    """A front whose clients have sockets."""

    def __init__(self, case: SynchronousTestCase) -> None:
        case.addCleanup(self.close)
        super().__init__(case)

    def close(self) -> None:
        """Close the sockets."""
        for side in self.sides:
            if isinstance(side, SocketSide):
                side.transport.close()

    def connects(self, wrapped: bool = False) -> TLSSide:
        """Connect a client; there is never a wrapper."""
        side = SocketSide(self.case, self.clock, self.front.buildProtocol(None), "192.0.2.7")
        self.sides.append(side)
        return side


class HandshakeTests(SynchronousTestCase):
    """What precedes the first request."""

    Scenario: type[TLSScenario] = TLSScenario

    def site(self, timeouts: Timeouts | None = None, **settings: Any) -> TLSScenario:
        """A reverse front with TLS."""
        scenario = self.Scenario(self)
        tls = scenario.settings(**settings)
        scenario.reverse(tls=tls, timeouts=timeouts or Timeouts())
        return scenario

    def test_anExchange(self) -> None:
        """The origin hears that the client spoke TLS."""
        scenario = self.site()
        client = scenario.connects().shakes()
        client.says(b"GET / HTTP/1.1", b"Host: a.example", b"", b"")
        origin = scenario.accepts()
        origin.gets(
            b"GET / HTTP/1.1",
            b"Host: a.example",
            VIA,
            b"Forwarded: for=192.0.2.7;host=a.example;proto=https",
            ...,
            b"X-Forwarded-Proto: https",
            ...,
            b"",
            b"",
        )
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 2", b"", b"hi")
        client.gets(b"HTTP/1.1 200 OK", VIA, DATE, b"Content-Length: 2", b"", b"hi")
        self.assertTrue(scenario.records[0].secure)

    def test_aForwardFrontToo(self) -> None:
        """An HTTPS listener for a proxy."""
        scenario = self.Scenario(self)
        scenario.forward(tls=scenario.settings())
        client = scenario.connects().shakes()
        client.says(b"GET http://b.example/ HTTP/1.1", b"Host: b.example", b"", b"")
        scenario.refuses(ConnectionRefused(), "http://b.example:80")
        client.getsError(502, "connection_refused")

    def test_theTimeForARequestBeginsAfterIt(self) -> None:
        """The handshake has its own."""
        scenario = self.site(Timeouts(requestHeadSeconds=30), handshakeSeconds=10)
        client = scenario.connects()
        scenario.passes(9)
        client.shakes()
        scenario.passes(29)
        self.assertFalse(client.isToldTheEnd)
        scenario.passes(2)
        self.assertTrue(client.isToldTheEnd)

    def test_aSlowOneIsEnded(self) -> None:
        """An octet a second does not make it longer."""
        scenario = self.site(handshakeSeconds=5)
        client = scenario.connects()
        octets = MemoryClient(b"a.example").speaks()
        with capturedLogs() as events:
            for index in range(7):
                client.transport.arrive(octets[index : index + 1])
                scenario.passes(1)
        client.sees("aborted")
        (event,) = events
        self.assertEqual(event["why"], "it took too long")
        self.assertEqual(event["peer"], "192.0.2.7")
        self.assertNotIn("log_failure", event)

    def failing(self, octets: bytes) -> list[str]:
        """
        Say something that is no TLS.

        @return: what the log has of it.
        """
        scenario = self.site()
        client = scenario.connects()
        with capturedLogs() as events:
            client.transport.arrive(octets)
            client.settle()
            client.takes()  # an alert, perhaps
        self.assertFalse(client.transport.connected)
        self.assertEqual(scenario.front.connections, 0)
        self.assertEqual(self.flushLoggedErrors(), [])
        return [each["why"] for each in events]

    def test_plainHTTPIsAnswered(self) -> None:
        """Without TLS, as that is what it speaks; the log says what it was."""
        for octets in (
            b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
            b"P",
            b"VERSION-CONTROL /x HTTP/1.1\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ):
            scenario = self.site()
            client = scenario.connects()
            with capturedLogs() as events:
                client.transport.arrive(octets)
                client.getsError(400, "http_request_error", close=True)
            self.assertEqual([each["why"] for each in events], ["it speaks HTTP without TLS"])
            client.sees("half-closed")
            (record,) = scenario.records
            self.assertEqual((record.status, record.peerHost), (400, "192.0.2.7"))
            self.assertFalse(record.secure)
            self.assertIn("without TLS", str(record.error))
            self.assertEqual(repr(scenario.front._listener.handshakes), SILENCE)

    def test_plainHTTPIsReadOn(self) -> None:
        """A close with octets unread would be a reset, and cost the client the reply."""
        scenario = self.site()
        client = scenario.connects()
        with capturedLogs():
            client.transport.arrive(b"POST / HTTP/1.1\r\nContent-Length: 5000\r\n\r\n")
            client.getsError(400, "http_request_error", close=True)
        client.transport.arrive(bytes(5000))
        client.sees("half-closed")
        client.getsNothing()
        client.closes()
        self.assertEqual(len(scenario.records), 1)

    def test_garbageIsEnded(self) -> None:
        """With one line, and without a traceback."""
        for octets in (b"\x00" * 64, b"\x16\x03\x01\xff\xff" + b"\x01" * 5, b"\x80" * 300):
            self.assertEqual(len(self.failing(octets)), 1)

    def test_aGiantHelloIsEnded(self) -> None:
        """OpenSSL takes 128 KiB at most."""
        hello = b"\x01" + struct.pack(">I", 1 << 20)[1:]
        record = b"\x16\x03\x01" + struct.pack(">H", len(hello) + 1000) + hello + bytes(1000)
        self.assertEqual(len(self.failing(record)), 1)

    def test_whoLooksIsNotInTheLog(self) -> None:
        """A monitor connects and closes; others reset in the middle."""
        scenario = self.site()
        with capturedLogs() as events:
            scenario.connects().closes()
            scenario.connects().resets()
            half = scenario.connects().begins()
            half.resets()
        self.assertEqual(events, [])
        self.assertEqual(scenario.front.connections, 0)

    def test_anAbruptEndAtEachMessage(self) -> None:
        """Nothing is left of it, wherever it is."""
        for count in range(1, 900, 60):
            scenario = self.site()
            client = scenario.connects()
            octets = MemoryClient(b"a.example").speaks()
            client.transport.arrive(octets[:count])
            client.settle()
            client.resets()
            self.assertEqual(scenario.front.connections, 0)
        shaken = self.site().connects().shakes()
        shaken.resets()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_anEndAfterEachFlight(self) -> None:
        """However it comes: a reset, a close, silence, what makes no sense, half of a record."""
        nonsense = b"\x16\x03\x03\x00\x05hello"
        for highest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            for flights in range(4):
                for said in (None, b"", nonsense, nonsense[:7], bytes(20000)):
                    scenario = self.site(Timeouts(requestHeadSeconds=10), handshakeSeconds=5)
                    client = scenario.connects()
                    client.tls = MemoryClient(b"a.example", highest=highest)
                    client.goesOn(flights)
                    if said is None:
                        client.resets()
                    elif said:
                        client.transport.arrive(said)
                    else:
                        client.closes()
                    with capturedLogs():
                        # With the time in which a client may answer that it closes.
                        scenario.passes(75)
                    Side.takes(client)  # alerts
                    self.assertFalse(client.transport.connected)
                    self.assertEqual(scenario.front.connections, 0)
                    self.assertEqual(repr(scenario.front._listener.handshakes), SILENCE)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_anyOctets(self) -> None:
        """Whatever is said, in whatever pieces, it ends in time and without a traceback."""
        scenario = self.site(handshakeSeconds=2)
        hello = MemoryClient(b"a.example").speaks()

        @given(
            st.binary(max_size=200)
            | st.tuples(st.integers(0, 500), st.binary(max_size=50)).map(
                lambda pair: hello[: pair[0]] + pair[1]
            ),
            st.integers(1, 100),
        )
        def say(octets: bytes, size: int) -> None:
            client = scenario.connects()
            with capturedLogs():
                for index in range(0, len(octets), size):
                    client.transport.arrive(octets[index : index + size])
                # The longest is that of a reply that nobody takes note of.
                scenario.passes(70)
            Side.takes(client)
            scenario.sides.remove(client)
            scenario.records.clear()
            self.assertFalse(client.transport.connected)
            self.assertEqual(scenario.front.connections, 0)

        say()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_aRefusalOfOursIsSaid(self) -> None:
        """A client whose versions are too old; a client that does not trust us."""
        scenario = self.site(profile="modern")
        with capturedLogs() as events:
            old = scenario.connects().begins(MemoryClient(highest=SSL.TLS1_2_VERSION))
            old.goesOn()
        self.assertEqual([each["why"] for each in events], ["unsupported protocol"])

    def test_manyFailuresAreFewLines(self) -> None:
        """A flood of them is not one of the log as well."""
        scenario = self.site()
        with capturedLogs() as events:
            for _ in range(50):
                scenario.connects().transport.arrive(bytes(40))
            scenario.passes(0)
            scenario.passes(QUIET_SECONDS)
            scenario.connects().transport.arrive(bytes(40))
            scenario.passes(0)
        for client in scenario.sides:
            client.takes()  # an alert
        self.assertEqual([each["more"] for each in events], ["", " (and 49 others before)"])

    def test_whatCannotBeMadeEndsOne(self) -> None:
        """A failure of ours is in the log, and the client is not left waiting."""
        scenario = self.site()
        policy: Any = scenario.front.tls

        def fails(socket: Any) -> Any:
            raise RuntimeError("no memory")

        self.patch(policy, "connectionOn", fails)
        client = scenario.connects().begins()
        client.sees("aborted")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(scenario.front.connections, 0)

    def test_drainingEndsHandshakes(self) -> None:
        """Nobody is served any more who has not begun."""
        scenario = self.site(handshakes=1)
        under, waiting = scenario.connects().begins(), scenario.connects()
        with capturedLogs() as events:
            drained = scenario.front.drain()
            for client in (under, waiting):
                client.settle()
                self.assertFalse(client.transport.connected)
        self.successResultOf(drained)
        self.assertEqual(events, [])


class CrowdTests(SynchronousTestCase):
    """More than may shake hands at once."""

    Scenario: type[TLSScenario] = TLSScenario

    def setUp(self) -> None:
        self.scenario = self.Scenario(self)
        tls = self.scenario.settings(handshakes=2, handshakeSeconds=10)
        self.scenario.reverse(tls=tls)

    def test_whoIsOverWaits(self) -> None:
        """Unread and without TLS; then in turn."""
        clients = [self.scenario.connects() for _ in range(4)]
        self.assertEqual([each.isRead for each in clients], [True, True, False, False])
        self.assertEqual(
            repr(self.scenario.front._listener.handshakes), "<Handshakes site 2 waiting=2>"
        )
        for client in clients[2:]:
            client.begins()
            client.getsNothing()
        clients[0].shakes()
        self.assertEqual([each.isRead for each in clients], [True, True, True, False])
        clients[2].goesOn()
        self.assertTrue(clients[2].tls.done)
        clients[1].closes()
        clients[3].goesOn()
        self.assertTrue(clients[3].tls.done)
        self.assertEqual(repr(self.scenario.front._listener.handshakes), SILENCE)

    def test_theTimeIsTheSame(self) -> None:
        """Whoever waits does so no longer than a handshake may take."""
        clients = [self.scenario.connects() for _ in range(3)]
        with capturedLogs():
            self.scenario.passes(11)
        for client in clients:
            client.sees("aborted")
        self.assertEqual(self.scenario.front.connections, 0)

    def test_whoWaitsMayLeave(self) -> None:
        """Nobody waits behind those that are gone."""
        first, second, third, fourth = (self.scenario.connects() for _ in range(4))
        third.resets()
        first.resets()
        fourth.shakes()
        second.shakes()

    def test_aFloodLeavesOthersServed(self) -> None:
        """Half handshakes are in the way of handshakes alone."""
        scenario = self.scenario
        client = scenario.connects().shakes()
        for _ in range(100):
            scenario.connects().begins()
        for _ in range(3):
            client.says(b"GET / HTTP/1.1", b"Host: a.example", b"", b"")
            scenario.refuses(ConnectionRefused())
            client.getsError(502, "connection_refused")


class SocketHandshakeTests(HandshakeTests):
    """What precedes the first request, on a socket."""

    Scenario = SocketScenario


class SocketCrowdTests(CrowdTests):
    """More than may shake hands at once, on sockets."""

    Scenario = SocketScenario


class EndpointTests(SynchronousTestCase):
    """TLS of the endpoint's own (C{ssl:}) is none of this."""

    def test_itIsLeftAlone(self) -> None:
        """A front without TLS serves what comes decrypted, and says what it is."""
        scenario = TLSScenario(self)
        settings = scenario.settings()
        scenario.reverse()
        from twisted.protocols.tls import TLSMemoryBIOFactory

        policy = ServerTLS(scenario.clock, settings)
        factory: Any = TLSMemoryBIOFactory(policy, False, scenario.front, scenario.clock)
        protocol = factory.buildProtocol(IPv4Address("TCP", "192.0.2.7", 4321))
        client = TLSSide(self, scenario.clock, protocol, "192.0.2.7")
        scenario.sides.append(client)
        client.shakes()
        client.says(b"GET / HTTP/1.1", b"Host: a.example", b"", b"")
        scenario.refuses(ConnectionRefused())
        client.getsError(502, "connection_refused")
        self.assertTrue(scenario.records[0].secure)


class SocketTests(LoopbackTestCase):
    """Eager transports, which begin TLS by themselves when there is something to read."""

    def test_theHandshake(self) -> None:
        """All of its octets are still there."""
        path = Path(self.mktemp())
        path.write_bytes(made("a.example").both)
        settings = ReverseSettings(
            name="site", routes=(), tls=TLSSettings(certificate=str(path)), via="test"
        )
        front = ReverseProxyFactory(self.reactor, settings)
        transport, protocol, peer = self.connect(front.buildProtocol(None))
        peer.setblocking(False)
        client = MemoryClient(b"a.example")
        self.turn()
        self.assertFalse(transport.TLS)

        def stands() -> bool:
            octets = client.speaks()
            if octets:
                peer.sendall(octets)
            try:
                client.hears(peer.recv(1 << 16))
            except BlockingIOError:
                pass
            return bool(client.done and protocol.secure)

        self.until(stands)
        self.assertTrue(transport.TLS)
        peer.close()
        self.until(lambda: not front.connections)
        front.pool.close()


class StartingTests(SynchronousTestCase):
    """Transports that can begin TLS by themselves."""

    def test_theyAreAskedTo(self) -> None:
        """As the server that they are."""
        asked: list[Any] = []

        class Transport(MemoryTransport):
            def startTLS(self, policy: Any, normal: bool = True) -> None:
                asked.append((policy, normal))

        transport = Transport(None, Clock())
        self.assertIs(speakTLS(transport, "policy", None, transport.clock), transport)
        self.assertEqual(asked, [("policy", True)])

    def test_theyMayFail(self) -> None:
        """Then they are what they were before."""

        class Transport(MemoryTransport):
            TLS = False

            def startTLS(self, policy: Any, normal: bool = True) -> None:
                self.protocol, self.TLS = None, True
                raise RuntimeError("no memory")

        protocol = object()
        transport = Transport(protocol, Clock())
        self.assertRaises(RuntimeError, speakTLS, transport, "policy", protocol, transport.clock)
        self.assertIs(transport.protocol, protocol)
        self.assertFalse(transport.TLS)
