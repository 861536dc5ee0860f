# -*- test-case-name: tests.ops.test_schema -*-
"""
What tables of the configuration file are made of: the kinds of values that keys have.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.json_schema import WithJsonSchema
from pydantic_core import PydanticCustomError

from . import listeners, tlsvalues, values
from .logformat import compileFormat


def _kebab(attribute: str) -> str:
    """Spell an attribute as a key: C{headerOctets} is C{header-octets}."""
    return re.sub(r"([A-Z])", r"-\1", attribute).lower()


def fit(check: Any) -> Any:
    """Turn a check of L{values} into one whose refusals pydantic collects."""

    def checked(value: Any) -> Any:
        try:
            return check(value)
        except values.Unfit as error:
            raise PydanticCustomError(
                "unfit", "{message}", {"message": error.message, "remedy": error.remedy}
            ) from error

    return checked


_SIZE_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "integer", "minimum": 1},
        {"type": "string", "pattern": r"^\d+\s*([kMGT]?B|[KMGT]iB)?$"},
    ]
}
_UNLIMITED_SCHEMA: dict[str, Any] = {
    "anyOf": [*_SIZE_SCHEMA["anyOf"], {"const": "unlimited"}],
}
_DURATION_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": r"^\d+\s*[smhdwy]$"},
    ]
}
Size = Annotated[int, BeforeValidator(fit(values.octets)), WithJsonSchema(_SIZE_SCHEMA)]
SizeOrUnlimited = Annotated[
    int | None,
    BeforeValidator(fit(values.octetsOrUnlimited)),
    WithJsonSchema(_UNLIMITED_SCHEMA),
]
Duration = Annotated[int, BeforeValidator(fit(values.duration)), WithJsonSchema(_DURATION_SCHEMA)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Grace = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Uses = Annotated[int, Field(ge=0)]
CertificateField = Annotated[str, AfterValidator(fit(tlsvalues.certificateField))]
SubjectPattern = Annotated[str, AfterValidator(fit(tlsvalues.subjectPattern))]
AlternativePattern = Annotated[str, AfterValidator(fit(tlsvalues.alternativePattern))]
Fingerprint = Annotated[str, AfterValidator(fit(tlsvalues.certificateFingerprint))]
CookieName = Annotated[str, AfterValidator(fit(values.cookieName))]
KeyField = Annotated[str, AfterValidator(fit(values.keyField))]
ParameterPattern = Annotated[str, AfterValidator(fit(values.parameterPattern))]
FieldName = Annotated[str, AfterValidator(fit(values.fieldName))]
CookiePattern = Annotated[str, AfterValidator(fit(values.cookiePattern))]
Status = Annotated[str, AfterValidator(fit(values.status))]
PathPattern = Annotated[str, AfterValidator(fit(values.pathPattern))]
Port = Annotated[int, Field(ge=1, le=65535)]
Name = Annotated[str, AfterValidator(fit(values.name))]
Endpoint = Annotated[str, AfterValidator(fit(listeners.endpoint))]
Network = Annotated[str, AfterValidator(fit(values.network))]
Intercepted = Annotated[str, AfterValidator(fit(values.intercepted))]
Destination = Annotated[str, AfterValidator(fit(values.destination))]
ServerURL = Annotated[str, AfterValidator(fit(values.upstreamURL))]
Protocol = Annotated[str, AfterValidator(fit(tlsvalues.protocol))]
CertificateName = Annotated[str, AfterValidator(fit(tlsvalues.certificateName))]
Host = Annotated[str, AfterValidator(fit(values.hostPattern))]
PathPrefix = Annotated[str, AfterValidator(fit(values.pathPrefix))]
Pseudonym = Annotated[str, AfterValidator(fit(values.pseudonym))]
FilePath = Annotated[str, AfterValidator(fit(values.file))]
AutomaticName = Annotated[str, AfterValidator(fit(tlsvalues.automaticName))]
DirectoryURL = Annotated[str, AfterValidator(fit(tlsvalues.directory))]
Email = Annotated[str, AfterValidator(fit(tlsvalues.email))]
PEMFile = Annotated[str, AfterValidator(fit(tlsvalues.pemFile))]
ServerName = Annotated[str, AfterValidator(fit(tlsvalues.serverName))]
FolderPath = Annotated[str, AfterValidator(fit(values.folder))]
AccessLogPath = Annotated[str, AfterValidator(fit(values.accessLog))]
Format = Annotated[str, AfterValidator(fit(lambda text: compileFormat(text) and text))]


class Table(BaseModel):
    """A table of the file: unknown keys are errors, nothing is converted."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        alias_generator=_kebab,
        hide_input_in_errors=False,
    )


def switch(example: str) -> Any:
    """Make what reads C{true} as an empty table, and C{false} as none."""

    def read(value: Any) -> Any:
        if value is True:
            return {}
        if value is False:
            return None
        if isinstance(value, dict):
            return value
        raise values.Unfit("must be true, false or a table", f"write for example {example}")

    return fit(read)


def switchSchema(default: bool) -> Any:
    """Make what says in the JSON Schema that a table may be C{true} or C{false}."""

    def say(schema: dict[str, Any]) -> None:
        schema["anyOf"] = [{"type": "boolean"}, *schema["anyOf"][:1]]
        schema["default"] = default

    return say


__all__ = [
    "AccessLogPath",
    "AlternativePattern",
    "AutomaticName",
    "CertificateField",
    "CertificateName",
    "CookieName",
    "CookiePattern",
    "Count",
    "Destination",
    "DirectoryURL",
    "Duration",
    "Email",
    "Endpoint",
    "FieldName",
    "FilePath",
    "Fingerprint",
    "FolderPath",
    "Format",
    "Grace",
    "Host",
    "Intercepted",
    "KeyField",
    "Name",
    "Network",
    "PEMFile",
    "ParameterPattern",
    "PathPattern",
    "PathPrefix",
    "Port",
    "Protocol",
    "Pseudonym",
    "Seconds",
    "ServerName",
    "ServerURL",
    "Size",
    "SizeOrUnlimited",
    "Status",
    "SubjectPattern",
    "Table",
    "Uses",
    "fit",
    "switch",
    "switchSchema",
]
