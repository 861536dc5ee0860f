# -*- test-case-name: tests.ops.test_consistency -*-
"""Tests of L{intermediary.ops.consistency}."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from intermediary.ops.consistency import inconsistencies, oddities
from intermediary.ops.problems import ABSENT

from .tables import site


class InterceptTests(SynchronousTestCase):
    """What is intercepted could be reached."""

    def found(self, front: dict[str, Any]) -> list[tuple[object, object]]:
        """Paths and values."""
        document = {"forward": {"a": {"listen": ["tcp:80"], **front}}}
        return [(finding.path, finding.value) for finding in inconsistencies(document)]

    def test_portsAreThoseOfCONNECT(self) -> None:
        """Of those that are named, and of the default."""
        path = ("forward", "a", "intercept")
        for front, found in (
            ({"intercept": {}}, []),
            ({"intercept": {"ports": [443, 80]}}, []),
            ({"intercept": {"ports": [443, 25]}}, [((*path, "ports", 1), 25)]),
            ({"intercept": {"ports": [25]}, "connect-ports": [25]}, []),
            ({"intercept": {}, "connect-ports": [8443]}, [(path, ABSENT)]),
        ):
            self.assertEqual(self.found(front), found)

    def test_whatIsOfTheWrongType(self) -> None:
        """It is somebody else's to tell."""
        for front in (
            {"intercept": "yes"},
            {"intercept": {"ports": "443"}},
            {"intercept": {"ports": ["x", True]}},
            {"intercept": {}, "connect-ports": 443},
        ):
            self.assertEqual(self.found(front), [])


class RouteTests(SynchronousTestCase):
    """Routes lead somewhere and can be reached."""

    def found(self, document: dict[str, Any]) -> list[tuple[object, str]]:
        """Paths and messages."""
        return [(finding.path, finding.message) for finding in inconsistencies(document)]

    def test_anUpstreamMustExist(self) -> None:
        """The nearest is suggested, or the table to add."""
        (finding,) = inconsistencies(site({"upstream": "wbe"}))
        self.assertEqual(finding.path, ("reverse", "site", "route", 0, "upstream"))
        self.assertEqual((finding.value, finding.remedy), ("wbe", 'did you mean "web"?'))
        document = site({"upstream": "wbe"})
        del document["upstream"]
        (finding,) = inconsistencies(document)
        self.assertEqual(finding.remedy, "add [upstream.wbe]")

    def test_theSameHostAndPathTwiceCanNeverMatch(self) -> None:
        """The order decides between equals, so the later one is dead."""
        found = self.found(site({"upstream": "web"}, {"upstream": "web", "path": "/"}))
        self.assertEqual(
            found,
            [
                (
                    ("reverse", "site", "route", 1),
                    'never serves any host under "/": route[0] matches the same',
                )
            ],
        )

    def test_hostsAreComparedAsRoutingDoes(self) -> None:
        """Without case and last dot, in ASCII; one shared host of several is enough."""
        found = self.found(
            site(
                {"upstream": "web", "host": ["bücher.example", "a.example"]},
                {"upstream": "web", "host": ["b.example", "XN--bcher-kva.example"]},
            )
        )
        self.assertEqual(len(found), 1)
        self.assertIn("xn--bcher-kva.example", found[0][1])
        for one, other in (("a.example", "A.example."), ("*.a.example.", "*.a.example")):
            found = self.found(
                site({"upstream": "web", "host": [one]}, {"upstream": "web", "host": [other]})
            )
            self.assertEqual([path for path, _ in found], [("reverse", "site", "route", 1)])

    def test_differentHostsOrPathsAreFine(self) -> None:
        """Also a path below another, and a host beside any."""
        self.assertEqual(
            self.found(
                site(
                    {"upstream": "web"},
                    {"upstream": "web", "path": "/a"},
                    {"upstream": "web", "path": "/a/"},
                    {"upstream": "web", "host": ["a.example"]},
                    {"upstream": "web", "host": ["*.a.example"]},
                )
            ),
            [],
        )

    def test_whatHasNoTypeOfARouteIsLeftToTheModel(self) -> None:
        """It has a finding of its own, and is compared with nothing."""
        self.assertEqual(
            self.found(site({"upstream": 1, "path": 2}, {"upstream": "web", "path": 2})), []
        )


