# -*- test-case-name: tests.policy.test_cachesequences -*-
"""
What the slow cache of L{tests.policy.referencemodel} does with requests: who is
answered, who waits, and what the origin is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .referenceahead import Ahead
from .referencefields import Pairs, combined, isConditional, normal, tags, without
from .referenceparts import held, lacking
from .referenceselecting import isAcceptable, preferredLanguage, selecting
from .referencestored import Answer, Forward, Stored, demandOf
from .referencevisit import Shelf, Visit

if TYPE_CHECKING:
    from .referenceroute import Route

PRECONDITIONS = (
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
)
#: Who waited for so many fetches that failed gets an error.
MOST_FAILURES = 2


class Asking(Ahead):
    """
    Takes requests.

    @ivar seeking: those for which what is behind the memory is asked.
    """

    def __init__(self, scheme: str, maxOctets: int, route: Route, partition: str) -> None:
        super().__init__(scheme, maxOctets, route, partition)
        self.seeking: list[Visit] = []

    def _fail(self, visit: Visit, status: int | None, own: int = 502) -> None:
        """There is no answer."""
        raise NotImplementedError

    def _released(self, visit: Visit) -> list[Visit]:
        """Nobody waits for it any more; who did."""
        raise NotImplementedError

    # Requests

    def ask(self, visit: Visit) -> None:
        """A client asks."""
        if visit.method not in ("GET", "HEAD"):
            visit.reason = "method"
            visit.past = self.route.goesPast(visit.target, visit.fields)
            self._forward(visit)
        elif visit.content or _isForTheOrigin(visit.fields):
            visit.reason = "bypass"
            self._forward(visit)
        elif self.route.goesPast(visit.target, visit.fields):
            self.count("goes past")
            visit.reason = "bypass"
            self._forward(visit)
        else:
            if visit.demand != demandOf(visit.fields):
                self.count("modest")
            visit.shelf = self._shelf(visit)
            if visit.shelf is None:
                self.count("no key")
                visit.reason = "bypass"
                self._forward(visit)
            else:
                self._look(visit)

    def _look(self, visit: Visit) -> None:
        """RFC 9111 §4."""
        shelf, now = visit.shelf, self.now
        assert shelf is not None
        visit.entries, visit.others, visit.part = [], [], None
        reason = visit.reason
        looked, visit.looked = visit.looked, now
        fitting = self._select(shelf, visit.fields)
        if fitting is not None and not fitting.isLoaded:
            # Its content is got first, and what else comes meanwhile is there by then.
            visit.awaited = fitting
            visit.looked = looked
            self.seeking.append(visit)
            return
        if fitting is not None and fitting.status == 206:
            if not held(fitting, visit.method, visit.fields):
                visit.part, fitting = fitting, None
        if visit.part is not None:
            reason = "partial"
        elif fitting is None and self.tier and shelf.passUntil <= now and not visit.sought:
            visit.sought = True
            visit.looked = looked
            self.seeking.append(visit)
            return
        if fitting is not None:
            verdict = fitting.judge(visit.demand, now)
            if visit.failures and fitting.mayStandIn(visit.demand, now):
                verdict = "use"
            if verdict in ("use", "while"):
                if visit.collapsed:
                    stored = "; stored" if fitting.received >= looked else ""
                    member = f"test; fwd={reason}; ttl={fitting.ttl(now)}{stored}; collapsed"
                    self.count("collapsed hit")
                else:
                    member = f"test; hit; ttl={fitting.ttl(now)}"
                    self.count("hit")
                    if not fitting.isFresh(now):
                        self.count("stale hit")
                self._used(visit, fitting, fresh=verdict == "use")
                self._give(visit, fitting, member)
                if verdict == "while":
                    self._revalidate(visit, shelf, self._nominated(shelf, fitting, visit.fields))
                return
            reason = verdict
            visit.entries = self._nominated(shelf, fitting, visit.fields)
        elif visit.part is not None:
            pass
        elif shelf.here:
            reason = "vary-miss"
            visit.others = self._strong(shelf, visit.fields)
        else:
            reason = "uri-miss"
        visit.reason = reason
        if visit.wants("only-if-cached"):
            self.count("only-if-cached")
            fields = self._shown(visit, "test; detail=only-if-cached")
            self.effects.append(Answer(visit.client, 504, fields, None, 0, None, 0, ours=True))
            return
        self.count(reason)
        if self._hasSeenEnough(visit, shelf):
            self.count("seen enough")
            self._fail(visit, None, 503)
        elif not self._waits(visit, shelf):
            if self._isTooEarly(visit, shelf):
                self.count("too early")
                released = self._released(visit)
                visit.shelf = None
                self._forward(visit)
                for each in released:
                    self._look(each)
            else:
                self._forward(visit)

    def _isTooEarly(self, visit: Visit, shelf: Shelf) -> bool:
        """Whether it was not asked for often enough to be stored."""
        least = self.route.minUses
        if least < 2 or visit.reason != "uri-miss" or visit.method != "GET":
            return False
        if visit.wants("no-store"):
            return False
        if not shelf.misses or shelf.missesUntil <= self.now:
            shelf.misses = 0
            shelf.missesUntil = self.now + self.route.within
        shelf.misses = min(shelf.misses + 1, least)
        return shelf.misses < least

    def settle(self) -> None:
        """What is behind the memory answers, and what is due is asked for."""
        self.refresh()
        while self.seeking:
            shelf, awaited = self.seeking[0].shelf, self.seeking[0].awaited
            assert shelf is not None
            found: list[Visit] = []
            others: list[Visit] = []
            for each in self.seeking:
                same = each.shelf is shelf and each.awaited is awaited
                (found if same else others).append(each)
            self.seeking = others
            if awaited is not None:
                awaited.isLoaded = True
            elif shelf.bring():
                self.count("brought")
            for each in found:
                each.awaited = None
                self._look(each)
        self.refresh()

    def _hasSeenEnough(self, visit: Visit, shelf: Shelf) -> bool:
        """Whether it waited while the origin failed others, and would have to ask itself."""
        if shelf.passUntil > self.now:
            return False
        if visit.method == "HEAD" and shelf.leader is None and visit.failures:
            return True
        return visit.failures >= MOST_FAILURES

    @staticmethod
    def _select(shelf: Shelf, request: Pairs) -> Stored | None:
        """RFC 9111 §4.1; of several the one with the latest C{Date}, or that came last."""
        fitting = [each for each in shelf.here if each.selected == selecting(each.vary, request)]
        if not fitting:
            wanted = preferredLanguage(request)
            if wanted is not None:
                fitting = [each for each in shelf.here if each.language() == wanted]
        return max(fitting, key=lambda each: each.validators.date) if fitting else None

    @staticmethod
    def _strong(shelf: Shelf, request: Pairs) -> list[Stored]:
        """What may turn out to be the answer to another request, too."""
        return [
            each
            for each in shelf.here
            if each.validators.strongTag
            and each.status == 200
            and each.content.complete
            and each.isLoaded
            and isAcceptable(combined(each.fields, "content-encoding"), request)
        ]

    def _nominated(self, shelf: Shelf, first: Stored, request: Pairs) -> list[Stored]:
        """RFC 9111 §4.3.1; who asks for a part has no use for anything else."""
        if first.status == 206:
            return [first]
        return [first, *[each for each in self._strong(shelf, request) if each is not first]]

    def _waits(self, visit: Visit, shelf: Shelf) -> bool:
        """RFC 9111 §4: a cache can use one answer for several requests."""
        if shelf.passUntil > self.now:
            visit.joined = True
            return False
        own = combined(visit.fields, "range") is not None
        if own or visit.wants("no-cache") or visit.wants("no-store"):
            return False
        visit.joined = True
        if shelf.leader is None:
            if visit.method == "GET":
                shelf.leader = visit
            return False
        if visit.collapsed and not visit.excused:
            return False
        visit.collapsed = True
        visit.excused = False
        shelf.leader.followers.append(visit)
        self.count("waited")
        return True

    def _forward(self, visit: Visit) -> None:
        """RFC 9111 §4.3.1: with the preconditions of what is stored, or those of the client."""
        fields = visit.fields
        target = visit.target
        visit.validating = visit.completing = False
        visit.sent = True
        visit.requested = self.now
        visit.purges = []
        if visit.shelf is not None:
            target = normal(target)
            nominated = [each.validators for each in visit.entries]
            ranged = combined(fields, "range") is not None
            if not nominated and not ranged:
                nominated = [
                    each.validators._replace(modified=None, modifiedValue=None)
                    for each in visit.others
                ]
            known = list(dict.fromkeys(each.tag for each in nominated if each.tag is not None))
            modified = nominated[0].modifiedValue if nominated else None
            if known or modified is not None:
                visit.validating = True
                if known:
                    own = tags(combined(fields, "if-none-match"))
                    known += [each for each in dict.fromkeys(own) if each not in known]
                condition = combined(fields, "if-range") if ranged else None
                fields = without(fields, *PRECONDITIONS)
                if known:
                    fields = [*fields, ("If-None-Match", ", ".join(known))]
                if modified is not None:
                    fields = [*fields, ("If-Modified-Since", modified)]
                if condition is not None:
                    fields = [*fields, ("If-Range", condition)]
                self.count("validation")
            elif visit.leads:
                # For everybody, and an If-Range without Range means nothing.
                fields = without(fields, *PRECONDITIONS)
                rest = lacking(visit.part) if visit.part is not None else None
                if rest is not None:
                    visit.completing = True
                    fields = [*fields, ("Range", rest[0]), ("If-Range", rest[1])]
                    self.count("completing")
        # RFC 9110 §7.6.1.
        fields = without(fields, *(combined(fields, "connection") or "").lower().split(", "))
        host = visit.spelt if visit.shelf is None else visit.host
        fields = [("Host", host), *fields]
        visit.preconditions = isConditional(fields)
        visit.ranged = combined(fields, "range") is not None
        self.pending[visit.client] = visit
        self.effects.append(Forward(visit.client, visit.method, target, fields))

    def _revalidate(
        self, visit: Visit, shelf: Shelf, entries: list[Stored], reason: str = "stale"
    ) -> None:
        """RFC 5861 §3."""
        if shelf.leader is not None:
            return
        if self.isBusy:
            self.count("busy")
            return
        fields = without(visit.fields, "range", "cache-control", "pragma", *PRECONDITIONS)
        later = Visit(visit.client, "GET", visit.target, visit.host, fields)
        later.demand = {"cache-control": ""}
        later.reason = reason
        later.background = later.joined = True
        later.shelf = shelf
        later.entries = entries
        shelf.leader = later
        self.count("background")
        self._forward(later)


def _isForTheOrigin(fields: Pairs) -> bool:
    """RFC 9111 §4.3.2: it has a precondition that no cache evaluates."""
    return any(combined(fields, name) is not None for name in ("if-match", "if-unmodified-since"))
