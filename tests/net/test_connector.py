# -*- test-case-name: tests.net.test_connector -*-
# mypy: disallow-untyped-calls=False
"""
Tests for L{intermediary.net.connector} and L{intermediary.net.attempt}: which
addresses are dialled, when, and what a failure is called.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.internet import error
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from intermediary.errors import (
    ConnectionRefused,
    ConnectTimeout,
    DestinationProhibited,
    DestinationUnavailable,
    DestinationUnroutable,
    DNSError,
    DNSTimeout,
    IntermediaryError,
    PortNotAllowed,
)
from intermediary.interfaces import IConnector, IDestinationGuard, IResolver, Origin
from intermediary.net import connector as remembering
from intermediary.net.attempt import Attempt, attemptFor
from intermediary.net.connector import (
    ADDRESS_LIMIT,
    Connector,
    interleave,
    literalFamily,
)
from intermediary.net.failures import UNKNOWN, failureClass
from intermediary.net.reactorattempt import ReactorAttempt
from intermediary.net.resolver import StaticResolver
from intermediary.net.socketattempt import SocketAttempt
from intermediary.net.transport import DialledClient
from intermediary.policy.access import ConnectPorts

from .noting import Noting, NotingFactory

V4 = socket.AF_INET
V6 = socket.AF_INET6


@implementer(IResolver)
class Waiting:
    """A resolver that leaves the answers to the test."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.cancelled = 0
        self.answer: Deferred[list[tuple[int, str]]]

    def resolve(self, host: str, port: int) -> Deferred[list[tuple[int, str]]]:
        self.asked.append((host, port))
        self.answer = Deferred(self._cancel)
        return self.answer

    def _cancel(self, deferred: Deferred[Any]) -> None:
        self.cancelled += 1


@implementer(IResolver)
class Nobody:
    """A resolver that must not be asked."""

    def resolve(self, host: str, port: int) -> Deferred[list[tuple[int, str]]]:
        raise AssertionError(f"{host} was looked up")


@implementer(IDestinationGuard)
class Guard:
    """Prohibits what it was told to, and remembers what it was asked."""

    def __init__(self, **prohibited: str) -> None:
        self.prohibited = {address.replace("_", "."): why for address, why in prohibited.items()}
        self.asked: list[tuple[str, str]] = []

    def prohibits(self, host: str, address: str) -> str | None:
        self.asked.append((host, address))
        return self.prohibited.get(address)


