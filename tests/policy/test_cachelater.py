# -*- test-case-name: tests.policy.test_cachelater -*-
"""
What the public tests of HTTP caches ask for, and the version that npm has does not.

See C{benchmarks/conformance.py} for those that it has.
"""

from __future__ import annotations

from .test_cache import CacheTestCase

LONG = b"Cache-Control: max-age=100000"


class InterimTests(CacheTestCase):
    """Responses before the response (RFC 9110 §15.2)."""

    def test_areForWhoAskedAlone(self) -> None:
        """They are passed on, and neither they nor their fields are stored."""
        hints = (b"Link: </style.css>; rel=preload; as=style", b"X-Hint: test")
        for start, lines in ((b"102 Processing", ()), (b"103 Early Hints", hints)):
            target = b"/" + start[:3]
            self.asks(target=target)
            self.isAsked()
            assert self.origin is not None
            self.origin.sends(b"HTTP/1.1 " + start, *lines, b"", b"")
            interim = self.client.takes()
            self.assertTrue(interim.startswith(b"HTTP/1.1 " + start), interim)
            for line in lines:
                self.assertIn(line, interim)
            self.answers(LONG)
            self.assertNotIn(b"x-hint", self.gets(hit=False))
            self.asks(target=target)
            fields = self.gets(hit=True)
            self.assertNotIn(b"x-hint", fields)
            self.assertNotIn(b"link", fields)


class StoredTests(CacheTestCase):
    """What is stored, later."""

    def test_itsDates(self) -> None:
        """C{Date} and C{Expires} stay as the origin wrote them."""
        for target, lines in (
            (b"/control", (LONG,)),
            (b"/expires", (b"Expires: " + self.now(30 * 86400),)),
            (b"/targeted", (b"Expires: " + self.now(1), b"CDN-Cache-Control: max-age=10000")),
        ):
            self.asks(target=target)
            self.isAsked()
            self.answers(*lines)
            first = self.gets(hit=False)
            self.scenario.passes(3)
            self.asks(target=target)
            second = self.gets(hit=True)
            self.assertEqual(second[b"age"], b"3")
            for name in (b"date", b"expires"):
                self.assertEqual(second.get(name), first.get(name), target)

    def test_hugeAges(self) -> None:
        """Around what 31 and 32 bits hold: all of them are stale (RFC 9111 §1.2.2)."""
        for age in (2**31 - 1, 2**31, 2**31 + 1, 2**32, 10**30):
            self.asks(target=b"/%d" % age)
            self.isAsked()
            self.answers(b"Cache-Control: max-age=3600", b"Age: %d" % age)
            self.gets()
            self.asks(target=b"/%d" % age)
            self.isAsked()
            self.answers()
            self.gets(hit=False)

    def test_aFreshOneIsUsed(self) -> None:
        """The origin could say by now that it is not to be stored: nobody asks it."""
        self.stores(LONG)
        for _ in range(2):
            self.scenario.passes(3)
            self.asks()
            self.gets(hit=True)
            self.isNotAsked()
