# -*- test-case-name: tests.smoke.test_embed -*-
"""
The examples for embedders, run as their readers would.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ServerEndpoint,
    connectProtocol,
    wrapClientTLS,
)
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol, Protocol
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from intermediary.net.origintls import OriginTLS
from intermediary.settings import OriginTLSSettings

from ..net.certifying import made

if TYPE_CHECKING:
    from twisted.python.failure import Failure

ROOT = Path(__file__).parent.parent.parent

EXAMPLES = ROOT / "examples"

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


class Application(ProcessProtocol):
    """An example's process: tells on which ports it listens, and when it ended."""

    def __init__(self, listeners: int) -> None:
        """
        @param listeners: how many it announces, a line for each.
        """
        self._listeners = listeners
        self.ports: Deferred[dict[str, int]] = Deferred()
        self.ended: Deferred[None] = Deferred()
        self.output = b""
        self.errors = b""

    def outReceived(self, data: bytes) -> None:
        self.output += data
        lines = self.output.decode().splitlines()
        if self.ports.called or not self.output.endswith(b"\n"):
            return
        if len(lines) == self._listeners:
            self.ports.callback({line.split()[0]: int(line.rpartition(":")[2]) for line in lines})

    def errReceived(self, data: bytes) -> None:
        self.errors += data

    def processEnded(self, reason: Failure) -> None:
        if self._listeners and not self.ports.called:
            self.ports.errback(RuntimeError(self.errors.decode()))
        self.ended.callback(None)


class Asking(Protocol):
    """Sends one request and collects the answer until the connection closes."""

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.answer = b""
        self.done: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self.request)

    def dataReceived(self, data: bytes) -> None:
        self.answer += data

    def connectionLost(self, reason: Failure = ProcessDone) -> None:  # type: ignore[assignment]
        self.done.callback(self.answer)


class ExampleTestCase(TestCase):
    """Starts examples and asks what they serve."""

    timeout = 30

    def start(self, listeners: int, name: str, *arguments: str) -> tuple[Any, Application]:
        """Start an example; it ends with the test."""
        application = Application(listeners)
        command = [sys.executable, str(EXAMPLES / name), *arguments]
        process = reactor.spawnProcess(application, command[0], command, env=ENVIRONMENT)
        self.addCleanup(self.stop, process, application)
        return process, application

    def stop(self, process: Any, application: Application) -> Deferred[None]:
        """End a process that may have ended."""
        if not application.ended.called:
            process.signalProcess("KILL")
        return application.ended

    async def ask(
        self, port: int, target: bytes, method: bytes = b"GET", more: bytes = b"\r\n"
    ) -> bytes:
        """
        Ask for a target, on a connection of its own.

        @param more: the rest of the head, its empty line, and content.
        """
        asking = Asking(
            b"%b %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%b" % (method, target, more)
        )
        await connectProtocol(HostnameEndpoint(reactor, "127.0.0.1", port), asking)
        return await asking.done


class EmbedTests(ExampleTestCase):
    """The application of C{examples/embed.py}."""

    async def test_siteAndBothFrontsAnswer(self) -> None:
        """The site is reached directly, through the gateway and through the proxy."""
        # Port 0 is chosen by the kernel, so the gateway can't know the site's:
        # the first run only finds free ones.
        first = self.start(3, "embed.py", "0", "0", "0")
        free = await first[1].ports
        await self.stop(*first)
        ports = [str(free[name]) for name in ("Site", "ReverseProxyFactory", "ForwardProxyFactory")]
        _, application = self.start(3, "embed.py", *ports)
        await application.ports
        site, gateway, proxy = (int(port) for port in ports)
        direct = await self.ask(site, b"/")
        self.assertIn(b"by way of nobody", direct)
        reversed_ = await self.ask(gateway, b"/")
        self.assertIn(b"by way of 1.1 intermediary-", reversed_)
        self.assertIn(b"X-Count: 1\r\n", reversed_)
        forwarded = await self.ask(proxy, b"http://127.0.0.1:%d/" % site)
        self.assertIn(b"by way of 1.1 intermediary-", forwarded)
        self.assertNotIn(b"X-Count", forwarded)


