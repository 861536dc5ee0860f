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
    from ..wire.fields import Fields

_REFERER: Final = b"referer"
_USER_AGENT: Final = b"user-agent"
#: Statuses as they stand in the format C{combined}.
_STATUSES: Final = [f'" {status} ' for status in range(600)]
#: How many targets are remembered as they stand in a line, and how long they may be.
_TARGETS: Final = 2048
_TARGET_OCTETS: Final = 256


class Times:
    """
    The second in which exchanges end, as the formats write it.

    @ivar second: seconds since the epoch.
    @ivar common: local time as Apache writes it.
    @ivar combined: the same with what is around it in the format C{combined}.
    @ivar iso: local time by RFC 3339.
    """

    __slots__ = ("combined", "common", "iso", "second")

    def __init__(self, second: int, common: str, iso: str) -> None:
        self.second = second
        self.common = common
        self.combined = f' - - [{common}] "'
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

    Put together of as few pieces as can be, as each costs the same.  What is told of the
    fields is noted on them, as clients repeat themselves.

    """

    __slots__ = ("_quote", "_targets")

    def __init__(self, write: Callable[..., str], quote: Callable[[bytes], str]) -> None:
        """
        @param quote: gives octets as they stand in a line.
        """
        super().__init__(write)
        self._quote = quote
        #: The recent targets as they stand in a line.
        self._targets: dict[bytes, str] = {}

    def render(self, exchange: Exchange, times: Times) -> str:
        """Make the line of an exchange, with its newline."""
        request = exchange.request
        status = exchange.status
        if request is None or exchange.user or not exchange.peerHost or not 0 <= status < 600:
            return super().render(exchange, times)
        fields = request.fields
        told = fields.told
        if told is None:
            told = fields.told = self._tell(fields)
        target = self._targets.get(request.target)
        if target is None:
            target = self._target(request.target)
        method = "GET" if request.method == b"GET" else self._quote(request.method)
        if request.version == 11:
            return (
                f"{exchange.peerHost}{times.combined}{method} {target} HTTP/1.1"
                f"{_STATUSES[status]}{exchange.octetsOut}{told}"
            )
        return (
            f"{exchange.peerHost}{times.combined}{method} {target} HTTP/1.0"
            f"{_STATUSES[status]}{exchange.octetsOut}{told}"
        )

    def _target(self, octets: bytes) -> str:
        """Make what a line says of a target that it has not said lately."""
        text = self._quote(octets)
        if len(octets) <= _TARGET_OCTETS:
            if len(self._targets) >= _TARGETS:
                self._targets.clear()
            self._targets[octets] = text
        return text

    def _tell(self, fields: Fields) -> str:
        """Make the end of a line."""
        index = fields.index
        referer = index.get(_REFERER)
        agent = index.get(_USER_AGENT)
        return (
            f' "{"-" if referer is None else self._quote(referer)}"'
            f' "{"-" if agent is None else self._quote(agent)}"\n'
        )


#: What the function is called with.  Without a request its parts are None, and there
#: are no C{fields}, a mapping of lower-case names to values.  C{host} of a client that was
#: passed through is what it said by TLS.
PARAMETERS = "exchange, times, peer, user, status, octets, method, target, version, host, fields"

__all__ = ["PARAMETERS", "CombinedLine", "Line", "Times"]
