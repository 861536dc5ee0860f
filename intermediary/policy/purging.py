# -*- test-case-name: tests.policy.test_purging -*-
"""
Which entries are to go, and how to go through a million without a pause.

An application says it with a L{Purge}; a store that has to look at many of its
entries does so in slices, between which the reactor serves others.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure

    from .entries import Entry

#: For how long a purge keeps the reactor at first: most are through by then.
FIRST_SECONDS: Final = 0.025
#: For how long in each turn after that.
TURN_SECONDS: Final = 0.010
#: How many steps are taken between two looks at the clock.
UNTIMED: Final = 256

KEY: Final = "key"
PREFIX: Final = "prefix"
HOST: Final = "host"
TAG: Final = "tag"

# A URL has neither white space nor controls in it, so these set off the parts of
# a key that are not one.
_URL = re.compile(rb"(?:^|[\x00-\x20])([a-z][a-z0-9+.-]*+://[^\x00-\x20]*+)")
_HOST = re.compile(rb"[a-z][a-z0-9+.-]*+://(?:[^/?#@]*+@)?(\[[^\]]*+\]|[^/?#:\[\]]*+)(?=[:/?#]|$)")


def urlOf(key: bytes) -> bytes:
    """
    Find the URL in a primary key: what is set off by white space or controls.

    @return: the key itself if there is none in it.
    """
    match = _URL.search(key)
    return key if match is None else match[1]


def hostOf(url: bytes) -> bytes:
    """Find the host in a URL, without its port; empty if there is none."""
    match = _HOST.match(url)
    return b"" if match is None else match[1]


class Purge:
    """
    Some of the entries of a store.

    @ivar kind: L{KEY}, L{PREFIX}, L{HOST} or L{TAG}.
    @ivar value: what they have in common, as it is written.
    @ivar tags: for those by tag: any of them.
    @ivar partitions: of which partitions alone; empty for those of all.
    """

    __slots__ = ("_starts", "kind", "partitions", "tags", "value")

    def __init__(
        self,
        kind: str,
        value: bytes,
        tags: tuple[bytes, ...] = (),
        partitions: tuple[bytes, ...] = (),
    ) -> None:
        self.kind = kind
        self.value = value
        self.tags = tags
        self.partitions = partitions
        self._starts = tuple([each + b" " for each in partitions]) if partitions else (b"",)

    @classmethod
    def ofKey(cls, key: bytes) -> Purge:
        """All variants of what is under a primary key."""
        return cls(KEY, key)

    @classmethod
    def ofPrefix(cls, url: bytes) -> Purge:
        """
        All that has a URL that begins so, as it stands in the keys: normalised.

        All of the store for an empty one.
        """
        return cls(PREFIX, url)

    @classmethod
    def ofHost(cls, host: bytes) -> Purge:
        """All of a host: a name, or an address in brackets if it is IPv6, on any port."""
        return cls(HOST, host.lower())

    @classmethod
    def ofTag(cls, *tags: bytes) -> Purge:
        """All with a tag, or with any of several."""
        return cls(TAG, b" ".join(tags), tags)

    def within(self, *partitions: bytes) -> Purge:
        """
        Make the same of some partitions alone.

        @param partitions: the name of a front, for what it stored; that of a part in
            common after a plus sign.
        @raise ValueError: there are none, or one has no name: it would be of all.
        """
        if not partitions or not all(partitions):
            raise ValueError("which partitions?")
        return Purge(self.kind, self.value, self.tags, partitions)

    def reaches(self, key: bytes) -> bool:
        """Whether what is under a key is in a partition that it is about."""
        return key.startswith(self._starts)

    def covers(self, url: bytes) -> bool:
        """Whether it is about a URL of its partitions; for those by prefix or host."""
        if self.kind == PREFIX:
            return url.startswith(self.value)
        return hostOf(url) == self.value

    def coversEntry(self, entry: Entry, url: bytes) -> bool:
        """Whether it is about an entry, of whatever kind it is."""
        return self.coversKey(entry.key, entry.tags, url)

    def coversKey(self, key: bytes, tags: tuple[bytes, ...], url: bytes) -> bool:
        """
        Whether it is about what is under a key, of whatever kind it is.

        @param tags: those of what is there.
        @param url: that of the key.
        """
        if not self.reaches(key):
            return False
        if self.kind == KEY:
            return key == self.value
        if self.kind == TAG:
            return any(tag in tags for tag in self.tags)
        return self.covers(url)

    def __repr__(self) -> str:
        where = f" of {b', '.join(self.partitions).decode('latin-1')}" if self.partitions else ""
        return f"<Purge {self.kind} {self.value!r}{where}>"


class Slices:
    """
    Goes on with something in the reactor's turns, for a short time in each.

    @ivar done: fires with the sum of what the steps gave; cancelled, no more is
        done.  It fails with what a step raised.
    """

    __slots__ = ("_call", "_later", "_seconds", "_steps", "_sum", "done")

    def __init__(self, reactor: IReactorTime, steps: Iterator[int]) -> None:
        """
        @param steps: each does a bit and gives a count.
        """
        self._later: Callable[..., Any] = reactor.callLater
        self._seconds: Callable[[], float] = reactor.seconds
        self._steps = steps
        self._sum = 0
        self._call: Any = None
        self.done: Deferred[int] = Deferred(self._cancelled)

    def begin(self) -> Deferred[int] | int:
        """
        Take the first steps at once.

        @return: the sum if there were no more, or else L{done}.
        """
        if self._take(FIRST_SECONDS):
            return self._sum
        self._call = self._later(0, self._goOn)
        return self.done

    def _take(self, seconds: float) -> bool:
        """Take steps for some time; whether there are no more."""
        steps = self._steps
        until = self._seconds() + seconds
        while True:
            for _ in range(UNTIMED):
                count = next(steps, None)
                if count is None:
                    return True
                self._sum += count
            if self._seconds() >= until:
                return False

    def _goOn(self) -> None:
        self._call = None
        try:
            ended = self._take(TURN_SECONDS)
        except Exception:  # noqa: BLE001 - whoever waits hears of it
            self.done.errback()
            return
        if ended:
            self.done.callback(self._sum)
        else:
            self._call = self._later(0, self._goOn)

    def _cancelled(self, _: Deferred[int]) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None


def total(here: Deferred[int] | int, behind: Deferred[int] | int) -> Deferred[int] | int:
    """Add two numbers, of which either may come later; cancelling is about both."""
    if not isinstance(here, Deferred):
        if not isinstance(behind, Deferred):
            return here + behind
        return behind.addCallback(lambda count: count + here)
    if not isinstance(behind, Deferred):
        return here.addCallback(lambda count: count + behind)
    rest = behind

    def stop(failure: Failure) -> Failure:
        # Nobody hears of the other one any more.
        rest.addErrback(lambda _: None)
        rest.cancel()
        return failure

    def then(count: int) -> Deferred[int]:
        return rest.addCallback(lambda more: count + more)

    return here.addCallbacks(then, stop)
