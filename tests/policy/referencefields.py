# -*- test-case-name: tests.policy.test_cachesequences -*-
"""
Fields, read slowly: what L{tests.policy.referencemodel} knows of messages.

By RFC 9110 and 9111 and by what C{docs/notes/cache-rules.md} says of malformed
ones, without anything of L{intermediary}.  Fields are lists of pairs of text.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

Pairs = list[tuple[str, str]]
Directives = dict[str, str | None]

TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
#: Directives that count whatever follows them: what can't be read restricts.
RESTRICTIVE = frozenset(
    {
        "max-age",
        "min-fresh",
        "must-revalidate",
        "no-cache",
        "no-store",
        "only-if-cached",
        "private",
        "proxy-revalidate",
        "s-maxage",
    }
)
SECONDS = ("max-age", "s-maxage", "stale-while-revalidate", "stale-if-error", "max-stale")
#: RFC 9110 §5.6.7, and how long they are without the name of the day: no digit may lack.
DATE_FORMS = {
    "%a, %d %b %Y %H:%M:%S GMT": 26,
    "%A, %d-%b-%y %H:%M:%S GMT": 24,
    "%a %b %d %H:%M:%S %Y": 21,
}
IMF = next(iter(DATE_FORMS))


def combined(fields: Pairs, name: str) -> str | None:
    """RFC 9110 §5.3: all lines of a name as one value; None without any."""
    length = len(name)
    values = [value for each, value in fields if len(each) == length and each.lower() == name]
    return ", ".join(values) if values else None


def without(fields: Pairs, *names: str) -> Pairs:
    """All other fields."""
    return [pair for pair in fields if pair[0].lower() not in names]


def elements(value: str) -> list[str]:
    """RFC 9110 §5.6.1: what is between commas that are not in quotes; no empty ones."""
    found = [""]
    quoted = False
    for octet in value:
        if octet == '"':
            quoted = not quoted
        if octet == "," and not quoted:
            found.append("")
        else:
            found[-1] += octet
    return [each.strip(" \t") for each in found if each.strip(" \t")]


def isToken(text: str) -> bool:
    """RFC 9110 §5.6.2."""
    return bool(text) and set(text) <= TOKEN


def isDelta(argument: str | None) -> bool:
    """RFC 9111 §1.2.2."""
    return argument is not None and argument.isascii() and argument.isdigit()


def names(argument: str) -> set[str]:
    """RFC 9111 §5.2.2.4: the fields that are meant; empty for all of the response."""
    found = {each.lower() for each in elements(argument)}
    return found if all(isToken(each) for each in found) else set()


def directives(value: str | None) -> Directives:
    """RFC 9111 §5.2, and of what is malformed or twice there the stricter reading."""
    found: Directives = {}
    for element in elements(value or ""):
        end = 0
        while end < len(element) and element[end] in TOKEN:
            end += 1
        name, rest = element[:end].lower(), element[end:]
        argument: str | None = None
        if rest.startswith("=") and isToken(rest[1:]):
            argument = rest[1:]
        elif rest.startswith('="') and rest.endswith('"') and '"' not in rest[2:-1]:
            argument = rest[2:-1]
        elif rest:
            if name not in RESTRICTIVE:
                continue
            argument = None if name in ("private", "no-cache") else "unreadable"
        if not name:
            continue
        found[name] = stricter(name, found[name], argument) if name in found else argument
    return found


def stricter(name: str, one: str | None, other: str | None) -> str | None:
    """Of two arguments the one that allows less."""
    if name == "max-stale" and (one is None or other is None):
        return other if one is None else one
    if name in SECONDS or name == "min-fresh":
        if not (isDelta(one) and isDelta(other)):
            return "unreadable"
        choose = max if name == "min-fresh" else min
        return choose(str(one), str(other), key=int)
    if name in ("no-cache", "private"):
        return None if one is None or other is None else f"{one},{other}"
    return one


def dictionary(value: str) -> Directives | None:
    """RFC 9213 §2.1, for members without commas in them; None if it is to be ignored."""
    found: Directives = {}
    for member in value.strip(" \t").split(","):
        name, equals, argument = member.strip(" \t").partition(";")[0].partition("=")
        if not name or not set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-.*"):
            return None
        digits = argument.removeprefix("-")
        if name in SECONDS and not (equals and digits.isdigit() and len(digits) < 16):
            return None
        if equals and not (digits.isdigit() or argument in ("?0", "?1") or argument[:1].isalpha()):
            return None
        found.pop(name, None)
        if argument != "?0":
            found[name] = argument if equals and argument != "?1" else None
    return found


# Not that anything is remembered of what was said before: it takes long to read dates.
@lru_cache(4096)
def moment(value: str | None) -> float | None:
    """RFC 9110 §5.6.7: any of the three forms, exactly."""
    if value is None:
        return None
    for form, length in DATE_FORMS.items():
        if len(value) - len(value.partition(" ")[0].rstrip(",")) != length:
            continue
        try:
            return datetime.strptime(value, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    return None


def written(seconds: float) -> str:
    """An IMF-fixdate."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime(IMF)


