# -*- test-case-name: tests.wire -*-
"""
Where h11 0.16 and llhttp (by httptools 0.9) judge otherwise: reviewed, each with a reason.

Every row of L{tests.wire.refusals} that one of the two does not refuse is in
L{REFUSED_BY_US}; every message that we take, and one of them does not or reads in
another way, is in L{TAKEN_BY_US}.  The tests fail on a difference that is not here,
and on one here that is none.
"""

from __future__ import annotations

from typing import NamedTuple

#: What follows an example whose octets are not a whole message, so that those
#: who do not refuse it at once come to a decision.
CONTINUATIONS = {
    "Request line": b"Host: a.example\r\n\r\n",
    "Fields of a request": b"\r\n\r\n",
    "Framing of a request": b"3\r\nabc\r\n0\r\n\r\n",
    "Chunked content of a request": b"\r\n0\r\n\r\n",
    "Responses": b"\r\n\r\n0\r\n\r\n",
}

_VERSION = "RFC 9110 §2.5 would let 1.2 pass for 1.1; the others are other protocols (505)."
_FORM = "A parser without a role does not look at the forms of a target; an intermediary has to."
_HOST = "A parser does not look into the value of Host; an intermediary routes by it."
_LF = "RFC 9112 §2.2 allows it; the next recipient may not take it for a line end."
_FOLD = "RFC 9112 §5.2: a proxy may also replace it by spaces; that is repairing."
_VALUE = "RFC 9110 §5.5 calls it invalid, and h11 is lenient on purpose."
_LIMIT = "A limit of ours, which theirs are not."
_TRAILER = "Only a recipient that could merge it into the head minds; we pass messages on to such."
_BOTH = "RFC 9112 §6.1 allows it, with Transfer-Encoding winning; a smuggler's first tool."
_STATUS_LINE = "llhttp is lenient with servers."
_SPACES = "llhttp passes over more than one space, and nobody needs that."
_ROLE = "Wrong for an intermediary, not for a parser."


class Judgement(NamedTuple):
    """What the two make of an example, and why we do not."""

    h11: str
    llhttp: str
    reason: str


_LENGTHS = "RFC 9110 §8.6 allows identical values to count as one."
_METHODS = "llhttp has a list of methods, and HTTP has none (RFC 9110 §9.1)."
_INTERIM = "To httptools an interim response is a message like any, and the first."

_R, _F, _C, _K, _A = CONTINUATIONS

