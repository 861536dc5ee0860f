# -*- test-case-name: tests.policy.test_diskstore -*-
"""
A body on its way to the disk, which may still be growing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from .storedfile import CHUNK_OCTETS, StoredFile

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from .diskfiles import Growing
    from .diskstore import DiskStore
    from .entries import Entry


class Writing:
    """
    Follows a body into a file, as fast as the disk can.

    @ivar done: fires with whether the entry was stored.
    @ivar position: how many octets of the body it has taken.
    @ivar failed: it will not be, whatever comes.
    """

    def __init__(self, store: DiskStore, entry: Entry) -> None:
        self._store = store
        self.entry = entry
        self._file: Growing | None = None
        self.position = 0
        self._busy = False
        self.failed = False
        self.done: Deferred[bool] = Deferred()

    def begin(self) -> None:
        """Begin with what there is of the body."""
        self._busy = True
        self.entry.body.watch(self)
        self._store.inThread(self._store.files.begin).addCallbacks(self._begun, self._broke)

    def _begun(self, file: Growing) -> None:
        self._file = file
        self._idle()

    def _idle(self, _: object = None) -> None:
        self._busy = False
        self.grown()

    def grown(self) -> None:
        """See L{Watcher<intermediary.policy.body.Watcher>}."""
        file = self._file
        if self._busy or file is None:
            return
        body = self.entry.body
        store = self._store
        if self.failed or body.error is not None or body.octets > store.maxObjectOctets:
            self._busy = True
            store.inThread(file.discard).addBoth(lambda _: self._end(False))
        elif body.octets > self.position:
            self._busy = True
            pieces = body.cut(self.position, min(body.octets, self.position + CHUNK_OCTETS))
            self.position += sum(map(len, pieces))
            store.inThread(file.write, pieces).addCallbacks(self._idle, self._broke)
        elif body.complete:
            self._busy = True
            store.inThread(store.committed, file, self.entry).addCallbacks(
                # Meanwhile it may have been purged.
                lambda _: self._end(not self.failed),
                self._broke,
            )

    def cancel(self) -> None:
        """It is not to be stored: at once, or when what is under way is done."""
        self.failed = True
        self.grown()

    def _broke(self, failure: Failure) -> None:
        if self._file is not None:
            self._store.inThread(self._file.discard).addErrback(lambda _: None)
        self._end(False)
        self._store.failed(failure)

    def _end(self, stored: bool) -> None:
        body = self.entry.body
        body.unwatch(self)
        self.failed = not stored
        if stored:
            assert self._file is not None
            body.file = StoredFile(self._store, self._file.name, body.octets, body.trailers)
        self._file = None
        self._store.ended(self)
        self.done.callback(stored)
