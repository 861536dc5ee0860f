# -*- test-case-name: tests.test_benchmarks -*-
"""
The load that wrk can't make: tunnels, handshakes, and connections that are only kept.

    python -m benchmarks.tunnels setup|bulk|idle|handshakes ...

A process of its own, that prints one line of JSON.  It need not be faster than
the proxies: what is compared is what they spend, and each gets the same load.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import ssl
import sys
import time

from .machine import raiseFileLimit

_FIELDS = b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
_DISCARD_OCTETS = 1 << 20


def connectRequest(originPort: int) -> bytes:
    """Give the request that opens a tunnel to the origin."""
    authority = b"127.0.0.1:%d" % originPort
    return (
        b"CONNECT " + authority + b" HTTP/1.1\r\nHost: " + authority + b"\r\n"
        b"Proxy-Connection: keep-alive\r\n" + _FIELDS + b"\r\n"
    )


def getRequest(port: int, path: str) -> bytes:
    """Give a request in origin-form."""
    return (
        b"GET " + path.encode("ascii") + b" HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % port
        + _FIELDS + b"Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\n\r\n"
    )  # fmt: skip


def contentLength(head: bytes) -> int:
    """Give what a response head announces."""
    lower = head.lower()
    start = lower.index(b"\r\ncontent-length:") + len(b"\r\ncontent-length:")
    return int(lower[start : lower.index(b"\r\n", start)])


class Refused(Exception):
    """The proxy did not answer 200."""


def _checkedHead(data: bytes) -> tuple[bytes, bytes] | None:
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    if head.split(b" ", 2)[1] != b"200":
        raise Refused(head.partition(b"\r\n")[0].decode("latin-1"))
    return head + b"\r\n", rest


def readHead(connection: socket.socket) -> tuple[bytes, bytes]:
    """
    Read a response head from a blocking socket.

    @return: it, and what came behind it.
    """
    data = b""
    while (parts := _checkedHead(data)) is None:
        more = connection.recv(65536)
        if not more:
            raise EOFError(f"the proxy closed after {data[:80]!r}")
        data += more
    return parts


def openTunnel(proxyPort: int, originPort: int) -> socket.socket:
    """Open a tunnel to the origin, blocking."""
    connection = socket.create_connection(("127.0.0.1", proxyPort), 30)
    connection.sendall(connectRequest(originPort))
    readHead(connection)
    return connection


class Setup:
    """
    Opens tunnels, sends one small request through each and closes them.

    @ivar done: how many came to their end as they should.
    @ivar failures: what happened to the others, and how often.
    """

    def __init__(self, proxyPort: int, originPort: int, path: str) -> None:
        self._address = ("127.0.0.1", proxyPort)
        self._connect = connectRequest(originPort)
        self._get = getRequest(originPort, path)
        self._poll = select.epoll()
        self._slots: dict[int, tuple[socket.socket, bytearray, bool]] = {}
        self.done = 0
        self.failures: dict[str, int] = {}

    def _fail(self, why: str) -> None:
        self.failures[why] = self.failures.get(why, 0) + 1

    def _open(self) -> None:
        connection = socket.create_connection(self._address, 10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(self._connect)
        connection.setblocking(False)
        self._slots[connection.fileno()] = (connection, bytearray(), False)
        self._poll.register(connection.fileno(), select.EPOLLIN)

    def _readable(self, number: int) -> bool:
        """
        Take what has come.

        @return: whether this conversation is over.
        """
        connection, held, inTunnel = self._slots[number]
        data = connection.recv(65536)
        if not data:
            raise EOFError("closed early")
        held += data
        parts = _checkedHead(bytes(held))
        if parts is None:
            return False
        head, rest = parts
        if not inTunnel:
            if rest:
                raise Refused("octets before the tunnel was used")
            connection.send(self._get)
            self._slots[number] = (connection, bytearray(), True)
            return False
        return len(rest) == contentLength(head)

    def run(self, concurrency: int, seconds: float) -> None:
        """Keep a number of conversations going until the time is over, and end them all."""
        deadline = time.monotonic() + seconds
        for _ in range(concurrency):
            self._open()
        while self._slots:
            events = self._poll.poll(5.0)
            if not events:
                self._fail(f"{len(self._slots)} stalled")
                break
            for number, _ in events:
                try:
                    if not self._readable(number):
                        continue
                    self.done += 1
                except (OSError, EOFError, Refused) as error:
                    self._fail(str(error) or type(error).__name__)
                connection = self._slots.pop(number)[0]
                self._poll.unregister(number)
                connection.close()
                if time.monotonic() < deadline:
                    self._open()


class Bulk:
    """
    Fetches a big file through a few tunnels again and again.

    The content is thrown away inside the kernel (C{MSG_TRUNC}, tcp(7)): the
    reader costs as little as it can.
    """

    def __init__(self, proxyPort: int, originPort: int, path: str) -> None:
        self._ports = (proxyPort, originPort)
        self._get = getRequest(originPort, path)
        self._sink = bytearray(_DISCARD_OCTETS)
        self.octets = 0

    def run(self, concurrency: int, seconds: float) -> None:
        """Fetch until the time is over, and finish what is under way."""
        deadline = time.monotonic() + seconds
        poll = select.epoll()
        waiting: dict[int, tuple[socket.socket, int]] = {}
        for _ in range(concurrency):
            connection = openTunnel(*self._ports)
            waiting[connection.fileno()] = (connection, self._ask(connection))
            poll.register(connection.fileno(), select.EPOLLIN)
        while waiting:
            for number, _ in poll.poll():
                connection, missing = waiting[number]
                count = connection.recv_into(
                    self._sink, min(missing, _DISCARD_OCTETS), socket.MSG_TRUNC
                )
                if not count:
                    raise EOFError("the tunnel ended early")
                self.octets += count
                missing -= count
                if not missing:
                    if time.monotonic() >= deadline:
                        poll.unregister(number)
                        del waiting[number]
                        connection.close()
                        continue
                    missing = self._ask(connection)
                waiting[number] = (connection, missing)

    def _ask(self, connection: socket.socket) -> int:
        connection.sendall(self._get)
        head, rest = readHead(connection)
        self.octets += len(rest)
        return contentLength(head) - len(rest)


def clientContext() -> ssl.SSLContext:
    """Make a context for clients, to whom the certificate says nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Handshakes:
    """
    Opens TLS connections one after the other, asks once on each and closes them.

    @ivar done: how many there were.
    @ivar failures: how many did not do as they should with sessions.
    """

    def __init__(self, port: int, path: str, resumed: bool) -> None:
        self._port = port
        self._path = path
        self._resumed = resumed
        self._context = clientContext()
        self._session: ssl.SSLSession | None = None
        self.done = 0
        self.failures: dict[str, int] = {}

    def _one(self) -> None:
        plain = socket.create_connection(("127.0.0.1", self._port), 30)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._context.wrap_socket(plain, session=self._session) as connection:
            resumed = bool(connection.session_reused)
            if resumed is not (self._session is not None):
                why = "resumed" if resumed else "not resumed"
                self.failures[why] = self.failures.get(why, 0) + 1
            ask(connection, self._port, self._path)
            if self._resumed:
                # The newest, as each may be used once (RFC 8446 §C.4).
                self._session = connection.session
            connection.settimeout(0.5)
            try:
                connection.unwrap()
            except (OSError, ValueError):
                pass  # who closes need not be answered
        self.done += 1

    def run(self, seconds: float) -> None:
        """Go on until the time is over."""
        if self._resumed:
            self._one()
            self.done = 0
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._one()


