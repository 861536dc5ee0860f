# -*- test-case-name: tests.wire -*-
"""
Everything that C{wire} refuses: octets, status, token.

L{REFUSALS} drives the tests here and those of the fronts, and makes
C{docs/refusals.md}: C{python -m tests.wire.refusals} prints it.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from intermediary.settings import Limits
from intermediary.wire.chunked import DROPPED_TRAILERS, REFUSED_TRAILERS
from intermediary.wire.forwarding import END_TO_END

from .feeding import Outcome, feedRequests, feedResponses

#: Small ones, so that the octets below stay readable.
LIMITS = Limits(
    headerOctets=1024, headerFields=16, targetOctets=256, trailerOctets=256, bodyOctets=1000
)


class Refusal(NamedTuple):
    """
    One row.

    @ivar group: a heading of the page.
    @ivar what: what is refused, as the page says it.
    @ivar octets: an example.
    @ivar status: of the answer, or of the exchange for a response.
    @ivar source: the rule.
    @ivar token: RFC 9209 §2.3.
    @ivar method: of the request that a response answers.
    """

    group: str
    what: str
    octets: bytes
    status: int
    source: str
    token: str = "http_request_error"
    method: bytes = b"GET"


_HOST = b"Host: a.example\r\n"
_GET = b"GET / HTTP/1.1\r\n" + _HOST
_POST = b"POST / HTTP/1.1\r\n" + _HOST
_CHUNKED = _POST + b"Transfer-Encoding: chunked\r\n\r\n"
_OK = b"HTTP/1.1 200 OK\r\n"
_OK_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"


def _line(what: str, octets: bytes, status: int, source: str) -> Refusal:
    return Refusal("Request line", what, octets, status, source)


def _field(what: str, octets: bytes, status: int, source: str) -> Refusal:
    return Refusal("Fields of a request", what, octets, status, source)


def _framed(what: str, octets: bytes, status: int, source: str) -> Refusal:
    return Refusal("Framing of a request", what, octets, status, source)


def _chunks(what: str, octets: bytes, status: int, source: str) -> Refusal:
    return Refusal("Chunked content of a request", what, _CHUNKED + octets, status, source)


def _response(what: str, octets: bytes, token: str, source: str, method: bytes = b"GET") -> Refusal:
    return Refusal("Responses", what, octets, 502, source, token, method=method)


_PROTOCOL = "http_protocol_error"
_HEAD_SIZE = "http_response_header_section_size"
_TRAILER_SIZE = "http_response_trailer_section_size"
_CODING = "http_response_transfer_coding"
_INCOMPLETE = "http_response_incomplete"

REFUSALS: list[Refusal] = [
    _line("TLS handshake on a plain port", b"\x16\x03\x01\x02\x00\x01", 400, "RFC 9112 §3"),
    _line("SSL 2 handshake on a plain port", b"\x80\x2e\x01\x03\x01", 400, "RFC 9112 §3"),
    _line("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "RFC 9113 §3.4"),
    _line("HTTP/0.9 request", b"GET /\r\n", 400, "RFC 9112 §3"),
    _line("HTTP/2.0 in a request line", b"GET / HTTP/2.0\r\n\r\n", 505, "RFC 9110 §15.6.6"),
    _line("HTTP/1.2 in a request line", b"GET / HTTP/1.2\r\n\r\n", 505, "RFC 9110 §15.6.6"),
    _line("HTTP/0.9 in a request line", b"GET / HTTP/0.9\r\n\r\n", 505, "RFC 9110 §15.6.6"),
    _line("lower-case HTTP", b"GET / http/1.1\r\n\r\n", 400, "RFC 9112 §2.3"),
    _line("version of another form", b"GET / HTTP/1.10\r\n\r\n", 400, "RFC 9112 §2.3"),
    _line("method that is not a token", b"GE\x7fT / HTTP/1.1\r\n\r\n", 400, "RFC 9110 §9.1"),
    _line("method with a bracket", b"G(T / HTTP/1.1\r\n\r\n", 400, "RFC 9110 §9.1"),
    _line("no method", b" / HTTP/1.1\r\n\r\n", 400, "RFC 9112 §3"),
    _line("method of more than 64 octets", b"M" * 65, 501, "RFC 9112 §3"),
    _line("no target", b"GET HTTP/1.1\r\n\r\n", 400, "RFC 9112 §3"),
    _line("method alone", b"GET\r\n\r\n", 400, "RFC 9112 §3"),
    _line("two spaces after the method", b"GET  / HTTP/1.1\r\n", 400, "RFC 9112 §3"),
    _line("two spaces before the version", b"GET /  HTTP/1.1\r\n", 400, "RFC 9112 §3"),
    _line("tab for a space", b"GET\t/ HTTP/1.1\r\n", 400, "RFC 9112 §3"),
    _line("space in the target", b"GET /a b HTTP/1.1\r\n", 400, "RFC 9112 §3.2"),
    _line("space at the end of the line", b"GET / HTTP/1.1 \r\n", 400, "RFC 9112 §3"),
    _line("control in the target", b"GET /\x01 HTTP/1.1\r\n", 400, "RFC 9112 §3.2"),
    _line("NUL in the target", b"GET /\x00 HTTP/1.1\r\n", 400, "RFC 9112 §3.2"),
    _line("non-ASCII octet in the target", b"GET /\xe4 HTTP/1.1\r\n", 400, "RFC 9112 §3.2"),
    _line("fragment in the target", b"GET /#a HTTP/1.1\r\n", 400, "RFC 9112 §3.2"),
    _line("target over the limit", b"GET /" + b"a" * 256, 414, "RFC 9112 §3"),
    _line("target in no known form", b"GET a HTTP/1.1\r\n" + _HOST + b"\r\n", 400, "RFC 9112 §3.2"),
    _line(
        "asterisk with a method other than OPTIONS",
        b"GET * HTTP/1.1\r\n" + _HOST + b"\r\n",
        400,
        "RFC 9112 §3.2.4",
    ),
    _line(
        "CONNECT with a path",
        b"CONNECT / HTTP/1.1\r\n" + _HOST + b"\r\n",
        400,
        "RFC 9112 §3.2.3",
    ),
    _line(
        "CONNECT with an absolute URI",
        b"CONNECT http://a.example:80 HTTP/1.1\r\n" + _HOST + b"\r\n",
        400,
        "RFC 9112 §3.2.3",
    ),
    _line(
        "CONNECT without a port",
        b"CONNECT a.example HTTP/1.1\r\n" + _HOST + b"\r\n",
        400,
        "RFC 9110 §9.3.6",
    ),
    _line(
        "CONNECT with an empty port",
        b"CONNECT a.example: HTTP/1.1\r\n" + _HOST + b"\r\n",
        400,
        "RFC 9110 §9.3.6",
    ),
    _line(
        "CONNECT to port 0 or above 65535",
        b"CONNECT a.example:65536 HTTP/1.1\r\n" + _HOST + b"\r\n",
        400,
        "RFC 9110 §9.3.6",
    ),
    _line(
        "CONNECT with user information",
        b"CONNECT u@a.example:443 HTTP/1.1\r\n" + _HOST + b"\r\n",
        400,
        "RFC 9112 §3.2.3",
    ),
    _line("more than two empty lines before it", b"\r\n\r\n\r\n", 400, "RFC 9112 §2.2"),
    _line("bare LF after it", b"GET / HTTP/1.1\n", 400, "RFC 9112 §2.2"),
    _line("bare CR after it", b"GET / HTTP/1.1\rH", 400, "RFC 9112 §2.2"),
    _line("bare LF before it", b"\nGET / HTTP/1.1\r\n", 400, "RFC 9112 §2.2"),
    _field("bare LF", _GET + b"A: b\n\r\n", 400, "RFC 9112 §2.2"),
    _field("bare CR", _GET + b"A: b\rc\r\n\r\n", 400, "RFC 9112 §2.2"),
    _field("CR LF CR before the end", _GET + b"\r\r\n", 400, "RFC 9112 §2.2"),
    _field("obs-fold", _GET + b" b\r\n\r\n", 400, "RFC 9112 §5.2"),
    _field("obs-fold by a tab", _GET + b"\tb\r\n\r\n", 400, "RFC 9112 §5.2"),
    _field(
        "white space before the first field",
        b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        400,
        "RFC 9112 §2.2",
    ),
    _field("space before the colon", _GET + b"A : b\r\n\r\n", 400, "RFC 9112 §5.1"),
    _field("tab before the colon", _GET + b"A\t: b\r\n\r\n", 400, "RFC 9112 §5.1"),
    _field("no colon", _GET + b"A\r\n\r\n", 400, "RFC 9112 §5"),
    _field("empty name", _GET + b": b\r\n\r\n", 400, "RFC 9110 §5.1"),
    _field("name with a bracket", _GET + b"A(: b\r\n\r\n", 400, "RFC 9110 §5.1"),
    _field("name with a non-ASCII octet", _GET + b"\xc3\xa4: b\r\n\r\n", 400, "RFC 9110 §5.1"),
    _field("name with a control", _GET + b"A\x00: b\r\n\r\n", 400, "RFC 9110 §5.1"),
    _field("NUL in a value", _GET + b"A: \x00\r\n\r\n", 400, "RFC 9110 §5.5"),
    _field("control in a value", _GET + b"A: \x1b\r\n\r\n", 400, "RFC 9110 §5.5"),
    _field("DEL in a value", _GET + b"A: \x7f\r\n\r\n", 400, "RFC 9110 §5.5"),
    _field("more octets than the limit", _GET + b"A: " + b"b" * 1024, 431, "RFC 6585 §5"),
    _field("more fields than the limit", _GET + b"A: b\r\n" * 16, 431, "RFC 6585 §5"),
    _field("no Host in HTTP/1.1", b"GET / HTTP/1.1\r\n\r\n", 400, "RFC 9112 §3.2"),
    _field("two Host lines", _GET + _HOST + b"\r\n", 400, "RFC 9112 §3.2"),
    _field("two hosts in one line", b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, "RFC 9112 §3.2"),
    _field("empty Host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "RFC 9110 §4.2.1"),
    _field(
        "Host with user information",
        b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
        400,
        "RFC 9112 §3.2",
    ),
    _field("Host with a path", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "RFC 9112 §3.2"),
    _field("Host with a space", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "RFC 9112 §3.2"),
    _field(
        "Host with percent-encoding", b"GET / HTTP/1.1\r\nHost: %61\r\n\r\n", 400, "RFC 9112 §3.2"
    ),
    _field(
        "Host with a bad IPv6 literal",
        b"GET / HTTP/1.1\r\nHost: [::1::]\r\n\r\n",
        400,
        "RFC 9112 §3.2",
    ),
    _field(
        "Host with a bad port", b"GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", 400, "RFC 9112 §3.2"
    ),
    _field(
        "Host with an empty label", b"GET / HTTP/1.1\r\nHost: a..b\r\n\r\n", 400, "RFC 1035 §2.3.1"
    ),
    _field(
        "Host in HTTP/1.0 that is invalid",
        b"GET / HTTP/1.0\r\nHost: a b\r\n\r\n",
        400,
        "RFC 9112 §3.2",
    ),
    _framed(
        "Content-Length and Transfer-Encoding",
        _POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
        "RFC 9112 §6.1, §11.2",
    ),
    _framed(
        "differing Content-Length lines",
        _POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n",
        400,
        "RFC 9112 §6.3",
    ),
    _framed(
        "differing values in one Content-Length",
        _POST + b"Content-Length: 3, 4\r\n\r\n",
        400,
        "RFC 9112 §6.3",
    ),
    _framed(
        "Content-Length with a sign",
        _POST + b"Content-Length: +3\r\n\r\n",
        400,
        "RFC 9110 §8.6",
    ),
    _framed("negative Content-Length", _POST + b"Content-Length: -3\r\n\r\n", 400, "RFC 9110 §8.6"),
    _framed(
        "Content-Length with a space", _POST + b"Content-Length: 3 3\r\n\r\n", 400, "RFC 9110 §8.6"
    ),
    _framed(
        "Content-Length with an underscore",
        _POST + b"Content-Length: 1_0\r\n\r\n",
        400,
        "RFC 9110 §8.6",
    ),
    _framed(
        "Content-Length in hexadecimal",
        _POST + b"Content-Length: 0x3\r\n\r\n",
        400,
        "RFC 9110 §8.6",
    ),
    _framed("empty Content-Length", _POST + b"Content-Length:\r\n\r\n", 400, "RFC 9110 §8.6"),
    _framed(
        "Content-Length of more than 18 digits",
        _POST + b"Content-Length: 1000000000000000000\r\n\r\n",
        400,
        "RFC 9110 §8.6",
    ),
    _framed(
        "Content-Length over the limit",
        _POST + b"Content-Length: 1001\r\n\r\n",
        413,
        "RFC 9110 §15.5.14",
    ),
    _framed(
        "transfer coding besides chunked",
        _POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        501,
        "RFC 9112 §6.1",
    ),
    _framed(
        "transfer coding that does not end with chunked",
        _POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n",
        400,
        "RFC 9112 §6.3",
    ),
    _framed(
        "unknown transfer coding alone",
        _POST + b"Transfer-Encoding: xchunked\r\n\r\n",
        400,
        "RFC 9112 §6.3",
    ),
    _framed(
        "transfer coding identity",
        _POST + b"Transfer-Encoding: identity\r\n\r\n",
        400,
        "RFC 9112 §6.3",
    ),
    _framed(
        "chunked twice",
        _POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
        "RFC 9112 §6.1",
    ),
    _framed(
        "chunked with a parameter",
        _POST + b"Transfer-Encoding: chunked;a=b\r\n\r\n",
        400,
        "RFC 9112 §7.1",
    ),
    _framed(
        "chunked with an empty list element",
        _POST + b"Transfer-Encoding: chunked,\r\n\r\n",
        400,
        "RFC 9112 §6.1",
    ),
    _framed("empty Transfer-Encoding", _POST + b"Transfer-Encoding:\r\n\r\n", 400, "RFC 9112 §6.1"),
    _framed(
        "Transfer-Encoding in HTTP/1.0",
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
        "RFC 9112 §6.1",
    ),
    _framed(
        "CONNECT with content",
        b"CONNECT a.example:443 HTTP/1.1\r\n" + _HOST + b"Content-Length: 3\r\n\r\n",
        400,
        "RFC 9110 §9.3.6",
    ),
    _framed(
        "TRACE with content",
        b"TRACE / HTTP/1.1\r\n" + _HOST + b"Content-Length: 3\r\n\r\n",
        400,
        "RFC 9110 §9.3.8",
    ),
    _chunks("size that is not hexadecimal", b"g\r\n", 400, "RFC 9112 §7.1"),
    _chunks("size with 0x", b"0x3\r\n", 400, "RFC 9112 §7.1"),
    _chunks("size with a sign", b"+3\r\n", 400, "RFC 9112 §7.1"),
    _chunks("negative size", b"-3\r\n", 400, "RFC 9112 §7.1"),
    _chunks("size with an underscore", b"1_0\r\n", 400, "RFC 9112 §7.1"),
    _chunks("space before the size", b" 3\r\n", 400, "RFC 9112 §7.1"),
    _chunks("space after the size", b"3 \r\n", 400, "RFC 9112 §7.1.1"),
    _chunks("empty size", b"\r\n", 400, "RFC 9112 §7.1"),
    _chunks("size of more than 16 digits", b"00000000000000003\r\n", 400, "RFC 9112 §7.1"),
    _chunks("bare LF after the size", b"3\nabc", 400, "RFC 9112 §7.1"),
    _chunks("bare CR after the size", b"3\rabc", 400, "RFC 9112 §7.1"),
    _chunks("no CRLF after the data", b"3\r\nabcd", 400, "RFC 9112 §7.1"),
    _chunks("bare LF after the data", b"3\r\nabc\n", 400, "RFC 9112 §7.1"),
    _chunks("extension without a name", b"3;\r\n", 400, "RFC 9112 §7.1.1"),
    _chunks("extension with white space", b"3; a=b\r\n", 400, "RFC 9112 §7.1.1"),
    _chunks("extension with a control", b"3;a=\x00", 400, "RFC 9112 §7.1.1"),
    _chunks("extension with an open quote", b'3;a="b\r\n', 400, "RFC 9112 §7.1.1"),
    _chunks("extension ended by a bare LF", b"3;a=b\nabc", 400, "RFC 9112 §7.1.1"),
    _chunks("extension of more than 256 octets", b"3;" + b"a" * 256, 400, "RFC 9112 §7.1.1"),
    _chunks(
        "flood of extensions", (b"1;" + b"a" * 200 + b"\r\nb\r\n") * 30, 400, "RFC 9112 §7.1.1"
    ),
    _chunks("content over the limit", b"3e9\r\n", 413, "RFC 9110 §15.5.14"),
    _chunks(
        "content over the limit in all",
        b"3e8\r\n" + b"a" * 1000 + b"\r\n1\r\n",
        413,
        "RFC 9110 §15.5.14",
    ),
    _chunks("trailer with a bad name", b"0\r\nA : b\r\n\r\n", 400, "RFC 9112 §7.1.2"),
    _chunks("trailer with obs-fold", b"0\r\nA: b\r\n c\r\n\r\n", 400, "RFC 9112 §5.2"),
    _chunks("trailer ended by a bare LF", b"0\r\nA: b\n\n", 400, "RFC 9112 §2.2"),
    _chunks("trailers over the limit", b"0\r\nA: " + b"b" * 256, 431, "RFC 6585 §5"),
    _chunks("more trailers than fields allowed", b"0\r\n" + b"A: b\r\n" * 17, 431, "RFC 6585 §5"),
    _chunks(
        "Content-Length as a trailer", b"0\r\nContent-Length: 1\r\n\r\n", 400, "RFC 9110 §6.5.1"
    ),
    _chunks(
        "Transfer-Encoding as a trailer",
        b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
        "RFC 9110 §6.5.1",
    ),
    _chunks("Host as a trailer", b"0\r\nHost: a\r\n\r\n", 400, "RFC 9110 §6.5.1"),
    _response(
        "HTTP/0.9 or anything else without a status line", b"<html>", _PROTOCOL, "RFC 9112 §4"
    ),
    _response(
        "TLS alert on a plain port", b"\x15\x03\x01\x00\x02\x02\x46", _PROTOCOL, "RFC 9112 §4"
    ),
    _response("another version", b"HTTP/2.0 200 OK\r\n", _PROTOCOL, "RFC 9112 §2.3"),
    _response("lower-case HTTP", b"http/1.1 200 OK\r\n", _PROTOCOL, "RFC 9112 §2.3"),
    _response(
        "empty line before the status line", b"\r\nHTTP/1.1 200 OK\r\n", _PROTOCOL, "RFC 9112 §2.2"
    ),
    _response("two spaces before the status", b"HTTP/1.1  200 OK\r\n", _PROTOCOL, "RFC 9112 §4"),
    _response("status of two digits", b"HTTP/1.1 20 OK\r\n", _PROTOCOL, "RFC 9112 §4"),
    _response("status of four digits", b"HTTP/1.1 2000 OK\r\n", _PROTOCOL, "RFC 9112 §4"),
    _response("status below 100", b"HTTP/1.1 099 OK\r\n", _PROTOCOL, "RFC 9110 §15"),
    _response("control in the reason", b"HTTP/1.1 200 O\x00K\r\n", _PROTOCOL, "RFC 9112 §4"),
    _response("bare LF after the status line", b"HTTP/1.1 200 OK\n", _PROTOCOL, "RFC 9112 §2.2"),
    _response("bare LF after a field", _OK + b"A: b\n", _PROTOCOL, "RFC 9112 §2.2"),
    _response("obs-fold", _OK + b"A: b\r\n c\r\n\r\n", _PROTOCOL, "RFC 9112 §5.2"),
    _response("space before a colon", _OK + b"A : b\r\n\r\n", _PROTOCOL, "RFC 9112 §5.1"),
    _response("control in a value", _OK + b"A: \x00\r\n\r\n", _PROTOCOL, "RFC 9110 §5.5"),
    _response("head over the limit", _OK + b"A: " + b"b" * 1024, _HEAD_SIZE, "RFC 9209 §2.3.19"),
    _response("more fields than the limit", _OK + b"A: b\r\n" * 17, _HEAD_SIZE, "RFC 9209 §2.3.19"),
    _response(
        "101 without having been asked",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        _PROTOCOL,
        "RFC 9110 §15.2.2",
    ),
    _response(
        "Content-Length and Transfer-Encoding",
        _OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        _CODING,
        "RFC 9112 §6.3",
    ),
    _response(
        "the same in an answer to HEAD",
        _OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        _CODING,
        "RFC 9112 §6.3",
        b"HEAD",
    ),
    _response(
        "transfer coding other than chunked",
        _OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        _CODING,
        "RFC 9112 §6.3",
    ),
    _response(
        "Transfer-Encoding in HTTP/1.0",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        _CODING,
        "RFC 9112 §6.1",
    ),
    _response(
        "differing Content-Length",
        _OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n",
        _PROTOCOL,
        "RFC 9112 §6.3",
    ),
    _response(
        "invalid Content-Length", _OK + b"Content-Length: 3a\r\n\r\n", _PROTOCOL, "RFC 9112 §6.3"
    ),
    _response("malformed chunk", _OK_CHUNKED + b"x\r\n", _CODING, "RFC 9112 §7.1"),
    _response("chunk longer than its size", _OK_CHUNKED + b"1\r\nab", _CODING, "RFC 9112 §7.1"),
    _response(
        "trailers over the limit",
        _OK_CHUNKED + b"0\r\nA: " + b"b" * 256,
        _TRAILER_SIZE,
        "RFC 9209 §2.3.22",
    ),
    _response(
        "Content-Length as a trailer",
        _OK_CHUNKED + b"0\r\nContent-Length: 1\r\n\r\n",
        _PROTOCOL,
        "RFC 9110 §6.5.1",
    ),
    _response("end of the connection in a head", _OK + b"A: b", _INCOMPLETE, "RFC 9112 §8"),
    _response(
        "end of the connection in content",
        _OK + b"Content-Length: 3\r\n\r\nab",
        _INCOMPLETE,
        "RFC 9112 §8",
    ),
    _response(
        "end of the connection in a chunk", _OK_CHUNKED + b"3\r\nab", _INCOMPLETE, "RFC 9112 §8"
    ),
    _response(
        "end of the connection before the last chunk",
        _OK_CHUNKED + b"3\r\nabc\r\n",
        _INCOMPLETE,
        "RFC 9112 §8",
    ),
]


_INTRODUCTION = """\
# What is refused

