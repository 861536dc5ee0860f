# -*- test-case-name: tests.test_tools -*-
"""
C{python -m tools.check [NAME...]}: everything beside the tests.

All checks run, also after one that fails; what a check prints is shown when it
fails, and when it says by its exit code that it can't work here.  The last line
counts them.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from . import SKIPPED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_PYTHON = [sys.executable, "-m"]

#: The commands by their names, in the order in which they run.
CHECKS: Mapping[str, Sequence[str]] = {
    "format": [*_PYTHON, "ruff", "format", "--check", "--quiet", "--diff", "."],
    "lint": [*_PYTHON, "ruff", "check", "--quiet", "."],
    "layers": [*_PYTHON, "tools.layers"],
    "types": [*_PYTHON, "mypy"],
    "docs": [
        *_PYTHON,
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-b",
        "html",
        "docs",
        "docs/_build/html",
    ],
    "wheel": [*_PYTHON, "tools.wheel"],
    "compiled": [*_PYTHON, "tools.compiled"],
}


def run(names: Iterable[str]) -> int:
    """
    Run checks.

    @return: how many failed.
    """
    passed = failed = 0
    for name in names:
        began = time.monotonic()
        done = subprocess.run(
            CHECKS[name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        seconds = time.monotonic() - began
        if done.returncode == 0:
            passed += 1
            print(f"ok      {name} ({seconds:.1f} s)", flush=True)
        elif done.returncode == SKIPPED:
            print(f"skipped {name}: {done.stdout.strip()}", flush=True)
        else:
            failed += 1
            print(f"FAILED  {name} ({seconds:.1f} s)\n{done.stdout}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return failed


def main(arguments: Sequence[str]) -> int:
    """
    Run the checks that are named, or all.

    @return: the exit code.
    """
    if unknown := set(arguments) - set(CHECKS):
        print(f"no check is called {', '.join(sorted(unknown))}; there are {', '.join(CHECKS)}")
        return 2
    return 1 if run(arguments or CHECKS) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