class TLSTests(SynchronousTestCase):
    """What is said of TLS with servers fits together."""

    def document(self, url: str, **tls: Any) -> dict[str, Any]:
        """A site whose server has a URL."""
        document = site({"upstream": "web"})
        document["upstream"]["web"] = {"servers": [url], "tls": tls}
        return document

    def test_aKeyIsOfACertificate(self) -> None:
        """Alone it proves nothing."""
        (finding,) = inconsistencies(self.document("https://h", key="k.pem"))
        self.assertEqual(finding.path, ("upstream", "web", "tls", "key"))
        both = self.document("https://h", key="k.pem", certificate="c.pem")
        self.assertEqual(list(inconsistencies(both)), [])

    def test_serversThatAreNotVerified(self) -> None:
        """It is warned of, with what to do instead."""
        (finding,) = oddities(self.document("https://h", verify=False))
        self.assertEqual(finding.path, ("upstream", "web", "tls", "verify"))
        self.assertIn("can pass for them", finding.message)
        self.assertIn("ca = FILE", finding.remedy)
        found = [
            each.path[-1] for each in oddities(self.document("https://h", verify=False, ca="x"))
        ]
        self.assertEqual(found, ["verify", "ca"])

    def test_serversWithoutTLS(self) -> None:
        """They have nothing to verify."""
        (finding,) = oddities(self.document("http://h", ca="x"))
        self.assertEqual(finding.path, ("upstream", "web", "tls"))
        self.assertEqual(list(oddities(self.document("HTTPS://h", ca="x"))), [])
        self.assertEqual(list(oddities(self.document("http://h"))), [])


class FrontTests(SynchronousTestCase):
    """Fronts don't get into each other's way."""

    def test_aListenerServesOneFront(self) -> None:
        """Within a front and between two."""
        document = site({"upstream": "web"}, listen="tcp:80")
        document["forward"] = {"egress": {"listen": ["tcp:80", "tcp:81", "tcp:81"]}}
        self.assertEqual(
            [(f.path, f.value, f.message) for f in inconsistencies(document)],
            [
                (
                    ("forward", "egress", "listen", 2),
                    "tcp:81",
                    "[forward.egress] listens there already",
                ),
                (
                    ("reverse", "site", "listen", 0),
                    "tcp:80",
                    "[forward.egress] listens there already",
                ),
            ],
        )

    def test_listenersAreComparedByPlace(self) -> None:
        """Whichever way they are spelled."""
        document = {
            "forward": {
                "a": {"listen": ["tcp:21000", "unix:/tmp/a"]},
                "b": {"listen": ["tcp:port=21000:interface=0.0.0.0", "unix:address=/tmp/a"]},
            }
        }
        self.assertEqual(
            [finding.path for finding in inconsistencies(document)],
            [("forward", "b", "listen", 0), ("forward", "b", "listen", 1)],
        )

    def test_anyFreePortMayBeAskedForTwice(self) -> None:
        """Port 0 is another one each time."""
        document = {"forward": {"a": {"listen": ["tcp:0", "tcp:0"]}}}
        self.assertEqual(list(inconsistencies(document)), [])

    def test_aNameStandsForOneFront(self) -> None:
        """In the log, where two of one name could not be told apart."""
        document = site({"upstream": "web"})
        document["forward"] = {"site": {"listen": ["tcp:1"]}}
        (finding,) = inconsistencies(document)
        self.assertEqual(finding.path, ("reverse", "site"))

    def test_nothingToRun(self) -> None:
        """Neither kind of front is there."""
        (finding,) = inconsistencies({"upstream": {}})
        self.assertEqual(finding.message, "there is nothing to run")


class OddityTests(SynchronousTestCase):
    """What works but is hardly meant."""

    def test_anUpstreamThatNoRouteUses(self) -> None:
        """It may be a misspelt route."""
        document = site({"upstream": "web"})
        document["upstream"]["spare"] = {"servers": ["http://h"]}
        (finding,) = oddities(document)
        self.assertEqual(
            (finding.path, finding.message), (("upstream", "spare"), "no route uses it")
        )

    def test_aPoolThatOneServerMayFill(self) -> None:
        """Whichever of the two keys is there."""
        (finding,) = oddities({"pool": {"per-origin": 9000}})
        self.assertEqual(finding.path, ("pool", "per-origin"))
        (finding,) = oddities({"pool": {"total": 1}})
        self.assertEqual(finding.path, ("pool", "total"))
        self.assertEqual(list(oddities({"pool": {"per-origin": 5, "total": 5}})), [])


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["", "web", "a b", "/", "tcp:80", "*"])
)
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["forward", "reverse", "upstream", "route", "host", "path", "listen", "a", "b"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


class AnythingTests(SynchronousTestCase):
    """The raw tables may hold anything."""

    # A shared machine makes the first draw slow.
    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.dictionaries(st.sampled_from(["forward", "reverse", "upstream"]), anything))
    def test_wrongTypesArePassedOver(self, document: dict[str, Any]) -> None:
        """The model reports them; nothing is raised here."""
        list(inconsistencies(document))
