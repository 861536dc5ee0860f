# -*- test-case-name: tests.net.test_gate -*-
"""
Why reading from a connection is paused.

A connection is read if and only if nobody has a reason against it.  Reasons are
words, so the C{repr} of a stalled connection explains the stall.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twisted.internet.interfaces import IPushProducer


class Gate:
    """
    The named reasons to pause one transport.

    A reason is there or not: giving it twice is giving it once.
    """

    __slots__ = ("_reasons", "_transport")

    def __init__(self, transport: IPushProducer) -> None:
        self._transport = transport
        self._reasons: tuple[str, ...] = ()

    def pause(self, reason: str) -> None:
        """Add a reason; the first one pauses the transport."""
        reasons = self._reasons
        if reason not in reasons:
            self._reasons = (*reasons, reason)
            if not reasons:
                self._transport.pauseProducing()

    def resume(self, reason: str) -> None:
        """Take a reason back; with the last one the transport goes on."""
        reasons = self._reasons
        if reason in reasons:
            self._reasons = remaining = tuple(each for each in reasons if each != reason)
            if not remaining:
                self._transport.resumeProducing()

    def clear(self) -> None:
        """Take all reasons back: what they were about is over."""
        if self._reasons:
            self._reasons = ()
            self._transport.resumeProducing()

    @property
    def isOpen(self) -> bool:
        """Whether the transport is read."""
        return not self._reasons

    def __repr__(self) -> str:
        return f"<Gate {', '.join(self._reasons) or 'open'}>"
