# -*- test-case-name: tests.policy.test_cachesequences -*-
"""
What the slow cache of L{tests.policy.referencemodel} asks for before it is needed.

By C{docs/caching.md}, "Before it expires": what was used often is asked for shortly
before it expires, and what comes of that must not make anything worse.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from .referencegiving import Giving
from .referenceselecting import selecting
from .referencestored import ERRORS
from .referencevisit import Visit

if TYPE_CHECKING:
    from .referencefields import Pairs
    from .referenceroute import Route
    from .referencestored import Content, Response, Stored
    from .referencevisit import Shelf

LAST_PART = 0.1
SOONEST_SECONDS = 60
SHORTEST_SECONDS = 10
QUIET_SECONDS = 5
LONGEST_QUIET_SECONDS = 300
#: What negotiates.
KEPT = ("accept", "accept-charset", "accept-encoding", "accept-language", "user-agent")
#: What is somebody's own.
OWN = ("authorization", "cookie", "range")


class Candidate(NamedTuple):
    """
    What was used often.

    @ivar due: when it is asked for.
    @ivar fields: of that request.
    """

    due: float
    stored: Stored
    received: float
    expires: float
    shelf: Shelf
    visit: Visit
    fields: Pairs


class Quiet(NamedTuple):
    """An origin that failed; it is left alone for a while."""

    noted: float
    seconds: float

    @property
    def until(self) -> float:
        """So long."""
        return self.noted + self.seconds


class Ahead(Giving):
    """
    Refreshes.

    @ivar candidates: in the order in which they were noted.
    @ivar pending: requests at the origin, by their client.
    @ivar background: how many may be under way for nobody.
    @ivar perSecond: how many refreshes may begin.
    """

    def __init__(self, scheme: str, maxOctets: int, route: Route, partition: str) -> None:
        super().__init__(scheme, maxOctets, route, partition)
        self.candidates: list[Candidate] = []
        self.pending: dict[int, Visit] = {}
        self.background = 64
        self.perSecond = 32
        self._allowance = 32
        self._counted = 0.0
        self._rest = 0
        self._quiet: dict[str, Quiet] = {}
        self._nobody = 0
        self._answered: Visit | None = None
        self._arriving: list[Content] = []

    def limit(self, background: int, perSecond: int) -> None:
        """Have a smaller budget: so many for nobody at once, and refreshes in a second."""
        self.background = background
        self.perSecond = self._allowance = perSecond

    @property
    def isBusy(self) -> bool:
        """Whether there is enough under way for nobody."""
        asked = [each for each in self.pending.values() if each.background]
        answered = self._answered is not None and self._answered.background
        return len(asked) + len(self._arriving) + answered >= self.background

    def _forward(self, visit: Visit) -> None:
        """Ask the origin."""
        raise NotImplementedError

    # Candidates

    def _used(self, visit: Visit, stored: Stored, *, fresh: bool) -> None:
        """It answered a request."""
        stored.uses += 1
        if stored.uses == 2:
            self._write(stored)
        if fresh and self.route.refreshUses and stored.uses == self.route.refreshUses:
            self._offer(visit, stored)

    def _offer(self, visit: Visit, stored: Stored) -> None:
        lifetime = stored.expires - stored.received
        if lifetime < SHORTEST_SECONDS or stored.status == 206 or stored.isImmutable:
            return
        if set(OWN) & set(stored.vary):
            return
        names = {*KEPT, *(each.lower() for each in self.route.keyFields)} - {*OWN}
        names |= set(stored.vary)
        fields = [pair for pair in visit.fields if pair[0].lower() in names]
        shelf = visit.shelf
        assert shelf is not None
        if selecting(stored.vary, fields) != stored.selected:
            return
        if self.route.added(fields) != self.route.added(visit.fields):
            return
        due = stored.expires - min(LAST_PART * lifetime, SOONEST_SECONDS)
        self.count("candidates")
        self._rest = 0
        self.candidates.append(
            Candidate(due, stored, stored.received, stored.expires, shelf, visit, fields)
        )

    @property
    def due(self) -> int | None:
        """When one is to be asked for next: in whole seconds, as all happens then here."""
        if not self.candidates:
            return None
        return max(math.ceil(min(each.due for each in self.candidates)), self._rest)

    def refresh(self) -> None:
        """Ask for all that is due, within the budget."""
        if self._rest > self.now:
            return
        more = int(self.perSecond * (self.now - self._counted))
        self._allowance = min(self.perSecond, self._allowance + more)
        self._counted = self.now
        while self.candidates:
            first = min(self.candidates, key=lambda each: each.due)
            if first.due > self.now:
                break
            if self.isBusy or self._allowance < 1:
                self.count("over budget")
                self._rest = int(self.now) + 1
                break
            self.candidates.remove(first)
            self._allowance -= self._refresh(first)

    def _refresh(self, candidate: Candidate) -> int:
        """Ask for one, if it is still what it was; how many were asked for."""
        stored, shelf = candidate.stored, candidate.shelf
        for each in shelf.here:
            if (each.vary, each.selected) == (stored.vary, stored.selected):
                break
        else:
            return 0
        if (each.received, each.expires) != (candidate.received, candidate.expires):
            return 0
        if each.expires <= self.now or not each.content.complete:
            return 0
        quiet = self._quiet.get(candidate.visit.host)
        if quiet is not None and quiet.until > self.now:
            self.count("quiet")
            if quiet.until < candidate.expires:
                self.candidates.append(candidate._replace(due=quiet.until))
            return 0
        if shelf.leader is not None:
            return 0
        self._nobody -= 1
        asked = candidate.visit
        later = Visit(self._nobody, "GET", asked.target, asked.host, candidate.fields)
        later.reason = "stale"
        later.background = later.joined = True
        later.shelf, later.entries, later.ahead = shelf, [each], each
        later.began = self.now
        shelf.leader = later
        self.count("refreshed")
        self._forward(later)
        return 1

    # What comes of it

    def _isDismissed(self, visit: Visit, response: Response) -> bool:
        """Whether it counts for nothing: it has to be the like of what is stored still."""
        ahead = visit.ahead
        if ahead is None:
            return False
        assert visit.shelf is not None
        return not (response.status in (304, ahead.status) and ahead in visit.shelf.here)

    def _over(self, visit: Visit, status: int | None) -> None:
        """A request was answered, which nobody reads; None for no answer."""
        if visit.ahead is None:
            return
        if status is not None and status not in ERRORS:
            self._quiet.pop(visit.host, None)
            return
        seconds: float = QUIET_SECONDS
        quiet = self._quiet.get(visit.host)
        if quiet is not None:
            if visit.began <= quiet.noted:
                return
            seconds = min(2 * quiet.seconds, LONGEST_QUIET_SECONDS)
        self.count("refresh failed")
        self._quiet[visit.host] = Quiet(self.now, seconds)

    def _mayBeBack(self, new: Stored) -> Stored | None:
        """What has to take the place of a refresh whose content broke off; None for nothing."""
        visit = new.filling
        before = visit.ahead if visit is not None else None
        if visit is None or before is None or not before.content.complete:
            return None
        if new.isGone or any(before in shelf.stored for shelf in self.shelves.values()):
            return None
        if (new.vary, new.selected) != (before.vary, before.selected):
            return None
        softly = False
        for kind, value, soft in visit.purges:
            if (
                before.keys & set(value.split())
                if kind == "tag"
                else self._covers(kind, value, visit.host, visit.target)
            ):
                if not soft:
                    return None
                softly = True
        # No fresher than what it comes back for.
        until = new.received if softly else max(new.expires, new.received)
        before.purged = until if before.purged is None else min(before.purged, until)
        return before

    def breaks(self, content: Content) -> None:
        """See L{Storing.breaks}."""
        back = []
        for shelf in self.shelves.values():
            for each in shelf.stored:
                if each.content.isOf(content):
                    before = self._mayBeBack(each)
                    if before is not None:
                        back.append((shelf, before))
        super().breaks(content)
        for shelf, before in back:
            self.count("back")
            self._put(shelf, before)
        self._arrived(content)

    def bring(self, content: Content, piece: bytes, end: bool) -> None:
        """See L{Storing.bring}."""
        super().bring(content, piece, end)
        if end:
            self._arrived(content)

    def _arrived(self, content: Content) -> None:
        self._arriving = [each for each in self._arriving if each is not content]

    def purge(self, kind: str, value: str, soft: bool) -> int:
        """What is under way may be what was purged; it depends on what comes."""
        count = super().purge(kind, value, soft)
        for visit in self._underWay():
            self.count("purged under way")
            visit.purges.append((kind, value, soft))
        return count

    def _changed(self, host: str, target: str) -> None:
        """What is under way may be from before a change, whether anybody waits or not."""
        url = f"{self.scheme}://{host}{target}"
        for visit in self._underWay():
            if self._covers("key", url, visit.host, visit.target):
                self.count("alone overtaken" if visit.shelf and not visit.leads else "overtaken")
                visit.purges.append(("key", url, False))

    def _underWay(self) -> list[Visit]:
        """Whose answers are not here, or not all of them."""
        filling = [
            each.filling
            for shelf in self.shelves.values()
            for each in shelf.stored
            if each.filling is not None and not each.content.complete
        ]
        return list({id(each): each for each in [*self.pending.values(), *filling]}.values())

    def ends(self) -> None:
        """The process does, and whatever is under way with it."""
        growing = [
            each.content.source
            for shelf in self.shelves.values()
            for each in shelf.stored
            if not each.content.complete
        ]
        for content in growing:
            self.count("cut off")
            self.breaks(content)
        self.pending.clear()
        self._arriving.clear()
        self._orphans.clear()
        for shelf in self.shelves.values():
            shelf.leader = None

    def evict(self, *, again: bool) -> None:
        """See L{Leaving.evict}: another process knows no candidates."""
        super().evict(again=again)
        if again:
            self.candidates.clear()
            self._quiet.clear()
            self._rest = 0
            self._allowance = self.perSecond
