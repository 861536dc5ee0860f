# -*- test-case-name: tests.net.test_truststore -*-
"""
Which authorities are trusted where nobody says so: the system's.

OpenSSL comes with the wheels of C{cryptography} and does not know where a system
keeps them, so that is found out here.
"""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Files where systems keep them that Python was not told about.
FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
)

REMEDY = (
    "install the package ca-certificates, or certifi beside this one, or name a file of "
    "authorities: SSL_CERT_FILE=FILE"
)


def trustedFiles(
    environment: Mapping[str, str] = os.environ, files: Iterable[str] = FILES
) -> tuple[str | None, str | None]:
    """
    Find the authorities that the system trusts.

    C{SSL_CERT_FILE} and C{SSL_CERT_DIR} of the environment count for more than what
    stands anywhere, as with everything else that uses OpenSSL; C{certifi} is what is
    left where a system has none.

    @param files: where to look if Python knows of none.
    @return: a file of certificates in PEM and a folder of them, by their hashes;
        both are None if there are none.
    """
    file, folder = environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR")
    if file or folder:
        return file or None, folder or None
    # The files are searched once for each context, a folder for each connection.
    known = ssl.get_default_verify_paths()
    for path in (known.cafile, *files):
        if path and os.path.isfile(path):
            return path, None
    if known.capath and _holdsAny(known.capath):
        return None, known.capath
    try:
        import certifi  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return None, None
    return str(certifi.where()), None


def _holdsAny(folder: str) -> bool:
    """Tell whether anything is in a folder."""
    try:
        return bool(os.listdir(folder))
    except OSError:
        return False


__all__ = ["FILES", "REMEDY", "trustedFiles"]
