# -*- test-case-name: tests.ops.test_reading -*-
"""
From the text of a configuration file to settings, or to all of its problems.

In order: TOML's syntax, which stops at its first error; then each value by the
model and, over the same raw tables, what must agree between them.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from .acmefindings import acmeFindings
from .authorityfindings import authorityFindings
from .certificatefindings import certificateFindings
from .clientconsistency import clientInconsistencies, clientOddities
from .consistency import inconsistencies, oddities
from .fromtables import (
    configurationOf,
    httpsOnly,
    interceptSettings,
    originTLSSettings,
    tlsSettings,
)
from .httpsfindings import httpsFindings
from .originfindings import originFindings
from .passagefindings import passageFindings
from .places import Places, dotted
from .problems import ABSENT, ConfigurationError, Problem, nearest, spell
from .schema import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic.fields import FieldInfo

    from .config import Configuration
    from .findings import Finding

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
    read = configurationOf(model, source, _placed(odd, source, places))
    return replace(read, lineOf=places.of)


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
        only = httpsOnly(each)
        if only is not None and only.listen:
            # What is asked for there is answered before it is redirected, for any host.
            plain.append([])
    for kind, tables in (("forward", model.forward), ("reverse", model.reverse)):
        for name, table in tables.items():
            settings = tlsSettings(table, source)
            if settings is None:
                continue
            path, written = (kind, name, "tls"), document[kind][name]["tls"]
            hosts = [host for route in getattr(table, "route", ()) for host in route.host]
            for found in (
                certificateFindings(path, written, settings, hosts),
                acmeFindings(path, written, settings, plain),
            ):
                wrong += found[0]
                odd += found[1]
    for name, forward in model.forward.items():
        intercept = interceptSettings(forward.intercept, source)
        if intercept is not None:
            both = authorityFindings(
                ("forward", name, "intercept"), document["forward"][name]["intercept"], intercept
            )
            wrong += both[0]
            odd += both[1]
    for name, upstream in model.upstream.items():
        if any(url.startswith("https:") for url in upstream.servers):
            origin = originTLSSettings(upstream.tls, source)
            written = document["upstream"][name].get("tls", {})
            wrong += originFindings(("upstream", name, "tls"), written, origin)
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
