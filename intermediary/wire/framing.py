# -*- test-case-name: tests.wire.test_framing -*-
"""
Where content ends and whether the connection goes on (RFC 9112 §6 and §9).

The rules against request smuggling live here: a message with two readings is
refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import WireError
from .message import CHUNKED, NO_BODY, UNTIL_CLOSE
from .refusal import REQUEST, RESPONSE, Offence
from .target import parseAuthority

if TYPE_CHECKING:
    from .fields import Fields
    from .refusal import Verdicts

# Eighteen digits are an exabyte and fit in the 63 bits of everybody's integers.
_LENGTH = re.compile(rb"[0-9]{1,18}")

# What nearly all Host values look like: parseAuthority at a third of its price.
_USUAL_HOST = re.compile(rb"[A-Za-z0-9_~\-]++(?:\.[A-Za-z0-9_~\-]++)*+(?::[1-9][0-9]{0,3})?")

# The values of nearly all Connection fields: (close, keep-alive).
_USUAL_OPTIONS = {
    b"keep-alive": (False, True),
    b"Keep-Alive": (False, True),
    b"close": (True, False),
    b"Close": (True, False),
}


def connectionOptions(value: bytes) -> list[bytes]:
    """Split a C{Connection} value into its options, in lower case (RFC 9110 §7.6.1)."""
    return [
        option for option in (part.strip(b" \t") for part in value.lower().split(b",")) if option
    ]


def persists(version: int, connection: bytes | None) -> bool:
    """
    Tell whether the sender wants to keep the connection (RFC 9112 §9.3).

    @param connection: the combined C{Connection} value.
    """
    if connection is None:
        return version == 11
    usual = _USUAL_OPTIONS.get(connection)
    if usual is not None:
        close, keepAlive = usual
    else:
        options = connectionOptions(connection)
        close, keepAlive = b"close" in options, b"keep-alive" in options
    return not close and (version == 11 or keepAlive)


def contentLength(value: bytes, verdicts: Verdicts) -> int:
    """
    Read a combined C{Content-Length} value.

    A list of identical numbers counts as one (RFC 9110 §8.6).

    @raise WireError: not a plain decimal number, or differing ones.
    """
    if _LENGTH.fullmatch(value) is not None:
        return int(value)
    first, *others = (part.strip(b" \t") for part in value.split(b","))
    if _LENGTH.fullmatch(first) is None:
        raise verdicts.error(Offence.SYNTAX, "invalid Content-Length")
    for other in others:
        if other != first:
            raise verdicts.error(Offence.SYNTAX, "differing Content-Length values")
    return int(first)


def requestFraming(method: bytes, version: int, fields: Fields) -> int:
    """
    Tell how the content of a request is delimited (RFC 9112 §6.3).

    @return: C{NO_BODY}, C{CHUNKED} or a length.
    @raise WireError: 400, or 501 for a transfer coding besides chunked.
    """
    index = fields.index
    coding = index.get(b"transfer-encoding")
    length = index.get(b"content-length")
    if coding is None:
        if length is None:
            return NO_BODY
        framing = contentLength(length, REQUEST)
    else:
        if version == 10:
            # RFC 9112 §6.1: its framing is to be considered faulty.
            raise WireError("Transfer-Encoding in an HTTP/1.0 request")
        if length is not None:
            # RFC 9112 §6.1 would let the coding win; §11.2 is why we do not.
            raise WireError("both Transfer-Encoding and Content-Length")
        if coding.lower() != b"chunked":
            codings = [part.strip(b" \t") for part in coding.lower().split(b",")]
            if codings[-1] != b"chunked" or b"chunked" in codings[:-1] or b"" in codings:
                # §6.3, rule 4: the length can't be told.
                raise WireError("transfer coding that does not end with one chunked")
            # §6.1: SHOULD be 501, and we do not know any coding but chunked.
            raise WireError("transfer coding besides chunked", 501)
        framing = CHUNKED
    checkContent(method, framing)
    return framing


def checkContent(method: bytes, framing: int) -> None:
    """
    Check that a request of that method may have content.

    @raise WireError: 400.
    """
    if framing == NO_BODY:
        return
    if method == b"CONNECT":
        # RFC 9110 §9.3.6 gives content of CONNECT no meaning: are these octets
        # its content or the tunnel's?
        raise WireError("CONNECT with content")
    if method == b"TRACE":
        # RFC 9110 §9.3.8: a client MUST NOT send content in it.
        raise WireError("TRACE with content")


def requestHost(version: int, fields: Fields) -> bytes | None:
    """
    Find the one C{Host} value (RFC 9112 §3.2).

    An empty one is refused as well, as no C{http} URI has an empty host
    (RFC 9110 §4.2.1).

    @return: None without one, in HTTP/1.0.
    @raise WireError: 400: missing in HTTP/1.1, more than one, or invalid.
    """
    host = fields.index.get(b"host")
    if host is None:
        if version == 10:
            return None
        raise WireError("no Host")
    if len(host) < 64 and _USUAL_HOST.fullmatch(host) is not None:
        return host
    # A comma can't be in a valid value, so this also finds duplicates.
    try:
        parseAuthority(host)
    except WireError as error:
        raise WireError(f"invalid or more than one Host: {error.detail}") from error
    return host


def responseFraming(
    method: bytes, status: int, version: int, fields: Fields
) -> tuple[int, int | None, bool]:
    """
    Tell how the content of a response is delimited (RFC 9112 §6.3).

    @param method: of the request.
    @return: C{NO_BODY}, C{CHUNKED}, C{UNTIL_CLOSE} or a length; the declared
        length, if any; and whether the connection may persist as far as the
        framing goes.
    @raise WireError: 502.
    """
    index = fields.index
    coding = index.get(b"transfer-encoding")
    value = index.get(b"content-length")
    length = None
    if value is not None:
        length = contentLength(value, RESPONSE)
    if coding is not None:
        if version == 10:
            raise RESPONSE.error(Offence.CODING, "Transfer-Encoding in an HTTP/1.0 response")
        if length is not None:
            raise RESPONSE.error(Offence.CODING, "both Transfer-Encoding and Content-Length")
        if coding.lower() != b"chunked":
            raise RESPONSE.error(Offence.CODING, "transfer coding other than chunked")
    if status < 200 or status == 204:
        # RFC 9112 §6.1: the server MUST NOT have sent these fields.  What it
        # thinks follows is unknown, so the connection is of no more use.
        return NO_BODY, length, coding is None and not length
    if method == b"HEAD" or status == 304:
        return NO_BODY, length, True
    if method == b"CONNECT" and status < 300:
        # §6.3, rule 2: a client MUST ignore the framing fields.
        return NO_BODY, None, True
    if coding is not None:
        return CHUNKED, None, True
    if length is not None:
        return length, length, True
    return UNTIL_CLOSE, None, False
