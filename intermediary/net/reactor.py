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

from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.logger import Logger
from twisted.python import context, log

from .loop import EventLoop

#: Seconds that C{epoll_wait} can be told to wait.
LONGEST = 2147483

#: Timed calls that were cancelled, of which the stock reactor begins to think of
#: throwing them away.
CANCELLATIONS = 50

#: What raises in the main loop is logged, and the loop goes on.
HANDLER = Logger().failureHandler("Unexpected error in main loop")


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


class LeanReactor(EventLoop, EPollReactor):  # type: ignore[misc]
    """An epoll reactor that does for an event what has to be done."""

    def __init__(self) -> None:
        self.finishing = []
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
            if self.finishing:
                self.finish(logContext)
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
            if self.finishing or not self.running:
                timeout = 0
            self.look(timeout, logContext)

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
        if self.finishing:
            self.finish(logContext)
            # What ended may have scheduled something since this was computed.
            timeout = 0
        self.look(timeout, logContext)

    def removeAll(self) -> list[Any]:
        """Forget all selectables, those that are about to be closed included."""
        finishing, self.finishing = self.finishing, []
        removed: list[Any] = super().removeAll()
        return removed + [
            each for each in dict.fromkeys(finishing) if each.connected and each not in removed
        ]


def install() -> LeanReactor:
    """
    Make a lean reactor the process's reactor.

    @raise twisted.internet.error.ReactorAlreadyInstalledError: if there is one.
    """
    reactor = LeanReactor()
    installReactor(reactor)
    return reactor


__all__ = ["LeanReactor", "install"]
