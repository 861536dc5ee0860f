# -*- test-case-name: tests.smoke.test_purge -*-
"""A real process whose cache is purged: by raw requests, and by the command."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from .running import ROOT
from .test_lifecycle import ProcessTestCase

if TYPE_CHECKING:
    from .peers import Stream

FRONTS = """
[forward.egress]
listen = ["tcp:0:interface=127.0.0.1"]

[reverse.site]
listen = ["tcp:0:interface=127.0.0.1"]
[[reverse.site.route]]
upstream = "web"
[[reverse.site.route]]
path = "/account"
upstream = "web"
cache = false

[upstream.web]
servers = ["http://127.0.0.1:{port}"]

[cache]
{purge-from}

[log]
access = "access.log"
format = "json"
"""

ALLOWED = 'purge-from = ["127.0.0.1"]'
ELSEWHERE = 'purge-from = ["10.0.0.0/8", "::1"]'


class PurgeTestCase(ProcessTestCase):
    """
    A process with a cache.

    @ivar asked: what the origin was asked for.
    """

    def runs(self, purgeFrom: str = ALLOWED) -> None:
        """Start it."""
        self.asked: list[bytes] = []
        self.start(self.serve, configuration=FRONTS.replace("{purge-from}", purgeFrom), seconds=5)

    def serve(self, stream: Stream) -> None:
        """Answer requests by what they accept, and name a tag by their path."""
        while True:
            head = stream.head()
            self.asked.append(head.partition(b" HTTP")[0])
            stream.send(
                b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nVary: Accept-Language\r\n"
                b"Surrogate-Key: all tag%b\r\nContent-Length: 2\r\n\r\nhi"
                % head.split(b" ")[1].replace(b"/", b"-")
            )

    def asks(self, method: bytes, target: bytes, *lines: bytes, front: str = "site") -> bytes:
        """Ask, on a connection of its own; return all of the answer."""
        client = self.connect(front)
        client.send(
            b"\r\n".join(
                (
                    b"%b %b HTTP/1.1" % (method, target),
                    b"Host: site.example",
                    b"Connection: close",
                    *lines,
                    b"",
                    b"",
                )
            )
        )
        return client.rest()

    def isStored(self, target: bytes, *lines: bytes) -> bool:
        """Whether it is answered from the cache; afterwards it would be."""
        return b"; hit" in self.asks(b"GET", target, *lines)

    def command(self, *arguments: str) -> tuple[int, str, str]:
        """Run the command; its exit code, and what it wrote."""
        done = subprocess.run(
            [sys.executable, "-m", "intermediary.ops.purge", *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr


class RequestTests(PurgeTestCase):
    """What anybody could send."""

    def test_aURLAndATag(self) -> None:
        """All variants are gone; no origin has heard of it, both logs have."""
        self.runs()
        for lines in ((), (b"Accept-Language: de",)):
            self.assertFalse(self.isStored(b"/a", *lines))
            self.assertTrue(self.isStored(b"/a", *lines))
        self.assertFalse(self.isStored(b"/b"))
        answer = self.asks(b"PURGE", b"/a")
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer)
        self.assertTrue(answer.endswith(b'\r\n\r\n{"purged": 2}\n'), answer)
        for lines in ((), (b"Accept-Language: de",)):
            self.assertFalse(self.isStored(b"/a", *lines))
        self.assertTrue(self.isStored(b"/b"))
        self.assertIn(b'{"purged": 1}', self.asks(b"PURGE", b"/", b"Surrogate-Key: tag-b"))
        self.assertTrue(self.isStored(b"/a"))
        self.assertFalse(self.isStored(b"/b"))
        self.assertIn(b'{"purged": 3}', self.asks(b"PURGE", b"/x", b"Purge-Scope: host"))
        self.assertNotIn(b"PURGE", b" ".join(self.asked))
        self.proxy.says(r"127\.0\.0\.1 purged 2 of site: key 'site http://site\.example/a'")
        self.assertEqual(self.proxy.record("/x")["status"], 200)
        self.assertEqual(self.proxy.stop(), 0)
        self.quiet()

    def test_refusals(self) -> None:
        """From another address, of what is not cached, and of nonsense."""
        self.runs()
        for target, lines, status in (
            (b"/account/x", (), b"405"),
            (b"/", (b"Purge-Scope: everything",), b"400"),
        ):
            answer = self.asks(b"PURGE", target, *lines)
            self.assertTrue(answer.startswith(b"HTTP/1.1 " + status), answer)
        self.assertEqual(self.asked, [])

    def test_fromElsewhere(self) -> None:
        """Nothing is purged."""
        self.runs(ELSEWHERE)
        self.assertFalse(self.isStored(b"/a"))
        answer = self.asks(b"PURGE", b"/a", b"X-Forwarded-For: 10.0.0.1")
        self.assertTrue(answer.startswith(b"HTTP/1.1 403 "), answer)
        self.assertTrue(self.isStored(b"/a"))
        self.assertEqual(self.asked, [b"GET /a"])
        self.assertEqual(self.command(f"127.0.0.1:{self.proxy.port('site')}/a")[:2], (1, "0\n"))


class CommandTests(PurgeTestCase):
    """C{intermediary-purge}."""

    def test_theReverseFront(self) -> None:
        """By URL, prefix and tag; softly, too."""
        self.runs()
        proxy = f"--proxy=http://127.0.0.1:{self.proxy.port('site')}"
        for target in (b"/a", b"/b/1", b"/b/2"):
            self.assertFalse(self.isStored(target))
        self.assertEqual(self.command(proxy, "http://site.example/a"), (0, "1\n", ""))
        self.assertEqual(self.command(proxy, "--prefix", "site.example/b/"), (0, "2\n", ""))
        self.assertEqual(self.command(proxy, "--tag", "all"), (0, "0\n", ""))
        self.assertFalse(self.isStored(b"/a"))
        self.assertEqual(self.command(proxy, "--soft", "--tag", "all"), (0, "1\n", ""))
        self.assertIn(b"fwd=stale", self.asks(b"GET", b"/a"))
        code, output, complaint = self.command(proxy, "site.example/account")
        self.assertEqual((code, output), (1, "0\n"))
        self.assertIn("not cached there (405)", complaint)

    def test_theForwardFront(self) -> None:
        """By the whole URL; other fronts keep theirs."""
        self.runs()
        url = f"http://127.0.0.1:{self.origin.port}/a"
        self.asks(b"GET", url.encode(), front="egress")
        proxy = f"--proxy=127.0.0.1:{self.proxy.port('egress')}"
        self.assertEqual(self.command(proxy, "--forward", url), (0, "1\n", ""))
        self.assertEqual(self.command(proxy, url)[0], 1)

    def test_whereNothingCanBePurged(self) -> None:
        """It says what is missing."""
        self.runs("")
        code, output, complaint = self.command(f"http://127.0.0.1:{self.proxy.port('site')}/")
        self.assertEqual((code, output), (1, "0\n"))
        self.assertIn("has it a [cache] with purge-from?", complaint)
        self.assertEqual(self.asked, [b"PURGE /"])
