# -*- test-case-name: tests.test_settings -*-
"""
What an application hands to a front: plain frozen values, no parsing.

C{ops.config} reads a file into these; an embedding application makes them
itself.  Every quantity has a unit in its name and a default that is safe on an
open network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one message and one front may take.  All in octets or counts."""

    #: Request or response line and fields together; over it 431 (or 502).
    headerOctets: int = 65536
    #: Number of field lines in one head or trailer section.
    headerFields: int = 256
    #: The request target; over it 414.
    targetOctets: int = 16384
    #: A trailer section.
    trailerOctets: int = 16384
    #: Content of one request, None for any; over it 413.
    bodyOctets: int | None = None
    #: Client connections open at once, over all fronts that share a gauge.
    connections: int = 10000


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeouts:
    """How long a front waits, in seconds."""

    #: For a connection to an upstream, name resolution and TLS handshake included.
    connectSeconds: float = 10.0
    #: From the first octet of a request head (or the accept) to its end.
    requestHeadSeconds: float = 20.0
    #: For the next request on a kept connection.
    idleSeconds: float = 75.0
    #: From the end of the request to the end of the response head.
    responseHeadSeconds: float = 60.0
    #: Between two pieces of a body, in either direction.
    betweenBytesSeconds: float = 60.0
    #: For a tunnel in which nothing moves either way.
    tunnelIdleSeconds: float = 300.0


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolSettings:
    """How many connections to origins are kept, and for how long."""

    #: Connections to one origin, idle and leased.
    perOrigin: int = 512
    #: Connections to all origins.
    total: int = 8192
    #: Exchanges that may wait for a connection to one origin.
    waiters: int = 1024
    #: How long one of them waits, in seconds.
    waitSeconds: float = 10.0
    #: How long an unused connection is kept, in seconds.
    idleSeconds: float = 60.0
    #: How long any connection is kept, in seconds.
    ageSeconds: float = 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class DiskSettings:
    """Where a cache keeps what memory has no room for, and what is to outlive the process."""

    #: A folder of its own, made if need be.
    path: str
    #: The room for all of it, in octets.
    sizeOctets: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheSettings:
    """What a process keeps of responses."""

    #: The room for all of them, in octets.
    memoryOctets: int = 256 * 1024 * 1024
    #: None to keep them in memory alone.
    disk: DiskSettings | None = None
    #: The content of one response in memory, where there is a disk; None for the smaller
    #: of C{maxObjectOctets} and an eighth of C{memoryOctets}.
    maxMemoryObjectOctets: int | None = None
    #: The content of one response.
    maxObjectOctets: int = 64 * 1024 * 1024
    #: Fields that replace C{Cache-Control} where they are there (RFC 9213 §2.2).
    targeted: tuple[str, ...] = ("CDN-Cache-Control",)
    #: Networks (CIDR) of peers whose C{PURGE} requests are heeded; for nobody's if there
    #: are none, and then the method is passed on like any other.
    purgeFrom: tuple[str, ...] = ()

    @property
    def largestInMemoryOctets(self) -> int:
        """The content of one response in memory, as there is a disk or not."""
        if self.disk is None:
            # What never fits is not to drive out all others before that is found out.
            return min(self.maxObjectOctets, self.memoryOctets)
        limit = self.maxMemoryObjectOctets
        return min(self.memoryOctets // 8 if limit is None else limit, self.maxObjectOctets)

    @property
    def largestOctets(self) -> int:
        """The content of one response that is stored anywhere."""
        if self.disk is None:
            return self.largestInMemoryOctets
        # For what neither has room for, nothing has to go.
        return max(self.largestInMemoryOctets, min(self.maxObjectOctets, self.disk.sizeOctets))


@dataclass(frozen=True, kw_only=True, slots=True)
class BypassSettings:
    """What a request is like that is not cached: all that is not empty has to fit."""

    #: A pattern of paths; C{*} also stands for slashes.
    path: str = ""
    #: A pattern of names of query parameters.
    query: str = ""
    #: A pattern of names of cookies.
    cookie: str = ""
    #: The name of a request field.
    field: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ForceSettings:
    """What an operator knows better than the origin."""

    #: For how long responses that are no errors are fresh, whatever they say; None
    #: for what they say.
    lifetimeSeconds: float | None = None
    #: Response fields that count for nothing: C{Cache-Control}, C{Expires}, C{Vary},
    #: C{Set-Cookie}; the last is not stored.
    ignore: tuple[str, ...] = ()
    #: That goes for requests with C{Authorization}, too, which else are not cached.
    authorization: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RouteCacheSettings:
    """How one route is cached."""

    #: What clients see of C{Cache-Status} (RFC 9211): C{"on"}, C{"key"} for the key as
    #: well, C{"off"}.
    cacheStatus: Literal["on", "key", "off"] = "on"
    #: For how long after it became stale a response may be used while it is
    #: validated, where it does not forbid that (RFC 5861 §3).
    graceSeconds: float = 0.0
    #: For how long it may stand in for an origin that fails (RFC 5861 §4).
    graceErrorSeconds: float = 3600.0
    #: How often a response is used in its lifetime to be validated shortly before
    #: that ends; 0 for never.
    refreshUses: int = 0
    #: Patterns of names of query parameters that do not matter.
    ignoreQuery: tuple[str, ...] = ()
    #: Cookies that are part of the key, by their names.
    keyCookies: tuple[str, ...] = ()
    #: Request fields that are part of the key.
    keyFields: tuple[str, ...] = ()
    #: The partition in which it is stored, with all that name the same; None for
    #: that of the front.
    share: str | None = None
    #: The order of query parameters does not matter.
    sortQuery: bool = False
    #: Seconds by the name of a status, C{"404"}, or of a class, C{"5xx"}: for how
    #: long responses are fresh that do not say so.
    lifetimes: tuple[tuple[str, float], ...] = ()
    #: What is known better than by the origin; None for nothing.
    force: ForceSettings | None = None
    #: Clients that ask for something fresher than what is fresh are not obeyed.
    ignoreClient: bool = False
    #: Which request for something is the first whose answer is stored.
    minUses: int = 1
    #: For how long after the first of them they are counted.
    minUsesWithinSeconds: float = 3600.0
    #: What is done about a range of what is not stored: C{"pass"} asks for that alone,
    #: C{"whole"} fetches the whole in the background, too.
    rangeMiss: str = "pass"
    #: Requests that are neither answered from the cache nor stored: any of these.
    bypass: tuple[BypassSettings, ...] = ()
    #: Responses with C{Set-Cookie} may be stored, cookie and all (RFC 9111 §7.3).
    storeCookies: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class OriginTLSSettings:
    """How TLS is spoken with origins; the paths are of files in PEM."""

    #: The authorities that are trusted, in place of the system's.
    ca: str | None = None
    #: What we prove to be, where a server asks: a certificate and its chain.
    certificate: str | None = None
    #: Its key; None where it is in the same file.
    key: str | None = None
    #: Whether a server proves to be the one that is meant.  Without, anybody on the
    #: way to it may be it.
    verify: bool = True
    #: The name or address that servers prove to be, in place of that in their URL.
    name: str | None = None
    #: Versions and ciphers: see L{intermediary.net.tlscontext}.
    profile: Literal["modern", "intermediate", "compatible"] = "intermediate"


@dataclass(frozen=True, kw_only=True, slots=True)
class UpstreamSettings:
    """A named group of servers."""

    name: str
    #: URLs: C{http://HOST[:PORT]} or C{https://HOST[:PORT]}; C{tcp://HOST:PORT} for
    #: clients that are passed through.
    servers: tuple[str, ...]
    #: For those of C{https}.
    tls: OriginTLSSettings = field(default_factory=OriginTLSSettings)


@dataclass(frozen=True, kw_only=True, slots=True)
class RouteSettings:
    """Which requests go to which upstream."""

    upstream: UpstreamSettings
    #: Exact names or C{*.suffix}; empty for any.
    host: tuple[str, ...] = ()
    #: A prefix of the request's path.
    path: str = "/"
    #: Send the client's C{Host} on, or the server's own.
    preserveHost: bool = True
    #: How it is cached, where the process has a cache; None for not at all.
    cache: RouteCacheSettings | None = field(default_factory=RouteCacheSettings)
    #: Who is let in, by certificate; None for everybody.
    clientCertificate: ClientRuleSettings | None = None
    #: Whether servers are told of the certificate, where the front has C{headers} for that.
    clientHeaders: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientRuleSettings:
    """
    Which clients are let in, by the certificate that they show: any rule is enough.

    Without rules it is whoever shows one.
    """

    #: Patterns of subjects: see L{intermediary.policy.clientrules}.
    subject: tuple[str, ...] = ()
    #: Patterns of alternative names, as C{"dns:*.example"}.
    san: tuple[str, ...] = ()
    #: SHA-256 of certificates, in hexadecimal.
    fingerprint: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientTLSSettings:
    """How clients of a front prove who they are."""

    #: A file in PEM: who is trusted to vouch for them, or clients' own certificates.
    ca: str
    #: A file in PEM with what those have revoked; empty for no lists.
    crl: str = ""
    #: Whether who shows no certificate is refused.
    required: bool = True
    #: Request fields that tell servers of the certificate: what, and the field's name.
    #: See L{intermediary.wire.clientcertificates}.
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def tellsChain(self) -> bool:
        """Whether servers hear of those who vouch for it."""
        return any(what == "chain" for what, _ in self.headers)


@dataclass(frozen=True, kw_only=True, slots=True)
class PassageSettings:
    """Which clients of TLS are passed through to which upstream, undecrypted."""

    #: Its servers are C{tcp://HOST:PORT}.
    upstream: UpstreamSettings
    #: The names that they ask for: exact ones or C{*.suffix}.
    names: tuple[str, ...]
    #: Protocols (ALPN) of which they offer one; empty for any.
    alpn: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class AcmeSettings:
    """How a front gets its certificates by itself (RFC 8555): each name has its own."""

    #: The URL of the authority's directory.
    directory: str
    #: What there are to be certificates for.
    names: tuple[str, ...]
    #: The folder for account, keys and certificates; it is made if need be.
    storage: str
    #: Whether the operator agrees to the authority's terms; nothing is done without.
    termsAgreed: bool = False
    #: Where the authority may write to; empty for nowhere.
    email: str = ""
    #: How it sees that a name leads here: C{"tls-alpn-01"} (RFC 8737), C{"http-01"}.
    challenge: Literal["tls-alpn-01", "http-01"] = "tls-alpn-01"
    #: A file in PEM: who is trusted to be the authority's server; empty for whom the
    #: system trusts.
    ca: str = ""
    #: The kind of the keys: C{"EC"} (P-256), C{"RSA"} (2048).
    key: Literal["EC", "RSA"] = "EC"


@dataclass(frozen=True, kw_only=True, slots=True)
class TLSSettings:
    """How a front speaks TLS: with one certificate, or with those of a folder."""

    #: A file in PEM: the certificate, and behind it those that vouch for it.
    certificate: str = ""
    #: The file of its key; empty if the key is in the same one.
    key: str = ""
    #: Instead of these, a folder of C{NAME.pem} files with their keys in them, or beside
    #: them in C{NAME.key}.
    certificates: str = ""
    #: The name whose certificate is for clients that ask for no other; empty for the
    #: first file's.
    default: str = ""
    #: Versions and ciphers: C{"intermediate"}, C{"modern"}, C{"compatible"}.
    profile: str = "intermediate"
    #: How long a handshake may take, in seconds.
    handshakeSeconds: float = 10.0
    #: How many may be under way at once; others wait.
    handshakes: int = 1000
    #: For how long clients may come back without a whole handshake, and how long a key
    #: for their tickets is used, in seconds; 0 for not at all.
    resumptionSeconds: float = 43200.0
    #: Whether certificates that name a responder have the word of their authority with
    #: them that they are good (OCSP).
    stapling: bool = True
    #: None to ask clients for no certificate.
    clients: ClientTLSSettings | None = None
    #: How certificates are obtained for names that no file has one for; None for not at
    #: all.
    acme: AcmeSettings | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HTTPSOnlySettings:
    """How clients come to a front by TLS alone: those without are sent to it, and all remember."""

    #: Where plain requests come that are redirected: server endpoint strings.
    listen: tuple[str, ...] = ()
    #: At which clients reach the front.
    port: int = 443
    #: Of redirects.
    status: Literal[301, 302, 307, 308] = 308
    #: For how long clients remember never to come without TLS (RFC 6797), in seconds; 0
    #: for not to tell them.
    maxAgeSeconds: int = 31536000
    #: That is so for all names below those of the front, too.
    subdomains: bool = False
    #: Those who make browsers may build it in.
    preload: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class InterceptSettings:
    """What a forward front decrypts; see C{docs/interception.md} before."""

    #: A file in PEM: the certificate of the authority that signs for it.
    ca: str
    #: The file of its key; empty if the key is in the same one.
    key: str = ""
    #: Names, C{*.} patterns, addresses and networks that are never intercepted.
    excepted: tuple[str, ...] = ()
    #: Those that alone are; empty for all others.
    only: tuple[str, ...] = ()
    #: Ports of C{CONNECT}.
    ports: tuple[int, ...] = (443,)
    #: A file in PEM: the authorities that servers are trusted by, in place of the
    #: system's; None for those.
    trust: str | None = None
    #: How long a client may take to its first octet, and then through its handshake,
    #: in seconds.
    handshakeSeconds: float = 10.0
    #: How many handshakes may be under way at once; others wait.
    handshakes: int = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class FrontSettings:
    """What both kinds of front have."""

    name: str
    limits: Limits = field(default_factory=Limits)
    timeouts: Timeouts = field(default_factory=Timeouts)
    #: None for connections without TLS, or with that of the endpoint; where some are
    #: passed through, for nothing but these.
    tls: TLSSettings | None = None
    #: The pseudonym in C{Via} (RFC 9110 §7.6.3).  None makes one for each front and
    #: start: C{intermediary-} and 8 random hexadecimal digits.
    via: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ForwardSettings(FrontSettings):
    """A proxy for clients."""

    #: Ports that C{CONNECT} may reach, besides any port on loopback.
    connectPorts: tuple[int, ...] = (443, 80)
    #: Whether destinations that resolve to addresses of this host or of its
    #: networks are refused.
    guarded: bool = True
    #: Networks (CIDR), addresses or host names that the guard lets pass.
    allowDestinations: tuple[str, ...] = ()
    #: None to decrypt nothing.
    intercept: InterceptSettings | None = None
    #: How it is cached, where the process has a cache; None for not at all.
    cache: RouteCacheSettings | None = field(default_factory=RouteCacheSettings)
    #: Who is let in, by certificate; None for everybody.
    clientCertificate: ClientRuleSettings | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReverseSettings(FrontSettings):
    """A gateway for servers."""

    routes: tuple[RouteSettings, ...]
    #: Clients of TLS that are none of them.
    passthrough: tuple[PassageSettings, ...] = ()
    #: Networks (CIDR) of peers whose C{Forwarded} and C{X-Forwarded-*} fields
    #: are believed and extended, instead of dropped.
    trustedProxies: tuple[str, ...] = ()
    #: None for whatever clients come by.
    httpsOnly: HTTPSOnlySettings | None = None
    #: Request fields that never get from clients to servers, nor from trusted proxies:
    #: others of the same process tell those of certificates by them.
    reservedFields: tuple[str, ...] = ()
