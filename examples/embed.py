"""
Both kinds of front inside an application that also serves a web site.

Run it, and try::

    python examples/embed.py
    curl http://127.0.0.1:8080/                          # the site itself
    curl http://127.0.0.1:8000/                          # the same, through the gateway
    curl -x http://127.0.0.1:3128 http://127.0.0.1:8080/ # and through the proxy
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import react
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.web.resource import Resource
from twisted.web.server import Site

from intermediary.ops.endpoints import ForwardProxyFactory, ReverseProxyFactory, makePool
from intermediary.settings import (
    ForwardSettings,
    ReverseSettings,
    RouteSettings,
    UpstreamSettings,
)

if TYPE_CHECKING:
    from intermediary.exchange import Exchange


class Greeting(Resource):
    """The web site."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        """Greet, and tell through whom the request came."""
        via = request.getHeader(b"via") or b"nobody"
        return b"Hello, by way of " + via + b"\n"


class Counting:
    """A component: counts what passes, and names it in the response."""

    def __init__(self) -> None:
        self.count = 0

    def onDeliver(self, exchange: Exchange) -> None:
        """Add a field to every reply."""
        self.count += 1
        assert exchange.reply is not None
        exchange.reply.fields = exchange.reply.fields.setting(b"X-Count", b"%d" % self.count)


def main(reactor: Any, *ports: str) -> Deferred[Any]:
    """
    Start the site and both fronts, which share one pool.

    @param ports: for the site, the gateway and the proxy, on loopback.
    """
    site, gateway, proxy = ports or ("8080", "8000", "3128")
    web = UpstreamSettings(name="web", servers=(f"http://127.0.0.1:{site}",))
    pool = makePool(reactor)
    reverse = ReverseProxyFactory(
        reactor,
        ReverseSettings(name="gateway", routes=(RouteSettings(upstream=web),)),
        pool=pool,
        components=[Counting()],
    )
    # It listens on loopback alone, so its clients may reach what is there.
    forward = ForwardProxyFactory(reactor, ForwardSettings(name="proxy", guarded=False), pool=pool)
    listening = []
    for port, factory in ((site, Site(Greeting())), (gateway, reverse), (proxy, forward)):
        endpoint = serverFromString(reactor, f"tcp:{port}:interface=127.0.0.1")
        listening.append(endpoint.listen(factory))
    return gatherResults(listening).addCallback(announce)


def announce(listening: list[Any]) -> Deferred[None]:
    """Say where everything is, and run until stopped."""
    for port in listening:
        address = port.getHost()
        print(f"{type(port.factory).__name__} on {address.host}:{address.port}", flush=True)
    return Deferred()


if __name__ == "__main__":
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    react(main, sys.argv[1:])
