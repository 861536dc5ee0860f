# -*- test-case-name: tests.policy.test_cachedirectives -*-
"""
RFC 9111 §5 through a whole front, and the directives of RFC 5861, 8246 and 9213.

Each test is about one directive, as in L{tests.policy.test_rfc9111}.
"""

from __future__ import annotations

from .test_rfc9111 import FRESH, SectionTestCase


class RequestTests(SectionTestCase):
    """§5.2.1 and §5.4: what clients ask for."""

    def test_theyArePassedOn(self) -> None:
        """§5.2: in both directions, known or not."""
        control = b'Cache-Control: max-age=0, x-unknown="a, b", no-transform'
        asked = self.exchange(b"Cache-Control: no-store, X-Other=1", asking=(control,))
        self.assertIn(control, asked)
        self.asks(target=b"/other")
        self.isAsked()
        self.answers(b"Cache-Control: max-age=5, X-Other=1")
        self.assertEqual(self.gets()[b"cache-control"], b"max-age=5, X-Other=1")

    def test_onceItIsFresh(self) -> None:
        """What of an age of 10, fresh for another 50 seconds, is good enough."""
        for line, used in (
            (b"Cache-Control: max-age=10", True),
            (b"Cache-Control: max-age=9", False),
            (b"Cache-Control: max-age=0", False),
            (b"Cache-Control: max-age=x", False),
            (b"Cache-Control: min-fresh=50", True),
            (b"Cache-Control: min-fresh=51", False),
            (b"Cache-Control: max-stale", True),
            (b"Cache-Control: no-cache", False),
            (b"Cache-Control: No-Cache", False),
            (b"Cache-Control: no-store", True),
            (b"Cache-Control: no-transform", True),
            (b"Cache-Control: only-if-cached", True),
            (b"Cache-Control: x", True),
            (b"Pragma: no-cache", False),
            (b"Pragma: x", True),
        ):
            self.begins()
            self.exchange(FRESH, b"Age: 10")
            (self.isUsed if used else self.isNotUsed)(line)
        self.begins()
        self.exchange(FRESH)
        # §5.4: it counts only where there is nothing else.
        self.isUsed(b"Pragma: no-cache", b"Cache-Control: max-age=60")

    def test_onceItIsStale(self) -> None:
        """What of an age of 10, stale for 5 seconds, is good enough."""
        for line, used in (
            (b"Cache-Control: max-stale", True),
            (b"Cache-Control: max-stale=5", True),
            (b"Cache-Control: max-stale=4", False),
            (b"Cache-Control: max-stale=x", False),
            (b"Cache-Control: max-age=20", False),
            (b"Cache-Control: max-age=20, max-stale=5", True),
            (b"Cache-Control: max-age=9, max-stale=5", False),
            (b"Cache-Control: min-fresh=1, max-stale", False),
            (b"X: y", False),
        ):
            self.begins()
            self.exchange(b"Cache-Control: max-age=5", b'ETag: "a"')
            self.scenario.passes(10)
            (self.isUsed if used else self.isNotUsed)(line)

    def test_noStore(self) -> None:
        """§5.2.1.5: nothing of the answer is stored."""
        self.exchange(FRESH, asking=(b"Cache-Control: no-store",))
        self.isNotUsed()

    def test_onlyIfCached(self) -> None:
        """§5.2.1.7: what is not good enough is a 504."""
        self.exchange(b"Cache-Control: max-age=5", b'ETag: "a"')
        self.scenario.passes(6)
        for line in (b"only-if-cached", b"only-if-cached, max-stale=0"):
            self.asks(b"Cache-Control: " + line, target=self.target)
            self.gets(504, b"")
        self.isNotAsked()
        self.isUsed(b"Cache-Control: only-if-cached, max-stale")


