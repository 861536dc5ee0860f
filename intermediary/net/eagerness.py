# -*- test-case-name: tests.net.test_transport -*-
"""
What an eager transport does for every connection, in compiled code.

L{EagerConnection<intermediary.net.transport.EagerConnection>} puts it before
Twisted's C{tcp.Connection}, which can't be compiled, and has itself what only
some connections come to.  So the attributes here are those of Twisted's class,
under its names: both read and set them.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final

from twisted.internet import tcp
from twisted.internet.error import ConnectionAborted
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure

from ..compiling import mypyc_attr

if TYPE_CHECKING:
    from .splice import Flow
    from .tlssocket import SocketTLS

#: Octets asked for by one read.  Most bring less, and an allocation of this size
#: is cheap to cut down; those that bring more cost another read and write each,
#: which is dear.  The next 64 octets would have the allocator ask the system for
#: pages each time; and this much may be queued for a sink that is slow.
READ_OCTETS: Final = 128 * 1024 - 64
#: How protocols are told of an orderly end: one for all, as in Twisted's reactors.
DONE = Failure(CONNECTION_DONE)


class Inflow:
    """
    What a transport sends in place of its protocol's writes, for a while.

    It is its C{inflow} as long as it lasts: what was queued before leaves first,
    a write meanwhile raises L{RuntimeError}, and C{loseConnection} waits for
    what is held.

    @ivar held: octets that are still to be handed to the kernel, as far as that
        is known.
    """

    __slots__ = ("held",)

    def __init__(self, held: int = 0) -> None:
        self.held = held

    def drain(self) -> bool:
        """
        Send what is held.  Called by the transport when it is writable.

        @return: whether it need not be called again for now.
        """
        raise NotImplementedError

    def stop(self) -> None:
        """End where it is: the transport is lost, or is nobody's any more."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class Eagerness:
    """
    The part of a transport that every connection needs.

    @ivar ready: whether a write may go straight to the socket: connected, no
        TLS above, nothing queued, no pull producer (which wants to be asked by
        the reactor, not from inside its own write) and no L{Inflow}.  When it is not set although all that holds, the next write
        finds out.
    @ivar sendError: whether a send failed.  The error is the kernel's to tell
        once only, so it is remembered until the reactor asks.
    @ivar inflow: what is sent in place of writes, or None.
    @ivar outflow: the L{Flow} that takes what arrives at this transport, or None.
    @ivar peerEnded: whether all that the peer sent was read, to its end.
    @ivar tls: what speaks TLS on the socket, or None: there is none, or it is above.
    """

    #: What is deleted at the end, as by Twisted's class.
    __deletable__ = ("protocol", "socket")

    ready: bool = False
    sendError: bool = False
    peerEnded: bool = False
    inflow: Inflow | None = None
    outflow: Flow | None = None
    tls: SocketTLS | None = None

    # Twisted's.
    reactor: Any
    socket: Any
    protocol: Any
    producer: Any = None
    streamingProducer: Any = False
    connected: Any = 0
    disconnected: Any = 0
    disconnecting: Any = False
    TLS: Any = False
    _writeDisconnecting: Any = False
    _writeDisconnected: Any = False

    def fileno(self) -> int:
        """The socket's descriptor, or -1."""
        return fileno(self)

    # Reading

    def doRead(self) -> Any:
        """
        Deliver what has arrived, one piece.

        Called by the reactor.

        @return: why the connection has ended, or None.
        """
        try:
            data = self.socket.recv(READ_OCTETS)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if data:
            self.protocol.dataReceived(data)
            return None
        # After a reset whose error the failed send consumed, the kernel reports
        # an orderly end: it was none.
        return CONNECTION_LOST if self.sendError else CONNECTION_DONE

    # Writing

    def write(self, data: Any) -> None:
        """
        Send octets, now as far as possible and the rest as soon as possible.

        @see: L{twisted.internet.interfaces.ITransport.write}
        """
        if not isinstance(data, bytes):
            raise TypeError("Data must be bytes")
        me: Any = self
        if self.ready:
            if data:
                try:
                    sent: int = self.socket.send(data)
                except OSError as error:
                    sent = me._unsent(error)  # noqa: SLF001 - its own
                if sent != len(data):
                    me._enqueue(data, sent)  # noqa: SLF001
        elif self.tls is not None:
            self.tls.write(data)
        elif self.TLS:
            if self.connected:
                self.protocol.write(data)
        else:
            me.writeBeneath(data)

    # Producers

    def registerProducer(self, producer: Any, streaming: Any) -> None:
        """See L{twisted.internet.interfaces.IConsumer.registerProducer}."""
        if streaming and self.ready and self.producer is None:
            # The usual case of what comes below.
            self.producer = producer
            self.streamingProducer = True
            return
        if not streaming:
            self.ready = False
        me: Any = self
        tcp.Connection.registerProducer(me, producer, streaming)
        if not streaming and not self.TLS and self.connected:
            # It expects to be asked when what was written before is sent, and
            # that may have happened at once.
            me.startWriting()

    def unregisterProducer(self) -> None:
        """See L{twisted.internet.interfaces.IConsumer.unregisterProducer}."""
        me: Any = self
        if self.ready:
            # As above.
            self.producer = None
            if self.disconnecting:
                me.startWriting()
            return
        tcp.Connection.unregisterProducer(me)
        me.settle()

    def resumeProducing(self) -> None:
        """See L{twisted.internet.interfaces.IPushProducer.resumeProducing}."""
        if self.connected and not self.disconnecting:
            self.reactor.addReader(self)

    def pauseProducing(self) -> None:
        """See L{twisted.internet.interfaces.IPushProducer.pauseProducing}."""
        self.reactor.removeReader(self)

    # Ends at once: for who is called by the reactor, and expects to be told of
    # the end before these return.

    def closeAtOnce(self) -> bool:
        """
        Do what C{loseConnection} does, now, if there is nothing to wait for.

        @return: whether it was done.
        """
        if self.disconnecting or not (
            self.ready or (self._writeDisconnected and self.connected and not self.TLS)
        ):
            return False
        self.connectionLost(DONE)
        return True

    def halfCloseAtOnce(self) -> bool:
        """
        Do what C{loseWriteConnection} does, now, if there is nothing to wait for.

        The protocol is not told of it.

        @return: whether it was done.
        """
        if not self.ready or self.disconnecting:
            return False
        self._writeDisconnecting = self._writeDisconnected = True
        self.ready = False
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the next read tells
        return True

    def connectionLost(self, reason: Any) -> None:
        """
        End the connection.  Called by the reactor.

        Does what the classes that Twisted's is made of do, in the same order.

        @param reason: a L{Failure}.
        """
        try:
            skt = self.socket
        except AttributeError:
            # Aborted from inside an event that then ended it as well.
            return
        if self.outflow is not None:
            self.outflow.lostSource()
        if self.inflow is not None:
            self.inflow.stop()
        # After these, which leave it as they think it is.
        self.ready = False
        self.disconnected = 1
        self.connected = 0
        producer = self.producer
        if producer is not None:
            producer.stopProducing()
            self.producer = None
        me: Any = self
        forget = getattr(self.reactor, "forget", None)
        if forget is None:
            me.stopReading()
            me.stopWriting()
        else:
            forget(self)
        if reason is DONE and (self.peerEnded or self._writeDisconnected):
            # The peer is told of the end by the close alone, or was by a shutdown
            # before.  With octets of its unread, a close would be a reset.
            skt.close()
        else:
            me._closeSocket(not isinstance(reason.value, ConnectionAborted))  # noqa: SLF001
        protocol = self.protocol
        del self.protocol
        del self.socket
        protocol.connectionLost(reason)


def fileno(transport: Eagerness) -> int:
    """Give the descriptor of a transport's socket, or -1."""
    try:
        fd: int = transport.socket.fileno()
    except AttributeError:
        # Gone, with the connection.
        return -1
    return fd


__all__ = ["DONE", "READ_OCTETS", "Eagerness", "Inflow", "fileno"]
