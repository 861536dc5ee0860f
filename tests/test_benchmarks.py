# -*- test-case-name: tests.test_benchmarks -*-
"""
The arithmetic of the benchmarks, and what they say.

A mistake in here would flatter or slander somebody, so the figures are worked
out by hand in these tests.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import zlib
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks import conformance, garbage
from benchmarks.__main__ import main, parser
from benchmarks.cases import CASES, Case, Load, Unit
from benchmarks.children import Workspace
from benchmarks.conformance import DECIDED, SUPERSEDED, judge, outcomes
from benchmarks.content import SIZES, cacheControl, content
from benchmarks.introspection import countObjects
from benchmarks.machine import (
    Cores,
    family,
    openFiles,
    parseConnections,
    parseCpuTicks,
    residentOctets,
)
from benchmarks.measure import Sample, figure
from benchmarks.origin import Count, parseCount
from benchmarks.originserver import BLOCK_OCTETS, streamBlock, tagged
from benchmarks.peers import PEERS, Site
from benchmarks.profile import foldedTotals
from benchmarks.report import Result, document, grid, notes, spell, table
from benchmarks.soak import LIMIT_OBJECTS, LIMIT_OCTETS, SPARE, State, leaks, tracebacks
from benchmarks.soakclients import Client, Ports, Tally, Wire
from benchmarks.tunnels import connectRequest, contentLength, getRequest
from intermediary.net.splice import PipePool
from intermediary.ops.reading import parse
from intermediary.settings import Limits


def case(**changes: Any) -> Case:
    """Make a case of small requests, with changes."""
    values: dict[str, Any] = {
        "name": "some",
        "title": "some case",
        "front": "reverse",
        "load": Load.REQUESTS,
        "unit": Unit.MICROSECONDS_PER_REQUEST,
        "path": "/1k",
        "connections": 64,
    }
    return Case(**{**values, **changes})


def sample(peer: str, value: float, **changes: Any) -> Sample:
    """Make a sample of a peer, with changes."""
    values: dict[str, Any] = {
        "requests": 1000,
        "octets": 1024 * 1000,
        "seconds": 2.0,
        "cpuSeconds": 1.0,
        "foreignSeconds": 0.0,
        "originRequests": 1000,
        "originConnections": 64,
    }
    return Sample(peer=peer, value=value, **{**values, **changes})


def result(ours: list[float], theirs: list[float], **changes: Any) -> Result:
    """Make a result of intermediary and nginx out of the figures of each round."""
    rounds = [
        [sample("intermediary", mine), sample("nginx", other)]
        for mine, other in zip(ours, theirs, strict=True)
    ]
    return Result(case=case(**changes), rounds=rounds)


class MachineTests(SynchronousTestCase):
    """What is read from C{/proc}."""

    def test_cpuTimeIsUserAndSystemTimeOfTheProcess(self) -> None:
        """Fields 14 and 15 are added up, and 16 and 17, the children's, are not (proc(5))."""
        line = "42 (name) S 1 42 42 0 -1 4194304 103 0 0 0 70 7 1000 1000 20 0 1 0 110397"
        self.assertEqual(parseCpuTicks(line), 77)

    def test_nameWithParenthesesAndSpacesShiftsNothing(self) -> None:
        """A command may be called anything, also C{a) S 1 (}."""
        line = "42 (a) S 1 ( b) R 1 42 42 0 -1 4194304 103 0 0 0 5 6 0 0 20 0 1 0 110397"
        self.assertEqual(parseCpuTicks(line), 11)

    def test_processBelongsToItsOwnFamily(self) -> None:
        """The first of a family is the process itself."""
        self.assertEqual(family(os.getpid())[0], os.getpid())

    def test_residentMemoryIsInOctets(self) -> None:
        """C{VmRSS} is in KiB; a Python process needs more than a MiB and less than 4 GiB."""
        self.assertTrue(1 << 20 < residentOctets([os.getpid()]) < 1 << 32)

    def test_connectionsAreThoseAcceptedOnThePorts(self) -> None:
        """
        Not listeners (0A), nor those in C{TIME_WAIT} (06), nor the clients' ends;
        but those that wait to be closed (08) are.
        """
        table = (
            "  sl  local_address rem_address   st tx_queue rx_queue\n"
            "   0: 0100007F:2710 00000000:0000 0A 00000000:00000000\n"
            "   1: 0100007F:2710 0100007F:C350 01 00000000:00000000\n"
            "   2: 0100007F:C350 0100007F:2710 01 00000000:00000000\n"
            "   3: 0100007F:2710 0100007F:C351 08 00000000:00000000\n"
            "   4: 0100007F:2710 0100007F:C352 06 00000000:00000000\n"
        )
        self.assertEqual(parseConnections(table, frozenset({10000})), 2)

    def test_pipeIsCountedAsPipe(self) -> None:
        """File descriptors are counted by kind."""
        before = openFiles(os.getpid())
        ends = os.pipe()
        after = openFiles(os.getpid())
        for end in ends:
            os.close(end)
        self.assertEqual(after["pipe"] - before["pipe"], 2)


