# -*- test-case-name: tests.net.test_sni -*-
"""
The name that a TLS client asks for in its first octets, before anybody answers them.

OpenSSL reads them, in a connection of its own that goes no further, so what is understood
here is what would be understood when they are answered.
"""

from __future__ import annotations

from typing import Any, Final

from OpenSSL import SSL

from .tlscontext import makeContext

#: Of the header of a record (RFC 8446 §5.1).
_HEADER_OCTETS: Final = 5


def isWhole(octets: bytes) -> bool:
    """
    Tell whether the first record of a client is there, which has its greeting as a rule.

    @param octets: all that it sent.
    """
    return len(octets) >= _HEADER_OCTETS and len(octets) >= _HEADER_OCTETS + int.from_bytes(
        octets[3:_HEADER_OCTETS], "big"
    )


def nameIn(octets: bytes) -> str:
    """
    Read the name that a client asks for (RFC 6066 §3).

    @param octets: all that it sent.
    @return: in lower case; empty if it asks for none, or they are no greeting.
    """
    found: list[Any] = []
    context = makeContext()
    context.set_tlsext_servername_callback(lambda each: found.append(each.get_servername()))
    connection = SSL.Connection(context, None)
    connection.set_accept_state()
    connection.bio_write(octets)
    try:
        connection.do_handshake()
    except SSL.Error:
        # It has no certificate, so this goes no further.
        pass
    if not found or not found[0]:
        return ""
    return bytes(found[0]).decode("ascii", "replace").lower()


__all__ = ["isWhole", "nameIn"]
