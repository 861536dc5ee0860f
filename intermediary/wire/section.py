# -*- test-case-name: tests.wire.test_section -*-
"""
Heads and trailers that arrive in pieces, or that are wrong.

A head that arrives whole and is valid never gets here: L{http1} takes it apart
with two regular expressions.  Whatever is left is gathered here, and if
something is wrong with it, this finds the first octet that is: the same one
however the octets were cut into pieces, and as soon as its line is complete, or
sooner.  Looking is proportional to what arrives, also when that is one octet at
a time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn, Protocol

from .fields import TCHAR, VCHAR
from .refusal import Offence

if TYPE_CHECKING:
    from .refusal import Verdicts

# What no octets to come can make valid: controls, line ends that are not CRLF.
_HOPELESS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\Z)")

_NAME = re.compile(TCHAR + rb"*+")
_VALUE = re.compile(VCHAR + rb"*+")

#: An unfinished line is looked at after each piece as long as it is no longer.
_SHORT_LINE = 128

_CR = 0x0D
_LF = 0x0A
_COLON = 0x3A
_BLANKS = b" \t"

#: What a check of a line answers when it is right so far but not complete.
INCOMPLETE = -1


class StartLine(Protocol):
    """Checks the first line of a head."""

    def __call__(self, text: bytes) -> int:
        """
        Check a request or status line at the beginning of C{text}.

        @return: the index after its CRLF, or L{INCOMPLETE}.
        @raise WireError: no further octets can make it valid.
        """


class Section:
    """The octets of one head or trailer section, until its empty line."""

    __slots__ = (
        "_buffer",
        "_checked",
        "_limitFields",
        "_limitOctets",
        "_lines",
        "_nextCheck",
        "_scanned",
        "_sizeOffence",
        "_startLine",
        "_startLineLimit",
        "_verdicts",
    )

    def __init__(
        self,
        verdicts: Verdicts,
        sizeOffence: Offence,
        limitOctets: int,
        limitFields: int,
        startLine: StartLine | None,
        startLineLimit: int = 0,
    ) -> None:
        """
        @param limitOctets: for everything up to and with the empty line.
        @param startLine: None for trailers.
        @param startLineLimit: an endless start line is looked at often when it
            has this many octets.
        """
        self._verdicts = verdicts
        self._sizeOffence = sizeOffence
        self._limitOctets = limitOctets
        self._limitFields = limitFields
        self._startLine = startLine
        self._startLineLimit = startLineLimit
        self._buffer = bytearray()
        self._scanned = 0
        self._checked = 0
        self._lines = 0
        self._nextCheck = 0
        if startLine is None:
            # The line before the trailers ended with this one, so that the end
            # of a section without lines looks like any other.
            self._buffer += b"\r\n"
            self._checked = 2
            self._lines = 1
            self._limitOctets += 2

    @property
    def size(self) -> int:
        """How many octets are held."""
        return len(self._buffer)

    def firstLine(self) -> bytes:
        """Give the first line with its CRLF; empty as long as it is not complete."""
        end = self._buffer.find(b"\r\n")
        return bytes(self._buffer[: end + 2]) if end >= 0 else b""

    def add(self, data: bytes) -> tuple[bytes, bytes] | None:
        """
        Take more octets.

        @return: None until the section is complete; then its octets, the empty
            line included, and the rest, and it must not be called again.
        @raise WireError: it can't become valid, or not within the limits.
        """
        buffer = self._buffer
        buffer += data
        size = len(buffer)
        scanned = self._scanned
        found = buffer.find(b"\r\n\r\n", max(scanned - 3, 0))
        end = found + 4
        if found >= 0 and end <= self._limitOctets:
            self._check(end)
            skipped = 2 if self._startLine is None else 0
            return bytes(buffer[skipped:end]), bytes(buffer[end:])
        if size > self._limitOctets:
            self._check(self._limitOctets)
            raise self._verdicts.error(self._sizeOffence, "section larger than allowed")
        if (
            size - self._checked <= _SHORT_LINE
            or size >= self._nextCheck
            or buffer.find(b"\n", scanned) >= 0
            or _HOPELESS.search(buffer, max(scanned - 1, 0)) is not None
        ):
            self._check(size)
            # A longer one is looked at again when it has doubled, which costs a
            # constant per octet, but closely where its end is due.
            self._nextCheck = 2 * size
            if self._lines == 0 and self._startLineLimit:
                self._nextCheck = min(self._nextCheck, max(self._startLineLimit, size + 1))
        self._scanned = size
        return None

    def _check(self, stop: int) -> None:
        """Check the lines from the first unchecked one, as far as they are there."""
        text = bytes(self._buffer[self._checked : stop])
        position = 0
        if self._lines == 0 and self._startLine is not None:
            position = self._startLine(text)
            if position == INCOMPLETE:
                return
            self._lines = 1
        while position < len(text):
            end = self._checkFieldLine(text, position)
            if end == INCOMPLETE:
                break
            position = end
            self._lines += 1
        self._checked += position

    def _checkFieldLine(self, text: bytes, start: int) -> int:
        """
        Check one field line (RFC 9112 §5); the empty line passes as well.

        @return: the index after its CRLF, or L{INCOMPLETE}.
        """
        octet = text[start]
        if octet == _CR:
            return self._checkLineEnd(text, start)
        if self._lines > self._limitFields:
            raise self._verdicts.error(self._sizeOffence, "more fields than allowed")
        if octet in _BLANKS:
            # RFC 9112 §5.2 and §2.2.
            self._refuse(
                "obs-fold" if self._lines > 1 else "white space in front of the first field"
            )
        colon = _end(_NAME, text, start)
        if colon == len(text):
            return INCOMPLETE
        octet = text[colon]
        if octet != _COLON:
            if octet in _BLANKS:
                # RFC 9112 §5.1.
                self._refuse("white space between a field name and the colon")
            self._refuse("field line without a colon" if octet in b"\r\n" else "invalid field name")
        if colon == start:
            self._refuse("empty field name")
        return self._checkLineEnd(text, _end(_VALUE, text, colon + 1))

    def _checkLineEnd(self, text: bytes, position: int) -> int:
        ahead = text[position : position + 2]
        if ahead == b"\r\n":
            return position + 2
        if ahead in (b"", b"\r"):
            return INCOMPLETE
        if ahead[0] == _LF:
            # RFC 9112 §2.2 lets a recipient take it for a line end; the next
            # one may not, and there the smuggling starts.
            detail = "bare LF"
        else:
            detail = "bare CR" if ahead[0] == _CR else "control character in a field value"
        raise self._verdicts.error(Offence.SYNTAX, detail)

    def _refuse(self, detail: str) -> NoReturn:
        raise self._verdicts.error(Offence.SYNTAX, detail)


def _end(pattern: re.Pattern[bytes], text: bytes, start: int) -> int:
    """Index after what a pattern matches there, which may be nothing."""
    match = pattern.match(text, start)
    return start if match is None else match.end()
