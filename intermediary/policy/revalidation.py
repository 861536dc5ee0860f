# -*- test-case-name: tests.policy.test_cache -*-
"""
Validation that no client waits for (RFC 5861 §3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..exchange import Exchange
from ..wire.cachestatus import STALE
from ..wire.conditional import PRECONDITIONS
from ..wire.message import RequestHead
from .collapsing import Fetch
from .filling import Nobody
from .visit import Visit

if TYPE_CHECKING:
    from ..engine import Engine
    from ..program import Program
    from .cachestate import Cache
    from .entries import Entry, Shelf

#: Exchanges under way for nobody in particular, of one process.
BACKGROUND: Final = 64

_OWN: Final = PRECONDITIONS | frozenset({b"range"})
#: What one client wants of caches is no business of the others: a C{no-store} would
#: keep from them what the origin confirms, and a cache in front of that would take an
#: C{only-if-cached} for ours.
_DEMANDS: Final = frozenset({b"cache-control", b"pragma"})


class Revalidation:
    """
    Asks origins for those who come next; one at a time for each key.

    @ivar program: what its exchanges run; None for nothing at all.
    """

    __slots__ = ("_cache", "_engine", "program")

    def __init__(self, cache: Cache, engine: Engine) -> None:
        self._cache = cache
        self._engine = engine
        self.program: Program | None = None

    def begin(
        self,
        exchange: Exchange,
        key: bytes,
        common: bytes,
        entries: tuple[Entry, ...],
        reason: bytes = STALE,
    ) -> None:
        """
        Validate what was used stale, unless somebody does or there is too much to do.

        @param exchange: whose request it was used for.
        @param common: see L{Visit}.
        @param entries: of L{candidates<intermediary.policy.selection.candidates>}; empty to
            fetch what is not there.
        @param reason: why (RFC 9211 §2.2).
        """
        shelf = self._cache.store.shelf(key)
        request = exchange.request
        if shelf.fetch is not None or self._cache.background >= BACKGROUND:
            return
        assert request is not None
        left = _OWN | _DEMANDS
        if entries and not _DEMANDS.isdisjoint(entries[0].vary):
            # RFC 9111 §4.3.1: what selects is asked for as it was.
            left = _OWN
        fields = request.fields.without(left)
        head = RequestHead(b"GET", request.target, 11, fields, host=request.host)
        now = self._engine.seconds()
        later = Exchange(exchange.front, Nobody(), head, exchange.peerHost, now)
        later.target = exchange.target
        later.secure = exchange.secure
        later.origin = exchange.origin
        self.run(later, shelf, common, entries, reason=reason)

    def run(
        self,
        later: Exchange,
        shelf: Shelf,
        common: bytes,
        entries: tuple[Entry, ...],
        ahead: Entry | None = None,
        reason: bytes = STALE,
    ) -> bool:
        """
        Send a request that nobody waits for.

        @param later: an exchange of L{Nobody} that has not begun.
        @param common: see L{Visit}.
        @param ahead: see L{Visit}.
        @param reason: see L{begin}.
        @return: whether it was sent: not if somebody fetches the same, or where nothing
            is done in the background.
        """
        program = self.program
        if shelf.fetch is not None or program is None:
            return False
        client = later.downstream
        assert isinstance(client, Nobody)
        client.exchange = later
        later.requestEnded = True
        visit = later.visit = Visit(reason, later.started)
        visit.key = shelf.key
        visit.shelf = shelf
        visit.entries = entries
        visit.ahead = ahead
        if entries and entries[0].body.start and entries[0].body.file.isOpen:
            # For those who wait; nobody else reads it, so it need not be opened.
            visit.keep(entries[0].body.file)
        visit.fetch = shelf.fetch = Fetch(later)
        if common:
            visit.common = common
            self._cache.siblings.begin(common, visit.fetch)
        self._cache.background += 1
        self._engine.run(later, program, program.fetch)
        return True
