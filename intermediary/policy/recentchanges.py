# -*- test-case-name: tests.policy.test_recentchanges -*-
"""
What methods that are not safe changed of late (RFC 9111 §4.4), for who asks alone.

A fetch that others wait for is on a shelf, and gets a mark there when something
changes.  Who asks alone, as it said C{no-cache} or wants a range, is on none: it
remembers which change was the last when it was sent on, and asks here.

Any client may change things, as often as it likes.  So this is not where purges are
noted, which must not be forgotten for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .visit import Visit

#: How many targets are remembered, of the last changes.
TARGETS: Final = 4096


class RecentChanges:
    """
    Tells whether a target was changed since.

    Of what is forgotten, everything was: that costs a fetch and no more.

    @ivar serial: how many changes there were.
    """

    __slots__ = ("_forgotten", "_last", "serial")

    def __init__(self) -> None:
        self.serial = 0
        #: The last of those that are forgotten.
        self._forgotten = 0
        # By hashes, as keys are long; two that are the same cost a fetch, too.  The
        # oldest first.
        self._last: dict[int, int] = {}

    def note(self, common: bytes) -> None:
        """
        There is one more.

        @param common: what all keys of the target begin with.
        """
        self.serial += 1
        mark = hash(common)
        last = self._last
        # To the end, where the newest are.
        last.pop(mark, None)
        last[mark] = self.serial
        if len(last) > TARGETS:
            self._forgotten = last.pop(next(iter(last)))

    def overtook(self, visit: Visit) -> bool:
        """Tell whether what was asked for was changed since it was sent on, or may have been."""
        since = visit.changes
        if since == self.serial:
            return False
        if since < self._forgotten:
            return True
        return self._last.get(hash(visit.common or visit.key), 0) > since

    def __repr__(self) -> str:
        return f"<RecentChanges {self.serial}, the last {self.serial - self._forgotten} known>"
