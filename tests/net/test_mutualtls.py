# -*- test-case-name: tests.net.test_mutualtls -*-
"""
Fronts that ask their clients for certificates: from the handshake to the server and the cache.
"""

from __future__ import annotations

import datetime as dt
from base64 import b64encode
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from intermediary.net import introduction
from intermediary.ops.endpoints import ReverseProxyFactory
from intermediary.settings import (
    ClientRuleSettings,
    ReverseSettings,
    RouteSettings,
    UpstreamSettings,
)

from ..scenario import GET, VIA, Scenario
from .certifying import Made, revoked
from .clients import ALICE, BOB, CAROL, MALLORY, MIDDLE, ROOT, ClientCase, client, shows
from .test_handshakes import TLSScenario, TLSSide
from .tlspeers import MemoryClient

WEB = UpstreamSettings(name="web", servers=("http://127.0.0.1:9000",))
FORGED = (
    b"Client-Cert: :Zm9yZ2Vk:",
    b"client_cert: :Zm9yZ2Vk:",
    b"Client-Cert-Chain: :Zm9yZ2Vk:",
    b"X-Client-Subject: CN=root",
    b"X_Client_Subject: CN=root",
)
NAMES = ("Client-Cert", "client_cert", "Client-Cert-Chain", "X-Client-Subject", "X_Client_Subject")


def sequence(*made: Made) -> bytes:
    """Write certificates as structured fields have them."""
    octets = [each.certificate.public_bytes(Encoding.DER) for each in made]
    return b", ".join(b":%b:" % b64encode(each) for each in octets)


class MutualCase(ClientCase):
    """Has fronts."""

    clock = Clock()

    def front(self, routes: Any = None, cached: bool = False, **clients: Any) -> TLSScenario:
        """A reverse front."""
        scenario = TLSScenario(self)
        if cached:
            scenario.caching()
        tls = self.settings(**clients)
        scenario.reverse(routes=routes or (RouteSettings(upstream=WEB),), tls=tls)
        return scenario

    def asks(self, side: Any, *fields: bytes, target: bytes = b"/") -> None:
        """Ask for something."""
        say = side.says if side.tls is not None else side.sends
        say(b"GET %b HTTP/1.1" % target, b"Host: a.example", *fields, b"", b"")

    def heard(self, origin: Any) -> dict[bytes, bytes]:
        """The fields that a server was sent, by their names."""
        lines = origin.takes().split(b"\r\n")[1:-2]
        pairs = [line.split(b": ", 1) for line in lines]
        self.assertEqual(len({name.lower() for name, _ in pairs}), len(pairs))
        return dict(pairs)

    def answers(self, origin: Any, body: bytes = b"hi", *fields: bytes) -> None:
        """Answer a request, whatever is in it."""
        origin.takes()
        head = (b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *fields)
        origin.sends(*head, b"", body)

    def status(self, side: Any) -> bytes:
        """The status that a client got."""
        return bytes(side.takes().split(b" ", 2)[1])

    def refused(self, scenario: TLSScenario, one: MemoryClient) -> str:
        """
        Have a client shake hands in vain.

        @return: why, as the log has it.
        """
        with capturedLogs() as events:
            side = scenario.connects().begins(one)
            side.goesOn()
        self.assertFalse(side.transport.connected)
        self.assertEqual(scenario.front.connections, 0)
        (event,) = events
        self.assertNotIn("log_failure", event)
        self.assertEqual(event["peer"], "192.0.2.7")
        # Of many in a second, the log has one.
        scenario.passes(2)
        return str(event["why"])


