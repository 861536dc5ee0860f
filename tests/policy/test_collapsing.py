# -*- test-case-name: tests.policy.test_collapsing -*-
"""
Request collapsing, in transcripts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .test_cache import CacheTestCase

if TYPE_CHECKING:
    from ..scenario import Side


class CollapsingTestCase(CacheTestCase):
    """Many clients."""

    def ask(self, count: int) -> list[Side]:
        """So many clients ask for the same."""
        clients = [self.scenario.client() for _ in range(count)]
        for client in clients:
            client.sends(b"GET / HTTP/1.1", b"Host: a", b"", b"")
        return clients


class CollapsingTests(CollapsingTestCase):
    """One fetch for all who ask at once."""

    def test_oneRequestForMany(self) -> None:
        """All are served, and the others say what they are."""
        clients = self.ask(50)
        self.isAsked()
        self.isNotAsked()
        self.answers(b"Cache-Control: max-age=60")
        for number, self.client in enumerate(clients):
            status = self.gets()[b"cache-status"]
            if number:
                self.assertEqual(status, b"test; fwd=uri-miss; ttl=60; stored; collapsed")
            else:
                self.assertNotIn(b"collapsed", status)
        self.assertEqual(self.scenario.cache.collapsed, 49)

    def test_whatCanNotBeStoredHoldsNobodyUp(self) -> None:
        """All who waited ask at once, and those who come later don't wait."""
        clients = self.ask(3)
        self.isAsked()
        self.answers(b"Cache-Control: no-store")
        self.client = clients[0]
        self.gets(hit=False)
        # The connection that came back goes to the first of them.
        for origin in (self.origin, self.scenario.accepts()):
            assert origin is not None
            origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
            origin.sends(
                b"HTTP/1.1 200 OK", b"Cache-Control: no-store", b"Content-Length: 1", b"", b"x"
            )
        for self.client in clients[1:]:
            status = self.gets(body=b"x", hit=False)[b"cache-status"]
            # RFC 9211 §2.6.
            self.assertEqual(status, b"test; fwd=uri-miss; collapsed=?0")
        self.scenario.accepts()

    def test_theyWaitAgainOnceItCanBeStored(self) -> None:
        """The mark that nobody waits goes with the first answer that is stored."""
        self.asks()
        self.isAsked()
        self.answers(b"Cache-Control: no-store")
        self.gets(hit=False)
        self.stores(b"Cache-Control: max-age=1")
        self.scenario.passes(2)
        clients = self.ask(3)
        self.isAsked()
        self.isNotAsked()
        self.answers(b"Cache-Control: max-age=1")
        for self.client in clients:
            self.gets()

    def test_whoAskedBeforeTakesTheMarkBackToo(self) -> None:
        """Also if it is not that which there was when it asked."""
        self.asks()
        self.isAsked()
        self.answers(b"Cache-Control: no-store")
        self.gets()
        first, second = self.ask(2)
        self.isAsked()
        kept, broken = self.origin, self.scenario.accepts()
        broken.gets(b"GET / HTTP/1.1", ..., b"", b"")
        # The second takes the mark back, and then there is nothing under the key.
        broken.sends(
            b"HTTP/1.1 200 OK", b"Cache-Control: max-age=60", b"Content-Length: 5", b"", b"he"
        )
        broken.closes()
        self.assertIn(b"; stored", second.takes())
        second.closes()
        # So there is another one, until the first has its answer.
        self.origin = None
        self.asks()
        self.isAsked()
        self.answers(b"Cache-Control: no-store")
        self.gets()
        self.origin, self.client = kept, first
        self.answers(b"Cache-Control: max-age=1")
        self.assertIn(b"; stored", self.gets()[b"cache-status"])
        self.scenario.passes(2)
        clients = self.ask(3)
        self.isAsked()
        self.isNotAsked()
        self.answers(b"Cache-Control: max-age=1")
        for self.client in clients:
            self.gets()

    def test_nobodyWaitsForAHead(self) -> None:
        """Its answer has no content that others could get."""
        self.asks(method=b"HEAD")
        self.isAsked(method=b"HEAD")
        head, first = self.origin, self.client
        clients = self.ask(2)
        self.origin = None
        self.isAsked()
        self.isNotAsked()
        self.answers(b"Cache-Control: max-age=60")
        for self.client in clients:
            self.gets()
        assert head is not None
        head.sends(b"HTTP/1.1 200 OK", b"Content-Length: 5", b"", b"")
        self.client = first
        self.gets(body=b"")

    def test_aChangeOvertakesAFetch(self) -> None:
        """What was asked for before it is not stored (RFC 9111 §4.4)."""
        self.asks()
        self.isAsked()
        self.isOvertaken()
        self.answers(b"Cache-Control: max-age=60", body=b"old")
        self.assertNotIn(b"stored", self.gets(body=b"old")[b"cache-status"])
        self.stores(b"Cache-Control: max-age=60", body=b"new")

    def test_aChangeOvertakesAValidation(self) -> None:
        """What a 304 says was true before the change."""
        self.stores(b"Cache-Control: max-age=1", b'ETag: "a"')
        self.scenario.passes(2)
        self.asks()
        self.isAsked(b'If-None-Match: "a"')
        self.isOvertaken()
        assert self.origin is not None
        self.origin.sends(
            b"HTTP/1.1 304 Not Modified", b'ETag: "a"', b"Cache-Control: max-age=60", b"", b""
        )
        self.origin = None
        asked = self.isAsked()
        self.assertFalse([line for line in asked if line.startswith(b"If-")])
        self.answers(b"Cache-Control: max-age=60", body=b"new")
        self.assertNotIn(b"stored", self.gets(body=b"new")[b"cache-status"])

    def test_aChangeOvertakesAFailure(self) -> None:
        """What was changed meanwhile does not stand in for it."""
        self.stores(b"Cache-Control: max-age=1", b'ETag: "a"')
        self.scenario.passes(2)
        self.asks()
        self.isAsked(b'If-None-Match: "a"')
        self.isOvertaken()
        self.answers(body=b"no", status=b"503 Service Unavailable")
        self.gets(503, b"no")

    def test_whoLeavesHandsOver(self) -> None:
        """The next one asks, for all the others."""
        clients = self.ask(3)
        self.isAsked()
        clients[0].resets()
        self.origin = None
        self.isAsked()
        self.isNotAsked()
        self.answers(b"Cache-Control: max-age=60")
        for self.client in clients[1:]:
            self.gets()

    def test_whoWaitsMayLeave(self) -> None:
        """Without a trace."""
        clients = self.ask(3)
        self.isAsked()
        clients[1].resets()
        self.answers(b"Cache-Control: max-age=60")
        for self.client in (clients[0], clients[2]):
            self.gets()

    def test_aFailureIsEverybodys(self) -> None:
        """They have asked at the same time for the same."""
        clients = self.ask(3)
        self.isAsked()
        assert self.origin is not None
        self.origin.closes()
        for client in clients:
            client.getsError(502, "connection_terminated")
        self.isNotAsked()


