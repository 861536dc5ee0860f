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
}

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


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
