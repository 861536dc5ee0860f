# -*- test-case-name: tests.ops.test_programs -*-
"""
Settings to programs: where net and policy, which don't know each other, meet.

A program is written here in the order in which it runs.  What is not asked for
is not in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..policy.access import ConnectPorts, DestinationGuard
from ..policy.balancing import HostField, Peer, RoundRobin, Upstream
from ..policy.bypass import Bypass, Condition
from ..policy.cache import Cache, RouteCache
from ..policy.cachefield import CacheField
from ..policy.clientheaders import ClientHeaders
from ..policy.clientrules import ClientRule
from ..policy.collapsing import Collapsing
from ..policy.destination import Destinations, statusPage
from ..policy.disclosure import Disclosure
from ..policy.hops import GATEWAY_METHODS, Hops
from ..policy.purgerequests import refusePurge
from ..policy.rangemiss import RangeMiss
from ..policy.redirects import Redirects
from ..policy.routing import Route, RouteTable
from ..policy.targets import Targets
from ..policy.uses import Uses
from ..program import Program
from ..settings import ForceSettings
from ..wire.cachekey import KeyMaker
from ..wire.clientcertificates import STANDARD
from ..wire.rules import CacheRules
from ..wire.storing import storableStatuses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..engine import Engine
    from ..interfaces import IAccessLog, IOriginTLS
    from ..net.dialling import Dialling
    from ..net.origintls import OriginPolicies
    from ..policy.stricttransport import StrictTransport
    from ..program import Step
    from ..settings import (
        ClientRuleSettings,
        ForwardSettings,
        ReverseSettings,
        RouteCacheSettings,
        RouteSettings,
        UpstreamSettings,
    )


class Hooks:
    """The hooks of a front's components, in the order of the components."""

    __slots__ = ("onDeliver", "onFetch", "onFetched", "onFinish", "onRequest")

    def __init__(self, components: Iterable[Any]) -> None:
        """
        @param components: objects with any of the five hooks of
            L{intermediary.interfaces}.
        @raise TypeError: one of them has none.
        """
        components = tuple(components)
        for component in components:
            if not any(hasattr(component, name) for name in self.__slots__):
                raise TypeError(f"{component!r} has none of {', '.join(self.__slots__)}")
        for name in self.__slots__:
            setattr(
                self,
                name,
                tuple(getattr(each, name) for each in components if hasattr(each, name)),
            )

    onRequest: tuple[Step, ...]
    onFetch: tuple[Step, ...]
    onFetched: tuple[Step, ...]
    onDeliver: tuple[Step, ...]
    onFinish: tuple[Step, ...]


