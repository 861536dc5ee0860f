# -*- test-case-name: tests.policy.test_disclosure -*-
"""
What servers hear of the client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.balancing import HostField, Peer
from intermediary.policy.disclosure import Disclosure
from intermediary.wire.target import parseAbsolute

from .exchanges import ENGINE, derived, exchangeOf, forwardOf, head

if TYPE_CHECKING:
    from intermediary.wire.fields import Fields

#: What a client may say of itself.
CLAIMS = (
    b"Forwarded: for=203.0.113.9;host=evil.example;proto=https",
    b"X-Forwarded-For: 203.0.113.9",
    b"x-forwarded-proto: https",
    b"X-FORWARDED-HOST: evil.example",
)


class DisclosureTestCase(SynchronousTestCase):
    """Asks what is sent."""

    def sent(self, disclosure: Disclosure, peerHost: str, *lines: bytes) -> dict[str, str]:
        """The fields that tell of the client, which must each be one line."""
        exchange = derived(b"GET / HTTP/1.1", b"Host: site.example", *lines, peerHost=peerHost)
        disclosure.onFetch(exchange)
        return told(self, forwardOf(exchange).fields)


def told(case: SynchronousTestCase, fields: Fields) -> dict[str, str]:
    """Those of the fields that tell of the client, which must each be one line."""
    found: dict[str, str] = {}
    for name, value in fields:
        key = name.decode().lower()
        if "forwarded" in key:
            case.assertNotIn(key, found, "two lines")
            found[key] = value.decode()
    return found


class UntrustedTests(DisclosureTestCase):
    """Peers whose word is not believed: everybody, unless said otherwise."""

    def test_theRealPeerIsTold(self) -> None:
        """Address, host, and what was spoken."""
        self.assertEqual(
            self.sent(Disclosure(), "192.0.2.7"),
            {
                "forwarded": "for=192.0.2.7;host=site.example;proto=http",
                "x-forwarded-for": "192.0.2.7",
                "x-forwarded-proto": "http",
                "x-forwarded-host": "site.example",
            },
        )

    def test_whatTheClientClaimsIsDropped(self) -> None:
        """All of it, in any case of letters and however often."""
        for disclosure in (Disclosure(), Disclosure(["198.51.100.0/24"])):
            self.assertEqual(
                self.sent(disclosure, "192.0.2.7", *CLAIMS, *CLAIMS),
                self.sent(Disclosure(), "192.0.2.7"),
            )

    def test_IPv6IsBracketedAndQuoted(self) -> None:
        """RFC 7239 §6; not so in the customary field."""
        sent = self.sent(Disclosure(), "2001:db8::7")
        self.assertEqual(sent["forwarded"], 'for="[2001:db8::7]";host=site.example;proto=http')
        self.assertEqual(sent["x-forwarded-for"], "2001:db8::7")

    def test_aZoneStaysHere(self) -> None:
        """It means something on this host alone."""
        sent = self.sent(Disclosure(), "fe80::7%eth0")
        self.assertEqual(sent["forwarded"], 'for="[fe80::7]";host=site.example;proto=http')
        self.assertEqual(sent["x-forwarded-for"], "fe80::7")

    def test_aMappedAddressIsOfIPv4(self) -> None:
        """A socket for both families spells it so; servers compare it with others."""
        sent = self.sent(Disclosure(), "::ffff:192.0.2.7")
        self.assertEqual(sent, self.sent(Disclosure(), "192.0.2.7"))

    def test_aHostWithAPortIsQuoted(self) -> None:
        """A colon is in no token (RFC 7239 §4)."""
        exchange = derived(b"GET / HTTP/1.1", b"Host: site.example:8000")
        Disclosure().onFetch(exchange)
        self.assertEqual(
            forwardOf(exchange).fields.get(b"forwarded"),
            b'for=192.0.2.7;host="site.example:8000";proto=http',
        )

    def test_withoutAHostNoneIsTold(self) -> None:
        """HTTP/1.0 has no need of one; nobody makes one up, nor believes a claim."""
        exchange = derived(b"GET / HTTP/1.0", *CLAIMS)
        Disclosure().onFetch(exchange)
        self.assertEqual(
            told(self, forwardOf(exchange).fields),
            {
                "forwarded": "for=192.0.2.7;proto=http",
                "x-forwarded-for": "192.0.2.7",
                "x-forwarded-proto": "http",
            },
        )

    def test_aPeerWithoutAnAddressIsUnknown(self) -> None:
        """On a UNIX socket; RFC 7239 §6.2 has a word for it."""
        for peer in ("", "unix:"):
            sent = self.sent(Disclosure(), peer, *CLAIMS)
            self.assertEqual(sent["forwarded"], "for=unknown;host=site.example;proto=http", peer)
            self.assertEqual(sent["x-forwarded-for"], "unknown")

    def test_theHostOfAnAbsoluteTargetIsTold(self) -> None:
        """It replaced the field (RFC 9112 §3.2.2)."""
        exchange = exchangeOf(head(b"GET http://real.example/ HTTP/1.1", b"Host: other.example"))
        exchange.target = parseAbsolute(b"http://real.example/")
        ENGINE.derive(exchange)
        Disclosure().onFetch(exchange)
        self.assertEqual(forwardOf(exchange).fields.get(b"x-forwarded-host"), b"real.example")

    def test_otherFieldsStay(self) -> None:
        """Also those whose names only begin alike."""
        exchange = derived(
            b"GET / HTTP/1.1",
            b"Host: site.example",
            b"X-Forwarded: 1",
            b"X-Realm: 2",
            b"Accept: */*",
        )
        Disclosure().onFetch(exchange)
        fields = forwardOf(exchange).fields
        for name in (b"x-forwarded", b"x-realm", b"accept", b"host", b"via"):
            self.assertIn(name, fields)

    def test_whatServersTakeForOursGoes(self) -> None:
        """CGI and WSGI do not tell C{_} from C{-}; the rest is ours to say as well."""
        exchange = derived(
            b"GET / HTTP/1.1",
            b"Host: site.example",
            b"X_Forwarded_For: 1",
            b"X-Forwarded_Host: 2",
            b"X-Forwarded-Port: 3",
            b"X-Real-IP: 4",
            b"Proxy: http://evil.example/",
        )
        Disclosure().onFetch(exchange)
        names = {name.lower() for name, _ in forwardOf(exchange).fields}
        self.assertEqual(
            names,
            {
                b"host",
                b"via",
                b"forwarded",
                b"x-forwarded-for",
                b"x-forwarded-proto",
                b"x-forwarded-host",
            },
        )

    def test_whatTheClientSpeaksIsTold(self) -> None:
        """TLS with us is C{https}, whatever is spoken with the origin."""
        exchange = derived(b"GET / HTTP/1.1", b"Host: site.example")
        exchange.secure = True
        Disclosure().onFetch(exchange)
        sent = told(self, forwardOf(exchange).fields)
        self.assertEqual(sent["x-forwarded-proto"], "https")
        self.assertTrue(sent["forwarded"].endswith(";proto=https"))


class TrustedTests(DisclosureTestCase):
    """Peers that are proxies of the operator's."""

    def setUp(self) -> None:
        self.disclosure = Disclosure(
            ["198.51.100.0/24", "203.0.113.5", "2001:db8:1::/48", "10.0.0.0/8"]
        )

    def test_aTrustedPeersWordIsExtended(self) -> None:
        """Lists get longer, what has one value is left (RFC 7239 §4)."""
        self.assertEqual(
            self.sent(self.disclosure, "198.51.100.9", *CLAIMS),
            {
                "forwarded": "for=203.0.113.9;host=evil.example;proto=https, "
                "for=198.51.100.9;host=site.example;proto=http",
                "x-forwarded-for": "203.0.113.9, 198.51.100.9",
                "x-forwarded-proto": "https",
                "x-forwarded-host": "evil.example",
            },
        )

    def test_aTrustedPeerThatSaysNothingIsTheFirst(self) -> None:
        """It is told of like any."""
        self.assertEqual(
            self.sent(self.disclosure, "198.51.100.9"),
            self.sent(Disclosure(), "198.51.100.9"),
        )

    def test_severalLinesAreOneList(self) -> None:
        """RFC 9110 §5.3: in their order."""
        sent = self.sent(
            self.disclosure,
            "198.51.100.9",
            b"X-Forwarded-For: 1.1.1.1",
            b"X-Forwarded-For: 2.2.2.2, 3.3.3.3",
        )
        self.assertEqual(sent["x-forwarded-for"], "1.1.1.1, 2.2.2.2, 3.3.3.3, 198.51.100.9")

    def test_whoIsTrusted(self) -> None:
        """Networks and addresses, of both families, in any spelling."""
        for peer in (
            "198.51.100.0",
            "198.51.100.255",
            "203.0.113.5",
            "2001:db8:1::1",
            "2001:DB8:1:0::1",
            "2001:db8:1:ffff:ffff:ffff:ffff:ffff",
            "10.255.255.255",
            "::ffff:10.1.2.3",
            "::FFFF:c633:6409",
        ):
            self.assertTrue(self.disclosure.trusts(peer), peer)

    def test_whoIsNotTrusted(self) -> None:
        """Neighbours, other families with the same numbers, and what is no address."""
        for peer in (
            "198.51.101.0",
            "203.0.113.4",
            "203.0.113.6",
            "2001:db8:2::1",
            "::ffff:11.0.0.1",
            "::10.1.2.3",
            "64:ff9b::10.1.2.3",
            "",
            "unix:",
            "10.1.2.3:80",
            "localhost",
            "010.001.002.003",
        ):
            self.assertFalse(self.disclosure.trusts(peer), peer)

    def test_nobodyIsTrustedByDefault(self) -> None:
        """Not even this host."""
        for peer in ("127.0.0.1", "::1", "10.0.0.1"):
            self.assertFalse(Disclosure().trusts(peer))

    def test_everybodyMayBeTrusted(self) -> None:
        """Who says so gets it, for one family at a time."""
        disclosure = Disclosure(["0.0.0.0/0"])
        self.assertTrue(disclosure.trusts("192.0.2.1"))
        self.assertTrue(disclosure.trusts("::ffff:192.0.2.1"))
        self.assertFalse(disclosure.trusts("2001:db8::1"))
        self.assertTrue(Disclosure(["::/0"]).trusts("2001:db8::1"))

    def test_aZoneDoesNotMatter(self) -> None:
        """Link-local peers have one."""
        self.assertTrue(Disclosure(["fe80::/10"]).trusts("fe80::1%eth0"))

    def test_bitsBeyondThePrefixDoNotMatter(self) -> None:
        """The configuration refuses them; an application may be lazy."""
        self.assertTrue(Disclosure(["198.51.100.7/24"]).trusts("198.51.100.9"))

    def test_whatIsNoNetworkIsRefused(self) -> None:
        """C{ValueError} when it is made."""
        for bad in ("", "proxy.example", "198.51.100.0/33", "1.2.3", "*"):
            self.assertRaises(ValueError, Disclosure, [bad])


