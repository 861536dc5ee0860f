# -*- test-case-name: tests.test_engine -*-
"""
Transcripts: what a client, the proxy and its origins say to each other.

A test is a conversation in the order in which it happens, in memory and on a
clock that stands still.  What was said and not looked at by the end fails the
test, and so does any connection, exchange or timer that is left behind::

    client = scenario.client()
    client.sends(b"GET / HTTP/1.1", b"Host: example.org", b"", b"")
    origin = scenario.accepts()
    origin.gets(b"GET / HTTP/1.1", b"Host: example.org", VIA, ...)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, ITCPTransport
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from intermediary.interfaces import IConnector, IFront, Origin
from intermediary.net.pool import Pool
from intermediary.net.sweep import Sweeper
from intermediary.ops.endpoints import ForwardProxyFactory, ReverseProxyFactory, makeCache
from intermediary.settings import (
    CacheSettings,
    ForwardSettings,
    Limits,
    PoolSettings,
    ReverseSettings,
    RouteSettings,
    UpstreamSettings,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.trial.unittest import SynchronousTestCase

#: Stands for any value of C{Date}.
DATE = re.compile(rb"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT")

#: The name of the front under test in C{Via}.
PSEUDONYM = "test"
VIA = b"Via: 1.1 test"

#: The request where it does not matter which.
GET = (b"GET / HTTP/1.1", b"Host: example.org", b"", b"")


@implementer(ITCPTransport)
class MemoryTransport:
    """
    A transport whose other side is the test.

    @ivar written: what the protocol wrote and the test has not looked at.
    @ivar stalled: the peer does not read: the buffer counts as full.
    """

    disconnecting = False
    bufferSize = 65536

    def __init__(self, protocol: Any, clock: Clock, host: str = "192.0.2.7") -> None:
        self.protocol = protocol
        self.clock = clock
        self.written = b""
        self.connected = True
        self.stalled = False
        self.readPaused = False
        #: How our side ended: "closed", "half-closed" or "aborted".
        self.ending = ""
        self.producer: Any = None
        self._pausedProducer = False
        self._pending: list[bytes] = []
        self._host = host

    # The protocol's side

    def write(self, data: bytes) -> None:
        assert isinstance(data, bytes), data
        if not self.connected or self.ending in ("aborted", "half-closed"):
            return
        self.written += data
        if self.producer is not None and self.stalled and not self._pausedProducer:
            self._pausedProducer = True
            self.producer.pauseProducing()

    def unsentOctets(self) -> int:
        return len(self.written) if self.stalled else 0

    def writeSequence(self, pieces: Any) -> None:
        self.write(b"".join(pieces))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming
        assert self.producer is None, "two producers"
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def pauseProducing(self) -> None:
        self.readPaused = True

    def resumeProducing(self) -> None:
        self.readPaused = False
        self.clock.callLater(0, self._pump)

    def stopProducing(self) -> None:
        self.loseConnection()

    def loseConnection(self) -> None:
        assert self.producer is None, "a producer would hold up the close"
        if self.connected and self.ending in ("", "half-closed"):
            self.ending = "closed"
            self.disconnecting = True
            if not self.stalled:
                self.clock.callLater(0, self.lost, ConnectionDone())

    def loseWriteConnection(self) -> None:
        if self.connected and not self.ending:
            self.ending = "half-closed"
            if not self.stalled:
                self.clock.callLater(0, self._ended)

    def _ended(self) -> None:
        if self.connected and self.ending == "half-closed":
            # As Twisted's: it tells those who want to know.
            if IHalfCloseableProtocol.providedBy(self.protocol):
                self.protocol.writeConnectionLost()

    def abortConnection(self) -> None:
        if self.connected and self.ending != "aborted":
            self.ending = "aborted"
            self.clock.callLater(0, self.lost, ConnectionAborted())

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", self._host, 4321)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.1", 80)

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass

    def getTcpNoDelay(self) -> bool:
        return True

    def setTcpKeepAlive(self, enabled: bool) -> None:
        pass

    def getTcpKeepAlive(self) -> bool:
        return False

    # The test's side

    def lost(self, reason: BaseException) -> None:
        if self.connected:
            self.connected = False
            producer, self.producer = self.producer, None
            if producer is not None:
                producer.stopProducing()
            # As Twisted's: whoever has the transport has not the protocol.
            protocol, self.protocol = self.protocol, None
            protocol.connectionLost(Failure(reason))

    def arrive(self, data: bytes) -> None:
        self._pending.append(data)
        self._pump()

    def _pump(self) -> None:
        while self._pending and not self.readPaused and self.connected:
            if self.ending in ("closed", "aborted"):
                self._pending.clear()
                return
            data = self._pending.pop(0)
            if data:
                self.protocol.dataReceived(data)
            elif IHalfCloseableProtocol.providedBy(self.protocol):
                self.protocol.readConnectionLost()
            else:
                self.lost(ConnectionDone())

    def drainTo(self, stalled: bool) -> None:
        self.stalled = stalled
        if not stalled and self._pausedProducer:
            self._pausedProducer = False
            if self.producer is not None:
                self.producer.resumeProducing()
        if not stalled and self.ending == "closed":
            self.clock.callLater(0, self.lost, ConnectionDone())
        elif not stalled and self.ending == "half-closed":
            self.clock.callLater(0, self._ended)


class Side:
    """One conversation of the test with the proxy: a client's or an origin's."""

    def __init__(self, case: SynchronousTestCase, clock: Clock, protocol: Any, host: str) -> None:
        self.case = case
        self.clock = clock
        self.transport = MemoryTransport(protocol, clock, host)
        protocol.makeConnection(self.transport)

    def settle(self) -> None:
        """Let what waits for the next turn happen."""
        for _ in range(20):
            self.clock.advance(0)

    def sends(self, *lines: bytes) -> None:
        """Say octets: several arguments are joined by CRLF."""
        self.transport.arrive(b"\r\n".join(lines))
        self.settle()

    def takes(self, octets: int | None = None) -> bytes:
        """Look at all that was said, or at the first of it."""
        self.settle()
        written = self.transport.written
        count = len(written) if octets is None else octets
        self.transport.written = written[count:]
        return written[:count]

    def gets(self, *lines: Any) -> None:
        """
        Hear exactly this: lines, joined by CRLF.

        A line may be a compiled pattern.  Ellipsis stands for any lines.
        """
        heard = self.takes()
        got = heard.split(b"\r\n")
        wanted = list(lines)
        position = 0
        while wanted:
            want = wanted.pop(0)
            if want is ...:
                if not wanted:
                    return
                while position < len(got) and not _fits(wanted[0], got[position]):
                    position += 1
                continue
            if position >= len(got) or not _fits(want, got[position]):
                self.case.fail(f"wanted {want!r} as line {position} of\n{_show(heard)}")
            position += 1
        if position != len(got):
            self.case.fail(f"there is more than wanted:\n{_show(heard)}")

    def getsError(self, status: int, token: str, *, close: bool = False) -> None:
        """
        Hear one error reply of ours, and nothing of what is behind it.

        @param close: whether it says that the connection ends.
        """
        case = self.case
        heard = self.takes()
        head = heard.partition(b"\r\n\r\n")[0].split(b"\r\n")
        case.assertTrue(head[0].startswith(b"HTTP/1.1 %d " % status), heard)
        case.assertIn(b"Proxy-Status: test; error=%b" % token.encode(), head)
        case.assertEqual(close, b"Connection: close" in head, heard)
        case.assertNotIn(b"127.0.0.1", heard)
        case.assertEqual(heard.count(b"HTTP/1.1 "), 1)

    def getsNothing(self) -> None:
        """Nothing was said."""
        self.case.assertEqual(self.takes(), b"")

    def ends(self) -> None:
        """Half-close: say that there is no more."""
        self.transport.arrive(b"")
        self.settle()

    def closes(self) -> None:
        """Close the connection from this side."""
        if self.transport.connected:
            self.transport.arrive(b"")
            self.settle()
        if self.transport.connected:
            self.transport.lost(ConnectionDone())
        self.settle()

    def resets(self) -> None:
        """Break the connection."""
        self.transport.lost(ConnectionLost())
        self.settle()

    def stalls(self) -> None:
        """Stop reading."""
        self.transport.drainTo(True)

    def reads(self) -> None:
        """Read again."""
        self.transport.drainTo(False)
        self.settle()

    def sees(self, ending: str) -> None:
        """The proxy ended the connection: "closed", "half-closed", "aborted", or "" not."""
        self.settle()
        self.case.assertEqual(self.transport.ending, ending)

    @property
    def isRead(self) -> bool:
        """Whether the proxy reads from this connection."""
        return not self.transport.readPaused


def _fits(want: Any, got: bytes) -> bool:
    return want.fullmatch(got) is not None if isinstance(want, re.Pattern) else want == got


def _show(octets: bytes) -> str:
    return "\n".join(repr(line) for line in octets.split(b"\r\n"))


@implementer(IConnector)
class MemoryConnector:
    """Connections that wait for the test to accept them."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Origin, Any, Deferred[Any], float]] = []
        self.cancelled: list[Origin] = []

    def connect(
        self, origin: Origin, factory: Any, timeoutSeconds: float, guard: Any = None
    ) -> Deferred[Any]:
        def cancel(deferred: Deferred[Any]) -> None:
            self.cancelled.append(origin)
            self.waiting = [each for each in self.waiting if each[2] is not deferred]

        deferred: Deferred[Any] = Deferred(cancel)
        self.waiting.append((origin, factory, deferred, timeoutSeconds))
        return deferred


