# -*- test-case-name: tests.net.test_acmenetwork -*-
"""
L{intermediary.net.acmenetwork}: how certbot's library reaches a server.
"""

from __future__ import annotations

import datetime as dt

from twisted.trial.unittest import SynchronousTestCase

from intermediary.net.acmenetwork import SILENCE_SECONDS, retryAfter
from intermediary.net.truststore import trustedFiles

from .acmeserver import Problem
from .test_acmeclient import ClientCase


class TrustTests(ClientCase):
    """Who is trusted to be the server."""

    def test_theSystemsOrAFile(self) -> None:
        """It is never everybody."""
        self.client()
        file, folder = trustedFiles()
        self.assertEqual(self.server.verify, file or folder or True)
        self.client("ca.pem")
        self.assertEqual(self.server.verify, "ca.pem")


class RequestTests(ClientCase):
    """What is sent, and what comes back."""

    def test_noncesThatAreUsedUp(self) -> None:
        """RFC 8555 §6.5: it is tried again, and not for ever."""
        client = self.registered()
        self.server.problems["/newOrder"] = [Problem("badNonce")] * 7
        self.orders(client)
        self.server.problems["/newOrder"] = [Problem("badNonce")] * 20
        self.assertEqual(self.refused(self.orders, client).code, "badNonce")

    def test_whatComesBackIsBounded(self) -> None:
        """In size, and in the time that the server may be silent."""
        self.server.answers["*"] = (200, b"x" * ((1 << 20) + 1))
        error = self.refused(self.client)
        self.assertIn("the answer is larger than 1 MiB", error.reason)
        self.assertEqual(self.server.timeout, SILENCE_SECONDS)


class RetryAfterTests(SynchronousTestCase):
    """C{Retry-After} (RFC 9110 §10.2.3)."""

    def test_secondsAndDates(self) -> None:
        """And what is neither."""
        now = dt.datetime(2026, 12, 1, 12, 0, 0, tzinfo=dt.UTC)
        for text, seconds in (
            ("120", 120.0),
            ("0", 0.0),
            ("9" * 5000, 999999999.0),
            ("Tue, 01 Dec 2026 12:01:00 GMT", 60.0),
            ("Tue, 01 Dec 2026 12:01:00 -0000", 60.0),
            ("Tue, 01 Dec 2026 11:00:00 GMT", 0.0),
            ("soon", 0.0),
            ("-5", 0.0),
            ("", 0.0),
        ):
            self.assertEqual(retryAfter(text, now), seconds, text[:40])
