# -*- test-case-name: tests.wire.test_targeted -*-
"""
L{intermediary.wire.targeted}: targeted cache control.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from intermediary.wire.fields import Fields
from intermediary.wire.targeted import chooseControl, parseDictionary

from .strategies import octets

if TYPE_CHECKING:
    from intermediary.wire.directives import Directives


class DictionaryTests(SynchronousTestCase):
    """L{parseDictionary}: RFC 9213 §2.1, RFC 9651 §4.2.2."""

    def test_members(self) -> None:
        """Integers, strings, tokens and booleans become arguments."""
        table: list[tuple[bytes, Directives]] = [
            (b"max-age=3600", {b"max-age": b"3600"}),
            (b"foobar, max-age=3600", {b"foobar": None, b"max-age": b"3600"}),
            (b"  no-store ,\tprivate  ", {b"no-store": None, b"private": None}),
            (b"max-age=99999999999", {b"max-age": b"99999999999"}),
            (b"max-age=-1", {b"max-age": b"-1"}),
            (b"a\t", {b"a": None}),
            (b'a=%"%e2%82%ac %f0%9f%98%80"', {b"a": b'%"%e2%82%ac %f0%9f%98%80"'}),
            (b"a=?1, b=?0, c=d", {b"a": None, b"c": b"d"}),
            (b'private="a, \\"b\\""', {b"private": b'a, "b"'}),
            (b"max-age=5;x;y=2;  z=a", {b"max-age": b"5"}),
            (b"max-age=5, max-age=6", {b"max-age": b"6"}),
            (b"a, a=?0, b", {b"b": None}),
            (b"a=(b c;d  1.5), e", {b"a": None, b"e": None}),
            (b"a=(), b=:YQ==:, c=1.250, d=@1, e=%\"a%c3%a4\"", {
                b"a": None, b"b": b":YQ==:", b"c": b"1.250", b"d": b"@1", b"e": b'%"a%c3%a4"',
            }),
        ]  # fmt: skip
        for value, expected in table:
            self.assertEqual(parseDictionary(value), expected, value)

    def test_hardValues(self) -> None:
        """Time grows with length and no faster: a head has 64 KiB of any of them."""
        for piece in (
            *(b"a=1, ", b"e1;b;c=1, ", b"a, ", b"a;", b";b=1", b"(b ", b"b ", b'"', b'\\"'),
            *(b"a=(b c), ", b'a="b', b"AAAA", b"=", b"%e2%82%ac", b" ", b",\t", b"1.5"),
        ):
            value = (piece * (65536 // len(piece) + 1))[:65536]
            for begin in (b"", b"a=", b'a="', b"a=(", b"a=:", b'a=%"', b"a;"):
                for end in (b"", b'"', b")", b":"):
                    parseDictionary(begin + value + end)

    def test_invalid(self) -> None:
        """Any error makes the field as if absent, and so does emptiness."""
        for value in (
            b"",
            b"   ",
            b"a=?0",
            b"max-age =100",
            b"max-age= 100",
            b"MaX-aGe=3600",
            b"max-age=10000, &&&&&",
            b"max-age=10000,",
            b", max-age=10000",
            b"max-age=1,,a",
            b"max-age=1 a",
            b"max-age=1 ; a",
            b"max-age=1;",
            b"max-age=1234567890123456",
            b"max-age",
            b'max-age="10000"',
            b"max-age=1.5",
            b"max-age=a",
            b"max-age=?1",
            b"max-age=(1)",
            b"s-maxage=1.0",
            b"stale-if-error",
            b'a="b',
            b'a="\\b"',
            b'a="\xc3\xa4"',
            b"a=(b",
            b"a=(b,c)",
            b"a=1.",
            b"a=1.2345",
            b"a=--1",
            b"a=?2",
            b"\ta",
            b"a,\t",
            b"a=:a:",
            b"a=:YQ===:",
            b'a=%"%ff"',
            b'a=%"%C3%A4"',
            b'a=%"%c3"',
            b'a=%"%ed%a0%80"',
            b'a=%"%f4%90%80%80"',
        ):
            self.assertIsNone(parseDictionary(value), value)

    @given(octets(b'a1=,; \t"\\()?:@%.-*', 0, 30) | st.binary(max_size=40))
    def test_anyOctets(self, value: bytes) -> None:
        """Nothing raises."""
        parseDictionary(value)

    @given(st.dictionaries(octets(b"abc-", 1, 5).map(lambda key: b"x" + key), st.integers(0, 999)))
    def test_whatIsWrittenIsRead(self, members: dict[bytes, int]) -> None:
        """A Dictionary of Integers."""
        written = b", ".join(b"%b=%d" % member for member in members.items())
        expected = {key: b"%d" % value for key, value in members.items()}
        self.assertEqual(parseDictionary(written), expected or None)


class ChoiceTests(SynchronousTestCase):
    """L{chooseControl}: RFC 9213 §2.2."""

    def choose(self, *pairs: tuple[bytes, bytes]) -> tuple[Directives, bytes | None, bytes | None]:
        """Directives, C{Expires} and the name of the field that was chosen."""
        control = chooseControl(
            Fields.fromPairs(pairs), (b"own-cache-control", b"cdn-cache-control")
        )
        return control.directives, control.expires, control.source

    def test_withoutAny(self) -> None:
        """C{Cache-Control}, whose lines are one list, and C{Expires}."""
        self.assertEqual(self.choose(), ({}, None, None))
        self.assertEqual(
            self.choose((b"Cache-Control", b"a"), (b"cache-control", b"b=1"), (b"Expires", b"0")),
            ({b"a": None, b"b": b"1"}, b"0", None),
        )

    def test_itReplacesTheOthers(self) -> None:
        """Both C{Cache-Control} and C{Expires}."""
        self.assertEqual(
            self.choose(
                (b"Cache-Control", b"no-store"),
                (b"CDN-Cache-Control", b"max-age=5"),
                (b"Expires", b"0"),
            ),
            ({b"max-age": b"5"}, None, b"cdn-cache-control"),
        )

    def test_theOrderOfTheListCounts(self) -> None:
        """The first that is valid, wherever it stands in the response."""
        pairs = ((b"CDN-Cache-Control", b"a"), (b"Own-Cache-Control", b"b"))
        self.assertEqual(self.choose(*pairs)[2], b"own-cache-control")
        pairs = ((b"CDN-Cache-Control", b"a"), (b"Own-Cache-Control", b"B"))
        self.assertEqual(self.choose(*pairs)[2], b"cdn-cache-control")

    def test_noneIsValid(self) -> None:
        """Then C{Cache-Control} counts."""
        self.assertEqual(
            self.choose((b"CDN-Cache-Control", b"&"), (b"Cache-Control", b"no-store")),
            ({b"no-store": None}, None, None),
        )

    def test_whatIsNotListedIsNothing(self) -> None:
        """RFC 9213 §2.2: it must not change what we do."""
        self.assertEqual(self.choose((b"Surrogate-Control", b"max-age=5")), ({}, None, None))
