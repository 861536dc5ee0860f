# -*- test-case-name: tests.test_cycles -*-
"""
What is over goes at once: it does not wait for the garbage collector.

An error knows the frames that it came through, and they know the exchange, which knows
the error.  Where that is not broken up, whoever makes requests fail, with all that each
of them holds, makes work for the collector, which stops everybody.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import ConnectionRefused, DNSError, RequestDenied
from intermediary.settings import (
    PassageSettings,
    PoolSettings,
    RouteCacheSettings,
    RouteSettings,
    UpstreamSettings,
)

from .scenario import GET, Scenario, Side
from .wire.hellos import real

if TYPE_CHECKING:
    from collections.abc import Callable

    from intermediary.exchange import Exchange

WEB = UpstreamSettings(name="web", servers=("http://127.0.0.1:9000",))
#: How often each thing happens, and what all of it may leave behind.
TIMES = 20
FEW = 10


class CycleTestCase(SynchronousTestCase):
    """Tests of what exchanges leave behind."""

    def serves(self, **settings: Any) -> None:
        """Begin with a reverse front."""
        self.scenario = Scenario(self, PoolSettings(waiters=1)).reverse(**settings)
        self.client = self.scenario.client()

    def leavesNothing(self, once: Callable[[], None]) -> None:
        """What happens again and again leaves nothing for the collector."""
        for _ in range(2):
            # Until all that is remembered is.
            self.happens(once)
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            for _ in range(TIMES):
                self.happens(once)
            gc.collect()
            found = [type(each).__name__ for each in gc.garbage]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
        kinds = {name: found.count(name) for name in sorted(set(found))}
        self.assertLess(len(found), FEW, kinds)

    def happens(self, once: Callable[[], None]) -> None:
        """Have it happen, and forget what the test knows of it."""
        once()
        self.scenario.records.clear()
        self.scenario.connector.cancelled.clear()
        sides = self.scenario.sides
        sides[:] = [side for side in sides if side.transport.connected]

    def asks(self) -> Side:
        """A request that an origin gets."""
        self.client.sends(*GET)
        origin = self.scenario.accepts()
        origin.takes()
        return origin


class FailureTests(CycleTestCase):
    """Exchanges that fail, one after the other."""

    def test_oneThatDoesNot(self) -> None:
        """For comparison."""
        self.serves()

        def once() -> None:
            origin = self.asks()
            origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"Connection: close", b"", b"")
            self.client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")
            origin.closes()

        self.leavesNothing(once)

    def test_anOriginThatRefuses(self) -> None:
        """Its upstream has no other server."""
        self.serves()

        def once() -> None:
            self.client.sends(*GET)
            self.scenario.refuses(ConnectionRefused("x"))
            self.client.getsError(502, "connection_refused")

        self.leavesNothing(once)

    def test_anErrorWithACause(self) -> None:
        """That has frames of its own."""
        self.serves()

        def once() -> None:
            self.client.sends(*GET)
            error = DNSError("x")
            try:
                raise ValueError("y")
            except ValueError as cause:
                error.__cause__ = cause
            self.scenario.refuses(error)
            self.client.getsError(502, "dns_error")

        self.leavesNothing(once)

    def test_anOriginThatResets(self) -> None:
        """Before its response and in the middle of it."""
        self.serves()

        def once() -> None:
            self.asks().resets()
            self.client.getsError(502, "connection_terminated")
            origin = self.asks()
            origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 9", b"", b"abc")
            origin.resets()
            self.client.gets(b"HTTP/1.1 200 OK", ..., b"", b"abc")
            self.client.closes()
            self.client = self.scenario.client()

        self.leavesNothing(once)

    def test_anOriginThatClosesTooEarly(self) -> None:
        """In order, before its response and in the middle of it."""
        self.serves()

        def once() -> None:
            self.asks().closes()
            self.client.getsError(502, "connection_terminated")
            origin = self.asks()
            origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 9", b"", b"abc")
            origin.closes()
            self.client.gets(b"HTTP/1.1 200 OK", ..., b"", b"abc")
            self.client.closes()
            self.client = self.scenario.client()

        self.leavesNothing(once)

    def test_aSecondAttempt(self) -> None:
        """On a connection that had been used; it fails, too."""
        self.serves()

        def once() -> None:
            origin = self.asks()
            origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
            self.client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")
            self.client.sends(*GET)
            origin.takes()
            origin.closes()
            self.scenario.accepts().resets()
            self.scenario.sides[-1].takes()
            self.client.getsError(502, "connection_terminated")

        self.leavesNothing(once)

    def test_anOriginThatTalksNonsense(self) -> None:
        """The reader keeps the error that it raised."""
        self.serves()

        def once() -> None:
            origin = self.asks()
            origin.sends(b"nonsense", b"", b"")
            self.client.getsError(502, "http_protocol_error")
            origin.sees("aborted")

        self.leavesNothing(once)

    def test_anOriginThatIsSilent(self) -> None:
        """It is the clock that fails the exchange."""
        self.serves()

        def once() -> None:
            self.asks()
            self.scenario.passes(70)
            self.client.getsError(504, "http_response_timeout")

        self.leavesNothing(once)

    def test_aClientThatTalksNonsense(self) -> None:
        """Again and again on one connection, which is read on for a while."""
        self.serves()

        def once() -> None:
            client = self.scenario.client()
            client.sends(b"GET / HTTP/1.1", b"nonsense", b"", b"")
            client.sends(b"more of it")
            client.getsError(400, "http_request_error", close=True)
            client.closes()

        self.leavesNothing(once)

    def test_aClientThatGoesAway(self) -> None:
        """While there is no connection for it, and while its origin thinks."""
        self.serves()

        def once() -> None:
            client = self.scenario.client()
            client.sends(*GET)
            client.resets()
            self.scenario.connectsNowhere()
            client = self.scenario.client()
            client.sends(*GET)
            origin = self.scenario.accepts()
            origin.takes()
            client.resets()
            origin.sees("aborted")

        self.leavesNothing(once)

    def test_noRoute(self) -> None:
        """Before there is a program."""
        self.serves(routes=(RouteSettings(upstream=WEB, host=("a.example",)),))

        def once() -> None:
            self.client.sends(*GET)
            self.client.getsError(404, "destination_not_found")

        self.leavesNothing(once)

    def test_whoeverElseWaits(self) -> None:
        """All who wait for the same get the same error."""
        self.scenario = Scenario(self).caching()
        self.scenario.reverse(routes=(RouteSettings(upstream=WEB, cache=RouteCacheSettings()),))
        clients = [self.scenario.client() for _ in range(3)]

        def once() -> None:
            for client in clients:
                client.sends(*GET)
            self.scenario.refuses(ConnectionRefused("x"))
            for client in clients:
                client.getsError(502, "connection_refused")

        self.leavesNothing(once)

    def test_aTunnelThatIsRefused(self) -> None:
        """It has no pool, and a Deferred of its own."""
        self.scenario = Scenario(self).forward(connectPorts=(443,))
        self.client = self.scenario.client()

        def once() -> None:
            client = self.scenario.client()
            client.sends(b"CONNECT a:443 HTTP/1.1", b"Host: a:443", b"", b"")
            self.scenario.refuses(ConnectionRefused("x"), "tunnel://a:443")
            client.getsError(502, "connection_refused", close=True)
            client.closes()

        self.leavesNothing(once)


class PassingTests(CycleTestCase):
    """Clients of TLS that a front passes through, or does not."""

    HELLO = real("db.example")

    def setUp(self) -> None:
        upstream = UpstreamSettings(name="db", servers=("tcp://127.0.0.1:1",))
        passage = PassageSettings(upstream=upstream, names=("db.example",))
        self.scenario = Scenario(self).reverse(routes=(), passthrough=(passage,))

    def test_oneThatIs(self) -> None:
        """To the end, in order or by a reset."""

        def once() -> None:
            for end in (Side.ends, Side.resets):
                client = self.scenario.client()
                client.sends(self.HELLO)
                origin = self.scenario.accepts("tcp://127.0.0.1:1")
                origin.gets(self.HELLO)
                end(origin)
                end(client)

        self.leavesNothing(once)

    def test_oneThatIsNot(self) -> None:
        """Nobody is there, it is no TLS, it leaves."""

        def once() -> None:
            client = self.scenario.client()
            client.sends(self.HELLO)
            self.scenario.refuses(ConnectionRefused("x"), "tcp://127.0.0.1:1")
            client.takes()
            client.closes()
            for octets in (b"\x00", b"GET / HTTP/1.1\r\n\r\n", real("x.example")):
                client = self.scenario.client()
                with capturedLogs():
                    client.sends(octets)
                client.takes()
                client.closes()
            client = self.scenario.client()
            client.sends(self.HELLO[:100])
            client.resets()
            client = self.scenario.client()
            client.sends(self.HELLO)
            client.resets()

        self.leavesNothing(once)


class HookTests(CycleTestCase):
    """Code of others that fails exchanges."""

    def hooked(self, hook: Callable[[Exchange], Any]) -> None:
        """Begin with a front that has a component."""

        class Component:
            def onRequest(self, exchange: Exchange) -> Any:
                return hook(exchange)

        self.serves(components=[Component()])

    def isDenied(self) -> None:
        """A request is refused."""
        self.client.sends(*GET)
        self.client.getsError(403, "http_request_denied")

    def test_aRefusal(self) -> None:
        """It raises."""

        def hook(exchange: Exchange) -> None:
            raise RequestDenied("x")

        self.hooked(hook)
        self.leavesNothing(self.isDenied)

    def test_aDefect(self) -> None:
        """What has been logged is not kept."""

        def hook(exchange: Exchange) -> None:
            raise ValueError("x")

        def once() -> None:
            self.client.sends(*GET)
            self.client.getsError(500, "proxy_internal_error")
            self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

        self.hooked(hook)
        self.leavesNothing(once)

    def test_aCoroutine(self) -> None:
        """That raises after it has waited."""
        waiting: list[Deferred[None]] = []

        async def hook(exchange: Exchange) -> None:
            done: Deferred[None] = Deferred()
            waiting.append(done)
            await done
            raise RequestDenied("x")

        def once() -> None:
            self.client.sends(*GET)
            waiting.pop().callback(None)
            self.client.getsError(403, "http_request_denied")

        self.hooked(hook)
        self.leavesNothing(once)

    def test_aDeferred(self) -> None:
        """That fails."""
        waiting: list[Deferred[None]] = []

        def hook(exchange: Exchange) -> Deferred[None]:
            done: Deferred[None] = Deferred()
            waiting.append(done)
            return done

        def once() -> None:
            self.client.sends(*GET)
            waiting.pop().errback(RequestDenied("x"))
            self.client.getsError(403, "http_request_denied")

        self.hooked(hook)
        self.leavesNothing(once)

    def test_whoIsNotWaitedFor(self) -> None:
        """The client goes while a hook waits."""

        def hook(exchange: Exchange) -> Deferred[None]:
            return Deferred()

        def once() -> None:
            client = self.scenario.client()
            client.sends(*GET)
            client.resets()

        self.hooked(hook)
        self.leavesNothing(once)
