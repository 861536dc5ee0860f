# -*- test-case-name: tests.policy.test_partials -*-
"""
Ranges of what is stored, in transcripts (RFC 9110 §14, §15.3.7).
"""

from __future__ import annotations

import os
from email import message_from_bytes

from intermediary.policy.partials import WHOLE_OCTETS
from intermediary.settings import CacheSettings, RouteSettings

from .test_cache import WEB, CacheTestCase

CONTENT = os.urandom(1000)
BIG = os.urandom(WHOLE_OCTETS * 6)


def partsOf(heard: bytes) -> list[tuple[str, bytes]]:
    """Read a C{multipart/byteranges} as clients do: the range and the content of each part."""
    head, _, content = heard.partition(b"\r\n\r\n")
    lines = [line.partition(b": ")[::2] for line in head.split(b"\r\n")[1:]]
    fields = {name.lower(): value for name, value in lines}
    assert int(fields[b"content-length"]) == len(content), "the length is wrong"
    value = fields[b"content-type"]
    assert value.startswith(b"multipart/byteranges; boundary=")
    boundary = value.partition(b"=")[2]
    first, *pieces, last = content.split(b"--" + boundary)
    assert first == b""
    assert last == b"--\r\n"
    found = []
    for piece in pieces:
        # Of the line that follows.
        assert piece.startswith(b"\r\n")
        assert piece.endswith(b"\r\n")
        own, _, octets = piece[2:-2].partition(b"\r\n\r\n")
        found.append((str(message_from_bytes(own + b"\r\n\r\n")["Content-Range"]), octets))
    return found


def expected(content: bytes, *spans: tuple[int, int]) -> list[tuple[str, bytes]]:
    """What a part for each of the spans is, as L{partsOf} finds them."""
    return [
        (f"bytes {start}-{stop - 1}/{len(content)}", content[start:stop]) for start, stop in spans
    ]


class PartialsTestCase(CacheTestCase):
    """A cache with room for something big."""

    def setUp(self) -> None:
        super().setUp()
        self.scenario.caching(CacheSettings(maxObjectOctets=len(BIG) + 1000))
        self.scenario.reverse(routes=(RouteSettings(upstream=WEB, cache=self.caching),))
        self.client = self.scenario.client()

    def has(self, content: bytes, *lines: bytes) -> None:
        """It is stored."""
        self.asks()
        self.isAsked()
        self.answers(b"Cache-Control: max-age=60", *lines, body=content)
        self.gets(body=content)

    def wants(self, value: bytes, *lines: bytes) -> bytes:
        """The client asks for ranges; give all that it gets."""
        self.asks(b"Range: bytes=" + value, *lines)
        return self.client.takes()


class MemoryTests(PartialsTestCase):
    """Content that is all in memory."""

    def test_several(self) -> None:
        """In the order of the request, and each with its type."""
        self.has(CONTENT, b"Content-Type: text/css")
        heard = self.wants(b"990-,0-9,300-399")
        self.assertTrue(heard.startswith(b"HTTP/1.1 206 Partial Content\r\n"))
        self.assertIn(b"; hit", heard.partition(b"\r\n\r\n")[0])
        self.assertEqual(heard.count(b"Content-Type: text/css\r\n"), 3)
        self.assertEqual(partsOf(heard), expected(CONTENT, (990, 1000), (0, 10), (300, 400)))

    def test_whatNearlyTouchesIsOne(self) -> None:
        """What overlaps, too; no octet is sent twice (RFC 9110 §15.3.7.2)."""
        self.has(CONTENT)
        heard = self.wants(b"500-599,0-9,550-700,12-20,599-599")
        self.assertEqual(partsOf(heard), expected(CONTENT, (500, 701), (0, 21)))
        self.asks(b"Range: bytes=0-500,200-,-1")
        fields = self.gets(206, CONTENT, hit=True)
        self.assertEqual(fields[b"content-range"], b"bytes 0-999/1000")

    def test_whatIsNotThere(self) -> None:
        """Is left out; if all of it is, there is nothing to be sent (RFC 9110 §15.5.17)."""
        self.has(CONTENT)
        heard = self.wants(b"2000-,0-9,1000-1001,900-")
        self.assertEqual(partsOf(heard), expected(CONTENT, (0, 10), (900, 1000)))
        self.asks(b"Range: bytes=2000-,1000-1001")
        self.assertEqual(self.gets(416, b"", hit=True)[b"content-range"], b"bytes */1000")

    def test_more(self) -> None:
        """So many are not what anybody needs, and the whole answers."""
        self.has(CONTENT)
        self.asks(b"Range: bytes=" + b"0-1,900-901," * 33)
        self.gets(200, CONTENT, hit=True)

    def test_onlyIfItIsThat(self) -> None:
        """C{If-Range} (RFC 9110 §13.1.5)."""
        self.has(CONTENT, b'ETag: "a"')
        heard = self.wants(b"0-9,900-999", b'If-Range: "a"')
        self.assertEqual(partsOf(heard), expected(CONTENT, (0, 10), (900, 1000)))
        self.asks(b"Range: bytes=0-9,900-999", b'If-Range: "b"')
        self.gets(200, CONTENT, hit=True)

    def test_long(self) -> None:
        """What is not put together first is read as the client takes it."""
        self.has(BIG)
        spans = (WHOLE_OCTETS * 2, WHOLE_OCTETS * 5), (3, 9), (WHOLE_OCTETS, WHOLE_OCTETS * 2 - 100)
        value = b",".join([b"%d-%d" % (start, stop - 1) for start, stop in spans])
        self.client.stalls()
        heard = self.wants(value)
        # One part of it is there, and the next not before that has left.
        self.assertLess(len(heard), WHOLE_OCTETS * 4)
        self.assertGreater(len(heard), WHOLE_OCTETS)
        self.client.reads()
        while more := self.client.takes():
            heard += more
        self.assertTrue(partsOf(heard) == expected(BIG, *spans))

    def test_aHead(self) -> None:
        """C{Range} means something for GET alone (RFC 9110 §14.2)."""
        self.has(CONTENT)
        self.asks(b"Range: bytes=0-9,900-999", method=b"HEAD")
        self.assertEqual(self.gets(200, b"", hit=True)[b"content-length"], b"1000")


