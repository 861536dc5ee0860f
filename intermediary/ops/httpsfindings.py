# -*- test-case-name: tests.ops.test_httpsfindings -*-
"""
What must agree where a front is reached by TLS alone.

As L{intermediary.ops.consistency}, of raw tables, which may hold anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import values
from .findings import Finding
from .listeners import isEphemeral, plainBeside, speaksTLS
from .problems import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .places import Path

#: What lists of hosts that are built into browsers ask for.
_PRELOAD_SECONDS = 31536000


def httpsFindings(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Find what can't work together."""
    fronts = document.get("reverse")
    if not isinstance(fronts, dict):
        return
    for name, front in fronts.items():
        only = front.get("https-only") if isinstance(front, dict) else None
        if only is True or isinstance(only, dict):
            path = ("reverse", name, "https-only")
            yield from _front(path, front, {} if only is True else only)


def _front(path: Path, front: Mapping[str, Any], only: Mapping[str, Any]) -> Iterator[Finding]:
    """Look at one front."""
    if "tls" not in front:
        yield Finding(
            path,
            ABSENT,
            "this front speaks no TLS",
            'add tls = { certificate = "site.pem", key = "site.key" }, or remove https-only',
        )
    listen = front.get("listen")
    listen = [each for each in listen if isinstance(each, str)] if isinstance(listen, list) else []
    plain = only.get("from")
    if plain is None and listen and not plainBeside(listen):
        yield Finding(
            path,
            ABSENT,
            "where plain requests come can't be told from listen",
            'add from = ["tcp:80"], or from = [] for nowhere',
        )
    for index, text in enumerate(plain if isinstance(plain, list) else ()):
        if isinstance(text, str) and speaksTLS(text):
            yield Finding(
                (*path, "from", index), text, "is for requests without TLS", "write tcp:80"
            )
    if plain != [] and "port" not in only and listen and isEphemeral(listen[0]):
        yield Finding(
            path,
            ABSENT,
            "any free port is listened at, so there is none to redirect to",
            "add port = 443, or that by which clients come",
        )
    yield from _remembering(path, only)


def _remembering(path: Path, only: Mapping[str, Any]) -> Iterator[Finding]:
    """Look at what clients are told to remember."""
    try:
        seconds = values.duration(only.get("max-age", _PRELOAD_SECONDS))
    except values.Unfit:
        return
    if not seconds:
        for key in ("subdomains", "preload"):
            if only.get(key) is True:
                yield Finding(
                    (*path, key), True, "is told to nobody without max-age", "remove one of them"
                )
    elif only.get("preload") is True and (
        only.get("subdomains") is not True or seconds < _PRELOAD_SECONDS
    ):
        yield Finding(
            (*path, "preload"),
            True,
            "is ignored without subdomains and a max-age of a year",
            'write subdomains = true and max-age = "1y", or remove it',
        )


__all__ = ["httpsFindings"]
