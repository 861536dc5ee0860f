# -*- test-case-name: tests.policy.test_diskconnections -*-
"""
Connections of threads to one SQLite file.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading

from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.diskconnections import DiskConnections, IndexLost

SCHEMA = ("DROP TABLE IF EXISTS names", "CREATE TABLE names (name TEXT)")


class ConnectionsTests(SynchronousTestCase):
    """L{DiskConnections}."""

    def setUp(self) -> None:
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.path = os.path.join(self.folder, "index")
        self.connections = self.opened()

    def opened(self, version: int = 1) -> DiskConnections:
        """Open the file as one more process does."""
        connections = DiskConnections(self.path, version, SCHEMA)
        connections.open()
        self.addCleanup(connections.close)
        return connections

    def put(self, name: str) -> None:
        """Insert something."""
        with self.connections.transaction() as connection:
            connection.execute("INSERT INTO names VALUES (?)", (name,))

    def names(self, connections: DiskConnections | None = None) -> list[str]:
        """What was inserted."""
        connection = (connections or self.connections).mine()
        return [name for (name,) in connection.execute("SELECT name FROM names")]

    def test_whatIsThereStays(self) -> None:
        """Also for other processes, and when it is opened again."""
        self.put("a")
        self.connections.open()
        self.connections.close()
        self.assertEqual((self.names(), self.names(self.opened())), (["a"], ["a"]))

    def test_anErrorUndoesIt(self) -> None:
        """All of a transaction."""

        def breaks() -> None:
            with self.connections.transaction() as connection:
                connection.execute("INSERT INTO names VALUES ('a')")
                raise ValueError

        self.assertRaises(ValueError, breaks)
        self.assertFalse(self.connections.mine().in_transaction)
        self.assertEqual(self.names(), [])

    def test_whatIsNoDatabaseIsMadeAnew(self) -> None:
        """It is only a cache."""
        self.put("a")
        self.connections.close()
        with open(self.path, "wb") as file:
            file.write(b"something else entirely" * 1000)
        self.connections.open()
        self.assertEqual(self.names(), [])
        self.put("b")

    def test_tablesOfAnotherVersionAreMadeAnew(self) -> None:
        """As nobody knows what is in them."""
        self.put("a")
        self.assertEqual(self.names(self.opened(2)), [])

    def test_whatCanNotBeOpened(self) -> None:
        """Is no reason to make it anew."""
        self.connections.close()
        os.rename(self.path, self.path + "x")
        os.mkdir(self.path)
        self.assertRaises(sqlite3.OperationalError, self.connections.open)
        self.assertTrue(os.path.isdir(self.path))

    def test_openedAnewWhileAThreadIsAtWork(self) -> None:
        """It keeps its connection until it has done that, and gets another one then."""
        self.put("a")
        begun, opened = threading.Event(), threading.Event()
        seen: list[object] = []

        def work() -> None:
            connection = self.connections.mine()
            begun.set()
            opened.wait(30)
            seen.append(connection.execute("SELECT name FROM names").fetchall())
            seen.append(self.connections.mine() is connection)
            seen.append(self.names())

        thread = threading.Thread(target=work)
        thread.start()
        begun.wait(30)
        self.connections.open()
        opened.set()
        thread.join(30)
        self.assertEqual(seen, [[("a",)], False, ["a"]])
        self.assertEqual(len(self.connections._connections), 2)

    def test_aFileThatWasTakenAwayIsNoticed(self) -> None:
        """SQLite would go on writing into what nobody sees."""
        shutil.rmtree(self.folder)
        self.assertRaises(IndexLost, self.names)
        os.mkdir(self.folder)
        sqlite3.connect(self.path).execute("CREATE TABLE a (b)")
        self.assertRaises(IndexLost, self.put, "a")
        self.connections.open()
        self.put("a")
