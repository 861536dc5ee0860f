# -*- test-case-name: tests.ops.test_schema -*-
"""
The configuration file as a model: its tables, keys, units, defaults, dangers.

The descriptions here are the manual: the configuration reference of the
documentation and the JSON Schema for editors are printed from them.  Defaults
come from L{intermediary.settings} and stand nowhere else.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)
from pydantic.json_schema import WithJsonSchema
from pydantic_core import PydanticCustomError

from ..settings import (
    CacheSettings,
    ClientTLSSettings,
    ForceSettings,
    ForwardSettings,
    HTTPSOnlySettings,
    InterceptSettings,
    Limits,
    OriginTLSSettings,
    PoolSettings,
    RouteCacheSettings,
    RouteSettings,
    Timeouts,
    TLSSettings,
    UpstreamSettings,
)
from . import listeners, values
from .config import Configuration, ForwardFront, LogSettings
from .logformat import compileFormat

_LIMITS = Limits()
_TIMEOUTS = Timeouts()
_POOL = PoolSettings()
_LOG = LogSettings()
_FORWARD = ForwardSettings(name="default")
_FORWARD_FRONT = ForwardFront(settings=_FORWARD, listen=())
_ROUTE = RouteSettings(upstream=UpstreamSettings(name="default", servers=()))
_CACHE = CacheSettings()
_ROUTE_CACHE = RouteCacheSettings()
_ORIGIN_TLS = OriginTLSSettings()
_FORCE = ForceSettings()
_TLS = TLSSettings()
_CLIENT_TLS = ClientTLSSettings(ca="")
_HTTPS_ONLY = HTTPSOnlySettings()
_INTERCEPT = InterceptSettings(ca="")
_CONFIGURATION = Configuration()


def _kebab(attribute: str) -> str:
    """Spell an attribute as a key: C{headerOctets} is C{header-octets}."""
    return re.sub(r"([A-Z])", r"-\1", attribute).lower()


def _fit(check: Any) -> Any:
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

Size = Annotated[int, BeforeValidator(_fit(values.octets)), WithJsonSchema(_SIZE_SCHEMA)]
SizeOrUnlimited = Annotated[
    int | None,
    BeforeValidator(_fit(values.octetsOrUnlimited)),
    WithJsonSchema(_UNLIMITED_SCHEMA),
]
Duration = Annotated[int, BeforeValidator(_fit(values.duration)), WithJsonSchema(_DURATION_SCHEMA)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Grace = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Uses = Annotated[int, Field(ge=0)]
CertificateField = Annotated[str, AfterValidator(_fit(values.certificateField))]
SubjectPattern = Annotated[str, AfterValidator(_fit(values.subjectPattern))]
AlternativePattern = Annotated[str, AfterValidator(_fit(values.alternativePattern))]
Fingerprint = Annotated[str, AfterValidator(_fit(values.certificateFingerprint))]
CookieName = Annotated[str, AfterValidator(_fit(values.cookieName))]
KeyField = Annotated[str, AfterValidator(_fit(values.keyField))]
ParameterPattern = Annotated[str, AfterValidator(_fit(values.parameterPattern))]
FieldName = Annotated[str, AfterValidator(_fit(values.fieldName))]
CookiePattern = Annotated[str, AfterValidator(_fit(values.cookiePattern))]
Status = Annotated[str, AfterValidator(_fit(values.status))]
PathPattern = Annotated[str, AfterValidator(_fit(values.pathPattern))]
Port = Annotated[int, Field(ge=1, le=65535)]
Name = Annotated[str, AfterValidator(_fit(values.name))]
Endpoint = Annotated[str, AfterValidator(_fit(listeners.endpoint))]
Network = Annotated[str, AfterValidator(_fit(values.network))]
Intercepted = Annotated[str, AfterValidator(_fit(values.intercepted))]
Destination = Annotated[str, AfterValidator(_fit(values.destination))]
ServerURL = Annotated[str, AfterValidator(_fit(values.upstreamURL))]
Protocol = Annotated[str, AfterValidator(_fit(values.protocol))]
CertificateName = Annotated[str, AfterValidator(_fit(values.certificateName))]
Host = Annotated[str, AfterValidator(_fit(values.hostPattern))]
PathPrefix = Annotated[str, AfterValidator(_fit(values.pathPrefix))]
Pseudonym = Annotated[str, AfterValidator(_fit(values.pseudonym))]
FilePath = Annotated[str, AfterValidator(_fit(values.file))]
AutomaticName = Annotated[str, AfterValidator(_fit(values.automaticName))]
DirectoryURL = Annotated[str, AfterValidator(_fit(values.directory))]
Email = Annotated[str, AfterValidator(_fit(values.email))]
PEMFile = Annotated[str, AfterValidator(_fit(values.pemFile))]
ServerName = Annotated[str, AfterValidator(_fit(values.serverName))]
FolderPath = Annotated[str, AfterValidator(_fit(values.folder))]
AccessLogPath = Annotated[str, AfterValidator(_fit(values.accessLog))]
Format = Annotated[str, AfterValidator(_fit(lambda text: compileFormat(text) and text))]


class Table(BaseModel):
    """A table of the file: unknown keys are errors, nothing is converted."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        alias_generator=_kebab,
        hide_input_in_errors=False,
    )


