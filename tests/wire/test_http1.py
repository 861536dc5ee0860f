# -*- test-case-name: tests.wire.test_http1 -*-
"""
L{intermediary.wire.http1}: the readers.

What they refuse is in L{tests.wire.refusals}; that cuts make no difference is
shown for all messages in L{tests.wire.test_properties}.
"""

from __future__ import annotations

import sys

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from intermediary.errors import WireError
from intermediary.settings import Limits
from intermediary.wire.fields import Fields
from intermediary.wire.http1 import RequestReader, ResponseReader
from intermediary.wire.message import (
    CHUNKED,
    END,
    NO_BODY,
    UNTIL_CLOSE,
    End,
    RequestHead,
    ResponseHead,
)

from .feeding import each

_GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
_POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
_CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
_CONNECT = b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"

_HOST = Fields.fromPairs([(b"Host", b"a")])
_GET_HEAD = RequestHead(b"GET", b"/", 11, _HOST, host=b"a")


def primed(octets: bytes, limits: Limits | None = None) -> RequestReader:
    """Make a reader that remembers the fields of a request, having seen it twice."""
    reader = RequestReader(limits or Limits())
    for _ in range(2):
        reader.receive(octets)
        reader.resume()
    return reader


class RequestReaderTests(SynchronousTestCase):
    """L{RequestReader}."""

    def setUp(self) -> None:
        """Make a reader."""
        self.reader = RequestReader(Limits())

    def test_withoutContent(self) -> None:
        """A head and the end."""
        self.assertEqual(self.reader.receive(_GET), [_GET_HEAD, END])
        self.assertEqual(self.reader.held, 0)

    def test_everythingAHeadHas(self) -> None:
        """All attributes of a request that has them all."""
        events = self.reader.receive(
            b"PUT http://b/c HTTP/1.1\r\nHOST: a:1\r\nContent-Length: 5\r\n"
            b"Connection: TE, Close\r\nExpect: 100-Continue\r\n\r\n"
        )
        [head] = events
        assert isinstance(head, RequestHead)
        self.assertEqual(head.method, b"PUT")
        self.assertEqual(head.target, b"http://b/c")
        self.assertEqual(head.version, 11)
        self.assertEqual(len(head.fields), 4)
        self.assertEqual(head.framing, 5)
        self.assertFalse(head.keepAlive)
        self.assertTrue(head.expectsContinue)
        self.assertEqual(head.host, b"a:1")

    def test_http10(self) -> None:
        """No Host is needed, the connection ends, an expectation is ignored."""
        events = self.reader.receive(b"GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n")
        head = events[0]
        assert isinstance(head, RequestHead)
        self.assertEqual((head.version, head.host), (10, None))
        self.assertFalse(head.keepAlive)
        self.assertFalse(head.expectsContinue)

    def test_content(self) -> None:
        """Content comes as it arrives, and the end with its last octet."""
        self.assertEqual(self.reader.receive(_POST + b"a")[1:], [b"a"])
        self.assertEqual(self.reader.receive(b"b"), [b"b"])
        self.assertEqual(self.reader.receive(b"c"), [b"c", END])

    def test_contentIsNotCopied(self) -> None:
        """A piece that is all content is handed on as it is."""
        self.reader.receive(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
        piece = b"x" * 999
        [event] = self.reader.receive(piece)
        self.assertIs(event, piece)

    def test_chunks(self) -> None:
        """Small chunks that arrive together are one event; trailers are apart."""
        events = self.reader.receive(_CHUNKED + b"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\nT: 1\r\n\r\n")
        self.assertEqual(events[1:], [b"abc", End(Fields.fromPairs([(b"T", b"1")]))])
        head = events[0]
        assert isinstance(head, RequestHead)
        self.assertEqual(head.framing, CHUNKED)
        self.assertNotIn(b"t", head.fields)

    def test_pipelinedRequestsComeOneByOne(self) -> None:
        """After an end, what follows is held until L{RequestReader.resume}."""
        events = self.reader.receive(_GET + _POST + b"abc" + _CHUNKED + b"0\r\n\r\n" + _GET[:5])
        self.assertEqual(events, [_GET_HEAD, END])
        self.assertTrue(self.reader.held)
        self.assertFalse(self.reader.inHead)
        self.assertEqual(self.reader.resume()[1:], [b"abc", END])
        self.assertEqual(self.reader.resume()[1:], [END])
        self.assertEqual(self.reader.held, 5)
        self.assertEqual(self.reader.resume(), [])
        self.assertTrue(self.reader.inHead)
        self.assertEqual(self.reader.receive(_GET[5:]), [_GET_HEAD, END])

    def test_whatArrivesWhileHoldingIsHeld(self) -> None:
        """Octets that arrive between an end and C{resume} wait their turn."""
        self.reader.receive(_GET)
        for octet in each(_POST + b"abc"):
            self.assertEqual(self.reader.receive(octet), [])
        self.assertEqual(self.reader.held, len(_POST) + 3)
        self.assertEqual(self.reader.resume()[1:], [b"abc", END])

    def test_resumeIsForAfterTheEnd(self) -> None:
        """Resuming in the middle is a mistake of the caller."""
        self.assertRaises(RuntimeError, self.reader.resume)
        self.reader.receive(_POST)
        self.assertRaises(RuntimeError, self.reader.resume)

    def test_inHead(self) -> None:
        """Only while a head has begun and is not complete."""
        self.assertFalse(self.reader.inHead)
        self.reader.receive(_POST[:1])
        self.assertTrue(self.reader.inHead)
        self.reader.receive(_POST[1:])
        self.assertFalse(self.reader.inHead)
        self.reader.receive(b"abc")
        self.assertFalse(self.reader.inHead)
        self.reader.resume()
        self.assertFalse(self.reader.inHead)

    def test_emptyLinesBeforeARequest(self) -> None:
        """Two are passed over for each request, and begin no head (RFC 9112 §2.2)."""
        for _ in range(3):
            self.assertEqual(self.reader.receive(b"\r\n"), [])
            self.assertFalse(self.reader.inHead)
            for octet in each(b"\r\n" + _GET[:-1]):
                self.assertEqual(self.reader.receive(octet), [])
            self.assertEqual(self.reader.receive(b"\n"), [_GET_HEAD, END])
            self.reader.resume()

    def test_emptyLinesInFrontOfAWholeRequest(self) -> None:
        """Also when they come in one piece with it, and with content."""
        self.assertEqual(self.reader.receive(b"\r\n\r\n" + _GET), [_GET_HEAD, END])
        self.reader.resume()
        self.assertEqual(self.reader.receive(b"\r\n" + _POST + b"abc")[1:], [b"abc", END])

    def test_connectHoldsTheTunnel(self) -> None:
        """Octets behind CONNECT are held, and given up by C{detach}."""
        events = self.reader.receive(_CONNECT + b"\x16\x03")
        self.assertEqual(events[1:], [END])
        self.assertEqual(self.reader.receive(b"\x01"), [])
        self.assertEqual(self.reader.held, 3)
        self.assertEqual(self.reader.detach(), b"\x16\x03\x01")
        self.assertEqual(self.reader.held, 0)
        self.assertRaises(RuntimeError, self.reader.receive, b"x")

    def test_sameFieldsAreTheSameObject(self) -> None:
        """A field block that came twice is not parsed again, whatever the request line."""
        self.reader.receive(b"GET /0 HTTP/1.1\r\nHost: a\r\n\r\n")
        self.reader.resume()
        first = self.reader.receive(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")[0]
        self.reader.resume()
        second = self.reader.receive(b"PUT /2 HTTP/1.1\r\nHost: a\r\n\r\n")[0]
        assert isinstance(first, RequestHead)
        assert isinstance(second, RequestHead)
        self.assertIs(first.fields, second.fields)
        self.assertEqual((second.method, second.target), (b"PUT", b"/2"))
        self.reader.resume()
        third = self.reader.receive(b"GET /1 HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n")[0]
        assert isinstance(third, RequestHead)
        self.assertEqual(len(third.fields), 2)
        self.reader.resume()
        self.reader.forget()
        fourth = self.reader.receive(b"GET /1 HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n")[0]
        assert isinstance(fourth, RequestHead)
        self.assertEqual(third, fourth)
        self.assertIsNot(third.fields, fourth.fields)

    def test_memoryOfFieldsMeansTheSameOnlyForTheSame(self) -> None:
        """Version, method and limits are judged anew (the memo must not hide them)."""
        chunked = b" / HTTP/1.1\r\nHost: a:1\r\nTransfer-Encoding: chunked\r\n\r\n"
        for octets in [
            b"POST" + chunked.replace(b"1.1", b"1.0"),
            b"TRACE" + chunked,
            b"CONNECT a:1" + chunked[2:],
            b"GET *" + chunked[2:],
        ]:
            reader = primed(b"POST" + chunked + b"0\r\n\r\n")
            self.assertEqual(self.assertRaises(WireError, reader.receive, octets).status, 400)
        reader = primed(b"GET / HTTP/1.0\r\nA: b\r\n\r\n")
        self.assertRaises(WireError, reader.receive, b"GET / HTTP/1.1\r\nA: b\r\n\r\n")

    def test_memoryOfFieldsRespectsTheHeadLimit(self) -> None:
        """A longer request line in front of remembered fields still counts."""
        fields = b" HTTP/1.1\r\nHost: a\r\nA: 0123456789\r\n\r\n"
        reader = primed(b"GET /" + fields, Limits(headerOctets=60))
        error = self.assertRaises(WireError, reader.receive, b"GET /" + b"a" * 20 + fields)
        self.assertEqual(error.status, 431)

    def test_aLongerBlockIsNotTheRememberedOne(self) -> None:
        """The remembered block must end where the section ends."""
        events = primed(_GET).receive(_GET[:-2] + b"B: c\r\n\r\n")
        head = events[0]
        assert isinstance(head, RequestHead)
        self.assertEqual(head.fields.get(b"b"), b"c")

    def test_eventsBeforeAnErrorAreNotLost(self) -> None:
        """The call that raises keeps what it had in hand."""
        self.assertRaises(WireError, self.reader.receive, _CHUNKED + b"3\r\nabc\r\nx")
        [head, content] = self.reader.undelivered
        assert isinstance(head, RequestHead)
        self.assertEqual(content, b"abc")

    def test_aDeadReaderStaysDead(self) -> None:
        """Every call raises the first error again."""
        error = self.assertRaises(WireError, self.reader.receive, b"\x00")
        self.assertIs(self.assertRaises(WireError, self.reader.receive, _GET), error)
        self.assertIs(self.assertRaises(WireError, self.reader.resume), error)
        self.assertEqual(self.reader.held, 0)
        self.assertFalse(self.reader.inHead)

    def test_bodyLimit(self) -> None:
        """A declared length over it is refused before the head is delivered."""
        reader = RequestReader(Limits(bodyOctets=2))
        error = self.assertRaises(WireError, reader.receive, _POST)
        self.assertEqual(error.status, 413)
        self.assertEqual(list(reader.undelivered), [])

    def test_nothingIsNothing(self) -> None:
        """An empty piece changes nothing, in any state."""
        for octets in (_GET, _POST, _POST + b"ab", _CHUNKED, _CHUNKED + b"2\r\na", _GET[:3], b"\r"):
            reader = RequestReader(Limits())
            reader.receive(octets)
            held, inHead = reader.held, reader.inHead
            self.assertEqual(reader.receive(b""), [])
            self.assertEqual((reader.held, reader.inHead), (held, inHead))

    def test_anIdleReaderIsSmall(self) -> None:
        """Between requests it costs little (DESIGN: many idle connections)."""
        names = getattr(self.reader, "__slots__", None)
        if names is None:
            raise SkipTest("a compiled reader has no slots to add up")
        self.reader.receive(_POST + b"abc")
        self.reader.resume()
        self.reader.forget()
        size = sys.getsizeof(self.reader)
        for name in names:
            value = getattr(self.reader, name)
            if name != "_limits" and value not in (None, b"", (), 0):
                size += sys.getsizeof(value)
        self.assertTrue(size < 300, size)


class ResponseReaderTests(SynchronousTestCase):
    """L{ResponseReader}."""

    def setUp(self) -> None:
        """Make a reader that expects an answer to a GET."""
        self.reader = ResponseReader(Limits())
        self.reader.expect(b"GET")

    def test_length(self) -> None:
        """A head, content, and the end with its last octet."""
        events = self.reader.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab")
        fields = Fields.fromPairs([(b"Content-Length", b"3")])
        self.assertEqual(events, [ResponseHead(200, b"OK", 11, fields, framing=3, length=3), b"ab"])
        self.assertEqual(self.reader.receive(b"c"), [b"c", END])

    def test_idle(self) -> None:
        """Until the first octet of an expected response."""
        self.assertTrue(self.reader.idle)
        self.reader.receive(b"")
        self.assertTrue(self.reader.idle)
        self.reader.receive(b"H")
        self.assertFalse(self.reader.idle)
        self.reader.receive(b"TTP/1.1 204 \r\n\r\n")
        self.reader.expect(b"GET")
        self.assertTrue(self.reader.idle)

    def test_interimHeads(self) -> None:
        """1xx heads come without an end, in front of the final one (RFC 9110 §15.2)."""
        events = self.reader.receive(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
            b"HTTP/1.1 204 No Content\r\n\r\n"
        )
        self.assertEqual(
            [event.status for event in events if isinstance(event, ResponseHead)], [100, 103, 204]
        )
        self.assertEqual(events[3:], [END])

    def test_withoutContent(self) -> None:
        """HEAD, 204 and 304: the end follows the head at once."""
        for method, octets in [
            (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"),
            (b"HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            (b"HEAD", b"HTTP/1.1 200 OK\r\n\r\n"),
            (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
            (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n"),
        ]:
            reader = ResponseReader(Limits())
            reader.expect(method)
            head, end = reader.receive(octets)
            assert isinstance(head, ResponseHead)
            self.assertEqual((head.framing, end), (NO_BODY, END))
            self.assertTrue(head.keepAlive)
            reader.expect(b"GET")

    def test_headTellsTheLength(self) -> None:
        """An answer to HEAD declares a length that does not come."""
        self.reader = ResponseReader(Limits())
        self.reader.expect(b"HEAD")
        head = self.reader.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")[0]
        assert isinstance(head, ResponseHead)
        self.assertEqual((head.framing, head.length), (NO_BODY, 3))

    def test_untilClose(self) -> None:
        """Without framing, content ends with the connection (RFC 9112 §6.3)."""
        [head] = self.reader.receive(b"HTTP/1.1 200 OK\r\n\r\n")
        assert isinstance(head, ResponseHead)
        self.assertEqual((head.framing, head.keepAlive), (UNTIL_CLOSE, False))
        self.assertEqual(self.reader.receive(b"HTTP/1.1"), [b"HTTP/1.1"])
        self.assertEqual(self.reader.eof(), [END])
        self.assertEqual(self.reader.eof(), [])

    def test_chunked(self) -> None:
        """Chunks with trailers, and the connection goes on."""
        events = self.reader.receive(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n"
        )
        self.assertEqual(events[1:], [b"abc", End(Fields.fromPairs([(b"T", b"1")]))])
        self.assertEqual(self.reader.held, 0)
        self.reader.expect(b"GET")

    def test_http10(self) -> None:
        """Ends its connection, unless it says otherwise."""
        for connection, keepAlive in [(b"", False), (b"Connection: Keep-Alive\r\n", True)]:
            reader = ResponseReader(Limits())
            reader.expect(b"GET")
            head = reader.receive(
                b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n" + connection + b"\r\n"
            )[0]
            assert isinstance(head, ResponseHead)
            self.assertEqual((head.version, head.keepAlive), (10, keepAlive))

    def test_reasons(self) -> None:
        """May be empty, missing with its space, or any text."""
        for line, reason in [
            (b"HTTP/1.1 204", b""),
            (b"HTTP/1.1 204 ", b""),
            (b"HTTP/1.1 204 a  b\xe4", b"a  b\xe4"),
        ]:
            reader = ResponseReader(Limits())
            reader.expect(b"GET")
            head = reader.receive(line + b"\r\n\r\n")[0]
            assert isinstance(head, ResponseHead)
            self.assertEqual(head.reason, reason)

    def test_tunnel(self) -> None:
        """After a 2xx answer to CONNECT, octets are held for C{detach}."""
        reader = ResponseReader(Limits())
        reader.expect(b"CONNECT")
        octets = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
        head, end = reader.receive(octets + b"a")
        assert isinstance(head, ResponseHead)
        self.assertEqual((head.framing, head.length, end), (NO_BODY, None, END))
        self.assertEqual(reader.receive(b"b"), [])
        self.assertEqual(reader.receive(b"c"), [])
        self.assertEqual(reader.held, 3)
        self.assertEqual(reader.detach(), b"abc")
        self.assertRaises(RuntimeError, reader.receive, b"x")

    def test_refusedTunnel(self) -> None:
        """Another answer to CONNECT has content like any."""
        reader = ResponseReader(Limits())
        reader.expect(b"CONNECT")
        events = reader.receive(b"HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nabc")
        self.assertEqual(events[1:], [b"abc", END])
        reader.expect(b"GET")

    def test_unaskedOctetsAreCounted(self) -> None:
        """They are thrown away, C{held} tells of them, and no response is read."""
        self.reader.receive(b"HTTP/1.1 204 \r\n\r\nHTTP/1.1 200")
        self.assertEqual(self.reader.held, 12)
        self.assertEqual(self.reader.receive(b" OK"), [])
        self.assertEqual(self.reader.held, 15)
        error = self.assertRaises(WireError, self.reader.expect, b"GET")
        self.assertEqual((error.status, error.token), (502, "http_protocol_error"))
        self.assertRaises(WireError, self.reader.expect, b"GET")
        self.assertRaises(WireError, self.reader.eof)

    def test_octetsBeforeTheFirstRequest(self) -> None:
        """A server that speaks first is not an HTTP server."""
        reader = ResponseReader(Limits())
        self.assertEqual(reader.receive(b"220 hello"), [])
        self.assertEqual(reader.held, 9)

    def test_expectIsForOneAtATime(self) -> None:
        """Expecting while a response is due is a mistake of the caller."""
        self.assertRaises(RuntimeError, self.reader.expect, b"GET")
        self.reader.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
        self.assertRaises(RuntimeError, self.reader.expect, b"GET")

    def test_theRestOfContentMayBeLeftToOthers(self) -> None:
        """C{remaining} tells how much there is, after C{skip} the next may be expected."""
        self.assertEqual(self.reader.remaining, 0)
        self.reader.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
        self.assertEqual(self.reader.remaining, 3)
        self.reader.skip()
        self.assertEqual((self.reader.remaining, self.reader.held), (0, 0))
        self.reader.expect(b"GET")
        self.reader.receive(b"HTTP/1.1 200 OK\r\n\r\nab")
        self.assertEqual(self.reader.remaining, 0)

    def test_eofWithoutExpectation(self) -> None:
        """An idle connection may end."""
        self.assertEqual(ResponseReader(Limits()).eof(), [])

    def test_eofInTheMiddle(self) -> None:
        """Anywhere else it is incomplete, with the token for that (RFC 9112 §8)."""
        whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nA: b\r\n\r\n"
        for size in range(len(whole)):
            reader = ResponseReader(Limits())
            reader.expect(b"GET")
            reader.receive(whole[:size])
            error = self.assertRaises(WireError, reader.eof)
            self.assertEqual((error.status, error.token), (502, "http_response_incomplete"))

    def answer(self, octets: bytes, method: bytes = b"GET") -> tuple[ResponseHead, int]:
        """One more request is answered; how many events that gave."""
        self.reader.expect(method)
        events = self.reader.receive(octets)
        assert isinstance(events[0], ResponseHead)
        return events[0], len(events)

    def test_theSameHeadHasTheSameFields(self) -> None:
        """The object, as it is not parsed again; the head is another one."""
        octets = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
        self.reader = ResponseReader(Limits())
        first, _ = self.answer(octets + b"a")
        second, _ = self.answer(octets + b"b")
        self.assertEqual(first, second)
        self.assertIsNot(first, second)
        self.assertIs(first.fields, second.fields)
        self.reader.forget()
        third, _ = self.answer(octets + b"c")
        self.assertEqual(first, third)
        self.assertIsNot(first.fields, third.fields)

    def test_whatLooksTheSame(self) -> None:
        """Another status, another method: framing is told anew."""
        octets = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
        self.reader = ResponseReader(Limits())
        self.answer(octets + b"a")
        head, events = self.answer(octets, b"HEAD")
        self.assertEqual((head.status, head.framing, head.length, events), (200, 0, 1, 2))
        head, events = self.answer(octets + b"b")
        self.assertEqual((head.status, head.framing, events), (200, 1, 3))
        head, events = self.answer(octets.replace(b"200", b"304"))
        self.assertEqual((head.status, head.framing, events), (304, 0, 2))
        head, events = self.answer(octets.replace(b"1.1", b"1.0") + b"c")
        self.assertEqual((head.version, head.keepAlive, events), (10, False, 3))

    def test_aHeadThatBeginsTheSame(self) -> None:
        """In pieces, or with more fields."""
        octets = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        self.reader = ResponseReader(Limits())
        self.answer(octets)
        head, _ = self.answer(octets.replace(b"\r\n\r\n", b"\r\nA: b\r\n\r\n"))
        self.assertEqual(head.fields.get(b"a"), b"b")
        self.reader.expect(b"GET")
        self.assertEqual(self.reader.receive(octets[:-1]), [])
        self.assertEqual(len(self.reader.receive(octets[-1:])), 2)

    def test_memoryOfFieldsRespectsTheHeadLimit(self) -> None:
        """A longer status line in front of remembered fields still counts."""
        reader = ResponseReader(Limits(headerOctets=60))
        octets = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: b\r\n\r\n"
        reader.expect(b"GET")
        reader.receive(octets)
        reader.expect(b"GET")
        error = self.assertRaises(
            WireError, reader.receive, octets.replace(b"OK", b"O" + b"K" * 30)
        )
        self.assertEqual(error.token, "http_response_header_section_size")

    def test_contentInManyStates(self) -> None:
        """Octet by octet and at once are the same, for a whole conversation."""
        octets = (
            b"HTTP/1.1 100 \r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3;a=b\r\nabc\r\n0\r\nA: b\r\n\r\n"
        )
        events: list[object] = []
        for octet in each(octets):
            events += self.reader.receive(octet)
        whole = ResponseReader(Limits())
        whole.expect(b"GET")
        expected = whole.receive(octets)
        self.assertEqual(events[:2] + events[-1:], expected[:2] + expected[-1:])
        self.assertEqual(events[2:-1], [b"a", b"b", b"c"])


class EventTests(SynchronousTestCase):
    """The events themselves."""

    def test_equality(self) -> None:
        """By value, as tests and caches want it."""
        self.assertEqual(END, End(Fields.fromPairs([])))
        self.assertNotEqual(END, End(_HOST))
        self.assertNotEqual(_GET_HEAD, END)
        self.assertNotEqual(_GET_HEAD, RequestHead(b"PUT", b"/", 11, _HOST, host=b"a"))

    def test_representation(self) -> None:
        """Names every attribute."""
        self.assertEqual(repr(END), "End(trailers=Fields([]))")
        self.assertIn("method=b'GET'", repr(_GET_HEAD))