REFUSED_BY_US: dict[tuple[str, str], Judgement] = {
    (_R, "HTTP/2 preface"): Judgement("takes", "refuses", _VERSION),
    (_R, "HTTP/0.9 request"): Judgement("refuses", "takes", "llhttp still speaks HTTP/0.9."),
    (_R, "HTTP/2.0 in a request line"): Judgement("takes", "takes", _VERSION),
    (_R, "HTTP/1.2 in a request line"): Judgement("takes", "refuses", _VERSION),
    (_R, "HTTP/0.9 in a request line"): Judgement("takes", "takes", _VERSION),
    (_R, "two spaces after the method"): Judgement("refuses", "takes", _SPACES),
    (_R, "two spaces before the version"): Judgement("refuses", "takes", _SPACES),
    (_R, "fragment in the target"): Judgement("takes", "takes", _FORM),
    (_R, "target in no known form"): Judgement("takes", "refuses", _FORM),
    (_R, "asterisk with a method other than OPTIONS"): Judgement("takes", "takes", _FORM),
    (_R, "CONNECT with a path"): Judgement("takes", "takes", _FORM),
    (_R, "CONNECT with an absolute URI"): Judgement("takes", "takes", _FORM),
    (_R, "CONNECT without a port"): Judgement("takes", "takes", _FORM),
    (_R, "CONNECT with an empty port"): Judgement("takes", "takes", _FORM),
    (_R, "CONNECT to port 0 or above 65535"): Judgement("takes", "takes", _FORM),
    (_R, "CONNECT with user information"): Judgement("takes", "takes", _FORM),
    (_R, "bare LF after it"): Judgement("takes", "refuses", _LF),
    (_R, "bare LF before it"): Judgement("refuses", "takes", _LF),
    (_F, "bare LF"): Judgement("takes", "refuses", _LF),
    (_F, "obs-fold"): Judgement("takes", "refuses", _FOLD),
    (_F, "obs-fold by a tab"): Judgement("takes", "refuses", _FOLD),
    (_F, "control in a value"): Judgement("takes", "refuses", _VALUE),
    (_F, "DEL in a value"): Judgement("takes", "refuses", _VALUE),
    (_F, "more octets than the limit"): Judgement("takes", "takes", _LIMIT),
    (_F, "more fields than the limit"): Judgement("takes", "takes", _LIMIT),
    (_F, "no Host in HTTP/1.1"): Judgement("refuses", "takes", _HOST),
    (_F, "two Host lines"): Judgement("refuses", "takes", _HOST),
    (_F, "two hosts in one line"): Judgement("takes", "takes", _HOST),
    (_F, "empty Host"): Judgement("takes", "takes", _HOST),
    (_F, "Host with user information"): Judgement("takes", "takes", _HOST),
    (_F, "Host with a path"): Judgement("takes", "takes", _HOST),
    (_F, "Host with a space"): Judgement("takes", "takes", _HOST),
    (_F, "Host with percent-encoding"): Judgement("takes", "takes", _HOST),
    (_F, "Host with a bad IPv6 literal"): Judgement("takes", "takes", _HOST),
    (_F, "Host with a bad port"): Judgement("takes", "takes", _HOST),
    (_F, "Host with an empty label"): Judgement("takes", "takes", _HOST),
    (_F, "Host in HTTP/1.0 that is invalid"): Judgement("takes", "takes", _HOST),
    (_C, "Content-Length and Transfer-Encoding"): Judgement("takes", "refuses", _BOTH),
    (_C, "Content-Length of more than 18 digits"): Judgement("waits", "waits", _LIMIT),
    (_C, "Content-Length over the limit"): Judgement("waits", "waits", _LIMIT),
    (_C, "transfer coding besides chunked"): Judgement(
        "refuses", "takes", "We could not tell the next recipient of the coding; 501."
    ),
    (_C, "Transfer-Encoding in HTTP/1.0"): Judgement(
        "takes", "takes", "RFC 9112 §6.1: faulty framing, even if it can be read."
    ),
    (_C, "CONNECT with content"): Judgement("takes", "takes", _ROLE),
    (_C, "TRACE with content"): Judgement("takes", "takes", _ROLE),
    (_K, "extension with a control"): Judgement(
        "waits", "refuses", "h11 passes over extensions without looking at them."
    ),
    (_K, "extension of more than 256 octets"): Judgement("waits", "waits", _LIMIT),
    (_K, "content over the limit"): Judgement("waits", "waits", _LIMIT),
    (_K, "trailer with obs-fold"): Judgement("takes", "refuses", _FOLD),
    (_K, "trailer ended by a bare LF"): Judgement("takes", "refuses", _LF),
    (_K, "more trailers than fields allowed"): Judgement("takes", "takes", _LIMIT),
    (_K, "Content-Length as a trailer"): Judgement("takes", "refuses", _TRAILER),
    (_K, "Transfer-Encoding as a trailer"): Judgement("takes", "refuses", _TRAILER),
    (_K, "Host as a trailer"): Judgement("takes", "takes", _TRAILER),
    (_A, "another version"): Judgement("takes", "takes", _VERSION),
    (_A, "empty line before the status line"): Judgement("refuses", "takes", _STATUS_LINE),
    (_A, "status below 100"): Judgement("refuses", "takes", _STATUS_LINE),
    (_A, "control in the reason"): Judgement("refuses", "takes", _STATUS_LINE),
    (_A, "bare LF after the status line"): Judgement("takes", "refuses", _LF),
    (_A, "bare LF after a field"): Judgement("takes", "refuses", _LF),
    (_A, "obs-fold"): Judgement("takes", "refuses", _FOLD),
    (_A, "head over the limit"): Judgement("takes", "takes", _LIMIT),
    (_A, "more fields than the limit"): Judgement("takes", "takes", _LIMIT),
    (_A, "101 without having been asked"): Judgement(
        "refuses", "takes", "llhttp does not know what was asked."
    ),
    (_A, "the same in an answer to HEAD"): Judgement("takes", "refuses", _BOTH),
    (_A, "trailers over the limit"): Judgement("takes", "takes", _LIMIT),
    (_A, "Content-Length as a trailer"): Judgement("takes", "refuses", _TRAILER),
}


class Example(NamedTuple):
    """
    A message that we take.

    @ivar method: of the request that a response answers; None for a request.
    """

    octets: bytes
    method: bytes | None = None


def _request(fields: bytes = b"", line: bytes = b"GET / HTTP/1.1", rest: bytes = b"") -> Example:
    return Example(line + b"\r\nHost: a\r\n" + fields + b"\r\n" + rest)


def _post(fields: bytes, rest: bytes) -> Example:
    return _request(fields, b"POST / HTTP/1.1", rest)


def _response(octets: bytes, method: bytes = b"GET") -> Example:
    return Example(octets, method)


_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_EMPTY = b"Content-Length: 0\r\n\r\n"

