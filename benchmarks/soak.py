# -*- test-case-name: tests.test_benchmarks -*-
"""
C{python -m benchmarks soak}: whether anything is left when everybody has gone.

Thousands of connections are open at once under a mixed load whose clients die at
random (L{benchmarks.soakclients}).  It is put on twice: a short time, after
which the process has the size that such a load needs, and a long time.  When all
clients have gone and kept upstream connections have ended with their idle time,
file descriptors must be as many as at the start, objects as many as after the
first time, and the resident memory about as much.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .children import BenchmarkError
from .machine import connections, openFiles, residentOctets
from .origin import startOrigin
from .peers import INTERMEDIARY_PEER, PEERS, startPeer
from .soakclients import RAMP_SECONDS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from .children import Child, Workspace
    from .machine import Cores
    from .peers import Running

HELP = "many connections with clients that die, and what is left of them"

#: By how much the resident memory may differ between the two times, in octets.
LIMIT_OCTETS = 8 << 20

#: Objects of one class that may be more than after the first time: a sweep or a
#: flush may be under way.
LIMIT_OBJECTS = 5

#: File descriptors by kind that may be open without use at the end: the spare
#: pipes of L{intermediary.net.splice.PipePool}, eight with two ends each.
SPARE = {"pipe": 16}

SAMPLE_SECONDS = 1.0


def addArguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    parser.add_argument("--peer", default="intermediary", choices=list(PEERS))
    parser.add_argument("--connections", type=int, default=3000, help="default 3000")
    parser.add_argument("--minutes", type=float, default=5.0, help="default 5")
    parser.add_argument(
        "--warm", type=float, default=30.0, help="seconds of the first time (default 30)"
    )
    parser.add_argument(
        "--settle",
        type=float,
        default=100.0,
        help="seconds to wait for kept connections to end (default 100)",
    )
    parser.add_argument(
        "--think", type=float, default=4.0, help="mean pause of a client in seconds (default 4)"
    )
    parser.add_argument(
        "--mortality",
        type=float,
        default=0.3,
        help="share of conversations in which a client may die (default 0.3)",
    )
    parser.add_argument(
        "--without",
        default="",
        metavar="DEEDS",
        help="what clients are not to do, for instance tunnels,pipelines; the report names all",
    )
    parser.add_argument(
        "--keep-log", type=Path, metavar="FILE", help="copy what the proxy wrote to its errors"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """What a proxy holds at one moment."""

    #: Accepted from clients, as the kernel has it.
    connections: int
    residentOctets: int
    files: Counter[str]
    #: Living objects by class; empty where nobody can tell.
    objects: Counter[str]

    def __str__(self) -> str:
        files = ", ".join(f"{count} {kind}" for kind, count in sorted(self.files.items()))
        resident = f"{self.residentOctets / (1 << 20):.1f} MiB resident"
        return f"{resident}; {self.connections} connections; {files}"


def leaks(start: State, warm: State, end: State) -> list[str]:
    """
    Say what has not returned to where it was.

    @param start: before any load; file descriptors are compared with it.
    @param warm: after the first time; memory and objects are compared with it.
    """
    found = []
    if end.connections:
        found.append(f"{end.connections} connections of clients that have gone")
    found += [
        f"{end.files[kind]} file descriptors of kind {kind}, {start.files[kind]} at the start"
        for kind in sorted(end.files)
        if end.files[kind] > start.files[kind] + SPARE.get(kind, 0)
    ]
    found += [
        f"{count} objects of {name}, {warm.objects[name]} after the first time"
        for name, count in sorted(end.objects.items())
        if warm.objects and count > warm.objects[name] + LIMIT_OBJECTS
    ]
    grown = end.residentOctets - warm.residentOctets
    if grown > LIMIT_OCTETS:
        found.append(f"{grown / (1 << 20):.1f} MiB more than after the first time")
    return found


def tracebacks(log: str) -> Counter[str]:
    """Count the tracebacks in a log, by their text."""
    found: Counter[str] = Counter()
    lines = log.splitlines()
    for start, line in enumerate(lines):
        if "Traceback (most recent call last)" not in line:
            continue
        end = start + 1
        # The lines of one event are indented; the next event begins with its time.
        while end < len(lines) and lines[end].strip() and not lines[end][:1].isdigit():
            end += 1
        found["\n".join(lines[start:end])] += 1
    return found


class Soak:
    """One proxy under the load."""

    def __init__(
        self,
        options: argparse.Namespace,
        workspace: Workspace,
        cores: Cores,
        say: Callable[[str], None],
    ) -> None:
        self._options = options
        self._workspace = workspace
        self._cores = cores
        self._say = say
        peer = PEERS[options.peer]
        self._counts: Path | None = None
        if peer is INTERMEDIARY_PEER:
            self._counts = workspace.folder("introspection") / "objects.json"
        self._origin = startOrigin(workspace, core=cores.load, portable=True)
        self._running: Running = startPeer(
            peer,
            workspace,
            originPort=self._origin.port,
            core=cores.proxy,
            introspection=self._counts,
        )
        self._pids = self._running.pids
        self._ports = frozenset(self._running.port(front) for front in peer.fronts)
        self._open: list[int] = []

    def _files(self) -> Counter[str]:
        return sum((openFiles(pid) for pid in self._pids), Counter())

    def _state(self) -> State:
        self._running.child.assertAlive()
        # In this order: counting objects needs memory itself.
        resident = residentOctets(self._pids)
        files = self._files()
        return State(
            connections=connections(self._ports),
            residentOctets=resident,
            files=files,
            objects=self._objects(),
        )

    def _objects(self) -> Counter[str]:
        if self._counts is None:
            return Counter()
        with contextlib.suppress(FileNotFoundError):
            self._counts.unlink()
        os.kill(self._running.child.process.pid, signal.SIGUSR2)
        deadline = time.monotonic() + 20
        while not self._counts.exists():
            if time.monotonic() > deadline:
                raise BenchmarkError("the proxy does not count its objects")
            time.sleep(0.1)
        return Counter(json.loads(self._counts.read_text()))

    def _load(self, seconds: float) -> dict[str, object]:
        options, running = self._options, self._running
        command = [sys.executable, "-m", "benchmarks.soakclients"]
        for front in sorted(running.peer.fronts):
            command += [f"--{front}", str(running.port(front))]
        command += ["--origin", str(self._origin.port), "--seconds", str(seconds)]
        command += ["--connections", str(options.connections)]
        command += ["--without", options.without]
        command += ["--think", str(options.think), "--mortality", str(options.mortality)]
        folder = self._workspace.folder("clients")
        with (folder / "result.json").open("wb") as output:
            child = self._workspace.start(
                "clients", command, core=self._cores.load, folder=folder, stdout=output
            )
        self._observe(child, seconds)
        if child.process.returncode:
            raise BenchmarkError(f"the clients failed:\n{child.logTail()}")
        result: dict[str, object] = json.loads((folder / "result.json").read_text())
        self._workspace.stop(child)
        return result

    def _observe(self, child: Child, seconds: float) -> None:
        began = time.monotonic()
        shown = 0.0
        while child.process.poll() is None:
            now = time.monotonic() - began
            if now > seconds + 90:
                raise BenchmarkError("the clients do not come to an end")
            self._running.child.assertAlive()
            if RAMP_SECONDS < now < seconds:
                self._open.append(connections(self._ports))
            if now >= shown:
                files = self._files()
                self._say(
                    f"  {now:5.0f} s  {residentOctets(self._pids) / (1 << 20):6.1f} MiB"
                    f"  {connections(self._ports)} connections,"
                    f" {files['socket']} sockets, {files['pipe']} pipes"
                )
                shown += max(5.0, seconds / 20)
            time.sleep(SAMPLE_SECONDS)

    def _settle(self, start: Counter[str]) -> None:
        """Wait until no more file descriptors are open than at the start, or for long enough."""
        began = time.monotonic()
        while time.monotonic() - began < self._options.settle:
            time.sleep(1.0)
            files = self._files()
            if all(files[kind] <= start[kind] + SPARE.get(kind, 0) for kind in files):
                break
        # What was freed with the last connection, and the log's last lines.
        time.sleep(3.0)

    def run(self) -> int:
        """
        Put the load on twice.

        @return: 0, or 2 when something is left or an answer was wrong.
        """
        start = self._state()
        self._say(f"start: {start}")
        first = self._load(self._options.warm)
        self._settle(start.files)
        warm = self._state()
        self._say(f"after the first time: {warm}")
        self._open.clear()
        second = self._load(60 * self._options.minutes)
        self._settle(start.files)
        end = self._state()
        self._say(f"end: {end}")
        found = leaks(start, warm, end)
        for result in (first, second):
            found += [str(what) for what in _list(result["wrong"])]
        self._tell(second)
        found += self._complaints()
        if self._options.keep_log:
            shutil.copy(self._running.child.errorLog, self._options.keep_log)
        for what in found:
            self._say(f"DEFECT: {what}")
        self._say(f"{self._running.name}: {'MISSED' if found else 'met: nothing is left'}")
        return 2 if found else 0

    def _tell(self, result: dict[str, object]) -> None:
        if self._open:
            self._say(
                f"open connections: {statistics.median(self._open):.0f} in the median,"
                f" {min(self._open)} to {max(self._open)}"
            )
        outcomes = result["outcomes"]
        assert isinstance(outcomes, dict)
        for what, count in outcomes.items():
            self._say(f"  {count:8d}  {what}")

    def _complaints(self) -> list[str]:
        """Find the tracebacks in what the proxy wrote, each kind once."""
        text = self._running.child.errorLog.read_text(errors="replace")
        kinds = tracebacks(text)
        return [f"{count} times this traceback:\n{kind}" for kind, count in kinds.items()]


def _list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value


def run(
    options: argparse.Namespace,
    workspace: Workspace,
    cores: Cores,
    say: Callable[[str], None],
) -> int:
    """Soak the peer that the options name."""
    peer = PEERS[options.peer]
    if why := peer.whyNot():
        raise BenchmarkError(f"{peer.name}: skipped: {why}")
    return Soak(options, workspace, cores, say).run()
