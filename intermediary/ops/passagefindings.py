# -*- test-case-name: tests.ops.test_passagefindings -*-
"""
What must agree between what a front serves and what it passes through undecrypted.

Like L{intermediary.ops.consistency}, it looks at the raw tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .findings import Finding, canonicalHost, items, missing, strings, tables
from .listeners import speaksTLS
from .problems import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .places import Path


def passageFindings(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Find what can't work together."""
    upstreams = dict(tables(document.get("upstream")))
    for name, front in tables(document.get("reverse")):
        path = ("reverse", name)
        yield from _serving(path, front)
        yield from _leading((*path, "passthrough"), front.get("passthrough"), upstreams)
        yield from _repeating((*path, "passthrough"), front.get("passthrough"))
        yield from _overlapping((*path, "passthrough"), front)
        for index, route in items(front.get("route")):
            for url in _urls(upstreams, route.get("upstream")):
                if _isBare(url):
                    yield Finding(
                        (*path, "route", index, "upstream"),
                        route["upstream"],
                        f'has a server that requests can\'t be sent to: "{url}"',
                        "write http:// or https://, or pass clients through to it by a "
                        f"[[reverse.{name}.passthrough]]",
                    )
                    break


def _serving(path: Path, front: Mapping[str, Any]) -> Iterator[Finding]:
    """A front serves requests, or passes clients through, or both with a certificate."""
    routes, tls = "route" in front, "tls" in front
    if "passthrough" not in front:
        if not routes:
            yield Finding(
                (*path, "route"), ABSENT, "is missing", f"add [[{'.'.join(map(str, path))}.route]]"
            )
        return
    if routes and not tls:
        yield Finding(
            (*path, "route"),
            ABSENT,
            "is never reached: without tls, all clients are passed through or refused",
            "add tls = { certificate = FILE, key = FILE }, or remove the routes",
        )
    if tls and not routes:
        yield Finding(
            (*path, "tls"),
            ABSENT,
            "is for clients that are not passed through, and there is no route for them",
            f"add a [[{'.'.join(map(str, path))}.route]], or remove tls",
        )
    for index, text in strings(front.get("listen")):
        if speaksTLS(text) and not tls:
            yield Finding(
                (*path, "listen", index),
                text,
                "speaks TLS by itself, so that there is none to pass through",
                "write tcp: in place of ssl:",
            )


def _leading(path: Path, passages: Any, upstreams: Mapping[str, Any]) -> Iterator[Finding]:
    """Whoever is passed through is passed to servers of TCP."""
    for index, passage in items(passages):
        name = passage.get("upstream")
        yield from missing((*path, index, "upstream"), name, upstreams)
        for url in _urls(upstreams, name):
            if not _isBare(url):
                yield Finding(
                    (*path, index, "upstream"),
                    name,
                    f'has a server that is not of TCP alone: "{url}"',
                    'write it as "tcp://HOST:PORT": what is passed through is not decrypted',
                )
                break


def _repeating(path: Path, passages: Any) -> Iterator[Finding]:
    """A client is passed through to one place."""
    taken: dict[tuple[str, str], int] = {}
    for index, passage in items(passages):
        spoken = [text for _, text in strings(passage.get("alpn"))] or [""]
        for place, name in strings(passage.get("names")):
            for protocol in spoken:
                first = taken.setdefault((canonicalHost(name), protocol), index)
                if first != index:
                    yield Finding(
                        (*path, index, "names", place),
                        name,
                        f"passthrough[{first}] takes it already",
                        "remove it from one of them, or tell them apart by alpn",
                    )
                    break


def _overlapping(path: Path, front: Mapping[str, Any]) -> Iterator[Finding]:
    """A name that is passed through is served by no route."""
    served = {
        canonicalHost(host): index
        for index, route in items(front.get("route"))
        for _, host in strings(route.get("host"))
    }
    for index, passage in items(front.get("passthrough")):
        if passage.get("alpn"):
            continue
        for place, name in strings(passage.get("names")):
            hidden = [host for host in served if _covers(canonicalHost(name), host)]
            if hidden:
                yield Finding(
                    (*path, index, "names", place),
                    name,
                    f"route[{served[hidden[0]]}] serves {hidden[0]}, which is passed through by this",
                    "remove one of them, or write narrower names",
                )


def _covers(pattern: str, host: str) -> bool:
    """Tell whether all that one pattern means is meant by another, too."""
    if pattern.startswith("*."):
        return host.removeprefix("*").endswith(pattern[1:])
    return host == pattern


def _urls(upstreams: Mapping[str, Any], name: Any) -> Iterator[str]:
    """Iterate over the servers of an upstream, if it is one."""
    table = upstreams.get(name) if isinstance(name, str) else None
    if table is not None:
        yield from (text for _, text in strings(table.get("servers")))


def _isBare(url: str) -> bool:
    """Tell whether a server speaks nothing that matters here."""
    return url.lower().startswith("tcp:")
