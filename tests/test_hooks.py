# -*- test-case-name: tests.test_hooks -*-
"""
What components see, change and answer, and what becomes of their mistakes.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import DestinationUnavailable, RequestDenied
from intermediary.exchange import Exchange, Reply
from intermediary.program import PARKED
from intermediary.settings import Timeouts
from intermediary.wire.fields import Fields

from .scenario import DATE, GET, VIA, Scenario, Side


class HookTests(SynchronousTestCase):
    """Components see, change and answer exchanges."""

    def test_aHookMayAnswer(self) -> None:
        """Nothing is fetched then."""

        class Component:
            def onRequest(self, exchange: Exchange) -> Reply:
                return Reply(403, Fields.fromPairs([(b"X", b"y")]), b"no")

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        client.gets(b"HTTP/1.1 403 Forbidden", b"X: y", DATE, b"Content-Length: 2", b"", b"no")
        client.sends(b"HEAD / HTTP/1.1", b"Host: a", b"", b"")
        client.gets(b"HTTP/1.1 403 Forbidden", b"X: y", DATE, b"Content-Length: 2", b"", b"")

    def test_hooksMayChangeWhatGoesOn(self) -> None:
        """The derived heads, in both directions; the received ones stay."""
        seen: list[Any] = []

        class Component:
            def onFetch(self, exchange: Exchange) -> None:
                assert exchange.forward is not None
                exchange.forward.fields = exchange.forward.fields.setting(b"X", b"1")

            def onFetched(self, exchange: Exchange) -> None:
                seen.append(exchange.response)

            def onDeliver(self, exchange: Exchange) -> None:
                assert exchange.reply is not None
                exchange.reply.fields = exchange.reply.fields.without({b"server"})

            def onFinish(self, exchange: Exchange) -> None:
                seen.append(exchange.status)

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"X: 1", b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Server: s", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", VIA, DATE, b"Content-Length: 0", b"", b"")
        self.assertEqual(seen[0].fields.get(b"server"), b"s")
        self.assertEqual(seen[1], 200)

    def test_hooksMayWait(self) -> None:
        """A coroutine parks the exchange; what arrives meanwhile is kept."""
        gates: list[Deferred[None]] = []

        class Component:
            async def pause(self, exchange: Exchange) -> None:
                gate: Deferred[None] = Deferred()
                gates.append(gate)
                await gate

            onRequest = onFetch = onFetched = onDeliver = pause

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 3", b"", b"abc")
        scenario.connectsNowhere()
        gates[0].callback(None)
        gates[1].callback(None)
        origin = scenario.accepts()
        origin.gets(b"POST / HTTP/1.1", ..., b"", b"abc")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 4", b"", b"12")
        self.assertFalse(origin.isRead)
        gates[2].callback(None)
        client.getsNothing()
        gates[3].callback(None)
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"12")
        self.assertTrue(origin.isRead)
        origin.sends(b"34")
        client.gets(b"34")

    def test_aWholeResponseMayWaitForAHook(self) -> None:
        """Even when the connection is gone since; what was missing is missing."""
        gates: list[Deferred[None]] = []

        class Component:
            def onDeliver(self, exchange: Exchange) -> Deferred[None]:
                gates.append(Deferred())
                return gates[-1]

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 3", b"", b"abc")
        origin.resets()
        gates[0].callback(None)
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"abc")
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 4", b"", b"abc")
        origin.resets()
        gates[1].callback(None)
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"abc")
        client.sees("closed")
        self.assertEqual(scenario.outcomes(), [(200, ""), (200, "http_response_incomplete")])

    def test_aHookThatFailsIsA500(self) -> None:
        """It is logged; the client learns nothing of it."""

        class Component:
            async def onRequest(self, exchange: Exchange) -> None:
                raise ZeroDivisionError("secret")

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        client.getsError(500, "proxy_internal_error")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_aHookMayRefuse(self) -> None:
        """An error of ours is worded as any other."""

        class Component:
            def onRequest(self, exchange: Exchange) -> None:
                raise RequestDenied("why")

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        client.getsError(403, "http_request_denied")

    def test_aClientThatGoesAwayCancelsTheHook(self) -> None:
        """Whoever was waited for hears of it."""
        cancelled: list[Deferred[None]] = []

        class Component:
            async def onRequest(self, exchange: Exchange) -> None:
                await Deferred(cancelled.append)

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        client.resets()
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(scenario.outcomes(), [(0, "client_gone")])

    def test_theLastStepsRunOnceWhateverHappens(self) -> None:
        """A failing hook does not keep the others from their account."""

        class Component:
            def onFinish(self, exchange: Exchange) -> None:
                raise ZeroDivisionError

        scenario = Scenario(self).forward(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        client.takes()
        client.sends(*GET)
        client.takes()
        self.assertEqual(scenario.outcomes(), [(200, ""), (200, "")])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_aReplyMayReplaceAResponse(self) -> None:
        """The connection it came on is dropped with the rest of it."""

        class Component:
            def onFetched(self, exchange: Exchange) -> Reply:
                return Reply(500, body=b"hidden")

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 500 Oh", b"Content-Length: 9", b"", b"trace")
        client.gets(
            b"HTTP/1.1 500 Internal Server Error", DATE, b"Content-Length: 6", b"", b"hidden"
        )
        origin.sees("aborted")


class MisconductTests(SynchronousTestCase):
    """Hooks that fail at the wrong time or say the wrong thing hurt nobody else."""

    def test_aDeliveryThatAlwaysFailsEnds(self) -> None:
        """The reply to a failure of C{onDeliver} is sent without it."""

        class Component:
            def onDeliver(self, exchange: Exchange) -> None:
                raise ZeroDivisionError

        scenario = Scenario(self).forward(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        client.getsError(500, "proxy_internal_error")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_aDeliveryThatAlwaysRepliesEnds(self) -> None:
        """What it replies is sent as it is."""

        class Component:
            def onDeliver(self, exchange: Exchange) -> Reply:
                return Reply(418)

        scenario = Scenario(self).forward(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        client.gets(b"HTTP/1.1 418 I'm a Teapot", DATE, b"Content-Length: 0", b"", b"")

    def test_aReplyFromTheLastStepsIsTooLate(self) -> None:
        """It is logged, and the last steps do not run again."""
        runs = []

        class Component:
            def onFinish(self, exchange: Exchange) -> Reply:
                runs.append(exchange)
                return Reply(500)

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        client.resets()
        self.assertEqual(len(runs), 1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_whoeverComesBackTooLateFindsNothing(self) -> None:
        """A parked hook may call C{proceed} when the exchange is long over."""
        parked: list[Exchange] = []

        class Component:
            def onRequest(self, exchange: Exchange) -> Any:
                parked.append(exchange)
                return PARKED

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        client.resets()
        scenario.front.engine.proceed(parked[0])
        scenario.front.engine.fail(parked[0], RequestDenied())
        scenario.front.engine.finish(parked[0])
        self.assertEqual(len(scenario.records), 1)

    def test_aHookMayCleanUp(self) -> None:
        """It hears C{CancelledError}, and does not get to wait."""
        heard = []

        class Component:
            async def onRequest(self, exchange: Exchange) -> None:
                try:
                    await Deferred()
                except CancelledError:
                    heard.append("cancelled")
                    raise
                finally:
                    await Deferred()

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        client.resets()
        self.assertEqual(heard, ["cancelled"])
        self.assertEqual(scenario.outcomes(), [(0, "client_gone")])
        self.assertEqual(scenario.front.connections, 0)

    def test_aHookWhoseExchangeFailsUnderItWaitsForNothing(self) -> None:
        """What it awaits from then on is cancelled, and must not wake what is over."""

        class Component:
            def __init__(self, clients: list[Side], begun: Deferred[None]) -> None:
                self.clients = clients
                self.begun = begun
                self.heard: list[str] = []

            async def onRequest(self, exchange: Exchange) -> None:
                await self.begun
                self.clients[0].transport.lost(ConnectionLost())
                try:
                    await Deferred()
                except CancelledError:
                    self.heard.append("cancelled")
                    raise

        for early in (True, False):
            begun: Deferred[None] = Deferred()
            clients: list[Side] = []
            component = Component(clients, begun)
            scenario = Scenario(self).reverse(components=[component])
            clients.append(scenario.client())
            if early:
                begun.callback(None)
            clients[0].sends(*GET)
            if not early:
                begun.callback(None)
            self.assertEqual(component.heard, ["cancelled"])
            self.assertEqual(scenario.outcomes(), [(0, "client_gone")])
            self.assertEqual(scenario.front.connections, 0)

    def test_aHookThatCannotBeCancelledKeepsNothing(self) -> None:
        """Nor does one whose canceller fails."""

        def fails(deferred: Deferred[None]) -> None:
            raise ZeroDivisionError

        class Component:
            def onRequest(self, exchange: Exchange) -> Deferred[None]:
                return Deferred(fails)

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        client.resets()
        self.assertEqual(scenario.outcomes(), [(0, "client_gone")])
        self.assertEqual(scenario.front.connections, 0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_whatIsNoExceptionIsAFailureToo(self) -> None:
        """C{asyncio}'s cancellation must not leave an exchange half run."""

        class Stop(BaseException):
            pass

        class Component:
            def onRequest(self, exchange: Exchange) -> None:
                raise Stop

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        client.getsError(500, "proxy_internal_error")
        self.assertEqual(len(self.flushLoggedErrors(Stop)), 1)

    def test_framingIsNotForHooks(self) -> None:
        """What a reply says of its own length is replaced by the truth."""

        class Component:
            def onRequest(self, exchange: Exchange) -> Reply:
                fields = [(b"Content-Length", b"99"), (b"Transfer-Encoding", b"chunked")]
                return Reply(200, Fields.fromPairs(fields), b"ok")

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        client.gets(b"HTTP/1.1 200 OK", DATE, b"Content-Length: 2", b"", b"ok")

    def test_noHookOpensATunnel(self) -> None:
        """RFC 9110 §9.3.6: a 2xx to CONNECT would be one."""

        class Component:
            def onRequest(self, exchange: Exchange) -> Reply:
                return Reply(200)

        scenario = Scenario(self).forward(components=[Component()])
        client = scenario.client()
        client.sends(b"CONNECT a:443 HTTP/1.1", b"Host: a:443", b"", b"")
        client.getsError(500, "proxy_internal_error", close=True)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_aHeadThatHadToWaitIsSentAtOnce(self) -> None:
        """Though nothing of its content has come yet."""
        gates: list[Deferred[None]] = []

        class Component:
            def onDeliver(self, exchange: Exchange) -> Deferred[None]:
                gates.append(Deferred())
                return gates[-1]

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 2", b"", b"")
        gates[0].callback(None)
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")
        origin.sends(b"ok")
        client.gets(b"ok")

    def test_contentDuringTheLastStepsGoesNowhere(self) -> None:
        """The exchange is over but for its account."""
        gates: list[Deferred[None]] = []

        class Component:
            def onFinish(self, exchange: Exchange) -> Deferred[None]:
                gates.append(Deferred())
                return gates[-1]

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 6", b"", b"abc")
        origin = scenario.accepts()
        origin.gets(b"POST / HTTP/1.1", ..., b"", b"abc")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")
        client.sends(b"def")
        gates[0].callback(None)
        client.sees("closed")

    def test_asSecondAttemptHasItsDeadlinesToo(self) -> None:
        """A hook may find fault with a response; the next server answers or is a 504."""

        class Component:
            def onFetched(self, exchange: Exchange) -> None:
                assert exchange.response is not None
                if exchange.response.status == 503:
                    raise DestinationUnavailable

        scenario = Scenario(self).reverse(
            ("http://10.0.0.1", "http://10.0.0.2"),
            components=[Component()],
            timeouts=Timeouts(responseHeadSeconds=10),
        )
        client = scenario.client()
        client.sends(*GET)
        first = scenario.accepts("http://10.0.0.1:80")
        first.gets(b"GET / HTTP/1.1", ..., b"", b"")
        first.sends(b"HTTP/1.1 503 No", b"Content-Length: 0", b"", b"")
        second = scenario.accepts("http://10.0.0.2:80")
        second.gets(b"GET / HTTP/1.1", ..., b"", b"")
        scenario.passes(12)
        client.getsError(504, "http_response_timeout")
