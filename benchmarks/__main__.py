# -*- test-case-name: tests.test_benchmarks -*-
"""
The command: C{python -m benchmarks [COMMAND] [options]}.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from . import bigobject, conformance, garbage, hitratios, purges, slow, soak
from .cases import CASES, Load
from .children import BenchmarkError, Workspace, findProgram
from .machine import Cores, facts, raiseFileLimit
from .measure import Measurement
from .origin import startOrigin
from .peers import INTERMEDIARY_PEER, PEERS
from .profile import profile
from .report import Result, document, notes, table

if TYPE_CHECKING:
    from types import FrameType

    from .cases import Case

RESULTS = Path(__file__).resolve().parent / "results"


def say(line: str) -> None:
    """Report progress at once."""
    print(line, flush=True)


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    top = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Compare intermediary with nginx, HAProxy and Squid on this machine.",
    )
    top.add_argument(
        "--only",
        type=_names,
        metavar="CASES",
        help="of " + ",".join(case.name for case in CASES),
    )
    top.add_argument(
        "--peers",
        type=_names,
        metavar="PEERS",
        default=[peer.name for peer in PEERS.values() if peer.usual],
        help="of " + ",".join(PEERS),
    )
    top.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default 3)")
    top.add_argument(
        "--seconds", type=int, default=3, help="load in each round, per peer (default 3)"
    )
    top.add_argument(
        "--json", type=Path, metavar="FILE", help="default benchmarks/results/TIME.json"
    )
    top.add_argument(
        "--strict", action="store_true", help="exit 2 when intermediary misses what it must show"
    )
    top.add_argument(
        "--portable-origin",
        action="store_true",
        help="the origin in Python, even where nginx is installed",
    )
    top.add_argument(
        "--profile",
        type=Path,
        metavar="FILE",
        help="instead of measuring, record intermediary with py-spy under the load of the cases"
        " named by --only: .svg for a flame graph, .raw for folded stacks",
    )
    commands = top.add_subparsers(
        dest="command",
        metavar="slow | soak | hitratios | purges | garbage | conformance | bigobject",
    )
    slow.addArguments(commands.add_parser("slow", help=slow.HELP))
    soak.addArguments(commands.add_parser("soak", help=soak.HELP))
    hitratios.addArguments(commands.add_parser("hitratios", help=hitratios.HELP))
    purges.addArguments(commands.add_parser("purges", help=purges.HELP))
    garbage.addArguments(commands.add_parser("garbage", help=garbage.HELP))
    conformance.addArguments(commands.add_parser("conformance", help=conformance.HELP))
    bigobject.addArguments(commands.add_parser("bigobject", help=bigobject.HELP))
    return top


def compare(options: argparse.Namespace, workspace: Workspace, cores: Cores) -> int:
    """Measure the cases, print the table, write the JSON."""
    cases = _chosen(options)
    origin = startOrigin(workspace, core=cores.load, portable=options.portable_origin)
    about = facts()
    about["origin"] = origin.name
    skipped = {name: why for name in options.peers if (why := PEERS[name].whyNot())}
    for name, why in skipped.items():
        say(f"{name}: skipped: {why}")
    peers = [PEERS[name] for name in options.peers if name not in skipped]
    about["versions"] = {peer.name: peer.version() for peer in peers}
    results = []
    failed = False
    for case in cases:
        say(f"{case.name}: {case.title}")
        if case.load is Load.REQUESTS and findProgram("wrk") is None:
            say("  skipped: wrk is not installed")
            continue
        able = [peer for peer in peers if peer.can(case)]
        if INTERMEDIARY_PEER in able:
            # They are the same program.
            able += [PEERS[name] for name in case.also if PEERS[name] not in able]
        if not able:
            say("  skipped: nobody here can do it")
            continue
        measurement = Measurement(case, workspace, origin, cores, options.seconds, say)
        try:
            rounds = measurement.run(able, options.rounds)
        except BenchmarkError as error:
            say(f"  FAILED: {error}")
            failed = True
            continue
        failed = failed or bool(measurement.failures)
        if rounds:
            absent = dict.fromkeys(measurement.failures, f"FAILED in {case.name}")
            results.append(Result(case=case, rounds=rounds, skipped={**skipped, **absent}))
    if not results:
        return 1
    say("")
    say(table(results))
    for note in notes(results):
        say(f"note: {note}")
    if cores.shared:
        say("note: only one core: load, origin and proxy share it, the figures are worth little")
    path = options.json or RESULTS / time.strftime("%Y%m%d-%H%M%S.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document(results, about), indent=2) + "\n")
    say(f"written: {path}")
    missed = any(
        measured > limit
        for result in results
        for _, measured, limit in result.demands("intermediary")
    )
    if failed:
        return 1
    return 2 if missed and options.strict else 0


def _chosen(options: argparse.Namespace) -> list[Case]:
    known = {case.name: case for case in CASES}
    return [known[name] for name in options.only] if options.only else list(CASES)


def _validate(top: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    known = {case.name for case in CASES}
    for name in options.only or ():
        if name not in known:
            top.error(f"no case {name!r}; there are {', '.join(sorted(known))}")
    for name in options.peers:
        if name not in PEERS:
            top.error(f"no peer {name!r}; there are {', '.join(PEERS)}")
    if options.rounds < 1 or options.seconds < 1:
        top.error("--rounds and --seconds are at least 1")


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def main(arguments: list[str]) -> int:
    """Run the command; everything that it starts ends with it."""
    top = parser()
    options = top.parse_args(arguments)
    _validate(top, options)
    # A shell starts what runs in the background with this one ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)
    raiseFileLimit()
    cores = Cores.choose()
    os.sched_setaffinity(0, {cores.load})
    try:
        if options.command == "hitratios":
            return hitratios.run(options, say)
        if options.command == "purges":
            return purges.run(options, say)
        if options.command == "garbage":
            return garbage.run(options, say)
        with Workspace() as workspace:
            if options.command == "slow":
                return slow.run(options, workspace, cores, say)
            if options.command == "bigobject":
                return bigobject.run(options, workspace, cores, say)
            if options.command == "soak":
                return soak.run(options, workspace, cores, say)
            if options.command == "conformance":
                return conformance.run(options, workspace, cores, say)
            if options.profile:
                return profile(options, _chosen(options), workspace, cores, say)
            return compare(options, workspace, cores)
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmarks: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
