# -*- test-case-name: tests.wire.test_cachekey -*-
"""
L{intermediary.wire.cachekey}: primary keys.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from intermediary.wire.cachekey import KeyMaker, mayBeKeyed, normaliseTarget
from intermediary.wire.fields import EMPTY, Fields, Pair

from .strategies import octets, targets


class TargetTests(SynchronousTestCase):
    """L{normaliseTarget}: RFC 3986 §6.2.2."""

    def test_whatIsEquivalent(self) -> None:
        """Encodings that need not be, digits in lower case, dot segments."""
        for target, normal in (
            (b"/%61%7e%2d", b"/a~-"),
            (b"/%c3%A4", b"/%C3%A4"),
            (b"/a?%62=%2f", b"/a?b=%2F"),
            (b"/a/./b/../c", b"/a/c"),
            (b"/../../a", b"/a"),
            (b"/a/..", b"/"),
            (b"/a/.", b"/a/"),
            (b"/.", b"/"),
            (b"/a/%2E%2e/b", b"/b"),
            (b"/a/../b?c/../d", b"/b?c/../d"),
            (b"/a//../b", b"/a/b"),
        ):
            self.assertEqual(normaliseTarget(target), normal, target)

    def test_whatIsNot(self) -> None:
        """What an origin may tell apart stays."""
        for target in (
            b"/",
            b"/a%2Fb",
            b"/a//b",
            b"/a/",
            b"/a",
            b"/A",
            b"/a?",
            b"/a?b/./c",
            b"/a?b&c",
            b"/a+b",
            b"/a%20b",
            b"/%252e%252e/",
            b"/%",
            b"/%zz%4",
            b"/%%36%31",
            b"/...",
            b"/a.b/.c/..d",
            b"/a;b",
        ):
            self.assertEqual(normaliseTarget(target), target, target)

    @given(targets | octets(b"/.%2eE63fFaA?", 0, 20).map(lambda rest: b"/" + rest))
    def test_itIsStable(self, target: bytes) -> None:
        """What is normal stays as it is, and is a path."""
        normal = normaliseTarget(target)
        self.assertEqual(normaliseTarget(normal), normal)
        if target.startswith(b"/"):
            self.assertTrue(normal.startswith(b"/"))


class KeyTests(SynchronousTestCase):
    """L{KeyMaker}: RFC 9111 §2."""

    def key(
        self,
        maker: KeyMaker,
        target: bytes,
        *pairs: Pair,
        origin: tuple[str, str, int] = ("http", "a", 80),
    ) -> bytes:
        """Make the key of a request, twice: the second time something is remembered."""
        request = Fields.fromPairs(pairs)
        one = maker.make(*origin, target, request)
        self.assertEqual(maker.make(*origin, target, request), one)
        return one

    def test_origins(self) -> None:
        """Scheme, host and port; what says the same is the same (RFC 9110 §4.2.3)."""
        maker = KeyMaker()
        for origin, expected in (
            (("http", "a.example", 80), b"http://a.example/b"),
            (("https", "A.example.", 443), b"https://a.example/b"),
            (("https", "a.example", 80), b"https://a.example:80/b"),
            (("http", "::1", 8080), b"http://[::1]:8080/b"),
        ):
            self.assertEqual(self.key(maker, b"/b", origin=origin), expected)

    def test_manyOrigins(self) -> None:
        """A forward proxy meets more hosts than it remembers."""
        maker = KeyMaker()
        for number in range(2000):
            maker.make("http", f"a{number}", 80, b"/", EMPTY)
        self.assertLessEqual(len(maker._origins), 1024)

    def test_partitions(self) -> None:
        """They do not meet."""
        self.assertEqual(self.key(KeyMaker(partition=b"p"), b"/"), b"p http://a/")
        self.assertRaises(ValueError, KeyMaker, partition=b"a b")

    def test_targetsAreNormalised(self) -> None:
        """Query and all."""
        self.assertEqual(self.key(KeyMaker(), b"/%61/../b?c=%2f"), b"http://a/b?c=%2F")

    def test_droppedParameters(self) -> None:
        """By patterns of their names, however these are encoded."""
        maker = KeyMaker(dropParameters=[b"utm_*", b"x.y"])
        for target, expected in (
            (b"/?a=1&utm_source=2&b", b"/?a=1&b"),
            (b"/?utm%5Fsource=2", b"/"),
            (b"/?UTM_a=1&autm_=2&xay=3&x.y", b"/?UTM_a=1&autm_=2&xay=3"),
            (b"/?", b"/?"),
            (b"/utm_a=1", b"/utm_a=1"),
            (b"/?a&&b", b"/?a&&b"),
        ):
            self.assertEqual(self.key(maker, target), b"http://a" + expected, target)
        self.assertEqual(self.key(KeyMaker(dropParameters=[b"*"]), b"/?a&&b="), b"http://a/")

    def test_sortedParameters(self) -> None:
        """By name; those of one name keep their order."""
        maker = KeyMaker(sortParameters=True)
        self.assertEqual(self.key(maker, b"/?b=2&a=9&b=1&c&a"), b"http://a/?a=9&a&b=2&b=1&c")
        self.assertEqual(self.key(KeyMaker(), b"/?b&a"), b"http://a/?b&a")

    def test_addedFields(self) -> None:
        """An absent one is not an empty one."""
        maker = KeyMaker(fields=[b"X-B", b"x-a"])
        self.assertEqual(self.key(maker, b"/"), b"http://a/\nx-a\nx-b")
        self.assertEqual(
            self.key(maker, b"/", (b"X-A", b""), (b"x-b", b"1"), (b"X-B", b"2")),
            b"http://a/\nx-a: \nx-b: 1, 2",
        )
        self.assertRaises(ValueError, KeyMaker, fields=[b"a:"])

    def test_addedCookies(self) -> None:
        """Those named, and no others."""
        maker = KeyMaker(cookies=[b"b", b"a"])
        for pairs, expected in (
            ([], b"\n=a\n=b"),
            ([(b"Cookie", b"")], b"\n=a\n=b"),
            ([(b"Cookie", b"c=1")], b"\n=a\n=b"),
            ([(b"Cookie", b"b=2; c=3;a=1;  d=; A=5")], b"\na=1\nb=2"),
            ([(b"Cookie", b'b="2"; a=')], b'\na=\nb="2"'),
            ([(b"Cookie", b"b=2=; c=1; c=2")], b"\n=a\nb=2="),
        ):
            self.assertEqual(self.key(maker, b"/", *pairs), b"http://a/" + expected)

    def test_cookiesThatMayMeanTwoThings(self) -> None:
        """Servers do not agree about them, so there is no key (RFC 6265 §4.2.1)."""
        maker = KeyMaker(fields=[b"x"], cookies=[b"a"])
        for value in (
            b"a=1; a=2",
            b"a=1; a=1",
            b"a",
            b"a=1;",
            b"; a=1",
            b"a=1,b=2",
            b"a=1; b=2 3",
            b"a =1",
            b'b="x; a=1',
            b'b="x; a=1"',
            b"b=\\; a=1",
            b"a=1;\tb=2",
            b"a=\xe9",
            b"=1; a=1",
        ):
            self.assertEqual(self.key(maker, b"/", (b"Cookie", value)), b"", value)
        self.assertEqual(self.key(maker, b"/", (b"Cookie", b"a=1"), (b"Cookie", b"b=2")), b"")

    def test_fieldsThatMayMeanTwoThings(self) -> None:
        """Servers that make variables of them take both spellings for one, so there is no key."""
        for name, other in ((b"X-A", b"x_a"), (b"X_A", b"X-a"), (b"X-A_B", b"x_a-b")):
            maker = KeyMaker(fields=[name])
            self.assertEqual(self.key(maker, b"/", (other, b"1")), b"", other)
            self.assertEqual(self.key(maker, b"/", (name, b"1"), (other, b"1")), b"")
            self.assertTrue(self.key(maker, b"/", (name, b"1"), (b"Y_A", b"1")))
        both = KeyMaker(fields=[b"X-A", b"X_A"])
        self.assertTrue(self.key(both, b"/", (b"X-A", b"1"), (b"X_A", b"2")))

    def test_whatAnOriginGetsOtherwise(self) -> None:
        """Is not for a key: whoever writes it would choose whose answers get replaced."""
        for name in (
            b"Host",
            b"Connection",
            b"TE",
            b"Proxy-Anything",
            b"X-Forwarded-Proto",
            b"X_Forwarded_Proto",
            b"Forwarded",
            b"Cookie",
            b"Range",
            b"Cache-Control",
            b"Pragma",
        ):
            self.assertFalse(mayBeKeyed(name.lower()), name)
            self.assertRaises(ValueError, KeyMaker, fields=[name])
        for name in (b"x-device", b"accept-language", b"authorization", b"origin"):
            self.assertTrue(mayBeKeyed(name), name)

    def test_whatConnectionNames(self) -> None:
        """Is absent, as it is for the origin (RFC 9110 §7.6.1); but for what it may not name."""
        maker = KeyMaker(fields=[b"x-a", b"accept"], cookies=[b"c"])
        self.assertEqual(
            self.key(
                maker,
                b"/",
                (b"Connection", b"close, X-A, Accept, Cookie"),
                (b"X-A", b"1"),
                (b"Accept", b"2"),
                (b"Cookie", b"c=3"),
            ),
            b"http://a/\naccept: 2\nx-a\nc=3",
        )

    def test_common(self) -> None:
        """What all keys of a target begin with; none of them is that itself."""
        for more in ({}, {"fields": [b"x"]}, {"cookies": [b"x"]}):
            maker = KeyMaker(partition=b"p", sortParameters=True, dropParameters=[b"u"], **more)
            self.assertEqual(maker.several, bool(more))
            key = self.key(maker, b"/%61?c&u&b")
            self.assertEqual(maker.common("http", "a", 80, b"/%61?c&u&b"), b"p http://a/a?b&c")
            self.assertEqual(
                key.partition(b"\n")[:2], (b"p http://a/a?b&c", b"\n" if more else b"")
            )

    @given(
        octets(b"/.%2eE61?&=ubc", 0, 20).map(lambda rest: b"/" + rest),
        st.booleans(),
        st.sampled_from([(), (b"u",), (b"u*", b"b"), (b"*",)]),
    )
    def test_aTargetInAKeyIsStable(
        self, target: bytes, sorts: bool, dropped: tuple[bytes, ...]
    ) -> None:
        """It has that very key: L{Targets.shelfFor} relies on this."""
        maker = KeyMaker(sortParameters=sorts, dropParameters=dropped)
        key = self.key(maker, target)
        self.assertEqual(self.key(maker, key.removeprefix(b"http://a")), key)

    @given(
        st.lists(
            st.tuples(
                st.sampled_from([("http", "a", 80), ("http", "a", 81), ("https", "a", 443)]),
                st.sampled_from([b"/", b"/?x", b"/a", b"/x:", b"/80"]),
                st.sampled_from(
                    [
                        (),
                        ((b"X", b"1"),),
                        ((b"X", b""),),
                        ((b"X", b"=x"),),
                        ((b"Cookie", b"x=1"),),
                        ((b"Cookie", b"x="),),
                        ((b"X", b"1"), (b"Cookie", b"x=")),
                    ]
                ),
            ),
            min_size=2,
            max_size=2,
            unique=True,
        )
    )
    def test_differentRequestsHaveDifferentKeys(
        self, requests: list[tuple[tuple[str, str, int], bytes, tuple[Pair, ...]]]
    ) -> None:
        """Whatever is added."""
        maker = KeyMaker(fields=[b"x"], cookies=[b"x"])
        one, other = (
            maker.make(*origin, target, Fields.fromPairs(pairs))
            for origin, target, pairs in requests
        )
        self.assertNotEqual(one, other)
