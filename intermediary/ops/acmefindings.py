# -*- test-case-name: tests.ops.test_acmefindings -*-
"""
What keeps a front from getting its certificates by itself, as far as can be known
without asking anybody.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from .consistency import Finding
from .problems import ABSENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..settings import TLSSettings
    from .places import Path


def acmeFindings(
    path: Path, table: Mapping[str, Any], settings: TLSSettings
) -> tuple[list[Finding], list[Finding]]:
    """
    Look at what is there.

    @param path: that of the front's C{tls}.
    @param table: what stands there.
    @param settings: the same, with paths that lead there.
    @return: what is wrong, and what works and is odd.
    """
    acme = settings.acme
    if acme is None:
        return [], []
    # Only who has TLS needs what belongs to it.
    from ..net.acmestore import AcmeStore
    from ..net.pem import CertificateError, readCertificates, readFile

    path = (*path, "acme")
    written = table["acme"]
    wrong: list[Finding] = []
    if find_spec("acme") is None or find_spec("josepy") is None:
        wrong.append(
            Finding(
                path,
                ABSENT,
                "needs the package acme, which is not installed",
                "pip install 'intermediary[acme]'",
            )
        )
    problem = AcmeStore(acme.storage, acme.directory).problem()
    if problem is not None:
        value = written.get("storage", ABSENT)
        wrong.append(Finding((*path, "storage"), value, problem.message, problem.remedy))
    if acme.ca:
        place, value = (*path, "ca"), written["ca"]
        try:
            readCertificates(readFile(acme.ca))
        except OSError as error:
            message, remedy = f"can't be read: {error.strerror}", "name a file of certificates"
            wrong.append(Finding(place, value, message, remedy))
        except CertificateError as error:
            wrong.append(Finding(place, value, error.message, error.remedy))
    if settings.default and not (settings.certificate or settings.certificates):
        if settings.default not in acme.names:
            place = (*path[:-1], "default")
            message, remedy = "is the name of no certificate", "name one that there is to be"
            wrong.append(Finding(place, table["default"], message, remedy))
    odd: list[Finding] = []
    if "staging" in acme.directory:
        odd.append(
            Finding(
                (*path, "directory"),
                written.get("directory", ABSENT),
                "its certificates are for trials: clients refuse them",
                "remove the key when all is well",
            )
        )
    return wrong, odd


__all__ = ["acmeFindings"]
