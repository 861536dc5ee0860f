# -*- test-case-name: tests.wire.test_invalidation -*-
"""
What an unsafe request makes invalid (RFC 9111 §4.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from ..errors import WireError
from .target import Target, parseAbsolute

if TYPE_CHECKING:
    from .fields import Fields

#: Methods that change nothing: those of RFC 9110 §9.2.1, and the others that are
#: registered as safe.  Whether a method that is not here does is not known, so
#: it is taken to.
SAFE_METHODS: Final = frozenset(
    {b"GET", b"HEAD", b"OPTIONS", b"PRI", b"PROPFIND", b"QUERY", b"REPORT", b"SEARCH", b"TRACE"}
)

#: The answers to a POST that a GET may have had.
_REPRESENTING: Final = frozenset({200, 203})


def invalidates(method: bytes, status: int) -> bool:
    """Tell whether an exchange may have changed its target: unsafe, and no error."""
    return 200 <= status < 400 and method not in SAFE_METHODS and method != b"CONNECT"


def invalidTargets(method: bytes, target: Target, status: int, response: Fields) -> list[Target]:
    """
    Give the targets whose stored responses are not to be used any more.

    The one that was asked for, and those that C{Location} and
    C{Content-Location} name on the same origin: nobody may invalidate what
    is another's.

    @param target: absolute, as it would be in a key.
    @return: none for a safe method or an error.
    """
    if not invalidates(method, status):
        return []
    found = [target]
    for name in (b"location", b"content-location"):
        value = response.get(name)
        if value is not None:
            other = resolve(target, value)
            if other is not None and isSameOrigin(other, target):
                if all(other.path != one.path for one in found):
                    found.append(other)
    return found


def isSameOrigin(one: Target, other: Target) -> bool:
    """Compare scheme, host and port (RFC 9110 §4.3.1)."""
    return (
        one.scheme == other.scheme
        and one.port == other.port
        and one.host.rstrip(".") == other.host.rstrip(".")
    )


def resolve(target: Target, reference: bytes) -> Target | None:
    """
    Resolve a URI reference (RFC 3986 §5).

    @param target: against which it is resolved.
    @return: None if it leads to nothing with a key: another scheme, an authority
        that none can be, octets that no URI has.
    """
    host = f"[{target.host}]" if ":" in target.host else target.host
    base = f"{target.scheme}://{host}:{target.port}{target.path.decode('latin-1')}"
    try:
        # Latin-1 both ways: octets stay as they are.
        absolute = urljoin(base, reference.decode("latin-1"))
        return parseAbsolute(absolute.partition("#")[0].encode("latin-1"))
    except (ValueError, WireError):
        return None


def isOwnLocation(target: Target, status: int, response: Fields) -> bool:
    """
    Tell whether a response's C{Content-Location} says that it represents its target.

    An answer to a POST is then what a GET would have given (RFC 9110 §9.3.3).  Only
    of a success does it say so (RFC 9110 §8.7), and of those without content, or
    that tell what became of the request, no GET has the status.
    """
    if status not in _REPRESENTING:
        return False
    value = response.get(b"content-location")
    if value is None:
        return False
    other = resolve(target, value)
    return other is not None and other.path == target.path and isSameOrigin(other, target)
