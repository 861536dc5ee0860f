# -*- test-case-name: tests.net.test_downstream -*-
"""
A client's connection, through whole fronts: what is read when, and how it ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import ConnectionRefused
from intermediary.net.sweep import NEVER
from intermediary.settings import Limits, Timeouts

from ..scenario import DATE, GET, VIA, Scenario

if TYPE_CHECKING:
    from intermediary.exchange import Exchange


class KeepAliveTests(SynchronousTestCase):
    """How long a connection lasts beyond a request."""

    def test_anOldClientMayKeepItsConnection(self) -> None:
        """Where the length is known, C{Connection: keep-alive} is honoured and said."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        for _ in range(2):
            client.sends(b"GET / HTTP/1.0", b"Host: a", b"Connection: keep-alive", b"", b"")
            origin = scenario.accepts() if not scenario.records else scenario.sides[1]
            origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
            origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
            client.gets(
                b"HTTP/1.1 200 OK",
                b"Connection: keep-alive",
                VIA,
                DATE,
                b"Content-Length: 0",
                b"",
                b"",
            )
        client.sends(b"GET / HTTP/1.0", b"", b"")
        origin.gets(
            b"GET / HTTP/1.1", VIA.replace(b"1.1", b"1.0"), ..., b"Host: 127.0.0.1:9000", b"", b""
        )
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", b"Connection: close", ..., b"", b"")
        client.sees("closed")

    def test_aProxyDoesNotKeepOldClients(self) -> None:
        """RFC 9112 §9.3: an older proxy before us may not know what it passes on."""
        scenario = Scenario(self).forward()
        client = scenario.client()
        client.sends(b"GET / HTTP/1.0", b"Connection: keep-alive", b"", b"")
        self.assertIn(b"Connection: close\r\n", client.takes())
        client.sees("closed")

    def test_anIdleConnectionIsClosed(self) -> None:
        """After C{idle} seconds without a request."""
        scenario = Scenario(self).forward(timeouts=Timeouts(idleSeconds=50))
        client = scenario.client()
        client.sends(*GET)
        client.takes()
        scenario.passes(49)
        client.sees("")
        scenario.passes(3)
        client.sees("closed")

    def test_aPostThatIsAnsweredHereLeavesItReadable(self) -> None:
        """No reason to pause outlives the exchange."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 3", b"", b"abc")
        self.assertFalse(client.isRead)
        scenario.refuses(ConnectionRefused())
        client.getsError(502, "connection_refused")
        self.assertTrue(client.isRead)
        client.sends(*GET)
        scenario.refuses(ConnectionRefused())
        client.getsError(502, "connection_refused")


class PipeliningTests(SynchronousTestCase):
    """Requests that are sent ahead."""

    def test_pipelinedRequestsAreAnsweredInOrder(self) -> None:
        """RFC 9112 §9.3.2: one at a time, in the order in which they came."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(
            b"GET /1 HTTP/1.1",
            b"Host: a",
            b"",
            b"POST /2 HTTP/1.1",
            b"Host: a",
            b"Content-Length: 2",
            b"",
            b"hiGET /3 HTTP/1.1",
            b"Host: a",
            b"",
            b"",
        )
        self.assertFalse(client.isRead)
        origin = scenario.accepts()
        origin.gets(b"GET /1 HTTP/1.1", ..., b"", b"")
        scenario.connectsNowhere()
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 1", b"", b"1")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"1")
        origin.gets(b"POST /2 HTTP/1.1", ..., b"", b"hi")
        self.assertFalse(client.isRead)
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 1", b"", b"2")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"2")
        origin.gets(b"GET /3 HTTP/1.1", ..., b"", b"")
        self.assertTrue(client.isRead)
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 1", b"", b"3")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"3")

    def test_theBeginningOfALaterRequestIsEnough(self) -> None:
        """While an exchange is under way, what is sent ahead waits in the kernel."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        client.sends(b"GET /2")
        self.assertFalse(client.isRead)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 1", b"", b"1")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"1")
        self.assertTrue(client.isRead)
        client.sends(b" HTTP/1.1", b"Host: a", b"", b"")
        origin.gets(b"GET /2 HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 1", b"", b"2")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"2")

    def test_manyPipelinedErrorsDoNotRecurse(self) -> None:
        """A thousand requests that are answered here cost no stack."""
        scenario = Scenario(self).forward()
        client = scenario.client()
        client.sends(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 3000)
        self.assertEqual(client.takes().count(b"HTTP/1.1 200 OK\r\n"), 3000)

    def test_aClientThatDoesNotReadGetsNoMoreBegun(self) -> None:
        """Replies to pipelined requests wait until those before them have left."""
        scenario = Scenario(self).forward()
        client = scenario.client()
        client.stalls()
        client.sends(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 3000)
        self.assertEqual(client.takes().count(b"HTTP/1.1 200 OK\r\n"), 1)
        client.reads()
        self.assertEqual(client.takes().count(b"HTTP/1.1 200 OK\r\n"), 2999)

    def test_whoDoesNotReadIsNotRead(self) -> None:
        """A client that only sends costs no more than one piece."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        client.stalls()
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 2", b"", b"ok")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"ok")
        client.sends(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        self.assertFalse(client.isRead)
        client.reads()
        self.assertTrue(client.isRead)
        client.sends(b"y", b"", b"")
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 2", b"", b"ok")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"ok")


class DepartureTests(SynchronousTestCase):
    """Clients that go away in the middle of something."""

    def test_aClientThatGoesAwayAbortsTheUpstream(self) -> None:
        """Nobody wants the response any more."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        client.resets()
        origin.sees("aborted")
        self.assertEqual(scenario.outcomes(), [(0, "client_gone")])

    def test_aClientThatGoesAwayWhileConnecting(self) -> None:
        """The attempt is given up with it."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        client.ends()
        scenario.connectsNowhere()
        self.assertEqual(len(scenario.connector.cancelled), 1)
        self.assertEqual(scenario.outcomes(), [(0, "client_gone")])

    def test_aClientThatGoesAwayInTheMiddleOfAResponse(self) -> None:
        """The upstream is aborted and the record tells what was sent."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 10", b"", b"12345")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"12345")
        client.resets()
        origin.sees("aborted")
        self.assertEqual(scenario.outcomes(), [(200, "client_gone")])
        self.assertEqual(scenario.records[0].octetsOut, 5)

    def test_aClientThatGoesAwayInTheMiddleOfItsContent(self) -> None:
        """The origin must not take half a request for a whole one."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 6", b"", b"abc")
        origin = scenario.accepts()
        origin.gets(b"POST / HTTP/1.1", ..., b"", b"abc")
        client.ends()
        origin.sees("aborted")
        self.assertEqual(scenario.outcomes(), [(0, "client_gone")])


