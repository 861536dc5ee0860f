# -*- test-case-name: tests.policy.test_diskcoming -*-
"""
Entries on their way to the disk.

Of those with one name, a key and a variant, the newest counts: what is older is not to
be stored any more, unless it is there.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredList, succeed

from .answers import requestedAt
from .diskwriting import Renewal, Writing
from .purging import hostOf

if TYPE_CHECKING:
    from collections.abc import Callable

    from .diskfiles import Growing
    from .diskrows import Row
    from .diskstore import DiskStore
    from .entries import Entry
    from .purging import Purge


class Coming:
    """What is being written to a store, or gets another head there."""

    def __init__(
        self, store: DiskStore, urlOf: Callable[[bytes], bytes], seconds: Callable[[], float]
    ) -> None:
        self._store = store
        self._urlOf = urlOf
        self._seconds = seconds
        #: By key and variant: the newest of each.
        self._writing: dict[tuple[bytes, bytes], Writing] = {}
        self._renewing: dict[tuple[bytes, bytes], Renewal] = {}

    def add(self, entry: Entry) -> Deferred[bool]:
        """
        Have an entry written.

        One whose body is in a file of the store already, as it was validated, is
        stored by its head alone.

        @return: fires when the body is complete and all is on the disk, or will
            not be.
        """
        name = entry.key, entry.variant
        older = self._renewing.pop(name, None)
        if older is not None:
            older.cancel()
        file = entry.body.file
        if file is None or file.store is not self._store or not file.complete:
            return self._write(entry)
        newer = self._writing.pop(name, None)
        if newer is not None:
            # It broke off, and this one is back: its end must not drop the row.
            newer.cancel()
        renewal = self._renewing[name] = Renewal(entry)
        renewing: Deferred[bool] = self._store.calls.tell(
            False, self._renew, renewal, later=partial(self._store.dropAll, [name])
        )
        return renewing.addCallback(self._renewed, renewal)

    def _renewed(self, renewed: bool, renewal: Renewal) -> Deferred[bool]:
        entry = renewal.entry
        name = entry.key, entry.variant
        if self._renewing.get(name) is renewal:
            del self._renewing[name]
        if renewed or renewal.failed:
            return succeed(not renewal.failed)
        return self._write(entry)

    def _write(self, entry: Entry) -> Deferred[bool]:
        body = entry.body
        name = entry.key, entry.variant
        before = self._writing.get(name)
        if before is not None and before.entry.body is body and not before.failed:
            # It was validated on its way.
            before.entry = entry
            followed: Deferred[bool] = Deferred()

            def ended(stored: bool) -> bool:
                if stored and before.entry is entry and before.committed is not entry:
                    # It came too late for the row.
                    self.add(entry).chainDeferred(followed)
                else:
                    followed.callback(stored)
                return stored

            before.done.addCallback(ended)
            return followed
        store = self._store
        if body.octets > store.maxObjectOctets or body.start or not store.inUse:
            if before is not None:
                before.cancel()
            return store.calls.tell(False, store.dropAll, [name]).addCallback(lambda _: False)
        self._writing.pop(name, None)
        writing = self._writing[name] = Writing(store, entry)
        if before is not None:
            before.cancel()
        writing.begin()
        return writing.done

    def committed(
        self, file: Growing, rest: list[bytes], entry: Entry, isWanted: Callable[[], bool]
    ) -> bool:
        """
        Write the rest of a file, put that into its place, and into the index; in a thread.

        @return: whether it was wanted still, and is there.
        """
        file.write(rest)
        body = entry.body
        row = self._store.rows.rowOf(entry, file.name, body.octets, body.trailers)
        file.commit()
        stored = False
        try:
            stored = self._put(row, requestedAt(entry), isWanted)
        finally:
            if not stored:
                self._store.files.remove([file.name])
        return stored

    def _renew(self, renewal: Renewal) -> bool:
        """Give another row to a file that is an entry's; whether it is there, and wanted."""
        entry = renewal.entry
        file = entry.body.file
        row = self._store.rows.rowOf(entry, file.name, file.octets, file.trailers)
        try:
            os.close(self._store.files.read(file.name, file.octets))
        except FileNotFoundError:
            return False
        return self._put(row, requestedAt(entry), renewal.isWanted, renewing=True)

    def _put(
        self, row: Row, requested: float, isWanted: Callable[[], bool], *, renewing: bool = False
    ) -> bool:
        url = self._urlOf(row.key)
        now = self._seconds()
        gone = self._store.index.put(
            row, url, hostOf(url), now, isWanted, requested=requested, renewing=renewing
        )
        if gone is None:
            return False
        self._store.files.remove([name for name in gone if name != row.name])
        return True

    def ended(self, writing: Writing) -> None:
        """A body is written, or will not be."""
        entry = writing.entry
        if self._writing.get((entry.key, entry.variant)) is not writing:
            # A newer one took its place, and replaces what there is.
            return
        del self._writing[entry.key, entry.variant]
        if writing.failed:
            # What it would have replaced is not the current response any more.
            names = [(entry.key, entry.variant)]
            writing.dropped = self._store.calls.tell(None, self._store.dropAll, names)

    def grew(self, entry: Entry) -> bool:
        """Tell whether an entry, whose body grows, is being written still."""
        writing = self._writing.get((entry.key, entry.variant))
        return (
            writing is not None
            and writing.entry is entry
            and not writing.failed
            and entry.body.octets <= self._store.maxObjectOctets
        )

    def writingOf(self, entry: Entry) -> Writing | None:
        """Find who writes the content of an entry; None if nobody does."""
        writing = self._writing.get((entry.key, entry.variant))
        if writing is None or writing.entry.body is not entry.body or writing.failed:
            return None
        return writing

    def under(self, key: bytes) -> list[Entry]:
        """Find what is being written under a key, the newest first."""
        return [
            writing.entry
            for (each, _), writing in reversed(self._writing.items())
            if each == key and not writing.failed and writing.entry.body.error is None
        ]

    def cancel(self, names: list[tuple[bytes, bytes]]) -> None:
        """Have what has these keys and variants not stored."""
        for name in names:
            for each in (self._writing.get(name), self._renewing.get(name)):
                if each is not None:
                    each.cancel()

    def cancelCovered(self, what: Purge, isMeant: Callable[[Entry], bool] | None = None) -> None:
        """
        Have what a purge covers not stored.

        @param isMeant: see L{ICacheTier.giveUp<intermediary.interfaces.ICacheTier.giveUp>}.
        """
        coming: list[Writing | Renewal] = [*self._writing.values(), *self._renewing.values()]
        for each in coming:
            entry = each.entry
            if what.coversEntry(entry, self._urlOf(entry.key)) and (
                isMeant is None or isMeant(entry)
            ):
                each.cancel()

    def end(self) -> Deferred[Any]:
        """Let what is complete be written, and give up the rest; fires when all has ended."""
        writings = list(self._writing.values())
        ended = DeferredList([writing.done for writing in writings])
        for writing in writings:
            if not writing.entry.body.complete:
                writing.cancel()
        return ended

    def __len__(self) -> int:
        return len(self._writing)
