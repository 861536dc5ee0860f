# -*- test-case-name: tests.test_examples -*-
"""
A demo origin: answers every request with what it got.

C{python examples/origin.py PORT...} listens on these ports of 127.0.0.1 until
it is stopped, and says so on one line once all of them are open.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.task import react
from twisted.web.resource import Resource
from twisted.web.server import Site

if TYPE_CHECKING:
    from twisted.web.server import Request


class Echo(Resource):
    """Answers with the request, as text."""

    isLeaf = True

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    def render(self, request: Request) -> bytes:
        """Word the request's head, and count its content."""
        content = request.content.read() if request.content is not None else b""
        lines = [
            f"origin on port {self._port} got:".encode(),
            b"",
            b"%b %b %b" % (request.method, request.uri, request.clientproto),
            *(
                b"%b: %b" % (name, value)
                for name, values in request.requestHeaders.getAllRawHeaders()
                for value in values
            ),
            b"",
            f"and {len(content)} octets of content".encode(),
        ]
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        body = b"\n".join(lines) + b"\n"
        request.setHeader(b"content-length", str(len(body)).encode())
        return b"" if request.method == b"HEAD" else body


async def main(reactor: Any, ports: list[int]) -> None:
    """Listen, and never end."""
    for port in ports:
        endpoint = serverFromString(reactor, f"tcp:{port}:interface=127.0.0.1")
        try:
            await endpoint.listen(Site(Echo(port)))
        except CannotListenError as error:
            raise SystemExit(f"demo origin: {error}") from None
    sys.stdout.write(f"demo origin on ports {', '.join(map(str, ports))}\n")
    sys.stdout.flush()
    forever: Deferred[None] = Deferred()
    await forever


def run(reactor: Any, *ports: str) -> Deferred[None]:
    """Run L{main} for C{react}."""
    return Deferred.fromCoroutine(main(reactor, [int(port) for port in ports] or [9000]))


if __name__ == "__main__":
    react(run, sys.argv[1:])
