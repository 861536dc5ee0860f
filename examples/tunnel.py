"""
A client of its own kind, through any proxy that knows CONNECT.

Run it, and try::

    make run                                     # in another terminal: a proxy, and servers
    python examples/tunnel.py 127.0.0.1 9000     # an answer through a tunnel
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import react

if TYPE_CHECKING:
    from twisted.python.failure import Failure

#: What the colons inside of an endpoint string are written as.
COLON = r"\:"


class Asking(Protocol):
    """Sends one request and collects the answer until the connection closes."""

    def __init__(self, host: str) -> None:
        self._host = host.encode("idna")
        self.answer = b""
        self.done: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        """Ask: this is a byte stream to the destination now."""
        assert self.transport is not None
        self.transport.write(
            b"GET / HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n" % self._host
        )

    def dataReceived(self, data: bytes) -> None:
        """Collect."""
        self.answer += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Hand over."""
        self.done.callback(self.answer)


async def main(
    reactor: Any, host: str, port: str = "80", proxy: str = "tcp:127.0.0.1:3128"
) -> None:
    """
    Ask a server for its front page, and print the answer.

    @param proxy: where the proxy is, as an endpoint string.
    """
    text = f"intermediary:{host.replace(':', COLON)}:{port}:via={proxy.replace(':', COLON)}"
    asking = Asking(host)
    await connectProtocol(clientFromString(reactor, text), asking)
    print((await asking.done).decode("utf-8", "replace"), flush=True)


if __name__ == "__main__":
    react(
        lambda reactor, *arguments: Deferred.fromCoroutine(main(reactor, *arguments)), sys.argv[1:]
    )
