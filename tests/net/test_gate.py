# -*- test-case-name: tests.net.test_gate -*-
"""
Named reasons not to read.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from intermediary.net.gate import Gate


class Producer:
    """Notes when it is paused and resumed; either way round twice is an error."""

    def __init__(self) -> None:
        self.paused = False
        self.calls: list[str] = []
        self.onResume: Any = None

    def pauseProducing(self) -> None:
        assert not self.paused, "paused twice"
        self.paused = True
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        assert self.paused, "resumed twice"
        self.paused = False
        self.calls.append("resume")
        if self.onResume is not None:
            self.onResume()


class GateTests(SynchronousTestCase):
    """A connection is read if and only if nobody has a reason against it."""

    def setUp(self) -> None:
        self.producer = Producer()
        self.gate = Gate(self.producer)  # type: ignore[arg-type]

    def test_itBeginsOpen(self) -> None:
        """A transport is read when it is made, and is not told so."""
        self.assertTrue(self.gate.isOpen)
        self.assertEqual(self.producer.calls, [])

    def test_theFirstReasonPauses(self) -> None:
        """The second changes nothing."""
        self.gate.pause("one")
        self.gate.pause("two")
        self.assertFalse(self.gate.isOpen)
        self.assertEqual(self.producer.calls, ["pause"])

    def test_allReasonsMayGoAtOnce(self) -> None:
        """What they were about is over; an open gate is left alone."""
        self.gate.clear()
        self.gate.pause("one")
        self.gate.pause("two")
        self.gate.clear()
        self.assertTrue(self.gate.isOpen)
        self.assertEqual(self.producer.calls, ["pause", "resume"])

    def test_theLastReasonResumes(self) -> None:
        """In whichever order they go."""
        for order in (("one", "two"), ("two", "one")):
            self.gate.pause("one")
            self.gate.pause("two")
            self.producer.calls.clear()
            self.gate.resume(order[0])
            self.assertEqual(self.producer.calls, [])
            self.gate.resume(order[1])
            self.assertEqual(self.producer.calls, ["resume"])

    def test_aReasonTwiceIsAReasonOnce(self) -> None:
        """It is no counter: nobody must take it back as often as it was given."""
        self.gate.pause("one")
        self.gate.pause("one")
        self.gate.resume("one")
        self.assertTrue(self.gate.isOpen)
        self.assertEqual(self.producer.calls, ["pause", "resume"])

    def test_whatWasNotAReasonIsNotTakenBack(self) -> None:
        """Neither on an open gate nor beside another reason."""
        self.gate.resume("one")
        self.assertEqual(self.producer.calls, [])
        self.gate.pause("two")
        self.gate.resume("one")
        self.assertFalse(self.gate.isOpen)
        self.assertEqual(self.producer.calls, ["pause"])

    def test_reprExplainsAStall(self) -> None:
        """Every reason, in the order in which they came."""
        self.assertEqual(repr(self.gate), "<Gate open>")
        self.gate.pause("client does not keep up")
        self.gate.pause("no upstream yet")
        self.assertEqual(repr(self.gate), "<Gate client does not keep up, no upstream yet>")

    def test_aReasonMayComeWhileItResumes(self) -> None:
        """A transport that delivers as it resumes may be paused from within."""
        self.gate.pause("one")
        self.producer.onResume = lambda: self.gate.pause("two")
        self.gate.resume("one")
        self.assertFalse(self.gate.isOpen)
        self.assertEqual(self.producer.calls, ["pause", "resume", "pause"])
        self.assertEqual(repr(self.gate), "<Gate two>")

    def test_theSameReasonMayComeWhileItIsTakenBack(self) -> None:
        """Its giver found another occasion for it."""
        self.gate.pause("one")
        self.producer.onResume = lambda: self.gate.pause("one")
        self.gate.resume("one")
        self.assertFalse(self.gate.isOpen)
        self.assertTrue(self.producer.paused)

    def test_gatesShareNothing(self) -> None:
        """A reason is one connection's."""
        other = Gate(Producer())  # type: ignore[arg-type]
        self.gate.pause("one")
        self.assertTrue(other.isOpen)

    @given(
        strategies.lists(strategies.tuples(strategies.booleans(), strategies.sampled_from("abc")))
    )
    def test_itIsASetOfReasons(self, events: list[tuple[bool, str]]) -> None:
        """Whatever happens, it is open exactly while the set is empty."""
        producer = Producer()
        gate = Gate(producer)  # type: ignore[arg-type]
        reasons: set[str] = set()
        for pause, reason in events:
            if pause:
                gate.pause(reason)
                reasons.add(reason)
            else:
                gate.resume(reason)
                reasons.discard(reason)
            self.assertEqual(gate.isOpen, not reasons)
            self.assertEqual(producer.paused, bool(reasons))
