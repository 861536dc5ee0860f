# -*- test-case-name: tests.net.test_due -*-
"""
When something about a certificate is due: its renewal, another attempt, a question.

All times are in seconds since the epoch, and a little other than what is said here, so
that no authority has all of its clients at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .certificates import Certificate

#: After the first failure, and at most.
FIRST_SECONDS: Final = 60.0
MOST_SECONDS: Final = 12 * 3600.0
#: What an authority may ask for, at most: a limit of a week.
PATIENCE_SECONDS: Final = 8 * 86400.0
#: Between two questions whether a certificate should be renewed sooner: at least, if the
#: authority does not say, and at most.
ASK_SECONDS: Final = (3600.0, 6 * 3600.0, 86400.0)
#: Which part of a certificate's life is left when it is renewed.
RENEWED_AT: Final = 1 / 3
#: How much sooner it may be, as a part of the life; how much other, of a delay.
_JITTER: Final = 1 / 30
_DELAY_JITTER: Final = 0.2


class Due:
    """
    What is due for one name, or for all.

    @ivar asks: when to ask whether it should be sooner.
    """

    __slots__ = ("_chance", "_failures", "_soonest", "_time", "asks")

    def __init__(self, chance: Any, asks: float = 0.0) -> None:
        """
        @param chance: a C{random.Random}.
        """
        self._chance = chance
        self._time = 0.0
        self._soonest = 0.0
        self._failures = 0
        self.asks = asks

    @property
    def time(self) -> float:
        """When to try."""
        return max(self._time, self._soonest)

    def failed(self, now: float, wantedSeconds: float) -> float:
        """
        Wait longer than the last time, and as long as an authority wants.

        @return: how long.
        """
        seconds = min(FIRST_SECONDS * 2.0 ** min(self._failures, 20), MOST_SECONDS)
        self._failures += 1
        seconds *= self._chance.uniform(1 - _DELAY_JITTER, 1 + _DELAY_JITTER)
        seconds = max(seconds, min(wantedSeconds, PATIENCE_SECONDS))
        self._time = now + seconds
        return float(seconds)

    def postponed(self, until: float) -> None:
        """Wait, although nothing has failed."""
        self._time = until

    def hurried(self) -> None:
        """Do not wait because something has failed."""
        if self._failures:
            self._time = 0.0

    def succeeded(self) -> None:
        """Wait for nothing, and begin anew with the next failure."""
        self._time = 0.0
        self._failures = 0

    def has(self, certificate: Certificate) -> None:
        """There is a certificate: renew it when it is time."""
        begins, ends = lifeOf(certificate)
        life = ends - begins
        self.succeeded()
        self._time = ends - life * RENEWED_AT - self._chance.uniform(0.0, life * _JITTER)

    def got(self, certificate: Certificate, now: float) -> None:
        """
        A certificate has just come.

        By a clock that is wrong it may be due already: half of what is left passes
        before another one is ordered.
        """
        self.has(certificate)
        left = lifeOf(certificate)[1] - now
        self._soonest = now + (max(FIRST_SECONDS, left / 2) if left > 0 else MOST_SECONDS)

    def told(self, time: float | None, asks: float, now: float) -> bool:
        """
        An authority says when to renew, and when to ask again.

        @param time: None if it does not say.
        @return: whether that is sooner than it would have been.
        """
        self.asks = asksNext(self._chance, now, asks)
        if time is None or self._failures or time >= self.time:
            return False
        self._time, self._soonest = time, 0.0
        return True


def asksNext(chance: Any, now: float, wanted: float = 0.0) -> float:
    """
    Tell when to ask an authority.

    @param wanted: when it wants to be asked; 0 if it does not say.
    """
    least, usual, most = ASK_SECONDS
    seconds = min(max(wanted - now, least), most) if wanted else usual
    return float(now + seconds * chance.uniform(1, 1 + _DELAY_JITTER))


def isFresh(certificate: Certificate, before: Certificate | None, now: float) -> bool:
    """
    Tell whether there is no need for another certificate any more.

    @param before: the one that there was when it seemed so.
    """
    if before is not None and certificate.leaf == before.leaf:
        return False
    begins, ends = lifeOf(certificate)
    return ends - now > (ends - begins) * (RENEWED_AT + _JITTER)


def lifeOf(certificate: Certificate) -> tuple[float, float]:
    """Tell when a certificate begins and ends."""
    return certificate.leaf.not_valid_before_utc.timestamp(), certificate.expires.timestamp()


def spoken(seconds: float) -> str:
    """Write a duration as people say it."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{round(seconds / length)} {unit}"
    return f"{round(seconds)} seconds"


__all__ = [
    "ASK_SECONDS",
    "FIRST_SECONDS",
    "MOST_SECONDS",
    "PATIENCE_SECONDS",
    "RENEWED_AT",
    "Due",
    "asksNext",
    "isFresh",
    "lifeOf",
    "spoken",
]
