# -*- test-case-name: tests.wire.test_variants -*-
"""
L{intermediary.wire.variants}: secondary keys.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from intermediary.wire import variants
from intermediary.wire.fields import Fields, Pair
from intermediary.wire.variants import (
    VARY_LIMIT,
    contentLanguage,
    normalise,
    parseVary,
    preferredLanguage,
    secondaryKey,
)

from .strategies import octets, values


def section(*pairs: Pair) -> Fields:
    """The fields of a request."""
    return Fields.fromPairs(pairs)


class VaryTests(SynchronousTestCase):
    """L{parseVary}: RFC 9110 §12.5.5."""

    def test_names(self) -> None:
        """In lower case, sorted, each once."""
        for value, names in (
            (None, ()),
            (b"", ()),
            (b" , ,", ()),
            (b"Foo", (b"foo",)),
            (b"Foo, bar,\tFOO ,, Baz", (b"bar", b"baz", b"foo")),
            (b"x" * 300, (b"x" * 300,)),
        ):
            self.assertEqual(parseVary(value), names, value)
            self.assertEqual(parseVary(value), names, value)

    def test_everything(self) -> None:
        """A C{*} anywhere, and what can't be understood."""
        for value in (b"*", b"*, *", b", *", b"Foo, *", b"*, Foo", b"foo bar", b"foo;q=1", b'"a"'):
            self.assertIsNone(parseVary(value), value)
            self.assertIsNone(parseVary(value), value)

    def test_manyNames(self) -> None:
        """More than anybody needs are as good as a C{*}: each costs every request."""
        names = [b"n%02d" % number for number in range(VARY_LIMIT + 1)]
        self.assertEqual(parseVary(b",".join(names[1:])), tuple(names[1:]))
        self.assertEqual(parseVary(b",".join(names[1:] * 2)), tuple(names[1:]))
        self.assertIsNone(parseVary(b",".join(names)))
        self.assertIsNone(parseVary(b",".join([b"n%d" % number for number in range(8000)])))

    def test_theMemoIsBounded(self) -> None:
        """Whatever origins send."""
        for number in range(1500):
            parseVary(b"a%d" % number)
            secondaryKey((b"a",), section((b"A", b"%d" % number)))
        self.assertLessEqual(len(variants._varies), 512)
        self.assertLessEqual(len(variants._pieces), 512)
        value = b"1" * 1000
        self.assertEqual(secondaryKey((b"a",), section((b"A", value))), b"a:" + value)
        self.assertNotIn((b"a", value), variants._pieces)


class NominationTests(SynchronousTestCase):
    """What C{Connection} names: RFC 9110 §7.6.1."""

    def test_isAbsent(self) -> None:
        """Unless it is of those that nobody may name."""
        for connection in (b"close, A", b"a", b"a, keep-alive"):
            request = section((b"A", b"1"), (b"Accept", b"2"), (b"Connection", connection))
            self.assertEqual(secondaryKey((b"a",), request), b"a", connection)
            self.assertEqual(secondaryKey((b"a", b"accept"), request), b"a\naccept:2")
        for connection in (b"close", b"Keep-Alive", b"b", b"accept"):
            request = section((b"A", b"1"), (b"Accept", b"2"), (b"Connection", connection))
            self.assertEqual(secondaryKey((b"a", b"accept"), request), b"a:1\naccept:2")


