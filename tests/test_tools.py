# -*- test-case-name: tests.test_tools -*-
"""Tests of the scripts that people and the build machine run."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.trial.reporter import TextReporter, TreeReporter
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tools import SKIPPED, check, compiled, trials
from tools.requirements import requirements

from .smoke.running import until

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parent.parent


def says(text: str, code: int = 0) -> list[str]:
    """A command that prints a text and ends with a code."""
    return [sys.executable, "-c", f"print({text!r}); raise SystemExit({code})"]


class CheckTests(SynchronousTestCase):
    """C{make check}."""

    def setUp(self) -> None:
        self.stdout = io.StringIO()
        self.patch(sys, "stdout", self.stdout)

    def checks(self, **commands: Sequence[str]) -> None:
        """Have these checks."""
        self.patch(check, "CHECKS", commands)

    def test_allRunAndAreCounted(self) -> None:
        """Also after one that failed; only what failed shows what it said."""
        self.checks(one=says("fine"), two=says("broken here", 1), three=says("fine"))
        self.assertEqual(check.main([]), 1)
        lines = self.stdout.getvalue().splitlines()
        self.assertTrue(lines[0].startswith("ok      one ("))
        self.assertTrue(lines[1].startswith("FAILED  two ("))
        self.assertEqual(lines[2], "broken here")
        self.assertEqual(lines[-1], "2 passed, 1 failed")
        self.assertNotIn("fine", self.stdout.getvalue())

    def test_whatCantRunHereIsNotCounted(self) -> None:
        """It says why."""
        self.checks(one=says("fine"), two=says("no compiler", SKIPPED))
        self.assertEqual(check.main([]), 0)
        lines = self.stdout.getvalue().splitlines()
        self.assertEqual(lines[1:], ["skipped two: no compiler", "1 passed, 0 failed"])

    def test_someMayBeNamed(self) -> None:
        """While one is mended."""
        self.checks(one=says("x", 1), two=says("x"))
        self.assertEqual(check.main(["two"]), 0)
        self.assertEqual(check.main(["tow"]), 2)


class RequirementsTests(SynchronousTestCase):
    """C{tools.requirements}."""

    METADATA = """
[options]
install_requires =
    a >= 1
    b[c]

[options.extras_require]
test =
    d
dev =
    %(test)s
    a >= 1
    e < 2
