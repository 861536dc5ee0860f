# -*- test-case-name: tests.policy.test_cachefield -*-
"""
What clients see of C{Cache-Status}, and what the log does (RFC 9211).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from intermediary.errors import ConnectionRefused
from intermediary.policy.cachefield import handling, outcome
from intermediary.settings import RouteCacheSettings, RouteSettings

from ..scenario import Scenario
from .exchanges import asked
from .test_cache import WEB, CacheTestCase

if TYPE_CHECKING:
    from intermediary.exchange import Exchange

LONG = b"Cache-Control: max-age=60"


class FieldTestCase(CacheTestCase):
    """A front whose routes say what clients see."""

    def serves(self, shown: Literal["on", "key", "off"], components: object = ()) -> None:
        """Have another front."""
        self.scenario = Scenario(self).caching()
        route = RouteCacheSettings(
            cacheStatus=shown, keyFields=("X-Device",), keyCookies=("lang",), graceSeconds=5
        )
        self.scenario.reverse(
            routes=(RouteSettings(upstream=WEB, cache=route),),
            components=components,
        )
        self.client = self.scenario.client()
        self.origin = None

    def told(self) -> tuple[str, str]:
        """What the log says of the last exchange."""
        record: Exchange = self.scenario.records[-1]
        return outcome(record), handling(record)


class KeyTests(FieldTestCase):
    """C{key} (RFC 9211 §2.7)."""

    def test_ofEveryAnswer(self) -> None:
        """Percent-encoded where a String can't have it (RFC 9651 §4.1.6)."""
        self.serves("key")
        key = b'key="site http://a/%0Ax-device: \\\\\\"%E9%0A=lang"'
        for expected in (b"fwd=uri-miss; fwd-status=200; ttl=60; stored", b"hit; ttl=60"):
            self.asks(b'X-Device: \\"\xe9')
            if b"miss" in expected:
                self.isAsked()
                self.answers(LONG, b"Cache-Status: near; hit")
            heard = self.client.takes()
            self.assertIn(b"\r\nCache-Status: near; hit\r\n", heard)
            self.assertIn(b"\r\nCache-Status: test; %b; %b\r\n" % (expected, key), heard)
            self.assertEqual(self.told()[1].encode(), b"%b; %b" % (expected, key))

    def test_whereThereIsNone(self) -> None:
        """Of what no cache is asked for."""
        self.serves("key")
        for lines, method, expected in (
            ((b"Cookie: lang",), b"GET", b"test; fwd=bypass"),
            ((b"Content-Length: 0",), b"POST", b"test; fwd=method"),
        ):
            self.asks(*lines, method=method)
            self.isAsked(method=method)
            self.answers(LONG)
            self.assertEqual(self.gets()[b"cache-status"], expected)

    def test_ofAnErrorOfOurs(self) -> None:
        """Of the cache's own, and where the origin could not be reached."""
        self.serves("key")
        key = b'; key="site http://a/%0Ax-device%0A=lang"'
        self.asks(b"Cache-Control: only-if-cached")
        fields = self.gets(504, None)
        self.assertEqual(fields[b"cache-status"], b"test; detail=only-if-cached" + key)
        self.asks()
        self.scenario.refuses(ConnectionRefused("no"))
        self.assertEqual(self.gets(502, None)[b"cache-status"], b"test; fwd=uri-miss" + key)


class HiddenTests(FieldTestCase):
    """C{off}."""

    def test_clientsSeeNothing(self) -> None:
        """Of ours; what the origin says is its own."""
        self.serves("off")
        for word, rest in (
            ("uri-miss", "fwd=uri-miss; fwd-status=200; ttl=60; stored"),
            ("hit", "hit; ttl=60"),
        ):
            self.asks()
            if word == "uri-miss":
                self.isAsked()
                self.answers(LONG, b"Cache-Status: near; hit", b"X: y")
            fields = self.gets()
            self.assertEqual((fields[b"cache-status"], fields[b"x"]), (b"near; hit", b"y"))
            self.assertEqual(self.told(), (word, rest))
        self.asks(b"If-None-Match: *")
        self.assertEqual(self.gets(304, b"")[b"age"], b"0")
        self.asks(b"Cache-Control: only-if-cached", target=b"/b")
        self.assertNotIn(b"cache-status", self.gets(504, None))
        self.assertEqual(self.told(), ("only-if-cached", "detail=only-if-cached"))


class LogTests(FieldTestCase):
    """What the access log says."""

    def test_words(self) -> None:
        """The outcome, or why the request was sent on."""
        self.serves("on")
        self.asks()
        self.isAsked()
        self.answers(LONG, b"Vary: A", b'ETag: "a"')
        self.gets()
        self.assertEqual(self.told(), ("uri-miss", "fwd=uri-miss; fwd-status=200; ttl=60; stored"))
        self.asks()
        self.gets()
        self.assertEqual(self.told(), ("hit", "hit; ttl=60"))
        self.asks(b"A: b")
        self.isAsked()
        self.answers()
        self.gets()
        self.assertEqual(self.told(), ("vary-miss", "fwd=vary-miss"))
        self.asks(b"Content-Length: 0", target=b"/b", method=b"POST")
        self.isAsked(method=b"POST")
        self.answers()
        self.gets()
        self.assertEqual(self.told(), ("method", "fwd=method"))
        self.scenario.passes(62)
        self.asks()
        self.gets()
        self.assertEqual(self.told(), ("hit", "hit; ttl=-2"))
        self.isAsked()
        self.answers(LONG)

    def test_withoutACache(self) -> None:
        """Nothing, whatever an origin says of its own."""
        scenario = self.scenario = Scenario(self).reverse()
        self.client = scenario.client()
        self.asks()
        self.isAsked()
        self.answers(b"Cache-Status: near; hit")
        self.gets()
        self.assertEqual(self.told(), ("", ""))
        exchange = asked(b"GET / HTTP/1.1", b"Host: a")
        self.assertEqual((outcome(exchange), handling(exchange)), ("", ""))
