# -*- test-case-name: tests.test_engine -*-
"""
Exchanges through whole fronts, as transcripts: what everybody hears and when.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import (
    ConnectionRefused,
    ConnectTimeout,
    DestinationProhibited,
    DestinationUnavailable,
    DNSError,
    RequestDenied,
)
from intermediary.exchange import Exchange, Reply
from intermediary.program import PARKED
from intermediary.settings import Limits, PoolSettings, Timeouts
from intermediary.wire.fields import Fields

from .scenario import DATE, VIA, Scenario, Side

GET = (b"GET / HTTP/1.1", b"Host: example.org", b"", b"")

#: The head of any error reply of ours.
ERROR: tuple[Any, ...] = (b"Content-Type: text/html; charset=utf-8", b"Cache-Control: no-store")


def getsStatus(side: Side, status: int, token: str, *, close: bool = False) -> None:
    """Hear one error reply, and nothing of what is behind it."""
    heard = side.takes()
    head = heard.partition(b"\r\n\r\n")[0].split(b"\r\n")
    side.case.assertTrue(head[0].startswith(b"HTTP/1.1 %d " % status), heard)
    side.case.assertIn(b"Proxy-Status: test; error=%b" % token.encode(), head)
    side.case.assertEqual(close, b"Connection: close" in head, heard)
    side.case.assertNotIn(b"127.0.0.1", heard)
    side.case.assertEqual(heard.count(b"HTTP/1.1 "), 1)


class ReverseTests(SynchronousTestCase):
    """Through a reverse front with one server."""

    def test_aRequestGoesThroughAndTheConnectionStays(self) -> None:
        """Head and content come through, and both connections serve again."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(
            b"GET /a?b HTTP/1.1", b"Host: example.org", b"Connection: x", b"X: 1", b"", b""
        )
        origin = scenario.accepts()
        origin.gets(
            b"GET /a?b HTTP/1.1",
            b"Host: example.org",
            VIA,
            b"Forwarded: for=192.0.2.7;host=example.org;proto=http",
            b"X-Forwarded-For: 192.0.2.7",
            b"X-Forwarded-Proto: http",
            b"X-Forwarded-Host: example.org",
            b"",
            b"",
        )
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 5", b"", b"hello")
        client.gets(b"HTTP/1.1 200 OK", VIA, DATE, b"Content-Length: 5", b"", b"hello")
        client.sends(b"GET /b HTTP/1.1", b"Host: example.org", b"", b"")
        origin.gets(b"GET /b HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 204 No Content", b"", b"")
        client.gets(b"HTTP/1.1 204 No Content", VIA, DATE, b"", b"")
        self.assertEqual(scenario.outcomes(), [(200, ""), (204, "")])
        self.assertEqual(
            repr(scenario.pool),
            "<Pool size=1 <http://127.0.0.1:9000 idle=1 leased=0 connecting=0 waiting=0>>",
        )

    def test_contentOfKnownLengthIsStreamed(self) -> None:
        """Content is passed on as it arrives, framed by the same length."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 6", b"", b"abc")
        origin = scenario.accepts()
        origin.gets(b"POST / HTTP/1.1", b"Host: a", VIA, ..., b"Content-Length: 6", b"", b"abc")
        client.sends(b"def")
        origin.gets(b"def")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 4", b"", b"12")
        client.gets(b"HTTP/1.1 200 OK", VIA, DATE, b"Content-Length: 4", b"", b"12")
        origin.sends(b"34")
        client.gets(b"34")
        self.assertEqual([(e.octetsIn, e.octetsOut) for e in scenario.records], [(6, 4)])

    def test_chunksAndTrailersGoThroughBothWays(self) -> None:
        """RFC 9112 §7.1: content is de-framed and re-framed, trailers follow it."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(
            b"POST / HTTP/1.1",
            b"Host: a",
            b"Transfer-Encoding: chunked",
            b"",
            b"3;x=y",
            b"abc",
            b"",
        )
        origin = scenario.accepts()
        origin.gets(b"POST / HTTP/1.1", ..., b"Transfer-Encoding: chunked", b"", b"3", b"abc", b"")
        client.sends(b"0", b"X-Sum: 7", b"", b"")
        origin.gets(b"0", b"X-Sum: 7", b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", b"", b"2", b"ok", b"")
        client.gets(
            b"HTTP/1.1 200 OK", VIA, DATE, b"Transfer-Encoding: chunked", b"", b"2", b"ok", b""
        )
        origin.sends(b"0", b"X-Sum: 8", b"", b"")
        client.gets(b"0", b"X-Sum: 8", b"", b"")
        client.sends(*GET)
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 304 Not Modified", b"", b"")
        client.gets(b"HTTP/1.1 304 Not Modified", VIA, DATE, b"", b"")

    def test_anOldClientGetsContentUntilTheClose(self) -> None:
        """RFC 9112 §6.3: HTTP/1.0 knows no chunks, so the close ends the content."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"GET / HTTP/1.0", b"Host: a", b"Connection: keep-alive", b"", b"")
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", b"Host: a", b"Via: 1.0 test", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", b"", b"2", b"ok", b"")
        client.gets(b"HTTP/1.1 200 OK", b"Connection: close", VIA, DATE, b"", b"ok")
        origin.sends(b"0", b"", b"")
        client.sees("closed")

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

    def test_contentUntilTheCloseIsChunkedForTheClient(self) -> None:
        """What ends with the origin's connection keeps the client's."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.0 200 OK", b"", b"abc")
        client.gets(
            b"HTTP/1.1 200 OK",
            b"Via: 1.0 test",
            DATE,
            b"Transfer-Encoding: chunked",
            b"",
            b"3",
            b"abc",
            b"",
        )
        origin.ends()
        client.gets(b"0", b"", b"")
        client.sees("")
        self.assertEqual(scenario.outcomes(), [(200, "")])

    def test_headGetsTheLengthButNoContent(self) -> None:
        """RFC 9110 §9.3.2: the length is that of a GET, and nothing follows."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"HEAD / HTTP/1.1", b"Host: a", b"", b"")
        origin = scenario.accepts()
        origin.gets(b"HEAD / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 5", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", VIA, DATE, b"Content-Length: 5", b"", b"")
        client.sends(b"HEAD /2 HTTP/1.1", b"Host: a", b"", b"")
        origin.gets(b"HEAD /2 HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", VIA, DATE, b"", b"")
        client.sends(*GET)
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 304 Not Modified", b"Content-Length: 5", b"", b"")
        client.gets(b"HTTP/1.1 304 Not Modified", VIA, DATE, b"Content-Length: 5", b"", b"")

    def test_interimResponsesArePassedOn(self) -> None:
        """RFC 9110 §15.2, RFC 8297: 1xx go to the client before the final head."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 103 Early Hints", b"Link: </a>; rel=preload", b"", b"")
        client.gets(b"HTTP/1.1 103 Early Hints", b"Link: </a>; rel=preload", VIA, b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")

    def test_anOldClientGetsNoInterimResponses(self) -> None:
        """RFC 9110 §15.2: HTTP/1.0 has none."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"GET / HTTP/1.0", b"Host: a", b"", b"")
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(
            b"HTTP/1.1 103 Early Hints", b"", b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b""
        )
        client.gets(b"HTTP/1.1 200 OK", b"Connection: close", ..., b"", b"")

    def test_expectationsGoEndToEnd(self) -> None:
        """RFC 9110 §10.1.1: the origin decides whether the client may go on."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(
            b"PUT / HTTP/1.1", b"Host: a", b"Content-Length: 3", b"Expect: 100-continue", b"", b""
        )
        origin = scenario.accepts()
        origin.gets(
            b"PUT / HTTP/1.1",
            b"Host: a",
            b"Expect: 100-continue",
            VIA,
            ...,
            b"Content-Length: 3",
            b"",
            b"",
        )
        client.getsNothing()
        origin.sends(b"HTTP/1.1 100 Continue", b"", b"")
        client.gets(b"HTTP/1.1 100 Continue", VIA, b"", b"")
        client.sends(b"abc")
        origin.gets(b"abc")
        origin.sends(b"HTTP/1.1 201 Created", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 201 Created", VIA, DATE, b"Content-Length: 0", b"", b"")

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
            getsStatus(client, 400, "http_request_error", close=True)
            client.sees("half-closed")
            if octets:
                client.sends(octets)
            else:
                scenario.passes(7)
            client.sees("aborted")

    def test_contentAndResponseMayFlowAtTheSameTime(self) -> None:
        """A response that begins early does not stop the request."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 6", b"", b"abc")
        origin = scenario.accepts()
        origin.gets(b"POST / HTTP/1.1", ..., b"", b"abc")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 4", b"", b"12")
        client.gets(b"HTTP/1.1 200 OK", b"Connection: close", ..., b"", b"12")
        client.sends(b"def")
        origin.gets(b"def")
        origin.sends(b"34")
        client.gets(b"34")
        client.sees("closed")

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


class FailureTests(SynchronousTestCase):
    """What clients hear when something goes wrong upstream."""

    def test_aRefusedConnectionIsA502(self) -> None:
        """RFC 9209 §2.3.6; the connection to the client goes on."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        scenario.refuses(ConnectionRefused("http://127.0.0.1:9000"))
        getsStatus(client, 502, "connection_refused")
        self.assertEqual(scenario.outcomes(), [(502, "connection_refused")])

    def test_theStatusFollowsTheFailure(self) -> None:
        """Time-outs are 504, prohibited destinations 403, lost names 502."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        for error, status in (
            (ConnectTimeout("at 127.0.0.1"), 504),
            (DNSError("at 127.0.0.1"), 502),
            (DestinationProhibited("at 127.0.0.1"), 403),
        ):
            client.sends(*GET)
            scenario.refuses(error)
            getsStatus(client, status, error.token)

    def test_clientsThatAcceptJSONGetIt(self) -> None:
        """A small document instead of a page."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"GET / HTTP/1.1", b"Host: a", b"Accept: application/json", b"", b"")
        scenario.refuses(ConnectionRefused())
        client.gets(
            b"HTTP/1.1 502 Bad Gateway",
            b"Content-Type: application/json",
            ...,
            b"",
            b'{"status": 502, "error": "connection_refused", "message": "The destination refused'
            b' the connection."}\n',
        )

    def test_anotherServerIsTriedOnce(self) -> None:
        """When nothing was sent, the next server gets the request, and no third."""
        scenario = Scenario(self).reverse(("http://10.0.0.1", "http://10.0.0.2", "http://10.0.0.3"))
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 3", b"", b"abc")
        scenario.refuses(ConnectionRefused(), "http://10.0.0.1:80")
        origin = scenario.accepts("http://10.0.0.2:80")
        origin.gets(b"POST / HTTP/1.1", ..., b"", b"abc")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")
        client.sends(*GET)
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")
        client.sends(*GET)
        scenario.refuses(ConnectionRefused(), "http://10.0.0.3:80")
        scenario.refuses(ConnectionRefused(), "http://10.0.0.1:80")
        getsStatus(client, 502, "connection_refused")
        self.assertEqual([e.attempts for e in scenario.records], [2, 1, 2])

    def test_aDeadReusedConnectionIsTriedAfresh(self) -> None:
        """RFC 9112 §9.3.1: an idempotent request without content, on a new connection."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        first = scenario.accepts()
        first.gets(b"GET / HTTP/1.1", ..., b"", b"")
        first.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")
        client.sends(*GET)
        first.gets(b"GET / HTTP/1.1", ..., b"", b"")
        first.ends()
        second = scenario.accepts()
        second.gets(b"GET / HTTP/1.1", ..., b"", b"")
        second.ends()
        getsStatus(client, 502, "connection_terminated")
        self.assertEqual(scenario.outcomes(), [(200, ""), (502, "connection_terminated")])

    def test_contentThatComesDuringTheSecondAttemptIsNotLost(self) -> None:
        """It belongs to the request, whichever connection that goes by."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        first = scenario.accepts()
        first.gets(b"GET / HTTP/1.1", ..., b"", b"")
        first.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")
        client.sends(b"PUT / HTTP/1.1", b"Host: a", b"Content-Length: 6", b"", b"")
        first.gets(b"PUT / HTTP/1.1", ..., b"", b"")
        first.resets()
        client.sends(b"abc")
        self.assertFalse(client.isRead)
        second = scenario.accepts()
        second.gets(b"PUT / HTTP/1.1", ..., b"", b"abc")
        client.sends(b"def")
        second.gets(b"def")
        second.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")

    def test_anOriginThatSpeaksFirstIsNotTrusted(self) -> None:
        """What comes before the request can't answer it."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
        origin.sees("aborted")

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

    def test_anErrorThatCannotBeWordedEndsTheConnection(self) -> None:
        """The last steps run all the same."""
        scenario = Scenario(self).reverse()
        scenario.front.front.answer = lambda exchange, error: 1 / 0
        client = scenario.client()
        client.sends(*GET)
        scenario.refuses(ConnectionRefused())
        client.sees("aborted")
        self.assertEqual(scenario.outcomes(), [(0, "connection_refused")])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_whatMayHaveHadAnEffectIsNotRepeated(self) -> None:
        """RFC 9110 §9.2.2: a POST on a dead reused connection fails."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 0", b"", b"")
        origin.gets(b"POST / HTTP/1.1", ..., b"", b"")
        origin.resets()
        getsStatus(client, 502, "connection_terminated")

    def test_aFreshConnectionThatDiesIsNotTriedAgain(self) -> None:
        """Only a connection that had served before may have died of old age."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.ends()
        getsStatus(client, 502, "connection_terminated")

    def test_aRecoveredExchangeHasNoOutcome(self) -> None:
        """The record of an exchange that a second attempt saved shows no error."""
        scenario = Scenario(self).reverse(("http://10.0.0.1", "http://10.0.0.2"))
        client = scenario.client()
        client.sends(*GET)
        scenario.refuses(ConnectionRefused(), "http://10.0.0.1:80")
        origin = scenario.accepts("http://10.0.0.2:80")
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")
        self.assertEqual(scenario.outcomes(), [(200, "")])

    def test_garbageFromTheOriginIsA502(self) -> None:
        """The connection is dropped, and the client told without details."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"SSH-2.0-OpenSSH_9.2", b"")
        origin.sees("aborted")
        getsStatus(client, 502, "http_protocol_error")

    def test_aResponseThatStopsShortIsCutOff(self) -> None:
        """RFC 9112 §8: the client can tell, as the length is not reached."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 10", b"", b"12345")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"12345")
        origin.ends()
        client.sees("closed")
        self.assertEqual(scenario.outcomes(), [(200, "http_response_incomplete")])

    def test_aResetInContentUntilTheCloseIsNoEnd(self) -> None:
        """A client of HTTP/1.0 must not take what came before a reset for all."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"GET / HTTP/1.0", b"Host: a", b"", b"")
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.0 200 OK", b"", b"12345")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"12345")
        origin.resets()
        client.sees("aborted")
        self.assertEqual(scenario.outcomes(), [(200, "http_response_incomplete")])

    def test_brokenChunksCutTheResponseOff(self) -> None:
        """The client never sees the last chunk of a response that had none."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", b"", b"2", b"ok", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"2", b"ok", b"")
        origin.sends(b"xyz", b"")
        origin.sees("aborted")
        client.sees("closed")
        self.assertEqual(scenario.records[0].status, 200)
        self.assertNotEqual(scenario.records[0].outcome, "")

    def test_octetsAfterAResponseEndTheConnection(self) -> None:
        """What nobody asked for must not answer the next request."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 2", b"", b"okHTTP/1.1 200 OK", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"ok")
        origin.sees("closed")
        client.sends(*GET)
        second = scenario.accepts()
        second.gets(b"GET / HTTP/1.1", ..., b"", b"")
        second.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")
        second.sends(b"x")
        second.sees("aborted")


