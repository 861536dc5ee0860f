# -*- test-case-name: tests.net.test_answering -*-
"""
L{intermediary.net.answering}: an authority shakes hands, and that is all.
"""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from twisted.logger import capturedLogs

from intermediary.net.acmekeys import challengeCertificate, keyPEM, makeKey
from intermediary.net.answering import AnsweringHandshakes
from intermediary.net.tlscontext import ACME_PROTOCOL
from intermediary.settings import AcmeSettings, ClientTLSSettings, TLSSettings

from .clients import ClientCase
from .test_handshakes import TLSScenario
from .tlspeers import MemoryClient


class AnsweringCase(ClientCase):
    """Has a front that gets its certificates by itself, and is looked at for that."""

    def setUp(self) -> None:
        super().setUp()
        self.scenario = TLSScenario(self)
        self.scenario.clock.advance(max(0.0, time.time() - self.scenario.clock.seconds()))
        acme = AcmeSettings(
            directory="https://acme.example/directory",
            names=("a.example",),
            storage=self.mktemp(),
            termsAgreed=True,
        )
        self.scenario.reverse(tls=TLSSettings(acme=acme, clients=self.clients()))
        self.handshakes: Any = self.scenario.front._listener.handshakes
        self.assertIsInstance(self.handshakes, AnsweringHandshakes)
        tls: Any = self.scenario.front.tls
        store = tls.automatic.store
        store.prepare()
        key = makeKey("EC")
        now = dt.datetime.now(dt.UTC)
        made = challengeCertificate("a.example", "token.thumbprint", key, now)
        octets = made.public_bytes(Encoding.PEM) + keyPEM(key)
        publishing = store.published("tls-alpn-01", {"a.example": octets})
        publishing.__enter__()
        self.addCleanup(publishing.__exit__, None, None, None)

    def tearDown(self) -> None:
        self.assertEqual(self.handshakes._under, set())

    def clients(self) -> ClientTLSSettings | None:
        """Say what clients are asked for."""
        return None


class AnsweringTests(AnsweringCase):
    """Handshakes with whoever looks, and with others."""

    def test_anAuthorityIsDone(self) -> None:
        """RFC 8737 §3: the connection is closed, in order, and nothing is answered over it."""
        client = self.scenario.connects()
        client.shakes(MemoryClient(b"a.example", (ACME_PROTOCOL,)))
        self.assertEqual(client.tls.subject, "ACME challenge")
        self.assertTrue(client.isToldTheEnd)
        client.tls.connection.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        client.transport.arrive(client.tls.connection.bio_read(1 << 20))
        client.settle()
        self.assertEqual(client.takes(), b"")
        self.scenario.passes(130)
        self.assertEqual(self.scenario.front.connections, 0)

    def test_clientsAreNot(self) -> None:
        """They go on, also without ALPN."""
        for protocols in ((b"http/1.1",), ()):
            client = self.scenario.connects().shakes(MemoryClient(b"a.example", protocols))
            self.assertFalse(client.isToldTheEnd)
            client.says(b"GET / HTTP/1.1", b"Host: a.example", b"Connection: close", b"", b"")
            origin = self.scenario.accepts()
            self.assertTrue(origin.takes().startswith(b"GET / HTTP/1.1"))
            origin.sends(b"HTTP/1.1 204 No Content", b"Connection: close", b"", b"")
            self.assertTrue(client.takes().startswith(b"HTTP/1.1 204 "))

    def test_handshakesThatFail(self) -> None:
        """Leave nothing behind."""
        client = self.scenario.connects()
        with capturedLogs() as events:
            client.begins(MemoryClient(b"a.example", (b"smtp",)))
            client.goesOn()
        self.assertEqual([each["why"] for each in events], ["no application protocol in common"])
        self.assertEqual(self.scenario.front.connections, 0)


class AskingTests(AnsweringCase):
    """Where clients have to show certificates."""

    def clients(self) -> ClientTLSSettings:
        """Ask for them."""
        return ClientTLSSettings(ca=self.ca)

    def test_anAuthorityHasNone(self) -> None:
        """It gets its answer, and nothing else."""
        client = self.scenario.connects()
        client.shakes(MemoryClient(b"a.example", (ACME_PROTOCOL,)))
        self.assertEqual(client.tls.subject, "ACME challenge")
        self.assertTrue(client.isToldTheEnd)

    def test_itsSessionLetsNobodyIn(self) -> None:
        """Who pretends to be one has a session then that nobody is known by."""
        library: Any = SSL._lib  # type: ignore[attr-defined]
        for highest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            first: Any = MemoryClient(b"a.example", (ACME_PROTOCOL,), highest)
            self.scenario.connects().shakes(first).takes()
            # pyOpenSSL has neither for one connection.
            library.SSL_CTX_set_alpn_protos(first.context._context, b"\x08http/1.1", 9)
            again = MemoryClient(b"a.example", context=first.context, session=first.session())
            client = self.scenario.connects()
            with capturedLogs() as events:
                client.begins(again)
                client.goesOn()
            self.assertTrue(library.SSL_session_reused(again.connection._ssl))
            self.assertFalse(client.transport.connected)
            (event,) = events
            self.assertEqual(event["why"], "it showed no certificate, and here clients have to")
            # Of many in a second, the log has one.
            self.scenario.passes(2)
        self.assertEqual(self.scenario.records, [])
