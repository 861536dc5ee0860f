# -*- test-case-name: tests.ops.test_httpsonly -*-
"""
L{intermediary.ops.httpsonly}: a front that is reached by TLS alone, from both sides.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from intermediary.exchange import Exchange, Reply
from intermediary.ops.compile import assemble
from intermediary.ops.httpsonly import RedirectingFactory
from intermediary.ops.reading import parse
from intermediary.settings import (
    HTTPSOnlySettings,
    PassageSettings,
    ReverseSettings,
    RouteSettings,
    UpstreamSettings,
)

from ..net.certifying import made
from ..net.test_handshakes import TLSScenario
from ..scenario import DATE, VIA, Scenario

WEB = UpstreamSettings(name="web", servers=("http://127.0.0.1:9000",))
NAMED = RouteSettings(upstream=WEB, host=("a.example", "*.b.example"), path="/x/")
ANY = RouteSettings(upstream=WEB)
HSTS = b"Strict-Transport-Security: max-age=300"

#: What C{--explain} says of such a front.
LISTING = """\
reverse.site any host / -> web
  request    0 hops.Hops.onRequest
  fetch      1 engine.derive                     (hop-by-hop, Via)
             2 hops.Hops.onFetch
             3 balancing.Upstream.onFetch
             4 disclosure.Disclosure.onFetch
             5 balancing.HostField.onFetch
             6 engine.connect                    (parks: connection)
             7 engine.send                       (parks: response head)
  fetched    8 engine.receive
             9 redirects.Redirects.hide
            10 stricttransport.StrictTransport.drop
  deliver   11 stricttransport.StrictTransport.onDeliver
            12 engine.sendHead                   (parks: body relay)
  finish    13 engine.release
            14 engine.end                        (next request)

