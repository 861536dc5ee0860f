# -*- test-case-name: tests.wire.test_variants -*-
"""
Variants: which of the responses stored under one key fits a request (RFC 9111 §4.1).

A response that varies has a secondary key: what the request that it answered
said in the fields that C{Vary} names, brought into one form where two forms are
known to mean the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .fields import TCHAR
from .forwarding import nominated

if TYPE_CHECKING:
    from .fields import Fields

_NAME: Final = re.compile(TCHAR + rb"++")

#: Fields whose members are choices with weights: their order means nothing, nor
#: does their case (RFC 9110 §12.5.2 to §12.5.4).
_PREFERENCES: Final = frozenset({b"accept-charset", b"accept-encoding", b"accept-language"})

#: Fields that are no lists: a comma in them has no white space to spare.
_SINGLE: Final = frozenset(
    {
        b"authorization",
        b"cookie",
        b"from",
        b"host",
        b"if-modified-since",
        b"if-unmodified-since",
        b"origin",
        b"referer",
        b"user-agent",
    }
)

# A quoted string, which may lack its end, a comma, or what is neither.  Each octet
# is looked at once, whatever the value.
_PIECE: Final = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|,|[^",]++', re.DOTALL)
_PREFERENCE: Final = re.compile(
    rb"[ \t]*+("
    + TCHAR
    + rb"++)(?:[ \t]*+;[ \t]*+q=(0(?:\.[0-9]{0,3}+)?+|1(?:\.0{0,3}+)?+))?+[ \t]*+",
    re.IGNORECASE,
)
_ALIASES: Final = {b"x-gzip": b"gzip", b"x-compress": b"compress"}

#: Values that are longer are left as they are: whoever sends such a thing must not
#: have us sort it.
_NORMAL_OCTETS: Final = 4096
#: A response that varies by more fields than this is as one that varies by
#: everything: each request would have to be compared with it in all of them.
VARY_LIMIT: Final = 32
_MEMO_ENTRIES: Final = 512
_MEMO_OCTETS: Final = 256
# Not state: what these forget is computed again.
_varies: dict[bytes, tuple[bytes, ...] | None] = {}
_pieces: dict[tuple[bytes, bytes], bytes] = {}

_NOTHING: Final[tuple[bytes, ...]] = ()


def parseVary(value: bytes | None) -> tuple[bytes, ...] | None:
    """
    Read C{Vary}.

    @param value: None without one.
    @return: the names in lower case, sorted, each once; None when it has a C{*},
        what is no field name, or more than L{VARY_LIMIT}: then no request fits.
    """
    if value is None:
        return _NOTHING
    if value in _varies:
        return _varies[value]
    names: tuple[bytes, ...] | None = None
    found = {element.strip(b" \t").lower() for element in value.split(b",")} - {b""}
    if len(found) <= VARY_LIMIT and b"*" not in found and all(map(_NAME.fullmatch, found)):
        names = tuple(sorted(found))
    if len(value) <= _MEMO_OCTETS:
        if len(_varies) >= _MEMO_ENTRIES:
            _varies.clear()
        _varies[value] = names
    return names


def secondaryKey(names: tuple[bytes, ...], request: Fields) -> bytes:
    """
    Make the secondary key of a request.

    A field that is absent differs from one that is empty.  What C{Connection} names
    is absent, as it is for the origin.

    @param names: as of L{parseVary}.
    @return: equal for two requests iff both select the same variant.
    """
    if not names:
        return b""
    index = request.index
    if b"connection" in index:
        hidden = nominated(request)
        if hidden:
            # The origin did not see them, so they selected nothing.
            return b"\n".join(
                [_piece(name, None if name in hidden else index.get(name)) for name in names]
            )
    if len(names) == 1:
        name = names[0]
        return _piece(name, index.get(name))
    # No field value has a line feed.
    return b"\n".join([_piece(name, index.get(name)) for name in names])


def _piece(name: bytes, value: bytes | None) -> bytes:
    """Give the part of a secondary key that is due to one field."""
    if value is None:
        return name
    key = (name, value)
    piece = _pieces.get(key)
    if piece is None:
        piece = b"%b:%b" % (name, normalise(name, value))
        if len(value) <= _MEMO_OCTETS:
            if len(_pieces) >= _MEMO_ENTRIES:
                _pieces.clear()
            _pieces[key] = piece
    return piece


def normalise(name: bytes, value: bytes) -> bytes:
    """
    Bring a field value into one form of all that mean the same.

    White space and empty elements around commas go, outside of quoted strings.
    Members of C{Accept-Encoding}, C{Accept-Language} and C{Accept-Charset} are
    sorted by weight and name, in lower case.

    @param name: in lower case.
    @param value: of all its lines, combined.
    """
    if name in _SINGLE or len(value) > _NORMAL_OCTETS:
        return value
    normal = _sortPreferences(value) if name in _PREFERENCES else None
    return b",".join(_elements(value)) if normal is None else normal


def _elements(value: bytes) -> list[bytes]:
    """Split a list whose elements may have commas in quotes (RFC 9110 §5.6.1)."""
    if b'"' not in value:
        elements = value.split(b",")
    else:
        elements = [b""]
        pieces: list[bytes] = []
        for piece in _PIECE.findall(value):
            if piece == b",":
                elements.append(b"".join(pieces))
                pieces = []
            else:
                pieces.append(piece)
        elements.append(b"".join(pieces))
    stripped = [element.strip(b" \t") for element in elements]
    return [element for element in stripped if element]


def _sortPreferences(value: bytes) -> bytes | None:
    """
    Sort what a client prefers.

    @return: None if any member is none of a name and a weight.
    """
    found: list[tuple[int, bytes]] = []
    for element in value.split(b","):
        if not element.strip(b" \t"):
            continue
        match = _PREFERENCE.fullmatch(element)
        if match is None:
            return None
        name = match.group(1).lower()
        found.append((-_weight(match.group(2)), _ALIASES.get(name, name)))
    return b",".join(
        [
            name if weight == -1000 else b"%b;q=%d" % (name, -weight)
            for weight, name in sorted(set(found))
        ]
    )


def _weight(value: bytes | None) -> int:
    """Give thousandths (RFC 9110 §12.4.2)."""
    if value is None or value.startswith(b"1"):
        return 1000
    return int((value[2:] + b"000")[:3])


def preferredLanguage(request: Fields) -> bytes | None:
    """
    Give the language that a client prefers to all others, in lower case.

    @return: None if several have the highest weight, or if any is accepted.
    """
    value = request.get(b"accept-language")
    if value is None or len(value) > _NORMAL_OCTETS:
        return None
    normal = _sortPreferences(value)
    if not normal:
        return None
    first, _, rest = normal.partition(b",")
    name, _, weight = first.partition(b";q=")
    if name == b"*" or weight == b"0":
        return None
    second = rest.partition(b",")[0]
    return name if not second or second.partition(b";q=")[2] != weight else None


def contentLanguage(names: tuple[bytes, ...], response: Fields) -> bytes | None:
    """
    Give the one language that a response is in, in lower case.

    @param names: by which it varies, as of L{parseVary}.
    @return: None if there are several, or if more than the language selects it.
    """
    if names != (b"accept-language",):
        return None
    value = response.get(b"content-language")
    if value is None or _NAME.fullmatch(value) is None:
        return None
    return value.lower()