class TimeTests(SynchronousTestCase):
    """Everything that waits, waits for so long and no longer."""

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
        getsStatus(client, 408, "http_request_error", close=True)
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
        getsStatus(client, 408, "http_request_error", close=True)
        client.closes()

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
        getsStatus(client, 408, "http_request_error", close=True)

    def test_anOriginThatDoesNotAnswerIsA504(self) -> None:
        """RFC 9209 §2.3.19, counted from the end of the request."""
        scenario = Scenario(self).reverse(
            timeouts=Timeouts(responseHeadSeconds=10, betweenBytesSeconds=100)
        )
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 2", b"", b"a")
        origin = scenario.accepts()
        origin.gets(b"POST / HTTP/1.1", ..., b"", b"a")
        scenario.passes(30)
        client.sends(b"b")
        origin.gets(b"b")
        scenario.passes(9)
        client.getsNothing()
        scenario.passes(3)
        getsStatus(client, 504, "http_response_timeout")
        origin.sees("aborted")

    def test_anOriginThatFallsSilentIsCutOff(self) -> None:
        """RFC 9209 §2.3.8: in the middle of the content."""
        scenario = Scenario(self).reverse(timeouts=Timeouts(betweenBytesSeconds=10))
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 10", b"", b"1")
        client.gets(b"HTTP/1.1 200 OK", ..., b"1")
        scenario.passes(9)
        origin.sends(b"2")
        client.gets(b"2")
        scenario.passes(12)
        origin.sees("aborted")
        client.sees("closed")
        self.assertEqual(scenario.outcomes(), [(200, "connection_read_timeout")])

    def test_anOriginThatDoesNotReadIsA504(self) -> None:
        """RFC 9209 §2.3.9: while the request's content waits."""
        scenario = Scenario(self).reverse(timeouts=Timeouts(betweenBytesSeconds=10))
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 6", b"", b"ab")
        origin = scenario.accepts()
        origin.gets(b"POST / HTTP/1.1", ..., b"", b"ab")
        origin.stalls()
        client.sends(b"cd")
        self.assertFalse(client.isRead)
        origin.gets(b"cd")
        scenario.passes(12)
        getsStatus(client, 504, "connection_write_timeout", close=True)

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

    def test_anExchangeWaitsForAConnectionOnlySoLong(self) -> None:
        """RFC 9209 §2.3.12: at the cap of an origin."""
        scenario = Scenario(self, PoolSettings(perOrigin=1, waitSeconds=5)).reverse()
        first, second = scenario.client(), scenario.client()
        first.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        second.sends(*GET)
        scenario.connectsNowhere()
        scenario.passes(7)
        getsStatus(second, 503, "connection_limit_reached")
        second.sends(*GET)
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 1", b"", b"1")
        first.gets(b"HTTP/1.1 200 OK", ..., b"", b"1")
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 1", b"", b"2")
        second.gets(b"HTTP/1.1 200 OK", ..., b"", b"2")


