# -*- test-case-name: tests.policy.test_acmeanswers -*-
"""
L{intermediary.policy.acmeanswers}: what an authority finds without TLS.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from intermediary.interfaces import IOnRequest
from intermediary.policy.acmeanswers import AcmeAnswers

from ..scenario import Scenario

PATH = b"/.well-known/acme-challenge/"
TOKEN = b"DGyRejmCefe7v4NfDGDKfA"


class AnswerTests(SynchronousTestCase):
    """A front without TLS."""

    def setUp(self) -> None:
        self.asked: list[str] = []
        self.pending = {TOKEN.decode(): b"token.thumbprint"}
        answers = AcmeAnswers([self.find, {"other": b"other.thumbprint"}.get])
        verifyObject(IOnRequest, answers)
        self.scenario = Scenario(self)
        self.scenario.reverse(components=(answers,))

    def find(self, token: str) -> bytes | None:
        self.asked.append(token)
        return self.pending.get(token)

    def asks(self, target: bytes, method: bytes = b"GET") -> bytes:
        """Ask for something, and give the answer."""
        client = self.scenario.client()
        client.sends(b"%b %b HTTP/1.1" % (method, target), b"Host: a.example", b"", b"")
        return client.takes()

    def isPassedOn(self, target: bytes, method: bytes = b"GET") -> None:
        """The origin is asked."""
        client = self.scenario.client()
        client.sends(b"%b %b HTTP/1.1" % (method, target), b"Host: a.example", b"", b"")
        origin = self.scenario.accepts()
        self.assertTrue(origin.takes().startswith(b"%b %b HTTP/1.1\r\n" % (method, target)))
        origin.sends(
            b"HTTP/1.1 404 Not Found", b"Content-Length: 0", b"Connection: close", b"", b""
        )
        self.assertTrue(client.takes().startswith(b"HTTP/1.1 404 "))

    def test_whatIsPending(self) -> None:
        """RFC 8555 §8.3: the key authorization, which nobody is to keep."""
        for target in (PATH + TOKEN, b"http://a.example" + PATH + TOKEN):
            head, _, content = self.asks(target).partition(b"\r\n\r\n")
            self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"))
            self.assertIn(b"\r\nContent-Type: application/octet-stream\r\n", head)
            self.assertIn(b"\r\nCache-Control: no-store\r\n", head)
            self.assertEqual(content, b"token.thumbprint")
        self.assertIn(b"other.thumbprint", self.asks(PATH + b"other"))

    def test_HEAD(self) -> None:
        """Has the same head."""
        answer = self.asks(PATH + TOKEN, b"HEAD")
        self.assertIn(b"\r\nContent-Length: 16\r\n", answer)
        self.assertTrue(answer.endswith(b"\r\n\r\n"))

    def test_allElse(self) -> None:
        """Goes where it would go without: it may be for a backend that orders, too."""
        for target in (PATH + b"unknown", b"/", PATH, PATH + b"a/b", PATH + TOKEN + b"?x"):
            self.isPassedOn(target)
        self.isPassedOn(PATH + TOKEN, b"DELETE")
        self.assertEqual(self.asked, ["unknown"])

    def test_afterwards(self) -> None:
        """Nothing is pending any more."""
        self.pending.clear()
        self.isPassedOn(PATH + TOKEN)
