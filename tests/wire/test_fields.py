# -*- test-case-name: tests.wire.test_fields -*-
"""
L{intermediary.wire.fields}: field sections and their lookups.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from intermediary.wire.fields import EMPTY, Fields, parseFields


def section(*lines: bytes) -> Fields:
    """Parse lines that must be valid."""
    parsed = parseFields(b"".join(line + b"\r\n" for line in lines) + b"\r\n")
    assert parsed is not None, lines
    return parsed[0]


class ParseTests(SynchronousTestCase):
    """L{parseFields}: RFC 9112 §5."""

    def test_keepsOrderAndCase(self) -> None:
        """Lines come out in the order and the case of letters they had."""
        fields = section(b"B: 1", b"a: 2", b"A: 3")
        self.assertEqual(list(fields), [(b"B", b"1"), (b"a", b"2"), (b"A", b"3")])

    def test_whiteSpaceAroundAValueIsNotPartOfIt(self) -> None:
        """OWS before and after a value is dropped (RFC 9110 §5.5)."""
        fields = section(b"a:1", b"b: \t 2", b"c: 3 \t", b"d:", b"e: \t ", b"f:\t4 5\t")
        self.assertEqual(
            list(fields),
            [(b"a", b"1"), (b"b", b"2"), (b"c", b"3"), (b"d", b""), (b"e", b""), (b"f", b"4 5")],
        )

    def test_oneOddLineChangesNoOther(self) -> None:
        """Where one line has odd white space, the others read as ever."""
        fields = section(b"a: b: c", b"x:y", b"url: http://a.example/")
        self.assertEqual(fields.get(b"a"), b"b: c")
        self.assertEqual(fields.get(b"url"), b"http://a.example/")

    def test_obsTextIsTaken(self) -> None:
        """Octets of 0x80 and more are data (RFC 9110 §5.5)."""
        self.assertEqual(section(b"a: \x80\xff").get(b"a"), b"\x80\xff")

    def test_everyTokenCharacterMayBeInAName(self) -> None:
        """All of RFC 9110 §5.6.2 C{tchar}, and nothing else, makes a name."""
        tchar = set(b"!#$%&'*+-.^_`|~0123456789")
        tchar |= set(range(ord("a"), ord("z") + 1)) | set(range(ord("A"), ord("Z") + 1))
        for octet in range(256):
            parsed = parseFields(b"x%cy: v\r\n\r\n" % octet)
            if octet == ord(":"):
                assert parsed is not None
                self.assertEqual(parsed[0].pairs, [(b"x", b"y: v")])
            else:
                self.assertEqual(parsed is not None, octet in tchar, octet)

    def test_noControlButTabIsInAValue(self) -> None:
        """RFC 9110 §5.5: CTLs are invalid, HTAB is white space."""
        for octet in range(256):
            parsed = parseFields(b"x: a%cb\r\n\r\n" % octet)
            valid = octet == 9 or (octet >= 32 and octet != 127)
            self.assertEqual(parsed is not None, valid, octet)

    def test_theEndIsToldAndWhatFollowsIsNotRead(self) -> None:
        """The index after the empty line is returned; content is not looked at."""
        parsed = parseFields(b"GET\r\na: b\r\n\r\nc: d\r\n\r\n", 5)
        assert parsed is not None
        fields, end = parsed
        self.assertEqual((fields.pairs, end), ([(b"a", b"b")], 13))

    def test_aSectionWithoutItsEndIsNone(self) -> None:
        """Without the empty line there is no section."""
        for data in (b"", b"a: b\r\n", b"a: b\r\n\r", b"a: b", b"\r"):
            self.assertIsNone(parseFields(data))

    def test_noLines(self) -> None:
        """A section may be empty."""
        parsed = parseFields(b"\r\n")
        assert parsed is not None
        self.assertEqual(parsed, (EMPTY, 2))
        self.assertEqual(parsed[0].encoded, b"")

    def test_manyDuplicatesAreJoinedOnce(self) -> None:
        """Thousands of lines of one name are read in one go."""
        fields = section(*[b"a: b"] * 5000)
        value = fields.get(b"a")
        assert value is not None
        self.assertEqual(len(value), 5000 * 3 - 2)


class LookupTests(SynchronousTestCase):
    """Lookups take lower-case names."""

    fields = section(b"Host: a", b"Set-Cookie: x=1", b"X: 1", b"set-cookie: y=2", b"x: 2")

    def test_getJoinsDuplicates(self) -> None:
        """Values of one name are joined with a comma (RFC 9110 §5.3)."""
        self.assertEqual(self.fields.get(b"x"), b"1, 2")
        self.assertEqual(self.fields.get(b"host"), b"a")
        self.assertIsNone(self.fields.get(b"y"))

    def test_getAllKeepsLinesApart(self) -> None:
        """Each line's value is given, as C{Set-Cookie} needs it."""
        self.assertEqual(self.fields.getAll(b"set-cookie"), [b"x=1", b"y=2"])
        self.assertEqual(self.fields.getAll(b"y"), [])

    def test_containment(self) -> None:
        """C{in} asks for a name."""
        self.assertIn(b"set-cookie", self.fields)
        self.assertNotIn(b"Set-Cookie", self.fields)

    def test_length(self) -> None:
        """The length is the number of lines."""
        self.assertEqual(len(self.fields), 5)
        self.assertEqual(len(EMPTY), 0)

    def test_madeFieldsAreIndexedWhenAsked(self) -> None:
        """Fields that were not parsed answer the same."""
        fields = Fields.fromPairs(self.fields)
        self.assertEqual(fields.index, self.fields.index)
        self.assertEqual(fields, self.fields)
        self.assertEqual(hash(fields), hash(self.fields))
        self.assertNotEqual(fields, EMPTY)
        self.assertNotEqual(fields, 1)
        self.assertEqual(repr(EMPTY), "Fields([])")


