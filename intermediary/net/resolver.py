# -*- test-case-name: tests.net.test_resolver -*-
"""
Names to addresses, on the reactor's own resolver, with a small cache.

The reactor's resolver is C{getaddrinfo} in a thread, unless the application
installed another: C{/etc/hosts}, search domains and the preferences of RFC 6724
are the system's.  Three things are missing in it, and are here: a deadline, one
look-up for many who ask for the same name at once, and a memory.

C{getaddrinfo} does not tell how long an answer holds, so the memory is short and
the same for all: 30 seconds for addresses, 5 for failures.
"""

from __future__ import annotations

import re
import socket
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IResolutionReceiver
from zope.interface import implementer

from ..errors import DNSError, DNSTimeout, IntermediaryError
from ..interfaces import IResolver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from twisted.internet.interfaces import IAddress, IDelayedCall, IHostResolution

#: A host name as C{getaddrinfo} can look it up without an exception: labels of
#: at most 63 octets (RFC 1035 §2.3.4), underscores as in the wild.
_NAME = re.compile(r"(?=.{1,253}\.?\Z)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?\Z")

#: A last label by which C{getaddrinfo} takes the whole for an IPv4 address in one
#: of its historical spellings, C{127.1}, C{0x7f000001}, C{017700000001}.
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9a-fA-F]*)\.?\Z")


def nameProblem(host: str) -> str | None:
    """
    Say why something is not a host name to look up.

    Spellings of IPv4 addresses that RFC 3986 §3.2.2 doesn't know are refused and
    not passed to C{getaddrinfo}, which would accept them: a log, an access rule
    and the socket must all see the same address.

    @return: None if it may be looked up.
    """
    if not _NAME.match(host):
        return "not a host name"
    if _NUMERIC.match(host):
        return "neither a host name nor an address"
    return None


def addressFamily(address: str) -> int:
    """Tell C{AF_INET} from C{AF_INET6} in a valid address."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class _Memory:
    """What is known about one name until a point in time."""

    __slots__ = ("addresses", "error", "untilSeconds")

    def __init__(
        self,
        untilSeconds: float,
        addresses: list[tuple[int, str]],
        error: IntermediaryError | None,
    ) -> None:
        self.untilSeconds = untilSeconds
        self.addresses = addresses
        self.error = error

    def answer(self) -> Deferred[list[tuple[int, str]]]:
        """Give it to one who asks: a list of their own, or an error of their own."""
        if self.error is not None:
            return fail(type(self.error)(self.error.detail))
        return succeed(list(self.addresses))


@implementer(IResolutionReceiver)
class _Lookup:
    """One name that the reactor's resolver is asked about, and all who wait for it."""

    def __init__(self, host: str, whenComplete: Callable[[_Lookup], None]) -> None:
        self._whenComplete = whenComplete
        self.host = host
        self.waiting: list[Deferred[list[tuple[int, str]]]] = []
        self.addresses: list[tuple[int, str]] = []
        self.deadline: IDelayedCall | None = None

    def join(self) -> Deferred[list[tuple[int, str]]]:
        """
        Wait for the answer.

        Who cancels leaves; the look-up goes on, as a thread can't be stopped
        and the answer is good for the next one.
        """
        deferred: Deferred[list[tuple[int, str]]] = Deferred(self.waiting.remove)
        self.waiting.append(deferred)
        return deferred

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """See L{IResolutionReceiver.resolutionBegan}."""

    def addressResolved(self, address: IAddress) -> None:
        """See L{IResolutionReceiver.addressResolved}."""
        host = getattr(address, "host", None)
        if isinstance(host, str):
            self.addresses.append((addressFamily(host), host))

    def resolutionComplete(self) -> None:
        """See L{IResolutionReceiver.resolutionComplete}."""
        self._whenComplete(self)


