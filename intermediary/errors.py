# -*- test-case-name: tests.test_errors -*-
"""
Everything that can go wrong with an exchange, by the words of RFC 9209 §2.3.

The token of a class is also the word in the log, the metric label and the
C{Proxy-Status} field.  Raised by every layer, so it imports nothing of ours.
"""

from __future__ import annotations

from enum import Enum

#: How many of the errors behind an error are looked at: a chain may be a ring.
MOST_CAUSES = 16


class Retry(Enum):
    """When another attempt on another connection is safe."""

    NEVER = "never"
    #: Only if the connection had served before: the origin closed it while
    #: the request was under way (RFC 9112 §9.3.1).
    IF_REUSED = "if reused"
    #: Nothing of the request was sent.
    ALWAYS = "always"


def forgetFrames(error: BaseException) -> None:
    """
    Let go of the way that an error came, for who keeps it or has it kept.

    Frames know the exchange, and it the error: without this, all that a failed
    exchange ever touched would wait for the garbage collector.
    """
    following: BaseException | None = error
    for _ in range(MOST_CAUSES):
        if following is None:
            break
        following.__traceback__ = None
        following = following.__cause__ or following.__context__


class IntermediaryError(Exception):
    """
    An exchange failed.

    @ivar detail: what happened, for the log alone: it may name addresses and
        is never shown to a client.
    """

    #: The proxy error type (RFC 9209 §2.3).
    token = "proxy_internal_error"
    #: The status that a client is answered with.
    status = 500
    retry = Retry.NEVER
    #: More of C{Proxy-Status}, encoded: parameters that go with the type.
    parameters = b""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


class WireError(IntermediaryError):
    """
    Octets that are not a valid message.

    A reader that raised it is dead.  C{status} is what the sender of a request
    is answered with; a response that raises it is a 502.

    @ivar requestLine: the method, target and version (10 or 11) of the request
        whose head it was, for the log; None if these were not valid either.
    """

    token = "http_request_error"
    status = 400
    requestLine: tuple[bytes, bytes, int] | None = None

    def __init__(self, detail: str, status: int = 400, token: str = "http_request_error") -> None:
        super().__init__(detail)
        self.status = status
        self.token = token


class RequestDenied(IntermediaryError):
    """Policy refuses the request."""

    token = "http_request_denied"
    status = 403


class MethodNotAllowed(RequestDenied):
    """The method is not available here."""

    status = 405


class RequestInvalid(IntermediaryError):
    """A well-formed request that can't be served as it stands."""

    token = "http_request_error"
    status = 400


class PlainRequest(RequestInvalid):
    """A plain HTTP request was sent to a port that speaks TLS: use https instead."""


class RequestTimeout(RequestInvalid):
    """The client did not complete its request in time."""

    status = 408


class ContentTooLarge(RequestInvalid):
    """The request's content is over the front's limit."""

    status = 413


class SchemeNotServed(RequestInvalid):
    """Only http and https URLs are served here; everything else is reached by CONNECT."""


class NotAProxyRequest(RequestInvalid):
    """This is a forward proxy, and the request does not say to which host it should go."""


class PortNotAllowed(RequestDenied):
    """CONNECT does not reach this port."""


class Misdirected(RequestInvalid):
    """No route serves this host and path."""

    token = "destination_not_found"
    status = 404


class AuthorityMismatch(RequestInvalid):
    """The request is for another host than the one that this connection was opened to."""

    status = 421


class LoopDetected(IntermediaryError):
    """The request came through this intermediary before (RFC 9110 §7.6.3)."""

    token = "proxy_loop_detected"
    status = 508


class DestinationProhibited(IntermediaryError):
    """The destination resolves to an address that this front may not reach."""

    token = "destination_ip_prohibited"
    status = 403


class DestinationUnavailable(IntermediaryError):
    """No server of the upstream is available."""

    token = "destination_unavailable"
    status = 503
    retry = Retry.ALWAYS


class DestinationUnroutable(IntermediaryError):
    """The network has no way to the destination."""

    token = "destination_ip_unroutable"
    status = 502
    retry = Retry.ALWAYS


class DNSError(IntermediaryError):
    """The name of the destination has no address."""

    token = "dns_error"
    status = 502
    retry = Retry.ALWAYS


class DNSTimeout(IntermediaryError):
    """The resolver did not answer in time."""

    token = "dns_timeout"
    status = 504
    retry = Retry.ALWAYS


class ConnectionRefused(IntermediaryError):
    """The destination refused the connection."""

    token = "connection_refused"
    status = 502
    retry = Retry.ALWAYS


class ConnectTimeout(IntermediaryError):
    """The connection was not established in time."""

    token = "connection_timeout"
    status = 504
    retry = Retry.ALWAYS


class TLSProtocolError(IntermediaryError):
    """The server does not speak TLS as it is spoken here."""

    token = "tls_protocol_error"
    status = 502
    retry = Retry.ALWAYS


class TLSCertificateError(IntermediaryError):
    """The server did not prove to be the one that is meant."""

    token = "tls_certificate_error"
    status = 502
    retry = Retry.ALWAYS


class TLSAlertReceived(IntermediaryError):
    """
    The server refused the TLS connection.

    @ivar alert: the number of what it said (RFC 8446 §6); None if it is not known.
    """

    token = "tls_alert_received"
    status = 502
    retry = Retry.ALWAYS

    def __init__(self, detail: str = "", alert: int | None = None, words: str = "") -> None:
        """
        @param words: for the alert, as RFC 8446 has them; without quotes.
        """
        super().__init__(detail)
        self.alert = alert
        if alert is not None:
            self.parameters = f'; alert-id={alert}; alert-message="{words}"'.encode("ascii")


class TLSNotConfigured(IntermediaryError):
    """TLS with servers is not set up here."""

    token = "proxy_configuration_error"


class ConnectionTerminated(IntermediaryError):
    """The connection ended before any octet of the response."""

    token = "connection_terminated"
    status = 502
    retry = Retry.IF_REUSED


class ConnectionLimitReached(IntermediaryError):
    """No connection became free in time, or too many already wait for one."""

    token = "connection_limit_reached"
    status = 503


class ReadTimeout(IntermediaryError):
    """The upstream fell silent in the middle of its response."""

    token = "connection_read_timeout"
    status = 504


class WriteTimeout(IntermediaryError):
    """The upstream stopped reading the request."""

    token = "connection_write_timeout"
    status = 504


class ResponseTimeout(IntermediaryError):
    """The upstream did not send a response head in time."""

    token = "http_response_timeout"
    status = 504


class ResponseIncomplete(IntermediaryError):
    """The upstream closed before the response was complete."""

    token = "http_response_incomplete"
    status = 502


class ResponseInvalid(IntermediaryError):
    """The upstream's octets are not a valid response."""

    token = "http_protocol_error"
    status = 502


class ClientGone(IntermediaryError):
    """
    The client went away first.

    RFC 9209 has no word for it, as nobody is left to tell; the log has.  The
    status is the one that nginx made customary, and is never sent.
    """

    token = "client_gone"
    status = 499


class ContentGone(IntermediaryError):
    """What a client reads is stored no more, and there is no room to wait for it."""

    token = "proxy_internal_error"
    status = 503


class ShuttingDown(IntermediaryError):
    """The intermediary stopped before the exchange was complete."""

    token = "destination_unavailable"
    status = 503