class Sections:
    """
    The sections that all programs of one front have in common.

    @ivar caches: the steps of each route that is cached.
    @ivar strict: what clients are told of TLS; None for nothing.
    """

    def __init__(
        self,
        engine: Engine,
        hooks: Hooks,
        accessLog: IAccessLog | None,
        cache: Cache | None = None,
        strict: StrictTransport | None = None,
    ) -> None:
        self.engine = engine
        self.hooks = hooks
        self.cache = cache
        self.caches: list[RouteCache] = []
        # Into which all of the routes store, for purges of what the front has stored.
        self._partitions: list[bytes] = []
        record: tuple[Step, ...] = () if accessLog is None else (accessLog.record,)
        self.fetched: Sequence[Step] = (*hooks.onFetched, engine.receive)
        self.strict = strict
        last: tuple[Step, ...] = () if strict is None else (strict.onDeliver,)
        self.deliver: Sequence[Step] = (*hooks.onDeliver, *last, engine.sendHead)
        self.account: Sequence[Step] = (*hooks.onFinish, *record, engine.end)
        self.finish: Sequence[Step] = (engine.release, *self.account)

    def fetching(
        self,
        name: str,
        request: Sequence[Step],
        fetch: Sequence[Step],
        received: Sequence[Step] = (),
        caching: RouteCacheSettings | None = None,
        partition: str = "",
        trusts: Callable[[str], bool] | None = None,
        byTarget: bool = False,
        passes: Sequence[Step] = (),
    ) -> Program:
        """
        Make the program of what is fetched from somewhere, and cached if it may be.

        @param fetch: from when the head to forward was derived, up to the last look
            at it.
        @param received: what sees the reply that was made of a response first.
        @param trusts: see L{RouteCache.refreshAhead}.
        @param byTarget: see L{Spelling<intermediary.policy.spelling.Spelling>}.
        @param passes: what sends requests past the cache.
        """
        engine, hooks = self.engine, self.hooks
        send = (*hooks.onFetch, engine.connect, engine.send)
        if self.cache is None or caching is None:
            purgers = None if self.cache is None else self.cache.purgers
            refuse = () if purgers is None else (refusePurge,)
            return Program(
                name,
                {
                    "request": (*request, *hooks.onRequest, *refuse),
                    "fetch": (engine.derive, *fetch, *send),
                    "fetched": (*self.fetched, *received),
                    "deliver": self.deliver,
                    "finish": self.finish,
                },
                NOTES,
            )
        force = caching.force or _NO_FORCE
        if caching.share is not None:
            # No front can have a name with a plus sign.
            partition = f"+{caching.share}"
        keys = KeyMaker(
            partition=partition.encode("ascii"),
            dropParameters=[each.encode("ascii") for each in caching.ignoreQuery],
            sortParameters=caching.sortQuery,
            fields=[each.encode("ascii") for each in caching.keyFields],
            cookies=[each.encode("ascii") for each in caching.keyCookies],
        )
        field = CacheField(Targets(keys))
        cache = RouteCache(
            self.cache,
            engine,
            keys,
            CacheRules(
                targeted=self.cache.targeted,
                staleWhileRevalidateSeconds=caching.graceSeconds,
                staleIfErrorSeconds=caching.graceErrorSeconds,
                lifetimes=_byStatus(caching.lifetimes),
                forcedSeconds=force.lifetimeSeconds,
                ignoredFields=frozenset(each.lower().encode("ascii") for each in force.ignore),
                authorized=force.authorization,
                ignoreClient=caching.ignoreClient,
                storeCookies=caching.storeCookies,
            ),
            bool(hooks.onDeliver),
            self._partitions,
            byTarget,
            prompt=not hooks.onRequest,
        )
        whole = RangeMiss(self.cache, engine) if caching.rangeMiss == "whole" else None
        told = {"key": (field.showKey,), "off": (field.hide,)}.get(caching.cacheStatus, ())
        sections: dict[str, Sequence[Step]] = {
            "request": (*request, *hooks.onRequest),
            "lookup": (
                *passes,
                *self._bypass(caching),
                cache.lookup.onLookup,
                *self._uses(caching),
            ),
            "fetch": (
                engine.derive,
                cache.spelling.normalise,
                *fetch,
                cache.validation.condition,
                *send,
            ),
            "fetched": (*self.fetched, *received, cache.arrival.admit),
            "deliver": (
                cache.delivery.annotate,
                *told,
                *self.deliver,
            ),
            "finish": (engine.release, cache.settle, *self.account),
        }
        later = {key: sections[key] for key in ("fetch", "fetched")}
        later["finish"] = (engine.release, cache.settle, engine.end)
        background = Program(f"{name} (in the background)", later, NOTES)
        cache.useInBackground(background)
        if whole is not None:
            whole.useInBackground(background)
            sections["fetched"] = (*sections["fetched"], whole.fetchWhole)
        if not byTarget and caching.minUses < 2:
            # Nothing about the origin is spelled, nothing is counted.
            cache.passing.program = Program(
                f"{name} (passing)",
                {
                    "fetch": (engine.derive, *fetch, *send),
                    "fetched": (*self.fetched, *received),
                    "deliver": (cache.passing.take, *told, *self.deliver),
                    "finish": self.finish,
                },
                NOTES,
            )
        if caching.refreshUses:
            cache.refreshAhead(caching.refreshUses, trusts)
        self.caches.append(cache)
        return Program(name, sections, NOTES)

    def _bypass(self, caching: RouteCacheSettings) -> Sequence[Step]:
        """Make the step that sends requests past the cache, if some are to be."""
        conditions = [
            Condition(
                path=each.path.encode("ascii"),
                query=each.query.encode("ascii"),
                cookie=each.cookie.encode("ascii"),
                field=each.field.encode("ascii"),
            )
            for each in caching.bypass
        ]
        if caching.force is not None and not caching.force.authorization:
            # What an origin has not said is not believed of what is for one user.
            conditions.append(Condition(field=b"Authorization"))
        return (Bypass(conditions, self.engine.seconds).onLookup,) if conditions else ()

    def _uses(self, caching: RouteCacheSettings) -> Sequence[Step]:
        """Make the step that counts what is asked for, if that matters."""
        cache = self.cache
        if cache is None or caching.minUses < 2:
            return ()
        uses = Uses(
            cache.store,
            Collapsing(cache, self.engine),
            self.engine.seconds,
            caching.minUses,
            caching.minUsesWithinSeconds,
        )
        return (uses.count,)

    def refusal(self) -> Program:
        """Make the program of what never became a request, or found no route."""
        return Program("refusal", {"deliver": self.deliver, "finish": self.finish}, NOTES)


