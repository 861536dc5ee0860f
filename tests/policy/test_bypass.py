# -*- test-case-name: tests.policy.test_bypass -*-
"""
Requests that go past the cache.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.bypass import MOST_NAMES, Bypass, Condition
from intermediary.program import FETCH
from intermediary.settings import BypassSettings, RouteCacheSettings
from intermediary.wire.target import parseAbsolute

from .exchanges import asked
from .test_cache import CacheTestCase


class ConditionTests(SynchronousTestCase):
    """What fits."""

    def fits(self, target: bytes = b"/", *lines: bytes, **what: bytes) -> bool:
        """Whether a request does."""
        exchange = asked(b"GET " + target + b" HTTP/1.1", b"Host: a", *lines)
        return Condition(**what).fits(exchange)

    def test_paths(self) -> None:
        """By a pattern of all of it; a star stands for slashes, too."""
        for path in (b"/admin/", b"/admin/a/b", b"/admin/?x"):
            self.assertTrue(self.fits(path, path=b"/admin/*"), path)
        for path in (b"/admin", b"/", b"/x/admin/", b"/?/admin/", b"/Admin/"):
            self.assertFalse(self.fits(path, path=b"/admin/*"), path)
        self.assertTrue(self.fits(b"/a/b.php", path=b"*.php"))

    def test_nobodyGetsRoundThemByAnotherSpelling(self) -> None:
        """They are compared in the form that the key has."""
        for path in (b"/%61dmin/x", b"/b/../admin/x", b"/./admin/x"):
            self.assertTrue(self.fits(path, path=b"/admin/*"), path)
        self.assertTrue(self.fits(b"/?%70review", query=b"preview"))

    def test_parameters(self) -> None:
        """By a pattern of names, with a value or without."""
        for target in (b"/?preview", b"/?a&preview=1", b"/?preview=", b"/?a=b&preview2"):
            self.assertTrue(self.fits(target, query=b"preview*"), target)
        for target in (b"/", b"/?", b"/preview", b"/?a=preview", b"/?Preview", b"/?xpreview"):
            self.assertFalse(self.fits(target, query=b"preview*"), target)

    def test_cookies(self) -> None:
        """By a pattern of names, in any of the lines."""
        for lines in (
            (b"Cookie: session=1",),
            (b"Cookie: a=b; sessionid=2",),
            (b"Cookie: a=b;session",),
            (b"Cookie: a=b", b"Cookie: session=1"),
        ):
            self.assertTrue(self.fits(b"/", *lines, cookie=b"session*"), lines)
        self.assertFalse(self.fits(b"/", cookie=b"session*"))
        for line in (
            b"Cookie: a=session",
            b"Cookie: xsession=1",
            b"Cookie: a=b; Session=1",
            b"Cookie:",
            b"X-Cookie: session=1",
        ):
            self.assertFalse(self.fits(b"/", line, cookie=b"session*"), line)

    def test_fields(self) -> None:
        """By name, whatever is in them."""
        self.assertTrue(self.fits(b"/", b"AUTHORIZATION: x", field=b"Authorization"))
        self.assertTrue(self.fits(b"/", b"Authorization:", field=b"Authorization"))
        self.assertFalse(self.fits(b"/", field=b"Authorization"))

    def test_allThatIsSaidHasToFit(self) -> None:
        """And nothing else matters."""
        what: Any = {"path": b"/a*", "query": b"b", "cookie": b"c", "field": b"D"}
        self.assertTrue(self.fits(b"/a?b", b"Cookie: c=", b"D: 1", **what))
        self.assertFalse(self.fits(b"/?b", b"Cookie: c=", b"D: 1", **what))
        self.assertFalse(self.fits(b"/a", b"Cookie: c=", b"D: 1", **what))
        self.assertFalse(self.fits(b"/a?b", b"D: 1", **what))
        self.assertFalse(self.fits(b"/a?b", b"Cookie: c=", **what))

    def test_moreNamesThanAnybodyNeedsFit(self) -> None:
        """To look at them all would take long, and past the cache is the safe side."""
        self.assertTrue(self.fits(b"/?" + b"&" * MOST_NAMES, query=b"a"))
        self.assertFalse(self.fits(b"/?" + b"&" * (MOST_NAMES - 1), query=b"a"))
        self.assertTrue(self.fits(b"/", b"Cookie: " + b";" * MOST_NAMES, cookie=b"a"))

    def test_absoluteForm(self) -> None:
        """The path is that of the target, whatever form it has."""
        exchange = asked(b"GET http://a/admin/ HTTP/1.1", b"Host: a")
        exchange.target = parseAbsolute(b"http://a/admin/")
        self.assertTrue(Condition(path=b"/admin/*").fits(exchange))
        self.assertFalse(Condition(path=b"http*").fits(exchange))


class StepTests(SynchronousTestCase):
    """The step by itself."""

    def test_anyConditionIsEnough(self) -> None:
        """It goes to the fetch, and otherwise to the look-up."""
        bypass = Bypass([Condition(query=b"a"), Condition(query=b"b")], lambda: 5.0)
        for target, outcome in ((b"/?a", FETCH), (b"/?b", FETCH), (b"/?c", None)):
            exchange = asked(b"GET " + target + b" HTTP/1.1", b"Host: a")
            self.assertIs(bypass.onLookup(exchange), outcome)
            self.assertEqual(exchange.visit is None, outcome is None)

    def test_otherMethodsAreNotItsBusiness(self) -> None:
        """The cache has to know what they change (RFC 9111 §4.4), and what is to be purged."""
        bypass = Bypass([Condition(path=b"*")], lambda: 5.0)
        for method, outcome in (
            (b"GET", FETCH),
            (b"HEAD", FETCH),
            (b"POST", FETCH),
            (b"PUT", None),
            (b"PURGE", None),
        ):
            exchange = asked(method + b" / HTTP/1.1", b"Host: a", b"Content-Length: 0")
            self.assertIs(bypass.onLookup(exchange), outcome)


class BypassTests(CacheTestCase):
    """Routes with such rules, in transcripts."""

    caching = RouteCacheSettings(
        bypass=(BypassSettings(cookie="session*"), BypassSettings(path="/admin/*"))
    )

    def test_neitherAnsweredNorStored(self) -> None:
        """Both ways, and it says so."""
        for _ in range(2):
            self.asks(b"Cookie: session1=x")
            self.isAsked()
            self.answers(b"Cache-Control: max-age=60", body=b"mine")
            self.assertEqual(self.gets(body=b"mine")[b"cache-status"], b"test; fwd=bypass")
        self.stores(b"Cache-Control: max-age=60")
        self.asks(b"Cookie: session1=x")
        self.isAsked()
        self.answers(body=b"mine")
        self.gets(body=b"mine", hit=False)
        self.asks(b"Cookie: other=x")
        self.gets(hit=True)

    def test_nobodyWaitsForThem(self) -> None:
        """Nor do they wait."""
        self.asks()
        self.isAsked()
        first, origin = self.client, self.origin
        self.client, self.origin = self.scenario.client(), None
        self.asks(b"Cookie: session1=x")
        self.isAsked()
        self.answers(body=b"mine")
        self.gets(body=b"mine", hit=False)
        self.client, self.origin = first, origin
        self.answers(b"Cache-Control: max-age=60")
        self.gets()

    def test_whatIsChangedThereIsStillForgotten(self) -> None:
        """A POST under the path of a rule goes through the cache as any other."""
        self.asks(b"Content-Length: 0", target=b"/admin/x", method=b"POST")
        self.isAsked(method=b"POST")
        self.answers()
        self.assertEqual(self.gets()[b"cache-status"], b"test; fwd=method")

    def test_whatIsPostedIsNotStored(self) -> None:
        """Although its answer would be that to a GET (RFC 9110 §9.3.3); the old one goes."""
        self.stores(b"Cache-Control: max-age=60")
        own = b"Cache-Control: max-age=60", b"Content-Location: /"
        self.asks(b"Content-Length: 0", b"Cookie: session1=x", method=b"POST")
        self.isAsked(method=b"POST")
        self.answers(*own, body=b"mine")
        self.assertEqual(self.gets(body=b"mine")[b"cache-status"], b"test; fwd=method")
        self.asks()
        self.isAsked()
        self.answers()
        self.gets(hit=False)
        self.asks(b"Content-Length: 0", method=b"POST")
        self.isAsked(method=b"POST")
        self.answers(*own, body=b"all")
        self.assertIn(b"; stored", self.gets(body=b"all")[b"cache-status"])

    def test_aFailureIsTheirs(self) -> None:
        """Nothing stale stands in for what is not looked for."""
        self.stores(b"Cache-Control: max-age=1")
        self.scenario.passes(2)
        self.asks(b"Cookie: session1=x")
        self.isAsked()
        self.answers(status=b"503 Service Unavailable", body=b"sorry")
        self.gets(503, body=b"sorry", hit=False)