def keepIdle(port: int, path: str, count: int, *, secure: bool = False) -> list[socket.socket]:
    """
    Open connections one after the other, send one request on each and keep them.

    Only one exchange is ever under way, so that what is left behind is what a
    connection keeps and not what exchanges need.
    """
    connections = []
    context = clientContext() if secure else None
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", port), 30)
        if context is not None:
            connection = context.wrap_socket(connection)
        connections.append(connection)
        ask(connection, port, path)
    return connections


def ask(connection: socket.socket, port: int, path: str) -> None:
    """Send a request on a connection and read the whole answer."""
    connection.sendall(getRequest(port, path))
    head, rest = readHead(connection)
    missing = contentLength(head) - len(rest)
    while missing:
        data = connection.recv(missing)
        if not data:
            raise EOFError("the response ended early")
        missing -= len(data)


def _idle(port: int, path: str, count: int, secure: bool) -> dict[str, object]:
    """Keep connections until a line comes in; then see whether they still live."""
    connections = keepIdle(port, path, count, secure=secure)
    print(json.dumps({"open": len(connections)}), flush=True)
    sys.stdin.readline()
    alive = 0
    for connection in connections[:: max(1, count // 50)]:
        try:
            ask(connection, port, path)
        except (OSError, EOFError):
            continue
        alive += 1
    sampled = len(connections[:: max(1, count // 50)])
    for connection in connections:
        connection.close()
    return {"sampled": sampled, "alive": alive}


def main(arguments: list[str]) -> None:
    """Run one kind of load and print what it came to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tunnels")
    parser.add_argument("kind", choices=("setup", "bulk", "idle", "handshakes"))
    parser.add_argument("--proxy", type=int, required=True)
    parser.add_argument("--origin", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--secure", action="store_true")
    parser.add_argument("--resumed", action="store_true")
    options = parser.parse_args(arguments)
    raiseFileLimit()
    began = time.monotonic()
    result: dict[str, object]
    if options.kind == "setup":
        setup = Setup(options.proxy, options.origin, options.path)
        setup.run(options.connections, options.seconds)
        result = {"requests": setup.done, "failures": setup.failures}
    elif options.kind == "bulk":
        bulk = Bulk(options.proxy, options.origin, options.path)
        bulk.run(options.connections, options.seconds)
        result = {"octets": bulk.octets}
    elif options.kind == "handshakes":
        handshakes = Handshakes(options.proxy, options.path, options.resumed)
        handshakes.run(options.seconds)
        result = {"requests": handshakes.done, "failures": handshakes.failures}
    else:
        result = _idle(options.proxy, options.path, options.connections, options.secure)
    print(json.dumps({**result, "seconds": time.monotonic() - began}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
