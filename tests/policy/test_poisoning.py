# -*- test-case-name: tests.policy.test_poisoning -*-
"""
Clients that want others to get a wrong answer, and origins that lie.

What is tested here is promised in C{docs/caching.md}.
"""

from __future__ import annotations

from intermediary.settings import CacheSettings

from ..scenario import Scenario
from .test_cache import CacheTestCase

LONG = b"Cache-Control: max-age=60"


class KeyTests(CacheTestCase):
    """What an origin is told without its being part of the key."""

    def test_forwardingFieldsOfClients(self) -> None:
        """A client's own word is replaced by what is true, and by the host of the key."""
        self.asks(
            b"X-Forwarded-Host: evil.example",
            b"X-Forwarded-Proto: https",
            b"Forwarded: host=evil.example;proto=https",
        )
        lines = self.isAsked(b"Host: a", b"X-Forwarded-Host: a", b"X-Forwarded-Proto: http")
        self.assertNotIn(b"evil.example", b"\n".join(lines))
        self.answers(LONG)
        self.gets()

    def test_aTargetInAbsoluteForm(self) -> None:
        """Its authority is the host, for the key as for the origin (RFC 9112 §3.2.2)."""
        self.asks(target=b"http://b.example/")
        lines = self.isAsked(b"Host: b.example", b"X-Forwarded-Host: b.example")
        self.assertNotIn(b"Host: a", lines)
        self.answers(LONG, body=b"of b")
        self.gets(body=b"of b")
        self.asks()
        self.isAsked(b"Host: a")
        self.answers(LONG, body=b"of a")
        self.gets(body=b"of a", hit=False)
        self.client.sends(b"GET / HTTP/1.1", b"Host: b.example", b"", b"")
        self.gets(body=b"of b", hit=True)

    def test_encodedOctets(self) -> None:
        """What has one key goes to the origin in one form; a slash is never decoded."""
        self.asks(target=b"/%61/%2e%2E/b%2fc")
        lines = self.isAsked()
        self.assertTrue(lines[0].startswith(b"GET /b%2Fc "), lines)
        self.answers(LONG, body=b"encoded")
        self.gets(body=b"encoded")
        self.asks(target=b"/b/c")
        self.isAsked()
        self.answers(LONG, body=b"plain")
        self.gets(body=b"plain", hit=False)
        self.asks(target=b"/b%2Fc")
        self.gets(body=b"encoded", hit=True)

    def test_aMalformedEscape(self) -> None:
        """Is left alone, in the key and on the way."""
        self.asks(target=b"/%zz/%61")
        lines = self.isAsked()
        self.assertTrue(lines[0].startswith(b"GET /%zz/%61 "), lines)
        self.answers(LONG)
        self.gets()

    def test_aGetWithContent(self) -> None:
        """Is sent on, answered from nowhere and stored nowhere: no key has the content."""
        self.stores(LONG)
        self.client.sends(b"GET / HTTP/1.1", b"Host: a", b"Content-Length: 3", b"", b"x=y")
        self.isAsked()
        self.answers(LONG, body=b"of y")
        self.assertIn(b"fwd=bypass", self.gets(body=b"of y")[b"cache-status"])
        self.asks()
        self.gets(hit=True)

    def test_frontsDoNotShare(self) -> None:
        """Though they share the cache, and the target URI is the same."""
        self.stores(LONG)
        cache = self.scenario.cache
        other = Scenario(self)
        other.cache = cache
        other.forward()
        client = other.client()
        client.sends(b"GET http://a/ HTTP/1.1", b"Host: a", b"", b"")
        origin = other.accepts("http://a:80")
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 5", b"", b"other")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"other")


