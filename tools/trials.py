# -*- test-case-name: tests.test_tools -*-
"""
C{python -m tools.trials [REPORTER]}: all of trial, in two processes beside each other.

One of them has what waits for processes and sockets most of its time, the other
computes meanwhile.  What the first says is shown as it comes, what the other says
after it.  The last line adds up the last lines of both, in trial's own words, and a
part that has none is an error.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

ROOT = Path(__file__).parent.parent

#: What waits for processes, for time or for programs of others, and takes about as
#: long as all the rest.
WAITING = (
    "tests.smoke.test_acme",
    "tests.smoke.test_clients",
    "tests.smoke.test_diskcache",
    "tests.smoke.test_lifecycle",
    "tests.smoke.test_misconduct",
    "tests.smoke.test_servertls",
    "tests.smoke.test_tlsclients",
    "tests.smoke.test_tunnels",
)

#: What trial counts, in its order, and which of it are failures.
COUNTED = ("skips", "expectedFailures", "failures", "errors", "unexpectedSuccesses", "successes")
BROKEN = ("failures", "errors", "unexpectedSuccesses")

_SUMMARY = re.compile(r"^(?:PASSED|FAILED)(?: \((.*)\))?$", re.MULTILINE)
_LOOK_SECONDS = 0.1
_END_SECONDS = 10


def others(folder: Path, without: Collection[str], name: str = "") -> Iterator[str]:
    """
    Name the tests in a package, as trial finds them, but for some.

    @param folder: of the package.
    @param without: the names of modules.
    @param name: of the package, if it is in another one.
    """
    for path in sorted(folder.iterdir()):
        child = f"{name or folder.name}.{path.stem}"
        if (path / "__init__.py").is_file():
            if any(each.startswith(f"{child}.") for each in without):
                yield from others(path, without, child)
            else:
                yield child
        elif re.fullmatch(r"test_\w+\.py", path.name) and child not in without:
            yield child


def commands(parts: Mapping[str, Iterable[str]], reporter: str) -> dict[str, list[str]]:
    """
    Give what runs tests in parts.

    @param parts: the names of tests by those of the parts.
    @return: the commands by the names of the parts.
    """
    # Unbuffered, so that what a test is stuck in can be read.
    trial = [sys.executable, "-u", "-m", "twisted.trial", f"--reporter={reporter}"]
    return {
        part: [*trial, f"--temp-directory=_trial_temp-{part}", *tests]
        for part, tests in parts.items()
    }


def counts(output: str, code: int) -> tuple[Counter[str], str]:
    """
    Read the last line of trial.

    @param code: the exit code.
    @return: what it counted, and what is wrong that no test owns up to, which
        counts as an error.
    """
    found: Counter[str] = Counter()
    lines = _SUMMARY.findall(output)
    if lines:
        for word, number in re.findall(r"(\w+)=(\d+)", lines[-1]):
            found[word] += int(number)
    wrong = ""
    if not any(found[word] for word in BROKEN):
        if code:
            wrong = f"ended with {code}"
        elif not found["successes"]:
            wrong = "no test ran"
    found["errors"] += bool(wrong)
    return found, wrong


def run(
    parts: Mapping[str, Sequence[str]], folder: str | Path, environment: Mapping[str, str] | None
) -> int:
    """
    Run parts beside each other, and show what they say one after the other.

    @param parts: commands by the names of the parts.
    @param folder: where they run.
    @param environment: the variables that they have, or C{None} for those of this process.
    @return: the exit code.
    """
    total: Counter[str] = Counter()
    problems = []
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="intermediary-")))
        running = {}
        for name, command in parts.items():
            # Not a pipe: a process that outlives its test would keep it open.
            said = stack.enter_context((place / name).open("wb"))
            running[name] = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=said, stderr=subprocess.STDOUT
            )
            stack.callback(_end, running[name])
        for name, process in running.items():
            found, wrong = counts(_shown(process, place / name), process.returncode)
            total += found
            if wrong:
                problems.append(f"{name}: {wrong}")
    broken = any(total[word] for word in BROKEN)
    counted = ", ".join(f"{word}={total[word]}" for word in COUNTED if total[word])
    print("\nAll parts:", *problems, sep="\n")
    print(f"{'FAILED' if broken else 'PASSED'} ({counted})", flush=True)
    return 1 if broken else 0


def _shown(process: subprocess.Popen[bytes], path: Path) -> str:
    """Show what a process says until it ends, and give all of it."""
    pieces = []
    with path.open(encoding="utf-8", errors="replace") as said:
        ended = False
        while not ended:
            # In this order: what it said last is not missed.
            ended = process.poll() is not None
            if piece := said.read():
                pieces.append(piece)
                print(piece, end="", flush=True)
            elif not ended:
                time.sleep(_LOOK_SECONDS)
    return "".join(pieces)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nobody behind who has not ended."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _stop(number: int, _frame: object) -> None:
    """End in order, on a signal."""
    raise SystemExit(128 + number)


def main(arguments: Sequence[str]) -> int:
    """
    Run all tests.

    @param arguments: trial's reporter, if it is another one than C{text}.
    @return: the exit code.
    """
    signal.signal(signal.SIGTERM, _stop)
    reporter = arguments[0] if arguments else "text"
    parts = {"waiting": WAITING, "others": others(ROOT / "tests", WAITING)}
    return run(commands(parts, reporter), ROOT, None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
