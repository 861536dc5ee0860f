"""
A site behind a gateway that stores its page for a day, and forgets it when it changes.

Run it, and try::

    python examples/purging.py
    curl -i http://127.0.0.1:8000/                       # twice: the second is a hit
    curl -d text=hello http://127.0.0.1:8080/            # a change, behind the gateway's back
    curl -i http://127.0.0.1:8000/                       # the new page, and not tomorrow
    curl -X PURGE http://127.0.0.1:8000/                 # the same from outside, by URL,
    curl -X PURGE -H 'Surrogate-Key: notes' http://127.0.0.1:8000/   # by tag,
    intermediary-purge --host 127.0.0.1:8000             # and with the command
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import react
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.web.resource import Resource
from twisted.web.server import Site

from intermediary.ops.endpoints import ReverseProxyFactory, makeCache
from intermediary.policy.purging import Purge
from intermediary.settings import CacheSettings, ReverseSettings, RouteSettings, UpstreamSettings

if TYPE_CHECKING:
    from intermediary.policy.cache import Cache


class Notes(Resource):
    """The site: a page of notes, to which a POST adds one."""

    isLeaf = True

    def __init__(self, cache: Cache) -> None:
        super().__init__()
        self.cache = cache
        self.notes = [b"the first"]

    def render_GET(self, request: Any) -> bytes:
        """List them; whoever has a cache may keep the list, and knows its tag."""
        request.setHeader(b"Cache-Control", b"public, max-age=86400")
        request.setHeader(b"Surrogate-Key", b"notes")
        return b"".join(b"%b\n" % note for note in self.notes)

    def render_POST(self, request: Any) -> bytes:
        """Add one, and have the list forgotten wherever it is."""
        self.notes += request.args.get(b"text", [])
        # A number here, as there are few; of many, a Deferred.
        self.cache.purge(Purge.ofTag(b"notes"))
        return b"added\n"


async def main(reactor: Any, *ports: str) -> None:
    """
    Start the site and the gateway, and run until stopped.

    @param ports: for the two, on loopback.
    """
    here, there = ports or ("8080", "8000")
    cache = makeCache(reactor, CacheSettings(purgeFrom=("127.0.0.1",)))
    address = await listen(reactor, here, Site(Notes(cache)))
    web = UpstreamSettings(name="web", servers=(f"http://{address}",))
    route = RouteSettings(upstream=web)
    settings = ReverseSettings(name="gateway", via="gateway", routes=(route,))
    await listen(reactor, there, ReverseProxyFactory(reactor, settings, cache=cache))
    await Deferred()


async def listen(reactor: Any, port: str, factory: Any) -> str:
    """Listen on loopback, and say where."""
    endpoint = serverFromString(reactor, f"tcp:{port}:interface=127.0.0.1")
    address = (await endpoint.listen(factory)).getHost()
    print(f"{type(factory).__name__} on {address.host}:{address.port}", flush=True)
    return f"{address.host}:{address.port}"


if __name__ == "__main__":
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    react(lambda reactor, *ports: Deferred.fromCoroutine(main(reactor, *ports)), sys.argv[1:])
