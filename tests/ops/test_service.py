# -*- test-case-name: tests.ops.test_service -*-
"""Tests of L{intermediary.ops.service}, with fronts that only claim to serve."""

from __future__ import annotations

import errno
import gc
import io
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from twisted.application.service import IServiceCollection, MultiService
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.internet.interfaces import IReactorCore
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

import intermediary.ops.service as serviceModule
from intermediary.interfaces import IFront
from intermediary.ops.config import Configuration, LogSettings
from intermediary.ops.endpoints import makeCache
from intermediary.ops.options import Options
from intermediary.ops.problems import Problem
from intermediary.ops.service import ProxyService, StartError, makeService

from ..net.certifying import authority


@implementer(IFront)
class FakeFront(Factory):
    """A front that drains when it is told to."""

    noisy = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.drained: Deferred[None] | None = None
        self.aborted = False

    def drain(self) -> Deferred[None]:
        """Begin to drain."""
        self.drained = Deferred()
        return self.drained

    def abort(self) -> None:
        """Drop all, at once."""
        self.aborted = True
        assert self.drained is not None
        self.drained.callback(None)


class FakeAssembly:
    """What the compiler would give."""

    def __init__(self, fronts: list[tuple[FakeFront, tuple[str, ...]]]) -> None:
        self.fronts = [
            (SimpleNamespace(name=front.name), listen, front) for front, listen in fronts
        ]
        self.cache: Any = None
        self.calls: list[str] = []
        self.startError: OSError | None = None

    def start(self) -> None:
        """Note it."""
        self.calls.append("start")
        if self.startError is not None:
            raise self.startError

    def begin(self) -> None:
        """Note it."""
        self.calls.append("begin")

    def reload(self) -> bool:
        """Note it."""
        self.calls.append("reload")
        return True

    def end(self) -> Deferred[None]:
        """Note it."""
        self.calls.append("end")
        return succeed(None)

    def stop(self) -> None:
        """Note it."""
        self.calls.append("stop")


class Reactor(MemoryReactorClock):
    """One on which some ports are taken, and that can be stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: dict[int, int] = {}
        self.stops = 0
        self.threaded: list[Any] = []
        self.closed: list[int] = []

    def listenTCP(self, port: int, *args: Any, **kwargs: Any) -> Any:
        """Listen, unless the port is taken."""
        if number := self.taken.get(port):
            raise CannotListenError("127.0.0.1", port, OSError(number, os.strerror(number)))
        listening = super().listenTCP(port, *args, **kwargs)

        def stopListening() -> Deferred[None]:
            self.closed.append(port)
            return succeed(None)

        listening.stopListening = stopListening
        return listening

    def callFromThread(self, call: Any, *args: Any, **kwargs: Any) -> None:
        """Keep for later."""
        self.threaded.append((call, args))

    def stop(self) -> None:
        """Count; as a reactor does, refuse to be stopped twice."""
        self.stops += 1
        if self.stops > 1:
            raise ReactorNotRunning


class ServiceCase(SynchronousTestCase):
    """A service with two fronts."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.first, self.second = FakeFront("egress"), FakeFront("site")
        self.assembly = FakeAssembly(
            [(self.first, ("tcp:3128", "tcp:3129")), (self.second, ("tcp:8000",))]
        )
        self.configuration = Configuration(
            shutdownSeconds=10, log=LogSettings(access="a/access.log")
        )
        self.stderr = io.StringIO()
        self.patch(sys, "__stderr__", self.stderr)
        self.patch(serviceModule, "raiseLimit", lambda configuration: None)
        self.eager: list[Any] = []
        # A memory reactor's ports have nothing that could be eager.
        self.patch(serviceModule, "_eager", self.eager.append)
        self.service = ProxyService(self.reactor, self.configuration, cast("Any", self.assembly))

    def ends(self, stopped: Deferred[Any]) -> None:
        """The service is stopped at the latest in the reactor's next turn."""
        self.reactor.advance(0)
        self.successResultOf(stopped)

    def ports(self) -> list[int]:
        """The ports that are listened on."""
        return [server[0] for server in self.reactor.tcpServers]


