# -*- test-case-name: tests.policy.test_cachesequences -*-
"""
Mistakes that a cache may make, to see that random sequences find them.

Each is one rule left out or got wrong, while L{intermediary} runs from its sources.
All of them, each in a process of its own, and after how many sequences it was found::

    python -m tests.policy.cachemutations --count 2000
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
from contextlib import ExitStack
from multiprocessing import Pool
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from twisted.internet.defer import succeed

from intermediary.policy import (
    admission,
    ahead,
    answers,
    arrival,
    bypass,
    cache,
    cachefield,
    delivery,
    filling,
    joining,
    lookup,
    outdating,
    passing,
    rangemiss,
    recentpurges,
    refreshing,
    revalidation,
    selection,
    spelling,
    tierlooks,
    uses,
    validation,
)
from intermediary.policy.collapsing import Collapsing
from intermediary.policy.diskcoming import Coming
from intermediary.policy.diskstore import DiskStore
from intermediary.policy.passing import Passing
from intermediary.policy.purging import Purge
from intermediary.policy.recentchanges import RecentChanges
from intermediary.policy.recentpurges import RecentPurges
from intermediary.policy.revalidation import Revalidation
from intermediary.policy.siblings import Siblings
from intermediary.policy.stores import MemoryStore
from intermediary.policy.targets import Targets
from intermediary.policy.tiers import Tiers
from intermediary.wire import (
    cachekey,
    conditional,
    dates,
    directives,
    freshness,
    invalidation,
    ranges,
    reuse,
    storing,
    targeted,
    updating,
    variants,
)
from intermediary.wire.rules import CacheRules

from .cachesequences import check

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBERS = itertools.count()

#: What a mistake replaces: whose attribute, its name, and what makes the new one of it.
Mistake = tuple[Any, str, "Callable[[Any], Any]"]


def _lacking(function: Any, *names: bytes) -> Any:
    """A rule that does not see these directives, wherever they are among its arguments."""

    def mistaken(*arguments: Any) -> Any:
        changed = []
        for argument in arguments:
            each = argument
            if isinstance(each, targeted.CacheControl):
                left = {name: value for name, value in each.directives.items() if name not in names}
                each = targeted.CacheControl(left, each.expires, each.source)
            elif isinstance(each, dict):
                each = {name: value for name, value in each.items() if name not in names}
            changed.append(each)
        return function(*changed)

    return mistaken


def _blind(function: Any, *names: bytes) -> Any:
    """A rule that does not see these fields."""

    def mistaken(fields: Any, *arguments: Any) -> Any:
        return function(fields.without(set(names)), *arguments)

    return mistaken


def _softly(purge: Any) -> Any:
    def mistaken(store: Any, entry: Any, soft: bool) -> Any:
        return 1 if soft else purge(store, entry, soft)

    return mistaken


def _hardly(purge: Any) -> Any:
    def mistaken(store: Any, what: Any, soft: bool = False) -> Any:
        return succeed(0) if soft else purge(store, what)

    return mistaken


def _once(add: Any) -> Any:
    def mistaken(store: Any, entry: Any) -> Any:
        return add(store, entry) if entry.body.file is None else succeed(True)

    return mistaken


def _withoutRemoval(fail: Any) -> Any:
    def mistaken(self: Any, error: Any) -> None:
        if not self._body.ended:
            self._body.source = None
            self._body.fail(error)

    return mistaken


def _whateverTheRequest(whyNotStored: Any) -> Any:
    def mistaken(method: Any, request: Any, *arguments: Any) -> Any:
        return whyNotStored(method, request.without({b"authorization"}), *arguments)

    return mistaken


def _demandOf(*names: bytes) -> Callable[[Any], Any]:
    def made(readDemand: Any) -> Any:
        def mistaken(request: Any) -> Any:
            demand = readDemand(request)
            if not any(getattr(demand, name.decode()) for name in names):
                return demand
            return reuse.ORDINARY

        return mistaken

    return made


def _returning(value: Any) -> Callable[[Any], Any]:
    return lambda old: lambda *arguments, **more: value


def _ruling(**changed: Any) -> Callable[[Any], Any]:
    """Rules that are others than the operator's."""
    return lambda old: lambda self, **given: old(self, **{**given, **changed})


