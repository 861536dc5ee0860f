# -*- test-case-name: tests.wire.test_storing -*-
"""
L{intermediary.wire.storing} and L{intermediary.wire.rules}: what may be stored.
"""

from __future__ import annotations

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from intermediary.wire.fields import EMPTY, Fields
from intermediary.wire.rules import CacheRules
from intermediary.wire.storing import (
    HEURISTICALLY_CACHEABLE,
    NEVER_STORED,
    UNDERSTOOD,
    plainlyForbids,
    readControl,
    readVary,
    storableStatuses,
    storedFields,
    unmergedNames,
)
from intermediary.wire.targeted import chooseControl

from . import rfc9111
from .caching import NOW, dated, exchanges, fieldsOf, why


class MethodTests(SynchronousTestCase):
    """Methods: RFC 9110 §9.2.3."""

    def test_getAndHead(self) -> None:
        """Their answers may be stored, those of others not."""
        for method in (b"GET", b"HEAD"):
            self.assertIsNone(why({"cache-control": "max-age=5"}, method=method))
        for method in (b"POST", b"PUT", b"OPTIONS", b"get", b"FOO"):
            self.assertEqual(why({"cache-control": "max-age=5"}, method=method), "method")

    def test_post(self) -> None:
        """With a lifetime, and as what a GET would have given (RFC 9110 §9.3.3)."""
        self.assertIsNone(why({"cache-control": "max-age=5"}, method=b"POST", ownLocation=True))
        self.assertIsNone(why({"expires": dated(5)}, method=b"POST", ownLocation=True))
        self.assertEqual(
            why({"cache-control": "public"}, method=b"POST", ownLocation=True), "method"
        )


class PlainTests(SynchronousTestCase):
    """L{plainlyForbids}: the most frequent reason, found out for less."""

    def test_whatForbids(self) -> None:
        """C{no-store} and C{private} without names, again and again."""
        for _ in (1, 2):
            for value in ("no-store", "max-age=0, No-Store", "private", 'private=""'):
                self.assertTrue(plainlyForbids(fieldsOf({"cache-control": value}), CacheRules()))

    def test_whatMayNot(self) -> None:
        """Whatever else decides has to be asked."""
        rules = CacheRules()
        for fields in (
            {},
            {"cache-control": "no-cache"},
            {"cache-control": "no-store, must-understand"},
            {"cache-control": 'private="x"'},
            {"cache-control": "no-store", "cdn-cache-control": "max-age=9"},
        ):
            self.assertFalse(plainlyForbids(fieldsOf(fields), rules), fields)
        forbidding = fieldsOf({"cache-control": "no-store"})
        for rules in (
            CacheRules(ignored=frozenset((b"no-store",))),
            CacheRules(ignoredFields=frozenset((b"cache-control",))),
        ):
            self.assertFalse(plainlyForbids(forbidding, rules))

    def test_itIsNotedByTheRules(self) -> None:
        """Others may say otherwise of the same fields."""
        fields = fieldsOf({"cache-control": "no-store", "x-control": "max-age=9"})
        strict = CacheRules()
        lax = CacheRules(targeted=(b"x-control",))
        for _ in range(2):
            self.assertTrue(plainlyForbids(fields, strict))
            self.assertFalse(plainlyForbids(fields, lax))

    @given(exchanges)
    def test_itIsNeverStoredThen(self, exchange: rfc9111.Exchange) -> None:
        """By what decides about all."""
        if plainlyForbids(fieldsOf(exchange.response), CacheRules()):
            self.assertIsNotNone(
                why(exchange.response, request=exchange.request, status=exchange.status)
            )


