# -*- test-case-name: tests.ops.test_service -*-
"""
The proxy as a Twisted service: it opens, serves, drains and stops.

Everything that needs privileges or may be refused by the system happens in
C{privilegedStartService}, before anything serves: a port that is taken and a
log that can't be written end the process with one message and exit code 1.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.internet.task import deferLater
from twisted.logger import Logger

from .descriptors import raiseLimit
from .garbage import Garbage
from .listeners import roomy
from .options import Options, assembled
from .problems import ConfigurationError
from .signals import SignalHandlers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.internet.interfaces import IListeningPort
    from twisted.python.failure import Failure

    from ..interfaces import IFront
    from .compile import Assembly
    from .config import Configuration

__all__ = ["FrontService", "Options", "ProxyService", "StartError", "makeService"]

#: How long connections that were dropped may take to be gone.
_ABORT_SECONDS = 2.0

_REMEDIES = {
    errno.EADDRINUSE: "stop what listens there, or choose another port",
    errno.EACCES: "ports below 1024 and such paths need root, or CAP_NET_BIND_SERVICE",
    errno.EPERM: "this user may not listen there",
    errno.EADDRNOTAVAIL: "this host has no such address: mend interface=",
    errno.ENOENT: "make its directory first",
}

#: What Twisted says when the lock file of a UNIX socket names a process that is alive.
_LOCKED = "Cannot acquire lock"
_LOCKED_REMEDY = (
    "stop the process that its .lock file names, or choose another path; "
    "if that is none of ours, remove the .lock file"
)


class StartError(SystemExit, Exception):
    """
    The process can't start.

    As an C{Exception} it lets C{twistd} remove its pid file and tell the shell
    that waits for a daemon; as a C{SystemExit} it ends the process with code 1
    and no traceback.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = 1


class FrontService(Service):
    """
    One front and the ports that it listens at.

    @ivar ports: those that are open.
    """

    _log = Logger()

    def __init__(self, reactor: Any, name: str, listen: Sequence[str], front: IFront) -> None:
        """
        Nothing is opened yet.

        @param listen: server endpoint strings.
        @param front: also the protocol factory of the ports.
        """
        self.setName(name)  # type: ignore[no-untyped-call]
        self._reactor = reactor
        self._listen = tuple(listen)
        self._front = front
        self.ports: list[IListeningPort] = []

    def open(self) -> list[str]:
        """
        Listen everywhere.

        @return: what could not be done, in words.  An endpoint that needs time
            reports by stopping the reactor if it fails later on.
        """
        refused: list[str] = []
        opening = True

        def opened(port: IListeningPort) -> None:
            _eager(port)
            self.ports.append(port)
            self._log.info("{front} listens on {address}", front=self.name, address=port.getHost())

        def failed(failure: Failure, text: str) -> None:
            message = f'front {self.name} can\'t listen on "{text}": {_reason(failure)}'
            if opening:
                refused.append(message)
                return
            self._log.critical("{message}", message=message)
            # Another listener may have stopped it.
            with suppress(ReactorNotRunning):
                self._reactor.stop()

        for text in self._listen:
            endpoint = serverFromString(self._reactor, roomy(text))
            listening: Deferred[IListeningPort] = maybeDeferred(endpoint.listen, self._front)
            listening.addCallback(opened)
            listening.addErrback(failed, text)
        opening = False
        return refused

    def shut(self) -> Deferred[Any]:
        """
        Accept no more.

        @return: fires when all ports are closed.
        """
        ports, self.ports = self.ports, []
        return DeferredList(
            [maybeDeferred(port.stopListening) for port in ports], consumeErrors=True
        )

    def drain(self) -> Deferred[None]:
        """Let the front's exchanges finish; see L{IFront.drain}."""
        return self._front.drain()

    def abort(self) -> None:
        """Drop the front's connections; see L{IFront.abort}."""
        self._front.abort()


