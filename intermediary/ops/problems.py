# -*- test-case-name: tests.ops.test_problems -*-
"""
What is wrong with a configuration, in words that say how to mend it.

All problems of a file are collected and come at once, so that an operator
mends a file in one go.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

#: A value longer than this is cut in a message.
_SHOWN_CHARACTERS = 120


class _Absent:
    """The type of L{ABSENT}."""

    def __repr__(self) -> str:
        """Its name."""
        return "ABSENT"


#: The value of a key that is not there.
ABSENT = _Absent()


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """
    One thing that is wrong, and where.

    @ivar file: the file's path as it was given, or C{"command line"}.
    @ivar line: the line in it, counted from 1, where it is known.
    @ivar column: the column, for errors of TOML's syntax.
    @ivar table: the path of the key, C{"reverse.site.route[0].upstream"};
        empty for the file as a whole.
    @ivar value: what stood there; L{ABSENT} when nothing did.
    @ivar message: what is wrong with it, without a full stop.
    @ivar remedy: what to do about it, without a full stop; may be empty.
    """

    file: str
    table: str
    message: str
    remedy: str = ""
    value: Any = ABSENT
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        """One line: C{file:line: table = value: message; remedy}."""
        where = self.file
        for number in (self.line, self.column):
            if number is not None:
                where += f":{number}"
        subject = self.table
        if self.value is not ABSENT:
            subject = f"{subject} = {spell(self.value)}" if subject else spell(self.value)
        text = f"{where}: {subject}: {self.message}" if subject else f"{where}: {self.message}"
        return f"{text}; {self.remedy}" if self.remedy else text


class ConfigurationError(Exception):
    """
    A configuration that can't be used.

    @ivar problems: every L{Problem} found, in the order of the file.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def spell(value: Any) -> str:
    """Spell a value as TOML would, cut to what fits a message."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, str):
        inner = value.replace("\\", "\\\\").replace('"', '\\"')
        text = '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04X}" for c in inner) + '"'
    elif isinstance(value, list | tuple):
        text = f"[{', '.join(map(spell, value))}]"
    elif isinstance(value, dict):
        inside = ", ".join(f"{key} = {spell(item)}" for key, item in value.items())
        text = f"{{ {inside} }}" if inside else "{}"
    elif isinstance(value, float) and value.is_integer():
        text = str(int(value))
    else:
        text = str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."


def nearest(word: str, known: Iterable[str]) -> str:
    """
    Suggest a known word for one that is not known.

    @return: C{'did you mean "x"?'}, or the list of what is known when nothing
        is near, or an empty string when nothing is known at all.
    """
    words = sorted(set(known))
    if close := get_close_matches(word, words, n=1, cutoff=0.6):
        return f'did you mean "{close[0]}"?'
    return f"known are: {', '.join(words)}" if words else ""
