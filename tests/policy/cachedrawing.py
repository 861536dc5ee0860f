# -*- test-case-name: tests.policy.test_cachesequences -*-
"""
Sequences of L{steps<tests.policy.cachesteps>}, drawn at random.

Where nothing would ever meet by chance, several steps that belong together are drawn
at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cachesteps import (
    Answering,
    Asking,
    Ending,
    Evicting,
    Leaving,
    Passing,
    Purging,
    Recipe,
    Step,
)
from .cachevalues import (
    COOKIES,
    DATES,
    DEVICES,
    ENCODINGS,
    HOSTS,
    LANGUAGES,
    LOCATIONS,
    MALFORMED,
    METHODS,
    PARTS,
    PASSING,
    QUERIES,
    RANGED,
    RANGES,
    REQUEST_CONTROL,
    RESPONSE_CONTROL,
    SECONDS,
    SEVERAL,
    STATUSES,
    TAGS,
    TARGETED,
    TARGETS,
    VALUES,
    VARIES,
)
from .referenceroute import Route

if TYPE_CHECKING:
    from random import Random

#: How many steps a sequence has.
LEAST, MOST = 6, 22
#: From so many on, nothing is made up that takes several.
LONG = 30


PLAIN = Route()


def sequence(random: Random, route: Route = PLAIN, *, tier: bool = False) -> list[Step]:
    """
    Make up a sequence.

    @param route: has to have something to do.
    @param tier: so has what is behind the memory.
    """
    steps: list[Step] = []
    pending = 0
    # Who is everything at once has no hits.
    plain = random.random() < 0.5
    parted = random.random() < (0.6 if route.rangeMiss == "whole" else 0.3)
    for _ in range(random.randrange(LEAST, MOST)):
        if tier and random.random() < 0.15:
            steps.append(Evicting(random.random() < 0.3))
        elif not tier and random.random() < 0.03:
            steps.append(Evicting(again=False))
        elif tier and random.random() < 0.03 and not pending:
            steps += random.choice((_telling, _filing))(random)
        elif len(steps) < LONG and random.random() < 0.03:
            steps += _several(random, tier)
        chance = random.random()
        if pending and chance < 0.55:
            steps.append(_answering(random, plain, route, parted=parted))
            pending -= 1
        elif parted and chance < 0.58 and len(steps) < LONG:
            steps += _weakening(random)
        elif route.refreshUses and chance < 0.70 and len(steps) < LONG:
            steps += _refreshing(random, plain, route)
        elif chance < 0.80:
            steps.append(_asking(random, plain, route, parted=parted))
            pending += 1
            if random.random() < 0.75:
                steps.append(_answering(random, plain, route, parted=parted))
                pending -= 1
            elif random.random() < 0.15:
                steps += _overtaking(random)
        elif chance < 0.91:
            steps.append(Passing(random.choice(PASSING)))
        elif chance < 0.94:
            steps.append(Ending(random.randrange(4), random.random() < 0.4))
        elif chance < 0.96:
            steps.append(Leaving(random.randrange(4)))
        else:
            steps.append(_purging(random))
    return steps


def _telling(random: Random) -> list[Step]:
    """A HEAD tells of what is stored, which leaves memory then."""
    stored = Recipe(
        200, "", False, (("Cache-Control", "max-age=100"), ("ETag", '"t1"')), 12, False, False
    )
    told = (("Cache-Control", "max-age=60"), ("ETag", random.choice(('"t1"', '"t2"', '"t2"'))))
    asking = Asking("GET", "/a", ())
    return [
        asking,
        Answering(-1, stored),
        Asking("HEAD", "/a", (("Cache-Control", "no-cache"),)),
        Answering(-1, stored._replace(fields=told)),
        Evicting(random.random() < 0.5),
        asking,
        Answering(-1, stored),
    ]


def _filing(random: Random) -> list[Step]:
    """What is purged on its way to the disk gets there later, if it is used."""
    fields = (("Cache-Control", "max-age=60, stale-while-revalidate=60"), ("ETag", '"t1"'))
    stored = Recipe(200, "", False, fields, 12, False, True)
    target = random.choice(("/a", "/d", "/d"))
    asking = Asking("GET", target, ())
    purging = Purging("key", target, soft=True) if random.random() < 0.8 else _purging(random)
    steps: list[Step] = [asking, Answering(-1, stored), purging]
    steps += [Ending(-1, random.random() < 0.1), *[asking] * random.randrange(4)]
    answer = stored._replace(half=False, confirms=random.choice(("first", "none", "wrong", "")))
    if random.random() < 0.5:
        answer = answer._replace(status=503)
    return [*steps, *[Answering(-1, answer)] * 2, Evicting(random.random() < 0.8), asking]


def _weakening(random: Random) -> list[Step]:
    """A part is found to be current, by a tag that may be another one."""
    fields = (("Cache-Control", "max-age=5"), ("ETag", '"t1"'))
    part = Recipe(200, "", False, fields, 12, False, False, "part")
    confirming = part._replace(confirms=random.choice(("weak", "weak", "first", "none")))
    wanted = ("Range", "bytes=1-2")
    condition = ("If-Range", random.choice(('"t1"', '"t1"', 'W/"t1"', '"t2"')))
    return [
        Asking("GET", "/a", (("Range", "bytes=0-7"),)),
        Answering(-1, part),
        Passing(random.choice((3, 5, 10))),
        Asking("GET", "/a", (wanted, condition) if random.random() < 0.8 else (wanted,)),
        Answering(-1, confirming),
        Answering(-1, part),
    ]


def _several(random: Random, tier: bool) -> list[Step]:
    """Several ranges of what is stored, whole or in part, or arrives, or has left memory."""
    fields: tuple[tuple[str, str | int], ...] = (("Cache-Control", "max-age=60"), ("ETag", '"t1"'))
    if random.random() < 0.5:
        fields = (*fields, ("Content-Type", "text/css"))
    half = random.random() < 0.3
    stored = Recipe(200, "", False, fields, 190, random.random() < 0.1, half, "part")
    first: tuple[tuple[str, str | int], ...] = ()
    if random.random() < 0.4:
        first = (("Range", random.choice(("bytes=0-150", "bytes=5-", "bytes=8-170"))),)
    steps: list[Step] = [Asking("GET", "/a", first), Answering(-1, stored)]
    if tier and random.random() < 0.6:
        steps.append(Evicting(random.random() < 0.5))
    for _ in range(random.randrange(1, 4)):
        wanted: tuple[tuple[str, str | int], ...] = (("Range", random.choice(SEVERAL)),)
        if random.random() < 0.2:
            wanted = (*wanted, ("If-Range", random.choice(('"t1"', '"t1"', '"t2"'))))
        steps.append(Asking("HEAD" if random.random() < 0.1 else "GET", "/a", wanted))
        if random.random() < 0.2:
            steps.append(Answering(-1, stored._replace(half=False)))
    if half:
        steps.append(Ending(0, random.random() < 0.3))
    return steps


def _refreshing(random: Random, plain: bool, route: Route) -> list[Step]:
    """Something is used often, for long enough to be asked for before it expires."""
    if random.random() < 0.15:
        return _failing(random, route)
    if random.random() < 0.10:
        return _takingBack(random, route)
    asking = Asking("GET", "/a", _asking(random, plain, route, parted=False).fields)
    answer = _answering(random, plain, route, parted=False)
    for chance, field in ((0.4, ("Surrogate-Key", "k1")), (0.1, ("Cache-Control", "immutable"))):
        if random.random() < chance:
            fields = (*answer.recipe.fields, field)
            answer = answer._replace(recipe=answer.recipe._replace(fields=fields))
    steps: list[Step] = [asking, answer]
    steps += [asking] * route.refreshUses
    for _ in range(random.randrange(1, 3)):
        steps.append(Passing(random.choice(PASSING)))
        # What is asked for then may be answered at once, or when it has expired.
        if random.random() < 0.3:
            steps.append(asking)
        if random.random() < 0.2:
            steps.append(_purging(random))
        if random.random() < 0.8:
            recipe = _answering(random, plain, route, parted=False).recipe
            if random.random() < 0.5:
                recipe = recipe._replace(status=200, half=True, chunked=random.random() < 0.2)
                steps.append(Answering(random.randrange(4), recipe))
                if random.random() < 0.4:
                    tag = Purging("tag", "k1", random.random() < 0.5)
                    steps.append(random.choice((tag, _purging(random))))
                steps.append(Ending(0, random.random() < 0.7))
            else:
                steps.append(Answering(random.randrange(4), recipe))
        steps.append(asking)
    return steps


def _takingBack(random: Random, route: Route) -> list[Step]:
    """A refresh breaks off, and what it was to replace was purged meanwhile, or was not."""
    stored = Recipe(200, "", False, (("Cache-Control", "max-age=60"),), 12, False, False)
    tagged = stored._replace(fields=(*stored.fields, ("Surrogate-Key", "k1")))
    asking = Asking("GET", "/a", ())
    steps: list[Step] = [asking, Answering(-1, tagged), *[asking] * route.refreshUses]
    steps += [Passing(54), Answering(0, random.choice((stored, tagged))._replace(half=True))]
    if random.random() < 0.7:
        steps.append(Purging("tag", random.choice(("k1", "k1", "k2")), random.random() < 0.4))
    return [*steps, Ending(0, random.random() < 0.9), asking]


def _failing(random: Random, route: Route) -> list[Step]:
    """Two that are used often are due one after the other, and the origin fails the first."""
    stored = Recipe(200, "", False, (("Cache-Control", "max-age=60"),), 12, False, False)
    first, second = Asking("GET", "/a", ()), Asking("GET", "/b", ())
    if random.random() < 0.4:
        second = second._replace(host="b.example")
    failing = stored._replace(
        status=random.choice((503, 503, 500, 200)), half=random.random() < 0.2
    )
    steps: list[Step] = []
    for asking in (first, second):
        steps += [asking, Answering(-1, stored), *[asking] * route.refreshUses]
        steps.append(Passing(random.choice((0, 0, 1, 2, 3))))
    steps.append(Passing(random.choice((48, 50, 51))))
    steps.append(random.choice((Answering(0, failing), Ending(1, True))))
    steps.append(Passing(random.choice((1, 2, 4))))
    if random.random() < 0.3:
        steps.append(Ending(0, random.random() < 0.5))
    steps.append(random.choice((Answering(0, failing), Passing(1))))
    return [*steps, Passing(4), second]


def _purging(random: Random) -> Purging:
    kind = random.choice(("key", "key", "prefix", "host", "tag"))
    value = random.choice(("k1", "k2", "k2 k1", "k3 k1") if kind == "tag" else ("/a", "/b", "/"))
    return Purging(kind, value, random.random() < 0.6)


def _overtaking(random: Random) -> list[Step]:
    """A change of what somebody has just asked for."""
    recipe = Recipe(200, "", False, (), 2, False, False)
    method = random.choice(("POST", "PUT", "DELETE"))
    # Who asked last is the last of those who wait, as a rule.
    return [Asking(method, "/a", ()), Answering(-1, recipe)]


def _asking(random: Random, plain: bool, route: Route, *, parted: bool) -> Asking:
    fields: list[tuple[str, str | int]] = []
    rare = 0.2 if parted or route.refreshUses else 0.4 if plain else 1.0

    def maybe(chance: float, name: str, *values: str | int) -> None:
        if random.random() < chance * rare:
            fields.append((name, random.choice(values)))

    method = "GET"
    chance = random.random()
    if chance < 0.09:
        method = "HEAD"
    elif chance < 0.15:
        method = random.choice(METHODS)
    maybe(0.6 if route.ignoreClient else 0.25, "Cache-Control", *REQUEST_CONTROL)
    maybe(0.03, "Cache-Control", *REQUEST_CONTROL)
    maybe(0.04, "Pragma", "no-cache", "no-cache", "x")
    maybe(0.10, "Authorization", "Basic eDp5")
    maybe(0.15, "If-None-Match", *TAGS, '"c"', '"c", "t2"', "*", "x", 'W/"c", "c"')
    maybe(0.08, "If-Modified-Since", -1000, -100, -10, 0, 50, *DATES)
    if random.random() < (0.6 if parted else 0.12):
        fields.append(("Range", random.choice(PARTS if parted else RANGES)))
        if parted:
            maybe(0.8, "If-Range", '"t1"', '"t1"', '"t1"', '"t2"', 'W/"t1"', -100)
        else:
            maybe(0.6, "If-Range", '"t1"', '"t2"', 'W/"t1"', 'W/"t1"', -100, -10, "x")
    else:
        # Which means nothing.
        maybe(0.04, "If-Range", '"t1"', 'W/"t1"', -100)
    maybe(0.01, "If-Match", '"t1"')
    maybe(0.01, "If-Unmodified-Since", 0)
    if random.random() < 0.4:
        fields.append(("X-Vary", random.choice(VALUES)))
    elif random.random() < 0.05:
        fields.append(("X_Vary", "a"))
    if random.random() < 0.25:
        fields.append(("Accept-Encoding", random.choice(ENCODINGS)))
    maybe(0.04, "Connection", "X-Vary", "x-vary, x-device")
    if random.random() < 0.3:
        fields.append(("Accept-Language", random.choice(LANGUAGES)))
    if random.random() < (0.5 if route.keyCookies or route.bypass else 0.05):
        fields.append(("Cookie", random.choice(COOKIES)))
        maybe(0.03, "Cookie", "lang=fr")
    if random.random() < (0.5 if route.keyFields or route.bypass else 0.05):
        fields.append(("X-Device", random.choice(DEVICES)))
        maybe(0.10, "Connection", "X-Device")
    elif route.keyFields and random.random() < 0.1:
        fields.append(("x_device", "tv"))
    if route.forces and random.random() < 0.10:
        fields.append(("Authorization", "Basic eDp5"))
    content = random.random() < 0.02 * rare
    targets = QUERIES if route.ignoreQuery or route.sortQuery else TARGETS
    host = random.choice(HOSTS) if random.random() < 0.15 * rare else ""
    return Asking(method, random.choice(targets), tuple(fields), content, host)


def _answering(random: Random, plain: bool, route: Route, *, parted: bool) -> Answering:
    fields: list[tuple[str, str | int]] = []
    rare = 0.3 if plain else 1.0

    def maybe(chance: float, name: str, *values: str | int) -> None:
        if random.random() < chance:
            fields.append((name, random.choice(values)))

    if random.random() < (0.35 if route.lifetimes else 0.85):
        fields.append(("Cache-Control", _control(random, rare)))
    maybe(0.03 * rare, "Cache-Control", *RESPONSE_CONTROL)
    maybe(0.15, "Expires", -10, 0, 5, 30, 100, "0", "-1", *DATES)
    maybe(0.06, "Expires", 5, 30)
    if random.random() < 0.85:
        fields.append(("Date", random.choice((0,) * 16 + (-5, -30, 5, 30) * 2 + DATES[:6])))
    maybe(0.12, "Age", "0", "3", "8", "20", "x", "5, 7", "-1", "9999999999")
    maybe(0.08 if parted else 0.25, "Vary", *VARIES)
    if parted and random.random() < 0.9:
        # Or nothing would ever belong together.
        fields.append(("ETag", random.choice(('"t1"',) * 6 + ('"t2"', 'W/"t1"'))))
    else:
        maybe(0.55, "ETag", *TAGS, 'W/"t1"')
    maybe(0.02, "ETag", "bad")
    maybe(0.30, "Last-Modified", *(-1000, -1000, -100, -10, 0) * 3, *DATES)
    maybe(0.03, "Pragma", "no-cache")
    maybe(0.05, "Connection", "X-Secret", "x-other, x-secret")
    maybe(0.05, "Keep-Alive", "timeout=5")
    maybe(0.05, "Content-Encoding", "gzip", "GZIP", "br")
    # Of which only a 304 has it: not of its own content, and so of nothing.
    maybe(0.10, "Content-Length", "7")
    several = len(route.targeted) > 1
    maybe(0.3 if several else 0.08 * rare, "CDN-Cache-Control", *TARGETED)
    maybe(0.3 if several else 0.02 * rare, "Test-Cache-Control", *TARGETED)
    cookies = route.storeCookies or "set-cookie" in route.ignored
    maybe(0.3 if cookies else 0.08 * rare, "Set-Cookie", "a=b")
    maybe(0.15, "X-Secret", "s")
    maybe(0.03, "Via", "1.0 other")
    maybe(0.20, "Content-Type", "text/plain")
    maybe(0.10, "Content-Language", "en", "de")
    maybe(0.15, "Surrogate-Key", "k1", "k1 k2", "k3")
    maybe(0.05, "Cache-Tag", "k2,k1")
    maybe(0.20, "Location", *LOCATIONS)
    maybe(0.15, "Content-Location", *LOCATIONS)
    if ("Content-Type", "text/plain") in fields:
        # Not another decision, which would make other sequences of the same seeds.
        name = "Content-MD5" if len(fields) % 4 == 0 else "Content-Digest"
        fields.append((name, f"sha-256=:{len(fields)}:"))
    recipe = Recipe(
        200 if parted and random.random() < 0.7 else random.choice(STATUSES),
        random.choice(("first", "first", "last", "weak", "wrong", "modified", "none", "", "", "")),
        random.random() < 0.03,
        tuple(fields),
        random.choice((0,) + (12,) * 20 + (300,)),
        random.random() < (0.05 if parted else 0.2),
        random.random() < 0.12,
        "unasked" if random.random() < 0.01 else random.choice(RANGED),
    )
    return Answering(random.randrange(4), recipe)


def _control(random: Random, rare: float) -> str:
    found = []
    if random.random() < 0.85:
        found.append("max-age=" + random.choice(SECONDS))
    if random.random() < 0.08:
        found.append("s-maxage=" + random.choice(SECONDS))
    if random.random() < 0.06 * rare:
        name = random.choice(("max-age=", "s-maxage=", "stale-while-revalidate="))
        found.append(name + random.choice(MALFORMED))
    while random.random() < 0.45 * rare:
        found.append(random.choice(RESPONSE_CONTROL))
    if random.random() < 0.15:
        found.append("stale-while-revalidate=" + random.choice(("5", "20", "60")))
    random.shuffle(found)
    return random.choice((", ", ", ", ",", " , ,")).join(found)
