# -*- test-case-name: tests.ops.test_reading -*-
"""
From the text of a configuration file to settings, or to all of its problems.

In order: TOML's syntax, which stops at its first error; then each value by the
model and, over the same raw tables, what must agree between them.
"""

from __future__ import annotations

import os
import re
import tomllib
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

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
from . import values
from .acmefindings import acmeFindings
from .authorityfindings import authorityFindings
from .certificatefindings import certificateFindings
from .clientconsistency import clientInconsistencies, clientOddities
from .config import Configuration, ForwardFront, Guard, LogSettings, ReverseFront
from .consistency import inconsistencies, oddities
from .httpsfindings import httpsFindings
from .listeners import plainBeside, portOf
from .passagefindings import passageFindings
from .places import Places, dotted
from .problems import ABSENT, ConfigurationError, Problem, nearest, spell
from .schema import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic.fields import FieldInfo

    from .cachetables import CacheTable, RouteCacheTable
    from .consistency import Finding
    from .fronttables import ForwardTable, FrontTable, InterceptTable, ReverseTable
    from .tlstables import AcmeTable, ClientRuleTable, ClientsTable, OriginTLSTable

_POSITION = re.compile(r" \(at line (\d+), column (\d+)\)$")


def parse(octets: bytes, source: str) -> Configuration:
    """
    Read a configuration.

    @param octets: the content of the file.
    @param source: its path, for messages.
    @raise ConfigurationError: with every problem that could be found.
    """
    text = _decode(octets, source)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([_syntax(error, text, source)]) from None
    places = Places(text)
    problems = []
    model = None
    try:
        model = Document.model_validate(document)
    except ValidationError as error:
        problems += [
            _problem(details, source, places) for details in error.errors(include_url=False)
        ]
    found = (
        *inconsistencies(document),
        *httpsFindings(document),
        *passageFindings(document),
        *clientInconsistencies(document),
    )
    problems += _placed(found, source, places)
    odd: list[Finding] = []
    if model is not None:
        wrong, odd = _certificates(model, document, source)
        problems += _placed(wrong, source, places)
    if problems or model is None:
        # A problem without a line is about the file as a whole: last.
        raise ConfigurationError(sorted(problems, key=lambda p: p.line or len(text)))
    odd = [*oddities(document), *clientOddities(document), *odd]
    return _configuration(model, source, _placed(odd, source, places))


def _certificates(
    model: Document, document: Mapping[str, Any], source: str
) -> tuple[list[Finding], list[Finding]]:
    """Find what is wrong with certificates, and what is odd about them."""
    wrong: list[Finding] = []
    odd: list[Finding] = []
    plain = [
        route.host for each in model.reverse.values() if each.tls is None for route in each.route
    ]
    for each in model.reverse.values():
        only = _httpsOnly(each)
        if only is not None and only.listen:
            # What is asked for there is answered before it is redirected, for any host.
            plain.append([])
    for kind, tables in (("forward", model.forward), ("reverse", model.reverse)):
        for name, table in tables.items():
            settings = _tlsSettings(table, source)
            if settings is None:
                continue
            path, written = (kind, name, "tls"), document[kind][name]["tls"]
            for found in (
                certificateFindings(path, written, settings),
                acmeFindings(path, written, settings, plain),
            ):
                wrong += found[0]
                odd += found[1]
    for name, forward in model.forward.items():
        intercept = _interceptSettings(forward.intercept, source)
        if intercept is not None:
            both = authorityFindings(
                ("forward", name, "intercept"), document["forward"][name]["intercept"], intercept
            )
            wrong += both[0]
            odd += both[1]
    return wrong, odd


def _decode(octets: bytes, source: str) -> str:
    """Decode a file, which TOML wants in UTF-8."""
    try:
        return octets.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        problem = Problem(
            file=source,
            line=octets.count(b"\n", 0, error.start) + 1,
            table="",
            message="is not in UTF-8",
            remedy="save the file as UTF-8",
        )
        raise ConfigurationError([problem]) from None


def _syntax(error: tomllib.TOMLDecodeError, text: str, source: str) -> Problem:
    """Say where a file stops being TOML."""
    message = str(error)
    if position := _POSITION.search(message):
        line, column = int(position[1]), int(position[2])
        message = message[: position.start()]
    else:
        line, column = text.count("\n") + 1, 1
        message = message.removesuffix(" (at end of document)") + " at the end of the file"
    lines = text.split("\n")
    shown = lines[line - 1].strip() if line <= len(lines) else ""
    return Problem(
        file=source,
        line=line,
        column=column,
        table="",
        value=shown or ABSENT,
        message=f"is not valid TOML: {message}",
        remedy="strings need quotes; a key stands once in its table",
    )