class TimeoutsTable(Table):
    """
    How long this front waits, in seconds.

    Each is a deadline, not a hint: when it passes, the connection is dropped.
    """

    connectSeconds: Seconds = Field(
        default=_TIMEOUTS.connectSeconds,
        alias="connect",
        description="For a connection to an upstream, name resolution and TLS handshake included. "
        "After it the client gets 504. Seconds.",
    )
    requestHeadSeconds: Seconds = Field(
        default=_TIMEOUTS.requestHeadSeconds,
        alias="request-head",
        description="From the first octet of a request's head, or from the accept, to its end. "
        "Octets that trickle in do not extend it. Long values let slow clients hold "
        "connections. Seconds.",
    )
    idleSeconds: Seconds = Field(
        default=_TIMEOUTS.idleSeconds,
        alias="idle",
        description="For the next request on a kept connection. Each idle connection costs "
        "some KiB of memory. Seconds.",
    )
    responseHeadSeconds: Seconds = Field(
        default=_TIMEOUTS.responseHeadSeconds,
        alias="response-head",
        description="From the end of the request to the end of the response's head. After it "
        "the client gets 504. Raise it for upstreams that compute long. Seconds.",
    )
    betweenBytesSeconds: Seconds = Field(
        default=_TIMEOUTS.betweenBytesSeconds,
        alias="between-bytes",
        description="Between two pieces of a body, in either direction. A body may take as "
        "long as it likes while it moves. Seconds.",
    )
    tunnelIdleSeconds: Seconds = Field(
        default=_TIMEOUTS.tunnelIdleSeconds,
        alias="tunnel-idle",
        description="For a tunnel in which nothing moves either way. Seconds.",
    )


def _switch(example: str) -> Any:
    """Make what reads C{true} as an empty table, and C{false} as none."""

    def read(value: Any) -> Any:
        if value is True:
            return {}
        if value is False:
            return None
        if isinstance(value, dict):
            return value
        raise values.Unfit("must be true, false or a table", f"write for example {example}")

    return _fit(read)


def _switchSchema(default: bool) -> Any:
    """Make what says in the JSON Schema that a table may be C{true} or C{false}."""

    def say(schema: dict[str, Any]) -> None:
        schema["anyOf"] = [{"type": "boolean"}, *schema["anyOf"][:1]]
        schema["default"] = default

    return say


def _saying(value: Any) -> Any:
    """Refuse a condition that says nothing."""
    if value == {}:
        raise values.Unfit(
            "says nothing, so every request would fit", 'write for example { cookie = "session*" }'
        )
    return value


class BypassTable(Table):
    """
    Requests that are neither answered from the cache nor stored: all that is said has to fit.

    `bypass` is an array of these tables, `bypass = [{ cookie = "session*" }, { path =
    "/admin/*", field = "X-Preview" }]`, and one that fits is enough. In patterns `*` stands for
    anything, slashes too. Other methods than GET and HEAD still make stored responses invalid.
    """

    _saysSomething = model_validator(mode="before")(_fit(_saying))

    path: PathPattern | None = Field(
        default=None,
        examples=["/admin/*"],
        description="A pattern of paths.",
    )
    query: ParameterPattern | None = Field(
        default=None,
        examples=["preview"],
        description="A pattern of names of query parameters.",
    )
    cookie: CookiePattern | None = Field(
        default=None,
        examples=["session*"],
        description="A pattern of names of cookies.",
    )
    field: FieldName | None = Field(
        default=None,
        examples=["Authorization"],
        description="The name of a request field.",
    )


def _forcing(value: Any) -> Any:
    """Refuse to force nothing."""
    if isinstance(value, dict) and not any(
        each is not False and each != [] for each in value.values()
    ):
        raise values.Unfit(
            "forces nothing", 'write for example { lifetime = 60, ignore = ["Cache-Control"] }'
        )
    return value


class ForceTable(Table):
    """
    What you know better than the origin, as `force = { lifetime = 60 }`.

    With it the cache gives to everybody what the origin may have meant for one client: the pages of
    an account, a token in a form. Put it on routes whose answers are the same for all, and no others.
    """

    _forcesSomething = model_validator(mode="before")(_fit(_forcing))

    lifetimeSeconds: Seconds | None = Field(
        default=_FORCE.lifetimeSeconds,
        alias="lifetime",
        examples=[60],
        description="For how long answers of a status below 400 are fresh, whatever lifetime they "
        "state; absent, for what they state. `no-store`, `private` and `no-cache` still count, "
        "unless `Cache-Control` is ignored. Seconds.",
    )
    ignore: list[Literal["Cache-Control", "Expires", "Set-Cookie", "Vary"]] = Field(
        default=[],
        examples=[["Cache-Control", "Expires"]],
        description="Fields of answers that count for nothing here. Without `Cache-Control`, what "
        "is `private` or `no-store` is stored. Without `Vary`, clients get an answer in the coding "
        "and language of whoever asked first. Without `Set-Cookie`, an answer is stored although it "
        "sets cookies, but without these: only the client that it was made for gets them.",
    )
    authorization: bool = Field(
        default=_FORCE.authorization,
        description="Whether requests with `Authorization` are cached as all others. Everybody, "
        "also without credentials, gets what the first of them was allowed to see. When false, "
        "they go past the cache.",
    )


