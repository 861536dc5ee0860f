# -*- test-case-name: tests.wire.test_updating -*-
"""
How a newer response updates the fields of a stored one (RFC 9111 §3.2).

A 304, the answer to a HEAD and a 206 that completes what is stored do so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .dates import formatDate
from .fields import Fields
from .forwarding import stripHopByHop
from .ranges import CONTENT_DIGESTS

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

#: What no update touches, beside what is never stored.  The length is that of the
#: content we have; C{Content-Range} is about a part, and used up by whoever
#: receives it.  Digests of the content are those of what came with them: of nothing,
#: with a 304 or to a HEAD (RFC 9530 §2).  C{Content-Encoding} and C{Content-Type} are
#: no exceptions: we keep the octets as they came, so what is said of them still holds.
NOT_UPDATED: Final = CONTENT_DIGESTS | {b"content-length", b"content-range"}

# The age of what is validated is that of the validation (RFC 9111 §4.2.3).
_AGE: Final = frozenset({b"age"})


def updated(
    stored: Fields, new: Fields, responseTime: float, unstored: AbstractSet[bytes] = frozenset()
) -> Fields:
    """
    Merge the fields of a newer response into those of a stored one.

    All lines of a name are replaced by those of the newer response, where the
    first of them stood; names that it does not have keep theirs, but for C{Age};
    C{Date} becomes the time of receipt then.

    @param new: as received, C{Connection} and all.
    @param responseTime: when the newer response was received.
    @param unstored: names that directives of either response keep from being
        stored.
    """
    newer = stripHopByHop(new).without(NOT_UPDATED)
    if b"date" not in newer.index:
        newer = newer.extended(((b"Date", formatDate(responseTime)),))
    if unstored:
        newer = newer.without(unstored)
        stored = stored.without(unstored)
    index = newer.index
    replaced: set[bytes] = set()
    pairs = []
    for name, value in stored.without(_AGE):
        key = name.lower()
        if key not in index:
            pairs.append((name, value))
        elif key not in replaced:
            replaced.add(key)
            pairs += [pair for pair in newer if pair[0].lower() == key]
    pairs += [pair for pair in newer if pair[0].lower() not in replaced]
    return stored if pairs == stored.pairs else Fields(pairs)
