# -*- test-case-name: tests.policy.test_diskjournal -*-
"""
What processes that share an index tell each other: purges, and changes by unsafe methods.

What is purged goes from the disk at once, for all of them, but each has a memory of its
own.  So whoever purges notes it, in the transaction that does it, and each of the others
asks for what it has not heard of yet (L{intermediary.policy.hearing}).

All of it blocks, and is for threads.
"""

from __future__ import annotations

import math
import os
import threading
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .diskrows import joined, parted
from .purging import Purge

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from .diskconnections import DiskConnections
    from .diskrows import Row

#: How long the journal is at most, in octets: who has missed some of it drops all that is
#: in memory.  A client may have a long key changed with each request, or some thousand short
#: ones in a second.
JOURNAL_OCTETS: Final = 1 << 24
#: What is counted for a notice beside what it is about.
NOTICE_OCTETS: Final = 64
#: How many are heard of at a time.
MOST: Final = 256

#: How many runs of its own a process remembers.
RUNS: Final = 4096

#: What an index may lack.  The number of a notice is where it ends in the journal, as if
#: that were a file that grows.
ADDITIONS: Final = (
    """
    CREATE TABLE IF NOT EXISTS notices (
        id INTEGER PRIMARY KEY,
        octets INTEGER NOT NULL,
        writer BLOB NOT NULL,
        noted REAL NOT NULL,
        change INTEGER NOT NULL,
        kind TEXT NOT NULL,
        value BLOB NOT NULL,
        tags BLOB NOT NULL,
        partitions BLOB NOT NULL,
        soft INTEGER NOT NULL
    )
    """,
    "CREATE TABLE IF NOT EXISTS journal (token BLOB NOT NULL)",
    "INSERT INTO journal SELECT randomblob(8) WHERE NOT EXISTS (SELECT 1 FROM journal)",
)


class Notice(NamedTuple):
    """
    That something was purged.

    @ivar what: by its key, if it is about one.
    @ivar soft: it was made stale.
    @ivar change: it was changed by a method that is not safe, and nobody purged it.
    @ivar noted: when that was: what was asked for later is not what it is about.
    """

    what: Purge
    soft: bool = False
    change: bool = False
    noted: float = math.inf

    def isAbout(self, requested: float, now: float) -> bool:
        """
        Tell whether it is about what was asked for at some time, if it covers that.

        @param now: what was asked for later than that was asked for before the clock was
            set back.
        """
        return not self.noted < requested <= now


class News(NamedTuple):
    """
    What was not heard of before.

    @ivar notices: of others, in the order in which it happened.
    @ivar missed: there was more, which is not known any more.
    @ivar last: the last of these notices, for L{Journal.heard}.
    @ivar more: there are more to be heard of.
    """

    notices: list[Notice]
    missed: bool
    last: tuple[bytes, int]
    more: bool = False


#: What there was to be heard when a file was opened that is not known: nothing.
_NOTHING: Final = (b"", 0)


