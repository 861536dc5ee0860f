# -*- test-case-name: tests.test_benchmarks -*-
"""
C{python -m benchmarks bigobject}: one big object through a small cache with a disk.

A number of readers ask for it at once, while it fills, some of them late and some
slow; the origin is asked once, each reader gets it octet by octet, and the resident
memory of the proxy, which runs from the sources, stays bounded.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
import zlib
from typing import TYPE_CHECKING

from .children import ROOT, BenchmarkError
from .machine import cpuSeconds, residentOctets
from .report import grid

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from .children import Workspace
    from .machine import Cores

HELP = "memory while many read one object that is far bigger than the cache's memory"

#: By how much the resident memory may grow beside what the cache may have, in octets.
LIMIT_OCTETS = 48 << 20

#: What the content repeats: of a length that is no multiple of any buffer's.
_BLOCK = bytes(range(256)) * 4095 + b"end of block"

CONFIGURATION = """
[cache]
memory = {memory}
max-object = {octets}
disk = {{ path = "disk", size = {size} }}

[reverse.site]
listen = ["tcp:{port}:interface=127.0.0.1"]
[[reverse.site.route]]
upstream = "origin"

[upstream.origin]
servers = ["http://127.0.0.1:{origin}"]
"""

_RUN = "from twisted.scripts.twistd import run; run()"


def addArguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    parser.add_argument("--octets", type=int, default=1 << 30, help="of the object (1 GiB)")
    parser.add_argument("--memory", type=int, default=64 << 20, help="of the cache (64 MiB)")
    parser.add_argument("--readers", type=int, default=50, help="at a time (default 50)")


class Origin:
    """Serves the object, and counts."""

    def __init__(self, octets: int) -> None:
        self.octets = octets
        self.requests = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]

    def begin(self) -> None:
        """Serve, in threads."""
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connected, _ = self._listening.accept()
            threading.Thread(target=self._serve, args=(connected,), daemon=True).start()

    def _serve(self, connected: socket.socket) -> None:
        with connected:
            connected.recv(65536)
            self.requests += 1
            connected.sendall(
                b"HTTP/1.1 200 OK\r\nCache-Control: max-age=86400\r\nConnection: close\r\n"
                b"Content-Length: %d\r\n\r\n" % self.octets
            )
            left = self.octets
            while left:
                piece = _BLOCK[:left]
                connected.sendall(piece)
                left -= len(piece)


class Reader(threading.Thread):
    """Fetches the object and compares it."""

    def __init__(self, port: int, octets: int, late: float) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._octets = octets
        self._late = late
        self.right = False

    def run(self) -> None:
        """Fetch it."""
        time.sleep(self._late)
        with socket.create_connection(("127.0.0.1", self._port)) as connected:
            connected.sendall(b"GET /big HTTP/1.1\r\nHost: site.example\r\n\r\n")
            head = b""
            while b"\r\n\r\n" not in head:
                head += connected.recv(65536)
            piece = head.partition(b"\r\n\r\n")[2]
            came, checksum = len(piece), zlib.crc32(piece)
            while came < self._octets and (piece := connected.recv(1 << 18)):
                came += len(piece)
                checksum = zlib.crc32(piece, checksum)
        self.right = came == self._octets and checksum == expected(self._octets)


def expected(octets: int) -> int:
    """Give the checksum of the object."""
    checksum = 0
    while octets:
        piece = _BLOCK[:octets]
        checksum = zlib.crc32(piece, checksum)
        octets -= len(piece)
    return checksum


def run(
    options: argparse.Namespace,
    workspace: Workspace,
    cores: Cores,
    say: Callable[[str], None],
) -> int:
    """
    Fetch it.

    @return: 0, or 2 when the memory grew by more than it may.
    """
    origin = Origin(options.octets)
    port = workspace.freePort()
    folder = workspace.folder("proxy")
    configuration = CONFIGURATION.format(
        memory=options.memory,
        octets=options.octets,
        size=2 * options.octets,
        port=port,
        origin=origin.port,
    )
    (folder / "proxy.toml").write_text(configuration)
    child = workspace.start(
        "proxy",
        [
            *(sys.executable, "-c", _RUN, "--reactor=intermediary", "--pidfile=", "-n"),
            *("intermediary", "--config", "proxy.toml"),
        ],
        core=cores.proxy,
        folder=folder,
        environment={"PYTHONPATH": str(ROOT)},
    )
    child.waitUntilListening(port)
    pids = child.pids
    before = most = residentOctets(pids)
    cpu = cpuSeconds(pids)
    origin.begin()
    # A third of them come later, some of these when all is there.
    readers = [
        Reader(port, options.octets, 0.2 * number if number % 3 == 0 else 0.0)
        for number in range(options.readers)
    ]
    began = time.monotonic()
    for reader in readers:
        reader.start()
    while any(reader.is_alive() for reader in readers):
        time.sleep(0.2)
        child.assertAlive()
        most = max(most, residentOctets(pids))
    seconds = time.monotonic() - began
    wrong = sum(not reader.right for reader in readers)
    if wrong or origin.requests != 1:
        raise BenchmarkError(
            f"{wrong} readers got something else; the origin was asked {origin.requests} times"
        )
    allowed = options.memory + LIMIT_OCTETS
    grown = most - before
    say(
        grid(
            [
                ["readers", "object MiB", "seconds", "MB/s in all", "CPU s", "grown MiB", ""],
                [
                    str(options.readers),
                    str(options.octets >> 20),
                    f"{seconds:.1f}",
                    f"{options.readers * options.octets / seconds / 1e6:.0f}",
                    f"{cpuSeconds(pids) - cpu:.1f}",
                    f"{grown / (1 << 20):.1f}",
                    "met" if grown <= allowed else "MISSED",
                ],
            ]
        )
    )
    return 0 if grown <= allowed else 2
