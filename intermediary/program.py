# -*- test-case-name: tests.test_program -*-
"""
A route, compiled: a flat list of steps with labels that the engine jumps to.

A step is C{callable(exchange)} and returns

  - None: go on with the next step,
  - L{PARKED}: someone else will call C{engine.proceed(exchange)},
  - a L{Reply<intermediary.exchange.Reply>}: answer with it, from C{deliver} on,
  - L{DELIVER}: go on from C{deliver} with C{exchange.reply}, which it has set,
  - L{FETCH}: go on from C{fetch}, of another program if it has set C{exchange.program},
  - an awaitable of one of these.

A feature that is off is a step that is not there.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .exchange import Exchange

    Step = Callable[[Exchange], Any]


class _Parked:
    """The type of L{PARKED}."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "PARKED"


class _Deliver:
    """The type of L{DELIVER}."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "DELIVER"


class _Fetch:
    """The type of L{FETCH}."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "FETCH"


class _Refetch:
    """The type of L{REFETCH}."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "REFETCH"


#: What a step returns that waits for something outside the program.
PARKED: Final = _Parked()

#: What a step returns that has found the reply: it need not be fetched.
DELIVER: Final = _Deliver()

#: What a step returns that has found that there is nothing to look up.
FETCH: Final = _Fetch()

#: What a step returns that has found the response useless: the request is sent anew,
#: by steps that know better now.  It must have no content.
REFETCH: Final = _Refetch()

#: The sections of a program, in order.  The first is entered by every request;
#: the engine jumps to C{lookup}, C{fetch}, C{deliver} and C{finish}.
SECTIONS = ("request", "lookup", "fetch", "fetched", "deliver", "finish")


def nameStep(step: Any) -> str:
    """Spell a step as C{module.Class.method} without the package."""
    method = getattr(step, "__name__", "")
    owner = getattr(step, "__self__", None)
    if owner is None and not method:
        owner, method = step, "__call__"
    if isinstance(owner, ModuleType):
        # A compiled function, which is bound to its module.
        module = owner.__name__
    elif owner is not None:
        kind = owner if isinstance(owner, type) else type(owner)
        if kind.__module__ == f"{__package__}.engine":
            return f"engine.{method}"
        method = kind.__qualname__ if method == "__call__" else f"{kind.__qualname__}.{method}"
        module = kind.__module__
    else:
        module = step.__module__
        method = step.__qualname__
    return f"{module.rpartition('.')[2]}.{method}"


class Program:
    """
    Steps and labels, never changed after they are made.

    An exchange keeps the program that it began with, so a reload is one
    assignment.
    """

    __slots__ = ("deliver", "fetch", "finish", "lookup", "name", "notes", "starts", "steps")

    def __init__(
        self,
        name: str,
        sections: dict[str, Sequence[Step]],
        notes: dict[str, str] | None = None,
    ) -> None:
        """
        @param sections: the steps of each of L{SECTIONS}; absent ones are empty.
        @param notes: remarks for the listing, by the name of the step.
        """
        unknown = set(sections) - set(SECTIONS)
        if unknown:
            raise ValueError(f"no such section: {', '.join(sorted(unknown))}")
        self.name = name
        self.notes = notes or {}
        steps: list[Step] = []
        starts: dict[str, int] = {}
        for section in SECTIONS:
            starts[section] = len(steps)
            steps.extend(sections.get(section, ()))
        self.steps = tuple(steps)
        self.starts = starts
        self.lookup = starts["lookup"]
        self.fetch = starts["fetch"]
        self.deliver = starts["deliver"]
        self.finish = starts["finish"]

    def nameOf(self, index: int) -> str:
        """Name the step at an index, for people."""
        return nameStep(self.steps[index]) if 0 <= index < len(self.steps) else "end"

    def listing(self) -> str:
        """Spell the program as C{--explain} prints it: a line for each step."""
        lines = []
        for position, section in enumerate(SECTIONS):
            begin = self.starts[section]
            end = len(self.steps)
            if position + 1 < len(SECTIONS):
                end = self.starts[SECTIONS[position + 1]]
            for index in range(begin, end):
                name = self.nameOf(index)
                head = section if index == begin else ""
                note = self.notes.get(name, "")
                tail = f"{name:<33} ({note})" if note else name
                lines.append(f"  {head:<8} {index:>3} {tail}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Program {self.name} of {len(self.steps)} steps>"
