# -*- test-case-name: tests.ops.test_client -*-
"""
A client endpoint that reaches its destination through a CONNECT proxy.

For any Twisted client, and any proxy that speaks RFC 9110 §9.3.6, not this one
alone.  As an endpoint string: C{intermediary:HOST:PORT:via=ENDPOINT}, the colons
in C{ENDPOINT} escaped by backslashes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet import error
from twisted.internet.address import HostnameAddress
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IStreamClientEndpoint,
    IStreamClientEndpointStringParserWithReactor,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.plugin import IPlugin
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer

from ..errors import WireError
from ..settings import Limits
from ..wire.encoding import encodeRequest
from ..wire.fields import Fields
from ..wire.http1 import ResponseReader
from ..wire.message import ResponseHead
from ..wire.target import hostToASCII

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory

#: What the endpoint string may name.
_OPTIONS = ("host", "port", "via", "timeout")
_FORM = (
    "write intermediary:HOST:PORT:via=ENDPOINT with the proxy's endpoint, its colons"
    r" escaped: intermediary:example.org:443:via=tcp\:127.0.0.1\:3128"
)
#: What a proxy's answer may have: it is a head without content.
ANSWER_LIMITS = Limits(headerOctets=16384, headerFields=100)


class TunnelRefused(error.ConnectError):
    """
    The proxy did not open the tunnel.

    @ivar status: of the proxy's answer; None if it gave no valid one.
    @ivar reason: the reason phrase, for people.
    @ivar fields: the header fields of the answer: C{Proxy-Authenticate},
        C{Proxy-Status}, C{Retry-After}, ...
    """

    def __init__(
        self, string: str, status: int | None = None, reason: bytes = b"", fields: Any = None
    ) -> None:
        super().__init__(string=string)  # type: ignore[no-untyped-call]
        self.status = status
        self.reason = reason
        self.fields: Fields | None = fields


@implementer(IStreamClientEndpoint)
class IntermediaryClientEndpoint:
    """
    Connects to a host and port through a proxy.

    What it connects is a byte stream to the destination: wrap it with
    L{twisted.internet.endpoints.wrapClientTLS} to speak TLS with that.
    """

    def __init__(
        self,
        reactor: Any,
        host: str,
        port: int,
        proxy: IStreamClientEndpoint,
        headers: Iterable[tuple[bytes, bytes]] = (),
        timeoutSeconds: float = 30.0,
    ) -> None:
        """
        @param reactor: provides C{IReactorTime}.
        @param host: the destination's name or address; the proxy resolves it.
        @param proxy: where the proxy listens; a TLS endpoint for a proxy that
            speaks it.
        @param headers: further fields of the request, C{Proxy-Authorization} for
            one.
        @param timeoutSeconds: for all of it, until the proxy's answer is there.
        @raise ValueError: for a host, port or field that can't be sent.
        """
        if not 0 < port < 65536:
            raise ValueError(f"{port} is no port")
        self._reactor = reactor
        self._proxy = proxy
        self._timeoutSeconds = timeoutSeconds
        name = hostToASCII(host)
        self.authority = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
        self._address = HostnameAddress(name.encode("ascii"), port)
        target = self.authority.encode("ascii")
        fields = Fields.fromPairs([(b"Host", target), *headers])
        self._request = encodeRequest(b"CONNECT", target, fields, None)

    def __repr__(self) -> str:
        return f"<IntermediaryClientEndpoint {self.authority} via {self._proxy!r}>"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Open a tunnel.

        The protocol gets the connection when the proxy has agreed, and with it
        whatever the destination sent right behind the proxy's answer.

        @return: fires with the protocol, connected.  Fails with
            L{TunnelRefused}, L{twisted.internet.error.TimeoutError} or what the
            proxy's endpoint failed with.  Cancelling drops the connection.
        """
        opening = _Opening(self._request, protocolFactory, self._address)
        return opening.start(self._reactor, self._proxy, self._timeoutSeconds)


class _Opening(Factory):
    """One call of C{connect}: what is under way, and who waits for it."""

    noisy = False

    def __init__(self, request: bytes, factory: IProtocolFactory, address: IAddress) -> None:
        self.request = request
        self.factory = factory
        self.address = address
        self.settled = False
        self._result: Deferred[IProtocol] = Deferred(self._cancelled)
        self._handshake: _Handshake | None = None
        self._timer: Any = None
        self._attempt: Deferred[Any] | None = None

    def start(
        self, reactor: Any, proxy: IStreamClientEndpoint, timeoutSeconds: float
    ) -> Deferred[IProtocol]:
        """Begin."""
        self._timer = reactor.callLater(timeoutSeconds, self._late)
        attempt = self._attempt = proxy.connect(self)
        attempt.addErrback(self.fail)
        return self._result

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """The proxy is reached."""
        if self.settled:
            return None
        self._handshake = _Handshake(self)
        return self._handshake

    def succeed(self, protocol: IProtocol) -> bool:
        """
        The tunnel is open.

        @return: whether anybody still wants it.
        """
        if not self._settle():
            return False
        self._result.callback(protocol)
        return True

    def fail(self, reason: Failure) -> None:
        """The tunnel won't open."""
        if self._settle():
            self._drop()
            self._result.errback(reason)

    def _late(self) -> None:
        self._timer = None
        self.fail(Failure(error.TimeoutError(string="no tunnel in time")))

    def _cancelled(self, result: Deferred[IProtocol]) -> None:
        self._settle()
        self._drop()

    def _settle(self) -> bool:
        """Be done, once."""
        if self.settled:
            return False
        self.settled = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return True

    def _drop(self) -> None:
        if self._handshake is not None:
            self._handshake.drop()
        elif self._attempt is not None:
            self._attempt.cancel()


