# -*- test-case-name: tests.wire.test_clienthello -*-
"""
The first message of a TLS client, read without an answer: which name, which protocols.

It is for who decides by these where a connection goes and leaves all else to TLS:
nothing is decrypted, and nothing is believed of a message that is not complete and as
RFC 8446 has it.  The records (§5.1), the message (§4.1.2), the name (RFC 6066 §3), the
protocols (RFC 7301 §3.1) and the versions (RFC 8446 §4.2.1) are looked at; what other
extensions say is not.
"""

from __future__ import annotations

import re
from typing import Final

#: What is read of records and their headers before the message has to be complete.
#: Those of browsers have up to 2 KiB, with keys that quantum computers can't find.
LIMIT_OCTETS: Final = 16384

#: The first octet of a record that has a handshake in it (RFC 8446 §5.1).
HANDSHAKE: Final = 0x16
#: What opens a record that has an alert in it.
_ALERT: Final = 0x15
_FATAL: Final = 2
#: The first octet of the version of SSL 3.0 and all that came after it.
_VERSION: Final = 3
_HEADER_OCTETS: Final = 5
#: What a record may hold (RFC 8446 §5.1).
_FRAGMENT_OCTETS: Final = 1 << 14
_CLIENT_HELLO: Final = 1
#: The kind of a message and its length.
_MESSAGE_HEADER_OCTETS: Final = 4
_SESSION_OCTETS: Final = 32

_SERVER_NAME: Final = 0
_PROTOCOLS: Final = 16
_VERSIONS: Final = 43
_HOST_NAME: Final = 0

#: Alerts (RFC 8446 §6).
UNEXPECTED_MESSAGE: Final = 10
RECORD_OVERFLOW: Final = 22
ILLEGAL_PARAMETER: Final = 47
DECODE_ERROR: Final = 50
INTERNAL_ERROR: Final = 80
MISSING_EXTENSION: Final = 109
UNRECOGNIZED_NAME: Final = 112
NO_APPLICATION_PROTOCOL: Final = 120

#: A name that may be looked up.  Some clients send addresses or a dot at the end, which
#: they should not (RFC 6066 §3) and which mean no harm.
_NAME = re.compile(rb"(?!\.)[0-9A-Za-z_.:-]{1,254}")
#: The method of a request (RFC 9110 §9.1), as far as it has come.
_METHOD = re.compile(rb"[A-Z][A-Z-]{0,31}(?: |\Z)")


class HelloError(ValueError):
    """
    Octets that are no C{ClientHello}.

    @ivar alert: the number of the alert that says so (RFC 8446 §6.2).
    """

    def __init__(self, message: str, alert: int = DECODE_ERROR) -> None:
        super().__init__(message)
        self.alert = alert


class ClientHello:
    """
    What a client says of itself before it knows with whom it speaks.

    @ivar name: the host that it wants, in lower case; empty if it does not say.
    @ivar protocols: what it would speak above TLS, the best first.
    @ivar versions: those of TLS that it offers, by their numbers, the best first; some
        clients put others between them that nobody knows (RFC 8701).
    """

    __slots__ = ("name", "protocols", "versions")

    def __init__(self, name: str, protocols: tuple[bytes, ...], versions: tuple[int, ...]) -> None:
        self.name = name
        self.protocols = protocols
        self.versions = versions

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ClientHello):
            return NotImplemented
        return (
            self.name == other.name
            and self.protocols == other.protocols
            and self.versions == other.versions
        )

    def __hash__(self) -> int:
        return hash((self.name, self.protocols, self.versions))

    def __repr__(self) -> str:
        return f"<ClientHello {self.name!r} {self.protocols} {self.versions}>"


class HelloReader:
    """
    Reads one C{ClientHello}, however its octets come and its records are cut.

    One that raised, or has given its message, is dead.
    """

    __slots__ = ("_fragment", "_header", "_message", "_size", "_total")

    def __init__(self) -> None:
        #: The header of the next record, as far as it has come.
        self._header = bytearray()
        #: Octets that are missing from the record.
        self._fragment = 0
        #: The message, from its own header on.
        self._message = bytearray()
        #: Its octets with that header; 0 if they are not known.
        self._size = 0
        #: All octets that were read.
        self._total = 0

    @property
    def missing(self) -> int:
        """How many more octets complete the record, or the message if that is less."""
        if not self._fragment:
            return _HEADER_OCTETS - len(self._header)
        if not self._size:
            return self._fragment
        return min(self._fragment, self._size - len(self._message))

    def feed(self, octets: bytes) -> ClientHello | None:
        """
        Take some octets of the client.

        @return: None if there is more to come.  What is behind the message is not
            looked at.
        @raise HelloError: it won't become one.
        """
        position = 0
        while position < len(octets):
            if self._total == LIMIT_OCTETS:
                raise _tooLong()
            most = min(len(octets) - position, LIMIT_OCTETS - self._total)
            if self._fragment:
                most = min(most, self._fragment)
                self._fragment -= most
                self._message += octets[position : position + most]
            else:
                most = min(most, _HEADER_OCTETS - len(self._header))
                self._header += octets[position : position + most]
            self._total += most
            position += most
            if self._header:
                self._lookAtHeader()
            elif self._isComplete():
                return _readMessage(bytes(self._message[_MESSAGE_HEADER_OCTETS : self._size]))
        return None

    def _lookAtHeader(self) -> None:
        """Look at the header of a record, as far as it has come."""
        header = self._header
        if header[0] != HANDSHAKE:
            what = "something comes in the middle of it" if self._message else "it is no handshake"
            raise HelloError(what, UNEXPECTED_MESSAGE)
        if len(header) > 1 and header[1] != _VERSION:
            # The rest of the version means nothing (RFC 8446 §5.1).
            raise HelloError("no version of TLS has such records")
        if len(header) < _HEADER_OCTETS:
            return
        length = header[3] << 8 | header[4]
        if length > _FRAGMENT_OCTETS:
            raise HelloError("a record is too long", RECORD_OVERFLOW)
        if not length:
            raise HelloError("a record has nothing in it", UNEXPECTED_MESSAGE)
        self._fragment = length
        header.clear()

    def _isComplete(self) -> bool:
        """Look at the message's own header, and tell whether all of it is there."""
        message = self._message
        if message[0] != _CLIENT_HELLO:
            raise HelloError("it is another message", UNEXPECTED_MESSAGE)
        if len(message) < _MESSAGE_HEADER_OCTETS:
            return False
        self._size = _MESSAGE_HEADER_OCTETS + int.from_bytes(message[1:4], "big")
        if self._size > LIMIT_OCTETS - _HEADER_OCTETS:
            raise _tooLong()
        return len(message) >= self._size

    def __repr__(self) -> str:
        return f"<HelloReader {len(self._message)} of {self._size or '?'}>"


