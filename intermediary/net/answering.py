# -*- test-case-name: tests.net.test_answering -*-
"""
Handshakes of which some are all that there is to a connection.

An authority that looks whether a name leads here (tls-alpn-01) wants to see a
certificate; after that nothing is said over the connection (RFC 8737 §3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

from ..interfaces import ITLSPolicy
from .automatic import ACME_PROTOCOL
from .handshakes import Handshakes

if TYPE_CHECKING:
    from .downstream import DownstreamConnection


@implementer(ITLSPolicy, IOpenSSLServerConnectionCreator)
class _Watched:
    """A policy that knows what it made of one connection."""

    __slots__ = ("_made", "_policy")

    def __init__(self, policy: Any) -> None:
        self._policy = policy
        self._made: Any = None

    def connectionOn(self, socket: Any) -> Any:
        """See L{ITLSPolicy.connectionOn}."""
        self._made = self._policy.connectionOn(socket)
        return self._made

    def serverConnectionForTLS(self, protocol: Any) -> Any:
        """See L{IOpenSSLServerConnectionCreator}."""
        self._made = self._policy.serverConnectionForTLS(protocol)
        return self._made

    def isAnswer(self) -> bool:
        """Tell whether the handshake was all that its client wanted."""
        made = self._made
        return made is not None and made.get_alpn_proto_negotiated() == ACME_PROTOCOL


class AnsweringHandshakes(Handshakes):
    """Those of a front that answers challenges."""

    def _policyOf(self, connection: DownstreamConnection) -> Any:
        watched = self._watched[connection] = _Watched(super()._policyOf(connection))
        return watched

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """See L{Handshakes}."""
        super().__init__(*arguments, **named)
        self._watched: dict[DownstreamConnection, _Watched] = {}

    def ended(self, connection: DownstreamConnection) -> None:
        """See L{Handshakes.ended}."""
        watched = self._watched.pop(connection, None)
        super().ended(connection)
        if watched is not None and connection.secure and watched.isAnswer():
            connection.drain()


__all__ = ["AnsweringHandshakes"]
