# -*- test-case-name: tests.wire.test_target -*-
"""
Where a request wants to go: request targets and authorities (RFC 9112 §3.2).

Authorities are read strictly, because routing and the pool depend on them;
paths and queries are passed on as they came, because only the origin knows what
they mean.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address

from ..errors import WireError

#: Ports of the schemes that can be asked for by an absolute target.
DEFAULT_PORTS = {"http": 80, "https": 443}

# A name as the DNS and hosts files know them: labels of up to 63 octets, at
# most one dot at the end.  RFC 3986's reg-name would also allow percent-encoding
# and sub-delimiters; no resolver takes those, and they invite two readings.
_LABEL = rb"[A-Za-z0-9_~\-]"
_AUTHORITY = re.compile(
    rb"(?:((?=" + _LABEL + rb")(?:" + _LABEL + rb"{1,63}\.)*+" + _LABEL + rb"{0,63}+)"
    rb"|\[([0-9A-Fa-f:.]{2,45})\])(?::([0-9]{0,5}))?"
)
#: Octets of a host name, with the dot at its end (RFC 1035 §2.3.4).
_HOST_LIMIT = 254

_ABSOLUTE = re.compile(rb"([A-Za-z][A-Za-z0-9+\-.]*+)://([^/?#]*+)([!\x22$-~]*+)")
_ABSOLUTE_START = re.compile(rb"[A-Za-z][A-Za-z0-9+\-.]*+:")


#: Authorities of absolute targets of C{http} that were found valid, and what they mean;
#: no valid one is long.
_authorities: dict[bytes, tuple[str, int]] = {}
_AUTHORITIES_LIMIT = 1024
_HTTP = b"http://"

#: Targets of C{CONNECT} that were found valid: clients ask for few, many times.
_destinations: set[bytes] = set()
_DESTINATIONS_LIMIT = 1024


class Target:
    """
    An absolute-form target, taken apart.

    @ivar scheme: C{"http"} or C{"https"}.
    @ivar host: a name or address in lower case, without brackets.
    @ivar port: the one given, or the scheme's.
    @ivar path: the origin-form: path and query, never empty; C{*} for an
        C{OPTIONS} without a path (RFC 9112 §3.2.4).
    @ivar authority: as received; what C{Host} must say in place of what the
        client put there (RFC 9112 §3.2.2).
    """

    __slots__ = ("authority", "host", "path", "port", "scheme")

    def __init__(self, scheme: str, host: str, port: int, path: bytes, authority: bytes) -> None:
        self.scheme = scheme
        self.host = host
        self.port = port
        self.path = path
        self.authority = authority

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Target):
            return NotImplemented
        return (
            self.scheme == other.scheme
            and self.host == other.host
            and self.port == other.port
            and self.path == other.path
            and self.authority == other.authority
        )

    def __hash__(self) -> int:
        return hash((self.scheme, self.authority, self.path))

    def __repr__(self) -> str:
        path = self.path.decode("latin-1")
        return f"<Target {self.scheme} {self.host!r} {self.port} {path!r}>"


def parseAuthority(authority: bytes, portRequired: bool = False) -> tuple[str, int | None]:
    """
    Read C{host[:port]}: a C{Host} value or the target of a C{CONNECT}.

    @param portRequired: for C{CONNECT} (RFC 9110 §9.3.6).
    @return: the host in lower case, without brackets, and the port, if any.
    @raise WireError: 400: it is empty, has user information, percent-encoding,
        octets that no host name has, a bad literal or a port outside 1 to 65535.
    """
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise WireError(_whyNoAuthority(authority))
    name, literal, digits = match.groups()
    port = None
    if digits:
        port = int(digits)
        if not 0 < port < 65536:
            raise WireError("port out of range")
    elif portRequired:
        raise WireError("no port")
    if literal is not None:
        host = literal.decode("ascii").lower()
        try:
            IPv6Address(host)
        except AddressValueError as error:
            raise WireError("invalid IPv6 literal") from error
        return host, port
    if len(name) > _HOST_LIMIT:
        raise WireError("host name too long")
    return name.decode("ascii").lower(), port


def _whyNoAuthority(authority: bytes) -> str:
    if not authority or authority.startswith(b":"):
        return "empty host"
    if b"@" in authority:
        return "user information in an authority"
    if b"%" in authority:
        return "percent-encoding in a host"
    if any(octet > 0x7E for octet in authority):
        return "non-ASCII octets in a host"
    return "invalid authority"


def parseAbsolute(target: bytes, method: bytes = b"GET") -> Target:
    """
    Read an absolute-form target (RFC 9112 §3.2.2).

    @param method: C{OPTIONS} has its own idea of an empty path.
    @raise WireError: 400: not an absolute URI of a scheme that we know, with a
        fragment, with octets that no URI has, or as L{parseAuthority}.
    """
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise WireError(_whyNotAbsolute(target))
    schemeOctets, authority, path = match.groups()
    scheme = schemeOctets.decode("ascii").lower()
    default = DEFAULT_PORTS.get(scheme)
    if default is None:
        raise WireError("target with an unsupported scheme")
    host, port = parseAuthority(authority)
    if not path.startswith(b"/"):
        path = b"*" if not path and method == b"OPTIONS" else b"/" + path
    return Target(scheme, host, port or default, path, authority)


def readAbsolute(target: bytes, method: bytes) -> Target:
    """
    As L{parseAbsolute}, for the target of a request line that was read.

    Its octets are known to be those of a URI, and clients ask the same few
    authorities again and again.
    """
    if target[:7] == _HTTP:
        authority, slash, path = target[7:].partition(b"/")
        known = _authorities.get(authority)
        if known is not None and slash:
            host, port = known
            return Target("http", host, port, slash + path, authority)
    found = parseAbsolute(target, method)
    if found.scheme == "http":
        if len(_authorities) >= _AUTHORITIES_LIMIT:
            _authorities.clear()
        _authorities[found.authority] = (found.host, found.port)
    return found


def _whyNotAbsolute(target: bytes) -> str:
    if b"#" in target:
        return "fragment in a target"
    if _ABSOLUTE.match(target) is not None:
        return "target with a control, a space or a non-ASCII octet"
    return "target is not an absolute URI"


def checkForm(method: bytes, target: bytes) -> None:
    """
    Check that a target has one of the four forms and that the method allows it.

    Says nothing about what is in an absolute URI: see L{parseAbsolute}.

    @raise WireError: 400.
    """
    if method == b"CONNECT":
        # RFC 9112 §3.2.3: authority-form and nothing else.
        if target in _destinations:
            return
        try:
            parseAuthority(target, portRequired=True)
        except WireError as error:
            raise WireError(f"CONNECT to no valid authority: {error.detail}") from error
        if len(_destinations) >= _DESTINATIONS_LIMIT:
            _destinations.clear()
        _destinations.add(target)
    elif target.startswith(b"/"):
        return
    elif target == b"*":
        # RFC 9112 §3.2.4.
        if method != b"OPTIONS":
            raise WireError("asterisk-form target with a method other than OPTIONS")
    elif target[:7] != _HTTP and _ABSOLUTE_START.match(target) is None:
        raise WireError("target in none of the four forms")


def hostToASCII(name: str) -> str:
    """
    Make the form of a configured host name that appears on the wire.

    International names go through UTS 46 and IDNA 2008, as browsers do it.

    @return: in lower case; an IPv6 address without brackets.
    @raise ValueError: no host can have that name.
    """
    if name.isascii():
        ascii_ = name.encode("ascii")
    else:
        # Not needed by anything on the wire, so not loaded before it is.
        import idna

        try:
            ascii_ = idna.encode(name, uts46=True)
        except idna.IDNAError as error:
            raise ValueError(f"not a host name: {name!r}: {error}") from error
    if b":" in ascii_ and not ascii_.startswith(b"["):
        ascii_ = b"[%b]" % ascii_
    try:
        host, port = parseAuthority(ascii_)
    except WireError as error:
        raise ValueError(f"not a host name: {name!r}: {error.detail}") from error
    if port is not None or ascii_.endswith(b":"):
        raise ValueError(f"a port has no place here: {name!r}")
    return host
