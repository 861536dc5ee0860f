# -*- test-case-name: tests.wire.test_http1 -*-
"""
The events of a reader: heads, pieces of content (plain C{bytes}) and ends.

Framing is an integer: what is not negative is a Content-Length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..compiling import mypyc_attr
from .fields import EMPTY

if TYPE_CHECKING:
    from .fields import Fields

#: There is no content.
NO_BODY: Final = 0
#: The content is in chunks (RFC 9112 §7.1).
CHUNKED: Final = -1
#: The content ends with the connection (RFC 9112 §6.3, rule 8).
UNTIL_CLOSE: Final = -2


# Part of no cycle: nothing that it refers to knows of it.
@mypyc_attr(acyclic=True)
class RequestHead:
    """
    A request line and its fields, validated.

    @ivar method: a token, in its original case.
    @ivar target: the request target as received (RFC 9112 §3.2): C{/...}, an
        absolute URI, which L{parseAbsolute<intermediary.wire.target.parseAbsolute>}
        has yet to judge, C{*} for C{OPTIONS}, C{host:port} for C{CONNECT}.
    @ivar version: 10 or 11.
    @ivar framing: L{NO_BODY}, L{CHUNKED} or the length of the content.
    @ivar keepAlive: the client wants to use the connection again.
    @ivar expectsContinue: the client waits for a 100 (RFC 9110 §10.1.1).
    @ivar host: the value of C{Host}, valid; None only without one, in HTTP/1.0.
    """

    __slots__ = (
        "expectsContinue",
        "fields",
        "framing",
        "host",
        "keepAlive",
        "method",
        "target",
        "version",
    )

    def __init__(
        self,
        method: bytes,
        target: bytes,
        version: int,
        fields: Fields,
        framing: int = NO_BODY,
        keepAlive: bool = True,
        expectsContinue: bool = False,
        host: bytes | None = None,
    ) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.fields = fields
        self.framing = framing
        self.keepAlive = keepAlive
        self.expectsContinue = expectsContinue
        self.host = host

    def __eq__(self, other: object) -> bool:
        return _equal(self, other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return _represent(self)


@mypyc_attr(acyclic=True)
class ResponseHead:
    """
    A status line and its fields, validated.

    After one with a 1xx status no L{End} follows, but the next head.

    @ivar status: 100 to 999.
    @ivar reason: the reason phrase, often empty.
    @ivar version: 10 or 11.
    @ivar framing: L{NO_BODY}, L{CHUNKED}, L{UNTIL_CLOSE} or the length of the
        content that follows.
    @ivar keepAlive: the connection may be used again after the L{End}.
    @ivar length: the value of C{Content-Length}, None without.  It differs
        from C{framing} where there is no content to follow: in an answer to
        C{HEAD} and in a 304 it tells the length that was not sent.
    """

    __slots__ = ("fields", "framing", "keepAlive", "length", "reason", "status", "version")

    def __init__(
        self,
        status: int,
        reason: bytes,
        version: int,
        fields: Fields,
        framing: int = NO_BODY,
        keepAlive: bool = True,
        length: int | None = None,
    ) -> None:
        self.status = status
        self.reason = reason
        self.version = version
        self.fields = fields
        self.framing = framing
        self.keepAlive = keepAlive
        self.length = length

    def __eq__(self, other: object) -> bool:
        return _equal(self, other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return _represent(self)


class End:
    """
    The end of a message.

    @ivar trailers: the fields after chunked content, kept apart from the head's
        (RFC 9110 §6.5), without those that have no business there.
    """

    __slots__ = ("trailers",)

    def __init__(self, trailers: Fields) -> None:
        self.trailers = trailers

    def __eq__(self, other: object) -> bool:
        return _equal(self, other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return _represent(self)


#: The end of a message without trailers.
END: Final = End(EMPTY)


# What a compiled class has no __slots__ to tell.
_FACTS: Final = {
    RequestHead: (
        "method",
        "target",
        "version",
        "fields",
        "framing",
        "keepAlive",
        "expectsContinue",
        "host",
    ),
    ResponseHead: ("status", "reason", "version", "fields", "framing", "keepAlive", "length"),
    End: ("trailers",),
}


def _equal(one: RequestHead | ResponseHead | End, other: object) -> bool:
    return type(one) is type(other) and all(
        getattr(one, name) == getattr(other, name) for name in _FACTS[type(one)]
    )


def _represent(one: RequestHead | ResponseHead | End) -> str:
    values = ", ".join(f"{name}={getattr(one, name)!r}" for name in _FACTS[type(one)])
    return f"{type(one).__name__}({values})"
