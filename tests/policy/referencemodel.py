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

from .referenceasking import Asking
from .referencefields import (
    Validators,
    isConditional,
    notModified,
)
from .referenceparts import held, mayCombine, received, together
from .referencestored import ERRORS, Answer, Content, Facts, Response
from .referencestoring import NEVER_STORED

if TYPE_CHECKING:
    from .referencestored import Stored
    from .referencevisit import Shelf, Visit

#: Requests for what could not be stored don't wait for each other for so long.
PASS_SECONDS = 120


class Model(Asking):
    """
    The cache.

    @ivar effects: what it did since somebody emptied this.
    """

    # Answers

    def respond(self, client: int, response: Response, piece: bytes, end: bool) -> None:
        """
        The origin answers a request.

        @param piece: the first octets of its content.
        @param end: these are all.
        """
        visit = self.pending.pop(client)
        late = self._isLate(visit, response)
        self._answered = visit
        self._respond(visit, response, late)
        if client not in self.pending:
            self._resolve(visit, late or visit.useless)
            self._over(visit, response.status)
        self._answered = None
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
                if keys & set(value.split()):
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
                if visit.entries and status != 206 and status not in NEVER_STORED:
                    assert visit.shelf is not None
                    self._drop(visit.shelf, visit.entries[0])

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
        if visit.background and not stored.content.complete:
            self._arriving.append(response.content)
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
        self._give(visit, stored, member, response, self._kept(response, own))

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
        if not found or self._isNowhere(visit, found[0]):
            # §4.3.2: it may be about what the client has, and only if it says so.
            if isConditional(visit.fields) and notModified(visit.fields, 200, new):
                self.count("own 304")
                self._pass(visit, response)
            else:
                self._afresh(visit)
            return
        self.count("validated")
        unfiled = [each.content for each in found if not each.content.isFiled]
        updated = [self._freshen(visit, each, response) for each in found]
        for each, kept in updated:
            if kept and each.content.complete and each.content in unfiled:
                # Its content is written first, and only a new head of the others.
                self._place(each)
        answer, kept = updated[0]
        if answer.status == 206 and not visit.background:
            if not notModified(visit.fields, 206, answer.validators):
                if not held(answer, visit.method, visit.fields):
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
        member = self._member(visit, 304, answer)
        self._give(visit, answer, member, response, self._kept(response, own))

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
        if self._isNowhere(visit, first):
            return False
        return first.mayStandIn(visit.demand, self.now)

    @staticmethod
    def _isNowhere(visit: Visit, stored: Stored) -> bool:
        """Whether there is no content any more; who waits for it has no use for a file."""
        content = stored.content
        return content.broken or content.isLost or (stored.isSpilt and not visit.background)

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
