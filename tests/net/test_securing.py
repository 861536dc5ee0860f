# -*- test-case-name: tests.net.test_securing -*-
# mypy: disallow-untyped-calls=False
"""
Tests of L{intermediary.net.securing}: connections to origins with TLS.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet import error
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IHandshakeListener, IProtocolFactory
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from intermediary.errors import (
    ConnectionRefused,
    ConnectTimeout,
    IntermediaryError,
    Retry,
    TLSAlertReceived,
    TLSCertificateError,
    TLSNotConfigured,
    TLSProtocolError,
)
from intermediary.interfaces import ITLSPolicy, Origin
from intermediary.net.connector import Connector
from intermediary.net.origintls import OriginTLS
from intermediary.net.resolver import StaticResolver
from intermediary.net.securing import Handshake, Securing
from intermediary.net.tlsproblems import ALERTS
from intermediary.settings import OriginTLSSettings

from .authority import authority, credentials
from .noting import NotingFactory, NotingWhy
from .tlsmemory import MemoryTLS, Server, pump, serverContext
from .tlssockets import DialledWire


class SecuringTestCase(SynchronousTestCase):
    """A connector on a reactor in memory, and servers that a test carries octets to."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.factory = NotingFactory()
        self.factory.protocol = NotingWhy
        resolver = StaticResolver({"a.example": ["192.0.2.1", "192.0.2.2"]})
        self.connector = Connector(self.reactor, resolver)
        path = Path(self.mktemp())
        path.write_bytes(authority().certificate)
        self.ca = str(path)
        self.tls = self.policy()
        self.context = serverContext(self, credentials("a.example", "192.0.2.1"))

    def policy(self, **settings: Any) -> OriginTLS:
        """Make a policy that trusts the authority of the tests."""
        return OriginTLS(OriginTLSSettings(**{"ca": self.ca, **settings}), self.reactor.seconds)

    def connect(self, host: str = "a.example", seconds: float = 10) -> Deferred[Any]:
        """Connect."""
        origin = Origin("https", host, 443, self.tls)
        return self.connector.connect(origin, self.factory, seconds)

    def establish(self, number: int = -1) -> MemoryTLS:
        """Let an attempt have its connection, as a reactor does."""
        host, port, factory = self.reactor.tcpClients[number][:3]
        transport = MemoryTLS(self.reactor)
        transport.protocol = factory.buildProtocol(IPv4Address("TCP", host, port))
        transport.protocol.makeConnection(transport)
        return transport

    def assertTransport(self, protocol: Any, transport: Any) -> None:
        """A protocol has this transport."""
        self.assertIs(protocol.transport, transport)

    def refuse(self) -> None:
        """Let the first attempt fail."""
        factory: Any = self.reactor.tcpClients[0][2]
        factory.clientConnectionFailed(None, Failure(error.ConnectionRefusedError()))

    def secured(self, host: str = "a.example") -> tuple[Any, MemoryTLS, Server]:
        """Have a connection with TLS."""
        d = self.connect(host)
        transport = self.establish()
        server = Server(self.context)
        pump(transport, server)
        return self.successResultOf(d), transport, server

    def refused(self, context: Any, kind: type[IntermediaryError], words: str) -> MemoryTLS:
        """A handshake fails, and nothing is left of it."""
        d = self.connect()
        transport = self.establish()
        pump(transport, Server(context))
        self.reactor.advance(0)
        found = self.failureResultOf(d, kind).value
        self.assertIn(words, found.detail)
        self.assertTrue(found.detail.startswith("https://a.example:443: "))
        self.assertIs(found.retry, Retry.ALWAYS)
        self.assertOver(transport)
        return transport

    def assertOver(self, transport: MemoryTLS) -> None:
        """The connection is closed, nobody got it, and nothing is scheduled."""
        self.assertFalse(transport.connected)
        self.assertEqual(self.factory.addresses, [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class StandingTests(SecuringTestCase):
    """Connections that get their TLS."""

    def test_interfaces(self) -> None:
        """What reactors and transports ask for."""
        securing = Securing(self.reactor, Origin("https", "a", 443, self.tls), self.factory)
        verifyObject(IProtocolFactory, securing)
        handshake = Handshake(securing, None)
        verifyObject(IHandshakeListener, handshake)
        verifyObject(ITLSPolicy, handshake)

    def test_deliveredWhenTLSStands(self) -> None:
        """And not before; then octets go both ways."""
        d = self.connect()
        transport = self.establish()
        self.assertNoResult(d)
        self.assertEqual(self.factory.addresses, [])
        server = Server(self.context)
        pump(transport, server)
        protocol = self.successResultOf(d)
        self.assertEqual(protocol.heard, ["made"])
        self.assertTransport(protocol, transport)
        self.assertEqual(self.factory.addresses, [IPv4Address("TCP", "192.0.2.1", 443)])
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        protocol.transport.write(b"hello")
        server.takes(b"")
        server.sends(b"and")
        pump(transport, server)
        server.sends(b"more")
        pump(transport, server)
        self.assertEqual(server.received, b"hello")
        self.assertEqual(protocol.heard, ["made", b"and", b"more"])
        self.assertEqual(server.names, ["a.example"])
        self.assertEqual(server.tls.selected_alpn_protocol(), "http/1.1")

    def test_nothingIsInBetweenAfterwards(self) -> None:
        """From the first octets on the protocol is called without a detour."""
        protocol, transport, server = self.secured()
        server.sends(b"x")
        pump(transport, server)
        between = transport.tls.wrappedProtocol
        self.assertEqual(between.dataReceived, protocol.dataReceived)
        self.assertEqual(between.connectionLost, protocol.connectionLost)

    def test_transportsThatNameTheirProtocol(self) -> None:
        """One that speaks TLS itself gets the protocol in place of what made the handshake."""
        protocol = NotingWhy()
        securing = Securing(self.reactor, Origin("https", "a", 443, self.tls), self.factory)
        self.factory.buildProtocol = lambda addr: protocol  # type: ignore[method-assign]
        transport: Any = MemoryTLS(self.reactor)
        transport.startTLS = lambda policy, normal: policy.clientConnectionForTLS(None)
        d = securing.start(lambda origin, factory, seconds: Deferred(), 10)
        handshake = transport.protocol = securing.buildProtocol(None)
        handshake.makeConnection(transport)
        handshake.handshakeCompleted()
        self.assertIs(self.successResultOf(d), protocol)
        self.assertIs(transport.protocol, handshake)
        handshake.dataReceived(b"x")
        self.assertIs(transport.protocol, protocol)
        self.assertEqual(protocol.heard, ["made", b"x"])

    def test_theEndOfTLSIsAnEnd(self) -> None:
        """With a C{close_notify} in order, without one not (RFC 8446 §6.1)."""
        for announced, heard in ((True, "ConnectionDone"), (False, "ConnectionLost")):
            protocol, transport, server = self.secured()
            server.sends(b"x")
            if announced:
                server.closes()
            pump(transport, server)
            self.reactor.advance(0)
            transport.lost(error.ConnectionDone())
            self.assertEqual(protocol.heard, ["made", b"x", heard])

    def test_anEndBeforeTheFirstOctets(self) -> None:
        """The protocol hears of it."""
        protocol, transport, _ = self.secured()
        transport.lost(error.ConnectionDone())
        self.assertEqual(protocol.heard, ["made", "ConnectionLost"])

    def test_sessionsAreResumed(self) -> None:
        """The next connection does without certificates; another server is another matter."""
        for host, expected in (
            ("a.example", False),
            ("a.example", True),
            ("192.0.2.1", False),
            ("a.example", True),
            ("192.0.2.1", True),
        ):
            _, transport, server = self.secured(host)
            self.assertIs(server.tls.session_reused, expected)
            server.sends(b"x")
            pump(transport, server)

    def test_aSessionThatIsTooOld(self) -> None:
        """The certificate is looked at again after an hour, however often it was resumed."""
        resumed = []
        for _ in range(4):
            _, transport, server = self.secured()
            resumed.append(server.tls.session_reused)
            server.sends(b"x")
            pump(transport, server)
            self.reactor.advance(1500)
        self.assertEqual(resumed, [False, True, True, False])


class FailingTests(SecuringTestCase):
    """Handshakes that come to nothing."""

    def test_certificates(self) -> None:
        """C{tls_certificate_error}, with the reason."""
        for made, words in (
            (credentials("b.example"), "the certificate is for b.example, not a.example"),
            (credentials("a.example", days=(-3, -2)), "the certificate expired on "),
            (credentials("a.example", days=(2, 3)), "the certificate is not valid before "),
            (credentials("a.example", by="Other"), "issued by an unknown authority: CN=Other"),
            (credentials("a.example", selfSigned=True), "the certificate is signed by itself"),
        ):
            context = serverContext(self, made)
            self.refused(context, TLSCertificateError, words)

    def test_theServerHearsWhy(self) -> None:
        """By an alert, before anything of ours."""
        server = Server(serverContext(self, credentials("b.example"), authority().certificate))
        self.tls = self.policy(certificate=credentials("us").writeTo(Path(self.mktemp())))
        d = self.connect()
        transport = self.establish()
        pump(transport, server)
        self.reactor.advance(0)
        self.failureResultOf(d, TLSCertificateError)
        self.assertIn("alert", str(server.error))
        self.assertFalse(server.stands)

    def test_otherProtocols(self) -> None:
        """C{tls_protocol_error}."""
        for octets in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n", bytes(2000)):
            d = self.connect()
            transport = self.establish()
            transport.arrive(octets)
            self.reactor.advance(0)
            self.failureResultOf(d, TLSProtocolError)
            self.assertOver(transport)

    def test_theServerHangsUp(self) -> None:
        """In the middle of it, in any way."""
        for reason in (error.ConnectionDone(), error.ConnectionLost()):
            d = self.connect()
            transport = self.establish()
            transport.lost(reason)
            self.reactor.advance(0)
            found = self.failureResultOf(d, TLSProtocolError).value
            self.assertIn("it closed the connection in the middle of the TLS", found.detail)
            self.assertOver(transport)

    def test_everyBeginningOfAHandshakeMayBeTheLast(self) -> None:
        """Whatever of the server's first flight has come when it hangs up."""
        d = self.connect()
        transport = self.establish()
        flight = Server(self.context).takes(transport.raw)
        transport.lost(error.ConnectionDone())
        self.failureResultOf(d, TLSProtocolError)
        for length in range(0, len(flight), 97):
            d = self.connect()
            transport = self.establish()
            flight = Server(self.context).takes(transport.raw)
            for octet in range(length):
                transport.arrive(flight[octet : octet + 1])
            transport.lost(error.ConnectionLost())
            self.reactor.advance(0)
            self.failureResultOf(d, TLSProtocolError)
            self.assertOver(transport)

    def test_alerts(self) -> None:
        """C{tls_alert_received}, with what it said: OpenSSL has words for all of these."""
        for name, number in ALERTS.items():
            if name == "close_notify":
                continue
            d = self.connect()
            transport = self.establish()
            transport.arrive(b"\x15\x03\x03\x00\x02\x02%c" % number)
            self.reactor.advance(0)
            found = self.failureResultOf(d).value
            self.assertIsInstance(found, TLSAlertReceived, name)
            self.assertEqual(found.alert, number)
            self.assertOver(transport)

    def test_noOtherAddressIsTried(self) -> None:
        """Who has answered is the server, good or bad."""
        self.refused(
            serverContext(self, credentials("b.example")), TLSCertificateError, "not a.example"
        )
        self.assertEqual(len(self.reactor.tcpClients), 1)

    def test_addressesAreTriedBefore(self) -> None:
        """As without TLS: until there is a connection."""
        d = self.connect()
        self.refuse()
        transport = self.establish()
        pump(transport, Server(self.context))
        self.assertEqual(self.successResultOf(d).heard, ["made"])
        self.assertEqual(self.factory.addresses, [IPv4Address("TCP", "192.0.2.2", 443)])

    def test_whoCantBeReachedHasNoHandshake(self) -> None:
        """What the race failed with."""
        d = self.connect("192.0.2.1")
        self.refuse()
        self.failureResultOf(d, ConnectionRefused)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_aSessionThatFailedIsForgotten(self) -> None:
        """The next connection begins anew."""
        _, transport, server = self.secured()
        server.sends(b"x")
        pump(transport, server)
        d = self.connect()
        self.establish().lost(error.ConnectionDone())
        self.failureResultOf(d, TLSProtocolError)
        _, _, server = self.secured()
        self.assertFalse(server.tls.session_reused)

    def test_whatIsNotSetUp(self) -> None:
        """Nobody is dialled."""
        self.tls = self.policy(ca="/nowhere/at/all")
        found = self.failureResultOf(self.connect(), TLSNotConfigured).value
        self.assertIn("/nowhere/at/all", found.detail)
        self.assertEqual(self.reactor.tcpClients, [])


class TimeTests(SecuringTestCase):
    """Who waits, and for how long."""

    def test_oneDeadlineForAll(self) -> None:
        """What the connection took is not there for the handshake."""
        d = self.connect(seconds=3)
        self.reactor.advance(0.2)
        self.reactor.advance(1.8)
        transport = self.establish(0)
        self.reactor.advance(0.9)
        self.assertNoResult(d)
        self.reactor.advance(0.2)
        found = self.failureResultOf(d, ConnectTimeout).value
        self.assertIn("TLS handshake was not over in time", found.detail)
        self.reactor.advance(0)
        self.assertOver(transport)

    def test_cancelledInTheRace(self) -> None:
        """No attempt goes on."""
        d = self.connect()
        d.cancel()
        self.failureResultOf(d, CancelledError)
        self.assertTrue(self.reactor.connectors[0].stoppedConnecting)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_cancelledInTheHandshake(self) -> None:
        """At every flight of it."""
        for flights in range(2):
            d = self.connect()
            transport = self.establish()
            server = Server(self.context)
            for _ in range(flights):
                raw, transport.raw = transport.raw, b""
                transport.arrive(server.takes(raw)[:300])
            d.cancel()
            self.failureResultOf(d, CancelledError)
            self.reactor.advance(0)
            self.assertOver(transport)

    def test_cancelledByTheProtocol(self) -> None:
        """Whoever gives up while the protocol starts gets none."""
        d = self.connect()
        self.patch(NotingWhy, "connectionMade", lambda self: d.cancel())
        transport = self.establish()
        pump(transport, Server(self.context))
        self.failureResultOf(d, CancelledError)
        self.assertTrue(transport.aborted)

    def test_handshakesThatAreOverTooLate(self) -> None:
        """Octets that were on their way when the deadline passed bring nothing back."""
        d = self.connect(seconds=1)
        transport = self.establish()
        server = Server(self.context)
        raw, transport.raw = transport.raw, b""
        flight = server.takes(raw)
        self.patch(transport, "abortConnection", lambda: None)
        self.reactor.advance(1)
        self.failureResultOf(d, ConnectTimeout)
        transport.arrive(flight)
        transport.lost(error.ConnectionDone())
        self.assertEqual(self.factory.addresses, [])


class FactoryTests(SecuringTestCase):
    """What the application's factory and protocol may do."""

    def fails(self, kind: type[Exception]) -> MemoryTLS:
        """A connection is refused on our side."""
        d = self.connect()
        transport = self.establish()
        pump(transport, Server(self.context))
        self.failureResultOf(d, kind)
        self.assertTrue(transport.aborted)
        self.reactor.advance(0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        return transport

    def test_aFactoryMayDecline(self) -> None:
        """The connection goes."""
        self.factory.buildProtocol = lambda addr: None  # type: ignore[method-assign]
        self.fails(error.NoProtocol)

    def test_aFactoryThatRaises(self) -> None:
        """Its exception is the answer."""
        self.factory.protocol = lambda: 1 / 0
        self.fails(ZeroDivisionError)

    def test_aProtocolThatRaises(self) -> None:
        """So is this one's."""
        self.patch(NotingWhy, "connectionMade", lambda self: 1 / 0)
        self.fails(ZeroDivisionError)

    def test_aFactoryMayIgnoreTheAddress(self) -> None:
        """None is made for it then."""
        self.factory.ignoresAddress = True  # type: ignore[attr-defined]
        securing = Securing(self.reactor, Origin("https", "a", 443, self.tls), self.factory)
        self.assertTrue(securing.ignoresAddress)


class ComplaintTests(SecuringTestCase):
    """What the process logs."""

    def setUp(self) -> None:
        super().setUp()
        self.said: list[str] = []
        self.patch(OriginTLS, "complain", lambda tls, error: self.said.append(error.detail))

    def test_handshakesThatFail(self) -> None:
        """With the origin and the reason."""
        self.refused(serverContext(self, credentials("b.example")), TLSCertificateError, "not a")
        self.assertEqual(
            self.said,
            ["https://a.example:443: the certificate is for b.example, not a.example"],
        )

    def test_handshakesThatStall(self) -> None:
        """Those too."""
        self.connect(seconds=1).addErrback(lambda failure: None)
        self.establish()
        self.reactor.advance(1)
        self.assertEqual(len(self.said), 1)

    def test_certificatesOfOursThatAreMissed(self) -> None:
        """With TLS 1.3 the handshake is over for us when the server says so."""
        self.context = serverContext(self, credentials("a.example"), authority().certificate)
        d = self.connect()
        transport = self.establish()
        pump(transport, Server(self.context))
        self.reactor.advance(0)
        heard = self.successResultOf(d).heard
        self.assertEqual(heard, ["made", "Error"])
        [said] = self.said
        self.assertIn('"certificate required"', said)

    def test_ordinaryEnds(self) -> None:
        """They are no complaint."""
        _, transport, _ = self.secured()
        transport.lost(error.ConnectionDone())
        self.assertEqual(self.said, [])


class SocketTestCase(SecuringTestCase):
    """The same with TLS on a socket."""

    def establish(self, number: int = -1) -> Any:
        host, port, factory = self.reactor.tcpClients[number][:3]
        wire = DialledWire(self.reactor)
        self.addCleanup(wire.close)
        wire.eager.attach(factory.buildProtocol(IPv4Address("TCP", host, port)))
        return wire

    def assertTransport(self, protocol: Any, transport: Any) -> None:
        self.assertIs(protocol.transport, transport.eager)


class SocketStandingTests(SocketTestCase, StandingTests):
    """Connections that get their TLS on a socket."""

    def test_nothingIsInBetweenAfterwards(self) -> None:
        """From the first octets on the protocol is the transport's own."""
        protocol, transport, server = self.secured()
        server.sends(b"x")
        pump(transport, server)
        wire: Any = transport
        self.assertIs(wire.eager.protocol, protocol)


class SocketFailingTests(SocketTestCase, FailingTests):
    """Handshakes on a socket that come to nothing."""


class SocketTimeTests(SocketTestCase, TimeTests):
    """Who waits for TLS on a socket, and for how long."""

    def test_handshakesThatAreOverTooLate(self) -> None:
        """Octets that were on their way when the deadline passed bring nothing back."""
        d = self.connect(seconds=1)
        transport = self.establish()
        server = Server(self.context)
        raw, transport.raw = transport.raw, b""
        wire: Any = transport
        wire.peer.send(server.takes(raw))
        self.reactor.advance(1)
        self.failureResultOf(d, ConnectTimeout)
        wire.reactor.rest()
        self.reactor.advance(0)
        self.assertOver(transport)


class SocketFactoryTests(SocketTestCase, FactoryTests):
    """What the application's factory and protocol may do, with TLS on a socket."""


class SocketComplaintTests(SocketTestCase, ComplaintTests):
    """What the process logs of TLS on a socket."""
