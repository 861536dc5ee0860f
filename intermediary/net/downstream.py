# -*- test-case-name: tests.net.test_downstream,tests.net.test_closing -*-
"""
A client's connection: octets to exchanges, replies to octets.

One exchange at a time.  What the client sends ahead stays in the reader, and in
the kernel, until the exchange before it has ended and its reply has left.  The
state is reading (the reader's) x writing (what is corked and whether the
transport keeps up) x C{keepAlive}; how it ends is L{Closing}'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IHandshakeListener,
    IProtocol,
    IPushProducer,
    ISSLTransport,
)
from zope.interface import classImplements

from ..errors import (
    ClientGone,
    IntermediaryError,
    RequestTimeout,
    ResponseIncomplete,
    ResponseTimeout,
    WireError,
    forgetFrames,
)
from ..exchange import Exchange
from ..interfaces import IDownstream
from ..wire.clientcertificates import withheld
from ..wire.encoding import LAST_CHUNK, encodeChunk, encodeLastChunk
from ..wire.fields import EMPTY
from ..wire.forwarding import withoutNominated
from ..wire.http1 import RequestReader
from ..wire.message import CHUNKED, NO_BODY, UNTIL_CLOSE, End, RequestHead
from .beginning import Accepted
from .closing import LINGER_CONTENT_OCTETS, LINGER_OCTETS, Closing, queuedIn
from .filesending import AVAILABLE, FileSending, isSendable, sendAtOnce
from .gate import Gate
from .sweep import NEVER
from .tunnel import canHalfClose

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from ..clientcertificate import ClientCertificate
    from ..interfaces import IFilePart, ILease
    from ..wire.fields import Fields
    from .listener import Listener
    from .tunnel import TunnelEnd

#: How long a connection remembers the fields of its last request.
KEPT_SECONDS: Final = 2.0

#: Up to here a head and the first piece of its content are joined: one short
#: copy is cheaper than a vector.
JOIN_OCTETS: Final = 16384


class DownstreamConnection:
    """
    A client's connection, of either kind of front.

    It is the push producer of its own transport for as long as it lives: when
    the client does not keep up, whoever feeds the reply is paused, and no
    further request is begun.
    """

    __slots__ = (
        "_ahead",
        "_chunked",
        "_closing",
        "_corked",
        "_due",
        "_failed",
        "_feeder",
        "_full",
        "_gate",
        "_handling",
        "_held",
        "_listener",
        "_phase",
        "_queued",
        "_reader",
        "_requestSink",
        "_sending",
        "_stalled",
        "_trailers",
        "_why",
        "connected",
        "deadline",
        "draining",
        "exchange",
        "factory",
        "introduction",
        "keepAlive",
        "peerHost",
        "secure",
        "takesParts",
        "transport",
        "tunnelEnd",
    )

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        #: The client's address, known from the first request on: a transport
        #: that is told it by a balancer (C{haproxy:}) learns it from the first
        #: octets.
        self.peerHost = ""
        self.secure = False
        #: The L{Introduction<intermediary.net.introduction.Introduction>}, where clients
        #: are asked for certificates.
        self.introduction: Any = None
        self.takesParts = False
        self.factory: Any = None
        self.transport: Any = None
        self.connected = False
        self.deadline = NEVER
        self.exchange: Exchange | None = None
        self.keepAlive = True
        self.draining = listener.draining
        self.tunnelEnd: TunnelEnd | None = None
        self._reader = RequestReader(listener.front.limits, listener.connects)
        #: What the deadline is for: "handshake", "head", "kept" and then "idle",
        #: "content", "reply", "closing", or "" for none.
        self._phase = ""
        #: The reader holds the beginning of a later request.
        self._ahead = False
        #: The next request is due when the client has taken what it was sent.
        self._due = False
        #: What the client sends waits for somebody to take it.
        self._stalled = False
        #: How much was queued in the transport when it was looked at last.
        self._queued = 0
        #: Inside the loop over the reader's events.
        self._handling = False
        #: The transport wants no more for now.
        self._full = False
        #: Written but not handed to the transport: one write for one turn.
        self._corked: list[bytes] = []
        #: Content of the request that has no sink yet, and its end.
        self._held: list[bytes] | None = None
        self._trailers: Fields | None = None
        self._requestSink: ILease | None = None
        #: Who feeds the reply.
        self._feeder: ILease | None = None
        self._chunked = False
        #: The part of it that the kernel takes from a file.
        self._sending: FileSending | None = None
        #: Only the end of the connection ends the reply: it must not look so early.
        self._failed = False
        #: Why we dropped it, for the log.
        self._why = ""
        #: What is left to do when no request is taken any more.
        self._closing: Closing | None = None

    # IProtocol

    def makeConnection(self, transport: Any) -> None:
        """The client is connected."""
        self.transport = transport
        self.connected = True
        self._gate = Gate(transport)
        self._listener.opened(self)
        handshakes = self._listener.handshakes
        if handshakes is None:
            self._ready()
        else:
            self._expect("handshake", handshakes.seconds)
            handshakes.begin(self)
        if self._listener.draining and self._closing is None:  # since this was let in
            self._shut()

    def _ready(self) -> None:
        """Be there for the first request."""
        self._expect("head", self._listener.front.timeouts.requestHeadSeconds)
        self.transport.registerProducer(self, True)

    # IHandshakeListener

    def handshakeCompleted(self) -> None:
        """The client speaks TLS, with us or with the endpoint's layer."""
        if self._phase == "handshake":
            handshakes: Any = self._listener.handshakes
            if self.introduction is not None and not self.introduction.completed():
                self._meet()
                handshakes.failed(self, None, self.introduction.problem)
                # What comes with the end of the handshake is not read any more.
                self._leave(LINGER_OCTETS)
                self.transport.abortConnection()
                return
            self.secure = True
            self._ready()
            handshakes.ended(self)

    @property
    def clientCertificate(self) -> ClientCertificate | None:
        """See L{IDownstream}."""
        introduction = self.introduction
        return None if introduction is None else introduction.certificate

    # Clients that speak no TLS with us

    def beginUnsecured(self) -> Exchange:
        """
        Begin an exchange for what the client says in the place of a handshake.

        @return: without a request, and not begun yet.
        """
        listener = self._listener
        handshakes: Any = listener.handshakes
        handshakes.ended(self)
        self._ready()
        self._phase = ""
        self.deadline = NEVER
        self.keepAlive = False
        self.exchange = exchange = Exchange(
            listener.front, self, None, self._meet(), listener.engine.seconds()
        )
        return exchange

    def turnAway(self, octets: bytes) -> None:
        """Say something to a client that there will be no handshake with, and close."""
        handshakes: Any = self._listener.handshakes
        handshakes.ended(self)
        self._meet()
        self.transport.write(octets)
        closing = self._leave(LINGER_OCTETS)
        if canHalfClose(self.transport):
            closing.linger()
        else:
            closing.shut()

    def connectionMade(self) -> None:
        """Nothing more than L{makeConnection} did."""

    def dataReceived(self, data: bytes) -> None:
        """Octets of the client: of a message, a tunnel, or after the end."""
        if self.tunnelEnd is not None:
            self.tunnelEnd.dataReceived(data)
            return
        closing = self._closing
        if closing is not None:
            closing.received(len(data))
            self.deadline = closing.deadline
            return
        try:
            events = self._reader.receive(data)
        except WireError as error:
            self._refuse(error)
            return
        if events:
            self._handle(events)
        elif self._due or (self.exchange is not None and self.exchange.requestEnded):
            self._setAhead(True)
        elif self._phase in ("idle", "kept"):
            self._expect("head", self._listener.front.timeouts.requestHeadSeconds)

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone, in whatever state that finds us."""
        self.connected = False
        self.deadline = NEVER
        self._sending = None
        exchange = self.exchange
        if exchange is None:
            if not self.secure and self._listener.handshakes is not None:
                self._unsecured(reason)
            self._listener.closed(self)
        elif self.tunnelEnd is not None:
            self.tunnelEnd.connectionLost(reason)
        else:
            self._listener.engine.fail(exchange, ClientGone(self._why or str(reason.value)))

    def _unsecured(self, reason: Failure) -> None:
        """It ended in its handshake, or before."""
        handshakes: Any = self._listener.handshakes
        if self._closing is not None:
            handshakes.ended(self)
        else:
            self._meet()
            handshakes.failed(self, reason, self._why)

    # IHalfCloseableProtocol

    def readConnectionLost(self) -> None:
        """
        The client sends no more.

        In a tunnel that is carried through.  In HTTP it can't be told from a
        client that is gone, and is taken for one.
        """
        if self.tunnelEnd is not None:
            self.tunnelEnd.readConnectionLost()
        elif self.exchange is not None:
            self._drop("it closed its side")
        else:
            self._shut()

    def writeConnectionLost(self) -> None:
        """All that was written has left, and our side is closed."""
        if self.tunnelEnd is not None:
            self.tunnelEnd.writeConnectionLost()
        elif self._closing is not None:
            self._closing.writeConnectionLost()
            self.deadline = self._closing.deadline

    # IPushProducer, for our own transport

    def pauseProducing(self) -> None:
        """The client does not keep up."""
        if self.tunnelEnd is not None:
            self.tunnelEnd.pauseProducing()
            return
        self._full = True
        if self._closing is None:
            self._expect("reply", self._listener.front.timeouts.betweenBytesSeconds)
            self._queued = queuedIn(self.transport)
        if self._feeder is not None:
            self._feeder.pauseBody("client does not keep up")

    def resumeProducing(self) -> None:
        """The client took what we had."""
        if self.tunnelEnd is not None:
            self.tunnelEnd.resumeProducing()
            return
        self._full = False
        if self._phase == "reply":
            self._expectContent()
        if self._feeder is not None:
            self._feeder.resumeBody("client does not keep up")
        if self._due and not self._handling:
            self._handle([])

    def stopProducing(self) -> None:
        """The transport is gone; C{connectionLost} follows."""

    # Requests

    def _handle(self, events: list[Any]) -> None:
        """Begin and feed exchanges until the reader has no more."""
        while True:
            self._handling = True
            for event in events:
                if isinstance(event, RequestHead):
                    self._begin(event)
                elif isinstance(event, bytes):
                    self._received(event)
                else:
                    end: End = event
                    self._requestEnded(end.trailers)
            self._handling = False
            if self._requestSink is not None:
                self._requestSink.flush()
            exchange = self.exchange
            if exchange is not None:
                ahead = exchange.requestEnded and self._reader.held > 0
                if ahead is not self._ahead:
                    self._setAhead(ahead)
                return
            if self._closing is not None or not self.connected:
                return
            self._due = self._full
            if self._full:
                if self._reader.held:
                    self._setAhead(True)
                return
            try:
                events = self._reader.resume()
            except WireError as error:
                self._refuse(error)
                return
            if not events:
                self._await()
                return

    def _await(self) -> None:
        """Wait for the next request."""
        if self._ahead:
            self._setAhead(False)
        if self._reader.inHead:
            self._expect("head", self._listener.front.timeouts.requestHeadSeconds)
        else:
            self._phase = "kept"
            self.deadline = self._listener.sweeper.horizon + KEPT_SECONDS

    def _setAhead(self, ahead: bool) -> None:
        """Read on only if nothing of a later request is here already."""
        self._ahead = ahead
        if ahead:
            self._gate.pause("request sent ahead")
        else:
            self._gate.resume("request sent ahead")

    def _begin(self, head: RequestHead) -> None:
        listener = self._listener
        self.exchange = exchange = Exchange(
            listener.front, self, head, self.peerHost or self._meet(), listener.engine.seconds()
        )
        exchange.secure = self.secure
        self.keepAlive = False
        if head.framing == NO_BODY:
            exchange.requestEnded = True
            self._trailers = EMPTY
            self._phase = ""
            self.deadline = NEVER
        else:
            self._held = []
            timeouts = listener.front.timeouts
            seconds = timeouts.betweenBytesSeconds
            if head.expectsContinue:
                # It waits for the upstream's word, which may take as long.
                seconds += timeouts.responseHeadSeconds
            self._expect("content", seconds)
        listener.engine.begin(exchange)

    def _meet(self) -> str:
        """Find out who the client is, and how it speaks with us."""
        transport = self.transport
        if isinstance(transport, Accepted):
            # To make an address of it takes longer than all else here.
            self.peerHost = cast("str", transport.client[0])
            if transport.TLS:
                self.secure = True
            else:
                self.takesParts = AVAILABLE
        else:
            if ISSLTransport.providedBy(transport):
                self.secure = True
            self.peerHost = getattr(transport.getPeer(), "host", None) or "unix:"
        return self.peerHost

    def _received(self, piece: bytes) -> None:
        exchange = self.exchange
        if exchange is None:
            return  # answered already: the rest of its request is nobody's
        exchange.octetsIn += len(piece)
        if self._requestSink is not None:
            exchange.requestTaken = True
            self._requestSink.write(piece)
        elif self._held is not None:
            self._held.append(piece)
            self._stalled = True
            self._gate.pause("no upstream yet")
        if self._phase == "content":
            self._expectContent()

    def _requestEnded(self, trailers: Fields) -> None:
        exchange = self.exchange
        if exchange is None or exchange.requestEnded:
            return
        exchange.requestEnded = True
        if self._phase == "content":
            self._expectContent()
        if trailers is not EMPTY and exchange.request is not None:
            trailers = withheld(
                withoutNominated(trailers, exchange.request.fields), self._listener.front.withheld
            )
        # Kept, as another attempt may need them again.
        self._trailers = trailers
        if self._requestSink is not None:
            sink, self._requestSink = self._requestSink, None
            sink.end(trailers)

    def feedRequest(self, sink: ILease) -> None:
        """See L{IDownstream.feedRequest}."""
        exchange = self.exchange
        assert exchange is not None
        held, self._held = self._held, None
        for piece in held or ():
            exchange.requestTaken = True
            sink.write(piece)
        if exchange.requestEnded:
            assert self._trailers is not None
            sink.end(self._trailers)
        else:
            self._requestSink = sink
            if not self._handling:
                sink.flush()
        if self._stalled:
            self._unstall()

    def _unstall(self) -> None:
        """Read on: what was read has gone to where it belongs, or nowhere."""
        self._stalled = False
        self._gate.resume("no upstream yet")
        if self._phase == "content":
            self._expectContent()

    def holdRequest(self) -> None:
        """See L{IDownstream.holdRequest}."""
        self._requestSink = None
        if self.exchange is not None and not self.exchange.requestEnded:
            self._held = []

    def pauseRequest(self, reason: str) -> None:
        """The upstream does not keep up with the request's content."""
        self._gate.pause(reason)
        if self._phase == "content":
            self.deadline = NEVER

    def resumeRequest(self, reason: str) -> None:
        """The upstream keeps up again."""
        self._gate.resume(reason)
        if self._phase == "content":
            self._expectContent()

    def _refuse(self, error: WireError) -> None:
        """Answer octets that are no message; the connection can't go on."""
        # The reader keeps it.
        forgetFrames(error)
        exchange = self.exchange
        listener = self._listener
        if exchange is None:
            head = None
            if error.requestLine is not None:
                # What it was about, for the log; nothing else of it is believed.
                method, target, version = error.requestLine
                head = RequestHead(method, target, version, EMPTY, NO_BODY, keepAlive=False)
            self.exchange = exchange = Exchange(
                listener.front,
                self,
                head,
                self.peerHost or self._meet(),
                listener.engine.seconds(),
            )
            exchange.secure = self.secure
        elif exchange.error is error:
            return  # answered already: the reader says so again of each further octet
        listener.engine.fail(exchange, error)

    # Replies

    def sendInterim(self, octets: bytes) -> None:
        """
        See L{IDownstream.sendInterim}.

        Nobody would be paused by a client that does not read them, so then
        they are left out.
        """
        if not self._full:
            self.transport.write(octets)

    def sendHead(self, octets: bytes, framing: int, source: ILease | None) -> None:
        """See L{IDownstream.sendHead}."""
        self._corked.append(octets)
        self._chunked = framing == CHUNKED
        self._failed = framing == UNTIL_CLOSE
        if source is not None:
            self._feeder = source
            if self._full:
                source.pauseBody("client does not keep up")

    def write(self, piece: bytes) -> None:
        """See L{IBodySink.write<intermediary.interfaces.IBodySink.write>}."""
        exchange = self.exchange
        assert exchange is not None
        exchange.octetsOut += len(piece)
        if self._chunked:
            piece = encodeChunk(piece)
        self._corked.append(piece)

    def flush(self) -> None:
        """See L{IBodySink.flush<intermediary.interfaces.IBodySink.flush>}."""
        corked = self._corked
        if corked:
            self._corked = []
            if len(corked) == 1:
                self.transport.write(corked[0])
            elif len(corked) == 2 and len(corked[1]) <= JOIN_OCTETS:
                self.transport.write(corked[0] + corked[1])
            else:
                self.transport.writeSequence(corked)

    def spliceInto(self) -> Any:
        """See L{IDownstream.spliceInto}."""
        if self._chunked or self._full or self._corked or not self.connected:
            return None
        return self.transport

    def sendFile(self, descriptor: int, start: int, stop: int, bring: Any = None) -> bool:
        """See L{IDownstream.sendFile}."""
        transport = self.transport
        if self._chunked or self._sending is not None or not isSendable(transport):
            return False
        self.flush()
        self._beginSending(transport, descriptor, start, stop, bring)
        return True

    def endWith(self, part: IFilePart) -> None:
        """See L{IDownstream.endWith}."""
        transport = self.transport
        exchange = self.exchange
        assert exchange is not None
        octets: int = part.octets
        sent = 0
        if not transport.ready:
            self.flush()
        else:
            head = b"".join(self._corked)
            self._corked = []
            sent = sendAtOnce(transport, head, part.descriptor, part.start, octets)
            exchange.octetsOut += sent
        if sent == octets:
            self._listener.engine.proceed(exchange)
        elif isSendable(transport):
            start: int = part.start
            self._beginSending(transport, part.descriptor, start + sent, start + octets, None)
        # Otherwise it is lost, and that ends the exchange.

    def _beginSending(
        self, transport: Any, descriptor: int, start: int, stop: int, bring: Any
    ) -> None:
        self._sending = sending = FileSending(
            transport, descriptor, start, stop, self._fileMoved, self._fileSent, bring
        )
        sending.begin()
        if sending.held:
            self._expect("reply", self._listener.front.timeouts.betweenBytesSeconds)
            self._queued = queuedIn(transport)

    def _fileMoved(self, octets: int) -> None:
        """The kernel has taken some of the file."""
        exchange = self.exchange
        assert exchange is not None
        exchange.octetsOut += octets

    def _fileSent(self, error: str) -> None:
        """The kernel has taken all of the file, or can't."""
        self._sending = None
        exchange = self.exchange
        assert exchange is not None
        if self._phase == "reply" and not self._full:
            self._expectContent()
        if error:
            self._listener.engine.fail(exchange, ResponseIncomplete(error))
        elif exchange.lease is None:
            self._listener.engine.proceed(exchange)
        else:
            source: Any = exchange.lease
            source.fileSent()

    def end(self, trailers: Fields | None) -> None:
        """See L{IBodySink.end<intermediary.interfaces.IBodySink.end>}."""
        if self._chunked:
            self._corked.append(encodeLastChunk(trailers) if trailers else LAST_CHUNK)
        self.flush()
        self._feeder = None
        exchange = self.exchange
        assert exchange is not None
        self._listener.engine.proceed(exchange)

    def fail(self, error: IntermediaryError) -> None:
        """
        The reply will never be complete.

        A length or chunks tell the client so; where only the close of the
        connection ends the content, it must not look like a close.
        """
        self.keepAlive = False
        if self._sending is not None:
            # The file is its owner's again.
            self._sending.stop()
            self._sending = None
        if self._failed:
            self.abort()
        else:
            self.flush()

    def abort(self) -> None:
        """See L{IDownstream.abort}."""
        self.keepAlive = False
        if self.tunnelEnd is not None:
            self.tunnelEnd.abort()
        elif self.connected:
            self.transport.abortConnection()

    def exchangeEnded(self, exchange: Exchange) -> None:
        """See L{IDownstream.exchangeEnded}."""
        self.exchange = None
        self._requestSink = self._feeder = self._held = self._trailers = None
        if self._stalled:
            self._unstall()
        if not self.connected:
            # The last that happens here: whoever waits for the end of this
            # connection may count on the account of its exchange.
            self._listener.closed(self)
        elif self.keepAlive and not self.draining:
            if not self._handling:
                self._handle([])
        else:
            self._close(exchange)

    def enterTunnel(self, end: TunnelEnd) -> bytes:
        """
        Hand this connection to a tunnel, for good.

        @return: what the client sent ahead, which is the tunnel's.
        """
        self.tunnelEnd = end
        self._phase = ""
        self.deadline = NEVER
        self._ahead = False
        self._gate.clear()
        return self._reader.detach()

    # Time and ends

    def _expect(self, phase: str, seconds: float) -> None:
        self._phase = phase
        self.deadline = self._listener.sweeper.horizon + seconds

    def _expectContent(self) -> None:
        """Wait for the rest of the request, if any is to come."""
        if self.exchange is None or self.exchange.requestEnded:
            self._phase = ""
            self.deadline = NEVER
        else:
            self._expect("content", self._listener.front.timeouts.betweenBytesSeconds)
            if not self._gate.isOpen:
                # It is us who do not read: the client is not to blame.
                self.deadline = NEVER

    def expire(self, now: float) -> None:
        """A deadline has passed."""
        self.deadline = NEVER
        phase = self._phase
        if phase == "head" and self._reader.inHead:
            self._refuse(WireError("the request head took too long", 408))
        elif phase == "kept":
            # Not busy, so what was remembered of its requests costs more than
            # it saves.
            self._reader.forget()
            rest = self._listener.front.timeouts.idleSeconds - KEPT_SECONDS
            self._phase = "idle"
            self.deadline = now + max(0.0, rest)
        elif phase in ("head", "idle"):
            self._shut()
        elif phase == "handshake":
            self._drop("it took too long")
        elif phase == "content" and self.exchange is not None:
            self._listener.engine.fail(self.exchange, self._whoseSilence(self.exchange))
        elif self._closing is not None:
            self._closing.expire()
            self.deadline = self._closing.deadline
        elif self.connected:
            queued, before = queuedIn(self.transport), self._queued
            self._queued = queued
            if queued > 0 and queued != before:
                # Slow, but not dead.  That it grew says nothing, but it does so
                # once: whoever feeds it is paused.
                self._expect(phase, self._listener.front.timeouts.betweenBytesSeconds)
            elif self._sending is not None and self._sending.waits:
                assert self.exchange is not None
                error = ResponseIncomplete("the disk took too long")
                self._listener.engine.fail(self.exchange, error)
            else:
                self._drop("it took nothing for too long")

    def _drop(self, why: str) -> None:
        """End the connection, and say for the log why it was us who did."""
        self._why = why
        self.transport.abortConnection()

    def _whoseSilence(self, exchange: Exchange) -> IntermediaryError:
        """Say who failed to do what when no content came."""
        request = exchange.request
        if request is not None and request.expectsContinue and not exchange.octetsIn:
            # The client was told to wait by the protocol itself.
            return ResponseTimeout("neither a 100 nor a final response in time")
        return RequestTimeout("the request's content took too long")

    def drain(self) -> None:
        """Close now if nothing is under way, otherwise after this exchange."""
        self.draining = True
        if self.exchange is None and self._closing is None:
            self._shut()

    def _close(self, exchange: Exchange) -> None:
        """End the connection after the reply to an exchange."""
        request = exchange.request
        uploads = exchange.status == 413 or (request is not None and request.framing != NO_BODY)
        closing = self._leave(LINGER_CONTENT_OCTETS if uploads else LINGER_OCTETS)
        if (exchange.requestEnded and not self._reader.held) or not canHalfClose(self.transport):
            # Nothing of the client is on its way to us, so that a close will not
            # be answered with a reset that costs it the reply; or there is no way.
            closing.shut()
        else:
            self._setAhead(False)
            closing.linger()

    def _shut(self) -> None:
        if self._phase == "handshake":
            handshakes: Any = self._listener.handshakes
            handshakes.ended(self)
        self._leave(LINGER_OCTETS).shut()

    def _leave(self, limitOctets: int) -> Closing:
        """Take no more requests."""
        listener = self._listener
        # What was to be a tunnel, perhaps, and could not be.
        self.tunnelEnd = None
        self._closing = closing = Closing(
            self.transport,
            listener.sweeper,
            listener.front.timeouts.betweenBytesSeconds,
            limitOctets,
        )
        self._phase = "closing"
        self.deadline = closing.deadline
        return closing

    def __repr__(self) -> str:
        state = self._phase or ("tunnel" if self.tunnelEnd else "busy")
        return f"<DownstreamConnection {self.peerHost} {state} {self._gate!r}>"


# Not as a decorator, which would keep the class from being compiled well.
classImplements(
    DownstreamConnection,
    IProtocol,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IPushProducer,
    IDownstream,
)
