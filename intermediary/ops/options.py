# -*- test-case-name: tests.ops.test_options -*-
"""
The command line of C{twistd intermediary} and C{twist intermediary}.

C{--check} and C{--explain} end the process while the command line is read:
before a port is bound, a pid file written or a log begun.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn, cast

from twisted.python import usage

from .. import __version__
from .config import Guard, fromOptions, load
from .problems import ConfigurationError, Problem

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorCore

    from ..settings import (
        HTTPSOnlySettings,
        InterceptSettings,
        PassageSettings,
        RouteCacheSettings,
        TLSSettings,
    )
    from .compile import Assembly
    from .config import Configuration

#: What runs when the command line says nothing.
DEFAULT_FORWARD = "tcp:3128:interface=127.0.0.1"


class Options(usage.Options):
    """
    What the command line asks for.

    @ivar configuration: what is to run, once the command line was read.
    """

    synopsis = (
        "[--config FILE] [--forward ENDPOINT]... [--reverse ENDPOINT]... [--to URL]... "
        "[--check] [--explain]"
    )
    longdesc = (
        "A forward and reverse proxy.  ENDPOINT is a Twisted server endpoint string, such as "
        "tcp:3128:interface=127.0.0.1 or unix:/run/proxy.sock.  Without any option: a forward "
        f"proxy on {DEFAULT_FORWARD}.  Without --config, the access log goes to standard output."
    )
    optParameters = [  # noqa: RUF012 - read by usage.Options
        ["config", "c", None, "Read everything from this TOML file."],
    ]
    optFlags = [  # noqa: RUF012 - read by usage.Options
        ["check", None, "Read and validate everything, say what would run, and exit."],
        ["explain", None, "Print the compiled program of each route, and exit."],
    ]
    compData = usage.Completions(
        optActions={"config": usage.CompleteFiles("*.toml", descr="configuration")},
        multiUse=["forward", "reverse", "to"],
    )

    configuration: Configuration

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["forward"] = []
        self["reverse"] = []
        self["to"] = []

    def opt_forward(self, endpoint: str) -> None:
        """Listen here as a forward proxy (may be repeated)."""
        self["forward"].append(endpoint)

    def opt_reverse(self, endpoint: str) -> None:
        """Listen here as a reverse proxy for --to (may be repeated)."""
        self["reverse"].append(endpoint)

    def opt_to(self, url: str) -> None:
        """Pass requests of --reverse on to this server: http[s]://HOST[:PORT] (may be repeated)."""
        self["to"].append(url)

    def opt_version(self) -> NoReturn:
        """Print the version and exit."""
        sys.stdout.write(f"intermediary {__version__}\n")
        raise SystemExit(0)

    def parseArgs(self, *arguments: str) -> None:
        """Refuse whatever is left, by name."""
        if arguments:
            raise usage.UsageError(
                f"unexpected argument: {arguments[0]} (a file is named with --config)"
            )

    def postOptions(self) -> None:
        """
        Make the configuration; for C{--check} and C{--explain} say so and exit.

        @raise usage.UsageError: options do not go together.
        @raise SystemExit: the configuration has problems, or all was said.
        """
        self._agree()
        try:
            self.configuration = self._read()
            if self["check"] or self["explain"]:
                self._answer()
        except ConfigurationError as error:
            for problem in error.problems:
                sys.stderr.write(f"{problem}\n")
            count = len(error.problems)
            sys.stderr.write(f"{count} problem{'s' if count > 1 else ''} found.\n")
            raise SystemExit(1) from None

    def _agree(self) -> None:
        """Refuse options that do not go together."""
        if self["config"] is not None:
            for name in ("forward", "reverse", "to"):
                if self[name]:
                    raise usage.UsageError(
                        f"--config and --{name} do not go together: the file says it all"
                    )
        if self["reverse"] and not self["to"]:
            raise usage.UsageError("--reverse needs a server: add --to http://HOST:PORT")
        if self["to"] and not self["reverse"]:
            raise usage.UsageError(
                "--to needs a listener: add --reverse tcp:8000:interface=127.0.0.1"
            )

    def _read(self) -> Configuration:
        """Read the file, or take the command line for one."""
        if self["config"] is not None:
            return load(self["config"])
        forward = self["forward"]
        if not forward and not self["reverse"]:
            forward = [DEFAULT_FORWARD]
        return fromOptions(forward, self["reverse"], self["to"])

    def _answer(self) -> NoReturn:
        """Say what would run, and exit."""
        from twisted.internet import reactor

        assembly = assembled(self.configuration, cast("IReactorCore", reactor))
        if self["check"]:
            self._checkDisk()
            sys.stdout.write(summary(self.configuration))
        if self["explain"]:
            sys.stdout.write(assembly.explain().rstrip("\n") + "\n")
        for warning in self.configuration.warnings:
            sys.stderr.write(f"warning: {warning}\n")
        raise SystemExit(0)

    def _checkDisk(self) -> None:
        """
        Refuse a cache folder that can't be used; a process would go on without it.

        @raise ConfigurationError: that is so.
        """
        cache = self.configuration.cache
        if cache is None or cache.disk is None:
            return
        from .keeper import whyUnusable

        path = cache.disk.path
        found = whyUnusable(path)
        if found is not None:
            message, remedy = found
            raise ConfigurationError(
                [
                    Problem(
                        file=self.configuration.source,
                        line=self.configuration.lineOf(("cache", "disk", "path")),
                        table="cache.disk.path",
                        value=path,
                        message=message,
                        remedy=remedy,
                    )
                ]
            )


