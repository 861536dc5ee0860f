# -*- test-case-name: tests.smoke -*-
"""
Clients and origins on blocking sockets, in threads: what a test scripts, it reads
from top to bottom.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: After so long without an octet, a test has failed.
SILENCE_SECONDS = 20.0

_PIECE_OCTETS = 1 << 17


class Stream:
    """
    A connection: reads by what HTTP is made of, and ends in every way there is.

    @ivar socket: for what is not here.
    """

    def __init__(self, connected: socket.socket) -> None:
        connected.settimeout(SILENCE_SECONDS)
        self.socket = connected
        self._held = b""

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def send(self, octets: bytes) -> None:
        """Send all of it."""
        self.socket.sendall(octets)

    def receive(self) -> bytes:
        """Read what there is; nothing at the end."""
        held, self._held = self._held, b""
        return held or self.socket.recv(_PIECE_OCTETS)

    def upTo(self, mark: bytes) -> bytes:
        """
        Read up to a mark, and the mark.

        @raise EOFError: there is none.
        """
        held = self._held
        while (end := held.find(mark)) < 0:
            piece = self.socket.recv(_PIECE_OCTETS)
            if not piece:
                self._held = held
                raise EOFError(f"no {mark!r} in {held[-200:]!r}")
            held += piece
        end += len(mark)
        self._held = held[end:]
        return held[:end]

    def head(self) -> bytes:
        """Read a message's head."""
        return self.upTo(b"\r\n\r\n")

    def pieces(self, octets: int) -> Iterator[bytes]:
        """
        Read so many octets, piece by piece.

        @raise EOFError: there are not so many.
        """
        while octets:
            piece = self.receive()
            if not piece:
                raise EOFError(f"{octets} octets are missing")
            self._held = piece[octets:]
            piece = piece[:octets]
            octets -= len(piece)
            yield piece

    def exactly(self, octets: int) -> bytes:
        """Read so many octets."""
        return b"".join(self.pieces(octets))

    def chunks(self) -> Iterator[bytes]:
        """Read chunked content, without trailers."""
        while size := int(self.upTo(b"\r\n"), 16):
            yield from self.pieces(size)
            self.exactly(2)
        self.upTo(b"\r\n")

    def rest(self) -> bytes:
        """Read to the end of the connection."""
        octets = []
        while piece := self.receive():
            octets.append(piece)
        return b"".join(octets)

    def ends(self) -> bool:
        """
        Wait until the other side ends the connection, in order or by a reset.

        @return: whether nothing came before.
        """
        try:
            return self.rest() == b""
        except ConnectionResetError:
            return True

    def endWrite(self) -> None:
        """Send no more, and read on."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        """Close."""
        # A thread that reads from it is to notice.
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def dial(port: int, buffer: int = 0, host: str = "127.0.0.1") -> Stream:
    """
    Connect to a port of loopback.

    @param buffer: octets for the kernel's buffers of this side, 0 for the usual.
    """
    connecting = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if buffer:
        connecting.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        connecting.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
    connecting.settimeout(SILENCE_SECONDS)
    connecting.connect((host, port))
    return Stream(connecting)


class Origin:
    """
    A listener whose every connection is served by a function in its own thread.

    What the function raises because the other side went away is nobody's
    business; anything else is in C{failures}.

    @ivar serve: what is called with each connection, which is closed afterwards.
    @ivar accepted: how many there were.
    """

    def __init__(
        self,
        serve: Callable[[Stream], None] | None = None,
        host: str = "127.0.0.1",
        buffer: int = 0,
    ) -> None:
        """
        Listen.

        @param buffer: octets for the kernel's buffers, 0 for the usual.
        """
        self.serve: Callable[[Stream], None] = serve or Stream.close
        self.accepted = 0
        self.failures: list[Exception] = []
        self._open: set[Stream] = set()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listening = socket.socket(family)
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if buffer:
            self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        self._listening.bind((host, 0))
        self._listening.listen(128)
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connected, _ = self._listening.accept()
            except OSError:
                return  # closed
            self.accepted += 1
            stream = Stream(connected)
            self._open.add(stream)
            threading.Thread(target=self._run, args=(stream,), daemon=True).start()

    def _run(self, stream: Stream) -> None:
        try:
            self.serve(stream)
        except (OSError, EOFError):
            pass
        except Exception as error:  # for the test to look at
            self.failures.append(error)
        finally:
            self._open.discard(stream)
            stream.close()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    def closeConnections(self) -> None:
        """Close what is open, and go on listening."""
        for stream in list(self._open):
            stream.close()

    def close(self) -> None:
        """Listen no more, and close what is open."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.closeConnections()


class Background:
    """Something that a test does at the same time, in a thread."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._function = function
        self._arguments = arguments
        self._result: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._function(*self._arguments)
        except BaseException as error:  # handed to whoever asks
            self._error = error

    def result(self) -> Any:
        """Wait for it; raise what it raised."""
        self._thread.join(3 * SILENCE_SECONDS)
        if self._thread.is_alive():
            raise AssertionError(f"{self._function} does not end")
        if self._error is not None:
            raise self._error
        return self._result


class Content:
    """
    Much content, made as it is sent.

    @ivar octets: how much.
    @ivar digest: what its hash is.
    """

    #: A prime number of octets: what is lost or doubled in pieces of a power of
    #: two shifts all the rest.
    _BLOCK = hashlib.shake_256(b"content").digest(131071)

    def __init__(self, octets: int) -> None:
        self.octets = octets
        self.digest = digestOf(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """Make it."""
        whole, part = divmod(self.octets, len(self._BLOCK))
        for _ in range(whole):
            yield self._BLOCK
        if part:
            yield self._BLOCK[:part]

    def send(self, stream: Stream) -> None:
        """Send it as it is."""
        for piece in self.pieces():
            stream.send(piece)

    def sendChunked(self, stream: Stream) -> None:
        """Send it in chunks of many sizes."""
        for number, piece in enumerate(self.pieces()):
            cut = (number * 7919) % len(piece)
            for part in (piece[:cut], piece[cut:]):
                if part:
                    stream.send(b"%x\r\n%b\r\n" % (len(part), part))
        stream.send(b"0\r\n\r\n")


def digestOf(pieces: Iterator[bytes]) -> str:
    """Hash what comes in pieces."""
    digest = hashlib.blake2b()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()
