# -*- test-case-name: tests.wire.test_chunked -*-
"""
Chunked content (RFC 9112 §7.1), taken out of its framing.

Extensions are checked and dropped; nothing of the framing is ever passed on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import WireError
from .fields import EMPTY, TCHAR, parseFields
from .refusal import Offence
from .section import Section

if TYPE_CHECKING:
    from ..settings import Limits
    from .fields import Fields
    from .refusal import Verdicts

#: Octets of the extensions of one chunk.
EXTENSION_OCTETS = 256
#: Octets of all extensions of one message, beyond a sixteenth of its content:
#: nobody sends them to be read, so a flood of them is an attack.
EXTENSIONS_OCTETS = 4096

# White space is legal nowhere but around the parts of an extension, where RFC
# 9112 §7.1.1 calls it bad; it is what differing parsers differ about.
_EXTENSIONS = (
    rb"(?:;"
    + TCHAR
    + rb"++(?:=(?:"
    + TCHAR
    + rb'++|"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*+"))?)'
)
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16}+)(" + _EXTENSIONS + rb"++)?\r\n")
# The CRLF after a chunk's data and the next size line, in one go.
_NEXT_SIZE_LINE = re.compile(rb"\r\n" + _SIZE_LINE.pattern)
_DIGITS = re.compile(rb"[0-9A-Fa-f]*+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

#: Octets of a size line, with the CRLF in front of it.
_LINE_OCTETS = 2 + 16 + EXTENSION_OCTETS + 2

#: Trailers that are refused: somebody could merge them into the head, where
#: they would change framing or routing (RFC 9110 §6.5.1).
REFUSED_TRAILERS = frozenset({b"content-length", b"host", b"transfer-encoding"})

#: Trailers that are dropped: control data, request modifiers, authentication
#: and content format have no meaning at the end (RFC 9110 §6.5.1), hop-by-hop
#: fields none beyond this connection (§7.6.1).
DROPPED_TRAILERS = frozenset(
    {
        b"age",
        b"authorization",
        b"cache-control",
        b"connection",
        b"content-encoding",
        b"content-range",
        b"content-type",
        b"cookie",
        b"date",
        b"expect",
        b"expires",
        b"forwarded",
        b"http2-settings",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-range",
        b"if-unmodified-since",
        b"keep-alive",
        b"location",
        b"max-forwards",
        b"pragma",
        b"proxy",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"range",
        b"retry-after",
        b"set-cookie",
        b"te",
        b"trailer",
        b"upgrade",
        b"vary",
        b"via",
        b"warning",
        b"www-authenticate",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
    }
)


class ChunkedDecoder:
    """
    Takes the content out of one chunked message.

    @ivar trailers: what followed the last chunk; meaningful once L{decode} has
        returned a rest.
    """

    __slots__ = (
        "_budget",
        "_extensionOctets",
        "_held",
        "_limits",
        "_remaining",
        "_section",
        "_sizeLine",
        "_verdicts",
        "trailers",
    )

    def __init__(self, limits: Limits, verdicts: Verdicts, bodyOctets: int | None) -> None:
        """
        @param bodyOctets: how much content may come in all, None for any.
        """
        self._limits = limits
        self._verdicts = verdicts
        self._budget = bodyOctets
        self._remaining = 0
        self._held = b""
        self._section: Section | None = None
        self._sizeLine = _SIZE_LINE
        self._extensionOctets = 0
        self.trailers: Fields = EMPTY

    @property
    def held(self) -> int:
        """How many octets wait for others."""
        return len(self._held) + (self._section.size if self._section is not None else 0)

    def decode(self, data: bytes, content: list[bytes]) -> bytes | None:
        """
        Take more octets.

        @param content: pieces of content are appended to it, also when this
            raises.
        @return: None while more is to come; at the end, what came after it.
        @raise WireError: by the verdicts, or 413 when the content gets larger
            than it may.
        """
        if self._section is not None:
            return self._addTrailers(self._section, data)
        if self._held:
            data = self._held + data
            self._held = b""
        size = self._remaining
        position = 0
        available = len(data)
        sizeLine = self._sizeLine
        while True:
            if size:
                end = position + size
                if end > available:
                    if position < available:
                        content.append(data[position:] if position else data)
                    self._remaining = end - available
                    self._sizeLine = _NEXT_SIZE_LINE
                    return None
                content.append(data[position:end])
                position = end
                sizeLine = _NEXT_SIZE_LINE
            match = sizeLine.match(data, position)
            if match is None:
                self._remaining = 0
                self._sizeLine = sizeLine
                self._held = data[position:]
                self._checkSizeLine(self._held[:_LINE_OCTETS], sizeLine is _NEXT_SIZE_LINE)
                return None
            digits, extensions = match.groups()
            size = int(digits, 16)
            if extensions is not None:
                self._countExtensions(len(extensions), size)
            if self._budget is not None:
                self._budget -= size
                if self._budget < 0:
                    raise WireError("content larger than allowed", 413)
            position = match.end()
            if not size:
                return self._startTrailers(data[position:])

    def _countExtensions(self, octets: int, size: int) -> None:
        if octets > EXTENSION_OCTETS:
            raise self._verdicts.error(Offence.CODING, "malformed or too long chunk extension")
        self._extensionOctets = max(0, self._extensionOctets + octets - size // 16)
        if self._extensionOctets > EXTENSIONS_OCTETS:
            raise self._verdicts.error(Offence.CODING, "flood of chunk extensions")

    def _checkSizeLine(self, text: bytes, afterData: bool) -> None:
        """Refuse the beginning of a size line that can't become a valid one."""
        start = 0
        if afterData:
            if not b"\r\n".startswith(text[:2]):
                raise self._verdicts.error(Offence.CODING, "chunk longer than its size")
            start = 2
        match = _DIGITS.match(text, start)
        end = start if match is None else match.end()
        if end - start > 16:
            raise self._verdicts.error(Offence.CODING, "chunk size too large")
        if end >= len(text):
            return
        rest = text[end:]
        if end == start or (rest[:1] != b";" and not b"\r\n".startswith(rest)):
            raise self._verdicts.error(Offence.CODING, "malformed chunk size")
        if rest[:1] == b";":
            # A lone CR at the end may be half of the line's CRLF, whole it
            # would have matched if the extension were any good.
            if rest.endswith(b"\r"):
                rest = rest[:-1]
            if len(rest) > EXTENSION_OCTETS or _CONTROL.search(rest) is not None:
                raise self._verdicts.error(Offence.CODING, "malformed or too long chunk extension")

    def _startTrailers(self, data: bytes) -> bytes | None:
        if data.startswith(b"\r\n"):
            return data[2:]
        self._section = Section(
            self._verdicts,
            Offence.TRAILER_SIZE,
            self._limits.trailerOctets,
            self._limits.headerFields,
            None,
        )
        return self._addTrailers(self._section, data)

    def _addTrailers(self, section: Section, data: bytes) -> bytes | None:
        complete = section.add(data)
        if complete is None:
            return None
        block, rest = complete
        parsed = parseFields(block)
        assert parsed is not None, "a section that was checked does not parse"
        trailers, _ = parsed
        if not REFUSED_TRAILERS.isdisjoint(trailers.index):
            raise self._verdicts.error(Offence.SYNTAX, "framing or routing field in the trailers")
        self.trailers = trailers.without(DROPPED_TRAILERS)
        self._section = None
        return rest