class ProxyService(MultiService):
    """
    All fronts of a process and what they share.

    Its children are its L{FrontService}s, by the names of the fronts.
    """

    _log = Logger()

    def __init__(self, reactor: Any, configuration: Configuration, assembly: Assembly) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._reactor = reactor
        self._configuration = configuration
        self._assembly = assembly
        self._open = False
        cache = assembly.cache
        #: This process is ours: see to it that no collection holds it up.
        self._garbage = None if cache is None else Garbage(reactor, cache)
        #: Fires when the connections have had their time; None before the stop.
        self._patience: Deferred[None] | None = None
        for settings, listen, front in assembly.fronts:
            FrontService(reactor, settings.name, listen, front).setServiceParent(self)  # type: ignore[no-untyped-call]

    def privilegedStartService(self) -> None:
        """
        Open the access log and listen.

        @raise StartError: something could not be opened; nothing is left open.
        """
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        self._open = True
        refused = self._openLog()
        for front in self._fronts():
            refused += front.open()
        if refused:
            for front in self._fronts():
                front.shut()
            self._assembly.stop()
            self._open = False
            self._complain(refused)
            raise StartError("; ".join(refused))
        raiseLimit(self._configuration)

    def startService(self) -> None:
        """Serve.  C{twist}, which knows no privileges, begins here."""
        if not self._open:
            self.privilegedStartService()
        for warning in self._configuration.warnings:
            self._log.warn("{warning}", warning=warning)
        stdout = sys.__stdout__
        if self._configuration.log.access == "-" and (stdout is None or _isNull(stdout)):
            self._log.warn(
                'The access log goes to standard output ("-"), and that goes nowhere, as that '
                "of a daemon. Name a file in [log] access, or start it with twistd -n."
            )
        super().startService()  # type: ignore[no-untyped-call]
        if self._garbage is not None:
            self._garbage.start()
        # As the user that the process runs as from here on, and with threads.
        self._assembly.begin()
        handlers = SignalHandlers(self._reactor, self._told, self._assembly.reload)
        self._reactor.callWhenRunning(handlers.install)

    def stopService(self) -> Deferred[Any]:
        """
        Accept no more, let exchanges and tunnels finish, then drop the rest.

        @return: fires when all is closed, after at most C{shutdownSeconds} and
            a moment.  Cancelling it does nothing.
        """
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        """As L{stopService} says."""
        fronts = self._fronts()
        patience = self._patience = Deferred()
        await DeferredList([front.shut() for front in fronts])
        drained = DeferredList([front.drain() for front in fronts], consumeErrors=True)
        if not await self._within(self._configuration.shutdownSeconds, drained, patience):
            for front in fronts:
                front.abort()
            await self._within(_ABORT_SECONDS, drained, Deferred())
        # The last connection is gone, but its exchange may end only in what the
        # reactor does next, and has a line to write.
        await deferLater(self._reactor, 0)
        if self._garbage is not None:
            self._garbage.stop()
        await self._assembly.end()
        self._assembly.stop()
        self._open = False
        await super().stopService()  # type: ignore[no-untyped-call]

    async def _within(self, seconds: float, done: Deferred[Any], hurry: Deferred[None]) -> bool:
        """
        Wait for a Deferred, for a time.

        @param hurry: ends the wait when it fires; it is fired after the time.
        @return: whether C{done} came first.
        """
        if done.called:
            return True

        def enough() -> None:
            if not hurry.called:
                hurry.callback(None)

        timer = self._reactor.callLater(seconds, enough)
        finished: Deferred[bool] = Deferred()

        def finish(result: object, first: bool) -> object:
            if not finished.called:
                finished.callback(first)
            return result

        done.addBoth(finish, True)
        hurry.addBoth(finish, False)
        first = await finished
        if timer.active():
            timer.cancel()
        return first

    def _fronts(self) -> list[FrontService]:
        """The children that are fronts."""
        return [child for child in self if isinstance(child, FrontService)]

    def _openLog(self) -> list[str]:
        """Open the access log, or say why it can't be."""
        try:
            self._assembly.start()
        except OSError as error:
            path = self._configuration.log.access
            complaint = (
                f'can\'t write the access log "{path}": {error.strerror} '
                f"(as user {os.geteuid()} in {os.getcwd()}); "
                "mend [log] access, or the rights of its directory"
            )
            return [complaint]
        return []

    def _complain(self, lines: list[str]) -> None:
        """Tell whoever starts the process, or the log where nobody listens."""
        # sys.stderr itself belongs to Twisted's log under twistd.
        stream = sys.__stderr__
        if stream is None or _isNull(stream):
            for line in lines:
                self._log.critical("{line}", line=line)
        else:
            stream.writelines(f"intermediary: {line}\n" for line in lines)

    def _told(self, name: str, insisting: bool) -> None:
        """
        Stop; when told again, stop waiting.

        @param name: of the signal.
        @param insisting: whether a repetition means something.
        """
        if self._patience is None:
            self._log.info(
                "{signal}: finishing what is under way, for {seconds} s at most",
                signal=name,
                seconds=self._configuration.shutdownSeconds,
            )
            self._reactor.stop()
        elif insisting and not self._patience.called:
            self._log.info("{signal} again: dropping what is under way", signal=name)
            self._patience.callback(None)


def makeService(options: Options) -> MultiService:
    """
    Make the service of a command line, for C{twistd} and C{twist}.

    @raise StartError: something that the configuration names can't be used.
    """
    from twisted.internet import reactor

    configuration = options.configuration
    try:
        assembly = assembled(configuration, cast("Any", reactor))
    except ConfigurationError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        raise StartError(str(error)) from None
    return ProxyService(reactor, configuration, assembly)


def _eager(port: IListeningPort) -> None:
    """Have a port's connections write at once, where it can."""
    # Imported when there is a port, so that --help does without the network side.
    from ..net.transport import eagerPort

    eagerPort(port)


def _isNull(stream: TextIO) -> bool:
    """Tell whether what is written to a stream goes nowhere, as a daemon's does."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), os.stat(os.devnull))
    except OSError:
        return False


def _reason(failure: Failure) -> str:
    """Say why listening failed, and what to do."""
    error = failure.value
    cause = error.socketError if isinstance(error, CannotListenError) else error
    number = getattr(cause, "errno", None)
    words = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    remedy = _REMEDIES.get(number) if isinstance(number, int) else None
    if cause == _LOCKED:
        remedy = _LOCKED_REMEDY
    return f"{words}; {remedy}" if remedy else words
