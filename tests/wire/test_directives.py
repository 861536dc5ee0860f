# -*- test-case-name: tests.wire.test_directives -*-
"""
L{intermediary.wire.directives}: C{Cache-Control} and its arguments.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from intermediary.wire import directives
from intermediary.wire.directives import (
    DELTA_LIMIT,
    Directives,
    fieldNames,
    parseDirectives,
    parseSeconds,
)

from .strategies import octets, tokens


class DirectiveTests(SynchronousTestCase):
    """L{parseDirectives}: RFC 9111 §5.2."""

    def assertRead(self, table: list[tuple[bytes, Directives]]) -> None:
        """Each value is read as expected."""
        for value, expected in table:
            self.assertEqual(parseDirectives(value), expected, value)

    def test_names(self) -> None:
        """In any case, with white space and empty elements between them."""
        self.assertRead(
            [
                (b"", {}),
                (b",, ,\t,", {}),
                (b"no-store", {b"no-store": None}),
                (b"No-StOrE", {b"no-store": None}),
                (b"public,no-transform", {b"public": None, b"no-transform": None}),
                (b" ,public \t,, no-transform,", {b"public": None, b"no-transform": None}),
                (b"foobar, max-age=3600", {b"foobar": None, b"max-age": b"3600"}),
            ]
        )

    def test_arguments(self) -> None:
        """Tokens and quoted strings are the same (RFC 9111 §5.2)."""
        self.assertRead(
            [
                (b"max-age=3600", {b"max-age": b"3600"}),
                (b'max-age="3600"', {b"max-age": b"3600"}),
                (b"MaX-aGe=3600", {b"max-age": b"3600"}),
                (b"max-age='3600'", {b"max-age": b"'3600'"}),
                (b'a="b, c=\\"d\\\\", e', {b"a": b'b, c="d\\', b"e": None}),
                (b'a=""', {b"a": b""}),
                (
                    b'extension="max-age=3600", max-age=1',
                    {b"extension": b"max-age=3600", b"max-age": b"1"},
                ),
                (b'no-cache="a, B"', {b"no-cache": b"a, B"}),
            ]
        )

    def test_garbageIsSkipped(self) -> None:
        """Elements that are no directives leave the others alone."""
        self.assertRead(
            [
                (b"=5, a", {b"a": None}),
                (b"a=, b", {b"b": None}),
                (b"a b, c", {b"c": None}),
                (b"a=b c, d", {b"d": None}),
                (b'a="b"c, d', {b"d": None}),
                (b"\xff\xff, a", {b"a": None}),
                (b"public =1", {}),
                (b'a="b, c', {b"c": None}),
                (b'a="b\\', {}),
            ]
        )

    def test_whatRestrictsCountsAnyway(self) -> None:
        """However unreadable the rest of the element is."""
        self.assertRead(
            [
                (b"no-store =1", {b"no-store": b""}),
                (b"max-age =3600", {b"max-age": b""}),
                (b"max-age= 3600", {b"max-age": b""}),
                (b'private="a', {b"private": None}),
                (b"no-cache ;", {b"no-cache": None}),
            ]
        )

    def test_duplicates(self) -> None:
        """The more restrictive argument counts (RFC 9111 §4.2.1)."""
        self.assertRead(
            [
                (b"max-age=1800, max-age=1", {b"max-age": b"1"}),
                (b"max-age=1, max-age=1800", {b"max-age": b"1"}),
                (b"max-age=1, max-age=x", {b"max-age": b""}),
                (b"max-age, max-age=1", {b"max-age": b""}),
                (b"s-maxage=5, s-maxage=05", {b"s-maxage": b"5"}),
                (b"min-fresh=1, min-fresh=3, min-fresh=2", {b"min-fresh": b"3"}),
                (b"min-fresh=1, min-fresh=x", {b"min-fresh": b""}),
                (b"max-stale, max-stale=5", {b"max-stale": b"5"}),
                (b"max-stale=5, max-stale", {b"max-stale": b"5"}),
                (b"max-stale, max-stale", {b"max-stale": None}),
                (b"stale-if-error=5, stale-if-error=4", {b"stale-if-error": b"4"}),
                (b'private="a", private', {b"private": None}),
                (b'private, private="a"', {b"private": None}),
                (b'no-cache="a", no-cache="b"', {b"no-cache": b"a,b"}),
                (b"a=1, a=2", {b"a": b"1"}),
            ]
        )

    def test_hardValues(self) -> None:
        """Time grows with length and no faster: a head has 64 KiB of any of them."""
        for piece in (
            *(b"no-store,", b"max-age=5,", b'no-cache="a",', b"private=a,", b"e1, "),
            *(b'a="b,', b'a="b"c,', b'a=" ,a="x"y,', b'a="\\",', b'\\"a=",', b'"', b'"\\'),
            *(b" ,\t", b"a ", b"a  \t x,", b"a=", b"=", b"\\"),
        ):
            value = (piece * (65536 // len(piece) + 1))[:65536]
            for whole in (value, b'a="' + value, value + b'"', b"max-age=" + value):
                parseDirectives(whole)

    def test_theMemoIsBounded(self) -> None:
        """In number and in octets, and gives equal answers."""
        for number in range(2000):
            self.assertEqual(parseDirectives(b"a=%d" % number), {b"a": b"%d" % number})
        self.assertLessEqual(len(directives._memo), 512)
        value = b"a=" + b"1" * 1000
        self.assertEqual(parseDirectives(value), {b"a": b"1" * 1000})
        self.assertNotIn(value, directives._memo)

    @given(st.binary(max_size=60) | octets(b'a-=",\\ \t0', 0, 30))
    def test_anyOctets(self, value: bytes) -> None:
        """Nothing raises, and names are tokens in lower case."""
        for name in parseDirectives(value):
            self.assertTrue(name)
            self.assertEqual(name, name.lower())

    @given(
        st.dictionaries(tokens.map(bytes.lower), st.none() | octets(b'ab", \\', 0, 8), max_size=5)
    )
    def test_whatIsWrittenIsRead(self, expected: Directives) -> None:
        """As quoted strings, with escapes."""
        written = [
            name
            if argument is None
            else b'%b="%b"' % (name, argument.replace(b"\\", b"\\\\").replace(b'"', b'\\"'))
            for name, argument in expected.items()
        ]
        self.assertEqual(parseDirectives(b" , ".join(written)), expected)

    @given(st.lists(st.integers(0, 100), min_size=1, max_size=4))
    def test_neverMoreThanTheFirst(self, ages: list[int]) -> None:
        """Several C{max-age} never allow more than the first of them."""
        value = b", ".join(b"max-age=%d" % age for age in ages)
        seconds = parseSeconds(parseDirectives(value)[b"max-age"])
        self.assertEqual(seconds, min(ages))


class SecondsTests(SynchronousTestCase):
    """L{parseSeconds}: RFC 9111 §1.2.2."""

    def test_numbers(self) -> None:
        """Leading zeros are nothing; what is too large is capped."""
        for argument, seconds in (
            (b"0", 0),
            (b"3600", 3600),
            (b"003600", 3600),
            (b"2147483647", DELTA_LIMIT - 1),
            (b"2147483648", DELTA_LIMIT),
            (b"2147483649", DELTA_LIMIT),
            (b"99999999999", DELTA_LIMIT),
            (b"9" * 10000, DELTA_LIMIT),
            (b"0" * 10000, 0),
            (b"0" * 10000 + b"7", 7),
        ):
            self.assertEqual(parseSeconds(argument), seconds, argument[:20])

    def test_others(self) -> None:
        """No sign, no fraction, no unit."""
        for argument in (
            None, b"", b"-1", b"+1", b"1.0", b"1.5", b"a1", b"1a", b" 1", b"1 ", b"'1'", b"1e3",
            b"1\n", "١".encode(),
        ):  # fmt: skip
            self.assertIsNone(parseSeconds(argument), argument)


class FieldNameTests(SynchronousTestCase):
    """L{fieldNames}: RFC 9111 §5.2.2.4 and §5.2.2.7."""

    def test_names(self) -> None:
        """A list, in any case; all of them are good or none is."""
        for argument, names in (
            (b"a", {b"a"}),
            (b"A, set-Cookie", {b"a", b"set-cookie"}),
            (b", a,,\tb ", {b"a", b"b"}),
            (b"", set()),
            (b"a, b c", set()),
        ):
            self.assertEqual(fieldNames(argument), names, argument)