class StatusTests(SynchronousTestCase):
    """Statuses: RFC 9111 §3."""

    def test_anyWithALifetime(self) -> None:
        """Final ones, known or not, if they state a lifetime or are public."""
        for status in (200, 201, 203, 204, 299, 301, 302, 303, 307, 308, 400, 403, 404, 410):
            self.assertIsNone(why({"cache-control": "max-age=5"}, status=status), status)
        for status in (451, 499, 500, 501, 502, 503, 504, 599):
            self.assertIsNone(why({"cache-control": "public"}, status=status), status)
            self.assertIsNone(why({"expires": "0"}, status=status), status)

    def test_heuristicallyCacheable(self) -> None:
        """RFC 9110 §15.1: these alone need no lifetime."""
        for status in range(200, 600):
            reason = why({}, status=status)
            if status in HEURISTICALLY_CACHEABLE:
                self.assertIsNone(reason, status)
            else:
                self.assertIn(reason, ("no lifetime", "status"), status)

    def test_never(self) -> None:
        """What depends on more than the key has."""
        for status in (100, 103, *NEVER_STORED):
            self.assertEqual(why({"cache-control": "public"}, status=status), "status")

    def test_partial(self) -> None:
        """A 206, to a GET, where that is supported."""
        self.assertIsNone(why({"cache-control": "max-age=5"}, status=206))
        self.assertEqual(why({"cache-control": "max-age=5"}, status=206, method=b"HEAD"), "partial")
        self.assertEqual(
            why({"cache-control": "max-age=5"}, status=206, rules=CacheRules(partial=False)),
            "partial",
        )

    def test_operatorsStatuses(self) -> None:
        """Lifetimes make statuses cacheable; one for all does, of those that are no errors."""
        self.assertIsNone(why({}, status=502, rules=CacheRules(lifetimes={502: 1})))
        self.assertEqual(why({}, status=503, rules=CacheRules(lifetimes={502: 1})), "no lifetime")
        for status in (201, 202, 302, 307):
            self.assertIsNone(why({}, status=status, rules=CacheRules(forcedSeconds=5)), status)
        for status in (400, 401, 403, 500, 503):
            reason = why({}, status=status, rules=CacheRules(forcedSeconds=5))
            self.assertEqual(reason, "no lifetime", status)

    def test_namesOfStatuses(self) -> None:
        """Of one, or of a class, without those that are never stored."""
        self.assertEqual(storableStatuses("404"), (404,))
        self.assertEqual(len(storableStatuses("2xx")), 100)
        fours = storableStatuses("4xx")
        self.assertIn(499, fours)
        self.assertNotIn(429, fours)
        for name in (
            "",
            "304",
            "429",
            "100",
            "1xx",
            "6xx",
            "600",
            "xx",
            "4x",
            "4XX",
            "x04",
            "40",
            "٤04",
        ):
            self.assertEqual(storableStatuses(name), (), name)

    def test_mustUnderstand(self) -> None:
        """It suspends C{no-store} where the status is understood (RFC 9111 §5.2.2.3)."""
        control = {"cache-control": "max-age=5, no-store, must-understand"}
        self.assertIsNone(why(control))
        self.assertEqual(why(control, status=599), "must-understand")
        self.assertEqual(
            why({"cache-control": "max-age=5, must-understand"}, status=599), "must-understand"
        )
        self.assertTrue(UNDERSTOOD.isdisjoint(NEVER_STORED))


class DirectiveTests(SynchronousTestCase):
    """Directives of response and request."""

    def test_noStore(self) -> None:
        """Of the response (§5.2.2.5) and of the request (§5.2.1.5)."""
        for control in ("no-store", "No-StOrE", "max-age=5, no-store", "no-store=x", "no-store ="):
            self.assertEqual(why({"cache-control": control}), "no-store", control)
        self.assertEqual(
            why({"cache-control": "max-age=5"}, request={"cache-control": "a, no-store"}),
            "no-store asked",
        )

    def test_private(self) -> None:
        """All of the response, unless it names fields (§5.2.2.7)."""
        for control in ("private", "max-age=5, private", 'private=""', 'private="a b"'):
            self.assertEqual(why({"cache-control": control}), "private", control)
        self.assertIsNone(why({"cache-control": 'max-age=5, private="a"'}))

    def test_noCacheIsStored(self) -> None:
        """It has to be validated, that is all (§5.2.2.4)."""
        self.assertIsNone(why({"cache-control": "no-cache"}))

    def test_ignoredByTheOperator(self) -> None:
        """As if the response had not said it."""
        rules = CacheRules(ignored=frozenset({b"no-store", b"private"}))
        self.assertIsNone(why({"cache-control": "no-store, private"}, rules=rules))
        self.assertIsNone(why({"cache-control": "max-age=1"}, rules=rules))

    def test_targeted(self) -> None:
        """RFC 9213 §2.2: it decides alone."""
        self.assertIsNone(why({"cache-control": "no-store", "cdn-cache-control": "max-age=10000"}))
        for value in ("no-store", "private"):
            self.assertIsNotNone(
                why({"cdn-cache-control": value, "cache-control": "max-age=5"}), value
            )
        for value in ('max-age="10000"', "max-age=10000, &&&&&", "MaX-aGe=5"):
            self.assertEqual(
                why({"cache-control": "no-store", "cdn-cache-control": value}), "no-store", value
            )

    def test_varyByEverything(self) -> None:
        """It would match no request (§4.1)."""
        for value in ("*", "*, *", ", *", "*, Foo", "Foo, *", "Foo bar"):
            self.assertEqual(why({"cache-control": "max-age=5", "vary": value}), "vary", value)
        self.assertIsNone(why({"cache-control": "max-age=5", "vary": "Foo, Bar"}))

    def test_pragmaOfAResponse(self) -> None:
        """It means nothing (§5.4)."""
        self.assertIsNone(why({"cache-control": "max-age=5", "pragma": "no-cache"}))