def assembled(configuration: Configuration, reactor: IReactorCore) -> Assembly:
    """Compile a configuration; nothing is opened yet."""
    # The engine and the network side are not needed to refuse a command line.
    from .compile import assemble

    return assemble(configuration, reactor)


def summary(configuration: Configuration) -> str:
    """Say in a few lines what a configuration runs."""
    # As in assembled().
    from .compile import isGuarded

    cache = configuration.cache

    def uncached(rules: RouteCacheSettings | None) -> str:
        return ", not cached" if cache is not None and rules is None else ""

    lines = [f"{configuration.source} is valid. It runs:"]
    lines += [
        f"  forward proxy {front.settings.name} on {', '.join(front.listen)}"
        f"{_security(front.settings.tls)}"
        f"{_interception(front.settings.intercept)}"
        f" (destination guard: {_guard(front.guard, isGuarded(front))})"
        f"{uncached(front.settings.cache)}"
        for front in configuration.forward
    ]
    for site in configuration.reverse:
        lines.append(
            f"  reverse proxy {site.settings.name} on {', '.join(site.listen)}"
            f"{_security(site.settings.tls)}"
        )
        lines += [
            f"    {' '.join(route.host) or 'any host'} {route.path} -> {route.upstream.name}"
            f" ({', '.join(route.upstream.servers)}){uncached(route.cache)}"
            for route in site.settings.routes
        ]
        lines += [
            f"    TLS {' '.join(passage.names)}{_spoken(passage)} -> {passage.upstream.name}"
            f" ({', '.join(passage.upstream.servers)}), passed through"
            for passage in site.settings.passthrough
        ]
        lines += _only(site.settings.httpsOnly)
    if cache is not None:
        lines.append(
            f"  cache: {_spelled(cache.memoryOctets)} of memory,"
            f" {_spelled(cache.largestOctets)} for one object"
        )
        if cache.disk is not None:
            lines.append(f"  cache on disk: {cache.disk.path}, {_spelled(cache.disk.sizeOctets)}")
        if cache.purgeFrom:
            lines.append(f"  PURGE requests: from {', '.join(cache.purgeFrom)}")
    log = configuration.log
    where = "standard output" if log.access == "-" else log.access
    lines.append(f"  access log: {where} ({log.format})" if where else "  no access log")
    return "\n".join(lines) + "\n"


def _security(tls: TLSSettings | None) -> str:
    """Say how a front speaks TLS, if it does."""
    if tls is None:
        return ""
    sources = [each for each in (tls.certificate or tls.certificates,) if each]
    if tls.acme is not None:
        # As in summary().
        from .acmeanswering import described

        sources.append(described(tls.acme))
    return f" with TLS ({tls.profile}, {', '.join(sources)})"


def _interception(intercept: InterceptSettings | None) -> str:
    """Say what a front decrypts, if it does."""
    if intercept is None:
        return ""
    what = ", ".join(intercept.only) or "everything"
    but = f" but {', '.join(intercept.excepted)}" if intercept.excepted else ""
    ports = ", ".join(map(str, intercept.ports))
    return f", which DECRYPTS {what}{but} on port {ports} by {intercept.ca}"


def _only(only: HTTPSOnlySettings | None) -> list[str]:
    """Say how clients are kept from coming without TLS, if they are."""
    if only is None:
        return []
    lines = []
    if only.listen:
        where = ", ".join(only.listen)
        lines.append(f"    without TLS on {where} -> port {only.port} ({only.status})")
    if only.maxAgeSeconds:
        lines.append(f"    Strict-Transport-Security: max-age={only.maxAgeSeconds}")
    return lines


def _spoken(passage: PassageSettings) -> str:
    """Say for which protocols clients are passed through, if not for all."""
    return f" ({' '.join(passage.alpn)})" if passage.alpn else ""


def _guard(guard: Guard, guarded: bool) -> str:
    """Say what the guard of a front is set to, and what comes of it."""
    if guard is not Guard.AUTO:
        return str(guard.value)
    return f"auto, which is {'on' if guarded else 'off'} with these listeners"


def _spelled(octets: int) -> str:
    """Write a size as it may stand in a file."""
    for exponent, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if octets and octets % (1 << exponent) == 0:
            return f"{octets >> exponent} {unit}"
    return f"{octets} B"
