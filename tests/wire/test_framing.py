# -*- test-case-name: tests.wire.test_framing -*-
"""
L{intermediary.wire.framing}: where content ends, and whether the connection goes on.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import WireError
from intermediary.wire.fields import EMPTY, Fields
from intermediary.wire.framing import (
    checkContent,
    connectionOptions,
    contentLength,
    persists,
    requestFraming,
    requestHost,
    responseFraming,
)
from intermediary.wire.message import CHUNKED, NO_BODY, UNTIL_CLOSE
from intermediary.wire.refusal import REQUEST, RESPONSE


def fields(*pairs: tuple[bytes, bytes]) -> Fields:
    """Make a section."""
    return Fields.fromPairs(pairs)


_CHUNKED = (b"Transfer-Encoding", b"chunked")


class PersistenceTests(SynchronousTestCase):
    """L{persists}: RFC 9112 §9.3."""

    def test_defaults(self) -> None:
        """HTTP/1.1 persists, HTTP/1.0 does not."""
        self.assertTrue(persists(11, None))
        self.assertFalse(persists(10, None))

    def test_closeWins(self) -> None:
        """C{close} ends the connection, whatever stands beside it and in any case."""
        for value in [
            b"close",
            b"Close",
            b"CLOSE",
            b"close, TE",
            b"te,close",
            b"keep-alive, close",
        ]:
            self.assertFalse(persists(11, value), value)
            self.assertFalse(persists(10, value), value)

    def test_keepAlive(self) -> None:
        """C{keep-alive} is what HTTP/1.0 needs, and HTTP/1.1 does not mind."""
        for value in [b"keep-alive", b"Keep-Alive", b"KEEP-ALIVE", b"foo , keep-alive\t,"]:
            self.assertTrue(persists(11, value), value)
            self.assertTrue(persists(10, value), value)

    def test_othersSayNothing(self) -> None:
        """Other options, and words that only contain one, change nothing."""
        for value in [b"TE", b"upgrade", b"not-close", b"closed", b"", b",", b"keep-alive2"]:
            self.assertTrue(persists(11, value), value)
            self.assertFalse(persists(10, value), value)

    def test_options(self) -> None:
        """Options are in lower case, without white space and empty elements."""
        self.assertEqual(connectionOptions(b" A,b ,\t,C"), [b"a", b"b", b"c"])


class LengthTests(SynchronousTestCase):
    """L{contentLength}: RFC 9110 §8.6."""

    def test_taken(self) -> None:
        """Decimal numbers of up to 18 digits, and lists of identical ones."""
        for value, expected in [
            (b"0", 0),
            (b"10", 10),
            (b"007", 7),
            (b"9" * 18, 10**18 - 1),
            (b"5, 5", 5),
            (b"5,5\t,5", 5),
        ]:
            self.assertEqual(contentLength(value, REQUEST), expected)

    def test_refused(self) -> None:
        """Anything else, with the status of the side."""
        for value in [
            b"",
            b" ",
            b"+1",
            b"-1",
            b"1 0",
            b"1_0",
            b"0x1",
            b"1.0",
            b"1e3",
            b"1" * 19,
            b"5, 6",
            b"5, 05",
            b"5,",
            b",5",
            b"5;5",
            b"a",
            b"\xb2",
            "٣".encode(),
        ]:
            for verdicts, status in [(REQUEST, 400), (RESPONSE, 502)]:
                error = self.assertRaises(WireError, contentLength, value, verdicts)
                self.assertEqual(error.status, status, value)


class RequestTests(SynchronousTestCase):
    """L{requestFraming} and L{requestHost}."""

    def test_noFieldsMeanNoContent(self) -> None:
        """RFC 9112 §6.3, rule 7, for any method."""
        for method in (b"GET", b"POST", b"CONNECT"):
            self.assertEqual(requestFraming(method, 11, EMPTY), NO_BODY)
            self.assertEqual(requestFraming(method, 10, EMPTY), NO_BODY)

    def test_lengthAndChunked(self) -> None:
        """Rules 4 and 6."""
        self.assertEqual(requestFraming(b"POST", 11, fields((b"Content-Length", b"5"))), 5)
        self.assertEqual(requestFraming(b"GET", 10, fields((b"Content-Length", b"5"))), 5)
        self.assertEqual(requestFraming(b"POST", 11, fields(_CHUNKED)), CHUNKED)
        self.assertEqual(
            requestFraming(b"POST", 11, fields((b"TRANSFER-encoding", b"Chunked"))), CHUNKED
        )

    def test_codings(self) -> None:
        """What can't be measured is a 400, what can't be decoded a 501."""
        for value, status in [
            (b"gzip", 400),
            (b"chunked, gzip", 400),
            (b"chunked, chunked", 400),
            (b"gzip, chunked, chunked", 400),
            (b"chunked chunked", 400),
            (b"chunked;", 400),
            (b'"chunked"', 400),
            (b"", 400),
            (b",chunked", 400),
            (b"identity", 400),
            (b"gzip, chunked", 501),
            (b"GZIP,Chunked", 501),
            (b"identity, chunked", 501),
        ]:
            error = self.assertRaises(
                WireError, requestFraming, b"POST", 11, fields((b"Transfer-Encoding", value))
            )
            self.assertEqual(error.status, status, value)

    def test_whatMayNotHaveContent(self) -> None:
        """C{CONNECT} and C{TRACE} (RFC 9110 §9.3.6, §9.3.8)."""
        for method in (b"CONNECT", b"TRACE"):
            checkContent(method, NO_BODY)
            self.assertRaises(WireError, checkContent, method, 1)
            self.assertRaises(WireError, checkContent, method, CHUNKED)
            self.assertEqual(requestFraming(method, 11, fields((b"Content-Length", b"0"))), 0)
        checkContent(b"GET", 1)

    def test_host(self) -> None:
        """The one value is returned as it came."""
        for value in [b"a", b"A.Example:80", b"[::1]:80", b"a" * 63 + b"." + b"b" * 63, b"a:00080"]:
            self.assertEqual(requestHost(11, fields((b"host", value))), value)
        self.assertIsNone(requestHost(10, EMPTY))

    def test_badHosts(self) -> None:
        """Missing, more than one or invalid: 400 (RFC 9112 §3.2)."""
        for pairs in [
            [],
            [(b"Host", b"a"), (b"Host", b"a")],
            [(b"Host", b""), (b"Host", b"a")],
            [(b"Host", b"")],
            [(b"Host", b"a:b")],
            [(b"Host", b"a" * 64)],
            [(b"Host", b"a.b.c:99999")],
        ]:
            error = self.assertRaises(WireError, requestHost, 11, fields(*pairs))
            self.assertEqual(error.status, 400, pairs)


class ResponseTests(SynchronousTestCase):
    """L{responseFraming}: RFC 9112 §6.3."""

    def check(
        self,
        expected: tuple[int, int | None, bool],
        *pairs: tuple[bytes, bytes],
        method: bytes = b"GET",
        status: int = 200,
        version: int = 11,
    ) -> None:
        """Compare with framing, declared length and persistence."""
        self.assertEqual(responseFraming(method, status, version, fields(*pairs)), expected)

    def test_usual(self) -> None:
        """A length, chunks, or the end of the connection."""
        self.check((5, 5, True), (b"Content-Length", b"5"))
        self.check((0, 0, True), (b"Content-Length", b"0"))
        self.check((CHUNKED, None, True), _CHUNKED)
        self.check((UNTIL_CLOSE, None, False))
        self.check((UNTIL_CLOSE, None, False), version=10)

    def test_neverContent(self) -> None:
        """Answers to HEAD and 304 have none, but may tell a length."""
        self.check((NO_BODY, 5, True), (b"Content-Length", b"5"), method=b"HEAD")
        self.check((NO_BODY, 5, True), (b"Content-Length", b"5"), status=304)
        self.check((NO_BODY, None, True), _CHUNKED, method=b"HEAD")
        self.check((NO_BODY, None, True), method=b"HEAD")
        self.check((NO_BODY, None, True), status=304)

    def test_interimAndNoContent(self) -> None:
        """1xx and 204 have none; one that claims some spoils its connection."""
        for status in (100, 103, 204):
            self.check((NO_BODY, None, True), status=status)
            self.check((NO_BODY, 0, True), (b"Content-Length", b"0"), status=status)
            self.check((NO_BODY, 5, False), (b"Content-Length", b"5"), status=status)
            self.check((NO_BODY, None, False), _CHUNKED, status=status)

    def test_tunnel(self) -> None:
        """A 2xx answer to CONNECT ignores framing fields; other answers do not."""
        self.check((NO_BODY, None, True), (b"Content-Length", b"5"), method=b"CONNECT")
        self.check((NO_BODY, None, True), _CHUNKED, method=b"CONNECT")
        self.check((5, 5, True), (b"Content-Length", b"5"), method=b"CONNECT", status=407)

    def test_refused(self) -> None:
        """What has two readings is refused, also where no content is due."""
        both = [_CHUNKED, (b"Content-Length", b"5")]
        for pairs, version, token in [
            (both, 11, "http_response_transfer_coding"),
            ([_CHUNKED], 10, "http_response_transfer_coding"),
            ([(b"Transfer-Encoding", b"gzip")], 11, "http_response_transfer_coding"),
            ([(b"Transfer-Encoding", b"gzip, chunked")], 11, "http_response_transfer_coding"),
            ([(b"Content-Length", b"5, 6")], 11, "http_protocol_error"),
        ]:
            for method, status in [(b"GET", 200), (b"HEAD", 200), (b"GET", 304), (b"GET", 204)]:
                error = self.assertRaises(
                    WireError, responseFraming, method, status, version, fields(*pairs)
                )
                self.assertEqual((error.status, error.token), (502, token))
