# -*- test-case-name: tests.net.test_connector -*-
"""
A connection attempt with a socket of its own, that the reactor only watches.

The other kind, and what both have to be, is in L{intermediary.net.attempt}.
"""

from __future__ import annotations

import socket
from errno import (
    EAGAIN,
    EALREADY,
    EINPROGRESS,
    EINTR,
    EISCONN,
    ENODEV,
)
from typing import TYPE_CHECKING, Any

from twisted.internet import error
from twisted.internet.interfaces import IWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import classImplements

from .failures import UNKNOWN
from .transport import DialledClient

if TYPE_CHECKING:
    from .attempt import Owner

#: A socket that does not block is had by one system call where there are such.
KIND: int = socket.SOCK_STREAM | getattr(socket, "SOCK_NONBLOCK", 0)

#: What C{connect} says while the handshake is under way.
_PENDING = frozenset({EINPROGRESS, EALREADY, EAGAIN, EINTR})


def socketAddress(family: int, address: str, port: int) -> tuple[Any, ...]:
    """
    Make what C{socket.connect} takes from an address literal, without a look-up.

    A zone identifier (RFC 4007 §11) becomes the scope.

    @raise OSError: if the zone names no interface.
    """
    if family == socket.AF_INET6 and "%" in address:
        address, zone = address.split("%", 1)
        try:
            scope = int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)
        except OSError as e:
            # Python forgets the number.
            raise OSError(ENODEV, f"no interface {zone}") from e
        return (address, port, 0, scope)
    return (address, port)


class SocketAttempt:
    """An attempt with a socket of its own that the reactor only watches."""

    __slots__ = ("_owner", "_peer", "_reactor", "_socket", "address", "family", "port")

    def __init__(self, owner: Owner, reactor: Any, family: int, address: str, port: int) -> None:
        self._owner: Owner = owner
        self._reactor = reactor
        # A socket.SocketType, or None.
        self._socket: Any = None
        self._peer: tuple[Any, ...] = ()
        self.family = family
        self.address = address
        self.port = port

    def begin(self) -> None:
        """See L{Attempt.begin<intermediary.net.attempt.Attempt.begin>}."""
        try:
            self._peer = socketAddress(self.family, self.address, self.port)
            # Not a socket.socket, whose making and closing is code of Python.
            skt = self._socket = socket.SocketType(self.family, KIND)
            if KIND == socket.SOCK_STREAM:
                skt.setblocking(False)
            # Heads and bodies leave in pieces of our own making; waiting for
            # the peer's acknowledgement in between only adds latency.
            skt.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code = skt.connect_ex(self._peer)
            if code == EINPROGRESS:
                # On loopback the handshake is over by now, and asking again
                # costs one system call instead of a turn of the reactor and
                # three calls of epoll_ctl.
                code = skt.connect_ex(self._peer)
        except OSError as e:
            code = e.errno or UNKNOWN
        if code in _PENDING:
            self._reactor.addWriter(self)
        else:
            self._finish(code)

    def fileno(self) -> int:
        """The socket's descriptor, or -1."""
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        """The name under which the reactor logs what happens here."""
        return "connect"

    def doWrite(self) -> None:
        """The reactor found the socket writable: the handshake is over."""
        self._over()

    def connectionLost(self, reason: Failure) -> None:
        """The reactor found the socket in error, and has forgotten it."""
        self._over()

    def stop(self) -> None:
        """See L{Attempt.stop<intermediary.net.attempt.Attempt.stop>}."""
        if self._socket is not None:
            skt = self._socket
            self._reactor.removeWriter(self)
            self._socket = None
            skt.close()

    def _over(self) -> None:
        if self._socket is None:
            return
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code in _PENDING:
            return
        self._reactor.removeWriter(self)
        self._finish(code)

    def _finish(self, code: int) -> None:
        skt = self._socket
        self._socket = None
        if code and code != EISCONN:
            if skt is not None:
                skt.close()
            self._owner.lost(self, code)
            return
        assert skt is not None
        if not self._owner.won(self):
            skt.close()
            return
        self._establish(skt)

    def _establish(self, skt: Any) -> None:
        transport: Any = DialledClient(skt, self.family, self._peer, self._reactor)
        factory = self._owner.factory
        protocol = None
        try:
            ignored = getattr(factory, "ignoresAddress", False)
            protocol = factory.buildProtocol(None if ignored else transport.getPeer())
            if protocol is None:
                raise error.NoProtocol
            transport.attach(protocol)
        except Exception:  # noqa: BLE001 - an application's factory and protocol
            reason = Failure()
            if protocol is None:
                # Nobody to tell: the transport alone has to go.
                skt.close()
            else:
                transport.abortConnection()
            self._owner.refuse(reason)
        else:
            if not self._owner.deliver(protocol):
                transport.abortConnection()


# Not as a decorator, which would keep the class from being compiled well.
classImplements(SocketAttempt, IWriteDescriptor)
