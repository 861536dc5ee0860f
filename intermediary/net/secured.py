# -*- test-case-name: tests.net.test_tlssocket -*-
# mypy: disallow-untyped-calls=False
"""
What is different about an eager transport that speaks TLS on its socket.

A transport becomes one by C{startTLS} and stays one.  What every octet goes through is
L{SocketTLS<intermediary.net.tlssocket.SocketTLS>}'s, and most of what is here leads
there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.main import CONNECTION_LOST
from twisted.python.failure import Failure

from .eagerness import Eagerness
from .tlssocket import SocketTLS

if TYPE_CHECKING:
    from collections.abc import Iterable


class Secured(Eagerness):
    """
    To be put before an L{EagerConnection<intermediary.net.transport.EagerConnection>};
    with that it implements C{ISSLTransport} and C{INegotiated}.

    C{ready} is never set, so whatever else goes straight to the socket does not; what is
    queued has not been encrypted yet.
    """

    tls: Any

    # What is known of the peer

    def getHandle(self) -> Any:
        """Give the C{SSL.Connection}, as Twisted's layer does."""
        return self.tls.connection

    def getPeerCertificate(self) -> Any:
        """See L{ISSLTransport.getPeerCertificate}."""
        return self.tls.connection.get_peer_certificate()

    @property
    def negotiatedProtocol(self) -> bytes | None:
        """See L{INegotiated.negotiatedProtocol}."""
        return self.tls.connection.get_alpn_proto_negotiated() or None

    # Reading

    def pauseProducing(self) -> None:
        """See L{IPushProducer.pauseProducing<twisted.internet.interfaces.IPushProducer>}."""
        self.tls.paused = True
        self.reactor.removeReader(self)

    def resumeProducing(self) -> None:
        """See L{IPushProducer.resumeProducing<twisted.internet.interfaces.IPushProducer>}."""
        self.tls.paused = False
        if self.connected and not self.disconnecting:
            self.reactor.addReader(self)

    # Writing

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """See L{ITransport.writeSequence<twisted.internet.interfaces.ITransport>}."""
        self.tls.writeSequence(list(iovec))

    def doWrite(self) -> Any:
        """Send what is queued.  Called by the reactor."""
        return self.tls.doWrite()

    def registerProducer(self, producer: Any, streaming: Any) -> None:
        """See L{IConsumer.registerProducer<twisted.internet.interfaces.IConsumer>}."""
        me: Any = self
        if not streaming:
            # It wants to be asked by the reactor, not from inside its own write.
            self.tls.ready = False
        FileDescriptor.registerProducer(me, producer, streaming)
        if not streaming and self.connected:
            me.startWriting()

    def unregisterProducer(self) -> None:
        """See L{IConsumer.unregisterProducer<twisted.internet.interfaces.IConsumer>}."""
        self.producer = None
        self.tls.producerLeft()

    def startTLS(self, ctx: Any, normal: bool = True) -> None:
        """
        Refuse to.

        TLS inside TLS needs a transport of its own, such as Twisted's
        C{TLSMemoryBIOProtocol} above this one.
        """
        raise RuntimeError(f"{self!r} speaks TLS already")

    # The end

    def loseConnection(self) -> None:
        """See L{ITransport.loseConnection<twisted.internet.interfaces.ITransport>}."""
        self.tls.loseConnection()

    def loseWriteConnection(self) -> None:
        """End both ways: that is how TLS was meant before version 1.3."""
        self.tls.loseConnection()

    def abortConnection(self) -> None:
        """See L{ITCPTransport.abortConnection<twisted.internet.interfaces.ITCPTransport>}."""
        self.tls.ready = False
        me: Any = super()
        me.abortConnection()

    def readConnectionLost(self, reason: Failure) -> None:
        """The connection was cut off: an end has to be said."""
        self.connectionLost(Failure(CONNECTION_LOST))

    def connectionLost(self, reason: Any) -> None:
        """End the connection.  Called by the reactor."""
        super().connectionLost(self.tls.ended(reason))
        # It knows us, and we should not wait for the garbage collector.
        self.__dict__.pop("doRead", None)


def secure(transport: Any, kind: type[Secured], policy: Any, normal: bool) -> None:
    """
    Have a transport speak TLS on its socket from here on.

    @param transport: one that is C{ready}.
    @param kind: what it becomes.
    @param policy: an L{ITLSPolicy<intermediary.interfaces.ITLSPolicy>}.
    @param normal: see C{startTLS}.
    @raise Exception: of the policy; the transport is what it was.
    """
    connection = policy.connectionOn(transport.socket)
    tls = SocketTLS(transport, connection)
    connection.set_app_data(tls)
    transport.ready = False
    transport.TLS = True
    transport.tls = tls
    transport.__class__ = kind
    # Not by way of a method in Python.
    transport.doRead = tls.doRead
    tls.begin(transport._tlsClientDefault == normal)  # noqa: SLF001 - Twisted's


__all__ = ["Secured", "secure"]
