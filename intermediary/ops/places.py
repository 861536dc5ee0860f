# -*- test-case-name: tests.ops.test_places -*-
"""
Where in a TOML file a key stands.

C{tomllib} forgets it.  This reads the text once more, for keys, table headers and
the elements of arrays; it only ever serves messages, so a line that it can't place
costs a number and nothing else.
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
#: What a value is made of: strings, comments, marks, ends of lines, and all the rest.
_TOKEN = re.compile(
    r"""\"{3}(?:[^\\]|\\.)*?\"{3}|'{3}.*?'{3}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'"""
    r"""|\#[^\n]*|[\[\]{},=\n]|[^\s\[\]{},=\#"']+|.""",
    re.DOTALL,
)

Path = tuple[str | int, ...]


class Places:
    """
    The lines of a document's keys.

    @ivar lines: from the path of a key or an element, with an index for each
        array, to its line, counted from 1.
    """

    __slots__ = ("lines",)

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        counts: dict[Path, int] = {}
        table: Path = ()
        start, number = 0, 1
        while start < len(text):
            end = text.find("\n", start)
            end = len(text) if end < 0 else end
            if header := _HEADER.match(text, start, end):
                parts = _split(header[1] or header[2])
                table = self._resolve(parts, counts, number)
                if header[1]:
                    index = counts.get(table, 0)
                    counts[table] = index + 1
                    self.lines.setdefault(table, number)
                    table = (*table, index)
                self.lines.setdefault(table, number)
            elif assignment := _ASSIGNMENT.match(text, start, end):
                path = (*table, *_split(assignment[1]))
                self.lines.setdefault(path, number)
                end = self._value(path, text, assignment.end(), number)
            number += text.count("\n", start, end + 1)
            start = end + 1

    def _value(self, path: Path, text: str, start: int, number: int) -> int:
        """
        Place what is within a value: elements of arrays, keys of inline tables.

        @param path: of its key.
        @return: the offset of the end of its last line.
        """
        # Containers that are open, with the number of elements that an array had.
        containers: list[tuple[Path, int | None]] = []
        place: Path | None = path
        key = ""
        for match in _TOKEN.finditer(text, start):
            token = match[0]
            around, count = containers[-1] if containers else (path, None)
            if token == "\n" and not containers:
                return match.start()
            if token in {"]", "}"}:
                place, key = around, ""
                del containers[-1:]
            elif token == ",":
                place, key = None, ""
                if count is not None:
                    containers[-1] = (around, count + 1)
            elif token == "=" and place is None:
                place, key = (*around, *_split(key)), ""
                self.lines.setdefault(place, number)
            elif not token.isspace() and token[0] != "#":
                if place is None and count is not None:
                    place = (*around, count)
                    self.lines.setdefault(place, number)
                if token in {"[", "{"}:
                    containers.append((place or around, 0 if token == "[" else None))
                    place = None
                elif place is None:
                    key += token
            number += token.count("\n")
        return len(text)

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

    def of(self, path: Sequence[str | int]) -> int | None:
        """Find the line of a key or an element, or of the nearest thing around it."""
        place: Path = tuple(path)
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place)


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
