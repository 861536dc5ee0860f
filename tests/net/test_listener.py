# -*- test-case-name: tests.net.test_listener -*-
"""
L{intermediary.net.listener}: what connections of one front share, and of two don't.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import ConnectionRefused

from ..scenario import Scenario

TUNNEL = b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"


class ListenerTests(SynchronousTestCase):
    """The listener of a front."""

    def test_openConnectionsAreKnown(self) -> None:
        """From the first octet to the last, and no longer."""
        scenario = Scenario(self).forward()
        clients = [scenario.client() for _ in range(3)]
        self.assertEqual(scenario.front.connections, 3)
        for client in clients:
            client.closes()
        self.assertEqual(scenario.front.connections, 0)

    def test_whatIsRepeatedIsTheFronts(self) -> None:
        """It means the same for all of its clients, and nothing to another front."""
        fronts = [Scenario(self).forward() for _ in range(2)]
        for scenario in fronts * 4:
            client = scenario.client()
            client.sends(TUNNEL)
            scenario.refuses(ConnectionRefused(), "tunnel://a.example:443")
            self.assertIn(b"502", client.takes())
        requests = [[each.request for each in scenario.records] for scenario in fronts]
        for known in requests:
            # Parsed twice, and remembered.
            self.assertEqual([each is known[1] for each in known], [False, True, True, True])
        self.assertEqual(requests[0], requests[1])
        self.assertIsNot(requests[0][1], requests[1][1])
