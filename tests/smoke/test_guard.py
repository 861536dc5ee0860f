# -*- test-case-name: tests.smoke.test_guard -*-
"""
The destination guard of a real process.

The front C{public} listens on every interface, C{exempt} does so with an exception
for 127.0.0.1, and C{egress} listens on loopback alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .running import TrafficTestCase, until

if TYPE_CHECKING:
    from .peers import Stream

#: Ways to this machine, each of them an address or a name that resolvers know.
THIS_HOST = (
    "127.0.0.1",
    "127.8.9.10",
    "localhost",
    "LocalHost",
    "0.0.0.0",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[0:0:0:0:0:0:0:1]",
)

#: What C{getaddrinfo} alone takes for 127.0.0.1, or not every resolver.
SPELLINGS = (
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "127.1",
    "017700000001",
    "localhost.",
)

#: Other places that are none of a client's business.
INSIDE = ("10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "[fe80::1]", "[fd00::1]")


class GuardTests(TrafficTestCase):
    """Who may reach what."""

    def setUp(self) -> None:
        """Have something that must not be reached."""
        super().setUp()
        self.inside = self.started(self.origin.serve)

    def ask(self, front: str, host: str, port: int, *, connect: bool) -> bytes:
        """Ask a front for a destination, by either method; give the head of the answer."""
        client = self.connect(front)
        authority = b"%b:%d" % (host.encode(), port)
        request = b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n"
        if not connect:
            request = b"GET http://%b/ HTTP/1.1\r\nHost: %b\r\n\r\n"
        client.send(request % (authority, authority))
        return client.head()

    def test_aPublicListenerLeadsNowhereInside(self) -> None:
        """403 with the reason, for addresses and for names."""
        for host in THIS_HOST + INSIDE:
            for connect in (False, True):
                head = self.ask("public", host, self.inside.port, connect=connect)
                self.assertTrue(head.startswith(b"HTTP/1.1 403 "), f"{host}: {head!r}")
        self.assertEqual(self.inside.accepted, 0)

    def test_theReasonIsTold(self) -> None:
        """As a token, without the address."""
        head = self.ask("public", "localhost", 80, connect=True)
        self.assertIn(b"error=destination_ip_prohibited", head)
        self.assertNotIn(b"127.0.0.1", head)
        self.assertNotIn(b"::1", head)

    def test_spellingsOfAddresses(self) -> None:
        """Are not looked up at all; on no front do they lead anywhere."""
        for front in ("public", "exempt"):
            for host in SPELLINGS:
                if host == "localhost." and front == "exempt":
                    continue  # an exception for what it may resolve to
                for connect in (False, True):
                    head = self.ask(front, host, self.inside.port, connect=connect)
                    self.assertIn(head[9:12], (b"400", b"403", b"502"), f"{host}: {head!r}")
        self.assertEqual(self.inside.accepted, 0)

    def test_anException(self) -> None:
        """Lets that one pass, and nothing else."""
        for connect in (False, True):
            head = self.ask("exempt", "127.0.0.1", self.inside.port, connect=connect)
            self.assertTrue(head.startswith(b"HTTP/1.1 200 "), head)
            for host in ("127.0.0.2", "[::1]", "0.0.0.0", "10.0.0.1"):
                head = self.ask("exempt", host, self.inside.port, connect=connect)
                self.assertTrue(head.startswith(b"HTTP/1.1 403 "), f"{host}: {head!r}")
        until(lambda: self.inside.accepted == 2, "both have arrived")

    def test_aListenerOnLoopback(self) -> None:
        """May reach what its clients can reach anyway."""
        for host in ("127.0.0.1", "localhost"):
            for connect in (False, True):
                head = self.ask("egress", host, self.inside.port, connect=connect)
                self.assertTrue(head.startswith(b"HTTP/1.1 200 "), f"{host}: {head!r}")
        until(lambda: self.inside.accepted == 4, "all have arrived")

    def test_connectionsAreNotSharedPastTheGuard(self) -> None:
        """What one front keeps open, a guarded one must not borrow."""

        def serve(stream: Stream) -> None:
            while True:
                stream.head()
                stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        self.inside.serve = serve
        for front, status in (("egress", b"200"), ("public", b"403"), ("exempt", b"200")):
            head = self.ask(front, "127.0.0.1", self.inside.port, connect=False)
            self.assertEqual(head[9:12], status, front)
