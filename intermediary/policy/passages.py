# -*- test-case-name: tests.policy.test_passages -*-
"""
Which clients of TLS are passed through, and where to: by the name that they want, then by
the protocols that they would speak.

The most specific name comes first, as with routes: an exact one, then the longest
wildcard.  Among passages of one name, those for certain protocols come before the one for
any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.clienthello import (
    MISSING_EXTENSION,
    NO_APPLICATION_PROTOCOL,
    UNRECOGNIZED_NAME,
    HelloError,
)
from ..wire.target import hostToASCII

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..program import Program
    from ..wire.clienthello import ClientHello


class Passage:
    """
    Who is passed through, and the program for it.

    @ivar names: hosts, or C{*.suffix}.
    @ivar protocols: one of them is offered by whoever is meant; none for anybody.
    """

    __slots__ = ("names", "program", "protocols")

    def __init__(self, names: Sequence[str], protocols: Sequence[str], program: Program) -> None:
        """
        @raise ValueError: one of the names is none.
        """
        self.names = tuple(
            each[:2] + hostToASCII(each[2:]) if each.startswith("*.") else hostToASCII(each)
            for each in (name.removesuffix(".") for name in names)
        )
        self.protocols = tuple(each.encode("ascii") for each in protocols)
        self.program = program

    def takes(self, protocols: Iterable[bytes]) -> bool:
        """Whether it is for a client that offers these protocols."""
        return not self.protocols or any(each in self.protocols for each in protocols)

    def __repr__(self) -> str:
        return f"<Passage {'|'.join(self.names)} {self.program.name}>"


class Passages:
    """
    Those of one front; called with what a client says first, it chooses.

    @ivar alone: whether there is nothing else for clients.
    """

    def __init__(self, passages: Iterable[Passage], alone: bool) -> None:
        self.alone = alone
        exact: dict[str, list[Passage]] = {}
        wild: dict[str, list[Passage]] = {}
        for passage in passages:
            for name in passage.names:
                if name.startswith("*."):
                    wild.setdefault(name[1:], []).append(passage)
                else:
                    exact.setdefault(name, []).append(passage)
        for group in (*exact.values(), *wild.values()):
            # Stable: of those for certain protocols the one that is written first.
            group.sort(key=lambda passage: not passage.protocols)
        self._exact = exact
        self._wild = sorted(wild.items(), key=lambda item: -len(item[0]))

    def _of(self, name: str) -> Iterator[Passage]:
        """Iterate over those for a name, the most specific first."""
        yield from self._exact.get(name, ())
        for suffix, group in self._wild:
            if name.endswith(suffix) and len(name) > len(suffix):
                yield from group

    def __call__(self, hello: ClientHello) -> Program | None:
        """
        Choose the program.

        @return: None for a client that is not passed through.
        @raise HelloError: there is nothing for this client.
        """
        alert = UNRECOGNIZED_NAME
        for passage in self._of(hello.name):
            if passage.takes(hello.protocols):
                return passage.program
            alert = NO_APPLICATION_PROTOCOL
        if not self.alone:
            return None
        if not hello.name:
            raise HelloError("it says no name, and nothing here is for such", MISSING_EXTENSION)
        if alert == NO_APPLICATION_PROTOCOL:
            raise HelloError(f"nothing for {hello.name} speaks a protocol that it does", alert)
        raise HelloError(f"it wants {hello.name}, which is not here", alert)

    def __repr__(self) -> str:
        return f"<Passages names={len(self._exact) + len(self._wild)}>"


__all__ = ["Passage", "Passages"]
