# -*- test-case-name: tests.wire.test_clienthello -*-
"""
First messages of TLS clients: those of OpenSSL, and such as nobody sends.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from intermediary.wire.clienthello import ClientHello, HelloError, HelloReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def real(
    name: str | None = "a.example",
    protocols: Sequence[str] = (),
    highest: ssl.TLSVersion | None = None,
) -> bytes:
    """What a client of OpenSSL says first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    if highest is not None:
        context.maximum_version = highest
    said = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), said, server_hostname=name)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return said.read()


def vector(width: int, octets: bytes) -> bytes:
    """A length and what has it."""
    return len(octets).to_bytes(width, "big") + octets


def extension(kind: int, data: bytes) -> bytes:
    """An extension."""
    return kind.to_bytes(2, "big") + vector(2, data)


def serverName(*names: bytes, kind: int = 0) -> bytes:
    """The extension that names hosts."""
    return extension(0, vector(2, b"".join(bytes((kind,)) + vector(2, each) for each in names)))


def alpn(*protocols: bytes) -> bytes:
    """The extension that names protocols."""
    return extension(16, vector(2, b"".join(vector(1, each) for each in protocols)))


def body(
    extensions: bytes | None = b"",
    session: bytes = b"",
    suites: bytes = b"\x13\x01",
    compression: bytes = b"\x00",
) -> bytes:
    """A message without its header; without extensions for None."""
    return (
        b"\x03\x03"
        + bytes(32)
        + vector(1, session)
        + vector(2, suites)
        + vector(1, compression)
        + (b"" if extensions is None else vector(2, extensions))
    )


def message(octets: bytes, kind: int = 1) -> bytes:
    """A message with its header."""
    return bytes((kind,)) + vector(3, octets)


def record(octets: bytes, kind: int = 22, version: bytes = b"\x03\x01") -> bytes:
    """A record."""
    return bytes((kind,)) + version + vector(2, octets)


def records(octets: bytes, size: int) -> bytes:
    """Cut a message into records."""
    return b"".join(record(octets[index : index + size]) for index in range(0, len(octets), size))


def recut(hello: bytes, size: int) -> bytes:
    """Cut what is in one record into several."""
    return records(hello[5:], size)


def told(pieces: Iterable[bytes]) -> ClientHello | tuple[str, int] | None:
    """What a reader makes of pieces: the message, what it says and the alert, or nothing."""
    reader = HelloReader()
    for piece in pieces:
        try:
            hello = reader.feed(piece)
        except HelloError as error:
            return str(error), error.alert
        if hello is not None:
            return hello
    return None
