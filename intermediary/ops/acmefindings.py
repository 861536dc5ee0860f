# -*- test-case-name: tests.ops.test_acmefindings -*-
"""
What keeps a front from getting its certificates by itself, as far as can be known
without asking anybody.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from .findings import Finding
from .problems import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..settings import AcmeSettings, TLSSettings
    from .places import Path


def acmeFindings(
    path: Path, table: Mapping[str, Any], settings: TLSSettings, plain: Sequence[Sequence[str]]
) -> tuple[list[Finding], list[Finding]]:
    """
    Look at what is there.

    @param path: that of the front's C{tls}.
    @param table: what stands there.
    @param settings: the same, with paths that lead there.
    @param plain: the hosts of each route of all fronts without TLS.
    @return: what is wrong, and what works and is odd.
    """
    acme = settings.acme
    if acme is None:
        return [], []
    written = table["acme"]

    def found(key: str, message: str, remedy: str) -> Finding:
        return Finding((*path, "acme", key), written.get(key, ABSENT), message, remedy)

    wrong = [found(*each) for each in (*_unready(acme), *_unnamed(acme), *_unsafe(acme))]
    if not _isInstalled():
        message = "needs the package acme, which is not installed"
        remedy = "pip install 'acme >= 5', or this package with its extra acme"
        wrong.append(Finding((*path, "acme"), ABSENT, message, remedy))
    default = settings.default
    # With files, it may be a name of theirs.
    if default and not (settings.certificate or settings.certificates or default in acme.names):
        message, remedy = "is the name of no certificate", "name one that there is to be"
        wrong.append(Finding((*path, "default"), table["default"], message, remedy))
    if acme.challenge == "http-01" and not plain:
        message = "is asked for without TLS, on port 80, and there is no reverse front for that"
        remedy = 'add one, or write challenge = "tls-alpn-01"'
        wrong.append(found("challenge", message, remedy))
    return wrong, [found(*each) for each in _odd(acme, plain)]


def _isInstalled() -> bool:
    """Tell whether the library is there."""
    try:
        # A folder of the name acme would do for the package alone.
        return find_spec("acme.client") is not None
    except ModuleNotFoundError:
        return False


def _unready(acme: AcmeSettings) -> Iterator[tuple[str, str, str]]:
    """Somebody agrees to the terms."""
    if not acme.termsAgreed:
        yield (
            "terms-agreed",
            "the authority's terms of service have to be agreed to",
            "read them, and write terms-agreed = true",
        )


def _unnamed(acme: AcmeSettings) -> Iterator[tuple[str, str, str]]:
    """There is something to order."""
    if not acme.names:
        yield (
            "names",
            "there is no name to get a certificate for, as no route is for an exact host",
            'add names = ["example.org"]',
        )


def _unsafe(acme: AcmeSettings) -> Iterator[tuple[str, str, str]]:
    """Folder and files can be used."""
    # Only who has TLS needs what belongs to it.
    from ..net.acmestore import AcmeStore
    from ..net.pem import CertificateError, readCertificates, readFile

    problem = AcmeStore(acme.storage, acme.directory).problem()
    if problem is not None:
        yield "storage", problem.message, problem.remedy
    if acme.ca:
        try:
            readCertificates(readFile(acme.ca))
        except OSError as error:
            yield "ca", f"can't be read: {error.strerror}", "name a file of certificates"
        except CertificateError as error:
            yield "ca", error.message, error.remedy


def _odd(acme: AcmeSettings, plain: Sequence[Sequence[str]]) -> Iterator[tuple[str, str, str]]:
    """What works, and is hardly meant to stay so."""
    if "staging" in acme.directory:
        yield (
            "directory",
            "its certificates are for trials: clients refuse them",
            "remove the key when all is well",
        )
    if acme.challenge == "http-01" and plain:
        for name in acme.names:
            if not any(_serves(hosts, name) for hosts in plain):
                message = f"no front without TLS has a route for {name}, which the authority needs"
                yield "challenge", message, "add one, or one for any host"


def _serves(hosts: Sequence[str], name: str) -> bool:
    """Tell whether a route is for a name, as routing does."""
    return not hosts or any(
        host.removesuffix(".") == name or (host.startswith("*.") and name.endswith(host[1:]))
        for host in hosts
    )


__all__ = ["acmeFindings"]
