# -*- test-case-name: tests.test_benchmarks -*-
"""
C{python -m benchmarks conformance}: the public tests of HTTP caches.

C{http-cache-tests} is installed by npm, from outside of this repository.  Its
origin and a process with a cache of default settings are started; the tests ask
the one through the other.  The last version that npm has is older than what the
suite's authors publish: where they have changed their mind since, its word does
not count (L{SUPERSEDED}).
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .children import ROOT, BenchmarkError, findProgram
from .peers import INTERMEDIARY_PEER, startPeer
from .report import grid

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from .children import Workspace
    from .machine import Cores

HELP = "the public tests of HTTP caches, http-cache-tests, against the cache"

#: What is installed, and where.
PACKAGE = "http-cache-tests"
VERSION = "0.4.5"
FOLDER = Path(sys.prefix) / PACKAGE

SCRIPT = ROOT / "benchmarks" / "conformance.mjs"

#: How long the tests may take, in seconds.
PATIENCE_SECONDS = 300

#: The kinds of tests, and what the suite means by them.
KINDS = {
    "required": "what a cache must do",
    "optimal": "what a good cache does",
    "check": "what it does where either is right",
}

_NOT_STORED = (
    *("Content-Encoding", "Content-MD5", "Content-Range", "Content-Type", "ETag", "Expires"),
    *("Clear-Site-Data", "Content-Location", "Content-Security-Policy", "Public-Key-Pins"),
    *("Set-Cookie", "Set-Cookie2", "X-Frame-Options", "X-XSS-Protection"),
)

#: Tests of which later versions of the suite expect something else, or nothing.
SUPERSEDED: Mapping[str, str] = {
    # RFC 9111 §5.1: an Age that can't be read is ignored, and of several the first counts.
    **dict.fromkeys(
        (
            *("age-parse-nonnumeric", "age-parse-negative", "age-parse-float"),
            *("age-parse-prefix", "age-parse-prefix-twoline", "age-parse-dup-0"),
            *("age-parse-dup-0-twoline", "age-parse-dup-old"),
        ),
        "such an Age is ignored",
    ),
    **dict.fromkeys(
        ("age-parse-parameter", "age-parse-numeric-parameter"), "either is right by now"
    ),
    # They took any answer for one from the cache, an error of ours as well.
    **dict.fromkeys(
        (
            *("stale-close-must-revalidate", "stale-close-proxy-revalidate"),
            *("stale-close-no-cache", "stale-close-s-maxage=2"),
        ),
        "an error is right by now",
    ),
    # RFC 9111 §3.2 has other exceptions than what came before.
    **dict.fromkeys(
        (f"304-etag-update-response-{name}" for name in _NOT_STORED), "either is right by now"
    ),
}

#: Where we know better, by test, and why.
DECIDED: Mapping[str, str] = {
    "headers-store-Transfer-Encoding": "a transfer coding that nobody knows gets 502: where its"
    " content ends is known, but not what it is (RFC 9112 §6.3)",
    "conditional-lm-fresh-no-lm": "without Last-Modified, the Date is what If-Modified-Since is"
    " compared with, and it is later (RFC 9111 §4.3.2)",
    **dict.fromkeys(
        ("headers-store-Set-Cookie", "other-set-cookie"),
        "what sets a cookie is stored only where a route says store-cookies: RFC 9111 §7.3 allows"
        " to store it, and demands nothing",
    ),
    **dict.fromkeys(
        (
            *("partial-store-partial-reuse-partial", "partial-store-partial-reuse-partial-absent"),
            "partial-store-partial-reuse-partial-byterange",
            "partial-store-partial-reuse-partial-suffix",
        ),
        "the suite's origin sends five octets as the six of 4-9: what is not as long as it says"
        " is not stored",
    ),
    "partial-store-partial-complete": "parts are joined only under a strong validator"
    " (RFC 9111 §3.4), and the suite's origin sends none",
}


def addArguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    parser.add_argument(
        "--ids",
        metavar="TESTS",
        help="some of the tests, with commas between; each with what it gave",
    )
    parser.add_argument(
        "--suite",
        type=Path,
        metavar="FOLDER",
        help="the package, where it is installed already (default: installed by npm)",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a test gave."""

    name: str
    kind: str
    #: C{"pass"}, C{"fail"}, C{"setup"} where it could not begin, or C{"depends"} where
    #: another one failed without which it means nothing.
    verdict: str
    why: str = ""


