# -*- test-case-name: tests.wire.test_reuse -*-
"""
L{intermediary.wire.reuse}: may a stored response be used.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from intermediary.wire.directives import DELTA_LIMIT
from intermediary.wire.reuse import (
    FRESH,
    ORDINARY,
    REFUSED,
    STALE,
    STALE_ACCEPTED,
    STALE_WHILE,
    Demand,
    forbidsStoring,
    isPlain,
    judge,
    mayReplaceError,
    readDemand,
    readModestDemand,
)
from intermediary.wire.rules import CacheRules

from . import rfc9111
from .caching import NOW, dated, evaluated, exchanges, fieldsOf, moments, requests, why

_INFINITE = float("inf")


def demand(control: str) -> Demand:
    """The demand of a request with that C{Cache-Control}."""
    return readDemand(fieldsOf({"cache-control": control}))


class DemandTests(SynchronousTestCase):
    """L{readDemand}: RFC 9111 §5.2.1 and §5.4."""

    def test_ordinary(self) -> None:
        """Nearly all requests share one object."""
        for request in (
            {},
            {"cache-control": ""},
            {"pragma": "foo"},
            {"cache-control": "", "pragma": "no-cache"},
        ):
            self.assertIs(readDemand(fieldsOf(request)), ORDINARY, request)
        self.assertTrue(ORDINARY.ordinary)
        for control in ("foo", "no-store", "only-if-cached", "no-transform", "stale-if-error=5"):
            self.assertTrue(demand(control).ordinary, control)

    def test_plain(self) -> None:
        """Most say nothing of caches; what does not is ordinary, and what is said is seen."""
        for name in (
            "cache-control", "pragma", "range", "if-range", "if-match", "if-none-match",
            "if-modified-since", "if-unmodified-since",
        ):  # fmt: skip
            fields = fieldsOf({"accept": "*/*", name: "x"})
            self.assertEqual((isPlain(fields), isPlain(fields)), (False, False), name)
        for plain in (fieldsOf({}), fieldsOf({"accept": "*/*", "cookie": "a=b"})):
            self.assertEqual((isPlain(plain), isPlain(plain)), (True, True))
            self.assertIs(readDemand(plain), ORDINARY)

    def test_pragma(self) -> None:
        """It is C{no-cache} where there is no C{Cache-Control} (§5.4)."""
        self.assertTrue(readDemand(fieldsOf({"pragma": "no-cache"})).noCache)
        self.assertTrue(readDemand(fieldsOf({"pragma": "foo, No-Cache"})).noCache)
        self.assertFalse(
            readDemand(fieldsOf({"pragma": "no-cache", "cache-control": "foo"})).noCache
        )

    def test_modestly(self) -> None:
        """L{readModestDemand}: nothing fresher than fresh, whatever it says."""
        for request in (
            {},
            {"pragma": "no-cache"},
            {"cache-control": "no-cache"},
            {"cache-control": "No-Cache, max-age=0, min-fresh=x", "pragma": "no-cache"},
        ):
            self.assertIs(readModestDemand(fieldsOf(request)), ORDINARY, request)
        for control in ("no-cache, no-store", "x" * 5000):
            modest = readModestDemand(fieldsOf({"cache-control": control}))
            self.assertTrue(modest.ordinary)
            self.assertTrue(modest.noStore)
        modest = readModestDemand(
            fieldsOf({"cache-control": "max-stale=5, stale-if-error=7, only-if-cached, max-age=1"})
        )
        self.assertEqual((modest.maxStale, modest.staleIfError, modest.maxAge), (5, 7, _INFINITE))
        self.assertTrue(modest.onlyIfCached)

    def test_arguments(self) -> None:
        """What can't be read asks for more, not for less."""
        for control, maxAge, maxStale, minFresh in (
            ("max-age=5", 5, -1, 0),
            ("max-age=x", 0, -1, 0),
            ("max-age", 0, -1, 0),
            ("max-age=5, max-age=3", 3, -1, 0),
            ("max-stale", _INFINITE, _INFINITE, 0),
            ("max-stale=5", _INFINITE, 5, 0),
            ("max-stale=x", _INFINITE, -1, 0),
            ("max-stale=99999999999", _INFINITE, DELTA_LIMIT, 0),
            ("min-fresh=5", _INFINITE, -1, 5),
            ("min-fresh=x", _INFINITE, -1, _INFINITE),
        ):
            wanted = demand(control)
            self.assertEqual(
                (wanted.maxAge, wanted.maxStale, wanted.minFresh),
                (maxAge, maxStale, minFresh),
                control,
            )

    def test_absurd(self) -> None:
        """A request that says too much gets what the origin says."""
        wanted = demand("a," * 3000)
        self.assertTrue(wanted.noCache and wanted.noStore)

    def test_thatNothingIsStored(self) -> None:
        """It is told by itself as by the whole, of any length, and is nothing for C{Pragma}."""
        for control in ("", "max-age=5", "no-store", "a, No-Store=x", "a," * 3000, "no-cache"):
            request = fieldsOf({"cache-control": control})
            for read in (readDemand, readModestDemand):
                self.assertIs(forbidsStoring(request), read(request).noStore, control)
        for fields in ({}, {"pragma": "no-store"}):
            self.assertFalse(forbidsStoring(fieldsOf(fields)))

    def test_itIsRemembered(self) -> None:
        """By what the field says, if that is short; of however many, right."""
        self.assertIs(demand("max-age=5"), demand("max-age=5"))
        long = "max-age=5, " + "a" * 300
        self.assertIsNot(demand(long), demand(long))
        for number in range(1100):
            self.assertEqual(demand(f"max-age={number}").maxAge, number)

    def test_flags(self) -> None:
        """Three, and all at once."""
        wanted = demand("no-cache, no-store, only-if-cached")
        self.assertTrue(wanted.noCache and wanted.noStore and wanted.onlyIfCached)
        self.assertFalse(wanted.ordinary)
        self.assertIn("noCache=True", repr(wanted))


