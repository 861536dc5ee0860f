# -*- test-case-name: tests.ops.test_passagefindings -*-
"""Tests of L{intermediary.ops.passagefindings}."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from intermediary.ops.passagefindings import passageFindings


class FindingTests(SynchronousTestCase):
    """What a front passes through and what it serves."""

    def setUp(self) -> None:
        self.front: dict[str, Any] = {
            "listen": ["tcp:443"],
            "tls": {"certificate": "a.pem"},
            "route": [{"host": ["www.example", "*.apps.example"], "upstream": "web"}],
            "passthrough": [{"names": ["db.example", "*.x.example"], "upstream": "db"}],
        }
        self.document: dict[str, Any] = {
            "reverse": {"site": self.front},
            "upstream": {
                "web": {"servers": ["http://h"]},
                "db": {"servers": ["tcp://h:1", "TCP://h:2"]},
            },
        }

    def finds(self, *wanted: tuple[tuple[str | int, ...], str]) -> str:
        """
        These are found: the end of each path, and a part of the message.

        @return: the remedy of the first.
        """
        found = list(passageFindings(self.document))
        self.assertEqual(
            [each.path for each in found], [("reverse", "site", *path) for path, _ in wanted]
        )
        for finding, (_, words) in zip(found, wanted, strict=True):
            self.assertIn(words, finding.message)
            self.assertTrue(finding.remedy)
        return found[0].remedy if found else ""

    def test_nothing(self) -> None:
        """Both at once, and each alone."""
        self.finds()
        passages = self.front.pop("passthrough")
        self.finds()
        del self.front["tls"]
        self.finds()
        del self.front["route"]
        self.front["passthrough"] = passages
        self.finds()

    def test_aFrontDoesSomething(self) -> None:
        """Requests are routed where nobody is passed through."""
        del self.front["passthrough"], self.front["route"]
        self.assertEqual(self.finds((("route",), "is missing")), "add [[reverse.site.route]]")

    def test_requestsAreDecrypted(self) -> None:
        """Without a certificate there are none."""
        del self.front["tls"]
        self.assertIn("add tls", self.finds((("route",), "is never reached")))

    def test_whatIsDecryptedIsRouted(self) -> None:
        """Or there is no need for it."""
        del self.front["route"]
        self.finds((("tls",), "there is no route for them"))

    def test_endpointsThatSpeakTLS(self) -> None:
        """Leave nothing to be passed through."""
        del self.front["route"], self.front["tls"]
        self.front["listen"] = ["ssl:443:privateKey=a.pem"]
        self.finds((("listen", 0), "speaks TLS by itself"))

    def test_upstreams(self) -> None:
        """Are there, and of the right kind."""
        (passage,) = self.front["passthrough"]
        passage["upstream"] = "dbs"
        self.assertIn('"db"', self.finds((("passthrough", 0, "upstream"), "no such upstream")))
        passage["upstream"] = "zz"
        del self.document["upstream"]["web"], self.document["upstream"]["db"]
        self.assertEqual(
            self.finds((("passthrough", 0, "upstream"), "no such upstream")), "add [upstream.zz]"
        )

    def test_serversOfTheWrongKind(self) -> None:
        """Requests and clients can't be exchanged."""
        (passage,), (route,) = self.front["passthrough"], self.front["route"]
        passage["upstream"] = "web"
        self.assertIn(
            "tcp://", self.finds((("passthrough", 0, "upstream"), 'not of TCP alone: "http://h"'))
        )
        passage["upstream"] = route["upstream"] = "db"
        self.assertIn("http://", self.finds((("route", 0, "upstream"), '"tcp://h:1"')))

    def test_oneForEachName(self) -> None:
        """As only the first would ever be used."""
        self.front["passthrough"].append({"names": ["a.example", "DB.example."], "upstream": "db"})
        self.finds((("passthrough", 1, "names", 1), "passthrough[0] takes it already"))

    def test_protocolsTellThemApart(self) -> None:
        """Unless they have one in common."""
        first, second = self.front["passthrough"] = [
            {"names": ["a.example"], "alpn": ["x", "y"], "upstream": "db"},
            {"names": ["a.example"], "upstream": "db"},
        ]
        self.finds()
        second["alpn"] = ["z", "y", "x"]
        self.finds((("passthrough", 1, "names", 0), "passthrough[0] takes it already"))
        second["alpn"] = ["z"]
        self.finds()
        self.assertEqual(first["alpn"], ["x", "y"])

    def test_namesThatAreServed(self) -> None:
        """A route whose host would be passed through is never reached by it."""
        (passage,) = self.front["passthrough"]
        for name, served in (
            ("WWW.example", "www.example"),
            ("*.example", "www.example"),
            ("*.apps.example", "*.apps.example"),
        ):
            passage["names"] = ["z.example", name]
            self.assertIn(
                "narrower",
                self.finds((("passthrough", 0, "names", 1), f"route[0] serves {served}")),
            )

    def test_exceptionsFromAWildcard(self) -> None:
        """The more specific name counts, so that a route for all others is reached."""
        (passage,) = self.front["passthrough"]
        passage["names"] = ["one.apps.example", "*.two.apps.example", "apps.example"]
        self.finds()

    def test_protocolsOfANameThatIsServed(self) -> None:
        """All others are served."""
        (passage,) = self.front["passthrough"]
        passage.update(names=["www.example"], alpn=["acme-tls/1"])
        self.finds()


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["web", "tcp://h:1", "*.a", "a.b"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["reverse", "site", "route", "passthrough", "names", "alpn", "host", "upstream",
                 "servers", "web", "listen", "tls"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)  # fmt: skip


class AnythingTests(SynchronousTestCase):
    """Tables that may hold anything."""

    @settings(suppress_health_check=[HealthCheck.too_slow])
    @given(st.dictionaries(st.sampled_from(["reverse", "upstream"]), _ANYTHING, max_size=2))
    def test_neverFails(self, document: dict[str, Any]) -> None:
        """What has the wrong type is the model's to report."""
        for finding in passageFindings(document):
            self.assertTrue(finding.message)
