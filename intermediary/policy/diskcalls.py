# -*- test-case-name: tests.policy.test_diskcalls -*-
"""
Calls of what blocks on the disk, and what becomes of them where it does not work.

What goes wrong with the disk is logged once; then it is out of use, which is to say that
nothing is asked of it, and tried again now and then.  What had to be changed on it
meanwhile is done before anything is asked again, if need be by the next process
(L{intermediary.policy.diskdebts}).
"""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from .diskdebts import Debts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: How many calls may wait for threads, which do some thousand in a second.  A request
#: waits for two seconds at most: where there are more, the disk hangs.
CALLS: Final = 4096
#: How long it stays out of use.
RETRY_SECONDS: Final = 60.0
#: How much is remembered to be done when it is in use again; beyond it all goes.
OWED: Final = 1000


class DiskHangs(OSError):
    """More waits for the disk than it could do in time."""

    def __init__(self) -> None:
        super().__init__(f"{CALLS} calls wait for it")


class DiskCalls:
    """
    Has threads do what is asked of a disk and told to it.

    @ivar pool: a C{ThreadPool}, started by whoever owns it; another one may take its
        place while the disk is closed.
    @ivar inUse: whether the disk works.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        pool: Any,
        folder: str,
        prepare: Callable[[], None],
        wipe: Callable[[], None],
    ) -> None:
        """
        @param folder: for the log, and for L{Debts}.
        @param prepare: opens what there is on the disk, or makes it; in a thread.
        @param wipe: drops all that is there; in a thread.
        """
        self._reactor = reactor
        self.pool = pool
        self._folder = folder
        self._prepare = prepare
        self._wipe = wipe
        self.inUse = False
        # How many there are that have not ended.
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
        self._owed: list[Callable[[], Any]] = []
        self._doubtful = False
        # Some of it, or of what is being done, somebody wanted to be gone.
        self._lasting = False
        self._debts = Debts(folder)
        # How many threads are doing that, and whether one does while all else is in use.
        self._settling = 0
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
    def hangs(self) -> bool:
        """Whether as many calls as may be wait for it."""
        waiting = 0 if self._beginning is None else len(self._beginning)
        return self._calls + waiting >= CALLS

    def failed(self, failure: Failure) -> None:
        """Something went wrong: with the disk, and it is out of use, or with us."""
        if failure.check(OSError, sqlite3.Error):
            self._leave(failure)
        else:
            self._log.failure("a defect in the disk cache", failure=failure)

    def _leave(self, failure: Failure) -> None:
        """Do without it for a while."""
        self._retryAt = self._reactor.seconds() + RETRY_SECONDS
        self.inUse = False
        if not self._said:
            self._said = True
            self._log.error(
                "the disk cache in {folder} is out of use: {error}",
                folder=self._folder,
                error=failure.getErrorMessage(),
            )

    def ask(
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
        if self.hangs:
            if self.inUse:
                self._leave(Failure(DiskHangs()))
            return succeed(default)

        def again(_: object) -> Deferred[Any]:
            return self.ask(default, function, *arguments, changing=changing)

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

    def tell(
        self,
        default: Any,
        function: Callable[..., Any],
        *arguments: Any,
        later: Callable[[], Any] | None = None,
        lasting: bool = False,
    ) -> Deferred[Any]:
        """
        As L{ask}, for what has to be done later if it can't be done now.

        @param later: is called then, in a thread; the same, if it is not said.  It may be
            kept for a minute and longer.
        @param lasting: what somebody wanted to be gone must not be there for the next process,
            either, if this one ends before; what is not the newest may.
        @return: fires when it is done, or the next process would know that it was not.
        """

        def done(answer: tuple[bool, Any]) -> Any:
            worked, value = answer
            if worked:
                return value
            change = later or partial(function, *arguments)
            return self._owe(change, lasting).addCallback(lambda _: value)

        def noted(*arguments: Any) -> tuple[bool, Any]:
            return True, function(*arguments)

        asked = self.ask((False, default), noted, *arguments, changing=True)
        return asked.addCallback(done)

    # What is owed

    def _owe(self, change: Callable[[], Any], lasting: bool) -> Deferred[Any]:
        if len(self._owed) < OWED:
            self._owed.append(change)
        else:
            self._doubtful = True
        self._lasting = self._lasting or lasting
        marked = self._mark()
        self._catchUp()
        return marked

    def _mark(self) -> Deferred[Any]:
        """
        Have the folder say whether something lasting is owed, unless the disk hangs.

        Nobody hears that it takes no file, either: that it does not work is known.
        """
        owing = self._lasting or (self._settling > 0 and self._debts.owing)
        if owing == self._debts.owing or self.hangs:
            return succeed(None)
        self._debts.owing = owing
        return self.inThread(self._debts.mark).addErrback(lambda _: None)

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
        lasting, self._lasting = self._lasting, False
        self._settling += 1

        def broke(failure: Failure) -> bool:
            self._lasting = self._lasting or lasting
            if failure.check(OSError, sqlite3.Error):
                self._doubtful = self._doubtful or doubtful
                self._owed = owed + self._owed
            else:
                # It would meet that again.
                self._doubtful = True
                self.failed(failure)
            self._leave(failure)
            return False

        def settled(works: bool) -> bool | Deferred[bool]:
            self._settling -= 1
            marked = self._mark()
            # Nothing waits for the folder to say that nothing is owed.
            return marked.addCallback(lambda _: works) if self._lasting else works

        done = self.inThread(carryOut, doubtful, owed).addCallbacks(lambda _: True, broke)
        return done.addCallback(settled)

    def _carryOut(self, doubtful: bool, owed: Iterable[Callable[[], Any]]) -> None:
        if doubtful:
            self._wipe()
        for change in owed:
            change()

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
            self._log.info("the disk cache in {folder} is in use", folder=self._folder)
            self._catchUp()
            return True

        return self._settle(self._open).addCallback(opened)

    def _open(self, doubtful: bool, owed: Iterable[Callable[[], Any]]) -> None:
        self._prepare()
        left = self._debts.left()
        if left:
            self._log.warn(
                "the disk cache in {folder} is emptied: a process has ended that could not do "
                "there what it had to",
                folder=self._folder,
            )
        self._carryOut(doubtful or bool(left), owed)
        self._debts.forgive(left)

    def close(self, end: Callable[[], None]) -> Deferred[None]:
        """
        Do nothing more, until it is opened again; but try once more what is owed.

        @param end: is called in a thread, when no other one is at work.
        @return: fires when that is done, well or not.
        """
        self.inUse = False
        self._closed = True
        idle: Deferred[None] = Deferred()
        if self._calls:
            self._idle = idle
        else:
            idle.callback(None)

        def idled(_: None) -> Deferred[Any]:
            if not self._closed:
                # It was opened again, as it hung and nobody waited.
                return succeed(None)
            # Or it would be there still when the next process begins.
            owing = bool(self._owed or self._doubtful)
            settled = self._settle(self._open) if owing else succeed(True)
            return settled.addCallback(lambda _: self.inThread(end))

        return idle.addCallback(idled).addErrback(lambda _: None)

    def __repr__(self) -> str:
        state = "in use" if self.inUse else "out of use"
        return f"<DiskCalls {state}, waiting={self._calls}>"
