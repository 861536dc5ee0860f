# -*- test-case-name: tests.net.test_dialling -*-
"""
C{CONNECT}: a connection to the destination, and the tunnel through it.

Two steps of a program.  Connections of tunnels are never pooled: nobody can
know what was said in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IProtocol,
    IProtocolFactory,
    IPushProducer,
)
from twisted.python.failure import Failure
from zope.interface import classImplements

from ..errors import ConnectionTerminated
from ..program import PARKED
from ..wire.encoding import encodeResponse
from ..wire.fields import EMPTY
from .prelude import Prelude
from .sweep import NEVER
from .tunnel import Tunnel

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IAddress

    from ..engine import Engine
    from ..exchange import Exchange
    from ..interfaces import IConnector
    from .downstream import DownstreamConnection
    from .splice import PipePool
    from .sweep import Sweeper
    from .tunnel import TunnelEnd

#: RFC 9110 §9.3.6: a 2xx to CONNECT has no framing fields.
ESTABLISHED = encodeResponse(200, b"Connection established", EMPTY, None, None)


class TunnelConnection:
    """
    The destination's side of a tunnel; until that begins, the exchange's lease.

    @ivar early: what the destination said before the client was told that it
        is connected.
    """

    __slots__ = ("connected", "early", "end", "factory", "transport")

    #: For the engine: nobody had this connection before.
    reused = False

    def __init__(self) -> None:
        self.factory: Any = None
        self.transport: Any = None
        self.connected = False
        self.early = b""
        self.end: TunnelEnd | None = None

    def makeConnection(self, transport: Any) -> None:
        """The destination is connected."""
        self.transport = transport
        self.connected = True
        transport.registerProducer(self, True)

    def connectionMade(self) -> None:
        """Nothing more than L{makeConnection} did."""

    def dataReceived(self, data: bytes) -> None:
        """Octets for the client."""
        if self.end is None:
            self.early += data
            self.transport.pauseProducing()
        else:
            self.end.dataReceived(data)

    def readConnectionLost(self) -> None:
        """The destination sends no more."""
        if self.end is None:
            self.transport.abortConnection()
        else:
            self.end.readConnectionLost()

    def writeConnectionLost(self) -> None:
        """Our side is closed."""
        if self.end is not None:
            self.end.writeConnectionLost()

    def connectionLost(self, reason: Failure) -> None:
        """The destination is gone."""
        self.connected = False
        if self.end is not None:
            self.end.connectionLost(reason)

    def pauseProducing(self) -> None:
        """The destination does not keep up."""
        if self.end is not None:
            self.end.pauseProducing()

    def resumeProducing(self) -> None:
        """The destination took what there was."""
        if self.end is not None:
            self.end.resumeProducing()

    def stopProducing(self) -> None:
        """The transport is gone; C{connectionLost} follows."""

    def release(self) -> None:
        """The exchange failed before the tunnel began."""
        if self.connected:
            self.transport.abortConnection()


# Not as a decorator, which would keep the class from being compiled well.
classImplements(TunnelConnection, IProtocol, IHalfCloseableProtocol, IPushProducer)


class _TunnelConnections:
    """Makes the destination's side for the connector; has no state."""

    #: See L{IConnector.connect<intermediary.interfaces.IConnector.connect>}.
    ignoresAddress: ClassVar[bool] = True

    def buildProtocol(self, address: IAddress | None) -> TunnelConnection:
        return TunnelConnection()

    def doStart(self) -> None:
        """A connector begins."""

    def doStop(self) -> None:
        """A connector is through."""


classImplements(_TunnelConnections, IProtocolFactory)


