# -*- test-case-name: tests.smoke -*-
"""
The real process with every kind of front, shared by the tests that send traffic.

Starting it costs as much as a dozen tests, so there is one for all of them: each
test begins with a look at what it holds and ends with another, see
L{TrafficTestCase}.  It ends with the test run, however that ends.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from .peers import Origin, Stream, dial

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent.parent

#: How long the process may take for anything; machines that build are slow.
PATIENCE_SECONDS = 20.0

#: C{twistd}, which the kernel ends when the one that started it has gone
#: (prctl(2), C{PR_SET_PDEATHSIG}).
TWISTD = """
import ctypes, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
from twisted.scripts.twistd import run
run()
"""

#: Fronts on both sides of every decision that tests look at.  C{hasty} and
#: C{fleeting} have little patience; C{public} and C{exempt} listen everywhere, so
#: their destinations are guarded.
EVERY_FRONT = """
shutdown-seconds = 3

[forward.egress]
listen = ["tcp:0:interface=127.0.0.1"]
via = "egress"

[forward.fleeting]
listen = ["tcp:0:interface=127.0.0.1"]
[forward.fleeting.timeouts]
tunnel-idle = 1

[forward.public]
listen = ["tcp:0"]

[forward.exempt]
listen = ["tcp:0"]
allow-destinations = ["127.0.0.1"]

[reverse.site]
listen = ["tcp:0:interface=127.0.0.1"]
via = "site"
[[reverse.site.route]]
upstream = "web"

[reverse.hasty]
listen = ["tcp:0:interface=127.0.0.1"]
[[reverse.hasty.route]]
upstream = "web"
[reverse.hasty.timeouts]
request-head = 0.5
idle = 0.5
response-head = 0.5
between-bytes = 0.5

[upstream.web]
servers = ["http://127.0.0.1:{port}"]

[limits]
header-octets = "16KiB"
target-octets = "8KiB"

[log]
access = "access.log"
format = "json"
"""


def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """
    Wait for something that another process does.

    @return: the first true value of C{condition}.
    @raise AssertionError: it stayed false.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"it never happened: {what}")
        time.sleep(0.02)
    return value


