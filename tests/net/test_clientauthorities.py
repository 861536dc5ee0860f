# -*- test-case-name: tests.net.test_clientauthorities -*-
"""
L{intermediary.net.clientauthorities}: which clients OpenSSL lets in, by which context.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import InvalidVersion
from OpenSSL import SSL, crypto
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from intermediary.net import clientauthorities, servertls
from intermediary.net.clientauthorities import ClientAuthorities, isAuthority
from intermediary.net.pem import CertificateError
from intermediary.net.servertls import WATCH_SECONDS, ServerTLS

from .certifying import made, revoked
from .clients import (
    ALICE,
    BOB,
    CAROL,
    FOR_SERVERS,
    GONE,
    HERMIT,
    MALLORY,
    MIDDLE,
    OTHER,
    ROOT,
    ClientCase,
    client,
    judged,
    shows,
)
from .tlspeers import MemoryClient, meet, reasons

VERSIONS = (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION)
IN = (True, "")


class JudgingTests(ClientCase):
    """
    The contexts of names are those that judge.

    The one that a connection begins with has no certificates of servers, so each handshake
    here goes from it to another.
    """

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()

    def both(self, policy: ServerTLS, certificate: Any, chain: Any = ()) -> tuple[bool, str]:
        """Judge a client in both versions, which have to agree."""
        outcomes = {
            judged(policy, shows(certificate, chain=chain, highest=highest)) for highest in VERSIONS
        }
        self.assertEqual(len(outcomes), 1, outcomes)
        return outcomes.pop()

    def refused(self, policy: ServerTLS, words: str, certificate: Any, chain: Any = ()) -> None:
        """A client is refused, with these words."""
        fits, problem = self.both(policy, certificate, chain)
        self.assertFalse(fits)
        self.assertIn(words, problem)

    def test_whoIsVouchedFor(self) -> None:
        """By one of the authorities, directly or by one between that it sends."""
        policy = self.policy()
        self.assertEqual(self.both(policy, ALICE), IN)
        self.assertEqual(self.both(policy, BOB), IN)
        self.assertEqual(self.both(policy, CAROL, (MIDDLE,)), IN)
        self.refused(policy, "carol is issued by an unknown authority", CAROL)
        self.refused(policy, "mallory is issued by an unknown authority", MALLORY)
        self.refused(policy, "issued by an unknown authority", MALLORY, (OTHER,))
        self.refused(policy, "hermit is signed by itself", HERMIT)

    def test_withoutOne(self) -> None:
        """It is required, or not; a bad one is refused even so."""
        for highest in VERSIONS:
            server = self.policy().serverConnectionForTLS(None)
            failed = meet(shows(None, highest=highest), server)
            self.assertEqual(reasons(failed), ["peer did not return a certificate"])
        policy = self.policy(required=False)
        self.assertEqual(self.both(policy, None), IN)
        self.assertEqual(self.both(policy, ALICE), IN)
        self.refused(policy, "unknown authority", MALLORY)

    def test_eachName(self) -> None:
        """No name leads around it, nor does none."""
        policy = self.policy()
        for name in (b"a.example", b"other.test", b""):
            for highest in VERSIONS:
                one = shows(MALLORY, highest=highest, name=name)
                self.assertFalse(judged(policy, one)[0])
                one = shows(ALICE, highest=highest, name=name)
                self.assertTrue(judged(policy, one)[0])

    def test_theirTime(self) -> None:
        """Of the certificate, and of who vouches for it."""
        policy = self.policy()
        late = client("late", days=-1, number=70)
        self.refused(policy, "the certificate of O=Tests\\, Inc.,CN=late expired on", late)
        heir = client("heir", issuer=GONE, number=72)
        self.refused(
            policy, "of its authority O=Tests\\, Inc.,CN=gone.example expired", heir, (GONE,)
        )

    def test_theirUse(self) -> None:
        """A certificate for servers is not for clients (RFC 5280 §4.2.1.12)."""
        server = client("server", number=73, purpose=FOR_SERVERS)
        self.refused(self.policy(), "is not for this use (extendedKeyUsage)", server)

    def test_whoIsNamedIsTrusted(self) -> None:
        """An authority between, without the one above; a client that vouches for itself."""
        policy = self.policy(ca=self.put("ca.pem", MIDDLE.pem + HERMIT.pem))
        self.assertEqual(self.both(policy, CAROL), IN)
        self.assertEqual(self.both(policy, HERMIT), IN)
        self.refused(policy, "unknown authority", ALICE)
        self.refused(policy, "unknown authority", ALICE, (ROOT,))

    def test_clientsHearWhoVouches(self) -> None:
        """So that they can choose what to show."""
        one = shows(ALICE)
        judged(self.policy(ca=self.put("ca.pem", ROOT.pem + OTHER.pem)), one)
        names = [each.CN for each in one.connection.get_client_ca_list()]
        self.assertEqual(names, ["clients.example", "others.example"])

    def test_theServersChainIsItsOwn(self) -> None:
        """Who vouches for clients is not sent as if they vouched for the server."""
        self.site = self.put("site.pem", client("a.example", number=74).both)
        one = shows(ALICE)
        self.assertEqual(judged(self.policy(), one), IN)
        chain: Any = one.connection.get_peer_cert_chain(as_cryptography=True)
        self.assertEqual(len(chain), 1)

    def test_aRequestIsNotMadeOfOthers(self) -> None:
        """A front that does not ask gets none to see."""
        server = ServerTLS(self.clock, self.settings(), "site")
        self.assertIsNotNone(server.authorities)
        plain = ServerTLS(self.clock, replace(self.settings(), clients=None), "site")
        connection = plain.serverConnectionForTLS(None)
        self.assertIsNone(meet(shows(ALICE), connection))
        self.assertIsNone(connection.get_peer_certificate())
        self.assertIs(type(connection), SSL.Connection)

    def test_whatCannotBeRead(self) -> None:
        """Nobody could say whose it is; it is in the log if whom we trust has signed it."""
        self.patch(clientauthorities, "describe", None)
        self.refused(self.policy(), "its certificate can't be read", ALICE)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 2)

    def test_whatNobodyHasSigned(self) -> None:
        """OpenSSL takes any version of certificates, and cryptography does not."""
        octets = HERMIT.certificate.public_bytes(Encoding.DER)
        third, ninth = b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x08"
        self.assertIn(third, octets)
        odd: Any = crypto.load_certificate(crypto.FILETYPE_ASN1, octets.replace(third, ninth))
        self.assertRaises(InvalidVersion, odd.to_cryptography)
        self.refused(
            self.policy(), "its certificate can't be read", HERMIT._replace(certificate=odd)
        )
        # pyOpenSSL would rather have those of cryptography.
        self.flushWarnings()


class RevocationTests(JudgingTests):
    """Lists of what was revoked, with all of the above where there are any."""

    def policy(self, **more: Any) -> ServerTLS:
        """With a list of each authority, which has nobody in it unless said otherwise."""
        if "crl" not in more:
            lists = [revoked(each) for each in (ROOT, OTHER, MIDDLE, GONE)]
            more["crl"] = self.lists(*lists)
        return super().policy(**more)

    def test_whoIsRevoked(self) -> None:
        """And nobody else."""
        policy = self.policy(crl=self.lists(revoked(ROOT, BOB)))
        self.refused(policy, "the certificate of O=Tests\\, Inc.,CN=bob is revoked", BOB)
        self.assertEqual(self.both(policy, ALICE), IN)

    def test_theAlertSaysIt(self) -> None:
        """To a client of TLS 1.2 in the handshake."""
        one = shows(BOB, highest=SSL.TLS1_2_VERSION)
        judged(self.policy(crl=self.lists(revoked(ROOT, BOB))), one)
        self.assertIn("certificate revoked", reasons(one.error)[0])

    def test_authoritiesBetween(self) -> None:
        """They can be revoked, too, and need their own list."""
        policy = self.policy(crl=self.lists(revoked(ROOT), revoked(MIDDLE, CAROL)))
        self.refused(policy, "carol is revoked", CAROL, (MIDDLE,))
        policy = self.policy(crl=self.lists(revoked(ROOT, MIDDLE), revoked(MIDDLE)))
        self.refused(
            policy,
            "of its authority O=Tests\\, Inc.,CN=middle.example is revoked",
            CAROL,
            (MIDDLE,),
        )
        policy = self.policy(crl=self.lists(revoked(ROOT)))
        self.refused(
            policy, "there is no list of O=Tests\\, Inc.,CN=middle.example in crl", CAROL, (MIDDLE,)
        )

    def test_aListThatHasExpired(self) -> None:
        """It lets nobody in."""
        policy = self.policy(crl=self.lists(revoked(ROOT, days=-1)))
        self.refused(
            policy, "the list of O=Tests\\, Inc.,CN=clients.example in crl has expired", ALICE
        )

    def test_aListThatIsMissing(self) -> None:
        """Nor does the list of another authority."""
        policy = self.policy(
            crl=self.lists(revoked(OTHER)), ca=self.put("ca.pem", ROOT.pem + OTHER.pem)
        )
        self.refused(policy, "there is no list of O=Tests\\, Inc.,CN=clients.example in crl", ALICE)
        self.assertEqual(self.both(policy, MALLORY), IN)

    def test_aListThatSomebodyElseHasSigned(self) -> None:
        """It is no list of the authority that it names."""
        forged = ClientAuthorities([ROOT.certificate], [revoked(ROOT, signer=OTHER)])
        policy = self.policy()
        policy.authorities = forged
        policy._selection = policy._byName(policy._used, forged)
        policy._keys.retire()
        self.refused(policy, "crl signature failure", ALICE)

    def test_whoIsNamedNeedsNoList(self) -> None:
        """It is trusted by its name; the list is about those that it vouches for."""
        ca = self.put("ca.pem", MIDDLE.pem + HERMIT.pem)
        policy = self.policy(ca=ca, crl=self.lists(revoked(MIDDLE)))
        self.assertEqual(self.both(policy, CAROL), IN)
        self.assertEqual(self.both(policy, HERMIT), IN)


class RenewalTests(ClientCase):
    """Files that change: no session leads past them."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()

    def resumed(self, policy: ServerTLS, first: MemoryClient) -> tuple[Any, bool]:
        """
        Come back with a session.

        @return: what ended it, and whether the session was gone on with.
        """
        again = MemoryClient(b"a.example", context=first.context, session=first.session())
        server = policy.serverConnectionForTLS(None)
        failed = meet(again, server)
        return failed, bool(SSL._lib.SSL_session_reused(server._ssl))  # type: ignore[attr-defined]

    def test_sessionsAreResumed(self) -> None:
        """With the certificate of their first handshake."""
        for highest in VERSIONS:
            policy = self.policy()
            one = shows(ALICE, highest=highest)
            self.assertEqual(judged(policy, one), IN)
            self.assertEqual(self.resumed(policy, one), (None, True))

    def test_aRevocationIsNotResumedPast(self) -> None:
        """Whatever ticket a client has."""
        for highest in VERSIONS:
            policy = self.policy(crl=self.lists())
            one = shows(BOB, highest=highest)
            self.assertEqual(judged(policy, one), IN)
            self.lists(revoked(ROOT, BOB))
            self.successResultOf(policy.reload())
            failed, resumed = self.resumed(policy, one)
            self.assertEqual((reasons(failed), resumed), (["certificate verify failed"], False))

    def test_norIsAnotherAuthority(self) -> None:
        """Who is not vouched for any more begins anew, and is refused."""
        policy = self.policy()
        one = shows(ALICE)
        self.assertEqual(judged(policy, one), IN)
        self.put("ca.pem", OTHER.pem)
        self.successResultOf(policy.reload())
        failed, resumed = self.resumed(policy, one)
        self.assertEqual((reasons(failed), resumed), (["certificate verify failed"], False))
        self.assertEqual(judged(policy, shows(MALLORY)), IN)

    def test_otherCertificatesChangeNothing(self) -> None:
        """Those of the server, and files that are written again as they were."""
        policy = self.policy()
        called: list[bool] = []
        policy.renewed = lambda: called.append(True)
        one = shows(ALICE)
        self.assertEqual(judged(policy, one), IN)
        self.put("site.pem", made("a.example", days=80, number=2).both)
        self.put("ca.pem", ROOT.pem)
        self.successResultOf(policy.reload())
        self.assertEqual(self.resumed(policy, one), (None, True))
        self.assertEqual(called, [])
        self.put("ca.pem", ROOT.pem + OTHER.pem)
        self.successResultOf(policy.reload())
        self.assertEqual(called, [True])

    def test_aBadFileIsSaidOnce(self) -> None:
        """What there was before is used on, for what it is about."""
        policy = self.policy(crl=self.lists(revoked(ROOT, BOB)))
        policy.start()
        self.addCleanup(policy.stop)
        self.put("ca.pem", b"hello")
        with capturedLogs() as events:
            for _ in range(3):
                self.clock.advance(WATCH_SECONDS)
        (event,) = events
        self.assertIn("ca.pem", event["trouble"])
        self.assertIn("has no certificate in it", event["trouble"])
        self.assertEqual(judged(policy, shows(ALICE)), IN)
        self.assertFalse(judged(policy, shows(BOB))[0])

    def test_whatElseIsWrongDoesNotKeepItOut(self) -> None:
        """A default that is gone from the folder has nothing to do with a revocation."""
        certs = self.folder / "certs"
        certs.mkdir()
        (certs / "a.pem").write_bytes(made("a.example").both)
        settings = replace(
            self.settings(crl=self.lists()),
            certificate="",
            certificates=str(certs),
            default="a.example",
        )
        policy = ServerTLS(self.clock, settings, "site")
        self.assertEqual(judged(policy, shows(BOB)), IN)
        (certs / "a.pem").unlink()
        (certs / "b.pem").write_bytes(made("b.example", number=1).both)
        self.lists(revoked(ROOT, BOB))
        with capturedLogs() as events:
            self.successResultOf(policy.reload())
        self.assertIn("is the name of no certificate", events[0]["trouble"])
        self.assertFalse(judged(policy, shows(BOB))[0])
        self.assertEqual(judged(policy, shows(ALICE)), IN)

    def test_theEndOfAListIsSaidOnce(self) -> None:
        """While the process runs; it keeps clients out."""
        policy = self.policy(crl=self.lists(revoked(ROOT, days=-1)))
        policy.start()
        self.addCleanup(policy.stop)
        with capturedLogs() as events:
            for _ in range(3):
                self.clock.advance(WATCH_SECONDS)
        (event,) = events
        self.assertIn("clients.example that has expired on", event["trouble"])

    def test_theEndOfAListIsNotResumedPast(self) -> None:
        """Who has a session is judged by it like all others."""
        policy = self.policy(crl=self.lists(revoked(ROOT, days=1)))
        policy.start()
        self.addCleanup(policy.stop)
        one, other = shows(ALICE), shows(ALICE)
        self.assertEqual(judged(policy, one), IN)
        self.assertEqual(judged(policy, other), IN)
        self.clock.advance(WATCH_SECONDS)
        self.assertEqual(self.resumed(policy, one), (None, True))
        later = dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
        self.patch(servertls, "now", lambda: later)
        self.clock.advance(WATCH_SECONDS)
        self.assertFalse(self.resumed(policy, other)[1])

    def test_withAChainNothingIsResumed(self) -> None:
        """A ticket has the client's certificate alone."""
        for highest in VERSIONS:
            policy = self.policy(headers=(("chain", "Client-Cert-Chain"),))
            one = shows(ALICE, highest=highest)
            self.assertEqual(judged(policy, one), IN)
            self.assertEqual(self.resumed(policy, one), (None, False))


