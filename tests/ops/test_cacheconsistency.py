# -*- test-case-name: tests.ops.test_cacheconsistency -*-
"""Tests of L{intermediary.ops.cacheconsistency}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from intermediary.ops.consistency import inconsistencies, oddities

from .tables import site


class SharingTests(SynchronousTestCase):
    """Who may share a part of the cache."""

    def test_aForwardFrontAndARouteForAnyHost(self) -> None:
        """Its clients would choose under which name an answer is stored for the others."""
        for first, second, found in (("a", "a", 1), ("a", "b", 0), (None, "a", 0)):
            document = site(
                {"upstream": "web", "host": ["a.example"], "cache": {"share": "a"}},
                {"upstream": "web", "cache": {"share": second}},
            )
            cache = True if first is None else {"share": first}
            document["forward"] = {"egress": {"listen": ["tcp:1"], "cache": cache}}
            findings = list(inconsistencies(document))
            self.assertEqual(
                [finding.path for finding in findings],
                [("reverse", "site", "route", 1, "cache", "share")] * found,
            )
            if found:
                self.assertIn("[forward.egress]", findings[0].message)

    def test_routesShareAsTheyLike(self) -> None:
        """One operator's are under one name."""
        route = {"upstream": "web", "cache": {"share": "a"}}
        self.assertEqual(list(inconsistencies(site(route, {**route, "path": "/a"}))), [])


class OddityTests(SynchronousTestCase):
    """What works but is hardly meant."""

    def test_cachingWithoutACache(self) -> None:
        """It has no effect; C{false} says what is the case anyway."""
        for value, odd in ((True, 1), ({}, 1), ({"grace": 1}, 1), (False, 0)):
            document = site({"upstream": "web"}, {"upstream": "web", "path": "/a", "cache": value})
            document["forward"] = {"egress": {"listen": ["tcp:1"], "cache": value}}
            self.assertEqual(
                [finding.path for finding in oddities(document)],
                [("forward", "egress", "cache"), ("reverse", "site", "route", 1, "cache")][
                    : 2 * odd
                ],
            )
            self.assertEqual(list(oddities({**document, "cache": {}})), [])

    def test_aTimeWithinWhichNothingIsCounted(self) -> None:
        """With min-uses = 1, which is the default, the first request is enough."""
        for table, odd in (
            ({"min-uses-within": 60}, True),
            ({"min-uses-within": 60, "min-uses": 1}, True),
            ({"min-uses-within": 60, "min-uses": 2}, False),
            ({"min-uses": 2}, False),
            (True, False),
        ):
            document = {"cache": {}, "forward": {"egress": {"listen": ["tcp:1"], "cache": table}}}
            found = [(finding.path, finding.value) for finding in oddities(document)]
            path = ("forward", "egress", "cache", "min-uses-within")
            self.assertEqual(found, [(path, 60)] if odd else [])

    def test_objectsThatTheCacheHasNoRoomFor(self) -> None:
        """Though it says that it takes them."""
        (finding,) = oddities({"cache": {"memory": "1MiB", "max-object": "2MiB"}})
        self.assertEqual((finding.path, finding.value), (("cache", "max-object"), "2MiB"))
        (finding,) = oddities({"cache": {"max-object": "1GiB"}})
        self.assertEqual(finding.path, ("cache", "max-object"))
        self.assertEqual(list(oddities({"cache": {"memory": "1MiB"}})), [])

    def test_whoeverMayPurge(self) -> None:
        """Hardly everybody."""
        document = {"cache": {"purge-from": ["10.0.0.0/8", "::/0", "0.0.0.0/0"]}}
        self.assertEqual(
            [(finding.path, finding.value) for finding in oddities(document)],
            [(("cache", "purge-from", 1), "::/0"), (("cache", "purge-from", 2), "0.0.0.0/0")],
        )

    def test_proxiesThatMayPurge(self) -> None:
        """It is their address that counts, whoever asked them."""
        document = {
            "cache": {"purge-from": ["127.0.0.1", "10.1.0.0/16", "fd00::1"]},
            "reverse": {"site": {"trusted-proxies": ["10.0.0.0/8", "fd00::/8", "192.0.2.7"]}},
        }
        self.assertEqual(
            [finding.value for finding in oddities(document)], ["10.1.0.0/16", "fd00::1"]
        )

    def test_whatOverrulesAnother(self) -> None:
        """It is said that a key means nothing, or more than one may think."""
        for cache, key in (
            ({"store-cookies": True, "force": {"ignore": ["Set-Cookie"]}}, "store-cookies"),
            ({"store-cookies": True, "force": {"lifetime": 5}}, "store-cookies"),
            ({"min-uses-within": 5}, "min-uses-within"),
            ({"min-uses-within": 5, "min-uses": 1}, "min-uses-within"),
        ):
            document: Any = {**site({"upstream": "web", "cache": cache}), "cache": {}}
            (finding,) = oddities(document)
            self.assertEqual(finding.path, ("reverse", "site", "route", 0, "cache", key))
        for cache in (
            {"store-cookies": True, "force": {"ignore": ["Vary"]}},
            {"store-cookies": False, "force": {"ignore": ["Set-Cookie"]}},
            {"min-uses-within": 5, "min-uses": 2},
        ):
            document = {**site({"upstream": "web", "cache": cache}), "cache": {}}
            self.assertEqual(list(oddities(document)), [])

    def test_whoSharesIsAlike(self) -> None:
        """In keys, or else a purge misses some; and in whether the origin is believed."""
        one: dict[str, Any] = {"share": "s", "key-fields": ["X-A", "X-B"]}
        for other, odd in (
            ({}, "key-fields"),
            ({"key-fields": ["x-b", "X-A"]}, None),
            ({"key-fields": ["X-A", "X-B"], "sort-query": True}, "sort-query"),
            ({"key-fields": ["X-A", "X-B"], "sort-query": False, "grace": 5}, None),
            ({"key-fields": ["X-A", "X-B"], "force": {"lifetime": 5}}, "force"),
            ({"key-fields": ["X-A", "X-B"], "store-cookies": True}, "store-cookies"),
        ):
            for name in ("s", "t"):
                routes = (
                    {"upstream": "web", "host": ["a"], "cache": one},
                    {"upstream": "web", "host": ["b"], "cache": {"share": name, **other}},
                )
                found = list(oddities({**site(*routes), "cache": {}}))
                if odd is None or name == "t":
                    self.assertEqual(found, [])
                else:
                    self.assertEqual(
                        [each.path for each in found],
                        [("reverse", "site", "route", 1, "cache", "share")],
                    )
                    self.assertIn(f"another {odd}", found[0].message)

    def test_objectsThatTheDiskHasNoRoomFor(self) -> None:
        """With a disk that is what counts, and what memory takes has to fit that."""
        disk = {"path": "a", "size": "1GiB"}
        for cache, key in (
            ({"memory": "1MiB", "max-object": "2MiB", "disk": disk}, None),
            ({"max-object": "2GiB", "disk": disk}, ("cache", "disk", "size")),
            ({"max-memory-object": 9}, ("cache", "max-memory-object")),
            ({"max-memory-object": "200MiB", "disk": disk}, ("cache", "max-memory-object")),
            ({"max-memory-object": "20MiB", "disk": disk}, None),
        ):
            found = [finding.path for finding in oddities({"cache": cache})]
            self.assertEqual(found, [] if key is None else [key])
