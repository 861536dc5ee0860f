# -*- test-case-name: tests.net.test_connector -*-
"""
A connection attempt by way of C{reactor.connectTCP}.

The other kind is L{intermediary.net.attempt}'s.  This one is apart from it as
the classes here extend Twisted's, which compiled classes can't.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet import error
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.python.failure import Failure

from .failures import errnoOf

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress

    from .attempt import Owner


class ReactorAttempt(ClientFactory):
    """An attempt by way of C{reactor.connectTCP}."""

    noisy = False

    def __init__(self, owner: Owner, reactor: Any, family: int, address: str, port: int) -> None:
        self._owner = owner
        self._reactor = reactor
        self._connector: Any = None
        self._stopped = False
        self.address = address
        self.port = port

    def begin(self) -> None:
        """See L{Attempt.begin<intermediary.net.attempt.Attempt.begin>}."""
        # The owner keeps the time; the reactor's own timer must not be first.
        connector = self._reactor.connectTCP(self.address, self.port, self, timeout=None)
        self._connector = connector

    def stop(self) -> None:
        """See L{Attempt.stop<intermediary.net.attempt.Attempt.stop>}."""
        self._stopped = True
        if self._connector is not None:
            self._connector.stopConnecting()

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        """The reactor has no connection."""
        if not self._stopped:
            self._stopped = True
            self._owner.lost(self, errnoOf(reason.value))

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """The reactor has a connection."""
        if self._stopped or not self._owner.won(self):
            return None
        self._stopped = True
        try:
            protocol = self._owner.factory.buildProtocol(addr)
            if protocol is None:
                raise error.NoProtocol
        except Exception:  # noqa: BLE001 - an application's factory
            self._owner.refuse(Failure())
            return None
        return _Handover(self._owner, protocol)


class _Handover(Protocol):
    """
    Takes a connection from the reactor and gives it to the protocol it is for.

    The owner is told only when that protocol is connected, which no factory can
    say.  Afterwards it is out of the way, or, on a transport that holds on to
    it, passes everything on.
    """

    def __init__(self, owner: Owner, protocol: Any) -> None:
        self._owner = owner
        self._protocol = protocol

    def makeConnection(self, transport: Any) -> None:
        """Hand over."""
        protocol = self._protocol
        self.dataReceived = protocol.dataReceived  # type: ignore[method-assign]
        self.connectionLost = protocol.connectionLost  # type: ignore[method-assign]
        if getattr(transport, "protocol", None) is not None:
            transport.protocol = protocol
        if hasattr(transport, "setTcpNoDelay"):
            transport.setTcpNoDelay(True)
        try:
            protocol.makeConnection(transport)
        except Exception:  # noqa: BLE001 - an application's protocol
            transport.abortConnection()
            self._owner.refuse(Failure())
        else:
            if not self._owner.deliver(protocol):
                transport.abortConnection()
