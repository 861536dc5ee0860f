# -*- test-case-name: tests.test_errors -*-
"""
The words for what goes wrong.
"""

from __future__ import annotations

import contextlib
import re

from twisted.trial.unittest import SynchronousTestCase

from intermediary import errors
from intermediary.errors import IntermediaryError, Retry, WireError, forgetFrames

#: Every class of error that there is.
CLASSES = tuple(
    each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, IntermediaryError)
)

#: RFC 9209 §2.3, all of them.
REGISTERED = frozenset(
    [
        "dns_timeout",
        "dns_error",
        "destination_not_found",
        "destination_unavailable",
        "destination_ip_prohibited",
        "destination_ip_unroutable",
        "connection_refused",
        "connection_terminated",
        "connection_timeout",
        "connection_read_timeout",
        "connection_write_timeout",
        "connection_limit_reached",
        "tls_protocol_error",
        "tls_certificate_error",
        "tls_alert_received",
        "http_request_error",
        "http_request_denied",
        "http_response_incomplete",
        "http_response_header_section_size",
        "http_response_header_size",
        "http_response_body_size",
        "http_response_trailer_section_size",
        "http_response_trailer_size",
        "http_response_transfer_coding",
        "http_response_content_coding",
        "http_response_timeout",
        "http_upgrade_failed",
        "http_protocol_error",
        "proxy_internal_response",
        "proxy_internal_error",
        "proxy_configuration_error",
        "proxy_loop_detected",
    ]
)

#: Tokens that are not in the RFC, with the reason in the docstring of the class.
UNREGISTERED = {errors.ClientGone: "client_gone"}

#: Tokens that several classes share: the RFC has one word where a status tells more.
SHARED = {
    "http_request_error": {
        errors.WireError,
        errors.AuthorityMismatch,
        errors.RequestInvalid,
        errors.RequestTimeout,
        errors.ContentTooLarge,
        errors.SchemeNotServed,
        errors.NotAProxyRequest,
        errors.PlainRequest,
    },
    "http_request_denied": {
        errors.RequestDenied,
        errors.MethodNotAllowed,
        errors.PortNotAllowed,
    },
    "proxy_internal_error": {errors.IntermediaryError, errors.ContentGone},
    "destination_unavailable": {errors.DestinationUnavailable, errors.ShuttingDown},
}


def make(kind: type[IntermediaryError], detail: str = "detail") -> IntermediaryError:
    """Make an error of a class."""
    return kind(detail)


