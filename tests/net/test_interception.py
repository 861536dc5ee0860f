# -*- test-case-name: tests.net.test_interception -*-
"""
L{intermediary.net.interception} and L{intermediary.net.prelude}: what becomes of a
C{CONNECT} that is intercepted.
"""

from __future__ import annotations

import gc
from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from intermediary.errors import (
    ConnectionRefused,
    RequestDenied,
    TLSAlertReceived,
    TLSCertificateError,
)
from intermediary.interfaces import ITLSPolicy
from intermediary.net.interception import QUIET_SECONDS, SAID, Intercepted
from intermediary.net.introduction import Introduced, describe
from intermediary.settings import ClientRuleSettings, RouteCacheSettings, Timeouts

from ..scenario import DATE, VIA
from .certifying import authority, made
from .intercepted import ESTABLISHED, InterceptScenario
from .test_handshakes import TLSScenario, TLSSide
from .tlspeers import MemoryClient, trusting

ORIGIN = "https://a.example:443"
TUNNEL = "tunnel://a.example:443"
CONNECT = (b"CONNECT a.example:443 HTTP/1.1", b"Host: a.example:443", b"", b"")
GET = (b"GET / HTTP/1.1", b"Host: a.example", b"", b"")
OK = (b"HTTP/1.1 200 OK", b"Content-Length: 2", b"", b"hi")
OK_HERE = (b"HTTP/1.1 200 OK", VIA, DATE, b"Content-Length: 2", b"", b"hi")


class InterceptionTestCase(SynchronousTestCase):
    """A front that intercepts."""

    def intercepting(self, settings: Any = None, **intercept: Any) -> InterceptScenario:
        """Make it."""
        return InterceptScenario(self).intercepting(settings, **intercept)

    def certificateOf(self, client: TLSSide) -> x509.Certificate:
        """What a client was shown."""
        found: Any = client.tls.connection.get_peer_certificate(as_cryptography=True)
        assert isinstance(found, x509.Certificate)
        return found

    def namesOf(self, client: TLSSide) -> list[Any]:
        """Whom it is for."""
        extensions = self.certificateOf(client).extensions
        return [
            each.value
            for each in extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        ]