class RouteCacheTable(Table):
    """
    How a route is cached, where there is a `[cache]`.

    `cache = true` takes the defaults, `cache = false` caches nothing.
    """

    cacheStatus: Literal["on", "key", "off"] = Field(
        default=_ROUTE_CACHE.cacheStatus,
        examples=["off"],
        description="What clients see of `Cache-Status`: what became of the request (`on`), the "
        "key in the cache as well (`key`), or nothing (`off`). A key has the name of the front "
        "in it, and the values of `key-fields` and `key-cookies`, which scripts in a page "
        "could not read otherwise: it is for looking into things. The access log has it all "
        "the same.",
    )
    graceSeconds: Grace = Field(
        default=_ROUTE_CACHE.graceSeconds,
        alias="grace",
        description="For how long after it became stale a response may be used while it is "
        "validated in the background, where the response does not forbid that. Clients get "
        "answers that are that much too old. Seconds.",
    )
    graceErrorSeconds: Grace = Field(
        default=_ROUTE_CACHE.graceErrorSeconds,
        alias="grace-error",
        description="For how long it may stand in for an origin that can't be reached, or "
        "answers with 500, 502, 503 or 504. Seconds.",
    )
    refreshUses: Uses = Field(
        default=_ROUTE_CACHE.refreshUses,
        examples=[3],
        description="How often a response has to be used in its lifetime to be validated "
        "shortly before that ends: in its last tenth, or 60 s, whichever is less. Lifetimes "
        "below 10 s don't count, and 0 is never. These are requests that no client made: low "
        "values send the origin some for what nobody asks for again.",
    )
    ignoreQuery: list[ParameterPattern] = Field(
        default=list(_ROUTE_CACHE.ignoreQuery),
        examples=[["utm_*", "fbclid"]],
        description="Names of query parameters that make no difference, also with `*`. The "
        "origin still gets them, so one that does look at them answers for everybody.",
    )
    keyCookies: list[CookieName] = Field(
        default=list(_ROUTE_CACHE.keyCookies),
        examples=[["lang"]],
        description="Names of cookies that are part of the key: what is stored for one value "
        "answers no other. A request in which it is not clear which value one has (it is there "
        "twice, `Cookie` is, or is not as RFC 6265 has it) is sent on and its answer not stored. "
        "Never a session: it fills the cache with what is of use to one client.",
    )
    keyFields: list[KeyField] = Field(
        default=list(_ROUTE_CACHE.keyFields),
        examples=[["X-Device"]],
        description="Names of request fields that are part of the key, for origins that look at "
        "them and do not say so in `Vary`. Their values are compared octet by octet, and "
        "clients choose them: each one is fetched and stored.",
    )
    share: Name | None = Field(
        default=_ROUTE_CACHE.share,
        examples=["site"],
        description="The name of a part of the cache that all fronts and routes which give the "
        "same name have in common; absent: each front has its own. **What is stored through "
        "one of them answers the clients of all**, so they have to lead to the same servers. "
        "They should also make the same keys of a URL.",
    )
    sortQuery: bool = Field(
        default=_ROUTE_CACHE.sortQuery,
        description="Whether the order of query parameters makes no difference.",
    )
    lifetimes: dict[Status, Grace] = Field(
        default={},
        examples=[{"404": 10, "5xx": 2}],
        description="For how long responses are fresh that do not say so, by status or by class; "
        "a status counts for more than its class. They are stored then, also with statuses that "
        "otherwise are not, unless something forbids that: `private`, `no-store`, `Set-Cookie`, "
        "an `Authorization` of the request. An error is not stored in the place of what may stand "
        "in for it. With one for 200, a page of an account that forgets to say `private` is for "
        "everybody. Seconds from their arrival.",
    )
    force: ForceTable | None = Field(
        default=None,
        examples=[{"lifetime": 60, "ignore": ["Cache-Control", "Expires"]}],
        description="Lifetimes and fields of answers that you know better than the origin.",
    )
    ignoreClient: bool = Field(
        default=_ROUTE_CACHE.ignoreClient,
        description="Whether clients can't reach the origin by asking for something fresher: "
        "`no-cache`, `max-age` and `min-fresh` of a request, and its `Pragma`, count for nothing.",
    )
    minUses: Count = Field(
        default=_ROUTE_CACHE.minUses,
        description="Which request for something is the first whose answer may be stored. With 2, "
        "what is asked for once takes no room. The requests before it all go to the origin.",
    )
    minUsesWithinSeconds: Seconds = Field(
        default=_ROUTE_CACHE.minUsesWithinSeconds,
        alias="min-uses-within",
        description="For how long after the first of them they are counted. Under load, what was "
        "asked for longest ago is forgotten sooner. Seconds.",
    )
    rangeMiss: Literal["pass", "whole"] = Field(
        default="pass",
        description="What is done about a range of what is not stored, or not all. `pass` asks the "
        "origin for it, and stores that part. `whole` also fetches the whole in the background, if "
        "it is known to be no longer than `max-object`: a request for one octet makes the origin "
        "send all of them.",
    )
    bypass: list[BypassTable] = Field(
        default=[],
        examples=[[{"cookie": "session*"}, {"path": "/admin/*"}]],
        description="Requests that are neither answered from the cache nor stored.",
    )
    storeCookies: bool = Field(
        default=_ROUTE_CACHE.storeCookies,
        description="Whether responses with `Set-Cookie` are stored like others, where they state "
        "a lifetime or are `public` (RFC 9111 §7.3): **everybody gets the cookie**, and if it "
        "is that of a session, the session. Without it they are stored only if they say "
        '`no-cache="Set-Cookie"` or `private="Set-Cookie"`, and without the cookie.',
    )


Cached = Annotated[RouteCacheTable | None, BeforeValidator(_switch("cache = { grace = 30 }"))]


class DiskTable(Table):
    """
    A disk for the cache: `disk = { path = "/var/cache/intermediary", size = "10GiB" }`.

    What is on it outlives the process, and several processes may share it.
    """

    path: FolderPath = Field(
        examples=["/var/cache/intermediary"],
        description="A folder of its own, made if need be, for this user alone. If it can't be "
        "used, all goes on without it. Whoever may write there decides what clients get, and "
        "whoever may read there sees what they got.",
    )
    sizeOctets: Size = Field(
        alias="size",
        examples=["10GiB"],
        description="The room for all that is stored there, as the file system counts it; what "
        "is being written comes on top. What was not used for longest leaves. Octets.",
    )


