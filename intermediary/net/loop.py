# -*- test-case-name: tests.net.test_reactor -*-
"""
What the lean reactor does for each event and each descriptor, in compiled code.

L{LeanReactor<intermediary.net.reactor.LeanReactor>} puts it before Twisted's
C{EPollReactor}, which can't be compiled, and has itself what is done for a turn
or less often.  So the attributes here are those of Twisted's class, under its
names.
"""

from __future__ import annotations

from errno import EINTR
from select import EPOLLIN, EPOLLOUT
from typing import Any, Final

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ConnectionDone, ConnectionFdescWentAway
from twisted.python import log

from ..compiling import mypyc_attr
from .eagerness import DONE, Eagerness, fileno

#: Events taken from the kernel at once: more would only make the buffer that
#: C{epoll_wait} fills larger, and what is left over is reported by the next.
MOST_EVENTS: Final = 512

#: What is readable and not writable may also be half closed, or in error: the
#: stock reactor lets C{doRead} find out.
READ_OR_WRITE: Final = int(EPOLLIN | EPOLLOUT)
READABLE: Final = int(EPOLLIN)
WRITABLE: Final = int(EPOLLOUT)

#: Why a selectable whose descriptor has gone is disconnected.
LOST = ConnectionFdescWentAway("File descriptor lost")


def descriptorOf(selectable: Any) -> int:
    """Ask for a descriptor; without a call, where it is an eager transport's."""
    if isinstance(selectable, Eagerness):
        return fileno(selectable)
    fd: int = selectable.fileno()
    return fd


@mypyc_attr(allow_interpreted_subclasses=True)
class EventLoop:
    """
    The part of a reactor that runs for each event.

    @ivar finishing: the transports to be asked at the end of the turn, see
        L{finishSoon}.
    @ivar polled: whether there may be descriptors that epoll refuses, which are
        polled continuously.
    """

    polled: bool = False
    finishing: list[Any]

    # Twisted's.
    _poller: Any
    _reads: set[int]
    _writes: set[int]
    _selectables: dict[int, Any]

    def look(self, timeout: float | None, logContext: Any) -> None:
        """
        Wait for events and handle them.

        @param timeout: seconds to wait at most, None for as long as it takes.
        @param logContext: the one in force, told whose turn it is.
        """
        selectables = self._selectables
        try:
            events: list[tuple[int, int]] = self._poller.poll(
                -1 if timeout is None else timeout,
                min(len(selectables), MOST_EVENTS),
            )
        except OSError as error:
            if error.errno == EINTR:
                return
            raise
        me: Any = self
        # Who runs this loop from inside an event goes on with its own.
        before = logContext.selectable
        for fd, event in events:
            selectable = selectables.get(fd)
            if selectable is None:
                # An event before this one removed it.
                continue
            logContext.selectable = selectable
            try:
                if event & READ_OR_WRITE == READABLE:
                    why: Any
                    try:
                        why = selectable.doRead() if descriptorOf(selectable) != -1 else LOST
                    except BaseException as error:  # noqa: BLE001 - it ends this one only
                        why = error
                        log.err()
                    if why:
                        me._disconnectSelectable(selectable, why, True)  # noqa: SLF001 - its own
                elif event == WRITABLE:
                    self.ask(selectable)
                else:
                    me._doReadOrWrite(selectable, fd, event)  # noqa: SLF001
            except KeyboardInterrupt:
                raise
            except BaseException:  # noqa: BLE001
                # A connectionLost that raises must not keep the others of this
                # turn waiting.
                log.err()
        logContext.selectable = before

    def ask(self, selectable: Any) -> None:
        """Handle that a selectable is writable."""
        why: Any
        try:
            why = selectable.doWrite() if descriptorOf(selectable) != -1 else LOST
        except BaseException as error:  # noqa: BLE001 - it ends this one only
            why = error
            log.err()
        if why:
            me: Any = self
            me._disconnectSelectable(selectable, why, False)  # noqa: SLF001

    def _disconnectSelectable(self, selectable: Any, why: Any, isRead: Any) -> None:
        """
        End a selectable, or the reading from it.

        An eager transport lets itself be forgotten.
        """
        if why.__class__ is ConnectionDone and isinstance(selectable, Eagerness):
            ended: Any = selectable
            if isRead:
                self.removeReader(selectable)
                ended.readConnectionLost(DONE)
                return
            if selectable.connected:
                ended.connectionLost(DONE)
                return
        me: Any = self
        EPollReactor._disconnectSelectable(me, selectable, why, isRead)  # noqa: SLF001

    # Ends without an event

    def finishSoon(self, transport: Any) -> None:
        """
        Ask a transport that has nothing queued to write, in this turn.

        The stock way to end a connection, or the writing to it, is to watch
        the socket until it is writable, which it is, and to ask the transport
        then.

        @param transport: an L{Eagerness}.
        """
        self.finishing.append(transport)

    def finish(self, logContext: Any) -> None:
        """Ask whom L{finishSoon} named, as if their sockets had been found writable."""
        finishing, self.finishing = self.finishing, []
        before = logContext.selectable
        for transport in finishing:
            if transport.connected:
                logContext.selectable = transport
                try:
                    self.ask(transport)
                except KeyboardInterrupt:
                    raise
                except BaseException:  # noqa: BLE001 - as above
                    log.err()
        logContext.selectable = before

    # What is watched: as in the stock reactor, in one step where there is
    # nothing unusual about it.

    def addReader(self, reader: Any) -> None:
        """See L{IReactorFDSet.addReader<twisted.internet.interfaces.IReactorFDSet>}."""
        fd = descriptorOf(reader)
        if fd in self._reads:
            return
        if fd not in self._writes:
            try:
                self._poller.register(fd, EPOLLIN)
            except OSError:
                self.polled = True
            else:
                self._reads.add(fd)
                self._selectables[fd] = reader
                return
        me: Any = self
        EPollReactor.addReader(me, reader)

    def addWriter(self, writer: Any) -> None:
        """See L{IReactorFDSet.addWriter<twisted.internet.interfaces.IReactorFDSet>}."""
        fd = descriptorOf(writer)
        if fd in self._writes:
            return
        if fd not in self._reads:
            try:
                self._poller.register(fd, EPOLLOUT)
            except OSError:
                self.polled = True
            else:
                self._writes.add(fd)
                self._selectables[fd] = writer
                return
        me: Any = self
        EPollReactor.addWriter(me, writer)

    def removeReader(self, reader: Any) -> None:
        """See L{IReactorFDSet.removeReader<twisted.internet.interfaces.IReactorFDSet>}."""
        fd = descriptorOf(reader)
        if fd == -1 or self.polled or fd in self._writes:
            me: Any = self
            EPollReactor.removeReader(me, reader)
        elif fd in self._reads:
            del self._selectables[fd]
            self._poller.unregister(fd)
            self._reads.remove(fd)

    def removeWriter(self, writer: Any) -> None:
        """See L{IReactorFDSet.removeWriter<twisted.internet.interfaces.IReactorFDSet>}."""
        fd = descriptorOf(writer)
        if fd == -1 or self.polled or fd in self._writes:
            me: Any = self
            EPollReactor.removeWriter(me, writer)

    def forget(self, transport: Any) -> None:
        """Remove a transport that has a socket, as reader and as writer."""
        fd = descriptorOf(transport)
        if fd in self._reads:
            self._reads.remove(fd)
            self._writes.discard(fd)
        elif fd in self._writes:
            self._writes.remove(fd)
        else:
            return
        del self._selectables[fd]
        self._poller.unregister(fd)


__all__ = ["EventLoop"]
