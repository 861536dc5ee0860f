# -*- test-case-name: tests.wire.test_http1 -*-
"""
Octets to responses (RFC 9112 §4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import WireError
from .chunked import ChunkedDecoder
from .fields import parseFields
from .framing import persists, responseFraming
from .message import CHUNKED, END, UNTIL_CLOSE, End, ResponseHead
from .reader import CHUNKS, FINISHED, HEAD, LENGTH, NOTHING, UNTIL_THE_END, Reader
from .refusal import RESPONSE, Offence
from .section import Section
from .startline import STATUS_LINE, checkStatusLine

if TYPE_CHECKING:
    from ..settings import Limits

ResponseEvent = ResponseHead | bytes | End


class _Last:
    """
    The last head: most are followed by others that are the same.

    @ivar octets: it, with its empty line.
    @ivar method: of the request that it answered.
    @ivar head: what it meant.
    """

    __slots__ = ("head", "method", "octets")

    def __init__(self, octets: bytes, method: bytes, head: ResponseHead) -> None:
        self.octets = octets
        self.method = method
        self.head = head


class ResponseReader(Reader):
    """
    Reads responses from a server's connection.

    L{expect} announces each.  What arrives while none is expected is counted
    in C{held} and thrown away, for it can't be the answer to anything: such a
    connection is to be dropped.

    @ivar idle: nothing of the expected response has come yet.
    """

    __slots__ = ("_last", "_method", "_tunnels", "_unexpected", "idle")

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits, NOTHING)
        #: Of the request whose answer is read.
        self._method = b""
        #: A 2xx answer to CONNECT was read: what follows is not ours to judge.
        self._tunnels = False
        self._unexpected = 0
        self._last: _Last | None = None
        self.idle = True

    @property
    def held(self) -> int:
        """How many octets wait, or came unasked."""
        return self._unexpected + self._heldOctets()

    def expect(self, method: bytes) -> None:
        """
        Announce that the next octets answer a request.

        @param method: of the request.
        @raise WireError: octets came before it was sent.
        """
        if self._error is not None:
            raise self._error
        if self._state != NOTHING:
            raise RuntimeError("a response is being read")
        if self._unexpected:
            error = RESPONSE.error(Offence.SYNTAX, "octets that answer no request")
            raise self._died(error, [])
        self._method = method
        self._state = HEAD
        self.idle = True

    def receive(self, data: bytes) -> list[ResponseEvent]:
        """
        Take octets from the connection.

        @raise WireError: they are not a valid response.  Its status is 502, its
            token the narrowest.  Every later call raises it again.
        """
        events: list[ResponseEvent] = []
        try:
            # The short way: a whole head, and mostly the whole content with it.
            if self._state == HEAD and self._section is None and data:
                self.idle = False
                head = self._parseHead(data)
                if head is not None:
                    if head.framing == len(data) - self._headEnd > 0:
                        self._state = NOTHING
                        return [head, data[self._headEnd :], END]
                    data = data[self._headEnd :]
                    self._begin(head, events)
            self._advance(data, events)
        except WireError as error:
            raise self._died(error, events) from None
        return events

    def eof(self) -> list[ResponseEvent]:
        """
        Take note that the connection has ended.

        @return: the L{End} of a response that ends in this way; nothing when
            none is expected.
        @raise WireError: with the token C{http_response_incomplete}.
        """
        if self._state == UNTIL_THE_END:
            self._state = FINISHED
            return [END]
        if self._state == NOTHING:
            self._state = FINISHED
            return []
        if self._state == FINISHED:
            if self._error is not None:
                raise self._error
            return []
        error = WireError("response is incomplete", 502, "http_response_incomplete")
        raise self._died(error, [])

    @property
    def remaining(self) -> int:
        """Octets of content of known length that are still to come, else 0."""
        return self._remaining if self._state == LENGTH else 0

    def skip(self) -> None:
        """Leave the rest of content of known length to somebody else, and its end too."""
        assert self._state == LENGTH
        self._remaining = 0
        self._state = NOTHING

    def forget(self) -> None:
        """Let go of the remembered fields, to save memory while nothing happens."""
        self._last = None

    def _advance(self, data: bytes, events: list[ResponseEvent]) -> None:
        """Read as far as possible, in any state."""
        rest: bytes | None = data
        # More than once only for 1xx heads.
        while rest:
            state = self._state
            if state == HEAD:
                self.idle = False
                rest = self._readHead(rest, events)
            elif state == LENGTH:
                rest = self._readLength(rest, events)
            elif state == CHUNKS:
                rest = self._readChunks(rest, events)
            elif state == UNTIL_THE_END:
                events.append(rest)
                return
            elif state == FINISHED:
                raise self._error or RuntimeError("this reader was detached")
            else:
                if self._tunnels:
                    self._hold(rest)
                else:
                    self._unexpected += len(rest)
                return

    def _readHead(self, data: bytes, events: list[ResponseEvent]) -> bytes | None:
        """
        Read a head and set up what is to be read after it.

        @return: what follows the head; None as long as it is not complete.
        """
        section = self._section
        if section is None:
            head = self._parseHead(data)
            if head is not None:
                rest = data[self._headEnd :]
            else:
                limits = self._limits
                section = self._section = Section(
                    RESPONSE,
                    Offence.HEAD_SIZE,
                    limits.headerOctets,
                    limits.headerFields,
                    checkStatusLine,
                )
        if section is not None:
            complete = section.add(data)
            if complete is None:
                return None
            octets, rest = complete
            self._section = None
            head = self._parseHead(octets)
        assert head is not None, "a head that was checked does not parse"
        self._begin(head, events)
        return rest

    def _begin(self, head: ResponseHead, events: list[ResponseEvent]) -> None:
        """Set up what is to be read after a head."""
        events.append(head)
        status = head.status
        if status < 200:
            return
        framing = head.framing
        if framing > 0:
            self._remaining = framing
            self._state = LENGTH
        elif framing == CHUNKED:
            self._decoder = ChunkedDecoder(self._limits, RESPONSE, None)
            self._state = CHUNKS
        elif framing == UNTIL_CLOSE:
            self._state = UNTIL_THE_END
        else:
            events.append(END)
            self._state = NOTHING
            self._tunnels = status < 300 and self._method == b"CONNECT"

    def _parseHead(self, data: bytes) -> ResponseHead | None:
        """As L{RequestReader._parseHead}."""
        last = self._last
        if last is not None:
            octets = last.octets
            end = len(octets)
            # A slice is made and compared faster than startswith() reads its arguments.
            if data[:end] == octets and self._method == last.method:
                self._headEnd = end
                known = last.head
                return ResponseHead(
                    known.status,
                    known.reason,
                    known.version,
                    known.fields,
                    known.framing,
                    known.keepAlive,
                    known.length,
                )
        limits = self._limits
        match = STATUS_LINE.match(data)
        if match is None:
            return None
        minor, digits, reason = match.groups()
        parsed = parseFields(data, match.end())
        if parsed is None:
            return None
        fields, end = parsed
        if end > self._headOctets or len(fields.pairs) > limits.headerFields:
            return None
        status = int(digits)
        if status == 101:
            # RFC 9110 §15.2.2: only in answer to an Upgrade, and none is sent.
            raise RESPONSE.error(Offence.SYNTAX, "101 without having been asked")
        version = 11 if minor == b"1" else 10
        framing, length, persistent = responseFraming(self._method, status, version, fields)
        keepAlive = persistent and persists(version, fields.index.get(b"connection"))
        self._headEnd = end
        head = ResponseHead(status, reason or b"", version, fields, framing, keepAlive, length)
        self._last = _Last(data[:end], self._method, head)
        return head
