# -*- test-case-name: tests.net.test_automatic -*-
"""
L{intermediary.net.automatic}: what a front shows that gets its certificates by itself.
"""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from intermediary.net.acmekeys import (
    ACME_IDENTIFIER,
    PLACEHOLDER,
    challengeCertificate,
    keyPEM,
    makeKey,
)
from intermediary.net.acmestore import AcmeStore
from intermediary.net.certificatefiles import TroubleError
from intermediary.net.servertls import WATCH_SECONDS, ServerTLS
from intermediary.net.tlscontext import ACME_PROTOCOL
from intermediary.settings import AcmeSettings, ClientTLSSettings, TLSSettings

from .certifying import authority, made
from .test_certificatefiles import FolderCase
from .tlspeers import MemoryClient, meet, reasons

DIRECTORY = "https://acme.example/directory"
HTTP = b"http/1.1"


class AutomaticCase(FolderCase):
    """Has a policy whose certificates come by themselves."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.clock.advance(time.time())
        self.storage = Path(self.mktemp())
        self.store = AcmeStore(str(self.storage), DIRECTORY)
        self.ordered: list[str] = []

    def policy(
        self,
        *names: str,
        key: Any = "EC",
        termsAgreed: bool = True,
        **settings: Any,
    ) -> ServerTLS:
        """Make it; nothing is ordered but noted."""
        acme = AcmeSettings(
            directory=DIRECTORY,
            names=("a.example", "b.example") if not names else tuple(filter(None, names)),
            storage=str(self.storage),
            termsAgreed=termsAgreed,
            key=key,
        )
        policy = ServerTLS(self.clock, TLSSettings(acme=acme, **settings), "site")
        assert policy.automatic is not None
        self.patch(policy.automatic._orders, "obtain", self.obtain)
        return policy

    def obtain(self, name: str, isFresh: Any) -> None:
        """Be asked for a certificate: another process is at it."""
        self.ordered.append(name)

    def keep(self, name: str, certificate: Any) -> None:
        """Store a certificate."""
        self.store.prepare()
        self.store.keepCertificate(name, certificate.both)

    def shakes(self, policy: ServerTLS, client: MemoryClient) -> Any:
        """Have them shake hands."""
        server = policy.serverConnectionForTLS(None)
        self.assertIsNone(meet(client, server))
        self.assertTrue(client.done)
        return server

    def shown(self, policy: ServerTLS, name: bytes = b"a.example") -> str:
        """What a client is shown."""
        client = MemoryClient(name, (HTTP,))
        self.shakes(policy, client)
        return client.subject


class CertificateTests(AutomaticCase):
    """What there is, and what stands in for it."""

    def test_atFirst(self) -> None:
        """A placeholder for all names, which is told of once."""
        with capturedLogs() as events:
            policy = self.policy()
        self.assertEqual(self.shown(policy), PLACEHOLDER)
        self.assertEqual(self.shown(policy, b"b.example"), PLACEHOLDER)
        self.assertFalse(self.storage.exists())
        self.assertEqual(
            [formatEvent(each) for each in events],
            [
                (
                    "site: there is no certificate yet for a.example b.example: until there is, clients "
                    "get one that they refuse"
                )
            ],
        )
        self.assertEqual(repr(policy.automatic), "<Automatic site names=2>")

    def test_whatIsStored(self) -> None:
        """Is used at once, and nobody is asked."""
        self.keep("a.example", made("a.example", days=80))
        self.keep("b.example", made("b.example", days=80))
        with capturedLogs() as events:
            policy = self.policy()
            policy.start()
            self.addCleanup(policy.stop)
        self.assertEqual(events, [])
        self.assertEqual(self.ordered, [])
        self.assertEqual(self.shown(policy), "a.example")
        self.assertEqual(self.shown(policy, b"b.example"), "b.example")

    def test_whatIsMissing(self) -> None:
        """Is ordered; the others have what they have."""
        self.keep("b.example", made("b.example", days=80))
        policy = self.policy()
        policy.start()
        self.addCleanup(policy.stop)
        self.assertEqual(self.ordered, ["a.example"])
        self.assertEqual(self.shown(policy), PLACEHOLDER)
        self.assertEqual(self.shown(policy, b"b.example"), "b.example")

    def test_whatComes(self) -> None:
        """By us or by another process: it is seen within seconds, and told of."""
        policy = self.policy()
        policy.start()
        self.addCleanup(policy.stop)
        self.keep("a.example", made("a.example"))
        with capturedLogs() as events:
            self.clock.advance(WATCH_SECONDS)
        self.assertEqual(self.shown(policy), "a.example")
        self.assertEqual(self.shown(policy, b"b.example"), PLACEHOLDER)
        self.assertEqual(
            [formatEvent(each) for each in events],
            ["site: certificates were read again, for 2 names"],
        )

    def test_whatWeGet(self) -> None:
        """Is used at once, and its name is not ordered again."""
        policy = self.policy("a.example")
        fresh = made("a.example", days=80)
        automatic: Any = policy.automatic

        def obtain(name: str, isFresh: Any) -> Any:
            self.ordered.append(name)
            self.keep(name, fresh)
            return automatic._orders.stored(name)

        self.patch(automatic._orders, "obtain", obtain)
        policy.start()
        self.addCleanup(policy.stop)
        self.assertEqual(self.shown(policy), "a.example")
        self.clock.advance(3600)
        self.assertEqual(self.ordered, ["a.example"])

    def test_renewed(self) -> None:
        """Sessions and connections stay; there is another certificate."""
        self.keep("a.example", made("a.example"))
        policy = self.policy("a.example")
        client = MemoryClient(b"a.example")
        self.shakes(policy, client)
        before = client.connection.get_peer_certificate(as_cryptography=True)
        self.keep("a.example", made("a.example", days=80, number=2))
        policy.reload()
        client = MemoryClient(b"a.example")
        self.shakes(policy, client)
        self.assertNotEqual(client.connection.get_peer_certificate(as_cryptography=True), before)

    def test_whatIsBroken(self) -> None:
        """It is told of, what there was is used on, and it is ordered if there was nothing."""
        self.keep("a.example", made("a.example"))
        policy = self.policy("a.example", "b.example")
        path = Path(self.store.pathOf("a.example"))
        for octets in (b"broken", made("other.example").both):
            path.write_bytes(octets)
            with capturedLogs() as events:
                policy.reload()
                policy.reload()
            self.assertEqual(len(events), 1)
            self.assertIn(f"{path} can't be used", str(formatEvent(events[0])))
            self.assertEqual(self.shown(policy), "a.example")
        path.unlink()
        policy.reload()
        self.assertEqual(self.shown(policy), "a.example")
        path.write_bytes(b"broken")
        policy = self.policy("a.example")
        self.assertEqual(self.shown(policy), PLACEHOLDER)
        policy.start()
        self.addCleanup(policy.stop)
        self.assertEqual(self.ordered, ["a.example"])

    def test_RSA(self) -> None:
        """The placeholder has the kind of key that there will be."""
        client = MemoryClient(b"a.example")
        self.shakes(self.policy(key="RSA"), client)
        self.assertEqual(client.kind, "RSA")


class FileTests(AutomaticCase):
    """Beside files of certificates."""

    def test_filesAreUsedForTheirNames(self) -> None:
        """Whatever is stored, and for how long."""
        self.put("a.pem", made("a.example", days=3).both)
        self.keep("a.example", made("a.example", days=80, number=2))
        self.keep("b.example", made("b.example"))
        policy = self.policy(certificates=str(self.folder), default="b.example")
        assert policy.automatic is not None
        self.assertEqual(policy.automatic.names, ("b.example",))
        client = MemoryClient(b"a.example")
        self.shakes(policy, client)
        certificate: Any = client.connection.get_peer_certificate(as_cryptography=True)
        self.assertEqual(certificate, made("a.example", days=3).certificate)
        self.assertEqual(self.shown(policy, b"other.example"), "b.example")

    def test_aWildcardIsForItsNames(self) -> None:
        """So they are not ordered."""
        self.put("wild.pem", made("*.example").both)
        policy = self.policy("a.example", "example", certificates=str(self.folder))
        assert policy.automatic is not None
        self.assertEqual(policy.automatic.names, ("example",))
        self.assertEqual(self.shown(policy), "*.example")

    def test_filesComeAndGo(self) -> None:
        """And with them what is ordered; what was read before is known still."""
        self.put("x.pem", made("x.example").both)
        self.keep("a.example", made("a.example", days=80, number=2))
        policy = self.policy("a.example", certificates=str(self.folder))
        policy.start()
        self.addCleanup(policy.stop)
        self.put("a.pem", made("a.example", days=3).both)
        policy.reload()
        assert policy.automatic is not None
        self.assertEqual(policy.automatic.names, ())
        (self.folder / "a.pem").unlink()
        policy.reload()
        self.assertEqual(policy.automatic.names, ("a.example",))
        self.assertEqual(self.shown(policy), "a.example")
        self.assertEqual(self.ordered, [])

    def test_oneFile(self) -> None:
        """Is the first, and so for clients that ask for nothing else."""
        path = self.put("site.pem", made("x.example").both)
        policy = self.policy(certificate=path)
        self.assertEqual(self.shown(policy, b"other.example"), "x.example")
        self.assertEqual(self.shown(policy), PLACEHOLDER)


class RefusalTests(AutomaticCase):
    """What is known before it begins."""

    def test_theTerms(self) -> None:
        """Somebody has to agree."""
        with self.assertRaises(TroubleError) as caught:
            self.policy(termsAgreed=False)
        self.assertIn("agree: terms-agreed = true", str(caught.exception))

    def test_theNames(self) -> None:
        """There are some."""
        with self.assertRaises(TroubleError) as caught:
            self.policy("")
        self.assertIn("name what to get certificates for", str(caught.exception))

    def test_theStorage(self) -> None:
        """Has to be safe."""
        self.store.prepare()
        self.storage.chmod(0o777)
        with self.assertRaises(TroubleError) as caught:
            self.policy()
        self.assertIn("may be written by others", str(caught.exception))


class ChallengeTests(AutomaticCase):
    """C{tls-alpn-01} (RFC 8737)."""

    def setUp(self) -> None:
        super().setUp()
        self.store.prepare()

    def pending(self, policy: Any, name: str = "a.example", kind: str = "EC") -> Any:
        """Have a challenge pend for the time of a test; give the certificate."""
        key = makeKey(kind)
        found = challengeCertificate(name, "token.thumbprint", key, dt.datetime.now(dt.UTC))
        octets = found.public_bytes(Encoding.PEM) + keyPEM(key)
        publishing = self.store.published("tls-alpn-01", {name: octets})
        publishing.__enter__()
        self.addCleanup(publishing.__exit__, None, None, None)
        return found

    def looks(self, policy: ServerTLS, name: bytes, *offered: bytes, **options: Any) -> Any:
        """Be an authority that looks; give the certificate that it finds, and the protocol."""
        client = MemoryClient(name, offered or (ACME_PROTOCOL,), **options)
        self.shakes(policy, client)
        certificate: Any = client.connection.get_peer_certificate(as_cryptography=True)
        return certificate, client.connection.get_alpn_proto_negotiated()

    def isRefused(self, policy: ServerTLS, name: bytes, *offered: bytes) -> None:
        """It is refused as any client that speaks something else (RFC 7301 §3.2)."""
        client = MemoryClient(name, offered)
        server = policy.serverConnectionForTLS(None)
        self.assertIn("no application protocol in common", reasons(meet(client, server)))
        self.assertFalse(client.done)

    def test_theAnswer(self) -> None:
        """With either version, whatever certificates there are, and told of once."""
        plain = self.policy("a.example", "b.example")
        self.keep("a.example", made("a.example", issuer=made("ca.example", authority=True)))
        stored = self.policy("a.example", "b.example")
        for policy in (plain, stored):
            pending = self.pending(policy)
            with capturedLogs() as events:
                for highest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
                    for name in (b"a.example", b"A.Example"):
                        found, protocol = self.looks(policy, name, highest=highest)
                        self.assertEqual(found, pending)
                        self.assertEqual(protocol, ACME_PROTOCOL)
            found.extensions.get_extension_for_oid(ACME_IDENTIFIER)
            self.assertEqual(
                [formatEvent(each) for each in events],
                ["site: the authority looks whether a.example leads here"],
            )

    def test_clientsThatHaveToShowACertificate(self) -> None:
        """An authority that looks has none to show; whoever else has none is refused."""
        ca = self.put("clients.pem", authority().pem)
        policy = self.policy("a.example", clients=ClientTLSSettings(ca=ca))
        pending = self.pending(policy)
        for highest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            found, protocol = self.looks(policy, b"a.example", highest=highest)
            self.assertEqual((found, protocol), (pending, ACME_PROTOCOL))
            stranger = MemoryClient(b"a.example", (HTTP,), highest=highest)
            failed = meet(stranger, policy.serverConnectionForTLS(None))
            self.assertEqual(reasons(failed), ["peer did not return a certificate"])

    def test_RSA(self) -> None:
        """With TLS 1.2 OpenSSL has chosen the kind of key by then."""
        policy = self.policy(key="RSA")
        pending = self.pending(policy, kind="RSA")
        for highest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            self.assertEqual(self.looks(policy, b"a.example", highest=highest)[0], pending)

    def test_anotherKindOfKey(self) -> None:
        """TLS 1.3 takes it, and TLS 1.2 shows what it has: the authority finds nothing."""
        self.keep("a.example", made("a.example", kind="RSA"))
        policy = self.policy("a.example")
        pending = self.pending(policy)
        self.assertEqual(self.looks(policy, b"a.example")[0], pending)
        found, _ = self.looks(policy, b"a.example", highest=SSL.TLS1_2_VERSION)
        self.assertEqual(found, made("a.example", kind="RSA").certificate)

    def test_others(self) -> None:
        """Clients meanwhile get what they always get; so does the next one."""
        self.keep("a.example", made("a.example"))
        policy = self.policy("a.example")
        pending = self.pending(policy)
        for _ in range(2):
            self.assertEqual(self.shown(policy), "a.example")
            self.assertEqual(self.looks(policy, b"a.example")[0], pending)
        found, protocol = self.looks(policy, b"a.example", ACME_PROTOCOL, HTTP)
        self.assertEqual(protocol, HTTP)
        self.assertEqual(found, made("a.example").certificate)

    def test_nothingIsExpected(self) -> None:
        """For another name, for none, with another protocol besides, or at another time."""
        policy = self.policy()
        self.isRefused(policy, b"a.example", ACME_PROTOCOL)
        self.pending(policy)
        self.isRefused(policy, b"b.example", ACME_PROTOCOL)
        self.isRefused(policy, b"", ACME_PROTOCOL)
        self.isRefused(policy, b"a.example", ACME_PROTOCOL, b"h2")
        self.isRefused(policy, b"..", ACME_PROTOCOL)

    def test_brokenAnswers(self) -> None:
        """Are none."""
        policy = self.policy()
        with self.store.published("tls-alpn-01", {"a.example": b"broken"}):
            self.isRefused(policy, b"a.example", ACME_PROTOCOL)

    def test_withoutIt(self) -> None:
        """Who does not order answers nothing."""
        path = self.put("site.pem", made("a.example").both)
        policy = ServerTLS(self.clock, TLSSettings(certificate=path), "site")
        self.pending(policy)
        self.isRefused(policy, b"a.example", ACME_PROTOCOL)
        self.assertIsNone(policy.automatic)
