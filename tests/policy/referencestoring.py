# -*- test-case-name: tests.policy.test_cachesequences -*-
"""
What goes into the slow cache of L{tests.policy.referencemodel}, and what becomes of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import rfc9111
from .referencefields import (
    Pairs,
    Validators,
    combined,
    weakly,
    without,
    written,
)
from .referenceparts import DIGESTS, around, received, together
from .referenceselecting import hidden, isMisspelt, selecting, varies
from .referencestored import ERRORS, Content, Facts, Response, Stored, demandOf, saying
from .referencevisit import Shelf, Visit

if TYPE_CHECKING:
    from .referenceroute import Route

TAG_FIELDS = ("surrogate-key", "cache-tag")
#: RFC 9110 §7.6.1.
HOP_BY_HOP = ("connection", "content-length", "keep-alive", "transfer-encoding")
#: What is never stored, see C{docs/notes/cache-rules.md}.
NEVER_STORED = (304, 407, 412, 416, 417, 425, 428, 429, 431, 511)


class Storing:
    """
    What responses do to the store.

    @ivar counts: how often what happened.
    @ivar tier: there is something behind the memory, which takes its time.
    """

    def __init__(self, scheme: str, maxOctets: int, route: Route, partition: str) -> None:
        """
        @param maxOctets: longer content is not stored.
        @param partition: what keys begin with.
        """
        self.scheme = scheme
        self.maxOctets = maxOctets
        self.route = route
        self.partition = partition
        self.shelves: dict[tuple[str, str, tuple[str, ...]], Shelf] = {}
        self.counts: dict[str, int] = {}
        self.now = 0.0
        self.tier = False
        self.places = 0
        # What is not stored any more, and still comes.
        self._orphans: list[Content] = []

    def count(self, what: str) -> None:
        """Note that something happened."""
        self.counts[what] = self.counts.get(what, 0) + 1

    def _mayStore(self, visit: Visit, response: Response) -> bool:
        """RFC 9111 §3, and what we decide."""
        route = self.route
        facts = Facts.of(response.fields, route)
        control = rfc9111.directives(facts.fields)
        request = dict(visit.demand)
        if visit.background:
            request = demandOf(visit.fields)
        if combined(visit.fields, "authorization") is not None and not route.authorization:
            request["authorization"] = "yes"
        if response.status == 206 and visit.method != "GET":
            return False
        # What is said of a 200 holds for parts of it.
        status = 200 if response.status == 206 else response.status
        said = rfc9111.Exchange("GET", request, status, facts.fields, 0, 0)
        seconds = route.forcedFor(response.status)
        if seconds is None:
            seconds = route.lifetimeOf(response.status)
        if seconds is not None and not facts.states:
            said = saying(said, control | {"max-age": str(seconds)})
        if visit.method != "GET" and not facts.states:
            return False
        if not rfc9111.mayStore(said) or response.status in NEVER_STORED:
            return False
        if varies(response.fields) is None and "vary" not in route.ignored:
            return False
        if combined(response.fields, "set-cookie") is not None:
            if "set-cookie" not in facts.unstored:
                if not (route.storeCookies and (facts.states or "public" in control)):
                    return False
                self.count("cookie stored")
        announced = response.content.announced
        return announced is None or announced <= self.maxOctets

    def _isOfUse(self, visit: Visit, response: Response) -> bool:
        """
        It is fresh, or may be used stale, or can be validated.

        An error that does not say for how long is of less use than what may stand in
        for it.
        """
        stored = self._made(visit, response)
        if isMisspelt(stored.vary, visit.fields):
            self.count("misspelt")
            return False
        facts = Facts.of(self._said(visit, response), self.route)
        control = rfc9111.directives(facts.fields)
        if response.status in ERRORS and not facts.states and visit.shelf is not None:
            for each in visit.shelf.here:
                if each.status not in ERRORS and each.mayStandIn({"cache-control": ""}, self.now):
                    return False
        return (
            stored.isFresh(self.now)
            or bool({"stale-if-error", "stale-while-revalidate"} & set(control))
            or stored.validators.tag is not None
            or stored.validators.modified is not None
        )

    def _derived(self, fields: Pairs) -> Pairs:
        """RFC 9110 §6.6.1 and §7.6.3."""
        before = combined(fields, "via")
        via = "1.1 test" if before is None else f"{before}, 1.1 test"
        fields = [*without(fields, *HOP_BY_HOP, *hidden(fields), "via"), ("Via", via)]
        if combined(fields, "date") is None:
            fields.append(("Date", written(self.now)))
        return fields

    def _said(self, visit: Visit, response: Response) -> Pairs:
        """RFC 9111 §3.4: what a response says, and what is stored of the same representation."""
        old = visit.part
        if old is None or together(old, response, self.now) is None:
            return response.fields
        return self._merged(old, response)

    def _made(self, visit: Visit, response: Response) -> Stored:
        status, content = response.status, response.content
        fields = self._derived(response.fields)
        span = received(response) if status == 206 else None
        old = visit.part
        joined = together(old, response, self.now) if span is not None else None
        if old is not None and joined is not None:
            span = joined
            content = around(old, response)
            fields = without(self._merged(old, response), *DIGESTS)
        if span is not None:
            fields = without(fields, "content-range")
            if span.isWhole:
                status = 200
            else:
                fields.append(("Content-Range", span.value))
        found = Stored(status, fields, content, visit.fields, visit.requested, self.now, self.route)
        if old is not None and joined is not None and not _isTagged(response):
            found.keys = old.keys
        return found

    def _put(self, shelf: Shelf, new: Stored, old: Stored | None = None) -> None:
        # What has its content there already stays, worth it or not.
        new.isUnwritten = False
        new.isKept = new.content.isFiled or new.isWorthKeeping(self.now)
        if new.content.complete:
            self._place(new)
        kept = [new]
        for each in shelf.stored:
            if each is not old and (each.vary, each.selected) != (new.vary, new.selected):
                kept.append(each)
            elif not each.content.complete and not each.content.isOf(new.content):
                # What is still to come of it nobody stores.
                self._orphans.append(each.content)
        shelf.stored = kept

    def _place(self, stored: Stored) -> None:
        """It is all there from now on."""
        self.places += 1
        stored.place = self.places
        if stored.isKept:
            stored.content.isFiled = True

    @staticmethod
    def _kept(response: Response, unstored: set[str]) -> Pairs:
        """RFC 9111 §5.2.2.4: what is not stored is for who asked."""
        sent = without(response.fields, *hidden(response.fields))
        return [pair for pair in sent if pair[0].lower() in unstored]

    def _replace(self, stored: Stored) -> None:
        """What comes back from the disk is another one; this had to let go what it had."""
        for shelf in self.shelves.values():
            shelf.stored = [each.copy() if each is stored else each for each in shelf.stored]
        stored.isSpilt = True

    @staticmethod
    def _drop(shelf: Shelf, stored: Stored) -> None:
        """It is not current any more, and nor is what is behind the memory in its place."""
        shelf.stored = [
            each
            for each in shelf.stored
            if each is not stored
            and not (each.isGone and (each.vary, each.selected) == (stored.vary, stored.selected))
        ]

    def _remove(self, stored: Stored) -> None:
        for shelf in self.shelves.values():
            shelf.stored = [each for each in shelf.stored if each is not stored]

    @staticmethod
    def _meant(entries: list[Stored], new: Validators) -> list[Stored]:
        """RFC 9111 §4.3.4: which of the stored responses a 304 is about."""
        if new.strongTag is not None:
            return [each for each in entries if each.validators.tag == new.tag]
        if new.tag is not None:
            found = [
                each
                for each in entries
                if each.validators.tag is not None and weakly(each.validators.tag, new.tag)
            ]
            return found[:1]
        if new.modified is not None:
            found = [each for each in entries if each.validators.modified == new.modified]
            return found[:1]
        return list(entries) if len(entries) == 1 else []

    def _freshen(self, visit: Visit, old: Stored, response: Response) -> tuple[Stored, bool]:
        """RFC 9111 §3.2: the updated response, and whether it is in the store."""
        fields = self._merged(old, response)
        merged = Stored(
            old.status, fields, old.content, visit.fields, visit.requested, self.now, self.route
        )
        if merged.vary == old.vary:
            merged.selected = old.selected
        merged.filling = old.filling
        # What nobody waits for does not need the content, and so does not bring it.
        merged.isLoaded = old.isLoaded
        if not _isTagged(response):
            merged.keys = old.keys
        shelf = visit.shelf
        assert shelf is not None
        everybody = Visit(0, "GET", visit.target, visit.host, [])
        asIs = Response(old.status, fields, Content(0))
        if not self._mayStore(everybody, asIs):
            self._drop(shelf, old)
            return merged, False
        asked = Visit(0, "GET", visit.target, visit.host, visit.fields)
        another = (merged.vary, merged.selected) != (old.vary, old.selected)
        if another and isMisspelt(merged.vary, visit.fields):
            return merged, False
        if not self._mayStore(asked, asIs) or old not in shelf.here:
            return merged, False
        self._put(shelf, merged, old)
        return merged, True

    def _merged(self, old: Stored, response: Response) -> Pairs:
        """RFC 9111 §3.2: the fields of what is stored with those of what is newer."""
        newer = without(self._derived(response.fields), "content-range", *DIGESTS)
        unstored = Facts.of(newer, self.route).unstored
        if not self.route.storeCookies:
            unstored |= {"set-cookie"}
        newer = without(newer, *unstored)
        replaced = {name.lower() for name, _ in newer}
        return [*without(old.fields, "age", *replaced, *unstored), *newer]

    def _share(self, shelf: Shelf, stored: Stored, request: Pairs) -> Stored:
        """RFC 9111 §4.1: it answers requests like this one as well."""
        selected = selecting(stored.vary, request)
        if selected == stored.selected or isMisspelt(stored.vary, request):
            return stored
        copy = stored.copy()
        copy.selected = selected
        self._put(shelf, copy)
        return copy

    def _heard(self, visit: Visit, response: Response) -> None:
        """RFC 9111 §4.3.5."""
        if response.status != 200 or not visit.entries or visit.entries[0].status != 200:
            return
        stored = visit.entries[0]
        new = Validators.of(response.fields, self.now)
        old = stored.validators
        length = combined(response.fields, "content-length")
        if (
            (new.tag is None or new.tag == old.tag)
            and (new.modified is None or new.modified == old.modified)
            and (length is None or int(length) == stored.content.length)
        ):
            self.count("head updates")
            self._freshen(visit, stored, response)
        else:
            self.count("head expires")
            stored.purged = self.now if stored.purged is None else min(stored.purged, self.now)
            shelf = visit.shelf
            assert shelf is not None
            if stored in shelf.here:
                # What is behind the memory is to know of it, as of an update.
                copy = stored.copy()
                self._put(shelf, copy, stored)
                if stored.content.complete and not stored.isUnwritten:
                    copy.isKept = stored.isKept
            else:
                self._drop(shelf, stored)

    def bring(self, content: Content, piece: bytes, end: bool) -> None:
        """More of some content arrives."""
        content.octets += piece
        for orphan in self._orphans:
            if orphan.isOf(content):
                orphan.isLost = not content.isRead
        if end:
            content.complete = True
            for each in [each for shelf in self.shelves.values() for each in shelf.stored]:
                if each.content.isOf(content):
                    self._place(each)
                    if each.isGone:
                        self.count("spilt")
                        self._replace(each)
        for shelf in self.shelves.values():
            for each in list(shelf.stored):
                if each.content.isOf(content) and len(each.content.octets) > self.maxOctets:
                    shelf.stored.remove(each)
                    # The rest is for those who read it already, if there is anybody;
                    # whatever writes it reads it, too, and finds out later.
                    each.content.isLost = not (content.isRead or (self.tier and each.isKept))

    def breaks(self, content: Content) -> None:
        """RFC 9111 §3.3: it ends too early."""
        content.broken = True
        for shelf in self.shelves.values():
            shelf.stored = [each for each in shelf.stored if not each.content.isOf(content)]

    def _shelf(self, visit: Visit) -> Shelf | None:
        """That of its key; None if it has none."""
        added = self.route.added(visit.fields)
        if added is None:
            return None
        return self.shelves.setdefault((visit.host, self.route.keyed(visit.target), added), Shelf())


def _isTagged(response: Response) -> bool:
    """Whether it says by which names it can be purged."""
    return any(combined(response.fields, name) is not None for name in TAG_FIELDS)
