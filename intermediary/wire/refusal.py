# -*- test-case-name: tests.wire.test_http1 -*-
"""
How a violation is reported: the status and the token, by side.

The rules of a field section or of chunked content are the same for requests and
responses, what becomes of a violation is not: a request is answered with a 4xx
status, a response that can't be trusted becomes a 502 with the narrowest proxy
error type (RFC 9209 §2.3).  So the code that knows the rules is handed a
L{Verdicts} and asks it for the exception to raise.
"""

from __future__ import annotations

from enum import Enum

from ..errors import WireError

#: The token of everything wrong with a request (RFC 9209 §2.3.16).
REQUEST_ERROR = "http_request_error"


class Offence(Enum):
    """The kinds of violation that both sides know."""

    SYNTAX = "syntax"
    #: A head larger than allowed, or with too many fields.
    HEAD_SIZE = "head size"
    #: A trailer section larger than allowed, or with too many fields.
    TRAILER_SIZE = "trailer size"
    #: The transfer coding: an unacceptable one, or octets that violate it.
    CODING = "coding"


class Verdicts:
    """What each L{Offence} amounts to on one side."""

    __slots__ = ("_verdicts",)

    def __init__(self, verdicts: dict[Offence, tuple[int, str]]) -> None:
        self._verdicts = verdicts

    def error(self, offence: Offence, detail: str) -> WireError:
        """
        Make the exception to raise.

        @param detail: what is wrong, in a few words, for the log; it repeats
            no received octets.
        """
        status, token = self._verdicts[offence]
        return WireError(detail, status, token)


REQUEST = Verdicts(
    {
        Offence.SYNTAX: (400, REQUEST_ERROR),
        Offence.HEAD_SIZE: (431, REQUEST_ERROR),
        Offence.TRAILER_SIZE: (431, REQUEST_ERROR),
        Offence.CODING: (400, REQUEST_ERROR),
    }
)

RESPONSE = Verdicts(
    {
        Offence.SYNTAX: (502, "http_protocol_error"),
        Offence.HEAD_SIZE: (502, "http_response_header_section_size"),
        Offence.TRAILER_SIZE: (502, "http_response_trailer_section_size"),
        Offence.CODING: (502, "http_response_transfer_coding"),
    }
)