class CacheTable(Table):
    """
    The cache, which all fronts share, each with what is its own.

    Without this table nothing is cached. Lifetimes are those of the responses (RFC 9111).
    """

    memoryOctets: Size = Field(
        default=_CACHE.memoryOctets,
        alias="memory",
        examples=["256MiB"],
        description="The room for stored responses, with all that Python needs to know of "
        "them. What leaves it while slow clients still read it takes as much again at most, and the "
        "process some more. Octets.",
    )
    maxObjectOctets: Size = Field(
        default=_CACHE.maxObjectOctets,
        alias="max-object",
        examples=["64MiB"],
        description="The content of one response: larger ones pass through. Octets.",
    )
    disk: DiskTable | None = Field(
        default=None,
        examples=[{"path": "/var/cache/intermediary", "size": "10GiB"}],
        description="Where to keep what memory has no room for, and what is to be there after "
        "a restart. Absent: all is in memory.",
    )
    maxMemoryObjectOctets: Size | None = Field(
        default=_CACHE.maxMemoryObjectOctets,
        alias="max-memory-object",
        examples=["32MiB"],
        description="With a disk: the content of one response that is kept in memory as well. "
        "Larger ones are read from the disk each time. Absent: the smaller of `max-object` and "
        "an eighth of `memory`. Octets.",
    )
    targeted: list[FieldName] = Field(
        default=list(_CACHE.targeted),
        description="Names of fields that, where a response has one, replace its "
        "`Cache-Control` for this cache (RFC 9213), the first one first.",
    )
    purgeFrom: list[Network] = Field(
        default=list(_CACHE.purgeFrom),
        examples=[["127.0.0.1", "::1", "10.0.0.0/8"]],
        description="Peers (addresses or networks) whose `PURGE` requests remove what is stored. "
        "Those of others get 403, and none is passed on. Without this key nobody can purge, and "
        "`PURGE` goes to the servers like any other method. Whoever is in these networks can "
        "have every request sent to the servers. It is the address of the connection that counts: "
        "name no balancer here, as all of its clients have its address.",
    )


class ClientHeadersTable(Table):
    """
    Fields of your own that tell servers of certificates: `headers = { subject = "X-Client-Subject" }`.

    What has no name is not told. Clients can't send these, at no reverse front of the process.
    """

    certificate: CertificateField | None = Field(
        default=None,
        examples=["X-Client-Certificate"],
        description="The certificate itself, as in `Client-Cert`: its DER in base64, between colons.",
    )
    chain: CertificateField | None = Field(
        default=None,
        examples=["X-Client-Chain"],
        description="Those that vouch for it, as in `Client-Cert-Chain`, from who signed it to who "
        "is in `ca`. Sessions are then not resumed, as tickets do not hold them.",
    )
    verified: CertificateField | None = Field(
        default=None,
        examples=["X-Client-Verify"],
        description="`SUCCESS`, or `NONE` from who has shown no certificate.",
    )
    subject: CertificateField | None = Field(
        default=None,
        examples=["X-Client-Subject"],
        description="Its subject by RFC 4514, the most specific part first: `CN=alice,O=Example`. "
        "Octets that are not visible ASCII are written as `\\C3\\A9`.",
    )
    issuer: CertificateField | None = Field(
        default=None,
        examples=["X-Client-Issuer"],
        description="The same of who signed it.",
    )
    sans: CertificateField | None = Field(
        default=None,
        examples=["X-Client-Names"],
        description="Its alternative names: `dns:web1.ops.example, email:alice@example.org`. A "
        "comma in one of them is written as `\\2C`.",
    )
    serial: CertificateField | None = Field(
        default=None,
        examples=["X-Client-Serial"],
        description="Its serial number, in hexadecimal.",
    )
    fingerprint: CertificateField | None = Field(
        default=None,
        examples=["X-Client-Fingerprint"],
        description="Its SHA-256, in 64 hexadecimal digits.",
    )


def _headers(value: Any) -> Any:
    """Read the names of what RFC 9440 has as tables."""
    if value == "rfc9440":
        return ClientHeadersTable.model_construct(certificate="Client-Cert")
    if value == "rfc9440-chain":
        return ClientHeadersTable.model_construct(
            certificate="Client-Cert", chain="Client-Cert-Chain"
        )
    if isinstance(value, dict) and value:
        return value
    raise values.Unfit(
        "is no way to tell of certificates",
        'write "rfc9440", "rfc9440-chain", or a table as { subject = "X-Client-Subject" }',
    )


def _headersSchema(schema: dict[str, Any]) -> None:
    """Say in the JSON Schema that a table may be a name."""
    schema["anyOf"] = [{"enum": ["rfc9440", "rfc9440-chain"]}, *schema["anyOf"][:1]]


ClientHeaders = Annotated[ClientHeadersTable | None, BeforeValidator(_fit(_headers))]


class ClientsTable(Table):
    """
    Certificates of clients (mTLS): `tls = { ..., clients = { ca = "clients-ca.pem" } }`.

    They are asked for in the handshake, and who shows a bad one is refused there. Which of those
    that are good are let in, `client-certificate` of a route or of a forward front says. Files are
    read again as those of certificates are; after a change, everybody has to prove anew who they
    are.
    """

    ca: FilePath = Field(
        examples=["clients-ca.pem"],
        description="A file in PEM with the authorities that vouch for clients, or with clients' "
        "own certificates. Whoever one of them signs a certificate for is let in: it should be an "
        "authority of your own, not one that the world trusts.",
    )
    crl: FilePath | None = Field(
        default=None,
        examples=["clients-crl.pem"],
        description="A file in PEM with the lists of what they have revoked. With it, each "
        "authority needs its list: **where one is missing or has expired, its clients are refused**. "
        "Absent: a certificate is good until it expires.",
    )
    required: bool = Field(
        default=_CLIENT_TLS.required,
        description="Whether who shows no certificate is refused in the handshake. When false, it "
        "is `client-certificate` of the routes, or the servers, that have to keep them out.",
    )
    headers: ClientHeaders = Field(
        default=None,
        examples=["rfc9440", {"subject": "X-Client-Subject"}],
        json_schema_extra=_headersSchema,
        description="How servers of a reverse front are told of the certificate: `rfc9440` sends it "
        "in `Client-Cert`, `rfc9440-chain` those that vouch for it in `Client-Cert-Chain` as well "
        "(then no session is resumed, as tickets do not hold them); a table has names of your own. "
        "Requests with a certificate are then neither answered from the cache nor stored. Absent: "
        "they are not told.",
    )


