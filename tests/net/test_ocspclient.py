# -*- test-case-name: tests.net.test_ocspclient -*-
"""
L{intermediary.net.ocspclient}: one question, one answer, and nothing left behind.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import ConnectionRefused
from intermediary.net.ocspclient import (
    ANSWER_OCTETS,
    ANSWER_SECONDS,
    OCSPClient,
    ResponderError,
)

from ..scenario import MemoryConnector, MemoryTransport

URL = "http://ocsp.example:8080/a/b?c"
OK = b"HTTP/1.1 200 OK\r\n"


class OCSPClientTests(SynchronousTestCase):
    """L{OCSPClient}."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.connector = MemoryConnector()
        self.addCleanup(self.nothingIsLeft)
        self.transports: list[MemoryTransport] = []

    def nothingIsLeft(self) -> None:
        """No timer, no attempt and no connection."""
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.connector.waiting, [])
        self.assertFalse(any(each.connected for each in self.transports))

    def ask(self, url: str = URL) -> Deferred[bytes]:
        """Ask."""
        return OCSPClient(self.clock, self.connector).ask(url, b"question")

    def accept(self) -> MemoryTransport:
        """Be connected to."""
        origin, factory, connecting, _ = self.connector.waiting.pop(0)
        self.assertEqual(str(origin), "http://ocsp.example:8080")
        protocol = factory.buildProtocol(None)
        transport = MemoryTransport(protocol, self.clock)
        self.transports.append(transport)
        protocol.makeConnection(transport)
        connecting.callback(protocol)
        return transport

    def told(self, *pieces: bytes) -> Deferred[bytes]:
        """Ask, and be told this."""
        answer = self.ask()
        transport = self.accept()
        for piece in pieces:
            transport.arrive(piece)
        return answer

    def refused(self, answer: Deferred[bytes], words: str) -> None:
        """There is none, and this is why."""
        failure = self.failureResultOf(answer, ResponderError)
        self.assertIn(words, str(failure.value))

    def test_aQuestion(self) -> None:
        """RFC 6960, appendix A.1."""
        answer = self.ask()
        transport = self.accept()
        self.assertEqual(
            transport.written,
            b"POST /a/b?c HTTP/1.1\r\n"
            b"Host: ocsp.example:8080\r\n"
            b"Content-Type: application/ocsp-request\r\n"
            b"Accept: application/ocsp-response\r\n"
            b"Connection: close\r\n"
            b"Content-Length: 8\r\n"
            b"\r\n"
            b"question",
        )
        self.assertNoResult(answer)
        transport.arrive(OK + b"Content-Length: 6\r\n\r\nanswer")
        self.assertEqual(self.successResultOf(answer), b"answer")

    def test_howeverItIsFramed(self) -> None:
        """By length, in chunks, up to the end; and after an interim response."""
        for pieces in (
            (b"HTTP/1.1 103 Early Hints\r\n\r\n", OK + b"Content-Length: 6\r\n\r\nans", b"wer"),
            (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nans\r\n", b"3\r\nwer\r\n0\r\n\r\n"),
            (b"HTTP/1.0 200 OK\r\n\r\nans", b"wer", b""),
        ):
            self.assertEqual(self.successResultOf(self.told(*pieces)), b"answer")

    def test_whatIsNoAnswer(self) -> None:
        """Errors of the responder, of HTTP, and of the connection."""
        for pieces, words in (
            ((b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",), "answers with 404"),
            ((b"HTTP/1.1 301 Moved\r\nLocation: http://x/\r\n\r\n",), "answers with 301"),
            ((b"hello\r\n\r\n",), "not an HTTP/1.x status line"),
            ((OK + b"Content-Length: 6\r\n\r\nans", b""), "incomplete"),
            ((b"",), "incomplete"),
            ((OK + b"A: " + b"b" * 20000,), "than allowed"),
        ):
            self.refused(self.told(*pieces), words)

    def test_itsSizeIsBounded(self) -> None:
        """Whatever it says of its length."""
        head = OK + b"Transfer-Encoding: chunked\r\n\r\n"
        most = b"%x\r\n%b\r\n" % (ANSWER_OCTETS, b"x" * ANSWER_OCTETS)
        self.assertEqual(
            self.successResultOf(self.told(head, most, b"0\r\n\r\n")), b"x" * ANSWER_OCTETS
        )
        self.refused(self.told(head, most, b"1\r\nx\r\n"), "larger than 64 KiB")

    def test_itsTimeIsBounded(self) -> None:
        """However the octets come, and also for the connection."""
        answer = self.ask()
        self.clock.advance(ANSWER_SECONDS - 1)
        transport = self.accept()
        transport.arrive(OK)
        self.assertNoResult(answer)
        self.clock.advance(1)
        self.refused(answer, "no answer within 15 s")
        self.assertEqual(transport.ending, "aborted")
        answer = self.ask()
        self.clock.advance(ANSWER_SECONDS)
        self.refused(answer, "no answer within 15 s")
        self.assertEqual(len(self.connector.cancelled), 1)

    def test_noConnection(self) -> None:
        """With the words of whoever tried, also if they were said at once."""
        answer = self.ask()
        self.connector.waiting.pop(0)[2].errback(ConnectionRefused("ocsp.example: refused"))
        self.refused(answer, "ocsp.example: refused")

        class Refusing(MemoryConnector):
            """Knows it already."""

            def connect(self, *arguments: Any, **more: Any) -> Deferred[Any]:
                return fail(ValueError("of another kind"))

        self.connector = Refusing()
        self.refused(self.ask(), "of another kind")

    def test_whoCancelsEndsIt(self) -> None:
        """While it connects, and while it waits."""
        answer = self.ask()
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        answer = self.ask()
        transport = self.accept()
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.assertEqual(transport.ending, "aborted")

    def test_whatComesLaterIsNobodys(self) -> None:
        """The connection ends once more, after the answer."""
        answer = self.ask()
        transport = self.accept()
        transport.arrive(OK + b"Content-Length: 0\r\n\r\n")
        transport.lost(ConnectionDone())
        self.assertEqual(self.successResultOf(answer), b"")
