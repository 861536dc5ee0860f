# -*- test-case-name: tests.smoke.test_cache -*-
"""A real process with a cache: hits, fills that are shared, and ends in the middle."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import SkipTest

from intermediary.policy.pages import AVAILABLE, LEAST_OCTETS, MOST_OCTETS, WORTH_USES

from .peers import Content, Stream, dial, digestOf
from .running import until
from .test_lifecycle import ProcessTestCase

if TYPE_CHECKING:
    from .running import RunningProxy

MIB = 1 << 20

#: So many clients want the same at once.  The listeners have room for them in their
#: queues: the kernel makes whoever finds no place wait for a second.
CROWD = 500

#: Whatever proxies the environment names are not meant.
CURL = ("curl", "--silent", "--show-error", "--max-time", "20", "--noproxy", "")

FRONTS = """
shutdown-seconds = {seconds}

[forward.egress]
listen = ["tcp:0:interface=127.0.0.1:backlog=500"]
via = "egress"

[reverse.site]
listen = ["tcp:0:interface=127.0.0.1:backlog=500"]
via = "site"
[[reverse.site.route]]
upstream = "web"

[reverse.uncached]
listen = ["tcp:0:interface=127.0.0.1"]
via = "uncached"
[[reverse.uncached.route]]
upstream = "web"
cache = false

[upstream.web]
servers = ["http://127.0.0.1:{port}"]

[cache]
memory = "64MiB"
max-object = "16MiB"

