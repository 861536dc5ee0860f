# -*- test-case-name: tests.wire.test_startline -*-
"""
Request and status lines (RFC 9112 §3 and §4).

Each has a pattern that takes a good one apart, and a function that finds out
what is wrong with any other, as L{StartLine<intermediary.wire.section.StartLine>}
wants it.
"""

from __future__ import annotations

import re
from typing import Final

from ..errors import WireError
from .fields import TCHAR, VCHAR
from .refusal import RESPONSE, Offence
from .section import INCOMPLETE

#: Longer methods do not exist; RFC 9112 §3 has a 501 for them.
METHOD_OCTETS = 64

# Everything visible but the C{#}, which no target form has (RFC 9112 §3.2).
_TARGET_OCTET = rb"[!\x22$-~]"

#: Method, target, minor version.
REQUEST_LINE: Final = re.compile(
    rb"(" + TCHAR + rb"{1,64}+) (" + _TARGET_OCTET + rb"++) HTTP/1\.([01])\r\n"
)
#: Minor version, status, reason.  The space in front of an empty reason is
#: missing in many real responses; nothing depends on it.
STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: (" + VCHAR + rb"*+))?\r\n")

_METHOD = re.compile(TCHAR + rb"*+")
_TARGET = re.compile(_TARGET_OCTET + rb"*+")
_REASON = re.compile(VCHAR + rb"*+")

_SPACE = 0x20
_LF = 0x0A
_TLS_HANDSHAKE = 0x16

_VERSION = b"HTTP/0.0\r\n"
_HTTP_2_PREFACE = b"PRI * HTTP/2.0\r\n"


def checkRequestLine(text: bytes, limitTarget: int) -> int:
    """
    Find the end of a request line or its first offending octet.

    @param limitTarget: octets that a target may have.
    """
    space = _end(_METHOD, text, 0)
    if space > METHOD_OCTETS:
        raise WireError("method too long", 501)
    if space == len(text):
        return INCOMPLETE
    octet = text[space]
    if octet != _SPACE or space == 0:
        if space == 0 and octet == _TLS_HANDSHAKE:
            raise WireError("TLS handshake on a port without TLS")
        if octet in b"\r\n":
            raise WireError("request line without a target")
        raise WireError("method is not a token")
    target = space + 1
    space = _end(_TARGET, text, target)
    if space - target > limitTarget:
        raise WireError("target longer than allowed", 414)
    if space == len(text):
        return INCOMPLETE
    octet = text[space]
    if octet != _SPACE or space == target:
        if octet in b" \t":
            raise WireError("white space in the request line besides its two spaces")
        if octet in b"\r\n":
            raise WireError("request line without a version")
        raise WireError(
            "fragment in a target" if octet == ord("#") else "invalid octet in a target"
        )
    return _checkVersion(text, space + 1)


def _checkVersion(text: bytes, start: int) -> int:
    ahead = text[start : start + len(_VERSION)]
    for octet, expected in zip(ahead, _VERSION, strict=False):
        if octet != expected and not (expected == ord("0") and 0x30 <= octet <= 0x39):
            if octet == _LF:
                raise WireError("bare LF")
            raise WireError("no HTTP version where one is due")
    if len(ahead) < len(_VERSION):
        return INCOMPLETE
    if ahead not in (b"HTTP/1.1\r\n", b"HTTP/1.0\r\n"):
        if text.startswith(_HTTP_2_PREFACE):
            raise WireError("HTTP/2 preface on a port for HTTP/1", 505)
        raise WireError("HTTP version other than 1.0 and 1.1", 505)
    return start + len(_VERSION)


# A status line up to the last digit of the status: what is allowed at each place.
_STATUS_START = [bytes((octet,)) for octet in b"HTTP/1."]
_STATUS_START += [b"01", b" ", b"123456789", b"0123456789", b"0123456789"]


def checkStatusLine(text: bytes) -> int:
    """Find the end of a status line or its first offending octet."""
    for index, (octet, allowed) in enumerate(zip(text, _STATUS_START, strict=False)):
        if octet not in allowed:
            raise RESPONSE.error(
                Offence.SYNTAX,
                "invalid status" if index > len("HTTP/1.1") else "not an HTTP/1.x status line",
            )
    start = len(_STATUS_START)
    if len(text) <= start:
        return INCOMPLETE
    end = _end(_REASON, text, start) if text[start] == _SPACE else start
    ahead = text[end : end + 2]
    if ahead == b"\r\n":
        return end + 2
    if ahead in (b"", b"\r"):
        return INCOMPLETE
    raise RESPONSE.error(Offence.SYNTAX, "invalid octet in a status line")


def _end(pattern: re.Pattern[bytes], text: bytes, start: int) -> int:
    match = pattern.match(text, start)
    return start if match is None else match.end()
