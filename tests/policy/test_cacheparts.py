# -*- test-case-name: tests.policy.test_cacheparts -*-
"""
Partial responses in the cache, in transcripts (RFC 9111 §3.3, §3.4).
"""

from __future__ import annotations

from intermediary.policy.purging import Purge

from .test_cache import CacheTestCase

CONTENT = b"0123456789"


class PartTestCase(CacheTestCase):
    """An origin with ten octets, and a client that asks for some of them."""

    def part(self, first: int, last: int, *lines: bytes) -> None:
        """The client asks for a range, and the origin answers with it."""
        self.asks(b"Range: bytes=%d-%d" % (first, last))
        self.isAsked(b"Range: bytes=%d-%d" % (first, last))
        self.answersPart(first, last, *lines)
        self.gets(206, CONTENT[first : last + 1], hit=False)

    def answersPart(self, first: int, last: int, *lines: bytes) -> None:
        """The origin answers with a range."""
        self.answers(
            b"Content-Range: bytes %d-%d/10" % (first, last),
            b"Cache-Control: max-age=60",
            *lines,
            body=CONTENT[first : last + 1],
            status=b"206 Partial Content",
        )


class RestTests(PartTestCase):
    """What a stored part lacks is asked for (RFC 9111 §3.3)."""

    def test_theRestThatMayNotBeStored(self) -> None:
        """Is no answer to who wants the whole: that is asked for."""
        for line in (b"Vary: *", b"Set-Cookie: a=b"):
            target = b"/" + line[:3]
            self.asks(b"Range: bytes=0-3", target=target)
            self.isAsked()
            self.answersPart(0, 3, b'ETag: "a"')
            self.gets(206, CONTENT[:4], hit=False)
            self.asks(target=target)
            self.isAsked(b"Range: bytes=4-", b'If-Range: "a"')
            self.answersPart(4, 9, b'ETag: "a"', line)
            asked = self.isAsked()
            self.assertFalse([each for each in asked if each.startswith((b"Range", b"If-"))])
            self.answers(line, b"Cache-Control: max-age=60", body=CONTENT)
            self.gets(200, CONTENT, hit=False)


