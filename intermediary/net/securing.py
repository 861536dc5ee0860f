# -*- test-case-name: tests.net.test_securing -*-
"""
From a connection to an origin to TLS on it.

The connector's race ends with a connection; here it gets its TLS, before whoever
wanted it hears of it.  A handshake that fails says nothing about the network, so no
other address is tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.error import NoProtocol
from twisted.internet.interfaces import (
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IProtocolFactory,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import ConnectTimeout, IntermediaryError, TLSCertificateError
from ..interfaces import ITLSPolicy
from .tlsproblems import handshakeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IDelayedCall

    from ..interfaces import Origin


@implementer(IHandshakeListener, ITLSPolicy, IOpenSSLClientConnectionCreator)
class Handshake:
    """
    The protocol of a connection until TLS stands and has brought the first octets.

    It is its own context factory, so that it knows the TLS connection whatever
    transport speaks it.
    """

    def __init__(self, owner: Securing, client: Any) -> None:
        """
        @param client: what L{IOriginTLS.towards<intermediary.interfaces.IOriginTLS.towards>}
            gave.
        """
        self._owner: Securing | None = owner
        self._client = client
        self._connection: Any = None
        self._protocol: Any = None
        self.transport: Any = None

    # The context factory

    def clientConnectionForTLS(self, protocol: Any) -> Any:
        """See L{IOpenSSLClientConnectionCreator}."""
        self._connection = self._client.clientConnectionForTLS(protocol)
        return self._connection

    def connectionOn(self, socket: Any) -> Any:
        """See L{ITLSPolicy.connectionOn}."""
        self._connection = self._client.connectionOn(socket)
        return self._connection

    # The protocol

    def makeConnection(self, transport: Any) -> None:
        """The connection stands."""
        self.transport = transport
        transport.startTLS(self, True)

    def connectionMade(self) -> None:
        """Nothing more than L{makeConnection} did."""

    def handshakeCompleted(self) -> None:
        """TLS stands, and the server is who it has to be."""
        assert self._owner is not None
        self._owner.completed(self)

    def handOver(self, protocol: Any) -> None:
        """Give the connection to the protocol that it is for."""
        self._protocol = protocol
        protocol.makeConnection(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """
        The first octets: by now the server has told how to resume the session.

        All that follows goes straight to the protocol.
        """
        protocol = self._protocol
        if protocol is None:
            return  # nobody wanted the connection any more
        self._client.keep(self._connection)
        self._connection = self._client = self._owner = None
        self.dataReceived = protocol.dataReceived  # type: ignore[method-assign]
        self.connectionLost = protocol.connectionLost  # type: ignore[method-assign]
        transport = self.transport
        if getattr(transport, "protocol", None) is self:
            transport.protocol = protocol
        protocol.dataReceived(data)

    def connectionLost(self, reason: Failure) -> None:
        """It ended before its first octets, or before TLS stood."""
        connection, self._connection = self._connection, None
        owner, self._owner = self._owner, None
        assert owner is not None
        problem = "" if connection is None else self._client.problemOf(connection)
        self._client.forget()
        owner.failed(problem, reason)
        if self._protocol is not None:
            self._protocol.connectionLost(reason)


@implementer(IProtocolFactory)
class Securing:
    """
    One call of L{IConnector.connect} for an origin with TLS, until it is settled.

    For the race that it begins with, it is the factory.  It leaves neither timer nor
    connection behind.
    """

    noisy = False

    def __init__(self, reactor: Any, origin: Origin, factory: Any) -> None:
        """
        @param reactor: for its time.
        @param factory: of the protocol that gets the connection.
        """
        self._reactor = reactor
        self._origin = origin
        self._factory = factory
        #: See L{IConnector.connect<intermediary.interfaces.IConnector.connect>}.
        self.ignoresAddress = getattr(factory, "ignoresAddress", False)
        self._address: Any = None
        self._client: Any = None
        #: What the race's outcome comes by.
        self._racing: Deferred[Any] | None = None
        self._handshake: Handshake | None = None
        self._deadline: IDelayedCall | None = None
        self._ends = 0.0
        self._deferred: Deferred[Any] | None = None
        self._outcome: Any = None
        self._settled = False

    def start(self, dial: Callable[[Origin, Any, float], Any], timeoutSeconds: float) -> Any:
        """
        Begin.

        @param dial: as L{Connector.reach}, for the connection below.
        @param timeoutSeconds: for all of it.
        @return: as L{Connector.reach}.
        """
        try:
            self._client = self._origin.tls.towards(self._origin.host, self._origin.port)
        except IntermediaryError:
            return Failure()
        self._ends = self._reactor.seconds() + timeoutSeconds
        outcome = dial(self._origin, self, timeoutSeconds)
        if isinstance(outcome, Deferred):
            self._racing = outcome
            outcome.addCallbacks(self._reached, self._settle)
        elif isinstance(outcome, Failure):
            self._settle(outcome)
        else:
            self._reached(outcome)
        if self._settled:
            return self._outcome
        self._deferred = Deferred(self._cancelled)
        return self._deferred

    # The race's factory

    def buildProtocol(self, address: Any) -> Any:
        """Make what speaks for the connection at first."""
        self._address = address
        self._handshake = Handshake(self, self._client)
        return self._handshake

    def doStart(self) -> None:
        """A connector begins."""

    def doStop(self) -> None:
        """A connector is through."""

    def _reached(self, handshake: Handshake) -> None:
        """The connection stands, and its handshake has begun."""
        self._racing = None
        if not self._settled:
            left = max(0.0, self._ends - self._reactor.seconds())
            self._deadline = self._reactor.callLater(left, self._late)

    # The handshake

    def completed(self, handshake: Handshake) -> None:
        """TLS stands: the connection is for whoever wanted it."""
        transport = handshake.transport
        if self._settled:
            transport.abortConnection()
            return
        self._stop()
        try:
            protocol = self._factory.buildProtocol(self._address)
            if protocol is None:
                raise NoProtocol
            handshake.handOver(protocol)
        except Exception:  # noqa: BLE001 - an application's factory and protocol
            self._settle(Failure())
            transport.abortConnection()
        else:
            if self._settled:
                # Cancelled, by the very protocol.
                transport.abortConnection()
            else:
                self._settle(protocol)

    def failed(self, problem: str, reason: Failure) -> None:
        """
        The connection ended before TLS stood, or as soon as it did.

        With TLS 1.3 a server refuses our client certificate, or that there is none,
        when the handshake is over for us.

        @param problem: what is wrong with the server's certificate; may be empty.
        """
        origin = str(self._origin)
        if self._settled:
            if isinstance(reason.value, SSL.Error):
                self._origin.tls.complain(handshakeError(origin, reason.value))
            return
        error: IntermediaryError
        if problem:
            error = TLSCertificateError(f"{origin}: {problem}")
        else:
            error = handshakeError(origin, reason.value)
        error.__cause__ = reason.value
        self._origin.tls.complain(error)
        self._settle(Failure(error))

    # The end

    def _late(self) -> None:
        self._deadline = None
        handshake = self._handshake
        assert handshake is not None
        error = ConnectTimeout(f"{self._origin}: the TLS handshake was not over in time")
        self._origin.tls.complain(error)
        self._settle(Failure(error))
        handshake.transport.abortConnection()

    def _cancelled(self, deferred: Deferred[Any]) -> None:
        self._deferred = None
        self._settle(None)
        if self._racing is not None:
            self._racing.cancel()
        elif self._handshake is not None:
            self._handshake.transport.abortConnection()

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _settle(self, outcome: Any) -> None:
        if self._settled:
            return
        self._settled = True
        self._stop()
        deferred, self._deferred = self._deferred, None
        if deferred is None:
            self._outcome = outcome
        elif isinstance(outcome, Failure):
            deferred.errback(outcome)
        else:
            deferred.callback(outcome)


__all__ = ["Handshake", "Securing"]
