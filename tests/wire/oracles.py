# -*- test-case-name: tests.wire -*-
"""
What two other parsers make of octets: h11, and httptools, which is llhttp.

Used in tests only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import h11
import httptools

if TYPE_CHECKING:
    from collections.abc import Callable

#: Like our own defaults, so that sizes alone make no difference.
_HEAD_OCTETS = 65536


_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class Refused(Exception):
    """An oracle refuses the octets."""


class Reading(NamedTuple):
    """
    One message as somebody reads it.

    @ivar start: method and target, or status and reason.
    @ivar fields: lower-case names and values, in order.
    @ivar complete: its end was seen.
    """

    start: tuple[bytes, bytes]
    version: bytes
    fields: list[tuple[bytes, bytes]]
    content: bytes
    complete: bool


def readByH11(octets: bytes, method: bytes | None = None, eof: bool = False) -> Reading | None:
    """
    Read the first message that is not interim.

    @param method: of the request that a response answers; None for a request.
    @return: None when its head is not complete.
    @raise Refused: it is not valid.
    """
    connection = h11.Connection(
        h11.SERVER if method is None else h11.CLIENT, max_incomplete_event_size=_HEAD_OCTETS
    )
    if method is not None:
        target = b"a:1" if method == b"CONNECT" else b"/"
        connection.send(h11.Request(method=method, target=target, headers=[(b"Host", b"a")]))
        connection.send(h11.EndOfMessage())
    head: Any = None
    content = b""
    complete = False
    try:
        if octets:
            connection.receive_data(octets)
        if eof:
            connection.receive_data(b"")
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                break
            if isinstance(event, h11.Request | h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                content += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                complete = True
                break
            elif isinstance(event, h11.ConnectionClosed):
                break
    except h11.RemoteProtocolError as error:
        raise Refused(str(error)) from error
    if head is None:
        return None
    if isinstance(head, h11.Request):
        start = (bytes(head.method), bytes(head.target))
    else:
        start = (b"%d" % head.status_code, bytes(head.reason))
    fields = [(bytes(name), bytes(value)) for name, value in head.headers]
    return Reading(start, bytes(head.http_version), fields, content, complete)


class _Recorder:
    """What httptools calls back."""

    def __init__(self) -> None:
        self.target = b""
        self.reason = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.content = b""
        self.version = b""
        self.inHead = True
        self.complete = False
        self.messages = 0
        self.parser: Any = None

    def on_message_begin(self) -> None:
        self.messages += 1

    def on_url(self, url: bytes) -> None:
        if self.messages == 1:
            self.target += url

    def on_status(self, reason: bytes) -> None:
        if self.messages == 1:
            self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.messages == 1 and self.inHead:
            self.fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self.messages == 1:
            self.inHead = False
            self.version = self.parser.get_http_version().encode()

    def on_body(self, body: bytes) -> None:
        if self.messages == 1:
            self.content += body

    def on_message_complete(self) -> None:
        if self.messages == 1:
            self.complete = True


def readByLlhttp(octets: bytes, response: bool = False, eof: bool = False) -> Reading | None:
    """
    Read the first message.

    @param response: read an answer to a C{GET}.
    @param eof: the connection ends; httptools can't be told, so what llhttp
        would say is worked out here.
    @return: None when its head is not complete.
    @raise Refused: it is not valid.
    """
    recorder = _Recorder()
    make: Any = httptools.HttpResponseParser if response else httptools.HttpRequestParser
    recorder.parser = parser = make(recorder)
    try:
        parser.feed_data(octets)
    except httptools.HttpParserUpgrade:
        recorder.complete = True
    except httptools.HttpParserError as error:
        # What is wrong behind the end of the first message is not its fault.
        if not recorder.complete:
            raise Refused(str(error)) from error
    if eof and not recorder.complete:
        framed = any(name in _FRAMING for name, _ in recorder.fields)
        if recorder.inHead or framed:
            raise Refused("incomplete")
        recorder.complete = True
    if recorder.inHead:
        return None
    if response:
        start = (b"%d" % parser.get_status_code(), recorder.reason)
    else:
        start = (parser.get_method(), recorder.target)
    return Reading(start, recorder.version, recorder.fields, recorder.content, recorder.complete)


def likeness(reading: Reading | None) -> Reading | None:
    """A reading without the fields that frame: how they were read shows in the content."""
    if reading is None:
        return None
    fields = [(name, value) for name, value in reading.fields if name not in _FRAMING]
    return reading._replace(fields=fields)


def verdict(read: Callable[[], Reading | None]) -> str:
    """Tell in a word what an oracle does with octets."""
    try:
        reading = read()
    except Refused:
        return "refuses"
    return "takes" if reading is not None and reading.complete else "waits"
