# -*- test-case-name: tests.net.test_reactor -*-
# mypy: disallow-untyped-calls=False
"""
The lean reactor: Twisted's epoll reactor with less work for each event.

The stock reactor wraps every event in C{log.callWithLogger}: a log prefix is
asked for, two dictionaries are made and two closures called, for a context that
only a log line will ever read.  It then asks C{fileno()} and looks at the
disconnection bits.  Here an event that says nothing but I{readable}, or nothing
but I{writable}, calls C{doRead} or C{doWrite} at once, and the log context is
one object for all events of a turn that finds out the prefix when somebody
logs.  Every other event, every result and every exception goes the way it goes
in the stock reactor, so protocols can't tell the two apart.

It also ends L{eager transports<intermediary.net.transport>} that have nothing
left to send without three calls of C{epoll_ctl} and an event, and leaves out of
the main loop what there is no call for.

Install it like any other, by C{twistd --reactor=intermediary} or L{install}.
"""

from __future__ import annotations

import sys
from errno import EINTR
from select import EPOLLIN, EPOLLOUT
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ConnectionDone, ConnectionFdescWentAway
from twisted.internet.main import installReactor
from twisted.logger import Logger
from twisted.python import context, log

from .transport import DONE, EagerConnection

#: Events taken from the kernel at once: more would only make the buffer that
#: C{epoll_wait} fills larger, and what is left over is reported by the next.
MOST_EVENTS = 512

#: What is readable and not writable may also be half closed, or in error: the
#: stock reactor lets C{doRead} find out.
READ_OR_WRITE = EPOLLIN | EPOLLOUT

#: Seconds that C{epoll_wait} can be told to wait.
LONGEST = 2147483

#: Timed calls that were cancelled, of which the stock reactor begins to think of
#: throwing them away.
CANCELLATIONS = 50

#: What raises in the main loop is logged, and the loop goes on.
HANDLER = Logger().failureHandler("Unexpected error in main loop")

#: Why a selectable whose descriptor has gone is disconnected.
LOST = ConnectionFdescWentAway("File descriptor lost")


class LogContext(dict[str, Any]):
    """
    What C{log.msg} adds to an event: the prefix of the selectable at work.

    It stands in for the dictionary that C{log.callWithLogger} makes, and is
    only ever copied or asked for its C{"system"}.

    @ivar selectable: whose C{doRead} or C{doWrite} runs, or None.
    @ivar outer: the context that was in force around this turn.
    """

    __slots__ = ("outer", "selectable")

    def __init__(self, outer: dict[str, Any]) -> None:
        super().__init__()
        self.outer = outer
        self.selectable: Any = None

    def __bool__(self) -> bool:
        """It is never empty, although it holds nothing itself."""
        return True

    def __missing__(self, key: str) -> Any:
        """Answer as the stock reactor's dictionary would."""
        return self.copy()[key]

    def copy(self) -> dict[str, Any]:
        """Make a dictionary that is true now and stays as it is."""
        made = self.outer.copy()
        if self.selectable is None:
            return made
        try:
            made["system"] = self.selectable.logPrefix()
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 - as the stock reactor does
            made["system"] = "(buggy logPrefix method)"
        return made


