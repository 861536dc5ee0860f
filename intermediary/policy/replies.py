# -*- test-case-name: tests.policy.test_replies -*-
"""
How an error is worded for a client: a small page or JSON, and C{Proxy-Status}.

The words come from the error's class.  Its detail, which may name addresses of
servers, is for the log alone.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from ..errors import WireError
from ..exchange import Reply
from ..wire.encoding import REASONS
from ..wire.fields import Fields
from .hops import GATEWAY_METHODS

if TYPE_CHECKING:
    from ..errors import IntermediaryError
    from ..exchange import Exchange

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{status} {reason}</title></head>
<body><h1>{status} {reason}</h1><p>{sentence}</p><hr><p>intermediary: {token}</p></body></html>
"""

_TOKEN = re.compile(rb"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*+")
_WEIGHT = re.compile(rb";[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*(?:;|\Z)")

#: Ranges that a media type fits, the most specific first.
_JSON = (b"application/json", b"application/*", b"*/*")
_HTML = (b"text/html", b"text/*", b"*/*")

#: How much of C{Accept} is looked at.  Browsers and libraries send less.
_ACCEPT_OCTETS = 1024

_Key = tuple["type[IntermediaryError]", int, str, bytes, bool]


class ErrorReplies:
    """
    Words replies to errors; an instance is a front's C{answer}.

    Each reply is made once for a class, a status, a token, its parameters and a form.
    """

    def __init__(self, pseudonym: bytes) -> None:
        """
        @param pseudonym: how the front calls itself in C{Proxy-Status}.
        """
        # RFC 8941 §3.3: what can't be a token is a string.
        isToken = _TOKEN.fullmatch(pseudonym) is not None
        self._pseudonym = pseudonym if isToken else b'"%b"' % pseudonym
        self._made: dict[_Key, tuple[Fields, bytes]] = {}

    def __call__(self, exchange: Exchange, error: IntermediaryError) -> Reply:
        """Word the reply to an error in the form that the client accepts."""
        request = exchange.request
        accept = None if request is None else request.fields.get(b"accept")
        asJSON = accept is not None and _prefersJSON(accept)
        key = (type(error), error.status, error.token, error.parameters, asJSON)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = self._make(*key)
        return Reply(error.status, *made)

    def _make(
        self,
        kind: type[IntermediaryError],
        status: int,
        token: str,
        parameters: bytes,
        asJSON: bool,
    ) -> tuple[Fields, bytes]:
        reason = REASONS.get(status, b"Error").decode("ascii")
        sentence = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
        if kind is WireError:
            sentence = "The request is not valid HTTP, or larger than is allowed here."
        if asJSON:
            mediaType = b"application/json"
            body = json.dumps({"status": status, "error": token, "message": sentence}) + "\n"
        else:
            mediaType = b"text/html; charset=utf-8"
            body = _PAGE.format(status=status, reason=reason, sentence=sentence, token=token)
        fields = [
            (b"Content-Type", mediaType),
            (b"Cache-Control", b"no-store"),
            (
                b"Proxy-Status",
                b"%b; error=%b%b" % (self._pseudonym, token.encode("ascii"), parameters),
            ),
        ]
        if status == 405:
            fields.append((b"Allow", GATEWAY_METHODS))
        return Fields.fromPairs(fields), body.encode("utf-8")


def _prefersJSON(accept: bytes) -> bool:
    """
    Tell whether C{Accept} puts JSON before HTML (RFC 9110 §12.5.1).

    Of equal weight it is what stands first, and HTML where both are meant by
    the same range.
    """
    ranges: dict[bytes, tuple[float, int]] = {}
    for position, each in enumerate(accept[:_ACCEPT_OCTETS].lower().split(b",")):
        name = each.partition(b";")[0].strip()
        weight = _WEIGHT.search(each)
        found = (1.0 if weight is None else float(weight[1]), -position)
        ranges.setdefault(name, found)
        if name.endswith(b"+json"):
            ranges.setdefault(_JSON[0], found)
    return _best(ranges, _JSON) > _best(ranges, _HTML)


def _best(ranges: dict[bytes, tuple[float, int]], names: tuple[bytes, ...]) -> tuple[float, int]:
    """Find the weight of a media type and its place, to be compared with another's."""
    for name in names:
        found = ranges.get(name)
        if found is not None:
            return found if found[0] else _NOT_ACCEPTED
    return _NOT_ACCEPTED


_NOT_ACCEPTED = (0.0, 0)
