# -*- test-case-name: tests.test_examples -*-
"""
A demo origin: answers every request with what it got.

With C{?max-age=N} in the target it says that the answer is fresh for N seconds, and
knows it again by its C{ETag}; with C{?wait=N} it takes N seconds to answer.

C{python examples/origin.py PORT...} listens on these ports of 127.0.0.1 until
it is stopped, and says so on one line once all of them are open.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.task import deferLater, react
from twisted.web.http import CACHED
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

if TYPE_CHECKING:
    from twisted.python.failure import Failure
    from twisted.web.server import Request


class Echo(Resource):
    """Answers with the request, as text."""

    isLeaf = True

    def __init__(self, port: int, reactor: Any = None) -> None:
        """
        @param reactor: where it can wait.
        """
        super().__init__()
        self._port = port
        self._reactor = reactor

    def render(self, request: Request) -> bytes | int:
        """Answer, now or later."""
        seconds = _number(request, b"wait")
        if not seconds:
            return self._answer(request)
        waiting = deferLater(self._reactor, seconds, self._finish, request)
        waiting.addErrback(_ignoreCancelled)
        gone = request.notifyFinish()
        gone.addErrback(lambda _: waiting.cancel())
        return NOT_DONE_YET

    def _finish(self, request: Request) -> None:
        request.write(self._answer(request))
        request.finish()

    def _answer(self, request: Request) -> bytes:
        """Word the request's head, and count its content."""
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        fresh = _number(request, b"max-age")
        if fresh is not None:
            request.setHeader(b"cache-control", b"max-age=%d" % fresh)
            # There is only one of each target.
            if request.setETag(b'"demo"') is CACHED:
                return b""
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
        body = b"\n".join(lines) + b"\n"
        request.setHeader(b"content-length", str(len(body)).encode())
        return b"" if request.method == b"HEAD" else body


def _number(request: Request, name: bytes) -> int | None:
    """Read a parameter of the target; None if there is none that makes sense."""
    value = request.args.get(name, [b""])[0]
    return int(value) if value.isdigit() and len(value) < 6 else None


def _ignoreCancelled(failure: Failure) -> None:
    failure.trap(CancelledError)


async def main(reactor: Any, ports: list[int]) -> None:
    """Listen, and never end."""
    for port in ports:
        endpoint = serverFromString(reactor, f"tcp:{port}:interface=127.0.0.1")
        try:
            await endpoint.listen(Site(Echo(port, reactor)))
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
