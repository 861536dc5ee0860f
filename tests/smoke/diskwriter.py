# -*- test-case-name: tests.smoke.test_diskkill -*-
"""
C{python -m tests.smoke.diskwriter FOLDER}: store on disk until killed.

Writes a line for each hundred entries.  The content of each can be told from its
C{ETag}, and is replaced by other content all the time.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
from typing import Any

from twisted.internet import reactor as globalReactor
from twisted.python.threadpool import ThreadPool

from intermediary.policy.body import Body
from intermediary.policy.diskstore import DiskStore
from intermediary.policy.entries import Entry
from intermediary.policy.purging import Purge
from intermediary.wire.fields import Fields

#: With these, entries are evicted, replaced and purged all the time.
LIMIT_OCTETS = 2_000_000
KEYS = 100
PARALLEL = 8


def storeIn(folder: str, pool: ThreadPool, reactor: Any) -> DiskStore:
    """Make the store that is written to, and read afterwards."""
    return DiskStore(reactor, pool, folder, LIMIT_OCTETS, 1 << 20, lambda _: b"", lambda _: None)


def tagOf(content: bytes) -> bytes:
    """Name some content."""
    return b'"%b"' % hashlib.sha256(content).hexdigest().encode()


class Writer:
    """Stores one entry after the other, some of them at the same time."""

    def __init__(self, store: DiskStore, reactor: Any) -> None:
        self.store = store
        self.reactor = reactor
        self.count = 0

    def next(self, _: object = None) -> None:
        """Store one more."""
        self.count += 1
        if self.count % 100 == 0:
            os.write(1, b"%d\n" % self.count)
        if self.count % 50 == 0:
            self.store.purge(Purge.ofTag(b"tag%d" % random.randrange(10)))
        content = os.urandom(random.choice((10, 5000, 100_000)))
        number = random.randrange(KEYS)
        body = Body()
        entry = Entry(
            b"GET http://a.example/%d" % number,
            200,
            b"OK",
            Fields.fromPairs([(b"ETag", tagOf(content))]),
            body,
            0.0,
            0.0,
            None,
            b"",
            (),
            (b"tag%d" % (number % 10),),
        )
        self.store.add(entry).addBoth(self.next)
        body.append(content[: len(content) // 2])
        self.reactor.callLater(0, self.rest, body, content[len(content) // 2 :])

    @staticmethod
    def rest(body: Body, piece: bytes) -> None:
        """The second half comes in another turn."""
        body.append(piece)
        body.end()


def main(folder: str) -> None:
    """Write until killed."""
    reactor: Any = globalReactor
    pool = ThreadPool(0, 4)
    pool.start()
    writer = Writer(storeIn(folder, pool, reactor), reactor)
    opened = writer.store.open()
    for _ in range(PARALLEL):
        opened.addCallback(lambda _: writer.next())
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1])