class WorkspaceTests(SynchronousTestCase):
    """Nothing stays behind."""

    def test_folderIsGoneAfterwards(self) -> None:
        """A workspace removes its folder with all that is in it."""
        with Workspace() as workspace:
            (workspace.folder("some") / "file").write_text("x")
            directory = workspace.directory
            self.assertTrue(directory.exists())
        self.assertFalse(directory.exists())

    def test_folderIsGoneAfterFailure(self) -> None:
        """An exception on the way changes nothing."""
        workspace = Workspace()

        def fail() -> None:
            with workspace:
                raise KeyboardInterrupt

        self.assertRaises(KeyboardInterrupt, fail)
        self.assertFalse(workspace.directory.exists())

    def test_portsAreDifferent(self) -> None:
        """Two listeners of one run never get the same port."""
        with Workspace() as workspace:
            ports = [workspace.freePort() for _ in range(5)]
        self.assertEqual(len(set(ports)), 5)


class FigureTests(SynchronousTestCase):
    """From CPU time to a figure."""

    def test_smallRequestsAreCounted(self) -> None:
        """Half a second for ten thousand requests is 50 µs each."""
        value = figure(case(), requests=10_000, octets=1, cpu=0.5)
        self.assertAlmostEqual(value, 50.0)

    def test_bigAnswersAreMeasuredByTheirOctets(self) -> None:
        """What was transferred of incomplete answers counts: 2.5 answers, not 2."""
        big = case(path="/10m")
        value = figure(big, requests=2, octets=25 * 1024 * 1024, cpu=0.05)
        self.assertAlmostEqual(value, 20_000.0)

    def test_bulkIsSecondsPerGigabyte(self) -> None:
        """A gigabyte is 10^9 octets."""
        bulk = case(unit=Unit.SECONDS_PER_GIGABYTE, load=Load.BULK, path="/64m")
        self.assertAlmostEqual(figure(bulk, requests=0, octets=4_000_000_000, cpu=2.0), 0.5)


