# -*- test-case-name: tests.ops.test_findings -*-
"""Tests of L{intermediary.ops.findings}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from intermediary.ops.findings import canonicalHost, items, missing, strings, tables


class WalkingTests(SynchronousTestCase):
    """What has the wrong type is passed over."""

    def test_tables(self) -> None:
        """Of a table, those that are tables."""
        self.assertEqual(
            list(tables({"a": {}, "b": 1, "c": {"d": 2}})), [("a", {}), ("c", {"d": 2})]
        )
        value: Any
        for value in (None, 1, "a", [{}]):
            self.assertEqual(list(tables(value)), [])

    def test_items(self) -> None:
        """Of an array, those that are tables, with their places."""
        self.assertEqual(list(items([1, {}, "a", {"b": 2}])), [(1, {}), (3, {"b": 2})])
        value: Any
        for value in (None, 1, "a", {"a": {}}):
            self.assertEqual(list(items(value)), [])

    def test_strings(self) -> None:
        """Of an array, those that are strings; a string is no array of them."""
        self.assertEqual(list(strings([1, "a", {}, "b"])), [(1, "a"), (3, "b")])
        value: Any
        for value in (None, 1, "ab", {"a": "b"}):
            self.assertEqual(list(strings(value)), [])

    def test_hosts(self) -> None:
        """As routing compares them; what is none stays what it is."""
        self.assertEqual(canonicalHost("A.example."), "a.example")
        self.assertEqual(canonicalHost("not a host"), "not a host")


class MissingTests(SynchronousTestCase):
    """An upstream that is named but not there."""

    def test_theNearestIsNamed(self) -> None:
        """As it may be a slip."""
        (finding,) = missing(("a",), "wob", {"web": {}})
        self.assertEqual(finding.path, ("a",))
        self.assertIn("web", finding.remedy)

    def test_whatIsThere(self) -> None:
        """And what is no name."""
        upstream: Any
        for upstream in ("web", None, 1, []):
            self.assertEqual(list(missing(("a",), upstream, {"web": {}})), [], upstream)
