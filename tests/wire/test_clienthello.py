# -*- test-case-name: tests.wire.test_clienthello -*-
"""
L{intermediary.wire.clienthello}: what clients say first, and what others do.
"""

from __future__ import annotations

import ssl

from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from intermediary.wire.clienthello import (
    LIMIT_OCTETS,
    ClientHello,
    HelloReader,
    encodeAlert,
    isPlainHTTP,
)

from ..net.tlspeers import MemoryClient, meet
from .feeding import pieces
from .hellos import (
    alpn,
    body,
    extension,
    message,
    real,
    record,
    records,
    recut,
    serverName,
    told,
    vector,
)
from .strategies import cuts

#: Something real to spoil, small and large.
HELLO = real(protocols=["h2", "http/1.1"])
MODERN = MemoryClient(b"b.example", (b"acme-tls/1",)).speaks()

#: Alerts, by their numbers (RFC 8446 §6).
UNEXPECTED, OVERFLOW, ILLEGAL, BROKEN = 10, 22, 47, 50


class HelloTests(SynchronousTestCase):
    """Messages that are as they should be."""

    def of(self, extensions: bytes | None) -> ClientHello:
        """Read a message with such extensions."""
        found = told([record(message(body(extensions)))])
        assert isinstance(found, ClientHello), found
        return found

    def test_thoseOfOpenSSL(self) -> None:
        """The name, the protocols in their order, and the versions."""
        self.assertEqual(
            told([HELLO]), ClientHello("a.example", (b"h2", b"http/1.1"), (0x304, 0x303))
        )
        found = told([MODERN])
        assert isinstance(found, ClientHello)
        self.assertEqual((found.name, found.protocols), ("b.example", (b"acme-tls/1",)))
        old = told([real("OLD.example", highest=ssl.TLSVersion.TLSv1_2)])
        self.assertEqual(old, ClientHello("old.example", (), (0x303,)))
        self.assertEqual(told([real(None)]), ClientHello("", (), (0x304, 0x303)))

    def test_withoutExtensions(self) -> None:
        """TLS 1.2 does not need them (RFC 5246 §7.4.1.2)."""
        self.assertEqual(self.of(None), ClientHello("", (), (0x303,)))
        self.assertEqual(self.of(b""), ClientHello("", (), (0x303,)))

    def test_whatIsBehindItIsNotLookedAt(self) -> None:
        """Early data, or what a client of another kind says."""
        self.assertEqual(told([HELLO + b"\x17\x03\x03\x00"]), told([HELLO]))
        both = record(message(body(serverName(b"a.example"))) + b"more")
        self.assertEqual(told([both]), ClientHello("a.example", (), (0x303,)))

    def test_namesAreWhatCanBeLookedUp(self) -> None:
        """In lower case, without a dot at the end; an address is a name like any other."""
        for wanted, name in (
            (b"WWW.Example", "www.example"),
            (b"www.example.", "www.example"),
            (b"192.0.2.1", "192.0.2.1"),
            (b"2001:db8::1", "2001:db8::1"),
            (b"xn--bcher-kva_.example", "xn--bcher-kva_.example"),
            (b"a" * 254, "a" * 254),
        ):
            self.assertEqual(self.of(serverName(wanted)).name, name)

    def test_otherKindsOfNamesArePassedOver(self) -> None:
        """RFC 6066 §3: they have a length of the same form."""
        self.assertEqual(self.of(serverName(b"x", kind=7)).name, "")

    def test_versionsNobodyKnows(self) -> None:
        """RFC 8701: they are there, and mean nothing."""
        found = self.of(extension(43, vector(1, b"\x0a\x0a\x03\x04")) + extension(0x2A2A, b""))
        self.assertEqual(found.versions, (0x0A0A, 0x0304))

    def test_manyRecords(self) -> None:
        """RFC 8446 §5.1: a message may be cut anywhere."""
        for size in (1, 2, 3, 4, 5, 100, 516):
            self.assertEqual(told([recut(HELLO, size)]), told([HELLO]), size)

    def test_upToTheLimit(self) -> None:
        """With the headers of its records, and not an octet more."""
        room = LIMIT_OCTETS - 5 - len(message(body(extension(21, b""))))
        self.assertEqual(
            told([record(message(body(extension(21, bytes(room)))))]),
            ClientHello("", (), (0x303,)),
        )
        for large in (
            record(message(body(extension(21, bytes(room + 1))))[:-10]),
            record(message(bytes(LIMIT_OCTETS + 1))[:4]),
            records(message(body(extension(21, bytes(room)))), 8000),
        ):
            self.assertEqual(told([large]), ("it is too long", ILLEGAL))

    def test_whatIsMissing(self) -> None:
        """So that who waits for it need not look at each octet."""
        reader = HelloReader()
        self.assertEqual(reader.missing, 5)
        reader.feed(HELLO[:3])
        self.assertEqual(reader.missing, 2)
        reader.feed(HELLO[3:5])
        self.assertEqual(reader.missing, len(HELLO) - 5)
        reader.feed(HELLO[5:20])
        self.assertEqual(reader.missing, len(HELLO) - 20)
        self.assertEqual(repr(reader), f"<HelloReader 15 of {len(HELLO) - 5}>")
        reader = HelloReader()
        reader.feed(recut(HELLO, 100)[:105])
        self.assertEqual(reader.missing, 5)
        reader = HelloReader()
        reader.feed(record(message(body()) + bytes(100))[:50])
        self.assertEqual(reader.missing, 5 + len(message(body())) - 50)

    def test_comparing(self) -> None:
        """Equal if they say the same."""
        hello = ClientHello("a", (b"b",), (1,))
        self.assertNotEqual(hello, ("a", (b"b",), (1,)))
        self.assertNotEqual(hello, ClientHello("b", (b"b",), (1,)))
        self.assertEqual(len({hello, ClientHello("a", (b"b",), (1,))}), 1)
        self.assertEqual(repr(hello), "<ClientHello 'a' (b'b',) (1,)>")


