# -*- test-case-name: tests.test_benchmarks -*-
"""
The mixed load of the soak: many connections open at once, each with a client
that behaves well, badly or slowly, and may die at any moment.

    python -m benchmarks.soakclients ...

Every answer is compared with what belongs to its request: an octet of somebody
else's is the worst thing that a proxy can send.  Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import socket
import sys
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .machine import raiseFileLimit
from .originserver import tagged

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

#: A conversation that takes longer has come to a stop, in seconds.
STALL_SECONDS = 90.0

#: Over this many seconds the connections are opened at the beginning.
RAMP_SECONDS = 8.0

#: After the end, conversations may take this long to come to their own.
GRACE_SECONDS = 30.0

SIZES = (0, 1, 100, 1024, 1024, 1024, 4000, 20_000, 200_000)

#: Statuses by which a proxy says that it can't just now; no defect, but counted.
UNAVAILABLE = frozenset({502, 503, 504})

GARBAGE = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x5a" * 60 + b"\r\n\r\n",
    b"GET  /two-spaces HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"\x00" * 200 + b"\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)


class Wrong(Exception):
    """An answer that is not the one to the request: a defect of the proxy."""


class Unavailable(Exception):
    """An answer of L{UNAVAILABLE}."""


class Closed(Exception):
    """The proxy closed the connection where an answer was due."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """Where everything listens; 0 for a front that the proxy does not have."""

    reverse: int
    forward: int
    origin: int


@dataclass(slots=True)
class Tally:
    """What has happened so far."""

    outcomes: Counter[str] = field(default_factory=Counter)
    #: Defects by what was wrong, as far as there is room for more kinds of them.
    wrong: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that has been read completely."""

    status: int
    fields: dict[str, str]
    body: bytes


class Wire:
    """One connection to the proxy: as much HTTP/1.1 as these clients need."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ports: Ports, front: str
    ) -> None:
        self.reader = reader
        self.writer = writer
        self._ports = ports
        self.front = front
        self.usable = True

    def head(self, method: str, path: str, *fields: str) -> bytes:
        """Give a request head in the form that the front expects."""
        authority = f"127.0.0.1:{self._ports.origin}"
        target = f"http://{authority}{path}" if self.front == "forward" else path
        lines = [f"{method} {target} HTTP/1.1", f"Host: {authority}", "User-Agent: soak", *fields]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")

    async def send(self, data: bytes) -> None:
        """Send, and wait while too much is waiting."""
        self.writer.write(data)
        await self.writer.drain()

    async def readHead(self) -> tuple[int, dict[str, str]]:
        """Read a response head."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise Wrong(f"half a head: {error.partial[:80]!r}") from None
            raise Closed from None
        lines = head.decode("latin-1").split("\r\n")
        fields = {}
        for line in lines[1:-2]:
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        return int(lines[0].split(" ")[1]), fields

    async def readAnswer(self) -> Answer:
        """Read a final response to a request other than HEAD or CONNECT."""
        status, fields = await self.readHead()
        while status < 200:
            status, fields = await self.readHead()
        try:
            body = await self._readBody(fields)
        except asyncio.IncompleteReadError as error:
            raise Closed(f"in the body, {len(error.partial)} octets") from None
        if fields.get("connection", "").lower() == "close":
            self.usable = False
        return Answer(status, fields, body)

    async def _readBody(self, fields: dict[str, str]) -> bytes:
        if fields.get("transfer-encoding", "").lower() == "chunked":
            pieces = []
            while size := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
                pieces.append(await self.reader.readexactly(size))
                await self.reader.readexactly(2)
            while await self.reader.readuntil(b"\r\n") != b"\r\n":
                pass
            return b"".join(pieces)
        if "content-length" in fields:
            return await self.reader.readexactly(int(fields["content-length"]))
        self.usable = False
        return await self.reader.read(-1)

    async def expect(self, body: bytes) -> None:
        """Read an answer that must be 200 with this content."""
        answer = await self.readAnswer()
        if answer.status in UNAVAILABLE:
            raise Unavailable(str(answer.status))
        if answer.status != 200:
            raise Wrong(f"status {answer.status}: {answer.body[:80]!r}")
        if answer.body != body:
            raise Wrong(
                f"{len(answer.body)} octets {answer.body[:40]!r} instead of"
                f" {len(body)} octets {body[:40]!r}"
            )

    def die(self, *, reset: bool) -> None:
        """Go away without a word, by RST or by FIN, whatever is under way."""
        self.usable = False
        connection = self.writer.get_extra_info("socket")
        if reset and connection is not None:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.writer.transport.abort()


