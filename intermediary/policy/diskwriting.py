# -*- test-case-name: tests.policy.test_diskcoming -*-
"""
A body on its way to the disk, which may still be growing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from ..wire.fields import EMPTY
from .storedfile import CHUNK_OCTETS, StoredFile

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from .diskfiles import Growing
    from .diskstore import DiskStore
    from .entries import Entry


class Renewal:
    """
    Another head for a response whose content is on the disk.

    @ivar entry: what it is for.
    @ivar failed: it is not wanted any more.
    """

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.failed = False

    def cancel(self) -> None:
        """It is not to be stored, unless it is."""
        self.failed = True

    def isWanted(self) -> bool:
        """Whether it is to be stored still; also in a thread."""
        return not self.failed


class Writing:
    """
    Follows a body into a file, as fast as the disk can.

    While it does, the file can be read, as far as it is written: it is the C{file}
    of the body.

    @ivar entry: what it is for; another one with the same body may take its place.
    @ivar committed: what a thread was told to store, when the body was complete.
    @ivar done: fires with whether the entry was stored.
    @ivar position: how many octets of the body it has taken.
    @ivar failed: it will not be, whatever comes.
    @ivar dropped: fires when what it would have replaced is gone, as it failed; None
        as long as it has not, or where another one replaces that.
    """

    __slots__ = (
        "_busy",
        "_file",
        "_growing",
        "_store",
        "committed",
        "done",
        "dropped",
        "entry",
        "failed",
        "position",
    )

    def __init__(self, store: DiskStore, entry: Entry) -> None:
        self._store = store
        self.entry = entry
        self.committed: Entry | None = None
        self._growing: Growing | None = None
        self._file: StoredFile | None = None
        self.position = 0
        self._busy = False
        self.failed = False
        self.dropped: Deferred[None] | None = None
        self.done: Deferred[bool] = Deferred()

    @property
    def written(self) -> int:
        """How many octets can be read from the file."""
        return 0 if self._file is None else self._file.octets

    @property
    def owed(self) -> int:
        """How many octets are in memory for it alone, if nobody else wants them."""
        return self.entry.body.octets - self.written

    def begin(self) -> None:
        """Begin with what there is of the body."""
        self._busy = True
        body = self.entry.body
        body.watch(self)
        # Also of a complete one, which may leave its store before it is written.
        body.enter(self)
        self._store.calls.inThread(self._make).addCallbacks(self._begun, self._broke)

    def _make(self) -> tuple[Growing, int]:
        """Make the file, and a descriptor for its readers; in a thread."""
        growing = self._store.files.begin()
        try:
            return growing, growing.share()
        except BaseException:
            growing.discard()
            raise

    def _begun(self, made: tuple[Growing, int]) -> None:
        self._growing, descriptor = made
        body = self.entry.body
        self._file = StoredFile(self._store, self._growing.name, 0, EMPTY, descriptor)
        if not self.failed:
            body.file = self._file
            if body.spilling is not None:
                # Readers are to have it open before anything is let go.
                body.tell()
        self._idle()

    def _wrote(self, _: object) -> None:
        file = self._file
        assert file is not None
        file.octets = self.position
        # Its source may bring more now.
        self.entry.body.passed()
        self._idle()

    def _wroteAll(self, stored: bool) -> None:
        file = self._file
        assert file is not None
        file.octets = self.position
        # Meanwhile it may have been purged.
        self._end(stored and not self.failed)

    def _idle(self) -> None:
        self._busy = False
        self.grown()

    def grown(self) -> None:
        """See L{Watcher<intermediary.policy.body.Watcher>}."""
        growing = self._growing
        if self._busy or growing is None:
            return
        body = self.entry.body
        store = self._store
        if self.failed or body.error is not None or body.octets > store.maxObjectOctets:
            self._busy = True
            store.calls.inThread(growing.discard).addBoth(lambda _: self._end(False))
        elif body.complete and body.octets - self.position <= CHUNK_OCTETS:
            # To have a thread do something takes longer than to write some KiB.
            self._busy = True
            self.committed = self.entry
            store.calls.inThread(
                store.coming.committed, growing, self._cut(), self.entry, self.isWanted
            ).addCallbacks(self._wroteAll, self._broke)
        elif body.octets > self.position:
            self._busy = True
            store.calls.inThread(growing.write, self._cut()).addCallbacks(self._wrote, self._broke)

    def _cut(self) -> list[bytes]:
        """Take as much of the body as is written at a time."""
        body = self.entry.body
        pieces = body.cut(self.position, min(body.octets, self.position + CHUNK_OCTETS))
        self.position += sum(map(len, pieces))
        return pieces

    def cancel(self) -> None:
        """It is not to be stored: at once, or when what is under way is done."""
        self.failed = True
        self.grown()

    def isWanted(self) -> bool:
        """Whether it is to be stored still; also in a thread."""
        return not self.failed

    def cutOff(self) -> None:
        """See L{Reader<intermediary.policy.body.Reader>}: too much waits for the disk."""
        self.cancel()

    def _broke(self, failure: Failure) -> None:
        if self._growing is not None:
            self._store.calls.inThread(self._growing.discard).addErrback(lambda _: None)
        self._end(False)
        self._store.calls.failed(failure)

    def _end(self, stored: bool) -> None:
        body = self.entry.body
        body.unwatch(self)
        body.leave(self)
        self.failed = not stored
        file, self._file = self._file, None
        self._growing = None
        if file is not None:
            if stored:
                file.complete = True
                file.trailers = body.trailers
            else:
                file.failed = True
                if body.file is file and not body.start:
                    body.file = None
        self._store.coming.ended(self)
        self.done.callback(stored)
        if file is not None:
            file.drop()
        # Whoever brings it may have waited for the disk.
        body.passed()
