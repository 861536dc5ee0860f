# -*- test-case-name: tests.net.test_servertls -*-
"""
L{intermediary.net.servertls}: what clients are shown and what is agreed on.
"""

from __future__ import annotations

import gc
import socket
import weakref
from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorThreads
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import capturedLogs
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.protocols.wire import Echo
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from intermediary.interfaces import ITLSPolicy
from intermediary.net.certificatefiles import TroubleError
from intermediary.net.servertls import WATCH_SECONDS, ServerTLS
from intermediary.settings import TLSSettings

from ..scenario import MemoryConnector, MemoryTransport
from .certifying import authority, made
from .responding import NOW, answer, stapled
from .test_certificatefiles import FolderCase
from .tlspeers import MemoryClient, meet, reasons

A = made("a.example")
RENEWED = made("a.example", days=80, number=2)
WILD = made("*.example", number=1)


class PolicyCase(FolderCase):
    """Has a policy with the certificates of a folder."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.put("a.pem", A.both)
        self.put("wild.pem", WILD.both)

    def policy(self, **settings: Any) -> ServerTLS:
        """Make it."""
        settings.setdefault("certificates", str(self.folder))
        return ServerTLS(self.clock, TLSSettings(**settings), "site")

    def shakes(self, policy: ServerTLS, client: MemoryClient) -> Any:
        """Have them shake hands, and give the server's side."""
        server = policy.serverConnectionForTLS(None)
        self.assertIsNone(meet(client, server))
        self.assertTrue(client.done)
        return server


class HandshakeTests(PolicyCase):
    """Names, versions, protocols."""

    def test_itIsWhatTransportsTake(self) -> None:
        """Ours, and all others of Twisted."""
        policy = self.policy()
        verifyObject(ITLSPolicy, policy)
        verifyObject(IOpenSSLServerConnectionCreator, policy)
        self.assertEqual(repr(policy), "<ServerTLS site intermediate names=2>")

    def test_theNameDecides(self) -> None:
        """Exact, wildcard, none."""
        policy = self.policy(default="x.example")
        for name, subject in (
            (b"a.example", "a.example"),
            (b"b.example", "*.example"),
            (b"other.test", "*.example"),
            (b"", "*.example"),
        ):
            for highest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
                client = MemoryClient(name, highest=highest)
                self.shakes(policy, client)
                self.assertEqual(client.subject, subject)

    def test_itKnowsWhatThereIsACertificateFor(self) -> None:
        """That of the default is for others, but not theirs."""
        self.put("c.pem", made("192.0.2.1", "c.test").both)
        policy = self.policy(default="x.example")
        for host in ("a.example", "b.example", "192.0.2.1", "c.test"):
            self.assertTrue(policy.isFor(host), host)
        for host in ("example", "a.b.example", "other.test", "192.0.2.2", "::1", ""):
            self.assertFalse(policy.isFor(host), host)

    def test_theKindOfKeyIsTheClients(self) -> None:
        """A client that can't do EC gets RSA."""
        self.put("rsa.pem", made("a.example", kind="RSA").both)
        policy = self.policy()
        for ciphers, kind in (
            (b"ECDHE-RSA-AES128-GCM-SHA256", "RSA"),
            (b"ECDHE-ECDSA-AES128-GCM-SHA256", "EC"),
        ):
            client = MemoryClient(b"a.example", ciphers=ciphers, highest=SSL.TLS1_2_VERSION)
            self.shakes(policy, client)
            self.assertEqual(client.kind, kind)

    def test_profiles(self) -> None:
        """The profile is that of the connection, whichever certificate it is."""
        server = self.policy(profile="modern").serverConnectionForTLS(None)
        failed = meet(MemoryClient(b"a.example", highest=SSL.TLS1_2_VERSION), server)
        self.assertIn("unsupported protocol", reasons(failed))

    def test_protocolsAreAgreedOn(self) -> None:
        """RFC 7301: of ours the best that the client offers; nothing if it offers none."""
        for offered, agreed in (
            ((b"h2", b"http/1.1"), b"http/1.1"),
            ((), b""),
        ):
            client = MemoryClient(b"a.example", offered)
            self.shakes(self.policy(), client)
            self.assertEqual(client.connection.get_alpn_proto_negotiated(), agreed)
        policy = ServerTLS(
            self.clock,
            TLSSettings(certificates=str(self.folder)),
            protocols=(b"h2", b"http/1.1"),
        )
        client = MemoryClient(b"a.example", (b"http/1.1", b"h2"))
        self.shakes(policy, client)
        self.assertEqual(client.connection.get_alpn_proto_negotiated(), b"h2")

    def test_whoMeansAnotherServerIsRefused(self) -> None:
        """RFC 7301 §3.2: with an alert, and without a traceback here."""
        for highest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            client = MemoryClient(b"a.example", (b"smtp",), highest=highest)
            failed = meet(client, self.policy().serverConnectionForTLS(None))
            self.assertIsInstance(failed, SSL.Error)
            self.assertFalse(client.done)
            self.assertIn("no application protocol", reasons(client.error)[0])

    def test_onASocket(self) -> None:
        """The same, with OpenSSL reading and writing by itself."""
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        ours.setblocking(False)
        theirs.setblocking(False)
        server = self.policy().connectionOn(ours)
        client = MemoryClient(b"a.example")
        for _ in range(6):
            theirs.send(client.speaks() or b"")
            try:
                server.do_handshake()
            except SSL.WantReadError:
                pass
            try:
                client.hears(theirs.recv(1 << 16))
            except BlockingIOError:
                pass
        self.assertTrue(client.done)
        self.assertEqual(client.subject, "a.example")

    def test_nothingCanBeRenegotiated(self) -> None:
        """A client of TLS 1.2 that tries is ignored, or cut off."""
        client = MemoryClient(b"a.example", highest=SSL.TLS1_2_VERSION)
        server = self.shakes(self.policy(), client)
        client.connection.renegotiate()
        try:
            client.connection.do_handshake()
        except SSL.Error:
            pass
        server.bio_write(client.connection.bio_read(1 << 16))
        try:
            server.recv(100)
        except SSL.Error:
            pass
        self.assertEqual(server.total_renegotiations(), 0)


