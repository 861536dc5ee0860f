# -*- test-case-name: tests.net.test_transport -*-
"""
How eager connections begin, in compiled code: accepted or dialled.

L{intermediary.net.transport} makes transports of these; see
L{intermediary.net.eagerness} for why they are apart from it.
"""

from __future__ import annotations

import socket
from typing import Any, Final

from twisted.internet.address import IPv4Address, IPv6Address

from ..compiling import mypyc_attr
from .eagerness import Eagerness

#: What C{socket.socket} is made of: making, using and closing one takes no code
#: of Python.
Socket: Any = socket.SocketType
STREAM: Final = int(socket.SOCK_STREAM)
IPV4: Final[Any] = socket.AF_INET


@mypyc_attr(allow_interpreted_subclasses=True)
class Accepted(Eagerness):
    """What sets up an accepted connection."""

    # Twisted's.
    client: Any
    server: Any
    sessionno: Any
    _addressType: Any = IPv4Address

    def __init__(
        self,
        sock: Any,
        protocol: Any,
        client: Any,
        server: Any,
        sessionno: Any,
        reactor: Any,
    ) -> None:
        """
        Take over an accepted socket.

        Sets what C{tcp.Server} sets, but for the strings that describe the
        connection, which cost more than all else and are seldom read.

        @param client: the peer's address, as C{accept} gives it.
        @param server: the port that it was accepted by.
        """
        sock.setblocking(False)
        self.reactor = reactor
        self.socket = sock
        self.protocol = protocol
        self.connected = 1
        self.ready = True
        if len(client) != 2:
            self._addressType = IPv6Address
        self.server = server
        self.client = client
        self.sessionno = sessionno
        reactor.addReader(self)


@mypyc_attr(allow_interpreted_subclasses=True)
class Dialled(Eagerness):
    """What sets up a connection that we opened, once it stands."""

    # Twisted's.
    realAddress: Any
    addressFamily: Any = IPV4
    _addressType: Any = IPv4Address

    def __init__(self, skt: Any, family: int, peer: Any, reactor: Any) -> None:
        """
        Take over a connected socket that does not block.

        @param peer: what it was connected to, as C{connect} takes it.
        """
        self.reactor = reactor
        self.socket = skt
        self.realAddress = peer
        self.connected = 1
        self.ready = True
        if family == socket.AF_INET6:
            self.addressFamily = socket.AF_INET6
            self._addressType = IPv6Address

    def attach(self, protocol: Any) -> None:
        """Begin to serve a protocol: read for it and tell it."""
        self.protocol = protocol
        self.reactor.addReader(self)
        protocol.makeConnection(self)


def accept(port: Any) -> bool:
    """
    Accept connections for an eager port.

    Like Twisted's, it counts what comes, to know how often to ask.

    @return: whether all went well; if not, C{accept} has an error to be asked
        for again.
    @raise Exception: what the factory, or a protocol, raises.
    """
    family = port.addressFamily
    # What socket.accept wraps into enumerations.
    ask = port.socket._accept  # noqa: SLF001
    factory = port.factory
    reactor = port.reactor
    make = port.transport
    ignored = getattr(factory, "ignoresAddress", False)
    most: int = port.numberAccepts
    accepted = 0
    while accepted < most:
        try:
            pair: tuple[int, Any] = ask()
        except BlockingIOError:
            break
        except OSError:
            return False
        fd, address = pair
        accepted += 1
        skt = Socket(family, STREAM, 0, fd)
        plain = len(address) == 2
        peer: Any = None
        if not plain:
            if address[3]:
                # With the scope in it.
                host = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0]
                address = (host, *address[1:])
            peer = IPv6Address("TCP", *address)
        elif not ignored:
            peer = IPv4Address("TCP", *address)
        protocol = factory.buildProtocol(peer)
        if protocol is None:
            skt.close()
            continue
        session = port.sessionno
        port.sessionno = session + 1
        protocol.makeConnection(make(skt, protocol, address, port, session, reactor))
    port.numberAccepts = most + 20 if accepted == most else max(1, accepted)
    return True


__all__ = ["Accepted", "Dialled", "Socket", "accept"]