class RunningProxy:
    """
    A C{twistd intermediary} process and what can be seen of it from outside.

    @ivar folder: its working directory.
    """

    def __init__(
        self,
        folder: Path,
        configuration: str,
        *options: str,
        reactor: str = "intermediary",
        stdin: int = subprocess.DEVNULL,
    ) -> None:
        """
        Start it.

        @param folder: will hold its configuration and its logs.
        @param options: more options of C{twistd}.
        @param reactor: a reactor's name, empty for Twisted's choice.
        @param stdin: the descriptor of its standard input.
        """
        self.folder = folder.absolute()
        (folder / "proxy.toml").write_text(configuration, encoding="utf-8")
        self._log = self.folder / "process.log"
        chosen = [f"--reactor={reactor}"] if reactor else []
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    TWISTD,
                    *chosen,
                    "--pidfile=",
                    "-n",
                    *options,
                    "intermediary",
                    "--config=proxy.toml",
                ],
                cwd=folder,
                stdin=stdin,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def says(self, pattern: str, seconds: float = PATIENCE_SECONDS) -> re.Match[str]:
        """
        Wait until its log matches.

        @raise AssertionError: it ended, or never did.
        """

        def found() -> re.Match[str] | None:
            match = re.search(pattern, self.log)
            if match is None and not self.running:
                raise AssertionError(f"it ended and never said {pattern!r}:\n{self.log}")
            return match

        found_: re.Match[str] = until(found, f"{pattern!r} in the log", seconds)
        return found_

    def port(self, front: str) -> int:
        """Tell where a front listens, once it does."""
        return int(self.says(rf"\b{front} listens on .*port=(\d+)")[1])

    def records(self) -> list[dict[str, Any]]:
        """Read the access log."""
        path = self.folder / "access.log"
        if not path.exists():
            return []
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def record(self, target: str, after: int = 0) -> dict[str, Any]:
        """
        Wait for the record of the request with a target.

        @param after: how many records are not looked at: targets that come to be by
            chance, as ports do, may come twice.
        """
        found: dict[str, Any] = until(
            lambda: next((r for r in self.records()[after:] if r["target"] == target), None),
            f"a record of {target}",
        )
        return found

    def descriptors(self, kind: str) -> int:
        """
        Count what it has open.

        @param kind: C{"socket"} or C{"pipe"}.
        """
        count = 0
        folder = f"/proc/{self.pid}/fd"
        for name in os.listdir(folder):
            try:
                count += os.readlink(f"{folder}/{name}").startswith(f"{kind}:")
            except FileNotFoundError:
                continue  # closed meanwhile
        return count

    def residentOctets(self) -> int:
        """Tell how much memory it has."""
        statm = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii")
        return int(statm.split()[1]) * resource.getpagesize()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def ended(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Wait for its end; give its exit code."""
        return self._process.wait(seconds)

    def stop(self) -> int:
        """Tell it to stop, and wait until it has."""
        self.signal(signal.SIGTERM)
        return self.ended()

    def discard(self) -> None:
        """Leave nothing of it behind."""
        if self.running:
            self._process.kill()
            self._process.wait()


class _Standing:
    """The process that tests share, and the origin of its reverse fronts."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="intermediary-smoke-"))
        self.origin = Origin()
        self.proxy = RunningProxy(
            self._folder, EVERY_FRONT.replace("{port}", str(self.origin.port))
        )
        atexit.register(self.end)

    def end(self) -> None:
        """End with the test run."""
        self.proxy.discard()
        self.origin.close()
        shutil.rmtree(self._folder, ignore_errors=True)


_standing: list[_Standing] = []


def standing() -> _Standing:
    """Give the shared process; a new one if a test brought the last one down."""
    if not _standing or not _standing[-1].proxy.running:
        if sys.platform != "linux":
            raise SkipTest("what a process holds is asked of /proc")
        _standing.append(_Standing())
    return _standing[-1]


class TrafficTestCase(SynchronousTestCase):
    """
    Tests that send traffic through the shared process.

    However a test went, afterwards the process serves, has said nothing of an
    exception, and has closed what it opened.

    @ivar origin: what the reverse fronts lead to; a test sets its C{serve}.
    """

    def setUp(self) -> None:
        """Look at the process before."""
        shared = standing()
        self.proxy = shared.proxy
        self.origin = shared.origin
        self._streams: list[Stream] = []
        self.origin.serve = hello
        self._serves()
        self._said = len(self.proxy.log)
        self._sockets = self.proxy.descriptors("socket")
        self.addCleanup(self._look)

    def connect(self, front: str = "site", buffer: int = 0) -> Stream:
        """
        Connect to a front.

        @param buffer: octets for the kernel's buffers of this side, 0 for the usual.
        """
        stream = dial(self.proxy.port(front), buffer)
        self._streams.append(stream)
        return stream

    def started(self, serve: Callable[[Stream], None] | None = None) -> Origin:
        """Start an origin that ends with the test."""
        origin = Origin(serve)
        self.addCleanup(origin.close)
        return origin

    def tunnel(self, origin: Origin, front: str = "egress", early: bytes = b"") -> Stream:
        """
        Open a tunnel to an origin.

        @param early: what is sent behind the request, in the same piece.
        """
        client = self.connect(front)
        authority = b"127.0.0.1:%d" % origin.port
        client.send(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n%b" % (authority, authority, early))
        head = client.head()
        self.assertTrue(head.startswith(b"HTTP/1.1 200 "), head)
        return client

    def _serves(self) -> None:
        """Have a request answered, and leave no connection behind."""
        with dial(self.proxy.port("site")) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            answer = client.rest()
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)
        self.assertTrue(answer.endswith(b"hello"), answer)

    def _look(self) -> None:
        """Look at the process after."""
        for stream in self._streams:
            stream.close()
        self.origin.closeConnections()
        self.assertTrue(self.proxy.running, self.proxy.log[-4000:])
        until(
            lambda: self.proxy.descriptors("socket") <= self._sockets,
            f"its sockets are closed, {self._sockets} were open before",
        )
        # The splice pipes that it keeps for the next tunnels, each of two ends.
        self.assertLessEqual(self.proxy.descriptors("pipe"), 2 * 8 + 4)
        self.origin.serve = hello
        self._serves()
        said = self.proxy.log[self._said :]
        self.assertNotIn("Traceback", said)
        self.assertNotIn("Unhandled", said)


def hello(stream: Stream) -> None:
    """Answer one request, whatever it is, and close."""
    stream.head()
    stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
