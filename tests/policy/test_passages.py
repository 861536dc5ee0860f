# -*- test-case-name: tests.policy.test_passages -*-
"""
L{intermediary.policy.passages}: who is passed through, and to where.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.passages import Passage, Passages
from intermediary.program import Program
from intermediary.wire.clienthello import ClientHello, HelloError


def passage(name: str, *names: str, alpn: tuple[str, ...] = ()) -> Passage:
    """Make one, with a program of this name."""
    return Passage(names, alpn, Program(name, {}))


class PassagesTests(SynchronousTestCase):
    """The choice."""

    def choose(self, passages: Passages, name: str, *protocols: bytes) -> str | int | None:
        """The name of the program, or the alert."""
        try:
            program = passages(ClientHello(name, protocols, (0x304,)))
        except HelloError as error:
            return error.alert
        return None if program is None else program.name

    def test_theMostSpecificName(self) -> None:
        """Whatever the order: an exact one, then the longest wildcard."""
        passages = Passages(
            [
                passage("wide", "*.example"),
                passage("narrow", "*.b.example"),
                passage("exact", "a.b.example", "Bücher.example."),
            ],
            alone=False,
        )
        for name, chosen in (
            ("a.b.example", "exact"),
            ("xn--bcher-kva.example", "exact"),
            ("c.b.example", "narrow"),
            ("d.c.b.example", "narrow"),
            ("b.example", "wide"),
            ("example", None),
            ("xexample", None),
            (".example", None),
            ("", None),
        ):
            self.assertEqual(self.choose(passages, name), chosen, name)
        self.assertEqual(repr(passages), "<Passages names=4>")

    def test_protocols(self) -> None:
        """Those for some come first; one of several is enough."""
        passages = Passages(
            [
                passage("any", "a.example"),
                passage("some", "a.example", alpn=("acme-tls/1", "x")),
                passage("two", "*.example", alpn=("h2",)),
            ],
            alone=False,
        )
        for protocols, chosen in (
            ((b"acme-tls/1",), "some"),
            ((b"h2", b"x"), "some"),
            ((b"h2",), "any"),
            ((), "any"),
        ):
            self.assertEqual(self.choose(passages, "a.example", *protocols), chosen)
        self.assertEqual(self.choose(passages, "b.example", b"h2"), "two")
        self.assertIsNone(self.choose(passages, "b.example", b"http/1.1"))

    def test_aWiderNameForTheProtocol(self) -> None:
        """Is found where the narrow one is not for it."""
        passages = Passages(
            [passage("narrow", "a.example", alpn=("h2",)), passage("wide", "*.example")],
            alone=True,
        )
        self.assertEqual(self.choose(passages, "a.example", b"x"), "wide")

    def test_nothingElse(self) -> None:
        """Alerts that say what is wrong (RFC 8446 §9.2, RFC 6066 §3, RFC 7301 §3.2)."""
        passages = Passages([passage("some", "a.example", alpn=("x",))], alone=True)
        self.assertEqual(self.choose(passages, "", b"x"), 109)
        self.assertEqual(self.choose(passages, "b.example", b"x"), 112)
        self.assertEqual(self.choose(passages, "a.example", b"h2"), 120)
        self.assertEqual(self.choose(passages, "a.example"), 120)

    def test_namesThatAreNone(self) -> None:
        """Are not accepted."""
        for name in ("a b", "", "*.", "a..b"):
            self.assertRaises(ValueError, passage, "x", name)

    def test_repr(self) -> None:
        """For people."""
        self.assertEqual(repr(passage("p", "a", "*.b")), "<Passage a|*.b p>")