class Journal:
    """
    The notices in the file of an index, as one process writes and reads them.

    Its methods raise C{sqlite3.Error} and C{OSError}.

    @ivar heeded: somebody asks for the news.  Otherwise nothing would ever be put that was
        purged once.
    """

    def __init__(
        self, connections: DiskConnections, wallSeconds: Callable[[], float] = time.time
    ) -> None:
        """
        @param wallSeconds: what all processes call the time.
        """
        self._connections = connections
        self.heeded = False
        self._wallSeconds = wallSeconds
        self._begun = wallSeconds()
        #: Who this is; made in the process that writes, and not in one that forks it.
        self._writer = b""
        #: Which file it was, by its token, and the last notice in it that was heard.
        self._heard = _NOTHING
        #: Where that is what was written here since: where each run begins and ends.
        self._own: list[tuple[int, int]] = []
        self._lock = threading.Lock()

    def note(self, connection: sqlite3.Connection, notices: Sequence[Notice]) -> tuple[int, int]:
        """
        Write notices, for the other processes.

        @param connection: in the transaction that does what they say.
        @param notices: at least one.
        @return: for L{wrote}, when that is committed.
        """
        now = self._wallSeconds()
        _, before = self._place(connection)
        last = before
        rows: list[tuple[Any, ...]] = []
        for notice in notices:
            what = notice.what
            tags, partitions = joined(what.tags), joined(what.partitions)
            octets = NOTICE_OCTETS + len(what.value) + len(tags) + len(partitions)
            last += octets
            rows.append(
                (
                    last,
                    octets,
                    self._writer,
                    now,
                    notice.change,
                    what.kind,
                    what.value,
                    tags,
                    partitions,
                    notice.soft,
                )
            )
        connection.executemany("INSERT INTO notices VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        # The last one stays, however long it is.
        connection.execute("DELETE FROM notices WHERE id <= ?", (last - JOURNAL_OCTETS,))
        return before, last

    def wrote(self, run: tuple[int, int]) -> None:
        """
        Remember what is this process's own.

        @param run: what L{note} gave.
        """
        first, last = run
        with self._lock:
            own = self._own
            if own and own[-1][1] == first:
                own[-1] = own[-1][0], last
            else:
                own.append(run)
                # What is not remembered counts as another's.
                del own[:-RUNS]

    def begin(self) -> None:
        """
        Take for heard what is from before this process.

        Does nothing if it has read a file before.
        """
        if self._heard != _NOTHING:
            return
        self._writer = os.urandom(8)
        connection = self._connections.mine()
        token, last = self._place(connection)
        (first,) = connection.execute(
            "SELECT min(id - octets) FROM notices WHERE noted > ?", (self._begun,)
        ).fetchone()
        self._heard = token, last if first is None else first

    def news(self) -> News:
        """Find what was not heard of yet, L{MOST} notices at a time."""
        connection = self._connections.mine()
        # One state of the file, whatever others write meanwhile.
        connection.execute("BEGIN")
        try:
            token, last = self._place(connection)
            since = self._since(token)
            missed = self._lacks(since, self._start(connection))
            found = self._after(connection, since)
        finally:
            connection.execute("COMMIT")
        more = len(found) == MOST
        notices = [notice for _, notice in found]
        return News(notices, missed, (token, found[-1][0] if more else last), more)

    @staticmethod
    def _start(connection: sqlite3.Connection) -> int:
        """Get where that begins what there is of the journal."""
        found = connection.execute("SELECT id - octets FROM notices ORDER BY id LIMIT 1").fetchone()
        return found[0] if found else 0

    def _lacks(self, start: int, stop: int) -> bool:
        """Whether some of this, which is not there any more, was another's."""
        lacking = stop - start
        if lacking <= 0:
            return False
        with self._lock:
            for first, last in self._own:
                lacking -= max(0, min(last, stop) - max(first, start))
        return lacking > 0

    def heard(self, last: tuple[bytes, int]) -> None:
        """
        Note what was heard, and heeded.

        Until then nothing is put on the disk that it may be about (L{overtook}).

        @param last: as in L{News}.
        """
        self._heard = last
        with self._lock:
            self._own = [run for run in self._own if run[1] > last[1]]

    def overtook(
        self, connection: sqlite3.Connection, row: Row, url: bytes, requested: float
    ) -> bool:
        """
        Tell whether another process has purged something that was not heard of here yet.

        Where there is much of that, it may have.

        @param connection: in the transaction that is to put a row.
        @param url: that of its key.
        @param requested: when it was asked for.
        """
        if not self.heeded:
            return False
        token, last = self._place(connection)
        since = self._since(token)
        if last <= since:
            return False
        if self._lacks(since, self._start(connection)):
            return True
        found = self._after(connection, since)
        now = self._wallSeconds()
        return len(found) == MOST or any(
            notice.isAbout(requested, now) and notice.what.coversKey(row.key, row.tags, url)
            for _, notice in found
        )

    def _since(self, token: bytes) -> int:
        known, since = self._heard
        # In a file that has taken the place of another all is new.
        return since if known == token else 0

    @staticmethod
    def _place(connection: sqlite3.Connection) -> tuple[bytes, int]:
        """Get the token of the file and the number of its last notice."""
        token, last = connection.execute(
            "SELECT token, (SELECT coalesce(max(id), 0) FROM notices) FROM journal"
        ).fetchone()
        return token, last

    def _after(self, connection: sqlite3.Connection, since: int) -> list[tuple[int, Notice]]:
        """Get the next notices of others, and where they end; L{MOST} at most."""
        found = connection.execute(
            "SELECT id, kind, value, tags, partitions, soft, change, noted FROM notices"
            " WHERE id > ? AND writer != ? ORDER BY id LIMIT ?",
            (since, self._writer, MOST),
        )
        return [
            (
                number,
                Notice(
                    Purge(kind, value, parted(tags), parted(partitions)),
                    soft=bool(soft),
                    change=bool(change),
                    noted=noted,
                ),
            )
            for number, kind, value, tags, partitions, soft, change, noted in found.fetchall()
        ]


__all__ = ["ADDITIONS", "JOURNAL_OCTETS", "MOST", "NOTICE_OCTETS", "Journal", "News", "Notice"]
