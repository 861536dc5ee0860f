# -*- test-case-name: tests.wire.test_conditional -*-
"""
L{intermediary.wire.conditional}: preconditions and validators.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from intermediary.wire.conditional import (
    Validators,
    headMatches,
    isConditional,
    isEntityTag,
    isNotModified,
    notModifiedFields,
    parseTags,
    readValidators,
    stronglyEqual,
    validated,
    validationFields,
    weaklyEqual,
)
from intermediary.wire.fields import EMPTY

from .caching import NOW, dated, fieldsOf
from .strategies import octets

_TAGS = st.builds(
    lambda weak, opaque: weak + b'"' + opaque + b'"',
    st.sampled_from([b"", b"W/"]),
    octets(b"ab\\,!\xe4", 0, 4),
)


class TagTests(SynchronousTestCase):
    """Entity-tags: RFC 9110 §8.8.3."""

    def test_syntax(self) -> None:
        """Quotes are needed, C{W/} is in upper case, a backslash is itself."""
        for value in (b'""', b'"a"', b'W/"a"', b'"a\\"', b'"a,b"', b'"\xfc"', b'"!#~"'):
            self.assertTrue(isEntityTag(value), value)
        for value in (b"", b"a", b'"a', b'w/"a"', b'W\\"a"', b'W"a"', b'"a b"', b'"a""b"', b"*"):
            self.assertFalse(isEntityTag(value), value)

    def test_comparison(self) -> None:
        """The table of RFC 9110 §8.8.3.2."""
        for one, other, strong, weak in (
            (b'W/"1"', b'W/"1"', False, True),
            (b'W/"1"', b'W/"2"', False, False),
            (b'W/"1"', b'"1"', False, True),
            (b'"1"', b'"1"', True, True),
        ):
            self.assertEqual(stronglyEqual(one, other), strong)
            self.assertEqual(weaklyEqual(one, other), weak)

    def test_lists(self) -> None:
        """With commas in tags, white space and empty elements."""
        for value, tags in (
            (b"*", None),
            (b"", []),
            (b'"a"', [b'"a"']),
            (b'"a", W/"b,c" ,\t,"d",', [b'"a"', b'W/"b,c"', b'"d"']),
            (b'"a" "b"', []),
            (b'"a", b', []),
            (b'*, "a"', []),
            (b'"a"b', []),
        ):
            self.assertEqual(parseTags(value), tags, value)

    @given(st.lists(_TAGS, max_size=4))
    def test_whatIsWrittenIsRead(self, tags: list[bytes]) -> None:
        """As lists."""
        self.assertEqual(parseTags(b" , ".join(tags)), tags)

    @given(octets(b'"W/,a \t*', 0, 20) | st.binary(max_size=20))
    def test_anyOctets(self, value: bytes) -> None:
        """Nothing raises, and all that is found is a tag."""
        for tag in parseTags(value) or []:
            self.assertTrue(isEntityTag(tag))

    def test_longLists(self) -> None:
        """Time grows with length and no faster."""
        for value in (b'"a",' * 20000 + b"x", b'"' * 60000, b'W/"' * 20000, b" ," * 30000 + b"x"):
            self.assertEqual(parseTags(value), [])


class ValidatorTests(SynchronousTestCase):
    """L{readValidators}: RFC 9110 §8.8."""

    def test_read(self) -> None:
        """What is malformed is not there."""
        found = readValidators(
            fieldsOf({"etag": '"a"', "last-modified": dated(-5), "date": dated(-3)}), NOW
        )
        self.assertEqual((found.tag, found.modified, found.date), (b'"a"', NOW - 5, NOW - 3))
        self.assertEqual(found.modifiedValue, dated(-5).encode())
        self.assertTrue(found.exist)
        found = readValidators(fieldsOf({"etag": "a", "last-modified": "b", "date": "c"}), NOW)
        self.assertEqual((found.tag, found.modified, found.date), (None, None, NOW))
        self.assertIsNone(found.modifiedValue)
        self.assertFalse(found.exist)
        self.assertIn("tag=None", repr(found))

    def test_strongDates(self) -> None:
        """At least a second before the response was made (RFC 9110 §8.8.2.2)."""
        for modified, date, expected in ((-5, -4, True), (-5, -5, False), (0, -5, False)):
            found = readValidators(
                fieldsOf({"last-modified": dated(modified), "date": dated(date)}), NOW
            )
            self.assertEqual(found.strongDate, expected)
        self.assertFalse(readValidators(EMPTY, NOW).strongDate)


class EvaluationTests(SynchronousTestCase):
    """L{isNotModified}: RFC 9110 §13.2.2, RFC 9111 §4.3.2."""

    def evaluated(self, request: dict[str, str], stored: dict[str, str], status: int = 200) -> bool:
        """Evaluate the preconditions of a request."""
        fields = fieldsOf(stored)
        return isNotModified(fieldsOf(request), status, readValidators(fields, NOW), NOW)

    def test_ifNoneMatch(self) -> None:
        """By weak comparison, with any of a list."""
        for value, tag, expected in (
            ('"a"', '"a"', True),
            ('W/"a"', 'W/"a"', True),
            ('W/"a"', '"a"', True),
            ('"a"', 'W/"a"', True),
            ('"b"', '"a"', False),
            ('"a", "b", "c"', '"a"', True),
            ('"b", "a", "c"', '"a"', True),
            ('"b", "c", "a"', '"a"', True),
            ('"a\xfc"', '"a\xfc"', True),
            ("*", '"a"', True),
            ("*", "a", True),
            ("a", '"a"', False),
            ("a", "a", False),
            ('"a"', "a", False),
            ('"a", b', '"a"', False),
            ("", '"a"', False),
        ):
            self.assertEqual(
                self.evaluated({"if-none-match": value}, {"etag": tag}), expected, value
            )

    def test_ifNoneMatchComesFirst(self) -> None:
        """C{If-Modified-Since} does not count beside it."""
        for tag, expected in (('"a"', True), ('"b"', False)):
            request = {"if-none-match": tag, "if-modified-since": dated(-4000)}
            stored = {"etag": '"a"', "last-modified": dated(-3000)}
            self.assertEqual(self.evaluated(request, stored), expected)

    def test_ifModifiedSince(self) -> None:
        """Unmodified if not later; in any of the forms of a date."""
        for value, expected in (
            (dated(-3000), True),
            (dated(-2000), True),
            (dated(-3001), False),
            ("Sunday, 06-Nov-94 08:49:37 GMT", False),
            ("Friday, 15-Jan-27 08:00:00 GMT", True),
            ("foo", False),
            ("0", False),
        ):
            request = {"if-modified-since": value}
            self.assertEqual(
                self.evaluated(request, {"last-modified": dated(-3000)}), expected, value
            )

    def test_withoutLastModified(self) -> None:
        """The date counts, or the time of receipt."""
        no: dict[str, str] = {}
        for stored in ({"date": dated(0)}, no):
            self.assertTrue(self.evaluated({"if-modified-since": dated(0)}, stored))
            self.assertFalse(self.evaluated({"if-modified-since": dated(-1)}, stored))

    def test_statuses(self) -> None:
        """Only successes have preconditions (RFC 9110 §13.2.1)."""
        for status in (301, 404, 410, 500):
            self.assertFalse(self.evaluated({"if-none-match": "*"}, {"etag": '"a"'}, status))
        self.assertTrue(self.evaluated({"if-none-match": "*"}, {"etag": '"a"'}, 206))

    def test_unconditional(self) -> None:
        """Nothing is compared."""
        self.assertFalse(self.evaluated({}, {"etag": '"a"'}))
        self.assertFalse(isConditional(EMPTY))
        self.assertTrue(isConditional(fieldsOf({"if-none-match": "x"})))
        self.assertTrue(isConditional(fieldsOf({"if-modified-since": "x"})))


class NotModifiedTests(SynchronousTestCase):
    """L{notModifiedFields}: RFC 9110 §15.4.5."""

    def test_whatIsKept(self) -> None:
        """Nothing about the content, C{Last-Modified} if it is all there is."""
        fields = {
            "date": "d",
            "etag": '"a"',
            "last-modified": "l",
            "content-type": "t",
            "content-encoding": "e",
            "content-location": "/",
            "cache-control": "c",
            "expires": "e",
            "vary": "v",
            "x-a": "a",
        }
        self.assertEqual(
            [name.decode() for name in notModifiedFields(fieldsOf(fields)).index],
            ["date", "etag", "content-location", "cache-control", "expires", "vary", "x-a"],
        )
        del fields["etag"]
        self.assertIn(b"last-modified", notModifiedFields(fieldsOf(fields)))


class RequestTests(SynchronousTestCase):
    """L{validationFields}: RFC 9111 §4.3.1."""

    def made(self, request: dict[str, str], *stored: Validators) -> dict[bytes, bytes] | None:
        """The fields of the request."""
        fields = validationFields(fieldsOf(request), stored)
        return None if fields is None else fields.index

    def test_oneResponse(self) -> None:
        """Both validators, as they were received."""
        modified = dated(-5).encode()
        self.assertEqual(
            self.made({"abc": "1"}, Validators(b'W/"a"', 1, modified)),
            {b"abc": b"1", b"if-none-match": b'W/"a"', b"if-modified-since": modified},
        )
        self.assertEqual(
            self.made({}, Validators(None, 1, modified)), {b"if-modified-since": modified}
        )
        self.assertEqual(self.made({}, Validators(b'"a"')), {b"if-none-match": b'"a"'})

    def test_nothing(self) -> None:
        """Without validators there is nothing to ask."""
        self.assertIsNone(self.made({"if-none-match": '"a"'}, Validators()))
        self.assertIsNone(self.made({}))

    def test_moreResponsesThanTags(self) -> None:
        """The client's own, which would not be sent, are not even compared with them."""
        tags = [b'"%d"' % number for number in range(40)]
        made = self.made({"if-none-match": '"a", ' * 5000 + '"b"'}, *map(Validators, tags))
        self.assertEqual(made, {b"if-none-match": b", ".join(tags[:32])})

    def test_longTags(self) -> None:
        """A request that servers refuse for its length would validate nothing, ever."""
        long = [b'"%d%b"' % (number, b"x" * 900) for number in range(10, 20)]
        self.assertEqual(
            self.made({}, *map(Validators, long)), {b"if-none-match": b", ".join(long[:3])}
        )
        # By what is stored alone, whatever that takes.
        one = b'"%b"' % (b"x" * 9000)
        self.assertEqual(
            self.made({"if-none-match": '"%s"' % ("y" * 9000)}, Validators(one)),
            {b"if-none-match": one},
        )

    def test_severalResponses(self) -> None:
        """All their tags, each once, and the date of the first."""
        self.assertEqual(
            self.made(
                {},
                Validators(b'"a"', 1, b"one"),
                Validators(b'"b"', 2, b"two"),
                Validators(b'"a"'),
                Validators(),
            ),
            {b"if-none-match": b'"a", "b"', b"if-modified-since": b"one"},
        )

    def test_theClientsPreconditions(self) -> None:
        """Its tags are asked about as well; all else of that kind is replaced."""
        self.assertEqual(
            self.made(
                {
                    "if-none-match": '"b", "a"',
                    "if-modified-since": "x",
                    "if-range": "x",
                    "if-match": "x",
                    "range": "bytes=0-",
                },
                Validators(b'"a"'),
            ),
            {b"range": b"bytes=0-", b"if-none-match": b'"a", "b"'},
        )
        for own in ("*", "foo"):
            self.assertEqual(
                self.made({"if-none-match": own}, Validators(b'"a"')), {b"if-none-match": b'"a"'}
            )

    def test_thereIsALimit(self) -> None:
        """Of tags: the first are the likeliest."""
        stored = [Validators(b'"%d"' % number) for number in range(100)]
        made = self.made({}, *stored)
        assert made is not None
        self.assertEqual(parseTags(made[b"if-none-match"]), [one.tag for one in stored[:32]])


