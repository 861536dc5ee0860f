# -*- test-case-name: tests.net.test_listener -*-
"""
What the connections of one front have in common.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..wire.connects import ConnectHeads

if TYPE_CHECKING:
    from ..engine import Engine
    from ..front import Front
    from .downstream import DownstreamConnection
    from .handshakes import Handshakes
    from .sweep import Sweeper


class Listener:
    """
    What the connections of one front share.

    @ivar connections: those that are open.
    @ivar connects: what their clients say again and again.
    @ivar handshakes: those of TLS that come first; None for none.
    """

    __slots__ = (
        "closing",
        "connections",
        "connects",
        "draining",
        "engine",
        "front",
        "handshakes",
        "sweeper",
    )

    def __init__(self, front: Front, sweeper: Sweeper) -> None:
        self.front = front
        self.engine: Engine = front.engine
        self.sweeper = sweeper
        self.connections: set[DownstreamConnection] = set()
        self.connects = ConnectHeads()
        self.handshakes: Handshakes | None = None
        self.draining = False
        #: Called after each connection that is gone.
        self.closing: Any = None

    def opened(self, connection: DownstreamConnection) -> None:
        """A connection begins."""
        self.connections.add(connection)
        self.sweeper.watch(connection)

    def closed(self, connection: DownstreamConnection) -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        self.sweeper.forget(connection)
        if self.closing is not None:
            self.closing()


__all__ = ["Listener"]
