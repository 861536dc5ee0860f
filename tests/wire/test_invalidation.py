# -*- test-case-name: tests.wire.test_invalidation -*-
"""
L{intermediary.wire.invalidation}: what unsafe requests invalidate.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from intermediary.wire.fields import EMPTY, Fields
from intermediary.wire.invalidation import invalidates, invalidTargets, isOwnLocation, resolve
from intermediary.wire.target import Target, parseAbsolute

from .strategies import values

_TARGET = parseAbsolute(b"http://a.example/b/c?d")


class MethodTests(SynchronousTestCase):
    """L{invalidates}: RFC 9111 §4.4."""

    def test_unsafeMethods(self) -> None:
        """Also those that nobody knows, if they succeed."""
        for method in (b"POST", b"PUT", b"DELETE", b"PATCH", b"M-SEARCH", b"FOO", b"get"):
            for status, expected in (
                (200, True),
                (204, True),
                (303, True),
                (399, True),
                (100, False),
                (404, False),
                (500, False),
            ):
                self.assertEqual(invalidates(method, status), expected, (method, status))

    def test_safeMethods(self) -> None:
        """They change nothing, and a tunnel has no target to change."""
        for method in (b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PROPFIND", b"QUERY", b"CONNECT"):
            self.assertFalse(invalidates(method, 200), method)
            self.assertEqual(invalidTargets(method, _TARGET, 200, EMPTY), [])


class TargetTests(SynchronousTestCase):
    """L{invalidTargets}: RFC 9111 §4.4."""

    def paths(self, **fields: bytes) -> list[bytes]:
        """What a POST with these response fields invalidates."""
        pairs = [(name.encode().replace(b"_", b"-"), value) for name, value in fields.items()]
        found = invalidTargets(b"POST", _TARGET, 201, Fields.fromPairs(pairs))
        self.assertTrue(all(one.host.rstrip(".") == "a.example" for one in found))
        return [one.path for one in found]

    def test_alone(self) -> None:
        """The target."""
        self.assertEqual(self.paths(), [b"/b/c?d"])

    def test_references(self) -> None:
        """Both fields, relative or not, each target once."""
        self.assertEqual(
            self.paths(location=b"e", content_location=b"http://A.example:80/f?g#h"),
            [b"/b/c?d", b"/b/e", b"/f?g"],
        )
        self.assertEqual(self.paths(location=b"/x", content_location=b"../x"), [b"/b/c?d", b"/x"])
        self.assertEqual(self.paths(location=b"", content_location=b"?d"), [b"/b/c?d"])
        self.assertEqual(self.paths(location=b"//a.example./y"), [b"/b/c?d", b"/y"])

    def test_otherOrigins(self) -> None:
        """They are left alone."""
        for reference in (
            b"https://a.example/x",
            b"http://a.example:81/x",
            b"//b.example/x",
            b"ftp://a.example/x",
            b"mailto:a@a.example",
            b"http://u@a.example/x",
            b"http://[::1/x",
            b"/x y",
            b"/\xe4",
        ):
            self.assertEqual(self.paths(location=reference), [b"/b/c?d"], reference)

    def test_addresses(self) -> None:
        """Of IPv6, too."""
        target = parseAbsolute(b"http://[::1]:8080/a")
        self.assertEqual(resolve(target, b"b"), Target("http", "::1", 8080, b"/b", b"[::1]:8080"))

    def test_ownLocation(self) -> None:
        """C{Content-Location} may name the target itself (RFC 9110 §9.3.3)."""
        for value, expected in (
            (b"c?d", True),
            (b"", True),
            (b"http://A.example:80/b/c?d#e", True),
            (b"c", False),
            (b"http://b.example/b/c?d", False),
            (b"http://[", False),
        ):
            fields = Fields.fromPairs([(b"Content-Location", value)])
            self.assertEqual(isOwnLocation(_TARGET, 200, fields), expected, value)
        self.assertFalse(isOwnLocation(_TARGET, 200, EMPTY))

    def test_ofWhatIsNoRepresentation(self) -> None:
        """An error is none, nor is what has no content or tells of another (RFC 9110 §8.7)."""
        fields = Fields.fromPairs([(b"Content-Location", b"")])
        self.assertTrue(isOwnLocation(_TARGET, 203, fields))
        for status in (201, 202, 204, 205, 206, 303, 404, 500):
            self.assertFalse(isOwnLocation(_TARGET, status, fields), status)

    @given(values | st.binary(max_size=30))
    def test_anyOctets(self, reference: bytes) -> None:
        """Nothing raises."""
        resolve(_TARGET, reference)
