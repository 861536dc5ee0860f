# -*- test-case-name: tests.policy.test_cachesequences -*-
"""
What of a request selects one of several responses, read slowly.

By RFC 9111 §4.1 and RFC 9110 §12.5, for the slow cache of
L{tests.policy.referencemodel}.
"""

from __future__ import annotations

from .referencefields import Pairs, combined, elements, isToken

#: RFC 9110 §12.5: lists in which order and case mean nothing, but weights do.
PREFERENCES = ("accept-language", "accept-encoding", "accept-charset")
#: What has no white space to spare around commas.
SINGLE = ("authorization", "cookie", "user-agent")


def weight(text: str) -> float | None:
    """RFC 9110 §12.4.2; None for what is none."""
    whole, _, rest = text.partition(".")
    if whole not in ("0", "1") or len(rest) > 3 or not (rest == "" or rest.isdigit()):
        return None
    value = float(f"{whole}.{rest or 0}")
    return value if value <= 1 else None


def preferences(value: str) -> list[tuple[float, str]] | None:
    """Names by their weights, the greatest first; None where anything else is in it."""
    found = set()
    for member in elements(value):
        name, semicolon, rest = member.partition(";")
        name, quality = name.strip(" \t").lower(), 1.0
        if semicolon:
            mark, _, text = rest.strip(" \t").partition("=")
            known = weight(text) if mark.lower() == "q" else None
            if known is None:
                return None
            quality = known
        if not isToken(name):
            return None
        found.add((-quality, {"x-gzip": "gzip"}.get(name, name)))
    return [(-negative, name) for negative, name in sorted(found)]


def hidden(fields: Pairs) -> set[str]:
    """RFC 9110 §7.6.1: what the next one does not get, of what is used here."""
    return {each.lower() for each in elements(combined(fields, "connection") or "")}


def selecting(vary: tuple[str, ...], request: Pairs) -> tuple[str | None, ...]:
    """RFC 9111 §4.1: what of a request selects a response."""
    found: list[str | None] = []
    unsent = hidden(request)
    for name in vary:
        value = None if name in unsent else combined(request, name)
        if value is not None and name not in SINGLE:
            sorted_ = preferences(value) if name in PREFERENCES else None
            parts = elements(value) if sorted_ is None else [f"{n};{q}" for q, n in sorted_]
            value = ",".join(parts)
        found.append(value)
    return tuple(found)


def varies(fields: Pairs) -> tuple[str, ...] | None:
    """RFC 9110 §12.5.5: by which fields; None if no request fits."""
    found = {each.lower() for each in (combined(fields, "vary") or "").split(",")}
    found = {each.strip(" \t") for each in found} - {""}
    if "*" in found or not all(isToken(each) for each in found):
        return None
    return tuple(sorted(found))


def preferredLanguage(request: Pairs) -> str | None:
    """The one that a client likes better than all others; None if there is no such one."""
    found = preferences(combined(request, "accept-language") or "")
    if not found or found[0][1] == "*" or found[0][0] == 0:
        return None
    return found[0][1] if len(found) == 1 or found[1][0] < found[0][0] else None


def isMisspelt(names: tuple[str, ...], request: Pairs) -> bool:
    """Whether there is a field that CGI takes for one of these."""
    spelt = {name.replace("_", "-") for name in names}
    return any(
        name.lower().replace("_", "-") in spelt and name.lower() not in names for name, _ in request
    )


def isAcceptable(coding: str | None, request: Pairs) -> bool:
    """RFC 9110 §12.5.3: whether a client has named a coding; None is no coding at all."""
    accepted = combined(request, "accept-encoding") or ""
    return coding is None or coding.lower() in accepted.lower()
