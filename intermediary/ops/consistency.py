# -*- test-case-name: tests.ops.test_consistency -*-
"""
What must agree between the tables of a configuration file.

It looks at the raw tables (L{intermediary.ops.findings}), so that these problems come
together with those of single values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..settings import ForwardSettings, InterceptSettings, PoolSettings
from .cacheconsistency import cacheInconsistencies, cacheOddities
from .findings import Finding, canonicalHost, items, missing, strings, tables
from .listeners import isEphemeral, place, plainBeside, speaksTLS
from .problems import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .places import Path


def inconsistencies(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Find what can't work together."""
    fronts = [
        (kind, name, front)
        for kind in ("forward", "reverse")
        for name, front in tables(document.get(kind))
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
    upstreams = dict(tables(document.get("upstream")))
    yield from cacheInconsistencies(document)
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
        for _, front in tables(document.get("reverse"))
        for key in ("route", "passthrough")
        for _, route in items(front.get(key))
    }
    for name, _ in tables(document.get("upstream")):
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
    yield from cacheOddities(document)


def _trusting(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Servers prove who they are, and who says how means some that can."""
    for name, upstream in tables(document.get("upstream")):
        table = upstream.get("tls", {})
        path = ("upstream", name, "tls")
        if table and not any(
            text.lower().startswith("https:") for _, text in strings(upstream.get("servers"))
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
    listen = [text for _, text in strings(front.get("listen"))]
    for index, text in strings(front.get("listen")):
        yield ("listen", index), text
    only = front.get("https-only")
    if isinstance(only, dict) and "from" in only:
        for index, text in strings(only["from"]):
            yield ("https-only", "from", index), text
    elif only is True or isinstance(only, dict):
        for text in plainBeside(listen):
            yield ("https-only",), text


def _routes(path: Path, routes: Any, upstreams: Mapping[str, Any]) -> Iterator[Finding]:
    """A route leads somewhere, and can be reached."""
    taken: dict[tuple[str, str], int] = {}
    for index, route in items(routes):
        yield from missing((*path, index, "upstream"), route.get("upstream"), upstreams)
        prefix = route.get("path", "/")
        if not isinstance(prefix, str):
            continue
        hosts = [text for _, text in strings(route.get("host"))]
        for host in map(canonicalHost, hosts or [""]):
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
    for index, text in strings(front.get("listen")):
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
