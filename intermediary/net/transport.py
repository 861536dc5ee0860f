# -*- test-case-name: tests.net.test_transport -*-
# mypy: disallow-untyped-calls=False
"""
TCP transports that send at once.

Twisted's transports only queue what is written; the send waits for another turn
of the reactor and two C{epoll_ctl} calls.  These try C{send} right away when
nothing is queued before it, and queue what the kernel does not take.  For a
protocol they are the transports that it knows: producers are paused and resumed
at the same fill, C{loseConnection}, C{loseWriteConnection} and C{startTLS} mean
the same, and no method of the protocol is ever called from inside C{write}.

L{eagerPort} makes a listening port create them; a connector creates a
L{DialledClient}.  They work under any reactor that watches file descriptors.
"""

from __future__ import annotations

import socket
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from twisted.internet import _newtls, tcp
from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IHalfCloseableProtocol, INegotiated, ISSLTransport
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python import log
from twisted.python.failure import Failure
from zope.interface import implementer

from ..interfaces import ITLSPolicy
from .beginning import Accepted, Dialled, Socket, accept
from .eagerness import DONE, READ_OCTETS, Eagerness
from .secured import Secured, secure

try:
    # C{SIOCOUTQ} of tcp(7).
    from fcntl import ioctl
    from termios import TIOCOUTQ

    UNSENT_IN_KERNEL: int | None = TIOCOUTQ if sys.platform == "linux" else None
except ImportError:
    UNSENT_IN_KERNEL = None

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from twisted.internet.error import ConnectionDone, ConnectionLost
    from twisted.internet.interfaces import IListeningPort

#: Pieces up to which C{sendmsg} is used: its price grows with their number, and
#: the kernel refuses more than 1024.
GATHERED = 16
#: Stands for a list of pieces as long as there are none.
NOTHING: Any = ()


