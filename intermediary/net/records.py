# -*- test-case-name: tests.net.test_records -*-
"""
The records of a TLS connection that OpenSSL reads and writes on a socket itself.

C{SSL.Connection} of pyOpenSSL is made for people: it says by exceptions what happens all
the time (that nothing has come yet), and checks and copies on the way.  All that costs
more than the decryption of a small record.  So L{DirectRecords} calls C{SSL_read} and
C{SSL_write} where pyOpenSSL has them, C{OpenSSL._util}, with the C{_ssl} of its
connection; what fails is told by pyOpenSSL as ever.  None of the three is public: where
one is missing, L{PublicRecords} does the same by C{recv_into} and C{send}.

Nothing here knows what is said, nor to whom.
"""

from __future__ import annotations

import threading
from typing import Any, Final

from OpenSSL import SSL

from ..compiling import mypyc_attr
from ..errors import forgetFrames

try:
    from OpenSSL._util import ffi as _ffi
    from OpenSSL._util import lib as _lib
except ImportError:
    _ffi = _lib = None

#: Octets in a record, at most (RFC 8446 §5.1).
RECORD_OCTETS: Final = 16384
#: Octets read at once, at most: decrypting them takes as long as a request or two.
ROOM_OCTETS: Final = 8 * RECORD_OCTETS
#: A record of so many is one of several, as a rule: it is as much as fits into a segment.
FULL_OCTETS: Final = 1300

#: SSL_MODE_AUTO_RETRY of OpenSSL's C{ssl.h}.
_AUTO_RETRY: Final = 0x4

# What a connection said when it was last called.  The last two are final.

#: It did what it should.
DONE: Final = 0
#: It has to read before it can.
WANTS_READ: Final = 1
#: It has to write before it can.
WANTS_WRITE: Final = 2
#: The peer has said that it will send no more.
ENDED: Final = 3
#: It can't, and never will.
FAILED: Final = 4


@mypyc_attr(allow_interpreted_subclasses=True)
class Records:
    """
    What was received and what is to be sent of one connection.

    @ivar connection: the C{SSL.Connection}, which has its socket.
    @ivar state: what it said when it was last called.
    @ivar error: why it C{FAILED}: a C{SSL.Error}.
    """

    def __init__(self, connection: Any) -> None:
        self.connection: Any = connection
        self.state: int = DONE
        self.error: Any = None

    def read(self) -> bytes:
        """
        Give what has come, some records of it.

        All of a record is given at once, so that nothing is left in OpenSSL while the
        socket has nothing to read.  After a message that is for OpenSSL itself, it may
        be that nothing is given though there is something: then the socket has it.

        @return: nothing where C{state} says why; there may be a state after something,
            too.
        @raise Exception: of a callback of the connection's context.
        """
        raise NotImplementedError

    def write(self, data: Any, start: int, length: int) -> int:
        """
        Send a record.

        @param length: at most L{RECORD_OCTETS}.  After C{WANTS_READ} and C{WANTS_WRITE}
            the next call has to have the same octets.
        @return: how many octets have left: all, or 0 and C{state} says why.
        """
        raise NotImplementedError

    def shake(self) -> bool:
        """
        Go on with the handshake.

        @return: whether it is over; if not, C{state} says why.
        @raise Exception: of a callback of the connection's context.
        """
        try:
            self.connection.do_handshake()
        except SSL.Error as error:
            self.fail(error)
            return False
        self.state = DONE
        return True

    def close(self) -> bool:
        """
        Send C{close_notify}.

        @return: whether it has left; if not, C{state} says why.
        """
        try:
            self.connection.shutdown()
        except SSL.Error as error:
            self.fail(error)
            return False
        self.state = DONE
        return True

    def fail(self, error: Any) -> None:
        """Note what pyOpenSSL has said."""
        if isinstance(error, SSL.WantReadError):
            self.state = WANTS_READ
        elif isinstance(error, SSL.WantWriteError):
            self.state = WANTS_WRITE
        elif isinstance(error, SSL.ZeroReturnError):
            self.state = ENDED
        else:
            forgetFrames(error)
            self.state = FAILED
            self.error = error
            if _CLEAR is not None:
                # pyOpenSSL leaves what the system said, and the queue is that of all
                # connections: it has to be empty when one is asked why (SSL_get_error(3)).
                _CLEAR()


#: Where records are decrypted, one room for each thread: OpenSSL works without the
#: interpreter's lock, so no two threads may share it.
_ROOMS: Final[Any] = threading.local()
_READ: Final[Any] = getattr(_lib, "SSL_read", None)
_WRITE: Final[Any] = getattr(_lib, "SSL_write", None)
_SHAKE: Final[Any] = getattr(_lib, "SSL_do_handshake", None)
_GET_ERROR: Final[Any] = getattr(_lib, "SSL_get_error", None)
_CLEAR: Final[Any] = getattr(_lib, "ERR_clear_error", None)
_CLEAR_MODE: Final[Any] = getattr(_lib, "SSL_clear_mode", None)
_UNPACK: Final[Any] = getattr(_ffi, "unpack", None)
_FROM_BUFFER: Final[Any] = getattr(_ffi, "from_buffer", None)
_WANT_READ: Final[Any] = getattr(_lib, "SSL_ERROR_WANT_READ", None)
_WANT_WRITE: Final[Any] = getattr(_lib, "SSL_ERROR_WANT_WRITE", None)
_ZERO_RETURN: Final[Any] = getattr(_lib, "SSL_ERROR_ZERO_RETURN", None)


