# -*- test-case-name: tests.net.test_closing -*-
"""
How a client's connection ends, through whole fronts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import ISSLTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import alsoProvides

from intermediary.settings import Limits, Timeouts

from ..scenario import GET, Scenario

if TYPE_CHECKING:
    from intermediary.exchange import Exchange


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
        self.assertEqual(str(scenario.records[0].error), "it closed its side")

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

    def test_theLogKnowsWhatWasAskedFor(self) -> None:
        """
        A valid request line is logged, whatever is wrong with what follows, and
        in whatever pieces it came; nothing else of the request is believed.
        """
        for pieces in (
            (b"DELETE /x HTTP/1.0\r\nHost: a\r\nA : b\r\n\r\n",),
            (b"DELETE /x HTTP/1.0\r\nHost: a\r\n", b"A : b\r\n\r\n"),
            (b"\r\nDELETE /x ", b"HTTP/1.0\r\nA", b" :", b"b"),
            (b"DELETE /x HTTP/1.0\r\nHost: a\r\nContent-Length: x\r\n\r\n",),
        ):
            scenario = Scenario(self).reverse()
            client = scenario.client()
            for piece in pieces:
                client.sends(piece)
            client.getsError(400, "http_request_error", close=True)
            client.ends()
            [exchange] = scenario.records
            request = exchange.request
            assert request is not None
            self.assertEqual(
                (request.method, request.target, request.version, len(request.fields)),
                (b"DELETE", b"/x", 10, 0),
            )

    def test_aLineThatIsNoneIsNotLogged(self) -> None:
        """It could be anything."""
        for octets in (b"DELETE /x\r\n", b"\x16\x03\x01", b"GET /x HTTP/3.0\r\n\r\n"):
            scenario = Scenario(self).reverse()
            client = scenario.client()
            client.sends(octets)
            self.assertIn(b"Connection: close\r\n", client.takes())
            client.ends()
            self.assertIsNone(scenario.records[0].request)

    def test_aRefusedHEADHasNoContent(self) -> None:
        """RFC 9110 §9.3.2 holds for refusals, too."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"HEAD / HTTP/1.1", b"Host: a", b"A : b", b"", b"")
        self.assertTrue(client.takes().endswith(b"\r\n\r\n"))
        client.ends()

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
        """A client that is silent is cut off soon, one that goes on sending later."""
        for octets, seconds in ((b"", 5), (b"x" * 1000, 30)):
            scenario = Scenario(self).reverse()
            client = scenario.client()
            client.sends(b"nonsense", b"", b"")
            client.getsError(400, "http_request_error", close=True)
            client.sees("half-closed")
            for _ in range(seconds - 1):
                if octets:
                    client.sends(octets)
                scenario.passes(1)
            client.sees("half-closed")
            scenario.passes(2)
            client.sees("aborted")

    def test_garbageIsNotReadForLong(self) -> None:
        """Nobody sends more of it by mistake."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"nonsense", b"", b"")
        client.getsError(400, "http_request_error", close=True)
        client.sends(b"x" * (1 << 20))
        client.sees("half-closed")
        client.sends(b"x")
        client.sees("aborted")

    def test_aLargeUploadDoesNotCostTheReply(self) -> None:
        """RFC 9112 §9.6: whatever was on its way when it was refused is read and dropped."""
        scenario = Scenario(self).reverse(limits=Limits(bodyOctets=100))
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 50000000", b"", b"")
        client.getsError(413, "http_request_error", close=True)
        for _ in range(50):
            client.sends(b"x" * 1_000_000)
        client.sees("half-closed")
        client.ends()
        client.sees("closed")

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

    def test_theLastReplyMayBeTakenSlowly(self) -> None:
        """As long as some of it is, between one look and the next."""
        scenario = Scenario(self).reverse(timeouts=Timeouts(betweenBytesSeconds=10))
        client = scenario.client()
        client.sends(b"GET / HTTP/1.1", b"Host: a", b"Connection: close", b"", b"")
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        client.stalls()
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 2", b"", b"ok")
        for _ in range(4):
            scenario.passes(10)
            client.takes(10)
            client.sees("closed")
        client.reads()
        self.assertTrue(client.takes().endswith(b"ok"))
        client.sees("closed")

    def test_withTLSBothDirectionsEnd(self) -> None:
        """What is beneath a layer of TLS must not be ended on one side alone."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        alsoProvides(client.transport, ISSLTransport)
        client.sends(b"nonsense", b"", b"")
        client.getsError(400, "http_request_error", close=True)
        client.sees("closed")


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
