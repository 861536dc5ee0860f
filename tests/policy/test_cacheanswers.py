# -*- test-case-name: tests.policy.test_cacheanswers -*-
"""
Which stored response is the answer, and what of it, in transcripts (RFC 9111 §4).
"""

from __future__ import annotations

from intermediary.policy.purging import Purge

from .test_cache import CacheTestCase


class VariantTests(CacheTestCase):
    """Responses that were stored for other requests (RFC 9111 §4.1)."""

    def test_anotherVariantMayBeTheAnswer(self) -> None:
        """The origin says so by its entity-tag, and need not send it (RFC 9111 §4.1)."""
        self.stores(b"Cache-Control: max-age=60", b"Vary: User-Agent", b'ETag: "a"')
        self.asks(b"User-Agent: b")
        asked = self.isAsked(b'If-None-Match: "a"', b"User-Agent: b")
        self.assertFalse([line for line in asked if line.startswith(b"If-Modified")])
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 304 Not Modified", b'ETag: "a"', b"", b"")
        self.assertEqual(
            self.gets()[b"cache-status"],
            b"test; fwd=vary-miss; fwd-status=304; ttl=60; stored",
        )
        for lines in ((b"User-Agent: b",), ()):
            self.asks(*lines)
            self.gets(hit=True)
        self.assertEqual(self.scenario.cache.store.count, 2)

    def test_aHeadTellsOfOneOfThemAlone(self) -> None:
        """What another request selects is as fresh as it was (RFC 9111 §4.3.5)."""
        self.stores(b"Cache-Control: max-age=60", b"Vary: User-Agent", b'ETag: "a"')
        self.asks(b"User-Agent: b")
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 304 Not Modified", b'ETag: "a"', b"", b"")
        self.gets()
        self.asks(b"User-Agent: b", b"Cache-Control: no-cache", method=b"HEAD")
        self.isAsked(method=b"HEAD")
        self.origin.sends(b"HTTP/1.1 200 OK", b'ETag: "b"', b"Content-Length: 9", b"", b"")
        self.gets(body=b"")
        self.asks()
        self.assertEqual(self.gets(hit=True)[b"cache-status"], b"test; hit; ttl=60")
        self.asks(b"User-Agent: b")
        self.isAsked(b'If-None-Match: "a"')

    def test_whatIsOnlyAlikeIsNoOther(self) -> None:
        """A weak entity-tag is no proof across variants, nor is a 304 without one."""
        self.stores(b"Cache-Control: max-age=60", b"Vary: User-Agent", b'ETag: W/"a"')
        self.asks(b"User-Agent: b")
        asked = self.isAsked()
        self.assertFalse([line for line in asked if line.startswith(b"If-")])
        self.answers(b"Cache-Control: max-age=60", b"Vary: User-Agent", b'ETag: "b"', body=b"b")
        self.gets(body=b"b", hit=False)
        self.asks(b"User-Agent: c")
        self.isAsked(b'If-None-Match: "b"')
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 304 Not Modified", b"", b"")
        asked = self.isAsked()
        self.assertFalse([line for line in asked if line.startswith(b"If-")])
        self.answers(b"Cache-Control: max-age=60", b"Vary: User-Agent", body=b"c")
        self.gets(body=b"c", hit=False)

    def test_aCodingThatTheClientDoesNotNameIsNoOther(self) -> None:
        """Even if the origin gives all codings the same strong entity-tag."""
        lines = (b"Cache-Control: max-age=60", b"Vary: Accept-Encoding", b'ETag: "a"')
        self.asks(b"Accept-Encoding: gzip")
        self.isAsked()
        self.answers(*lines, b"Content-Encoding: gzip", body=b"zipped")
        self.gets(body=b"zipped", hit=False)
        self.asks()
        asked = self.isAsked()
        self.assertFalse([line for line in asked if line.startswith(b"If-")])
        self.answers(*lines, body=b"plain")
        self.gets(body=b"plain", hit=False)
        self.asks(b"Accept-Encoding: gzip, br")
        self.isAsked(b'If-None-Match: "a"')
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 304 Not Modified", b'ETag: "a"', b"", b"")
        self.gets(body=None)

    def test_norIsItWhenTheOwnOneIsStale(self) -> None:
        """The entity-tags of others go with the request only where they would do."""
        lines = (b"Vary: Accept-Encoding", b"Cache-Control: max-age=1")
        for coding, tag in ((b"identity", b'"old"'), (b"gzip", b'"new"')):
            self.asks(b"Accept-Encoding: " + coding)
            self.isAsked()
            self.answers(*lines, b"Content-Encoding: " + coding, b"ETag: " + tag)
            self.gets(hit=False)
        self.scenario.passes(2)
        self.asks(b"Accept-Encoding: identity")
        self.isAsked(b'If-None-Match: "old"')
        self.answers(*lines, b'ETag: "new"', body=b"plain")
        self.gets(body=b"plain")
        self.asks(b"Accept-Encoding: gzip, identity")
        self.isAsked(b'If-None-Match: "new"')
        self.answers(b"Cache-Control: no-store")
        self.gets()

    def test_whoPrefersALanguageGetsIt(self) -> None:
        """If it is stored, whatever else the client takes (RFC 9111 §4.1)."""
        self.asks(b"Accept-Language: en, de")
        self.isAsked()
        self.answers(
            b"Cache-Control: max-age=60", b"Vary: Accept-Language", b"Content-Language: de"
        )
        self.gets(hit=False)
        self.asks(b"Accept-Language: fr;q=0.5, de")
        self.gets(hit=True)
        self.asks(b"Accept-Language: fr, de")
        self.isAsked()
        self.answers()
        self.gets(hit=False)

    def test_theLatestByItsDateAnswers(self) -> None:
        """Also where the other came later, and varies by nothing (RFC 9111 §4)."""
        for lines, ago, body in (
            ((b"Vary: User-Agent",), 0, b"newer"),
            ((), -30, b"older"),
        ):
            self.asks(b"Cache-Control: no-cache")
            self.isAsked()
            assert self.origin is not None
            self.origin.sends(
                b"HTTP/1.1 200 OK",
                b"Date: " + self.now(ago),
                b"Cache-Control: max-age=60",
                b"Content-Length: 5",
                *lines,
                b"",
                body,
            )
            self.gets(body=body, hit=False)
        self.asks()
        self.gets(body=b"newer", hit=True)
        self.asks(b"User-Agent: other")
        self.gets(body=b"older", hit=True)


