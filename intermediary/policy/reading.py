# -*- test-case-name: tests.policy.test_reading -*-
"""
Content on its way out of the store: to each of its readers at its own pace.

Whether it is still arriving (L{Filling<intermediary.policy.filling.Filling>}) makes
no difference to who reads it, but for having to wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface import classImplements

from ..errors import ContentGone, ResponseIncomplete
from ..interfaces import IFileSource
from ..wire.fields import EMPTY

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from ..engine import Engine
    from ..exchange import Exchange
    from ..wire.ranges import Section
    from .body import Body

#: How much of a file one reader has in memory at a time.
FILE_OCTETS = 128 * 1024
#: How much of a file there has to be for the kernel to send it: for less, to set
#: that up costs what it saves.
SENT_OCTETS = 64 * 1024


class Reading:
    """
    One exchange's way through a body: the source of its reply's content.

    What is not in memory any more it has the kernel send from the body's file, or reads
    it, piece by piece, where the connection can't do that.

    The way may have several sections, with something else written before each of them.
    Wherever the content is, that makes no difference.
    """

    __slots__ = (
        "_at",
        "_body",
        "_engine",
        "_exchange",
        "_fetching",
        "_file",
        "_open",
        "_paused",
        "_piece",
        "_pumping",
        "_reading",
        "_rest",
        "_sent",
        "_stop",
    )

    #: For the engine: it is no connection.
    reused = False

    def __init__(
        self,
        engine: Engine,
        exchange: Exchange,
        body: Body,
        start: int = 0,
        stop: int = -1,
        sections: list[Section] | None = None,
    ) -> None:
        """
        @param stop: the octet after the last one, as in a slice; -1 for all.
        @param sections: what follows C{stop}, in order.  Of a body that still grows none
            may go back: its origin waits for the slowest reader.
        """
        self._engine = engine
        self._exchange = exchange
        self._body: Body | None = body
        self._open = False
        self._paused: tuple[str, ...] = ()
        self._pumping = False
        # The octet of the body that is next; while a file is being sent, the first one
        # of that.
        self._at = start
        self._stop = stop
        # The next section is the last.
        self._rest = None if sections is None else sections[::-1]
        self._file: Any = None
        self._piece = b""
        self._reading = False
        # What comes of that, for who does not wait any more.
        self._fetching: Any = None
        # Up to where the file is being sent; -1 while none is.
        self._sent = -1
        body.enter(self)
        body.watch(self)
        if body.start or body.spilling is not None:
            self._hold(body)

    @property
    def position(self) -> int:
        """
        See L{Reader<intermediary.policy.body.Reader>}.

        The first octet that it wants still, which need not be the next one.
        """
        rest = self._rest
        return min([self._at, *[each[1] for each in rest]]) if rest else self._at

    def openBody(self) -> None:
        """See L{IBodySource.openBody}."""
        self._open = True
        self._pump()

    def pauseBody(self, reason: str) -> None:
        """See L{IBodySource.pauseBody}."""
        if reason not in self._paused:
            self._paused = (*self._paused, reason)

    def resumeBody(self, reason: str) -> None:
        """See L{IBodySource.resumeBody}."""
        if reason in self._paused:
            self._paused = tuple([each for each in self._paused if each != reason])
            self._pump()

    def release(self) -> None:
        """See L{IBodySource.release}."""
        body, self._body = self._body, None
        file, self._file = self._file, None
        fetching, self._fetching = self._fetching, None
        if fetching is not None:
            fetching.cancel()
        if file is not None:
            file.drop()
        if body is not None:
            body.leave(self)
            body.unwatch(self)
            body.passed()

    def cutOff(self) -> None:
        """See L{Reader<intermediary.policy.body.Reader>}: the client is too slow for it."""
        self.release()
        self._engine.fail(self._exchange, ContentGone("read too slowly"))

    def grown(self) -> None:
        """See L{Watcher<intermediary.policy.body.Watcher>}."""
        body = self._body
        if body is not None and body.spilling is not None and self._file is None:
            self._hold(body)
        self._pump()

    # The file

    def _hold(self, body: Body) -> None:
        """Have the file stay open."""
        file = body.file
        if file is not None and file.isOpen:
            file.take()
            self._file = file

    def _fetch(self, body: Body) -> bool:
        """
        Read the next piece from the file, if that is not being done.

        @return: whether it comes; not if there is no file.
        """
        file = self._file
        if self._reading:
            return True
        if file is None:
            return False
        self._reading = True
        stop = self._stop if self._stop >= 0 else body.octets
        octets = min(FILE_OCTETS, stop - self._at, file.octets - self._at)
        fetching = file.read(self._at, octets)
        fetching.addCallbacks(self._fetched, self._lost)
        if self._reading:
            self._fetching = fetching
        return True

    def _send(self, body: Body) -> bool:
        """
        Have the kernel send what is in the file alone, if that is much.

        Only of a file that is complete: until then, what is in memory of it goes faster.

        @return: whether it does; L{fileSent} is called then.
        """
        file = self._file
        exchange = self._exchange
        if (
            file is None
            or self._reading
            or not file.complete
            or exchange.sink is not exchange.downstream
        ):
            return False
        stop = body.start
        if 0 <= self._stop < stop:
            stop = self._stop
        if stop - self._at < SENT_OCTETS:
            return False
        # As it may have everything sent at once, though it says so later.
        self._sent = stop
        if not exchange.downstream.sendFile(file.descriptor, self._at, stop, file.bring):
            self._sent = -1
            return False
        return True

    def fileSent(self) -> None:
        """See L{IFileSource.fileSent}."""
        self._at, self._sent = self._sent, -1
        self._pump()

    def _fetched(self, piece: bytes) -> None:
        self._reading = False
        self._fetching = None
        if self._body is None:
            return
        if not piece:
            self._engine.fail(self._exchange, ResponseIncomplete("a file became shorter"))
            return
        self._piece = piece
        self._pump()

    def _lost(self, failure: Failure) -> None:
        self._reading = False
        self._fetching = None
        if self._body is not None:
            error = ResponseIncomplete(failure.getErrorMessage())
            self._engine.fail(self._exchange, error)

    def _begin(self, section: Section, body: Body) -> None:
        """Go on with another section."""
        lead, self._at, self._stop = section
        self._exchange.sink.write(lead)
        # What is between them this reader has had, too.
        body.passed()

    def _pump(self) -> None:
        """Hand on what is there, as long as the client takes it."""
        if self._pumping or not self._open or self._sent >= 0:
            return
        self._pumping = True
        exchange = self._exchange
        sink = exchange.sink
        while True:
            body = self._body
            if body is None or self._paused:
                break
            stop = self._stop
            if self._at == stop:
                if self._rest:
                    self._begin(self._rest.pop(), body)
                    continue
                self.release()
                sink.end(EMPTY)
                break
            if self._piece:
                piece, self._piece = self._piece, b""
            elif self._at < body.start:
                if self._send(body):
                    break
                if not self._fetch(body):
                    self.release()
                    self._engine.fail(exchange, ResponseIncomplete("it was let go"))
                elif self._reading:
                    # The head, if it is still here.
                    sink.flush()
                    break
                continue
            else:
                piece = body.read(self._at, stop)
            if piece:
                self._at += len(piece)
                sink.write(piece)
                # The last piece leaves with the end.
                if not body.ended or self._at < body.octets:
                    sink.flush()
                    body.passed()
            elif body.error is not None:
                self.release()
                self._engine.fail(exchange, body.error)
            elif body.complete:
                self.release()
                if stop >= 0:
                    # The client was told of more.
                    self._engine.fail(exchange, ResponseIncomplete("it is shorter than it was"))
                else:
                    sink.end(body.trailers)
            else:
                # The head, if it is still here.
                sink.flush()
                break
        self._pumping = False

    def __repr__(self) -> str:
        paused = ", ".join(self._paused) or "open"
        return f"<Reading at {self._at} of {self._body!r} {paused}>"


# Not as a decorator, which would keep the class from being compiled well.
classImplements(Reading, IFileSource)
