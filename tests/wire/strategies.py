# -*- test-case-name: tests.wire -*-
"""
Messages, good ones and bad ones, for Hypothesis.

The profile is a quick one; C{INTERMEDIARY_HYPOTHESIS=long} in the environment
searches for minutes.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from intermediary.wire.chunked import DROPPED_TRAILERS, REFUSED_TRAILERS
from intermediary.wire.encoding import encodeChunk, encodeLastChunk, encodeRequest, encodeResponse
from intermediary.wire.fields import EMPTY, Fields
from intermediary.wire.message import CHUNKED, END, NO_BODY, End, RequestHead, ResponseHead

from .refusals import REFUSALS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .feeding import Event

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile(
    "quick", max_examples=40, deadline=None, database=None, suppress_health_check=QUIET
)
settings.register_profile(
    "long", max_examples=4000, deadline=None, database=None, suppress_health_check=QUIET
)
settings.load_profile("long" if os.environ.get("INTERMEDIARY_HYPOTHESIS") == "long" else "quick")

_TCHAR = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VISIBLE = bytes(range(0x21, 0x7F))
_TARGET = _VISIBLE.replace(b"#", b"")
_VALUE = _VISIBLE + b" \t" + bytes(range(0x80, 0x100))


def octets(alphabet: bytes, least: int = 0, most: int = 20) -> st.SearchStrategy[bytes]:
    """Strings over an alphabet."""
    return st.lists(st.sampled_from(list(alphabet)), min_size=least, max_size=most).map(bytes)


tokens = octets(_TCHAR, 1, 12)
methods = st.sampled_from(
    [b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS"]
) | tokens.filter(lambda token: token not in (b"CONNECT", b"TRACE"))
values = octets(_VALUE).map(lambda value: value.strip(b" \t"))
hosts = st.sampled_from([b"a.example", b"A.example:80", b"[::1]:8080", b"192.0.2.1", b"a_b."])
targets = octets(_TARGET).map(lambda rest: b"/" + rest) | st.sampled_from(
    [b"http://a.example/", b"https://[::1]:1", b"http://a.example?b"]
)
reasons = octets(_VALUE, 0, 12).map(lambda value: value.strip(b" \t"))
contents = st.binary(max_size=200)

#: Names that mean something to a reader, which is what makes a case interesting.
_MEANINGFUL = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"connection", b"expect"}
)
_NOT_IN_TRAILERS = DROPPED_TRAILERS | REFUSED_TRAILERS

pairs = st.tuples(tokens.filter(lambda name: name.lower() not in _MEANINGFUL), values)
sections = st.lists(pairs, max_size=5).map(Fields.fromPairs)
trailers = (
    st.lists(pairs.filter(lambda pair: pair[0].lower() not in _NOT_IN_TRAILERS), max_size=3)
    .map(Fields.fromPairs)
    .map(lambda fields: fields if len(fields) else EMPTY)
)


class Message(NamedTuple):
    """
    Octets and what a reader makes of them.

    @ivar method: of the request that a response answers.
    @ivar framing: as the head's, or None for a request that says nothing.
    """

    octets: bytes
    events: list[Event]
    method: bytes
    content: bytes
    framing: int | None


@st.composite
def chunkings(draw: st.DrawFn, content: bytes) -> bytes:
    """Chunks of some content, with extensions and odd but legal sizes."""
    written = []
    cuts = sorted(draw(st.lists(st.integers(0, len(content)), max_size=4)))
    for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
        chunk = encodeChunk(content[start:end])
        if chunk and draw(st.booleans()):
            size, _, data = chunk.partition(b"\r\n")
            zeros = b"0" * draw(st.integers(0, 3))
            extension = draw(st.sampled_from([b"", b";a", b";a=b;c", b';a="b \t;c\\""']))
            chunk = zeros + draw(st.sampled_from([size, size.upper()])) + extension
            chunk += b"\r\n" + data
        written.append(chunk)
    return b"".join(written)


@st.composite
def framings(draw: st.DrawFn) -> tuple[int, bytes, bytes, End]:
    """Framing, content, the content as it is written, and its end."""
    content = draw(contents)
    if draw(st.booleans()):
        return len(content), content, content, END
    section = draw(trailers)
    written = draw(chunkings(content)) + encodeLastChunk(section)
    return CHUNKED, content, written, End(section) if len(section) else END


def _withFraming(fields: Fields, framing: int | None) -> Fields:
    """What a reader sees: the fields with the one that frames, at the end."""
    if framing is None:
        return fields
    if framing == CHUNKED:
        return fields.adding((b"Transfer-Encoding", b"chunked"))
    return fields.adding((b"Content-Length", b"%d" % framing))


@st.composite
def requests(draw: st.DrawFn) -> Message:
    """A request as we would write it."""
    method, target, host = draw(methods), draw(targets), draw(hosts)
    fields = Fields.fromPairs([(b"Host", host), *draw(sections)])
    if draw(st.booleans()):
        fields = fields.adding((b"Expect", b"100-continue"))
    framing: int | None
    framing, content, written, end = draw(framings())
    if not content and draw(st.booleans()):
        framing, written, end = None, b"", END
    head = RequestHead(
        method,
        target,
        11,
        _withFraming(fields, framing),
        framing or NO_BODY,
        True,
        b"expect" in fields,
        host,
    )
    events: list[Event] = [head, content, end] if content else [head, end]
    return Message(
        encodeRequest(method, target, fields, framing) + written, events, method, content, framing
    )


@st.composite
def responses(draw: st.DrawFn) -> Message:
    """A response as we would write it, with 1xx heads in front."""
    method = draw(st.sampled_from([b"GET", b"HEAD", b"POST"]))
    written = b""
    events: list[Event] = []
    for status in draw(st.lists(st.sampled_from([100, 102, 103, 199]), max_size=2)):
        fields, reason = draw(sections), draw(reasons)
        written += encodeResponse(status, reason, fields, None)
        events.append(ResponseHead(status, reason, 11, fields))
    status, reason = draw(st.integers(200, 999)), draw(reasons)
    framing, content, body, end = draw(framings())
    connection = draw(st.sampled_from([None, b"close", b"keep-alive"]))
    fields = draw(sections)
    seen = fields
    if connection is not None:
        seen = Fields.fromPairs([(b"Connection", connection), *fields])
    declared = framing if framing >= 0 else None
    if method == b"HEAD" or status in (204, 304):
        content, body, end = b"", b"", END
    seen = _withFraming(seen, None if status == 204 else framing)
    bare = method == b"HEAD" or status in (204, 304)
    head = ResponseHead(
        status,
        reason,
        11,
        seen,
        NO_BODY if bare else framing,
        connection != b"close",
        None if status == 204 else declared,
    )
    written += encodeResponse(
        status, reason, fields, None if status == 204 else framing, connection
    )
    events += [head, content, end] if content else [head, end]
    return Message(written + body, events, method, content, framing)


#: What breaks parsers: a piece of this is put where it does not belong.
_SPICE: list[bytes] = [
    *[bytes((octet,)) for octet in b'\r\n\t\x00\x0b\x7f\x80\xff :;,="#0aG'],
    b"\r\n",
    b"\r\n\r\n",
    b"\n\n",
    b"\r\n ",
    b" :",
    b"Content-Length: 3\r\n",
    b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding : chunked\r\n",
    b"Host: b\r\n",
    b"Connection: close\r\n",
    b"Expect: 100-continue\r\n",
    b"HTTP/1.0",
    b"HTTP/1.1 200 OK\r\n",
    b"GET / HTTP/1.1\r\n",
    b"0\r\n\r\n",
    b"1;a=b\r\nx\r\n",
    b"ffffffffffffffff\r\n",
]


def _mutate(message: bytes, edits: Sequence[tuple[int, int, bytes]]) -> bytes:
    """Replace some octets, at places that are taken modulo the length."""
    for place, width, spice in edits:
        at = place % (len(message) + 1)
        message = message[:at] + spice + message[at + width :]
    return message


def mutated(messages: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Messages with a few edits."""
    edits = st.lists(
        st.tuples(st.integers(0, 2000), st.integers(0, 3), st.sampled_from(_SPICE) | tokens),
        min_size=1,
        max_size=4,
    )
    change: Callable[[bytes, Sequence[tuple[int, int, bytes]]], bytes] = _mutate
    return st.builds(change, messages, edits)


_refusedRequests = st.sampled_from([row.octets for row in REFUSALS if row.status != 502])
_refusedResponses = st.sampled_from([row.octets for row in REFUSALS if row.status == 502])
_goodRequests = requests().map(lambda message: message.octets)
_goodResponses = responses().map(lambda message: message.octets)

#: Any octets, near to requests or far from them.
requestOctets = st.one_of(
    _goodRequests,
    mutated(_goodRequests),
    mutated(_goodRequests),
    mutated(st.builds(lambda one, two: one + two, _goodRequests, _goodRequests)),
    mutated(_refusedRequests),
    st.binary(max_size=100),
    st.lists(st.sampled_from(_SPICE), max_size=20).map(b"".join),
)

#: The same for responses.
responseOctets = st.one_of(
    _goodResponses,
    mutated(_goodResponses),
    mutated(_goodResponses),
    mutated(_refusedResponses),
    st.binary(max_size=100),
    st.lists(st.sampled_from(_SPICE), max_size=20).map(b"".join),
)

#: Places to cut at.
cuts = st.lists(st.integers(0, 2000), max_size=8) | st.integers(1, 7).map(
    lambda step: list(range(0, 2000, step))
)
