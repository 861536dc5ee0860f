# -*- test-case-name: tests.test_benchmarks -*-
"""
What stands behind the proxies: nginx serving from memory, or the server in
L{benchmarks.originserver} where nginx is missing.

It counts requests and connections, so that the harness can tell whether what it
measured was passed on, and whether connections were reused.
"""

from __future__ import annotations

import http.client
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .children import BenchmarkError, Child, Workspace, findProgram
from .content import SIZES, STORABLE, UNSTORABLE, content

if TYPE_CHECKING:
    from pathlib import Path

#: Field lines besides the usual ones, so that a response head has the size that
#: one has outside of benchmarks.
EXTRA_FIELDS = {
    "ETag": '"5f3c-61a0b3b2"',
    "X-Content-Type-Options": "nosniff",
}

NGINX = """\
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=100 inactive=1h;
    keepalive_timeout 3600s;
    keepalive_requests 1000000000;
    client_max_body_size 0;
    default_type text/plain;
    etag off;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root {folder}/files;
        {fields}
        add_header Cache-Control '{unstorable}';
        location /kept- {{
            {fields}
            add_header Cache-Control '{storable}';
        }}
        location = /1k {{ return 200 "{small}"; }}
        location = /status {{ stub_status; }}
    }}
}}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """What the origin had seen at one moment."""

    connections: int
    requests: int

    def __sub__(self, earlier: Count) -> Count:
        return Count(
            connections=self.connections - earlier.connections,
            requests=self.requests - earlier.requests,
        )


def parseCount(status: str) -> Count:
    """Read nginx's C{stub_status}: accepted, handled, requests in its third line."""
    accepted, _, requests = map(int, status.splitlines()[2].split())
    return Count(connections=accepted, requests=requests)


@dataclass(frozen=True, slots=True)
class Origin:
    """A running origin."""

    name: str
    port: int
    child: Child

    def count(self) -> Count:
        """
        Ask how many connections and requests there have been.

        Asking counts itself: one of each between two calls.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/status")
            return parseCount(connection.getresponse().read().decode("ascii"))
        finally:
            connection.close()


def startOrigin(workspace: Workspace, *, core: int, portable: bool = False) -> Origin:
    """
    Start an origin and wait until it listens.

    @param portable: take our own server even where there is nginx.
    """
    folder = workspace.folder("origin")
    port = workspace.freePort()
    nginx = None if portable else findProgram("nginx")
    if nginx is None:
        child = workspace.start(
            "origin",
            [sys.executable, "-m", "benchmarks.originserver", str(port)],
            core=core,
            folder=folder,
        )
        name = "python"
    else:
        configuration = _writeNginx(folder, port)
        child = workspace.start(
            "origin", [nginx, "-p", folder, "-c", configuration], core=core, folder=folder
        )
        name = "nginx"
    child.waitUntilListening(port)
    return Origin(name, port, child)


def _writeNginx(folder: Path, port: int) -> Path:
    files = folder / "files"
    files.mkdir(mode=0o755)
    for path in SIZES:
        (files / path[1:]).write_bytes(content(path))
    configuration = folder / "nginx.conf"
    configuration.write_text(
        NGINX.format(
            folder=folder,
            port=port,
            small=content("/1k").decode("ascii"),
            unstorable=UNSTORABLE,
            storable=STORABLE,
            fields="\n        ".join(
                f"add_header {name} '{value}';" for name, value in EXTRA_FIELDS.items()
            ),
        )
    )
    return configuration


def assertUnspoiled(origin: Origin) -> None:
    """Raise L{BenchmarkError} when the origin has ended on the way."""
    if origin.child.process.poll() is not None:
        raise BenchmarkError(f"the origin ended:\n{origin.child.logTail()}")