class ReportTests(SynchronousTestCase):
    """Medians, ratios and what is printed."""

    def test_figureIsTheMedianOfTheRounds(self) -> None:
        """One disturbed round changes nothing."""
        self.assertEqual(result([60, 50, 900], [1, 1, 1]).median("intermediary"), 60)

    def test_ratioIsTheMedianOfTheRatiosOfEachRound(self) -> None:
        """
        A round in which the machine was slow for both is a good round: the ratios
        are 2, 2 and 1.5, while the medians would give 90 / 40.
        """
        slow = result([80, 400, 90], [40, 200, 60])
        self.assertEqual(slow.ratio("intermediary", "nginx"), 2.0)

    def test_nothingGrownIsNoDivisionByZero(self) -> None:
        """A peer may need no memory at all for a connection."""
        self.assertEqual(result([1], [0]).ratio("intermediary", "nginx"), float("inf"))

    def test_rateIsRequestsPerWallClockSecond(self) -> None:
        """1000 requests in 2 seconds."""
        self.assertEqual(result([1], [1]).rate("nginx"), 500)

    def test_demandIsMetAtItsLimit(self) -> None:
        """At most 2.0 times includes 2.0."""
        self.assertIn("2 x nginx: met", table([result([80], [40], ratios={"nginx": 2.0})]))

    def test_demandIsMissedAboveItsLimit(self) -> None:
        """And nothing above it."""
        self.assertIn("2 x nginx: MISSED", table([result([81], [40], ratios={"nginx": 2.0})]))

    def test_demandAgainstAbsentPeerIsNotJudged(self) -> None:
        """What was not measured is neither met nor missed."""
        judged = result([80], [40], ratios={"squid": 0.7})
        self.assertEqual(judged.demands("intermediary"), [])

    def test_absoluteLimitIsJudgedWithoutPeers(self) -> None:
        """Idle memory has a limit of its own."""
        judged = result([9000], [500], unit=Unit.OCTETS_PER_CONNECTION, limit=8192)
        self.assertEqual(judged.demands("intermediary"), [("octets/connection", 9000.0, 8192)])

    def test_peersAloneMakeATableWithoutRatios(self) -> None:
        """Where intermediary was not measured there is nothing to compare with."""
        alone = Result(case=case(), rounds=[[sample("nginx", 40), sample("squid", 90)]])
        self.assertEqual(table([alone]).splitlines()[0].split(), ["case", "unit", "nginx", "squid"])

    def test_caseThatAPeerCannotDoHasADash(self) -> None:
        """Nginx is no proxy for clients."""
        both = result([80], [40])
        forward = Result(case=case(name="other"), rounds=[[sample("intermediary", 70)]])
        last = table([both, forward]).splitlines()[-1].split()
        self.assertEqual(last, ["other", "µs/request", "70.0", "-", "-", "-"])

    def test_disturbedCaseIsNoted(self) -> None:
        """More than a tenth of the core used by others is said."""
        disturbed = Result(case=case(), rounds=[[sample("nginx", 1, foreignSeconds=0.5)]])
        self.assertEqual(len(notes([disturbed])), 1)
        self.assertEqual(notes([result([1], [1])]), [])

    def test_skippedPeerIsNotedOnce(self) -> None:
        """However many cases it was missing from."""
        one = Result(case=case(), rounds=[], skipped={"squid": "not installed"})
        self.assertEqual(notes([one, one]), ["squid skipped: not installed"])

    def test_documentHoldsEverySample(self) -> None:
        """The JSON is what the figures can be worked out from again."""
        held = document([result([80, 90, 100], [40, 45, 50])], {"cores": 2})
        (only,) = held["cases"]
        self.assertEqual(only["medians"], {"intermediary": 90, "nginx": 45})
        self.assertEqual(only["ratios"]["intermediary/nginx"], 2.0)
        self.assertEqual([one[0]["value"] for one in only["rounds"]], [80, 90, 100])
        self.assertEqual(held["machine"], {"cores": 2})

    def test_columnsAreAligned(self) -> None:
        """The first column to the left, the others to the right."""
        self.assertEqual(grid([["a", "bb"], ["ccc", "d"]]), "a    bb\n-------\nccc   d")

    def test_figuresHaveTheDigitsTheyDeserve(self) -> None:
        """Tenths of a microsecond, milliseconds of a gigabyte, whole octets."""
        self.assertEqual(spell(45.26, Unit.MICROSECONDS_PER_REQUEST), "45.3")
        self.assertEqual(spell(14318.3, Unit.MICROSECONDS_PER_REQUEST), "14318")
        self.assertEqual(spell(0.35, Unit.SECONDS_PER_GIGABYTE), "0.350")
        self.assertEqual(spell(536.7, Unit.OCTETS_PER_CONNECTION), "537")