class ConnectorTestCase(SynchronousTestCase):
    """A connector on a reactor in memory."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.factory = NotingFactory()
        self.connector = Connector(self.reactor, Nobody())

    def connect(self, host: str, guard: Any = None, seconds: float = 10) -> Deferred[Any]:
        """Connect to port 80 of a host."""
        return self.connector.connect(Origin("http", host, 80, guard=guard), self.factory, seconds)

    def knows(self, **names: list[str]) -> None:
        """Give the connector a resolver that knows C{name.example} and so on."""
        self.connector.resolver = StaticResolver(
            {f"{name}.example": addresses for name, addresses in names.items()}
        )

    def dialled(self) -> list[str]:
        """The addresses of all attempts so far."""
        return [client[0] for client in self.reactor.tcpClients]

    def stopped(self) -> list[bool]:
        """Of every attempt, whether it was given up."""
        return [connector.stoppedConnecting for connector in self.reactor.connectors]

    def fail(self, number: int, reason: Exception | None = None) -> None:  # type: ignore[override]
        """Let an attempt fail."""
        client = self.reactor.tcpClients[number]
        failure = Failure(reason or error.ConnectionRefusedError())
        client[2].clientConnectionFailed(self.reactor.connectors[number], failure)

    def establish(self, number: int) -> tuple[Any, StringTransport]:
        """Let an attempt have its connection, as a reactor does."""
        host, port, factory = self.reactor.tcpClients[number][:3]
        protocol = factory.buildProtocol(IPv4Address("TCP", host, port))
        transport = StringTransport()
        if protocol is not None:
            protocol.makeConnection(transport)
        return protocol, transport

    def assertQuiet(self) -> None:
        """Nothing is scheduled."""
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class LiteralTests(ConnectorTestCase):
    """Connections to an address."""

    def test_isAConnector(self) -> None:
        """It provides L{IConnector}."""
        verifyObject(IConnector, self.connector)

    def test_literalsOfRFC3986(self) -> None:
        """RFC 3986 §3.2.2: dotted decimal and IPv6, nothing that merely looks it."""
        for host, family in [
            ("127.0.0.1", V4),
            ("::1", V6),
            ("::ffff:127.0.0.1", V6),
            ("fe80::1%eth0", V6),
            ("127.1", None),
            ("2130706433", None),
            ("0x7f.0.0.1", None),
            ("0177.0.0.1", None),
            ("1.2.3.4.", None),
            ("example.org", None),
            ("host1", None),
            ("::g", None),
            ("a:b", None),
            ("", None),
            ("1.2.3.4\0", None),
        ]:
            for _ in range(2):
                self.assertEqual((host, literalFamily(host)), (host, family))

    def test_literalsAreRememberedUpToALimit(self) -> None:
        """However many different ones are asked for."""
        for number in range(2 * remembering.LITERALS_LIMIT):
            literalFamily(f"10.0.{number >> 8}.{number & 255}")
            self.assertLessEqual(len(remembering._literals), remembering.LITERALS_LIMIT)
        self.assertNotIn("10.0.0.0", remembering._literals)
        self.assertEqual(socket.AF_INET, literalFamily("10.0.0.0"))

    def test_literalIsDialledWithoutLookup(self) -> None:
        """One attempt, and the protocol once it is connected."""
        d = self.connect("192.0.2.1")
        self.assertEqual(self.reactor.tcpClients[0][:2], ("192.0.2.1", 80))
        self.assertNoResult(d)
        _, transport = self.establish(0)
        protocol = self.successResultOf(d)
        self.assertEqual(protocol.heard, ["made"])
        self.assertIs(protocol.transport, transport)
        self.assertEqual(self.factory.addresses, [IPv4Address("TCP", "192.0.2.1", 80)])
        self.assertQuiet()

    def test_IPv6LiteralIsDialledWithoutLookup(self) -> None:
        """Without its brackets, as the origin has it."""
        self.connect("2001:db8::1")
        self.assertEqual(self.dialled(), ["2001:db8::1"])

    def test_otherSpellingIsANameAndRefused(self) -> None:
        """What only C{getaddrinfo} takes for an address gets no further."""
        self.knows()
        self.failureResultOf(self.connect("127.1"), DNSError)
        self.failureResultOf(self.connect("::g"), DNSError)
        self.assertEqual(self.dialled(), [])

    def test_octetsReachTheProtocol(self) -> None:
        """Also on a transport that keeps the protocol that it was made with."""
        d = self.connect("192.0.2.1")
        first, _ = self.establish(0)
        first.dataReceived(b"hello")
        first.connectionLost(Failure(error.ConnectionDone()))
        self.assertEqual(self.successResultOf(d).heard, ["made", b"hello", "lost"])

    def test_transportIsGivenTheProtocol(self) -> None:
        """A transport that names its protocol names the right one."""
        d = self.connect("192.0.2.1")
        handover = self.reactor.tcpClients[0][2].buildProtocol(None)
        assert handover is not None
        transport: Any = StringTransport()
        transport.protocol = handover
        handover.makeConnection(transport)
        self.assertIs(transport.protocol, self.successResultOf(d))

    def test_notYetAvailableIsSaid(self) -> None:
        """Parent proxies are another connector's."""
        origin = Origin("http", "192.0.2.1", 80, via="http://192.0.2.2:3128")
        d = self.connector.connect(origin, self.factory, 10)
        self.failureResultOf(d, DestinationUnavailable)
        self.assertEqual(self.dialled(), [])