class OriginTestCase(CacheTestCase):
    """An origin that confirms what is stored."""

    def confirms(self, *lines: bytes) -> None:
        """The origin answers with a 304."""
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 304 Not Modified", *lines, b"", b"")


class AnswerTests(OriginTestCase):
    """Answers of origins that are more, or less, than they seem."""

    def test_a304ToWhatWasNotConditionalAnyMoreIsNone(self) -> None:
        """
        Where the client's preconditions were left out, for the sake of others.

        It can't be about what that client has.
        """
        self.asks(b'If-None-Match: "a"')
        asked = self.isAsked()
        self.assertFalse([line for line in asked if line.startswith(b"If-")])
        self.confirms(b'ETag: "a"')
        self.gets(502, None)

    def test_a304IsForTheClientIfItIsAboutWhatThatHas(self) -> None:
        """Or else it would take for current what nobody has asked about (RFC 9111 §4.3.2)."""
        self.stores(b"Cache-Control: max-age=1", b'ETag: "a"', b"Last-Modified: " + self.now(-99))
        self.scenario.passes(2)
        for own, answer, passed in (
            (b'If-None-Match: "c"', b'ETag: W/"c"', True),
            (b'If-None-Match: "c"', b'ETag: "b"', False),
            (b'If-None-Match: "c"', b"Last-Modified: " + self.now(), False),
            (b"If-Modified-Since: " + self.now(-9), b"Last-Modified: " + self.now(-10), True),
            (b"If-Modified-Since: " + self.now(-9), b"Last-Modified: " + self.now(-8), False),
            (b"If-Modified-Since: " + self.now(-9), b'ETag: "b"', False),
        ):
            # On its own, so that what it has is asked about in the second place.
            self.asks(own, b"Cache-Control: no-cache")
            self.isAsked()
            self.confirms(answer)
            if not passed:
                self.isAsked(own)
                self.confirms(answer)
            self.gets(304, b"")

    def test_a304ForTheClientRemovesNothing(self) -> None:
        """What has no validator was not asked about."""
        self.stores(b"Cache-Control: max-age=60")
        self.asks(b"Cache-Control: no-cache", b'If-None-Match: "a"')
        self.isAsked(b'If-None-Match: "a"')
        self.confirms(b'ETag: "a"')
        self.gets(304, b"")
        self.asks()
        self.gets(hit=True)

    def test_a304AboutSomethingElseIsNoAnswer(self) -> None:
        """The origin is asked again, without preconditions (RFC 9111 §4.3.4)."""
        self.stores(b"Cache-Control: max-age=60", b'ETag: "a"')
        self.scenario.passes(61)
        self.asks()
        self.isAsked(b'If-None-Match: "a"')
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 304 Not Modified", b'ETag: "b"', b"", b"")
        asked = self.isAsked()
        self.assertFalse([line for line in asked if line.startswith(b"If-")])
        self.answers(b"Cache-Control: max-age=60", b'ETag: "b"', body=b"new")
        self.gets(body=b"new", hit=False)
        self.asks()
        self.gets(body=b"new", hit=True)

    def test_theAnswerToAPostMayBeThatToAGet(self) -> None:
        """If it says that it is, and for how long (RFC 9110 §9.3.3)."""
        for number, (lines, hit) in enumerate(
            (
                ((b"Content-Location: /0", b"Cache-Control: max-age=60"), True),
                ((b"Content-Location: http://a/1", b"Cache-Control: max-age=60"), True),
                ((b"Content-Location: /2",), False),
                ((b"Content-Location: /other", b"Cache-Control: max-age=60"), False),
                ((b"Cache-Control: max-age=60",), False),
            )
        ):
            target = b"/%d" % number
            self.asks(b"Content-Length: 0", b'If-None-Match: "a"', target=target, method=b"POST")
            self.isAsked(method=b"POST")
            self.answers(*lines, b'ETag: "a"', body=b"posted")
            status = self.gets(body=b"posted")[b"cache-status"]
            self.assertIn(b"fwd=method", status)
            self.assertEqual(b"; stored" in status, hit, status)
            self.asks(target=target)
            if not hit:
                self.isAsked()
                self.answers(body=b"got")
            self.gets(body=b"posted" if hit else b"got", hit=hit)

    def test_theFailureOfAPostIsNone(self) -> None:
        """Or anybody could put it in the place of what there is (RFC 9110 §8.7)."""
        for status in (b"404 Not Found", b"500 No", b"201 Created", b"202 Accepted"):
            target = b"/" + status[:3]
            self.asks(b"Content-Length: 0", target=target, method=b"POST")
            self.isAsked(method=b"POST")
            location = b"Content-Location: " + target
            self.answers(location, b"Cache-Control: max-age=60", status=status)
            self.assertNotIn(b"stored", self.gets(int(status[:3]))[b"cache-status"])
            self.asks(target=target)
            self.isAsked()
            self.answers(body=b"got")
            self.gets(body=b"got", hit=False)

    def test_whatIsPrivateIsForTheOneWhoAsked(self) -> None:
        """And is not stored; so with C{no-cache} (RFC 9111 §5.2.2.4, §5.2.2.7)."""
        first = self.stores(
            b'Cache-Control: max-age=60, private="set-cookie", no-cache="x"',
            b"Set-Cookie: a=b",
            b"X: y",
            b'ETag: "a"',
        )
        self.assertEqual((first[b"set-cookie"], first[b"x"]), (b"a=b", b"y"))
        self.asks()
        fields = self.gets(hit=True)
        self.assertNotIn(b"set-cookie", fields)
        self.assertNotIn(b"x", fields)
        self.scenario.passes(61)
        self.asks()
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(
            b"HTTP/1.1 304 Not Modified",
            b'ETag: "a"',
            b'Cache-Control: max-age=60, private="set-cookie"',
            b"Set-Cookie: c=d",
            b"",
            b"",
        )
        self.assertEqual(self.gets()[b"set-cookie"], b"c=d")
        self.asks()
        self.assertNotIn(b"set-cookie", self.gets(hit=True))