class LeanReactor(EPollReactor):
    """An epoll reactor that does for an event what has to be done."""

    def __init__(self) -> None:
        self._finishing: list[EagerConnection] = []
        #: Whether there may be descriptors that epoll refuses, which are polled
        #: continuously.
        self._polled = False
        super().__init__()

    # The main loop

    def mainLoop(self) -> None:
        """
        Run until the reactor is stopped.

        The log context of events is in force all the time, and names nobody
        between them.
        """
        while self._started:
            with HANDLER:
                logContext = LogContext(context.get(log.ILogContext))
                context.call({log.ILogContext: logContext}, self._turn, logContext)
        # It says that the loop has ended.
        super().mainLoop()

    def _turn(self, logContext: LogContext) -> None:
        """
        Take turns until the reactor is stopped.

        What the stock reactor does in C{runUntilCurrent} and C{timeout} is
        left out when there is nothing of it to be done: most turns come
        between two timed calls.
        """
        while self._started:
            if self._finishing:
                self._finish(logContext)
            calls = self._pendingTimedCalls
            if (
                self.threadCallQueue
                or self._newTimedCalls
                or self._justStopped
                or self._cancellations > CANCELLATIONS
            ):
                self.runUntilCurrent()
                timeout = self.timeout()
            elif not calls:
                timeout = None
            else:
                timeout = calls[0].time - self.seconds()
                if timeout <= 0:
                    self.runUntilCurrent()
                    timeout = self.timeout()
                elif timeout > LONGEST:
                    timeout = LONGEST
            if self._finishing or not self.running:
                timeout = 0
            self._look(timeout, logContext)

    def doPoll(self, timeout: float | None) -> None:
        """
        Wait for events and handle them.

        @param timeout: seconds to wait at most, None for as long as it takes.
        """
        logContext = LogContext(context.get(log.ILogContext))
        context.call({log.ILogContext: logContext}, self._iterate, timeout, logContext)

    # C{iterate} calls this name.
    doIteration = doPoll

    def _iterate(self, timeout: float | None, logContext: LogContext) -> None:
        if self._finishing:
            self._finish(logContext)
            # What ended may have scheduled something since this was computed.
            timeout = 0
        self._look(timeout, logContext)

    def _look(self, timeout: float | None, logContext: LogContext) -> None:
        """
        Wait for events and handle them.

        @param logContext: the one in force, told whose turn it is.
        """
        try:
            events = self._poller.poll(
                -1 if timeout is None else timeout,
                min(len(self._selectables), MOST_EVENTS),
            )
        except OSError as error:
            if error.errno == EINTR:
                return
            raise
        find = self._selectables.get
        # Who runs this loop from inside an event goes on with its own.
        before = logContext.selectable
        for fd, event in events:
            selectable = find(fd)
            if selectable is None:
                # An event before this one removed it.
                continue
            logContext.selectable = selectable
            try:
                if event & READ_OR_WRITE == EPOLLIN:
                    try:
                        why = selectable.doRead() if selectable.fileno() != -1 else LOST
                    except BaseException:  # noqa: BLE001 - it ends this one only
                        why = sys.exc_info()[1]
                        log.err()
                    if why:
                        self._disconnectSelectable(selectable, why, True)
                elif event == EPOLLOUT:
                    self._write(selectable)
                else:
                    self._doReadOrWrite(selectable, fd, event)
            except KeyboardInterrupt:
                raise
            except BaseException:  # noqa: BLE001
                # A connectionLost that raises must not keep the others of this
                # turn waiting.
                log.err()
        logContext.selectable = before

    def _write(self, selectable: Any) -> None:
        """Handle that a selectable is writable."""
        try:
            why = selectable.doWrite() if selectable.fileno() != -1 else LOST
        except BaseException:  # noqa: BLE001 - it ends this one only
            why = sys.exc_info()[1]
            log.err()
        if why:
            self._disconnectSelectable(selectable, why, False)

    def _disconnectSelectable(self, selectable: Any, why: Any, isRead: bool) -> None:  # type: ignore[override]
        """
        End a selectable, or the reading from it.

        An eager transport lets itself be forgotten.
        """
        if why.__class__ is ConnectionDone and isinstance(selectable, EagerConnection):
            if isRead:
                self.removeReader(selectable)
                selectable.readConnectionLost(DONE)
                return
            if selectable.connected:
                selectable.connectionLost(DONE)
                return
        super()._disconnectSelectable(selectable, why, isRead)

    # Ends without an event

    def finishSoon(self, transport: EagerConnection) -> None:
        """
        Ask a transport that has nothing queued to write, in this turn.

        The stock way to end a connection, or the writing to it, is to watch
        the socket until it is writable, which it is, and to ask the transport
        then.
        """
        self._finishing.append(transport)

    def _finish(self, logContext: LogContext) -> None:
        """Ask whom L{finishSoon} named, as if their sockets had been found writable."""
        finishing, self._finishing = self._finishing, []
        before = logContext.selectable
        for transport in finishing:
            if transport.connected:
                logContext.selectable = transport
                try:
                    self._write(transport)
                except KeyboardInterrupt:
                    raise
                except BaseException:  # noqa: BLE001 - as above
                    log.err()
        logContext.selectable = before

    def removeAll(self) -> list[Any]:
        """Forget all selectables, those that are about to be closed included."""
        finishing, self._finishing = self._finishing, []
        removed: list[Any] = super().removeAll()
        return removed + [
            each for each in dict.fromkeys(finishing) if each.connected and each not in removed
        ]

    # What is watched: as in the stock reactor, in one step where there is
    # nothing unusual about it.

    def addReader(self, reader: Any) -> None:
        """See L{IReactorFDSet.addReader<twisted.internet.interfaces.IReactorFDSet>}."""
        fd = reader.fileno()
        if fd in self._reads:
            return
        if fd not in self._writes:
            try:
                self._poller.register(fd, EPOLLIN)
            except OSError:
                self._polled = True
            else:
                self._reads.add(fd)
                self._selectables[fd] = reader
                return
        super().addReader(reader)

    def addWriter(self, writer: Any) -> None:
        """See L{IReactorFDSet.addWriter<twisted.internet.interfaces.IReactorFDSet>}."""
        fd = writer.fileno()
        if fd in self._writes:
            return
        if fd not in self._reads:
            try:
                self._poller.register(fd, EPOLLOUT)
            except OSError:
                self._polled = True
            else:
                self._writes.add(fd)
                self._selectables[fd] = writer
                return
        super().addWriter(writer)

    def removeReader(self, reader: Any) -> None:
        """See L{IReactorFDSet.removeReader<twisted.internet.interfaces.IReactorFDSet>}."""
        fd = reader.fileno()
        if fd == -1 or fd in self._writes or self._polled:
            super().removeReader(reader)
        elif fd in self._reads:
            del self._selectables[fd]
            self._poller.unregister(fd)
            self._reads.remove(fd)

    def removeWriter(self, writer: Any) -> None:
        """See L{IReactorFDSet.removeWriter<twisted.internet.interfaces.IReactorFDSet>}."""
        fd = writer.fileno()
        if fd == -1 or fd in self._writes or self._polled:
            super().removeWriter(writer)

    def forget(self, transport: EagerConnection) -> None:
        """Remove a transport that has a socket, as reader and as writer."""
        fd = transport.fileno()
        if fd in self._reads:
            self._reads.remove(fd)
            self._writes.discard(fd)
        elif fd in self._writes:
            self._writes.remove(fd)
        else:
            return
        del self._selectables[fd]
        self._poller.unregister(fd)


def install() -> LeanReactor:
    """
    Make a lean reactor the process's reactor.

    @raise twisted.internet.error.ReactorAlreadyInstalledError: if there is one.
    """
    reactor = LeanReactor()
    installReactor(reactor)
    return reactor


__all__ = ["LeanReactor", "install"]