class FailureTests(ConnectorTestCase):
    """What failures are called: RFC 9209 §2.3."""

    def test_everyErrnoHasItsClass(self) -> None:
        """The narrowest, and "unavailable" for what is wrong on our own side."""
        for code, expected in [
            (errno.ECONNREFUSED, ConnectionRefused),
            (errno.ECONNRESET, ConnectionRefused),
            (errno.EHOSTUNREACH, DestinationUnroutable),
            (errno.ENETUNREACH, DestinationUnroutable),
            (errno.EACCES, DestinationUnroutable),
            (errno.EAFNOSUPPORT, DestinationUnroutable),
            (errno.ETIMEDOUT, ConnectTimeout),
            (errno.EMFILE, DestinationUnavailable),
            (errno.ENFILE, DestinationUnavailable),
            (errno.ENOBUFS, DestinationUnavailable),
            (errno.EADDRNOTAVAIL, DestinationUnavailable),
            (UNKNOWN, DestinationUnavailable),
        ]:
            self.assertIs(failureClass(code), expected, errno.errorcode.get(code))

    def test_everyErrorOfTheReactorHasItsClass(self) -> None:
        """With an C{errno} or by its class."""
        for reason, expected in [
            (error.ConnectionRefusedError(), ConnectionRefused),
            (error.ConnectionRefusedError(errno.ECONNREFUSED), ConnectionRefused),
            (error.NoRouteError(), DestinationUnroutable),
            (error.TCPTimedOutError(), ConnectTimeout),
            (error.TimeoutError(), ConnectTimeout),
            (error.UnknownHostError(), DestinationUnroutable),
            (error.ConnectBindError(errno.EMFILE), DestinationUnavailable),
            (error.ConnectError(errno.ENETUNREACH), DestinationUnroutable),
            (error.ConnectError(), DestinationUnavailable),
        ]:
            d = self.connect("192.0.2.1")
            self.fail(-1, reason)
            self.failureResultOf(d, expected)
            self.assertQuiet()

    def test_detailIsForTheLog(self) -> None:
        """It names the origin, the address and the reason."""
        self.knows(a=["192.0.2.1"])
        d = self.connect("a.example")
        self.fail(0)
        detail = self.failureResultOf(d).value.detail
        self.assertEqual(detail, "http://a.example:80 at 192.0.2.1: Connection refused")

    def test_timeoutStopsTheAttempt(self) -> None:
        """C{connection_timeout}, after the given time and not before."""
        d = self.connect("192.0.2.1", seconds=3)
        self.reactor.advance(2.9)
        self.assertNoResult(d)
        self.reactor.advance(0.2)
        self.failureResultOf(d, ConnectTimeout)
        self.assertEqual(self.stopped(), [True])
        self.assertQuiet()

    def test_cancellingStopsTheAttempt(self) -> None:
        """The socket is closed, and nothing follows."""
        d = self.connect("192.0.2.1")
        d.cancel()
        self.failureResultOf(d, CancelledError)
        self.assertEqual(self.stopped(), [True])
        self.assertQuiet()
        self.fail(0, error.UserError())
        self.assertIsNone(self.establish(0)[0])

    def test_factoryWithoutProtocol(self) -> None:
        """A factory may decline; the connection is dropped."""
        self.factory.buildProtocol = lambda addr: None  # type: ignore[method-assign]
        d = self.connect("192.0.2.1")
        self.assertIsNone(self.establish(0)[0])
        self.failureResultOf(d, error.NoProtocol)
        self.assertQuiet()

    def test_factoryThatRaises(self) -> None:
        """Its exception is the answer."""
        self.factory.protocol = lambda: 1 / 0
        d = self.connect("192.0.2.1")
        self.assertIsNone(self.establish(0)[0])
        self.failureResultOf(d, ZeroDivisionError)

    def test_protocolThatRaises(self) -> None:
        """A protocol that fails to start has no connection."""
        self.patch(Noting, "connectionMade", lambda self: 1 / 0)
        d = self.connect("192.0.2.1")
        _, transport = self.establish(0)
        self.failureResultOf(d, ZeroDivisionError)
        self.assertTrue(transport.disconnected)

    def test_protocolThatCancelsItsOwnConnection(self) -> None:
        """Whoever gives up while the protocol starts gets none."""
        d = self.connect("192.0.2.1")
        self.patch(Noting, "connectionMade", lambda self: d.cancel())
        _, transport = self.establish(0)
        self.failureResultOf(d, CancelledError)
        self.assertTrue(transport.disconnected)


