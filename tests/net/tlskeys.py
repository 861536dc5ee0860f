# -*- test-case-name: tests.net.test_tlssocket,tests.net.test_records -*-
"""
Messages of TLS 1.3 that OpenSSL would not send when a test wants them.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from OpenSSL import SSL

#: What is in a record.
ALERT, HANDSHAKE, APPLICATION = 21, 22, 23


class Speaker:
    """
    Speaks in the place of a client whose handshake is over, with its keys.

    For the suite that OpenSSL likes best: C{TLS_AES_256_GCM_SHA384}.

    @ivar context: what the client is to be made of.
    """

    def __init__(self) -> None:
        self.context = SSL.Context(SSL.TLS_METHOD)
        self.context.set_keylog_callback(self._learn)
        self._secret = b""
        self._sent = 0

    def _learn(self, connection: Any, line: bytes) -> None:
        """Called by OpenSSL: a secret is known."""
        label, _, secret = line.split()
        if label == b"CLIENT_TRAFFIC_SECRET_0":
            self._secret = bytes.fromhex(secret.decode("ascii"))

    def _expand(self, label: bytes, length: int) -> bytes:
        """See RFC 8446 §7.1; no more than one block is needed."""
        info = length.to_bytes(2, "big") + bytes([6 + len(label)]) + b"tls13 " + label + b"\x00"
        return hmac.digest(self._secret, info + b"\x01", hashlib.sha384)[:length]

    def record(self, kind: int, octets: bytes) -> bytes:
        """Make a record."""
        inner = octets + bytes([kind])
        head = b"\x17\x03\x03" + (len(inner) + 16).to_bytes(2, "big")
        vector = int.from_bytes(self._expand(b"iv", 12), "big") ^ self._sent
        self._sent += 1
        sealed = AESGCM(self._expand(b"key", 32))
        return head + sealed.encrypt(vector.to_bytes(12, "big"), inner, head)

    def newKeys(self, wanted: bool = False) -> bytes:
        """
        Make a C{KeyUpdate}.

        @param wanted: whether the other side is to answer with one.
        """
        message = self.record(HANDSHAKE, b"\x18\x00\x00\x01" + bytes([wanted]))
        self._secret = self._expand(b"traffic upd", 48)
        self._sent = 0
        return message


__all__ = ["ALERT", "APPLICATION", "HANDSHAKE", "Speaker"]
