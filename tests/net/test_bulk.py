# -*- test-case-name: tests.net.test_bulk -*-
# mypy: disallow-untyped-calls=False
"""
Long content, which the kernel moves: on real sockets, turned by hand.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed

from intermediary.net.pool import Pool
from intermediary.net.sweep import Sweeper
from intermediary.net.transport import EagerServer
from intermediary.net.upstream import BULK_OCTETS
from intermediary.ops.endpoints import ReverseProxyFactory
from intermediary.settings import (
    Limits,
    PoolSettings,
    ReverseSettings,
    RouteSettings,
    Timeouts,
    UpstreamSettings,
)

from .loopback import LoopbackTestCase, openDescriptors, socketPair

LENGTH = 3 * BULK_OCTETS + 17
CONTENT = bytes(range(256)) * (LENGTH // 256) + b"x" * (LENGTH % 256)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LENGTH


class BulkTestCase(LoopbackTestCase):
    """A reverse front between two sockets of the test."""

    def setUp(self) -> None:
        """Make the front, and a client and an origin for it."""
        super().setUp()
        self.records: list[Any] = []
        self.origins: list[socket.socket] = []
        self.asked: list[bytes] = []
        self.sweeper = Sweeper(self.reactor)
        self.pool = Pool(self.reactor, PoolSettings(), self, self.sweeper, Limits())  # type: ignore[arg-type]
        self.addCleanup(self.pool.close)
        web = UpstreamSettings(name="web", servers=("http://127.0.0.1:1",))
        self.front = ReverseProxyFactory(
            self.reactor,
            ReverseSettings(
                name="site",
                routes=(RouteSettings(upstream=web),),
                timeouts=Timeouts(betweenBytesSeconds=0.2),
            ),
            pool=self.pool,
            accessLog=self,  # type: ignore[arg-type]
        )
        self.downstream: Any = self.front.buildProtocol(IPv4Address("TCP", "127.0.0.1", 2))
        _, _, self.client = self.connect(self.downstream)
        self.client.settimeout(0)

    def record(self, exchange: Any) -> None:
        """Be the access log."""
        self.records.append(exchange)

    def connectOrigin(self, factory: Any) -> Deferred[Any]:
        """Be the connector: the other end is the test's."""
        peer, ours = socketPair()
        self.addCleanup(peer.close)
        self.origins.append(peer)
        protocol = factory.buildProtocol(None)
        port: Any = None
        transport = EagerServer(ours, protocol, ("127.0.0.1", 1), port, 0, self.reactor)
        protocol.makeConnection(transport)
        return succeed(protocol)

    def ask(self) -> socket.socket:
        """Send a request, and give the origin that got it."""
        self.asked.append(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.client.sendall(self.asked[-1])
        self.until(lambda: self.origins)
        origin = self.origins[-1]
        origin.settimeout(0)
        self.until(lambda: b"\r\n\r\n" in self.peek(origin))
        origin.recv(65536)
        return origin

    def send(self, origin: socket.socket, octets: bytes) -> None:
        """Let the origin send, and the client read, all of it."""
        left = memoryview(octets)
        while left:
            try:
                left = left[origin.send(left) :]
            except BlockingIOError:
                pass
            self.turn()
            self.read()

    def peek(self, origin: socket.socket) -> bytes:
        """See what an origin has got, and leave it there."""
        try:
            return origin.recv(65536, socket.MSG_PEEK)
        except BlockingIOError:
            return b""

    def read(self) -> bytes:
        """Let the client read what there is; gives all that it ever read."""
        try:
            while data := self.client.recv(1 << 20):
                self.heard += data
            self.ended = True
        except BlockingIOError:
            pass
        except ConnectionResetError:
            self.ended = True
        return self.heard

    heard = b""
    ended = False


class BulkTests(BulkTestCase):
    """Content of known length, much of it."""

    def connect(self, *arguments: Any, **named: Any) -> Any:
        """Serve a client of the test, or open a connection for the pool."""
        if arguments and hasattr(arguments[0], "host"):
            return self.connectOrigin(arguments[1])
        return super().connect(*arguments, **named)

    def test_itArrivesWholeAndTheConnectionsGoOn(self) -> None:
        """Octet by octet, and counted; the next exchange uses both again."""
        for _ in range(2):
            origin = self.ask()
            self.heard = b""
            self.send(origin, HEAD + CONTENT)
            self.until(lambda: self.read().endswith(CONTENT[-64:]))
            head, _, content = self.heard.partition(b"\r\n\r\n")
            self.assertIn(b"Content-Length: %d" % LENGTH, head)
            self.assertTrue(content == CONTENT)
            self.until(lambda: len(self.records) == len(self.asked))
        self.assertEqual(len(self.origins), 1)
        self.assertEqual([each.octetsOut for each in self.records], [LENGTH, LENGTH])
        self.assertEqual([each.outcome for each in self.records], ["", ""])

    def test_anOriginThatStopsShort(self) -> None:
        """The client's connection ends before the length that it was told."""
        origin = self.ask()
        self.send(origin, HEAD + CONTENT[:-5])
        origin.close()
        self.until(lambda: self.read() and self.ended)
        self.assertTrue(self.heard.endswith(CONTENT[:-5][-64:]))
        self.assertEqual(
            [(each.status, each.outcome) for each in self.records],
            [(200, "http_response_incomplete")],
        )
        self.assertEqual(repr(self.pool), "<Pool size=0>")

    def test_aClientThatGoesAway(self) -> None:
        """The origin is aborted, and no pipe and no connection is left."""
        before = openDescriptors()
        origin = self.ask()
        self.send(origin, HEAD + CONTENT[: BULK_OCTETS * 2])
        self.client.close()
        origin.settimeout(0)

        def isGone() -> bool:
            self.turn()
            try:
                origin.send(b"x" * 1000)
            except BlockingIOError:
                return False
            except OSError:
                return True
            return False

        self.until(isGone)
        self.until(lambda: self.records)
        self.assertEqual(self.records[0].outcome, "client_gone")
        self.assertEqual(self.front.connections, 0)
        self.pool.close()
        self.assertLessEqual(openDescriptors(), before)

    def test_anOriginThatFallsSilent(self) -> None:
        """It is cut off after C{between-bytes} seconds."""
        origin = self.ask()
        self.send(origin, HEAD + CONTENT[: BULK_OCTETS * 2])
        self.until(lambda: self.read() and self.ended)
        self.assertEqual(self.records[0].outcome, "connection_read_timeout")

    def test_aClientThatDoesNotRead(self) -> None:
        """It is the client then that is cut off."""
        origin = self.ask()
        much = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (LENGTH * 40)
        left = memoryview(much + CONTENT * 40)
        stalled = 0
        while stalled < 50 and left:
            try:
                left = left[origin.send(left) :]
                stalled = 0
            except BlockingIOError:
                stalled += 1
            self.turn()
        self.until(lambda: self.records)
        self.assertEqual(self.records[0].outcome, "client_gone")
