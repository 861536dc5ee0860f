# -*- test-case-name: tests.test_benchmarks -*-
"""
C{python -m benchmarks slow}: whether memory stays bounded when one side is slow.

A client fetches a big body and reads it at a rate, and another one sends a big
body to an origin that reads it at that rate; through the gateway, the proxy and
a tunnel.  Each transfer has a proxy process of its own, all run at once, and the
resident memory of each is sampled against what it was after small requests.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .children import BenchmarkError
from .machine import cpuSeconds, residentOctets
from .origin import startOrigin
from .peers import PEERS, startPeer
from .report import grid

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from .children import Child, Workspace
    from .machine import Cores
    from .peers import Running

HELP = "memory while a big body meets a slow reader"

#: By how much the resident memory may grow, in octets.
LIMIT_OCTETS = 20 << 20

SAMPLE_SECONDS = 0.2

#: Small transfers before the memory is first read.
WARMING_OCTETS = 300_000
WARMING_TRANSFERS = 5

TRANSFERS = tuple(
    f"{front}-{direction}"
    for front in ("reverse", "forward", "tunnel")
    for direction in ("download", "upload")
)


def addArguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    parser.add_argument("--peer", default="intermediary", choices=list(PEERS))
    parser.add_argument("--octets", type=int, default=1 << 30, help="of the body (default 1 GiB)")
    parser.add_argument(
        "--rate", type=int, default=20_000_000, help="octets per second (default 20000000)"
    )
    parser.add_argument(
        "--transfers",
        default=",".join(TRANSFERS),
        help="of " + ",".join(TRANSFERS) + " (default all)",
    )


@dataclass(slots=True)
class Transfer:
    """One body on its way, and what the proxy that carries it has grown by."""

    name: str
    running: Running
    pids: list[int]
    client: Child
    before: int
    most: int
    cpuBefore: float
    cpu: float = 0.0
    ended: bool = False

    def sample(self) -> None:
        """Look at the proxy, and at whether the client has ended."""
        self.ended = self.client.process.poll() is not None
        self.running.child.assertAlive()
        self.most = max(self.most, residentOctets(self.pids))
        self.cpu = cpuSeconds(self.pids) - self.cpuBefore


def run(
    options: argparse.Namespace,
    workspace: Workspace,
    cores: Cores,
    say: Callable[[str], None],
) -> int:
    """
    Make the transfers.

    @return: 0, or 2 when the memory of one grew by more than it may.
    """
    peer = PEERS[options.peer]
    if why := peer.whyNot():
        raise BenchmarkError(f"{peer.name}: skipped: {why}")
    names = options.transfers.split(",")
    if unknown := set(names) - set(TRANSFERS):
        raise BenchmarkError(f"no transfer {', '.join(sorted(unknown))}")
    names = [name for name in names if _front(name) in peer.fronts]
    origin = startOrigin(workspace, core=cores.load, portable=True)

    def client(running: Running, name: str, octets: int, rate: int) -> Child:
        front, direction = name.split("-")
        return workspace.start(
            name,
            [
                *(sys.executable, "-m", "benchmarks.slowclient", direction, "--front", front),
                *("--proxy", str(running.port(_front(name))), "--origin", str(origin.port)),
                *("--octets", str(octets), "--rate", str(rate)),
            ],
            core=cores.load,
            folder=workspace.folder(name),
            stdout=subprocess.PIPE,
        )

    transfers = []
    for name in names:
        running = startPeer(peer, workspace, originPort=origin.port, core=cores.proxy)
        for _ in range(WARMING_TRANSFERS):
            _result(client(running, name, WARMING_OCTETS, options.rate))
        pids = running.pids
        before = residentOctets(pids)
        transfers.append(
            Transfer(
                name=name,
                running=running,
                pids=pids,
                client=client(running, name, options.octets, options.rate),
                before=before,
                most=before,
                cpuBefore=cpuSeconds(pids),
            )
        )
    expected = options.octets / options.rate
    say(f"{len(transfers)} transfers of {options.octets} octets, {expected:.0f} s at least")
    deadline = time.monotonic() + 3 * expected + 60
    while not all(transfer.ended for transfer in transfers):
        if time.monotonic() > deadline:
            raise BenchmarkError("the transfers do not come to an end")
        time.sleep(SAMPLE_SECONDS)
        for transfer in transfers:
            if not transfer.ended:
                transfer.sample()
    rows = [["transfer", "seconds", "CPU s", "before MiB", "most MiB", "grown MiB", ""]]
    failed = False
    for transfer in transfers:
        result = _result(transfer.client)
        grown = transfer.most - transfer.before
        failed = failed or grown > LIMIT_OCTETS
        rows.append(
            [
                transfer.name,
                f"{result['seconds']:.1f}",
                f"{transfer.cpu:.2f}",
                *(
                    f"{octets / (1 << 20):.1f}"
                    for octets in (transfer.before, transfer.most, grown)
                ),
                "met" if grown <= LIMIT_OCTETS else "MISSED",
            ]
        )
    say(f"{peer.name}: at most {LIMIT_OCTETS >> 20} MiB more than before")
    say(grid(rows))
    return 2 if failed else 0


def _front(name: str) -> str:
    return "reverse" if name.startswith("reverse") else "forward"


def _result(client: Child) -> dict[str, float]:
    output, _ = client.process.communicate(timeout=60)
    if client.process.returncode:
        raise BenchmarkError(f"{client.name} failed:\n{client.logTail()}")
    result: dict[str, float] = json.loads(output)
    return result