class JudgementTests(SynchronousTestCase):
    """L{judge}: RFC 9111 §4."""

    def judged(self, control: str, request: str, later: float, **response: str) -> int:
        """Judge a response some seconds after it was received."""
        freshness = evaluated({"cache-control": control, **response})
        return judge(freshness, demand(request), NOW + later)

    def test_ordinaryRequests(self) -> None:
        """Before the end of the lifetime, and not at its end (§4.2)."""
        for control, later, expected in (
            ("max-age=5", 4.9, FRESH),
            ("max-age=5", 5, STALE),
            ("max-age=0", 0, STALE),
            ("max-age=5, no-cache", 0, STALE),
            ("max-age=5, must-revalidate", 3, FRESH),
            ("max-age=5, must-revalidate", 5, STALE),
            ("max-age=5, immutable", 5, STALE),
            ("max-age=5, stale-while-revalidate=5", 5, STALE_WHILE),
            ("max-age=5, stale-while-revalidate=5", 9.9, STALE_WHILE),
            ("max-age=5, stale-while-revalidate=5", 10, STALE),
            ("max-age=5, stale-while-revalidate=5, must-revalidate", 6, STALE),
        ):
            self.assertEqual(self.judged(control, "", later), expected, (control, later))

    def test_demandingRequests(self) -> None:
        """Request directives (§5.2.1)."""
        for control, request, later, expected in (
            ("max-age=3600", "no-cache", 0, REFUSED),
            ("max-age=1", "no-cache", 2, STALE),
            ("max-age=3600", "max-age=0", 3, REFUSED),
            ("max-age=3600", "max-age=1", 3, REFUSED),
            ("max-age=3600", "max-age=3", 3, FRESH),
            ("max-age=3600, immutable", "max-age=0", 3, REFUSED),
            ("max-age=1500", "min-fresh=2000", 0, REFUSED),
            ("max-age=1500", "min-fresh=1500", 0, FRESH),
            ("max-age=1500", "min-fresh=1500", 1, REFUSED),
            ("max-age=1500", "min-fresh=x", 0, REFUSED),
            ("max-age=1", "max-stale=1000", 3, STALE_ACCEPTED),
            ("max-age=1", "max-stale=2", 3, STALE_ACCEPTED),
            ("max-age=1", "max-stale=1", 3, STALE),
            ("max-age=1", "max-stale", 1e6, STALE_ACCEPTED),
            ("max-age=1", "max-stale=1000, max-age=1", 3, STALE),
            ("max-age=1", "max-stale=1000, max-age=3", 3, STALE_ACCEPTED),
            ("max-age=1", "max-stale=1000, min-fresh=1", 3, STALE),
            ("max-age=1, must-revalidate", "max-stale", 3, STALE),
            ("max-age=1, proxy-revalidate", "max-stale", 3, STALE),
            ("s-maxage=1", "max-stale", 3, STALE),
            ("no-cache", "max-stale", 0, STALE),
            ("max-age=1, stale-while-revalidate=9", "max-age=100", 3, STALE),
            ("max-age=1, stale-while-revalidate=9", "min-fresh=1", 3, STALE),
            ("max-age=1, stale-while-revalidate=9", "max-stale=1", 3, STALE_WHILE),
            ("max-age=1, stale-while-revalidate=9", "max-stale=2", 3, STALE_ACCEPTED),
        ):
            self.assertEqual(
                self.judged(control, request, later), expected, (control, request, later)
            )

    def test_ageCounts(self) -> None:
        """Time spent in other caches, too."""
        for control, request, age, expected in (
            ("max-age=3600", "max-age=600", "1800", REFUSED),
            ("max-age=1500", "max-stale=1000", "2000", STALE_ACCEPTED),
            ("max-age=1500", "min-fresh=1000", "1000", REFUSED),
            ("max-age=3600", "", "7200", STALE),
        ):
            self.assertEqual(self.judged(control, request, 0, age=age), expected, control)


