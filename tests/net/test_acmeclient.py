# -*- test-case-name: tests.net.test_acmeclient -*-
"""
L{intermediary.net.acmeclient}: talks with an ACME server, in memory.
"""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from typing import Any

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from josepy.b64 import b64encode
from josepy.jwk import JWK
from twisted.trial.unittest import SynchronousTestCase

from intermediary.net.acmeclient import PATIENCE_SECONDS, AcmeClient
from intermediary.net.acmekeys import keyPEM, makeKey, requestFor
from intermediary.net.acmeproblems import Abandoned, AcmeError
from intermediary.net.acmestore import Account

from .acmeserver import BASE, DIRECTORY, TOKEN, Problem, Server
from .certifying import authority


class Hasty(threading.Event):
    """Waits for nothing, and notes for how long it would have."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waited.append(timeout)
        return self.is_set()


class ClientCase(SynchronousTestCase):
    """Has a server, and a key for an account."""

    def setUp(self) -> None:
        self.server = Server(self)
        self.abandoned = Hasty()
        self.key = keyPEM(makeKey("EC"))
        self.patch(time, "sleep", self.abandoned.waited.append)

    def client(self, ca: str = "") -> AcmeClient:
        """Make one."""
        made = AcmeClient(DIRECTORY, ca, self.key, self.abandoned)
        self.addCleanup(made.close)
        return made

    def registered(self) -> AcmeClient:
        """Make one with an account."""
        made = self.client()
        made.register("")
        self.server.asked()
        return made

    def orders(self, client: Any, kind: str = "tls-alpn-01") -> Any:
        """Come as far as that the server looks."""
        order = client.order(requestFor("a.example", makeKey("EC")))
        for challenge in client.challengesOf(order, kind):
            client.ready(challenge)
        return order

    def refused(self, call: Any, *arguments: Any) -> AcmeError:
        """Give why something fails."""
        with self.assertRaises(AcmeError) as caught:
            call(*arguments)
        error = caught.exception
        assert isinstance(error, AcmeError)
        return error


class OrderTests(ClientCase):
    """From an account to a certificate."""

    def test_allOfIt(self) -> None:
        """With each of the challenges that we meet."""
        for kind in ("tls-alpn-01", "http-01"):
            client = self.client()
            url = client.register("a@example.org")
            order = client.order(requestFor("a.example", makeKey("EC")))
            (challenge,) = client.challengesOf(order, kind)
            self.assertEqual((challenge.name, challenge.token), ("a.example", TOKEN))
            thumbprint = JWK.load(self.key).thumbprint(hash_function=hashes.SHA256)
            self.assertEqual(
                challenge.keyAuthorization, f"{TOKEN}.{b64encode(thumbprint).decode()}"
            )
            client.ready(challenge)
            client.validated(order, kind)
            leaf, issuer = client.finish(order)
            names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            self.assertEqual(names.get_values_for_type(x509.DNSName), ["a.example"])
            leaf.verify_directly_issued_by(issuer)
            self.assertEqual(url, f"{BASE}/account/0")
            self.assertIn((f"/challenge/{kind}", {}), self.server.requests)

    def test_theAccount(self) -> None:
        """RFC 8555 §7.3: it agrees to the terms, and says how to write to us."""
        client = self.client()
        self.assertEqual(client.terms, "https://acme.example/terms")
        client.register("a@example.org")
        self.assertEqual(
            self.server.requests,
            [
                (
                    "/newAccount",
                    {"contact": ["mailto:a@example.org"], "termsOfServiceAgreed": True},
                )
            ],
        )
        self.assertEqual(self.client().register(""), f"{BASE}/account/0")
        self.server.meta = {}
        self.assertEqual(self.client().terms, "")

    def test_whoWeAreAlready(self) -> None:
        """The server is not asked for that, unless something is new."""
        url = self.client().register("")
        self.server.asked()
        client = self.client()
        client.enter(Account(self.key, url, "a@example.org"), "")
        client.enter(Account(self.key, url, "a@example.org"), "a@example.org")
        self.assertEqual(self.server.asked(), [])
        client.enter(Account(self.key, url, ""), "b@example.org")
        self.assertEqual(self.server.requests[-1][1]["contact"], ["mailto:b@example.org"])
        self.server.asked()
        self.orders(client)
        self.assertEqual(self.server.asked()[0], "/newOrder")

    def test_whatIsProvedAlready(self) -> None:
        """RFC 8555 §7.1.4: an authorization that is valid needs no challenge."""
        self.server.authorized = True
        client = self.registered()
        order = client.order(requestFor("a.example", makeKey("EC")))
        self.assertEqual(client.challengesOf(order, "http-01"), [])
        client.validated(order, "http-01")
        self.assertEqual(len(client.finish(order)), 2)

    def test_patience(self) -> None:
        """It is asked again, and less and less often."""
        self.server.polls = 3
        client = self.registered()
        order = self.orders(client)
        client.validated(order, "tls-alpn-01")
        self.assertEqual(self.abandoned.waited, [0.5, 0.75, 1.125])
        self.assertEqual(len(client.finish(order)), 2)

    def test_patienceIsAsLongAsTheServerWants(self) -> None:
        """Within bounds."""
        self.server.polls = 2
        self.server.fields = {"Retry-After": "3"}
        client = self.registered()
        client.validated(self.orders(client), "tls-alpn-01")
        self.assertEqual(self.abandoned.waited, [3.0, 3.0])

    def test_patienceEnds(self) -> None:
        """For a server that does not come to an end."""
        self.server.polls = 10000
        client = self.registered()
        order = self.orders(client)
        error = self.refused(client.validated, order, "tls-alpn-01")
        self.assertIn("did not look at the name in time", error.reason)
        self.assertLess(sum(self.abandoned.waited), PATIENCE_SECONDS + 10)
        self.assertFalse(error.common)


class RenewalTests(ClientCase):
    """When the authority wants a certificate renewed (RFC 9773)."""

    def setUp(self) -> None:
        super().setUp()
        root = authority()
        identifier = x509.AuthorityKeyIdentifier(b"\x01" * 20, None, None)
        now = dt.datetime.now(dt.UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(root.certificate.subject)
            .public_key(root.certificate.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + dt.timedelta(days=90))
            .add_extension(identifier, critical=False)
            .sign(root.privateKey, hashes.SHA256())
        )

    def says(self, answer: bytes, status: int = 200) -> tuple[float | None, float]:
        """Have the authority say something of all certificates."""
        self.server.more = {"renewalInfo": f"{BASE}/renewal"}
        client = self.client()
        self.server.answers["*"] = (status, answer)
        now = time.time()
        due, asks = client.renewal(self.certificate)
        return due, asks - now

    def test_aWindow(self) -> None:
        """Some time in it, and when to ask again."""
        window = {"start": "2026-01-02T00:00:00Z", "end": "2026-01-03T00:00:00Z"}
        self.server.fields = {"Retry-After": "7200"}
        due, asks = self.says(json.dumps({"suggestedWindow": window}).encode())
        assert due is not None
        start = dt.datetime(2026, 1, 2, tzinfo=dt.UTC).timestamp()
        self.assertTrue(start <= due <= start + 86400)
        self.assertLess(abs(asks - 7200), 60)

    def test_nothing(self) -> None:
        """It does not know of that, or says nothing that can be understood."""
        due, asks = self.client().renewal(self.certificate)
        self.assertIsNone(due)
        for answer, status in ((b"", 404), (b"{", 200), (b"[]", 500)):
            due, asks = self.says(answer, status)
            self.assertIsNone(due)
            self.assertLess(abs(asks - 6 * 3600), 60)
            self.server.answers.clear()
        self.server.answers.clear()
        with self.assertRaises(AcmeError):
            self.says(b"{}")


class FailureTests(ClientCase):
    """What comes of what goes wrong."""

    def test_whatTheServerDoesNotFind(self) -> None:
        """With its own words."""
        self.server.looked = lambda kind: {
            "type": "urn:ietf:params:acme:error:connection",
            "detail": "192.0.2.1: connection refused",
        }
        client = self.registered()
        error = self.refused(client.validated, self.orders(client), "tls-alpn-01")
        self.assertEqual(
            error.reason,
            "the authority did not find the answer to its tls-alpn-01 challenge (connection): "
            "192.0.2.1: connection refused",
        )
        self.assertFalse(error.common)

    def test_whatItDoesNotSay(self) -> None:
        """It refuses without a reason."""
        self.server.looked = lambda kind: {}
        client = self.registered()
        error = self.refused(client.validated, self.orders(client), "tls-alpn-01")
        self.assertIn("the authorization is invalid", error.reason)

    def test_limits(self) -> None:
        """RFC 8555 §6.6: how long to wait is in the answer."""
        client = self.registered()
        self.server.problems["/newOrder"] = [
            Problem("rateLimited", 429, "too many", **{"Retry-After": "3600"})
        ]
        error = self.refused(self.orders, client)
        self.assertEqual((error.code, error.retryAfterSeconds), ("rateLimited", 3600.0))
        self.assertIn("too many", error.reason)

    def test_anAccountThatIsForgotten(self) -> None:
        """Can be told from all else."""
        client = self.client()
        client.enter(Account(self.key, f"{BASE}/account/9"), "")
        self.assertEqual(self.refused(self.orders, client).code, "accountDoesNotExist")

    def test_accountsMadeElsewhere(self) -> None:
        """We have none."""
        self.server.meta = {"externalAccountRequired": True}
        self.assertEqual(self.refused(self.client).code, "externalAccountRequired")

    def test_aChallengeThatIsNotOffered(self) -> None:
        """There is another."""
        self.server.offered = ("dns-01",)
        client = self.registered()
        error = self.refused(self.orders, client)
        self.assertIn("offers no tls-alpn-01 challenge", error.reason)

    def test_aTokenThatIsNone(self) -> None:
        """It is the name of a file for us."""
        for token in ("../../account.json", "töken-that-is-long-enough", "", "a b"):
            self.server.token = token
            client = self.registered()
            error = self.refused(self.orders, client)
            self.assertIn("it answers with what is not ACME", error.reason)

    def test_whatIsNotMadeAfterAll(self) -> None:
        """The order fails when all was proved."""
        client = self.registered()
        order = self.orders(client)
        client.validated(order, "tls-alpn-01")
        self.server.problems["/finalize"] = [Problem("badCSR", 400, "weak key")]
        error = self.refused(client.finish, order)
        self.assertEqual(error.code, "badCSR")
        invalid = {"status": "invalid", "error": {"type": "x:serverInternal", "detail": "oops"}}
        self.server.answers["/order"] = (200, json.dumps(invalid).encode())
        error = self.refused(client.finish, order)
        self.assertEqual((error.code, error.common), ("serverInternal", True))

    def test_whatIsNoServer(self) -> None:
        """Whatever it is, it is told as such, and is the same for every name."""
        for answer in (
            (200, b"<html>"),
            (200, b"[]"),
            (200, b"{}"),
            (404, b"not here"),
            (500, b'{"what": 1}'),
            (502, b'{"type": "about:blank", "detail": "gateway"}'),
            (200, b'{"meta": 3}'),
            (200, b"\xff"),
        ):
            self.server.answers["*"] = answer
            error = self.refused(self.registered)
            self.assertTrue(error.common, answer[1][:50])
            self.assertTrue(error.reason.isprintable())

    def test_whatIsNotThere(self) -> None:
        """The innermost reason is the one that helps."""
        raised: Exception
        for raised, said in (
            (requests.exceptions.ConnectTimeout("it took too long"), "it took too long"),
            (OSError(2, "No such file or directory"), "No such file or directory"),
        ):
            self.server.problems["/directory"] = [raised]
            error = self.refused(self.client)
            self.assertEqual(
                error.reason, f"no ACME server can be talked with at {DIRECTORY}: {said}"
            )
            self.assertTrue(error.common)

    def test_aBrokenKey(self) -> None:
        """Of the account."""
        for self.key in (b"", b"broken", keyPEM(makeKey("RSA"))):
            error = self.refused(self.client)
            self.assertIn("the key in account.json is broken", error.reason)
            self.assertTrue(error.common)

    def test_abandoned(self) -> None:
        """Nothing is sent and nothing is waited for any more."""
        client = self.registered()
        self.server.polls = 10
        order = self.orders(client)
        self.server.asked()
        self.abandoned.set()
        for call in (lambda: client.register(""), lambda: client.finish(order), self.client):
            with self.assertRaises(Abandoned):
                call()
        self.assertEqual(self.server.asked(), [])

    def test_abandonedMeanwhile(self) -> None:
        """While it waits."""
        client = self.registered()
        self.server.polls = 10
        order = self.orders(client)
        self.patch(self.abandoned, "wait", lambda seconds: True)
        with self.assertRaises(Abandoned):
            client.validated(order, "tls-alpn-01")