Nothing malformed is repaired: a message that two programs could read in two ways is not
passed on (RFC 9112 §11.2). This page is made from the table that the tests run
(`python -m tests.wire.refusals`).

**A request** that is refused is answered with the status below, a small body,
`Connection: close` and `Proxy-Status` with the error `{token}`; nothing more is read
from the connection, which is closed after the answer. That also holds for pipelined
requests behind it. What was refused is not forwarded; where it shows only in the
content, the upstream exchange under way is aborted. If a response has already begun,
the connection is closed without another.

A client that closes its side of the connection before its response is complete
(`printf … | nc -N`) can't be told from one that is gone and is taken for one, as by nginx and
Squid: nothing is refused, but there is no answer, and the log says `client_gone`. Inside a
tunnel either side may close first.

**A response** that is refused is never passed on: the client gets a 502 with
`Proxy-Status` and the error below, and keeps its connection; if the response had
already begun, the client's connection ends short of the declared end, and by a reset
where the end of the connection would count as that of the content, so that it can't take
what it got for a whole response. The connection to the server is closed and not used again.

A refusal comes as soon as the line that deserves it is complete, and before that
wherever no further octets could make it valid; see the column *after*, which tells how
many octets of the example that is (nothing means the end of the connection). Limits are those of
`[limits]`; the examples run with small ones.
"""

_OUTRO = """
## What is taken nevertheless