class LetInTests(MutualCase):
    """Who gets through, and what the log says of others."""

    def test_theLogSaysWhoAndWhy(self) -> None:
        """In words that somebody can act on."""
        scenario = self.front(crl=self.lists(revoked(ROOT, BOB)))
        for one, why in (
            (shows(BOB), "the certificate of O=Tests\\, Inc.,CN=bob is revoked"),
            (
                shows(MALLORY),
                (
                    "the certificate of O=Tests\\, Inc.,CN=mallory is issued by an unknown authority: "
                    "O=Tests\\, Inc.,CN=others.example"
                ),
            ),
            (shows(None), "it showed no certificate, and here clients have to"),
            (
                shows(client("late", days=-1, number=70)),
                "the certificate of O=Tests\\, Inc.,CN=late expired on ",
            ),
        ):
            self.assertIn(why, self.refused(scenario, one))
        self.assertEqual(scenario.records, [])
        scenario.connects().shakes(shows(ALICE)).closes()

    def test_anExchangeKnowsWhoseItIs(self) -> None:
        """For as long as the connection lives, by the same object."""
        scenario = self.front()
        side = scenario.connects().shakes(shows(ALICE))
        origin: Any = None
        for _ in range(2):
            self.asks(side)
            origin = origin or scenario.accepts()
            self.answers(origin)
            self.assertEqual(self.status(side), b"200")
        first, second = (each.clientCertificate for each in scenario.records)
        self.assertEqual(first.subject, "O=Tests\\, Inc.,CN=alice")
        self.assertIs(first, second)

    def test_withoutAnythingThereIsNobody(self) -> None:
        """Of a front that does not ask, or does not insist."""
        scenario = self.front(required=False)
        side = scenario.connects().shakes(shows(None))
        self.asks(side)
        self.answers(scenario.accepts())
        self.assertEqual(self.status(side), b"200")
        self.assertIsNone(scenario.records[0].clientCertificate)
        plain = Scenario(self).reverse()
        one = plain.client()
        one.sends(*GET)
        self.answers(plain.accepts())
        one.takes()
        self.assertIsNone(plain.records[0].clientCertificate)

    def test_nothingIsReadOfWhoIsNotLetIn(self) -> None:
        """A resumed session whose certificate has expired, with a request in the same breath."""
        scenario = self.front()
        first = shows(client("short", days=1, number=75), highest=SSL.TLS1_3_VERSION)
        side = scenario.connects().shakes(first)
        side.takes()
        session = first.session()
        side.resets()
        later = dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
        self.patch(introduction, "now", lambda: later)
        again = MemoryClient(b"a.example", context=first.context, session=session)
        side = scenario.connects().begins(again)
        side.settle()
        again.hears(super(TLSSide, side).takes())
        finished = again.speaks()
        again.connection.send(b"\r\n".join(GET))
        with capturedLogs() as events:
            side.transport.arrive(finished + again.connection.bio_read(1 << 16))
            (connection,) = scenario.front._listener.connections
            # As of a transport that has more, and hands it on after it was aborted.
            connection.dataReceived(b"\r\n".join(GET))
            side.settle()
        side.sees("aborted")
        (event,) = events
        self.assertEqual(event["peer"], "192.0.2.7")
        self.assertIn("CN=short has expired since", event["why"])
        self.assertEqual(scenario.records, [])
        self.assertEqual(scenario.connector.waiting, [])
        self.assertEqual(scenario.front.connections, 0)

    def test_whoIsRevokedMeanwhile(self) -> None:
        """Connections that stand end with what they are at; nobody comes back by a session."""
        scenario = self.front(crl=self.lists())
        one = shows(BOB)
        busy = scenario.connects().shakes(one)
        self.asks(busy)
        idle = scenario.connects().shakes(shows(ALICE))
        began = scenario.connects().begins(shows(ALICE))
        self.lists(revoked(ROOT, BOB))
        self.successResultOf(scenario.front.tls.reload())
        self.assertTrue(idle.isToldTheEnd)
        origin = scenario.accepts()
        self.answers(origin)
        answer = busy.takes()
        self.assertIn(b"Connection: close", answer)
        self.assertTrue(answer.endswith(b"hi"))
        self.assertTrue(busy.isToldTheEnd)
        with capturedLogs() as events:
            began.goesOn()
        self.assertFalse(began.transport.connected)
        self.assertIn("has changed meanwhile", events[0]["why"])
        for side in (busy, idle):
            side.resets()
        scenario.passes(2)
        again = MemoryClient(b"a.example", context=one.context, session=one.session())
        self.assertIn("bob is revoked", self.refused(scenario, again))

    def test_nothingIsLeftOfAConnection(self) -> None:
        """Its TLS goes with its transport."""
        scenario = self.front()
        side = scenario.connects().shakes(shows(ALICE))
        connection = next(iter(scenario.front._listener.connections))
        self.assertIsNone(connection.introduction._connection)
        side.resets()
        half = scenario.connects().begins(shows(ALICE))
        connection = next(iter(scenario.front._listener.connections))
        self.assertIsNotNone(connection.introduction._connection)
        half.resets()
        self.assertIsNone(connection.introduction._connection)