def deedName(deed: Callable[[Wire], Awaitable[None]]) -> str:
    """Give the name of something that clients do, as the report and the options have it."""
    return str(deed.__name__).strip("_")


class Client:
    """One of the clients: it talks, thinks, dies and comes back until the end."""

    def __init__(
        self,
        number: int,
        ports: Ports,
        tally: Tally,
        *,
        think: float,
        mortality: float,
        until: float,
        without: frozenset[str],
    ) -> None:
        self._number = number
        self._ports = ports
        self._tally = tally
        self._think = think
        self._mortality = mortality
        self._until = until
        self._chance = random.Random(number)
        self._requests = 0
        fronts = [name for name in ("reverse", "forward") if getattr(ports, name)]
        self._front = fronts[number % len(fronts)]
        deeds: list[tuple[int, Callable[[Wire], Awaitable[None]]]] = [
            (30, self._gets),
            (12, self._uploadsWithLength),
            (12, self._uploadsInChunks),
            (4, self._expectsContinue),
            (10, self._pipelines),
            (8, self._readsSlowly),
            (4, self._meetsBrokenOrigin),
            (5, self._sendsGarbageAfterRequest),
            (3, self._sendsGarbage),
            (5, self._sendsHalfRequest),
            (7, self._idles),
        ]
        if self._front == "forward":
            deeds.append((15, self._tunnels))
        deeds = [(weight, deed) for weight, deed in deeds if deedName(deed) not in without]
        self._weights = [weight for weight, _ in deeds]
        self._deeds = [deed for _, deed in deeds]

    def _tag(self) -> str:
        self._requests += 1
        return f"{self._number}-{self._requests}"

    async def live(self) -> None:
        """Be there until the end."""
        await asyncio.sleep(self._chance.random() * RAMP_SECONDS)
        while time.monotonic() < self._until:
            try:
                port = getattr(self._ports, self._front)
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError as error:
                self._tally.outcomes[f"connect: {error.strerror}"] += 1
                await asyncio.sleep(1.0)
                continue
            wire = Wire(reader, writer, self._ports, self._front)
            try:
                while wire.usable and time.monotonic() < self._until:
                    await self._act(wire)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def _act(self, wire: Wire) -> None:
        if wire.reader.at_eof():
            # A client that has been silent for too long: whatever it sent now would
            # be answered with a reset, which is nobody's fault (RFC 9112 §9.5).
            self._tally.outcomes["closed between two requests"] += 1
            wire.usable = False
            return
        deed = self._chance.choices(self._deeds, self._weights)[0]
        name = deedName(deed)
        mortal = self._chance.random() < self._mortality
        patience = self._chance.random() ** 2 * 1.5 if mortal else STALL_SECONDS
        outcomes = self._tally.outcomes
        try:
            async with asyncio.timeout(patience):
                await deed(wire)
            outcomes[f"{name}: done"] += 1
            if not wire.usable:
                # The next one at once: it is open connections that are wanted.
                return
            async with asyncio.timeout(max(0.0, self._until - time.monotonic())):
                await asyncio.sleep(self._chance.expovariate(1 / self._think))
        except TimeoutError:
            if mortal:
                reset = self._chance.random() < 0.5
                outcomes[f"{name}: died by {'RST' if reset else 'FIN'}"] += 1
                wire.die(reset=reset)
            elif patience == STALL_SECONDS and time.monotonic() < self._until:
                self._note(name, "stalled")
                wire.die(reset=True)
        except Unavailable as answer:
            outcomes[f"{name}: answered {answer}"] += 1
        except Closed as where:
            # A kept connection may be closed between two requests, at any time.
            outcomes[f"{name}: closed {where}".strip()] += 1
            wire.usable = False
        except OSError as error:
            outcomes[f"{name}: {error.strerror or type(error).__name__}"] += 1
            wire.usable = False
        except (Wrong, ValueError, asyncio.LimitOverrunError) as error:
            self._note(name, str(error))
            wire.die(reset=True)

    def _note(self, name: str, what: str) -> None:
        self._tally.outcomes[f"{name}: WRONG"] += 1
        defect = f"{self._front}, {name}: {what}"
        if defect in self._tally.wrong or len(self._tally.wrong) < 30:
            self._tally.wrong[defect] += 1

    async def _gets(self, wire: Wire) -> None:
        for _ in range(self._chance.randint(1, 6)):
            if not wire.usable:
                return
            tag, size = self._tag(), self._chance.choice(SIZES)
            kind = self._chance.choice(("n", "n", "n", "chunked", "close", "wait"))
            if kind == "wait":
                await wire.send(wire.head("GET", f"/wait/{self._chance.randint(0, 400)}/{tag}"))
                await wire.expect(tag.encode("ascii"))
            else:
                await wire.send(wire.head("GET", f"/{kind}/{size}/{tag}"))
                await wire.expect(tagged(tag, size))

    async def _uploadsWithLength(self, wire: Wire) -> None:
        body = tagged(self._tag(), self._chance.choice(SIZES))
        await wire.send(wire.head("POST", "/upload", f"Content-Length: {len(body)}"))
        await wire.send(body)
        await wire.expect(b"%d %d" % (len(body), zlib.crc32(body)))

    async def _uploadsInChunks(self, wire: Wire) -> None:
        body = tagged(self._tag(), self._chance.choice(SIZES))
        await wire.send(wire.head("POST", "/upload", "Transfer-Encoding: chunked"))
        start = 0
        while start < len(body):
            piece = body[start : start + self._chance.randint(1, 30_000)]
            start += len(piece)
            await wire.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        await wire.send(b"0\r\n\r\n")
        await wire.expect(b"%d %d" % (len(body), zlib.crc32(body)))

    async def _expectsContinue(self, wire: Wire) -> None:
        body = tagged(self._tag(), 2000)
        await wire.send(
            wire.head("POST", "/upload", "Content-Length: 2000", "Expect: 100-continue")
        )
        status, _ = await wire.readHead()
        if status in UNAVAILABLE:
            wire.usable = False
            raise Unavailable(str(status))
        if status != 100:
            raise Wrong(f"{status} instead of 100")
        await wire.send(body)
        await wire.expect(b"2000 %d" % zlib.crc32(body))

    async def _pipelines(self, wire: Wire) -> None:
        asked = [(self._tag(), self._chance.choice(SIZES)) for _ in range(8)]
        asked = asked[: self._chance.randint(2, 8)]
        await wire.send(b"".join(wire.head("GET", f"/n/{size}/{tag}") for tag, size in asked))
        for tag, size in asked:
            await wire.expect(tagged(tag, size))

    async def _readsSlowly(self, wire: Wire) -> None:
        tag, size = self._tag(), self._chance.randint(500_000, 3_000_000)
        await wire.send(wire.head("GET", f"/n/{size}/{tag}"))
        status, _ = await wire.readHead()
        if status in UNAVAILABLE:
            wire.usable = False
            raise Unavailable(str(status))
        body = tagged(tag, size)
        octets = 0
        while octets < size:
            piece = await wire.reader.read(min(50_000, size - octets))
            if not piece:
                raise Closed("in the body")
            if piece != body[octets : octets + len(piece)]:
                raise Wrong(f"other octets at {octets}: {piece[:40]!r}")
            octets += len(piece)
            await asyncio.sleep(0.1)

    async def _meetsBrokenOrigin(self, wire: Wire) -> None:
        """Ask for what the origin breaks off: it must not look complete."""
        size = self._chance.choice((1000, 100_000))
        await wire.send(wire.head("GET", f"/cut/{size}/{self._tag()}"))
        try:
            answer = await wire.readAnswer()
        except Closed:
            wire.usable = False
            return
        if answer.status not in UNAVAILABLE:
            raise Wrong(f"status {answer.status}, {len(answer.body)} octets of half a body")

    async def _sendsGarbageAfterRequest(self, wire: Wire) -> None:
        tag = self._tag()
        garbage = self._chance.choice(GARBAGE)
        await wire.send(wire.head("GET", f"/n/1024/{tag}") + garbage)
        await wire.expect(tagged(tag, 1024))
        await self._refused(wire)

    async def _sendsGarbage(self, wire: Wire) -> None:
        await wire.send(self._chance.choice(GARBAGE))
        await self._refused(wire)

    async def _refused(self, wire: Wire) -> None:
        """Expect a refusal, or the end of the connection."""
        try:
            answer = await wire.readAnswer()
        except Closed:
            return
        finally:
            wire.usable = False
        if not 400 <= answer.status <= 505 or answer.status in UNAVAILABLE:
            raise Wrong(f"garbage was answered with {answer.status}")

    async def _sendsHalfRequest(self, wire: Wire) -> None:
        request = wire.head("POST", "/upload", "Content-Length: 5000") + bytes(4000)
        await wire.send(request[: self._chance.randint(1, len(request))])
        await asyncio.sleep(self._chance.random() * 3)
        wire.die(reset=self._chance.random() < 0.5)

    async def _idles(self, wire: Wire) -> None:
        await asyncio.sleep(self._chance.random() * 2 * self._think)

    async def _tunnels(self, wire: Wire) -> None:
        authority = f"127.0.0.1:{self._ports.origin}"
        early = self._chance.random() < 0.3
        first = self._tag()
        inner = Wire(wire.reader, wire.writer, self._ports, "reverse")
        request = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode("ascii")
        if early:
            request += inner.head("GET", f"/n/500/{first}")
        wire.usable = False
        await wire.send(request)
        status, _ = await wire.readHead()
        if status in UNAVAILABLE:
            raise Unavailable(str(status))
        if status != 200:
            raise Wrong(f"CONNECT was answered with {status}")
        if early:
            await inner.expect(tagged(first, 500))
        for _ in range(self._chance.randint(1, 4)):
            tag, size = self._tag(), self._chance.choice((*SIZES, 1_000_000))
            await inner.send(inner.head("GET", f"/n/{size}/{tag}"))
            await inner.expect(tagged(tag, size))
            await asyncio.sleep(self._chance.random() * self._think)
        if self._chance.random() < 0.5:
            # The end of what we send must reach the origin, and its end us.
            wire.writer.write_eof()
            if rest := await wire.reader.read(-1):
                raise Wrong(f"{len(rest)} octets after the end: {rest[:40]!r}")


