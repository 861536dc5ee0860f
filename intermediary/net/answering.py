# -*- test-case-name: tests.net.test_answering -*-
"""
Handshakes of which some are all that there is to a connection.

An authority that looks whether a name leads here (tls-alpn-01) wants to see a
certificate; after that nothing is said over the connection (RFC 8737 §3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .handshakes import Handshakes
from .tlscontext import ACME_PROTOCOL

if TYPE_CHECKING:
    from .downstream import DownstreamConnection


class AnsweringHandshakes(Handshakes):
    """Those of a front that answers challenges."""

    def ended(self, connection: DownstreamConnection) -> None:
        """See L{Handshakes.ended}."""
        ended = connection in self._under
        super().ended(connection)
        if ended and connection.secure:
            tls: Any = connection.transport.getHandle()
            if tls.get_alpn_proto_negotiated() == ACME_PROTOCOL:
                connection.drain()


__all__ = ["AnsweringHandshakes"]
