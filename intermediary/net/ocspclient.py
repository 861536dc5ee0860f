# -*- test-case-name: tests.net.test_ocspclient -*-
"""
A question to an OCSP responder, and its answer: one C{POST} (RFC 6960, appendix A.1).

What comes back is just octets.  They are signed, which is why all of this goes without
TLS; who they are from and what they say is L{intermediary.net.certificatestatus}'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from ..errors import IntermediaryError, WireError
from ..interfaces import Origin
from ..settings import Limits
from ..wire.encoding import encodeRequest
from ..wire.fields import Fields
from ..wire.http1 import ResponseReader
from ..wire.message import End, ResponseHead
from ..wire.target import parseAbsolute

if TYPE_CHECKING:
    from ..interfaces import IConnector

#: How long all of it may take.
ANSWER_SECONDS: Final = 15.0
#: What an answer may have.
ANSWER_OCTETS: Final = 65536
_LIMITS: Final = Limits(headerOctets=16384, headerFields=100)


class ResponderError(Exception):
    """There is no answer; in words, to follow a colon."""


class OCSPClient:
    """Asks responders."""

    def __init__(self, clock: Any, connector: IConnector) -> None:
        """
        @param clock: an C{IReactorTime}.
        """
        self._clock = clock
        self._connector = connector

    def ask(self, url: str, question: bytes) -> Deferred[bytes]:
        """
        Ask a responder.

        @param url: an C{http} URL.
        @return: fires with what it says, or with L{ResponderError}.  Cancelling it
            ends the connection.
        """
        return _Asking(self._clock, self._connector, url, question).answer


class _Asking:
    """
    One question, until there is an answer or none.

    It leaves neither timer nor connection behind.
    """

    def __init__(self, clock: Any, connector: IConnector, url: str, question: bytes) -> None:
        self.answer: Deferred[bytes] = Deferred(self._cancelled)
        target = parseAbsolute(url.encode("ascii"), b"POST")
        fields = [
            (b"Host", target.authority),
            (b"Content-Type", b"application/ocsp-request"),
            (b"Accept", b"application/ocsp-response"),
            (b"Connection", b"close"),
        ]
        self.octets = (
            encodeRequest(b"POST", target.path, Fields.fromPairs(fields), len(question)) + question
        )
        self._settled = False
        self._connection: _Connection | None = None
        self._connecting: Deferred[Any] | None = None
        self._timer = clock.callLater(ANSWER_SECONDS, self._late)
        origin = Origin("http", target.host, target.port)
        factory = Factory.forProtocol(lambda: _Connection(self))
        factory.noisy = False
        connecting = self._connecting = connector.connect(origin, factory, ANSWER_SECONDS)
        connecting.addCallbacks(self._connected, self._unconnected)

    def _connected(self, connection: Any) -> None:
        self._connecting = None

    def _unconnected(self, failure: Failure) -> None:
        self._connecting = None
        error = failure.value
        detail = error.detail if isinstance(error, IntermediaryError) else ""
        self.settle(ResponderError(detail or failure.getErrorMessage()))

    def began(self, connection: _Connection) -> None:
        """There is a connection."""
        self._connection = connection

    def ended(self) -> None:
        """It is gone."""
        self._connection = None

    def _late(self) -> None:
        self.settle(ResponderError(f"no answer within {ANSWER_SECONDS:.0f} s"))

    def _cancelled(self, answer: Deferred[bytes]) -> None:
        self.settle(None)

    def settle(self, outcome: bytes | ResponderError | None) -> None:
        """End it; what comes after the first is nobody's."""
        if self._settled:
            return
        self._settled = True
        if self._timer.active():
            self._timer.cancel()
        if self._connection is not None:
            self._connection.transport.abortConnection()
        if self._connecting is not None:
            self._connecting.cancel()
        if isinstance(outcome, bytes):
            self.answer.callback(outcome)
        elif outcome is not None:
            self.answer.errback(Failure(outcome))


class _Connection(Protocol):
    """The connection to a responder."""

    transport: Any

    def __init__(self, asking: _Asking) -> None:
        self._asking = asking
        self._reader = ResponseReader(_LIMITS)
        self._pieces: list[bytes] = []
        self._octets = 0

    def connectionMade(self) -> None:
        """Ask."""
        self._asking.began(self)
        self._reader.expect(b"POST")
        self.transport.write(self._asking.octets)

    def dataReceived(self, data: bytes) -> None:
        """Read an answer."""
        self._read(self._reader.receive, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """That may be its end, too."""
        self._asking.ended()
        self._read(self._reader.eof)
        self._asking.settle(ResponderError("it hung up"))

    def _read(self, read: Any, *arguments: bytes) -> None:
        try:
            events = read(*arguments)
        except WireError as error:
            self._asking.settle(ResponderError(error.detail))
            return
        for event in events:
            if isinstance(event, ResponseHead):
                if event.status >= 200 and event.status != 200:
                    self._asking.settle(ResponderError(f"it answers with {event.status}"))
                    return
            elif isinstance(event, End):
                self._asking.settle(b"".join(self._pieces))
                return
            else:
                self._pieces.append(event)
                self._octets += len(event)
                if self._octets > ANSWER_OCTETS:
                    self._asking.settle(ResponderError("its answer is larger than 64 KiB"))
                    return


__all__ = ["ANSWER_OCTETS", "ANSWER_SECONDS", "OCSPClient", "ResponderError"]
