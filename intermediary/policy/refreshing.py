# -*- test-case-name: tests.policy.test_refreshing -*-
"""
Validation before it is due: what is used often does not expire under its clients.

An entry that was used so often as its route asks for becomes a I{candidate}, once in
its lifetime; a timer has it validated shortly before it expires, whether anybody asks
just then or not.  What comes of that is counted anew, so what nobody wants any more is
refreshed once and then left alone.

It must not make things worse: what it brings counts only where it is the like of what
is stored, an origin that fails is left alone for a while, and there is a budget.
"""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING, Any, Final

from .revalidation import BACKGROUND

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IReactorTime

    from .ahead import Ahead, Candidate
    from .cachestate import Cache
    from .entries import Entry

#: How many candidates there are at most; those that are due last leave.
CANDIDATES: Final = 4096
#: Refreshes that begin in a second, over some time, and at once.
PER_SECOND: Final = 32.0
#: How long to wait for others that are under way in the background.
BUSY_SECONDS: Final = 1.0
#: For how long an origin that failed is left alone, first and at most.
QUIET_SECONDS: Final = 5.0
LONGEST_QUIET_SECONDS: Final = 300.0
#: How many such origins are known.
_QUIET: Final = 1024


class Quiet:
    """
    Origins that failed, and until when they are left alone: twice as long each time.

    A full memory forgets the one that is known longest.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        # When it was noted, for how long, and until when that is.
        self._known: dict[Any, tuple[float, float, float]] = {}

    def until(self, origin: Any) -> float:
        """Tell until when an origin is left alone; 0 for one that is not."""
        known = self._known.get(origin)
        return 0.0 if known is None else known[2]

    def failed(self, origin: Any, began: float, now: float) -> None:
        """
        Note a failure.

        @param began: when what failed was begun: what is under way at the same time
            fails for the same reason, and counts as one.
        """
        known = self._known.pop(origin, None)
        seconds = QUIET_SECONDS
        if known is not None:
            if began <= known[0]:
                self._known[origin] = known
                return
            seconds = min(2 * known[1], LONGEST_QUIET_SECONDS)
        elif len(self._known) >= _QUIET:
            del self._known[next(iter(self._known))]
        self._known[origin] = (now, seconds, now + seconds)

    def answered(self, origin: Any) -> None:
        """Note that it works."""
        self._known.pop(origin, None)

    def __len__(self) -> int:
        return len(self._known)


class Refreshing:
    """
    The candidates of all routes, and the timer that has them refreshed.

    There is one timer, while there are candidates; L{close} ends it.

    @ivar closed: no candidates are taken any more.
    @ivar quiet: which origins are left alone.
    """

    __slots__ = (
        "_allowance",
        "_at",
        "_cache",
        "_counted",
        "_later",
        "_line",
        "_number",
        "_seconds",
        "_timer",
        "closed",
        "quiet",
    )

    def __init__(self, reactor: IReactorTime, cache: Cache) -> None:
        self._later: Callable[..., Any] = reactor.callLater
        self._seconds: Callable[[], float] = reactor.seconds
        self._cache = cache
        # By when they are due, the first one last: negative, as are the numbers
        # that give those that are due at once an order.
        self._line: list[tuple[float, int, Candidate]] = []
        self._number = 0
        self._timer: Any = None
        self._at = 0.0
        # How many may begin, and when that was counted.
        self._allowance = PER_SECOND
        self._counted = 0.0
        self.closed = False
        self.quiet = Quiet()

    def add(self, candidate: Candidate, due: float) -> None:
        """Have something refreshed; nothing at all after L{close}."""
        if self.closed:
            return
        line = self._line
        self._number -= 1
        insort(line, (-due, self._number, candidate))
        if len(line) > CANDIDATES:
            del line[0]
        self._arm(-line[-1][0])

    def forget(self, ahead: Ahead) -> None:
        """Drop the candidates of a route."""
        self._line = [each for each in self._line if each[2].ahead is not ahead]
        if not self._line:
            self._disarm()

    def close(self) -> None:
        """Drop all candidates, and take no more."""
        self.closed = True
        self._line.clear()
        self._disarm()

    def _arm(self, at: float) -> None:
        if self._timer is not None:
            if self._at <= at:
                return
            self._timer.cancel()
        self._at = at
        self._timer = self._later(max(0.0, at - self._seconds()), self._turn)

    def _disarm(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _turn(self) -> None:
        """Refresh what is due, as far as there is room for it."""
        self._timer = None
        now = self._seconds()
        self._allowance = min(
            PER_SECOND, self._allowance + PER_SECOND * max(0.0, now - self._counted)
        )
        self._counted = now
        wait = 0.0
        while self._line and -self._line[-1][0] <= now:
            if self._cache.background >= BACKGROUND:
                wait = BUSY_SECONDS
                break
            if self._allowance < 1.0:
                wait = (1.0 - self._allowance) / PER_SECOND
                break
            if self._refresh(self._line.pop()[2], now):
                self._allowance -= 1.0
        if self._line and not self.closed:
            self._arm(max(now + wait, -self._line[-1][0]))

    def _refresh(self, candidate: Candidate, now: float) -> bool:
        """Begin, if it is still what it was; whether that took some of the allowance."""
        shelf = self._cache.store.find(candidate.key)
        entry: Entry | None = None if shelf is None else shelf.entryOf(candidate.variant)
        if (
            entry is None
            or entry.stored != candidate.stored
            # Purged softly, too.
            or entry.expires != candidate.expires
            or entry.expires <= now
            or not entry.body.complete
        ):
            return False
        quiet = self.quiet.until(candidate.whose)
        if quiet > now:
            if quiet < candidate.expires:
                self.add(candidate, quiet)
            return False
        if not candidate.ahead.begin(candidate, shelf, entry, now):
            return False
        self._cache.refreshes += 1
        return True

    def __len__(self) -> int:
        return len(self._line)

    def __repr__(self) -> str:
        return f"<Refreshing candidates={len(self._line)} quiet={len(self.quiet)}>"
