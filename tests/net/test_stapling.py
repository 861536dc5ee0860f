# -*- test-case-name: tests.net.test_stapling -*-
"""
L{intermediary.net.stapling}: who is asked when, and what clients get meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cryptography.x509 import ocsp
from OpenSSL import SSL
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import ConnectionRefused
from intermediary.net import stapling
from intermediary.net.certificates import equip
from intermediary.net.stapling import (
    LEAST_SECONDS,
    MOST_RETRY_SECONDS,
    MOST_SECONDS,
    RETRY_SECONDS,
    SPREAD_SECONDS,
    Stapling,
)
from intermediary.net.tlscontext import makeContext

from ..scenario import MemoryConnector, MemoryTransport
from .certifying import Made, made
from .responding import DAY_SECONDS, NOW, answer, certificateOf, stapled
from .tlspeers import MemoryClient, meet

if TYPE_CHECKING:
    from intermediary.net.certificates import Certificate

ONE = stapled()
REVOKED = ocsp.OCSPCertStatus.REVOKED


class StaplingCase(SynchronousTestCase):
    """Has a responder that the test is."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW.timestamp())
        self.connector = MemoryConnector()
        #: In the middle of what chance may do.
        self.chance = 0.5
        self.stapling = Stapling(self.clock, "site", lambda: self.connector, lambda: self.chance)
        self.addCleanup(self.nothingIsLeft)

    def nothingIsLeft(self) -> None:
        """Whoever stops it leaves neither timer nor connection."""
        self.stapling.stop()
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.connector.waiting, [])

    def begins(self, *certificates: Certificate) -> None:
        """Staple to these."""
        self.stapling.follow(certificates or (certificateOf(ONE),))
        self.stapling.start()
        self.clock.advance(0)

    def asked(self) -> int:
        """How many questions wait for an answer."""
        return len(self.connector.waiting)

    def says(self, octets: bytes) -> None:
        """Answer the next question."""
        _, factory, connecting, _ = self.connector.waiting.pop(0)
        protocol = factory.buildProtocol(None)
        transport = MemoryTransport(protocol, self.clock)
        protocol.makeConnection(transport)
        connecting.callback(protocol)
        transport.arrive(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(octets), octets))
        self.clock.advance(0)

    def refuses(self, why: str = "refused") -> None:
        """Do not answer."""
        self.connector.waiting.pop(0)[2].errback(ConnectionRefused(why))

    def passes(self, seconds: float) -> None:
        """Let time go by."""
        self.clock.advance(seconds)

    def gets(self, *owned: Made, **options: Any) -> bytes:
        """What a client gets that asks for it."""
        certificates = [certificateOf(each) for each in owned or (ONE,)]
        named = makeContext()
        equip(named, certificates)
        self.stapling.equip(named, certificates)
        # As a front has it: only the second context has certificates.
        first = makeContext()
        first.set_tlsext_servername_callback(lambda connection: connection.set_context(named))
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_max_proto_version(options.get("highest", SSL.TLS1_3_VERSION))
        if "ciphers" in options:
            context.set_cipher_list(options["ciphers"])
        got: list[bytes] = []

        def stapledTo(connection: Any, octets: bytes, data: Any) -> bool:
            got.append(octets)
            return True

        context.set_ocsp_client_callback(stapledTo)
        client = MemoryClient(b"a.example", context=context)
        if options.get("asks", True):
            client.connection.request_ocsp()
        server = SSL.Connection(first, None)
        server.set_accept_state()
        self.assertIsNone(meet(client, server))
        self.assertTrue(client.done)
        return b"".join(got)