class EncodingTests(SynchronousTestCase):
    """C{encoded} is what goes out."""

    def test_linesAreNormalised(self) -> None:
        """One space after the colon and none at the end, whatever came in."""
        fields = section(b"a:1", b"B:   2  ", b"c:")
        self.assertEqual(fields.encoded, b"a: 1\r\nB: 2\r\nc: \r\n")

    def test_setCookieLinesStayApart(self) -> None:
        """They must not be combined (RFC 9110 §5.3)."""
        fields = section(b"Set-Cookie: a=1", b"Set-Cookie: b=2")
        self.assertEqual(fields.encoded, b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n")

    def test_itIsMadeOnce(self) -> None:
        """The octets are remembered."""
        fields = section(b"a: 1")
        self.assertIs(fields.encoded, fields.encoded)


class ChangeTests(SynchronousTestCase):
    """What makes another section out of one."""

    fields = section(b"A: 1", b"B: 2", b"a: 3")

    def test_withoutDropsEveryLineOfAName(self) -> None:
        """Duplicates go as well."""
        self.assertEqual(self.fields.without({b"a"}).pairs, [(b"B", b"2")])

    def test_withoutNothingIsTheSame(self) -> None:
        """No copy is made when nothing is to go."""
        self.assertIs(self.fields.without({b"c"}), self.fields)
        self.assertIs(self.fields.without(frozenset()), self.fields)

    def test_addingAppends(self) -> None:
        """New lines go to the end; the original stays as it was."""
        self.assertEqual(self.fields.adding((b"C", b"4")).pairs[3:], [(b"C", b"4")])
        self.assertEqual(len(self.fields), 3)
        self.assertIs(self.fields.adding(), self.fields)

    def test_addingKeepsTheEncoding(self) -> None:
        """An encoding that was made is continued."""
        self.assertEqual(self.fields.encoded, b"A: 1\r\nB: 2\r\na: 3\r\n")
        self.assertEqual(
            self.fields.adding((b"C", b"4"), (b"D", b"5")).encoded,
            b"A: 1\r\nB: 2\r\na: 3\r\nC: 4\r\nD: 5\r\n",
        )

    def test_settingReplacesWhereTheFirstStood(self) -> None:
        """One line is left, in the first one's place."""
        self.assertEqual(self.fields.setting(b"a", b"9").pairs, [(b"a", b"9"), (b"B", b"2")])

    def test_settingAppendsWhatIsNotThere(self) -> None:
        """A new name goes to the end."""
        self.assertEqual(self.fields.setting(b"C", b"4").pairs[3:], [(b"C", b"4")])

    def test_settingWhatIsSetIsTheSame(self) -> None:
        """No copy is made when nothing changes, so memos live on."""
        self.assertIs(self.fields.setting(b"B", b"2"), self.fields)

    def test_whatIsNotAFieldIsRefused(self) -> None:
        """Nobody can smuggle a line in (RFC 9110 §5.5)."""
        for name, value in [
            (b"", b"a"),
            (b"a b", b"c"),
            (b"a:", b"c"),
            (b"a\r\n", b"c"),
            (b"a", b"b\r\nc: d"),
            (b"a", b"b\n"),
            (b"a", b"\x00"),
            (b"a", b" b"),
            (b"a", b"b\t"),
        ]:
            self.assertRaises(ValueError, Fields.fromPairs, [(name, value)])
            self.assertRaises(ValueError, EMPTY.adding, (name, value))
            self.assertRaises(ValueError, EMPTY.setting, name, value)

    def test_aValueMayBeEmpty(self) -> None:
        """RFC 9110 §5.5 allows it."""
        self.assertEqual(Fields.fromPairs([(b"a", b"")]).encoded, b"a: \r\n")

    def test_theMemoIsNoPartOfTheValue(self) -> None:
        """C{derived} is for the owner alone and is not passed on."""
        fields = section(b"a: 1")
        fields.derived = object()
        self.assertEqual(fields, section(b"a: 1"))
        self.assertIsNone(fields.adding((b"b", b"2")).derived)