class DeceptionTests(CacheTestCase):
    """A victim is lured to a page of its own under a name that looks public."""

    def test_theNameOfATargetMeansNothing(self) -> None:
        """Only what the response says of itself makes it stored."""
        for lines in ((), (b"Cache-Control: private, max-age=60",), (b"Cache-Control: no-store",)):
            for _ in range(2):
                self.asks(b"Cookie: session=1", target=b"/account/x.css")
                self.isAsked(b"Cookie: session=1")
                self.answers(b"Content-Type: text/css", *lines)
                self.assertNotIn(b"stored", self.gets()[b"cache-status"])

    def test_anAnswerToCredentials(self) -> None:
        """A lifetime alone does not share it (RFC 9111 §3.5)."""
        for _ in range(2):
            self.asks(b"Authorization: Basic eDp5")
            self.isAsked(b"Authorization: Basic eDp5")
            self.answers(LONG)
            self.assertNotIn(b"stored", self.gets()[b"cache-status"])
        self.asks(b"Authorization: Basic eDp5")
        self.isAsked()
        self.answers(LONG + b", public")
        self.gets()
        self.asks()
        self.gets(hit=True)

    def test_anAnswerThatSetsACookie(self) -> None:
        """Is stored where it states a lifetime or is public, and by no guess."""
        modified = b"Last-Modified: " + self.now(-864000)
        self.asks(target=b"/guess")
        self.isAsked()
        self.answers(modified, b"Set-Cookie: a=b")
        self.assertNotIn(b"stored", self.gets()[b"cache-status"])
        self.asks(target=b"/named")
        self.isAsked()
        self.answers(LONG + b', no-cache="Set-Cookie"', b"Set-Cookie: a=b")
        self.gets()
        self.asks(target=b"/named")
        self.assertNotIn(b"set-cookie", self.gets(hit=True))


class LieTests(CacheTestCase):
    """An origin that is not to be believed."""

    def test_moreContentThanAnnounced(self) -> None:
        """What was announced is stored; what follows is nobody's answer."""
        self.asks()
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 200 OK", LONG, b"Content-Length: 5", b"", b"hello, victim")
        self.gets()
        self.origin.sees("closed")
        self.asks()
        self.gets(hit=True)

    def test_lessContentThanAnnounced(self) -> None:
        """Is an error to who reads it, and is stored for nobody (RFC 9111 §3.3)."""
        self.asks()
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 200 OK", LONG, b"Content-Length: 50", b"", b"hello")
        self.origin.ends()
        self.client.takes()
        self.client.sees("closed")
        self.client = self.scenario.client()
        self.asks()
        self.isAsked()
        self.answers(LONG, body=b"whole")
        self.gets(body=b"whole", hit=False)

    def test_aNotModifiedThatNobodyAskedFor(self) -> None:
        """Is an error, and changes nothing."""
        self.asks()
        self.isAsked()
        assert self.origin is not None
        self.origin.sends(b"HTTP/1.1 304 Not Modified", b'ETag: "a"', b"", b"")
        self.gets(502, None)
        self.asks()
        self.isAsked()
        self.answers(LONG)
        self.gets(hit=False)

    def test_absurdNumbers(self) -> None:
        """Overflow is a long time, what is no number is none (RFC 9111 §1.2.2, §4.2.1)."""
        for line, stored in (
            (b"Cache-Control: max-age=99999999999999999999", True),
            (b"Cache-Control: max-age=-1", False),
            (b"Cache-Control: max-age=1e9", False),
            (b"Cache-Control: max-age=60\r\nAge: 99999999999999999999", False),
        ):
            target = b"/" + line.partition(b"=")[2].replace(b" ", b"").replace(b"\r\n", b"")
            self.asks(target=target)
            self.isAsked()
            self.answers(line)
            self.assertEqual(b"; stored" in self.gets()[b"cache-status"], stored, line)

    def test_tooMuchToBeStored(self) -> None:
        """Announced or not, it passes through."""
        scenario = self.scenario = Scenario(self).caching(CacheSettings(maxObjectOctets=10))
        scenario.reverse()
        self.client = scenario.client()
        for _ in range(2):
            self.asks()
            self.isAsked()
            self.answers(LONG, body=b"x" * 11)
            self.assertNotIn(b"stored", self.gets(body=b"x" * 11)[b"cache-status"])