def _anyOrTable(value: Any) -> Any:
    """Read C{true} as any certificate, and C{false} as no rule."""
    if value is True:
        return ClientRuleTable()
    if value is False:
        return None
    if isinstance(value, dict) and any(value.values()):
        return value
    raise values.Unfit(
        "says nothing of certificates",
        'write true for any, or for example { subject = ["CN=alice,*"] }',
    )


def _ruleSchema(schema: dict[str, Any]) -> None:
    """Say in the JSON Schema that a table may be C{true} or C{false}."""
    schema["anyOf"] = [{"type": "boolean"}, *schema["anyOf"][:1]]
    schema["default"] = False


class ClientRuleTable(Table):
    """
    Who is let in, by the certificate that they show; others get 403.

    `client-certificate = true` is whoever shows a valid one. In a table one pattern that fits is
    enough: `client-certificate = { subject = ["CN=alice,*"], san = ["dns:*.ops.example"] }`. The front
    needs `clients` in its `tls`.
    """

    subject: list[SubjectPattern] = Field(
        default=[],
        examples=[["CN=alice,*", "CN=*,OU=Ops,O=Example"]],
        description="Subjects as `openssl x509 -noout -subject -nameopt RFC2253` prints them. `*` in a "
        "value stands for anything in that value, `*` alone for any other parts. Letters count in "
        "their case.",
    )
    san: list[AlternativePattern] = Field(
        default=[],
        examples=[["dns:*.ops.example", "email:*@example.org", "ip:192.0.2.0/24"]],
        description="Alternative names with their kind: `dns:`, `email:`, `uri:`, `ip:`. `*` stands "
        "for anything, dots and slashes too; an address may be a network.",
    )
    fingerprint: list[Fingerprint] = Field(
        default=[],
        description="SHA-256 of certificates, in hexadecimal, with colons or without: `openssl x509 "
        "-noout -fingerprint -sha256 -in FILE`.",
    )


ClientRule = Annotated[ClientRuleTable | None, BeforeValidator(_fit(_anyOrTable))]


class AcmeTable(Table):
    """
    Certificates that the front gets and renews by itself, from an authority that speaks ACME.

    `tls = { acme = { terms-agreed = true, email = "hostmaster@example.org" } }`. It needs the extra
    `intermediary[acme]`. Each name gets a certificate of its own, which is renewed when a third of
    its life is left. Relative paths count from the folder of this file.
    """

    directory: DirectoryURL = Field(
        default="letsencrypt",
        validate_default=True,
        examples=["letsencrypt-staging"],
        description="Who is asked: `letsencrypt`, `letsencrypt-staging`, or the URL of an ACME "
        "server's directory. Try with staging, whose certificates no browser trusts: the real one "
        "has limits, and who fails too often waits for hours or days.",
    )
    termsAgreed: bool = Field(
        default=False,
        examples=[True],
        description="Whether you agree to the authority's terms of service. Without, nothing runs.",
    )
    email: Email | None = Field(
        default=None,
        examples=["hostmaster@example.org"],
        description="Where the authority may write to. Absent: nowhere.",
    )
    names: list[AutomaticName] | None = Field(
        default=None,
        min_length=1,
        examples=[["example.org", "www.example.org"]],
        description="What to get certificates for; no wildcards. Absent: the exact hosts of the "
        "front's routes. Names that a file of `certificate` or `certificates` is for are left out. "
        "Everybody can read them in the public logs of certificates.",
    )
    challenge: Literal["tls-alpn-01", "http-01"] = Field(
        default="tls-alpn-01",
        description="How the authority sees that the names lead here. `tls-alpn-01`: it connects to "
        "port 443 of each name, which has to reach this front with its TLS intact. `http-01`: it "
        "connects to port 80, which has to reach a reverse front without TLS that has a route for "
        "the name.",
    )
    storage: FolderPath = Field(
        default="acme/",
        description="The folder for account, keys and certificates. It is made if need be, and has "
        "to belong to the user that the process runs as. Whoever can read it can be your site; it is "
        "refused where others may write. Fronts and processes may share one.",
    )
    ca: PEMFile | None = Field(
        default=None,
        examples=["authority-ca.pem"],
        description="For an ACME server of your own: certificates that its TLS is trusted by. "
        "Absent: whom the system trusts.",
    )
    key: Literal["EC", "RSA"] = Field(
        default="EC",
        description="The kind of the keys: `EC` is P-256, `RSA` has 2048 bits and is for clients "
        "that know nothing else.",
    )


