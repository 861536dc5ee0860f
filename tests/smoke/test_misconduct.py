# -*- test-case-name: tests.smoke.test_misconduct -*-
"""
Peers that break off, fall silent or talk nonsense, at every stage.

What every test asks besides is in L{TrafficTestCase}: the process serves on, has
raised nothing, and holds nothing.
"""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import time
from typing import TYPE_CHECKING

from .peers import Background, Stream
from .running import TrafficTestCase, until

if TYPE_CHECKING:
    from collections.abc import Callable

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"

#: The first octets of a browser's TLS handshake.
TLS = bytes.fromhex("1603010200010001fc0303") + bytes(64)


class NonsenseTests(TrafficTestCase):
    """Octets that are no request, or never become one."""

    def status(self, octets: bytes, front: str = "site") -> tuple[bytes, bytes]:
        """
        Send something to a front and wait until it closes.

        @return: the status of the answer, and all of it.
        """
        client = self.connect(front)
        client.send(octets)
        answer = client.rest()
        return answer[9:12], answer

    def test_TLSOnThePlainPort(self) -> None:
        """400 to both kinds of front, and the end of the connection."""
        for front in ("site", "egress"):
            status, answer = self.status(TLS, front)
            self.assertEqual(status, b"400", answer)

    def test_garbage(self) -> None:
        """Anything else, too."""
        for octets in (b"\x00" * 4096, b"\r\n\r\n\r\n\r\n", b"SSH-2.0-x\r\n", bytes(range(256))):
            self.assertEqual(self.status(octets)[0], b"400", octets[:20])
        self.assertEqual(self.status(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")[0], b"505")

    def test_anEndlessHead(self) -> None:
        """431 as soon as it is over the limit; the rest is not kept."""
        client = self.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        before = self.proxy.residentOctets()
        sent = 0
        field = b"X-Padding: " + b"x" * 1000 + b"\r\n"
        try:
            while sent < 8 << 20:
                client.send(field * 64)
                sent += len(field) * 64
        except OSError:
            pass  # cut off
        self.assertLess(sent, 8 << 20)
        self.assertLess(self.proxy.residentOctets() - before, 4 << 20)
        status, _ = self.status(b"GET / HTTP/1.1\r\nHost: a\r\n" + field * 20)
        self.assertEqual(status, b"431")

    def test_anEndlessLine(self) -> None:
        """The same for a target and for a field without an end."""
        self.assertEqual(self.status(b"GET /" + b"x" * 20000)[0], b"414")
        self.assertEqual(self.status(GET[:-2] + b"X: " + b"x" * 20000)[0], b"431")

    def test_aHeadThatTricklesIn(self) -> None:
        """Each octet does not buy another second: 408 after the time for a head."""
        client = self.connect("hasty")
        began = time.monotonic()
        client.socket.settimeout(0.2)
        answer = b""
        for octet in GET[:-2] + b"X-Slow: " + b"x" * 1000:
            try:
                client.send(bytes((octet,)))
                answer += client.receive()
            except TimeoutError:
                continue
            except ConnectionError:
                pass
            break
        took = time.monotonic() - began
        self.assertEqual(answer[9:12], b"408", answer)
        self.assertLess(took, 5)

    def test_aConnectionThatSaysNothing(self) -> None:
        """Is closed after the time for a head, without an answer."""
        self.assertEqual(self.status(b"", "hasty")[1], b"")

    def test_aKeptConnectionThatSaysNothing(self) -> None:
        """Is closed after the time for idling."""
        self.origin.serve = answerEach
        client = self.connect("hasty")
        client.send(GET)
        client.head()
        client.exactly(2)
        self.assertTrue(client.ends())

    def test_aClientThatReadsLittleByLittle(self) -> None:
        """Is served, however slowly: what the kernel has for it counts, spliced or not."""
        octets = 12_000_000
        for head in (b"Content-Length: %d\r\n" % octets, b""):

            def serve(stream: Stream, head: bytes = head) -> None:
                stream.head()
                stream.send(b"HTTP/1.1 200 OK\r\n%bConnection: close\r\n\r\n" % head)
                stream.send(bytes(octets))

            self.origin.serve = serve
            client = self.connect("hasty", buffer=8192)
            client.send(GET.replace(b"1.1", b"1.0"))
            client.head()
            for _ in range(12):
                client.exactly(20_000)
                time.sleep(0.25)
            rest = octets - 12 * 20_000
            self.assertEqual(len(client.exactly(rest)), rest)
            client.close()

    def test_contentThatStops(self) -> None:
        """408, or the end where the response has begun."""
        self.origin.serve = silence
        status, answer = self.status(
            b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf", "hasty"
        )
        self.assertEqual(status, b"408", answer)

    def test_requestsWithoutEnd(self) -> None:
        """A client that asks and does not read is not read either."""
        self.origin.serve = answerEach
        before = self.proxy.residentOctets()
        client = self.connect(buffer=8192)
        client.socket.settimeout(0.5)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 64 << 20:
                client.send(GET * 1000)
                sent += len(GET) * 1000
        self.assertLess(sent, 32 << 20)
        self.assertLess(self.proxy.residentOctets() - before, 8 << 20)

    def test_moreClientsThanDescriptors(self) -> None:
        """Those who have one are answered, and so is everybody when there are some again."""
        limits = resource.prlimit(self.proxy.pid, resource.RLIMIT_NOFILE)
        highest = max(map(int, os.listdir(f"/proc/{self.proxy.pid}/fd")))
        resource.prlimit(self.proxy.pid, resource.RLIMIT_NOFILE, (highest + 10, limits[1]))
        self.addCleanup(resource.prlimit, self.proxy.pid, resource.RLIMIT_NOFILE, limits)
        clients = [self.connect() for _ in range(50)]
        until(lambda: "EMFILE" in self.proxy.log[self._said :], "there are no more")
        clients[0].send(GET)
        head = clients[0].head()
        self.assertTrue(head.startswith(b"HTTP/1.1 503 "), head)
        for client in clients:
            client.close()

    def test_halfARequest(self) -> None:
        """A client that ends in the middle is gone; nothing reaches an origin."""
        served = self.origin.accepted
        for half in (b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX"):
            client = self.connect()
            client.send(half)
            client.endWrite()
            self.assertTrue(client.ends())
        self.assertEqual(self.origin.accepted, served)

    def test_halfOfTheContent(self) -> None:
        """The origin is not left with half a request: its connection ends, too."""
        ends: list[bool] = []

        def serve(stream: Stream) -> None:
            stream.head()
            stream.exactly(4)
            ends.append(stream.ends())

        self.origin.serve = serve
        client = self.connect()
        client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
        until(lambda: self.origin.connections, "the request arrives")
        client.endWrite()
        until(lambda: ends, "the origin hears of it")
        self.assertEqual(ends, [True])


class SilenceTests(TrafficTestCase):
    """Origins that take their time."""

    def test_noResponse(self) -> None:
        """504 after the time for a response head."""
        self.origin.serve = silence
        client = self.connect("hasty")
        client.send(GET)
        head = client.head()
        self.assertTrue(head.startswith(b"HTTP/1.1 504 "), head)
        self.assertIn(b"http_response_timeout", head)

    def test_aHeadThatTricklesIn(self) -> None:
        """As little as a request's does a response's head buy time."""

        def serve(stream: Stream) -> None:
            stream.head()
            for octet in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000:
                stream.send(bytes((octet,)))
                time.sleep(0.1)

        self.origin.serve = serve
        client = self.connect("hasty")
        began = time.monotonic()
        client.send(GET)
        head = client.head()
        self.assertTrue(head.startswith(b"HTTP/1.1 504 "), head)
        self.assertLess(time.monotonic() - began, 5)

    def test_aClientThatStopsReading(self) -> None:
        """It is cut off, and its origin hears of that."""

        def serve(stream: Stream) -> None:
            stream.head()
            stream.send(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                stream.send(bytes(65536))

        self.origin.serve = serve
        client = self.connect("hasty", buffer=8192)
        client.send(GET)
        client.head()
        until(lambda: not self.origin.connections, "the response is given up")
        self.assertRaises(ConnectionResetError, client.rest)

    def test_anOriginThatStopsReading(self) -> None:
        """504, as nothing was answered yet."""

        def serve(stream: Stream) -> None:
            stream.head()
            until(lambda: over, "the client has its answer")

        over: list[bytes] = []
        self.origin.serve = serve
        client = self.connect("hasty")
        client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 99000000\r\n\r\n")
        sending = Background(flood, client)
        over.append(client.head())
        client.close()
        sending.result()
        self.assertTrue(over[0].startswith(b"HTTP/1.1 504 "), over)
        self.assertIn(b"error=connection_write_timeout", over[0])

    def test_contentThatTakesItsTime(self) -> None:
        """Is whole in the end: only silence counts, not slowness."""

        def serve(stream: Stream) -> None:
            stream.head()
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
            for _ in range(8):
                time.sleep(0.2)
                stream.send(b".")

        self.origin.serve = serve
        client = self.connect("hasty")
        client.send(GET)
        client.head()
        self.assertEqual(client.exactly(8), b"." * 8)

    def test_contentThatStops(self) -> None:
        """The client is cut off, as it has the head already."""

        def serve(stream: Stream) -> None:
            stream.head()
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            stream.rest()

        self.origin.serve = serve
        client = self.connect("hasty")
        client.send(GET)
        client.head()
        self.assertEqual(client.exactly(4), b"half")
        self.assertTrue(client.ends())


class ClientResetTests(TrafficTestCase):
    """Clients that reset at every stage."""

    def resetAfter(self, octets: bytes, ready: Callable[[], object] | None = None) -> None:
        """
        Reset connections, to both kinds of front, after sending something.

        @param ready: what is waited for in between.
        """
        for front in ("site", "egress"):
            for _ in range(5):
                client = self.connect(front)
                sent = octets
                if front == "egress":
                    sent = octets.replace(b" / ", b" http://127.0.0.1:%d/ " % self.origin.port)
                client.send(sent)
                if ready is not None:
                    until(ready, "the stage is reached")
                client.reset()

    def test_atOnce(self) -> None:
        """Before any octet."""
        self.resetAfter(b"")

    def test_inTheHead(self) -> None:
        """Of a request."""
        self.resetAfter(b"GET / HTTP/1.1\r\nHos")

    def test_afterTheRequest(self) -> None:
        """While the origin thinks: its connection ends as well."""
        self.origin.serve = silence
        self.resetAfter(GET, lambda: self.origin.connections)
        until(lambda: not self.origin.connections, "the origins' connections end")

    def test_beforeTheOriginWasReached(self) -> None:
        """Request and reset in one turn."""
        self.resetAfter(GET)

    def test_inTheContent(self) -> None:
        """Of a request."""
        self.origin.serve = silence
        self.resetAfter(
            b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf",
            lambda: self.origin.connections,
        )
        until(lambda: not self.origin.connections, "the origins' connections end")

    def test_inTheResponse(self) -> None:
        """While much of it is on its way."""
        flowing: list[Stream] = []

        def serve(stream: Stream) -> None:
            stream.head()
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            flowing.append(stream)
            while True:
                stream.send(b"x" * 65536)

        def flows() -> bool:
            return bool(flowing and flowing.pop())

        self.origin.serve = serve
        self.resetAfter(GET, flows)
        until(lambda: not self.origin.connections, "the origins' connections end")

    def test_withRequestsAhead(self) -> None:
        """Pipelined ones die with the connection."""
        self.origin.serve = answerEach
        self.resetAfter(GET * 100)

    def test_whileItIsDialled(self) -> None:
        """The connection that nobody wants any more is closed."""
        for octets in (
            b"GET http://127.0.0.1:%d/ HTTP/1.1\r\nHost: a\r\n\r\n",
            b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: a:1\r\n\r\n",
        ):
            clients = [self.connect("egress") for _ in range(3)]
            for client in clients:
                client.send(octets % self.deafPort())
            time.sleep(0.1)
            for client in clients:
                client.reset()

    def deafPort(self) -> int:
        """Find a port of loopback that accepts nobody, and refuses nobody either."""
        listening = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.addCleanup(listening.close)
        port: int = listening.getsockname()[1]
        for _ in range(4):
            waiting = socket.socket()
            self.addCleanup(waiting.close)
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        return port


class OriginResetTests(TrafficTestCase):
    """Origins that reset at every stage."""

    def answers(self, serve: Callable[[Stream], None], request: bytes = GET) -> list[bytes]:
        """
        Ask on five connections, one after the other.

        @return: all that came on each.
        """
        self.origin.serve = serve
        answers = []
        for _ in range(5):
            client = self.connect()
            client.send(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
            octets = b""
            try:
                while piece := client.receive():
                    octets += piece
            except ConnectionResetError:
                octets += b"<reset>"
            answers.append(octets)
        return answers

    def test_atOnce(self) -> None:
        """502."""
        for answer in self.answers(Stream.reset):
            self.assertTrue(answer.startswith(b"HTTP/1.1 502 "), answer)

    def test_afterTheRequest(self) -> None:
        """502."""

        def serve(stream: Stream) -> None:
            stream.head()
            stream.reset()

        for answer in self.answers(serve):
            self.assertTrue(answer.startswith(b"HTTP/1.1 502 "), answer)
            self.assertIn(b"error=connection_terminated", answer)

    def test_inTheHead(self) -> None:
        """502: half a head is no response."""

        def serve(stream: Stream) -> None:
            stream.head()
            stream.send(b"HTTP/1.1 200 OK\r\nConte")
            time.sleep(0.05)
            stream.reset()

        for answer in self.answers(serve):
            self.assertTrue(answer.startswith(b"HTTP/1.1 502 "), answer)
            self.assertIn(b"error=http_response_incomplete", answer)

    def test_inTheContent(self) -> None:
        """The client can't take what came for a whole response."""
        for framing in (b"Content-Length: 100", b"Transfer-Encoding: chunked", b"Server: a"):

            def serve(stream: Stream, framing: bytes = framing) -> None:
                stream.head()
                stream.send(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n4\r\nhalf\r\n" % framing)
                time.sleep(0.05)
                stream.reset()

            for answer in self.answers(serve):
                head, _, content = answer.partition(b"\r\n\r\n")
                self.assertTrue(head.startswith(b"HTTP/1.1 200 "), head)
                self.assertNotIn(b"\r\n0\r\n", content)
                self.assertLess(len(content), 100)

    def test_inTheContentForAClientOfHTTP10(self) -> None:
        """Where the close ends the content, it must not look like a close."""

        def serve(stream: Stream) -> None:
            stream.head()
            stream.send(b"HTTP/1.1 200 OK\r\n\r\nhalf")
            time.sleep(0.05)
            stream.reset()

        for answer in self.answers(serve, b"GET / HTTP/1.0\r\n\r\n"):
            self.assertTrue(answer.endswith(b"<reset>"), answer)

    def test_whileItIsSentTo(self) -> None:
        """In the middle of an upload: 502, or the end."""

        def serve(stream: Stream) -> None:
            stream.head()
            stream.exactly(1000)
            stream.reset()

        request = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n" + b"x" * 4000
        for answer in self.answers(serve, request):
            self.assertTrue(answer.startswith(b"HTTP/1.1 502 "), answer)

    def test_nonsense(self) -> None:
        """502 for what is no response."""
        for octets in (b"\x15\x03\x01\x00\x02\x02F", b"<html>", b"HTTP/1.1 200 OK\r\nA: b\n\r\n"):

            def serve(stream: Stream, octets: bytes = octets) -> None:
                stream.head()
                stream.send(octets)
                stream.rest()

            for answer in self.answers(serve):
                self.assertTrue(answer.startswith(b"HTTP/1.1 502 "), answer)

    def test_anEndlessHead(self) -> None:
        """502 at the limit."""

        def serve(stream: Stream) -> None:
            stream.head()
            stream.send(b"HTTP/1.1 200 OK\r\n")
            while True:
                stream.send(b"X-Padding: %b\r\n" % (b"x" * 1000))

        for answer in self.answers(serve):
            self.assertTrue(answer.startswith(b"HTTP/1.1 502 "), answer)
            self.assertIn(b"error=http_response_header_section_size", answer)

    def test_afterEachResponse(self) -> None:
        """A connection that closes while it is used again costs no GET (RFC 9112 §9.3.1)."""

        def serve(stream: Stream) -> None:
            stream.head()
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            time.sleep(0.001 * (self.origin.accepted % 3))

        self.origin.serve = serve
        client = self.connect()
        for _ in range(150):
            client.send(GET)
            head = client.head()
            self.assertTrue(head.startswith(b"HTTP/1.1 200 "), head)
            client.exactly(2)

    def test_interimResponsesWithoutEnd(self) -> None:
        """Neither fill the memory nor put the end of the wait off."""

        def serve(stream: Stream) -> None:
            stream.head()
            while True:
                stream.send(b"HTTP/1.1 103 Early Hints\r\nLink: </%b>\r\n\r\n" % (b"x" * 1000) * 64)

        self.origin.serve = serve
        before = self.proxy.residentOctets()
        client = self.connect("hasty", buffer=8192)
        client.send(GET)
        until(lambda: self.origin.connections, "the request arrives")
        until(lambda: not self.origin.connections, "the response is given up")
        self.assertLess(self.proxy.residentOctets() - before, 8 << 20)

    def test_inATunnel(self) -> None:
        """A reset is carried to the other side, from either."""

        def serve(stream: Stream) -> None:
            stream.exactly(4)
            stream.reset()

        client = self.tunnel(self.started(serve))
        client.send(b"ping")
        self.assertRaises(ConnectionResetError, client.rest)

        ended: list[bool] = []
        origin = self.started(lambda stream: ended.append(stream.ends()))
        self.tunnel(origin).reset()
        until(lambda: ended, "the origin hears of it")


def answerEach(stream: Stream) -> None:
    """Answer every request."""
    while True:
        stream.head()
        stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def silence(stream: Stream) -> None:
    """Read, and say nothing."""
    stream.rest()


def flood(stream: Stream) -> None:
    """Send much, until nobody wants it."""
    with contextlib.suppress(OSError):
        for _ in range(1500):
            stream.send(bytes(65536))
