# -*- test-case-name: tests.ops.test_descriptors -*-
"""Tests of L{intermediary.ops.descriptors}."""

from __future__ import annotations

import resource
from dataclasses import replace
from typing import Any, cast

from twisted.logger import ILogObserver, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from intermediary.ops import descriptors
from intermediary.ops.config import Configuration, ForwardFront, ReverseFront
from intermediary.settings import (
    ForwardSettings,
    Limits,
    PassageSettings,
    PoolSettings,
    ReverseSettings,
    UpstreamSettings,
)

LIMITS = Limits(connections=1000)
FORWARD = Configuration(
    forward=(ForwardFront(settings=ForwardSettings(name="a", limits=LIMITS), listen=()),),
    pool=PoolSettings(total=200),
)
REVERSE = Configuration(
    reverse=(
        ReverseFront(settings=ReverseSettings(name="a", limits=LIMITS, routes=()), listen=()),
    ),
    pool=PoolSettings(total=200),
)


class LimitTests(SynchronousTestCase):
    """The soft limit is raised as far as needed and allowed."""

    def setUp(self) -> None:
        self.set: list[tuple[int, int]] = []
        self.warnings: list[Any] = []
        observer = cast("ILogObserver", self.observe)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def observe(self, event: Any) -> None:
        """Note what is logged here."""
        if event["log_namespace"] == "intermediary.ops.descriptors":
            self.warnings.append(event)

    def limits(self, soft: int, hard: int) -> None:
        """Pretend to have these."""
        self.patch(resource, "getrlimit", lambda which: (soft, hard))
        self.patch(resource, "setrlimit", lambda which, limits: self.set.append(limits))

    def test_tunnelsCountTwice(self) -> None:
        """A reverse front has no more upstream connections than the pool."""
        self.assertEqual(descriptors.wanted(REVERSE), 1000 + 200 + 128)
        self.assertEqual(descriptors.wanted(FORWARD), 1000 + 1000 + 128)
        (front,) = REVERSE.reverse
        passage = PassageSettings(
            upstream=UpstreamSettings(name="db", servers=("tcp://h:1",)), names=("a",)
        )
        site = replace(front, settings=replace(front.settings, passthrough=(passage,)))
        self.assertEqual(descriptors.wanted(replace(REVERSE, reverse=(site,))), 2128)

    def test_isRaisedToWhatIsNeeded(self) -> None:
        """No further."""
        self.limits(1024, 1048576)
        self.assertEqual(descriptors.raiseLimit(REVERSE), 1328)
        self.assertEqual(self.set, [(1328, 1048576)])
        self.assertEqual(self.warnings, [])

    def test_isNeverLowered(self) -> None:
        """What is there may be for others in the process."""
        self.limits(5000, 5000)
        self.assertEqual(descriptors.raiseLimit(REVERSE), 5000)
        self.limits(resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        descriptors.raiseLimit(REVERSE)
        self.assertEqual(self.set, [])

    def test_theHardLimitIsAWarning(self) -> None:
        """With both numbers and the remedy."""
        self.limits(500, 1000)
        self.assertEqual(descriptors.raiseLimit(REVERSE), 1000)
        (event,) = self.warnings
        self.assertEqual((event["limit"], event["need"]), (1000, 1328))

    def test_aRefusalIsAWarning(self) -> None:
        """The process goes on with what it has."""
        self.limits(500, 5000)

        def refuse(which: int, limits: tuple[int, int]) -> None:
            raise ValueError("not allowed to raise maximum limit")

        self.patch(resource, "setrlimit", refuse)
        self.assertEqual(descriptors.raiseLimit(REVERSE), 500)
        self.assertEqual(len(self.warnings), 1)

    def test_platformsWithoutSuchLimits(self) -> None:
        """Nothing is done."""
        self.patch(descriptors, "resource", None)
        self.assertIsNone(descriptors.raiseLimit(REVERSE))
