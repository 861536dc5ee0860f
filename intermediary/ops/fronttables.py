# -*- test-case-name: tests.ops.test_schema -*-
"""
Tables of the configuration file about fronts: see L{intermediary.ops.schema}.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ..settings import (
    ForwardSettings,
    HTTPSOnlySettings,
    InterceptSettings,
    RouteSettings,
    Timeouts,
    UpstreamSettings,
)
from .cachetables import Cached, RouteCacheTable
from .config import ForwardFront
from .tables import (
    Count,
    Destination,
    Duration,
    Endpoint,
    FilePath,
    Host,
    Intercepted,
    Network,
    PathPrefix,
    Port,
    Protocol,
    Pseudonym,
    Seconds,
    Table,
    switch,
    switchSchema,
)
from .tlstables import ClientRule, TLSTable, ruleSchema

_TIMEOUTS = Timeouts()
_FORWARD = ForwardSettings(name="default")
_FORWARD_FRONT = ForwardFront(settings=_FORWARD, listen=())
_ROUTE = RouteSettings(upstream=UpstreamSettings(name="default", servers=()))
_HTTPS_ONLY = HTTPSOnlySettings()
_INTERCEPT = InterceptSettings(ca="")


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
    HTTPSOnlyTable | None, BeforeValidator(switch('https-only = { max-age = "5m" }'))
]


class FrontTable(Table):
    """What both kinds of front have."""

    listen: list[Endpoint] = Field(
        min_length=1,
        examples=[["tcp:3128:interface=127.0.0.1"]],
        description="Where to listen: Twisted server endpoint strings, such as "
        '`"tcp:3128:interface=127.0.0.1"`, `"unix:/run/proxy.sock"` or '
        '`"systemd:domain=INET:name=proxy"`. Without `interface=` a `tcp:` endpoint is '
        "reachable from every network of the host. Connections that are not accepted yet wait, up to "
        "`backlog=` of them, which is 4,096 where the string does not say it, or what the kernel "
        "allows (`net.core.somaxconn` on Linux).",
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
        json_schema_extra=switchSchema(default=True),
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
        json_schema_extra=ruleSchema,
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
        json_schema_extra=switchSchema(default=True),
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
        json_schema_extra=ruleSchema,
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
        json_schema_extra=switchSchema(default=False),
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


__all__ = [
    "ForwardTable",
    "FrontTable",
    "HTTPSOnlyTable",
    "InterceptTable",
    "OnlyHTTPS",
    "PassageTable",
    "ReverseTable",
    "RouteTable",
    "TimeoutsTable",
]
