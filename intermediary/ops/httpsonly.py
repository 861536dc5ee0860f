# -*- test-case-name: tests.ops.test_httpsonly -*-
"""
The plain side of a front that is reached by TLS alone: it redirects, and that is all.

It is a front of its own, so that its connections, its limits and its lines of the log
are those of every other.  Its program begins with the steps that answer before it
redirects, of whoever has some.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..policy.routing import Route, RouteTable
from ..policy.securelocation import SecureLocation
from ..program import Program
from ..settings import FrontSettings, HTTPSOnlySettings
from .endpoints import ProxyFactory
from .programs import NOTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..interfaces import IAccessLog
    from ..net.pool import Pool
    from ..program import Step
    from ..settings import PassageSettings, ReverseSettings
    from .endpoints import Gauge
    from .programs import Sections

#: What HTTP is called where clients say what they speak (RFC 7301).
_HTTP: Final = frozenset(("http/1.1", "h2"))


class RedirectingFactory(ProxyFactory):
    """Answers plain HTTP for one front of C{https}."""

    def __init__(
        self,
        reactor: Any,
        settings: ReverseSettings,
        *,
        certified: Callable[[str], bool],
        answering: Iterable[Step] = (),
        pool: Pool | None = None,
        accessLog: IAccessLog | None = None,
        components: Iterable[Any] = (),
        gauge: Gauge | None = None,
    ) -> None:
        """
        @param settings: those of the front that it is for, with C{httpsOnly}.
        @param certified: tells whether that has a certificate for a host; asked where
            one of its routes is for any.
        @param answering: steps that may answer instead, with a L{Reply
            <intermediary.exchange.Reply>}: challenges of ACME, which come without TLS.
        @param components: objects with hooks (L{intermediary.interfaces}).
        """
        only = settings.httpsOnly
        self._only = HTTPSOnlySettings() if only is None else only
        self._answering = tuple(answering)
        self._serves = _Hosts(settings, certified)
        own = FrontSettings(
            # No other front can have a name with a plus sign.
            name=f"{settings.name}+http",
            limits=settings.limits,
            timeouts=settings.timeouts,
            via=settings.via,
        )
        super().__init__(reactor, own, pool, accessLog, components, gauge)

    def _compile(self, sections: Sections) -> Any:
        hooks = sections.hooks
        only = self._only
        location = SecureLocation(self._serves, only.port, only.status, only.maxAgeSeconds)
        program = Program(
            f"reverse.{self.name} -> https",
            {
                "request": (*hooks.onRequest, *self._answering, location.redirect),
                "deliver": sections.deliver,
                "finish": sections.finish,
            },
            NOTES,
        )
        self.programs = (program,)
        return lambda _: program


class _Hosts:
    """Tells which hosts a front is for."""

    def __init__(self, settings: ReverseSettings, certified: Callable[[str], bool]) -> None:
        unused = Program("", {})
        named = [each for each in settings.routes if each.host]
        hosts = [each.host for each in named]
        # Clients of theirs come by the same port, and it is for them to say what they speak.
        hosts += [each.names for each in settings.passthrough if _isWeb(each)]
        self._table = RouteTable(Route(each, "/", unused) for each in hosts)
        self._certified = None if len(named) == len(settings.routes) else certified

    def __call__(self, host: str) -> bool:
        authority = f"[{host}]" if ":" in host else host
        if self._table.candidates(authority.encode("ascii")):
            return True
        return self._certified is not None and self._certified(host)


def _isWeb(passage: PassageSettings) -> bool:
    """Tell whether clients that are passed through may be browsers."""
    return not passage.alpn or not _HTTP.isdisjoint(passage.alpn)


__all__ = ["RedirectingFactory"]