class LookupTests(ConnectorTestCase):
    """From a name to its addresses."""

    def setUp(self) -> None:
        super().setUp()
        self.resolver = self.connector.resolver = Waiting()

    def test_nameIsResolvedFirst(self) -> None:
        """Then its address is dialled."""
        d = self.connect("a.example")
        self.assertEqual(self.resolver.asked, [("a.example", 80)])
        self.assertEqual(self.dialled(), [])
        self.resolver.answer.callback([(V4, "192.0.2.1")])
        self.assertEqual(self.dialled(), ["192.0.2.1"])
        self.establish(0)
        self.successResultOf(d)
        self.assertQuiet()

    def test_failureOfTheResolverIsPassedOn(self) -> None:
        """As it is, if it is one of ours; as C{dns_error} otherwise."""
        for reason, expected in [
            (DNSTimeout("late"), DNSTimeout),
            (DNSError("gone"), DNSError),
            (error.DNSLookupError("no such host"), DNSError),
        ]:
            d = self.connect("a.example")
            self.resolver.answer.errback(reason)
            self.failureResultOf(d, expected)
            self.assertQuiet()

    def test_failureAtOnceIsPassedOnAtOnce(self) -> None:
        """Without any waiting."""
        self.resolver.resolve = lambda host, port: fail(DNSError("no"))  # type: ignore[method-assign]
        self.failureResultOf(self.connect("a.example"), DNSError)
        self.assertQuiet()

    def test_noAddressIsAnError(self) -> None:
        """A resolver that answers with nothing found nothing."""
        d = self.connect("a.example")
        self.resolver.answer.callback([])
        self.failureResultOf(d, DNSError)
        self.assertQuiet()

    def test_timeoutDuringTheLookup(self) -> None:
        """The time for connecting includes it; the word is C{dns_timeout}."""
        d = self.connect("a.example", seconds=3)
        self.reactor.advance(3)
        self.failureResultOf(d, DNSTimeout)
        self.assertEqual(self.resolver.cancelled, 1)
        self.assertQuiet()

    def test_lookupLeavesLessTimeToConnect(self) -> None:
        """There is one deadline for both."""
        d = self.connect("a.example", seconds=3)
        self.reactor.advance(2)
        self.resolver.answer.callback([(V4, "192.0.2.1")])
        self.reactor.advance(1)
        self.failureResultOf(d, ConnectTimeout)

    def test_cancellingDuringTheLookup(self) -> None:
        """It is given up, and nothing is dialled."""
        d = self.connect("a.example")
        d.cancel()
        self.failureResultOf(d, CancelledError)
        self.assertEqual(self.resolver.cancelled, 1)
        self.assertEqual(self.dialled(), [])
        self.assertQuiet()


class GuardTests(ConnectorTestCase):
    """The guard is asked about what will be dialled."""

    def test_literalIsGuarded(self) -> None:
        """C{destination_ip_prohibited}; nothing is dialled."""
        d = self.connect("10.0.0.1", Guard(**{"10_0_0_1": "private"}))
        detail = self.failureResultOf(d, DestinationProhibited).value.detail
        self.assertIn("10.0.0.1 is private", detail)
        self.assertEqual(self.dialled(), [])
        self.assertQuiet()

    def test_aGuardMayHaveItsOwnError(self) -> None:
        """For what is not the fault of the address."""
        guard = ConnectPorts((443,)).guard(80)
        d = self.connect("192.0.2.1", guard)
        error = self.failureResultOf(d, PortNotAllowed).value
        self.assertEqual((error.status, error.token), (403, "http_request_denied"))
        self.assertEqual(self.dialled(), [])

    def test_nameIsGuardedByItsAddresses(self) -> None:
        """After DNS: the guard sees name and address."""
        self.knows(a=["10.0.0.1"])
        guard = Guard(**{"10_0_0_1": "private"})
        self.failureResultOf(self.connect("a.example", guard), DestinationProhibited)
        self.assertEqual(guard.asked, [("a.example", "10.0.0.1")])

    def test_onlyPermittedAddressesAreDialled(self) -> None:
        """Prohibited ones are passed over, whatever happens to the others."""
        self.knows(a=["10.0.0.1", "192.0.2.1", "127.0.0.1"])
        guard = Guard(**{"10_0_0_1": "private", "127_0_0_1": "loopback"})
        d = self.connect("a.example", guard)
        self.fail(0)
        self.failureResultOf(d, ConnectionRefused)
        self.assertEqual(self.dialled(), ["192.0.2.1"])

    def test_rebindingIsSeen(self) -> None:
        """Every connection asks anew; what is dialled is what was asked about."""
        guard = Guard(**{"127_0_0_1": "loopback"})
        self.knows(a=["192.0.2.1"])
        self.connect("a.example", guard)
        self.knows(a=["127.0.0.1"])
        self.failureResultOf(self.connect("a.example", guard), DestinationProhibited)
        self.assertEqual(self.dialled(), ["192.0.2.1"])

    def test_withoutGuardEverythingIsDialled(self) -> None:
        """An origin without one asks nobody."""
        self.connect("127.0.0.1")
        self.assertEqual(self.dialled(), ["127.0.0.1"])


