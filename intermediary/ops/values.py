# -*- test-case-name: tests.ops.test_values -*-
"""
What one value of a configuration may be.

Each function takes what the operator wrote and returns it in the one form that
the rest of the program uses, or raises L{Unfit}.  The file and the command
line share them.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from ..errors import RequestInvalid
from ..policy.access import Exceptions
from ..policy.routing import normalPath
from ..wire.cachekey import mayBeKeyed, normaliseTarget
from ..wire.storing import storableStatuses
from ..wire.target import hostToASCII

#: A token (RFC 9110 §5.6.2).
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: What a query may have (RFC 3986 §3.4), but what separates its parameters.
_PARAMETER = re.compile(r"[A-Za-z0-9._~!$'()*+,;:@/?%\[\]-]+")
#: What a path may have (RFC 3986 §3.3), and what C{fnmatch} adds.
_PATTERN = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/%\[\]-]+")
_STATUS = re.compile(r"[2-5][0-9]{2}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SIZE = re.compile(r"(\d+)\s*(B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)?")
_FACTORS = {
    None: 1,
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}

_DURATION = re.compile(r"([0-9]{1,12})\s*([smhdwy])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}


class Unfit(ValueError):
    """
    A value that can't be used.

    @ivar message: why, to follow the value in a sentence.
    @ivar remedy: what to write instead; may be empty.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def octets(value: object) -> int:
    """
    Read a size in octets: an integer, or a string such as C{"10MiB"}.

    @raise Unfit: also for zero and less.
    """
    remedy = 'write octets as 65536, or with a unit as "64KiB" or "10MB"'
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            raise Unfit("is not a size", remedy)
        value = int(match[1]) * _FACTORS[match[2]]
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unfit("is not a size", remedy)
    if value < 1:
        raise Unfit("must be at least 1", remedy)
    return value


def octetsOrUnlimited(value: object) -> int | None:
    """Read a size as L{octets} does, or C{"unlimited"} as None."""
    if value == "unlimited":
        return None
    try:
        return octets(value)
    except Unfit as problem:
        raise Unfit(problem.message, f'{problem.remedy}, or "unlimited"') from None


def duration(value: object) -> int:
    """
    Read a time in whole seconds: an integer, or a string such as C{"180d"}.

    @raise Unfit: also for less than nothing, and for more than ten years.
    """
    remedy = 'write seconds as 3600, or with a unit (s, m, h, d, w, y) as "1h" or "1y"'
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise Unfit("is not a time", remedy)
        value = int(match[1]) * _UNIT_SECONDS[match[2]]
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Unfit("is not a time", remedy)
    if value > 10 * _UNIT_SECONDS["y"]:
        raise Unfit("is more than ten years", remedy)
    return value


def file(text: str) -> str:
    """Check the path of a file, which is looked at later."""
    if not text.strip() or "\0" in text:
        raise Unfit("is not a path", 'name a file, such as "site.pem"')
    return text


def folder(text: str) -> str:
    """Check the path of a folder, which need not be there."""
    if not text.strip() or "\0" in text:
        raise Unfit("is not a path", 'name a folder, such as "/var/cache/intermediary"')
    return text


def name(text: str) -> str:
    """Check the name of a front or an upstream: it stands in logs."""
    if _NAME.fullmatch(text) is None:
        raise Unfit(
            "is not a name",
            "use up to 64 letters, digits, dots, hyphens and underscores",
        )
    return text


def fieldName(text: str) -> str:
    """Check the name of a field: a token (RFC 9110 §5.1)."""
    if _TOKEN.fullmatch(text) is None:
        raise Unfit("is not the name of a field", 'write it as in "CDN-Cache-Control"')
    if "*" in text:
        raise Unfit("is a pattern, and fields have none here", "name each field by itself")
    return text


def keyField(text: str) -> str:
    """Check the name of a request field that is part of a cache's key."""
    fieldName(text)
    lowered = text.lower()
    if lowered == "cookie":
        raise Unfit("is never the same for two clients", 'write key-cookies = ["NAME"]')
    if lowered == "authorization":
        raise Unfit(
            "is a secret, which a key is not",
            "leave it out: what answers credentials is stored only where it says that it is "
            "for everybody (RFC 9111 §3.5)",
        )
    if not mayBeKeyed(lowered.encode("ascii")):
        raise Unfit(
            "does not reach the origin as the client wrote it",
            "leave it out: the host is in every key, and what the proxy writes itself tells "
            "nothing of the client",
        )
    return text


