# -*- test-case-name: tests.policy.test_diskforgetting -*-
"""
Keys on their way to be forgotten by a disk.

An unsafe request may forget one each (RFC 9111 §4.4), and there may be more of those in a
second than transactions: so what comes while a thread forgets others is forgotten
together after that.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .diskcalls import DiskCalls

#: How many wait for a thread; where there are more, they go by themselves, so that a disk
#: that hangs is known as such by the number of its calls.
KEYS: Final = 4096


class Forgetting:
    """The keys that one store is to forget."""

    def __init__(
        self,
        calls: DiskCalls,
        forget: Callable[[Sequence[bytes]], tuple[list[int], list[str]]],
        remove: Callable[[Iterable[str]], None],
        discard: Callable[[list[str]], None],
    ) -> None:
        """
        @param forget: forgets keys, and gives how many entries there were of each, and
            their files; in a thread.
        @param remove: deletes files; in a thread.
        @param discard: has a thread do so.
        """
        self._calls = calls
        self._forget = forget
        self._remove = remove
        self._discard = discard
        #: With whom waits for each.
        self._keys: dict[bytes, list[Deferred[int]]] = {}
        self._busy = False

    def add(self, key: bytes) -> Deferred[int]:
        """
        Have a key forgotten.

        @return: fires with how many entries there were, when nobody finds them any more.
        """
        waiting = self._keys
        done: Deferred[int] = Deferred()
        if not self._busy:
            self._go({key: [done]})
        elif key in waiting:
            waiting[key].append(done)
        elif len(waiting) < KEYS:
            waiting[key] = [done]
        else:
            return self._tell((key,)).addCallback(lambda answer: answer[0][0])
        return done

    def _go(self, keys: dict[bytes, list[Deferred[int]]]) -> None:
        """Have a thread forget keys, and then those that have come meanwhile."""
        self._busy = True
        self._tell(tuple(keys)).addBoth(self._done, keys)

    def _tell(self, keys: tuple[bytes, ...]) -> Deferred[Any]:
        default: tuple[list[int], list[str]] = ([0] * len(keys), [])
        telling: Deferred[Any] = self._calls.tell(
            default, self._forget, keys, later=partial(self._later, keys), lasting=True
        )
        return telling.addCallback(self._forgotten)

    def _later(self, keys: tuple[bytes, ...]) -> None:
        self._remove(self._forget(keys)[1])

    def _forgotten(self, answer: tuple[list[int], list[str]]) -> tuple[list[int], list[str]]:
        self._discard(answer[1])
        return answer

    def _done(self, answer: Any, keys: dict[bytes, list[Deferred[int]]]) -> None:
        following, self._keys = self._keys, {}
        self._busy = False
        if following:
            self._go(following)
        for count, waiting in zip(answer[0], keys.values(), strict=True):
            for each in waiting:
                each.callback(count)

    def __len__(self) -> int:
        return len(self._keys)


__all__ = ["KEYS", "Forgetting"]
