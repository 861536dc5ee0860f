# -*- test-case-name: tests.ops.test_logformat -*-
"""
One line of the access log, of an exchange that has ended.

The text of a line is made by a function that is compiled from the format
(L{intermediary.ops.logformat}), by Python and not by the C compiler.  To read an
attribute of a compiled object costs it twenty times what it costs here, so this
reads what most formats want and hands it over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.fields import EMPTY

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..exchange import Exchange
    from .logformat import Times


class Line:
    """
    A format, ready for use.

    @ivar write: makes the text, of the arguments that L{PARAMETERS} names.
    """

    __slots__ = ("write",)

    def __init__(self, write: Callable[..., str]) -> None:
        self.write = write

    def render(self, exchange: Exchange, times: Times) -> str:
        """Make the line of an exchange, with its newline."""
        request = exchange.request
        status, octets, peer, user = (
            exchange.status,
            exchange.octetsOut,
            exchange.peerHost,
            exchange.user,
        )
        if request is None:
            return self.write(
                exchange, times, peer, user, status, octets, None, None, None, None, EMPTY.index
            )
        return self.write(
            exchange,
            times,
            peer,
            user,
            status,
            octets,
            request.method,
            request.target,
            request.version,
            request.host,
            request.fields.index,
        )


#: What the function is called with.  Without a request its parts are None, and there
#: are no C{fields}, a mapping of lower-case names to values.
PARAMETERS = "exchange, times, peer, user, status, octets, method, target, version, host, fields"

__all__ = ["PARAMETERS", "Line"]