class CaseTests(SynchronousTestCase):
    """What is measured."""

    def test_everyCaseHasContent(self) -> None:
        """Each path is one that the origin serves."""
        for one in CASES:
            self.assertEqual(len(content(one.path)), one.contentOctets)

    def test_everyDemandNamesAPeerThatCanDoTheCase(self) -> None:
        """Otherwise it would never be judged."""
        for one in CASES:
            for peer in one.ratios:
                self.assertTrue(PEERS[peer].can(one), one.name)
                self.assertTrue(PEERS[peer].usual or peer in one.also, one.name)

    def test_hitsAreOfWhatMayBeStored(self) -> None:
        """And everything else is of what may not, so that no hit is counted unnoticed."""
        for one in CASES:
            self.assertEqual("public" in cacheControl(one.path), one.cached, one.name)
        self.assertFalse(PEERS["haproxy"].can(case(cached=True)))
        self.assertTrue(PEERS["haproxy"].can(case()))
        self.assertFalse(PEERS["haproxy"].can(case(secure=True)))
        self.assertTrue(PEERS["nginx"].can(case(secure=True, cached=True)))
        self.assertFalse(PEERS["nginx"].can(case(front="forward")))

    def test_contentIsTheSameEverywhere(self) -> None:
        """Origin and client make it in different processes."""
        self.assertEqual(zlib.crc32(content("/1k")), zlib.crc32(content("/1k")))
        self.assertEqual(len(content("/64k")), 65536)

    def test_smallContentMeansNothingInAConfiguration(self) -> None:
        """It is quoted in nginx's: no dollar sign, quote, brace or backslash."""
        self.assertRegex(content("/1k").decode("ascii"), r"\A[A-Za-z0-9_-]+\Z")


