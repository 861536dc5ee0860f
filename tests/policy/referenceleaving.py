# -*- test-case-name: tests.policy.test_cachesequences -*-
"""
What leaves the slow cache of L{tests.policy.referencemodel}: for want of room, as it was
changed, or as somebody purges it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .referencefields import combined, resolved
from .referencestoring import Storing

if TYPE_CHECKING:
    from .referencestored import Response, Stored
    from .referencevisit import Visit

#: Methods that change nothing, of those that are used here.
SAFE = ("OPTIONS", "PROPFIND")


class Leaving(Storing):
    """What becomes of what is stored."""

    def evict(self, *, again: bool) -> None:
        """
        All leave memory; what is kept behind it comes back.

        @param again: it is the memory of another process.
        """
        for shelf in self.shelves.values():
            self.count("evicted" if shelf.stored else "nothing to evict")
            left = []
            for each in shelf.stored:
                if not each.content.complete and not each.isKept:
                    self._orphans.append(each.content)
                    continue
                if not again and each.content.complete:
                    self._write(each)
                if each.isKept:
                    # Whoever asks about one now has that, and not what comes back; but
                    # what is still on its way to the disk is the same.
                    left.append(each.copy() if each.content.complete else each)
                    left[-1].isGone = True
                    if not each.content.complete:
                        self.count("evicted on its way")
            shelf.stored = left
            if again:
                shelf.passUntil = 0.0
                shelf.misses = 0

    def lose(self) -> None:
        """All leave memory, and there is nothing behind it; who reads something goes on."""
        for shelf in self.shelves.values():
            for each in shelf.stored:
                self.count("lost on its way" if not each.content.complete else "lost")
                if not each.content.complete:
                    self._orphans.append(each.content)
            shelf.stored = []

    def _write(self, stored: Stored) -> None:
        """What is not behind the memory gets there now, if it is worth that."""
        if stored.isUnwritten and stored.isWorthKeeping(self.now):
            self.count("written later")
            stored.isKept, stored.isUnwritten = True, False
            if stored.content.complete:
                self._place(stored)

    def _invalidate(self, visit: Visit, response: Response) -> bool:
        """RFC 9111 §4.4; whether the answer to a POST is one to a GET (RFC 9110 §9.3.3)."""
        if not 200 <= response.status < 400 or visit.method in SAFE:
            return visit.method == "POST" and self._isOwn(visit, response)
        found = [self.route.keyed(visit.target)]
        for name in ("location", "content-location"):
            value = combined(response.fields, name)
            other = resolved(self.scheme, visit.host, visit.target, value)
            if other is not None:
                found.append(self.route.keyed(other))
        for target in found:
            self._changed(visit.host, target)
            for (host, path, _), shelf in self.shelves.items():
                if (host, path) != (visit.host, target):
                    continue
                self.count("invalidated" if shelf.stored else "nothing to invalidate")
                shelf.stored = []
                if shelf.leader is not None:
                    shelf.leader.outdated = True
        return visit.method == "POST" and self._isOwn(visit, response)

    def _changed(self, host: str, target: str) -> None:
        """Something was changed; who is asked for it knows."""

    def _isOwn(self, visit: Visit, response: Response) -> bool:
        value = combined(response.fields, "content-location")
        other = resolved(self.scheme, visit.host, visit.target, value)
        # RFC 9110 §9.3.3: the same value; §8.7: of a success, which a GET may have.
        if response.status not in (200, 203):
            return False
        if other is None or other != visit.target or visit.past:
            return False
        visit.shelf = self._shelf(visit)
        return visit.shelf is not None

    def purge(self, kind: str, value: str, soft: bool) -> int:
        """What an application purges by key, prefix, host or tags; how many there were."""
        count = 0
        for (host, target, _), shelf in self.shelves.items():
            if kind != "tag" and not self._covers(kind, value, host, target):
                continue
            if kind != "tag":
                shelf.passUntil = 0.0
            for each in list(shelf.stored):
                if kind == "tag" and not each.keys & set(value.split()):
                    continue
                self.count("purged")
                # Nor is what is neither here nor there.
                count += each.content.complete or not each.isGone
                if not soft:
                    self._remove(each)
                    continue
                if each.isGone and not each.content.complete:
                    # It was there to be written, and is not any more.
                    self._remove(each)
                    self._orphans.append(each.content)
                    continue
                each.purged = self.now if each.purged is None else min(each.purged, self.now)
                if not each.content.complete:
                    # It would be there as if it were fresh.
                    each.isKept, each.isUnwritten = False, True
        return count

    def _covers(self, kind: str, value: str, host: str, target: str) -> bool:
        """Whether a purge by key, prefix or host is about a URI."""
        url = f"{self.scheme}://{host}{self.route.keyed(target)}"
        return {
            "key": url == value,
            "prefix": url.startswith(value),
            "host": host.partition(":")[0] == value,
        }[kind]