class _Run:
    """
    One tunnel while it lasts: ends it when it is idle, and accounts for it.

    @ivar deadline: when it is looked at next.
    """

    __slots__ = ("_engine", "_exchange", "_idleSeconds", "_sweeper", "deadline", "tunnel")

    def __init__(self, engine: Engine, exchange: Exchange, sweeper: Sweeper) -> None:
        self._engine = engine
        self._exchange = exchange
        self._idleSeconds = exchange.front.timeouts.tunnelIdleSeconds
        self._sweeper = sweeper
        self.deadline = sweeper.horizon + self._idleSeconds
        self.tunnel: Tunnel | None = None
        sweeper.watch(self)

    def expire(self, now: float) -> None:
        """Abort the tunnel if nothing moved for too long."""
        assert self.tunnel is not None
        self.deadline = self.tunnel.lastActivity + self._idleSeconds
        if self.deadline <= now:
            self.deadline = NEVER
            self._exchange.outcome = "connection_read_timeout"
            self.tunnel.abort()

    def finished(self, reason: Failure) -> None:
        """Both sides are gone."""
        self._sweeper.forget(self)
        tunnel = self.tunnel
        assert tunnel is not None
        exchange = self._exchange
        exchange.octetsIn = tunnel.octetsUp
        exchange.octetsOut = tunnel.octetsDown
        if not exchange.outcome and not isinstance(reason.value, ConnectionDone):
            exchange.outcome = ConnectionTerminated.token
        self._engine.finish(exchange)


class Dialling:
    """The steps of C{CONNECT} for one front."""

    def __init__(
        self,
        engine: Engine,
        connector: IConnector,
        sweeper: Sweeper,
        pipes: PipePool | None,
        reactor: Any,
    ) -> None:
        """
        @param pipes: for splicing; None to do without.
        """
        self._engine = engine
        #: Only ours can answer without a Deferred.
        self._reach: Any = getattr(connector, "reach", connector.connect)
        self._sweeper = sweeper
        self._pipes = pipes
        self._reactor = reactor
        self._connections = _TunnelConnections()

    def dial(self, exchange: Exchange) -> Deferred[None] | None:
        """
        Connect to the destination; the client waits for the outcome.

        @return: None where the connection stands at once.
        @raise IntermediaryError: there is none, and nothing to wait for.
        """
        exchange.attempts += 1
        assert exchange.origin is not None
        outcome = self._reach(
            exchange.origin, self._connections, exchange.front.timeouts.connectSeconds
        )
        if isinstance(outcome, TunnelConnection):
            exchange.lease = outcome  # type: ignore[assignment]
            return None
        if isinstance(outcome, Failure):
            outcome.raiseException()

        def connected(connection: TunnelConnection) -> None:
            exchange.lease = connection  # type: ignore[assignment]

        connecting: Deferred[None] = outcome.addCallback(connected)
        return connecting

    def relay(self, exchange: Exchange) -> Any:
        """
        Tell the client that the tunnel stands, and run it to its end.

        @raise ConnectionTerminated: the destination has gone already.
        """
        downstream: DownstreamConnection = exchange.downstream  # type: ignore[assignment]
        prelude = downstream.tunnelEnd
        if isinstance(prelude, Prelude):
            # It was told before.
            return self.join(exchange, sentAhead=prelude.leave())
        return self.join(exchange, ESTABLISHED)

    def join(self, exchange: Exchange, reply: bytes = b"", sentAhead: bytes = b"") -> Any:
        """
        Run the tunnel to its end.

        @param reply: the response that the client waits for.
        @param sentAhead: what it said before, and its connection does not hold.
        @raise ConnectionTerminated: the destination has gone already.
        """
        upstream: TunnelConnection = exchange.lease  # type: ignore[assignment]
        downstream: DownstreamConnection = exchange.downstream  # type: ignore[assignment]
        if not upstream.connected:
            raise ConnectionTerminated("gone before the tunnel began")
        # From here on the tunnel is who ends the connections.
        exchange.lease = None
        exchange.headSent = True
        run = _Run(self._engine, exchange, self._sweeper)
        tunnel = run.tunnel = Tunnel(
            self._reactor, downstream.transport, upstream.transport, run.finished, self._pipes
        )
        if reply:
            exchange.status = 200
            downstream.transport.write(reply)
        sentAhead += downstream.enterTunnel(tunnel.downstream)
        upstream.end = tunnel.upstream
        early, upstream.early = upstream.early, b""
        if early:
            upstream.transport.resumeProducing()
        tunnel.begin(toUpstream=sentAhead, toDownstream=early, paused=False)
        return PARKED
