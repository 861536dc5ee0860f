# -*- test-case-name: tests.net.test_tlssocket -*-
"""
TLS on the socket of an eager transport, in the place of Twisted's layer above it.

Twisted speaks TLS with two buffers in memory, which it fills and empties; here OpenSSL
reads and writes the socket itself.  A L{SocketTLS} is what a transport has from
C{startTLS} on: it reads and writes for the transport, the protocol stays the transport's
own, and hears of everything what it would hear with Twisted's:

  - C{handshakeCompleted}, if it listens for that;
  - C{ConnectionDone} only where the peer has said that it will send no more
    (C{close_notify}); C{ConnectionLost} for one that was cut off; C{SSL.Error} for what
    the other side, or OpenSSL, refused;
  - what still arrives after C{loseConnection}, until the peer has closed, too; but that
    has L{CLOSE_SECONDS}.

C{abortConnection} says nothing to the peer, so what it was sent does not look complete.
What a transport's methods mean by all this is L{intermediary.net.transport}'s.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final

from OpenSSL import SSL
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.main import CONNECTION_LOST

from .eagerness import DONE, Eagerness
from .records import (
    ENDED,
    FAILED,
    RECORD_OCTETS,
    WANTS_READ,
    WANTS_WRITE,
    Records,
    recordsOf,
)

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall
    from twisted.python.failure import Failure

#: How long a peer may take to close the connection when we have.
CLOSE_SECONDS: Final = 30.0

# The size of records.  A peer can do nothing with a record before it has all of it.
# What fits into the first flight of a connection (ten segments, RFC 6928) is sent as one;
# of more, as much as that is sent in records of one segment each, so that none has to
# wait for the second flight.  After a pause a connection begins anew (RFC 5681 §4.1).

#: Up to here what is written at once is one record.
FLIGHT_OCTETS: Final = 14000
#: A record that fits into a segment, whatever there is around it.
SEGMENT_OCTETS: Final = 1380
#: How long a pause is.
PAUSE_SECONDS: Final = 1.0

# How far the end is.

#: Nobody thinks of it.
OPEN: Final = 0
#: We say so as soon as all that was written has left.
CLOSING: Final = 1
#: We have said it.
SAID: Final = 2
#: The peer has: this is over when all has left that was written before.
HEARD: Final = 3


class SocketTLS:
    """
    The TLS of one transport.

    @ivar connection: the C{SSL.Connection}; stays when the transport is gone.
    @ivar transport: None when it is gone.
    @ivar ready: whether a write may go to OpenSSL at once, as an L{Eagerness} has it.
    @ivar shaken: whether the handshake is over.
    @ivar paused: whether the protocol wants nothing more for now.
    """

    def __init__(self, transport: Any, connection: Any) -> None:
        self.transport: Eagerness | None = transport
        self.connection: Any = connection
        self.ready: bool = False
        self.shaken: bool = False
        self.paused: bool = False
        self._records: Records = recordsOf(connection)
        #: What the protocol is told in the place of what ended the transport.
        self._reason: Failure | None = None
        self._end: int = OPEN
        #: Whether we are the client, and have said something since we last heard something.
        self._client: bool = False
        self._unheard: bool = False
        #: The octets of a record that has to be sent again as it was.
        self._again: int = 0
        #: A read has to wait until the socket can be written, or the other way.
        self._readWaits: bool = False
        self._writeWaits: bool = False
        #: Octets that go in small records, and when more than a flight was written.
        self._small: int = 0
        self._last: float = -PAUSE_SECONDS
        #: Ends a connection whose peer does not.
        self._timer: IDelayedCall | None = None

    # The handshake

    def begin(self, client: bool) -> None:
        """
        Say the first word, as a client; a server waits for it.

        The protocol is not called from here.
        """
        records = self._records
        self._client = client
        if client and (records.shake() or records.state != WANTS_READ):
            me: Any = self.transport
            me.startWriting()

    def _shake(self) -> Any:
        """
        Go on with the handshake.  Called by the reactor.

        @return: why the connection has ended, or None.
        """
        records = self._records
        if records.state == FAILED:
            return self._why()
        shaken = records.shake()
        me: Any = self.transport
        if self._reason is not None:
            # Aborted, from inside it.
            return None
        if not shaken:
            if records.state == WANTS_WRITE:
                me.startWriting()
            elif records.state != WANTS_READ:
                return self._over()
            return None
        self.shaken = True
        if me.dataBuffer or self._end != OPEN:
            me.startWriting()
        self.settle()
        protocol = me.protocol
        if IHandshakeListener.providedBy(protocol):
            protocol.handshakeCompleted()
        return None

    def failVerification(self, reason: Failure) -> None:
        """
        End the connection as its peer is not who it has to be.

        For the callbacks of OpenSSL, which find this by the connection's C{app_data}.

        @see: L{ITLSPolicy.connectionOn<intermediary.interfaces.ITLSPolicy>}
        """
        self._reason = reason
        me: Any = self.transport
        me.abortConnection()

    # Reading

    def doRead(self) -> Any:
        """
        Deliver what has arrived.  Called by the reactor.

        @return: why the connection has ended, or None.
        """
        if not self.shaken:
            return self._shake()
        records = self._records
        data = records.read()
        state = records.state
        transport = self.transport
        assert transport is not None
        if data:
            self._unheard = False
            transport.protocol.dataReceived(data)
        if self._writeWaits:
            self._writeWaits = False
            me: Any = transport
            me.startWriting()
        if state >= WANTS_WRITE and self.transport is not None:
            if state == WANTS_WRITE:
                self._readWaits = True
                me = transport
                me.startWriting()
            else:
                return self._over()
        return None

    def _over(self) -> Any:
        """The peer sends no more, or nothing can be said any more."""
        records = self._records
        me: Any = self.transport
        if me._aborting:  # noqa: SLF001 - Twisted's
            return None
        if records.state == FAILED:
            return self._why()
        before, self._end = self._end, HEARD
        self.ready = False
        me.peerEnded = True
        me.disconnecting = True
        if before != SAID:
            me.reactor.removeReader(me)
            if me.dataBuffer:
                return None
            records.close()
        me.connectionLost(DONE)
        return None

    def _why(self) -> Any:
        """Say why nothing can be said any more, in the words of Twisted's layer."""
        self.ready = False
        error = self._records.error
        if isinstance(error, SSL.SysCallError) or not error.args or not error.args[0]:
            # The latter is an end of file, too, in OpenSSL 4.
            return CONNECTION_LOST
        return error

    # Writing

    def write(self, data: Any) -> None:
        """See L{ITransport.write<twisted.internet.interfaces.ITransport.write>}."""
        length = len(data)
        if not self.ready:
            if length:
                self._queue(data)
        elif length > FLIGHT_OCTETS or self._client:
            self._writePart(data, 0, length)
        elif length:
            # The usual case of what comes below: one record.
            sent = self._records.write(data, 0, length)
            if sent == 0:
                self._again = length
                self._queueRest(data, 0)
            elif sent < length:
                self._writePart(data, sent, length)

    def writeSequence(self, pieces: list[Any]) -> None:
        """
        Send pieces as one.

        They are cut anew: of none is copied more than what fills a record that another
        has begun.
        """
        octets = 0
        for piece in pieces:
            octets += len(piece)
        if octets <= RECORD_OCTETS:
            self.write(b"".join(pieces))
            return
        begun = b""
        for piece in pieces:
            start = 0
            if begun:
                start = RECORD_OCTETS - len(begun)
                begun += piece[:start]
                if len(begun) < RECORD_OCTETS:
                    continue
                self.write(begun)
            length = len(piece)
            stop = length - max(0, length - start) % RECORD_OCTETS
            if start < stop:
                if self.ready:
                    self._writePart(piece, start, stop)
                else:
                    self._queue(memoryview(piece)[start:stop])
            begun = piece[max(start, stop) :]
        if begun:
            self.write(begun)

    def _writePart(self, data: Any, start: int, stop: int) -> None:
        """Send some octets of a piece, now as far as possible."""
        reached = self._put(data, start, stop)
        if reached < stop:
            self._queueRest(data if stop == len(data) else memoryview(data)[:stop], reached)

    def _put(self, data: Any, start: int, stop: int) -> int:
        """
        Send octets, in records.

        @return: how far it came.  If that is not the end, the connection's state says why,
            or the transport's C{sendError}.
        """
        records = self._records
        if self._client:
            if self._unheard and self._isCut():
                return start
            self._unheard = True
        if stop - start > FLIGHT_OCTETS:
            me: Any = self.transport
            now: float = me.reactor.seconds()
            if now - self._last >= PAUSE_SECONDS:
                self._small = FLIGHT_OCTETS
            self._last = now
        while start < stop:
            size = self._again
            if not size:
                size = min(stop - start, RECORD_OCTETS if self._small <= 0 else SEGMENT_OCTETS)
            sent = records.write(data, start, size)
            if not sent:
                self._again = size
                break
            self._again = 0
            if self._small > 0:
                self._small -= sent
            start += sent
        return start

    def _queue(self, data: Any) -> None:
        """Have octets wait for those before them, or for the handshake."""
        me: Any = self.transport
        if me is not None and self._takes(me):
            me._enqueue(data)  # noqa: SLF001 - its own

    def _queueRest(self, data: Any, start: int) -> None:
        """Have octets wait that OpenSSL did not take."""
        self.ready = False
        me: Any = self.transport
        if self._records.state == FAILED or me.sendError:
            # The caller is in the middle of something: the reactor asks, and is told.
            me.finishWriting()
        else:
            me._enqueue(data, start)  # noqa: SLF001 - its own

    def _isCut(self) -> bool:
        """
        Find out whether the peer has reset the connection, without OpenSSL.

        To that, a write that fails would be the end of the connection both ways, and
        what has arrived lost: the final answer to an upload, as a rule, and nothing else.
        """
        me: Any = self.transport
        if not me.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            return False
        me.sendError = True
        me.dataBuffer = b""
        me._tempDataBuffer = ()  # noqa: SLF001 - Twisted's
        me.offset = me._tempDataLen = 0  # noqa: SLF001
        return True

    def doWrite(self) -> Any:
        """
        Send what is queued, then do what was put off until then.  Called by the reactor.

        @return: why the connection has ended, or None.
        """
        me: Any = self.transport
        if me is None:
            return None
        records = self._records
        if not self.shaken or records.state == FAILED:
            me.reactor.removeWriter(me)
            return self._shake()
        if me.sendError:
            me.reactor.removeWriter(me)
            # Whoever reads will find the end soon, behind what there is before it.
            return CONNECTION_LOST if self.paused or self._end != OPEN else None
        if self._readWaits:
            self._readWaits = False
            why = self.doRead()
            if why is not None or self.transport is None or me._aborting:  # noqa: SLF001
                return why
        if me.dataBuffer and not self._flush(me):
            if records.state == FAILED or me.sendError:
                return self.doWrite()
            if records.state == WANTS_READ:
                self._writeWaits = True
                me.reactor.removeWriter(me)
            return None
        me.reactor.removeWriter(me)
        producer: Any = me.producer
        if self._end == HEARD:
            records.close()
            me.connectionLost(DONE)
        elif producer is not None and (me.producerPaused or not me.streamingProducer):
            me.producerPaused = False
            self.settle()
            producer.resumeProducing()
        elif self._end == CLOSING and producer is None:
            self._say()
        else:
            self.settle()
        return None

    def _flush(self, me: Any) -> bool:
        """
        Send what is queued.

        @return: whether that was all.
        """
        while me.dataBuffer:
            data = me.dataBuffer
            stop = len(data)
            me.offset = self._put(data, me.offset, stop)
            if me.offset < stop:
                return False
            me.dataBuffer = b"".join(me._tempDataBuffer)  # noqa: SLF001 - Twisted's
            me.offset = 0
            me._tempDataBuffer = ()  # noqa: SLF001
            me._tempDataLen = 0  # noqa: SLF001
        return True

    def settle(self) -> None:
        """Find out anew whether a write may go to OpenSSL at once."""
        me: Any = self.transport
        self.ready = bool(
            me is not None
            and self.shaken
            and not me.dataBuffer
            and (me.producer is None or me.streamingProducer)
            and self._takes(me)
        )

    def _takes(self, me: Any) -> bool:
        """Tell whether a write means anything any more."""
        return (
            self._records.state < ENDED
            and (self._end == OPEN or (self._end == CLOSING and me.producer is not None))
            and not me.sendError
            and me.isWritable()
        )

    # The end

    def loseConnection(self) -> None:
        """See L{ITransport.loseConnection<twisted.internet.interfaces.ITransport>}."""
        me: Any = self.transport
        if me is None or me.disconnecting or me._aborting:  # noqa: SLF001 - Twisted's
            return
        if not self.shaken and not me.dataBuffer:
            # Nothing was said, so there is nothing to be ended.
            me.abortConnection()
            return
        me.disconnecting = True
        self._end = CLOSING
        self.producerLeft()

    def producerLeft(self) -> None:
        """Whoever could hold up the end by writing on may be gone."""
        me: Any = self.transport
        if me is None or me._aborting:  # noqa: SLF001 - Twisted's
            return
        if self._end == CLOSING and self.shaken and me.producer is None and not me.dataBuffer:
            self._say()
        else:
            self.settle()

    def _say(self) -> None:
        """All has left: say that this is the end."""
        self.ready = False
        records = self._records
        me: Any = self.transport
        if records.state == FAILED or me.sendError:
            me.finishWriting()
        elif records.close():
            self._end = SAID
            me._writeDisconnected = True  # noqa: SLF001 - Twisted's
            try:
                me.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the next read tells
            self._timer = me.reactor.callLater(CLOSE_SECONDS, self._late)
            me.startReading()
        elif records.state == WANTS_READ:
            self._writeWaits = True
        elif records.state == WANTS_WRITE:
            me.startWriting()
        else:
            me.finishWriting()

    def _late(self) -> None:
        """The peer does not close."""
        self._timer = None
        me: Any = self.transport
        me.connectionLost(DONE)

    def ended(self, reason: Failure) -> Failure:
        """
        The transport is gone.

        @return: what its protocol is told.
        """
        self.ready = False
        self.transport = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.connection.set_app_data(None)
        return self._reason or reason


__all__ = [
    "CLOSE_SECONDS",
    "FLIGHT_OCTETS",
    "PAUSE_SECONDS",
    "SEGMENT_OCTETS",
    "SocketTLS",
]
