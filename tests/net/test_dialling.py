# -*- test-case-name: tests.net.test_dialling -*-
"""
C{CONNECT} through a forward front, as transcripts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import ConnectionRefused, DestinationProhibited
from intermediary.settings import Timeouts

from ..scenario import Scenario, Side

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from intermediary.interfaces import Origin

CONNECT = (b"CONNECT example.org:443 HTTP/1.1", b"Host: example.org:443", b"", b"")
ESTABLISHED = (b"HTTP/1.1 200 Connection established", b"", b"")
URL = "tunnel://example.org:443"


class DiallingTests(SynchronousTestCase):
    """A tunnel from its request to its record."""

    def tunnel(self, scenario: Scenario, *ahead: bytes) -> tuple[Side, Side]:
        """Open a tunnel; the client may send more than its request."""
        client = scenario.client()
        client.sends(b"\r\n".join(CONNECT) + b"".join(ahead))
        origin = scenario.accepts(URL)
        client.gets(*ESTABLISHED)
        return client, origin

    def test_octetsPassUnseen(self) -> None:
        """RFC 9110 §9.3.6: both ways, whatever they are, and counted."""
        scenario = Scenario(self).forward()
        client, origin = self.tunnel(scenario)
        client.sends(b"GET / HTTP/9.9\n\n")
        origin.gets(b"GET / HTTP/9.9\n\n")
        origin.sends(b"\x00\xff")
        client.gets(b"\x00\xff")
        self.assertEqual(scenario.outcomes(), [])
        origin.ends()
        client.ends()
        self.assertEqual(scenario.outcomes(), [(200, "")])
        self.assertEqual((scenario.records[0].octetsIn, scenario.records[0].octetsOut), (16, 2))

    def test_whatTheClientSentAheadGoesFirst(self) -> None:
        """Octets behind the request, with it or after it, are the tunnel's."""
        scenario = Scenario(self).forward()
        client = scenario.client()
        client.sends(b"\r\n".join(CONNECT) + b"hel")
        client.sends(b"lo")
        self.assertFalse(client.isRead)
        origin = scenario.accepts(URL)
        client.gets(*ESTABLISHED)
        origin.gets(b"hello")
        self.assertTrue(client.isRead)
        client.closes()
        self.assertEqual(scenario.records[0].octetsIn, 5)

    def test_whatTheDestinationSaysFirstComesAfterTheHead(self) -> None:
        """A server that greets is heard once the client knows that it is connected."""
        scenario = Scenario(self).forward()
        client = scenario.client()
        client.sends(*CONNECT)
        origin = scenario.accepts(URL)
        origin.sends(b"220 ready")
        client.gets(b"HTTP/1.1 200 Connection established", b"", b"220 ready")

    def test_aDestinationThatIsFasterThanWeAreIsNotLost(self) -> None:
        """What it says before anybody listens comes after the head, and it waits."""
        scenario = Scenario(self).forward()
        client = scenario.client()
        client.sends(*CONNECT)
        origin, told = scenario.establishes(URL)
        origin.sends(b"220 ")
        self.assertFalse(origin.isRead)
        told()
        client.gets(b"HTTP/1.1 200 Connection established", b"", b"220 ")
        self.assertTrue(origin.isRead)
        origin.sends(b"ready")
        client.gets(b"ready")

    def test_aDestinationThatIsGoneAtOnceIsA502(self) -> None:
        """RFC 9110 §9.3.6: a 2xx would promise a tunnel."""
        scenario = Scenario(self).forward()
        for end in (Side.ends, Side.resets):
            client = scenario.client()
            client.sends(*CONNECT)
            origin, told = scenario.establishes(URL)
            end(origin)
            told()
            client.getsError(502, "connection_terminated", close=True)
            client.closes()
        self.assertEqual(scenario.outcomes(), [(502, "connection_terminated")] * 2)

    def test_aConnectionThatStandsAtOnce(self) -> None:
        """A connector need not take time."""
        scenario = Scenario(self)
        opened: list[Side] = []

        def connect(origin: Origin, factory: Any, timeoutSeconds: float) -> Deferred[Any]:
            protocol = factory.buildProtocol(None)
            opened.append(Side(self, scenario.clock, protocol, origin.host))
            scenario.sides.append(opened[-1])
            return succeed(protocol)

        self.patch(scenario.connector, "connect", connect)
        client = scenario.forward().client()
        client.sends(*CONNECT)
        client.gets(*ESTABLISHED)
        client.sends(b"hello")
        opened[0].gets(b"hello")

    def test_halfClosesAreCarried(self) -> None:
        """The other direction goes on until it ends as well."""
        scenario = Scenario(self).forward()
        client, origin = self.tunnel(scenario)
        client.ends()
        origin.sees("half-closed")
        client.sees("")
        origin.sends(b"still here")
        client.gets(b"still here")
        origin.ends()
        client.sees("closed")
        origin.sees("closed")
        self.assertEqual(scenario.outcomes(), [(200, "")])

    def test_aResetIsPassedOn(self) -> None:
        """The other side must not take it for an end."""
        scenario = Scenario(self).forward()
        client, origin = self.tunnel(scenario)
        origin.resets()
        client.sees("aborted")
        self.assertEqual(scenario.outcomes(), [(200, "connection_terminated")])
        client, origin = self.tunnel(scenario)
        client.resets()
        origin.sees("aborted")

    def test_idleTunnelsEnd(self) -> None:
        """After C{tunnel-idle} seconds in which nothing moved either way."""
        scenario = Scenario(self).forward(timeouts=Timeouts(tunnelIdleSeconds=10))
        client, origin = self.tunnel(scenario)
        for _ in range(3):
            scenario.passes(8)
            origin.sends(b"x")
            client.gets(b"x")
        client.sees("")
        scenario.passes(13)
        client.sees("aborted")
        origin.sees("aborted")
        self.assertEqual(scenario.outcomes(), [(200, "connection_read_timeout")])

    def test_failuresAreRepliesAndTheConnectionEnds(self) -> None:
        """What the client may have sent into the tunnel must not be taken for a request."""
        scenario = Scenario(self).forward()
        for error in (ConnectionRefused("at 192.0.2.1"), DestinationProhibited("at 192.0.2.1")):
            client = scenario.client()
            client.sends(*CONNECT)
            client.sends(b"GET http://victim.example/ HTTP/1.1", b"Host: victim.example", b"", b"")
            scenario.refuses(error, URL)
            heard = client.takes()
            scenario.connectsNowhere()
            self.assertIn(b"Connection: close\r\n", heard)
            client.sees("half-closed")
            self.assertTrue(heard.startswith(b"HTTP/1.1 %d " % error.status), heard)
            self.assertNotIn(b"192.0.2.1", heard)

    def test_aClientThatGoesAwayEndsTheAttempt(self) -> None:
        """Nobody connects for nobody."""
        scenario = Scenario(self).forward()
        client = scenario.client()
        client.sends(*CONNECT)
        client.resets()
        scenario.connectsNowhere()
        self.assertEqual(len(scenario.connector.cancelled), 1)
        self.assertEqual(scenario.outcomes(), [(0, "client_gone")])

    def test_aSlowSidePausesTheOther(self) -> None:
        """Both ways."""
        scenario = Scenario(self).forward()
        client, origin = self.tunnel(scenario)
        for slow, fast in ((client, origin), (origin, client)):
            slow.stalls()
            fast.sends(b"x")
            self.assertFalse(fast.isRead)
            slow.gets(b"x")
            slow.reads()
            self.assertTrue(fast.isRead)

    def test_theTargetMustBeHostAndPort(self) -> None:
        """RFC 9112 §3.2.3."""
        scenario = Scenario(self).forward()
        for target in (b"example.org", b"http://example.org/", b"/", b"example.org:99999"):
            client = scenario.client()
            client.sends(b"CONNECT " + target + b" HTTP/1.1", b"Host: a", b"", b"")
            self.assertTrue(client.takes().startswith(b"HTTP/1.1 400 "), target)
            client.closes()

    def test_drainingLeavesTunnelsAlone(self) -> None:
        """They end by themselves, or by an abort."""
        scenario = Scenario(self).forward()
        client, origin = self.tunnel(scenario)
        drained = scenario.front.drain()
        client.sends(b"x")
        origin.gets(b"x")
        self.assertNoResult(drained)
        scenario.front.abort()
        client.sees("aborted")
        origin.sees("aborted")
        self.successResultOf(drained)

    def test_drainingWaitsForTheAccount(self) -> None:
        """A tunnel of which the client's side is gone is not over."""
        scenario = Scenario(self).forward()
        client, origin = self.tunnel(scenario)
        origin.stalls()
        drained = scenario.front.drain()
        client.sends(b"x")
        client.closes()
        origin.gets(b"x")
        self.assertNoResult(drained)
        self.assertEqual(scenario.outcomes(), [])
        scenario.front.abort()
        origin.sees("aborted")
        self.successResultOf(drained)
        self.assertEqual(len(scenario.records), 1)

    def test_ipv6Literals(self) -> None:
        """In brackets, as everywhere in URLs."""
        scenario = Scenario(self).forward()
        client = scenario.client()
        client.sends(b"CONNECT [2001:db8::1]:443 HTTP/1.1", b"Host: [2001:db8::1]:443", b"", b"")
        scenario.accepts("tunnel://[2001:db8::1]:443")
        client.gets(*ESTABLISHED)
