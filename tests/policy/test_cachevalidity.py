# -*- test-case-name: tests.policy.test_cachevalidity -*-
"""
RFC 9111 §4.3 and §4.4 through a whole front: what makes a stored response valid or not.

Each test is about one section, as in L{tests.policy.test_rfc9111}.
"""

from __future__ import annotations

from .test_rfc9111 import FRESH, SectionTestCase


class ValidationTests(SectionTestCase):
    """§4.3."""

    def test_whatIsSent(self) -> None:
        """§4.3.1: the validators that there are, as they came, in place of the client's."""
        modified = self.now(-1000)
        for lines, expected in (
            ((b'ETag: "a"',), [b'If-None-Match: "a"']),
            ((b'ETag: W/"a"',), [b'If-None-Match: W/"a"']),
            ((b"Last-Modified: " + modified,), [b"If-Modified-Since: " + modified]),
            (
                (b'ETag: "a"', b"Last-Modified: " + modified),
                [b'If-None-Match: "a"', b"If-Modified-Since: " + modified],
            ),
            ((b"ETag: a", b"Last-Modified: Yesterday"), []),
        ):
            self.begins()
            self.exchange(b"Cache-Control: max-age=1, stale-if-error=60", *lines)
            self.scenario.passes(2)
            asked = self.isNotUsed(b"If-Modified-Since: " + self.now(-5))
            self.assertEqual([line for line in asked if line.startswith(b"If-")], expected)

    def test_whatIsReceived(self) -> None:
        """§4.3.2: as an origin would, by what is stored."""
        early, modified, late = self.now(-2000), self.now(-1000), self.now(-500)
        both = (b'ETag: "a"', b"Last-Modified: " + modified)
        for lines, asking, status in (
            (both, (b'If-None-Match: "a"',), 304),
            (both, (b'If-None-Match: W/"a"',), 304),
            (both, (b'If-None-Match: "x", "a", "y"',), 304),
            (both, (b'If-None-Match: "x"', b'If-None-Match: "a"'), 304),
            (both, (b"If-None-Match: *",), 304),
            (both, (b'If-None-Match: "A"',), 200),
            (both, (b"If-None-Match: a",), 200),
            (both, (b'If-None-Match: "x"', b"If-Modified-Since: " + late), 200),
            (both, (b'If-None-Match: "a"', b"If-Modified-Since: " + early), 304),
            (both, (b"If-Modified-Since: " + modified,), 304),
            (both, (b"If-Modified-Since: " + late,), 304),
            (both, (b"If-Modified-Since: " + early,), 200),
            (both, (b"If-Modified-Since: Yesterday",), 200),
            ((), (b"If-Modified-Since: " + self.now(),), 304),
            ((), (b"If-Modified-Since: " + late,), 200),
        ):
            self.begins()
            self.exchange(FRESH, *lines)
            self.isUsed(*asking, status=status)

    def test_whatIsForTheOrigin(self) -> None:
        """§4.3.2: preconditions that no cache evaluates are passed on."""
        for line in (b'If-Match: "a"', b"If-Unmodified-Since: " + self.now()):
            self.begins()
            self.exchange(FRESH, b'ETag: "a"')
            self.assertIn(line, self.isNotUsed(line))

    def test_invalidation(self) -> None:
        """§4.4: by all that is not safe, and did not fail."""
        for method, status, gone in (
            (b"POST", b"200 OK", True),
            (b"PUT", b"201 Created", True),
            (b"DELETE", b"204 No Content", True),
            (b"POST", b"303 See Other", True),
            (b"M-SEARCH", b"200 OK", True),
            (b"POST", b"404 Not Found", False),
            (b"PUT", b"500 No", False),
            (b"OPTIONS", b"200 OK", False),
        ):
            self.begins()
            self.exchange(FRESH)
            self.exchange(method=method, status=status, asking=(b"Content-Length: 0",))
            (self.isNotUsed if gone else self.isUsed)()

    def test_whatAFullAnswerDoes(self) -> None:
        """§4.3.3: it takes the place of what was validated, whatever its status."""
        for status in (b"200 OK", b"404 Not Found", b"410 Gone"):
            self.begins()
            self.exchange(b"Cache-Control: max-age=5", b'ETag: "a"')
            self.scenario.passes(6)
            asked = self.exchange(FRESH, b'ETag: "b"', status=status)
            self.assertIn(b'If-None-Match: "a"', asked)
            self.assertEqual(self.isUsed(status=int(status[:3]))[b"etag"], b'"b"')

    def test_whatAFailureDoes(self) -> None:
        """§4.3.3: what is stored is used, if it may be; the origin is asked again."""
        self.begins()
        self.exchange(b"Cache-Control: max-age=5", b'ETag: "a"')
        self.scenario.passes(6)
        for status in (b"500 No", b"502 No", b"503 No", b"504 No"):
            self.asks(target=self.target)
            self.isAsked(b'If-None-Match: "a"')
            self.answers(status=status)
            self.assertIn(b"fwd=stale", self.gets()[b"cache-status"])
        self.isNotUsed(status=b"501 No")

    def test_whatIsFreshened(self) -> None:
        """§4.3.4: what has the validator of the 304, and nothing that has not."""
        modified, other = self.now(-1000), self.now(-900)
        for stored, new, freshened in (
            ((b'ETag: "a"',), (b'ETag: "a"',), True),
            ((b'ETag: "a"',), (b'ETag: "b"',), False),
            ((b'ETag: W/"a"',), (b'ETag: W/"a"',), True),
            ((b'ETag: W/"a"',), (b'ETag: W/"b"',), False),
            ((b"Last-Modified: " + modified,), (b"Last-Modified: " + modified,), True),
            ((b"Last-Modified: " + modified,), (b"Last-Modified: " + other,), False),
            ((b"Last-Modified: " + modified,), (), True),
        ):
            self.begins()
            self.exchange(b"Cache-Control: max-age=5", *stored)
            self.scenario.passes(6)
            if freshened:
                self.exchange(FRESH, *new, status=b"304 Not Modified")
                self.isUsed()
                continue
            self.asks(target=self.target)
            self.isAsked()
            assert self.origin is not None
            self.origin.sends(b"HTTP/1.1 304 Not Modified", FRESH, *new, b"", b"")
            asked = self.isAsked()
            self.assertFalse([line for line in asked if line.startswith(b"If-")])
            self.answers(b"Cache-Control: no-store", body=b"new")
            self.gets(body=b"new", hit=False)

    def test_whatAHeadTells(self) -> None:
        """§4.3.5: it freshens what it is about; if that has changed, it is stale."""
        for new, same in (
            ((b'ETag: "a"', b"Content-Length: 5"), True),
            ((b'ETag: "a"',), True),
            ((b"X: 1",), True),
            ((b'ETag: "b"', b"Content-Length: 5"), False),
            ((b'ETag: "a"', b"Content-Length: 6"), False),
        ):
            self.begins()
            self.exchange(b"Cache-Control: max-age=5", b'ETag: "a"')
            self.exchange(FRESH, *new, method=b"HEAD", asking=(b"Cache-Control: no-cache",))
            if same:
                self.scenario.passes(6)
            (self.isUsed if same else self.isNotUsed)()

    def test_othersTargets(self) -> None:
        """§4.4: what the answer names is invalid as well, but not on another origin."""
        for line, gone in (
            (b"Location: /x", True),
            (b"Content-Location: http://a/x", True),
            (b"Location: http://A:80/x#y", True),
            (b"Location: https://a/x", False),
            (b"Location: http://b/x", False),
            (b"Content-Location: //a:81/x", False),
        ):
            self.target = b"/x"
            self.exchange(FRESH)
            self.begins()
            self.exchange(line, method=b"POST", asking=(b"Content-Length: 0",))
            self.target = b"/x"
            (self.isNotUsed if gone else self.isUsed)()
            if not gone:
                self.exchange(method=b"DELETE", asking=(b"Content-Length: 0",))