class SelectionTests(SynchronousTestCase):
    """L{validated}: RFC 9111 §4.3.4."""

    def test_strongTags(self) -> None:
        """All with the same one, and no others."""
        stored = [Validators(b'"a"'), Validators(b'W/"a"'), Validators(b'"a"'), Validators(b'"b"')]
        self.assertEqual(validated(stored, Validators(b'"a"', 5)), [0, 2])
        self.assertEqual(validated(stored, Validators(b'"c"')), [])
        self.assertEqual(validated([], Validators(b'"c"')), [])

    def test_weakTags(self) -> None:
        """The latest that matches."""
        stored = [Validators(b'"b"'), Validators(b'W/"a"'), Validators(b'"a"'), Validators()]
        self.assertEqual(validated(stored, Validators(b'W/"a"')), [1])
        self.assertEqual(validated(stored, Validators(b'W/"c"', 1)), [])

    def test_dates(self) -> None:
        """The latest with the same one."""
        stored = [Validators(None, 1), Validators(b'"a"', 2), Validators(None, 2)]
        self.assertEqual(validated(stored, Validators(None, 2)), [1])
        self.assertEqual(validated(stored, Validators(None, 3)), [])

    def test_withoutValidators(self) -> None:
        """Then it is what we asked about, if that is one response."""
        self.assertEqual(validated([Validators(b'"a"')], Validators()), [0])
        self.assertEqual(validated([Validators()], Validators()), [0])
        self.assertEqual(validated([Validators(b'"a"'), Validators()], Validators()), [])


class HeadTests(SynchronousTestCase):
    """L{headMatches}: RFC 9111 §4.3.5."""

    def test_matches(self) -> None:
        """Each of the three has to be the same if it is there."""
        stored = Validators(b'"a"', 5)
        for new, length, expected in (
            (Validators(), None, True),
            (Validators(b'"a"', 5), 7, True),
            (Validators(b'"a"'), None, True),
            (Validators(None, 5), 7, True),
            (Validators(b'W/"a"', 5), 7, False),
            (Validators(b'"b"', 5), 7, False),
            (Validators(b'"a"', 6), 7, False),
            (Validators(b'"a"', 5), 8, False),
        ):
            self.assertEqual(headMatches(stored, 7, new, length), expected, new)
        self.assertFalse(headMatches(Validators(), None, Validators(b'"a"'), None))
        self.assertFalse(headMatches(Validators(), None, Validators(), 3))
