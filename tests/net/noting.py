# -*- test-case-name: tests.net.test_connector,tests.net.test_securing -*-
"""
A protocol that notes what a connector does with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet import error
from twisted.internet.protocol import Factory, Protocol

if TYPE_CHECKING:
    from twisted.python.failure import Failure


class Noting(Protocol):
    """Notes what happens to it: C{"made"}, what came, and how it ended."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def connectionMade(self) -> None:
        self.heard.append("made")

    def dataReceived(self, data: bytes) -> None:
        self.heard.append(data)

    def connectionLost(self, reason: Failure = error.ConnectionDone) -> None:  # type: ignore[assignment]
        self.heard.append(self.lost(reason))

    def lost(self, reason: Failure) -> str:
        """Give the word for an end."""
        return "lost"


class NotingWhy(Noting):
    """Notes as well why it ended: the name of the reason's class."""

    def lost(self, reason: Failure) -> str:
        """Give the word for an end."""
        return type(reason.value).__name__


class NotingFactory(Factory):
    """Notes for which addresses it was asked."""

    protocol: Any = Noting

    def __init__(self) -> None:
        self.addresses: list[Any] = []

    def buildProtocol(self, addr: Any) -> Any:
        self.addresses.append(addr)
        return super().buildProtocol(addr)
