# -*- test-case-name: tests.policy.test_cachesequences -*-
"""
A slow cache: what L{tests.policy.cachesequences} compares the fast one with.

It is written from RFC 9111, 9110, 5861, 9211 and 9213 and from what C{docs/caching.md}
and C{docs/notes/cache-rules.md} decide where these leave a choice.  It shares
nothing with L{intermediary}, remembers nothing that it can work out again, and goes
through all that is stored each time.  It has no octets of messages either: it is
told who asks and what origins answer, and says in L{Model.effects} who is asked and
who gets what.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .referenceahead import Ahead
from .referencefields import (
    Pairs,
    Validators,
    combined,
    isConditional,
    normal,
    notModified,
    selecting,
    tags,
    without,
)
from .referenceparts import held, lacking, mayCombine, received, together
from .referencestored import ERRORS, Answer, Content, Facts, Forward, Response, Stored, demandOf
from .referencestoring import Shelf, Visit

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
#: Requests for what could not be stored don't wait for each other for so long.
PASS_SECONDS = 120


class Model(Ahead):
    """
    The cache.

    @ivar effects: what it did since somebody emptied this.
    @ivar tier: there is something behind the memory, which takes its time.
    @ivar seeking: those for which it is asked.
    """

    def __init__(self, scheme: str, maxOctets: int, route: Route, partition: str) -> None:
        super().__init__(scheme, maxOctets, route, partition)
        self.tier = False
        self.seeking: list[Visit] = []

    # Requests

    def ask(self, visit: Visit) -> None:
        """A client asks."""
        if visit.method not in ("GET", "HEAD"):
            visit.reason = "method"
            if self.route.goesPast(visit.target, visit.fields):
                # Its answer is no GET's, either.
                visit.demand = {"cache-control": "no-store"}
            self._forward(visit)
        elif visit.content or combined(visit.fields, "if-match") is not None:
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
        if fitting is not None and fitting.status == 206:
            if held(fitting, visit.method, visit.fields) is None:
                fitting.isLoaded = True
                visit.part, fitting = fitting, None
        if visit.part is not None:
            reason = "partial"
        elif fitting is None and self.tier and shelf.passUntil <= now and not visit.sought:
            visit.sought = True
            visit.looked = looked
            self.seeking.append(visit)
            return
        if fitting is not None:
            fitting.isLoaded = True
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
                    self._revalidate(visit, shelf, self._nominated(shelf, fitting))
                return
            reason = verdict
            visit.entries = self._nominated(shelf, fitting)
        elif visit.part is not None:
            pass
        elif shelf.here:
            reason = "vary-miss"
            visit.others = self._strong(shelf)
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
            shelf = self.seeking[0].shelf
            assert shelf is not None
            found = [each for each in self.seeking if each.shelf is shelf]
            self.seeking = [each for each in self.seeking if each.shelf is not shelf]
            if shelf.bring():
                self.count("brought")
            for each in found:
                self._look(each)

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
            wanted = (combined(request, "accept-language") or "").lower()
            if wanted and "," not in wanted:
                fitting = [each for each in shelf.here if each.language() == wanted]
        return max(fitting, key=lambda each: each.validators.date) if fitting else None

    @staticmethod
    def _strong(shelf: Shelf) -> list[Stored]:
        """What may turn out to be the answer to another request, too."""
        return [
            each
            for each in shelf.here
            if each.validators.strongTag
            and each.status == 200
            and each.content.complete
            and each.isLoaded
        ]

    def _nominated(self, shelf: Shelf, first: Stored) -> list[Stored]:
        """RFC 9111 §4.3.1; who asks for a part has no use for anything else."""
        if first.status == 206:
            return [first]
        return [first, *[each for each in self._strong(shelf) if each is not first]]

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
        fields = without(visit.fields, "range", *PRECONDITIONS)
        later = Visit(visit.client, "GET", visit.target, visit.host, fields)
        later.demand = {"cache-control": ""}
        later.reason = reason
        later.background = later.joined = True
        later.shelf = shelf
        later.entries = entries
        shelf.leader = later
        self.count("background")
        self._forward(later)

    # Answers

    def respond(self, client: int, response: Response, piece: bytes, end: bool) -> None:
        """
        The origin answers a request.

        @param piece: the first octets of its content.
        @param end: these are all.
        """
        visit = self.pending.pop(client)
        late = self._isLate(visit, response)
        self._respond(visit, response, late)
        if client not in self.pending:
            self._resolve(visit, late or visit.useless)
            self._over(visit, response.status)
        self.bring(response.content, piece, end)

    def _isLate(self, visit: Visit, response: Response | None) -> bool:
        """Whether it was asked for before a change or a purge of the same."""
        if visit.outdated and visit.leads:
            return True
        about = [*visit.entries, *visit.others]
        if visit.part is not None:
            about.append(visit.part)
        keys = {key for each in about for key in each.keys}
        if response is not None:
            keys.update(self._made(visit, response).keys)
        for kind, value, _ in visit.purges:
            if kind == "tag":
                if value in keys:
                    return True
            elif self._covers(kind, value, visit.host, visit.target):
                return True
        return False

    def _respond(self, visit: Visit, response: Response, late: bool) -> None:
        status = response.status
        if self._isDismissed(visit, response):
            self.count("dismissed")
            visit.useless = True
            if status in ERRORS:
                self._failFollowers(visit)
            return
        if visit.reason == "method":
            if not self._invalidate(visit, response):
                self._pass(visit, response)
                return
        elif visit.shelf is None:
            self._pass(visit, response)
            return
        if visit.validating and status == 304:
            if late:
                self._afresh(visit)
            else:
                self._validated(visit, response)
            return
        if visit.completing and (late or not self._completes(visit, response)):
            self._afresh(visit)
            return
        if status in ERRORS and visit.entries:
            if self._mayStandIn(visit):
                self._standIn(visit, status)
                return
        if status == 304 and not visit.preconditions:
            self._fail(visit, status)
            return
        if visit.method == "HEAD":
            if not late:
                self._heard(visit, response)
            self._pass(visit, response)
            return
        if late:
            self.count("late")
            self._pass(visit, response)
        elif (
            self._mayStore(visit, response)
            and (status != 206 or self._takesPart(visit, response))
            and self._isOfUse(visit, response)
        ):
            self._store(visit, response)
        elif visit.completing and status == 206:
            self._afresh(visit)
        else:
            self._pass(visit, response)
            if status in ERRORS:
                self._failFollowers(visit)
            elif visit.ahead is not None:
                visit.useless = True
            else:
                self._separate(visit)
                if visit.entries and status not in (206, 304):
                    self._remove(visit.entries[0])

    def _separate(self, visit: Visit) -> None:
        if visit.leads:
            assert visit.shelf is not None
            visit.shelf.passUntil = self.now + PASS_SECONDS

    def _store(self, visit: Visit, response: Response) -> None:
        """RFC 9111 §3.1."""
        shelf = visit.shelf
        assert shelf is not None
        stored = self._made(visit, response)
        self._put(shelf, stored)
        self.count("stored")
        if stored.timed:
            self.count("timed")
        visit.stores = True
        stored.filling = visit
        if visit.joined and stored.status != 206:
            shelf.passUntil = 0.0
        if response.status == 206:
            self.count("part stored" if stored.status == 206 else "whole of parts")
            if stored.content is not response.content:
                self.count("joined")
        if stored.content.complete or (response.status == 206 and not visit.completing):
            self._pass(visit, response)
            if response.status == 206 and self.route.rangeMiss == "whole":
                self._fetchWhole(visit, shelf, response)
            return
        member = self._member(visit, response.status, stored)
        own = Facts.of(response.fields, self.route).unstored
        self._give(visit, stored, member, self._kept(response, own))

    # Parts

    def _completes(self, visit: Visit, response: Response) -> bool:
        """RFC 9111 §3.4: what was asked for the rest has brought the whole."""
        if response.status != 206:
            return response.status != 416
        span = together(visit.part, response, self.now)
        return span is not None and span.isWhole

    def _takesPart(self, visit: Visit, response: Response) -> bool:
        """
        RFC 9111 §3.3 and §3.4: whether a 206 is stored.

        Not if it was not asked for, or nobody can tell what is in it; nor beside the
        whole, which it updates, or replaces if that is another.
        """
        shelf = visit.shelf
        assert shelf is not None
        part = received(response)
        if not visit.ranged or part is None:
            return False
        said = Response(206, self._said(visit, response), Content(0))
        if not self._mayStore(visit, said):
            return False
        if not visit.entries:
            since = self._select(shelf, visit.fields)
            return since is None or since.status == 206
        whole = visit.entries[0]
        if whole.status != 200:
            return True
        old, new = whole.validators, Validators.of(response.fields, self.now)
        if mayCombine(old, new):
            if whole.content.length not in (None, part.length):
                return True
            self.count("part freshens")
            self._freshen(visit, whole, response)
            return False
        return all(each.tag is not None or each.modified is not None for each in (old, new))

    def _fetchWhole(self, visit: Visit, shelf: Shelf, response: Response) -> None:
        """What somebody wants a part of, others may want the whole of."""
        part = received(response)
        assert part is not None
        if part.length > self.maxOctets or shelf.passUntil > self.now:
            return
        stored = self._select(shelf, visit.fields)
        if stored is not None and stored.status == 206:
            self.count("whole fetched")
            self._revalidate(visit, shelf, [], "partial")

    # Validation

    def _validated(self, visit: Visit, response: Response) -> None:
        """RFC 9111 §4.3.3 and §4.3.4."""
        shelf = visit.shelf
        assert shelf is not None
        new = Validators.of(response.fields, self.now)
        entries = visit.entries or visit.others
        found = self._meant(entries, new)
        found = [
            each
            for each in found
            if (visit.entries and each is entries[0]) or each.validators.tag == new.strongTag
        ]
        if not found or found[0].content.broken:
            # §4.3.2: it may be about what the client has, and only if it says so.
            if isConditional(visit.fields) and notModified(visit.fields, 200, new):
                self.count("own 304")
                self._pass(visit, response)
            else:
                self._afresh(visit)
            return
        self.count("validated")
        updated = [self._freshen(visit, each, response) for each in found]
        answer, kept = updated[0]
        if answer.status == 206 and not visit.background:
            if not notModified(visit.fields, 206, answer.validators):
                if held(answer, visit.method, visit.fields) is None:
                    # It has a weak validator now, which is no good for If-Range.
                    self.count("part of no use")
                    self._afresh(visit)
                    return
        visit.stores = kept
        if kept and answer.content.complete:
            answer = self._share(shelf, answer, visit.fields)
        own = Facts.of(response.fields, self.route).unstored
        own |= Facts.of(answer.fields, self.route).unstored
        if not self.route.storeCookies:
            own |= {"set-cookie"}
        self._give(visit, answer, self._member(visit, 304, answer), self._kept(response, own))

    def _afresh(self, visit: Visit) -> None:
        self.count("afresh")
        visit.entries, visit.others, visit.part = [], [], None
        self._forward(visit)

    # Failures

    def breaksOff(self, client: int) -> None:
        """The origin can't be reached, or says nothing."""
        visit = self.pending.pop(client)
        self._fail(visit, None)
        self._over(visit, None)

    def _failFollowers(self, visit: Visit) -> None:
        """One of them asks, a GET if there is one; the others wait once more, if they may."""
        followers = self._released(visit)
        for follower in sorted(followers, key=lambda each: each.method == "HEAD"):
            self.count("failed")
            follower.failures += 1
            follower.excused = True
            self._look(follower)

    def _fail(self, visit: Visit, status: int | None, own: int = 502) -> None:
        if not visit.background:
            if status is None and visit.entries and self._mayStandIn(visit):
                self._standIn(visit, None)
                return
            self.count("error")
            fields = self._shown(visit, self._member(visit, status, None))
            self.effects.append(Answer(visit.client, own, fields, None, 0, None, 0, ours=True))
        for follower in self._released(visit):
            self._fail(follower, None)

    def _mayStandIn(self, visit: Visit) -> bool:
        """Not if it was changed since, or purged; softly is no matter."""
        first, shelf = visit.entries[0], visit.shelf
        assert shelf is not None
        if visit.outdated:
            return False
        if first not in shelf.stored and (not visit.sent or self._isLate(visit, None)):
            # Who only waits does not know why it is gone.
            return False
        return first.mayStandIn(visit.demand, self.now)

    def _standIn(self, visit: Visit, status: int | None) -> None:
        """RFC 5861 §4: it, and who waits for it, get what is stale."""
        self.count("stale if error")
        self._failFollowers(visit)
        stored = visit.entries[0]
        self._give(visit, stored, self._member(visit, status, stored))

    def _released(self, visit: Visit) -> list[Visit]:
        followers, visit.followers = visit.followers, []
        if visit.leads:
            assert visit.shelf is not None
            visit.shelf.leader = None
        return followers

    def _resolve(self, visit: Visit, late: bool) -> None:
        """Who waited looks again; for what is no use one asks, and the others wait once more."""
        for follower in self._released(visit):
            if late:
                follower.collapsed = follower.pardoned
                follower.pardoned = True
            self._look(follower)

    def leaves(self, client: int) -> None:
        """A client goes away before it has an answer; who waited for it goes on."""
        visit = self.pending.get(client)
        if visit is None:
            for shelf in self.shelves.values():
                if shelf.leader is not None:
                    shelf.leader.followers = [
                        each for each in shelf.leader.followers if each.client != client
                    ]
            return
        del self.pending[client]
        for follower in self._released(visit):
            follower.collapsed = False
            self._look(follower)
