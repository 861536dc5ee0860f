# -*- test-case-name: tests.policy.test_cachesequences -*-
"""
What the slow cache of L{tests.policy.referencemodel} knows of one response.

How it may be used is for L{tests.wire.rfc9111} to say, which is given what the fields
of the response say in well-formed ones.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from ..wire import rfc9111
from .referencefields import (
    Pairs,
    Validators,
    combined,
    dictionary,
    directives,
    isDelta,
    isToken,
    moment,
    names,
    without,
    written,
)
from .referenceselecting import selecting, varies

if TYPE_CHECKING:
    from .referenceroute import Route
    from .referencevisit import Visit

LIMIT = 2**31
#: RFC 5861 §4.
ERRORS = (500, 502, 503, 504)
DELTAS = ("max-age", "s-maxage", "stale-while-revalidate", "stale-if-error")


class Content:
    """
    The content of one response, as far as it has come.

    @ivar announced: its length; None if it comes in chunks.
    @ivar broken: it ended too early.
    @ivar isFiled: it is behind the memory, too.
    @ivar isRead: somebody reads it.
    @ivar isLost: some of it is not here any more.
    """

    isFiled = False
    isRead = False
    isLost = False

    def __init__(self, announced: int | None) -> None:
        self.announced = announced
        self.octets = b""
        self.complete = announced == 0
        self.broken = False

    @property
    def length(self) -> int | None:
        """How long all of it is; None if nobody knows yet."""
        return len(self.octets) if self.complete else self.announced

    @property
    def source(self) -> Content:
        """What arrives of it."""
        return self

    def isOf(self, content: Content) -> bool:
        """Whether it grows with another one."""
        return self is content


class Response(NamedTuple):
    """What an origin answers: the head, and what comes after it."""

    status: int
    fields: Pairs
    content: Content


class Forward(NamedTuple):
    """The origin is asked."""

    client: int
    method: str
    target: str
    fields: Pairs


class Answer(NamedTuple):
    """
    A client gets something.

    @ivar fields: without those that frame the content.
    @ivar content: None for none at all, C{Content-Length: 0}.
    @ivar stop: the octet after the last one; None for all.
    @ivar length: what is said of the length; None for chunks, negative for nothing.
    @ivar ours: it is an error of our own, whose other fields are no matter of caching.
    @ivar parts: those of a C{multipart/byteranges}: the fields of each, its first octet, and
        the one after its last.
    """

    client: int
    status: int
    fields: Pairs
    content: Content | None
    start: int
    stop: int | None
    length: int | None
    ours: bool = False
    parts: tuple[tuple[Pairs, int, int], ...] = ()


class Facts(NamedTuple):
    """
    What a response says about caching, well-formed.

    @ivar fields: for L{rfc9111}.
    @ivar unstored: names that C{private} and C{no-cache} keep from being stored.
    @ivar states: it says for how long it is fresh.
    """

    fields: dict[str, str]
    unstored: set[str]
    states: bool

    @classmethod
    def of(cls, fields: Pairs, route: Route) -> Facts:
        """RFC 9213 §2.2, RFC 9111 §5.2, and what the operator ignores of it."""
        cookies = combined(fields, "set-cookie") is not None
        fields = without(fields, *route.ignored)
        expires = combined(fields, "expires")
        control = None
        for name in route.targeted:
            targeted = combined(fields, name.lower())
            control = None if targeted is None else dictionary(targeted) or None
            if control is not None:
                expires = None
                break
        else:
            control = directives(combined(fields, "cache-control"))
        unstored: set[str] = set()
        elements = []
        for name, argument in control.items():
            if name in ("private", "no-cache") and argument is not None and names(argument):
                unstored |= names(argument)
            elif argument is None or name not in DELTAS:
                elements.append(name)
            else:
                elements.append(f"{name}={argument if isDelta(argument) else 'unreadable'}")
        if cookies and "set-cookie" in route.ignored and "private" not in elements:
            unstored.add("set-cookie")
        states = expires is not None or bool({"max-age", "s-maxage"} & set(control))
        found = {"cache-control": ", ".join(elements)}
        if expires is not None:
            found["expires"] = "unreadable" if moment(expires) is None else expires
        for name, value in (
            ("expires", expires),
            ("date", combined(fields, "date")),
            ("last-modified", combined(fields, "last-modified")),
        ):
            seconds = moment(value)
            if seconds is not None:
                found[name] = written(seconds)
        age = (combined(fields, "age") or "").partition(",")[0].strip(" \t")
        if isDelta(age):
            found["age"] = age
        return cls(found, unstored, states)


def demandOf(request: Pairs, *, modest: bool = False) -> dict[str, str]:
    """
    RFC 9111 §5.2.1 and §5.4: the request as L{rfc9111} takes it.

    @param modest: it can't have anything fresher than what is fresh.
    """
    control = combined(request, "cache-control")
    if control is None:
        if modest:
            return {"cache-control": ""}
        pragma = directives(combined(request, "pragma"))
        return {"cache-control": "no-cache" if "no-cache" in pragma else ""}
    found = []
    for name, argument in directives(control).items():
        if modest and name in ("no-cache", "max-age", "min-fresh"):
            continue
        if name in ("no-cache", "no-store", "only-if-cached"):
            found.append(name)
        elif argument is None:
            found.append(f"{name}=unreadable" if name != "max-stale" else name)
        else:
            found.append(f"{name}={argument if isDelta(argument) else 'unreadable'}")
    return {"cache-control": ", ".join(found)}


def saying(said: rfc9111.Exchange, control: dict[str, str | None]) -> rfc9111.Exchange:
    """The same with another C{Cache-Control}."""
    elements = [
        name if argument is None else f"{name}={argument}" for name, argument in control.items()
    ]
    return said._replace(response=said.response | {"cache-control": ", ".join(elements)})


class Stored:
    """
    One stored response.

    @ivar fields: as clients get them.
    @ivar said: what they say, with the C{Age} that it came with.
    @ivar selected: what the request had in the fields of C{vary}.
    @ivar timed: the operator says for how long it is fresh.
    @ivar isKept: it is behind the memory, too, if there is anything.
    @ivar isGone: it is only there.
    @ivar isLoaded: its content is in memory.
    @ivar isUnwritten: it gets there when it is used twice, or leaves memory, and not before.
    @ivar isSpilt: it is the disk's alone now, and nobody has the file open.
    @ivar place: where it is among those behind the memory: the lowest is the oldest.
    @ivar uses: how many requests it answered.
    @ivar filling: for whom its content came.
    @ivar passing: an error that only the operator wants to be stored.
    @ivar purged: when it was made stale; None if it was not.
    """

    def __init__(
        self,
        status: int,
        fields: Pairs,
        content: Content,
        selector: Pairs,
        requested: float,
        received: float,
        route: Route,
    ) -> None:
        self.route = route
        self.status = status
        facts = Facts.of(fields, route)
        # What is said of a 200 holds for parts of it.
        like = 200 if status == 206 else status
        self.said = rfc9111.Exchange("GET", {}, like, facts.fields, requested, received)
        self.passing = False
        self.timed = False
        seconds = route.forcedFor(status)
        if seconds is None and not facts.states:
            seconds = route.lifetimeOf(status)
            # Nobody wants to have an error for longer than that.
            self.passing = seconds is not None and status in ERRORS
        if seconds is not None:
            self._last(seconds)
        self.fields = without(fields, "age", *facts.unstored)
        self.content = content
        self.vary = () if "vary" in route.ignored else varies(fields) or ()
        self.selected = selecting(self.vary, selector)
        self.received = received
        self.purged: float | None = None
        self.isKept = False
        self.isUnwritten = False
        self.isSpilt = False
        self.place = 0
        self.uses = 0
        self.filling: Visit | None = None
        self.isGone = False
        self.isLoaded = True
        self.keys = {
            tag
            for name in ("surrogate-key", "cache-tag")
            for tag in (combined(fields, name) or "").replace(",", " ").split()
        }

    def copy(self) -> Stored:
        """The same, but that nobody has used it."""
        copy = Stored.__new__(Stored)
        copy.__dict__.update(self.__dict__)
        copy.uses = 0
        return copy

    def _last(self, seconds: int) -> None:
        """Make it fresh for so long from its arrival, however old it came."""
        self.timed = True
        control = rfc9111.directives(self.said.response)
        lifetime = int(rfc9111.age(self.said, self.said.received)) + seconds
        control["s-maxage" if "s-maxage" in control else "max-age"] = str(lifetime)
        if self.passing:
            for name in ("stale-while-revalidate", "stale-if-error"):
                control.pop(name, None)
        self.said = saying(self.said, control)

    @property
    def validators(self) -> Validators:
        """RFC 9110 §8.8."""
        return Validators.of(self.fields, self.received)

    def effective(self) -> rfc9111.Exchange:
        """What it says, or would say if it knew of the operator's grace and of its purge."""
        said = self.said
        control = rfc9111.directives(said.response)
        own = rfc9111.delta(control.get("stale-while-revalidate")) or 0.0
        if self.route.use > own and not self.passing:
            control["stale-while-revalidate"] = str(int(self.route.use))
        if self.purged is not None:
            until = int(rfc9111.age(said, self.purged))
            if rfc9111.lifetime(said) > until:
                control["s-maxage" if "s-maxage" in control else "max-age"] = str(until)
        return saying(said, control)

    @property
    def expires(self) -> float:
        """RFC 9111 §4.2: when it is not fresh any more."""
        said = self.effective()
        if "no-cache" in rfc9111.directives(said.response):
            return -math.inf
        return self.received + rfc9111.lifetime(said) - rfc9111.age(said, self.received)

    @property
    def isImmutable(self) -> bool:
        """RFC 8246."""
        return "immutable" in rfc9111.directives(self.said.response)

    def age(self, now: float) -> int:
        """RFC 9111 §5.1."""
        return int(min(max(rfc9111.age(self.said, now), 0.0), LIMIT))

    def ttl(self, now: float) -> int:
        """RFC 9211 §2.4."""
        first = min(rfc9111.age(self.said, self.said.received), LIMIT)
        lifetime = rfc9111.lifetime(self.said)
        if self.purged is not None and "no-cache" not in rfc9111.directives(self.said.response):
            lifetime = min(lifetime, rfc9111.age(self.said, self.purged))
        return math.floor(min(lifetime, LIMIT) - first - (now - self.said.received))

    def isFresh(self, now: float) -> bool:
        """RFC 9111 §4.2, and nothing that has to be validated each time."""
        said = self.effective()
        control = rfc9111.directives(said.response)
        return "no-cache" not in control and rfc9111.lifetime(said) > rfc9111.age(said, now)

    def judge(self, demand: dict[str, str], now: float) -> str:
        """RFC 9111 §4: C{use}, C{while} it is validated, or not: C{stale} or C{request}."""
        said = self.effective()
        if rfc9111.mayReuse(said, demand, now):
            control = rfc9111.directives(said.response)
            control.pop("stale-while-revalidate", None)
            patient = saying(said, control)
            return "use" if rfc9111.mayReuse(patient, demand, now) else "while"
        return "request" if self.isFresh(now) else "stale"

    def mayStandIn(self, demand: dict[str, str], now: float) -> bool:
        """RFC 5861 §4."""
        lost = self.content.broken or self.content.isLost
        return not lost and rfc9111.mayReplaceError(
            self.effective(), demand, now, 0.0 if self.passing else self.route.error
        )

    def isWorthKeeping(self, now: float) -> bool:
        """Whether it is for longer than some seconds, or can be validated then."""
        return self.isFresh(now + 9.999) or any(
            combined(self.fields, name) is not None for name in ("etag", "last-modified")
        )

    def language(self) -> str | None:
        """The one that it is in, where nothing else selects it (RFC 9111 §4.1)."""
        value = combined(self.fields, "content-language")
        return (
            value.lower()
            if value and isToken(value) and self.vary == ("accept-language",)
            else None
        )
