# -*- test-case-name: tests.smoke.test_diskcache -*-
"""A real process with a cache on disk: restarts, kills, and content that memory has no room for."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import ssl
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..net.certifying import made
from ..policy.test_partials import expected, partsOf
from .peers import Background, Stream, dial, digestOf
from .running import RunningProxy, until
from .test_cache import CacheTestCase, memberOf

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1 << 20

DISK = """
shutdown-seconds = {seconds}

[reverse.site]
listen = ["tcp:0:interface=127.0.0.1"]
via = "site"
[[reverse.site.route]]
upstream = "web"

[upstream.web]
servers = ["http://127.0.0.1:{port}"]

[cache]
memory = "1MiB"
max-object = "64MiB"
disk = { path = "disk", size = "256MiB" }

[log]
access = "access.log"
format = "json"
"""


#: The same with TLS.
SECURE = """
[reverse.secure]
listen = ["tcp:0:interface=127.0.0.1"]
via = "secure"
tls = { certificate = "{certificate}" }
[[reverse.secure.route]]
upstream = "web"
"""


class DiskCase(CacheTestCase):
    """A process whose cache has a disk."""

    template = DISK

    def setUp(self) -> None:
        self.asked = []
        self.contents = {}
        self.held = threading.Event()
        self.held.set()
        self.addCleanup(self.held.set)
        self.answering = threading.Event()
        self.answering.set()
        self.started = self.start(self.serve, configuration=self.template, seconds=10)
        self.configuration = (self.started.folder / "proxy.toml").read_text(encoding="utf-8")

    def restarts(self, killed: bool = True) -> None:
        """The process ends, and another one begins in the same folder."""
        if killed:
            self.started.signal(signal.SIGKILL)
            self.started.ended()
        else:
            self.assertEqual(self.started.stop(), 0)
            self.quiet()
        self.started = self.proxy = RunningProxy(self.started.folder, self.configuration)
        self.addCleanup(self.started.discard)

    def files(self) -> list[Path]:
        """What is in the shards."""
        return list((self.started.folder / "disk").glob("??/??/*"))

    def opened(self) -> int:
        """How many bodies the process has open."""
        count = 0
        for name in os.listdir(f"/proc/{self.started.pid}/fd"):
            try:
                target = os.readlink(f"/proc/{self.started.pid}/fd/{name}")
            except OSError:
                continue
            count += "/disk/" in target and "index" not in target
        return count

    def written(self, count: int) -> None:
        """So many files are in their places."""
        until(lambda: len(self.files()) == count, f"{count} files are written")
        # Their rows follow at once.
        time.sleep(0.1)


class RestartTests(DiskCase):
    """What was stored is there afterwards."""

    def test_hitsAfterAKill(self) -> None:
        """Small and large, octet by octet, with the head as it was; nothing is asked."""
        sizes = (0, 1, 70_000, 300_000, 5 * MIB)
        for octets in sizes:
            content = self.has(octets, b"/%d" % octets)
            self.assertIn(b"fwd=uri-miss", self.gets(self.asks("site", b"/%d" % octets), content))
        self.written(len(sizes))
        self.restarts()
        for octets in sizes:
            target = b"/%d" % octets
            for _ in range(2):
                member = self.gets(self.asks("site", target), self.contents[target])
                self.assertIn(b"site; hit; ttl=", member)
        self.assertEqual(len(self.asked), len(sizes))
        self.assertEqual(self.started.stop(), 0)
        self.quiet()

    def test_inOrderNothingIsLost(self) -> None:
        """What was just stored is written before the process ends."""
        for number in range(20):
            content = self.has(20_000, b"/%d" % number)
            self.gets(self.asks("site", b"/%d" % number), content)
        self.restarts(killed=False)
        for target, content in self.contents.items():
            self.assertIn(b"; hit", self.gets(self.asks("site", target), content))

    def test_whatWasChangedIsNotThere(self) -> None:
        """Neither in memory nor on the disk."""
        content = self.has(20_000)
        self.gets(self.asks(), content)
        self.written(1)
        client = self.connect("site")
        client.send(b"DELETE /a HTTP/1.1\r\nHost: site.example\r\n\r\n")
        client.head()
        self.written(0)
        self.restarts()
        self.assertIn(b"fwd=uri-miss", self.gets(self.asks(), content))

    def test_rangesOfWhatIsOnDisk(self) -> None:
        """Small content and large, from files."""
        for octets in (100_000, 5 * MIB):
            target = b"/%d" % octets
            content = self.has(octets, target)
            self.gets(self.asks("site", target), content)
            whole = b"".join(content.pieces())
            until(self.files, "it is written")
            time.sleep(0.3)
            self.restarts()
            for start, stop in ((0, 10), (octets - 5, octets), (10, octets - 10)):
                client = self.asks("site", target, b"Range: bytes=%d-%d" % (start, stop - 1))
                head = client.head()
                self.assertTrue(head.startswith(b"HTTP/1.1 206 "), head)
                self.assertIn(b"; hit", memberOf(head))
                self.assertEqual(client.exactly(stop - start), whole[start:stop])

    def test_killedAtAnyMoment(self) -> None:
        """What is found afterwards is what was sent."""
        for number in range(8):
            self.has(random.randrange(1, 900_000), b"/%d" % number)
        for _ in range(4):
            loads = [Background(self.load, dial(self.started.port("site"))) for _ in range(3)]
            time.sleep(random.uniform(0.1, 0.6))
            self.restarts()
            for load in loads:
                load.result()
        before = len(self.asked)
        for target, content in self.contents.items():
            self.gets(self.asks("site", target), content)
        self.assertLess(len(self.asked) - before, len(self.contents))

    def load(self, client: Stream) -> None:
        """Ask until the process is gone; what came whole was right."""
        try:
            while True:
                target, content = random.choice(list(self.contents.items()))
                client.send(b"GET %b HTTP/1.1\r\nHost: site.example\r\n\r\n" % target)
                self.gets(client, content)
        except (OSError, EOFError):
            pass


class TroubleTests(DiskCase):
    """A disk that does not work."""

    def test_aFolderThatIsDeleted(self) -> None:
        """Is said once, and requests are answered."""
        content = self.has(20_000)
        self.gets(self.asks(), content)
        self.written(1)
        shutil.rmtree(self.started.folder / "disk")
        for number in range(10):
            other = self.has(20_000, b"/%d" % number)
            self.gets(self.asks("site", b"/%d" % number), other)
            self.assertIn(b"; hit", self.gets(self.asks("site", b"/%d" % number), other))
        self.assertEqual(self.started.log.count("is out of use"), 1)
        self.assertEqual(self.started.stop(), 0)
        self.quiet()

    def test_aDiskThatTakesNoMore(self) -> None:
        """The same, as if it were full: what is there already is served, and nothing cut short."""
        content = self.has(300_000)
        self.gets(self.asks(), content)
        self.written(1)
        # Of each file, the logs included, which are shorter.
        limits = (90_000, resource.RLIM_INFINITY)
        resource.prlimit(self.started.pid, resource.RLIMIT_FSIZE, limits)
        for number in range(8):
            other = self.has(100_000, b"/%d" % number)
            self.gets(self.asks("site", b"/%d" % number), other)
            self.assertIn(b"; hit", self.gets(self.asks("site", b"/%d" % number), other))
        self.started.says("is out of use")
        self.gets(self.asks(), content)
        self.assertEqual(self.started.log.count("is out of use"), 1)
        self.restarts()
        self.assertIn(b"; hit", self.gets(self.asks(), content))
        self.assertIn(b"fwd=uri-miss", self.gets(self.asks("site", b"/7"), other))
        self.written(2)

    def test_aFolderThatCannotBeMade(self) -> None:
        """The same: the process starts."""
        self.started.stop()
        shutil.rmtree(self.started.folder / "disk", ignore_errors=True)
        (self.started.folder / "disk").write_bytes(b"")
        self.restarts()
        content = self.has(20_000)
        self.gets(self.asks(), content)
        self.assertIn(b"; hit", self.gets(self.asks(), content))
        self.assertEqual(self.started.log.count("is out of use"), 1)


class BigTests(DiskCase):
    """More than memory has room for."""

    def test_manyReadersWhileItFills(self) -> None:
        """32 MiB through a memory of 1 MiB, some of them slow: one request, all of it right."""
        content = self.has(32 * MIB)
        self.held.clear()
        clients = [self.asks() for _ in range(20)]
        for client in clients:
            client.head()
        resident = self.started.residentOctets()
        digests = [
            Background(lambda stream: digestOf(stream.pieces(content.octets)), client)
            for client in clients[:10]
        ]
        time.sleep(1)
        late = self.asks()
        self.held.set()
        self.assertEqual({each.result() for each in digests}, {content.digest})
        # Those who read nothing while all of it came.
        for client in clients[10:]:
            self.assertEqual(digestOf(client.pieces(content.octets)), content.digest)
        self.gets(late, content)
        self.assertIn(b"; hit", self.gets(self.asks(), content))
        self.assertEqual(self.asked, [b"/a"])
        self.assertLess(self.started.residentOctets() - resident, 24 * MIB)
        self.written(1)
        self.restarts()
        self.assertIn(b"; hit", self.gets(self.asks(), content))
        self.assertEqual(self.asked, [b"/a"])

    def test_theOnlyClientIsSlow(self) -> None:
        """The origin is not."""
        content = self.has(16 * MIB)
        slow = dial(self.started.port("site"), 65536)
        self.addCleanup(slow.close)
        slow.send(b"GET /a HTTP/1.1\r\nHost: site.example\r\n\r\n")
        slow.head()
        self.written(1)
        self.assertEqual(digestOf(slow.pieces(content.octets)), content.digest)

    def test_filesAreSent(self) -> None:
        """10 MiB, and ranges of them, one after the other on one connection; then all is closed."""
        content = self.has(10 * MIB)
        self.gets(self.asks(), content)
        self.written(1)
        self.restarts()
        whole = b"".join(content.pieces())
        client = self.connect("site")
        for _ in range(3):
            client.send(b"GET /a HTTP/1.1\r\nHost: site.example\r\n\r\n")
            self.assertIn(b"; hit", self.gets(client, content))
            for start, stop in ((1, 10 * MIB - 1), (5 * MIB, 5 * MIB + 70_000), (9, 10)):
                client.send(
                    b"GET /a HTTP/1.1\r\nHost: site.example\r\nRange: bytes=%d-%d\r\n\r\n"
                    % (start, stop - 1)
                )
                self.assertTrue(client.head().startswith(b"HTTP/1.1 206 "))
                self.assertEqual(client.exactly(stop - start), whole[start:stop])
        until(lambda: not self.opened(), "the files are closed")
        self.assertEqual(self.asked, [b"/a"])
        self.assertEqual(self.started.stop(), 0)
        self.quiet()

    def test_whatIsNotInMemoryIsReadByThreads(self) -> None:
        """Files that the kernel has let go, sent to several clients; one of them dies meanwhile."""
        content = self.has(10 * MIB)
        self.gets(self.asks(), content)
        self.written(1)
        self.restarts()
        [path] = self.files()
        descriptor = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        # Of this file alone, which is on the disk.
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        try:
            os.preadv(descriptor, [bytearray(1)], content.octets - 1, os.RWF_NOWAIT)
        except BlockingIOError:
            cold = True
        except OSError:
            cold = False  # This file system can't tell.
        else:
            cold = False
        before = self.readByThreads()
        clients = [self.asks() for _ in range(4)]
        dying = dial(self.started.port("site"), 65536)
        dying.send(b"GET /a HTTP/1.1\r\nHost: site.example\r\n\r\n")
        dying.head()
        dying.reset()
        for client in clients:
            self.assertIn(b"; hit", self.gets(client, content))
        if cold:
            self.assertGreater(self.readByThreads() - before, 256 * 1024)
        until(lambda: not self.opened(), "the file is closed")
        self.assertEqual(self.asked, [b"/a"])
        self.assertEqual(self.started.stop(), 0)
        self.quiet()

    def readByThreads(self) -> int:
        """How many octets the process has read, but for its first thread."""
        tasks = f"/proc/{self.started.pid}/task"
        count = 0
        for task in os.listdir(tasks):
            if int(task) != self.started.pid:
                with open(f"{tasks}/{task}/io", encoding="ascii") as lines:
                    count += int(next(lines).removeprefix("rchar: "))
        return count

    def test_clientsThatDieWhileFilesAreSent(self) -> None:
        """They take nobody with them, and leave nothing open; nor does a purge, or the end."""
        content = self.has(10 * MIB)
        self.gets(self.asks(), content)
        self.written(1)
        slow = dial(self.started.port("site"), 65536)
        self.addCleanup(slow.close)
        slow.send(b"GET /a HTTP/1.1\r\nHost: site.example\r\n\r\n")
        slow.head()
        for _ in range(5):
            dying = dial(self.started.port("site"), 65536)
            dying.send(b"GET /a HTTP/1.1\r\nHost: site.example\r\n\r\n")
            dying.head()
            dying.exactly(100_000)
            dying.reset()
        self.assertEqual(self.opened(), 1)
        client = self.connect("site")
        client.send(b"DELETE /a HTTP/1.1\r\nHost: site.example\r\n\r\n")
        # All of it: who does not read is waited for at the end.
        self.gets(client, content)
        self.written(0)
        self.assertEqual(digestOf(slow.pieces(content.octets)), content.digest)
        until(lambda: not self.opened(), "the file is closed")
        self.gets(self.asks(), content)
        self.written(1)
        slow.send(b"GET /a HTTP/1.1\r\nHost: site.example\r\n\r\n")
        slow.head()
        slow.exactly(100_000)
        self.started.signal(signal.SIGTERM)
        self.assertEqual(sum(map(len, slow.pieces(content.octets - 100_000))), 10 * MIB - 100_000)
        self.quiet()


class SeveralRangesTests(DiskCase):
    """C{multipart/byteranges} of what is on the disk alone."""

    spans = (9 * MIB, 9 * MIB + 70_000), (0, 10), (MIB, 4 * MIB), (6 * MIB, 6 * MIB + 9000)

    def setUp(self) -> None:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        self.trust = folder / "localhost.pem"
        self.trust.write_bytes(made("localhost", authority=True).both)
        self.trust.chmod(0o600)
        self.template = DISK + SECURE.replace("{certificate}", str(self.trust))
        super().setUp()

    def secured(self) -> Stream:
        """Connect with TLS."""
        context = ssl.create_default_context(cafile=str(self.trust))
        plain = dial(self.started.port("secure")).socket
        stream = Stream(context.wrap_socket(plain, server_hostname="localhost"))
        self.addCleanup(stream.close)
        return stream

    def several(self, client: Stream) -> bytes:
        """Ask for several ranges; give the head."""
        value = b", ".join([b"%d-%d" % (start, stop - 1) for start, stop in self.spans])
        client.send(b"GET /a HTTP/1.1\r\nHost: site.example\r\nRange: bytes=%b\r\n\r\n" % value)
        head = client.head()
        self.assertTrue(head.startswith(b"HTTP/1.1 206 "), head)
        self.assertIn(b"; hit", memberOf(head))
        return head

    def test_throughSocketsAndTLS(self) -> None:
        """Sent by the kernel or read by threads; the connection is good for another request."""
        content = self.has(10 * MIB)
        whole = b"".join(content.pieces())
        clients: dict[str, Callable[[], Stream]] = {
            "site": lambda: self.connect("site"),
            "secure": self.secured,
        }
        for number, connect in enumerate(clients.values()):
            client = connect()
            client.send(b"GET /a HTTP/1.1\r\nHost: site.example\r\n\r\n")
            self.gets(client, content)
            self.written(number + 1)
        self.restarts()
        for name, connect in clients.items():
            client = connect()
            for _ in range(2):
                head = self.several(client)
                length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
                heard = head + client.exactly(length)
                self.assertTrue(partsOf(heard) == expected(whole, *self.spans), name)
            client.send(b"GET /a HTTP/1.1\r\nHost: site.example\r\n\r\n")
            self.assertIn(b"; hit", self.gets(client, content))
            client.close()
        for connect in clients.values():
            leaving = connect()
            self.several(leaving)
            leaving.exactly(100)
            leaving.close()
        until(lambda: not self.opened(), "the files are closed")
        self.assertEqual(self.asked, [b"/a", b"/a"])
        self.assertEqual(self.started.stop(), 0)
        self.quiet()


__all__ = ["BigTests", "RestartTests", "SeveralRangesTests", "TroubleTests"]
