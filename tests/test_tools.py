# -*- test-case-name: tests.test_tools -*-
"""Tests of the scripts that people and the build machine run."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.trial.reporter import TextReporter, TreeReporter
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tools import SKIPPED, check, compiled
from tools.requirements import requirements

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


class ContinuousIntegrationTests(SynchronousTestCase):
    """C{.ci/run}, with a C{make} that only claims to have run."""

    def run_(self, test: tuple[str, int], checks: tuple[str, int]) -> tuple[str, int]:
        """
        Run the script.

        @return: its last line and its exit code.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        (folder / "test").write_text(test[0])
        (folder / "check").write_text(checks[0])
        make = folder / "make"
        make.write_text(
            "#!/usr/bin/env bash\n"
            # It is asked for by itself, as it installs something.
            'if [ "${2-}" = CHECKS=compiled ]; then echo "ok      compiled (1.0 s)"; exit 0; fi\n'
            f'cat "{folder}/$1"\n'
            f"case $1 in test) exit {test[1]};; check) exit {checks[1]};; esac\n"
        )
        make.chmod(make.stat().st_mode | stat.S_IXUSR)
        done = subprocess.run(
            [str(ROOT / ".ci" / "run")],
            env={**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
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
