# -*- test-case-name: tests.policy.test_cachesequences -*-
"""
Random sequences through whole fronts, against L{tests.policy.referencemodel}.

What a client gets and what an origin is asked is compared after each step, in all
that concerns caching.  The same sequence comes of the same seed::

    python -m tests.policy.cachesequences --count 100000 --seed 1 --processes 1

prints the first that differs, as short as it could be made.
"""

from __future__ import annotations

import argparse
import sys
import time
from multiprocessing import Pool
from random import Random
from typing import Any

from .cachedrawing import sequence
from .cachefronts import Front, frontOf
from .cacherun import Run
from .cachesteps import Answering, Step


def drawn(seed: str) -> tuple[list[Step], Front]:
    """The sequence of a seed, and what it goes through."""
    random = Random(seed)
    front = frontOf(random)
    return sequence(random, front.route, tier=front.tier), front


def attempt(steps: list[Step], front: Front) -> tuple[Run, Exception | None]:
    """Take steps from the beginning; give what became of it."""
    run = Run(front)
    try:
        run.run(steps)
    except Exception as error:
        return run, error
    finally:
        run.close()
    return run, None


def shortened(steps: list[Step], front: Front) -> list[Step]:
    """Leave out whatever is not needed for a difference."""
    size = max(1, len(steps) // 2)
    while size:
        start = 0
        while start < len(steps):
            fewer = steps[:start] + steps[start + size :]
            if attempt(fewer, front)[1] is not None:
                steps = fewer
            else:
                start += size
        size //= 2
    return _simplified(steps, front)


def _simplified(steps: list[Step], front: Front) -> list[Step]:
    """Leave out fields."""
    for place, step in enumerate(steps):
        where = step.recipe if isinstance(step, Answering) else step
        for field in getattr(where, "fields", ()):
            step = steps[place]
            where = step.recipe if isinstance(step, Answering) else step
            fewer: Any = where._replace(fields=tuple(e for e in where.fields if e != field))
            if isinstance(step, Answering):
                fewer = step._replace(recipe=fewer)
            others = [*steps[:place], fewer, *steps[place + 1 :]]
            if attempt(others, front)[1] is not None:
                steps = others
    return steps


def told(steps: list[Step], front: Front) -> str:
    """Write the transcript of a sequence that differs."""
    run, error = attempt(steps, front)
    listing = "\n".join(f"    {step!r}," for step in steps)
    return (
        f"[\n{listing}\n]\n{front}:\n"
        + "\n".join(run.transcript)
        + f"\n{type(error).__name__}: {error}"
    )


def check(seed: str, counts: dict[str, int], *, short: bool = True) -> str | None:
    """
    Run the sequence of a seed.

    @param counts: is added to.
    @param short: a difference is told as short as it can be made.
    @return: None, or the transcript of a difference.
    """
    steps, front = drawn(seed)
    run, error = attempt(steps, front)
    counts["sequences"] = counts.get("sequences", 0) + 1
    counts["steps"] = counts.get("steps", 0) + len(steps)
    for what, number in run.model.counts.items():
        counts[what] = counts.get(what, 0) + number
    if error is None:
        return None
    if short:
        steps = shortened(steps, front)
    return f"seed {seed}: " + told(steps, front)


def chunk(seeds: tuple[int, int, int]) -> tuple[str | None, dict[str, int]]:
    """Run a part of all: those of a seed from one number to another."""
    seed, first, end = seeds
    counts: dict[str, int] = {}
    for number in range(first, end):
        found = check(f"{seed}/{number}", counts)
        if found is not None:
            return found, counts
    return None, counts


def main(arguments: list[str]) -> int:
    """Run many; the exit status tells whether all were the same."""
    parser = argparse.ArgumentParser(description="Random sequences for the cache.")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args(arguments)
    began = time.monotonic()
    step = 100
    last = options.first + options.count
    parts = [
        (options.seed, first, min(first + step, last)) for first in range(options.first, last, step)
    ]
    total: dict[str, int] = {}
    with Pool(options.processes) as pool:
        for found, counts in pool.imap_unordered(chunk, parts):
            for what, number in counts.items():
                total[what] = total.get(what, 0) + number
            if found is not None:
                sys.stdout.write(found + "\n")
                pool.terminate()
                return 1
    for what in sorted(total):
        sys.stdout.write(f"{total[what]:9} {what}\n")
    sys.stdout.write(f"{time.monotonic() - began:9.0f} seconds\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
