# -*- test-case-name: tests.test_benchmarks -*-
"""
What the origin serves: content that nobody can compress or confuse.
"""

from __future__ import annotations

import random

#: Octets of content by path.
SIZES = {
    "/1k": 1024,
    "/64k": 64 * 1024,
    "/10m": 10 * 1024 * 1024,
    "/64m": 64 * 1024 * 1024,
    # What may be stored, and is then fresh for longer than any run.
    "/kept-1k": 1024,
    "/kept-64k": 64 * 1024,
}

#: What every answer says about its caching, and what those say that may be stored.
UNSTORABLE = "private, max-age=0, must-revalidate"
STORABLE = "public, max-age=86400"

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def cacheControl(path: str) -> str:
    """Give what the answer under a path says about its caching."""
    return STORABLE if path.startswith("/kept-") else UNSTORABLE


def content(path: str) -> bytes:
    """
    Give the content of one of L{SIZES}, the same in every process.

    It is text without any character that means something in a configuration
    file.
    """
    generator = random.Random(path)
    size = SIZES[path]
    block = bytes(generator.choices(_ALPHABET, k=min(size, 65521)))
    return (block * (size // len(block) + 1))[:size]
