# -*- test-case-name: tests.smoke.test_clients -*-
"""
Servers for programs of others: a site with and without TLS, with a page, an
echo, an index of packages and repositories of git.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import os
import socket
import ssl
import subprocess
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..net.certifying import made

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from twisted.trial.unittest import SynchronousTestCase

#: A page whose title is only right when all that it needs has arrived.
PAGE = b"""<!doctype html>
<html><head><title>incomplete</title>
<link rel="stylesheet" href="/style.css"><script src="/script.js" defer></script></head>
<body><p id="seen">page</p><img src="/image.svg"></body></html>
"""

SCRIPT = b"""
const style = getComputedStyle(document.getElementById("seen")).color;
const request = new XMLHttpRequest();
request.open("POST", "/echo", false);
request.send("posted");
document.title = `style ${style}, echo ${request.responseText}`;
"""

FILES = {
    "/": ("text/html", PAGE),
    "/script.js": ("text/javascript", SCRIPT),
    "/style.css": ("text/css", b"#seen { color: rgb(1, 2, 3) }"),
    "/image.svg": ("image/svg+xml", b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
    "/favicon.ico": ("image/x-icon", b""),
}


class Handler(BaseHTTPRequestHandler):
    """Serves what its site has; every request is noted there."""

    protocol_version = "HTTP/1.1"
    # What is sent in pieces otherwise waits for the peer's acknowledgement.
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        """Send a file, or what git answers."""
        site = self.server.site
        path = urlsplit(self.path).path
        if path.startswith("/git/"):
            self._git()
        elif path in site.files:
            kind, content = site.files[path]
            fields = {"Cache-Control": site.cacheControl} if site.cacheControl else None
            self._answer(200, kind, content, fields)
        else:
            self._answer(404, "text/plain", b"no such file")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """Send back what came, or what git answers."""
        if self.path.startswith("/git/"):
            self._git()
        else:
            self._answer(200, "text/plain", b"".join(self._content()))

    do_PUT = do_POST

    def handle_expect_100(self) -> bool:
        """Ask for the content, now and not with the answer."""
        going = super().handle_expect_100()
        self.wfile.flush()
        return going

    def _content(self) -> Iterator[bytes]:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            yield self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _git(self) -> None:
        """Run git's own CGI program (RFC 3875)."""
        split = urlsplit(self.path)
        content = b"".join(self._content())
        fields = self.headers
        run = subprocess.run(
            ["git", "http-backend"],
            input=content,
            stdout=subprocess.PIPE,
            check=True,
            env={
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(self.server.site.repositories),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": split.path.removeprefix("/git"),
                "QUERY_STRING": split.query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": fields.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(content)),
                "HTTP_CONTENT_ENCODING": fields.get("Content-Encoding", ""),
                "GIT_PROTOCOL": fields.get("Git-Protocol", ""),
                "REMOTE_ADDR": "127.0.0.1",
                "REMOTE_USER": "tester",
            },
        )
        head, _, body = run.stdout.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(lines.pop("Status", "200").split()[0])
        self._answer(status, lines.pop("Content-Type"), body, lines)

    def _answer(
        self, status: int, kind: str, content: bytes, fields: dict[str, str] | None = None
    ) -> None:
        self.server.site.requests.append((self.command, self.path, self.headers.get("Via")))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (fields or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - its name there
        """Say nothing: tests look at the site's C{requests}."""


class _Server(ThreadingHTTPServer):
    """The server of a site."""

    site: Site
    daemon_threads = True
    request_queue_size = 128

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, and serve it."""
        self.site.connections.append(request)
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that break off."""


class Site:
    """
    A site on loopback.

    @ivar files: kind and content by path.
    @ivar cacheControl: what is said of the caching of files; nothing if empty.
    @ivar repositories: where repositories of git are.
    @ivar requests: method, path and C{Via} of each request that was answered.
    """

    def __init__(
        self, case: SynchronousTestCase, repositories: Path, certificate: Path | None = None
    ) -> None:
        """
        Serve until the test ends.

        @param certificate: for TLS, a file with certificate and key.
        """
        self.files: dict[str, tuple[str, bytes]] = dict(FILES)
        self.cacheControl = ""
        self.repositories = repositories
        self.requests: list[tuple[str, str, str | None]] = []
        self.connections: list[socket.socket] = []
        server = _Server(("127.0.0.1", 0), Handler)
        server.site = self
        self.port: int = server.server_address[1]
        self.scheme = "http"
        if certificate is not None:
            self.scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # The handshake is the handler's, in its own thread.
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        case.addCleanup(self._close, server)

    def _close(self, server: _Server) -> None:
        server.shutdown()
        server.server_close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def url(self) -> str:
        """Where it is, without a path."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def addPackage(self, name: str) -> None:
        """Have a wheel in the index of packages below C{/simple/}."""
        file = f"{name}-1.0-py3-none-any.whl"
        wheel = _wheel(name)
        digest = hashlib.sha256(wheel).hexdigest()
        link = f'<a href="/files/{file}#sha256={digest}">{file}</a>'
        self.files[f"/simple/{name}/"] = ("text/html", b"<!doctype html>" + link.encode())
        self.files[f"/files/{file}"] = ("application/octet-stream", wheel)


def _wheel(name: str) -> bytes:
    """Make the least wheel there is."""
    members = {
        f"{name}.py": "",
        f"{name}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{name}-1.0.dist-info/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    record = []
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for path, text in members.items():
            content = text.encode()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            record.append(f"{path},sha256={digest.decode()},{len(content)}\n")
            archive.writestr(path, content)
        path = f"{name}-1.0.dist-info/RECORD"
        archive.writestr(path, "".join((*record, f"{path},,\n")))
    return file.getvalue()


def makeCertificate(path: Path) -> None:
    """Write a certificate for 127.0.0.1, signed by itself, and its key."""
    path.write_bytes(made("127.0.0.1", authority=True).both)
