# -*- test-case-name: tests.ops.test_schema -*-
"""
Tables of the configuration file about what is cached: see L{intermediary.ops.schema}.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from ..settings import CacheSettings, ForceSettings, RouteCacheSettings
from . import values
from .tables import (
    CookieName,
    CookiePattern,
    Count,
    FieldName,
    FolderPath,
    Grace,
    KeyField,
    Name,
    Network,
    ParameterPattern,
    PathPattern,
    Seconds,
    Size,
    Status,
    Table,
    Uses,
    fit,
    switch,
)

_CACHE = CacheSettings()
_ROUTE_CACHE = RouteCacheSettings()
_FORCE = ForceSettings()


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

    _saysSomething = model_validator(mode="before")(fit(_saying))

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

    _forcesSomething = model_validator(mode="before")(fit(_forcing))

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


Cached = Annotated[RouteCacheTable | None, BeforeValidator(switch("cache = { grace = 30 }"))]


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


__all__ = ["BypassTable", "CacheTable", "Cached", "DiskTable", "ForceTable", "RouteCacheTable"]
