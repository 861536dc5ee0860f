# -*- test-case-name: tests.ops.test_compile -*-
"""
A configuration to everything that runs: the one place where all is assembled.

Nothing listens yet: that is the service's (L{intermediary.ops.service}).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.defer import succeed

from ..net.origintls import OriginPolicies, Unusable
from ..policy.access import needsGuard
from ..settings import Limits
from .accesslog import AccessLog
from .acmeanswering import answering, described
from .config import Guard
from .endpoints import (
    ForwardProxyFactory,
    Gauge,
    ProxyFactory,
    ReverseProxyFactory,
    makeCache,
    makePool,
)
from .httpsonly import RedirectingFactory
from .logformat import compileFormat
from .problems import ABSENT, ConfigurationError, Problem
from .programs import Upstreams

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ..interfaces import IResolver
    from ..net.servertls import ServerTLS
    from ..settings import FrontSettings
    from .config import Configuration, ForwardFront


class AssembledFront(NamedTuple):
    """A front that is ready to listen."""

    settings: FrontSettings
    #: Server endpoint strings.
    listen: tuple[str, ...]
    factory: ProxyFactory


class Assembly:
    """
    All that one process runs, made from its configuration.

    @ivar fronts: in the order of the configuration, forward ones first.
    @ivar pool: shared by all of them.
    @ivar cache: shared by all of them; None where there is none.
    @ivar accessLog: None where there is none; not open before L{start}.
    """

    def __init__(
        self, configuration: Configuration, reactor: Any, resolver: IResolver | None = None
    ) -> None:
        """
        @raise ConfigurationError: a file that it names can't be used.
        @raise ValueError: a setting is misspelt.
        """
        self.configuration = configuration
        log = configuration.log
        self.accessLog = None
        if log.access is not None:
            line = compileFormat(log.format, _asksForCertificates(configuration))
            self.accessLog = AccessLog(reactor, line, log.access)
        # The limits are the process's, and the same for all fronts.
        every: list[FrontSettings] = [each.settings for each in configuration.forward]
        every += [each.settings for each in configuration.reverse]
        limits = every[0].limits if every else Limits()
        self.pool = makePool(reactor, configuration.pool, limits, resolver)
        self.cache = None
        if configuration.cache is not None:
            self.cache = makeCache(reactor, configuration.cache)
        shared: dict[str, Any] = {
            "pool": self.pool,
            "accessLog": self.accessLog,
            "gauge": Gauge(limits.connections),
            "cache": self.cache,
        }
        policies = OriginPolicies(reactor.seconds)
        _checkTLS(configuration, policies)
        upstreams = Upstreams(policies)
        fronts = []
        for each in configuration.forward:
            settings = replace(each.settings, guarded=isGuarded(each))
            forward = ForwardProxyFactory(reactor, settings, policies=policies, **shared)
            fronts.append(AssembledFront(settings, each.listen, forward))
        answers = answering(every)
        for other in configuration.reverse:
            # An authority asks without TLS.
            components = () if answers is None or other.settings.tls is not None else (answers,)
            reverse = ReverseProxyFactory(
                reactor, other.settings, upstreams=upstreams, components=components, **shared
            )
            fronts.append(AssembledFront(other.settings, other.listen, reverse))
            only, tls = other.settings.httpsOnly, reverse.tls
            if only is not None and only.listen and tls is not None:
                plain = RedirectingFactory(
                    reactor,
                    other.settings,
                    certified=tls.isFor,
                    pool=self.pool,
                    accessLog=self.accessLog,
                    gauge=shared["gauge"],
                    answering=() if answers is None else (answers.onRequest,),
                )
                fronts.append(AssembledFront(plain.settings, only.listen, plain))
        self.fronts = tuple(fronts)

    def explain(self) -> str:
        """List the program of every route, as C{--explain} prints it."""
        listed = [
            f"{program.name}\n{program.listing()}"
            for front in self.fronts
            for program in front.factory.programs
        ]
        for front in self.fronts:
            tls = front.settings.tls
            if tls is not None and tls.acme is not None:
                listed.append(f"{front.settings.name}: {described(tls.acme)}")
        return "\n\n".join(listed)

    def start(self) -> None:
        """
        Open the access log.

        @raise OSError: it can't be opened.
        """
        if self.accessLog is not None:
            self.accessLog.open()

    def begin(self) -> None:
        """Begin to use the disk of the cache, and to watch certificates."""
        if self.cache is not None:
            self.cache.start()
        for policy in self._policies():
            policy.start()

    def reload(self) -> bool:
        """
        Read certificates that have changed now, and order those that could not be.

        @return: whether there are any that could.
        """
        policies = self._policies()
        for policy in policies:
            policy.reload()
            if policy.automatic is not None:
                policy.automatic.hurry()
        return bool(policies)

    def _policies(self) -> list[ServerTLS]:
        """What speaks TLS with clients."""
        return [front.factory.tls for front in self.fronts if front.factory.tls is not None]

    def end(self) -> Deferred[None]:
        """Fires when the disk of the cache is closed; no exchange is under way any more."""
        return succeed(None) if self.cache is None else self.cache.stop()

    def stop(self) -> None:
        """Drop idle connections, end timers and close the log; the fronts are through."""
        for policy in self._policies():
            policy.stop()
        if self.cache is not None:
            self.cache.close()
        self.pool.close()
        if self.accessLog is not None:
            self.accessLog.close()


def _asksForCertificates(configuration: Configuration) -> bool:
    """Tell whether clients of any front may show certificates."""
    settings = [each.settings.tls for each in configuration.forward]
    settings += [each.settings.tls for each in configuration.reverse]
    return any(each is not None and each.clients is not None for each in settings)


def _checkTLS(configuration: Configuration, policies: OriginPolicies) -> None:
    """
    Read what TLS with servers needs.

    @raise ConfigurationError: with everything that can't be used.
    """
    upstreams = {
        route.upstream.name: route.upstream
        for site in configuration.reverse
        for route in site.settings.routes
    }
    problems = []
    for name, upstream in upstreams.items():
        if any(url.startswith("https:") for url in upstream.servers):
            try:
                policies.get(upstream.tls).context()
            except Unusable as error:
                problem = Problem(
                    file=configuration.source,
                    table=f"upstream.{name}.tls.{error.key}",
                    value=ABSENT if error.value is None else error.value,
                    message=error.message,
                    remedy=error.remedy,
                )
                problems.append(problem)
    if problems:
        raise ConfigurationError(problems)


def isGuarded(front: ForwardFront) -> bool:
    """Decide whether a forward front keeps its clients off its own networks."""
    if front.guard is Guard.AUTO:
        return needsGuard(front.listen)
    return front.guard is Guard.ON


def assemble(
    configuration: Configuration, reactor: Any, resolver: IResolver | None = None
) -> Assembly:
    """
    Make everything that a configuration asks for.

    @param resolver: instead of the reactor's own.
    @raise ConfigurationError: a file that it names can't be used.
    @raise ValueError: a setting is misspelt.
    """
    return Assembly(configuration, reactor, resolver)
