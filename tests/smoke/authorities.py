# -*- test-case-name: tests.smoke.test_acme -*-
"""
An ACME server to get certificates from: Pebble, and a DNS server for it in which every
name leads to loopback.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import subprocess
import threading
from typing import TYPE_CHECKING
from unittest import SkipTest

from ..net.certifying import made
from .running import until

if TYPE_CHECKING:
    from pathlib import Path

    from twisted.trial.unittest import SynchronousTestCase

_A_RECORD = 1


class Reservation:
    """
    A port of loopback that nobody else gets, until somebody who is told listens on it.

    @ivar port: its number.
    """

    def __init__(self, case: SynchronousTestCase) -> None:
        """Reserve it for the time of a test."""
        self._socket = socket.socket()
        case.addCleanup(self._socket.close)
        # Others who say this, too, may listen, as it does not.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])


class Names:
    """
    A DNS server (RFC 1035).

    @ivar port: of UDP.
    """

    def __init__(self, case: SynchronousTestCase) -> None:
        """Serve for the time of a test."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._ended = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        case.addCleanup(self._end)

    def _serve(self) -> None:
        while True:
            question, peer = self._socket.recvfrom(4096)
            if self._ended:
                return
            self._socket.sendto(answered(question), peer)

    def _end(self) -> None:
        self._ended = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waking:
            waking.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(20)
        self._socket.close()


def answered(question: bytes) -> bytes:
    """Answer a question: 127.0.0.1 for an address of IPv4, and nothing for all else."""
    end = 12
    while question[end]:
        end += 1 + question[end]
    end += 5
    (kind,) = struct.unpack_from("!H", question, end - 4)
    count = 1 if kind == _A_RECORD else 0
    head = question[:2] + struct.pack("!HHHHH", 0x8580, 1, count, 0, 0)
    # The name is that of the question, by a pointer.
    record = struct.pack("!HHHIH", 0xC00C, _A_RECORD, 1, 1, 4) + socket.inet_aton("127.0.0.1")
    return head + question[12:end] + record * count


class Pebble:
    """
    The server.

    @ivar ca: a file of what its own TLS is trusted by.
    @ivar directory: the URL that it begins with.
    """

    def __init__(
        self,
        case: SynchronousTestCase,
        folder: Path,
        httpPort: int = 1,
        tlsPort: int = 1,
        **environment: str,
    ) -> None:
        """
        Start it, for the time of a test at most.

        @param folder: for its files.
        @param httpPort: where it looks for answers to http-01 challenges.
        @param tlsPort: where it looks for those to tls-alpn-01 challenges.
        @param environment: what else it is told.
        @raise SkipTest: it is not installed.
        """
        if shutil.which("pebble") is None:
            raise SkipTest("pebble is not installed: see tests/smoke/install-clients.sh")
        own = made("localhost", number=77)
        self.ca = folder / "pebble.pem"
        self.ca.write_bytes(own.pem)
        (folder / "pebble.key").write_bytes(own.key)
        port = Reservation(case).port
        settings = {
            "listenAddress": f"127.0.0.1:{port}",
            "certificate": str(self.ca),
            "privateKey": str(folder / "pebble.key"),
            "httpPort": httpPort,
            "tlsPort": tlsPort,
        }
        configuration = folder / "pebble.json"
        configuration.write_text(json.dumps({"pebble": settings}), encoding="utf-8")
        self._log = folder / "pebble.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "pebble",
                    f"-config={configuration}",
                    f"-dnsserver=127.0.0.1:{Names(case).port}",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PEBBLE_AUTHZREUSE": "0", **environment},
            )
        case.addCleanup(self.end)
        self.directory = f"https://localhost:{port}/dir"
        until(lambda: "ACME directory available" in self.log, "pebble listens")

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def end(self) -> None:
        """End it; may be said again."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
