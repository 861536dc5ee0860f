# -*- test-case-name: tests.net.test_origintls -*-
"""
Tests of L{intermediary.net.origintls}: policies, contexts, sessions, files.
"""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import ssl
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import provider
from zope.interface.verify import verifyObject

from intermediary.errors import TLSNotConfigured, TLSProtocolError
from intermediary.interfaces import IOriginTLS, ITLSPolicy, Origin
from intermediary.net import origintls
from intermediary.net.origintls import (
    SESSION_SECONDS,
    SESSIONS,
    ClientConnection,
    OriginPolicies,
    OriginTLS,
    TLSClient,
    Unusable,
)
from intermediary.settings import OriginTLSSettings

from .authority import authority, credentials
from .tlsmemory import Server, serverContext


class TLSTestCase(SynchronousTestCase):
    """Files, policies, and connections that a test carries octets over."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.ca = self.file(authority().certificate)
        self.context = serverContext(self, credentials("a.example", "192.0.2.1", "2001:db8::1"))

    def file(self, octets: bytes) -> str:
        """Write a file."""
        path = Path(self.mktemp())
        path.write_bytes(octets)
        return str(path)

    def policy(self, **settings: Any) -> OriginTLS:
        """Make a policy that trusts the authority of the tests."""
        return OriginTLS(OriginTLSSettings(**{"ca": self.ca, **settings}), self.clock.seconds)

    def meet(
        self, client: TLSClient, context: ssl.SSLContext | None = None
    ) -> tuple[ClientConnection, Server, SSL.Error | None]:
        """
        Have a handshake.

        @return: both sides, and what ours failed with.
        """
        connection = client.clientConnectionForTLS(None)
        server = Server(context or self.context)
        for _ in range(4):
            try:
                connection.do_handshake()
            except SSL.WantReadError:
                pass
            except SSL.Error as error:
                self.carry(connection, server)
                return connection, server, error
            self.carry(connection, server)
        return connection, server, None

    def carry(self, connection: ClientConnection, server: Server) -> None:
        """Carry what there is to the server and back."""
        try:
            octets = connection.bio_read(1 << 20)
        except SSL.WantReadError:
            octets = b""
        if answer := server.takes(octets):
            connection.bio_write(answer)

    def stands(self, client: TLSClient, context: ssl.SSLContext | None = None) -> Server:
        """A handshake succeeds; its session is kept."""
        connection, server, error = self.meet(client, context)
        self.assertIsNone(error)
        self.assertTrue(server.stands)
        self.assertEqual(client.problemOf(connection), "")
        self.assertRaises(SSL.WantReadError, connection.recv, 1)
        client.keep(connection)
        return server

    def fails(self, client: TLSClient, context: ssl.SSLContext | None = None) -> str:
        """A handshake fails; give the problem."""
        connection, server, error = self.meet(client, context)
        self.assertIsNotNone(error)
        self.assertFalse(server.stands)
        return client.problemOf(connection)


class VerifyingTests(TLSTestCase):
    """Who is believed."""

    def test_interfaces(self) -> None:
        """The seams of the connector and of Twisted."""
        policy = self.policy()
        verifyObject(IOriginTLS, policy)
        client = policy.towards("a.example", 443)
        verifyObject(ITLSPolicy, client)
        verifyObject(IOpenSSLClientConnectionCreator, client)

    def test_namesAndAddresses(self) -> None:
        """SNI is for names alone, without the root's dot (RFC 6066 §3)."""
        for host, sent in (
            ("a.example", "a.example"),
            ("a.example.", "a.example"),
            ("192.0.2.1", None),
            ("2001:db8::1", None),
            ("2001:db8::1%eth0", None),
        ):
            server = self.stands(self.policy().towards(host, 443))
            self.assertEqual(server.names, [sent], host)

    def test_others(self) -> None:
        """The name or address is not in the certificate."""
        for host in ("b.example", "192.0.2.2", "2001:db8::2", "www.a.example"):
            problem = self.fails(self.policy().towards(host, 443))
            self.assertIn(f", not {host}", problem)

    def test_anotherName(self) -> None:
        """It is what is sent and verified, whatever the host."""
        client = self.policy(name="a.example").towards("10.0.0.1", 443)
        self.assertEqual(self.stands(client).names, ["a.example"])
        client = self.policy(name="192.0.2.1").towards("b.example", 443)
        self.assertEqual(self.stands(client).names, [None])
        self.fails(self.policy(name="b.example").towards("a.example", 443))

    def test_noVerification(self) -> None:
        """Where it is spelled out: anybody is believed, and the name is sent all the same."""
        context = serverContext(self, credentials("x.example", selfSigned=True))
        client = self.policy(ca=None, verify=False).towards("a.example", 443)
        self.assertEqual(self.stands(client, context).names, ["a.example"])

    def test_certificatesOfServers(self) -> None:
        """In place of authorities: their own are trusted, and no others."""
        own = credentials("a.example", selfSigned=True)
        issued = credentials("a.example")
        for trusted, good, bad in ((own, own, issued), (issued, issued, own)):
            client = self.policy(ca=self.file(trusted.certificate)).towards("a.example", 443)
            self.stands(client, serverContext(self, good))
            self.fails(client, serverContext(self, bad))

    def test_theSystem(self) -> None:
        """What it trusts counts where nothing else is said."""
        self.patch(origintls, "trustedFiles", lambda: (self.ca, None))
        self.stands(self.policy(ca=None).towards("a.example", 443))
        other = self.file(authority("Other").certificate)
        self.patch(origintls, "trustedFiles", lambda: (other, None))
        problem = self.fails(self.policy(ca=None).towards("a.example", 443))
        self.assertIn("unknown authority: CN=Test Authority", problem)

    def test_aJudgeThatFails(self) -> None:
        """Whatever is odd about a certificate, it is no good."""
        self.patch(origintls, "mismatch", lambda *arguments: 1 / 0)
        problem = self.fails(self.policy().towards("a.example", 443))
        self.assertEqual(problem, "the certificate can't be read")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class VersionTests(TLSTestCase):
    """What is spoken."""

    def limited(
        self, lowest: ssl.TLSVersion, highest: ssl.TLSVersion, ciphers: str = ""
    ) -> ssl.SSLContext:
        """Make a server that speaks some versions."""
        context = serverContext(self, credentials("a.example"))
        context.minimum_version, context.maximum_version = lowest, highest
        if ciphers:
            context.set_ciphers(ciphers)
        return context

    def test_versions(self) -> None:
        """TLS 1.2 and 1.3, or 1.3 alone; never less."""
        kinds = ssl.TLSVersion
        new = self.limited(kinds.TLSv1_3, kinds.TLSv1_3)
        usual = self.limited(kinds.TLSv1_2, kinds.TLSv1_2)
        old = self.limited(kinds.TLSv1, kinds.TLSv1_1, "ALL:@SECLEVEL=0")
        for profile, good, bad in (
            ("modern", [new], [usual, old]),
            ("intermediate", [new, usual], [old]),
            ("compatible", [new, usual], [old]),
        ):
            client = self.policy(profile=profile).towards("a.example", 443)
            for context in good:
                self.stands(client, context)
            for context in bad:
                self.fails(client, context)

    def test_ciphers(self) -> None:
        """Old ones of TLS 1.2 are for who asks for them."""
        twelve = ssl.TLSVersion.TLSv1_2
        context = self.limited(twelve, twelve, "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
        self.fails(self.policy().towards("a.example", 443), context)
        self.stands(self.policy(profile="compatible").towards("a.example", 443), context)

    def test_protocols(self) -> None:
        """HTTP/1.1 (RFC 7301)."""
        server = self.stands(self.policy().towards("a.example", 443))
        self.assertEqual(server.tls.selected_alpn_protocol(), "http/1.1")


class IdentityTests(TLSTestCase):
    """Who we are."""

    def setUp(self) -> None:
        super().setUp()
        self.us = credentials("us.example")
        self.context = serverContext(
            self, credentials("a.example"), authority("Of Clients").certificate
        )
        self.us = credentials("us.example", by="Of Clients")

    def test_oneFileOrTwo(self) -> None:
        """The key may be in a file of its own."""
        for settings in (
            {"certificate": self.file(self.us.both)},
            {"certificate": self.file(self.us.certificate), "key": self.file(self.us.key)},
        ):
            server = self.stands(self.policy(**settings).towards("a.example", 443))
            certificate = server.tls.getpeercert()
            assert certificate is not None
            self.assertEqual(certificate["subject"], ((("commonName", "us.example"),),))

    def test_theChainIsSent(self) -> None:
        """What stands behind the certificate in the file."""
        chain = self.us.certificate + authority("Of Clients").certificate
        context = self.policy(certificate=self.file(chain), key=self.file(self.us.key)).context()
        self.assertIsInstance(context, SSL.Context)


class FileTests(TLSTestCase):
    """What can't be used is told of by its key, with what to do."""

    def bad(self, which: str, words: str, **settings: Any) -> None:
        """The files of a policy are no good."""
        policy = self.policy(**settings)
        for _ in range(2):
            error = self.assertRaises(Unusable, policy.context)
            assert isinstance(error, Unusable)
            self.assertEqual((error.key, error.value), (which, settings.get(which)))
            self.assertIn(words, error.message)
            self.assertNotEqual(error.remedy, "")
            refusal = self.assertRaises(TLSNotConfigured, policy.towards, "a.example", 443)
            self.assertIn(words, str(refusal))

    def test_authorities(self) -> None:
        """A file with certificates."""
        nowhere = os.path.join(self.mktemp(), "x")
        self.bad("ca", "can't be read: No such file", ca=nowhere)
        self.bad("ca", "can't be read: Is a directory", ca="/")
        for octets in (b"", b"hello", credentials("a").key):
            self.bad("ca", "has no certificate in it", ca=self.file(octets))
        broken = authority().certificate.replace(b"M", b"N")
        self.bad("ca", "has a certificate that can't be read", ca=self.file(broken))

    def test_aSystemWithoutAny(self) -> None:
        """Nobody is trusted, instead of everybody."""
        self.patch(origintls, "trustedFiles", lambda: (None, None))
        self.bad("ca", "this system trusts nobody", ca=None)

    def test_theSystemsAreBad(self) -> None:
        """A path of the environment that leads nowhere."""
        self.patch(origintls, "trustedFiles", lambda: ("/nowhere/at/all", None))
        error = self.assertRaises(Unusable, self.policy(ca=None).context)
        self.assertIn("can't be read by OpenSSL", str(error))

    def test_certificates(self) -> None:
        """One of ours."""
        nowhere = os.path.join(self.mktemp(), "x")
        self.bad("certificate", "can't be read", certificate=nowhere)
        for octets in (b"", credentials("a").key):
            self.bad("certificate", "has no certificate in it", certificate=self.file(octets))

    def test_keys(self) -> None:
        """That of the certificate, without a passphrase: nobody is there to type it."""
        us = credentials("us.example")
        certificate = self.file(us.certificate)
        self.bad("certificate", "has no private key in it", certificate=certificate)
        nowhere = os.path.join(self.mktemp(), "x")
        self.bad("key", "can't be read", certificate=certificate, key=nowhere)
        self.bad("key", "has no private key in it", certificate=certificate, key=self.file(b"x"))
        other = self.file(credentials("other.example").key)
        self.bad("certificate", "is not for this key", certificate=certificate, key=other)
        key: Any = serialization.load_pem_private_key(us.key, None)
        locked = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
        self.bad("key", "under a password", certificate=certificate, key=self.file(locked))


class SessionTests(TLSTestCase):
    """What the next connection need not do again."""

    def contexts(self) -> list[ssl.SSLContext]:
        """Servers of both versions."""
        found = []
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = serverContext(self, credentials("a.example", "192.0.2.1"))
            context.minimum_version = context.maximum_version = version
            found.append(context)
        return found

    def test_theyAreResumed(self) -> None:
        """With the same server of the same policy."""
        for context in self.contexts():
            policy = self.policy()
            resumed = [
                self.stands(policy.towards("a.example", 443), context).tls.session_reused
                for _ in range(3)
            ]
            self.assertEqual(resumed, [False, True, True])

    def test_connectionsMayEndAsTheyLike(self) -> None:
        """Without a C{close_notify} too (RFC 4346 §7.2.1)."""
        for context in self.contexts():
            client = self.policy().towards("a.example", 443)
            resumed = []
            for _ in range(3):
                connection, server, error = self.meet(client, context)
                self.assertIsNone(error)
                with contextlib.suppress(SSL.WantReadError):
                    connection.recv(1)
                client.keep(connection)
                resumed.append(server.tls.session_reused)
                del connection
                gc.collect()
            self.assertEqual(resumed, [False, True, True])

    def test_otherServersHaveTheirOwn(self) -> None:
        """Another host, another port, another policy: another server."""
        for context in self.contexts():
            policy = self.policy()
            self.stands(policy.towards("a.example", 443), context)
            for client in (
                policy.towards("a.example", 444),
                policy.towards("192.0.2.1", 443),
                self.policy().towards("a.example", 443),
            ):
                self.assertFalse(self.stands(client, context).tls.session_reused)

    def test_theyAreForgotten(self) -> None:
        """When one came to nothing."""
        client = self.policy().towards("a.example", 443)
        self.stands(client)
        client.forget()
        self.assertFalse(self.stands(client).tls.session_reused)

    def test_theyGrowOld(self) -> None:
        """Counted from when the certificate was looked at."""
        for context in self.contexts():
            client = self.policy().towards("a.example", 443)
            resumed = []
            for _ in range(5):
                resumed.append(self.stands(client, context).tls.session_reused)
                self.clock.advance(SESSION_SECONDS / 2)
            self.assertEqual(resumed, [False, True, True, False, True])

    def test_whoResumesIsWhoWasVerified(self) -> None:
        """A session is of no use to who has not got its secret."""
        client = self.policy().towards("a.example", 443)
        self.stands(client)
        other = serverContext(self, credentials("b.example"))
        self.assertIn("not a.example", self.fails(client, other))

    def test_theirNumberIsBounded(self) -> None:
        """Those of servers that were not met for longest go."""
        policy = self.policy()
        session: Any = object()
        for number in range(SESSIONS + 10):
            policy.keepSession(("a.example", number), session, 0.0)
            policy.keepSession(("b.example", 0), session, 0.0)
        self.assertIsNone(policy.sessionOf(("a.example", 10)))
        self.assertIsNotNone(policy.sessionOf(("a.example", 11)))
        self.assertIsNotNone(policy.sessionOf(("b.example", 0)))
        self.assertEqual(repr(policy), f"<OriginTLS sessions={SESSIONS}>")

    def test_connectionsWithout(self) -> None:
        """One that never had a handshake leaves none."""
        policy = self.policy()
        client = policy.towards("a.example", 443)
        client.keep(client.clientConnectionForTLS(None))
        self.assertFalse(self.stands(client).tls.session_reused)


class SocketTests(TLSTestCase):
    """OpenSSL on the socket itself."""

    def test_itIsTheSame(self) -> None:
        """Name, verification and session, as without a socket."""
        client = self.policy().towards("a.example", 443)
        for expected in (False, True):
            ours, theirs = socket.socketpair()
            self.addCleanup(ours.close)
            self.addCleanup(theirs.close)
            ours.setblocking(False)
            theirs.setblocking(False)
            connection = client.connectionOn(ours)
            server = Server(self.context)
            for _ in range(4):
                try:
                    connection.do_handshake()
                except SSL.WantReadError:
                    pass
                try:
                    octets = theirs.recv(1 << 20)
                except BlockingIOError:
                    octets = b""
                theirs.sendall(server.takes(octets))
            self.assertTrue(server.stands)
            self.assertEqual(server.names, ["a.example"])
            self.assertIs(server.tls.session_reused, expected)
            self.assertRaises(SSL.WantReadError, connection.recv, 1)
            client.keep(connection)


class PolicyTests(TLSTestCase):
    """Policies among themselves."""

    def test_equalSettingsAreOne(self) -> None:
        """One context for each distinct policy."""
        policies = OriginPolicies(self.clock.seconds)
        one = policies.get(OriginTLSSettings(ca=self.ca))
        self.assertIs(one, policies.get(OriginTLSSettings(ca=self.ca)))
        for other in (
            OriginTLSSettings(),
            OriginTLSSettings(ca=self.ca, verify=False),
            OriginTLSSettings(ca=self.ca, name="a"),
            OriginTLSSettings(ca=self.ca, profile="modern"),
        ):
            self.assertIsNot(one, policies.get(other))
        self.assertIs(one.context(), one.context())

    def test_originsOfDifferentOnesAreDifferent(self) -> None:
        """So nobody gets a connection that was verified by another's rules."""
        one, other = self.policy(), self.policy(verify=False)
        self.assertNotEqual(Origin("https", "a", 443, one), Origin("https", "a", 443, other))
        self.assertEqual(Origin("https", "a", 443, one), Origin("https", "a", 443, one))

    def test_theNameOfAnOrigin(self) -> None:
        """That of the policy, or the host."""
        self.assertEqual(Origin("https", "a", 443, self.policy()).tlsName, "a")
        self.assertEqual(Origin("https", "a", 443, self.policy(name="b")).tlsName, "b")
        self.assertIsNone(Origin("http", "a", 80).tlsName)

    def test_nothingIsReadBeforeItIsNeeded(self) -> None:
        """A front that nobody asks for https costs nothing."""
        self.patch(origintls, "trustedFiles", lambda: 1 / 0)
        policy = self.policy(ca=None)
        self.assertRaises(ZeroDivisionError, policy.context)

    def test_complaintsAreFew(self) -> None:
        """One a minute says what is wrong, and a thousand no more."""
        said: list[str] = []

        @provider(ILogObserver)
        def observe(event: Any) -> None:
            if event.get("log_namespace", "").endswith("OriginTLS"):
                said.append(event["detail"])

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        policy = self.policy()
        for number in range(4):
            policy.complain(TLSProtocolError(f"{number}"))
            self.clock.advance(30)
        self.assertEqual(said, ["0", "2"])