class RuleTests(MutualCase):
    """Routes that are for some."""

    def test_aRouteForSome(self) -> None:
        """Others get 403, who has shown nothing included."""
        rule = ClientRuleSettings(subject=("*,CN=alice",))
        routes = (
            RouteSettings(upstream=WEB),
            RouteSettings(upstream=WEB, path="/admin", clientCertificate=rule),
        )
        scenario = self.front(routes, required=False)
        for one in (shows(BOB), shows(None)):
            side = scenario.connects().shakes(one)
            self.asks(side, target=b"/admin/x")
            side.getsError(403, "http_request_denied")
        side = scenario.connects().shakes(shows(ALICE))
        self.asks(side, target=b"/admin/x")
        self.answers(scenario.accepts())
        self.assertEqual(self.status(side), b"200")

    def test_whatIsStoredIsForThemToo(self) -> None:
        """The rule comes before the cache."""
        rule = ClientRuleSettings(subject=("*,CN=alice",))
        routes = (RouteSettings(upstream=WEB, clientCertificate=rule),)
        scenario = self.front(routes, cached=True)
        alice = scenario.connects().shakes(shows(ALICE))
        self.asks(alice)
        self.answers(scenario.accepts(), b"secret", b"Cache-Control: max-age=60")
        self.assertEqual(self.status(alice), b"200")
        self.asks(alice)
        self.assertIn(b"Cache-Status: test; hit", alice.takes())
        bob = scenario.connects().shakes(shows(BOB))
        self.asks(bob)
        self.assertNotIn(b"secret", bob.transport.written)
        bob.getsError(403, "http_request_denied")

    def test_aForwardProxyForSome(self) -> None:
        """Tunnels and all else."""
        scenario = TLSScenario(self)
        rule = ClientRuleSettings(subject=("*,CN=alice",))
        scenario.forward(tls=self.settings(), clientCertificate=rule)
        for head in (b"CONNECT b.example:443", b"GET http://b.example/", b"OPTIONS *"):
            bob = scenario.connects().shakes(shows(BOB))
            bob.says(head + b" HTTP/1.1", b"Host: b.example", b"", b"")
            bob.getsError(403, "http_request_denied", close=head.startswith(b"CONNECT"))
        self.assertEqual(scenario.connector.waiting, [])
        alice = scenario.connects().shakes(shows(ALICE))
        alice.says(b"CONNECT b.example:443 HTTP/1.1", b"Host: b.example:443", b"", b"")
        self.assertEqual(len(scenario.connector.waiting), 1)
        alice.resets()


class TellingTests(MutualCase):
    """What servers hear."""

    RFC = (("certificate", "Client-Cert"), ("chain", "Client-Cert-Chain"))

    def test_asTheRFCHasIt(self) -> None:
        """RFC 9440 §2.2, §2.3: the certificate, and those behind it in order."""
        scenario = self.front(headers=self.RFC)
        side = scenario.connects().shakes(shows(CAROL, chain=(MIDDLE,)))
        self.asks(side, *FORGED[:3])
        heard = self.heard(scenario.accepts())
        self.assertEqual(heard[b"Client-Cert"], sequence(CAROL))
        self.assertEqual(heard[b"Client-Cert-Chain"], sequence(MIDDLE, ROOT))
        self.assertNotIn(b"client_cert", heard)

    def test_inOtherNames(self) -> None:
        """Forged ones are gone, those of the RFC as well."""
        headers = (("verified", "X-Client-Verify"), ("subject", "X-Client-Subject"))
        scenario = self.front(headers=headers, required=False)
        for one, verified, subject in (
            (shows(ALICE), b"SUCCESS", b"O=Tests\\, Inc.,CN=alice"),
            (shows(None), b"NONE", None),
        ):
            side = scenario.connects().shakes(one)
            self.asks(side, *FORGED, b"X-Client_Verify: SUCCESS")
            heard = self.heard(scenario.accepts())
            self.assertEqual(heard[b"X-Client-Verify"], verified)
            self.assertEqual(heard.get(b"X-Client-Subject"), subject)
            for name in (b"Client-Cert", b"client_cert", b"Client-Cert-Chain", b"X_Client_Subject"):
                self.assertNotIn(name, heard)
            side.resets()

    def test_nobodyElseSaysIt(self) -> None:
        """Not at a front that asks for nothing, nor a trusted proxy; nor in trailers."""
        for trusted in ((), ("192.0.2.7",)):
            scenario = Scenario(self).reverse(
                trustedProxies=trusted, reservedFields=("X-Client-Subject",)
            )
            one = scenario.client()
            one.sends(
                b"POST / HTTP/1.1",
                b"Host: a.example",
                b"Transfer-Encoding: chunked",
                b"X-Other: kept",
                *FORGED,
                b"",
                b"2\r\nhi\r\n0",
                *FORGED,
                b"X-Sum: kept",
                b"",
                b"",
            )
            octets = scenario.accepts().takes()
            self.assertIn(b"X-Other: kept\r\n", octets)
            self.assertTrue(octets.endswith(b"0\r\nX-Sum: kept\r\n\r\n"), octets)
            for forged in FORGED:
                self.assertNotIn(forged, octets)
            one.resets()

    def test_aForwardProxyLeavesThemAlone(self) -> None:
        """Its clients may be gateways themselves, and it tells nothing of its own."""
        scenario = TLSScenario(self)
        scenario.forward(tls=self.settings())
        side = scenario.connects().shakes(shows(ALICE))
        side.says(b"GET http://b.example/ HTTP/1.1", b"Host: b.example", FORGED[0], b"", b"")
        scenario.accepts("http://b.example:80").gets(
            b"GET / HTTP/1.1", b"Host: b.example", FORGED[0], VIA, b"", b""
        )

    def test_keptFieldsAreNotTaken(self) -> None:
        """What is remembered of a request is that of one without a certificate."""
        scenario = self.front(headers=self.RFC[:1])
        sides = [scenario.connects().shakes(shows(each)) for each in (ALICE, BOB, ALICE)]
        origin: Any = None
        for side, who in zip(sides, (ALICE, BOB, ALICE), strict=True):
            for _ in range(2):
                self.asks(side)
                origin = origin or scenario.accepts()
                self.assertEqual(self.heard(origin)[b"Client-Cert"], sequence(who))
                self.answers(origin)
                self.assertEqual(self.status(side), b"200")