class NormalTests(SynchronousTestCase):
    """L{normalise}: RFC 9111 §4.1."""

    def assertSame(self, name: bytes, *values: bytes) -> None:
        """All values mean the same."""
        self.assertEqual(len({normalise(name, value) for value in values}), 1, values)

    def assertDifferent(self, name: bytes, *values: bytes) -> None:
        """Each value means something else."""
        self.assertEqual(len({normalise(name, value) for value in values}), len(values), values)

    def test_whiteSpaceInLists(self) -> None:
        """It goes around commas, but not in quotes; everything else stays."""
        self.assertSame(b"foo", b"1,2", b"1, 2", b"1 \t,  2", b",1,,2,")
        self.assertSame(b"foo", b'"a, b", c', b'"a, b",c')
        self.assertDifferent(b"foo", b'"a, b"', b'"a,b"', b'"a\\", b"', b'"a\\",b"')
        self.assertDifferent(b"foo", b"a b", b"a  b", b"A b", b"b,a", b"a,b", b"")
        self.assertDifferent(b"foo", b'a", b', b'a",b', b'a", b\\')

    def test_longValues(self) -> None:
        """They stay as they are: nobody has us sort ten thousand languages."""
        for name in (b"foo", b"accept-language"):
            self.assertSame(name, b"a, " * 1000 + b"b", b"a," * 1000 + b"b")
            self.assertDifferent(name, b"a, " * 2000 + b"b", b"a," * 2000 + b"b")

    def test_hardValues(self) -> None:
        """Time grows with length and no faster."""
        for value in (b" " * 4000 + b"x,", b'"\\' * 2000, b'",' * 2000, b'"' + b"\\," * 2000):
            for name in (b"foo", b"accept-encoding"):
                normalise(name, value)

    def test_singleValues(self) -> None:
        """Fields that are no lists stay as they are."""
        self.assertDifferent(b"user-agent", b"a, b", b"a,b")
        self.assertDifferent(b"cookie", b"a, b", b"a,b", b"A,b")

    def test_preferences(self) -> None:
        """Order, case and white space mean nothing; weights do."""
        self.assertSame(b"accept-language", b"en, de", b"de, en", b"eN, De", b" en ,   de")
        self.assertSame(b"accept-language", b"de;q=1.0, en;q=0.50", b"en ; Q=0.5,de;q=1,,de")
        self.assertDifferent(b"accept-language", b"en, de;q=0.5", b"en;q=0.5, de", b"en, de", b"en")
        self.assertSame(b"accept-encoding", b"gzip, br", b"br,x-gzip", b"BR, GZIP;q=1.000")
        self.assertDifferent(b"accept-encoding", b"gzip", b"gzip;q=0", b"gzip;q=0.001", b"", b"*")
        self.assertDifferent(b"accept", b"a/b, c/d", b"c/d, a/b")

    def test_unreadablePreferences(self) -> None:
        """They are lists of who knows what."""
        self.assertSame(b"accept-language", b"en;q=2,de", b"en;q=2, de")
        self.assertDifferent(b"accept-language", b"en;q=2, de", b"de, en;q=2", b"en;x=1")

    @given(octets(b'a1,;q=."\\ \t-*', 0, 20) | values)
    def test_itIsStable(self, value: bytes) -> None:
        """What is normal stays as it is, and nothing raises."""
        for name in (b"foo", b"accept-language", b"cookie"):
            normal = normalise(name, value)
            self.assertEqual(normalise(name, normal), normal)


class SecondaryKeyTests(SynchronousTestCase):
    """L{secondaryKey}: RFC 9111 §4.1."""

    def key(self, *pairs: Pair) -> bytes:
        """The key by two fields."""
        return secondaryKey((b"bar", b"foo"), section(*pairs))

    def test_nothingSelects(self) -> None:
        """Then all requests are the same."""
        self.assertEqual(secondaryKey((), section((b"A", b"1"))), b"")

    def test_equal(self) -> None:
        """Order of lines and other fields do not matter, and lines are combined."""
        self.assertEqual(
            self.key((b"Foo", b"1"), (b"Bar", b"2, 3"), (b"Other", b"x")),
            self.key((b"bar", b"2"), (b"foo", b"1"), (b"bar", b"3")),
        )

    def test_different(self) -> None:
        """An absent field is no empty one, and none is another."""
        keys = {
            self.key(),
            self.key((b"foo", b"")),
            self.key((b"bar", b"")),
            self.key((b"foo", b"1")),
            self.key((b"bar", b"1")),
            self.key((b"foo", b"1"), (b"bar", b"1")),
            self.key((b"bar", b"1:foo")),
            self.key((b"foo", b"bar:1")),
        }
        self.assertEqual(len(keys), 8)

    @given(st.lists(st.tuples(st.sampled_from([b"foo", b"Bar", b"x"]), values), max_size=4))
    def test_absentFieldsAreSeen(self, pairs: list[Pair]) -> None:
        """Whatever the others hold."""
        request = section(*pairs)
        without = request.without({b"foo"})
        self.assertEqual(
            secondaryKey((b"foo",), request) == secondaryKey((b"foo",), without),
            b"foo" not in request,
        )


class LanguageTests(SynchronousTestCase):
    """L{preferredLanguage} and L{contentLanguage}."""

    def test_theOnePreferredToAllOthers(self) -> None:
        """In any order, by weight; none where two have the same or any will do."""
        for value, expected in (
            (b"de, en;q=0.5", b"de"),
            (b"fr;q=0.5, DE;q=1.0", b"de"),
            (b"de", b"de"),
            (b"de, fr", None),
            (b"*", None),
            (b"de;q=0", None),
            (b"", None),
            (b"de;x=1", None),
            # Nobody has us sort ten thousand languages.
            (b"de" + b", en;q=0.5" * 5000, None),
        ):
            request = section((b"Accept-Language", value))
            self.assertEqual(preferredLanguage(request), expected, value)
        self.assertIsNone(preferredLanguage(section()))

    def test_theOneOfAResponse(self) -> None:
        """Not if there are several, or if more than the language selects."""
        names = (b"accept-language",)
        for value, expected in ((b"De", b"de"), (b"de, en", None), (b"", None)):
            response = section((b"Content-Language", value))
            self.assertEqual(contentLanguage(names, response), expected)
            self.assertIsNone(contentLanguage((b"a", *names), response))
        self.assertIsNone(contentLanguage(names, section()))
