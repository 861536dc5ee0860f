# -*- test-case-name: tests.ops.test_config -*-
"""
The configuration of a whole process, as plain values.

L{load} reads it from a TOML file and L{fromOptions} makes it from the command
line.  What it looks like in the file is in L{intermediary.ops.schema}.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from ..settings import (
    CacheSettings,
    ForwardSettings,
    PoolSettings,
    ReverseSettings,
    RouteSettings,
    UpstreamSettings,
)
from .listeners import endpoint, isEphemeral, place
from .problems import ConfigurationError, Problem
from .values import Unfit, serverURL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: The source of a configuration that no file holds.
COMMAND_LINE = "command line"


class Guard(Enum):
    """When a forward front refuses destinations on its own networks."""

    #: When one of its listeners is reachable from beyond loopback.
    AUTO = "auto"
    ON = "on"
    OFF = "off"


@dataclass(frozen=True, kw_only=True, slots=True)
class ForwardFront:
    """
    A forward front and where it listens.

    @ivar settings: C{settings.guarded} says what L{guard} says; under
        L{Guard.AUTO} it is True, and whoever knows the listeners decides.
    @ivar listen: server endpoint strings.
    """

    settings: ForwardSettings
    listen: tuple[str, ...]
    guard: Guard = Guard.AUTO


@dataclass(frozen=True, kw_only=True, slots=True)
class ReverseFront:
    """
    A reverse front and where it listens.

    @ivar settings: routes that name the same upstream hold the same
        C{UpstreamSettings} object, over all fronts.
    @ivar listen: server endpoint strings.
    """

    settings: ReverseSettings
    listen: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LogSettings:
    """The access log."""

    #: A path, C{"-"} for standard output, None for no log.
    access: str | None = None
    #: C{"combined"}, C{"json"} or a template.
    format: str = "combined"


@dataclass(frozen=True, kw_only=True, slots=True)
class Configuration:
    """
    Everything that one process runs.

    @ivar source: the path of the file, or C{"command line"}.
    @ivar warnings: what is odd about it and yet works.
    """

    forward: tuple[ForwardFront, ...] = ()
    reverse: tuple[ReverseFront, ...] = ()
    pool: PoolSettings = field(default_factory=PoolSettings)
    #: None for no cache.
    cache: CacheSettings | None = None
    log: LogSettings = field(default_factory=LogSettings)
    #: How long exchanges and tunnels may go on after the process was told to stop.
    shutdownSeconds: float = 30.0
    source: str = COMMAND_LINE
    warnings: tuple[Problem, ...] = ()
    #: Tells the line of a key in the file, by its path; None where that has none.
    lineOf: Callable[[Sequence[str | int]], int | None] = field(
        default=lambda path: None, compare=False, repr=False
    )


def load(path: str) -> Configuration:
    """
    Read a configuration file.

    @raise ConfigurationError: with every problem that could be found.
    """
    try:
        with open(path, "rb") as file:
            octets = file.read()
    except OSError as error:
        problem = Problem(
            file=path,
            table="",
            message=f"can't be read: {error.strerror}",
            remedy="name a TOML file that this user may read",
        )
        raise ConfigurationError([problem]) from None
    # pydantic takes longer to import than all the rest, and a process that is
    # run by its command line alone does without.
    from .reading import parse

    return parse(octets, path)


def fromOptions(
    forward: Sequence[str] = (), reverse: Sequence[str] = (), to: Sequence[str] = ()
) -> Configuration:
    """
    Make a configuration of what the command line says.

    @param forward: endpoint strings of a forward front.
    @param reverse: endpoint strings of a reverse front.
    @param to: URLs of its servers.
    @raise ConfigurationError: with every problem of these.
    """
    problems: list[Problem] = []

    def checked(option: str, texts: Sequence[str], check: Callable[[str], str]) -> tuple[str, ...]:
        fit = []
        for text in texts:
            try:
                fit.append(check(text))
            except Unfit as error:
                problem = Problem(
                    file=COMMAND_LINE,
                    table=option,
                    value=text,
                    message=error.message,
                    remedy=error.remedy,
                )
                problems.append(problem)
        return tuple(fit)

    forwardListen = checked("--forward", forward, endpoint)
    reverseListen = checked("--reverse", reverse, endpoint)
    servers = checked("--to", to, serverURL)
    everywhere = [text for text in (*forwardListen, *reverseListen) if not isEphemeral(text)]
    places = [place(text) for text in everywhere]
    problems += [
        Problem(
            file=COMMAND_LINE,
            table="--reverse" if text in reverseListen else "--forward",
            value=text,
            message="listens where another one does",
            remedy="give each front its own port or path",
        )
        for index, text in enumerate(everywhere)
        if places[index] in places[:index]
    ]
    if problems:
        raise ConfigurationError(problems)
    log = LogSettings(access="-")
    forwardFronts: tuple[ForwardFront, ...] = ()
    if forwardListen:
        settings = ForwardSettings(name="forward")
        forwardFronts = (ForwardFront(settings=settings, listen=forwardListen),)
    reverseFronts: tuple[ReverseFront, ...] = ()
    if reverseListen:
        route = RouteSettings(upstream=UpstreamSettings(name="to", servers=servers))
        site = ReverseSettings(name="reverse", routes=(route,))
        reverseFronts = (ReverseFront(settings=site, listen=reverseListen),)
    return Configuration(forward=forwardFronts, reverse=reverseFronts, log=log)


def main(arguments: Sequence[str]) -> int:
    """
    Print the JSON Schema of the file, for C{--schema}.

    @return: the exit code.
    """
    import json
    import sys

    if list(arguments) != ["--schema"]:
        sys.stderr.write("usage: python -m intermediary.ops.config --schema\n")
        return 2
    from .schema import jsonSchema

    sys.stdout.write(json.dumps(jsonSchema(), indent=2, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    import sys

    sys.exit(main(sys.argv[1:]))
