# -*- test-case-name: tests.net.test_tickets -*-
"""
Generations of ticket keys: how long clients may come back without a whole handshake.

A ticket is a session, encrypted for whoever gave it: who has the key can read what was
said in sessions of TLS 1.2, so no key is used for long.  pyOpenSSL can't set the keys;
OpenSSL makes them at random with a context.  So a new generation is a new context, and
who comes with a ticket of the one before makes a whole handshake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from ..interfaces import ITicketKeys

if TYPE_CHECKING:
    from collections.abc import Callable


@implementer(ITicketKeys)
class Generations:
    """Makes a new generation when the last one has had its time."""

    def __init__(
        self, make: Callable[[], Any], seconds: Callable[[], float], lifetimeSeconds: float
    ) -> None:
        """
        @param make: makes a context.
        @param seconds: tells the time.
        @param lifetimeSeconds: of one generation; 0 for ever, for contexts that give no
            tickets.
        """
        self._make = make
        self._seconds = seconds
        self._lifetime = lifetimeSeconds or float("inf")
        self._newest: Any = None
        self._until = 0.0

    def newest(self) -> Any:
        """See L{ITicketKeys.newest}."""
        now = self._seconds()
        if self._newest is None or now >= self._until:
            self._newest = self._make()
            self._until = now + self._lifetime
        return self._newest

    def retire(self) -> None:
        """See L{ITicketKeys.retire}."""
        self._newest = None

    def expire(self) -> None:
        """Forget keys that have had their time, also if nobody comes."""
        if self._seconds() >= self._until:
            self._newest = None


__all__ = ["Generations"]
