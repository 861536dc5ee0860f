# -*- test-case-name: tests.policy.test_rangemiss -*-
"""
Ranges of what is not stored, on a route that fetches the whole, in transcripts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from intermediary.policy.revalidation import BACKGROUND
from intermediary.settings import RouteCacheSettings

from .test_cacheparts import CONTENT, PartTestCase

if TYPE_CHECKING:
    from ..scenario import Side


class RangeMissTests(PartTestCase):
    """A part for who asks, and the whole for all others."""

    caching = RouteCacheSettings(rangeMiss="whole")

    def setUp(self) -> None:
        super().setUp()
        self.origins: list[Side] = []

    def isAsked(self, *expected: bytes, method: bytes = b"GET") -> list[bytes]:
        """The origin is asked, over whatever connection."""
        self.accepts()
        heard = [(each, each.takes()) for each in self.origins]
        [(self.origin, asked)] = [(each, octets) for each, octets in heard if octets]
        lines = asked.split(b"\r\n")
        self.assertTrue(lines[0].startswith(method + b" "), lines)
        for line in expected:
            self.assertIn(line, lines)
        return lines

    def accepts(self) -> None:
        """Connections are accepted, whether they are needed by now or not."""
        while self.scenario.connector.waiting:
            self.origins.append(self.scenario.accepts())

    def missing(self, first: int, last: int, *lines: bytes) -> Side:
        """The client gets its range; return who is asked for the whole."""
        self.part(first, last, *lines)
        asked = self.isAsked()
        self.assertFalse([line for line in asked if line.startswith((b"Range", b"If-"))])
        assert self.origin is not None
        return self.origin

    def brings(self, whole: Side, *lines: bytes, status: bytes = b"200 OK") -> None:
        """The origin sends the whole."""
        whole.sends(
            b"HTTP/1.1 " + status,
            b"Date: " + self.now(),
            b"Content-Length: 10",
            *(lines or (b"Cache-Control: max-age=60",)),
            b"",
            CONTENT,
        )

    def doesNotAsk(self) -> None:
        """A range is passed on, and that is all."""
        self.accepts()
        for each in self.origins:
            each.getsNothing()

    def test_thenRangesAreAnsweredFromTheWhole(self) -> None:
        """Any range, and the whole; the client need not have waited."""
        self.brings(self.missing(4, 5, b'ETag: "a"'))
        for lines, status, body in (
            ((b"Range: bytes=0-1",), 206, CONTENT[:2]),
            ((b"Range: bytes=-1",), 206, CONTENT[-1:]),
            ((), 200, CONTENT),
        ):
            self.asks(*lines)
            self.gets(status, body, hit=True)
        self.assertEqual(self.scenario.cache.background, 0)

    def test_onceAtATime(self) -> None:
        """Whoever asks for other ranges meanwhile gets them, and the whole is under way."""
        whole = self.missing(4, 5)
        for first in (0, 2):
            self.part(first, first + 1)
            self.doesNotAsk()
        self.brings(whole)
        self.asks()
        self.gets(body=CONTENT, hit=True)

    def test_whoWantsTheWholeWaitsForIt(self) -> None:
        """It is fetched once."""
        whole = self.missing(4, 5)
        self.asks()
        self.doesNotAsk()
        self.brings(whole)
        self.assertIn(b"collapsed", self.gets(body=CONTENT)[b"cache-status"])

    def test_aPartDoesNotTakeThePlaceOfTheWhole(self) -> None:
        """One that was asked for before, and comes after it."""
        late, self.client = self.client, self.scenario.client()
        late.sends(b"GET / HTTP/1.1", b"Host: a", b"Range: bytes=0-1", b"", b"")
        self.isAsked()
        slow = self.origin
        self.brings(self.missing(4, 5))
        current, self.client, self.origin = self.client, late, slow
        self.answersPart(0, 1)
        self.gets(206, CONTENT[:2], hit=False)
        self.client = current
        self.asks()
        self.gets(body=CONTENT, hit=True)

    def test_notWhatIsTooLong(self) -> None:
        """Nor what is of unknown length: that could be any."""
        for length in (b"100001", b"*"):
            self.asks(b"Range: bytes=0-1", target=b"/" + length)
            self.isAsked()
            self.answers(
                b"Content-Range: bytes 0-1/" + length,
                b"Cache-Control: max-age=60",
                body=b"01",
                status=b"206 Partial Content",
            )
            self.gets(206, b"01")
            self.doesNotAsk()

    def test_notWhatIsNotStored(self) -> None:
        """Nobody could have it, later."""
        self.asks(b"Range: bytes=0-1")
        self.isAsked()
        self.answers(
            b"Content-Range: bytes 0-1/10",
            b"Cache-Control: no-store",
            body=b"01",
            status=b"206 Partial Content",
        )
        self.gets(206, b"01")
        self.doesNotAsk()

    def test_notWhatIsThere(self) -> None:
        """A range that is all of it, or an answer that is."""
        self.part(0, 9)
        self.doesNotAsk()
        self.asks(b"Range: bytes=0-1", target=b"/other")
        self.isAsked()
        self.answers(b"Cache-Control: max-age=60", body=CONTENT)
        # What is on its way is cut already.
        self.gets(206, CONTENT[:2])
        self.doesNotAsk()

    def test_notWhatCanNotBeStoredAsAWhole(self) -> None:
        """It is not tried again for each range."""
        self.brings(self.missing(4, 5), b"Cache-Control: no-store")
        self.part(0, 1)
        self.doesNotAsk()

    def test_aFailureIsNobodys(self) -> None:
        """It is tried again with the next range."""
        self.brings(self.missing(4, 5), b"X: y", status=b"503 Service Unavailable")
        self.brings(self.missing(0, 1))
        self.asks()
        self.gets(body=CONTENT, hit=True)
        self.assertEqual(self.scenario.cache.background, 0)

    def test_notWhenThereIsTooMuchToDo(self) -> None:
        """The limit of the background is for all of it."""
        self.scenario.cache.background = BACKGROUND
        self.part(4, 5)
        self.doesNotAsk()
        self.scenario.cache.background = 0


class PassTests(PartTestCase):
    """A route that passes ranges on."""

    def test_nothingElseIsFetched(self) -> None:
        """By default."""
        self.part(4, 5)
        self.isNotAsked()
