# -*- test-case-name: tests.policy.test_diskstore -*-
"""
Stored responses on disk: the tier behind the one in memory.

Nothing here keeps the reactor: files (L{intermediary.policy.diskfiles}) and index
(L{intermediary.policy.diskindex}) are for the threads of a pool, and all answers
are Deferreds.  What goes wrong with the disk is logged once; then the store is out
of use, which is to say that it finds nothing, and tries again now and then.
"""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Any, Final, cast

from twisted.internet.defer import Deferred, DeferredList, fail, succeed
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..interfaces import ICacheTier
from ..wire.fields import EMPTY, Fields, parseFields
from .body import Body
from .diskfiles import Files
from .diskindex import DiskIndex, Row
from .diskwriting import Renewal, Writing
from .entries import Entry, Shelf
from .purging import Purge, hostOf, urlOf
from .readahead import ReadAhead
from .storedfile import StoredFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from .diskfiles import Growing

#: How many calls may wait for threads, which do some thousand in a second.  A request
#: waits for two seconds at most: where there are more, the disk hangs.
CALLS: Final = 4096
#: How long it stays out of use.
RETRY_SECONDS: Final = 60.0
#: How much it remembers to do when it is in use again; beyond it all goes.
OWED: Final = 1000
#: How often it is noted on disk what was used.
TOUCH_SECONDS: Final = 10.0


def _parsed(lines: bytes) -> Fields:
    found = parseFields(lines + b"\r\n") if lines else None
    return EMPTY if found is None else found[0]


class DiskHangs(OSError):
    """More waits for the disk than it could do in time."""