def outcomes(about: Mapping[str, Any]) -> list[Outcome]:
    """Judge what L{SCRIPT} wrote."""

    def verdict(name: str) -> tuple[str, str]:
        test = about[name]
        for needed in test["needs"]:
            if needed in about and verdict(needed)[0] != "pass":
                return "depends", needed
        if test["result"] is True:
            return "pass", ""
        kind, why = test["result"]
        return ("setup" if kind == "Setup" else "fail"), why

    found = []
    for name in sorted(about):
        result, why = verdict(name)
        found.append(Outcome(name=name, kind=about[name]["kind"], verdict=result, why=why))
    return found


def judge(found: Sequence[Outcome], say: Callable[[str], None]) -> int:
    """
    Say how many passed, and which did not.

    @return: how many of the required ones did not, and nobody has decided that they
        need not.
    """
    counted = [each for each in found if each.name not in SUPERSEDED]
    rows = [["tests", "passed", "of"]]
    for kind, meaning in KINDS.items():
        those = [each for each in counted if each.kind == kind]
        passed = sum(each.verdict == "pass" for each in those)
        rows.append([f"{kind}: {meaning}", str(passed), str(len(those))])
    say(grid(rows))
    missed = 0
    for kind in ("required", "optimal"):
        for each in counted:
            if each.kind != kind or each.verdict == "pass":
                continue
            decided = DECIDED.get(each.name)
            missed += kind == "required" and decided is None
            say(f"{kind} {each.verdict:<7} {each.name}: {each.why}")
            if decided:
                say(f"    decided: {decided}")
    superseded = len(found) - len(counted)
    if superseded:
        say(f"not counted: {superseded} of which later versions of the suite expect otherwise")
    return missed


def install(say: Callable[[str], None]) -> Path:
    """
    Install the suite, once.

    @raise BenchmarkError: npm could not.
    """
    suite = FOLDER / "node_modules" / PACKAGE
    if not (suite / "package.json").exists():
        say(f"installing {PACKAGE} {VERSION} into {FOLDER}")
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / "package.json").write_text('{"private": true}\n')
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--save-exact"]
        done = subprocess.run(
            [findProgram("npm") or "npm", "install", *options, f"{PACKAGE}@{VERSION}"],
            cwd=FOLDER,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BenchmarkError(f"npm can't install {PACKAGE}:\n{done.stderr}")
    return suite


def whyNot(suite: Path | None) -> str | None:
    """Say why the tests can't run here, or None where they can."""
    for program in ("node",) if suite else ("node", "npm"):
        if findProgram(program) is None:
            return f"{program} is not installed"
    return INTERMEDIARY_PEER.whyNot()


def run(
    options: argparse.Namespace, workspace: Workspace, cores: Cores, say: Callable[[str], None]
) -> int:
    """
    Run the tests against a fresh process.

    @return: 0, also where they can't run; 2 when something required is missed.
    """
    absent = whyNot(options.suite)
    if absent is not None:
        say(f"conformance: skipped: {absent}")
        return 0
    suite = options.suite.resolve() if options.suite else install(say)
    node = findProgram("node") or "node"
    port = workspace.freePort()
    origin = workspace.start(
        "the suite's origin",
        [node, SCRIPT, "origin", suite, str(port)],
        core=cores.load,
        folder=workspace.folder("origin"),
    )
    origin.waitUntilListening(port)
    running = startPeer(
        INTERMEDIARY_PEER, workspace, originPort=port, core=cores.proxy, cached=True
    )
    base = f"http://127.0.0.1:{running.port('reverse')}"
    child = workspace.start(
        "the tests",
        [node, "--no-warnings", SCRIPT, "tests", suite, base, *filter(None, [options.ids])],
        core=cores.load,
        folder=workspace.folder("tests"),
        stdout=subprocess.PIPE,
    )
    try:
        output, _ = child.process.communicate(timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        raise BenchmarkError(f"the tests took longer than {PATIENCE_SECONDS} s") from None
    if child.process.returncode:
        raise BenchmarkError(f"the tests failed:\n{child.logTail()}")
    running.child.assertAlive()
    found = outcomes(json.loads(output))
    if not found:
        raise BenchmarkError("there are no such tests")
    if options.ids:
        for each in found:
            say(f"{each.kind} {each.verdict:<7} {each.name} {each.why}")
    return 2 if judge(found, say) else 0