class TimeTests(SynchronousTestCase):
    """Whoever waits for a client waits for so long and no longer."""

    def test_aClientThatSaysNothingIsLetGo(self) -> None:
        """No reply to nobody."""
        scenario = Scenario(self).reverse(timeouts=Timeouts(requestHeadSeconds=5))
        client = scenario.client()
        scenario.passes(4)
        client.sees("")
        scenario.passes(3)
        client.sees("closed")
        self.assertEqual(scenario.outcomes(), [])

    def test_tricklingOctetsDoNotExtendTheTimeForAHead(self) -> None:
        """A head that is not complete in time is a 408."""
        scenario = Scenario(self).reverse(timeouts=Timeouts(requestHeadSeconds=5))
        client = scenario.client()
        client.sends(b"GET / HTTP/1.1\r\nX: ")
        for _ in range(7):
            client.sends(b"y")
            scenario.passes(1)
        client.getsError(408, "http_request_error", close=True)
        client.closes()
        self.assertEqual(scenario.outcomes(), [(408, "http_request_error")])

    def test_theTimeForTheNextHeadBeginsWithItsFirstOctet(self) -> None:
        """A kept connection idles for longer than a head may take."""
        scenario = Scenario(self).forward(timeouts=Timeouts(requestHeadSeconds=5, idleSeconds=50))
        client = scenario.client()
        client.sends(*GET)
        client.takes()
        scenario.passes(40)
        client.sends(b"GET")
        scenario.passes(4)
        client.getsNothing()
        scenario.passes(3)
        client.getsError(408, "http_request_error", close=True)
        client.closes()

    def test_contentThatStallsIsA408(self) -> None:
        """Between two pieces of a request at most C{between-bytes} seconds go by."""
        scenario = Scenario(self).reverse(timeouts=Timeouts(betweenBytesSeconds=10))
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 6", b"", b"abc")
        origin = scenario.accepts()
        origin.gets(b"POST / HTTP/1.1", ..., b"", b"abc")
        scenario.passes(9)
        client.sends(b"d")
        origin.gets(b"d")
        scenario.passes(9)
        client.sees("")
        scenario.passes(3)
        origin.sees("aborted")
        client.getsError(408, "http_request_error", close=True)

    def test_aClientIsNotBlamedForOurPause(self) -> None:
        """While its content waits for an upstream, it can't send more."""
        scenario = Scenario(self).reverse(
            timeouts=Timeouts(betweenBytesSeconds=5, connectSeconds=60)
        )
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 6", b"", b"abc")
        scenario.passes(20)
        origin = scenario.accepts()
        origin.gets(b"POST / HTTP/1.1", ..., b"", b"abc")
        scenario.passes(3)
        client.sends(b"def")
        origin.gets(b"def")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")

    def test_aClientIsNotBlamedForASlowOrigin(self) -> None:
        """Nor is it while the origin takes nothing of what was sent before it connected."""
        scenario = Scenario(self).reverse(
            timeouts=Timeouts(betweenBytesSeconds=10, connectSeconds=60)
        )
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 6", b"", b"abc")
        scenario.passes(20)
        origin = scenario.accepts(stalled=True)
        self.assertFalse(client.isRead)
        self.assertEqual(client.transport.protocol.deadline, NEVER)
        scenario.passes(12)
        origin.gets(b"POST / HTTP/1.1", ..., b"", b"abc")
        origin.sees("aborted")
        client.getsError(504, "connection_write_timeout", close=True)

    def test_aClientThatReadsSlowlyIsNotCutOff(self) -> None:
        """It takes some of what waits for it, between one look and the next."""
        scenario = Scenario(self).reverse(timeouts=Timeouts(betweenBytesSeconds=10))
        client = scenario.client()
        client.sends(*GET)
        client.stalls()
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 6", b"", b"123456")
        for _ in range(4):
            scenario.passes(10)
            client.takes(20)
            client.sees("")
        scenario.passes(22)
        client.sees("aborted")
        client.takes()
        self.assertEqual(scenario.outcomes(), [(200, "")])

    def test_aClientThatDoesNotReadIsCutOff(self) -> None:
        """It holds a connection to the origin, so not for ever."""
        scenario = Scenario(self).reverse(timeouts=Timeouts(betweenBytesSeconds=10))
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        client.stalls()
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 10", b"", b"12345")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"12345")
        self.assertFalse(origin.isRead)
        scenario.passes(12)
        client.sees("aborted")
        origin.sees("aborted")
        self.assertEqual(scenario.outcomes(), [(200, "client_gone")])