reverse.site+http -> https
  request    0 securelocation.SecureLocation.redirect
  deliver    1 engine.sendHead                   (parks: body relay)
  finish     2 engine.release
             3 engine.end                        (next request)"""


class RedirectTests(SynchronousTestCase):
    """The plain side."""

    def scenario(
        self,
        *routes: RouteSettings,
        certified: Any = None,
        answering: Any = (),
        passthrough: tuple[PassageSettings, ...] = (),
        **only: Any,
    ) -> Scenario:
        """The front that redirects to another."""
        scenario = Scenario(self)
        settings = ReverseSettings(
            name="site",
            via="test",
            routes=routes,
            passthrough=passthrough,
            httpsOnly=HTTPSOnlySettings(**only),
        )
        scenario.front = RedirectingFactory(
            scenario.clock,
            settings,
            certified=certified or (lambda host: False),
            answering=answering,
            pool=scenario.pool,
            accessLog=scenario,  # type: ignore[arg-type]
        )
        return scenario

    def test_aRedirect(self) -> None:
        """The method and the path do not matter, nor which route it would be; it is logged."""
        scenario = self.scenario(NAMED, port=8443)
        client = scenario.client()
        client.sends(b"GET /y?z HTTP/1.1", b"Host: A.example:80", b"", b"")
        client.gets(
            b"HTTP/1.1 308 Permanent Redirect",
            b"Location: https://a.example:8443/y?z",
            b"Cache-Control: max-age=31536000",
            DATE,
            b"Content-Length: 0",
            b"",
            b"",
        )
        client.sends(b"POST / HTTP/1.1", b"Host: c.b.example", b"Content-Length: 2", b"", b"hi")
        client.gets(
            b"HTTP/1.1 308 Permanent Redirect",
            b"Connection: close",
            b"Location: https://c.b.example:8443/",
            ...,
            b"",
            b"",
        )
        self.assertEqual(scenario.outcomes(), [(308, ""), (308, "")])
        self.assertEqual(scenario.records[0].front.name, "site+http")

    def test_hostsOfNoRoute(self) -> None:
        """They are sent nowhere."""
        scenario = self.scenario(NAMED, certified=lambda host: True)
        for host in (b"evil.example", b"b.example", b"192.0.2.1", b"[::1]"):
            client = scenario.client()
            client.sends(b"GET //evil.example/ HTTP/1.1", b"Host: " + host, b"", b"")
            client.getsError(404, "destination_not_found")

    def test_whoIsPassedThrough(self) -> None:
        """Those that may be browsers come by the same way."""
        upstream = UpstreamSettings(name="other", servers=("tcp://127.0.0.1:9443",))

        def passage(name: str, *alpn: str) -> PassageSettings:
            return PassageSettings(upstream=upstream, names=(name,), alpn=alpn)

        passages = (passage("p.example"), passage("q.example", "h2"), passage("r.example", "imap"))
        scenario = self.scenario(NAMED, passthrough=passages)
        client = scenario.client()
        for host in (b"p.example", b"q.example"):
            client.sends(b"GET / HTTP/1.1", b"Host: " + host, b"", b"")
            client.gets(
                b"HTTP/1.1 308 Permanent Redirect", b"Location: https://" + host + b"/", ...
            )
        client.sends(b"GET / HTTP/1.1", b"Host: r.example", b"", b"")
        client.getsError(404, "destination_not_found")

    def test_aRouteForAnyHost(self) -> None:
        """Then there has to be a certificate; which name was given makes the difference."""
        asked: list[str] = []

        def certified(host: str) -> bool:
            asked.append(host)
            return host in ("c.example", "::1")

        scenario = self.scenario(NAMED, ANY, certified=certified)
        client = scenario.client()
        for host in (b"C.example.", b"[::1]:80", b"a.example"):
            client.sends(b"GET / HTTP/1.1", b"Host: " + host, b"", b"")
            client.gets(b"HTTP/1.1 308 Permanent Redirect", ..., b"", b"")
        client.sends(b"GET / HTTP/1.1", b"Host: evil.example", b"", b"")
        client.getsError(404, "destination_not_found")
        self.assertEqual(asked, ["c.example", "::1", "evil.example"])

    def test_stepsThatAnswerBefore(self) -> None:
        """As who has to be asked without TLS: whatever the host, and nothing else."""

        def challenge(exchange: Exchange) -> Reply | None:
            assert exchange.request is not None
            if exchange.request.target.startswith(b"/.well-known/acme-challenge/"):
                return Reply(200, body=b"token")
            return None

        scenario = self.scenario(NAMED, answering=[challenge])
        client = scenario.client()
        client.sends(b"GET /.well-known/acme-challenge/x HTTP/1.1", b"Host: d.example", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"token")
        client.sends(b"GET / HTTP/1.1", b"Host: a.example", b"", b"")
        client.gets(b"HTTP/1.1 308 Permanent Redirect", ..., b"", b"")

    def test_whatIsNoRequestIsRefused(self) -> None:
        """And tunnels are."""
        scenario = self.scenario(NAMED)
        client = scenario.client()
        client.sends(b"GET / HTTP/1.1", b"Host: a.example\r", b"", b"")
        client.getsError(400, "http_request_error", close=True)
        client = scenario.client()
        client.sends(b"CONNECT a.example:443 HTTP/1.1", b"Host: a.example:443", b"", b"")
        client.getsError(405, "http_request_denied", close=True)

    def test_itNeedsNoSettingsOfItsOwn(self) -> None:
        """An application that makes one means the defaults."""
        settings = ReverseSettings(name="site", via="test", routes=(NAMED,))
        scenario = Scenario(self)
        scenario.front = RedirectingFactory(
            scenario.clock, settings, certified=lambda host: False, pool=scenario.pool
        )
        client = scenario.client()
        client.sends(b"GET / HTTP/1.1", b"Host: a.example", b"", b"")
        client.gets(
            b"HTTP/1.1 308 Permanent Redirect", b"Location: https://a.example/", ..., b"", b""
        )


class StrictTests(SynchronousTestCase):
    """The side with TLS: every answer says it."""

    def setUp(self) -> None:
        self.scenario = TLSScenario(self)
        self.scenario.caching()
        self.scenario.reverse(
            tls=self.scenario.settings(), httpsOnly=HTTPSOnlySettings(maxAgeSeconds=300)
        )
        self.client = self.scenario.connects().shakes()

    def asks(self) -> None:
        """Ask for the page."""
        self.client.says(b"GET / HTTP/1.1", b"Host: a.example", b"", b"")

    def said(self) -> list[bytes]:
        """All that was said of it in the answer."""
        lines = self.client.takes().split(b"\r\n")
        return [line for line in lines if line.lower().startswith(b"strict")]

    def test_whateverAnswers(self) -> None:
        """The origin, in place of its own; the cache; an error; and also to no request."""
        self.asks()
        origin = self.scenario.accepts()
        origin.takes()
        origin.sends(
            b"HTTP/1.1 200 OK",
            b"Cache-Control: max-age=60",
            b"Strict-Transport-Security: max-age=1",
            b'ETag: "x"',
            b"Content-Length: 2",
            b"",
            b"ok",
        )
        self.assertEqual(self.said(), [HSTS])
        self.asks()
        self.client.gets(
            b"HTTP/1.1 200 OK",
            HSTS,
            b"Cache-Control: max-age=60",
            b'ETag: "x"',
            VIA,
            DATE,
            b"Age: 0",
            b"Cache-Status: test; hit; ttl=60",
            b"Content-Length: 2",
            b"",
            b"ok",
        )
        self.client.says(b"GET / HTTP/1.1", b"Host: a.example", b'If-None-Match: "x"', b"", b"")
        self.assertEqual(self.said(), [HSTS])
        self.client.says(b"TRACE / HTTP/1.1", b"Host: a.example", b"", b"")
        self.assertEqual(self.said(), [HSTS])
        self.client = self.scenario.connects().shakes()
        self.client.says(b"hello\r\n\r\n")
        self.assertEqual(self.said(), [HSTS])
        self.assertEqual([each.status for each in self.scenario.records], [200, 200, 304, 405, 400])

    def test_nothingIsSaidUnlessItIsAskedFor(self) -> None:
        """0 leaves what the origin says."""
        scenario = TLSScenario(self)
        scenario.reverse(tls=scenario.settings(), httpsOnly=HTTPSOnlySettings(maxAgeSeconds=0))
        self.client = scenario.connects().shakes()
        self.asks()
        origin = scenario.accepts()
        origin.takes()
        origin.sends(b"HTTP/1.1 204 No Content", b"Strict-Transport-Security: max-age=1", b"", b"")
        self.assertEqual(self.said(), [b"Strict-Transport-Security: max-age=1"])


class AssemblyTests(SynchronousTestCase):
    """From a file."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        site = self.folder / "site.pem"
        site.write_bytes(made("a.example").both)
        site.chmod(0o600)

    def assembly(self, only: str) -> Any:
        """Assemble a file with one front."""
        toml = f"""
        [reverse.site]
        listen = ["tcp:8443:interface=127.0.0.1"]
        tls = {{ certificate = "site.pem" }}
        https-only = {only}
        [[reverse.site.route]]
        upstream = "web"
        [upstream.web]
        servers = ["http://127.0.0.1:9000"]
        """
        configuration = parse(toml.encode(), str(self.folder / "test.toml"))
        self.assertEqual(configuration.warnings, ())
        return assemble(configuration, MemoryReactorClock())

    def test_bothSides(self) -> None:
        """Each a front, that share what all share; certificates answer for names."""
        assembly = self.assembly("true")
        secure, plain = assembly.fronts
        self.assertEqual(plain.listen, ("tcp:80:interface=127.0.0.1",))
        self.assertEqual(assembly.explain(), LISTING)
        self.assertIs(secure.factory.gauge, plain.factory.gauge)
        self.assertIs(secure.factory.pool, plain.factory.pool)
        self.assertEqual(
            secure.settings.httpsOnly,
            HTTPSOnlySettings(listen=plain.listen, port=8443, maxAgeSeconds=31536000),
        )

    def test_allThatCanBeSaid(self) -> None:
        """Key by key."""
        secure, plain = self.assembly(
            '{ from = ["tcp:8080"], port = 443, status = 301, max-age = "2y", '
            "subdomains = true, preload = true }"
        ).fronts
        self.assertEqual(
            secure.settings.httpsOnly,
            HTTPSOnlySettings(
                listen=("tcp:8080",),
                port=443,
                status=301,
                maxAgeSeconds=2 * 31536000,
                subdomains=True,
                preload=True,
            ),
        )
        self.assertEqual(plain.listen, ("tcp:8080",))

    def test_fieldsWithoutAListener(self) -> None:
        """As where something else redirects."""
        assembly = self.assembly('{ from = [], max-age = "5m" }')
        self.assertEqual([each.settings.name for each in assembly.fronts], ["site"])
        self.assertIn("StrictTransport.onDeliver", assembly.explain())

    def test_aListenerWithoutFields(self) -> None:
        """As where it is only tried."""
        assembly = self.assembly("{ max-age = 0 }")
        self.assertEqual([each.settings.name for each in assembly.fronts], ["site", "site+http"])
        self.assertNotIn("StrictTransport", assembly.explain())

    def test_off(self) -> None:
        """Nothing of it is there."""
        assembly = self.assembly("false")
        self.assertIsNone(assembly.fronts[0].settings.httpsOnly)
        self.assertNotIn("StrictTransport", assembly.explain())
        self.assertEqual(len(assembly.fronts), 1)