class TLSTable(Table):
    """
    TLS with the clients of a front, at all the places where it listens.

    `tls = { certificate = "site.pem", key = "site.key" }`, or `tls = { certificates = "certs/" }`
    for several names. Relative paths count from the folder of this file. Files that change are
    read again within seconds, by the user that the process runs as, and at once on SIGHUP; one
    that can't be used is told of in the log, and what it held before is used on.
    """

    certificate: FilePath | None = Field(
        default=None,
        examples=["site.pem"],
        description="A file in PEM: the server's certificate first, and behind it those that vouch "
        "for it, but for the root.",
    )
    key: FilePath | None = Field(
        default=None,
        examples=["site.key"],
        description="The file of its private key, in PEM and without a password; absent: it is in "
        "the same file. Whoever can read it can be your site: it is for the proxy's user alone.",
    )
    certificates: FolderPath | None = Field(
        default=None,
        examples=["certs/"],
        description="In place of `certificate`: a folder of `NAME.pem` (or `.crt`) files, each a "
        "certificate with those that vouch for it and its key, which may also be beside it in "
        "`NAME.key`. The names in the certificates decide which one a client gets: the exact name, "
        "then a wildcard; of two for the same name, EC and RSA by what the client can do, "
        "otherwise the one that lasts longer.",
    )
    default: CertificateName | None = Field(
        default=None,
        examples=["example.org"],
        description="With `certificates`: the name whose certificate is for clients that ask for no "
        "name, or for one that there is none for. Absent: that of the first file.",
    )
    profile: Literal["intermediate", "modern", "compatible"] = Field(
        default="intermediate",
        description="Versions and ciphers, as Mozilla recommends them. `intermediate`: TLS 1.2 and "
        "1.3, with forward secrecy and authenticated encryption alone. `modern`: TLS 1.3 alone. "
        "`compatible`: also TLS 1.0 and 1.1, CBC and static RSA, which can be attacked: for "
        "clients that nobody can replace.",
    )
    handshakeSeconds: Seconds = Field(
        default=_TLS.handshakeSeconds,
        description="How long a handshake may take, from the accept on. Octets that trickle in do "
        "not extend it. Seconds.",
    )
    handshakes: Count = Field(
        default=_TLS.handshakes,
        description="How many may be under way at once in this front. Who is over it waits, in the "
        "same time. Each takes some 50 KiB of memory; clients that are through theirs are served "
        "however many there are.",
    )
    resumptionSeconds: Grace = Field(
        default=_TLS.resumptionSeconds,
        description="For how long a client may come back without a whole handshake, by a ticket "
        "that it is given. After that time there is a new key for tickets, and those under the old "
        "one mean nothing. Whoever gets hold of the key can read TLS 1.2 sessions of its time that "
        "were recorded. 0 gives no tickets. Seconds.",
    )
    stapling: bool = Field(
        default=_TLS.stapling,
        description="Whether clients that ask for it get, with a certificate that names an OCSP "
        "responder, the word of its authority that it was not revoked. The proxy asks the responder "
        "for that, by plain HTTP; behind the certificate has to be that of its issuer.",
    )
    clients: ClientsTable | None = Field(
        default=None,
        examples=[{"ca": "clients-ca.pem"}],
        description="Certificates of clients; absent: they are asked for none.",
    )
    acme: AcmeTable | None = Field(
        default=None,
        examples=[{"terms-agreed": True}],
        description="Certificates that the front gets by itself, for names that no file has one for. "
        "Absent: it gets none.",
    )


class HTTPSOnlyTable(Table):
    """
    Clients come by TLS alone: `https-only = true`, or `https-only = { max-age = "5m" }`.

    Who asks without TLS is sent to the same place with it, and whoever has been there once is
    told not to come without again (HSTS, RFC 6797). **Browsers keep to that**: as long as they
    remember, they reach the site by no other way, and no certificate that they do not trust can be
    clicked away. Begin with a `max-age` of minutes.
    """

    listen: list[Endpoint] | None = Field(
        default=None,
        alias="from",
        examples=[["tcp:80"]],
        description="Where to listen for requests without TLS: server endpoint strings as those of "
        "`listen`. All that comes there is redirected, if it is for a host of one of the routes, or "
        "there is a route for any host and a certificate for this one; the rest gets 404. Absent: "
        "port 80 at the same interfaces. `[]`: nowhere.",
    )
    port: Port | None = Field(
        default=None,
        examples=[443],
        description="The port of the redirect's `Location`: where clients reach this front. Absent: "
        "that of the first `listen`, or 443 if that has none.",
    )
    status: Literal[301, 302, 307, 308] = Field(
        default=_HTTPS_ONLY.status,
        description="The status of redirects. 308 and 307 have clients repeat the request as it "
        "was; after 301 and 302 most make a GET of a POST. 301 and 308 are remembered, as long as "
        "`max-age` says; 302 and 307 are not.",
    )
    maxAgeSeconds: Duration = Field(
        default=_HTTPS_ONLY.maxAgeSeconds,
        alias="max-age",
        examples=["5m", "1y"],
        description="For how long clients are to come by TLS alone, from each answer on: the "
        "`max-age` of `Strict-Transport-Security`, which all answers by TLS have, in place of the "
        "servers' own. 0 sends none, and leaves theirs. A string with a unit (`s`, `m`, `h`, `d`, "
        "`w`, `y`), or a whole number. Seconds.",
    )
    subdomains: bool = Field(
        default=_HTTPS_ONLY.subdomains,
        description="Whether that is so for all names below those of this front (`includeSubDomains`): "
        "also for those of other servers, which may have no TLS.",
    )
    preload: bool = Field(
        default=_HTTPS_ONLY.preload,
        description="Whether browsers may have it built in (`preload`). Getting out of their lists "
        "again takes months. They want `subdomains` and a `max-age` of a year.",
    )


OnlyHTTPS = Annotated[
    HTTPSOnlyTable | None, BeforeValidator(_switch('https-only = { max-age = "5m" }'))
]


