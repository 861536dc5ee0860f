# -*- test-case-name: tests.wire.test_refusedtraffic -*-
"""
What becomes of connections whose octets are refused: C{docs/refusals.md}, end to end.

Each row of the table, fed to a whole front in memory.
"""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from ..scenario import Scenario, Side
from .feeding import each
from .refusals import LIMITS, REFUSALS

_REQUESTS = [row for row in REFUSALS if row.status != 502]
_RESPONSES = [row for row in REFUSALS if row.status == 502]


class RequestTests(SynchronousTestCase):
    """Requests that are refused."""

    def hears(self, client: Side, status: int, token: str, note: object) -> None:
        """The client is told the status and that it is over, once."""
        heard = client.takes()
        self.assertEqual(heard[:13], b"HTTP/1.1 %d " % status, note)
        self.assertEqual(heard.count(b"HTTP/1.1 "), 1, note)
        self.assertIn(b"\r\nConnection: close\r\n", heard, note)
        self.assertRegex(heard, rb"(?i)\r\nProxy-Status: [^\r]*error=" + token.encode(), note)

    def check(self, scenario: Scenario, octets: list[bytes], status: int, note: object) -> None:
        """Send octets, hear the refusal, see the connections end."""
        client = scenario.client()
        origin = None
        for piece in octets:
            client.sends(piece)
            if len(octets) > 1 and scenario.connector.waiting:
                # The head was good, and its content is what is refused.
                origin = scenario.accepts()
        self.hears(client, status, "http_request_error", note)
        scenario.connectsNowhere()
        if origin is not None:
            origin.takes()
            self.assertFalse(origin.transport.connected, note)
        client.closes()
        self.assertFalse(client.transport.connected, note)
        self.assertEqual(scenario.outcomes()[-1], (status, "http_request_error"), note)

    def test_atBothFronts(self) -> None:
        """They are answered, closed, logged, and never forwarded."""
        for row in _REQUESTS:
            for scenario in (
                Scenario(self).forward(limits=LIMITS),
                Scenario(self).reverse(limits=LIMITS),
            ):
                self.check(scenario, [row.octets], row.status, row)

    def test_octetByOctet(self) -> None:
        """The same however slowly the octets come, also while content is on its way."""
        for row in _REQUESTS:
            scenario = Scenario(self).reverse(limits=LIMITS)
            self.check(scenario, each(row.octets), row.status, row)

    def test_afterAGoodRequest(self) -> None:
        """A pipelined refusal waits until the request in front of it is answered."""
        for row in _REQUESTS:
            scenario = Scenario(self).reverse(limits=LIMITS)
            client = scenario.client()
            client.sends(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + row.octets)
            origin = scenario.accepts()
            origin.takes()
            origin.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            first, _, second = client.takes().partition(b"\r\n\r\nok")
            self.assertEqual(first[:15], b"HTTP/1.1 200 OK", row)
            self.assertEqual(second[:13], b"HTTP/1.1 %d " % row.status, row)
            scenario.connectsNowhere()
            client.closes()


class ResponseTests(SynchronousTestCase):
    """Responses that are refused."""

    def test_theClientGetsA502(self) -> None:
        """With the token; it may go on, the origin's connection may not."""
        for row in _RESPONSES:
            scenario = Scenario(self, limits=LIMITS).reverse()
            client = scenario.client()
            client.sends(b"%b / HTTP/1.1\r\nHost: a\r\n\r\n" % row.method)
            origin = scenario.accepts()
            origin.takes()
            origin.sends(row.octets)
            if row.token == "http_response_incomplete":
                origin.closes()
            self.assertFalse(origin.transport.connected, row)
            heard = client.takes()
            began = re.match(rb"HTTP/1.1 (\d+) ", heard)
            assert began is not None, row
            status, outcome = scenario.outcomes()[-1]
            if began[1] == b"502":
                self.assertIn(b"error=" + outcome.encode(), heard, row)
                client.sees("")
            else:
                # The head had gone out; the rest can't be taken for a whole.
                self.assertNotIn(b"\r\n0\r\n", heard, row)
                self.assertFalse(client.transport.connected and not client.transport.ending, row)
            self.assertEqual((began[1], outcome), (b"%d" % status, row.token), row)
