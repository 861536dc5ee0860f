"""
A forward proxy with components of its own: one refuses, one changes, one counts.

Run it, and try::

    python examples/components.py 3128 ads.example tracker.example
    curl -x http://127.0.0.1:3128 http://ads.example/      # 403, by Blocklist
    curl -i -x http://127.0.0.1:3128 http://127.0.0.1:9000/
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import deferLater, react
from twisted.logger import globalLogBeginner, textFileLogObserver

from intermediary.errors import RequestDenied
from intermediary.ops.endpoints import ForwardProxyFactory
from intermediary.settings import ForwardSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from intermediary.exchange import Exchange


class Blocklist:
    """Refuses destinations, of requests and of tunnels alike."""

    def __init__(self, reactor: Any, names: Iterable[str]) -> None:
        self._reactor = reactor
        self._names = frozenset(names)

    async def onRequest(self, exchange: Exchange) -> None:
        """Look the destination up; only this exchange waits for the answer."""
        origin = exchange.origin  # None where the proxy itself is asked
        if origin is not None and await self._isListed(origin.host):
            raise RequestDenied(f"{origin.host} is on the list")

    async def _isListed(self, host: str) -> bool:
        """Ask; a database or another service would be asked here."""
        await deferLater(self._reactor, 0)
        return host in self._names


class Anonymity:
    """Keeps to itself what tells clients apart, and what the origin runs."""

    def onFetch(self, exchange: Exchange) -> None:
        """Change the request that goes on; the received one stays as it is."""
        assert exchange.forward is not None
        fields = exchange.forward.fields.without({b"referer", b"from", b"x-client-data"})
        exchange.forward.fields = fields.setting(b"User-Agent", b"Mozilla/5.0")

    def onDeliver(self, exchange: Exchange) -> None:
        """Change the response that the client gets."""
        assert exchange.reply is not None
        exchange.reply.fields = exchange.reply.fields.without({b"server", b"x-powered-by"})


class Account:
    """Tells what every exchange came to, whatever became of it."""

    def onFinish(self, exchange: Exchange) -> None:
        """Print a line; the access log does this better."""
        milliseconds = (exchange.ended - exchange.started) * 1000
        print(
            f"{exchange.status} {exchange.peerName} {exchange.octetsOut} octets"
            f" in {milliseconds:.1f} ms {exchange.outcome}".rstrip(),
            flush=True,
        )


def main(reactor: Any, port: str = "3128", *blocked: str) -> Deferred[None]:
    """
    Start the proxy, and run until stopped.

    @param port: on loopback.
    @param blocked: host names.
    """
    proxy = ForwardProxyFactory(
        reactor,
        # It listens on loopback alone, so its clients may reach what is there.
        ForwardSettings(name="example", guarded=False),
        components=[Blocklist(reactor, blocked), Anonymity(), Account()],
    )
    endpoint = serverFromString(reactor, f"tcp:{port}:interface=127.0.0.1")
    listening: Deferred[Any] = endpoint.listen(proxy)

    def announce(listener: Any) -> Deferred[None]:
        address = listener.getHost()
        print(f"ForwardProxyFactory on {address.host}:{address.port}", flush=True)
        return Deferred()

    return listening.addCallback(announce)


if __name__ == "__main__":
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    react(main, sys.argv[1:])
