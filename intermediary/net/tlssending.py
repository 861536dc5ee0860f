# -*- test-case-name: tests.net.test_tlssocket -*-
"""
What is sent by TLS on a socket: pieces that are cut into records, and wait where they must.

What waits is in the queue of the transport, as it was written; a transport that has
something there is asked by the reactor.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final

from .records import ENDED, FAILED, RECORD_OCTETS, Records, recordsOf

if TYPE_CHECKING:
    from .eagerness import Eagerness

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
#: We have begun to say it: from now on OpenSSL takes nothing else.
SAYING: Final = 4


class Sending:
    """
    The sending half of the TLS of one transport.

    @ivar connection: the C{SSL.Connection}; stays when the transport is gone.
    @ivar transport: None when it is gone.
    @ivar ready: whether a write may go to OpenSSL at once, as an L{Eagerness} has it.
    @ivar shaken: whether the handshake is over.
    """

    def __init__(self, transport: Any, connection: Any) -> None:
        self.transport: Eagerness | None = transport
        self.connection: Any = connection
        self.ready: bool = False
        self.shaken: bool = False
        self._records: Records = recordsOf(connection)
        self._end: int = OPEN
        #: Whether we are the client, and have said something since we last heard something.
        self._client: bool = False
        self._unheard: bool = False
        #: A read has to wait until the socket can be written, and all that is ours, too.
        self._readWaits: bool = False
        #: The octets of a record that has to be sent again as it was.
        self._again: int = 0
        #: Octets that go in small records, and when more than a flight was written.
        self._small: int = 0
        self._last: float = -PAUSE_SECONDS

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
            if not isinstance(piece, bytes):
                raise TypeError("Data must be bytes")
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

    def _flush(self, me: Any) -> bool:
        """
        Send what is queued.

        @return: whether that was all.
        """
        while me.dataBuffer:
            data = me.dataBuffer
            stop = len(data)
            reached = self._put(data, me.offset, stop)
            if reached < stop:
                # Of what is cut off there is no queue any more.
                me.offset = 0 if me.sendError else reached
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
            and not self._readWaits
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


__all__ = [
    "CLOSING",
    "FLIGHT_OCTETS",
    "HEARD",
    "OPEN",
    "PAUSE_SECONDS",
    "SAID",
    "SAYING",
    "SEGMENT_OCTETS",
    "Sending",
]