class ErrorTests(SynchronousTestCase):
    """L{mayReplaceError}: RFC 5861 §4, RFC 9111 §4.2.4."""

    def test_responses(self) -> None:
        """Within the grace, if nothing forbids it."""
        for control, later, expected in (
            ("max-age=2", 3, True),
            ("max-age=2", 62, False),
            ("max-age=2, stale-if-error=600", 600, True),
            ("max-age=2, stale-if-error=1", 61, True),
            ("max-age=2, must-revalidate", 3, False),
            ("max-age=2, must-revalidate", 1, True),
            ("max-age=2, proxy-revalidate", 3, False),
            ("max-age=2, no-cache", 1, False),
            ("max-age=9, s-maxage=2, stale-if-error=600", 3, False),
        ):
            freshness = evaluated(
                {"cache-control": control}, rules=CacheRules(staleIfErrorSeconds=60)
            )
            self.assertEqual(
                mayReplaceError(freshness, ORDINARY, NOW + later), expected, (control, later)
            )

    def test_requests(self) -> None:
        """They may ask for more, or refuse it."""
        for control, request, later, expected in (
            ("max-age=2", "stale-if-error=9", 11, True),
            ("max-age=2", "stale-if-error=8", 11, False),
            ("max-age=2", "max-stale", 1e6, True),
            ("max-age=2", "max-age=0", 1, True),
            ("max-age=2", "no-cache", 1, False),
            ("max-age=2, must-revalidate", "stale-if-error=9", 3, False),
        ):
            freshness = evaluated(
                {"cache-control": control}, rules=CacheRules(staleIfErrorSeconds=0)
            )
            self.assertEqual(
                mayReplaceError(freshness, demand(request), NOW + later),
                expected,
                (control, request),
            )


