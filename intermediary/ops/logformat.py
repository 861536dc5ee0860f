# -*- test-case-name: tests.ops.test_logformat -*-
r"""
The format of the access log, compiled into one function.

A line is made for every exchange, so a format becomes the source of a single
f-string over the attributes of an L{Exchange<intermediary.exchange.Exchange>}.
Nothing that a client sent gets into a line unescaped: control characters,
quotes, backslashes and non-ASCII octets are written C{\xHH} (in JSON
C{\u00HH}), so that nobody can forge a line.
"""

from __future__ import annotations

import re
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, Any, NamedTuple

from ..policy.cachefield import handling, outcome
from .logline import PARAMETERS, CombinedLine, Line
from .problems import nearest
from .values import Unfit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..exchange import Exchange


class _Kind(NamedTuple):
    """How a value gets into a line; C{%s} stands for its expression."""

    template: str
    json: str


#: Octets of a client, or None.
_OCTETS = _Kind("quoted[%s]", "jsonQuoted[%s]")
#: Text of anybody's, or nothing.
_TEXT = _Kind("quotedText(text) if (text := %s) else DASH", "jsonText(%s)")
_NUMBER = _Kind("%s", "%s")
_SECONDS = _Kind("%s:.3f", "%s:.3f")
_FLAG = _Kind("YES if %s else DASH", "TRUE if %s else FALSE")
#: Text of ours without anything to escape.
_PLAIN = _Kind("%s", '"%s"')


class Variable(NamedTuple):
    """
    One thing that a line may tell.

    @ivar expression: over the L{parameters<PARAMETERS>}, without quotes
        and backslashes, as it is put into an f-string.
    """

    kind: _Kind
    expression: str
    meaning: str


#: What templates may name; C{${request:NAME}} comes on top.
VARIABLES = {
    "time": Variable(_PLAIN, "times.common", "the end, in local time, as Apache writes it"),
    "time_iso": Variable(_PLAIN, "times.iso", "the end, in local time, by RFC 3339"),
    "epoch": Variable(_NUMBER, "times.second", "the end, in seconds since 1970"),
    "front": Variable(_PLAIN, "exchange.front.name", "the name of the front"),
    "peer": Variable(_PLAIN, "peer or DASH", "the address of the client's connection"),
    "user": Variable(_TEXT, "user", "who the client proved to be"),
    "client_subject": Variable(
        _TEXT, "subjectOf(exchange)", "the subject of the certificate that the client has shown"
    ),
    "client_fingerprint": Variable(
        _TEXT, "fingerprintOf(exchange)", "the SHA-256 of that certificate, in hexadecimal"
    ),
    "request": Variable(
        _PLAIN,
        "DASH if method is None else f'{quoted[method]} {quoted[target]} HTTP/{VERSIONS[version]}'",
        "the request line",
    ),
    "method": Variable(_OCTETS, "method", "the request's method"),
    "target": Variable(_OCTETS, "target", "the request's target as it came"),
    "version": Variable(_TEXT, "VERSIONS[version]", "the request's version of HTTP"),
    "host": Variable(
        _OCTETS, "host", "the request's `Host`; where TLS is passed through, the name in it (SNI)"
    ),
    "referer": Variable(_OCTETS, "fields.get(REFERER)", "the request's `Referer`"),
    "user_agent": Variable(_OCTETS, "fields.get(USER_AGENT)", "the request's `User-Agent`"),
    "status": Variable(_NUMBER, "status", "the status sent; 0 if none was"),
    "octets_in": Variable(
        _NUMBER, "exchange.octetsIn", "content from the client; what went up a tunnel"
    ),
    "octets_out": Variable(_NUMBER, "octets", "content to the client; what came down a tunnel"),
    "seconds": Variable(
        _SECONDS, "exchange.ended - exchange.started", "from the request's head to the end"
    ),
    "upstream": Variable(_TEXT, "exchange.upstreamName", "the name of the upstream"),
    "server": Variable(_TEXT, "exchange.peerName", "the server's address"),
    "attempts": Variable(_NUMBER, "exchange.attempts", "how many servers were tried"),
    "cache": Variable(
        _TEXT,
        "cacheOutcome(exchange)",
        "what the cache made of it in a word: `hit`, or why it was sent on, as in RFC 9211 §2.2",
    ),
    "cache_status": Variable(
        _TEXT, "cacheHandling(exchange)", "all that the cache said of it in `Cache-Status`"
    ),
    "intercepted": Variable(
        _FLAG,
        "exchange.front.intercepted",
        "`yes` where the proxy decrypted what the client meant for a server alone",
    ),
    "outcome": Variable(_TEXT, "exchange.outcome", "what went wrong, as a token of RFC 9209 §2.3"),
    "detail": Variable(_TEXT, "detailOf(exchange.error)", "what went wrong, in words"),
}

#: The formats that have a name.
COMBINED = '$peer - $user [$time] "$request" $status $octets_out "$referer" "$user_agent"'
_JSON = (
    "time_iso", "front", "peer", "user", "method", "target", "version", "host", "referer",
    "user_agent", "status", "octets_in", "octets_out", "seconds", "upstream", "server",
    "attempts", "cache", "cache_status", "intercepted", "outcome", "detail",
)  # fmt: skip

#: What C{json} has as well where clients may show certificates.
CERTIFICATES = ("client_subject", "client_fingerprint")

_REFERENCE = re.compile(r"\$(?:(\$)|\{([^{}]*)\}|([A-Za-z_]\w*))?")
_FIELD = re.compile(r"request:([!#$%&'*+.^_`|~0-9A-Za-z-]+)")

_UNSAFE = bytes(range(0x20)) + b'"\\' + bytes(range(0x7F, 0x100))
_ESCAPED = [f"\\x{octet:02X}" if octet in _UNSAFE else chr(octet) for octet in range(0x100)]