class EagerConnection(Eagerness, tcp.Connection):
    """
    What L{EagerServer} and L{EagerClient} have in common.

    What is queued is the piece C{dataBuffer}, sent up to C{offset}, and behind
    it the pieces in C{_tempDataBuffer}, C{_tempDataLen} octets in all.

    What most connections need is L{Eagerness}'s.
    """

    # Queues are rare, so they are not made for every connection.
    _tempDataBuffer = NOTHING
    _tempDataLen = 0

    def getHandle(self) -> Any:
        """
        Give the socket.

        Whoever asks gets one of C{socket.socket}, with all that it can do.

        @see: L{twisted.internet.interfaces.ISystemHandle.getHandle}
        """
        plain: Any = self.socket
        if type(plain) is Socket:
            skt = socket.socket(plain.family, plain.type, plain.proto, plain.detach())
            skt.setblocking(False)
            self.socket = skt
        return self.socket

    # Writing

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """
        Send pieces as one, without joining them.

        @see: L{twisted.internet.interfaces.ITransport.writeSequence}
        """
        pieces = list(iovec)
        if not self.ready and self.TLS:
            if self.connected:
                cast("Any", self.protocol).writeSequence(pieces)
        else:
            self.writeSequenceBeneath(pieces)

    def writeMore(self, data: bytes, flags: int) -> None:
        """
        Send octets that others will follow at once; for one that is C{ready}.

        @param flags: for C{send(2)}.
        """
        try:
            sent = self.socket.send(data, flags)
        except OSError as error:
            sent = self._unsent(error)
        if sent != len(data):
            self._enqueue(data, sent)

    def writeBeneath(self, data: bytes) -> None:
        """Write octets to the socket, even if there is TLS above it."""
        if not data or not self.isWritable():
            return
        if self._isOpen():
            try:
                sent = self.socket.send(data)
            except OSError as error:
                sent = self._unsent(error)
            if sent != len(data):
                self._enqueue(data, sent)
            self.settle()
        else:
            self._enqueue(data)

    def writeSequenceBeneath(self, pieces: Sequence[bytes]) -> None:
        """Write pieces to the socket, even if there is TLS above it."""
        for piece in pieces:
            if not isinstance(piece, bytes):
                raise TypeError("Data must be bytes")
        if len(pieces) > GATHERED:
            pieces = [b"".join(pieces)]
        if len(pieces) == 1:
            self.writeBeneath(pieces[0])
            return
        if not self.isWritable():
            return
        sent = 0
        if self._isOpen():
            try:
                sent = self.socket.sendmsg(pieces)
            except OSError as error:
                sent = self._unsent(error)
        for piece in pieces:
            length = len(piece)
            if sent >= length:
                sent -= length
            else:
                self._enqueue(piece, sent)
                sent = 0

    def _unsent(self, error: OSError) -> int:
        """
        Take note of a send that failed.

        The caller is in the middle of something: the reactor will ask for the
        rest and be told.

        @return: how many octets were sent.
        """
        if not isinstance(error, BlockingIOError):
            self.sendError = True
        return 0

    def isWritable(self) -> bool:
        """Whether a write means anything any more."""
        return bool(self.connected and not self._writeDisconnected and not self._aborting)

    def _isOpen(self) -> bool:
        """Whether octets may go to the socket now, of a connection that has one."""
        return (
            not self.dataBuffer
            and self.inflow is None
            and (self.producer is None or self.streamingProducer)
        )

    def settle(self) -> None:
        """Find out anew whether this transport is C{ready}."""
        # isWritable and _isOpen, at each end of a connection.
        self.ready = bool(
            self.connected
            and not self.TLS
            and not self._writeDisconnected
            and not self._aborting
            and not self.dataBuffer
            and self.inflow is None
            and (self.producer is None or self.streamingProducer)
        )

    def _enqueue(self, data: bytes, offset: int = 0) -> None:
        """
        Queue octets until the reactor finds the socket writable.

        @param offset: how many of C{data} were sent; 0 if there is a queue.
        """
        if self.inflow is not None:
            raise RuntimeError(f"{self!r} carries a flow: a write would fall into its middle")
        self.ready = False
        if not self.dataBuffer:
            self.dataBuffer = data
            self.offset = offset
        else:
            if not self._tempDataBuffer:
                self._tempDataBuffer = []
            self._tempDataBuffer.append(data)
            self._tempDataLen += len(data)
        self._maybePauseProducer()
        self.startWriting()

    def queuedOctets(self) -> int:
        """Count what was written and not yet sent."""
        return len(self.dataBuffer) - self.offset + self._tempDataLen

    def unsentOctets(self) -> int:
        """
        Count what was written and the peer has not acknowledged.

        What is in a pipe or a file for it counts as written.

        What waits in the kernel can be told on Linux alone; elsewhere it is what
        waits here.  A system call: for those who wonder whether a peer is dead.
        """
        queued = self.queuedOctets()
        if self.inflow is not None:
            queued += self.inflow.held
        if UNSENT_IN_KERNEL is None or not self.connected:
            return queued
        answer = bytearray(4)
        try:
            ioctl(self.fileno(), UNSENT_IN_KERNEL, answer)
        except OSError:
            return queued
        return queued + int.from_bytes(answer, sys.byteorder)

    def _isSendBufferFull(self) -> bool:
        return self.queuedOctets() > self.bufferSize

    def doWrite(  # type: ignore[override]
        self,
    ) -> ConnectionLost | ConnectionDone | None:
        """
        Send what is queued, then do what was put off until then.

        Called by the reactor.
        """
        if self.sendError:
            return CONNECTION_LOST
        if self.dataBuffer:
            try:
                self._flush()
            except BlockingIOError:
                return None
            except OSError:
                return CONNECTION_LOST
        inflow = self.inflow
        if inflow is not None:
            if not inflow.drain():
                return CONNECTION_LOST if self.sendError else None
            if self.dataBuffer or not self.connected or self._aborting:
                # With its last octet gone, somebody wrote more, or hung up.
                return None
            if self.inflow is not None and self.inflow is not inflow:
                # Or had more of this kind, which asks to be called.
                return None
        self.reactor.removeWriter(self)
        producer: Any = self.producer
        if producer is not None and (self.producerPaused or not self.streamingProducer):
            self.producerPaused = False
            self.settle()
            producer.resumeProducing()
        elif self.disconnecting:
            return CONNECTION_DONE
        elif self._writeDisconnecting:
            # Before the protocol hears of it: it may well call loseConnection.
            self._writeDisconnected = True
            self.ready = False
            self._closeWriteConnection()
        else:
            self.settle()
        return None

    def _flush(self) -> None:
        """
        Send what is queued.

        @raise BlockingIOError: when the socket takes no more.
        """
        send = self.socket.send
        while self.dataBuffer:
            data, offset = self.dataBuffer, self.offset
            self.offset += send(memoryview(data)[offset:] if offset else data)
            if self.offset == len(data):
                # A queue of one piece, the usual one, is not copied by this.
                self.dataBuffer = b"".join(self._tempDataBuffer)
                self.offset = 0
                self._tempDataBuffer = NOTHING
                self._tempDataLen = 0

    # The rest of the life of a connection

    def startTLS(self, ctx: Any, normal: bool = True) -> None:
        """
        Speak TLS from here on.

        On the socket, by an L{ITLSPolicy}, if nothing is under way on it; otherwise by
        Twisted's layer, which is above the transport.

        @see: L{twisted.internet.interfaces.ITLSTransport.startTLS}
        """
        kind = SECURED.get(self.__class__)
        if kind is not None and ITLSPolicy.providedBy(ctx):
            self.settle()
            if self.ready and not self.disconnecting and self.outflow is None:
                secure(self, kind, ctx, normal)
                return
        self.ready = False
        _newtls.startTLS(self, ctx, normal, BENEATH)

    def loseConnection(self) -> None:
        """See L{twisted.internet.interfaces.ITransport.loseConnection}."""
        if self.ready and not self.disconnecting:
            self.reactor.removeReader(self)
            self.disconnecting = 1
            self.finishWriting()
        elif self._writeDisconnected and self.connected and not self.disconnecting and not self.TLS:
            # Nothing can be queued any more.
            self.connectionLost(DONE)
        else:
            super().loseConnection()

    def loseWriteConnection(self) -> None:
        """See L{twisted.internet.interfaces.IHalfCloseableDescriptor}."""
        self._writeDisconnecting = True
        if self.ready:
            self.finishWriting()
        else:
            self.startWriting()

    def finishWriting(self) -> None:
        """Be asked to write, with nothing queued."""
        finishSoon = getattr(self.reactor, "finishSoon", None)
        if finishSoon is None:
            self.startWriting()
        else:
            finishSoon(self)

    # For half-closes, a protocol is asked whether it provides the interface,
    # which is half of the work of adapting it; who needs an adapter gets one.

    def readConnectionLost(self, reason: Failure) -> None:
        """The peer sends no more.  Called by the reactor."""
        self.peerEnded = True
        protocol: Any = self.protocol
        if not IHalfCloseableProtocol.providedBy(protocol):
            super().readConnectionLost(reason)
            return
        try:
            protocol.readConnectionLost()
        except BaseException:  # noqa: BLE001 - it ends this one only
            log.err()
            self.connectionLost(Failure())

    def _closeWriteConnection(self) -> None:
        protocol: Any = self.protocol
        if not IHalfCloseableProtocol.providedBy(protocol):
            super()._closeWriteConnection()
            return
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        try:
            protocol.writeConnectionLost()
        except BaseException:  # noqa: BLE001 - it ends this one only
            log.err()
            self.connectionLost(Failure())

    def abortConnection(self) -> None:
        """See L{twisted.internet.interfaces.ITCPTransport.abortConnection}."""
        if self.outflow is not None:
            self.outflow.lostSource()
        if self.inflow is not None:
            self.inflow.stop()
        # After these, which leave it as they think it is.
        self.ready = False
        super().abortConnection()


