# -*- test-case-name: tests.test_benchmarks -*-
"""
Measures a case: the peers in turn, round after round.

All of them are started first and stay; a round gives each the same load, one
after the other, beginning with another one each time, so that a disturbance of
the machine meets all alike.  The CPU time is that of all processes of a peer,
taken from C{/proc/PID/stat} around the load.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .cases import Load, Unit
from .children import BenchmarkError, findProgram
from .machine import coreBusySeconds, cpuSeconds, residentOctets
from .origin import assertUnspoiled
from .peers import startPeer
from .tunnels import ask, keepIdle
from .verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .cases import Case
    from .children import Workspace
    from .machine import Cores
    from .origin import Count, Origin
    from .peers import Peer, Running

T = TypeVar("T")

LUA = Path(__file__).resolve().parent / "wrk.lua"

#: Requests on one connection before the memory of idle ones is measured: what is
#: made at the first request belongs to no connection.
WARMING_REQUESTS = 200

#: How long after the last request idle memory is read, in seconds.
SETTLE_SECONDS = 1.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What one peer did in one round."""

    peer: str
    #: In the case's unit.
    value: float
    #: Requests that were answered completely, or connections kept.
    requests: int
    #: Of content, as the load generator counted it.
    octets: int
    seconds: float
    #: CPU time of the peer's processes.
    cpuSeconds: float
    #: CPU time that anybody else used on the peer's core meanwhile.
    foreignSeconds: float
    #: Requests that reached the origin, and connections on which they did.
    originRequests: int
    originConnections: int
    #: By wrk alone.
    p99Microseconds: int | None = None


def figure(case: Case, *, requests: int, octets: int, cpu: float) -> float:
    """
    Turn CPU time into a case's unit.

    Big answers are counted by their octets: at the end of a round a good part of
    what was transferred belongs to answers that are not complete.
    """
    if case.unit is Unit.SECONDS_PER_GIGABYTE:
        return cpu / (octets / 1e9)
    if case.contentOctets > 1 << 20:
        return cpu / (octets / case.contentOctets) * 1e6
    return cpu / requests * 1e6


