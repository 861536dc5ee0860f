# -*- test-case-name: tests.smoke.test_tls -*-
"""
A front behind a TLS listener of Twisted's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ServerEndpoint,
    connectProtocol,
    serverFromString,
    wrapClientTLS,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from intermediary.ops.endpoints import ReverseProxyFactory
from intermediary.settings import ReverseSettings, RouteSettings, UpstreamSettings

from ..net.certifying import made

if TYPE_CHECKING:
    from twisted.python.failure import Failure


def certify(folder: Path) -> str:
    """Make a certificate for localhost and its key; return the path of both in one file."""
    folder.mkdir()
    path = folder / "localhost.pem"
    path.write_bytes(made("localhost", authority=True).both)
    return str(path)


class Telling(Resource):
    """Answers with what it hears of the client."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        """Answer."""
        told: bytes = request.getHeader(b"forwarded")
        return told


class Asking(Protocol):
    """Sends one request, collects the answer, and remembers what was agreed on."""

    def __init__(self) -> None:
        self.answer = b""
        self.agreed: bytes | None = None
        self.done: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")

    def dataReceived(self, data: bytes) -> None:
        transport: Any = self.transport
        self.agreed = transport.negotiatedProtocol
        self.answer += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.done.callback(self.answer)


class ListenerTests(TestCase):
    """A reverse front at an C{ssl:} endpoint."""

    timeout = 30

    def setUp(self) -> None:
        self.pem = certify(Path(self.mktemp()))
        self.trust = Certificate.loadPEM(Path(self.pem).read_bytes())

    async def test_clientsThatNegotiateAreServed(self) -> None:
        """
        Browsers and curl offer protocols by ALPN (RFC 7301): HTTP/1.1 is agreed
        on, and the origin hears that the client spoke TLS.
        """
        origin = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(Site(Telling()))
        self.addCleanup(origin.stopListening)
        upstream = UpstreamSettings(
            name="web", servers=(f"http://127.0.0.1:{origin.getHost().port}",)
        )
        front = ReverseProxyFactory(
            reactor,
            ReverseSettings(name="site", routes=(RouteSettings(upstream=upstream),)),
        )
        self.addCleanup(front.pool.close)
        self.addCleanup(front.drain)
        text = f"ssl:0:interface=127.0.0.1:privateKey={self.pem}:certKey={self.pem}"
        port = await serverFromString(reactor, text).listen(front)
        self.addCleanup(port.stopListening)
        options = optionsForClientTLS(
            "localhost", self.trust, acceptableProtocols=[b"h2", b"http/1.1"]
        )
        endpoint = wrapClientTLS(
            options, HostnameEndpoint(reactor, "127.0.0.1", port.getHost().port)
        )
        asking = Asking()
        await connectProtocol(endpoint, asking)
        answer = await asking.done
        self.assertEqual(asking.agreed, b"http/1.1")
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer)
        self.assertTrue(answer.endswith(b";host=localhost;proto=https"), answer)
