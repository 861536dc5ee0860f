# -*- test-case-name: tests.wire.test_fields -*-
"""
Field sections: the lines C{Name: value} of a head or of trailers (RFC 9110 §5).

A L{Fields} never changes, so one may be remembered, shared between exchanges
and stored in a cache; what looks like a change makes another.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

#: A character class of RFC 9110 §5.6.2: C{tchar}.
TCHAR = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
#: What a field value is made of (RFC 9110 §5.5): C{obs-text} is passed on,
#: HTAB is the only control.  Positive classes are faster in C{re} than negated.
VCHAR = rb"[\t\x20-\x7e\x80-\xff]"

# A line as we write it ourselves: one space after the colon, a value, no white
# space after it.  Nearly all received sections are made of these, which take
# one pattern less.  Possessive throughout: no input makes it backtrack.
_NORMAL_LINE = TCHAR + rb"++: [!-~\x80-\xff]" + VCHAR + rb"*+(?<![ \t])\r\n"
_LINE = TCHAR + rb"++:" + VCHAR + rb"*+\r\n"
_NORMAL: Final = re.compile(rb"(?:" + _NORMAL_LINE + rb")*+\r\n")
_VALID = re.compile(rb"(?:" + _LINE + rb")*+\r\n")

# These split what one of the above has accepted, so they need not be strict.
_NORMAL_PAIRS: Final = re.compile(rb"([^:]++): ([^\r]*+)\r\n")
_VALID_PAIRS = re.compile(rb"([^:]++):([^\r]*+)\r\n")

_NAME = re.compile(TCHAR + rb"++")
_VALUE = re.compile(rb"(?![ \t])" + VCHAR + rb"*+(?<![ \t])")

_joinPair: Final = b": ".join
_joinLines: Final = b"\r\n".join

Pair = tuple[bytes, bytes]


class Fields:
    """
    The lines of one field section, in order and in their original case.

    Lookups take lower-case names.

    @ivar pairs: names and values, in order; not to be changed.
    @ivar derived: one memo for whoever forwards the section: what was derived
        from it.  It is not part of the value.
    @ivar plain: another one, for L{isPlain<intermediary.wire.reuse.isPlain>}; -1 as long
        as nobody has asked.
    @ivar told: another, for the access log: what a line in the format C{combined} tells
        of it.
    @ivar noted: the last, for what the cache has found out about the section; whoever
        reads it has to see whether it is of their own making.
    """

    __slots__ = ("_encoded", "_index", "derived", "noted", "pairs", "plain", "told")

    # Both are made when they are first asked for.
    _encoded: bytes | None
    _index: dict[bytes, bytes] | None
    derived: Any | None
    noted: Any | None
    told: str | None

    def __init__(
        self,
        pairs: list[Pair],
        encoded: bytes | None = None,
        index: dict[bytes, bytes] | None = None,
    ) -> None:
        """
        Not for use outside of C{wire}: nothing is validated; see L{fromPairs}.

        @param pairs: owned by the new object from now on.
        @param encoded: the same as lines of the form C{Name: value}.
        @param index: lower-case name to combined value, in order.
        """
        self.pairs = pairs
        self._encoded = encoded
        self._index = index
        self.derived = None
        self.noted = None
        self.told = None
        self.plain = -1

    @classmethod
    def fromPairs(cls, pairs: Iterable[Pair]) -> Fields:
        """
        Make a section from names and values.

        @raise ValueError: a name is not a token, or a value has control
            characters or white space around it (RFC 9110 §5.1, §5.5).
        """
        checked = list(pairs)
        for name, value in checked:
            _check(name, value)
        return cls(checked)

    @property
    def encoded(self) -> bytes:
        """All lines as they go out, each with its CRLF."""
        encoded = self._encoded
        if encoded is None:
            pairs = self.pairs
            encoded = _joinLines(map(_joinPair, pairs)) + b"\r\n" if pairs else b""
            self._encoded = encoded
        return encoded

    @property
    def index(self) -> dict[bytes, bytes]:
        """Lower-case names to combined values, in order; not to be changed."""
        index = self._index
        if index is None:
            index = {name.lower(): value for name, value in self.pairs}
            if len(index) != len(self.pairs):
                index = _combine(self.pairs)
            self._index = index
        return index

    def get(self, lowerName: bytes) -> bytes | None:
        """
        Look up the combined value: duplicates joined with C{", "} (RFC 9110 §5.3).

        A joined C{Set-Cookie} is of no use; take L{getAll} for it.
        """
        return self.index.get(lowerName)

    def getAll(self, lowerName: bytes) -> list[bytes]:
        """Look up the value of each line of that name."""
        if lowerName not in self.index:
            return []
        return [value for name, value in self.pairs if name.lower() == lowerName]

    def __contains__(self, lowerName: bytes) -> bool:
        return lowerName in self.index

    def __len__(self) -> int:
        """How many lines there are."""
        return len(self.pairs)

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.pairs)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Fields):
            return self.pairs == other.pairs
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.encoded)

    def __repr__(self) -> str:
        return f"Fields({self.pairs!r})"

    def without(self, names: AbstractSet[bytes]) -> Fields:
        """
        Leave out all lines of these lower-case names.

        @return: this object itself when there are none.
        """
        if names.isdisjoint(self.index):
            return self
        return Fields([pair for pair in self.pairs if pair[0].lower() not in names])

    def adding(self, *pairs: Pair) -> Fields:
        """
        Append lines.

        @raise ValueError: as L{fromPairs}.
        """
        for name, value in pairs:
            _check(name, value)
        return self.extended(pairs)

    def extended(self, pairs: Sequence[Pair]) -> Fields:
        """As L{adding}, for lines that are known to be valid: C{wire} only."""
        if not pairs:
            return self
        more = b"%b%b\r\n" % (self.encoded, _joinLines(map(_joinPair, pairs)))
        return Fields([*self.pairs, *pairs], more)

    def setting(self, name: bytes, value: bytes) -> Fields:
        """
        Have exactly one line of that name, where the first one stood or at the end.

        @return: this object itself when that is so already.
        @raise ValueError: as L{fromPairs}.
        """
        _check(name, value)
        key = name.lower()
        pair = (name, value)
        if key not in self.index:
            return Fields([*self.pairs, pair])
        pairs = []
        found = False
        for old in self.pairs:
            if old[0].lower() != key:
                pairs.append(old)
            elif not found:
                found = True
                pairs.append(pair)
        return self if pairs == self.pairs else Fields(pairs)


def _check(name: bytes, value: bytes) -> None:
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"not a field name: {name!r}")
    if _VALUE.fullmatch(value) is None:
        raise ValueError(f"not a field value: {value!r}")


def _combine(pairs: list[Pair]) -> dict[bytes, bytes]:
    """Index lines of which some have the same name."""
    # Joined once at the end: many duplicates must not cost a quadratic copy.
    values: dict[bytes, list[bytes]] = {}
    for name, value in pairs:
        values.setdefault(name.lower(), []).append(value)
    return {key: b", ".join(lines) for key, lines in values.items()}


def parseFields(data: bytes, start: int = 0) -> tuple[Fields, int] | None:
    """
    Read a received section.

    @param start: where its first line begins.
    @return: the fields and the index after the empty line that ends them; None
        when that is not there or any line is not exactly as RFC 9112 §5 has it.
    """
    match = _NORMAL.match(data, start)
    if match is not None:
        end = match.end()
        pairs = _NORMAL_PAIRS.findall(data, start, end - 2)
    else:
        match = _VALID.match(data, start)
        if match is None:
            return None
        end = match.end()
        found = _VALID_PAIRS.findall(data, start, end - 2)
        pairs = [(name, value.strip(b" \t")) for name, value in found]
    # Not left to __getattr__: whoever parses a section looks things up in it.
    index = {name.lower(): value for name, value in pairs}
    if len(index) != len(pairs):
        index = _combine(pairs)
    return Fields(pairs, None, index), end


#: A section without lines.
EMPTY: Final = Fields([], b"", {})
