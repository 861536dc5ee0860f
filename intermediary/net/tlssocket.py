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

from .eagerness import DONE
from .records import ENDED, FAILED, WANTS_READ, WANTS_WRITE
from .tlssending import CLOSING, HEARD, OPEN, SAID, SAYING, Sending

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall
    from twisted.python.failure import Failure

#: How long a peer may take to close the connection when we have, and all that we said is in
#: the kernel.  Clients that keep a connection and don't look at it take for ever, and the
#: stop of a process waits for them.
CLOSE_SECONDS: Final = 5.0


class SocketTLS(Sending):
    """
    The TLS of one transport.

    @ivar paused: whether the protocol wants nothing more for now.
    """

    def __init__(self, transport: Any, connection: Any) -> None:
        super().__init__(transport, connection)
        self.paused: bool = False
        #: What the protocol is told in the place of what ended the transport.
        self._reason: Failure | None = None
        #: A write has to wait until there is something to read.
        self._writeWaits: bool = False
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
        if me._aborting:  # noqa: SLF001 - Twisted's
            # From inside it.
            return None
        if not shaken:
            if records.state == WANTS_WRITE:
                self._readLater(me)
            elif records.state != WANTS_READ:
                return self._over()
            return None
        self.shaken = True
        # With TLS 1.3 a server refuses a client after this, which has to be heard.
        self._unheard = self._client
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
            if state == FAILED:
                self.ready = False
            transport.protocol.dataReceived(data)
        if self._writeWaits:
            self._writeWaits = False
            me: Any = transport
            me.startWriting()
        if state >= WANTS_WRITE and self.transport is not None:
            if state == WANTS_WRITE:
                self._readLater(transport)
            else:
                return self._over()
        return None

    def _readLater(self, me: Any) -> None:
        """
        Read on when the socket can be written: until then, what is there has to wait.

        OpenSSL has not sent all of a message of its own, and what is ours comes after it.
        """
        self._readWaits = True
        self.ready = False
        me.reactor.removeReader(me)
        me.startWriting()

    def _readNow(self, me: Any) -> None:
        """What a read has waited for has left."""
        self._readWaits = False
        if not self.paused or self._end != OPEN:
            me.reactor.addReader(me)

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
            if me.dataBuffer and self.shaken:
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
            if self._readWaits:
                self._readNow(me)
            return self._shake()
        if me.sendError:
            me.reactor.removeWriter(me)
            # Whoever reads will find the end soon, behind what there is before it.
            lost = self.paused or self._readWaits or self._end != OPEN
            return CONNECTION_LOST if lost else None
        if self._readWaits:
            # This is how OpenSSL is asked for that alone.
            if not records.shake():
                return None if records.state == WANTS_WRITE else self._over()
            self._readNow(me)
        if me.dataBuffer and not self._flush(me):
            if records.state == FAILED or me.sendError:
                return self.doWrite()
            if records.state == ENDED:
                # The peer has said so and is gone: this failed like any other.
                return CONNECTION_LOST
            if records.state == WANTS_READ:
                self._writeWaits = True
                me.reactor.removeWriter(me)
            return None
        me.reactor.removeWriter(me)
        producer: Any = me.producer
        if self._end == HEARD:
            records.close()
            me.connectionLost(DONE)
        elif self._end == SAYING:
            if records.state == ENDED:
                return CONNECTION_LOST
            self._say()
        elif producer is not None and (me.producerPaused or not me.streamingProducer):
            me.producerPaused = False
            self.settle()
            producer.resumeProducing()
        elif self._end == CLOSING and producer is None:
            self._say()
        else:
            self.settle()
        return None

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
        elif self._readWaits:
            # OpenSSL is in the middle of an answer of its own, which has to leave first.
            me.startWriting()
        elif self._close():
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

    def _close(self) -> bool:
        """
        Say it.

        @return: whether it has left.
        """
        self._end = SAYING
        if self._records.close():
            self._end = SAID
        return self._end == SAID

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


__all__ = ["CLOSE_SECONDS", "SocketTLS"]
