# -*- test-case-name: tests.wire.test_dates -*-
"""
HTTP dates (RFC 9110 §5.6.7) to seconds since the epoch, and back.

All three forms are read, and nothing that only resembles one: a date that a
cache guesses at is a lifetime that nobody stated.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

_MONTHS: Final = (
    b"jan", b"feb", b"mar", b"apr", b"may", b"jun",
    b"jul", b"aug", b"sep", b"oct", b"nov", b"dec",
)  # fmt: skip
_MONTH_NUMBERS: Final = {name: number for number, name in enumerate(_MONTHS, 1)}
_MONTH_NAMES: Final = tuple(name.title() for name in _MONTHS)
_DAY_NAMES: Final = (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")

_MONTH: Final = rb"(" + b"|".join(_MONTHS) + rb")"
_TIME: Final = rb"([0-9]{2}):([0-9]{2}):([0-9]{2})"

# RFC 9111 §4.2: a cache should match the names of days, months and the zone in
# any case of letters, and a zone other than GMT makes a date invalid.  Whether
# the day of the week fits is not looked at: it is redundant, often wrong, and no
# recipient depends on it.
_IMF: Final = re.compile(
    rb"(?:mon|tue|wed|thu|fri|sat|sun), ([0-9]{2}) " + _MONTH + rb" ([0-9]{4}) " + _TIME + rb" gmt",
    re.IGNORECASE,
)
_RFC850: Final = re.compile(
    rb"(?:mon|tues|wednes|thurs|fri|satur|sun)day, ([0-9]{2})-"
    + _MONTH
    + rb"-([0-9]{2}) "
    + _TIME
    + rb" gmt",
    re.IGNORECASE,
)
_ASCTIME: Final = re.compile(
    rb"(?:mon|tue|wed|thu|fri|sat|sun) "
    + _MONTH
    + rb" ([0-9]{2}| [0-9]) "
    + _TIME
    + rb" ([0-9]{4})",
    re.IGNORECASE,
)

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_DAY_SECONDS: Final = 86400
#: After which day in the future a year of two digits is one of the past.
_HALF_CENTURY_YEARS: Final = 50

#: What was read lately in the preferred form, which does not depend on the time: one
#: validation looks at the same two or three dates seven times.
_known: dict[bytes, int] = {}
_KNOWN_LIMIT: Final = 1024


def parseDate(value: bytes, now: float) -> int | None:
    """
    Read an HTTP-date.

    @param now: in seconds since the epoch, for years of two digits: one that
        appears to be more than 50 years in the future is in the past.
    @return: seconds since the epoch, negative before it; None for anything that
        is not exactly one of the three forms or no day of the calendar.  A leap
        second is the second after it.
    """
    known = _known.get(value)
    if known is not None:
        return known
    match = _IMF.fullmatch(value)
    if match is not None:
        day, month, year, hour, minute, second = match.groups()
        seconds = _seconds(int(year), month, int(day), hour, minute, second)
        if seconds is not None:
            if len(_known) >= _KNOWN_LIMIT:
                _known.clear()
            _known[value] = seconds
        return seconds
    match = _RFC850.fullmatch(value)
    if match is not None:
        day, month, year, hour, minute, second = match.groups()
        return _shortYear(int(year), month, int(day), hour, minute, second, now)
    match = _ASCTIME.fullmatch(value)
    if match is not None:
        month, day, hour, minute, second, year = match.groups()
        return _seconds(int(year), month, int(day), hour, minute, second)
    return None


def _seconds(
    year: int, month: bytes, day: int, hour: bytes, minute: bytes, second: bytes
) -> int | None:
    hours = int(hour)
    minutes = int(minute)
    seconds = int(second)
    if hours > 23 or minutes > 59 or seconds > 60:
        return None
    if seconds == 60 and (hours != 23 or minutes != 59):
        # Leap seconds end a day of UTC.
        return None
    try:
        days = date(year, _MONTH_NUMBERS[month.lower()], day).toordinal()
    except ValueError:
        return None
    return (days - _EPOCH_DAY) * _DAY_SECONDS + hours * 3600 + minutes * 60 + seconds


def _shortYear(
    digits: int, month: bytes, day: int, hour: bytes, minute: bytes, second: bytes, now: float
) -> int | None:
    # The last year with these digits that is not more than 50 years ahead.
    today = date.fromordinal(_EPOCH_DAY + int(now // _DAY_SECONDS))
    limit = today.year + _HALF_CENTURY_YEARS
    year = limit - (limit - digits) % 100
    seconds = _seconds(year, month, day, hour, minute, second)
    if seconds is None or year < limit:
        return seconds
    # In the year where the 50 years end, the day decides.
    try:
        end = today.replace(year=limit)
    except ValueError:
        # The 29th of February.
        end = date(limit, 3, 1)
    if seconds - (end.toordinal() - _EPOCH_DAY) * _DAY_SECONDS <= now % _DAY_SECONDS:
        return seconds
    return _seconds(year - 100, month, day, hour, minute, second)


class DateFormatter:
    """
    Writes dates in the preferred form, and remembers the last one.

    Within one second all responses have the same date.
    """

    __slots__ = ("_second", "_value")

    def __init__(self) -> None:
        self._second = -1
        self._value = b""

    def format(self, seconds: float) -> bytes:
        """As L{formatDate}."""
        second = int(seconds)
        if second != self._second:
            self._value = formatDate(second)
            self._second = second
        return self._value


def formatDate(seconds: float) -> bytes:
    """
    Write an IMF-fixdate.

    @param seconds: since the epoch; what is after the decimal point is left out.
    """
    days, rest = divmod(int(seconds), _DAY_SECONDS)
    day = date.fromordinal(days + _EPOCH_DAY)
    return b"%b, %02d %b %04d %02d:%02d:%02d GMT" % (
        _DAY_NAMES[day.weekday()],
        day.day,
        _MONTH_NAMES[day.month - 1],
        day.year,
        rest // 3600,
        rest // 60 % 60,
        rest % 60,
    )