class _Vector:
    """
    Octets that are taken from the front, by the lengths that stand before them.

    Whoever takes more than there is raises L{HelloError}.
    """

    __slots__ = ("_end", "_octets", "_position")

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._position = 0
        self._end = len(octets)

    def __bool__(self) -> bool:
        return self._position < self._end

    def take(self, count: int) -> bytes:
        """Take so many octets."""
        start, self._position = self._position, self._position + count
        if self._position > self._end:
            raise HelloError("it is cut short")
        return self._octets[start : self._position]

    def number(self, octets: int) -> int:
        """Take a number."""
        return int.from_bytes(self.take(octets), "big")

    def vector(self, width: int, least: int = 1) -> bytes:
        """
        Take a length and what has it.

        @param width: of the length, in octets.
        @param least: how long it has to be.
        """
        length = self.number(width)
        if length < least:
            raise HelloError("a part of it is too short")
        return self.take(length)


def _readMessage(octets: bytes) -> ClientHello:
    """Read the message behind its own header (RFC 8446 §4.1.2)."""
    message = _Vector(octets)
    version = message.number(2)
    message.take(32)  # random
    if len(message.vector(1, 0)) > _SESSION_OCTETS:
        raise HelloError("its session has too long a name")
    if len(message.vector(2, 2)) % 2:
        raise HelloError("half of a cipher suite is in it")
    message.vector(1)  # compression
    name = ""
    protocols: tuple[bytes, ...] = ()
    versions: tuple[int, ...] = (version,)
    if message:
        extensions = _Vector(message.vector(2, 0))
        if message:
            raise HelloError("there is something behind its extensions")
        seen: set[int] = set()
        while extensions:
            kind = extensions.number(2)
            data = extensions.vector(2, 0)
            if kind in seen:
                raise HelloError("an extension is in it twice", ILLEGAL_PARAMETER)
            seen.add(kind)
            if kind == _SERVER_NAME:
                name = _readName(data)
            elif kind == _PROTOCOLS:
                protocols = _readProtocols(data)
            elif kind == _VERSIONS:
                versions = _readVersions(data)
    return ClientHello(name, protocols, versions)


def _readName(octets: bytes) -> str:
    """Read C{server_name} (RFC 6066 §3)."""
    names = _Vector(_only(octets, 2))
    found = ""
    while names:
        kind = names.number(1)
        # Other kinds, of which there is none, have a length of this form, too.
        data = names.vector(2)
        if kind != _HOST_NAME:
            continue
        if found:
            raise HelloError("it wants two names at once", ILLEGAL_PARAMETER)
        if _NAME.fullmatch(data) is None:
            raise HelloError("the name that it wants is none", ILLEGAL_PARAMETER)
        found = data.decode("ascii").lower().removesuffix(".")
    return found


def _readProtocols(octets: bytes) -> tuple[bytes, ...]:
    """Read C{application_layer_protocol_negotiation} (RFC 7301 §3.1)."""
    names = _Vector(_only(octets, 2))
    found = []
    while names:
        found.append(names.vector(1))
    return tuple(found)


def _readVersions(octets: bytes) -> tuple[int, ...]:
    """Read C{supported_versions} (RFC 8446 §4.2.1)."""
    numbers = _only(octets, 1)
    if len(numbers) % 2:
        raise HelloError("half of a version is in it")
    return tuple(
        int.from_bytes(numbers[index : index + 2], "big") for index in range(0, len(numbers), 2)
    )


def _only(octets: bytes, width: int) -> bytes:
    """Take the one vector that an extension consists of."""
    data = _Vector(octets)
    found = data.vector(width)
    if data:
        raise HelloError("an extension is longer than what is in it")
    return found


def _tooLong() -> HelloError:
    return HelloError("it is too long", ILLEGAL_PARAMETER)


def isPlainHTTP(octets: bytes) -> bool:
    """
    Tell whether a client that should speak TLS begins with a request of HTTP instead.

    @param octets: its first ones, one at least; a few are enough.
    """
    return _METHOD.match(octets) is not None


def encodeAlert(alert: int) -> bytes:
    """Write an alert down that ends a connection before TLS stands (RFC 8446 §6)."""
    return bytes((_ALERT, _VERSION, 3, 0, 2, _FATAL, alert))


__all__ = [
    "HANDSHAKE",
    "INTERNAL_ERROR",
    "LIMIT_OCTETS",
    "MISSING_EXTENSION",
    "NO_APPLICATION_PROTOCOL",
    "UNRECOGNIZED_NAME",
    "ClientHello",
    "HelloError",
    "HelloReader",
    "encodeAlert",
    "isPlainHTTP",
]
