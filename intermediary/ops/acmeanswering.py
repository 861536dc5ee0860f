# -*- test-case-name: tests.ops.test_acmeanswering -*-
"""
What the fronts of a process have to do with one another when one gets its certificates
by itself: an authority that looks by http-01 asks where there is no TLS.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..policy.acmeanswers import AcmeAnswers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..settings import AcmeSettings, FrontSettings


def answering(fronts: Iterable[FrontSettings]) -> AcmeAnswers | None:
    """
    Make the component of fronts without TLS that answers for those with it.

    Its C{onRequest} has to run before whatever else answers or redirects.

    @param fronts: all of the process.
    @return: None if none of them needs that.
    """
    ordering = {
        (each.tls.acme.storage, each.tls.acme.directory)
        for each in fronts
        if each.tls is not None
        and each.tls.acme is not None
        and each.tls.acme.challenge == "http-01"
    }
    if not ordering:
        return None
    # As in L{ProxyFactory}: only who has TLS needs what belongs to it.
    from ..net.acmestore import AcmeStore

    return AcmeAnswers(
        partial(AcmeStore(storage, directory).answer, "http-01")
        for storage, directory in sorted(ordering)
    )


def described(settings: AcmeSettings) -> str:
    """Say which certificates a front gets, and how."""
    return (
        f"certificates for {' '.join(settings.names)} by {settings.challenge} from "
        f"{urlsplit(settings.directory).netloc}"
    )


__all__ = ["answering", "described"]
