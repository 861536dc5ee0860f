# -*- test-case-name: tests.ops.test_authorityfindings -*-
"""
What is wrong with the authority that a configuration intercepts TLS with, and with the
servers' that it trusts.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from .findings import Finding
from .problems import ABSENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..settings import InterceptSettings
    from .places import Path


def authorityFindings(
    path: Path, table: Mapping[str, Any], settings: InterceptSettings
) -> tuple[list[Finding], list[Finding]]:
    """
    Read the files of a front's interception, as it would.

    @param path: that of its C{intercept}.
    @param table: what stands there.
    @param settings: the same, with paths that lead there.
    @return: what is wrong, and what works and is odd.
    """
    # Only who intercepts needs OpenSSL.
    from ..net.certificatefiles import Trouble, TroubleError
    from ..net.origintls import OriginTLS, Unusable
    from ..settings import OriginTLSSettings
    from .intercepting import oddities, readAuthority

    def finding(trouble: Trouble) -> Finding:
        value = table.get(trouble.key, ABSENT)
        return Finding((*path, trouble.key), value, trouble.message, trouble.remedy)

    wrong = []
    odd = []
    try:
        authority = readAuthority(settings)
    except TroubleError as error:
        wrong += [finding(each) for each in error.troubles]
    else:
        odd += [finding(each) for each in oddities(settings, authority, dt.datetime.now(dt.UTC))]
    if settings.trust is not None:
        try:
            OriginTLS(OriginTLSSettings(ca=settings.trust), float).context()
        except Unusable as error:
            found = Finding((*path, "trust"), table["trust"], error.message, error.remedy)
            wrong.append(found)
    return wrong, odd


__all__ = ["authorityFindings"]
