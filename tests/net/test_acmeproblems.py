# -*- test-case-name: tests.net.test_acmeproblems -*-
"""
L{intermediary.net.acmeproblems}: words for a person who has to do something.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from intermediary.net.acmeproblems import AcmeError, refused, unreachable


class WordingTests(SynchronousTestCase):
    """What is said, and what to do."""

    def test_challenges(self) -> None:
        """Which port has to lead where depends on the challenge."""
        for challenge, port in (("http-01", "port 80"), ("tls-alpn-01", "port 443")):
            for code in ("connection", "unauthorized", "incorrectResponse", "tls"):
                error = refused(code, "192.0.2.1: timeout", challenge)
                self.assertEqual(
                    error.reason,
                    f"the authority did not find the answer to its {challenge} challenge "
                    f"({code}): 192.0.2.1: timeout",
                )
                self.assertIn(port, error.remedy)
                self.assertFalse(error.common)
        self.assertIn("A or AAAA", refused("dns", "NXDOMAIN", "http-01").remedy)
        self.assertIn("CAA", refused("caa", "", "http-01").remedy)

    def test_whatIsTheSameForEveryName(self) -> None:
        """And what is not: a limit may be that of one name."""
        for code, common in (
            ("serverInternal", True),
            ("accountDoesNotExist", True),
            ("rateLimited", False),
            ("rejectedIdentifier", False),
            ("somethingNew", False),
        ):
            self.assertEqual(refused(code, "").common, common, code)
        self.assertTrue(unreachable("https://acme.example/", "refused").common)

    def test_theWordsOfOthersAreBounded(self) -> None:
        """They stand in a log: no lines of their own, and not too many."""
        reason = refused("caa", "a\nb\x1b[31m" + "x" * 1000).reason
        self.assertTrue(reason.isprintable())
        self.assertLess(len(reason), 500)
        self.assertLess(len(unreachable("https://acme.example/", "x" * 1000).reason), 500)

    def test_itCanBeSaidInOneLine(self) -> None:
        """With the remedy."""
        error = AcmeError("it rains", "wait", code="rain", retryAfterSeconds=3.0)
        self.assertEqual(str(error), "it rains; wait")
        self.assertEqual((error.code, error.retryAfterSeconds), ("rain", 3.0))
        self.assertEqual(refused("", "").reason, "the authority says that it will not")
