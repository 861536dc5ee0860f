# -*- test-case-name: tests.policy.test_clientrules -*-
"""
L{intermediary.policy.clientrules}: whose certificate fits, and whose does not.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from intermediary.errors import RequestDenied
from intermediary.interfaces import IOnRequest
from intermediary.policy import clientrules
from intermediary.policy.clientrules import (
    AlternativePattern,
    ClientRule,
    SubjectPattern,
    Wording,
    fingerprint,
)

from .certificates import ALICE, by, shown
from .exchanges import asked

GET = (b"GET / HTTP/1.1", b"Host: a.example")


class SubjectTests(SynchronousTestCase):
    """Patterns of subjects."""

    def fits(self, pattern: str, *names: Any) -> bool:
        """Whether a subject of these parts fits."""
        return SubjectPattern(pattern).fits(shown(*names).names)

    def test_exactly(self) -> None:
        """All parts, in their order; types in any case, values in theirs."""
        self.assertTrue(self.fits("CN=alice,O=Example", ("CN", "alice"), ("O", "Example")))
        self.assertTrue(self.fits(" cn = alice , o=Example ", ("CN", "alice"), ("O", "Example")))
        for pattern in (
            "CN=alice",
            "O=Example,CN=alice",
            "CN=Alice,O=Example",
            "CN=alice,O=Example,C=DE",
            "CN=alice,OU=Example",
            "CN=alic,O=Example",
            "CN=,O=Example",
        ):
            self.assertFalse(self.fits(pattern, ("CN", "alice"), ("O", "Example")), pattern)

    def test_anyOtherParts(self) -> None:
        """None of them included, wherever the star stands."""
        names = (("CN", "alice"), ("OU", "Ops"), ("O", "Example"), ("C", "DE"))
        for pattern in (
            "*",
            "CN=alice,*",
            "*,C=DE",
            "CN=alice,*,O=Example,*",
            "*,OU=Ops,*",
            "*,CN=alice,*,C=DE,*",
            "*,*",
            "CN=alice,*,OU=Ops,*,O=Example,*,C=DE",
        ):
            self.assertTrue(self.fits(pattern, *names), pattern)
        for pattern in ("CN=alice,*,O=Example", "*,OU=Ops", "*,O=Example,OU=Ops,*", "O=Example,*"):
            self.assertFalse(self.fits(pattern, *names), pattern)
        self.assertTrue(self.fits("*"))
        self.assertFalse(self.fits("CN=*"))

    def test_anythingInAValue(self) -> None:
        """Of that part alone."""
        self.assertTrue(self.fits("CN=*,O=Example", ("CN", "alice"), ("O", "Example")))
        self.assertTrue(self.fits("CN=web*.ops", ("CN", "web1.prod.ops")))
        self.assertTrue(self.fits("CN=*", ("CN", "")))
        self.assertTrue(self.fits("CN=a*b*c", ("CN", "abbc")))
        self.assertFalse(self.fits("CN=a*b*c", ("CN", "ac")))
        self.assertFalse(self.fits("CN=ab*ba", ("CN", "aba")))
        self.assertTrue(self.fits("CN=*\u00fcller", ("CN", "J.\nM\u00fcller")))

    def test_whatStandsInAValueIsNoPart(self) -> None:
        """An authority that lets people choose their names gives away no more than these."""
        for pattern in ("CN=*,O=Example", "*,O=Example", "CN=evil*,O=Example"):
            self.assertFalse(self.fits(pattern, ("CN", "evil,O=Example")), pattern)
            self.assertFalse(self.fits(pattern, ("CN", "evil\\,O=Example"), ("O", "X")), pattern)
        self.assertFalse(self.fits("CN=*+UID=1", ("CN", "a+UID=1")))

    def test_severalInOnePart(self) -> None:
        """All of them, in any order."""
        both = (("CN", "alice"), ("UID", "7"))
        self.assertTrue(self.fits("CN=alice+UID=7", both))
        self.assertTrue(self.fits("UID=*+CN=*", both))
        self.assertFalse(self.fits("CN=alice", both))
        self.assertFalse(self.fits("CN=alice+UID=8", both))
        self.assertFalse(self.fits("CN=alice+UID=7", ("CN", "alice")))
        self.assertFalse(self.fits("CN=*+CN=*", both))

    def test_escapes(self) -> None:
        """As RFC 4514 §2.4 has them, and for a star."""
        self.assertTrue(self.fits("O=Tests\\, Inc.", ("O", "Tests, Inc.")))
        self.assertTrue(self.fits("O=a\\+b\\\\c\\=d", ("O", "a+b\\c=d")))
        self.assertTrue(self.fits("O=a\\2Cb", ("O", "a,b")))
        self.assertTrue(self.fits("CN=M\\C3\\BCller", ("CN", "M\u00fcller")))
        self.assertTrue(self.fits("CN=a\\*", ("CN", "a*")))
        self.assertTrue(self.fits("CN=a\\2A*", ("CN", "a*b")))
        self.assertFalse(self.fits("CN=a\\*", ("CN", "ab")))
        self.assertTrue(self.fits("2.5.4.42=A.*", ("2.5.4.42", "A.B")))
        self.assertFalse(self.fits("CN=a.c", ("CN", "abc")))

    @given(st.lists(st.tuples(st.sampled_from(["CN", "O", "OU"]), st.text(max_size=6)), max_size=4))
    def test_aSubjectFitsItself(self, names: list[tuple[str, str]]) -> None:
        """Spelled with an escape for each octet, whatever is in it."""
        spelled = ",".join(
            f"{kind}=" + "".join(f"\\{octet:02X}" for octet in value.encode())
            for kind, value in names
        )
        if names:
            self.assertTrue(self.fits(spelled, *names))
        self.assertTrue(self.fits("*", *names))
        self.assertFalse(self.fits(f"{spelled},C=DE" if names else "C=DE", *names))

    def test_whatIsNoPattern(self) -> None:
        """Why, and what to write."""
        for text, message in (
            ("", "is empty"),
            (" ", "is empty"),
            ("alice", 'no TYPE=VALUE: "alice"'),
            ("CN=a,b", 'no TYPE=VALUE: "b"'),
            ("CN=a,", 'no TYPE=VALUE: ""'),
            ("XN=a", 'unknown type: "XN=a"'),
            ("C*=a", 'unknown type: "C*=a"'),
        ):
            with self.assertRaises(Wording) as caught:
                SubjectPattern(text)
            self.assertIn(message, caught.exception.message)
            self.assertTrue(caught.exception.remedy)


class AlternativeTests(SynchronousTestCase):
    """Patterns of alternative names."""

    def fits(self, pattern: str, *alternatives: tuple[str, str]) -> bool:
        """Whether one of these fits."""
        return AlternativePattern(pattern).fits(alternatives)

    def test_kinds(self) -> None:
        """A name of one kind is none of another."""
        self.assertTrue(self.fits("dns:a.example", ("ip", "192.0.2.7"), ("dns", "a.example")))
        self.assertFalse(self.fits("dns:a.example", ("uri", "a.example")))
        self.assertFalse(self.fits("dns:a.example"))
        self.assertTrue(self.fits("DNS: A.example", ("dns", "a.example")))
        self.assertFalse(self.fits("email:A@b.example", ("email", "a@b.example")))

    def test_stars(self) -> None:
        """Anything, at that place and no other."""
        self.assertTrue(self.fits("dns:*.ops.example", ("dns", "web.x.ops.example")))
        self.assertFalse(self.fits("dns:*.ops.example", ("dns", "ops.example")))
        self.assertFalse(self.fits("dns:*.ops.example", ("dns", "x.ops.example.evil.test")))
        self.assertFalse(self.fits("dns:*.ops.example", ("dns", "xxopsxexample")))
        self.assertTrue(self.fits("uri:spiffe://example/*", ("uri", "spiffe://example/a/b")))
        self.assertTrue(self.fits("email:*@b.example", ("email", "a@b.example")))

    def test_addresses(self) -> None:
        """One, or a network of them."""
        self.assertTrue(self.fits("ip:192.0.2.7", ("ip", "192.0.2.7")))
        self.assertTrue(self.fits("ip:192.0.2.0/24", ("ip", "192.0.2.7")))
        self.assertTrue(self.fits("ip:2001:db8::/32", ("ip", "2001:db8::7")))
        self.assertFalse(self.fits("ip:192.0.2.0/24", ("ip", "2001:db8::7"), ("dns", "192.0.2.7")))

    def test_whatIsNoPattern(self) -> None:
        """Why, and what to write."""
        for text in ("", "a.example", "dns:", "host:a", "ip:a", "ip:192.0.2.7/24", "ip:*"):
            with self.assertRaises(Wording) as caught:
                AlternativePattern(text)
            self.assertTrue(caught.exception.remedy)


class FingerprintTests(SynchronousTestCase):
    """Fingerprints."""

    def test_spellings(self) -> None:
        """As OpenSSL prints them, and others."""
        plain = "0a" * 32
        for text in (plain, plain.upper(), ":".join(["0A"] * 32), f" {plain} "):
            self.assertEqual(fingerprint(text), plain)
        for text in ("", "0a" * 20, "0g" * 32, "*"):
            self.assertRaises(Wording, fingerprint, text)


class RuleTests(SynchronousTestCase):
    """The step."""

    def test_oneIsEnough(self) -> None:
        """Of any kind."""
        named = shown(("CN", "x"), alternatives=(("dns", "web.example"),))
        rule = ClientRule(["CN=alice,*"], ["dns:*.example"], [shown(("CN", "y")).fingerprint])
        verifyObject(IOnRequest, rule)
        for certificate in (ALICE, named, shown(("CN", "y"))):
            rule.onRequest(by(asked(*GET), certificate))
        for certificate in (shown(("CN", "z")), shown()):
            for _ in range(2):
                error = self.assertRaises(
                    RequestDenied, rule.onRequest, by(asked(*GET), certificate)
                )
                self.assertIn(certificate.subject, str(error))

    def test_withoutPatternsItIsAnybody(self) -> None:
        """Who has shown a certificate."""
        rule = ClientRule()
        rule.onRequest(by(asked(*GET), shown(("CN", "z"))))
        error = self.assertRaises(RequestDenied, rule.onRequest, by(asked(*GET), None))
        self.assertIn("needs a client certificate", str(error))

    def test_whoHasShownNothing(self) -> None:
        """No pattern is for nobody."""
        rule = ClientRule(["*"])
        self.assertRaises(RequestDenied, rule.onRequest, by(asked(*GET), None))

    def test_memory(self) -> None:
        """What is remembered has a bound, and is what was found."""
        self.patch(clientrules, "REMEMBERED", 3)
        rule = ClientRule(["CN=*1"])
        for _ in range(2):
            for index in range(12):
                self.assertEqual(rule.fits(shown(("CN", str(index)))), index % 10 == 1)
                self.assertLessEqual(len(rule._known), 3)

    def test_misspelt(self) -> None:
        """As configuration errors are."""
        self.assertRaises(ValueError, ClientRule, ["alice"])
        self.assertRaises(ValueError, ClientRule, [], ["alice"])
        self.assertRaises(ValueError, ClientRule, [], [], ["alice"])
