# -*- test-case-name: tests.policy.test_tierlooks -*-
"""
What is looked up behind the memory, and who waits for it.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

from twisted.internet.defer import Deferred, succeed
from zope.interface.verify import verifyObject

from intermediary.interfaces import ICacheStore
from intermediary.policy.entries import Shelf
from intermediary.policy.tierlooks import LOOK_SECONDS, REST_SECONDS

from .test_tiers import KEY, MEMORY, SMALL, TiersTestCase, answer, ask


class LookingTests(TiersTestCase):
    """What memory has not."""

    def test_itIsAStore(self) -> None:
        """With the methods of one."""
        verifyObject(ICacheStore, self.tiers)
        self.assertIn("<Tiers <MemoryStore", repr(self.tiers))
        self.assertIs(self.scenario.cache.tiers, self.tiers)

    def test_afterARestart(self) -> None:
        """The head and the content are there, and the content is in memory then."""
        self.fetches(b"content", b'ETag: "1"')
        self.again()
        for _ in range(2):
            head = self.gets(self.client(), b"content")
            self.assertIn(b'ETag: "1"', head)
        self.assertEqual(self.tiers.looks.found, 1)
        self.exact()

    def test_whatAHeadTells(self) -> None:
        """It has changed: that is so after a restart, too (RFC 9111 §4.3.5)."""
        self.fetches(b"content", b'ETag: "1"')
        head = self.client(*ask(b"/a", b"Cache-Control: no-cache", method=b"HEAD"))
        self.answers(b'HTTP/1.1 200 OK\r\nETag: "2"\r\nContent-Length: 5\r\n\r\n')
        self.gets(head, b"", b"fwd=request")
        self.again()
        client = self.client()
        self.assertIn(b'If-None-Match: "1"', self.answers(answer(b"other", b'ETag: "2"')))
        self.gets(client, b"other", b"fwd=stale")

    def test_whatAHeadTellsOfWhatLeft(self) -> None:
        """Memory needed the room meanwhile; what is on disk is not served any more."""
        self.fetches(b"content", b'ETag: "1"')
        head = self.client(*ask(b"/a", b"Cache-Control: no-cache", method=b"HEAD"))
        self.memory.limitOctets = 0
        self.memory._makeRoom(None)
        self.memory.limitOctets = MEMORY
        self.answers(b'HTTP/1.1 200 OK\r\nETag: "2"\r\nContent-Length: 5\r\n\r\n')
        self.gets(head, b"", b"fwd=request")
        client = self.client()
        self.answers(answer(b"other", b'ETag: "2"'))
        self.gets(client, b"other", b"fwd=uri-miss")

    def test_whatOthersMayGet(self) -> None:
        """The origin is not asked about what it might be, if its content is not here."""
        self.fetches(b"content", b'ETag: "1"', b"Vary: X")
        for here in True, False:
            if not here:
                self.again()
            client = self.client(*ask(b"/a", b"X: 1"))
            origin = self.origin()
            self.assertEqual(b'If-None-Match: "1"' in origin.takes(), here)
            origin.sends(answer(b"other", b"Vary: X", control=b"no-store"))
            self.gets(client, b"other", b"fwd=vary-miss")
            self.scenario.passes(1)

    def test_oneLookUpForAllWhoAsk(self) -> None:
        """And one load; who leaves takes nobody with it."""
        self.fetches()
        self.again()
        self.pool.holding = True
        clients = [self.client() for _ in range(5)]
        self.assertEqual(len(self.pool.waiting), 1)
        clients[0].closes()
        self.pool.step()
        self.assertEqual(len(self.pool.waiting), 1)
        clients[1].closes()
        self.works()
        for client in clients[2:]:
            self.gets(client, b"content")
        self.pool.holding = False

    def test_whatIsNowhereIsFetchedOnce(self) -> None:
        """By the first who waited for the disk, and the others wait for it."""
        self.pool.holding = True
        clients = [self.client() for _ in range(3)]
        self.scenario.connectsNowhere()
        self.works()
        self.answers(answer(b"content"))
        self.gets(clients[0], b"content", b"fwd=uri-miss")
        for client in clients[1:]:
            self.gets(client, b"content", b"collapsed")
        self.works()
        self.pool.holding = False

    def test_aSlowDiskIsLeftAlone(self) -> None:
        """Who waits goes on, and others don't ask for a while; said once."""
        self.fetches()
        self.again()
        self.pool.holding = True
        client = self.client()
        self.scenario.passes(LOOK_SECONDS)
        self.answers(answer(b"new"))
        self.gets(client, b"new", b"fwd=uri-miss")
        other = self.client(*ask(b"/b"))
        self.answers(answer(b"other"))
        self.gets(other, b"other", b"fwd=uri-miss")
        self.assertEqual(len(self.lines), 1)
        self.works()
        self.scenario.passes(REST_SECONDS)
        self.pool.holding = False
        self.gets(self.client(), b"new")
        self.assertEqual(self.tiers.looks.late, 1)

    def test_aSlowLoadIsAMiss(self) -> None:
        """As well."""
        self.fetches()
        self.again()
        self.pool.holding = True
        client = self.client()
        self.pool.step()
        self.scenario.passes(LOOK_SECONDS)
        self.answers(answer(b"new"))
        self.gets(client, b"new", b"fwd=uri-miss")
        self.works()
        self.pool.holding = False
        self.gets(self.client(), b"new")
        self.exact()

    def test_contentThatIsLostIsAMiss(self) -> None:
        """Small and large, and nothing was said yet."""
        for size in (10, SMALL * 2):
            path = b"/%d" % size
            self.fetches(b"x" * size, path=path)
            self.again()
            for folder, _, names in os.walk(self.folder):
                for name in names:
                    if not name.startswith("index"):
                        os.unlink(os.path.join(folder, name))
            client = self.client(*ask(path))
            self.answers(answer(b"new"))
            self.gets(client, b"new", b"fwd=uri-miss")
            self.again()
            self.gets(self.client(*ask(path)), b"new")
        self.assertEqual(self.lines, [])

    def test_aDiskThatDoesNotWork(self) -> None:
        """Is as if it were not there, and said once."""
        shutil.rmtree(self.folder)
        for path in (b"/1", b"/2"):
            self.fetches(path=path)
            self.gets(self.client(*ask(path)), b"content")
        self.assertEqual(len(self.lines), 1)

    def test_variants(self) -> None:
        """One that memory does not have is looked for, though it has others."""
        for language in (b"de", b"en"):
            client = self.client(*ask(b"/a", b"Accept-Language: " + language))
            self.answers(answer(language, b"Vary: Accept-Language"))
            self.gets(client, language, b"; stored")
        shelf = self.memory.find(KEY) or self.memory.find(next(iter(self.memory._byKey)))
        assert shelf is not None
        self.memory.remove(shelf.entries[0])
        for language in (b"de", b"en"):
            self.gets(self.client(*ask(b"/a", b"Accept-Language: " + language)), language)

    def test_onlyIfCached(self) -> None:
        """The disk is a part of the cache."""
        self.fetches()
        self.again()
        self.gets(self.client(*ask(b"/a", b"Cache-Control: only-if-cached")), b"content")
        client = self.client(*ask(b"/b", b"Cache-Control: only-if-cached"))
        self.assertTrue(client.takes().startswith(b"HTTP/1.1 504 "))

    def test_whatCanNotBeStoredIsNotLookedFor(self) -> None:
        """As long as that is known of it."""
        client = self.client()
        self.answers(answer(b"x", control=b"private"))
        self.gets(client, b"x", b"fwd=uri-miss")
        self.pool.holding = True
        client = self.client()
        self.assertEqual(self.pool.waiting, [])
        self.answers(answer(b"x", control=b"private"))
        self.gets(client, b"x", b"fwd=uri-miss")
        self.pool.holding = False

    def test_aTierThatAnswersAtOnce(self) -> None:
        """Needs no waiting."""
        self.patch(self.disk, "find", lambda key: None)
        client = self.client()
        self.answers(answer(b"x"))
        self.gets(client, b"x", b"fwd=uri-miss")

    def test_aDefectIsAMiss(self) -> None:
        """And logged."""
        self.patch(self.disk, "find", lambda key: succeed(None).addCallback(lambda _: 1 / 0))
        client = self.client()
        self.answers(answer(b"x"))
        self.gets(client, b"x", b"fwd=uri-miss")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_aDefectInWhatIsFoundIsAMiss(self) -> None:
        """Nobody waits for ever because what came can't be taken."""
        self.pool.holding = True
        broken = Shelf(b"x")
        broken.entries = (None,)  # type: ignore[assignment]
        found: Deferred[Any] = Deferred()
        self.patch(self.disk, "find", lambda key: found)
        client = self.client()
        found.callback(broken)
        self.pool.holding = False
        self.answers(answer(b"x"))
        self.gets(client, b"x", b"fwd=uri-miss")
        self.assertEqual(len(self.flushLoggedErrors(AttributeError, TypeError)), 1)

    def test_theEnd(self) -> None:
        """Nobody waits for the disk any more."""
        self.pool.holding = True
        client = self.client()
        self.tiers.end()
        self.answers(answer(b"x"))
        self.gets(client, b"x", b"fwd=uri-miss")
        self.works()
        self.pool.holding = False
