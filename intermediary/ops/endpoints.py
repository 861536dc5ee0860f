# -*- test-case-name: tests.ops.test_endpoints -*-
"""
The two kinds of front, as protocol factories for any Twisted application.

They listen on any L{IStreamServerEndpoint
<twisted.internet.interfaces.IStreamServerEndpoint>}::

    pool = makePool(reactor)
    forward = ForwardProxyFactory(reactor, ForwardSettings(name="egress"), pool=pool)
    TCP4ServerEndpoint(reactor, 3128, interface="127.0.0.1").listen(forward)

Fronts that are given the same pool share its connections.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IProtocolFactory, IProtocolNegotiationFactory
from twisted.logger import Logger
from zope.interface import implementer

from ..engine import Engine
from ..front import Front
from ..interfaces import IFront
from ..net.connector import Connector
from ..net.dialling import Dialling
from ..net.downstream import DownstreamConnection
from ..net.listener import Listener
from ..net.origintls import OriginPolicies
from ..net.pool import Pool
from ..net.resolver import Resolver
from ..net.sweep import Sweeper
from ..policy.cache import Cache
from ..policy.networks import Networks
from ..policy.refreshing import Refreshing
from ..policy.replies import ErrorReplies
from ..policy.stores import MemoryStore
from ..policy.stricttransport import StrictTransport
from ..policy.tiers import Tiers
from ..settings import (
    CacheSettings,
    ForwardSettings,
    Limits,
    OriginTLSSettings,
    PoolSettings,
    ReverseSettings,
    TLSSettings,
)
from .programs import (
    ForwardPrograms,
    Hooks,
    ReversePrograms,
    Sections,
    Upstreams,
    withheldBy,
)
from .values import pseudonym

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twisted.internet.interfaces import IAddress

    from ..interfaces import IAccessLog, ICacheStore, IResolver
    from ..net.handshakes import Handshakes
    from ..net.interception import Interception
    from ..net.servertls import ServerTLS
    from ..policy.passages import Passages
    from ..program import Program
    from ..settings import FrontSettings


def makePool(
    reactor: Any,
    settings: PoolSettings | None = None,
    limits: Limits | None = None,
    resolver: IResolver | None = None,
) -> Pool:
    """
    Make a pool for one front or for several.

    @param limits: for the responses of origins.
    @param resolver: instead of the reactor's own.
    """
    if resolver is None:
        resolver = Resolver(reactor)
    connector = Connector(reactor, resolver)
    return Pool(
        reactor, settings or PoolSettings(), connector, Sweeper(reactor), limits or Limits()
    )


def makeCache(reactor: Any, settings: CacheSettings | None = None) -> Cache:
    """
    Make a cache for one front or for several.

    Where a route has entries refreshed before they expire, it has a timer until it is
    closed.  One with a disk has to be started and stopped: see L{Cache.start} and
    L{Cache.stop}.

    @param reactor: with a disk, its time must be that of the epoch.
    @raise ValueError: one of those who may purge is misspelt.
    """
    if settings is None:
        settings = CacheSettings()
    largest = settings.largestOctets
    memory = MemoryStore(reactor, settings.memoryOctets, settings.largestInMemoryOctets)
    store: ICacheStore = memory
    keeper = None
    if settings.disk is not None:
        # Only who has a disk needs SQLite.
        from .keeper import DiskKeeper

        keeper = DiskKeeper(reactor, settings.disk, largest)
        store = keeper.tiers = Tiers(reactor, memory, keeper.store, largest)
    targeted = tuple(name.lower().encode("ascii") for name in settings.targeted)
    purgers = Networks(settings.purgeFrom) if settings.purgeFrom else None
    cache = Cache(store, largest, targeted, purgers)
    cache.refreshing = Refreshing(reactor, cache)
    cache.keeper = keeper
    if keeper is not None:
        keeper.listenFor(cache)
    return cache


class Gauge:
    """How many client connections are open, over the fronts that share it."""

    __slots__ = ("limit", "open", "refused")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.open = 0
        self.refused = 0


@implementer(IProtocolFactory, IProtocolNegotiationFactory, IFront)
class ProxyFactory:
    """
    What both kinds of front have in common.

    @ivar programs: all that its exchanges may run.
    @ivar tls: with C{settings.tls}, the policy; its C{start} has it look for certificates
        that change, until its C{stop}.
    @ivar noisy: read by Twisted's ports; a front says nothing when it starts.
    """

    log = Logger()
    noisy = False
    #: Read by L{eager ports<intermediary.net.transport.EagerPort>}: they need not
    #: make an address for C{buildProtocol}.
    ignoresAddress = True
    programs: tuple[Program, ...] = ()
    #: Chooses who is passed through; None for nobody.
    passages: Passages | None = None
    #: See L{Front}.
    keepsOld = True

    def __init__(
        self,
        reactor: Any,
        settings: FrontSettings,
        pool: Pool | None,
        accessLog: IAccessLog | None,
        components: Iterable[Any],
        gauge: Gauge | None,
        cache: Cache | None = None,
    ) -> None:
        self._reactor = reactor
        self.name = settings.name
        self.settings = settings
        self.pool = makePool(reactor, limits=settings.limits) if pool is None else pool
        self.gauge = Gauge(settings.limits.connections) if gauge is None else gauge
        # Random, as two of us on one host may well be in one chain: a loop is
        # then still a loop, and a chain is none.
        via = settings.via or f"intermediary-{os.urandom(4).hex()}"
        self.pseudonym = pseudonym(via).encode("ascii")
        self.engine = Engine(self.pool, reactor.seconds, self.pseudonym)
        sections = Sections(self.engine, Hooks(components), accessLog, cache, self._strict())
        self.front = Front(
            settings.name,
            settings.limits,
            settings.timeouts,
            self.engine,
            self._compile(sections),
            ErrorReplies(self.pseudonym),
            sections.refusal(),
            self.keepsOld,
            withheld=self._withheld(),
        )
        self._caches = tuple(sections.caches)
        self._listener = Listener(self.front, self.pool.sweeper)
        self._listener.closing = self._closed
        self.tls: ServerTLS | None = None
        if settings.tls is not None or self.passages is not None:
            self._listener.handshakes = self._secure(settings.tls)
        #: Who waits for the last connection to go.
        self._waiting: list[Deferred[None]] = []

    def _secure(self, settings: TLSSettings | None) -> Handshakes:
        """Have all connections begin with TLS."""
        # Only who has TLS needs OpenSSL.
        from ..net.handshakes import Handshakes

        if settings is None:
            # It is only looked at here, and spoken elsewhere.
            settings = TLSSettings()
        else:
            from ..net.servertls import ServerTLS

            protocols = tuple(self.acceptableProtocols())
            self.tls = ServerTLS(self._reactor, settings, self.name, protocols, self.pool.connector)
            self.tls.renewed = self._renewed
        seconds, limit = settings.handshakeSeconds, settings.handshakes
        asks = settings.clients is not None
        kind: type[Handshakes] = Handshakes
        if self.tls is not None and self.tls.automatic is not None:
            from ..net.answering import AnsweringHandshakes

            kind = AnsweringHandshakes
        return kind(
            self.name, self.tls, seconds, limit, self._reactor, self.passages, introduces=asks
        )

    def _strict(self) -> StrictTransport | None:
        """Make what clients are told of TLS, if they are."""
        return None

    def _renewed(self) -> None:
        """Have clients prove again who they are: who has may not be trusted any more."""
        for connection in list(self._listener.connections):
            if connection.secure:
                connection.drain()

    def _compile(self, sections: Sections) -> Any:
        """Make the programs, and return what chooses between them."""
        raise NotImplementedError

    def _dialling(self) -> Dialling:
        """Make the steps that open tunnels."""
        pool = self.pool
        return Dialling(self.engine, pool.connector, pool.sweeper, pool.pipes, self._reactor)

    def _withheld(self) -> frozenset[bytes]:
        """Name the fields that no client gets through in trailers."""
        return frozenset()

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._listener.connections)

    def doStart(self) -> None:
        """A port begins to listen for this front."""

    def doStop(self) -> None:
        """A port stops listening."""

    def acceptableProtocols(self) -> list[bytes]:
        """Name what a TLS listener may agree on with clients (RFC 7301)."""
        return [b"http/1.1"]

    def buildProtocol(self, address: IAddress | None) -> DownstreamConnection | None:
        """
        Make the connection of a client.

        @return: None, which closes it at once, over the limit of connections
            and while draining.
        """
        gauge = self.gauge
        if self._listener.draining:
            return None
        if gauge.open >= gauge.limit:
            if not gauge.refused:
                self.log.warn(  # noqa: G010 - of Twisted
                    "Clients are turned away from {front}: {limit} connections are open",
                    front=self.name,
                    limit=gauge.limit,
                )
            gauge.refused += 1
            return None
        gauge.refused = 0
        gauge.open += 1
        return DownstreamConnection(self._listener)

    def _closed(self) -> None:
        self.gauge.open -= 1
        if self._waiting and not self._listener.connections:
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                if not each.called:
                    each.callback(None)

    def drain(self) -> Deferred[None]:
        """See L{IFront.drain}."""
        self._listener.draining = True
        for cache in self._caches:
            cache.retire()
        for connection in list(self._listener.connections):
            connection.drain()
        if not self._listener.connections:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def abort(self) -> None:
        """See L{IFront.abort}."""
        for connection in list(self._listener.connections):
            connection.abort()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} connections={self.connections}>"


class ForwardProxyFactory(ProxyFactory):
    """
    A forward proxy: for clients, with C{CONNECT}.

    @ivar interception: what it decrypts; None for nothing.
    """

    settings: ForwardSettings
    keepsOld = False
    interception: Interception | None = None

    def __init__(
        self,
        reactor: Any,
        settings: ForwardSettings,
        *,
        pool: Pool | None = None,
        accessLog: IAccessLog | None = None,
        components: Iterable[Any] = (),
        gauge: Gauge | None = None,
        cache: Cache | None = None,
        policies: OriginPolicies | None = None,
    ) -> None:
        """
        @param reactor: provides C{IReactorTime} and C{IReactorTCP}.
        @param components: objects with hooks (L{intermediary.interfaces}).
        @param cache: from L{makeCache}; None for none.
        @param policies: for destinations of C{https}: fronts that are given the same
            share connections to them.
        @raise ValueError: a setting is misspelt, or what intercepts can't be set up.
        """
        self._policies = OriginPolicies(reactor.seconds) if policies is None else policies
        super().__init__(reactor, settings, pool, accessLog, components, gauge, cache)

    def _compile(self, sections: Sections) -> Any:
        dialling = self._dialling()
        intercept = self.settings.intercept
        trust = None if intercept is None else intercept.trust
        tls = self._policies.get(OriginTLSSettings(ca=trust))
        if intercept is not None:
            # Only who intercepts needs OpenSSL for its clients.
            from .intercepting import makeInterception

            self.interception = makeInterception(
                self.name, intercept, self.pool.sweeper, self._reactor
            )
        compiled = ForwardPrograms(
            self.settings,
            sections,
            dialling,
            self.pseudonym,
            tls,
            None if self.interception is None else self.interception.intercept,
        )
        self.programs = compiled.programs
        return compiled.route

    def drain(self) -> Deferred[None]:
        """See L{IFront.drain}."""
        drained = super().drain()
        if self.interception is not None:
            self.interception.drain()
        return drained


class ReverseProxyFactory(ProxyFactory):
    """A reverse proxy: for servers."""

    settings: ReverseSettings

    def __init__(
        self,
        reactor: Any,
        settings: ReverseSettings,
        *,
        pool: Pool | None = None,
        accessLog: IAccessLog | None = None,
        components: Iterable[Any] = (),
        gauge: Gauge | None = None,
        upstreams: Upstreams | None = None,
        cache: Cache | None = None,
    ) -> None:
        """
        @param reactor: provides C{IReactorTime} and C{IReactorTCP}.
        @param components: objects with hooks (L{intermediary.interfaces}).
        @param upstreams: fronts that are given the same share their upstreams.
        @param cache: from L{makeCache}; None for none.
        @raise ValueError: a setting is misspelt, or TLS with an upstream can't be set
            up.
        """
        if upstreams is None:
            upstreams = Upstreams(OriginPolicies(reactor.seconds))
        self._upstreams = upstreams
        super().__init__(reactor, settings, pool, accessLog, components, gauge, cache)

    def _strict(self) -> StrictTransport | None:
        only = self.settings.httpsOnly
        if only is None or not only.maxAgeSeconds:
            return None
        return StrictTransport(only.maxAgeSeconds, only.subdomains, only.preload)

    def _withheld(self) -> frozenset[bytes]:
        return withheldBy(self.settings)

    def _compile(self, sections: Sections) -> Any:
        compiled = ReversePrograms(self.settings, sections, self._upstreams, self.pseudonym)
        self.programs = compiled.programs
        if self.settings.passthrough:
            self._passThrough(sections)
        return compiled.route

    def _passThrough(self, sections: Sections) -> None:
        """Make the programs of clients that are passed through."""
        # Only who has some needs them.
        from .passageprograms import PassagePrograms

        compiled = PassagePrograms(self.settings, sections, self._upstreams, self._dialling())
        self.programs += compiled.programs
        self.passages = compiled.choose