class BackpressureTests(SynchronousTestCase):
    """Whoever is slow slows down who feeds it, and nobody else."""

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

    def test_aSlowOriginPausesTheClient(self) -> None:
        """Nothing more is read from the client until the origin has read."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 9", b"", b"123")
        self.assertFalse(client.isRead)
        origin = scenario.accepts()
        origin.gets(b"POST / HTTP/1.1", ..., b"", b"123")
        self.assertTrue(client.isRead)
        origin.stalls()
        client.sends(b"456")
        origin.gets(b"456")
        self.assertFalse(client.isRead)
        origin.reads()
        self.assertTrue(client.isRead)
        client.sends(b"789")
        origin.gets(b"789")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")

    def test_aStalledOriginThatFailsLetsTheClientBeRead(self) -> None:
        """No reason outlives the exchange it belonged to."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 9", b"", b"123")
        origin = scenario.accepts()
        origin.gets(b"POST / HTTP/1.1", ..., b"", b"123")
        origin.stalls()
        client.sends(b"456")
        origin.gets(b"456")
        origin.resets()
        getsStatus(client, 502, "connection_terminated", close=True)
        self.assertTrue(client.isRead)


class ForwardTests(SynchronousTestCase):
    """Through a forward front."""

    def test_absoluteFormGoesToItsOrigin(self) -> None:
        """RFC 9112 §3.2.2: the target's authority replaces C{Host}."""
        scenario = Scenario(self).forward()
        client = scenario.client()
        client.sends(
            b"GET http://Example.org:8080/x?y HTTP/1.1",
            b"Host: liar",
            b"Proxy-Connection: a",
            b"Proxy-Authorization: Basic x",
            b"Accept: */*",
            b"",
            b"",
        )
        origin = scenario.accepts("http://example.org:8080")
        origin.gets(b"GET /x?y HTTP/1.1", b"Host: Example.org:8080", b"Accept: */*", VIA, b"", b"")
        origin.sends(
            b"HTTP/1.1 200 OK",
            b"Content-Length: 2",
            b"Proxy-Authenticate: Basic",
            b"Connection: X-Hop",
            b"X-Hop: 1",
            b"Keep-Alive: timeout=5",
            b"",
            b"ok",
        )
        client.gets(b"HTTP/1.1 200 OK", VIA, DATE, b"Content-Length: 2", b"", b"ok")

    def test_eachOriginHasItsOwnConnection(self) -> None:
        """One client, two hosts."""
        scenario = Scenario(self).forward()
        client = scenario.client()
        for host in (b"a.example", b"b.example"):
            client.sends(b"GET http://" + host + b"/ HTTP/1.1", b"Host: " + host, b"", b"")
            origin = scenario.accepts(f"http://{host.decode()}:80")
            origin.gets(b"GET / HTTP/1.1", b"Host: " + host, VIA, b"", b"")
            origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 2", b"", b"ok")
            client.gets(b"HTTP/1.1 200 OK", ..., b"", b"ok")

    def test_theProxyItselfHasAStatusPage(self) -> None:
        """And nothing else: origin-form is for servers."""
        scenario = Scenario(self).forward()
        client = scenario.client()
        client.sends(*GET)
        heard = client.takes()
        self.assertTrue(heard.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertIn(b"forward proxy", heard)
        for line in (b"GET /x", b"POST /", b"OPTIONS *"):
            client.sends(line + b" HTTP/1.1", b"Host: a", b"", b"")
            getsStatus(client, 400, "http_request_error")

    def test_otherSchemesAreRefused(self) -> None:
        """C{https} goes by CONNECT, and C{ftp} not at all."""
        scenario = Scenario(self).forward()
        client = scenario.client()
        for url in (b"https://a/", b"ftp://a/"):
            client.sends(b"GET " + url + b" HTTP/1.1", b"Host: a", b"", b"")
            getsStatus(client, 400, "http_request_error")

    def test_aLoopIsDetected(self) -> None:
        """RFC 9110 §7.6.3, RFC 5842 §7.2: our own pseudonym in C{Via}."""
        scenario = Scenario(self).forward()
        client = scenario.client()
        client.sends(b"GET http://a/ HTTP/1.1", b"Host: a", b"Via: 1.1 x, 1.1 test", b"", b"")
        getsStatus(client, 508, "proxy_loop_detected")

    def test_theLastHopOfATraceIsHere(self) -> None:
        """RFC 9110 §7.6.2, §9.3.8: without what is secret."""
        scenario = Scenario(self).forward()
        client = scenario.client()
        client.sends(
            b"TRACE http://a/ HTTP/1.1", b"Host: a", b"Cookie: c", b"Max-Forwards: 0", b"", b""
        )
        client.gets(
            b"HTTP/1.1 200 OK",
            b"Content-Type: message/http",
            DATE,
            b"Content-Length: 54",
            b"",
            b"TRACE http://a/ HTTP/1.1",
            b"Host: a",
            b"Max-Forwards: 0",
            b"",
            b"",
        )
        client.sends(b"OPTIONS http://a HTTP/1.1", b"Host: a", b"Max-Forwards: 1", b"", b"")
        origin = scenario.accepts("http://a:80")
        origin.gets(b"OPTIONS * HTTP/1.1", b"Host: a", b"Max-Forwards: 0", VIA, b"", b"")
        origin.sends(b"HTTP/1.1 204 No Content", b"", b"")
        client.gets(b"HTTP/1.1 204 No Content", ..., b"", b"")

    def test_aConnectionThatDiedWhileIdleIsReplaced(self) -> None:
        """The pool forgets it at once."""
        scenario = Scenario(self).forward()
        client = scenario.client()
        client.sends(b"GET http://a/ HTTP/1.1", b"Host: a", b"", b"")
        origin = scenario.accepts("http://a:80")
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")
        origin.ends()
        self.assertEqual(repr(scenario.pool), "<Pool size=0>")


class RefusalTests(SynchronousTestCase):
    """Octets that are no request."""

    def refused(self, octets: bytes, status: int, limits: Limits | None = None) -> None:
        """Send octets and hear their refusal; the connection ends."""
        scenario = Scenario(self).reverse(limits=limits or Limits())
        client = scenario.client()
        client.sends(octets)
        getsStatus(client, status, "http_request_error", close=True)
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
        getsStatus(client, 413, "http_request_error", close=True)
        origin.sees("aborted")
        self.assertEqual(scenario.outcomes(), [(413, "http_request_error")])


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
        getsStatus(client, 500, "proxy_internal_error")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_aHookMayRefuse(self) -> None:
        """An error of ours is worded as any other."""

        class Component:
            def onRequest(self, exchange: Exchange) -> None:
                raise RequestDenied("why")

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        getsStatus(client, 403, "http_request_denied")

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
        getsStatus(client, 500, "proxy_internal_error")
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
        getsStatus(client, 500, "proxy_internal_error")
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
        getsStatus(client, 500, "proxy_internal_error", close=True)
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
        getsStatus(client, 504, "http_response_timeout")


class ConnectionTests(SynchronousTestCase):
    """What becomes of the client's connection."""

    def test_aPostThatIsAnsweredHereLeavesItReadable(self) -> None:
        """No reason to pause outlives the exchange."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 3", b"", b"abc")
        self.assertFalse(client.isRead)
        scenario.refuses(ConnectionRefused())
        getsStatus(client, 502, "connection_refused")
        self.assertTrue(client.isRead)
        client.sends(*GET)
        scenario.refuses(ConnectionRefused())
        getsStatus(client, 502, "connection_refused")

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

    def test_anUploadKeepsAnEarlyResponseAlive(self) -> None:
        """Both messages move as long as one does."""
        scenario = Scenario(self).reverse(timeouts=Timeouts(betweenBytesSeconds=5))
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 5", b"", b"1")
        origin = scenario.accepts()
        origin.gets(b"POST / HTTP/1.1", ..., b"", b"1")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 2", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")
        for octet in (b"2", b"3", b"4", b"5"):
            scenario.passes(4)
            client.sends(octet)
            origin.gets(octet)
        origin.sends(b"ok")
        client.gets(b"ok")

    def test_emptyChunkedContentIsSentAgain(self) -> None:
        """Nothing of it was consumed, so another connection may have it."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        first = scenario.accepts()
        first.gets(b"GET / HTTP/1.1", ..., b"", b"")
        first.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")
        client.sends(
            b"PUT / HTTP/1.1",
            b"Host: a",
            b"Transfer-Encoding: chunked",
            b"",
            b"0",
            b"T: 1",
            b"",
            b"",
        )
        first.gets(b"PUT / HTTP/1.1", ..., b"0", b"T: 1", b"", b"")
        first.resets()
        second = scenario.accepts()
        second.gets(b"PUT / HTTP/1.1", ..., b"0", b"T: 1", b"", b"")
        second.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")

    def test_aProxyDoesNotKeepOldClients(self) -> None:
        """RFC 9112 §9.3: an older proxy before us may not know what it passes on."""
        scenario = Scenario(self).forward()
        client = scenario.client()
        client.sends(b"GET / HTTP/1.0", b"Connection: keep-alive", b"", b"")
        self.assertIn(b"Connection: close\r\n", client.takes())
        client.sees("closed")

    def test_nominatedTrailersGo(self) -> None:
        """RFC 9110 §7.6.1: they are fields of the connection as well."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(
            b"POST / HTTP/1.1",
            b"Host: a",
            b"Connection: X-A",
            b"Transfer-Encoding: chunked",
            b"",
            b"0",
            b"X-A: 1",
            b"X-B: 2",
            b"",
            b"",
        )
        origin = scenario.accepts()
        origin.gets(b"POST / HTTP/1.1", ..., b"0", b"X-B: 2", b"", b"")
        origin.sends(
            b"HTTP/1.1 200 OK",
            b"Connection: X-C",
            b"Transfer-Encoding: chunked",
            b"",
            b"0",
            b"X-C: 1",
            b"X-D: 2",
            b"",
            b"",
        )
        client.gets(b"HTTP/1.1 200 OK", ..., b"0", b"X-D: 2", b"", b"")


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
