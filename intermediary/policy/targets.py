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
    from ..wire.message import RequestHead
    from .entries import Shelf
    from .stores import MemoryStore

#: How many values of C{Host} are remembered.
_HOSTS: Final = 1024


class _Beginning:
    """
    What is noted on the fields of a request: what keys of their host begin with.

    @ivar spelled: whether C{Host} has the form that it has in keys: 1 or 0, -1 where
        nobody has asked.
    """

    __slots__ = ("octets", "secure", "spelled", "targets")

    def __init__(self, targets: Targets, secure: bool, octets: bytes) -> None:
        self.targets = targets
        self.secure = secure
        self.octets = octets
        self.spelled = -1


class Targets:
    """
    Finds targets and their keys, for one route.

    @ivar several: one target may have several keys.
    """

    __slots__ = ("_keys", "_origins", "_secureOrigins", "several")

    def __init__(self, keys: KeyMaker) -> None:
        self._keys = keys
        self.several = keys.several
        #: What keys begin with, by C{Host}.
        self._origins: dict[bytes | None, bytes] = {}
        self._secureOrigins: dict[bytes | None, bytes] = {}

    @property
    def fields(self) -> tuple[bytes, ...]:
        """The names, in lower case, of the request fields that are part of keys."""
        return self._keys.fields

    def targetOf(self, exchange: Exchange) -> Target:
        """Find the target URI of a request (RFC 9110 §7.1)."""
        target = exchange.target
        request = exchange.request
        assert request is not None
        if target is None:
            scheme = "https" if exchange.secure else "http"
            host, port = "", None
            if request.host is not None:
                host, port = parseAuthority(request.host)
            if port is None:
                port = 443 if exchange.secure else 80
            target = Target(scheme, host, port, request.target, request.host or b"")
        return target

    def keyOf(self, target: Target, fields: Fields) -> bytes:
        """
        Make the primary key of a target.

        @param fields: of the request, as some may be part of it.
        @return: empty where there is none; see
            L{KeyMaker.make<intermediary.wire.cachekey.KeyMaker.make>}.
        """
        return self._keys.make(target.scheme, target.host, target.port, target.path, fields)

    def keyFor(self, exchange: Exchange) -> bytes:
        """Make the primary key of a request, without its target where that can be."""
        request = exchange.request
        assert request is not None
        target = exchange.target
        if target is not None:
            return self.keyOf(target, request.fields)
        return self._keys.under(
            self._beginningFor(exchange, request).octets, request.target, request.fields
        )

    def shelfFor(self, exchange: Exchange, memory: MemoryStore) -> Shelf | None:
        """
        Find what is known of a request by its target as it came.

        All keys are in normal form, so a target that one ends with is so, too: that
        need not be found out again for each request.

        @return: None where nothing is known, or not by this.
        """
        if self.several or exchange.target is not None:
            return None
        request = exchange.request
        assert request is not None
        return memory.find(self._beginningFor(exchange, request).octets + request.target)

    def isSpelled(self, exchange: Exchange) -> bool:
        """
        Tell whether C{Host} says the host and the port as the key does (L{hostFor}).

        Of a request that L{shelfFor} has just found something of.
        """
        request = exchange.request
        assert request is not None
        beginning = request.fields.noted
        assert isinstance(beginning, _Beginning)
        if beginning.spelled < 0:
            host = request.fields.index.get(b"host")
            beginning.spelled = 1 if host == _hostOf(beginning.octets) else 0
        return beginning.spelled == 1

    def _beginningFor(self, exchange: Exchange, request: RequestHead) -> _Beginning:
        """Make what keys begin with, without the target."""
        secure = exchange.secure
        # Clients repeat themselves; as in Engine.derive.
        noted = request.fields.noted
        if isinstance(noted, _Beginning) and noted.targets is self and noted.secure == secure:
            return noted
        origins = self._secureOrigins if secure else self._origins
        origin = origins.get(request.host)
        if origin is None:
            target = self.targetOf(exchange)
            origin = self._keys.origin(target.scheme, target.host, target.port)
            if len(origins) >= _HOSTS:
                origins.clear()
            origins[request.host] = origin
        beginning = request.fields.noted = _Beginning(self, secure, origin)
        return beginning

    def hostFor(self, exchange: Exchange) -> bytes:
        """
        Spell the host and the port of a request as its key does.

        @return: what C{Host} says then; empty where it has none.
        """
        target = exchange.target
        if target is None:
            request = exchange.request
            assert request is not None
            origin = self._beginningFor(exchange, request).octets
        else:
            origin = self._keys.origin(target.scheme, target.host, target.port)
        return _hostOf(origin)

    def commonOf(self, target: Target) -> bytes:
        """Make what all keys of a target begin with: its key, where it has but one."""
        return self._keys.common(target.scheme, target.host, target.port, target.path)

    def commonFor(self, exchange: Exchange) -> bytes:
        """Make what all keys of a request's target begin with; empty where that has but one."""
        return self.commonOf(self.targetOf(exchange)) if self.several else b""


def _hostOf(beginning: bytes) -> bytes:
    return beginning.partition(b"://")[2]
