# -*- test-case-name: tests.wire.test_http1 -*-
"""
What the readers of requests and of responses have in common.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .message import END, End

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..errors import WireError
    from ..settings import Limits
    from .chunked import ChunkedDecoder
    from .section import Section

# What a reader is reading.
HEAD: Final = 0
LENGTH: Final = 1
CHUNKS: Final = 2
UNTIL_THE_END: Final = 3
#: Nothing: a request was complete and the next is not asked for, or no response
#: is expected.
NOTHING: Final = 4
#: Nothing any more: the octets belong to somebody else, or an error occurred.
FINISHED: Final = 5


class Reader:
    """
    The state of reading one direction of a connection.

    @ivar undelivered: the events that a call had in hand when it raised.
    """

    __slots__ = (
        "_decoder",
        "_error",
        "_headEnd",
        "_headOctets",
        "_held",
        "_limits",
        "_remaining",
        "_section",
        "_state",
        "undelivered",
    )

    def __init__(self, limits: Limits, state: int) -> None:
        self._limits = limits
        #: How long a head may be; here, as it is asked for each time.
        self._headOctets = limits.headerOctets
        self._state = state
        #: Octets of the next message, or of whom the connection is handed to.
        self._held: bytes | bytearray = b""
        #: A head that did not arrive in one piece.
        self._section: Section | None = None
        self._decoder: ChunkedDecoder | None = None
        #: Octets of content that are still to come.
        self._remaining = 0
        #: Where the head ended that was parsed last.
        self._headEnd = 0
        self._error: WireError | None = None
        self.undelivered: Sequence[Any] = ()

    @property
    def held(self) -> int:
        """How many octets wait."""
        return self._heldOctets()

    def _heldOctets(self) -> int:
        held = len(self._held)
        if self._section is not None:
            held += self._section.size
        if self._decoder is not None:
            held += self._decoder.held
        return held

    def detach(self) -> bytes:
        """
        Give up what is held, and reading, for who takes over the connection.

        For after the L{End} of a C{CONNECT} or of a 2xx answer to one: these are
        the tunnel's first octets.
        """
        held = bytes(self._held)
        self._held = b""
        self._state = FINISHED
        self.forget()
        return held

    def forget(self) -> None:
        """Let go of the remembered fields, to save memory while nothing happens."""
        raise NotImplementedError

    def _died(self, error: WireError, events: Sequence[Any]) -> WireError:
        """Note an error that is about to be raised; it is also the last one."""
        self._state = FINISHED
        self._error = error
        self._held = b""
        self._section = None
        self._decoder = None
        self.undelivered = events
        return error

    def _hold(self, data: bytes) -> None:
        """Keep octets that nobody may read yet."""
        if not self._held:
            self._held = data
            return
        # Grown in place, as they may come in small pieces.
        if not isinstance(self._held, bytearray):
            self._held = bytearray(self._held)
        self._held += data

    def _readLength(self, data: bytes, events: list[Any]) -> bytes | None:
        """
        Read content whose length is known, and its end.

        @return: what follows it; None as long as it is not complete.
        """
        remaining = self._remaining
        available = len(data)
        if available < remaining:
            self._remaining = remaining - available
            events.append(data)
            return None
        self._remaining = 0
        events.append(data if available == remaining else data[:remaining])
        events.append(END)
        self._state = NOTHING
        return data[remaining:]

    def _readChunks(self, data: bytes, events: list[Any]) -> bytes | None:
        """
        Read chunked content, its pieces joined to one event, and its end.

        @return: what follows it; None as long as it is not complete.
        """
        decoder = self._decoder
        assert decoder is not None
        pieces: list[bytes] = []
        try:
            rest = decoder.decode(data, pieces)
        finally:
            if pieces:
                events.append(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if rest is not None:
            trailers = decoder.trailers
            events.append(End(trailers) if len(trailers.pairs) else END)
            self._decoder = None
            self._state = NOTHING
        return rest
