# -*- test-case-name: tests.ops.test_client -*-
# mypy: disallow-untyped-calls=False
"""
Tests for L{intermediary.ops.client}: what is asked of a proxy, what is taken for
its answer, and who has the connection afterwards.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet import error
from twisted.internet.address import HostnameAddress
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, clientFromString, wrapClientTLS
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IStreamClientEndpoint,
    IStreamClientEndpointStringParserWithReactor,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import Certificate, PrivateCertificate, optionsForClientTLS
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.plugin import IPlugin
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.test.iosim import ConnectionCompleter
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from intermediary.ops.client import (
    IntermediaryClientEndpoint,
    IntermediaryClientParser,
    TunnelRefused,
)

#: More than Twisted's TLS holds back in the hope of more.
MUCH = b"hello" * 20000

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@implementer(IHalfCloseableProtocol)
class Noting(Protocol):
    """Notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def connectionMade(self) -> None:
        self.heard.append("made")

    def dataReceived(self, data: bytes) -> None:
        self.heard.append(data)

    def readConnectionLost(self) -> None:
        self.heard.append("read lost")

    def writeConnectionLost(self) -> None:
        self.heard.append("write lost")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.heard.append(reason.type)


class AskTests(SynchronousTestCase):
    """The exchange with the proxy, octet by octet."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.proxy = TCP4ClientEndpoint(self.reactor, "127.0.0.1", 3128)
        self.factory = Factory.forProtocol(Noting)

    def connect(self, host: str = "example.org", port: int = 443, **options: Any) -> Deferred[Any]:
        """Begin to connect."""
        endpoint = IntermediaryClientEndpoint(self.reactor, host, port, self.proxy, **options)
        return endpoint.connect(self.factory)

    def reach(self) -> tuple[Any, StringTransport]:
        """Let the proxy be reached; give what the transport talks to, and the transport."""
        protocol = self.reactor.tcpClients[-1][2].buildProtocol(None)
        transport = StringTransport()
        assert protocol is not None
        protocol.makeConnection(transport)
        return protocol, transport

    def answer(self, *octets: bytes) -> tuple[Deferred[Any], Any, StringTransport]:
        """Connect, and let the proxy answer."""
        d = self.connect()
        wire, transport = self.reach()
        for piece in octets:
            wire.dataReceived(piece)
        return d, wire, transport

    def assertQuiet(self) -> None:
        """Nothing is scheduled."""
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_isAnEndpoint(self) -> None:
        """It provides L{IStreamClientEndpoint}."""
        endpoint = IntermediaryClientEndpoint(self.reactor, "example.org", 443, self.proxy)
        verifyObject(IStreamClientEndpoint, endpoint)
        self.assertIn("example.org:443 via", repr(endpoint))

    def test_askingForATunnel(self) -> None:
        """RFC 9110 §9.3.6: authority-form with a port, and the same C{Host}."""
        d = self.connect()
        self.assertEqual(self.reactor.tcpClients[0][:2], ("127.0.0.1", 3128))
        _, transport = self.reach()
        self.assertEqual(
            transport.value(),
            b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n",
        )
        self.assertNoResult(d)

    def test_furtherFields(self) -> None:
        """Credentials for the proxy, for one (RFC 9110 §11.7.2)."""
        self.connect(headers=[(b"Proxy-Authorization", b"Basic eDp5")])
        _, transport = self.reach()
        self.assertIn(b"\r\nProxy-Authorization: Basic eDp5\r\n\r\n", transport.value())

    def test_destinationsInTheirWireForm(self) -> None:
        """Literals in brackets, international names in ASCII, names in lower case."""
        for host, authority in [
            ("2001:db8::1", b"[2001:db8::1]:443"),
            ("bücher.example", b"xn--bcher-kva.example:443"),
            ("EXAMPLE.org", b"example.org:443"),
            ("192.0.2.1", b"192.0.2.1:443"),
        ]:
            self.connect(host)
            _, transport = self.reach()
            self.assertTrue(transport.value().startswith(b"CONNECT %b HTTP" % authority))

    def test_whatCannotBeSentIsRefused(self) -> None:
        """At once: hosts, ports and fields that would break the request apart."""
        bad: list[dict[str, Any]] = [
            {"host": "example.org\r\nX: y"},
            {"host": "user@example.org"},
            {"host": ""},
            {"port": 0},
            {"port": 65536},
            {"headers": [(b"X", b"a\r\nY: b")]},
            {"headers": [(b"X Y", b"a")]},
        ]
        for arguments in bad:
            self.assertRaises(ValueError, self.connect, **arguments)

    def test_anySuccessOpensTheTunnel(self) -> None:
        """RFC 9110 §9.3.6: any 2xx, and framing fields in it mean nothing."""
        for answer in [
            ESTABLISHED,
            b"HTTP/1.0 200 OK\r\n\r\n",
            b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + ESTABLISHED,
        ]:
            d, _, transport = self.answer(answer)
            protocol = self.successResultOf(d)
            self.assertEqual(protocol.heard, ["made"])
            self.assertIs(protocol.transport, transport)
            self.assertQuiet()

    def test_answerInPieces(self) -> None:
        """However the octets arrive."""
        octets = [ESTABLISHED[n : n + 1] for n in range(len(ESTABLISHED))]
        d, wire, _ = self.answer(*octets[:-1])
        self.assertNoResult(d)
        wire.dataReceived(octets[-1])
        self.successResultOf(d)

    def test_factoryHearsOfTheDestination(self) -> None:
        """The address is the one that was asked for, not the proxy's."""
        addresses: list[Any] = []
        self.factory.buildProtocol = addresses.append  # type: ignore[method-assign, assignment]
        d, _, _ = self.answer(ESTABLISHED)
        self.failureResultOf(d, error.NoProtocol)
        self.assertEqual(addresses, [HostnameAddress(b"example.org", 443)])

    def test_earlyOctetsAreNotLost(self) -> None:
        """What follows the answer is the destination's, and comes after "made"."""
        d, wire, _ = self.answer(ESTABLISHED + b"220 early")
        protocol = self.successResultOf(d)
        wire.dataReceived(b"later")
        self.assertEqual(protocol.heard, ["made", b"220 early", b"later"])

    def test_theRestOfTheConnectionIsPassedOn(self) -> None:
        """On a transport that keeps its protocol too: octets, half-close, the end."""
        d, wire, transport = self.answer(ESTABLISHED)
        protocol = self.successResultOf(d)
        wire.dataReceived(b"octets")
        wire.connectionLost(Failure(error.ConnectionDone()))
        self.assertEqual(protocol.heard, ["made", b"octets", error.ConnectionDone])
        protocol.transport.write(b"hello")
        self.assertTrue(transport.value().endswith(b"\r\n\r\nhello"))

    def test_transportIsHandedOver(self) -> None:
        """A transport that names its protocol knows ours no more."""
        d = self.connect()
        wire = self.reactor.tcpClients[-1][2].buildProtocol(None)
        assert wire is not None
        transport: Any = StringTransport()
        transport.protocol = wire
        wire.makeConnection(transport)
        wire.dataReceived(ESTABLISHED)
        self.assertIs(transport.protocol, self.successResultOf(d))

    def test_layerIsHandedOver(self) -> None:
        """Likewise a layer between the socket and us."""
        endpoint = IntermediaryClientEndpoint(self.reactor, "example.org", 443, Layered(self.proxy))
        d = endpoint.connect(self.factory)
        wire, _ = self.reach()
        wire.dataReceived(ESTABLISHED)
        protocol: Any = self.successResultOf(d)
        self.assertIsInstance(protocol.transport, ProtocolWrapper)
        self.assertIs(protocol.transport.wrappedProtocol, protocol)
        wire.dataReceived(b"octets")
        self.assertEqual(protocol.heard, ["made", b"octets"])

    def test_refusalHasItsReasons(self) -> None:
        """Status, phrase and fields; the connection is dropped."""
        d, wire, transport = self.answer(
            b"HTTP/1.1 407 Proxy Authentication Required\r\n"
            b'Proxy-Authenticate: Basic realm="x"\r\nContent-Length: 5\r\n\r\nhello'
        )
        refused = self.failureResultOf(d, TunnelRefused).value
        self.assertIsInstance(refused, error.ConnectError)
        self.assertEqual(refused.status, 407)
        self.assertEqual(refused.reason, b"Proxy Authentication Required")
        self.assertEqual(refused.fields.get(b"proxy-authenticate"), b'Basic realm="x"')
        self.assertIn("the proxy answered 407 Proxy Authentication Required", str(refused))
        self.assertTrue(transport.disconnected)
        wire.dataReceived(b"more")
        wire.connectionLost(Failure(error.ConnectionAborted()))
        self.assertQuiet()

    def test_redirectionIsNoTunnel(self) -> None:
        """Nothing but a 2xx is."""
        d, _, _ = self.answer(b"HTTP/1.1 302 \r\nLocation: http://x/\r\n\r\n")
        refused = self.failureResultOf(d, TunnelRefused).value
        self.assertEqual(refused.status, 302)
        self.assertIn("answered 302.", str(refused))

    def test_whatIsNoAnswerIsRefused(self) -> None:
        """Garbage, another protocol, and a head without an end."""
        for octets in [
            b"SSH-2.0-OpenSSH_9\r\n",
            b"\x16\x03\x01\x02\x00",
            b"HTTP/1.1 200 OK\nX: y\n\n",
            b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
            b"HTTP/1.1 101 Switching\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20000,
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200,
        ]:
            d, wire, transport = self.answer(octets)
            refused = self.failureResultOf(d, TunnelRefused).value
            self.assertIsNone(refused.status)
            self.assertTrue(transport.disconnected)
            wire.connectionLost(Failure(error.ConnectionAborted()))
            self.assertQuiet()

    def test_endBeforeTheAnswer(self) -> None:
        """The proxy closed."""
        for octets in [b"", b"HTTP/1.1 200 OK\r\n"]:
            d, wire, _ = self.answer(octets)
            wire.connectionLost(Failure(error.ConnectionDone()))
            refused = self.failureResultOf(d, TunnelRefused).value
            self.assertIn("closed", str(refused))
            self.assertQuiet()

    def test_proxyOutOfReach(self) -> None:
        """What the proxy's endpoint says is passed on."""
        d = self.connect()
        factory = self.reactor.tcpClients[0][2]
        reason = Failure(error.ConnectionRefusedError())
        factory.clientConnectionFailed(self.reactor.connectors[0], reason)
        self.failureResultOf(d, error.ConnectionRefusedError)
        self.assertQuiet()

    def test_timeoutWhileReachingTheProxy(self) -> None:
        """The attempt is given up."""
        d = self.connect(timeoutSeconds=3)
        self.reactor.advance(2.9)
        self.assertNoResult(d)
        self.reactor.advance(0.2)
        self.failureResultOf(d, error.TimeoutError)
        self.assertTrue(self.reactor.connectors[0].stoppedConnecting)

    def test_timeoutWhileWaitingForTheAnswer(self) -> None:
        """Octets that trickle, and 1xx heads, extend nothing."""
        d = self.connect(timeoutSeconds=3)
        wire, transport = self.reach()
        for _ in range(3):
            wire.dataReceived(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            self.reactor.advance(0.9)
        self.assertNoResult(d)
        self.reactor.advance(0.4)
        self.failureResultOf(d, error.TimeoutError)
        self.assertTrue(transport.disconnected)
        self.assertQuiet()

    def test_cancellingWhileReachingTheProxy(self) -> None:
        """The attempt is given up."""
        d = self.connect()
        d.cancel()
        self.failureResultOf(d, CancelledError)
        self.assertTrue(self.reactor.connectors[0].stoppedConnecting)
        self.assertQuiet()

    def test_cancellingWhileWaitingForTheAnswer(self) -> None:
        """The connection is dropped."""
        d = self.connect()
        _, transport = self.reach()
        d.cancel()
        self.failureResultOf(d, CancelledError)
        self.assertTrue(transport.disconnected)
        self.assertQuiet()

    def test_aProxyThatIsReachedAfterAll(self) -> None:
        """An endpoint that can't be cancelled gets no protocol for nobody."""
        reached: list[Any] = []

        @implementer(IStreamClientEndpoint)
        class Stubborn:
            def connect(self, factory: Any) -> Deferred[Any]:
                reached.append(factory)
                return Deferred()

        self.proxy = Stubborn()  # type: ignore[assignment]
        d = self.connect()
        d.cancel()
        self.failureResultOf(d, CancelledError)
        self.assertIsNone(reached[0].buildProtocol(None))

    def test_protocolThatRaises(self) -> None:
        """A protocol that fails to start has no connection."""
        self.patch(Noting, "connectionMade", lambda self: 1 / 0)
        d, _, transport = self.answer(ESTABLISHED + b"early")
        self.failureResultOf(d, ZeroDivisionError)
        self.assertTrue(transport.disconnected)

    def test_protocolThatGivesUpItsOwnConnection(self) -> None:
        """Cancelled while it starts, it hears no early octets."""
        d = self.connect()
        self.patch(Noting, "connectionMade", lambda self: d.cancel())
        wire, transport = self.reach()
        wire.dataReceived(ESTABLISHED + b"early")
        self.failureResultOf(d, CancelledError)
        self.assertTrue(transport.disconnected)


@implementer(IStreamClientEndpoint)
class Layered:
    """An endpoint with a layer above its transport."""

    def __init__(self, endpoint: Any) -> None:
        self.endpoint = endpoint

    def connect(self, protocolFactory: Any) -> Any:
        return self.endpoint.connect(WrappingFactory(protocolFactory))


class TunnelTests(SynchronousTestCase):
    """Both ends of a tunnel, in memory."""

    def test_TLSThroughTheTunnel(self) -> None:
        """TLS with the destination, on top, as for any endpoint."""
        certificate = selfSigned("example.org")
        reactor = MemoryReactorClock()
        served = Noting()
        destination = TLSMemoryBIOFactory(
            certificate.options(), False, Factory.forProtocol(lambda: served)
        )
        requests: list[bytes] = []
        reactor.listenTCP(3128, Factory.forProtocol(lambda: MemoryProxy(requests, destination)))
        endpoint = wrapClientTLS(
            optionsForClientTLS("example.org", trustRoot=Certificate(certificate.original)),
            IntermediaryClientEndpoint(
                reactor, "example.org", 443, TCP4ClientEndpoint(reactor, "127.0.0.1", 3128)
            ),
        )
        d = endpoint.connect(Factory.forProtocol(Noting))
        pump: Any = ConnectionCompleter(reactor).succeedOnce()
        protocol: Any = self.successResultOf(d)
        protocol.transport.write(MUCH)
        pump.flush()
        self.assertEqual(requests, [b"CONNECT example.org:443 HTTP/1.1"])
        self.assertEqual(b"".join(served.heard[1:]), MUCH)
        assert served.transport is not None
        served.transport.write(b"world")
        served.transport.loseConnection()
        pump.flush()
        self.assertEqual(protocol.heard, ["made", b"world", error.ConnectionDone])


class MemoryProxy(Protocol):
    """A proxy whose only destination is a factory."""

    def __init__(self, requests: list[bytes], destination: Any) -> None:
        self.requests = requests
        self.destination = destination
        self.received = b""

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        head, end, early = self.received.partition(b"\r\n\r\n")
        if end:
            self.requests.append(head.partition(b"\r\n")[0])
            transport: Any = self.transport
            transport.write(ESTABLISHED)
            transport.protocol = self.destination.buildProtocol(None)
            transport.protocol.makeConnection(transport)
            if early:
                transport.protocol.dataReceived(early)


def selfSigned(name: str) -> PrivateCertificate:
    """Make a certificate for a name, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    loaded: PrivateCertificate = PrivateCertificate.loadPEM(pem)
    return loaded


class ParserTests(SynchronousTestCase):
    """Tests for L{IntermediaryClientParser}."""

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.parser = IntermediaryClientParser()

    def test_isAPlugin(self) -> None:
        """As C{clientFromString} looks for them."""
        verifyObject(IPlugin, self.parser)
        verifyObject(IStreamClientEndpointStringParserWithReactor, self.parser)
        self.assertEqual(self.parser.prefix, "intermediary")

    def test_destinationAndProxy(self) -> None:
        """C{intermediary:HOST:PORT:via=ENDPOINT}, the endpoint unescaped by Twisted."""
        endpoint = self.parser.parseStreamClient(
            self.reactor, "example.org", "443", via="tcp:127.0.0.1:3128"
        )
        endpoint.connect(Factory.forProtocol(Noting))
        self.assertEqual(self.reactor.tcpClients[0][:2], ("127.0.0.1", 3128))
        self.assertEqual(endpoint.authority, "example.org:443")

    def test_timeoutInSeconds(self) -> None:
        """C{timeout=} is for all of it."""
        endpoint = self.parser.parseStreamClient(
            self.reactor, "example.org", "443", via="tcp:127.0.0.1:3128", timeout="2.5"
        )
        d = endpoint.connect(Factory.forProtocol(Noting))
        self.reactor.advance(2.6)
        self.failureResultOf(d, error.TimeoutError)

    def test_whatIsMissingIsSaid(self) -> None:
        """With the whole form to copy."""
        for arguments, options in [
            ((), {}),
            (("example.org",), {"via": "tcp:127.0.0.1:3128"}),
            (("example.org", "https"), {"via": "tcp:127.0.0.1:3128"}),
            (("example.org", "443"), {}),
        ]:
            raised = self.assertRaises(
                ValueError, self.parser.parseStreamClient, self.reactor, *arguments, **options
            )
            self.assertIn("intermediary:HOST:PORT:via=ENDPOINT", str(raised))

    def test_unknownOptionsAreNamed(self) -> None:
        """With those that are known; never Python's own words."""
        raised = self.assertRaises(
            ValueError,
            clientFromString,
            self.reactor,
            r"intermediary:example.org:443:via=tcp\:127.0.0.1\:3128:foo=1",
        )
        self.assertEqual(
            str(raised),
            'intermediary: endpoints have no option "foo"; known are: host, port, via, timeout',
        )

    def test_argumentsThatDoNotFitAreToldTheForm(self) -> None:
        """One too many, or the same one twice."""
        for more in (":1:2:3:4", ":host=b"):
            raised = self.assertRaises(
                ValueError,
                clientFromString,
                self.reactor,
                rf"intermediary:a:443:via=tcp\:b\:1{more}",
            )
            self.assertIn("intermediary:HOST:PORT:via=ENDPOINT", str(raised))
