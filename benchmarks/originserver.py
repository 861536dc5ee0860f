# -*- test-case-name: tests.test_benchmarks -*-
"""
An origin that does what nginx can't: it takes uploads, counts and checks them,
reads as slowly as it is told to, and misbehaves on request.

    python -m benchmarks.originserver PORT

Targets, all with HTTP/1.1 keep-alive:

  - C{GET /1k} and the other L{benchmarks.content.SIZES};
  - C{GET /n/SIZE/TAG}: C{SIZE} octets made of the tag, see L{tagged};
  - C{GET /close/SIZE/TAG}: the same, delimited by the end of the connection;
  - C{GET /chunked/SIZE/TAG}: the same in chunks;
  - C{GET /stream/SIZE/TAG}: the same content again, but never held as a whole;
  - C{GET /cut/SIZE/TAG}: the connection is reset after half of it;
  - C{GET /wait/MILLISECONDS/TAG}: the tag, later;
  - C{POST /upload}: C{LENGTH CRC32} of what came;
  - C{POST /upload/RATE}: the same, reading C{RATE} octets a second;
  - C{GET /status}: as nginx's C{stub_status}.

It is not a model of a server: it believes whatever the proxy sends it.
"""

from __future__ import annotations

import asyncio
import re
import socket
import sys
import zlib
from dataclasses import dataclass, field
from email.utils import formatdate

from .content import SIZES, UNSTORABLE, cacheControl, content
from .machine import raiseFileLimit

_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect: *100-continue", re.IGNORECASE)

#: The date of all answers.
_STARTED = formatdate(usegmt=True).encode("ascii")

#: What is read at once from a connection.
PIECE_OCTETS = 65536

#: Content that is streamed repeats after so many octets at most.
BLOCK_OCTETS = 1 << 20