class StartTests(ServiceCase):
    """Opening and serving."""

    def test_itsChildrenAreTheFronts(self) -> None:
        """By their names."""
        verifyObject(IServiceCollection, self.service)
        self.assertIsInstance(self.service, MultiService)
        self.assertEqual([child.name for child in self.service], ["egress", "site"])

    def test_fakesAreFronts(self) -> None:
        """What these tests stand on."""
        verifyObject(IFront, self.first)

    def test_manyMayWaitToBeAccepted(self) -> None:
        """At each of the ports: a crowd would try again after a second, or give up."""
        self.service.privilegedStartService()
        self.assertEqual({backlog for _, _, backlog, _ in self.reactor.tcpServers}, {4096})

    def test_opensWithPrivileges(self) -> None:
        """The log and every port, before privileges are dropped."""
        self.service.privilegedStartService()
        self.assertEqual(self.assembly.calls, ["start"])
        self.assertEqual(self.ports(), [3128, 3129, 8000])
        self.assertEqual(len(self.eager), 3)

    def test_withACacheCollectionsAreKeptShort(self) -> None:
        """From the start, when all is there that it takes, to the end."""
        self.assembly.cache = makeCache(self.reactor)
        service = ProxyService(self.reactor, self.configuration, cast("Any", self.assembly))
        service.privilegedStartService()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.addCleanup(gc.unfreeze)
        service.startService()
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        self.assertGreater(gc.get_freeze_count(), 0)
        stopped = service.stopService()
        self.first.drained.callback(None)  # type: ignore[union-attr]
        self.second.drained.callback(None)  # type: ignore[union-attr]
        self.ends(stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(gc.get_freeze_count(), 0)

    def test_withoutOneNothingIsDoneAboutThem(self) -> None:
        """There is nothing to set aside."""
        self.service.startService()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(gc.get_freeze_count(), 0)

    def test_opensOnce(self) -> None:
        """C{twistd} calls both methods."""
        self.service.privilegedStartService()
        self.service.startService()
        self.assertEqual(self.assembly.calls, ["start", "begin"])
        self.assertEqual(len(self.ports()), 3)

    def test_opensWhenItIsOnlyStarted(self) -> None:
        """C{twist} knows no privileges."""
        self.service.startService()
        self.assertEqual(self.ports(), [3128, 3129, 8000])

    def test_aTakenPortIsOneMessageAndExitCodeOne(self) -> None:
        """What, where, and how to mend it; the process ends without a traceback."""
        self.reactor.taken[3129] = errno.EADDRINUSE
        error = self.assertRaises(StartError, self.service.privilegedStartService)
        assert isinstance(error, StartError)
        self.assertIsInstance(error, SystemExit)
        self.assertEqual(error.code, 1)
        self.assertEqual(
            self.stderr.getvalue(),
            'intermediary: front egress can\'t listen on "tcp:3129": Address already in use; '
            "stop what listens there, or choose another port\n",
        )
        self.assertEqual(self.assembly.calls, ["start", "stop"])
        self.assertEqual(self.reactor.closed, [3128, 8000])

    def test_twistdCanCleanUpAfterIt(self) -> None:
        """It removes its pid file on an C{Exception}, and shows its text to the shell."""
        error = StartError("it is taken")
        self.assertIsInstance(error, Exception)
        self.assertEqual(str(error), "it is taken")

    def test_everythingThatIsRefusedIsSaid(self) -> None:
        """Ports of all fronts and the log, each with its own remedy."""
        self.reactor.taken = {3128: errno.EACCES, 8000: errno.EADDRNOTAVAIL}
        self.assembly.startError = PermissionError(errno.EACCES, "Permission denied")
        self.assertRaises(StartError, self.service.privilegedStartService)
        lines = self.stderr.getvalue().splitlines()
        self.assertEqual(len(lines), 3)
        self.assertIn('can\'t write the access log "a/access.log": Permission denied', lines[0])
        self.assertIn("CAP_NET_BIND_SERVICE", lines[1])
        self.assertIn("mend interface=", lines[2])

    def test_aDaemonSaysItInItsLog(self) -> None:
        """As nobody reads its standard error."""
        with open(os.devnull, "w", encoding="utf-8") as null:
            self.patch(sys, "__stderr__", null)
            self.reactor.taken[8000] = errno.EADDRINUSE
            events: list[Any] = []
            self.patch(
                ProxyService, "_log", SimpleNamespace(critical=lambda _, **kw: events.append(kw))
            )
            self.assertRaises(StartError, self.service.privilegedStartService)
        self.assertIn("Address already in use", events[0]["line"])

    def test_otherFailuresAreWordedToo(self) -> None:
        """An endpoint may raise anything."""
        front = FakeFront("odd")
        assembly = FakeAssembly([(front, ("unix:/nonexistent/directory/s",))])
        self.reactor.listenUNIX = self.refuse  # type: ignore[method-assign]
        service = ProxyService(self.reactor, self.configuration, cast("Any", assembly))
        self.assertRaises(StartError, service.privilegedStartService)
        self.assertIn("ValueError", self.stderr.getvalue())

    def refuse(self, *args: Any, **kwargs: Any) -> Any:
        """Fail without words."""
        raise ValueError

    def test_aListenerThatFailsLateStopsTheProcess(self) -> None:
        """Not all endpoints know at once."""
        late: Deferred[Any] = Deferred()
        endpoint = SimpleNamespace(listen=lambda factory: late)
        self.patch(serviceModule, "serverFromString", lambda reactor, text: endpoint)
        messages: list[Any] = []
        self.patch(
            serviceModule.FrontService,
            "_log",
            SimpleNamespace(
                critical=lambda _, **kw: messages.append(kw), info=lambda *a, **k: None
            ),
        )
        self.service.privilegedStartService()
        self.assertEqual(self.reactor.stops, 0)
        late.errback(CannotListenError("h", 1, OSError(errno.EADDRINUSE, "Address in use")))
        self.assertEqual(self.reactor.stops, 3)
        self.assertIn("Address in use", messages[0]["message"])

    def test_warningsAreLogged(self) -> None:
        """Where an operator who did not check finds them."""
        warned: list[Any] = []
        self.patch(ProxyService, "_log", SimpleNamespace(warn=lambda _, **kw: warned.append(kw)))
        warning = Problem(file="f", table="upstream.a", message="no route uses it")
        configuration = Configuration(warnings=(warning,))
        ProxyService(self.reactor, configuration, cast("Any", self.assembly)).startService()
        self.assertEqual([str(kw["warning"]) for kw in warned], [str(warning)])

    def warnings(self, access: str, stdout: Any) -> list[str]:
        """What is warned of at the start."""
        warned: list[str] = []
        self.patch(
            ProxyService, "_log", SimpleNamespace(warn=lambda text, **kw: warned.append(text))
        )
        self.patch(sys, "__stdout__", stdout)
        configuration = Configuration(log=LogSettings(access=access))
        ProxyService(self.reactor, configuration, cast("Any", self.assembly)).startService()
        return warned

    def test_anAccessLogThatGoesNowhereIsWarnedOf(self) -> None:
        """Standard output is a daemon's null device, or there is none."""
        with open(os.devnull, "w", encoding="utf-8") as null:
            (warning,) = self.warnings("-", null)
            self.assertIn("goes nowhere", warning)
            self.assertEqual(self.warnings("a.log", null), [])
        self.assertEqual(len(self.warnings("-", None)), 1)

    def test_anAccessLogOnStandardOutputIsFine(self) -> None:
        """Whatever that is."""
        with open(self.mktemp(), "w", encoding="utf-8") as stream:
            self.assertEqual(self.warnings("-", stream), [])

    def test_aUNIXSocketThatIsLocked(self) -> None:
        """Twisted has no number for it, and no remedy."""

        def listenUNIX(*args: Any, **kwargs: Any) -> Any:
            raise CannotListenError(None, b"/run/s", "Cannot acquire lock")

        self.reactor.listenUNIX = listenUNIX  # type: ignore[method-assign]
        assembly = FakeAssembly([(self.first, ("unix:/run/s",))])
        service = ProxyService(self.reactor, self.configuration, cast("Any", assembly))
        self.assertRaises(StartError, service.privilegedStartService)
        self.assertIn("Cannot acquire lock; stop the process that", self.stderr.getvalue())


class StopTests(ServiceCase):
    """Draining and stopping."""

    def setUp(self) -> None:
        super().setUp()
        self.service.startService()

    def stop(self) -> Deferred[Any]:
        """Stop; the answer has yet to come."""
        stopped = self.service.stopService()
        self.assertNoResult(stopped)
        self.assertEqual(self.reactor.closed, [3128, 3129, 8000])
        return stopped

    def test_acceptsNoMoreAndWaits(self) -> None:
        """Until every front is drained; then all else is closed."""
        stopped = self.stop()
        assert self.first.drained is not None
        assert self.second.drained is not None
        self.first.drained.callback(None)
        self.assertNoResult(stopped)
        self.assertEqual(self.assembly.calls, ["start", "begin"])
        self.second.drained.callback(None)
        self.ends(stopped)
        self.assertEqual(self.assembly.calls, ["start", "begin", "end", "stop"])
        self.assertFalse(self.first.aborted or self.second.aborted)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_theLastExchangeGetsItsLine(self) -> None:
        """It may end after its connection: the log stays open for one more turn."""
        service = ProxyService(
            self.reactor,
            self.configuration,
            cast("Any", FakeAssembly([(self.first, ("tcp:1",))])),
        )
        calls = self.assembly.calls = service._assembly.calls  # type: ignore[attr-defined]
        service.startService()
        stopped = service.stopService()
        assert self.first.drained is not None
        self.reactor.callLater(0, calls.append, "line")
        self.first.drained.callback(None)
        self.ends(stopped)
        self.assertEqual(calls, ["start", "begin", "line", "end", "stop"])

    def test_dropsTheRestAfterItsTime(self) -> None:
        """C{shutdown-seconds}, and not before."""
        stopped = self.stop()
        self.reactor.advance(9.9)
        self.assertFalse(self.first.aborted)
        self.reactor.advance(0.1)
        self.assertTrue(self.first.aborted)
        self.assertTrue(self.second.aborted)
        self.ends(stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_doesNotWaitForConnectionsThatCannotBeDropped(self) -> None:
        """The process ends all the same."""
        self.patch(FakeFront, "abort", lambda front: None)
        stopped = self.stop()
        self.reactor.advance(10)
        self.assertNoResult(stopped)
        self.reactor.advance(2)
        self.ends(stopped)

    def test_zeroSecondsDropAtOnce(self) -> None:
        """There is nothing to wait for."""
        configuration = Configuration(shutdownSeconds=0)
        service = ProxyService(self.reactor, configuration, cast("Any", self.assembly))
        service.startService()
        stopped = service.stopService()
        self.reactor.advance(0)
        self.assertTrue(self.first.aborted)
        self.ends(stopped)

    def test_withoutFrontsItIsThrough(self) -> None:
        """No Deferred is left hanging."""
        service = ProxyService(self.reactor, self.configuration, cast("Any", FakeAssembly([])))
        service.startService()
        self.ends(service.stopService())

    def test_canBeStartedAgain(self) -> None:
        """As any service."""
        stopped = self.stop()
        self.reactor.advance(10)
        self.ends(stopped)
        self.service.startService()
        self.assertEqual(self.assembly.calls, ["start", "begin", "end", "stop", "start", "begin"])


class SignalTests(ServiceCase):
    """SIGTERM and SIGINT."""

    def setUp(self) -> None:
        super().setUp()
        self.handlers: dict[int, Any] = {
            signal.SIGTERM: self.reactor.stop,
            signal.SIGINT: self.reactor.stop,
            signal.SIGHUP: signal.SIG_DFL,
        }
        self.patch(signal, "getsignal", self.handlers.get)
        self.patch(signal, "signal", self.handlers.__setitem__)

    def deliver(self, number: int) -> None:
        """A signal arrives, and the reactor turns."""
        self.handlers[number](number, None)
        while self.reactor.threaded:
            call, args = self.reactor.threaded.pop(0)
            call(*args)

    def run_(self) -> None:
        """Start, with a running reactor."""
        self.service.startService()
        for hook in self.reactor.whenRunningHooks:
            call, args, kwargs = hook
            call(*args, **kwargs)

    def test_theFirstStopsAndTheSecondStopsWaiting(self) -> None:
        """An impatient operator need not use SIGKILL."""
        verifyObject(IReactorCore, self.reactor)
        self.run_()
        self.deliver(signal.SIGTERM)
        self.assertEqual(self.reactor.stops, 1)
        stopped = self.service.stopService()
        self.assertNoResult(stopped)
        self.deliver(signal.SIGINT)
        self.assertTrue(self.first.aborted)
        self.ends(stopped)
        self.deliver(signal.SIGTERM)
        self.assertEqual(self.reactor.stops, 1)

    def test_hangupReloads(self) -> None:
        """What can be read again is."""
        self.run_()
        self.deliver(signal.SIGHUP)
        self.assertEqual(self.assembly.calls[-1], "reload")
        self.assertEqual(self.reactor.stops, 0)

    def test_handlersOfOthersStay(self) -> None:
        """An application that handles signals itself means it."""
        self.handlers = {signal.SIGTERM: signal.SIG_IGN, signal.SIGINT: signal.SIG_DFL}
        self.run_()
        self.assertEqual(
            self.handlers, {signal.SIGTERM: signal.SIG_IGN, signal.SIGINT: signal.SIG_DFL}
        )


class MakeServiceTests(SynchronousTestCase):
    """What C{twistd} calls."""

    def test_makesTheServiceOfTheCommandLine(self) -> None:
        """Nothing is opened yet."""
        options = Options()
        options.parseOptions(["--forward=tcp:0:interface=127.0.0.1"])
        service = makeService(options)
        self.assertIsInstance(service, MultiService)
        self.assertEqual([child.name for child in service], ["forward"])

    def test_filesThatCantBeUsed(self) -> None:
        """Any more: they are told of as by C{--check}, and the process does not start."""
        path = Path(self.mktemp())
        ca = path.with_name("ca.pem")
        ca.write_bytes(authority().pem)
        path.write_text(
            '[reverse.site]\nlisten = ["tcp:1"]\n[[reverse.site.route]]\nupstream = "web"\n'
            '[upstream.web]\nservers = ["https://h"]\n'
            'tls = { ca = "ca.pem" }\n',
            encoding="utf-8",
        )
        options = Options()
        options.parseOptions(["--config", str(path)])
        ca.unlink()
        told = io.StringIO()
        self.patch(sys, "stderr", told)
        error = self.assertRaises(StartError, makeService, options)
        # What is in between is the path, cut where it is long.
        self.assertRegex(str(error), r'upstream\.web\.tls\.ca = "[^:]+: can\'t be read: ')
        self.assertEqual(told.getvalue(), f"{error}\n")