def _young(evaluate: Any) -> Any:
    """Lifetimes of the operator's count from the date of a response."""

    def mistaken(
        status: int, fields: Any, control: Any, rules: Any, asked: float, came: float
    ) -> Any:
        found = evaluate(status, fields, control, rules, asked, came)
        if status in rules.lifetimes and not storing.statesLifetime(control):
            found.expire(found.bornAt + rules.lifetimes[status])
        return found

    return mistaken


def _overriding(evaluate: Any) -> Any:
    """Lifetimes of the operator's come before those that are stated."""

    def mistaken(status: int, fields: Any, control: Any, rules: Any, *times: float) -> Any:
        if status in rules.lifetimes:
            left = {
                name: value
                for name, value in control.directives.items()
                if name not in (b"max-age", b"s-maxage")
            }
            control = targeted.CacheControl(left, None, control.source)
        return evaluate(status, fields, control, rules, *times)

    return mistaken


def _forcing(evaluate: Any) -> Any:
    """What is forced is so for errors as well."""

    def mistaken(status: int, *arguments: Any) -> Any:
        return evaluate(200 if arguments[2].forcedSeconds is not None else status, *arguments)

    return mistaken


def _whoeverAsks(onLookup: Any) -> Any:
    def mistaken(self: Any, exchange: Any) -> Any:
        return None if b"authorization" in exchange.request.fields else onLookup(self, exchange)

    return mistaken


def _unlooked(take: Any) -> Any:
    def mistaken(self: Any, exchange: Any) -> None:
        response = exchange.response
        if response is not None and response.status == 304:
            exchange.reply.more = self._delivery.missed
        else:
            take(self, exchange)

    return mistaken


def _whateverIsWanted(takes: Any) -> Any:
    def mistaken(self: Any, exchange: Any, demand: Any) -> Any:
        return takes(self, exchange, reuse.ORDINARY)

    return mistaken


def _knowing(what: str) -> Callable[[Any], Any]:
    def made(sendOn: Any) -> Any:
        def mistaken(self: Any, exchange: Any, *arguments: Any) -> Any:
            outcome = sendOn(self, exchange, *arguments)
            setattr(exchange.visit, what, 1 << 60)
            return outcome

        return mistaken

    return made


def _firstOf(conditions: dict[str, Any]) -> dict[str, Any]:
    for name, value in conditions.items():
        if value:
            return {name: value}
    return {}


def _early(init: Any) -> Any:
    def mistaken(self: Any, *arguments: Any) -> None:
        *others, least, within = arguments
        init(self, *others, least - 1, within)

    return mistaken


def _keyless(what: str) -> Callable[[Any], Any]:
    return lambda old: lambda self, **given: old(self, **{**given, what: ()})


def _partitioned(init: Any) -> Any:
    """Each route has a part of the cache for itself."""

    def mistaken(self: Any, *, partition: bytes = b"", **given: Any) -> None:
        init(self, partition=b"%bx%d" % (partition, id(self)), **given)

    return mistaken


def _mutable(evaluate: Any) -> Any:
    def mistaken(*arguments: Any) -> Any:
        found = evaluate(*arguments)
        found.immutable = False
        return found

    return mistaken


def _credulous(readPart: Any) -> Any:
    """Content is as long as is said of it."""

    def mistaken(fields: Any, octets: Any) -> Any:
        part = ranges.parseContentRange(fields.get(b"content-range") or b"")
        return None if part is None else readPart(fields, part.end - part.first)

    return mistaken


def _somewhat(holds: Any) -> Any:
    def mistaken(self: Any, entry: Any, request: Any, now: float) -> Any:
        known = ranges.parseContentRange(self._heads.fieldsOf(entry).get(b"content-range") or b"")
        wanted = ranges.rangesFor(request.fields, self.validators(entry), now)
        if known is None or known.length is None or wanted is None or request.method != b"GET":
            return None
        for first, end in wanted.resolve(known.length):
            if max(first, known.first) < min(end, known.end):
                return max(first, known.first), min(end, known.end)
        return None

    return mistaken


def _withoutTheOlder(merge: Any) -> Any:
    def mistaken(self: Any, entry: Any, new: Any, now: float) -> Any:
        if entry.status != 206:
            return merge(self, entry, new, now)
        return new, storing.readControl(new, self._rules)

    return mistaken


class _Anything:
    """What is as all others."""

    def __ne__(self, other: object) -> bool:
        return False

    __eq__ = object.__eq__
    __hash__ = object.__hash__


def _whateverTheCoding(tagged: Any) -> Any:
    def mistaken(entries: Any, request: Any, heads: Any) -> Any:
        return tagged(entries, request.setting(b"Accept-Encoding", b"gzip, br"), heads)

    return mistaken


