# -*- test-case-name: tests.test_benchmarks -*-
"""
Where our own time goes: py-spy beside a load, never during a measurement.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from .cases import Load
from .children import BenchmarkError, findProgram
from .measure import Measurement
from .origin import startOrigin
from .peers import INTERMEDIARY_PEER, startPeer

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from .cases import Case
    from .children import Workspace
    from .machine import Cores

SAMPLES_PER_SECOND = 500
SHOWN = 25


#: How py-spy marks the line in a frame: "name (file:line)".
_LINE = re.compile(r":\d+\)$")


def foldedTotals(text: str) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """
    Sum up folded stacks: lines of C{frame;frame;frame count}.

    @return: samples by the innermost line, by the innermost function, and by
        every function on the stack, counted once however often it recurs.
    """
    lines: Counter[str] = Counter()
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        if not stack:
            continue
        frames = stack.split(";")
        lines[frames[-1]] += int(count)
        functions = [_LINE.sub(")", frame) for frame in frames]
        own[functions[-1]] += int(count)
        for function in set(functions):
            total[function] += int(count)
    return lines, own, total


def profile(
    options: argparse.Namespace,
    cases: Sequence[Case],
    workspace: Workspace,
    cores: Cores,
    say: Callable[[str], None],
) -> int:
    """Record our proxy under the load of each case in turn; several cases get several files."""
    spy = Path(sys.executable).parent / "py-spy"
    program = str(spy) if spy.exists() else findProgram("py-spy")
    if program is None:
        raise BenchmarkError("py-spy is not installed")
    if why := INTERMEDIARY_PEER.whyNot():
        raise BenchmarkError(f"intermediary: {why}")
    target: Path = options.profile.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    cases = [case for case in cases if case.load is not Load.IDLE]
    origin = startOrigin(workspace, core=cores.load, portable=options.portable_origin)
    for case in cases:
        path = target
        if len(cases) > 1:
            path = target.with_name(f"{target.stem}-{case.name}{target.suffix}")
        folded = path.suffix != ".svg"
        measurement = Measurement(case, workspace, origin, cores, options.seconds, say)
        running = startPeer(
            INTERMEDIARY_PEER,
            workspace,
            originPort=origin.port,
            core=cores.proxy,
            cached=INTERMEDIARY_PEER.cachesIn(case),
        )
        measurement.load(running, 1)
        recorder = workspace.start(
            "py-spy",
            [
                *(program, "record", "--pid", str(running.child.process.pid)),
                *("--duration", str(options.seconds), "--rate", str(SAMPLES_PER_SECOND)),
                *("--format", "raw" if folded else "flamegraph", "--output", path),
            ],
            core=cores.load,
            folder=workspace.folder("py-spy"),
        )
        measurement.load(running, options.seconds + 1)
        try:
            recorder.process.wait(30)
        except subprocess.TimeoutExpired:
            raise BenchmarkError(f"py-spy does not end:\n{recorder.logTail()}") from None
        if recorder.process.returncode or not path.exists():
            raise BenchmarkError(f"py-spy failed:\n{recorder.logTail()}")
        workspace.stop(running.child)
        say(f"{case.name}: {path}")
        if folded:
            _show(path.read_text(), say)
    return 0


def _show(text: str, say: Callable[[str], None]) -> None:
    lines, own, total = foldedTotals(text)
    samples = sum(own.values()) or 1
    titles = ("lines", "functions by themselves", "functions with what they call")
    for title, counts in zip(titles, (lines, own, total), strict=True):
        say(f"  {title}:")
        for frame, count in counts.most_common(SHOWN):
            say(f"    {count / samples:6.1%}  {frame}")
