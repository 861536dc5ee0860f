# -*- test-case-name: tests.ops.test_signals -*-
"""Tests of L{intermediary.ops.signals}."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace
from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from intermediary.ops.signals import SignalHandlers


class Reactor:
    """One that has its own handlers, and calls from threads at once."""

    def stop(self) -> None:
        """Handle SIGTERM, as Twisted does."""

    def callFromThread(self, call: Any, *args: Any) -> None:
        """Call."""
        call(*args)


class HandlerTests(SynchronousTestCase):
    """Who handles what."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.handlers: dict[int, Any] = {
            signal.SIGTERM: self.reactor.stop,
            signal.SIGINT: self.reactor.stop,
            signal.SIGHUP: signal.SIG_DFL,
            signal.SIGUSR1: signal.SIG_DFL,
        }
        self.patch(signal, "getsignal", self.handlers.get)
        self.patch(signal, "signal", self.handlers.__setitem__)
        self.terminal = False
        self.patch(os, "isatty", lambda fd: fd == 0 and self.terminal)
        self.said: list[str] = []
        self.patch(SignalHandlers, "_log", cast("Any", SimpleNamespace(info=self.said.append)))
        self.stops: list[tuple[str, bool]] = []
        self.reloadable = False

    def install(self) -> None:
        """Take the signals."""
        SignalHandlers(
            self.reactor, lambda *told: self.stops.append(told), lambda: self.reloadable
        ).install()

    def deliver(self, number: int) -> None:
        """A signal arrives."""
        self.handlers[number](number, None)

    def test_termAndIntStop(self) -> None:
        """And insist when they are repeated."""
        self.install()
        self.deliver(signal.SIGTERM)
        self.deliver(signal.SIGINT)
        self.assertEqual(self.stops, [("SIGTERM", True), ("SIGINT", True)])

    def test_hangupIsIgnoredWithAWord(self) -> None:
        """Who sends it wants a reload, which there is not."""
        self.install()
        self.deliver(signal.SIGHUP)
        self.assertEqual(self.stops, [])
        self.assertIn("nothing to reload yet", self.said[0])
        self.assertIn("restart", self.said[0])

    def test_hangupReadsAgain(self) -> None:
        """Where there is something that can be."""
        self.reloadable = True
        self.install()
        self.deliver(signal.SIGHUP)
        self.assertEqual(self.stops, [])
        self.assertIn("certificates that changed are read again", self.said[0])

    def test_hangupOfATerminalStops(self) -> None:
        """Even when it is no terminal any more; the shell's second one is no haste."""
        self.terminal = True
        self.install()
        self.terminal = False
        self.deliver(signal.SIGHUP)
        self.assertEqual(self.stops, [("SIGHUP", False)])
        self.assertEqual(self.said, [])

    def test_rotationNeedsNoSignal(self) -> None:
        """SIGUSR1 does nothing but say so."""
        self.install()
        self.deliver(signal.SIGUSR1)
        self.assertEqual(self.stops, [])
        self.assertIn("follows renames by itself", self.said[0])

    def test_handlersOfOthersStay(self) -> None:
        """Of C{nohup}, of C{twistd} with a log file, of an application."""

        def rotate(number: int, frame: object) -> None:
            """Handle it."""

        others: dict[int, Any] = {
            signal.SIGTERM: signal.SIG_IGN,
            signal.SIGINT: signal.SIG_DFL,
            signal.SIGHUP: signal.SIG_IGN,
            signal.SIGUSR1: rotate,
        }
        self.handlers.update(others)
        self.install()
        self.assertEqual(self.handlers, others)

    def test_platformsWithoutThem(self) -> None:
        """Not all have SIGHUP and SIGUSR1."""
        self.patch(signal, "SIGHUP", None)
        self.patch(signal, "SIGUSR1", None)
        self.install()
        self.deliver(signal.SIGTERM)
        self.assertEqual(self.stops, [("SIGTERM", True)])