class ClientTests(StaplingCase):
    """What is in the handshake."""

    def test_clientsGetIt(self) -> None:
        """In both versions, where they ask for it; before there is one, they get none."""
        octets = answer()
        self.begins()
        for highest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            self.assertEqual(self.gets(highest=highest), b"")
        self.says(octets)
        for highest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            self.assertEqual(self.gets(highest=highest), octets)
            self.assertEqual(self.gets(highest=highest, asks=False), b"")

    def test_theOneOfTheCertificateThatIsShown(self) -> None:
        """Of two for a name it is the client's ciphers that decide."""
        rsa = stapled(kind="RSA")
        self.begins(certificateOf(ONE), certificateOf(rsa))
        self.passes(SPREAD_SECONDS)
        answers = {ciphers: answer(one) for ciphers, one in ((b"ECDSA", ONE), (b"RSA", rsa))}
        self.says(answers[b"ECDSA"])
        self.says(answers[b"RSA"])
        for kind, octets in answers.items():
            ciphers = b"ECDHE-%b-AES128-GCM-SHA256" % kind
            got = self.gets(ONE, rsa, ciphers=ciphers, highest=SSL.TLS1_2_VERSION)
            self.assertEqual(got, octets)

    def test_oneOfTwo(self) -> None:
        """One that names no responder gets nothing, and the other what is its own."""
        rsa = made("a.example", kind="RSA")
        self.begins(certificateOf(ONE), certificateOf(rsa))
        self.says(answer())
        for kind, there in ((b"ECDSA", True), (b"RSA", False)):
            ciphers = b"ECDHE-%b-AES128-GCM-SHA256" % kind
            got = self.gets(ONE, rsa, ciphers=ciphers, highest=SSL.TLS1_2_VERSION)
            self.assertEqual(bool(got), there)

    def test_mostCertificatesHaveNone(self) -> None:
        """Nothing is asked, and no context asks us."""

        class Context:
            """Would notice."""

        plain = certificateOf(made("a.example"))
        self.begins(plain)
        self.stapling.equip(Context(), [plain])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(repr(self.stapling), "<Stapling site 0/0>")


class AskingTests(StaplingCase):
    """When responders are asked."""

    def test_atHalfOfItsTime(self) -> None:
        """A little earlier or later, by chance."""
        for chance, share in ((0.0, 0.9), (0.5, 1.0), (1.0, 1.1)):
            self.chance = chance
            self.begins()
            self.says(answer())
            half = 2 * DAY_SECONDS * share
            self.passes(half - 2)
            self.assertEqual(self.asked(), 0)
            self.passes(4)
            self.assertEqual(self.asked(), 1)
            self.nothingIsLeft()
            self.setUp()

    def test_theSameAnswerAgain(self) -> None:
        """Is asked for again at half of what is left, but not without end."""
        octets = answer(until=1200)
        self.begins()
        for seconds in (600.0, LEAST_SECONDS, LEAST_SECONDS - 2):
            self.says(octets)
            self.passes(seconds)
        self.assertEqual(self.asked(), 0)

    def test_notTooSeldom(self) -> None:
        """Whatever it says."""
        self.begins()
        self.says(answer(until=1000 * DAY_SECONDS))
        self.passes(MOST_SECONDS - 1)
        self.assertEqual(self.asked(), 0)
        self.passes(2)
        self.assertEqual(self.asked(), 1)

    def test_notTooOftenInVain(self) -> None:
        """Twice as long each time, up to an hour."""
        self.begins()
        seconds = RETRY_SECONDS
        with capturedLogs() as events:
            for _ in range(9):
                self.refuses()
                self.passes(seconds - 1)
                self.assertEqual(self.asked(), 0)
                self.passes(1)
                self.assertEqual(self.asked(), 1)
                seconds = min(2 * seconds, MOST_RETRY_SECONDS)
        self.assertEqual(len(events), 1)
        self.says(answer())
        self.passes(2 * DAY_SECONDS)
        self.refuses()
        self.passes(RETRY_SECONDS)
        self.assertEqual(self.asked(), 1)

    def test_notAllAtOnce(self) -> None:
        """Those of a folder."""
        self.begins(*[certificateOf(stapled(number=number)) for number in range(3)])
        self.assertEqual(self.asked(), 1)
        self.passes(1.1 * SPREAD_SECONDS)
        self.assertEqual(self.asked(), 2)
        self.passes(SPREAD_SECONDS)
        self.assertEqual(self.asked(), 3)

    def test_certificatesComeAndGo(self) -> None:
        """What is stapled to those that stay, stays."""
        two = stapled(number=2)
        octets = answer()
        self.begins()
        self.says(octets)
        self.stapling.follow([certificateOf(two), certificateOf(ONE), certificateOf(two)])
        self.passes(0)
        self.assertEqual((self.asked(), self.gets()), (1, octets))
        self.stapling.follow([certificateOf(ONE)])
        self.assertEqual(self.asked(), 0)
        self.assertEqual(self.gets(two), b"")
        self.stapling.follow([])
        self.assertEqual((self.gets(), self.clock.getDelayedCalls()), (b"", []))

    def test_itBeginsAndEndsAsItIsTold(self) -> None:
        """Both may be said twice."""
        self.stapling.follow([certificateOf(ONE)])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.stapling.start()
        self.stapling.start()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.stapling.stop()
        self.stapling.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.stapling.start()
        self.passes(0)
        self.assertEqual(self.asked(), 1)
        self.stapling.stop()
        self.assertEqual(self.asked(), 0)


