# -*- test-case-name: tests.wire.test_forwarding -*-
"""
What an intermediary does to fields on their way (RFC 9110 §7.6, RFC 7239).

Pure functions from one L{Fields} to another.  Framing fields never survive, as
content is framed anew for each connection.
"""

from __future__ import annotations

import re

from ..errors import WireError
from .fields import TCHAR, Fields
from .framing import connectionOptions

#: Fields that concern one connection (RFC 9110 §7.6.1) or frame its messages.
#: Everything else that begins with C{Proxy-} goes as well, but C{Proxy-Status}.
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"content-length",
        b"http2-settings",
        b"keep-alive",
        # Of nobody's making but an attacker's: CGI reads it as HTTP_PROXY.
        b"proxy",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)

#: Fields that stay even when C{Connection} names them.  RFC 9110 §7.6.1 forbids
#: to name what is meant for all recipients; obeying such a nomination lets a
#: client delete what others rely on: the host, the credentials, what tells the
#: origin who asks, what a cache keys on.
END_TO_END = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"age",
        b"allow",
        b"authorization",
        b"cache-control",
        b"content-encoding",
        b"content-language",
        b"content-location",
        b"content-range",
        b"content-type",
        b"cookie",
        b"date",
        b"etag",
        b"expect",
        b"expires",
        b"forwarded",
        b"from",
        b"host",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-range",
        b"if-unmodified-since",
        b"last-modified",
        b"location",
        b"max-forwards",
        b"origin",
        b"pragma",
        b"proxy-status",
        b"range",
        b"referer",
        b"retry-after",
        b"server",
        b"set-cookie",
        b"strict-transport-security",
        b"user-agent",
        b"vary",
        b"via",
        b"www-authenticate",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
    }
)

#: What must not be said in another spelling.
_UNMISTAKABLE = HOP_BY_HOP | {b"content-length", b"content-type", b"host", b"authorization"}

_PROXY = b"proxy-"
_PROXY_STATUS = b"proxy-status"

# Connection values that name no field: nearly all there are.
_NAMES_NOTHING = frozenset({None, b"keep-alive", b"Keep-Alive", b"close", b"Close"})

_NO_NAMES: frozenset[bytes] = frozenset()

#: Fields in which a proxy tells who asks.
DISCLOSING = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"}
)

_joinPair = b": ".join
_joinLines = b"\r\n".join


def _toDrop(connection: bytes | None) -> frozenset[bytes]:
    if connection in _NAMES_NOTHING:
        return HOP_BY_HOP
    assert connection is not None
    return HOP_BY_HOP.union(connectionOptions(connection)) - END_TO_END


def nominated(fields: Fields) -> frozenset[bytes]:
    """
    List what C{Connection} names and so is not forwarded (RFC 9110 §7.6.1).

    To whoever is behind us these fields were never there.
    """
    connection = fields.index.get(b"connection")
    if connection in _NAMES_NOTHING:
        return _NO_NAMES
    assert connection is not None
    return frozenset(connectionOptions(connection)) - END_TO_END


def stripHopByHop(fields: Fields) -> Fields:
    """
    Leave out what concerns the connection that a message came on.

    That is C{Connection} and what it names (but never L{END_TO_END}), the other
    L{HOP_BY_HOP} fields, and C{Proxy-*} except C{Proxy-Status}.
    """
    index = fields.index
    drop = _toDrop(index.get(b"connection"))
    return fields.without(
        {
            name
            for name in index
            if name in drop or (name.startswith(_PROXY) and name != _PROXY_STATUS)
        }
    )


def withoutNominated(trailers: Fields, fields: Fields) -> Fields:
    """
    Leave out of trailers what the head's C{Connection} named (RFC 9110 §7.6.1).

    @param fields: of the head.
    """
    connection = fields.index.get(b"connection")
    if connection in _NAMES_NOTHING:
        return trailers
    return trailers.without(_toDrop(connection))


def _aliases(index: dict[bytes, bytes]) -> set[bytes]:
    """
    Find fields that a gateway interface takes for others than a proxy does.

    CGI, and WSGI with it, knows C{Content_Length} and C{Content-Length} by the
    same name: what frames a message, or says whose it is, has no second spelling.
    """
    return {name for name in index if b"_" in name and name.replace(b"_", b"-") in _UNMISTAKABLE}


