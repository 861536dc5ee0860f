# -*- test-case-name: tests.policy.test_rfc9111 -*-
"""
RFC 9111 §3 to §4.2 through a whole front: what they demand of a shared cache.

Each test is about one section, and goes through its sentences.  What more than that
decides, and what happens meanwhile, is in L{tests.policy.test_cache} and beside it;
validation is in L{tests.policy.test_cachevalidity}, and what directives demand in
L{tests.policy.test_cachedirectives}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .test_cache import CacheTestCase

if TYPE_CHECKING:
    from collections.abc import Iterable

FRESH = b"Cache-Control: max-age=60"


class SectionTestCase(CacheTestCase):
    """Each of its cases has a target of its own."""

    target = b"/"
    _number = 0

    def begins(self) -> None:
        """From here on it is about a target that nobody has asked for."""
        self._number += 1
        self.target = b"/%d" % self._number

    def exchange(
        self,
        *lines: bytes,
        asking: Iterable[bytes] = (),
        method: bytes = b"GET",
        status: bytes = b"200 OK",
    ) -> list[bytes]:
        """The client asks, the origin is asked and answers with these lines; give what it heard."""
        self.asks(*asking, target=self.target, method=method)
        asked = self.isAsked(method=method)
        code = int(status[:3])
        if method == b"HEAD" or code in (204, 304):
            assert self.origin is not None
            self.origin.sends(b"HTTP/1.1 " + status, b"Date: " + self.now(), *lines, b"", b"")
        else:
            self.answers(*lines, status=status)
        if code == 304:
            # Which is no answer to the client, as it has not asked for one.
            code = 200
        self.gets(code, b"" if method == b"HEAD" or code == 204 else b"hello", hit=False)
        return asked

    def isUsed(self, *asking: bytes, status: int = 200) -> dict[bytes, bytes]:
        """What is stored answers; give its fields."""
        self.asks(*asking, target=self.target)
        self.isNotAsked()
        return self.gets(status, None, hit=True)

    def isNotUsed(self, *asking: bytes, status: bytes = b"200 OK") -> list[bytes]:
        """The origin is asked; give what it heard."""
        return self.exchange(b"Cache-Control: no-store", asking=asking, status=status)


class StoringTests(SectionTestCase):
    """§3."""

    def test_statuses(self) -> None:
        """Any final one, known or not, that says how long it is fresh."""
        for status in (200, 203, 299, 301, 302, 307, 400, 404, 499, 500, 503, 599):
            self.begins()
            self.exchange(FRESH, status=b"%d X" % status)
            self.isUsed(status=status)

    def test_statusesThatSayNothing(self) -> None:
        """Only those that are heuristically cacheable, or C{public}."""
        modified = b"Last-Modified: " + self.now(-1000)
        for status in (201, 202, 302, 307, 400, 403, 500, 502, 503, 504, 599):
            self.begins()
            self.exchange(modified, status=b"%d X" % status)
            self.isNotUsed(status=b"%d X" % status)
            self.begins()
            self.exchange(modified, b"Cache-Control: public", status=b"%d X" % status)
            self.isUsed(status=status)

    def test_methods(self) -> None:
        """What is not understood is neither stored nor answered."""
        for method in (b"OPTIONS", b"PUT", b"DELETE", b"QUERY", b"UNKNOWN"):
            self.begins()
            self.exchange(FRESH, method=method, asking=(b"Content-Length: 0",))
            self.isNotUsed()
            self.begins()
            self.exchange(FRESH)
            self.exchange(FRESH, method=method, asking=(b"Content-Length: 0",))

    def test_interimResponses(self) -> None:
        """They are not final: they are passed on, and nothing of them is kept."""
        self.asks()
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 103 Early Hints", b"Link: </a>", b"X: early", b"", b"")
        self.client.gets(b"HTTP/1.1 103 Early Hints", ..., b"X: early", ..., b"", b"")
        self.answers(FRESH)
        self.gets(hit=False)
        self.asks()
        self.assertFalse({b"x", b"link"} & set(self.gets(hit=True)))

    def test_fields(self) -> None:
        """§3.1: all are stored but those of the connection and of the proxy before us."""
        gone = (
            *(b"Connection: X-Hop, close-not", b"X-Hop: 1", b"Keep-Alive: timeout=5", b"TE: x"),
            *(b"Proxy-Authenticate: Basic", b"Proxy-Authentication-Info: x"),
            *(b"Proxy-Authorization: x", b"Proxy-Connection: x", b"Upgrade: x"),
        )
        kept = (b"X-Unknown: 1", b"Content-Foo: 2", b"ETag: x", b"Trailer: X-T")
        self.exchange(FRESH, *gone, *kept)
        fields = self.isUsed()
        for line in gone:
            name, _, value = line.partition(b": ")
            self.assertNotEqual(fields.get(name.lower()), value, line)
        self.assertNotIn(b"x-hop", fields)
        for line in kept[:3]:
            name, _, value = line.partition(b": ")
            self.assertEqual(fields[name.lower()], value)

    def test_trailers(self) -> None:
        """§3.1: they do not become fields before the content, and decide nothing."""
        self.asks()
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(
            *(b"HTTP/1.1 200 OK", FRESH, b"Transfer-Encoding: chunked", b"", b"5", b"hello", b"0"),
            *(b"X-T: 1", b"Cache-Control: no-store", b"", b""),
        )
        self.gets(body=None, hit=False)
        fields = self.isUsed()
        self.assertNotIn(b"x-t", fields)
        self.assertEqual(fields[b"cache-control"], b"max-age=60")

    def test_updates(self) -> None:
        """§3.2: a 304 replaces the fields that it has, but not the length."""
        self.exchange(b"Cache-Control: max-age=5", b'ETag: "a"', b"A: 1", b"B: 1")
        self.scenario.passes(6)
        self.exchange(
            *(FRESH, b'ETag: "a"', b"A: 3", b"C: 1", b"Content-Length: 99"),
            status=b"304 Not Modified",
        )
        fields = self.isUsed()
        self.assertEqual(
            [fields[name] for name in (b"a", b"b", b"c", b"content-length", b"cache-control")],
            [b"3", b"1", b"1", b"5", b"max-age=60"],
        )

    def test_credentials(self) -> None:
        """§3.5: who showed them shares the answer only if it says so."""
        for control, shared in (
            (b"max-age=60", False),
            (b"max-age=60, proxy-revalidate", False),
            (b"max-age=60, immutable", False),
            (b"max-age=60, public", True),
            (b"max-age=60, must-revalidate", True),
            (b"s-maxage=60", True),
            (b"public, max-age=60, private", False),
        ):
            self.begins()
            self.exchange(b"Cache-Control: " + control, asking=(b"Authorization: Basic x",))
            (self.isUsed if shared else self.isNotUsed)()


class ReuseTests(SectionTestCase):
    """§4."""

    def test_age(self) -> None:
        """What was stored is sent with the age that it has, and not with that it came with."""
        self.exchange(FRESH, b"Age: 30")
        self.scenario.passes(5)
        self.assertEqual(self.isUsed()[b"age"], b"35")

    def test_unsafeMethods(self) -> None:
        """They are written through: nothing is answered before the origin has done so."""
        for method in (b"POST", b"PUT", b"DELETE", b"PATCH", b"UNKNOWN"):
            self.begins()
            self.exchange(FRESH)
            self.asks(b"Content-Length: 0", target=self.target, method=method)
            self.isAsked(method=method)
            self.client.getsNothing()
            self.answers()
            self.gets(hit=False)

    def test_selectingFields(self) -> None:
        """§4.1: all that C{Vary} names fit, and what is absent fits what is absent."""
        for vary, stored, asking, fits in (
            (b"A", (b"A: 1",), (b"A: 1",), True),
            (b"A", (b"A: 1",), (b"a:   1  ",), True),
            (b"A", (b"A: 1, 2",), (b"A: 1", b"A: 2"), True),
            (b"A", (b"A: 1, 2",), (b"A: 1,2",), True),
            (b"A", (b"A: 1",), (b"A: 2",), False),
            (b"A", (b"A: 1",), (), False),
            (b"A", (), (b"A: 1",), False),
            (b"A", (), (b"A:",), False),
            (b"A", (), (b"B: 1",), True),
            (b"A, B", (b"A: 1", b"B: 1"), (b"B: 1", b"A: 1"), True),
            (b"A, B", (b"A: 1", b"B: 1"), (b"A: 1",), False),
            (b"A, B", (b"A: 1",), (b"A: 1",), True),
            (b"*", (), (), False),
            (b"A, *", (), (), False),
        ):
            self.begins()
            self.exchange(FRESH, b"Vary: " + vary, asking=stored)
            (self.isUsed if fits else self.isNotUsed)(*asking)

    def test_freshness(self) -> None:
        """§4.2.1 and §4.2.2: what comes first of what is stated, or a tenth."""
        for lines, seconds in (
            ((b"Cache-Control: max-age=9, s-maxage=20",), 20),
            ((b"Cache-Control: max-age=20, s-maxage=9",), 9),
            ((b"Cache-Control: max-age=20", b"Expires: " + self.now(9)), 20),
            ((b"Cache-Control: max-age=20", b"Expires: 0"), 20),
            ((b"Cache-Control: MAX-AGE=20",), 20),
            ((b'Cache-Control: x="max-age=99, y", max-age=20',), 20),
            ((b"Cache-Control: max-age=020",), 20),
            ((b"Cache-Control: max-age=99999999999",), 2**31),
            ((b"Cache-Control: max-age=20, max-age=30",), 20),
            ((b"Last-Modified: " + self.now(-200),), 20),
        ):
            self.begins()
            # As if it had been here for so long.
            self.exchange(*lines, b"Age: %d" % (seconds - 1))
            self.isUsed()
            self.begins()
            self.exchange(*lines, b"Age: %d" % seconds)
            self.isNotUsed()

    def test_whatCanNotBeFresh(self) -> None:
        """§4.2.1: what is not readable, not in the future, or not there."""
        for lines in (
            *(
                (b"Cache-Control: max-age=" + value,)
                for value in (b"-5", b"5.5", b"a5", b"'5'", b"")
            ),
            (b"Cache-Control: max-age= 60",),
            (b"Cache-Control: s-maxage=x, max-age=60",),
            (b"Cache-Control: max-age=0", b"Expires: " + self.now(60)),
            *((b"Expires: " + value,) for value in (b"0", b"-1", b"", b"Tomorrow", self.now(-60))),
            (b"Expires: %b, %b" % (self.now(60), self.now(60)),),
            (b"Expires: " + self.now(60).replace(b"GMT", b"UTC"),),
            (b"Expires: 60", b"Last-Modified: " + self.now(-1000)),
            (b"Cache-Control: public",),
            (),
        ):
            self.begins()
            self.exchange(*lines)
            self.isNotUsed()

    def test_ages(self) -> None:
        """§4.2.3 and §5.1: of several the first counts, and what is no number does not."""
        for lines, age in (
            ((), b"0"),
            ((b"Age: 7",), b"7"),
            ((b"Age: 7, 50",), b"7"),
            ((b"Age: 7", b"Age: 50"), b"7"),
            ((b"Age: 0, 99",), b"0"),
            ((b"Age: -7",), b"0"),
            ((b"Age: 7.5",), b"0"),
            ((b"Age: seven",), b"0"),
        ):
            self.begins()
            self.exchange(FRESH, *lines)
            self.assertEqual(self.isUsed()[b"age"], age)
        for age in (b"60", b"2147483647", b"2147483648", b"99999999999999999999"):
            self.begins()
            self.exchange(FRESH, b"Age: " + age)
            self.isNotUsed()

    def test_agesOfWhatTheOriginWasAskedFor(self) -> None:
        """§5.1: none of its own answers, whether all or the first of it is there; and of a 304."""
        for own, age in (((), None), ((b"Age: 3",), b"3")):
            self.begins()
            self.asks(target=self.target)
            self.isAsked()
            self.answers(b"Cache-Control: max-age=5", b'ETag: "a"', *own)
            self.assertEqual(self.gets(hit=False).get(b"age"), age)
            self.scenario.passes(6)
            self.asks(target=self.target)
            self.isAsked(b'If-None-Match: "a"')
            assert self.origin is not None
            lines = (b"Date: " + self.now(), b'ETag: "a"', FRESH, *own)
            self.origin.sends(b"HTTP/1.1 304 Not Modified", *lines, b"", b"")
            self.assertEqual(self.gets(hit=False).get(b"age"), age)
            self.begins()
            self.asks(target=self.target)
            self.isAsked()
            self.origin.sends(b"HTTP/1.1 200 OK", FRESH, *own, b"Content-Length: 5", b"", b"he")
            self.assertEqual(self.gets(body=b"he", hit=False).get(b"age"), age)
            self.origin.sends(b"llo")
            self.assertEqual(self.client.takes(), b"llo")

    def test_staleIfItMayBe(self) -> None:
        """§4.2.4: nothing that forbids it, whoever asks and whether the origin is there."""
        for control, may in (
            (b"max-age=5", True),
            (b"max-age=5, must-revalidate", False),
            (b"max-age=5, proxy-revalidate", False),
            (b"max-age=5, no-cache", False),
            (b"s-maxage=5", False),
            (b"s-maxage=5, stale-if-error=60", False),
        ):
            self.begins()
            self.exchange(b"Cache-Control: " + control, b'ETag: "a"')
            self.scenario.passes(6)
            if may:
                self.isUsed(b"Cache-Control: max-stale")
            self.asks(b"Cache-Control: max-stale=1, stale-if-error=60", target=self.target)
            if not may:
                self.isAsked()
                self.answers(status=b"503 Service Unavailable")
            self.gets(200 if may else 503, hit=may)
