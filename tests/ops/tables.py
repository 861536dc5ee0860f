# -*- test-case-name: tests.ops.test_consistency -*-
"""
Tables of configurations, as they are read from a file.
"""

from __future__ import annotations

from typing import Any


def site(*routes: dict[str, Any], listen: str = "tcp:80") -> dict[str, Any]:
    """The tables of one reverse front with an upstream C{web}."""
    return {
        "reverse": {"site": {"listen": [listen], "route": list(routes)}},
        "upstream": {"web": {"servers": ["http://h"]}},
    }