class PassingTests(CollapsingTestCase):
    """Requests whose like was not to be stored are passed on, by a shorter way."""

    def passes(self, *lines: bytes, status: bytes = b"200 OK") -> None:
        """One exchange whose answer is not stored."""
        self.asks()
        self.isAsked()
        self.answers(*lines, status=status)
        fields = self.gets(int(status[:3]), None, hit=False)
        self.assertEqual(fields[b"cache-status"], b"test; fwd=uri-miss")

    def test_asLongAsTheyAreNot(self) -> None:
        """The first that may be stored is."""
        for _ in range(3):
            self.passes(b"Cache-Control: no-store")
        self.passes(b"Cache-Control: no-store", status=b"500 Internal Server Error")
        self.passes(b"Cache-Control: private, no-cache")
        self.stores(b"Cache-Control: max-age=60")
        self.asks()
        self.gets(hit=True)
        self.isNotAsked()

    def test_whoHasWaitedBefore(self) -> None:
        """Says so, though it is passed on as all that come later (RFC 9211 §2.6)."""
        clients = self.ask(2)
        self.isAsked()
        self.answers(b"Cache-Control: no-store")
        for self.client, status in zip(
            clients, (b"test; fwd=uri-miss", b"test; fwd=uri-miss; collapsed=?0"), strict=True
        ):
            self.assertEqual(self.gets(hit=False)[b"cache-status"], status)
            if self.client is clients[0]:
                self.isAsked()
                self.answers(b"Cache-Control: no-store")
        # That was opened before the first one came back.
        self.scenario.accepts()

    def test_a304(self) -> None:
        """Is no answer to who has asked about nothing, again and again."""
        self.passes(b"Cache-Control: no-store")
        for _ in range(2):
            self.asks()
            self.isAsked()
            assert self.origin is not None
            self.origin.sends(b"HTTP/1.1 304 Not Modified", b"Cache-Control: no-store", b"", b"")
            self.gets(502, None)
            self.origin = None
            self.passes(b"Cache-Control: no-store")

    def test_otherMethods(self) -> None:
        """Change what is stored as ever."""
        self.passes(b"Cache-Control: no-store")
        self.stores(b"Cache-Control: max-age=60")
        self.asks(b"Content-Length: 0", method=b"POST")
        self.isAsked(method=b"POST")
        self.answers(b"Cache-Control: no-store")
        self.gets(hit=False)
        self.asks()
        self.isAsked()


