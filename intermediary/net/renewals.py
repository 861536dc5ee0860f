# -*- test-case-name: tests.net.test_renewals -*-
"""
When which certificate is ordered: at first, before it ends, and after a failure.

A certificate is renewed when a third of its life is left, or sooner if the authority
says so, which is asked from time to time (RFC 9773).  What fails is tried again after a
minute, two, four and so on, up to half a day, or when the authority wants it.

There is one timer, and at most one thing is under way, in a thread where there are some.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IReactorThreads
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from .acmeproblems import Abandoned, AcmeError
from .due import Due, asksNext, isFresh, lifeOf, spoken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twisted.internet.interfaces import IDelayedCall
    from twisted.python.failure import Failure

    from .certificates import Certificate

#: Until it is tried again where another front or process is ordering.
BUSY_SECONDS: Final = 10.0
#: The longest that the timer runs: clocks are set, and machines sleep.
LOOK_SECONDS: Final = 3600.0
#: Which part of a certificate's life is left when it is said that it was not renewed.
_WARNED_AT: Final = 1 / 10


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
        self._due: dict[str, Due] = {}
        #: For what goes wrong whatever the name is.
        self._common = Due(self._chance)
        self._stored: dict[str, Certificate] = {}
        self._timer: IDelayedCall | None = None
        self._working: Deferred[Any] | None = None
        self._started = False

    def start(self) -> None:
        """Order what there is need of, now and from now on."""
        if not self._started:
            self._started = True
            self._orders.resume()
            # What was abandoned may not have noticed yet.
            if self._working is None:
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
        now = self._reactor.seconds()
        found = {}
        for name in names:
            due = found[name] = self._due.get(name) or Due(
                self._chance, asksNext(self._chance, now)
            )
            certificate = stored.get(name)
            if certificate is not None and certificate is not before.get(name):
                if self._orders.fits(certificate, name):
                    due.has(certificate)
                else:
                    due.succeeded()
        self._due = found
        if self._started and self._working is None:
            self._turn()

    def hurry(self) -> None:
        """Try what has failed again now: somebody has mended it."""
        for each in (self._common, *self._due.values()):
            each.hurried()
        if self._started and self._working is None:
            self._turn()

    # Time

    def _turn(self) -> None:
        """Do what is due, or wait for that."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._due or not self._started:
            return
        now = self._reactor.seconds()
        time, name = min((each.time, name) for name, each in self._due.items())
        time = max(time, self._common.time)
        asks, asked = min(
            ((self._due[name].asks, name) for name in self._stored if name in self._due),
            default=(float("inf"), ""),
        )
        if time <= now:
            before = self._stored.get(name)

            def fresh(found: Certificate) -> bool:
                """Be called in a thread."""
                return isFresh(found, before, self._reactor.seconds())

            self._begin(name, self._got, self._failed, self._orders.obtain, name, fresh)
        elif asks <= now:
            certificate = self._stored[asked]
            self._begin(asked, self._told, self._untold, self._orders.renewal, certificate)
        else:
            seconds = min(time - now, asks - now, LOOK_SECONDS)
            self._timer = self._reactor.callLater(seconds, self._again)

    def _again(self) -> None:
        self._timer = None
        self._turn()

    def _begin(
        self,
        name: str,
        done: Callable[[Any, str], None],
        failed: Callable[[Failure, str], None],
        *job: Any,
    ) -> None:
        """Do something that takes its time."""
        reactor = self._reactor
        if IReactorThreads.providedBy(reactor):
            working = deferToThreadPool(reactor, reactor.getThreadPool(), *job)
        else:
            working = execute(*job)
        self._working = working
        working.addCallbacks(done, failed, callbackArgs=(name,), errbackArgs=(name,))
        working.addBoth(self._ended)

    def _ended(self, _: Any) -> None:
        self._working = None
        self._turn()

    # The authority's wishes

    def _told(self, wishes: tuple[float | None, float], name: str) -> None:
        due = self._due.get(name)
        if due is not None and due.told(*wishes, self._reactor.seconds()):
            self._log.info(
                "{front}: the authority wants the certificate for {name} renewed sooner",
                front=self._front,
                name=name,
            )

    def _untold(self, failure: Failure, name: str) -> None:
        if not self._started or failure.check(Abandoned):
            return
        if not failure.check(AcmeError):
            self._log.failure(
                "{front}: asking about {name} went wrong", failure, front=self._front, name=name
            )
        # It is no more than a courtesy.
        if name in self._due:
            self._due[name].asks = asksNext(self._chance, self._reactor.seconds())

    # One order

    def _got(self, certificate: Certificate | None, name: str) -> None:
        due = self._due.get(name)
        if due is None:
            return
        now = self._reactor.seconds()
        if certificate is None:
            # One order at a time; that may well be for the same name.
            due.postponed(now + BUSY_SECONDS)
            self._warn(name)
            return
        self._common.succeeded()
        due.got(certificate, now)
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
        due = self._due.get(name)
        if due is None:
            return
        error = failure.value
        if not isinstance(error, AcmeError):
            self._log.failure(
                "{front}: ordering for {name} went wrong", failure, front=self._front, name=name
            )
            error = AcmeError("it went wrong in a way that was not foreseen", "report that")
        now = self._reactor.seconds()
        if error.common:
            # It may be the name's fault after all: let the others have their turn first.
            due.postponed(now)
        which = self._common if error.common else due
        seconds = which.failed(now, error.retryAfterSeconds)
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
        begins, ends = lifeOf(certificate)
        left = ends - self._reactor.seconds()
        if left <= 0:
            self._log.error(
                "{front}: the certificate for {name} has expired, and clients refuse it",
                front=self._front,
                name=name,
            )
        elif left < (ends - begins) * _WARNED_AT:
            self._log.error(
                "{front}: the certificate for {name} ends in {left}, and could not be renewed yet",
                front=self._front,
                name=name,
                left=spoken(left),
            )

    def __repr__(self) -> str:
        state = "working" if self._working is not None else "waiting"
        return f"<Renewals {self._front} {state} names={len(self._due)}>"


__all__ = ["BUSY_SECONDS", "LOOK_SECONDS", "Renewals"]
