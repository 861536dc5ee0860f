# -*- test-case-name: tests.ops.test_endpoints -*-
"""
Fronts as factories: who is let in, and how everybody gets out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from intermediary.interfaces import IFront
from intermediary.net.pool import Pool
from intermediary.ops.endpoints import (
    ForwardProxyFactory,
    Gauge,
    ProxyFactory,
    ReverseProxyFactory,
    makeCache,
    makePool,
)
from intermediary.policy.purging import Purge
from intermediary.policy.stores import MemoryStore
from intermediary.settings import (
    CacheSettings,
    ForwardSettings,
    Limits,
    PoolSettings,
    ReverseSettings,
    RouteSettings,
    Timeouts,
    UpstreamSettings,
)

from ..scenario import GET, MemoryTransport, Scenario, Side

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.logger import ILogObserver

PEER = IPv4Address("TCP", "192.0.2.7", 4321)

UPSTREAM = UpstreamSettings(name="web", servers=("http://127.0.0.1:9000",))


class EndpointTestCase(SynchronousTestCase):
    """Makes fronts that nobody listens with."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.events: list[dict[str, Any]] = []
        observer = cast("ILogObserver", self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def forward(self, connections: int = 10000, **more: Any) -> ForwardProxyFactory:
        """A forward front."""
        settings = ForwardSettings(name="egress", limits=Limits(connections=connections))
        return ForwardProxyFactory(self.reactor, settings, **more)

    def connect(self, front: ProxyFactory) -> MemoryTransport | None:
        """Connect a client; None if it is turned away."""
        protocol = front.buildProtocol(PEER)
        if protocol is None:
            return None
        transport = MemoryTransport(protocol, self.reactor)
        protocol.makeConnection(transport)
        return transport

    def connected(self, front: ProxyFactory) -> MemoryTransport:
        """Connect a client."""
        transport = self.connect(front)
        assert transport is not None
        return transport

    def warnings(self) -> list[dict[str, Any]]:
        """What was logged about clients that were turned away."""
        return [event for event in self.events if "turned away" in (event["log_format"] or "")]


class GaugeTests(EndpointTestCase):
    """How many clients there are."""

    def test_connectionsAreCounted(self) -> None:
        """From the accept to the loss."""
        front = self.forward()
        one, two = self.connected(front), self.connected(front)
        self.assertEqual((front.connections, front.gauge.open), (2, 2))
        one.lost(ConnectionDone())
        self.assertEqual((front.connections, front.gauge.open), (1, 1))
        two.lost(ConnectionDone())
        self.assertEqual((front.connections, front.gauge.open), (0, 0))

    def test_overTheLimitNobodyIsLetIn(self) -> None:
        """Until one is gone; the front says it once for each time that it is full."""
        front = self.forward(connections=2)
        one = self.connected(front)
        self.connected(front)
        for refused in (1, 2, 3):
            self.assertIsNone(self.connect(front))
            self.assertEqual((front.gauge.open, front.gauge.refused), (2, refused))
        self.assertEqual(len(self.warnings()), 1)
        self.assertEqual(self.warnings()[0]["front"], "egress")
        self.assertEqual(self.warnings()[0]["limit"], 2)
        one.lost(ConnectionDone())
        self.assertIsNotNone(self.connect(front))
        self.assertEqual(front.gauge.refused, 0)
        self.assertIsNone(self.connect(front))
        self.assertEqual(len(self.warnings()), 2)

    def test_frontsMayShareAGauge(self) -> None:
        """The limit is then over all of them, and each counts its own."""
        gauge = Gauge(2)
        one, two = self.forward(gauge=gauge), self.forward(gauge=gauge)
        self.connected(one)
        leaving = self.connected(two)
        self.assertIsNone(self.connect(one))
        self.assertIsNone(self.connect(two))
        self.assertEqual((one.connections, two.connections, gauge.open), (1, 1, 2))
        leaving.lost(ConnectionDone())
        self.assertIsNotNone(self.connect(one))

    def test_withoutOneAFrontHasItsOwn(self) -> None:
        """By its limits."""
        self.assertEqual(self.forward(connections=5).gauge.limit, 5)

    def test_thePeersAddressIsKnown(self) -> None:
        """As text; one on a UNIX socket has none."""
        front = self.forward()
        for address, host in (
            (PEER, "192.0.2.7"),
            (IPv6Address("TCP", "2001:db8::7", 1), "2001:db8::7"),
            (UNIXAddress(b"/run/x"), "unix:"),
            (UNIXAddress(None), "unix:"),
        ):
            protocol = front.buildProtocol(address)
            assert protocol is not None
            transport = StringTransport(peerAddress=address)
            protocol.makeConnection(transport)
            protocol.dataReceived(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            self.assertEqual(protocol.peerHost, host)
            protocol.connectionLost(Failure(ConnectionDone()))


class DrainTests(SynchronousTestCase):
    """The orderly end of a front."""

    def drains(self, scenario: Scenario) -> Deferred[None]:
        """Drain the front."""
        front = scenario.front
        self.assertTrue(IFront.providedBy(front))
        drained: Deferred[None] = front.drain()
        return drained

    def asks(self, client: Side) -> None:
        """Send a request."""
        client.sends(b"GET / HTTP/1.1", b"Host: a.example", b"", b"")

    def test_whoWaitsNoMoreStopsNothing(self) -> None:
        """Cancelling does nothing, neither to the front nor to the others that wait."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        self.asks(client)
        origin = scenario.accepts()
        origin.takes()
        first, second, third = (self.drains(scenario) for _ in range(3))
        for each in (first, second):
            each.addErrback(lambda failure: None)
        first.cancel()
        second.cancel()
        second.cancel()
        client.sees("")
        origin.sends(b"HTTP/1.1 204 No Content", b"", b"")
        client.takes()
        self.assertIsNone(self.successResultOf(third))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_oneWhoIsLetInAndNotYetConnectedIsNoLeak(self) -> None:
        """Its transport connects after the drain has begun: it goes at once."""
        scenario = Scenario(self).reverse()
        protocol = scenario.front.buildProtocol(PEER)
        self.drains(scenario)
        side = Side(self, scenario.clock, protocol, "192.0.2.7")
        scenario.sides.append(side)
        self.asks(side)
        for _ in range(2):
            if scenario.connector.waiting:
                origin = scenario.accepts()
                origin.takes()
                origin.sends(b"HTTP/1.1 204 No Content", b"", b"")
        side.takes()
        self.assertIn(side.transport.ending, ("closed", "aborted"))

    def test_withoutConnectionsItIsThroughAtOnce(self) -> None:
        """And nobody is let in any more."""
        scenario = Scenario(self).reverse()
        self.assertIsNone(self.successResultOf(self.drains(scenario)))
        self.assertIsNone(scenario.front.buildProtocol(PEER))
        self.assertEqual(scenario.front.gauge.open, 0)

    def test_idleConnectionsCloseAtOnce(self) -> None:
        """Those that have said nothing, and those between two requests."""
        scenario = Scenario(self).reverse()
        fresh, used = scenario.client(), scenario.client()
        self.asks(used)
        origin = scenario.accepts()
        origin.takes()
        origin.sends(b"HTTP/1.1 204 No Content", b"", b"")
        used.takes()
        drained = self.drains(scenario)
        self.assertNoResult(drained)
        fresh.sees("closed")
        used.sees("closed")
        self.assertIsNone(self.successResultOf(drained))

    def test_aBusyConnectionFinishesItsExchange(self) -> None:
        """And tells the client that it was the last."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        self.asks(client)
        origin = scenario.accepts()
        origin.takes()
        drained = self.drains(scenario)
        client.sees("")
        self.assertNoResult(drained)
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 2", b"", b"ok")
        heard = client.takes()
        self.assertIn(b"\r\nConnection: close\r\n", heard)
        self.assertTrue(heard.endswith(b"ok"))
        client.sees("closed")
        self.assertIsNone(self.successResultOf(drained))
        self.assertEqual(scenario.outcomes(), [(200, "")])

    def test_aReplyUnderWayIsFinished(self) -> None:
        """Its head said that the connection stays; the connection closes all the same."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        self.asks(client)
        origin = scenario.accepts()
        origin.takes()
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 4", b"", b"ab")
        client.takes()
        drained = self.drains(scenario)
        client.sees("")
        origin.sends(b"cd")
        self.assertEqual(client.takes(), b"cd")
        client.sees("closed")
        self.assertIsNone(self.successResultOf(drained))

    def test_requestsSentAheadAreNotBegun(self) -> None:
        """The client may send them again elsewhere (RFC 9112 §9.3.2)."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"GET /1 HTTP/1.1", b"Host: a", b"", b"GET /2 HTTP/1.1", b"Host: a", b"", b"")
        origin = scenario.accepts()
        self.assertTrue(origin.takes().startswith(b"GET /1 "))
        drained = self.drains(scenario)
        origin.sends(b"HTTP/1.1 204 No Content", b"", b"")
        self.assertEqual(client.takes().count(b"HTTP/1.1 204"), 1)
        origin.getsNothing()
        scenario.connectsNowhere()
        scenario.passes(6)
        self.assertIsNone(self.successResultOf(drained))
        self.assertEqual(scenario.outcomes(), [(204, "")])

    def test_aRequestThatHasOnlyBegunIsNotWaitedFor(self) -> None:
        """Half a head is no exchange."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"GET / HTTP/1.1", b"Host: a.exa")
        drained = self.drains(scenario)
        client.sees("closed")
        self.assertIsNone(self.successResultOf(drained))

    def test_manyMayWaitForIt(self) -> None:
        """All of them hear of it, however often and when they ask."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        self.asks(client)
        origin = scenario.accepts()
        origin.takes()
        waiting = [self.drains(scenario) for _ in range(3)]
        for each in waiting:
            self.assertNoResult(each)
        origin.sends(b"HTTP/1.1 204 No Content", b"", b"")
        client.takes()
        for each in waiting:
            self.assertIsNone(self.successResultOf(each))
        self.assertIsNone(self.successResultOf(self.drains(scenario)))

    def test_aWaiterThatFailsIsAlone(self) -> None:
        """What one makes of it does not keep it from the others."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        first, second = self.drains(scenario), self.drains(scenario)
        first.addCallback(lambda _: 1 / 0)
        client.sees("closed")
        self.failureResultOf(first, ZeroDivisionError)
        self.assertIsNone(self.successResultOf(second))

    def test_aClientThatDoesNotReadIsDropped(self) -> None:
        """An idle connection with an unread reply is closed in order, then by force."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.stalls()
        drained = self.drains(scenario)
        client.sees("closed")
        self.assertNoResult(drained)
        scenario.passes(scenario.front.settings.timeouts.betweenBytesSeconds + 2)
        client.sees("aborted")
        self.assertIsNone(self.successResultOf(drained))

    def test_whoComesInBetweenIsTurnedAway(self) -> None:
        """While one is still busy."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        self.asks(client)
        origin = scenario.accepts()
        origin.takes()
        drained = self.drains(scenario)
        self.assertIsNone(scenario.front.buildProtocol(PEER))
        self.assertEqual(scenario.front.connections, 1)
        client.closes()
        self.assertIsNone(self.successResultOf(drained))


class AbortTests(SynchronousTestCase):
    """The end by force."""

    def test_everyConnectionIsDropped(self) -> None:
        """Idle, busy and closing ones; the exchange upstream goes with its client."""
        scenario = Scenario(self).reverse()
        idle, busy = scenario.client(), scenario.client()
        busy.sends(b"GET / HTTP/1.1", b"Host: a.example", b"", b"")
        origin = scenario.accepts()
        origin.takes()
        drained = scenario.front.drain()
        scenario.front.abort()
        idle.settle()
        busy.sees("aborted")
        origin.sees("aborted")
        self.assertIsNone(self.successResultOf(drained))
        self.assertEqual(scenario.front.gauge.open, 0)
        self.assertEqual(scenario.outcomes(), [(0, "client_gone")])

    def test_whatWaitsForAConnectionIsDropped(self) -> None:
        """The attempt is cancelled."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"GET / HTTP/1.1", b"Host: a.example", b"", b"")
        scenario.front.abort()
        client.sees("aborted")
        self.assertEqual(len(scenario.connector.cancelled), 1)
        scenario.connectsNowhere()

    def test_twiceIsHarmless(self) -> None:
        """And so is none."""
        scenario = Scenario(self).reverse()
        scenario.front.abort()
        client = scenario.client()
        scenario.front.abort()
        scenario.front.abort()
        client.sees("aborted")

    def test_aFrontThatWasAbortedServesOn(self) -> None:
        """It is the port that stops accepting, or C{drain}."""
        scenario = Scenario(self).reverse()
        scenario.client().transport.abortConnection()
        scenario.front.abort()
        client = scenario.client()
        client.sends(b"GET / HTTP/1.1", b"Host: a.example", b"", b"")
        origin = scenario.accepts()
        origin.takes()
        origin.sends(b"HTTP/1.1 204 No Content", b"", b"")
        self.assertTrue(client.takes().startswith(b"HTTP/1.1 204 "))


class CacheTests(SynchronousTestCase):
    """Fronts that are given a cache."""

    def setUp(self) -> None:
        self.scenario = Scenario(self).caching().reverse()
        self.client = self.scenario.client()
        self.client.sends(*GET)
        self.origin = self.scenario.accepts()
        self.origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        self.origin.sends(
            b"HTTP/1.1 200 OK",
            b"Cache-Control: max-age=60",
            b"Surrogate-Key: x y",
            b"Content-Length: 2",
            b"",
            b"ok",
        )
        self.client.gets(b"HTTP/1.1 200 OK", ..., b"", b"ok")

    def test_frontsOfOneNameAnswerEachOthersClients(self) -> None:
        """As those of one site, which listens at several places."""
        other = Scenario(self)
        other.cache = self.scenario.cache
        client = other.reverse().client()
        client.sends(*GET)
        client.gets(b"HTTP/1.1 200 OK", ..., b"Cache-Status: test; hit; ttl=60", ..., b"ok")
        other.connectsNowhere()

    def test_anApplicationPurges(self) -> None:
        """By tag, host and prefix, of whatever front; softly, it is validated."""
        store = self.scenario.cache.store
        self.assertEqual(store.purge(Purge.ofTag(b"z")), 0)
        self.assertEqual(store.purge(Purge.ofTag(b"y"), soft=True), 1)
        self.client.sends(*GET)
        self.origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        self.origin.sends(
            b"HTTP/1.1 200 OK", b"Cache-Control: max-age=60", b"Content-Length: 3", b"", b"new"
        )
        self.client.gets(b"HTTP/1.1 200 OK", ..., b"", b"new")
        host = dict(line.split(b": ") for line in GET if b": " in line)[b"Host"]
        self.assertEqual(store.purge(Purge.ofPrefix(b"http://%b/" % host)), 1)
        self.assertEqual(store.purge(Purge.ofHost(host)), 0)

    def test_itHasItsSettings(self) -> None:
        """And names of fields in any case."""
        settings = CacheSettings(memoryOctets=1000, maxObjectOctets=10, targeted=("A-Control",))
        cache = makeCache(self.scenario.clock, settings)
        self.assertIsInstance(cache.store, MemoryStore)
        self.assertEqual((cache.maxObjectOctets, cache.targeted), (10, (b"a-control",)))
        self.assertIn("hits=0 misses=0", repr(cache))
        self.assertEqual(makeCache(self.scenario.clock).maxObjectOctets, 64 << 20)

    def test_whatIsLargerThanMemoryDrivesNothingOut(self) -> None:
        """Where its length is known, it passes: others stay, and nobody is bound to its readers."""
        scenario = Scenario(self).caching(CacheSettings(memoryOctets=1 << 20)).reverse()
        client = scenario.client()
        origin = None
        for target, octets in ((b"/small", 10), (b"/large", 2 << 20)):
            client.sends(b"GET %b HTTP/1.1" % target, b"Host: a", b"", b"")
            origin = origin or scenario.accepts()
            origin.takes()
            head = (b"Cache-Control: max-age=60", b"Content-Length: %d" % octets)
            origin.sends(b"HTTP/1.1 200 OK", *head, b"", b"x" * octets)
            heard = client.takes()
            self.assertEqual(b"; stored" in heard, octets < 1 << 20)
            self.assertEqual(len(heard.partition(b"\r\n\r\n")[2]), octets)
        self.assertEqual((scenario.cache.store.count, scenario.cache.store.evicted), (1, 0))


class MakingTests(EndpointTestCase):
    """Fronts from settings."""

    def test_frontsMayShareAPool(self) -> None:
        """Of both kinds."""
        pool = makePool(self.reactor)
        reverse = ReverseProxyFactory(
            self.reactor,
            ReverseSettings(name="site", routes=(RouteSettings(upstream=UPSTREAM),)),
            pool=pool,
        )
        self.assertIs(self.forward(pool=pool).pool, pool)
        self.assertIs(reverse.pool, pool)

    def test_withoutOneAFrontHasItsOwn(self) -> None:
        """With its own limits for responses."""
        limits = Limits(headerOctets=1000)
        front = ForwardProxyFactory(self.reactor, ForwardSettings(name="x", limits=limits))
        self.assertIsInstance(front.pool, Pool)
        self.assertIs(front.pool.limits, limits)
        self.assertIsNot(front.pool, self.forward().pool)

    def test_aPoolHasItsSettings(self) -> None:
        """Or the defaults."""
        settings = PoolSettings(perOrigin=1)
        self.assertIs(makePool(self.reactor, settings).settings, settings)
        self.assertEqual(makePool(self.reactor).settings, PoolSettings())
        self.assertEqual(makePool(self.reactor).limits, Limits())

    def test_makingOneTouchesNothing(self) -> None:
        """No port, no connection, no timer."""
        self.forward()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual((self.reactor.tcpServers, self.reactor.tcpClients), ([], []))

    def test_thePseudonymIsTheSettings(self) -> None:
        """Or one that no other front has."""
        front = ForwardProxyFactory(self.reactor, ForwardSettings(name="x", via="proxy-1"))
        self.assertEqual(front.pseudonym, b"proxy-1")
        pseudonyms = {self.forward().pseudonym for _ in range(20)}
        self.assertEqual(len(pseudonyms), 20)
        for pseudonym in pseudonyms:
            self.assertRegex(pseudonym, rb"\Aintermediary-[0-9a-f]{8}\Z")

    def test_aPseudonymIsAToken(self) -> None:
        """It gets into fields as it is: nobody smuggles a line in with it."""
        for via in ("a\r\nX-Injected: 1", "a b", "\N{LATIN SMALL LETTER A WITH DIAERESIS}", '"'):
            self.assertRaises(
                ValueError, ForwardProxyFactory, self.reactor, ForwardSettings(name="x", via=via)
            )

    def test_clientsMayAgreeOnHTTP1(self) -> None:
        """A TLS listener asks the factory what to agree on (RFC 7301)."""
        front = self.forward()
        verifyObject(IProtocolNegotiationFactory, front)
        self.assertEqual(front.acceptableProtocols(), [b"http/1.1"])

    def test_theTimeoutsAreTheSettings(self) -> None:
        """A client that says nothing is let go after them."""
        settings = ForwardSettings(name="x", timeouts=Timeouts(requestHeadSeconds=3.0))
        front = ForwardProxyFactory(self.reactor, settings)
        transport = self.connected(front)
        self.reactor.pump([1.0, 1.0])
        self.assertEqual(transport.ending, "")
        self.reactor.pump([1.0, 1.0])
        self.assertEqual(transport.ending, "closed")

    def test_reprTellsHowBusyItIs(self) -> None:
        """For logs."""
        front = self.forward()
        self.connected(front)
        self.assertEqual(repr(front), "<ForwardProxyFactory egress connections=1>")

    def test_portsSayNothingOfIt(self) -> None:
        """C{noisy} is off, and starting and stopping is nothing."""
        front = self.forward()
        self.assertFalse(front.noisy)
        front.doStart()
        front.doStop()

    def test_aKindOfFrontCompiles(self) -> None:
        """The common part alone is none."""
        self.assertRaises(
            NotImplementedError,
            ProxyFactory,
            self.reactor,
            ForwardSettings(name="x"),
            None,
            None,
            (),
            None,
        )
