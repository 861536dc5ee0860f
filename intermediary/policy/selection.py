# -*- test-case-name: tests.policy.test_cache -*-
"""
Which of the responses stored under one key fits a request (RFC 9111 §4.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.variants import contentLanguage, preferredLanguage, secondaryKey

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
    if not first.vary and not first.variant:
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


def _latest(entries: Iterable[Entry]) -> Entry | None:
    """Choose by C{Date}; of two with the same, the one that was stored last."""
    best: Entry | None = None
    for entry in entries:
        if best is None or entry.verdict.freshness.date > best.verdict.freshness.date:
            best = entry
    return best
