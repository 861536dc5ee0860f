# -*- test-case-name: tests.policy.test_recentpurges -*-
"""
The purges of late, for what was asked for before them and comes after them.

A store purges what is in it.  What was on its way from an origin at that moment
may be what the purge was about, so it must not be stored; whoever brings it
remembers which purge was the last when it was asked for, and asks here.

No list of what is on its way is kept: purges are fewer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .marks import Marks
from .purging import KEY, TAG, urlOf
from .recentchanges import RecentChanges
from .siblings import Siblings
from .tags import readTags

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..wire.fields import Fields
    from .entries import Entry
    from .purging import Purge
    from .visit import Visit

#: How many prefixes and hosts are remembered: each may have to be compared.
WIDE: Final = 64

#: What became of an entry meanwhile: nothing, it was purged softly, it was purged or
#: changed.
LEFT: Final = "left"
STALE: Final = "stale"
GONE: Final = "gone"


class RecentPurges:
    """
    Tells whether something was purged since.

    Of what is forgotten, everything was: that costs a fetch and no more.

    @ivar changes: of changes, for L{overtook}.
    @ivar serial: how many purges there were.
    """

    __slots__ = ("_marks", "_wide", "changes", "serial")

    def __init__(self) -> None:
        self.serial = 0
        self.changes = RecentChanges()
        # Of keys and tags.
        self._marks = Marks()
        self._wide: list[tuple[int, Purge, bool]] = []

    def note(self, what: Purge, soft: bool = False) -> None:
        """There is one more."""
        self.serial += 1
        marks = self._marks
        if what.kind == KEY:
            marks.put(hash((soft, KEY, what.value)), self.serial)
        elif what.kind == TAG:
            for partition in what.partitions or (b"",):
                for tag in what.tags:
                    marks.put(hash((soft, partition, tag)), self.serial)
        else:
            self._wide.append((self.serial, what, soft))
            if len(self._wide) > WIDE:
                marks.forget(self._wide.pop(0)[0])

    def covered(self, key: bytes, tags: Iterable[bytes], since: int) -> bool:
        """
        Tell whether something was purged, softly or not, or may have been.

        @param key: its primary key.
        @param tags: all that it has or had.
        @param since: what L{serial} was when it was asked for.
        """
        return since != self.serial and (
            self._covered(key, tags, since, False) or self._covered(key, tags, since, True)
        )

    def _covered(self, key: bytes, tags: Iterable[bytes], since: int, soft: bool) -> bool:
        """As L{covered}, by purges of one kind; those that are forgotten were not soft."""
        marks = self._marks
        if since < marks.forgotten and not soft:
            return True
        if marks.after(hash((soft, KEY, key)), since):
            return True
        # Nothing without a partition has a key that begins with a token and a space.
        partition = key.partition(b" ")[0]
        for tag in tags:
            for where in (b"", partition):
                if marks.after(hash((soft, where, tag)), since):
                    return True
        url = urlOf(key)
        for serial, what, softly in reversed(self._wide):
            if serial <= since:
                break
            if softly is soft and what.reaches(key) and what.covers(url):
                return True
        return False

    def meanwhile(self, visit: Visit, entry: Entry) -> str:
        """
        Tell what became of an entry since a request about it was sent on.

        @param entry: one that is not in the store now.
        @return: L{LEFT}, L{STALE} or L{GONE}.
        """
        if self._changed(visit):
            return GONE
        since = visit.epoch
        if since == self.serial:
            return LEFT
        if self._covered(entry.key, entry.tags, since, False):
            return GONE
        return STALE if self._covered(entry.key, entry.tags, since, True) else LEFT

    def _changed(self, visit: Visit) -> bool:
        """Whether what was asked for was changed since."""
        fetch = visit.fetch
        return self.changes.overtook(visit) if fetch is None else fetch.outdated

    def overtook(self, visit: Visit, fields: Fields) -> bool:
        """
        Tell whether what was asked for was changed or purged since.

        @param fields: of the response, which may have tags.
        """
        if self._changed(visit):
            return True
        if visit.epoch == self.serial:
            return False
        tags = readTags(fields)
        for entry in (*visit.entries, *visit.others):
            tags += entry.tags
        if visit.part is not None:
            tags += visit.part.tags
        if visit.common:
            tags.append(Siblings.tagOf(visit.common))
        return self.covered(visit.key, tags, visit.epoch)

    def __repr__(self) -> str:
        known = self.serial - self._marks.forgotten
        return f"<RecentPurges {self.serial}, the last {known} known>"
