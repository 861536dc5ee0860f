# -*- test-case-name: tests.net.test_connector -*-
"""
What a connection that failed is called: from C{errno} to the words of RFC 9209.
"""

from __future__ import annotations

from errno import (
    EACCES,
    EAFNOSUPPORT,
    ECONNABORTED,
    ECONNREFUSED,
    ECONNRESET,
    EHOSTDOWN,
    EHOSTUNREACH,
    EINVAL,
    ENETDOWN,
    ENETUNREACH,
    ENODEV,
    ENXIO,
    EPERM,
    EPROTONOSUPPORT,
    ETIMEDOUT,
)
from os import strerror
from typing import TYPE_CHECKING

from twisted.internet import error

from ..errors import (
    ConnectionRefused,
    ConnectTimeout,
    DestinationUnavailable,
    DestinationUnroutable,
    IntermediaryError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

#: An outcome that is no C{errno} of any system: the reason was not told.
UNKNOWN = -1

_CLASSES: dict[int, type[IntermediaryError]] = {
    # A reset during the handshake is a refusal as well.
    ECONNREFUSED: ConnectionRefused,
    ECONNRESET: ConnectionRefused,
    ECONNABORTED: ConnectionRefused,
    ETIMEDOUT: ConnectTimeout,
    # No route, no such family or interface here, or a packet filter of ours.
    EHOSTUNREACH: DestinationUnroutable,
    ENETUNREACH: DestinationUnroutable,
    EHOSTDOWN: DestinationUnroutable,
    ENETDOWN: DestinationUnroutable,
    EAFNOSUPPORT: DestinationUnroutable,
    EPROTONOSUPPORT: DestinationUnroutable,
    EINVAL: DestinationUnroutable,
    ENODEV: DestinationUnroutable,
    ENXIO: DestinationUnroutable,
    EACCES: DestinationUnroutable,
    EPERM: DestinationUnroutable,
}

#: Of several failures the one that is told: that which came furthest.
_TELLING: tuple[type[IntermediaryError], ...] = (
    ConnectionRefused,
    ConnectTimeout,
    DestinationUnavailable,
    DestinationUnroutable,
)


def failureClass(code: int) -> type[IntermediaryError]:
    """
    Find the error that an C{errno} of C{socket} or C{connect} stands for.

    What is not about the destination (C{EMFILE}, C{EADDRNOTAVAIL} for want of
    ports, C{ENOBUFS}) makes it L{DestinationUnavailable}: another attempt, later
    or elsewhere, is as good as this one.
    """
    return _CLASSES.get(code, DestinationUnavailable)


def describe(code: int) -> str:
    """Say an C{errno} in words, for the log."""
    return "failed" if code == UNKNOWN else strerror(code)


def mostTelling(failures: Sequence[IntermediaryError]) -> IntermediaryError:
    """
    Choose one failure to stand for all attempts, and let it tell of the others.

    @param failures: at least one, each of a class that L{failureClass} gives.
    """
    if len(failures) == 1:
        return failures[0]
    chosen = min(failures, key=lambda failure: _TELLING.index(type(failure)))
    return type(chosen)("; ".join(failure.detail for failure in failures))


def errnoOf(reason: BaseException | None) -> int:
    """Find the C{errno} in an exception of L{twisted.internet.error}."""
    code = getattr(reason, "osError", None)
    if isinstance(code, int):
        return code
    if isinstance(reason, error.ConnectionRefusedError):
        return ECONNREFUSED
    if isinstance(reason, error.NoRouteError):
        return EHOSTUNREACH
    if isinstance(reason, error.TCPTimedOutError | error.TimeoutError):
        return ETIMEDOUT
    if isinstance(reason, error.UnknownHostError | error.DNSLookupError):
        return ENETUNREACH
    return UNKNOWN