class ResponseTests(SectionTestCase):
    """§5.2.2: what origins say."""

    def test_whatForbids(self) -> None:
        """To store it, or to use it without asking."""
        for control in (
            *(b"no-store", b"private", b"no-cache", b"NO-STORE", b"Private"),
            *(b'no-cache=""', b"no-store=x", b'private="', b"private =x", b"no-cache=a;b"),
        ):
            self.begins()
            self.exchange(b"Cache-Control: max-age=60, " + control)
            self.isNotUsed()

    def test_fieldNames(self) -> None:
        """§5.2.2.4 and §5.2.2.7: then it is about these alone, which nobody else gets."""
        for control in (b'private="X-A, X-B"', b'no-cache="x-a,x-b"', b"no-cache=X-A, private=X-B"):
            self.begins()
            self.exchange(b"Cache-Control: max-age=60, " + control, b"X-A: 1", b"X-B: 1", b"X-C: 1")
            fields = self.isUsed()
            self.assertEqual({b"x-a", b"x-b", b"x-c"} & set(fields), {b"x-c"})

    def test_mustUnderstand(self) -> None:
        """§5.2.2.3: who knows the status ignores C{no-store}, who does not stores nothing."""
        for status in (200, 404, 503):
            self.begins()
            control = b"Cache-Control: max-age=60, no-store, must-understand"
            self.exchange(control, status=b"%d X" % status)
            self.isUsed(status=status)
        for control in (b"must-understand", b"no-store, must-understand"):
            self.begins()
            self.exchange(b"Cache-Control: max-age=60, " + control, status=b"299 X")
            self.isNotUsed()

    def test_pragma(self) -> None:
        """§5.4: of a response it means nothing."""
        self.exchange(FRESH, b"Pragma: no-cache")
        self.isUsed()

    def test_staleWhileRevalidate(self) -> None:
        """RFC 5861 §3: for so long it is used while it is validated, and no longer."""
        self.exchange(b"Cache-Control: max-age=5, stale-while-revalidate=10", b'ETag: "a"')
        self.scenario.passes(14)
        self.asks(target=self.target)
        self.gets(hit=True)
        self.isAsked(b'If-None-Match: "a"')
        # What nobody waits for may fail: then the next one asks.
        self.answers(status=b"500 No")
        self.scenario.passes(1)
        self.exchange(FRESH, b'ETag: "b"')
        self.isUsed()

    def test_whatIsValidatedMeanwhileIsForAll(self) -> None:
        """§4.3.1: by a request of ours, which does not say what one client wants of caches."""
        for line in (b"no-store", b"only-if-cached", b"no-transform"):
            self.begins()
            self.exchange(b"Cache-Control: max-age=5, stale-while-revalidate=60", b'ETag: "a"')
            self.scenario.passes(6)
            self.asks(b"Cache-Control: " + line, b"Pragma: x", target=self.target)
            self.gets(hit=True)
            asked = self.isAsked(b'If-None-Match: "a"')
            self.assertFalse([each for each in asked if each.startswith((b"Cache-C", b"Pragma"))])
            self.answers(FRESH, b'ETag: "b"')
            self.assertEqual(self.isUsed()[b"etag"], b'"b"')

    def test_unlessItSelects(self) -> None:
        """§4.3.1: what C{Vary} names is in it."""
        control = b"Cache-Control: no-transform"
        lines = (b"Cache-Control: max-age=5, stale-while-revalidate=60", b"Vary: Cache-Control")
        self.exchange(*lines, asking=(control,))
        self.scenario.passes(6)
        self.asks(control, target=self.target)
        self.gets(hit=True)
        self.isAsked(control)
        self.answers(FRESH, b"Vary: Cache-Control", b'ETag: "b"')
        self.assertEqual(self.isUsed(control)[b"etag"], b'"b"')

    def test_staleIfError(self) -> None:
        """RFC 5861 §4: for longer than the operator's hour, if it says so."""
        for control, age, used in (
            (b"max-age=5", 3604, True),
            (b"max-age=5", 3605, False),
            (b"max-age=5, stale-if-error=9999", 10003, True),
            (b"max-age=5, stale-if-error=9999", 10004, False),
        ):
            self.begins()
            self.exchange(b"Cache-Control: " + control, b'ETag: "a"', b"Age: %d" % age)
            self.asks(target=self.target)
            self.isAsked()
            self.answers(status=b"503 No", body=b"hello")
            self.gets(200 if used else 503)

    def test_immutable(self) -> None:
        """RFC 8246 §2: it says nothing of what is stale, and only a client's word counts more."""
        self.exchange(b"Cache-Control: max-age=60, immutable", b'ETag: "a"')
        self.isUsed()
        self.assertIn(b'If-None-Match: "a"', self.isNotUsed(b"Cache-Control: no-cache"))
        self.begins()
        self.exchange(b"Cache-Control: max-age=60, immutable", b'ETag: "a"')
        self.scenario.passes(60)
        self.isNotUsed()

    def test_targetedFields(self) -> None:
        """RFC 9213 §2.2: they replace the others, if they are valid and not empty."""
        no, yes = b"Cache-Control: no-store", FRESH
        for line, other, used in (
            (b"max-age=60", no, True),
            (b"max-age=60;x=1, y=?0", no, True),
            (b"max-age=60", b"Expires: 0", True),
            (b"max-age=9999999999", no, True),
            (b"no-store", yes, False),
            (b"no-cache", yes, False),
            (b"private", yes, False),
            (b"max-age=0", yes, False),
            (b"private=?0, max-age=60", no, True),
            (b"public", yes, False),
            (b"", yes, True),
            (b"", no, False),
            (b"max-age=60, &", no, False),
            (b'max-age="60"', no, False),
            (b"max-age=60.0", no, False),
            (b"max-age", no, False),
            (b"Max-Age=60", no, False),
            (b"max-age =60", yes, True),
            (b"max-age=1, max-age=60", no, True),
        ):
            self.begins()
            self.exchange(b"CDN-Cache-Control: " + line, other)
            (self.isUsed if used else self.isNotUsed)()
