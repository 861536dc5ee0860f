# -*- test-case-name: tests.policy.test_interceptable -*-
"""
L{intermediary.policy.interceptable}: what is intercepted.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.interceptable import REMEMBERED, Interceptable


class InterceptableTests(SynchronousTestCase):
    """Hosts and ports."""

    def judged(self, takes: Interceptable, *hosts: str) -> list[bool]:
        """What becomes of hosts; asked twice, as answers are remembered."""
        first = [takes(host, 443) for host in hosts]
        self.assertEqual([takes(host, 443) for host in hosts], first)
        return first

    def test_ports(self) -> None:
        """Others are never looked at."""
        takes = Interceptable((443, 8443))
        self.assertEqual(
            [takes("a.example", port) for port in (443, 8443, 80, 22)], [True, True, False, False]
        )

    def test_everything(self) -> None:
        """Unless something is said."""
        self.assertEqual(
            self.judged(Interceptable((443,)), "a.example", "192.0.2.1", "::1"), [True] * 3
        )

    def test_exceptions(self) -> None:
        """Names, all below a name, addresses and networks."""
        takes = Interceptable(
            (443,), ("bank.example", "*.bank.example", "192.0.2.0/24", "2001:db8::1")
        )
        self.assertEqual(
            self.judged(takes, "bank.example", "www.bank.example", "bank.example.", "192.0.2.9",
                        "2001:db8::1", "2001:0db8:0::1"),
            [False] * 6,
        )  # fmt: skip
        self.assertEqual(
            self.judged(takes, "mybank.example", "bank.example.evil.example", "192.0.3.9"),
            [True] * 3,
        )

    def test_aPatternIsAboutWhatIsBelow(self) -> None:
        """As everywhere."""
        takes = Interceptable((443,), ("*.bank.example",))
        self.assertEqual(self.judged(takes, "bank.example", "a.b.bank.example"), [True, False])

    def test_only(self) -> None:
        """And exceptions from that."""
        takes = Interceptable((443,), ("pay.corp.example",), ("*.corp.example", "10.0.0.0/8"))
        self.assertEqual(
            self.judged(takes, "a.corp.example", "10.1.2.3", "pay.corp.example", "a.example"),
            [True, True, False, False],
        )

    def test_whatTheAuthorityMayNot(self) -> None:
        """Clients would not believe it."""
        takes = Interceptable((443,), vouchesFor=lambda host: host.endswith(".corp.example"))
        self.assertEqual(self.judged(takes, "a.corp.example", "a.example"), [True, False])

    def test_whatIsExceptedWhateverElseIsSaid(self) -> None:
        """For who has only a part of the facts."""
        takes = Interceptable((443,), ("*.bank.example",), ("192.0.2.0/24",))
        self.assertEqual(
            [takes.excepts(each) for each in ("www.bank.example", "a.example", "")],
            [True, False, False],
        )

    def test_mistakes(self) -> None:
        """They are told of when it is made."""
        for bad in ("*.example.*", "192.0.2.1/24", "", "a b"):
            self.assertRaises(ValueError, Interceptable, (443,), (bad,))
            self.assertRaises(ValueError, Interceptable, (443,), (), (bad,))

    def test_memoryIsBounded(self) -> None:
        """Clients ask for whatever they like."""
        takes = Interceptable((443,))
        for number in range(REMEMBERED + 10):
            takes(f"{number}.example", 443)
        self.assertLessEqual(len(takes._known), REMEMBERED)
