# -*- test-case-name: tests.net.test_upstream -*-
"""
A connection to an origin, through whole fronts: what it is trusted with, and how long.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import IntermediaryError, RequestTimeout, ResponseIncomplete
from intermediary.exchange import Exchange, Reply
from intermediary.policy.filling import restProgram
from intermediary.settings import PoolSettings, Timeouts
from intermediary.wire.fields import EMPTY, Fields

from ..scenario import GET, Scenario, Side


class TrustTests(SynchronousTestCase):
    """What an origin may say when."""

    def test_garbageFromTheOriginIsA502(self) -> None:
        """The connection is dropped, and the client told without details."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"SSH-2.0-OpenSSH_9.2", b"")
        origin.sees("aborted")
        client.getsError(502, "http_protocol_error")

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

    def test_aRequestThatFailsTakesItsConnectionWithIt(self) -> None:
        """The origin must not take half a request for a whole one; nor does it answer."""
        exchanges: list[Exchange] = []

        class Component:
            def onFetch(self, exchange: Exchange) -> None:
                exchanges.append(exchange)

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 3", b"", b"a")
        origin = scenario.accepts()
        origin.gets(b"POST / HTTP/1.1", ..., b"", b"a")
        lease = exchanges[0].lease
        assert lease is not None
        lease.fail(RequestTimeout("a filter gave up"))
        origin.sees("aborted")
        client.getsError(502, "connection_terminated", close=True)

    def test_aLeaseIsGivenBackOnce(self) -> None:
        """Again is harmless: the connection may be another's by then."""
        exchanges: list[Exchange] = []

        class Component:
            def onFetched(self, exchange: Exchange) -> None:
                exchanges.append(exchange)

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 2", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")
        lease = exchanges[0].lease
        assert lease is not None
        origin.sends(b"ok")
        client.gets(b"ok")
        before = repr(scenario.pool)
        lease.release()
        self.assertEqual(repr(scenario.pool), before)
        origin.sees("")

    def test_whatATransportStillDeliversIsHeld(self) -> None:
        """One with TLS in it has octets left when it is paused; they keep their order."""
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
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 6", b"", b"12")
        self.assertFalse(origin.isRead)
        for piece in (b"34", b"56"):
            origin.transport.protocol.dataReceived(piece)
        client.getsNothing()
        gates[0].callback(None)
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"123456")
        self.assertEqual(scenario.outcomes(), [(200, "")])


