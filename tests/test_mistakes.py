# -*- test-case-name: tests.test_mistakes -*-
"""
Mistakes of components, and how far they get.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import DestinationUnavailable, RequestDenied
from intermediary.exchange import Exchange, Reply
from intermediary.program import PARKED, Program
from intermediary.settings import Timeouts
from intermediary.wire.fields import Fields

from .ops.exchanges import ended
from .scenario import DATE, GET, Scenario, Side

if TYPE_CHECKING:
    from twisted.logger import ILogObserver


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

    def test_anEndThatFails(self) -> None:
        """There is no step after the last one: the client is let go."""
        told = []

        class Downstream:
            def exchangeEnded(self, exchange: Exchange) -> None:
                raise ZeroDivisionError

            def abort(self) -> None:
                told.append("aborted")

        exchange = ended(request=False)
        exchange.downstream = cast("Any", Downstream())
        engine = exchange.front.engine
        engine.run(exchange, Program("end", {"finish": (engine.end,)}), 0)
        self.assertEqual(told, ["aborted"])
        self.assertTrue(exchange.over)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        engine.proceed(exchange)

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

    def test_theEndOfTheProcessIsNobodysFailure(self) -> None:
        """What stops the process gets through, and the exchange ends with its client."""

        class Component:
            def onRequest(self, exchange: Exchange) -> None:
                raise KeyboardInterrupt

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        self.assertRaises(KeyboardInterrupt, client.sends, *GET)
        client.getsNothing()
        client.resets()
        self.assertEqual(scenario.outcomes(), [(0, "client_gone")])

    def test_whatIsNoOutcomeIsAFailure(self) -> None:
        """A step gives nothing, a reply, C{PARKED} or an awaitable."""

        class Component:
            def onRequest(self, exchange: Exchange) -> Any:
                return 403

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        client.getsError(500, "proxy_internal_error")
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_aHookThatFailsAsItCleansUpIsLogged(self) -> None:
        """Nobody else hears of it: its exchange is over."""

        class Component:
            async def onRequest(self, exchange: Exchange) -> None:
                try:
                    await Deferred()
                finally:
                    raise ZeroDivisionError

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        client.resets()
        self.assertEqual(scenario.outcomes(), [(0, "client_gone")])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_aHookThatDoesNotEndIsLeft(self) -> None:
        """However often it is told that what it awaits is cancelled."""
        heard: list[str] = []
        events: list[Any] = []

        class Component:
            async def onRequest(self, exchange: Exchange) -> None:
                while True:
                    try:
                        await Deferred()
                    except CancelledError:
                        heard.append("cancelled")

        observer = cast("ILogObserver", events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        client.resets()
        self.assertEqual(scenario.outcomes(), [(0, "client_gone")])
        self.assertEqual(scenario.front.connections, 0)
        self.assertTrue(heard)
        self.assertIn("does not end", events[-1]["log_format"])

    def test_aStepMayBeThroughBeforeItParks(self) -> None:
        """C{finish} from inside the program counts once the step has returned."""

        class Component:
            def onRequest(self, exchange: Exchange) -> Any:
                exchange.front.engine.finish(exchange)
                return PARKED

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        client.sees("closed")
        self.assertEqual(scenario.outcomes(), [(0, "")])

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

    def test_aReplyThatCannotBeWrittenIsA500(self) -> None:
        """Text, where HTTP has octets, is a mistake that is easily made."""

        class Component:
            def onRequest(self, exchange: Exchange) -> Reply:
                return Reply(403, reason="No")  # type: ignore[arg-type]

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        client.getsError(500, "proxy_internal_error")
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

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