class CredentialTests(SynchronousTestCase):
    """C{Authorization} and cookies."""

    def test_authorization(self) -> None:
        """Only if the response allows a shared cache to have it (§3.5)."""
        request = {"authorization": "Basic YTpi"}
        for control, reason in (
            ("max-age=5", "authorization"),
            ("proxy-revalidate, max-age=5", "authorization"),
            ("max-age=5, public", None),
            ("max-age=5, must-revalidate", None),
            ("s-maxage=5", None),
        ):
            self.assertEqual(why({"cache-control": control}, request=request), reason, control)
        self.assertEqual(why({"expires": dated(100)}, request=request), "authorization")

    def test_setCookie(self) -> None:
        """Is not stored, unless the response says how to store it without its cookie."""
        for control, reason in (
            ("max-age=5", "set-cookie"),
            ("public", "set-cookie"),
            ("s-maxage=5, public", "set-cookie"),
            ("no-cache", "set-cookie"),
            ("foo", "set-cookie"),
            ('no-cache="Set-Cookie"', None),
            ('private="set-cookie", max-age=5', None),
            ('private="set-cookie2", max-age=5', "set-cookie"),
        ):
            self.assertEqual(why({"cache-control": control, "set-cookie": "a=b"}), reason, control)
        self.assertEqual(why({"expires": dated(9), "set-cookie": "a=b"}), "set-cookie")

    def test_setCookieByTheOperator(self) -> None:
        """With its cookie, where it says itself that others may have it; by no guess (§7.3)."""
        for control, reason in (
            ("max-age=5", None),
            ("public", None),
            ("s-maxage=5", None),
            ("no-cache", "set-cookie"),
            ("foo", "set-cookie"),
            ('no-cache="Set-Cookie"', None),
        ):
            response = {"cache-control": control, "set-cookie": "a=b"}
            self.assertEqual(why(response, rules=CacheRules(storeCookies=True)), reason, control)
        for rules in (
            CacheRules(storeCookies=True),
            CacheRules(storeCookies=True, lifetimes={200: 5}),
            CacheRules(storeCookies=True, forcedSeconds=5),
        ):
            self.assertEqual(why({"set-cookie": "a=b"}, rules=rules), "set-cookie")
            self.assertIsNone(why({"expires": dated(9), "set-cookie": "a=b"}, rules=rules))

    def test_cookiesThatAreIgnored(self) -> None:
        """They are as if the response said that they are for one client alone."""
        rules = CacheRules(ignoredFields=frozenset({b"set-cookie"}))
        for control, reason, kept in (
            ("max-age=5", None, {"date", "x"}),
            ("foo", None, {"date", "x"}),
            ("no-cache", None, {"date", "x"}),
            ('no-cache="x"', None, {"date"}),
            ('private="x"', None, {"date"}),
            ('private="set-cookie"', None, {"date", "x"}),
            ("private", "private", None),
            ('private=""', "private", None),
            ("no-store", "no-store", None),
        ):
            response = {"cache-control": control, "set-cookie": "a=b", "x": "y"}
            self.assertEqual(why(response, rules=rules), reason, control)
            if kept is not None:
                fields = Fields.fromPairs(
                    [(name.encode(), value.encode()) for name, value in response.items()]
                )
                stored = storedFields(fields, readControl(fields, rules), NOW)
                names = {name.lower().decode() for name, _ in stored}
                self.assertEqual(names, kept | {"cache-control"}, control)
        self.assertIsNone(why({"cache-control": "max-age=5"}, rules=rules))

    def test_fieldsThatAreIgnored(self) -> None:
        """What is in them counts for nothing; a targeted field does."""
        rules = CacheRules(ignoredFields=frozenset({b"cache-control", b"expires", b"vary"}))
        for control in ("no-store", "private", "max-age=0"):
            self.assertIsNone(why({"cache-control": control}, rules=rules), control)
            targeted = {"cache-control": "max-age=5", "cdn-cache-control": control}
            self.assertEqual(why(targeted, rules=rules), why({"cache-control": control}))
        self.assertEqual(
            why({"cache-control": "max-age=5", "expires": dated(5)}, status=403, rules=rules),
            "no lifetime",
        )
        self.assertIsNone(why({"vary": "*"}, rules=rules))
        self.assertEqual(readVary(Fields.fromPairs([(b"Vary", b"A, b")]), rules), ())
        self.assertEqual(
            readVary(Fields.fromPairs([(b"Vary", b"A, b")]), CacheRules()), (b"a", b"b")
        )

    def test_authorizedByTheOperator(self) -> None:
        """Whatever the response says of it."""
        request = {"authorization": "Basic YTpi"}
        rules = CacheRules(authorized=True)
        self.assertIsNone(why({"cache-control": "max-age=5"}, request=request, rules=rules))

    def test_cookiesOfARequest(self) -> None:
        """They do not matter: what varies by them has to say so."""
        self.assertIsNone(why({"cache-control": "max-age=5"}, request={"cookie": "a=b"}))


