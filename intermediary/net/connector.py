# -*- test-case-name: tests.net.test_connector -*-
"""
From an origin to a connected protocol: look-up, guard, a race of attempts, and TLS.

Literal addresses go straight to an attempt.  Names are resolved, the destination
guard is asked about every address, and what is left is tried in the manner of
RFC 8305 ("Happy Eyeballs"): families take turns, a new attempt begins whenever
one fails or C{staggerSeconds} pass, and the first connection wins.

How one attempt is made is L{intermediary.net.attempt}'s, and what follows with an
origin that has TLS is L{intermediary.net.securing}'s.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure
from zope.interface import classImplements

from ..errors import (
    ConnectTimeout,
    DestinationProhibited,
    DestinationUnavailable,
    DNSError,
    DNSTimeout,
    IntermediaryError,
)
from ..interfaces import IConnector
from .attempt import Attempt, attemptFor
from .failures import describe, failureClass, mostTelling
from .securing import Securing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twisted.internet.interfaces import IDelayedCall, IProtocolFactory

    from ..interfaces import IResolver, Origin

#: How long an attempt has for itself before the next begins (RFC 8305 §5
#: recommends this value).
STAGGER_SECONDS = 0.25

#: How many addresses of one name are tried.  More than any honest name has,
#: and a bound on what one request can make this host dial.
ADDRESS_LIMIT = 16


#: Literals that were found to be such lately, as in L{intermediary.wire.target}.
_literals: set[str] = set()
LITERALS_LIMIT = 1024


def literalFamily(host: str) -> int | None:
    """
    Tell the address family of a literal.

    Only the spellings that RFC 3986 §3.2.2 allows are literals: C{127.1},
    C{0x7f000001} and C{2130706433} are not.

    @return: C{AF_INET}, C{AF_INET6} (with or without a zone), or None for a name.
    """
    if ":" in host:
        family = socket.AF_INET6
        address = host.partition("%")[0]
    elif host[-1:].isdecimal():
        family = socket.AF_INET
        address = host
    else:
        return None
    if host in _literals:
        return family
    try:
        socket.inet_pton(family, address)
    except (OSError, ValueError):
        return None
    if len(_literals) >= LITERALS_LIMIT:
        _literals.clear()
    _literals.add(host)
    return family


def interleave(addresses: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    """
    Let the families take turns, the first one's first (RFC 8305 §4).

    The order within a family stays.  An address that appears twice is tried
    once.
    """
    families: dict[int, list[tuple[int, str]]] = {}
    for pair in dict.fromkeys(addresses):
        families.setdefault(pair[0], []).append(pair)
    queues = [iter(pairs) for pairs in families.values()]
    ordered = []
    while queues:
        for queue in list(queues):
            pair_ = next(queue, None)
            if pair_ is None:
                queues.remove(queue)
            else:
                ordered.append(pair_)
    return ordered


class Connector:
    """
    Opens connections over TCP, with TLS where the origin has it.

    @ivar resolver: an L{IResolver<intermediary.interfaces.IResolver>}; assign
        another at any time.
    """

    def __init__(
        self,
        reactor: Any,
        resolver: IResolver,
        staggerSeconds: float = STAGGER_SECONDS,
    ) -> None:
        """
        @param staggerSeconds: how long an attempt has for itself.
        """
        self.reactor = reactor
        self.resolver = resolver
        self.staggerSeconds = staggerSeconds
        self.attemptKind = attemptFor(reactor)

    def connect(
        self, origin: Origin, factory: IProtocolFactory, timeoutSeconds: float
    ) -> Deferred[Any]:
        """
        See L{IConnector.connect}.

        The Deferred may have fired already when it is returned, and the
        protocol with it be connected: a connection to this host needs no turn
        of the reactor.
        """
        outcome = self.reach(origin, factory, timeoutSeconds)
        if isinstance(outcome, Deferred):
            return outcome
        return fail(outcome) if isinstance(outcome, Failure) else succeed(outcome)

    def reach(self, origin: Origin, factory: IProtocolFactory, timeoutSeconds: float) -> Any:
        """
        As L{connect}, for who does without a Deferred where it can.

        @return: the protocol, connected, or a L{Failure}; or the Deferred that
            will fire with one of them.
        """
        if origin.via is not None:
            return Failure(DestinationUnavailable(f"{origin} is behind a parent proxy"))
        if origin.tls is not None:
            return Securing(self.reactor, origin, factory).start(self._dial, timeoutSeconds)
        return _Race(self, origin, factory).start(timeoutSeconds)

    def _dial(self, origin: Origin, factory: Any, timeoutSeconds: float) -> Any:
        """As L{reach}, for the connection below TLS."""
        return _Race(self, origin, factory).start(timeoutSeconds)


# Not as a decorator, which would keep the class from being compiled well.
classImplements(Connector, IConnector)


class _Race:
    """
    One call of L{Connector.connect}, until it is settled.

    It ends in exactly one of C{deliver}, C{refuse}, C{_give} and cancellation,
    and leaves neither timer nor socket behind.
    """

    __slots__ = (
        "_abandoned",
        "_attempts",
        "_connector",
        "_deadline",
        "_deferred",
        "_failures",
        "_lookup",
        "_origin",
        "_outcome",
        "_settled",
        "_stagger",
        "_waiting",
        "factory",
    )

    def __init__(self, connector: Connector, origin: Origin, factory: IProtocolFactory) -> None:
        self.factory = factory
        self._connector = connector
        self._origin = origin
        self._attempts: list[Attempt] = []
        #: Addresses not tried yet, the next one last.
        self._waiting: list[tuple[int, str]] = []
        self._failures: list[IntermediaryError] = []
        self._lookup: Deferred[list[tuple[int, str]]] | None = None
        self._deadline: IDelayedCall | None = None
        self._stagger: IDelayedCall | None = None
        #: Made only when the answer has to be waited for.
        self._deferred: Deferred[Any] | None = None
        self._outcome: Any = None
        self._settled = False
        #: Cancelled, maybe by the very protocol that was being connected.
        self._abandoned = False

    def start(self, timeoutSeconds: float) -> Any:
        """Begin; see L{Connector.reach} for what is returned."""
        host = self._origin.host
        family = literalFamily(host)
        if family is not None:
            self._race([(family, host)])
        else:
            lookup = self._lookup = self._connector.resolver.resolve(host, self._origin.port)
            lookup.addCallbacks(self._resolved, self._unresolved)
        if self._settled:
            return self._outcome
        self._deadline = self._connector.reactor.callLater(timeoutSeconds, self._late)
        self._deferred = Deferred(self._cancelled)
        return self._deferred

    # The look-up.

    def _resolved(self, addresses: list[tuple[int, str]]) -> None:
        self._lookup = None
        if not self._settled:
            self._race(interleave(addresses)[:ADDRESS_LIMIT])

    def _unresolved(self, reason: Failure) -> None:
        self._lookup = None
        if self._settled:
            return
        if not isinstance(reason.value, IntermediaryError):
            error = DNSError(f"{self._origin.host}: {reason.getErrorMessage()}")
            error.__cause__ = reason.value
            reason = Failure(error)
        self._settle(reason)

    # The attempts.

    def _race(self, addresses: list[tuple[int, str]]) -> None:
        if not addresses:
            self._give(DNSError(f"{self._origin.host} has no address"))
            return
        if self._origin.guard is not None:
            addresses = self._permitted(addresses)
        addresses.reverse()
        self._waiting = addresses
        if not self._settled:
            self._proceed()

    def _permitted(self, addresses: list[tuple[int, str]]) -> list[tuple[int, str]]:
        """Ask the guard about every address; without one that may be dialled, give up."""
        host = self._origin.host
        guard = self._origin.guard
        prohibits = guard.prohibits
        permitted = []
        reasons = []
        for pair in addresses:
            why = prohibits(host, pair[1])
            if why is None:
                permitted.append(pair)
            else:
                reasons.append(f"{pair[1]} is {why}")
        if not permitted:
            refuse = getattr(guard, "refuse", DestinationProhibited)
            self._give(refuse(f"{self._origin}: {', '.join(reasons)}"))
        return permitted

    def _proceed(self) -> None:
        """Begin the next attempt; every failure brings us here again."""
        if not self._waiting:
            if not self._attempts:
                self._give(mostTelling(self._failures))
            return
        family, address = self._waiting.pop()
        connector = self._connector
        attempt = connector.attemptKind(self, connector.reactor, family, address, self._origin.port)
        self._attempts.append(attempt)
        attempt.begin()
        if self._waiting and not self._settled and self._stagger is None:
            self._stagger = connector.reactor.callLater(connector.staggerSeconds, self._staggered)

    def _staggered(self) -> None:
        self._stagger = None
        self._proceed()

    def lost(self, attempt: Attempt, code: int) -> None:
        """See L{Owner.lost<intermediary.net.attempt.Owner.lost>}."""
        self._attempts.remove(attempt)
        self._failures.append(
            failureClass(code)(f"{self._origin} at {attempt.address}: {describe(code)}"),
        )
        if self._stagger is not None:
            self._stagger.cancel()
            self._stagger = None
        self._proceed()

    def won(self, attempt: Attempt) -> bool:
        """See L{Owner.won<intermediary.net.attempt.Owner.won>}."""
        if self._settled:
            return False
        self._attempts.remove(attempt)
        self._stop()
        return True

    def deliver(self, protocol: Any) -> bool:
        """See L{Owner.deliver<intermediary.net.attempt.Owner.deliver>}."""
        if self._abandoned:
            return False
        self._settle(protocol)
        return True

    def refuse(self, reason: Failure) -> None:
        """See L{Owner.refuse<intermediary.net.attempt.Owner.refuse>}."""
        self._settle(reason)

    # The end.

    def _late(self) -> None:
        self._deadline = None
        if self._lookup is not None:
            self._give(DNSTimeout(f"{self._origin.host}: no answer in time"))
            return
        addresses = ", ".join(attempt.address for attempt in self._attempts)
        self._give(ConnectTimeout(f"{self._origin} at {addresses}: no connection in time"))

    def _cancelled(self, deferred: Deferred[Any]) -> None:
        self._deferred = None
        self._abandoned = True
        self._settle(None)

    def _give(self, error: IntermediaryError) -> None:
        self._settle(Failure(error))

    def _stop(self) -> None:
        """Leave nothing behind but the attempt that won, if one did."""
        self._settled = True
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._stagger is not None:
            self._stagger.cancel()
            self._stagger = None
        if self._lookup is not None:
            self._lookup.cancel()
        self._waiting = []
        attempts = self._attempts
        self._attempts = []
        for attempt in attempts:
            attempt.stop()

    def _settle(self, outcome: Any) -> None:
        if not self._settled:
            self._stop()
        deferred = self._deferred
        self._deferred = None
        if deferred is None:
            self._outcome = outcome
        elif isinstance(outcome, Failure):
            deferred.errback(outcome)
        else:
            deferred.callback(outcome)
