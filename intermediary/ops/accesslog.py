# -*- test-case-name: tests.ops.test_accesslog -*-
"""
The access log: one line for every exchange, written once a second.

A record costs the formatting of its line and no system call.  Lines wait in
memory for at most a second or until there are many, and a disk that takes no
more costs lines, not exchanges.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, ClassVar

from twisted.logger import Logger
from zope.interface import classImplements

from ..interfaces import IAccessLog
from .logline import Times

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IDelayedCall, IReactorTime

    from ..exchange import Exchange
    from .logline import Line

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: It names clients: not for everybody on the host.
_MODE = 0o640


class AccessLog:
    """
    Lines to a file, which may be renamed under way, or to standard output.

    @cvar FLUSH_SECONDS: how long a line may wait.
    @cvar FLUSH_LINES: how many lines may wait.
    @ivar dropped: how many lines could not be written.
    """

    FLUSH_SECONDS: ClassVar[float] = 1.0
    FLUSH_LINES: ClassVar[int] = 1024
    # By name: what is compiled has no frame for the logger to find it in.
    _log = Logger("intermediary.ops.accesslog.AccessLog")

    def __init__(
        self,
        reactor: IReactorTime,
        line: Line,
        path: str,
        wallSeconds: Callable[[], float] = time.time,
    ) -> None:
        """
        Nothing is opened yet.

        @param reactor: flushes.
        @param line: from L{compileFormat<intermediary.ops.logformat.compileFormat>}.
        @param path: C{"-"} for standard output.
        @param wallSeconds: the time since the epoch.  The clock of a reactor
            may be of another epoch.
        """
        self._reactor = reactor
        self._line = line
        self._path = path
        self._wallSeconds = wallSeconds
        self._times = Times(-1, "", "")
        self._lines: list[str] = []
        self._timer: IDelayedCall | None = None
        # Here, as it is asked for each time.
        self._flushLines = self.FLUSH_LINES
        self._fd = -1
        self._owned = path != "-"
        #: Whether it was said that lines are dropped; that the file is the old one.
        self._troubled = False
        self._stuck = False
        #: The last write ended in the middle of a line.
        self._torn = False
        self.dropped = 0

    def open(self) -> None:
        """
        Open the file; standard output is always open.

        @raise OSError: it can't be opened for writing.
        """
        if self._owned:
            # Absolute, as a daemon may change its directory later on.
            self._path = os.path.abspath(self._path)
            self._fd = self._opened()
        else:
            # sys.stdout itself belongs to Twisted's log under twistd.
            stream = sys.__stdout__
            self._fd = os.open(os.devnull, os.O_WRONLY) if stream is None else stream.fileno()

    def record(self, exchange: Exchange) -> None:
        """Note an exchange that has ended; see L{IAccessLog.record}."""
        second = int(self._wallSeconds())
        times = self._times
        if times.second != second:
            times = self._times = timesOf(second)
        lines = self._lines
        try:
            lines.append(self._line.render(exchange, times))
        except Exception:  # noqa: BLE001 - a line must never cost an exchange
            self.dropped += 1
            self._log.failure("No line for {exchange!r}", exchange=exchange)
            return
        if self._timer is None:
            self._timer = self._reactor.callLater(self.FLUSH_SECONDS, self._tick)
        elif len(lines) >= self._flushLines:
            self.flush()

    def flush(self) -> None:
        """Write all lines that wait."""
        lines = self._lines
        if not lines or self._fd < 0:
            return
        self._lines = []
        if self._owned:
            self._follow()
        octets = "".join(lines).encode("utf-8", "backslashreplace")
        if self._torn:
            # The last write ended in the middle of a line.
            octets = b"\n" + octets
        written = 0
        try:
            while written < len(octets):
                written += os.write(self._fd, octets[written:] if written else octets)
        except OSError as error:
            lost = octets.count(b"\n", written)
            self.dropped += lost
            self._torn = octets[written - 1 : written] != b"\n" if written else self._torn
            if not self._troubled:
                self._troubled = True
                self._log.error(
                    "Access log {path} takes no more: {reason}. Dropping lines until it does.",
                    path=self._path,
                    reason=error.strerror,
                )
            return
        self._torn = False
        if self._troubled:
            self._troubled = False
            self._log.info(
                "Access log {path} works again; {dropped} lines were dropped so far.",
                path=self._path,
                dropped=self.dropped,
            )

    def reopen(self) -> None:
        """
        Open the file anew: the old one was moved, or is about to be.

        If that fails, the old one is kept.
        """
        if not self._owned or self._fd < 0:
            return
        try:
            fd = self._opened()
        except OSError as error:
            if not self._stuck:
                self._stuck = True
                self._log.error(
                    "Access log {path} can't be opened again: {reason}. "
                    "Writing to the file that it was.",
                    path=self._path,
                    reason=error.strerror,
                )
            return
        os.close(self._fd)
        self._fd = fd
        self._stuck = False
        self._torn = False

    def close(self) -> None:
        """Write what waits and close the file.  Records after that are lost."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.flush()
        if self._owned and self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _tick(self) -> None:
        """A second is over since the first line that waits."""
        self._timer = None
        self.flush()

    def _opened(self) -> int:
        """Open the file for appending."""
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)

    def _follow(self) -> None:
        """Notice that the file was renamed or removed."""
        try:
            there = os.stat(self._path)
        except OSError:
            self.reopen()
            return
        if not os.path.samestat(there, os.fstat(self._fd)):
            self.reopen()


# Not as a decorator, which would keep the class from being compiled well.
classImplements(AccessLog, IAccessLog)


def timesOf(second: int) -> Times:
    """Write a second down in all forms, without the locale's names of months."""
    local = time.localtime(second)
    offset = local.tm_gmtoff // 60
    sign = "-" if offset < 0 else "+"
    hours, minutes = divmod(abs(offset), 60)
    clock = f"{local.tm_hour:02}:{local.tm_min:02}:{local.tm_sec:02}"
    return Times(
        second,
        f"{local.tm_mday:02}/{_MONTHS[local.tm_mon - 1]}/{local.tm_year}:{clock} "
        f"{sign}{hours:02}{minutes:02}",
        f"{local.tm_year}-{local.tm_mon:02}-{local.tm_mday:02}T{clock}"
        f"{sign}{hours:02}:{minutes:02}",
    )
