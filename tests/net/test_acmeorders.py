# -*- test-case-name: tests.net.test_acmeorders -*-
"""
L{intermediary.net.acmeorders}: the way to one certificate, with a client that has no
server.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from intermediary.net.acmekeys import ACME_IDENTIFIER
from intermediary.net.acmeorders import Orders
from intermediary.net.acmeproblems import Abandoned, AcmeError, refused
from intermediary.net.acmestore import Account, AcmeStore
from intermediary.net.certificates import Certificate, readCertificate
from intermediary.settings import AcmeSettings

from .certifying import authority, made, signed

DIRECTORY = "https://acme.example/directory"
TOKEN = "DGyRejmCefe7v4NfDGDKfA"


class Challenge(NamedTuple):
    """What the authority wants to see."""

    name: str
    token: str = TOKEN
    keyAuthorization: str = f"{TOKEN}.thumbprint"
    body: Any = None


class Client:
    """
    An L{AcmeClient<intermediary.net.acmeclient.AcmeClient>} that does what a test says.

    @ivar did: what it was told to do.
    @ivar problems: what it refuses, by what it is told to do, once each.
    """

    terms = "https://acme.example/terms"

    def __init__(self, case: OrderCase) -> None:
        self._case = case
        self.did: list[Any] = []
        self.problems: dict[str, AcmeError] = {}
        self.proved = False
        self.name = ""
        self._request: Any = None

    def __call__(self, directory: str, ca: str, key: bytes, abandoned: Any) -> Client:
        self.did.append(("connect", directory, ca))
        self.key = key
        self.abandoned = abandoned
        return self

    def _do(self, what: str, *arguments: Any) -> None:
        self.did.append((what, *arguments))
        if what in self.problems:
            raise self.problems.pop(what)

    def close(self) -> None:
        self._do("close")

    def register(self, email: str) -> str:
        self._do("register", email)
        return "https://acme.example/account/1"

    def enter(self, account: Account, email: str) -> None:
        self._do("enter", account.url, email)

    def order(self, request: bytes) -> str:
        self._do("order")
        self._request = x509.load_pem_x509_csr(request)
        names = self._request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        (self.name,) = names.value.get_values_for_type(x509.DNSName)
        return "order"

    def challengesOf(self, order: Any, kind: str) -> list[Challenge]:
        self._do("challengesOf", kind)
        return [] if self.proved else [Challenge(self.name)]

    def ready(self, challenge: Challenge) -> None:
        self._do("ready")

    def validated(self, order: Any, kind: str) -> None:
        self._case.look(self.name)
        self._do("validated")

    def renewal(self, certificate: x509.Certificate) -> tuple[float | None, float]:
        self._do("renewal", certificate)
        return 1.0, 2.0

    def finish(self, order: Any) -> list[x509.Certificate]:
        self._do("finish")
        root = authority()
        leaf = signed(
            self._request.subject,
            root.certificate.subject,
            self._case.publicKey or self._request,
            root.privateKey,
            (-1, 89),
            self._case.certified or [self.name],
        )
        return [leaf, root.certificate]


class OrderCase(SynchronousTestCase):
    """Has a store, and a client."""

    challenge: Any = "tls-alpn-01"
    key: Any = "EC"

    def setUp(self) -> None:
        self.settings = AcmeSettings(
            directory=DIRECTORY,
            names=("a.example",),
            storage=self.mktemp(),
            termsAgreed=True,
            email="a@example.org",
            challenge=self.challenge,
            ca="ca.pem",
            key=self.key,
        )
        self.store = AcmeStore(self.settings.storage, DIRECTORY)
        self.client = Client(self)
        self.orders = Orders(self.settings, self.store, self.client)
        #: What the authority found when it looked.
        self.seen: list[bytes | None] = []
        self.certified: list[str] = []
        self.publicKey: Any = None

    def look(self, name: str) -> None:
        """Be the authority."""
        key = TOKEN if self.challenge == "http-01" else name
        self.seen.append(self.store.answer(self.challenge, key))

    def obtain(self, name: str = "a.example", fresh: bool = True) -> Certificate:
        """Get a certificate."""
        found = self.orders.obtain(name, lambda certificate: fresh)
        assert found is not None
        return found

    def did(self) -> list[str]:
        """What the client was told to do since the last time."""
        did, self.client.did[:] = [each[0] for each in self.client.did], []
        return did


class ObtainTests(OrderCase):
    """All goes well."""

    def test_allOfIt(self) -> None:
        """What is stored is what is given, and can be read as any file of certificates."""
        with capturedLogs() as events:
            found = self.obtain()
        self.assertEqual(
            self.client.did,
            [
                ("connect", DIRECTORY, "ca.pem"),
                ("register", "a@example.org"),
                ("order",),
                ("challengesOf", "tls-alpn-01"),
                ("ready",),
                ("validated",),
                ("finish",),
                ("close",),
            ],
        )
        octets = Path(self.store.pathOf("a.example")).read_bytes()
        stored = readCertificate(octets, octets, "")
        self.assertEqual(stored.leaf, found.leaf)
        self.assertEqual(stored.chain, (authority().certificate,))
        self.assertEqual(stored.names, ("a.example",))
        again = self.orders.stored("a.example")
        assert again is not None
        self.assertEqual(again.leaf, found.leaf)
        account = self.store.account()
        assert account is not None
        self.assertEqual(account[1:], ("https://acme.example/account/1", "a@example.org"))
        self.assertEqual(account.key, self.client.key)
        self.assertEqual(
            [formatEvent(each) for each in events],
            [
                (
                    f"There is an account at {DIRECTORY}, which agreed to its terms of service: "
                    "https://acme.example/terms"
                )
            ],
        )

    def test_whatTheAuthorityFinds(self) -> None:
        """Then, and not before or after."""
        self.look("a.example")
        self.obtain()
        self.look("a.example")
        before, shown, after = self.seen
        self.assertIsNone(before)
        self.assertIsNone(after)
        assert shown is not None
        answer = readCertificate(shown, shown, "")
        self.assertEqual(answer.names, ("a.example",))
        answer.leaf.extensions.get_extension_for_oid(ACME_IDENTIFIER)

    def test_theAccountIsUsedAgain(self) -> None:
        """And the keys of certificates are not."""
        first = self.obtain()
        key = self.client.key
        self.did()
        second = self.obtain(fresh=False)
        self.assertEqual(self.did()[:3], ["connect", "enter", "order"])
        self.assertEqual(self.client.key, key)
        self.assertNotEqual(first.key.private_numbers(), second.key.private_numbers())

    def test_anotherAddress(self) -> None:
        """Is told to the authority once."""
        self.store.prepare()
        self.obtain()
        account = self.store.account()
        assert account is not None
        self.store.keepAccount(account._replace(email="old@example.org"))
        self.client.did.clear()
        self.obtain(fresh=False)
        self.assertIn(("enter", account.url, "a@example.org"), self.client.did)
        self.assertEqual(self.store.account(), account)

    def test_whatIsProvedAlready(self) -> None:
        """Needs no challenge."""
        self.client.proved = True
        self.obtain()
        self.assertNotIn("ready", self.did())

    def test_whatIsThereAlready(self) -> None:
        """By another process: nobody is asked."""
        self.obtain()
        self.did()
        found = self.obtain()
        self.assertEqual(self.did(), [])
        self.assertEqual(found.names, ("a.example",))

    def test_whatIsThereAndDoesNotFit(self) -> None:
        """Another kind of key, another name, or no certificate at all."""
        self.store.prepare()
        rsa = made("a.example", kind="RSA").both
        for octets in (rsa, made("b.example").both, b"broken"):
            self.store.keepCertificate("a.example", octets)
            self.assertEqual(self.obtain().kind, "EC")
            self.assertIn("finish", self.did())

    def test_anotherProcessOrders(self) -> None:
        """Nothing is done."""
        with AcmeStore(self.settings.storage, DIRECTORY).locked():
            self.assertIsNone(self.orders.obtain("a.example", lambda found: False))
        self.assertEqual(self.did(), [])


class RenewalTests(OrderCase):
    """What the authority says of when to renew."""

    def test_itIsAsked(self) -> None:
        """By who we are, if we are somebody; that is not needed, and nothing is stored."""
        found = Certificate(made("a.example").certificate, (), None, "")
        self.assertEqual(self.orders.renewal(found), (1.0, 2.0))
        self.assertEqual(self.client.did[1:], [("renewal", found.leaf), ("close",)])
        self.assertFalse(Path(self.settings.storage).exists())
        self.store.prepare()
        self.store.keepAccount(Account(b"key"))
        self.orders.renewal(found)
        self.assertEqual(self.client.key, b"key")

    def test_itCantBeAsked(self) -> None:
        """Whyever."""
        found = Certificate(made("a.example").certificate, (), None, "")
        self.client.problems["renewal"] = problem = AcmeError("it rains", "wait")
        with self.assertRaises(AcmeError) as caught:
            self.orders.renewal(found)
        self.assertIs(caught.exception, problem)
        self.assertEqual(self.did()[-1], "close")
        self.store.prepare()
        Path(self.store._account).write_bytes(b"broken")
        with self.assertRaises(AcmeError):
            self.orders.renewal(found)
        Path(self.store._account).unlink()
        self.orders.abandon()
        with self.assertRaises(Abandoned):
            self.orders.renewal(found)
        self.assertEqual(self.did(), [])


class HTTPTests(OrderCase):
    """C{http-01}, and RSA."""

    challenge = "http-01"
    key = "RSA"

    def test_whatTheAuthorityFinds(self) -> None:
        """The key authorization itself (RFC 8555 §8.3)."""
        self.assertEqual(self.obtain().kind, "RSA")
        self.look("a.example")
        self.assertEqual(self.seen, [f"{TOKEN}.thumbprint".encode(), None])


class FailureTests(OrderCase):
    """Something does not go well."""

    def fails(self) -> AcmeError:
        """There is no certificate."""
        with self.assertRaises(AcmeError) as caught:
            self.obtain()
        self.assertIsNone(self.orders.stored("a.example"))
        self.look("a.example")
        self.assertIsNone(self.seen[-1])
        error = caught.exception
        assert isinstance(error, AcmeError)
        return error

    def test_atEachStep(self) -> None:
        """Nothing is left but the account, and the connection is closed."""
        for what in ("register", "order", "challengesOf", "ready", "validated", "finish"):
            self.client.problems[what] = problem = AcmeError("it rains", "wait")
            self.assertIs(self.fails(), problem)
            self.assertEqual(self.did()[-2:], [what, "close"])

    def test_theKeyOfAnAccountIsKept(self) -> None:
        """Before it is registered: whatever happens then, it is found again."""
        self.client.problems["register"] = AcmeError("it rains", "wait")
        self.fails()
        key = self.client.key
        self.assertEqual(self.store.account(), Account(key))
        self.obtain()
        self.assertEqual(self.client.key, key)

    def test_anAccountThatIsForgotten(self) -> None:
        """Is made again, with the same key."""
        self.obtain()
        self.did()
        self.client.problems["order"] = refused("accountDoesNotExist", "")
        self.obtain(fresh=False)
        self.assertEqual(self.did()[:5], ["connect", "enter", "order", "register", "order"])

    def test_whatIsNotWhatWasOrdered(self) -> None:
        """Is not stored."""
        self.certified = ["b.example"]
        self.assertIn("is for something else", self.fails().reason)
        self.certified = []
        self.publicKey = made("a.example").privateKey
        self.assertIn("is not for this key", self.fails().reason)

    def test_aFolderThatCantBeUsed(self) -> None:
        """Is the same for every name."""
        self.store.prepare()
        Path(self.settings.storage).chmod(0o777)
        error = self.fails()
        self.assertTrue(error.common)
        self.assertIn("may be written by others", error.reason)
        self.assertEqual(self.did(), [])

    def test_abandoned(self) -> None:
        """Nobody is asked any more, unless it begins again."""
        self.orders.abandon()
        with self.assertRaises(Abandoned):
            self.obtain()
        self.assertEqual(self.did(), [])
        self.orders.resume()
        self.obtain()
        self.assertFalse(self.client.abandoned.is_set())
        self.orders.abandon()
        self.assertTrue(self.client.abandoned.is_set())

    def test_withoutThatTheOthersAreHeldUp(self) -> None:
        """The lock is released whatever happens."""
        self.client.problems["order"] = AcmeError("it rains", "wait")
        self.fails()
        with self.store.locked() as ours:
            self.assertTrue(ours)
