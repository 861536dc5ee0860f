# -*- test-case-name: tests.wire.test_directives -*-
"""
Cache directives: the members of C{Cache-Control} (RFC 9111 §5.2).

A mapping of lower-case names to arguments, where what can't be right is read as
the more restrictive of what it may mean: a cache that misreads a restriction
gives one user's answer to another, one that misreads a permission only asks the
origin again.
"""

from __future__ import annotations

import re
from typing import Final

from .fields import TCHAR

#: Names in lower case to arguments; None without one.  Quotes are removed.
Directives = dict[bytes, bytes | None]

#: The largest number of seconds (RFC 9111 §1.2.2): more is the same as this.
DELTA_LIMIT: Final = 2**31

_ELEMENT: Final = re.compile(
    rb"[ \t,]*+(" + TCHAR + rb"++)"
    rb"(?:=(?:(" + TCHAR + rb'++)|"((?:[^"\\]|\\.)*+)"))?+[ \t]*+(?:,|\Z)',
    re.DOTALL,
)
# What is no element: up to the next comma, with the name it begins with.
_GARBAGE: Final = re.compile(rb"[ \t,]*+(" + TCHAR + rb"*+)[^,]*+(?:,|\Z)")
_QUOTED_PAIR: Final = re.compile(rb"\\(.)", re.DOTALL)
_NAME: Final = re.compile(TCHAR + rb"++")
_DIGITS: Final = re.compile(rb"[0-9]++")

# What forbids or limits counts even where its argument makes no sense.
_RESTRICTIVE: Final = frozenset(
    {
        b"max-age",
        b"min-fresh",
        b"must-revalidate",
        b"no-cache",
        b"no-store",
        b"only-if-cached",
        b"private",
        b"proxy-revalidate",
        b"s-maxage",
    }
)
_SECONDS: Final = frozenset(
    {b"max-age", b"s-maxage", b"max-stale", b"stale-if-error", b"stale-while-revalidate"}
)
_FIELD_NAMES: Final = frozenset({b"no-cache", b"private"})

_MEMO_ENTRIES: Final = 512
_MEMO_OCTETS: Final = 256

# Not state: what it forgets is computed again.
_memo: Final[dict[bytes, Directives]] = {}


def parseDirectives(value: bytes) -> Directives:
    """
    Read a field value like that of C{Cache-Control}.

    Empty elements are skipped, and so is what is no directive.  But a name that
    restricts counts whatever follows it: C{no-store =1} is C{no-store}, and
    C{max-age= 5} is a C{max-age} that can't be read.

    A directive that occurs more than once has the more restrictive of its
    arguments, which is never more than its first occurrence would allow
    (RFC 9111 §4.2.1).

    @return: shared between callers; not to be changed.
    """
    found = _memo.get(value)
    if found is not None:
        return found
    found = _parse(value)
    if len(value) <= _MEMO_OCTETS:
        if len(_memo) >= _MEMO_ENTRIES:
            _memo.clear()
        _memo[value] = found
    return found


def _parse(value: bytes) -> Directives:
    found: Directives = {}
    # The arguments that are joined, at the end, as there may be thousands.
    joined: dict[bytes, list[bytes]] = {}
    position = 0
    end = len(value)
    while position < end:
        match = _ELEMENT.match(value, position)
        if match is not None:
            name = match.group(1).lower()
            argument: bytes | None = match.group(2)
            if argument is None:
                argument = match.group(3)
                if argument is not None and b"\\" in argument:
                    argument = _QUOTED_PAIR.sub(rb"\1", argument)
        else:
            match = _GARBAGE.match(value, position)
            assert match is not None
            name = match.group(1).lower()
            argument = b"" if name not in _FIELD_NAMES else None
            if name not in _RESTRICTIVE:
                name = b""
        position = match.end()
        if name:
            if argument is not None and name in _FIELD_NAMES:
                joined.setdefault(name, []).append(argument)
                if name in found:
                    continue
            elif name in found:
                argument = _stricter(name, found[name], argument)
            found[name] = argument
    for name, arguments in joined.items():
        if found[name] is not None:
            found[name] = b",".join(arguments)
    return found


def _stricter(name: bytes, one: bytes | None, other: bytes | None) -> bytes | None:
    """Choose between the arguments of two directives of the same name."""
    if name in _SECONDS:
        if name == b"max-stale":
            # Without an argument it is any staleness.
            if one is None or other is None:
                return one if other is None else other
        first = parseSeconds(one)
        second = parseSeconds(other)
        if first is None or second is None:
            return b""
        return one if first <= second else other
    if name == b"min-fresh":
        first = parseSeconds(one)
        second = parseSeconds(other)
        if first is None or second is None:
            return b""
        return one if first >= second else other
    # Without field names it means all of the response.
    return None if name in _FIELD_NAMES else one


def parseSeconds(argument: bytes | None) -> int | None:
    """
    Read delta-seconds (RFC 9111 §1.2.2), at most L{DELTA_LIMIT}.

    @return: None for a sign, a fraction, no digits at all: whoever asks has to
        take the response for stale then (RFC 9111 §4.2.1).
    """
    if argument is None or _DIGITS.fullmatch(argument) is None:
        return None
    if len(argument) > 10:
        argument = argument.lstrip(b"0")
        if len(argument) > 10:
            # Python refuses to convert thousands of digits.
            return DELTA_LIMIT
        if not argument:
            return 0
    return min(int(argument), DELTA_LIMIT)


def fieldNames(argument: bytes) -> frozenset[bytes]:
    """
    Read the argument of C{private} or C{no-cache}: field names, in lower case.

    @return: empty if there are none, or if any is not a field name; then the
        directive is as one without an argument.
    """
    names = set()
    for element in argument.split(b","):
        name = element.strip(b" \t")
        if name:
            if _NAME.fullmatch(name) is None:
                return frozenset()
            names.add(name.lower())
    return frozenset(names)
