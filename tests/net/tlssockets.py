# -*- test-case-name: tests.net.test_securing,tests.net.test_handshakes -*-
"""
Eager transports whose other side is the test, for TLS on their sockets.

The sockets are a pair of UNIX's: what one side sends has arrived when that returns.  A
test turns the reactor, and the clock is the test's.
"""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING, Any

from twisted.internet.error import ConnectionDone
from twisted.internet.posixbase import _DisconnectSelectableMixin

from intermediary.net.transport import DialledClient, EagerServer

if TYPE_CHECKING:
    from twisted.internet.task import Clock

#: Turns after which a reactor would never come to rest.
TURNS = 1000


class HandReactor(_DisconnectSelectableMixin):
    """Watches descriptors when a test says so, and has the test's clock."""

    def __init__(self, clock: Clock) -> None:
        self.callLater = clock.callLater
        self.seconds = clock.seconds
        self.readers: set[Any] = set()
        self.writers: set[Any] = set()

    def addReader(self, reader: Any) -> None:
        self.readers.add(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.discard(reader)

    def addWriter(self, writer: Any) -> None:
        self.writers.add(writer)

    def removeWriter(self, writer: Any) -> None:
        self.writers.discard(writer)

    def turn(self) -> bool:
        """
        Handle what there is.

        @return: whether there was anything.
        """
        poll = select.poll()
        watched = {each.fileno(): each for each in self.readers | self.writers}
        for descriptor, each in watched.items():
            wanted = select.POLLIN if each in self.readers else 0
            poll.register(descriptor, wanted | (select.POLLOUT if each in self.writers else 0))
        found = poll.poll(0)
        for descriptor, event in found:
            each = watched[descriptor]
            why = None
            if each in self.readers and event & (select.POLLIN | select.POLLHUP | select.POLLERR):
                why = each.doRead()
                if why:
                    self._disconnectSelectable(each, why, True)
            if not why and each in self.writers and event & (select.POLLOUT | select.POLLERR):
                why = each.doWrite()
                if why:
                    self._disconnectSelectable(each, why, False)
        return bool(found)

    def rest(self) -> None:
        """Turn until there is nothing to do."""
        for _ in range(TURNS):
            if not self.turn():
                return
        raise AssertionError(f"it never comes to rest: {self.readers} {self.writers}")


class Wire:
    """
    A transport and the test's end of its connection.

    It can be told and asked what the transports in memory can.

    @ivar eager: the transport.
    """

    eager: Any

    def __init__(self, clock: Clock) -> None:
        self.reactor = HandReactor(clock)
        self.ours, self.peer = socket.socketpair()
        self.ours.setblocking(False)
        self.peer.setblocking(False)
        self._heard = b""
        self._aborted = False

    # What is said

    def arrive(self, octets: bytes) -> None:
        """The other side sends."""
        if octets:
            if self.connected:
                self.peer.sendall(octets)
        else:
            self.peer.shutdown(socket.SHUT_WR)
        self.reactor.rest()

    @property
    def written(self) -> bytes:
        """What the other side was sent and nobody has looked at."""
        self.reactor.rest()
        while True:
            try:
                octets = self.peer.recv(1 << 20)
            except OSError:
                break
            if not octets:
                break
            self._heard += octets
            self.reactor.rest()
        return self._heard

    @written.setter
    def written(self, octets: bytes) -> None:
        self._heard = octets

    raw = written

    # The end

    @property
    def protocol(self) -> Any:
        return getattr(self.eager, "protocol", None)

    @property
    def connected(self) -> bool:
        return bool(self.eager.connected)

    @property
    def aborted(self) -> bool:
        return bool(self.eager._aborting)

    @property
    def ending(self) -> str:
        if self.aborted:
            return "aborted"
        if not self.connected:
            return "closed"
        return "half-closed" if self.eager._writeDisconnected else ""

    @property
    def readPaused(self) -> bool:
        return self.eager not in self.reactor.readers

    def lost(self, reason: BaseException) -> None:
        """The connection ends, with its end or broken."""
        if isinstance(reason, ConnectionDone):
            _ = self.written
        elif self.connected:
            # With octets of ours unread, a close is a reset.
            self.eager.socket.send(b"\x00")
        self.peer.close()
        if self.connected and not self.aborted:
            # A reactor hears of this also of one that it does not read.
            self.eager.startReading()
            self.reactor.rest()

    def close(self) -> None:
        """Nothing of it is left."""
        self.peer.close()
        self.ours.close()


class AcceptedWire(Wire):
    """That of a client."""

    def __init__(self, protocol: Any, clock: Clock, host: str) -> None:
        super().__init__(clock)
        port: Any = None
        reactor: Any = self.reactor
        self.eager = EagerServer(self.ours, protocol, (host, 4321), port, 0, reactor)


class DialledWire(Wire):
    """That of a server."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.eager = DialledClient(self.ours, socket.AF_INET, ("192.0.2.1", 443), self.reactor)
        # There is none to be set.
        self.eager.setTcpNoDelay = lambda enabled: None


__all__ = ["AcceptedWire", "DialledWire", "HandReactor", "Wire"]
