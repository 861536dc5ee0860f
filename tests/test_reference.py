# -*- test-case-name: tests.test_reference -*-
"""Tests of the configuration reference, which is written from the model."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from intermediary.ops.endpoints import ForwardProxyFactory
from intermediary.ops.listeners import endpoint
from intermediary.ops.logformat import compileFormat
from intermediary.ops.logline import Times
from intermediary.ops.reading import parse
from intermediary.ops.values import Unfit
from intermediary.settings import ForwardSettings
from tools.reference import PAGE, page

from .ops.exchanges import ended


class ReferenceTests(SynchronousTestCase):
    """The page in the documentation."""

    def test_isUpToDate(self) -> None:
        """After a change of the model: C{python -m tools.reference}."""
        self.assertEqual(PAGE.read_text(encoding="utf-8"), page())

    def test_namesEveryKeyWithItsDefault(self) -> None:
        """A sample from each table."""
        text = page()
        for words in (
            "**`shutdown-seconds`** (seconds, default `30`)",
            "**`listen`** (array of strings, required)",
            '**`body-octets`** (size or `"unlimited"`, default `"unlimited"`)',
            "**`access`** (string, absent by default)",
            "`$user_agent`",
        ):
            self.assertIn(words, text)

    def test_saysHowAFrontIsCalledWithoutItsKey(self) -> None:
        """As the front does it, not by any name of the file."""
        front = ForwardProxyFactory(MemoryReactorClock(), ForwardSettings(name="egress"))
        self.assertRegex(front.pseudonym, rb"\Aintermediary-[0-9a-f]{8}\Z")
        self.assertIn("Absent: `intermediary-` and 8 random hexadecimal digits", page())
        self.assertNotIn("name in the log and in `Via`", page())

    def test_listsTheKeysOfTheJSONLog(self) -> None:
        """Those that a line has, in their order."""
        line = compileFormat("json")
        keys = ", ".join(f"`{key}`" for key in json.loads(line.render(ended(), Times(0, "", ""))))
        self.assertIn(f"with\nthe meanings below: {keys}.\n", page())

    def test_examplesOfKeysAreTOML(self) -> None:
        """They are there to be copied."""
        examples = re.findall(r"(?:For example|or) `([a-z-]+ = [^`]+)`", page())
        self.assertGreater(len(examples), 5)
        for example in examples:
            tomllib.loads(example)


class GuardTests(SynchronousTestCase):
    """The page about the destination guard."""

    def test_itsListenersExist(self) -> None:
        """It names no kind of endpoint that nobody has."""
        text = (PAGE.parent / "destination-guard.md").read_text(encoding="utf-8")
        (table,) = re.findall(r"\| listener \|.*?\n\n", text, re.DOTALL)
        kinds = set(re.findall(r"`([a-z0-9]+):", table))
        self.assertLessEqual({"tcp", "tcp6", "unix", "systemd"}, kinds)
        for kind in kinds:
            try:
                endpoint(f"{kind}:")
            except Unfit as error:
                self.assertNotIn("no server endpoint", error.message)


class ReadmeTests(SynchronousTestCase):
    """The first page that anybody sees."""

    def test_itsConfigurationIsValid(self) -> None:
        """As it stands, without warnings."""
        text = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
        blocks = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
        self.assertTrue(blocks)
        for block in blocks:
            self.assertEqual(parse(block.encode(), "README.md").warnings, ())
