# -*- test-case-name: tests.ops.test_places -*-
"""
Where in a TOML file a key stands.

C{tomllib} forgets it.  This reads the text once more, line by line, for keys
and table headers alone; it only ever serves messages, so a line that it can't
place costs a number and nothing else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: One part of a dotted key.
_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_KEY = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*\[(?:\[\s*({_KEY})\s*\]|\s*({_KEY})\s*)\]")
_ASSIGNMENT = re.compile(rf"\s*({_KEY})\s*=")
_PARTS = re.compile(_PART)

Path = tuple[str | int, ...]


class Places:
    """
    The lines of a document's keys.

    @ivar lines: from the path of a key, with an index for each array of tables,
        to its line, counted from 1.
    """

    __slots__ = ("_text", "lines")

    def __init__(self, text: str) -> None:
        self._text = text.splitlines()
        self.lines: dict[Path, int] = {}
        counts: dict[Path, int] = {}
        table: Path = ()
        quote: str | None = None
        for number, line in enumerate(self._text, 1):
            if quote is not None:
                # Inside a multi-line string, up to its end.
                if line.count(quote) % 2:
                    quote = None
                continue
            if header := _HEADER.match(line):
                parts = _split(header[1] or header[2])
                table = self._resolve(parts, counts, number)
                if header[1]:
                    index = counts.get(table, 0)
                    counts[table] = index + 1
                    self.lines.setdefault(table, number)
                    table = (*table, index)
                self.lines.setdefault(table, number)
            elif assignment := _ASSIGNMENT.match(line):
                self.lines.setdefault((*table, *_split(assignment[1])), number)
            for mark in ('"""', "'''"):
                if line.count(mark) % 2:
                    quote = mark

    def _resolve(self, parts: Sequence[str], counts: dict[Path, int], number: int) -> Path:
        """
        Give a header's path the indices of the array tables that it is within.

        Tables on the way that have no header of their own stand here too.
        """
        path: Path = ()
        for position, part in enumerate(parts):
            path = (*path, part)
            self.lines.setdefault(path, number)
            if position < len(parts) - 1 and path in counts:
                path = (*path, counts[path] - 1)
        return path

    def of(self, path: Sequence[str | int], value: object = None) -> int | None:
        """
        Find the line of a key, or of the nearest table around it.

        @param value: a string to look for from there on: the element of a list
            that stands over several lines.
        """
        place: Path = tuple(path)
        while place and place not in self.lines:
            place = place[:-1]
        line = self.lines.get(place)
        if line is None or len(path) == len(place) or not isinstance(value, str):
            return line
        for number, text in enumerate(self._text[line - 1 :], line):
            if number > line and (_HEADER.match(text) or _ASSIGNMENT.match(text)):
                break
            if f'"{value}"' in text or f"'{value}'" in text:
                return number
        return line


def dotted(path: Sequence[str | int]) -> str:
    """Write a path as C{reverse.site.route[0].upstream}."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            bare = re.fullmatch(r"[A-Za-z0-9_-]+", part)
            text += ("." if text else "") + (part if bare else f'"{part}"')
    return text


def _split(key: str) -> list[str]:
    """Take a dotted key apart."""
    return [part.strip("\"'") for part in _PARTS.findall(key)]