class AuthoritiesTests(ClientCase):
    """What is known without a handshake."""

    def test_equality(self) -> None:
        """By what they say."""
        one = [ROOT.certificate]
        lists = [revoked(ROOT)]
        self.assertEqual(ClientAuthorities(one, lists), ClientAuthorities(list(one), list(lists)))
        for other in (
            ClientAuthorities(one),
            ClientAuthorities(one, lists, False),
            ClientAuthorities(one, [revoked(ROOT, BOB)]),
            ClientAuthorities([OTHER.certificate], lists),
            None,
        ):
            self.assertNotEqual(ClientAuthorities(one, lists), other)
        self.assertEqual(repr(ClientAuthorities(one, lists)), "<ClientAuthorities 1 lists=1>")

    def test_tooManyNames(self) -> None:
        """A handshake could not tell of them."""
        with self.assertRaises(CertificateError) as caught:
            ClientAuthorities([ROOT.certificate] * 2000)
        self.assertIn("more authorities than a handshake has room for", str(caught.exception))

    def test_whoIsNotListed(self) -> None:
        """Of authorities, where there are lists at all."""
        certificates = [ROOT.certificate, OTHER.certificate, HERMIT.certificate]
        self.assertEqual(ClientAuthorities(certificates).unlisted(), [])
        self.assertEqual(
            ClientAuthorities(certificates, [revoked(ROOT)]).unlisted(),
            ["O=Tests\\, Inc.,CN=others.example"],
        )

    def test_whatHasExpired(self) -> None:
        """By the date that a list has for the next one."""
        late = revoked(ROOT, days=-1)
        found = ClientAuthorities([ROOT.certificate], [revoked(ROOT), late])
        self.assertEqual(found.expired(dt.datetime.now(dt.UTC)), [late])

    def test_authorities(self) -> None:
        """By what a certificate says of itself."""
        self.assertTrue(isAuthority(ROOT.certificate))
        self.assertFalse(isAuthority(ALICE.certificate))
