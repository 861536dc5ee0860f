# -*- test-case-name: tests.smoke.test_lifecycle -*-
"""
A process with traffic on it: stopped in the middle, and under every reactor.

How it is started, and how it refuses to start, is in L{tests.smoke.test_process}.
"""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from .peers import Background, Content, Origin, Stream, dial, digestOf
from .running import RunningProxy, until

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1 << 20

FRONTS = """
shutdown-seconds = {seconds}

[forward.egress]
listen = ["tcp:0:interface=127.0.0.1"]

[reverse.site]
listen = ["tcp:0:interface=127.0.0.1"]
[[reverse.site.route]]
upstream = "web"

[upstream.web]
servers = ["http://127.0.0.1:{port}"]

[log]
access = "access.log"
format = "json"
"""


class ProcessTestCase(SynchronousTestCase):
    """Tests with a process each."""

    def start(
        self,
        serve: Callable[[Stream], None],
        *options: str,
        reactor: str = "intermediary",
        seconds: float = 30,
        configuration: str = FRONTS,
        stdin: int = subprocess.DEVNULL,
    ) -> RunningProxy:
        """
        Start a process, and an origin for its gateway and its tunnels.

        @param seconds: its C{shutdown-seconds}.
        """
        self.origin = Origin(serve)
        self.addCleanup(self.origin.close)
        folder = Path(self.mktemp())
        folder.mkdir()
        # Short, as the path of a UNIX socket must be.
        self.socketPath = f"/tmp/intermediary-smoke-{os.getpid()}.sock"
        for key, value in (
            ("{seconds}", str(seconds)),
            ("{port}", str(self.origin.port)),
            ("{socket}", self.socketPath),
        ):
            configuration = configuration.replace(key, value)
        self.proxy = RunningProxy(folder, configuration, *options, reactor=reactor, stdin=stdin)
        self.addCleanup(self.proxy.discard)
        return self.proxy

    def connect(self, front: str) -> Stream:
        """Connect to a front."""
        stream = dial(self.proxy.port(front))
        self.addCleanup(stream.close)
        return stream

    def tunnel(self) -> Stream:
        """Open a tunnel to the origin."""
        client = self.connect("egress")
        client.send(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: a:1\r\n\r\n" % self.origin.port)
        head = client.head()
        self.assertTrue(head.startswith(b"HTTP/1.1 200 "), head)
        return client

    def quiet(self) -> None:
        """Check that it ended well and raised nothing."""
        self.assertEqual(self.proxy.ended(), 0, self.proxy.log)
        self.assertNotIn("Traceback", self.proxy.log)
        self.assertNotIn("Unhandled", self.proxy.log)


class StopTests(ProcessTestCase):
    """SIGTERM with exchanges under way."""

    def test_everythingUnderWayFinishes(self) -> None:
        """A download, an upload and a tunnel; nobody new is let in."""
        content = Content(4 * MIB)
        going: list[Stream] = []
        came: list[str] = []

        def serve(stream: Stream) -> None:
            first = stream.upTo(b"\n")
            going.append(stream)
            if first.startswith(b"GET"):
                stream.head()
                stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % content.octets)
                until(lambda: not going, "the process is told to stop")
                content.send(stream)
            elif first.startswith(b"PUT"):
                stream.head()
                came.append(digestOf(stream.pieces(content.octets)))
                stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
            else:
                until(lambda: not going, "the process is told to stop")
                content.send(stream)

        proxy = self.start(serve)
        download = self.connect("site")
        download.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        upload = self.connect("site")
        upload.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % content.octets)
        tunnel = self.tunnel()
        tunnel.send(b"tunnel\n")
        idle = self.connect("site")
        until(lambda: len(going) == 3, "all three are under way")
        ports = [proxy.port(front) for front in ("egress", "site")]
        proxy.signal(signal.SIGTERM)
        self.assertTrue(idle.ends())
        for port in ports:
            self.assertRaises(ConnectionRefusedError, dial, port)
        self.assertTrue(proxy.running)
        going.clear()

        download.head()
        self.assertEqual(digestOf(download.pieces(content.octets)), content.digest)
        self.assertTrue(download.ends())
        sending = Background(content.send, upload)
        self.assertIn(b"connection: close", upload.head().lower())
        self.assertEqual(upload.rest(), b"done")
        sending.result()
        self.assertEqual(came, [content.digest])
        self.assertTrue(proxy.running)
        self.assertEqual(digestOf(iter([tunnel.rest()])), content.digest)
        tunnel.close()
        self.quiet()
        self.assertEqual(len(proxy.records()), 3)

    def test_whatTakesTooLongIsDropped(self) -> None:
        """After C{shutdown-seconds}, exchange and tunnel alike; the records are written."""

        def serve(stream: Stream) -> None:
            if stream.upTo(b"\n").startswith(b"GET"):
                stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            stream.rest()

        proxy = self.start(serve, seconds=0.5)
        exchange = self.connect("site")
        exchange.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        exchange.head()
        self.assertEqual(exchange.exactly(4), b"half")
        tunnel = self.tunnel()
        began = time.monotonic()
        proxy.signal(signal.SIGTERM)
        self.assertTrue(exchange.ends())
        self.assertTrue(tunnel.ends())
        self.quiet()
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(sorted(record["method"] for record in proxy.records()), ["CONNECT", "GET"])

    def test_clientsThatNeverEnd(self) -> None:
        """Half a head and half a body do not keep it from stopping."""
        proxy = self.start(Stream.rest, seconds=0.5)  # type: ignore[arg-type]
        for octets in (
            b"GET / HT",
            b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf",
        ):
            self.connect("site").send(octets)
        until(lambda: self.origin.connections, "the request arrives")
        proxy.signal(signal.SIGTERM)
        self.quiet()


