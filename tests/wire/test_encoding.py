# -*- test-case-name: tests.wire.test_encoding -*-
"""
L{intermediary.wire.encoding}: messages to octets.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from intermediary.wire import encoding
from intermediary.wire.encoding import (
    LAST_CHUNK,
    REASONS,
    encodeChunk,
    encodeLastChunk,
    encodeRequest,
    encodeResponse,
)
from intermediary.wire.fields import EMPTY, Fields
from intermediary.wire.message import CHUNKED, UNTIL_CLOSE

_FIELDS = Fields.fromPairs([(b"Host", b"a"), (b"X", b"1")])


class RequestTests(SynchronousTestCase):
    """L{encodeRequest}: RFC 9112 §3."""

    def test_withoutFraming(self) -> None:
        """A request that says nothing about content has no framing field."""
        self.assertEqual(
            encodeRequest(b"GET", b"/a?b", _FIELDS, None),
            b"GET /a?b HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n",
        )

    def test_withLength(self) -> None:
        """A length is written, also when it is nought (RFC 9110 §8.6)."""
        self.assertEqual(
            encodeRequest(b"POST", b"/", _FIELDS, 0),
            b"POST / HTTP/1.1\r\nHost: a\r\nX: 1\r\nContent-Length: 0\r\n\r\n",
        )

    def test_chunked(self) -> None:
        """Chunked content is announced."""
        self.assertEqual(
            encodeRequest(b"POST", b"/", EMPTY, CHUNKED),
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        )


class ResponseTests(SynchronousTestCase):
    """L{encodeResponse}: RFC 9112 §4."""

    def test_usual(self) -> None:
        """Status, fields, length."""
        self.assertEqual(
            encodeResponse(200, b"OK", _FIELDS, 3),
            b"HTTP/1.1 200 OK\r\nHost: a\r\nX: 1\r\nContent-Length: 3\r\n\r\n",
        )

    def test_anyLength(self) -> None:
        """However many different ones there were before."""
        for length in (0, *range(1, 20_000_000, 9973), 1 << 62):
            for _ in range(2):
                encoded = encodeResponse(200, b"OK", EMPTY, length)
                self.assertEqual(encoded, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length)
        self.assertLessEqual(len(encoding._lengths), 1024)

    def test_otherReason(self) -> None:
        """A reason that is not the registered one is kept, an empty one too."""
        self.assertEqual(
            encodeResponse(200, b"Fine", EMPTY, CHUNKED),
            b"HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        self.assertEqual(encodeResponse(299, b"", EMPTY, None), b"HTTP/1.1 299 \r\n\r\n")

    def test_connection(self) -> None:
        """The connection option is written when there is one."""
        self.assertEqual(
            encodeResponse(204, b"No Content", EMPTY, None, b"close"),
            b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
        )

    def test_untilCloseHasNoFraming(self) -> None:
        """Content that ends with the connection is announced by nothing."""
        self.assertEqual(
            encodeResponse(200, b"OK", EMPTY, UNTIL_CLOSE), encodeResponse(200, b"OK", EMPTY, None)
        )

    def test_reasonsAreThoseOfTheRegistry(self) -> None:
        """The names are those of RFC 9110, not the older ones of Python 3.11."""
        self.assertEqual(REASONS[413], b"Content Too Large")
        self.assertEqual(REASONS[414], b"URI Too Long")
        self.assertEqual(REASONS[422], b"Unprocessable Content")
        self.assertEqual(REASONS[508], b"Loop Detected")


class ChunkTests(SynchronousTestCase):
    """Chunks: RFC 9112 §7.1."""

    def test_chunk(self) -> None:
        """Size in hexadecimal, data, CRLF."""
        self.assertEqual(encodeChunk(b"a" * 26), b"1a\r\n" + b"a" * 26 + b"\r\n")

    def test_anEmptyChunkIsNotWritten(self) -> None:
        """It would end the content."""
        self.assertEqual(encodeChunk(b""), b"")

    def test_lastChunk(self) -> None:
        """The end, with and without trailers."""
        self.assertEqual(encodeLastChunk(EMPTY), LAST_CHUNK)
        self.assertEqual(encodeLastChunk(Fields.fromPairs([(b"A", b"b")])), b"0\r\nA: b\r\n\r\n")