class ResumptionTests(PolicyCase):
    """Tickets."""

    def resumes(self, policy: ServerTLS, name: bytes, first: MemoryClient) -> bool:
        """Whether the session of one client is gone on with."""
        session = first.session()
        again = MemoryClient(name, context=first.context, session=session)
        server = self.shakes(policy, again)
        return bool(SSL._lib.SSL_session_reused(server._ssl))  # type: ignore[attr-defined]

    def test_clientsComeBack(self) -> None:
        """In either version; what became of the certificates does not matter."""
        for highest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            policy = self.policy()
            client = MemoryClient(b"a.example", highest=highest)
            self.shakes(policy, client)
            self.put("a.pem", RENEWED.both)
            self.successResultOf(policy.reload())
            self.assertTrue(self.resumes(policy, b"a.example", client))

    def test_whatAConnectionBeganWithStays(self) -> None:
        """OpenSSL may call back to it, as for a second ClientHello (RFC 8446 §4.1.4)."""
        policy = self.policy()
        first = weakref.ref(policy._keys.newest())
        server = policy.serverConnectionForTLS(None)
        server.bio_write(MemoryClient(b"a.example").speaks())
        self.assertRaises(SSL.WantReadError, server.do_handshake)
        self.assertIsNot(server.get_context(), first())
        policy._keys.retire()
        gc.collect()
        self.assertIsNotNone(first())
        del server
        gc.collect()
        self.assertIsNone(first())

    def test_keysHaveTheirTime(self) -> None:
        """With an old ticket, a client makes a whole handshake."""
        policy = self.policy(resumptionSeconds=100)
        client = MemoryClient(b"a.example")
        self.shakes(policy, client)
        self.clock.advance(101)
        self.assertFalse(self.resumes(policy, b"a.example", client))

    def test_withoutResumption(self) -> None:
        """Each handshake is a whole one."""
        for highest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            policy = self.policy(resumptionSeconds=0)
            client = MemoryClient(b"a.example", highest=highest)
            self.shakes(policy, client)
            self.assertFalse(self.resumes(policy, b"a.example", client))

    def test_otherFrontsKnowNothingOfThem(self) -> None:
        """Each has its own keys."""
        client = MemoryClient(b"a.example")
        self.shakes(self.policy(), client)
        self.assertFalse(self.resumes(self.policy(), b"a.example", client))