@implementer(ICacheTier)
class DiskStore:
    """
    Keeps entries in a folder, for any number of processes and from one to the next.

    An entry that it finds has a body without content that has a L{StoredFile}.
    Its shelves carry no marks: they are made anew for each answer.

    @ivar pool: as it was handed in; another one may take its place while the store is
        closed.
    @ivar readAhead: brings what is in files into memory.
    @ivar inUse: whether the disk works.
    """

    log = Logger()

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
        @param encode: makes octets of a verdict.
        @param decode: makes a verdict of octets; raises C{ValueError} for those of
            another version, and what they belong to is not found.
        """
        self._reactor = reactor
        self.pool = pool
        self.folder = folder
        # What it has no room for would drive out all the rest.
        self.maxObjectOctets = min(maxObjectOctets, limitOctets)
        self._encode = encode
        self._decode = decode
        self._urlOf = urlOf
        self.files = Files(folder)
        self.readAhead = ReadAhead(self.inThread, reactor)
        self.index = DiskIndex(os.path.join(folder, "index.sqlite"), limitOctets)
        #: By key and variant: the newest of each.
        self._writing: dict[tuple[bytes, bytes], Writing] = {}
        self._renewing: dict[tuple[bytes, bytes], Renewal] = {}
        self._touched: dict[str, float] = {}
        self._touchedAt = reactor.seconds()
        self.inUse = False
        # How many calls threads have to do.
        self._calls = 0
        # Who waits for there to be none.
        self._idle: Deferred[None] | None = None
        # Who waits for the first opening.
        self._beginning: list[Deferred[None]] | None = None
        self._opening = False
        self._closed = False
        self._retryAt = 0.0
        # Whether it was logged that it is out of use.
        self._said = False
        # What could not be done.  Until it is, there may be on the disk what should
        # not be there; if there was too much of it, nothing there is good.
        self._owed: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        self._doubtful = False
        # A thread is doing that while all else is in use.
        self._catchingUp = False

    # Threads, and what goes wrong in them

    def inThread(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """Call something that blocks."""
        self._calls += 1
        return deferToThreadPool(self._reactor, self.pool, function, *arguments).addBoth(
            self._called
        )

    def _called(self, result: Any) -> Any:
        self._calls -= 1
        if not self._calls and self._idle is not None:
            idle, self._idle = self._idle, None
            idle.callback(None)
        return result

    @property
    def _hangs(self) -> bool:
        """Whether as many calls as may be wait for it."""
        waiting = 0 if self._beginning is None else len(self._beginning)
        return self._calls + waiting >= CALLS

    def failed(self, failure: Failure) -> None:
        """Something went wrong: with the disk, and it is out of use, or with us."""
        if failure.check(OSError, sqlite3.Error):
            self._leave(failure)
        else:
            self.log.failure("a defect in the disk cache", failure=failure)

    def _leave(self, failure: Failure) -> None:
        """Do without it for a while."""
        self._retryAt = self._reactor.seconds() + RETRY_SECONDS
        self.inUse = False
        if not self._said:
            self._said = True
            self.log.error(
                "the disk cache in {folder} is out of use: {error}",
                folder=self.folder,
                error=failure.getErrorMessage(),
            )

    def _ask(
        self,
        default: Any,
        function: Callable[..., Any],
        *arguments: Any,
        changing: bool = False,
    ) -> Deferred[Any]:
        """
        Call something that blocks, if the disk works.

        @param changing: also while what is owed is being done, as it finds nothing.
        """
        if self._hangs:
            if self.inUse:
                self._leave(Failure(DiskHangs(f"{CALLS} calls wait for it")))
            return succeed(default)

        def again(_: object) -> Deferred[Any]:
            return self._ask(default, function, *arguments, changing=changing)

        if not self.inUse:
            if self._beginning is not None:
                begun: Deferred[None] = Deferred()
                self._beginning.append(begun)
                return begun.addCallback(again)
            if self._opening or self._closed or self._reactor.seconds() < self._retryAt:
                return succeed(default)
            return self.open().addCallback(again)
        if self._catchingUp and not changing:
            return succeed(default)

        def broke(failure: Failure) -> Any:
            self.failed(failure)
            return default

        return self.inThread(function, *arguments).addErrback(broke)

    def _tell(
        self,
        default: Any,
        function: Callable[..., Any],
        *arguments: Any,
        later: Callable[..., Any] | None = None,
    ) -> Deferred[Any]:
        """
        As L{_ask}, for what has to be done later if it can't be done now.

        @param later: what is done then; the same, if it is not said.
        """

        def done(answer: tuple[bool, Any]) -> Any:
            worked, value = answer
            if not worked:
                self._owe(later or function, *arguments)
            return value

        def noted(*arguments: Any) -> tuple[bool, Any]:
            return True, function(*arguments)

        asked = self._ask((False, default), noted, *arguments, changing=True)
        return asked.addCallback(done)

    # What is owed

    def _owe(self, function: Callable[..., Any], *arguments: Any) -> None:
        if function in (self._drop, self._dropOf):
            # By name: what is owed for a minute must not keep content in memory.
            (about,) = arguments
            entry = about.entry if isinstance(about, Renewal) else about
            function, arguments = self._dropAll, ([(entry.key, entry.variant)],)
        if len(self._owed) < OWED:
            self._owed.append((function, arguments))
        else:
            self._doubtful = True
        self._catchUp()

    def _catchUp(self) -> None:
        """
        If the disk works, do what is owed; nothing is found until that is done.

        It was told while a thread did what had been owed until then, or met a defect.
        """
        if self._catchingUp or not self.inUse or not (self._owed or self._doubtful):
            return
        self._catchingUp = True

        def caughtUp(works: bool) -> None:
            self._catchingUp = False
            if works:
                self._catchUp()

        self._settle(self._carryOut).addCallback(caughtUp)

    def _settle(self, carryOut: Callable[..., Any]) -> Deferred[bool]:
        """
        Have a thread do what is owed.

        @param carryOut: is called with whether all has to go, and what has to be done.
        @return: fires with whether it is done; the disk is out of use if not.
        """
        owed, self._owed = self._owed, []
        doubtful, self._doubtful = self._doubtful, False

        def broke(failure: Failure) -> bool:
            if failure.check(OSError, sqlite3.Error):
                self._doubtful = self._doubtful or doubtful
                self._owed = owed + self._owed
            else:
                # It would meet that again.
                self._doubtful = True
                self.failed(failure)
            self._leave(failure)
            return False

        return self.inThread(carryOut, doubtful, owed).addCallbacks(lambda _: True, broke)

    def _carryOut(
        self, doubtful: bool, owed: list[tuple[Callable[..., Any], tuple[Any, ...]]]
    ) -> None:
        if doubtful:
            self.files.remove(self.index.wipe())
        for function, arguments in owed:
            function(*arguments)

    # Opening and closing

    def begin(self) -> Deferred[bool]:
        """As L{open}, and whoever asks meanwhile waits for that."""
        self._beginning = []

        def begun(works: bool) -> bool:
            waiting, self._beginning = self._beginning, None
            for each in waiting or ():
                each.callback(None)
            return works

        return self.open().addCallback(begun)

    def open(self) -> Deferred[bool]:
        """
        Get ready, which everything else does by itself.

        @return: fires with whether the disk works.
        """
        self._opening = True
        self._closed = False

        def opened(works: bool) -> bool:
            self._opening = False
            if not works or self._closed:
                return False
            self.inUse = True
            self._said = False
            self.log.info("the disk cache in {folder} is in use", folder=self.folder)
            self._catchUp()
            return True

        return self._settle(self._open).addCallback(opened)

    def _open(self, *owed: Any) -> None:
        self.files.open()
        self.index.open()
        self._carryOut(*owed)

    def sweep(self) -> Deferred[int]:
        """Delete files that died processes left; fires with their number."""
        return self._ask(0, self._sweep)

    def _sweep(self) -> int:
        return self.files.leftOver(self.index.known)

    def end(self) -> Deferred[Any]:
        """
        Let what is complete be written, and give up the rest.

        @return: fires when nothing is being written any more.
        """
        writings = list(self._writing.values())
        ended = DeferredList([writing.done for writing in writings])
        for writing in writings:
            if not writing.entry.body.complete:
                writing.cancel()
        return ended

    def close(self) -> Deferred[None]:
        """Close the index when no thread is at work any more; fires when that is done."""
        touched, self._touched = self._touched, {}
        self.inUse = False
        self._closed = True
        idle: Deferred[None] = Deferred()
        if self._calls:
            self._idle = idle
        else:
            idle.callback(None)

        def ended(_: None) -> Deferred[None]:
            # It may be open again, where it hung and nobody waited.
            return self.inThread(self._close, touched) if self._closed else succeed(None)

        return idle.addCallback(ended).addErrback(lambda _: None)

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
        return self._ask([], self._find, key, touched).addCallback(self._shelved, key)

    def _find(self, key: bytes, touched: dict[str, float]) -> list[Row]:
        if touched:
            self.index.touch(touched)
        return self.index.find(key)

    def _shelved(self, rows: list[Row], key: bytes) -> Shelf | None:
        # What is on its way is newer than what it will replace.
        coming = [
            writing.entry
            for (each, _), writing in reversed(self._writing.items())
            if each == key and not writing.failed and writing.entry.body.error is None
        ]
        variants = {entry.variant for entry in coming}
        entries = coming + [
            entry
            for row in rows
            if row.variant not in variants and (entry := self._entryOf(row)) is not None
        ]
        if not entries:
            return None
        shelf = Shelf(key)
        shelf.entries = tuple(entries)
        return shelf

    def _entryOf(self, row: Row) -> Entry | None:
        try:
            verdict = self._decode(row.verdict)
        except ValueError:
            return None
        body = Body.within(StoredFile(self, row.name, row.octets, _parsed(row.trailers)))
        return Entry(
            row.key,
            row.status,
            row.reason,
            _parsed(row.head),
            body,
            row.stored,
            row.expires,
            verdict,
            row.variant,
            row.vary,
            row.tags,
        )

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
        if self._hangs:
            return fail(DiskHangs(f"{CALLS} calls wait for it"))
        return self.inThread(function, file.name, file.octets).addErrback(self._gone, file)

    def _gone(self, failure: Failure, file: StoredFile) -> Failure:
        if failure.check(FileNotFoundError):
            self._ask(None, self.index.forget, file.name)
        return failure

    def closing(self, descriptor: int) -> None:
        """Close what may take long to close."""
        self.inThread(os.close, descriptor).addErrback(self.failed)

    def used(self, entry: Entry) -> None:
        """See L{ICacheStore.used}."""
        file = entry.body.file
        if file is not None and file.complete:
            self._touched[file.name] = self._reactor.seconds()

    def add(self, entry: Entry) -> Deferred[bool]:
        """
        See L{ICacheStore.add}.

        One whose body is in a file of this store already, as it was validated, is
        stored by its head alone.

        @return: fires when the body is complete and all is on the disk, or will
            not be.
        """
        name = entry.key, entry.variant
        older = self._renewing.pop(name, None)
        if older is not None:
            older.cancel()
        file = entry.body.file
        if file is None or file.store is not self or not file.complete:
            return self._write(entry)
        newer = self._writing.pop(name, None)
        if newer is not None:
            # It broke off, and this one is back: its end must not drop the row.
            newer.cancel()
        renewal = self._renewing[name] = Renewal(entry)
        renewing: Deferred[bool] = self._tell(False, self._renew, renewal, later=self._dropOf)
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
        if body.octets > self.maxObjectOctets or body.start or not self.inUse:
            if before is not None:
                before.cancel()
            return self._tell(False, self._drop, entry).addCallback(lambda _: False)
        self._writing.pop(name, None)
        writing = self._writing[name] = Writing(self, entry)
        if before is not None:
            before.cancel()
        writing.begin()
        return writing.done

    def committed(self, file: Growing, entry: Entry, isWanted: Callable[[], bool]) -> bool:
        """
        Put a file that was written into its place, and into the index; in a thread.

        @return: whether it was wanted still, and is there.
        """
        body = entry.body
        row = self._rowOf(entry, file.name, body.octets, body.trailers)
        file.commit()
        stored = False
        try:
            stored = self._put(row, isWanted)
        finally:
            if not stored:
                self.files.remove([file.name])
        return stored

    def _renew(self, renewal: Renewal) -> bool:
        """Give another row to a file that is an entry's; whether it is there, and wanted."""
        entry = renewal.entry
        file = entry.body.file
        row = self._rowOf(entry, file.name, file.octets, file.trailers)
        try:
            os.close(self.files.read(file.name, file.octets))
        except FileNotFoundError:
            return False
        return self._put(row, renewal.isWanted, renewing=True)

    def _rowOf(self, entry: Entry, name: str, octets: int, trailers: Fields) -> Row:
        return Row(
            0,
            entry.key,
            entry.variant,
            name,
            octets,
            entry.status,
            entry.reason,
            entry.head,
            trailers.encoded,
            entry.vary,
            entry.tags,
            self._encode(entry.verdict),
            entry.stored,
            entry.expires,
        )

    def _put(self, row: Row, isWanted: Callable[[], bool], *, renewing: bool = False) -> bool:
        url = self._urlOf(row.key)
        now = self._reactor.seconds()
        gone = self.index.put(row, url, hostOf(url), now, isWanted, renewing=renewing)
        if gone is None:
            return False
        self.files.remove([name for name in gone if name != row.name])
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
            self._tell(None, self._drop, entry)

    def grew(self, entry: Entry, octets: int) -> bool:
        """See L{ICacheStore.grew}."""
        writing = self._writing.get((entry.key, entry.variant))
        return (
            writing is not None
            and writing.entry is entry
            and not writing.failed
            and entry.body.octets <= self.maxObjectOctets
        )

    def written(self, entry: Entry) -> int | None:
        """Tell how many octets of an entry were read to be written; None if none will be."""
        writing = self._writing.get((entry.key, entry.variant))
        return None if writing is None or writing.entry is not entry else writing.position

    def shed(self, entry: Entry, octets: int) -> None:
        """See L{ICacheStore.shed}: what is in memory is none of its business."""

    def writingOf(self, entry: Entry) -> Writing | None:
        """See L{ICacheTier.writingOf<intermediary.interfaces.ICacheTier.writingOf>}."""
        writing = self._writing.get((entry.key, entry.variant))
        if writing is None or writing.entry.body is not entry.body or writing.failed:
            return None
        return writing

    def remove(self, entry: Entry) -> None:
        """See L{ICacheStore.remove}."""
        self.removeAll([(entry.key, entry.variant)])

    def removeAll(self, names: list[tuple[bytes, bytes]]) -> Deferred[None]:
        """See L{ICacheTier.removeAll<intermediary.interfaces.ICacheTier.removeAll>}."""
        for name in names:
            for each in (self._writing.get(name), self._renewing.get(name)):
                if each is not None:
                    each.cancel()
        return self._tell(None, self._dropAll, names)

    def forget(self, key: bytes) -> Deferred[int]:
        """See L{ICacheStore.forget}."""
        return self.purge(Purge.ofKey(key))

    def _dropAll(self, names: list[tuple[bytes, bytes]]) -> None:
        self.files.remove(self.index.dropAll(names))

    def _dropOf(self, renewal: Renewal) -> None:
        self._drop(renewal.entry)

    def _drop(self, entry: Entry) -> None:
        self.files.remove(self.index.drop(entry.key, entry.variant))

    def purge(self, what: Purge, soft: bool = False) -> Deferred[int]:
        """See L{IPurgeable.purge<intermediary.interfaces.IPurgeable.purge>}."""
        # What is on its way was stored before: it counts as gone, and is not counted.
        onTheirWay: list[Writing | Renewal] = [*self._writing.values(), *self._renewing.values()]
        for each in onTheirWay:
            if what.coversEntry(each.entry, self._urlOf(each.entry.key)):
                each.cancel()
        if soft:
            answer = self._tell(0, self.index.expire, what, self._reactor.seconds())
        else:
            answer = self._tell((0, []), self.index.purge, what, later=self._purge)
            answer.addCallback(self._purged)
        return cast("Deferred[int]", answer)

    def _purge(self, what: Purge) -> None:
        self.files.remove(self.index.purge(what)[1])

    def _purged(self, answer: tuple[int, list[str]]) -> int:
        """Delete the files of what was purged; nobody finds them, so nobody waits for that."""
        count, names = answer
        if names:
            self.inThread(self.files.remove, names).addErrback(self.failed)
        return count

    def __repr__(self) -> str:
        state = "in use" if self.inUse else "out of use"
        return f"<DiskStore {self.folder} {state}, writing={len(self._writing)}>"