class BackpressureTests(SynchronousTestCase):
    """A slow client slows down who feeds it, and nobody else."""

    def test_aSlowClientPausesTheOrigin(self) -> None:
        """Nothing more is read from the origin until the client has read."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 9", b"", b"123")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"123")
        client.stalls()
        origin.sends(b"456")
        self.assertFalse(origin.isRead)
        origin.sends(b"789")
        client.gets(b"456")
        client.reads()
        self.assertTrue(origin.isRead)
        client.gets(b"789")

    def test_aClientThatIsSlowFromTheStart(self) -> None:
        """A transport that was full before the exchange pauses the origin too."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        client.stalls()
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 103 Early Hints", b"", b"")
        client.gets(b"HTTP/1.1 103 Early Hints", VIA, b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 6", b"", b"123")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"123")
        self.assertFalse(origin.isRead)
        client.reads()
        origin.sends(b"456")
        client.gets(b"456")

    def test_interimResponsesDoNotPileUp(self) -> None:
        """A client that does not read costs no memory, whatever the origin sends."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        client.stalls()
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        for _ in range(100):
            origin.sends(b"HTTP/1.1 102 Processing", b"", b"")
        self.assertEqual(client.takes().count(b"102"), 1)


class RefusalTests(SynchronousTestCase):
    """Octets that are no request."""

    def refused(self, octets: bytes, status: int, limits: Limits | None = None) -> None:
        """Send octets and hear their refusal; the connection ends."""
        scenario = Scenario(self).reverse(limits=limits or Limits())
        client = scenario.client()
        client.sends(octets)
        client.getsError(status, "http_request_error", close=True)
        client.sees("half-closed")
        self.assertEqual(scenario.outcomes(), [(status, "http_request_error")])
        client.closes()

    def test_garbageIsA400(self) -> None:
        """Whatever it is, it is refused and logged, not passed on."""
        self.refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400)
        self.refused(b"hello\r\n\r\n", 400)

    def test_limitsHaveTheirStatus(self) -> None:
        """431 for a head, 414 for a target, 413 for content."""
        self.refused(b"GET / HTTP/1.1\r\nX: " + b"y" * 500, 431, Limits(headerOctets=400))
        self.refused(b"GET /" + b"y" * 300 + b" HTTP/1.1\r\n\r\n", 414, Limits(targetOctets=200))
        self.refused(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", 413, Limits(bodyOctets=10)
        )

    def test_chunkedContentOverTheLimitIsA413(self) -> None:
        """Found when it is passed: the upstream never gets a whole request."""
        scenario = Scenario(self).reverse(limits=Limits(bodyOctets=4))
        client = scenario.client()
        client.sends(
            b"POST / HTTP/1.1", b"Host: a", b"Transfer-Encoding: chunked", b"", b"3", b"abc", b""
        )
        origin = scenario.accepts()
        origin.gets(b"POST / HTTP/1.1", ..., b"3", b"abc", b"")
        client.sends(b"2", b"de", b"")
        client.getsError(413, "http_request_error", close=True)
        origin.sees("aborted")
        self.assertEqual(scenario.outcomes(), [(413, "http_request_error")])

    def test_whatFollowsGarbageIsNotRefusedAgain(self) -> None:
        """The reply is under way; a hook that it waits for is not disturbed."""
        gates: list[Deferred[None]] = []

        class Component:
            def onDeliver(self, exchange: Exchange) -> Deferred[None]:
                gates.append(Deferred())
                return gates[-1]

        scenario = Scenario(self).reverse(components=[Component()])
        post = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        for pieces in ([b"nonsense\r\n\r\n"], [post, b"nonsense\r\n"]):
            client = scenario.client()
            for piece in pieces:
                client.sends(piece)
            client.sends(b"more\r\n\r\n")
            client.getsNothing()
            [gate] = gates
            gates.clear()
            gate.callback(None)
            client.getsError(400, "http_request_error", close=True)
            client.closes()
        self.assertEqual(scenario.outcomes(), [(400, "http_request_error")] * 2)


class ClosingTests(SynchronousTestCase):
    """The last reply is not lost to the close."""

    def test_aFinalResponseBeforeTheContentIsDelivered(self) -> None:
        """RFC 9112 §9.6: the client gets it, and time to take it, before the close."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(
            b"PUT / HTTP/1.1", b"Host: a", b"Content-Length: 3", b"Expect: 100-continue", b"", b""
        )
        origin = scenario.accepts()
        origin.gets(b"PUT / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 417 Expectation Failed", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 417 Expectation Failed", b"Connection: close", ..., b"", b"")
        client.sees("half-closed")
        origin.sees("aborted")
        client.sends(b"abc")
        client.sees("half-closed")
        client.ends()
        client.sees("closed")

    def test_aClosingConnectionIsNotReadForEver(self) -> None:
        """A client that goes on sending is cut off, by time and by octets."""
        for octets in (b"", b"x" * (1 << 20) + b"x"):
            scenario = Scenario(self).reverse()
            client = scenario.client()
            client.sends(b"nonsense", b"", b"")
            client.getsError(400, "http_request_error", close=True)
            client.sees("half-closed")
            if octets:
                client.sends(octets)
            else:
                scenario.passes(7)
            client.sees("aborted")

    def test_theLastReplyHasItsTime(self) -> None:
        """RFC 9112 §9.6: a slow client gets all of it before the close."""
        scenario = Scenario(self).reverse(timeouts=Timeouts(betweenBytesSeconds=30))
        client = scenario.client()
        client.sends(b"GET / HTTP/1.1", b"Host: a", b"Connection: close", b"", b"")
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        client.stalls()
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 2", b"", b"ok")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"ok")
        scenario.passes(25)
        client.sees("closed")
        scenario.passes(7)
        client.sees("aborted")


class DrainTests(SynchronousTestCase):
    """A front that is told to stop."""

    def test_idleConnectionsCloseAndBusyOnesFinish(self) -> None:
        """And the Deferred fires when the last is gone."""
        scenario = Scenario(self).reverse()
        idle, busy = scenario.client(), scenario.client()
        busy.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        drained = scenario.front.drain()
        idle.sees("closed")
        self.assertNoResult(drained)
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
        busy.gets(b"HTTP/1.1 200 OK", b"Connection: close", ..., b"", b"")
        busy.sees("closed")
        self.successResultOf(drained)
