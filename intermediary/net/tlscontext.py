# -*- test-case-name: tests.net.test_tlscontext -*-
"""
Profiles to contexts of OpenSSL: versions, ciphers and options, nothing else.

The profiles are those of Mozilla's "Server Side TLS" under other names: C{intermediate}
and C{modern} are theirs, C{compatible} is what they call old, without 3DES.  Ciphers
with DHE are left out: they need parameters of their own, and whoever can do those can
do ECDHE.

A context is never changed once a connection was made of it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from OpenSSL import SSL

#: What an authority offers that looks whether a name leads here (RFC 8737 §6.2).
ACME_PROTOCOL: Final = b"acme-tls/1"

_AEAD = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)
_OLD = (
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-RSA-AES256-SHA384",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA256",
    "AES256-SHA256",
    "AES128-SHA",
    "AES256-SHA",
)


class Profile(NamedTuple):
    """
    What is spoken.

    @ivar lowest: the lowest version.
    @ivar ciphers: for versions before 1.3, as OpenSSL takes them.
    @ivar ours: whether it is the server's order of ciphers that counts; where all of
        them are good, it is that of the client, which knows what its machine does fast.
    """

    lowest: int
    ciphers: str
    ours: bool = False


#: By the names that a configuration has for them.
PROFILES: Final = {
    "modern": Profile(SSL.TLS1_3_VERSION, ":".join(_AEAD)),
    "intermediate": Profile(SSL.TLS1_2_VERSION, ":".join(_AEAD)),
    # The signatures of these versions need the level that allows SHA-1.
    "compatible": Profile(SSL.TLS1_VERSION, ":".join((*_AEAD, *_OLD)) + ":@SECLEVEL=0", ours=True),
}

_OPTIONS: Final = (
    SSL.OP_NO_SSLv2
    | SSL.OP_NO_SSLv3
    | SSL.OP_NO_COMPRESSION
    | SSL.OP_NO_RENEGOTIATION
    | SSL.OP_SINGLE_ECDH_USE
)


def makeContext(profile: str = "intermediate") -> SSL.Context:
    """
    Make a context without certificates and trust, for either side.

    @param profile: one of L{PROFILES}.
    @return: an C{OpenSSL.SSL.Context}.
    @raise KeyError: there is no such profile.
    """
    chosen = PROFILES[profile]
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(chosen.lowest)
    context.set_options(_OPTIONS)
    if chosen.ours:
        context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)
    # Of connections that are idle (SSL_CTX_set_mode(3)).
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_cipher_list(chosen.ciphers.encode("ascii"))
    return context


def agree(spoken: tuple[bytes, ...], offered: list[bytes]) -> bytes:
    """
    Choose what is spoken above TLS: the first of ours that a client offers.

    @raise OpenSSL.SSL.Error: there is none; a client that means another server must not
        be answered (RFC 7301 §3.2).
    """
    for protocol in spoken:
        if protocol in offered:
            return protocol
    raise SSL.Error([("", "", "no application protocol in common")])


__all__ = ["ACME_PROTOCOL", "PROFILES", "Profile", "agree", "makeContext"]