def _derive(fields: Fields, version: int, pseudonym: bytes) -> Fields:
    # stripHopByHop and appendVia and the encoding in one pass: this is done
    # twice for every exchange.
    index = fields.index
    pairs = fields.pairs
    drop = _toDrop(index.get(b"connection"))
    if version == 10 and b"expect" in index:
        # RFC 9110 §10.1.1: it means nothing from there, and would here.
        drop = drop | {b"expect"}
    if fields.encoded.find(b"_") >= 0:
        drop = drop | _aliases(index)
    if len(index) != len(pairs):
        kept = [
            pair
            for key, pair in [(pair[0].lower(), pair) for pair in pairs]
            if key not in drop and (key[:6] != _PROXY or key == _PROXY_STATUS)
        ]
    else:
        # No duplicates, so the index has the lower-case names in step.
        kept = [
            pair
            for key, pair in zip(index, pairs, strict=True)
            if key not in drop and (key[:6] != _PROXY or key == _PROXY_STATUS)
        ]
    via = b"%b %b" % (b"1.1" if version == 11 else b"1.0", pseudonym)
    before = index.get(b"via")
    if before is not None:
        via = b"%b, %b" % (before, via)
        kept = [pair for pair in kept if pair[0].lower() != b"via"]
    kept.append((b"Via", via))
    return Fields(kept, _joinLines(map(_joinPair, kept)) + b"\r\n")


def deriveRequest(fields: Fields, version: int, pseudonym: bytes) -> Fields:
    """
    Make the fields to forward with a request: L{stripHopByHop} and L{appendVia}.

    @param version: in which the request was received, 10 or 11.
    @param pseudonym: a token.
    """
    return _derive(fields, version, pseudonym)


def deriveResponse(fields: Fields, version: int, pseudonym: bytes) -> Fields:
    """As L{deriveRequest}, for a response."""
    return _derive(fields, version, pseudonym)


def appendVia(fields: Fields, version: int, pseudonym: bytes) -> Fields:
    """
    Add this intermediary to C{Via}, whose lines become one (RFC 9110 §7.6.3).

    @param version: in which the message was received, 10 or 11.
    @param pseudonym: a token.
    """
    via = b"%b %b" % (b"1.1" if version == 11 else b"1.0", pseudonym)
    before = fields.get(b"via")
    if before is None:
        return fields.adding((b"Via", via))
    return fields.without({b"via"}).adding((b"Via", b"%b, %b" % (before, via)))


# Pieces of a Via value, of which a comment may hold any others and comments.
_VIA_PIECE = re.compile(rb"\\.|[(),]|[^\\(),]++|\\")


def viaContains(fields: Fields, pseudonym: bytes) -> bool:
    """
    Tell whether a message came through the intermediary of that pseudonym.

    Only a whole received-by counts, in any case of letters, and never what is
    in a comment (RFC 9110 §7.6.3).
    """
    via = fields.get(b"via")
    if via is None:
        return False
    via = via.lower()
    wanted = pseudonym.lower()
    if wanted not in via:
        return False
    for element in _withoutComments(via).split(b","):
        words = element.split()
        if len(words) > 1 and words[1] == wanted:
            return True
    return False


def _withoutComments(value: bytes) -> bytes:
    if value.find(b"(") < 0:
        return value
    depth = 0
    outside = []
    for piece in _VIA_PIECE.findall(value):
        if piece == b"(":
            depth += 1
            outside.append(b" ")
        elif piece == b")":
            depth = max(0, depth - 1)
        elif depth == 0:
            outside.append(piece)
    if depth:
        # An unclosed comment would hide what comes after it, and with it a loop.
        return value.translate(None, b"()")
    return b"".join(outside)


_TOKEN = re.compile(TCHAR + rb"++")


def _parameter(name: bytes, value: bytes) -> bytes:
    """RFC 7239 §4: a value that is not a token is quoted."""
    if _TOKEN.fullmatch(value) is None:
        value = b'"%b"' % value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return name + b"=" + value


def _peerAddress(peer: str) -> bytes:
    # A zone index means something on this host only.
    return peer.partition("%")[0].encode("ascii", "replace")


