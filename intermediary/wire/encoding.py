# -*- test-case-name: tests.wire.test_encoding -*-
"""
Messages to octets (RFC 9112 §2.1).

The counterpart of L{intermediary.wire.http1}: pure functions of what is
already valid.  Fields that frame a message are written here and nowhere else,
so C{fields} must not hold any (L{intermediary.wire.forwarding} removes them).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from .message import CHUNKED, UNTIL_CLOSE

if TYPE_CHECKING:
    from .fields import Fields

#: The reason phrases of RFC 9110 §15 and its registry.
REASONS: Final[dict[int, bytes]] = {
    status.value: status.phrase.encode("ascii") for status in HTTPStatus
}
REASONS[413] = b"Content Too Large"
REASONS[414] = b"URI Too Long"
REASONS[422] = b"Unprocessable Content"

#: The lines of the usual reason phrases.
_STATUS_LINES: Final = {
    status: b"HTTP/1.1 %d %b\r\n" % (status, reason) for status, reason in REASONS.items()
}

#: The lines of recent lengths, and how many these are.
_lengths: Final[dict[int, bytes]] = {}
_LENGTHS: Final = 1024

_TRANSFER_ENCODING: Final = b"Transfer-Encoding: chunked\r\n\r\n"

#: Ends chunked content that has no trailers.
LAST_CHUNK: Final = b"0\r\n\r\n"


def encodeRequest(method: bytes, target: bytes, fields: Fields, framing: int | None) -> bytes:
    """
    Write the head of an HTTP/1.1 request.

    @param framing: a length, C{CHUNKED}, or None for a request that says
        nothing about content, as a GET should.
    """
    if framing is None:
        return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, fields.encoded)
    return b"%b %b HTTP/1.1\r\n%b%b" % (method, target, fields.encoded, _framingLines(framing))


def encodeResponse(
    status: int,
    reason: bytes,
    fields: Fields,
    framing: int | None,
    connection: bytes | None = None,
    more: bytes = b"",
) -> bytes:
    """
    Write the head of an HTTP/1.1 response.

    @param framing: a length, C{CHUNKED}, or None (as C{UNTIL_CLOSE}) for a head
        that says nothing about content: 1xx, 204, what ends with the
        connection.  An answer to C{HEAD} and a 304 may state a length.
    @param connection: the value of a C{Connection} field, None for none.
    @param more: encoded lines behind the fields.
    """
    if REASONS.get(status) == reason:
        line = _STATUS_LINES[status]
    else:
        line = b"HTTP/1.1 %d %b\r\n" % (status, reason)
    if connection is not None:
        line = b"%bConnection: %b\r\n" % (line, connection)
    if framing is None or framing == UNTIL_CLOSE:
        return b"%b%b%b\r\n" % (line, fields.encoded, more)
    return b"%b%b%b%b" % (line, fields.encoded, more, _framingLines(framing))


def _framingLines(framing: int) -> bytes:
    if framing < 0:
        assert framing == CHUNKED
        return _TRANSFER_ENCODING
    # To spell a number takes longer than all else here.
    lines = _lengths.get(framing)
    if lines is None:
        lines = b"Content-Length: %d\r\n\r\n" % framing
        if len(_lengths) >= _LENGTHS:
            _lengths.clear()
        _lengths[framing] = lines
    return lines


def encodeChunk(data: bytes) -> bytes:
    """Write one chunk; nothing at all for no octets, as an empty one is the last."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def encodeLastChunk(trailers: Fields) -> bytes:
    """Write what ends chunked content, trailers included."""
    return b"0\r\n%b\r\n" % trailers.encoded
