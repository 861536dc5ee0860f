# -*- test-case-name: tests.test_packaging -*-
"""
C{python -m tools.plugins}: have Twisted find the plugins, and say which.

Looking writes C{dropin.cache}, so that it is written by whoever installs, and
not tried by every user that may not.
"""

from __future__ import annotations

import sys

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins


def offered() -> bool:
    """Tell whether C{twistd} offers this project's service."""
    return "intermediary" in {maker.tapname for maker in getPlugins(IServiceMaker)}


if __name__ == "__main__":
    sys.exit(0 if offered() else "twistd does not know intermediary")