class RefusalTests(SynchronousTestCase):
    """What is not as it should be is refused, and not repaired."""

    def refuses(self, octets: bytes, alert: int) -> None:
        """These octets are an error, as soon as they are there."""
        found = told([octets])
        assert isinstance(found, tuple), found
        self.assertEqual(found[1], alert, found)

    def test_records(self) -> None:
        """RFC 8446 §5.1."""
        for octets, alert in (
            (b"\x15\x03\x03\x00\x02\x01\x00", UNEXPECTED),
            (b"\x80\x2e\x01\x03\x01", UNEXPECTED),
            (b"\x00", UNEXPECTED),
            (b"\x16\x02", BROKEN),
            (b"\x16\x03\x01\x40\x01", OVERFLOW),
            (b"\x16\x03\x01\x00\x00", UNEXPECTED),
            (HELLO[:3] + b"\x00\x01" + HELLO[5:6] + b"\x17", UNEXPECTED),
            (record(b"\x02"), UNEXPECTED),
        ):
            self.refuses(octets, alert)

    def test_messages(self) -> None:
        """RFC 8446 §4.1.2."""
        for octets in (
            b"",
            body()[:34],
            body(session=bytes(33)),
            body(suites=b""),
            body(suites=bytes(3)),
            body(compression=b""),
            body() + b"\x00",
            body(None) + b"\x00",
            body(None) + b"\x00\x05\x00",
            body(b"\x00\x17\x00"),
            body(b"\x00\x17\x00\x01"),
        ):
            self.refuses(record(message(octets)), BROKEN)
        self.refuses(record(message(body(extension(23, b"") * 2))), ILLEGAL)

    def test_extensions(self) -> None:
        """RFC 6066 §3, RFC 7301 §3.1, RFC 8446 §4.2.1."""
        for data, alert in (
            (serverName(b"a", b"b"), ILLEGAL),
            (serverName(b"a b"), ILLEGAL),
            (serverName(b"\xc3\xa4"), ILLEGAL),
            (serverName(b"a\x00.example"), ILLEGAL),
            (serverName(b".example"), ILLEGAL),
            (serverName(b"a" * 255), ILLEGAL),
            (serverName(b""), BROKEN),
            (serverName(), BROKEN),
            (extension(0, b""), BROKEN),
            (extension(0, vector(2, b"\x00\x00\x05abc")), BROKEN),
            (extension(0, vector(2, b"\x00\x00\x01a") + b"\x00"), BROKEN),
            (alpn(), BROKEN),
            (alpn(b""), BROKEN),
            (alpn(b"h2", b""), BROKEN),
            (extension(16, b"\x00\x05\x02h2"), BROKEN),
            (extension(43, b"\x00"), BROKEN),
            (extension(43, b"\x03\x03\x04\x03"), BROKEN),
            (extension(43, b"\x02\x03\x04\x00"), BROKEN),
        ):
            self.refuses(record(message(body(data))), alert)


