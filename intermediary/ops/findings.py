# -*- test-case-name: tests.ops.test_findings -*-
"""
What is found wrong with a configuration beyond single values, and how it is looked for.

Whoever looks does so in the raw tables, which may hold anything: what has the wrong type
is passed over, as the model reports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from . import values
from .problems import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .places import Path


class Finding(NamedTuple):
    """
    A problem, or an oddity, by the path of the key that it is about.

    The other attributes are those of L{Problem<intermediary.ops.problems.Problem>}.
    """

    path: Path
    value: Any
    message: str
    remedy: str


def missing(path: Path, upstream: Any, upstreams: Mapping[str, Any]) -> Iterator[Finding]:
    """What is led to is there."""
    if isinstance(upstream, str) and upstream not in upstreams:
        yield Finding(
            path,
            upstream,
            "there is no such upstream",
            nearest(upstream, upstreams) or f"add [upstream.{upstream}]",
        )


def canonicalHost(host: str) -> str:
    """Write a host pattern as routing compares it, if it is one."""
    try:
        return values.hostPattern(host).removesuffix(".")
    except values.Unfit:
        return host


def tables(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Iterate over the tables in a table."""
    if isinstance(value, dict):
        yield from ((name, item) for name, item in value.items() if isinstance(item, dict))


def items(value: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """Iterate over the tables in an array."""
    if isinstance(value, list):
        yield from ((i, item) for i, item in enumerate(value) if isinstance(item, dict))


def strings(value: Any) -> Iterator[tuple[int, str]]:
    """Iterate over the strings in an array."""
    if isinstance(value, list):
        yield from ((i, item) for i, item in enumerate(value) if isinstance(item, str))