#: How the TLS layer reaches the connection that it is above: the methods that
#: C{_newtls} looks up on a class and calls with the connection.
BENEATH: Any = SimpleNamespace(
    write=EagerConnection.writeBeneath,
    writeSequence=EagerConnection.writeSequenceBeneath,
    loseConnection=FileDescriptor.loseConnection,
    registerProducer=FileDescriptor.registerProducer,
    unregisterProducer=FileDescriptor.unregisterProducer,
)


class EagerServer(Accepted, EagerConnection, tcp.Server):
    """An accepted connection."""

    @property
    def hostname(self) -> Any:  # type: ignore[override]
        """The peer's address, as text: what L{getPeer} has as C{host}."""
        return self.client[0]

    @property
    def logstr(self) -> str:  # type: ignore[override]
        """The prefix of log lines."""
        protocol = getattr(self, "protocol", None)
        return f"{self._getLogPrefix(protocol)},{self.sessionno},{self.client[0]}"

    @property
    def repstr(self) -> str:  # type: ignore[override]
        """What C{repr} gives."""
        protocol = getattr(self, "protocol", None)
        port = getattr(self.server, "_realPortNumber", None)
        return f"<{protocol.__class__.__name__} #{self.sessionno} on {port}>"


class EagerClient(EagerConnection, tcp.Client):
    """A connection that we opened."""

    def connectionLost(self, reason: Failure) -> None:
        """End the connection, or the attempt.  Called by the reactor."""
        if self.connected:
            super().connectionLost(reason)
            # A method of the socket, put here by Twisted.
            self.__dict__.pop("fileno", None)
            self.connector.connectionLost(reason)
        else:
            tcp.Client.connectionLost(self, reason)


