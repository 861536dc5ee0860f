# -*- test-case-name: tests.policy.test_redirects -*-
"""
Where a server sends clients: not to itself.

A server that is asked by its own name, or that never heard of another one,
refers clients to an address that is ours to hide and that they may not even
reach.  What points at the server that answered becomes relative, so that it
points at whatever the client has asked (RFC 9110 §10.2.2).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..exchange import Exchange
    from ..interfaces import Origin

#: The fields that hold a URI reference of the server's making.
_REFERENCES = ((b"location", b"Location"), (b"content-location", b"Content-Location"))

#: C{Refresh} is of no RFC, but browsers obey it: seconds, then a URL.
_REFRESH = re.compile(
    rb"([0-9.]++[ \t]*+[;,][ \t]*+(?:[Uu][Rr][Ll][ \t]*+=[ \t]*+)?+)(['\"]?+)(.*)"
)

_URI = re.compile(rb"(?:([Hh][Tt][Tt][Pp][Ss]?+):)?+//([^/?#]*+)(.*)", re.DOTALL)


def _withoutServer(reference: bytes, origin: Origin) -> bytes | None:
    """Make a reference to a server relative; None for any other."""
    match = _URI.fullmatch(reference)
    if match is None:
        return None
    scheme, authority, rest = match.groups()
    if scheme is not None and scheme.lower() != origin.scheme.encode("ascii"):
        return None
    spelled = origin.authority
    if authority.lower() not in (spelled, spelled + b":%d" % origin.port):
        return None
    if rest.startswith(b"//"):
        # On its own, this would be read as an authority.
        return b"/." + rest
    return rest if rest.startswith(b"/") else b"/" + rest


class Redirects:
    """Hides servers in C{Location}, C{Content-Location} and C{Refresh}."""

    def hide(self, exchange: Exchange) -> None:
        """Change what refers to the server that answered."""
        reply = exchange.reply
        assert reply is not None
        fields = reply.fields
        index = fields.index
        if (
            b"location" not in index
            and b"content-location" not in index
            and b"refresh" not in index
        ):
            return
        origin = exchange.origin
        if origin is None or exchange.response is None:
            return
        for lowerName, name in _REFERENCES:
            reference = index.get(lowerName)
            if reference is not None:
                changed = _withoutServer(reference, origin)
                if changed is not None:
                    fields = fields.setting(name, changed)
        refresh = index.get(b"refresh")
        if refresh is not None:
            match = _REFRESH.fullmatch(refresh)
            if match is not None:
                changed = _withoutServer(match[3], origin)
                if changed is not None:
                    fields = fields.setting(b"Refresh", match[1] + match[2] + changed)
        reply.fields = fields
