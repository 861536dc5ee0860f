# -*- test-case-name: tests.policy.test_diskjournal -*-
"""
What processes that share an index tell each other: purges, and changes by unsafe methods.

What is purged goes from the disk at once, for all of them, but each has a memory of its
own.  So whoever purges notes it, in the transaction that does it, and each of the others
asks for what it has not heard of yet (L{intermediary.policy.hearing}).

All of it blocks, and is for threads.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from .diskrows import joined, parted
from .purging import Purge

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from .diskconnections import DiskConnections
    from .diskrows import Row

#: How many notices there are at most: who has missed some drops all that is in memory.
NOTICES: Final = 4096

SCHEMA: Final = """
DROP TABLE IF EXISTS notices;
DROP TABLE IF EXISTS journal;
CREATE TABLE notices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    writer BLOB NOT NULL,
    noted REAL NOT NULL,
    change INTEGER NOT NULL,
    kind TEXT NOT NULL,
    value BLOB NOT NULL,
    tags BLOB NOT NULL,
    partitions BLOB NOT NULL,
    soft INTEGER NOT NULL
);
CREATE TABLE journal (token BLOB NOT NULL);
INSERT INTO journal VALUES (randomblob(8));
"""


class Notice(NamedTuple):
    """
    That something was purged.

    @ivar what: by its key, if it is about one.
    @ivar soft: it was made stale.
    @ivar change: it was changed by a method that is not safe, and nobody purged it.
    """

    what: Purge
    soft: bool = False
    change: bool = False


class News(NamedTuple):
    """
    What was not heard of before.

    @ivar notices: of others, in the order in which it happened.
    @ivar missed: there was more, which is not known any more.
    @ivar last: the last of all notices, for L{Journal.heard}.
    """

    notices: list[Notice]
    missed: bool
    last: tuple[bytes, int]


#: What there was to be heard when a file was opened that is not known: nothing.
_NOTHING: Final = (b"", 0)


class Journal:
    """
    The notices in the file of an index, as one process writes and reads them.

    Its methods raise C{sqlite3.Error} and C{OSError}.
    """

    def __init__(
        self, connections: DiskConnections, wallSeconds: Callable[[], float] = time.time
    ) -> None:
        """
        @param wallSeconds: what all processes call the time.
        """
        self._connections = connections
        self._wallSeconds = wallSeconds
        self._begun = wallSeconds()
        #: Who this is; made in the process that writes, and not in one that forks it.
        self._writer = b""
        #: Which file it was, by its token, and the last notice in it that was heard.
        self._heard = _NOTHING
        #: The numbers of what was written here since: first and last of each run.
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
        connection.executemany(
            "INSERT INTO notices (writer, noted, change, kind, value, tags, partitions, soft)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    self._writer,
                    now,
                    notice.change,
                    notice.what.kind,
                    notice.what.value,
                    joined(notice.what.tags),
                    joined(notice.what.partitions),
                    notice.soft,
                )
                for notice in notices
            ],
        )
        _, last = self._place(connection)
        connection.execute("DELETE FROM notices WHERE id <= ?", (last - NOTICES,))
        return last - len(notices) + 1, last

    def wrote(self, run: tuple[int, int]) -> None:
        """
        Remember what is this process's own.

        @param run: what L{note} gave.
        """
        first, last = run
        with self._lock:
            own = self._own
            if own and own[-1][1] == first - 1:
                own[-1] = own[-1][0], last
            else:
                own.append(run)
                # What is not remembered counts as another's.
                del own[:-NOTICES]

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
            "SELECT min(id) FROM notices WHERE noted >= ?", (self._begun,)
        ).fetchone()
        self._heard = token, last if first is None else first - 1

    def news(self) -> News:
        """Find what was not heard of yet."""
        connection = self._connections.mine()
        # One state of the file, whatever others write meanwhile.
        connection.execute("BEGIN")
        try:
            token, last = self._place(connection)
            since = self._since(token)
            (first,) = connection.execute("SELECT coalesce(min(id), 0) FROM notices").fetchone()
            notices = self._after(connection, since)
        finally:
            connection.execute("COMMIT")
        return News(notices, self._lacks(since + 1, first), (token, last))

    def _lacks(self, start: int, stop: int) -> bool:
        """Whether one of these notices, which are not there any more, was another's."""
        lacking = stop - start
        if lacking <= 0:
            return False
        with self._lock:
            for first, last in self._own:
                lacking -= max(0, min(last + 1, stop) - max(first, start))
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

    def overtook(self, connection: sqlite3.Connection, row: Row, url: bytes) -> bool:
        """
        Tell whether another process has purged something that was not heard of here yet.

        @param connection: in the transaction that is to put a row.
        @param url: that of its key.
        """
        token, last = self._place(connection)
        since = self._since(token)
        if last <= since:
            return False
        return any(
            notice.what.coversKey(row.key, row.tags, url)
            for notice in self._after(connection, since)
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

    def _after(self, connection: sqlite3.Connection, since: int) -> list[Notice]:
        found = connection.execute(
            "SELECT kind, value, tags, partitions, soft, change FROM notices"
            " WHERE id > ? AND writer != ? ORDER BY id",
            (since, self._writer),
        )
        return [
            Notice(
                Purge(kind, value, parted(tags), parted(partitions)),
                soft=bool(soft),
                change=bool(change),
            )
            for kind, value, tags, partitions, soft, change in found.fetchall()
        ]


__all__ = ["NOTICES", "SCHEMA", "Journal", "News", "Notice"]
