# -*- test-case-name: tests.policy.test_cachesequences -*-
"""
A whole front in memory, and what is heard of it: compared with what a model says.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.logger import ILogObserver, LogLevel
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from intermediary.policy import refreshing, revalidation
from intermediary.settings import CacheSettings, RouteSettings, UpstreamSettings

from ..scenario import MemoryTransport, Scenario
from .cachefronts import Front, settingsOf
from .cachetier import Tier
from .referencefields import Pairs, combined
from .referencemodel import Model
from .referencestored import Answer, Forward

#: What is compiled can't be told another budget.
SOURCES = str(refreshing.__file__).endswith(".py")
#: The longest content that is stored.
MAX_OCTETS = 200
HOST = "a.example"
#: What a front adds or makes anew, and what no cache has to do with.
NOT_COMPARED = frozenset(
    {
        "connection",
        "content-length",
        "forwarded",
        "transfer-encoding",
        "via",
        "x-client",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
    }
)


#: Where, whose, and what: method, target and fields.
Heard = tuple[MemoryTransport, int, str, str, Pairs]


class Difference(AssertionError):
    """The cache is not as the model."""


class Case(SynchronousTestCase):
    """What a L{Scenario} needs of a test."""

    def runTest(self) -> None:
        """Nothing."""


class Client:
    """One client with one request."""

    def __init__(self, number: int, method: str, transport: MemoryTransport) -> None:
        self.number = number
        self.method = method
        self.transport = transport
        self.heard = b""
        self.answer: Answer | None = None


@implementer(ILogObserver)
class Hearing:
    """
    A front, its clients and its origins.

    @ivar fronts: several where they share what they store.
    @ivar transcript: what was done and heard.
    """

    def __init__(self, front: Front) -> None:
        self.case = Case()
        self._budget = ExitStack()
        narrow = front.narrow if SOURCES else 0
        if narrow:
            self._narrow(narrow)
        scenario = self.scenario = Scenario(self.case)
        self.case._cleanups.clear()
        self.tier: Tier | None = None
        if front.tier:
            self.tier = Tier(scenario.clock, MAX_OCTETS, front.route.targeted)
            scenario.cachingIn(self.tier.cache)
        else:
            scenario.caching(
                CacheSettings(maxObjectOctets=MAX_OCTETS, targeted=front.route.targeted)
            )
        self.front = front
        route = front.route
        self.fronts: list[Any] = []
        self.makeFronts()
        self.partition = f"+{route.share}" if route.share else scenario.front.name
        self.clock = scenario.clock
        self.model = Model("http", MAX_OCTETS, route, self.partition)
        self.model.tier = front.tier
        if narrow:
            self.model.limit(narrow, 1)
        self.clients: dict[int, Client] = {}
        self.origins: list[MemoryTransport] = []
        #: Where each pending request is, with what it asks.
        self.asked: dict[int, tuple[MemoryTransport, str, Pairs]] = {}
        #: What origins have heard before it is to be compared.
        self.early: list[Heard] = []
        self.transcript: list[str] = []
        self.logged: list[Any] = []

    def makeFronts(self) -> None:
        """Make them for the cache that there is now; those before have no connections."""
        scenario, route = self.scenario, self.front.route
        cache = settingsOf(route)
        web = UpstreamSettings(name="web", servers=("http://127.0.0.1:9000",))
        self.fronts.clear()
        for _ in range(2 if route.share else 1):
            if self.front.kind == "forward":
                scenario.forward(cache=cache)
            else:
                scenario.reverse(routes=(RouteSettings(upstream=web, cache=cache),))
            self.fronts.append(scenario.front)

    def _narrow(self, background: int) -> None:
        """Have a budget that sequences can use up."""
        for module in (refreshing, revalidation):
            self._budget.enter_context(patch.object(module, "BACKGROUND", background))
        self._budget.enter_context(patch.object(refreshing, "PER_SECOND", 1.0))

    def close(self) -> None:
        """Leave nothing on the disk."""
        self._budget.close()
        if self.tier is not None:
            self.tier.close()

    def note(self, text: str) -> None:
        """Add a line to the transcript."""
        self.transcript.append(text)

    def __call__(self, event: Any) -> None:
        """Observe the log: there is to be nothing in it."""
        if event.get("log_level") in (LogLevel.error, LogLevel.critical):
            self.logged.append(event)

    # What is seen

    def settle(self) -> None:
        """Let all happen that waits for the next turn, and accept all connections."""
        clock, waiting = self.clock, self.scenario.connector.waiting
        while True:
            calls = clock.calls
            if calls and calls[0].getTime() <= clock.rightNow:
                clock.advance(0)
            elif self.tier is not None and self.tier.work():
                pass
            elif waiting:
                origin, factory, deferred, _ = waiting.pop(0)
                protocol = factory.buildProtocol(IPv4Address("TCP", origin.host, origin.port))
                transport = MemoryTransport(protocol, clock, origin.host)
                protocol.makeConnection(transport)
                self.origins.append(transport)
                deferred.callback(protocol)
                waiting = self.scenario.connector.waiting
            else:
                break

    def _heardByOrigins(self) -> list[Heard]:
        found, self.early = self.early, []
        for transport in self.origins:
            if transport.written:
                head = transport.written.decode("latin-1").partition("\r\n\r\n")[0]
                transport.written = b""
                line, *lines = head.split("\r\n")
                parts = [each.partition(":") for each in lines]
                fields = [(name, value.strip(" ")) for name, _, value in parts]
                number = int(combined(fields, "x-client") or "0")
                method, target, _ = line.split(" ")
                found.append((transport, number, method, target, fields))
        self.origins = [each for each in self.origins if each.connected]
        return found

    def compare(self) -> None:
        """Compare who is asked and who gets what."""
        effects, self.model.effects = self.model.effects, []
        wanted = []
        for effect in effects:
            if isinstance(effect, Forward):
                wanted.append(
                    (effect.client, effect.method, effect.target, _comparable(effect.fields))
                )
            elif effect.client in self.clients:
                client = self.clients[effect.client]
                if client.answer is not None:
                    raise Difference(f"the model answers {effect.client} twice")
                client.answer = effect
        got = []
        for transport, sender, method, target, fields in self._heardByOrigins():
            said = (method, target, _comparable(fields))
            number = sender or self._nobodys(wanted, said)
            got.append((number, *said))
            self.asked[number] = (transport, method, fields)
            self.note(f"    origin hears from {number}: {method} {target} {_comparable(fields)}")
        for client in list(self.clients.values()):
            if client.transport.written:
                client.heard += client.transport.written
                self.note(f"    client {client.number} hears {client.transport.written!r}")
                client.transport.written = b""
        if sorted(wanted) != sorted(got):
            raise Difference(f"the origin is to be asked\n  {wanted}\nand is asked\n  {got}")
        for client in list(self.clients.values()):
            self._compareAnswer(client)
        if self.logged:
            raise Difference(f"logged: {self.logged}")

    def _nobodys(self, wanted: list[Any], said: tuple[Any, ...]) -> int:
        """Which of the requests that are nobody's it is; they all have negative numbers."""
        for number, *others in wanted:
            if number < 0 and number not in self.asked and tuple(others) == said:
                return int(number)
        return 0

    def _compareAnswer(self, client: Client) -> None:
        answer, heard = client.answer, client.heard
        if answer is None:
            if heard:
                raise Difference(f"client {client.number} is to wait")
            return
        head, end, octets = heard.partition(b"\r\n\r\n")
        if not end:
            raise Difference(f"client {client.number} is to get {answer}, and gets {heard!r}")
        line, *lines = head.decode("latin-1").split("\r\n")
        status = int(line.split(" ")[1])
        fields = [(each.partition(":")[0], each.partition(":")[2].strip()) for each in lines]
        if answer.ours:
            member = combined(fields, "cache-status")
            if (status, member) != (answer.status, combined(answer.fields, "cache-status")):
                raise Difference(f"client {client.number} is to get {answer}")
            self._gone(client)
            return
        wanted = sorted((name.lower(), value) for name, value in answer.fields)
        chunked = combined(fields, "transfer-encoding") is not None
        content = answer.content
        boundary = ""
        if answer.parts:
            kind = combined(fields, "content-type") or ""
            boundary = kind.removeprefix("multipart/byteranges; boundary=")
            if not _BOUNDARY.fullmatch(boundary):
                raise Difference(f"client {client.number} is to get parts, and gets {kind}")
            length = len(_multipart(answer, boundary, b"x" * MAX_OCTETS)[0])
            wanted += [("content-type", kind), ("content-length", str(length))]
        elif content is not None and content.announced is None and answer.status != 206:
            # Whether all is there when the head is made is no matter of caching.
            fields = [pair for pair in fields if pair[0].lower() not in _FRAMING]
        elif answer.length is None:
            wanted.append(("transfer-encoding", "chunked"))
        elif answer.length >= 0:
            wanted.append(("content-length", str(answer.length)))
        got = sorted((name.lower(), value) for name, value in fields)
        if status != answer.status or got != sorted(wanted):
            raise Difference(
                f"client {client.number} is to get {answer.status}\n  {sorted(wanted)}\n"
                f"and gets {status}\n  {got}"
            )
        self._compareContent(client, answer, octets, chunked, boundary)

    def _compareContent(
        self, client: Client, answer: Answer, octets: bytes, chunked: bool, boundary: str
    ) -> None:
        content = answer.content
        wanted, ended, broken = b"", True, False
        if content is not None and client.method != "HEAD" and hasContent(answer.status):
            wanted = content.octets[answer.start : answer.stop]
            ended = content.complete or (
                answer.stop is not None and len(content.octets) >= answer.stop
            )
            if answer.parts:
                wanted, ended = _multipart(answer, boundary, content.octets)
            broken = content.broken and not ended
        if chunked and client.method != "HEAD":
            got, last = _unchunked(octets)
            if ended is not last:
                raise Difference(f"client {client.number}: the content has ended: {last}")
        else:
            got = octets
        if got != wanted:
            raise Difference(f"client {client.number} is to get {wanted!r}, and gets {got!r}")
        if broken and client.transport.connected:
            raise Difference(f"client {client.number} can't tell that there is no more")
        if ended or broken:
            self._gone(client)

    def _gone(self, client: Client) -> None:
        del self.clients[client.number]
        close(client.transport)

    def finish(self) -> None:
        """All go away, and nothing is left."""
        self.scenario.cache.close()
        for client in self.clients.values():
            client.transport.written = b""
            close(client.transport)
        self.settle()
        for transport in self.origins:
            transport.written = b""
            close(transport)
        self.settle()
        for _ in range(4):
            self.clock.advance(100)
            self.settle()
        scenario = self.scenario
        scenario.pool.close()
        self.clock.advance(2)
        self.clock.advance(2)
        left = self.clock.getDelayedCalls()
        connections = any(front.connections for front in self.fronts)
        if left or connections or scenario.cache.background or len(scenario.cache.siblings):
            raise Difference(f"left behind: {left} {scenario.cache!r}")
        store: Any = scenario.cache.store
        for key, shelf in getattr(store, "memory", store)._byKey.items():
            if shelf.fetch is not None:
                raise Difference(f"somebody still fetches {key!r}")
        for exchange in scenario.records:
            if exchange.lease is not None:
                raise Difference(f"a lease is left: {exchange!r}")


