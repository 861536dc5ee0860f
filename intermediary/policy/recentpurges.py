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

from .purging import KEY, TAG, urlOf
from .recentchanges import RecentChanges
from .siblings import Siblings
from .tags import readTags

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..wire.fields import Fields
    from .purging import Purge
    from .visit import Visit

#: How many keys and tags are remembered, of the last purges.
EXACT: Final = 4096
#: How many prefixes and hosts: each may have to be compared.
WIDE: Final = 64


class RecentPurges:
    """
    Tells whether something was purged since.

    Of what is forgotten, everything was: that costs a fetch and no more.

    @ivar changes: of changes, for L{overtook}.
    @ivar serial: how many purges there were.
    """

    __slots__ = ("_exact", "_forgotten", "_wide", "changes", "serial")

    def __init__(self) -> None:
        self.serial = 0
        self.changes = RecentChanges()
        #: The last of those that are forgotten.
        self._forgotten = 0
        # Hashes, as keys are long; two that are the same cost a fetch, too.  The
        # oldest first.
        self._exact: dict[int, int] = {}
        self._wide: list[tuple[int, Purge]] = []

    def note(self, what: Purge) -> None:
        """There is one more."""
        self.serial += 1
        if what.kind == KEY:
            self._put(hash((KEY, what.value)))
        elif what.kind == TAG:
            for partition in what.partitions or (b"",):
                for tag in what.tags:
                    self._put(hash((partition, tag)))
        else:
            self._wide.append((self.serial, what))
            if len(self._wide) > WIDE:
                self._forgotten = max(self._forgotten, self._wide.pop(0)[0])

    def _put(self, mark: int) -> None:
        exact = self._exact
        # To the end, where the newest are.
        exact.pop(mark, None)
        exact[mark] = self.serial
        if len(exact) > EXACT:
            self._forgotten = max(self._forgotten, exact.pop(next(iter(exact))))

    def covered(self, key: bytes, tags: Iterable[bytes], since: int) -> bool:
        """
        Tell whether something was purged, or may have been.

        @param key: its primary key.
        @param tags: all that it has or had.
        @param since: what L{serial} was when it was asked for.
        """
        if since == self.serial:
            return False
        if since < self._forgotten:
            return True
        exact = self._exact
        if exact.get(hash((KEY, key)), 0) > since:
            return True
        # Nothing without a partition has a key that begins with a token and a space.
        partition = key.partition(b" ")[0]
        for tag in tags:
            for where in (b"", partition):
                if exact.get(hash((where, tag)), 0) > since:
                    return True
        url = urlOf(key)
        for serial, what in reversed(self._wide):
            if serial <= since:
                break
            if what.reaches(key) and what.covers(url):
                return True
        return False

    def overtook(self, visit: Visit, fields: Fields) -> bool:
        """
        Tell whether what was asked for was changed or purged since.

        @param fields: of the response, which may have tags.
        """
        fetch = visit.fetch
        if self.changes.overtook(visit) if fetch is None else fetch.outdated:
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
        return f"<RecentPurges {self.serial}, the last {self.serial - self._forgotten} known>"
