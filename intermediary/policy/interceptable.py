# -*- test-case-name: tests.policy.test_interceptable -*-
"""
What a front intercepts: which hosts, by the names that clients ask for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .access import Exceptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Hosts of which the answer is remembered.
REMEMBERED = 4096


class Interceptable:
    """
    Says what is to be intercepted, before anything is known but a name and a port.

    Patterns are those of L{Exceptions}.  A network is about addresses that clients ask
    for themselves, and not about what a name may resolve to.
    """

    def __init__(
        self,
        ports: Iterable[int],
        excepted: Iterable[str] = (),
        only: Iterable[str] = (),
        vouchesFor: Callable[[str], bool] | None = None,
    ) -> None:
        """
        @param excepted: what is never intercepted.
        @param only: what alone is; empty for everything else.
        @param vouchesFor: tells of a host whether our authority may vouch for it.
        @raise ValueError: one of them is misspelt.
        """
        self._ports = frozenset(ports)
        self._excepted = Exceptions(excepted)
        self._only = Exceptions(only)
        self._vouchesFor = vouchesFor
        self._known: dict[str, bool] = {}

    def __call__(self, host: str, port: int) -> bool:
        """
        Say it.

        @param host: in lower case, without brackets.
        """
        if port not in self._ports:
            return False
        known = self._known.get(host)
        if known is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            known = self._known[host] = self._judge(host)
        return known

    def excepts(self, host: str) -> bool:
        """
        Tell whether something is never to be intercepted.

        @param host: in lower case; empty for nothing.
        """
        return bool(host) and _fits(self._excepted, host)

    def _judge(self, host: str) -> bool:
        if self.excepts(host):
            return False
        if self._only and not _fits(self._only, host):
            return False
        return self._vouchesFor is None or self._vouchesFor(host)


def _fits(patterns: Exceptions, host: str) -> bool:
    """Compare a host with names, and with networks if it is an address."""
    return patterns.permit(host, host, "")


__all__ = ["Interceptable"]