Where the RFCs allow two ways, or where strictness would only cost users:

* identical `Content-Length` values, in one line or several, count as one (RFC 9110 §8.6);
* up to two empty lines before a request line are passed over (RFC 9112 §2.2);
* octets above 0x7F in field values are passed on as they are (RFC 9110 §5.5);
* white space around a field value is dropped, also where there is none after the colon;
* the space before an empty reason phrase may be missing (RFC 9112 §4 wants it);
* a status up to 999, as RFC 9110 §15 wants it for clients;
* `Expect` in HTTP/1.0 is ignored (RFC 9110 §10.1.1);
* `Content-Length` and `Transfer-Encoding` in a 2xx answer to `CONNECT` are ignored
  (RFC 9112 §6.3); in a 1xx or 204 they mean nothing either, but the connection is not used again.

And where we are stricter than the RFCs:

* `Transfer-Encoding` with `Content-Length` is refused instead of the first one winning
  (RFC 9112 §6.1 allows both);
* white space in chunk extensions and after a chunk size, which RFC 9112 §7.1.1 wants to be
  removed, is refused;
* a bare LF, which RFC 9112 §2.2 allows to take for a line end, is refused;
* a host may not have percent-encoding or the sub-delimiters of RFC 3986 §3.2.2;
* an empty `Host`, fragments, and any HTTP/1.x but 1.0 and 1.1, are refused.

