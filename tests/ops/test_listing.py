# -*- test-case-name: tests.ops.test_listing -*-
"""
The listing in the documentation is the one that C{--explain} prints.
"""

from __future__ import annotations

from pathlib import Path

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from intermediary.ops.compile import assemble
from intermediary.ops.config import load

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "life-of-a-request.md"


class ListingTests(SynchronousTestCase):
    """C{docs/life-of-a-request.md}."""

    def test_theDocumentationShowsWhatExplainPrints(self) -> None:
        """Of the quick start; to mend it, put in the output of C{--explain}."""
        configuration = load(str(ROOT / "examples" / "quickstart.toml"))
        listing = assemble(configuration, MemoryReactorClock()).explain()
        _, _, rest = PAGE.read_text().partition("<!-- listing:")
        shown = rest.split("```\n")[1]
        self.assertEqual(shown, listing + "\n")
