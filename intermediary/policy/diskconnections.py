# -*- test-case-name: tests.policy.test_diskconnections -*-
"""
Connections to an SQLite file, for threads: each has its own.

A file that is deleted is written to all the same, and nobody would find what is in
it; so each use compares it with the one that was opened.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

#: How long one waits for another process, in seconds.
BUSY_SECONDS: Final = 5.0


class IndexLost(OSError):
    """The file of the index was taken away, or put in the place of another."""


class DiskConnections:
    """
    The connections to one file; all of it blocks.

    Its methods raise C{sqlite3.Error} and C{OSError}.
    """

    def __init__(
        self, path: str, version: int, schema: Sequence[str], additions: Sequence[str] = ()
    ) -> None:
        """
        @param version: of the tables; where the file has another one, they are made.
        @param schema: the statements that do, and drop what there is.
        @param additions: those that add what the file lacks, whatever its version.
        """
        self.path = path
        self._version = version
        self._schema = schema
        self._additions = additions
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: set[sqlite3.Connection] = set()
        self._generation = 0
        self._file = (0, 0)

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
        with _transaction(connection):
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != self._version:
                # executescript() would commit first.
                for statement in self._schema:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {self._version}")
            for statement in self._additions:
                connection.execute(statement)
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

    def mine(self) -> sqlite3.Connection:
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

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """Begin one that may write: it is committed in the end, or rolled back on an error."""
        return _transaction(self.mine())


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
