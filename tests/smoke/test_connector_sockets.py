# -*- test-case-name: tests.smoke.test_connector_sockets -*-
# mypy: disallow-untyped-calls=False
"""
The connector, its transports and the client endpoint on real sockets of the
loopback interface, under every reactor that is there.
"""

from __future__ import annotations

import errno
import gc
import os
import socket
import sys
from typing import TYPE_CHECKING, Any
from unittest import SkipTest

from twisted.internet import error
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.test import reactormixins
from twisted.python.failure import Failure
from zope.interface import implementer

from intermediary.errors import (
    ConnectionRefused,
    ConnectTimeout,
    DestinationProhibited,
    DestinationUnroutable,
    DNSError,
)
from intermediary.interfaces import Origin
from intermediary.net.connector import Connector
from intermediary.net.resolver import Resolver, StaticResolver
from intermediary.ops.client import IntermediaryClientEndpoint
from intermediary.policy.access import DestinationGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from twisted.trial.unittest import SynchronousTestCase

    class Builder(reactormixins.ReactorBuilder, SynchronousTestCase):
        """What the classes made from a builder are."""

else:
    Builder = reactormixins.ReactorBuilder

REACTORS = [
    "twisted.internet.selectreactor.SelectReactor",
    "twisted.internet.epollreactor.EPollReactor",
    "twisted.internet.test.reactormixins.AsyncioSelectorReactor",
    "intermediary.net.reactor.LeanReactor",
]

MUCH = bytes(range(256)) * 8192


@implementer(IHalfCloseableProtocol)
class Noting(Protocol):
    """Notes what it hears; C{ended} fires when it is over."""

    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred()
        self.heard = b""
        self.states: list[Any] = []

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def readConnectionLost(self) -> None:
        self.states.append("read lost")
        assert self.transport is not None
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        self.states.append("write lost")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.states.append(reason.type)
        self.ended.callback(None)


@implementer(IHalfCloseableProtocol)
class Echo(Protocol):
    """Sends back what it gets, and ends when the other side has ended."""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    def readConnectionLost(self) -> None:
        assert self.transport is not None
        self.transport.write(b"goodbye")
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        pass


class Slow(socket.socket):
    """A socket whose handshake is not over when the call that began it returns."""

    asked = 0

    def connect_ex(self, address: Any) -> int:
        self.asked += 1
        return errno.EALREADY if self.asked > 1 else super().connect_ex(address)


