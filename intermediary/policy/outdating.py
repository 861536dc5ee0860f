# -*- test-case-name: tests.policy.test_outdating -*-
"""
What is stored for a target and is not to be used any more (RFC 9111 §4.4).

That is what is under all of its keys, of which there may be several, and what is
being fetched for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from twisted.logger import Logger

from ..wire.invalidation import invalidTargets
from .purging import Purge, total

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from ..interfaces import ICacheStore
    from ..wire.fields import Fields
    from ..wire.message import RequestHead
    from ..wire.target import Target
    from .recentchanges import RecentChanges
    from .siblings import Siblings
    from .targets import Targets

# By name: what is compiled has no frame for the logger to find it in.
_log: Final = Logger("intermediary.policy.outdating")


class Outdating:
    """
    Forgets what is stored for targets, as one route knows them.

    Fetches that others wait for are on a shelf, and get a mark there.  Who asks alone
    is on none, so the changes of late are remembered for it.
    """

    __slots__ = ("_changes", "_siblings", "_store", "_targets")

    def __init__(
        self,
        store: ICacheStore,
        targets: Targets,
        siblings: Siblings,
        changes: RecentChanges,
    ) -> None:
        self._changes = changes
        self._store = store
        self._targets = targets
        self._siblings = siblings

    def invalidate(self, request: RequestHead, target: Target, status: int, fields: Fields) -> None:
        """
        Forget what an unsafe method may have changed (RFC 9111 §4.4).

        @param target: of the request.
        @param status: of the answer.
        @param fields: of the answer.
        """
        for each in invalidTargets(request.method, target, status, fields):
            self._changes.note(self._targets.commonOf(each))
            gone = self.forget(each)
            if not isinstance(gone, int):
                # Nobody waits for the rest of very many.
                gone.addErrback(self._failed)

    def forget(self, target: Target) -> Deferred[int] | int:
        """
        Forget all that is stored for a target, and let no fetch under way store more.

        @return: how many entries there were, as in
            L{IPurgeable.purge<intermediary.interfaces.IPurgeable.purge>}.
        """
        common = self._targets.commonOf(target)
        gone = self._store.forget(common)
        siblings = self._siblings
        if not siblings.exist:
            return gone
        siblings.outdate(common)
        more = self._store.purge(Purge.ofTag(siblings.tagOf(common)))
        return total(gone, more)

    @staticmethod
    def _failed(failure: Failure) -> None:
        _log.failure("Could not forget what was changed", failure=failure)
