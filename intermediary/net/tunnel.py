# -*- test-case-name: tests.net.test_tunnel -*-
"""
A tunnel: two connections joined, octets pass unseen (RFC 9110 §3.7, §9.3.6).

The two HTTP connections stay the protocols of their transports.  From the moment
on that the tunnel begins, each of them hands every call of its transport to its
L{TunnelEnd}:

  - C{dataReceived}, C{readConnectionLost}, C{writeConnectionLost} and
    C{connectionLost}, so they implement C{IHalfCloseableProtocol};
  - C{pauseProducing} and C{resumeProducing}, as they are the push producers of
    their own transports: a full transport pauses the reading of the other.

So the one that opens it does this::

    tunnel = Tunnel(reactor, downstream.transport, upstream.transport, finished, pipes)
    downstream.end = tunnel.downstream      # delegate from here on
    upstream.end = tunnel.upstream
    tunnel.begin(toUpstream=early)

and touches neither transport again but through L{Tunnel.close} and
L{Tunnel.abort}.

An end of one side is carried to the other, which goes on until it ends too.
Where a transport can't end one way alone (TLS), the end of one side is the end
of the tunnel once everything is sent.  A reset of one side aborts the other.

Octets go by C{recv} and C{send} at first, through whatever transports there are.
Between two plain eager transports, a direction that has carried
L{SPLICE_AFTER} octets goes on by a L{Flow<intermediary.net.splice.Flow>}.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer, ISSLTransport
from twisted.internet.main import CONNECTION_LOST
from zope.interface import classImplements

from .eagerness import READ_OCTETS, Eagerness
from .splice import Flow, isSpliceable

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.python.failure import Failure

    from .splice import PipePool

#: Octets of one direction after which it is bulk: what a TLS handshake, a page
#: or an API call takes is over before, and never pays for a pipe.
SPLICE_AFTER = 64 * 1024
_NEVER = sys.maxsize


def canHalfClose(transport: Any) -> bool:
    """
    Tell whether a transport can end one direction alone.

    A TLS layer hands on what it does not know itself to the transport beneath,
    and an end there would cut it off.
    """
    if isinstance(transport, Eagerness) and not transport.TLS:
        return True
    return hasattr(transport, "loseWriteConnection") and not ISSLTransport.providedBy(transport)


class TunnelEnd:
    """
    One side of a tunnel, to which its connection delegates.

    @ivar octets: received from this side.
    @ivar ended: whether this side will send no more.
    @ivar lost: whether its transport is gone.
    @ivar transport: None once it is gone.
    """

    __slots__ = (
        "_plain",
        "_registered",
        "_spliceAt",
        "ended",
        "lost",
        "octets",
        "other",
        "transport",
        "tunnel",
    )

    other: TunnelEnd

    def __init__(self, tunnel: Tunnel | None, transport: Any) -> None:
        #: None once it has finished.
        self.tunnel = tunnel
        self.transport = transport
        self.octets = 0
        self.ended = False
        self.lost = False
        self._registered = True
        self._spliceAt = _NEVER
        #: The transport is plain and eager, and read by L{fill}.
        self._plain = False

    # Reading for its transport

    def fill(self) -> Any:
        """
        Pass on what has arrived, one piece.

        In the place of C{doRead} of a plain eager transport, which would go
        through its protocol; L{Eagerness.doRead} is what it does.
        """
        transport: Eagerness = self.transport
        try:
            data = transport.socket.recv(READ_OCTETS)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if data:
            self.dataReceived(data)
            return None
        if transport.sendError:
            return CONNECTION_LOST
        transport.peerEnded = True
        self.readConnectionLost()
        if not self.lost:
            transport.reactor.removeReader(transport)
        return None

    # Protocol

    def dataReceived(self, data: bytes) -> None:
        """Pass octets on to the other side."""
        tunnel = self.tunnel
        if tunnel is None:
            return
        self.octets += len(data)
        tunnel.lastActivity = tunnel.seconds()
        if not self.other.lost:
            self.other.transport.write(data)
        if self.octets >= self._spliceAt:
            self._splice()

    def readConnectionLost(self) -> None:
        """This side has sent its last octet: so will the other direction's transport."""
        if self.ended:
            return
        self.ended = True
        other = self.other
        if self.lost or other.lost:
            return
        if other.ended:
            self.lose()
            if not self.lost:
                other.lose()
        else:
            other.loseWrite()

    def writeConnectionLost(self) -> None:
        """The end of the other side has been passed on."""

    def connectionLost(self, reason: Failure) -> None:
        """This side is gone."""
        if self.lost:
            return
        self.lost = True
        # Which may refer to this end as what reads for it.
        self.transport = None
        other = self.other
        assert self.tunnel is not None
        self.tunnel.sideLost(reason)
        if other.lost:
            return
        if not isinstance(reason.value, ConnectionDone):
            other.transport.abortConnection()
        else:
            # All that it sent is written, and leaves before the other closes.
            other.lose()

    # Producer of its own transport

    def pauseProducing(self) -> None:
        """The transport of this side is full: read no more from the other."""
        other = self.other
        if not other.ended and not other.lost:
            other.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """The transport of this side has room: read on from the other."""
        other = self.other
        if not other.ended and not other.lost:
            other.transport.resumeProducing()

    def stopProducing(self) -> None:
        """The transport of this side is about to be lost, and will say so."""

    # For the tunnel and the other end

    def begin(self, pipes: PipePool | None, paused: bool) -> None:
        """Read, and splice if that is possible."""
        if pipes is not None:
            self._spliceAt = SPLICE_AFTER
        transport = self.transport
        # One that aborts has another in that place already.
        if isinstance(transport, Eagerness) and transport.ready:
            self._plain = True
            # As a Flow does.
            transport.doRead = self.fill  # type: ignore[method-assign]
        if paused:
            transport.resumeProducing()

    def _moved(self, count: int) -> None:
        tunnel = self.tunnel
        if tunnel is not None:
            self.octets += count
            tunnel.lastActivity = tunnel.seconds()

    def _splice(self) -> None:
        self._spliceAt = _NEVER
        pipes = None if self.tunnel is None else self.tunnel.pipes
        # The write just before may have found out that a transport is closing.
        if pipes is not None and isSpliceable(self.transport, self.other.transport):
            Flow(self.transport, self.other.transport, pipes, moved=self._moved).begin()

    def lose(self) -> None:
        """Send what is queued, and close."""
        if not self.lost and not (self._plain and self.transport.closeAtOnce()):
            self.unregister()
            self.transport.loseConnection()

    def loseWrite(self) -> None:
        """Send what is queued, and end this direction."""
        if self._plain and self.transport.halfCloseAtOnce():
            return
        if canHalfClose(self.transport):
            self.unregister()
            self.transport.loseWriteConnection()
        else:
            self.lose()

    def abort(self) -> None:
        """End both sides of the tunnel now."""
        if self.tunnel is not None:
            self.tunnel.abort()

    def unregister(self) -> None:
        """Let the transport end: one that has a producer waits for it."""
        if self._registered:
            self._registered = False
            self.transport.unregisterProducer()


