# -*- test-case-name: tests.wire.test_cachestatus -*-
"""
L{intermediary.wire.cachestatus}: C{Cache-Status}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from intermediary.wire.cachestatus import (
    BYPASS,
    REASONS,
    REQUEST,
    STALE,
    URI_MISS,
    CacheStatus,
    string,
    withKey,
)
from intermediary.wire.targeted import parseDictionary


class MemberTests(SynchronousTestCase):
    """L{CacheStatus}: RFC 9211 §2."""

    status = CacheStatus(b"a.example")

    def test_allReasons(self) -> None:
        """They are listed, those of RFC 9211 §2.2 that are ours."""
        self.assertEqual(
            {each.decode() for each in REASONS},
            {
                *("bypass", "method", "uri-miss", "vary-miss"),
                *("miss", "request", "stale", "partial"),
            },
        )

    def test_hit(self) -> None:
        """With its time to live, negative when stale."""
        self.assertEqual(self.status.hit(30), b"a.example; hit; ttl=30")
        self.assertEqual(self.status.hit(-412), b"a.example; hit; ttl=-412")

    def test_forwarded(self) -> None:
        """With what is known of the answer."""
        self.assertEqual(self.status.forwarded(BYPASS), b"a.example; fwd=bypass")
        self.assertEqual(
            self.status.forwarded(URI_MISS, 200, ttl=5, stored=True),
            b"a.example; fwd=uri-miss; fwd-status=200; ttl=5; stored",
        )
        self.assertEqual(
            self.status.forwarded(STALE, 304, collapsed=True),
            b"a.example; fwd=stale; fwd-status=304; collapsed",
        )
        self.assertEqual(
            self.status.forwarded(STALE, collapsed=False), b"a.example; fwd=stale; collapsed=?0"
        )

    def test_unanswered(self) -> None:
        """With why, a token or a String."""
        self.assertEqual(self.status.unanswered(b"refused"), b"a.example; detail=refused")
        self.assertEqual(self.status.unanswered(b"no lifetime"), b'a.example; detail="no lifetime"')

    def test_keys(self) -> None:
        """With any of them."""
        self.assertEqual(
            withKey(self.status.hit(30), b'http://a/"'),
            b'a.example; hit; ttl=30; key="http://a/\\""',
        )
        self.assertEqual(
            withKey(self.status.forwarded(REQUEST), b"k"), b'a.example; fwd=request; key="k"'
        )

    def test_names(self) -> None:
        """Tokens, or Strings."""
        self.assertEqual(CacheStatus(b"1.example").hit(1), b'"1.example"; hit; ttl=1')

    @given(st.binary(max_size=20), st.binary(max_size=20))
    def test_anyOctets(self, key: bytes, detail: bytes) -> None:
        """Whatever is in a key or a detail, a member is well-formed."""
        status = CacheStatus(b"cache")
        for member in (status.forwarded(URI_MISS), status.unanswered(detail)):
            self.assertEqual(parseDictionary(withKey(member, key)), {b"cache": None})


class StringTests(SynchronousTestCase):
    """L{string}: RFC 9651 §4.1.6."""

    def test_escapes(self) -> None:
        """Quotes and backslashes; what can't be written is percent-encoded."""
        self.assertEqual(string(b'a"b\\'), b'"a\\"b\\\\"')
        self.assertEqual(string(b"a\nb\xff"), b'"a%0Ab%FF"')
