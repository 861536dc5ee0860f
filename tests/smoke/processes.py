# -*- test-case-name: tests.smoke.test_process -*-
"""A C{twistd intermediary} process for tests: started, watched, and never left behind."""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal

    from twisted.trial.unittest import SynchronousTestCase

#: How long anything may take; a test that waits so long has failed.
PATIENCE_SECONDS = 20.0

ROOT = Path(__file__).parent.parent.parent


class Proxy:
    """
    A process that runs C{twistd} or C{twist}.

    @ivar output: what it wrote to standard output so far.
    """

    def __init__(
        self,
        case: SynchronousTestCase,
        *arguments: str,
        command: tuple[str, ...] = ("twistd", "-n", "--pidfile="),
        cwd: str | None = None,
    ) -> None:
        """
        Start it.

        @param arguments: what follows C{intermediary}.
        @param command: the program, and its own options.
        """
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        program = str(Path(sys.executable).parent / command[0])
        self._process = subprocess.Popen(
            [sys.executable, program, *command[1:], "intermediary", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"},
        )
        self.output = ""
        case.addCleanup(self._discard)

    def _discard(self) -> None:
        """Leave nothing behind, however the test went."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()

    def says(self, pattern: str) -> re.Match[str]:
        """Wait until the output matches."""
        stream = self._process.stdout
        assert stream is not None
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (match := re.search(pattern, self.output)):
            left = deadline - time.monotonic()
            ready, _, _ = select.select([stream], [], [], max(left, 0))
            octets = os.read(stream.fileno(), 65536) if ready else b""
            if not octets:
                raise AssertionError(f"never said {pattern!r}:\n{self.output}{self._complaints()}")
            self.output += octets.decode()
        return match

    def _complaints(self) -> str:
        """What is on standard error, of a process that ended."""
        if self._process.poll() is None:
            return ""
        assert self._process.stderr is not None
        return self._process.stderr.read().decode()

    def port(self, front: str) -> int:
        """Wait until a front listens, and find out where."""
        return int(self.says(rf"{front} listens on .*port=(\d+)")[1])

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def ended(self) -> tuple[int, str]:
        """
        Wait for its end.

        @return: the exit code and what was on standard error.
        """
        out, err = self._process.communicate(timeout=PATIENCE_SECONDS)
        self.output += out.decode()
        return self._process.returncode, err.decode()


def dial(port: int) -> socket.socket:
    """Connect to a port of loopback."""
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)


def readAll(connection: socket.socket) -> bytes:
    """Read to the end of a connection."""
    octets = b""
    while piece := connection.recv(65536):
        octets += piece
    return octets


def listener(case: SynchronousTestCase) -> socket.socket:
    """A listening socket on loopback."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(PATIENCE_SECONDS)
    case.addCleanup(listening.close)
    return listening
