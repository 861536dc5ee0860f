# -*- test-case-name: tests.wire.test_differential -*-
"""
L{intermediary.wire} against h11 and llhttp.

Every difference in judgement is in L{tests.wire.differences}, with its reason.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hypothesis import assume, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import WireError
from intermediary.wire.encoding import encodeChunk, encodeLastChunk, encodeRequest, encodeResponse
from intermediary.wire.forwarding import deriveRequest, deriveResponse
from intermediary.wire.message import CHUNKED, NO_BODY, UNTIL_CLOSE, RequestHead, ResponseHead
from intermediary.wire.target import parseAbsolute

from .differences import CONTINUATIONS, REFUSED_BY_US, TAKEN, TAKEN_BY_US, Example, Judgement
from .feeding import Event, feedRequests, feedResponses
from .oracles import Reading, likeness, readByH11, readByLlhttp, verdict
from .refusals import REFUSALS, Refusal
from .strategies import requestOctets, responseOctets

if TYPE_CHECKING:
    from collections.abc import Callable

    from intermediary.wire.fields import Fields


def _oracles(octets: bytes, method: bytes | None, eof: bool) -> list[Callable[[], Reading | None]]:
    """Reading some octets, by h11 and by llhttp."""
    return [
        partial(readByH11, octets, method, eof),
        partial(readByLlhttp, octets, method is not None, eof),
    ]


def _judge(refusal: Refusal) -> tuple[str, str]:
    """What h11 and llhttp make of a row: of its octets, or with a continuation."""
    method = refusal.method if refusal.status == 502 else None
    if refusal.token == "http_response_incomplete":
        first, second = _oracles(refusal.octets, method, eof=True)
        return verdict(first), verdict(second)
    continued = refusal.octets + CONTINUATIONS[refusal.group]
    words = []
    for atOnce, atLast in zip(
        _oracles(refusal.octets, method, eof=False),
        _oracles(continued, method, eof=method is not None),
        strict=True,
    ):
        word = verdict(atOnce)
        words.append(verdict(atLast) if word == "waits" else word)
    return words[0], words[1]


def ourReading(events: list[Event]) -> Reading | None:
    """The first message that is not interim, as the oracles tell of theirs."""
    head: RequestHead | ResponseHead | None = None
    content = b""
    complete = False
    for event in events:
        if isinstance(event, RequestHead | ResponseHead):
            if head is not None:
                break
            if isinstance(event, RequestHead) or event.status >= 200:
                head = event
        elif isinstance(event, bytes):
            content += event
        else:
            complete = True
            break
    if head is None:
        return None
    if isinstance(head, RequestHead):
        start = (head.method, head.target)
    else:
        start = (b"%d" % head.status, head.reason)
    fields = [(name.lower(), value) for name, value in head.fields]
    version = b"1.1" if head.version == 11 else b"1.0"
    return Reading(start, version, fields, content, complete)


def _readExample(example: Example) -> tuple[Reading | None, str, str]:
    """Our reading, and in a word what the two do: takes means just as we do."""
    if example.method is None:
        ours = ourReading(feedRequests([example.octets]).events)
    else:
        ours = ourReading(feedResponses([example.octets], [example.method]).events)
    words = []
    for read in _oracles(example.octets, example.method, eof=example.method is not None):
        word = verdict(read)
        if word == "takes" and likeness(read()) != likeness(ours):
            word = "reads otherwise"
        words.append(word)
    return ours, words[0], words[1]


class TableTests(SynchronousTestCase):
    """The reviewed tables are complete and true."""

    maxDiff = None

    def test_whatWeRefuse(self) -> None:
        """Rows that h11 or llhttp do not refuse are exactly those in the table."""
        found = {}
        for refusal in REFUSALS:
            words = _judge(refusal)
            if words != ("refuses", "refuses"):
                key = (refusal.group, refusal.what)
                reviewed = REFUSED_BY_US.get(key)
                found[key] = Judgement(*words, reviewed.reason if reviewed else "NOT REVIEWED")
        self.assertEqual(found, REFUSED_BY_US)

    def test_whatWeTake(self) -> None:
        """Messages that h11 or llhttp read in another way are exactly those in the table."""
        found = {}
        for what, example in TAKEN.items():
            ours, byH11, byLlhttp = _readExample(example)
            assert ours is not None, what
            self.assertTrue(ours.complete, what)
            if (byH11, byLlhttp) != ("takes", "takes"):
                reviewed = TAKEN_BY_US.get(what)
                reason = reviewed.reason if reviewed else "NOT REVIEWED"
                found[what] = Judgement(byH11, byLlhttp, reason)
        self.assertEqual(found, TAKEN_BY_US)


def _firstMessage(events: list[Event]) -> tuple[RequestHead | ResponseHead, bytes, Fields] | None:
    """The first whole message that is not interim: head, content, trailers."""
    head: RequestHead | ResponseHead | None = None
    content = b""
    for event in events:
        if isinstance(event, RequestHead | ResponseHead):
            head = event
        elif isinstance(event, bytes):
            content += event
        else:
            assert head is not None
            return head, content, event.trailers
    return None


def _framed(framing: int | None, content: bytes, trailers: Fields) -> bytes:
    """Content as it goes out."""
    if framing == CHUNKED:
        return encodeChunk(content) + encodeLastChunk(trailers)
    return content


class AnyOctetsTests(SynchronousTestCase):
    """What we take, others read as we do, and so does everybody what we send on."""

    @given(requestOctets)
    def test_requests(self, octets: bytes) -> None:
        """h11 reads a request that we take in the same way."""
        ours = ourReading(feedRequests([octets]).events)
        assume(ours is not None and ours.complete)
        # Empty lines before a request are in the table: h11 takes none.
        while octets.startswith(b"\r\n"):
            octets = octets[2:]
        self.assertEqual(likeness(readByH11(octets)), likeness(ours))

    @given(responseOctets, st.sampled_from([b"GET", b"HEAD"]))
    def test_responses(self, octets: bytes, method: bytes) -> None:
        """h11 reads a response that we take in the same way."""
        ours = ourReading(feedResponses([octets], [method]).events)
        assume(ours is not None and ours.complete)
        self.assertEqual(likeness(readByH11(octets, method, True)), likeness(ours))

    @given(requestOctets)
    def test_forwardedRequests(self, octets: bytes) -> None:
        """Whatever we take, what we make of it is one request, and the same to all."""
        message = _firstMessage(feedRequests([octets]).events)
        assume(message is not None)
        assert message is not None
        head, content, trailers = message
        assert isinstance(head, RequestHead)
        fields = deriveRequest(head.fields, head.version, b"me")
        target = head.target
        if head.host is None:
            fields = fields.adding((b"Host", b"a"))
        if head.method != b"CONNECT" and target != b"*" and not target.startswith(b"/"):
            # As a front does it: the target wins over Host (RFC 9112 §3.2.2).
            try:
                parts = parseAbsolute(target, head.method)
            except WireError:
                return
            target = parts.path
            fields = fields.setting(b"Host", parts.authority)
        framing = head.framing if b"content-length" in head.fields or head.framing else None
        written = encodeRequest(head.method, target, fields, framing)
        written += _framed(framing, content, trailers)
        self.assertEqual(feedRequests([written]).held, 0)
        expected = Reading(
            (head.method, target),
            b"1.1",
            [(name.lower(), value) for name, value in fields],
            content,
            True,
        )
        self.assertEqual(likeness(readByH11(written)), expected)
        if head.method in _KNOWN_TO_LLHTTP:
            self.assertEqual(likeness(readByLlhttp(written)), expected)

    @given(responseOctets, st.sampled_from([b"GET", b"HEAD"]))
    def test_forwardedResponses(self, octets: bytes, method: bytes) -> None:
        """The same for responses, which all become HTTP/1.1."""
        message = _firstMessage(feedResponses([octets], [method]).events)
        assume(message is not None)
        assert message is not None
        head, content, trailers = message
        assert isinstance(head, ResponseHead)
        fields = deriveResponse(head.fields, head.version, b"me")
        framing: int | None = head.framing
        if framing == UNTIL_CLOSE:
            framing = CHUNKED
        elif framing == NO_BODY and (method == b"HEAD" or head.status in (204, 304)):
            framing = None if head.status == 204 else head.length
        written = encodeResponse(head.status, head.reason, fields, framing)
        if method != b"HEAD":
            written += _framed(framing, content, trailers)
        expected = Reading(
            (b"%d" % head.status, head.reason),
            b"1.1",
            [(name.lower(), value) for name, value in fields],
            content,
            True,
        )
        self.assertEqual(likeness(readByH11(written, method, eof=True)), expected)
        if method == b"GET":
            self.assertEqual(likeness(readByLlhttp(written, response=True)), expected)


#: llhttp has a list of methods.
_KNOWN_TO_LLHTTP = frozenset({b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS"})