def _byStatus(lifetimes: Iterable[tuple[str, float]]) -> dict[int, float]:
    """Spell out the classes of statuses, which count for less than single ones."""
    found: dict[int, float] = {}
    for name, seconds in sorted(lifetimes, key=lambda pair: not pair[0].endswith("xx")):
        statuses = storableStatuses(name)
        if not statuses:
            raise ValueError(f"no response of this status is stored: {name!r}")
        found.update(dict.fromkeys(statuses, seconds))
    return found


_NO_FORCE = ForceSettings()

#: Remarks in the listing.
NOTES = {
    "engine.derive": "hop-by-hop, Via",
    "engine.connect": "parks: connection",
    "engine.send": "parks: response head",
    "engine.sendHead": "parks: body relay",
    "engine.end": "next request",
    "bypass.Bypass.onLookup": "not cached -> fetch",
    "clientheaders.ClientHeaders.onLookup": "with a certificate -> fetch",
    "lookup.Lookup.onLookup": "hit -> deliver; may park",
    "uses.Uses.count": "too early -> not stored",
    "interception.Interception.intercept": "parks: TLS, to be decrypted",
    "dialling.Dialling.dial": "parks: connection",
    "dialling.Dialling.relay": "parks: tunnel",
}


class ForwardPrograms:
    """
    The programs of a forward front.

    @ivar route: chooses between them.
    """

    def __init__(
        self,
        settings: ForwardSettings,
        sections: Sections,
        dialling: Dialling,
        pseudonym: bytes,
        tls: IOriginTLS | None = None,
        intercept: Step | None = None,
    ) -> None:
        """
        @param tls: for destinations of C{https}; see L{Destinations}.
        @param intercept: what C{CONNECT} comes to before anything is dialled; None
            where nothing is intercepted.
        @raise ValueError: an exception to the guard is misspelt, or which clients are let in.
        """
        hooks = sections.hooks
        hops = Hops(pseudonym)
        request = (hops.onRequest, *_admitting(settings.clientCertificate))
        fetch = sections.fetching(
            f"forward.{settings.name} absolute-form",
            request,
            (hops.onFetch,),
            caching=settings.cache,
            partition=settings.name,
            byTarget=True,
        )
        peek = () if intercept is None else (intercept,)
        tunnel = Program(
            f"forward.{settings.name} CONNECT",
            {
                "request": (*request, *hooks.onRequest),
                "fetch": (*peek, dialling.dial, dialling.relay),
                "deliver": sections.deliver,
                "finish": sections.finish,
            },
            NOTES,
        )
        itself = Program(
            f"forward.{settings.name} itself",
            {
                "request": (*request, *hooks.onRequest, statusPage),
                "deliver": sections.deliver,
                "finish": sections.finish,
            },
            NOTES,
        )
        guard = DestinationGuard(settings.allowDestinations) if settings.guarded else None
        self.programs = (fetch, tunnel, itself)
        ports = ConnectPorts(settings.connectPorts, guard)
        self.route = Destinations(fetch, tunnel, itself, guard, ports, tls)


