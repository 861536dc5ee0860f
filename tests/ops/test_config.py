# -*- test-case-name: tests.ops.test_config -*-
"""Tests of L{intermediary.ops.config}."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from intermediary.ops.config import Configuration, Guard, LogSettings, fromOptions, load
from intermediary.ops.problems import ConfigurationError

from .documents import STABLE


class LoadTests(SynchronousTestCase):
    """Configuration from a file."""

    def test_readsAFile(self) -> None:
        """Its path is the source."""
        path = Path(self.mktemp())
        path.write_bytes(STABLE)
        configuration = load(str(path))
        self.assertEqual(configuration.source, str(path))
        self.assertEqual(len(configuration.forward), 1)

    def test_aFileThatCannotBeReadIsAProblem(self) -> None:
        """Missing, or a directory."""
        for path, words in (("/nonexistent.toml", "No such file"), ("/", "Is a directory")):
            error = self.assertRaises(ConfigurationError, load, path)
            assert isinstance(error, ConfigurationError)
            (problem,) = error.problems
            self.assertEqual(problem.file, path)
            self.assertIn(words, problem.message)


class FromOptionsTests(SynchronousTestCase):
    """Configuration from the command line."""

    def test_aForwardFront(self) -> None:
        """Guarded unless all of its listeners are on loopback, as in a file."""
        configuration = fromOptions(forward=["tcp:3128", "tcp:3129"])
        (front,) = configuration.forward
        self.assertEqual(front.listen, ("tcp:3128", "tcp:3129"))
        self.assertEqual((front.settings.name, front.guard), ("forward", Guard.AUTO))
        self.assertEqual(configuration.reverse, ())

    def test_aReverseFront(self) -> None:
        """One route to all servers."""
        configuration = fromOptions(reverse=["tcp:80"], to=["http://A", "http://b:1"])
        (front,) = configuration.reverse
        (route,) = front.settings.routes
        self.assertEqual(route.upstream.servers, ("http://a", "http://b:1"))
        self.assertEqual(configuration.forward, ())

    def test_theAccessLogGoesToStandardOutput(self) -> None:
        """As there is no file to say otherwise."""
        self.assertEqual(fromOptions(forward=["tcp:1"]).log, LogSettings(access="-"))
        self.assertEqual(fromOptions(forward=["tcp:1"]).source, "command line")

    def test_allProblemsComeAtOnce(self) -> None:
        """With the option that each is about."""
        error = self.assertRaises(
            ConfigurationError, fromOptions, ["tpc:1"], ["tcp:99999"], ["ftp://h"]
        )
        assert isinstance(error, ConfigurationError)
        self.assertEqual(
            [(p.file, p.table, p.value) for p in error.problems],
            [
                ("command line", "--forward", "tpc:1"),
                ("command line", "--reverse", "tcp:99999"),
                ("command line", "--to", "ftp://h"),
            ],
        )

    def test_aListenerServesOneFront(self) -> None:
        """The same endpoint twice is a problem, any free port is not."""
        self.assertRaises(ConfigurationError, fromOptions, ["tcp:1"], ["tcp:1"], ["http://h"])
        fromOptions(["tcp:0"], ["tcp:0"], ["http://h"])
        error = self.assertRaises(ConfigurationError, fromOptions, ["tcp:1", "tcp:port=01"])
        assert isinstance(error, ConfigurationError)
        self.assertEqual([problem.value for problem in error.problems], ["tcp:port=01"])

    def test_pydanticIsNotNeeded(self) -> None:
        """It is imported when a file is read, and by nothing else."""
        script = (
            "import sys\n"
            "from intermediary.ops.config import fromOptions\n"
            "fromOptions(['tcp:1'])\n"
            "sys.exit('pydantic' in sys.modules)\n"
        )
        done = subprocess.run([sys.executable, "-c", script], env=environment(), check=False)
        self.assertEqual(done.returncode, 0)


class MainTests(SynchronousTestCase):
    """C{python -m intermediary.ops.config}."""

    def run_(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the module."""
        return subprocess.run(
            [sys.executable, "-m", "intermediary.ops.config", *arguments],
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    def test_schemaPrintsTheJSONSchema(self) -> None:
        """On standard output, and nothing else."""
        done = self.run_("--schema")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("forward", json.loads(done.stdout)["properties"])

    def test_anythingElsePrintsTheUsage(self) -> None:
        """With the exit code of a usage error."""
        done = self.run_("--sceham")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--schema", done.stderr)


class ConfigurationTests(SynchronousTestCase):
    """Plain values."""

    def test_doesNotChange(self) -> None:
        """A reload makes another."""
        with self.assertRaises(AttributeError):
            Configuration().shutdownSeconds = 1  # type: ignore[misc]


def environment() -> dict[str, str]:
    """An environment in which the package is found."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
