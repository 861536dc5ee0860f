# -*- test-case-name: tests.policy.test_marks -*-
"""
What happened last to what, in bounded memory.

Things that happen have serial numbers.  Whoever began something before some of them
asks later whether one was about what it is at.
"""

from __future__ import annotations

from typing import Final

#: How many are remembered.
MARKS: Final = 4096


class Marks:
    """
    The last serial number of each of the latest marks.

    A mark is a hash, as what it stands for may be long; two that are the same make
    what happened to one have happened to the other.

    @ivar forgotten: the highest of the numbers that are not remembered; whatever is
        older may have happened to anything.
    """

    __slots__ = ("_last", "forgotten")

    def __init__(self) -> None:
        self.forgotten = 0
        # The oldest first.
        self._last: dict[int, int] = {}

    def put(self, mark: int, serial: int) -> None:
        """
        It has happened to this.

        @param serial: no lower than any before.
        """
        last = self._last
        # To the end, where the newest are.
        last.pop(mark, None)
        last[mark] = serial
        if len(last) > MARKS:
            self.forget(last.pop(next(iter(last))))

    def forget(self, serial: int) -> None:
        """It is not known any more to what this one happened."""
        self.forgotten = max(self.forgotten, serial)

    def after(self, mark: int, serial: int) -> bool:
        """Tell whether it happened to this after such a number, as far as is remembered."""
        return self._last.get(mark, 0) > serial

    def __len__(self) -> int:
        return len(self._last)