MISTAKES: dict[str, list[Mistake]] = {
    "Age is ignored": [(freshness, "_ageValue", _returning(0.0))],
    "Date is not compared with our clock": [
        (
            freshness,
            "correctedAge",
            lambda old: lambda value, date, asked, came: old(value, came, asked, came),
        )
    ],
    "the age does not grow": [
        (freshness.Freshness, "age", lambda old: lambda self, now: int(max(0, -self.bornAt)))
    ],
    "private is ignored": [(storing, "_forbidden", lambda old: _lacking(old, b"private"))],
    "no-store is ignored": [(storing, "_forbidden", lambda old: _lacking(old, b"no-store"))],
    "no-cache is ignored": [(admission, "evaluate", lambda old: _lacking(old, b"no-cache"))],
    "s-maxage is ignored": [(admission, "evaluate", lambda old: _lacking(old, b"s-maxage"))],
    "must-revalidate is ignored": [
        (admission, "evaluate", lambda old: _lacking(old, b"must-revalidate"))
    ],
    "must-understand is ignored": [
        (storing, "_forbidden", lambda old: _lacking(old, b"must-understand"))
    ],
    "CDN-Cache-Control is ignored": [
        (storing, "chooseControl", lambda old: _blind(old, b"cdn-cache-control"))
    ],
    "the digest of the whole is that of a part": [
        (
            answers,
            "partialFields",
            lambda old: (
                lambda fields, span, length: fields.setting(
                    b"Content-Range", ranges.formatContentRange(span, length)
                )
            ),
        )
    ],
    "what nobody waits for is asked as one client did": [
        (revalidation, "_DEMANDS", lambda old: frozenset())
    ],
    "a digest of nothing is that of what is stored": [
        (updating, "NOT_UPDATED", lambda old: old - ranges.CONTENT_DIGESTS)
    ],
    "of targeted fields the last counts": [
        (storing, "chooseControl", lambda old: lambda fields, names: old(fields, names[::-1]))
    ],
    "Expires that can't be read is none": [
        (freshness, "_statedLifetime", lambda old: lambda *three: old(*three) or 60.0)
    ],
    "of two directives the first counts": [
        (directives, "_stricter", lambda old: lambda n, a, b: a)
    ],
    "heuristics are ten times too long": [
        (freshness, "_guessedLifetime", lambda old: lambda *four: 10 * old(*four))
    ],
    "two lines are a date": [
        (
            freshness,
            "parseDate",
            lambda old: lambda value, now: old(b",".join(value.split(b",")[:2]), now),
        )
    ],
    "dates in C have none": [(dates, "_ASCTIME", lambda old: re.compile(b"(?!)"))],
    "all statuses last": [
        (module, "HEURISTICALLY_CACHEABLE", lambda old: range(200, 600))
        for module in (storing, freshness)
    ],
    "all statuses are understood": [(storing, "UNDERSTOOD", lambda old: range(200, 600))],
    "a GET with content is as any": [(lookup, "NO_BODY", lambda old: _Anything())],
    "preconditions of origins are ignored": [(lookup, "_isForTheOrigin", _returning(False))],
    "credentials are ignored": [(arrival, "whyNotStored", _whateverTheRequest)],
    "cookies are always stored": [(storing, "_sharesCookies", _returning(True))],
    "a request's no-cache is ignored": [(lookup, "readDemand", _demandOf(b"noCache"))],
    "a request's no-store is ignored": [(storing, "forbidsStoring", _returning(False))],
    "Pragma is ignored": [(lookup, "readDemand", lambda old: _blind(old, b"pragma"))],
    "max-stale is without limit": [
        (
            reuse.Demand,
            "__init__",
            lambda old: (
                lambda self, found: old(
                    self, found | ({b"max-stale": None} if b"max-stale" in found else {})
                )
            ),
        )
    ],
    "Vary is not compared": [(lookup, "select", lambda old: lambda entries, *two: entries[0])],
    "fields are known by one spelling": [(admission, "_isMisspelt", _returning(False))],
    "what Connection names selects": [(variants, "nominated", _returning(frozenset()))],
    "weights are ignored": [(variants, "_weight", _returning(1000))],
    "codings that nobody wants are asked about": [
        (module, "tagged", _whateverTheCoding) for module in (lookup, selection)
    ],
    "Vary: * is ignored": [(storing, "parseVary", _returning(()))],
    "of what fits, what came last answers": [
        (selection, "_latest", lambda old: lambda entries: next(iter(entries), None))
    ],
    "a 304 does not update": [
        (admission.Admission, "freshen", lambda old: lambda self, entry, *more: (entry, True))
    ],
    "any 304 is about what is stored": [(validation, "validated", _returning([0]))],
    "a 304 is always for the client": [(arrival, "isNotModified", _returning(True))],
    "entity-tags are not sent": [(conditional, "_knownTags", _returning([]))],
    "If-None-Match compares strongly": [
        (conditional, "weaklyEqual", lambda old: conditional.stronglyEqual)
    ],
    "If-Modified-Since is ignored": [
        (answers, "isNotModified", lambda old: _blind(old, b"if-modified-since"))
    ],
    "If-Range compares weakly": [(ranges, "stronglyEqual", lambda old: conditional.weaklyEqual)],
    "If-Range takes any date": [
        (
            ranges,
            "ifRangeHolds",
            lambda old: lambda value, *more: b"G" in value or old(value, *more),
        )
    ],
    "parts are joined whatever they are of": [(joining, "mayCombine", _returning(True))],
    "parts with weak tags are joined": [
        (
            joining,
            "mayCombine",
            lambda old: (
                lambda one, two: (
                    old(one, two)
                    or (one.tag and two.tag and conditional.weaklyEqual(one.tag, two.tag))
                )
            ),
        )
    ],
    "fields of a stored part are lost": [(admission.Admission, "_merge", _withoutTheOlder)],
    "parts are never stored": [
        (admission.Admission, "takesPart", _returning(False)),
    ],
    "parts are stored beside the whole": [
        (admission.Admission, "takesPart", _returning(True)),
    ],
    "a part may be shorter than it says": [(admission, "readPart", _credulous)],
    "a part updates nothing": [(admission, "mayCombine", _returning(False))],
    "a part answers what it has some of": [(answers.Answers, "holds", _somewhat)],
    "a part that does not fit any more answers": [(answers.Answers, "fits", _returning(True))],
    "the rest of a part is taken for it whatever comes": [
        (joining.Joining, "completes", _returning(True))
    ],
    "nobody asks for the rest of a part": [(answers.Answers, "completion", _returning(None))],
    "a range has the whole fetched whatever the operator says": [
        (rangemiss.RangeMiss, "fetchWhole", _returning(None))
    ],
    "nothing is asked for before it expires": [
        (cache.RouteCache, "refreshAhead", _returning(None))
    ],
    "a refresh says what a client did": [
        (ahead, "_KEPT", lambda old: old | {b"cache-control", b"x-vary"})
    ],
    "whatever comes of a refresh counts": [(arrival.Arrival, "_dismisses", _returning(False))],
    "what a refresh replaced does not come back": [
        (filling.Filling, "_takesBack", _returning(False))
    ],
    "what a refresh replaced comes back though it was purged": [
        (RecentPurges, "meanwhile", _returning(recentpurges.LEFT))
    ],
    "an origin that fails is refreshed from": [(refreshing.Quiet, "failed", _returning(None))],
    "an origin that fails once is left alone for ever": [
        (refreshing.Quiet, "answered", _returning(None))
    ],
    "refreshes have no budget": [
        (
            refreshing.Refreshing,
            "_refresh",
            lambda old: lambda self, candidate, now: old(self, candidate, now) and False,
        )
    ],
    "what is immutable is refreshed": [(admission, "evaluate", _mutable)],
    "refreshes come too early": [(ahead, "LAST_PART", lambda old: 0.3)],
    "a HEAD updates nothing": [(admission.Admission, "heard", _returning(None))],
    "nothing is invalidated": [(outdating, "invalidTargets", _returning([]))],
    "methods that are not known are safe": [
        (invalidation, "SAFE_METHODS", lambda old: old | {b"FOO"})
    ],
    "all other methods are unsafe": [(invalidation, "SAFE_METHODS", lambda old: {b"GET", b"HEAD"})],
    "Location invalidates nothing": [
        (outdating, "invalidTargets", lambda old: lambda *four: old(*four)[:1])
    ],
    "errors invalidate": [
        (
            outdating,
            "invalidTargets",
            lambda old: lambda method, target, status, fields: old(method, target, 200, fields),
        )
    ],
    "what is on its way is stored after a purge": [(RecentPurges, "covered", _returning(False))],
    "what is on its way has no tags": [(recentpurges, "readTags", lambda old: lambda fields: [])],
    "who waits for what was purged goes on alone": [
        (Collapsing, "resolve", lambda old: lambda self, visit, outdated=False: old(self, visit))
    ],
    "what nobody waits for is stored though it was overtaken": [
        (RecentChanges, "overtook", _returning(False))
    ],
    "what was overtaken is stored": [(RecentPurges, "overtook", _returning(False))],
    "of several tags one is purged": [(Purge, "ofTag", lambda old: lambda *tags: old(tags[0]))],
    "what is purged is not counted": [
        (MemoryStore, "_purge", lambda old: lambda *given: old(*given) * 0)
    ],
    "soft purges do nothing": [(MemoryStore, "_purge", _softly)],
    "stale-if-error has no limit": [
        (module, "mayReplaceError", lambda old: lambda known, *more: not known.staleForbidden)
        for module in (lookup, delivery)
    ],
    "an error is passed on though something could stand in": [
        (module, "mayReplaceError", _returning(False)) for module in (lookup, delivery)
    ],
    "nobody validates in the background": [(Revalidation, "begin", _returning(None))],
    "what breaks off stays": [(filling.Filling, "fail", _withoutRemoval)],
    "who waited for what is not stored is followed by others": [
        (Collapsing, "separate", _returning(None))
    ],
    "nobody waits for anybody": [(Collapsing, "join", _returning(None))],
    "lifetimes are ignored": [(CacheRules, "__init__", _ruling(lifetimes={}))],
    "lifetimes override the origin's own": [(admission, "evaluate", _overriding)],
    "lifetimes count from when a response was made": [(admission, "evaluate", _young)],
    "forced lifetimes are those of errors, too": [(admission, "evaluate", _forcing)],
    "a forced lifetime is ignored": [(CacheRules, "__init__", _ruling(forcedSeconds=None))],
    "fields that are to be ignored count": [
        (CacheRules, "__init__", _ruling(ignoredFields=frozenset()))
    ],
    "an ignored cookie is stored": [(storing, "_withoutCookies", lambda old: lambda given: given)],
    "what is forced is for those with credentials, too": [
        (bypass.Bypass, "onLookup", _whoeverAsks)
    ],
    "credentials keep from the store what the operator shares": [
        (CacheRules, "__init__", _ruling(authorized=False))
    ],
    "clients get what is fresher though they are to be ignored": [
        (lookup, "readModestDemand", lambda old: reuse.readDemand)
    ],
    "clients that are ignored are stored against their will": [
        (lookup, "readModestDemand", lambda old: lambda fields: reuse.ORDINARY)
    ],
    "what goes past the cache is asked of it": [(bypass.Bypass, "onLookup", _returning(None))],
    "of conditions one is enough": [
        (bypass.Condition, "__init__", lambda old: lambda self, **all: old(self, **_firstOf(all)))
    ],
    "what is asked for too early by one is stored": [(uses.Uses, "__init__", _early)],
    "uses are counted for ever": [
        (
            uses.Uses,
            "__init__",
            lambda old: (
                lambda self, one, two, three, least, within: old(self, one, two, three, least, 1e9)
            ),
        )
    ],
    "key fields are ignored": [(cachekey.KeyMaker, "__init__", _keyless("fields"))],
    "key fields are known by one spelling": [(cachekey.KeyMaker, "_isMisspelt", _returning(False))],
    "a dot at its end makes another host": [
        (
            cachekey.KeyMaker,
            "_origin",
            lambda old: (
                lambda self, scheme, host, port: (
                    old(self, scheme, host, port) + b"." * host.endswith(".")
                )
            ),
        )
    ],
    "ports are no matter": [
        (
            cachekey.KeyMaker,
            "_origin",
            lambda old: lambda self, scheme, host, port: old(self, scheme, host, 80),
        )
    ],
    "origins hear of hosts as clients write them": [
        (spelling.Spelling, "_spellHost", _returning(None))
    ],
    "origins get targets as clients write them": [
        (spelling, "normaliseTarget", lambda old: lambda target: target)
    ],
    "what passes is never stored": [(passing, "plainlyForbids", _returning(True))],
    "a 304 to who passes is never wrong": [(Passing, "take", _unlooked)],
    "what passes goes on for hosts as clients write them": [
        (Targets, "isSpelled", _returning(True))
    ],
    "who takes only what is stored passes": [(Passing, "takes", _whateverIsWanted)],
    "what passes knows of all purges": [(Passing, "sendOn", _knowing("epoch"))],
    "what passes knows of all changes": [(Passing, "sendOn", _knowing("changes"))],
    "one host that fails is all of them": [(ahead, "whose", _returning(("", "", 0)))],
    "parameters that are to be ignored make keys": [
        (cachekey.KeyMaker, "__init__", _keyless("dropParameters"))
    ],
    "parameters are never sorted": [(cachekey.KeyMaker, "__init__", _keyless("sortParameters"))],
    "parameters of one name are sorted": [(cachekey, "_parameterName", lambda old: bytes)],
    "key cookies are ignored": [(cachekey.KeyMaker, "__init__", _keyless("cookies"))],
    "of two cookies the last counts": [
        (
            cachekey,
            "_parseCookies",
            lambda old: (
                lambda request, wanted: dict(
                    each.split(b"=", 1)
                    for line in request.getAll(b"cookie")
                    for each in line.split(b"; ")
                    if b"=" in each
                )
            ),
        )
    ],
    "a change is known under one key": [
        (Siblings, "tagOf", lambda old: lambda *given: b"%d" % next(_NUMBERS))
    ],
    "a change marks what is fetched under one key": [(Siblings, "outdate", _returning(None))],
    "cookies that may be stored are not": [(CacheRules, "__init__", _ruling(storeCookies=False))],
    "heuristics store cookies": [
        (
            storing,
            "_sharesCookies",
            lambda old: lambda control, rules: rules.storeCookies or old(control, rules),
        )
    ],
    "nobody shares": [(cachekey.KeyMaker, "__init__", _partitioned)],
    "Cache-Status is not hidden": [(cachefield.CacheField, "hide", _returning(None))],
    "the key is not shown": [(cachefield.CacheField, "showKey", _returning(None))],
    "nothing leaves memory": [(MemoryStore, "_makeRoom", _returning(None))],
    "what is on its way to the disk is not found": [(Coming, "under", _returning([]))],
    "what leaves memory does not come back": [(tierlooks.TierLooks, "took", _returning(None))],
    "what is used often is not offered to the disk again": [
        (Tiers, "used", lambda old: lambda self, entry: self.memory.used(entry))
    ],
    "a change does not reach the disk": [
        (DiskStore, "forget", lambda old: lambda self, key: succeed(0))
    ],
    "what a HEAD tells does not reach the disk": [
        (
            admission.Admission,
            "_expire",
            lambda old: lambda self, entry, now: entry.verdict.freshness.expire(now),
        )
    ],
    "soft purges do not reach the disk": [(DiskStore, "purge", _hardly)],
    "what is not current stays on the disk": [
        (DiskStore, "removeAll", lambda old: lambda self, names: succeed(None))
    ],
    "what is validated is as old on the disk as before": [(DiskStore, "add", _once)],
    "what is private is stored with the rest": [
        (admission, "unstoredNames", _returning(frozenset())),
        (storing, "unstoredNames", _returning(frozenset())),
    ],
}