class ErrorTests(SynchronousTestCase):
    """Each class of error."""

    def test_everyTokenIsOfTheRFC(self) -> None:
        """RFC 9209 §2.3; one that is not has no client to tell."""
        for kind in CLASSES:
            if kind in UNREGISTERED:
                self.assertEqual(kind.token, UNREGISTERED[kind])
                self.assertIn("RFC 9209 has no word for it", kind.__doc__ or "")
            else:
                self.assertIn(kind.token, REGISTERED, kind)

    def test_everyTokenIsAToken(self) -> None:
        """Of RFC 8941 §3.3.4, and fit to be a label of a metric."""
        for kind in CLASSES:
            self.assertRegex(kind.token, r"\A[a-z][a-z_]*[a-z]\Z")

    def test_noTwoClassesShareAToken(self) -> None:
        """But those whose status tells them apart, or their sentence."""
        found: dict[str, set[type[IntermediaryError]]] = {}
        for kind in CLASSES:
            found.setdefault(kind.token, set()).add(kind)
        self.assertEqual({token: kinds for token, kinds in found.items() if len(kinds) > 1}, SHARED)

    def test_everyStatusSaysWhoseFaultItIs(self) -> None:
        """4xx the request's, 5xx ours or the upstream's."""
        for kind in CLASSES:
            self.assertIn(kind.status // 100, (4, 5), kind)
            if kind.token.startswith(("dns_", "connection_", "http_response_", "tls_")):
                self.assertIn(kind.status, (502, 503, 504), kind)
            if kind.token.endswith("_timeout"):
                self.assertEqual(kind.status, 504, kind)
            if kind.token.startswith("http_request_"):
                self.assertEqual(kind.status // 100, 4, kind)

    def test_everyClassHasASentenceForClients(self) -> None:
        """The first paragraph of its docstring: one plain sentence that tells no names of code."""
        sentences: set[str] = set()
        for kind in CLASSES:
            paragraph = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
            self.assertRegex(paragraph, r"\A[A-Z][^<>&{}@`\"]*\.\Z", kind)
            self.assertLess(len(paragraph), 120)
            self.assertNotIn(paragraph, sentences)
            self.assertIsNone(re.search(r"\b(C|L|self|None|raise|Deferred)\b", paragraph), kind)
            sentences.add(paragraph)

    def test_theDetailIsKeptForTheLog(self) -> None:
        """As an attribute and as the exception's text."""
        for kind in CLASSES:
            error = make(kind, "192.0.2.1:80: errno 111")
            self.assertEqual(error.detail, "192.0.2.1:80: errno 111")
            self.assertEqual(str(error), error.detail)

    def test_onlyWireErrorsNeedADetail(self) -> None:
        """The others may be made without."""
        for kind in CLASSES:
            if kind is not WireError:
                self.assertEqual(kind().detail, "")

    def test_aWireErrorHasItsOwnStatusAndToken(self) -> None:
        """By the instance, so that one class serves all that is no message."""
        error = WireError("too long", 431)
        self.assertEqual((error.status, error.token), (431, "http_request_error"))
        error = WireError("odd", 502, "http_response_transfer_coding")
        self.assertEqual((error.status, error.token), (502, "http_response_transfer_coding"))
        self.assertEqual((WireError("x").status, WireError.status), (400, 400))

    def test_alertsHaveParameters(self) -> None:
        """RFC 9209 §2.3.15: C{alert-id} and C{alert-message}, where they are known."""
        error = errors.TLSAlertReceived("x", 42, "bad certificate")
        self.assertEqual(error.parameters, b'; alert-id=42; alert-message="bad certificate"')
        self.assertEqual(errors.TLSAlertReceived("x").parameters, b"")
        self.assertEqual(IntermediaryError.parameters, b"")

    def test_whatMayBeTriedAgain(self) -> None:
        """
        Always where nothing was sent, and once more where a kept connection was dead.

        RFC 9112 §9.3.1.  All others never: the request may have had its effect.
        """
        always = {kind for kind in CLASSES if kind.retry is Retry.ALWAYS}
        reused = {kind for kind in CLASSES if kind.retry is Retry.IF_REUSED}
        self.assertEqual(
            always,
            {
                errors.DestinationUnavailable,
                errors.DestinationUnroutable,
                errors.DNSError,
                errors.DNSTimeout,
                errors.ConnectionRefused,
                errors.ConnectTimeout,
                errors.TLSProtocolError,
                errors.TLSCertificateError,
                errors.TLSAlertReceived,
            },
        )
        self.assertEqual(reused, {errors.ConnectionTerminated})

    def test_policyIsNotTriedAgain(self) -> None:
        """What is denied stays denied."""
        for kind in CLASSES:
            if issubclass(kind, errors.RequestDenied | errors.RequestInvalid):
                self.assertIs(kind.retry, Retry.NEVER)

    def test_forgetFrames(self) -> None:
        """Of the error and of those behind it, though they be a ring."""
        first, second, third = make(IntermediaryError), ValueError("x"), KeyError("x")
        for error in (first, second, third):
            with contextlib.suppress(Exception):
                raise error
        first.__cause__, second.__context__, third.__cause__ = second, third, first
        forgetFrames(first)
        self.assertEqual([each.__traceback__ for each in (first, second, third)], [None] * 3)
        self.assertIs(first.__cause__, second)
