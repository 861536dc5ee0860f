# -*- test-case-name: tests.ops.test_listeners -*-
"""Tests of L{intermediary.ops.listeners}."""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactor
from twisted.trial.unittest import SynchronousTestCase

from intermediary.ops.listeners import (
    endpoint,
    isEphemeral,
    place,
    plainBeside,
    portOf,
    roomy,
    speaksTLS,
)
from intermediary.ops.values import Unfit


class EndpointTests(SynchronousTestCase):
    """Server endpoint strings; nothing is bound."""

    def unfit(self, text: str, words: str) -> Unfit:
        """The string is refused with words that contain these, and no others of Python's."""
        error = self.assertRaises(Unfit, endpoint, text)
        assert isinstance(error, Unfit)
        self.assertIn(words, error.message)
        for internals in ("\n", "_parse", "argument '", "invalid literal", "positional"):
            self.assertNotIn(internals, error.message + error.remedy)
        return error

    def test_everyKindIsAccepted(self) -> None:
        """Built-in ones and plugins, alone and wrapped."""
        for text in (
            "tcp:3128:interface=127.0.0.1",
            "tcp:0",
            "tcp:port=80",
            "unix:/run/proxy.sock:mode=660",
            "unix:address=/run/proxy.sock:lockfile=0",
            "tcp6:80:interface=\\:\\:1",
            "haproxy:tcp:80",
        ):
            self.assertEqual(endpoint(text), text)

    def test_anUnknownKindSuggestsTheNearest(self) -> None:
        """Also those of which Twisted knows without a plugin."""
        self.assertIn('"tcp', self.unfit("tpc:80", "is no server endpoint").remedy)
        self.unfit("", "is no server endpoint")

    def test_anUnknownOptionSuggestsTheNearest(self) -> None:
        """Of the kind that it is about, wrapped or not; not what Python says."""
        for text, kind in (
            ("tcp:80:interfaec=1", "tcp"),
            ("tcp6:80:interfaec=1", "tcp6"),
            ("haproxy:tcp:80:interfaec=1", "tcp"),
        ):
            error = self.unfit(text, f'an option that {kind} endpoints don\'t know: "interfaec"')
            self.assertEqual(error.remedy, 'did you mean "interface"?')
        error = self.unfit("unix:/run/s:bogus=1", '"bogus"')
        self.assertEqual(error.remedy, "known are: address, backlog, lockfile, mode")

    def test_wrongArgumentsAreNamed(self) -> None:
        """What is missing, what is too much."""
        self.unfit("tcp", "is not a valid tcp endpoint (without port)")
        self.unfit("unix", "without address")
        self.unfit("tcp:80:backlog=x", '("x" is no number)')
        self.unfit("tls:x:bogus=1", "tls endpoints don't know")
        self.unfit("tcp:80:127.0.0.1:50:5:6", "is not a valid tcp endpoint")

    def test_portsAreFrom0To65535(self) -> None:
        """Twisted finds that out only when it listens."""
        for text, port in (
            ("tcp:65536", "65536"),
            ("tcp:-1", "-1"),
            ("tcp:port=-1", "-1"),
            ("tcp6:99999", "99999"),
            ("ssl:-5", "-5"),
            ("haproxy:tcp:99999", "99999"),
            ("tcp:http", "http"),
            ("tcp:", ""),
        ):
            error = self.unfit(text, f"has no valid port: {port}")
            self.assertIn("0 to 65535", error.remedy)
        self.assertEqual(endpoint("tcp:65535"), "tcp:65535")

    def test_systemdOutsideOfIt(self) -> None:
        """Neither by name nor by index is there any socket to look for."""
        for text in ("systemd:domain=INET:name=proxy", "systemd:INET:index=0"):
            self.assertIn("only under socket activation", self.unfit(text, "systemd").remedy)


class TLSTests(SynchronousTestCase):
    """Endpoints that have a certificate of their own."""

    def test_byTheirKind(self) -> None:
        """Also inside of others."""
        for text in ("ssl:443:privateKey=a.pem", "haproxy:ssl:443"):
            self.assertTrue(speaksTLS(text), text)
        for text in ("tcp:443", "haproxy:tcp:443", "unix:/run/ssl"):
            self.assertFalse(speaksTLS(text), text)


