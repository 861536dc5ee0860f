# -*- test-case-name: tests.net.test_downstream -*-
"""
A client's connection, through whole fronts: what is read when, and for how long.

How it ends is in L{tests.net.test_closing}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import ConnectionRefused
from intermediary.exchange import Reply
from intermediary.net.sweep import NEVER
from intermediary.settings import Timeouts

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

    def test_contentThatNobodyWaitedForEndsIt(self) -> None:
        """An answer that came before the end of its request; what is sent behind is lost."""

        class Component:
            def onRequest(self, exchange: Exchange) -> Reply:
                return Reply(403, body=b"no")

        scenario = Scenario(self).reverse(components=[Component()])
        client = scenario.client()
        client.sends(
            b"POST / HTTP/1.1",
            b"Host: a",
            b"Content-Length: 3",
            b"",
            b"abcGET / HTTP/1.1",
            b"Host: a",
            b"",
            b"",
        )
        client.gets(
            b"HTTP/1.1 403 Forbidden",
            b"Connection: close",
            DATE,
            b"Content-Length: 2",
            b"",
            b"no",
        )
        client.sees("half-closed")
        self.assertEqual(scenario.outcomes(), [(403, "")])


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

    def test_aClientThatWaitsForA100IsNotBlamed(self) -> None:
        """It does what it should: it is the origin that says nothing."""
        timeouts = Timeouts(betweenBytesSeconds=3, responseHeadSeconds=4)
        scenario = Scenario(self).reverse(timeouts=timeouts)
        client = scenario.client()
        client.sends(
            b"PUT / HTTP/1.1", b"Host: a", b"Content-Length: 3", b"Expect: 100-continue", b"", b""
        )
        origin = scenario.accepts()
        origin.gets(b"PUT / HTTP/1.1", ..., b"", b"")
        scenario.passes(8)
        client.getsError(504, "http_response_timeout", close=True)
        origin.sees("aborted")
        client.ends()

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

    def test_whatStillComesForASlowClientIsNotItsFault(self) -> None:
        """There was more in a transport with TLS, which delivers although it is paused."""
        scenario = Scenario(self).reverse(timeouts=Timeouts(betweenBytesSeconds=10))
        client = scenario.client()
        client.sends(*GET)
        client.stalls()
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 600", b"", b"a" * 300)
        self.assertFalse(origin.isRead)
        origin.transport.protocol.dataReceived(b"b" * 300)
        for _ in range(4):
            client.takes(100)
            scenario.passes(10)
            client.sees("")
        scenario.passes(12)
        client.sees("aborted")
        client.takes()

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
        self.assertEqual(str(scenario.records[0].error), "it took nothing for too long")


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

    def test_aClientThatDoesNotReadMaySend(self) -> None:
        """The request moves on while its early response waits, and both come to their end."""
        scenario = Scenario(self).reverse(timeouts=Timeouts(betweenBytesSeconds=10))
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 3", b"", b"a")
        origin = scenario.accepts()
        origin.gets(b"POST / HTTP/1.1", ..., b"", b"a")
        client.stalls()
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 2", b"", b"1")
        for octet in (b"b", b"c"):
            scenario.passes(4)
            client.sends(octet)
            origin.gets(octet)
        client.reads()
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"1")
        scenario.passes(9)
        origin.sends(b"2")
        client.gets(b"2")
        self.assertEqual(scenario.outcomes(), [(200, "")])

    def test_sendingIsNoReading(self) -> None:
        """A client that takes nothing is cut off, whatever it sends meanwhile."""
        scenario = Scenario(self).reverse(timeouts=Timeouts(betweenBytesSeconds=10))
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 9", b"", b"a")
        origin = scenario.accepts()
        origin.gets(b"POST / HTTP/1.1", ..., b"", b"a")
        client.stalls()
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 2", b"", b"1")
        for _ in range(3):
            scenario.passes(3)
            client.sends(b"b")
            origin.gets(b"b")
        scenario.passes(4)
        client.sees("aborted")
        origin.sees("aborted")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"1")
        self.assertEqual(scenario.outcomes(), [(200, "client_gone")])
