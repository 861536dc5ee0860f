# -*- test-case-name: tests.ops.test_logformat -*-
"""
One line of the access log, of an exchange that has ended.

The text of a line is made by a function that is compiled from the format
(L{intermediary.ops.logformat}), by Python and not by the C compiler.  To read an
attribute of a compiled object costs it twenty times what it costs here, so this
reads what most formats want and hands it over.  The format that most want is written
out here: that makes a third of the work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..exchange import SERVER_NAME
from ..wire.fields import EMPTY

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..exchange import Exchange

_REFERER: Final = b"referer"
_USER_AGENT: Final = b"user-agent"


class Times:
    """
    The second in which exchanges end, as the formats write it.

    @ivar second: seconds since the epoch.
    @ivar common: local time as Apache writes it.
    @ivar iso: local time by RFC 3339.
    """

    __slots__ = ("common", "iso", "second")

    def __init__(self, second: int, common: str, iso: str) -> None:
        self.second = second
        self.common = common
        self.iso = iso


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
            memory = exchange.memory
            host = None if memory is None else memory.get(SERVER_NAME)
            return self.write(
                exchange, times, peer, user, status, octets, None, None, None, host, EMPTY.index
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


class CombinedLine(Line):
    """
    The format C{combined}, the same as by its template.

    @ivar quoted: gives octets, or None, as they stand in a line.
    """

    __slots__ = ("quoted",)

    def __init__(self, write: Callable[..., str], quoted: dict[bytes | None, str]) -> None:
        super().__init__(write)
        self.quoted = quoted

    def render(self, exchange: Exchange, times: Times) -> str:
        """Make the line of an exchange, with its newline."""
        request = exchange.request
        if request is None or exchange.user or not exchange.peerHost:
            return super().render(exchange, times)
        quoted = self.quoted
        index = request.fields.index
        method = quoted[request.method]
        target = quoted[request.target]
        version = "1.1" if request.version == 11 else "1.0"
        referer = quoted[index.get(_REFERER)]
        agent = quoted[index.get(_USER_AGENT)]
        return (
            f'{exchange.peerHost} - - [{times.common}] "{method} {target} HTTP/{version}"'
            f' {exchange.status} {exchange.octetsOut} "{referer}" "{agent}"\n'
        )


#: What the function is called with.  Without a request its parts are None, and there
#: are no C{fields}, a mapping of lower-case names to values.  C{host} of a client that was
#: passed through is what it said by TLS.
PARAMETERS = "exchange, times, peer, user, status, octets, method, target, version, host, fields"

__all__ = ["PARAMETERS", "CombinedLine", "Line", "Times"]
