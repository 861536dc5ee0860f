# -*- test-case-name: tests.ops.test_consistency -*-
"""
What must agree between the tables of a configuration file.

It looks at the raw tables, which may hold anything, so that these problems
come together with those of single values: whatever has the wrong type is
passed over here, as the model reports it.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, NamedTuple

from ..settings import CacheSettings, ForwardSettings, InterceptSettings, PoolSettings
from . import values
from .listeners import isEphemeral, place, plainBeside, speaksTLS
from .problems import ABSENT, nearest

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


def inconsistencies(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Find what can't work together."""
    fronts = [
        (kind, name, front)
        for kind in ("forward", "reverse")
        for name, front in _tables(document.get(kind))
    ]
    if not fronts and not any(document.get(kind) for kind in ("forward", "reverse")):
        yield Finding(
            (),
            ABSENT,
            "there is nothing to run",
            "add a [forward.NAME] or a [reverse.NAME] with a listen key",
        )
    yield from _sharedNames(fronts)
    yield from _sharedListeners(fronts)
    upstreams = dict(_tables(document.get("upstream")))
    yield from _sharing(document)
    for name, upstream in upstreams.items():
        table = upstream.get("tls")
        if isinstance(table, dict) and "key" in table and "certificate" not in table:
            yield Finding(
                ("upstream", name, "tls", "key"),
                table["key"],
                "is the key of no certificate",
                "add certificate = FILE, or remove the key",
            )
    for kind, name, front in fronts:
        yield from _securing((kind, name), front)
        if kind == "forward":
            yield from _intercepting((kind, name), front)
        if kind == "reverse":
            yield from _routes(("reverse", name, "route"), front.get("route"), upstreams)


def oddities(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Find what works but is hardly meant."""
    used = {
        route.get("upstream")
        for _, front in _tables(document.get("reverse"))
        for key in ("route", "passthrough")
        for _, route in _items(front.get(key))
    }
    for name, _ in _tables(document.get("upstream")):
        if name not in used:
            yield Finding(
                ("upstream", name), ABSENT, "no route uses it", "remove it, or add a route"
            )
    yield from _trusting(document)
    pool = document.get("pool", {})
    perOrigin = pool.get("per-origin", PoolSettings().perOrigin)
    total = pool.get("total", PoolSettings().total)
    if perOrigin > total:
        key = "per-origin" if "per-origin" in pool else "total"
        yield Finding(
            ("pool", key),
            pool[key],
            "per-origin is above total, so one server may take every connection",
            f"keep per-origin ({perOrigin}) below total ({total})",
        )
    yield from _caching(document)


def _trusting(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Servers prove who they are, and who says how means some that can."""
    for name, upstream in _tables(document.get("upstream")):
        table = upstream.get("tls", {})
        path = ("upstream", name, "tls")
        if table and not any(
            text.lower().startswith("https:") for _, text in _strings(upstream.get("servers"))
        ):
            yield Finding(
                path,
                ABSENT,
                "means nothing, as no server has an https:// URL",
                "write https:// for those that speak TLS, or remove it",
            )
        elif table.get("verify") is False:
            yield Finding(
                (*path, "verify"),
                False,
                "anybody on the way to these servers can pass for them, and read and change all",
                "name what they are to be verified by: ca = FILE, and name = NAME if their "
                "certificate has another",
            )
            if "ca" in table:
                yield Finding(
                    (*path, "ca"),
                    table["ca"],
                    "means nothing without verify",
                    "remove verify = false",
                )


def _caching(document: Mapping[str, Any]) -> Iterator[Finding]:
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
        for _, front in _tables(document.get("reverse"))
        for _, text in _strings(front.get("trusted-proxies"))
    ]
    for index, text in _strings(cache.get("purge-from")):
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


def _sharing(document: Mapping[str, Any]) -> Iterator[Finding]:
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
    for name, front in _tables(document.get("forward")):
        yield ("forward", name), front
    for name, front in _tables(document.get("reverse")):
        for index, route in _items(front.get("route")):
            yield ("reverse", name, "route", index), route


def _sharedNames(fronts: list[tuple[str, str, Any]]) -> Iterator[Finding]:
    """A name stands for one front in the log."""
    seen: dict[str, str] = {}
    for kind, name, _ in fronts:
        if name in seen:
            yield Finding(
                (kind, name),
                ABSENT,
                f"the name is already that of [{seen[name]}.{name}]",
                "fronts of both kinds need different names",
            )
        seen.setdefault(name, kind)


def _sharedListeners(fronts: list[tuple[str, str, Any]]) -> Iterator[Finding]:
    """A place to listen at serves one front."""
    seen: dict[tuple[str | int, ...], str] = {}
    for kind, name, front in fronts:
        for path, text in _listening(front):
            there = place(text)
            if there in seen and not isEphemeral(text):
                yield Finding(
                    (kind, name, *path),
                    text,
                    f"[{seen[there]}] listens there already",
                    "give each front its own port or path",
                )
            seen.setdefault(there, f"{kind}.{name}")


