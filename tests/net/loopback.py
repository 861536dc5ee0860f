# -*- test-case-name: tests.net -*-
# mypy: disallow-untyped-calls=False
"""
Real sockets without waiting: a reactor that a test turns by hand.

Transports, splices and tunnels are what the kernel makes of them, so their
tests run on loopback TCP connections; but a test says when the reactor looks at
them, and how often.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from intermediary.net.reactor import LeanReactor
from intermediary.net.transport import EagerServer

if TYPE_CHECKING:
    from collections.abc import Callable


#: Turns after which something that should have happened is not going to.
TURNS = 2000


@implementer(IHalfCloseableProtocol, IPushProducer)
class Recorder(Protocol):
    """A protocol that notes everything that it is told."""

    def __init__(self) -> None:
        self.received = b""
        self.told: list[str] = []
        self.reason: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        """Note data."""
        self.received += data

    def readConnectionLost(self) -> None:
        """Note the peer's end."""
        self.told.append("read lost")

    def writeConnectionLost(self) -> None:
        """Note our own."""
        self.told.append("write lost")

    def connectionLost(self, reason: Any = None) -> None:
        """Note the end of all."""
        self.told.append("lost")
        self.reason = reason

    def pauseProducing(self) -> None:
        """Note a full transport."""
        self.told.append("pause")

    def resumeProducing(self) -> None:
        """Note an empty one."""
        self.told.append("resume")

    def stopProducing(self) -> None:
        """Note one that has gone."""
        self.told.append("stop")


def socketPair(buffer: int = 0) -> tuple[socket.socket, socket.socket]:
    """
    Connect two TCP sockets.

    @param buffer: octets that each kernel buffer should hold, 0 for the usual.
    """
    with socket.socket() as listening:
        if buffer:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        one = socket.socket()
        if buffer:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        one.connect(listening.getsockname())
        other, _ = listening.accept()
    one.settimeout(10)
    other.settimeout(10)
    return one, other


def openDescriptors() -> int:
    """Count the file descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))


class LoopbackTestCase(SynchronousTestCase):
    """Tests with a reactor of their own and the connections that it serves."""

    def setUp(self) -> None:
        """Make the reactor."""
        self.reactor = LeanReactor()
        self.addCleanup(self._close)

    def _close(self) -> None:
        for selectable in self.reactor.removeAll():
            selectable.connectionLost(Failure(ConnectionDone()))
        waker: Any = self.reactor.waker
        self.reactor._internalReaders.clear()
        self.reactor.waker = None
        waker.connectionLost(None)
        for call in self.reactor.getDelayedCalls():
            call.cancel()
        self.reactor._poller.close()

    def connect(
        self, protocol: Any = None, buffer: int = 0
    ) -> tuple[EagerServer, Any, socket.socket]:
        """
        Serve one connection.

        @return: the transport, its protocol, and the peer's socket, which times
            out.
        """
        peer, ours = socketPair(buffer)
        self.addCleanup(peer.close)
        if protocol is None:
            protocol = Recorder()
        port: Any = None
        transport = EagerServer(ours, protocol, ("127.0.0.1", 1), port, 0, self.reactor)
        protocol.makeConnection(transport)
        return transport, protocol, peer

    def turn(self, times: int = 1) -> None:
        """Let the reactor look at its descriptors."""
        for _ in range(times):
            self.reactor.iterate(0)

    def until(self, condition: Callable[[], object]) -> None:
        """Turn the reactor until something holds."""
        for _ in range(TURNS):
            if condition():
                return
            self.reactor.iterate(0.005)
        self.fail("It never happened.")
