# -*- test-case-name: tests.test_reference -*-
"""Tests of the configuration reference, which is written from the model."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from intermediary.ops.endpoints import ForwardProxyFactory
from intermediary.ops.reading import parse
from intermediary.settings import ForwardSettings
from tools.reference import PAGE, page


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

    def test_examplesOfKeysAreTOML(self) -> None:
        """They are there to be copied."""
        examples = re.findall(r"(?:For example|or) `([a-z-]+ = [^`]+)`", page())
        self.assertGreater(len(examples), 5)
        for example in examples:
            tomllib.loads(example)


class ReadmeTests(SynchronousTestCase):
    """The first page that anybody sees."""

    def test_itsConfigurationIsValid(self) -> None:
        """As it stands, without warnings."""
        text = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
        blocks = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
        self.assertTrue(blocks)
        for block in blocks:
            self.assertEqual(parse(block.encode(), "README.md").warnings, ())