#: What we take: the ordinary, and what looks odd.
TAKEN: dict[str, Example] = {
    "plain request": _request(),
    "HTTP/1.0 request": Example(b"GET / HTTP/1.0\r\n\r\n"),
    "HTTP/1.0 request that keeps alive": Example(
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    ),
    "content": _post(b"Content-Length: 3\r\n", b"abc"),
    "content of a GET": _request(b"Content-Length: 3\r\n", rest=b"abc"),
    "chunks": _post(_CHUNKED, b"3\r\nabc\r\n0\r\n\r\n"),
    "chunks with noughts": _post(_CHUNKED, b"003\r\nabc\r\n000\r\n\r\n"),
    "chunk extensions": _post(_CHUNKED, b'3;a;b=c;d="e f"\r\nabc\r\n0;g\r\n\r\n'),
    "trailers": _post(_CHUNKED, b"0\r\nA: b\r\n\r\n"),
    "Chunked in capitals": _post(b"TRANSFER-ENCODING: CHUNKED\r\n", b"0\r\n\r\n"),
    "length with noughts": _post(b"Content-Length: 003\r\n", b"abc"),
    "length twice": _post(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc"),
    "list of one length": _post(b"Content-Length: 3, 3\r\n", b"abc"),
    "empty lines before it": Example(b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "odd white space": _request(b"A:b\r\nC:\t d \t\r\nE:\r\nF: \r\n"),
    "obs-text": _request(b"A: \x80\xff\r\n"),
    "all of a token": _request(b"!#$%&'*+-.^_`|~09azAZ: b\r\n"),
    "unknown method": _request(line=b"FROBNICATE / HTTP/1.1"),
    "odd method": _request(line=b"!#$ / HTTP/1.1"),
    "lower-case method": _request(line=b"get / HTTP/1.1"),
    "odd target": _request(line=b'GET /"<>\\^`{|}%zz?[] HTTP/1.1'),
    "absolute target": _request(line=b"GET http://b.example/ HTTP/1.1"),
    "asterisk": _request(line=b"OPTIONS * HTTP/1.1"),
    "tunnel": _request(line=b"CONNECT a.example:443 HTTP/1.1", rest=b"\x16\x03\x01"),
    "tunnel to a literal": _request(line=b"CONNECT [::1]:443 HTTP/1.1"),
    "upgrade": _request(b"Connection: upgrade\r\nUpgrade: websocket\r\n"),
    "IPv6 host": Example(b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
    "plain response": _response(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"),
    "chunked response": _response(b"HTTP/1.1 200 OK\r\n" + _CHUNKED + b"\r\n3\r\nabc\r\n0\r\n\r\n"),
    "trailers of a response": _response(
        b"HTTP/1.1 200 OK\r\n" + _CHUNKED + b"\r\n0\r\nA: b\r\n\r\n"
    ),
    "empty reason": _response(b"HTTP/1.1 200 \r\n" + _EMPTY),
    "no space before no reason": _response(b"HTTP/1.1 200\r\n" + _EMPTY),
    "odd reason": _response(b"HTTP/1.1 200 a\tb \xe4\r\n" + _EMPTY),
    "status 999": _response(b"HTTP/1.1 999 Hm\r\n" + _EMPTY),
    "status 600": _response(b"HTTP/1.1 600 Hm\r\n" + _EMPTY),
    "HTTP/1.0 response": _response(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc"),
    "until the end": _response(b"HTTP/1.1 200 OK\r\n\r\nabc"),
    "no content": _response(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "no content but a length": _response(b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n"),
    "not modified": _response(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n"),
    "answer to HEAD": _response(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", b"HEAD"),
    "length twice in a response": _response(
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"
    ),
    "after 100": _response(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n" + _EMPTY),
    "after 103": _response(
        b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\n" + _EMPTY
    ),
}

#: Of these, what the two make of some instead.
TAKEN_BY_US: dict[str, Judgement] = {
    "length twice": Judgement("takes", "refuses", _LENGTHS),
    "list of one length": Judgement("takes", "refuses", _LENGTHS),
    "length twice in a response": Judgement("takes", "refuses", _LENGTHS),
    "empty lines before it": Judgement(
        "refuses", "takes", "RFC 9112 §2.2: SHOULD ignore at least one, and h11 does not."
    ),
    "odd white space": Judgement(
        "takes", "reads otherwise", "llhttp leaves a tab at the end of a value; RFC 9110 §5.5."
    ),
    "unknown method": Judgement("takes", "refuses", _METHODS),
    "odd method": Judgement("takes", "refuses", _METHODS),
    "lower-case method": Judgement("takes", "refuses", _METHODS),
    "answer to HEAD": Judgement("takes", "refuses", "httptools can't be told of the method."),
    "after 100": Judgement("takes", "reads otherwise", _INTERIM),
    "after 103": Judgement("takes", "reads otherwise", _INTERIM),
}