class Upstreams:
    """The upstreams of a process: routes that name the same one share it."""

    def __init__(self, policies: OriginPolicies) -> None:
        """
        @param policies: for servers of C{https}.
        """
        self._policies = policies
        self._known: dict[UpstreamSettings, Upstream] = {}

    def get(self, settings: UpstreamSettings) -> Upstream:
        """
        Find or make an upstream.

        @raise ValueError: a server's URL is not valid, or its TLS can't be set up:
            L{Unusable<intermediary.net.origintls.Unusable>}.
        """
        known = self._known.get(settings)
        if known is None:
            tls = self._policies.get(settings.tls)
            peers = [Peer.fromURL(url, tls) for url in settings.servers]
            if any(peer.origin.tls is not None for peer in peers):
                # What can't be used is known before anybody needs it.
                tls.context()
            known = self._known[settings] = Upstream(settings.name, RoundRobin(peers))
        return known


class ReversePrograms:
    """
    The programs of a reverse front, one for each route.

    @ivar route: chooses between them.
    """

    def __init__(
        self,
        settings: ReverseSettings,
        sections: Sections,
        upstreams: Upstreams,
        pseudonym: bytes,
    ) -> None:
        """
        @raise ValueError: a server's URL or a trusted network is misspelt, or which clients
            are let in.
        """
        hops = Hops(pseudonym, GATEWAY_METHODS)
        disclosure = Disclosure(settings.trustedProxies, withheldBy(settings))
        received: list[Step] = [Redirects().hide]
        if sections.strict is not None:
            received.append(sections.strict.drop)
        routes = []
        for each in settings.routes:
            upstream = upstreams.get(each.upstream)
            hosts = " ".join(each.host) or "any host"
            telling = self._telling(settings, each, sections)
            program = sections.fetching(
                f"reverse.{settings.name} {hosts} {each.path} -> {upstream.name}",
                (hops.onRequest, *_admitting(each.clientCertificate)),
                (
                    hops.onFetch,
                    upstream.onFetch,
                    disclosure.onFetch,
                    HostField(each.preserveHost).onFetch,
                    *([] if telling is None else [telling.onFetch]),
                ),
                received,
                caching=each.cache,
                partition=settings.name,
                trusts=disclosure.trusts,
                passes=() if telling is None else (telling.onLookup,),
            )
            routes.append(Route(each.host, each.path, program))
        self.programs = tuple(route.program for route in routes)
        self.route = RouteTable(routes)

    @staticmethod
    def _telling(
        settings: ReverseSettings, route: RouteSettings, sections: Sections
    ) -> ClientHeaders | None:
        """Make what tells the servers of a route of certificates, if they are told."""
        clients = None if settings.tls is None else settings.tls.clients
        if clients is None or not clients.headers or not route.clientHeaders:
            return None
        return ClientHeaders(clients.headers, sections.engine.seconds)


def _admitting(settings: ClientRuleSettings | None) -> Sequence[Step]:
    """Make the step that lets some clients in, where not all are."""
    if settings is None:
        return ()
    rule = ClientRule(settings.subject, settings.san, settings.fingerprint)
    return (rule.onRequest,)


def withheldBy(settings: ReverseSettings) -> frozenset[bytes]:
    """Name the fields that tell of certificates, which a reverse front takes from nobody."""
    names = list(settings.reservedFields)
    if settings.tls is not None and settings.tls.clients is not None:
        names += [name for _, name in settings.tls.clients.headers]
    return STANDARD | {each.lower().replace("_", "-").encode("ascii") for each in names}
