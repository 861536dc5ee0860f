# -*- test-case-name: tests.wire.test_freshness -*-
"""
L{intermediary.wire.freshness}: lifetimes and ages.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from intermediary.wire.directives import DELTA_LIMIT
from intermediary.wire.rules import CacheRules

from . import rfc9111
from .caching import NOW, dated, evaluated, exchanges, moments

_DAY = 86400
_NEVER = float("-inf")


class LifetimeTests(SynchronousTestCase):
    """Freshness lifetime: RFC 9111 §4.2.1."""

    def test_precedence(self) -> None:
        """C{s-maxage}, then C{max-age}, then C{Expires}."""
        for response, lifetime in (
            ({"cache-control": "max-age=3600"}, 3600),
            ({"cache-control": "max-age=5, s-maxage=7"}, 7),
            ({"cache-control": "s-maxage=7, max-age=5"}, 7),
            ({"cache-control": "max-age=3600", "expires": dated(-10)}, 3600),
            ({"cache-control": "max-age=0", "expires": dated(10)}, 0),
            ({"cache-control": "max-age=0, s-maxage=9", "expires": dated(-10)}, 9),
            ({"cache-control": "max-age=9", "expires": "0"}, 9),
            ({"date": dated(0), "expires": dated(5)}, 5),
            ({"date": dated(0), "expires": dated(0)}, 0),
            ({"date": dated(400), "expires": dated(300)}, 0),
            ({"date": dated(-10), "expires": dated(10)}, 20),
            ({"expires": dated(10)}, 10),
            ({"date": "foo", "expires": dated(10)}, 10),
            ({"last-modified": dated(-100), "cache-control": "max-age=1"}, 1),
            ({"cache-control": "foo"}, 0),
            ({}, 0),
        ):
            self.assertEqual(evaluated(response).lifetime, lifetime, response)

    def test_unreadableIsStale(self) -> None:
        """RFC 9111 §4.2.1 and §5.3."""
        for control in ("max-age=x", "max-age=-5", "max-age=5.0", "max-age", "max-age =5"):
            response = {"cache-control": control, "expires": dated(100)}
            self.assertEqual(evaluated(response).lifetime, 0, control)
        for expires in (
            "0",
            "-1",
            "Thu, 18 Aug 2050 02:01:18 UTC",
            "Thu, 18 Aug 50 02:01:18 GMT",
            "Thu, 18-Aug-2050 02:01:18 GMT",
            f"{dated(100)}, {dated(100)}",
        ):
            self.assertEqual(evaluated({"expires": expires}).lifetime, 0, expires)

    def test_large(self) -> None:
        """All that is too large is the same (RFC 9111 §1.2.2)."""
        for response in (
            {"cache-control": "max-age=2147483648"},
            {"cache-control": "max-age=99999999999"},
            {"expires": "Fri, 31 Dec 9999 23:59:59 GMT"},
        ):
            self.assertEqual(evaluated(response).lifetime, DELTA_LIMIT, response)

    def test_targeted(self) -> None:
        """It replaces both (RFC 9213 §2.2)."""
        for response, lifetime in (
            ({"cdn-cache-control": "max-age=9", "cache-control": "max-age=1"}, 9),
            ({"cdn-cache-control": "max-age=1", "cache-control": "max-age=9"}, 1),
            ({"cdn-cache-control": "max-age=9", "expires": "0"}, 9),
            ({"cdn-cache-control": "foo", "expires": dated(9)}, 0),
            ({"cdn-cache-control": "foo=", "expires": dated(9)}, 9),
            ({"surrogate-control": "max-age=9"}, 0),
        ):
            self.assertEqual(evaluated(response).lifetime, lifetime, response)


class HeuristicTests(SynchronousTestCase):
    """Lifetimes that nobody stated: RFC 9111 §4.2.2."""

    def test_aTenthOfTheTimeUnchanged(self) -> None:
        """With a cap, and never without C{Last-Modified}."""
        for response, lifetime in (
            ({"date": dated(0), "last-modified": dated(-100)}, 10),
            ({"last-modified": dated(-100)}, 10),
            ({"date": dated(-50), "last-modified": dated(-100)}, 5),
            ({"date": dated(50), "last-modified": dated(-100)}, 10),
            ({"date": dated(0), "last-modified": dated(-100 * _DAY)}, _DAY),
            ({"date": dated(0), "last-modified": dated(5)}, 0),
            ({"date": dated(0), "last-modified": "foo"}, 0),
            ({"date": dated(0), "etag": '"a"'}, 0),
        ):
            freshness = evaluated(response)
            self.assertEqual(freshness.lifetime, lifetime, response)
            self.assertTrue(freshness.heuristic)

    def test_settings(self) -> None:
        """Both numbers are the operator's."""
        response = {"last-modified": dated(-100)}
        rules = CacheRules(heuristicFraction=0.5, heuristicLimitSeconds=30)
        self.assertEqual(evaluated(response, rules=rules).lifetime, 30)
        self.assertEqual(evaluated(response, rules=CacheRules(heuristicFraction=0)).lifetime, 0)

    def test_statuses(self) -> None:
        """Those of RFC 9110 §15.1, and all that are C{public}."""
        response = {"last-modified": dated(-100)}
        for status in (200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501):
            self.assertEqual(evaluated(response, status=status).lifetime, 10, status)
        for status in (201, 202, 302, 403, 500, 502, 503, 504, 599):
            self.assertEqual(evaluated(response, status=status).lifetime, 0, status)
            public = {**response, "cache-control": "public"}
            self.assertEqual(evaluated(public, status=status).lifetime, 10, status)