class SignalTests(ProcessTestCase):
    """Signals by which other servers reload and rotate their logs."""

    def serve(self, stream: Stream) -> None:
        """Answer in two halves, the second when the test says so."""
        while stream.head():
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
            until(lambda: self.told, "the process is told something")
            stream.send(b"half")

    def setUp(self) -> None:
        self.told = False

    def test_neitherEndsIt(self) -> None:
        """It says what to do instead and goes on; the exchange under way, too."""
        proxy = self.start(self.serve)
        client = self.connect("site")
        client.send(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
        client.head()
        proxy.signal(signal.SIGHUP)
        proxy.says("SIGHUP: ignored, there is nothing to reload yet; restart")
        proxy.signal(signal.SIGUSR1)
        proxy.says("SIGUSR1: nothing to do, the access log follows renames")
        self.told = True
        self.assertEqual(client.exactly(8), b"halfhalf")
        client.send(b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
        client.head()
        self.assertEqual(client.exactly(8), b"halfhalf")
        proxy.signal(signal.SIGTERM)
        self.quiet()
        self.assertEqual([record["target"] for record in proxy.records()], ["/1", "/2"])

    def test_aTerminalThatCloses(self) -> None:
        """SIGHUP is then a stop: what is under way finishes and gets its line."""
        ours, theirs = pty.openpty()
        try:
            proxy = self.start(self.serve, stdin=theirs)
        finally:
            os.close(theirs)
        client = self.connect("site")
        client.send(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
        client.head()
        os.close(ours)
        for _ in range(2):
            proxy.signal(signal.SIGHUP)
            proxy.says("SIGHUP: finishing what is under way")
        self.told = True
        self.assertEqual(client.exactly(8), b"halfhalf")
        self.quiet()
        self.assertEqual([record["target"] for record in proxy.records()], ["/1"])


class ReactorTests(ProcessTestCase):
    """
    Octets and ends are the same under every reactor.

    The other tests here, and those with the shared process, run under the lean one.
    """

    def traffic(self, reactor: str) -> None:
        """Much through the gateway, much through a tunnel with a half-close, an orderly end."""
        content = Content(2 * MIB)

        def serve(stream: Stream) -> None:
            if stream.upTo(b"\n").startswith(b"PUT"):
                stream.head()
                body = b"".join(stream.chunks())
                # Nothing more is sent on a connection that is about to close.
                lines = b"Content-Length: %d\r\nConnection: close\r\n" % len(body)
                stream.send(b"HTTP/1.1 200 OK\r\n%b\r\n" % lines)
            else:
                body = stream.rest()
            stream.send(body)

        self.start(serve, reactor=reactor)
        client = self.connect("site")
        for _ in range(2):
            client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            sending = Background(content.sendChunked, client)
            client.head()
            self.assertEqual(digestOf(client.pieces(content.octets)), content.digest)
            sending.result()
        client.close()
        tunnel = self.tunnel()
        tunnel.send(b"tunnel\n")
        content.send(tunnel)
        tunnel.endWrite()
        self.assertEqual(digestOf(iter([tunnel.rest()])), content.digest)
        reset = self.tunnel()
        reset.send(b"half a li")
        reset.reset()
        self.proxy.signal(signal.SIGTERM)
        self.quiet()

    def test_theDefaultReactor(self) -> None:
        """Twisted's own choice."""
        self.traffic("")

    def test_asyncio(self) -> None:
        """C{--reactor=asyncio}."""
        self.traffic("asyncio")

    def test_poll(self) -> None:
        """C{--reactor=poll}."""
        self.traffic("poll")


class ListenerTests(ProcessTestCase):
    """Listeners that are not TCP."""

    def test_aUNIXSocket(self) -> None:
        """Both kinds of front; the file goes with the process."""
        if not hasattr(socket, "AF_UNIX"):
            raise SkipTest("no UNIX sockets here")

        def serve(stream: Stream) -> None:
            stream.send(stream.rest())

        configuration = """
            [forward.egress]
            listen = ["unix:{socket}"]
            [log]
            access = "access.log"
            format = "json"
        """
        proxy = self.start(serve, configuration=configuration)
        proxy.says("egress listens on UNIXAddress")
        content = Content(2 * MIB)
        client = Stream(socket.socket(socket.AF_UNIX))
        self.addCleanup(client.close)
        client.socket.connect(self.socketPath)
        client.send(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: a:1\r\n\r\n" % self.origin.port)
        self.assertTrue(client.head().startswith(b"HTTP/1.1 200 "))
        sending = Background(content.send, client)
        sending.result()
        client.endWrite()
        self.assertEqual(digestOf(iter([client.rest()])), content.digest)
        proxy.signal(signal.SIGTERM)
        self.quiet()
        (record,) = proxy.records()
        self.assertEqual(record["octets_in"], content.octets)
        self.assertEqual(record["octets_out"], content.octets)
        self.assertFalse(os.path.exists(self.socketPath))


class PrivilegeTests(ProcessTestCase):
    """A process that has given up its privileges."""

    def test_anotherUserUnderTraffic(self) -> None:
        """The gateway and the tunnels work without privileges, and so does the log."""
        if os.geteuid() != 0:
            raise SkipTest("only root can become another user")
        if sys.platform != "linux":
            raise SkipTest("the user is asked of /proc")

        def serve(stream: Stream) -> None:
            stream.send(stream.rest())

        proxy = self.start(serve, "--uid=65534", "--gid=65534")
        tunnel = self.tunnel()
        status = Path(f"/proc/{proxy.pid}/status").read_text(encoding="utf-8")
        self.assertIn("Uid:\t65534\t65534\t65534", status)
        content = Content(2 * MIB)
        content.send(tunnel)
        tunnel.endWrite()
        self.assertEqual(digestOf(iter([tunnel.rest()])), content.digest)
        proxy.signal(signal.SIGTERM)
        self.quiet()
        (record,) = proxy.records()
        self.assertEqual(record["octets_out"], content.octets)
