# -*- test-case-name: tests.net.test_interception -*-
"""
Clients that are intercepted, in memory and with OpenSSL of their own.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address
from twisted.protocols.policies import WrappingFactory

from intermediary.settings import InterceptSettings

from ..scenario import Scenario
from .certifying import authority
from .test_handshakes import TLSSide, TLSTransport
from .tlspeers import MemoryClient, trusting

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase

#: What clients are told.
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class InterceptTransport(TLSTransport):
    """A transport that a layer of TLS closes while it has a producer."""

    def loseConnection(self) -> None:
        # As Twisted's: only one that is paused, or pulls, holds it up.
        producer, self.producer = self.producer, None
        super().loseConnection()
        self.producer = producer


class InterceptSide(TLSSide):
    """A client that is intercepted."""

    def __init__(self, case: SynchronousTestCase, clock: Any, protocol: Any, host: str) -> None:
        self.case = case
        self.clock = clock
        self.transport = InterceptTransport(protocol, clock, host)
        protocol.makeConnection(self.transport)


class InterceptScenario(Scenario):
    """A forward front that intercepts."""

    def intercepting(self, settings: Any = None, **intercept: Any) -> InterceptScenario:
        """
        Make the front.

        @param settings: others of the front.
        """
        folder = Path(self.case.mktemp())
        folder.mkdir()
        self.ca = authority("interceptor.example")
        (folder / "ca.pem").write_bytes(self.ca.both)
        intercept = {"ca": str(folder / "ca.pem"), **intercept}
        self.forward(intercept=InterceptSettings(**intercept), **(settings or {}))
        return self

    def connects(self, wrapped: bool = False) -> TLSSide:
        """
        Connect a client.

        @param wrapped: above a layer of the endpoint's own.
        """
        address = IPv4Address("TCP", "192.0.2.7", 4321)
        front: Any = WrappingFactory(self.front) if wrapped else self.front
        side = InterceptSide(self.case, self.clock, front.buildProtocol(address), "192.0.2.7")
        self.sides.append(side)
        return side

    def opens(self, target: bytes = b"a.example:443", ahead: bytes = b"") -> TLSSide:
        """Have a client connect to somewhere, as far as it can tell."""
        client = self.connects()
        client.sends(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n%b" % (target, target, ahead))
        self.case.assertEqual(client.takes(), ESTABLISHED)
        return client

    def decrypts(self, target: bytes = b"a.example:443", name: bytes | None = None) -> TLSSide:
        """
        Have a client connect, and shake hands.

        @param name: what it asks for by SNI, in place of the host of the target.
        """
        client = self.opens(target)
        name = target.rpartition(b":")[0] if name is None else name
        return client.shakes(MemoryClient(name, context=trusting(self.ca)))