class UpdateTests(OriginTestCase):
    """What newer fields do to what is stored (RFC 9111 §3.2)."""

    def validates(self, *lines: bytes, method: bytes = b"GET") -> None:
        """What is stored is stale now, and the origin is asked."""
        self.scenario.passes(2)
        self.asks(*lines, method=method)
        self.isAsked(b'If-None-Match: "a"', method=method)

    def test_whoWantsNothingStoredUpdatesNothing(self) -> None:
        """That concerns any part of the answer (RFC 9111 §5.2.1.5)."""
        self.stores(b"Cache-Control: max-age=1", b'ETag: "a"')
        for method in (b"GET", b"HEAD"):
            self.validates(b"Cache-Control: no-store", method=method)
            self.confirms(b'ETag: "a"', b"Cache-Control: max-age=60", b"X: y")
            fields = self.gets(body=None)
            self.assertEqual(fields[b"x"], b"y")
            self.assertEqual(fields[b"cache-status"], b"test; fwd=stale; fwd-status=304; ttl=60")
        self.validates()
        self.confirms(b'ETag: "a"')
        self.assertNotIn(b"x", self.gets())

    def test_norWhoShowsCredentials(self) -> None:
        """Unless the answer says that others may have it (RFC 9111 §3.5)."""
        self.stores(b"Cache-Control: max-age=1", b'ETag: "a"')
        self.validates(b"Authorization: Basic eDp5")
        self.confirms(b'ETag: "a"', b"X: for you", b"Cache-Control: max-age=60")
        self.assertEqual(self.gets()[b"x"], b"for you")
        self.validates(b"Authorization: Basic eDp5")
        self.confirms(b'ETag: "a"', b"X: for all", b"Cache-Control: max-age=60, public")
        self.gets()
        self.asks()
        self.assertEqual(self.gets(hit=True)[b"x"], b"for all")

    def test_whatMayNotBeStoredAnyMoreIsUpdatedForTheClient(self) -> None:
        """It gets what the 304 says of it, and nobody else gets it."""
        self.stores(b"Cache-Control: max-age=1", b'ETag: "a"')
        self.validates()
        self.confirms(b'ETag: "a"', b"Cache-Control: private")
        fields = self.gets()
        self.assertEqual(fields[b"cache-control"], b"private")
        self.assertNotIn(b"stored", fields[b"cache-status"])
        self.asks()
        asked = self.isAsked()
        self.assertFalse([line for line in asked if line.startswith(b"If-")])
        self.answers()
        self.gets(hit=False)

    def test_whatIsPrivateStaysSo(self) -> None:
        """Also where the newer response does not repeat it: that brings fields, too."""
        self.stores(b'Cache-Control: max-age=1, private="x"', b'ETag: "a"', b"X: 1")
        self.validates()
        self.confirms(b'ETag: "a"', b"X: 2")
        self.assertEqual(self.gets()[b"x"], b"2")
        self.asks()
        self.assertNotIn(b"x", self.gets(hit=True))

    def test_itsVaryIsTheNewOne(self) -> None:
        """And the request that was validated has what it selects by (RFC 9111 §4.1)."""
        self.stores(b"Cache-Control: max-age=1", b'ETag: "a"')
        self.validates(b"X: y")
        self.confirms(b'ETag: "a"', b"Vary: X", b"Cache-Control: max-age=60")
        self.gets()
        self.asks(b"X: y")
        self.gets(hit=True)
        self.assertEqual(self.scenario.cache.store.count, 1)
        self.asks(b"X: z")
        self.isAsked(b'If-None-Match: "a"')
        self.answers(b"Vary: X", body=b"other")
        self.gets(body=b"other", hit=False)

    def test_itHasOneAge(self) -> None:
        """Which includes that of the newer response (RFC 9111 §4.2.3)."""
        self.stores(b"Cache-Control: max-age=1", b'ETag: "a"')
        self.validates()
        self.confirms(b'ETag: "a"', b"Age: 7", b"Cache-Control: max-age=60")
        self.assertEqual(self.gets()[b"age"], b"7")
        self.scenario.passes(3)
        self.asks()
        self.assertEqual(self.gets(hit=True)[b"age"], b"10")

    def test_whatIsGoneDoesNotComeBack(self) -> None:
        """A 304 may be from before a change, as what it is about is: the origin is asked again."""
        self.stores(b"Cache-Control: max-age=60", b'ETag: "a"')
        self.asks(b"Cache-Control: no-cache")
        self.isAsked(b'If-None-Match: "a"')
        self.isOvertaken()
        self.confirms(b'ETag: "a"', b"Cache-Control: max-age=60")
        self.assertNotIn(b'If-None-Match: "a"', self.isAsked(b"Cache-Control: no-cache"))
        self.answers(b"Cache-Control: max-age=60", body=b"new")
        self.assertIn(b"; stored", self.gets(body=b"new")[b"cache-status"])
        self.asks()
        self.gets(body=b"new", hit=True)

    def test_whatIsPurgedSoftlyMeanwhileIsStale(self) -> None:
        """Where it stands in for an error, it says so."""
        self.stores(b"Cache-Control: max-age=60")
        self.scenario.passes(2)
        self.asks(b"Cache-Control: max-age=1")
        self.isAsked()
        self.scenario.cache.purge(Purge.ofPrefix(b""), soft=True)
        self.scenario.passes(2)
        self.answers(status=b"503 Service Unavailable", body=b"no")
        self.assertEqual(self.gets()[b"cache-status"], b"test; fwd=request; fwd-status=503; ttl=-2")

    def test_whatWasPurgedSoftlyAndHasToBeValidatedKeepsNoErrorOut(self) -> None:
        """It can't stand in for that (RFC 9111 §5.2.2.2)."""
        self.stores(b"Cache-Control: max-age=60, must-revalidate", b"Vary: X")
        self.scenario.passes(1)
        self.scenario.cache.purge(Purge.ofPrefix(b""), soft=True)
        self.asks(b"X: y")
        self.isAsked()
        self.answers(b"Cache-Control: public", b'ETag: "b"', status=b"500 No", body=b"no")
        self.assertIn(b"; stored", self.gets(500, b"no")[b"cache-status"])

    def test_aHeadHasNoLengthOfAnError(self) -> None:
        """But that of what stands in for it, also while that is on its way (RFC 9110 §8.6)."""
        self.asks()
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(
            b"HTTP/1.1 200 OK", b"Cache-Control: max-age=1", b"Content-Length: 10", b"", b"01234"
        )
        self.client.takes()
        first, self.origin = self.origin, None
        self.scenario.passes(2)
        client, self.client = self.client, self.scenario.client()
        self.asks(method=b"HEAD")
        self.isAsked(method=b"HEAD")
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 503 Service Unavailable", b"Content-Length: 3", b"", b"")
        self.assertEqual(self.gets(body=b"")[b"content-length"], b"10")
        first.sends(b"56789")
        client.takes()
