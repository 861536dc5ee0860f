# -*- test-case-name: tests.policy.test_cachesequences -*-
"""
Takes the steps of a sequence, with a front and with its model.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from twisted.internet.address import IPv4Address
from twisted.internet.defer import maybeDeferred
from twisted.logger import globalLogPublisher

from intermediary.policy.purging import Purge

from ..scenario import MemoryTransport
from .cacheheard import HOST, LAST, Client, Difference, Hearing, chunk, close
from .cacheparts import parted, representation
from .cachesteps import (
    REASONS,
    Answering,
    Asking,
    Ending,
    Evicting,
    Leaving,
    Passing,
    Purging,
    Recipe,
    Step,
    rendered,
)
from .cachetier import evictAll
from .referencefields import Pairs, combined, elements, without
from .referencestored import Content, Response
from .referencevisit import Visit

if TYPE_CHECKING:
    from .cachefronts import Front

#: Requests under way don't have to wait for so long that somebody gives up.
PATIENCE = 30


class Growing:
    """A response of which the origin has sent half."""

    def __init__(self, transport: MemoryTransport, content: Content, rest: bytes) -> None:
        self.transport = transport
        self.content = content
        self.rest = rest


class Run(Hearing):
    """One sequence."""

    def __init__(self, front: Front) -> None:
        super().__init__(front)
        self.growing: list[Growing] = []
        self.numbers = 0
        self.versions = 0
        self.waited = 0

    def run(self, steps: list[Step]) -> None:
        """Take all steps; L{Difference} if there is one."""
        globalLogPublisher.addObserver(self)
        try:
            for step in steps:
                self.take(step)
            self.finish()
        finally:
            globalLogPublisher.removeObserver(self)

    # Steps

    def take(self, step: Step) -> None:
        """Take one step and compare."""
        self.model.now = self.clock.seconds()
        if isinstance(step, Asking):
            self._ask(step)
        elif isinstance(step, Answering):
            if self.asked:
                self._answer(step)
        elif isinstance(step, Ending):
            self._end(step)
        elif isinstance(step, Leaving):
            self._leave(step)
        elif isinstance(step, Passing):
            self._pass(step)
        elif isinstance(step, Purging):
            self._purge(step)
        elif isinstance(step, Evicting):
            self._evict(step)
        self.settle()
        self.model.settle()
        self.compare()

    def _ask(self, step: Asking) -> None:
        self.numbers += 1
        number = self.numbers
        fields = rendered(step.fields, self.clock.seconds(), HOST)
        front = self.fronts[number % len(self.fronts)]
        protocol = front.buildProtocol(IPv4Address("TCP", "192.0.2.7", 4321))
        transport = MemoryTransport(protocol, self.clock)
        protocol.makeConnection(transport)
        self.clients[number] = Client(number, step.method, transport)
        host = step.host or HOST
        target = f"http://{host}{step.target}" if self.front.kind == "forward" else step.target
        lines = [f"{step.method} {target} HTTP/1.1", f"Host: {host}", f"X-Client: {number}"]
        lines += [f"{name}: {value}" for name, value in fields]
        content = step.content or step.method in ("POST", "PUT", "PATCH")
        if content:
            lines.append("Content-Length: 2")
        self.note(f"client {number}: {step.method} {step.host}{step.target} {fields}")
        modest = self.front.route.ignoreClient
        self.model.ask(
            Visit(number, step.method, step.target, host, fields, modest=modest, content=content)
        )
        octets = "\r\n".join([*lines, "", "xy" if content else ""])
        transport.arrive(octets.encode("latin-1"))

    def _answer(self, step: Answering) -> None:
        numbers = sorted(self.asked)
        number = numbers[step.which % len(numbers)]
        transport, method, asked = self.asked.pop(number)
        recipe = step.recipe
        fields = rendered(recipe.fields, self.clock.seconds(), HOST)
        vast = any("99999999999" in value for _, value in fields)
        if vast or self.front.route.lifetimes or self.front.route.forced is not None:
            # Counted from there, a lifetime is beyond all numbers, of which the model has but one.
            fields = [pair for pair in fields if pair != ("Age", "9999999999")]
        status, fields = self._confirmed(recipe, asked, method, fields)
        if status != 304:
            fields = without(fields, "content-length")
        self.versions += 1
        octets = representation(self.versions)[: recipe.octets]
        if method == "GET" and status == 200:
            status, fields, octets = parted(recipe.ranged, asked, fields, octets)
        bare = status in (204, 304)
        announced: int | None = len(octets)
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Other')}"]
        if bare:
            octets, announced = b"", 0
        elif recipe.chunked:
            announced = None
            fields = [*fields, ("Transfer-Encoding", "chunked")]
        else:
            fields = [*fields, ("Content-Length", str(len(octets)))]
        head = method == "HEAD"
        content = Content(0 if head or bare else announced)
        lines += [f"{name}: {value}" for name, value in fields]
        piece, end = octets, True
        if head or bare:
            piece = b""
        elif recipe.half and len(octets) > 1:
            piece, end = octets[: len(octets) // 2], False
            self.growing.append(Growing(transport, content, octets[len(piece) :]))
        said = "\r\n".join([*lines, "", ""]).encode("latin-1")
        self.note(f"origin to {number}: {status} {fields} {piece!r}{'' if end else ' ...'}")
        self.model.respond(number, Response(status, fields, content), piece, end)
        if content.announced is None:
            piece = chunk(piece) + (LAST if end else b"")
        transport.arrive(said + piece)

    @staticmethod
    def _confirmed(recipe: Recipe, asked: Pairs, method: str, fields: Pairs) -> tuple[int, Pairs]:
        """Make it a 304 if it is to be one."""
        known = elements(combined(asked, "if-none-match") or "")
        modified = combined(asked, "if-modified-since")
        conditional = bool(known) or modified is not None
        if not recipe.confirms or method not in ("GET", "HEAD"):
            return recipe.status, fields
        if not conditional and not recipe.lies:
            return recipe.status, fields
        fields = [pair for pair in fields if pair[0] not in ("ETag", "Last-Modified")]
        tag = ""
        if recipe.confirms == "modified" and modified is not None:
            fields.append(("Last-Modified", modified))
        elif recipe.confirms == "wrong":
            tag = '"wrong"'
        elif known and recipe.confirms != "none":
            tag = known[-1 if recipe.confirms == "last" else 0]
            if recipe.confirms == "weak" and not tag.startswith("W/"):
                tag = "W/" + tag
        if tag and tag != "*":
            fields.append(("ETag", tag))
        return 304, fields

    def _end(self, step: Ending) -> None:
        open_ = [each for each in self.growing if each.transport.connected]
        if step.breaks and self.asked and (not open_ or step.which % 2):
            numbers = sorted(self.asked)
            number = numbers[step.which % len(numbers)]
            transport = self.asked.pop(number)[0]
            self.note(f"origin closes before it answers {number}")
            close(transport)
            self.settle()
            for each in self._heardByOrigins():
                if each[1] == max(number, 0):
                    # It was sent on a connection that was used before, and so once more.
                    self.note("and again")
                    close(each[0])
                else:
                    self.early.append(each)
            self.model.breaksOff(number)
            return
        if not open_:
            return
        grown = open_[step.which % len(open_)]
        self.growing.remove(grown)
        if step.breaks:
            self.note("origin breaks off")
            self.model.breaks(grown.content)
            close(grown.transport)
            return
        self.note(f"origin: {grown.rest!r}")
        grown.content.isRead = any(
            each.method != "HEAD"
            and each.answer is not None
            and each.answer.content is not None
            and each.answer.content.isOf(grown.content)
            for each in self.clients.values()
        )
        self.model.bring(grown.content, grown.rest, end=True)
        rest = grown.rest
        if grown.content.announced is None:
            rest = chunk(rest) + LAST
        grown.transport.arrive(rest)

    def _leave(self, step: Leaving) -> None:
        if not self.clients:
            return
        waiting = list(self.clients.values())
        client = waiting[step.which % len(waiting)]
        self.note(f"client {client.number} leaves")
        if client.answer is None:
            self.asked.pop(client.number, None)
            self.model.leaves(client.number)
        del self.clients[client.number]
        close(client.transport)

    def _pass(self, step: Passing) -> None:
        """Let time go by; and stop where something is due, and just before that."""
        end = self.clock.seconds() + step.seconds
        self.note(f"{step.seconds} seconds pass")
        while True:
            now = self.clock.seconds()
            seconds = end - now
            if self.asked or self.growing:
                seconds = min(seconds, PATIENCE - self.waited)
            else:
                self.waited = 0
            if seconds <= 0:
                break
            due = self._due()
            if due is not None and now < due <= now + seconds:
                seconds = due - now if due - now <= 1 else due - 1 - now
            if self.asked or self.growing:
                self.waited += int(seconds)
            self.clock.advance(seconds)
            self.model.now = self.clock.seconds()
            if due is not None:
                self.note(f"    it is {seconds} seconds later")
                self.settle()
                self.model.settle()
                self.compare()

    def _due(self) -> int | None:
        """When something is due next, as the model says or as the cache does."""
        found = [] if self.model.due is None else [self.model.due]
        refreshing = self.scenario.cache.refreshing
        if refreshing._timer is not None:
            found.append(math.ceil(refreshing._at))
        return min(found, default=None)

    def _evict(self, step: Evicting) -> None:
        """Memory is needed, or the process ends."""
        if self.tier is None:
            self.note("evict")
            evictAll(self.scenario.cache.store)
            self.model.lose()
            return
        self.note(f"evict {step}")
        if step.again:
            self._cut()
            self.model.ends()
            self.scenario.cache.close()
            self.scenario.cachingIn(self.tier.again())
            self.makeFronts()
        else:
            self.tier.evict()
        self.model.evict(again=step.again)

    def _cut(self) -> None:
        """Nobody has a connection any more."""
        for client in self.clients.values():
            close(client.transport)
        self.clients.clear()
        self.settle()
        while self.origins:
            for transport in self.origins:
                transport.written = b""
                close(transport)
            self.origins.clear()
            # What was sent on a connection that was used before is sent once more.
            self.settle()
        self.asked.clear()
        self.growing.clear()
        self.early.clear()
        if self.scenario.cache.background:
            raise Difference(f"left behind: {self.scenario.cache!r}")

    def _purge(self, step: Purging) -> None:
        value = step.value
        kind = step.kind
        if kind == "key" and self.front.route.several:
            # Of many, nobody knows which there are.
            kind = "prefix"
        url = f"http://{HOST}{value}"
        self.note(f"purge {step}")
        if kind == "key":
            what = Purge.ofKey(f"{self.partition} {url}".encode())
            value = url
        elif kind == "prefix":
            what = Purge.ofPrefix(url.encode())
            value = url
        elif kind == "host":
            what = Purge.ofHost(HOST.encode())
            value = HOST
        else:
            what = Purge.ofTag(*value.encode().split())
        gone = self.scenario.cache.purge(what, step.soft)
        counted: list[int] = []
        maybeDeferred(lambda: gone).addCallback(counted.append)
        wanted = self.model.purge(kind, value, step.soft)
        self.settle()
        # What is to be replaced on the disk, and is not yet, may be counted as well.
        if counted != [wanted] and (self.tier is None or sum(counted) < wanted):
            raise Difference(f"{wanted} are to be purged, and {counted} are")