class StoringTests(PartTestCase):
    """What is within a stored part is answered from it (RFC 9111 §3.3)."""

    def test_whatIsWithinIsAHit(self) -> None:
        """Whichever way it is asked for."""
        self.part(4, 9)
        for value, first, last in (
            (b"bytes=4-9", 4, 9),
            (b"bytes=6-8", 6, 8),
            (b"bytes=7-", 7, 9),
            (b"bytes=-1", 9, 9),
        ):
            self.asks(b"Range: " + value)
            fields = self.gets(206, CONTENT[first : last + 1], hit=True)
            self.assertEqual(fields[b"content-range"], b"bytes %d-%d/10" % (first, last))

    def test_whatIsNotIsSentOn(self) -> None:
        """The whole as well, if it is not known to be of the same representation."""
        self.part(4, 9)
        self.asks(b"Range: bytes=2-5")
        self.isAsked(b"Range: bytes=2-5")
        self.answersPart(2, 5)
        fields = self.gets(206, CONTENT[2:6], hit=False)
        self.assertEqual(fields[b"cache-status"], b"test; fwd=partial; stored")
        self.asks()
        asked = self.isAsked()
        self.assertFalse([line for line in asked if line.startswith(b"Range")])
        self.answers(b"Cache-Control: max-age=60", body=CONTENT)
        self.gets(body=CONTENT, hit=False)
        self.asks(b"Range: bytes=0-1")
        self.gets(206, b"01", hit=True)

    def test_aHeadIsNoRange(self) -> None:
        """RFC 9110 §14.2: C{Range} is for GET."""
        self.part(4, 9, b'ETag: "a"')
        self.asks(b"Range: bytes=4-9", method=b"HEAD")
        asked = self.isAsked(method=b"HEAD")
        self.assertFalse([line for line in asked if line.startswith(b"If-")])
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 10", b"", b"")
        self.gets(200, b"", hit=False)

    def test_whatLiesIsNotStored(self) -> None:
        """A content that is not as long as its range, or a range of unknown length."""
        for value in (b"bytes 3-9/10", b"bytes 4-9/*", b"octets 4-9/10"):
            for _ in range(2):
                self.asks(b"Range: bytes=-6")
                self.isAsked()
                self.answers(
                    b"Content-Range: " + value,
                    b"Cache-Control: max-age=60",
                    body=CONTENT[4:],
                    status=b"206 Partial Content",
                )
                self.assertNotIn(b"stored", self.gets(206, CONTENT[4:])[b"cache-status"])

    def test_digestsOfContent(self) -> None:
        """That of a part is not that of less of it, nor of more (RFC 9530 §2)."""
        digest = (b"Content-Digest: sha-256=:cGFydA==:", b"Repr-Digest: sha-256=:d2hvbGU=:")
        self.part(4, 9, b'ETag: "a"', *digest)
        for value, octets, known in (
            (b"bytes=4-9", CONTENT[4:], True),
            (b"bytes=5-9", CONTENT[5:], False),
        ):
            self.asks(b"Range: " + value)
            fields = self.gets(206, octets, hit=True)
            self.assertEqual(b"content-digest" in fields, known)
            self.assertIn(b"repr-digest", fields)
        self.asks()
        self.isAsked(b"Range: bytes=0-3")
        self.answersPart(0, 3, b'ETag: "a"', b"Content-Digest: sha-256=:cmVzdA==:")
        for hit in (False, True):
            fields = self.gets(body=CONTENT, hit=hit)
            self.assertNotIn(b"content-digest", fields)
            self.assertEqual(fields[b"repr-digest"], b"sha-256=:d2hvbGU=:")
            if not hit:
                self.asks()

    def test_aStalePartIsValidated(self) -> None:
        """And answers again when it is found to be current."""
        self.part(4, 9, b'ETag: "a"')
        self.scenario.passes(61)
        self.asks(b"Range: bytes=4-5")
        self.isAsked(b"Range: bytes=4-5", b'If-None-Match: "a"')
        assert self.origin is not None
        self.origin.sends(
            b"HTTP/1.1 304 Not Modified", b'ETag: "a"', b"Cache-Control: max-age=60", b"", b""
        )
        self.gets(206, CONTENT[4:6])
        self.asks(b"Range: bytes=4-5")
        self.gets(206, CONTENT[4:6], hit=True)

    def test_aStaleWholeIsValidatedForARange(self) -> None:
        """With what the client says of its own part as well (RFC 9110 §13.2.2)."""
        self.stores(b"Cache-Control: max-age=60", b'ETag: "a"', body=CONTENT)
        self.scenario.passes(61)
        self.asks(b"Range: bytes=4-5", b'If-Range: "a"')
        self.isAsked(b"Range: bytes=4-5", b'If-None-Match: "a"', b'If-Range: "a"')
        assert self.origin is not None
        self.origin.sends(
            b"HTTP/1.1 304 Not Modified", b'ETag: "a"', b"Cache-Control: max-age=60", b"", b""
        )
        self.gets(206, CONTENT[4:6])
        self.asks()
        self.gets(body=CONTENT, hit=True)

    def test_aPartOfTheSameFreshensTheWhole(self) -> None:
        """RFC 9111 §3.4."""
        self.stores(b"Cache-Control: max-age=60", b'ETag: "a"', b"X: old", body=CONTENT)
        self.scenario.passes(61)
        self.part(4, 5, b'ETag: "a"', b"X: new")
        self.asks()
        self.assertEqual(self.gets(body=CONTENT, hit=True)[b"x"], b"new")

    def test_severalPartsSayNothingOfTheWhole(self) -> None:
        """Their C{Content-Type} is that of all of them together (RFC 9110 §15.3.7.2)."""
        self.stores(
            b"Cache-Control: max-age=1", b'ETag: "a"', b"Content-Type: text/css", body=CONTENT
        )
        self.scenario.passes(2)
        self.asks(b"Range: bytes=0-0,5-5")
        self.isAsked(b'If-None-Match: "a"')
        self.answers(
            b"Cache-Control: max-age=60",
            b'ETag: "a"',
            b"Content-Type: multipart/byteranges; boundary=x",
            body=b"--x and so on",
            status=b"206 Partial Content",
        )
        self.gets(206, b"--x and so on")
        self.asks()
        self.isAsked(b'If-None-Match: "a"')
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 304 Not Modified", b'ETag: "a"', b"", b"")
        self.assertEqual(self.gets(body=CONTENT)[b"content-type"], b"text/css")

    def test_aPartOfWhatIsAsLongIsOfTheSame(self) -> None:
        """An origin that gives two representations one tag says so by their lengths."""
        self.stores(b"Cache-Control: max-age=1", b'ETag: "a"', body=b"another one")
        self.scenario.passes(2)
        self.part(4, 5, b'ETag: "a"')
        self.asks(b"Range: bytes=4-5")
        self.gets(206, CONTENT[4:6], hit=True)
        self.asks()
        self.isAsked()
        self.answers(b"Cache-Control: max-age=60", b'ETag: "a"', body=CONTENT)
        self.gets(body=CONTENT, hit=False)

    def test_aPartIsNotOfAnError(self) -> None:
        """Whatever tag that had: it is not current any more."""
        self.asks()
        self.isAsked()
        self.answers(b"Cache-Control: max-age=1", b'ETag: "a"', status=b"404 Not Found")
        self.gets(404)
        self.scenario.passes(2)
        self.asks(b"Range: bytes=0-4")
        self.isAsked(b'If-None-Match: "a"')
        self.answersPart(0, 4, b'ETag: "a"')
        self.gets(206, CONTENT[:5], hit=False)
        self.asks(b"Range: bytes=0-4")
        self.gets(206, CONTENT[:5], hit=True)

    def test_aTagThatBecameWeakIsNoIfRange(self) -> None:
        """Who has a part by the strong one gets the whole, not all that is stored of it."""
        self.part(0, 4, b'ETag: "a"')
        self.scenario.passes(61)
        self.asks(b"Range: bytes=1-2", b'If-Range: "a"')
        self.isAsked(b'If-None-Match: "a"', b'If-Range: "a"')
        assert self.origin is not None
        self.origin.sends(
            b"HTTP/1.1 304 Not Modified", b'ETag: W/"a"', b"Cache-Control: max-age=60", b"", b""
        )
        asked = self.isAsked(b"Range: bytes=1-2", b'If-Range: "a"')
        self.assertFalse([each for each in asked if each.startswith(b"If-None-Match")])
        self.answers(b'ETag: W/"a"', b"Cache-Control: no-store", body=CONTENT)
        fields = self.gets(200, CONTENT, hit=False)
        self.assertNotIn(b"stored", fields[b"cache-status"])


