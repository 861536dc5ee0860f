# -*- test-case-name: tests.test_hooks -*-
"""
What components see, change and answer.

What becomes of their mistakes is in L{tests.test_mistakes}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from intermediary.errors import RequestDenied
from intermediary.exchange import Exchange, Reply
from intermediary.interfaces import IBodySink
from intermediary.wire.fields import Fields

from .scenario import DATE, GET, VIA, Scenario


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

    def test_aDeferredThatHasFiredCostsNoWaiting(self) -> None:
        """Whatever it fired with counts as if the hook had returned or raised it."""
        outcomes: list[Deferred[Any]] = [
            succeed(Reply(403, body=b"no")),
            fail(RequestDenied("why")),
            succeed(None),
        ]

        class Component:
            def onRequest(self, exchange: Exchange) -> Deferred[Any]:
                return outcomes.pop(0)

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        client.gets(b"HTTP/1.1 403 Forbidden", DATE, b"Content-Length: 2", b"", b"no")
        client.sends(*GET)
        client.getsError(403, "http_request_denied")
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 204 No Content", b"", b"")
        client.gets(b"HTTP/1.1 204 No Content", ..., b"", b"")

    def test_aDeferredThatFiresLaterMayAnswerOrFail(self) -> None:
        """So may a coroutine that waits for it, or that knows better than its failure."""
        gates: list[Deferred[Any]] = []

        class Component:
            def __init__(self) -> None:
                self.hooks = [self.plain, self.plain, self.patient]

            def plain(self, exchange: Exchange) -> Deferred[Any]:
                gates.append(Deferred())
                return gates[-1]

            async def patient(self, exchange: Exchange) -> Reply | None:
                gates.append(Deferred())
                try:
                    await gates[-1]
                except ZeroDivisionError:
                    return Reply(403)
                return None

            def onRequest(self, exchange: Exchange) -> Any:
                return self.hooks.pop(0)(exchange)

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        gates[0].callback(Reply(403))
        client.gets(b"HTTP/1.1 403 Forbidden", ..., b"", b"")
        client.sends(*GET)
        gates[1].errback(RequestDenied("why"))
        client.getsError(403, "http_request_denied")
        client.sends(*GET)
        gates[2].errback(ZeroDivisionError())
        client.gets(b"HTTP/1.1 403 Forbidden", ..., b"", b"")

    def test_contentMayGoThroughAFilter(self) -> None:
        """All of it, also where it is so much that the kernel could move it."""

        @implementer(IBodySink)
        class Shouting:
            def __init__(self, sink: Any) -> None:
                self.sink = sink
                self.flush, self.end, self.fail = sink.flush, sink.end, sink.fail

            def write(self, piece: bytes) -> None:
                self.sink.write(piece.upper())

        class Component:
            def onDeliver(self, exchange: Exchange) -> None:
                exchange.sink = Shouting(exchange.sink)

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 600000", b"", b"a")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"A")
        for _ in range(2):
            origin.sends(b"a" * 299999)
            client.gets(b"A" * 299999)
        origin.sends(b"a")
        client.gets(b"A")
        self.assertEqual(scenario.records[0].octetsOut, 600000)
