# -*- test-case-name: tests.net.test_opening -*-
"""
What a client of a front with TLS says first, before anybody answers.

It is TLS, and then it may matter for which name and which protocols; or it is HTTP
without TLS; or it is nothing at all.  Until that is known, an L{Opening} stands in the
place of the connection as the protocol of its transport, and no TLS is set up: whoever
connects and is silent costs no more than a connection.

From an eager transport nothing is taken: the kernel keeps the octets for whoever the
connection is for, whose socket is as if it were new.  They are looked at when there are
some, and then again when there are as many more as are missing (C{SO_RCVLOWAT}), so that
neither a reactor that asks again and again nor an octet a second makes work.  Where the
kernel does not wait, or has no more to wait for, they are taken, as from all other
transports, and handed on.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.protocols.policies import ProtocolWrapper

from ..wire.clienthello import LIMIT_OCTETS, HelloError, HelloReader, isPlainHTTP
from .eagerness import Eagerness

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from .downstream import DownstreamConnection
    from .handshakes import Handshakes

#: How much is looked at to tell TLS from HTTP.
GLANCE_OCTETS = 40


class Opening:
    """
    One client, until it is known what it speaks.

    It ends by L{leave}, or with the connection.

    @ivar connection: whose place it takes; None when it is over.
    """

    __slots__ = (
        "_handshakes",
        "_held",
        "_octets",
        "_reader",
        "_seen",
        "_transport",
        "_wanted",
        "connection",
    )

    def __init__(
        self, connection: DownstreamConnection, handshakes: Handshakes, reads: bool
    ) -> None:
        """
        @param handshakes: hears what it is, by exactly one of C{plain}, C{secure},
            C{choose} and C{refuse}.
        @param reads: whether it matters what a client of TLS says.
        """
        self.connection: DownstreamConnection | None = connection
        self._handshakes = handshakes
        self._transport: Any = connection.transport
        self._reader = HelloReader() if reads else None
        #: What was taken from the transport.
        self._octets = b""
        #: How many octets were judged.
        self._seen = 0
        #: How many the kernel is to wait for; 0 if it is not.
        self._wanted = 0
        #: What comes has to wait.
        self._held = False

    def begin(self) -> None:
        """Take the place of the connection."""
        transport = self._transport
        _serve(transport, self)
        # One that aborts has another in that place already.
        if isinstance(transport, Eagerness) and transport.ready:
            # As a Flow does.
            transport.doRead = self.look  # type: ignore[method-assign]

    # Reading for an eager transport

    def look(self) -> Any:
        """
        Look at what has arrived, and leave it there.

        In the place of C{doRead} of an eager transport.
        """
        transport = self._transport
        most = GLANCE_OCTETS if self._reader is None else LIMIT_OCTETS + 1
        try:
            octets = transport.socket.recv(most, socket.MSG_PEEK)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not octets:
            return CONNECTION_DONE
        if len(octets) > self._seen:
            self._judge(octets[self._seen :])
        if self.connection is None:
            # They are for somebody else now, whose turn it is.
            return transport.doRead() if transport.connected else None
        if self._held or self._await(len(octets)):
            return None
        self._stopLooking()
        return transport.doRead()

    def _await(self, there: int) -> bool:
        """
        Look again when there is more.

        @param there: how many octets there are.
        @return: whether that is possible.
        """
        assert self._reader is not None
        if there < self._wanted:
            # Called for less: it has ended, or the kernel does not wait.
            return False
        self._wanted = there + self._reader.missing
        return self._setLowWater(self._wanted)

    def _setLowWater(self, octets: int) -> bool:
        """Say how many octets have to be there for the transport to be readable."""
        try:
            self._transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, octets)
        except OSError:
            return False
        return True

    def _stopLooking(self) -> None:
        """Let the transport read by itself."""
        transport = self._transport
        if self._wanted and transport.connected:
            self._wanted = 0
            self._setLowWater(1)
        # abortConnection puts another in this place.
        if getattr(transport, "__dict__", {}).get("doRead") == self.look:
            del transport.doRead

    # Protocol of the transport

    def dataReceived(self, data: bytes) -> None:
        """Octets of the client, taken from a transport that leaves none behind."""
        self._octets += data
        fresh = self._octets[self._seen :]
        if fresh and not self._held:
            self._judge(fresh)

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone."""
        connection = self.connection
        self._end()
        if connection is not None:
            connection.connectionLost(reason)

    # What it is

    def _judge(self, fresh: bytes) -> None:
        first = not self._seen
        self._seen += len(fresh)
        handshakes = self._handshakes
        if first and isPlainHTTP(fresh):
            handshakes.plain(self)
        elif self._reader is None:
            handshakes.secure(self)
        else:
            try:
                hello = self._reader.feed(fresh)
            except HelloError as error:
                handshakes.refuse(self, error)
            else:
                if hello is not None:
                    handshakes.choose(self, hello)

    def hold(self) -> None:
        """Read no more until somebody has it, if nobody has."""
        if self.connection is not None:
            self._held = True
            self._transport.pauseProducing()

    def leave(self) -> bytes:
        """
        Give the place back to the connection.

        @return: what was taken from the transport, and is to be read as if it were still
            there.
        """
        transport = self._transport
        octets = self._octets
        _serve(transport, self.connection)
        if self._held:
            transport.resumeProducing()
        self._end()
        return octets

    def _end(self) -> None:
        if self.connection is not None:
            self._stopLooking()
        # What refers to each other here is then freed with the connection.
        self.connection = self._transport = self._reader = None
        self._octets = b""

    def __repr__(self) -> str:
        return f"<Opening {self.connection} seen={self._seen}>"


def _serve(transport: Any, protocol: Any) -> None:
    """Make something the protocol of a transport that has one."""
    if isinstance(transport, ProtocolWrapper):
        transport.wrappedProtocol = protocol
    else:
        transport.protocol = protocol


__all__ = ["GLANCE_OCTETS", "Opening"]
