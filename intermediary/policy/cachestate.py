# -*- test-case-name: tests.policy.test_cache -*-
"""
What all routes of a process share of a cache, and its counters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .heads import Heads

if TYPE_CHECKING:
    from ..interfaces import ICacheStore


class Cache:
    """
    What all routes of a process share.

    @ivar hits: requests that were answered without asking.
    @ivar misses: requests that were sent on although they might have been stored.
    @ivar collapsed: requests that waited for another one's answer.
    @ivar background: exchanges under way for nobody in particular.
    """

    __slots__ = (
        "background",
        "collapsed",
        "heads",
        "hits",
        "maxObjectOctets",
        "misses",
        "store",
        "targeted",
    )

    def __init__(
        self, store: ICacheStore, maxObjectOctets: int, targeted: tuple[bytes, ...] = ()
    ) -> None:
        """
        @param targeted: see L{CacheRules<intermediary.wire.rules.CacheRules>}.
        """
        self.store = store
        self.maxObjectOctets = maxObjectOctets
        self.targeted = targeted
        self.heads = Heads()
        self.hits = 0
        self.misses = 0
        self.collapsed = 0
        self.background = 0

    def __repr__(self) -> str:
        return (
            f"<Cache hits={self.hits} misses={self.misses} collapsed={self.collapsed}"
            f" background={self.background} {self.store!r}>"
        )
