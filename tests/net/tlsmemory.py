# -*- test-case-name: tests.net.test_securing -*-
"""
TLS without sockets: a server, and a transport that a test carries octets over.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from twisted.internet.task import Clock
    from twisted.trial.unittest import SynchronousTestCase

    from .authority import Credentials


def serverContext(
    case: SynchronousTestCase, by: Credentials, clientCA: bytes = b""
) -> ssl.SSLContext:
    """
    Make what a server speaks TLS with.

    @param clientCA: asks for client certificates of this authority.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    path = Path(case.mktemp())
    context.load_cert_chain(by.writeTo(path))
    context.set_alpn_protocols(["h2", "http/1.1"])
    if clientCA:
        context.load_verify_locations(cadata=clientCA.decode("ascii"))
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class Server:
    """
    One side of a TLS connection.

    @ivar received: what it was sent, decrypted.
    @ivar error: what it failed with.
    @ivar names: what it was sent as SNI.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self.names: list[str | None] = []
        context.sni_callback = lambda _, name, __: self.names.append(name)
        self.tls = context.wrap_bio(self._in, self._out, server_side=True)
        self.received = b""
        self.stands = False
        self.error: ssl.SSLError | None = None

    def takes(self, octets: bytes) -> bytes:
        """Take what arrived; give what leaves."""
        if octets:
            self._in.write(octets)
        try:
            if not self.stands:
                self.tls.do_handshake()
                self.stands = True
            while True:
                piece = self.tls.read(65536)
                if not piece:
                    break
                self.received += piece
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.error = error
        return self._out.read()

    def sends(self, octets: bytes) -> None:
        """Have octets leave with what leaves next."""
        self.tls.write(octets)

    def closes(self) -> None:
        """Send a C{close_notify}."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass


class _Beneath:
    """The transport as the TLS layer sees it."""

    def __init__(self, transport: MemoryTLS) -> None:
        self._transport = transport

    def write(self, octets: bytes) -> None:
        self._transport.raw += octets

    def writeSequence(self, pieces: Any) -> None:
        self.write(b"".join(pieces))

    def loseConnection(self) -> None:
        self._transport.clock.callLater(0, self._transport.lost, ConnectionDone())

    def registerProducer(self, producer: Any, streaming: bool) -> None: ...

    def unregisterProducer(self) -> None: ...

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class MemoryTLS:
    """
    A client's transport whose other side is the test; it can C{startTLS}.

    @ivar raw: what leaves.
    @ivar aborted: whether it was aborted.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.protocol: Any = None
        self.raw = b""
        self.tls: Any = None
        self.connected = True
        self.aborted = False

    def startTLS(self, contextFactory: Any, normal: bool) -> None:
        assert normal
        factory = TLSMemoryBIOFactory(contextFactory, True, Factory(), self.clock)
        self.tls = TLSMemoryBIOProtocol(factory, self.protocol, False)
        self.protocol = self.tls
        self.tls.makeConnection(_Beneath(self))

    def write(self, octets: bytes) -> None:
        self.tls.write(octets)

    def writeSequence(self, pieces: Any) -> None:
        self.tls.writeSequence(pieces)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.tls.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        self.tls.unregisterProducer()

    def loseConnection(self) -> None:
        self.tls.loseConnection()

    def abortConnection(self) -> None:
        if not self.aborted and self.connected:
            self.aborted = True
            self.clock.callLater(0, self.lost, ConnectionAborted())

    def pauseProducing(self) -> None: ...

    def resumeProducing(self) -> None: ...

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.1", 443)

    getHost = getPeer

    # The test's side

    def arrive(self, octets: bytes) -> None:
        """The reactor has octets for it."""
        if self.connected and not self.aborted:
            self.protocol.dataReceived(octets)

    def lost(self, reason: Exception) -> None:
        """The connection has ended."""
        if self.connected:
            self.connected = False
            self.protocol.connectionLost(Failure(reason))


def pump(transport: MemoryTLS, server: Server) -> None:
    """Carry octets both ways until there are none."""
    quiet = False
    while not quiet:
        raw, transport.raw = transport.raw, b""
        answer = server.takes(raw)
        quiet = not answer
        if answer:
            transport.arrive(answer)
