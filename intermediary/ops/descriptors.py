# -*- test-case-name: tests.ops.test_descriptors -*-
"""
File descriptors enough for the connections that the configuration allows.

The usual soft limit of 1,024 is there for programs that use C{select}; the
hard limit is what the system's owner means, so the process helps itself up to
that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger

try:
    import resource
except ImportError:  # not on this platform, which then has no such limit
    resource = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from ..settings import FrontSettings
    from .config import Configuration

_log = Logger()

#: Files, logs, the reactor's own, and a reserve.
_OTHERS = 128


def wanted(configuration: Configuration) -> int:
    """Count the descriptors that a configuration may need at once."""
    settings: list[FrontSettings] = [front.settings for front in configuration.forward]
    settings += [front.settings for front in configuration.reverse]
    clients = max((each.limits.connections for each in settings), default=0)
    # A tunnel has an upstream connection of its own, which is not the pool's.
    tunnelling = configuration.forward or any(
        site.settings.passthrough for site in configuration.reverse
    )
    tunnels = clients if tunnelling else 0
    return clients + max(tunnels, configuration.pool.total) + _OTHERS


def raiseLimit(configuration: Configuration) -> int | None:
    """
    Raise the soft limit on descriptors as far as it is needed and allowed.

    @return: the limit from now on; None where the platform has none.
    """
    if resource is None:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = wanted(configuration)
    if soft == resource.RLIM_INFINITY or soft >= need:
        return soft
    limit = need if hard == resource.RLIM_INFINITY else min(need, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    except (OSError, ValueError):
        # macOS refuses what is above its own ceiling.
        limit = soft
    if limit < need:
        _log.warn(
            "The limit on open files is {limit}; {need} may be needed for "
            "[limits] connections and [pool] total. Raise it (LimitNOFILE=, ulimit -n) "
            "or lower these.",
            limit=limit,
            need=need,
        )
    return limit
