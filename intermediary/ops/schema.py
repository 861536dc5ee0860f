# -*- test-case-name: tests.ops.test_schema -*-
"""
The configuration file as a model: its tables, keys, units, defaults, dangers.

The descriptions here are the manual: the configuration reference of the
documentation and the JSON Schema for editors are printed from them.  Defaults
come from L{intermediary.settings} and stand nowhere else.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ..settings import Limits, PoolSettings
from .cachetables import CacheTable  # noqa: TC001 - pydantic needs it
from .config import Configuration, LogSettings
from .fronttables import ForwardTable, ReverseTable  # noqa: TC001 - pydantic needs them
from .tables import (
    AccessLogPath,
    Count,
    Format,
    Name,
    Seconds,
    ServerURL,
    Size,
    SizeOrUnlimited,
    Table,
)
from .tlstables import OriginTLSTable

_LIMITS = Limits()
_POOL = PoolSettings()
_LOG = LogSettings()
_CONFIGURATION = Configuration()


class UpstreamTable(Table):
    """A named group of servers, tried round robin."""

    servers: list[ServerURL] = Field(
        min_length=1,
        examples=[["http://127.0.0.1:9000"]],
        description='URLs of the servers: `"http://HOST[:PORT]"`, port 80 unless given, or '
        '`"https://HOST[:PORT]"`, port 443 unless given. For clients that are passed through: '
        '`"tcp://HOST:PORT"`. A server named twice gets twice the share.',
    )
    tls: OriginTLSTable = Field(
        default_factory=OriginTLSTable,
        examples=[{"ca": "backends-ca.pem"}],
        description="How TLS is spoken with those of `https`. Absent: they are verified by what "
        "the system trusts.",
    )


class LimitsTable(Table):
    """
    What one message and the process may take, over all fronts.

    Sizes are in octets, or strings with a unit: `"64KiB"`, `"10MB"`.
    """

    headerOctets: Size = Field(
        default=_LIMITS.headerOctets,
        description="The request line (or status line) and all fields of one message. A request "
        "over it gets 431; a response over it becomes 502. Each connection may hold this much "
        "memory. Octets.",
    )
    headerFields: Count = Field(
        default=_LIMITS.headerFields,
        description="Field lines in one head or trailer section. A request over it gets 431.",
    )
    targetOctets: Size = Field(
        default=_LIMITS.targetOctets,
        description="The request target. A request over it gets 414. Octets.",
    )
    trailerOctets: Size = Field(
        default=_LIMITS.trailerOctets,
        description="The trailer section of a chunked message. Octets.",
    )
    bodyOctets: SizeOrUnlimited = Field(
        default=_LIMITS.bodyOctets,
        examples=["10MiB"],
        json_schema_extra={"default": "unlimited"},
        description='The content of one request, or `"unlimited"`. Over it the client gets 413. '
        "Bodies are streamed, so a large one costs no memory here, but the upstreams may mind. "
        "Octets.",
    )
    connections: Count = Field(
        default=_LIMITS.connections,
        description="Client connections open at once, over all fronts. Each may need two file "
        "descriptors, a tunnel up to six: `LimitNOFILE` or `ulimit -n` must allow them.",
    )


class PoolTable(Table):
    """The connections to upstreams, which all fronts share."""

    perOrigin: Count = Field(
        default=_POOL.perOrigin,
        description="Connections to one server (scheme, host and port), in use and idle.",
    )
    total: Count = Field(
        default=_POOL.total,
        description="Connections to all servers, in use and idle.",
    )
    waiters: Count = Field(
        default=_POOL.waiters,
        description="Exchanges that may wait for a connection to one server when it has "
        "`per-origin` of them. One more gets 503 at once.",
    )
    waitSeconds: Seconds = Field(
        default=_POOL.waitSeconds,
        alias="wait",
        description="How long one of them waits before it gets 503. Seconds.",
    )
    idleSeconds: Seconds = Field(
        default=_POOL.idleSeconds,
        alias="idle",
        description="How long an unused connection is kept. Longer than the servers' own "
        "keep-alive, requests meet connections that are just closing. Seconds.",
    )
    ageSeconds: Seconds = Field(
        default=_POOL.ageSeconds,
        alias="age",
        description="How long any connection is used before a fresh one takes its place, so "
        "that changed addresses are noticed. Seconds.",
    )


class LogTable(Table):
    """The access log: one line for each exchange, at its end."""

    access: AccessLogPath | None = Field(
        default=_LOG.access,
        examples=["access.log"],
        description='A file, or `"-"` for standard output; absent: no log. Standard output is for '
        "`twistd -n`: that of a daemon goes nowhere. A relative path "
        "counts from the working directory (`twistd --rundir`). The file is reopened when it "
        "was moved away, so plain renaming rotates it. It holds personal data.",
    )
    format: Format = Field(
        default=_LOG.format,
        examples=["combined", "json", "$peer $method $target $status $seconds"],
        description="`combined` (as Apache and nginx write it), `json` (one object a line), or "
        "a template with variables; see the list in the reference.",
    )


class Document(Table):
    """The whole file."""

    shutdownSeconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        default=_CONFIGURATION.shutdownSeconds,
        description="After SIGTERM: how long exchanges and tunnels may go on before they are "
        "dropped. Keep it below what the service manager allows. Seconds.",
    )
    forward: dict[Name, ForwardTable] = Field(
        default={},
        description="Forward fronts by name.",
    )
    reverse: dict[Name, ReverseTable] = Field(
        default={},
        description="Reverse fronts by name.",
    )
    upstream: dict[Name, UpstreamTable] = Field(
        default={},
        description="Upstreams by name.",
    )
    limits: LimitsTable = Field(default_factory=LimitsTable)
    pool: PoolTable = Field(default_factory=PoolTable)
    cache: CacheTable | None = Field(
        default=None,
        examples=[{"memory": "256MiB"}],
        description="The cache; absent: there is none.",
    )
    log: LogTable = Field(default_factory=LogTable)


def jsonSchema() -> dict[str, Any]:
    """Return the JSON Schema of the file, for editors that complete TOML."""
    schema = Document.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "intermediary"
    return schema


__all__ = ["Document", "LimitsTable", "LogTable", "PoolTable", "UpstreamTable", "jsonSchema"]