@implementer(IResolver)
class Resolver:
    """
    Looks names up by C{reactor.nameResolver}.

    Memory, and the number of look-ups under way, are bounded: names come from
    clients.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        timeoutSeconds: float = 10.0,
        positiveSeconds: float = 30.0,
        negativeSeconds: float = 5.0,
        names: int = 1024,
        lookups: int = 256,
    ) -> None:
        """
        @param reactor: provides C{IReactorTime} and C{IReactorPluggableNameResolver}.
        @param timeoutSeconds: after which a look-up fails with L{DNSTimeout}.
        @param positiveSeconds: how long addresses are remembered; 0 for not at all.
        @param negativeSeconds: how long a failure is.
        @param names: how many names are remembered; the least recently used goes.
        @param lookups: how many names may be looked up at once; one more fails
            with L{DNSError}.
        """
        self._reactor = reactor
        self._timeoutSeconds = timeoutSeconds
        self._positiveSeconds = positiveSeconds
        self._negativeSeconds = negativeSeconds
        self._names = names
        self._lookups = lookups
        self._known: OrderedDict[str, _Memory] = OrderedDict()
        self._underway: dict[str, _Lookup] = {}
        #: Look-ups that occupy the reactor's resolver, those included that are
        #: too late to help anybody: they still hold or await a thread.
        self._running = 0

    def __repr__(self) -> str:
        return f"<Resolver {len(self._known)} names known, {len(self._underway)} looked up>"

    def resolve(self, host: str, port: int) -> Deferred[list[tuple[int, str]]]:
        """See L{IResolver.resolve}."""
        known = self._known.get(host)
        if known is not None:
            if self._reactor.seconds() < known.untilSeconds:
                self._known.move_to_end(host)
                return known.answer()
            del self._known[host]
        lookup = self._underway.get(host)
        if lookup is not None:
            return lookup.join()
        problem = nameProblem(host)
        if problem is not None:
            return fail(DNSError(f"{host}: {problem}"))
        if self._running >= self._lookups:
            return fail(DNSError(f"{host}: {self._lookups} other names are being looked up"))
        lookup = _Lookup(host, self._completed)
        deferred = lookup.join()
        self._underway[host] = lookup
        self._running += 1
        # Ports are no part of a look-up by address family, and one answer
        # serves them all.
        self._reactor.nameResolver.resolveHostName(lookup, host, 0)
        if self._underway.get(host) is lookup:
            lookup.deadline = self._reactor.callLater(self._timeoutSeconds, self._late, lookup)
        return deferred

    def forget(self) -> None:
        """Empty the memory; look-ups under way go on."""
        self._known.clear()

    def _completed(self, lookup: _Lookup) -> None:
        self._running -= 1
        # An answer after the deadline helps nobody who waited, and the next.
        if lookup.addresses:
            self._conclude(lookup, self._positiveSeconds, None)
        elif self._underway.get(lookup.host) is lookup:
            error = DNSError(f"{lookup.host}: the name has no address")
            self._conclude(lookup, self._negativeSeconds, error)

    def _late(self, lookup: _Lookup) -> None:
        lookup.deadline = None
        error = DNSTimeout(f"{lookup.host}: no answer in {self._timeoutSeconds:g} seconds")
        self._conclude(lookup, self._negativeSeconds, error)

    def _conclude(self, lookup: _Lookup, seconds: float, error: IntermediaryError | None) -> None:
        if lookup.deadline is not None:
            lookup.deadline.cancel()
            lookup.deadline = None
        if self._underway.get(lookup.host) is lookup:
            del self._underway[lookup.host]
        memory = _Memory(self._reactor.seconds() + seconds, lookup.addresses, error)
        if seconds > 0:
            self._known[lookup.host] = memory
            self._known.move_to_end(lookup.host)
            if len(self._known) > self._names:
                self._known.popitem(last=False)
        waiting = lookup.waiting
        lookup.waiting = []
        for deferred in waiting:
            memory.answer().chainDeferred(deferred)


@implementer(IResolver)
class StaticResolver:
    """
    Knows the names that it was told, and answers at once.

    For tests, and for applications that know all their destinations.
    """

    def __init__(self, addresses: Mapping[str, Iterable[str]]) -> None:
        """
        @param addresses: names in lower case to IPv4 and IPv6 addresses, in order
            of preference.
        """
        self._addresses = {
            name: [(addressFamily(address), address) for address in listed]
            for name, listed in addresses.items()
        }

    def resolve(self, host: str, port: int) -> Deferred[list[tuple[int, str]]]:
        """See L{IResolver.resolve}."""
        addresses = self._addresses.get(host.lower())
        if not addresses:
            return fail(DNSError(f"{host}: not a known name"))
        return succeed(list(addresses))
