# -*- test-case-name: tests.smoke.test_tunnels -*-
"""Tunnels through the forward endpoint of a real process (RFC 9110 §9.3.6)."""

from __future__ import annotations

import contextlib
import random
import time
from typing import TYPE_CHECKING
from unittest import SkipTest

from .peers import Background, Content, Origin, digestOf
from .running import TrafficTestCase, until

if TYPE_CHECKING:
    from .peers import Stream

MIB = 1 << 20


class TunnelTests(TrafficTestCase):
    """Octets pass unseen, all of them, and so do ends."""

    def setUp(self) -> None:
        """Earlier tests had origins too, perhaps at the same ports."""
        super().setUp()
        self.earlier = len(self.proxy.records())

    def record(self, origin: Origin) -> dict[str, object]:
        """Wait for the record of the tunnel to an origin."""
        return self.proxy.record(f"127.0.0.1:{origin.port}", self.earlier)

    def test_bulkBothWaysAtOnce(self) -> None:
        """100 MiB each way, spliced past the first octets, identical by hash and counted."""
        content = Content(100 * MIB)
        came: list[str] = []

        def serve(stream: Stream) -> None:
            sending = Background(content.send, stream)
            came.append(digestOf(stream.pieces(content.octets)))
            sending.result()

        origin = self.started(serve)
        before = self.proxy.residentOctets()
        client = self.tunnel(origin)
        sending = Background(content.send, client)
        self.assertEqual(digestOf(client.pieces(content.octets)), content.digest)
        sending.result()
        until(lambda: came, "the origin has it all")
        self.assertEqual(came, [content.digest])
        client.close()
        record = self.record(origin)
        self.assertEqual(record["octets_in"], content.octets)
        self.assertEqual(record["octets_out"], content.octets)
        self.assertEqual(record["status"], 200)
        self.assertLess(self.proxy.residentOctets() - before, 4 * MIB)

    def test_aSlowSide(self) -> None:
        """What one side does not read waits at the other."""
        # More than the kernel lets the receive buffers of two sockets grow to, which
        # may be 32 MiB.
        content = Content(96 * MIB)
        sent = 0

        def serve(stream: Stream) -> None:
            nonlocal sent
            for piece in content.pieces():
                stream.send(piece)
                sent += len(piece)

        origin = self.started(serve)
        before = self.proxy.residentOctets()
        client = self.tunnel(origin)
        seen = -1
        while seen != sent:
            seen = sent
            time.sleep(0.3)
        self.assertLess(sent, content.octets)
        self.assertLess(self.proxy.residentOctets() - before, 4 * MIB)
        self.assertEqual(digestOf(iter([client.rest()])), content.digest)

    def test_theEndOfTheClientIsCarried(self) -> None:
        """A server that answers after the end of what it reads can answer."""

        def serve(stream: Stream) -> None:
            stream.send(stream.rest()[::-1])

        for octets in (b"short", bytes(range(256)) * 4096):
            origin = self.started(serve)
            client = self.tunnel(origin)
            client.send(octets)
            client.endWrite()
            self.assertEqual(client.rest(), octets[::-1])
            self.assertEqual(self.record(origin)["octets_in"], len(octets))

    def test_theEndOfTheServerIsCarried(self) -> None:
        """And the client may still send."""
        came: list[bytes] = []

        def serve(stream: Stream) -> None:
            stream.send(b"farewell")
            stream.endWrite()
            came.append(stream.rest())

        client = self.tunnel(self.started(serve))
        self.assertEqual(client.rest(), b"farewell")
        client.send(b"and thank you")
        client.close()
        until(lambda: came, "the server has it")
        self.assertEqual(came, [b"and thank you"])

    def test_whatComesBeforeTheAnswer(self) -> None:
        """Octets right behind the request are the tunnel's (RFC 9110 §9.3.6)."""

        def serve(stream: Stream) -> None:
            stream.send(b"greeting;" + stream.exactly(100_000)[:5])

        client = self.tunnel(self.started(serve), early=b"early" + b"x" * 99_995)
        self.assertEqual(client.rest(), b"greeting;early")

    def test_aServerThatSpeaksFirst(self) -> None:
        """Its words come behind the head, however soon they are there."""
        for _ in range(20):
            client = self.tunnel(self.started(lambda stream: stream.send(b"220 hello")))
            self.assertEqual(client.rest(), b"220 hello")

    def test_anIdleTunnel(self) -> None:
        """Ends after its time, for both sides; one that moves does not."""
        ended: list[bool] = []

        def serve(stream: Stream) -> None:
            for _ in range(4):
                stream.exactly(1)
                stream.send(b"a")
            ended.append(stream.ends())

        origin = self.started(serve)
        client = self.tunnel(origin, "fleeting")
        for _ in range(4):
            time.sleep(0.4)
            client.send(b"a")
            self.assertEqual(client.exactly(1), b"a")
        began = time.monotonic()
        self.assertTrue(client.ends())
        self.assertLess(time.monotonic() - began, 5)
        until(lambda: ended, "the origin hears of it")
        self.assertEqual(self.record(origin)["octets_out"], 4)

    def test_nobodyThere(self) -> None:
        """502, and the connection ends: who knows what was sent into the tunnel."""
        gone = self.started()
        gone.close()
        for _ in range(2):
            client = self.connect("egress")
            client.send(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: a:1\r\n\r\n" % gone.port)
            head = client.head()
            self.assertTrue(head.startswith(b"HTTP/1.1 502 "), head)
            self.assertIn(b"error=connection_refused", head)
            length = int(head.lower().split(b"content-length: ")[1].split()[0])
            client.exactly(length)
            self.assertIn(b"connection: close", head.lower())
            self.assertTrue(client.ends())

    def test_onAConnectionThatServedBefore(self) -> None:
        """A request, C{CONNECT} and the tunnel's octets in one piece (RFC 9110 §9.3.6)."""

        def serve(stream: Stream) -> None:
            while True:
                head = stream.head()
                stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head))

        origin = self.started(serve)
        client = self.connect("egress")
        plain = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        client.send(
            plain.replace(b" / ", b" http://127.0.0.1:%d/ " % origin.port)
            + b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: a:1\r\n\r\n" % origin.port
            + plain
        )
        client.head()
        self.assertIn(b"Via: 1.1 egress", client.head())
        self.assertEqual(client.head(), b"HTTP/1.1 200 Connection established\r\n\r\n")
        client.head()
        self.assertEqual(client.head(), plain)

    def test_IPv6(self) -> None:
        """A literal, in either form of request."""
        try:
            origin = Origin(lambda stream: stream.send(stream.head()), host="::1")
        except OSError as e:
            raise SkipTest("no IPv6 here") from e
        self.addCleanup(origin.close)
        client = self.connect("egress")
        client.send(b"CONNECT [::1]:%d HTTP/1.1\r\nHost: a:1\r\n\r\nhello\r\n\r\n" % origin.port)
        self.assertTrue(client.head().startswith(b"HTTP/1.1 200 "))
        self.assertEqual(client.rest(), b"hello\r\n\r\n")

    def test_endsOfEveryKindInTheMiddle(self) -> None:
        """Closes, half-closes and resets of either side while much is on its way."""
        dice = random.Random(7)  # the same every time

        def use(stream: Stream) -> None:
            """Send and read much at once, and end it some way."""
            sending = Background(flood, stream)
            octets = dice.randrange(2 * MIB)
            with contextlib.suppress(OSError, EOFError):
                for _ in stream.pieces(octets):
                    pass
                if dice.random() < 0.3:
                    stream.endWrite()
                    time.sleep(0.02)
            if dice.random() < 0.5:
                stream.reset()
            else:
                stream.close()
            sending.result()

        def flood(stream: Stream) -> None:
            with contextlib.suppress(OSError):
                for _ in range(48):
                    stream.send(bytes(65536))

        origin = self.started(use)

        def useSome() -> None:
            for _ in range(4):
                use(self.tunnel(origin))

        clients = [Background(useSome) for _ in range(8)]
        for client in clients:
            client.result()
        until(lambda: not origin.connections, "all have ended")
        self.assertEqual(origin.failures, [])
        self.assertEqual(origin.accepted, 32)

    def test_manyAtOnce(self) -> None:
        """More than there are pipes kept, each with more than one pipeful."""
        content = Content(MIB)
        origin = self.started(lambda stream: echo(stream, content.octets))

        def use() -> str:
            client = self.tunnel(origin)
            sending = Background(content.send, client)
            digest = digestOf(client.pieces(content.octets))
            sending.result()
            return digest

        clients = [Background(use) for _ in range(24)]
        self.assertEqual([each.result() for each in clients], [content.digest] * 24)


def echo(stream: Stream, octets: int) -> None:
    """Send so many octets back as they come."""
    for piece in stream.pieces(octets):
        stream.send(piece)