def quote(value: bytes) -> str:
    """Escape octets for a line, as nginx does."""
    if len(value.translate(None, _UNSAFE)) == len(value):
        return value.decode("ascii")
    return "".join([_ESCAPED[octet] for octet in value])


def _quoteJSON(value: bytes) -> str:
    """Escape octets as a JSON string, each octet as the character of its number."""
    return encode_basestring_ascii(value.decode("latin-1"))


class _Remembered(dict[bytes | None, str]):
    """
    What escaping gave for recent values: most come again and again.

    Bounded in entries and in the size of each.
    """

    ENTRIES = 2048
    OCTETS = 256

    def __init__(self, escape: Callable[[bytes], str], absent: str) -> None:
        super().__init__({None: absent})
        self._escape = escape
        self._absent = absent

    def __missing__(self, key: bytes | None) -> str:
        assert key is not None
        value = self._escape(key)
        if len(key) <= self.OCTETS:
            if len(self) >= self.ENTRIES:
                self.clear()
                self[None] = self._absent
            self[key] = value
        return value


def _quoteText(value: str | None) -> str:
    """Escape text for a line."""
    return quote(value.encode("utf-8", "backslashreplace")) if value else "-"


def _quoteTextJSON(value: str | None) -> str:
    """Escape text as a JSON string."""
    return encode_basestring_ascii(value) if value else "null"


def _detailOf(error: BaseException | None) -> str:
    """What an exchange's error says of itself."""
    return "" if error is None else str(error)


def _subjectOf(exchange: Exchange) -> str:
    """Who the client is by its certificate."""
    certificate = exchange.clientCertificate
    return "" if certificate is None else certificate.subject


def _fingerprintOf(exchange: Exchange) -> str:
    """Which certificate the client has shown."""
    certificate = exchange.clientCertificate
    return "" if certificate is None else certificate.fingerprint


def compileFormat(text: str, certificates: bool = False) -> Line:
    """
    Compile a format.

    @param text: C{"combined"}, C{"json"} or a template: text with C{$name} or
        C{${name}} for each of L{VARIABLES}, C{${request:NAME}} for a field of
        the request, and C{$$} for a dollar sign.
    @param certificates: some of the clients may show certificates, which C{"json"} tells of.
    @return: makes the lines of exchanges.
    @raise Unfit: for a template that can't be used.
    """
    constants: dict[str, Any] = {
        "DASH": "-",
        "FALSE": "false",
        "TRUE": "true",
        "YES": "yes",
        "REFERER": b"referer",
        "USER_AGENT": b"user-agent",
        "cacheHandling": handling,
        "cacheOutcome": outcome,
        "VERSIONS": {10: "1.0", 11: "1.1", None: ""},
        "detailOf": _detailOf,
        "fingerprintOf": _fingerprintOf,
        "subjectOf": _subjectOf,
        "jsonQuoted": _Remembered(_quoteJSON, "null"),
        "jsonText": _quoteTextJSON,
        "quoted": _Remembered(quote, "-"),
        "quotedText": _quoteText,
    }
    if text == "json":
        pieces = list(_jsonPieces((*_JSON, *CERTIFICATES) if certificates else _JSON))
    else:
        pieces = list(_templatePieces(COMBINED if text == "combined" else text, constants))
    # Only expressions of the table above, names of constants and literals as
    # repr() writes them get into the source: nothing of the operator's text does.
    source = f"def write({PARAMETERS}):\n    return {' '.join(pieces)} '\\n'\n"
    exec(compile(source, "<access log format>", "exec"), constants)  # noqa: S102 - see above
    if text == "combined":
        return CombinedLine(constants["write"], quote)
    return Line(constants["write"])


def _jsonPieces(names: Iterable[str]) -> Iterator[str]:
    """The literals and f-strings of the JSON format."""
    separator = "{"
    for name in names:
        kind, expression, _ = VARIABLES[name]
        yield repr(f'{separator}"{name}":')
        yield _inserted(kind.json, expression)
        separator = ","
    yield repr("}")


def _templatePieces(text: str, constants: dict[str, Any]) -> Iterator[str]:
    """The literals and f-strings of a template; may add to the constants."""
    if not text.strip():
        raise Unfit("is empty", 'write "combined", "json" or a template')
    if any(not character.isprintable() and character != "\t" for character in text):
        raise Unfit("has control characters", "write a template of one line")
    if "$" not in text:
        remedy = nearest(text, ["combined", "json"])
        stop = "" if remedy.endswith("?") else "."
        raise Unfit(
            "is neither the name of a format nor a template",
            f"{remedy}{stop} A template names variables, as $status",
        )
    end = 0
    for match in _REFERENCE.finditer(text):
        if match.start() > end:
            yield repr(text[end : match.start()])
        end = match.end()
        if match[1]:
            yield repr("$")
            continue
        name = match[2] if match[2] is not None else match[3]
        if name is None:
            raise Unfit("has a $ without a name", "write $$ for a dollar sign")
        if field := _FIELD.fullmatch(name):
            constant = f"FIELD{len(constants)}"
            constants[constant] = field[1].lower().encode("ascii")
            yield _inserted(_OCTETS.template, f"fields.get({constant})")
        elif variable := VARIABLES.get(name):
            yield _inserted(variable.kind.template, variable.expression)
        else:
            raise Unfit(f"names no variable ${name}", nearest(name, VARIABLES))
    if end < len(text):
        yield repr(text[end:])


def _inserted(form: str, expression: str) -> str:
    """An f-string that puts an expression in its form."""
    if form == _PLAIN.json:
        return f"""'"' f'''{{{expression}}}''' '"'"""
    return f"f'''{{{form.replace('%s', expression)}}}'''"