class PeerTests(SynchronousTestCase):
    """How the peers are configured."""

    def configured(self, name: str, *, cached: bool = False) -> str:
        """Write a peer's configuration and give its text."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        site = Site(
            folder=folder, originPort=9001, reversePort=9002, forwardPort=9003, cached=cached
        )
        PEERS[name].configure(site)
        (written,) = folder.iterdir()
        return written.read_text()

    def test_everyPeerLogsEveryRequest(self) -> None:
        """A log costs something, so nobody is spared it."""
        for name in PEERS:
            self.assertRegex(self.configured(name), r"access_log|httplog|access = ")

    def test_everyPeerKnowsOriginAndFront(self) -> None:
        """All placeholders are filled."""
        for name, cached in product(PEERS, (False, True)):
            text = self.configured(name, cached=cached)
            self.assertIn("9001", text)
            self.assertIn("9002", text)
            self.assertNotRegex(text, r"\{(folder|extra|caching|store|\w+Port)\}")

    def test_upstreamConnectionsAreKept(self) -> None:
        """Nginx closes them unless told otherwise in three places."""
        text = self.configured("nginx")
        for needed in ("keepalive 512;", "proxy_http_version 1.1;", 'Connection "";'):
            self.assertIn(needed, text)

    def test_nothingIsCached(self) -> None:
        """A pass-through is measured."""
        self.assertIn("cache deny all", self.configured("squid"))
        self.assertNotIn("proxy_cache", self.configured("nginx"))
        self.assertNotIn("[cache]", self.configured("intermediary"))

    def test_whoeverCachesDoes(self) -> None:
        """Where hits are measured: nginx in files that stay open, the others in memory."""
        self.assertNotIn("cache deny", self.configured("squid", cached=True))
        self.assertIn("cache_mem 256 MB", self.configured("squid", cached=True))
        self.assertIn("[cache]", self.configured("intermediary", cached=True))
        nginx = self.configured("nginx", cached=True)
        for needed in ("keys_zone=", "proxy_cache hits;", "sendfile on;", "open_file_cache max"):
            self.assertIn(needed, nginx)

    def test_ourConfigurationsAreValid(self) -> None:
        """With and without a cache."""
        for cached in (False, True):
            text = self.configured("intermediary", cached=cached)
            self.assertEqual(parse(text.encode(), "x").cache is not None, cached)
            text = self.configured("intermediary-uncached", cached=cached)
            self.assertIsNone(parse(text.encode(), "x").cache)

    def test_whoHasACacheThatIsOfNoUse(self) -> None:
        """We alone, and not the one that we are measured against."""
        of = {name: peer.cachesIn(case(bypassed=True)) for name, peer in PEERS.items()}
        self.assertEqual({name for name in of if of[name]}, {"intermediary"})
        for name in PEERS:
            self.assertTrue(PEERS[name].cachesIn(case(cached=True)))
            self.assertFalse(PEERS[name].cachesIn(case()))


class ContentTests(SynchronousTestCase):
    """What the servers and the clients tell each other."""

    def test_contentOfAnotherTagIsNeverEqual(self) -> None:
        """An answer for somebody else is noticed at the first octets."""
        self.assertEqual(tagged("1-2", 10), b"1-2.1-2.1-")
        self.assertNotEqual(tagged("1-2", 10), tagged("1-3", 10))
        self.assertEqual(tagged("1-2", 0), b"")

    def test_streamRepeatsWholeTags(self) -> None:
        """So a stream is the same content as a tagged answer of its size."""
        block = streamBlock("slow")
        size = 2 * len(block) + 3
        self.assertEqual((block * 3)[:size], tagged("slow", size))
        self.assertLessEqual(len(block), BLOCK_OCTETS)

    def test_countsAreReadFromStatus(self) -> None:
        """As nginx writes them, also after our own server."""
        text = (
            "Active connections: 1 \nserver accepts handled requests\n 5 5 70 \n"
            "Reading: 0 Writing: 1 Waiting: 0 \n"
        )
        self.assertEqual(parseCount(text), Count(connections=5, requests=70))
        self.assertEqual(
            Count(connections=5, requests=70) - Count(connections=1, requests=20),
            Count(connections=4, requests=50),
        )

    def test_lengthIsFoundInAnyCase(self) -> None:
        """Field names have none (RFC 9110 §5.1)."""
        self.assertEqual(contentLength(b"HTTP/1.1 200 OK\r\ncontent-LENGTH:  12\r\n"), 12)

    def test_requestsAreComplete(self) -> None:
        """CONNECT is in authority-form, and both end with an empty line (RFC 9112 §3.2.3)."""
        self.assertTrue(connectRequest(80).startswith(b"CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: "))
        for request in (connectRequest(80), getRequest(80, "/1k")):
            self.assertTrue(request.endswith(b"\r\n\r\n"))
            self.assertEqual(request.count(b"\r\n\r\n"), 1)

    def test_sizesAreWhatTheirNamesSay(self) -> None:
        """KiB and MiB."""
        self.assertEqual(SIZES["/10m"], 10 * 1024 * 1024)


class ProfileTests(SynchronousTestCase):
    """Folded stacks."""

    def test_framesAreSummedUp(self) -> None:
        """By themselves, and with what they call; recursion counts once."""
        _, own, total = foldedTotals("a;b 3\na;b;c 2\na;b;b 1\n")
        self.assertEqual(own, Counter({"b": 4, "c": 2}))
        self.assertEqual(total, Counter({"a": 6, "b": 6, "c": 2}))

    def test_linesOfAFunctionAreOneFunction(self) -> None:
        """But are told apart where a line is asked for."""
        lines, own, _ = foldedTotals("f (m.py:1) 3\nf (m.py:22) 2\n")
        self.assertEqual(lines, Counter({"f (m.py:1)": 3, "f (m.py:22)": 2}))
        self.assertEqual(own, Counter({"f (m.py)": 5}))


class SoakTests(SynchronousTestCase):
    """What counts as a leak."""

    def state(
        self, octets: int = 0, sockets: int = 5, exchanges: int = 2, clients: int = 0
    ) -> State:
        """Make the state of a proxy."""
        return State(
            connections=clients,
            residentOctets=octets,
            files=Counter({"socket": sockets}),
            objects=Counter({"intermediary.exchange.Exchange": exchanges}),
        )

    def test_returnToTheStartIsNoLeak(self) -> None:
        """Neither is less than at the start, nor a size that has not grown again."""
        warm = self.state(octets=50 << 20)
        end = self.state(octets=(50 << 20) + LIMIT_OCTETS, sockets=4)
        self.assertEqual(leaks(self.state(), warm, end), [])

    def test_oneSocketIsALeak(self) -> None:
        """File descriptors are exact, and compared with the start."""
        (found,) = leaks(self.state(), self.state(sockets=6), self.state(sockets=6))
        self.assertIn("6 file descriptors of kind socket, 5", found)

    def test_connectionOfNobodyIsALeak(self) -> None:
        """All clients have gone."""
        (found,) = leaks(self.state(), self.state(), self.state(clients=1))
        self.assertIn("1 connections", found)

    def test_sparePipesAreNoLeak(self) -> None:
        """As many as the pool of pipes keeps, and not one more."""
        self.assertEqual(SPARE["pipe"], 2 * PipePool().kept)
        for pipes, defects in ((16, 0), (18, 1)):
            end = State(
                connections=0, residentOctets=0, files=Counter(pipe=pipes), objects=Counter()
            )
            self.assertEqual(len(leaks(self.state(), self.state(), end)), defects)

    def test_exchangesThatStayAreALeak(self) -> None:
        """More than the few that may be under way."""
        end = self.state(exchanges=3 + LIMIT_OBJECTS)
        (found,) = leaks(self.state(), self.state(), end)
        self.assertIn("Exchange", found)

    def test_growthAfterTheFirstTimeIsALeak(self) -> None:
        """The size that the load needs is there after the first time."""
        (found,) = leaks(self.state(), self.state(), self.state(octets=LIMIT_OCTETS + 1))
        self.assertIn("MiB more", found)

    def test_objectsNobodyCountedAreNoLeak(self) -> None:
        """Other proxies can't tell."""
        blind = State(connections=0, residentOctets=0, files=Counter(), objects=Counter())
        self.assertEqual(leaks(blind, blind, blind), [])

    def test_aClosedConnectionIsNotUsed(self) -> None:
        """
        A client notices the end of a connection on which it was silent.

        Otherwise the second write of an upload fails, which looks like a reset
        by the proxy in the middle of it.
        """
        ports, tally = Ports(reverse=1, forward=0, origin=2), Tally()
        client = Client(
            0, ports, tally, think=1.0, mortality=0.0, until=float("inf"), without=frozenset()
        )

        async def act() -> Wire:
            reader = asyncio.StreamReader()
            reader.feed_eof()
            nobody: Any = None
            wire = Wire(reader, nobody, ports, "reverse")
            await client._act(wire)
            return wire

        self.assertFalse(asyncio.run(act()).usable)
        self.assertEqual(tally.outcomes, Counter({"closed between two requests": 1}))

    def test_tracebacksAreCountedByKind(self) -> None:
        """The same one twice is one kind; its text ends where the next event begins."""
        one = "2026-01-01 failed\n\tTraceback (most recent call last):\n\t  x\n\tValueError: 1\n"
        other = one.replace("ValueError", "KeyError")
        kinds = tracebacks(one + other + one + "2026-01-02 fine\n")
        self.assertEqual(sorted(kinds.values()), [1, 2])
        self.assertNotIn("2026", "".join(kinds))

    def test_objectsOfThePackageAreCounted(self) -> None:
        """By the full name of their class, dead ones not."""
        name = "intermediary.settings.Limits"
        before = countObjects()[name]
        held = [Limits(), Limits()]
        self.assertEqual(countObjects()[name], before + 2)
        held.clear()
        gc.collect()
        self.assertEqual(countObjects()[name], before)