## Connection

`Connection` and the fields that it names are not forwarded, with these exceptions: nobody
can have removed what is meant for all recipients (RFC 9110 §7.6.1 forbids to name such
fields). So naming one of these does nothing: {kept}.

## Trailers

Trailers stay trailers. Refused are {refused}. Dropped are {dropped}.
"""


def _show(octets: bytes) -> str:
    """Octets as a code span, escapes included, without what repeats."""
    text = repr(octets if len(octets) <= 96 else octets[:88])[2:-1].replace("\\'", "'")
    text = text.replace("|", "\\|")
    return f"`` {text} ``" + ("…" if len(octets) > 96 else "")


def feed(refusal: Refusal, pieces: list[bytes], eof: bool = True) -> Outcome:
    """Feed a row to the reader that it is for, in pieces that may be others."""
    if refusal.status == 502:
        return feedResponses(pieces, (refusal.method,), eof, LIMITS)
    return feedRequests(pieces, LIMITS)


def firstRefused(refusal: Refusal) -> int:
    """
    Count how many of the octets are enough for the refusal, if they come at once.

    @return: 0 when the end of the connection is needed as well.
    """
    if feed(refusal, [refusal.octets], eof=False).error is None:
        return 0
    return bisect_left(
        range(len(refusal.octets)),
        True,
        key=lambda size: feed(refusal, [refusal.octets[:size]], eof=False).error is not None,
    )


def render() -> str:
    """Write the page."""
    lines = [_INTRODUCTION.format(token="http_request_error")]
    group = ""
    for refusal in REFUSALS:
        if refusal.group != group:
            group = refusal.group
            last = "error" if refusal.status == 502 else "status"
            lines.append(f"\n## {group}\n\n| what | octets | {last} | after | source |")
            lines.append("|---|---|---|---|---|")
        verdict = f"`{refusal.token}`" if refusal.status == 502 else str(refusal.status)
        early = firstRefused(refusal)
        lines.append(
            f"| {refusal.what} | {_show(refusal.octets)} | {verdict} | {early or ''} | {refusal.source} |"
        )
    names = {
        "kept": ", ".join(f"`{name.decode()}`" for name in sorted(END_TO_END)),
        "refused": ", ".join(f"`{name.decode()}`" for name in sorted(REFUSED_TRAILERS)),
        "dropped": ", ".join(f"`{name.decode()}`" for name in sorted(DROPPED_TRAILERS)),
    }
    return "\n".join(lines) + "\n" + _OUTRO.format(**names)


if __name__ == "__main__":
    import sys

    sys.stdout.write(render())
