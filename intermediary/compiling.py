# -*- test-case-name: tests.test_packaging -*-
"""
What only the compiler heeds.

Not compiled itself: to a compiled module, code for when it is not is unreachable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr
else:

    def mypyc_attr(**options):  # noqa: ARG001 - for the compiler
        """
        Tell the compiler about a class.

        C{mypy_extensions} has it for type checkers and the compiler; nobody needs
        that package to run this one.
        """
        return lambda kind: kind


__all__ = ["mypyc_attr"]