class CacheTests(MutualCase):
    """What is made for one client is not for another."""

    def test_withACertificatePastTheCache(self) -> None:
        """Neither stored nor answered from it; those without are cached as ever."""
        scenario = self.front(
            cached=True, required=False, headers=(("certificate", "Client-Cert"),)
        )
        first = scenario.connects().shakes(shows(ALICE))
        self.asks(first)
        origin = scenario.accepts()
        self.answers(origin, b"of one", b"Cache-Control: max-age=60")
        first.takes()
        nobody = scenario.connects().shakes(shows(None))
        self.asks(nobody)
        self.assertNotIn(b"Client-Cert", self.heard(origin))
        self.answers(origin, b"public", b"Cache-Control: max-age=60")
        nobody.takes()
        origin.takes()
        for who in (ALICE, BOB):
            side = scenario.connects().shakes(shows(who))
            for _ in range(2):
                self.asks(side)
                self.assertEqual(self.heard(origin)[b"Client-Cert"], sequence(who))
                self.answers(origin, b"of one", b"Cache-Control: max-age=60")
                answer = side.takes()
                self.assertTrue(answer.endswith(b"of one"))
                self.assertIn(b"Cache-Status: test; fwd=bypass", answer)
        origin.getsNothing()
        # Forging it finds nothing of theirs either.
        self.asks(nobody, b"Client-Cert: " + sequence(ALICE))
        answer = nobody.takes()
        self.assertTrue(answer.endswith(b"public"))
        self.assertIn(b"Cache-Status: test; hit", answer)
        origin.getsNothing()

    def test_norIsTheAnswerToAPost(self) -> None:
        """Which may be what a GET would have given (RFC 9110 §9.3.3): to that client."""
        scenario = self.front(
            cached=True, required=False, headers=(("certificate", "Client-Cert"),)
        )
        alice = scenario.connects().shakes(shows(ALICE))
        alice.says(b"POST / HTTP/1.1", b"Host: a.example", b"Content-Length: 0", b"", b"")
        origin = scenario.accepts()
        fields = (b"Content-Location: https://a.example/", b"Cache-Control: max-age=60")
        self.answers(origin, b"of one", *fields)
        self.assertTrue(alice.takes().endswith(b"of one"))
        nobody = scenario.connects().shakes(shows(None))
        self.asks(nobody)
        self.answers(origin, b"public")
        self.assertTrue(nobody.takes().endswith(b"public"))

    def test_whereNothingIsTold(self) -> None:
        """The answer can't depend on it, and is for all who are let in."""
        routes = (RouteSettings(upstream=WEB, clientHeaders=False),)
        scenario = self.front(routes, cached=True, headers=(("certificate", "Client-Cert"),))
        first = scenario.connects().shakes(shows(ALICE))
        self.asks(first)
        origin = scenario.accepts()
        self.assertNotIn(b"Client-Cert", self.heard(origin))
        self.answers(origin, b"for all", b"Cache-Control: max-age=60")
        first.takes()
        second = scenario.connects().shakes(shows(BOB))
        self.asks(second)
        self.assertIn(b"Cache-Status: test; hit", second.takes())


class FactoryTests(MutualCase):
    """What an application sees."""

    def test_settingsAreEnough(self) -> None:
        """Without a file."""
        factory = ReverseProxyFactory(
            Clock(),
            ReverseSettings(
                name="site", routes=(RouteSettings(upstream=WEB),), tls=self.settings()
            ),
        )
        assert factory.tls is not None
        self.assertIsNotNone(factory.tls.authorities)
