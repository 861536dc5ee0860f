# -*- test-case-name: tests.policy.test_cacheanswers -*-
"""
Which of the responses stored under one key fits a request (RFC 9111 §4.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.conditional import isEntityTag, isStrong
from ..wire.variants import contentLanguage, preferredLanguage, secondaryKey
from .answers import PARTIAL_CONTENT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..wire.fields import Fields
    from .entries import Entry
    from .heads import Heads


def select(entries: tuple[Entry, ...], request: Fields, heads: Heads) -> Entry | None:
    """
    Choose the most recent response that fits a request.

    If none does exactly, one in the language that the client prefers to all others
    does.

    @param entries: of one shelf, one at least.
    """
    first = entries[0]
    # The usual case.  Beside others that fit, it may be the older one by its date.
    if len(entries) == 1 and not first.vary and not first.variant:
        return first
    vary: tuple[bytes, ...] | None = None
    secondary = b""
    fitting = []
    for entry in entries:
        if entry.vary != vary:
            vary = entry.vary
            secondary = secondaryKey(vary, request)
        if entry.variant == secondary:
            fitting.append(entry)
    if not fitting and b"accept-language" in request.index:
        language = preferredLanguage(request)
        if language is not None:
            fitting = [
                entry
                for entry in entries
                if contentLanguage(entry.vary, heads.fieldsOf(entry)) == language
            ]
    return _latest(fitting)


def tagged(entries: tuple[Entry, ...], request: Fields, heads: Heads) -> tuple[Entry, ...]:
    """
    List responses to other requests that may be what a request would get.

    Those with strong entity-tags: what is only alike may be another coding.  There are
    origins that give a strong one to all codings, so what has a coding that the
    client does not name is not among them.
    """
    found = []
    accepted = (request.get(b"accept-encoding") or b"").lower()
    for entry in entries:
        fields = heads.fieldsOf(entry)
        tag = fields.get(b"etag")
        coding = fields.get(b"content-encoding")
        if (
            tag is not None
            and isEntityTag(tag)
            and isStrong(tag)
            and (coding is None or coding.lower() in accepted)
            and entry.status == 200
            and entry.body.complete
            # It may be on disk alone, and be the wrong one: nobody waits for that.
            and entry.body.isWhole
        ):
            found.append(entry)
    return tuple(found)


def candidates(
    entries: tuple[Entry, ...], first: Entry, request: Fields, heads: Heads
) -> tuple[Entry, ...]:
    """
    List what a validation may find to be current.

    @param first: the one that fits; a part answers nothing but what it was chosen for.
    """
    if first.status == PARTIAL_CONTENT or len(entries) == 1:
        return (first,)
    return (first, *[each for each in tagged(entries, request, heads) if each is not first])


def _latest(entries: Iterable[Entry]) -> Entry | None:
    """Choose by C{Date}; of two with the same, the one that was stored last."""
    best: Entry | None = None
    for entry in entries:
        if best is None or entry.verdict.freshness.date > best.verdict.freshness.date:
            best = entry
    return best
