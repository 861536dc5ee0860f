# -*- test-case-name: tests.ops.test_listeners -*-
r"""
Where a front may listen: Twisted's server endpoint strings, checked and compared.

A string is a kind and its arguments between colons, by their position or as
C{name=value}; a backslash takes its meaning from a colon, an equals sign or a
backslash.  Endpoints that wrap others, such as C{haproxy:tcp:80}, are about
what they wrap.  Nothing is listened on here.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from os.path import normpath
from typing import TYPE_CHECKING, NamedTuple

from .problems import nearest
from .values import Unfit, oneLine

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The kinds that come with Twisted, and their arguments in the order of their positions.
_ARGUMENTS = {
    "tcp": ("port", "interface", "backlog"),
    "tcp6": ("port", "backlog", "interface"),
    "ssl": (
        "port",
        "privateKey",
        "certKey",
        "sslmethod",
        "interface",
        "backlog",
        "extraCertChain",
        "dhParameters",
    ),
    "unix": ("address", "mode", "backlog", "lockfile"),
    "systemd": ("domain", "index", "name"),
}
#: Where those listen that are not told where.
_EVERYWHERE = {"tcp": "0.0.0.0", "ssl": "0.0.0.0", "tcp6": "::"}  # noqa: S104 - to compare
#: Endpoints that Twisted knows without a plugin.
_BUILT_IN = {"tcp", "unix", "ssl"}
_HIGHEST_PORT = 65535
#: Connections that wait to be accepted.  Those of a crowd that don't find room try again
#: after a second.  Twisted has 50, and the kernel may allow less than this.
_BACKLOG = 4096

_PIECES = re.compile(r"(?:\A|:)((?:[^:\\]|\\.)*)", re.DOTALL)
_NAMED = re.compile(r"((?:[^=\\]|\\.)*)=(.*)", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_UNEXPECTED = re.compile(r"unexpected keyword argument '(.+)'")
_MISSING = re.compile(r"missing .* required positional arguments?: '(\w+)'")
_NO_NUMBER = re.compile(r"invalid literal for int\(\) with base \d+: '(.*)'")
_EXAMPLES = 'write it as in "tcp:3128:interface=127.0.0.1" or "unix:/run/proxy.sock"'


class _Parts(NamedTuple):
    """
    An endpoint string, taken apart.

    @ivar kind: of the innermost endpoint whose arguments are known, or of the
        outermost one.
    @ivar arguments: those of a kind that is known, by their names.
    """

    kind: str
    arguments: dict[str, str]


def _parts(text: str) -> _Parts:
    """Take an endpoint string apart."""
    positional: list[str] = []
    named: dict[str, str] = {}
    for piece in _PIECES.findall(text):
        if match := _NAMED.fullmatch(piece):
            named[_ESCAPE.sub(r"\1", match[1])] = _ESCAPE.sub(r"\1", match[2])
        else:
            positional.append(_ESCAPE.sub(r"\1", piece))
    for index, kind in enumerate(positional):
        if kind in _ARGUMENTS:
            names = _ARGUMENTS[kind]
            return _Parts(kind, dict(zip(names, positional[index + 1 :], strict=False)) | named)
    return _Parts(positional[0] if positional else "", named)


def endpoint(text: str) -> str:
    """
    Check a server endpoint string, without listening on anything.

    Files that it names (a certificate) are read, so that a missing one is known
    in time.

    @return: it as it is.
    @raise Unfit: nobody could listen there.
    """
    # Late, as importing endpoints takes longer than all the rest of this file.
    from twisted.internet.endpoints import serverFromString
    from twisted.internet.task import Clock

    _checkPort(_parts(text))
    try:
        # Parsers keep the reactor for listen(), which is never called here.
        serverFromString(Clock(), text)
    except Exception as error:
        # Plugins of anybody parse this; whatever they raise is an answer.
        raise _worded(text, error) from error
    return text


def _checkPort(parts: _Parts) -> None:
    """Look at the port, which Twisted does only when it listens."""
    port = parts.arguments.get("port")
    if port is None or parts.kind not in _EVERYWHERE:
        return
    try:
        fits = 0 <= int(port) <= _HIGHEST_PORT
    except ValueError:
        fits = False
    if not fits:
        raise Unfit(f"has no valid port: {port}", f"ports are numbers from 0 to {_HIGHEST_PORT}")


def _worded(text: str, error: Exception) -> Unfit:
    """Say what a parser did not like, without the names of its insides."""
    from twisted.internet.interfaces import IStreamServerEndpointStringParser
    from twisted.plugin import getPlugins

    prefix = text.partition(":")[0]
    known = {p.prefix for p in getPlugins(IStreamServerEndpointStringParser)} | _BUILT_IN
    if prefix not in known:
        return Unfit("is no server endpoint", nearest(prefix, known))
    kind = _parts(text).kind
    if kind == "systemd" and isinstance(error, LookupError):
        return Unfit(
            "names a socket that systemd has not handed to this process",
            "this can be checked only under socket activation, in a service with a socket unit",
        )
    message = _NO_NUMBER.sub(r'"\1" is no number', oneLine(error))
    if isinstance(error, TypeError):
        if unexpected := _UNEXPECTED.search(message):
            option = unexpected[1]
            return Unfit(
                f'has an option that {kind} endpoints don\'t know: "{option}"',
                nearest(option, _ARGUMENTS.get(kind, ())) or _EXAMPLES,
            )
        missing = _MISSING.search(message)
        message = f"without {missing[1]}" if missing else "its arguments are not those of its kind"
    return Unfit(f"is not a valid {kind} endpoint ({message})", _EXAMPLES)


def roomy(text: str) -> str:
    """
    Have a crowd of clients find room where an endpoint string listens.

    @return: it as it is, if it says itself how many may wait, or is of a kind that is not
        known to take that.
    """
    kind, arguments = _parts(text)
    if "backlog" in arguments or "backlog" not in _ARGUMENTS.get(kind, ()):
        return text
    inner = text.removeprefix("haproxy:")
    return f"{text}:backlog={_BACKLOG}" if inner.startswith(f"{kind}:") else text


def isEphemeral(text: str) -> bool:
    """Tell whether an endpoint string asks for any free port."""
    kind, arguments = _parts(text)
    try:
        return kind in _EVERYWHERE and int(arguments.get("port", "")) == 0
    except ValueError:
        return False


def speaksTLS(text: str) -> bool:
    """Tell whether an endpoint string is for one with a certificate of its own."""
    return _parts(text).kind == "ssl"


def place(text: str) -> tuple[str | int, ...]:
    """
    Tell where an endpoint string listens, whichever way that is spelled.

    @return: something to compare; of what is not known, the string itself.
    """
    kind, arguments = _parts(text)
    if kind == "unix" and "address" in arguments:
        return ("unix", normpath(arguments["address"]))
    if kind in _EVERYWHERE:
        try:
            port = int(arguments.get("port", ""))
        except ValueError:
            return (text,)
        return ("tcp", _address(arguments.get("interface") or _EVERYWHERE[kind]), port)
    return (text,)


def _address(interface: str) -> str:
    """Spell an interface in one way."""
    if interface == "localhost":
        return "127.0.0.1"
    try:
        return str(ip_address(interface))
    except ValueError:
        return interface


def portOf(text: str) -> int | None:
    """Find the port of an endpoint string; None of what has none, or any."""
    kind, arguments = _parts(text)
    try:
        return (int(arguments.get("port", "")) or None) if kind in _EVERYWHERE else None
    except ValueError:
        return None


def plainBeside(listen: Iterable[str]) -> tuple[str, ...]:
    """
    Name port 80 at each of the interfaces of some endpoints.

    @return: nothing of those that are not just TCP.
    """
    found = []
    for text in listen:
        kind, arguments = _parts(text)
        if kind in ("tcp", "tcp6") and text.startswith(f"{kind}:"):
            interface = arguments.get("interface", "")
            spelled = interface.replace("\\", "\\\\").replace(":", "\\:")
            found.append(f"{kind}:80:interface={spelled}" if interface else f"{kind}:80")
    return tuple(dict.fromkeys(found))