def found(name: str, count: int, seed: int = 1) -> int | None:
    """
    Look for a mistake.

    @return: after how many sequences it was found; None if it was not.
    """
    with ExitStack() as stack:
        for owner, attribute, made in MISTAKES[name]:
            old = getattr(owner, attribute)
            stack.enter_context(patch.object(owner, attribute, made(old)))
        for number in range(count):
            text = check(f"{seed}/{number}", {}, short=False)
            if text is not None:
                if "\nDifference: " not in text or "\nDifference: logged" in text:
                    raise AssertionError(f"{name} is no mistake of a cache: {text}")
                return number + 1
    return None


def _look(task: tuple[str, int, int]) -> tuple[str, int | None]:
    name, count, seed = task
    return name, found(name, count, seed)


def main(arguments: list[str]) -> int:
    """Look for all of them; the exit status tells whether all were found."""
    parser = argparse.ArgumentParser(description="Mistakes that random sequences are to find.")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args(arguments)
    tasks = [(name, options.count, options.seed) for name in MISTAKES]
    missed = 0
    # What was remembered under one mistake must not hide the next.
    with Pool(options.processes, maxtasksperchild=1) as pool:
        for name, number in pool.imap(_look, tasks, chunksize=1):
            missed += number is None
            sys.stdout.write(f"{number or 'NEVER':>7} {name}\n")
            sys.stdout.flush()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