class Scenario:
    """A front in memory, and everybody who talks to it."""

    def __init__(
        self, case: SynchronousTestCase, pool: PoolSettings | None = None, limits: Any = None
    ) -> None:
        self.case = case
        self.clock = Clock()
        self.clock.advance(1_000_000_000)
        self.connector = MemoryConnector()
        verifyObject(IConnector, self.connector)
        self.sweeper = Sweeper(self.clock)
        self.pool = Pool(
            self.clock, pool or PoolSettings(), self.connector, self.sweeper, limits or Limits()
        )
        self.sides: list[Side] = []
        self.records: list[Any] = []
        self.front: Any = None
        self.cache: Any = None
        case.addCleanup(self.finish)

    def record(self, exchange: Any) -> None:
        """Be the access log."""
        self.records.append(exchange)

    def caching(self, settings: CacheSettings | None = None) -> Scenario:
        """Give the front, which is made next, a cache."""
        self.cache = makeCache(self.clock, settings)
        return self

    def cachingIn(self, cache: Any) -> Scenario:
        """Give the front, which is made next, this cache."""
        self.cache = cache
        return self

    def forward(self, components: Any = (), **settings: Any) -> Scenario:
        """Make the front a forward proxy; the guard is off unless asked for."""
        settings.setdefault("guarded", False)
        self.front = ForwardProxyFactory(
            self.clock,
            ForwardSettings(name="egress", via=PSEUDONYM, **settings),
            pool=self.pool,
            accessLog=self,  # type: ignore[arg-type]
            components=components,
            cache=self.cache,
        )
        verifyObject(IFront, self.front)
        return self

    def reverse(
        self,
        servers: tuple[str, ...] = ("http://127.0.0.1:9000",),
        components: Any = (),
        routes: Any = None,
        preserveHost: bool = True,
        **settings: Any,
    ) -> Scenario:
        """Make the front a reverse proxy, by default with one route for all."""
        if routes is None:
            upstream = UpstreamSettings(name="web", servers=servers)
            routes = (RouteSettings(upstream=upstream, preserveHost=preserveHost),)
        self.front = ReverseProxyFactory(
            self.clock,
            ReverseSettings(name="site", via=PSEUDONYM, routes=routes, **settings),
            pool=self.pool,
            accessLog=self,  # type: ignore[arg-type]
            components=components,
            cache=self.cache,
        )
        verifyObject(IFront, self.front)
        return self

    def client(self, host: str = "192.0.2.7") -> Side:
        """Connect a client."""
        protocol = self.front.buildProtocol(IPv4Address("TCP", host, 4321))
        self.case.assertIsNotNone(protocol, "the client was turned away")
        side = Side(self.case, self.clock, protocol, host)
        self.sides.append(side)
        return side

    def accepts(self, url: str = "http://127.0.0.1:9000", *, stalled: bool = False) -> Side:
        """
        Accept the connection that the proxy opens next.

        @param stalled: nothing is read from it yet.
        """
        side, told = self.establishes(url)
        if stalled:
            side.stalls()
        told()
        return side

    def establishes(self, url: str) -> tuple[Side, Callable[[], None]]:
        """
        Accept a connection, and leave for later that who wants it hears of it.

        @return: it, and what tells of it.
        """
        origin, factory, deferred, _ = self._next(url)
        protocol = factory.buildProtocol(IPv4Address("TCP", origin.host, origin.port))
        side = Side(self.case, self.clock, protocol, origin.host)
        self.sides.append(side)

        def told() -> None:
            deferred.callback(protocol)
            side.settle()

        return side, told

    def refuses(self, error: BaseException, url: str = "http://127.0.0.1:9000") -> None:
        """Refuse the connection that the proxy opens next."""
        self._next(url)[2].errback(Failure(error))

    def _next(self, url: str) -> tuple[Origin, Any, Deferred[Any], float]:
        self.case.assertTrue(self.connector.waiting, "the proxy opens no connection")
        attempt = self.connector.waiting.pop(0)
        self.case.assertEqual(str(attempt[0]), url)
        return attempt

    def connectsNowhere(self) -> None:
        """The proxy opens no connection."""
        self.case.assertEqual([str(each[0]) for each in self.connector.waiting], [])

    def passes(self, seconds: float) -> None:
        """Let time go by, second by second."""
        while seconds > 0:
            self.clock.advance(min(1.0, seconds))
            seconds -= 1.0
        for side in self.sides:
            side.settle()

    def outcomes(self) -> list[tuple[int, str]]:
        """The status and the error token of each exchange that has ended."""
        return [(each.status, each.outcome) for each in self.records]

    def finish(self) -> None:
        """Let everybody go, and see that nothing is left over or behind."""
        case = self.case
        for side in self.sides:
            left = side.takes()
            case.assertEqual(left, b"", "something was said that nobody looked at")
        self.connectsNowhere()
        if self.cache is not None:
            self.cache.close()
        for side in self.sides:
            if side.transport.connected:
                side.closes()
        self.passes(400)
        for side in self.sides:
            case.assertFalse(side.transport.connected, f"{side.transport.protocol!r} is left")
        self.pool.close()
        self.passes(2)
        case.assertEqual(self.front.connections, 0)
        case.assertEqual(repr(self.pool), "<Pool size=0>")
        case.assertEqual(self.clock.getDelayedCalls(), [], "timers are left")
        for exchange in self.records:
            case.assertIsNone(exchange.lease)