class MemoTests(DisclosureTestCase):
    """What was made of the same fields before."""

    def setUp(self) -> None:
        self.request = head(b"GET / HTTP/1.1", b"Host: site.example", *CLAIMS)

    def fields(self, disclosure: Disclosure, peerHost: str) -> Fields:
        """Send the same request, with the very same fields, from a peer."""
        exchange = exchangeOf(self.request, peerHost)
        ENGINE.derive(exchange)
        disclosure.onFetch(exchange)
        return forwardOf(exchange).fields

    def test_theSameClientGetsTheSame(self) -> None:
        """It costs nothing the second time."""
        disclosure = Disclosure()
        peer = "192.0.2.7"
        self.assertIs(self.fields(disclosure, peer), self.fields(disclosure, peer))

    def test_anotherClientIsNotTakenForTheFirst(self) -> None:
        """Not even with the same fields, one after the other and back."""
        disclosure = Disclosure(["198.51.100.0/24"])
        for peer, expected in (
            ("192.0.2.7", b"192.0.2.7"),
            ("192.0.2.8", b"192.0.2.8"),
            ("198.51.100.1", b"203.0.113.9, 198.51.100.1"),
            ("192.0.2.7", b"192.0.2.7"),
        ):
            found = self.fields(disclosure, peer).get(b"x-forwarded-for")
            self.assertEqual(found, expected)

    def test_equalAddressesNeedNotBeTheSameObject(self) -> None:
        """The outcome is."""
        disclosure = Disclosure()
        one, two = (self.fields(disclosure, f"192.0.2.{last}") for last in (7, 7))
        self.assertEqual(one, two)

    def test_anotherFrontHasItsOwnWord(self) -> None:
        """Two fronts see the same fields and differ in whom they trust."""
        strict, lax = Disclosure(), Disclosure(["192.0.2.0/24"])
        for _ in range(2):
            self.assertEqual(self.fields(strict, "192.0.2.7").get(b"x-forwarded-for"), b"192.0.2.7")
            self.assertEqual(
                self.fields(lax, "192.0.2.7").get(b"x-forwarded-for"), b"203.0.113.9, 192.0.2.7"
            )

    def test_theReceivedFieldsAreNotTouched(self) -> None:
        """They are shared (DESIGN: the received head is never mutated)."""
        before = self.request.fields.encoded
        self.fields(Disclosure(), "192.0.2.7")
        self.assertEqual(self.request.fields.encoded, before)

    def test_otherStepsKeepMemosToo(self) -> None:
        """Memos on the same fields are told apart, in either order."""
        disclosure, hostField = Disclosure(), HostField(False)
        origin = Peer.fromURL("http://web.example").origin
        for _ in range(3):
            exchange = exchangeOf(self.request, "192.0.2.7")
            exchange.origin = origin
            ENGINE.derive(exchange)
            hostField.onFetch(exchange)
            ENGINE.derive(exchange)
            disclosure.onFetch(exchange)
            hostField.onFetch(exchange)
            fields = forwardOf(exchange).fields
            self.assertEqual(fields.get(b"host"), b"web.example")
            self.assertEqual(fields.get(b"x-forwarded-for"), b"192.0.2.7")
            self.assertEqual(fields.get(b"x-forwarded-host"), b"site.example")
