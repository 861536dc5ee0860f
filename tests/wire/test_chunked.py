# -*- test-case-name: tests.wire.test_chunked -*-
"""
L{intermediary.wire.chunked}: chunked content without its framing.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import WireError
from intermediary.settings import Limits
from intermediary.wire.chunked import (
    DROPPED_TRAILERS,
    EXTENSION_OCTETS,
    REFUSED_TRAILERS,
    ChunkedDecoder,
)
from intermediary.wire.fields import EMPTY, Fields
from intermediary.wire.forwarding import HOP_BY_HOP
from intermediary.wire.refusal import REQUEST, RESPONSE

from .feeding import each


def decoder(bodyOctets: int | None = None, limits: Limits | None = None) -> ChunkedDecoder:
    """Make a decoder for a request."""
    return ChunkedDecoder(limits or Limits(), REQUEST, bodyOctets)


def decode(octets: bytes) -> tuple[bytes, Fields, bytes]:
    """Decode a whole message, at once and octet by octet: content, trailers, rest."""
    content: list[bytes] = []
    whole = decoder()
    rest = whole.decode(octets, content)
    assert rest is not None
    cut = decoder()
    pieces: list[bytes] = []
    end = len(octets) - len(rest)
    for at, octet in enumerate(each(octets[:end])):
        done = cut.decode(octet, pieces)
        assert (done is not None) == (at == end - 1)
        assert cut.held < 400
    assert b"".join(pieces) == b"".join(content)
    assert cut.trailers == whole.trailers
    return b"".join(content), whole.trailers, rest


class DecodeTests(SynchronousTestCase):
    """L{ChunkedDecoder.decode}: RFC 9112 §7.1."""

    def test_content(self) -> None:
        """Chunks are joined, whatever case and zeros their sizes have."""
        self.assertEqual(
            decode(b"3\r\nabc\r\n00a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\nrest"),
            (b"abc01234567890123456789", EMPTY, b"rest"),
        )

    def test_dataMayLookLikeFraming(self) -> None:
        """CR, LF and sizes in the data are data."""
        self.assertEqual(
            decode(b"9\r\n\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n"), (b"\r\n0\r\n\r\n\r\n", EMPTY, b"")
        )

    def test_noContent(self) -> None:
        """The last chunk may be the only one, with any number of noughts."""
        self.assertEqual(decode(b"0\r\n\r\n"), (b"", EMPTY, b""))
        self.assertEqual(decode(b"0000000000000000\r\n\r\n0"), (b"", EMPTY, b"0"))

    def test_extensionsAreDropped(self) -> None:
        """All legal forms without white space are checked and forgotten."""
        for extension in [
            b";a",
            b";a=b",
            b';a="b c;"',
            b';a="\\"\\\\"',
            b';a="";b=c;d',
            b';a="\xe4\t"',
        ]:
            self.assertEqual(
                decode(b"1" + extension + b"\r\nx\r\n0" + extension + b"\r\n\r\n"),
                (b"x", EMPTY, b""),
            )

    def test_extensionOfTheLimit(self) -> None:
        """An extension of just the limit passes, an octet more does not."""
        fits = b"1;" + b"a" * (EXTENSION_OCTETS - 1) + b"\r\n"
        self.assertIsNone(decoder().decode(fits, []))
        self.assertRaises(WireError, decoder().decode, fits.replace(b";", b";a"), [])

    def test_extensionsInProportion(self) -> None:
        """Signed chunks of a decent size may go on for ever."""
        chunk = b"1000;chunk-signature=" + b"0" * 64 + b"\r\n" + b"x" * 4096 + b"\r\n"
        content: list[bytes] = []
        self.assertIsNone(decoder().decode(chunk * 1000, content))
        self.assertEqual(len(content), 1000)

    def test_wholePiecesAreNotCopied(self) -> None:
        """What arrives in the middle of a chunk is handed on as it is."""
        reader = decoder()
        reader.decode(b"ffff\r\n", [])
        content: list[bytes] = []
        piece = b"x" * 1000
        reader.decode(piece, content)
        self.assertIs(content[0], piece)

    def test_theBudgetIsExact(self) -> None:
        """Content of just the limit passes; one chunk size beyond is a 413."""
        self.assertEqual(decoder(5).decode(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", []), b"")
        content: list[bytes] = []
        error = self.assertRaises(WireError, decoder(5).decode, b"3\r\nabc\r\n3\r\n", content)
        self.assertEqual(error.status, 413)
        self.assertEqual(content, [b"abc"])

    def test_whatCameBeforeAnErrorIsThere(self) -> None:
        """Content that was decoded is not lost when the rest is refused."""
        content: list[bytes] = []
        self.assertRaises(WireError, decoder().decode, b"3\r\nabc\r\nx", content)
        self.assertEqual(content, [b"abc"])

    def test_errorsAreThoseOfTheSide(self) -> None:
        """A response is refused with its own token."""
        reader = ChunkedDecoder(Limits(), RESPONSE, None)
        error = self.assertRaises(WireError, reader.decode, b"x", [])
        self.assertEqual((error.status, error.token), (502, "http_response_transfer_coding"))


class TrailerTests(SynchronousTestCase):
    """Trailers: RFC 9110 §6.5."""

    def test_areHandedOver(self) -> None:
        """What may stand in a trailer section comes out of it."""
        _, trailers, rest = decode(b"0\r\nServer-Timing: a\r\nX:b\r\nX: c\r\n\r\nrest")
        self.assertEqual(trailers.pairs, [(b"Server-Timing", b"a"), (b"X", b"b"), (b"X", b"c")])
        self.assertEqual(rest, b"rest")

    def test_someAreDropped(self) -> None:
        """Fields that only make sense in a head do not come out (§6.5.1)."""
        for name in DROPPED_TRAILERS:
            _, trailers, _ = decode(b"0\r\nA: b\r\n%b: x\r\n\r\n" % name.title())
            self.assertEqual(trailers.pairs, [(b"A", b"b")], name)

    def test_framingAndRoutingAreRefused(self) -> None:
        """Fields that could re-frame or re-route the message, if merged."""
        for name in REFUSED_TRAILERS:
            octets = b"0\r\nA: b\r\n%b: 1\r\n\r\n" % name.title()
            self.assertRaises(WireError, decoder().decode, octets, [])

    def test_nothingHopByHopGetsThrough(self) -> None:
        """Whatever a head must not forward, trailers do not either."""
        self.assertTrue(HOP_BY_HOP <= DROPPED_TRAILERS | REFUSED_TRAILERS)
