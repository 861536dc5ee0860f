# -*- test-case-name: tests.policy.test_siblings -*-
"""
The keys of one target, where request fields or cookies are part of them.

What makes a target outdated makes all of them so, and nobody can tell from the
request which there are.  So what is stored under one of them has a tag, and who
fetches for one of them is noted here until the answer is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .collapsing import Fetch

_PREFIX: Final = b"all of "


class Siblings:
    """
    Finds all that is fetched for one target, over all of its keys.

    What I{common} stands for is what these begin with
    (L{KeyMaker.common<intermediary.wire.cachekey.KeyMaker.common>}).

    @ivar exist: some route of the process has targets with several keys.
    """

    __slots__ = ("_fetches", "exist")

    def __init__(self) -> None:
        self.exist = False
        self._fetches: dict[bytes, dict[Fetch, None]] = {}

    @staticmethod
    def tagOf(common: bytes) -> bytes:
        """Make the tag of all that is stored for a target."""
        # Those of responses have no space in them, so nobody else gives this one.
        return _PREFIX + common

    @staticmethod
    def commonsOf(tags: tuple[bytes, ...]) -> list[bytes]:
        """Find what L{tagOf} has made tags of, among others."""
        return [tag[len(_PREFIX) :] for tag in tags if Siblings.isOurs(tag)]

    @staticmethod
    def isOurs(tag: bytes) -> bool:
        """Tell whether a tag is one of L{tagOf}."""
        return tag.startswith(_PREFIX)

    def begin(self, common: bytes, fetch: Fetch) -> None:
        """Somebody fetches."""
        self._fetches.setdefault(common, {})[fetch] = None

    def end(self, common: bytes, fetch: Fetch) -> None:
        """The answer is there, or there will be none."""
        fetches = self._fetches.get(common)
        if fetches is not None:
            fetches.pop(fetch, None)
            if not fetches:
                del self._fetches[common]

    def outdate(self, common: bytes) -> None:
        """What is fetched for a target now is not to be stored."""
        for fetch in self._fetches.get(common, ()):
            fetch.outdated = True

    def __len__(self) -> int:
        """For how many targets somebody fetches."""
        return len(self._fetches)
