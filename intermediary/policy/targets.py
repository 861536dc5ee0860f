# -*- test-case-name: tests.policy.test_cache -*-
"""
Target URIs of requests, and the keys under which their answers are stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..wire.target import Target, parseAuthority

if TYPE_CHECKING:
    from ..exchange import Exchange
    from ..wire.cachekey import KeyMaker
    from ..wire.fields import Fields

#: How many values of C{Host} are remembered.
_HOSTS: Final = 1024


class Targets:
    """Finds targets and their keys, for one route."""

    __slots__ = ("_hosts", "_keys")

    def __init__(self, keys: KeyMaker) -> None:
        self._keys = keys
        self._hosts: dict[bytes, tuple[str, int | None]] = {}

    def targetOf(self, exchange: Exchange) -> Target:
        """Find the target URI of a request (RFC 9110 §7.1)."""
        target = exchange.target
        request = exchange.request
        assert request is not None
        if target is None:
            scheme = "https" if exchange.secure else "http"
            host, port = "", None
            if request.host is not None:
                known = self._hosts.get(request.host)
                if known is None:
                    if len(self._hosts) >= _HOSTS:
                        self._hosts.clear()
                    known = self._hosts[request.host] = parseAuthority(request.host)
                host, port = known
            if port is None:
                port = 443 if exchange.secure else 80
            target = Target(scheme, host, port, request.target, request.host or b"")
        return target

    def keyOf(self, target: Target, fields: Fields) -> bytes:
        """
        Make the primary key of a target.

        @param fields: of the request, as some may be part of it.
        """
        return self._keys.make(target.scheme, target.host, target.port, target.path, fields)
