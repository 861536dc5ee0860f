# -*- test-case-name: tests.test_tools -*-
"""
C{python -m tools.requirements [EXTRA...]}: print what to install for a working copy.

Beside what the package needs: what its extras name in C{setup.cfg}.  pip could
read them itself, but would build the package, too.
"""

from __future__ import annotations

import sys
from configparser import ConfigParser
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parent.parent


def requirements(metadata: str, extras: Iterable[str]) -> list[str]:
    """
    List requirements, each once.

    @param metadata: the text of C{setup.cfg}.
    @raise KeyError: there is no such extra.
    """
    parser = ConfigParser()
    parser.read_string(metadata)
    # An extra may refer to another as "%(other)s", which the parser resolves.
    texts = [parser["options"]["install_requires"]]
    texts += [parser["options.extras_require"][extra] for extra in extras]
    lines = (line.strip() for text in texts for line in text.splitlines())
    return list(dict.fromkeys(line for line in lines if line))


if __name__ == "__main__":
    print(*requirements((ROOT / "setup.cfg").read_text(encoding="utf-8"), sys.argv[1:]), sep="\n")
