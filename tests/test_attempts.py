# -*- test-case-name: tests.test_attempts -*-
"""
What is tried again, and what must not be (RFC 9110 §9.2.2, RFC 9112 §9.3.1).
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import ConnectionRefused

from .scenario import GET, Scenario


class AttemptTests(SynchronousTestCase):
    """Another attempt, where it can do no harm, and never a third."""

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
        client.getsError(502, "connection_refused")
        self.assertEqual([e.attempts for e in scenario.records], [2, 1, 2])

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
        client.getsError(502, "connection_terminated")
        self.assertEqual(scenario.outcomes(), [(200, ""), (502, "connection_terminated")])

    def test_aFreshConnectionThatDiesIsNotTriedAgain(self) -> None:
        """Only a connection that had served before may have died of old age."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.ends()
        client.getsError(502, "connection_terminated")

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
        client.getsError(502, "connection_terminated")

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
