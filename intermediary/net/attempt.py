# -*- test-case-name: tests.net.test_connector -*-
"""
One connection attempt to one address: from nothing to a connected transport.

An attempt knows a socket and the reactor; which addresses are tried, when, and
what a failure means for the exchange is L{intermediary.net.connector}'s.  It
speaks to its owner in C{errno} numbers, the language both kinds share.

There are two kinds.  L{SocketAttempt<intermediary.net.socketattempt.SocketAttempt>}
dials by itself, because C{reactor.connectTCP} costs a C{callLater}, a timeout, two
C{Deferred}s, a reactor turn and five C{epoll_ctl} before the first octet.
L{ReactorAttempt<intermediary.net.reactorattempt.ReactorAttempt>} goes through
C{connectTCP} and works on every reactor, those in memory included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.posixbase import PosixReactorBase

from .reactorattempt import ReactorAttempt
from .socketattempt import SocketAttempt

if TYPE_CHECKING:
    from twisted.python.failure import Failure


class Owner(Protocol):
    """Whoever began an attempt."""

    #: An L{IProtocolFactory}, asked once.
    factory: Any

    def won(self, attempt: Attempt) -> bool:
        """
        Hear that an attempt has a connection.

        @return: whether it is wanted; otherwise the attempt closes it.
        """

    def lost(self, attempt: Attempt, code: int) -> None:
        """Hear that an attempt failed, with an C{errno}; never after C{stop}."""

    def deliver(self, protocol: Any) -> bool:
        """
        Take the protocol of the attempt that won, connected.

        @return: whether it is still wanted; otherwise the attempt aborts it.
        """

    def refuse(self, reason: Failure) -> None:
        """Hear that the attempt that won got no protocol, or a broken one."""


class Attempt(Protocol):
    """A connection attempt to one address."""

    address: str

    def begin(self) -> None:
        """
        Start.

        The owner may hear of the outcome before this returns: a connection on
        the loopback interface is there at once.
        """

    def stop(self) -> None:
        """Give up and close the socket; the owner hears nothing more."""


def attemptFor(reactor: Any) -> type[SocketAttempt] | type[ReactorAttempt]:
    """
    Choose the kind of attempt that a reactor can carry.

    Asking for C{IReactorFDSet} would not do: reactors in memory promise it and
    never poll.
    """
    return SocketAttempt if isinstance(reactor, PosixReactorBase) else ReactorAttempt
