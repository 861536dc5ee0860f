# -*- test-case-name: tests.policy.test_cache -*-
"""
Content on its way into the store, and out of it.

A response that is stored does not go from its origin to its client, but from
its origin into a body (L{Filling}) and from there to everybody who wants it
(L{Reading}), at the pace of each.  So whoever asked first may leave, and
whoever asks meanwhile gets what is there and then what comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface import classImplements

from ..errors import ClientGone, ContentGone, ResponseIncomplete
from ..exchange import Exchange
from ..interfaces import IDownstream, IFileSource
from ..program import PARKED, Program
from ..wire.fields import EMPTY
from .recentpurges import GONE, STALE

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from ..engine import Engine
    from ..errors import IntermediaryError
    from ..interfaces import ICacheStore, ILease
    from ..program import Step
    from ..wire.fields import Fields
    from .body import Body
    from .entries import Entry
    from .recentpurges import RecentPurges
    from .visit import Visit

#: Octets that the slowest reader has not taken yet of content that is not stored
#: any more, from which on its origin is not read.
WINDOW_OCTETS = 256 * 1024
#: How much of a file one reader has in memory at a time.
FILE_OCTETS = 128 * 1024
#: How much of a file there has to be for the kernel to send it: for less, to set
#: that up costs what it saves.
SENT_OCTETS = 64 * 1024

_BEHIND = "readers do not keep up"


class Reading:
    """
    One exchange's way through a body: the source of its reply's content.

    What is not in memory any more it has the kernel send from the body's file, or reads
    it, piece by piece, where the connection can't do that.

    @ivar position: the octet of the body that is next; while a file is being sent,
        the first one of that.
    """

    __slots__ = (
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
        "_sent",
        "_stop",
        "position",
    )

    #: For the engine: it is no connection.
    reused = False

    def __init__(
        self, engine: Engine, exchange: Exchange, body: Body, start: int = 0, stop: int = -1
    ) -> None:
        """
        @param stop: the octet after the last one, as in a slice; -1 for all.
        """
        self._engine = engine
        self._exchange = exchange
        self._body: Body | None = body
        self._open = False
        self._paused: tuple[str, ...] = ()
        self._pumping = False
        self._stop = stop
        self.position = start
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
        octets = min(FILE_OCTETS, stop - self.position, file.octets - self.position)
        fetching = file.read(self.position, octets)
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
        if stop - self.position < SENT_OCTETS:
            return False
        # As it may have everything sent at once, though it says so later.
        self._sent = stop
        if not exchange.downstream.sendFile(file.descriptor, self.position, stop, file.bring):
            self._sent = -1
            return False
        return True

    def fileSent(self) -> None:
        """See L{IFileSource.fileSent}."""
        self.position, self._sent = self._sent, -1
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
            if self.position == stop:
                self.release()
                sink.end(EMPTY)
                break
            if self._piece:
                piece, self._piece = self._piece, b""
            elif self.position < body.start:
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
                piece = body.read(self.position)
            if piece:
                if 0 <= stop < self.position + len(piece):
                    piece = piece[: stop - self.position]
                self.position += len(piece)
                sink.write(piece)
                # The last piece leaves with the end.
                if not body.ended or self.position < body.octets:
                    sink.flush()
                    body.passed()
            elif body.error is not None:
                self.release()
                self._engine.fail(exchange, body.error)
            elif body.complete:
                self.release()
                sink.end(body.trailers)
            else:
                # The head, if it is still here.
                sink.flush()
                break
        self._pumping = False

    def __repr__(self) -> str:
        paused = ", ".join(self._paused) or "open"
        return f"<Reading at {self.position} of {self._body!r} {paused}>"


# Not as a decorator, which would keep the class from being compiled well.
classImplements(Reading, IFileSource)


class Nobody:
    """
    The client of an exchange that has none.

    @ivar exchange: the exchange, until it is over.
    """

    __slots__ = ("exchange",)

    # What a client's connection is asked.
    connected = True
    draining = False
    keepAlive = False
    takesParts = False
    clientCertificate: Any = None

    def __init__(self) -> None:
        self.exchange: Exchange | None = None

    def write(self, piece: bytes) -> None:
        """See L{IBodySink.write<intermediary.interfaces.IBodySink.write>}."""

    def flush(self) -> None:
        """See L{IBodySink.flush<intermediary.interfaces.IBodySink.flush>}."""

    def end(self, trailers: Fields) -> None:
        """See L{IBodySink.end<intermediary.interfaces.IBodySink.end>}."""
        exchange = self.exchange
        assert exchange is not None
        exchange.front.engine.proceed(exchange)

    def fail(self, error: IntermediaryError) -> None:
        """See L{IBodySink.fail<intermediary.interfaces.IBodySink.fail>}."""

    def sendInterim(self, octets: bytes) -> None:
        """See L{IDownstream.sendInterim}."""

    def sendHead(self, octets: bytes, framing: int, source: Any) -> None:
        """See L{IDownstream.sendHead}."""

    def spliceInto(self) -> Any:
        """See L{IDownstream.spliceInto}: nobody else could see the content then."""
        return None

    def sendFile(self, descriptor: int, start: int, stop: int, bring: Any = None) -> bool:
        """See L{IDownstream.sendFile}: nobody else could see the content then."""
        return False

    def endWith(self, part: Any) -> None:
        """See L{IDownstream.endWith}: not called."""

    def feedRequest(self, sink: Any) -> None:
        """See L{IDownstream.feedRequest}: it has no content."""

    def holdRequest(self) -> None:
        """See L{IDownstream.holdRequest}: it has no content."""

    def pauseRequest(self, reason: str) -> None:
        """See L{IDownstream.pauseRequest}: it has no content."""

    def resumeRequest(self, reason: str) -> None:
        """See L{IDownstream.resumeRequest}: it has no content."""

    def exchangeEnded(self, exchange: Exchange) -> None:
        """See L{IDownstream.exchangeEnded}: nothing follows."""
        self.exchange = None

    def abort(self) -> None:
        """See L{IDownstream.abort}: there is nothing to drop."""


classImplements(Nobody, IDownstream)


class Filling(Nobody):
    """
    Brings the rest of a response into the body of an entry.

    As long as the store keeps the entry, the content comes as fast as it may.  If it is
    too big for memory but is written to a disk, what was written is let go, and the
    origin waits for the disk.  If nobody stores it any more, what readers have had is
    let go, and the origin waits for the slowest of them.
    """

    __slots__ = (
        "_ahead",
        "_behind",
        "_body",
        "_entry",
        "_purges",
        "_spilling",
        "_store",
        "_stored",
        "_tail",
    )

    def __init__(
        self,
        store: ICacheStore,
        entry: Entry,
        visit: Visit,
        purges: RecentPurges,
    ) -> None:
        """
        @param visit: its C{tail} follows in the body behind the content of the
            response; what it refreshed ahead of time comes back where that breaks off.
        @param purges: know what was purged meanwhile, and does not.
        """
        super().__init__()
        self._store = store
        self._entry = entry
        self._body = entry.body
        self._stored = True
        self._behind = False
        self._spilling = False
        self._tail = visit.tail
        self._ahead = visit if visit.ahead is not None else None
        self._purges = purges
        entry.body.source = self

    # IBodySink

    def write(self, piece: bytes) -> None:
        """See L{IBodySink.write<intermediary.interfaces.IBodySink.write>}."""
        if self._stored and not self._store.grew(self._entry, len(piece)):
            self._stored = False
        self._body.take(piece)
        if not self._stored or self._body.spilling is not None:
            self.balance()

    def flush(self) -> None:
        """See L{IBodySink.flush<intermediary.interfaces.IBodySink.flush>}."""
        self._body.tell()

    def end(self, trailers: Fields) -> None:
        """See L{IBodySink.end<intermediary.interfaces.IBodySink.end>}."""
        if self._tail:
            for piece in self._tail:
                self.write(piece)
        self._body.source = None
        self._ahead = None
        self._body.end(trailers)
        super().end(trailers)

    def fail(self, error: IntermediaryError) -> None:
        """See L{IBodySink.fail<intermediary.interfaces.IBodySink.fail>}."""
        if self._body.ended:
            return  # all had come when somebody gave up
        self._body.source = None
        visit, self._ahead = self._ahead, None
        if visit is None or not self._takesBack(visit):
            self._store.remove(self._entry)
        self._body.fail(error)

    def _takesBack(self, visit: Visit) -> bool:
        """Have what was refreshed take the place of this again; whether it may."""
        entry, before = self._entry, visit.ahead
        assert before is not None
        if entry.queue is None or before.queue is not None or not before.body.isKept:
            # This was purged meanwhile, or had to make room; or that is nowhere any more.
            return False
        if entry.variant != before.variant:
            # It has not taken its place, so that would not take this one's.
            return False
        # A purge may have been about that alone, or has not come to this yet.
        state = self._purges.meanwhile(visit, before)
        if state == GONE:
            return False
        # No fresher than what it comes back for.
        before.expires = min(before.expires, max(entry.expires, entry.stored))
        if state == STALE:
            before.expires = min(before.expires, entry.stored)
        self._store.add(before)
        return True

    def follow(self, entry: Entry) -> None:
        """Grow another entry, which has taken the place of this one with its body."""
        self._entry = entry

    def balance(self) -> None:
        """Some reader, or the disk, is further, or is gone: see what that means for the origin."""
        body = self._body
        if self._stored:
            writing = body.spilling
            if writing is None:
                return
            if writing.failed:
                # It leaves memory, too, before anything is let go that is nowhere else.
                self._stored = self._store.grew(self._entry, 0)
        exchange = self.exchange
        if exchange is None or exchange.lease is None or exchange.finishing:
            return
        if self._stored:
            if not self._spilling:
                self._spilling = True
                # Readers are to have the file open before anything is let go.
                body.tell()
            written: int = body.spilling.written
            # Only tiers have that.
            store: Any = self._store
            store.shed(self._entry, body.shed(written))
            behind = body.octets - written > store.spillOctets
        else:
            if not body.watchers:
                exchange.front.engine.fail(exchange, ClientGone("nobody reads what is not stored"))
                return
            slowest = body.slowest()
            body.shed(slowest)
            behind = body.octets - slowest > WINDOW_OCTETS
        if behind is not self._behind:
            self._behind = behind
            if behind:
                exchange.lease.pauseBody(_BEHIND)
            else:
                exchange.lease.resumeBody(_BEHIND)

    def __repr__(self) -> str:
        return f"<Filling {self._entry!r} {'stored' if self._stored else 'passing'}>"


def takeLease(of: Exchange) -> ILease:
    """Take an exchange's lease away, so that its content may come from elsewhere."""
    lease = of.lease
    assert lease is not None
    of.lease = None
    return lease


def continueWith(client: Nobody, of: Exchange, lease: ILease, program: Program) -> None:
    """
    Let an exchange without a client have the rest of another one's response.

    Some of it may be here already, and is brought before this returns: whoever
    is to read it should be there before.

    @param of: whose response it is.
    @param lease: of L{takeLease}.
    @param program: of L{restProgram}.
    """
    exchange = client.exchange = Exchange(of.front, client, of.request, of.peerHost, of.started)
    exchange.origin = of.origin
    exchange.upstreamName = of.upstreamName
    exchange.attempts = of.attempts
    exchange.response = of.response
    exchange.requestEnded = exchange.requestTaken = exchange.headSent = True
    exchange.lease = lease
    lease.transfer(exchange)
    of.front.engine.run(exchange, program, program.deliver)


def restProgram(engine: Engine, *finish: Step) -> Program:
    """
    Make the program of those exchanges: all but the content has been seen to.

    @param finish: what is to be done at the end.
    """
    return Program(
        "rest of a response",
        {"deliver": (_open,), "finish": (engine.release, *finish, engine.end)},
    )


def _open(exchange: Exchange) -> Any:
    """Let the content flow."""
    lease: ILease | None = exchange.lease
    assert lease is not None
    lease.openBody()
    return PARKED
