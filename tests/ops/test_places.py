# -*- test-case-name: tests.ops.test_places -*-
"""Tests of L{intermediary.ops.places}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from intermediary.ops.places import Places, dotted

DOCUMENT = '''\
top = 1
[forward.egress]
listen = [
  "tcp:1",
  "tcp:2",
]
[reverse.site]
note = """
[not.a.table]
key = 1
"""
[[reverse.site.route]]
upstream = "a"
[[reverse.site.route]]
"quoted key" = 1
[reverse.site.route.sub]
deep = 1
[reverse."x.y"]
a.b = 1
'''


class PlacesTests(SynchronousTestCase):
    """Lines are found for keys, tables and elements."""

    def setUp(self) -> None:
        self.places = Places(DOCUMENT)

    def test_keysAndTables(self) -> None:
        """Each at its own line."""
        self.assertEqual(self.places.of(("top",)), 1)
        self.assertEqual(self.places.of(("forward", "egress")), 2)
        self.assertEqual(self.places.of(("forward", "egress", "listen")), 3)

    def test_tablesWithoutAHeaderOfTheirOwn(self) -> None:
        """They stand where their first child does."""
        self.assertEqual(self.places.of(("forward",)), 2)
        self.assertEqual(self.places.of(("reverse",)), 7)

    def test_elementsOfAListOverSeveralLines(self) -> None:
        """By their value; by the key when the value is not found."""
        listen = ("forward", "egress", "listen")
        self.assertEqual(self.places.of((*listen, 1), "tcp:2"), 5)
        self.assertEqual(self.places.of((*listen, 1), "tcp:9"), 3)
        self.assertEqual(self.places.of((*listen, 1), 9), 3)

    def test_arraysOfTablesAreCounted(self) -> None:
        """The second C{[[route]]} is number one, and so is what is within it."""
        route = ("reverse", "site", "route")
        self.assertEqual(self.places.of((*route, 0, "upstream")), 13)
        self.assertEqual(self.places.of((*route, 1)), 14)
        self.assertEqual(self.places.of((*route, 1, "quoted key")), 15)
        self.assertEqual(self.places.of((*route, 1, "sub", "deep")), 17)

    def test_multiLineStringsHoldNoKeys(self) -> None:
        """Whatever looks like one."""
        self.assertIsNone(self.places.of(("not", "a", "table")))
        self.assertNotIn(("reverse", "site", "key"), self.places.lines)

    def test_quotedAndDottedKeys(self) -> None:
        """A dot in quotes does not divide."""
        self.assertEqual(self.places.of(("reverse", "x.y")), 18)
        self.assertEqual(self.places.of(("reverse", "x.y", "a", "b")), 19)

    def test_aKeyThatIsMissingIsAtItsTable(self) -> None:
        """The nearest place that there is."""
        self.assertEqual(self.places.of(("forward", "egress", "via")), 2)
        self.assertIsNone(self.places.of(("pool", "total")))
        self.assertIsNone(self.places.of(()))

    def test_anyTextIsRead(self) -> None:
        """It need not be TOML."""
        Places("[[[\n]]]\n= =\n\x00 \"\"\" '''\n")


class DottedTests(SynchronousTestCase):
    """Paths as an operator writes them."""

    def test_indicesAndQuotes(self) -> None:
        """Indices in brackets, unusual keys in quotes."""
        self.assertEqual(
            dotted(("reverse", "a", "route", 0, "host", 2)), "reverse.a.route[0].host[2]"
        )
        self.assertEqual(dotted(("forward", "a b")), 'forward."a b"')
        self.assertEqual(dotted(()), "")