class GarbageTests(SynchronousTestCase):
    """How long collections take."""

    def test_bothWaysAreMeasured(self) -> None:
        """And nothing of it is left to the process."""
        lines: list[str] = []
        options = parser().parse_args(["garbage", "--entries", "9000"])
        self.assertIn(garbage.run(options, lines.append), (0, 2))
        table = "\n".join(lines)
        for name in ("Python", "twistd intermediary"):
            for part in ("filled", "replaced"):
                self.assertIn(f"{name}, {part}", table)
        self.assertIn("<Garbage on steps=1 full=1>", table)
        self.assertEqual(gc.get_freeze_count(), 0)


class CommandTests(SynchronousTestCase):
    """The command line."""

    def test_everythingIsMeasuredByDefault(self) -> None:
        """Three rounds, and every usual peer."""
        options = parser().parse_args([])
        self.assertEqual(options.rounds, 3)
        self.assertEqual(options.peers, ["intermediary", "nginx", "haproxy", "squid"])
        self.assertIsNone(options.only)

    def test_casesAndPeersAreChosenByName(self) -> None:
        """Separated by commas."""
        options = parser().parse_args(["--only", "idle,reverse-1k", "--peers", "nginx"])
        self.assertEqual(options.only, ["idle", "reverse-1k"])
        self.assertEqual(options.peers, ["nginx"])

    def test_unknownCaseIsRefusedBeforeAnythingStarts(self) -> None:
        """With status 2, as argparse does."""
        with open(os.devnull, "w") as silence:
            self.patch(sys, "stderr", silence)
            failure = self.assertRaises(SystemExit, main, ["--only", "nonsense"])
        self.assertEqual(failure.code, 2)

    def test_soakIsAsLongAsItMustBe(self) -> None:
        """3,000 connections for five minutes."""
        options = parser().parse_args(["soak"])
        self.assertEqual((options.connections, options.minutes), (3000, 5.0))

    def test_slowBodyIsAsBigAsItMustBe(self) -> None:
        """1 GiB at 20 MB/s."""
        options = parser().parse_args(["slow"])
        self.assertEqual((options.octets, options.rate), (1 << 30, 20_000_000))


