# -*- test-case-name: tests.policy.test_cache -*-
"""
Content on its way into the store.

A response that is stored does not go from its origin to its client, but from
its origin into a body (L{Filling}) and from there to everybody who wants it
(L{Reading<intermediary.policy.reading.Reading>}), at the pace of each.  So whoever
asked first may leave, and whoever asks meanwhile gets what is there and then what
comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface import classImplements

from ..errors import ClientGone
from ..exchange import Exchange
from ..interfaces import IDownstream
from ..program import PARKED, Program
from .recentpurges import GONE, STALE

if TYPE_CHECKING:
    from ..engine import Engine
    from ..errors import IntermediaryError
    from ..interfaces import ICacheStore, ILease
    from ..program import Step
    from ..wire.fields import Fields
    from .entries import Entry
    from .recentpurges import RecentPurges
    from .visit import Visit

#: Octets that the slowest reader has not taken yet of content that is not stored
#: any more, from which on its origin is not read.
WINDOW_OCTETS = 256 * 1024

_BEHIND = "readers do not keep up"


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