def _listening(front: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Iterate over all places where a front listens, with TLS or to redirect to it."""
    listen = [text for _, text in _strings(front.get("listen"))]
    for index, text in _strings(front.get("listen")):
        yield ("listen", index), text
    only = front.get("https-only")
    if isinstance(only, dict) and "from" in only:
        for index, text in _strings(only["from"]):
            yield ("https-only", "from", index), text
    elif only is True or isinstance(only, dict):
        for text in plainBeside(listen):
            yield ("https-only",), text


def _missing(path: Path, upstream: Any, upstreams: Mapping[str, Any]) -> Iterator[Finding]:
    """What is led to is there."""
    if isinstance(upstream, str) and upstream not in upstreams:
        yield Finding(
            path,
            upstream,
            "there is no such upstream",
            nearest(upstream, upstreams) or f"add [upstream.{upstream}]",
        )


def _routes(path: Path, routes: Any, upstreams: Mapping[str, Any]) -> Iterator[Finding]:
    """A route leads somewhere, and can be reached."""
    taken: dict[tuple[str, str], int] = {}
    for index, route in _items(routes):
        yield from _missing((*path, index, "upstream"), route.get("upstream"), upstreams)
        prefix = route.get("path", "/")
        if not isinstance(prefix, str):
            continue
        hosts = [text for _, text in _strings(route.get("host"))]
        for host in map(_canonical, hosts or [""]):
            first = taken.setdefault((host, prefix), index)
            if first == index:
                continue
            yield Finding(
                (*path, index),
                ABSENT,
                f'never serves {host or "any host"} under "{prefix}": '
                f"route[{first}] matches the same",
                "remove one of them, or give them different hosts or paths",
            )


def _securing(path: Path, front: Mapping[str, Any]) -> Iterator[Finding]:
    """TLS has a certificate, or a folder of them, and is spoken once."""
    tls = front.get("tls")
    if not isinstance(tls, dict):
        return
    one, many, acme = "certificate" in tls, "certificates" in tls, "acme" in tls
    if not one and not many and not acme:
        yield Finding(
            (*path, "tls"),
            ABSENT,
            "there is no certificate",
            'add certificate = "site.pem" and key = "site.key", or certificates = "certs/", or '
            "acme = { terms-agreed = true }",
        )
    if one and many:
        yield Finding(
            (*path, "tls", "certificate"),
            tls["certificate"],
            "certificates names a folder of them already",
            "put it there, or remove certificates",
        )
    for key, needed, instead in (
        ("key", "certificate", "the keys are in the folder, with their certificates"),
        ("default", "certificates", "there is one certificate, for whoever connects"),
    ):
        if key in tls and needed not in tls and (one or many) and not (acme and key == "default"):
            yield Finding((*path, "tls", key), tls[key], instead, "remove it")
    for index, text in _strings(front.get("listen")):
        if speaksTLS(text):
            yield Finding(
                (*path, "listen", index),
                text,
                "speaks TLS by itself, and tls would again",
                "write tcp: in place of ssl:, or remove tls",
            )


def _intercepting(path: Path, front: Mapping[str, Any]) -> Iterator[Finding]:
    """What is intercepted at a port could be reached there as well."""
    table = front.get("intercept")
    if not isinstance(table, dict):
        return
    reached = front.get("connect-ports", list(ForwardSettings(name="default").connectPorts))
    ports = table.get("ports", list(InterceptSettings(ca="").ports))
    if not isinstance(reached, list) or not isinstance(ports, list):
        return
    for index, port in enumerate(ports):
        if type(port) is int and port not in reached:
            yield Finding(
                (*path, "intercept", "ports", index) if "ports" in table else (*path, "intercept"),
                port if "ports" in table else ABSENT,
                f"CONNECT may not reach port {port}",
                f"add {port} to connect-ports, or name other ports here",
            )


def _canonical(host: str) -> str:
    """Write a host pattern as routing compares it, if it is one."""
    try:
        return values.hostPattern(host).removesuffix(".")
    except values.Unfit:
        return host


def _tables(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Iterate over the tables in a table."""
    if isinstance(value, dict):
        yield from ((name, item) for name, item in value.items() if isinstance(item, dict))


def _items(value: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """Iterate over the tables in an array."""
    if isinstance(value, list):
        yield from ((i, item) for i, item in enumerate(value) if isinstance(item, dict))


def _strings(value: Any) -> Iterator[tuple[int, str]]:
    """Iterate over the strings in an array."""
    if isinstance(value, list):
        yield from ((i, item) for i, item in enumerate(value) if isinstance(item, str))
