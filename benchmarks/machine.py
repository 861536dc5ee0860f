# -*- test-case-name: tests.test_benchmarks -*-
"""
What C{/proc} says about processes and cores, from outside of them (proc(5)).
"""

from __future__ import annotations

import os
import platform
import resource
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

#: Ticks of C{utime} and C{stime} in a second.
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

PROC = Path("/proc")


def parseCpuTicks(stat: str) -> int:
    """
    Give C{utime + stime} out of a line of C{/proc/PID/stat}.

    The second field is the command's name in parentheses and may hold spaces
    and parentheses itself, so the count begins behind the last one.
    """
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def cpuSeconds(pids: list[int]) -> float:
    """
    Sum up the CPU time, user and system, that living processes have used.

    @raise ProcessLookupError: when one of them is gone: a sum without it would
        look like a fast proxy.
    """
    ticks = 0
    for pid in pids:
        try:
            ticks += parseCpuTicks((PROC / str(pid) / "stat").read_text())
        except FileNotFoundError:
            raise ProcessLookupError(f"process {pid} has ended") from None
    return ticks / TICKS_PER_SECOND


def residentOctets(pids: list[int]) -> int:
    """Sum up the resident set (C{VmRSS}) of living processes."""
    octets = 0
    for pid in pids:
        for line in (PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                octets += int(line.split()[1]) * 1024
    return octets


def openFiles(pid: int) -> Counter[str]:
    """
    Count the file descriptors of a process by kind.

    @return: counts of C{"socket"}, C{"pipe"}, C{"anon_inode"} and C{"file"}.
    """
    kinds: Counter[str] = Counter()
    directory = PROC / str(pid) / "fd"
    for name in os.listdir(directory):
        try:
            target = os.readlink(directory / name)
        except FileNotFoundError:
            continue
        kind, colon, _ = target.partition(":")
        kinds[kind if colon else "file"] += 1
    return kinds


def parseConnections(table: str, ports: frozenset[int]) -> int:
    """
    Count the connections in C{/proc/net/tcp} whose local end has one of the ports.

    Listeners and what only waits for its time (C{TIME_WAIT}) are none.
    """
    count = 0
    for line in table.splitlines()[1:]:
        _, local, _, state = line.split(None, 4)[:4]
        if int(local.rpartition(":")[2], 16) in ports and state not in ("0A", "06"):
            count += 1
    return count


def connections(ports: frozenset[int]) -> int:
    """Count the TCP connections of this machine that were accepted on some ports."""
    return parseConnections((PROC / "net" / "tcp").read_text(), ports)


def family(pid: int) -> list[int]:
    """List a process and all its descendants, itself first."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir(PROC):
        if not entry.isdigit():
            continue
        try:
            stat = (PROC / entry / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found = [pid]
    for one in found:
        found.extend(sorted(parents.get(one, ())))
    return found


def coreBusySeconds(core: int) -> float:
    """Give the time that a core has been busy with anything, since boot."""
    for line in (PROC / "stat").read_text().splitlines():
        if line.startswith(f"cpu{core} "):
            user, nice, system, _, _, irq, softirq, steal = map(int, line.split()[1:9])
            return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND
    raise LookupError(f"no core {core}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cores:
    """Which core does what."""

    #: The proxy under test alone.
    proxy: int
    #: The load generator, the origin and the harness.
    load: int

    @property
    def shared(self) -> bool:
        """Whether there was only one core to be had."""
        return self.proxy == self.load

    @classmethod
    def choose(cls) -> Cores:
        """Take the last core that this process may use for the proxy, the first for the rest."""
        allowed = sorted(os.sched_getaffinity(0))
        return cls(proxy=allowed[-1], load=allowed[0])


def raiseFileLimit() -> int:
    """Raise the limit of open files, for this process and its children, as far as it goes."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def facts() -> dict[str, object]:
    """Describe the machine, for the report."""
    model = "unknown"
    for line in (PROC / "cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "loadAverage": os.getloadavg()[0],
    }