def _placed(findings: Iterable[Finding], source: str, places: Places) -> list[Problem]:
    """Give findings their file and line."""
    return [
        Problem(
            file=source,
            line=places.of(finding.path),
            table=dotted(finding.path),
            value=finding.value,
            message=finding.message,
            remedy=finding.remedy,
        )
        for finding in findings
    ]


def _problem(details: Mapping[str, Any], source: str, places: Places) -> Problem:
    """Word one of pydantic's errors for an operator."""
    kind: str = details["type"]
    # A key that is no valid name is reported at (..., key, "[key]").
    path = tuple(part for part in details["loc"] if part != "[key]")
    context = details.get("ctx", {})
    value = details["input"]
    siblings, field = _describe(path)
    if kind == "extra_forbidden":
        message, remedy = "unknown key", nearest(str(path[-1]), siblings)
        value = ABSENT if isinstance(value, dict) else value
    elif kind == "missing":
        message, value = "is missing", ABSENT
        remedy = f"add {_example(path, field)}"
    elif kind == "unfit":
        message, remedy = context["message"], context["remedy"]
    else:
        message = re.sub(r"^(Input|[A-Z]\w+) should (be|have)", r"must \2", details["msg"])
        message = message[0].lower() + message[1:]
        # Pydantic would also take an object of the model, by the name of its class.
        message = re.sub(r"a valid dictionary( or instance of \w+)?", "a table", message)
        message = message.replace("list", "array")
        message = message.replace(" after validation, not 0", "")
        remedy = f"write for example {_example(path, field)}"
    return Problem(
        file=source,
        line=places.of(path),
        table=dotted(path),
        value=value,
        message=message,
        remedy=remedy,
    )


def _describe(path: tuple[str | int, ...]) -> tuple[list[str], FieldInfo | None]:
    """
    Find what the model says about a path.

    @return: the keys known beside its last part, and the innermost field on
        the way to it.
    """
    inner: Any = Document
    siblings: list[str] = []
    found: FieldInfo | None = None
    for part in path:
        if isinstance(part, int):
            continue
        if get_origin(inner) is dict:
            siblings, inner = [], get_args(inner)[1]
            continue
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        fields = {str(field.alias): field for field in inner.model_fields.values()}
        siblings = list(fields)
        if part not in fields:
            break
        found = fields[part]
        inner = found.annotation
        if get_origin(inner) is UnionType:
            # A table that may be absent.
            inner = get_args(inner)[0]
        if get_origin(inner) is list:
            inner = get_args(inner)[0]
    return siblings, found


def _example(path: tuple[str | int, ...], field: FieldInfo | None) -> str:
    """Write down a key with a value that it could have."""
    keys = [part for part in path if isinstance(part, str)]
    if field is None or field.annotation is None:
        return f"[{'.'.join(keys)}]"
    if field.examples:
        return f"{field.alias} = {spell(field.examples[0])}"
    if field.alias in {"forward", "reverse", "upstream"}:
        return f"[{'.'.join([*keys, 'NAME'][:2])}]"
    if field.alias in {"route", "passthrough"}:
        return f"[[{'.'.join(keys)}]]"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return f"[{'.'.join(keys)}]"
    return f"{field.alias} = {'unlimited' if value is None else spell(value)}"


def _configuration(document: Document, source: str, warnings: Iterable[Problem]) -> Configuration:
    """Turn a valid document into settings."""
    limits = Limits(**dict(document.limits))
    reserved = _reserved(document)
    upstreams = {
        name: UpstreamSettings(
            name=name,
            servers=tuple(table.servers),
            tls=_originTLSSettings(table.tls, source),
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


def _originTLSSettings(table: OriginTLSTable, source: str) -> OriginTLSSettings:
    """Make the settings of TLS with the servers of an upstream."""
    return OriginTLSSettings(
        ca=_located(table.ca, source),
        certificate=_located(table.certificate, source),
        key=_located(table.key, source),
        verify=table.verify,
        name=table.name,
        profile=table.profile,
    )


def _tlsSettings(front: FrontTable, source: str) -> TLSSettings | None:
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
        names = [values.automaticName(host) for host in hosts if values.isAutomatic(host)]
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


def _httpsOnly(table: ReverseTable) -> HTTPSOnlySettings | None:
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


def _interceptSettings(table: InterceptTable | None, source: str) -> InterceptSettings | None:
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
        "tls": _tlsSettings(table, source),
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
        intercept=_interceptSettings(table.intercept, source),
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
        httpsOnly=_httpsOnly(table),
        reservedFields=reserved,
    )
