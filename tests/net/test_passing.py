# -*- test-case-name: tests.net.test_passing -*-
"""
Clients of TLS that are passed through a front, as transcripts.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.logger import capturedLogs
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import ConnectionRefused
from intermediary.exchange import SERVER_NAME
from intermediary.settings import PassageSettings, Timeouts, UpstreamSettings

from ..scenario import MemoryTransport, Scenario, Side
from ..wire.hellos import body, message, real, record, recut
from .test_handshakes import SILENCE, TLSScenario
from .tlspeers import MemoryClient

ONE, TWO = "tcp://127.0.0.1:5432", "tcp://127.0.0.1:5433"
DATABASE = UpstreamSettings(name="db", servers=(ONE, TWO))
HELLO = real("db.example")
#: What clients are told (RFC 8446 §6): fatal, and why.
ALERT = b"\x15\x03\x03\x00\x02\x02"
UNREACHABLE, UNKNOWN, UNNAMED, UNSPOKEN = (ALERT + bytes((each,)) for each in (80, 112, 109, 120))
PASSAGE = PassageSettings(upstream=DATABASE, names=("db.example", "*.db.example"))
#: Whose certificates are asked of another server.
CHALLENGE = PassageSettings(
    upstream=UpstreamSettings(name="acme", servers=("tcp://127.0.0.1:10443",)),
    names=("a.example", "db.example"),
    alpn=("acme-tls/1",),
)


class PassingTestCase(SynchronousTestCase):
    """Fronts that pass some through."""

    def only(self, *passages: PassageSettings, **settings: Any) -> Scenario:
        """A front for nothing else."""
        scenario = Scenario(self)
        scenario.reverse(routes=(), passthrough=passages or (PASSAGE,), **settings)
        return scenario

    def passes(self, scenario: Scenario, hello: bytes = HELLO) -> tuple[Side, Side]:
        """Open a tunnel."""
        client = scenario.client()
        client.sends(hello)
        origin = scenario.accepts(ONE)
        origin.gets(hello)
        return client, origin


class TunnelTests(PassingTestCase):
    """From the first octet of a client to its record."""

    def test_octetsPassUnseen(self) -> None:
        """Both ways, from the first on; they are counted, and the name is on record."""
        scenario = self.only()
        client, origin = self.passes(scenario)
        origin.sends(b"\x16\x03\x03")
        client.gets(b"\x16\x03\x03")
        client.sends(b"GET / HTTP/9.9\n\n")
        origin.gets(b"GET / HTTP/9.9\n\n")
        self.assertEqual(scenario.outcomes(), [])
        self.assertEqual(repr(scenario.front._listener.handshakes), SILENCE)
        origin.ends()
        client.ends()
        (record,) = scenario.records
        self.assertEqual((record.status, record.outcome, record.request), (0, "", None))
        self.assertEqual((record.octetsIn, record.octetsOut), (len(HELLO) + 16, 3))
        self.assertEqual((record.upstreamName, record.peerName), ("db", ONE))
        self.assertEqual(record.peerHost, "192.0.2.7")
        self.assertEqual(record.memory, {SERVER_NAME: b"db.example"})
        self.assertFalse(record.secure)

    def test_howeverItComes(self) -> None:
        """In many segments and records, octet by octet."""
        scenario = self.only()
        cut = recut(HELLO, 9)
        client = scenario.client()
        for index in range(len(cut)):
            client.transport.arrive(cut[index : index + 1])
        origin = scenario.accepts(ONE)
        origin.gets(cut)
        client.sends(b"more")
        origin.gets(b"more")

    def test_whatFollowsWaits(self) -> None:
        """Early data, until there is somebody to have it."""
        scenario = self.only()
        client = scenario.client()
        client.sends(HELLO + b"early")
        self.assertFalse(client.isRead)
        client.transport.arrive(b" data")
        origin = scenario.accepts(ONE)
        self.assertTrue(client.isRead)
        client.settle()
        origin.gets(HELLO + b"early data")

    def test_serversTakeTurns(self) -> None:
        """As with requests."""
        scenario = self.only()
        self.passes(scenario)
        client = scenario.client()
        client.sends(HELLO)
        scenario.accepts(TWO).gets(HELLO)

    def test_theNextServer(self) -> None:
        """If there is no connection, nothing was said yet."""
        scenario = self.only()
        client = scenario.client()
        client.sends(HELLO)
        scenario.refuses(ConnectionRefused(), ONE)
        scenario.accepts(TWO).gets(HELLO)
        client.closes()
        (record,) = scenario.records
        self.assertEqual((record.attempts, record.outcome), (2, ""))

    def test_noServer(self) -> None:
        """The client is told in the only words that it knows, and the log has the rest."""
        scenario = self.only()
        client = scenario.client()
        client.sends(HELLO)
        scenario.refuses(ConnectionRefused(), ONE)
        scenario.refuses(ConnectionRefused(), TWO)
        client.gets(UNREACHABLE)
        client.sees("half-closed")
        self.assertEqual(scenario.outcomes(), [(0, "connection_refused")])
        self.assertEqual(scenario.records[0].octetsOut, 0)
        client.sends(b"more")
        client.getsNothing()

    def test_aServerThatIsGoneAtOnce(self) -> None:
        """It may have done something: no other is tried."""
        scenario = self.only()
        client = scenario.client()
        client.sends(HELLO)
        origin, told = scenario.establishes(ONE)
        origin.resets()
        told()
        client.gets(UNREACHABLE)
        self.assertEqual(scenario.outcomes(), [(0, "connection_terminated")])

    def test_aServerThatSpeaksFirst(self) -> None:
        """It is heard, though it is unlikely to be meant."""
        scenario = self.only()
        client = scenario.client()
        client.sends(HELLO)
        origin, told = scenario.establishes(ONE)
        origin.sends(b"220 ")
        self.assertFalse(origin.isRead)
        told()
        origin.gets(HELLO)
        client.gets(b"220 ")
        self.assertTrue(origin.isRead)

    def test_halfCloses(self) -> None:
        """The other direction goes on until it ends as well."""
        scenario = self.only()
        client, origin = self.passes(scenario)
        client.ends()
        origin.sees("half-closed")
        origin.sends(b"still here")
        client.gets(b"still here")
        origin.ends()
        client.sees("closed")
        self.assertEqual(scenario.outcomes(), [(0, "")])

    def test_aReset(self) -> None:
        """The other side must not take it for an end."""
        scenario = self.only()
        client, origin = self.passes(scenario)
        origin.resets()
        client.sees("aborted")
        client, origin = self.passes_(scenario)
        client.resets()
        origin.sees("aborted")
        self.assertEqual(scenario.outcomes(), [(0, "connection_terminated")] * 2)

    def passes_(self, scenario: Scenario) -> tuple[Side, Side]:
        """Open a tunnel to the other server."""
        client = scenario.client()
        client.sends(HELLO)
        origin = scenario.accepts(TWO)
        origin.gets(HELLO)
        return client, origin

    def test_slowSides(self) -> None:
        """Pause the other."""
        client, origin = self.passes(self.only())
        for slow, fast in ((client, origin), (origin, client)):
            slow.stalls()
            fast.sends(b"x")
            self.assertFalse(fast.isRead)
            slow.gets(b"x")
            slow.reads()
            self.assertTrue(fast.isRead)

    def test_idleOnesEnd(self) -> None:
        """By C{tunnel-idle}, not by the time for handshakes or requests."""
        scenario = self.only(timeouts=Timeouts(tunnelIdleSeconds=40, requestHeadSeconds=5))
        client, origin = self.passes(scenario)
        scenario.passes(30)
        client.sees("")
        scenario.passes(12)
        client.sees("aborted")
        origin.sees("aborted")
        self.assertEqual(scenario.outcomes(), [(0, "connection_read_timeout")])

    def test_aClientThatLeavesWhileThereIsNoServer(self) -> None:
        """Nobody connects for nobody."""
        scenario = self.only()
        client = scenario.client()
        client.sends(HELLO)
        client.resets()
        self.assertEqual(len(scenario.connector.cancelled), 1)
        scenario.connectsNowhere()
        self.assertEqual(scenario.outcomes(), [(0, "client_gone")])

    def test_draining(self) -> None:
        """Tunnels go on; whoever has not begun does not begin."""
        scenario = self.only()
        client, origin = self.passes(scenario)
        dialling, silent = scenario.client(), scenario.client()
        dialling.sends(HELLO)
        drained = scenario.front.drain()
        silent.sees("closed")
        client.sends(b"x")
        origin.gets(b"x")
        other = scenario.accepts(TWO)
        other.gets(HELLO)
        self.assertNoResult(drained)
        scenario.front.abort()
        for side in (client, origin, dialling, other):
            side.sees("aborted")
        self.successResultOf(drained)
        self.assertEqual(len(scenario.records), 2)

    def test_abortedWhileThereIsNoServer(self) -> None:
        """All are gone that the front had."""
        scenario = self.only()
        client = scenario.client()
        client.sends(HELLO)
        scenario.front.abort()
        client.sees("aborted")
        scenario.connectsNowhere()
        self.assertEqual(len(scenario.records), 1)

    def test_aBalancersWord(self) -> None:
        """The client is who the wrapper below says."""
        scenario = self.only()
        protocol = WrappingFactory(scenario.front).buildProtocol(IPv4Address("TCP", "::1", 1))
        assert isinstance(protocol, ProtocolWrapper)
        client = Side(self, scenario.clock, protocol, "192.0.2.99")
        scenario.sides.append(client)
        client.sends(HELLO)
        origin = scenario.accepts(ONE)
        origin.gets(HELLO)
        origin.sends(b"hi")
        client.gets(b"hi")
        client.closes()
        self.assertEqual(scenario.records[0].peerHost, "192.0.2.99")


class RefusalTests(PassingTestCase):
    """A front that passes through and does nothing else."""

    def refuses(self, octets: bytes, alert: bytes, **settings: Any) -> str:
        """
        Say something to it.

        @return: what the log has of it.
        """
        scenario = self.only(PASSAGE, CHALLENGE, **settings)
        client = scenario.client()
        with capturedLogs() as events:
            client.sends(octets)
        client.gets(alert)
        client.sees("half-closed")
        client.sends(b"more")
        client.closes()
        self.assertEqual(scenario.front.connections, 0)
        self.assertEqual(scenario.records, [])
        self.assertEqual(repr(scenario.front._listener.handshakes), SILENCE)
        (event,) = events
        self.assertEqual(event["peer"], "192.0.2.7")
        self.assertNotIn("log_failure", event)
        return str(event["why"])

    def test_names(self) -> None:
        """Those that are not here, and none."""
        self.assertEqual(
            self.refuses(real("x.example"), UNKNOWN), "it wants x.example, which is not here"
        )
        self.assertIn("no name", self.refuses(real(None), UNNAMED))

    def test_protocols(self) -> None:
        """A name that is here for who speaks another one."""
        self.assertIn("protocol", self.refuses(real("a.example", ["h2"]), UNSPOKEN))

    def test_whatIsNoHello(self) -> None:
        """As soon as it is known."""
        for octets, alert in (
            (b"\x00", 10),
            (b"\x16\x03\x01\xff\xff", 22),
            (b"\x16\x03\x01\x00\x04\x01\xff\xff\xff", 47),
            (HELLO[:5] + b"\x02", 10),
            (record(message(body() + b"\x00")), 50),
        ):
            self.refuses(octets, ALERT + bytes((alert,)))

    def test_transportsWithoutHalfCloses(self) -> None:
        """Are closed both ways, when the alert has left."""

        class Whole(MemoryTransport):
            @property
            def loseWriteConnection(self) -> Any:
                raise AttributeError

        scenario = self.only()
        protocol = scenario.front.buildProtocol(None)
        transport = Whole(protocol, scenario.clock)
        protocol.makeConnection(transport)
        with capturedLogs():
            transport.arrive(real("x.example"))
        self.assertEqual(transport.written, UNKNOWN)
        self.assertEqual(transport.ending, "closed")

    def test_plainHTTP(self) -> None:
        """Is told what is wrong in its own language."""
        scenario = self.only()
        client = scenario.client()
        with capturedLogs() as events:
            client.sends(b"GET / HTTP/1.1\r\nHost: db.example\r\n\r\n")
        client.getsError(400, "http_request_error", close=True)
        self.assertEqual([each["why"] for each in events], ["it speaks HTTP without TLS"])
        self.assertEqual(scenario.outcomes(), [(400, "http_request_error")])


class MixedTests(PassingTestCase):
    """Some are passed through, others are for the front itself."""

    def mixed(self, *passages: PassageSettings, **settings: Any) -> TLSScenario:
        """A front with a certificate."""
        scenario = TLSScenario(self)
        scenario.reverse(
            tls=scenario.settings(**settings), passthrough=passages or (PASSAGE, CHALLENGE)
        )
        return scenario

    def test_theNameDecides(self) -> None:
        """One port for both."""
        scenario = self.mixed()
        passed = scenario.client()
        passed.sends(HELLO)
        origin = scenario.accepts(ONE)
        origin.gets(HELLO)
        client = scenario.connects().shakes()
        client.says(b"GET / HTTP/1.1", b"Host: a.example", b"", b"")
        scenario.refuses(ConnectionRefused())
        client.getsError(502, "connection_refused")
        self.assertTrue(scenario.records[0].secure)
        origin.sends(b"hi")
        passed.gets(b"hi")

    def test_theProtocolDecides(self) -> None:
        """Another server answers for the name where it is asked to prove it."""
        scenario = self.mixed()
        challenge = real("a.example", ["acme-tls/1"])
        client = scenario.client()
        client.sends(challenge)
        origin = scenario.accepts("tcp://127.0.0.1:10443")
        origin.gets(challenge)

    def test_othersAreForTheFront(self) -> None:
        """It has a certificate for whoever asks for no name, or one that nobody knows."""
        for name in (b"", b"x.example", b"nodb.example"):
            scenario = self.mixed()
            client = scenario.connects().shakes(MemoryClient(name))
            self.assertEqual(client.tls.subject, "a.example")

    def test_howeverItComes(self) -> None:
        """A hello for the front itself is handed on, octet by octet."""
        for wrapped in (True, False):
            client = self.mixed().connects(wrapped)
            client.tls = MemoryClient(b"a.example", (b"http/1.1",))
            octets = client.tls.speaks()
            for index in range(len(octets)):
                client.transport.arrive(octets[index : index + 1])
            client.goesOn()
            self.assertTrue(client.tls.done)

    def test_theTimeIsThatOfAHandshake(self) -> None:
        """However the octets come, and whoever they are for."""
        scenario = self.mixed(handshakeSeconds=5)
        client = scenario.client()
        with capturedLogs() as events:
            for index in range(7):
                client.transport.arrive(HELLO[index : index + 1])
                scenario.passes(1)
        client.sees("aborted")
        self.assertEqual([each["why"] for each in events], ["it took too long"])

    def test_theNumberIsThatOfHandshakes(self) -> None:
        """Those that are not complete keep others waiting; tunnels do not."""
        scenario = self.mixed(handshakes=2)
        self.passes(scenario)
        halves = [scenario.client() for _ in range(2)]
        for half in halves:
            half.sends(HELLO[:-1])
        waiting = scenario.client()
        self.assertFalse(waiting.isRead)
        waiting.transport.arrive(HELLO)
        scenario.connectsNowhere()
        halves[0].sends(HELLO[-1:])
        waiting.settle()
        scenario.accepts(TWO).gets(HELLO)
        scenario.accepts(ONE).gets(HELLO)

    def test_aFloodLeavesTunnelsAlone(self) -> None:
        """Half handshakes are in the way of handshakes alone."""
        scenario = self.mixed(handshakes=10)
        client, origin = self.passes(scenario)
        for _ in range(100):
            scenario.client().sends(HELLO[:200])
        for side, other in ((client, origin), (origin, client)):
            side.sends(b"x")
            other.gets(b"x")
        with capturedLogs():
            scenario.passes(12)
        self.assertEqual(scenario.front.connections, 1)
