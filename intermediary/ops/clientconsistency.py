# -*- test-case-name: tests.ops.test_clientconsistency -*-
"""
What must agree about certificates of clients, between the tables of a configuration file.

As L{intermediary.ops.consistency} it looks at raw tables, which may hold anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .places import Path


def clientInconsistencies(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Find what can't work together."""
    for path, front in _fronts(document):
        clients = _clientsOf(front)
        for at, table in _guarded(path, front):
            if clients is None and _hasRule(table):
                yield Finding(
                    (*at, "client-certificate"),
                    table["client-certificate"],
                    "lets nobody in: clients are not asked for certificates",
                    f'add clients = {{ ca = "clients-ca.pem" }} to tls of [{path[0]}.{path[1]}]',
                )
        headers = None if clients is None else clients.get("headers")
        if headers is not None and path[0] == "forward":
            yield Finding(
                (*path, "tls", "clients", "headers"),
                headers,
                "a forward proxy tells nobody who its clients are",
                "remove it",
            )
        if isinstance(headers, dict):
            yield from _sameNames((*path, "tls", "clients", "headers"), headers)


def _sameNames(path: Path, headers: Mapping[str, Any]) -> Iterator[Finding]:
    """A field tells one thing."""
    seen: dict[str, str] = {}
    for what, name in headers.items():
        if not isinstance(name, str):
            continue
        first = seen.setdefault(name.lower(), what)
        if first != what:
            yield Finding((*path, what), name, f"{first} has this name", "give it another")


def clientOddities(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Find what works but is hardly meant."""
    open_: dict[str, str] = {}
    shared: list[tuple[Path, str]] = []
    for path, front in _fronts(document):
        clients = _clientsOf(front)
        required = clients is not None and clients.get("required", True)
        for at, table in _guarded(path, front):
            cache = table.get("cache")
            name = cache.get("share") if isinstance(cache, dict) else None
            if name is None:
                continue
            if required or _hasRule(table):
                shared.append((at, name))
            else:
                open_.setdefault(name, f"{path[0]}.{path[1]}")
    for at, name in shared:
        if name in open_:
            yield Finding(
                (*at, "cache", "share"),
                name,
                f"[{open_[name]}] shares it, and answers with it who has shown no certificate",
                "share only between those that let in the same clients",
            )


def _fronts(document: Mapping[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Iterate over all fronts."""
    for kind in ("forward", "reverse"):
        tables = document.get(kind)
        if isinstance(tables, dict):
            for name, front in tables.items():
                if isinstance(front, dict):
                    yield (kind, name), front


def _guarded(path: Path, front: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Iterate over the tables of a front that may say who is let in."""
    if path[0] == "forward":
        yield path, front
        return
    routes = front.get("route")
    if isinstance(routes, list):
        for index, route in enumerate(routes):
            if isinstance(route, dict):
                yield (*path, "route", index), route


def _clientsOf(front: Mapping[str, Any]) -> dict[str, Any] | None:
    """Find what a front says of certificates of clients."""
    tls = front.get("tls")
    clients = tls.get("clients") if isinstance(tls, dict) else None
    return clients if isinstance(clients, dict) else None


def _hasRule(table: Mapping[str, Any]) -> bool:
    """Tell whether a route, or a forward front, lets only some in."""
    return table.get("client-certificate", False) is not False


__all__ = ["clientInconsistencies", "clientOddities"]