class OperatorTests(SynchronousTestCase):
    """Lifetimes of the operator's."""

    def test_byStatus(self) -> None:
        """By status, where nothing is stated; instead of a guess."""
        rules = CacheRules(lifetimes={404: 3.0})
        self.assertEqual(evaluated({}, status=404, rules=rules).lifetime, 3)
        self.assertEqual(evaluated({}, status=410, rules=rules).lifetime, 0)
        modified = {"last-modified": dated(-100)}
        self.assertEqual(evaluated(modified, status=404, rules=rules).lifetime, 3)
        stated = {"cache-control": "max-age=0"}
        self.assertEqual(evaluated(stated, status=404, rules=rules).lifetime, 0)

    def test_forced(self) -> None:
        """Instead of all that is stated but C{no-cache}."""
        rules = CacheRules(forcedSeconds=60.0)
        for control in ("max-age=0", "s-maxage=3600", "foo"):
            self.assertEqual(evaluated({"cache-control": control}, rules=rules).lifetime, 60)
        self.assertEqual(evaluated({"cache-control": "no-cache"}, rules=rules).freshUntil, _NEVER)
        for status, lifetime in ((302, 60), (404, 0), (503, 0)):
            self.assertEqual(evaluated({}, status=status, rules=rules).lifetime, lifetime)

    def test_theyAreCountedFromItsArrival(self) -> None:
        """However old it says it is, or its clock: an operator means the time from now."""
        for rules in (CacheRules(lifetimes={200: 5.0}), CacheRules(forcedSeconds=5.0)):
            for response in ({"age": "1000"}, {"date": dated(-1000)}):
                freshness = evaluated(response, rules=rules)
                self.assertEqual(freshness.freshUntil, NOW + 5)
                self.assertEqual((freshness.ttl(NOW), freshness.age(NOW)), (5, 1000))

    def test_errorsHaveNoGrace(self) -> None:
        """What an operator keeps for two seconds is not used for an hour."""
        rules = CacheRules(
            lifetimes={404: 2, 503: 2}, staleWhileRevalidateSeconds=5, staleIfErrorSeconds=7
        )
        for status, whileUntil, errorUntil in ((404, 7, 9), (503, 2, 2)):
            freshness = evaluated({}, status=status, rules=rules)
            self.assertEqual(freshness.staleWhileUntil, NOW + whileUntil)
            self.assertEqual(freshness.staleErrorUntil, NOW + errorUntil)
        stated = evaluated({"cache-control": "max-age=2"}, status=503, rules=rules)
        self.assertEqual(stated.staleWhileUntil, NOW + 7)


class AgeTests(SynchronousTestCase):
    """Age: RFC 9111 §4.2.3 and §5.1."""

    def ageOf(self, response: dict[str, str], later: float = 0.0, delay: float = 0.0) -> int:
        """Age some seconds after a response was received."""
        return evaluated(response, requestTime=NOW - delay).age(NOW + later)

    def test_apparentAge(self) -> None:
        """By C{Date}, which is never taken for the future."""
        self.assertEqual(self.ageOf({"date": dated(-7200)}), 7200)
        self.assertEqual(self.ageOf({"date": dated(7200)}), 0)
        self.assertEqual(self.ageOf({}), 0)
        self.assertEqual(self.ageOf({"date": "foo"}), 0)

    def test_ageValue(self) -> None:
        """What caches on the way said, and how long we waited."""
        self.assertEqual(self.ageOf({"age": "30"}, later=2.9), 32)
        self.assertEqual(self.ageOf({"age": "30"}, delay=5), 35)
        self.assertEqual(self.ageOf({"age": "30", "date": dated(-40)}, delay=5), 40)
        self.assertEqual(self.ageOf({"age": "60", "date": dated(-40)}, delay=5), 65)

    def test_unreadable(self) -> None:
        """The first member of a list counts, and what is no number is ignored (§5.1)."""
        for value, age in (
            ("abc", 0),
            ("-7200", 0),
            ("7200.0", 0),
            ("7200,0", 7200),
            ("7200, 0", 7200),
            ("0, 7200", 0),
            ("7200, x", 7200),
            ("x, 7200", 0),
            ("", 0),
            ("99999999999", DELTA_LIMIT),
            ("9" * 5000, DELTA_LIMIT),
        ):
            self.assertEqual(self.ageOf({"age": value}), age, value[:20])

    def test_itIsNeverNegative(self) -> None:
        """Clocks may be set back."""
        self.assertEqual(self.ageOf({}, later=-100), 0)

    def test_timeToLive(self) -> None:
        """RFC 9211 §2.4: the rest of the lifetime, negative when it is over."""
        freshness = evaluated({"cache-control": "max-age=60", "age": "20"})
        self.assertEqual(freshness.ttl(NOW), 40)
        self.assertEqual(freshness.ttl(NOW + 50), -10)
        # Nothing that is stale looks fresh.
        self.assertEqual(freshness.ttl(NOW + 39.5), 0)
        self.assertEqual(freshness.ttl(NOW + 40.5), -1)
        self.assertEqual(evaluated({"cache-control": "max-age=60, no-cache"}).ttl(NOW), 60)


