# -*- test-case-name: tests.policy.test_diskindex -*-
"""
What is stored on disk, in SQLite: everything of an entry but its content.

A row is there only while its file is, which has a name that is used once: so
whatever happens to a process, a row that is found leads to the content that it was
written for, or to none.  Files without a row are left over, and harmless.

All of it blocks, and is for threads.  Any number of processes may use the same file.
"""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Final

from .diskconnections import DiskConnections
from .diskjournal import ADDITIONS, Journal, Notice
from .diskrows import Row, joined, parted
from .purging import HOST, KEY, PREFIX, TAG, Purge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

#: Of the tables; a file with another one is emptied.
VERSION: Final = 1
#: How many rows one transaction deletes, so that other processes get their turn.
BATCH: Final = 500

_SCHEMA = """
DROP TABLE IF EXISTS entries;
DROP TABLE IF EXISTS tags;
DROP TABLE IF EXISTS room;
CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key BLOB NOT NULL,
    variant BLOB NOT NULL,
    name TEXT NOT NULL,
    octets INTEGER NOT NULL,
    status INTEGER NOT NULL,
    reason BLOB NOT NULL,
    head BLOB NOT NULL,
    trailers BLOB NOT NULL,
    vary BLOB NOT NULL,
    tags BLOB NOT NULL,
    verdict BLOB NOT NULL,
    stored REAL NOT NULL,
    expires REAL NOT NULL,
    url BLOB NOT NULL,
    host BLOB NOT NULL,
    used REAL NOT NULL,
    size INTEGER NOT NULL,
    UNIQUE (key, variant)
);
CREATE INDEX entriesByUrl ON entries (url);
CREATE INDEX entriesByHost ON entries (host);
CREATE INDEX entriesByUse ON entries (used);
CREATE TABLE tags (tag BLOB NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (tag, id)) WITHOUT ROWID;
CREATE INDEX tagsById ON tags (id);
CREATE TABLE room (octets INTEGER NOT NULL, count INTEGER NOT NULL);
INSERT INTO room VALUES (0, 0);
CREATE TRIGGER entryAdded AFTER INSERT ON entries BEGIN
    UPDATE room SET octets = octets + new.size, count = count + 1;
END;
CREATE TRIGGER entryDeleted AFTER DELETE ON entries BEGIN
    UPDATE room SET octets = octets - old.size, count = count - 1;
    DELETE FROM tags WHERE id = old.id;
END;
"""

_COLUMNS = (
    "id, key, variant, name, octets, status, reason, head, trailers, vary, tags, verdict,"
    " stored, expires"
)


