# -*- test-case-name: tests.ops.test_originfindings -*-
"""
What is wrong with the files that a configuration names for TLS with servers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .findings import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..settings import OriginTLSSettings
    from .places import Path


def originFindings(
    path: Path, table: Mapping[str, Any], settings: OriginTLSSettings
) -> list[Finding]:
    """
    Read the files of an upstream, as its first connection would.

    What the system trusts is not looked at, as it stands in no file of ours.

    @param path: that of its C{tls}.
    @param table: what stands there.
    @param settings: the same, with paths that lead there.
    """
    # Only who has TLS needs OpenSSL.
    from ..net.origintls import OriginTLS, Unusable

    parts = []
    if settings.ca is not None and settings.verify:
        parts.append(replace(settings, certificate=None, key=None))
    if settings.certificate is not None:
        parts.append(replace(settings, ca=None, verify=False))
    wrong = []
    for part in parts:
        try:
            OriginTLS(part, float).context()
        except Unusable as error:
            found = Finding((*path, error.key), table[error.key], error.message, error.remedy)
            wrong.append(found)
    return wrong


__all__ = ["originFindings"]