class MomentTests(SynchronousTestCase):
    """What is kept: RFC 9111 §4.2.4 and RFC 5861."""

    def moments(self, control: str, rules: CacheRules) -> tuple[float, float, float]:
        """Seconds until the three moments."""
        freshness = evaluated({"cache-control": control}, rules=rules)
        return (
            freshness.freshUntil - NOW,
            freshness.staleWhileUntil - NOW,
            freshness.staleErrorUntil - NOW,
        )

    def test_graces(self) -> None:
        """The longer one of the response's and the operator's."""
        rules = CacheRules(staleWhileRevalidateSeconds=10, staleIfErrorSeconds=20)
        for control, expected in (
            ("max-age=5", (5, 15, 25)),
            ("max-age=5, stale-while-revalidate=30", (5, 35, 25)),
            ("max-age=5, stale-while-revalidate=3", (5, 15, 25)),
            ("max-age=5, stale-if-error=x", (5, 15, 25)),
            ("max-age=5, stale-if-error=60", (5, 15, 65)),
            ("max-age=5, must-revalidate", (5, 5, 5)),
            ("max-age=5, proxy-revalidate, stale-if-error=60", (5, 5, 5)),
            ("s-maxage=5, stale-while-revalidate=60", (5, 5, 5)),
            ("max-age=5, no-cache", (_NEVER, _NEVER, _NEVER)),
            ('max-age=5, no-cache="a"', (5, 15, 25)),
            ('max-age=5, no-cache=""', (_NEVER, _NEVER, _NEVER)),
        ):
            self.assertEqual(self.moments(control, rules), expected, control)

    def test_immutable(self) -> None:
        """RFC 8246."""
        self.assertTrue(evaluated({"cache-control": "max-age=5, immutable"}).immutable)
        self.assertFalse(evaluated({"cache-control": "max-age=5"}).immutable)

    def test_expire(self) -> None:
        """What is made stale is so now, with its graces."""
        freshness = evaluated({"cache-control": "max-age=60, stale-while-revalidate=10"})
        freshness.expire(NOW + 5)
        self.assertEqual(freshness.freshUntil, NOW + 5)
        self.assertEqual(freshness.staleWhileUntil, NOW + 15)
        self.assertEqual(freshness.staleErrorUntil, NOW + 5 + 3600)
        self.assertEqual(freshness.ttl(NOW + 6), -1)
        before = repr(freshness)
        freshness.expire(NOW + 30)
        self.assertEqual(repr(freshness), before)

    def test_copy(self) -> None:
        """It says the same, until one of the two is made stale."""
        freshness = evaluated({"cache-control": "max-age=60, immutable"})
        copy = freshness.copy()
        self.assertEqual(repr(copy), repr(freshness))
        for name in ("date", "staleForbidden", "heuristic", "immutable"):
            self.assertEqual(getattr(copy, name), getattr(freshness, name), name)
        copy.expire(NOW + 5)
        self.assertEqual(copy.freshUntil, NOW + 5)
        self.assertEqual(freshness.freshUntil, NOW + 60)


class PropertyTests(SynchronousTestCase):
    """Against the text of RFC 9111 §4.2, and for all octets."""

    @given(exchanges, moments)
    def test_lifetimeAndAge(self, exchange: rfc9111.Exchange, now: float) -> None:
        """Both are those of the text, as long as the numbers are small."""
        freshness = evaluated(
            exchange.response, status=exchange.status, requestTime=exchange.requested
        )
        self.assertEqual(freshness.lifetime, rfc9111.lifetime(exchange))
        age = rfc9111.age(exchange, now)
        self.assertEqual(freshness.age(now), int(min(age, DELTA_LIMIT)))

    @given(
        st.fixed_dictionaries(
            {},
            optional={
                name: st.text(st.characters(codec="latin-1"), max_size=20).map(
                    lambda text: "".join(
                        letter for letter in text if letter >= " " and letter != "\x7f"
                    ).strip(" \t")
                )
                for name in ("cache-control", "cdn-cache-control", "date", "age", "expires")
            },
        )
    )
    def test_anyOctets(self, response: dict[str, str]) -> None:
        """Nothing raises, and no lifetime is negative."""
        freshness = evaluated(response)
        self.assertGreaterEqual(freshness.lifetime, 0)
        self.assertLessEqual(freshness.freshUntil, freshness.staleWhileUntil)
        self.assertLessEqual(freshness.freshUntil, freshness.staleErrorUntil)
