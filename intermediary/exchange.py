# -*- test-case-name: tests.test_exchange -*-
"""
One request and its response, on their way through a program.

An L{Exchange} is the only mutable record that the steps of a program share.
The received heads in it are never changed: what goes on is C{forward}, derived
from C{request}, and C{reply}, derived from C{response} or made here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .compiling import mypyc_attr
from .wire.fields import EMPTY, Fields
from .wire.message import NO_BODY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .clientcertificate import ClientCertificate
    from .front import Front
    from .interfaces import IBodySink, IDownstream, IFilePart, ILease, Origin
    from .program import Program
    from .wire.message import RequestHead, ResponseHead
    from .wire.target import Target

#: The key in L{Exchange.memory} of the name, in octets, that a client of TLS wants who is
#: passed through.
SERVER_NAME: Final = "server name"


# Part of no cycle: nothing that it refers to knows of it.
@mypyc_attr(acyclic=True)
class ForwardHead:
    """The request head that is sent upstream; hooks may change any of it."""

    __slots__ = ("fields", "framing", "method", "target")

    def __init__(self, method: bytes, target: bytes, fields: Fields, framing: int | None) -> None:
        self.method = method
        self.target = target
        #: Without framing and hop-by-hop fields.
        self.fields = fields
        #: As L{intermediary.wire.message}; None sends no framing field.
        self.framing = framing


class Reply:
    """
    The response head that the client gets, and the content if it is ours.

    @ivar framing: the length of the content in octets, or C{CHUNKED} or
        C{UNTIL_CLOSE} where that is not known (then the client's version
        decides how it is framed).
    @ivar body: the whole content of an answer made here; None if it comes from
        elsewhere, by the exchange's lease.
    @ivar part: where the whole content is if it is in a file; None if it is not.
    @ivar more: encoded lines that go behind the fields; hooks don't see them.
    """

    __slots__ = ("body", "fields", "framing", "more", "part", "reason", "status")

    def __init__(
        self,
        status: int,
        fields: Fields = EMPTY,
        body: bytes | None = b"",
        framing: int | None = None,
        reason: bytes | None = None,
    ) -> None:
        self.status = status
        self.fields = fields
        self.body = body
        self.framing = (len(body) if body else NO_BODY) if framing is None else framing
        #: None for the usual phrase.
        self.reason = reason
        self.more = b""
        self.part: IFilePart | None = None


class Exchange:
    """
    One request and its response.

    Made by a downstream connection for each request head, or for octets that
    were refused before they became one (then C{request} is None).
    """

    __slots__ = (
        "answers",
        "attempts",
        "candidates",
        "downstream",
        "ended",
        "error",
        "failure",
        "finishing",
        "forward",
        "front",
        "headSent",
        "index",
        "lease",
        "memory",
        "octetsIn",
        "octetsOut",
        "origin",
        "outcome",
        "over",
        "peerHost",
        "program",
        "reply",
        "request",
        "requestEnded",
        "requestTaken",
        "response",
        "running",
        "secure",
        "sink",
        "started",
        "status",
        "target",
        "upstreamName",
        "user",
        "visit",
        "waiting",
        "woken",
    )

    def __init__(
        self,
        front: Front,
        downstream: IDownstream,
        request: RequestHead | None,
        peerHost: str,
        started: float,
    ) -> None:
        self.front = front
        self.downstream = downstream
        self.request = request
        #: The client's address, as text.
        self.peerHost = peerHost
        #: The client speaks TLS with us.
        self.secure = False
        #: Who the client proved to be.
        self.user: str | None = None
        #: C{reactor.seconds()} when the head was complete, and at the end.
        self.started = started
        self.ended = 0.0

        self.program: Program = front.refusal
        #: The next step.
        self.index = 0
        #: Whether the engine is inside the program for this exchange.
        self.running = False
        #: Whether it was told to go on while it was inside.
        self.woken = False
        #: What C{fail} was called with while it was inside.
        self.failure: BaseException | None = None
        #: What a parked step waits for: has C{cancel()}.
        self.waiting: Any = None
        #: The steps from C{finish} on have begun: they run once.
        self.finishing = False
        #: They have all run: nothing can happen to this exchange any more.
        self.over = False
        #: How often a reply was chosen: there are errors in replies to errors.
        self.answers = 0

        #: The parsed target, where one was needed.
        self.target: Target | None = None
        #: Where this attempt goes.
        self.origin: Origin | None = None
        self.upstreamName = ""
        #: The rest of the peers that may be tried.
        self.candidates: Iterator[Any] | None = None
        self.attempts = 0
        self.lease: ILease | None = None
        self.forward: ForwardHead | None = None
        self.response: ResponseHead | None = None
        self.reply: Reply | None = None
        #: Where the content of the response goes: the downstream, or a filter
        #: before it.
        self.sink: IBodySink = downstream

        #: The whole request has arrived.
        self.requestEnded = False
        #: Some of its content was handed on, so that it can't be sent again.
        self.requestTaken = False
        #: The final response head was handed to the client's transport.
        self.headSent = False
        #: The status sent to the client; 0 if none was.
        self.status = 0
        #: Content from and to the client, in octets.
        self.octetsIn = 0
        self.octetsOut = 0
        #: The RFC 9209 token of what went wrong; empty if nothing did.
        self.outcome = ""
        #: The error behind it.
        self.error: BaseException | None = None
        #: What the cache remembers about this exchange; None where it has
        #: nothing to do with it.
        self.visit: Any = None
        #: What components want to remember about this exchange, by their own
        #: keys; made by the first that does.
        self.memory: dict[Any, Any] | None = None

    @property
    def clientCertificate(self) -> ClientCertificate | None:
        """What the client has proved to be by a certificate; None if nothing."""
        certificate: ClientCertificate | None = self.downstream.clientCertificate
        return certificate

    @property
    def peerName(self) -> str:
        """The origin as text, for the log alone: clients never see it."""
        return "" if self.origin is None else str(self.origin)

    def __repr__(self) -> str:
        line = "-"
        if self.request is not None:
            line = f"{self.request.method.decode()} {self.request.target.decode('latin-1')}"
        at = self.program.nameOf(self.index - 1) if self.index else "start"
        return f"<Exchange {self.front.name} {self.peerHost} {line!r} at {at}>"
