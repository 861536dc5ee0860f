# -*- test-case-name: tests.policy.test_siblings -*-
"""
L{intermediary.policy.siblings}: the keys of one target.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.collapsing import Fetch
from intermediary.policy.siblings import Siblings

from .exchanges import asked

LEADER = asked(b"GET / HTTP/1.1", b"Host: a")


class SiblingsTests(SynchronousTestCase):
    """L{Siblings}."""

    def test_allFetchesOfATarget(self) -> None:
        """Are outdated together, and no others."""
        siblings = Siblings()
        one, two, other = Fetch(LEADER), Fetch(LEADER), Fetch(LEADER)
        siblings.begin(b"http://a/", one)
        siblings.begin(b"http://a/", two)
        siblings.begin(b"http://a/b", other)
        siblings.outdate(b"http://a/")
        siblings.outdate(b"http://a/c")
        self.assertEqual([one.outdated, two.outdated, other.outdated], [True, True, False])

    def test_nothingIsLeft(self) -> None:
        """When all have ended, in whatever order."""
        siblings = Siblings()
        one, two = Fetch(LEADER), Fetch(LEADER)
        for fetch in (one, two):
            siblings.begin(b"k", fetch)
        siblings.end(b"k", one)
        siblings.outdate(b"k")
        self.assertEqual([one.outdated, two.outdated], [False, True])
        siblings.end(b"k", two)
        siblings.end(b"k", two)
        self.assertEqual(len(siblings), 0)

    def test_noResponseGivesTheTag(self) -> None:
        """Those that they give have no white space (RFC 9110 §5.6.1), nor have keys a line feed."""
        tag = Siblings.tagOf(b"p http://a/")
        self.assertNotEqual(tag.split(), [tag])
        self.assertNotIn(b"\n", tag)
        self.assertEqual(Siblings.commonsOf((b"all", tag, b"of")), [b"p http://a/"])