# Not as a decorator, which would keep the class from being compiled well.
classImplements(TunnelEnd, IPushProducer)

#: The other end of one whose tunnel has finished.
GONE = TunnelEnd(None, None)
GONE.other = GONE
GONE.ended = GONE.lost = True


class Tunnel:
    """
    Two transports joined.

    @ivar downstream: the end of the client's side.
    @ivar upstream: the end of the origin's side.
    @ivar seconds: the clock.
    @ivar pipes: where pipes come from, or None.
    @ivar lastActivity: when something moved last, by C{reactor.seconds()}; a
        sweep aborts a tunnel that has been idle for too long.
    """

    __slots__ = (
        "_finished",
        "pipes",
        "_reason",
        "seconds",
        "downstream",
        "lastActivity",
        "upstream",
    )

    def __init__(
        self,
        reactor: Any,
        downstream: Any,
        upstream: Any,
        finished: Callable[[Failure], None],
        pipes: PipePool | None = None,
    ) -> None:
        """
        Make a tunnel; L{begin} lets it run.

        @param downstream: the client's transport, any
            L{ITransport<twisted.internet.interfaces.ITransport>} that is a
            consumer and a producer.
        @param upstream: the origin's.
        @param finished: called exactly once, when both transports are lost,
            with the reason of the first: C{ConnectionDone} when all ended well.
        @param pipes: where pipes come from; None to do without.
        """
        self.seconds: Callable[[], float] = reactor.seconds
        self._finished: Callable[[Failure], None] | None = finished
        self.pipes = pipes
        self._reason: Failure | None = None
        self.lastActivity = self.seconds()
        self.downstream = TunnelEnd(self, downstream)
        self.upstream = TunnelEnd(self, upstream)
        self.downstream.other = self.upstream
        self.upstream.other = self.downstream

    @property
    def octetsUp(self) -> int:
        """Octets from the client to the origin."""
        return self.downstream.octets

    @property
    def octetsDown(self) -> int:
        """Octets from the origin to the client."""
        return self.upstream.octets

    def begin(
        self, toUpstream: bytes = b"", toDownstream: bytes = b"", paused: bool = True
    ) -> None:
        """
        Join the two sides.

        @param toUpstream: what the client sent before, to go first.
        @param toDownstream: what the origin sent before, to go first.
        @param paused: whether the reading of either transport may be paused.
        """
        self.downstream.begin(self.pipes, paused)
        self.upstream.begin(self.pipes, paused)
        if toUpstream:
            self.downstream.dataReceived(toUpstream)
        if toDownstream:
            self.upstream.dataReceived(toDownstream)

    def close(self) -> None:
        """End both ways, after what is on its way through here."""
        for end in (self.downstream, self.upstream):
            end.lose()

    def abort(self) -> None:
        """End both ways now."""
        for end in (self.downstream, self.upstream):
            if not end.lost:
                end.transport.abortConnection()

    def sideLost(self, reason: Failure) -> None:
        """One side is gone; with the second, all is over."""
        if self._reason is None:
            self._reason = reason
        if self.downstream.lost and self.upstream.lost and self._finished is not None:
            finished, self._finished = self._finished, None
            finished(self._reason)
            # What refers to each other here is then freed with the connections,
            # and not left to the garbage collector.
            self.downstream.tunnel = self.upstream.tunnel = None
            self.downstream.other = GONE

    def __repr__(self) -> str:
        return f"<Tunnel {self.octetsUp} octets up, {self.octetsDown} down>"


__all__ = ["Tunnel", "TunnelEnd"]