class DecryptedTests(InterceptionTestCase):
    """Clients that speak TLS."""

    def test_anExchange(self) -> None:
        """What is inside is a request for the origin, by TLS of ours."""
        scenario = self.intercepting()
        client = scenario.decrypts()
        client.says(b"GET /x?y HTTP/1.1", b"Host: a.example", b"Cookie: c=1", b"", b"")
        origin = scenario.accepts(ORIGIN)
        origin.gets(b"GET /x?y HTTP/1.1", b"Host: a.example", b"Cookie: c=1", VIA, b"", b"")
        origin.sends(*OK)
        client.gets(*OK_HERE)
        (record,) = scenario.records
        self.assertTrue(record.secure)
        self.assertEqual(record.peerHost, "192.0.2.7")
        self.assertEqual(record.request.target, b"https://a.example/x?y")
        client.closes()
        self.assertEqual(scenario.outcomes(), [(200, ""), (200, "")])
        self.assertEqual(
            [(each.request.method, each.front.intercepted) for each in scenario.records],
            [(b"GET", True), (b"CONNECT", False)],
        )

    def test_theCertificate(self) -> None:
        """For the host of the CONNECT and nothing else; HTTP/1.1 is agreed on."""
        scenario = self.intercepting()
        client = scenario.decrypts(b"A.Example:443")
        self.assertEqual(self.namesOf(client), ["a.example"])
        self.assertEqual(client.tls.connection.get_alpn_proto_negotiated(), b"http/1.1")
        again = scenario.decrypts()
        self.assertEqual(self.certificateOf(client), self.certificateOf(again))
        other = scenario.decrypts(b"b.example:443")
        self.assertEqual(self.namesOf(other), ["b.example"])

    def test_addresses(self) -> None:
        """They have certificates too, and no name is asked for."""
        scenario = self.intercepting()
        for target, written in ((b"192.0.2.9:443", "192.0.2.9"), (b"[2001:db8::9]:443", "::9")):
            client = scenario.decrypts(target, b"")
            self.assertTrue(str(self.namesOf(client)[0]).endswith(written))
            client.says(b"GET / HTTP/1.1", b"Host: " + target, b"", b"")
            origin = scenario.accepts(f"https://{target.decode()}")
            self.assertIn(b"Host: " + target.removesuffix(b":443"), origin.takes())

    def test_anotherNameBySNI(self) -> None:
        """The certificate and the origin are those of the CONNECT, whatever is asked for."""
        scenario = self.intercepting()
        client = scenario.decrypts(name=b"b.example")
        self.assertEqual(self.namesOf(client), ["a.example"])
        client.says(*GET)
        scenario.accepts(ORIGIN).takes()

    def test_anotherHost(self) -> None:
        """A request for another origin is not one for this; the next one is served."""
        scenario = self.intercepting()
        client = scenario.decrypts()
        for target, host in (
            (b"/", b"b.example"),
            (b"/", b"a.example:444"),
            (b"https://b.example/", b"a.example"),
            (b"http://a.example/", b"a.example"),
        ):
            client.says(b"GET " + target + b" HTTP/1.1", b"Host: " + host, b"", b"")
            client.getsError(421, "http_request_error")
        client.says(b"GET https://a.example/z HTTP/1.1", b"Host: A.example.:443", b"", b"")
        self.assertTrue(scenario.accepts(ORIGIN).takes().startswith(b"GET /z HTTP/1.1\r\n"))

    def test_noProxyInside(self) -> None:
        """It is a server to those inside."""
        scenario = self.intercepting()
        client = scenario.decrypts()
        client.says(b"CONNECT b.example:443 HTTP/1.1", b"Host: b.example:443", b"", b"")
        client.getsError(405, "http_request_denied", close=True)
        scenario.connectsNowhere()

    def test_manyExchanges(self) -> None:
        """With content, one after the other, over one connection each way."""
        scenario = self.intercepting()
        client = scenario.decrypts()
        client.says(b"POST /p HTTP/1.1", b"Host: a.example", b"Content-Length: 5", b"", b"hello")
        origin = scenario.accepts(ORIGIN)
        origin.gets(..., b"Content-Length: 5", b"", b"hello")
        origin.sends(*OK)
        client.gets(*OK_HERE)
        client.says(*GET)
        origin.gets(b"GET / HTTP/1.1", ...)
        origin.sends(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", b"", b"3", b"abc", b"")
        origin.sends(b"0", b"", b"")
        client.gets(..., b"Transfer-Encoding: chunked", b"", b"3", b"abc", b"0", b"", b"")
        self.assertEqual(scenario.front.connections, 1)

    def test_OPTIONSOfTheServer(self) -> None:
        """RFC 9112 §3.2.4: for the server as a whole."""
        scenario = self.intercepting()
        client = scenario.decrypts()
        client.says(b"OPTIONS * HTTP/1.1", b"Host: a.example", b"", b"")
        self.assertTrue(scenario.accepts(ORIGIN).takes().startswith(b"OPTIONS * HTTP/1.1\r\n"))

    def test_theHelloMayComeWithTheRequest(self) -> None:
        """A client need not wait for the answer, nor send its octets in one piece."""
        scenario = self.intercepting()
        for cut in (1, 5, 80, 100_000):
            hello = MemoryClient(b"a.example", context=trusting(scenario.ca))
            octets = hello.speaks()
            client = scenario.connects()
            client.sends(b"\r\n".join(CONNECT) + octets[:cut])
            self.assertEqual(client.takes(len(ESTABLISHED)), ESTABLISHED)
            client.tls = hello
            if octets[cut:]:
                client.transport.arrive(octets[cut:])
            client.goesOn()
            self.assertTrue(hello.done, cut)
            client.says(*GET)
            origin = scenario.accepts(ORIGIN)
            origin.takes()
            origin.sends(b"HTTP/1.1 204 No Content", b"Connection: close", b"", b"")
            client.gets(b"HTTP/1.1 204 No Content", VIA, DATE, b"", b"")

    def test_whoTheClientIs(self) -> None:
        """What was found out with the CONNECT is true inside."""

        class Users:
            def onRequest(self, exchange: Any) -> None:
                if exchange.request.method == b"CONNECT":
                    exchange.user = "alice"

        scenario = self.intercepting({"components": (Users(),)})
        client = scenario.decrypts()
        client.says(*GET)
        scenario.accepts(ORIGIN).takes()
        client.closes()
        self.assertEqual([each.user for each in scenario.records], ["alice", "alice"])

    def test_whatTheClientHasShown(self) -> None:
        """The certificate of the connection around it counts inside, for rules too."""
        alice = describe(made("alice", purpose=ExtendedKeyUsageOID.CLIENT_AUTH).certificate)
        rule = ClientRuleSettings(fingerprint=(alice.fingerprint,))
        scenario = self.intercepting({"clientCertificate": rule})
        client = scenario.connects()
        (outer,) = scenario.front._listener.connections
        outer.introduction = Introduced(alice)
        client.sends(b"\r\n".join(CONNECT))
        self.assertEqual(client.takes(), ESTABLISHED)
        client.shakes(MemoryClient(b"a.example", context=trusting(scenario.ca)))
        client.says(*GET)
        scenario.accepts(ORIGIN).takes()
        client.closes()
        self.assertEqual([each.clientCertificate for each in scenario.records], [alice, alice])
        stranger = scenario.connects()
        stranger.sends(b"\r\n".join(CONNECT))
        stranger.getsError(403, "http_request_denied", close=True)

    def test_theFrontsOwnRules(self) -> None:
        """What they say of requests holds inside, and of CONNECT, before."""

        class Rules:
            def onRequest(self, exchange: Any) -> None:
                if b"secret" in exchange.request.target:
                    raise RequestDenied

        scenario = self.intercepting({"components": (Rules(),)})
        client = scenario.decrypts()
        client.says(b"GET /secret HTTP/1.1", b"Host: a.example", b"", b"")
        client.getsError(403, "http_request_denied")
        denied = scenario.connects()
        denied.sends(b"CONNECT secret.example:443 HTTP/1.1\r\nHost: secret.example:443\r\n\r\n")
        denied.getsError(403, "http_request_denied", close=True)

    def test_theGuardHolds(self) -> None:
        """The origin inside is dialled under it."""
        scenario = self.intercepting({"guarded": True})
        client = scenario.decrypts()
        client.says(*GET)
        origin = scenario.connector.waiting[0][0]
        self.assertEqual(origin.guard.prohibits("a.example", "127.0.0.1"), "loopback")
        scenario.accepts(ORIGIN).takes()

    def test_aClientThatGoesAway(self) -> None:
        """The exchange under way ends, and then that of the CONNECT."""
        scenario = self.intercepting()
        for end in (TLSSide.resets, TLSSide.ends):
            scenario.records.clear()
            client = scenario.decrypts()
            client.says(*GET)
            end(client)
            scenario.connectsNowhere()
            self.assertEqual(scenario.outcomes(), [(0, "client_gone"), (200, "")])
            self.assertEqual(scenario.front.connections, 0)

    def test_aClientThatSaysThatItGoes(self) -> None:
        """The alert that closes is answered, and no more is made of it."""
        scenario = self.intercepting()
        client = scenario.decrypts()
        client.tls.connection.shutdown()
        client.transport.arrive(client.tls.connection.bio_read(1 << 16))
        client.ends()
        self.assertTrue(client.isToldTheEnd)
        client.sees("closed")
        self.assertEqual(scenario.outcomes(), [(200, "")])

    def test_timesAreTheFronts(self) -> None:
        """For the first request, and between two of them."""
        timeouts = Timeouts(requestHeadSeconds=30, idleSeconds=40)
        scenario = self.intercepting({"timeouts": timeouts})
        client = scenario.decrypts()
        scenario.passes(29)
        self.assertFalse(client.isToldTheEnd)
        client.says(*GET)
        origin = scenario.accepts(ORIGIN)
        origin.takes()
        origin.sends(*OK)
        client.gets(*OK_HERE)
        scenario.passes(39)
        self.assertFalse(client.isToldTheEnd)
        scenario.passes(4)
        self.assertTrue(client.isToldTheEnd)
        scenario.passes(70)
        self.assertEqual(scenario.front.connections, 0)

    def test_aSlowClientPausesTheOrigin(self) -> None:
        """As any other does."""
        scenario = self.intercepting()
        client = scenario.decrypts()
        client.says(*GET)
        origin = scenario.accepts(ORIGIN)
        origin.takes()
        client.stalls()
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 100000", b"", bytes(60000))
        self.assertFalse(origin.isRead)
        client.takes()
        client.reads()
        self.assertTrue(origin.isRead)
        origin.sends(bytes(40000))
        client.takes()
        self.assertEqual(scenario.outcomes(), [(200, "")])

    def test_cached(self) -> None:
        """By the URL of https, for the clients of this front; also for absolute-form."""
        scenario = InterceptScenario(self)
        scenario.caching()
        scenario.intercepting({"cache": RouteCacheSettings(cacheStatus="key")})
        client = scenario.decrypts()
        client.says(*GET)
        origin = scenario.accepts(ORIGIN)
        origin.takes()
        origin.sends(b"HTTP/1.1 200 OK", b"Cache-Control: max-age=60", *OK[1:])
        self.assertIn(b"fwd=uri-miss", client.takes())
        client.says(*GET)
        heard = client.takes()
        self.assertIn(b"; hit; ", heard)
        self.assertIn(b'key="egress https://a.example', heard)
        plain = scenario.connects()
        plain.sends(b"GET https://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
        self.assertIn(b"; hit; ", plain.takes())
        plain.sends(b"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
        scenario.refuses(ConnectionRefused(), "http://a.example:80")
        self.assertIn(b" 502 ", plain.takes())

    def test_credentialsAreNotShared(self) -> None:
        """What was answered to credentials, or sets a cookie, is stored for nobody else."""
        scenario = InterceptScenario(self)
        scenario.caching()
        scenario.intercepting()
        client = scenario.decrypts()
        for request, response in (
            (b"Authorization: Basic eDp5", b"Age: 0"),
            (b"X-Nothing: x", b"Set-Cookie: session=1"),
        ):
            client.says(b"GET / HTTP/1.1", b"Host: a.example", request, b"", b"")
            origin = scenario.accepts(ORIGIN)
            origin.takes()
            origin.sends(
                b"HTTP/1.1 200 OK",
                b"Cache-Control: max-age=60",
                b"Connection: close",
                response,
                *OK[1:],
            )
            self.assertIn(b"fwd=uri-miss", client.takes())


class FailureTests(InterceptionTestCase):
    """Origins that can't be spoken with: the client is told why."""

    def fails(self, error: Exception, *fields: bytes) -> bytes:
        """Ask, and have it fail."""
        scenario = self.intercepting()
        client = scenario.decrypts()
        client.says(b"GET / HTTP/1.1", b"Host: a.example", *fields, b"", b"")
        scenario.refuses(error, ORIGIN)
        heard = client.takes()
        self.assertEqual(scenario.records[0].outcome, getattr(error, "token", ""))
        # It is no end of the connection inside.
        client.says(*GET)
        scenario.accepts(ORIGIN).takes()
        return heard

    def test_aCertificateThatIsNotGood(self) -> None:
        """The page has what a browser would say, and not what somebody wrote into a name."""
        error = TLSCertificateError(
            f'{ORIGIN}: issued by an unknown authority: CN=<script>alert("x")</script>'
        )
        heard = self.fails(error)
        self.assertTrue(heard.startswith(b"HTTP/1.1 502 Bad Gateway\r\n"))
        self.assertIn(
            b"Proxy-Status: test; error=tls_certificate_error; "
            b'details="https://a.example:443: issued by an unknown authority: '
            b'CN=<script>alert(\\"x\\")</script>"\r\n',
            heard,
        )
        page = heard.partition(b"\r\n\r\n")[2]
        self.assertIn(b"<h1>No secure connection to the server</h1>", page)
        self.assertIn(b"CN=&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;", page)
        self.assertNotIn(b"<script>", page)

    def test_anAlert(self) -> None:
        """As for a server that wants a certificate of the client."""
        error = TLSAlertReceived(f"{ORIGIN}: it wants a client certificate", 116, "required")
        heard = self.fails(error, b"Accept: application/json")
        self.assertIn(b'error=tls_alert_received; alert-id=116; alert-message="required"; ', heard)
        self.assertIn(b'"detail": "https://a.example:443: it wants a client certificate"', heard)

    def test_anythingElse(self) -> None:
        """Nothing is told of addresses."""
        heard = self.fails(ConnectionRefused("192.0.2.1:443 refused"))
        self.assertIn(b"error=connection_refused\r\n", heard)
        self.assertNotIn(b"192.0.2.1", heard)


class TunnelTests(InterceptionTestCase):
    """What is not intercepted."""

    def test_otherOctets(self) -> None:
        """What is no TLS is tunnelled; it was told so already, and what it said goes first."""
        scenario = self.intercepting()
        client = scenario.opens()
        client.sends(b"SSH-2.0-x\r\n")
        self.assertFalse(client.isRead)
        origin = scenario.accepts(TUNNEL)
        self.assertEqual(origin.takes(), b"SSH-2.0-x\r\n")
        self.assertTrue(client.isRead)
        origin.sends(b"SSH-2.0-y\r\n")
        self.assertEqual(client.takes(), b"SSH-2.0-y\r\n")
        client.sends(b"more")
        origin.gets(b"more")
        client.closes()
        origin.sees("closed")
        (record,) = scenario.records
        self.assertEqual((record.octetsIn, record.octetsOut), (15, 11))
        self.assertEqual(scenario.outcomes(), [(200, "")])

    def test_sentWithTheRequest(self) -> None:
        """Ahead of the answer, also in pieces."""
        scenario = self.intercepting()
        client = scenario.opens(ahead=b"GET ")
        client.sends(b"/ HTTP/1.1\r\n\r\n")
        self.assertEqual(scenario.accepts(TUNNEL).takes(), b"GET / HTTP/1.1\r\n\r\n")

    def test_nobodyThere(self) -> None:
        """After the 200, the end of the connection is all that can be said."""
        scenario = self.intercepting()
        client = scenario.opens()
        client.sends(b"hello")
        scenario.refuses(ConnectionRefused(), TUNNEL)
        client.sees("closed")
        client.getsNothing()
        self.assertEqual(scenario.outcomes(), [(200, "connection_refused")])

    def test_aClientThatGoesAwayMeanwhile(self) -> None:
        """Nobody is dialled for nobody."""
        scenario = self.intercepting()
        client = scenario.opens()
        client.sends(b"hello")
        client.resets()
        scenario.connectsNowhere()
        self.assertEqual(len(scenario.connector.cancelled), 1)
        self.assertEqual(scenario.outcomes(), [(200, "client_gone")])

    def test_excepted(self) -> None:
        """It is as if nothing was intercepted: the destination is dialled first."""
        scenario = self.intercepting(excepted=("*.bank.example", "192.0.2.0/24"), ports=(443, 8443))
        for target in (b"www.bank.example:443", b"192.0.2.9:443", b"c.example:80"):
            client = scenario.connects()
            client.sends(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (target, target))
            client.getsNothing()
            origin = scenario.accepts(f"tunnel://{target.decode()}")
            self.assertEqual(client.takes(), ESTABLISHED)
            client.sends(b"\x16\x03\x01")
            origin.gets(b"\x16\x03\x01")
        scenario.decrypts(b"bank.example:8443")

    def test_anAddressAndANameThatIsExcepted(self) -> None:
        """What the client means by an address, it says by SNI, be it in one piece or not."""
        scenario = self.intercepting(excepted=("*.bank.example",))
        octets = MemoryClient(b"www.bank.example").speaks()
        for target, ahead in ((b"192.0.2.9:443", 0), (b"192.0.2.9:443", 3), (b"[::9]:443", 99)):
            client = scenario.connects()
            connect = b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (target, target)
            client.sends(connect + octets[:ahead])
            self.assertEqual(client.takes(), ESTABLISHED)
            client.sends(octets[ahead:200])
            scenario.connectsNowhere()
            client.sends(octets[200:])
            origin = scenario.accepts(f"tunnel://{target.decode()}")
            self.assertEqual(origin.takes(), octets)
            self.assertTrue(client.isRead)

    def test_aGreetingInManyRecords(self) -> None:
        """What is excepted is so however its greeting is cut (RFC 8446 §5.1)."""
        scenario = self.intercepting(excepted=("*.bank.example",))
        octets = MemoryClient(b"www.bank.example").speaks()
        head, message = octets[:3], octets[5:]
        pieces = [message[at : at + 99] for at in range(0, len(message), 99)]
        records = [head + len(each).to_bytes(2, "big") + each for each in pieces]
        self.assertGreater(len(records), 2)
        client = scenario.opens(b"192.0.2.9:443")
        for each in records[:-1]:
            client.sends(each)
            scenario.connectsNowhere()
        client.sends(records[-1])
        origin = scenario.accepts("tunnel://192.0.2.9:443")
        self.assertEqual(origin.takes(), b"".join(records))

    def test_anAddressAndNoGreeting(self) -> None:
        """OpenSSL says what it thinks of it."""
        scenario = self.intercepting()
        client = scenario.opens(b"192.0.2.9:443")
        with capturedLogs() as events:
            client.sends(b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00")
            client.settle()
        self.assertEqual(client.takes()[:1], b"\x15")
        (event,) = events
        self.assertEqual((event["host"], event["why"]), ("192.0.2.9", "unexpected message"))
        self.assertEqual(scenario.front.connections, 0)

    def test_aNameThatIsExceptedAndAnother(self) -> None:
        """SNI is no way past the interception of what the CONNECT names."""
        scenario = self.intercepting(excepted=("*.bank.example",))
        client = scenario.decrypts(name=b"www.bank.example")
        self.assertEqual(self.namesOf(client), ["a.example"])

    def test_anAddressAndHalfAGreeting(self) -> None:
        """It has its time, as silence has."""
        scenario = self.intercepting(handshakeSeconds=5)
        client = scenario.opens(b"192.0.2.9:443")
        with capturedLogs() as events:
            for octet in (b"\x16", b"\x03", b"\x01", b"\x20", b"\x00", b"\x01", b"\x00", b"\x00"):
                client.sends(octet)
                scenario.passes(1)
        client.sees("aborted")
        self.assertEqual([each["why"] for each in events], ["it took too long"])


class RefusalTests(InterceptionTestCase):
    """Clients that do not let themselves be intercepted."""

    def refuses(self, scenario: InterceptScenario, tls: MemoryClient, target: bytes) -> TLSSide:
        """A client that does not get through its handshake."""
        client = scenario.opens(target)
        client.begins(tls)
        client.goesOn()
        client.settle()
        client.closes()
        client.takes()
        return client

    def stranger(self) -> MemoryClient:
        """A client that trusts somebody else."""
        return MemoryClient(b"a.example", context=trusting(authority("other.example")))

    def test_whoDoesNotTrustUs(self) -> None:
        """It is in the log with what to do about it, and in the record of its CONNECT."""
        scenario = self.intercepting()
        with capturedLogs() as events:
            self.refuses(scenario, self.stranger(), b"a.example:443")
        (event,) = events
        self.assertEqual((event["peer"], event["host"]), ("192.0.2.7", "a.example"))
        self.assertIn("unknown ca", event["why"])
        self.assertIn("into except", event["remedy"])
        (record,) = scenario.records
        self.assertEqual((record.status, record.outcome), (200, "client_gone"))
        self.assertIn("unknown ca", str(record.error))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_whoSpeaksSomethingElseInside(self) -> None:
        """A client of HTTP/2 alone."""
        scenario = self.intercepting()
        with capturedLogs() as events:
            tls = MemoryClient(b"a.example", context=trusting(scenario.ca, (b"h2",)))
            self.refuses(scenario, tls, b"a.example:443")
        (event,) = events
        self.assertIn("HTTP/1.1", event["remedy"])

    def test_whoHangsUp(self) -> None:
        """Pins need not be explained."""
        scenario = self.intercepting()
        with capturedLogs() as events:
            client = scenario.opens()
            client.begins()
            client.resets()
            client.takes()
        (event,) = events
        self.assertEqual(event["why"], "it hung up in the handshake")
        self.assertEqual(event["remedy"], "")

    def test_oneLineForAHost(self) -> None:
        """In a while; the next has the number of the others, and few hosts are remembered."""
        scenario = self.intercepting()
        with capturedLogs() as events:
            for _ in range(3):
                self.refuses(scenario, self.stranger(), b"a.example:443")
            self.refuses(scenario, self.stranger(), b"b.example:443")
            scenario.passes(QUIET_SECONDS)
            self.refuses(scenario, self.stranger(), b"a.example:443")
        self.assertEqual(
            [(each["host"], each["more"]) for each in events],
            [("a.example", ""), ("b.example", " (and 2 others before)"), ("a.example", "")],
        )
        interception = scenario.front.interception
        with capturedLogs() as events:
            for number in range(SAID + 10):
                interception.complain(f"{number}.example", "192.0.2.7", "x")
        self.assertEqual(len(events), SAID + 10)
        self.assertLessEqual(len(interception._quiet), SAID)

    def test_garbage(self) -> None:
        """What only begins like TLS."""
        scenario = self.intercepting()
        with capturedLogs() as events:
            client = scenario.opens()
            client.sends(b"\x16" + bytes(500))
            client.settle()
            client.takes()
        self.assertFalse(client.transport.connected)
        self.assertEqual(len(events), 1)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_silence(self) -> None:
        """Who waits for the other to speak first does not stay."""
        scenario = self.intercepting(handshakeSeconds=5)
        client = scenario.opens()
        with capturedLogs() as events:
            scenario.passes(4)
            client.sees("")
            scenario.passes(3)
        client.sees("aborted")
        self.assertEqual(scenario.outcomes(), [(200, "client_gone")])
        self.assertIn("waits for the server", events[0]["why"])

    def test_slowness(self) -> None:
        """An octet a second does not make it longer."""
        scenario = self.intercepting(handshakeSeconds=5)
        octets = MemoryClient(b"a.example").speaks()
        client = scenario.opens()
        with capturedLogs() as events:
            for index in range(8):
                client.transport.arrive(octets[index : index + 1])
                scenario.passes(1)
        client.sees("aborted")
        self.assertEqual(events[0]["why"], "it took too long")

    def test_aCrowd(self) -> None:
        """Handshakes are bounded in number; who waits is served in turn, with all that it said."""
        scenario = self.intercepting(handshakes=1, handshakeSeconds=10)
        first, second, third = (scenario.opens() for _ in range(3))
        for client in (first, second, third):
            client.begins(MemoryClient(b"a.example", context=trusting(scenario.ca)))
        self.assertEqual([each.isRead for each in (first, second, third)], [True, False, False])
        second.resets()
        first.goesOn()
        self.assertTrue(first.tls.done)
        third.goesOn()
        self.assertTrue(third.tls.done)
        third.says(*GET)
        scenario.accepts(ORIGIN).takes()
        self.assertEqual(scenario.front.connections, 2)

    def test_noCertificateCanBeMade(self) -> None:
        """It ends this connection, and is in the log."""
        scenario = self.intercepting()

        def fails(host: str) -> Any:
            raise ValueError("no such name")

        self.patch(scenario.front.interception.mint, "contextFor", fails)
        client = scenario.opens()
        client.begins()
        client.sees("aborted")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(scenario.front.connections, 0)


class EndTests(InterceptionTestCase):
    """The end of a front, and of what it knew."""

    def test_draining(self) -> None:
        """Who is idle or has not begun is closed, who is served is served to the end."""
        scenario = self.intercepting()
        waiting, idle, busy = scenario.opens(), scenario.decrypts(), scenario.decrypts()
        under = scenario.opens()
        under.begins(MemoryClient(b"a.example", context=trusting(scenario.ca)))
        under.tls.hears(under.transport.written)
        under.transport.written = b""
        busy.says(*GET)
        origin = scenario.accepts(ORIGIN)
        origin.takes()
        drained = scenario.front.drain()
        self.assertTrue(idle.isToldTheEnd)
        idle.closes()
        waiting.sees("closed")
        under.closes()
        origin.sends(*OK)
        heard = busy.takes()
        self.assertIn(b"Connection: close\r\n", heard)
        self.assertNoResult(drained)
        busy.closes()
        self.successResultOf(drained)

    def test_aborting(self) -> None:
        """All ends at once."""
        scenario = self.intercepting()
        waiting, idle, busy = scenario.opens(), scenario.decrypts(), scenario.decrypts()
        busy.says(*GET)
        scenario.front.abort()
        for client in (waiting, idle, busy):
            client.sees("aborted")
        scenario.connectsNowhere()
        self.assertEqual(scenario.front.connections, 0)

    def test_nothingIsLeftForTheCollector(self) -> None:
        """What is over goes at once, if it is over as it should be."""
        scenario = self.intercepting()

        def happens() -> None:
            served = scenario.decrypts()
            served.says(*GET)
            origin = scenario.accepts(ORIGIN)
            origin.takes()
            origin.sends(b"HTTP/1.1 204 No Content", b"Connection: close", b"", b"")
            served.takes()
            served.tls.connection.shutdown()
            served.transport.arrive(served.tls.connection.bio_read(1 << 16))
            refused, tunnelled = scenario.opens(), scenario.opens()
            refused.sends(b"\x16" + bytes(100))
            tunnelled.sends(b"x")
            scenario.refuses(ConnectionRefused(), TUNNEL)
            for client in (served, refused, tunnelled):
                client.settle()
                client.takes()
                self.assertFalse(client.transport.connected)
            scenario.records.clear()
            scenario.sides.clear()

        for _ in range(2):
            happens()
        gc.collect()
        gc.disable()
        try:
            for _ in range(10):
                happens()
            left = [each for each in gc.get_objects() if isinstance(each, Intercepted)]
        finally:
            gc.enable()
        self.assertEqual(left, [])
        self.assertEqual(
            repr(scenario.front.interception),
            "<Interception egress 0 <Mint names=1 minted=1>>",
        )

    def test_interfaces(self) -> None:
        """It is a policy like others."""
        scenario = self.intercepting()
        scenario.decrypts()
        (intercepted,) = scenario.front.interception._standing
        verifyObject(ITLSPolicy, intercepted)
        self.assertRegex(repr(intercepted), r"<Intercepted a.example <DownstreamConnection .*>>")


class TwiceTests(InterceptionTestCase):
    """A front that is spoken with by TLS, and intercepts what is tunnelled in that."""

    def test_TLSInTLS(self) -> None:
        """Both layers are ours, and end as they should."""
        scenario = InterceptScenario(self)
        tls = TLSScenario.settings(scenario)  # type: ignore[arg-type]
        scenario.intercepting({"tls": tls})
        outer = scenario.connects(wrapped=True).shakes()
        outer.says(b"CONNECT a.example:443 HTTP/1.1", b"Host: a.example:443", b"", b"")
        self.assertEqual(outer.takes(), ESTABLISHED)
        inner = MemoryClient(b"a.example", context=trusting(scenario.ca))
        for _ in range(4):
            octets = inner.speaks()
            if octets:
                outer.says(octets)
            inner.hears(outer.takes())
        self.assertTrue(inner.done)
        inner.connection.send(b"\r\n".join(GET))
        outer.says(inner.connection.bio_read(1 << 16))
        origin = scenario.accepts(ORIGIN)
        origin.gets(b"GET / HTTP/1.1", ...)
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 50000", b"", bytes(50000))
        inner.hears(outer.takes())
        self.assertTrue(inner.reads().endswith(bytes(50000)))
        self.assertTrue(scenario.records[0].secure)
        inner.connection.shutdown()
        outer.says(inner.connection.bio_read(1 << 16))
        inner.hears(outer.takes())
        inner.reads()
        self.assertTrue(inner.connection.get_shutdown() & SSL.RECEIVED_SHUTDOWN)
        outer.closes()
        self.assertEqual(scenario.outcomes(), [(200, ""), (200, "")])
