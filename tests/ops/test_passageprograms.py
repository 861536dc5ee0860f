# -*- test-case-name: tests.ops.test_passageprograms -*-
"""
Settings to the programs of clients that are passed through.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from intermediary.ops.endpoints import ReverseProxyFactory
from intermediary.ops.passageprograms import PASSAGE_NOTES
from intermediary.ops.programs import NOTES
from intermediary.settings import PassageSettings, ReverseSettings, UpstreamSettings
from intermediary.wire.clienthello import ClientHello, HelloError

from .test_programs import Everything, Log

DATABASE = UpstreamSettings(name="db", servers=("tcp://10.0.0.5:5432",))
PASSAGES = (
    PassageSettings(upstream=DATABASE, names=("db.example", "*.x.example")),
    PassageSettings(upstream=DATABASE, names=("a.example",), alpn=("acme-tls/1", "h2")),
)

LISTING = """\
  fetch      0 balancing.Upstream.onFetch
             1 dialling.Dialling.dial            (parks: connection)
             2 passing.Passing.join              (parks: tunnel)
  deliver    3 passing.Passing.refuse            (alert)
  finish     4 engine.release
             5 test_programs.Everything.onFinish
             6 test_programs.Log.record
             7 engine.end                        (next request)"""


class PassageTests(SynchronousTestCase):
    """A front that passes clients through."""

    def front(self, **settings: Any) -> ReverseProxyFactory:
        """Make it."""
        return ReverseProxyFactory(
            MemoryReactorClock(),
            ReverseSettings(name="site", routes=(), **settings),
            accessLog=Log(),
            components=[Everything()],
        )

    def test_programs(self) -> None:
        """One for each passage; of hooks only the last sees them, as there is no request."""
        front = self.front(passthrough=PASSAGES)
        self.assertEqual(
            [each.name for each in front.programs],
            [
                "reverse.site TLS db.example *.x.example -> db",
                "reverse.site TLS a.example (acme-tls/1 h2) -> db",
            ],
        )
        for program in front.programs:
            self.assertEqual(program.listing(), LISTING)

    def test_everyRemarkIsOnAStep(self) -> None:
        """None is left of a step that was renamed."""
        for name in set(PASSAGE_NOTES) - set(NOTES):
            self.assertIn(f"{name} ", LISTING)

    def test_withoutThereAreNone(self) -> None:
        """A front without TLS has no handshakes, and one with passages alone no certificates."""
        front = self.front()
        self.assertIsNone(front.passages)
        self.assertIsNone(front._listener.handshakes)
        front = self.front(passthrough=PASSAGES)
        self.assertIsNone(front.tls)
        handshakes = front._listener.handshakes
        assert handshakes is not None
        self.assertEqual(handshakes.seconds, 10)

    def test_theChoice(self) -> None:
        """Without certificates, whoever fits none is refused."""
        front = self.front(passthrough=PASSAGES)
        assert front.passages is not None
        chosen = front.passages(ClientHello("a.x.example", (), ()))
        self.assertIs(chosen, front.programs[0])
        self.assertRaises(HelloError, front.passages, ClientHello("x.example", (), ()))

    def test_serversOfOneUpstreamAreShared(self) -> None:
        """All passages that name it take turns."""
        front = self.front(passthrough=PASSAGES)
        first, second = (each.steps[0] for each in front.programs)
        # Bound methods are equal if they are of the same object.
        self.assertEqual(first, second)

    def test_whatIsMisspelt(self) -> None:
        """Is an error when the front is made."""
        for bad in (
            PassageSettings(upstream=DATABASE, names=("a b",)),
            PassageSettings(
                upstream=UpstreamSettings(name="x", servers=("tcp://h",)), names=("a",)
            ),
        ):
            self.assertRaises(ValueError, self.front, passthrough=(bad,))