class StaplingTests(PolicyCase):
    """What authorities say of certificates; see L{intermediary.net.stapling}."""

    def setUp(self) -> None:
        super().setUp()
        self.clock.advance(NOW.timestamp())
        self.put("a.pem", stapled().both + authority().pem)
        self.connector = MemoryConnector()

    def begins(self, **settings: Any) -> ServerTLS:
        """Start a policy with a responder that the test is."""
        policy = ServerTLS(
            self.clock,
            TLSSettings(certificates=str(self.folder), **settings),
            "site",
            connector=self.connector,
        )
        policy.start()
        self.addCleanup(policy.stop)
        self.clock.advance(0)
        return policy

    def says(self, octets: bytes) -> None:
        """Answer a question."""
        _, factory, connecting, _ = self.connector.waiting.pop(0)
        protocol = factory.buildProtocol(None)
        transport = MemoryTransport(protocol, self.clock)
        protocol.makeConnection(transport)
        connecting.callback(protocol)
        transport.arrive(b"HTTP/1.0 200 OK\r\n\r\n" + octets)
        transport.arrive(b"")

    def gets(self, policy: ServerTLS) -> bytes:
        """What a client gets."""
        got: list[bytes] = []

        def stapledTo(connection: Any, octets: bytes, data: Any) -> bool:
            got.append(octets)
            return True

        context = SSL.Context(SSL.TLS_METHOD)
        context.set_ocsp_client_callback(stapledTo)
        client = MemoryClient(b"a.example", context=context)
        client.connection.request_ocsp()
        self.shakes(policy, client)
        return b"".join(got)

    def test_clientsGetWhatTheResponderSays(self) -> None:
        """Also after files were read again, if it is still that certificate."""
        policy = self.begins()
        self.assertEqual(self.gets(policy), b"")
        octets = answer()
        self.says(octets)
        self.assertEqual(self.gets(policy), octets)
        self.put("c.pem", made("c.test").both)
        self.successResultOf(policy.reload())
        self.assertEqual(self.gets(policy), octets)
        renewed = stapled(number=2)
        self.put("a.pem", renewed.both + authority().pem)
        self.successResultOf(policy.reload())
        self.assertEqual(self.gets(policy), b"")
        self.clock.advance(0)
        octets = answer(renewed)
        self.says(octets)
        self.assertEqual(self.gets(policy), octets)

    def test_nothingIsLeft(self) -> None:
        """The stop is that of the questions, too."""
        policy = self.begins()
        self.assertEqual(len(self.connector.waiting), 1)
        policy.stop()
        self.assertEqual((self.connector.waiting, self.clock.getDelayedCalls()), ([], []))

    def test_itCanBeOff(self) -> None:
        """Then nobody is asked."""
        policy = self.begins(stapling=False)
        self.assertEqual(self.connector.waiting, [])
        self.assertEqual(self.gets(policy), b"")

    def test_withoutAConnectorItHasItsOwn(self) -> None:
        """As in another application."""
        reactor = MemoryReactorClock()
        self.put("a.pem", stapled(urls=("http://192.0.2.7:8080/",)).both + authority().pem)
        policy = ServerTLS(reactor, TLSSettings(certificates=str(self.folder)))
        policy.start()
        reactor.advance(0)
        self.assertEqual([each[:2] for each in reactor.tcpClients], [("192.0.2.7", 8080)])
        policy.stop()
        self.assertEqual(reactor.getDelayedCalls(), [])


class WatchingTests(PolicyCase):
    """Files that change."""

    def shown(self, policy: ServerTLS, name: bytes = b"a.example") -> Any:
        """The certificate that a client gets."""
        client = MemoryClient(name)
        self.shakes(policy, client)
        return client.connection.get_peer_certificate(as_cryptography=True)

    def test_whatChangedIsUsed(self) -> None:
        """For connections that begin, and those that have begun go on."""
        policy = self.policy()
        policy.start()
        self.addCleanup(policy.stop)
        client = MemoryClient(b"a.example")
        server = self.shakes(policy, client)
        self.put("a.pem", RENEWED.both)
        self.assertEqual(self.shown(policy), A.certificate)
        with capturedLogs() as events:
            self.clock.advance(WATCH_SECONDS)
        self.assertEqual(self.shown(policy), RENEWED.certificate)
        self.assertEqual([each["count"] for each in events], [2])
        server.send(b"still here")
        client.hears(server.bio_read(1 << 16))
        self.assertEqual(client.reads(), b"still here")
        with capturedLogs() as events:
            self.clock.advance(WATCH_SECONDS)
        self.assertEqual(events, [])

    def test_aBadFileIsSaidOnce(self) -> None:
        """What was there before is used on."""
        policy = self.policy()
        policy.start()
        self.addCleanup(policy.stop)
        self.put("a.pem", b"half of it")
        with capturedLogs() as events:
            for _ in range(3):
                self.clock.advance(WATCH_SECONDS)
        (event,) = events
        self.assertIn("no private key", event["trouble"])
        self.assertEqual(self.shown(policy), A.certificate)

    def test_aDefaultThatGoesIsKept(self) -> None:
        """The certificates of before are used, all of them."""
        policy = self.policy(default="a.example")
        self.put("new.pem", made("new.test", number=3).both)
        (self.folder / "a.pem").unlink()
        (self.folder / "wild.pem").unlink()
        with capturedLogs() as events:
            self.successResultOf(policy.reload())
        self.assertIn("is the name of no certificate", events[0]["trouble"])
        self.assertEqual(self.shown(policy), A.certificate)

    def test_noTimerIsLeft(self) -> None:
        """Who starts it stops it; both may be said twice."""
        policy = self.policy()
        policy.stop()
        policy.start()
        policy.start()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        policy.stop()
        policy.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_keysAreForgottenInTime(self) -> None:
        """Also if nobody connects."""
        policy = self.policy(resumptionSeconds=WATCH_SECONDS)
        policy.start()
        self.addCleanup(policy.stop)
        before = policy._keys.newest()
        self.clock.advance(WATCH_SECONDS)
        self.assertIsNone(policy._keys._newest)
        self.assertIsNot(policy._keys.newest(), before)

    def test_whatCannotBeUsedIsRefused(self) -> None:
        """At the start, all at once."""
        self.put("a.pem", b"hello")
        self.put("wild.pem", A.pem)
        with self.assertRaises(TroubleError) as caught:
            self.policy()
        self.assertEqual(len(caught.exception.troubles), 2)
        self.put("a.pem", A.both)
        self.put("wild.pem", WILD.both)
        with self.assertRaises(TroubleError) as caught:
            self.policy(default="nowhere.test")
        (trouble,) = caught.exception.troubles
        self.assertEqual((trouble.key, trouble.path), ("default", "nowhere.test"))


