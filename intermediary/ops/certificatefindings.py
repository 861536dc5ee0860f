# -*- test-case-name: tests.ops.test_certificatefindings -*-
"""
What is wrong with the certificates that a configuration names.
"""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING, Any

from .findings import Finding
from .problems import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..net.certificatefiles import Trouble
    from ..net.certificates import ByName
    from ..settings import TLSSettings
    from .places import Path


def certificateFindings(
    path: Path, table: Mapping[str, Any], settings: TLSSettings, hosts: Sequence[str] = ()
) -> tuple[list[Finding], list[Finding]]:
    """
    Read the certificates of a front, as it would.

    @param path: that of its C{tls}.
    @param table: what stands there.
    @param settings: the same, with paths that lead there.
    @param hosts: what the front's routes are for.
    @return: what is wrong, and what works and is odd.
    """
    named = bool(settings.certificate or settings.certificates)
    if not (named or settings.clients):
        return [], []
    # Only who has TLS needs OpenSSL.
    from ..net.authorityfiles import AuthorityFiles
    from ..net.certificatefiles import CertificateFiles, Trouble
    from ..net.certificates import ByName
    from ..net.pem import CertificateError

    def finding(trouble: Trouble) -> Finding:
        value: Any = table
        for key in trouble.key.split("."):
            value = value.get(key, ABSENT)
        message = trouble.message
        if trouble.key == "certificates" and trouble.path != settings.certificates:
            message = f"{os.path.basename(trouble.path)} {message}"
        return Finding((*path, *trouble.key.split(".")), value, message, trouble.remedy)

    files = CertificateFiles(settings)
    troubles = files.look()[1] if named else []
    automatic = () if settings.acme is None else settings.acme.names
    byName: ByName | None = None
    if named and not troubles:
        default = "" if settings.default in automatic else settings.default
        try:
            byName = ByName(files.certificates, list, default)
        except CertificateError as error:
            troubles.append(Trouble("default", settings.default, error.message, error.remedy))
    clients = None if settings.clients is None else AuthorityFiles(settings.clients)
    if clients is not None:
        troubles += clients.look()
    if troubles:
        return [finding(each) for each in troubles], []
    now = dt.datetime.now(dt.UTC)
    odd = files.oddities(now) if named else []
    if clients is not None:
        odd += clients.oddities(now)
    if byName is not None:
        odd += _unnamed(settings, byName, hosts, automatic)
    return [], [finding(each) for each in odd]


def _unnamed(
    settings: TLSSettings, byName: ByName, hosts: Sequence[str], automatic: Sequence[str]
) -> Iterator[Trouble]:
    """Find hosts whose clients get a certificate for something else."""
    from ..net.certificatefiles import Trouble

    exact = {host.removesuffix(".") for host in hosts if not host.startswith("*.")}
    lacking = [
        host for host in sorted(exact.difference(automatic)) if host.encode("ascii") not in byName
    ]
    if lacking:
        key = "certificates" if settings.certificates else "certificate"
        yield Trouble(
            key,
            getattr(settings, key),
            f"is not for {' '.join(lacking)}, which a route is for: clients refuse it there",
            "get one that is, or mend the host of the route",
        )


__all__ = ["certificateFindings"]