async def soak(
    ports: Ports,
    *,
    connections: int,
    seconds: float,
    think: float,
    mortality: float,
    without: frozenset[str] = frozenset(),
) -> Tally:
    """
    Keep a number of clients going for a time.

    @param think: the mean of the pauses between what a client does, in seconds.
    @param mortality: the share of conversations in which a client may die.
    @param without: names of what no client is to do.
    """
    tally = Tally()
    until = time.monotonic() + seconds
    clients = [
        Client(
            number,
            ports,
            tally,
            think=think,
            mortality=mortality,
            until=until,
            without=without,
        )
        for number in range(connections)
    ]
    tasks = [asyncio.create_task(client.live()) for client in clients]
    _, late = await asyncio.wait(tasks, timeout=seconds + GRACE_SECONDS)
    for task in late:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()):
            raise error
    tally.outcomes["cut off at the end"] = len(late)
    return tally


def main(arguments: list[str]) -> None:
    """Run the load and print what became of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soakclients")
    parser.add_argument("--reverse", type=int, default=0)
    parser.add_argument("--forward", type=int, default=0)
    parser.add_argument("--origin", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--think", type=float, required=True)
    parser.add_argument("--mortality", type=float, required=True)
    parser.add_argument("--without", default="")
    options = parser.parse_args(arguments)
    raiseFileLimit()
    ports = Ports(reverse=options.reverse, forward=options.forward, origin=options.origin)
    tally = asyncio.run(
        soak(
            ports,
            connections=options.connections,
            seconds=options.seconds,
            think=options.think,
            mortality=options.mortality,
            without=frozenset(options.without.split(",")),
        )
    )
    print(
        json.dumps(
            {
                "outcomes": dict(sorted(tally.outcomes.items())),
                "wrong": [f"{count} times {what}" for what, count in tally.wrong.items()],
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