class DialledClient(Dialled, EagerClient):
    """
    A client transport around a socket that is connected already.

    L{tcp.Client<twisted.internet.tcp.Client>} makes its socket itself and
    schedules its own dialling; this sets what those steps would have left
    behind for the other methods.  No connector waits to hear of its end.
    """

    @property
    def addr(self) -> Any:  # type: ignore[override]
        """What it was connected to; only C{repr} asks."""
        return self.realAddress

    # There is no attempt that could fail, and nobody who waits for the end.
    connectionLost = EagerConnection.connectionLost

    @property
    def logstr(self) -> str:  # type: ignore[override]
        """The prefix of log lines; made when one is written."""
        return f"{self._getLogPrefix(getattr(self, 'protocol', None))},client"


@implementer(ISSLTransport, INegotiated)
class SecuredServer(Secured, EagerServer):
    """An accepted connection that speaks TLS."""


@implementer(ISSLTransport, INegotiated)
class SecuredClient(Secured, EagerClient):
    """A connection that we opened and that speaks TLS."""


@implementer(ISSLTransport, INegotiated)
class SecuredDialled(Secured, DialledClient):
    """One of those that were connected before they became a transport."""


#: What each kind of transport becomes when it speaks TLS on its socket.
SECURED: dict[type, type[Secured]] = {
    EagerServer: SecuredServer,
    EagerClient: SecuredClient,
    DialledClient: SecuredDialled,
}


class EagerPort(tcp.Port):
    """A port whose connections are eager from the beginning."""

    transport = EagerServer

    def doRead(self) -> None:
        """
        Accept connections.  Called by the reactor.

        Errors of C{accept} are Twisted's to handle: too many descriptors above
        all.
        """
        try:
            if not accept(self):
                super().doRead()
        except BaseException:  # noqa: BLE001 - as Twisted's: the port goes on
            log.deferr()


def _layOut(kind: type[EagerConnection]) -> None:
    """
    Tell Python which attributes the instances of a class come to have.

    It lays all of them out as the first few are, and gives those that later get
    another attribute a dictionary of their own.  When many connections come
    before the first of them ends, what is only set at an end would be such.
    """
    first: Any = kind.__new__(kind)
    for name in (
        "reactor", "socket", "protocol", "producer", "streamingProducer",
        "ready", "connected", "disconnected", "disconnecting", "peerEnded", "doRead",
        "_writeDisconnecting", "_writeDisconnected",
    ):  # fmt: skip
        setattr(first, name, getattr(first, name, None))


_layOut(EagerServer)
_layOut(DialledClient)


def eagerPort(port: IListeningPort) -> None:
    """
    Make a listening port create eager transports for what it accepts.

    Their sockets have no Nagle delay, which they inherit from the port's.  Ports
    of other kinds (UNIX, TLS of old, in memory) are left as they are.
    """
    if type(port) is tcp.Port and port.transport is tcp.Server:
        cast("Any", port).__class__ = EagerPort
        listening = getattr(port, "socket", None)
        if listening is not None:
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


__all__ = [
    "DONE",
    "DialledClient",
    "EagerClient",
    "EagerConnection",
    "EagerPort",
    "READ_OCTETS",
    "EagerServer",
    "eagerPort",
]