class RaceTests(ConnectorTestCase):
    """Several addresses: RFC 8305, "Happy Eyeballs"."""

    def setUp(self) -> None:
        super().setUp()
        self.knows(
            a=["2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"], b=["192.0.2.1", "192.0.2.2"]
        )

    def test_familiesTakeTurns(self) -> None:
        """RFC 8305 §4; the first family is the preferred address's."""
        six = [(V6, "::1"), (V6, "::2"), (V6, "::3")]
        four = [(V4, "1.1.1.1"), (V4, "2.2.2.2")]
        self.assertEqual(interleave(six + four), [six[0], four[0], six[1], four[1], six[2]])
        self.assertEqual(interleave(four + six)[:3], [four[0], six[0], four[1]])
        self.assertEqual(interleave(four), four)
        self.assertEqual(interleave(four + four), four)
        self.assertEqual(interleave([]), [])

    def test_nextAttemptBeginsAfterAQuarterOfASecond(self) -> None:
        """RFC 8305 §5: the recommended Connection Attempt Delay."""
        self.connect("a.example")
        self.assertEqual(self.dialled(), ["2001:db8::1"])
        self.reactor.advance(0.24)
        self.assertEqual(len(self.dialled()), 1)
        self.reactor.advance(0.02)
        self.assertEqual(self.dialled(), ["2001:db8::1", "192.0.2.1"])
        self.reactor.pump([0.25] * 4)
        self.assertEqual(self.dialled(), ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"])

    def test_failureBeginsTheNextAtOnce(self) -> None:
        """No time is lost to a host that refuses."""
        self.connect("a.example")
        self.fail(0)
        self.assertEqual(self.dialled(), ["2001:db8::1", "192.0.2.1"])
        # The new attempt has the whole delay for itself.
        self.reactor.advance(0.24)
        self.assertEqual(len(self.dialled()), 2)
        self.reactor.advance(0.02)
        self.assertEqual(len(self.dialled()), 3)

    def test_winnerStopsTheOthers(self) -> None:
        """The first connection is the one; all else is closed."""
        d = self.connect("a.example")
        self.reactor.pump([0.25, 0.25])
        self.establish(1)
        self.assertEqual(self.successResultOf(d).heard, ["made"])
        self.assertEqual(self.stopped(), [True, False, True])
        self.assertQuiet()
        self.assertEqual(len(self.factory.addresses), 1)

    def test_lateWinnersAreDropped(self) -> None:
        """C{buildProtocol} is called once only."""
        d = self.connect("b.example")
        self.reactor.advance(0.25)
        self.establish(0)
        self.successResultOf(d)
        self.assertIsNone(self.establish(1)[0])
        self.assertEqual(len(self.factory.addresses), 1)

    def test_slowFirstMayStillWin(self) -> None:
        """An attempt is not given up because another began."""
        d = self.connect("b.example")
        self.reactor.advance(0.25)
        self.fail(1)
        self.assertNoResult(d)
        self.establish(0)
        self.successResultOf(d)
        self.assertQuiet()

    def test_allFailed(self) -> None:
        """When nothing is left the most telling failure stands for all."""
        d = self.connect("b.example")
        self.fail(0, error.ConnectionRefusedError())
        self.assertNoResult(d)
        self.fail(1, error.NoRouteError())
        failed = self.failureResultOf(d, ConnectionRefused).value
        self.assertIn("192.0.2.1: Connection refused; ", failed.detail)
        self.assertIn("192.0.2.2: No route to host", failed.detail)
        self.assertQuiet()

    def test_timeoutStopsAll(self) -> None:
        """The deadline is for the race, not for an attempt."""
        d = self.connect("b.example", seconds=1)
        self.reactor.pump([0.25] * 4)
        self.failureResultOf(d, ConnectTimeout)
        self.assertEqual(self.stopped(), [True, True])
        self.assertQuiet()

    def test_cancellingStopsAll(self) -> None:
        """Every socket is closed, and no new one opened."""
        d = self.connect("a.example")
        self.reactor.advance(0.25)
        d.cancel()
        self.failureResultOf(d, CancelledError)
        self.assertEqual(self.stopped(), [True, True])
        self.assertQuiet()

    def test_addressesAreBounded(self) -> None:
        """A name can't make this host dial a whole network."""
        self.knows(many=[f"192.0.2.{n}" for n in range(100)])
        d = self.connect("many.example")
        for n in range(ADDRESS_LIMIT):
            self.fail(n)
        self.failureResultOf(d, ConnectionRefused)
        self.assertEqual(len(self.dialled()), ADDRESS_LIMIT)


class FakeSocket:
    """What the kernel says, and what it was asked."""

    closed = False

    def __init__(self, *codes: int | OSError, soError: int = 0) -> None:
        self.codes = list(codes)
        self.soError = soError
        self.peers: list[Any] = []
        self.options: list[Any] = []
        self.blocking = True

    def setblocking(self, flag: bool) -> None:
        self.blocking = flag

    def setsockopt(self, *option: Any) -> None:
        self.options.append(option)

    def getsockopt(self, level: int, name: int) -> int:
        return self.soError

    def connect_ex(self, peer: Any) -> int:
        self.peers.append(peer)
        code = self.codes.pop(0)
        if isinstance(code, OSError):
            raise code
        return code

    def fileno(self) -> int:
        return -1 if self.closed else 99

    def close(self) -> None:
        self.closed = True


class Race:
    """Notes what an attempt says."""

    def __init__(self, *, wanted: bool = True) -> None:
        self.factory: Any = NotingFactory()
        self.wanted = wanted
        self.heard: list[Any] = []

    def won(self, attempt: Attempt) -> bool:
        self.heard.append("won")
        return self.wanted

    def lost(self, attempt: Attempt, code: int) -> None:
        self.heard.append(code)

    def deliver(self, protocol: Any) -> bool:
        self.heard.append(protocol)
        return True

    def refuse(self, reason: Failure) -> None:
        self.heard.append(reason.type)


class SocketAttemptTests(SynchronousTestCase):
    """Tests for L{SocketAttempt}, with a kernel in memory."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.race = Race()

    def begin(
        self, skt: FakeSocket | OSError, family: int = V4, address: str = "192.0.2.1"
    ) -> SocketAttempt:
        """Begin an attempt whose socket is that."""

        def make(family: int, kind: int) -> FakeSocket:
            if isinstance(skt, OSError):
                raise skt
            skt.blocking = not kind & getattr(socket, "SOCK_NONBLOCK", 0)
            return skt

        self.patch(socket, "SocketType", make)
        attempt = SocketAttempt(self.race, self.reactor, family, address, 80)
        attempt.begin()
        return attempt

    def assertOver(self, skt: FakeSocket | None = None) -> None:
        """The reactor knows of nothing, and the socket is closed."""
        self.assertEqual(self.reactor.writers, set())
        if skt is not None:
            self.assertTrue(skt.closed)

    def test_kindsFitTheReactor(self) -> None:
        """Only a reactor that really polls gets descriptors to watch."""
        from twisted.internet.selectreactor import SelectReactor

        self.assertIs(attemptFor(SelectReactor()), SocketAttempt)
        self.assertIs(attemptFor(self.reactor), ReactorAttempt)

    def test_pendingConnectionWaitsForTheReactor(self) -> None:
        """The kernel is asked twice: on loopback the second answer is final."""
        skt = FakeSocket(errno.EINPROGRESS, errno.EALREADY)
        attempt = self.begin(skt)
        self.assertEqual(self.reactor.writers, {attempt})
        self.assertEqual(self.race.heard, [])
        self.assertEqual(skt.peers, [("192.0.2.1", 80)] * 2)
        self.assertFalse(skt.blocking)
        self.assertIn((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), skt.options)
        self.assertEqual(attempt.fileno(), 99)
        self.assertEqual(attempt.logPrefix(), "connect")
        attempt.doWrite()
        self.assertEqual(self.reactor.writers, set())
        won, protocol = self.race.heard
        self.assertEqual((won, protocol.heard), ("won", ["made"]))
        self.assertIsInstance(protocol.transport, DialledClient)
        self.assertEqual(self.reactor.readers, {protocol.transport})
        self.assertTrue(verifyObject(ITCPTransport, protocol.transport))

    def test_connectionAtOnce(self) -> None:
        """By the first answer or by the second."""
        for codes in [(0,), (errno.EINPROGRESS, 0), (errno.EINPROGRESS, errno.EISCONN)]:
            self.race = Race()
            self.begin(FakeSocket(*codes))
            self.assertEqual(self.race.heard[0], "won")
            self.assertEqual(self.race.heard[1].heard, ["made"])
            self.assertOver()

    def test_refusalAtOnce(self) -> None:
        """By the first answer or by the second."""
        for codes in [(errno.ENETUNREACH,), (errno.EINPROGRESS, errno.ECONNREFUSED)]:
            self.race = Race()
            skt = FakeSocket(*codes)
            self.begin(skt)
            self.assertEqual(self.race.heard, [codes[-1]])
            self.assertOver(skt)

    def test_refusalLater(self) -> None:
        """The reactor may report it as writable or as an error."""
        for report in ["doWrite", "connectionLost"]:
            self.race = Race()
            skt = FakeSocket(errno.EINPROGRESS, errno.EALREADY, soError=errno.ECONNREFUSED)
            attempt = self.begin(skt)
            arguments = [Failure(error.ConnectionLost())] if report == "connectionLost" else []
            getattr(attempt, report)(*arguments)
            self.assertEqual(self.race.heard, [errno.ECONNREFUSED])
            self.assertOver(skt)
            self.assertEqual(attempt.fileno(), -1)

    def test_spuriousWakeUp(self) -> None:
        """A handshake that goes on is waited for."""
        skt = FakeSocket(errno.EINPROGRESS, errno.EALREADY, soError=errno.EINPROGRESS)
        attempt = self.begin(skt)
        attempt.doWrite()
        self.assertEqual(self.race.heard, [])
        self.assertEqual(self.reactor.writers, {attempt})

    def test_noSocket(self) -> None:
        """Out of descriptors, or of a family."""
        self.begin(OSError(errno.EMFILE, "Too many open files"))
        self.assertEqual(self.race.heard, [errno.EMFILE])
        self.assertOver()

    def test_connectThatRaises(self) -> None:
        """An address that the kernel does not take."""
        for raised, code in [(OSError("bad"), UNKNOWN), (OSError(errno.EINVAL, "x"), errno.EINVAL)]:
            self.race = Race()
            skt = FakeSocket(raised)
            self.begin(skt)
            self.assertEqual(self.race.heard, [code])
            self.assertOver(skt)

    def test_stopping(self) -> None:
        """The socket is closed, and nothing is heard any more."""
        skt = FakeSocket(errno.EINPROGRESS, errno.EALREADY)
        attempt = self.begin(skt)
        attempt.stop()
        self.assertOver(skt)
        attempt.stop()
        attempt.doWrite()
        attempt.connectionLost(Failure(error.ConnectionLost()))
        self.assertEqual(self.race.heard, [])

    def test_unwantedConnectionIsClosed(self) -> None:
        """Its owner has another."""
        self.race = Race(wanted=False)
        skt = FakeSocket(0)
        self.begin(skt)
        self.assertEqual(self.race.heard, ["won"])
        self.assertOver(skt)

    def test_factoryThatFails(self) -> None:
        """The socket goes with it."""
        for build, expected in [
            (lambda addr: None, error.NoProtocol),
            (lambda addr: 1 / 0, ZeroDivisionError),
        ]:
            self.race = Race()
            self.race.factory.buildProtocol = build
            skt = FakeSocket(0)
            self.begin(skt)
            self.assertEqual(self.race.heard, ["won", expected])
            self.assertOver(skt)
            self.assertEqual(self.reactor.readers, set())

    def test_protocolThatFails(self) -> None:
        """Its connection is aborted, which it hears."""
        self.patch(Noting, "connectionMade", lambda self: 1 / 0)
        protocol = Noting()
        self.race.factory.buildProtocol = lambda addr: protocol
        skt = FakeSocket(0)
        self.begin(skt)
        self.assertEqual(self.race.heard, ["won", ZeroDivisionError])
        self.reactor.advance(0)
        self.assertEqual(protocol.heard, ["lost"])
        self.assertEqual(self.reactor.readers, set())

    def test_aFactoryMayIgnoreTheAddress(self) -> None:
        """None is made for it then."""
        self.race.factory.ignoresAddress = True
        self.begin(FakeSocket(0))
        self.assertEqual(self.race.factory.addresses, [None])
        self.assertEqual(self.race.heard[1].transport.getPeer().host, "192.0.2.1")

    def test_whatIsKnownAtOnceNeedsNoDeferred(self) -> None:
        """C{reach} gives the protocol, the failure, or what to wait for."""
        connector = Connector(self.reactor, StaticResolver({}))
        connector.attemptKind = SocketAttempt
        self.begin(FakeSocket(0))
        for code, expected in [(0, Noting), (errno.ECONNREFUSED, Failure)]:
            self.patch(socket, "SocketType", lambda family, kind, code=code: FakeSocket(code))
            outcome = connector.reach(Origin("http", "192.0.2.1", 80), NotingFactory(), 5)
            self.assertIsInstance(outcome, expected)
        outcome.trap(ConnectionRefused)
        waiting = FakeSocket(errno.EINPROGRESS, errno.EALREADY)
        self.patch(socket, "SocketType", lambda family, kind: waiting)
        outcome = connector.reach(Origin("http", "192.0.2.1", 80), NotingFactory(), 5)
        self.assertNoResult(outcome)
        outcome.cancel()
        self.failureResultOf(outcome, CancelledError)
        over = connector.reach(Origin("http", "a", 80, via="http://b"), NotingFactory(), 5)
        over.trap(DestinationUnavailable)

    def test_peerIsWhatWasDialled(self) -> None:
        """Addresses of both families, for the factory and from the transport."""
        for family, address, expected in [
            (V4, "192.0.2.1", IPv4Address("TCP", "192.0.2.1", 80)),
            (V6, "2001:db8::1", IPv6Address("TCP", "2001:db8::1", 80)),
        ]:
            self.race = Race()
            self.begin(FakeSocket(0), family, address)
            self.assertEqual(self.race.factory.addresses, [expected])
            self.assertEqual(self.race.heard[1].transport.getPeer(), expected)

    def test_zoneBecomesTheScope(self) -> None:
        """RFC 4007 §11: C{fe80::1%zone}, by number or by name of an interface."""
        skt = FakeSocket(0)
        self.begin(skt, V6, "fe80::1%7")
        self.assertEqual(skt.peers, [("fe80::1", 80, 0, 7)])
        self.patch(socket, "if_nametoindex", {"eth0": 3}.__getitem__)
        skt = FakeSocket(0)
        self.begin(skt, V6, "fe80::1%eth0")
        self.assertEqual(skt.peers, [("fe80::1", 80, 0, 3)])

    def test_unknownZoneFails(self) -> None:
        """No interface of that name."""
        self.begin(FakeSocket(), V6, "fe80::1%nowhere9")
        self.assertEqual(self.race.heard, [errno.ENODEV])

    def test_logPrefixIsTheProtocols(self) -> None:
        """As on every transport of Twisted."""
        self.begin(FakeSocket(0))
        self.assertEqual(self.race.heard[1].transport.logPrefix(), "Noting,client")


class ErrorTests(SynchronousTestCase):
    """The classes that a connector may fail with."""

    def test_allMayBeRetriedElsewhere(self) -> None:
        """Nothing was sent, so another attempt is safe, except past a guard."""
        for kind in [
            ConnectionRefused,
            ConnectTimeout,
            DestinationUnavailable,
            DestinationUnroutable,
            DNSError,
            DNSTimeout,
        ]:
            self.assertEqual(kind.retry.value, "always", kind)
        retry = DestinationProhibited.retry
        self.assertIs(retry, IntermediaryError.retry)
