# -*- test-case-name: tests.wire.test_startline -*-
"""
L{intermediary.wire.startline}: request and status lines.

The patterns and the functions that explain must agree; that is most of what is
tested here.  What is refused, and how, is in L{tests.wire.refusals}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import WireError
from intermediary.wire.section import INCOMPLETE
from intermediary.wire.startline import (
    REQUEST_LINE,
    STATUS_LINE,
    checkRequestLine,
    checkStatusLine,
)

_REQUEST_LINES = [
    b"GET / HTTP/1.1\r\n",
    b"! * HTTP/1.0\r\n",
    b"M" * 64 + b' http://a/?"<>\\^`{|}[] HTTP/1.1\r\n',
]
_STATUS_LINES = [
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 404 \r\n",
    b"HTTP/1.1 999\r\n",
    b"HTTP/1.1 100 \xe4\t \r\n",
]


class RequestLineTests(SynchronousTestCase):
    """L{REQUEST_LINE} and L{checkRequestLine}: RFC 9112 §3."""

    def test_goodOnes(self) -> None:
        """Both find the end of a line, and neither looks beyond."""
        for line in _REQUEST_LINES:
            match = REQUEST_LINE.match(line + b"A: b")
            assert match is not None
            self.assertEqual(match.end(), len(line))
            self.assertEqual(checkRequestLine(line + b"A: b", 100), len(line))

    def test_beginningsAreIncomplete(self) -> None:
        """No beginning of a good line is refused."""
        for line in _REQUEST_LINES:
            for size in range(len(line)):
                self.assertIsNone(REQUEST_LINE.match(line[:size]))
                self.assertEqual(checkRequestLine(line[:size], 100), INCOMPLETE)

    def test_oneWrongOctet(self) -> None:
        """Wherever one octet is changed, both take the line or neither does."""
        line = b"GET /a HTTP/1.1\r\n"
        for at in range(len(line)):
            for octet in range(256):
                changed = line[:at] + bytes((octet,)) + line[at + 1 :]
                try:
                    taken = checkRequestLine(changed, 100) == len(line)
                except WireError:
                    taken = False
                match = REQUEST_LINE.match(changed)
                self.assertEqual(match is not None, taken, changed)

    def test_theTargetIsMeasured(self) -> None:
        """As soon as it is too long, also without its end."""
        self.assertEqual(checkRequestLine(b"GET /23", 3), INCOMPLETE)
        error = self.assertRaises(WireError, checkRequestLine, b"GET /234", 3)
        self.assertEqual(error.status, 414)

    def test_theDetailNamesTheProtocol(self) -> None:
        """TLS and HTTP/2 on a plain port are what people look for in a log."""
        for octets, detail in [
            (b"\x16\x03\x01", "TLS handshake on a port without TLS"),
            (b"PRI * HTTP/2.0\r\n\r\nSM", "HTTP/2 preface on a port for HTTP/1"),
            (b"GET / HTTP/3.0\r\n", "HTTP version other than 1.0 and 1.1"),
        ]:
            error = self.assertRaises(WireError, checkRequestLine, octets, 100)
            self.assertEqual(error.detail, detail)


class StatusLineTests(SynchronousTestCase):
    """L{STATUS_LINE} and L{checkStatusLine}: RFC 9112 §4."""

    def test_goodOnes(self) -> None:
        """Both find the end of a line, and neither looks beyond."""
        for line in _STATUS_LINES:
            match = STATUS_LINE.match(line + b"A: b")
            assert match is not None
            self.assertEqual(match.end(), len(line))
            self.assertEqual(checkStatusLine(line + b"A: b"), len(line))

    def test_beginningsAreIncomplete(self) -> None:
        """No beginning of a good line is refused."""
        for line in _STATUS_LINES:
            for size in range(len(line)):
                self.assertIsNone(STATUS_LINE.match(line[:size]))
                self.assertEqual(checkStatusLine(line[:size]), INCOMPLETE)

    def test_oneWrongOctet(self) -> None:
        """Wherever one octet is changed, both take the line or neither does."""
        for line in (b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200\r\n"):
            for at in range(len(line)):
                for octet in range(256):
                    changed = line[:at] + bytes((octet,)) + line[at + 1 :]
                    try:
                        taken = checkStatusLine(changed) == len(line)
                    except WireError:
                        taken = False
                    self.assertEqual(STATUS_LINE.match(changed) is not None, taken, changed)