class PropertyTests(SynchronousTestCase):
    """What holds for all octets."""

    @given(st.binary(max_size=600) | st.binary(max_size=300).map(lambda each: HELLO[:5] + each))
    def test_anythingIsAMessageOrAnError(self, octets: bytes) -> None:
        """And nothing else is ever raised; nor is much of it held."""
        told([octets])

    @given(
        st.sampled_from([HELLO, MODERN, recut(HELLO, 50)]),
        st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4),
        cuts,
    )
    def test_anyChunking(
        self, hello: bytes, spoilt: list[tuple[int, int]], places: list[int]
    ) -> None:
        """Real ones, with a few octets spoilt, are the same in any pieces."""
        octets = bytearray(hello)
        for place, value in spoilt:
            octets[place % len(octets)] = value
        whole = told([bytes(octets)])
        self.assertEqual(told(pieces(bytes(octets), places)), whole)
        self.assertEqual(told(bytes((each,)) for each in octets), whole)

    @given(st.data())
    def test_cutShort(self, data: st.DataObject) -> None:
        """Without its end, a message is none, and nothing is wrong with it."""
        hello = data.draw(st.sampled_from([HELLO, MODERN]))
        end = data.draw(st.integers(0, len(hello) - 1))
        self.assertIsNone(told([hello[:end]]))

    @given(st.integers(1, 40000), st.integers(1, 3000))
    def test_littleIsHeld(self, count: int, size: int) -> None:
        """However it comes, no more than the limit."""
        reader = HelloReader()
        octets = records(message(b"x" * count), size)
        try:
            for index in range(0, len(octets), 1000):
                reader.feed(octets[index : index + 1000])
                self.assertLessEqual(len(reader._message), LIMIT_OCTETS)
        except ValueError:
            pass

    @given(
        st.binary(min_size=1, max_size=100)
        | st.from_regex(rb"[A-Z][A-Za-z0-9.-]{0,40} ?[ -~]{0,10}", fullmatch=True)
    )
    def test_whatIsTLSIsNoHTTP(self, octets: bytes) -> None:
        """No octets are both."""
        if isPlainHTTP(octets):
            self.assertIsInstance(told([octets]), tuple)


class PlainTests(SynchronousTestCase):
    """Clients that speak no TLS."""

    def test_requests(self) -> None:
        """Of any method, also when only their first octet has come."""
        for octets in (b"GET / HTTP/1.1\r\n", b"G", b"VERSION-CONTROL /", b"PRI * HTTP/2.0"):
            self.assertTrue(isPlainHTTP(octets), octets)

    def test_others(self) -> None:
        """TLS, garbage, and who speaks of something else."""
        for octets in (HELLO[:1], HELLO, b"\x00", b"SSH-2.0-x", b"get /", b"A" * 40, b" GET /"):
            self.assertFalse(isPlainHTTP(octets), octets)


class AlertTests(SynchronousTestCase):
    """What is said to clients that are refused."""

    def test_clientsUnderstandIt(self) -> None:
        """OpenSSL's, of every version."""
        for highest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            client = MemoryClient(b"a.example", highest=highest)
            client.speaks()
            client.hears(encodeAlert(112))
            client.speaks()
            self.assertIn("unrecognized name", client.error.args[0][0][2])

    def test_whatIsReadHereIsReadByOpenSSL(self) -> None:
        """A hello in many records reaches a server that is passed it."""
        context = SSL.Context(SSL.TLS_METHOD)
        names: list[bytes | None] = []
        context.set_tlsext_servername_callback(
            lambda connection: names.append(connection.get_servername())
        )
        server = SSL.Connection(context, None)
        server.set_accept_state()
        server.bio_write(recut(HELLO, 100))
        meet(MemoryClient(), server)
        self.assertEqual(names, [b"a.example"])