class IncompleteTests(SynchronousTestCase):
    """Responses that end too early: the client can tell."""

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

    def test_anAlertInsteadOfAResponse(self) -> None:
        """
        With TLS 1.3 a server says after the handshake that it wants a certificate.

        The request was sent, so it is sent again only where a kept connection was dead.
        """
        alert = SSL.Error([("SSL routines", "", "tlsv13 alert certificate required")])
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.transport.lost(alert)
        heard = client.takes()
        self.assertIn(b"HTTP/1.1 502 ", heard)
        self.assertIn(b'error=tls_alert_received; alert-id=116; alert-message="cert', heard)
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")
        client.sends(*GET)
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.transport.lost(alert)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")

    def test_anAlertInAResponse(self) -> None:
        """What came before it is not all."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"GET / HTTP/1.0", b"Host: a", b"", b"")
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Connection: close", b"", b"12345")
        client.takes()
        origin.transport.lost(SSL.Error([("SSL routines", "", "tlsv1 alert internal error")]))
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


class EarlyTests(SynchronousTestCase):
    """Responses that begin before the request has ended."""

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


class TimeTests(SynchronousTestCase):
    """Whoever waits for an origin waits for so long and no longer."""

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
        client.getsError(504, "http_response_timeout")
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
        client.getsError(504, "connection_write_timeout", close=True)

    def test_theTimeForAResponseBeginsWhenTheRequestIsTaken(self) -> None:
        """An origin that was slow to read has all of it to answer."""
        scenario = Scenario(self).reverse(
            timeouts=Timeouts(responseHeadSeconds=10, betweenBytesSeconds=20)
        )
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 2", b"", b"ab")
        origin = scenario.accepts(stalled=True)
        scenario.passes(18)
        client.getsNothing()
        origin.reads()
        origin.gets(b"POST / HTTP/1.1", ..., b"", b"ab")
        scenario.passes(9)
        client.getsNothing()
        scenario.passes(3)
        client.getsError(504, "http_response_timeout")
        origin.sees("aborted")

    def test_theEndOfARequestThatWaitsChangesNothing(self) -> None:
        """It came from a transport with TLS, which delivers although it is paused."""
        for reads in (False, True):
            scenario = Scenario(self).reverse(
                timeouts=Timeouts(betweenBytesSeconds=10, responseHeadSeconds=20)
            )
            client = scenario.client()
            client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 2", b"", b"a")
            origin = scenario.accepts(stalled=True)
            self.assertFalse(client.isRead)
            scenario.passes(3)
            client.transport.protocol.dataReceived(b"b")
            scenario.passes(5)
            if reads:
                origin.reads()
                scenario.passes(18)
                client.getsNothing()
            scenario.passes(4)
            client.getsError(504, "http_response_timeout" if reads else "connection_write_timeout")
            origin.gets(b"POST / HTTP/1.1", ..., b"", b"ab")

    def test_anOriginThatDoesNotLetItselfBeClosedIsCutOff(self) -> None:
        """An orderly end has its time, too."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts(stalled=True)
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"Connection: close", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")
        origin.sees("closed")
        scenario.passes(4)
        origin.sees("closed")
        scenario.passes(3)
        origin.sees("aborted")

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
        second.getsError(503, "connection_limit_reached")
        second.sends(*GET)
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 1", b"", b"1")
        first.gets(b"HTTP/1.1 200 OK", ..., b"", b"1")
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 1", b"", b"2")
        second.gets(b"HTTP/1.1 200 OK", ..., b"", b"2")

    def test_anOriginIsNotBlamedForASlowClient(self) -> None:
        """While nothing is read from it, it can't say more: the client has its own time."""
        gates: list[Deferred[None]] = []

        class Component:
            def onDeliver(self, exchange: Exchange) -> Deferred[None]:
                gates.append(Deferred())
                return gates[-1]

        scenario = Scenario(self).reverse(
            components=[Component()], timeouts=Timeouts(betweenBytesSeconds=10)
        )
        client = scenario.client()
        client.stalls()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 103 Early Hints", b"Link: </" + b"a" * 300 + b">", b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 6", b"", b"123")
        gates[0].callback(None)
        client.takes(300)
        self.readsSlowly(scenario, client, origin)
        origin.sends(b"456")
        client.reads()
        client.gets(..., b"123456")

    def test_anOriginIsNotBlamedForASlowClientThatSends(self) -> None:
        """That the request moves on says nothing about the response."""
        scenario = Scenario(self).reverse(timeouts=Timeouts(betweenBytesSeconds=10))
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 3", b"", b"a")
        origin = scenario.accepts()
        origin.gets(b"POST / HTTP/1.1", ..., b"", b"a")
        client.stalls()
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 6", b"", b"123")
        for octet in (b"b", b"c"):
            client.sends(octet)
            origin.gets(octet)
            self.readsSlowly(scenario, client, origin)
        origin.sends(b"456")
        client.reads()
        client.gets(..., b"123456")

    def readsSlowly(self, scenario: Scenario, client: Side, origin: Side) -> None:
        """Let a client take long, but not so long that it is cut off."""
        self.assertFalse(origin.isRead)
        for _ in range(3):
            scenario.passes(5)
            client.takes(1)
        origin.sees("")
        client.sees("")