def isTag(value: str) -> bool:
    """RFC 9110 §8.8.3."""
    opaque = value.removeprefix("W/")
    return len(opaque) > 1 and opaque[0] == opaque[-1] == '"' and '"' not in opaque[1:-1]


def tags(value: str | None) -> list[str]:
    """The members of a list of entity-tags; none if any of them is no such thing."""
    found = elements(value or "")
    return found if all(isTag(each) for each in found) else []


def weakly(one: str, other: str) -> bool:
    """RFC 9110 §8.8.3.2."""
    return one.removeprefix("W/") == other.removeprefix("W/")


class Validators(NamedTuple):
    """RFC 9110 §8.8: what there is to validate with."""

    tag: str | None
    modified: float | None
    modifiedValue: str | None
    date: float

    @classmethod
    def of(cls, fields: Pairs, received: float) -> Validators:
        """Those of a response."""
        tag = combined(fields, "etag")
        value = combined(fields, "last-modified")
        modified = moment(value)
        date = moment(combined(fields, "date"))
        return cls(
            tag if tag is not None and isTag(tag) else None,
            modified,
            value if modified is not None else None,
            received if date is None else date,
        )

    @property
    def strongTag(self) -> str | None:
        """The entity-tag, if it is a strong one."""
        return None if self.tag is None or self.tag.startswith("W/") else self.tag


def notModified(request: Pairs, status: int, stored: Validators) -> bool:
    """RFC 9110 §13.2.2 and RFC 9111 §4.3.2: the client has it already."""
    if not 200 <= status < 300:
        return False
    own = combined(request, "if-none-match")
    if own is not None:
        if own == "*":
            return True
        return stored.tag is not None and any(weakly(stored.tag, each) for each in tags(own))
    since = moment(combined(request, "if-modified-since"))
    if since is None:
        return False
    return (stored.date if stored.modified is None else stored.modified) <= since


def isConditional(request: Pairs) -> bool:
    """Whether there is a precondition that a cache evaluates."""
    return any(name.lower() in ("if-none-match", "if-modified-since") for name, _ in request)


def rangeOf(request: Pairs, stored: Validators) -> list[tuple[int | None, int | None]] | None:
    """RFC 9110 §14.2: first and last position of each; None if there is nothing to obey."""
    value = combined(request, "range")
    if value is None or not value.lower().startswith("bytes="):
        return None
    condition = combined(request, "if-range")
    if condition is not None:
        if isTag(condition):
            # §13.1.5: by the strong comparison.
            if stored.strongTag != condition:
                return None
        else:
            date = moment(condition)
            if date is None or date != stored.modified or stored.date - date < 1:
                return None
    found: list[tuple[int | None, int | None]] = []
    for each in elements(value[6:]):
        first, dash, last = each.partition("-")
        if not dash or not (first + last).isdigit():
            return None
        if first and last and int(last) < int(first):
            return None
        found.append((int(first) if first else None, int(last) if last else None))
    return found or None


#: Two ranges with no more than so many octets between them are one.
APART = 80


def spansOf(wanted: list[tuple[int | None, int | None]], length: int) -> list[tuple[int, int]]:
    """RFC 9110 §14.1.2, §15.3.7.2: what there is of them, in the order of the request."""
    spans = []
    for first, last in wanted:
        if first is None:
            assert last is not None
            if last and length:
                spans.append((max(0, length - last), length))
        elif first < length:
            spans.append((first, length if last is None else min(last + 1, length)))
    found: list[tuple[int, int]] = []
    for first, end in spans:
        near = [each for each in found if first - each[1] <= APART and each[0] - end <= APART]
        place = found.index(near[0]) if near else len(found)
        joined = [(first, end), *near]
        found.insert(place, (min(each[0] for each in joined), max(each[1] for each in joined)))
        found = [each for number, each in enumerate(found) if number == place or each not in near]
    return found


def normal(target: str) -> str:
    """RFC 3986 §6.2.2, for the targets that are used here."""
    target = target.replace("%61", "a").replace("%62", "b")
    path, mark, query = target.partition("?")
    return path.replace("/./", "/") + mark + query


def resolved(scheme: str, host: str, target: str, reference: str | None) -> str | None:
    """RFC 3986 §5: the target that is meant, as it is, if it is on the same origin; or None."""
    if reference is None:
        return None
    reference = reference.partition("#")[0]
    if "://" in reference:
        own = f"{scheme}://{host}"
        if reference.startswith(own + "/"):
            return reference[len(own) :]
        return None
    if reference.startswith("//"):
        return reference[len(host) + 2 :] if reference.startswith(f"//{host}/") else None
    if reference.startswith("/"):
        return reference
    if not reference:
        return target
    if reference.startswith("?"):
        return target.partition("?")[0] + reference
    return target.partition("?")[0].rpartition("/")[0] + "/" + reference
