# -*- test-case-name: tests.policy.test_diskstore -*-
"""
Stored responses on disk: the tier behind the one in memory.

Nothing here keeps the reactor: files (L{intermediary.policy.diskfiles}) and index
(L{intermediary.policy.diskindex}) are for the threads of a pool, and all answers
are Deferreds (L{intermediary.policy.diskcalls}).  While the disk does not work, it finds
nothing.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred, fail
from zope.interface import implementer

from ..interfaces import ICacheTier
from .diskcalls import DiskCalls, DiskHangs
from .diskcoming import Coming
from .diskfiles import Files
from .diskforgetting import Forgetting
from .diskindex import DiskIndex
from .diskrows import DiskRows
from .entries import Shelf
from .purging import Purge, urlOf
from .readahead import ReadAhead

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.python.failure import Failure

    from .diskjournal import News
    from .diskrows import Row
    from .diskwriting import Writing
    from .entries import Entry
    from .storedfile import StoredFile

#: How often it is noted on disk what was used.
TOUCH_SECONDS: Final = 10.0


@implementer(ICacheTier)
class DiskStore:
    """
    Keeps entries in a folder, for any number of processes and from one to the next.

    An entry that it finds has a body without content that has a L{StoredFile}.
    Its shelves carry no marks: they are made anew for each answer.

    @ivar calls: has threads do all that blocks.
    @ivar coming: what is on its way to the disk.
    @ivar rows: makes rows of entries, and the other way round.
    @ivar readAhead: brings what is in files into memory.
    """

    def __init__(
        self,
        reactor: Any,
        pool: Any,
        folder: str,
        limitOctets: int,
        maxObjectOctets: int,
        encode: Callable[[Any], bytes],
        decode: Callable[[bytes], Any],
        urlOf: Callable[[bytes], bytes] = urlOf,
    ) -> None:
        """
        @param reactor: its time must be that of the epoch, as it goes to the disk.
        @param pool: a C{ThreadPool}, started by whoever owns it.
        @param encode: see L{DiskRows}, as for C{decode}; what it can't decode is not found.
        """
        self._reactor = reactor
        self.folder = folder
        # What it has no room for would drive out all the rest.
        self.maxObjectOctets = min(maxObjectOctets, limitOctets)
        self.rows = DiskRows(encode, decode)
        self.files = Files(folder)
        self.calls = DiskCalls(reactor, pool, folder, self._prepare, self._wipe)
        self.readAhead = ReadAhead(self.calls.inThread, reactor)
        self.index = DiskIndex(os.path.join(folder, "index.sqlite"), limitOctets, reactor.seconds)
        self.coming = Coming(self, urlOf, reactor.seconds)
        self._forgetting = Forgetting(
            self.calls, self.index.forgetAll, self.files.remove, self._discard
        )
        self._touched: dict[str, float] = {}
        self._touchedAt = reactor.seconds()

    # The disk

    @property
    def inUse(self) -> bool:
        """Whether the disk works."""
        return self.calls.inUse

    def begin(self) -> Deferred[bool]:
        """See L{DiskCalls.begin}."""
        return self.calls.begin()

    def open(self) -> Deferred[bool]:
        """See L{DiskCalls.open}."""
        return self.calls.open()

    def _prepare(self) -> None:
        self.files.open()
        self.index.open()

    def _wipe(self) -> None:
        self.files.remove(self.index.wipe())

    def listen(self) -> None:
        """From now on, somebody asks for the L{news}, and tells what of it is L{heard}."""
        self.index.journal.heeded = True

    def news(self) -> Deferred[News | None]:
        """Find what other processes have purged; fires with None while the disk does not work."""
        return self.calls.ask(None, self.index.journal.news)

    def heard(self, last: tuple[bytes, int]) -> None:
        """See L{Journal.heard<intermediary.policy.diskjournal.Journal.heard>}."""
        self.index.journal.heard(last)

    def sweep(self) -> Deferred[int]:
        """Delete files that died processes left; fires with their number."""
        return self.calls.ask(0, self._sweep)

    def _sweep(self) -> int:
        return self.files.leftOver(self.index.known)

    def end(self) -> Deferred[Any]:
        """
        Let what is complete be written, and give up the rest.

        @return: fires when nothing is being written any more.
        """
        return self.coming.end()

    def close(self) -> Deferred[None]:
        """Close the index when no thread is at work any more; fires when that is done."""
        touched, self._touched = self._touched, {}
        return self.calls.close(partial(self._close, touched))

    def _close(self, touched: dict[str, float]) -> None:
        try:
            if touched:
                self.index.touch(touched)
        finally:
            self.index.close()

    # Shelves

    def find(self, key: bytes) -> Deferred[Shelf | None]:
        """See L{IShelves.find<intermediary.interfaces.IShelves.find>}."""
        touched: dict[str, float] = {}
        now = self._reactor.seconds()
        if self._touched and now - self._touchedAt >= TOUCH_SECONDS:
            touched, self._touched = self._touched, {}
            self._touchedAt = now
        before = self.coming.under(key)
        return self.calls.ask([], self._find, key, touched).addCallback(self._shelved, key, before)

    def _find(self, key: bytes, touched: dict[str, float]) -> list[Row]:
        if touched:
            self.index.touch(touched)
        return self.index.find(key)

    def _shelved(
        self, rows: list[Row], key: bytes, before: list[Entry]
    ) -> Shelf | Deferred[Shelf | None] | None:
        # What is on its way is newer than what it will replace.
        coming = self.coming.under(key)
        variants = {entry.variant for entry in coming}
        if before and not variants.issuperset(entry.variant for entry in before):
            # It has arrived, perhaps after the thread looked; or it was given up.
            return self.find(key)
        entries = coming + [
            entry
            for row in rows
            if row.variant not in variants and (entry := self.rows.entryOf(row, self)) is not None
        ]
        if not entries:
            return None
        shelf = Shelf(key)
        shelf.entries = tuple(entries)
        return shelf

    def shelf(self, key: bytes) -> Deferred[Shelf]:
        """See L{IShelves.shelf<intermediary.interfaces.IShelves.shelf>}."""
        return self.find(key).addCallback(lambda found: Shelf(key) if found is None else found)

    def tidy(self, shelf: Shelf) -> None:
        """See L{IShelves.tidy<intermediary.interfaces.IShelves.tidy>}: there is nothing to do."""

    # Entries

    def opened(self, file: StoredFile) -> Deferred[int]:
        """Open a file; fires with its descriptor."""
        return self._of(file, self.files.read)

    def loaded(self, file: StoredFile) -> Deferred[list[bytes]]:
        """Read a file; fires with its content in pieces."""
        return self._of(file, self.files.content)

    def _of(self, file: StoredFile, function: Callable[[str, int], Any]) -> Deferred[Any]:
        """Call something that wants a file, also where the disk takes nothing any more."""
        if self.calls.hangs:
            return fail(DiskHangs())
        return self.calls.inThread(function, file.name, file.octets).addErrback(self._gone, file)

    def _gone(self, failure: Failure, file: StoredFile) -> Failure:
        if failure.check(FileNotFoundError):
            self.calls.ask(None, self.index.forget, file.name)
        return failure

    def closing(self, descriptor: int) -> None:
        """Close what may take long to close."""
        self.calls.inThread(os.close, descriptor).addErrback(self.calls.failed)

    def used(self, entry: Entry) -> None:
        """See L{ICacheStore.used}."""
        file = entry.body.file
        if file is not None and file.complete:
            self._touched[file.name] = self._reactor.seconds()

    def add(self, entry: Entry) -> Deferred[bool]:
        """
        See L{ICacheStore.add}, and L{Coming.add}.

        @return: fires when the body is complete and all is on the disk, or will
            not be.
        """
        return self.coming.add(entry)

    def grew(self, entry: Entry, octets: int) -> bool:
        """See L{ICacheStore.grew}."""
        return self.coming.grew(entry)

    def shed(self, entry: Entry, octets: int) -> None:
        """See L{ICacheStore.shed}: what is in memory is none of its business."""

    def writingOf(self, entry: Entry) -> Writing | None:
        """See L{ICacheTier.writingOf<intermediary.interfaces.ICacheTier.writingOf>}."""
        return self.coming.writingOf(entry)

    def remove(self, entry: Entry) -> None:
        """See L{ICacheStore.remove}."""
        self.removeAll([(entry.key, entry.variant)])

    def removeAll(self, names: list[tuple[bytes, bytes]]) -> Deferred[None]:
        """See L{ICacheTier.removeAll<intermediary.interfaces.ICacheTier.removeAll>}."""
        self.coming.cancel(names)
        return self.calls.tell(None, self.dropAll, names)

    def forget(self, key: bytes) -> Deferred[int]:
        """See L{ICacheStore.forget}."""
        self.coming.cancelCovered(Purge.ofKey(key))
        return self._forgetting.add(key)

    def giveUp(self, what: Purge, isMeant: Callable[[Entry], bool] | None = None) -> None:
        """See L{ICacheTier.giveUp<intermediary.interfaces.ICacheTier.giveUp>}."""
        self.coming.cancelCovered(what, isMeant)

    def dropAll(self, names: list[tuple[bytes, bytes]]) -> None:
        """Drop rows and their files, by key and variant; in a thread."""
        self.files.remove(self.index.dropAll(names))

    def purge(self, what: Purge, soft: bool = False) -> Deferred[int]:
        """
        See L{IPurgeable.purge<intermediary.interfaces.IPurgeable.purge>}.

        It is done also where nobody waits for it any more.
        """
        # What is on its way was stored before: it counts as gone, and is not counted.
        self.coming.cancelCovered(what)
        if soft:
            now = self._reactor.seconds()
            answer = self.calls.tell(0, self.index.expire, what, now, lasting=True)
        else:
            answer = self.calls.tell(
                (0, []), self.index.purge, what, later=partial(self._purge, what), lasting=True
            )
            answer.addCallback(self._purged)
        # Who cancels this one has stopped waiting, and nothing else.
        told: Deferred[int] = Deferred()
        answer.chainDeferred(told)
        return told

    def _purge(self, what: Purge) -> None:
        self.files.remove(self.index.purge(what)[1])

    def _purged(self, answer: tuple[int, list[str]]) -> int:
        count, names = answer
        self._discard(names)
        return count

    def _discard(self, names: list[str]) -> None:
        """Delete the files of what has gone; nobody finds them, so nobody waits for that."""
        if names:
            self.calls.inThread(self.files.remove, names).addErrback(self.calls.failed)

    def __repr__(self) -> str:
        state = "in use" if self.inUse else "out of use"
        return f"<DiskStore {self.folder} {state}, writing={len(self.coming)}>"
