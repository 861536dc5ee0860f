# -*- test-case-name: tests.test_program -*-
"""
Programs: sections, labels, and the listing that people read.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from intermediary.engine import Engine
from intermediary.program import PARKED, SECTIONS, Program, nameStep


def freeStep(exchange: Any) -> None:
    """A step that is a function."""


class Component:
    """A component with hooks, and a step itself."""

    def onRequest(self, exchange: Any) -> None:
        """A step that is a method."""

    async def onFetch(self, exchange: Any) -> None:
        """A step that is a coroutine."""

    @classmethod
    def onDeliver(cls, exchange: Any) -> None:
        """A step that is the class's."""

    @staticmethod
    def onFinish(exchange: Any) -> None:
        """A step that is a function in a class."""

    def __call__(self, exchange: Any) -> None:
        """The component as a step."""


class NameTests(SynchronousTestCase):
    """How steps are called in listings and logs."""

    def test_aMethodIsNamedWithItsClass(self) -> None:
        """C{module.Class.method}, without the package."""
        self.assertEqual(nameStep(Component().onRequest), "test_program.Component.onRequest")
        self.assertEqual(nameStep(Component().onFetch), "test_program.Component.onFetch")

    def test_aFunctionIsNamedWithItsModule(self) -> None:
        """Also one that hides in a class or a function."""
        self.assertEqual(nameStep(freeStep), "test_program.freeStep")
        self.assertEqual(nameStep(Component.onFinish), "test_program.Component.onFinish")
        hidden = nameStep(lambda exchange: None)
        self.assertTrue(hidden.startswith("test_program.NameTests."), hidden)
        self.assertTrue(hidden.endswith("<lambda>"), hidden)

    def test_aMethodOfAClassIsNamedWithIt(self) -> None:
        """Not with the class of classes."""
        self.assertEqual(nameStep(Component.onDeliver), "test_program.Component.onDeliver")
        self.assertEqual(nameStep(Component().onDeliver), "test_program.Component.onDeliver")

    def test_anObjectIsNamedByItsClass(self) -> None:
        """One that is called."""
        self.assertEqual(nameStep(Component()), "test_program.Component")
        self.assertEqual(nameStep(partial(freeStep)), "functools.partial")

    def test_theEnginesStepsAreTheEngines(self) -> None:
        """Shorter, as they are in every program."""
        engine: Any = Engine(None, float, b"x")  # type: ignore[arg-type]
        self.assertEqual(nameStep(engine.derive), "engine.derive")
        self.assertEqual(nameStep(engine.sendHead), "engine.sendHead")

    def test_othersEnginesAreNot(self) -> None:
        """A module of an application may have that name as well."""
        kind = type("Rules", (Component,), {"__module__": "application.engine"})
        self.assertEqual(nameStep(kind().onRequest), "engine.Rules.onRequest")


class ProgramTests(SynchronousTestCase):
    """Flat lists with labels."""

    def test_sectionsFollowEachOther(self) -> None:
        """In their own order, whatever that of the argument, and labels point at them."""
        steps = {name: [object(), object()] for name in reversed(SECTIONS)}
        program = Program("it", steps)  # type: ignore[arg-type]
        self.assertEqual(program.steps, tuple(step for name in SECTIONS for step in steps[name]))
        self.assertEqual(
            (program.lookup, program.fetch, program.deliver, program.finish), (2, 4, 8, 10)
        )

    def test_absentSectionsAreEmpty(self) -> None:
        """Their labels are those of what comes next."""
        program = Program("it", {"deliver": [freeStep], "finish": [freeStep, freeStep]})
        self.assertEqual(
            (program.lookup, program.fetch, program.deliver, program.finish), (0, 0, 0, 1)
        )
        self.assertEqual(len(program.steps), 3)
        self.assertEqual(Program("none", {}).steps, ())

    def test_unknownSectionsAreRefused(self) -> None:
        """All of them by name."""
        error = self.assertRaises(ValueError, Program, "it", {"fetch": [], "wrong": [], "also": []})
        self.assertEqual(str(error), "no such section: also, wrong")

    def test_laterChangesOfTheArgumentDoNotMatter(self) -> None:
        """A program never changes."""
        steps = [freeStep]
        program = Program("it", {"fetch": steps})
        steps.append(freeStep)
        self.assertEqual(len(program.steps), 1)
        self.assertRaises(AttributeError, setattr, program, "more", 1)

    def test_stepsHaveNames(self) -> None:
        """By index; beyond them is the end."""
        program = Program("it", {"fetch": [freeStep, Component().onRequest]})
        self.assertEqual(program.nameOf(0), "test_program.freeStep")
        self.assertEqual(program.nameOf(1), "test_program.Component.onRequest")
        for index in (2, 100, -1):
            self.assertEqual(program.nameOf(index), "end")

    def test_theListingIsATable(self) -> None:
        """A line for each step, with its section and a remark."""
        engine: Any = Engine(None, float, b"x")  # type: ignore[arg-type]
        program = Program(
            "it",
            {
                "request": [freeStep, Component().onRequest],
                "fetch": [engine.derive, engine.send],
                "finish": [engine.release, *[freeStep] * 7],
            },
            {"engine.send": "parks: response head", "test_program.Component.onRequest": "long"},
        )
        self.assertEqual(
            program.listing().splitlines(),
            [
                "  request    0 test_program.freeStep",
                "             1 test_program.Component.onRequest  (long)",
                "  fetch      2 engine.derive",
                "             3 engine.send                       (parks: response head)",
                "  finish     4 engine.release",
                "             5 test_program.freeStep",
                "             6 test_program.freeStep",
                "             7 test_program.freeStep",
                "             8 test_program.freeStep",
                "             9 test_program.freeStep",
                "            10 test_program.freeStep",
                "            11 test_program.freeStep",
            ],
        )

    def test_aLongNameStaysApartFromItsRemark(self) -> None:
        """Though it breaks the table."""
        kind = type("ComponentWithAVeryLongNameIndeed", (Component,), {})
        step = kind().onRequest
        program = Program("it", {"fetch": [step]}, {nameStep(step): "remark"})
        self.assertEqual(
            program.listing(),
            f"  fetch      0 {nameStep(step)} (remark)",
        )

    def test_anEmptyListingIsEmpty(self) -> None:
        """No line for no step."""
        self.assertEqual(Program("none", {}).listing(), "")

    def test_reprTellsNameAndSize(self) -> None:
        """For logs."""
        self.assertEqual(repr(Program("a b", {"fetch": [freeStep]})), "<Program a b of 1 steps>")

    def test_parkedExplainsItself(self) -> None:
        """In a traceback."""
        self.assertEqual(repr(PARKED), "PARKED")
        self.assertTrue(PARKED)
