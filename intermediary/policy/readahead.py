# -*- test-case-name: tests.policy.test_readahead -*-
"""
Octets of files on their way from the disk: to who wants them, or into the memory of the
kernel.

What the kernel is to send (C{sendfile}) and does not have, it would read while the
reactor waits.  Threads read it before.  Where it can't send, they read for who does.
They do that a few at a time, so that look-ups and what is to be written get their
turn, and the others in the order in which they came.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from .storedfile import StoredFile

#: How many threads read at a time, of those that the disk has.
READS: Final = 2
#: Octets that one call reads to have them in memory.
PIECE_OCTETS: Final = 128 * 1024
#: How long one waits for octets.
PATIENCE_SECONDS: Final = 60.0

# By name: what is compiled has no frame for the logger to find it in.
_log: Final = Logger("intermediary.policy.readahead")


class Bringing:
    """
    Octets of a file that somebody waits for.

    @ivar told: called with what came of it; None when nobody waits any more.
    """

    __slots__ = ("_reads", "file", "read", "start", "stop", "told")

    def __init__(
        self,
        reads: ReadAhead,
        read: Callable[[int, int, int], Any],
        file: StoredFile,
        start: int,
        stop: int,
        told: Callable[[Any], None],
    ) -> None:
        self._reads = reads
        self.read = read
        self.file = file
        self.start = start
        self.stop = stop
        self.told: Callable[[Any], None] | None = told

    def cancel(self) -> None:
        """Nobody waits any more: if it has not begun, it is not done at all."""
        self.told = None
        self._reads.forget(self)


class ReadAhead:
    """Brings octets of files, for one store."""

    __slots__ = ("_inThread", "_reactor", "_reading", "_waiting")

    def __init__(self, inThread: Callable[..., Deferred[Any]], reactor: Any) -> None:
        """
        @param inThread: calls something that blocks.
        """
        self._inThread = inThread
        self._reactor = reactor
        self._reading = 0
        self._waiting: dict[Bringing, None] = {}

    def bring(self, file: StoredFile, start: int, stop: int, told: Callable[[], None]) -> Bringing:
        """
        Have octets brought into memory, of a file that is open and stays so until that is done.

        @param told: called later, once, also where they can't be read: who wants
            them finds out.
        @return: for who does not wait any more; C{told} is not called then.
        """
        return self._have(bring, file, start, stop, lambda _: told())

    def read(self, file: StoredFile, start: int, stop: int) -> Deferred[bytes]:
        """
        Read octets of a file that is open, and stays so until that is done.

        @return: fires with what there is at C{start}; fails with C{OSError}, also if that
            takes too long.  Whoever does not wait any more cancels it.
        """
        done: Deferred[bytes] = Deferred(lambda _: bringing.cancel())

        def tooLate() -> None:
            bringing.cancel()
            done.errback(TimeoutError("the disk took too long"))

        def over(result: Any) -> Any:
            if timer.active():
                timer.cancel()
            return result

        timer = self._reactor.callLater(PATIENCE_SECONDS, tooLate)
        done.addBoth(over)
        bringing = self._have(_read, file, start, stop, done.callback)
        return done

    def _have(
        self,
        read: Callable[[int, int, int], Any],
        file: StoredFile,
        start: int,
        stop: int,
        told: Callable[[Any], None],
    ) -> Bringing:
        file.take()
        bringing = Bringing(self, read, file, start, stop, told)
        if self._reading < READS:
            self._begin(bringing)
        else:
            self._waiting[bringing] = None
        return bringing

    def forget(self, bringing: Bringing) -> None:
        """Nobody waits for it any more."""
        if bringing in self._waiting:
            del self._waiting[bringing]
            bringing.file.drop()

    def _begin(self, bringing: Bringing) -> None:
        self._reading += 1
        self._inThread(
            bringing.read, bringing.file.descriptor, bringing.start, bringing.stop
        ).addBoth(self._wasRead, bringing)

    def _wasRead(self, result: Any, bringing: Bringing) -> None:
        self._reading -= 1
        if isinstance(result, Failure) and not result.check(OSError):
            _log.failure("a defect in reading from the disk", failure=result)
        bringing.file.drop()
        for following in self._waiting:
            del self._waiting[following]
            self._begin(following)
            break
        told, bringing.told = bringing.told, None
        if told is not None:
            told(result)

    def __repr__(self) -> str:
        return f"<ReadAhead reading={self._reading} waiting={len(self._waiting)}>"


def bring(descriptor: int, start: int, stop: int) -> None:
    """
    Read octets for their being in memory then; blocks.

    As many that follow are on their way then, too, so that the disk does not wait for
    the client.

    @raise OSError: it can't be done.
    """
    if hasattr(os, "posix_fadvise"):
        # No more than advice: not all file systems take it.
        with contextlib.suppress(OSError):
            os.posix_fadvise(descriptor, start, 2 * (stop - start), os.POSIX_FADV_WILLNEED)
    scratch = memoryview(bytearray(min(PIECE_OCTETS, stop - start)))
    while start < stop:
        count = os.preadv(descriptor, [scratch[: stop - start]], start)
        if not count:
            break
        start += count


def _read(descriptor: int, start: int, stop: int) -> bytes:
    """Read octets; blocks."""
    return os.pread(descriptor, stop - start, start)
