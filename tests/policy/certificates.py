# -*- test-case-name: tests.policy.test_clientrules -*-
"""
Certificates of clients, as steps see them.
"""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from intermediary.clientcertificate import ClientCertificate

if TYPE_CHECKING:
    from intermediary.exchange import Exchange


def shown(
    *names: Any, alternatives: tuple[tuple[str, str], ...] = (), encoded: bytes = b"", **more: Any
) -> ClientCertificate:
    """
    Make what a client has shown.

    @param names: parts of the subject, each a pair or a tuple of pairs.
    """
    parts = tuple(each if isinstance(each[0], tuple) else (each,) for each in names)
    encoded = encoded or repr((names, alternatives)).encode()
    return ClientCertificate(
        subject=",".join("+".join(f"{kind}={value}" for kind, value in part) for part in parts),
        issuer="CN=authority",
        names=parts,
        alternatives=alternatives,
        serial="1F",
        fingerprint=hashlib.sha256(encoded).hexdigest(),
        expires=2e9,
        encoded=encoded,
        **more,
    )


def by(exchange: Exchange, certificate: ClientCertificate | None) -> Exchange:
    """Have the client of an exchange show a certificate."""
    exchange.downstream = SimpleNamespace(connected=True, draining=False)  # type: ignore[assignment]
    exchange.downstream.clientCertificate = certificate
    return exchange


#: Someone in two parts.
ALICE = shown(("CN", "alice"), ("O", "Example"))
