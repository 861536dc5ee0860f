# -*- test-case-name: tests.policy.test_cacherandom -*-
"""
The cache between random clients and a correct origin: nobody gets octets that do not
belong together (RFC 9111 §3.3, §3.4).
"""

from __future__ import annotations

import re
from random import Random

from intermediary.wire.ranges import parseRange

from .test_cache import CacheTestCase

#: How many exchanges one run has, and how many runs there are.
EXCHANGES = 60
RUNS = 25


class RandomTests(CacheTestCase):
    """Ranges, wholes, preconditions and changes in any order."""

    def answerAs(self, version: int, random: Random) -> None:
        """Answer what the origin is asked, by the book; or not at all if it is not asked."""
        if self.origin is None or not self.origin.transport.connected:
            if not self.scenario.connector.waiting:
                return
            self.origin = self.scenario.accepts()
        asked = self.origin.takes()
        if not asked:
            return
        content = self.content(version)
        tag = b'"%d"' % version
        fields = {
            line.partition(b": ")[0].lower(): line.partition(b": ")[2]
            for line in asked.split(b"\r\n")[1:]
        }
        common = (b"Cache-Control: max-age=%d" % random.choice((0, 5, 50)), b"ETag: " + tag)
        if tag in fields.get(b"if-none-match", b""):
            self.origin.sends(b"HTTP/1.1 304 Not Modified", *common, b"", b"")
            return
        wanted = parseRange(fields.get(b"range", b"")) if asked.startswith(b"GET") else None
        spans = [] if wanted is None else wanted.resolve(len(content))
        if len(spans) == 1 and fields.get(b"if-range", tag) == tag and random.random() < 0.9:
            first, end = spans[0]
            self.answers(
                b"Content-Range: bytes %d-%d/%d" % (first, end - 1, len(content)),
                *common,
                body=content[first:end],
                status=b"206 Partial Content",
            )
        elif asked.startswith(b"HEAD"):
            self.origin.sends(
                b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(content), *common, b"", b""
            )
        else:
            self.answers(*common, body=content)

    @staticmethod
    def content(version: int) -> bytes:
        """Octets of which each tells its place and its version."""
        return bytes([65 + (place + 7 * version) % 26 for place in range(20 + version % 3)])

    def check(self, known: range) -> None:
        """The client got what one version has there."""
        heard = self.client.takes()
        head, _, body = heard.partition(b"\r\n\r\n")
        tag = re.search(rb'ETag: "(\d+)"', head)
        assert tag is not None, heard
        version = int(tag.group(1))
        self.assertIn(version, known)
        content = self.content(version)
        if head.startswith(b"HTTP/1.1 206"):
            span = re.search(rb"Content-Range: bytes (\d+)-(\d+)/(\d+)", head)
            assert span is not None, heard
            first, last, length = map(int, span.groups())
            self.assertEqual((body, length), (content[first : last + 1], len(content)), heard)
        elif head.startswith(b"HTTP/1.1 200"):
            self.assertNotIn(b"Content-Range", head)
            self.assertIn(body, (content, b""), heard)
            self.assertIn(b"Content-Length: %d" % len(content), head)
        else:
            self.assertTrue(head.startswith(b"HTTP/1.1 304"), heard)
            self.assertEqual(body, b"")

    def test_octetsBelongTogether(self) -> None:
        """Whatever is stored of whichever version."""
        hits = 0
        for seed in range(RUNS):
            random = Random(seed)
            version = 0
            self.asks(target=b"/%d" % seed)
            self.answerAs(version, random)
            self.check(range(1))
            for _ in range(EXCHANGES):
                if random.random() < 0.1:
                    version += 1
                self.scenario.passes(random.choice((0, 0, 1, 10)))
                lines = []
                if random.random() < 0.7:
                    first = random.randrange(20)
                    lines.append(
                        b"Range: bytes="
                        + random.choice(
                            (
                                b"%d-%d" % (first, first + random.randrange(20)),
                                b"%d-" % first,
                                b"-%d" % (first + 1),
                            )
                        )
                    )
                    if random.random() < 0.2:
                        lines.append(b'If-Range: "%d"' % random.randrange(version + 1))
                if random.random() < 0.1:
                    lines.append(b'If-None-Match: "%d"' % random.randrange(version + 1))
                if random.random() < 0.1:
                    lines.append(b"Cache-Control: no-cache")
                method = b"HEAD" if random.random() < 0.1 else b"GET"
                self.asks(*lines, target=b"/%d" % seed, method=method)
                for _ in range(3):
                    self.answerAs(version, random)
                self.check(range(version + 1))
            hits = self.scenario.cache.hits
        self.assertGreater(hits, RUNS)