class ConformanceTests(SynchronousTestCase):
    """What is made of the results of C{http-cache-tests}."""

    def about(self, name: str, kind: str, result: Any, *needs: str) -> dict[str, Any]:
        """Write one result as the script does."""
        return {name: {"kind": kind, "needs": list(needs), "result": result}}

    def says(self, about: dict[str, Any]) -> tuple[int, str]:
        """Judge results; give what is missed, and what is said."""
        lines: list[str] = []
        return judge(outcomes(about), lines.append), "\n".join(lines)

    def test_verdicts(self) -> None:
        """A test that needs one that did not pass says nothing, however it went."""
        about = {
            **self.about("a", "required", True),
            **self.about("b", "required", ["Assertion", "it is 1"]),
            **self.about("c", "optimal", ["Setup", "it is 2"], "a"),
            **self.about("d", "check", True, "a", "c"),
            **self.about("e", "check", True, "somewhere else"),
        }
        self.assertEqual(
            [(each.name, each.verdict, each.why) for each in outcomes(about)],
            [
                ("a", "pass", ""),
                ("b", "fail", "it is 1"),
                ("c", "setup", "it is 2"),
                ("d", "depends", "c"),
                ("e", "pass", ""),
            ],
        )

    def test_whatIsRequiredIsMissed(self) -> None:
        """And what is optimal is only named; what is neither is only counted."""
        missed, said = self.says(
            {
                **self.about("a", "required", True),
                **self.about("b", "required", ["Assertion", "it is 1"]),
                **self.about("c", "optimal", ["Assertion", "it is 2"]),
                **self.about("d", "check", ["Assertion", "it is 3"]),
            }
        )
        self.assertEqual(missed, 1)
        self.assertRegex(said, r"required: .* 1 +2\n")
        self.assertRegex(said, r"optimal: .* 0 +1\n")
        self.assertIn("required fail    b: it is 1", said)
        self.assertIn("optimal fail    c: it is 2", said)
        self.assertNotIn("it is 3", said)

    def test_whatIsDecided(self) -> None:
        """It is named with its reason, and no fault."""
        name = "headers-store-Transfer-Encoding"
        missed, said = self.says(self.about(name, "required", ["Setup", "status is 502"]))
        self.assertEqual(missed, 0)
        self.assertIn(name, said)
        self.assertIn(DECIDED[name], said)

    def test_whatIsSuperseded(self) -> None:
        """It is left out, whatever it gave, and said to be."""
        name = next(iter(SUPERSEDED))
        missed, said = self.says(
            {
                **self.about(name, "required", ["Assertion", "it is 1"]),
                **self.about("a", "required", True),
            }
        )
        self.assertEqual(missed, 0)
        self.assertRegex(said, r"required: .* 1 +1\n")
        self.assertIn("not counted: 1 ", said)

    def test_itIsSkippedWithoutNode(self) -> None:
        """With a word about it, and nothing is started."""
        self.patch(conformance, "findProgram", lambda name: None)
        lines: list[str] = []
        options = parser().parse_args(["conformance"])
        with Workspace() as workspace:
            code = conformance.run(options, workspace, Cores(proxy=0, load=0), lines.append)
        self.assertEqual((code, lines), (0, ["conformance: skipped: node is not installed"]))
