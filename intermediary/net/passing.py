# -*- test-case-name: tests.net.test_passing -*-
"""
Clients of TLS whose connections are passed through to a server, as they are.

It is the server that they shake hands with: nothing is decrypted here.  Such a
connection is an exchange without a request; where it leads is in its program, which
begins with the choice of a server and ends, if there is none to be had, with an alert.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..exchange import SERVER_NAME
from ..wire.clienthello import INTERNAL_ERROR, encodeAlert

if TYPE_CHECKING:
    from ..exchange import Exchange
    from ..program import Program
    from .dialling import Dialling
    from .downstream import DownstreamConnection
    from .opening import Opening

#: The key in C{Exchange.memory} of the client's L{Opening}, until the tunnel stands.
_OPENING = "opening"


def passThrough(opening: Opening, name: str, program: Program) -> None:
    """
    Have a client go where a program takes it.

    @param name: the host that it wants.
    """
    connection = opening.connection
    assert connection is not None
    exchange = connection.beginUnsecured()
    exchange.memory = {SERVER_NAME: name.encode("ascii"), _OPENING: opening}
    exchange.front.engine.run(exchange, program, 0)
    # Unless it is connected already, or was refused.
    opening.hold()


class Passing:
    """The last steps of such programs."""

    def __init__(self, dialling: Dialling) -> None:
        """
        @param dialling: has the connection to the server from the step before.
        """
        self._dialling = dialling

    def join(self, exchange: Exchange) -> Any:
        """
        Join the client with the server, until both are gone.

        @raise ConnectionTerminated: the server has gone already.
        """
        return self._dialling.join(exchange, sentAhead=_leave(exchange))

    def refuse(self, exchange: Exchange) -> None:
        """
        Tell a client that there is no server for it.

        In the place of a reply: it expects TLS, and what went wrong is for the log.
        """
        _leave(exchange)
        downstream: DownstreamConnection = exchange.downstream  # type: ignore[assignment]
        downstream.transport.write(encodeAlert(INTERNAL_ERROR))


def _leave(exchange: Exchange) -> bytes:
    """Give the client's connection back, and what it said."""
    assert exchange.memory is not None
    opening: Opening | None = exchange.memory.pop(_OPENING, None)
    return b"" if opening is None else opening.leave()


__all__ = ["Passing", "passThrough"]
