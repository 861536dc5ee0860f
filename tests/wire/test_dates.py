# -*- test-case-name: tests.wire.test_dates -*-
"""
L{intermediary.wire.dates}: HTTP dates.
"""

from __future__ import annotations

from calendar import timegm
from email.utils import formatdate

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from intermediary.wire import dates
from intermediary.wire.dates import DateFormatter, formatDate, parseDate

from .strategies import octets

#: 24 November 2026, 22:00:00 UTC.
NOW = timegm((2026, 11, 24, 22, 0, 0))

_LAST_SECOND = timegm((9999, 12, 31, 23, 59, 59))


class ParseTests(SynchronousTestCase):
    """L{parseDate}: RFC 9110 §5.6.7."""

    def test_threeForms(self) -> None:
        """The preferred form and the two obsolete ones are the same date."""
        for value in (
            b"Sun, 06 Nov 1994 08:49:37 GMT",
            b"Sunday, 06-Nov-94 08:49:37 GMT",
            b"Sun Nov  6 08:49:37 1994",
        ):
            self.assertEqual(parseDate(value, NOW), 784111777, value)
        self.assertEqual(parseDate(b"Wed Nov 16 08:49:37 1994", NOW), 784111777 + 10 * 86400)

    def test_namesInAnyCase(self) -> None:
        """Days, months and the zone are matched in any case (RFC 9111 §4.2)."""
        for value in (
            b"SUN, 06 Nov 1994 08:49:37 GMT",
            b"Sun, 06 NOV 1994 08:49:37 GMT",
            b"Sun, 06 Nov 1994 08:49:37 gMt",
            b"sunday, 06-nov-94 08:49:37 gmt",
            b"SUN NOV  6 08:49:37 1994",
        ):
            self.assertEqual(parseDate(value, NOW), 784111777, value)

    def test_theDayOfTheWeekIsNotChecked(self) -> None:
        """It says nothing that the rest does not."""
        self.assertEqual(parseDate(b"Mon, 06 Nov 1994 08:49:37 GMT", NOW), 784111777)

    def test_moreThanAreRemembered(self) -> None:
        """What is remembered is bounded, and right after it was forgotten."""
        for _ in range(2):
            for second in range(1500):
                self.assertEqual(parseDate(formatDate(second), NOW), second)
        self.assertLessEqual(len(dates._known), 1024)

    def test_farDates(self) -> None:
        """Beyond 32 bits, and before the epoch."""
        for value, seconds in (
            (b"Tue, 19 Jan 2038 03:14:08 GMT", 2**31),
            (b"Sun, 21 Nov 2286 04:46:39 GMT", 10000039599),
            (b"Fri, 31 Dec 9999 23:59:59 GMT", _LAST_SECOND),
            (b"Thu, 01 Jan 1970 00:00:00 GMT", 0),
            (b"Wed, 31 Dec 1969 23:59:59 GMT", -1),
            (b"Mon, 01 Jan 0001 00:00:00 GMT", -62135596800),
        ):
            self.assertEqual(parseDate(value, NOW), seconds, value)

    def test_yearsOfTwoDigits(self) -> None:
        """More than 50 years in the future is the past."""
        for value, year in (
            (b"Thursday, 18-Aug-50 02:01:18 GMT", 2050),
            (b"Thursday, 18-Aug-75 02:01:18 GMT", 2075),
            (b"Thursday, 18-Aug-76 02:01:18 GMT", 2076),
            (b"Tuesday, 24-Nov-76 22:00:00 GMT", 2076),
            (b"Tuesday, 24-Nov-76 22:00:01 GMT", 1976),
            (b"Thursday, 18-Dec-76 02:01:18 GMT", 1976),
            (b"Thursday, 18-Aug-77 02:01:18 GMT", 1977),
            (b"Thursday, 18-Aug-99 02:01:18 GMT", 1999),
            (b"Thursday, 18-Aug-00 02:01:18 GMT", 2000),
            (b"Thursday, 18-Aug-26 02:01:18 GMT", 2026),
        ):
            seconds = parseDate(value, NOW)
            assert seconds is not None
            self.assertEqual(formatDate(seconds)[12:16], b"%d" % year, value)

    def test_fiftyYearsFromALeapDay(self) -> None:
        """They end with the day after the one that is not there."""
        leapDay = timegm((2024, 2, 29, 12, 0, 0))
        self.assertEqual(
            parseDate(b"Saturday, 28-Feb-74 12:00:00 GMT", leapDay),
            timegm((2074, 2, 28, 12, 0, 0)),
        )
        self.assertEqual(
            parseDate(b"Saturday, 02-Mar-74 12:00:00 GMT", leapDay),
            timegm((1974, 3, 2, 12, 0, 0)),
        )

    def test_leapSeconds(self) -> None:
        """They end a day, and count as the second after it."""
        self.assertEqual(
            parseDate(b"Sat, 31 Dec 2016 23:59:60 GMT", NOW),
            parseDate(b"Sun, 01 Jan 2017 00:00:00 GMT", NOW),
        )
        self.assertIsNone(parseDate(b"Sat, 31 Dec 2016 23:58:60 GMT", NOW))
        self.assertIsNone(parseDate(b"Sat, 31 Dec 2016 12:59:60 GMT", NOW))

    def test_refused(self) -> None:
        """What is not exactly one of the forms is no date."""
        for value in (
            b"",
            b"0",
            b"-1",
            b"foo",
            b"784111777",
            b"Sun, 06 Nov 1994 08:49:37",
            b"Sun, 06 Nov 1994 08:49:37 UTC",
            b"Sun, 06 Nov 1994 08:49:37 AEST",
            b"Sun, 06 Nov 1994 08:49:37 +0000",
            b"Sun, 06 Nov 94 08:49:37 GMT",
            b"Sun 06 Nov 1994 08:49:37 GMT",
            b"Sun, 06  Nov  1994 08:49:37 GMT",
            b"Sun, 06-Nov-1994 08:49:37 GMT",
            b"Sun, 06 Nov 1994 08.49.37 GMT",
            b"Sun, 06 Nov 1994 8:49:37 GMT",
            b"Sun, 6 Nov 1994 08:49:37 GMT",
            b" Sun, 06 Nov 1994 08:49:37 GMT",
            b"Sun, 06 Nov 1994 08:49:37 GMT ",
            b"Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
            b"Sun, 06 Nov 1994 08:49:37 GMT\n",
            b"Foo, 06 Nov 1994 08:49:37 GMT",
            b"Sun, 06 Foo 1994 08:49:37 GMT",
            b"Sun, 00 Nov 1994 08:49:37 GMT",
            b"Sun, 31 Nov 1994 08:49:37 GMT",
            b"Wed, 29 Feb 2023 08:49:37 GMT",
            b"Sun, 06 Nov 0000 08:49:37 GMT",
            b"Sun, 06 Nov 1994 24:00:00 GMT",
            b"Sun, 06 Nov 1994 08:60:37 GMT",
            b"Sun, 06 Nov 1994 08:49:61 GMT",
            b"Sunday, 06-Nov-1994 08:49:37 GMT",
            b"Sunday, 31-Nov-94 08:49:37 GMT",
            b"Sun, 06-Nov-94 08:49:37 GMT",
            b"Sun Nov 6 08:49:37 1994",
            b"Sun Nov 06 08:49:37 94",
            b"Sun Nov  6 08:49:37 1994 GMT",
        ):
            self.assertIsNone(parseDate(value, NOW), value)

    @given(octets(b" ,:-0123456789SunNovGMTday", 0, 40), st.floats(0, 4e9))
    def test_anyOctets(self, value: bytes, now: float) -> None:
        """Nothing raises."""
        parseDate(value, now)


class FormatTests(SynchronousTestCase):
    """L{formatDate} and L{DateFormatter}."""

    def test_preferredForm(self) -> None:
        """IMF-fixdate, of whole seconds."""
        self.assertEqual(formatDate(784111777), b"Sun, 06 Nov 1994 08:49:37 GMT")
        self.assertEqual(formatDate(784111777.9), b"Sun, 06 Nov 1994 08:49:37 GMT")

    @given(st.integers(0, _LAST_SECOND))
    def test_whatIsWrittenIsRead(self, seconds: int) -> None:
        """And the standard library writes the same."""
        self.assertEqual(parseDate(formatDate(seconds), NOW), seconds)
        self.assertEqual(formatDate(seconds), formatdate(seconds, usegmt=True).encode())

    @given(st.lists(st.floats(0, 1e5), max_size=20))
    def test_theMemoIsNeverSeen(self, times: list[float]) -> None:
        """A formatter gives what the function gives, in any order of times."""
        formatter = DateFormatter()
        for seconds in times:
            self.assertEqual(formatter.format(seconds), formatDate(seconds))