class TrustTests(StaplingCase):
    """What is stapled, and what no more."""

    def test_theLastOneIsUsedAsLongAsItHolds(self) -> None:
        """Nobody answers for days."""
        octets = answer()
        self.begins()
        self.says(octets)
        with capturedLogs() as events:
            self.passes(2 * DAY_SECONDS)
            for _ in range(60):
                self.refuses()
                if self.clock.seconds() + MOST_RETRY_SECONDS >= NOW.timestamp() + 4 * DAY_SECONDS:
                    break
                self.assertEqual(self.gets(), octets)
                self.passes(MOST_RETRY_SECONDS)
            self.passes(MOST_RETRY_SECONDS)
            self.refuses()
        self.assertEqual(self.gets(), b"")
        self.assertEqual(
            [each["why"] for each in events],
            [
                "refused; the last one is used as long as it holds",
                "refused; nothing is stapled",
            ],
        )
        self.assertEqual({each["log_level"] for each in events}, {LogLevel.warn})
        with capturedLogs() as events:
            self.passes(MOST_RETRY_SECONDS)
            self.says(answer(until=8 * DAY_SECONDS))
        self.assertEqual([each["log_level"] for each in events], [LogLevel.info])

    def test_whatIsNotGoodIsNotStapled(self) -> None:
        """And what was good before goes on."""
        octets = answer()
        self.begins()
        self.says(octets)
        self.passes(2 * DAY_SECONDS)
        with capturedLogs() as events:
            self.says(answer(stapled(number=2)))
        self.assertIn("about another certificate; the last one", events[0]["why"])
        self.assertEqual(events[0]["url"], "http://ocsp.example/status")
        self.assertEqual(self.gets(), octets)

    def test_whatWasRevokedIsNotCalledGood(self) -> None:
        """At once, however long the last word to the contrary holds."""
        self.begins()
        self.says(answer())
        self.passes(2 * DAY_SECONDS)
        with capturedLogs() as events:
            self.says(answer(status=REVOKED))
        self.assertEqual(self.gets(), b"")
        (event,) = events
        self.assertEqual(event["log_level"], LogLevel.error)
        self.assertIn("it was revoked on ", event["why"])
        self.passes(RETRY_SECONDS)
        self.says(answer(until=8 * DAY_SECONDS))
        self.assertNotEqual(self.gets(), b"")

    def test_certificatesThatNeedOne(self) -> None:
        """It is an error that there is none."""
        must = stapled(must=True)
        self.begins(certificateOf(must))
        with capturedLogs() as events:
            self.refuses()
        (event,) = events
        self.assertEqual(event["log_level"], LogLevel.error)
        self.assertIn("must-staple", event["why"])
        self.passes(RETRY_SECONDS)
        self.says(answer(must))
        self.assertNotEqual(self.gets(must), b"")

    def test_whatNobodyThoughtOf(self) -> None:
        """Is told of, and does not end it."""

        def broken(*arguments: Any) -> Any:
            raise RuntimeError("nobody thought of it")

        self.patch(stapling, "judge", broken)
        self.begins()
        self.says(answer())
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.passes(RETRY_SECONDS)
        self.assertEqual(self.asked(), 1)