class ViaTests(PartTestCase):
    """What updates a stored response came through here, too (RFC 9110 §7.6.3)."""

    def via(self) -> bytes:
        """Who is in C{Via} of what is stored."""
        self.asks()
        return self.gets(body=CONTENT, hit=True)[b"via"]

    def test_ofAHead(self) -> None:
        """RFC 9111 §4.3.5."""
        self.stores(b"Cache-Control: max-age=1", b'ETag: "a"', body=CONTENT)
        self.scenario.passes(2)
        self.asks(method=b"HEAD")
        self.isAsked(method=b"HEAD")
        assert self.origin is not None
        self.origin.sends(
            b"HTTP/1.1 200 OK", b"Cache-Control: max-age=60", b'ETag: "a"', b"Via: 1.0 x", b"", b""
        )
        self.gets(body=b"")
        self.assertEqual(self.via(), b"1.0 x, 1.1 test")

    def test_ofAPart(self) -> None:
        """RFC 9111 §3.4."""
        self.stores(b"Cache-Control: max-age=1", b'ETag: "a"', body=CONTENT)
        self.scenario.passes(2)
        self.part(0, 4, b'ETag: "a"', b"Via: 1.0 x")
        self.assertEqual(self.via(), b"1.0 x, 1.1 test")


class CombiningTests(PartTestCase):
    """Parts of the same representation become one (RFC 9111 §3.4)."""

    def test_theWholeIsCompleted(self) -> None:
        """Only what is missing is fetched."""
        for first, last, missing in ((0, 4, b"bytes=5-"), (5, 9, b"bytes=0-4")):
            self.setUp()
            self.part(first, last, b'ETag: "a"')
            self.asks()
            self.isAsked(b"Range: " + missing, b'If-Range: "a"')
            self.answersPart(*((5, 9) if first == 0 else (0, 4)), b'ETag: "a"')
            fields = self.gets(body=CONTENT, hit=False)
            self.assertNotIn(b"content-range", fields)
            self.assertIn(b"fwd=partial; fwd-status=206", fields[b"cache-status"])
            self.asks()
            self.assertNotIn(b"content-range", self.gets(body=CONTENT, hit=True))
            self.scenario.finish()

    def test_aPartInTheMiddle(self) -> None:
        """What overlaps is there once, and the newer octets count."""
        self.part(0, 5, b'ETag: "a"')
        self.part(4, 7, b'ETag: "a"')
        self.asks(b"Range: bytes=1-6")
        self.gets(206, CONTENT[1:7], hit=True)
        self.part(7, 9, b'ETag: "a"')
        self.asks()
        self.gets(body=CONTENT, hit=True)

    def test_notOfAnother(self) -> None:
        """What does not belong together is fetched whole."""
        self.part(0, 4, b'ETag: "a"')
        self.asks()
        self.isAsked(b"Range: bytes=5-")
        self.answersPart(5, 9, b'ETag: "b"')
        asked = self.isAsked()
        self.assertFalse([line for line in asked if line.startswith((b"Range", b"If-"))])
        self.answers(b"Cache-Control: max-age=60", b'ETag: "b"', body=b"abcdefghij")
        self.gets(body=b"abcdefghij", hit=False)

    def test_orTheOriginSendsTheWhole(self) -> None:
        """As the part is not current (RFC 9110 §13.1.5)."""
        self.part(0, 4, b'ETag: "a"')
        self.asks()
        self.isAsked(b'If-Range: "a"')
        self.answers(b"Cache-Control: max-age=60", b'ETag: "b"', body=b"abcdefghij")
        self.gets(body=b"abcdefghij", hit=False)
        self.asks()
        self.gets(body=b"abcdefghij", hit=True)

    def test_fieldsOfBoth(self) -> None:
        """
        What the rest of a part comes with updates what is stored, and is not all of it.

        To who has the rest already, an origin does not say again what it said of the part
        (RFC 9110 §15.3.7, RFC 9111 §3.4).
        """
        for target, asking in ((b"/a", ()), (b"/b", (b"Range: bytes=5-",))):
            self.asks(b"Range: bytes=0-4", target=target)
            self.isAsked()
            self.answersPart(
                0, 4, b'ETag: "a"', b"Content-Type: text/css", b"X: old", b"Cache-Tag: t", b"Age: 9"
            )
            self.gets(206, CONTENT[:5])
            self.asks(*asking, target=target)
            self.isAsked(b"Range: bytes=5-")
            self.answersPart(5, 9, b'ETag: "a"', b"X: new")
            self.gets(206 if asking else 200, CONTENT[5:] if asking else CONTENT)
            self.asks(target=target)
            fields = self.gets(body=CONTENT, hit=True)
            self.assertEqual(fields[b"content-type"], b"text/css")
            self.assertEqual(fields[b"x"], b"new")
            # It is as old as what came last.
            self.assertEqual(fields[b"age"], b"0")
        self.assertEqual(self.scenario.cache.purge(Purge.ofTag(b"t")), 2)

    def test_whatMayNotBeStoredTogether(self) -> None:
        """That is decided anew by the fields of both."""
        private = b"Cache-Control: private"
        self.asks(b"Range: bytes=0-4")
        self.isAsked()
        self.answers(
            b"Content-Range: bytes 0-4/10",
            private,
            b"CDN-Cache-Control: max-age=60",
            b'ETag: "a"',
            body=CONTENT[:5],
            status=b"206 Partial Content",
        )
        self.assertIn(b"; stored", self.gets(206, CONTENT[:5])[b"cache-status"])
        self.asks(b"Range: bytes=5-")
        self.isAsked()
        self.answers(
            b"Content-Range: bytes 5-9/10",
            # Which is no such thing: what stands beside it counts.
            b"CDN-Cache-Control: =",
            b'ETag: "a"',
            b"Last-Modified: " + self.now(-1000),
            body=CONTENT[5:],
            status=b"206 Partial Content",
        )
        self.assertNotIn(b"stored", self.gets(206, CONTENT[5:])[b"cache-status"])

    def test_ifRangeWithoutRangeMeansNothing(self) -> None:
        """RFC 9110 §13.1.5: it is not sent beside that for the rest."""
        self.part(0, 4, b'ETag: "a"')
        self.asks(b'If-Range: "b"')
        asked = self.isAsked(b"Range: bytes=5-")
        self.assertEqual([each for each in asked if each.startswith(b"If-")], [b'If-Range: "a"'])
        self.answersPart(5, 9, b'ETag: "a"')
        self.gets(body=CONTENT)

    def test_weakTagsAreNotEnough(self) -> None:
        """RFC 9111 §3.4."""
        self.part(0, 4, b'ETag: W/"a"')
        self.part(5, 9, b'ETag: W/"a"')
        self.asks(b"Range: bytes=0-4")
        self.isAsked(b"Range: bytes=0-4")
        self.answersPart(0, 4)
        self.gets(206, CONTENT[:5], hit=False)

    def test_whatWasLetGoIsNotStoredAgain(self) -> None:
        """A part tells that the whole is still current, of which some is gone by now."""
        self.asks()
        self.isAsked()
        self.answers(b"Cache-Control: max-age=1", b'ETag: "a"', body=CONTENT)
        self.gets(body=CONTENT)
        self.scenario.passes(2)
        self.asks(b"Range: bytes=0-1")
        self.isAsked(b"Range: bytes=0-1", b'If-None-Match: "a"')
        store = self.scenario.cache.store
        [entry] = store.find(b"site http://a/").entries
        store.remove(entry)
        entry.body.start = 5
        self.answersPart(0, 1, b'ETag: "a"')
        self.gets(206, CONTENT[:2], hit=False)
        self.assertEqual(store.count, 0)
