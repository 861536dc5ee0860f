# -*- test-case-name: tests.net.test_answering -*-
"""
L{intermediary.net.answering}: an authority shakes hands, and that is all.
"""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from intermediary.interfaces import ITLSPolicy
from intermediary.net.acmekeys import challengeCertificate, keyPEM, makeKey
from intermediary.net.answering import AnsweringHandshakes
from intermediary.net.automatic import ACME_PROTOCOL
from intermediary.settings import AcmeSettings, TLSSettings

from .test_handshakes import TLSScenario
from .tlspeers import MemoryClient


class AnsweringTests(SynchronousTestCase):
    """A front that gets its certificates by itself."""

    def setUp(self) -> None:
        self.scenario = TLSScenario(self)
        self.scenario.clock.advance(max(0.0, time.time() - self.scenario.clock.seconds()))
        acme = AcmeSettings(
            directory="https://acme.example/directory",
            names=("a.example",),
            storage=self.mktemp(),
            termsAgreed=True,
        )
        self.scenario.reverse(tls=TLSSettings(acme=acme))
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
        self.assertEqual(self.handshakes._watched, {})

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
        self.assertEqual(self.handshakes._watched, {})

    def test_whatIsWatched(self) -> None:
        """Is a policy like the one that it has."""
        watched = self.handshakes._policyOf(object())
        self.handshakes._watched.clear()
        verifyObject(ITLSPolicy, watched)
        verifyObject(IOpenSSLServerConnectionCreator, watched)
        self.assertFalse(watched.isAnswer())
        for make in (watched.serverConnectionForTLS, watched.connectionOn):
            self.assertIs(make(None), watched._made)
