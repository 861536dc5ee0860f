# -*- test-case-name: tests.test_jumps -*-
"""
Jumps that steps ask for: to a reply that they have found, back to the look-up, and
into programs of exchanges without a client.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from intermediary.engine import Engine
from intermediary.errors import ClientGone, ConnectionTerminated
from intermediary.exchange import Exchange, Reply
from intermediary.front import Front
from intermediary.program import DELIVER, FETCH, PARKED, Program
from intermediary.settings import Limits, Timeouts
from intermediary.wire.fields import EMPTY, Fields

from .policy.exchanges import head


class Client:
    """A client's connection."""

    connected = True
    draining = False
    keepAlive = False

    def __init__(self, method: bytes = b"GET") -> None:
        self.request = head(method + b" / HTTP/1.1", b"Host: a")
        self.heard = b""
        self.framing: int | None = None
        self.source: Any = None
        self.engine: Any = None
        self.exchange: Any = None

    def sendHead(self, octets: bytes, framing: int, source: Any) -> None:
        """Take a reply's head."""
        self.heard += octets
        self.framing = framing
        self.source = source

    def write(self, piece: bytes) -> None:
        """Take content."""
        self.heard += piece

    def flush(self) -> None:
        """Send what is there."""

    def end(self, trailers: Fields | None) -> None:
        """The reply is complete."""
        self.engine.proceed(self.exchange)

    def fail(self, error: BaseException) -> None:
        """It is cut off."""
        self.heard += b"!"

    def holdRequest(self) -> None:
        """There is nothing to hold."""

    def exchangeEnded(self, exchange: Exchange) -> None:
        """What is next?"""


class Waiting:
    """What a parked exchange waits for."""

    def __init__(self) -> None:
        self.cancelled = 0

    def cancel(self) -> None:
        """It waits no more."""
        self.cancelled += 1


class JumpTestCase(SynchronousTestCase):
    """One program whose steps tell of themselves."""

    def setUp(self) -> None:
        self.trace: list[str] = []
        unasked: Any = None
        self.engine = Engine(unasked, lambda: 1_000_000_000.0, b"test")
        #: What the step of a section returns, or calls; once.
        self.does: dict[str, Any] = {}
        self.program = Program(
            "test",
            {
                "request": (self.step("request"),),
                "lookup": (self.step("lookup"),),
                "fetch": (self.step("fetch"),),
                "fetched": (self.step("fetched"),),
                "deliver": (self.step("deliver"), self.engine.sendHead),
                "finish": (self.engine.release, self.step("finish"), self.engine.end),
            },
        )
        self.front = Front(
            "site",
            Limits(),
            Timeouts(),
            self.engine,
            lambda exchange: self.program,
            lambda exchange, error: Reply(502, EMPTY, b"error"),
            Program("refusal", {}),
        )

    def step(self, name: str) -> Any:
        """Make a step that notes its name, and does what it is told."""

        def step(exchange: Exchange) -> Any:
            self.trace.append(name)
            does = self.does.pop(name, None)
            return does(exchange) if callable(does) else does

        return step

    def exchange(self, client: Any) -> Exchange:
        """Make an exchange of a client."""
        exchange = Exchange(self.front, client, client.request, "192.0.2.7", 0.0)
        exchange.requestEnded = True
        client.engine, client.exchange = self.engine, exchange
        return exchange

    def begins(self, client: Client) -> Exchange:
        """A client's request begins."""
        exchange = self.exchange(client)
        self.engine.begin(exchange)
        return exchange


def replying(reply: Reply) -> Any:
    """Make what finds a reply."""

    def found(exchange: Exchange) -> Any:
        exchange.reply = reply
        return DELIVER

    return found


def replyWith(content: bytes) -> Any:
    """Make what sets a reply, and goes on."""

    def reply(exchange: Exchange) -> None:
        exchange.reply = Reply(200, EMPTY, content)

    return reply