class ConnectorBuilder(Builder):
    """Tests of connections that are real."""

    _reactors = REACTORS

    def setUp(self) -> None:
        """Make a reactor and a connector on it."""
        super().setUp()
        self.reactor: Any = self.buildReactor()
        self.connector = Connector(self.reactor, Resolver(self.reactor))
        self.factory = Factory.forProtocol(Noting)

    def knows(self, **names: list[str]) -> None:
        """Give the connector a resolver that knows C{name.example} and so on."""
        self.connector.resolver = StaticResolver(
            {f"{name}.example": addresses for name, addresses in names.items()}
        )

    def play(self, scene: Callable[[], Coroutine[Deferred[Any], Any, None]]) -> None:
        """Run the reactor while a coroutine runs; its failure is the test's."""
        outcome: list[Any] = []

        def begin() -> None:
            d = Deferred.fromCoroutine(scene())
            d.addBoth(outcome.append)
            d.addBoth(lambda _: self.reactor.stop())

        self.reactor.callWhenRunning(begin)
        self.runReactor(self.reactor, timeout=10)
        if isinstance(outcome[0], Failure):
            outcome[0].raiseException()

    def countDescriptors(self) -> int:
        """Count what this process has open, and what has gone unnoticed no more."""
        # What tests before this one left behind must not go in its middle.
        gc.collect()
        return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0

    def serve(self, interface: str = "127.0.0.1") -> int:
        """Let something listen; give its port."""
        try:
            port = self.reactor.listenTCP(0, Factory.forProtocol(Echo), interface=interface)
        except error.CannotListenError as e:
            raise SkipTest(f"no {interface} here") from e
        return int(port.getHost().port)

    def unusedPort(self) -> int:
        """Give a port that nothing listens on."""
        with socket.socket() as skt:
            skt.bind(("127.0.0.1", 0))
            return int(skt.getsockname()[1])

    def deafServer(self, host: str, port: int) -> None:
        """Let something listen that has no room for one more connection."""
        server = socket.socket()
        self.addCleanup(server.close)
        server.bind((host, port))
        server.listen(0)
        for _ in range(4):
            client = socket.socket()
            self.addCleanup(client.close)
            client.setblocking(False)
            client.connect_ex((host, port))

    def connect(self, host: str, port: int, seconds: float = 5, guard: Any = None) -> Deferred[Any]:
        """Connect a L{Noting}."""
        return self.connector.connect(
            Origin("http", host, port, guard=guard), self.factory, seconds
        )

    async def refused(self, kind: type[Exception], d: Deferred[Any]) -> None:
        """Wait for a failure."""
        try:
            await d
        except kind:
            return
        raise AssertionError("there is a connection")

    async def converse(self, protocol: Any) -> None:
        """Send much, half-close, and hear it all back."""
        protocol.transport.write(MUCH[:10])
        protocol.transport.write(MUCH[10:])
        protocol.transport.loseWriteConnection()
        await protocol.ended
        self.assertEqual(len(protocol.heard), len(MUCH) + 7)
        self.assertEqual(protocol.heard, MUCH + b"goodbye")
        self.assertEqual(protocol.states[:2], ["write lost", "read lost"])

    def test_connectionToThisHostIsThereAtOnce(self) -> None:
        """On Linux the handshake over loopback takes no turn of the reactor."""
        if not sys.platform.startswith("linux"):
            raise SkipTest("another kernel may take its time")
        port = self.serve()

        async def scene() -> None:
            protocol: Any = self.successResultOf(self.connect("127.0.0.1", port))
            self.assertEqual(protocol.transport.getPeer().port, port)
            self.assertEqual(protocol.transport.getHost().host, "127.0.0.1")
            self.assertTrue(protocol.transport.getTcpNoDelay())
            await self.converse(protocol)

        self.play(scene)

    def test_connectionThatTakesTime(self) -> None:
        """The reactor notices when it is established."""
        port = self.serve()

        async def scene() -> None:
            self.patch(socket, "SocketType", Slow)
            d = self.connect("127.0.0.1", port)
            self.assertNoResult(d)
            await self.converse(await d)

        self.play(scene)

    def test_refusalThatTakesTime(self) -> None:
        """The reactor notices when it is refused, and the socket is closed."""
        port = self.unusedPort()

        async def scene() -> None:
            before = self.countDescriptors()
            self.patch(socket, "SocketType", Slow)
            d = self.connect("127.0.0.1", port)
            self.assertNoResult(d)
            await self.refused(ConnectionRefused, d)
            self.assertEqual(self.countDescriptors(), before)
            self.assertEqual(self.reactor.getWriters(), [])

        self.play(scene)

    def test_refusalAtOnce(self) -> None:
        """Over loopback it needs no turn of the reactor either."""
        before = self.countDescriptors()
        self.failureResultOf(self.connect("127.0.0.1", self.unusedPort()), ConnectionRefused)
        self.assertEqual(self.countDescriptors(), before)

    def test_abortedConnection(self) -> None:
        """Nothing of it remains."""
        port = self.serve()

        async def scene() -> None:
            before = self.countDescriptors()
            protocol = await self.connect("127.0.0.1", port)
            protocol.transport.abortConnection()
            await protocol.ended
            self.assertEqual(protocol.states, [error.ConnectionAborted])
            self.assertLessEqual(self.countDescriptors(), before + 1)

        self.play(scene)

    def test_IPv6(self) -> None:
        """Literals of the other family."""
        port = self.serve("::1")

        async def scene() -> None:
            protocol = await self.connect("::1", port)
            self.assertEqual(protocol.transport.getPeer().host, "::1")
            await self.converse(protocol)

        self.play(scene)

    def test_nameOfThisHost(self) -> None:
        """The system's resolver knows C{/etc/hosts}; the reactor asks it in a thread."""
        port = self.serve()

        async def scene() -> None:
            await self.converse(await self.connect("localhost", port))

        self.play(scene)

    def test_unknownName(self) -> None:
        """RFC 6761 §6.4: C{invalid} has no addresses."""

        async def scene() -> None:
            await self.refused(DNSError, self.connect("no-such-host.invalid", 80))

        self.play(scene)

    def test_nextAddressIsTried(self) -> None:
        """One refuses, the other does not."""
        self.knows(two=["127.0.0.2", "127.0.0.1"])
        port = self.serve()

        async def scene() -> None:
            protocol = await self.connect("two.example", port)
            self.assertEqual(protocol.transport.getPeer().host, "127.0.0.1")
            await self.converse(protocol)

        self.play(scene)

    def test_nextAddressIsTriedLater(self) -> None:
        """One does not answer; when the other does, the first is closed."""
        self.knows(two=["127.0.0.2", "127.0.0.1"])
        port = self.serve()
        self.deafServer("127.0.0.2", port)

        async def scene() -> None:
            d = self.connect("two.example", port)
            self.assertNoResult(d)
            protocol = await d
            self.assertEqual(protocol.transport.getPeer().host, "127.0.0.1")
            self.assertEqual(self.reactor.getWriters(), [])
            await self.converse(protocol)

        self.play(scene)

    def test_timeoutAndCancel(self) -> None:
        """A server that does not answer; no socket remains."""
        port = self.unusedPort()
        self.deafServer("127.0.0.1", port)

        async def scene() -> None:
            before = self.countDescriptors()
            await self.refused(ConnectTimeout, self.connect("127.0.0.1", port, seconds=0.05))
            self.assertEqual(self.countDescriptors(), before)
            d = self.connect("127.0.0.1", port)
            self.assertEqual(len(self.reactor.getWriters()), 1)
            d.cancel()
            await self.refused(CancelledError, d)
            self.assertEqual(self.reactor.getWriters(), [])
            self.assertEqual(self.countDescriptors(), before)

        self.play(scene)

    def test_guardKeepsLoopbackClosed(self) -> None:
        """Nothing is dialled, under whatever spelling."""
        self.connector.resolver = StaticResolver({"localhost": ["127.0.0.1", "::1"]})
        port = self.serve()
        before = self.countDescriptors()
        guard = DestinationGuard()
        for host in ["127.0.0.1", "localhost", "::1", "::ffff:127.0.0.1", "0.0.0.0"]:
            self.failureResultOf(self.connect(host, port, guard=guard), DestinationProhibited)
        for host in ["127.1", "2130706433", "0x7f.1"]:
            self.failureResultOf(self.connect(host, port, guard=guard), DNSError)
        self.assertEqual(self.countDescriptors(), before)

    def test_otherSpellingsOfAddressesEndAtTheGuard(self) -> None:
        """Even a resolver that takes them to C{getaddrinfo} gets them no further."""
        port = self.serve()
        self.connector.resolver = Credulous()  # type: ignore[assignment]
        for host in ["127.1", "2130706433", "0x7f.1", "0177.0.0.1", "localhost"]:
            d = self.connect(host, port, guard=DestinationGuard())
            self.failureResultOf(d, DestinationProhibited)

    def test_noWayThere(self) -> None:
        """TCP to a broadcast address is refused by the kernel itself."""
        self.failureResultOf(self.connect("255.255.255.255", 80), DestinationUnroutable)

    def test_tunnelThroughAProxy(self) -> None:
        """The client endpoint passes half-close and much data through."""
        listening = self.reactor.listenTCP(
            0, Factory.forProtocol(ConnectingProxy), interface="127.0.0.1"
        )
        proxy = TCP4ClientEndpoint(self.reactor, "127.0.0.1", listening.getHost().port)
        endpoint = IntermediaryClientEndpoint(self.reactor, "example.org", 443, proxy)

        async def scene() -> None:
            protocol: Any = await endpoint.connect(self.factory)
            self.assertIs(protocol.transport.protocol, protocol)
            protocol.transport.write(MUCH)
            protocol.transport.loseWriteConnection()
            await protocol.ended
            self.assertEqual(protocol.heard, b"welcome " + MUCH + b"goodbye")
            self.assertEqual(protocol.states[:2], ["write lost", "read lost"])

        self.play(scene)


class Credulous:
    """A resolver that believes in whatever C{getaddrinfo} makes of a name."""

    def resolve(self, host: str, port: int) -> Any:
        """See L{IResolver<intermediary.interfaces.IResolver>}."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return StaticResolver({host: [str(one[4][0]) for one in found]}).resolve(host, port)


class ConnectingProxy(Echo):
    """A proxy that is the destination of its tunnels itself."""

    received = b""

    def dataReceived(self, data: bytes) -> None:
        """Answer a request, with the destination's first words right behind."""
        self.received += data
        _head, end, early = self.received.partition(b"\r\n\r\n")
        if end:
            transport: Any = self.transport
            transport.write(b"HTTP/1.1 200 OK\r\n\r\nwelcome " + early)
            transport.protocol = Echo()
            transport.protocol.makeConnection(transport)


globals().update(ConnectorBuilder.makeTestCaseClasses())
