"""
The TLS of the proxy in an application that has no proxy: a site, and a client of it.

Make a certificate as examples/tls.toml says, and try::

    python examples/tls_embed.py examples/site.pem examples/site.key
    curl --cacert examples/site.pem https://localhost:8443/

What it serves with is a folder or a file of certificates, read again when they change;
what it asks with trusts that certificate and no other.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, SSL4ServerEndpoint, wrapClientTLS
from twisted.internet.task import react
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.web.client import Agent, readBody
from twisted.web.iweb import IAgentEndpointFactory
from twisted.web.resource import Resource
from twisted.web.server import Site
from zope.interface import implementer

from intermediary.net.origintls import OriginTLS
from intermediary.net.servertls import ServerTLS
from intermediary.settings import OriginTLSSettings, TLSSettings


class Greeting(Resource):
    """The web site."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        """Greet."""
        return b"Hello, by TLS\n"


@implementer(IAgentEndpointFactory)
class Endpoints:
    """Reaches https servers by our policy, for Twisted's C{Agent} and for treq."""

    def __init__(self, reactor: Any, policy: OriginTLS) -> None:
        self._reactor = reactor
        self._policy = policy

    def endpointForURI(self, uri: Any) -> Any:
        """Make the endpoint of a server, which has to prove to be that host."""
        if uri.scheme != b"https":
            raise ValueError("https alone")
        host = uri.host.decode("ascii")
        plain = HostnameEndpoint(self._reactor, host, uri.port)
        return wrapClientTLS(self._policy.towards(host, uri.port), plain)


async def main(reactor: Any, certificate: str, key: str, port: str = "8443") -> None:
    """
    Serve, ask for the page once, and go on serving until stopped.

    @param certificate: a file in PEM.
    @param key: the file of its key.
    @param port: on loopback.
    """
    server = ServerTLS(reactor, TLSSettings(certificate=certificate, key=key), "site")
    # Looks for certificates that change, and asks for what is stapled.
    server.start()
    try:
        endpoint = SSL4ServerEndpoint(reactor, int(port), server, interface="127.0.0.1")
        listening = await endpoint.listen(Site(Greeting()))
        address = listening.getHost()

        client = OriginTLS(OriginTLSSettings(ca=certificate), reactor.seconds)
        agent = Agent.usingEndpointFactory(reactor, Endpoints(reactor, client))
        response = await agent.request(b"GET", b"https://localhost:%d/" % address.port)
        said = (await readBody(response)).decode("utf-8").strip()
        print(f"Site says {said!r} on {address.host}:{address.port}", flush=True)
        await Deferred()
    finally:
        server.stop()


if __name__ == "__main__":
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    react(lambda *arguments: Deferred.fromCoroutine(main(*arguments)), sys.argv[1:])
