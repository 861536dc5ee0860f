# -*- test-case-name: tests.policy.test_diskstore -*-
"""
Content that is on disk, or on its way there, as a body knows it.

Small content is loaded into the body.  Big content stays where it is, and whoever
wants it reads the file, at its own pace: all readers of a file share one
descriptor, which is closed when the last of them has gone.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred, succeed

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.python.failure import Failure

    from ..wire.fields import Fields
    from .body import Body
    from .diskstore import DiskStore
    from .readahead import Bringing

#: How much is written by one call of a thread.
CHUNK_OCTETS: Final = 1 << 20
#: To close a file that was deleted takes long if it is big: then a thread does it.
_QUICKLY_CLOSED: Final = 1 << 20


class StoredFile:
    """
    A file with the content of a response: what the C{file} of a L{Body} is.

    @ivar store: whose it is.
    @ivar octets: how many are on the disk.
    @ivar trailers: the fields after the content, once it is complete.
    @ivar complete: it is in its place, and will not change.
    @ivar failed: it will never be complete; whoever has it open reads what there
        is.
    @ivar descriptor: -1 if it is not open.
    @ivar users: how many want it open.
    """

    __slots__ = (
        "_loading",
        "_opening",
        "complete",
        "descriptor",
        "failed",
        "name",
        "octets",
        "store",
        "trailers",
        "users",
    )

    def __init__(
        self, store: DiskStore, name: str, octets: int, trailers: Fields, descriptor: int = -1
    ) -> None:
        """
        @param descriptor: of one that is being written: closed when its writer, its
            first user, and all others have dropped it.
        """
        self.store = store
        self.name = name
        self.octets = octets
        self.trailers = trailers
        self.descriptor = descriptor
        self.complete = descriptor < 0
        self.failed = False
        self.users = 0 if descriptor < 0 else 1
        self._opening: list[Deferred[None]] | None = None
        self._loading: list[Deferred[None]] | None = None

    @property
    def isOpen(self) -> bool:
        """Whether it can be read now."""
        return self.descriptor >= 0

    # Reading from the file

    def open(self) -> Deferred[None]:
        """
        Have it open for one more user, who drops it, come what may.

        @return: fires when it is; fails with C{OSError} if it is gone.
        """
        self.users += 1
        if self.descriptor >= 0:
            return succeed(None)
        done: Deferred[None] = Deferred()
        if self._opening is None:
            self._opening = [done]
            self.store.opened(self).addCallbacks(self._opened, self._notOpened)
        else:
            self._opening.append(done)
        return done

    def _opened(self, descriptor: int) -> None:
        self.descriptor = descriptor
        opening, self._opening = self._opening, None
        for done in opening or ():
            done.callback(None)
        # The last of them may have closed it.
        if not self.users and self.descriptor >= 0:
            self._close()

    def _notOpened(self, failure: Failure) -> None:
        opening, self._opening = self._opening, None
        for done in opening or ():
            done.errback(failure)

    def take(self) -> None:
        """Have it stay open for one more user; it has to be open."""
        assert self.descriptor >= 0
        self.users += 1

    def drop(self) -> None:
        """One user needs it no more."""
        self.users -= 1
        if not self.users and self.descriptor >= 0:
            self._close()

    def _close(self) -> None:
        descriptor, self.descriptor = self.descriptor, -1
        if self.octets <= _QUICKLY_CLOSED:
            os.close(descriptor)
        else:
            self.store.closing(descriptor)

    def read(self, start: int, octets: int) -> Deferred[bytes]:
        """
        Read some of it; it has to be open.

        See L{ReadAhead.read<intermediary.policy.readahead.ReadAhead.read>}; nothing if it
        became shorter.
        """
        return self.store.readAhead.read(self, start, start + octets)

    def bring(self, start: int, stop: int, told: Callable[[], None]) -> Bringing:
        """
        Have some of it brought into memory; it has to be open.

        See L{IDownstream.sendFile<intermediary.interfaces.IDownstream.sendFile>}.
        """
        return self.store.readAhead.bring(self, start, stop, told)

    # Reading all of it

    def load(self, body: Body) -> Deferred[None]:
        """
        Bring it into a body that has none of it.

        @return: fires when it is there, once for all who ask meanwhile; fails with
            C{OSError} if it can't be had any more.
        """
        done: Deferred[None] = Deferred()
        if self._loading is not None:
            self._loading.append(done)
            return done
        self._loading = [done]
        self.store.loaded(self).addCallback(body.restore).addBoth(self._loaded)
        return done

    def _loaded(self, result: Any) -> None:
        loading, self._loading = self._loading, None
        for done in loading or ():
            done.callback(result)

    def __repr__(self) -> str:
        state = "complete" if self.complete else "failed" if self.failed else "growing"
        return f"<StoredFile {self.name} {self.octets} octets, {state}, users={self.users}>"
