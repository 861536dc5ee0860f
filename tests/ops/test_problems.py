# -*- test-case-name: tests.ops.test_problems -*-
"""Tests of L{intermediary.ops.problems}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from intermediary.ops.problems import ABSENT, ConfigurationError, Problem, nearest, spell


class ProblemTests(SynchronousTestCase):
    """A problem is one line that an operator can act on."""

    def test_namesFileLinePathValueMessageAndRemedy(self) -> None:
        """Everything that is known stands in the line."""
        problem = Problem(
            file="p.toml", line=3, table="log.format", value="x", message="is bad", remedy="mend it"
        )
        self.assertEqual(str(problem), 'p.toml:3: log.format = "x": is bad; mend it')

    def test_whatIsNotKnownIsLeftOut(self) -> None:
        """No line, no value, no remedy, no table."""
        self.assertEqual(
            str(Problem(file="p.toml", table="log", message="is bad")), "p.toml: log: is bad"
        )
        self.assertEqual(str(Problem(file="p.toml", table="", message="is bad")), "p.toml: is bad")

    def test_falseAndZeroAreValues(self) -> None:
        """Only L{ABSENT} means that nothing stood there."""
        problem = Problem(file="p", table="a", value=False, message="no")
        self.assertEqual(str(problem), "p: a = false: no")
        self.assertEqual(repr(ABSENT), "ABSENT")

    def test_anErrorSaysAllItsProblems(self) -> None:
        """One problem a line."""
        problems = [Problem(file="p", table=name, message="no") for name in ("a", "b")]
        error = ConfigurationError(problems)
        self.assertEqual(str(error), "p: a: no\np: b: no")
        self.assertEqual(error.problems, tuple(problems))


class SpellTests(SynchronousTestCase):
    """Values are shown as TOML spells them."""

    def test_everyTypeAsInTOML(self) -> None:
        """What is shown may be pasted into the file."""
        self.assertEqual(spell('a"b\\c'), '"a\\"b\\\\c"')
        self.assertEqual(spell("a\nb"), '"a\\u000Ab"')
        self.assertEqual(spell([1, True, "x"]), '[1, true, "x"]')
        self.assertEqual(spell({"a": 1.5}), "{ a = 1.5 }")
        self.assertEqual(spell({}), "{}")
        self.assertEqual(spell(30.0), "30")
        self.assertEqual(spell(float("inf")), "inf")

    def test_longValuesAreCut(self) -> None:
        """A message stays a line."""
        self.assertEqual(len(spell("x" * 1000)), 120)
        self.assertTrue(spell("x" * 1000).endswith("..."))


class NearestTests(SynchronousTestCase):
    """A suggestion for a misspelt word."""

    def test_suggestsTheNearest(self) -> None:
        """One that is near enough."""
        self.assertEqual(nearest("listn", ["listen", "via"]), 'did you mean "listen"?')

    def test_listsWhatIsKnownWhenNothingIsNear(self) -> None:
        """The operator sees what there is."""
        self.assertEqual(nearest("zzz", ["via", "listen"]), "known are: listen, via")

    def test_saysNothingWhenNothingIsKnown(self) -> None:
        """There is no remedy then."""
        self.assertEqual(nearest("zzz", []), "")