class BackpressureTests(SynchronousTestCase):
    """A slow origin slows down its client, and nobody else."""

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

    def test_aSlowOriginMayAnswerMeanwhile(self) -> None:
        """Its response flows while the request waits, which then goes on."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 3", b"", b"a")
        origin = scenario.accepts()
        origin.gets(b"POST / HTTP/1.1", ..., b"", b"a")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 3", b"", b"1")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"1")
        origin.stalls()
        client.sends(b"b")
        origin.gets(b"b")
        self.assertFalse(client.isRead)
        origin.sends(b"2")
        client.gets(b"2")
        origin.reads()
        self.assertTrue(client.isRead)
        client.sends(b"c")
        origin.gets(b"c")
        origin.sends(b"3")
        client.gets(b"3")
        self.assertEqual(scenario.outcomes(), [(200, "")])

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
        client.getsError(502, "connection_terminated", close=True)
        self.assertTrue(client.isRead)


class Taker:
    """Who gets the rest of a response, in the place of a client."""

    connected = True
    draining = False
    keepAlive = False

    def __init__(self) -> None:
        self.taken = b""
        self.flushes = 0
        self.trailers: Fields | None = None
        self.error: IntermediaryError | None = None
        self.exchange: Any = None

    def takesOver(self, exchange: Exchange) -> None:
        """From here on the content is its own."""
        engine = exchange.front.engine
        downstream: Any = self
        rest = self.exchange = Exchange(exchange.front, downstream, exchange.request, "", 0.0)
        rest.response = exchange.response
        rest.headSent = rest.requestEnded = True
        lease, exchange.lease = exchange.lease, None
        assert lease is not None
        rest.lease = lease
        lease.transfer(rest)
        program = restProgram(engine)
        engine.run(rest, program, program.deliver)

    def write(self, piece: bytes) -> None:
        """Take a piece."""
        self.taken += piece

    def flush(self) -> None:
        """Note that no more comes for now."""
        self.flushes += 1

    def end(self, trailers: Fields) -> None:
        """It was all."""
        self.trailers = trailers
        self.exchange.front.engine.proceed(self.exchange)

    def fail(self, error: IntermediaryError) -> None:
        """It is cut off."""
        self.error = error

    def spliceInto(self) -> None:
        """It wants to see it."""

    def holdRequest(self) -> None:
        """There is none."""

    def exchangeEnded(self, exchange: Exchange) -> None:
        """Nothing follows."""


class TransferTests(SynchronousTestCase):
    """Another exchange gets the rest of a response."""

    def setUp(self) -> None:
        self.taker = taker = Taker()

        class Component:
            def onFetched(self, exchange: Exchange) -> Reply | None:
                if taker.exchange is not None:
                    return None
                taker.takesOver(exchange)
                return Reply(200, EMPTY, b"mine")

        self.scenario = Scenario(self).reverse(components=[Component()])
        self.client = self.scenario.client()
        self.client.sends(*GET)
        self.origin = self.scenario.accepts()
        self.origin.gets(b"GET / HTTP/1.1", ..., b"", b"")

    def isAnswered(self) -> None:
        """The client got what its own exchange says."""
        self.client.gets(b"HTTP/1.1 200 OK", ..., b"", b"mine")

    def servesOn(self) -> None:
        """Both connections are as good as new."""
        self.client.sends(*GET)
        self.origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        self.origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 2", b"", b"ok")
        self.client.gets(b"HTTP/1.1 200 OK", ..., b"", b"ok")

    def test_whatCameWithTheHead(self) -> None:
        """All of it, the end included."""
        self.origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 5", b"", b"hello")
        self.isAnswered()
        self.assertEqual((self.taker.taken, self.taker.trailers), (b"hello", EMPTY))
        self.assertTrue(self.taker.exchange.over)
        self.servesOn()

    def test_whatComesLater(self) -> None:
        """Flushed as it comes, and with its trailers; the first exchange is over by then."""
        self.origin.sends(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", b"", b"2", b"he", b"")
        self.isAnswered()
        self.assertEqual((self.taker.taken, self.taker.flushes), (b"he", 1))
        self.origin.sends(b"3", b"llo", b"")
        self.assertEqual((self.taker.taken, self.taker.flushes), (b"hello", 2))
        self.origin.sends(b"0", b"X: y", b"", b"")
        assert self.taker.trailers is not None
        self.assertEqual(self.taker.trailers.get(b"x"), b"y")
        self.servesOn()

    def test_theClientMayGo(self) -> None:
        """It has nothing to do with it any more."""
        self.origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 5", b"", b"he")
        self.isAnswered()
        self.client.resets()
        self.origin.sends(b"llo")
        self.assertEqual((self.taker.taken, self.taker.trailers), (b"hello", EMPTY))

    def test_anAnswerWithoutContent(self) -> None:
        """Ends at once, and the connection is kept."""
        self.origin.sends(b"HTTP/1.1 304 Not Modified", b"", b"")
        self.isAnswered()
        self.assertEqual((self.taker.taken, self.taker.trailers), (b"", EMPTY))
        self.servesOn()

    def test_whoTakesItPausesIt(self) -> None:
        """By its lease."""
        self.origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 5", b"", b"he")
        self.isAnswered()
        self.taker.exchange.lease.pauseBody("slow")
        self.assertFalse(self.origin.isRead)
        self.taker.exchange.lease.resumeBody("slow")
        self.assertTrue(self.origin.isRead)
        self.origin.sends(b"llo")
        self.assertEqual(self.taker.taken, b"hello")

    def test_itsFailureIsTheOthers(self) -> None:
        """The client was answered, and hears nothing of it."""
        self.origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 5", b"", b"he")
        self.isAnswered()
        self.origin.ends()
        self.assertIsInstance(self.taker.error, ResponseIncomplete)
        self.assertTrue(self.taker.exchange.over)
        self.assertEqual(self.scenario.outcomes(), [(200, "")])
        self.client.getsNothing()

    def test_itsTimeRunsOut(self) -> None:
        """As for any response that stops."""
        self.origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 5", b"", b"he")
        self.isAnswered()
        self.scenario.passes(Timeouts().betweenBytesSeconds + 2)
        self.origin.sees("aborted")
        self.assertIsNotNone(self.taker.error)
        self.assertTrue(self.taker.exchange.over)
