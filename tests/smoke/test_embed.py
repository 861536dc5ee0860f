# -*- test-case-name: tests.smoke.test_embed -*-
"""
The example of the documentation for embedders, run as its reader would.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol, Protocol
from twisted.trial.unittest import TestCase

if TYPE_CHECKING:
    from twisted.python.failure import Failure

ROOT = Path(__file__).parent.parent.parent

EXAMPLE = ROOT / "examples" / "embed.py"

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


class Application(ProcessProtocol):
    """The example's process: tells on which ports it listens, and when it ended."""

    def __init__(self) -> None:
        self.ports: Deferred[dict[str, int]] = Deferred()
        self.ended: Deferred[None] = Deferred()
        self.output = b""
        self.errors = b""

    def outReceived(self, data: bytes) -> None:
        self.output += data
        lines = self.output.decode().splitlines()
        if len(lines) == 3 and self.output.endswith(b"\n"):
            self.ports.callback({line.split()[0]: int(line.rpartition(":")[2]) for line in lines})

    def errReceived(self, data: bytes) -> None:
        self.errors += data

    def processEnded(self, reason: Failure) -> None:
        if not self.ports.called:
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


class EmbedTests(TestCase):
    """The application of C{examples/embed.py}."""

    timeout = 30

    async def ask(self, port: int, target: bytes) -> bytes:
        """Ask for a target, on a connection of its own."""
        asking = Asking(b"GET %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % target)
        await connectProtocol(HostnameEndpoint(reactor, "127.0.0.1", port), asking)
        return await asking.done

    def stop(self, process: Any, application: Application) -> Deferred[None]:
        """End a process that may have ended."""
        if not application.ended.called:
            process.signalProcess("KILL")
        return application.ended

    async def test_siteAndBothFrontsAnswer(self) -> None:
        """The site is reached directly, through the gateway and through the proxy."""
        application = Application()
        process = reactor.spawnProcess(
            application,
            sys.executable,
            [sys.executable, str(EXAMPLE), "0", "0", "0"],
            env=ENVIRONMENT,
        )
        self.addCleanup(self.stop, process, application)
        # Port 0 is chosen by the kernel, so the gateway can't know the site's:
        # the first run only finds free ones.
        free = await application.ports
        await self.stop(process, application)
        ports = [str(free[name]) for name in ("Site", "ReverseProxyFactory", "ForwardProxyFactory")]
        second = Application()
        again = reactor.spawnProcess(
            second,
            sys.executable,
            [sys.executable, str(EXAMPLE), *ports],
            env=ENVIRONMENT,
        )
        self.addCleanup(self.stop, again, second)
        await second.ports
        site, gateway, proxy = (int(port) for port in ports)
        direct = await self.ask(site, b"/")
        self.assertIn(b"by way of nobody", direct)
        reversed_ = await self.ask(gateway, b"/")
        self.assertIn(b"by way of 1.1 intermediary-", reversed_)
        self.assertIn(b"X-Count: 1\r\n", reversed_)
        forwarded = await self.ask(proxy, b"http://127.0.0.1:%d/" % site)
        self.assertIn(b"by way of 1.1 intermediary-", forwarded)
        self.assertNotIn(b"X-Count", forwarded)
