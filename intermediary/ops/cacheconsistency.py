# -*- test-case-name: tests.ops.test_cacheconsistency -*-
"""
What must agree between a cache and those who use it.

As L{intermediary.ops.consistency}, of raw tables.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from ..settings import CacheSettings
from . import values
from .findings import Finding, items, strings, tables
from .problems import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .places import Path


def cacheOddities(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Whoever says how to cache wants a cache, and one that has room for what it takes."""
    cache = document.get("cache")
    if cache is None:
        for path, table in _cacheable(document):
            if table.get("cache", False) is not False:
                yield Finding(
                    (*path, "cache"),
                    ABSENT,
                    "nothing is cached without a [cache]",
                    "add [cache], or remove the key",
                )
        return
    yield from _purging(document, cache)
    yield from _overruling(document)
    yield from _differing(document)
    disk = cache.get("disk")
    if disk is None and "max-memory-object" in cache:
        yield Finding(
            ("cache", "max-memory-object"),
            cache["max-memory-object"],
            "means nothing without a disk",
            "add disk = { path = ..., size = ... }, or remove the key",
        )
    if disk is not None:
        largest = values.octets(cache.get("max-object", CacheSettings().maxObjectOctets))
        room = values.octets(disk["size"])
        if largest > room:
            yield Finding(
                ("cache", "disk", "size"),
                disk["size"],
                "is below max-object, so the largest responses are never stored",
                f"keep it well above max-object ({largest})",
            )
        if "max-memory-object" in cache:
            memory = values.octets(cache.get("memory", CacheSettings().memoryOctets))
            if values.octets(cache["max-memory-object"]) > memory // 2:
                yield Finding(
                    ("cache", "max-memory-object"),
                    cache["max-memory-object"],
                    "is above half of memory, so one response may drive out all others",
                    f"keep it well below memory ({memory})",
                )
    elif "max-object" in cache:
        room = values.octets(cache.get("memory", CacheSettings().memoryOctets))
        if values.octets(cache["max-object"]) > room:
            yield Finding(
                ("cache", "max-object"),
                cache["max-object"],
                "is above memory, so the largest responses are never stored",
                f"keep it well below memory ({room})",
            )


def _purging(document: Mapping[str, Any], cache: Mapping[str, Any]) -> Iterator[Finding]:
    """Whoever may purge is not everybody."""
    proxies = [
        ip_network(text)
        for _, front in tables(document.get("reverse"))
        for _, text in strings(front.get("trusted-proxies"))
    ]
    for index, text in strings(cache.get("purge-from")):
        network = ip_network(text)
        path = ("cache", "purge-from", index)
        if not network.prefixlen:
            yield Finding(
                path,
                text,
                "lets every client empty the cache",
                "name the networks of those who publish",
            )
        elif any(network.version == each.version and network.overlaps(each) for each in proxies):
            yield Finding(
                path,
                text,
                "is also in trusted-proxies, and whose requests those pass on can purge, too",
                "leave the proxies out, or have them refuse PURGE",
            )


def _overruling(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Keys of one route that have no effect, or one that is hardly meant, for another's sake."""
    for path, table in _cacheable(document):
        cache = table.get("cache")
        if not isinstance(cache, dict):
            continue
        force = cache.get("force", {})
        what, remedy = "", "ignore Set-Cookie, or leave lifetime out of force"
        if "Set-Cookie" in force.get("ignore", []):
            what, remedy = "means nothing where force ignores Set-Cookie", "remove one of them"
        elif "lifetime" in force:
            what = "gives all the cookies that expire at once, too, for the forced lifetime"
        if cache.get("store-cookies") and what:
            yield Finding((*path, "cache", "store-cookies"), True, what, remedy)
        if "min-uses-within" in cache and cache.get("min-uses", 1) < 2:
            yield Finding(
                (*path, "cache", "min-uses-within"),
                cache["min-uses-within"],
                "means nothing without min-uses",
                "add min-uses = 2, or remove the key",
            )


def _differing(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Who shares makes the same keys, and believes origins as much."""
    first: dict[str, dict[str, Any]] = {}
    for path, table in _cacheable(document):
        name = _shareOf(table)
        if name is None:
            continue
        other = first.setdefault(name, table["cache"])
        for key, harm in _ALIKE.items():
            if _plain(table["cache"].get(key)) != _plain(other.get(key)):
                yield Finding(
                    (*path, "cache", "share"),
                    name,
                    f"others that share it have another {key}: {harm}",
                    "write the same for all of them, or give this another share",
                )


#: What is to be the same for all who share, and what happens if it is not.
_ALIKE = {
    **dict.fromkeys(
        ("ignore-query", "sort-query", "key-fields", "key-cookies"),
        "a purge through one of them does not reach all that the others store",
    ),
    **dict.fromkeys(("force", "store-cookies"), "what is stored by it answers the clients of all"),
}


def _plain(value: Any) -> Any:
    """Make one of what says the same: an order means nothing, nor does a default."""
    if isinstance(value, list):
        return sorted({str(each).lower() for each in value}) or None
    return value or None


def cacheInconsistencies(document: Mapping[str, Any]) -> Iterator[Finding]:
    """
    A forward front shares with no route for any host.

    Whoever asks that for C{Host: bank.example} has its answer stored as that of
    C{bank.example}, to which the clients of the forward front go.
    """
    shared: dict[str, str] = {}
    found = list(_cacheable(document))
    for path, table in found:
        name = _shareOf(table)
        if path[0] == "forward" and name is not None:
            shared.setdefault(name, f"forward.{path[1]}")
    for path, table in found:
        name = _shareOf(table)
        if path[0] == "reverse" and name in shared and not table.get("host"):
            yield Finding(
                (*path, "cache", "share"),
                name,
                f"[{shared[name]}] shares it too, and this route is for any host",
                "give the route its host names, or another share: a client would choose "
                "under which name its answers are stored",
            )


def _shareOf(table: Mapping[str, Any]) -> str | None:
    """Find the part of the cache that a route shares, if it says so."""
    cache = table.get("cache")
    name = cache.get("share") if isinstance(cache, dict) else None
    return name if isinstance(name, str) else None


def _cacheable(document: Mapping[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Iterate over the tables that may say how to cache."""
    for name, front in tables(document.get("forward")):
        yield ("forward", name), front
    for name, front in tables(document.get("reverse")):
        for index, route in items(front.get("route")):
            yield ("reverse", name, "route", index), route
