# -*- test-case-name: tests.test_tools -*-
"""
C{python -m tools.compiled}: the tests again, of the compiled package.

The package is installed beside this Python by C{make installed}.  The tests run
from a copy of them, where the sources can't be seen; what they start sees no
sources either.  Those with processes run beside the others.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import SKIPPED, trials

ROOT = Path(__file__).parent.parent

#: What is beside the tests and that they look at.
COPIED = ("tests", "docs", "examples")

#: The tests that a compiled package can be given.  Those of the pool lend
#: connections to what only looks like an exchange, and compiled code insists on
#: a real one.  Those that Twisted has for reactors run for one kind alone, as a
#: compiled reactor can't take the place of another.
SUITES = (
    "tests.wire",
    "tests.policy",
    "tests.ops",
    "tests.test_attempts",
    "tests.test_engine",
    "tests.test_exchange",
    "tests.test_hooks",
    "tests.test_interfaces",
    "tests.test_jumps",
    "tests.test_mistakes",
    "tests.test_program",
    "tests.net.test_closing",
    "tests.net.test_connector",
    "tests.net.test_dialling",
    "tests.net.test_downstream",
    "tests.net.test_gate",
    "tests.net.test_handshakes",
    "tests.net.test_opening",
    "tests.net.test_passing",
    "tests.net.test_reactor",
    "tests.net.test_records",
    "tests.net.test_splice",
    "tests.net.test_sweep",
    "tests.net.test_tlssocket",
    "tests.net.test_transport",
    "tests.net.test_tunnel",
    "tests.net.test_upstream",
    "tests.smoke.test_cache",
    "tests.smoke.test_gateway",
    "tests.smoke.test_misconduct",
    "tests.smoke.test_passthrough",
    "tests.smoke.test_tunnels",
)


def origin(folder: str) -> str:
    """
    Tell which file the engine is of.

    @param folder: where to ask, so that the working copy is not seen.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-c", "from intermediary import engine; print(engine.__file__)"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def unavailable() -> str:
    """Say why nothing can be compiled here; nothing if it can."""
    # It brings setuptools, which replaces modules of Python's.
    import setup

    if os.environ.get(setup.VARIABLE) == "0":
        return f"{setup.VARIABLE} is 0"
    try:
        setup.tryCompiler()
    except setup.Uncompiled as reason:
        return str(reason)
    return ""


def parts() -> dict[str, list[str]]:
    """Give the tests that run beside each other."""
    found: dict[str, list[str]] = {"smoke": [], "others": []}
    for name in SUITES:
        found["smoke" if name.startswith("tests.smoke.") else "others"].append(name)
    return found


def main() -> int:
    """
    Run the tests.

    @return: the exit code.
    """
    subprocess.run(["make", "--silent", "installed"], cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory(prefix="intermediary-compiled-") as folder:
        file = origin(folder)
        if file.endswith(".py"):
            if reason := unavailable():
                print(f"not compiled: {reason}")
                return SKIPPED
            print(f"{file} is not compiled, and could be; see .venv/wheel.log")
            return 1
        for name in COPIED:
            shutil.copytree(
                ROOT / name, Path(folder, name), ignore=shutil.ignore_patterns("_build", "*.pyc")
            )
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        # Failures are not to be sought among thousands of successes.
        return trials.run(trials.commands(parts(), "text"), folder, environment)


if __name__ == "__main__":
    sys.exit(main())
