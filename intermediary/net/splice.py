# -*- test-case-name: tests.net.test_splice -*-
# mypy: disallow-untyped-calls=False
"""
Octets from one TCP connection to another without a copy into this process.

C{splice(2)} moves pages between a socket and a pipe.  A L{Flow} is a mode of two
L{eager transports<intermediary.net.transport.EagerConnection>}: while it lasts,
what is readable at the one goes through a pipe to the other, either until the
source ends (tunnels) or for an exact number of octets (content of known
length), after which the source delivers to its protocol again, at exactly the
next octet.  The reactor sees the same two descriptors as before.

A pipe is taken from a L{PipePool} when octets arrive and given back when they
have left, within the same event as a rule: as many are open as sinks are stalled,
and a few more.  When the pool has none to give, the flow carries the octets by
C{recv} and C{send} instead.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST

from .eagerness import Inflow
from .transport import EagerConnection

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.error import ConnectionDone, ConnectionLost

try:
    # Linux alone has them.
    from fcntl import F_GETPIPE_SZ, F_SETPIPE_SZ, fcntl
    from os import SPLICE_F_MOVE, SPLICE_F_NONBLOCK, splice
except ImportError:
    AVAILABLE = False
else:
    AVAILABLE = True
    FLAGS = SPLICE_F_MOVE | SPLICE_F_NONBLOCK

#: What a pipe holds that nobody asked to hold more.
USUAL_OCTETS = 64 * 1024
#: Octets that one C{recv} takes when there is no pipe.
CARRIED_OCTETS = 64 * 1024


class Pipe:
    """
    One pipe of the kernel.

    @ivar capacity: octets that it holds.
    """

    __slots__ = ("capacity", "reader", "writer")

    def __init__(self, capacity: int) -> None:
        """
        Open a pipe.

        @param capacity: octets it should hold; the system may grant fewer.
        @raise OSError: when there is none to be had.
        """
        self.reader, self.writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        # Only so much pipe for each user: then a small one has to do.
        with suppress(OSError):
            if capacity != USUAL_OCTETS:
                fcntl(self.writer, F_SETPIPE_SZ, capacity)
        self.capacity = fcntl(self.writer, F_GETPIPE_SZ)

    def close(self) -> None:
        """Give the pipe back to the system, with whatever is in it."""
        os.close(self.reader)
        os.close(self.writer)


class PipePool:
    """
    The pipes of one process, bounded in number.

    A user may have pipes for 64 MiB in all, as a rule, and gets very small ones
    after that (C{/proc/sys/fs/pipe-user-pages-soft}).  So the first of them are
    large, and those that are needed while all these are taken, by sinks that
    are stalled, have the usual size.

    @ivar opened: how many exist.
    @ivar most: how many may.
    """

    def __init__(
        self, most: int = 256, large: int = 32, kept: int = 8, capacity: int = 1024 * 1024
    ) -> None:
        """
        Make a pool without pipes.

        @param most: pipes that may exist; each is two file descriptors.
        @param large: how many of them are large.
        @param kept: pipes that are kept open without use.
        @param capacity: octets that a large pipe holds.
        """
        self.most = most
        self.large = large
        self.kept = kept
        self.capacity = capacity
        self.opened = 0
        self._idle: list[Pipe] = []

    def take(self) -> Pipe | None:
        """Get an empty pipe, or None when there is none to be had."""
        if self._idle:
            return self._idle.pop()
        if self.opened >= self.most or not AVAILABLE:
            return None
        try:
            pipe = Pipe(self.capacity if self.opened < self.large else USUAL_OCTETS)
        except OSError:
            return None
        self.opened += 1
        return pipe

    def give(self, pipe: Pipe, *, empty: bool) -> None:
        """
        Take a pipe back.

        @param empty: whether nothing is in it: with octets in it, it is closed.
        """
        worthy = pipe.capacity > USUAL_OCTETS or self.opened <= self.large
        if empty and worthy and len(self._idle) < self.kept:
            self._idle.append(pipe)
        else:
            self.opened -= 1
            pipe.close()

    def close(self) -> None:
        """Close the pipes that nobody uses, and keep none from now on."""
        self.kept = 0
        while self._idle:
            self.give(self._idle.pop(), empty=True)

    def __repr__(self) -> str:
        return f"<PipePool {self.opened} of {self.most} open, {len(self._idle)} idle>"


def isSpliceable(source: Any, sink: Any) -> bool:
    """Ask whether a L{Flow} from one transport to another can begin now."""
    return (
        AVAILABLE
        and isinstance(source, EagerConnection)
        and isinstance(sink, EagerConnection)
        and not source.TLS
        and not sink.TLS
        and source.outflow is None
        and sink.inflow is None
        and bool(source.connected and sink.connected)
    )


class Flow(Inflow):
    """
    Octets on their way from one transport to another, inside the kernel.

    While it lasts, C{source} delivers nothing to its protocol and a write to
    C{sink} raises L{RuntimeError}; the reading of C{source} is the flow's to
    stop and to start.  What was queued in C{sink} before it leaves first.

    The end of C{source} reaches its protocol as ever; if that is too early,
    L{remaining} says by how much.  So does the loss of either.  C{loseConnection}
    and C{loseWriteConnection} of C{sink} wait for what is in the pipe.

    @ivar remaining: octets that are yet to be read, None for all there are.
    @ivar held: octets read and not yet sent.
    """

    __slots__ = (
        "_done",
        "_moved",
        "_pipe",
        "_pipes",
        "_rest",
        "remaining",
        "sink",
        "source",
    )

    def __init__(
        self,
        source: EagerConnection,
        sink: EagerConnection,
        pipes: PipePool,
        remaining: int | None = None,
        moved: Callable[[int], None] | None = None,
        done: Callable[[], None] | None = None,
    ) -> None:
        """
        Make a flow; L{begin} lets it run.

        @param source: where octets come from, see L{isSpliceable}.
        @param sink: where they go.
        @param remaining: how many there are, more than 0; None for all until
            the source ends.
        @param moved: called with each number of octets that was read, and with
            0 when the sink took some of what it had left.
        @param done: called once, when C{remaining} octets have all been handed
            to the kernel for the sink; both transports are then as before.  It
            is not called if the source ends first or either is lost.
        """
        super().__init__()
        self.source: EagerConnection | None = source
        self.sink: EagerConnection | None = sink
        self._pipes = pipes
        self._moved = moved
        self._done = done
        self._pipe: Pipe | None = None
        #: What was read without a pipe.
        self._rest: bytes | memoryview = b""
        self.remaining = remaining

    def begin(self) -> None:
        """Take over the reading of the source and the writing of the sink."""
        assert self.source is not None
        assert self.sink is not None
        self.source.outflow = self
        # As tcp.Client does while it connects: the reactor asks for the method
        # each time, so a plain transport need not ask itself which mode it is in.
        self.source.doRead = self.fill  # type: ignore[method-assign]
        self.sink.inflow = self
        self.sink.ready = False

    def fill(self) -> ConnectionLost | ConnectionDone | None:
        """Read as much as fits.  Called by the reactor, as the source's C{doRead}."""
        source, sink = self.source, self.sink
        if source is None or sink is None:
            return None
        try:
            count = self._read(source)
        except BlockingIOError:
            self._release()
            return None
        except OSError:
            self._release()
            return CONNECTION_LOST
        if not count:
            self._release()
            self.lostSource()
            return CONNECTION_LOST if source.sendError else CONNECTION_DONE
        self.held += count
        if self._moved is not None:
            self._moved(count)
        if self.remaining is not None:
            self.remaining -= count
            if not self.remaining:
                self._leaveSource()
        if sink.dataBuffer or not self._send():
            if self.source is not None:
                source.stopReading()
            sink.startWriting()
        return None

    def _read(self, source: EagerConnection) -> int:
        """
        Read into the pipe, or in want of one into memory.

        @raise OSError: from the source.
        """
        pipe = self._pipe
        if pipe is None and not self.held:
            pipe = self._pipe = self._pipes.take()
        if pipe is not None:
            most = pipe.capacity
            if self.remaining is not None and self.remaining < most:
                most = self.remaining
            return splice(source.fileno(), pipe.writer, most, flags=FLAGS)
        if self.held:
            raise BlockingIOError
        most = CARRIED_OCTETS
        if self.remaining is not None and self.remaining < most:
            most = self.remaining
        self._rest = source.socket.recv(most)
        return len(self._rest)

    def drain(self) -> bool:
        """
        Send what is held.  Called by the sink when it is writable.

        @return: whether nothing is left.
        """
        if not self.held:
            return True
        before = self.held
        if not self._send():
            if self._moved is not None and self.held < before:
                self._moved(0)
            return False
        if self.source is not None:
            self.source.resumeProducing()
        return True

    def _send(self) -> bool:
        """Send what is held to a sink that has nothing queued before it."""
        sink, pipe = self.sink, self._pipe
        assert sink is not None
        try:
            while self.held:
                if pipe is not None:
                    self.held -= splice(pipe.reader, sink.fileno(), self.held, flags=FLAGS)
                else:
                    sent = sink.socket.send(self._rest)
                    self._rest = memoryview(self._rest)[sent:]
                    self.held -= sent
        except BlockingIOError:
            return False
        except OSError:
            # The sink's to report, when the reactor asks it.
            sink.sendError = True
            return False
        self._release()
        if self.source is None:
            self._leaveSink()
            if self.remaining == 0 and self._done is not None:
                self._done()
        return True

    def lostSource(self) -> None:
        """Nothing more can come; what is held still goes to the sink."""
        self._leaveSource()
        if not self.held:
            self._leaveSink()

    def stop(self) -> None:
        """
        End the flow where it is, and drop what is held.

        If the source still had to give something, its reading is stopped: its
        next octet is in the middle of something.
        """
        source = self.source
        self._leaveSource()
        if source is not None and source.connected:
            source.stopReading()
        self._leaveSink()
        self._release()

    def unsentOctets(self) -> int:
        """Count what is held, and what the sink's peer has not acknowledged."""
        # A sink that has it as its inflow counts that, too.
        return self.held if self.sink is None else self.sink.unsentOctets()

    def _leaveSource(self) -> None:
        source, self.source = self.source, None
        if source is not None:
            source.outflow = None
            # abortConnection puts another in this place.
            if source.__dict__.get("doRead") == self.fill:
                del source.doRead

    def _leaveSink(self) -> None:
        sink, self.sink = self.sink, None
        if sink is not None:
            sink.inflow = None
            sink.settle()

    def _release(self) -> None:
        pipe = self._pipe
        if pipe is not None and (not self.held or self.sink is None):
            self._pipe = None
            self._pipes.give(pipe, empty=not self.held)

    def __repr__(self) -> str:
        remaining = "all" if self.remaining is None else self.remaining
        return f"<Flow {self.source} -> {self.sink}, {remaining} remaining, {self.held} held>"


__all__ = ["Flow", "Pipe", "PipePool", "isSpliceable"]
