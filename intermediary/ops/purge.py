# -*- test-case-name: tests.ops.test_purge -*-
"""
C{intermediary-purge}: ask a running proxy to forget what it has stored.

It sends C{PURGE} requests, as anything else could, and needs nothing but the
standard library.
"""

from __future__ import annotations

import argparse
import json
import sys
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from urllib.parse import SplitResult

_DESCRIPTION = "Ask a running intermediary to forget what it has stored."
_EPILOG = (
    "Without --proxy each URL's own host is asked. The proxy must have this host's address in "
    "[cache] purge-from. Prints how many responses were purged. Exit code: 0 all was purged that "
    "was there, 1 something was refused or failed, 2 the command line is wrong."
)
#: How much of an answer is read.
_ANSWER_OCTETS = 65536
#: What a URL may have and is sent as it stands; all else is percent-encoded.
_AS_IT_IS = "!$%&'()*+,/:;=?@[]~"

_REASONS = {
    403: "refused: this host's address is not in [cache] purge-from there",
    404: "no route serves this URL",
    405: "what this URL is about is not cached there",
}


class Refused(Exception):
    """It did not purge; says why."""


class _Request(NamedTuple):
    """One request: where it goes and what it says."""

    server: SplitResult
    target: str
    host: str
    fields: dict[str, str]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="intermediary-purge", description=_DESCRIPTION, epilog=_EPILOG
    )
    parser.add_argument("urls", nargs="*", metavar="URL", help="what to purge, in all variants")
    parser.add_argument("--proxy", metavar="URL", help="where it listens: http://127.0.0.1:8000")
    parser.add_argument(
        "--forward", action="store_true", help="it is a forward proxy, and gets whole URLs"
    )
    wide = parser.add_mutually_exclusive_group()
    wide.add_argument("--prefix", action="store_true", help="all that begins with the URLs")
    wide.add_argument("--host", action="store_true", help="all of the hosts of the URLs")
    wide.add_argument(
        "--tag",
        action="append",
        default=[],
        help="all with this tag, whatever its URL; may be repeated",
    )
    parser.add_argument(
        "--soft", action="store_true", help="have it validated at its next use, do not remove it"
    )
    parser.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS", help="for each answer; 60"
    )
    return parser


def _split(text: str) -> SplitResult:
    """
    Take a URL apart; without a scheme it is one of http.

    @raise ValueError: it is none, with what is wrong.
    """
    parts = urlsplit(text if "://" in text else f"http://{text}")
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"{text}: not a URL of http or https")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if not parts.hostname or port == 0 or "@" in parts.netloc:
        raise ValueError(f"{text}: not a URL of a host, with a port or without")
    if not parts.netloc.isascii() or any(each.isspace() for each in parts.netloc):
        raise ValueError(f"{text}: a host in ASCII is needed")
    return parts


def _requests(options: argparse.Namespace) -> list[_Request]:
    """
    Make the requests of a command line.

    @raise ValueError: something on it is wrong.
    """
    if options.timeout <= 0:
        raise ValueError("--timeout must be above 0")
    if any(not tag.isascii() or "," in tag or tag.split() != [tag] for tag in options.tag):
        raise ValueError("a tag has no spaces and no commas, and is in ASCII")
    proxy = None if options.proxy is None else _split(options.proxy)
    if options.forward and proxy is None:
        raise ValueError("--forward needs --proxy")
    urls = [_split(text) for text in options.urls]
    if not urls:
        if not options.tag:
            raise ValueError("name what to purge: URLs, or --tag")
        if proxy is None:
            raise ValueError("--tag without a URL needs --proxy")
        urls = [proxy]
    fields = {}
    if options.tag:
        fields["Surrogate-Key"] = " ".join(options.tag)
    elif options.prefix or options.host:
        fields["Purge-Scope"] = "prefix" if options.prefix else "host"
    if options.soft:
        fields["Soft-Purge"] = "1"
    made = []
    for url in urls:
        target = quote(url.path or "/", _AS_IT_IS)
        if url.query:
            target += "?" + quote(url.query, _AS_IT_IS)
        if options.forward:
            target = f"{url.scheme}://{url.netloc}{target}"
        made.append(_Request(proxy or url, target, url.netloc, fields))
    return made


def _ask(request: _Request, timeoutSeconds: float) -> int:
    """
    Have something purged.

    @return: how many responses.
    @raise Refused: it was not.
    """
    server = request.server
    kind = HTTPSConnection if server.scheme == "https" else HTTPConnection
    assert server.hostname is not None
    connection = kind(server.hostname, server.port, timeout=timeoutSeconds)
    try:
        connection.putrequest("PURGE", request.target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", request.host)
        for name, value in {**request.fields, "Accept": "application/json"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return _count(response.status, response.read(_ANSWER_OCTETS))
    except (OSError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Refused(f"{server.netloc}: {reason}") from error
    finally:
        connection.close()


def _count(status: int, content: bytes) -> int:
    """
    Read an answer.

    @raise Refused: it says that nothing was purged, or nothing of the kind.
    """
    try:
        answer: Any = json.loads(content)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        answer = {}
    if status == 200 and type(answer.get("purged")) is int:
        return int(answer["purged"])
    if status in _REASONS:
        raise Refused(f"{_REASONS[status]} ({status})")
    if status in (400, 500, 503) and isinstance(answer.get("error"), str):
        raise Refused(f"{answer['error']} ({status})")
    raise Refused(
        f"the answer ({status}) is not that of a cache that can be purged: "
        "has it a [cache] with purge-from?"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command.

    @param arguments: those of the process if None.
    @return: the exit code.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        requests = _requests(options)
    except ValueError as error:
        parser.error(str(error))
    total = 0
    failed = False
    for request in requests:
        try:
            total += _ask(request, options.timeout)
        except Refused as error:
            failed = True
            sys.stderr.write(f"intermediary-purge: {request.host}{_pathOf(request)}: {error}\n")
    sys.stdout.write(f"{total}\n")
    return 1 if failed else 0


def _pathOf(request: _Request) -> str:
    """Spell the target for people, after its host."""
    path = request.target
    return path if path.startswith("/") else path.partition("://")[2].removeprefix(request.host)


if __name__ == "__main__":
    sys.exit(main())
