# -*- test-case-name: tests.test_packaging -*-
"""
C{python -m tools.wheel}: build, install into a bare venv, and ask C{twistd}.

Nothing of the working copy may be visible to that venv: it runs elsewhere.
There is no C compiler for it, so the wheel is of pure Python and says so; what
is compiled is for C{tools.compiled} to try.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parent.parent

#: The library that mypyc makes of all modules; they are doors to it.
LIBRARY = "intermediary__mypyc."

#: What a source distribution needs to be compiled.
RECIPE = ("setup.py", "setup.cfg", "pyproject.toml", "tools/mypyc.ini")

#: What is said instead of compiling.
WARNING = "warning: this will be pure Python"

_NO_COMPILER = {"CC": "/bin/false", "INTERMEDIARY_COMPILE": ""}


def misplaced(names: Iterable[str]) -> Iterator[str]:
    """
    Find what a wheel must not have, or lacks.

    @param names: the paths in it.
    """
    files = set(names)
    for name in sorted(files):
        top = name.partition("/")[0]
        if top == "twisted":
            # Any other file would overwrite a part of Twisted.
            if not name.startswith("twisted/plugins/intermediary_"):
                yield f"{name} belongs to Twisted"
        elif name.startswith(LIBRARY):
            continue
        elif top != "intermediary" and not top.endswith(".dist-info"):
            yield f"{name} is not a part of the package"
    for name in ("twisted/plugins/intermediary_plugin.py", "intermediary/py.typed"):
        if name not in files:
            yield f"{name} is missing"


def problems(place: Path) -> Iterator[str]:
    """
    Build both distributions, install, ask, and iterate over what is wrong.

    @param place: an empty folder.
    """
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(place)]
    said = _call(*build, str(ROOT), at=ROOT)
    if said.count(WARNING) != 1:
        yield f"without a compiler, this is said {said.count(WARNING)} times: {WARNING}"
    (source,) = place.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    yield from (f"{source.name}: {name} is missing" for name in RECIPE if name not in names)
    (wheel,) = place.glob("*.whl")
    if not wheel.name.endswith("-none-any.whl"):
        yield f"{wheel.name} is not for every platform"
    with zipfile.ZipFile(wheel) as contents:
        yield from (f"{wheel.name}: {problem}" for problem in misplaced(contents.namelist()))
    _call(sys.executable, "-m", "venv", str(place / "venv"), at=place)
    python, twistd = str(place / "venv/bin/python"), str(place / "venv/bin/twistd")
    _call(python, "-m", "pip", "install", "--quiet", str(wheel), at=place)
    offers = _call(twistd, "--help", at=place)
    if "intermediary" not in offers:
        yield f"twistd does not offer intermediary:\n{offers}"
    _call(twistd, "-n", "intermediary", "--check", at=place)
    for command in ("intermediary-purge", "intermediary-make-ca"):
        _call(str(place / f"venv/bin/{command}"), "--help", at=place)


def main() -> int:
    """
    Build and try the wheel.

    @return: the exit code.
    """
    with tempfile.TemporaryDirectory(prefix="intermediary-wheel-") as folder:
        found = list(problems(Path(folder)))
    for problem in found:
        print(problem)
    return 1 if found else 0


def _call(*command: str, at: Path) -> str:
    """Run a command; show what it said if it fails."""
    done = subprocess.run(
        command,
        cwd=at,
        env={**os.environ, **_NO_COMPILER},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stdout)
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
