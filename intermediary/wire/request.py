# -*- test-case-name: tests.wire.test_http1 -*-
"""
Octets to requests (RFC 9112 §3).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from ..errors import WireError
from .chunked import ChunkedDecoder
from .fields import parseFields
from .framing import checkContent, persists, requestFraming, requestHost
from .message import CHUNKED, END, NO_BODY, End, RequestHead
from .reader import CHUNKS, FINISHED, HEAD, LENGTH, NOTHING, Reader
from .refusal import REQUEST, Offence
from .section import Section
from .startline import REQUEST_LINE, checkRequestLine
from .target import checkForm

if TYPE_CHECKING:
    from ..settings import Limits
    from .connects import ConnectHeads
    from .fields import Fields

RequestEvent = RequestHead | bytes | End

#: Empty lines that are passed over in front of a request (RFC 9112 §2.2).
EMPTY_LINES: Final = 2

_SLASH: Final = 0x2F
#: Methods whose requests are not framed like all others.
_NO_CONTENT_METHODS: Final = frozenset({b"CONNECT", b"TRACE"})


#: Field block with its empty line and minor version of a head; fields, framing,
#: keepAlive, expectsContinue and host that they meant.
_Memo = tuple[bytes, bytes, "Fields", int, bool, bool, "bytes | None"]

_CONNECT: Final = b"CONNECT "


class RequestReader(Reader):
    """
    Reads requests from a client's connection.

    After the L{End} of one it holds what follows until L{resume}, so pipelined
    requests come one by one; whoever feeds it should stop reading while C{held}
    is not 0 then.  A head whose fields are, octet by octet, those of the two
    before gets the same L{Fields<intermediary.wire.fields.Fields>} object.
    """

    __slots__ = ("_connects", "_emptyLines", "_memo", "_seen", "_targetOctets")

    def __init__(self, limits: Limits, connects: ConnectHeads | None = None) -> None:
        """
        @param connects: what is remembered for all connections with these limits.
        """
        super().__init__(limits, HEAD)
        self._connects = connects
        #: As L{_headOctets}, of a target.
        self._targetOctets = limits.targetOctets
        self._emptyLines = 0
        #: The hash of the last field block.
        self._seen = 0
        #: Of the last head.
        self._memo: _Memo | None = None

    @property
    def inHead(self) -> bool:
        """Whether a head has begun that is not complete."""
        return self._state == HEAD and (self._section is not None or bool(self._held))

    def receive(self, data: bytes) -> list[RequestEvent]:
        """
        Take octets from the connection.

        @raise WireError: they are not a valid request, or too much of one; the
            exception knows the status to answer with.  Every later call raises
            it again.
        """
        events: list[RequestEvent] = []
        try:
            # The short way: a whole head without content.
            if self._state == HEAD and self._section is None and not self._held:
                head = self._parseHead(data)
                if head is not None:
                    if head.framing == NO_BODY:
                        self._state = NOTHING
                        if self._headEnd < len(data):
                            self._held = data[self._headEnd :]
                        return [head, END]
                    self._begin(head, events)
                    data = data[self._headEnd :]
            self._advance(data, events)
        except WireError as error:
            if self._state == HEAD:
                error.requestLine = self._requestLine(data)
            raise self._died(error, events) from None
        return events

    def resume(self) -> list[RequestEvent]:
        """
        Go on with the next request, after the L{End} of one.

        @raise WireError: as L{receive}.
        """
        if self._state != NOTHING:
            if self._error is not None:
                raise self._error
            raise RuntimeError("resume() is for after the end of a request")
        self._state = HEAD
        if not self._held:
            return []
        data = bytes(self._held)
        self._held = b""
        return self.receive(data)

    def forget(self) -> None:
        """Let go of the remembered fields, to save memory while nothing happens."""
        self._memo = None

    def _advance(self, data: bytes, events: list[RequestEvent]) -> None:
        """Read as far as possible, in any state."""
        rest: bytes | None = data
        if self._state == HEAD:
            rest = self._readHead(data, events)
        if rest:
            if self._state == LENGTH:
                rest = self._readLength(rest, events)
            elif self._state == CHUNKS:
                rest = self._readChunks(rest, events)
        if rest:
            if self._state == FINISHED:
                raise self._error or RuntimeError("this reader was detached")
            self._hold(rest)

    def _readHead(self, data: bytes, events: list[RequestEvent]) -> bytes | None:
        """
        Read a head that did not take the short way.

        @return: what follows the head; None as long as it is not complete.
        """
        section = self._section
        if section is None:
            if self._held:
                data = bytes(self._held) + data
                self._held = b""
            while data.startswith(b"\r\n"):
                self._emptyLines += 1
                if self._emptyLines > EMPTY_LINES:
                    raise WireError("too many empty lines in front of a request")
                data = data[2:]
            if data in (b"", b"\r"):
                self._held = data
                return None
            head = self._parseHead(data)
            if head is not None:
                rest = data[self._headEnd :]
            else:
                limits = self._limits
                section = self._section = Section(
                    REQUEST,
                    Offence.HEAD_SIZE,
                    limits.headerOctets,
                    limits.headerFields,
                    partial(checkRequestLine, limitTarget=limits.targetOctets),
                    limits.targetOctets,
                )
        if section is not None:
            complete = section.add(data)
            if complete is None:
                return None
            octets, rest = complete
            self._section = None
            head = self._parseHead(octets)
        assert head is not None, "a head that was checked does not parse"
        self._emptyLines = 0
        self._begin(head, events)
        return rest

    def _requestLine(self, data: bytes) -> tuple[bytes, bytes, int] | None:
        """Find the valid request line of a head that is not."""
        section = self._section
        octets = (bytes(self._held) + data).lstrip() if section is None else section.firstLine()
        match = REQUEST_LINE.match(octets)
        if match is None:
            return None
        method, target, minor = match.groups()
        return method, target[: self._limits.targetOctets], 11 if minor == b"1" else 10

    def _begin(self, head: RequestHead, events: list[RequestEvent]) -> None:
        """Set up what is to be read after a head."""
        framing = head.framing
        events.append(head)
        if framing == NO_BODY:
            events.append(END)
            self._state = NOTHING
        elif framing == CHUNKED:
            self._decoder = ChunkedDecoder(self._limits, REQUEST, self._limits.bodyOctets)
            self._state = CHUNKS
        else:
            self._remaining = framing
            self._state = LENGTH

    def _parseHead(self, data: bytes) -> RequestHead | None:
        """
        Take apart the head at the beginning of C{data}, and set C{_headEnd}.

        @return: None when it is incomplete, malformed or over a limit, for
            L{Section} to find out.
        @raise WireError: it is well-formed but not valid.
        """
        memo = self._memo
        # The first of its connection.
        connects = self._connects if memo is None and data[:8] == _CONNECT else None
        if connects is not None:
            known = connects.find(data)
            if known is not None:
                self._headEnd = len(data)
                return known
        match = REQUEST_LINE.match(data)
        if match is None:
            return None
        method, target, minor = match.groups()
        if len(target) > self._targetOctets:
            return None
        start = match.end()
        # A slice is made and compared faster than startswith() reads its arguments.
        end = start if memo is None else start + len(memo[0])
        if memo is not None and minor == memo[1] and data[start:end] == memo[0]:
            if end > self._headOctets:
                return None
            if target[0] != _SLASH or method in _NO_CONTENT_METHODS:
                checkForm(method, target)
                checkContent(method, memo[3])
            self._headEnd = end
            _, _, fields, framing, keepAlive, expectsContinue, host = memo
            version = 11 if minor == b"1" else 10
            return RequestHead(
                method, target, version, fields, framing, keepAlive, expectsContinue, host
            )
        parsed = parseFields(data, start)
        if parsed is None:
            return None
        fields, end = parsed
        limits = self._limits
        if end > self._headOctets or len(fields.pairs) > limits.headerFields:
            return None
        if target[0] != _SLASH or method == b"CONNECT":
            checkForm(method, target)
        version = 11 if minor == b"1" else 10
        index = fields.index
        host = requestHost(version, fields)
        framing = requestFraming(method, version, fields)
        if framing > 0 and limits.bodyOctets is not None and framing > limits.bodyOctets:
            raise WireError("content larger than allowed", 413)
        keepAlive = persists(version, index.get(b"connection"))
        expectation = index.get(b"expect")
        # RFC 9110 §10.1.1: to be ignored in HTTP/1.0.
        expectsContinue = (
            expectation is not None and version == 11 and expectation.lower() == b"100-continue"
        )
        self._headEnd = end
        # Worth remembering when it comes again: most connections with one request
        # never need it, and it is most of what they would keep in memory.
        block = data[start:end]
        seen = hash(block)
        if seen == self._seen:
            self._memo = (block, minor, fields, framing, keepAlive, expectsContinue, host)
        else:
            self._seen = seen
        head = RequestHead(
            method, target, version, fields, framing, keepAlive, expectsContinue, host
        )
        if connects is not None and framing == NO_BODY and end == len(data):
            connects.note(data, head)
        return head