class DeliverTests(JumpTestCase):
    """A step that has found the reply."""

    def test_theRestIsDelivery(self) -> None:
        """Nothing is fetched, hooks see it, and its fields are as they were found."""
        reply = Reply(200, Fields.fromPairs([(b"Date", b"then")]), b"hello")
        reply.more = b"Age: 7\r\n"
        self.does["lookup"] = replying(reply)
        client = Client()
        exchange = self.begins(client)
        self.assertEqual(self.trace, ["request", "lookup", "deliver", "finish"])
        self.assertEqual(
            client.heard,
            b"HTTP/1.1 200 OK\r\nDate: then\r\nAge: 7\r\nContent-Length: 5\r\n\r\nhello",
        )
        self.assertEqual((exchange.over, exchange.status, exchange.answers), (True, 200, 0))
        self.assertEqual(repr(DELIVER), "DELIVER")

    def test_aHeadTellsTheLengthOnly(self) -> None:
        """Of what was found, in whatever way it would have come."""
        for reply in (Reply(200, EMPTY, b"hello"), Reply(200, EMPTY, None, 5)):
            self.does["lookup"] = replying(reply)
            client = Client(b"HEAD")
            self.begins(client)
            self.assertEqual(client.heard, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")

    def test_aHookMayStillFail(self) -> None:
        """Then the error is the reply."""

        def fail(exchange: Exchange) -> None:
            raise ClientGone("x")

        self.does.update(lookup=replying(Reply(200, EMPTY, b"hello")), deliver=fail)
        client = Client()
        self.begins(client)
        self.assertTrue(client.heard.startswith(b"HTTP/1.1 502 "), client.heard)
        self.assertEqual(self.trace, ["request", "lookup", "deliver", "deliver", "finish"])

    def test_contentMayComeFromElsewhere(self) -> None:
        """From what the step has made the exchange's lease."""

        class Source:
            reused = False
            opened = released = 0

            def openBody(self) -> None:
                self.opened += 1
                client.write(b"hello")
                client.end(EMPTY)

            def release(self) -> None:
                self.released += 1

        source: Any = Source()

        def found(exchange: Exchange) -> Any:
            exchange.lease = source
            exchange.reply = Reply(200, EMPTY, None, 5)
            return DELIVER

        self.does["lookup"] = found
        client = Client()
        exchange = self.begins(client)
        self.assertTrue(client.heard.endswith(b"Content-Length: 5\r\n\r\nhello"))
        self.assertIs(client.source, source)
        self.assertEqual((source.opened, source.released, exchange.over), (1, 1, True))


class FetchTests(JumpTestCase):
    """A step that has found that there is nothing to look up."""

    def test_theLookUpIsLeftOut(self) -> None:
        """All that follows is as ever."""
        self.does["request"] = FETCH
        self.does["fetch"] = replying(Reply(200, EMPTY, b"hello"))
        exchange = self.begins(Client())
        self.assertEqual(self.trace, ["request", "fetch", "deliver", "finish"])
        self.assertEqual((exchange.over, exchange.status), (True, 200))
        self.assertEqual(repr(FETCH), "FETCH")

    def test_itGoesOnInAnotherProgram(self) -> None:
        """With sections of other lengths, to the end; also where it is waited for on the way."""
        other = Program(
            "other",
            {
                "request": (self.step("no"), self.step("no")),
                "fetch": (self.step("other fetch"),),
                "deliver": (self.step("other deliver"), self.engine.sendHead),
                "finish": (self.engine.release, self.engine.end),
            },
        )

        def change(exchange: Exchange) -> Any:
            exchange.program = other
            return FETCH

        for parks in (False, True):
            del self.trace[:]
            self.does["lookup"] = change
            self.does["other fetch"] = PARKED if parks else Reply(200, EMPTY, b"hello")
            client = Client()
            exchange = self.begins(client)
            if parks:
                self.does["other deliver"] = replyWith(b"hello")
                self.engine.proceed(exchange)
            self.assertEqual(self.trace, ["request", "lookup", "other fetch", "other deliver"])
            self.assertTrue(client.heard.endswith(b"hello"))
            self.assertTrue(exchange.over)


class AgainTests(JumpTestCase):
    """A parked exchange is told to look once more."""

    def test_itIsLookedUpAgain(self) -> None:
        """And not what comes before that."""
        waiting = Waiting()

        def park(exchange: Exchange) -> Any:
            exchange.waiting = waiting
            return PARKED

        self.does["lookup"] = park
        client = Client()
        exchange = self.begins(client)
        self.assertEqual(self.trace, ["request", "lookup"])
        self.does["lookup"] = replying(Reply(200, EMPTY, b"hello"))
        self.engine.again(exchange)
        self.assertEqual(self.trace, ["request", "lookup", "lookup", "deliver", "finish"])
        self.assertEqual((waiting.cancelled, exchange.waiting), (0, None))
        self.assertTrue(client.heard.endswith(b"hello"))

    def test_aClientThatGoesAwayWaitsNoMore(self) -> None:
        """What it waited for hears of it, and can't wake it up any more."""
        waiting = Waiting()

        def park(exchange: Exchange) -> Any:
            exchange.waiting = waiting
            return PARKED

        self.does["lookup"] = park
        client = Client()
        exchange = self.begins(client)
        client.connected = False
        self.engine.fail(exchange, ClientGone("x"))
        self.assertEqual(waiting.cancelled, 1)
        self.assertTrue(exchange.over)
        self.engine.again(exchange)
        self.assertEqual(self.trace, ["request", "lookup", "finish"])


class RunTests(JumpTestCase):
    """Exchanges without a client, in a program of their own."""

    def test_fromWhereverItIsTold(self) -> None:
        """The rest of the program runs, in order."""
        self.does["fetch"] = PARKED
        exchange = self.exchange(Client())
        self.engine.run(exchange, self.program, self.program.fetch)
        self.assertEqual(self.trace, ["fetch"])
        self.assertIs(exchange.program, self.program)
        self.does["fetched"] = PARKED
        self.engine.proceed(exchange)
        self.assertEqual(self.trace, ["fetch", "fetched"])
        self.engine.finish(exchange)
        self.assertEqual(self.trace, ["fetch", "fetched", "finish"])
        self.assertTrue(exchange.over)

    def test_inTheMiddleOfAnotherOne(self) -> None:
        """A step may start one: they do not get in each other's way."""
        other = self.exchange(Client())

        def start(exchange: Exchange) -> Any:
            self.does["fetch"] = PARKED
            self.engine.run(other, self.program, self.program.fetch)
            return replying(Reply(200, EMPTY, b"hello"))(exchange)

        self.does["lookup"] = start
        client = Client()
        self.assertTrue(self.begins(client).over)
        self.assertTrue(client.heard.endswith(b"hello"))
        self.assertEqual(self.trace, ["request", "lookup", "fetch", "deliver", "finish"])
        self.assertFalse(other.over)
        self.engine.finish(other)
        self.assertTrue(other.over)

    def test_itFailsLikeAnyOther(self) -> None:
        """Its last steps run, and nobody is answered if its head has gone out."""
        self.does["fetch"] = PARKED
        client = Client()
        exchange = self.exchange(client)
        exchange.headSent = True
        self.engine.run(exchange, self.program, self.program.fetch)
        self.engine.fail(exchange, ConnectionTerminated("x"))
        self.assertEqual(self.trace, ["fetch", "finish"])
        self.assertEqual((client.heard, exchange.outcome), (b"!", "connection_terminated"))
