# -*- test-case-name: tests.ops.test_signals -*-
"""
What the process does when it is told something by a signal.

SIGTERM and SIGINT stop it.  SIGHUP and SIGUSR1, which would end it at once by
their default, are what other servers reload and rotate their logs by: here
there is nothing to reload, and the access log needs no signal.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

#: The descriptor of standard input, whatever became of C{sys.stdin}.
_STDIN = 0


class SignalHandlers:
    """
    Handlers for the signals that nobody else handles.

    Each acts from the reactor, not in the middle of whatever runs.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        stop: Callable[[str, bool], None],
        reload: Callable[[], bool] = lambda: False,
    ) -> None:
        """
        Nothing is handled yet.

        @param stop: called with the signal's name, and with whether its sender
            would have the process stop waiting if it is stopping already.
        @param reload: reads again what can be; tells whether anything can.
        """
        self._reactor = reactor
        self._stop = stop
        self._reload = reload
        self._terminal = False

    def install(self) -> None:
        """
        Handle them from now on, which is when the reactor has its own handlers.

        Twisted stops at SIGTERM and SIGINT as well, but afterwards dies by the
        signal.  Only its own handlers are replaced, and of SIGHUP and SIGUSR1
        the default: who has others means them (C{nohup}, and C{twistd} with a
        log file).
        """
        # Asked now, as a terminal that has closed is none any more.
        self._terminal = os.isatty(_STDIN)
        for number in (signal.SIGTERM, signal.SIGINT):
            if getattr(signal.getsignal(number), "__self__", None) is self._reactor:
                signal.signal(number, self._told)
        for name in ("SIGHUP", "SIGUSR1"):
            # Not on every platform.
            other = getattr(signal, name, None)
            if other is not None and signal.getsignal(other) == signal.SIG_DFL:
                signal.signal(other, self._told)

    def _told(self, number: int, frame: FrameType | None) -> None:
        """A signal arrived: act on it from the reactor."""
        self._reactor.callFromThread(self._obey, signal.Signals(number).name)

    def _obey(self, name: str) -> None:
        """Do what a signal is for."""
        if name == "SIGUSR1":
            self._log.info("SIGUSR1: nothing to do, the access log follows renames by itself")
        elif name != "SIGHUP":
            self._stop(name, True)
        elif self._terminal:
            # The shell and the kernel may both send one.
            self._stop(name, False)
        elif self._reload():
            self._log.info(
                "SIGHUP: certificates that changed are read again; "
                "restart the process for a changed configuration"
            )
        else:
            self._log.info(
                "SIGHUP: ignored, there is nothing to reload yet; "
                "restart the process for a changed configuration"
            )
