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

from typing import TYPE_CHECKING

from .marks import Marks

if TYPE_CHECKING:
    from .visit import Visit


class RecentChanges:
    """
    Tells whether a target was changed since.

    Of what is forgotten, everything was: that costs a fetch and no more.

    @ivar serial: how many changes there were.
    """

    __slots__ = ("_marks", "serial")

    def __init__(self) -> None:
        self.serial = 0
        self._marks = Marks()

    def note(self, common: bytes) -> None:
        """
        There is one more.

        @param common: what all keys of the target begin with.
        """
        self.serial += 1
        self._marks.put(hash(common), self.serial)

    def overtook(self, visit: Visit) -> bool:
        """Tell whether what was asked for was changed since it was sent on, or may have been."""
        since = visit.changes
        if since == self.serial:
            return False
        if since < self._marks.forgotten:
            return True
        return self._marks.after(hash(visit.common or visit.key), since)

    def __repr__(self) -> str:
        known = self.serial - self._marks.forgotten
        return f"<RecentChanges {self.serial}, the last {known} known>"
