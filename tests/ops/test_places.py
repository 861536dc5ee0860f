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

INLINE = '''\
[reverse.site]
route = [
  # a comment with ] and } and "
  {path = "/]},#", upstream = "u"},

  {upstrem = "u"}, {upstream = "u", host = [
    "a.example",
    'b.example'], "a b".c = 1},
  {text = """
[x]
""", last = 1},
]
via = "a" # ]
nested = [
  ["x"],
  ["y"],
]
[log]
access = "-"
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
        """Each at its own; one that there is not, at the key."""
        listen = ("forward", "egress", "listen")
        self.assertEqual(self.places.of((*listen, 0)), 4)
        self.assertEqual(self.places.of((*listen, 1)), 5)
        self.assertEqual(self.places.of((*listen, 2)), 3)

    def test_inlineTablesOverSeveralLines(self) -> None:
        """Elements of arrays, and their keys, whatever else there is in strings and comments."""
        places = Places(INLINE)
        route = ("reverse", "site", "route")
        for path, line in (
            (route, 2),
            ((*route, 0), 4),
            ((*route, 0, "path"), 4),
            ((*route, 1, "upstrem"), 6),
            ((*route, 1, "upstream"), 6),
            ((*route, 2, "host"), 6),
            ((*route, 2, "host", 0), 7),
            ((*route, 2, "host", 1), 8),
            ((*route, 2, "a b", "c"), 8),
            ((*route, 3), 9),
            ((*route, 3, "text"), 9),
            ((*route, 3, "last"), 11),
            (("reverse", "site", "via"), 13),
            (("reverse", "site", "nested", 0, 0), 15),
            (("reverse", "site", "nested", 1, 0), 16),
            (("log", "access"), 19),
        ):
            self.assertEqual(places.of(path), line, path)
        self.assertNotIn(("x",), places.lines)

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
        for text in (
            "[[[\n]]]\n= =\n\x00 \"\"\" '''\n",
            "a = ]]}\nb = {[1, = ,{\nc = [=, {=\n}}]",
            'a = """\nb = \'x\nc = \\',
            "a =",
        ):
            Places(text)


class DottedTests(SynchronousTestCase):
    """Paths as an operator writes them."""

    def test_indicesAndQuotes(self) -> None:
        """Indices in brackets, unusual keys in quotes."""
        self.assertEqual(
            dotted(("reverse", "a", "route", 0, "host", 2)), "reverse.a.route[0].host[2]"
        )
        self.assertEqual(dotted(("forward", "a b")), 'forward."a b"')
        self.assertEqual(dotted(()), "")
