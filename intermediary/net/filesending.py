# -*- test-case-name: tests.net.test_filesending -*-
# mypy: disallow-untyped-calls=False
"""
Octets from a file to a TCP connection without a copy into this process.

C{sendfile(2)} takes pages from the file into the socket.  A L{FileSending} is a
mode of an L{eager transport<intermediary.net.transport.EagerConnection>}, as a
L{Flow<intermediary.net.splice.Flow>} is: while it lasts, the transport asks it, and
not its own queue, for what to send.  So the reactor watches the same descriptor as
before, and the file's is known to nobody but the kernel.

What is not in the page cache it would read from the disk while everybody waits.  So
the kernel is asked for the last octet of each portion first, in a way that does not
wait (C{preadv2(2)} with C{RWF_NOWAIT}), and what it does not have is brought by who
knows the file.  Where the kernel can't say, it is sent as it is.

Not all file systems have C{sendfile}.  Of a file in one that does not, the octets are read and
written here: whoever asked need not know.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Any, Final

from .eagerness import Inflow
from .transport import EagerConnection

if TYPE_CHECKING:
    from collections.abc import Callable

#: Octets for one turn of the reactor, and of what is brought into memory at a time.
#: Everybody waits when a client takes all at once.
PORTION_OCTETS: Final = 512 * 1024

#: Octets that are read and written at once where the file system does not have it.
COPIED_OCTETS: Final = 128 * 1024

#: How a file system says so.
UNSUPPORTED: Final = frozenset((errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP))

#: How to read only what is in memory; 0 where the system can't.
NOWAIT: Final[int] = getattr(os, "RWF_NOWAIT", 0)
#: For octets that nobody looks at.
_SCRATCH: Final = [bytearray(1)]

#: Whether the system has it.
AVAILABLE = hasattr(os, "sendfile")

#: Has the kernel wait for what follows before it sends less than a segment.
MORE: Final[int] = getattr(socket, "MSG_MORE", 0)

#: What only the network can be the reason for, beside what Python has classes for.
NETWORK = frozenset(
    (
        errno.ENOTCONN,
        errno.ESHUTDOWN,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETRESET,
        errno.ENETUNREACH,
    )
)


def isSendable(transport: Any) -> bool:
    """Ask whether a L{FileSending} to a transport can begin now."""
    return (
        AVAILABLE
        and isinstance(transport, EagerConnection)
        and not transport.TLS
        and transport.inflow is None
        and transport.isWritable()
    )


def sendAtOnce(
    transport: EagerConnection, head: bytes, descriptor: int, start: int, octets: int
) -> int:
    """
    Send what the socket takes of a head and the part of a file behind it.

    What is left of the head is queued, and what is left of the file is for a
    L{FileSending}, which also finds out again what is wrong with it, or with the socket.

    @param transport: one that is C{ready}.
    @return: how many octets of the file went.
    """
    transport.writeMore(head, MORE)
    if not transport.ready:
        return 0
    try:
        return os.sendfile(transport.fileno(), descriptor, start, min(octets, PORTION_OCTETS))
    except OSError:
        return 0


class FileSending(Inflow):
    """
    A part of a file on its way to a transport.

    What was queued in the transport before it leaves first.  The loss of the
    transport ends it, and is told to the protocol as ever.
    """

    __slots__ = (
        "_awaited",
        "_bring",
        "_copies",
        "_descriptor",
        "_done",
        "_error",
        "_here",
        "_moved",
        "_position",
        "sink",
    )

    def __init__(
        self,
        sink: EagerConnection,
        descriptor: int,
        start: int,
        stop: int,
        moved: Callable[[int], None],
        done: Callable[[str], None],
        bring: Callable[[int, int, Callable[[], None]], Any] | None = None,
    ) -> None:
        """
        Make one; L{begin} lets it run.

        @param sink: where it goes, see L{isSendable}.
        @param descriptor: the file's; not used any more once C{done} is called
            or L{stop} was.
        @param start: the first octet.
        @param stop: the octet after the last one.
        @param moved: called with each number of octets that the kernel took.
        @param done: called once, by the reactor, with C{""} when the kernel has
            taken all, or with what is wrong with the file; the transport is
            then as before.  It is not called if that is lost.
        @param bring: has what is not in memory read, see
            L{IDownstream.sendFile<intermediary.interfaces.IDownstream.sendFile>}.
        """
        super().__init__(stop - start)
        self.sink: EagerConnection | None = sink
        self._descriptor = descriptor
        self._position = start
        self._moved = moved
        self._done = done
        #: The kernel does not take it from this file.
        self._copies = False
        #: What is wrong with the file.
        self._error = ""
        self._bring = bring if NOWAIT else None
        #: Up to which octet the file is known to be in memory.
        self._here = start
        #: What is being brought; None if nothing is.
        self._awaited: Any = None

    @property
    def waits(self) -> bool:
        """Whether it is the disk that it waits for."""
        return self._awaited is not None

    def begin(self) -> None:
        """Take over the writing of the transport, and send what it takes at once."""
        sink = self.sink
        assert sink is not None
        sink.inflow = self
        sink.ready = False
        if sink.dataBuffer:
            return  # It is called when that has left.
        self._send(sink)
        if self._awaited is not None:
            return  # It writes when that is here.
        if self.held:
            sink.startWriting()
        else:
            # To be called back, but not from inside this.
            sink.finishWriting()

    def drain(self) -> bool:
        """See L{Inflow.drain}."""
        sink = self.sink
        if sink is None:
            return True
        if self._awaited is not None:
            # Of those who want it called, as to close after it.
            sink.stopWriting()
            return False
        if self.held and not self._error:
            self._send(sink)
        if self.held and not self._error:
            return False
        self.stop()
        self._done(self._error)
        return True

    def _send(self, sink: EagerConnection) -> None:
        """Send one portion, or as much of it as the socket takes."""
        count = min(self.held, PORTION_OCTETS)
        if not count:
            return
        if self._bring is not None:
            if self._position >= self._here and not self._look(count):
                self._await(sink, count)
                return
            count = min(count, self._here - self._position)
        try:
            if self._copies:
                piece = os.pread(self._descriptor, min(count, COPIED_OCTETS), self._position)
                sent: int = sink.socket.send(piece)
            else:
                sent = os.sendfile(sink.fileno(), self._descriptor, self._position, count)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno in UNSUPPORTED and not self._copies:
                self._copies = True
                self._send(sink)
            elif isinstance(error, ConnectionError | TimeoutError) or error.errno in NETWORK:
                # The transport's to report, when the reactor asks it.
                sink.sendError = True
            else:
                self._error = f"the file can't be read: {error.strerror}"
            return
        if sent:
            self._position += sent
            self.held -= sent
            self._moved(sent)
        else:
            self._error = f"the file ends {self.held} octets too early"

    def _look(self, count: int) -> bool:
        """
        Look whether octets from the position on are in memory.

        By the last of them: what was not read to its end before lacks that.

        @return: true also where that can't be told.
        """
        self._here = self._position + count
        try:
            os.preadv(self._descriptor, _SCRATCH, self._here - 1, NOWAIT)
        except BlockingIOError:
            return False
        except OSError:
            # Not with this file system; or there is something wrong with the file,
            # which who sends it is told.
            self._bring = None
        return True

    def _await(self, sink: EagerConnection, count: int) -> None:
        """Have octets brought into memory; nothing is written meanwhile."""
        assert self._bring is not None
        sink.stopWriting()
        self._awaited = self._bring(self._position, self._position + count, self._brought)

    def _brought(self) -> None:
        """What is next is here; or it can't be had, as who sends it is told."""
        self._awaited = None
        sink = self.sink
        if sink is not None:
            sink.startWriting()

    def stop(self) -> None:
        """See L{Inflow.stop}."""
        sink, self.sink = self.sink, None
        awaited, self._awaited = self._awaited, None
        if awaited is not None:
            awaited.cancel()
        if sink is not None:
            sink.inflow = None
            sink.settle()
            if awaited is not None:
                # What was put off until after it.
                sink.startWriting()

    def __repr__(self) -> str:
        return f"<FileSending -> {self.sink}, at {self._position}, {self.held} held>"


__all__ = ["AVAILABLE", "FileSending", "isSendable", "sendAtOnce"]