class Measurement:
    """One case with the peers that take part in it."""

    def __init__(
        self,
        case: Case,
        workspace: Workspace,
        origin: Origin,
        cores: Cores,
        seconds: int,
        say: Callable[[str], None],
    ) -> None:
        self._case = case
        self._workspace = workspace
        self._origin = origin
        self._cores = cores
        self._seconds = seconds
        self._say = say
        #: Peers that were left out, and what was wrong with them.
        self.failures: dict[str, str] = {}

    def run(self, peers: Sequence[Peer], rounds: int) -> list[list[Sample]]:
        """
        Measure.  A peer that does not start, or answers wrongly, is left out and
        noted in C{failures}.

        @return: for each round the samples of the others; empty when there are none.
        @raise BenchmarkError: when something goes wrong later.
        """
        if self._case.load is Load.IDLE:
            return [
                [self._idleRound(peer) for peer in _turned(peers, number)]
                for number in range(rounds)
            ]
        running: list[Running] = []
        try:
            for peer in peers:
                try:
                    running.append(self._start(peer))
                except BenchmarkError as error:
                    self.failures[peer.name] = str(error)
                    self._say(f"  FAILED: {error}")
            return self._rounds(running, rounds) if running else []
        finally:
            for one in running:
                self._workspace.stop(one.child)

    def _rounds(self, running: Sequence[Running], rounds: int) -> list[list[Sample]]:
        for one in running:
            self.load(one, 1)
        result = []
        answered = {one.name: 0 for one in running}
        for number in range(rounds):
            samples = []
            for one in _turned(running, number):
                sample = self._round(one)
                answered[one.name] += sample.requests
                samples.append(sample)
                self._say(
                    f"  round {number + 1}  {one.name:<14} {sample.value:10.2f}"
                    f" {self._case.unit.value}, {sample.requests} requests,"
                    f" core {sample.cpuSeconds / sample.seconds:4.0%}"
                )
            result.append(samples)
        for one in running:
            self._workspace.stop(one.child)
            self._assertLogged(one, answered[one.name])
        return result

    def _assertLogged(self, running: Running, answered: int) -> None:
        """Make sure that a stopped peer has logged what it was measured with."""
        # What goes through a tunnel is one exchange, however many requests it is.
        expected = 1 if self._case.load is Load.BULK else answered
        logged = running.loggedLines()
        if logged < expected:
            raise BenchmarkError(
                f"{running.name}, {self._case.name}: {answered} requests,"
                f" {logged} lines in the access log"
            )

    def _start(self, peer: Peer) -> Running:
        running = startPeer(
            peer,
            self._workspace,
            originPort=self._origin.port,
            core=self._cores.proxy,
            cached=peer.cachesIn(self._case),
            secure=self._case.secure,
        )
        try:
            verify(self._case, running, self._origin)
        except BaseException:
            self._workspace.stop(running.child)
            raise
        return running

    def _round(self, running: Running) -> Sample:
        case = self._case
        before = self._origin.count()
        pids = running.pids
        busy = coreBusySeconds(self._cores.proxy)
        cpu = cpuSeconds(pids)
        result = self.load(running, self._seconds)
        # Connections that the generator has closed belong to the load.
        time.sleep(0.1)
        cpu = cpuSeconds(pids) - cpu
        busy = coreBusySeconds(self._cores.proxy) - busy
        seen = self._origin.count() - before
        octets = result.get("octets", 0)
        requests = result.get("requests", octets // case.contentOctets)
        if not octets and not requests:
            raise BenchmarkError(f"{running.name}, {case.name}: not one request was answered")
        self._assertPassedOn(running, requests, seen)
        return Sample(
            peer=running.name,
            value=figure(case, requests=requests, octets=octets, cpu=cpu),
            requests=requests,
            octets=octets,
            seconds=result["seconds"],
            cpuSeconds=cpu,
            foreignSeconds=max(0.0, busy - cpu),
            originRequests=seen.requests - 1,
            originConnections=seen.connections - 1,
            p99Microseconds=result.get("p99Microseconds"),
        )

    def _assertPassedOn(self, running: Running, requests: int, seen: Count) -> None:
        assertUnspoiled(self._origin)
        running.child.assertAlive()
        where = f"{running.name}, {self._case.name}"
        if self._case.cached:
            if seen.requests > 1:
                raise BenchmarkError(
                    f"{where}: {seen.requests - 1} of {requests} answers were no hits"
                )
            return
        if seen.requests - 1 < requests:
            raise BenchmarkError(
                f"{where}: {requests} answers, {seen.requests - 1} of them from the origin"
            )
        if self._case.load is Load.REQUESTS and seen.connections - 1 > max(
            4 * self._case.connections, requests // 10
        ):
            self._say(
                f"  {running.name} opened {seen.connections - 1} connections to the origin"
                f" for {requests} requests: it does not keep them"
            )

    def load(self, running: Running, seconds: int) -> dict[str, Any]:
        """
        Put the case's load on a peer and wait until it ends.

        @return: what the generator reported: C{seconds}, C{requests}, C{octets}.
        """
        if self._case.load is Load.REQUESTS:
            return self._wrk(running, seconds)
        return self._tunnels(running, seconds)

    def _wrk(self, running: Running, seconds: int) -> dict[str, Any]:
        case = self._case
        program = findProgram("wrk")
        if program is None:
            raise BenchmarkError("wrk is not installed: see benchmarks/install-peers.sh")
        port = running.port(case.front)
        environment = {"BENCH_TARGET": case.path, "BENCH_HOST": f"127.0.0.1:{port}"}
        if case.front == "forward":
            environment["BENCH_HOST"] = f"127.0.0.1:{self._origin.port}"
            environment["BENCH_TARGET"] = f"http://{environment['BENCH_HOST']}{case.path}"
        if case.cached or case.bypassed:
            environment["BENCH_CACHED"] = "1"
        environment["BENCH_PAUSE"] = str(case.pauseMilliseconds)
        arguments = [program, "-t1", f"-c{case.connections}", f"-d{seconds}s"]
        scheme = "https" if case.secure else "http"
        url = f"{scheme}://127.0.0.1:{port}{case.path}"
        arguments += ["--timeout", "10s", "-s", str(LUA), url]
        output = self._generate(arguments, environment, seconds)
        for line in output.splitlines():
            if line.startswith("BENCH "):
                result: dict[str, Any] = json.loads(line.removeprefix("BENCH "))
                if result["refused"] or result["broken"]:
                    raise BenchmarkError(
                        f"{running.name}, {case.name}: {result['refused']} answers were no"
                        f" success, {result['broken']} connections broke"
                    )
                return result
        raise BenchmarkError(f"wrk said nothing that makes sense:\n{output}")

    def _tunnels(self, running: Running, seconds: int) -> dict[str, Any]:
        case = self._case
        arguments = self._tunnelsCommand(running, "--seconds", str(seconds))
        result: dict[str, Any] = json.loads(self._generate(arguments, {}, seconds))
        if result.get("failures"):
            raise BenchmarkError(f"{running.name}, {case.name}: {result['failures']}")
        return result

    def _tunnelsCommand(self, running: Running, *more: str) -> list[str]:
        case = self._case
        return [
            *(sys.executable, "-m", "benchmarks.tunnels", case.load.value),
            *("--proxy", str(running.port(case.front)), "--origin", str(self._origin.port)),
            *("--path", case.path, "--connections", str(case.connections)),
            *(("--secure",) if case.secure else ()),
            *(("--resumed",) if case.resumed else ()),
            *more,
        ]

    def _generate(self, arguments: list[str], environment: dict[str, str], seconds: int) -> str:
        folder = self._workspace.folder("load")
        child = self._workspace.start(
            "load",
            arguments,
            core=self._cores.load,
            folder=folder,
            environment=environment,
            stdout=subprocess.PIPE,
        )
        try:
            output, _ = child.process.communicate(timeout=seconds + 60)
        except subprocess.TimeoutExpired:
            raise BenchmarkError(f"the load did not end: {' '.join(arguments)}") from None
        finally:
            self._workspace.stop(child)
        if child.process.returncode:
            raise BenchmarkError(f"the load failed:\n{child.logTail()}")
        return output.decode("utf-8")

    def _idleRound(self, peer: Peer) -> Sample:
        """Measure idle memory, in a process that has never been bigger."""
        case = self._case
        running = self._start(peer)
        self._warm(running)
        pids = running.pids
        before = residentOctets(pids)
        cpu = cpuSeconds(pids)
        child = self._workspace.start(
            "load",
            self._tunnelsCommand(running),
            core=self._cores.load,
            folder=self._workspace.folder("load"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        process = child.process
        assert process.stdout is not None
        began = time.monotonic()
        ready = process.stdout.readline()
        if not ready:
            raise BenchmarkError(f"{peer.name}, {case.name}: {child.logTail()}")
        opened = json.loads(ready)["open"]
        time.sleep(SETTLE_SECONDS)
        grown = residentOctets(pids) - before
        cpu = cpuSeconds(pids) - cpu
        output, _ = process.communicate(b"\n", timeout=60)
        self._workspace.stop(child)
        result = json.loads(output)
        if result["alive"] < result["sampled"]:
            raise BenchmarkError(
                f"{peer.name}, {case.name}: {result['alive']} of {result['sampled']}"
                " connections were still kept"
            )
        self._workspace.stop(running.child)
        self._say(f"  {peer.name:<14} {grown / opened:10.0f} {case.unit.value}")
        return Sample(
            peer=peer.name,
            value=grown / opened,
            requests=opened,
            octets=0,
            seconds=time.monotonic() - began,
            cpuSeconds=cpu,
            foreignSeconds=0.0,
            originRequests=0,
            originConnections=0,
        )

    def _warm(self, running: Running) -> None:
        port = running.port(self._case.front)
        connections = keepIdle(port, self._case.path, 16, secure=self._case.secure)
        for number in range(WARMING_REQUESTS):
            ask(connections[number % len(connections)], port, self._case.path)
        for connection in connections:
            connection.close()
        time.sleep(0.5)


def _turned(things: Sequence[T], number: int) -> list[T]:
    """Begin with another one in each round."""
    start = number % len(things)
    return [*things[start:], *things[:start]]
