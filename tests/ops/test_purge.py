# -*- test-case-name: tests.ops.test_purge -*-
"""
The command C{intermediary-purge}; through sockets in C{tests.smoke.test_purge}.
"""

from __future__ import annotations

import io
import sys
from http.client import RemoteDisconnected
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from intermediary.ops import purge


class Answer:
    """What a proxy answers."""

    def __init__(self, status: int, content: bytes) -> None:
        self.status = status
        self._content = content

    def read(self, octets: int) -> bytes:
        """As much as is wanted."""
        return self._content[:octets]


THREE = Answer(200, b'{"purged": 3}')


class Connection:
    """
    A connection that a test answers for.

    @ivar made: all of them, in order.
    @ivar answers: what they will hear: answers, or errors.
    """

    made: ClassVar[list[Connection]]
    answers: ClassVar[list[Any]]

    def __init__(self, host: str, port: int | None, timeout: float) -> None:
        self.place = (host, port, timeout)
        self.lines: list[str] = []
        self.open = True
        self.made.append(self)

    def putrequest(self, method: str, target: str, **skipping: bool) -> None:
        """The request line."""
        assert skipping == {"skip_host": True, "skip_accept_encoding": True}
        self.lines.append(f"{method} {target}")

    def putheader(self, name: str, value: str) -> None:
        """A field."""
        self.lines.append(f"{name}: {value}")

    def endheaders(self) -> None:
        """The end of the head."""

    def getresponse(self) -> Answer:
        """The next answer."""
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Answer)
        return answer

    def close(self) -> None:
        """No more."""
        self.open = False


