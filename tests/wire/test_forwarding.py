# -*- test-case-name: tests.wire.test_forwarding -*-
"""
L{intermediary.wire.forwarding}: what happens to fields on their way.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import WireError
from intermediary.wire.fields import EMPTY, Fields
from intermediary.wire.forwarding import (
    END_TO_END,
    HOP_BY_HOP,
    appendForwarded,
    appendVia,
    deriveRequest,
    deriveResponse,
    forwardedElement,
    maxForwards,
    stripHopByHop,
    viaContains,
)

from .test_framing import fields


class StrippingTests(SynchronousTestCase):
    """L{stripHopByHop}: RFC 9110 §7.6.1."""

    def test_hopByHopFieldsGo(self) -> None:
        """Each of them, in any case, and nothing else."""
        for name in HOP_BY_HOP - {b"connection"}:
            kept = stripHopByHop(fields((b"A", b"1"), (name.title(), b"x"), (b"B", b"2")))
            self.assertEqual(kept.pairs, [(b"A", b"1"), (b"B", b"2")], name)

    def test_proxyFieldsGo(self) -> None:
        """All that begin with C{Proxy-}, known or not, but C{Proxy-Status}."""
        kept = stripHopByHop(
            fields((b"Proxy-Foo", b"1"), (b"PROXY-authorization", b"2"), (b"Proxy-Status", b"3"))
        )
        self.assertEqual(kept.pairs, [(b"Proxy-Status", b"3")])

    def test_nominatedFieldsGo(self) -> None:
        """What any line of C{Connection} names, in any case."""
        kept = stripHopByHop(
            fields(
                (b"Connection", b"close, X-One"),
                (b"x-one", b"1"),
                (b"X-TWO", b"2"),
                (b"connection", b"x-two ,"),
                (b"X-Three", b"3"),
            )
        )
        self.assertEqual(kept.pairs, [(b"X-Three", b"3")])

    def test_someNominationsAreIgnored(self) -> None:
        """
        No sender can have fields removed that are meant for all recipients:
        C{Connection: X-Forwarded-For, Host} and the like do nothing.
        """
        for name in END_TO_END:
            message = fields((b"Connection", b"close, " + name), (name.title(), b"x"))
            self.assertEqual(stripHopByHop(message).pairs, [(name.title(), b"x")])

    def test_framingNeverSurvives(self) -> None:
        """Neither nominating framing fields nor repeating them keeps or doubles them."""
        for connection in (b"Content-Length", b"Transfer-Encoding", b"close", b"Connection"):
            message = fields(
                (b"Connection", connection),
                (b"Content-Length", b"3"),
                (b"content-length", b"3"),
                (b"Transfer-Encoding", b"chunked"),
                (b"A", b"1"),
            )
            self.assertEqual(stripHopByHop(message).pairs, [(b"A", b"1")])

    def test_nothingToStrip(self) -> None:
        """Fields without any are returned as they are."""
        message = fields((b"A", b"1"), (b"Proxy-Status", b"a"))
        self.assertIs(stripHopByHop(message), message)

    def test_theTwoListsDoNotMeet(self) -> None:
        """A field is one or the other."""
        self.assertEqual(HOP_BY_HOP & END_TO_END, frozenset())


class DerivingTests(SynchronousTestCase):
    """L{deriveRequest} and L{deriveResponse}."""

    def test_stripAndVia(self) -> None:
        """The same as doing one after the other, with the encoding ready."""
        for message in [
            EMPTY,
            fields((b"Host", b"a"), (b"Content-Length", b"1"), (b"Connection", b"X"), (b"X", b"1")),
            fields((b"Set-Cookie", b"a"), (b"Set-Cookie", b"b"), (b"Keep-Alive", b"1")),
            fields((b"Via", b"1.0 a"), (b"A", b"1"), (b"via", b"1.1 b"), (b"Proxy-X", b"1")),
            fields((b"Connection", b"via"), (b"Via", b"1.0 a")),
        ]:
            for version in (10, 11):
                for derive in (deriveRequest, deriveResponse):
                    derived = derive(message, version, b"me")
                    expected = appendVia(stripHopByHop(message), version, b"me")
                    self.assertEqual(derived, expected)
                    self.assertEqual(derived.encoded, Fields(derived.pairs).encoded)

    def test_whatIsForwarded(self) -> None:
        """An example, whole."""
        derived = deriveRequest(
            fields(
                (b"Host", b"a"),
                (b"TE", b"trailers"),
                (b"Connection", b"TE, keep-alive"),
                (b"Accept", b"*/*"),
            ),
            11,
            b"me",
        )
        self.assertEqual(derived.encoded, b"Host: a\r\nAccept: */*\r\nVia: 1.1 me\r\n")


class ViaTests(SynchronousTestCase):
    """C{Via}: RFC 9110 §7.6.3."""

    def test_append(self) -> None:
        """The version is the received one; lines become one, in order."""
        self.assertEqual(appendVia(EMPTY, 10, b"me").pairs, [(b"Via", b"1.0 me")])
        message = fields((b"Via", b"1.0 a"), (b"X", b"1"), (b"VIA", b"HTTP/2 b (c, d)"))
        self.assertEqual(
            appendVia(message, 11, b"me").pairs,
            [(b"X", b"1"), (b"Via", b"1.0 a, HTTP/2 b (c, d), 1.1 me")],
        )

    def test_contained(self) -> None:
        """A received-by that is all of the pseudonym, in any position and case."""
        for via in [
            b"1.1 me",
            b"1.0 a, 1.1 me",
            b"1.1 me, 1.0 a",
            b"HTTP/1.1 me (comment)",
            b"HTTP/1.1\tME",
            b"1.1  me",
            b"1.0 a (b, (c) \\) d), 1.1 me",
            b"1.0 a (b)(c),1.1 me(d)",
            b"1.0 a (unclosed, 1.1 me",
            b", ,1.1 me,",
        ]:
            self.assertTrue(viaContains(fields((b"Via", via)), b"me"), via)
        self.assertTrue(viaContains(fields((b"Via", b"1.1 a"), (b"via", b"1.1 me")), b"Me"))

    def test_notContained(self) -> None:
        """Parts of names, protocols and comments do not count."""
        for via in [
            b"1.1 you",
            b"1.1 me2",
            b"1.1 not-me",
            b"1.1 me:80",
            b"me 1.1",
            b"me",
            b"1.1 a (me)",
            b"1.1 a (1.1 b, 1.1 me)",
            b"1.1 a (b (c), 1.1 me)",
            b"1.1 a (\\), 1.1 me)",
            b"",
        ]:
            self.assertFalse(viaContains(fields((b"Via", via)), b"me"), via)
        self.assertFalse(viaContains(EMPTY, b"me"))

    def test_anOldClientsExpectationGoes(self) -> None:
        """RFC 9110 §10.1.1: it has to be ignored, and a newer hop would not."""
        message = fields((b"Host", b"a"), (b"Expect", b"100-continue"))
        self.assertNotIn(b"expect", deriveRequest(message, 10, b"me"))
        self.assertIn(b"expect", deriveRequest(message, 11, b"me"))

    def test_framingHasNoOtherSpelling(self) -> None:
        """CGI and WSGI take an underscore for a hyphen; other fields may have them."""
        for name in (
            b"Content_Length",
            b"TRANSFER_ENCODING",
            b"Transfer_encoding",
            b"Content_Type",
        ):
            derived = deriveRequest(
                fields((b"Host", b"a"), (name, b"1"), (b"X_A", b"2")), 11, b"me"
            )
            self.assertEqual([each for each, _ in derived], [b"Host", b"X_A", b"Via"])


class ForwardedTests(SynchronousTestCase):
    """C{Forwarded} and its forerunners: RFC 7239."""

    def test_elements(self) -> None:
        """Addresses, ports and quoting (RFC 7239 §4, §6)."""
        for peer, host, expected in [
            ("192.0.2.1", b"a.example", b"for=192.0.2.1;host=a.example;proto=http"),
            ("192.0.2.1", b"a.example:81", b'for=192.0.2.1;host="a.example:81";proto=http'),
            ("2001:db8::1", None, b'for="[2001:db8::1]";proto=http'),
            ("fe80::1%eth0", b"[::1]", b'for="[fe80::1]";host="[::1]";proto=http'),
            ("", b"a", b"for=unknown;host=a;proto=http"),
        ]:
            self.assertEqual(forwardedElement(peer, host, b"http"), expected)

    def test_set(self) -> None:
        """All four fields tell of the real peer."""
        self.assertEqual(
            appendForwarded(fields((b"A", b"1")), "192.0.2.1", b"a", b"https", trusted=False).pairs,
            [
                (b"A", b"1"),
                (b"Forwarded", b"for=192.0.2.1;host=a;proto=https"),
                (b"X-Forwarded-For", b"192.0.2.1"),
                (b"X-Forwarded-Proto", b"https"),
                (b"X-Forwarded-Host", b"a"),
            ],
        )

    def test_withoutHost(self) -> None:
        """An HTTP/1.0 request without one has no host to tell of."""
        derived = appendForwarded(EMPTY, "::1", None, b"http", trusted=False)
        self.assertNotIn(b"x-forwarded-host", derived)
        self.assertEqual(derived.get(b"x-forwarded-for"), b"::1")

    _sent = fields(
        (b"Forwarded", b"for=a"),
        (b"x-forwarded-for", b"a"),
        (b"X-Forwarded-For", b"b"),
        (b"X-Forwarded-Proto", b"https"),
        (b"X-Forwarded-Host", b"h"),
        (b"forwarded", b"for=b"),
    )

    def test_anUntrustedPeerIsNotHeard(self) -> None:
        """What it sent of these is dropped, every line of it."""
        self.assertEqual(
            appendForwarded(self._sent, "192.0.2.1", b"a", b"http", trusted=False),
            appendForwarded(EMPTY, "192.0.2.1", b"a", b"http", trusted=False),
        )

    def test_aTrustedPeerIsContinued(self) -> None:
        """Lists get another element; protocol and host stay the original ones."""
        derived = appendForwarded(self._sent, "192.0.2.1", b"a", b"http", trusted=True)
        self.assertEqual(
            derived.pairs,
            [
                (b"Forwarded", b"for=a, for=b, for=192.0.2.1;host=a;proto=http"),
                (b"X-Forwarded-For", b"a, b, 192.0.2.1"),
                (b"X-Forwarded-Proto", b"https"),
                (b"X-Forwarded-Host", b"h"),
            ],
        )

    def test_whatATrustedPeerLeftOpenIsDropped(self) -> None:
        """An open quote, which a client can have a proxy append, would swallow our element."""
        ours = b"for=192.0.2.1;host=a;proto=http"
        for before in (
            b'for="unclosed',
            b'for="a\\"',
            b"for=a b",
            b"for=",
            b"nonsense",
            b"for=a, x",
        ):
            derived = appendForwarded(
                fields((b"Forwarded", before)), "192.0.2.1", b"a", b"http", trusted=True
            )
            self.assertEqual(derived.get(b"forwarded"), ours, before)
        for before in (
            b'for="[::1]:80";proto=http, for=unknown;host="a,b"',
            b"for=a;;proto=b",
            b'for=_x , ,For="\\""',
        ):
            derived = appendForwarded(
                fields((b"Forwarded", before)), "192.0.2.1", b"a", b"http", trusted=True
            )
            self.assertEqual(derived.get(b"forwarded"), before + b", " + ours)

    def test_aTrustedPeerMaySayNothing(self) -> None:
        """Then the fields begin here."""
        self.assertEqual(
            appendForwarded(EMPTY, "192.0.2.1", b"a", b"http", trusted=True),
            appendForwarded(EMPTY, "192.0.2.1", b"a", b"http", trusted=False),
        )


class MaxForwardsTests(SynchronousTestCase):
    """L{maxForwards}: RFC 9110 §7.6.2."""

    def test_values(self) -> None:
        """A decimal number or nothing."""
        self.assertIsNone(maxForwards(EMPTY))
        self.assertEqual(maxForwards(fields((b"Max-Forwards", b"0"))), 0)
        self.assertEqual(maxForwards(fields((b"max-forwards", b"10"))), 10)

    def test_moreThanTheMostIsTheMost(self) -> None:
        """RFC 9110 §7.6.2; leading zeros count for nothing."""
        for value in [b"2147483648", b"1" * 11, b"9" * 10000]:
            self.assertEqual(maxForwards(fields((b"Max-Forwards", value))), 2**31 - 1)
        self.assertEqual(maxForwards(fields((b"Max-Forwards", b"0" * 20 + b"7"))), 7)

    def test_refused(self) -> None:
        """Anything else is a 400."""
        for value in [b"", b"-1", b"+1", b"1, 2", b"1, 1", b"a", b"1.0", b"\xb2"]:
            error = self.assertRaises(WireError, maxForwards, fields((b"Max-Forwards", value)))
            self.assertEqual(error.status, 400)