class FrontTable(Table):
    """What both kinds of front have."""

    listen: list[Endpoint] = Field(
        min_length=1,
        examples=[["tcp:3128:interface=127.0.0.1"]],
        description="Where to listen: Twisted server endpoint strings, such as "
        '`"tcp:3128:interface=127.0.0.1"`, `"unix:/run/proxy.sock"` or '
        '`"systemd:domain=INET:name=proxy"`. Without `interface=` a `tcp:` endpoint is '
        "reachable from every network of the host.",
    )
    via: Pseudonym | None = Field(
        default=_FORWARD.via,
        examples=["proxy-1"],
        description="The pseudonym that this front writes into `Via` and knows its own loops "
        "by. Absent: `intermediary-` and 8 random hexadecimal digits, new at every start, so that "
        "no other process has it and nobody can foretell it. Set it to recognise the proxy in "
        "the logs of servers. Two processes that forward to each other must not share one.",
    )
    tls: TLSTable | None = Field(
        default=None,
        examples=[{"certificate": "site.pem", "key": "site.key"}],
        description="TLS with clients; absent: they speak HTTP without. A plain request to a front "
        "with TLS is answered with 400.",
    )
    timeouts: TimeoutsTable = Field(default_factory=TimeoutsTable)


class InterceptTable(Table):
    """
    TLS between clients and servers that a forward front decrypts: `intercept = { ca = "ca.pem" }`.

    **Read [what it means](interception.md) before you write this.** The proxy passes for every
    server that it is not told to except, and sees passwords, mail and money. The authority comes
    from `intermediary-make-ca FOLDER`, and clients have to trust it. Servers are always verified.
    Relative paths count from the folder of this file; all are read at the start.
    """

    ca: FilePath = Field(
        examples=["ca.pem"],
        description="A file in PEM: the certificate of the authority that signs for the servers.",
    )
    key: FilePath | None = Field(
        default=None,
        examples=["ca.key"],
        description="The file of its private key, in PEM and without a password; absent: it is in "
        "the same file. **Whoever can read it can pass for every server** that your clients speak "
        "with, also where they do without this proxy.",
    )
    excepted: list[Intercepted] = Field(
        default=list(_INTERCEPT.excepted),
        alias="except",
        examples=[["bank.example", "*.bank.example", "192.0.2.0/24"]],
        description='What is never decrypted: names, also `"*.example.org"` for all below '
        "`example.org`, addresses and networks. They are compared with what clients ask for in "
        "`CONNECT`: a network is about addresses, and not about names that resolve to them.",
    )
    only: list[Intercepted] = Field(
        default=list(_INTERCEPT.only),
        examples=[["*.example.org"]],
        description="What alone is decrypted, but for what is in `except`; absent: everything.",
    )
    ports: list[Port] = Field(
        default=list(_INTERCEPT.ports),
        min_length=1,
        examples=[[443, 8443]],
        description="Ports of `CONNECT` at which it is looked whether a client speaks TLS. They "
        "have to be in `connect-ports`. A protocol in which the server speaks first, as mail "
        "does, does not get through there.",
    )
    trust: FilePath | None = Field(
        default=_INTERCEPT.trust,
        examples=["authorities.pem"],
        description="Certificates that `https` servers are trusted by, in place of those that the "
        "system trusts; for absolute-form requests, too.",
    )
    handshakeSeconds: Seconds = Field(
        default=_INTERCEPT.handshakeSeconds,
        description="How long a client may take to its first octet, and from there to the end of "
        "its handshake. Seconds.",
    )
    handshakes: Count = Field(
        default=_INTERCEPT.handshakes,
        description="How many of these handshakes may be under way at once. Who is over it waits, "
        "in the same time.",
    )


class ForwardTable(FrontTable):
    """
    A proxy for clients: absolute-form requests and `CONNECT`.

    The name of the table is the front's name in the log; in `Via` it is called by `via`.
    """

    connectPorts: list[Port] = Field(
        default=list(_FORWARD.connectPorts),
        examples=[[443, 8443]],
        description="Ports that `CONNECT` may reach, besides any port on loopback where the "
        "guard lets that pass. A long list makes the proxy a way round firewalls: port 25 "
        "sends mail.",
    )
    cache: Cached = Field(
        default_factory=RouteCacheTable,
        json_schema_extra=_switchSchema(default=True),
        examples=[False],
        description="Whether and how absolute-form requests are cached, where there is a "
        "`[cache]`. Tunnels never are.",
    )
    guard: Literal["auto", "on", "off"] = Field(
        default=_FORWARD_FRONT.guard.value,
        description="Whether destinations that resolve to loopback, private, link-local and "
        "other addresses of the proxy's own networks are refused with 403. `auto` refuses "
        "them when a listener is reachable from beyond loopback. `off` on such a listener lets "
        "any client reach whatever the proxy's host can.",
    )
    allowDestinations: list[Destination] = Field(
        default=list(_FORWARD.allowDestinations),
        examples=[["10.1.0.0/16", "build.example.org"]],
        description="Exceptions from the guard: networks, addresses, or host names (also "
        '`"*.example.org"`). A name is trusted with whatever it resolves to. The metadata '
        "addresses of clouds are let pass only by their exact address or name.",
    )
    intercept: InterceptTable | None = Field(
        default=None,
        examples=[{"ca": "ca.pem", "key": "ca.key"}],
        description="What is decrypted of the TLS between clients and servers; absent: nothing.",
    )
    clientCertificate: ClientRule = Field(
        default=None,
        json_schema_extra=_ruleSchema,
        examples=[{"subject": ["CN=*,OU=Ops,O=Example"]}],
        description="Which of the clients may use the proxy, by the certificate that they have "
        "shown. Absent: all whom the handshake lets in.",
    )


