# -*- test-case-name: tests.test_benchmarks -*-
"""
C{twistd} with one addition: on C{SIGUSR2} it counts the living objects whose
classes are the product's, and writes the counts to a file.

    python -m benchmarks.introspection FILE [twistd's arguments]

For the soak alone, which wants to know whether exchanges are forgotten.  The
product itself has no such switch.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


def countObjects(package: str = "intermediary") -> Counter[str]:
    """Count the living instances of a package's classes, by the classes' full names."""
    gc.collect()
    found: Counter[str] = Counter()
    for thing in gc.get_objects():
        kind = type(thing)
        module = getattr(kind, "__module__", None)
        if isinstance(module, str) and module.split(".", 1)[0] == package:
            found[f"{module}.{kind.__qualname__}"] += 1
    return found


def main(path: str, arguments: list[str]) -> None:
    """Become C{twistd}, able to count."""

    def count(_number: int, _frame: FrameType | None) -> None:
        # A rename is atomic: the reader never sees half a file.
        with open(f"{path}.new", "w") as file:
            json.dump(countObjects(), file)
        os.rename(f"{path}.new", path)

    signal.signal(signal.SIGUSR2, count)
    from twisted.scripts.twistd import run

    sys.argv = ["twistd", *arguments]
    run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