class _Handshake(Protocol):
    """
    Asks the proxy for the tunnel, and then leaves it to the protocol it is for.

    It leaves entirely where the transport lets it: the protocol then has the
    transport that it would have without a proxy, with its producers, half-close
    and C{startTLS}.  On a transport that holds on to what it was given, it
    passes everything on.
    """

    def __init__(self, opening: _Opening) -> None:
        self._opening = opening
        self._reader = ResponseReader(ANSWER_LIMITS)

    def connectionMade(self) -> None:
        """Ask."""
        assert self.transport is not None
        self._reader.expect(b"CONNECT")
        self.transport.write(self._opening.request)

    def dataReceived(self, data: bytes) -> None:
        """Read the answer."""
        if self._opening.settled:
            return
        try:
            events = self._reader.receive(data)
        except WireError as e:
            refused = TunnelRefused(f"the proxy's answer is not valid: {e.detail}")
            refused.__cause__ = e
            self._opening.fail(Failure(refused))
            return
        for event in events:
            # RFC 9110 §15.2: any number of 1xx may come first.
            if isinstance(event, ResponseHead) and event.status >= 200:
                if event.status < 300:
                    self._opened()
                else:
                    self._opening.fail(Failure(_refusal(event)))
                return

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The proxy closed before it answered."""
        self._opening.fail(
            Failure(TunnelRefused(f"the proxy closed the connection: {reason.getErrorMessage()}"))
        )

    def drop(self) -> None:
        """Give the connection up."""
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()

    def _opened(self) -> None:
        opening = self._opening
        early = self._reader.detach()
        try:
            protocol = opening.factory.buildProtocol(opening.address)
            if protocol is None:
                raise error.NoProtocol
            self._leaveTo(protocol)
        except Exception:  # noqa: BLE001 - an application's factory and protocol
            opening.fail(Failure())
            return
        if opening.succeed(protocol) and early:
            protocol.dataReceived(early)

    def _leaveTo(self, protocol: Any) -> None:
        transport: Any = self.transport
        self.dataReceived = protocol.dataReceived  # type: ignore[method-assign]
        self.connectionLost = protocol.connectionLost  # type: ignore[method-assign]
        if IHalfCloseableProtocol.providedBy(protocol):
            self.readConnectionLost = protocol.readConnectionLost
            self.writeConnectionLost = protocol.writeConnectionLost
            directlyProvides(self, IHalfCloseableProtocol)
        if getattr(transport, "wrappedProtocol", None) is self:
            # A layer above the socket, TLS for one.
            transport.wrappedProtocol = protocol
        elif getattr(transport, "protocol", None) is not None:
            # Whatever stood between the socket and us gave us the socket, so
            # it only passed things on.
            transport.protocol = protocol
        protocol.makeConnection(transport)


def _refusal(head: ResponseHead) -> TunnelRefused:
    reason = head.reason.decode("latin-1")
    return TunnelRefused(
        f"the proxy answered {head.status} {reason}".rstrip(),
        head.status,
        head.reason,
        head.fields,
    )


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor)
class IntermediaryClientParser:
    r"""
    The client string C{intermediary:HOST:PORT:via=ENDPOINT[:timeout=SECONDS]}.

    C{ENDPOINT} is the client string of the proxy, as in
    C{intermediary:example.org:443:via=tcp\:127.0.0.1\:3128}.
    """

    prefix = "intermediary"

    def parseStreamClient(
        self, reactor: Any, *args: Any, **kwargs: Any
    ) -> IntermediaryClientEndpoint:
        """
        See L{IStreamClientEndpointStringParserWithReactor.parseStreamClient}.

        @raise ValueError: with what the string must look like.
        """
        unknown = [f'"{name}"' for name in kwargs if name not in _OPTIONS]
        if unknown:
            raise ValueError(
                f"intermediary: endpoints have no option {', '.join(unknown)}; "
                f"known are: {', '.join(_OPTIONS)}"
            )
        if len(args) > len(_OPTIONS) or kwargs.keys() & _OPTIONS[: len(args)]:
            raise ValueError(_FORM)
        return self._parse(reactor, *args, **kwargs)

    def _parse(
        self, reactor: Any, host: str = "", port: str = "", via: str = "", timeout: str = "30"
    ) -> IntermediaryClientEndpoint:
        if not (host and port.isdecimal() and via):
            raise ValueError(_FORM)
        proxy = clientFromString(reactor, via)
        return IntermediaryClientEndpoint(
            reactor, host, int(port), proxy, timeoutSeconds=float(timeout)
        )