class ComponentsTests(ExampleTestCase):
    """The proxy of C{examples/components.py}."""

    async def test_refusesChangesAndCounts(self) -> None:
        """
        A listed name is refused; elsewhere the origin hears of no client and
        the client not of what the origin runs; both exchanges are accounted for.
        """
        origin = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(Site(Naming()))
        self.addCleanup(origin.stopListening)
        _, application = self.start(1, "components.py", "0", "ads.example")
        proxy = (await application.ports)["ForwardProxyFactory"]
        self.assertIn(b" 403 ", await self.ask(proxy, b"http://ads.example/"))
        answer = await self.ask(proxy, b"http://127.0.0.1:%d/" % origin.getHost().port)
        head, _, content = answer.partition(b"\r\n\r\n")
        self.assertIn(b" 200 ", head)
        self.assertNotIn(b"\r\nServer:", head)
        self.assertEqual(content, b"Mozilla/5.0")
        self.assertIn(b"403 http://ads.example:80", application.output)
        self.assertIn(b"http_request_denied", application.output)


class PurgingTests(ExampleTestCase):
    """The site of C{examples/purging.py}."""

    async def test_thePageIsStoredUntilItChanges(self) -> None:
        """From Python, and by requests from this host."""
        _, application = self.start(2, "purging.py", "0", "0")
        ports = await application.ports
        site, gateway = ports["Site"], ports["ReverseProxyFactory"]
        self.assertIn(b"fwd=uri-miss", await self.ask(gateway, b"/"))
        self.assertIn(b"; hit", await self.ask(gateway, b"/"))
        form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 6\r\n\r\n"
        self.assertIn(b"added", await self.ask(site, b"/", b"POST", form + b"text=x"))
        answer = await self.ask(gateway, b"/")
        self.assertIn(b"fwd=uri-miss", answer)
        self.assertTrue(answer.endswith(b"the first\nx\n"), answer)
        for more in (b"\r\n", b"Surrogate-Key: notes\r\n\r\n"):
            self.assertIn(b'{"purged": 1}', await self.ask(gateway, b"/", b"PURGE", more))
            self.assertIn(b"fwd=uri-miss", await self.ask(gateway, b"/"))


class TunnelTests(ExampleTestCase):
    """The client of C{examples/tunnel.py}, through the proxy of another example."""

    async def test_answersThroughATunnel(self) -> None:
        """It prints what the server says."""
        origin = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(Site(Naming()))
        self.addCleanup(origin.stopListening)
        _, application = self.start(1, "components.py", "0")
        proxy = (await application.ports)["ForwardProxyFactory"]
        port = str(origin.getHost().port)
        _, client = self.start(0, "tunnel.py", "127.0.0.1", port, f"tcp:127.0.0.1:{proxy}")
        await client.ended
        self.assertIn(b"HTTP/1.1 200 OK", client.output)
        self.assertEqual(client.errors, b"")


class TLSTests(ExampleTestCase):
    """The site of C{examples/tls_embed.py}."""

    def files(self) -> tuple[str, str]:
        """Write a certificate and its key."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        site = made("localhost")
        (folder / "site.pem").write_bytes(site.pem)
        (folder / "site.key").write_bytes(site.key)
        return str(folder / "site.pem"), str(folder / "site.key")

    async def test_servesAndAsks(self) -> None:
        """It has verified what it has asked itself; others can, too, and see no proxy."""
        certificate, key = self.files()
        _, application = self.start(1, "tls_embed.py", certificate, key, "0")
        port = (await application.ports)["Site"]
        self.assertIn(b"says 'Hello, by TLS' on ", application.output)
        policy = OriginTLS(OriginTLSSettings(ca=certificate), reactor.seconds)
        asking = Asking(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        plain = HostnameEndpoint(reactor, "localhost", port)
        await connectProtocol(wrapClientTLS(policy.towards("localhost", port), plain), asking)
        answer = await asking.done
        self.assertTrue(answer.endswith(b"Hello, by TLS\n"), answer)
        self.assertNotIn(b"Via", answer)


class Naming(Resource):
    """Answers with the C{User-Agent} that it was asked by."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        """Answer."""
        agent: bytes = request.getHeader(b"user-agent") or b"nobody"
        return agent
