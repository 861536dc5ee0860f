# -*- test-case-name: tests.net.test_records -*-
"""
L{intermediary.net.records}: what OpenSSL reads and writes on a socket, either way.
"""

from __future__ import annotations

import socket
from threading import Thread
from typing import Any, ClassVar

from OpenSSL import SSL
from OpenSSL._util import lib
from twisted.trial.unittest import SynchronousTestCase

from intermediary.net.records import (
    DONE,
    ENDED,
    FAILED,
    FULL_OCTETS,
    RECORD_OCTETS,
    ROOM_OCTETS,
    WANTS_READ,
    WANTS_WRITE,
    DirectRecords,
    PublicRecords,
    Records,
    recordsOf,
)

from .certifying import made
from .tlskeys import APPLICATION, Speaker


class RecordsTests(SynchronousTestCase):
    """Those by which everything is done here: the direct ones."""

    kind: type[Records] = DirectRecords
    #: What four messages are read as, of which the last one is content.
    turns: ClassVar[list[bytes]] = [b"", b"", b"", b"x"]

    def setUp(self) -> None:
        """Have two sockets of UNIX's."""
        context = SSL.Context(SSL.TLS_METHOD)
        context.use_certificate(made("a.example").certificate)
        context.use_privatekey(made("a.example").privateKey)
        ours, theirs = self.sockets = socket.socketpair()
        for each in self.sockets:
            self.addCleanup(each.close)
            each.setblocking(False)
        connection = SSL.Connection(context, ours)
        connection.set_accept_state()
        self.records = self.kind(connection)
        self.speaker = Speaker()
        self.peer = SSL.Connection(self.speaker.context, theirs)
        self.peer.set_connect_state()

    def shake(self) -> None:
        """Have both shake hands."""
        for _ in range(3):
            try:
                self.peer.do_handshake()
            except SSL.WantReadError:
                pass
            shaken = self.records.shake()
        self.assertTrue(shaken)
        self.assertEqual(self.records.state, DONE)
        # For its tickets.
        self.assertRaises(SSL.WantReadError, self.peer.recv, 1)

    def test_theHandshake(self) -> None:
        """It waits for the client, and for its second flight."""
        self.assertFalse(self.records.shake())
        self.assertEqual(self.records.state, WANTS_READ)
        self.shake()

    def test_aRecord(self) -> None:
        """Read as a whole, then there is nothing; and sent as a whole, or a part."""
        self.shake()
        self.peer.send(b"hello")
        self.assertEqual(self.records.read(), b"hello")
        self.assertEqual(self.records.state, DONE)
        self.assertEqual(self.records.read(), b"")
        self.assertEqual(self.records.state, WANTS_READ)
        self.assertEqual(self.records.write(b"hello", 0, 5), 5)
        self.assertEqual(self.peer.recv(100), b"hello")
        self.assertEqual(self.records.write(b"hello", 1, 3), 3)
        self.assertEqual(self.records.write(memoryview(b"hello")[2:], 0, 2), 2)
        self.assertEqual(self.records.write(memoryview(b"hello")[1:], 1, 1), 1)
        self.assertEqual(self.records.state, DONE)
        self.assertEqual([self.peer.recv(100) for _ in range(3)], [b"ell", b"ll", b"l"])

    def test_severalRecords(self) -> None:
        """Those of one piece are read at once: as long as they are full, and until one is not."""
        self.shake()
        for size in (FULL_OCTETS, RECORD_OCTETS, FULL_OCTETS - 1, 20):
            self.peer.send(bytes(size))
        self.assertEqual(len(self.records.read()), 2 * FULL_OCTETS - 1 + RECORD_OCTETS)
        self.assertEqual(self.records.state, DONE)
        self.assertEqual(len(self.records.read()), 20)
        self.peer.send(bytes(FULL_OCTETS))
        self.assertEqual(len(self.records.read()), FULL_OCTETS)
        self.assertEqual(self.records.state, WANTS_READ)

    def test_thereIsRoomForWholeRecords(self) -> None:
        """Nothing of one stays in OpenSSL, where nobody would look for it."""
        self.shake()
        octets = b"".join(bytes([index]) * RECORD_OCTETS for index in range(10))
        sender = Thread(target=self.send, args=(octets,))
        sender.start()
        read = b""
        while len(read) < len(octets):
            piece = self.records.read()
            self.assertLessEqual(len(piece), ROOM_OCTETS)
            self.assertEqual(self.records.connection.pending(), 0)
            read += piece
        sender.join()
        self.assertTrue(read == octets)

    def send(self, octets: bytes) -> None:
        """Have the peer send much."""
        self.sockets[1].setblocking(True)
        while octets:
            octets = octets[self.peer.send(octets[:RECORD_OCTETS]) :]

    def test_messagesForOpenSSLItself(self) -> None:
        """After each it is for the reactor to say who is next."""
        self.shake()
        said = b"".join(self.speaker.newKeys() for _ in range(3))
        self.sockets[1].send(said + self.speaker.record(APPLICATION, b"x"))
        read = [self.records.read()]
        while not read[-1]:
            self.assertEqual(self.records.state, WANTS_READ)
            read.append(self.records.read())
        self.assertEqual(read, self.turns)

    def test_aFullSocket(self) -> None:
        """The same octets again, when there is room."""
        self.shake()
        sent = 0
        piece = bytes(range(256)) * 64
        while self.records.write(piece, 0, RECORD_OCTETS):
            sent += 1
        self.assertEqual(self.records.state, WANTS_WRITE)
        for _ in range(sent):
            self.assertEqual(len(self.peer.recv(RECORD_OCTETS)), RECORD_OCTETS)
        self.assertEqual(self.records.write(piece, 0, RECORD_OCTETS), RECORD_OCTETS)
        self.assertEqual(self.peer.recv(RECORD_OCTETS), piece)

    def test_theEnd(self) -> None:
        """It is told after what came before it, and again."""
        self.shake()
        self.peer.send(bytes(FULL_OCTETS))
        self.peer.shutdown()
        self.assertEqual(len(self.records.read()), FULL_OCTETS)
        self.assertEqual(self.records.state, ENDED)
        self.assertEqual(self.records.read(), b"")
        self.assertEqual(self.records.state, ENDED)
        self.assertTrue(self.records.close())
        self.assertRaises(SSL.ZeroReturnError, self.peer.recv, 1)

    def test_aCut(self) -> None:
        """It is no end; and nothing is tried after it."""
        self.shake()
        self.sockets[1].close()
        self.assertEqual(self.records.read(), b"")
        self.assertEqual(self.records.state, FAILED)
        error = self.records.error
        self.assertIsInstance(error, SSL.Error)
        self.assertIsNone(error.__traceback__)
        self.assertEqual(self.records.read(), b"")
        self.assertIs(self.records.error, error)

    def test_whatCannotBeSent(self) -> None:
        """It has failed, in every way of sending."""
        self.shake()
        self.sockets[1].close()
        self.assertEqual(self.records.write(b"x", 0, 1), 0)
        self.assertEqual(self.records.state, FAILED)
        self.assertEqual(self.records.error.args, (32, "EPIPE"))
        self.assertFalse(self.records.close())

    def test_aFailureIsNobodyElses(self) -> None:
        """OpenSSL's queue of errors, one for all connections of a thread, is empty after it."""
        self.shake()
        self.sockets[1].close()
        self.assertFalse(self.records.write(b"x", 0, 1))
        self.assertEqual(lib.ERR_peek_error(), 0)
        self.assertFalse(self.records.close())
        self.assertEqual(lib.ERR_peek_error(), 0)

    def test_whatComesBeforeIsNobodysEither(self) -> None:
        """Such as that of a name that can't be said."""
        self.peer.set_tlsext_host_name(b"a" * 256)
        self.assertNotEqual(lib.ERR_peek_error(), 0)
        recordsOf(self.peer)
        self.assertEqual(lib.ERR_peek_error(), 0)

    def test_aHandshakeThatFails(self) -> None:
        """The reason is OpenSSL's."""
        self.sockets[1].send(b"GET / HTTP/1.1\r\n\r\n")
        self.assertFalse(self.records.shake())
        self.assertEqual(self.records.state, FAILED)
        self.assertIn("http request", str(self.records.error))


