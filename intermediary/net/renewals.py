# -*- test-case-name: tests.net.test_renewals -*-
"""
When which certificate is ordered: at first, before it ends, and after a failure.

A certificate is renewed when a third of its life is left.  What fails is tried again
after a minute, two, four and so on, up to half a day, or when the authority wants it.
All of these times are a little other than that, so that no authority has all of its
clients at once.

There is one timer and at most one order at a time, in a thread where there are some.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IReactorThreads
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from .acmeproblems import Abandoned, AcmeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twisted.internet.interfaces import IDelayedCall
    from twisted.python.failure import Failure

    from .certificates import Certificate

#: After the first failure, and at most.
FIRST_SECONDS: Final = 60.0
MOST_SECONDS: Final = 12 * 3600.0
#: What an authority may ask for, at most: a limit of a week.
PATIENCE_SECONDS: Final = 8 * 86400.0
#: Until it is tried again where another front or process is ordering.
BUSY_SECONDS: Final = 10.0
#: The longest that the timer runs: clocks are set, and machines sleep.
LOOK_SECONDS: Final = 3600.0
#: Which part of a certificate's life is left when it is renewed, and when it is said
#: that it was not.
RENEWED_AT: Final = 1 / 3
WARNED_AT: Final = 1 / 10
#: How much sooner it may be, as a part of the life; how much other, of a delay.
_JITTER: Final = 1 / 30
_DELAY_JITTER: Final = 0.2


class _Delay:
    """
    How long to wait after failures.

    @ivar due: when to try; in seconds since the epoch.
    """

    __slots__ = ("_failures", "due")

    def __init__(self, due: float = 0.0) -> None:
        self.due = due
        self._failures = 0

    def failed(self, now: float, wantedSeconds: float, chance: Any) -> float:
        """Wait longer than the last time, and as long as is wanted; tell how long."""
        seconds = min(FIRST_SECONDS * 2.0 ** min(self._failures, 20), MOST_SECONDS)
        self._failures += 1
        seconds *= chance.uniform(1 - _DELAY_JITTER, 1 + _DELAY_JITTER)
        seconds = max(seconds, min(wantedSeconds, PATIENCE_SECONDS))
        self.due = now + seconds
        return float(seconds)

    def succeeded(self, due: float) -> None:
        """Begin anew with the next failure."""
        self.due = due
        self._failures = 0


class Renewals:
    """Those of one front: a timer from L{start} to L{stop}."""

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        front: str,
        orders: Any,
        obtained: Callable[[], Any],
        chance: Any = None,
    ) -> None:
        """
        @param reactor: provides C{IReactorTime} with the time since the epoch; if it
            has threads, they are used.
        @param front: its name, for the log.
        @param orders: as L{Orders<intermediary.net.acmeorders.Orders>}.
        @param obtained: is called when there is another certificate.
        @param chance: a C{random.Random}.
        """
        self._reactor = reactor
        self._front = front
        self._orders = orders
        self._obtained = obtained
        self._chance: Any = random.SystemRandom() if chance is None else chance
        self._delays: dict[str, _Delay] = {}
        #: For what goes wrong whatever the name is.
        self._common = _Delay()
        self._stored: dict[str, Certificate] = {}
        self._timer: IDelayedCall | None = None
        self._ordering: Deferred[Any] | None = None
        self._started = False

    def start(self) -> None:
        """Order what there is need of, now and from now on."""
        if not self._started:
            self._started = True
            self._orders.resume()
            self._turn()

    def stop(self) -> None:
        """Order nothing more; what is under way is abandoned."""
        self._started = False
        self._orders.abandon()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def use(self, stored: dict[str, Certificate], names: Iterable[str]) -> None:
        """
        Be told what there is.

        @param stored: what is used now, by name.
        @param names: what there is to be; others are not renewed.
        """
        before, self._stored = self._stored, dict(stored)
        delays = {}
        for name in names:
            delay = delays[name] = self._delays.get(name) or _Delay()
            found = stored.get(name)
            if found is not None and found is not before.get(name):
                delay.succeeded(self._dueOf(found) if self._orders.fits(found, name) else 0.0)
        self._delays = delays
        if self._started and self._ordering is None:
            self._turn()

    # Time

    def _dueOf(self, certificate: Certificate) -> float:
        """Tell when to renew a certificate."""
        begins, ends = _lifeOf(certificate)
        life = ends - begins
        return float(ends - life * RENEWED_AT - self._chance.uniform(0.0, life * _JITTER))

    def _isFresh(self, certificate: Certificate) -> bool:
        """Tell whether another process has renewed a certificate."""
        begins, ends = _lifeOf(certificate)
        return bool(ends - self._reactor.seconds() > (ends - begins) * (RENEWED_AT + _JITTER))

    def _turn(self) -> None:
        """Order what is due, or wait for that."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._delays or not self._started:
            return
        now = self._reactor.seconds()
        name = min(self._delays, key=lambda each: self._delays[each].due)
        due = max(self._delays[name].due, self._common.due)
        if due <= now:
            self._begin(name)
        else:
            self._timer = self._reactor.callLater(min(due - now, LOOK_SECONDS), self._again)

    def _again(self) -> None:
        self._timer = None
        self._turn()

    # One order

    def _begin(self, name: str) -> None:
        reactor = self._reactor
        if IReactorThreads.providedBy(reactor):
            pool = reactor.getThreadPool()
            ordering = deferToThreadPool(reactor, pool, self._orders.obtain, name, self._isFresh)
        else:
            ordering = execute(self._orders.obtain, name, self._isFresh)
        self._ordering = ordering
        ordering.addCallbacks(self._got, self._failed, callbackArgs=(name,), errbackArgs=(name,))
        ordering.addBoth(self._ended)

    def _got(self, certificate: Certificate | None, name: str) -> None:
        delay = self._delays.get(name)
        if delay is None:
            return
        if certificate is None:
            # One order at a time; that may well be for the same name.
            delay.due = self._reactor.seconds() + BUSY_SECONDS
            self._warn(name)
            return
        self._common.succeeded(0.0)
        delay.succeeded(self._dueOf(certificate))
        self._log.info(
            "{front}: there is a certificate for {name} until {ends}",
            front=self._front,
            name=name,
            ends=f"{certificate.expires:%Y-%m-%d}",
        )
        self._obtained()

    def _failed(self, failure: Failure, name: str) -> None:
        if not self._started or failure.check(Abandoned):
            return
        delay = self._delays.get(name)
        if delay is None:
            return
        error = failure.value
        if not isinstance(error, AcmeError):
            self._log.failure(
                "{front}: ordering for {name} went wrong", failure, front=self._front, name=name
            )
            error = AcmeError("it went wrong in a way that was not foreseen", "report that")
        which = self._common if error.common else delay
        now = self._reactor.seconds()
        seconds = which.failed(now, error.retryAfterSeconds, self._chance)
        self._log.warn(
            "{front}: no certificate for {name}: {reason}. To do: {remedy}. The next attempt is in "
            "{again}",
            front=self._front,
            name=name,
            reason=error.reason,
            remedy=error.remedy,
            again=spoken(seconds),
        )
        self._warn(name)

    def _warn(self, name: str) -> None:
        """Say so if the certificate that there is does not last much longer."""
        certificate = self._stored.get(name)
        if certificate is None:
            return
        begins, ends = _lifeOf(certificate)
        left = ends - self._reactor.seconds()
        if left <= 0:
            self._log.error(
                "{front}: the certificate for {name} has expired, and clients refuse it",
                front=self._front,
                name=name,
            )
        elif left < (ends - begins) * WARNED_AT:
            self._log.error(
                "{front}: the certificate for {name} ends in {left}, and could not be renewed yet",
                front=self._front,
                name=name,
                left=spoken(left),
            )

    def _ended(self, _: Any) -> None:
        self._ordering = None
        self._turn()

    def __repr__(self) -> str:
        state = "ordering" if self._ordering is not None else "waiting"
        return f"<Renewals {self._front} {state} names={len(self._delays)}>"


def _lifeOf(certificate: Certificate) -> tuple[float, float]:
    """Tell when a certificate begins and ends, in seconds since the epoch."""
    return certificate.leaf.not_valid_before_utc.timestamp(), certificate.expires.timestamp()


def spoken(seconds: float) -> str:
    """Write a duration as people say it."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{round(seconds / length)} {unit}"
    return f"{round(seconds)} seconds"


__all__ = [
    "BUSY_SECONDS",
    "FIRST_SECONDS",
    "LOOK_SECONDS",
    "MOST_SECONDS",
    "PATIENCE_SECONDS",
    "Renewals",
    "spoken",
]
