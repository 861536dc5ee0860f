# -*- test-case-name: tests.policy.test_diskindex -*-
"""
What is stored on disk, in SQLite: everything of an entry but its content.

A row is there only while its file is, which has a name that is used once: so
whatever happens to a process, a row that is found leads to the content that it was
written for, or to none.  Files without a row are left over, and harmless.

All of it blocks, and is for threads; each has a connection of its own.  Any
number of processes may use the same file.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from .purging import HOST, KEY, PREFIX, TAG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .purging import Purge

#: Of the tables; a file with another one is emptied.
VERSION: Final = 1
#: What is counted for a row and a file beside their octets, which take whole blocks.
ROW_OCTETS: Final = 1024
BLOCK_OCTETS: Final = 4096
#: How many rows one transaction deletes, so that other processes get their turn.
BATCH: Final = 500
#: How long one waits for another process, in seconds.
BUSY_SECONDS: Final = 5.0

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


class Row(NamedTuple):
    """What is known of one stored response."""

    #: 0 as long as it is in no index.
    id: int
    key: bytes
    variant: bytes
    #: Of the file with its content.
    name: str
    octets: int
    status: int
    reason: bytes
    #: Lines of fields.
    head: bytes
    trailers: bytes
    vary: tuple[bytes, ...]
    tags: tuple[bytes, ...]
    verdict: bytes
    stored: float
    expires: float

    @property
    def size(self) -> int:
        """What it takes on the disk."""
        blocks = -(-self.octets // BLOCK_OCTETS) * BLOCK_OCTETS
        return ROW_OCTETS + blocks + len(self.key) + len(self.head) + sum(map(len, self.tags))


def _joined(parts: tuple[bytes, ...]) -> bytes:
    return b"\n".join(parts)


def _parted(text: bytes) -> tuple[bytes, ...]:
    return tuple(text.split(b"\n")) if text else ()


class IndexLost(OSError):
    """The file of the index was taken away, or put in the place of another."""


class DiskIndex:
    """
    The rows in one file.

    Its methods raise C{sqlite3.Error} and C{OSError}.
    """

    def __init__(self, path: str, limitOctets: int) -> None:
        self.path = path
        self.limitOctets = limitOctets
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: set[sqlite3.Connection] = set()
        self._generation = 0
        self._file = (0, 0)

    # Opening and closing

    def open(self) -> None:
        """
        Make the file if there is none, and make it anew if it is unusable.

        Other threads may be at work: they get another connection when they come next.
        """
        self._outdate()
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            # Not a database, or a damaged one.  It is only a cache.
            self._part()
            self._outdate()
            for suffix in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.path + suffix)
            self._prepare()

    def _prepare(self) -> None:
        connection = self._connect()
        with self._transaction(connection):
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != VERSION:
                # executescript() would commit first.
                for statement in _statements(_SCHEMA):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {VERSION}")
        found = os.stat(self.path)
        self._file = found.st_dev, found.st_ino

    def _outdate(self) -> None:
        """Have each thread connect anew."""
        with self._lock:
            self._generation += 1

    def _part(self) -> None:
        """Close this thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            self._local.connection = None
            with self._lock:
                self._connections.discard(connection)
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        self._part()
        # Before anything is opened, which may be outdated by then.
        generation = self._generation
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        with self._lock:
            self._connections.add(connection)
        self._local.connection = connection
        self._local.generation = generation
        connection.execute("PRAGMA journal_mode = WAL")
        # After a loss of power the last rows may be missing, but none is wrong.
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _connection(self) -> sqlite3.Connection:
        """Get this thread's connection, if the file is still where it was."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError as error:
            raise IndexLost(f"{self.path} is gone") from error
        if (found.st_dev, found.st_ino) != self._file:
            raise IndexLost(f"{self.path} is another file now")
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None or self._local.generation != self._generation:
            connection = self._connect()
        return connection

    def close(self) -> None:
        """Close the connections of all threads, which must not be at work."""
        with self._lock:
            connections, self._connections = self._connections, set()
            self._generation += 1
        for connection in connections:
            connection.close()

    @staticmethod
    @contextlib.contextmanager
    def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    # Reading

    def find(self, key: bytes) -> list[Row]:
        """Get the rows of a key, the newest first."""
        found = self._connection().execute(
            f"SELECT {_COLUMNS} FROM entries WHERE key = ? ORDER BY id DESC",  # noqa: S608
            (key,),
        )
        return [
            Row._make((*row[:9], _parted(row[9]), _parted(row[10]), *row[11:]))
            for row in found.fetchall()
        ]

    def room(self) -> tuple[int, int]:
        """Get the octets that all rows take, and their number."""
        octets, count = self._connection().execute("SELECT octets, count FROM room").fetchone()
        return octets, count

    def known(self, names: Iterable[str]) -> set[str]:
        """Tell which of these files have a row."""
        connection = self._connection()
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
        renewing: bool = False,
    ) -> list[str] | None:
        """
        Insert a row in place of the one with its key and variant, and make room for it.

        @param isWanted: is asked in the transaction.  So who wants it no more, and purges
            after that, never leaves one: it is not put, or it is purged.
        @param renewing: only in place of one with the same file.
        @return: None if it was not inserted.
        """
        with self._transaction(self._connection()) as connection:
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
                    _joined(row.vary),
                    _joined(row.tags),
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

    def drop(self, key: bytes, variant: bytes) -> list[str]:
        """Delete a row."""
        with self._transaction(self._connection()) as connection:
            return self._delete(connection, "key = ? AND variant = ? LIMIT 1", (key, variant))

    def dropAll(self, names: list[tuple[bytes, bytes]]) -> list[str]:
        """Delete rows by key and variant, in one transaction."""
        gone: list[str] = []
        with self._transaction(self._connection()) as connection:
            for name in names:
                gone += self._delete(connection, "key = ? AND variant = ? LIMIT 1", name)
        return gone

    def forget(self, name: str) -> None:
        """Delete the row of a file that is not there."""
        with self._transaction(self._connection()) as connection:
            connection.execute("DELETE FROM entries WHERE name = ?", (name,))

    def touch(self, used: dict[str, float]) -> None:
        """Note when files were used last."""
        with self._transaction(self._connection()) as connection:
            connection.executemany(
                "UPDATE entries SET used = max(used, ?) WHERE name = ?",
                [(when, name) for name, when in used.items()],
            )

    def wipe(self) -> list[str]:
        """Delete all rows."""
        return self._purge([("1", ())])[1]

    def expire(self, what: Purge, now: float) -> int:
        """Make what a purge covers stale; how many there were."""
        count = 0
        with self._transaction(self._connection()) as connection:
            for condition, values in _conditions(what):
                cursor = connection.execute(
                    f"UPDATE entries SET expires = min(expires, ?) WHERE {condition}",  # noqa: S608
                    (now, *values),
                )
                count += cursor.rowcount
        return count

    def purge(self, what: Purge) -> tuple[int, list[str]]:
        """Delete what a purge covers; how many there were, and the names."""
        return self._purge(_conditions(what))

    def _purge(self, conditions: Iterable[tuple[str, tuple[bytes, ...]]]) -> tuple[int, list[str]]:
        connection = self._connection()
        last: int | None = None
        names: list[str] = []
        for condition, values in conditions:
            gone = [""]
            while gone:
                with self._transaction(connection):
                    if last is None:
                        # Here, where nothing is being put that might come before it.
                        query = "SELECT coalesce(max(id), 0) FROM entries"
                        (last,) = connection.execute(query).fetchone()
                    gone = self._delete(
                        connection, f"({condition}) AND id <= ? LIMIT {BATCH}", (*values, last)
                    )
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