class RouteTable(Table):
    """
    Which requests of a reverse front go to which upstream.

    The most specific host comes first (exact, then the longest wildcard, then
    any), then the longest path; the order in the file does not matter. A request
    that no path of its host fits is tried with the next host pattern.
    """

    host: list[Host] = Field(
        default=list(_ROUTE.host),
        examples=[["example.org", "*.example.org"]],
        description="Names that the route serves: exact, or `*.` and a suffix, which matches "
        "any number of labels but not the bare suffix. Absent: any host.",
    )
    path: PathPrefix = Field(
        default=_ROUTE.path,
        examples=["/api/"],
        description="A prefix of the request's path, of whole segments: `/api` serves `/api` and "
        "`/api/x` but not `/apix`, `/api/` only what is below. Paths are compared "
        "percent-decoded and without dot segments; what the server gets is as the client "
        "wrote it.",
    )
    upstream: str = Field(
        examples=["web"],
        description="The name of the `[upstream.NAME]` that serves it.",
    )
    cache: Cached = Field(
        default_factory=RouteCacheTable,
        json_schema_extra=_switchSchema(default=True),
        examples=[False],
        description="Whether and how this route is cached, where there is a `[cache]`.",
    )
    preserveHost: bool = Field(
        default=_ROUTE.preserveHost,
        description="Send the client's `Host` on. When false, the server's own host and port "
        "are sent; `X-Forwarded-Host` carries the client's either way.",
    )
    clientCertificate: ClientRule = Field(
        default=None,
        json_schema_extra=_ruleSchema,
        examples=[{"subject": ["CN=*,OU=Ops,O=Example"]}],
        description="Who may use this route, by the certificate that they have shown; also what "
        "is in the cache. Absent: all whom the handshake lets in.",
    )
    clientHeaders: bool = Field(
        default=_ROUTE.clientHeaders,
        description="Whether the servers of this route are told of the certificate, where the "
        "front's `clients` has `headers` for that. When false, the answers to clients with one can "
        "be cached as all others.",
    )


class PassageTable(Table):
    """
    Clients of TLS that a reverse front passes through, undecrypted, by what they ask for.

    The most specific name comes first, as with routes, and passages for certain protocols before
    those for any. Whoever fits none is for the front itself, if it has `tls`, and refused by an
    alert if not. Such a client is one line in the log, without a request.
    """

    names: list[Host] = Field(
        min_length=1,
        examples=[["db.example.org", "*.x.example"]],
        description="Names that clients ask for (SNI): exact, or `*.` and a suffix, which matches "
        "any number of labels but not the bare suffix. A client chooses what it says here: the "
        "server behind it has to be one that anybody may reach.",
    )
    alpn: list[Protocol] = Field(
        default=[],
        examples=[["acme-tls/1"]],
        description="Protocols (ALPN): the passage is for clients that offer one of them. Absent: "
        "for all.",
    )
    upstream: str = Field(
        examples=["db"],
        description="The name of the `[upstream.NAME]` that they are passed to. Its servers are "
        "`tcp://HOST:PORT`. Where one can't be connected to, the next is tried.",
    )


class ReverseTable(FrontTable):
    """
    A gateway for servers.

    The name of the table is the front's name in the log; in `Via` it is called by `via`.
    """

    trustedProxies: list[Network] = Field(
        default=[],
        examples=[["10.0.0.0/8"]],
        description="Peers (addresses or networks) whose `Forwarded` and `X-Forwarded-*` "
        "fields are believed and extended; those of anybody else are dropped. A network too "
        "wide lets clients claim any address.",
    )
    httpsOnly: OnlyHTTPS = Field(
        default=None,
        json_schema_extra=_switchSchema(default=False),
        examples=[True],
        description="With `tls`: whether clients come by TLS alone, which redirects those without "
        "and tells all to remember it (HSTS).",
    )
    route: list[RouteTable] = Field(
        default=[],
        min_length=1,
        description="At least one `[[reverse.NAME.route]]`, unless all clients are passed through. "
        "A request that none matches gets 404.",
    )
    passthrough: list[PassageTable] = Field(
        default=[],
        min_length=1,
        description="Clients of TLS that are passed through undecrypted, each by a "
        "`[[reverse.NAME.passthrough]]`. A front without `tls` that has some is for nothing else.",
    )


class OriginTLSTable(Table):
    """
    How TLS is spoken with the `https` servers of an upstream: `tls = { ca = "backends.pem" }`.

    It is TLS 1.2 or 1.3, servers are verified, and all files are in PEM. Relative paths count from
    the folder of this file. Files are read at the start.
    """

    ca: PEMFile | None = Field(
        default=_ORIGIN_TLS.ca,
        examples=["backends-ca.pem"],
        description="Certificates that are trusted, in place of those that the system trusts: "
        "authorities, or servers' own. Absent: the file or folder that `SSL_CERT_FILE` or "
        "`SSL_CERT_DIR` names, the system's, or the package `certifi`, if it is installed.",
    )
    certificate: PEMFile | None = Field(
        default=_ORIGIN_TLS.certificate,
        examples=["proxy.pem"],
        description="What the proxy proves to be where a server asks for that: its certificate, "
        "and behind it those of the authorities between. It is sent to no server that did not "
        "prove to be the right one.",
    )
    key: PEMFile | None = Field(
        default=_ORIGIN_TLS.key,
        examples=["proxy.key"],
        description="The key of `certificate`, without a passphrase. Absent: it is in the same "
        "file. Whoever may read it can pass for the proxy.",
    )
    verify: bool = Field(
        default=_ORIGIN_TLS.verify,
        description="Whether servers have to prove that they are the ones that are meant. "
        "**Without it anybody on the way to them can read and change everything**, and the start "
        "warns of it. For a server that signed its certificate itself, name that in `ca` instead.",
    )
    name: ServerName | None = Field(
        default=_ORIGIN_TLS.name,
        examples=["backend.example.org"],
        description="The name or address that servers have to prove to be, and that is sent to "
        "them (SNI) if it is a name. Absent: the host of their URL. `Host` is not changed by it.",
    )
    profile: Literal["modern", "intermediate", "compatible"] = Field(
        default=_ORIGIN_TLS.profile,
        description="Versions and ciphers: `modern` speaks TLS 1.3 alone, `compatible` takes old "
        "ciphers of TLS 1.2, too.",
    )


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
