# -*- test-case-name: tests.wire.test_targeted -*-
"""
Targeted cache control (RFC 9213): which fields decide how a response is cached.

C{CDN-Cache-Control} and its like are Dictionaries of RFC 9651, read here by a
strict parser of that one type: a library makes objects of values that are looked
at once, and raises where the rule is to ignore the field.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .directives import Directives, parseDirectives

if TYPE_CHECKING:
    from .fields import Fields

_KEY: Final = rb"[a-z*][a-z0-9_\-.*]*+"
_STRING: Final = rb'"(?:[ !#-\[\]-~]|\\["\\])*+"'
_TOKEN: Final = rb"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*+"
# Whole groups of base64, and what padding may complete.
_BYTES: Final = rb":(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2,3}+)?+={0,2}+:"
_REST: Final = rb"%[89ab][0-9a-f]"
# A Display String: ASCII, and UTF-8 in percent-encoding.
_DISPLAY: Final = (
    rb'%"(?:[ !#$&-~]|%[0-7][0-9a-f]|%(?:c[2-9a-f]|d[0-9a-f])'
    + _REST
    + rb"|%(?:e0%[ab][0-9a-f]|e[1-9a-cef]"
    + _REST
    + rb"|ed%[89][0-9a-f])"
    + _REST
    + rb"|%(?:f0%[9ab][0-9a-f]|f[1-3]"
    + _REST
    + rb"|f4%8[0-9a-f])"
    + _REST
    + _REST
    + rb')*+"'
)
_BARE: Final = (
    rb"(?:-?[0-9]{1,12}\.[0-9]{1,3}|-?[0-9]{1,15}(?![0-9.])|@-?[0-9]{1,15}(?![0-9.])|\?[01]|"
    + b"|".join((_STRING, _TOKEN, _BYTES, _DISPLAY))
    + rb")"
)
_PARAMETERS: Final = rb"(?:; *+" + _KEY + rb"(?:=" + _BARE + rb")?+)*+"
_INNER: Final = (
    rb"\( *+(?:" + _BARE + _PARAMETERS + rb"(?: ++" + _BARE + _PARAMETERS + rb")*+ *+)?+\)"
)
_MEMBER: Final = re.compile(
    rb"(" + _KEY + rb")(?:=(?:(" + _BARE + rb")|(" + _INNER + rb")))?+" + _PARAMETERS
)
_COMMA: Final = re.compile(rb"[ \t]*+,[ \t]*+")
_QUOTED_PAIR: Final = re.compile(rb"\\(.)")
_INTEGER: Final = re.compile(rb"-?[0-9]{1,15}")

# Directives whose value has to be an Integer.
_NUMERIC: Final = frozenset({b"max-age", b"s-maxage", b"stale-if-error", b"stale-while-revalidate"})
_NOTHING: Final[Directives] = {}


def parseDictionary(value: bytes) -> Directives | None:
    """
    Read a targeted field: a Dictionary whose members are cache directives.

    Parameters are ignored.  C{?1} is a directive without argument, and C{?0} is
    none.  The last of two members of a name counts (RFC 9651 §4.2.2).

    @return: None if it is empty, if parsing fails, or if a directive that takes
        seconds has anything but an Integer: the field is as if absent then.
    """
    text = value.lstrip(b" ").rstrip(b" \t")
    found: Directives = {}
    position = 0
    end = len(text)
    while position < end:
        match = _MEMBER.match(text, position)
        if match is None:
            return None
        name, argument, inner = match.groups()
        if name in _NUMERIC and (argument is None or _INTEGER.fullmatch(argument) is None):
            return None
        found.pop(name, None)
        if argument is None and inner is None:
            found[name] = None
        elif argument != b"?0":
            found[name] = _argument(argument)
        position = match.end()
        if position == end:
            break
        comma = _COMMA.match(text, position)
        if comma is None or comma.end() == end:
            return None
        position = comma.end()
    return found or None


def _argument(value: bytes | None) -> bytes | None:
    if value is None or value == b"?1":
        return None
    if value.startswith(b'"'):
        return _QUOTED_PAIR.sub(rb"\1", value[1:-1])
    return value


class CacheControl:
    """
    What a response says about its caching, after the choice of its field.

    @ivar directives: of the field that decides; not to be changed.
    @ivar expires: the value of C{Expires}; None without, or where it is ignored.
    @ivar source: the name of the targeted field that decides, in lower case;
        None for C{Cache-Control}.
    """

    __slots__ = ("directives", "expires", "source")

    def __init__(
        self, directives: Directives, expires: bytes | None = None, source: bytes | None = None
    ) -> None:
        self.directives = directives
        self.expires = expires
        self.source = source


def chooseControl(fields: Fields, targeted: tuple[bytes, ...]) -> CacheControl:
    """
    Choose the field that decides how a response is cached (RFC 9213 §2.2).

    The first of the list that is there and valid replaces C{Cache-Control} and
    C{Expires}.

    @param targeted: lower-case names, the most specific first.
    """
    index = fields.index
    for name in targeted:
        # None is there, mostly, which this way costs half.
        if name in index:
            directives = parseDictionary(index[name])
            if directives is not None:
                return CacheControl(directives, None, name)
    control = index.get(b"cache-control")
    return CacheControl(
        parseDirectives(control) if control is not None else _NOTHING, index.get(b"expires")
    )