def tagged(tag: str, size: int) -> bytes:
    """Give the content that belongs to a tag: an answer for another one never equals it."""
    block = f"{tag}.".encode("ascii")
    return (block * (size // len(block) + 1))[:size]


def streamBlock(tag: str) -> bytes:
    """Give what C{/stream} repeats: whole copies of the tag."""
    block = f"{tag}.".encode("ascii")
    return block * (BLOCK_OCTETS // len(block))


class Reading:
    """A buffered reader that leaves the waiting octets in the kernel."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._held = b""

    async def _more(self, limit: int = PIECE_OCTETS) -> None:
        loop = asyncio.get_running_loop()
        data = await loop.sock_recv(self._connection, limit)
        if not data:
            raise EOFError
        self._held += data

    async def until(self, mark: bytes) -> bytes:
        """Read up to and with the mark."""
        while (end := self._held.find(mark)) < 0:
            await self._more()
        taken = self._held[: end + len(mark)]
        self._held = self._held[end + len(mark) :]
        return taken

    async def some(self, limit: int) -> bytes:
        """Read at least one and at most C{limit} octets."""
        if not self._held:
            await self._more(min(limit, PIECE_OCTETS))
        taken, self._held = self._held[:limit], self._held[limit:]
        return taken


@dataclass(slots=True)
class Pace:
    """Holds a reader back to a rate, in octets per second; 0 for none."""

    rate: int
    began: float | None = None
    octets: int = 0

    async def passed(self, count: int) -> None:
        """Note octets, and wait as long as they are too early."""
        if not self.rate:
            return
        now = asyncio.get_running_loop().time()
        if self.began is None:
            self.began = now
        self.octets += count
        early = self.began + self.octets / self.rate - now
        if early > 0:
            await asyncio.sleep(early)


@dataclass(slots=True)
class OriginServer:
    """The counts, and what is done with a connection."""

    connections: int = 0
    requests: int = 0
    _prepared: dict[str, bytes] = field(default_factory=dict)

    async def serve(self, connection: socket.socket) -> None:
        """Answer requests on one connection until either side has enough."""
        self.connections += 1
        reading = Reading(connection)
        try:
            while await self._exchange(reading, connection):
                pass
        except (EOFError, OSError):
            pass
        finally:
            connection.close()

    async def _exchange(self, reading: Reading, connection: socket.socket) -> bool:
        head = await reading.until(_HEAD_END)
        self.requests += 1
        method, target = head.split(b" ", 2)[:2]
        loop = asyncio.get_running_loop()
        path = target.decode("latin-1")
        if method == b"POST":
            if _EXPECT.search(head):
                await loop.sock_sendall(connection, b"HTTP/1.1 100 Continue\r\n\r\n")
            rate = path.removeprefix("/upload").strip("/")
            length, checksum = await self._upload(reading, head, Pace(int(rate or 0)))
            await self._answer(connection, b"%d %d" % (length, checksum))
            return True
        if path in SIZES:
            if path not in self._prepared:
                self._prepared[path] = _response(content(path), cacheControl(path))
            await loop.sock_sendall(connection, self._prepared[path])
            return True
        if path == "/status":
            counts = f"{self.connections} {self.connections} {self.requests}"
            status = f"Active connections: 1\nserver accepts handled requests\n {counts}\n"
            await self._answer(connection, status.encode("ascii"))
            return True
        parts = path.strip("/").split("/")
        if len(parts) != 3 or not parts[1].isdigit():
            await loop.sock_sendall(connection, _responseHead(0, b"404 Not Found"))
            return True
        return await self._tagged(connection, parts[0], int(parts[1]), parts[2])

    async def _tagged(self, connection: socket.socket, kind: str, number: int, tag: str) -> bool:
        loop = asyncio.get_running_loop()
        if kind == "wait":
            await asyncio.sleep(number / 1000)
            await self._answer(connection, tag.encode("ascii"))
            return True
        if kind == "stream":
            await self._stream(connection, number, tag)
            return True
        body = tagged(tag, number)
        if kind == "cut":
            response = _response(body)
            await loop.sock_sendall(connection, response[: len(response) - number // 2 - 1])
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            return False
        if kind == "close":
            await loop.sock_sendall(
                connection,
                b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n" + body,
            )
            return False
        if kind == "chunked":
            pieces = [body[start : start + 5000] for start in range(0, number, 5000)]
            await loop.sock_sendall(
                connection,
                b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n"
                + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
                + b"0\r\n\r\n",
            )
            return True
        await self._answer(connection, body)
        return True

    async def _stream(self, connection: socket.socket, size: int, tag: str) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(connection, _responseHead(size))
        block = memoryview(streamBlock(tag))
        while size:
            piece = block[:size]
            await loop.sock_sendall(connection, piece)
            size -= len(piece)

    async def _answer(self, connection: socket.socket, body: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(connection, _response(body))

    async def _upload(self, reading: Reading, head: bytes, pace: Pace) -> tuple[int, int]:
        length = checksum = 0

        async def take(count: int) -> None:
            nonlocal length, checksum
            while count:
                piece = await reading.some(min(count, PIECE_OCTETS))
                count -= len(piece)
                length += len(piece)
                checksum = zlib.crc32(piece, checksum)
                await pace.passed(len(piece))

        if _CHUNKED.search(head):
            while size := int((await reading.until(b"\r\n")).partition(b";")[0], 16):
                await take(size)
                await reading.until(b"\r\n")
            while await reading.until(b"\r\n") != b"\r\n":
                pass
        elif found := _LENGTH.search(head):
            await take(int(found.group(1)))
        return length, checksum


def _response(body: bytes, control: str = UNSTORABLE) -> bytes:
    return _responseHead(len(body), control=control) + body


def _responseHead(size: int, status: bytes = b"200 OK", control: str = UNSTORABLE) -> bytes:
    return (
        b"HTTP/1.1 %b\r\n"
        b"Server: benchmark-origin\r\n"
        b"Date: %b\r\n"
        b"Content-Type: text/plain\r\n"
        b"Content-Length: %d\r\n"
        b"Cache-Control: %b\r\n"
        b'ETag: "5f3c-61a0b3b2"\r\n'
        b"X-Content-Type-Options: nosniff\r\n"
        b"\r\n" % (status, _STARTED, size, control.encode("ascii"))
    )


async def main(port: int) -> None:
    """Serve on a port of loopback until the process is ended."""
    raiseFileLimit()
    server = OriginServer()
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(4096)
        listener.setblocking(False)
        while True:
            connection, _ = await loop.sock_accept(listener)
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = asyncio.create_task(server.serve(connection))
            tasks.add(task)
            task.add_done_callback(tasks.discard)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