class PurgeTests(SynchronousTestCase):
    """L{purge.main}."""

    def setUp(self) -> None:
        Connection.made, Connection.answers = [], []
        for kind in ("HTTPConnection", "HTTPSConnection"):
            self.patch(purge, kind, type(kind, (Connection,), {}))

    def run_(self, *arguments: str, answers: Any = (THREE,)) -> int:
        """Run the command, with these answers; return its exit code."""
        Connection.answers[:] = answers
        self.output, self.complaints = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", self.output)
        self.patch(sys, "stderr", self.complaints)
        try:
            return purge.main(arguments)
        except SystemExit as stop:
            assert isinstance(stop.code, int)
            return stop.code
        finally:
            self.assertFalse([each for each in Connection.made if each.open])

    def says(self, output: str, complaint: str = "") -> None:
        """What it wrote."""
        self.assertEqual(self.output.getvalue(), output)
        self.assertIn(complaint, self.complaints.getvalue())
        if not complaint:
            self.assertEqual(self.complaints.getvalue(), "")

    def asks(self, *lines: str) -> None:
        """What it asked for first."""
        self.assertEqual(Connection.made[0].lines, [*lines, "Accept: application/json"])

    def test_aURL(self) -> None:
        """Its own host is asked."""
        self.assertEqual(self.run_("http://a.example:8000/x y/%C3%A9?q=\N{EURO SIGN}#f"), 0)
        self.assertEqual(Connection.made[0].place, ("a.example", 8000, 60.0))
        self.asks("PURGE /x%20y/%C3%A9?q=%E2%82%AC", "Host: a.example:8000")
        self.says("3\n")

    def test_aProxy(self) -> None:
        """It is asked in place of the URL's host; the scheme need not be said."""
        self.assertEqual(self.run_("--proxy", "https://[::1]:8443", "--timeout=2", "a.example"), 0)
        self.assertEqual(Connection.made[0].place, ("::1", 8443, 2.0))
        self.assertEqual(type(Connection.made[0]).__name__, "HTTPSConnection")
        self.asks("PURGE /", "Host: a.example")

    def test_aForwardProxy(self) -> None:
        """Gets the whole URL."""
        self.run_("--proxy=127.0.0.1:3128", "--forward", "http://a.example/x?y")
        self.assertEqual(Connection.made[0].place, ("127.0.0.1", 3128, 60.0))
        self.asks("PURGE http://a.example/x?y", "Host: a.example")

    def test_whatToPurge(self) -> None:
        """Each option is a field."""
        for options, target, fields in (
            (("--prefix", "http://a/n/"), "/n/", ("Purge-Scope: prefix",)),
            (("--host", "http://a/n"), "/n", ("Purge-Scope: host",)),
            (("--tag=x", "--tag", "y", "a"), "/", ("Surrogate-Key: x y",)),
            (("--soft", "a"), "/", ("Soft-Purge: 1",)),
            (("--soft", "--host", "a"), "/", ("Purge-Scope: host", "Soft-Purge: 1")),
        ):
            Connection.made.clear()
            self.assertEqual(self.run_(*options), 0)
            self.asks(f"PURGE {target}", "Host: a", *fields)

    def test_aTagNeedsNoURL(self) -> None:
        """The proxy's own will do."""
        self.run_("--tag=x", "--proxy=http://127.0.0.1:8000")
        self.asks("PURGE /", "Host: 127.0.0.1:8000", "Surrogate-Key: x")

    def test_severalURLs(self) -> None:
        """The sum; what fails keeps none from being asked for."""
        answers = [Answer(200, b'{"purged": 1}'), Answer(404, b""), Answer(200, b'{"purged": 2}')]
        self.assertEqual(self.run_("a/1", "a/2", "a/3", answers=answers), 1)
        self.says("3\n", "intermediary-purge: a/2: no route serves this URL (404)\n")

    def test_whyNot(self) -> None:
        """Exit code 1, and what is to be done."""
        for answer, words in (
            (Answer(403, b"<html>"), "[cache] purge-from there (403)"),
            (Answer(405, b""), "not cached there (405)"),
            (Answer(400, b'{"error": "no such thing"}'), "a/: no such thing (400)"),
            (Answer(503, b'{"error": "4 purges are under way"}'), "under way (503)"),
            (Answer(400, b"[]"), "(400) is not that of a cache"),
            (Answer(200, b"hello"), "has it a [cache] with purge-from?"),
            (Answer(200, b'{"purged": true}'), "(200) is not that"),
            (Answer(200, b"\xff"), "(200) is not that"),
            (Answer(501, b""), "(501) is not that"),
            (ConnectionRefusedError(111, "Connection refused"), "a/: a: Connection refused"),
            (TimeoutError("timed out"), "timed out"),
            (RemoteDisconnected(""), "RemoteDisconnected"),
        ):
            self.assertEqual(self.run_("http://a/", answers=[answer]), 1, words)
            self.says("0\n", words)
        self.run_("--forward", "--proxy=p", "http://a/x", answers=[Answer(403, b"")])
        self.says("0\n", "intermediary-purge: a/x: refused")

    def test_theCommandLine(self) -> None:
        """Exit code 2, and nobody is asked."""
        for arguments, words in (
            ((), "name what to purge"),
            (("--tag=x",), "--tag without a URL needs --proxy"),
            (("--tag=a b", "a"), "no spaces"),
            (("--tag=a,b", "a"), "no commas"),
            (("--tag=", "a"), "a tag"),
            (("--tag=a\n", "a"), "a tag"),
            (("--tag=x", "--host", "a"), "not allowed with"),
            (("--prefix", "--host", "a"), "not allowed with"),
            (("--forward", "a"), "--forward needs --proxy"),
            (("--timeout=0", "a"), "above 0"),
            (("--proxy=ftp://a", "a"), "ftp://a: not a URL of http or https"),
            (("http://u@a/",), "not a URL of a host"),
            (("http:///x",), "not a URL of a host"),
            (("http://a:0/",), "not a URL of a host"),
            (("http://a:x/",), "not a URL of a host"),
            (("http://a:99999/",), "not a URL of a host"),
            (("http://\N{EURO SIGN}/",), "in ASCII"),
        ):
            self.assertEqual(self.run_(*arguments, answers=()), 2, arguments)
            self.says("", words)
        self.assertEqual(Connection.made, [])