class ArrivingTests(PartialsTestCase):
    """Content that is on its way, of a length that is known."""

    def arrives(self, octets: int) -> None:
        """So much of it is there, and another client waits for more."""
        self.asks()
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(
            b"HTTP/1.1 200 OK",
            b"Cache-Control: max-age=60",
            b"Content-Length: %d" % len(CONTENT),
            b"",
            CONTENT[:octets],
        )
        self.client.takes()
        self.first, self.client = self.client, self.scenario.client()

    def rest(self, octets: int) -> None:
        """The rest comes."""
        assert self.origin is not None
        self.origin.sends(CONTENT[octets:])
        self.first.takes()

    def test_inOrder(self) -> None:
        """Each part leaves as soon as it can."""
        self.arrives(200)
        heard = self.wants(b"0-9,150-249,900-")
        self.assertIn(CONTENT[:10], heard)
        self.assertTrue(heard.endswith(CONTENT[150:200]))
        self.rest(200)
        heard += self.client.takes()
        self.assertEqual(partsOf(heard), expected(CONTENT, (0, 10), (150, 250), (900, 1000)))

    def test_backwards(self) -> None:
        """They would keep the origin waiting: the whole answers."""
        self.arrives(200)
        self.asks(b"Range: bytes=900-,0-9")
        heard = self.client.takes()
        self.assertTrue(heard.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.rest(200)
        heard += self.client.takes()
        self.assertEqual(heard.partition(b"\r\n\r\n")[2], CONTENT)

    def test_theOriginBreaksOff(self) -> None:
        """In the middle of a part: the client can tell."""
        self.arrives(200)
        heard = self.wants(b"0-9,150-249")
        self.assertTrue(heard.endswith(CONTENT[150:200]))
        assert self.origin is not None
        self.origin.closes()
        self.assertEqual(self.client.takes(), b"")
        self.client.sees("closed")


class PartTests(PartialsTestCase):
    """Content of which some is stored (RFC 9111 §3.3)."""

    def test_within(self) -> None:
        """Several, each with its own place in the whole."""
        self.asks(b"Range: bytes=100-899")
        self.isAsked()
        self.answers(
            b"Content-Range: bytes 100-899/1000",
            b"Cache-Control: max-age=60",
            body=CONTENT[100:900],
            status=b"206 Partial Content",
        )
        self.gets(206, CONTENT[100:900], hit=False)
        heard = self.wants(b"800-899,100-109,2000-")
        self.assertIn(b"; hit", heard.partition(b"\r\n\r\n")[0])
        self.assertEqual(partsOf(heard), expected(CONTENT, (800, 900), (100, 110)))
        self.asks(b"Range: bytes=300-302,304-309")
        self.assertEqual(
            self.gets(206, CONTENT[300:310], hit=True)[b"content-range"], b"bytes 300-309/1000"
        )

    def test_notWithin(self) -> None:
        """If one of them is not, all are asked for."""
        self.test_within()
        self.asks(b"Range: bytes=100-109,850-900")
        self.isAsked(b"Range: bytes=100-109,850-900")
        self.answers(b"Cache-Control: no-store", body=CONTENT)
        self.gets(200, CONTENT, hit=False)