def _multipart(answer: Answer, boundary: str, content: bytes) -> tuple[bytes, bool]:
    """RFC 9110 §14.6, RFC 2046 §5.1: as far as the content is there; and whether it is all."""
    found = b""
    for fields, start, stop in answer.parts:
        lines = [f"--{boundary}", *(f"{name}: {value}" for name, value in fields), "", ""]
        octets = content[start:stop]
        found += (b"\r\n" if found else b"") + "\r\n".join(lines).encode("latin-1") + octets
        if len(octets) < stop - start:
            return found, False
    return found + f"\r\n--{boundary}--\r\n".encode("latin-1"), True


_BOUNDARY = re.compile("[0-9a-f]{30}")
_FRAMING = ("transfer-encoding", "content-length")
LAST = b"0\r\n\r\n"


def hasContent(status: int) -> bool:
    """Whether there is content."""
    return status not in (204, 304)


def chunk(piece: bytes) -> bytes:
    """Write a chunk; none for no octets."""
    return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""


def _unchunked(octets: bytes) -> tuple[bytes, bool]:
    """Take chunks apart; whether the last one is there."""
    found = b""
    while octets:
        size, _, rest = octets.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            return found, True
        found += rest[:length]
        octets = rest[length + 2 :]
    return found, False


def close(transport: MemoryTransport) -> None:
    """Close a connection from the side of the test."""
    if transport.connected:
        transport.arrive(b"")
    if transport.connected:
        transport.lost(ConnectionDone())


def _comparable(fields: Pairs) -> list[tuple[str, str]]:
    return sorted(
        (name.lower(), value) for name, value in fields if name.lower() not in NOT_COMPARED
    )