def cookieName(text: str) -> str:
    """Check the name of a cookie: a token (RFC 6265 §4.1.1)."""
    if _TOKEN.fullmatch(text) is None:
        raise Unfit("is not the name of a cookie", 'write it without its value, as in "lang"')
    if "*" in text:
        raise Unfit("is a pattern, and a key has none", "name each cookie by itself")
    return text


def parameterPattern(text: str) -> str:
    """Check a pattern of names of query parameters: as they stand in a URL."""
    if _PARAMETER.fullmatch(text) is None:
        raise Unfit(
            "is not the name of a query parameter, nor a pattern of names",
            'write it as in a URL, percent-encoded: "utm_*", "%C3%A9t%C3%A9"',
        )
    return text


def status(text: str) -> str:
    """Check the name of a status or of a class whose responses may be stored."""
    if not storableStatuses(text):
        if _STATUS.fullmatch(text) is not None:
            raise Unfit("is never stored, whatever its lifetime", "remove it")
        raise Unfit(
            "is neither a status nor a class of them", "write for example 404, or 5xx for a class"
        )
    return text


def cookiePattern(text: str) -> str:
    """Check a pattern of names of cookies: tokens (RFC 6265 §4.1.1), with C{*}."""
    if _TOKEN.fullmatch(text) is None:
        raise Unfit(
            "is not the name of a cookie, nor a pattern of names",
            'write it as in "session*"',
        )
    return text


def pathPattern(text: str) -> str:
    """
    Check a pattern of paths.

    They are compared in their normal form, so one that is in another would never fit.
    """
    if not text.startswith(("/", "*")) or _PATTERN.fullmatch(text) is None:
        raise Unfit(
            "is not a path, nor a pattern of paths",
            'write it as in "/admin/*", without query, and percent-encoded',
        )
    target = text.encode("ascii")
    normal = normaliseTarget(target).decode("ascii")
    if normal != text:
        raise Unfit("is not in normal form, so no path would fit", f'write it as "{normal}"')
    return text


def pseudonym(text: str) -> str:
    """Check a pseudonym for C{Via}: a token (RFC 9110 §7.6.3)."""
    if _TOKEN.fullmatch(text) is None:
        raise Unfit(
            "is not a token, which Via needs",
            'use letters, digits and -._ alone, as in "proxy-1"',
        )
    return text


def serverURL(text: str) -> str:
    """
    Check the URL of an upstream's server.

    @return: C{http://HOST[:PORT]} or C{https://HOST[:PORT]} with the host in ASCII lower
        case.
    """
    remedy = 'write it as "http://127.0.0.1:9000" or "https://backend.example.org:8443"'
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise Unfit(f"is not a valid URL ({oneLine(error)})", remedy) from error
    if parts.scheme not in ("http", "https"):
        raise Unfit("is not an http:// or https:// URL", remedy)
    if parts.username is not None or parts.password is not None:
        raise Unfit("must not carry a user name or password", remedy)
    if not host:
        raise Unfit("names no host", remedy)
    if port == 0:
        raise Unfit("has no valid port", remedy)
    name = hostName(host, remedy)
    # As the resolver will, late: it brings more of Twisted than the rest of this.
    from ..net.resolver import nameProblem

    if not isAddress(name) and (problem := nameProblem(name)):
        raise Unfit(f'names a host that can\'t be looked up: "{name}" is {problem}', remedy)
    authority = _bracketed(name)
    plain = f"{parts.scheme}://{authority}" + ("" if port is None else f":{port}")
    if parts.path or "?" in text or "#" in text:
        raise Unfit("must have no path, query or fragment", f'write "{plain}"')
    return plain


def upstreamURL(text: str) -> str:
    """
    Check the URL of a server that requests are sent to, or clients passed through to.

    @return: as L{serverURL}, or C{tcp://HOST:PORT}.
    """
    if not text.lower().startswith("tcp:"):
        return serverURL(text)
    remedy = 'write it as "tcp://10.0.0.5:5432"'
    try:
        plain = serverURL(f"http{text[3:]}")
    except Unfit as error:
        raise Unfit(error.message, remedy) from error
    if urlsplit(plain).port is None:
        raise Unfit("has no port", remedy)
    return f"tcp{plain[4:]}"