@implementer(IReactorThreads)
class Threads(Clock):
    """A reactor whose threads do nothing until told to."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Any] = []

    def getThreadPool(self) -> Any:
        """Be the pool as well."""
        return self

    def callFromThread(self, work: Any, *arguments: Any, **keywords: Any) -> None:  # type: ignore[override]
        """At once."""
        work(*arguments, **keywords)

    def callInThread(self, callable: Any, *arguments: Any, **keywords: Any) -> None:  # noqa: A002
        """Not used."""

    def suggestThreadPoolSize(self, size: int) -> None:
        """Not used."""

    def callInThreadWithCallback(self, onResult: Any, work: Any) -> None:
        """Later."""
        self.waiting.append((onResult, work))

    def work(self) -> None:
        """Do one thing."""
        onResult, work = self.waiting.pop(0)
        onResult(True, work())


class ThreadTests(PolicyCase):
    """Where the reactor has threads, files are read in one."""

    def test_oneLookAtATime(self) -> None:
        """Whoever asks meanwhile waits for the same."""
        reactor = self.clock = Threads()
        policy = self.policy()
        self.assertEqual(reactor.waiting, [])
        policy.start()
        self.addCleanup(policy.stop)
        self.put("a.pem", RENEWED.both)
        reactor.advance(WATCH_SECONDS)
        reactor.advance(WATCH_SECONDS)
        asked = policy.reload()
        self.assertEqual(len(reactor.waiting), 1)
        self.assertNoResult(asked)
        with capturedLogs() as events:
            reactor.work()
        self.successResultOf(asked)
        self.assertEqual(len(events), 1)
        reactor.advance(WATCH_SECONDS)
        self.assertEqual(len(reactor.waiting), 1)

    def test_aLookThatFailsIsNotTheLast(self) -> None:
        """Whatever the reason, which is in the log."""
        reactor = self.clock = Threads()
        policy = self.policy()
        policy.start()
        self.addCleanup(policy.stop)
        asked = policy.reload()
        onResult, _ = reactor.waiting.pop()
        onResult(False, Failure(RuntimeError("memory")))
        self.successResultOf(asked)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        policy.reload()
        self.assertEqual(len(reactor.waiting), 1)


class AloneTests(PolicyCase):
    """In an application that has nothing else of this package."""

    def test_anotherProtocol(self) -> None:
        """Behind Twisted's own layer."""
        factory: Any = TLSMemoryBIOFactory(
            self.policy(), False, Factory.forProtocol(Echo), self.clock
        )
        protocol = factory.buildProtocol(None)
        transport: Any = StringTransport()
        transport.abortConnection = transport.loseConnection
        protocol.makeConnection(transport)
        client = MemoryClient(b"a.example", (b"http/1.1",))
        for _ in range(4):
            octets = client.speaks()
            if octets:
                protocol.dataReceived(octets)
            client.hears(transport.value())
            transport.clear()
        self.assertTrue(client.done)
        self.assertEqual(protocol.negotiatedProtocol, b"http/1.1")
        protocol.connectionLost(Failure(ConnectionDone()))