class FieldTests(SynchronousTestCase):
    """L{storedFields}: RFC 9111 §3.1."""

    def test_whatIsLeftOut(self) -> None:
        """The connection, the proxy, and what directives name."""
        fields = Fields.fromPairs(
            [
                (b"Connection", b"x-hop"),
                (b"X-Hop", b"1"),
                (b"Keep-Alive", b"1"),
                (b"Proxy-Authenticate", b"Basic"),
                (b"Proxy-Authentication-Info", b"a"),
                (b"Proxy-Status", b"a"),
                (b"Content-Length", b"3"),
                (b"Cache-Control", b'no-cache="a, B", private="c", max-age=5'),
                (b"A", b"1"),
                (b"b", b"2"),
                (b"C", b"3"),
                (b"D", b"4"),
                (b"Content-Range", b"x"),
                (b"Set-Cookie", b"a=b"),
                (b"Date", b"foo"),
            ]
        )
        kept = storedFields(fields, chooseControl(fields, ()), NOW)
        self.assertEqual(
            list(kept.index),
            [b"proxy-status", b"cache-control", b"d", b"content-range", b"set-cookie", b"date"],
        )

    def test_usually(self) -> None:
        """Nothing is left out, and nothing is copied."""
        fields = Fields.fromPairs([(b"Cache-Control", b"max-age=5"), (b"Date", b"1")])
        self.assertIs(storedFields(fields, chooseControl(fields, ()), NOW), fields)

    def test_dates(self) -> None:
        """What has none is from when it was received (RFC 9110 §6.6.1)."""
        kept = storedFields(EMPTY, chooseControl(EMPTY, ()), NOW)
        self.assertEqual(kept.pairs, [(b"Date", dated(0).encode())])


class MergingTests(SynchronousTestCase):
    """L{unmergedNames}: what a 304 brings and is not stored."""

    def test_cookies(self) -> None:
        """Unless cookies are stored; and what the directives name."""
        for control, stored, names in (
            ("max-age=5", False, {b"set-cookie"}),
            ("max-age=5", True, set()),
            ('private="a", no-cache="b"', False, {b"a", b"b", b"set-cookie"}),
            ('private="a", no-cache="b"', True, {b"a", b"b"}),
        ):
            directives = chooseControl(fieldsOf({"cache-control": control}), ()).directives
            rules = CacheRules(storeCookies=stored)
            self.assertEqual(unmergedNames(directives, rules), names, control)


class OracleTests(SynchronousTestCase):
    """Against the text of RFC 9111 §3."""

    @given(exchanges)
    def test_mayStore(self, exchange: rfc9111.Exchange) -> None:
        """Exactly what the text allows is stored."""
        reason = why(
            exchange.response,
            request=exchange.request,
            method=exchange.method.encode(),
            status=exchange.status,
        )
        self.assertEqual(reason is None, rfc9111.mayStore(exchange), reason)