"""

    def test_whatThePackageNeeds(self) -> None:
        """Without extras, no more."""
        self.assertEqual(requirements(self.METADATA, []), ["a >= 1", "b[c]"])

    def test_extras(self) -> None:
        """They may name others; each line comes once."""
        self.assertEqual(
            requirements(self.METADATA, ["dev", "test"]), ["a >= 1", "b[c]", "d", "e < 2"]
        )
        self.assertRaises(KeyError, requirements, self.METADATA, ["tset"])

    def test_ours(self) -> None:
        """The file that is really read."""
        lines = requirements((ROOT / "setup.cfg").read_text(encoding="utf-8"), ["dev"])
        self.assertIn("hypothesis", lines)
        self.assertIn("mypy-zope", lines)


class CompiledTests(SynchronousTestCase):
    """C{tools.compiled}; that it works is a check of its own."""

    def test_itsSuitesAreThere(self) -> None:
        """A test that was renamed would be left out in silence."""
        for name in compiled.SUITES:
            path = ROOT.joinpath(*name.split("."))
            self.assertTrue(path.is_dir() or path.with_suffix(".py").exists(), name)

    def test_whyNothingIsCompiled(self) -> None:
        """It was not to be, or there is no compiler."""
        for variables, reason in (
            ({"INTERMEDIARY_COMPILE": "0"}, "INTERMEDIARY_COMPILE is 0"),
            ({"INTERMEDIARY_COMPILE": "", "CC": "/bin/false"}, "the C compiler does not work"),
        ):
            done = subprocess.run(
                [sys.executable, "-c", "from tools import compiled; print(compiled.unavailable())"],
                cwd=ROOT,
                env={**os.environ, **variables},
                capture_output=True,
                text=True,
                check=False,
            )
            self.assertIn(reason, done.stdout, done.stderr)

    def test_itsPartsAreAllOfThem(self) -> None:
        """Each suite is in one."""
        parts = compiled.parts()
        self.assertEqual(
            sorted(name for part in parts.values() for name in part), sorted(compiled.SUITES)
        )
        self.assertTrue(all(parts.values()))


class TrialsTests(SynchronousTestCase):
    """C{tools.trials}, which C{make test} runs."""

    def setUp(self) -> None:
        self.stdout = io.StringIO()
        self.patch(sys, "stdout", self.stdout)
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def runs(self, **parts: Sequence[str]) -> tuple[int, str]:
        """
        Run parts.

        @return: the exit code and the last line.
        """
        code = trials.run(parts, self.folder, None)
        return code, self.stdout.getvalue().splitlines()[-1]

    def test_everyTestIsInOnePart(self) -> None:
        """None is left out, and none runs twice."""
        parts = [*trials.WAITING, *trials.others(ROOT / "tests", trials.WAITING)]
        found = 0
        for path in (ROOT / "tests").rglob("test_*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            inside = [each for each in parts if name == each or name.startswith(f"{each}.")]
            self.assertEqual(len(inside), 1, name)
            found += 1
        self.assertGreater(found, 200)
        for name in parts:
            path = ROOT.joinpath(*name.split("."))
            self.assertTrue(path.is_dir() or path.with_suffix(".py").exists(), name)

    def test_others(self) -> None:
        """A package is whole where nothing of it is left out."""
        for name in ("a/test_x.py", "b/test_x.py", "b/test_y.py", "b/c/test_x.py"):
            path = self.folder / "tests" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            (path.parent / "__init__.py").touch()
        for name in ("__init__.py", "scenario.py", "test_x.py", "test_y.py", "test_data.txt"):
            (self.folder / "tests" / name).touch()
        named = list(trials.others(self.folder / "tests", ["tests.b.test_x", "tests.test_y"]))
        self.assertEqual(named, ["tests.a", "tests.b.c", "tests.b.test_y", "tests.test_x"])

    def test_whatTheyCountIsAddedUp(self) -> None:
        """In the words of trial; what they say is shown, one after the other."""
        one = says("first\nPASSED (skips=1, expectedFailures=2, successes=3)")
        two = says("second\nPASSED (successes=40)")
        expected = "PASSED (skips=1, expectedFailures=2, successes=43)"
        self.assertEqual(self.runs(one=one, two=two), (0, expected))
        lines = self.stdout.getvalue().splitlines()
        self.assertEqual(lines[0], "first")
        self.assertEqual(lines[2], "second")

    def test_oneThatFails(self) -> None:
        """All have failed then, whichever it was."""
        good = says("PASSED (successes=3)")
        bad = says("FAILED (failures=1, errors=2, unexpectedSuccesses=3, successes=4)", 1)
        expected = "FAILED (failures=1, errors=2, unexpectedSuccesses=3, successes=7)"
        self.assertEqual(self.runs(one=good, two=bad), (1, expected))
        self.assertEqual(self.runs(one=bad, two=good), (1, expected))

    def test_oneThatDoesNotComeToItsEnd(self) -> None:
        """It is an error, also if it claims to have passed before."""
        good = says("PASSED (successes=3)")
        dies = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
        for bad, wrong, successes in (
            (dies, "two: ended with -9", 3),
            (says("no such module", 1), "two: ended with 1", 3),
            (says("PASSED (successes=4)", 139), "two: ended with 139", 7),
            (says("half a line"), "two: no test ran", 3),
            (says("PASSED (skips=4)"), "two: no test ran", 3),
            (says("PASSED"), "two: no test ran", 3),
        ):
            code, last = self.runs(one=good, two=bad)
            self.assertEqual(code, 1, wrong)
            self.assertIn(f"errors=1, successes={successes})", last)
            self.assertTrue(last.startswith("FAILED ("), last)
            self.assertIn(wrong, self.stdout.getvalue())

    def test_theyRunAtTheSameTime(self) -> None:
        """Each waits until the other is there."""
        script = (
            "import pathlib, sys, time; mine, other = map(pathlib.Path, sys.argv[1:]); mine.touch()\n"
            "for _ in range(200):\n"
            "    if other.exists(): break\n"
            "    time.sleep(0.05)\n"
            "else: sys.exit('nobody comes')\n"
            "print('PASSED (successes=1)')\n"
        )
        command = [sys.executable, "-c", script]
        parts = {"one": [*command, "a", "b"], "two": [*command, "b", "a"]}
        self.assertEqual(self.runs(**parts), (0, "PASSED (successes=2)"))

    def test_nobodyIsLeftBehind(self) -> None:
        """Where it is interrupted, the parts end as well."""
        script = (
            "import os, pathlib, time; pathlib.Path('{}').write_text(str(os.getpid()))\n"
            "print('begun', flush=True); time.sleep(60)\n"
        )

        def processes() -> list[int]:
            texts = [path.read_text() for path in self.folder.iterdir()]
            return [int(text) for text in texts if text]

        class Interrupting(io.StringIO):
            def write(self, text: str) -> int:
                until(lambda: len(processes()) == 2, "both have begun")
                raise KeyboardInterrupt(text)

        self.patch(sys, "stdout", Interrupting())
        commands = {name: [sys.executable, "-c", script.format(name)] for name in ("two", "one")}
        self.assertRaises(KeyboardInterrupt, trials.run, commands, self.folder, None)
        for process in processes():
            self.assertRaises(ProcessLookupError, os.kill, process, 0)

    def test_realOnes(self) -> None:
        """Trial understands it, and each part has its own folder for what tests leave behind."""
        for name, body in (("good", "pass"), ("bad", "self.fail()")):
            (self.folder / f"test_{name}.py").write_text(
                "from twisted.trial.unittest import TestCase\n"
                f"class Tests(TestCase):\n    def test_it(self): {body}\n"
            )
        names = {"one": ["test_good"], "two": ["test_good", "test_bad"]}
        code, last = self.runs(**trials.commands(names, "text"))
        self.assertEqual((code, last), (1, "FAILED (failures=1, successes=2)"))
        left = sorted(path.name for path in self.folder.glob("_trial_temp*") if path.is_dir())
        self.assertEqual(left, ["_trial_temp-one", "_trial_temp-two"])


class MakeTests(SynchronousTestCase):
    """What C{make test} runs."""

    def asked(self, *arguments: str) -> str:
        """Have C{make} say what it would do."""
        make = shutil.which("make")
        if make is None:
            raise SkipTest("make is not installed")
        done = subprocess.run(
            [make, "--dry-run", "test", *arguments],
            cwd=ROOT,
            env={key: os.environ[key] for key in os.environ if not key.startswith("MAKE")},
            capture_output=True,
            text=True,
            check=True,
        )
        return " ".join(done.stdout.replace("\\\n", "").split())

    def test_all(self) -> None:
        """In parts."""
        self.assertTrue(self.asked().endswith("python -m tools.trials text"))
        self.assertTrue(self.asked("REPORTER=verbose").endswith("-m tools.trials verbose"))

    def test_some(self) -> None:
        """By trial itself."""
        said = self.asked("TESTS=tests.wire tests.net")
        self.assertTrue(
            said.endswith("python -m twisted.trial --reporter=text tests.wire tests.net"), said
        )


class ContinuousIntegrationTests(SynchronousTestCase):
    """C{.ci/run}, with a C{make} that only claims to have run."""

    def run_(
        self,
        test: tuple[str, int],
        checks: tuple[str, int],
        compiled: tuple[str, int] = ("ok      compiled (1.0 s)\n1 passed, 0 failed\n", 0),
    ) -> tuple[str, int]:
        """
        Run the script.

        @ivar calls: with what C{make} was called, as it began and ended.
        @return: its last line and its exit code.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        (folder / "test").write_text(test[0])
        (folder / "check").write_text(checks[0])
        (folder / "compiled").write_text(compiled[0])
        make = folder / "make"
        make.write_text(
            "#!/usr/bin/env bash\n"
            f'log={folder}/calls; echo "began $*" >> "$log"\n'
            "case $* in\n"
            "*.wheel) sleep 0.2;;\n"
            f'test) cat "{folder}/test"; code={test[1]};;\n'
            # It is asked for by itself, as it installs something.
            f'*=compiled) cat "{folder}/compiled"; code={compiled[1]};;\n'
            f'check*) cat "{folder}/check"; code={checks[1]};;\n'
            "esac\n"
            'echo "ended $*" >> "$log"\n'
            "exit ${code:-0}\n"
        )
        make.chmod(make.stat().st_mode | stat.S_IXUSR)
        done = subprocess.run(
            [str(ROOT / ".ci" / "run")],
            env={**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        self.calls = (folder / "calls").read_text().splitlines()
        return done.stdout.splitlines()[-1], done.returncode

    GOOD_TESTS = ("Ran 12 tests in 0.1s\n\nPASSED (skips=2, successes=10)\n", 0)
    GOOD_CHECKS = ("ok      lint (0.1 s)\nok      types (9.0 s)\n2 passed, 0 failed\n", 0)

    def test_testsAndChecksAreCounted(self) -> None:
        """Each as one; skipped tests are not passed."""
        self.assertEqual(self.run_(self.GOOD_TESTS, self.GOOD_CHECKS), ("13 passed, 0 failed", 0))

    def test_everyKindOfFailureCounts(self) -> None:
        """Failures, errors, and successes that were not expected."""
        tests = ("FAILED (failures=1, errors=2, unexpectedSuccesses=1, successes=5)\n", 1)
        self.assertEqual(self.run_(tests, self.GOOD_CHECKS), ("8 passed, 4 failed", 1))

    def test_whatTrialPrintsIsUnderstood(self) -> None:
        """Whichever reporter C{make test} runs with."""

        class Sample(SynchronousTestCase):
            def test_passes(self) -> None: ...

            def test_fails(self) -> None:
                self.fail("on purpose")

            def test_raises(self) -> None:
                raise ZeroDivisionError

            def test_isSkipped(self) -> None:
                raise SkipTest("on purpose")

        for reporter in (TextReporter, TreeReporter):
            for names, expected in (
                (["passes", "isSkipped"], ("4 passed, 0 failed", 0)),
                (["passes", "isSkipped", "fails", "raises"], ("4 passed, 2 failed", 1)),
            ):
                output = io.StringIO()
                result = reporter(output)
                for name in names:
                    Sample(f"test_{name}").run(result)
                result.done()
                self.assertEqual(
                    self.run_((output.getvalue(), expected[1]), self.GOOD_CHECKS), expected
                )

    def test_aFailedCheckCounts(self) -> None:
        """And the tests do not outweigh it."""
        checks = ("ok      lint (0.1 s)\nFAILED  types (9.0 s)\nx.py:1: error\n", 2)
        self.assertEqual(self.run_(self.GOOD_TESTS, checks), ("12 passed, 1 failed", 1))

    def test_whatIsCompiledCounts(self) -> None:
        """It is a check like the others, though it is asked for by itself."""
        for said, code, expected in (
            ("FAILED  compiled (9.0 s)\n0 passed, 1 failed\n", 1, ("12 passed, 1 failed", 1)),
            ("make: *** [Makefile:1: check] Error 1\n", 2, ("12 passed, 1 failed", 1)),
            ("skipped compiled: no compiler\n", 0, ("12 passed, 0 failed", 0)),
        ):
            done = self.run_(self.GOOD_TESTS, self.GOOD_CHECKS, (said, code))
            self.assertEqual(done, expected, said)

    def test_nothingIsInstalledWhileTestsRun(self) -> None:
        """Nor before it is built."""
        self.run_(self.GOOD_TESTS, self.GOOD_CHECKS)
        installs = self.calls.index("began check CHECKS=compiled")
        self.assertLess(self.calls.index("ended test"), installs)
        self.assertLess(self.calls.index("ended --silent .venv/.wheel"), installs)

    def test_zeroTestsAreAFailure(self) -> None:
        """Whatever trial says of them."""
        for output in ("Ran 0 tests in 0.000s\n\nPASSED\n", "", "PASSED (skips=3)\n"):
            self.assertEqual(
                self.run_((output, 0), self.GOOD_CHECKS), ("3 passed, 1 failed", 1), output
            )

    def test_anInstallationThatFailsIsAFailure(self) -> None:
        """There is no summary then."""
        self.assertEqual(
            self.run_(("no such package\n", 2), ("no such package\n", 2)),
            ("1 passed, 2 failed", 1),
        )

    def test_aFailureThatNoTestOwnsUpToCounts(self) -> None:
        """Such as a process that dies at its end."""
        self.assertEqual(
            self.run_((self.GOOD_TESTS[0], 139), self.GOOD_CHECKS), ("13 passed, 1 failed", 1)
        )