class TogetherTests(SynchronousTestCase):
    """What a client sees, three seconds later, of storing and reuse together."""

    def reused(self, response: dict[str, str], status: int = 200) -> bool:
        """Tell whether a second request gets the first one's response."""
        if why(response, status=status) is not None:
            return False
        return judge(evaluated(response, status=status), ORDINARY, NOW + 3) == FRESH

    def test_reused(self) -> None:
        """Explicitly fresh, or likely so."""
        for response in (
            {"cache-control": "max-age=3600"},
            {"cache-control": 'max-age="3600"'},
            {"cache-control": "max-age=003600"},
            {"cache-control": "max-age=3600, no-store, must-understand"},
            {"expires": "Thursday, 18-Aug-50 02:01:18 GMT", "date": dated(0)},
            {"expires": "Thu Aug  8 02:01:18 2050", "date": dated(0)},
            {"expires": "THU, 18 AUG 2050 02:01:18 gMT", "date": dated(0)},
            {"last-modified": dated(-86400), "date": dated(0)},
            {"cache-control": "max-age=3600", "age": "7200.0"},
            {"cache-control": "max-age=3600", "pragma": "no-cache"},
        ):
            self.assertTrue(self.reused(response), response)
        self.assertTrue(
            self.reused({"last-modified": dated(-86400), "cache-control": "public"}, 599)
        )

    def test_notReused(self) -> None:
        """Nothing says that it is fresh, or something that it is not."""
        for response in (
            {"cache-control": "max-age=3600", "set-cookie": "a=b"},
            {},
            {"cache-control": "max-age=1"},
            {"cache-control": "max-age=3600, s-maxage=1"},
            {"cache-control": "max-age='3600'"},
            {"cache-control": 'foo="max-age=3600", max-age=1'},
            {"cache-control": 'max-age=1, foo="max-age=3600"'},
            {"cache-control": "max-age=3600", "date": dated(-7200)},
            {"cache-control": "max-age=3600", "age": "7200"},
            {"expires": dated(20), "date": dated(10), "age": "15"},
            {"expires": dated(10), "date": dated(-10), "age": "25"},
            {"expires": dated(-5000), "last-modified": dated(-100000)},
            {"last-modified": dated(-5), "date": dated(0)},
        ):
            self.assertFalse(self.reused(response), response)
        for status in (201, 202, 403, 502, 503, 504, 599):
            self.assertFalse(self.reused({"last-modified": dated(-86400)}, status), status)


class PropertyTests(SynchronousTestCase):
    """Against the text, and laws."""

    @given(exchanges, requests, moments)
    def test_reuse(self, exchange: rfc9111.Exchange, request: dict[str, str], now: float) -> None:
        """Exactly what the text allows is used without asking the origin."""
        freshness = evaluated(
            exchange.response, status=exchange.status, requestTime=exchange.requested
        )
        self.assertEqual(
            judge(freshness, readDemand(fieldsOf(request)), now) < STALE,
            rfc9111.mayReuse(exchange, request, now),
        )

    @given(exchanges, requests, moments)
    def test_errors(self, exchange: rfc9111.Exchange, request: dict[str, str], now: float) -> None:
        """Exactly what the text allows stands in for an origin."""
        rules = CacheRules(staleIfErrorSeconds=30)
        freshness = evaluated(
            exchange.response,
            status=exchange.status,
            requestTime=exchange.requested,
            rules=rules,
        )
        self.assertEqual(
            mayReplaceError(freshness, readDemand(fieldsOf(request)), now),
            rfc9111.mayReplaceError(exchange, request, now, 30),
        )

    @given(exchanges, moments, st.integers(0, 4000), st.integers(0, 4000))
    def test_aStricterRequestNeverGetsMore(
        self, exchange: rfc9111.Exchange, now: float, one: int, other: int
    ) -> None:
        """Less age, less staleness, more freshness: what these get, others get as well."""
        freshness = evaluated(exchange.response, status=exchange.status)
        small, large = sorted((one, other))
        for strict, lenient in (
            (f"max-age={small}", f"max-age={large}"),
            (f"max-age={large}", "foo"),
            (f"max-stale={small}", f"max-stale={large}"),
            (f"max-stale={large}", "max-stale"),
            ("foo", f"max-stale={small}"),
            (f"min-fresh={large}", f"min-fresh={small}"),
            (f"min-fresh={small}", "foo"),
            ("no-cache", f"max-age={small}"),
        ):
            if judge(freshness, demand(strict), now) < STALE:
                self.assertLess(judge(freshness, demand(lenient), now), STALE, strict)

    @given(exchanges, requests, moments, moments)
    def test_nothingGetsFresher(
        self, exchange: rfc9111.Exchange, request: dict[str, str], one: float, other: float
    ) -> None:
        """What can't be used now can't be used later."""
        freshness = evaluated(exchange.response, status=exchange.status)
        wanted = readDemand(fieldsOf(request))
        early, late = sorted((one, other))
        if judge(freshness, wanted, late) < STALE:
            self.assertLess(judge(freshness, wanted, early), STALE)
