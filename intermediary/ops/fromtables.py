# -*- test-case-name: tests.ops.test_reading -*-
"""
From the tables of a configuration file, which are valid, to settings.

Relative paths count from the folder of the file.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ..settings import (
    AcmeSettings,
    BypassSettings,
    CacheSettings,
    ClientRuleSettings,
    ClientTLSSettings,
    DiskSettings,
    ForceSettings,
    ForwardSettings,
    HTTPSOnlySettings,
    InterceptSettings,
    Limits,
    OriginTLSSettings,
    PassageSettings,
    PoolSettings,
    ReverseSettings,
    RouteCacheSettings,
    RouteSettings,
    Timeouts,
    TLSSettings,
    UpstreamSettings,
)
from ..wire.clientcertificates import CONTENTS
from . import tlsvalues
from .config import Configuration, ForwardFront, Guard, LogSettings, ReverseFront
from .listeners import plainBeside, portOf

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .cachetables import CacheTable, RouteCacheTable
    from .fronttables import ForwardTable, FrontTable, InterceptTable, ReverseTable
    from .problems import Problem
    from .schema import Document
    from .tlstables import AcmeTable, ClientRuleTable, ClientsTable, OriginTLSTable


def configurationOf(document: Document, source: str, warnings: Iterable[Problem]) -> Configuration:
    """Turn a valid document into settings."""
    limits = Limits(**dict(document.limits))
    reserved = _reserved(document)
    upstreams = {
        name: UpstreamSettings(
            name=name,
            servers=tuple(table.servers),
            tls=originTLSSettings(table.tls, source),
        )
        for name, table in document.upstream.items()
    }
    return Configuration(
        forward=tuple(
            ForwardFront(
                settings=_forwardSettings(name, table, limits, source),
                listen=tuple(table.listen),
                guard=Guard(table.guard),
            )
            for name, table in document.forward.items()
        ),
        reverse=tuple(
            ReverseFront(
                settings=_reverseSettings(name, table, limits, upstreams, source, reserved),
                listen=tuple(table.listen),
            )
            for name, table in document.reverse.items()
        ),
        pool=PoolSettings(**dict(document.pool)),
        cache=_cacheSettings(document.cache),
        log=LogSettings(access=document.log.access, format=document.log.format),
        shutdownSeconds=document.shutdownSeconds,
        source=source,
        warnings=tuple(warnings),
    )


def _cacheSettings(table: CacheTable | None) -> CacheSettings | None:
    """Make the settings of the cache, if there is one."""
    if table is None:
        return None
    return CacheSettings(
        memoryOctets=table.memoryOctets,
        maxObjectOctets=table.maxObjectOctets,
        disk=None if table.disk is None else DiskSettings(**dict(table.disk)),
        maxMemoryObjectOctets=table.maxMemoryObjectOctets,
        targeted=tuple(table.targeted),
        purgeFrom=tuple(table.purgeFrom),
    )


def _routeCache(table: RouteCacheTable | None) -> RouteCacheSettings | None:
    """Make the settings of how a route is cached, if it is."""
    if table is None:
        return None
    return RouteCacheSettings(
        cacheStatus=table.cacheStatus,
        graceSeconds=table.graceSeconds,
        graceErrorSeconds=table.graceErrorSeconds,
        refreshUses=table.refreshUses,
        ignoreQuery=tuple(table.ignoreQuery),
        keyCookies=tuple(table.keyCookies),
        keyFields=tuple(table.keyFields),
        share=table.share,
        sortQuery=table.sortQuery,
        lifetimes=tuple(table.lifetimes.items()),
        force=None
        if table.force is None
        else ForceSettings(
            lifetimeSeconds=table.force.lifetimeSeconds,
            ignore=tuple(table.force.ignore),
            authorization=table.force.authorization,
        ),
        ignoreClient=table.ignoreClient,
        rangeMiss=table.rangeMiss,
        minUses=table.minUses,
        minUsesWithinSeconds=table.minUsesWithinSeconds,
        bypass=tuple(
            BypassSettings(
                path=each.path or "",
                query=each.query or "",
                cookie=each.cookie or "",
                field=each.field or "",
            )
            for each in table.bypass
        ),
        storeCookies=table.storeCookies,
    )


def _located(path: str | None, source: str) -> str | None:
    """Make a path absolute, which counts from the folder of the configuration file."""
    if path is None:
        return None
    folder = os.path.dirname(os.path.abspath(source))
    return os.path.normpath(os.path.join(folder, path))


def originTLSSettings(table: OriginTLSTable, source: str) -> OriginTLSSettings:
    """Make the settings of TLS with the servers of an upstream."""
    return OriginTLSSettings(
        ca=_located(table.ca, source),
        certificate=_located(table.certificate, source),
        key=_located(table.key, source),
        verify=table.verify,
        name=table.name,
        profile=table.profile,
    )


def tlsSettings(front: FrontTable, source: str) -> TLSSettings | None:
    """
    Make the settings of TLS, if it is spoken.

    Paths are made absolute, as files are read again when the process may be elsewhere.
    """
    table = front.tls
    if table is None:
        return None
    return TLSSettings(
        certificate=_located(table.certificate, source) or "",
        key=_located(table.key, source) or "",
        certificates=_located(table.certificates, source) or "",
        default=table.default or "",
        profile=table.profile,
        handshakeSeconds=table.handshakeSeconds,
        handshakes=table.handshakes,
        resumptionSeconds=table.resumptionSeconds,
        stapling=table.stapling,
        clients=_clientSettings(table.clients, source),
        acme=None if table.acme is None else _acmeSettings(table.acme, front, source),
    )


def _acmeSettings(table: AcmeTable, front: FrontTable, source: str) -> AcmeSettings:
    """Make the settings of certificates that a front gets by itself."""
    names = table.names
    if names is None:
        hosts = [host for route in getattr(front, "route", ()) for host in route.host]
        names = [tlsvalues.automaticName(host) for host in hosts if tlsvalues.isAutomatic(host)]
    return AcmeSettings(
        directory=table.directory,
        names=tuple(dict.fromkeys(names)),
        storage=_located(table.storage, source) or "",
        termsAgreed=table.termsAgreed,
        email=table.email or "",
        challenge=table.challenge,
        ca=_located(table.ca, source) or "",
        key=table.key,
    )


def httpsOnly(table: ReverseTable) -> HTTPSOnlySettings | None:
    """Make the settings of how clients come by TLS alone, if they do."""
    only = table.httpsOnly
    if only is None:
        return None
    return HTTPSOnlySettings(
        listen=plainBeside(table.listen) if only.listen is None else tuple(only.listen),
        port=only.port or portOf(table.listen[0]) or HTTPSOnlySettings().port,
        status=only.status,
        maxAgeSeconds=only.maxAgeSeconds,
        subdomains=only.subdomains,
        preload=only.preload,
    )


def interceptSettings(table: InterceptTable | None, source: str) -> InterceptSettings | None:
    """Make the settings of what is decrypted, if anything is."""
    if table is None:
        return None
    return InterceptSettings(
        ca=_located(table.ca, source) or "",
        key=_located(table.key, source) or "",
        excepted=tuple(table.excepted),
        only=tuple(table.only),
        ports=tuple(table.ports),
        trust=_located(table.trust, source),
        handshakeSeconds=table.handshakeSeconds,
        handshakes=table.handshakes,
    )


def _clientSettings(table: ClientsTable | None, source: str) -> ClientTLSSettings | None:
    """Make the settings of certificates of clients, if they are asked for."""
    if table is None:
        return None
    headers = {} if table.headers is None else dict(table.headers)
    return ClientTLSSettings(
        ca=_located(table.ca, source) or "",
        crl=_located(table.crl, source) or "",
        required=table.required,
        headers=tuple((what, headers[what]) for what in CONTENTS if headers.get(what)),
    )


def _rule(table: ClientRuleTable | None) -> ClientRuleSettings | None:
    """Make the settings of which clients are let in, if not all are."""
    if table is None:
        return None
    return ClientRuleSettings(
        subject=tuple(table.subject),
        san=tuple(table.san),
        fingerprint=tuple(table.fingerprint),
    )


def _reserved(document: Document) -> tuple[str, ...]:
    """
    Name the fields that tell servers of certificates, at any of the fronts.

    Fronts share upstreams, and what one of them says no client of another may say.
    """
    found: set[str] = set()
    for front in document.reverse.values():
        clients = None if front.tls is None else front.tls.clients
        if clients is not None and clients.headers is not None:
            found.update(name for name in dict(clients.headers).values() if name)
    return tuple(sorted(found))


def _common(name: str, table: FrontTable, limits: Limits, source: str) -> dict[str, Any]:
    """Gather what all fronts have."""
    return {
        "name": name,
        "limits": limits,
        "timeouts": Timeouts(**dict(table.timeouts)),
        "tls": tlsSettings(table, source),
        "via": table.via,
    }


def _forwardSettings(
    name: str, table: ForwardTable, limits: Limits, source: str
) -> ForwardSettings:
    """Make the settings of a forward front."""
    return ForwardSettings(
        **_common(name, table, limits, source),
        connectPorts=tuple(table.connectPorts),
        guarded=table.guard != Guard.OFF.value,
        allowDestinations=tuple(table.allowDestinations),
        intercept=interceptSettings(table.intercept, source),
        cache=_routeCache(table.cache),
        clientCertificate=_rule(table.clientCertificate),
    )


def _reverseSettings(
    name: str,
    table: ReverseTable,
    limits: Limits,
    upstreams: Mapping[str, UpstreamSettings],
    source: str,
    reserved: tuple[str, ...],
) -> ReverseSettings:
    """Make the settings of a reverse front."""
    return ReverseSettings(
        **_common(name, table, limits, source),
        routes=tuple(
            RouteSettings(
                upstream=upstreams[route.upstream],
                host=tuple(route.host),
                path=route.path,
                preserveHost=route.preserveHost,
                cache=_routeCache(route.cache),
                clientCertificate=_rule(route.clientCertificate),
                clientHeaders=route.clientHeaders,
            )
            for route in table.route
        ),
        passthrough=tuple(
            PassageSettings(
                upstream=upstreams[passage.upstream],
                names=tuple(passage.names),
                alpn=tuple(passage.alpn),
            )
            for passage in table.passthrough
        ),
        trustedProxies=tuple(table.trustedProxies),
        httpsOnly=httpsOnly(table),
        reservedFields=reserved,
    )


__all__ = [
    "configurationOf",
    "httpsOnly",
    "interceptSettings",
    "originTLSSettings",
    "tlsSettings",
]
