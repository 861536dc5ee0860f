# -*- test-case-name: tests.test_benchmarks -*-
"""
Processes and folders that go away with the harness, however it ends.

Every child leads a session of its own, so that it can be ended with all its
workers, and is told by the kernel (prctl(2), C{PR_SET_PDEATHSIG}) when the
harness dies without saying so.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from .machine import family

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PR_SET_PDEATHSIG = 1

#: How long a child may take to listen, and to end when asked to, in seconds.
START_SECONDS = 20.0
STOP_SECONDS = 4.0

#: The repository: what is measured is the tree that these files lie in.
ROOT = Path(__file__).resolve().parent.parent

#: Listeners take their ports from below the range of ephemeral ones, where no
#: outgoing connection can be in their way.
PORTS = range(20000, 30000)

_libc = ctypes.CDLL(None)


class BenchmarkError(Exception):
    """The benchmark can't go on, or must not: the message says why."""


def findProgram(name: str) -> str | None:
    """Give the path of a program, or None where it is not installed."""
    # Debian keeps the daemons where an ordinary user's PATH does not lead.
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


class Child:
    """A process that this harness has started, and its descendants."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], errorLog: Path) -> None:
        self.name = name
        self.process = process
        self.errorLog = errorLog
        self._stopped = False

    @property
    def pids(self) -> list[int]:
        """The process and everything that it has started."""
        return family(self.process.pid)

    def assertAlive(self) -> None:
        """Raise L{BenchmarkError}, with the end of its log, when it has ended."""
        if self.process.poll() is not None:
            raise BenchmarkError(
                f"{self.name} ended with {self.process.returncode}:\n{self.logTail()}"
            )

    def logTail(self, lines: int = 15) -> str:
        """Give the last lines of what it wrote to its output and error streams."""
        text = self.errorLog.read_text(errors="replace") if self.errorLog.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def waitUntilListening(self, port: int) -> None:
        """Block until a connection to the port is accepted."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            self.assertAlive()
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1.0).close()
                return
            if time.monotonic() > deadline:
                raise BenchmarkError(
                    f"{self.name} does not listen on port {port}:\n{self.logTail()}"
                )
            time.sleep(0.05)

    def stop(self) -> int | None:
        """
        Ask it to end, then make it and its whole session end; only once.

        @return: its exit status, negative for a signal.
        """
        if self._stopped:
            return self.process.returncode
        self._stopped = True
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
        # The group has the first process's number, which nobody else gets while
        # any of its workers lives, and numbers come round again only after long.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait()


class Workspace:
    """
    A folder and the processes that work in it; a context manager.

    It lies in memory where that is possible, so that no disk is measured.
    """

    def __init__(self) -> None:
        shm = Path("/dev/shm")
        parent = shm if os.access(shm, os.W_OK) else None
        self.directory = Path(tempfile.mkdtemp(prefix="intermediary-bench-", dir=parent))
        # Some of the peers change to users of their own, which must get in.
        self.directory.chmod(0o711)
        self._children: list[Child] = []
        self._ports = iter(PORTS[os.getpid() * 37 % len(PORTS) :])

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *exception: object) -> None:
        for child in reversed(self._children):
            child.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def freePort(self) -> int:
        """Find a TCP port on loopback on which nothing listens, another one each time."""
        for port in self._ports:
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            return port
        self._ports = iter(PORTS)
        return self.freePort()

    def folder(self, name: str) -> Path:
        """Make a folder that any of the peers' users may write in."""
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.directory))
        folder.chmod(0o777)
        return folder

    def start(
        self,
        name: str,
        arguments: Sequence[str | Path],
        *,
        core: int,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        stdout: IO[bytes] | int | None = None,
        user: str | None = None,
    ) -> Child:
        """
        Start a process, with all its descendants, on one core.

        @param folder: its working directory, in which C{error.log} takes what it
            writes to its error stream, and to its output unless C{stdout} is given.
        @param environment: variables in addition to those of the harness.
        """

        def prepare() -> None:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            os.sched_setaffinity(0, {core})

        # Our own programs are found in the tree; the proxy must not be, as it is
        # the installed package that is measured.
        ours = {"PYTHONPATH": str(ROOT)} if "-m" in arguments else {}
        errorLog = folder / "error.log"
        errorLog.touch()
        errorLog.chmod(0o666)
        with errorLog.open("ab") as log:
            process = subprocess.Popen(
                [str(argument) for argument in arguments],
                cwd=folder,
                env={**os.environ, **ours, **(environment or {})},
                stdin=stdin,
                stdout=log if stdout is None else stdout,
                stderr=log,
                start_new_session=True,
                user=user,
                # The harness has one thread, so nothing can hold a lock here.
                preexec_fn=prepare,  # noqa: PLW1509
            )
        child = Child(name, process, errorLog)
        self._children.append(child)
        return child

    def stop(self, child: Child) -> int | None:
        """Stop one of the processes before the others; once more does no harm."""
        if child in self._children:
            self._children.remove(child)
        return child.stop()