def hostName(text: str, remedy: str = "") -> str:
    """
    Check a host: a DNS name, in any script, or an IP literal without brackets.

    @return: it in ASCII lower case.
    """
    try:
        return str(ip_address(text))
    except ValueError:
        pass
    try:
        return hostToASCII(text)
    except Exception as error:
        raise Unfit(f"is not a valid host name ({oneLine(error)})", remedy) from error


def hostPattern(text: str) -> str:
    """
    Check which hosts a route serves: a host, or C{*.suffix}.

    @return: it in ASCII lower case; IPv6 literals without brackets.
    """
    remedy = 'write a name without port as "example.org", or "*.example.org"'
    if text == "*":
        # Not of routes alone.
        raise Unfit("is not a host", f"{remedy}; a route without host is for any")
    star, bare = ("*.", text[2:]) if text.startswith("*.") else ("", text)
    if bare.startswith("[") and bare.endswith("]"):
        bare = bare[1:-1]
    if "*" in bare:
        raise Unfit("has a wildcard where none can be", remedy)
    if "/" in bare or (":" in bare and not isAddress(bare)):
        raise Unfit("is more than a host", remedy)
    if star and isAddress(bare):
        raise Unfit("is a wildcard of an address", remedy)
    return star + hostName(bare, remedy)


def pathPrefix(text: str) -> str:
    """Check the prefix of a route: a path as routing compares it, decoded."""
    beyond = Unfit("has characters beyond printable ASCII", "route a shorter prefix")
    if not text.startswith("/"):
        raise Unfit("does not begin with a slash", f'write "/{text}"')
    if re.search(r"[?#]", text):
        raise Unfit("has a query or a fragment", "routes match the path alone")
    if re.search(r"[^\x20-\x7e]", text):
        raise beyond
    try:
        normal = normalPath(text.encode("ascii")).decode("utf-8", "replace")
    except RequestInvalid as error:
        raise Unfit(f"is the path of no request ({error})", "write a plain path") from error
    if re.search(r"[^\x20-\x7e]", normal):
        raise beyond
    # The one octet that must not stand there decoded: it would be decoded again.
    normal = normal.replace("%", "%25")
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise Unfit(
            "has a broken percent-encoding", f'for percent signs themselves write "{normal}"'
        )
    if normal != text:
        raise Unfit(
            "is never met: paths are compared decoded and without empty and dot segments",
            f'write "{normal}"',
        )
    return text


def accessLog(text: str) -> str:
    """
    Check where the access log goes: a file, or C{"-"} for standard output.

    The file system is not asked; what stands there is known at the start.
    """
    remedy = 'name a file as "access.log", write "-" for standard output, or leave it out'
    if not text:
        raise Unfit("names no file", remedy)
    if text.endswith("/"):
        raise Unfit("names a directory", remedy)
    if "\0" in text:
        raise Unfit("is the name of no file", remedy)
    return text


def network(text: str) -> str:
    """
    Check a network in CIDR notation, or an address.

    @return: its canonical form; an address stays an address.
    """
    try:
        return str(ip_network(text) if "/" in text else ip_address(text))
    except ValueError:
        pass
    try:
        wider = ip_network(text, strict=False)
    except ValueError:
        raise Unfit(
            "is neither an address nor a network",
            'write it as "10.0.0.0/8", "192.0.2.7" or "fd00::/8"',
        ) from None
    raise Unfit("has bits set beyond its prefix", f'write "{wider}"')


def destination(text: str) -> str:
    """Check an exception from the guard: a network, an address or a host."""
    checked = network(text) if "/" in text or isAddress(text) else hostPattern(text)
    try:
        Exceptions((checked,))
    except ValueError as error:
        # It has more to say of names: an address that is spelt oddly is none.
        what, _, remedy = str(error).partition("; ")
        raise Unfit(f"is refused by the guard: {what}", remedy) from error
    return checked


def intercepted(text: str) -> str:
    """Check whom something is said about interception of: a network, an address or a host."""
    checked = network(text) if "/" in text or isAddress(text) else hostPattern(text)
    try:
        Exceptions((checked,))
    except ValueError as error:
        what, _, remedy = str(error).partition("; ")
        raise Unfit(f"is the name of no destination: {what}", remedy) from error
    return checked


def isAddress(text: str) -> bool:
    """Tell whether a host is an IP literal."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _bracketed(host: str) -> str:
    """Write a host as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def oneLine(error: Exception) -> str:
    """Write what an exception says, in one line without a full stop."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