[log]
access = "access.log"
format = "json"
"""


def memberOf(head: bytes) -> bytes:
    """Read C{Cache-Status}; nothing if there is none."""
    for line in head.split(b"\r\n"):
        if line.startswith(b"Cache-Status: "):
            return line.partition(b": ")[2]
    return b""


class CacheTestCase(ProcessTestCase):
    """
    A process with a cache, and an origin that counts.

    @ivar asked: the targets that the origin was asked for.
    @ivar held: set when the origin may send the second half of what it sends.
    @ivar answering: set when it may answer at all.
    """

    def setUp(self) -> None:
        self.asked: list[bytes] = []
        self.contents: dict[bytes, Content] = {}
        self.held = threading.Event()
        self.held.set()
        self.addCleanup(self.held.set)
        self.answering = threading.Event()
        self.answering.set()
        self.addCleanup(self.answering.set)
        self.started: RunningProxy = self.start(self.serve, configuration=FRONTS, seconds=10)

    def serve(self, stream: Stream) -> None:
        """Answer requests with what there is, cacheable for a minute, in two halves."""
        while True:
            method, target, _ = stream.head().split(b" ", 2)
            self.asked.append(target)
            content = self.contents[target]
            self.answering.wait(20)
            stream.send(
                b'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nETag: "1"\r\n'
                b"Content-Length: %d\r\n\r\n" % content.octets
            )
            if method == b"HEAD":
                continue
            sent = 0
            for piece in content.pieces():
                if sent > content.octets // 2:
                    self.held.wait(20)
                stream.send(piece)
                sent += len(piece)

    def has(self, octets: int, target: bytes = b"/a") -> Content:
        """The origin has so much content under a target."""
        content = self.contents[target] = Content(octets)
        return content

    def asks(self, front: str = "site", target: bytes = b"/a", *lines: bytes) -> Stream:
        """A client asks a front."""
        client = self.connect(front)
        if front == "egress":
            target = b"http://127.0.0.1:%d%b" % (self.origin.port, target)
        client.send(
            b"\r\n".join((b"GET %b HTTP/1.1" % target, b"Host: site.example", *lines, b"", b""))
        )
        return client

    def gets(self, client: Stream, content: Content) -> bytes:
        """A client gets all of it; return what C{Cache-Status} says."""
        head = client.head()
        self.assertTrue(head.startswith(b"HTTP/1.1 200 "), head)
        self.assertIn(b"Content-Length: %d\r\n" % content.octets, head)
        self.assertEqual(digestOf(client.pieces(content.octets)), content.digest)
        return memberOf(head)


class HitTests(CacheTestCase):
    """What was stored is what was sent."""

    def test_throughBothKindsOfFront(self) -> None:
        """Each stores for itself, small and large, octet by octet."""
        for octets in (1, 65536, 10 * MIB):
            target = b"/%d" % octets
            content = self.has(octets, target)
            for front in ("site", "egress"):
                member = self.gets(self.asks(front, target), content)
                self.assertIn(b"%b; fwd=uri-miss" % front.encode(), member)
                for _ in range(2):
                    member = self.gets(self.asks(front, target), content)
                    self.assertIn(b"%b; hit; ttl=" % front.encode(), member)
            self.assertEqual(self.asked.count(target), 2)
        self.assertEqual(self.started.stop(), 0)
        self.quiet()

    def test_whatIsUsedOften(self) -> None:
        """
        Is sent by the kernel from where it was moved to, and stays the same.

        To a client that is slow, too, and in part to one that wants a part.
        """
        for octets in (LEAST_OCTETS - 1, LEAST_OCTETS, 70_001, MOST_OCTETS):
            target = b"/%d" % octets
            content = self.has(octets, target)
            for front in ("site", "egress"):
                for _ in range(WORTH_USES + 4):
                    self.gets(self.asks(front, target), content)
            slow = self.connect("site")
            slow.send(b"GET %b HTTP/1.1\r\nHost: site.example\r\n\r\n" % target * 9)
            time.sleep(0.1)
            for _ in range(9):
                self.gets(slow, content)
            part = self.asks("site", target, b"Range: bytes=9-%d" % (octets - 9))
            self.assertIn(b"Content-Length: %d\r\n" % (octets - 17), part.head())
            whole = b"".join(content.pieces())
            self.assertEqual(b"".join(part.pieces(octets - 17)), whole[9:-8])
            self.assertEqual(self.asked.count(target), 2)
        if AVAILABLE:
            folder = f"/proc/{self.started.pid}/fd"
            links = [os.readlink(os.path.join(folder, each)) for each in os.listdir(folder)]
            self.assertEqual(len([each for each in links if "memfd:intermediary" in each]), 1)
        self.assertEqual(self.started.stop(), 0)
        self.quiet()

    def test_aRouteThatIsNotCached(self) -> None:
        """Asks each time, and says nothing of a cache."""
        content = self.has(1000)
        for _ in range(2):
            self.assertEqual(self.gets(self.asks("uncached"), content), b"")
        self.assertEqual(len(self.asked), 2)

    def test_oneConnection(self) -> None:
        """Hits and misses, pipelined, come in order."""
        first, second = self.has(70000, b"/1"), self.has(100, b"/2")
        client = self.connect("site")
        client.send(
            b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in (1, 1, 2, 1, 2, 2))
        )
        for content in (first, first, second, first, second, second):
            self.gets(client, content)
        self.assertEqual(self.asked, [b"/1", b"/2"])

    def test_whatCurlSeesOfIt(self) -> None:
        """HEAD, ranges and preconditions are answered from what is stored."""
        if shutil.which("curl") is None:
            raise SkipTest("there is no curl")
        content = self.has(100_000)
        self.gets(self.asks(), content)
        whole = b"".join(content.pieces())
        url = f"http://127.0.0.1:{self.started.port('site')}/a"
        host = ("--header", "Host: site.example")
        for options, status, expected in (
            ((), 200, whole),
            (("--head",), 200, None),
            (("--range", "10-19"), 206, whole[10:20]),
            (("--range", "-5"), 206, whole[-5:]),
            (("--range", "99990-"), 206, whole[-10:]),
            (("--range", "100000-"), 416, b""),
            (("--header", 'If-None-Match: "0", W/"1"'), 304, b""),
            (("--header", 'If-None-Match: "0"'), 200, whole),
            (("--range", "0-4", "--header", 'If-Range: "1"'), 206, whole[:5]),
            (("--range", "0-4", "--header", 'If-Range: "0"'), 200, whole),
        ):
            folder = Path(self.mktemp())
            folder.mkdir()
            heads, output = folder / "head", folder / "content"
            output.touch()
            subprocess.run(
                [*CURL, *host, *options, "-D", heads, "-o", output, url], check=True, timeout=60
            )
            head = heads.read_bytes()
            self.assertTrue(head.startswith(b"HTTP/1.1 %d " % status), (options, head))
            self.assertIn(b"site; hit", memberOf(head), options)
            if expected is None:
                self.assertIn(b"Content-Length: 100000\r\n", head)
            else:
                self.assertEqual(output.read_bytes(), expected, options)
        self.assertEqual(self.asked, [b"/a"])


class FillTests(CacheTestCase):
    """Many want what is still on its way."""

    def manyMissesAreOneRequest(self, front: str) -> None:
        """
        A slow origin is asked once by a front, and all get every octet.

        Half of the clients come before the origin has said anything, the others
        while it is in the middle.
        """
        content = self.has(256 << 10)
        self.held.clear()
        self.answering.clear()
        clients = [self.asks(front) for _ in range(CROWD // 2)]
        until(lambda: self.asked, "the origin is asked")
        self.answering.set()
        clients += [self.asks(front) for _ in range(CROWD - len(clients))]
        first = 0
        for client in clients:
            head = client.head()
            self.assertTrue(head.startswith(b"HTTP/1.1 200 "), head)
            member = memberOf(head)
            if b"; collapsed" not in member and b"; hit" not in member:
                self.assertIn(b"; fwd=uri-miss; ", member)
                first += 1
        self.assertEqual(first, 1)
        self.held.set()
        for client in clients:
            self.assertEqual(digestOf(client.pieces(content.octets)), content.digest)
        self.assertEqual(self.asked, [b"/a"])
        self.assertIn(b"; hit", self.gets(self.asks(front), content))

    def test_manyMissesOfASite(self) -> None:
        """Are one request of the reverse front."""
        self.manyMissesAreOneRequest("site")

    def test_manyMissesOfClients(self) -> None:
        """Are one request of the forward front."""
        self.manyMissesAreOneRequest("egress")

    def test_aClientThatDies(self) -> None:
        """Whoever asked first may: others get all of it, and it is stored."""
        content = self.has(10 * MIB)
        self.held.clear()
        first = self.asks()
        first.head()
        first.exactly(1000)
        second = self.asks()
        second.head()
        first.reset()
        self.held.set()
        self.assertEqual(digestOf(second.pieces(content.octets)), content.digest)
        self.assertIn(b"; hit", self.gets(self.asks(), content))
        self.assertEqual(self.asked, [b"/a"])

    def test_theOnlyClientDies(self) -> None:
        """What it asked for is stored nevertheless."""
        content = self.has(4 * MIB)
        self.held.clear()
        first = self.asks()
        first.exactly(1000)
        first.reset()
        self.held.set()
        self.assertIn(b"; hit", self.gets(self.asks(), content))
        self.assertEqual(self.asked, [b"/a"])

    def test_aClientThatIsSlow(self) -> None:
        """Keeps nobody waiting, also where the object is too large to be stored."""
        for octets, target, requests in ((10 * MIB, b"/small", 1), (24 * MIB, b"/large", 2)):
            content = self.has(octets, target)
            slow = dial(self.started.port("site"), 65536)
            self.addCleanup(slow.close)
            slow.send(b"GET %b HTTP/1.1\r\nHost: site.example\r\n\r\n" % target)
            slow.head()
            self.gets(self.asks("site", target), content)
            self.assertEqual(digestOf(slow.pieces(content.octets)), content.digest)
            self.assertEqual(self.asked.count(target), requests)

    def test_anOriginThatDies(self) -> None:
        """Cuts off who reads, and leaves nothing behind (RFC 9111 §3.3)."""
        content = self.has(4 * MIB)
        self.held.clear()
        client = self.asks()
        client.head()
        client.exactly(MIB)
        self.origin.closeConnections()
        self.assertRaises((EOFError, ConnectionResetError), client.exactly, 4 * MIB)
        self.held.set()
        self.assertIn(b"fwd=uri-miss", self.gets(self.asks(), content))
        self.assertEqual(len(self.asked), 2)


class StopTests(CacheTestCase):
    """SIGTERM while a body fills."""

    def test_whoReadsGetsTheRest(self) -> None:
        """And then the process ends."""
        content = self.has(4 * MIB)
        self.held.clear()
        client = self.asks()
        client.head()
        self.started.signal(signal.SIGTERM)
        self.started.says("SIGTERM: finishing")
        self.held.set()
        self.assertEqual(digestOf(client.pieces(content.octets)), content.digest)
        self.quiet()

    def test_whatNobodyReadsIsNotWaitedFor(self) -> None:
        """It would be stored for nobody."""
        self.has(4 * MIB)
        self.held.clear()
        client = self.asks()
        client.exactly(1000)
        client.reset()
        until(self.started.records, "the exchange has ended")
        self.started.signal(signal.SIGTERM)
        self.assertEqual(self.started.ended(5), 0)
        self.quiet()
