# -*- test-case-name: tests.policy.test_access -*-
"""
Which destinations a forward front may reach: the destination guard.

A proxy sits inside a network that its clients may not be in.  The guard keeps
them out of it: it classifies the addresses that a destination I{resolved to},
right before they are dialled, so no name, spelling or change of a DNS answer
leads around it.  What an address is, L{intermediary.policy.addresses} says.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING

from zope.interface import classImplements

from ..errors import DestinationProhibited, PortNotAllowed
from ..interfaces import IDestinationGuard
from ..wire.target import hostToASCII
from .addresses import METADATA, classify, isLoopback, parse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..errors import IntermediaryError

_LABELS = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\Z")
_NUMERIC_END = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\Z")
_LOOKS_LIKE_ADDRESS = re.compile(r"[0-9.]+(?:/.*)?\Z|.*[:/]")


class Exceptions:
    """
    Destinations that an administrator named, to be let past the guard.

    Addresses and networks match what a destination resolved to.  Names match
    what the client asked for, and let it go wherever that resolves to: whoever
    runs the DNS of such a name is trusted.  C{*.example.org} matches every name
    below C{example.org}, not itself.

    No network and no C{*.} exempts an address of a metadata service.
    """

    def __init__(self, spelled: Iterable[str] = ()) -> None:
        """
        @raise ValueError: for the first that is neither network, address nor
            name, with what is wrong and a remedy.
        """
        self._networks: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
        self._names: set[str] = set()
        self._suffixes: tuple[str, ...] = ()
        for one in spelled:
            self._add(one)

    def _add(self, spelled: str) -> None:
        text = spelled.strip()
        if not text:
            raise ValueError("an empty destination; write an address, a network or a host name")
        if _LOOKS_LIKE_ADDRESS.match(text):
            network = _network(text)
            shift = network.max_prefixlen - network.prefixlen
            prefix = int(network.network_address) >> shift
            self._networks[network.version].append((shift, prefix))
            return
        wild = text.startswith("*.")
        name = _hostName(text[2:] if wild else text, spelled)
        if wild:
            self._suffixes += ("." + name,)
        else:
            self._names.add(name)

    def __bool__(self) -> bool:
        return bool(self._names or self._suffixes or any(self._networks.values()))

    def permit(self, host: str, address: str, why: str) -> bool:
        """
        Tell whether a destination is exempt.

        @param why: what L{classify} said about the address.
        """
        name = host.lower().removesuffix(".")
        if name in self._names:
            return True
        if why != METADATA and self._suffixes and name.endswith(self._suffixes):
            return True
        try:
            version, number = parse(address)
        except (OSError, ValueError):
            return False
        return any(
            number >> shift == prefix and (not shift or why != METADATA)
            for shift, prefix in self._networks[version]
        )


def _network(text: str) -> IPv4Network | IPv6Network:
    if text.startswith("["):
        raise ValueError(f"{text!r} is not an address; write it without brackets and port")
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        wider = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"{text!r} is neither an address nor a network; write for example"
            " '10.1.2.3', '10.0.0.0/8' or 'fd00::/8'"
        ) from None
    raise ValueError(f"{text!r} has bits set beyond its prefix; write {str(wider)!r}")


def _hostName(text: str, spelled: str) -> str:
    problem = ValueError(
        f"{spelled!r} is not a host name; write for example 'build.example.org' or '*.example.org'"
    )
    try:
        name = hostToASCII(text).lower().removesuffix(".")
    except ValueError:
        raise problem from None
    if len(name) > 253 or not _LABELS.match(name) or _NUMERIC_END.match(name):
        raise problem
    return name


class DestinationGuard:
    """
    Keeps a front's clients to public addresses and the exceptions.

    It may be asked for every address of every connection: a public address
    costs a microsecond or two.
    """

    def __init__(self, allow: Iterable[str] = ()) -> None:
        """
        @param allow: as L{Exceptions} takes them, from
            L{ForwardSettings.allowDestinations<intermediary.settings.ForwardSettings>}.
        @raise ValueError: for a bad one.
        """
        self.exceptions = Exceptions(allow)

    def prohibits(self, host: str, address: str) -> str | None:
        """See L{IDestinationGuard.prohibits}."""
        why = classify(address)
        if why is None or self.exceptions.permit(host, address, why):
            return None
        return why


# Not as a decorator, which would keep the class from being compiled well.
classImplements(DestinationGuard, IDestinationGuard)


class LoopbackOnly:
    """
    Lets nothing pass but addresses of this host itself.

    What it keeps back is not the fault of the address, but of what is wanted
    there: L{refuse} makes that error.
    """

    def __init__(self, reason: str, guard: IDestinationGuard | None = None) -> None:
        """
        @param reason: what to say of all the others.
        @param guard: to be asked about the addresses that do pass.
        """
        self._reason = reason
        self._guard = guard

    def prohibits(self, host: str, address: str) -> str | None:
        """See L{IDestinationGuard.prohibits}."""
        if not isLoopback(address):
            return self._reason
        return None if self._guard is None else self._guard.prohibits(host, address)

    def refuse(self, detail: str) -> IntermediaryError:
        """See L{IDestinationGuard}."""
        if self._reason in detail:
            return PortNotAllowed(detail)
        return DestinationProhibited(detail)


classImplements(LoopbackOnly, IDestinationGuard)


class ConnectPorts:
    """
    Which ports C{CONNECT} may reach.

    RFC 9110 §9.3.6 asks for a limited set of known ports: a tunnel to port 25
    is an open mail relay.  On the loopback interface it may be any, as who may
    reach that at all (see L{DestinationGuard}) is on this machine.  Whether it
    is the loopback interface is known after name resolution, so this is a guard
    for the connector to ask.
    """

    def __init__(self, ports: Iterable[int], guard: IDestinationGuard | None = None) -> None:
        """
        @param guard: the front's guard, which holds for every port.
        """
        self.ports = frozenset(ports)
        self._here = guard
        self._elsewhere = LoopbackOnly("beyond the ports that CONNECT may reach", guard)

    def guard(self, port: int) -> IDestinationGuard | None:
        """Give the guard for the L{Origin<intermediary.interfaces.Origin>} of a tunnel."""
        return self._here if port in self.ports else self._elsewhere


_PIECES = re.compile(r"(?:\A|:)((?:[^:\\]|\\.)*)", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)

#: Endpoints that wrap the one that follows.
_WRAPPERS = frozenset({"haproxy", "intermediary-forward", "intermediary-reverse"})


def _arguments(endpoint: str) -> tuple[list[str], dict[str, str]]:
    """Take an endpoint string apart: what is between colons, and C{key=value}."""
    positional = []
    named = {}
    for piece in _PIECES.findall(endpoint):
        key, equals, value = piece.partition("=")
        if equals:
            named[key] = _ESCAPE.sub(r"\1", value)
        else:
            positional.append(_ESCAPE.sub(r"\1", piece))
    return positional, named


def isLoopbackOnly(endpoint: str) -> bool:
    """
    Tell whether a listener can be reached from this machine alone.

    @param endpoint: a Twisted server endpoint string.
    @return: C{True} for TCP on an interface that is a loopback address (or the
        name C{localhost}, RFC 6761 §6.3) and for UNIX sockets.  C{False} for all
        others, those that are unknown, inherited or not understood included.
    """
    positional, named = _arguments(endpoint)
    kind = positional[0].lower()
    if kind in _WRAPPERS:
        return isLoopbackOnly(endpoint.partition(":")[2])
    if kind == "unix":
        return True
    if kind not in {"tcp", "tcp4", "tcp6", "ssl", "tls"}:
        return False
    interface = named.get("interface", "")
    if kind == "tcp" and len(positional) > 2:
        interface = positional[2]
    return interface == "localhost" or isLoopback(interface)


def needsGuard(endpoints: Iterable[str]) -> bool:
    """Tell whether any of a front's listeners is reachable from other machines."""
    return not all(isLoopbackOnly(endpoint) for endpoint in endpoints)