class ContentTests(SynchronousTestCase):
    """Records that have none for us."""

    def test_oneAtATime(self) -> None:
        """Whoever sends many takes no more time than others: here, a server its tickets."""
        context = SSL.Context(SSL.TLS_METHOD)
        context.use_certificate(made("a.example").certificate)
        context.use_privatekey(made("a.example").privateKey)
        sockets = socket.socketpair()
        for each in sockets:
            self.addCleanup(each.close)
            each.setblocking(False)
        peer = SSL.Connection(context, sockets[1])
        peer.set_accept_state()
        connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD), sockets[0])
        connection.set_connect_state()
        records = DirectRecords(connection)
        for _ in range(3):
            records.shake()
            try:
                peer.do_handshake()
            except SSL.WantReadError:
                pass
        self.assertEqual(connection.get_protocol_version_name(), "TLSv1.3")
        peer.send(b"hello")
        for _ in range(2):
            self.assertEqual(records.read(), b"")
            self.assertEqual(records.state, WANTS_READ)
        self.assertEqual(records.read(), b"hello")
        self.assertEqual(records.state, DONE)


class PublicRecordsTests(RecordsTests):
    """Those for a pyOpenSSL of another make."""

    kind = PublicRecords
    # The mode that this depends on can't be cleared.
    turns: ClassVar[list[bytes]] = [b"x"]


class ChoosingTests(SynchronousTestCase):
    """Which are taken."""

    def test_byWhatThereIs(self) -> None:
        """Direct ones, of a connection as we know it."""
        connection: Any = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
        self.assertIs(type(recordsOf(connection)), DirectRecords)

        class Other:
            """One of which we know nothing."""

        self.assertIs(type(recordsOf(Other())), PublicRecords)
        Other._raise_ssl_error = None  # type: ignore[attr-defined]
        self.assertIs(type(recordsOf(Other())), PublicRecords)
