# -*- test-case-name: tests.net.test_upstream -*-
"""
A connection to an origin, and the lease on it: one exchange at a time.

The other half of L{intermediary.net.downstream}: requests to octets, octets to
responses.  It does not know HTTP's rules for proxies, the engine does, and not
who may use it, the pool does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocol, IPushProducer
from zope.interface import classImplements

from ..errors import (
    ConnectionTerminated,
    IntermediaryError,
    ReadTimeout,
    ResponseIncomplete,
    ResponseInvalid,
    ResponseTimeout,
    Retry,
    WireError,
    WriteTimeout,
    forgetFrames,
)
from ..interfaces import ILease
from ..wire.encoding import LAST_CHUNK, encodeChunk, encodeLastChunk
from ..wire.fields import EMPTY
from ..wire.forwarding import withoutNominated
from ..wire.http1 import ResponseReader
from ..wire.message import CHUNKED, End, ResponseHead
from .gate import Gate
from .splice import Flow, isSpliceable
from .sweep import NEVER
from .tlsproblems import tlsError

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from ..exchange import Exchange
    from ..settings import Limits
    from ..wire.fields import Fields
    from .bucket import Bucket
    from .pool import Pool

#: Content of which so much is still to come is moved by the kernel.
BULK_OCTETS: Final = 256 * 1024

#: How long a connection may take to close in order.
CLOSING_SECONDS: Final = 5.0

#: What the gate calls it when the response came before it was wanted.
EARLY: Final = "reply not begun"


class UpstreamConnection:
    """
    One connection of the pool; leased, it is the lease.

    @ivar reused: whether it has served an exchange before this one.
    @ivar opened: C{reactor.seconds()} when it was established.
    """

    __slots__ = (
        "_chunked",
        "_corked",
        "_delivering",
        "_early",
        "_ending",
        "_flow",
        "_flowing",
        "_full",
        "_gate",
        "_phase",
        "_pool",
        "_reader",
        "_requestSent",
        "_responseEnded",
        "_unsent",
        "_transferred",
        "_keep",
        "bucket",
        "connected",
        "counted",
        "deadline",
        "exchange",
        "factory",
        "opened",
        "released",
        "reused",
        "transport",
    )

    def __init__(self, pool: Pool, bucket: Bucket, limits: Limits) -> None:
        self._pool = pool
        self.bucket = bucket
        self.factory: Any = None
        self.transport: Any = None
        self.connected = False
        #: Whether it counts against the pool's limits; the pool keeps it.
        self.counted = False
        self.deadline = NEVER
        self.exchange: Exchange | None = None
        self.reused = False
        self.opened = 0.0
        #: When it became idle.
        self.released = 0.0
        self._reader = ResponseReader(limits)
        #: What the deadline is for: "head", "content", "request", "closing" or "".
        self._phase = ""
        self._corked: list[bytes] = []
        self._chunked = False
        #: The transport wants no more for now.
        self._full = False
        self._requestSent = False
        self._responseEnded = False
        self._transferred = False
        self._keep = False
        #: The reply's head is out: content goes straight to the sink.
        self._flowing = False
        #: Inside the call that tells of the response's head.
        self._delivering = False
        #: What arrived before.
        self._early: list[Any] | None = None
        #: What moves the content when it is much.
        self._flow: Flow | None = None
        #: What of it had not left when that was looked at last.
        self._unsent = 0
        #: Why the connection is gone.
        self._ending: Failure | None = None

    # IProtocol

    def makeConnection(self, transport: Any) -> None:
        """The origin is connected."""
        self.transport = transport
        self.connected = True
        self.opened = self._pool.seconds()
        self._gate = Gate(transport)
        transport.registerProducer(self, True)
        self._pool.sweeper.watch(self)

    def connectionMade(self) -> None:
        """Nothing more than L{makeConnection} did."""

    def dataReceived(self, data: bytes) -> None:
        """Octets of the response."""
        exchange = self.exchange
        if exchange is None:
            # RFC 9112 §9.3.1: nothing was asked, so it answers nothing.
            self.transport.abortConnection()
            self._pool.lost(self)
            return
        try:
            events = self._reader.receive(data)
        except WireError as error:
            self._fail(_invalid(error))
            return
        self._deliver(exchange, events)

    def connectionLost(self, reason: Failure) -> None:
        """The origin is gone, in whatever state that finds us."""
        self.connected = False
        self.deadline = NEVER
        self._pool.sweeper.forget(self)
        self._pool.lost(self)
        exchange = self.exchange
        if exchange is None:
            return
        flow = self._flow
        if flow is not None:
            self._keep = False
            if flow.remaining:
                self._fail(ResponseIncomplete(f"{flow.remaining} octets are missing"))
            return  # otherwise what is left is on its way to the client
        self._ending = reason
        if self._early is None:  # what came before the end comes first
            self._ended(exchange)

    def _ended(self, exchange: Exchange) -> None:
        """The connection closed with an exchange on it."""
        reason = self._ending
        assert reason is not None
        if not reason.check(ConnectionDone):
            # A reset is not a close: content that only a close ends is cut off.  Nor is
            # an end of TLS that the origin did not announce (RFC 8446 §6.1).
            self._fail(self._cutOff(reason.value))
            return
        try:
            events = self._reader.eof()
        except WireError as error:
            forgetFrames(error)
            self._fail(
                self._terminated(error.detail)
                if self._reader.idle
                else ResponseIncomplete(error.detail)
            )
            return
        self._keep = False
        self._deliver(exchange, events)

    def _cutOff(self, reason: BaseException | None) -> IntermediaryError:
        if not isinstance(reason, SSL.Error):
            return self._terminated(str(reason))
        error = tlsError(reason, f"{self.bucket.origin}: ")
        if not self._reader.idle:
            return ResponseIncomplete(error.detail)
        # The request was sent: it may have had its effect.
        error.retry = Retry.IF_REUSED
        return error

    def _terminated(self, detail: str) -> IntermediaryError:
        if self._reader.idle:
            return ConnectionTerminated(detail)
        return ResponseIncomplete(detail)

    # Responses

    def _deliver(self, exchange: Exchange, events: list[Any]) -> None:
        engine = exchange.front.engine
        for position, event in enumerate(events):
            if isinstance(event, bytes):
                if not self._flowing:
                    self._hold(events[position:])
                    return
                exchange.sink.write(event)
            elif isinstance(event, ResponseHead):
                if event.status < 200:
                    engine.interim(exchange, event)
                    continue
                self._keep = event.keepAlive
                self._expect("content", exchange.front.timeouts.betweenBytesSeconds)
                self._delivering = True
                engine.responded(exchange, event)
                self._delivering = False
                if self._transferred and self.exchange is not None:
                    exchange = self.exchange
            else:
                if not self._flowing:
                    self._hold(events[position:])
                    return
                self._phase = ""
                self.deadline = NEVER
                self._responseEnded = True
                end: End = event
                trailers = end.trailers
                if trailers is not EMPTY and exchange.response is not None:
                    trailers = withoutNominated(trailers, exchange.response.fields)
                exchange.sink.end(trailers)
                return
            if self.exchange is not exchange:
                return
        if self._flowing:
            if self._phase == "content":
                self._expectContent(exchange)
            exchange.sink.flush()
            if self._reader.remaining >= BULK_OCTETS and self._gate.isOpen:
                self._splice(exchange)

    def _splice(self, exchange: Exchange) -> None:
        """
        Let the kernel move the rest of the content, if nobody looks at it.

        From here on neither connection sees any of it: the flow reads, pauses
        and resumes by itself, and tells how far it is.
        """
        sink = exchange.downstream.spliceInto() if exchange.sink is exchange.downstream else None
        if sink is None or not self.connected or not isSpliceable(self.transport, sink):
            return
        remaining = self._reader.remaining
        self._reader.skip()
        self._flow = Flow(
            self.transport, sink, self._pool.pipes, remaining, self._moved, self._flowed
        )
        self._flow.begin()

    def _moved(self, octets: int) -> None:
        """Some of the content was moved by the flow."""
        exchange = self.exchange
        if exchange is not None:
            exchange.octetsOut += octets
            self._expect("content", exchange.front.timeouts.betweenBytesSeconds)

    def _flowed(self) -> None:
        """All of the content was moved."""
        self._flow = None
        exchange = self.exchange
        if exchange is not None:
            self._phase = ""
            self.deadline = NEVER
            self._responseEnded = True
            exchange.sink.end(None)

    def _hold(self, events: list[Any]) -> None:
        if self._early is None:
            self._early = []
            self._gate.pause(EARLY)
            self._phase = ""
            self.deadline = NEVER
        self._early.extend(events)

    def openBody(self) -> None:
        """See L{ILease.openBody}."""
        self._flowing = True
        early, self._early = self._early, None
        if early is None:
            if not self._delivering and self.exchange is not None:
                # The head came alone, and had to wait: nothing else sends it.
                self.exchange.sink.flush()
        else:
            exchange = self.exchange
            assert exchange is not None
            self._gate.resume(EARLY)
            self._expectContent(exchange)
            self._deliver(exchange, early)
            if not self.connected and self.exchange is exchange and not self._responseEnded:
                self._ended(exchange)

    def pauseBody(self, reason: str) -> None:
        """See L{ILease.pauseBody}."""
        self._gate.pause(reason)
        self.deadline = NEVER

    def resumeBody(self, reason: str) -> None:
        """See L{ILease.resumeBody}."""
        self._gate.resume(reason)
        if self.exchange is not None and self._phase == "content":
            self._expectContent(self.exchange)

    # Requests

    def lend(self, exchange: Exchange) -> None:
        """Begin an exchange on this connection; the pool alone calls it."""
        self.exchange = exchange
        self._requestSent = self._responseEnded = self._flowing = self._keep = False
        self._transferred = False

    def transfer(self, exchange: Exchange) -> None:
        """See L{ILease.transfer}."""
        self.exchange = exchange
        self._transferred = True

    def send(self, octets: bytes, method: bytes, complete: bool) -> None:
        """See L{ILease.send}."""
        try:
            self._reader.expect(method)
        except WireError as error:
            raise _invalid(error) from error
        if complete:
            self._complete()
            self.transport.write(octets)
        else:
            exchange = self.exchange
            assert exchange is not None
            assert exchange.forward is not None
            self._chunked = exchange.forward.framing == CHUNKED
            self._corked.append(octets)

    def write(self, piece: bytes) -> None:
        """See L{IBodySink.write<intermediary.interfaces.IBodySink.write>}."""
        if self._phase == "content" and self.exchange is not None:
            # The response began before the request ended: both are moving.
            self._expectContent(self.exchange)
        self._corked.append(encodeChunk(piece) if self._chunked else piece)

    def flush(self) -> None:
        """See L{IBodySink.flush<intermediary.interfaces.IBodySink.flush>}."""
        corked = self._corked
        if corked:
            self._corked = []
            self.transport.writeSequence(corked)

    def end(self, trailers: Fields | None) -> None:
        """See L{IBodySink.end<intermediary.interfaces.IBodySink.end>}."""
        if self._chunked:
            self._chunked = False
            self._corked.append(encodeLastChunk(trailers) if trailers else LAST_CHUNK)
        self._complete()
        self.flush()

    def fail(self, error: IntermediaryError) -> None:
        """The request will never be complete: nor will its response."""
        self._keep = False
        self.transport.abortConnection()

    def _complete(self) -> None:
        exchange = self.exchange
        assert exchange is not None
        self._requestSent = True
        if exchange.response is None and not self._full:
            self._phase = "head"
            self.deadline = self._pool.sweeper.horizon + exchange.front.timeouts.responseHeadSeconds

    # IPushProducer, for our own transport

    def pauseProducing(self) -> None:
        """The origin does not keep up with the request."""
        self._full = True
        exchange = self.exchange
        if exchange is not None:
            if self._phase in ("", "head"):
                self._expect("request", exchange.front.timeouts.betweenBytesSeconds)
            exchange.downstream.pauseRequest("upstream does not keep up")

    def resumeProducing(self) -> None:
        """The origin took what we had."""
        self._full = False
        exchange = self.exchange
        if exchange is not None:
            if self._phase == "request":
                self._phase = ""
                self.deadline = NEVER
                if self._requestSent:
                    self._expect("head", exchange.front.timeouts.responseHeadSeconds)
            exchange.downstream.resumeRequest("upstream does not keep up")

    def stopProducing(self) -> None:
        """The transport is gone; C{connectionLost} follows."""

    # Time and ends

    def _expect(self, phase: str, seconds: float) -> None:
        self._phase = phase
        self.deadline = self._pool.sweeper.horizon + seconds

    def _expectContent(self, exchange: Exchange) -> None:
        """Wait for the rest of the response, as long as it is read."""
        self._expect("content", exchange.front.timeouts.betweenBytesSeconds)
        if not self._gate.isOpen:
            # It is us who do not read: the origin is not to blame.
            self.deadline = NEVER

    def expire(self, now: float) -> None:
        """The origin took too long."""
        self.deadline = NEVER
        if self._phase == "head":
            self._fail(ResponseTimeout("no response head in time"))
        elif self._phase == "request":
            self._fail(WriteTimeout("the request is not taken"))
        elif self._phase == "content":
            flow, exchange = self._flow, self.exchange
            if flow is not None and flow.held and exchange is not None:
                unsent = flow.unsentOctets()
                if unsent != self._unsent:
                    # Slow, but not dead: what the kernel has of it moves.
                    self._unsent = unsent
                    self._expect("content", exchange.front.timeouts.betweenBytesSeconds)
                else:
                    exchange.downstream.abort()  # it is the client that takes nothing
            else:
                self._fail(ReadTimeout("silent in the middle of the response"))
        elif self._phase == "closing" and self.connected:
            self.transport.abortConnection()

    def _fail(self, error: IntermediaryError) -> None:
        self._keep = False
        exchange = self.exchange
        if exchange is not None:
            exchange.front.engine.fail(exchange, error)

    def release(self) -> None:
        """See L{ILease.release}."""
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return
        self._phase = ""
        self.deadline = NEVER
        if self._flow is not None:
            self._flow.stop()
            self._flow = None
        if self._full:
            exchange.downstream.resumeRequest("upstream does not keep up")
        if (
            self._keep
            and self.connected
            and self._requestSent
            and self._responseEnded
            and not self._full
            and not self._reader.held
        ):
            self._gate.clear()
            self.reused = True
            self._pool.returned(self)
        else:
            self.close()

    def close(self) -> None:
        """
        Drop the connection.

        After a complete exchange it is closed in order, otherwise aborted.
        """
        self._corked.clear()
        self._early = None
        self._pool.lost(self)
        if self.connected:
            if self._responseEnded and self._requestSent:
                self._expect("closing", CLOSING_SECONDS)
                self.transport.unregisterProducer()
                self.transport.loseConnection()
            else:
                self.transport.abortConnection()

    def __repr__(self) -> str:
        state = "leased" if self.exchange is not None else "idle"
        return f"<UpstreamConnection {self.bucket.origin} {state} {self._phase} {self._gate!r}>"


# Not as a decorator, which would keep the class from being compiled well.
classImplements(UpstreamConnection, IProtocol, IPushProducer, ILease)


def _invalid(error: WireError) -> ResponseInvalid:
    """An origin's error, with its own word for it (RFC 9209 §2.3)."""
    # The reader keeps it.
    forgetFrames(error)
    invalid = ResponseInvalid(error.detail)
    if error.token != WireError.token:
        invalid.token = error.token
    return invalid
