# -*- test-case-name: tests.smoke.test_gateway -*-
"""Messages of every shape through the reverse endpoint of a real process."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .peers import Background, Content, digestOf
from .running import TrafficTestCase, until

if TYPE_CHECKING:
    from .peers import Stream

MIB = 1 << 20

#: What a process may grow by while a body passes that its receiver does not
#: read, and by the usual noise of an allocator.
BOUND_OCTETS = 12 * MIB


def lengthOf(head: bytes) -> int:
    """Find out how much content a head announces."""
    (line,) = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return int(line.partition(b":")[2])


class ContentTests(TrafficTestCase):
    """Content arrives as it was sent, however much, and whichever side is slow."""

    def test_largeBodiesBothWays(self) -> None:
        """50 MiB up and then 50 MiB down, of known length."""
        content = Content(50 * MIB)
        came: list[str] = []

        def serve(stream: Stream) -> None:
            came.append(digestOf(stream.pieces(lengthOf(stream.head()))))
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % content.octets)
            content.send(stream)

        self.origin.serve = serve
        before = self.proxy.residentOctets()
        client = self.connect()
        client.send(
            b"PUT /large HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % content.octets
        )
        sending = Background(content.send, client)
        self.assertEqual(lengthOf(client.head()), content.octets)
        self.assertEqual(digestOf(client.pieces(content.octets)), content.digest)
        sending.result()
        self.assertEqual(came, [content.digest])
        self.assertLess(self.proxy.residentOctets() - before, BOUND_OCTETS)
        record = self.proxy.record("/large")
        self.assertEqual(record["octets_in"], content.octets)
        self.assertEqual(record["octets_out"], content.octets)

    def test_chunkedBothWays(self) -> None:
        """Of unknown length, in chunks of many sizes (RFC 9112 §7.1)."""
        content = Content(8 * MIB + 1)
        came: list[str] = []

        def serve(stream: Stream) -> None:
            head = stream.head()
            assert b"transfer-encoding: chunked" in head.lower()
            came.append(digestOf(stream.chunks()))
            stream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            content.sendChunked(stream)

        self.origin.serve = serve
        client = self.connect()
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        sending = Background(content.sendChunked, client)
        self.assertTrue(client.head().startswith(b"HTTP/1.1 200 "))
        self.assertEqual(digestOf(client.chunks()), content.digest)
        sending.result()
        self.assertEqual(came, [content.digest])

    def test_contentThatEndsWithTheConnection(self) -> None:
        """To a client of HTTP/1.1 it comes in chunks, to one of HTTP/1.0 as it is."""
        content = Content(3 * MIB + 1)

        def serve(stream: Stream) -> None:
            stream.head()
            stream.send(b"HTTP/1.0 200 OK\r\n\r\n")
            content.send(stream)

        self.origin.serve = serve
        client = self.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertIn(b"transfer-encoding: chunked", client.head().lower())
        self.assertEqual(digestOf(client.chunks()), content.digest)
        client = self.connect()
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        self.assertNotIn(b"transfer-encoding", client.head().lower())
        self.assertEqual(digestOf(iter([client.rest()])), content.digest)

    def test_aSlowReader(self) -> None:
        """What it does not read waits at the origin, not in the memory here."""
        content = Content(48 * MIB)
        sent = 0

        def serve(stream: Stream) -> None:
            nonlocal sent
            stream.head()
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % content.octets)
            for piece in content.pieces():
                stream.send(piece)
                sent += len(piece)

        self.origin.serve = serve
        before = self.proxy.residentOctets()
        client = self.connect(buffer=65536)
        client.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        client.head()
        self.assertLess(self.stalled(lambda: sent), content.octets)
        self.assertLess(self.proxy.residentOctets() - before, BOUND_OCTETS)
        self.assertEqual(digestOf(client.pieces(content.octets)), content.digest)
        self.assertLess(self.proxy.residentOctets() - before, BOUND_OCTETS)

    def test_aSlowOrigin(self) -> None:
        """What it does not read waits at the client, not in the memory here."""
        content = Content(48 * MIB)
        sent = 0
        patient = self.started()
        came: list[str] = []
        reading: list[Stream] = []

        def serve(stream: Stream) -> None:
            stream.head()
            reading.append(stream)
            until(lambda: not reading, "the test lets the origin read")
            came.append(digestOf(stream.pieces(content.octets)))
            stream.send(b"HTTP/1.1 204 No Content\r\n\r\n")

        def send() -> None:
            nonlocal sent
            for piece in content.pieces():
                client.send(piece)
                sent += len(piece)

        patient.serve = serve
        before = self.proxy.residentOctets()
        client = self.connect("egress")
        client.send(
            b"PUT http://127.0.0.1:%d/ HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
            % (patient.port, content.octets)
        )
        sending = Background(send)
        until(lambda: reading, "the request arrives")
        self.assertLess(self.stalled(lambda: sent), content.octets)
        self.assertLess(self.proxy.residentOctets() - before, BOUND_OCTETS)
        reading.clear()
        self.assertTrue(client.head().startswith(b"HTTP/1.1 204 "))
        sending.result()
        self.assertEqual(came, [content.digest])
        self.assertLess(self.proxy.residentOctets() - before, BOUND_OCTETS)

    def stalled(self, count: object) -> int:
        """Wait until a count does not change any more; give it."""
        assert callable(count)
        while True:
            before: int = count()
            time.sleep(0.4)
            if before and count() == before:
                return before


class MessageTests(TrafficTestCase):
    """What is neither large nor usual."""

    def test_pipelinedRequestsAreAnsweredInOrder(self) -> None:
        """Each after the one before it (RFC 9112 §9.3.2)."""

        def serve(stream: Stream) -> None:
            while True:
                path = stream.head().split()[1]
                # The later, the quicker: only order keeps them in order.
                time.sleep(0.2 / int(path[1:]))
                stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path))

        self.origin.serve = serve
        client = self.connect()
        numbers = range(1, 21)
        client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in numbers))
        for number in numbers:
            path = b"/%d" % number
            self.assertEqual(lengthOf(client.head()), len(path))
            self.assertEqual(client.exactly(len(path)), path)

    def test_answersWithoutContent(self) -> None:
        """HEAD, 204 and 304 leave the connection as it was (RFC 9112 §6.3)."""
        answers = {
            b"HEAD": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
            b"OPTIONS": b"HTTP/1.1 204 No Content\r\n\r\n",
            b"GET": b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 1000\r\n\r\n',
        }

        def serve(stream: Stream) -> None:
            while True:
                stream.send(answers[stream.head().split()[0]])

        self.origin.serve = serve
        client = self.connect()
        for method in (b"HEAD", b"OPTIONS", b"GET", b"HEAD"):
            client.send(b"%b / HTTP/1.1\r\nHost: a\r\n\r\n" % method)
            head = client.head()
            self.assertEqual(head.split()[1], answers[method].split()[1])
            if method == b"HEAD":
                self.assertEqual(lengthOf(head), 1000)
        client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        client.head()
        self.assertEqual(client.rest(), b"")

    def test_interimResponses(self) -> None:
        """103 is passed on before the final response (RFC 8297)."""

        def serve(stream: Stream) -> None:
            stream.head()
            stream.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
            stream.upTo(b"go on")
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        self.origin.serve = serve
        client = self.connect()
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
        hints = client.head()
        self.assertTrue(hints.startswith(b"HTTP/1.1 103 "), hints)
        self.assertIn(b"Link: </a.css>", hints)
        client.send(b"go on")
        self.assertTrue(client.head().startswith(b"HTTP/1.1 200 "))

    def test_100ContinueComesFromTheOrigin(self) -> None:
        """The client waits for the origin's word (RFC 9110 §10.1.1)."""
        asked: list[bytes] = []

        def serve(stream: Stream) -> None:
            asked.append(stream.head())
            stream.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            stream.exactly(5)
            stream.send(b"HTTP/1.1 204 No Content\r\n\r\n")

        self.origin.serve = serve
        client = self.connect()
        client.send(
            b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        )
        self.assertTrue(client.head().startswith(b"HTTP/1.1 100 "))
        self.assertIn(b"expect: 100-continue", asked[0].lower())
        client.send(b"hello")
        self.assertTrue(client.head().startswith(b"HTTP/1.1 204 "))

    def test_aFinalResponseBeforeTheContent(self) -> None:
        """A refusal is delivered, though most of the upload is never read."""

        def serve(stream: Stream) -> None:
            stream.head()
            stream.send(
                b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
            )
            stream.ends()

        def send() -> None:
            try:
                Content(64 * MIB).send(client)
            except OSError:
                pass  # nobody reads it

        self.origin.serve = serve
        client = self.connect()
        client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (64 * MIB))
        sending = Background(send)
        head = client.head()
        self.assertTrue(head.startswith(b"HTTP/1.1 413 "), head)
        self.assertEqual(client.exactly(2), b"no")
        client.close()
        sending.result()

    def test_noServer(self) -> None:
        """502 with the reason's token, and without the server's address."""
        self.origin.serve = lambda stream: stream.reset()
        client = self.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = client.rest()
        self.assertTrue(answer.startswith(b"HTTP/1.1 502 "), answer)
        # Which of them is a matter of who is quicker.
        self.assertRegex(answer, b"error=connection_(terminated|refused)")
        self.assertNotIn(b"127.0.0.1", answer)
        self.assertNotIn(b"%d" % self.origin.port, answer)
