# -*- test-case-name: tests.net.test_sweep -*-
"""
Two looks a second at everything that has a deadline.

A deadline is a float on the object that has it.  To set one costs an
assignment, where a C{callLater} and its cancellation cost microseconds, and not
even the clock is asked: time is counted from the L{Sweeper.horizon}.  In return
a deadline is noticed up to a second late, and never early.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from twisted.logger import Logger

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: The deadline of what may take as long as it likes.
NEVER: Final = float("inf")


class Mortal(Protocol):
    """Something with a deadline."""

    deadline: float

    def expire(self, now: float) -> None:
        """The deadline has passed: act, and set another one or C{NEVER}."""


class Sweeper:
    """
    Watches deadlines while there is anything to watch.

    It runs no timer while it watches nothing, so an application that embeds a
    front and stops it leaves nothing behind.

    @ivar horizon: when the next look is due, which is never before now: so
        C{horizon + seconds} is a deadline at least C{seconds} away.  True for
        whoever is watched.
    """

    log = Logger()

    #: Between two looks.
    intervalSeconds = 0.5

    def __init__(self, reactor: IReactorTime) -> None:
        self._watched: set[Mortal] = set()
        self.seconds = reactor.seconds
        self._later = reactor.callLater
        self._next: IDelayedCall | None = None
        self._sweeping = False
        self.horizon = self.seconds()

    def watch(self, mortal: Mortal) -> None:
        """Look at it until it is forgotten."""
        self._watched.add(mortal)
        if self._next is None and not self._sweeping:
            self._lookLater()

    def forget(self, mortal: Mortal) -> None:
        """Look at it no more."""
        self._watched.discard(mortal)
        if not self._watched and self._next is not None:
            self._next.cancel()
            self._next = None

    def _lookLater(self) -> None:
        self.horizon = self.seconds() + self.intervalSeconds
        self._next = self._later(self.intervalSeconds, self._sweep)

    def _sweep(self) -> None:
        self._next = None
        self._sweeping = True
        now = self.seconds()
        self.horizon = now + self.intervalSeconds
        watched = self._watched
        for mortal in [each for each in watched if each.deadline <= now]:
            # What expired before it may have settled its case as well.
            if mortal in watched and mortal.deadline <= now:
                try:
                    mortal.expire(now)
                except Exception:  # noqa: BLE001 - one that fails must not keep the others alive
                    self.log.failure("{mortal!r} could not expire", mortal=mortal)
        self._sweeping = False
        if watched:
            self._lookLater()

    def __repr__(self) -> str:
        return f"<Sweeper of {len(self._watched)}>"
