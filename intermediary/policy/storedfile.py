# -*- test-case-name: tests.policy.test_diskstore -*-
"""
Content that is on disk, as a body knows it.

It is loaded into the body, which grows by it as it would by what comes from an
origin; or opened, to be sent without passing through here.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from ..errors import ResponseIncomplete

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from ..wire.fields import Fields
    from .body import Body
    from .diskstore import DiskStore

#: How much is read by one call of a thread.
CHUNK_OCTETS: Final = 1 << 20


class StoredFile:
    """
    Content on disk: what the C{file} of a L{Body} is.

    @ivar store: whose it is.
    @ivar octets: its length.
    """

    def __init__(self, store: DiskStore, name: str, octets: int, trailers: Fields) -> None:
        self.store = store
        self.name = name
        self.octets = octets
        self.trailers = trailers
        self._loading = False

    def open(self) -> Deferred[int]:
        """
        Open it, to have its content sent without being read here.

        @return: fires with a file descriptor, the caller's; fails with C{OSError}
            if it is gone.
        """
        return self.store.opened(self)

    def load(self, body: Body) -> None:
        """
        Let a body grow by its content, chunk by chunk; the second time, nothing.

        The body fails with L{ResponseIncomplete} if it can't be had any more.
        """
        if not self._loading and not body.ended:
            self._loading = True
            self.open().addCallbacks(
                self._read, self._gone, callbackArgs=(body,), errbackArgs=(body,)
            )

    def _read(self, descriptor: int, body: Body) -> None:
        if body.octets >= self.octets:
            os.close(descriptor)
            body.end(self.trailers)
            return
        self.store.inThread(os.pread, descriptor, CHUNK_OCTETS, body.octets).addCallbacks(
            self._took,
            self._broke,
            callbackArgs=(descriptor, body),
            errbackArgs=(descriptor, body),
        )

    def _took(self, piece: bytes, descriptor: int, body: Body) -> None:
        if not piece:
            os.close(descriptor)
            body.fail(ResponseIncomplete(f"{self.name} became shorter"))
            return
        body.append(piece)
        self._read(descriptor, body)

    def _broke(self, failure: Failure, descriptor: int, body: Body) -> None:
        os.close(descriptor)
        self._gone(failure, body)

    def _gone(self, failure: Failure, body: Body) -> None:
        body.fail(ResponseIncomplete(f"{self.name}: {failure.getErrorMessage()}"))

    def __repr__(self) -> str:
        return f"<StoredFile {self.name} {self.octets} octets>"
