# -*- test-case-name: tests.policy.test_stores -*-
"""
What the tests of stores put into them.
"""

from __future__ import annotations

from twisted.internet.task import Clock

from intermediary.policy.body import Body
from intermediary.policy.entries import Entry
from intermediary.wire.fields import EMPTY, Fields


def entryOf(
    key: bytes,
    content: bytes | Body = b"",
    *,
    variant: bytes = b"",
    tags: tuple[bytes, ...] = (),
    fields: Fields = EMPTY,
    expires: float = 1000.0,
) -> Entry:
    """Make an entry as a 200 would be stored."""
    body = content if isinstance(content, Body) else Body.of(content)
    vary = (b"accept",) if variant else ()
    return Entry(key, 200, b"OK", fields, body, 0.0, expires, None, variant, vary, tags)


class Turns(Clock):
    """A clock on which what is asked for in a turn of the reactor comes in the next one."""

    def turn(self) -> None:
        """Do what is due, and not what comes up meanwhile."""
        for call in [each for each in self.calls if each.getTime() <= self.seconds()]:
            if call in self.calls:
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)


class Busy(Turns):
    """The same on a slow machine, on which every look at the clock takes a while."""

    def seconds(self) -> float:
        """Be later each time."""
        self.rightNow += 0.01
        return super().seconds()
