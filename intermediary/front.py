# -*- test-case-name: tests.test_engine -*-
"""
A front as its exchanges see it: limits, timeouts, and two decisions.

The listening side of a front, a protocol factory, is in
L{intermediary.ops.endpoints}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .engine import Engine
    from .errors import IntermediaryError
    from .exchange import Exchange, Reply
    from .program import Program
    from .settings import Limits, Timeouts


class Front:
    """
    What all exchanges of one front share.

    @ivar engine: runs the exchanges.
    @ivar route: chooses the program of an exchange by its request; raises
        L{IntermediaryError} where there is none.
    @ivar answer: words the reply to an error.
    @ivar withheld: fields, in lower case and with hyphens, that no trailers of requests get
        through; see L{Disclosure<intermediary.policy.disclosure.Disclosure>} for heads.
    @ivar keepsOld: whether clients of HTTP/1.0 may keep their connections: a
        gateway's may, a proxy's must not (RFC 9112 §9.3).
    @ivar refusal: the program for exchanges that failed before one was chosen:
        it has no more than C{deliver} and C{finish}.
    @ivar intercepted: whether its clients mean to speak with servers.
    """

    __slots__ = (
        "answer",
        "engine",
        "intercepted",
        "keepsOld",
        "limits",
        "name",
        "refusal",
        "route",
        "timeouts",
        "withheld",
    )

    def __init__(
        self,
        name: str,
        limits: Limits,
        timeouts: Timeouts,
        engine: Engine,
        route: Callable[[Exchange], Program],
        answer: Callable[[Exchange, IntermediaryError], Reply],
        refusal: Program,
        keepsOld: bool = True,
        intercepted: bool = False,
        withheld: frozenset[bytes] = frozenset(),
    ) -> None:
        self.name = name
        self.limits = limits
        self.timeouts = timeouts
        self.engine = engine
        self.keepsOld = keepsOld
        self.intercepted = intercepted
        self.route = route
        self.answer = answer
        self.refusal = refusal
        self.withheld = withheld
