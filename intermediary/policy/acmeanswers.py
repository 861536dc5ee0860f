# -*- test-case-name: tests.policy.test_acmeanswers -*-
"""
Answers for an authority that looks by http-01 whether a name leads here (RFC 8555 §8.3).

It asks on port 80, without TLS, for a path that it has told whoever ordered.  What is
not expected now is none of our business, and goes where it would go without.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from zope.interface import implementer

from ..exchange import Reply
from ..interfaces import IOnRequest
from ..wire.fields import Fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..exchange import Exchange

#: In origin-form, or in absolute-form for whatever host.
_CHALLENGE: Final = re.compile(rb"(?:http://[^/?#]+)?/\.well-known/acme-challenge/([A-Za-z0-9_-]+)")
_FIELDS: Final = Fields.fromPairs(
    [(b"Content-Type", b"application/octet-stream"), (b"Cache-Control", b"no-store")]
)


@implementer(IOnRequest)
class AcmeAnswers:
    """
    The step of a front without TLS; it has to come before one that redirects to https.
    """

    __slots__ = ("_finders",)

    def __init__(self, finders: Iterable[Callable[[str], bytes | None]]) -> None:
        """
        @param finders: each finds what the authority is to get by its token, and None if
            it does not wait for that.
        """
        self._finders = tuple(finders)

    def onRequest(self, exchange: Exchange) -> Reply | None:
        """See L{IOnRequest.onRequest}."""
        request = exchange.request
        assert request is not None
        asked = _CHALLENGE.fullmatch(request.target)
        if asked is None or request.method not in (b"GET", b"HEAD"):
            return None
        token = asked[1].decode("ascii")
        for find in self._finders:
            octets = find(token)
            if octets is not None:
                return Reply(200, _FIELDS, octets)
        return None


__all__ = ["AcmeAnswers"]