class DirectRecords(Records):
    """Those of a connection whose C{SSL} of OpenSSL is at hand."""

    def __init__(self, connection: Any) -> None:
        """
        @raise AttributeError: it is not.
        """
        super().__init__(connection)
        self._ssl: Any = connection._ssl  # noqa: SLF001 - see above
        octets = getattr(_ROOMS, "octets", None)
        if octets is None:
            octets = _ROOMS.octets = _ffi.new("char[]", ROOM_OCTETS)
        self._octets: Any = octets
        if _CLEAR_MODE is not None:
            # Or a read would go on for as long as messages come that are for OpenSSL
            # itself (new keys, tickets), and nobody else would have a turn.
            _CLEAR_MODE(self._ssl, _AUTO_RETRY)

    def read(self) -> bytes:
        """See L{Records.read}."""
        if self.state == FAILED:
            return b""
        ssl = self._ssl
        octets = self._octets
        total: int = _READ(ssl, octets, RECORD_OCTETS)
        if total <= 0:
            self._judge(total)
            return b""
        self.state = DONE
        if total >= FULL_OCTETS:
            while total <= ROOM_OCTETS - RECORD_OCTETS:
                more: int = _READ(ssl, octets + total, RECORD_OCTETS)
                if more <= 0:
                    self._judge(more)
                    break
                total += more
                if more < FULL_OCTETS:
                    break
        data: bytes = _UNPACK(octets, total)
        return data

    def write(self, data: Any, start: int, length: int) -> int:
        """See L{Records.write}."""
        sent: int
        if start == 0 and type(data) is bytes:
            sent = _WRITE(self._ssl, data, length)
        else:
            sent = _WRITE(self._ssl, _FROM_BUFFER(data) + start, length)
        if sent <= 0:
            self._judge(sent)
            return 0
        self.state = DONE
        return sent

    def shake(self) -> bool:
        """See L{Records.shake}."""
        result: int = _SHAKE(self._ssl)
        if result <= 0:
            self._judge(result)
            return False
        self.state = DONE
        return True

    def _judge(self, result: int) -> None:
        """Find out why something was not done."""
        why = _GET_ERROR(self._ssl, result)
        if why == _WANT_READ:
            self.state = WANTS_READ
        elif why == _WANT_WRITE:
            self.state = WANTS_WRITE
        elif why == _ZERO_RETURN:
            self.state = ENDED
        else:
            try:
                self.connection._raise_ssl_error(self._ssl, result)  # noqa: SLF001
            except SSL.Error as error:
                self.fail(error)


class PublicRecords(Records):
    """Those of any connection."""

    def read(self) -> bytes:
        """See L{Records.read}."""
        if self.state == FAILED:
            return b""
        view: Any = getattr(_ROOMS, "view", None)
        if view is None:
            view = _ROOMS.view = memoryview(bytearray(ROOM_OCTETS))
        total = 0
        self.state = DONE
        while total <= ROOM_OCTETS - RECORD_OCTETS:
            try:
                more: int = self.connection.recv_into(view[total:], RECORD_OCTETS)
            except SSL.Error as error:
                self.fail(error)
                break
            total += more
            if more < FULL_OCTETS:
                break
        return bytes(view[:total])

    def write(self, data: Any, start: int, length: int) -> int:
        """See L{Records.write}."""
        try:
            sent: int = self.connection.send(memoryview(data)[start : start + length])
        except SSL.Error as error:
            self.fail(error)
            return 0
        self.state = DONE
        return sent


def recordsOf(connection: Any) -> Records:
    """Find the best way to those of a C{SSL.Connection}, which has just been made."""
    if _CLEAR is not None:
        # pyOpenSSL leaves what OpenSSL has said of a name that it does not take.
        _CLEAR()
    if None not in (_READ, _WRITE, _SHAKE, _GET_ERROR, _CLEAR) and hasattr(
        connection, "_raise_ssl_error"
    ):
        try:
            return DirectRecords(connection)
        except AttributeError:
            pass
    return PublicRecords(connection)


__all__ = [
    "DONE",
    "ENDED",
    "FAILED",
    "FULL_OCTETS",
    "RECORD_OCTETS",
    "ROOM_OCTETS",
    "WANTS_READ",
    "WANTS_WRITE",
    "DirectRecords",
    "PublicRecords",
    "Records",
    "recordsOf",
]
