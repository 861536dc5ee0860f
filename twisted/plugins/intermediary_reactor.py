"""
C{twistd --reactor=intermediary}: the lean reactor, for Twisted's plugin system.

Instances only; the reactor itself is imported when it is chosen.
"""

from twisted.application.reactors import Reactor

intermediary = Reactor(
    "intermediary",
    "intermediary.net.reactor",
    "epoll(4) based reactor with less work for each event.",
)

__all__ = ["intermediary"]