class DiskIndex:
    """
    The rows in one file.

    Its methods raise C{sqlite3.Error} and C{OSError}.

    @ivar journal: tells the others of what is purged.
    """

    def __init__(
        self, path: str, limitOctets: int, wallSeconds: Callable[[], float] = time.time
    ) -> None:
        """
        @param wallSeconds: what all processes call the time; also called in threads.
        """
        self.limitOctets = limitOctets
        self.connections = DiskConnections(path, VERSION, tuple(_statements(_SCHEMA)), ADDITIONS)
        self.journal = Journal(self.connections, wallSeconds)

    def open(self) -> None:
        """See L{DiskConnections.open}."""
        self.connections.open()
        self.journal.begin()

    def close(self) -> None:
        """See L{DiskConnections.close}."""
        self.connections.close()

    # Reading

    def find(self, key: bytes) -> list[Row]:
        """Get the rows of a key, the newest first."""
        found = self.connections.mine().execute(
            f"SELECT {_COLUMNS} FROM entries WHERE key = ? ORDER BY id DESC",  # noqa: S608
            (key,),
        )
        return [
            Row._make((*row[:9], parted(row[9]), parted(row[10]), *row[11:]))
            for row in found.fetchall()
        ]

    def room(self) -> tuple[int, int]:
        """Get the octets that all rows take, and their number."""
        octets, count = self.connections.mine().execute("SELECT octets, count FROM room").fetchone()
        return octets, count

    def known(self, names: Iterable[str]) -> set[str]:
        """Tell which of these files have a row."""
        connection = self.connections.mine()
        wanted = set(names)
        found = connection.execute("SELECT name FROM entries")
        return {name for (name,) in found if name in wanted}

    # Writing; each answers with the names of files that have no row any more

    def put(
        self,
        row: Row,
        url: bytes,
        host: bytes,
        now: float,
        isWanted: Callable[[], bool] | None = None,
        *,
        requested: float = 0.0,
        renewing: bool = False,
    ) -> list[str] | None:
        """
        Insert a row in place of the one with its key and variant, and make room for it.

        @param isWanted: is asked in the transaction.  So who wants it no more, and purges
            after that, never leaves one: it is not put, or it is purged.
        @param requested: when that was asked for which it is of: what another process has
            purged after that, nobody here may know yet, and it is not put, either.
        @param renewing: only in place of one with the same file.
        @return: None if it was not inserted.
        """
        with self.connections.transaction() as connection:
            # First, as what is heard of after that makes that it is not wanted.
            if self.journal.overtook(connection, row, url, requested):
                return None
            if isWanted is not None and not isWanted():
                return None
            if renewing and not self._has(connection, row):
                return None
            names = self._delete(
                connection, "key = ? AND variant = ? LIMIT 1", (row.key, row.variant)
            )
            cursor = connection.execute(
                "INSERT INTO entries (key, variant, name, octets, status, reason, head, trailers,"
                " vary, tags, verdict, stored, expires, url, host, used, size)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *row[1:9],
                    joined(row.vary),
                    joined(row.tags),
                    *row[11:],
                    url,
                    host,
                    now,
                    row.size,
                ),
            )
            number = cursor.lastrowid
            connection.executemany(
                "INSERT OR IGNORE INTO tags VALUES (?, ?)", [(tag, number) for tag in row.tags]
            )
            while connection.execute("SELECT octets FROM room").fetchone()[0] > self.limitOctets:
                gone = self._delete(connection, "id != ? ORDER BY used LIMIT 1", (number,))
                if not gone:
                    break
                names += gone
        return names

    @staticmethod
    def _has(connection: sqlite3.Connection, row: Row) -> bool:
        """Whether there is a row of the same response."""
        found = connection.execute(
            "SELECT 1 FROM entries WHERE key = ? AND variant = ? AND name = ?",
            (row.key, row.variant, row.name),
        )
        return found.fetchone() is not None

    def dropAll(self, names: list[tuple[bytes, bytes]]) -> list[str]:
        """Delete rows by key and variant, in one transaction."""
        gone: list[str] = []
        with self.connections.transaction() as connection:
            for name in names:
                gone += self._delete(connection, "key = ? AND variant = ? LIMIT 1", name)
        return gone

    def forgetAll(self, keys: Sequence[bytes]) -> tuple[list[int], list[str]]:
        """
        Delete all rows under keys, in one transaction.

        @return: how many there were under each, and their names.
        """
        counts: list[int] = []
        names: list[str] = []
        changes = [Notice(Purge.ofKey(key), change=True) for key in keys]
        with self.connections.transaction() as connection:
            run = self.journal.note(connection, changes)
            for key in keys:
                gone = self._delete(connection, "key = ?", (key,))
                counts.append(len(gone))
                names += gone
        self.journal.wrote(run)
        return counts, names

    def forget(self, name: str) -> None:
        """Delete the row of a file that is not there."""
        with self.connections.transaction() as connection:
            connection.execute("DELETE FROM entries WHERE name = ?", (name,))

    def touch(self, used: dict[str, float]) -> None:
        """Note when files were used last."""
        with self.connections.transaction() as connection:
            connection.executemany(
                "UPDATE entries SET used = max(used, ?) WHERE name = ?",
                [(when, name) for name, when in used.items()],
            )

    def wipe(self) -> list[str]:
        """Delete all rows."""
        return self._purge([("1", ())], Notice(Purge.ofPrefix(b"")))[1]

    def expire(self, what: Purge, now: float) -> int:
        """Make what a purge covers stale; how many there were."""
        count = 0
        with self.connections.transaction() as connection:
            run = self.journal.note(connection, [Notice(what, soft=True)])
            for condition, values in _conditions(what):
                cursor = connection.execute(
                    f"UPDATE entries SET expires = min(expires, ?) WHERE {condition}",  # noqa: S608
                    (now, *values),
                )
                count += cursor.rowcount
        self.journal.wrote(run)
        return count

    def purge(self, what: Purge) -> tuple[int, list[str]]:
        """Delete what a purge covers; how many there were, and the names."""
        return self._purge(_conditions(what), Notice(what))

    def _purge(
        self, conditions: Iterable[tuple[str, tuple[bytes, ...]]], notice: Notice
    ) -> tuple[int, list[str]]:
        last: int | None = None
        run: tuple[int, int] | None = None
        names: list[str] = []
        for condition, values in conditions:
            gone = [""]
            while gone:
                with self.connections.transaction() as connection:
                    if last is None:
                        run = self.journal.note(connection, [notice])
                        # Here, where nothing is being put that might come before it.
                        query = "SELECT coalesce(max(id), 0) FROM entries"
                        (last,) = connection.execute(query).fetchone()
                    gone = self._delete(
                        connection, f"({condition}) AND id <= ? LIMIT {BATCH}", (*values, last)
                    )
                if run is not None:
                    self.journal.wrote(run)
                    run = None
                names += gone
        return len(names), names

    @staticmethod
    def _delete(
        connection: sqlite3.Connection, condition: str, values: tuple[object, ...]
    ) -> list[str]:
        # Conditions are made in here; what comes from outside are values.
        query = f"SELECT id, name FROM entries WHERE {condition}"  # noqa: S608
        found = connection.execute(query, values).fetchall()
        connection.executemany("DELETE FROM entries WHERE id = ?", [(row[0],) for row in found])
        return [row[1] for row in found]


def _conditions(what: Purge) -> Iterator[tuple[str, tuple[bytes, ...]]]:
    """
    Say in SQL what a purge covers, for one of its partitions after the other.

    A row is in one of them.
    """
    condition, values = _kind(what)
    if not what.partitions:
        yield condition, values
    for partition in dict.fromkeys(what.partitions):
        # A token and a space begin the key; the exclamation mark follows the space.
        yield f"{condition} AND key >= ? AND key < ?", (*values, partition + b" ", partition + b"!")


def _kind(what: Purge) -> tuple[str, tuple[bytes, ...]]:
    """Say in SQL what a purge covers, whatever its partitions."""
    value = what.value
    if what.kind == KEY:
        return "key = ?", (value,)
    if what.kind == HOST:
        return "host = ?", (value,)
    if what.kind == TAG:
        marks = ", ".join("?" * len(what.tags))
        return f"id IN (SELECT id FROM tags WHERE tag IN ({marks}))", what.tags  # noqa: S608
    assert what.kind == PREFIX
    # The first that is behind all with the prefix: its last octet plus one.
    kept = value.rstrip(b"\xff")
    if not kept:
        return "url >= ?", (value,)
    return "url >= ? AND url < ?", (value, kept[:-1] + bytes([kept[-1] + 1]))


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
