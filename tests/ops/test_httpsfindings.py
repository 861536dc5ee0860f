# -*- test-case-name: tests.ops.test_httpsfindings -*-
"""
L{intermediary.ops.httpsfindings}: what can't be meant.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from intermediary.ops.consistency import inconsistencies
from intermediary.ops.httpsfindings import httpsFindings
from intermediary.ops.problems import ABSENT

PATH = ("reverse", "site", "https-only")


def site(only: Any, *listen: str, **more: Any) -> dict[str, Any]:
    """The tables of a front with TLS."""
    front = {"listen": list(listen or ("tcp:443",)), "tls": {"certificate": "site.pem"}, **more}
    return {"reverse": {"site": {**front, "https-only": only}}}


class FindingTests(SynchronousTestCase):
    """L{httpsFindings}."""

    def found(self, document: dict[str, Any]) -> list[tuple[Any, Any, str]]:
        """Where something is wrong, with which value, and what."""
        return [(each.path, each.value, each.message) for each in httpsFindings(document)]

    def test_whatIsFine(self) -> None:
        """On, off, and all there is to say."""
        for only in (
            True,
            False,
            {},
            {"max-age": "1y", "subdomains": True, "preload": True},
            {"from": ["tcp:80"], "max-age": 0, "status": 301},
        ):
            self.assertEqual(self.found(site(only)), [])
        self.assertEqual(self.found(site({"port": 443}, "tcp:0")), [])
        self.assertEqual(self.found(site({"from": []}, "tcp:0")), [])
        self.assertEqual(self.found(site({"from": ["tcp:80"]}, "unix:/s")), [])

    def test_withoutTLS(self) -> None:
        """There is nothing to be sent to."""
        document = site(True)
        del document["reverse"]["site"]["tls"]
        self.assertEqual(self.found(document), [(PATH, ABSENT, "this front speaks no TLS")])

    def test_whereItListensHasToBeKnown(self) -> None:
        """It is told of TCP alone, and not of what stands behind something else."""
        for listen in ("unix:/run/s", "systemd:domain=INET:index=0", "haproxy:tcp:443"):
            self.assertEqual(
                self.found(site(True, listen)),
                [(PATH, ABSENT, "where plain requests come can't be told from listen")],
            )

    def test_whereItLeadsHasToBeKnown(self) -> None:
        """Any free port is none that could be written down."""
        self.assertEqual(
            self.found(site(True, "tcp:0")),
            [(PATH, ABSENT, "any free port is listened at, so there is none to redirect to")],
        )

    def test_plainIsPlain(self) -> None:
        """An endpoint with TLS is for no requests without."""
        text = "ssl:80:privateKey=site.pem"
        self.assertEqual(
            self.found(site({"from": ["tcp:80", text]})),
            [((*PATH, "from", 1), text, "is for requests without TLS")],
        )

    def test_nothingToRemember(self) -> None:
        """What belongs to a field that is not sent."""
        for key in ("subdomains", "preload"):
            self.assertEqual(
                self.found(site({"max-age": 0, key: True})),
                [((*PATH, key), True, "is told to nobody without max-age")],
            )

    def test_whatIsBuiltIn(self) -> None:
        """The lists of browsers have conditions."""
        for only in (
            {"preload": True},
            {"preload": True, "subdomains": False},
            {"preload": True, "subdomains": True, "max-age": "364d"},
        ):
            self.assertEqual(
                self.found(site(only)),
                [
                    (
                        (*PATH, "preload"),
                        True,
                        "is ignored without subdomains and a max-age of a year",
                    )
                ],
            )

    def test_aPlaceServesOneFront(self) -> None:
        """Whether it is said, or is the default."""
        for only, path in (
            (True, PATH),
            ({}, PATH),
            ({"from": ["tcp:80"]}, (*PATH, "from", 0)),
        ):
            document = site(only)
            document["reverse"]["plain"] = {"listen": ["tcp:80"]}
            document["reverse"] = dict(reversed(document["reverse"].items()))
            [(found, text)] = [
                (each.path, each.value)
                for each in inconsistencies(document)
                if "listens there already" in each.message
            ]
            self.assertEqual((found, text), (path, "tcp:80"))

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["reverse", "site", "https-only", "from", "max-age", "preload", "listen"]
                    ),
                    inner,
                    max_size=4,
                )
            ),
        )
    )
    def test_anythingIsPassedOver(self, value: Any) -> None:
        """The model reports it."""
        list(httpsFindings({"reverse": {"site": {"https-only": value, "listen": value}}}))
        list(httpsFindings({"reverse": value}))
        list(inconsistencies({"reverse": {"site": {"https-only": value, "listen": value}}}))
