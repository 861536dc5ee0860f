# -*- test-case-name: tests.net.test_clientauthorities -*-
"""
Clients that have certificates, and those who vouch for them.
"""

from __future__ import annotations

from typing import Any

from cryptography.x509.oid import ExtendedKeyUsageOID

from intermediary.net.servertls import ServerTLS
from intermediary.settings import ClientTLSSettings, TLSSettings

from .certifying import Made, authority, listPEM, made, revoked
from .test_certificatefiles import FolderCase
from .tlspeers import MemoryClient, meet

ROOT = authority("clients.example")
MIDDLE = made("middle.example", issuer=ROOT, authority=True, number=60, unnamed=True)
#: One that has expired.
GONE = made("gone.example", issuer=ROOT, authority=True, days=-2, number=66)
OTHER = authority("others.example")
SITE = made("a.example")
FOR_CLIENTS = ExtendedKeyUsageOID.CLIENT_AUTH
FOR_SERVERS = ExtendedKeyUsageOID.SERVER_AUTH


def client(name: str, issuer: Made | None = ROOT, number: int = 61, **more: Any) -> Made:
    """Make the certificate of a client."""
    return made(name, issuer=issuer, number=number, **more)


ALICE = client("alice", purpose=FOR_CLIENTS)
BOB = client("bob", number=62)
CAROL = client("carol", issuer=MIDDLE, number=63)
MALLORY = client("mallory", issuer=OTHER, number=64)
HERMIT = client("hermit", issuer=None, number=65)


class ClientCase(FolderCase):
    """Has the files of a front that asks its clients for certificates."""

    clock: Any

    def setUp(self) -> None:
        super().setUp()
        self.site = self.put("site.pem", SITE.both)
        self.ca = self.put("ca.pem", ROOT.pem)

    def lists(self, *lists: Any) -> str:
        """Write the file of lists; without any, one of nothing."""
        return self.put("crl.pem", listPEM(*(lists or (revoked(ROOT),))))

    def settings(self, **more: Any) -> TLSSettings:
        """Name the files; what is about clients has the names of their settings."""
        tls = {key: more.pop(key) for key in ("resumptionSeconds", "profile") if key in more}
        more.setdefault("ca", self.ca)
        return TLSSettings(certificate=self.site, clients=ClientTLSSettings(**more), **tls)

    def policy(self, **more: Any) -> ServerTLS:
        """Read the files."""
        return ServerTLS(self.clock, self.settings(**more), "site")


def shows(
    certificate: Made | None,
    *,
    chain: tuple[Made, ...] = (),
    highest: int | None = None,
    name: bytes = b"a.example",
) -> MemoryClient:
    """Make a client that shows a certificate, and others behind it."""
    return MemoryClient(name, (b"http/1.1",), highest, certificate=certificate, chain=chain)


def judged(policy: ServerTLS, one: MemoryClient) -> tuple[bool, str]:
    """
    Have a client shake hands.

    @return: whether it was let in, and what was wrong with its certificate.
    """
    server = policy.serverConnectionForTLS(None)
    failed = meet(one, server)
    return failed is None, server.problem
