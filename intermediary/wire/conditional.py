# -*- test-case-name: tests.wire.test_conditional -*-
"""
Preconditions and validators, as a cache sees them (RFC 9110 §8.8, §13; RFC 9111 §4.3).

C{If-Match} and C{If-Unmodified-Since} are not evaluated here: a cache is not
the one that may decide them, and passes a request with either on
(RFC 9110 §13.1.1, §13.1.4).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .dates import parseDate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .fields import Fields

#: The octets of an opaque tag, quotes included (RFC 9110 §8.8.3).
_OPAQUE: Final = rb'"[!\x23-\x7e\x80-\xff]*+"'
_TAG: Final = re.compile(rb"(W/)?+(" + _OPAQUE + rb")")
_LIST: Final = re.compile(
    rb"[ \t,]*+(?:(?:W/)?+"
    + _OPAQUE
    + rb"[ \t]*+(?:,[ \t,]*+(?:W/)?+"
    + _OPAQUE
    + rb"[ \t]*+)*+)?+"
    rb"(?:,[ \t,]*+)?+"
)

#: What of a client's request is replaced where we ask on our own behalf.
PRECONDITIONS: Final = frozenset(
    {b"if-match", b"if-modified-since", b"if-none-match", b"if-range", b"if-unmodified-since"}
)

#: Entity-tags in one request for validation; the most recent are the likeliest.
_TAGS_LIMIT: Final = 32
#: And octets of them behind the first.  Many servers refuse a head of 8 KiB, and would
#: do so each time.
_TAGS_OCTETS: Final = 2048


def isEntityTag(value: bytes) -> bool:
    """Tell whether it is one entity-tag, weak or strong."""
    return _TAG.fullmatch(value) is not None


def isStrong(tag: bytes) -> bool:
    """Tell whether an entity-tag is strong."""
    return not tag.startswith(b"W/")


def weaklyEqual(one: bytes, other: bytes) -> bool:
    """Compare two entity-tags, whether weak or not (RFC 9110 §8.8.3.2)."""
    return one.removeprefix(b"W/") == other.removeprefix(b"W/")


def stronglyEqual(one: bytes, other: bytes) -> bool:
    """Compare two entity-tags of which none may be weak (RFC 9110 §8.8.3.2)."""
    return one == other and isStrong(one)


def parseTags(value: bytes) -> list[bytes] | None:
    """
    Read a list of entity-tags.

    @return: None for C{*}; empty if the value is not a list of entity-tags, as
        what can't be understood matches nothing.
    """
    if value == b"*":
        return None
    if _LIST.fullmatch(value) is None:
        return []
    return [match.group() for match in _TAG.finditer(value)]


class Validators:
    """
    What tells one state of a representation from others (RFC 9110 §8.8).

    @ivar tag: the C{ETag}; None without one, or if it is none.
    @ivar modified: the C{Last-Modified}, in seconds since the epoch.
    @ivar modifiedValue: the same as it was received, to be sent back.
    @ivar date: the C{Date}, or when the response was received.
    """

    __slots__ = ("date", "modified", "modifiedValue", "tag")

    def __init__(
        self,
        tag: bytes | None = None,
        modified: int | None = None,
        modifiedValue: bytes | None = None,
        date: float = 0.0,
    ) -> None:
        self.tag = tag
        self.modified = modified
        self.modifiedValue = modifiedValue
        self.date = date

    @property
    def tagAlone(self) -> Validators:
        """The same without a date, which is no proof across variants."""
        return Validators(self.tag, None, None, self.date)

    @property
    def exist(self) -> bool:
        """There is something to validate with."""
        return self.tag is not None or self.modified is not None

    @property
    def strongDate(self) -> bool:
        """
        The C{Last-Modified} is a strong validator (RFC 9110 §8.8.2.2).

        It is if the representation can't have changed twice in that second:
        the response is from at least a second later.
        """
        return self.modified is not None and self.date - self.modified >= 1.0

    def __repr__(self) -> str:
        return f"Validators(tag={self.tag!r}, modified={self.modified!r}, date={self.date!r})"


def readValidators(fields: Fields, responseTime: float) -> Validators:
    """
    Read the validators of a response.

    @param responseTime: when it was received.
    """
    index = fields.index
    tag = index.get(b"etag")
    if tag is not None and not isEntityTag(tag):
        tag = None
    value = index.get(b"last-modified")
    modified = parseDate(value, responseTime) if value is not None else None
    dateValue = index.get(b"date")
    stated = parseDate(dateValue, responseTime) if dateValue is not None else None
    return Validators(
        tag,
        modified,
        value if modified is not None else None,
        responseTime if stated is None else float(stated),
    )


def isConditional(request: Fields) -> bool:
    """Tell whether a request has a precondition that a cache evaluates (RFC 9111 §4.3.2)."""
    index = request.index
    return b"if-none-match" in index or b"if-modified-since" in index


def isNotModified(request: Fields, status: int, stored: Validators, now: float) -> bool:
    """
    Evaluate a client's preconditions against a stored response.

    That is C{If-None-Match}, or without it C{If-Modified-Since}, of a GET or HEAD
    (RFC 9110 §13.2.2, RFC 9111 §4.3.2).

    @param status: of the stored response: only a success is compared
        (RFC 9110 §13.2.1).
    @return: the answer is a 304.
    """
    if not 200 <= status < 300:
        return False
    index = request.index
    value = index.get(b"if-none-match")
    if value is not None:
        tag = stored.tag
        # The usual case first.
        if value == tag:
            return True
        tags = parseTags(value)
        if tags is None:
            return True
        return tag is not None and any(weaklyEqual(tag, one) for one in tags)
    value = index.get(b"if-modified-since")
    if value is None:
        return False
    if value == stored.modifiedValue:
        return True
    since = parseDate(value, now)
    if since is None:
        return False
    # RFC 9111 §4.3.2: in place of a missing Last-Modified the date counts.
    return (stored.date if stored.modified is None else stored.modified) <= since


#: Fields about the content, which a 304 does not have and should not describe
#: (RFC 9110 §15.4.5).
_CONTENT_FIELDS: Final = frozenset(
    {
        b"accept-ranges",
        b"content-digest",
        b"content-encoding",
        b"content-language",
        b"content-length",
        b"content-md5",
        b"content-range",
        b"content-type",
        b"repr-digest",
    }
)
_CONTENT_FIELDS_WITH_DATE: Final = _CONTENT_FIELDS | {b"last-modified"}


def notModifiedFields(stored: Fields) -> Fields:
    """
    Make the fields of a 304 from those of the stored response (RFC 9110 §15.4.5).

    All but what describes the content; C{Last-Modified} stays only where there is
    no C{ETag}.  C{Age} is the caller's to add.
    """
    return stored.without(_CONTENT_FIELDS_WITH_DATE if b"etag" in stored.index else _CONTENT_FIELDS)


def validationFields(request: Fields, stored: Sequence[Validators]) -> Fields | None:
    """
    Make the fields of the request that validates stored responses (RFC 9111 §4.3.1).

    It has the entity-tags of all of them, and those that the client sent itself
    (RFC 9111 §4.3.2), as far as there is room, and the C{Last-Modified} of the first.

    @param request: the fields of the client's request, which selects what it
        varies by.  Its preconditions are replaced; C{Range} is left to the caller.
    @param stored: of all responses that could answer the request, the one that
        should first.
    @return: None if there is nothing to validate with.
    """
    tags = _knownTags(stored)
    modified = stored[0].modifiedValue if stored else None
    if not tags and modified is None:
        return None
    own = request.get(b"if-none-match")
    if own is not None and 0 < len(tags) < _TAGS_LIMIT:
        tags += [tag for tag in parseTags(own) or [] if tag not in tags]
    fields = request.without(PRECONDITIONS)
    if tags:
        fields = fields.adding((b"If-None-Match", b", ".join(_likeliest(tags))))
    if modified is not None:
        fields = fields.adding((b"If-Modified-Since", modified))
    return fields


def _likeliest(tags: list[bytes]) -> list[bytes]:
    """Choose which entity-tags are sent: the first of them, by number and length."""
    tags = tags[:_TAGS_LIMIT]
    octets = 0
    for index, tag in enumerate(tags):
        if index:
            octets += len(tag)
            if octets > _TAGS_OCTETS:
                return tags[:index]
    return tags


def _knownTags(stored: Iterable[Validators]) -> list[bytes]:
    tags: list[bytes] = []
    for one in stored:
        if one.tag is not None and one.tag not in tags:
            tags.append(one.tag)
    return tags


def validated(stored: Sequence[Validators], new: Validators) -> list[int]:
    """
    Find which stored responses a 304 is about (RFC 9111 §4.3.4).

    @param stored: of the responses that could answer the request, latest first.
    @param new: of the 304.
    @return: indices.  None of them means that nothing stored may be updated
        or used for it: the 304 is about what the client itself has, or it is wrong.
    """
    tag = new.tag
    if tag is not None and isStrong(tag):
        return [index for index, one in enumerate(stored) if one.tag == tag]
    if tag is not None:
        for index, one in enumerate(stored):
            if one.tag is not None and weaklyEqual(one.tag, tag):
                return [index]
        return []
    if new.modified is not None:
        for index, one in enumerate(stored):
            if one.modified == new.modified:
                return [index]
        return []
    # No validator at all, as from servers that leave Last-Modified out of a 304
    # (RFC 9110 §15.4.5 wants it there only in some cases): what we asked about
    # is unchanged, and if we asked about one response, it is that one.
    return [0] if len(stored) == 1 else []


def headMatches(
    stored: Validators, storedLength: int | None, new: Validators, newLength: int | None
) -> bool:
    """
    Tell whether the answer to a HEAD is about a stored response (RFC 9111 §4.3.5).

    @param newLength: its C{Content-Length}, None without.
    @return: True to update the stored response, False to make it stale.
    """
    if new.tag is not None and new.tag != stored.tag:
        return False
    if new.modified is not None and new.modified != stored.modified:
        return False
    return newLength is None or newLength == storedLength
