# -*- test-case-name: tests.policy.test_shelves -*-
"""
The shelves of a store, by their keys.

One with entries stays as long as these do.  One with nothing but marks is
I{blank}: somebody asked for it, which costs a client nothing, so all of them
together have a limit, and the oldest are forgotten beyond it.  One that somebody
is fetching is not: its fetch has limits of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .entries import Shelf
from .eviction import Queue, Queued

if TYPE_CHECKING:
    from collections.abc import Callable

#: What a shelf without entries takes beside its key.
SHELF_OCTETS: Final = 500


class _Blank(Queued):
    """The place of a shelf among those without entries."""

    __slots__ = ("shelf",)

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(SHELF_OCTETS + len(shelf.key))
        self.shelf = shelf


class Shelves:
    """
    Finds shelves, makes them and forgets them.

    @ivar byKey: all of them; not to be changed.
    """

    __slots__ = ("_blank", "_line", "_seconds", "blankOctets", "byKey")

    def __init__(self, blankOctets: int, seconds: Callable[[], float]) -> None:
        """
        @param blankOctets: the limit for all shelves without entries.
        """
        self.byKey: dict[bytes, Shelf] = {}
        self.blankOctets = blankOctets
        self._seconds = seconds
        self._blank: dict[Shelf, _Blank] = {}
        self._line = Queue()

    def make(self, key: bytes) -> Shelf:
        """Get the shelf of a key, made if there is none."""
        shelf = self.byKey.get(key)
        if shelf is None:
            shelf = self.byKey[key] = Shelf(key)
            self._wait(shelf)
        return shelf

    def filled(self, shelf: Shelf) -> None:
        """It has an entry; before, it may have been blank, or forgotten."""
        place = self._blank.pop(shelf, None)
        if place is not None:
            self._line.take(place)
        self.byKey[shelf.key] = shelf

    def emptied(self, shelf: Shelf) -> None:
        """Its last entry has left: it is forgotten, unless there are marks on it."""
        # As a rule there are none, and so the time need not be asked for.
        if shelf.fetch is None and not shelf.misses and not shelf.passUntil:
            del self.byKey[shelf.key]
        else:
            self.tidy(shelf)

    def tidy(self, shelf: Shelf) -> None:
        """Forget it if there is nothing on it, and see to its place if it has no entries."""
        if shelf.entries or self.byKey.get(shelf.key) is not shelf:
            return
        if shelf.isBlank(self._seconds()):
            self._forget(shelf)
        elif shelf not in self._blank:
            self._wait(shelf)

    def _wait(self, shelf: Shelf) -> None:
        """Let it stand in line to be forgotten."""
        place = self._blank[shelf] = _Blank(shelf)
        line = self._line
        line.push(place)
        # Each that comes lets two go whose marks have no meaning any more.
        now = self._seconds()
        for _ in (1, 2):
            oldest = line.oldest
            if oldest is None or oldest is place or not self._shelfOf(oldest).isBlank(now):
                break
            self._forget(self._shelfOf(oldest))
        passed = 0
        while line.octets > self.blankOctets and line.count > passed:
            oldest = line.oldest
            assert oldest is not None
            if oldest is place or self._shelfOf(oldest).fetch is not None:
                line.take(oldest)
                line.push(oldest)
                passed += 1
                if passed > 16:
                    break
            else:
                self._forget(self._shelfOf(oldest))

    @staticmethod
    def _shelfOf(place: Queued) -> Shelf:
        assert isinstance(place, _Blank)
        return place.shelf

    def _forget(self, shelf: Shelf) -> None:
        del self.byKey[shelf.key]
        place = self._blank.pop(shelf, None)
        if place is not None:
            self._line.take(place)

    @property
    def blank(self) -> int:
        """How many have no entries."""
        return len(self._blank)

    def __len__(self) -> int:
        return len(self.byKey)
