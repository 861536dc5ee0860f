# -*- test-case-name: tests.policy.test_cachesequences -*-
"""
The fronts of random sequences: of what kind, and how their routes are cached.

Most are plain.  The others have one or two keys that operators may set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from intermediary.settings import BypassSettings, ForceSettings, RouteCacheSettings

from .referenceroute import Route

if TYPE_CHECKING:
    from random import Random

#: What a route may say, each of one key or of some that belong together.
SAID: tuple[dict[str, Any], ...] = (
    {"use": 20.0, "error": 30.0},
    {"use": 20.0, "error": 30.0},
    {"lifetimes": (("404", 10), ("5xx", 5), ("200", 60))},
    {"lifetimes": (("2xx", 30), ("4xx", 3), ("418", 100))},
    {"forces": True, "forced": 60},
    {"forces": True, "ignored": ("cache-control", "expires")},
    {"forces": True, "forced": 20, "ignored": ("cache-control", "set-cookie")},
    {"forces": True, "ignored": ("set-cookie", "vary"), "authorization": True},
    {"ignoreClient": True},
    {"ignoreClient": True},
    {"bypass": ((("cookie", "sess*"),), (("path", "/c/*"),))},
    {"bypass": ((("path", "/a"), ("field", "X-Device")), (("query", "q"),))},
    {"minUses": 2, "within": 60},
    {"minUses": 3},
    {"keyFields": ("X-Device",)},
    {"keyFields": ("X-Device", "X-Vary"), "keyCookies": ("lang",)},
    {"keyCookies": ("lang", "sess")},
    {"storeCookies": True},
    {"rangeMiss": "whole"},
    {"rangeMiss": "whole"},
    {"refreshUses": 1},
    {"refreshUses": 1},
    {"refreshUses": 1},
    {"refreshUses": 1, "use": 20.0},
    {"refreshUses": 2},
    {"cacheStatus": "off"},
    {"cacheStatus": "key"},
    {"share": "both"},
    {"ignoreQuery": ("x", "utm_*")},
    {"ignoreQuery": ("*",)},
    {"ignoreQuery": ("y",), "sortQuery": True},
    {"sortQuery": True, "minUses": 2},
    {"targeted": ("Test-Cache-Control", "CDN-Cache-Control")},
    {"targeted": ()},
)


class Front(NamedTuple):
    """
    What a sequence goes through.

    @ivar kind: C{reverse} or C{forward}.
    @ivar tier: there is a disk behind the memory.
    @ivar narrow: so many things at once are done for nobody, and one refresh in a second; 0 for
        the usual budget.
    """

    kind: str = "reverse"
    route: Route = Route()
    tier: bool = False
    narrow: int = 0

    def __str__(self) -> str:
        said = [
            f"{name}={value!r}"
            for name, value in self.route._asdict().items()
            if value != Route._field_defaults[name]
        ]
        kind = f"{'narrow ' * bool(self.narrow)}{self.kind} front{' with a disk' * self.tier}"
        return " ".join([kind, *said])


def frontOf(random: Random) -> Front:
    """Draw one."""
    kind = "forward" if random.random() < 0.2 else "reverse"
    said: dict[str, Any] = {}
    if random.random() < 0.5:
        for each in random.sample(SAID, 2 if random.random() < 0.3 else 1):
            said.update(each)
    return Front(kind, Route(**said), random.random() < 0.15, random.choice((0, 0, 0, 1, 2)))


def settingsOf(route: Route) -> RouteCacheSettings:
    """The settings of a route."""
    force = None
    if route.forces:
        force = ForceSettings(
            lifetimeSeconds=route.forced,
            ignore=tuple(each.title() for each in route.ignored),
            authorization=route.authorization,
        )
    return RouteCacheSettings(
        graceSeconds=route.use,
        graceErrorSeconds=route.error,
        lifetimes=tuple((name, float(seconds)) for name, seconds in route.lifetimes),
        force=force,
        ignoreClient=route.ignoreClient,
        bypass=tuple(BypassSettings(**dict(each)) for each in route.bypass),
        minUses=route.minUses,
        minUsesWithinSeconds=route.within,
        keyFields=route.keyFields,
        keyCookies=route.keyCookies,
        ignoreQuery=route.ignoreQuery,
        sortQuery=route.sortQuery,
        storeCookies=route.storeCookies,
        refreshUses=route.refreshUses,
        rangeMiss=route.rangeMiss,
        cacheStatus=route.cacheStatus,  # type: ignore[arg-type]
        share=route.share or None,
    )