class RoomTests(SynchronousTestCase):
    """How many may wait to be accepted."""

    def test_moreThanTwistedHas(self) -> None:
        """Also where another endpoint is wrapped, which gets it then."""
        for text in (
            "tcp:3128:interface=127.0.0.1",
            "tcp:3128",
            "unix:/run/proxy.sock",
            "tcp6:80:interface=\\:\\:1",
            "haproxy:tcp:80",
        ):
            reactor: Any = MemoryReactor()
            listening = serverFromString(reactor, roomy(text)).listen(Factory())
            self.successResultOf(listening)
            (listener,) = reactor.tcpServers or reactor.unixServers
            self.assertIn(4096, listener)

    def test_whatIsSaidCounts(self) -> None:
        """By whichever place or name; and others are left as they are."""
        for text in (
            "tcp:80:interface=127.0.0.1:backlog=5",
            "tcp:80:127.0.0.1:5",
            "unix:/run/proxy.sock:660:5",
            "systemd:domain=INET:name=proxy",
            "other:tcp:80",
            "",
        ):
            self.assertEqual(roomy(text), text)


class PlaceTests(SynchronousTestCase):
    """Where strings listen."""

    def test_ephemeralPorts(self) -> None:
        """Port 0 may be asked for more than once."""
        for text in ("tcp:0:interface=127.0.0.1", "tcp:port=00", "haproxy:tcp6:0"):
            self.assertTrue(isEphemeral(text), text)
        for text in ("tcp:80", "unix:/run/x", "unix:0", "tcp:", "tcp:x", "", "bogus:0"):
            self.assertFalse(isEphemeral(text), text)

    def test_spellingsOfOnePlace(self) -> None:
        """Each is that of the first."""
        for first, *others in (
            (
                "tcp:21000",
                "tcp:21000:interface=0.0.0.0",
                "tcp:021000",
                "tcp:port=21000",
                "tcp:interface=:port=21000:backlog=5",
                "haproxy:tcp:21000",
            ),
            ("tcp:80:127.0.0.1", "tcp:80:interface=localhost", "tcp:80:interface=127.0.0.1"),
            ("tcp6:80:interface=\\:\\:1", "tcp6:80:5:0\\:0\\:\\:1", "tcp:80:\\:\\:1"),
            ("unix:/tmp/a", "unix:address=/tmp/a", "unix:/tmp//b/../a:mode=600"),
        ):
            for other in others:
                self.assertEqual(place(first), place(other), other)

    def test_differentPlaces(self) -> None:
        """By port, address, family, path; unknown ones by their string."""
        texts = [
            "tcp:80",
            "tcp:81",
            "tcp6:80",
            "tcp:80:interface=127.0.0.1",
            "unix:/tmp/a",
            "unix:/tmp/a\\:b",
            "systemd:INET:name=a",
            "systemd:INET:name=b",
            "bogus:80",
            "tcp:http",
            "tcp",
            "unix",
            "",
        ]
        self.assertEqual(len({place(text) for text in texts}), len(texts))

    def test_ports(self) -> None:
        """Of what is reached by one; any free one is none."""
        for text, port in (
            ("tcp:8443", 8443),
            ("tcp6:port=443", 443),
            ("haproxy:tcp:8443", 8443),
            ("tcp:0", None),
            ("tcp:x", None),
            ("unix:/run/x", None),
            ("systemd:domain=INET:index=0", None),
        ):
            self.assertEqual(portOf(text), port, text)

    def test_port80Beside(self) -> None:
        """Once for each interface, spelled so that it can be listened at."""
        for listen, plain in (
            (["tcp:443"], ("tcp:80",)),
            (
                ["tcp:443:interface=127.0.0.1", "tcp:8443:127.0.0.1"],
                ("tcp:80:interface=127.0.0.1",),
            ),
            (["tcp6:443", "tcp:443"], ("tcp6:80", "tcp:80")),
            (["tcp6:443:interface=\\:\\:1"], ("tcp6:80:interface=\\:\\:1",)),
            (["unix:/run/x", "haproxy:tcp:443", "ssl:443", "tcp:443"], ("tcp:80",)),
            (["unix:/run/x"], ()),
        ):
            found = plainBeside(listen)
            self.assertEqual(found, plain)
            for text in found:
                self.assertEqual(endpoint(text), text)
                self.assertEqual(portOf(text), 80)