def forwardedElement(peer: str, host: bytes | None, proto: bytes) -> bytes:
    """
    Write one element of C{Forwarded} (RFC 7239 §4).

    @param peer: the address that the request came from, as text; empty when
        it has none, as on a UNIX socket.
    @param host: what C{Host} said.
    @param proto: C{b"http"} or C{b"https"}.
    """
    address = _peerAddress(peer) or b"unknown"
    if b":" in address:
        # RFC 7239 §6: IPv6 in brackets, hence quoted.
        address = b"[%b]" % address
    parts = [_parameter(b"for", address)]
    if host:
        parts.append(_parameter(b"host", host))
    parts.append(_parameter(b"proto", proto))
    return b";".join(parts)


def appendForwarded(
    fields: Fields, peer: str, host: bytes | None, proto: bytes, trusted: bool
) -> Fields:
    """
    Tell the origin who asked: C{Forwarded} and C{X-Forwarded-For/-Proto/-Host}.

    What an untrusted peer says about that is dropped.  From a trusted one
    C{Forwarded} and C{X-Forwarded-For} are continued, and C{-Proto} and C{-Host},
    which have but one value, are left as they are.

    @param peer: as for L{forwardedElement}, as are C{host} and C{proto}; all
        valid, as from a reader and a transport.
    @param trusted: the peer is a proxy that is believed.
    """
    element = forwardedElement(peer, host, proto)
    address = _peerAddress(peer) or b"unknown"
    asked = host
    index = fields.index
    if trusted:
        before = index.get(b"forwarded")
        if before is not None and _ELEMENTS.fullmatch(before) is None:
            # What is not closed there would swallow what we say.
            before = None
        element = _continued(before, element)
        address = _continued(index.get(b"x-forwarded-for"), address)
        proto = index.get(b"x-forwarded-proto") or proto
        asked = index.get(b"x-forwarded-host") or asked
        fields = fields.without(DISCLOSING)
    else:
        fields = fields.without({name for name in index if _isAboutClient(name)})
    pairs = [
        (b"Forwarded", element),
        (b"X-Forwarded-For", address),
        (b"X-Forwarded-Proto", proto),
    ]
    if asked:
        pairs.append((b"X-Forwarded-Host", asked))
    return fields.extended(pairs)


def _isAboutClient(name: bytes) -> bool:
    """
    Tell whether a field states what only we may state of an untrusted peer.

    CGI and WSGI read C{X_Forwarded_For} and C{X-Forwarded-For} as the same.
    """
    if name[0] not in b"xf" or (name.find(b"forwarded") < 0 and name.find(b"real") < 0):
        return False
    name = name.replace(b"_", b"-")
    return name in (b"forwarded", b"x-real-ip") or name.startswith(b"x-forwarded-")


def _continued(before: bytes | None, value: bytes) -> bytes:
    return b"%b, %b" % (before, value) if before else value


# RFC 7239 §4: pairs, and the lists that they are in; no input makes it backtrack.
_PAIR = TCHAR + rb"++=(?:" + TCHAR + rb'++|"(?:[^"\\]|\\.)*+")'
_ELEMENTS = re.compile(
    rb"(?:[ \t]*+(?:" + _PAIR + rb"(?:[ \t]*+;[ \t]*+(?:" + _PAIR + rb")?+)*+)?+[ \t]*+(?:,|\Z))++"
)

_COUNT = re.compile(rb"[0-9]++")
#: More is the same as this: RFC 9110 §7.6.2 lets us choose the maximum.
MOST_FORWARDS = 2**31 - 1


def maxForwards(fields: Fields) -> int | None:
    """
    Read C{Max-Forwards} (RFC 9110 §7.6.2), which is for TRACE and OPTIONS only.

    @return: None without one.
    @raise WireError: 400: not one decimal number.
    """
    value = fields.get(b"max-forwards")
    if value is None:
        return None
    if _COUNT.fullmatch(value) is None:
        raise WireError("invalid Max-Forwards")
    # Python refuses to convert thousands of digits.
    digits = value.lstrip(b"0")
    return min(int(digits or b"0"), MOST_FORWARDS) if len(digits) <= 10 else MOST_FORWARDS