class FailingTests(CollapsingTestCase):
    """An origin that answers with errors, and is asked by many at once."""

    def setUp(self) -> None:
        super().setUp()
        self.origins: list[Side] = []

    def isAskedOnce(self) -> bytes:
        """The origin is asked once, over whatever connection; return with which head."""
        while self.scenario.connector.waiting:
            self.origins.append(self.scenario.accepts())
        heard = [(each, each.takes()) for each in self.origins]
        asking = [(each, asked) for each, asked in heard if asked]
        self.assertEqual(len(asking), 1, asking)
        self.origin, asked = asking[0]
        self.assertEqual(asked.count(b"GET / HTTP/1.1"), 1)
        return asked

    def isNotAsked(self) -> None:
        """The origin hears nothing, over no connection."""
        self.scenario.connectsNowhere()
        for each in self.origins:
            each.getsNothing()

    def fails(self, *lines: bytes, status: bytes = b"503 Service Unavailable") -> None:
        """The origin is asked once, and answers with an error."""
        self.isAskedOnce()
        self.answers(b"Cache-Control: no-store", *lines, status=status, body=b"sorry")

    def test_itSeesFewRequests(self) -> None:
        """
        Of a hundred, two ask; the others get an answer of ours when these have theirs.

        The error of the origin is for who asked for it, with all that is in it.
        """
        clients = self.ask(100)
        for asking in (0, 1):
            self.fails(b"Set-Cookie: a=%d" % asking)
            self.client = clients[asking]
            fields = self.gets(503, body=b"sorry")
            self.assertEqual(fields[b"set-cookie"], b"a=%d" % asking)
        self.isNotAsked()
        for self.client in clients[2:]:
            fields = self.gets(503, body=None)
            self.assertEqual(fields[b"proxy-status"], b"test; error=destination_unavailable")
            self.assertEqual(fields[b"cache-status"], b"test; fwd=uri-miss; collapsed")
            self.assertNotIn(b"set-cookie", fields)

    def test_oneRequestMayFailForAllItIsWorth(self) -> None:
        """Others get what the next one brings; and that is from another client."""
        clients = [self.scenario.client(host) for host in ("192.0.2.7",) * 3 + ("192.0.2.8",) * 2]
        for client in clients:
            client.sends(b"GET / HTTP/1.1", b"Host: a", b"", b"")
        self.fails(status=b"500 Oops")
        self.client = clients[0]
        self.gets(500, body=b"sorry")
        self.assertIn(b"X-Forwarded-For: 192.0.2.8", self.isAskedOnce())
        clients[3].resets()
        self.isAskedOnce()
        self.answers(b"Cache-Control: max-age=60")
        self.client = clients[4]
        self.assertNotIn(b"collapsed", self.gets()[b"cache-status"])
        for self.client in clients[1:3]:
            self.assertEqual(
                self.gets()[b"cache-status"], b"test; fwd=uri-miss; ttl=60; stored; collapsed"
            )

    def test_whoComesLaterWaitsForTwoOfItsOwn(self) -> None:
        """Nobody gets an error that was not there yet when it asked."""
        first, second = self.ask(2)
        self.fails()
        self.client = first
        self.gets(503, body=b"sorry")
        third, fourth = self.ask(2)
        self.fails()
        self.client = second
        self.gets(503, body=b"sorry")
        self.fails()
        self.client = third
        self.gets(503, body=b"sorry")
        self.client = fourth
        self.gets(503, body=None)
        self.isNotAsked()

    def test_whatIsNotAnErrorReleasesThem(self) -> None:
        """What the second one gets can't be stored: all ask for themselves."""
        clients = self.ask(3)
        self.fails()
        self.client = clients[0]
        self.gets(503, body=b"sorry")
        self.isAskedOnce()
        self.answers(b"Cache-Control: no-store")
        self.client = clients[1]
        self.gets()
        self.isAskedOnce()
        self.answers(b"Cache-Control: no-store")
        self.client = clients[2]
        self.gets()

    def test_aHeadDoesNotAskForTheOthers(self) -> None:
        """Whoever could bring them something is first; a HEAD alone has waited for the answer."""
        self.asks()
        first = self.client
        heads = [self.scenario.client() for _ in range(3)]
        for self.client in heads:
            self.asks(method=b"HEAD")
        last = self.scenario.client()
        self.client = last
        self.asks()
        self.fails()
        self.client = first
        self.gets(503, body=b"sorry")
        heads[0].resets()
        self.fails()
        self.client = last
        self.gets(503, body=b"sorry")
        for self.client in heads[1:]:
            self.gets(503, body=b"")
        self.isNotAsked()
        self.client = first
        self.asks()
        self.client = last
        self.asks(method=b"HEAD")
        self.fails()
        self.client = first
        self.gets(503, body=b"sorry")
        self.client = last
        self.gets(503, body=b"")
        self.isNotAsked()

    def test_onlyVariantsThatAreStoredStandIn(self) -> None:
        """Whoever wants another one waits for one request, and not with all at once."""
        self.asks(b"Accept-Language: en")
        self.isAskedOnce()
        self.answers(b"Cache-Control: max-age=1", b"Vary: Accept-Language", body=b"en")
        self.gets(body=b"en")
        self.scenario.passes(2)
        english = self.client
        self.asks(b"Accept-Language: en")
        germans = [self.scenario.client() for _ in range(5)]
        for self.client in germans:
            self.asks(b"Accept-Language: de")
        self.fails()
        self.client = english
        self.assertIn(b"fwd-status=503", self.gets(body=b"en")[b"cache-status"])
        self.fails()
        self.client = germans[0]
        self.gets(503, body=b"sorry")
        for self.client in germans[1:]:
            self.gets(503, body=None)
        self.isNotAsked()
